//! Answers the questions people ask, each at one `now`, for the web and the command line alike.

pub mod alerts;
pub mod audit;
pub mod breaches;
mod complaint;
pub mod described;
mod ending;
mod explain;
mod figures;
pub mod forecast;
pub mod incidents;
mod kept;
mod leader;
pub mod live;
pub mod messages;
pub mod on_call;
mod order;
pub mod overrides;
mod overview;
pub mod paging;
pub mod people;
pub mod policies;
pub mod private_pages;
pub mod reports;
pub mod room;
mod snapshot;
pub mod statements;
pub mod suppressions;
pub mod today;
pub mod tokens;
pub mod tryout;
pub mod uptime;
mod view;
pub mod views;
pub mod weekly;
pub mod write_backs;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};
use utoipa::{IntoParams, ToSchema};

use crate::clock::SharedClock;
use crate::config::{Config, Tenant, explain as configured};
use crate::formats::FormatError;
use crate::loop_health::LoopHealths;
use crate::monitor::board::MonitorState;
use crate::notify;
use crate::predict::PublishedForecasts;
use crate::rules_cache::RulesCache;
use crate::self_monitoring::Mismatches;
use crate::sla::clock::Clocks;
use crate::sla::standing::Tally;
use crate::sla::tenant_rules::TenantRules;
use crate::sla::zone::Tz;
use crate::store::lease::Role;
use crate::store::{Store, StoreError};
use crate::sync::{Hints, SyncHealth};
use crate::telemetry::Telemetry;
use crate::ticket::watch::Watched;
use crate::ticket::{ClockKind, TenantId, TicketId};
use described::{OrderWord, RiskWord, StandingWord};
use kept::Kept;
use live::Live;
use order::Order;
use paging::AsOf;
use snapshot::{Choices, Filter, Row, Snapshot, Snapshots};
use view::ViewContext;

pub use crate::ticket::Reach;
pub use complaint::Complaint;
pub use explain::{ClockLedger, DifferenceGroup, Differences, HeldBy, LedgerLine, TicketLedger};
pub use forecast::{ClockForecast, ForecastRecord};
pub use leader::{Heard, LeaderHealth};
pub use messages::MessageView;
pub use overview::{ChannelHealth, Counts, Overview, TenantHealth};

/// Which open tickets are asked for; everything blank asks for all of them.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct TicketQuery {
    pub tenant: Option<String>,
    /// none | low | medium | high | critical
    #[param(inline, value_type = Option<RiskWord>)]
    pub risk: Option<String>,
    /// breached | at_risk | on_track | paused | nothing_due, of the ticket; or met | cancelled | unknown, of any clock
    #[param(inline, value_type = Option<StandingWord>)]
    pub standing: Option<String>,
    /// Id or name, like the next two; `—` for tickets that have none. Whoever is called `—` is found by the id.
    pub technician: Option<String>,
    pub client: Option<String>,
    pub priority: Option<String>,
    /// Words that must all occur in its number, subject, client, technician, group, status, priority or SLA.
    pub text: Option<String>,
    /// What to sort by, the worst first by default; `-` reverses it.
    #[param(inline, value_type = Option<OrderWord>)]
    pub sort: Option<String>,
    /// 1 to 500, 100 by default.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<usize>,
    /// `next_cursor` of the page before, which was asked for in the same words.
    pub cursor: Option<String>,
    /// Whether the answer also names all that the open tickets can be filtered by.
    pub choices: Option<bool>,
}

/// Open tickets, worst first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TicketPage {
    pub now: DateTime<Utc>,
    pub total: usize,
    /// The counts by standing of the tickets asked for, whichever `standing` is asked for.
    pub counts: Counts,
    pub tickets: Vec<TicketSla>,
    pub next_cursor: Option<String>,
    /// If asked for: the choices in all open tickets of the tenants that are asked for, whatever the other filters are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub choices: Option<Choices>,
}

/// One ticket with its SLA status. Durations are seconds; those left count working time.
#[derive(Clone, Debug, Serialize, ToSchema)]
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
    /// breached | at_risk | on_track | paused | nothing_due; closed, if it is not open
    pub standing: &'static str,
    /// Seconds; negative once over; none when the clock has stopped, stands still or has no due time.
    pub response_time_remaining: Option<i64>,
    pub resolution_time_remaining: Option<i64>,
    pub is_response_breached: bool,
    pub is_resolution_breached: bool,
    /// LOW | MEDIUM | HIGH | CRITICAL; NONE where nothing is due
    pub breach_risk_level: &'static str,
    pub breach_probability: Option<f64>,
    /// When SuperOps was last asked about this ticket.
    pub last_updated: DateTime<Utc>,
    pub clocks: Vec<ClockStatus>,
    /// Who has taken on its alerts, or put them off, and until when.
    pub held: Vec<alerts::TicketHold>,
    /// What people decided about the clocks by hand.
    pub overrides: Vec<overrides::OverrideView>,
    /// Where the reported and the computed due time differ.
    pub discrepancies: Vec<String>,
    /// Fields of the record that made no sense.
    pub flaws: Vec<String>,
}

/// The configured policy that holds for a ticket, and those that match it as well.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TicketPolicy {
    /// Among the tenant's policies in their order, from 1.
    pub position: usize,
    /// Which tickets it applies to, in words.
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
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ClockStatus {
    pub clock: ClockKind,
    /// on_track | at_risk | breached | paused | met | met_late | cancelled | unknown
    pub standing: &'static str,
    /// Whether it is or was late.
    pub breached: bool,
    /// None while it is paused and not late.
    pub due: Option<DateTime<Utc>>,
    /// While it is paused and not late: when it would be due if work went on now.
    pub due_if_resumed_now: Option<DateTime<Utc>>,
    /// reported | policy | by_hand: what the due time is based on
    pub due_by: Option<&'static str>,
    pub met_at: Option<DateTime<Utc>>,
    /// technician | automation | not_known, for a first response that was given; none for other clocks.
    pub met_by: Option<&'static str>,
    /// Working seconds left, negative once over.
    pub remaining: Option<i64>,
    /// Wall seconds to the due time, negative once past.
    pub remaining_wall: Option<i64>,
    /// Working seconds over, also of one that was stopped late; none while it is in time.
    pub over: Option<i64>,
    /// Whether `remaining` goes down at this moment: the clock runs, and its working hours are open.
    pub counting: bool,
    /// Its working time is wall time.
    pub round_the_clock: bool,
    /// Share of the allowed working time that is used, without pauses and the time it was closed: 0 to 1 and beyond.
    pub elapsed_share: Option<f64>,
    pub at_risk_from: Option<DateTime<Utc>>,
    /// Which hours count, in words.
    pub hours: String,
    /// Why the clock cannot be fully known, if so.
    pub partial: Vec<String>,
    /// How likely it is to breach, and why; none once that is decided, and before the first look.
    pub forecast: Option<ClockForecast>,
}

impl ClockStatus {
    /// `6 h 28 min over`, `42 min left`: working time, like everything about a clock.
    pub fn time_words(&self) -> String {
        match (self.standing, self.remaining) {
            ("met_late", _) => format!("met late, {} over", self.words_of(self.over.unwrap_or_default())),
            ("met" | "cancelled" | "unknown", _) | (_, None) => self.standing.to_owned(),
            ("paused", Some(left)) => format!("paused, {} left", self.words_of(left)),
            // SuperOps may call a clock breached before its due time; then no time left is shown.
            ("breached", Some(left)) if left >= 0 => "breached".to_owned(),
            ("breached", Some(left)) if left > -60 => notify::JUST.to_owned(),
            ("breached", Some(_)) => format!("{} over", self.words_of(self.over.unwrap_or_default())),
            (_, Some(left)) => format!("{} left", self.words_of(left)),
        }
    }

    /// Seconds in words: nobody knows how long a day of working time is, so working time is in hours.
    pub(crate) fn words_of(&self, seconds: i64) -> String {
        let length = TimeDelta::seconds(seconds.abs());
        if self.round_the_clock { notify::words(length) } else { notify::hours(length) }
    }
}

/// Why a question could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The question itself is wrong.
    #[error("{0}")]
    BadQuestion(Complaint),
    /// Several tenants have a ticket of that number.
    #[error("{} each have a ticket `{ticket}`: say which `tenant` is meant", tenants.join(", "))]
    Ambiguous { tenants: Vec<String>, ticket: String },
    /// It is decided elsewhere, and cannot be changed here; the text says where.
    #[error("{0}")]
    Settled(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No secret can be made.
    #[error("the operating system gives no random bytes: {0}")]
    NoRandomness(String),
    /// A report could not be written in the requested format.
    #[error(transparent)]
    Format(FormatError),
}

impl From<FormatError> for ServiceError {
    fn from(error: FormatError) -> Self {
        match error {
            FormatError::NoSuchTable { .. } => Self::BadQuestion(Complaint::about("table", error.to_string())),
            error => Self::Format(error),
        }
    }
}

/// The most tickets on one page.
const MOST_TICKETS: usize = 500;
/// How many there are unless told otherwise.
const USUAL_TICKETS: usize = 100;
/// Answers questions. Cheap to share.
#[derive(Clone)]
pub struct Service {
    config: Arc<Config>,
    rules_cache: Arc<RulesCache>,
    store: Store,
    clock: SharedClock,
    telemetry: Arc<Telemetry>,
    sync: Syncs,
    /// What the leader told last; none on a process that runs the loops itself.
    heard: Option<watch::Receiver<Option<Heard>>>,
    /// These wake evaluation and dispatch after a person has changed something.
    news: Arc<Notify>,
    outbox: Arc<Notify>,
    published: Arc<PublishedForecasts>,
    /// What the audit has found.
    found: watch::Receiver<Mismatches>,
    loop_healths: LoopHealths,
    role: Role,
    snapshots: Arc<Snapshots>,
    answers: Arc<reports::answers::Answers>,
    live: Arc<Live>,
    /// What was read and holds until something is written.
    kept: Arc<Kept>,
    /// Where services are shown; none: no services are watched.
    monitor_state: Option<Arc<MonitorState>>,
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
        rules_cache: Arc<RulesCache>,
        store: Store,
        clock: SharedClock,
        telemetry: Arc<Telemetry>,
        sync: Syncs,
    ) -> Self {
        let (news, outbox, published) = (Arc::default(), Arc::default(), Arc::default());
        let found = watch::channel(Mismatches::new()).1;
        let loop_healths = LoopHealths::default();
        let snapshots = Arc::new(config.tenants.keys().map(|tenant| (tenant.clone(), Default::default())).collect());
        let (answers, live, kept) = (Arc::default(), Arc::default(), Arc::default());
        let (heard, monitor_state) = (None, None);
        Self {
            answers,
            live,
            kept,
            snapshots,
            config,
            rules_cache,
            store,
            clock,
            telemetry,
            sync,
            heard,
            news,
            outbox,
            published,
            found,
            loop_healths,
            role: Role::Alone,
            monitor_state,
        }
    }

    /// Reports when the loops last did their work.
    pub fn with_loop_healths(self, loop_healths: LoopHealths) -> Self {
        Self { loop_healths, ..self }
    }

    /// Sets its role among the replicas on its store.
    pub fn in_role(self, role: Role) -> Self {
        self.telemetry.leader.set(i64::from(role.leads()));
        Self { role, ..self }
    }

    /// Its role among the replicas on its store.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Shows how the leader's work goes, for a process that does not run the loops.
    pub fn hearing(self, heard: watch::Receiver<Option<Heard>>) -> Self {
        Self { heard: Some(heard), ..self }
    }

    /// The loops that run, each with the age of its last good turn in seconds.
    pub fn last_good_turns(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.loop_healths.ages()
    }

    /// Lets it wake the loops of the running service.
    pub fn with_wakers(self, news: Arc<Notify>, outbox: Arc<Notify>) -> Self {
        Self { news, outbox, ..self }
    }

    /// Also shows the forecasts in `published`.
    pub fn showing(self, published: Arc<PublishedForecasts>) -> Self {
        Self { published, ..self }
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Also shows the services on `monitor_state`.
    pub fn watching(self, monitor_state: Arc<MonitorState>) -> Self {
        Self { monitor_state: Some(monitor_state), ..self }
    }

    /// Also shows what the audit has found.
    pub fn audited(self, found: watch::Receiver<Mismatches>) -> Self {
        Self { found, ..self }
    }

    /// The names of the tenants within `scope`.
    pub fn tenant_names(&self, scope: &Reach) -> Vec<String> {
        self.tenants(scope).map(|tenant| tenant.id.to_string()).collect()
    }

    /// Open tickets, worst first.
    pub async fn tickets(&self, scope: &Reach, query: &TicketQuery) -> Result<TicketPage, ServiceError> {
        let (wanted, limit, order) = (Filter::new(query)?, limit(query)?, Order::parse(query.sort.as_deref())?);
        let after = order::begins_after(order, query.cursor.as_deref())?;
        let now = self.clock.now();
        let mut snapshots = Vec::new();
        let tenants = self.tenants(scope).filter(|tenant| wanted.asks_for(&tenant.id));
        for (tenant, snapshot) in self.snapshots(tenants, now).await? {
            let version = self.rules_cache.versions(&tenant.id).await?.last().map(|last| last.number);
            snapshots.push((tenant, version, snapshot));
        }
        let first = || snapshots.iter().map(|(.., snapshot)| snapshot.ranked_at()).max().unwrap_or(now);
        let as_of = after.as_ref().map_or_else(first, |(as_of, _)| as_of.within_a_day_of(now));
        let key = |(snapshot, row): &(&(&Tenant, Option<u32>, Arc<Snapshot>), &Row)| {
            order.key(&snapshot.0.id, &snapshot.2, row, as_of)
        };
        let is_sorted = snapshots.len() == 1 && snapshots[0].2.ranked_at() == as_of && order.is_usual();
        let (mut tally, mut found) = (Tally::default(), Vec::new());
        for snapshot in &snapshots {
            // What every page of a desk asks for: only the first rows are read.
            if wanted.is_all() && is_sorted && after.is_none() {
                tally.join(&snapshot.2.tally);
                found.extend(snapshot.2.rows.iter().take(limit + 1).map(|row| (snapshot, &**row)));
                continue;
            }
            for row in snapshot.2.rows.iter().filter(|row| wanted.names(row)) {
                tally.add(row.standing);
                found.extend(wanted.stands(&snapshot.2, row).then_some((snapshot, &**row)));
            }
        }
        let total = if wanted.is_all() { tally.total() } else { found.len() };
        if let Some((_, after)) = &after {
            found.retain(|one| order.compare(&key(one), after).is_gt());
        }
        let left = found.len();
        if !is_sorted {
            let mut keyed: Vec<_> = found.into_iter().map(|one| (key(&one), one)).collect();
            keyed.sort_by(|(a, _), (b, _)| order.compare(a, b));
            found = keyed.into_iter().map(|(_, one)| one).collect();
        }
        found.truncate(limit);
        let last = found.last().map(&key).filter(|_| left > limit);
        let page = found.into_iter();
        let show = |((tenant, version, snapshot), row): (&(&Tenant, Option<u32>, Arc<Snapshot>), &Row)| {
            (tenant.id.clone(), shown(tenant, *version, snapshot, row, now))
        };
        let mut page: Vec<_> = page.map(show).collect();
        self.compare(&mut page, now).await?;
        self.hold(&mut page, now).await?;
        let tickets: Vec<_> = page.into_iter().map(|(_, sla)| sla).collect();
        let next_cursor = last.map(|last| order::cursor(order, AsOf::new(as_of), last));
        let choices = (query.choices == Some(true)).then(|| Choices::of(snapshots.iter().map(|(.., one)| &**one)));
        Ok(TicketPage { now, total, counts: Counts::of(&tally), tickets, next_cursor, choices })
    }

    /// One ticket by its id or display id, open or not.
    pub async fn ticket(&self, scope: &Reach, id: &str) -> Result<Option<TicketSla>, ServiceError> {
        let now = self.clock.now();
        let Some((tenant, watched)) = self.found(scope, id).await? else { return Ok(None) };
        let Some(tenant) = self.config.tenants.get(&tenant) else { return Ok(None) };
        let (rules, version) = self.rules_cache.judging(tenant, &watched).await?;
        let changes = self.store.events(&tenant.id, &watched.ticket.id).await?;
        let mut seen = self.seen(tenant, &rules, &watched, version, now);
        let found = explain::discrepancies(&watched, &changes, &rules, now);
        seen.discrepancies = found.into_iter().map(|one| one.words).collect();
        let mut seen = [(tenant.id.clone(), seen)];
        self.hold(&mut seen, now).await?;
        let [(_, seen)] = seen;
        Ok(Some(seen))
    }

    /// Why the clocks of a ticket, by its id or display id, show what they show.
    pub async fn ledger(&self, scope: &Reach, id: &str) -> Result<Option<TicketLedger>, ServiceError> {
        let now = self.clock.now();
        let Some((tenant, watched)) = self.found(scope, id).await? else { return Ok(None) };
        let Some(tenant) = self.config.tenants.get(&tenant) else { return Ok(None) };
        let (rules, version) = self.rules_cache.judging(tenant, &watched).await?;
        let changes = self.store.events(&tenant.id, &watched.ticket.id).await?;
        let policy = self.seen(tenant, &rules, &watched, version, now).policy;
        let ledger = explain::ledger(&watched, &changes, &rules, version, now);
        Ok(Some(TicketLedger { policy_choice: policy.map(|policy| policy.choice), ..ledger }))
    }

    /// Returns the ticket that `id`, an id or a display id, means within `scope`.
    /// Several tenants may have one with that number: then the question must say whose is meant.
    async fn found(&self, scope: &Reach, id: &str) -> Result<Option<(TenantId, Arc<Watched>)>, ServiceError> {
        Ok(self.all_found(scope, id).await?.into_iter().next())
    }

    /// The tickets of one tenant with this id or number, likeliest first: SuperOps may use a number again.
    async fn all_found(&self, scope: &Reach, id: &str) -> Result<Vec<(TenantId, Arc<Watched>)>, ServiceError> {
        let mut found = self.store.find_ticket(scope, id).await?;
        found.retain(|(tenant, _)| self.config.tenants.contains_key(tenant));
        let tenants: BTreeSet<_> = found.iter().map(|(tenant, _)| tenant.to_string()).collect();
        if tenants.len() > 1 {
            let tenants = Vec::from_iter(tenants);
            return Err(ServiceError::Ambiguous { tenants, ticket: id.to_owned() });
        }
        Ok(found)
    }

    /// Shows a ticket as judged by `rules`, with the version that it follows and the place of its policy.
    fn seen(
        &self,
        tenant: &Tenant,
        rules: &TenantRules,
        watched: &Watched,
        version: Option<u32>,
        now: DateTime<Utc>,
    ) -> TicketSla {
        let forecasts = &self.published.of(&tenant.id);
        let clocks = Clocks::of(watched, rules).at(watched, rules, now);
        let mut seen = ViewContext { tenant, rules, forecasts, version, now }.show(watched, &clocks);
        let (places, policies): (Vec<_>, Vec<_>) = self.config.policies_of(&tenant.id).unzip();
        // An older version's policies have no place in the configuration any more.
        let is_present = rules.policies().iter().eq(policies);
        if let Some((policy, choice)) = seen.policy.as_mut().zip(rules.choice(&watched.ticket)) {
            policy.choice = choice.words(rules.policies(), if is_present { &places } else { &[] });
        }
        seen
    }

    /// Fills in where SuperOps' due times of these open tickets differ from ours.
    async fn compare(&self, tickets: &mut [(TenantId, TicketSla)], now: DateTime<Utc>) -> Result<(), StoreError> {
        let tenants: BTreeSet<TenantId> = tickets.iter().map(|(tenant, _)| tenant.clone()).collect();
        for tenant in tenants.iter().filter_map(|id| self.config.tenants.get(id)) {
            let (_, rules) = self.rules_cache.of(tenant).await?;
            if rules.policies().is_empty() {
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
                let found = explain::discrepancies(watched, changes, &rules, now);
                ticket.discrepancies = found.into_iter().map(|one| one.words).collect();
            }
        }
        Ok(())
    }

    /// Where SuperOps' due times differ from ours among the open tickets, by client and policy, most first.
    pub async fn differences(&self, scope: &Reach) -> Result<Differences, ServiceError> {
        let now = self.clock.now();
        let mut tally = explain::Tally::default();
        for tenant in self.tenants(scope) {
            let (_, rules) = self.rules_cache.of(tenant).await?;
            if rules.policies().is_empty() {
                continue;
            }
            let open = self.store.open_tickets(&tenant.id).await?;
            let events = self.store.open_events(&tenant.id).await?;
            for watched in open.values() {
                let changes = events.get(&watched.ticket.id).map(Vec::as_slice).unwrap_or_default();
                tally.add(watched, changes, &rules, now);
            }
        }
        Ok(tally.answer(now))
    }

    /// Makes sync check `tenant` at once. Nothing else that the caller says is believed.
    pub fn hint(&self, tenant: &TenantId) {
        self.sync.hints.hint(tenant);
    }

    /// The current time.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// The effective configuration, in words and without secrets.
    pub fn settings(&self) -> String {
        configured::details(&self.config, &BTreeMap::new())
    }

    /// Whether `tenant` is in the configuration.
    pub fn knows(&self, tenant: &TenantId) -> bool {
        self.config.tenants.contains_key(tenant)
    }

    /// The zone of the tenants within `scope`, if they have one in common.
    pub async fn common_zone(&self, scope: &Reach) -> Result<Option<Tz>, ServiceError> {
        let mut zones = Vec::new();
        for tenant in self.tenants(scope) {
            zones.push(self.rules_cache.of(tenant).await?.1.msp_timezone());
        }
        Ok(in_common(&zones))
    }

    fn tenants<'a>(&'a self, scope: &'a Reach) -> impl Iterator<Item = &'a Tenant> {
        self.config.tenants.values().filter(move |tenant| match scope {
            Reach::All => true,
            Reach::One(only) => tenant.id == *only,
        })
    }
}

/// The zone that all of these share.
fn in_common(zones: &[Tz]) -> Option<Tz> {
    zones.first().copied().filter(|first| zones.iter().all(|zone| zone == first))
}

/// Shows an open ticket at `now`.
fn shown(tenant: &Tenant, version: Option<u32>, snapshot: &Snapshot, row: &Row, now: DateTime<Utc>) -> TicketSla {
    let context = ViewContext { tenant, rules: snapshot.rules(), forecasts: snapshot.forecasts(), version, now };
    context.show(&row.watched, &snapshot.clocks_of(row, now))
}

fn limit(query: &TicketQuery) -> Result<usize, ServiceError> {
    match query.limit.unwrap_or(USUAL_TICKETS) {
        limit @ 1..=MOST_TICKETS => Ok(limit),
        limit => Err(ServiceError::BadQuestion(Complaint::of(
            "limit",
            format!("is {limit}, and must be 1 to {MOST_TICKETS}"),
        ))),
    }
}
