//! The questions people ask, answered at one `now`: used by the web and the command line alike.

pub mod alerts;
pub mod breaches;
mod explain;
pub mod forecast;
pub mod on_call;
pub mod overlays;
pub mod overrides;
pub mod policies;
pub mod tryout;
mod view;
pub mod weekly;
pub mod write_backs;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};

use crate::clock::SharedClock;
use crate::config::{Config, Tenant};
use crate::desks::Desks;
use crate::notify::{Body, TicketFacts};
use crate::predict::Board;
use crate::sla::desk::Desk;
use crate::store::outbox::Logged;
use crate::store::{Store, StoreError};
use crate::sync::{Hints, SyncHealth};
use crate::telemetry::{ChannelLabels, Telemetry, TenantLabels};
use crate::ticket::watch::Watched;
use crate::ticket::{ClockKind, TenantId, TicketId};
use crate::vigil::{Mismatches, counted};
use alerts::Said;
use view::Seen;

pub use explain::{ClockLedger, DifferenceGroup, Differences, HeldBy, LedgerLine, TicketLedger};
pub use forecast::{ClockForecast, ForecastRecord};

/// Whose data may be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    All,
    One(TenantId),
}

/// Which open tickets are asked for; everything blank asks for all of them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TicketQuery {
    pub tenant: Option<String>,
    /// low | medium | high | critical
    pub risk: Option<String>,
    /// on_track | at_risk | breached | paused | met | cancelled | unknown, of either clock
    pub standing: Option<String>,
    /// Id or name, like the next two.
    pub technician: Option<String>,
    pub client: Option<String>,
    pub priority: Option<String>,
    /// 1 to 500, 100 unless told.
    pub limit: Option<usize>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Open tickets, worst first.
#[derive(Clone, Debug, Serialize)]
pub struct TicketPage {
    pub now: DateTime<Utc>,
    pub total: usize,
    pub tickets: Vec<TicketSla>,
    pub next_cursor: Option<String>,
}

/// One ticket with its SLA status. Durations are seconds; those left count working time.
#[derive(Clone, Debug, Serialize)]
pub struct TicketSla {
    pub ticket_id: String,
    pub display_id: String,
    pub tenant: String,
    /// Hostile text from outside.
    pub subject: String,
    pub status: Option<String>,
    pub priority: Option<String>,
    pub client: Option<String>,
    pub technician: Option<String>,
    pub group: Option<String>,
    pub sla_policy: Option<String>,
    /// The configured policy that holds; none: only what SuperOps reports is known.
    pub policy: Option<TicketPolicy>,
    pub superops_url: Option<String>,
    /// Seconds; negative once over; none when the clock has stopped, stands still or has no due time.
    pub response_time_remaining: Option<i64>,
    pub resolution_time_remaining: Option<i64>,
    pub is_response_breached: bool,
    pub is_resolution_breached: bool,
    /// LOW | MEDIUM | HIGH | CRITICAL
    pub breach_risk_level: &'static str,
    pub breach_probability: Option<f64>,
    /// When SuperOps was last asked about this ticket.
    pub last_updated: DateTime<Utc>,
    pub clocks: Vec<ClockStatus>,
    /// What people decided about the clocks by hand.
    pub overrides: Vec<overrides::OverrideView>,
    /// Where the reported and the computed due time differ.
    pub discrepancies: Vec<String>,
    /// Fields of the record that made no sense.
    pub flaws: Vec<String>,
}

/// The configured policy that holds for a ticket, and those that match it as well.
#[derive(Clone, Debug, Serialize)]
pub struct TicketPolicy {
    /// Among the tenant's policies in their order, from 1.
    pub position: usize,
    /// Which tickets it speaks of, in words.
    pub name: String,
    /// Seconds.
    pub response_target: Option<i64>,
    pub resolution_target: Option<i64>,
    pub next_response_target: Option<i64>,
    /// calendar | business
    pub clock: &'static str,
    /// All of it in words: `policy 2 of 5 \`Gold/High\` (config.toml:88); also matched: the default policy`.
    pub choice: String,
    /// Positions of the others that match.
    pub runners_up: Vec<usize>,
    /// The version of the tenant's policies that the ticket follows; none before the service has run.
    pub version: Option<u32>,
}

/// One clock of a ticket.
#[derive(Clone, Debug, Serialize)]
pub struct ClockStatus {
    pub clock: ClockKind,
    /// on_track | at_risk | breached | paused | met | cancelled | unknown
    pub standing: &'static str,
    pub breached: bool,
    pub due: Option<DateTime<Utc>>,
    pub met_at: Option<DateTime<Utc>>,
    /// technician | automation | not_known, of a first response that was given; none of other clocks.
    pub met_by: Option<&'static str>,
    /// Working seconds left, negative once over.
    pub remaining: Option<i64>,
    /// Wall seconds to the due time, negative once past.
    pub remaining_wall: Option<i64>,
    /// Share of the working time elapsed, 0 to 1 and beyond.
    pub elapsed_share: Option<f64>,
    pub at_risk_from: Option<DateTime<Utc>>,
    /// Which hours count, in words.
    pub hours: String,
    /// Why the clock cannot be fully known, if so.
    pub partial: Vec<String>,
    /// How likely it is to breach, and why; none once that is decided, and before the first look.
    pub forecast: Option<ClockForecast>,
}

/// The head of the page: how the desk stands, and whether we can know it.
#[derive(Clone, Debug, Serialize)]
pub struct Overview {
    pub now: DateTime<Utc>,
    /// How many times faster than the wall the clock runs: 1 but in a demo.
    pub speed: u32,
    pub open: usize,
    pub breached: usize,
    pub at_risk: usize,
    pub paused: usize,
    pub on_track: usize,
    pub tenants: Vec<TenantHealth>,
    pub channels: Vec<ChannelHealth>,
    pub outbox_pending: i64,
    pub sent_last_day: i64,
    pub failed_last_day: i64,
    /// What should have happened to alerts and did not, by kind; empty while all is well.
    pub mismatches: BTreeMap<&'static str, usize>,
}

/// Whether one tenant's data is fresh.
#[derive(Clone, Debug, Serialize)]
pub struct TenantHealth {
    pub tenant: String,
    pub last_good_sync: Option<DateTime<Utc>>,
    /// What is wrong and what to do, in words; none while all is well.
    pub trouble: Option<String>,
    pub quarantined: usize,
    /// Why alerts go by the clock alone for now, if so.
    pub forecast: Option<String>,
}

/// Whether one way of reaching people works.
#[derive(Clone, Debug, Serialize)]
pub struct ChannelHealth {
    pub channel: &'static str,
    /// up | down; down: nobody answers there, and what waits is tried one message at a time.
    pub state: &'static str,
}

/// One message to one person, as the outbox knows it. Addresses and numbers are left out.
#[derive(Clone, Debug, Serialize)]
pub struct MessageView {
    pub key: String,
    pub tenant: String,
    pub ticket_id: Option<String>,
    pub display_id: Option<String>,
    /// alert | recovery | acknowledged | digest | bundle | stale | fresh
    pub kind: String,
    pub stage: String,
    pub step: i64,
    pub channel: String,
    /// The person's name, or what the address is for.
    pub recipient: String,
    /// pending | bundled | sending | sent | failed | cancelled
    pub state: String,
    /// quiet_hours | cap | budget: what it waits for, or waited for last.
    pub held_by: Option<String>,
    /// The key of the message that says this together with others.
    pub bundle: Option<String>,
    pub due_at: DateTime<Utc>,
    pub sent_at: Option<DateTime<Utc>>,
    pub attempts: i64,
    pub last_error: Option<String>,
    /// The provider's last word on a message that it took, if it says: `delivered`, `undelivered`.
    pub delivery: Option<String>,
}

/// Why a question could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The question itself is wrong; the text says how to put it right.
    #[error("{0}")]
    BadQuestion(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Most tickets on one page of an answer.
const MOST_TICKETS: usize = 500;
/// Unless told otherwise.
const USUAL_TICKETS: usize = 100;
/// A tenant not read for this many polls, or this long, is not ready.
const STALE_POLLS: i32 = 5;
const STALE_AT_LEAST: TimeDelta = TimeDelta::minutes(5);

/// Answers questions. Cheap to share.
#[derive(Clone)]
pub struct Service {
    config: Arc<Config>,
    desks: Arc<Desks>,
    store: Store,
    clock: SharedClock,
    telemetry: Arc<Telemetry>,
    sync: Syncs,
    /// Ring when a person changed something: evaluate's bell, and dispatch's.
    news: Arc<Notify>,
    outbox: Arc<Notify>,
    board: Arc<Board>,
    /// What the audit has found.
    found: watch::Receiver<Mismatches>,
}

/// What the service knows of the sync of each tenant.
#[derive(Clone, Default)]
pub struct Syncs {
    pub hints: Hints,
    pub health: BTreeMap<TenantId, watch::Receiver<SyncHealth>>,
}

impl Service {
    pub fn new(
        config: Arc<Config>,
        desks: Arc<Desks>,
        store: Store,
        clock: SharedClock,
        telemetry: Arc<Telemetry>,
        sync: Syncs,
    ) -> Self {
        let (news, outbox, board) = (Arc::default(), Arc::default(), Arc::default());
        let found = watch::channel(Mismatches::new()).1;
        Self { config, desks, store, clock, telemetry, sync, news, outbox, board, found }
    }

    /// The same, able to wake the loops of the running service.
    pub fn with_bells(self, news: Arc<Notify>, outbox: Arc<Notify>) -> Self {
        Self { news, outbox, ..self }
    }

    /// Shows the forecasts on `board` as well.
    pub fn showing(self, board: Arc<Board>) -> Self {
        Self { board, ..self }
    }

    /// Says what the audit has found as well.
    pub fn audited(self, found: watch::Receiver<Mismatches>) -> Self {
        Self { found, ..self }
    }

    /// Open tickets, worst first.
    pub async fn tickets(&self, scope: &Scope, query: &TicketQuery) -> Result<TicketPage, ServiceError> {
        let wanted = view::Filter::new(query)?;
        let limit = limit(query)?;
        let skip = cursor(query)?;
        let now = self.clock.now();
        let mut seen = self.open(scope, now).await?;
        seen.retain(|one| wanted.lets_through(one));
        seen.sort_by(|a, b| a.rank().cmp(&b.rank()).then_with(|| a.sla.ticket_id.cmp(&b.sla.ticket_id)));
        let total = seen.len();
        let page = seen.into_iter().skip(skip).take(limit).map(|one| one.sla);
        let mut page: Vec<_> = page.filter_map(|sla| Some((TenantId::parse(&sla.tenant).ok()?, sla))).collect();
        self.compare(&mut page, now).await?;
        let tickets: Vec<_> = page.into_iter().map(|(_, sla)| sla).collect();
        let next = skip + tickets.len();
        let next_cursor = (next < total && !tickets.is_empty()).then(|| next.to_string());
        Ok(TicketPage { now, total, tickets, next_cursor })
    }

    /// One ticket by its id or display id, open or not.
    pub async fn ticket(&self, scope: &Scope, id: &str) -> Result<Option<TicketSla>, ServiceError> {
        let now = self.clock.now();
        let Some((tenant, watched)) = self.found(scope, id).await? else { return Ok(None) };
        let Some(tenant) = self.config.tenants.get(&tenant) else { return Ok(None) };
        let (desk, version) = self.desks.judging(tenant, &watched).await?;
        let changes = self.store.events(&tenant.id, &watched.ticket.id).await?;
        let forecasts = self.board.of(&tenant.id);
        let seen = self.seen(tenant, &desk, &watched, version, now);
        let mut seen = seen.foreseen(&forecasts, &watched, &desk).sla;
        let found = explain::discrepancies(&watched, &changes, &desk, now);
        seen.discrepancies = found.into_iter().map(|one| one.words).collect();
        Ok(Some(seen))
    }

    /// Why the clocks of a ticket, by its id or display id, show what they show.
    pub async fn ledger(&self, scope: &Scope, id: &str) -> Result<Option<TicketLedger>, ServiceError> {
        let now = self.clock.now();
        let Some((tenant, watched)) = self.found(scope, id).await? else { return Ok(None) };
        let Some(tenant) = self.config.tenants.get(&tenant) else { return Ok(None) };
        let (desk, version) = self.desks.judging(tenant, &watched).await?;
        let changes = self.store.events(&tenant.id, &watched.ticket.id).await?;
        let policy = self.seen(tenant, &desk, &watched, version, now).sla.policy;
        let ledger = explain::ledger(&watched, &changes, &desk, version, now);
        Ok(Some(TicketLedger { policy_choice: policy.map(|policy| policy.choice), ..ledger }))
    }

    /// The ticket that `id`, an id or a display id, means within `scope`.
    async fn found(&self, scope: &Scope, id: &str) -> Result<Option<(TenantId, Arc<Watched>)>, ServiceError> {
        let found = self.store.find_ticket(scope.tenant(), id).await?;
        Ok(found.into_iter().find(|(tenant, _)| self.config.tenants.contains_key(tenant)))
    }

    /// A ticket as judged by `desk`, with the version that it follows and where its policy stands.
    fn seen(&self, tenant: &Tenant, desk: &Desk, watched: &Watched, version: Option<u32>, now: DateTime<Utc>) -> Seen {
        let mut seen = Seen::new(tenant, desk, watched, now).of_version(version);
        let (places, policies): (Vec<_>, Vec<_>) = self.config.policies_of(&tenant.id).unzip();
        // An older version's policies stand nowhere any more.
        let is_present = desk.policies().iter().eq(policies);
        if let Some((policy, choice)) = seen.sla.policy.as_mut().zip(desk.choice(&watched.ticket)) {
            policy.choice = choice.words(desk.policies(), if is_present { &places } else { &[] });
        }
        seen
    }

    /// Fills in where the due times of these open tickets differ from ours.
    async fn compare(&self, tickets: &mut [(TenantId, TicketSla)], now: DateTime<Utc>) -> Result<(), StoreError> {
        let tenants: BTreeSet<TenantId> = tickets.iter().map(|(tenant, _)| tenant.clone()).collect();
        for tenant in tenants.iter().filter_map(|id| self.config.tenants.get(id)) {
            let (_, desk) = self.desks.of(tenant).await?;
            if desk.policies().is_empty() {
                continue;
            }
            let open = self.store.open_tickets(&tenant.id).await?;
            let own = || tickets.iter().filter(|(id, _)| *id == tenant.id);
            let ids: Vec<_> = own().map(|(_, ticket)| ticket.ticket_id.as_str()).collect();
            let events = self.store.events_of(&tenant.id, &ids).await?;
            for (_, ticket) in tickets.iter_mut().filter(|(id, _)| *id == tenant.id) {
                let watched = TicketId::parse(&ticket.ticket_id).ok().and_then(|id| open.get(&id));
                let Some(watched) = watched else { continue };
                let changes = events.get(&watched.ticket.id).map(Vec::as_slice).unwrap_or_default();
                let found = explain::discrepancies(watched, changes, &desk, now);
                ticket.discrepancies = found.into_iter().map(|one| one.words).collect();
            }
        }
        Ok(())
    }

    /// Where SuperOps' due times differ from ours among the open tickets, by client and policy, most first.
    pub async fn differences(&self, scope: &Scope) -> Result<Differences, ServiceError> {
        let now = self.clock.now();
        let mut tally = explain::Tally::default();
        for tenant in self.tenants(scope) {
            let (_, desk) = self.desks.of(tenant).await?;
            if desk.policies().is_empty() {
                continue;
            }
            let open = self.store.open_tickets(&tenant.id).await?;
            let events = self.store.open_events(&tenant.id).await?;
            for watched in open.values() {
                let changes = events.get(&watched.ticket.id).map(Vec::as_slice).unwrap_or_default();
                tally.add(watched, changes, &desk, now);
            }
        }
        Ok(tally.answer(now))
    }

    /// How the desk stands as a whole.
    pub async fn overview(&self, scope: &Scope) -> Result<Overview, ServiceError> {
        let now = self.clock.now();
        let seen = self.open(scope, now).await?;
        let count = |class: view::Class| seen.iter().filter(|one| one.class == class).count();
        let mut tenants = Vec::new();
        for tenant in self.tenants(scope) {
            tenants.push(self.health(tenant, now).await?);
        }
        let only = match scope {
            Scope::All => None,
            Scope::One(tenant) => Some(tenant),
        };
        let tally = self.store.tally(only, now - TimeDelta::days(1)).await?;
        Ok(Overview {
            now,
            speed: self.clock.speed(),
            open: seen.len(),
            breached: count(view::Class::Breached),
            at_risk: count(view::Class::AtRisk),
            paused: count(view::Class::Paused),
            on_track: count(view::Class::OnTrack),
            tenants,
            channels: self.channels(),
            outbox_pending: tally.pending,
            sent_last_day: tally.sent,
            failed_last_day: tally.failed,
            mismatches: counted(&self.found.borrow(), only),
        })
    }

    fn channels(&self) -> Vec<ChannelHealth> {
        let health = |kind: crate::config::ChannelKind| {
            let channel = kind.as_str();
            let open = self.telemetry.channel_open.get_or_create(&ChannelLabels { channel }).get() != 0;
            ChannelHealth { channel, state: if open { "down" } else { "up" } }
        };
        self.config.notify.kinds().into_iter().map(health).collect()
    }

    /// Who was told what, newest first, and how each attempt went.
    pub async fn messages(&self, scope: &Scope, ticket: Option<&str>, limit: usize) -> Result<Vec<Said>, ServiceError> {
        let only = match scope {
            Scope::All => None,
            Scope::One(tenant) => Some(tenant),
        };
        let ticket = match ticket {
            None => None,
            Some(text) => {
                let found = self.store.find_ticket(only, text).await?;
                let Some((_, watched)) = found.into_iter().next() else { return Ok(Vec::new()) };
                Some(watched.ticket.id.clone())
            }
        };
        let rows =
            self.store.notifications(only, ticket.as_ref().map(TicketId::as_str), limit.min(MOST_TICKETS)).await?;
        let mut words = self.store.delivery_words(&rows).await?;
        let mut said = self.with_attempts(rows).await?;
        for one in &mut said {
            one.message.delivery = words.remove(&one.message.key);
        }
        Ok(said)
    }

    /// Whether the store can be written and each tenant's data is fresh; else why not.
    pub async fn ready(&self) -> Result<(), Vec<String>> {
        let now = self.clock.now();
        let mut reasons = Vec::new();
        if let Err(error) = self.store.prove_writable(now).await {
            reasons.push(error.to_string());
        }
        for tenant in self.config.tenants.values() {
            let health = self.sync_health(&tenant.id);
            let longest = (tenant.poll_interval * STALE_POLLS).max(STALE_AT_LEAST);
            match (health.age(now), health.trouble) {
                (Some(age), _) if age <= longest => {}
                (_, Some(trouble)) => reasons.push(format!("{}: {}; {}", tenant.id, trouble.what, trouble.advice)),
                (None, None) => reasons.push(format!("{}: SuperOps has not been read yet", tenant.id)),
                (Some(age), None) => {
                    reasons.push(format!("{}: SuperOps was last read {} ago", tenant.id, crate::notify::words(age)));
                }
            }
        }
        if reasons.is_empty() { Ok(()) } else { Err(reasons) }
    }

    /// Has sync look at `tenant` at once. Nothing else is believed of whoever asks.
    pub fn hint(&self, tenant: &TenantId) {
        self.sync.hints.hint(tenant);
    }

    /// Brings the figures that age by themselves up to now.
    pub fn refresh_gauges(&self) {
        let now = self.clock.now();
        for tenant in self.config.tenants.keys() {
            let labels = TenantLabels { tenant: tenant.to_string() };
            if let Some(age) = self.sync_health(tenant).age(now) {
                self.telemetry.sync_age_seconds.get_or_create(&labels).set(age.as_seconds_f64());
            }
        }
    }

    /// All open tickets within `scope`, assessed at `now`.
    async fn open(&self, scope: &Scope, now: DateTime<Utc>) -> Result<Vec<Seen>, StoreError> {
        let mut seen = Vec::new();
        for tenant in self.tenants(scope) {
            let (_, desk) = self.desks.of(tenant).await?;
            let open = self.store.open_tickets(&tenant.id).await?;
            let version = self.desks.versions(&tenant.id).await?.last().map(|last| last.number);
            let forecasts = self.board.of(&tenant.id);
            let look = |watched| Seen::new(tenant, &desk, watched, now).of_version(version);
            seen.extend(open.values().map(|watched| look(watched).foreseen(&forecasts, watched, &desk)));
        }
        Ok(seen)
    }

    fn tenants<'a>(&'a self, scope: &'a Scope) -> impl Iterator<Item = &'a Tenant> {
        self.config.tenants.values().filter(move |tenant| match scope {
            Scope::All => true,
            Scope::One(only) => tenant.id == *only,
        })
    }

    async fn health(&self, tenant: &Tenant, now: DateTime<Utc>) -> Result<TenantHealth, StoreError> {
        let health = self.sync_health(&tenant.id);
        let last_good = match health.last_good {
            Some(at) => Some(at),
            // Asked from the command line, beside the service that reads.
            None => self.store.sync_state(&tenant.id).await?.good_at,
        };
        let trouble = health.trouble.map(|trouble| format!("{}; {}", trouble.what, trouble.advice));
        let stale = last_good.is_some_and(|at| now - at > (tenant.poll_interval * STALE_POLLS).max(STALE_AT_LEAST));
        let trouble = trouble.or_else(|| stale.then(|| "no fresh data: is the service running?".to_owned()));
        let quarantined = self.store.quarantined(&tenant.id).await?.len();
        Ok(TenantHealth {
            tenant: tenant.id.to_string(),
            last_good_sync: last_good,
            trouble,
            quarantined,
            forecast: self.stepped_back(&tenant.id),
        })
    }

    fn sync_health(&self, tenant: &TenantId) -> SyncHealth {
        self.sync.health.get(tenant).map(|health| health.borrow().clone()).unwrap_or_default()
    }
}

fn limit(query: &TicketQuery) -> Result<usize, ServiceError> {
    match query.limit.unwrap_or(USUAL_TICKETS) {
        limit @ 1..=MOST_TICKETS => Ok(limit),
        limit => Err(ServiceError::BadQuestion(format!("`limit` is {limit}, and must be 1 to {MOST_TICKETS}"))),
    }
}

fn cursor(query: &TicketQuery) -> Result<usize, ServiceError> {
    let bad = |text: &str| ServiceError::BadQuestion(format!("`cursor` `{text}` is not one that we gave"));
    query.cursor.as_deref().map_or(Ok(0), |text| text.parse().map_err(|_| bad(text)))
}

fn message_view(row: Logged) -> MessageView {
    let notification = row.leased.notification;
    let ticket: Option<&TicketFacts> = match &notification.message.body {
        Body::Alert(facts) => Some(&facts.ticket),
        Body::Recovery(facts) => Some(&facts.ticket),
        Body::Acknowledged(facts) => Some(&facts.ticket),
        Body::Digest(_) | Body::Bundle(_) | Body::Stale(_) | Body::Test => None,
    };
    MessageView {
        display_id: ticket.map(|ticket| ticket.display_id.clone()),
        key: notification.message.key.clone(),
        tenant: notification.tenant.to_string(),
        ticket_id: notification.ticket_id,
        kind: notification.kind.to_owned(),
        stage: notification.stage,
        step: notification.step.into(),
        channel: notification.channel.as_str().to_owned(),
        recipient: recipient_words(notification.channel, notification.message.to_name),
        sent_at: row.done_at.filter(|_| row.state == "sent"),
        state: row.state,
        held_by: row.held_by,
        bundle: row.bundle,
        due_at: notification.due_at,
        attempts: row.leased.attempt.into(),
        last_error: row.last_error,
        delivery: None,
    }
}

/// A system is called by its name; of an address nobody's name is known.
fn recipient_words(channel: crate::config::ChannelKind, name: Option<String>) -> String {
    let unnamed = if channel.is_system() { channel.words() } else { "a configured address" };
    name.unwrap_or_else(|| unnamed.to_owned())
}
