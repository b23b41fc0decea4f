//! Which time counts, and when it is up.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveDate, Weekday};

use super::*;
use crate::sla::calendar::{Calendar, CalendarError, CalendarSpec};
use crate::sla::tenant_rules::{RulesConfig, TenantRules, Warn};
use crate::sla::tests::{mins, named, office, rules_config, status, watched};
use crate::sla::zone::Tz;
use crate::ticket::{Directory, Site, SiteHours, StatusWords, TenantId};

/// Returns a calendar open in `windows`, given as `hhmm`, on every day of the week.
fn daily(timezone: Tz, windows: &[(u16, u16)]) -> CalendarSpec {
    let week = std::array::from_fn(|_| windows.iter().map(|(from, to)| (minutes(*from), minutes(*to))).collect());
    CalendarSpec { name: "daily".into(), timezone, always: false, week, ..CalendarSpec::round_the_clock() }
}

/// Turns 1730, half past five, into minutes after midnight.
fn minutes(clock: u16) -> u16 {
    clock / 100 * 60 + clock % 100
}

/// Returns the time counted on a day in London.
fn counted_in_london(windows: &[(u16, u16)], day: &str) -> TimeDelta {
    let calendar = Calendar::compile(daily(Tz::named("Europe/London"), windows)).unwrap();
    let noon = time(&format!("{day}T12:00:00Z"));
    calendar.between(noon - TimeDelta::hours(13), noon) + calendar.between(noon, noon + TimeDelta::hours(12))
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

#[test]
fn counted_time_is_working_time_between_instants() {
    let mut evening = watched("Open");
    evening.ticket.created_at = Some(at(MONDAY_CLOSING - 60));
    let answer = resolution(&evening, &[], TUESDAY_OPENING + 30);
    assert_eq!(answer.counted, mins(90), "an hour on Monday and half an hour on Tuesday");
    assert_eq!(answer.due, Some(at(TUESDAY_OPENING + 180)));
}

#[test]
fn breached_is_more_than_the_target_and_equal_is_met() {
    let cases = [
        (179, Standing::OnTrack { left: mins(61) }),
        (180, Standing::AtRisk { left: mins(60) }),
        (240, Standing::AtRisk { left: mins(0) }),
        (241, Standing::Breached { over: mins(1) }),
    ];
    for (minute, expected) in cases {
        assert_eq!(resolution(&watched("Open"), &[], minute).standing, expected, "at {minute}");
    }
    let met = |minute| resolution(&watched("Closed"), &[status("Open", "Closed", minute)], 5_000).standing;
    assert_eq!(met(240), Standing::Met, "equal is met");
    assert_eq!(met(241), Standing::Breached { over: mins(1) });
}

#[test]
fn a_breach_never_happens_across_closed_hours() {
    let mut late = watched("Open");
    late.ticket.created_at = Some(at(MONDAY_CLOSING - 240));
    let standing = |minute| resolution(&late, &[], minute).standing;
    assert_eq!(standing(TUESDAY_OPENING - 1), Standing::AtRisk { left: mins(0) }, "due at closing, still night");
    assert_eq!(standing(TUESDAY_OPENING + 1), Standing::Breached { over: mins(1) });
}

#[test]
fn a_target_that_lands_on_closing_time_is_due_at_closing_time() {
    let mut late = watched("Open");
    late.ticket.created_at = Some(at(MONDAY_CLOSING - 240));
    assert_eq!(resolution(&late, &[], 300).due, Some(at(MONDAY_CLOSING)));
}

#[test]
fn one_second_over_the_target_is_breached() {
    let second = TimeDelta::seconds(1);
    let standing = |now| {
        let rules = rules(vec![policy(Counts::Business)]);
        assess(&watched("Open"), ClockKind::Resolution, &rules, now).standing
    };
    assert_eq!(standing(at(240)), Standing::AtRisk { left: mins(0) }, "equal is met");
    assert_eq!(standing(at(240) + second), Standing::Breached { over: second });
}

#[test]
fn a_window_that_begins_in_a_gap_shifts_forward_by_the_gap() {
    let night = [(130, 500)];
    assert_eq!(counted_in_london(&night, "2026-03-28"), mins(210), "on any other night");
    assert_eq!(counted_in_london(&night, "2026-03-29"), mins(150), "half past one is half past two");
}

#[test]
fn a_window_that_a_gap_leaves_empty_vanishes() {
    assert_eq!(counted_in_london(&[(130, 200)], "2026-03-28"), mins(30));
    assert_eq!(counted_in_london(&[(130, 200)], "2026-03-29"), mins(0));
}

#[test]
fn a_time_that_comes_twice_means_its_first_occurrence() {
    assert_eq!(counted_in_london(&[(130, 300)], "2026-10-24"), mins(90));
    assert_eq!(counted_in_london(&[(130, 300)], "2026-10-25"), mins(150), "from the first half past one");
    assert_eq!(counted_in_london(&[(0, 130)], "2026-10-25"), mins(90), "until the first half past one");
}

#[test]
fn windows_that_touch_are_one() {
    let calendar = Calendar::compile(daily(Tz::UTC, &[(900, 1200), (1200, 1700)])).unwrap();
    assert_eq!(calendar.closing_from(time("2026-11-23T10:00:00Z")), Some(time("2026-11-23T17:00:00Z")));
}

#[test]
fn a_whole_day_counts_the_hours_that_it_has() {
    let calendar = Calendar::compile(CalendarSpec {
        // A holiday long ago keeps the calendar from answering by plain subtraction.
        holidays: BTreeSet::from([date("1995-01-01")]),
        ..daily(Tz::named("Europe/London"), &[(0, 2400)])
    })
    .unwrap();
    let hours = |from: &str, to: &str| calendar.between(time(from), time(to)).num_hours();
    assert_eq!(hours("2026-10-24T23:00:00Z", "2026-10-26T00:00:00Z"), 25);
    assert_eq!(hours("2026-03-29T00:00:00Z", "2026-03-29T23:00:00Z"), 23);
    assert_eq!(hours("2026-06-01T23:00:00Z", "2026-06-02T23:00:00Z"), 24);
}

#[test]
fn a_holiday_is_a_whole_date_of_the_calendars_zone() {
    let auckland = Calendar::compile(CalendarSpec {
        holidays: BTreeSet::from([date("2026-11-24")]),
        ..daily(Tz::named("Pacific/Auckland"), &[(0, 2400)])
    })
    .unwrap();
    let (begins, ends) = (time("2026-11-23T11:00:00Z"), time("2026-11-24T11:00:00Z"));
    assert_eq!(auckland.between(begins, ends), mins(0), "24 November there");
    assert!(auckland.is_open(begins - mins(1)) && auckland.is_open(ends));
}

#[test]
fn a_holiday_cuts_an_overnight_shift_at_midnight() {
    let mut spec = daily(Tz::UTC, &[]);
    spec.week[Weekday::Mon.num_days_from_monday() as usize] = vec![(minutes(2200), minutes(600))];
    let of_the_week = |holidays: &[&str]| {
        let holidays = holidays.iter().map(|day| date(day)).collect();
        let calendar = Calendar::compile(CalendarSpec { holidays, ..spec.clone() }).unwrap();
        calendar.between(time("2026-11-23T00:00:00Z"), time("2026-11-30T00:00:00Z")).num_hours()
    };
    assert_eq!(of_the_week(&[]), 8);
    assert_eq!(of_the_week(&["2026-11-24"]), 2, "only Monday evening is left");
    assert_eq!(of_the_week(&["2026-11-23"]), 6, "only Tuesday morning is left");
}

#[test]
fn no_open_hours_at_all_are_an_error() {
    let never = daily(Tz::UTC, &[]);
    assert_eq!(Calendar::compile(never).unwrap_err(), CalendarError::NeverOpen("daily".into()));
}

#[test]
fn what_is_never_open_again_is_never_due() {
    let days = date("9990-01-01").iter_days().take_while(|day| *day < date("9999-12-31"));
    let closed =
        CalendarSpec { holidays: days.chain([date("9999-12-31")]).collect(), ..daily(Tz::UTC, &[(900, 1700)]) };
    let calendar = Calendar::compile(closed).unwrap();
    assert_eq!(calendar.add(time("9990-01-02T00:00:00Z"), mins(1)), None, "and not by wall time either");
}

/// Returns a client site that is open at night only, but not on the days of its holiday list.
fn night_site() -> Directory {
    let hours = |day| SiteHours { day, start: "20:00".into(), end: "24:00".into() };
    let days = [Weekday::Mon, Weekday::Tue, Weekday::Wed];
    let site = Site {
        id: named("night").id,
        name: "Night".into(),
        client: None,
        timezone: Some("UTC".into()),
        always_open: false,
        hours: days.map(hours).into(),
        holiday_list: Some(named("Closures")),
    };
    Directory { sites: BTreeMap::from([(site.id.clone(), site)]), ..Directory::default() }
}

#[test]
fn the_hours_are_the_msps_or_the_sites_by_the_tenants_switch() {
    let due = |site_hours| {
        let rules = RulesConfig {
            tenant: TenantId::parse("acme").unwrap(),
            words: StatusWords::default(),
            site_hours,
            msp: Some(office()),
            holiday_lists: BTreeMap::from([("Closures".into(), vec![date("2026-11-24")])]),
            policies: vec![policy(Counts::Business)],
            warn: Warn::default(),
            automation_answers: true,
        };
        let rules = TenantRules::new(rules, &night_site());
        let mut open = watched("Open");
        open.ticket.site = Some(named("night"));
        open.ticket.created_at = Some(time("2026-11-23T22:00:00Z"));
        open.first_seen_at = time("2026-11-23T22:01:00Z");
        assess(&open, ClockKind::Resolution, &rules, open.first_seen_at).due
    };
    assert_eq!(due(false), Some(time("2026-11-24T13:00:00Z")), "four hours of the office");
    assert_eq!(due(true), Some(time("2026-11-25T22:00:00Z")), "two tonight, none on the holiday, two the night after");
}

#[test]
fn a_due_time_that_superops_reports_in_closed_hours_is_missed_when_it_is_past_whatever_hours_a_policy_counts() {
    let mut late = watched("Open");
    late.ticket.resolution.due = Some(at(MONDAY_CLOSING + 60));
    let standing = |minute| resolution(&late, &[], minute).standing;
    assert_eq!(standing(MONDAY_CLOSING + 60), Standing::AtRisk { left: mins(0) });
    assert_eq!(standing(MONDAY_CLOSING + 61), Standing::Breached { over: mins(1) });
}

#[test]
fn site_hours_without_a_site_say_so_on_the_clock() {
    let flaw = |site_hours, site: Option<&str>| {
        let rules = TenantRules::new(
            RulesConfig { site_hours, ..rules_config(vec![policy(Counts::Business)]) },
            &Directory::default(),
        );
        let mut ticket = watched("Open");
        ticket.ticket.site = site.map(named);
        assess(&ticket, ClockKind::Resolution, &rules, at(10)).hours_flaw.map(str::to_owned)
    };
    assert_eq!(flaw(false, None), None);
    assert!(flaw(true, None).unwrap().contains("names no site"));
    assert!(flaw(true, Some("Attic")).unwrap().contains("does not list the ticket's site"));
}
