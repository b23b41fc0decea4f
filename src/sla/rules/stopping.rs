//! When a clock starts, and what stops it.

use super::*;
use crate::sla::clock::{Doubt, StopCause};
use crate::sla::tenant_rules::{RulesConfig, TenantRules};
use crate::sla::tests::{change, mins, rules_config, status, watched};
use crate::ticket::Directory;
use crate::ticket::conversation::{Answerer, ConversationSummary, Voice};
use crate::ticket::watch::ChangeKind as K;

fn said(voices: &[(i64, Voice)], responded: Option<i64>) -> ConversationSummary {
    ConversationSummary::of(voices.iter().map(|(minute, voice)| (at(*minute), *voice)).collect(), responded.map(at))
}

/// Returns the clock of the next response, with a target of an hour.
fn next_response(watched: &Watched, minute: i64) -> Option<Answer> {
    let rules = rules(vec![Policy { next_response: Some(mins(60)), ..policy(Counts::Business) }]);
    let clock = assess(watched, ClockKind::NextResponse, &rules, at(minute));
    Some(Answer { standing: clock.standing, due: clock.due, counted: clock.used? })
}

#[test]
fn the_clock_starts_at_creation_even_if_the_sla_came_later() {
    let answer = resolution(&watched("Open"), &[change(K::Sla, "", "Gold", 100)], 120);
    assert_eq!(
        answer,
        Answer { standing: Standing::OnTrack { left: mins(120) }, due: Some(at(240)), counted: mins(120) }
    );
}

#[test]
fn superops_time_of_response_stops_the_first_response() {
    let mut answered = watched("Open");
    answered.ticket.first_response.met_at = Some(at(60));
    answered.replied_at = Some(at(20));
    let answer = of(&answered, &[], ClockKind::FirstResponse, 500);
    assert_eq!((answer.standing, answer.counted), (Standing::Met, mins(60)), "SuperOps' time counts, not the reply");
}

#[test]
fn without_superops_time_the_first_reply_of_a_technician_stops_it() {
    let mut replied = watched("Open");
    assert_eq!(of(&replied, &[], ClockKind::FirstResponse, 61).standing, Standing::Breached { over: mins(1) });
    replied.replied_at = Some(at(55));
    assert_eq!(of(&replied, &[], ClockKind::FirstResponse, 61).standing, Standing::Met);
}

#[test]
fn a_ticket_closed_unanswered_stops_its_first_response_and_says_so() {
    let rules = rules(vec![policy(Counts::Business)]);
    let (closed, changes) = (watched("Closed"), [status("Open", "Closed", 30)]);
    let clock = assess(&having(&closed, &changes), ClockKind::FirstResponse, &rules, at(500));
    assert_eq!((clock.standing, clock.doubts.has(Doubt::ClosedUnanswered)), (Standing::Met, true));
}

#[test]
fn private_notes_and_automation_are_no_response() {
    // Private notes have no `Voice`, so they never get as far as this.
    let conversation = said(&[(5, Voice::Automation), (6, Voice::Client)], None);
    assert_eq!((conversation.asked_at, conversation.answered_at, conversation.first_answer), (None, None, None));
    let mut noticed = watched("Open");
    noticed.conversation = conversation;
    let first = of(&noticed, &[], ClockKind::FirstResponse, 61).standing;
    assert_eq!(first, Standing::Breached { over: mins(1) }, "it still runs");
}

#[test]
fn met_by_automation_is_shown_apart() {
    let mut answered = watched("Open");
    answered.ticket.first_response.met_at = Some(at(5));
    answered.conversation = said(&[(5, Voice::Automation), (30, Voice::Technician)], Some(5));
    assert_eq!(answered.conversation.first_answer, Some(Answerer::Automation));
    let clock = of(&answered, &[], ClockKind::FirstResponse, 100);
    assert_eq!((clock.standing, clock.counted), (Standing::Met, mins(5)), "SuperOps counts it; so is it counted");
}

#[test]
fn the_next_response_runs_from_the_clients_message_to_a_technicians_reply() {
    let mut asked = watched("Open");
    assert_eq!(next_response(&asked, 100), None, "nobody has asked anything");
    asked.conversation = said(&[(10, Voice::Technician), (100, Voice::Client)], Some(10));
    let running = next_response(&asked, 130).unwrap();
    assert_eq!((running.standing, running.due), (Standing::OnTrack { left: mins(30) }, Some(at(160))));
    asked.conversation = said(&[(10, Voice::Technician), (100, Voice::Client), (110, Voice::Automation)], Some(10));
    assert_eq!(next_response(&asked, 161).unwrap().standing, Standing::Breached { over: mins(1) });
    asked.conversation = said(&[(10, Voice::Technician), (100, Voice::Client), (160, Voice::Technician)], Some(10));
    assert_eq!(next_response(&asked, 900).unwrap().standing, Standing::Met);
}

#[test]
fn what_stopped_a_clock_is_kept() {
    let rules = rules(vec![policy(Counts::Business)]);
    let cause = |watched: &Watched, changes: &[Change]| {
        let clock = assess(&having(watched, changes), ClockKind::FirstResponse, &rules, at(500));
        clock.stop.map(|stop| stop.cause)
    };
    let mut reported = watched("Open");
    reported.ticket.first_response.met_at = Some(at(20));
    let mut replied = watched("Open");
    replied.replied_at = Some(at(20));
    assert_eq!(cause(&reported, &[]), Some(StopCause::Reported));
    assert_eq!(cause(&replied, &[]), Some(StopCause::TechnicianReply));
    assert_eq!(cause(&watched("Closed"), &[status("Open", "Closed", 30)]), Some(StopCause::Closed));
    assert_eq!(cause(&watched("Open"), &[]), None);
}

#[test]
fn an_automatic_response_counts_unless_the_desk_says_otherwise() {
    let mut noticed = watched("Open");
    noticed.ticket.first_response.met_at = Some(at(5));
    noticed.conversation = said(&[(5, Voice::Automation), (30, Voice::Technician)], Some(5));
    let stopped = |watched: &Watched, automation_answers| {
        let rules = RulesConfig { automation_answers, ..rules_config(vec![policy(Counts::Business)]) };
        let rules = TenantRules::new(rules, &Directory::default());
        let clock = assess(watched, ClockKind::FirstResponse, &rules, at(500));
        (clock.stopped_at, clock.doubts.has(Doubt::AutomationNotCounted))
    };
    assert_eq!(stopped(&noticed, true), (Some(at(5)), false));
    assert_eq!(stopped(&noticed, false), (None, true), "it runs on");
    noticed.replied_at = Some(at(30));
    assert_eq!(stopped(&noticed, false), (Some(at(30)), true), "until a technician replies");
}

#[test]
fn an_unlisted_status_with_a_resolution_just_before_it_stops_both_clocks() {
    let mut done = watched("Completed");
    done.ticket.resolution.met_at = Some(at(50) - TimeDelta::seconds(1));
    let changes = [status("Open", "Completed", 50), change(K::Resolved, "", "2026-11-23T09:49:59Z", 50)];
    for kind in ClockKind::REPORTED {
        assert_eq!(of(&done, &changes, kind, 5_000).standing, Standing::Met, "{kind:?}");
    }
}
