//! Keeps what was read from the store until something is written, for polls that find nothing new.
//!
//! Writes through this process or another replica are noticed at once; what the command line does to a file is seen by
//! its row in the audit log. What neither tells holds for a minute at most.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use moka::sync::Cache;
use tokio::sync::OnceCell;

use super::forecast::Predicted;
use super::{Reach, Service};
use crate::store::alerts::AlertRow;
use crate::store::audit::LastChange;
use crate::store::ended::Between;
use crate::store::outbox::Tally;
use crate::store::record::OpenAlert;
use crate::store::{Store, StoreError};
use crate::ticket::TenantId;

/// The most answers of each kind; those of past versions expire.
const MOST: u64 = 2_000;
const A_MINUTE: Duration = Duration::from_secs(60);

/// While it is the same, so is what the store holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Version {
    written: u64,
    last_change: Option<LastChange>,
    minute: i64,
}

impl Version {
    async fn of(store: &Store, now: DateTime<Utc>) -> Result<Self, StoreError> {
        // Read before anything else: what is written meanwhile makes it another version.
        let written = store.times_written();
        let minute = now.timestamp().div_euclid(60);
        Ok(Self { written, last_change: store.last_change_noticed(now).await?, minute })
    }
}

/// Answers by question, kept for a while: many who ask wait for one answer, and a failure is not kept.
pub(super) struct Answers<K, V>(Cache<K, Arc<OnceCell<V>>>);

impl<K: Eq + Hash + Clone + Send + Sync + 'static, V: Clone + Send + Sync + 'static> Answers<K, V> {
    /// Keeps at most `most` answers, each for as long as `lasts`.
    pub fn new(most: u64, lasts: Duration) -> Self {
        Self(Cache::builder().max_capacity(most).time_to_live(lasts).build())
    }

    /// Returns what is known of `key`.
    pub fn known(&self, key: &K) -> Option<V> {
        self.0.get(key).and_then(|cell| cell.get().cloned())
    }

    /// Returns what is known of `key`, or what `ask` finds.
    pub async fn get<E>(&self, key: K, ask: impl Future<Output = Result<V, E>>) -> Result<V, E> {
        let cell = self.0.get_with(key, Arc::default);
        cell.get_or_try_init(|| ask).await.cloned()
    }

    /// Makes the next call ask anew.
    pub fn forget(&self, key: &K) {
        self.0.invalidate(key);
    }

    /// How many are kept.
    pub fn count(&self) -> u64 {
        self.0.run_pending_tasks();
        self.0.entry_count()
    }
}

/// An answer that holds for one version of the store; a version lasts for a minute.
type OfVersion<K, V> = Answers<(K, Version), V>;

/// The answers for the version asked about last, by tenants: large ones, of which no older version is kept.
struct Newest<V>(Mutex<HashMap<Vec<TenantId>, (Version, V)>>);

impl<V> Default for Newest<V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<V: Clone> Newest<V> {
    /// Returns what is known of `tenants` in this version, or what `ask` finds.
    async fn get(
        &self,
        tenants: Vec<TenantId>,
        version: Version,
        ask: impl Future<Output = Result<V, StoreError>>,
    ) -> Result<V, StoreError> {
        if let Some(known) = self.known(&tenants, version) {
            return Ok(known);
        }
        let found = ask.await?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(tenants, (version, found.clone()));
        Ok(found)
    }

    fn known(&self, tenants: &[TenantId], version: Version) -> Option<V> {
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.get(tenants).filter(|(of, _)| *of == version).map(|(_, known)| known.clone())
    }
}

/// The answers to frequent questions: one for each tenant, and for messages also one for all of them.
pub struct Kept {
    marks: OfVersion<TenantId, u64>,
    quarantined: OfVersion<TenantId, usize>,
    messages: OfVersion<Option<TenantId>, Tally>,
    open_alerts: Newest<Arc<[OpenAlert]>>,
    held_alerts: Newest<Arc<[AlertRow]>>,
    predicted: Newest<Arc<[Predicted]>>,
    resolved: Newest<usize>,
    closed: Newest<usize>,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            marks: Answers::new(MOST, A_MINUTE),
            quarantined: Answers::new(MOST, A_MINUTE),
            messages: Answers::new(MOST, A_MINUTE),
            open_alerts: Newest::default(),
            held_alerts: Newest::default(),
            predicted: Newest::default(),
            resolved: Newest::default(),
            closed: Newest::default(),
        }
    }
}

impl Service {
    pub(super) async fn store_version(&self, now: DateTime<Utc>) -> Result<Version, StoreError> {
        Version::of(&self.store, now).await
    }

    /// A number that changes when anything about the open alerts of `tenant` changes.
    pub(super) async fn alert_mark(&self, tenant: &TenantId, version: Version) -> Result<u64, StoreError> {
        self.kept.marks.get((tenant.clone(), version), self.store.alert_mark(tenant)).await
    }

    /// The open alerts within `scope`, with what lists sort them by.
    pub(super) async fn open_alerts(&self, scope: &Reach, now: DateTime<Utc>) -> Result<Arc<[OpenAlert]>, StoreError> {
        let version = self.alerts_version(now).await?;
        let tenants: Vec<_> = self.tenants(scope).map(|tenant| tenant.id.clone()).collect();
        let ids: Vec<_> = tenants.iter().collect();
        let ask = async { Ok(self.store.open_alerts(&ids).await?.into()) };
        self.kept.open_alerts.get(tenants.clone(), version, ask).await
    }

    /// The alerts of `tenants` that somebody holds.
    pub(super) async fn held_alerts(
        &self,
        tenants: &BTreeSet<&TenantId>,
        now: DateTime<Utc>,
    ) -> Result<Arc<[AlertRow]>, StoreError> {
        let version = self.alerts_version(now).await?;
        let ids: Vec<_> = tenants.iter().copied().collect();
        let ask = async { Ok(self.store.held_alerts(&ids).await?.into()) };
        self.kept.held_alerts.get(ids.iter().copied().cloned().collect(), version, ask).await
    }

    /// How many resolved alerts there are within `scope`, as of this minute or the last write of an alert.
    pub(super) async fn resolved_total(&self, scope: &Reach, now: DateTime<Utc>) -> Result<usize, StoreError> {
        let version = self.alerts_version(now).await?;
        let tenants: Vec<_> = self.tenants(scope).map(|tenant| tenant.id.clone()).collect();
        let ids: Vec<_> = tenants.iter().collect();
        self.kept.resolved.get(tenants.clone(), version, self.store.count_resolved(&ids)).await
    }

    /// How many breaches within `scope` that were due `between` these moments are over.
    pub(super) async fn closed_total(
        &self,
        scope: &Reach,
        between: Between,
        now: DateTime<Utc>,
    ) -> Result<usize, StoreError> {
        let tenants: Vec<_> = self.tenants(scope).map(|tenant| tenant.id.clone()).collect();
        let ids: Vec<_> = tenants.iter().collect();
        let ask = self.store.count_closed_breaches(&ids, between);
        match between {
            (None, None) => self.kept.closed.get(tenants.clone(), self.alerts_version(now).await?, ask).await,
            _ => ask.await,
        }
    }

    /// A version of the alerts alone: it changes when any of them is written.
    pub(super) async fn alerts_version(&self, now: DateTime<Utc>) -> Result<Version, StoreError> {
        let written = self.store.alerts_written();
        Ok(Version { written, ..self.store_version(now).await? })
    }

    /// What was predicted of the clocks of each tenant within `scope` and what happened, as of this minute or since a
    /// prediction was last made or decided.
    pub(super) async fn predicted(&self, scope: &Reach, now: DateTime<Utc>) -> Result<Arc<[Predicted]>, StoreError> {
        let written = self.store.predictions_written();
        let version = Version { written, ..self.store_version(now).await? };
        let tenants: Vec<_> = self.tenants(scope).map(|tenant| tenant.id.clone()).collect();
        let ids: Vec<_> = tenants.iter().collect();
        let ask = async { Ok(self.read_predicted(&ids, now).await?.into()) };
        self.kept.predicted.get(tenants.clone(), version, ask).await
    }

    /// How many records of `tenant` could not be read.
    pub(super) async fn quarantined(&self, tenant: &TenantId, version: Version) -> Result<usize, StoreError> {
        let ask = async { Ok(self.store.quarantined(tenant).await?.len()) };
        self.kept.quarantined.get((tenant.clone(), version), ask).await
    }

    /// How many messages wait, and how many were sent or failed since `since`, of one tenant or of all.
    pub(super) async fn messages_since(
        &self,
        scope: &Reach,
        version: Version,
        since: DateTime<Utc>,
    ) -> Result<Tally, StoreError> {
        self.kept.messages.get((scope.tenant().cloned(), version), self.store.tally(scope, since)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::audit::{Author, NOTICED};
    use crate::store::saved_views::Owner;

    #[tokio::test]
    async fn many_who_ask_wait_for_one_and_a_failure_is_not_kept() {
        let answers = Answers::new(MOST, A_MINUTE);
        let asked = std::cell::Cell::new(0);
        let ask = async |outcome: Result<u32, &'static str>| {
            answers
                .get("key", async {
                    asked.set(asked.get() + 1);
                    tokio::task::yield_now().await;
                    outcome
                })
                .await
        };
        assert_eq!(ask(Err("broken")).await, Err("broken"));
        assert_eq!(answers.known(&"key"), None);
        let both = tokio::join!(ask(Ok(1)), ask(Ok(2)));
        assert_eq!((both, asked.get()), ((Ok(1), Ok(1)), 2));
        answers.forget(&"key");
        assert_eq!(ask(Ok(3)).await, Ok(3));
    }

    #[tokio::test]
    async fn what_was_read_holds_until_something_is_written_and_a_minute_at_most() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("sla.db"), Arc::default()).await.unwrap();
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let version = async |now| Version::of(&store, now).await.unwrap();
        let answers = Answers::new(MOST, A_MINUTE);
        let before = version(now).await;
        let answer = async |version, number| {
            answers.get(("asked", version), async { Ok::<_, StoreError>(number) }).await.unwrap()
        };
        assert_eq!(answer(before, 1).await, 1);
        let known = async |now| answer(version(now).await, 2).await;
        assert_eq!(known(now).await, 1);
        store.prove_writable(now).await.unwrap();
        assert_eq!(known(now).await, 2, "something was written");
        let later = version(now + chrono::TimeDelta::minutes(1)).await;
        assert_ne!(later, version(now).await);
        let beside = Store::open(&folder.path().join("sla.db"), Arc::default()).await.unwrap();
        let before = version(now).await;
        let author = Author { who: "mia".to_owned(), origin: "command line".to_owned() };
        let (owner, name) = (Owner::Shared(Reach::All), "a view".to_owned());
        beside.save_view(owner, name, "{}".to_owned(), author, now).await.unwrap();
        assert_ne!(version(now + NOTICED).await, before, "by the command line, beside us");
        assert_eq!(store.tally(&Reach::All, now).await.unwrap().pending, 0);
    }
}
