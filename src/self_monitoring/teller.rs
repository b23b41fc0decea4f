//! Tells people of trouble with the watch itself: of each episode once, and of its end if they were told of it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::Notify;

use crate::alert::escalation::{Recipient, chiefs};
use crate::config::{ChannelKind, Config, Target, Tenant};
use crate::notify::{Body, Message, StaleFacts};
use crate::sla::zone::Tz;
use crate::store::outbox::{NewNotification, Reader, notification_key};
use crate::store::{Store, StoreError};

/// What is needed to tell people.
#[derive(Clone)]
pub(super) struct Teller {
    pub config: Arc<Config>,
    pub store: Store,
    /// Wakes dispatch.
    pub outbox: Arc<Notify>,
}

impl Teller {
    /// Tells of an episode of `subject`, which is named after its beginning. Returns how many people are told.
    pub async fn tell(
        &self,
        tenant: &Tenant,
        subject: &str,
        facts: &StaleFacts,
        now: DateTime<Utc>,
    ) -> Result<usize, StoreError> {
        let whom = self.whom(tenant).await?;
        let rows: Vec<_> = whom.into_iter().map(|watcher| notification(tenant, subject, watcher, facts, now)).collect();
        let told = rows.len();
        if told > 0 {
            self.store.say_stale(rows).await?;
            self.outbox.notify_one();
        }
        Ok(told)
    }

    /// Tells those who were told of `subject` that it is over.
    pub async fn tell_over(&self, subject: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        if self.store.say_fresh(subject, now).await? > 0 {
            self.outbox.notify_one();
        }
        Ok(())
    }

    /// Returns whom to tell: as configured, or else the people in charge of the desk, because there is no ticket to go
    /// by.
    async fn whom(&self, tenant: &Tenant) -> Result<Vec<Watcher>, StoreError> {
        let Some(channel) = self.config.tells_people_of_stale_data() else {
            return Ok(self.config.watchers().iter().filter_map(Watcher::of).collect());
        };
        let people = self.store.directory(&tenant.id).await?;
        let chief = |person: Recipient| {
            let because = Some(person.because.clone());
            Some(Watcher { because, ..Watcher::by(person, channel)? })
        };
        Ok(chiefs(&people).into_iter().filter_map(chief).collect())
    }
}

/// Who is told, and where.
struct Watcher {
    id: String,
    name: Option<String>,
    channel: ChannelKind,
    to: String,
    /// Why it is them, if the configuration does not name them.
    because: Option<String>,
}

impl Watcher {
    /// `None` for a target that stands for people around a ticket.
    fn of(target: &Target) -> Option<Self> {
        let recipient = target.by_itself()?;
        let channel = ChannelKind::ALL.into_iter().find(|channel| recipient.address(*channel).is_some())?;
        Self::by(recipient, channel)
    }

    /// `None` for somebody whom `channel` does not reach.
    fn by(recipient: Recipient, channel: ChannelKind) -> Option<Self> {
        let to = recipient.address(channel)?.to_owned();
        Some(Self { id: recipient.id, name: recipient.name, channel, to, because: None })
    }
}

fn notification(
    tenant: &Tenant,
    subject: &str,
    watcher: Watcher,
    facts: &StaleFacts,
    now: DateTime<Utc>,
) -> NewNotification {
    let Watcher { id, name, channel, to, because } = watcher;
    let alert_key = format!("{subject}:{}", facts.since.timestamp_millis());
    let message = Message {
        key: notification_key(&[&alert_key, "stale", &to, channel.as_str()]),
        thread: format!("{alert_key}:{to}"),
        continues_thread: false,
        to,
        to_name: name,
        timezone: Tz::UTC,
        body: Body::Stale(StaleFacts { because, ..facts.clone() }),
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
