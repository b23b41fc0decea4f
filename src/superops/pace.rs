//! Keeps one tenant's calls within its budget, and in a fair order.
//!
//! Two rules apply together. Calls are spread evenly, with a little room for a burst (governor's GCRA). And there is a
//! hard cap: no more calls in any minute than the budget, where a call counts from the moment it is sent until a minute
//! after its answer arrived. SuperOps sees the call somewhere in between, so its own window never overflows, however
//! the network jitters.
//!
//! An urgent call need not wait for its turn: it goes early, and the calls that can wait make up for it, so that the
//! pace stays even.
//!
//! If SuperOps still reports too many calls (other programs may use the same token), every call waits out the minute
//! and the budget shrinks; it grows back by one call a minute.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{NotUntil, Quota, RateLimiter};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// SuperOps' minute, plus a little because two computers' clocks run at different speeds.
const WINDOW: Duration = Duration::from_millis(60_050);

/// How long calls stop after a throttle. Five attempts over 41 seconds were seen to be refused, so never less than a
/// minute.
const STANDSTILL: Duration = Duration::from_secs(61);

/// The range of a random extra wait, so that two programs on one token do not return in step.
const STANDSTILL_JITTER: Duration = Duration::from_secs(5);

/// The smallest burst: enough to make up for one late call.
const LEAST_BURST: NonZeroU32 = NonZeroU32::new(2).unwrap();

/// The lowest budget that throttles can lead to.
const LEAST_BUDGET: u32 = 10;

/// How long it takes after a throttle to win back one call a minute.
const RECOVERY: Duration = Duration::from_secs(60);

/// Decides who is served first when several calls wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Urgency {
    /// A person or a breach is waiting for it.
    Urgent,
    /// Keeps the data fresh.
    Routine,
    /// Can wait for hours.
    Background,
}

/// Hands out permits to call.
#[derive(Debug)]
pub(super) struct Pacer {
    state: Mutex<State>,
    /// Notified when the head of the queue may have changed, or a call has ended.
    changed: Notify,
}

/// The right to make one call. Dropped when the call's answer has arrived.
#[derive(Debug)]
pub(super) struct Permit<'a>(&'a Pacer);

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.state().finish(Instant::now());
        self.0.changed.notify_waiters();
    }
}

/// A place in the queue; dropping it leaves the queue.
struct Place<'a> {
    pacer: &'a Pacer,
    id: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.pacer.state().queue.leave(self.id);
        self.pacer.changed.notify_waiters();
    }
}

impl Pacer {
    /// Allows `per_minute` calls a minute, but at least one.
    pub fn new(per_minute: u32) -> Self {
        Self { state: Mutex::new(State::new(per_minute.max(1))), changed: Notify::new() }
    }

    /// Waits for the right to make one call of `operation`.
    pub async fn permit(&self, urgency: Urgency, operation: &'static str) -> Permit<'_> {
        let place = Place { pacer: self, id: self.state().queue.join(urgency, operation) };
        loop {
            // Listen before looking, so that no notification is missed in between.
            let changed = self.changed.notified();
            let turn = self.state().turn(place.id, Instant::now());
            match turn {
                Turn::Now => return Permit(self),
                Turn::NotBefore(at) => tokio::select! { () = sleep_until(at) => {}, () = changed => {} },
                Turn::Behind => changed.await,
            }
        }
    }

    /// Stops all calls for a minute and then lowers the budget, because SuperOps said there were too many.
    pub fn throttled(&self) {
        let jitter = STANDSTILL_JITTER.mul_f64(fastrand::f64());
        self.state().throttled(Instant::now(), STANDSTILL + jitter);
    }

    /// Halves the budget for the sake of another program on the same token, or takes that back. Returns the longest
    /// time until no more than half was called in any minute.
    pub fn share_half(&self, shared: bool) -> Duration {
        self.state().share_half(shared, Instant::now())
    }

    /// Returns how many calls a minute we currently allow ourselves.
    pub fn budget(&self) -> u32 {
        self.state().budget
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under this lock leaves one call uncounted at worst.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a waiting call has to do.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    Now,
    NotBefore(Instant),
    /// Wait for something else: others are served first, or an answer has to arrive.
    Behind,
}

type Smoother = RateLimiter<NotKeyed, InMemoryState, PausableClock, NoOpMiddleware<Nanos>>;

#[derive(Debug)]
struct State {
    /// The budget in the configuration.
    whole: u32,
    /// The whole budget, or half of it while the other half is shared.
    ceiling: u32,
    budget: u32,
    smoother: Smoother,
    in_flight: usize,
    /// When the answers of the last minute arrived, in order.
    answered: VecDeque<Instant>,
    closed_until: Instant,
    /// How many urgent calls went early and have not been made up for.
    ahead: u32,
    /// When the last call went, or an early one was last made up for.
    counted_at: Instant,
    grows_at: Instant,
    queue: Queue,
}

impl State {
    fn new(ceiling: u32) -> Self {
        let now = Instant::now();
        Self {
            whole: ceiling,
            ceiling,
            budget: ceiling,
            smoother: smoother(ceiling),
            in_flight: 0,
            answered: VecDeque::new(),
            closed_until: now,
            ahead: 0,
            counted_at: now,
            grows_at: now,
            queue: Queue::default(),
        }
    }

    /// Whether the waiter `id` may go; if so, takes it out of the queue and counts it.
    fn turn(&mut self, id: u64, now: Instant) -> Turn {
        let Some((urgency, _)) = self.queue.head().filter(|(_, head)| *head == id) else { return Turn::Behind };
        let turn = self.hindrance(urgency, now);
        if turn != Turn::Now {
            return turn;
        }
        match self.even_pace(now) {
            Turn::Now => {}
            _ if urgency == Urgency::Urgent && self.ahead < most_ahead(self.budget) => self.ahead += 1,
            turn => return turn,
        }
        self.queue.serve_head();
        self.in_flight += 1;
        self.counted_at = now;
        Turn::Now
    }

    /// Returns what holds back calls of `urgency`, apart from the even pace.
    fn hindrance(&mut self, urgency: Urgency, now: Instant) -> Turn {
        self.grow(now);
        if now < self.closed_until {
            return Turn::NotBefore(self.closed_until);
        }
        let turn = self.under_cap(now);
        if turn != Turn::Now || urgency == Urgency::Urgent {
            return turn;
        }
        // If nobody has called for long enough, that has made up for the early calls.
        if self.counted_at + (WINDOW / self.budget) * self.ahead <= now {
            self.ahead = 0;
        }
        while self.ahead > 0 {
            let turn = self.even_pace(now);
            if turn != Turn::Now {
                return turn;
            }
            self.ahead -= 1;
            self.counted_at = now;
        }
        Turn::Now
    }

    /// Takes one call from the even pace if it allows one now; otherwise says when it will.
    fn even_pace(&self, now: Instant) -> Turn {
        let wait = |early: NotUntil<Nanos>| early.wait_time_from(self.smoother.clock().now());
        self.smoother.check().map_or_else(|early| Turn::NotBefore(now + wait(early)), |()| Turn::Now)
    }

    /// Applies the hard cap.
    fn under_cap(&mut self, now: Instant) -> Turn {
        while self.answered.front().is_some_and(|at| *at + WINDOW <= now) {
            self.answered.pop_front();
        }
        let counted = self.answered.len() + self.in_flight;
        let budget = self.budget as usize;
        if counted < budget {
            return Turn::Now;
        }
        // This many answered calls have to age out of the window; if there are too few, an answer has to arrive first.
        self.answered.get(counted - budget).map_or(Turn::Behind, |at| Turn::NotBefore(*at + WINDOW))
    }

    fn finish(&mut self, now: Instant) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.answered.push_back(now);
    }

    /// Several calls may be refused at once: that counts as one throttle, and the last refusal sets the wait.
    fn throttled(&mut self, now: Instant, wait: Duration) {
        let first = now >= self.closed_until;
        self.closed_until = self.closed_until.max(now + wait);
        self.grows_at = self.closed_until + RECOVERY;
        if first {
            let floor = LEAST_BUDGET.min(self.ceiling);
            self.set_budget((self.budget * 4 / 5).max(floor));
        }
    }

    fn share_half(&mut self, shared: bool, now: Instant) -> Duration {
        let was_full = self.budget == self.ceiling;
        self.ceiling = if shared { half(self.whole) } else { self.whole };
        if self.budget > self.ceiling || was_full {
            self.set_budget(self.ceiling);
        }
        let turn = self.under_cap(now);
        match turn {
            Turn::Now => Duration::ZERO,
            Turn::NotBefore(_) | Turn::Behind => WINDOW,
        }
    }

    fn grow(&mut self, now: Instant) {
        let before = self.budget;
        let mut budget = before;
        while budget < self.ceiling && now >= self.grows_at {
            budget += 1;
            self.grows_at += RECOVERY;
        }
        if budget != before {
            self.set_budget(budget);
        }
    }

    fn set_budget(&mut self, budget: u32) {
        self.budget = budget;
        self.smoother = smoother(budget);
        // A new smoother starts with a full burst, which has not been earned.
        let _ = self.smoother.check_n(burst(budget));
    }
}

/// Returns the half of so many calls a minute that is kept while the other half is shared.
fn half(per_minute: u32) -> u32 {
    (per_minute / 2).max(1)
}

/// Returns how many calls may go at once: a hundredth of the budget. When the whole budget is in use, calls that went
/// together can only be followed by others a minute later, again together. For as long as they were ahead of an even
/// pace, nobody may call then, not even for a breach.
fn burst(budget: u32) -> NonZeroU32 {
    NonZeroU32::new(budget / 100).unwrap_or(NonZeroU32::MIN).max(LEAST_BURST)
}

/// Returns how many urgent calls may be ahead of the even pace.
fn most_ahead(budget: u32) -> u32 {
    (budget / 5).max(1)
}

fn smoother(budget: u32) -> Smoother {
    let budget = NonZeroU32::new(budget).unwrap_or(NonZeroU32::MIN);
    let quota = Quota::per_minute(budget).allow_burst(burst(budget.get()));
    RateLimiter::direct_with_clock(quota, PausableClock { origin: Instant::now() })
}

/// Tokio's clock for governor, so that tests can stop the time.
#[derive(Clone, Debug)]
struct PausableClock {
    origin: Instant,
}

impl GovernorClock for PausableClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.origin.elapsed().into()
    }
}

/// The waiting calls: by urgency, then one of each operation in turn.
#[derive(Debug, Default)]
struct Queue {
    last_id: u64,
    lines: [Line; 3],
}

/// Operations in the order of their turns, each with its waiters in order of arrival.
type Line = VecDeque<(&'static str, VecDeque<u64>)>;

impl Queue {
    fn join(&mut self, urgency: Urgency, operation: &'static str) -> u64 {
        self.last_id += 1;
        let line = &mut self.lines[urgency as usize];
        match line.iter_mut().find(|(name, _)| *name == operation) {
            Some((_, waiters)) => waiters.push_back(self.last_id),
            None => line.push_back((operation, VecDeque::from([self.last_id]))),
        }
        self.last_id
    }

    /// Returns who is served next.
    fn head(&self) -> Option<(Urgency, u64)> {
        let lines = [Urgency::Urgent, Urgency::Routine, Urgency::Background].into_iter().zip(&self.lines);
        let (urgency, line) = lines.into_iter().find(|(_, line)| !line.is_empty())?;
        Some((urgency, *line.front()?.1.front()?))
    }

    /// Removes the head; its operation goes to the end of the line.
    fn serve_head(&mut self) {
        let Some(line) = self.lines.iter_mut().find(|line| !line.is_empty()) else { return };
        let Some((operation, mut waiters)) = line.pop_front() else { return };
        waiters.pop_front();
        if !waiters.is_empty() {
            line.push_back((operation, waiters));
        }
    }

    /// Removes `id` from wherever it is; does nothing if it was already served.
    fn leave(&mut self, id: u64) {
        for line in &mut self.lines {
            for (_, waiters) in line.iter_mut() {
                waiters.retain(|waiter| *waiter != id);
            }
            line.retain(|(_, waiters)| !waiters.is_empty());
        }
    }
}

#[cfg(test)]
#[path = "pace_tests.rs"]
mod tests;
