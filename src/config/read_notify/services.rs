//! `[notify.slack]`, `[notify.teams]`, `[notify.pagerduty]` and `[notify.webhook]`: the channels that lead to a system.

use secrecy::{ExposeSecret, SecretString};

use crate::config::reader::{Purpose, Section};
use crate::config::secret::{Named, SecretKeys};
use crate::config::{PagerDuty, Slack, SlackWay, Teams, Webhook, checks};
use crate::notify::webhook::signing_key;

pub(in crate::config) const DEFAULT_SLACK: &str = "https://slack.com/api";
pub(in crate::config) const DEFAULT_PAGERDUTY: &str = "https://events.pagerduty.com";

const BOT_TOKEN: SecretKeys = SecretKeys { plain: "bot_token", env: "bot_token_env", file: "bot_token_file" };
const WEBHOOK_URL: SecretKeys = SecretKeys { plain: "webhook_url", env: "webhook_url_env", file: "webhook_url_file" };
const SIGNING_SECRET: SecretKeys =
    SecretKeys { plain: "signing_secret", env: "signing_secret_env", file: "signing_secret_file" };
const WEBHOOK_SECRET: SecretKeys =
    SecretKeys { plain: "webhook_secret", env: "webhook_secret_env", file: "webhook_secret_file" };
const ROUTING_KEY: SecretKeys = SecretKeys { plain: "routing_key", env: "routing_key_env", file: "routing_key_file" };
const SECRET: SecretKeys = SecretKeys { plain: "secret", env: "secret_env", file: "secret_file" };

pub(super) fn slack(section: Section<'_>) -> Option<Slack> {
    let (token, hook) = (BOT_TOKEN.read(&section), WEBHOOK_URL.read(&section));
    let channel = section.text("channel").and_then(|t| t.read(|text| checks::slack_channel(text)));
    let base_url = section.text("base_url").and_then(|t| t.read(|text| checks::base_url(text)));
    let (by_bot, by_hook) = (BOT_TOKEN.used(&section), WEBHOOK_URL.used(&section));
    match (by_bot, by_hook) {
        (true, true) => section.wrong("a bot token and an incoming webhook are both given for Slack: keep one"),
        (true, false) if !section.has("channel") => {
            section.wrong("`channel` is needed in [notify.slack]: where the bot writes, such as \"#sla\"");
        }
        (false, true) if section.has("channel") => {
            section.clash("channel", "goes with a bot token only: an incoming webhook writes to a channel of its own");
        }
        (false, false) if needs_secret(&section) => {
            section.wrong(
                "`bot_token_env` with `channel`, or `webhook_url_env`, is needed: Slack accepts no message otherwise",
            );
        }
        _ => {}
    }
    let url = hook.and_then(|hook| incoming_webhook(&section, hook, "the incoming webhook of Slack"));
    let signing_secret = SIGNING_SECRET.read(&section).and_then(|secret| secret.value);
    section.finish();
    let way = match (token.and_then(|token| token.value), url) {
        (Some(token), None) => {
            let base_url = base_url.unwrap_or_else(|| DEFAULT_SLACK.to_owned());
            SlackWay::Bot { token, channel: channel?, base_url }
        }
        (None, Some(url)) => SlackWay::IncomingWebhook { url },
        _ => return None,
    };
    Some(Slack { way, signing_secret })
}

/// The whole address is a secret, so no complaint repeats any of it.
fn incoming_webhook(section: &Section<'_>, hook: Named, what: &str) -> Option<SecretString> {
    let url = hook.value?;
    if checks::posting_url(url.expose_secret()).is_err() {
        section.wrong(format!("{what} must be an address that starts with https://"));
        return None;
    }
    Some(url)
}

pub(super) fn teams(section: Section<'_>) -> Option<Teams> {
    let hook = needed(&WEBHOOK_URL, &section, ": the address of a workflow that waits for webhook requests");
    let url = hook.and_then(|hook| incoming_webhook(&section, hook, "the workflow of Teams"));
    section.finish();
    Some(Teams { webhook_url: url? })
}

pub(super) fn pagerduty(section: Section<'_>) -> Option<PagerDuty> {
    let key = needed(&ROUTING_KEY, &section, ": it names the service at PagerDuty");
    let base_url = section.text("base_url").and_then(|t| t.read(|text| checks::base_url(text)));
    let webhook_secret = WEBHOOK_SECRET.read(&section).and_then(|secret| secret.value);
    section.finish();
    let base_url = base_url.unwrap_or_else(|| DEFAULT_PAGERDUTY.to_owned());
    Some(PagerDuty { routing_key: key?.value?, base_url, webhook_secret })
}

pub(super) fn webhook(section: Section<'_>) -> Option<Webhook> {
    let url = if section.is_there() {
        section.needed_text("url", ": where messages are posted to")
    } else {
        section.text("url")
    };
    let url = url.and_then(|t| t.read(|text| checks::posting_url(text)));
    let secret = needed(&SECRET, &section, ": it tells the receiver that a message is ours");
    let secret = secret.and_then(|secret| secret.value);
    if secret.as_ref().is_some_and(|secret| signing_key(secret).is_none()) {
        let key = if section.has(SECRET.env) { SECRET.env } else { SECRET.file };
        section.clash(
            key,
            "must lead to 24 to 64 random bytes in base64, with or without `whsec_` before them: \
             `openssl rand -base64 32` makes some",
        );
    }
    section.finish();
    Some(Webhook { url: url?, secret: secret? })
}

/// Reads a secret that is needed if the table is there.
fn needed(keys: &SecretKeys, section: &Section<'_>, why: &str) -> Option<Named> {
    if section.is_there() { keys.needed(section, why) } else { keys.read(section) }
}

/// Whether a secret is missing. A command that talks to nobody needs none, and one written into the file has its own
/// complaint.
fn needs_secret(section: &Section<'_>) -> bool {
    let plain = section.has(BOT_TOKEN.plain) || section.has(WEBHOOK_URL.plain);
    section.is_there() && section.inspection.purpose == Purpose::Service && !plain
}
