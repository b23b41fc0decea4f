//! What was read of the store and holds until something is written, for polls that find nothing new.
//!
//! Whoever writes through this process, or another replica, is noticed at once; what the command line does to a file is
//! seen by its row in the audit log. What neither tells holds for a minute at most.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};

use super::Service;
use crate::store::audit::LastChange;
use crate::store::outbox::Tally;
use crate::store::{Store, StoreError};
use crate::ticket::TenantId;

/// As long as it is the same, so is what the store holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// Answers by what was asked, each with the version of the store that it is of.
pub(super) struct Answers<K, V>(Mutex<HashMap<K, (Version, V)>>);

impl<K, V> Default for Answers<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V: Clone> Answers<K, V> {
    /// What is known of `key` in this version, or what `ask` finds.
    async fn get(
        &self,
        key: K,
        version: Version,
        ask: impl Future<Output = Result<V, StoreError>>,
    ) -> Result<V, StoreError> {
        if let Some(known) = self.known(&key, version) {
            return Ok(known);
        }
        let found = ask.await?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, (version, found.clone()));
        Ok(found)
    }

    fn known(&self, key: &K, version: Version) -> Option<V> {
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.get(key).filter(|(of, _)| *of == version).map(|(_, known)| known.clone())
    }
}

/// What is asked for again and again: one answer for each tenant, and of messages one for all of them.
#[derive(Default)]
pub struct Kept {
    marks: Answers<TenantId, u64>,
    quarantined: Answers<TenantId, usize>,
    messages: Answers<Option<TenantId>, Tally>,
}

impl Service {
    pub(super) async fn store_version(&self, now: DateTime<Utc>) -> Result<Version, StoreError> {
        Version::of(&self.store, now).await
    }

    /// A number that is another one when anything about the open alerts of `tenant` has changed.
    pub(super) async fn alert_mark(&self, tenant: &TenantId, version: Version) -> Result<u64, StoreError> {
        self.kept.marks.get(tenant.clone(), version, self.store.alert_mark(tenant)).await
    }

    /// How many records of `tenant` could not be read.
    pub(super) async fn quarantined(&self, tenant: &TenantId, version: Version) -> Result<usize, StoreError> {
        let ask = async { Ok(self.store.quarantined(tenant).await?.len()) };
        self.kept.quarantined.get(tenant.clone(), version, ask).await
    }

    /// What waits, and what was sent or failed since `since`, of one tenant or of all.
    pub(super) async fn messages_since(
        &self,
        scope: &super::Reach,
        version: Version,
        since: DateTime<Utc>,
    ) -> Result<Tally, StoreError> {
        self.kept.messages.get(scope.tenant().cloned(), version, self.store.tally(scope, since)).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::audit::Author;
    use crate::store::saved_views::Owner;
    use crate::ticket::Reach;

    #[tokio::test]
    async fn what_was_read_holds_until_something_is_written_and_a_minute_at_most() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("sla.db"), Arc::default()).await.unwrap();
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let version = async |now| Version::of(&store, now).await.unwrap();
        let answers = Answers::default();
        let before = version(now).await;
        assert_eq!(answers.get("asked", before, async { Ok(1) }).await.unwrap(), 1);
        let known = async |now| answers.get("asked", version(now).await, async { Ok(2) }).await.unwrap();
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
