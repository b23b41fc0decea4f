//! What an email says, before it is rendered as text or HTML.
//!
//! Both parts of a mail are made from one letter, so they cannot disagree. The subject names the ticket and the clock,
//! nothing that changes: the state is in the first line, which a phone shows beside the subject.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Told, Urgency, line, local, local_in_full, sane, shown};
use crate::alert::{AlertKind, Closing, Reason};
use crate::notify::{
    AcknowledgedFacts, Advice, AlertFacts, Body, DigestFacts, DigestRow, Message, News, RecoveryFacts, ReportFacts,
    ServiceFacts, StaleFacts, TicketFacts, hours, words,
};
use crate::sla::zone::Tz;
use crate::ticket::ClockKind;

/// One email, as clean lines.
pub(super) struct Letter {
    pub subject: String,
    /// The first line: short, and sufficient by itself.
    pub headline: String,
    /// What a phone shows beside the subject before the mail is opened.
    pub preheader: String,
    pub urgency: Urgency,
    /// Why it goes to this person, if a later step than the first does that.
    pub why_you: Option<String>,
    /// The ticket that the headline is about.
    pub about: Option<String>,
    /// Its priority and client.
    pub whose: Option<String>,
    pub facts: Vec<(&'static str, String)>,
    pub why: Vec<String>,
    pub rows: Vec<Row>,
    pub closing: Vec<String>,
    /// What can be done about it, the most important first.
    pub links: Vec<Link>,
    /// How a subscriber ends the subscription.
    pub unsubscribe: Option<Link>,
}

/// One clock of a digest.
pub(super) struct Row {
    pub urgency: Urgency,
    /// How it stands.
    pub over: String,
    pub title: String,
    pub details: String,
    pub link: Option<String>,
}

pub(super) struct Link {
    pub label: String,
    pub url: String,
}

/// The label of the fact that also shows the wall-clock time left.
const DUE: &str = "Due";

/// How an alert that came to rest without an answer is described.
pub(super) const ENDED: &str = "Alert ended";

/// The most reasons shown: a message with more has been tampered with.
const MOST_REASONS: usize = 8;

impl Letter {
    pub(super) fn new(subject: String, headline: String, urgency: Urgency) -> Self {
        Self {
            subject,
            preheader: headline.clone(),
            headline,
            urgency,
            why_you: None,
            about: None,
            whose: None,
            facts: Vec::new(),
            why: Vec::new(),
            rows: Vec::new(),
            closing: Vec::new(),
            links: Vec::new(),
            unsubscribe: None,
        }
    }

    /// Adds `link` as the first action, or as a subscriber's way out. The page behind it asks for a click, since mail
    /// scanners follow links too.
    pub fn answered_by(mut self, link: Option<&str>, body: &Body) -> Self {
        let Some(url) = link.and_then(web_address) else { return self };
        let label = match body {
            Body::Update(facts) if facts.news != News::Confirm => {
                self.unsubscribe = Some(Link { label: "Unsubscribe".to_owned(), url });
                return self;
            }
            Body::Update(_) => "Confirm the subscription".to_owned(),
            Body::Bundle(facts) if facts.answerable() > 1 => {
                format!("Acknowledge all {}", facts.answerable())
            }
            _ => "Acknowledge".to_owned(),
        };
        self.links.insert(0, Link { label, url });
        self
    }

    /// Says why this person gets the alert: after the first step at once, and otherwise at the end.
    fn because(mut self, facts: &AlertFacts) -> Self {
        let because = shown(Some(&facts.because), 200).unwrap_or_else(|| "the configuration names you".to_owned());
        match facts.step {
            0 => self.closing = vec![format!("You get this because {because}.")],
            step => {
                let step = step.saturating_add(1);
                self.why_you = Some(format!("You get this because {because} (escalation step {step})."));
            }
        }
        self
    }

    fn about(mut self, ticket: &TicketFacts) -> Self {
        if ticket.service.is_some() {
            return self.about_service(ticket);
        }
        let whose = ticket.whose();
        self.preheader = format!("{}. {whose}, {}", self.headline, ticket.shown_technician());
        self.whose = Some(whose);
        self.about = Some(ticket.about());
        self.links = links(ticket);
        self
    }

    /// The headline already names the component.
    fn about_service(mut self, ticket: &TicketFacts) -> Self {
        self.whose = Some(ticket.whose()).filter(|whose| !whose.is_empty());
        self.preheader =
            self.whose.iter().fold(self.headline.clone(), |headline, whose| format!("{headline}. {whose}"));
        self.links = links(ticket);
        self
    }
}

pub(super) fn alert(facts: &AlertFacts, message: &Message, now: DateTime<Utc>) -> Letter {
    if let Some(service) = &facts.ticket.service {
        return service_alert(facts, service, message, now);
    }
    let urgency = Urgency::of(facts.stage, facts.due, now);
    let told = Told { clock: facts.clock, urgency, due: facts.due, working: facts.working.as_ref() };
    let headline = told.headline(now, message.timezone);
    let mut letter = Letter::new(subject(&facts.ticket, facts.clock), headline, urgency).about(&facts.ticket);
    letter.facts = ticket_facts(&facts.ticket, facts.due, message);
    if let Some((due, away)) = letter.facts.iter_mut().find(|(label, _)| *label == DUE).zip(told.by_the_clock(now)) {
        due.1 = format!("{}, {away}", due.1);
    }
    letter.facts.extend(facts.advice.as_ref().and_then(advice).map(|words| ("What to do", words)));
    letter.why = reasons(facts).collect();
    if let Some(hours) = shown(Some(&facts.hours), 200) {
        letter.why.push(format!("Working time is {hours}."));
    }
    letter.because(facts)
}

/// Returns why it is said now, without what the headline of a breach says already.
fn reasons(facts: &AlertFacts) -> impl Iterator<Item = String> {
    let missed = Reason::Missed.to_string();
    let news = facts.reasons.iter().filter(move |reason| **reason != missed);
    news.take(MOST_REASONS).filter_map(|reason| shown(Some(reason), 300))
}

fn service_alert(facts: &AlertFacts, service: &ServiceFacts, message: &Message, now: DateTime<Utc>) -> Letter {
    let ticket = &facts.ticket;
    let headline = service_state(ticket, service, facts.clock, now, message.timezone);
    let mut letter = Letter::new(subject(ticket, facts.clock), headline, Urgency::of_service(facts.stage));
    letter = letter.about_service(ticket);
    let (label, at) = match facts.clock {
        AlertKind::Certificate => ("Ends", facts.due),
        AlertKind::Budget => ("The period ends", facts.due),
        _ => ("Since", service.since),
    };
    letter.facts = vec![(label, local_in_full(at, message.timezone))];
    letter.why.extend(shown(service.detail.as_deref(), 300).map(|detail| match facts.clock {
        AlertKind::Budget => format!("{detail}."),
        _ => format!("What was seen: {detail}."),
    }));
    letter.why.extend(reasons(facts));
    letter.because(facts)
}

/// Words the state of a component: `Web shop is down since 14:05 UTC`.
pub(super) fn service_state(
    ticket: &TicketFacts,
    service: &ServiceFacts,
    kind: AlertKind,
    now: DateTime<Utc>,
    zone: Tz,
) -> String {
    let state = ticket.about();
    match kind {
        AlertKind::Outage | AlertKind::Heartbeat => format!("{state} since {}", local(service.since, now, zone)),
        _ => state,
    }
}

/// Words the end of a problem: `Web shop is up again since 14:10 UTC, after 5 min`.
pub(super) fn service_over(facts: &RecoveryFacts, now: DateTime<Utc>, zone: Tz) -> String {
    let name = facts.ticket.shown_id();
    let at = local(facts.met_at, now, zone);
    let length = words((sane(facts.met_at) - sane(facts.due)).max(TimeDelta::zero()));
    match (facts.closing, facts.clock) {
        (Closing::Met, AlertKind::Outage | AlertKind::Heartbeat) => {
            // One alert, but the outage began later: the service was up in between.
            let several = facts.ticket.service.as_ref().is_some_and(|service| service.since > facts.due);
            let what = if several { " of going up and down" } else { "" };
            format!("{name} is {} since {at}, after {length}{what}", service_done(facts.clock))
        }
        (Closing::Met, kind) => format!("{name}: {} {} since {at}", kind.words(), service_done(kind)),
        (closing, kind) => format!("{name}: {} alert ended, {}", kind.words(), closing.words()),
    }
}

fn service_done(kind: AlertKind) -> &'static str {
    match kind {
        AlertKind::Clock(_) => "done",
        AlertKind::Outage => "up again",
        AlertKind::Budget | AlertKind::Objective => "within its limits again",
        AlertKind::Certificate => "renewed",
        AlertKind::Heartbeat => "heard from again",
    }
}

/// Words what to do: who could take it on, or else what it should overtake. None if nothing is known to help.
fn advice(advice: &Advice) -> Option<String> {
    let room = advice.room.as_ref().and_then(|room| {
        let who = shown(Some(&room.name), 80)?;
        let group = shown(advice.group.as_deref(), 80).map(|group| format!(" of {group}")).unwrap_or_default();
        let tickets = if room.open == 1 { "1 open ticket".to_owned() } else { format!("{} open tickets", room.open) };
        let on_call = if room.on_call { "is on call and " } else { "" };
        Some(format!("hand it to {who}{group}, who {on_call}has {tickets}"))
    });
    let ahead = match advice.ahead {
        0 => None,
        1 => Some("1 older ticket is ahead of it in the group".to_owned()),
        count => Some(format!("{count} older tickets are ahead of it in the group")),
    };
    match (room, ahead) {
        (Some(room), Some(ahead)) => Some(format!("{room}; {ahead}")),
        (None, Some(ahead)) => Some(format!("see if it can be done first; {ahead}")),
        (room, None) => room,
    }
}

pub(super) fn recovery(facts: &RecoveryFacts, message: &Message, now: DateTime<Utc>) -> Letter {
    if facts.ticket.service.is_some() {
        let over = service_over(facts, now, message.timezone);
        let mut letter = Letter::new(subject(&facts.ticket, facts.clock), over, Urgency::Met);
        letter = letter.about_service(&facts.ticket);
        letter.closing = vec!["You get this because you were alerted before.".to_owned()];
        return letter;
    }
    let (word, standing) = outcome(facts);
    let headline = format!("{word}: {standing}");
    let mut letter = Letter::new(subject(&facts.ticket, facts.clock), headline, Urgency::Met).about(&facts.ticket);
    let ended = if word == ENDED { "Ended" } else { "Done" };
    letter.facts = vec![(ended, local(facts.met_at, now, message.timezone))];
    letter.facts.extend(ticket_facts(&facts.ticket, facts.due, message));
    letter.closing = vec!["You get this because you were alerted before.".to_owned()];
    letter
}

pub(super) fn acknowledged(facts: &AcknowledgedFacts, message: &Message, now: DateTime<Utc>) -> Letter {
    let headline = format!("Acknowledged: {}", acknowledgement(facts, now, message.timezone));
    let mut letter = Letter::new(subject(&facts.ticket, facts.clock), headline, Urgency::Plain).about(&facts.ticket);
    if facts.ticket.service.is_none() {
        letter.facts = ticket_facts(&facts.ticket, facts.due, message);
    }
    letter.closing = vec!["You get this because you were alerted before.".to_owned()];
    letter
}

/// Words an acknowledgement: `resolution, by Mia at 14:05 BST`; with the name of a component, which nothing else
/// mentions.
pub(super) fn acknowledgement(facts: &AcknowledgedFacts, now: DateTime<Utc>, zone: Tz) -> String {
    let by = shown(Some(&facts.by), 40).unwrap_or_else(|| "somebody".to_owned());
    let service = facts.ticket.service.as_ref().map(|_| facts.ticket.shown_id() + " ").unwrap_or_default();
    format!("{service}{}, by {by} at {}", facts.clock.words(), local(facts.at, now, zone))
}

/// Words an outcome: `OK` and `first response given 12 min before it was due`; `Alert ended` and `clock paused`.
pub(super) fn outcome(facts: &RecoveryFacts) -> (&'static str, String) {
    if !matches!(facts.closing, Closing::Met | Closing::ClosedLate) {
        return (ENDED, facts.closing.words().to_owned());
    }
    let done = match facts.clock {
        AlertKind::Clock(ClockKind::FirstResponse) => "first response given",
        AlertKind::Clock(ClockKind::Resolution) => "resolved",
        AlertKind::Clock(ClockKind::NextResponse) => "answer given",
        other => return ("OK", service_done(other).to_owned()),
    };
    let wall = sane(facts.due) - sane(facts.met_at);
    let left = facts.working.as_ref().map_or(wall, |working| working.left(facts.met_at));
    let length = |length| match facts.working {
        Some(_) => format!("{} of working time", hours(length)),
        None => words(length),
    };
    if left < TimeDelta::zero() {
        ("Late", format!("{done} {} after it was due", length(-left)))
    } else {
        ("OK", format!("{done} {} before it was due", length(left)))
    }
}

pub(super) fn digest(facts: &DigestFacts, message: &Message, now: DateTime<Utc>) -> Letter {
    let headline = overdue(facts);
    let mut letter = Letter::new(format!("{} {headline}", mark(facts.tenant())), headline, Urgency::Breached);
    letter.rows = facts.rows.iter().map(|row| digest_row(row, message, now)).collect();
    if facts.more > 0 {
        letter.closing.push(format!("And {} more.", facts.more));
    }
    let once = match facts.rows.len() as u64 + u64::from(facts.more) {
        1 => "You are told of it only once.",
        _ => "You are told of them only once, all together, earliest due first.",
    };
    letter.closing.push(once.to_owned());
    letter
}

/// Words the headline of a digest: `14 tickets were overdue when monitoring began`.
pub(super) fn overdue(facts: &DigestFacts) -> String {
    let tickets: BTreeSet<_> = facts.rows.iter().map(|row| (&row.ticket.tenant, &row.ticket.id)).collect();
    // Only the number of unlisted rows is known, and a ticket has more than one clock.
    match (tickets.len(), facts.more as usize) {
        (1, 0) => "1 ticket was overdue when monitoring began".to_owned(),
        (tickets, 0) => format!("{tickets} tickets were overdue when monitoring began"),
        (_, more) => format!("{} targets were overdue when monitoring began", facts.rows.len() + more),
    }
}

impl DigestFacts {
    /// Returns the tenant that all of it is about, if there are several tenants but it is about one.
    pub(super) fn tenant(&self) -> Option<&str> {
        same(self.rows.iter().map(|row| row.ticket.tenant.as_deref()))
    }
}

fn digest_row(row: &DigestRow, message: &Message, now: DateTime<Utc>) -> Row {
    let told = Told { clock: row.clock, urgency: Urgency::PastDue, due: row.due, working: row.working.as_ref() };
    let over = told.span(now).unwrap_or_default();
    Row::of(&row.ticket, Urgency::PastDue, over, &told.due(now, message.timezone))
}

impl Row {
    /// Creates a row with `over` above the ticket, and `what` about its clock.
    pub(super) fn of(ticket: &TicketFacts, urgency: Urgency, over: String, what: &str) -> Self {
        Self {
            urgency,
            over,
            title: ticket.about(),
            details: match ticket.service {
                Some(_) if ticket.whose().is_empty() => what.to_owned(),
                Some(_) => format!("{}: {what}", ticket.whose()),
                None => format!("{}: {what}, {}", ticket.whose(), ticket.shown_technician()),
            },
            link: links(ticket).into_iter().next().map(|link| link.url),
        }
    }
}

pub(super) fn stale(facts: &StaleFacts, message: &Message, now: DateTime<Utc>) -> Letter {
    let state = stale_state(facts, now, message.timezone);
    let (headline, urgency) = match facts.fresh_at {
        None => (format!("{state}: {}", line(&facts.reason, 200)), Urgency::PastDue),
        Some(_) => (state, Urgency::Met),
    };
    let tenant = line(&facts.tenant, 40);
    let subject = match &facts.outpost {
        Some(outpost) => format!("[SLA] {tenant}: outpost {}", line(outpost, 40)),
        None => format!("[SLA] {tenant}: stale data from SuperOps"),
    };
    let mut letter = Letter::new(subject, headline, urgency);
    if facts.fresh_at.is_none() {
        letter.why.extend(shown(facts.advice.as_deref(), 300).map(|advice| format!("What to do: {advice}.")));
        letter.closing.push(
            match facts.outpost {
                Some(_) => "Until then the other places decide without it; services that only it looks at are unknown.",
                None => "Until then alerts go by the last data read; what has happened since is not known.",
            }
            .to_owned(),
        );
    }
    let because = match shown(facts.because.as_deref(), 100) {
        Some(because) => format!("{because}, and the configuration names nobody for warnings about stale data"),
        None => "the configuration names this address for warnings about stale data".to_owned(),
    };
    letter.closing.push(format!("You get this because {because}."));
    letter
}

/// Words how stale data stands: `SLA data of acme is stale since 14:05 UTC`, or how long it was; likewise for an
/// outpost.
pub(super) fn stale_state(facts: &StaleFacts, now: DateTime<Utc>, zone: Tz) -> String {
    let (whose, stale, fresh) = match &facts.outpost {
        Some(outpost) => (format!("Outpost {}", line(outpost, 40)), "silent", "heard"),
        None => (format!("SLA data of {}", line(&facts.tenant, 40)), "stale", "fresh"),
    };
    match facts.fresh_at {
        None => format!("{whose} is {stale} since {}", local(facts.since, now, zone)),
        Some(at) => {
            let length = words((sane(at) - sane(facts.since)).max(TimeDelta::zero()));
            format!("{whose} is {fresh} again since {}, after {length}", local(at, now, zone))
        }
    }
}

/// Figures that the mail itself shows, by their keys.
const IN_SHORT: [(&str, &str); 4] = [
    ("compliance", "Compliance"),
    ("breaches", "Breaches"),
    ("response_median", "Median first response"),
    ("resolution_median", "Median resolution"),
];

pub(super) fn report(facts: &ReportFacts, message: &Message) -> Letter {
    let words = report_words(facts);
    let (subject, headline) =
        (format!("{} Report{words}", mark(facts.tenant.as_deref())), format!("SLA report{words}"));
    let mut letter = Letter::new(subject, headline, Urgency::Plain);
    let figure = |(key, label): (&str, &'static str)| {
        let (_, words) = facts.figures.iter().find(|(known, _)| known == key)?;
        Some((label, line(words, 120)))
    };
    letter.facts = IN_SHORT.into_iter().filter_map(figure).collect();
    letter.facts.push((
        "Figures",
        match facts.provisional_until {
            None => "final: all months are closed".to_owned(),
            Some(until) => {
                let until = sane(until).with_timezone(&message.timezone);
                format!("may still move until {}", until.format("%-d %B %Y"))
            }
        },
    ));
    letter.facts.push(("SHA-256", line(&facts.hash, 64)));
    for name in &facts.too_large {
        letter.closing.push(format!("{} is too large to attach; it is in the archive of reports.", line(name, 120)));
    }
    letter.closing.push(format!("You get this because the schedule “{}” names you.", line(&facts.schedule, 80)));
    letter
}

/// Words what a report covers: ` on Globex, 1 October to 31 October 2026`.
pub(super) fn report_words(facts: &ReportFacts) -> String {
    let of = shown(facts.client.as_deref(), 80).map(|client| format!(" on {client}")).unwrap_or_default();
    format!("{of}, {} to {}", facts.from.format("%-d %B"), facts.to.format("%-d %B %Y"))
}

pub(super) fn test() -> Letter {
    let headline = "Email from the SLA watch reaches you".to_owned();
    let mut letter = Letter::new("[SLA] Test message".to_owned(), headline, Urgency::Plain);
    letter.closing = vec!["Somebody ran `superops-sla check --send-test` with your address.".to_owned()];
    letter
}

/// Returns `[SLA]`, or `[SLA acme]` if there are several tenants.
pub(super) fn mark(tenant: Option<&str>) -> String {
    shown(tenant, 40).map_or("[SLA]".to_owned(), |tenant| format!("[SLA {tenant}]"))
}

/// Returns what all of these are, if they are the same.
pub(super) fn same<'a>(mut all: impl Iterator<Item = Option<&'a str>>) -> Option<&'a str> {
    let first = all.next().flatten()?;
    all.all(|one| one == Some(first)).then_some(first)
}

/// Words the subject: `[SLA] 062822-0005 first response: Mail server down (Harbour Dental)`, or `[SLA] Nightly backup:
/// heartbeat missed`.
///
/// The id and the clock come first: a phone shows some thirty characters.
fn subject(ticket: &TicketFacts, clock: AlertKind) -> String {
    let mark = mark(ticket.tenant.as_deref());
    let stem = match ticket.service {
        Some(_) => format!("{mark} {}: {}", ticket.shown_id(), trouble(clock)),
        None => format!("{mark} {} {}: {}", ticket.shown_id(), clock.words(), ticket.shown_subject()),
    };
    match shown(ticket.client.as_deref(), 40) {
        Some(client) => format!("{stem} ({client})"),
        None => stem,
    }
}

/// Names what happened to a component, at whatever stage: all mails of a thread have one subject.
fn trouble(kind: AlertKind) -> &'static str {
    match kind {
        AlertKind::Clock(_) | AlertKind::Outage => kind.words(),
        AlertKind::Budget => "too much downtime",
        AlertKind::Objective => "outside its objectives",
        AlertKind::Certificate => "certificate to be renewed",
        AlertKind::Heartbeat => "heartbeat missed",
    }
}

/// Returns the facts that are not in the head of the letter.
fn ticket_facts(ticket: &TicketFacts, due: DateTime<Utc>, message: &Message) -> Vec<(&'static str, String)> {
    let optional = [("Status", &ticket.status), ("SLA", &ticket.sla)];
    let mut facts = vec![(DUE, local_in_full(due, message.timezone)), ("Technician", technician(ticket))];
    facts.extend(optional.into_iter().filter_map(|(label, text)| Some((label, shown(text.as_deref(), 80)?))));
    facts
}

/// Words who has the ticket, or which group's queue it is in while nobody has it.
fn technician(ticket: &TicketFacts) -> String {
    match (&ticket.technician, shown(ticket.group.as_deref(), 80)) {
        (None, Some(group)) => format!("unassigned, in group {group}"),
        _ => ticket.shown_technician(),
    }
}

pub(super) fn links(ticket: &TicketFacts) -> Vec<Link> {
    let page = if ticket.service.is_some() { "Open the service" } else { "How this was worked out" };
    let known = [("Open in SuperOps", &ticket.superops_url), (page, &ticket.page_url)];
    let link = |(label, url): (&str, &Option<String>)| {
        Some(Link { label: label.to_owned(), url: web_address(url.as_deref()?)? })
    };
    known.into_iter().filter_map(link).collect()
}

/// Returns `url` if a mail program may open it; a ticket's id is part of it and comes from outside.
pub fn web_address(url: &str) -> Option<String> {
    let web = url.starts_with("https://") || url.starts_with("http://");
    let clean =
        !url.chars().any(|c| c.is_whitespace() || c.is_control() || super::is_invisible(c) || "<>\"".contains(c));
    (web && clean && url.len() <= 500).then(|| line(url, 500))
}
