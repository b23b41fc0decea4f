//! The nightly loop, which works in small batches: it deletes past records that are old enough, and encrypts what is
//! still stored plain or under an older key.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tracing::{error, info};

use crate::clock::SharedClock;
use crate::config::Past;
use crate::config::{Config, Retention as Ages};
use crate::sla::calendar::{Calendar, CalendarError};
use crate::sla::night::Night;
use crate::sla::zone::Tz;
use crate::store::encryption::Turn;
use crate::store::{At, Store, StoreError};

/// Added to the present, so that a night that has begun is not taken for the next one.
const A_MOMENT: TimeDelta = TimeDelta::milliseconds(1);
/// The pause between two batches, in which others can write.
const PAUSE: Duration = Duration::from_millis(50);

/// Deletes what is old.
pub struct Retention {
    store: Store,
    clock: SharedClock,
    ages: Ages,
    night: Night,
    /// Where the store is, with its keys.
    at: At,
}

/// How many rows of each kind were deleted.
pub type Gone = BTreeMap<Past, u64>;

impl Retention {
    /// Runs in the nights of the first tenant.
    pub fn new(config: &Config, store: Store, clock: SharedClock) -> Result<Self, CalendarError> {
        let first = config.tenants.values().next();
        let calendar = first.and_then(|tenant| config.calendars.get(tenant.calendar.as_ref()?));
        let hours = calendar.map(|spec| Calendar::compile(spec.clone()).map(Arc::new)).transpose()?;
        let night = Night::new(first.and_then(|tenant| tenant.nightly), hours.as_ref(), Tz::UTC);
        Ok(Self { store, clock, ages: config.retention, night, at: At::from(&config.store) })
    }

    /// Runs each night, until `stop` is set.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            () = self.turn_for_ever() => {}
            // The next night deletes what is left.
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    async fn turn_for_ever(&self) {
        loop {
            self.clock.sleep_until(self.night.next(self.clock.now() + A_MOMENT)).await;
            self.night(self.clock.now()).await;
        }
    }

    /// Does everything due in one night.
    pub async fn night(&self, now: DateTime<Utc>) {
        if let Err(error) = self.turn(now).await {
            error!(error = %error, "what is old could not be deleted; trying again next night");
        }
        if let Err(error) = self.encrypt(now).await {
            error!(error = %error, "not all could be encrypted with the first key; trying again next night");
        }
    }

    /// Encrypts all stored data with the first key, unless that is done. Does nothing without a key, or with `plain`
    /// before the keys: only a person decrypts what was encrypted.
    async fn encrypt(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        let Some(first) = self.at.keys.first() else { return Ok(()) };
        if self.store.turned_to(first).await?.is_some() {
            return Ok(());
        }
        match self.at.place.services_without_key(first).await? {
            0 => {}
            without => {
                error!(
                    key = first,
                    without,
                    "nothing was encrypted with the key `{first}`, which {without} of the replicas at work do not hold: give it to all of them, and restart them"
                );
                return Ok(());
            }
        }
        if !self.store.take_up_first_key(&self.at.place).await? {
            return Ok(());
        }
        let mut turn = Turn::begin(&self.at.place, self.at.keys.clone()).await?;
        while self.store.turn_on(&mut turn).await?.is_some() {
            tokio::time::sleep(PAUSE).await;
        }
        let turned = turn.end().await?;
        if turned.is_whole() {
            self.store.note_turned(first.to_owned(), now).await?;
        }
        if !turned.left.is_empty() {
            let left = turned.left.len();
            error!(rows = left, "{left} rows cannot be opened and are as they were: `keys status` names them");
        }
        info!(rows = turned.rows, "encrypted {} rows with the key `{first}`", turned.rows);
        Ok(())
    }

    /// Deletes everything that is old at `now`.
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
            let batch = self.store.forget(past, before, from).await?;
            gone += batch.gone;
            match batch.next {
                Some(next) => from = next,
                None => return Ok(gone),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
