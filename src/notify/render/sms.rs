//! A message as one text message.
//!
//! It should fit one segment of 160 septets, since each segment costs. The state, the priority, the client, what is due
//! when and the ticket's id always stay; then comes as much of the subject as there is room for, and after it the time
//! left and the technician. What the plain alphabet cannot write is left out. Only an id or a client's name in another
//! script turns the whole text into UCS-2, and then it may take two segments.

use chrono::{DateTime, Utc};

use super::{Told, Urgency, bundle, gsm7, letter, line, shown};
use crate::notify::{AlertFacts, Body, BundleFacts, BundleRow, JUST, Message, TicketFacts};
use crate::sla::zone::Tz;

/// The septets in one segment.
const SEGMENT: usize = 160;
/// The units of UCS-2 in one segment, and in two together: a joined segment gives up three units for its number.
const WIDE_SEGMENT: usize = 70;
const TWO_WIDE_SEGMENTS: usize = 134;
/// The longest id. One in SuperOps' own format has 11 characters, but the tenant chooses the format.
const LONGEST_ID: usize = 16;
/// The fewest characters of a subject worth showing.
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
    // An id of unusual characters may leave no room: what happened matters more than how to answer.
    if code.is_some() && is_too_long(&text) { sms_with(message, None, now) } else { text }
}

fn is_too_long(text: &str) -> bool {
    match gsm7::septets(text) {
        Some(septets) => septets > SEGMENT,
        None => units(text) > TWO_WIDE_SEGMENTS,
    }
}

/// Converts our own `text` for a text message: the plain alphabet, one segment.
pub fn plain(text: &str) -> String {
    let known = |c: &char| gsm7::septets(c.encode_utf8(&mut [0; 4])).is_some();
    let folded = gsm7::fold(text).unwrap_or_else(|| text.chars().filter(known).collect());
    cut(&folded, SEGMENT, |text| gsm7::septets(text).unwrap_or(SEGMENT))
}

/// Returns how to answer and, last, the mark by which the message can be found again.
fn tail(reference: &str, code: Option<u8>, bundled: bool) -> String {
    match code {
        Some(code) if bundled => format!(". Reply {code}a to ack all #{reference}"),
        Some(code) => format!(". Reply {code}a to ack, {code}c to stop alerts #{reference}"),
        None => format!(" #{reference}"),
    }
}

/// Returns the mark by which a text message can be found at the provider: the last word of its text.
pub fn reference(key: &str) -> &str {
    key.get(..6).unwrap_or(key)
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// The parts of a text message in reading order, the most important first.
#[derive(Clone, Default)]
struct Draft {
    /// The state; short, and never cut.
    head: String,
    /// How much it matters; short, and left out if the plain alphabet cannot write it.
    priority: Option<String>,
    /// Stays, if only in part, with what joins it to the head.
    client: Option<(&'static str, String)>,
    /// What is due when, and the id; short, and never cut.
    what: String,
    /// Added while there is room, each with what joins it to the one before.
    extras: Vec<(&'static str, String)>,
    /// Added after those, each whole or not at all.
    whole: Vec<(&'static str, String)>,
}

fn draft(message: &Message, now: DateTime<Utc>) -> Draft {
    let zone = message.timezone;
    match &message.body {
        Body::Alert(facts) => alert(facts, now, zone),
        Body::Recovery(facts) if facts.ticket.service.is_some() => {
            service(&facts.ticket, letter::service_over(facts, now, zone), None)
        }
        Body::Recovery(facts) => {
            let (word, what) = letter::outcome(facts);
            let what = if word == letter::ENDED { format!("{}, {what}", facts.clock.words()) } else { what };
            Draft::about(&facts.ticket, &word.to_lowercase().replace("ok", "OK"), &what)
        }
        Body::Acknowledged(facts) => {
            Draft::about(&facts.ticket, "acknowledged", &letter::acknowledgement(facts, now, zone))
        }
        Body::Digest(facts) => {
            let Some(row) = facts.rows.first() else { return Draft::bare(letter::overdue(facts)) };
            let told =
                Told { clock: row.clock, urgency: Urgency::PastDue, due: row.due, working: row.working.as_ref() };
            let worst = format!("{} {}", row.ticket.shown_id(), told.due(now, zone));
            Draft {
                head: format!("SLA{}: {}", tenant_mark(facts.tenant()), letter::overdue(facts)),
                extras: vec![(". Worst: ", worst), (", ", row.ticket.whose()), (". ", row.ticket.shown_subject())],
                ..Draft::default()
            }
        }
        Body::Bundle(facts) => several(facts, now, zone),
        Body::Stale(facts) => {
            let reason = facts.fresh_at.is_none().then(|| (": ", line(&facts.reason, 150)));
            let head = letter::stale_state(facts, now, zone);
            Draft { head, extras: reason.into_iter().collect(), ..Draft::default() }
        }
        Body::Report(facts) => Draft::bare(format!("SLA report{}", letter::report_words(facts))),
        // Updates go out by mail only.
        Body::Update(facts) => Draft::bare(line(&facts.page, 80)),
        Body::Test => Draft::bare("Test: text messages from the SLA watch reach you".to_owned()),
    }
}

/// Words a bundle: `SLA (north): 2 breached, first was due 14:30 London. Worst: High, Harbour Dental: resolution.
/// 062822-0005 Mail server down. Also 062822-0006`.
fn several(facts: &BundleFacts, now: DateTime<Utc>, zone: Tz) -> Draft {
    let one_tenant = bundle::one_tenant(facts);
    let head = format!("SLA{}: {}", tenant_mark(one_tenant), bundle::sum(facts, now, zone));
    let ids = |glue| {
        facts
            .rows
            .iter()
            .skip(1)
            .enumerate()
            .map(move |(nth, row)| (if nth == 0 { glue } else { ", " }, bundle::id(row)))
    };
    let Some(row) = facts.rows.first() else { return Draft::bare(head) };
    let named = bundle::first_due(facts, now);
    let of_worst = [bundle::brief(row, named, now, zone), bundle::brief(row, bundle::due(row), now, zone)];
    let mut drafts = of_worst
        .into_iter()
        .map(|what| Draft { whole: ids(". Also ").collect(), ..Draft::worst(row, &head, &what, one_tenant.is_some()) });
    let ids_alone = Draft { whole: ids(". ").collect(), ..Draft::bare(head.clone()) };
    drafts.find(Draft::has_room).unwrap_or(ids_alone)
}

/// Returns ` (north)`, if the plain alphabet can write it.
fn tenant_mark(tenant: Option<&str>) -> String {
    let mark = shown(tenant, 12).map(|tenant| format!(" ({tenant})"));
    mark.filter(|mark| gsm7::fold(mark).is_some()).unwrap_or_default()
}

/// Words an alert about a component: `SLA: Web shop is down since 14:05 UTC (High, Harbour Dental)`.
fn service(ticket: &TicketFacts, state: String, detail: Option<&str>) -> Draft {
    let (priority, client) = (shown(ticket.priority.as_deref(), 10), shown(ticket.client.as_deref(), 30));
    let whose = priority.into_iter().chain(client).collect::<Vec<_>>().join(", ");
    let whose = Some(whose).filter(|whose| !whose.is_empty()).map(|whose| (" (", format!("{whose})")));
    let detail = detail.map(|detail| (": ", line(detail, 100)));
    let head = format!("SLA{}: {state}", tenant_mark(ticket.tenant.as_deref()));
    Draft { head, extras: whose.into_iter().chain(detail).collect(), ..Draft::default() }
}

/// Words an alert. For a breach that is only predicted, what to do comes right after the subject.
fn alert(facts: &AlertFacts, now: DateTime<Utc>, zone: Tz) -> Draft {
    if let Some(facts_of) = &facts.ticket.service {
        let state = letter::service_state(&facts.ticket, facts_of, facts.clock, now, zone);
        return service(&facts.ticket, state, facts_of.detail.as_deref());
    }
    let urgency = Urgency::of(facts.stage, facts.due, now);
    let told = Told { clock: facts.clock, urgency, due: facts.due, working: facts.working.as_ref() };
    let mut draft = Draft::about(&facts.ticket, &state(urgency), &told.due(now, zone));
    let room = facts.advice.as_ref().and_then(|advice| advice.room.as_ref());
    let room = room.map(|room| format!("{} has room", line(&room.name, 24)));
    let technician = shown(facts.ticket.technician.as_deref(), 24).unwrap_or_else(|| "Unassigned".to_owned());
    let span = told.span(now).filter(|span| span != JUST);
    let rest = room.into_iter().chain(span).chain([technician]);
    draft.whole.extend(rest.map(|part| (". ", part)));
    draft
}

/// Words the state: `BREACHED` in capitals, since a text message has no other way to raise its voice.
fn state(urgency: Urgency) -> String {
    match urgency {
        Urgency::Breached => "BREACHED".to_owned(),
        other => other.words().to_lowercase(),
    }
}

impl Draft {
    fn bare(head: String) -> Self {
        Self { head, ..Self::default() }
    }

    /// Words one ticket: `SLA at risk: High, Harbour Dental: first response due 14:30 London. 062822-0005 Mail server
    /// down`.
    fn about(ticket: &TicketFacts, state: &str, what: &str) -> Self {
        let tenant = tenant_mark(ticket.tenant.as_deref());
        // In units, not characters: an emoji counts twice.
        let id = cut(&ticket.shown_id(), LONGEST_ID, units);
        Self {
            head: format!("SLA {state}{tenant}: "),
            priority: shown(ticket.priority.as_deref(), 10).map(|priority| format!("{priority}, ")),
            client: Some(("", line(&ticket.shown_client(), 30))),
            what: format!(": {what}. {id}"),
            extras: vec![(" ", ticket.shown_subject())],
            whole: Vec::new(),
        }
    }

    /// Says `what` about `row`, the worst of several, after `head`; names its tenant unless it is that `of_all`.
    fn worst(row: &BundleRow, head: &str, what: &str, of_all: bool) -> Self {
        let ticket = bundle::ticket(row);
        let lead = if matches!(row, BundleRow::Alert { .. }) { "Worst: " } else { "" };
        let tenant = shown(ticket.tenant.as_deref(), 12).filter(|_| !of_all);
        let whose: String =
            [tenant, shown(ticket.priority.as_deref(), 10)].into_iter().flatten().map(|one| one + ", ").collect();
        let client = ticket.client.is_some() || ticket.service.is_none();
        let glue = if client { ": " } else { "" };
        let id = cut(&ticket.shown_id(), LONGEST_ID, units);
        let (what, subject) = match ticket.service {
            Some(_) => (format!("{glue}{id} {what}"), None),
            None => (format!("{glue}{what}. {id}"), Some(ticket.shown_subject())),
        };
        Self {
            head: format!("{head}. {lead}"),
            priority: Some(whose),
            client: client.then(|| ("", line(&ticket.shown_client(), 30))),
            what,
            extras: subject.map(|subject| (" ", subject)).into_iter().collect(),
            whole: Vec::new(),
        }
    }

    /// Whether everything essential fits, if only with a part of the client.
    fn has_room(&self) -> bool {
        const LONGEST_TAIL: &str = ". Reply 255a to ack all #a1b2c3";
        let least = |draft: &Self| Self { client: None, ..draft.clone() }.essence(LONGEST_TAIL);
        match self.folded() {
            Some(folded) => !is_too_long(&least(&folded)),
            None => units(&least(self)) <= TWO_WIDE_SEGMENTS,
        }
    }

    /// Converts it to the plain alphabet, without the extras that cannot be written in it; `None` if the rest cannot
    /// be.
    fn folded(&self) -> Option<Self> {
        let fold = |(glue, part): &(&'static str, String)| Some((*glue, gsm7::fold(part)?));
        Some(Self {
            head: fold_joined(&self.head)?,
            priority: self.priority.as_deref().and_then(fold_joined),
            client: match &self.client {
                Some(client) => Some(fold(client)?),
                None => None,
            },
            what: fold_joined(&self.what)?,
            extras: self.extras.iter().filter_map(fold).collect(),
            whole: self.whole.iter().filter_map(fold).collect(),
        })
    }

    /// Returns the essential text.
    fn essence(&self, tail: &str) -> String {
        let client = self.client.iter().flat_map(|(glue, client)| [*glue, client]).collect::<String>();
        format!("{}{}{client}{}{tail}", self.head, self.priority.as_deref().unwrap_or_default(), self.what)
    }

    /// Writes it in the plain alphabet if possible, otherwise in at most two segments.
    fn within(&self, tail: &str) -> String {
        match self.folded() {
            Some(folded) => folded.fit(tail, SEGMENT, |text| gsm7::septets(text).unwrap_or(SEGMENT)),
            None => {
                let fits_one = units(&self.essence(tail)) <= WIDE_SEGMENT;
                self.fit(tail, if fits_one { WIDE_SEGMENT } else { TWO_WIDE_SEGMENTS }, units)
            }
        }
    }

    /// Returns as much as fits `room`, ending with the tail.
    fn fit(&self, tail: &str, room: usize, measure: impl Fn(&str) -> usize) -> String {
        let mut text = format!("{}{}", self.head, self.priority.as_deref().unwrap_or_default());
        for (part, glue, shortest, after) in self.parts() {
            let left = room.saturating_sub(measure(&text) + measure(after) + measure(tail) + measure(glue));
            let part = cut(part, left, &measure);
            if !part.is_empty() && part.chars().count() >= shortest {
                text.push_str(glue);
                text.push_str(&part);
            }
            text.push_str(after);
        }
        text + tail
    }

    /// Returns each part with what joins it to the one before, the fewest characters worth showing of it, and what
    /// follows in any case.
    fn parts(&self) -> impl Iterator<Item = (&str, &'static str, usize, &str)> {
        let (glue, client) = self.client.as_ref().map_or(("", ""), |(glue, client)| (*glue, client.as_str()));
        let extras = self.extras.iter();
        let extras = extras.map(|(glue, extra)| (extra.as_str(), *glue, SHORTEST.min(extra.chars().count()), ""));
        let whole = self.whole.iter().map(|(glue, part)| (part.as_str(), *glue, part.chars().count(), ""));
        std::iter::once((client, glue, 1, self.what.as_str())).chain(extras).chain(whole)
    }
}

/// Converts `part` to the plain alphabet, keeping the space that joins it to the next.
fn fold_joined(part: &str) -> Option<String> {
    let joint = if part.ends_with(' ') { " " } else { "" };
    Some(gsm7::fold(part)? + joint)
}

/// Keeps as many whole characters of `text` as fit `room`, with a mark if any were cut.
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
