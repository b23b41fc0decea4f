//! Reads what changed at SuperOps and stores it: one loop per tenant.
//!
//! SuperOps does not announce changes to tickets. So each turn asks for the latest updates; every few minutes all open
//! tickets are swept, because time changes tickets too; and once a day everything is read, to find what neither of
//! these shows. What a tenant's API cannot do is noticed, reported, and done another way. A first run reads what is
//! needed first: the lists that tell open from closed and whom to call, then open tickets, then history.
//! closed and whom to call, then open tickets, then history.

mod changes;
mod conversations;
mod gaps;
mod health;
mod keep;
mod lookups;
mod missing;
mod pace;
mod pass;
mod progress;
mod replies;
mod sweep;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tracing::{error, info, warn};

use self::conversations::ConversationReader;
use self::gaps::Tried;
pub use self::health::{Hints, SyncHealth, SyncProblem};
use self::pass::{PAGES, ReadLimit};
use self::progress::Progress;
use crate::clock::{CLOCK_WRONG, SharedClock};
use crate::config;
use crate::last_looks::LastLooks;
use crate::sla::policy::{Choice, Policy};
use crate::sla::tenant_rules::{RulesConfig, TenantRules};
use crate::store::sync::{Coverage, Lookup, SyncState, Unread};
use crate::store::tickets::{Batch, Saved};
use crate::store::{Store, StoreError};
use crate::superops::{ApiError, Seen, SuperOps, TicketAsk, TicketPage, Urgency};
use crate::telemetry::{LoopName, Telemetry, TenantLabels};
use crate::ticket::watch::Bounds;
use crate::ticket::{ClockKind, Directory, StatusWords, TenantId, TicketId};

/// How often to try again what does not work; each try costs a handful of calls.
const PROBE_EVERY: TimeDelta = TimeDelta::minutes(10);
/// From this difference on, our clock is reported as off; a `Date` is exact to a second.
const CLOCK_OFF: TimeDelta = TimeDelta::seconds(5);
/// A hint starts a turn at once, but not sooner than this after the last one.
const HINT_GAP: TimeDelta = TimeDelta::seconds(2);
/// SuperOps counts requests by the minute, including those from before a restart.
const MINUTE: TimeDelta = TimeDelta::minutes(1);

/// Why a turn was not finished. What it had saved stays saved.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// SuperOps did not answer as it should; the health says what to do.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The answer could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What one turn brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TurnReport {
    pub new: usize,
    pub changed: usize,
    pub closed: usize,
    pub vanished: usize,
    /// Whether all open tickets were read.
    pub swept: bool,
    /// Whether the pass over all tickets has pages left to read.
    pub pass_under_way: bool,
}

impl TurnReport {
    fn add(&mut self, saved: &Saved) {
        self.new += saved.new;
        self.changed += saved.changed.len();
        self.closed += saved.closed;
    }
}

/// What a tenant's sync depends on.
pub struct Wiring {
    pub client: Arc<SuperOps>,
    pub store: Store,
    pub clock: SharedClock,
    pub telemetry: Arc<Telemetry>,
    /// Notified after each change, for the evaluation.
    pub nudge: Arc<Notify>,
    /// Changes when somebody asks for a turn at once; see [`Hints`].
    pub hints: watch::Receiver<u64>,
    pub health: watch::Sender<SyncHealth>,
    /// Which conversations to read before a breach is raised.
    pub last_looks: Arc<LastLooks>,
}

/// The sync of one tenant.
pub struct TenantSync {
    tenant: TenantId,
    words: StatusWords,
    poll_interval: TimeDelta,
    client: Arc<SuperOps>,
    store: Store,
    clock: SharedClock,
    telemetry: Arc<Telemetry>,
    nudge: Arc<Notify>,
    hints: watch::Receiver<u64>,
    health: watch::Sender<SyncHealth>,
    state: SyncState,
    /// The pages that the changes filled when they were read last.
    change_pages: u32,
    conversations: ConversationReader,
    /// What the tenant's tickets are promised, and by which hours: it makes conversations worth reading.
    rules_config: RulesConfig,
    policies: Arc<[Policy]>,
    /// Built from the configured rules, together with the directory it was built for.
    rules: Option<(Arc<Directory>, Arc<TenantRules>)>,
    /// Conflicts between policies that have been logged already.
    told: HashSet<Choice>,
    progress: Option<Progress>,
    failures: u32,
    /// Whether SuperOps' count contradicted the last list.
    count_disagrees: AtomicBool,
    /// Whether it has been logged that a list of tickets repeats itself.
    repeats_told: AtomicBool,
    /// What the pass under way has seen.
    seen: Seen,
    tried: Tried,
    /// Whether half of the requests are given to a `check --online`.
    shares_budget: bool,
    /// When each missing ticket was last asked for.
    asked: HashMap<TicketId, DateTime<Utc>>,
    history: TimeDelta,
    /// When all tickets are read; if none, at a quiet hour.
    nightly: Option<u16>,
}

impl TenantSync {
    /// Resumes where the last run stopped.
    pub async fn open(tenant: &config::Tenant, wiring: Wiring) -> Result<Self, StoreError> {
        let conversations = ConversationReader::new(tenant, &wiring);
        let Wiring { client, store, clock, telemetry, nudge, hints, health, .. } = wiring;
        store.apply_words(&tenant.id, &tenant.statuses).await?;
        let state = store.sync_state(&tenant.id).await?;
        health.send_modify(|health| health.last_good = state.good_at);
        Ok(Self {
            tenant: tenant.id.clone(),
            words: tenant.statuses.clone(),
            poll_interval: tenant.poll_interval,
            client,
            store,
            clock,
            telemetry,
            nudge,
            hints,
            health,
            state,
            change_pages: 1,
            conversations,
            rules_config: bare_rules(tenant),
            policies: Arc::default(),
            rules: None,
            told: HashSet::new(),
            progress: None,
            failures: 0,
            count_disagrees: AtomicBool::new(false),
            repeats_told: AtomicBool::new(false),
            seen: Seen::default(),
            tried: Tried::default(),
            shares_budget: false,
            asked: HashMap::new(),
            history: tenant.history,
            nightly: tenant.nightly,
        })
    }

    /// With what the tenant's tickets are promised, and by which hours.
    pub fn by_rules(mut self, rules: RulesConfig) -> Self {
        self.conversations.automation_answers = rules.automation_answers;
        Self { policies: rules.policies.clone().into(), rules_config: rules, rules: None, ..self }
    }

    /// Runs turns until `stop` is true.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let conversations = self.conversations.clone();
        let clock = self.clock.clone();
        tokio::select! {
            () = self.turn_for_ever() => {}
            // Runs beside the turns, so that a breach that waits for a last look does not wait for pages.
            () = conversations.look_whenever_wanted(&clock) => {}
            // What is not saved by now is read again by the next run.
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    /// Runs one turn: lists, changes, open tickets and some pages of the pass, each if it is due.
    pub async fn turn(&mut self, now: DateTime<Utc>) -> Result<TurnReport, SyncError> {
        let began = Instant::now();
        let mut report = TurnReport::default();
        let result = self.read_all(now, &mut report).await;
        self.telemetry.loop_seconds.get_or_create(&LoopName { name: "sync" }).observe(began.elapsed().as_secs_f64());
        self.note(result.as_ref().err(), now);
        result.map(|()| report)
    }

    /// Gives half of the requests to a `check --online` that asks for them.
    async fn share_budget(&mut self, now: DateTime<Utc>) -> Result<(), StoreError> {
        let shares_budget = self.store.budget_share_wanted(&self.tenant, now).await?.is_some();
        if shares_budget != self.shares_budget {
            self.shares_budget = shares_budget;
            let free_in = TimeDelta::from_std(self.client.share_half(shares_budget)).unwrap_or(MINUTE);
            if shares_budget {
                info!(tenant = %self.tenant,
                    "half of the requests of `{}` go to a check beside this service", self.tenant);
                self.store.grant_budget_share(&self.tenant, now + free_in).await?;
            }
        }
        Ok(())
    }

    async fn read_all(&mut self, now: DateTime<Utc>, report: &mut TurnReport) -> Result<(), SyncError> {
        self.share_budget(now).await?;
        self.read_lookups(now).await?;
        self.read_changes(now, report).await?;
        self.sweep_if_due(now, report).await?;
        self.look_for_replies(now).await?;
        self.read_pass(ReadLimit { now, until: now + self.poll_interval, most: PAGES }, report).await
    }

    async fn turn_for_ever(&mut self) {
        let mut next = self.rested_at();
        loop {
            self.wait_until(next).await;
            let now = self.clock.now();
            self.hints.mark_unchanged();
            let result = self.turn(now).await;
            next = self.next_turn(now, result.is_ok()).await;
            self.show_health(|health| health.next_try = Some(next));
            if result.is_ok() {
                self.pass_the_time(next).await;
            }
        }
    }

    /// Continues the pass over all tickets until the next turn.
    async fn pass_the_time(&mut self, until: DateTime<Utc>) {
        while self.state.full.is_some() && !self.is_wanted(until) {
            let now = self.clock.now();
            let limit = ReadLimit { now, until, most: usize::MAX };
            if let Err(error) = self.read_pass(limit, &mut TurnReport::default()).await {
                return self.note(Some(&error), now);
            }
        }
    }

    /// Whether a turn is due or asked for.
    fn is_wanted(&self, next: DateTime<Utc>) -> bool {
        self.clock.now() >= next || self.hints.has_changed().unwrap_or(false)
    }

    /// Waits for `next`, or for a hint.
    async fn wait_until(&mut self, next: DateTime<Utc>) {
        let began = self.clock.now();
        tokio::select! {
            () = self.clock.sleep_until(next) => return,
            Ok(()) = self.hints.changed() => {}
        }
        self.clock.sleep_until(next.min(began + HINT_GAP)).await;
    }

    /// Returns when the first turn may begin. If a long pass was under way, the minute's requests may already be used
    /// up.
    fn rested_at(&self) -> DateTime<Utc> {
        let busy_at = self.state.full.as_ref().and(self.state.good_at);
        busy_at.map_or(DateTime::UNIX_EPOCH, |at| at + MINUTE).min(self.clock.now() + MINUTE)
    }

    async fn next_turn(&self, now: DateTime<Utc>, good: bool) -> DateTime<Utc> {
        if !good {
            return now + pace::backoff(self.poll_interval, self.failures);
        }
        let due = self.next_due(now).await;
        pace::next_poll(self.poll_interval, self.client.budget(), self.change_pages, now, due)
    }

    /// Returns the next moment at which an open ticket is due.
    async fn next_due(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let open = self.store.open_tickets(&self.tenant).await.ok()?;
        let dues = open.values().flat_map(|watched| {
            let ticket = &watched.ticket;
            let meaning = self.words.meaning(ticket.status.as_deref());
            let running = ClockKind::REPORTED.into_iter().filter(move |clock| !meaning.pauses(*clock));
            running
                .map(|clock| ticket.reported(clock))
                .filter(|clock| clock.met_at.is_none())
                .filter_map(|clock| clock.due)
        });
        dues.filter(|due| *due > now).min()
    }

    /// Records how the turn went, and logs it once when a problem begins and once when it ends.
    fn note(&mut self, error: Option<&SyncError>, now: DateTime<Utc>) {
        let before = self.health.borrow().problem.clone();
        let since = before.as_ref().map_or(now, |problem| problem.since);
        let problem = error.map(|error| SyncProblem::new(error, since));
        self.failures = if problem.is_some() { self.failures.saturating_add(1) } else { 0 };
        if before.as_ref().map(|problem| &problem.what) != problem.as_ref().map(|problem| &problem.what) {
            self.tell(problem.as_ref(), since, now);
        }
        let (limits, clock) = (self.limits(), self.clock_problem(now));
        let doubted_since = self.doubted_since(now);
        let doubt = doubted_since.map(|since| SyncProblem::missing(since, self.state.missing));
        let last_good = doubted_since.map_or(self.state.good_at, |since| self.state.good_at.min(Some(since)));
        self.show_health(|health| {
            health.last_good = last_good;
            health.problem = problem;
            health.doubt = doubt;
            health.clock = clock;
            health.limits = limits;
        });
        self.show_age(now);
    }

    /// Returns a problem if our clock is far off, and logs it when that is new.
    fn clock_problem(&self, now: DateTime<Utc>) -> Option<SyncProblem> {
        let ahead = self.client.clock_ahead().filter(|ahead| ahead.abs() > CLOCK_WRONG)?;
        let known = self.health.borrow().clock.as_ref().map(|clock| clock.since);
        if known.is_none() {
            error!(tenant = %self.tenant, "{}: alerts are wrong by that much", ahead_words(ahead));
        }
        Some(SyncProblem::clock(&ahead_words(ahead), known.unwrap_or(now)))
    }

    /// Changes the health. Wakes the listeners, except during the first reading: they would walk through half-read
    /// tickets in vain, again and again.
    fn show_health(&self, change: impl FnOnce(&mut SyncHealth)) {
        self.health.send_if_modified(|health| {
            change(health);
            self.state.passed_at.is_some() || self.state.full.is_none()
        });
    }

    fn tell(&self, problem: Option<&SyncProblem>, since: DateTime<Utc>, now: DateTime<Utc>) {
        let tenant = &self.tenant;
        match problem {
            None => {
                info!(%tenant, outage_seconds = (now - since).num_seconds(), "superops is read again for `{tenant}`")
            }
            Some(problem) if problem.needs_a_person => {
                error!(%tenant, "superops cannot be read for `{tenant}`: {}; {}", problem.what, problem.advice);
            }
            Some(problem) => {
                warn!(%tenant, "superops cannot be read for `{tenant}`: {}; {}", problem.what, problem.advice)
            }
        }
    }

    fn show_age(&self, now: DateTime<Utc>) {
        if let Some(age) = self.health.borrow().age(now) {
            let labels = TenantLabels { tenant: self.tenant.to_string() };
            self.telemetry.sync_age_seconds.get_or_create(&labels).set(age.as_seconds_f64());
        }
    }

    /// Describes what SuperOps does not let us do, and what we do instead.
    fn limits(&self) -> Vec<String> {
        let mut limits = Vec::new();
        if self.state.sort_broken_at.is_some() {
            limits.push("tickets cannot be listed by update: changes show with the sweep of open tickets".to_owned());
        }
        if self.state.filter_broken_at.is_some() {
            limits.push("closed tickets cannot be left out: all tickets are read again and again".to_owned());
        }
        limits.extend(self.state.coverage.as_ref().map(coverage_words));
        if let Some(page) = self.state.sweep_ends_at {
            limits.push(format!("SuperOps returns at most {page} pages of open tickets; changes to the others are seen only while sorting by update works"));
        }
        let off = self.client.clock_ahead().filter(|ahead| ahead.abs() > CLOCK_OFF);
        limits.extend(off.map(ahead_words));
        if self.count_disagrees.load(Ordering::Relaxed) {
            limits.push("SuperOps' `totalCount` and `hasMore` disagree: pages are read as long as either says that there are more".to_owned());
        }
        for (lookup, state) in &self.state.lookups {
            let because = |why: &String| format!("the list of {} cannot be read: {why}", Lookup::as_str(*lookup));
            limits.extend(state.trouble.as_ref().map(because));
        }
        limits
    }

    fn may_sort(&self, now: DateTime<Utc>) -> bool {
        self.state.sort_broken_at.is_none_or(|at| at + PROBE_EVERY <= now)
    }

    fn may_filter(&self, now: DateTime<Utc>) -> bool {
        self.state.filter_broken_at.is_none_or(|at| at + PROBE_EVERY <= now)
    }

    /// Stops asking for tickets in order of update, apart from a try now and then.
    async fn give_up_sort(&mut self, how: &'static str, now: DateTime<Utc>) -> Result<(), SyncError> {
        if self.state.sort_broken_at.is_none() {
            warn!(tenant = %self.tenant, how, "superops {how} the order by update; it is tried again every ten minutes");
        }
        self.state.sort_broken_at = Some(now);
        if let Some(pass) = self.state.full.as_mut().filter(|pass| pass.sorted) {
            // The pages read so far do not match those of the other order.
            (pass.sorted, pass.next_page) = (false, 1);
        }
        Ok(self.store.save_sync_state(&self.tenant, self.state.clone()).await?)
    }

    async fn give_up_filter(&mut self, how: &'static str, now: DateTime<Utc>) -> Result<bool, SyncError> {
        if self.state.filter_broken_at.is_none() {
            warn!(tenant = %self.tenant, how, "superops {how} leaving out statuses; it is tried again every ten minutes");
        }
        self.state.filter_broken_at = Some(now);
        self.store.save_sync_state(&self.tenant, self.state.clone()).await?;
        Ok(false)
    }

    async fn ask(&self, ask: &TicketAsk, urgency: Urgency) -> Result<Answer, ApiError> {
        let earliest = self.clock.now();
        let mut page = self.client.tickets(ask, urgency).await?;
        self.note_count(ask, &page);
        self.fill_gaps(&mut page, urgency).await?;
        Ok(Answer { number: ask.page, page, read: Bounds { earliest, latest: self.clock.now() } })
    }

    /// Whether there are tickets after this answer, in a reading that has `seen` those before it.
    fn goes_on(&self, answer: &Answer, seen: &mut Seen) -> bool {
        let (goes_on, repeats) = (answer.page.goes_on_after(answer.number), answer.page.repeats(seen));
        if goes_on && repeats && !self.repeats_told.swap(true, Ordering::Relaxed) {
            let page = answer.number;
            warn!(tenant = %self.tenant, page, "superops says that the list of tickets goes on, but page {page} only repeats others: such lists are taken to end there");
        }
        goes_on && !repeats
    }

    fn note_count(&self, ask: &TicketAsk, page: &TicketPage) {
        let disagrees = page.disagrees_after(ask.page);
        if disagrees || ask.page == 1 {
            self.count_disagrees.store(disagrees, Ordering::Relaxed);
        }
    }

    /// Saves an answer together with the state of the sync.
    async fn save(
        &mut self,
        answer: Answer,
        state: Option<SyncState>,
        report: &mut TurnReport,
    ) -> Result<(), SyncError> {
        let saved = self.write(vec![answer], state.clone()).await?;
        self.take_note(&saved, report);
        self.state = state.unwrap_or_else(|| std::mem::take(&mut self.state));
        Ok(())
    }

    fn take_note(&mut self, saved: &Saved, report: &mut TurnReport) {
        self.tell_conflicts(saved);
        report.add(saved);
    }

    /// Logs once that several policies match a ticket, by their positions in the list.
    fn tell_conflicts(&mut self, saved: &Saved) {
        for choice in &saved.choices {
            if self.told.insert(choice.clone()) {
                let winner = choice.winner + 1;
                let others: Vec<_> = choice.runners_up.iter().map(|index| (index + 1).to_string()).collect();
                let others = others.join(", ");
                info!(tenant = %self.tenant, "policy {winner} applies to tickets that policies {others} also match");
            }
        }
    }

    /// Saves answers in their order, with `state` as the new state of the sync.
    async fn write(&self, answers: Vec<Answer>, state: Option<SyncState>) -> Result<Saved, StoreError> {
        let settles = !self.state.is_settled() && state.as_ref().is_some_and(SyncState::is_settled);
        let mut batches = Vec::with_capacity(answers.len());
        for mut answer in answers {
            self.keep_known(&mut answer.page).await?;
            batches.push(answer.batch(self.policies.clone()));
        }
        if let Some(last) = batches.last_mut() {
            last.state = state;
        }
        let saved = self.store.save_tickets(&self.tenant, batches, &self.words).await?;
        self.count_quarantined(saved.quarantined);
        if saved.is_news || settles {
            self.nudge.notify_one();
        }
        Ok(saved)
    }
}

/// Returns rules without any policies.
fn bare_rules(tenant: &config::Tenant) -> RulesConfig {
    RulesConfig {
        words: tenant.statuses.clone(),
        automation_answers: tenant.automation_answers,
        ..RulesConfig::bare(tenant.id.clone())
    }
}

fn ahead_words(ahead: TimeDelta) -> String {
    let word = if ahead < TimeDelta::zero() { "behind" } else { "ahead of" };
    format!("our clock is {} s {word} SuperOps'", ahead.num_seconds().abs())
}

fn coverage_words(coverage: &Coverage) -> String {
    let pages = format!("SuperOps gives no more than {} pages of all tickets", coverage.pages);
    match coverage.back_to {
        _ if coverage.others_read => format!("{pages}: those beyond were read through a filter"),
        Some(at) => {
            format!("{pages}: closed tickets last updated before {} are not seen", at.format("%Y-%m-%d %H:%M UTC"))
        }
        None => format!("{pages}: tickets beyond are not seen, except open ones"),
    }
}

/// A page, and when it was read.
struct Answer {
    /// The number of the page, from 1.
    number: u32,
    page: TicketPage,
    read: Bounds,
}

impl Answer {
    /// Returns an empty answer, for when only the state of the sync has to be saved.
    fn nothing(at: DateTime<Utc>) -> Self {
        Self { number: 1, page: TicketPage::default(), read: Bounds { earliest: at, latest: at } }
    }

    fn batch(self, policies: Arc<[Policy]>) -> Batch {
        let unread = self.page.rejects.into_iter().map(|reject| {
            let record = Unread::ticket_record(reject.id.as_deref().unwrap_or("without an id"));
            Unread { record, field: reject.field, why: reject.why }
        });
        Batch { unread: unread.collect(), tickets: self.page.tickets, read: self.read, state: None, policies }
    }
}
