//! `[notify.*]`: the channels and their providers.

mod push;
mod services;

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use url::Url;

use super::reader::{Purpose, Section};
use super::secret::{Named, SecretKeys};
use super::{ChannelKind, Email, Notify, Sms, SmsSender, SmtpTls, checks};

pub(super) use push::DEFAULT_NTFY;
pub(super) use services::{DEFAULT_PAGERDUTY, DEFAULT_SLACK};
/// More is no limit worth the name; one every minute is the least that can be said of an alarm.
const MOST_PER_MINUTE: i64 = 60_000;
pub(super) const DEFAULT_TWILIO: &str = "https://api.twilio.com";

const PASSWORD: SecretKeys = SecretKeys { plain: "password", env: "password_env", file: "password_file" };
const AUTH_TOKEN: SecretKeys = SecretKeys { plain: "auth_token", env: "auth_token_env", file: "auth_token_file" };
const API_KEY_SECRET: SecretKeys =
    SecretKeys { plain: "api_key_secret", env: "api_key_secret_env", file: "api_key_secret_file" };
const HOOK_TOKEN: SecretKeys =
    SecretKeys { plain: "hook_auth_token", env: "hook_auth_token_env", file: "hook_auth_token_file" };
const PREVIOUS_TOKEN: SecretKeys =
    SecretKeys { plain: "previous_auth_token", env: "previous_auth_token_env", file: "previous_auth_token_file" };

pub(super) fn notify(section: Section<'_>) -> Notify {
    let tables = ChannelKind::ALL.map(|kind| section.table(kind.as_str()));
    let per_minute = ChannelKind::ALL.into_iter().zip(&tables);
    let per_minute = per_minute.filter_map(|(kind, table)| Some((kind, limit(kind, table)?))).collect();
    let [of_email, of_ntfy, of_sms, of_slack, of_teams, of_pagerduty, of_webhook] = tables;
    section.finish();
    Notify {
        email: email(of_email),
        ntfy: push::ntfy(of_ntfy),
        sms: sms(of_sms),
        slack: services::slack(of_slack),
        teams: services::teams(of_teams),
        pagerduty: services::pagerduty(of_pagerduty),
        webhook: services::webhook(of_webhook),
        per_minute,
    }
}

/// How many messages a minute the channel of `table` may be given.
fn limit(kind: ChannelKind, table: &Section<'_>) -> Option<u32> {
    let limit = table.integer("per_minute").and_then(|number| number.read(|number| per_minute(*number)));
    limit.or_else(|| usual_limit(kind))
}

/// Slack allows a channel about one message a second. A workflow takes more, but nobody reads more in one channel.
pub(super) fn usual_limit(kind: ChannelKind) -> Option<u32> {
    matches!(kind, ChannelKind::Slack | ChannelKind::Teams).then_some(60)
}

fn per_minute(number: i64) -> Result<u32, String> {
    let allowed = (1..=MOST_PER_MINUTE).contains(&number).then(|| u32::try_from(number).ok()).flatten();
    allowed.ok_or_else(|| format!("must be from 1 to {MOST_PER_MINUTE}; leave it out for no limit"))
}

fn email(section: Section<'_>) -> Option<Email> {
    let present = section.is_there();
    let needed = |key, why| if present { section.needed_text(key, why) } else { section.text(key) };
    let server = needed("smtp_url", ": the mail server that takes our messages");
    let server = server.and_then(|t| t.read(|text| smtp_server(text)));
    let from =
        needed("from", ": the address that messages come from").and_then(|t| t.read(|text| checks::mailbox(text)));
    let password = PASSWORD.read(&section);
    let user = server.as_ref().map(|server| server.user.is_some());
    match (user, PASSWORD.used(&section)) {
        (Some(true), false) => {
            section.clash("smtp_url", "names a user, so `password_env` or `password_file` is needed");
        }
        (Some(false), true) => {
            section.clash("smtp_url", "names no user to go with the password: write it as smtp://USER@HOST");
        }
        _ => {}
    }
    section.finish();
    let SmtpServer { host, port, tls, user } = server?;
    Some(Email { host, port, tls, user, password: password.and_then(|secret| secret.value), from: from? })
}

struct SmtpServer {
    host: String,
    port: u16,
    tls: SmtpTls,
    user: Option<String>,
}

fn smtp_server(text: &str) -> Result<SmtpServer, String> {
    let form = "must be such as \"smtps://user@mail.example.com\" or \"smtp://mail.example.com:587\"";
    let url = Url::parse(text).map_err(|_| form)?;
    if url.password().is_some() {
        return Err("must not hold a password, since this file is copied and backed up: use `password_env`".to_owned());
    }
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or(form)?.to_owned();
    if !matches!(url.path(), "" | "/") {
        return Err(form.to_owned());
    }
    let tls = smtp_tls(&url, &host, form)?;
    let port = url.port().unwrap_or_else(|| usual_port(tls));
    Ok(SmtpServer { host: host.trim_matches(['[', ']']).to_owned(), port, tls, user: smtp_user(&url)? })
}

/// Messages name clients and their troubles: in the clear they stay on this machine.
fn smtp_tls(url: &Url, host: &str, form: &str) -> Result<SmtpTls, String> {
    let wish = tls_wish(url)?;
    match (url.scheme(), wish.as_deref()) {
        ("smtps", None | Some("required")) => Ok(SmtpTls::Wrapped),
        ("smtps", Some("none")) => Err("asks for TLS by smtps:// and for none by ?tls=none: keep one".to_owned()),
        ("smtp", Some("required")) => Ok(SmtpTls::Required),
        ("smtp", None) if checks::is_loopback(host) => Ok(SmtpTls::None),
        ("smtp", None) => Ok(SmtpTls::Required),
        ("smtp", Some("none")) if checks::is_loopback(host) => Ok(SmtpTls::None),
        ("smtp", Some("none")) => Err("may say ?tls=none for this machine only: on the way to another host, \
             anybody could read passwords and messages"
            .to_owned()),
        ("smtp" | "smtps", Some(_)) => Err("may say ?tls=required or ?tls=none".to_owned()),
        _ => Err(form.to_owned()),
    }
}

fn tls_wish(url: &Url) -> Result<Option<String>, String> {
    let mut wish = None;
    for (key, value) in url.query_pairs() {
        match key.as_ref() {
            "tls" => wish = Some(value.into_owned()),
            _ => return Err("may have `tls` after the ?, and nothing else".to_owned()),
        }
    }
    Ok(wish)
}

/// The ports that mail servers agreed on (RFC 8314; RFC 5321 for a relay on this machine).
fn usual_port(tls: SmtpTls) -> u16 {
    match tls {
        SmtpTls::Wrapped => 465,
        SmtpTls::Required => 587,
        SmtpTls::None => 25,
    }
}

fn smtp_user(url: &Url) -> Result<Option<String>, String> {
    let user = percent_decode_str(url.username()).decode_utf8();
    let user = user.map_err(|_| "has a user that is not valid text")?;
    Ok(Some(user).filter(|user| !user.is_empty()).map(Cow::into_owned))
}

fn sms(section: Section<'_>) -> Option<Sms> {
    let present = section.is_there();
    let account = if present {
        section.needed_text("account_sid", ": it names your account at Twilio")
    } else {
        section.text("account_sid")
    };
    let account_sid = account.and_then(|t| t.read(checks::twilio_sid("AC")));
    let api_key_sid = section.text("api_key_sid").and_then(|t| t.read(checks::twilio_sid("SK")));
    let secret = sms_secret(&section);
    let sender = sms_sender(&section);
    let hook_tokens = hook_tokens(&section, secret.as_ref());
    let replies = section.flag("replies").is_some_and(|found| found.value);
    if replies && section.has("api_key_sid") && !HOOK_TOKEN.used(&section) {
        section.clash(
            "replies",
            "needs `hook_auth_token_env` or `hook_auth_token_file`: Twilio signs replies with the \
             account's auth token, not with the API key",
        );
    }
    let base_url = section.text("base_url").and_then(|t| t.read(|text| checks::private_url(text)));
    section.finish();
    Some(Sms {
        account_sid: account_sid?,
        api_key_sid,
        secret: secret?.value?,
        sender: sender?,
        base_url: base_url.unwrap_or_else(|| DEFAULT_TWILIO.to_owned()),
        hook_tokens,
        replies,
    })
}

/// The tokens that Twilio's requests to us may be signed with. It signs with the account's own, whatever we send with.
fn hook_tokens(section: &Section<'_>, sending: Option<&Named>) -> Vec<SecretString> {
    let (own, previous) = (HOOK_TOKEN.read(section), PREVIOUS_TOKEN.read(section));
    let with_key = section.has("api_key_sid");
    if HOOK_TOKEN.used(section) && !with_key && AUTH_TOKEN.used(section) {
        let used = if section.has(HOOK_TOKEN.env) { HOOK_TOKEN.env } else { HOOK_TOKEN.file };
        section.clash(used, "is for sending with an API key: without one, the auth token already given is taken");
    }
    let sending = sending.filter(|_| !with_key).and_then(|named| named.value.clone());
    let named = [own, previous].into_iter().flatten().filter_map(|named| named.value);
    sending.into_iter().chain(named).collect()
}

/// The auth token of the account, or the secret of an API key.
fn sms_secret(section: &Section<'_>) -> Option<Named> {
    let (auth, key) = (AUTH_TOKEN.read(section), API_KEY_SECRET.read(section));
    let (auth_used, key_used) = (AUTH_TOKEN.used(section), API_KEY_SECRET.used(section));
    let service = section.inspection.purpose == Purpose::Service;
    match (section.has("api_key_sid"), auth_used, key_used) {
        (_, true, true) => section.wrong("an auth token and an API key's secret are both given: keep one"),
        (true, _, false) => section.wrong("`api_key_sid` needs `api_key_secret_env` or `api_key_secret_file`"),
        (false, _, true) => section.wrong("an API key's secret needs `api_key_sid`, the key it belongs to"),
        (false, false, false) if section.is_there() && service && !section.has("auth_token") => {
            section.wrong("`auth_token_env` or `auth_token_file` is needed: Twilio sends for known accounts only");
        }
        _ => {}
    }
    key.or(auth)
}

fn sms_sender(section: &Section<'_>) -> Option<SmsSender> {
    let from = section.text("from").map(|t| t.read(|text| checks::phone_number(text)).map(SmsSender::From));
    let service = section.text("messaging_service_sid");
    let service = service.map(|t| t.read(checks::twilio_sid("MG")).map(SmsSender::MessagingService));
    match (section.has("from"), section.has("messaging_service_sid")) {
        (true, true) => section.clash(
            "messaging_service_sid",
            "clashes with `from`: a message has one sender, and a messaging service picks its own",
        ),
        (false, false) if section.is_there() => {
            section.wrong("`from` or `messaging_service_sid` is needed: the number that messages come from");
        }
        _ => {}
    }
    from.or(service).flatten()
}
