//! What happens after the SMS gateway took a message: the carrier delivers it or not, the gateway sends a signed
//! report, and people reply.
//!
//! Nothing happens by itself: a test says when the carrier works, and a demo makes it work now and then.

use reqwest::Client;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::sms::{Kept, SmsCatcher};
use super::twilio::Fields;
use crate::notify::sms::signature;

/// What the carrier does with messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeliveryOutcome {
    #[default]
    Delivered,
    /// With one of Twilio's codes, such as 30003 for a phone that is switched off.
    Undelivered(u32),
}

/// How the gateway reports it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reports {
    /// Each step once, in order.
    #[default]
    InOrder,
    /// Each step five times.
    FiveFold,
    /// The last step first.
    Reversed,
    /// Not at all, but it answers when asked.
    Never,
}

/// How the gateway reaches the product and authenticates itself.
#[derive(Clone)]
pub struct Caller {
    /// The account's auth token.
    pub auth_token: SecretString,
    /// The product's public address, which is signed.
    pub public_url: String,
    /// Where the product can actually be reached.
    pub reach: String,
}

impl Caller {
    /// Calls `url`, an address below the public one, as Twilio does. Returns the status and text of the answer.
    pub(super) async fn call(&self, url: &str, form: &Fields) -> Option<(u16, String)> {
        let path = url.strip_prefix(&self.public_url)?;
        let request = Client::new()
            .post(format!("{}{path}", self.reach))
            .header(signature::HEADER, signature::sign(&self.auth_token, url, form))
            .form(form);
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        Some((status, response.text().await.unwrap_or_default()))
    }
}

impl DeliveryOutcome {
    fn steps(self) -> [&'static str; 3] {
        match self {
            Self::Delivered => ["sending", "sent", "delivered"],
            Self::Undelivered(_) => ["sending", "sent", "undelivered"],
        }
    }

    fn code(self) -> Option<u32> {
        match self {
            Self::Delivered => None,
            Self::Undelivered(code) => Some(code),
        }
    }
}

impl Reports {
    fn of(self, steps: [&'static str; 3]) -> Vec<&'static str> {
        match self {
            Self::InOrder => steps.to_vec(),
            Self::FiveFold => steps.into_iter().flat_map(|step| [step; 5]).collect(),
            Self::Reversed => steps.into_iter().rev().collect(),
            Self::Never => Vec::new(),
        }
    }
}

impl SmsCatcher {
    /// Makes the carrier do this with messages from now on, and the gateway report it like that.
    pub fn carrier(&self, outcome: DeliveryOutcome, reports: Reports) {
        let mut sent = self.shared.sent();
        (sent.outcome, sent.reports) = (outcome, reports);
    }

    /// Calls the product by way of `caller` from now on.
    pub fn calls(&self, caller: Caller) {
        self.shared.sent().caller = Some(caller);
    }

    /// Lets the carrier deal with all waiting messages. Returns the statuses with which its reports were answered.
    pub async fn deliver(&self) -> Vec<u16> {
        let (caller, calls) = self.settle_all();
        let mut answers = Vec::with_capacity(calls.len());
        for (url, form) in &calls {
            if let Some(caller) = &caller
                && let Some((status, _)) = caller.call(url, form).await
            {
                answers.push(status);
            }
        }
        answers
    }

    /// Lets the owner of the phone `from` reply `text`, in a message that the gateway calls `sid`. Returns the status
    /// and text of the product's answer; none if it cannot be reached.
    pub async fn text_in(&self, sid: &str, from: &str, text: &str) -> Option<(u16, String)> {
        let caller = self.shared.sent().caller.clone()?;
        let fields = [("MessageSid", sid), ("SmsSid", sid), ("From", from), ("To", "+15005550006"), ("Body", text)];
        let form: Fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        caller.call(&format!("{}/hooks/twilio/sms", caller.public_url), &form).await
    }

    /// Decides the fate of each waiting message; returns what there is to report.
    fn settle_all(&self) -> (Option<Caller>, Vec<(String, Fields)>) {
        let mut sent = self.shared.sent();
        let (outcome, reports) = (sent.outcome, sent.reports);
        let waiting = sent.messages.iter_mut().filter(|kept| kept.waits());
        let calls = waiting.flat_map(|kept| settle(kept, outcome, reports)).collect();
        (sent.caller.clone(), calls)
    }
}

fn settle(kept: &mut Kept, outcome: DeliveryOutcome, reports: Reports) -> Vec<(String, Fields)> {
    kept.message["status"] = json!(outcome.steps()[2]);
    kept.message["date_sent"] = kept.message["date_created"].clone();
    kept.message["error_code"] = outcome.code().map_or(Value::Null, |code| json!(code));
    let Some(url) = kept.callback.clone() else { return Vec::new() };
    reports.of(outcome.steps()).into_iter().map(|step| (url.clone(), form(&kept.message, step, outcome))).collect()
}

fn form(message: &Value, status: &str, outcome: DeliveryOutcome) -> Fields {
    let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
    let mut form = vec![
        ("MessageSid".to_owned(), text("sid")),
        ("SmsSid".to_owned(), text("sid")),
        ("AccountSid".to_owned(), text("account_sid")),
        ("To".to_owned(), text("to")),
        ("From".to_owned(), text("from")),
        ("MessageStatus".to_owned(), status.to_owned()),
        ("SmsStatus".to_owned(), status.to_owned()),
    ];
    if let (Some(code), "undelivered") = (outcome.code(), status) {
        form.push(("ErrorCode".to_owned(), code.to_string()));
    }
    form
}
