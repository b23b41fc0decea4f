//! What silences and maintenance windows mean for a turn: which alerts they
//! cover, and until when.

use chrono::{DateTime, Utc};

use super::about::About;
use super::{Evaluate, TurnContext};
use crate::alert::suppression::{Suppression, covered_until};
use crate::store::alerts::{AlertRow, AlertTurn};
use crate::store::tickets::OpenTickets;

impl TurnContext<'_> {
    /// Whether nobody is to be told of it now.
    pub(super) fn is_covered(&self, about: About<'_>) -> bool {
        let subject = about.subject(self);
        self.work_until(about).is_some()
            || self.suppressions.iter().any(|suppression| suppression.covers(subject, self.now))
    }

    /// Returns until when nobody is to be told of it.
    fn covered_until(&self, about: About<'_>) -> Option<DateTime<Utc>> {
        covered_until(self.suppressions, about.subject(self), self.now).max(self.work_until(about))
    }

    /// Returns the end of announced work on it that goes on now.
    fn work_until(&self, about: About<'_>) -> Option<DateTime<Utc>> {
        match about {
            About::Ticket(_) => None,
            About::Service(service) => service.work_until,
        }
    }

    /// Returns when the next suppression or announced work ends, or the next suppression begins.
    pub(super) fn next_quiet_change(&self) -> Option<DateTime<Utc>> {
        let change =
            |suppression: &Suppression| if suppression.holds(self.now) { suppression.until } else { suppression.from };
        let changes = self.suppressions.iter().map(change).chain(self.services.next_work_end());
        changes.filter(|at| *at > self.now).min()
    }
}

impl Evaluate {
    /// Records for each open alert until when nobody is to be told of it, and releases what need not wait any more.
    ///
    /// It is kept with the alert so that everything that becomes due about it waits, including what is resumed after a
    /// pause or falls due while one of two silences ends.
    pub(super) fn cover(&mut self, context: &TurnContext<'_>, open: &OpenTickets, work: &mut AlertTurn) {
        let holds = context.suppressions.iter().any(|suppression| suppression.holds(context.now))
            || context.services.next_work_end().is_some();
        if !holds && !self.memory.has_covered(&context.tenant.id) {
            return;
        }
        for key in self.memory.open_keys(&context.tenant.id) {
            let Some((about, row)) = context.about(open, &key).zip(self.memory.get(&key)) else { continue };
            let (before, until) = (row.covered_until, context.covered_until(about));
            if before == until {
                continue;
            }
            let row = AlertRow { covered_until: until, ..row.clone() };
            let from = until.unwrap_or(context.now);
            work.let_go.extend(before.filter(|before| from < *before).map(|before| (key, before, from)));
            work.alerts.push(self.memory.put(row));
        }
    }
}
