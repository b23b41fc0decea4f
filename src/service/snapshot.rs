//! All open tickets of a tenant as they stand at one moment: what lists,
//! overview, command line and metrics are read from, so that they agree.
//!
//! To assess ten thousand tickets takes a while, so it is done once for all who
//! ask. A ticket's history is walked when it or the rules are new. Where its
//! clocks stand is worked out anew when a standing changes by the passing of
//! time, and else at most once a second: that is how old the order of a list
//! may be. What is shown of a single ticket is of the moment of the question.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::try_join_all;

use super::view;
use super::{Complaint, Service, ServiceError, TicketQuery};
use crate::alert::AlertKey;
use crate::config::Tenant;
use crate::predict::Forecasts;
use crate::sla::clock::Clocks;
use crate::sla::forecast::Risk;
use crate::sla::standing::{CLOCK_NAMES, Tally, TicketStanding, clock_name};
use crate::sla::tenant_rules::TenantRules;
use crate::store::StoreError;
use crate::store::tickets::OpenTickets;
use crate::ticket::unlisted::{Unlisted, unlisted};
use crate::ticket::watch::Watched;
use crate::ticket::{ClockKind, Named, TenantId, Ticket, TicketId};

/// How old the order of a list may be, on the wall.
const FRESH: TimeDelta = TimeDelta::seconds(1);
/// For so long it is believed, by the clock, that nothing changes before its known moment: counts need no order.
const BELIEVED: TimeDelta = TimeDelta::minutes(1);

/// The latest snapshot of each tenant; none while nobody has asked.
pub type Snapshots = BTreeMap<TenantId, tokio::sync::Mutex<Option<Arc<Snapshot>>>>;

/// What a snapshot is made from.
#[derive(Clone)]
struct Inputs {
    open: Arc<OpenTickets>,
    rules: Arc<TenantRules>,
    forecasts: Arc<Forecasts>,
}

/// One open ticket.
pub struct Row {
    pub watched: Arc<Watched>,
    /// What its history comes to: nothing of that changes by time alone.
    clocks: Arc<Clocks>,
    pub standing: TicketStanding,
    risk: Option<Risk>,
    /// Working time left on the running clock that is worst off.
    least_left: TimeDelta,
}

/// All open tickets of one tenant.
pub struct Snapshot {
    inputs: Inputs,
    at: DateTime<Utc>,
    /// When a standing changes next by the passing of time.
    next_change: Option<DateTime<Utc>>,
    /// Worst first.
    pub rows: Vec<Row>,
    /// Where the row of each ticket stands.
    places: HashMap<TicketId, usize>,
    pub tally: Tally,
    /// Tickets that nobody has.
    pub unassigned: usize,
    /// Tickets that are likely to breach, or very, and have not.
    pub likely: usize,
    /// Since when the client waits who waits longest for a first answer.
    pub waiting_since: Option<DateTime<Utc>>,
    /// How many clocks of each kind stand how, in the order of [`CLOCK_NAMES`].
    pub clocks: [[usize; CLOCK_NAMES.len()]; ClockKind::ALL.len()],
    /// Statuses that look closed or paused and are not listed, a sentence each.
    pub unlisted: Vec<String>,
}

impl Inputs {
    fn are(&self, other: &Self) -> bool {
        // Where nothing was forecast yet, each question gets an empty answer of its own.
        let unsaid = self.forecasts.at.is_none() && other.forecasts.at.is_none();
        Arc::ptr_eq(&self.open, &other.open)
            && Arc::ptr_eq(&self.rules, &other.rules)
            && (unsaid || Arc::ptr_eq(&self.forecasts, &other.forecasts))
    }
}

impl Row {
    /// Whether it shows the same as `other`, but for when the ticket was read: that is no change.
    pub fn shows_the_same(&self, other: &Self) -> bool {
        let (own, others) = (&self.watched, &other.watched);
        self.standing == other.standing && (Arc::ptr_eq(own, others) || own.is_known_as(others))
    }

    /// How likely it breaches, in words of risk.
    pub fn risk(&self) -> Option<Risk> {
        self.risk
    }

    /// What tickets are sorted by: how they stand, then who has least time left; of those without a running clock, the
    /// latest opened first.
    pub fn rank(&self) -> impl Ord + use<'_> {
        let ticket = &self.watched.ticket;
        (self.standing, self.least_left, Reverse(ticket.created_at), &ticket.id)
    }
}

/// Working time left on the running clock that is worst off.
fn least_left(clocks: &view::Clocks<'_>) -> TimeDelta {
    let running = clocks.iter().filter(|clock| clock.running);
    running.filter_map(|clock| clock.left).min().unwrap_or(TimeDelta::MAX)
}

impl Snapshot {
    /// Works out how all tickets stand at `now`, with what `before` knows of their stories.
    fn take(before: Option<Arc<Self>>, inputs: Inputs, now: DateTime<Utc>) -> Self {
        let same_rules = before.filter(|before| Arc::ptr_eq(&before.inputs.rules, &inputs.rules));
        let held = same_rules.iter().flat_map(|before| &before.rows);
        // By address: a ticket that was read anew has another one, and while we hold it no other can have its.
        let walked_before: HashMap<_, _> = held.map(|row| (Arc::as_ptr(&row.watched), &row.clocks)).collect();
        let mut taken = Self {
            at: now,
            next_change: None,
            rows: Vec::with_capacity(inputs.open.len()),
            places: HashMap::new(),
            tally: Tally::default(),
            unassigned: 0,
            likely: 0,
            waiting_since: None,
            clocks: Default::default(),
            unlisted: Vec::new(),
            inputs: inputs.clone(),
        };
        for watched in inputs.open.values() {
            let walked = walked_before.get(&Arc::as_ptr(watched)).map(|walked| Arc::clone(walked));
            taken.add(watched, walked.unwrap_or_else(|| Arc::new(Clocks::of(watched, &inputs.rules))));
        }
        taken.rows.sort_unstable_by(|a, b| a.rank().cmp(&b.rank()));
        let places = taken.rows.iter().enumerate().map(|(place, row)| (row.watched.ticket.id.clone(), place));
        taken.places = places.collect();
        let found = unlisted(inputs.rules.words(), [], inputs.open.values().map(Arc::as_ref));
        taken.unlisted = found.iter().map(Unlisted::words).collect();
        taken
    }

    fn add(&mut self, watched: &Arc<Watched>, walked: Arc<Clocks>) {
        let clocks = walked.at(watched, &self.inputs.rules, self.at);
        for (counts, clock) in self.clocks.iter_mut().zip(&clocks).filter(|(_, clock)| clock.is_kept()) {
            let place = CLOCK_NAMES.iter().position(|name| *name == clock_name(clock));
            counts[place.unwrap_or_default()] += 1;
        }
        let row = Row {
            standing: TicketStanding::of(&clocks),
            risk: view::risk(&watched.ticket.id, &clocks, &self.inputs.forecasts),
            least_left: least_left(&clocks),
            watched: watched.clone(),
            clocks: walked,
        };
        self.next_change = clocks.iter().filter_map(|clock| clock.next_change).chain(self.next_change).min();
        self.tally.add(row.standing);
        self.unassigned += usize::from(watched.ticket.technician.is_none());
        let is_likely = matches!(row.risk, Some(Risk::High | Risk::Critical));
        self.likely += usize::from(is_likely && row.standing != TicketStanding::Breached);
        let waits = clocks[0].running.then(|| watched.start(ClockKind::FirstResponse)).flatten();
        self.waiting_since = waits.into_iter().chain(self.waiting_since).min();
        self.rows.push(row);
    }

    /// Whether it tells how things stand at `now`.
    fn holds(&self, inputs: &Inputs, now: DateTime<Utc>, fresh: TimeDelta) -> bool {
        let unchanged = self.next_change.is_none_or(|change| now < change);
        self.inputs.are(inputs) && unchanged && (now - self.at).abs() < fresh
    }

    pub fn rules(&self) -> &TenantRules {
        &self.inputs.rules
    }

    pub fn forecasts(&self) -> &Forecasts {
        &self.inputs.forecasts
    }

    /// The working time left on the clock of an alert at `now`; none if its ticket is not open, or was reopened since.
    pub fn left(&self, key: &AlertKey, now: DateTime<Utc>) -> Option<TimeDelta> {
        let (ticket, kind) = key.clock()?;
        let row = self.rows.get(*self.places.get(ticket)?)?;
        let is_same = row.watched.cycle == key.cycle;
        self.clocks_of(row, now).into_iter().find(|clock| clock.kind == kind && is_same)?.left
    }

    /// How the ticket of `row` stands at `at`, and the working time that is left then on its running clock that is worst off.
    pub fn stands_at(&self, row: &Row, at: DateTime<Utc>) -> (TicketStanding, TimeDelta) {
        if at == self.at {
            return (row.standing, row.least_left);
        }
        let clocks = self.clocks_of(row, at);
        (TicketStanding::of(&clocks), least_left(&clocks))
    }

    /// Where the clocks of `row` stand at `now`.
    pub fn clocks_of(&self, row: &Row, now: DateTime<Utc>) -> view::Clocks<'_> {
        row.clocks.at(&row.watched, &self.inputs.rules, now)
    }
}

impl Snapshot {
    /// The moment that it shows.
    pub fn taken_at(&self) -> DateTime<Utc> {
        self.at
    }

    /// When the forecasts that it shows were made.
    pub fn foreseen_at(&self) -> Option<DateTime<Utc>> {
        self.inputs.forecasts.at
    }
}

impl Service {
    /// How the open tickets of each of `tenants` stand at `now`.
    pub(super) async fn snapshots<'a>(
        &self,
        tenants: impl Iterator<Item = &'a Tenant>,
        now: DateTime<Utc>,
    ) -> Result<Vec<(&'a Tenant, Arc<Snapshot>)>, StoreError> {
        try_join_all(tenants.map(async |tenant| Ok((tenant, self.snapshot(tenant, now).await?)))).await
    }

    /// How the open tickets of each of `tenants` stand at `now`; in what order, may be a minute old.
    pub(super) async fn standing_snapshots<'a>(
        &self,
        tenants: impl Iterator<Item = &'a Tenant>,
        now: DateTime<Utc>,
    ) -> Result<Vec<(&'a Tenant, Arc<Snapshot>)>, StoreError> {
        let age = BELIEVED.max(self.fresh());
        try_join_all(tenants.map(async |tenant| Ok((tenant, self.snapshot_of_age(tenant, age, now).await?)))).await
    }

    /// How the open tickets of `tenant` stand at `now`.
    pub(super) async fn snapshot(&self, tenant: &Tenant, now: DateTime<Utc>) -> Result<Arc<Snapshot>, StoreError> {
        self.snapshot_of_age(tenant, self.fresh(), now).await
    }

    fn fresh(&self) -> TimeDelta {
        FRESH * i32::try_from(self.clock.speed()).unwrap_or(i32::MAX)
    }

    async fn snapshot_of_age(
        &self,
        tenant: &Tenant,
        age: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Arc<Snapshot>, StoreError> {
        let (_, rules) = self.rules_cache.of(tenant).await?;
        let open = self.store.open_tickets(&tenant.id).await?;
        let inputs = Inputs { open, rules, forecasts: self.published.of(&tenant.id) };
        let Some(place) = self.snapshots.get(&tenant.id) else {
            return Ok(Arc::new(Snapshot::take(None, inputs, now)));
        };
        // Who comes meanwhile waits for this one, and takes it too.
        let mut held = place.lock().await;
        if let Some(held) = held.as_ref().filter(|held| held.holds(&inputs, now, age)) {
            return Ok(held.clone());
        }
        let before = held.take();
        // A large desk takes some milliseconds: no loop has to wait for that.
        let taking = tokio::task::spawn_blocking(move || Snapshot::take(before, inputs, now));
        let taken = Arc::new(taking.await.map_err(|error| StoreError::Unreadable(error.to_string()))?);
        *held = Some(taken.clone());
        Ok(taken)
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
    /// Each of them in lower case.
    words: Vec<String>,
}

impl Filter {
    /// Refuses words that can match nothing.
    pub fn new(query: &TicketQuery) -> Result<Self, ServiceError> {
        let lower = |text: &Option<String>| text.as_ref().map(|text| text.trim().to_lowercase());
        let one_of = |name: &'static str, text: Option<String>, words: &[&str]| match text {
            Some(text) if !words.contains(&text.as_str()) => Err(ServiceError::BadQuestion(Complaint::of(
                name,
                format!("is `{text}`, and must be one of {}", words.join(", ")),
            ))),
            text => Ok(text),
        };
        const RISKS: [&str; 5] = ["none", "low", "medium", "high", "critical"];
        const STANDINGS: [&str; 8] =
            ["breached", "at_risk", "on_track", "paused", "nothing_due", "met", "cancelled", "unknown"];
        Ok(Self {
            tenant: query.tenant.clone(),
            risk: one_of("risk", lower(&query.risk), &RISKS)?,
            standing: one_of("standing", lower(&query.standing), &STANDINGS)?,
            technician: lower(&query.technician),
            client: lower(&query.client),
            priority: lower(&query.priority),
            words: lower(&query.text).iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect(),
        })
    }

    /// Whether tickets of `tenant` can be among them.
    pub fn asks_for(&self, tenant: &TenantId) -> bool {
        self.tenant.as_ref().is_none_or(|wanted| wanted == tenant.as_str())
    }

    /// Whether `row` is among them, however it stands.
    pub fn names(&self, row: &Row) -> bool {
        let ticket = &row.watched.ticket;
        let is = |wanted: &Option<String>, named: Option<&Named>| {
            let matches = |wanted: &String| {
                named.is_some_and(|named| [named.id.as_str(), &named.name].map(str::to_lowercase).contains(wanted))
            };
            wanted.as_ref().is_none_or(matches)
        };
        let priority = |wanted: &String| ticket.priority.as_ref().is_some_and(|name| name.to_lowercase() == *wanted);
        let risk = |wanted: &String| view::risk_word(row.risk).eq_ignore_ascii_case(wanted);
        is(&self.technician, ticket.technician.as_ref())
            && is(&self.client, ticket.client.as_ref())
            && self.priority.as_ref().is_none_or(priority)
            && self.risk.as_ref().is_none_or(risk)
            && (self.words.is_empty() || self.is_said_of(ticket))
    }

    /// Whether every word is somewhere in what people know the ticket by.
    fn is_said_of(&self, ticket: &Ticket) -> bool {
        let named = [&ticket.client, &ticket.technician, &ticket.group, &ticket.sla];
        let named = named.into_iter().flatten().map(|named| named.name.as_str());
        let own = [Some(&*ticket.display_id), Some(ticket.id.as_str()), Some(&*ticket.subject)];
        let own = own.into_iter().chain([ticket.status.as_deref(), ticket.priority.as_deref()]).flatten();
        let text = own.chain(named).collect::<Vec<_>>().join("\n").to_lowercase();
        self.words.iter().all(|word| text.contains(word.as_str()))
    }

    /// Whether `row` stands as is asked for: the ticket as a whole, or, of what a ticket is never called, one clock.
    pub fn stands(&self, snapshot: &Snapshot, row: &Row) -> bool {
        let Some(wanted) = self.standing.as_deref() else { return true };
        if matches!(wanted, "met" | "cancelled" | "unknown") {
            let clocks = snapshot.clocks_of(row, snapshot.at);
            return clocks.iter().any(|clock| clock.is_kept() && clock.standing.as_str() == wanted);
        }
        row.standing.as_str() == wanted
    }
}
