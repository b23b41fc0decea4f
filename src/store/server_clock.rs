//! How far this machine's clock is off from that of the database server, the only one that all replicas can ask.

use std::sync::atomic::Ordering;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Store, StoreError, instant};
use crate::store::sql;

impl Store {
    /// Compares the clock that says `now` with the server's; a store in a file has none to compare with.
    pub async fn compare_clocks(&self, now: impl Fn() -> DateTime<Utc>) -> Result<(), StoreError> {
        if self.server.is_none() {
            return Ok(());
        }
        let asked = now();
        let theirs = sql::query_scalar::<i64>(sql::postgres::NOW).fetch_one(&self.reads).await?;
        self.note_clock_ahead(ahead(asked, now(), instant(theirs)?));
        Ok(())
    }

    /// Notes how far our clock is ahead of the server's.
    pub fn note_clock_ahead(&self, ahead: TimeDelta) {
        self.seconds_ahead.store(ahead.num_seconds(), Ordering::Relaxed);
    }

    /// Returns how far our clock is ahead of the server's, in whole seconds: the way of an answer takes less.
    pub fn clock_ahead(&self) -> TimeDelta {
        TimeDelta::seconds(self.seconds_ahead.load(Ordering::Relaxed))
    }

    /// Notes that another process leads, and how many seconds its clock is ahead of the server's.
    pub fn note_leader_ahead(&self, seconds: i64) {
        self.leader_seconds_ahead.send_replace(Some(seconds));
    }

    /// Returns what the leader's clock says when ours says `now`.
    pub fn leaders_time(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let Some(theirs) = *self.leader_seconds_ahead.borrow() else { return now };
        now - self.clock_ahead() + TimeDelta::try_seconds(theirs).unwrap_or_default()
    }
}

/// Returns how far our clock is ahead at least if the other said `theirs` between `asked` and `answered`, by ours.
fn ahead(asked: DateTime<Utc>, answered: DateTime<Utc>, theirs: DateTime<Utc>) -> TimeDelta {
    (asked - theirs).max(TimeDelta::zero()) + (answered - theirs).min(TimeDelta::zero())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::{Clock, SystemClock};

    #[test]
    fn a_slow_answer_does_not_make_a_clock_wrong() {
        let at = |second: i64| DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap();
        let seconds = |asked, answered, theirs| ahead(at(asked), at(answered), at(theirs)).num_seconds();
        assert_eq!((seconds(0, 9, 1), seconds(0, 9, 9)), (0, 0));
        assert_eq!((seconds(40, 41, 0), seconds(0, 1, 41)), (40, -40));
    }

    #[tokio::test]
    async fn a_clock_that_is_off_from_the_servers_is_found_to_be() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("sla.db"), Arc::default()).await.unwrap();
        store.compare_clocks(|| SystemClock.now() + TimeDelta::seconds(90)).await.unwrap();
        let ahead = store.clock_ahead().num_seconds();
        // The tests' server may be on another machine.
        let expected = if store.server.is_some() { 80..=100 } else { 0..=0 };
        assert!(expected.contains(&ahead), "{ahead}");
    }
}
