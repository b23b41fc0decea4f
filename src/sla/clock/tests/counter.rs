//! Checks the clock against an independent counter that goes through the ticket's life second by second.
//!
//! The counter states what the rules mean, not how the clock implements them.

use proptest::prelude::*;

use super::*;
use crate::sla::history::History;
use crate::sla::ledger::Ledger;
use crate::sla::tests::having;
use crate::ticket::watch::{Change, ChangeKind};

/// The longest life to go through, in seconds.
const LIFE: i64 = 3_000;

/// Something that happens to a ticket.
#[derive(Clone, Copy, Debug)]
enum Event {
    Status(&'static str),
    Assigned,
    /// SuperOps moves the due time, to this many seconds after the creation.
    Due(i64),
    /// SuperOps says when it was first answered.
    Answered,
}

/// A ticket's life: what happened when, in seconds after its creation.
#[derive(Clone, Debug)]
struct Life {
    events: Vec<(i64, Event)>,
    /// The due time at its creation.
    due: Option<i64>,
    /// Whether SuperOps says when it was created.
    dated: bool,
    /// How long before and after it a change of status may have happened as far as was seen: by the time of a poll, or
    /// by SuperOps' time of update, which is exact.
    seen: (i64, i64),
}

/// When it was first read.
const FIRST_SEEN: i64 = 2;

fn second(second: i64) -> DateTime<Utc> {
    at(0) + TimeDelta::seconds(second)
}

fn any_event() -> impl Strategy<Value = Event> {
    let statuses = ["Open", "In Progress", "On Hold", "Waiting on Customer", "Closed", "Resolved", "Bank Holiday"];
    prop_oneof![
        5 => prop::sample::select(statuses.to_vec()).prop_map(Event::Status),
        1 => Just(Event::Assigned),
        1 => (1..LIFE).prop_map(Event::Due),
        1 => Just(Event::Answered),
    ]
}

fn any_life() -> impl Strategy<Value = Life> {
    let events = prop::collection::vec((3..LIFE, any_event()), 0..12);
    let seen = (0..300i64, prop_oneof![Just(0), 1..300i64]);
    (events, prop::option::of(1..LIFE), 0u8..4, seen).prop_map(|(mut events, due, dated, seen)| {
        events.sort_by_key(|(at, _)| *at);
        events.dedup_by_key(|(at, _)| *at);
        Life { events, due, dated: dated > 0, seen }
    })
}

impl Life {
    fn until(&self, now: i64) -> impl Iterator<Item = &(i64, Event)> {
        self.events.iter().filter(move |(at, _)| *at <= now)
    }

    fn status(&self, now: i64) -> &'static str {
        let status = |(_, event): &(i64, Event)| if let Event::Status(name) = event { Some(*name) } else { None };
        self.until(now).filter_map(status).last().unwrap_or("Open")
    }

    fn due(&self, now: i64) -> Option<i64> {
        let moved = |(_, event): &(i64, Event)| if let Event::Due(due) = event { Some(*due) } else { None };
        self.due.and_then(|first| self.until(now).filter_map(moved).last().or(Some(first)))
    }

    fn answered(&self, now: i64) -> Option<i64> {
        let answer = |(at, event): &(i64, Event)| matches!(event, Event::Answered).then_some(*at);
        self.until(now).find_map(answer)
    }

    /// Returns what watching it has shown by `now`.
    fn watched(&self, now: i64) -> (Watched, Vec<Change>) {
        let mut changes = Vec::new();
        let mut before = "Open";
        let mut owners = 0;
        for (moment, event) in self.until(now) {
            let (earlier, later) = self.seen;
            let at = Bounds {
                earliest: second((moment - earlier).max(FIRST_SEEN)),
                latest: second((moment + later).min(now)),
            };
            if let Event::Assigned = event {
                let owner = |nth: i64| (nth > 0).then(|| format!("owner {nth}"));
                changes.push(Change { kind: ChangeKind::Assignee, from: owner(owners), to: owner(owners + 1), at });
                owners += 1;
            }
            let Event::Status(name) = event else { continue };
            let change = |kind, from: Option<&str>, to: Option<&str>| Change {
                kind,
                from: from.map(str::to_owned),
                to: to.map(str::to_owned),
                at,
            };
            if *name == before {
                continue;
            }
            changes.push(change(ChangeKind::Status, Some(before), Some(name)));
            match (is_closed(before), is_closed(name)) {
                (true, false) => changes.push(change(ChangeKind::Reopened, None, Some(name))),
                (false, true) => changes.push(change(ChangeKind::Resolved, None, None)),
                _ => {}
            }
            before = name;
        }
        let mut ticket = ticket();
        ticket.created_at = ticket.created_at.filter(|_| self.dated);
        ticket.technician = (owners > 0).then(|| crate::ticket::tests::named(&format!("owner {owners}")));
        ticket.status = Some(before.into());
        ticket.resolution.due = self.due(now).map(second);
        ticket.first_response.met_at = self.answered(now).map(second);
        let first = Bounds { earliest: second(FIRST_SEEN), latest: second(FIRST_SEEN) };
        let last = changes.iter().rfind(|change| change.kind == ChangeKind::Status).map(|change| change.at);
        let watched = Watched { status_since: last, ..Watched::new(ticket, first) };
        (having(&watched, &changes), changes)
    }
}

/// Returns a calendar open from 09:00, but not from 09:33 to 09:43.
fn closed_for_ten_minutes() -> Arc<Calendar> {
    let mut week: [Vec<(u16, u16)>; 7] = Default::default();
    week[..5].fill(vec![(540, 573), (583, 1050)]);
    let spec = CalendarSpec { name: "office".into(), always: false, week, ..CalendarSpec::round_the_clock() };
    Arc::new(Calendar::compile(spec).unwrap())
}

fn is_closed(status: &str) -> bool {
    matches!(status, "Closed" | "Resolved")
}

fn halts(kind: ClockKind, status: &str) -> bool {
    let paused = matches!(status, "On Hold" | "Waiting on Customer") && kind == ClockKind::Resolution;
    paused || status == "Bank Holiday" || is_closed(status)
}

/// The slow counter's answer, in seconds.
#[derive(Debug, PartialEq)]
struct Answer {
    standing: &'static str,
    used: i64,
    left: Option<i64>,
}

/// Goes through the life second by second. Without a date the clock begins when the ticket is first seen, or is due.
fn count(life: &Life, kind: ClockKind, target: Option<i64>, calendar: &Calendar, now: i64) -> Answer {
    let reported = (kind == ClockKind::Resolution).then(|| life.due(now)).flatten();
    let begin = if life.dated { 0 } else { reported.map_or(FIRST_SEEN, |due| due.min(FIRST_SEEN)) };
    let target = target.filter(|_| life.dated);
    let answered = (kind == ClockKind::FirstResponse).then(|| life.answered(now)).flatten();
    let runs = |moment: i64| !halts(kind, life.status(moment)) && answered.is_none_or(|at| moment < at);
    let open = |moment: i64| calendar.is_open(second(moment));
    let used = (begin..now).filter(|moment| runs(*moment) && open(*moment)).count() as i64;
    let closed = is_closed(life.status(now));
    let stopped = answered.is_some() || closed;
    let left = match reported {
        Some(due) => {
            // From the last moment at which it ran, or runs, to the due time; a standstill after that does not count.
            let last =
                if runs(now) && !stopped { now } else { (begin..now).rfind(|m| runs(*m)).map_or(begin, |m| m + 1) };
            let ahead = (last..due).filter(|moment| open(*moment)).count() as i64;
            let behind = (due.max(begin)..now).filter(|moment| runs(*moment) && open(*moment)).count() as i64;
            Some(if due >= last { ahead } else { -behind })
        }
        None => target.map(|target| target - used),
    };
    let Some(left) = left else { return Answer { standing: "unknown", used, left: None } };
    let standing = match () {
        () if left < 0 => "breached",
        () if stopped => "met",
        () if halts(kind, life.status(now)) => "paused",
        () if life.dated && 4 * used >= 3 * (used + left) => "at_risk",
        () => "on_track",
    };
    Answer { standing, used, left: Some(left) }
}

proptest! {
    #[test]
    fn the_clock_agrees_with_counting_second_by_second(
        life in any_life(), now in 3..LIFE, in_office in any::<bool>(), target in 1..LIFE, part in 0u8..4,
    ) {
        let target = (part > 0).then_some(target);
        let policy = target.map(|target| Policy {
            response: Some(TimeDelta::seconds(target)),
            resolution: Some(TimeDelta::seconds(target)),
            ..crate::sla::tests::policy(Counts::Business)
        });
        let hours = in_office.then(closed_for_ten_minutes);
        let words = StatusWords::default().pausing_response(&["Bank Holiday".into()]);
        let warn = Warn { at: vec![0.75], left: Vec::new() };
        let rules = RulesConfig {
            tenant: TenantId::parse("acme").unwrap(),
            words,
            site_hours: false,
            msp: hours,
            holiday_lists: BTreeMap::new(),
            policies: policy.into_iter().collect(),
            warn,
            automation_answers: true,
        };
        let rules = TenantRules::new(rules, &Directory::default());
        let (watched, changes) = life.watched(now);
        let always = Calendar::round_the_clock();
        for kind in ClockKind::REPORTED {
            let clock = assess(&watched, kind, &rules, second(now));
            let calendar = clock.hours.map_or(&always, |hours| hours.calendar);
            let wanted = count(&life, kind, target, calendar, now);
            let seconds = |time: Option<TimeDelta>| time.map(|time| time.num_seconds());
            if wanted.left.is_none() {
                prop_assert!(clock.due.is_none(), "{kind:?}");
                continue;
            }
            let history = History::tell(&watched, &changes, |status| rules.meaning_of(status));
            if life.seen.1 == 0 {
                prop_assert_eq!(seconds(clock.used), Some(wanted.used), "used of {:?}", kind);
                prop_assert_eq!(seconds(clock.left), wanted.left, "left of {:?}", kind);
                prop_assert_eq!(clock.standing.as_str(), wanted.standing, "{:?}", kind);
            }
            let held: TimeDelta = history.ownership(calendar, second(now)).into_iter().map(|(_, held)| held).sum();
            let begin = if life.dated { 0 } else { FIRST_SEEN };
            prop_assert_eq!(held, calendar.between(second(begin), second(now)), "somebody or nobody holds it at any time");
            if let Some(explained) = explain(&watched, &history, kind, &rules, Truth::Record, second(now)) {
                let (least, most) = (explained.counted.least.num_seconds(), explained.counted.most.num_seconds());
                prop_assert!((least..=most).contains(&wanted.used), "{} not in {least}..={most} of {kind:?}", wanted.used);
                let ledger = Ledger::of(&explained, &history);
                prop_assert_eq!(Some(ledger.counted), clock.used, "the ledger adds up to it");
            }
        }
    }
}
