//! Handles links: what they show, and what a click on their button does.
//!
//! Opening a link only shows how its alerts stand, because mail scanners open every link. Acting takes a press of the
//! button, and a link acts once. The link of a message that bundles several alerts acts on all of them.

use chrono::{DateTime, Utc};

use super::Answers;
use crate::alert::life::{Act, Actor, How};
use crate::notify::link::{Claim, LinkError};
use crate::notify::{Body, Message};
use crate::store::StoreError;
use crate::store::acts::Acted;
use crate::store::alerts::AlertRow;

/// What a link leads to.
#[derive(Clone, Debug)]
pub struct Linked {
    /// The alerts that the message told of: at least one.
    pub alerts: Vec<AlertRow>,
    /// The message that carried the link.
    pub message: Message,
    /// Who got it.
    pub who: String,
    pub now: DateTime<Utc>,
}

/// The result of a click on the button.
#[derive(Clone, Debug)]
pub enum Followed {
    Acknowledged(Linked),
    /// The link was used before, or there was nothing left to acknowledge.
    AsBefore(Linked),
}

/// Why a link leads nowhere, split by what its holder can do.
#[derive(Debug, thiserror::Error)]
pub enum LinkRefusal {
    #[error(transparent)]
    Bad(#[from] LinkError),
    /// The link is genuine, but its alert is no longer kept.
    #[error("the alert is not known any more")]
    Gone,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Answers {
    /// Returns what the link with `token` leads to. Changes nothing.
    pub async fn look(&self, token: &str) -> Result<Linked, LinkRefusal> {
        let now = self.leaders_now();
        let claim = self.links.verify(token, self.clock.now())?;
        self.linked(&claim, now).await
    }

    /// Acknowledges the alerts of the link with `token`, in the name of its recipient. A link does that once.
    pub async fn follow(&self, token: &str) -> Result<Followed, LinkRefusal> {
        let now = self.leaders_now();
        let claim = self.links.verify(token, self.clock.now())?;
        let linked = self.linked(&claim, now).await?;
        if !self.store.use_link(&claim.fingerprint, &claim.notification, now).await? {
            return Ok(Followed::AsBefore(linked));
        }
        match self.acknowledge_all(&linked, now).await {
            Ok((alerts, true)) => Ok(Followed::Acknowledged(Linked { alerts, ..linked })),
            Ok((alerts, false)) => Ok(Followed::AsBefore(Linked { alerts, ..linked })),
            Err(error) => {
                self.store.give_back_link(&claim.fingerprint).await?;
                Err(error.into())
            }
        }
    }

    /// Returns the alerts as they stand afterwards, and whether any of them changed.
    async fn acknowledge_all(&self, linked: &Linked, now: DateTime<Utc>) -> Result<(Vec<AlertRow>, bool), StoreError> {
        let actor =
            Actor { name: linked.who.clone(), how: How::Link, origin: "link in a message".to_owned(), note: None };
        let (mut alerts, mut any) = (Vec::new(), false);
        for before in &linked.alerts {
            let acted = self.carry_out(&before.key.to_string(), Act::Acknowledge, &actor, now).await?;
            any |= acted.as_ref().is_some_and(|acted| acted.changed);
            alerts.push(acted.map_or_else(|| before.clone(), |acted| acted.alert));
        }
        Ok((alerts, any))
    }

    async fn linked(&self, claim: &Claim, now: DateTime<Utc>) -> Result<Linked, LinkRefusal> {
        let row = self.store.notification(&claim.notification).await?.ok_or(LinkRefusal::Gone)?;
        let notification = row.leased.notification;
        let keys = match notification.message.body {
            Body::Alert(_) => vec![notification.alert_key],
            Body::Bundle(_) => self.store.alerts_of_bundle(&claim.notification).await?,
            _ => Vec::new(),
        };
        let mut alerts = Vec::new();
        for key in keys {
            alerts.extend(self.alert(&key).await?);
        }
        let message = notification.message;
        let who = message.to_name.clone().unwrap_or_else(|| match notification.channel {
            system if system.is_system() => format!("somebody in {}", system.words()),
            channel => channel.unnamed().to_owned(),
        });
        if alerts.is_empty() { Err(LinkRefusal::Gone) } else { Ok(Linked { alerts, message, who, now }) }
    }

    pub(super) async fn alert(&self, key: &str) -> Result<Option<AlertRow>, StoreError> {
        match self.store.alert_id(key).await? {
            Some(id) => self.store.alert(&id).await,
            None => Ok(None),
        }
    }

    /// Performs `act` on the alert with that key and wakes the loops concerned. `None` if there is no such alert.
    pub(super) async fn carry_out(
        &self,
        key: &str,
        act: Act,
        actor: &Actor,
        now: DateTime<Utc>,
    ) -> Result<Option<Acted>, StoreError> {
        let Some(id) = self.store.alert_id(key).await? else { return Ok(None) };
        let acted = self.store.act(&id, act, actor, now).await?;
        self.wakers.evaluate.notify_one();
        self.wakers.dispatch.notify_one();
        Ok(acted)
    }
}
