//! The breach ledger: what was or will be missed, who is affected, who was told of it, and how each attempt went.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::alerts::AlertView;
use super::described::BreachOrderWord;
use super::messages::Said;
use super::paging::{cut, last_place, way};
use super::reports::reasons::ReasonView;
use super::{ClockStatus, Complaint, Reach, Service, ServiceError};
use crate::alert::life::{AlertRow, State};
use crate::alert::{AlertKind, Stage};
use crate::store::latest::Way;
use crate::store::record::{AlertTime, OpenAlert};
use crate::ticket::{ClockKind, Ticket};

const MOST_BREACHES: usize = 500;
const USUAL_BREACHES: usize = 100;

/// Which breaches are asked for; blank asks for all.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct BreachQuery {
    #[param(inline)]
    pub state: Option<BreachState>,
    /// Those due at this moment or later.
    pub from: Option<DateTime<Utc>>,
    /// Those due before this moment.
    pub to: Option<DateTime<Utc>>,
    pub tenant: Option<String>,
    /// The latest due first by default.
    #[param(inline, value_type = Option<BreachOrderWord>)]
    pub sort: Option<String>,
    /// 1 to 500, 100 by default.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<usize>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Where a breach stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BreachState {
    /// It is likely, and has not happened.
    Predicted,
    /// What was promised is overdue.
    Open,
    /// It was done at last, or no longer needs to be.
    Closed,
}

impl BreachState {
    /// The name used in the API and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Predicted => "predicted",
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }

    /// None for an alert that is not a breach: a warning, or a prediction that is over.
    fn of(stage: Stage, state: State) -> Option<Self> {
        match (stage, state) {
            (Stage::Breached, State::Resolved) => Some(Self::Closed),
            (Stage::Breached, _) => Some(Self::Open),
            (Stage::Predicted, state) if state != State::Resolved => Some(Self::Predicted),
            _ => None,
        }
    }
}

/// Breaches, the latest due first unless asked for in another order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BreachPage {
    pub now: DateTime<Utc>,
    pub total: usize,
    pub breaches: Vec<BreachView>,
    pub next_cursor: Option<String>,
}

/// One breach, with all that was said about it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BreachView {
    /// That of its alert.
    pub id: String,
    pub state: BreachState,
    pub tenant: String,
    pub ticket_id: String,
    pub display_id: Option<String>,
    pub client: Option<String>,
    pub breach_type: AlertKind,
    /// When it was due; for a predicted breach, when it is due.
    pub breach_time: DateTime<Utc>,
    pub sla_policy: Option<String>,
    pub technician_id: Option<String>,
    pub technician_name: Option<String>,
    /// LOW | MEDIUM | HIGH | CRITICAL
    pub severity: &'static str,
    /// Who waits, for what, and how long already.
    pub customer_impact: String,
    /// Overdue, and nobody has taken it on.
    pub escalation_required: bool,
    pub closed_at: Option<DateTime<Utc>>,
    /// What it was closed as.
    pub closing: Option<&'static str>,
    /// Why it was missed; null until the clock is in the books.
    pub reason: Option<ReasonView>,
    pub acknowledged_by: Option<String>,
    pub acknowledged_at: Option<DateTime<Utc>>,
    /// It was past due when first seen, and told in the digest.
    pub in_digest: bool,
    /// Oldest first.
    pub notifications: Vec<Told>,
}

/// One notification about a breach. Addresses and numbers are left out.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Told {
    pub recipient: String,
    pub channel: String,
    pub kind: String,
    pub stage: String,
    pub state: String,
    pub attempts: Vec<Attempted>,
}

/// How one attempt went.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Attempted {
    pub at: DateTime<Utc>,
    /// taken | unavailable | refused | misconfigured
    pub outcome: String,
    pub detail: Option<String>,
}

impl Service {
    /// Breaches within `scope`, the latest due first unless asked for in another order.
    pub async fn breaches(&self, scope: &Reach, query: &BreachQuery) -> Result<BreachPage, ServiceError> {
        let (now, limit) = (self.clock.now(), limit(query)?);
        let way = way("due", query.sort.as_deref())?;
        let list = list(way);
        let after = last_place(list, query.cursor.as_deref())?.unwrap_or_else(|| way.start());
        let tenants: Vec<_> = self.tenants(scope).map(|tenant| &tenant.id).collect();
        let open = self.open_alerts(scope, now).await?;
        let open: Vec<_> = open.iter().filter(|alert| query.asks_for(alert)).collect();
        let mut total = open.len();
        let places = open.iter().map(|alert| alert.place(AlertTime::Due));
        let mut places: Vec<_> = places.filter(|place| way.compare(place, &after).is_gt()).collect();
        places.sort_unstable_by(|a, b| way.compare(a, b));
        let keys: Vec<_> = places.into_iter().take(limit + 1).map(|place| place.key).collect();
        let mut rows = self.in_order(&keys).await?;
        if query.state.is_none_or(|state| state == BreachState::Closed) {
            let due = (query.from, query.to);
            rows.extend(self.store.closed_breaches(&tenants, due, way, &after, limit + 1, now).await?);
            total += self.closed_total(scope, due, now).await?;
        }
        let place = |row: &AlertRow| OpenAlert::of(row).place(AlertTime::Due);
        rows.sort_by(|a, b| way.compare(&place(a), &place(b)));
        let next_cursor = cut(list, &mut rows, limit, place);
        // An alert that ended since it was listed may no longer be a breach.
        rows.retain(|row| BreachState::of(row.raised.stage, row.state()).is_some());
        let of: Vec<_> = rows
            .iter()
            .filter_map(|row| Some((row.key.clone(), BreachState::of(row.raised.stage, row.state())?)))
            .collect();
        let tickets = rows.iter().filter_map(|row| Some((row.key.tenant.clone(), row.key.ticket()?.clone())));
        let reasons = self.reasons(&tickets.collect::<Vec<_>>()).await?;
        let mut breaches = Vec::with_capacity(rows.len());
        for (view, (key, state)) in self.alert_views(rows, now).await?.into_iter().zip(of) {
            let watched = self.ticket_of(&key).await?;
            let reason = match view.clock {
                AlertKind::Clock(clock) if state != BreachState::Predicted => {
                    reasons.nearest((&view.tenant, &view.ticket_id), clock, view.due)
                }
                _ => None,
            };
            let ticket = watched.as_ref().map(|watched| &watched.ticket);
            let is_withheld = view.withholds_names(self.config.reports.people);
            let found = breach(view, state, ticket);
            let technician_id = found.technician_id.filter(|_| !is_withheld);
            breaches.push(BreachView { reason, technician_id, ..found });
        }
        Ok(BreachPage { now, total, breaches, next_cursor })
    }
}

/// The name of this list in its cursors, which fit no other list or order.
fn list(way: Way) -> &'static str {
    match way {
        Way::LatestFirst => "breaches",
        Way::EarliestFirst => "breaches by due",
    }
}

impl BreachQuery {
    fn asks_for(&self, alert: &OpenAlert) -> bool {
        let due = alert.due;
        let in_time = self.from.is_none_or(|from| from <= due) && self.to.is_none_or(|to| due < to);
        in_time
            && BreachState::of(alert.stage, alert.state)
                .is_some_and(|state| self.state.is_none_or(|wanted| wanted == state))
    }
}

fn breach(alert: AlertView, state: BreachState, ticket: Option<&Ticket>) -> BreachView {
    let held = alert.hold.as_ref().filter(|hold| !hold.expired);
    BreachView {
        severity: severity(&alert, state),
        customer_impact: impact(&alert, state),
        escalation_required: state == BreachState::Open && held.is_none(),
        sla_policy: ticket.and_then(|ticket| ticket.sla.as_ref()).map(|sla| sla.name.clone()),
        technician_id: ticket.and_then(|ticket| ticket.technician.as_ref()).map(|owner| owner.id.to_string()),
        technician_name: alert.technician,
        closed_at: (state == BreachState::Closed).then_some(alert.changed_at),
        acknowledged_by: alert.hold.as_ref().map(|hold| hold.by.clone()),
        acknowledged_at: alert.hold.as_ref().map(|hold| hold.at),
        id: alert.id,
        state,
        tenant: alert.tenant,
        ticket_id: alert.ticket_id,
        display_id: alert.display_id,
        client: alert.client,
        breach_type: alert.clock,
        breach_time: alert.due,
        closing: alert.closing,
        reason: None,
        in_digest: alert.in_digest,
        notifications: alert.notifications.into_iter().map(told).collect(),
    }
}

/// By the ticket's priority; if its name says nothing, by how far things have come.
fn severity(alert: &AlertView, state: BreachState) -> &'static str {
    let priority = alert.priority.as_deref().unwrap_or_default().trim().to_lowercase();
    match (priority.as_str(), state) {
        ("critical" | "urgent" | "emergency", _) => "CRITICAL",
        ("high", _) => "HIGH",
        ("medium" | "normal", _) => "MEDIUM",
        ("low" | "very low", _) => "LOW",
        (_, BreachState::Predicted) => "MEDIUM",
        (_, BreachState::Open | BreachState::Closed) => "HIGH",
    }
}

/// `Globex Corporation has waited 3 h 10 min of working time longer than promised for a first response`.
fn impact(alert: &AlertView, state: BreachState) -> String {
    let who = alert.client.as_deref().unwrap_or("the client");
    let what = match alert.clock {
        AlertKind::Clock(ClockKind::FirstResponse) => "a first response",
        AlertKind::Clock(ClockKind::NextResponse) => "an answer",
        AlertKind::Clock(ClockKind::Resolution) => "a resolution",
        _ => "a service",
    };
    let over = alert.clock_status.as_ref().and_then(over_words).map(|over| format!("{over} ")).unwrap_or_default();
    match state {
        BreachState::Predicted => format!("{who} is likely to wait longer than promised for {what}"),
        BreachState::Open => format!("{who} has waited {over}longer than promised for {what}"),
        BreachState::Closed => format!("{who} waited {over}longer than promised for {what}"),
    }
}

/// How far the clock is over, or was when it stopped.
fn over_words(clock: &ClockStatus) -> Option<String> {
    let unit = if clock.round_the_clock { "" } else { " of working time" };
    Some(format!("{}{unit}", clock.words_of(clock.over?)))
}

fn told(said: Said) -> Told {
    let attempts = said.outcomes.into_iter();
    let attempts = attempts.map(|one| Attempted { at: one.at, outcome: one.outcome, detail: one.detail }).collect();
    let message = said.message;
    Told {
        recipient: message.recipient,
        channel: message.channel,
        kind: message.kind,
        stage: message.stage,
        state: message.state,
        attempts,
    }
}

fn limit(query: &BreachQuery) -> Result<usize, ServiceError> {
    match query.limit.unwrap_or(USUAL_BREACHES) {
        limit @ 1..=MOST_BREACHES => Ok(limit),
        limit => Err(ServiceError::BadQuestion(Complaint::of(
            "limit",
            format!("is {limit}, and must be 1 to {MOST_BREACHES}"),
        ))),
    }
}
