//! Finds the tickets that need no look: nothing about them is new, and nothing
//! changes by time alone before a known moment.
//!
//! A large desk has ten thousand open tickets, of which a handful change between
//! two turns; looking at all of them each time would delay the one that has just
//! breached. So a turn goes through all of them only when sync has brought
//! something, and once a second; otherwise it takes those whose moment has come.
//! Only when to look again is kept here, never what to tell: after a restart or a
//! failure, under other rules, or if the system clock was set back, every ticket is
//! looked at.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::moments::Moments;
use crate::sla::clock::Clocks;
use crate::sla::tenant_rules::TenantRules;
use crate::store::tickets::OpenTickets;
use crate::ticket::TicketId;
use crate::ticket::watch::Watched;

/// How often all tickets are gone through at least while there are turns.
const PASS_AFTER: TimeDelta = TimeDelta::seconds(1);

/// How many closed tickets may be kept, besides an eighth of the open ones, before they are removed.
const FEW: usize = 100;

/// How often every ticket is looked at, in seconds, so that nothing depends on a single
/// wake-up. Each gets a random number in the range, so that they do not come all at once.
const LOOK_AFTER: std::ops::RangeInclusive<i64> = 30..=60;

struct QuietTicket {
    /// The ticket as it was looked at.
    watched: Arc<Watched>,
    /// What its history determines; none of that changes by time alone.
    clocks: Clocks,
    /// When its standing changes next by the passing of time.
    next_change: Option<DateTime<Utc>>,
    /// Until when it needs no look; none if the last look called for something, so the next turn looks again.
    until: Option<DateTime<Utc>>,
    /// The era in which it was looked at.
    era: u32,
}

/// The tickets of one tenant that need no look.
#[derive(Default)]
pub struct Quiet {
    /// Boxed: an entry is large, and half of a table's places may be free.
    tickets: HashMap<TicketId, Box<QuietTicket>>,
    /// When each ticket changes by the passing of time.
    changes: Moments<TicketId>,
    /// Tickets whose last look called for something.
    restless: Vec<TicketId>,
    /// The tickets that were gone through last, and when.
    passed: Option<(Arc<OpenTickets>, DateTime<Utc>)>,
    rules: Option<Arc<TenantRules>>,
    /// Rises with other rules or if the system clock is set back: results of earlier eras no longer hold. They are not
    /// removed but overwritten in place, since nearly all tickets are found again.
    era: u32,
    /// Whether the era began with this turn, so that nothing that is kept holds.
    is_new_era: bool,
    now: DateTime<Utc>,
}

impl Quiet {
    /// Begins a turn at `now` by `rules`.
    pub fn begin(&mut self, rules: &Arc<TenantRules>, now: DateTime<Utc>) {
        let same_rules = self.rules.as_ref().is_some_and(|known| Arc::ptr_eq(known, rules));
        self.is_new_era = !same_rules || now < self.now;
        if self.is_new_era {
            self.era += 1;
            self.passed = None;
        }
        self.rules = Some(rules.clone());
        self.now = now;
    }

    /// Returns which of the `open` tickets to look at; those with these ids in any case.
    pub fn due<'o, 'a>(
        &mut self,
        open: &'o Arc<OpenTickets>,
        ids: impl Iterator<Item = &'a TicketId>,
    ) -> Vec<&'o Arc<Watched>> {
        let asked: BTreeSet<TicketId> = ids.cloned().collect();
        let passed = self.passed.as_ref();
        if passed.is_some_and(|(known, at)| Arc::ptr_eq(known, open) && self.now - *at < PASS_AFTER) {
            self.due_since(open, asked)
        } else {
            self.due_of_all(open, &asked)
        }
    }

    /// Goes through all tickets.
    fn due_of_all<'o>(&mut self, open: &'o Arc<OpenTickets>, asked: &BTreeSet<TicketId>) -> Vec<&'o Arc<Watched>> {
        self.restless.clear();
        self.passed = Some((open.clone(), self.now));
        let is_due = |(id, watched): &(&TicketId, &Arc<Watched>)| {
            self.is_new_era || !self.needs_no_look(watched) || asked.contains(*id)
        };
        open.iter().filter(is_due).map(|(_, watched)| watched).collect()
    }

    /// Takes the tickets whose moment has come since all were gone through, the restless ones, and those `asked` for.
    fn due_since<'o>(&mut self, open: &'o OpenTickets, mut asked: BTreeSet<TicketId>) -> Vec<&'o Arc<Watched>> {
        let come = self.changes.until(self.now).cloned();
        asked.extend(come.chain(self.restless.drain(..)));
        asked.iter().filter_map(|id| open.get(id)).collect()
    }

    /// Returns what is kept of `watched`, unless it was read again since or the era is over.
    fn still(&self, watched: &Arc<Watched>) -> Option<&QuietTicket> {
        let still = self.tickets.get(&watched.ticket.id)?;
        (still.era == self.era && Arc::ptr_eq(&still.watched, watched)).then_some(still)
    }

    fn needs_no_look(&self, watched: &Arc<Watched>) -> bool {
        self.still(watched).and_then(|still| still.until).is_some_and(|until| self.now < until)
    }

    /// Returns what the history of `watched` determines by `rules`; walks it only if the ticket or the rules are new.
    pub fn clocks(&self, watched: &Arc<Watched>, rules: &TenantRules) -> Clocks {
        let still = if self.is_new_era { None } else { self.still(watched) };
        still.map_or_else(|| Clocks::of(watched, rules), |still| still.clocks)
    }

    /// Remembers a look at `watched`, whose standing changes next at `next_change`; `calm`: it called for nothing.
    pub fn keep(&mut self, watched: &Arc<Watched>, clocks: Clocks, next_change: Option<DateTime<Utc>>, calm: bool) {
        let id = &watched.ticket.id;
        let latest = self.now + TimeDelta::seconds(fastrand::i64(LOOK_AFTER));
        let until = calm.then(|| next_change.map_or(latest, |change| change.min(latest)));
        self.restless.extend((!calm).then(|| id.clone()));
        let era = self.era;
        let before = match self.tickets.get_mut(id) {
            Some(known) => {
                if !Arc::ptr_eq(&known.watched, watched) {
                    known.watched = watched.clone();
                }
                (known.clocks, known.until, known.era) = (clocks, until, era);
                std::mem::replace(&mut known.next_change, next_change)
            }
            None => {
                let still = QuietTicket { watched: watched.clone(), clocks, next_change, until, era };
                self.tickets.insert(id.clone(), Box::new(still));
                None
            }
        };
        if before != next_change {
            if let Some(at) = before {
                self.changes.remove(at, id.clone());
            }
            if let Some(at) = next_change {
                self.changes.insert(at, id.clone());
            }
        }
    }

    /// Returns when the standing of any ticket changes next by the passing of time.
    pub fn next_change(&self) -> Option<DateTime<Utc>> {
        self.changes.next_after(self.now)
    }

    /// Removes tickets that are no longer `open`, once there are many of them.
    pub fn tidy(&mut self, open: &OpenTickets) {
        if self.tickets.len() > open.len() + open.len() / 8 + FEW {
            self.tickets.retain(|id, _| open.contains_key(id));
            self.changes.retain(|id| open.contains_key(id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sla::tenant_rules::RulesConfig;
    use crate::ticket::tests::sample;
    use crate::ticket::watch::Bounds;
    use crate::ticket::{Directory, TenantId};

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    fn rules() -> Arc<TenantRules> {
        let rules = RulesConfig::bare(TenantId::parse("acme").unwrap());
        Arc::new(TenantRules::new(rules, &Directory::default()))
    }

    fn ticket() -> Arc<Watched> {
        Arc::new(Watched::new(sample("7"), Bounds { earliest: at(0), latest: at(0) }))
    }

    /// Returns a ticket kept at second 100 that changes at second 110.
    fn kept(rules: &Arc<TenantRules>, watched: &Arc<Watched>) -> Quiet {
        let mut quiet = Quiet::default();
        quiet.begin(rules, at(100));
        quiet.keep(watched, Clocks::of(watched, rules), Some(at(110)), true);
        quiet
    }

    #[test]
    fn a_ticket_is_looked_at_again_when_its_standing_can_have_changed() {
        let (rules, watched) = (rules(), ticket());
        let cases = [
            ("at once", at(100), true),
            ("just before the change", at(109), true),
            ("at the change", at(110), false),
            ("the clock was set back", at(99), false),
        ];
        for (name, now, expected) in cases {
            let mut quiet = kept(&rules, &watched);
            quiet.begin(&rules, now);
            assert_eq!(quiet.needs_no_look(&watched), expected, "{name}");
        }
    }

    #[test]
    fn a_ticket_that_was_read_anew_is_looked_at() {
        let (rules, watched) = (rules(), ticket());
        let quiet = kept(&rules, &watched);
        assert!(!quiet.needs_no_look(&Arc::new(Watched::clone(&watched))));
    }

    #[test]
    fn other_rules_make_every_ticket_worth_a_look() {
        let watched = ticket();
        let mut quiet = kept(&rules(), &watched);
        quiet.begin(&rules(), at(101));
        assert!(!quiet.needs_no_look(&watched));
    }

    #[test]
    fn what_changes_next_by_other_rules_takes_the_place_of_what_did_before() {
        let watched = ticket();
        let mut quiet = kept(&rules(), &watched);
        let others = rules();
        quiet.begin(&others, at(101));
        quiet.keep(&watched, Clocks::of(&watched, &others), Some(at(130)), true);
        assert_eq!((quiet.needs_no_look(&watched), quiet.next_change()), (true, Some(at(130))));
    }

    #[test]
    fn a_ticket_that_never_changes_is_looked_at_each_minute_all_the_same() {
        let (rules, watched) = (rules(), ticket());
        let mut quiet = Quiet::default();
        quiet.begin(&rules, at(0));
        quiet.keep(&watched, Clocks::of(&watched, &rules), None, true);
        for (second, expected) in [(29, true), (60, false)] {
            quiet.begin(&rules, at(second));
            assert_eq!(quiet.needs_no_look(&watched), expected, "{second}");
        }
    }

    #[test]
    fn tickets_that_were_read_anew_or_closed_are_let_go() {
        let (rules, watched) = (rules(), ticket());
        let mut quiet = kept(&rules, &watched);
        quiet.keep(&ticket(), Clocks::of(&watched, &rules), Some(at(110)), true);
        assert_eq!(Arc::strong_count(&watched), 1, "only what was read last is kept");
        for nth in 0..FEW + 2 {
            let closed =
                Arc::new(Watched::new(sample(&format!("closed {nth}")), Bounds { earliest: at(0), latest: at(0) }));
            quiet.keep(&closed, Clocks::of(&watched, &rules), Some(at(109)), true);
        }
        let late = Arc::new(Watched::new(sample("8"), Bounds { earliest: at(0), latest: at(0) }));
        quiet.tidy(&open([&watched, &late]));
        assert_eq!((quiet.tickets.len(), quiet.next_change()), (1, Some(at(110))));
    }

    /// Returns these tickets as the open ones.
    fn open(tickets: [&Arc<Watched>; 2]) -> Arc<OpenTickets> {
        Arc::new(tickets.map(|watched| (watched.ticket.id.clone(), watched.clone())).into())
    }

    #[test]
    fn between_two_passes_only_those_are_looked_at_whose_moment_has_come() {
        let (rules, early) = (rules(), ticket());
        let late = Arc::new(Watched::new(sample("8"), Bounds { earliest: at(0), latest: at(0) }));
        let open = open([&early, &late]);
        let none = || [].iter();
        let mut quiet = Quiet::default();
        let look = |quiet: &mut Quiet, watched: &Arc<Watched>, change, calm| {
            quiet.keep(watched, Clocks::of(watched, &rules), change, calm);
        };
        quiet.begin(&rules, at(100));
        assert_eq!(quiet.due(&open, none()).len(), 2, "all the first time");
        look(&mut quiet, &early, Some(at(100)), false);
        look(&mut quiet, &late, Some(at(101)), true);
        assert_eq!(quiet.due(&open, none()), [&early], "its moment has come");
        look(&mut quiet, &early, Some(at(200)), false);
        assert_eq!(quiet.due(&open, none()), [&early], "its last look called for something");
        look(&mut quiet, &early, Some(at(200)), true);
        assert_eq!((quiet.due(&open, none()), quiet.next_change()), (Vec::new(), Some(at(101))));
        assert_eq!(quiet.due(&open, std::iter::once(&late.ticket.id)), [&late], "asked for");
        look(&mut quiet, &late, Some(at(101)), true);
        quiet.begin(&rules, at(101));
        assert_eq!(quiet.due(&open, none()), [&late], "all are gone through, and its moment has come");
    }
}
