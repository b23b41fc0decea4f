//! A ticket as people see it: its clocks, the risk, and what is doubtful.

use chrono::{DateTime, Utc};

use super::forecast::ClockForecast;
use super::{ClockStatus, TicketPolicy, TicketSla};
use crate::config::Tenant;
use crate::predict::Forecasts;
use crate::service::overrides::OverrideView;
use crate::sla::clock::{Basis, ClockState, Standing};
use crate::sla::forecast::Risk;
use crate::sla::standing::{TicketStanding, clock_name};
use crate::sla::tenant_rules::TenantRules;
use crate::ticket::conversation::Answerer;
use crate::ticket::watch::Watched;
use crate::ticket::{ClockKind, Named, TicketId};

/// The clocks of one ticket at one moment.
pub type Clocks<'a> = [ClockState<'a>; ClockKind::ALL.len()];

/// What is needed to show a ticket.
#[derive(Clone, Copy)]
pub struct ViewContext<'a> {
    pub tenant: &'a Tenant,
    pub rules: &'a TenantRules,
    pub forecasts: &'a Forecasts,
    /// The version of the tenant's policies; none before the service has run.
    pub version: Option<u32>,
    pub now: DateTime<Utc>,
}

impl ViewContext<'_> {
    /// Shows `watched`, whose clocks stand as given.
    pub fn show(&self, watched: &Watched, clocks: &Clocks<'_>) -> TicketSla {
        let mut sla = ticket_sla(self.tenant, watched, clocks, self.now);
        sla.policy = ticket_policy(self.rules, watched);
        if let Some(policy) = &mut sla.policy {
            policy.version = self.version;
        }
        for (clock, state) in sla.clocks.iter_mut().zip(clocks.iter().filter(|clock| clock.is_kept())) {
            clock.forecast = self.forecast(watched, state);
        }
        let said = sla.clocks.iter().filter_map(|clock| clock.forecast.as_ref()).filter(|said| said.relied_on);
        sla.breach_probability = said.map(|said| said.probability).max_by(f64::total_cmp);
        sla.breach_risk_level = risk_word(risk(&watched.ticket.id, clocks, self.forecasts));
        sla
    }

    fn forecast(&self, watched: &Watched, clock: &ClockState<'_>) -> Option<ClockForecast> {
        let said = self.forecasts.of(&watched.ticket.id, clock.kind).filter(|_| is_undecided(clock))?;
        let paused = matches!(clock.standing, Standing::Paused { .. });
        let due = clock.due.filter(|_| !paused);
        let calendar = due.map(|due| self.rules.hours(&watched.ticket, due).0.calendar);
        Some(ClockForecast::new(said, self.forecasts.speak(clock.kind), calendar, self.forecasts.at))
    }
}

/// Whether it is still open how the clock will end.
fn is_undecided(clock: &ClockState<'_>) -> bool {
    matches!(clock.standing, Standing::OnTrack { .. } | Standing::AtRisk { .. } | Standing::Paused { .. })
}

/// The risk of a breach: by the time left and, where they are trusted, by the forecasts. None where nothing is due.
pub fn risk(ticket: &TicketId, clocks: &Clocks<'_>, forecasts: &Forecasts) -> Option<Risk> {
    if TicketStanding::of(clocks) == TicketStanding::NothingDue {
        return None;
    }
    let by_clock = clocks.iter().map(Risk::of_clock).max().unwrap_or(Risk::Low);
    let believed = clocks.iter().filter(|clock| is_undecided(clock) && forecasts.speak(clock.kind));
    let foreseen = believed.filter_map(|clock| Some(Risk::of(forecasts.of(ticket, clock.kind)?.probability))).max();
    let late = TicketStanding::is_late(clocks);
    let at_risk = clocks.iter().any(|clock| matches!(clock.standing, Standing::AtRisk { .. }));
    Some(match foreseen {
        None => by_clock,
        Some(_) if late => by_clock,
        // Little time is left: whatever the forecast says, the risk is not low.
        Some(foreseen) => foreseen.max(if at_risk { Risk::Medium } else { Risk::Low }),
    })
}

/// `NONE` where nothing is due.
pub fn risk_word(risk: Option<Risk>) -> &'static str {
    risk.map_or("NONE", Risk::as_str)
}

/// The one word for how the ticket stands; `closed` for one that is not open.
fn standing_word(tenant: &Tenant, watched: &Watched, clocks: &Clocks<'_>) -> &'static str {
    if watched.is_open(&tenant.statuses) { TicketStanding::of(clocks).as_str() } else { "closed" }
}

fn ticket_sla(tenant: &Tenant, watched: &Watched, clocks: &Clocks<'_>, now: DateTime<Utc>) -> TicketSla {
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
        standing: standing_word(tenant, watched, clocks),
        response_time_remaining: remaining(response),
        resolution_time_remaining: remaining(resolution),
        is_response_breached: response.breached,
        is_resolution_breached: resolution.breached,
        breach_risk_level: risk_word(None),
        breach_probability: None,
        last_updated: watched.read_at,
        clocks: clocks.iter().filter(|clock| clock.is_kept()).map(|clock| clock_status(clock, watched, now)).collect(),
        held: Vec::new(),
        overrides: watched.overrides.iter().map(OverrideView::from).collect(),
        discrepancies: Vec::new(),
        flaws: ticket.flaws.iter().map(|flaw| format!("{}: {}", flaw.field, flaw.why)).collect(),
    }
}

fn ticket_policy(rules: &TenantRules, watched: &Watched) -> Option<TicketPolicy> {
    let choice = rules.choice(&watched.ticket)?;
    let policy = rules.policies().get(choice.winner)?;
    Some(TicketPolicy {
        position: choice.winner + 1,
        name: policy.words(),
        response_target: policy.response.map(|target| target.num_seconds()),
        resolution_target: policy.resolution.map(|target| target.num_seconds()),
        next_response_target: policy.next_response.map(|target| target.num_seconds()),
        clock: policy.counts.as_str(),
        choice: choice.words(rules.policies(), &[]),
        runners_up: choice.runners_up.iter().map(|index| index + 1).collect(),
        version: None,
    })
}

/// Seconds of working time left on a running clock, negative once over.
fn remaining(clock: &ClockState<'_>) -> Option<i64> {
    clock.left.filter(|_| clock.running).map(|left| left.num_seconds())
}

pub fn clock_status(clock: &ClockState<'_>, watched: &Watched, now: DateTime<Utc>) -> ClockStatus {
    let paused = matches!(clock.standing, Standing::Paused { .. });
    let doubts = clock.doubts.iter().map(|doubt| doubt.words().to_owned());
    ClockStatus {
        clock: clock.kind,
        standing: clock_name(clock),
        breached: clock.breached,
        // While it is paused, nobody can say when it will be due.
        due: clock.due.filter(|_| !paused),
        due_if_resumed_now: clock.due_if_resumed,
        due_by: clock.basis.filter(|_| clock.due.is_some()).map(Basis::as_str),
        met_at: clock.stopped_at,
        met_by: met_by(clock, watched),
        remaining: clock.left.filter(|_| clock.stopped_at.is_none()).map(|left| left.num_seconds()),
        remaining_wall: clock.due.filter(|_| clock.running).map(|due| (due - now).num_seconds()),
        over: over(clock),
        counting: clock.running && clock.hours.is_some_and(|hours| hours.calendar.is_open(now)),
        round_the_clock: clock.hours.is_none_or(|hours| hours.calendar.is_seamless()),
        elapsed_share: clock.elapsed_share(),
        at_risk_from: clock.at_risk_from,
        hours: clock.hours.map(|hours| hours.to_string()).unwrap_or_default(),
        partial: doubts.chain(clock.hours_flaw.map(str::to_owned)).collect(),
        forecast: None,
    }
}

fn over(clock: &ClockState<'_>) -> Option<i64> {
    let over = -clock.left.filter(|_| clock.breached)?.num_seconds();
    Some(over.max(0))
}

/// Who gave the first response, as far as the conversations tell.
fn met_by(clock: &ClockState<'_>, watched: &Watched) -> Option<&'static str> {
    if clock.kind != ClockKind::FirstResponse || clock.stopped_at.is_none() {
        return None;
    }
    let reply_seen = watched.ticket.first_response.met_at.is_none() && watched.replied_at.is_some();
    let seen = watched.conversation.first_answer.or(reply_seen.then_some(Answerer::Technician));
    Some(seen.map_or("not_known", Answerer::as_str))
}
