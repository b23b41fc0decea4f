//! A ticket as people are shown it: both clocks, the risk, and what is doubtful.

use std::cmp::Reverse;

use chrono::{DateTime, TimeDelta, Utc};

use super::forecast::ClockForecast;
use super::{ClockStatus, ServiceError, TicketPolicy, TicketQuery, TicketSla};
use crate::config::Tenant;
use crate::predict::Forecasts;
use crate::service::overrides::OverrideView;
use crate::sla::clock::{Basis, ClockState, Standing, assess_all};
use crate::sla::desk::Desk;
use crate::sla::forecast::Risk;
use crate::ticket::talk::Answerer;
use crate::ticket::watch::Watched;
use crate::ticket::{ClockKind, Named};

/// The one heap a ticket is counted in, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    Breached,
    AtRisk,
    OnTrack,
    Paused,
    /// Nothing runs: met, cancelled, or without due times.
    Quiet,
}

/// A ticket assessed at one moment.
pub struct Seen {
    pub sla: TicketSla,
    pub class: Class,
    /// Working time left on the running clock that is worst off.
    least_left: TimeDelta,
    names: Names,
}

/// What a ticket can be asked for by, in lower case.
struct Names {
    technician: Vec<String>,
    client: Vec<String>,
    priority: Vec<String>,
}

impl Seen {
    /// Assesses both clocks of `watched` at `now`.
    pub fn new(tenant: &Tenant, desk: &Desk, watched: &Watched, now: DateTime<Utc>) -> Self {
        let clocks = assess_all(watched, desk, now);
        let running = clocks.iter().filter(|clock| clock.running);
        let least_left = running.filter_map(|clock| clock.left).min().unwrap_or(TimeDelta::MAX);
        Self {
            sla: TicketSla { policy: ticket_policy(desk, watched), ..ticket_sla(tenant, watched, &clocks, now) },
            class: class(&clocks),
            least_left,
            names: names(watched),
        }
    }

    /// With the version of the policies that it was assessed by.
    pub fn of_version(mut self, version: Option<u32>) -> Self {
        if let Some(policy) = &mut self.sla.policy {
            policy.version = version;
        }
        self
    }

    /// With what the forecast says of its clocks.
    pub fn foreseen(mut self, forecasts: &Forecasts, watched: &Watched, desk: &Desk) -> Self {
        for clock in &mut self.sla.clocks {
            let Some(said) = forecasts.of(&watched.ticket.id, clock.clock) else { continue };
            if matches!(clock.standing, "on_track" | "at_risk" | "paused") {
                let calendar = clock.due.map(|due| desk.hours(&watched.ticket, due).0.calendar);
                clock.forecast = Some(ClockForecast::new(said, calendar, forecasts.at));
            }
        }
        let said = self.sla.clocks.iter().filter_map(|clock| clock.forecast.as_ref().map(|said| (clock, said)));
        self.sla.breach_probability = said.clone().map(|(_, said)| said.probability).max_by(f64::total_cmp);
        let level = said.filter(|(clock, _)| forecasts.speak(clock.clock)).map(|(_, said)| said.risk()).max();
        if let Some(level) = level
            && !self.sla.clocks.iter().any(|clock| clock.standing == "breached" && clock.met_at.is_none())
        {
            // Little time is left: whatever the forecast says, that is no low risk.
            let at_risk = self.sla.clocks.iter().any(|clock| clock.standing == "at_risk");
            self.sla.breach_risk_level = level.max(if at_risk { Risk::Medium } else { Risk::Low }).as_str();
        }
        self
    }

    /// What tickets are sorted by: the class, then who has least time left; of
    /// those without a running clock, the latest read first.
    pub fn rank(&self) -> impl Ord + use<> {
        (self.class, self.least_left, Reverse(self.sla.last_updated))
    }
}

fn class(clocks: &[ClockState<'_>]) -> Class {
    let of = |clock: &ClockState<'_>| match clock.standing {
        Standing::Breached { .. } if clock.running => Class::Breached,
        Standing::AtRisk { .. } => Class::AtRisk,
        Standing::OnTrack { .. } => Class::OnTrack,
        Standing::Paused { .. } => Class::Paused,
        Standing::Breached { .. } if clock.stopped_at.is_none() => Class::Paused,
        _ => Class::Quiet,
    };
    clocks.iter().map(of).min().unwrap_or(Class::Quiet)
}

fn ticket_sla(
    tenant: &Tenant,
    watched: &Watched,
    clocks: &[ClockState<'_>; ClockKind::ALL.len()],
    now: DateTime<Utc>,
) -> TicketSla {
    let ticket = &watched.ticket;
    let name = |named: &Option<Named>| named.as_ref().map(|named| named.name.clone());
    let [response, resolution, _] = clocks;
    TicketSla {
        ticket_id: ticket.id.to_string(),
        display_id: ticket.display_id.clone(),
        tenant: tenant.id.to_string(),
        subject: ticket.subject.clone(),
        status: ticket.status.clone(),
        priority: ticket.priority.clone(),
        client: name(&ticket.client),
        technician: name(&ticket.technician),
        group: name(&ticket.group),
        sla_policy: name(&ticket.sla),
        policy: None,
        superops_url: Some(tenant.ticket_url.replace("{id}", ticket.id.as_str())),
        response_time_remaining: remaining(response),
        resolution_time_remaining: remaining(resolution),
        is_response_breached: response.breached,
        is_resolution_breached: resolution.breached,
        breach_risk_level: clocks.iter().map(Risk::of_clock).max().unwrap_or(Risk::Low).as_str(),
        breach_probability: None,
        last_updated: watched.read_at,
        clocks: clocks.iter().filter(|clock| clock.is_kept()).map(|clock| clock_status(clock, watched, now)).collect(),
        overrides: watched.overrides.iter().map(OverrideView::from).collect(),
        discrepancies: Vec::new(),
        flaws: ticket.flaws.iter().map(|flaw| format!("{}: {}", flaw.field, flaw.why)).collect(),
    }
}

fn ticket_policy(desk: &Desk, watched: &Watched) -> Option<TicketPolicy> {
    let choice = desk.choice(&watched.ticket)?;
    let policy = desk.policies().get(choice.winner)?;
    Some(TicketPolicy {
        position: choice.winner + 1,
        name: policy.words(),
        response_target: policy.response.map(|target| target.num_seconds()),
        resolution_target: policy.resolution.map(|target| target.num_seconds()),
        next_response_target: policy.next_response.map(|target| target.num_seconds()),
        clock: policy.counts.as_str(),
        choice: choice.words(desk.policies(), &[]),
        runners_up: choice.runners_up.iter().map(|index| index + 1).collect(),
        version: None,
    })
}

/// Seconds of working time left on a running clock, negative once over.
fn remaining(clock: &ClockState<'_>) -> Option<i64> {
    clock.left.filter(|_| clock.running).map(|left| left.num_seconds())
}

fn clock_status(clock: &ClockState<'_>, watched: &Watched, now: DateTime<Utc>) -> ClockStatus {
    let paused = matches!(clock.standing, Standing::Paused { .. });
    let doubts = clock.doubts.iter().map(|doubt| doubt.words().to_owned());
    ClockStatus {
        clock: clock.kind,
        standing: clock.standing.as_str(),
        breached: clock.breached,
        // While it stands still nobody can say when it will be due.
        due: clock.due.filter(|_| !paused),
        due_if_resumed_now: clock.due_if_resumed,
        due_by: clock.basis.filter(|_| clock.due.is_some()).map(Basis::as_str),
        met_at: clock.stopped_at,
        met_by: met_by(clock, watched),
        remaining: clock.left.filter(|_| clock.stopped_at.is_none()).map(|left| left.num_seconds()),
        remaining_wall: clock.due.filter(|_| clock.running).map(|due| (due - now).num_seconds()),
        elapsed_share: clock.elapsed_share(),
        at_risk_from: clock.at_risk_from,
        hours: clock.hours.map(|hours| hours.to_string()).unwrap_or_default(),
        partial: doubts.chain(clock.hours_flaw.map(str::to_owned)).collect(),
        forecast: None,
    }
}

/// Who gave the first response, as far as the conversations tell.
fn met_by(clock: &ClockState<'_>, watched: &Watched) -> Option<&'static str> {
    if clock.kind != ClockKind::FirstResponse || clock.stopped_at.is_none() {
        return None;
    }
    let reply_seen = watched.ticket.first_response.met_at.is_none() && watched.replied_at.is_some();
    let seen = watched.talk.first_answer.or(reply_seen.then_some(Answerer::Technician));
    Some(seen.map_or("not_known", Answerer::as_str))
}

fn names(watched: &Watched) -> Names {
    let ticket = &watched.ticket;
    let both = |named: &Option<Named>| {
        let named = named.iter().flat_map(|named| [named.id.as_str().to_lowercase(), named.name.to_lowercase()]);
        named.collect()
    };
    Names {
        technician: both(&ticket.technician),
        client: both(&ticket.client),
        priority: ticket.priority.iter().map(|name| name.to_lowercase()).collect(),
    }
}

/// Which tickets a query asks for.
pub struct Filter {
    tenant: Option<String>,
    risk: Option<String>,
    standing: Option<String>,
    technician: Option<String>,
    client: Option<String>,
    priority: Option<String>,
}

impl Filter {
    /// Refuses words that can match nothing.
    pub fn new(query: &TicketQuery) -> Result<Self, ServiceError> {
        let lower = |text: &Option<String>| text.as_ref().map(|text| text.trim().to_lowercase());
        let one_of = |name: &str, text: Option<String>, words: &[&str]| match text {
            Some(text) if !words.contains(&text.as_str()) => {
                Err(ServiceError::BadQuestion(format!("`{name}` is `{text}`, and must be one of {}", words.join(", "))))
            }
            text => Ok(text),
        };
        const RISKS: [&str; 4] = ["low", "medium", "high", "critical"];
        const STANDINGS: [&str; 7] = ["on_track", "at_risk", "breached", "paused", "met", "cancelled", "unknown"];
        Ok(Self {
            tenant: query.tenant.clone(),
            risk: one_of("risk", lower(&query.risk), &RISKS)?,
            standing: one_of("standing", lower(&query.standing), &STANDINGS)?,
            technician: lower(&query.technician),
            client: lower(&query.client),
            priority: lower(&query.priority),
        })
    }

    /// Whether `seen` is among them.
    pub fn lets_through(&self, seen: &Seen) -> bool {
        let named = |wanted: &Option<String>, names: &[String]| wanted.as_ref().is_none_or(|name| names.contains(name));
        let standing = |wanted: &String| seen.sla.clocks.iter().any(|clock| clock.standing == wanted);
        self.tenant.as_ref().is_none_or(|tenant| *tenant == seen.sla.tenant)
            && self.risk.as_ref().is_none_or(|risk| seen.sla.breach_risk_level.eq_ignore_ascii_case(risk))
            && self.standing.as_ref().is_none_or(standing)
            && named(&self.technician, &seen.names.technician)
            && named(&self.client, &seen.names.client)
            && named(&self.priority, &seen.names.priority)
    }
}
