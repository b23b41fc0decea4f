//! How many clocks of open tickets stand how, for the figures.

use crate::config::Tenant;
use crate::sla::clock::Standing;
use crate::telemetry::{StandingLabels, Telemetry};
use crate::ticket::ClockKind;

/// The names of all standings.
const NAMES: [&str; 7] = ["on_track", "at_risk", "breached", "paused", "met", "cancelled", "unknown"];

/// How the clocks of a ticket stand, each as its place among the names, from 1; 0: there is no such clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Both([u8; ClockKind::ALL.len()]);

impl Both {
    pub fn set(&mut self, clock: ClockKind, standing: Standing) {
        let place = NAMES.iter().position(|name| *name == standing.as_str()).unwrap_or_default();
        self.0[clock as usize] = place as u8 + 1;
    }
}

/// The counts: by clock, then by name.
#[derive(Default)]
pub struct Standings([[i64; NAMES.len()]; ClockKind::ALL.len()]);

impl Standings {
    pub fn add(&mut self, ticket: Both) {
        for (counts, place) in self.0.iter_mut().zip(ticket.0) {
            if let Some(index) = usize::from(place).checked_sub(1) {
                counts[index] += 1;
            }
        }
    }

    pub fn publish(&self, telemetry: &Telemetry, tenant: &Tenant) {
        for (kind, counts) in ClockKind::ALL.into_iter().zip(self.0) {
            for (standing, count) in NAMES.into_iter().zip(counts) {
                let labels = StandingLabels { tenant: tenant.id.to_string(), clock: kind.as_str(), standing };
                telemetry.open_tickets.get_or_create(&labels).set(count);
            }
        }
    }
}
