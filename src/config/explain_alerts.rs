//! The part of [`super::explain`] that is about people: who hears of what, when and how.

use super::explain::{Page, or_default};
use super::read_alerts::{DEFAULT_PREDICT_AT, DEFAULT_WARN_AT};
use super::read_notify::DEFAULT_TWILIO;
use super::{
    Alerts, ChannelKind, Config, Email, Notify, Sms, SmsSender, SmtpTls, Step, Target, default_steps, duration,
};

/// When an alert is raised, and the escalation in words.
pub(super) fn alerts(page: &mut Page, config: &Config) {
    let Alerts { warn_at, warn_left, predict_at, steps } = &config.alerts;
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
    let likely = format!("not in this version; predict_at is kept at {}", percent(*predict_at));
    page.row("predicted", or_default(likely, *predict_at == DEFAULT_PREDICT_AT));
    page.heading(or_default("Escalation", *steps == default_steps()));
    for step in steps {
        let when =
            if step.after.is_zero() { "at once".to_owned() } else { format!("after {}", duration::show(step.after)) };
        page.row(when, step_words(step, &config.notify));
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
    parts.join("; ")
}

fn role_words(target: &Target) -> Option<String> {
    let words = match target {
        Target::Technician => "the ticket's technician (its group, if it has none)",
        Target::Manager => "the technician's manager",
        Target::Group => "everybody in the ticket's group",
        Target::AccountManager => "the client's account manager",
        Target::OnCall(rotation) => return Some(format!("whoever is on call in {rotation}")),
        Target::Email(_) | Target::Sms(_) => return None,
    };
    Some(words.to_owned())
}

fn direct_words(target: &Target) -> Option<String> {
    match target {
        Target::Email(address) => Some(format!("{address}, by email")),
        Target::Sms(number) => Some(format!("{number}, by SMS")),
        _ => None,
    }
}

fn way_words(channels: &[ChannelKind], notify: &Notify) -> String {
    if !channels.is_empty() {
        let names: Vec<_> = channels.iter().map(|kind| channel_name(*kind)).collect();
        return format!("by {}", names.join(" and "));
    }
    match (notify.email.is_some(), notify.sms.is_some()) {
        (true, true) => "by email (warning) or email and SMS (breach)".to_owned(),
        (true, false) => "by email".to_owned(),
        (false, true) => "by SMS (breach only)".to_owned(),
        (false, false) => "by no channel: none is set up".to_owned(),
    }
}

fn channel_name(kind: ChannelKind) -> &'static str {
    match kind {
        ChannelKind::Email => "email",
        ChannelKind::Sms => "SMS",
    }
}

/// How messages leave, without secrets.
pub(super) fn channels(page: &mut Page, notify: &Notify) {
    page.heading("Channels");
    page.row("email", notify.email.as_ref().map_or("not set up".to_owned(), email_words));
    page.row("SMS", notify.sms.as_ref().map_or("not set up".to_owned(), sms_words));
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
    let key = if sms.api_key_sid.is_some() { "an API key" } else { "the auth token" };
    let place = or_default(&sms.base_url, sms.base_url == DEFAULT_TWILIO);
    format!("{sender}, with {key} of {}, by {place}", sms.account_sid)
}
