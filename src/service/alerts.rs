//! Alerts as people see them and act on them: what is wrong, who was told, how
//! that went, what comes next, and who took it on.

mod by_time;
mod ended;
mod list;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::audit::AuditEntry;
use super::described::{AlertOrderWord, AlertStateWord};
use super::ending::end_of;
use super::messages::{AttemptView, Said, message_view};
use super::overview::still;
use super::suppressions::SuppressionView;
use super::view::clock_status;
use super::write_backs::WriteBackView;
use super::{ClockStatus, Complaint, Reach, Service, ServiceError, TicketSla};
use crate::alert::life::{Act, Actor, AlertRow, Hold, HoldKind, How, State};
use crate::alert::suppression::Suppression;
use crate::alert::{AlertKey, AlertKind, Stage, Subject};
use crate::config::uptime::Component;
use crate::sla::clock::assess;
use crate::store::StoreError;
use crate::store::outbox::Logged;
use crate::store::record::LoggedAttempt;
use crate::ticket::watch::Watched;
use crate::ticket::{ClockKind, Named, TenantId};

const MOST_ALERTS: usize = 500;
const USUAL_ALERTS: usize = 100;
/// The longest snooze: a longer one is a way of forgetting.
const LONGEST_SNOOZE: TimeDelta = TimeDelta::days(30);

/// Which alerts are asked for; blank asks for those that are not resolved.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct AlertQuery {
    pub tenant: Option<String>,
    /// open (whoever holds them) | acknowledged | snoozed | resolved | all
    #[param(inline, value_type = Option<AlertStateWord>)]
    pub state: Option<String>,
    /// A ticket's id or display id.
    pub ticket: Option<String>,
    /// The worst first by default; `-` before an order's name reverses it.
    #[param(inline, value_type = Option<AlertOrderWord>)]
    pub sort: Option<String>,
    /// 1 to 500, 100 by default.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<usize>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Alerts, worst first unless asked for in another order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AlertPage {
    pub now: DateTime<Utc>,
    pub total: usize,
    pub alerts: Vec<AlertView>,
    pub next_cursor: Option<String>,
}

/// One alert and what became of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AlertView {
    pub id: String,
    pub tenant: String,
    /// The id of its ticket, or of its component.
    pub ticket_id: String,
    /// It is about this component, and no ticket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// What people call the ticket, or the component.
    pub display_id: Option<String>,
    /// Hostile text from outside.
    pub subject: Option<String>,
    pub client: Option<String>,
    pub priority: Option<String>,
    pub technician: Option<String>,
    pub clock: AlertKind,
    /// The clock as its ticket shows it now; none if that is not known, or was reopened since.
    pub clock_status: Option<ClockStatus>,
    pub stage: Stage,
    pub state: State,
    pub reason: String,
    pub due: DateTime<Utc>,
    pub raised_at: DateTime<Utc>,
    pub changed_at: DateTime<Utc>,
    /// It was past due when first seen: told in the digest, and by no step.
    pub in_digest: bool,
    /// What it was resolved as.
    pub closing: Option<&'static str>,
    /// The name of the escalation that it follows.
    pub escalation: String,
    /// The step that runs next, from 1; none: no step is left.
    pub next_step: Option<u32>,
    /// None while somebody holds it.
    pub next_step_at: Option<DateTime<Utc>>,
    /// The last acknowledgement or snooze at this stage.
    pub hold: Option<HoldView>,
    /// The silences and maintenance windows that lie over it now.
    #[serde(rename = "overlays")]
    pub suppressions: Vec<SuppressionView>,
    /// Who was told, oldest first.
    pub notifications: Vec<Said>,
    /// What was to be written on the ticket at SuperOps, oldest first.
    pub write_backs: Vec<WriteBackView>,
    /// What people did to it, oldest first; only if a single alert is asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub acts: Vec<AuditEntry>,
}

/// Who acknowledged or snoozed an alert.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HoldView {
    /// acknowledged | snoozed
    pub kind: &'static str,
    pub by: String,
    pub how: How,
    pub at: DateTime<Utc>,
    /// None: until the stage rises.
    pub until: Option<DateTime<Utc>>,
    /// Its time is up, and nothing had happened on the ticket.
    pub expired: bool,
}

/// Who has taken on an alert of a ticket, or put it off.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TicketHold {
    pub alert_id: String,
    pub clock: ClockKind,
    #[serde(flatten)]
    pub hold: HoldView,
}

/// How long somebody snoozes an alert.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SnoozeOrder {
    /// A length of time: `30m`.
    #[serde(rename = "for")]
    pub length: Option<String>,
    pub until: Option<DateTime<Utc>>,
    /// Who snoozes, where one token serves several people.
    pub by: Option<String>,
    /// What that person says about it.
    pub note: Option<String>,
}

/// The fields of an alert's clock that change with time alone.
const TICKS: [&str; 4] = ["remaining", "remaining_wall", "over", "elapsed_share"];

impl AlertPage {
    /// The page without what the passing of time alone changes. Its last alert tells where the page ends.
    pub fn ground(&self) -> String {
        still(self.now, json!(self), |page| {
            page.remove("now");
            page.remove("next_cursor");
            let alerts = page.get_mut("alerts").and_then(Value::as_array_mut).into_iter().flatten();
            for clock in alerts.filter_map(|alert| alert.get_mut("clock_status")?.as_object_mut()) {
                TICKS.iter().for_each(|field| drop(clock.remove(*field)));
            }
        })
    }
}

impl Service {
    /// Returns the alerts of these keys in their order, leaving out those that no longer exist.
    pub(super) async fn in_order(&self, keys: &[String]) -> Result<Vec<AlertRow>, StoreError> {
        let rows = self.store.alerts_by_key(keys).await?;
        let mut rows: HashMap<_, _> = rows.into_iter().map(|row| (row.key.to_string(), row)).collect();
        Ok(keys.iter().filter_map(|key| rows.remove(key)).collect())
    }

    /// Returns one alert with what people did to it; none if there is no such alert within `scope`.
    pub async fn alert(&self, scope: &Reach, id: &str) -> Result<Option<AlertView>, ServiceError> {
        let now = self.leaders_now();
        let Some(row) = self.alert_within(scope, id).await? else { return Ok(None) };
        let acts = self.acts_on(&row.key.to_string()).await?;
        let view = self.alert_views(vec![row], now).await?.pop();
        Ok(view.map(|view| AlertView { acts, ..view }.told_as_reports(self.config.reports.people)))
    }

    /// The tenants within `scope` that have a ticket of that id or number.
    pub async fn tenants_with_ticket(&self, scope: &Reach, text: &str) -> Result<BTreeSet<TenantId>, ServiceError> {
        let found = self.store.find_ticket(scope, text).await?;
        Ok(found
            .into_iter()
            .map(|(tenant, _)| tenant)
            .filter(|tenant| self.config.tenants.contains_key(tenant))
            .collect())
    }

    /// Does `act` to an alert within `scope` and returns how it stands then. A repeat changes nothing.
    pub async fn act_on_alert(
        &self,
        scope: &Reach,
        id: &str,
        act: Act,
        actor: &Actor,
    ) -> Result<Option<AlertView>, ServiceError> {
        if self.alert_within(scope, id).await?.is_none() {
            return Ok(None);
        }
        let now = self.leaders_now();
        let Some(acted) = self.store.act(id, act, actor, now).await? else { return Ok(None) };
        if acted.changed {
            self.ring();
        }
        Ok(self.alert_views(vec![acted.alert], now).await?.pop())
    }

    /// Returns what `order` asks for, or what is wrong with it.
    pub fn snooze(&self, order: &SnoozeOrder) -> Result<Act, ServiceError> {
        let now = self.leaders_now();
        let until = end_of(now, order.length.as_deref(), order.until)?;
        if until - now > LONGEST_SNOOZE {
            return Err(ServiceError::BadQuestion(Complaint::whole("a snooze must end within 30 days")));
        }
        Ok(Act::Snooze { until })
    }

    /// Wakes the loops: a person has changed something they depend on.
    pub(super) fn ring(&self) {
        self.news.notify_one();
        self.outbox.notify_one();
    }

    /// The alerts in these `states` of the ticket with this id or number; of all such tickets, if there were several.
    async fn alerts_by_number(
        &self,
        scope: &Reach,
        text: &str,
        states: &[State],
    ) -> Result<Vec<AlertRow>, ServiceError> {
        let mut rows = Vec::new();
        for (tenant, watched) in self.all_found(scope, text).await? {
            rows.extend(self.store.alerts_of(&tenant, &watched.ticket.id).await?);
        }
        rows.retain(|row| states.contains(&row.state()));
        Ok(rows)
    }

    async fn alert_within(&self, scope: &Reach, id: &str) -> Result<Option<AlertRow>, ServiceError> {
        let row = self.store.alert(id).await?;
        Ok(row.filter(|row| scope.includes(&row.key.tenant)))
    }

    /// Shows `rows` to people, each with its attempts and the provider's last word.
    pub(super) async fn with_attempts(&self, rows: Vec<Logged>) -> Result<Vec<Said>, StoreError> {
        let keys: Vec<_> = rows.iter().map(attempted).collect();
        let attempts = self.store.attempts_of(&keys).await?;
        let words = self.store.delivery_words(&keys).await?;
        let said = rows.into_iter().zip(keys).map(|(row, key)| {
            let outcomes = attempts.get(&key).cloned().unwrap_or_default();
            let delivery = words.get(&key).cloned();
            Said { message: message_view(row, delivery), outcomes: outcomes.into_iter().map(attempt_view).collect() }
        });
        Ok(said.collect())
    }

    pub(super) async fn alert_views(
        &self,
        rows: Vec<AlertRow>,
        now: DateTime<Utc>,
    ) -> Result<Vec<AlertView>, ServiceError> {
        let suppressions = self.store.suppressions(&Reach::All, now).await?;
        let keys: Vec<String> = rows.iter().map(|row| row.key.to_string()).collect();
        let mut said = HashMap::new();
        let logged = self.store.said_of(&keys).await?.into_iter();
        let logged = logged.flat_map(|(alert, rows)| rows.into_iter().map(move |row| (alert.clone(), row)));
        let (alerts, logged): (Vec<_>, Vec<_>) = logged.unzip();
        for (key, one) in alerts.into_iter().zip(self.with_attempts(logged).await?) {
            said.entry(key).or_insert_with(Vec::new).push(one);
        }
        let mut written = self.store.write_backs_of(&keys).await?;
        let mut views = Vec::with_capacity(rows.len());
        for (row, key) in rows.into_iter().zip(keys) {
            let watched = self.ticket_of(&row.key).await?;
            let notifications = said.remove(&key).unwrap_or_default();
            let steps = self.config.escalation(&row.escalation).map_or(0, |escalation| escalation.steps.len());
            let written = written.remove(&key).unwrap_or_default().into_iter().map(WriteBackView::of).collect();
            let clock_status = self.clock_of(&row.key, watched.as_deref(), now).await?;
            let component = self.component_of(&row.key);
            let view = view(row, watched, component, &suppressions, notifications, steps, now);
            let view = AlertView { clock_status, write_backs: written, ..view };
            views.push(view.told_as_reports(self.config.reports.people));
        }
        Ok(views)
    }

    /// The component that an alert is about, if it is configured; none if it is about a ticket.
    fn component_of(&self, key: &AlertKey) -> Option<&Component> {
        let id = key.ticket().is_none().then(|| key.subject.as_str())?;
        self.config.uptime.component(id).filter(|component| component.tenant == key.tenant)
    }

    /// The ticket that an alert is about; none if it is about a component.
    pub(super) async fn ticket_of(&self, key: &AlertKey) -> Result<Option<Arc<Watched>>, StoreError> {
        match key.ticket() {
            Some(ticket) => self.store.ticket(&key.tenant, ticket).await,
            None => Ok(None),
        }
    }

    /// The clock of an alert as its ticket shows it.
    async fn clock_of(
        &self,
        key: &AlertKey,
        watched: Option<&Watched>,
        now: DateTime<Utc>,
    ) -> Result<Option<ClockStatus>, StoreError> {
        let Some(watched) = watched.filter(|watched| watched.cycle == key.cycle) else { return Ok(None) };
        let Some((_, kind)) = key.clock() else { return Ok(None) };
        let Some(tenant) = self.config.tenants.get(&key.tenant) else { return Ok(None) };
        let (rules, _) = self.rules_cache.judging(tenant, watched).await?;
        let clock = assess(watched, kind, &rules, now);
        Ok(clock.is_kept().then(|| clock_status(&clock, watched, now)))
    }

    /// Fills in who has taken on the alerts of these tickets.
    pub(super) async fn hold(
        &self,
        tickets: &mut [(TenantId, TicketSla)],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let tenants: BTreeSet<&TenantId> = tickets.iter().map(|(tenant, _)| tenant).collect();
        let mut held: HashMap<_, Vec<TicketHold>> = HashMap::new();
        for row in &*self.held_alerts(&tenants, now).await? {
            // Its time may be up, with the loop about to note it.
            let Some(hold) = row.life.held().filter(|hold| hold.until.is_none_or(|until| now < until)) else {
                continue;
            };
            let Some((ticket, clock)) = row.key.clock() else { continue };
            let hold = TicketHold { alert_id: row.key.id(), clock, hold: hold_view(hold) };
            held.entry((row.key.tenant.clone(), ticket.to_string())).or_default().push(hold);
        }
        for (tenant, ticket) in tickets {
            ticket.held = held.remove(&(tenant.clone(), ticket.ticket_id.clone())).unwrap_or_default();
        }
        Ok(())
    }
}

/// The key of the message whose attempts are this one's: a bundled message leaves with its bundle.
fn attempted(logged: &Logged) -> String {
    logged.bundle.as_ref().unwrap_or(&logged.leased.notification.message.key).clone()
}

fn view(
    row: AlertRow,
    watched: Option<Arc<Watched>>,
    component: Option<&Component>,
    suppressions: &[Suppression],
    notifications: Vec<Said>,
    steps: usize,
    now: DateTime<Utc>,
) -> AlertView {
    let tenant = &row.key.tenant;
    let client = component.and_then(Component::client_named);
    let of_ticket = watched.as_ref().map(|watched| Subject::of_ticket(tenant, &watched.ticket));
    let subject = of_ticket.or(component.map(|component| component.subject(client.as_ref())));
    let over = |suppression: &&Suppression| {
        suppression.tenant == *tenant && subject.is_some_and(|subject| suppression.covers(subject, now))
    };
    let name = |named: Option<&Named>| named.map(|named| named.name.clone());
    let is_component = row.key.ticket().is_none();
    let state = row.state();
    let is_left = row.told && state != State::Resolved && (usize::try_from(row.step).is_ok_and(|step| step < steps));
    AlertView {
        id: row.key.id(),
        tenant: row.key.tenant.to_string(),
        ticket_id: row.key.subject.to_string(),
        component: is_component.then(|| row.key.subject.to_string()),
        display_id: subject.map(|subject| subject.display_id.to_owned()),
        // A component's name says it all.
        subject: subject.filter(|_| !is_component).map(|subject| subject.name.to_owned()),
        client: subject.and_then(|subject| name(subject.client)),
        priority: subject.and_then(|subject| subject.priority).map(str::to_owned),
        technician: subject.and_then(|subject| name(subject.owner)),
        clock: row.key.kind,
        clock_status: None,
        stage: row.raised.stage,
        state,
        due: row.raised.due,
        raised_at: row.raised_at,
        changed_at: row.changed_at,
        in_digest: !row.told,
        closing: row.raised.resolved_as.map(|closing| closing.as_str()),
        next_step: is_left.then(|| row.step + 1),
        next_step_at: row.next_step_at,
        hold: row.life.hold.as_ref().map(hold_view),
        suppressions: suppressions.iter().filter(over).map(SuppressionView::of).collect(),
        reason: row.reason,
        escalation: row.escalation,
        notifications,
        write_backs: Vec::new(),
        acts: Vec::new(),
    }
}

fn hold_view(hold: &Hold) -> HoldView {
    let kind = match hold.kind {
        HoldKind::Acknowledged => "acknowledged",
        HoldKind::Snoozed => "snoozed",
    };
    HoldView { kind, by: hold.by.clone(), how: hold.how, at: hold.at, until: hold.until, expired: hold.over }
}

fn attempt_view(attempt: LoggedAttempt) -> AttemptView {
    let LoggedAttempt { number, at, outcome, detail } = attempt;
    AttemptView { number, at, outcome, detail }
}

fn states(query: &AlertQuery) -> Result<&'static [State], ServiceError> {
    use State::{Acknowledged, Open, Resolved, Snoozed};
    match query.state.as_deref().unwrap_or("open") {
        "open" => Ok(&[Open, Acknowledged, Snoozed]),
        "acknowledged" => Ok(&[Acknowledged]),
        "snoozed" => Ok(&[Snoozed]),
        "resolved" => Ok(&[Resolved]),
        "all" => Ok(&[Open, Acknowledged, Snoozed, Resolved]),
        other => Err(ServiceError::BadQuestion(Complaint::of(
            "state",
            format!("is `{other}`, and must be `open`, `acknowledged`, `snoozed`, `resolved` or `all`"),
        ))),
    }
}

fn limit(query: &AlertQuery) -> Result<usize, ServiceError> {
    match query.limit.unwrap_or(USUAL_ALERTS) {
        limit @ 1..=MOST_ALERTS => Ok(limit),
        limit => Err(ServiceError::BadQuestion(Complaint::of(
            "limit",
            format!("is {limit}, and must be 1 to {MOST_ALERTS}"),
        ))),
    }
}
