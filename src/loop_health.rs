//! When the loops that tell people last did their work; readiness depends on it.
//!
//! A loop that hangs, or fails turn after turn, leaves the process alive and the page answering. The time since its
//! last good turn still grows, by a clock that nobody can set.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long a loop may go without a turn before it is out of order; each turns at least once a minute.
const LONGEST: Duration = Duration::from_secs(180);

/// The health of one loop. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct LoopHealth(Arc<Mutex<Option<Turns>>>);

#[derive(Clone, Copy, Debug)]
struct Turns {
    last_good: Instant,
    last: Instant,
}

impl LoopHealth {
    /// Notes that a turn has ended well, or that the first is about to begin.
    pub fn turned_well(&self) {
        let now = Instant::now();
        *self.turns() = Some(Turns { last_good: now, last: now });
    }

    /// Notes that a turn has failed: the loop is of no use, but it does not hang.
    pub fn turned_badly(&self) {
        if let Some(turns) = self.turns().as_mut() {
            turns.last = Instant::now();
        }
    }

    /// Returns how long ago the last good turn was; none while the loop does not run.
    pub fn age(&self) -> Option<Duration> {
        self.turns().map(|turns| turns.last_good.elapsed())
    }

    /// Whether no turn, good or bad, has ended for too long.
    fn hangs(&self) -> bool {
        self.turns().is_some_and(|turns| turns.last.elapsed() > LONGEST)
    }

    fn turns(&self) -> MutexGuard<'_, Option<Turns>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The health of the loops that decide whom to tell, and tell them.
#[derive(Clone, Debug, Default)]
pub struct LoopHealths {
    pub evaluate: LoopHealth,
    pub dispatch: LoopHealth,
}

impl LoopHealths {
    /// Returns each running loop with the age of its last good turn, in whole seconds.
    pub fn ages(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let all = [("evaluate", self.evaluate.age()), ("dispatch", self.dispatch.age())];
        all.into_iter().filter_map(|(name, age)| Some((name, age?.as_secs())))
    }

    /// Whether a loop hangs, so that only a restart helps. A restart does not help a loop that fails turn after turn.
    pub fn hang(&self) -> bool {
        self.evaluate.hangs() || self.dispatch.hangs()
    }

    /// Describes the loops whose last good turn is too long ago.
    pub fn problems(&self) -> Vec<String> {
        let late = self.ages().filter(|(_, age)| *age > LONGEST.as_secs());
        late.map(|(name, age)| format!("{name}: its last good turn was {age} s ago; the log says why")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_has_not_turned_well_for_three_minutes_is_said_to_be_out_of_order() {
        let loop_healths = LoopHealths::default();
        assert_eq!(loop_healths.problems(), Vec::<String>::new(), "of what does not run nothing is said");
        loop_healths.evaluate.turned_well();
        loop_healths.dispatch.turned_well();
        tokio::time::advance(Duration::from_secs(180)).await;
        loop_healths.dispatch.turned_well();
        assert_eq!(loop_healths.problems(), Vec::<String>::new());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(loop_healths.problems(), ["evaluate: its last good turn was 181 s ago; the log says why"]);
        loop_healths.evaluate.turned_well();
        assert_eq!(loop_healths.ages().collect::<Vec<_>>(), [("evaluate", 0), ("dispatch", 1)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_fails_turn_after_turn_does_not_hang_and_one_that_ends_none_does() {
        let loop_healths = LoopHealths::default();
        assert!(!loop_healths.hang(), "what does not run does not hang");
        loop_healths.evaluate.turned_well();
        tokio::time::advance(Duration::from_secs(180)).await;
        loop_healths.evaluate.turned_badly();
        tokio::time::advance(Duration::from_secs(180)).await;
        assert!(!loop_healths.hang());
        assert_eq!(loop_healths.problems().len(), 1, "no good turn for six minutes");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(loop_healths.hang());
    }
}
