//! Checks the books against a slow minute-by-minute reckoning that shares no code with them.

use chrono::{Datelike, Timelike, Weekday};
use proptest::prelude::*;

use super::*;

/// From Thu 29 October 09:00 on; the clocks go back in between.
const MINUTES: i64 = 5 * 1440 + 4 * 60;

/// What happens to a ticket, in minutes.
#[derive(Clone, Debug)]
struct Story {
    calendar_time: bool,
    created: i64,
    /// Who has it, and from when.
    hands: Vec<(i64, &'static str)>,
    answered: Option<i64>,
    /// While it waits for the client.
    waits: Vec<(i64, i64)>,
    /// A closing that does not last.
    closed: Option<(i64, i64)>,
    resolved: Option<i64>,
}

/// What the books should say of one clock.
#[derive(Debug, Default, PartialEq)]
struct Expected {
    breached: bool,
    /// The minute in which it was decided.
    decided: i64,
    stopped: Option<i64>,
    counted: i64,
    over: i64,
    paused: i64,
    /// Minutes counted until the decision, by holder, in the order in which they had it.
    hands: Vec<(String, i64)>,
}

fn moment(minute: i64) -> DateTime<Utc> {
    at("Thu 09:00") + TimeDelta::minutes(minute)
}

/// Whether the New York office is open in that minute, local time.
fn is_open(minute: i64) -> bool {
    let local = moment(minute).with_timezone(&Tz::named("America/New_York"));
    !matches!(local.weekday(), Weekday::Sat | Weekday::Sun) && (9..17).contains(&local.hour())
}

impl Story {
    fn holder(&self, minute: i64) -> String {
        let hand = self.hands.iter().rev().find(|(from, _)| *from <= minute);
        hand.map_or(String::new(), |(_, name)| (*name).to_owned())
    }

    /// One clock, stepped through.
    fn stepped(&self, allowed: i64, stop: Option<i64>, pauses: bool) -> Option<Expected> {
        let mut found = Expected { stopped: stop, ..Expected::default() };
        let is_within =
            |spans: &[(i64, i64)], minute: i64| spans.iter().any(|(from, to)| (*from..*to).contains(&minute));
        let closed: Vec<(i64, i64)> = self.closed.into_iter().filter(|_| pauses).collect();
        let mut at_decision = Vec::new();
        for minute in self.created..stop.unwrap_or(MINUTES) {
            // Holders are listed in the order in which they had it, whether or not anything counts meanwhile.
            let name = self.holder(minute);
            if found.hands.iter().all(|(known, _)| *known != name) {
                found.hands.push((name.clone(), 0));
            }
            if !(self.calendar_time || is_open(minute)) || is_within(&closed, minute) {
                continue;
            }
            if pauses && is_within(&self.waits, minute) {
                found.paused += 1;
                continue;
            }
            if found.counted == allowed {
                (found.breached, found.decided) = (true, minute);
                at_decision = found.hands.clone();
            }
            found.counted += 1;
            found.hands.iter_mut().filter(|(known, _)| *known == name).for_each(|(_, minutes)| *minutes += 1);
        }
        match (found.breached, stop) {
            (true, _) => (found.hands, found.over) = (at_decision, found.counted - allowed),
            (false, Some(stop)) => found.decided = stop,
            (false, None) => return None,
        }
        Some(found)
    }

    fn life(&self) -> Life {
        let sla = if self.calendar_time { "C" } else { "N" };
        let mut life = Life::new("1", sla, "Thu 09:00", self.hands[0].1);
        life.watched = Watched::new(
            Ticket { created_at: Some(moment(self.created)), ..life.watched.ticket },
            Bounds { earliest: moment(self.created), latest: moment(self.created) },
        );
        let mut steps: Vec<(i64, Step)> = self.hands[1..].iter().map(|(at, who)| (*at, Step::Give(who))).collect();
        steps.extend(self.answered.map(|at| (at, Step::Answer)));
        for (from, to) in &self.waits {
            steps.extend([(*from, Step::Status("Waiting")), (*to, Step::Status("Open"))]);
        }
        if let Some((from, to)) = self.closed {
            steps.extend([(from, Step::Resolve), (to, Step::Reopen)]);
        }
        steps.extend(self.resolved.map(|at| (at, Step::Resolve)));
        steps.sort_by_key(|(minute, _)| *minute);
        steps.into_iter().fold(life, |life, (minute, step)| step.take(life, moment(minute)))
    }
}

#[derive(Clone, Copy)]
enum Step {
    Give(&'static str),
    Answer,
    Status(&'static str),
    Resolve,
    Reopen,
}

impl Step {
    fn take(self, mut life: Life, when: DateTime<Utc>) -> Life {
        if let Self::Answer = self {
            life.first_answer_by = RefId::parse("Ada").ok();
            let first_answer = Some(Answerer::Technician);
            life.watched.conversation = ConversationSummary { first_answer, ..ConversationSummary::default() };
        }
        life.then_at(when, |ticket| match self {
            Self::Give(who) => ticket.technician = Some(named(who)),
            Self::Answer => ticket.first_response.met_at = Some(when),
            Self::Status(status) => ticket.status = Some(status.into()),
            Self::Resolve => {
                ticket.status = Some("Resolved".into());
                ticket.resolution.met_at = Some(when);
            }
            Self::Reopen => {
                ticket.status = Some("Open".into());
                ticket.resolution.met_at = None;
            }
        })
    }
}

/// Split by hand: the largest remainders get what is left, the earlier first among equals.
fn weights(hands: &[(String, i64)]) -> BTreeMap<String, i64> {
    let all: i64 = hands.iter().map(|(_, minutes)| minutes).sum();
    let mut cut: Vec<(String, i64, i64)> = hands
        .iter()
        .map(|(name, minutes)| (name.clone(), minutes * 1_000_000 / all, minutes * 1_000_000 % all))
        .collect();
    while cut.iter().map(|(_, weight, _)| weight).sum::<i64>() < 1_000_000 {
        let most = cut.iter().map(|(_, _, rest)| *rest).max().unwrap();
        let first = cut.iter_mut().find(|(_, _, rest)| *rest == most).unwrap();
        (first.1, first.2) = (first.1 + 1, -1);
    }
    cut.into_iter().map(|(name, weight, _)| (name, weight)).filter(|(_, weight)| *weight > 0).collect()
}

fn check(entries: &[Entry], clock: ClockKind, expected: Option<Expected>) -> Result<(), TestCaseError> {
    const MINUTE: i64 = 60_000;
    let entry = entries.iter().find(|entry| entry.clock == clock);
    let Some((entry, expected)) = entry.zip(expected.as_ref()) else {
        prop_assert_eq!(entry.is_some(), expected.is_some(), "{:?} {:?}", entry, expected);
        return Ok(());
    };
    let outcome = if expected.breached { Outcome::Breached } else { Outcome::Met };
    let tick = if expected.breached { TimeDelta::milliseconds(1) } else { TimeDelta::zero() };
    prop_assert_eq!((entry.outcome, entry.decided_at - tick), (outcome, moment(expected.decided)));
    prop_assert_eq!(entry.stopped_at, expected.stopped.map(moment));
    let lengths = (expected.counted * MINUTE, expected.over * MINUTE, expected.paused * MINUTE);
    prop_assert_eq!((entry.counted, entry.over, entry.paused), lengths);
    let shares: BTreeMap<String, i64> =
        entry.shares.iter().filter(|share| share.weight > 0).map(|share| (name(&share.holder), share.weight)).collect();
    prop_assert_eq!(shares.values().sum::<i64>(), 1_000_000);
    prop_assert_eq!(entry.shares.iter().map(|share| share.counted).sum::<i64>(), entry.counted);
    prop_assert_eq!(entry.shares.iter().map(|share| share.over).sum::<i64>(), entry.over);
    prop_assert_eq!(entry.shares.iter().map(|share| share.paused).sum::<i64>(), entry.paused);
    if expected.hands.iter().any(|(_, minutes)| *minutes > 0) {
        prop_assert_eq!(shares, weights(&expected.hands));
    }
    Ok(())
}

fn name(holder: &Holder) -> String {
    holder.person().map(ToString::to_string).unwrap_or_default()
}

fn story() -> impl Strategy<Value = Story> {
    let who = || prop::sample::select(vec!["Ada", "Ben", "Cy"]);
    let first = prop::sample::select(vec!["", "Ada", "Ben"]);
    let moments = prop::collection::btree_set(1_i64..MINUTES, 12);
    (any::<bool>(), first, moments, prop::collection::vec(who(), 3), any::<[bool; 5]>(), 1_i64..1440).prop_map(
        |(calendar_time, first, moments, who, [waits, waits_again, closes, ends, answers], short)| {
            let at: Vec<i64> = moments.into_iter().collect();
            // In this order: created, handed on, answered, waits, handed on, waits again, closed for a while, handed on, done.
            let reopened = (at[9] + short).min(at[10] - 1);
            let wait = |from: usize| (at[from], at[from + 1]);
            let waits = [waits.then(|| wait(3)), waits_again.then(|| wait(6))].into_iter().flatten().collect();
            let hands = [(at[0], first), (at[1], who[0]), (at[5], who[1]), (at[8], who[2])].to_vec();
            let answered = (answers || ends || closes).then(|| at[2]);
            let closed = Some((at[9], reopened)).filter(|(from, to)| closes && from < to);
            Story { calendar_time, created: at[0], hands, answered, waits, closed, resolved: ends.then(|| at[11]) }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_books_say_what_stepping_through_each_minute_says(story in story()) {
        let entries = story.life().book(&both(), moment(MINUTES));
        let (response, resolution) = if story.calendar_time { (60, 24 * 60) } else { (2 * 60, 8 * 60) };
        check(&entries, ClockKind::FirstResponse, story.stepped(response, story.answered, false))?;
        check(&entries, ClockKind::Resolution, story.stepped(resolution, story.resolved, true))?;
    }
}
