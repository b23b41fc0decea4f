//! What the page says, before it is rendered in any format.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};

use crate::config::Config;
use crate::config::uptime::{Component, StatusPage};
use crate::monitor::board::StatusBoard;
use crate::service::uptime::{DAYS_SHOWN, terms};
use crate::ticket::TenantId;
use crate::uptime::availability::{Figure, figure};
use crate::uptime::book::{Book, ComponentEntry};
use crate::uptime::days;
use crate::uptime::incident::{Announcements, Impact, Incident, Update, Work};
use crate::uptime::{Condition, DAY, Millis};

/// Everything that the page says.
#[derive(Clone, Debug)]
pub struct Model {
    pub title: String,
    pub contact: Option<String>,
    /// Whether people can subscribe here to be told by mail.
    pub subscriptions: bool,
    /// The client whose services alone the page shows; `None` if it is for everybody.
    pub client: Option<String>,
    /// The page's address, without a trailing slash; `None` if only its path is known.
    pub url: Option<String>,
    /// Whether it is a copy that is served from elsewhere, with its documents beside it.
    pub is_copy: bool,
    pub at: Millis,
    /// How the services stand by what was measured.
    pub measured: Condition,
    /// The worst impact of an incident that is shown and open.
    pub impact: Impact,
    /// Only public ones, in the order of the configuration.
    pub components: Vec<PublicComponent>,
    /// Latest first.
    pub incidents: Vec<PublicIncident>,
    /// Upcoming and running windows, in order.
    pub maintenance: Vec<PublicMaintenance>,
}

/// A service, as clients see it.
#[derive(Clone, Debug)]
pub struct PublicComponent {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub condition: Condition,
    /// Whether it can be in a partial outage and, where it was last known, was not merely slow.
    pub is_partial: bool,
    /// The last condition before it became unknown.
    pub last_known: Condition,
    pub since: Millis,
    pub changed_at: Millis,
    pub members: Vec<String>,
    pub days: Vec<PublicDay>,
    /// In thousandths of a percent, over the days shown.
    pub uptime: Option<u32>,
    /// How much of the days shown is not known.
    pub unknown: Millis,
    /// The announced end of the maintenance that is under way.
    pub worked_on_until: Option<Millis>,
}

/// One day of a service.
#[derive(Clone, Copy, Debug)]
pub struct PublicDay {
    pub date: NaiveDate,
    pub figure: Figure,
    /// The worst condition of the day; `None` if nobody looked.
    pub worst: Option<Condition>,
}

/// An incident, as clients are told of it.
#[derive(Clone, Debug)]
pub struct PublicIncident {
    pub id: String,
    pub title: String,
    /// investigating | identified | monitoring | resolved
    pub status: &'static str,
    /// none | minor | major | critical
    pub impact: &'static str,
    pub components: Vec<String>,
    pub started_at: Millis,
    pub resolved_at: Option<Millis>,
    /// Latest first.
    pub updates: Vec<PublicUpdate>,
}

/// One update on an incident.
#[derive(Clone, Debug)]
pub struct PublicUpdate {
    /// Never changes: feed readers go by it.
    pub id: String,
    pub status: &'static str,
    pub text: String,
    pub at: Millis,
}

/// Announced maintenance.
#[derive(Clone, Debug)]
pub struct PublicMaintenance {
    pub id: String,
    pub title: String,
    pub text: String,
    pub components: Vec<String>,
    pub from: Millis,
    pub until: Millis,
    pub announced_at: Millis,
    pub changed_at: Millis,
    /// It was called off.
    pub cancelled: bool,
    /// How often it was changed.
    pub revision: u32,
}

impl Model {
    /// Builds the page at `now` for the components that `shows` selects.
    pub fn of(
        config: &Config,
        page: &StatusPage,
        board: &StatusBoard,
        announcements: &Announcements,
        shows: impl Fn(&Component) -> bool,
        now: Millis,
    ) -> Self {
        let shown: Vec<&Component> = config.uptime.components.iter().filter(|one| shows(one)).collect();
        let ids: Vec<&str> = shown.iter().map(|one| one.id.as_str()).collect();
        let known = shown.iter().filter_map(|one| Some((*one, board.book.component(&one.id)?)));
        let components: Vec<_> =
            known.map(|(one, entry)| component(config, one, (entry, &board.book), announcements, &ids, now)).collect();
        Self {
            title: page.title.clone(),
            contact: page.contact.clone(),
            subscriptions: page.subscriptions,
            client: None,
            url: config.server.public_url.as_ref().map(|url| format!("{url}/status")),
            is_copy: false,
            at: now,
            measured: measured(&components),
            impact: impact(announcements, &ids),
            components,
            incidents: incidents(announcements, &ids),
            maintenance: maintenance(announcements, &ids, now),
        }
    }

    /// Builds the page for `client` alone, with all of their services. It names no address of ours: its readers have
    /// the link.
    pub fn of_client(
        config: &Config,
        page: &StatusPage,
        (board, announcements): (&StatusBoard, &Announcements),
        (tenant, client): (&TenantId, &str),
        now: Millis,
    ) -> Self {
        let is_theirs = |one: &Component| one.tenant == *tenant && one.client.as_deref() == Some(client);
        let all = Self::of(config, page, board, announcements, is_theirs, now);
        Self { client: Some(client.to_owned()), url: None, ..all }
    }

    /// Turns the page into a copy reached at `url`, if that is known. A copy has no form for subscribing, as nobody
    /// there could receive it.
    pub fn copied(self, url: Option<String>) -> Self {
        let url = url.map(|url| url.trim_end_matches('/').to_owned());
        Self { subscriptions: false, is_copy: true, url, ..self }
    }

    /// Returns how everything stands: as it was measured, or worse if an open incident says so.
    pub fn overall(&self) -> Condition {
        let told = match self.impact {
            Impact::None => Condition::Up,
            Impact::Minor | Impact::Major => Condition::Degraded,
            Impact::Critical => Condition::Down,
        };
        self.measured.max(told)
    }

    /// Returns the components that belong to no group on the page.
    pub fn top(&self) -> impl Iterator<Item = &PublicComponent> {
        self.components.iter().filter(|one| self.group_of(&one.id).is_none())
    }

    /// Returns the members of a group.
    pub fn members<'a>(&'a self, group: &'a PublicComponent) -> impl Iterator<Item = &'a PublicComponent> {
        group.members.iter().filter_map(|id| self.components.iter().find(|one| one.id == *id))
    }

    /// Returns the first group that `id` belongs to.
    pub fn group_of(&self, id: &str) -> Option<&PublicComponent> {
        self.components.iter().find(|one| one.members.iter().any(|member| member == id))
    }

    /// Returns the display name of the component `id`.
    pub fn name_of<'a>(&'a self, id: &'a str) -> &'a str {
        self.components.iter().find(|one| one.id == id).map_or(id, |one| one.name.as_str())
    }
}

impl PublicComponent {
    /// Returns how it stands, in a word or two.
    pub fn words(&self) -> &'static str {
        match self.condition {
            _ if self.worked_on_until.is_some() => "Maintenance",
            Condition::Up => "Operational",
            Condition::Unknown => "Not known now",
            Condition::Degraded if self.is_partial => "Partial outage",
            Condition::Degraded => "Degraded",
            Condition::Down => "Down",
        }
    }
}

/// Returns the public incidents that affect what is shown, limited to the components shown.
fn incidents(announcements: &Announcements, shown: &[&str]) -> Vec<PublicIncident> {
    public(announcements, shown).take(INCIDENTS_MOST).map(|one| incident(one, shown)).collect()
}

fn impact(announcements: &Announcements, shown: &[&str]) -> Impact {
    let open = public(announcements, shown).filter(|one| one.resolved_at.is_none());
    open.map(|one| one.impact).max().unwrap_or(Impact::None)
}

fn public<'a>(announcements: &'a Announcements, shown: &'a [&'a str]) -> impl Iterator<Item = &'a Incident> {
    announcements.incidents.iter().filter(move |one| one.public && touches(&one.components, shown))
}

fn incident(one: &Incident, shown: &[&str]) -> PublicIncident {
    let said = one.updates.iter().rev().filter(|update| !update.text.is_empty());
    PublicIncident {
        id: one.id.clone(),
        title: one.title.clone(),
        status: one.progress.as_str(),
        impact: one.impact.as_str(),
        components: those_of(&one.components, shown),
        started_at: one.started_at,
        resolved_at: one.resolved_at,
        updates: said.map(|update| public_update(one, update)).collect(),
    }
}

fn public_update(one: &Incident, update: &Update) -> PublicUpdate {
    PublicUpdate {
        id: format!("{}-{}", one.id, update.number),
        status: update.progress.as_str(),
        text: update.text.clone(),
        at: update.at,
    }
}

/// Returns windows that have not ended, including those that were called off.
fn maintenance(announcements: &Announcements, shown: &[&str], now: Millis) -> Vec<PublicMaintenance> {
    let public =
        announcements.works.iter().filter(|one| one.public && one.until > now && touches(&one.components, shown));
    let view = |one: &Work| PublicMaintenance {
        id: one.id.clone(),
        title: one.title.clone(),
        text: one.text.clone(),
        components: those_of(&one.components, shown),
        from: one.from,
        until: one.until,
        announced_at: one.announced_at,
        changed_at: one.changed_at,
        revision: one.revision,
        cancelled: one.cancelled,
    };
    public.take(INCIDENTS_MOST).map(view).collect()
}

fn touches(components: &[String], shown: &[&str]) -> bool {
    components.iter().any(|one| shown.contains(&one.as_str()))
}

fn those_of(components: &[String], shown: &[&str]) -> Vec<String> {
    components.iter().filter(|one| shown.contains(&one.as_str())).cloned().collect()
}

fn component(
    config: &Config,
    one: &Component,
    (entry, book): (&ComponentEntry, &Book),
    announcements: &Announcements,
    shown: &[&str],
    now: Millis,
) -> PublicComponent {
    let mut terms = terms(config.uptime.promise(&one.id));
    // A day is shown as it was, whatever a contract counts or leaves out.
    (terms.whole_minutes, terms.hours) = (false, None);
    let circumstances = book.circumstances_of(&one.id, announcements);
    let record = entry.record(&circumstances);
    let today = days::date_of(terms.zone, now);
    let first = today - chrono::Days::new((DAYS_SHOWN - 1).unsigned_abs());
    let day = |(date, day)| {
        let figure = figure(&record, &terms, day, now);
        PublicDay { date, figure, worst: worst(&figure) }
    };
    let whole = figure(&record, &terms, (days::midnight(terms.zone, first), now), now);
    let spans = entry.line.spans();
    let last_known = spans.iter().rev().find(|span| span.condition != Condition::Unknown);
    let known_until = last_known.and_then(|span| span.until).map_or(now, |until| until - 1);
    let is_slow = circumstances.slow.iter().any(|(from, until)| (*from..*until).contains(&known_until));
    PublicComponent {
        id: one.id.clone(),
        name: one.name.clone(),
        description: one.description.clone(),
        condition: entry.condition(),
        is_partial: one.has_partial_outages() && !is_slow,
        last_known: last_known.map_or(Condition::Up, |span| span.condition),
        since: entry.since,
        changed_at: entry.changed_at(),
        members: one.of.iter().filter(|id| shown.contains(&id.as_str())).cloned().collect(),
        days: days::days(terms.zone, first, today).map(day).collect(),
        uptime: whole.availability(),
        unknown: whole.unknown,
        worked_on_until: book.worked_on_until(&one.id, announcements, now),
    }
}

fn worst(figure: &Figure) -> Option<Condition> {
    match figure {
        Figure { down: 1.., .. } => Some(Condition::Down),
        Figure { degraded: 1.., .. } => Some(Condition::Degraded),
        Figure { counted: 1.., .. } => Some(Condition::Up),
        _ => None,
    }
}

/// Returns the worst condition of the components outside any group. Announced maintenance makes nothing look bad.
fn measured(components: &[PublicComponent]) -> Condition {
    let is_member = |id: &str| components.iter().any(|other| other.members.iter().any(|member| member == id));
    let top = components.iter().filter(|one| !is_member(&one.id) && one.worked_on_until.is_none());
    top.map(|one| one.condition).max().unwrap_or(if components.is_empty() { Condition::Unknown } else { Condition::Up })
}

/// `21 Nov 2026, 14:05 UTC`
pub fn moment(at: Millis) -> impl fmt::Display {
    instant(at).format("%-d %b %Y, %H:%M UTC")
}

/// Formats a time for machines.
pub fn rfc3339(at: Millis) -> String {
    instant(at).to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

pub(super) fn instant(at: Millis) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at).unwrap_or_default()
}

/// Formats a length of time for people.
pub fn length(time: Millis) -> String {
    let minutes = (time + 30_000) / 60_000;
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, 0) => "under a minute".to_owned(),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// The most incidents, and maintenance windows, on a page.
const INCIDENTS_MOST: usize = 50;

/// How far back the page looks.
pub const PAST: Millis = DAYS_SHOWN * DAY;
