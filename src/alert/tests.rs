//! When an alert is raised, kept and resolved.

use chrono::TimeDelta;

use super::*;

fn at(minutes: i64) -> DateTime<Utc> {
    "2026-11-23T09:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes)
}

/// Returns a clock that is due at minute 60, with this `standing`.
fn clock(standing: Standing) -> ClockState<'static> {
    let running = matches!(standing, Standing::OnTrack { .. } | Standing::AtRisk { .. } | Standing::Breached { .. });
    ClockState {
        standing,
        breached: matches!(standing, Standing::Breached { .. }),
        due: Some(at(60)),
        total: Some(TimeDelta::minutes(60)),
        left: Some(TimeDelta::minutes(12)),
        at_risk_from: Some(at(45)),
        breached_from: Some(at(60)),
        running,
        ..ClockState::blank(ClockKind::Resolution)
    }
}

const LEFT: TimeDelta = TimeDelta::minutes(12);
const ON_TRACK: Standing = Standing::OnTrack { left: LEFT };
const AT_RISK: Standing = Standing::AtRisk { left: LEFT };
const BREACHED: Standing = Standing::Breached { over: LEFT };
const PAUSED: Standing = Standing::Paused { left: LEFT };

fn raised(stage: Stage, resolved_as: Option<Closing>) -> Raised {
    Raised { stage, due: at(60), target: Some(TimeDelta::minutes(60)), episode: 0, resolved_as }
}

fn raise(stage: Stage, episode: u32) -> Decision {
    let reason = if stage == Stage::Breached { Reason::Missed } else { Reason::Elapsed(0.8) };
    Decision::Raise { stage, episode, reason }
}

#[test]
fn each_change_of_standing_is_told_once() {
    use Stage::{Breached, Warning};
    let open = |stage| Some(raised(stage, None));
    let over = |stage, closing| Some(raised(stage, Some(closing)));
    let cases = [
        ("nothing is wrong", ON_TRACK, None, Decision::Keep),
        ("at risk for the first time", AT_RISK, None, raise(Warning, 0)),
        ("still at risk", AT_RISK, open(Warning), Decision::Keep),
        ("from at risk to breached", BREACHED, open(Warning), raise(Breached, 0)),
        ("still breached", BREACHED, open(Breached), Decision::Keep),
        ("met after a warning", Standing::Met, open(Warning), Decision::Resolve(Closing::Met)),
        ("paused after a warning", PAUSED, open(Warning), Decision::Resolve(Closing::Paused)),
        ("the due time moved away", ON_TRACK, open(Warning), Decision::Resolve(Closing::Retargeted)),
        ("gone", Standing::Cancelled, open(Warning), Decision::Resolve(Closing::Vanished)),
        ("the SLA was taken away", Standing::Unknown, open(Warning), Decision::Resolve(Closing::SlaRemoved)),
        ("resumed, and no worse than people know", AT_RISK, over(Warning, Closing::Paused), Decision::Reopen),
        ("resumed, and worse than people know", BREACHED, over(Warning, Closing::Paused), raise(Breached, 1)),
        ("in danger again after it was safe", AT_RISK, over(Warning, Closing::Retargeted), raise(Warning, 1)),
        ("over and quiet", Standing::Met, over(Warning, Closing::Met), Decision::Keep),
    ];
    for (name, standing, raised, expected) in cases {
        assert_eq!(decide(&clock(standing), Some(at(0)), raised.as_ref()), expected, "{name}");
    }
}

#[test]
fn closed_late_is_no_recovery() {
    let late = ClockState { stopped_at: Some(at(70)), running: false, ..clock(BREACHED) };
    assert_eq!(
        decide(&late, Some(at(0)), Some(&raised(Stage::Breached, None))),
        Decision::Resolve(Closing::ClosedLate)
    );
    assert_eq!(decide(&late, Some(at(0)), None), Decision::Keep, "and nothing new is raised about it");
}

#[test]
fn what_was_past_when_first_seen_is_known_not_news() {
    assert_eq!(decide(&clock(BREACHED), Some(at(61)), None), Decision::Known { reason: Reason::Missed });
    assert_eq!(decide(&clock(BREACHED), Some(at(59)), None), raise(Stage::Breached, 0), "it was seen in time");
    assert_eq!(decide(&clock(BREACHED), None, None), raise(Stage::Breached, 0), "the watch had begun before");
    assert_eq!(decide(&clock(AT_RISK), Some(at(50)), None), raise(Stage::Warning, 0), "there is still time to act");
}

#[test]
fn more_time_after_a_breach_starts_a_new_episode() {
    let more =
        ClockState { total: Some(TimeDelta::minutes(200)), left: Some(TimeDelta::minutes(40)), ..clock(AT_RISK) };
    let moved = ClockState { due: Some(at(200)), ..more };
    assert_eq!(decide(&moved, Some(at(0)), Some(&raised(Stage::Breached, None))), raise(Stage::Warning, 1));
}

#[test]
fn an_open_alert_follows_its_due_time_and_an_ended_one_stays_as_it_was() {
    let sooner = ClockState { due: Some(at(54)), ..clock(BREACHED) };
    let noted = |clock: &ClockState<'_>, raised: Raised| {
        note_move(decide(clock, Some(at(0)), Some(&raised)), clock, Some(&raised))
    };
    assert_eq!(noted(&sooner, raised(Stage::Breached, None)), Decision::Move);
    assert_eq!(
        noted(&sooner, raised(Stage::Warning, None)),
        raise(Stage::Breached, 0),
        "which is raised for its new time"
    );
    assert_eq!(noted(&clock(BREACHED), raised(Stage::Breached, None)), Decision::Keep);
    assert_eq!(noted(&sooner, raised(Stage::Breached, Some(Closing::ByHand))), Decision::Keep);
    let met = ClockState { due: Some(at(54)), ..clock(Standing::Met) };
    assert_eq!(noted(&met, raised(Stage::Breached, Some(Closing::Met))), Decision::Keep);
}

#[test]
fn a_due_time_that_a_pause_has_moved_is_the_same_promise() {
    let after_a_pause = ClockState { due: Some(at(155)), ..clock(AT_RISK) };
    let decided = |closing| decide(&after_a_pause, Some(at(0)), Some(&raised(Stage::Warning, Some(closing))));
    assert_eq!(decided(Closing::Paused), Decision::Reopen);
    assert_eq!(decided(Closing::ByHand), Decision::Keep, "it stays resolved");
    let warned = Raised { target: None, ..raised(Stage::Warning, Some(Closing::Paused)) };
    assert_eq!(decide(&after_a_pause, Some(at(0)), Some(&warned)), raise(Stage::Warning, 1), "nobody knows the target");
    let (total, left) = (Some(TimeDelta::minutes(45)), Some(TimeDelta::minutes(9)));
    let shorter = ClockState { total, left, ..after_a_pause };
    let warned = raised(Stage::Warning, Some(Closing::Paused));
    assert_eq!(decide(&shorter, Some(at(0)), Some(&warned)), raise(Stage::Warning, 1), "another promise");
}

#[test]
fn a_reason_reads_well() {
    assert_eq!(Reason::Elapsed(0.7599).to_string(), "75 % of its working time has passed");
    assert_eq!(Reason::Missed.to_string(), "its target was missed");
}
