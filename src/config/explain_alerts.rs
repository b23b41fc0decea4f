//! The part of [`super::explain`] that is about people: who hears of what, when and how.

use crate::alert::life::ACK_EXPIRES;
use crate::alert::policy;

use super::explain_noise::rules;
use super::explain_page::{Page, or_default};
use super::explain_write_back;
use super::read_alerts::{DEFAULT_BUDGET, DEFAULT_WARN_AT};
use super::read_notify::{DEFAULT_NTFY, DEFAULT_PAGERDUTY, DEFAULT_SLACK, DEFAULT_TWILIO, LANGUAGES, usual_limit};
use super::{
    Alerts, ChannelKind, Config, Email, Notify, Ntfy, PagerDuty, Slack, SlackWay, Sms, SmsSender, SmtpTls, Step,
    Target, Twilio, Voice, Webhook, default_steps, duration,
};
use crate::alert::Stage;
use crate::alert::prediction::{Budget, Rule};
use crate::notify::ways::{PAGERDUTY_HOOK, REPLY_HOOK, SLACK_HOOK, STATUS_HOOK, VOICE_HOOK};

/// Explains when an alert is raised, and the escalation.
pub(super) fn alerts(page: &mut Page, config: &Config) {
    let Alerts { warn_at, warn_left, predict, ack_expires, steps, noise } = &config.alerts;
    page.heading("Alerts");
    let shares: Vec<_> = warn_at.iter().map(|share| percent(*share)).collect();
    if !shares.is_empty() {
        let text = format!("when {} of the working time is used", shares.join(", "));
        page.row("warning", or_default(text, *warn_at == DEFAULT_WARN_AT));
    }
    let left: Vec<_> = warn_left.iter().map(|left| duration::show(*left)).collect();
    if !left.is_empty() {
        page.row("warning", format!("when {} of working time is left", left.join(", ")));
    }
    page.row("predicted", or_default(predict_words(*predict), *predict == Rule::Budget(DEFAULT_BUDGET)));
    let rest = format!("for {} while nothing happens on its ticket", duration::show(*ack_expires));
    page.row("acknowledged", format!("a breach rests {}", or_default(rest, *ack_expires == ACK_EXPIRES)));
    escalations(page, config);
    page.heading(or_default("Escalation", *steps == default_steps(&config.notify.kinds())));
    step_rows(page, steps, &config.notify);
    rules(page, noise);
}

/// The escalations before the default one.
fn escalations(page: &mut Page, config: &Config) {
    let named = config.escalations.split_last().map_or(&[][..], |(_, named)| named);
    for (index, escalation) in named.iter().enumerate() {
        let shadow = policy::shadow(&config.escalations, index);
        let shadow = shadow.map(|first| format!("; NEVER FOLLOWED: {} matches first", first.name)).unwrap_or_default();
        page.heading(format!("Escalation {}, for {}{shadow}", escalation.name, escalation.which.words()));
        if escalation.ack_expires != config.alerts.ack_expires {
            page.row("acknowledged", format!("a breach rests for {}", duration::show(escalation.ack_expires)));
        }
        step_rows(page, &escalation.steps, &config.notify);
    }
}

fn step_rows(page: &mut Page, steps: &[Step], notify: &Notify) {
    for step in steps {
        let when =
            if step.after.is_zero() { "at once".to_owned() } else { format!("after {}", duration::show(step.after)) };
        page.row(when, step_words(step, notify));
    }
}

fn predict_words(rule: Rule) -> String {
    match rule {
        Rule::Threshold(at) => format!("when a breach is {} likely or more", percent(at)),
        Rule::Budget(Budget { a_day: 0, .. }) => "never".to_owned(),
        Rule::Budget(Budget { a_day, least_left }) => {
            let left = duration::show(least_left);
            format!("the likeliest breaches, at most {a_day} a day, with {left} of working time left or more")
        }
    }
}

fn percent(share: f64) -> String {
    // Two digits after the point are enough for any share a person writes; zeros at the end are dropped.
    let text = format!("{:.2}", share * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

fn step_words(step: &Step, notify: &Notify) -> String {
    let roles: Vec<_> = step.notify.iter().filter_map(role_words).collect();
    let mut parts = Vec::new();
    if !roles.is_empty() {
        parts.push(format!("{}, {}", roles.join(" and "), way_words(&step.channels, notify)));
    }
    parts.extend(step.notify.iter().filter_map(direct_words));
    parts.extend(explain_write_back::change_words(&step.change));
    parts.join("; ")
}

fn role_words(target: &Target) -> Option<String> {
    let words = match target {
        Target::Technician => "the ticket's technician (its group, if it has none)",
        Target::Manager => "the technician's manager",
        Target::Group => "everybody in the ticket's group",
        Target::AccountManager => "the client's account manager",
        Target::OnCall(rotation) => return Some(format!("whoever is on call for the rotation {rotation}")),
        _ => return None,
    };
    Some(words.to_owned())
}

pub(super) fn direct_words(target: &Target) -> Option<String> {
    match target {
        Target::Email(address) => Some(format!("{address}, by email")),
        Target::Sms(number) => Some(format!("{number}, by SMS")),
        Target::Call(number) => Some(format!("{number}, by a call (breach only)")),
        Target::Ntfy(topic) => Some(format!("the topic {topic}, by push")),
        Target::Slack(Some(channel)) => Some(format!("{channel} on Slack")),
        Target::Slack(None) => Some("Slack".to_owned()),
        Target::Teams => Some("Teams".to_owned()),
        Target::PagerDuty => Some("PagerDuty".to_owned()),
        Target::Webhook => Some("the webhook".to_owned()),
        _ => None,
    }
}

fn way_words(channels: &[ChannelKind], notify: &Notify) -> String {
    if !channels.is_empty() {
        let names: Vec<_> = channels.iter().map(|kind| kind.words()).collect();
        return format!("by {}", names.join(" and "));
    }
    let kinds = notify.kinds();
    let of_people = Step::default_channels(Stage::Breached).iter().filter(|kind| kinds.contains(kind));
    let names: Vec<_> = of_people.map(|kind| kind.words()).collect();
    match (notify.email.is_some(), names.as_slice()) {
        (_, []) => "by no channel: none is set up".to_owned(),
        (true, [only]) => format!("by {only}"),
        (true, all) => format!("by email (warning) or {} (breach)", all.join(" and ")),
        (false, all) => format!("by {} (breach only)", all.join(" and ")),
    }
}

/// Explains how messages are sent, without secrets.
pub(super) fn channels(page: &mut Page, notify: &Notify) {
    page.heading("Channels");
    for kind in ChannelKind::ALL {
        let words = match kind {
            ChannelKind::Email => notify.email.as_ref().map(email_words),
            ChannelKind::Ntfy => notify.ntfy.as_ref().map(ntfy_words),
            ChannelKind::Sms => notify.sms.as_ref().map(sms_words),
            ChannelKind::Voice => notify.voice.as_ref().map(voice_words),
            ChannelKind::Slack => notify.slack.as_ref().map(slack_words),
            ChannelKind::Teams => notify.teams.as_ref().map(|_| "by a workflow, to its own channel or chat".to_owned()),
            ChannelKind::PagerDuty => notify.pagerduty.as_ref().map(pagerduty_words),
            ChannelKind::Webhook => notify.webhook.as_ref().map(webhook_words),
        };
        let words = words.map(|words| format!("{words}{}", limit_words(kind, notify)));
        page.row(kind.words(), words.unwrap_or_else(|| "not set up".to_owned()));
    }
}

fn limit_words(kind: ChannelKind, notify: &Notify) -> String {
    match notify.per_minute.get(&kind) {
        Some(limit) => or_default(format!(", at most {limit} a minute"), usual_limit(kind) == Some(*limit)),
        None => String::new(),
    }
}

fn ntfy_words(ntfy: &Ntfy) -> String {
    let place = or_default(&ntfy.base_url, ntfy.base_url == DEFAULT_NTFY);
    let token = if ntfy.token.is_some() { "with a token" } else { "without a token" };
    let people = match ntfy.topics.len() {
        0 => "no person has a topic".to_owned(),
        1 => "1 person has a topic".to_owned(),
        count => format!("{count} people have topics"),
    };
    format!("by ntfy at {place}, {token}; {people}")
}

fn slack_words(slack: &Slack) -> String {
    match &slack.way {
        SlackWay::Bot { channel, base_url, .. } => {
            let place = or_default(base_url, base_url == DEFAULT_SLACK);
            format!("to {channel}, as a bot, by {place}")
        }
        SlackWay::IncomingWebhook { .. } => "by an incoming webhook, to its own channel".to_owned(),
    }
}

fn pagerduty_words(pagerduty: &PagerDuty) -> String {
    let place = &pagerduty.base_url;
    format!("events with a routing key, by {}", or_default(place, place == DEFAULT_PAGERDUTY))
}

/// Names only the host, since some people put a token into the rest.
fn webhook_words(webhook: &Webhook) -> String {
    let host = url::Url::parse(&webhook.url).ok().and_then(|url| url.host_str().map(str::to_owned));
    format!("to {}, signed", host.unwrap_or_default())
}

/// Explains how people can answer, and how we hear what became of a message.
pub(super) fn answers(page: &mut Page, config: &Config) {
    let public_url = config.server.public_url.as_deref();
    page.heading("Answers");
    let links = match public_url {
        Some(_) => "alerts carry a link that acknowledges them, good for a day",
        None => "none: server.public_url is not given",
    };
    page.row("links", links);
    if let Some(voice) = &config.notify.voice {
        page.row("call receipts", receipt_words(public_url, &voice.account));
        page.row("call keys", keys_words(public_url, &voice.account));
    }
    if let Some(sms) = &config.notify.sms {
        page.row("SMS receipts", receipt_words(public_url, &sms.account));
        page.row("SMS replies", reply_words(public_url, sms));
    }
    let Notify { slack, pagerduty, .. } = &config.notify;
    if let Some(slack) = slack {
        let off = "off: messages carry no button without signing_secret";
        page.row("Slack", hook_words(public_url, slack.signing_secret.is_some(), SLACK_HOOK, off));
    }
    if let Some(pagerduty) = pagerduty {
        let off = "off: PagerDuty's webhooks cannot be believed without webhook_secret";
        page.row("PagerDuty", hook_words(public_url, pagerduty.webhook_secret.is_some(), PAGERDUTY_HOOK, off));
    }
}

/// Says where a system must send the acknowledgements that are made in it.
fn hook_words(public_url: Option<&str>, has_secret: bool, path: &str, off: &str) -> String {
    match public_url {
        _ if !has_secret => or_default(off, true),
        Some(url) => format!("on: acknowledgements must be sent to {url}{path}"),
        None => format!("on: acknowledgements must be sent to {path}, below the address at which we are reached"),
    }
}

fn keys_words(public_url: Option<&str>, account: &Twilio) -> String {
    match public_url {
        Some(url) if !account.hook_tokens.is_empty() => {
            format!("1 acknowledges, 2 escalates; Twilio passes them on to {url}{VOICE_HOOK}")
        }
        Some(_) => "none: without hook_auth_token what Twilio passes on cannot be believed".to_owned(),
        None => "none: server.public_url is not given".to_owned(),
    }
}

fn receipt_words(public_url: Option<&str>, account: &Twilio) -> String {
    match public_url {
        Some(url) if !account.hook_tokens.is_empty() => format!("Twilio reports to {url}{STATUS_HOOK}"),
        Some(_) => "Twilio is asked: without hook_auth_token its reports cannot be believed".to_owned(),
        None => "Twilio is asked: server.public_url is not given, so it cannot report".to_owned(),
    }
}

fn reply_words(public_url: Option<&str>, sms: &Sms) -> String {
    match public_url {
        Some(url) if sms.replies => format!("on: Twilio must send them to {url}{REPLY_HOOK}"),
        None if sms.replies => "off: replies = true needs server.public_url".to_owned(),
        _ => or_default("off: set replies = true once Twilio sends them to us", true),
    }
}

fn email_words(email: &Email) -> String {
    let Email { host, port, tls, user, from, .. } = email;
    let tls = match tls {
        SmtpTls::Wrapped => "TLS",
        SmtpTls::Required => "STARTTLS required",
        SmtpTls::None => "no TLS, on this machine only",
    };
    let login = if user.is_some() { "with a user and password" } else { "without a user" };
    format!("from {from}, by {host} port {port}, {tls}, {login}")
}

fn sms_words(sms: &Sms) -> String {
    let sender = match &sms.sender {
        SmsSender::From(number) => format!("from {number}"),
        SmsSender::MessagingService(sid) => format!("from the messaging service {sid}"),
    };
    format!("{sender}, {}", account_words(&sms.account))
}

fn voice_words(voice: &Voice) -> String {
    let language = or_default(&voice.language, voice.language == LANGUAGES[0]);
    format!("from {}, in {language}, {}", voice.from, account_words(&voice.account))
}

fn account_words(account: &Twilio) -> String {
    let key = if account.api_key_sid.is_some() { "an API key" } else { "the auth token" };
    let place = or_default(&account.base_url, account.base_url == DEFAULT_TWILIO);
    format!("with {key} of {}, by {place}", account.account_sid)
}
