//! Sign-ins begun at an identity provider. Any replica may complete one, and each is completed once.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Store, StoreError, millis};
use crate::store::sql::{self, Connection};

/// How long a sign-in may take: enough to find a phone for the second factor.
pub const LASTS: TimeDelta = TimeDelta::minutes(10);
/// The most sign-ins at a time. Anybody may begin one, so the oldest make room.
const MOST: i64 = 10_000;

impl Store {
    /// Remembers that a sign-in was begun, and which page is `wanted` after it.
    pub async fn begin_sign_in(&self, key: String, wanted: String, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    make_room(tx, now).await?;
                    let begin = sql::query("INSERT INTO sign_ins (key, wanted, begun_at) VALUES ($1, $2, $3)");
                    begin.bind(key).bind(wanted).bind(millis(now)).execute(tx).await.map(drop)
                })
            })
            .await
    }

    /// Completes the sign-in `key` and returns the page that was wanted; none if it never was, is over, or is too old.
    pub async fn take_sign_in(&self, key: &str, now: DateTime<Utc>) -> Result<Option<String>, StoreError> {
        let key = key.to_owned();
        let taken: Option<(String, i64)> = self
            .writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let take = sql::query_as("DELETE FROM sign_ins WHERE key = $1 RETURNING wanted, begun_at");
                    take.bind(key).fetch_optional(tx).await
                })
            })
            .await?;
        Ok(taken.filter(|(_, begun_at)| *begun_at > millis(now - LASTS)).map(|(wanted, _)| wanted))
    }
}

async fn make_room(tx: &mut Connection, now: DateTime<Utc>) -> Result<(), sql::Error> {
    let old = sql::query("DELETE FROM sign_ins WHERE begun_at <= $1");
    old.bind(millis(now - LASTS)).execute(&mut *tx).await?;
    let oldest = "SELECT begun_at FROM sign_ins ORDER BY begun_at DESC LIMIT 1 OFFSET $1";
    let oldest: Option<i64> = sql::query_scalar(oldest).bind(MOST - 1).fetch_optional(&mut *tx).await?;
    let Some(oldest) = oldest else { return Ok(()) };
    sql::query("DELETE FROM sign_ins WHERE begun_at <= $1").bind(oldest).execute(tx).await.map(drop)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn a_sign_in_is_taken_once_and_within_ten_minutes() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("sla.db"), Arc::default()).await.unwrap();
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        for key in ["a", "b"] {
            store.begin_sign_in(key.to_owned(), "/alerts".to_owned(), now).await.unwrap();
        }
        let take = async |key, at| store.take_sign_in(key, at).await.unwrap();
        assert_eq!(take("c", now).await, None, "never begun");
        assert_eq!(take("a", now + LASTS - TimeDelta::seconds(1)).await.as_deref(), Some("/alerts"));
        assert_eq!(take("a", now).await, None, "a second time");
        assert_eq!(take("b", now + LASTS).await, None, "too late");
    }
}
