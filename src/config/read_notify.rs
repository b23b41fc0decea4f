//! `[notify.*]`: the channels and their providers.

mod push;
mod services;
mod twilio;

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use url::Url;

use super::reader::Section;
use super::secret::SecretKeys;
use super::{ChannelKind, Email, Notify, SmtpTls, checks};

pub(super) use push::DEFAULT_NTFY;
pub(super) use services::{DEFAULT_PAGERDUTY, DEFAULT_SLACK};
pub(super) use twilio::{DEFAULT_TWILIO, LANGUAGES};
/// The highest limit: more would not be worth the name. The lowest is one a minute, the least an alarm can do with.
const MOST_PER_MINUTE: i64 = 60_000;

const PASSWORD: SecretKeys = SecretKeys { plain: "password", env: "password_env", file: "password_file" };

pub(super) fn notify(section: Section<'_>) -> Notify {
    let tables = ChannelKind::ALL.map(|kind| section.table(kind.as_str()));
    let per_minute = ChannelKind::ALL.into_iter().zip(&tables);
    let per_minute = per_minute.filter_map(|(kind, table)| Some((kind, limit(kind, table)?))).collect();
    let texts = section.has(ChannelKind::Sms.as_str());
    let [of_email, of_ntfy, of_sms, of_voice, of_slack, of_teams, of_pagerduty, of_webhook] = tables;
    section.finish();
    let sms = twilio::sms(of_sms);
    Notify {
        email: email(of_email),
        ntfy: push::ntfy(of_ntfy),
        voice: twilio::voice(of_voice, texts, sms.as_ref()),
        sms,
        slack: services::slack(of_slack),
        teams: services::teams(of_teams),
        pagerduty: services::pagerduty(of_pagerduty),
        webhook: services::webhook(of_webhook),
        per_minute,
    }
}

/// Returns how many messages a minute the channel of `table` may be given.
fn limit(kind: ChannelKind, table: &Section<'_>) -> Option<u32> {
    let limit = table.integer("per_minute").and_then(|number| number.read(|number| per_minute(*number)));
    limit.or_else(|| usual_limit(kind))
}

/// The default limit. Slack allows a channel about one message a second; a workflow takes more, but nobody reads more.
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
        (Some(true), false) if !section.has(PASSWORD.plain) => {
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

/// Decides on TLS: messages name clients and their troubles, so in the clear they must stay on this machine.
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
