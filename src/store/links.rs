//! The key that links are signed with, and the links that were used.
//!
//! The key is made once and kept, so that a link in a mail outlives a restart.

use chrono::{DateTime, TimeDelta, Utc};

use super::outbox::{Logged, logged};
use super::{Store, StoreError, millis};
use crate::store::sealed::SECRET;
use crate::store::sql::{self, Connection};

/// How long a used link is remembered: by then it has long expired.
const REMEMBERED: TimeDelta = TimeDelta::days(3);

impl Store {
    /// Returns the secret `name`, after storing `fresh` if there was none.
    pub async fn secret(
        &self,
        name: &'static str,
        fresh: [u8; 32],
        now: DateTime<Utc>,
    ) -> Result<[u8; 32], StoreError> {
        let kept: Vec<u8> = self
            .writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    sql::query(
                        "INSERT INTO secrets (name, value, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                    )
                    .bind(name)
                    .bind(SECRET.seal_bytes(&[name], &fresh))
                    .bind(millis(now))
                    .execute(&mut *tx)
                    .await?;
                    sql::query_scalar("SELECT value, name FROM secrets WHERE name = $1").bind(name).fetch_one(tx).await
                })
            })
            .await?;
        kept.try_into().map_err(|_| StoreError::Unreadable(format!("the secret `{name}`")))
    }

    /// Marks the link with that fingerprint as used. False if it was used before.
    pub async fn use_link(
        &self,
        fingerprint: &str,
        notification: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let (fingerprint, notification) = (fingerprint.to_owned(), notification.to_owned());
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let old = sql::query("DELETE FROM used_links WHERE used_at < $1").bind(millis(now - REMEMBERED));
                    old.execute(&mut *tx).await?;
                    let used = sql::query(
                        "INSERT INTO used_links (token, notification, used_at) VALUES ($1, $2, $3)
                         ON CONFLICT DO NOTHING",
                    )
                    .bind(fingerprint)
                    .bind(notification)
                    .bind(millis(now))
                    .execute(tx)
                    .await?;
                    Ok(used.rows_affected() == 1)
                })
            })
            .await
    }

    /// Stores what came of the use of a link, in one word.
    pub async fn end_link(&self, fingerprint: &str, outcome: &'static str) -> Result<(), StoreError> {
        let fingerprint = fingerprint.to_owned();
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let ended = sql::query("UPDATE used_links SET outcome = $2 WHERE token = $1").bind(fingerprint);
                    ended.bind(outcome).execute(tx).await.map(drop)
                })
            })
            .await
    }

    /// Returns what came of the use of a link; none if that is not known, or not yet.
    pub async fn outcome_of_link(&self, fingerprint: &str) -> Result<Option<String>, StoreError> {
        let outcome = sql::query_scalar("SELECT outcome FROM used_links WHERE token = $1 AND outcome IS NOT NULL");
        Ok(outcome.bind(fingerprint).fetch_optional(&self.reads).await?)
    }

    /// Makes a link usable again whose use had no effect.
    pub async fn give_back_link(&self, fingerprint: &str) -> Result<(), StoreError> {
        let fingerprint = fingerprint.to_owned();
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let gone = sql::query("DELETE FROM used_links WHERE token = $1").bind(fingerprint);
                    gone.execute(tx).await.map(drop)
                })
            })
            .await
    }

    /// Returns the notification with that key.
    pub async fn notification(&self, key: &str) -> Result<Option<Logged>, StoreError> {
        let row = sql::query("SELECT * FROM notifications WHERE key = $1").bind(key).fetch_optional(&self.reads);
        row.await?.as_ref().map(logged).transpose()
    }

    /// Returns the public name of the alert `key`; none if there is no such alert.
    pub async fn alert_id(&self, key: &str) -> Result<Option<String>, StoreError> {
        let id = sql::query_scalar("SELECT id FROM alerts WHERE key = $1").bind(key);
        Ok(id.fetch_optional(&self.reads).await?)
    }
}
