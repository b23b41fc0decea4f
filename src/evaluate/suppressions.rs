//! What silences and maintenance windows mean for a turn: which alerts they
//! cover, and until when.

use chrono::{DateTime, Utc};

use super::{Evaluate, Scene};
use crate::alert::suppression::{Suppression, covered_until};
use crate::store::alerts::{AlertRow, AlertTurn};
use crate::store::tickets::OpenTickets;
use crate::ticket::watch::Watched;

impl Scene<'_> {
    /// Whether nobody is to be told of `watched` now.
    pub(super) fn is_covered(&self, watched: &Watched) -> bool {
        self.suppressions.iter().any(|suppression| suppression.covers(self.subject(watched), self.now))
    }

    /// When the next suppression that holds now ends, or one that is to come begins.
    pub(super) fn next_suppression_change(&self) -> Option<DateTime<Utc>> {
        let change =
            |suppression: &Suppression| if suppression.holds(self.now) { suppression.until } else { suppression.from };
        self.suppressions.iter().map(change).filter(|at| *at > self.now).min()
    }
}

impl Evaluate {
    /// Notes of each open alert until when nobody is to be told of it, and lets go what need not wait any more.
    ///
    /// It is kept with the alert, so that whatever becomes due about it waits: also what is taken up again after a
    /// pause, or falls due while one of two silences ends.
    pub(super) fn cover(&mut self, scene: &Scene<'_>, open: &OpenTickets, work: &mut AlertTurn) {
        let holds = scene.suppressions.iter().any(|suppression| suppression.holds(scene.now));
        if !holds && !self.memory.has_covered(&scene.tenant.id) {
            return;
        }
        for key in self.memory.open_keys(&scene.tenant.id) {
            let Some((watched, row)) = key.ticket().and_then(|ticket| open.get(ticket)).zip(self.memory.get(&key))
            else {
                continue;
            };
            let (before, until) =
                (row.covered_until, covered_until(scene.suppressions, scene.subject(watched), scene.now));
            if before == until {
                continue;
            }
            let row = AlertRow { covered_until: until, ..row.clone() };
            let from = until.unwrap_or(scene.now);
            work.let_go.extend(before.filter(|before| from < *before).map(|before| (key, before, from)));
            work.alerts.push(self.memory.put(row));
        }
    }
}
