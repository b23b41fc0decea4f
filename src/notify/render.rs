//! The words of a message: what a person reads on each channel.
//!
//! A message is worded at the moment it is sent, so that "42 min left" is true when it leaves, however long it waited.
//! Ticket text comes from strangers: it is cleaned to one line, cut to a length, and escaped where the medium requires
//! it. Nothing here reads the time, a file or the network.

mod bundle;
mod card;
mod compose;
mod gsm7;
mod html;
mod letter;
mod push;
mod slack;
mod sms;
mod spoken;
mod text;
mod update;

#[cfg(test)]
mod tests;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use serde_json::{Value, json};

use self::letter::Letter;
use super::{
    AcknowledgedFacts, AlertFacts, Body, BundleRow, JUST, Message, RecoveryFacts, ServiceFacts, TicketFacts,
    WorkingTime, span, words, zone_name,
};
use crate::alert::{AlertKind, Stage};
use crate::sla::zone::Tz;

pub use self::card::card;
pub(super) use self::letter::web_address;
pub use self::push::{Push, push};
pub use self::slack::slack;
pub use self::sms::{plain, reference, sms, sms_with};
pub use self::spoken::spoken;

/// An email, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    /// The same for every message of a thread: mail programs split a conversation whose subject changes.
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// Words `message` as an email.
pub fn email(message: &Message, now: DateTime<Utc>) -> Email {
    email_with(message, None, now)
}

/// Words `message` as an email, with the `link` that acknowledges its alert.
pub fn email_with(message: &Message, link: Option<&str>, now: DateTime<Utc>) -> Email {
    let letter = Letter::of(message, now).answered_by(link, &message.body);
    Email { text: text::text(&letter), html: html::html(&letter), subject: letter.subject }
}

/// Returns what a system is told about `ticket`, except its ids and addresses: clean lines of limited length.
pub(super) fn ticket_json(ticket: &TicketFacts) -> Value {
    let short = |text: &Option<String>| text.as_deref().map(|text| line(text, 80));
    json!({
        "subject": line(&ticket.subject, 200),
        "client": short(&ticket.client),
        "priority": short(&ticket.priority),
        "status": short(&ticket.status),
        "technician": short(&ticket.technician),
        "group": short(&ticket.group),
        "sla": short(&ticket.sla),
    })
}

/// Returns what a system is told about the component that `ticket` stands for.
pub(super) fn service_json(ticket: &TicketFacts, service: &ServiceFacts) -> Value {
    let short = |text: &Option<String>, most| text.as_deref().map(|text| line(text, most));
    json!({
        "id": line(&ticket.id, 80),
        "name": ticket.shown_id(),
        "said": ticket.shown_subject(),
        "client": short(&ticket.client, 80),
        "priority": short(&ticket.priority, 80),
        "since": service.since,
        "detail": short(&service.detail, 300),
        "page_url": ticket.page_url.as_deref().and_then(web_address),
    })
}

/// Words `message` in one line: how it stands, and what it is about.
pub fn brief(message: &Message, now: DateTime<Utc>) -> String {
    if matches!(message.body, Body::Test) {
        return "Test of the SLA watch; it resolves itself".to_owned();
    }
    let letter = Letter::of(message, now);
    match (letter.about, letter.whose) {
        (Some(about), Some(whose)) => format!("{}: {about} ({whose})", letter.headline),
        (Some(about), None) => format!("{}: {about}", letter.headline),
        (None, _) => letter.headline,
    }
}

/// Names the ticket and the clock that `message` is about in a few words: `062822-0005 first response`.
pub fn about(message: &Message) -> Option<String> {
    match &message.body {
        Body::Alert(AlertFacts { ticket, clock, .. })
        | Body::Recovery(RecoveryFacts { ticket, clock, .. })
        | Body::Acknowledged(AcknowledgedFacts { ticket, clock, .. }) => {
            Some(format!("{} {}", ticket.shown_id(), clock.words()))
        }
        _ => None,
    }
}

/// Words a row of a bundle in one line, if it can be acknowledged: how it stands, the ticket, its priority and client.
pub fn about_row(row: &BundleRow, message: &Message, now: DateTime<Utc>) -> Option<String> {
    let BundleRow::Alert { ticket, .. } = row else { return None };
    let words = bundle::standing(row, now, message.timezone)?;
    let whose = Some(ticket.whose()).filter(|whose| !whose.is_empty());
    Some(format!("{}: {words}", [ticket.about()].into_iter().chain(whose).collect::<Vec<_>>().join(", ")))
}

/// Returns what a ticket is about, and its priority and client: one clean line each.
pub fn subject_and_client(ticket: &TicketFacts) -> (String, String) {
    (ticket.shown_subject(), ticket.whose())
}

/// Words a stage: `At risk`.
pub fn stage_words(stage: Stage) -> &'static str {
    match stage {
        Stage::Breached => Urgency::Breached.words(),
        Stage::Warning => Urgency::AtRisk.words(),
        Stage::Predicted => Urgency::Likely.words(),
    }
}

/// Returns `at` in the local time of the recipient of `message`, with as much of the date as is needed at `now`.
pub fn time(message: &Message, at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    local(at, now, message.timezone)
}

/// How bad things are at the moment a message leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Urgency {
    Met,
    Plain,
    Likely,
    AtRisk,
    PastDue,
    Breached,
}

impl Urgency {
    /// A warning that came due while it waited in a queue says so.
    fn of(stage: Stage, due: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        match stage {
            Stage::Breached => Self::Breached,
            Stage::Predicted | Stage::Warning if due < now => Self::PastDue,
            Stage::Predicted => Self::Likely,
            Stage::Warning => Self::AtRisk,
        }
    }

    /// For a problem of a component: there is no time left that could run out.
    fn of_service(stage: Stage) -> Self {
        match stage {
            Stage::Breached => Self::Breached,
            Stage::Warning => Self::AtRisk,
            Stage::Predicted => Self::Likely,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Met => "OK",
            Self::Plain => "SLA",
            Self::Likely => "Likely to breach",
            Self::AtRisk => "At risk",
            Self::PastDue => "Past due",
            Self::Breached => "Breached",
        }
    }
}

/// One clock that people are told about.
#[derive(Clone, Copy)]
struct Told<'a> {
    clock: AlertKind,
    urgency: Urgency,
    due: DateTime<Utc>,
    working: Option<&'a WorkingTime>,
}

impl Told<'_> {
    /// Words the time left: `42 min of working time left`. None if SuperOps calls the clock breached before its due
    /// time: then no time is said to be left.
    fn span(&self, now: DateTime<Utc>) -> Option<String> {
        let (due, now) = (sane(self.due), sane(now));
        let early = self.urgency == Urgency::Breached && due >= now;
        (!early).then(|| span(self.working, due, now))
    }

    /// Words the due time: `first response due 14:30 London`, or `was due` once that has passed.
    fn due(&self, now: DateTime<Utc>, zone: Tz) -> String {
        let was = if sane(self.due) < sane(now) { "was " } else { "" };
        format!("{} {was}due {}", self.clock.words(), local(self.due, now, zone))
    }

    /// Words the wall-clock time left, if it differs from the working time: `in 17 h 2 min, closed hours included`.
    fn by_the_clock(&self, now: DateTime<Utc>) -> Option<String> {
        let away = sane(self.due) - sane(now);
        let differs = self.working.is_some_and(|working| (working.left(now) - away).abs() >= TimeDelta::minutes(1));
        differs.then(|| match away < TimeDelta::zero() {
            true => format!("{} ago, closed hours included", words(-away)),
            false => format!("in {}, closed hours included", words(away)),
        })
    }

    /// Words the headline: `At risk: 42 min of working time left, first response due 14:30 London`.
    fn headline(&self, now: DateTime<Utc>, zone: Tz) -> String {
        let glue = if self.span(now).is_none_or(|span| span == JUST) { ":" } else { "," };
        format!("{}{glue} {}", self.state(now), self.due(now, zone))
    }

    /// Words the state: `At risk: 42 min of working time left`.
    fn state(&self, now: DateTime<Utc>) -> String {
        match self.span(now) {
            Some(span) if span == JUST && self.urgency == Urgency::Breached => "Just breached".to_owned(),
            Some(span) if span == JUST => self.urgency.words().to_owned(),
            Some(span) => format!("{}: {span}", self.urgency.words()),
            None => self.urgency.words().to_owned(),
        }
    }
}

/// Returns the local time of `at`, with as much of the date as a reader needs at `now`.
fn local(at: DateTime<Utc>, now: DateTime<Utc>, zone: Tz) -> String {
    let (day, today) = (sane(at).with_timezone(&zone), sane(now).with_timezone(&zone));
    let soon = (day.date_naive() - today.date_naive()).num_days().unsigned_abs() < 6;
    let format = if day.date_naive() == today.date_naive() {
        "%H:%M"
    } else if soon {
        "%a %H:%M"
    } else if day.year() == today.year() {
        "%a %-d %b %H:%M"
    } else {
        "%-d %b %Y %H:%M"
    };
    format!("{} {}", day.format(format), zone_name(zone, sane(at)))
}

/// Returns the local date and time of `at`, in full.
fn local_in_full(at: DateTime<Utc>, zone: Tz) -> String {
    let at = sane(at);
    format!("{} {}", at.with_timezone(&zone).format("%a %-d %b %Y %H:%M"), zone_name(zone, at))
}

/// Returns `at`, or the nearest moment that has a local time in every zone: SuperOps has sent the year 1.
fn sane(at: DateTime<Utc>) -> DateTime<Utc> {
    const FIRST: DateTime<Utc> = DateTime::from_timestamp(0, 0).expect("1970 is a date");
    const LAST: DateTime<Utc> = DateTime::from_timestamp(253_370_764_800, 0).expect("9999 is a date");
    at.clamp(FIRST, LAST)
}

/// Returns `text` as one line of at most `most` characters, without anything that could end a header or turn the
/// reading direction.
pub(crate) fn line(text: &str, most: usize) -> String {
    let mut words = String::with_capacity(text.len().min(4 * most));
    let mut length = 0;
    for c in text.chars().filter(|c| !is_invisible(*c)) {
        let blank = c.is_whitespace() || c.is_control();
        if blank && (words.is_empty() || words.ends_with(' ')) {
            continue;
        }
        if length == most {
            words.truncate(words.trim_end().len());
            cut_last(&mut words);
            words.push('…');
            return words;
        }
        words.push(if blank { ' ' } else { c });
        length += 1;
    }
    words.truncate(words.trim_end().len());
    words
}

/// Removes the last character, to make room for the ellipsis.
fn cut_last(words: &mut String) {
    words.pop();
    words.truncate(words.trim_end().len());
}

/// Whether `c` is a mark that cannot be seen but changes how the rest is shown.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Returns `text` as one line, or `None` if nothing of it can be seen.
fn shown(text: Option<&str>, most: usize) -> Option<String> {
    text.map(|text| line(text, most)).filter(|text| !text.is_empty())
}

impl TicketFacts {
    fn shown_id(&self) -> String {
        shown(Some(&self.display_id), 40).unwrap_or_else(|| line(&self.id, 40))
    }

    fn shown_subject(&self) -> String {
        let nothing = if self.service.is_some() { "has changed state" } else { "(no subject)" };
        shown(Some(&self.subject), 150).unwrap_or_else(|| nothing.to_owned())
    }

    /// Names the ticket: `062822-0005 Mail server down`.
    fn about(&self) -> String {
        format!("{} {}", self.shown_id(), self.shown_subject())
    }

    fn shown_client(&self) -> String {
        shown(self.client.as_deref(), 80).unwrap_or_else(|| "no client".to_owned())
    }

    /// Returns how much it matters and to whom: `High, Harbour Dental`; preceded by the tenant if there are several.
    /// May be empty for a component.
    fn whose(&self) -> String {
        let tenant = shown(self.tenant.as_deref(), 40);
        let priority = shown(self.priority.as_deref(), 40).map(|priority| match priority.to_lowercase() {
            // A bare `High` does not say of what.
            lower if lower.contains("priority") => priority,
            _ => format!("{priority} priority"),
        });
        // Every ticket is somebody's; a component may be the desk's own.
        let client = Some(self.shown_client()).filter(|_| self.client.is_some() || self.service.is_none());
        tenant.into_iter().chain(priority).chain(client).collect::<Vec<_>>().join(", ")
    }

    fn shown_technician(&self) -> String {
        shown(self.technician.as_deref(), 80).unwrap_or_else(|| "unassigned".to_owned())
    }
}
