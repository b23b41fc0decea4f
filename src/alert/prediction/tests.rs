//! What is predicted, how often, and when it is taken back.

use super::*;
use crate::alert::decide;

fn at(text: &str) -> DateTime<Utc> {
    format!("2026-11-23T{text}:00Z").parse().unwrap()
}

fn candidate(id: &str, probability: f64, hours_left: i64) -> Candidate {
    let ticket = TicketId::parse(id).unwrap();
    Candidate { ticket, clock: ClockKind::Resolution, cycle: 0, probability, left: TimeDelta::hours(hours_left) }
}

const TEN: Rule = Rule::Budget(Budget { a_day: 10, least_left: TimeDelta::hours(2) });

fn told(rule: Rule, candidates: &[Candidate], told_today: usize, time: &str) -> Vec<String> {
    let chosen = choose(rule, candidates.to_vec(), told_today, at(time), Tz::UTC);
    chosen.into_iter().map(|candidate| candidate.ticket.to_string()).collect()
}

#[test]
fn a_budget_goes_to_the_most_probable_with_time_left_to_act() {
    let open = [
        candidate("unlikely", 0.49, 8),
        candidate("likely", 0.5, 8),
        candidate("too late", 0.99, 1),
        candidate("just in time", 0.9, 2),
        candidate("surest", 0.95, 8),
    ];
    assert_eq!(told(TEN, &open, 0, "12:00"), ["surest", "just in time", "likely"]);
}

#[test]
fn half_of_a_budget_is_there_in_the_morning_and_the_rest_is_earned_until_five() {
    let open: Vec<_> = (0..20).map(|number| candidate(&format!("{number:02}"), 0.8, 8)).collect();
    let cases = [
        ("at midnight", "00:00", 0, 5),
        ("at nine", "09:00", 0, 5),
        ("at one", "13:00", 0, 8),
        ("at five", "17:00", 0, 10),
        ("at night", "23:59", 0, 10),
        ("half is spent at nine", "09:00", 5, 0),
        ("half is spent at one", "13:00", 5, 3),
        ("all is spent", "23:59", 10, 0),
        ("more than all is spent, since K was lowered", "23:59", 12, 0),
    ];
    for (name, time, spent, expected) in cases {
        assert_eq!(told(TEN, &open, spent, time).len(), expected, "{name}");
    }
}

#[test]
fn a_threshold_tells_all_that_reach_it_and_knows_no_day() {
    let open = [candidate("under", 0.69, 8), candidate("at", 0.7, 0), candidate("over", 0.9, 8)];
    assert_eq!(told(Rule::Threshold(0.7), &open, 100, "09:00"), ["over", "at"]);
}

#[test]
fn what_was_told_is_taken_back_only_when_clearly_unlikely() {
    let cases = [(TEN, 0.36, false), (TEN, 0.34, true), (Rule::Threshold(0.7), 0.56, false)];
    for (rule, probability, expected) in cases {
        assert_eq!(rule.takes_back(probability), expected, "{rule:?} {probability}");
    }
    assert!(Rule::Threshold(0.7).takes_back(0.54));
    assert!(!Rule::Threshold(0.2).takes_back(0.11), "a low threshold keeps half of itself as slack");
}

/// Returns a clock that is due at five.
fn clock(standing: Standing) -> ClockState<'static> {
    ClockState {
        standing,
        breached: matches!(standing, Standing::Breached { .. }),
        due: Some(at("17:00")),
        total: Some(TimeDelta::hours(8)),
        left: Some(TimeDelta::hours(6)),
        at_risk_from: Some(at("15:00")),
        breached_from: Some(at("17:00")),
        running: !matches!(standing, Standing::Paused { .. } | Standing::Met),
        ..ClockState::blank(ClockKind::Resolution)
    }
}

#[test]
fn a_prediction_is_told_once_and_gives_way_to_the_clock() {
    let left = TimeDelta::hours(1);
    let (on_track, at_risk, paused) =
        (Standing::OnTrack { left }, Standing::AtRisk { left }, Standing::Paused { left });
    let raised = |stage, resolved_as| Some(Raised { stage, due: at("17:00"), target: None, episode: 0, resolved_as });
    let open = raised(Stage::Predicted, None);
    let over = |closing| raised(Stage::Predicted, Some(closing));
    let (tell, back) = (Some(Call::Tell(0.8)), Some(Call::TakeBack));
    let predicted = Decision::Raise { stage: Stage::Predicted, episode: 0, reason: Reason::Predicted(0.8) };
    let warned = Decision::Raise { stage: Stage::Warning, episode: 0, reason: Reason::Elapsed(0.25) };
    let cases = [
        ("chosen", on_track, None, tell, predicted),
        ("not chosen", on_track, None, None, Decision::Keep),
        ("chosen, but at risk by now", at_risk, None, tell, warned),
        ("told before", on_track, open, tell, Decision::Keep),
        ("told before, and nothing is said any more", on_track, open, None, Decision::Keep),
        ("unlikely by now", on_track, open, back, Decision::Resolve(Closing::Unlikely)),
        ("likely again: once is enough", on_track, over(Closing::Unlikely), tell, Decision::Keep),
        ("at risk after a prediction", at_risk, open, tell, warned),
        ("paused after a prediction", paused, open, tell, Decision::Resolve(Closing::Paused)),
        ("resumed, still likely", on_track, over(Closing::Paused), tell, Decision::Reopen),
        ("resumed, unlikely", on_track, over(Closing::Paused), back, Decision::Keep),
        ("answered", Standing::Met, open, tell, Decision::Resolve(Closing::Met)),
        ("warned before", on_track, raised(Stage::Warning, Some(Closing::Retargeted)), tell, Decision::Keep),
    ];
    for (name, standing, raised, call, expected) in cases {
        let clock = clock(standing);
        let decision = decide(&clock, Some(at("09:00")), raised.as_ref());
        assert_eq!(refine(decision, &clock, raised.as_ref(), call), expected, "{name}");
    }
}

#[test]
fn room_is_with_whoever_has_fewest_open_and_fewer_than_the_owner() {
    let team =
        [("Ann", 4), ("Bob", 2), ("Cat", 2), ("Dan", 7)].map(|(name, open)| GroupMember { name, open, on_call: false });
    let cases = [
        ("nobody owns it", None, Some("Bob")),
        ("an owner with much", Some("Dan"), Some("Bob")),
        ("the owner has no more than the rest", Some("Bob"), None),
        ("an owner of another group", Some("Eve"), Some("Bob")),
    ];
    for (name, owner, expected) in cases {
        assert_eq!(with_room(&team, owner, true).map(|hand| hand.name), expected, "{name}");
        assert_eq!(with_room(&team, owner, false), None, "{name}, when the hours are over and nobody is on call");
    }
    assert_eq!(with_room(&[], None, true), None);
}

#[test]
fn whoever_is_on_call_is_asked_first_and_out_of_hours_nobody_else() {
    let team = |on_call: &[&str]| {
        let hand = |(name, open)| GroupMember { name, open, on_call: on_call.contains(&name) };
        [("Ann", 4), ("Bob", 2), ("Cat", 6)].map(hand)
    };
    let cases = [
        ("on call with more than others", team(&["Ann"]), Some("Cat"), true, Some("Ann")),
        ("on call with more than the owner", team(&["Cat"]), Some("Ann"), true, Some("Bob")),
        ("the owner is on call", team(&["Ann"]), Some("Ann"), true, Some("Bob")),
        ("the owner is on call and all others are at home", team(&["Ann"]), Some("Ann"), false, None),
        ("the owner is at home", team(&["Cat"]), Some("Ann"), false, Some("Cat")),
        ("two are on call", team(&["Ann", "Cat"]), None, false, Some("Ann")),
    ];
    for (name, team, owner, staffed, expected) in cases {
        assert_eq!(with_room(&team, owner, staffed).map(|hand| hand.name), expected, "{name}");
    }
}
