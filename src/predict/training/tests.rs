//! What forecasters are told: a ticket created at minute 0, due after an hour, round the clock.

use super::*;
use crate::sla::forecast::Forecaster;
use crate::sla::tenant_rules::{RulesConfig, Warn};
use crate::ticket::manual_override::ManualOverride;
use crate::ticket::tests::sample;
use crate::ticket::watch::Bounds;
use crate::ticket::{Directory, Reported, TenantId};

const KIND: ClockKind = ClockKind::Resolution;

fn at(minutes: i64) -> DateTime<Utc> {
    "2026-11-23T09:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes)
}

fn rules() -> TenantRules {
    let warn = Warn { at: vec![0.75], left: Vec::new() };
    let rules = RulesConfig { warn, ..RulesConfig::bare(TenantId::parse("acme").unwrap()) };
    TenantRules::new(rules, &Directory::default())
}

fn change(kind: ChangeKind, from: Option<String>, to: Option<String>, minutes: i64) -> Change {
    Change { kind, from, to, at: Bounds { earliest: at(minutes), latest: at(minutes) } }
}

fn seen() -> Change {
    change(ChangeKind::FirstSeen, None, Some("Open".into()), 0)
}

fn status(to: &str, minutes: i64) -> Change {
    change(ChangeKind::Status, None, Some(to.into()), minutes)
}

fn moved(to: i64, minutes: i64) -> Change {
    change(ChangeKind::DueMoved(KIND), Some(at(60).to_rfc3339()), Some(at(to).to_rfc3339()), minutes)
}

fn decided(action: OverrideAction, minutes: i64) -> ManualOverride {
    ManualOverride { clock: KIND, cycle: 0, action, reason: "agreed".into(), by: "Ada".into(), at: at(minutes) }
}

fn ruled(action: OverrideAction, minutes: i64) -> Change {
    change(ChangeKind::ByHand, None, Some(decided(action, minutes).words()), minutes)
}

fn taken_back(action: OverrideAction, minutes: i64) -> Change {
    change(ChangeKind::ByHand, Some(decided(action, 0).words()), None, minutes)
}

/// Returns a forecaster that was told, by `minute`, of a ticket with `changes` that is due after an hour.
fn heard(changes: &[Change], minute: i64) -> Forecaster {
    let ticket = Ticket {
        status: Some("Open".into()),
        created_at: Some(at(0)),
        resolution: Reported { due: Some(at(60)), ..Reported::default() },
        ..sample("7")
    };
    let watched = Watched::new(ticket, Bounds { earliest: at(0), latest: at(0) });
    let mut told = training_events(&watched, changes, KIND, &rules(), &mut Shared::default());
    told.sort_by_key(|event| event.at);
    let mut forecaster = Forecaster::new(at(0));
    for TrainingEvent { at, key, what, .. } in told {
        match what {
            What::Opened(start) => forecaster.taken_up(&key, start.terms, None, start.since, at),
            What::Changed(facts) => {
                let paused = facts.iter().filter_map(|fact| match fact {
                    Fact::Paused(paused) => Some(crate::sla::forecast::Change::Paused(*paused)),
                    _ => None,
                });
                forecaster.changed(&key, &paused.collect::<Vec<_>>(), at);
            }
            What::Stopped => forecaster.stopped(&key, at),
            What::Withdrawn => forecaster.withdrawn(&key, at),
        }
    }
    forecaster.advance(at(minute));
    forecaster
}

/// Returns how much of the clock has run, as the forecast's first reason says. `None` if there is no forecast.
fn share(changes: &[Change], minute: i64) -> Option<String> {
    let said = heard(changes, minute).forecast("7", at(minute))?;
    let words = said.reasons.first().unwrap().clone();
    Some(words.split("open when ").nth(1).unwrap().split(" of the time").next().unwrap().to_owned())
}

#[test]
fn the_forecast_runs_by_the_clock_that_the_alerts_run_by() {
    let due = |minutes| ruled(OverrideAction::Due(at(minutes)), 20);
    let cases: [(&str, Vec<Change>, Option<&str>); 12] = [
        ("as promised", vec![seen()], Some("50 %")),
        ("due later by hand", vec![seen(), due(120)], Some("25 %")),
        ("due earlier by hand", vec![seen(), due(40)], Some("75 %")),
        ("due by hand before now", vec![seen(), due(10)], None),
        ("as promised again", vec![seen(), due(120), taken_back(OverrideAction::Due(at(120)), 25)], Some("50 %")),
        ("SuperOps moves what a person has fixed", vec![seen(), due(120), moved(90, 25)], Some("25 %")),
        (
            "a pause moves no due time that a person has set",
            vec![seen(), due(120), status("On Hold", 22), status("Open", 28)],
            Some("25 %"),
        ),
        ("called off", vec![seen(), ruled(OverrideAction::Cancelled, 20)], None),
        ("stopped by hand", vec![seen(), ruled(OverrideAction::StoppedAt(at(15)), 20)], None),
        (
            "called off, and taken back",
            vec![seen(), ruled(OverrideAction::Cancelled, 20), taken_back(OverrideAction::Cancelled, 25)],
            Some("50 %"),
        ),
        ("the due time moves though it never stood still", vec![seen(), moved(120, 20)], Some("25 %")),
        (
            "the due time moves by a pause, which is counted already",
            vec![seen(), status("On Hold", 5), status("Open", 20), moved(75, 20)],
            Some("25 %"),
        ),
    ];
    for (name, changes, expected) in cases {
        assert_eq!(share(&changes, 30).as_deref(), expected, "{name}");
    }
}

#[test]
fn a_reopened_clock_has_run_since_the_ticket_was_opened() {
    let reopened = change(ChangeKind::Reopened, None, Some("Open".into()), 24);
    let resolved = change(ChangeKind::Resolved, None, Some(at(12).to_rfc3339()), 12);
    let forecaster = heard(&[seen(), resolved, reopened], 30);
    assert_eq!(forecaster.forecast("7", at(30)), None, "its first clock is over");
    let again = forecaster.forecast("7\n1", at(30)).expect("the second one runs");
    assert!(again.reasons[0].contains("when 50 % of the time"), "{:?}", again.reasons);
}

#[test]
fn a_decision_does_not_reach_back_to_the_opening() {
    let due = OverrideAction::Due(at(600));
    let ticket = Ticket { created_at: Some(at(0)), ..sample("7") };
    let first = Watched::new(ticket, Bounds { earliest: at(0), latest: at(0) });
    let watched = Watched { overrides: vec![decided(due, 50)], ..first };
    let told = training_events(&watched, &[seen(), ruled(due, 50)], KIND, &rules(), &mut Shared::default());
    assert!(told.iter().all(|one| one.at >= at(50)), "nothing was promised before: {told:?}");
}
