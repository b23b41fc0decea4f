//! What was read of the store and holds until something is written, for polls that find nothing new.
//!
//! Whoever writes through this process, or another replica, is noticed at once; what the command line does to a file is
//! seen by its row in the audit log. What neither tells holds for a minute at most.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use moka::sync::Cache;
use tokio::sync::OnceCell;

use super::Service;
use crate::store::audit::LastChange;
use crate::store::outbox::Tally;
use crate::store::{Store, StoreError};
use crate::ticket::TenantId;

/// Of each kind; those of versions that are over go with their time.
const MOST: u64 = 2_000;
const A_MINUTE: Duration = Duration::from_secs(60);

/// As long as it is the same, so is what the store holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Version {
    written: u64,
    last_change: Option<LastChange>,
    minute: i64,
}

impl Version {
    async fn of(store: &Store, now: DateTime<Utc>) -> Result<Self, StoreError> {
        // Before anything is read: what is written meanwhile makes it another version.
        let written = store.times_written();
        let minute = now.timestamp().div_euclid(60);
        Ok(Self { written, last_change: store.last_change().await?, minute })
    }
}

/// Answers by what was asked, kept for a while: many who ask wait for one, and a failure is not kept.
pub(super) struct Answers<K, V>(Cache<K, Arc<OnceCell<V>>>);

impl<K: Eq + Hash + Clone + Send + Sync + 'static, V: Clone + Send + Sync + 'static> Answers<K, V> {
    /// At most so many, each for so long.
    pub fn new(most: u64, lasts: Duration) -> Self {
        Self(Cache::builder().max_capacity(most).time_to_live(lasts).build())
    }

    /// What is known of `key`.
    pub fn known(&self, key: &K) -> Option<V> {
        self.0.get(key).and_then(|cell| cell.get().cloned())
    }

    /// What is known of `key`, or what `ask` finds.
    pub async fn get<E>(&self, key: K, ask: impl Future<Output = Result<V, E>>) -> Result<V, E> {
        let cell = self.0.get_with(key, Arc::default);
        cell.get_or_try_init(|| ask).await.cloned()
    }

    /// Asks anew the next time.
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

/// What is asked for again and again: one answer for each tenant, and of messages one for all of them.
pub struct Kept {
    marks: OfVersion<TenantId, u64>,
    quarantined: OfVersion<TenantId, usize>,
    messages: OfVersion<Option<TenantId>, Tally>,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            marks: Answers::new(MOST, A_MINUTE),
            quarantined: Answers::new(MOST, A_MINUTE),
            messages: Answers::new(MOST, A_MINUTE),
        }
    }
}

impl Service {
    pub(super) async fn store_version(&self, now: DateTime<Utc>) -> Result<Version, StoreError> {
        Version::of(&self.store, now).await
    }

    /// A number that is another one when anything about the open alerts of `tenant` has changed.
    pub(super) async fn alert_mark(&self, tenant: &TenantId, version: Version) -> Result<u64, StoreError> {
        self.kept.marks.get((tenant.clone(), version), self.store.alert_mark(tenant)).await
    }

    /// How many records of `tenant` could not be read.
    pub(super) async fn quarantined(&self, tenant: &TenantId, version: Version) -> Result<usize, StoreError> {
        let ask = async { Ok(self.store.quarantined(tenant).await?.len()) };
        self.kept.quarantined.get((tenant.clone(), version), ask).await
    }

    /// What waits, and what was sent or failed since `since`, of one tenant or of all.
    pub(super) async fn messages_since(
        &self,
        scope: &super::Reach,
        version: Version,
        since: DateTime<Utc>,
    ) -> Result<Tally, StoreError> {
        self.kept.messages.get((scope.tenant().cloned(), version), self.store.tally(scope, since)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::audit::Author;
    use crate::store::saved_views::Owner;
    use crate::ticket::Reach;

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
        assert_ne!(version(now).await, before, "by the command line, beside us");
        assert_eq!(store.tally(&Reach::All, now).await.unwrap().pending, 0);
    }
}
