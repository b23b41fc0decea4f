//! The source of the present time.
//!
//! Everything that needs the time takes `now`; a loop asks its [`Clock`] once per
//! turn and sleeps by it. Tests move a [`ManualClock`] by hand, and the demo runs
//! its day faster with a [`FastClock`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use tokio::sync::watch;

/// Tells the time and waits for it.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Returns the present moment.
    fn now(&self) -> DateTime<Utc>;

    /// Returns once [`Clock::now`] has reached `at` or, if it is set back meanwhile, after as long as that should take.
    async fn sleep_until(&self, at: DateTime<Utc>);

    /// Returns how many seconds pass on this clock in one real second.
    fn speed(&self) -> u32 {
        1
    }
}

/// The clock every loop shares.
pub type SharedClock = Arc<dyn Clock>;

/// The precision of clocks, that of the store, so that a moment is the same before it is stored and after it is read.
const MILLIS: u16 = 3;

/// The longest single sleep, and so the longest until it is noticed that the system clock was set forward.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);

/// How far the system clock may be adjusted without counting as set back.
const ADJUSTED: Duration = Duration::from_millis(200);

/// The computer's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        #[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
        let now = Utc::now();
        now.trunc_subsecs(MILLIS)
    }

    async fn sleep_until(&self, at: DateTime<Utc>) {
        let begun = tokio::time::Instant::now();
        let whole = (at - self.now()).to_std().unwrap_or_default() + ADJUSTED;
        while let Some(left) = left(at - self.now(), whole.saturating_sub(begun.elapsed())) {
            tokio::time::sleep(left.min(LONGEST_SLEEP)).await;
        }
    }
}

/// Returns how long still to sleep: the time left by the wall clock, but `at_most` that; none if it is time.
fn left(by_the_wall: TimeDelta, at_most: Duration) -> Option<Duration> {
    let left = by_the_wall.to_std().ok()?.min(at_most);
    (!left.is_zero()).then_some(left)
}

/// From this difference to another clock on, ours is a problem.
pub const CLOCK_WRONG: TimeDelta = TimeDelta::seconds(60);

/// The setback that [`set_back`] ignores: it makes nobody wait longer than this.
const SET_BACK: TimeDelta = TimeDelta::seconds(5);

/// Returns once `clock`, of speed 1, has been set back by more than five seconds.
pub async fn set_back(clock: &dyn Clock) {
    loop {
        let (wall, steady) = (clock.now(), tokio::time::Instant::now());
        tokio::time::sleep(Duration::from_secs(1)).await;
        let passed = TimeDelta::from_std(steady.elapsed()).unwrap_or(TimeDelta::MAX);
        if clock.now() - wall < passed - SET_BACK {
            return;
        }
    }
}

/// A clock that runs `speed` times as fast as the computer's, from a moment of its own.
#[derive(Clone, Debug)]
pub struct FastClock {
    started: tokio::time::Instant,
    origin: DateTime<Utc>,
    speed: u32,
}

impl FastClock {
    /// Starts a clock at `origin`; every real second counts as `speed` seconds.
    pub fn start(origin: DateTime<Utc>, speed: u32) -> Self {
        Self { started: tokio::time::Instant::now(), origin, speed: speed.max(1) }
    }
}

#[async_trait]
impl Clock for FastClock {
    fn now(&self) -> DateTime<Utc> {
        let elapsed = TimeDelta::from_std(self.started.elapsed()).unwrap_or(TimeDelta::MAX);
        let fast = elapsed.num_microseconds().unwrap_or(i64::MAX).saturating_mul(i64::from(self.speed));
        let now = self.origin.checked_add_signed(TimeDelta::microseconds(fast)).unwrap_or(DateTime::<Utc>::MAX_UTC);
        now.trunc_subsecs(MILLIS)
    }

    async fn sleep_until(&self, at: DateTime<Utc>) {
        while let Ok(left) = (at - self.now()).to_std() {
            if left.is_zero() {
                return;
            }
            // A millisecond more than needed, so that rounding down does not spin.
            tokio::time::sleep(left / self.speed + Duration::from_millis(1)).await;
        }
    }

    fn speed(&self) -> u32 {
        self.speed
    }
}

/// A clock that stands still until it is told to move.
#[derive(Clone, Debug)]
pub struct ManualClock(watch::Sender<DateTime<Utc>>);

impl ManualClock {
    /// Creates a clock that stands at `now`.
    pub fn at(now: DateTime<Utc>) -> Self {
        Self(watch::Sender::new(now))
    }

    /// Moves by `amount`, which may be negative: real clocks are set back too.
    pub fn advance(&self, amount: TimeDelta) {
        self.0.send_modify(|now| *now += amount);
    }

    /// Moves to `now`.
    pub fn set(&self, now: DateTime<Utc>) {
        self.0.send_replace(now);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.borrow()
    }

    async fn sleep_until(&self, at: DateTime<Utc>) {
        // The sender lives in `self`, so waiting cannot fail before it is reached.
        let _ = self.0.subscribe().wait_for(|now| *now >= at).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sleeps_while_the_clock_is_set_back_sleeps_no_longer_than_was_meant() {
        let seconds = |n| Duration::from_secs(n);
        assert_eq!(left(TimeDelta::seconds(4), seconds(5)), Some(seconds(4)));
        assert_eq!(left(TimeDelta::seconds(3604), seconds(4)), Some(seconds(4)));
        assert_eq!(left(TimeDelta::seconds(3600), Duration::ZERO), None);
        assert_eq!(left(TimeDelta::seconds(-3600), seconds(4)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_fast_clock_runs_a_minute_in_a_second() {
        let origin = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let clock = FastClock::start(origin, 60);
        clock.sleep_until(origin + TimeDelta::seconds(60)).await;
        let late = clock.now() - (origin + TimeDelta::seconds(60));
        assert!(late >= TimeDelta::zero() && late < TimeDelta::seconds(2), "{late}");
        assert!(clock.started.elapsed() < Duration::from_millis(1100));
    }

    #[tokio::test]
    async fn a_manual_clock_wakes_sleepers_when_it_is_moved() {
        let origin = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let clock = ManualClock::at(origin);
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep_until(origin + TimeDelta::hours(1)).await }
        });
        clock.advance(TimeDelta::hours(2));
        sleeper.await.unwrap();
    }
}
