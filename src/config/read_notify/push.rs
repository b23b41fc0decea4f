//! `[notify.ntfy]`: pushes to people's phones, and whose phone listens to which topic.

use std::collections::BTreeMap;

use crate::config::reader::{Found, Section};
use crate::config::secret::SecretKeys;
use crate::config::{Ntfy, checks};

pub(in crate::config) const DEFAULT_NTFY: &str = "https://ntfy.sh";

const TOKEN: SecretKeys = SecretKeys { plain: "token", env: "token_env", file: "token_file" };

pub(super) fn ntfy(section: Section<'_>) -> Option<Ntfy> {
    let is_there = section.is_there();
    let base_url = section.text("base_url").and_then(|t| t.read(|text| checks::base_url(text)));
    let token = TOKEN.read(&section).and_then(|secret| secret.value);
    let mut topics = BTreeMap::new();
    for (person, topic) in section.entries("topics") {
        let email = email(&person);
        let topic = topic.read(|text| checks::ntfy_topic(text.trim()));
        if let Some((email, topic)) = email.zip(topic)
            && topics.insert(email, topic).is_some()
        {
            person.wrong("appears twice: a person has one topic");
        }
    }
    section.finish();
    let base_url = base_url.unwrap_or_else(|| DEFAULT_NTFY.to_owned());
    is_there.then_some(Ntfy { base_url, token, topics })
}

/// Reads the address by which SuperOps knows the person, in lower case.
fn email(person: &Found<'_, &str>) -> Option<String> {
    let rule = |_| "must be the email address of a technician at SuperOps, in quotes".to_owned();
    person.clone().read(|text| checks::email_address(text).map(|email| email.to_lowercase()).map_err(rule))
}
