//! Since when each promise on a service has been in the configuration.

use std::collections::BTreeMap;

use super::{Store, StoreError};
use crate::store::sql::{self, Connection};
use crate::uptime::Millis;
use crate::uptime::days::Period;
use crate::uptime::statement::SETTLES;

/// Since when something is promised: by component, tenant and kind of period.
pub type PromisedSince = BTreeMap<(String, String, Period), Millis>;

impl Store {
    /// Records what is promised from now on, by component, tenant and kind of period. What is no longer promised has
    /// ended; if it comes back before its last period would have been settled, it goes on as if it had always been
    /// there.
    pub async fn adopt_promises(&self, promises: Vec<(String, String, Period)>, now: Millis) -> Result<(), StoreError> {
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let forgotten = sql::query("DELETE FROM uptime_promises WHERE ended < $1");
                    forgotten.bind(now - SETTLES).execute(&mut *tx).await?;
                    let gone = sql::query("UPDATE uptime_promises SET ended = $1 WHERE ended IS NULL");
                    gone.bind(now).execute(&mut *tx).await?;
                    for (component, tenant, period) in &promises {
                        sql::query(
                            "INSERT INTO uptime_promises (component, tenant, period, since)
                             VALUES ($1, $2, $3, COALESCE((SELECT begun.since FROM uptime_promises begun
                                 WHERE begun.component = $1 AND begun.tenant = $2 AND begun.period = ''), $4))
                             ON CONFLICT (component, tenant, period) DO UPDATE SET ended = NULL",
                        )
                        .bind(component)
                        .bind(tenant)
                        .bind(period.as_str())
                        .bind(now)
                        .execute(&mut *tx)
                        .await?;
                    }
                    // They stood for what was promised when the record began.
                    sql::query("DELETE FROM uptime_promises WHERE period = ''").execute(&mut *tx).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Returns since when each promise has been in force.
    pub async fn promised_since(&self) -> Result<PromisedSince, StoreError> {
        let rows = sql::query_as::<(String, String, String, i64)>(
            "SELECT component, tenant, period, since FROM uptime_promises WHERE ended IS NULL
             ORDER BY component, tenant, period",
        );
        let rows = rows.fetch_all(&self.reads).await?;
        let one = |(component, tenant, period, since): (String, String, String, i64)| {
            Some(((component, tenant, Period::parse(&period)?), since))
        };
        Ok(rows.into_iter().filter_map(one).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uptime::DAY;

    async fn open(folder: &tempfile::TempDir) -> Store {
        Store::open(&folder.path().join("sla.db"), std::sync::Arc::default()).await.unwrap()
    }

    /// Adopts a promise by month on the shop to each of `tenants`, and returns since when each is in force.
    async fn adopt(store: &Store, tenants: &[&str], now: Millis) -> Vec<(String, Millis)> {
        let promise = |tenant: &&str| ("shop".to_owned(), (*tenant).to_owned(), Period::Month);
        store.adopt_promises(tenants.iter().map(promise).collect(), now).await.unwrap();
        let known = store.promised_since().await.unwrap();
        known.into_iter().map(|((_, tenant, _), since)| (tenant, since)).collect()
    }

    #[tokio::test]
    async fn a_promise_begins_anew_with_another_tenant_or_after_days_without_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder).await;
        let since = |tenant: &str, since| vec![(tenant.to_owned(), since)];
        assert_eq!(adopt(&store, &["acme"], 10).await, since("acme", 10));
        assert_eq!(adopt(&store, &["acme"], DAY).await, since("acme", 10));
        assert_eq!(adopt(&store, &["beta"], 2 * DAY).await, since("beta", 2 * DAY));
        assert_eq!(adopt(&store, &["acme"], 3 * DAY).await, since("acme", 10), "that was a mistake");
        assert_eq!(adopt(&store, &[], 4 * DAY).await, []);
        assert_eq!(adopt(&store, &["acme"], 9 * DAY).await, since("acme", 9 * DAY));
    }

    #[tokio::test]
    async fn what_is_promised_when_the_record_begins_counts_as_promised_before_and_nothing_later() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder).await;
        let before = "INSERT INTO uptime_promises (component, tenant, period, since) VALUES ('shop', 'acme', '', 7)";
        store
            .writer
            .write(move |tx: &mut Connection| Box::pin(async move { sql::query(before).execute(tx).await.map(drop) }))
            .await
            .unwrap();
        assert_eq!(adopt(&store, &["acme"], 10).await, [("acme".to_owned(), 7)]);
        let quarter = vec![("shop".to_owned(), "acme".to_owned(), Period::Quarter)];
        store.adopt_promises(quarter, 20).await.unwrap();
        let known: Vec<_> = store.promised_since().await.unwrap().into_values().collect();
        assert_eq!(known, [20]);
    }
}
