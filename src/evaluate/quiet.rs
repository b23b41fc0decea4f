//! Which tickets need no look: nothing about them is new, and by itself nothing
//! changes before a known moment.
//!
//! A large desk has ten thousand open tickets, of which a handful change
//! between two turns; looking at all of them each time would keep the one that
//! has just breached waiting. What is kept here is when to look again, never
//! what to tell: after a restart, after a failure, under other rules or on a
//! clock that was set back, every ticket is looked at.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::sla::clock::Clocks;
use crate::sla::desk::Desk;
use crate::ticket::watch::Watched;

/// Every ticket is looked at this often, so that nothing hangs on a single wake-up. In
/// seconds; each has a number of its own between the two, so that they do not come all at once.
const LOOK_AFTER: std::ops::RangeInclusive<i64> = 30..=60;

/// What a look at a ticket showed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// When a standing changes next by the passing of time.
    pub next_change: Option<DateTime<Utc>>,
}

struct Still {
    /// As it was looked at. While we hold it, no other ticket can have its address.
    watched: Arc<Watched>,
    /// What its story comes to: nothing of that changes by time alone.
    clocks: Clocks,
    look: Look,
    until: DateTime<Utc>,
}

/// The tickets of one tenant that need no look.
#[derive(Default)]
pub struct Quiet {
    /// By address: a ticket that was read anew has another one.
    tickets: HashMap<usize, Still>,
    rules: Option<Arc<Desk>>,
    now: DateTime<Utc>,
}

impl Quiet {
    /// Begins a turn at `now` by the rules of `desk`.
    pub fn begin(&mut self, desk: &Arc<Desk>, now: DateTime<Utc>) {
        let same_rules = self.rules.as_ref().is_some_and(|known| Arc::ptr_eq(known, desk));
        if !same_rules || now < self.now {
            self.tickets.clear();
        }
        self.rules = Some(desk.clone());
        self.now = now;
    }

    /// What a look at `watched` would show, if that is known.
    pub fn look(&self, watched: &Arc<Watched>) -> Option<Look> {
        let still = self.tickets.get(&Arc::as_ptr(watched).addr())?;
        (self.now < still.until).then_some(still.look)
    }

    /// What the story of `watched` comes to by the rules of `desk`, walked only if the ticket or the rules are new.
    pub fn clocks(&self, watched: &Arc<Watched>, desk: &Desk) -> Clocks {
        let known = self.tickets.get(&Arc::as_ptr(watched).addr()).map(|still| still.clocks);
        known.unwrap_or_else(|| Clocks::of(watched, desk))
    }

    /// Remembers that a look at `watched` called for nothing.
    pub fn keep(&mut self, watched: &Arc<Watched>, clocks: Clocks, look: Look) {
        let latest = self.now + TimeDelta::seconds(fastrand::i64(LOOK_AFTER));
        let until = look.next_change.map_or(latest, |change| change.min(latest));
        let still = Still { watched: watched.clone(), clocks, look, until };
        self.tickets.insert(Arc::as_ptr(watched).addr(), still);
    }

    /// Lets go of tickets that nobody else holds any more, once they are as many as the `open` ones.
    pub fn tidy(&mut self, open: usize) {
        if self.tickets.len() > 2 * open {
            self.tickets.retain(|_, still| Arc::strong_count(&still.watched) > 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sla::desk::{DeskRules, Warn};
    use crate::ticket::tests::sample;
    use crate::ticket::watch::Bounds;
    use crate::ticket::{Directory, StatusWords, TenantId};

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    fn desk() -> Arc<Desk> {
        let rules = DeskRules {
            tenant: TenantId::parse("acme").unwrap(),
            words: StatusWords::default(),
            site_hours: false,
            msp: None,
            holiday_lists: Default::default(),
            policies: Vec::new(),
            warn: Warn::default(),
            automation_answers: true,
        };
        Arc::new(Desk::new(rules, &Directory::default()))
    }

    fn ticket() -> Arc<Watched> {
        Arc::new(Watched::new(sample("7"), Bounds { earliest: at(0), latest: at(0) }))
    }

    /// A ticket kept at second 100 that changes at second 110.
    fn kept(desk: &Arc<Desk>, watched: &Arc<Watched>) -> Quiet {
        let mut quiet = Quiet::default();
        quiet.begin(desk, at(100));
        quiet.keep(watched, Clocks::of(watched, desk), Look { next_change: Some(at(110)) });
        quiet
    }

    #[test]
    fn a_ticket_is_looked_at_again_when_its_standing_can_have_changed() {
        let (desk, watched) = (desk(), ticket());
        let cases = [
            ("at once", at(100), true),
            ("just before the change", at(109), true),
            ("at the change", at(110), false),
            ("the clock was set back", at(99), false),
        ];
        for (name, now, expected) in cases {
            let mut quiet = kept(&desk, &watched);
            quiet.begin(&desk, now);
            assert_eq!(quiet.look(&watched).is_some(), expected, "{name}");
        }
    }

    #[test]
    fn a_ticket_that_was_read_anew_is_looked_at() {
        let (desk, watched) = (desk(), ticket());
        let quiet = kept(&desk, &watched);
        assert_eq!(quiet.look(&Arc::new(Watched::clone(&watched))), None);
    }

    #[test]
    fn other_rules_make_every_ticket_worth_a_look() {
        let watched = ticket();
        let mut quiet = kept(&desk(), &watched);
        quiet.begin(&desk(), at(101));
        assert_eq!(quiet.look(&watched), None);
    }

    #[test]
    fn a_ticket_that_never_changes_is_looked_at_each_minute_all_the_same() {
        let (desk, watched) = (desk(), ticket());
        let mut quiet = Quiet::default();
        quiet.begin(&desk, at(0));
        quiet.keep(&watched, Clocks::of(&watched, &desk), Look::default());
        for (second, expected) in [(29, true), (60, false)] {
            quiet.begin(&desk, at(second));
            assert_eq!(quiet.look(&watched).is_some(), expected, "{second}");
        }
    }

    #[test]
    fn tickets_that_were_replaced_are_let_go() {
        let (desk, watched) = (desk(), ticket());
        let mut quiet = kept(&desk, &watched);
        for _ in 0..3 {
            quiet.keep(&ticket(), Clocks::of(&watched, &desk), Look::default());
        }
        quiet.tidy(1);
        assert_eq!(quiet.tickets.len(), 1);
        assert!(quiet.look(&watched).is_some());
    }
}
