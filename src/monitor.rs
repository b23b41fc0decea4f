//! Looks at services when they are due, and keeps their state.
//!
//! Each check has its own moment within its interval, so that checks neither drift nor come all at once. Looks run in
//! parallel, only a few at one host. What is seen goes into the core's book; a change is stored at once, everything
//! else once a second, while looks continue. What is stored is what is shown: pages get the same book, as a snapshot.

pub mod board;
pub(crate) mod connectivity;
mod incidents;
mod keeping;
pub mod objectives;
mod queue;
mod rollup;
pub mod settle;

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tracing::{error, info, warn};

use self::board::{Latest, MonitorState, Report, TOLD_AHEAD};
use self::connectivity::Canaries;
use self::keeping::Keeping;
use self::queue::{Due, Queue, Rank};
use crate::clock::SharedClock;
use crate::config::Config;
use crate::config::uptime::Check;
use crate::descriptors;
use crate::probe::address::is_public;
use crate::probe::spec::Ask;
use crate::probe::{Look, Prober};
use crate::store::{Store, StoreError, millis};
use crate::telemetry::Telemetry;
use crate::uptime::book::{Book, CheckEntry, Taken};
use crate::uptime::observe::{CheckState, Connectivity, Rules};
use crate::uptime::{Condition, Millis, Outcome, SECOND};

/// How often results are stored if nothing has changed.
const WRITE_EVERY: TimeDelta = TimeDelta::seconds(1);
/// How often reports made to other replicas are looked for; normally they are noticed at once.
const TAKE_EVERY: TimeDelta = TimeDelta::minutes(1);
/// An adjustment of the clock by less than this does not count as setting it back.
pub(crate) const SET_BACK: Millis = SECOND;
/// If the loop, which turns each second, has not turned for this long, the machine was asleep.
const ASLEEP: Millis = 30 * SECOND;

/// What the loop depends on.
pub struct Wiring {
    pub config: Arc<Config>,
    pub store: Store,
    pub clock: SharedClock,
    pub telemetry: Arc<Telemetry>,
    pub prober: Prober,
    pub monitor_state: Arc<MonitorState>,
    /// Notified when the state of services has changed.
    pub news: Arc<Notify>,
}

/// The loop that looks at services.
pub struct Monitor {
    wiring: Wiring,
    canaries: Arc<Canaries>,
    book: Book,
    /// The number that stands for each check in tables with many rows.
    numbers: Vec<i64>,
    latest: Vec<Option<Latest>>,
    due: BinaryHeap<Reverse<(Millis, usize)>>,
    /// When each check is due; other entries for it in the heap are outdated. `Millis::MIN` while a look is running.
    planned: Vec<Millis>,
    /// Checks that are due while their host, or the whole loop, is busy.
    queue: Queue,
    running: JoinSet<Seen>,
    keeping: Keeping,
    inbox: mpsc::Receiver<Report>,
    /// When the loop last turned.
    turned_at: Millis,
    is_news: bool,
    /// Components that are not well, but are announced only if that outlasts a doubt, a parent that is down, or
    /// announced work.
    postponed: BTreeSet<usize>,
    /// Whether to decide again what people are told.
    is_to_be_told: bool,
    /// Computes the figures of objectives, beside the looks.
    measuring: JoinSet<()>,
    measured_at: Millis,
}

/// The outcome of one look.
struct Seen {
    due: Due,
    began: Millis,
    look: Look,
    connectivity: Connectivity,
}

impl Monitor {
    /// Resumes with what was known when it last ran.
    pub async fn open(wiring: Wiring, inbox: mpsc::Receiver<Report>) -> Result<Self, StoreError> {
        let now = millis(wiring.clock.now());
        let uptime = &wiring.config.uptime;
        let remembered = wiring.store.uptime_remembered().await?;
        let (components, checks) = uptime.plans();
        let book = Book::open(components, checks, &remembered, now);
        let states = book.checks.iter().map(|check| (check.plan.id.clone(), check.state.clone())).collect();
        let tenants = uptime.components.iter().map(|one| (one.id.clone(), one.tenant.to_string())).collect();
        wiring.store.adopt_promises(uptime.promised(), now).await?;
        let numbers = wiring.store.uptime_adopt(tenants, states, now).await?;
        let known = wiring.store.uptime_checks().await?;
        let latest = |id: &str| serde_json::from_str(known.get(id)?.1.as_deref()?).ok();
        let mut monitor = Self {
            numbers: book.checks.iter().map(|check| numbers.get(&check.plan.id).copied().unwrap_or_default()).collect(),
            latest: book.checks.iter().map(|check| latest(&check.plan.id)).collect(),
            canaries: Arc::new(Canaries::of(&wiring.config)),
            due: BinaryHeap::new(),
            planned: vec![Millis::MIN; book.checks.len()],
            queue: Queue::before(descriptors::for_looks()),
            running: JoinSet::new(),
            keeping: Keeping::begin(now),
            inbox,
            turned_at: now,
            is_news: true,
            postponed: BTreeSet::new(),
            is_to_be_told: true,
            measuring: JoinSet::new(),
            measured_at: 0,
            book,
            wiring,
        };
        monitor.hear_as_of(now);
        monitor.forgive_silence(now);
        let settled = monitor.book.settle(now);
        monitor.note(settled);
        for check in 0..monitor.book.checks.len() {
            monitor.schedule(check, now);
        }
        let told = monitor.wiring.store.announcements(now).await;
        monitor.announce(told, now);
        monitor.follow_what_is_known(now);
        // What is already known stays as it is: this catches incidents that a stop may have kept from being opened.
        monitor.postponed = (0..monitor.book.components.len()).collect();
        monitor.publish(now);
        Ok(monitor)
    }

    /// Runs until it is told to stop.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut stopped = std::pin::pin!(async move { drop(stop.wait_for(|stop| *stop).await) });
        let clock = self.wiring.clock.clone();
        let (mut write_at, mut take_at) = (clock.now(), clock.now());
        let mut others = self.wiring.store.news_of_others();
        loop {
            let now = clock.now();
            self.was_away(millis(now));
            if self.was_set_back(millis(now)) {
                (write_at, take_at) = (now, now);
            }
            self.start_due(millis(now));
            if now >= write_at {
                self.write_down(millis(now));
                write_at = now + WRITE_EVERY;
            }
            if now >= take_at {
                self.ask_for_pushed();
                take_at = now + TAKE_EVERY;
            }
            let next = self.next_due().map_or(write_at, |due| due.min(write_at));
            tokio::select! {
                Some(seen) = self.running.join_next() => self.take(seen),
                Some(report) = self.inbox.recv() => self.hear(report),
                Some(ended) = self.keeping.ended() => self.follow_up(ended),
                Ok(()) = others.changed() => self.hear_of_others(millis(clock.now())),
                () = clock.sleep_until(next) => {}
                () = &mut stopped => break,
            }
        }
        self.write_out().await;
    }

    /// Makes all looks that are due, waits for them, and stores what they found: one turn, for tests.
    pub async fn turn(&mut self) {
        let now = millis(self.wiring.clock.now());
        self.was_set_back(now);
        while let Ok(report) = self.inbox.try_recv() {
            self.hear(report);
        }
        self.ask_for_pushed();
        self.rest().await;
        self.start_due(now);
        while let Some(seen) = self.running.join_next().await {
            self.take(seen);
            self.start_waiting(now);
        }
        self.write_down(millis(self.wiring.clock.now()));
        self.rest().await;
        while self.measuring.join_next().await.is_some() {}
    }

    /// Returns when the next look is due, as far as is known.
    pub fn next_due(&self) -> Option<DateTime<Utc>> {
        let Reverse((due, _)) = self.due.peek()?;
        DateTime::from_timestamp_millis(*due)
    }

    /// Forgives missing reports for the time in which nobody could receive them, as after a stop.
    fn was_away(&mut self, now: Millis) {
        if now - self.turned_at > ASLEEP * Millis::from(self.wiring.clock.speed()) {
            warn!(
                "no service was looked at for {} s: this machine was asleep, or its clock jumped",
                (now - self.turned_at) / SECOND
            );
            self.forgive_silence(now);
            self.keeping.dirty = true;
        }
    }

    /// Reschedules everything if the clock was set back, so that nothing waits until the old time is reached again.
    fn was_set_back(&mut self, now: Millis) -> bool {
        let last = std::mem::replace(&mut self.turned_at, now);
        if last - now <= SET_BACK {
            return false;
        }
        warn!("the clock was set back by {} s: services are looked at as if no time had passed", (last - now) / SECOND);
        self.keeping.forget_times();
        self.hear_as_of(now);
        for check in 0..self.book.checks.len() {
            // A check that is being looked at is scheduled afterwards.
            if self.planned[check] != Millis::MIN {
                self.schedule(check, now);
            }
        }
        true
    }

    fn start_due(&mut self, now: Millis) {
        while let Some(Reverse((due, check))) = self.due.peek().copied().filter(|Reverse((due, _))| *due <= now) {
            self.due.pop();
            if due != self.planned[check] {
                continue;
            }
            self.planned[check] = Millis::MIN;
            if self.check(check).is_ours() {
                let host = self.check(check).probe.ask.host().to_owned();
                let rank = Rank::of(&self.book.checks[check].state);
                self.queue.add(Due { check, at: due, host, rank });
            } else {
                self.miss(check, now);
            }
        }
        self.start_waiting(now);
    }

    fn start_waiting(&mut self, now: Millis) {
        while let Some(due) = self.queue.begin() {
            self.start(due, now);
        }
    }

    fn start(&mut self, due: Due, now: Millis) {
        let check = due.check;
        // After the clock was set back, what waited is due in the future.
        self.wiring.telemetry.uptime_lag.observe((now - due.at).max(0) as f64 / 1000.0);
        let entry = &self.book.checks[check];
        let turn = entry.state.turn as usize;
        let decides = entry.state.is_about_to_fall(Condition::Down, &entry.plan.rules);
        let (prober, probe, canaries) =
            (self.wiring.prober.clone(), self.check(check).probe.clone(), self.canaries.clone());
        let from = entry.state.doubt.as_ref().map_or(now, |doubt| doubt.from);
        let seen_elsewhere = decides && self.book.saw_something_else(check, from);
        self.running.spawn(async move {
            let (look, connectivity) = canaries.look(&prober, &probe, turn, now, decides && !seen_elsewhere).await;
            Seen { due, began: now, look, connectivity }
        });
    }

    fn take(&mut self, seen: Result<Seen, JoinError>) {
        let Seen { due, began, look, connectivity } = match seen {
            Ok(seen) => seen,
            Err(error) => return error!("a look at a service crashed: {error}"),
        };
        self.queue.free(&due);
        let check = due.check;
        let micros = i64::try_from(look.phases.whole.as_micros()).unwrap_or(i64::MAX);
        let outcome = Outcome { at: began, verdict: look.verdict, detail: look.detail.clone() };
        self.wiring.telemetry.uptime_looks.inc();
        self.latest[check] = Some(Latest::of(began, &look));
        if look.verdict == Condition::Up && look.went_to.is_some_and(is_public) {
            self.book.checks[check].reached_at = Some(began);
        }
        let was_clear = !self.is_blind();
        self.record(check, &outcome, micros, connectivity);
        if connectivity == Connectivity::Offline && was_clear {
            warn!("nothing answers, not even the canaries: our own line is cut; services in doubt are unknown");
        }
        let now = millis(self.wiring.clock.now());
        self.schedule(check, now);
        self.start_waiting(now);
    }

    /// Whether every check that we make ourselves is unknown.
    fn is_blind(&self) -> bool {
        let mut ours = self.book.checks.iter().filter(|check| check.plan.is_asked);
        ours.all(|check| check.state.condition == Condition::Unknown)
    }

    /// Handles a report that is overdue, unless it has come in the meantime.
    fn miss(&mut self, check: usize, now: Millis) {
        let Some(deadline) = self.silence_deadline(check) else { return };
        if deadline > now {
            return self.plan(check, deadline);
        }
        if self.book.checks[check].state.condition == Condition::Down {
            return;
        }
        let words = match self.check(check).probe.ask {
            Ask::Heartbeat(_) => "no heartbeat came in time",
            _ => "no result came in time",
        };
        let outcome = Outcome::bad(deadline, Condition::Down, words);
        self.record(check, &outcome, 0, Connectivity::Online);
        // It may take several misses until it is down.
        if self.book.checks[check].state.condition != Condition::Down {
            self.schedule(check, now);
        }
    }

    fn record(&mut self, check: usize, outcome: &Outcome, micros: Millis, connectivity: Connectivity) {
        if self.take_in(check, outcome, micros, connectivity) {
            self.write_soon();
        }
    }

    /// Returns true if a condition has changed: that is stored at once.
    fn take_in(&mut self, check: usize, outcome: &Outcome, micros: Millis, connectivity: Connectivity) -> bool {
        let taken = self.book.observe(check, outcome, connectivity);
        let changed = !taken.rewrites.is_empty();
        let changes = taken.changes.clone();
        self.note(taken);
        self.keep(check, outcome, micros);
        if outcome.verdict >= Condition::Degraded {
            self.ask_parents(check);
        }
        if changed {
            self.follow(&changes);
        }
        changed
    }

    /// Records what has changed, to be stored.
    fn note(&mut self, taken: Taken) {
        for change in &taken.changes {
            let component = &self.book.components[change.component].plan.id;
            info!(component, "`{component}` was {} and is {}", change.was, change.is);
        }
        self.is_news |= !taken.rewrites.is_empty();
        self.is_to_be_told |= !taken.rewrites.is_empty();
        self.keeping.dirty |= !taken.rewrites.is_empty();
        self.keeping.unwritten.rewrites.extend(taken.rewrites);
    }

    /// Expires results that no longer hold, and handles what waited for a doubt to end.
    fn let_expire(&mut self, now: Millis) {
        let expired = self.book.expire(now);
        for check in self.book.checks.iter().filter(|_| !expired.rewrites.is_empty()) {
            let states = &mut self.keeping.unwritten.states;
            states.entry(check.plan.id.clone()).or_insert_with(|| (check.state.clone(), None)).0 = check.state.clone();
        }
        let changes = expired.changes.clone();
        self.note(expired);
        // If one place falls silent, the others decide.
        self.follow(&changes);
        self.follow_postponed(now);
    }

    /// Schedules the next look at `check`.
    fn schedule(&mut self, check: usize, now: Millis) {
        let entry = &self.book.checks[check];
        let at = match self.check(check).is_ours() {
            false => self.silence_deadline(check),
            true => Some(next_look(&entry.plan.id, &entry.state, &entry.plan.rules, now)),
        };
        if let Some(at) = at {
            self.plan(check, at);
        }
    }

    /// Makes `check` due at `at`, in place of any earlier plan.
    fn plan(&mut self, check: usize, at: Millis) {
        if self.planned[check] != at {
            self.planned[check] = at;
            self.due.push(Reverse((at, check)));
        }
    }

    /// Schedules early looks at what `check`, which fails, depends on, so that both may be announced together.
    fn ask_parents(&mut self, check: usize) {
        let state = &self.book.checks[check].state;
        let from = state.doubt.as_ref().map_or(state.since, |doubt| doubt.from);
        let now = millis(self.wiring.clock.now());
        for parent in self.book.unseen_parents(check, from) {
            // A check that is already due is looked at as soon as there is room.
            if self.planned[parent] > now {
                self.plan(parent, now);
            }
        }
    }

    /// Returns by when the next report must have come.
    fn silence_deadline(&self, check: usize) -> Option<Millis> {
        let grace = self.check(check).probe.ask.silence()?;
        let CheckEntry { plan, state, .. } = &self.book.checks[check];
        let last = state.last_at?;
        // After a miss, which came after the latest report, the next report is due an interval later and no later.
        let was_missed = self.latest[check].as_ref().is_some_and(|latest| latest.at < last);
        let late = if was_missed { 0 } else { grace };
        Some(state.forgiven_until.unwrap_or(last + plan.rules.interval + late))
    }

    /// Treats reports dated by a clock that was ahead as made now, so that later reports count and silence is noticed
    /// as soon as usual.
    fn hear_as_of(&mut self, now: Millis) {
        for check in 0..self.book.checks.len() {
            let ask = &self.check(check).probe.ask;
            let (is_ours, silence) = (self.check(check).is_ours(), ask.silence());
            let CheckEntry { plan, state, .. } = &mut self.book.checks[check];
            if is_ours || state.last_at.is_none_or(|last| last <= now + TOLD_AHEAD) {
                continue;
            }
            state.last_at = Some(now);
            let latest = silence.map(|grace| now + plan.rules.interval + grace);
            state.forgiven_until = state.forgiven_until.map(|until| latest.map_or(until, |latest| until.min(latest)));
            state.forgiven_since = state.forgiven_since.map(|since| since.min(now));
            self.keeping.unwritten.states.insert(plan.id.clone(), (state.clone(), None));
            self.keeping.dirty = true;
        }
    }

    /// Forgives checks that may have reported while we were off.
    fn forgive_silence(&mut self, now: Millis) {
        for check in 0..self.book.checks.len() {
            let Some(grace) = self.check(check).probe.ask.silence() else { continue };
            let CheckEntry { plan, state, .. } = &mut self.book.checks[check];
            if state.last_at.is_none() || state.condition == Condition::Down {
                continue;
            }
            state.forgive(now, &plan.rules, grace);
            self.keeping.unwritten.states.insert(plan.id.clone(), (state.clone(), None));
        }
    }

    fn check(&self, check: usize) -> &Check {
        let id = &self.book.checks[check].plan.id;
        let at = |check: &&Check| check.id == *id;
        // The book was built from the same list, in the same order.
        self.wiring.config.uptime.checks.get(check).filter(at).expect("the book is made of the configured checks")
    }
}

/// Returns when the check `id` is looked at next.
pub(crate) fn next_look(id: &str, state: &CheckState, rules: &Rules, now: Millis) -> Millis {
    // If the clock was set back, the last look lies in the future. If it was only adjusted, its slot is still taken.
    let last = state.last_at.map(|last| if last - now <= SET_BACK { last } else { now });
    match last {
        Some(last) if now - last < rules.interval => {
            let next = state.next_look(last, rules);
            let is_steady = next - last >= rules.interval;
            if is_steady { slot(id, rules.interval, last) } else { next.max(now) }
        }
        // After a pause all checks are looked at soon, but not all at once.
        _ => now + spread(id, rules.interval.min(10 * SECOND)),
    }
}

/// Returns the first moment after `after` that belongs to `id` within `interval`.
fn slot(id: &str, interval: Millis, after: Millis) -> Millis {
    let offset = spread(id, interval);
    offset + ((after - offset).div_euclid(interval) + 1) * interval
}

/// Returns the offset within `interval` that belongs to `id`.
fn spread(id: &str, interval: Millis) -> Millis {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    i64::try_from(hasher.finish() % interval.max(1).unsigned_abs()).unwrap_or_default()
}
