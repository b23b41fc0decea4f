//! How announced work on members affects the groups that they are in.
//!
//! Work on a service is not work on its groups: these may still work, and have to. But what a group would not have lost
//! if the members under work had been up, it lost to that work: that is maintenance of the group just as of the member,
//! and is announced only if it outlasts the work. Work on a group is not work on its members.

use std::collections::BTreeSet;

use super::{Book, ComponentEntry, DEEPEST};
use crate::uptime::availability::Window;
use crate::uptime::incident::Announcements;
use crate::uptime::{Condition, Millis};

/// Work on a member that is not up.
#[derive(Clone, Copy)]
struct Excuse {
    /// How long before its beginning the work was announced.
    notice: Millis,
    until: Millis,
}

impl Book {
    /// Returns when the component `id` was or will be worked on; for a group, also when it was not up only because
    /// members were worked on. Each such time counts as announced as long before it began as the work that explains it,
    /// and of several works the one with the shortest notice.
    pub fn windows_of(&self, id: &str, announcements: &Announcements) -> Vec<Window> {
        let mut windows = announcements.windows_of(id);
        if let Some(place) = self.place_of_group(id) {
            windows.extend(self.windows_by_members(place, announcements));
        }
        windows
    }

    /// Returns until when the component `id` is worked on, or those members whose work alone explains its condition.
    /// `None` if that is not so at `now`.
    pub fn worked_on_until(&self, id: &str, announcements: &Announcements, now: Millis) -> Option<Millis> {
        let own = announcements.worked_on_until(id, now);
        own.or_else(|| {
            let excuses = self.excuses(self.place_of_group(id)?, announcements, now)?;
            excuses.iter().map(|excuse| excuse.until).min()
        })
    }

    pub(super) fn place_of_group(&self, id: &str) -> Option<usize> {
        self.components.iter().position(|one| one.plan.id == id && !one.members.is_empty())
    }

    fn windows_by_members(&self, place: usize, announcements: &Announcements) -> Vec<Window> {
        let mut below = BTreeSet::new();
        self.collect_below(place, DEEPEST, &mut below);
        let works = below.iter().flat_map(|member| announcements.windows_of(&self.components[*member].plan.id));
        let works: Vec<Window> = works.collect();
        let mut moments: BTreeSet<Millis> = works.iter().flat_map(|work| [work.from, work.until]).collect();
        let lines = below.iter().chain([&place]).map(|one| &self.components[*one].line);
        let changes = lines.flat_map(|line| line.spans()).map(|span| span.from);
        let is_within = |at: &Millis| works.iter().any(|work| work.from <= *at && *at < work.until);
        moments.extend(changes.filter(is_within));
        let moments: Vec<Millis> = moments.into_iter().collect();
        let window = |two: &[Millis]| {
            let notice = self.excuses(place, announcements, two[0])?.iter().map(|excuse| excuse.notice).min()?;
            Some(Window { from: two[0], until: two[1], announced_at: two[0] - notice })
        };
        moments.windows(2).filter_map(window).collect()
    }

    pub(super) fn collect_below(&self, place: usize, depth: usize, below: &mut BTreeSet<usize>) {
        let Some(depth) = depth.checked_sub(1) else { return };
        for member in self.components[place].members.iter().copied() {
            below.insert(member);
            self.collect_below(member, depth, below);
        }
    }

    /// Returns the work on members that explains why the group at `place` is not well at `at`. `None` if it is well, or
    /// would be failing anyway.
    fn excuses(&self, place: usize, announcements: &Announcements, at: Millis) -> Option<Vec<Excuse>> {
        let is_failing = self.components[place].line.at(at) >= Condition::Degraded;
        let mut excuses = Vec::new();
        let without =
            is_failing.then(|| self.without_work_on_members(place, announcements, at, DEEPEST, &mut excuses))?;
        (without < Condition::Degraded && !excuses.is_empty()).then_some(excuses)
    }

    /// Returns how the group at `place` would stand at `at` if its members under work were up.
    fn without_work_on_members(
        &self,
        place: usize,
        announcements: &Announcements,
        at: Millis,
        depth: usize,
        excuses: &mut Vec<Excuse>,
    ) -> Condition {
        let entry = &self.components[place];
        let Some(depth) = depth.checked_sub(1).filter(|_| !entry.members.is_empty()) else { return entry.line.at(at) };
        let member = |member: &usize| self.member_without_work(*member, announcements, at, depth, excuses);
        let members: Vec<Condition> = entry.members.iter().map(member).collect();
        entry.plan.needs.judge(&members).max(self.own_checks_at(entry, at))
    }

    fn member_without_work(
        &self,
        place: usize,
        announcements: &Announcements,
        at: Millis,
        depth: usize,
        excuses: &mut Vec<Excuse>,
    ) -> Condition {
        let entry = &self.components[place];
        let condition = entry.line.at(at);
        if condition == Condition::Up {
            return condition;
        }
        let works = announcements.windows_of(&entry.plan.id).into_iter();
        let works = works.filter(|work| work.from <= at && at < work.until);
        // Of several works, the longest notice counts.
        let excuse = works.map(|work| Excuse { notice: work.from - work.announced_at, until: work.until });
        let excuse = excuse
            .reduce(|one, other| Excuse { notice: one.notice.max(other.notice), until: one.until.max(other.until) });
        match excuse {
            Some(excuse) => {
                excuses.push(excuse);
                Condition::Up
            }
            None => self.without_work_on_members(place, announcements, at, depth, excuses),
        }
    }

    /// Returns the worst condition of a group's own checks; up if it has none.
    pub(super) fn own_checks_at(&self, entry: &ComponentEntry, at: Millis) -> Condition {
        let from = at - self.reach(entry);
        self.lines_of_checks(entry, from).iter().map(|line| line.at(at)).max().unwrap_or(Condition::Up)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{book, see};
    use super::*;
    use crate::uptime::SECOND;
    use crate::uptime::incident::Work;
    use Condition::{Down, Up};

    fn work(id: &str, from: i64, until: i64, announced: i64) -> Work {
        Work {
            id: id.to_owned(),
            tenant: "acme".to_owned(),
            title: "Patches".to_owned(),
            text: String::new(),
            components: vec![id.to_owned()],
            public: true,
            from: from * SECOND,
            until: until * SECOND,
            announced_at: announced * SECOND,
            changed_at: 0,
            revision: 0,
            cancelled: false,
            author: "mia".to_owned(),
        }
    }

    fn announced(works: &[Work]) -> Announcements {
        Announcements { works: works.to_vec(), ..Announcements::default() }
    }

    /// All are up from the first second on. The checks: 0 and 1 of `left`, 2 of `right`.
    fn all_up() -> Book {
        let mut book = book();
        (0..3).for_each(|check| drop(see(&mut book, check, 1, Up)));
        book
    }

    /// The windows of the component called `id`, in seconds.
    fn windows(book: &Book, id: &str, works: &[Work]) -> Vec<(i64, i64, i64)> {
        let windows = book.windows_of(id, &announced(works)).into_iter();
        windows.map(|one| (one.from / SECOND, one.until / SECOND, one.announced_at / SECOND)).collect()
    }

    #[test]
    fn what_a_group_loses_to_announced_work_on_a_member_is_maintenance_of_both() {
        let mut book = all_up();
        see(&mut book, 0, 30, Down);
        let works = [work("left", 20, 60, 5)];
        let now = 40 * SECOND;
        assert_eq!(windows(&book, "pair", &works), [(30, 60, 15)], "announced as long before, 15 seconds");
        assert_eq!(windows(&book, "everything", &works), [(30, 60, 15)], "and so it is of the group of that group");
        assert_eq!(book.worked_on_until("pair", &announced(&works), now), Some(60 * SECOND));
        assert_eq!(book.worked_on_until("everything", &announced(&works), now), Some(60 * SECOND));
        assert_eq!(book.worked_on_until("right", &announced(&works), now), None);
        assert_eq!(book.worked_on_until("pair", &announced(&works), 61 * SECOND), None, "it outlasts the work");
        see(&mut book, 0, 45, Up);
        assert_eq!(windows(&book, "pair", &works), [(30, 45, 15)]);
        assert_eq!(book.worked_on_until("pair", &announced(&works), 50 * SECOND), None, "nothing is lost");
    }

    #[test]
    fn what_fails_beside_the_work_is_no_maintenance_of_the_group() {
        let mut book = all_up();
        see(&mut book, 0, 30, Down);
        see(&mut book, 2, 40, Down);
        let works = [work("left", 20, 60, 5)];
        assert_eq!(windows(&book, "pair", &works), [(30, 40, 15)], "from then on it would be degraded without it too");
        assert_eq!(book.worked_on_until("pair", &announced(&works), 45 * SECOND), None);
        let both = [work("left", 20, 60, 5), work("right", 35, 70, 33)];
        assert_eq!(windows(&book, "pair", &both)[..2], [(30, 35, 15), (35, 40, 20)]);
        assert_eq!(windows(&book, "pair", &both)[2], (40, 60, 38), "by the work that was announced last");
        assert_eq!(book.worked_on_until("pair", &announced(&both), 45 * SECOND), Some(60 * SECOND));
    }

    proptest! {
        #[test]
        fn no_work_on_members_excuses_more_than_the_group_and_a_member_under_work_have_lost(
            looks in proptest::collection::vec((0usize..3, 1i64..20, any::<bool>()), 0..40),
            works in proptest::collection::vec((any::<bool>(), 0i64..200, 1i64..60), 0..4),
        ) {
            let mut book = all_up();
            let mut second = 1;
            for (check, gap, up) in looks {
                second += gap;
                see(&mut book, check, second, if up { Up } else { Down });
            }
            let id = |left| if left { "left" } else { "right" };
            let works: Vec<_> = works.into_iter().map(|(left, from, length)| work(id(left), from, from + length, 0)).collect();
            let line = |id: &str| book.component(id).unwrap().line.clone();
            for group in ["pair", "everything"] {
                for one in book.windows_of(group, &announced(&works)) {
                    for at in (one.from..one.until).step_by(SECOND as usize) {
                        prop_assert!(line(group).at(at) >= Condition::Degraded);
                        let excused = |work: &Work| work.from <= at && at < work.until && line(&work.components[0]).at(at) != Up;
                        prop_assert!(works.iter().any(excused), "at {at}");
                    }
                }
            }
        }
    }
}
