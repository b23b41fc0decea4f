//! Whatever comes in: calendars, holiday files, due times and histories that no
//! person would write, with what must hold of them all the same. How to let them
//! run for long, and what they have found, stands in `docs/fuzzing.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;
use superops_sla::config::holiday_file;
use superops_sla::sla::calendar::{Calendar, CalendarSpec};
use superops_sla::sla::clock::{Truth, Verdict, explain};
use superops_sla::sla::history::History;
use superops_sla::sla::infer::{Evidence, Reading, infer};
use superops_sla::sla::policy::{Counts, Policy};
use superops_sla::sla::tenant_rules::{RulesConfig, TenantRules, Warn};
use superops_sla::sla::zone::{self, Tz};
use superops_sla::ticket::watch::{Bounds, Change, ChangeKind, Watched, past};
use superops_sla::ticket::{ClockKind, Directory, StatusWords, TenantId, Ticket};

/// From the year 1 to 9998, one in four of them in our days.
fn instants() -> impl Strategy<Value = DateTime<Utc>> {
    prop_oneof![3 => -62_135_596_800_000_i64..253_370_764_800_000, 1 => 1_500_000_000_000_i64..1_900_000_000_000]
        .prop_map(|millis| DateTime::from_timestamp_millis(millis).expect("a time of these years"))
}

/// Up to three years: a calendar is compiled year by year, and ten thousand of them take a while.
fn lengths() -> impl Strategy<Value = TimeDelta> {
    prop_oneof![-1_000_i64..100_000, 0_i64..94_608_000_000].prop_map(TimeDelta::milliseconds)
}

fn zones() -> impl Strategy<Value = Tz> {
    select(zone::names()).prop_map(|name| Tz::named(&name))
}

/// Right and wrong ones: windows that overlap, are empty or run over the day's end, days that do not exist.
fn specs() -> impl Strategy<Value = CalendarSpec> {
    let week = vec(vec((0_u16..1500, 0_u16..1500), 0..4), 7);
    let holidays =
        btree_set((0_u64..36_500).prop_map(|day| NaiveDate::from_ymd_opt(1970, 1, 1).unwrap() + Days::new(day)), 0..40);
    let yearly = btree_set((0_u32..14, 0_u32..34), 0..6);
    (zones(), any::<bool>(), week, holidays, yearly).prop_map(|(timezone, always, week, holidays, yearly)| {
        CalendarSpec {
            name: "any".to_owned(),
            timezone,
            always,
            week: std::array::from_fn(|day| week[day].clone()),
            holidays,
            yearly,
        }
    })
}

/// The same with windows of a day, so that it compiles more often than not.
fn calendars() -> impl Strategy<Value = Calendar> {
    specs().prop_filter_map("it never opens", |mut spec| {
        for (start, end) in spec.week.iter_mut().flatten() {
            *start %= 1440;
            *end = if *end % 1440 == *start { 1440 } else { *end % 1440 };
        }
        Calendar::compile(spec).ok()
    })
}

/// Lines such as holiday files have, whole and broken.
fn lines() -> impl Strategy<Value = String> {
    let date = (0_u32..10_100, 0_u32..14, 0_u32..33).prop_map(|(y, m, d)| format!("{y:04}{m:02}{d:02}"));
    let time = (date.clone(), 0_u32..25, 0_u32..61, select(vec!["", "Z"]))
        .prop_map(|(date, h, m, z)| format!("{date}T{h:02}{m:02}00{z}"));
    let moment = prop_oneof![3 => date, 1 => time, 1 => "[0-9TZ]{0,16}"];
    let param = select(vec!["", ";VALUE=DATE", ";TZID=Europe/London", ";TZID=Customized Time Zone", ";VALUE=PERIOD"]);
    let property = select(vec!["DTSTART", "DTEND", "EXDATE", "RDATE", "RECURRENCE-ID", "UNTIL"]);
    let dated = (property, param, moment).prop_map(|(name, param, moment)| format!("{name}{param}:{moment}"));
    let part = prop_oneof![
        select(vec!["FREQ=YEARLY", "FREQ=MONTHLY", "FREQ=WEEKLY", "FREQ=DAILY", "FREQ=HOURLY", "BYDAY=-1MO,2TU"])
            .prop_map(str::to_owned),
        (
            select(vec!["INTERVAL", "COUNT", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS"]),
            -400_i32..70_000
        )
            .prop_map(|(key, value)| format!("{key}={value}")),
        (select(vec!["BYMONTH", "BYMONTHDAY", "BYWEEKNO", "BYSETPOS"]), -12_i32..13)
            .prop_map(|(key, value)| format!("{key}={value}")),
        "UNTIL=20[0-9]{2}0[1-9]1[0-9]",
        "[A-Z]{1,5}=[A-Z0-9,-]{0,6}",
    ];
    let rule = vec(part, 1..5).prop_map(|parts| format!("RRULE:{}", parts.join(";")));
    let yearly = vec(
        select(vec![
            "BYMONTH=5",
            "BYDAY=1MO",
            "BYDAY=-1SU",
            "BYMONTHDAY=-1",
            "INTERVAL=3",
            "BYWEEKNO=53",
            "BYSETPOS=-1",
            "BYYEARDAY=366",
        ]),
        0..4,
    )
    .prop_map(|parts| ["RRULE:FREQ=YEARLY"].into_iter().chain(parts).collect::<Vec<_>>().join(";"));
    let other = select(vec![
        "UID:1",
        "UID:2",
        "STATUS:CANCELLED",
        "SEQUENCE:3",
        "SUMMARY:é\\, \\n",
        "DURATION:P1D",
        "DURATION:-P99999W",
        "END:VEVENT",
        "BEGIN:VEVENT",
        "BEGIN:VALARM",
        "",
        "X",
    ])
    .prop_map(str::to_owned);
    prop_oneof![4 => dated, 2 => rule, 1 => yearly, 2 => other, 1 => any::<String>()]
}

fn files() -> impl Strategy<Value = String> {
    let event = vec(lines(), 0..8).prop_map(|lines| format!("BEGIN:VEVENT\n{}\nEND:VEVENT\n", lines.join("\n")));
    let plain = ("(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|1[0-9]|2[0-8])", lines())
        .prop_map(|(date, line)| format!("BEGIN:VEVENT\nUID:{date}\nDTSTART;VALUE=DATE:{date}\n{line}\nEND:VEVENT\n"));
    let events = vec(prop_oneof![event, plain], 1..5);
    events.prop_map(|events| format!("BEGIN:VCALENDAR\nVERSION:2.0\n{}END:VCALENDAR\n", events.concat()))
}

fn acme() -> TenantId {
    TenantId::parse("acme").expect("a name")
}

fn rules(calendar: Calendar, resolution: TimeDelta) -> TenantRules {
    let policy = Policy {
        tenant: None,
        sla: None,
        priority: None,
        client: None,
        category: None,
        response: Some(resolution),
        resolution: Some(resolution),
        next_response: None,
        counts: Counts::Business,
    };
    let rules = RulesConfig {
        tenant: acme(),
        words: StatusWords::default(),
        site_hours: false,
        msp: Some(Arc::new(calendar)),
        holiday_lists: BTreeMap::new(),
        policies: vec![policy],
        warn: Warn::default(),
        automation_answers: true,
    };
    TenantRules::new(rules, &Directory::default())
}

fn statuses() -> impl Strategy<Value = Option<String>> {
    select(vec![Some("Open"), Some("On Hold"), Some("Closed"), Some(""), None]).prop_map(|name| name.map(str::to_owned))
}

fn minute(base: DateTime<Utc>, minutes: i64) -> DateTime<Utc> {
    base + TimeDelta::minutes(minutes)
}

/// Changes in any order, doubled, with bounds turned round.
fn changes(base: DateTime<Utc>) -> impl Strategy<Value = Vec<Change>> {
    let kind = select(vec![
        ChangeKind::FirstSeen,
        ChangeKind::Status,
        ChangeKind::Status,
        ChangeKind::Status,
        ChangeKind::Assignee,
        ChangeKind::Priority,
        ChangeKind::Resolved,
        ChangeKind::Reopened,
        ChangeKind::Vanished,
        ChangeKind::Returned,
        ChangeKind::PolicyVersion,
    ]);
    let change = (kind, statuses(), statuses(), -1_000_i64..40_000, -60_i64..600).prop_map(
        move |(kind, from, to, at, width)| Change {
            kind,
            from,
            to,
            at: Bounds { earliest: minute(base, at), latest: minute(base, at + width) },
        },
    );
    vec(change, 0..10)
}

fn watched(base: DateTime<Utc>) -> impl Strategy<Value = Watched> {
    let some = || prop::option::of(-1_000_i64..60_000);
    (statuses(), some(), some(), some(), some(), some(), some()).prop_map(
        move |(status, created, seen, updated, answered, resolved, vanished)| {
            let at = |minutes: Option<i64>| minutes.map(|minutes| minute(base, minutes));
            let ticket = serde_json::json!({
                "id": "7", "display_id": "7", "subject": "", "status": status, "flaws": [],
                "created_at": at(created), "updated_at": at(updated),
                "first_response": { "met_at": at(answered) }, "resolution": { "met_at": at(resolved) },
            });
            let ticket: Ticket = serde_json::from_value(ticket).expect("a ticket");
            let first_seen_at = minute(base, seen.unwrap_or(0));
            let read = Bounds { earliest: first_seen_at, latest: first_seen_at };
            Watched { vanished_at: at(vanished), ..Watched::new(ticket, read) }
        },
    )
}

proptest! {
    #[test]
    fn fuzz_any_calendar_compiles_or_says_why(spec in specs(), at in instants(), length in lengths()) {
        if let Ok(calendar) = Calendar::compile(spec) {
            calendar.between(at, at + length);
            calendar.is_open(at);
        }
    }

    #[test]
    fn fuzz_a_calendar_keeps_its_promises_in_any_year(calendar in calendars(), from in instants(), length in lengths()) {
        let to = from + length;
        let counted = calendar.between(from, to);
        prop_assert_eq!(counted, -calendar.between(to, from));
        prop_assert!(counted.abs() <= length.abs());
        let middle = from + length / 3;
        prop_assert_eq!(calendar.between(from, middle) + calendar.between(middle, to), counted);
        let hour = TimeDelta::hours(1);
        if let Some(due) = calendar.add(from, hour) {
            prop_assert_eq!(calendar.between(from, due), hour);
            prop_assert_eq!(calendar.between(from, due - TimeDelta::milliseconds(1)), hour - TimeDelta::milliseconds(1));
        }
        if let Some(opening) = calendar.opening_from(from) {
            prop_assert!(opening >= from && calendar.is_open(opening));
            prop_assert_eq!(calendar.between(from, opening), TimeDelta::zero());
        }
    }

    #[test]
    fn fuzz_a_holiday_file_is_read_or_refused_with_a_reason(text in files()) {
        match holiday_file::dates(&text) {
            Ok(dates) => prop_assert!(dates.len() <= 3_000),
            Err(why) => prop_assert!(!why.is_empty() && why.len() < 1_000 && !why.contains('\n'), "{}", why),
        }
    }

    #[test]
    fn fuzz_any_text_is_no_holiday_file_or_one(text in any::<String>()) {
        let _ = holiday_file::dates(&text);
    }

    #[test]
    fn fuzz_plain_holidays_are_all_found(days in btree_set(0_u64..30_000, 1..40)) {
        let dates: BTreeSet<_> = days.into_iter().map(|day| NaiveDate::from_ymd_opt(1995, 1, 1).unwrap() + Days::new(day)).collect();
        let event = |date: &NaiveDate| format!("BEGIN:VEVENT\r\nUID:{date}\r\nDTSTART;VALUE=DATE:{}\r\nEND:VEVENT\r\n", date.format("%Y%m%d"));
        let text: String = dates.iter().map(event).collect();
        let read = holiday_file::dates(&format!("BEGIN:VCALENDAR\r\n{text}END:VCALENDAR\r\n"));
        prop_assert_eq!(read, Ok(dates));
    }

    #[test]
    fn fuzz_the_target_behind_most_tickets_is_inferred(
        calendar in calendars(), base in 1_300_000_000_i64..1_900_000_000, gaps in vec(1_i64..400_000, 8..30), minutes in 1_i64..3_000,
    ) {
        let allowed = TimeDelta::minutes(minutes);
        let mut made = base;
        let mut evidence = Vec::new();
        for (nth, gap) in gaps.iter().enumerate() {
            made += gap;
            let created_at = DateTime::from_timestamp(made, 0).expect("our days");
            let Some(due) = calendar.add(created_at, allowed) else { return Ok(()) };
            // One in four was moved by something.
            let moved = if nth % 4 == 3 { TimeDelta::seconds(97 * gap) } else { TimeDelta::zero() };
            let due = [Some(due + moved), None];
            evidence.push(Evidence { sla: "Gold", priority: None, created_at, due, msp: &calendar, site: &calendar });
        }
        let honest = evidence.len() - evidence.len() / 4;
        let found = infer(evidence.iter().copied(), Reading::MspHours);
        prop_assert_eq!(found.len(), 1);
        let guess = found[0].target(ClockKind::FirstResponse).expect("a target");
        prop_assert!(guess.agree >= honest, "{:?}", found);
        if found[0].reading == Reading::MspHours {
            prop_assert_eq!(guess.target, allowed);
        }
        prop_assert_eq!(infer(evidence.iter().rev().copied(), Reading::MspHours), found);
    }

    #[test]
    fn fuzz_infer_takes_any_times(calendar in calendars(), times in vec((instants(), lengths(), lengths()), 0..6)) {
        let evidence = times.iter().map(|(created_at, a, b)| Evidence {
            sla: "Gold", priority: Some("High"), created_at: *created_at, due: [Some(*created_at + *a), Some(*created_at + *b)],
            msp: &calendar, site: &calendar,
        });
        for proposal in infer(evidence, Reading::SiteHours) {
            for guess in proposal.targets.iter().flatten() {
                prop_assert!(guess.target > TimeDelta::zero() && guess.agree <= guess.of && guess.agree > 0);
            }
        }
    }

    #[test]
    fn fuzz_a_clock_reads_any_history(
        calendar in calendars(),
        (watched, changes) in (1_300_000_000_i64..1_900_000_000).prop_flat_map(|base| {
            let base = DateTime::from_timestamp(base, 0).expect("our days");
            (watched(base), changes(base))
        }),
        minutes in 1_i64..10_000, later in 0_i64..100_000,
    ) {
        let rules = rules(calendar, TimeDelta::minutes(minutes));
        let watched = Watched { past: past(&changes), ..watched };
        let history = History::tell(&watched, &changes, |status| rules.meaning_of(status));
        let now = minute(watched.first_seen_at, later);
        for kind in ClockKind::ALL {
            let Some(clock) = explain(&watched, &history, kind, &rules, Truth::Policy, now) else { continue };
            let counted = clock.counted;
            prop_assert!(TimeDelta::zero() <= counted.least, "{:?}", counted);
            prop_assert!(counted.least <= counted.likely && counted.likely <= counted.most, "{:?}", counted);
            prop_assert_eq!(clock.breached == Verdict::Yes, counted.least > clock.target);
            prop_assert_eq!(clock.breached == Verdict::No, counted.most <= clock.target);
            if let Some(breach) = clock.breached_between {
                prop_assert!(breach.earliest <= breach.latest);
            }
        }
    }
}
