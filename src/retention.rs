//! The loop that lets go what is past and old: at night, in small bites.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use tokio::sync::watch;
use tracing::{error, info};

use crate::clock::SharedClock;
use crate::config::{Config, Retention as Ages};
use crate::store::retention::Past;
use crate::store::{Store, StoreError};

/// When it begins, by the clock of the first tenant's calendar.
const AT: NaiveTime = NaiveTime::from_hms_opt(3, 0, 0).expect("it is a time of day");
/// Between two bites others write.
const PAUSE: Duration = Duration::from_millis(50);

/// Lets go what is old.
pub struct Retention {
    store: Store,
    clock: SharedClock,
    ages: Ages,
    zone: Tz,
}

/// How many rows of each kind are gone.
pub type Gone = BTreeMap<Past, u64>;

impl Retention {
    pub fn new(config: &Config, store: Store, clock: SharedClock) -> Self {
        Self { store, clock, ages: config.retention, zone: zone(config) }
    }

    /// Lets go each night, until `stop` says so.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            () = self.turn_for_ever() => {}
            // What is left goes in the next night.
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    async fn turn_for_ever(&self) {
        loop {
            self.clock.sleep_until(next_night(self.clock.now(), self.zone)).await;
            if let Err(error) = self.turn(self.clock.now()).await {
                error!(error = %error, "what is old could not be deleted; trying again next night");
            }
        }
    }

    /// Lets go all that is old at `now`.
    pub async fn turn(&self, now: DateTime<Utc>) -> Result<Gone, StoreError> {
        let mut gone = Gone::new();
        for past in Past::ALL {
            let rows = self.forget(past, now - self.ages.of(past)).await?;
            gone.insert(past, rows);
        }
        if gone.values().any(|rows| *rows > 0) {
            let words: Vec<_> = gone.iter().map(|(past, rows)| format!("{} {rows}", past.as_str())).collect();
            info!("deleted what was older than `retention` says, in rows: {}", words.join(", "));
        }
        Ok(gone)
    }

    async fn forget(&self, past: Past, before: DateTime<Utc>) -> Result<u64, StoreError> {
        let (mut gone, mut from) = (0, 0);
        loop {
            let bite = self.store.forget(past, before, from).await?;
            gone += bite.gone;
            match bite.next {
                Some(next) => from = next,
                None => return Ok(gone),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Where the night is.
fn zone(config: &Config) -> Tz {
    let calendar = config.tenants.values().find_map(|tenant| config.calendars.get(tenant.calendar.as_ref()?));
    calendar.map_or(Tz::UTC, |calendar| calendar.timezone)
}

/// The next time that it is [`AT`] after `now`.
fn next_night(now: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
    let today = now.with_timezone(&zone).date_naive();
    let nights = (0..3).filter_map(|days| today.checked_add_days(Days::new(days)));
    let mut nights = nights.filter_map(|day| day.and_time(AT).and_local_timezone(zone).earliest());
    nights.find(|night| *night > now).map_or(now + TimeDelta::days(1), |night| night.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_night_is_that_of_the_calendar() {
        let next = |now: &str, zone| next_night(now.parse().unwrap(), zone).to_rfc3339();
        assert_eq!(next("2026-11-23T02:59:00Z", Tz::UTC), "2026-11-23T03:00:00+00:00");
        assert_eq!(next("2026-11-23T03:00:00Z", Tz::UTC), "2026-11-24T03:00:00+00:00");
        assert_eq!(next("2026-11-23T03:00:00Z", Tz::America__New_York), "2026-11-23T08:00:00+00:00");
    }
}
