//! All open tickets of a tenant as they stand at one moment: lists, overview, command line and metrics are read from
//! it, so that they agree.
//!
//! Assessing ten thousand tickets takes a while, so it is done once for all who ask. A ticket's history is walked only
//! when it or the rules are new, and its clocks are computed anew only when the ticket is new or the passing of time
//! changes its standing. So reading a desk page by page keeps nobody waiting. Only the order goes by time left, which
//! passes: it is of one moment for all, and in a list at most ten seconds old, or one if a ticket's standing has
//! changed since. What is shown of a single ticket is of the moment of the question.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::try_join_all;
use serde::Serialize;
use utoipa::ToSchema;

use super::view;
use super::{Complaint, Service, ServiceError, TicketQuery};
use crate::alert::AlertKey;
use crate::config::Tenant;
use crate::predict::Forecasts;
use crate::sla::clock::{ClockState, Clocks};
use crate::sla::forecast::Risk;
use crate::sla::standing::{CLOCK_NAMES, Tally, TicketStanding, clock_name};
use crate::sla::tenant_rules::TenantRules;
use crate::store::StoreError;
use crate::store::tickets::OpenTickets;
use crate::ticket::unlisted::{CarriedStatuses, Unlisted};
use crate::ticket::watch::Watched;
use crate::ticket::{ClockKind, Named, TenantId, Ticket, TicketId};

/// What a question says for tickets that have no technician, client or priority, as lists show it. Nobody has such a
/// name by accident; somebody who has is found by the id.
pub const NONE: &str = "—";
/// The most choices of a kind in one answer.
const MOST_CHOICES: usize = 1_000;

/// What open tickets can be filtered by: names in their order, the first 1,000 of each kind, and `—` if there are
/// tickets without one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Choices {
    pub technician: Vec<String>,
    pub client: Vec<String>,
    pub priority: Vec<String>,
}

/// How old the order may be when somebody reads it.
#[derive(Clone, Copy, Debug)]
struct Fresh {
    /// If the standing of a ticket has changed since.
    at_change: TimeDelta,
    /// In any case: of two tickets, one may have been worked on meanwhile and the other not.
    at_most: TimeDelta,
}

/// For a list, in wall time.
const LISTED: Fresh = Fresh { at_change: TimeDelta::seconds(1), at_most: TimeDelta::seconds(10) };
/// Where the order does not matter: how long to trust that nothing changes before its known moment.
const COUNTED: Fresh = Fresh { at_change: TimeDelta::minutes(1), at_most: TimeDelta::minutes(1) };

/// The latest snapshots of all tenants.
pub type Snapshots = BTreeMap<TenantId, Latest>;

/// The latest snapshot of a tenant; none while nobody has asked.
#[derive(Default)]
pub struct Latest {
    taken: ArcSwapOption<Snapshot>,
    /// Held while the next one is taken.
    taking: tokio::sync::Mutex<()>,
}

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
    /// The result of its history, which time alone does not change.
    clocks: Arc<Clocks>,
    pub standing: TicketStanding,
    risk: Option<Risk>,
    /// Whether an open clock has breached, though it may be paused now.
    is_late: bool,
    /// How it stood when the order was made, and the working time that was then left on its worst running clock.
    ranked: (TicketStanding, TimeDelta),
    /// When the passing of time next changes one of its clocks.
    next_change: Option<DateTime<Utc>>,
    /// Since when its client waits for a first answer.
    waiting_since: Option<DateTime<Utc>>,
    /// How each kind of clock that it has stands, as an index into [`CLOCK_NAMES`].
    clock_names: [Option<usize>; ClockKind::ALL.len()],
    created_at: Option<DateTime<Utc>>,
    is_unassigned: bool,
}

/// All open tickets of one tenant.
pub struct Snapshot {
    inputs: Inputs,
    at: DateTime<Utc>,
    /// The moment by which the rows are sorted.
    ranked_at: DateTime<Utc>,
    /// Whether every ticket still stands as it did at that moment.
    is_as_ranked: bool,
    /// When the passing of time next changes a standing.
    next_change: Option<DateTime<Utc>>,
    /// Worst first.
    pub rows: Vec<Arc<Row>>,
    /// The index of each ticket's row.
    places: OnceLock<HashMap<TicketId, usize>>,
    /// The names by which its tickets can be filtered, in the order of [`names`].
    choices: OnceLock<[BTreeSet<String>; 3]>,
    pub tally: Tally,
    /// Tickets that nobody has.
    pub unassigned: usize,
    /// Tickets that are likely or very likely to breach, and have not.
    pub likely: usize,
    /// Since when the longest-waiting client has waited for a first answer.
    pub waiting_since: Option<DateTime<Utc>>,
    /// How many clocks of each kind have each standing, in the order of [`CLOCK_NAMES`].
    pub clocks: [[usize; CLOCK_NAMES.len()]; ClockKind::ALL.len()],
    carried: CarriedStatuses,
    /// Statuses that look closed or paused and are not listed, a sentence each.
    pub unlisted: Vec<String>,
}

impl Inputs {
    fn are(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.open, &other.open) && self.judge_like(other)
    }

    /// Whether both judge a ticket alike.
    fn judge_like(&self, other: &Self) -> bool {
        // Before the first forecast, each question gets an empty answer of its own.
        let unsaid = self.forecasts.at.is_none() && other.forecasts.at.is_none();
        Arc::ptr_eq(&self.rules, &other.rules) && (unsaid || Arc::ptr_eq(&self.forecasts, &other.forecasts))
    }
}

impl Row {
    /// Computes how `watched`, with the history `walked`, stands at `now` and stood at `ranked_at`.
    fn of(
        watched: &Arc<Watched>,
        walked: Arc<Clocks>,
        inputs: &Inputs,
        ranked_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Self {
        let clocks = walked.at(watched, &inputs.rules, now);
        let rank = |clocks: &view::Clocks<'_>| (TicketStanding::of(clocks), least_left(clocks));
        let name = |clock: &ClockState<'_>| CLOCK_NAMES.iter().position(|name| *name == clock_name(clock));
        Self {
            standing: TicketStanding::of(&clocks),
            risk: view::risk(&watched.ticket.id, &clocks, &inputs.forecasts),
            is_late: TicketStanding::is_late(&clocks),
            ranked: if now == ranked_at { rank(&clocks) } else { rank(&walked.at(watched, &inputs.rules, ranked_at)) },
            next_change: clocks.iter().filter_map(|clock| clock.next_change).min(),
            waiting_since: clocks[0].running.then(|| watched.start(ClockKind::FirstResponse)).flatten(),
            clock_names: clocks.each_ref().map(|clock| name(clock).filter(|_| clock.is_kept())),
            created_at: watched.ticket.created_at,
            is_unassigned: watched.ticket.technician.is_none(),
            watched: watched.clone(),
            clocks: walked,
        }
    }

    /// Whether it still shows how its ticket stands at `now`.
    fn is_true_at(&self, now: DateTime<Utc>) -> bool {
        self.next_change.is_none_or(|change| now < change)
    }

    /// Whether it shows the same as `other`; when the ticket was read is no change.
    pub fn shows_the_same(&self, other: &Self) -> bool {
        let (own, others) = (&self.watched, &other.watched);
        self.standing == other.standing && (Arc::ptr_eq(own, others) || own.is_known_as(others))
    }

    /// The risk of a breach.
    pub fn risk(&self) -> Option<Risk> {
        self.risk
    }

    /// The sort key of tickets: how they stand, then the least time left; without a running clock, the latest opened
    /// comes first.
    pub fn rank(&self) -> impl Ord + use<'_> {
        (self.ranked, Reverse(self.created_at), &self.watched.ticket.id)
    }
}

/// The working time left on the worst running clock.
fn least_left(clocks: &view::Clocks<'_>) -> TimeDelta {
    let running = clocks.iter().filter(|clock| clock.running);
    running.filter_map(|clock| clock.left).min().unwrap_or(TimeDelta::MAX)
}

impl Snapshot {
    /// Computes how all tickets stand at `now`, with what `before` knows of them; its order is kept if it is `fresh`.
    fn take(before: Option<Arc<Self>>, inputs: Inputs, fresh: Fresh, now: DateTime<Utc>) -> Self {
        let before = before.filter(|before| Arc::ptr_eq(&before.inputs.rules, &inputs.rules));
        let kept = before.as_ref().filter(|before| before.is_ranked(fresh, now) && before.inputs.judge_like(&inputs));
        let ranked_at = kept.map_or(now, |before| before.ranked_at);
        let mut taken = Self {
            at: now,
            ranked_at,
            is_as_ranked: true,
            next_change: None,
            rows: Vec::with_capacity(inputs.open.len()),
            places: OnceLock::new(),
            choices: OnceLock::new(),
            tally: Tally::default(),
            unassigned: 0,
            likely: 0,
            waiting_since: None,
            clocks: Default::default(),
            carried: before.as_ref().map(|before| before.carried.clone()).unwrap_or_default(),
            unlisted: Vec::new(),
            inputs: inputs.clone(),
        };
        let words = inputs.rules.words();
        // By address: a ticket read anew has another one, and none can take the address of one that we hold.
        let mut unseen: HashMap<_, _> = inputs.open.values().map(|watched| (Arc::as_ptr(watched), watched)).collect();
        for row in before.iter().flat_map(|before| &before.rows) {
            let Some(watched) = unseen.remove(&Arc::as_ptr(&row.watched)) else {
                taken.carried.remove(&row.watched, words);
                continue;
            };
            let is_kept = kept.is_some() && row.is_true_at(now);
            let anew = || Arc::new(Row::of(watched, row.clocks.clone(), &inputs, ranked_at, now));
            taken.add(if is_kept { row.clone() } else { anew() });
        }
        for watched in unseen.into_values() {
            taken.carried.add(watched, words);
            let clocks = Arc::new(Clocks::of(watched, &inputs.rules));
            taken.add(Arc::new(Row::of(watched, clocks, &inputs, ranked_at, now)));
        }
        // Most are in order already, which this sort makes use of.
        taken.rows.sort_by(|a, b| a.rank().cmp(&b.rank()));
        taken.unlisted = taken.carried.unlisted(words).iter().map(Unlisted::words).collect();
        taken
    }

    fn add(&mut self, row: Arc<Row>) {
        for (counts, place) in self.clocks.iter_mut().zip(row.clock_names) {
            place.into_iter().for_each(|place| counts[place] += 1);
        }
        self.next_change = row.next_change.into_iter().chain(self.next_change).min();
        self.is_as_ranked &= row.standing == row.ranked.0;
        self.tally.add(row.standing);
        self.unassigned += usize::from(row.is_unassigned);
        let is_likely = matches!(row.risk, Some(Risk::High | Risk::Critical));
        self.likely += usize::from(is_likely && !row.is_late);
        self.waiting_since = row.waiting_since.into_iter().chain(self.waiting_since).min();
        self.rows.push(row);
    }

    /// Whether it shows how things stand at `now`, in an order that is `fresh`.
    fn holds(&self, inputs: &Inputs, fresh: Fresh, now: DateTime<Utc>) -> bool {
        let unchanged = self.next_change.is_none_or(|change| now < change);
        self.inputs.are(inputs) && unchanged && self.is_ranked(fresh, now)
    }

    fn is_ranked(&self, fresh: Fresh, now: DateTime<Utc>) -> bool {
        (now - self.ranked_at).abs() < if self.is_as_ranked { fresh.at_most } else { fresh.at_change }
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
        let places = || self.rows.iter().enumerate().map(|(place, row)| (row.watched.ticket.id.clone(), place));
        let row = self.rows.get(*self.places.get_or_init(|| places().collect()).get(ticket)?)?;
        let is_same = row.watched.cycle == key.cycle;
        self.clocks_of(row, now).into_iter().find(|clock| clock.kind == kind && is_same)?.left
    }

    /// How the ticket of `row` stands at `at`, and the working time then left on its worst running clock.
    pub fn stands_at(&self, row: &Row, at: DateTime<Utc>) -> (TicketStanding, TimeDelta) {
        if at == self.ranked_at {
            return row.ranked;
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
    /// The moment by which its rows are sorted.
    pub fn ranked_at(&self) -> DateTime<Utc> {
        self.ranked_at
    }

    /// When the forecasts that it shows were made.
    pub fn foreseen_at(&self) -> Option<DateTime<Utc>> {
        self.inputs.forecasts.at
    }
}

/// The names of a ticket's technician, client and priority.
fn names(ticket: &Ticket) -> [&str; 3] {
    fn name(named: Option<&Named>) -> &str {
        named.map_or(NONE, |named| &named.name)
    }
    let priority = ticket.priority.as_deref().unwrap_or(NONE);
    [name(ticket.technician.as_ref()), name(ticket.client.as_ref()), priority]
}

impl Choices {
    /// Returns what the tickets of all `snapshots` can be filtered by.
    pub fn of<'a>(snapshots: impl Iterator<Item = &'a Snapshot>) -> Self {
        let mut found: [BTreeSet<&str>; 3] = Default::default();
        for snapshot in snapshots {
            for (all, own) in found.iter_mut().zip(snapshot.choices()) {
                all.extend(own.iter().map(String::as_str));
            }
        }
        let [technician, client, priority] = found.map(|mut names| {
            let none = names.take(NONE);
            names.into_iter().take(MOST_CHOICES).chain(none).map(str::to_owned).collect::<Vec<_>>()
        });
        Self { technician, client, priority }
    }
}

impl Snapshot {
    fn choices(&self) -> &[BTreeSet<String>; 3] {
        self.choices.get_or_init(|| {
            let mut found: [BTreeSet<&str>; 3] = Default::default();
            for row in &self.rows {
                for (all, own) in found.iter_mut().zip(names(&row.watched.ticket)) {
                    all.insert(own);
                }
            }
            found.map(|names| names.into_iter().map(str::to_owned).collect())
        })
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

    /// How the open tickets of each of `tenants` stand at `now`; their order may be a minute old.
    pub(super) async fn standing_snapshots<'a>(
        &self,
        tenants: impl Iterator<Item = &'a Tenant>,
        now: DateTime<Utc>,
    ) -> Result<Vec<(&'a Tenant, Arc<Snapshot>)>, StoreError> {
        try_join_all(tenants.map(async |tenant| Ok((tenant, self.snapshot_within(COUNTED, tenant, now).await?)))).await
    }

    /// How the open tickets of `tenant` stand at `now`.
    pub(super) async fn snapshot(&self, tenant: &Tenant, now: DateTime<Utc>) -> Result<Arc<Snapshot>, StoreError> {
        self.snapshot_within(LISTED, tenant, now).await
    }

    async fn inputs(&self, tenant: &Tenant) -> Result<Inputs, StoreError> {
        let (_, rules) = self.rules_cache.of(tenant).await?;
        let open = self.store.open_tickets(&tenant.id).await?;
        Ok(Inputs { open, rules, forecasts: self.published.of(&tenant.id) })
    }

    async fn snapshot_within(
        &self,
        fresh: Fresh,
        tenant: &Tenant,
        now: DateTime<Utc>,
    ) -> Result<Arc<Snapshot>, StoreError> {
        // The clock of a demo runs faster than its readers'.
        let speed = i32::try_from(self.clock.speed()).unwrap_or(i32::MAX);
        let fresh = Fresh {
            at_change: fresh.at_change.max(LISTED.at_change * speed),
            at_most: fresh.at_most.max(LISTED.at_most * speed),
        };
        let inputs = self.inputs(tenant).await?;
        let Some(latest) = self.snapshots.get(&tenant.id) else {
            return Ok(Arc::new(Snapshot::take(None, inputs, fresh, now)));
        };
        let held = |inputs: &Inputs| latest.taken.load_full().filter(|held| held.holds(inputs, fresh, now));
        if let Some(held) = held(&inputs) {
            return Ok(held);
        }
        // Callers that come meanwhile wait for this one and take it too. Its inputs are read again after the wait:
        // those read before it would be older than what is held, and each caller would take a snapshot of its own.
        let _taking = latest.taking.lock().await;
        let inputs = self.inputs(tenant).await?;
        if let Some(held) = held(&inputs) {
            return Ok(held);
        }
        let before = latest.taken.load_full();
        // A large desk takes some milliseconds, which must not block any loop.
        let taking = tokio::task::spawn_blocking(move || Arc::new(Snapshot::take(before, inputs, fresh, now)));
        let taken = taking.await.map_err(|error| StoreError::Unreadable(error.to_string()))?;
        latest.taken.store(Some(taken.clone()));
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
    /// All in lower case.
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

    /// Whether it asks for all tickets of the tenants that it asks for.
    pub fn is_all(&self) -> bool {
        let Self { tenant: _, risk, standing, technician, client, priority, words } = self;
        [risk, standing, technician, client, priority].into_iter().all(Option::is_none) && words.is_empty()
    }

    /// Whether it can match tickets of `tenant`.
    pub fn asks_for(&self, tenant: &TenantId) -> bool {
        self.tenant.as_ref().is_none_or(|wanted| wanted == tenant.as_str())
    }

    /// Whether `row` matches, leaving its standing aside.
    pub fn names(&self, row: &Row) -> bool {
        let ticket = &row.watched.ticket;
        let is = |wanted: &Option<String>, named: Option<&Named>| {
            let is_named = |named: &Named, wanted: &String| {
                [named.id.as_str(), &named.name].map(str::to_lowercase).contains(wanted)
            };
            let matches =
                |wanted: &String| named.map_or(wanted == NONE, |named| wanted != NONE && is_named(named, wanted));
            wanted.as_ref().is_none_or(matches)
        };
        let priority = |wanted: &String| {
            let named = ticket.priority.as_ref();
            named.map_or(wanted == NONE, |name| wanted != NONE && name.to_lowercase() == *wanted)
        };
        let risk = |wanted: &String| view::risk_word(row.risk).eq_ignore_ascii_case(wanted);
        is(&self.technician, ticket.technician.as_ref())
            && is(&self.client, ticket.client.as_ref())
            && self.priority.as_ref().is_none_or(priority)
            && self.risk.as_ref().is_none_or(risk)
            && (self.words.is_empty() || self.is_said_of(ticket))
    }

    /// Whether every word occurs in what people know the ticket by.
    fn is_said_of(&self, ticket: &Ticket) -> bool {
        let named = [&ticket.client, &ticket.technician, &ticket.group, &ticket.sla];
        let named = named.into_iter().flatten().map(|named| named.name.as_str());
        let own = [Some(&*ticket.display_id), Some(ticket.id.as_str()), Some(&*ticket.subject)];
        let own = own.into_iter().chain([ticket.status.as_deref(), ticket.priority.as_deref()]).flatten();
        let text = own.chain(named).collect::<Vec<_>>().join("\n").to_lowercase();
        self.words.iter().all(|word| text.contains(word.as_str()))
    }

    /// Whether `row` has the wanted standing: as a whole or, for words that no whole ticket has, in one clock.
    pub fn stands(&self, snapshot: &Snapshot, row: &Row) -> bool {
        let Some(wanted) = self.standing.as_deref() else { return true };
        if matches!(wanted, "met" | "cancelled" | "unknown") {
            let clocks = snapshot.clocks_of(row, snapshot.at);
            return clocks.iter().any(|clock| clock.is_kept() && clock.standing.as_str() == wanted);
        }
        row.standing.as_str() == wanted
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sla::tenant_rules::RulesConfig;
    use crate::ticket::tests::{named, sample};
    use crate::ticket::watch::Bounds;
    use crate::ticket::{Directory, Reported};

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    fn rules() -> Arc<TenantRules> {
        let rules = RulesConfig::bare(TenantId::parse("acme").unwrap());
        Arc::new(TenantRules::new(rules, &Directory::default()))
    }

    /// A ticket of one of three statuses, due some minutes after it was made.
    fn read(id: u8, status: usize, due: i64, now: DateTime<Utc>) -> Arc<Watched> {
        let ticket = Ticket {
            status: Some(["Open", "On Hold", "Completed"][status].into()),
            created_at: Some(at(0)),
            updated_at: Some(now),
            resolution: Reported { due: Some(at(due)), ..Reported::default() },
            ..sample(&id.to_string())
        };
        Arc::new(Watched::new(ticket, Bounds { earliest: now, latest: now }))
    }

    proptest! {
        /// One of ten tickets after the other is read anew while time passes: mostly by seconds, then by minutes.
        #[test]
        fn what_is_counted_from_rows_that_are_kept_is_what_is_counted_from_all_anew(
            reads in prop::collection::vec((0_u8..10, 0_usize..3, 1_i64..40, 0_i64..200), 1..60),
        ) {
            let (mut open, mut now) = (OpenTickets::new(), at(0));
            let (rules, forecasts) = (rules(), Arc::new(Forecasts::default()));
            let mut before = None;
            for (id, status, due, seconds) in reads {
                now += TimeDelta::seconds(if seconds < 150 { seconds % 15 } else { seconds });
                open.insert(TicketId::parse(&id.to_string()).unwrap(), read(id, status, due, now));
                let inputs =
                    Inputs { open: Arc::new(open.clone()), rules: rules.clone(), forecasts: forecasts.clone() };
                let kept = Arc::new(Snapshot::take(before.take(), inputs.clone(), COUNTED, now));
                let anew = Snapshot::take(None, inputs.clone(), COUNTED, now);
                let counts = |of: &Snapshot| (of.tally, of.clocks, of.unassigned, of.waiting_since, of.unlisted.clone());
                prop_assert_eq!(counts(&kept), counts(&anew));
                prop_assert!(kept.holds(&inputs, COUNTED, now));
                // Pages after the first sort all tickets by how they stood at its moment.
                let then = Snapshot::take(None, inputs, COUNTED, kept.ranked_at);
                let order = |of: &Snapshot| of.rows.iter().map(|row| row.watched.ticket.id.clone()).collect::<Vec<_>>();
                prop_assert_eq!(order(&kept), order(&then));
                before = Some(kept);
            }
        }
    }

    #[test]
    fn tickets_without_a_name_are_found_by_the_word_for_none_and_whoever_is_called_so_by_id() {
        let of = |id: &str, technician: Option<Named>, priority: Option<&str>| {
            let ticket = Ticket { technician, priority: priority.map(Into::into), ..sample(id) };
            (ticket.id.clone(), Arc::new(Watched::new(ticket, Bounds { earliest: at(0), latest: at(0) })))
        };
        let dash = Named { name: NONE.to_owned(), ..named("7") };
        let open = [of("a", Some(named("Mia")), Some("High")), of("b", Some(dash), None), of("c", None, None)];
        let (rules, forecasts) = (rules(), Arc::new(Forecasts::default()));
        let inputs = Inputs { open: Arc::new(open.into()), rules, forecasts };
        let snapshot = Snapshot::take(None, inputs, COUNTED, at(0));
        let found = |query: TicketQuery| {
            let filter = Filter::new(&query).unwrap();
            let rows = snapshot.rows.iter().filter(|row| filter.names(row));
            rows.map(|row| row.watched.ticket.id.to_string()).collect::<Vec<_>>()
        };
        let text = |text: &str| Some(text.to_owned());
        let technician = |name: &str| found(TicketQuery { technician: text(name), ..Default::default() });
        assert_eq!(technician(NONE), ["c"]);
        assert_eq!(technician("7"), ["b"]);
        assert_eq!(technician("mia"), ["a"]);
        let priority = found(TicketQuery { priority: text(NONE), client: text(NONE), ..Default::default() });
        assert_eq!(priority, ["b", "c"]);

        let choices = Choices::of([&snapshot, &snapshot].into_iter());
        assert_eq!(choices.technician, ["Mia", NONE]);
        assert_eq!(choices.client, [NONE]);
        assert_eq!(choices.priority, ["High", NONE]);
    }

    #[test]
    fn a_ticket_that_was_paused_after_its_breach_is_not_likely_to_breach() {
        let read = read(1, 1, 2, at(5));
        let paused = Watched { status_since: Some(Bounds { earliest: at(5), latest: at(5) }), ..(*read).clone() };
        let open = OpenTickets::from([(paused.ticket.id.clone(), Arc::new(paused))]);
        let inputs = Inputs { open: Arc::new(open), rules: rules(), forecasts: Arc::new(Forecasts::default()) };
        let snapshot = Snapshot::take(None, inputs, COUNTED, at(6));
        let row = &snapshot.rows[0];
        assert_eq!((row.standing, row.risk), (TicketStanding::Paused, Some(Risk::Critical)));
        assert_eq!(snapshot.likely, 0);
    }

    #[test]
    fn only_what_was_read_anew_or_has_changed_by_time_is_worked_out_until_the_order_is_old() {
        let (rules, forecasts) = (rules(), Arc::new(Forecasts::default()));
        let tickets = [(0, 600), (1, 600), (2, 2)].map(|(id, due)| read(id, 0, due, at(0)));
        let mut open: OpenTickets = tickets.map(|watched| (watched.ticket.id.clone(), watched)).into();
        let inputs = |open: &OpenTickets| {
            let (rules, forecasts) = (rules.clone(), forecasts.clone());
            Inputs { open: Arc::new(open.clone()), rules, forecasts }
        };
        let first = Arc::new(Snapshot::take(None, inputs(&open), COUNTED, at(1) + TimeDelta::seconds(40)));
        let changed = read(1, 0, 700, at(1));
        open.insert(changed.ticket.id.clone(), changed);
        let now = at(2) + TimeDelta::seconds(10);
        let second = Snapshot::take(Some(first.clone()), inputs(&open), COUNTED, now);
        assert_eq!(second.ranked_at, first.ranked_at);
        let standing = |of: &Snapshot, id: &str| {
            of.rows.iter().find(|row| row.watched.ticket.id.as_str() == id).map(|row| (row.standing, row.ranked.0))
        };
        use TicketStanding::{Breached, OnTrack};
        assert_eq!(standing(&second, "2"), Some((Breached, OnTrack)), "its time was up meanwhile");
        assert_eq!(standing(&second, "1"), Some((OnTrack, OnTrack)));
        let list = Snapshot::take(Some(first), inputs(&open), LISTED, now);
        assert_eq!((list.ranked_at, standing(&list, "2")), (now, Some((Breached, Breached))));
    }
}
