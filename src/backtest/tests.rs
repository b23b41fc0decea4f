use std::io::Write;
use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use super::{Awaited, Path, Promises, figures, walk};
use crate::history::{self, Record};
use crate::sla::calendar::{Calendar, CalendarSpec};
use crate::sla::forecast::{Finish, Terms};

/// Thirty working hours, Monday to Friday 08:00 to 18:00.
struct Office(Arc<Calendar>);

impl Office {
    fn new() -> Self {
        let day = vec![(480, 1080)];
        let week = [day.clone(), day.clone(), day.clone(), day.clone(), day, vec![], vec![]];
        let spec = CalendarSpec { always: false, week, ..CalendarSpec::round_the_clock() };
        Self(Arc::new(Calendar::compile(spec).unwrap()))
    }
}

impl Promises for Office {
    fn terms(&self, _: &Record) -> Option<Terms> {
        Some(Terms { allowed: TimeDelta::hours(30), calendar: self.0.clone() })
    }

    fn pauses(&self, state: &str) -> bool {
        state == "Awaiting User Info"
    }

    fn resolves(&self, state: &str) -> bool {
        state == "Resolved"
    }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse::<NaiveDateTime>().unwrap().and_utc()
}

fn records(lines: &str) -> Vec<Arc<Record>> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(lines.as_bytes()).unwrap();
    history::read(file.path()).map(|record| Arc::new(record.unwrap())).collect()
}

fn ticket(id: &str, opened: &str, events: &[(&str, &str)]) -> String {
    let events: Vec<_> = events.iter().map(|(at, state)| format!(r#"{{"at":"{at}","state":"{state}"}}"#)).collect();
    format!(r#"{{"ticket_id":"{id}","source":"t","opened_at":"{opened}","events":[{}]}}"#, events.join(",")) + "\n"
}

fn path(opened: &str, events: &[(&str, &str)]) -> Path {
    Path::of(records(&ticket("A", opened, events)).remove(0), &Office::new()).unwrap()
}

#[test]
fn a_clock_runs_in_working_hours_only() {
    let path = path("2016-04-22T16:00:00", &[("2016-04-22T16:00:00", "New")]);
    assert_eq!(path.breached_at, Some(at("2016-04-27T16:00:00")));
}

#[test]
fn a_pause_moves_the_breach_by_its_working_time() {
    let states = [
        ("2016-04-22T16:00:00", "New"),
        ("2016-04-25T09:00:00", "Awaiting User Info"),
        ("2016-04-25T14:00:00", "Active"),
    ];
    assert_eq!(path("2016-04-22T16:00:00", &states).breached_at, Some(at("2016-04-28T11:00:00")));
}

#[test]
fn checkpoints_are_reached_only_while_open() {
    let states = [("2016-04-18T08:00:00", "New"), ("2016-04-19T13:00:00", "Resolved")];
    let path = path("2016-04-18T08:00:00", &states);
    assert_eq!(
        path.checkpoints,
        [Some(at("2016-04-18T15:30:00")), None, None],
        "resolved at the very half is not open"
    );
    assert_eq!(path.breached_at, None);
}

#[test]
fn the_first_resolution_counts_even_if_it_is_opened_again() {
    let states = [("2016-04-18T09:00:00", "Resolved"), ("2016-04-18T10:00:00", "Active")];
    let path = path("2016-04-18T08:00:00", &states);
    assert_eq!((path.resolved_at, path.breached_at), (Some(at("2016-04-18T09:00:00")), None));
}

#[test]
fn the_future_of_a_history_changes_nothing_said_before_it() {
    let office = Office::new();
    let lines = |end: &str| -> String {
        let opened = (0..300).map(|n| at("2016-03-01T08:00:00") + TimeDelta::hours(3 * n));
        let one = |(n, opened): (usize, DateTime<Utc>)| {
            let done = opened + TimeDelta::hours(if n % 3 == 0 { 200 } else { 40 });
            let done = if done > at("2016-03-25T00:00:00") { at(end) } else { done };
            let text = |at: DateTime<Utc>| at.naive_utc().format("%Y-%m-%dT%H:%M:%S").to_string();
            ticket(&format!("T{n}"), &text(opened), &[(&text(opened), "New"), (&text(done), "Resolved")])
        };
        opened.enumerate().map(one).collect()
    };
    let said = |end: &str| {
        let paths: Vec<_> = records(&lines(end)).into_iter().filter_map(|r| Path::of(r, &office)).collect();
        let mut said = walk(&paths, 0, &office, |_, _| {}).said;
        said.retain(|said| said.at < at("2016-03-25T00:00:00"));
        said
    };
    let first = said("2016-04-20T00:00:00");
    assert!(first.len() > 100 && first == said("2016-05-20T00:00:00"));
}

#[test]
fn times_are_judged_by_the_interval_and_by_the_distance() {
    let hours = TimeDelta::hours;
    let expected = Finish { median: hours(10), earliest: hours(4), latest: Some(hours(20)) };
    let open_ended = Finish { latest: None, ..expected };
    let awaited = [(expected, 4), (expected, 3), (expected, 21), (open_ended, 30)];
    let awaited = awaited.map(|(expected, took)| Awaited { expected, took: hours(took) });
    let judged = figures(&[(0.5, true)]).with_times(&awaited);
    assert_eq!((judged.covered, judged.finish_off_hours), (Some(0.5), Some((6.0 + 7.0 + 11.0 + 20.0) / 4.0)));
    assert_eq!(figures(&[(0.5, true)]).with_times(&[]).covered, None, "nothing was resolved");
}

#[test]
fn figures_of_a_perfect_and_of_a_blind_forecast() {
    let perfect = figures(&[(0.9, true), (0.8, true), (0.2, false), (0.1, false)]);
    assert_eq!((perfect.auc, perfect.average_precision), (Some(1.0), Some(1.0)));
    let blind = figures(&[(0.5, true), (0.5, false), (0.5, true), (0.5, false)]);
    assert_eq!((blind.auc, blind.average_precision, blind.brier), (Some(0.5), Some(0.5), 0.25));
    assert_eq!(figures(&[(0.3, false)]).auc, None, "nothing to tell apart");
}
