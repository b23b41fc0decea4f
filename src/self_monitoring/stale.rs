//! Says when a tenant's data has become too old to be believed, and when it is fresh again.
//!
//! An episode is named after the moment of which the data is. So after a
//! restart it is the same one, and nobody is told of it twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, watch};
use tracing::{error, info};

use crate::alert::escalation::{Recipient, chiefs};
use crate::config::{ChannelKind, Config, Target, Tenant};
use crate::notify::{Body, Message, StaleFacts};
use crate::sla::zone::Tz;
use crate::store::outbox::{NewNotification, Reader, notification_key};
use crate::store::{Store, StoreError};
use crate::sync::SyncHealth;
use crate::ticket::TenantId;

/// Watches how old each tenant's data is.
pub(super) struct StaleWatch {
    config: Arc<Config>,
    store: Store,
    health: BTreeMap<TenantId, watch::Receiver<SyncHealth>>,
    outbox: Arc<Notify>,
    /// Who was never read is stale from the start on.
    began: DateTime<Utc>,
    /// Since when each tenant's data is stale; a tenant that is absent was not looked up in the store yet.
    told: BTreeMap<TenantId, Option<DateTime<Utc>>>,
}

impl StaleWatch {
    pub fn new(
        config: Arc<Config>,
        store: Store,
        health: BTreeMap<TenantId, watch::Receiver<SyncHealth>>,
        outbox: Arc<Notify>,
        began: DateTime<Utc>,
    ) -> Self {
        Self { config, store, health, outbox, began, told: BTreeMap::new() }
    }

    /// Looks at each tenant.
    pub async fn turn(&mut self, now: DateTime<Utc>) -> Result<(), StoreError> {
        let config = self.config.clone();
        for tenant in config.tenants.values() {
            self.look_at(tenant, now).await?;
        }
        Ok(())
    }

    async fn look_at(&mut self, tenant: &Tenant, now: DateTime<Utc>) -> Result<(), StoreError> {
        let health = self.health.get(&tenant.id).map(|health| health.borrow().clone()).unwrap_or_default();
        let known = match self.told.get(&tenant.id) {
            Some(known) => *known,
            None => self.store.stale_since(&tenant.id).await?,
        };
        let limit = self.config.stale_after(tenant);
        let is_fresh = health.doubt.is_none() && health.last_good.is_some_and(|at| now - at <= limit);
        let since = health.last_good.unwrap_or(self.began);
        // A first reading may take longer than that: it is stale only if it fails.
        let is_old = now - since > limit && (health.last_good.is_some() || health.problem.is_some());
        let is_stale = is_old || health.doubt.is_some();
        let told = match known {
            None if is_stale => {
                self.tell_stale(tenant, &health, since, now).await?;
                Some(since)
            }
            Some(since) if is_fresh => {
                self.tell_fresh(tenant, since, now).await?;
                None
            }
            known => known,
        };
        self.told.insert(tenant.id.clone(), told);
        Ok(())
    }

    async fn tell_stale(
        &self,
        tenant: &Tenant,
        health: &SyncHealth,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let facts = facts(tenant, health, since);
        let whom = self.whom(tenant).await?;
        error!(tenant = %tenant.id, recipients = whom.len(), "the data of `{}` is stale since {since}: {}", tenant.id, facts.reason);
        let rows: Vec<_> = whom.into_iter().map(|watcher| notification(tenant, watcher, &facts, now)).collect();
        if !rows.is_empty() {
            self.store.say_stale(rows).await?;
            self.outbox.notify_one();
        }
        Ok(())
    }

    /// As configured; where nothing is, the people who answer for the desk. There is no ticket to say whom to ask.
    async fn whom(&self, tenant: &Tenant) -> Result<Vec<Watcher>, StoreError> {
        let Some(channel) = self.config.tells_people_of_stale_data() else {
            return Ok(self.config.watchers().iter().filter_map(Watcher::of).collect());
        };
        let people = self.store.directory(&tenant.id).await?;
        Ok(chiefs(&people).into_iter().filter_map(|person| Watcher::by(person, channel)).collect())
    }

    async fn tell_fresh(&self, tenant: &Tenant, since: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), StoreError> {
        info!(tenant = %tenant.id, stale_seconds = (now - since).num_seconds(), "the data of `{}` is fresh again", tenant.id);
        if self.store.say_fresh(&tenant.id, now).await? > 0 {
            self.outbox.notify_one();
        }
        Ok(())
    }
}

fn facts(tenant: &Tenant, health: &SyncHealth, since: DateTime<Utc>) -> StaleFacts {
    let (reason, advice) = match (&health.problem, &health.doubt) {
        (Some(problem), _) => {
            (format!("SuperOps could not be read: {}", problem.what), Some(problem.advice.to_owned()))
        }
        (None, Some(doubt)) => (doubt.what.clone(), Some(doubt.advice.to_owned())),
        (None, None) => ("SuperOps was not read, and no error says why".to_owned(), None),
    };
    StaleFacts { tenant: tenant.id.to_string(), since, reason, advice, fresh_at: None }
}

/// Who is told, and where.
struct Watcher {
    id: String,
    name: Option<String>,
    channel: ChannelKind,
    to: String,
}

impl Watcher {
    /// None of a target that stands for people round a ticket.
    fn of(target: &Target) -> Option<Self> {
        let recipient = target.by_itself()?;
        let channel = ChannelKind::ALL.into_iter().find(|channel| recipient.address(*channel).is_some())?;
        Self::by(recipient, channel)
    }

    /// None of somebody whom `channel` does not reach.
    fn by(recipient: Recipient, channel: ChannelKind) -> Option<Self> {
        let to = recipient.address(channel)?.to_owned();
        Some(Self { id: recipient.id, name: recipient.name, channel, to })
    }
}

fn notification(tenant: &Tenant, watcher: Watcher, facts: &StaleFacts, now: DateTime<Utc>) -> NewNotification {
    let Watcher { id, name, channel, to } = watcher;
    let alert_key = format!("{}:stale:{}", tenant.id, facts.since.timestamp_millis());
    let message = Message {
        key: notification_key(&[&alert_key, "stale", &to, channel.as_str()]),
        thread: format!("{alert_key}:{to}"),
        continues_thread: false,
        to,
        to_name: name,
        timezone: Tz::UTC,
        body: Body::Stale(facts.clone()),
    };
    NewNotification {
        tenant: tenant.id.clone(),
        alert_key,
        ticket_id: None,
        kind: "stale",
        stage: "stale".to_owned(),
        step: 0,
        channel,
        recipient: id,
        fallback: Vec::new(),
        message,
        due_at: now,
        created_at: now,
        reader: Reader::default(),
    }
}
