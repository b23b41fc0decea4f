//! As of when the leader's data on each tenant is complete, for the followers.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::sql::{self, Connection};
use super::{Store, StoreError, instant, millis};
use crate::ticket::TenantId;

/// The prefix of a tenant's row name.
const NAME: &str = "synced:";

impl Store {
    /// Stores as of when each tenant's data is complete.
    pub async fn note_freshness(&self, fresh: BTreeMap<TenantId, DateTime<Utc>>) -> Result<(), StoreError> {
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    for (tenant, at) in fresh {
                        let note = sql::query(
                            "INSERT INTO heartbeats (name, at) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET at = excluded.at",
                        );
                        note.bind(format!("{NAME}{tenant}")).bind(millis(at)).execute(&mut *tx).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Returns as of when each tenant's data is complete, as far as the leader has said.
    pub async fn freshness(&self) -> Result<BTreeMap<TenantId, DateTime<Utc>>, StoreError> {
        let rows = sql::query_as::<(String, i64)>("SELECT name, at FROM heartbeats WHERE name >= $1 AND name < $2");
        // The character after a colon is a semicolon: all names with this prefix lie in between.
        let rows = rows.bind(NAME).bind("synced;").fetch_all(&self.reads).await?;
        let read = |(name, at): (String, i64)| {
            let tenant = name.strip_prefix(NAME).and_then(|tenant| TenantId::parse(tenant).ok());
            tenant.map(|tenant| Ok((tenant, instant(at)?)))
        };
        rows.into_iter().filter_map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn followers_read_what_the_leader_noted_last() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("sla.db"), Arc::default()).await.unwrap();
        let (acme, bolt) = (TenantId::parse("acme").unwrap(), TenantId::parse("bolt").unwrap());
        let at = |second: i64| DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap();
        store.note_freshness([(acme.clone(), at(0)), (bolt.clone(), at(1))].into()).await.unwrap();
        store.note_freshness([(acme.clone(), at(60))].into()).await.unwrap();
        assert_eq!(store.freshness().await.unwrap(), [(acme, at(60)), (bolt, at(1))].into());
    }
}
