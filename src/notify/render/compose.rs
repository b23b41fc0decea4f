//! Which letter a message becomes.

use chrono::{DateTime, Utc};

use super::letter::{self, Letter};
use super::{bundle, update};
use crate::notify::{Body, Message};

impl Letter {
    /// Composes what `message` says at `now`.
    pub fn of(message: &Message, now: DateTime<Utc>) -> Self {
        match &message.body {
            Body::Alert(facts) => letter::alert(facts, message, now),
            Body::Recovery(facts) => letter::recovery(facts, message, now),
            Body::Acknowledged(facts) => letter::acknowledged(facts, message, now),
            Body::Digest(facts) => letter::digest(facts, message, now),
            Body::Bundle(facts) => bundle::letter(facts, message, now),
            Body::Stale(facts) => letter::stale(facts, message, now),
            Body::Report(facts) => letter::report(facts, message),
            Body::Update(facts) => update::letter(facts, message),
            Body::Test => letter::test(),
        }
    }
}
