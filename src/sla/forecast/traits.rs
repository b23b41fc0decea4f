//! The traits by which rates distinguish clocks.

use chrono::{Datelike, NaiveDateTime, Timelike};

use super::inputs::FAMILIES;
use super::names::{Attribute, Facts, NameId};
use super::rates::RateKey;

/// The traits at one moment. Kept with each note, since they are smaller than the keys made of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traits {
    pub(super) facts: Facts,
    pub(super) state_before: NameId,
    pub(super) reassignments: u8,
    pub(super) events: u8,
    /// See [`bucket`].
    pub(super) silence: u8,
    pub(super) due: TimeSlot,
    pub(super) opened: TimeSlot,
}

impl Traits {
    /// Returns the keys of the rates for these traits.
    pub(super) fn keys(&self) -> [RateKey; FAMILIES] {
        let name = |attribute| self.facts.get(attribute);
        let (group, state, category) = (name(Attribute::Group), name(Attribute::State), name(Attribute::Category));
        let subcategory = name(Attribute::Subcategory);
        let technician = name(Attribute::Technician);
        let pairs: [(NameId, NameId); FAMILIES] = [
            (group, 0),
            (category, group),
            (category, 0),
            (subcategory, 0),
            (name(Attribute::Symptom), 0),
            (name(Attribute::Location), 0),
            (name(Attribute::Client), 0),
            (name(Attribute::OpenedBy), 0),
            (technician, 0),
            (name(Attribute::By), 0),
            (state, self.silence.into()),
            (state, self.state_before),
            (group, state),
            (1 + u32::from(self.reassignments), u32::from(technician != 0)),
            (name(Attribute::Urgency), name(Attribute::Impact)),
            (self.due.0.into(), self.due.1.into()),
            (state, self.events.into()),
            (subcategory, group),
            (technician, state),
            (self.opened.0.into(), self.opened.1.into()),
        ];
        let mut family = 0;
        pairs.map(|(first, second)| {
            family += 1;
            RateKey::new(family - 1, first, second)
        })
    }
}

/// Puts a number of hours into a bucket by powers of two.
pub(super) fn bucket(hours: f64) -> u8 {
    (1.0 + hours.max(0.0)).log2().round() as u8
}

/// The weekday and, in three-hour slots, the local time of day.
pub(super) type TimeSlot = (u8, u8);

pub(super) fn time_slot(local: NaiveDateTime) -> TimeSlot {
    (local.weekday().number_from_monday() as u8, (local.hour() / 3) as u8)
}
