//! Handles keys pressed during a call: 1 acknowledges, 2 escalates.
//!
//! Twilio passes a key on again if the first answer was lost. Each key press is handled once, and its repeats get the
//! same answer; one that comes while the first is still at work hears just that.

use super::systems::REPEATED;
use super::{Answers, Hook};
use crate::alert::life::{Act, Actor, How};
use crate::notify::Delivery;
use crate::notify::voice::{ANSWERED, twiml};
use crate::store::StoreError;

/// The origin of these acts in the audit log.
const ORIGIN: &str = "phone call";

impl Answers {
    /// Handles the key that Twilio passes on as `form`, pressed during the call of `notification`. Returns what the
    /// call says next, in Twilio's markup.
    pub async fn key(&self, notification: &str, form: &[(String, String)]) -> Result<String, StoreError> {
        let language = self.config.notify.voice.as_ref().map_or("en-US", |voice| voice.language.as_str());
        let field = |name: &str| form.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let (call, key) = (field("CallSid").unwrap_or_default(), field("Digits").unwrap_or_default());
        let act = match key {
            "1" => Act::Acknowledge,
            "2" => Act::Escalate,
            _ => {
                self.count(Hook::Voice, "unknown_key");
                let keys = self.keys_url().map(|url| format!("{url}?n={notification}"));
                return Ok(
                    keys.map_or_else(|| twiml::answer("Goodbye.", language), |keys| twiml::again(&keys, language))
                );
            }
        };
        let id = format!("call {call} {key}");
        let outcome = self.press(call, &id, notification, act).await?;
        self.count(Hook::Voice, outcome);
        let before = if outcome == REPEATED { self.outcome_before(&id).await? } else { None };
        Ok(twiml::answer(words(act, before.as_deref().unwrap_or(outcome)), language))
    }

    /// Acts on the key press `id` during `call`, once. Returns the outcome as one word.
    async fn press(&self, call: &str, id: &str, notification: &str, act: Act) -> Result<&'static str, StoreError> {
        let now = self.leaders_now();
        let Some(row) = self.store.notification(notification).await? else { return Ok("unknown_alert") };
        if !call.is_empty() {
            // Only a person presses keys, whatever is heard later of a machine.
            let answered = Delivery { status: ANSWERED.to_owned(), code: None };
            self.store.report(call, notification, &answered, now).await?;
        }
        let told = row.leased.notification;
        let alerts = match told.kind {
            "bundle" => self.store.alerts_of_bundle(notification).await?,
            _ => vec![told.alert_key],
        };
        let name = told.message.to_name.unwrap_or_else(|| told.channel.unnamed().to_owned());
        let actor = Actor { name, how: How::Voice, origin: ORIGIN.to_owned(), note: None };
        self.once(id, notification, &alerts, act, &actor, now).await
    }
}

fn words(act: Act, outcome: &str) -> &'static str {
    match (act, outcome) {
        (_, "unknown_alert") => "That alert is not known any more. Goodbye.",
        (_, "as_before") => "Nothing was changed: it was acknowledged before, or has ended. Goodbye.",
        (_, REPEATED) => "That key is being dealt with. Goodbye.",
        (Act::Escalate, _) => {
            "Escalated: the next people are told now. If nobody is left to tell, those told last are told again. Goodbye."
        }
        _ => "Acknowledged. Escalation paused. Goodbye.",
    }
}
