//! The state of one check, given what was seen.
//!
//! A single bad result proves little. It puts the check in doubt, and the next looks follow quickly; when enough of
//! them agree, the change counts from the first of them. Until then nothing has changed, and if a look finds the
//! service as it was before, there was a blip and no downtime. What was not looked at for too long is unknown: neither
//! up nor down.

use serde::{Deserialize, Serialize};

use super::{Condition, MINUTE, Millis, Outcome, SECOND};

/// How a check is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The time between two looks as long as nothing changes.
    pub interval: Millis,
    /// How many looks in a row must agree that it is worse.
    pub failures: u32,
    /// How many looks in a row must agree that it is better.
    pub successes: u32,
    /// How long a result holds.
    pub holds: Millis,
    /// Whether the service reports to us, and is down if it does not.
    pub silence_is_down: bool,
}

/// The waits while a check is in doubt: after the first bad look, and after each later one.
const DOUBT: [Millis; 2] = [5 * SECOND, 15 * SECOND];
/// Starts this soon after the first, or within the grace, count as one absence: an upgrade, or a service that does not
/// start at once.
const ONE_ABSENCE: Millis = 15 * MINUTE;
/// How often something that is not up is looked at.
const WHILE_DOWN: Millis = 15 * SECOND;

impl Rules {
    /// Returns the rules for a check that is made every `interval`, by looks that take `deadline` at most.
    pub fn every(interval: Millis, deadline: Millis, failures: u32, successes: u32) -> Self {
        let holds = holds(interval, deadline, deadline);
        Self { interval, failures, successes, holds, silence_is_down: false }
    }
}

/// Returns how long a result holds: until the next look but one is due and has had its `deadline`.
///
/// A look counts from when it began, and nothing is known of it before it has ended. If a round of looks at one host
/// may take longer than the interval, the next look begins only after such a `round`.
pub fn holds(interval: Millis, round: Millis, deadline: Millis) -> Millis {
    interval + interval.max(round) + deadline
}

/// A change that is not certain yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// The first look that found it changed.
    pub from: Millis,
    pub looks: u32,
    /// What all of those looks agree on at least.
    pub towards: Condition,
    pub detail: Option<String>,
}

/// The state of a check, kept from one look to the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckState {
    pub condition: Condition,
    /// Since when it has been in that condition.
    pub since: Millis,
    /// The latest look, whatever it found.
    pub last_at: Option<Millis>,
    pub doubt: Option<Doubt>,
    /// What is wrong, while something is.
    pub detail: Option<String>,
    /// How many doubts came to nothing.
    pub blips: u64,
    /// With which of its addresses the next look begins, if there are several.
    #[serde(default)]
    pub turn: u32,
    /// We were off ourselves, so a service that reports to us counts as missing only from then on; reset when it
    /// reports.
    #[serde(default)]
    pub forgiven_until: Option<Millis>,
    /// When that was first granted.
    #[serde(default)]
    pub forgiven_since: Option<Millis>,
}

/// The effect of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// From `from` on the check has another condition.
    Changed { from: Millis, to: Condition, detail: Option<String> },
    /// A doubt came to nothing.
    Blip { from: Millis, until: Millis },
}

/// Whether we can see anything at all from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connectivity {
    /// Something else that is always there answered, or nothing was asked.
    Online,
    /// Nothing answers: our own line is cut, so a doubt accuses nobody.
    Offline,
}

impl CheckState {
    /// Creates the state of a check that was never looked at.
    pub fn new(now: Millis) -> Self {
        Self {
            condition: Condition::Unknown,
            since: now,
            last_at: None,
            doubt: None,
            detail: None,
            blips: 0,
            turn: 0,
            forgiven_until: None,
            forgiven_since: None,
        }
    }

    /// Whether one more result like `verdict` makes it worse; if so, find out first whether we can see at all.
    pub fn is_about_to_fall(&self, verdict: Condition, rules: &Rules) -> bool {
        if verdict <= Condition::Unknown || verdict <= self.condition && self.condition != Condition::Unknown {
            return false;
        }
        let looks =
            self.doubt.as_ref().filter(|doubt| doubt.towards > Condition::Unknown).map_or(0, |doubt| doubt.looks);
        looks + 1 >= rules.failures
    }

    /// Whether it is not up, or its last look was bad; the next look may be as bad, and last until its deadline.
    pub fn fails(&self) -> bool {
        self.condition > Condition::Unknown || self.turn > 0
    }

    /// Processes `outcome`. A look that began before the last one processed counts as if it had begun with it, so that
    /// no time passes twice when a clock is set back.
    pub fn observe(&mut self, outcome: &Outcome, connectivity: Connectivity, rules: &Rules) -> Vec<Event> {
        let seen = outcome.at.max(self.last_at.unwrap_or(outcome.at));
        let at = seen.max(self.earliest());
        let mut events = self.expire(seen, rules);
        (self.last_at, self.forgiven_until, self.forgiven_since) = (Some(seen), None, None);
        self.turn = self.turn_after(outcome.verdict);
        if connectivity == Connectivity::Offline && outcome.verdict != Condition::Up {
            events.extend(self.go_blind(at, None));
            return events;
        }
        match outcome.verdict {
            // The look could not be made: that accuses nobody, and says nothing good either.
            Condition::Unknown => events.extend(self.go_blind(at, outcome.detail.clone())),
            verdict if verdict == self.condition => events.extend(self.stay(at, outcome)),
            // The first good look is enough after unknown time: there is nothing to recover from.
            Condition::Up if self.condition == Condition::Unknown => {
                self.doubt = None;
                events.push(self.change(at, Condition::Up, None));
            }
            verdict => events.extend(self.doubt(at, verdict, outcome, rules)),
        }
        events
    }

    /// Turns a check that was not looked at for too long to unknown, from when its last result ceased to hold.
    pub fn expire(&mut self, now: Millis, rules: &Rules) -> Vec<Event> {
        let Some(held_until) = self.last_at.map(|last| last + rules.holds) else { return Vec::new() };
        if self.condition == Condition::Unknown || now <= held_until {
            return Vec::new();
        }
        // A service that was missed stays down until it reports. In doubt, it is about to be missed once more, unless
        // it may have reported while we were off.
        let is_in_doubt = self.doubt.as_ref().is_some_and(|doubt| doubt.towards > self.condition);
        let is_missed = self.condition == Condition::Down || is_in_doubt && self.forgiven_until.is_none();
        if rules.silence_is_down && is_missed {
            return Vec::new();
        }
        // A result that was in doubt does not hold at all.
        let doubt = self.doubt.take().filter(|doubt| doubt.towards > self.condition);
        let from = doubt.map_or(held_until, |doubt| doubt.from);
        vec![self.change(from, Condition::Unknown, None)]
    }

    /// Forgives a service that may have reported while we were off, until `now`: it will report again within an
    /// interval, and is not missed before. A restart soon after the first one may have cost another report, so it
    /// starts the wait again. A later restart does not; otherwise a watch that restarts each night would never miss a
    /// daily report.
    pub fn forgive(&mut self, now: Millis, rules: &Rules, grace: Millis) {
        let since = *self.forgiven_since.get_or_insert(now);
        let until = match self.forgiven_until {
            Some(until) if now - since > ONE_ABSENCE.max(grace) => until.max(now + grace),
            _ => now + rules.interval + grace,
        };
        self.forgiven_until = Some(until);
    }

    /// Returns when to look next, after the look at `at`.
    pub fn next_look(&self, at: Millis, rules: &Rules) -> Millis {
        let soon = match &self.doubt {
            Some(doubt) => DOUBT[usize::try_from(doubt.looks).unwrap_or(1).clamp(1, 2) - 1],
            None if self.condition > Condition::Unknown => WHILE_DOWN,
            None => rules.interval,
        };
        at + soon.min(rules.interval)
    }

    /// Returns the turn after a look: that of the next address if this one was no better than what is known, and of the
    /// same one if it was, since an improvement is confirmed where it was seen. What is well is asked at the first.
    fn turn_after(&self, verdict: Condition) -> u32 {
        match verdict {
            Condition::Up if self.condition <= Condition::Unknown => 0,
            verdict if verdict < self.condition => self.turn,
            _ => self.turn.wrapping_add(1),
        }
    }

    /// Returns the earliest time from which a result may count: one from before the check was known counts from then.
    /// Only time that was unknown because nothing was told may become known.
    fn earliest(&self) -> Millis {
        match &self.doubt {
            Some(doubt) => doubt.from,
            None if self.condition == Condition::Unknown && self.last_at.is_some() => Millis::MIN,
            None => self.since,
        }
    }

    fn stay(&mut self, at: Millis, outcome: &Outcome) -> Option<Event> {
        if self.condition != Condition::Up {
            self.detail.clone_from(&outcome.detail);
        }
        let doubt = self.doubt.take()?;
        self.blips += 1;
        Some(Event::Blip { from: doubt.from, until: at })
    }

    /// Adds a look to the doubt, or begins one, and makes the change once enough looks agree.
    fn doubt(&mut self, at: Millis, verdict: Condition, outcome: &Outcome, rules: &Rules) -> Option<Event> {
        let worse = |condition: Condition| self.condition == Condition::Unknown || condition > self.condition;
        let doubt = match self.doubt.take() {
            Some(doubt) if worse(doubt.towards) == worse(verdict) => Doubt {
                looks: doubt.looks + 1,
                // Whichever is nearer to the present condition: all looks agree on at least that.
                towards: if worse(verdict) { doubt.towards.min(verdict) } else { doubt.towards.max(verdict) },
                detail: outcome.detail.clone().or(doubt.detail),
                ..doubt
            },
            _ => Doubt { from: at, looks: 1, towards: verdict, detail: outcome.detail.clone() },
        };
        let needed = if worse(verdict) { rules.failures } else { rules.successes };
        if doubt.looks < needed {
            self.doubt = Some(doubt);
            return None;
        }
        Some(self.change(doubt.from, doubt.towards, doubt.detail))
    }

    /// Makes the check unknown, for the reason `why` if there is one besides our own line being cut.
    fn go_blind(&mut self, at: Millis, why: Option<String>) -> Option<Event> {
        let from = self.doubt.take().map_or(at, |doubt| doubt.from);
        if self.condition == Condition::Unknown {
            self.detail = why;
            return None;
        }
        Some(self.change(from, Condition::Unknown, why))
    }

    fn change(&mut self, from: Millis, to: Condition, detail: Option<String>) -> Event {
        // Time that was unknown only because no report had arrived becomes known when it arrives, however late.
        let from = if self.condition == Condition::Unknown { from } else { from.max(self.since) };
        (self.condition, self.since) = (to, from);
        self.detail = detail.clone().filter(|_| to != Condition::Up);
        Event::Changed { from, to, detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Condition::{Degraded, Down, Unknown, Up};

    const RULES: Rules =
        Rules { interval: 60 * SECOND, failures: 3, successes: 2, holds: 120 * SECOND, silence_is_down: false };

    fn s(seconds: i64) -> Millis {
        seconds * SECOND
    }

    fn look(state: &mut CheckState, second: i64, verdict: Condition) -> Vec<Event> {
        let detail = (verdict != Up).then(|| verdict.to_string());
        state.observe(&Outcome { at: s(second), verdict, detail }, Connectivity::Online, &RULES)
    }

    fn up_since(second: i64) -> CheckState {
        let mut state = CheckState::new(s(second));
        look(&mut state, second, Up);
        state
    }

    /// Returns what changed, as (from, to).
    fn changes(events: &[Event]) -> Vec<(Millis, Condition)> {
        let change = |event: &Event| match event {
            Event::Changed { from, to, .. } => Some((from / SECOND, *to)),
            Event::Blip { .. } => None,
        };
        events.iter().filter_map(change).collect()
    }

    #[test]
    fn three_looks_that_agree_make_it_down_from_the_first() {
        let mut state = up_since(0);
        assert_eq!(look(&mut state, 60, Down), []);
        assert_eq!((state.condition, state.next_look(s(60), &RULES)), (Up, s(65)));
        assert_eq!(look(&mut state, 65, Down), []);
        assert_eq!(state.next_look(s(65), &RULES), s(80));
        assert!(state.is_about_to_fall(Down, &RULES));
        assert_eq!(changes(&look(&mut state, 80, Down)), [(60, Down)]);
        assert_eq!((state.since, state.next_look(s(80), &RULES)), (s(60), s(95)));
        assert_eq!(state.detail.as_deref(), Some("down"));
    }

    #[test]
    fn a_good_look_before_that_is_a_blip_and_no_downtime() {
        let mut state = up_since(0);
        look(&mut state, 60, Down);
        assert_eq!(look(&mut state, 65, Up), [Event::Blip { from: s(60), until: s(65) }]);
        assert_eq!((state.condition, state.blips, state.next_look(s(65), &RULES)), (Up, 1, s(125)));
    }

    #[test]
    fn two_good_looks_make_it_up_from_the_first() {
        let mut state = up_since(0);
        for second in [60, 65, 80] {
            look(&mut state, second, Down);
        }
        assert_eq!(look(&mut state, 95, Up), []);
        assert_eq!(state.condition, Down);
        assert_eq!(changes(&look(&mut state, 100, Up)), [(95, Up)]);
        assert_eq!(state.detail, None);
    }

    #[test]
    fn each_bad_look_is_followed_by_one_at_the_next_address_and_a_better_one_by_another_at_the_same() {
        let mut state = up_since(0);
        let mut turn_after = |second, verdict| {
            look(&mut state, second, verdict);
            state.turn
        };
        assert_eq!([(60, Down), (65, Down), (80, Down)].map(|(second, seen)| turn_after(second, seen)), [1, 2, 3]);
        assert_eq!(turn_after(95, Down), 4, "while it is down, each address has its turn");
        assert_eq!(turn_after(110, Up), 4);
        assert_eq!(turn_after(115, Up), 4, "confirmed at the address that answered");
        assert_eq!(turn_after(180, Up), 0);
        assert_eq!((turn_after(240, Down), turn_after(245, Up)), (1, 0), "after a blip too");
        let fails = [(300, Down), (305, Up), (360, Down), (365, Down), (380, Down), (395, Up), (400, Up), (460, Up)]
            .map(|(second, seen)| {
                look(&mut state, second, seen);
                state.fails()
            });
        assert_eq!(fails, [true, false, true, true, true, true, true, false]);
    }

    #[test]
    fn one_good_look_while_down_ends_nothing() {
        let mut state = up_since(0);
        for (second, verdict) in [(60, Down), (65, Down), (80, Down), (95, Up), (100, Down), (115, Up)] {
            look(&mut state, second, verdict);
        }
        assert_eq!((state.condition, state.since), (Down, s(60)));
        assert_eq!(changes(&look(&mut state, 120, Up)), [(115, Up)]);
    }

    #[test]
    fn looks_that_are_bad_in_several_ways_agree_on_the_least() {
        let mut state = up_since(0);
        look(&mut state, 60, Down);
        look(&mut state, 65, Degraded);
        assert_eq!(changes(&look(&mut state, 80, Down)), [(60, Degraded)]);
        look(&mut state, 95, Down);
        look(&mut state, 100, Down);
        assert_eq!(changes(&look(&mut state, 115, Down)), [(95, Down)], "and it can get worse from there");
        look(&mut state, 130, Degraded);
        assert_eq!(changes(&look(&mut state, 135, Up)), [(130, Degraded)], "getting better, the worst counts");
    }

    #[test]
    fn what_is_seen_for_the_first_time_is_up_at_once_and_down_after_three() {
        let mut state = CheckState::new(s(0));
        assert_eq!(changes(&look(&mut state, 0, Up)), [(0, Up)]);
        let mut state = CheckState::new(s(0));
        look(&mut state, 0, Down);
        look(&mut state, 5, Down);
        assert_eq!(changes(&look(&mut state, 20, Down)), [(0, Down)]);
    }

    #[test]
    fn what_is_told_late_was_never_unknown() {
        let mut state = up_since(0);
        assert_eq!(changes(&state.expire(s(600), &RULES)), [(120, Unknown)]);
        assert_eq!(changes(&look(&mut state, 60, Up)), [(60, Up)]);
        assert_eq!(state.expire(s(180), &RULES), []);
        assert_eq!(changes(&state.expire(s(600), &RULES)), [(180, Unknown)]);
        for second in [120, 125, 140] {
            let seen = look(&mut state, second, Down);
            assert_eq!(changes(&seen), if second == 140 { vec![(120, Down)] } else { vec![] });
        }
    }

    #[test]
    fn of_two_results_from_before_the_check_was_known_the_newer_one_counts() {
        let rules = Rules { failures: 1, successes: 1, ..RULES };
        let mut state = CheckState::new(s(600));
        let first = state.observe(&Outcome::up(s(300)), Connectivity::Online, &rules);
        assert_eq!((changes(&first), state.last_at), (vec![(600, Up)], Some(s(300))));
        let newer = state.observe(&Outcome::bad(s(330), Down, "no answer"), Connectivity::Online, &rules);
        assert_eq!((changes(&newer), state.last_at), (vec![(600, Down)], Some(s(330))));
        let mut state = CheckState::new(s(600));
        look(&mut state, 300, Down);
        assert_eq!(changes(&look(&mut state, 330, Up)), [(600, Up)], "and a doubt counts from then as well");
    }

    #[test]
    fn what_nobody_looked_at_is_unknown_once_the_last_result_no_longer_holds() {
        let mut state = up_since(0);
        assert_eq!(state.expire(s(120), &RULES), []);
        assert_eq!(changes(&state.expire(s(121), &RULES)), [(120, Unknown)]);
        assert_eq!(state.expire(s(500), &RULES), [], "it is said once");
        assert_eq!(changes(&look(&mut state, 500, Up)), [(500, Up)]);
    }

    #[test]
    fn who_is_missed_stays_so_until_it_calls_and_before_that_is_unknown() {
        let rules = Rules { failures: 1, successes: 1, silence_is_down: true, ..RULES };
        let mut state = up_since(0);
        assert_eq!(changes(&state.expire(s(600), &rules)), [(120, Unknown)]);
        let missed = state.observe(&Outcome::bad(s(700), Down, "silent"), Connectivity::Online, &rules);
        assert_eq!(changes(&missed), [(700, Down)]);
        assert_eq!(state.expire(s(7200), &rules), []);
        assert_eq!(changes(&state.observe(&Outcome::up(s(7300)), Connectivity::Online, &rules)), [(7300, Up)]);
    }

    #[test]
    fn who_is_about_to_be_missed_once_more_is_not_unknown_before_that_unless_we_were_off() {
        let rules = Rules { failures: 2, silence_is_down: true, ..RULES };
        let missed_once = || {
            let mut state = up_since(0);
            state.observe(&Outcome::bad(s(120), Down, "silent"), Connectivity::Online, &rules);
            state
        };
        let mut state = missed_once();
        assert_eq!(state.expire(s(600), &rules), []);
        let missed = state.observe(&Outcome::bad(s(240), Down, "silent"), Connectivity::Online, &rules);
        assert_eq!(changes(&missed), [(120, Down)]);
        let mut state = missed_once();
        state.forgive(s(600), &rules, s(60));
        assert_eq!(changes(&state.expire(s(600), &rules)), [(120, Unknown)]);
    }

    #[test]
    fn starts_soon_after_each_other_are_forgiven_each_and_a_later_one_puts_nothing_off() {
        let until = |starts: &[i64], interval: Millis| {
            let mut state = up_since(0);
            let rules = Rules { interval, ..RULES };
            starts.iter().for_each(|start| state.forgive(s(*start), &rules, s(20)));
            state.forgiven_until.unwrap() / SECOND
        };
        assert_eq!(until(&[100], s(60)), 180);
        assert_eq!(until(&[100, 155], s(60)), 235, "the call that comes each minute may have been lost twice");
        assert_eq!(until(&[100, 900], s(60)), 980);
        assert_eq!(
            until(&[100, 86_500], s(86_400)),
            86_520,
            "started anew each night, what comes once a day is missed"
        );
        assert_eq!(until(&[100, 86_500, 172_900], s(86_400)), 172_920);
    }

    #[test]
    fn a_restart_while_down_or_in_doubt_goes_on_where_it_was() {
        let mut state = up_since(0);
        look(&mut state, 60, Down);
        let kept = serde_json::to_string(&state).unwrap();
        let mut state: CheckState = serde_json::from_str(&kept).unwrap();
        look(&mut state, 90, Down);
        assert_eq!(changes(&look(&mut state, 95, Down)), [(60, Down)]);
        let mut state: CheckState = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
        assert_eq!(look(&mut state, 130, Down), [], "no second change");
    }

    #[test]
    fn a_doubt_that_nobody_looked_into_is_unknown_from_its_first_look() {
        let mut state = up_since(0);
        look(&mut state, 60, Down);
        assert_eq!(changes(&look(&mut state, 7200, Up)), [(60, Unknown), (7200, Up)]);
    }

    #[test]
    fn a_long_sleep_while_down_is_neither_down_nor_up() {
        let mut state = up_since(0);
        for second in [60, 65, 80] {
            look(&mut state, second, Down);
        }
        let woke = look(&mut state, 7200, Up);
        assert_eq!(changes(&woke), [(200, Unknown), (7200, Up)]);
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_time_pass_twice() {
        let mut state = up_since(7200);
        for second in [3600, 3605, 3620] {
            look(&mut state, second, Down);
        }
        assert_eq!((state.condition, state.since), (Down, s(7200)));
        assert!(look(&mut state, 3635, Up).is_empty());
        assert_eq!(changes(&look(&mut state, 3640, Up)), [(7200, Up)], "no time, so no downtime");
    }

    #[test]
    fn when_we_are_blind_nobody_is_accused() {
        let mut state = up_since(0);
        look(&mut state, 60, Down);
        look(&mut state, 65, Down);
        let outcome = Outcome::bad(s(80), Down, "no route");
        assert_eq!(changes(&state.observe(&outcome, Connectivity::Offline, &RULES)), [(60, Unknown)]);
        assert_eq!(state.observe(&Outcome::bad(s(95), Down, "no route"), Connectivity::Offline, &RULES), []);
        assert_eq!(changes(&look(&mut state, 110, Up)), [(110, Up)]);
    }

    #[test]
    fn what_could_not_be_asked_is_unknown_and_says_why() {
        let unasked = |second| Outcome::bad(s(second), Unknown, "not asked: 10.0.0.1 is private");
        let mut state = CheckState::new(0);
        for second in [0, 60, 120] {
            assert_eq!(state.observe(&unasked(second), Connectivity::Online, &RULES), []);
        }
        assert_eq!(state.detail.as_deref(), Some("not asked: 10.0.0.1 is private"));
        assert_eq!(changes(&look(&mut state, 180, Up)), [(180, Up)]);
        look(&mut state, 240, Down);
        let seen = state.observe(&unasked(245), Connectivity::Online, &RULES);
        assert_eq!(changes(&seen), [(240, Unknown)], "and what was in doubt stays unproven");
        assert_eq!(state.next_look(s(245), &RULES), s(305));
    }

    #[test]
    fn a_quick_check_is_looked_at_no_more_slowly_when_in_doubt() {
        let quick = Rules::every(2 * SECOND, 10 * SECOND, 2, 2);
        let mut state = CheckState::new(0);
        state.observe(&Outcome::up(0), Connectivity::Online, &quick);
        state.observe(&Outcome::bad(2000, Down, ""), Connectivity::Online, &quick);
        assert_eq!(state.next_look(2000, &quick), 4000);
        let events = state.observe(&Outcome::bad(4000, Down, ""), Connectivity::Online, &quick);
        assert_eq!(changes(&events), [(2, Down)]);
    }

    #[test]
    fn what_hangs_for_longer_than_its_interval_is_down_all_the_same() {
        for interval in [1, 2, 5, 10, 60].map(s) {
            let deadline = s(10);
            let rules = Rules::every(interval, deadline, 3, 2);
            let mut state = CheckState::new(0);
            state.observe(&Outcome::up(0), Connectivity::Online, &rules);
            let (mut now, mut found) = (0, Vec::new());
            for _ in 0..3 {
                let began = now.max(state.next_look(state.last_at.unwrap(), &rules));
                // It is noticed a moment after its deadline, and expiry is asked for all the while.
                now = began + deadline + 100;
                found.extend(state.expire(now, &rules));
                found.extend(state.observe(&Outcome::bad(began, Down, "late"), Connectivity::Online, &rules));
            }
            assert_eq!(changes(&found), [(interval / SECOND, Down)], "each {interval} ms");
        }
    }

    proptest::proptest! {
        #[test]
        fn changes_come_in_order_and_each_is_one(looks in proptest::collection::vec((0i64..200, 0usize..3), 1..200)) {
            let verdicts = [Up, Degraded, Down];
            let mut state = CheckState::new(0);
            let (mut now, mut last) = (0, (0, Unknown));
            for (gap, verdict) in looks {
                now += gap;
                for (from, to) in changes(&look(&mut state, now, verdicts[verdict])) {
                    proptest::prop_assert!(from >= last.0 && from <= now, "{from} after {last:?} at {now}");
                    proptest::prop_assert_ne!(to, last.1);
                    last = (from, to);
                }
                proptest::prop_assert_eq!(state.condition, last.1);
            }
        }
    }
}
