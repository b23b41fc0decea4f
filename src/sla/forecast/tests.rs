use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Attribute, Basis, Change, Forecast, Forecaster, Risk, Terms, expected_calibration_error};
use crate::sla::calendar::Calendar;

/// A synthetic desk: tickets of groups that work differently, from a fixed seed.
struct Desk {
    dice: u64,
    terms: Terms,
}

/// One of its tickets: when it is opened, and for how many hours of its ten it stays open.
#[derive(Clone, Debug)]
struct Made {
    id: String,
    group: &'static str,
    opened: i64,
    hours: f64,
    truth: f64,
}

/// Each group with its chance of a breach, known because the desk is built by it.
const GROUPS: [(&str, f64); 4] = [("Network", 0.75), ("Desktop", 0.1), ("Printers", 0.4), ("Accounts", 0.25)];

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + minutes * 60, 0).unwrap()
}

impl Desk {
    fn new() -> Self {
        let calendar = Arc::new(Calendar::round_the_clock());
        Self { dice: 88_172_645_463_325_252, terms: Terms { allowed: TimeDelta::hours(10), calendar } }
    }

    fn roll(&mut self) -> f64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        (self.dice >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Makes tickets that stay open for at least half of the time and then breach with their group's chance.
    fn make(&mut self, tickets: usize) -> Vec<Made> {
        let ticket = |number: usize| {
            let (group, truth) = GROUPS[(self.roll() * 4.0) as usize];
            let hours = if self.roll() < truth { 10.5 + 5.0 * self.roll() } else { 5.5 + 4.0 * self.roll() };
            Made { id: format!("T{number}"), group, opened: number as i64 * 20, hours, truth }
        };
        (0..tickets).map(ticket).collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Stop {
    Opened,
    Half,
    Stopped,
}

/// Returns after how many tickets of `made` the forecast said that it is not trusted, once for each such answer.
fn stepped_back(made: &[Made]) -> Vec<usize> {
    let mut doubted = Vec::new();
    watched(Forecaster::new(at(0)), made, |forecaster, number| {
        if number.is_multiple_of(50) && !forecaster.is_trusted() {
            doubted.push(number);
        }
    });
    doubted
}

/// Walks through `made` and returns the forecast of each ticket when half of its time had run.
fn said_at_half(made: &[Made]) -> (Forecaster, Vec<(f64, Made)>) {
    walked(Forecaster::new(at(0)), made)
}

fn walked(forecaster: Forecaster, made: &[Made]) -> (Forecaster, Vec<(f64, Made)>) {
    watched(forecaster, made, |_, _| {})
}

/// Does the same as [`walked`]; `watch` sees the forecaster as each ticket is opened.
fn watched(
    mut forecaster: Forecaster,
    made: &[Made],
    mut watch: impl FnMut(&Forecaster, usize),
) -> (Forecaster, Vec<(f64, Made)>) {
    let desk = Desk::new();
    let mut stops: Vec<(i64, Stop, usize)> = Vec::new();
    for (number, ticket) in made.iter().enumerate() {
        stops.push((ticket.opened, Stop::Opened, number));
        stops.push((ticket.opened + 300, Stop::Half, number));
        stops.push((ticket.opened + (ticket.hours * 60.0) as i64, Stop::Stopped, number));
    }
    stops.sort_by(|a, b| a.partial_cmp(b).unwrap());
    let mut said = Vec::new();
    for (minute, stop, number) in stops {
        let ticket = &made[number];
        match stop {
            Stop::Opened => {
                open(&mut forecaster, &desk, ticket);
                watch(&forecaster, number);
            }
            Stop::Half => {
                forecaster.advance(at(minute));
                said.push((forecaster.probability(&ticket.id, at(minute)).unwrap(), ticket.clone()));
            }
            Stop::Stopped => forecaster.stopped(&ticket.id, at(minute)),
        }
    }
    (forecaster, said)
}

fn open(forecaster: &mut Forecaster, desk: &Desk, ticket: &Made) {
    forecaster.opened(&ticket.id, desk.terms.clone(), Some("P3"), at(ticket.opened));
    let changes =
        [Change::Became(Attribute::Group, Some(ticket.group)), Change::Became(Attribute::State, Some("Open"))];
    forecaster.changed(&ticket.id, &changes, at(ticket.opened));
}

/// Returns a forecaster that has seen 1,500 tickets, and one more that is halfway.
fn learned() -> (Forecaster, Desk, DateTime<Utc>) {
    let mut desk = Desk::new();
    let made = desk.make(1_500);
    let (forecaster, _) = said_at_half(&made);
    (forecaster, desk, at(1_500 * 20 + 1_000))
}

fn asked_half_way(group: &'static str) -> Forecast {
    let (mut forecaster, desk, now) = learned();
    let minute = (now - at(0)).num_minutes();
    let ticket = Made { id: "new".to_owned(), group, opened: minute, hours: 0.0, truth: 0.0 };
    open(&mut forecaster, &desk, &ticket);
    forecaster.advance(at(minute + 300));
    forecaster.forecast("new", at(minute + 300)).unwrap()
}

#[test]
fn what_happens_later_changes_nothing_that_was_said_before() {
    let mut desk = Desk::new();
    let made = desk.make(900);
    let turn = made[600].opened;
    let mut other = made.clone();
    for ticket in &mut other {
        // Every ticket that ends after the turn ends differently, and one opened after it belongs to another.
        if ticket.opened + (ticket.hours * 60.0) as i64 > turn {
            ticket.hours = 16.0;
        }
        if ticket.opened > turn {
            ticket.group = "Network";
        }
    }
    let before = |made: &[Made]| -> Vec<(String, f64)> {
        let (_, said) = said_at_half(made);
        said.into_iter().filter(|(_, t)| t.opened + 300 <= turn).map(|(said, t)| (t.id, said)).collect()
    };
    let said = before(&made);
    assert!(said.len() > 500 && said == before(&other));
}

#[test]
fn an_outcome_waits_for_its_nominal_due_time() {
    let desk = Desk::new();
    let mut forecaster = Forecaster::new(at(0));
    let ticket = Made { id: "quick".to_owned(), group: "Network", opened: 0, hours: 1.0, truth: 0.0 };
    open(&mut forecaster, &desk, &ticket);
    forecaster.stopped("quick", at(60));
    forecaster.advance(at(599));
    assert_eq!(forecaster.grounds().outcomes, 0);
    forecaster.advance(at(600));
    assert_eq!(forecaster.grounds().outcomes, 1);
}

#[test]
fn probabilities_are_those_the_desk_was_made_with() {
    let mut desk = Desk::new();
    let made = desk.make(5_000);
    let (_, said) = said_at_half(&made);
    let late = &said[1_500..];
    let mean_off: f64 = late.iter().map(|(said, ticket)| (said - ticket.truth).abs()).sum::<f64>() / late.len() as f64;
    assert!(mean_off < 0.06, "{mean_off} away from the truth");
    let pairs: Vec<_> = late.iter().map(|(said, ticket)| (*said, ticket.hours > 10.0)).collect();
    let error = expected_calibration_error(&pairs);
    assert!(error < 0.04, "expected calibration error {error}");
}

#[test]
fn a_past_that_is_told_at_once_teaches_as_much_as_one_that_was_lived() {
    let made = Desk::new().make(2_500);
    let mut late = Forecaster::new(at(0));
    late.catches_up(at(2_500 * 20));
    let ((_, lived), (_, told)) = (said_at_half(&made), walked(late, &made));
    let off = |(lived, told): (&(f64, Made), &(f64, Made))| (lived.0 - told.0).abs();
    let mean_off = lived.iter().zip(&told).skip(2_300).map(off).sum::<f64>() / 200.0;
    assert!(mean_off < 0.03, "{mean_off} apart");
}

#[test]
fn a_clock_that_is_taken_up_late_has_run_since_it_began() {
    let (mut forecaster, mut desk) = (Forecaster::new(at(0)), Desk::new());
    desk.terms.allowed = TimeDelta::hours(10);
    forecaster.opened("1", desk.terms.clone(), None, at(0));
    let longer = Terms { allowed: TimeDelta::hours(20), ..desk.terms.clone() };
    forecaster.taken_up("1", longer, None, at(0), at(300));
    assert!(forecaster.forecast("1", at(600)).unwrap().reasons[0].contains("when 50 % of the time has run"));
    forecaster.taken_up("2", desk.terms, None, at(0), at(601));
    assert_eq!(forecaster.probability("2", at(602)), None, "it has breached before it was heard of");
    forecaster.advance(at(1_201));
    assert_eq!(forecaster.probability("1", at(1_201)), None, "it breaches when its own time is over");
    assert_eq!(forecaster.grounds().outcomes, 1, "and that alone is learned");
}

#[test]
fn before_enough_is_decided_only_the_survival_curve_speaks() {
    let mut desk = Desk::new();
    let (forecaster, said) = said_at_half(&desk.make(100));
    assert_eq!(forecaster.grounds().basis, Basis::Survival);
    assert!(said.iter().all(|(said, _)| (0.0..=1.0).contains(said)));
}

#[test]
fn trust_is_judged_on_outcomes_however_many_notes_each_left() {
    let mut desk = Desk::new();
    let made = desk.make(1_000);
    let (early, _) = said_at_half(&made[..650]);
    // Some 400 clocks were decided since the first fit. Each left three notes or more.
    assert!(early.grounds().basis == Basis::Learned && early.grounds().outcomes > 600);
    assert_eq!(early.recent_error(), None);
    let (late, _) = said_at_half(&made);
    assert!(late.recent_error().is_some(), "by now there are 500 of them");
}

#[test]
fn a_forecast_that_knows_the_truth_never_steps_back() {
    let doubted = stepped_back(&Desk::new().make(1_500));
    assert!(doubted.is_empty(), "{doubted:?}");
}

#[test]
fn a_desk_turned_upside_down_makes_the_forecast_step_back() {
    let mut made = Desk::new().make(1_150);
    for ticket in &mut made[750..] {
        // Slow tickets are quick from now on, and quick ones slow.
        ticket.hours = if ticket.hours > 10.0 { 6.0 } else { 12.0 };
    }
    let doubted = stepped_back(&made);
    assert!(doubted.first().is_some_and(|first| (800..=1_100).contains(first)), "{doubted:?}");
}

#[test]
fn a_slow_group_is_named_as_the_reason() {
    let forecast = asked_half_way("Network");
    assert!(forecast.risk >= Risk::High, "{forecast:?}");
    assert!(forecast.reasons.iter().any(|reason| reason.starts_with("Network has lately resolved ")), "{forecast:?}");
    assert!(forecast.reasons.len() <= 3);
    assert!(forecast.reasons.capacity() <= 3, "tens of thousands are kept: no room for reasons that were not given");
    assert!(forecast.grounds.outcomes >= 1_400 && forecast.grounds.since == Some(at(0)));
}

#[test]
fn a_quick_group_is_at_low_risk() {
    assert_eq!(asked_half_way("Desktop").risk, Risk::Low);
}

#[test]
fn the_finish_agrees_with_the_probability() {
    for group in ["Network", "Desktop"] {
        let forecast = asked_half_way(group);
        let finish = forecast.finish.unwrap();
        assert!(finish.earliest <= finish.median && finish.latest.is_none_or(|latest| finish.median <= latest));
        let late = finish.median > TimeDelta::hours(5);
        assert_eq!(late, forecast.probability > 0.5, "five of ten hours are left: {forecast:?}");
    }
}

#[test]
fn the_interval_holds_what_it_promises() {
    let record = learned().0.finish_record().unwrap();
    assert_eq!(record.clocks, 500);
    assert!((0.75..=0.85).contains(&record.covered), "80 % is promised: {record:?}");
    assert!(record.mean_off > TimeDelta::minutes(30) && record.mean_off < TimeDelta::hours(4), "{record:?}");
}

#[test]
fn a_clock_that_stands_still_runs_no_share() {
    let desk = Desk::new();
    let mut forecaster = Forecaster::new(at(0));
    let ticket = Made { id: "waits".to_owned(), group: "Network", opened: 0, hours: 0.0, truth: 0.0 };
    open(&mut forecaster, &desk, &ticket);
    forecaster.changed("waits", &[Change::Paused(true)], at(60));
    forecaster.advance(at(6_000));
    assert!(forecaster.probability("waits", at(6_000)).is_some(), "paused, so not breached");
    forecaster.changed("waits", &[Change::Paused(false)], at(6_000));
    forecaster.advance(at(6_539));
    assert!(forecaster.probability("waits", at(6_539)).is_some());
    forecaster.advance(at(6_540));
    assert_eq!(forecaster.probability("waits", at(6_540)), None, "breached: nothing is left to foretell");
}

#[test]
fn a_ticket_resolved_years_late_is_taken_calmly() {
    let desk = Desk::new();
    let mut forecaster = Forecaster::new(at(0));
    let ticket = Made { id: "forgotten".to_owned(), group: "Network", opened: 0, hours: 0.0, truth: 0.0 };
    open(&mut forecaster, &desk, &ticket);
    forecaster.stopped("forgotten", at(600_000));
    assert_eq!(forecaster.grounds().outcomes, 1);
    assert_eq!(forecaster.forecast("forgotten", at(600_000)), None);
}

#[test]
fn the_levels_of_risk_begin_at_quarters() {
    let levels =
        [(0.0, Risk::Low), (0.25, Risk::Medium), (0.5, Risk::High), (0.75, Risk::Critical), (1.0, Risk::Critical)];
    for (probability, risk) in levels {
        assert_eq!(Risk::of(probability), risk, "{probability}");
    }
}

#[test]
fn calibration_error_is_nought_for_the_truth_and_a_half_for_a_coin_called_certain() {
    let honest: Vec<_> = (0..1000).map(|n| (0.5, n % 2 == 0)).collect();
    assert!(expected_calibration_error(&honest) < 1e-9);
    let boastful: Vec<_> = (0..1000).map(|n| (1.0, n % 2 == 0)).collect();
    assert!((expected_calibration_error(&boastful) - 0.5).abs() < 1e-9);
}
