//! What acts do to an alert, and random histories checked against a small model.

use proptest::prelude::*;

use super::*;
use crate::ticket::{ClockKind, TenantId, TicketId};

fn at(minutes: i64) -> DateTime<Utc> {
    "2026-11-23T09:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes)
}

fn alert(stage: Stage) -> AlertRow {
    AlertRow {
        key: AlertKey::of_clock(
            &TenantId::parse("acme").unwrap(),
            &TicketId::parse("7").unwrap(),
            ClockKind::Resolution,
            0,
        ),
        raised: Raised { stage, due: at(60), target: None, episode: 0, resolved_as: None },
        reason: "its target was missed".to_owned(),
        raised_at: at(0),
        steps_from: at(0),
        changed_at: at(0),
        step: 1,
        next_step_at: Some(at(15)),
        generation: 0,
        told: true,
        escalation: "default".to_owned(),
        ack_expires: ACK_EXPIRES,
        asked: None,
        covered_until: None,
        life: Life::default(),
    }
}

fn mia() -> Actor {
    Actor { name: "Mia".to_owned(), how: How::Sms, origin: "sms".to_owned(), note: None }
}

fn after(stage: Stage, act: Act, minute: i64) -> AlertRow {
    alert(stage).after(act, &mia(), at(minute)).unwrap()
}

const SNOOZE: Act = Act::Snooze { until: DateTime::<Utc>::MAX_UTC };

#[test]
fn each_act_has_its_effect() {
    use Stage::{Breached, Warning};
    use State::{Acknowledged, Open, Resolved, Snoozed};
    let snooze = Act::Snooze { until: at(45) };
    let cases = [
        ("an acknowledged warning waits for the breach", Warning, Act::Acknowledge, Acknowledged, None),
        ("an acknowledged breach rests for half an hour", Breached, Act::Acknowledge, Acknowledged, Some(at(35))),
        ("a snooze lasts as long as it was told to", Warning, snooze, Snoozed, Some(at(45))),
        ("resolved is resolved", Breached, Act::Resolve, Resolved, None),
        ("escalated, the next step is due now", Warning, Act::Escalate, Open, Some(at(5))),
    ];
    for (name, stage, act, state, wakes_at) in cases {
        let alert = after(stage, act, 5);
        assert_eq!((alert.state(), alert.wakes_at()), (state, wakes_at), "{name}");
    }
}

#[test]
fn who_escalates_is_in_a_hurry_until_somebody_takes_the_alert_on() {
    let escalated = after(Stage::Breached, Act::Escalate, 5);
    assert!(escalated.life.hurried);
    assert!(!escalated.after(Act::Acknowledge, &mia(), at(6)).unwrap().life.hurried);
}

#[test]
fn what_changes_nothing_is_no_act() {
    let acked = after(Stage::Breached, Act::Acknowledge, 5);
    let resolved = after(Stage::Breached, Act::Resolve, 5);
    let cases = [
        ("acknowledged twice", &acked, Act::Acknowledge),
        ("snoozed into the past", &acked, Act::Snooze { until: at(10) }),
        ("acknowledged when it is over", &resolved, Act::Acknowledge),
        ("snoozed when it is over", &resolved, SNOOZE),
        ("escalated when it is over", &resolved, Act::Escalate),
        ("resolved twice", &resolved, Act::Resolve),
        ("escalated twice before the step was run", &after(Stage::Warning, Act::Escalate, 5), Act::Escalate),
    ];
    for (name, alert, act) in cases {
        assert_eq!(alert.after(act, &mia(), at(10)), None, "{name}");
    }
}

#[test]
fn an_acknowledgement_is_up_unless_the_ticket_moved() {
    let acked = after(Stage::Breached, Act::Acknowledge, 5);
    let until = |moved: Option<i64>, minute| {
        let ended = acked.after_hold(moved.map(at), at(minute))?;
        Some(ended.life.held().map(|hold| hold.until.unwrap()))
    };
    let cases = [
        ("a minute before its time", None, 34, None),
        ("its time", None, 35, Some(None)),
        ("moved before it was acknowledged", Some(4), 35, Some(None)),
        ("moved after", Some(20), 35, Some(Some(at(50)))),
        ("moved, and that is long ago too", Some(20), 50, Some(None)),
        ("a move that lies ahead is no move", Some(90), 35, Some(None)),
    ];
    for (name, moved, minute, expected) in cases {
        assert_eq!(until(moved, minute), expected, "{name}");
    }
}

#[test]
fn after_an_acknowledgement_comes_the_next_step_and_after_a_snooze_the_last_one_again() {
    let acked = after(Stage::Breached, Act::Acknowledge, 5).after_hold(None, at(35)).unwrap();
    assert_eq!((acked.step, acked.next_step_at, acked.life.again), (1, Some(at(35)), true));
    let snoozed = after(Stage::Warning, Act::Snooze { until: at(45) }, 5).after_hold(Some(at(40)), at(45)).unwrap();
    assert_eq!((snoozed.step, snoozed.next_step_at, snoozed.life.again), (0, Some(at(45)), true));
}

#[test]
fn a_higher_stage_begins_anew() {
    let acked = after(Stage::Warning, Act::Acknowledge, 5);
    let life = Life { acts: 9, ..acked.life }.anew();
    assert_eq!(life, Life { acts: 9, ..Life::default() });
}

/// What can happen to an alert.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Pass { minutes: i64 },
    Moved,
    Do(Act),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => (0_i64..200).prop_map(|minutes| Happening::Pass { minutes }),
        1 => Just(Happening::Moved),
        2 => Just(Happening::Do(Act::Acknowledge)),
        1 => (-30_i64..300).prop_map(|minute| Happening::Do(Act::Snooze { until: at(minute) })),
        1 => Just(Happening::Do(Act::Escalate)),
    ]
}

proptest! {
    /// The model: quiet from an acknowledgement or a snooze until its end, whatever else happens.
    #[test]
    fn nobody_is_told_while_somebody_holds_it(history in prop::collection::vec(happening(), 1..40)) {
        let (mut row, mut now, mut moved) = (alert(Stage::Breached), at(0), None);
        let mut quiet_until: Option<DateTime<Utc>> = None;
        let mut acked = false;
        for happening in history {
            match happening {
                Happening::Pass { minutes } => now += TimeDelta::minutes(minutes),
                Happening::Moved => moved = Some(now),
                Happening::Do(act) => {
                    let ran_out = row.life.hold.as_ref().is_some_and(|hold| hold.over && hold.kind == HoldKind::Acknowledged);
                    let Some(after) = row.after(act, &mia(), now) else { continue };
                    prop_assert!(after.generation >= row.generation);
                    row = after;
                    acked = act == Act::Acknowledge;
                    quiet_until = match act {
                        Act::Acknowledge if ran_out => Some(now + REPEATED_EVERY),
                        Act::Acknowledge => Some(now + ACK_EXPIRES),
                        Act::Snooze { until } => Some(until),
                        Act::Resolve | Act::Escalate => None,
                    };
                }
            }
            if quiet_until.is_some_and(|until| until <= now) {
                let held_at = row.life.hold.as_ref().map(|hold| hold.at);
                quiet_until = moved.filter(|at| acked && Some(*at) > held_at).map(|at| at + ACK_EXPIRES).filter(|until| *until > now);
            }
            row = row.after_hold(moved, now).unwrap_or(row);
            prop_assert_eq!(row.life.held().is_some(), quiet_until.is_some(), "{:?} at {}", row, now);
            if quiet_until.is_some() {
                prop_assert_eq!(row.next_step_at, None);
                prop_assert_eq!(row.wakes_at(), quiet_until);
            }
            // A due step runs, as in `evaluate`.
            if row.next_step_at.is_some_and(|at| at <= now) {
                row.step += 1;
                row.life.again = false;
                row.next_step_at = (row.step < 3).then(|| now + TimeDelta::minutes(15));
            }
        }
    }
}
