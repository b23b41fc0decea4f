//! A notification as it is stored, and as it is read back.

use chrono::{DateTime, Utc};

use super::{instant, notification_key};
use crate::alert::escalation::ChannelKind;
use crate::alert::{AlertKey, Closing};
use crate::notify::{Body, Message};
use crate::sla::zone::Tz;
use crate::store::StoreError;
use crate::store::sql::{self, Row};
use crate::ticket::TenantId;

/// A notification to be stored.
#[derive(Clone, Debug)]
pub struct NewNotification {
    pub tenant: TenantId,
    pub alert_key: String,
    pub ticket_id: Option<String>,
    /// alert | recovery | acknowledged | digest | bundle | stale | fresh | report | update
    pub kind: &'static str,
    pub stage: String,
    pub step: u32,
    pub channel: ChannelKind,
    /// Who it is for, on whatever channel.
    pub recipient: String,
    /// The channels to try if this one refuses, each with its address.
    pub fallback: Vec<(ChannelKind, String)>,
    pub message: Message,
    pub due_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub reader: Reader,
}

/// Who reads a notification, and what it means to that person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reader {
    /// The email address or else the number, regardless of tenant and channel. None if it is not for a single person.
    pub person: Option<String>,
    /// The person's time zone, if it is known.
    pub zone: Option<Tz>,
    /// Whether the ticket has one of the most urgent priorities.
    pub urgent: bool,
    /// Whether it changes what the person is doing, or somebody asked for it to be sent now.
    pub timely: bool,
}

/// A notification leased for one attempt.
#[derive(Clone, Debug)]
pub struct Leased {
    pub notification: NewNotification,
    /// This attempt's number, from 1.
    pub attempt: u32,
    /// 0, unless an earlier attempt may have been accepted without our hearing of it: then 1, plus one for each time it
    /// was looked up in vain.
    pub unreported: u32,
    /// When this process first tried to send it since it was free to go.
    pub tried_since: DateTime<Utc>,
}

/// An alert that is over. Those who were told of it are told so; people only if it ended well.
#[derive(Debug)]
pub struct Recovered {
    pub key: AlertKey,
    pub episode: u32,
    /// The generation of the alert when it was over: systems are told of each end, people once.
    pub generation: u32,
    pub closing: Closing,
    /// `notify::Body::Recovery` as JSON.
    pub body: serde_json::Value,
    /// The name of the person who had taken it on without owning the ticket, and is to hear at once.
    pub taker: Option<String>,
    pub at: DateTime<Utc>,
}

impl NewNotification {
    /// Makes the notice that an alert ended well, for somebody who got `message` about it. None if the stored message
    /// can no longer be read.
    pub fn recovery(
        recovered: &Recovered,
        recipient: String,
        channel: String,
        message: &str,
        reader: Reader,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        let message: Message = serde_json::from_str(message).ok()?;
        let body: Body = serde_json::from_value(recovered.body.clone()).ok()?;
        let timely = recovered.taker.is_some() && recovered.taker == message.to_name;
        let alert_key = recovered.key.to_string();
        let episode = recovered.episode.to_string();
        let (kind, generation) = (ChannelKind::parse(&channel)?, recovered.generation.to_string());
        let mut parts = vec![alert_key.as_str(), &episode, "recovery", &recipient, &channel];
        parts.extend(kind.is_system().then_some(generation.as_str()));
        let key = notification_key(&parts);
        Some(Self {
            tenant: recovered.key.tenant.clone(),
            ticket_id: Some(recovered.key.subject.to_string()),
            kind: "recovery",
            stage: "resolved".to_owned(),
            step: 0,
            channel: kind,
            recipient,
            fallback: Vec::new(),
            message: Message { key, continues_thread: true, body, ..message },
            due_at: recovered.at,
            created_at: now,
            reader: Reader { timely, ..reader },
            alert_key,
        })
    }

    /// Moves the notification to `thread`, if there is one to join.
    pub fn in_thread(mut self, thread: Option<String>) -> Self {
        if let Some(thread) = thread {
            self.message.thread = thread;
        }
        self
    }

    /// Makes the same notification for the next channel that reaches this person, if there is one.
    ///
    /// It never claims to be the first of its thread: if another mail was, this one would be dropped as a duplicate.
    /// The one it replaces was free to go, so it does not wait to be bundled.
    pub fn on_next_channel(&self, now: DateTime<Utc>) -> Option<Self> {
        let ((channel, address), rest) = self.fallback.split_first()?;
        let key = notification_key(&[&self.message.key, "instead by", channel.as_str()]);
        let message = Message { key, to: address.clone(), continues_thread: true, ..self.message.clone() };
        let reader = Reader { timely: true, ..self.reader.clone() };
        let (fallback, due_at) = (rest.to_vec(), now);
        Some(Self { channel: *channel, fallback, message, due_at, created_at: now, reader, ..self.clone() })
    }
}

pub(in crate::store) fn leased(row: &Row) -> Result<Leased, StoreError> {
    let unreadable = |what: &str| StoreError::Unreadable(format!("a notification's {what}"));
    let text = |name: &str| row.try_get::<String, _>(name);
    let number = |name: &str| row.try_get::<i64, _>(name);
    let notification = NewNotification {
        tenant: TenantId::parse(&text("tenant")?).map_err(|_| unreadable("tenant"))?,
        alert_key: text("alert_key")?,
        ticket_id: row.try_get("ticket_id")?,
        kind: match text("kind")?.as_str() {
            "recovery" => "recovery",
            "acknowledged" => "acknowledged",
            "digest" => "digest",
            "bundle" => "bundle",
            "stale" => "stale",
            "fresh" => "fresh",
            "report" => "report",
            "update" => "update",
            _ => "alert",
        },
        stage: text("stage")?,
        step: u32::try_from(number("step")?).map_err(|_| unreadable("step"))?,
        channel: ChannelKind::parse(&text("channel")?).ok_or_else(|| unreadable("channel"))?,
        recipient: text("recipient")?,
        fallback: serde_json::from_str(&text("fallback")?).map_err(|_| unreadable("fallback"))?,
        message: serde_json::from_str(&text("message")?).map_err(|_| unreadable("message"))?,
        due_at: instant(number("first_due_at")?)?,
        created_at: instant(number("created_at")?)?,
        reader: reader(row)?,
    };
    let attempt = u32::try_from(number("attempts")?).map_err(|_| unreadable("attempts"))?;
    let unreported = u32::try_from(number("unreported")?).map_err(|_| unreadable("look-ups"))?;
    let tried_since: Option<i64> = row.try_get("tried_since")?;
    let tried_since = tried_since.map_or(Ok(notification.due_at), instant)?;
    Ok(Leased { notification, attempt, unreported, tried_since })
}

/// Reads who the notification of `row` is for.
pub(in crate::store) fn reader(row: &Row) -> Result<Reader, sql::Error> {
    let zone: Option<String> = row.try_get("zone")?;
    Ok(Reader {
        person: row.try_get("person")?,
        zone: zone.and_then(|name| name.parse().ok()),
        urgent: row.try_get("urgent")?,
        timely: row.try_get("timely")?,
    })
}
