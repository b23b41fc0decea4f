//! Handles replies to text messages.
//!
//! Only a phone that we know gets an answer, and it can act only on alerts that it was told of. A reply that the
//! provider passes on twice is acted on once and gets the same answer twice.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tracing::warn;

use super::reply::Reply;
use super::{Answers, Hook, texts};
use crate::alert::escalation::ChannelKind;
use crate::alert::life::{Act, Actor, How};
use crate::notify::sms::{OPTED_OUT, e164};
use crate::notify::ways::{Line, Offer, Phones, is_answerable};
use crate::notify::{Message, render};
use crate::store::phones::{Coded, Reply as Taken};
use crate::store::tokens::Author;
use crate::store::{Store, StoreError};
use crate::ticket::TenantId;

/// The origin of these acts in the audit log.
const ORIGIN: &str = "text message";

/// Answers the SMS channel's questions about phones from the store.
pub(super) struct StoredPhones {
    pub store: Store,
    /// Whether replies reach us, so that a code is useful.
    pub with_codes: bool,
}

impl StoredPhones {
    async fn look_up(&self, number: &str, message: &Message, now: DateTime<Utc>) -> Result<Line, StoreError> {
        if self.store.phone_stopped(number).await? {
            return Ok(Line::Stopped);
        }
        // An unreachable number is still tried if there is no other way to tell the person.
        if let Some(dead) = self.store.unreachable_number(number, now).await?
            && !self.store.is_only_way(&message.key).await?
        {
            return Ok(Line::Dead { code: dead.code });
        }
        let next_step_at = self.store.next_step_of(&message.key).await?;
        Ok(Line::Open(Offer { code: self.code(number, message, now).await?, next_step_at }))
    }

    async fn code(&self, number: &str, message: &Message, now: DateTime<Utc>) -> Result<Option<u8>, StoreError> {
        if !self.with_codes || !is_answerable(message) {
            return Ok(None);
        }
        let Some(row) = self.store.notification(&message.key).await? else { return Ok(None) };
        self.store.sms_code(number, &row.leased.notification.alert_key, &message.key, now).await
    }
}

#[async_trait]
impl Phones for StoredPhones {
    async fn line(&self, number: &str, message: &Message, now: DateTime<Utc>) -> Line {
        self.look_up(number, message, now).await.unwrap_or_else(|error| {
            // A message without a code is better than none. The provider honours a STOP as well.
            warn!(error = %error, "a text message is sent without its code");
            Line::Open(Offer::default())
        })
    }

    async fn reported(&self, message: &Message) -> Option<String> {
        // If the store cannot be read, the channel asks the provider.
        self.store.receipt_of(&message.key).await.ok().flatten()
    }

    async fn is_recorded(&self, id: &str) -> bool {
        // A second call is better than mistaking another message's call for this one.
        self.store.has_receipt(id).await.unwrap_or(true)
    }

    async fn is_only_doubt(&self, message: &Message) -> bool {
        self.store.is_only_doubt(&message.key).await.unwrap_or(false)
    }

    async fn refused(&self, number: &str, message: &Message, code: u32, now: DateTime<Utc>) {
        let who = message.to_name.as_deref().unwrap_or(ChannelKind::Sms.unnamed());
        let author = Author { who: who.to_owned(), origin: "the SMS provider".to_owned() };
        let stored = match code {
            OPTED_OUT => self.store.stop_phone(number, author, now).await.map(drop),
            code => self.store.mark_phone(number, code, who, now).await,
        };
        if let Err(error) = stored {
            warn!(error = %error, code, "could not store that a phone must not be texted");
        }
    }
}

impl Answers {
    /// Handles a reply that the provider passes on as `form`. `None` if it gets no answer.
    pub async fn reply(&self, form: &[(String, String)]) -> Result<Option<String>, StoreError> {
        let field = |name: &str| form.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let (sid, from) = (field("MessageSid").unwrap_or_default(), field("From").and_then(e164));
        let (Some(from), false) = (from, sid.is_empty()) else { return Ok(None) };
        let now = self.leaders_now();
        if let Taken::Seen { answer } = self.store.take_up_reply(sid, now).await? {
            self.count(Hook::Reply, "repeated");
            return Ok(Some(answer).filter(|answer| !answer.is_empty()));
        }
        // The provider has already answered these itself.
        let answered = field("OptOutType").is_some();
        let reply = Reply::read(field("OptOutType").or(field("Body")).unwrap_or_default());
        let answer = self.answer(&from, reply, now).await;
        let kept = answer.as_ref().ok().map(|answer| answer.as_deref().unwrap_or_default());
        self.store.end_reply(sid, kept).await?;
        Ok(answer?.filter(|_| !answered))
    }

    async fn answer(&self, from: &str, reply: Reply, now: DateTime<Utc>) -> Result<Option<String>, StoreError> {
        let Some(who) = self.owner(from).await? else {
            self.count(Hook::Reply, "unknown_sender");
            let author = Author { who: "an unknown number".to_owned(), origin: ORIGIN.to_owned() };
            self.store.note("sent a text message, which was ignored", author, now).await?;
            return Ok(None);
        };
        self.count(Hook::Reply, "known_sender");
        self.store.heard_from(from).await?;
        let author = Author { who: who.clone(), origin: ORIGIN.to_owned() };
        match reply {
            // The provider confirms both itself, and after a STOP we may send nothing more.
            Reply::Stop => self.store.stop_phone(from, author, now).await.map(|_| None),
            Reply::Start => self.store.start_phone(from, author, now).await.map(|_| None),
            Reply::Help => Ok(Some(texts::help())),
            Reply::Acknowledge(code) => self.act(from, who, code, Act::Acknowledge, now).await.map(Some),
            Reply::Close(code) => self.act(from, who, Some(code), Act::Resolve, now).await.map(Some),
        }
        .map(|answer| answer.map(|answer| render::plain(&answer)))
    }

    /// Acts on the alert that has `code` on the phone `from`, and returns the outcome in words.
    async fn act(
        &self,
        from: &str,
        who: String,
        code: Option<u8>,
        act: Act,
        now: DateTime<Utc>,
    ) -> Result<String, StoreError> {
        let Some(coded) = self.store.coded(from, code).await? else { return Ok(texts::no_such_code(code)) };
        let Some(row) = self.store.notification(&coded.notification).await? else { return Ok(texts::unknown_alert()) };
        // If two people share a phone, this is the one the message went to.
        let name = row.leased.notification.message.to_name.clone().unwrap_or(who);
        let actor = Actor { name, how: How::Sms, origin: ORIGIN.to_owned(), note: None };
        if row.leased.notification.kind == "bundle" {
            return self.act_on_all(&coded.notification, act, &actor, now).await;
        }
        let message = &row.leased.notification.message;
        Ok(match self.carry_out(&coded.alert_key, act, &actor, now).await? {
            None => texts::unknown_alert(),
            Some(acted) if acted.changed => texts::done(&acted.alert, message, now),
            Some(acted) => texts::was_so(&acted.alert, message, now),
        })
    }

    /// Acts on every alert in the bundle of `key`.
    async fn act_on_all(&self, key: &str, act: Act, actor: &Actor, now: DateTime<Utc>) -> Result<String, StoreError> {
        let mut changed = 0;
        for alert in self.store.alerts_of_bundle(key).await? {
            let acted = self.carry_out(&alert, act, actor, now).await?;
            changed += usize::from(acted.is_some_and(|acted| acted.changed));
        }
        Ok(texts::all_done(act, changed))
    }

    /// Returns whose phone `number` is: a technician's, a configured one, or one that we have told of an alert.
    pub(super) async fn owner(&self, number: &str) -> Result<Option<String>, StoreError> {
        for tenant in self.config.tenants.keys() {
            if let Some(name) = self.technician(tenant, number).await? {
                return Ok(Some(name));
            }
        }
        if self.config.names_phone(number) {
            return Ok(Some(ChannelKind::Sms.unnamed().to_owned()));
        }
        match self.store.coded(number, None).await? {
            Some(Coded { notification, .. }) => {
                let told = self.store.notification(&notification).await?;
                let name = told.and_then(|row| row.leased.notification.message.to_name);
                Ok(Some(name.unwrap_or_else(|| ChannelKind::Sms.unnamed().to_owned())))
            }
            None => Ok(None),
        }
    }

    pub(super) async fn technician(&self, tenant: &TenantId, number: &str) -> Result<Option<String>, StoreError> {
        let people = self.store.directory(tenant).await?;
        let owns = |phone: Option<&str>| phone.and_then(e164).as_deref() == Some(number);
        Ok(people.technicians.values().find(|person| owns(person.phone.as_deref())).map(|person| person.name.clone()))
    }
}
