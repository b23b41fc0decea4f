//! When a group that can do without some of its members was degraded though none of them was out.
//!
//! Such a group is degraded when a member is down, which is a partial outage, and just as well when a member or a check
//! of its own is merely degraded, as by slow answers, which is none.

use std::collections::BTreeSet;

use super::{Book, DEEPEST};
use crate::uptime::availability::Circumstances;
use crate::uptime::combine::Needs;
use crate::uptime::incident::Announcements;
use crate::uptime::intervals::Interval;
use crate::uptime::{Condition, Millis};

impl Book {
    /// Returns what the figures of the component `id` depend on besides how it stood.
    pub fn circumstances_of(&self, id: &str, announcements: &Announcements) -> Circumstances {
        let group = self.place_of_group(id);
        let group = group.filter(|place| matches!(self.components[*place].plan.needs, Needs::AtLeast(_)));
        let slow = group.map(|place| self.slow_times(place)).unwrap_or_default();
        Circumstances { windows: self.windows_of(id, announcements), slow }
    }

    fn slow_times(&self, place: usize) -> Vec<Interval> {
        let mut involved = BTreeSet::from([place]);
        self.collect_below(place, DEEPEST, &mut involved);
        let involved = involved.iter().map(|one| &self.components[*one]);
        let lines = involved.flat_map(|one| {
            let checks = one.checks.iter().map(move |check| &self.checks[*check].line);
            checks.chain([&one.line])
        });
        let changes: BTreeSet<Millis> = lines.flat_map(|line| line.spans()).map(|span| span.from).collect();
        let degraded = self.components[place].line.spans().iter().filter(|span| span.condition == Condition::Degraded);
        let mut slow = Vec::new();
        for span in degraded {
            let until = span.until.unwrap_or(Millis::MAX);
            let moments = changes.range(span.from..).copied().take_while(|at| *at < until).chain([until]);
            let moments: Vec<Millis> = moments.collect();
            let parts = moments.windows(2).map(|two| (two[0], two[1]));
            slow.extend(parts.filter(|(from, _)| !self.is_partial(place, *from, DEEPEST)));
        }
        slow
    }

    /// Whether the group at `place`, which is degraded at `at`, is so because a member is out, or is in a partial
    /// outage itself. What nothing explains any more, as when a member was taken out since, counts as that.
    fn is_partial(&self, place: usize, at: Millis, depth: usize) -> bool {
        let entry = &self.components[place];
        let Some(depth) = depth.checked_sub(1) else { return true };
        let mut is_slow = self.own_checks_at(entry, at) == Condition::Degraded;
        for member in entry.members.iter().copied() {
            match self.components[member].line.at(at) {
                Condition::Down => return true,
                Condition::Degraded => {
                    let is_group = !self.components[member].members.is_empty();
                    if is_group && self.is_partial(member, at, depth) {
                        return true;
                    }
                    is_slow = true;
                }
                Condition::Up | Condition::Unknown => {}
            }
        }
        !is_slow
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{book, see};
    use super::*;
    use crate::uptime::SECOND;
    use Condition::{Degraded, Down, Up};

    /// When the group called `id` was degraded though none of its members was out, in seconds; -1 is for ever.
    fn slow(book: &Book, id: &str) -> Vec<(i64, i64)> {
        let second = |at: Millis| if at == Millis::MAX { -1 } else { at / SECOND };
        let slow = book.circumstances_of(id, &Announcements::default()).slow;
        slow.into_iter().map(|(from, until)| (second(from), second(until))).collect()
    }

    #[test]
    fn a_group_with_a_slow_member_is_in_no_partial_outage_until_a_member_is_down() {
        // Checks 0 and 1 are of the left one, 2 is of the right one.
        let mut book = book();
        (0..3).for_each(|check| drop(see(&mut book, check, 1, Up)));
        see(&mut book, 0, 10, Degraded);
        assert_eq!(slow(&book, "pair"), [(10, -1)]);
        see(&mut book, 2, 20, Down);
        assert_eq!(slow(&book, "pair"), [(10, 20)], "the other is out");
        see(&mut book, 2, 30, Up);
        see(&mut book, 0, 40, Up);
        assert_eq!(slow(&book, "pair"), [(10, 20), (30, 40)]);
        assert_eq!(slow(&book, "everything"), [], "it needs all of its members");
    }

    #[test]
    fn what_was_lost_to_a_member_that_is_gone_stays_a_partial_outage() {
        let mut book = book();
        (0..3).for_each(|check| drop(see(&mut book, check, 1, Up)));
        see(&mut book, 0, 10, Down);
        see(&mut book, 0, 20, Up);
        book.components[0].members.remove(0);
        assert_eq!(slow(&book, "pair"), []);
    }
}
