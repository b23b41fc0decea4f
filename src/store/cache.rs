//! The caches in front of the database. They hold inputs only, never a standing.
//!
//! Every key includes the tenant, so nobody is ever served another's tickets. A write replaces what it changes here;
//! anything missing is read. Both take the tenant's turn first, so that a read that began before a write cannot put
//! back what the write replaced.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use moka::sync::Cache;
use tokio::sync::OwnedMutexGuard;

use super::StoreError;
use super::audit::Noticed;
use super::tickets::OpenTickets;
use crate::telemetry::{CacheLabels, CacheName, Telemetry};
use crate::ticket::watch::Watched;
use crate::ticket::{Directory, TenantId, TicketId};

/// How many single tickets are kept: the ones people look at, a few kilobytes each.
const SINGLE_TICKETS: u64 = 2_000;
/// How many tenants are kept: more than one service ever has.
const TENANTS: u64 = 1_000;

pub struct Caches {
    pub open: Counted<TenantId, Arc<OpenTickets>>,
    pub people: Counted<TenantId, Arc<Directory>>,
    pub single: Counted<(TenantId, TicketId), Arc<Watched>>,
    /// How many times predictions were changed.
    pub predictions: AtomicU64,
    pub noticed: ArcSwap<Noticed>,
    turns: Mutex<HashMap<TenantId, Arc<tokio::sync::Mutex<()>>>>,
}

/// The right to fill or change what is cached for one tenant.
pub type Turn = OwnedMutexGuard<()>;

impl Caches {
    pub fn new(telemetry: Arc<Telemetry>) -> Self {
        Self {
            open: Counted::new("open_tickets", TENANTS, telemetry.clone()),
            people: Counted::new("people", TENANTS, telemetry.clone()),
            single: Counted::new("tickets", SINGLE_TICKETS, telemetry),
            predictions: AtomicU64::new(0),
            noticed: ArcSwap::default(),
            turns: Mutex::default(),
        }
    }

    /// Forgets everything cached for `tenant`.
    pub fn forget_tenant(&self, tenant: &TenantId) {
        self.open.forget(tenant);
        self.people.forget(tenant);
        self.single.forget_all();
        self.predictions.fetch_add(1, Ordering::Relaxed);
    }

    /// Forgets everything.
    pub fn forget_all(&self) {
        self.open.forget_all();
        self.people.forget_all();
        self.single.forget_all();
        self.predictions.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until nobody else fills or changes what is cached for `tenant`.
    pub async fn turn(&self, tenant: &TenantId) -> Turn {
        let lock = self.turns.lock().unwrap_or_else(PoisonError::into_inner).entry(tenant.clone()).or_default().clone();
        lock.lock_owned().await
    }
}

/// A moka cache that counts its hits and misses.
pub struct Counted<K, V> {
    name: &'static str,
    entries: Cache<K, V>,
    telemetry: Arc<Telemetry>,
}

impl<K: Hash + Eq + Send + Sync + Clone + 'static, V: Clone + Send + Sync + 'static> Counted<K, V> {
    pub fn new(name: &'static str, capacity: u64, telemetry: Arc<Telemetry>) -> Self {
        Self { name, entries: Cache::new(capacity), telemetry }
    }

    /// Returns what is cached for `key`, or else what `read` finds, which is then cached. The turn is held until then.
    pub async fn get_or(
        &self,
        key: &K,
        turn: impl Future<Output = Turn>,
        read: impl Future<Output = Result<Option<V>, StoreError>>,
    ) -> Result<Option<V>, StoreError> {
        let held = self.entries.get(key);
        self.count(if held.is_some() { "hit" } else { "miss" });
        if held.is_some() {
            return Ok(held);
        }
        let _turn = turn.await;
        if let Some(held) = self.peek(key) {
            return Ok(Some(held));
        }
        let found = read.await?;
        if let Some(value) = &found {
            self.put(key.clone(), value.clone());
        }
        Ok(found)
    }

    /// Returns what is cached for `key` without counting: for a write that changes a part of it.
    pub fn peek(&self, key: &K) -> Option<V> {
        self.entries.get(key)
    }

    pub fn put(&self, key: K, value: V) {
        self.entries.insert(key, value);
        self.measure();
    }

    /// Replaces what is cached for `key`; a value that nobody has asked for is not added.
    pub fn replace(&self, key: K, value: V) {
        if self.entries.contains_key(&key) {
            self.put(key, value);
        }
    }

    pub fn forget(&self, key: &K) {
        self.entries.invalidate(key);
        self.measure();
    }

    pub fn forget_all(&self) {
        self.entries.invalidate_all();
        self.measure();
    }

    fn count(&self, result: &'static str) {
        self.telemetry.cache_lookups.get_or_create(&CacheLabels { cache: self.name, result }).inc();
    }

    fn measure(&self) {
        // moka updates its count only in its deferred maintenance.
        self.entries.run_pending_tasks();
        let entries = i64::try_from(self.entries.entry_count()).unwrap_or(i64::MAX);
        self.telemetry.cache_entries.get_or_create(&CacheName { cache: self.name }).set(entries);
    }
}
