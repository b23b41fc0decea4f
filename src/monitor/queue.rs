//! Which of the checks that are due are looked at next.
//!
//! A look at a service that hangs keeps its place until its deadline. So looks at services that fail get half of the
//! places at the most, and wait behind all others: what is well is looked at in time, however much else hangs.

use std::collections::{HashMap, VecDeque};

use crate::probe::spec::AT_ONE_HOST;
use crate::uptime::Millis;
use crate::uptime::observe::CheckState;

/// How soon a check is looked at if not all can be at once, the soonest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// It was well when it was last looked at.
    Well,
    /// Another look may change how it stands.
    InDoubt,
    /// It is known to be bad.
    Bad,
}

impl Rank {
    pub fn of(state: &CheckState) -> Self {
        match (state.fails(), &state.doubt) {
            (false, _) => Self::Well,
            (true, Some(_)) => Self::InDoubt,
            (true, None) => Self::Bad,
        }
    }
}

/// A check that is due.
#[derive(Clone, Debug)]
pub struct Due {
    pub check: usize,
    /// Since when it is due.
    pub at: Millis,
    pub host: String,
    pub rank: Rank,
}

/// The checks that are due, and the places for looks.
pub struct Queue {
    places: usize,
    /// By rank.
    waiting: [VecDeque<Due>; 3],
    /// How many places are taken, and how many of them for what fails.
    taken: usize,
    taken_by_failing: usize,
    hosts: HashMap<String, usize>,
}

impl Queue {
    /// Creates a queue before so many `places`.
    pub fn before(places: usize) -> Self {
        Self { places, waiting: Default::default(), taken: 0, taken_by_failing: 0, hosts: HashMap::new() }
    }

    /// Lets a check wait for a place.
    pub fn add(&mut self, due: Due) {
        let [well, in_doubt, bad] = &mut self.waiting;
        match due.rank {
            Rank::Well => well.push_back(due),
            Rank::InDoubt => in_doubt.push_back(due),
            Rank::Bad => bad.push_back(due),
        }
    }

    /// Gives a place to the next check that may have one.
    pub fn begin(&mut self) -> Option<Due> {
        if self.taken >= self.places {
            return None;
        }
        // Those that are well come first, and the others only while they have less than half.
        let ranks = if self.taken_by_failing < self.places / 2 { 3 } else { 1 };
        let hosts = &self.hosts;
        let is_free = |due: &Due| hosts.get(&due.host).is_none_or(|looks| *looks < AT_ONE_HOST);
        let first_of = |waiting: &mut VecDeque<Due>| {
            let place = waiting.iter().position(is_free)?;
            waiting.remove(place)
        };
        let due = self.waiting.iter_mut().take(ranks).find_map(first_of)?;
        self.taken += 1;
        self.taken_by_failing += usize::from(due.rank != Rank::Well);
        *self.hosts.entry(due.host.clone()).or_default() += 1;
        Some(due)
    }

    /// Takes back the place that `due` had.
    pub fn free(&mut self, due: &Due) {
        self.taken = self.taken.saturating_sub(1);
        self.taken_by_failing = self.taken_by_failing.saturating_sub(usize::from(due.rank != Rank::Well));
        if let Some(looks) = self.hosts.get_mut(&due.host) {
            *looks = looks.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(check: usize, rank: Rank) -> Due {
        Due { check, at: 0, host: check.to_string(), rank }
    }

    /// Gives away all places that can be had, and returns whose they are.
    fn begun(queue: &mut Queue) -> Vec<usize> {
        std::iter::from_fn(|| queue.begin()).map(|due| due.check).collect()
    }

    #[test]
    fn however_much_hangs_what_is_well_is_looked_at_at_once_and_a_doubt_is_looked_into_before_the_rest() {
        let mut queue = Queue::before(8);
        (0..100).for_each(|check| queue.add(due(check, Rank::Bad)));
        assert_eq!(begun(&mut queue), [0, 1, 2, 3], "half of the places");
        queue.add(due(200, Rank::InDoubt));
        (300..306).for_each(|check| queue.add(due(check, Rank::Well)));
        assert_eq!(begun(&mut queue), [300, 301, 302, 303]);
        queue.free(&due(0, Rank::Bad));
        assert_eq!(begun(&mut queue), [304], "whoever leaves, what is well comes first");
        queue.free(&due(300, Rank::Well));
        queue.free(&due(301, Rank::Well));
        assert_eq!(begun(&mut queue), [305, 200]);
    }

    #[test]
    fn one_host_is_asked_by_two_looks_at_a_time_and_the_others_need_not_wait_for_it() {
        let mut queue = Queue::before(8);
        let at = |host: &str, check| Due { host: host.to_owned(), ..due(check, Rank::Well) };
        for check in 0..4 {
            queue.add(at("shop", check));
        }
        queue.add(at("mail", 4));
        assert_eq!(begun(&mut queue), [0, 1, 4]);
        queue.free(&at("shop", 0));
        assert_eq!(begun(&mut queue), [2]);
    }
}
