//! The standing of a clock and its level of risk.

use super::*;
use crate::sla::clock::ClockState;
use crate::sla::forecast::Risk;
use crate::sla::tests::{between, watched};
use crate::ticket::Reported;

/// Runs `check` on a resolution clock that SuperOps reports due after an hour, once `change` is made.
fn on_reported<T>(change: impl FnOnce(&mut Watched), minute: i64, check: impl FnOnce(&ClockState<'_>) -> T) -> T {
    let mut watched = watched("Open");
    watched.ticket.resolution.due = Some(at(60));
    change(&mut watched);
    let rules = rules(Vec::new());
    check(&assess(&watched, ClockKind::Resolution, &rules, at(minute)))
}

#[test]
fn every_standing_has_its_case() {
    type Case = (fn(&mut Watched), i64, &'static str);
    let cases: [Case; 7] = [
        (|_| {}, 44, "on_track"),
        (|_| {}, 45, "at_risk"),
        (|_| {}, 61, "breached"),
        (|w| w.ticket.status = Some("On Hold".into()), 61, "paused"),
        (|w| w.ticket.resolution.met_at = Some(at(30)), 500, "met"),
        (|w| w.vanished_at = Some(at(30)), 500, "cancelled"),
        (|w| w.ticket.resolution.due = None, 500, "unknown"),
    ];
    for (change, minute, name) in cases {
        on_reported(change, minute, |clock| assert_eq!(clock.standing.as_str(), name));
    }
}

#[test]
fn a_breach_outlives_a_pause_and_the_resolution() {
    let paused = |w: &mut Watched| {
        w.ticket.status = Some("On Hold".into());
        w.status_since = Some(between(70, 70));
    };
    on_reported(paused, 5_000, |clock| assert!(clock.breached && !clock.running, "paused and breached"));
    let met = |w: &mut Watched| w.ticket.resolution = Reported { met_at: Some(at(61)), ..w.ticket.resolution.clone() };
    on_reported(met, 5_000, |clock| assert!(clock.breached && clock.stopped_at.is_some(), "met and breached"));
    let flagged = |w: &mut Watched| w.ticket.resolution.breached = Some(true);
    on_reported(flagged, 10, |clock| assert!(clock.breached, "as SuperOps says"));
}

#[test]
fn the_level_of_risk_follows_the_probability_of_a_breach() {
    let levels = [(0.0, Risk::Low), (0.25, Risk::Medium), (0.5, Risk::High), (0.75, Risk::Critical)];
    for (probability, level) in levels {
        assert_eq!(Risk::of(probability), level, "{probability}");
    }
}

#[test]
fn without_a_forecast_the_level_of_risk_follows_what_is_left_and_a_breach_is_critical() {
    let cases = [(0, Risk::Low), (29, Risk::Low), (30, Risk::Medium), (45, Risk::High), (61, Risk::Critical)];
    for (minute, level) in cases {
        on_reported(|_| {}, minute, |clock| assert_eq!(Risk::of_clock(clock), level, "at {minute}"));
    }
    let late = |w: &mut Watched| w.ticket.resolution.met_at = Some(at(61));
    on_reported(late, 500, |clock| assert_eq!(Risk::of_clock(clock), Risk::Low, "nothing is left to lose"));
}
