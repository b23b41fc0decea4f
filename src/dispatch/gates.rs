//! What each channel may be given now: its breaker and its limit, shared by the loop and the attempts under way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use tracing::{info, warn};

use super::breaker::{Breaker, Change, Heard};
use super::pace::Pace;
use crate::config::ChannelKind;
use crate::notify::{Receipt, SendError, words};
use crate::telemetry::{ChannelLabels, Telemetry};

/// One gate for each channel; a channel without one is not limited.
pub struct Gates {
    gates: Mutex<BTreeMap<ChannelKind, Gate>>,
    telemetry: Arc<Telemetry>,
}

#[derive(Default)]
struct Gate {
    breaker: Breaker,
    pace: Option<Pace>,
}

impl Gates {
    pub fn new(telemetry: Arc<Telemetry>) -> Self {
        Self { gates: Mutex::default(), telemetry }
    }

    /// Limits each channel from now on.
    pub fn limit(&self, per_minute: &BTreeMap<ChannelKind, u32>) {
        for (kind, limit) in per_minute {
            self.gates().entry(*kind).or_default().pace = Some(Pace::new(*limit));
        }
    }

    /// Returns how many of `wanted` attempts may begin on `kind`.
    pub fn room(&self, kind: ChannelKind, wanted: usize, now: DateTime<Utc>) -> usize {
        let mut gates = self.gates();
        let gate = gates.entry(kind).or_default();
        let room = gate.breaker.room(wanted, now);
        gate.pace.as_ref().map_or(room, |pace| pace.room(room, now))
    }

    /// Notes that `count` attempts begin. Returns true if it is a single probe.
    pub fn begin(&self, kind: ChannelKind, count: usize, now: DateTime<Utc>) -> bool {
        let mut gates = self.gates();
        let gate = gates.entry(kind).or_default();
        if let Some(pace) = &mut gate.pace {
            pace.took(count, now);
        }
        count > 0 && gate.breaker.begin()
    }

    /// Returns when to try a gate that lets nothing through now; `Some(None)` means once an attempt has ended.
    pub fn shut_until(&self, kind: ChannelKind, now: DateTime<Utc>) -> Option<Option<DateTime<Utc>>> {
        let mut gates = self.gates();
        let gate = gates.entry(kind).or_default();
        if gate.breaker.room(1, now) == 0 {
            return Some(gate.breaker.next_probe());
        }
        let pace = gate.pace.as_ref().filter(|pace| pace.room(1, now) == 0)?;
        Some(Some(pace.next_at()))
    }

    /// Returns how long `kind` has been out of order, if its breaker is open and no probe is due.
    pub fn out_for(&self, kind: ChannelKind, now: DateTime<Utc>) -> Option<TimeDelta> {
        let gates = self.gates();
        let breaker = &gates.get(&kind)?.breaker;
        breaker.out_for(now).filter(|_| breaker.room(1, now) == 0)
    }

    /// Notes that an attempt on `kind` has ended. Returns true if the channel is out of order.
    pub fn heard(
        &self,
        kind: ChannelKind,
        result: &Result<Receipt, SendError>,
        is_probe: bool,
        now: DateTime<Utc>,
    ) -> bool {
        let heard = match result {
            Err(SendError::Unavailable { outage: true, retry_after, .. }) => {
                Heard::Outage { retry_after: *retry_after }
            }
            _ => Heard::Answer,
        };
        let (change, is_open) = {
            let mut gates = self.gates();
            let breaker = &mut gates.entry(kind).or_default().breaker;
            (breaker.heard(heard, is_probe, now), breaker.is_open())
        };
        if let Some(change) = change {
            self.tell(kind, change, result);
        }
        is_open
    }

    /// Notes that an attempt on `kind` has ended without a result.
    pub fn lost(&self, kind: ChannelKind) {
        self.gates().entry(kind).or_default().breaker.lost();
    }

    fn tell(&self, kind: ChannelKind, change: Change, result: &Result<Receipt, SendError>) {
        let channel = kind.as_str();
        let open = matches!(change, Change::Opened);
        self.telemetry.channel_open.get_or_create(&ChannelLabels { channel }).set(i64::from(open));
        match (change, result) {
            (Change::Closed { after }, _) => {
                info!(channel, "channel {channel} takes messages again, after {}", words(after));
            }
            (Change::Opened, Err(error)) => {
                warn!(
                    channel,
                    "channel {channel} is out of order: {error}; its messages wait and are tried one at a time"
                );
            }
            (Change::Opened, Ok(_)) => {}
        }
    }

    fn gates(&self) -> MutexGuard<'_, BTreeMap<ChannelKind, Gate>> {
        self.gates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
