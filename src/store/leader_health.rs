//! How the leader's work goes, as it tells its followers. A process that has its store to itself tells nobody.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::tickets::unreadable;
use super::{Store, StoreError, instant, millis};
use crate::store::sql::{self, Connection};

impl Store {
    /// Stores how the leader's work goes at `now`.
    pub async fn note_leader_health(&self, health: &impl Serialize, now: DateTime<Utc>) -> Result<(), StoreError> {
        let (health, at) = (serde_json::to_string(health).map_err(unreadable)?, millis(now));
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let note = sql::query(
                        "INSERT INTO leader_health (name, at, health) VALUES ('leader', $1, $2)
                         ON CONFLICT (name) DO UPDATE SET at = excluded.at, health = excluded.health",
                    );
                    note.bind(at).bind(health).execute(tx).await.map(drop)
                })
            })
            .await
    }

    /// Returns what the leader told last, and when; none if no leader ever told anything.
    pub async fn leader_health<T: DeserializeOwned>(&self) -> Result<Option<(DateTime<Utc>, T)>, StoreError> {
        let row = sql::query_as::<(i64, String)>("SELECT at, health FROM leader_health WHERE name = 'leader'");
        let Some((at, health)) = row.fetch_optional(&self.reads).await? else { return Ok(None) };
        Ok(Some((instant(at)?, serde_json::from_str(&health).map_err(unreadable)?)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn followers_read_what_the_leader_told_last() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("sla.db"), Arc::default()).await.unwrap();
        assert_eq!(store.leader_health::<Vec<String>>().await.unwrap(), None, "nobody has told anything");
        let at = |second: i64| DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap();
        store.note_leader_health(&["sms"], at(0)).await.unwrap();
        store.note_leader_health(&["email"], at(60)).await.unwrap();
        assert_eq!(store.leader_health().await.unwrap(), Some((at(60), vec!["email".to_owned()])));
    }
}
