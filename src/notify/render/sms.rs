//! A message as one text message.
//!
//! It should fit one segment, which is what it costs: 160 septets. The state,
//! the ticket's id, the time and the client always stay; technician and subject
//! come as far as there is room, and are left out if the plain alphabet cannot
//! write them. Only an id or a client's name in another script turns the whole
//! into UCS-2, and then it may take two segments.

use chrono::{DateTime, Utc};

use super::{Urgency, bundle, gsm7, letter, line, standing};
use crate::notify::{AlertFacts, Body, Message, TicketFacts};

/// What one segment holds.
const SEGMENT: usize = 160;
/// What one segment holds in UCS-2, and what two hold together: a joined one gives up three units for its number.
const WIDE_SEGMENT: usize = 70;
const TWO_WIDE_SEGMENTS: usize = 134;
/// An id in SuperOps' own format has 11 characters; the format is the tenant's.
const LONGEST_ID: usize = 16;
/// Fewer characters of a subject than this say nothing.
const SHORTEST: usize = 8;

/// Words `message` as a text message: GSM-7 in one segment, or UCS-2 in at most two.
pub fn sms(message: &Message, now: DateTime<Utc>) -> String {
    sms_with(message, None, now)
}

/// Words `message` as a text message, with the `code` that its recipient answers with.
pub fn sms_with(message: &Message, code: Option<u8>, now: DateTime<Utc>) -> String {
    let draft = draft(message, now);
    let tail = tail(reference(&message.key), code, matches!(message.body, Body::Bundle(_)));
    let text = draft.within(&tail);
    // An id of strange characters may leave no room: what has happened goes before how to answer.
    if code.is_some() && is_too_long(&text) { sms_with(message, None, now) } else { text }
}

fn is_too_long(text: &str) -> bool {
    match gsm7::septets(text) {
        Some(septets) => septets > SEGMENT,
        None => units(text) > TWO_WIDE_SEGMENTS,
    }
}

/// `text` of ours as it goes into a text message: the plain alphabet, one segment.
pub fn plain(text: &str) -> String {
    let known = |c: &char| gsm7::septets(c.encode_utf8(&mut [0; 4])).is_some();
    let folded = gsm7::fold(text).unwrap_or_else(|| text.chars().filter(known).collect());
    cut(&folded, SEGMENT, |text| gsm7::septets(text).unwrap_or(SEGMENT))
}

/// How to answer, and the mark by which the message is found again, which comes last.
fn tail(reference: &str, code: Option<u8>, bundled: bool) -> String {
    match code {
        Some(code) if bundled => format!(". Reply {code}a to ack all #{reference}"),
        Some(code) => format!(". Reply {code}a to ack, {code}c to close #{reference}"),
        None => format!(" #{reference}"),
    }
}

/// The mark by which a text message is found again at the provider: the last word of its text.
pub fn reference(key: &str) -> &str {
    key.get(..6).unwrap_or(key)
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// A text message in parts, the most wanted first.
struct Draft {
    /// State, ticket and time; short, and never cut.
    head: String,
    /// Stays, if only in part.
    client: Option<String>,
    /// Come in while there is room, each with what joins it to the one before.
    extras: Vec<(&'static str, String)>,
    /// Come in after those, each whole or not at all.
    whole: Vec<(&'static str, String)>,
}

fn draft(message: &Message, now: DateTime<Utc>) -> Draft {
    let zone = message.timezone;
    match &message.body {
        Body::Alert(facts) => {
            let urgency = Urgency::of(facts.stage, facts.due, now);
            let standing = standing(facts.clock.words(), urgency, facts.due, now, zone);
            Draft::about(&facts.ticket, &state(urgency), &standing, true).advising(facts)
        }
        Body::Recovery(facts) => {
            let (word, standing) = letter::outcome(facts);
            Draft::about(&facts.ticket, &format!("SLA {word}:"), &standing, false)
        }
        Body::Acknowledged(facts) => {
            let standing = letter::acknowledgement(facts, now, zone);
            Draft::about(&facts.ticket, "SLA acknowledged:", &standing, false)
        }
        Body::Digest(facts) => {
            let head = format!("{} SLA targets past due", facts.rows.len() + facts.more as usize);
            let Some(row) = facts.rows.first() else { return Draft::bare(head) };
            let standing = standing(row.clock.words(), Urgency::PastDue, row.due, now, zone);
            Draft::about(&row.ticket, &format!("{head}. Worst:"), &standing, false)
        }
        Body::Bundle(facts) => {
            let client = bundle::one_client(facts).map(|client| line(&client, 30));
            let worst = bundle::worst(facts, now, zone).map(|worst| (". ", format!("Worst: {worst}")));
            let ids = facts.rows.iter().skip(1).map(|row| (", ", bundle::id(row)));
            let head = format!("SLA: {}", bundle::sum(facts, now, zone));
            Draft { head, client, extras: Vec::new(), whole: worst.into_iter().chain(ids).collect() }
        }
        Body::Stale(facts) => {
            let reason = facts.fresh_at.is_none().then(|| (": ", line(&facts.reason, 150)));
            let head = letter::stale_state(facts, now, zone);
            Draft { head, client: None, extras: reason.into_iter().collect(), whole: Vec::new() }
        }
        Body::Test => Draft::bare("Test: text messages from the SLA watch reach you".to_owned()),
    }
}

/// `SLA BREACHED:`; capitals, since a text message has no other way to raise its voice.
fn state(urgency: Urgency) -> String {
    match urgency {
        Urgency::Breached => "SLA BREACHED:".to_owned(),
        other => format!("SLA {}:", other.words().to_lowercase()),
    }
}

impl Draft {
    fn bare(head: String) -> Self {
        Self { head, client: None, extras: Vec::new(), whole: Vec::new() }
    }

    fn about(ticket: &TicketFacts, state: &str, standing: &str, with_technician: bool) -> Self {
        let technician = with_technician.then(|| (", ", line(&ticket.shown_technician(), 24)));
        // In units, not characters: an emoji counts twice.
        let id = cut(&ticket.shown_id(), LONGEST_ID, units);
        Self {
            head: format!("{state} {id} {standing}"),
            client: Some(line(&ticket.shown_client(), 30)),
            extras: technician.into_iter().chain([(". ", ticket.shown_subject())]).collect(),
            whole: Vec::new(),
        }
    }

    /// With whom to ask, in the subject's place: of a breach that is only predicted, what to do is said first.
    fn advising(mut self, facts: &AlertFacts) -> Self {
        let room = facts.advice.as_ref().and_then(|advice| advice.room.as_ref());
        if let Some(room) = room {
            let before_the_subject = self.extras.len().saturating_sub(1);
            self.extras.insert(before_the_subject, (". ", format!("{} has room", line(&room.name, 24))));
        }
        self
    }

    /// The same in the plain alphabet, without the extras that it cannot write; `None` if it cannot write the rest.
    fn folded(&self) -> Option<Self> {
        Some(Self {
            head: gsm7::fold(&self.head)?,
            client: match &self.client {
                Some(client) => Some(gsm7::fold(client)?),
                None => None,
            },
            extras: self.extras.iter().filter_map(|(glue, extra)| Some((*glue, gsm7::fold(extra)?))).collect(),
            whole: self.whole.iter().filter_map(|(glue, part)| Some((*glue, gsm7::fold(part)?))).collect(),
        })
    }

    /// What must be said.
    fn essence(&self, tail: &str) -> String {
        match &self.client {
            Some(client) => format!("{}. {client}{tail}", self.head),
            None => format!("{}{tail}", self.head),
        }
    }

    /// In the plain alphabet if it can be, else in two segments at most.
    fn within(&self, tail: &str) -> String {
        match self.folded() {
            Some(folded) => folded.fit(tail, SEGMENT, |text| gsm7::septets(text).unwrap_or(SEGMENT)),
            None => {
                let fits_one = units(&self.essence(tail)) <= WIDE_SEGMENT;
                self.fit(tail, if fits_one { WIDE_SEGMENT } else { TWO_WIDE_SEGMENTS }, units)
            }
        }
    }

    /// As much as fits `room`, the tail last.
    fn fit(&self, tail: &str, room: usize, measure: impl Fn(&str) -> usize) -> String {
        let mut text = self.head.clone();
        for (part, glue, shortest) in self.parts() {
            let left = room.saturating_sub(measure(&text) + measure(tail) + measure(glue));
            let part = cut(part, left, &measure);
            if part.chars().count() >= shortest {
                text.push_str(glue);
                text.push_str(&part);
            }
        }
        text + tail
    }

    /// Each part with what joins it to the one before and the least that is worth showing of it.
    fn parts(&self) -> impl Iterator<Item = (&str, &'static str, usize)> {
        let client = self.client.iter().map(|client| (client.as_str(), ". ", 1));
        let extras =
            self.extras.iter().map(|(glue, extra)| (extra.as_str(), *glue, SHORTEST.min(extra.chars().count())));
        let whole = self.whole.iter().map(|(glue, part)| (part.as_str(), *glue, part.chars().count()));
        client.chain(extras).chain(whole)
    }
}

/// As many whole characters of `text` as fit `room`, with a mark if any were cut.
fn cut(text: &str, room: usize, measure: impl Fn(&str) -> usize) -> String {
    const MARK: &str = "..";
    if measure(text) <= room {
        return text.to_owned();
    }
    let mut kept = text;
    while !kept.is_empty() && measure(kept) + measure(MARK) > room {
        kept = kept.char_indices().next_back().map_or("", |(last, _)| &kept[..last]);
    }
    let kept = kept.trim_end();
    if kept.is_empty() { String::new() } else { format!("{kept}{MARK}") }
}
