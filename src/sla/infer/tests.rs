use std::collections::BTreeSet;

use chrono::NaiveTime;

use super::*;
use crate::simulator::hours::Hours;
use crate::simulator::targets::{DEFAULT, GOLD, PRIORITIES, SILVER, target};
use crate::sla::calendar::CalendarSpec;
use crate::sla::zone::Tz;

/// A site by the product's calendar, and by the look-alike's own arithmetic.
struct Site {
    calendar: Calendar,
    hours: Hours,
}

fn site(zone: Tz, opens: u16, closes: u16) -> Site {
    let day = vec![(opens * 60, closes * 60)];
    let week = std::array::from_fn(|day_of_week| if day_of_week < 5 { day.clone() } else { Vec::new() });
    let spec = CalendarSpec { always: false, timezone: zone, week, ..CalendarSpec::round_the_clock() };
    let time = |hour: u16| NaiveTime::from_hms_opt(hour.into(), 0, 0).unwrap();
    Site { calendar: Calendar::compile(spec).unwrap(), hours: Hours::weekdays(zone, time(opens), time(closes)) }
}

fn sites() -> [Site; 3] {
    [
        site(Tz::named("Europe/London"), 9, 17),
        site(Tz::named("America/New_York"), 8, 18),
        site(Tz::named("Australia/Lord_Howe"), 8, 17),
    ]
}

/// Returns creation times at odd hours round the clock, over eight months that include both changes of the clocks.
fn created(nth: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_768_000_000 + nth * 97_213 + (nth * nth) % 3_600, 0).unwrap()
}

/// Returns `count` tickets of one promise, at each of `sites` in turn.
fn tickets<'a>(sla: &'a str, priority: &'a str, sites: &'a [Site], msp: &'a Calendar, count: i64) -> Vec<Evidence<'a>> {
    let promise = target(sla, priority).unwrap();
    let always = Hours::always();
    let ticket = |nth: i64| {
        let site = &sites[usize::try_from(nth).unwrap() % sites.len()];
        let hours = if promise.site_hours { &site.hours } else { &always };
        let created_at = created(nth);
        let due = [promise.response, promise.resolution].map(|allowed| Some(hours.after(created_at, allowed)));
        Evidence { sla, priority: Some(priority), created_at, due, msp, site: &site.calendar }
    };
    (0..count).map(ticket).collect()
}

fn only(mut proposals: Vec<Proposal>) -> Proposal {
    assert_eq!(proposals.len(), 1, "{proposals:?}");
    proposals.remove(0)
}

#[test]
fn the_hidden_targets_are_recovered_from_two_hundred_tickets_a_group() {
    let (sites, msp) = (sites(), Calendar::round_the_clock());
    let groups = [GOLD, SILVER, DEFAULT].into_iter().flat_map(|sla| PRIORITIES.map(|priority| (sla, priority)));
    let all: Vec<_> = groups.clone().flat_map(|(sla, priority)| tickets(sla, priority, &sites, &msp, 200)).collect();
    let proposals = infer(all, Reading::SiteHours);
    assert_eq!(proposals.len(), 15);
    for (sla, priority) in groups {
        let hidden = target(sla, priority).unwrap();
        let found = proposals.iter().find(|p| p.sla == sla && p.priority.as_deref() == Some(priority)).unwrap();
        let guess = |target| Some(Guess { target, agree: 200, of: 200 });
        assert_eq!(found.targets, [guess(hidden.response), guess(hidden.resolution)], "{sla} {priority}");
        let reading = if hidden.site_hours { Reading::SiteHours } else { Reading::RoundTheClock };
        assert_eq!(found.reading, reading, "{sla} {priority}");
    }
}

#[test]
fn due_times_that_were_moved_do_not_hide_the_target() {
    let (sites, msp) = (sites(), Calendar::round_the_clock());
    let mut moved = tickets(SILVER, "High", &sites, &msp, 200);
    for (nth, one) in (0..).zip(moved.iter_mut()).filter(|(nth, _)| nth % 5 < 2) {
        one.due[1] = one.due[1].map(|due| due + TimeDelta::minutes(7 * nth));
    }
    let found = only(infer(moved, Reading::SiteHours));
    assert_eq!(found.target(ClockKind::Resolution).unwrap().target, TimeDelta::minutes(480));
    // A move within closed hours moves no working time, so a few more than three in five agree.
    assert!((120..150).contains(&found.target(ClockKind::Resolution).unwrap().agree), "{found:?}");
}

#[test]
fn foreign_hours_hold_only_where_they_gather_more_tickets_than_ones_own() {
    let site = site(Tz::named("Europe/London"), 9, 17);
    let sites = [site];
    let same = only(infer(tickets(SILVER, "Low", &sites, &sites[0].calendar, 20), Reading::MspHours));
    assert_eq!(same.reading, Reading::MspHours, "the MSP keeps the same hours as the site");
    let msp = Calendar::round_the_clock();
    let other = only(infer(tickets(SILVER, "Low", &sites, &msp, 20), Reading::MspHours));
    assert_eq!(other.reading, Reading::SiteHours);
}

#[test]
fn of_two_readings_that_explain_as_much_the_simpler_holds() {
    let msp = Calendar::round_the_clock();
    let evidence = Evidence {
        sla: "Gold",
        priority: None,
        created_at: created(1),
        due: [Some(created(1) + TimeDelta::minutes(30)), None],
        msp: &msp,
        site: &msp,
    };
    let found = only(infer([evidence; 4], Reading::SiteHours));
    assert_eq!((found.reading, found.targets[1]), (Reading::RoundTheClock, None));
    assert!(!found.is_weak());
}

#[test]
fn what_few_tickets_say_is_weak() {
    let cases =
        [("two are few", 2, 2, true), ("three agree", 3, 3, false), ("half", 5, 10, false), ("less", 5, 11, true)];
    for (name, agree, of, weak) in cases {
        assert_eq!(Guess { target: TimeDelta::hours(1), agree, of }.is_weak(), weak, "{name}");
    }
}

#[test]
fn a_due_time_before_the_creation_says_nothing() {
    let msp = Calendar::round_the_clock();
    let due = [Some(created(0)), Some(created(0) - TimeDelta::hours(1))];
    let evidence = Evidence { sla: "Gold", priority: None, created_at: created(0), due, msp: &msp, site: &msp };
    assert_eq!(infer([evidence], Reading::MspHours), []);
}

#[test]
fn names_are_told_apart_without_regard_to_case_and_the_pressing_come_first() {
    let (sites, msp) = (sites(), Calendar::round_the_clock());
    let mut all = tickets(GOLD, "Low", &sites, &msp, 3);
    all.extend(
        tickets(GOLD, "High", &sites, &msp, 3).into_iter().map(|one| Evidence { priority: Some("HIGH"), ..one }),
    );
    all.extend(tickets(GOLD, "High", &sites, &msp, 3));
    all.extend(tickets(GOLD, "Critical", &sites, &msp, 3).into_iter().map(|one| Evidence { priority: None, ..one }));
    let found = infer(all, Reading::MspHours);
    let order: Vec<_> = found.iter().map(|one| (one.priority.as_deref(), one.tickets)).collect();
    assert_eq!(order, [(Some("HIGH"), 6), (Some("Low"), 3), (None, 3)]);
    assert_eq!(found.iter().map(|one| &one.sla).collect::<BTreeSet<_>>().len(), 1);
}
