//! Gathers what a message says from the ticket and its clock at the moment of the decision.

use chrono::{DateTime, TimeDelta, Utc};

use super::services::Service;
use crate::alert::escalation::Recipient;
use crate::alert::life::{Hold, HoldKind};
use crate::alert::{AlertKey, Closing, Reason, Stage, reason_now};
use crate::config::Tenant;
use crate::notify::{AlertFacts, Body, DigestRow, RecoveryFacts, ServiceFacts, TicketFacts, WorkingTime, zone_name};
use crate::predict::Forecasts;
use crate::sla::calendar::StretchKind;
use crate::sla::clock::{ClockState, Doubt};
use crate::sla::zone::Tz;
use crate::store::alerts::AlertRow;
use crate::ticket::Ticket;
use crate::ticket::watch::Watched;

/// What links for the reader are made from.
#[derive(Clone, Copy)]
pub struct Links<'a> {
    pub tenant: &'a Tenant,
    /// Whether there are several tenants, so that a message has to name the ticket's.
    pub several: bool,
    pub public_url: Option<&'a str>,
}

impl Links<'_> {
    fn ticket(&self, ticket: &Ticket) -> TicketFacts {
        TicketFacts {
            tenant: self.several.then(|| self.tenant.id.to_string()),
            id: ticket.id.to_string(),
            display_id: ticket.display_id.clone(),
            subject: ticket.subject.clone(),
            client: ticket.client.as_ref().map(|client| client.name.clone()),
            priority: ticket.priority.clone(),
            status: ticket.status.clone(),
            technician: ticket.technician.as_ref().map(|person| person.name.clone()),
            group: ticket.group.as_ref().map(|group| group.name.clone()),
            sla: ticket.sla.as_ref().map(|sla| sla.name.clone()),
            superops_url: Some(self.tenant.ticket_url.replace("{id}", ticket.id.as_str())),
            page_url: self.public_url.map(|base| format!("{base}/tickets/{}/{}", self.tenant.id, ticket.id)),
            service: None,
        }
    }

    /// Returns the component as the alert of `row` shows it.
    fn component(&self, service: &Service, row: &AlertRow) -> TicketFacts {
        let trouble = service.trouble(&row.key);
        let component = &service.component;
        TicketFacts {
            tenant: self.several.then(|| self.tenant.id.to_string()),
            id: component.id.clone(),
            display_id: component.name.clone(),
            subject: trouble.map(|trouble| trouble.said.clone()).unwrap_or_default(),
            client: component.client.clone(),
            priority: component.priority.clone(),
            page_url: self.public_url.map(|base| format!("{base}/services/{}", component.id)),
            service: Some(ServiceFacts {
                since: trouble.map_or(row.raised.due, |trouble| trouble.began),
                detail: trouble.and_then(|trouble| trouble.detail.clone()),
            }),
            ..TicketFacts::default()
        }
    }
}

/// Returns the facts of an alert for one person on one step.
pub fn alert(
    links: Links<'_>,
    watched: &Watched,
    clock: &ClockState<'_>,
    row: &AlertRow,
    step: usize,
    recipient: &Recipient,
    now: DateTime<Utc>,
) -> AlertFacts {
    // Time has passed since it was raised, and its due time may have moved.
    let mut reasons =
        vec![reason_now(clock, row.raised.stage).map_or_else(|| row.reason.clone(), |now| now.to_string())];
    let zone = clock.hours.map_or(Tz::UTC, |hours| hours.timezone());
    reasons.extend(row.life.hold.as_ref().map(|hold| hold_words(hold, zone, "which has run out")));
    if !clock.doubts.has(Doubt::DueFromPolicy) {
        reasons.push("the due time is the one that SuperOps reports".to_owned());
    }
    reasons.extend(clock.doubts.iter().map(|doubt| doubt.words().to_owned()));
    reasons.extend(clock.hours_flaw.map(str::to_owned));
    AlertFacts {
        ticket: links.ticket(&watched.ticket),
        clock: clock.kind.into(),
        stage: row.raised.stage,
        // It may have moved since the alert was raised.
        due: clock.due.unwrap_or(row.raised.due),
        working: working_from(clock, now),
        reasons,
        step: u32::try_from(step).unwrap_or(u32::MAX),
        because: recipient.because.clone(),
        hours: clock.hours.map(|hours| hours.to_string()).unwrap_or_default(),
        advice: None,
    }
}

/// Returns the facts of an alert of `service` for one person on one step.
pub fn service_alert(
    links: Links<'_>,
    service: &Service,
    row: &AlertRow,
    step: usize,
    recipient: &Recipient,
    zone: Tz,
) -> AlertFacts {
    let hold = row.life.hold.as_ref().map(|hold| hold_words(hold, zone, "and it goes on"));
    AlertFacts {
        ticket: links.component(service, row),
        clock: row.key.kind,
        stage: row.raised.stage,
        due: row.raised.due,
        working: None,
        reasons: hold.into_iter().collect(),
        step: u32::try_from(step).unwrap_or(u32::MAX),
        because: recipient.because.clone(),
        hours: String::new(),
        advice: None,
    }
}

/// Returns what people who were told hear when the alert of `service` is over.
pub fn service_recovery(
    links: Links<'_>,
    service: &Service,
    row: &AlertRow,
    closing: Closing,
    now: DateTime<Utc>,
) -> Option<serde_json::Value> {
    let ended = service.trouble(&row.key).and_then(|trouble| trouble.ended);
    let body = Body::Recovery(RecoveryFacts {
        ticket: links.component(service, row),
        clock: row.key.kind,
        // If it turns out to have been up all the time, that is known only now.
        met_at: ended.filter(|ended| *ended >= row.raised.due).unwrap_or(now),
        due: row.raised.due,
        working: None,
        closing,
    });
    serde_json::to_value(body).ok()
}

/// Says what the forecast says now, and what to do about it, if the alert is only predicted. Nothing of that is said
/// without a recent forecast.
pub fn foreseen(mut facts: AlertFacts, forecasts: &Forecasts, key: &AlertKey, now: DateTime<Utc>) -> AlertFacts {
    if facts.stage == Stage::Predicted {
        let Some((ticket, clock)) = key.clock() else { return facts };
        let is_fresh = forecasts.are_fresh(now);
        let said = forecasts.of(ticket, clock).filter(|_| is_fresh);
        let reasons = said.iter().flat_map(|said| {
            let chance = Reason::Predicted(said.probability).to_string();
            std::iter::once(chance).chain(said.reasons.iter().map(|reason| reason.to_string()))
        });
        // In place of what was said when it was raised.
        facts.reasons.splice(..1, reasons);
        facts.advice = forecasts.advice.get(ticket).filter(|_| is_fresh).cloned();
    }
    facts
}

/// Says that somebody held the alert and what came of it, so that people told next know whom to ask.
fn hold_words(hold: &Hold, zone: Tz, since: &str) -> String {
    let at = format!("{} {}", hold.at.with_timezone(&zone).format("%-d %b %H:%M"), zone_name(zone, hold.at));
    match hold.kind {
        HoldKind::Acknowledged => {
            format!("{} acknowledged it on {at}, {since}", hold.by)
        }
        HoldKind::Snoozed => format!("{} snoozed it on {at}, and the snooze has ended", hold.by),
    }
}

/// How long a message may wait before it is sent: a night, a weekend and a holiday.
const LONGEST_WAIT: TimeDelta = TimeDelta::days(4);

/// Returns the working time left from `now` on, if it differs from wall time.
fn working_from(clock: &ClockState<'_>, now: DateTime<Utc>) -> Option<WorkingTime> {
    let working = working_at(clock, now)?;
    let calendar = clock.hours?.calendar;
    let stretches = calendar.stretches(now, now + LONGEST_WAIT).filter(|one| one.kind == StretchKind::Open);
    Some(WorkingTime { open: stretches.map(|one| (one.from, one.to)).collect(), ..working })
}

/// Returns the working time left at `at`, if it differs from wall time: round the clock, only a pause makes a difference.
fn working_at(clock: &ClockState<'_>, at: DateTime<Utc>) -> Option<WorkingTime> {
    let calendar = clock.hours?.calendar;
    let left = clock.left.or_else(|| Some(calendar.between(at, clock.due?)))?;
    let is_wall_time = clock.due.is_some_and(|due| (due - at - left).abs() < TimeDelta::seconds(1));
    if calendar.is_seamless() && is_wall_time {
        return None;
    }
    // Rounded down: over by half a second is over.
    let left_seconds = left.num_milliseconds().div_euclid(1000);
    Some(WorkingTime { left_seconds, at, open: Vec::new() })
}

/// Returns what people who were told hear when the alert is over.
pub fn recovery(
    links: Links<'_>,
    watched: &Watched,
    clock: &ClockState<'_>,
    row: &AlertRow,
    closing: Closing,
) -> Option<serde_json::Value> {
    let met_at = clock.stopped_at.unwrap_or(row.changed_at);
    let body = Body::Recovery(RecoveryFacts {
        ticket: links.ticket(&watched.ticket),
        clock: clock.kind.into(),
        met_at,
        due: clock.due.unwrap_or(row.raised.due),
        working: working_at(clock, met_at),
        closing,
    });
    serde_json::to_value(body).ok()
}

/// A row of a digest, with what it is sorted and shown by.
#[derive(Clone)]
pub struct Dated {
    pub due: DateTime<Utc>,
    pub timezone: Tz,
    pub row: DigestRow,
    pub alert: AlertKey,
}

/// Returns the row of a digest for one clock, whose alert is `alert`.
pub fn digest_row(
    links: Links<'_>,
    watched: &Watched,
    clock: &ClockState<'_>,
    alert: AlertKey,
    now: DateTime<Utc>,
) -> Option<Dated> {
    let (due, working) = (clock.due?, working_from(clock, now));
    let row = DigestRow { ticket: links.ticket(&watched.ticket), clock: clock.kind.into(), due, working };
    Some(Dated { due, timezone: clock.hours?.timezone(), row, alert })
}
