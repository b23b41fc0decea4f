//! Learns what became of a text message or a call after the provider accepted it.
//!
//! The provider reports by itself if it can reach us. About a message that stays silent we ask it, some minutes later
//! and only a few times: a report can get lost, and then nobody would learn that a text never arrived.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use super::{Answers, Hook, Wakers};
use crate::clock::SharedClock;
use crate::config::ChannelKind;
use crate::notify::{Delivery, Notifier, voice};
use crate::store::receipts::{Reported, Silent};
use crate::store::{Store, StoreError};

/// The most messages to ask about at the same time.
const AT_ONCE: i64 = 8;
/// The longest time between two looks. A message must stay silent for longer before we ask about it.
const LONGEST_SLEEP: TimeDelta = TimeDelta::minutes(1);

impl Answers {
    /// Takes the provider's report `form` about the message that carried `notification`.
    pub async fn report(&self, notification: &str, form: &[(String, String)]) -> Result<(), StoreError> {
        let field = |names: [&str; 2]| {
            let found = form.iter().find(|(name, _)| names.contains(&name.as_str()));
            found.map(|(_, value)| value.as_str())
        };
        let call = field(["CallSid", "CallSid"]);
        let (sid, status) = match call {
            Some(_) => (call, voice::word(field(["CallStatus", "CallStatus"]), field(["AnsweredBy", "AnsweredBy"]))),
            None => (field(["MessageSid", "SmsSid"]), field(["MessageStatus", "SmsStatus"]).map(str::to_owned)),
        };
        let (Some(sid), Some(status)) = (sid, status) else { return Ok(()) };
        let code = field(["ErrorCode", "ErrorCode"]).and_then(|code| code.trim().parse().ok());
        let delivery = Delivery { status, code };
        let reported = self.store.report(sid, notification, &delivery, self.leaders_now()).await?;
        self.count(Hook::Status, if reported.news { "news" } else { "repeated" });
        announce(&self.wakers, notification, &delivery, reported);
        Ok(())
    }
}

/// Wakes the loops that a report concerns, and logs a message that was lost.
fn announce(wakers: &Wakers, notification: &str, delivery: &Delivery, reported: Reported) {
    if reported.failed {
        let (status, code) = (&delivery.status, delivery.code.unwrap_or_default());
        warn!(
            notification.id = notification,
            status, code, "`{notification}` was not delivered; the person is told another way"
        );
        wakers.dispatch.notify_one();
    }
    if reported.hurried {
        wakers.evaluate.notify_one();
    }
}

/// Asks the provider about messages that stay silent.
pub struct ReceiptWatch {
    store: Store,
    /// The channels whose provider can be asked.
    channels: Vec<Arc<dyn Notifier>>,
    clock: SharedClock,
    wakers: Wakers,
}

impl ReceiptWatch {
    /// Creates a watch over those of `channels` whose provider can be asked.
    pub fn new(store: Store, channels: &[Arc<dyn Notifier>], clock: SharedClock, wakers: Wakers) -> Self {
        let can_say = |channel: &&Arc<dyn Notifier>| matches!(channel.channel(), ChannelKind::Sms | ChannelKind::Voice);
        Self { store, channels: channels.iter().filter(can_say).cloned().collect(), clock, wakers }
    }

    /// Runs until told to `stop`.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let now = self.clock.now();
            let wake = self.turn(now).await.unwrap_or_else(|error| {
                warn!(error = %error, "receipts cannot be read; trying again");
                now + LONGEST_SLEEP
            });
            tokio::select! {
                () = self.clock.sleep_until(wake) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Asks about each message that has been silent for too long at `now`. Returns when to look again.
    pub async fn turn(&self, now: DateTime<Utc>) -> Result<DateTime<Utc>, StoreError> {
        if self.channels.is_empty() {
            return Ok(now + LONGEST_SLEEP);
        }
        loop {
            let silent = self.store.silent(AT_ONCE, now).await?;
            if silent.is_empty() {
                break;
            }
            let mut asked = JoinSet::new();
            for silent in silent {
                let channel = self.channels.iter().find(|channel| channel.channel() == silent.channel).cloned();
                asked.spawn(ask(channel, self.store.clone(), self.wakers.clone(), silent, now));
            }
            for outcome in asked.join_all().await {
                outcome?;
            }
        }
        let latest = now + LONGEST_SLEEP;
        Ok(self.store.next_silent().await?.map_or(latest, |next| next.min(latest)))
    }
}

async fn ask(
    channel: Option<Arc<dyn Notifier>>,
    store: Store,
    wakers: Wakers,
    silent: Silent,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let Silent { provider_id, notification, .. } = silent;
    let delivery = match channel {
        Some(channel) => channel.delivery(&provider_id).await,
        None => Ok(None),
    };
    match delivery {
        Ok(Some(delivery)) => {
            let reported = store.report(&provider_id, &notification, &delivery, now).await?;
            info!(notification.id = %notification, status = %delivery.status, "`{notification}` is {}", delivery.status);
            announce(&wakers, &notification, &delivery, reported);
        }
        Ok(None) => {}
        Err(error) => debug!(notification.id = %notification, "`{notification}` could not be asked about: {error}"),
    }
    store.polled(&provider_id, now).await
}
