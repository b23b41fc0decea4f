//! Keeps one tenant's calls within its budget, and in a fair order.
//!
//! Two rules hold together. The calls are spread evenly, with a little room
//! for a burst (governor's GCRA). And there is a hard cap: in any minute no
//! more calls than the budget, where a call counts from the moment it is sent
//! until a minute after its answer arrived. SuperOps sees a call somewhere in
//! between, so however the network jitters, its own window never overflows.
//!
//! An urgent call need not wait for its turn: it goes before its time, and those
//! that can wait make up for it, so that the pace is even all the same.
//!
//! When SuperOps says it was too much all the same (other programs may use the
//! same token), everybody waits out the minute, and the budget shrinks; it
//! grows back by one call a minute.

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

/// SuperOps' minute, and a little for two computers' clocks running at different speeds.
const WINDOW: Duration = Duration::from_millis(60_050);

/// Waits after a throttle: five attempts over 41 seconds were seen to be refused, so never less than a minute.
const STANDSTILL: Duration = Duration::from_secs(61);

/// Spread over this long, so that two programs on one token do not return in step.
const STANDSTILL_JITTER: Duration = Duration::from_secs(5);

/// One call that comes late is made up for.
const LEAST_BURST: NonZeroU32 = NonZeroU32::new(2).unwrap();

/// A throttle does not press the budget below this.
const LEAST_BUDGET: u32 = 10;

/// One call a minute comes back after a throttle.
const RECOVERY: Duration = Duration::from_secs(60);

/// Who is served first when several wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Urgency {
    /// A person or a breach waits for it.
    Urgent,
    /// What keeps the picture fresh.
    Routine,
    /// What can wait for hours.
    Background,
}

/// Hands out permits to call.
#[derive(Debug)]
pub(super) struct Pacer {
    state: Mutex<State>,
    /// Rings when the head of the queue may have changed, or a call has ended.
    changed: Notify,
}

/// The right to make one call. Dropped when its answer has arrived.
#[derive(Debug)]
pub(super) struct Permit<'a>(&'a Pacer);

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.state().finish(Instant::now());
        self.0.changed.notify_waiters();
    }
}

/// A place in the queue; giving up gives it up.
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
    /// Allows `per_minute` calls a minute, and at least one.
    pub fn new(per_minute: u32) -> Self {
        Self { state: Mutex::new(State::new(per_minute.max(1))), changed: Notify::new() }
    }

    /// Waits for the right to make one call of `operation`.
    pub async fn permit(&self, urgency: Urgency, operation: &'static str) -> Permit<'_> {
        let place = Place { pacer: self, id: self.state().queue.join(urgency, operation) };
        loop {
            // Listen before looking, so that nothing falls between the two.
            let changed = self.changed.notified();
            let turn = self.state().turn(place.id, Instant::now());
            match turn {
                Turn::Now => return Permit(self),
                Turn::NotBefore(at) => tokio::select! { () = sleep_until(at) => {}, () = changed => {} },
                Turn::Behind => changed.await,
            }
        }
    }

    /// SuperOps said that it was too much: nobody calls for a minute, and then we ask for less.
    pub fn throttled(&self) {
        let jitter = STANDSTILL_JITTER.mul_f64(fastrand::f64());
        self.state().throttled(Instant::now(), STANDSTILL + jitter);
    }

    /// Halves what may be called, for another program that uses the same token, or takes that back. Gives how long it is
    /// at the most until no more than half was called in any minute.
    pub fn share_half(&self, shared: bool) -> Duration {
        self.state().share_half(shared, Instant::now())
    }

    /// Calls a minute that we allow ourselves now.
    pub fn budget(&self) -> u32 {
        self.state().budget
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under this lock leaves at worst one call uncounted.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a waiter has to do.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    Now,
    NotBefore(Instant),
    /// Something else has to happen first: others are served, or an answer arrives.
    Behind,
}

type Smoother = RateLimiter<NotKeyed, InMemoryState, PausableClock, NoOpMiddleware<Nanos>>;

#[derive(Debug)]
struct State {
    /// What the configuration allows.
    whole: u32,
    /// That, or half of it while the other half is shared.
    ceiling: u32,
    budget: u32,
    smoother: Smoother,
    in_flight: usize,
    /// When the answers of the last minute arrived, in order.
    answered: VecDeque<Instant>,
    closed_until: Instant,
    /// Urgent calls that went before their time, and that nobody has made up for yet.
    ahead: u32,
    /// When the last call went, or one of those was made up for.
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

    /// Whether the waiter `id` may go; if so it is out of the queue and counted.
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

    /// What keeps calls of `urgency` back, but for the even pace.
    fn hindrance(&mut self, urgency: Urgency, now: Instant) -> Turn {
        self.grow(now);
        if now < self.closed_until {
            return Turn::NotBefore(self.closed_until);
        }
        let turn = self.under_cap(now);
        if turn != Turn::Now || urgency == Urgency::Urgent {
            return turn;
        }
        // Where nobody has called for so long, that has made up for it.
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

    /// One call less may go from now on, if one may go now.
    fn even_pace(&self, now: Instant) -> Turn {
        let wait = |early: NotUntil<Nanos>| early.wait_time_from(self.smoother.clock().now());
        self.smoother.check().map_or_else(|early| Turn::NotBefore(now + wait(early)), |()| Turn::Now)
    }

    /// The hard cap.
    fn under_cap(&mut self, now: Instant) -> Turn {
        while self.answered.front().is_some_and(|at| *at + WINDOW <= now) {
            self.answered.pop_front();
        }
        let counted = self.answered.len() + self.in_flight;
        let budget = self.budget as usize;
        if counted < budget {
            return Turn::Now;
        }
        // So many of the answered calls have to grow old; if there are not enough, an answer has to arrive first.
        self.answered.get(counted - budget).map_or(Turn::Behind, |at| Turn::NotBefore(*at + WINDOW))
    }

    fn finish(&mut self, now: Instant) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.answered.push_back(now);
    }

    /// Several calls may be refused together: that is one throttle, and the last one sets the wait.
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
        // A new smoother starts with a whole burst, which nobody has saved up.
        let _ = self.smoother.check_n(burst(budget));
    }
}

/// What is shared of so many calls a minute, and what is kept.
fn half(per_minute: u32) -> u32 {
    (per_minute / 2).max(1)
}

/// So many calls may go at once, a hundredth of the budget. Where all of it is used, calls that went together can only be
/// followed a minute later, and together: for as long as they were ahead of an even pace, nobody may call, not even for
/// a breach.
fn burst(budget: u32) -> NonZeroU32 {
    NonZeroU32::new(budget / 100).unwrap_or(NonZeroU32::MIN).max(LEAST_BURST)
}

/// So many urgent calls may be ahead of the even pace.
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

/// Who waits: by urgency, then one of each operation in turn.
#[derive(Debug, Default)]
struct Queue {
    last_id: u64,
    lines: [Line; 3],
}

/// Operations in the order of their turns, each with its waiters in the order they came.
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

    /// Who is served next.
    fn head(&self) -> Option<(Urgency, u64)> {
        let lines = [Urgency::Urgent, Urgency::Routine, Urgency::Background].into_iter().zip(&self.lines);
        let (urgency, line) = lines.into_iter().find(|(_, line)| !line.is_empty())?;
        Some((urgency, *line.front()?.1.front()?))
    }

    /// Takes the head out; its operation goes to the end of the line.
    fn serve_head(&mut self) {
        let Some(line) = self.lines.iter_mut().find(|line| !line.is_empty()) else { return };
        let Some((operation, mut waiters)) = line.pop_front() else { return };
        waiters.pop_front();
        if !waiters.is_empty() {
            line.push_back((operation, waiters));
        }
    }

    /// Takes `id` out wherever it stands; nothing happens if it was served.
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
