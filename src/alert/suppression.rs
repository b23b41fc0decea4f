//! Silences and maintenance windows: for a while nobody is told of some alerts.
//!
//! They cover an alert but do not change it: it is recorded and shown, and its
//! steps wait. When the last of them ends, the step that is current then runs
//! once, if the alert is still open.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::subject::{Subject, SubjectKind};
use crate::ticket::TenantId;

/// Why nobody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuppressionKind {
    /// Somebody does not want to hear of it.
    Silence,
    /// Work is being done that makes alerts meaningless.
    Maintenance,
}

impl SuppressionKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Silence, Self::Maintenance];

    /// Returns the name used in texts for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Silence => "silence",
            Self::Maintenance => "maintenance window",
        }
    }
}

/// Which tickets and components are covered. None matches all; each value may be a name or an id, in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matchers {
    pub client: Option<String>,
    /// The ticket's id or the number that people are shown.
    pub ticket: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    pub priority: Option<String>,
    pub technician: Option<String>,
}

/// Writes `client Globex, priority High`, or `everything`.
impl fmt::Display for Matchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, ticket, component, priority, technician } = self;
        let named = [
            ("client", client),
            ("ticket", ticket),
            ("component", component),
            ("priority", priority),
            ("technician", technician),
        ];
        let parts: Vec<_> =
            named.iter().filter_map(|(what, name)| Some(format!("{what} {}", name.as_ref()?))).collect();
        if parts.is_empty() { f.write_str("everything") } else { f.write_str(&parts.join(", ")) }
    }
}

impl Matchers {
    /// Whether `subject` matches.
    pub fn matches(&self, subject: Subject<'_>) -> bool {
        let called = [subject.display_id, subject.id];
        let (ticket, component) = match subject.kind {
            SubjectKind::Ticket => (Some(called), None),
            SubjectKind::Component => (None, Some(called)),
        };
        is_one_of(&self.client, subject.client.map(|client| [client.name.as_str(), client.id.as_str()]))
            && is_one_of(&self.ticket, ticket)
            && is_one_of(&self.component, component)
            && is_one_of(&self.priority, subject.priority.map(|priority| [priority]))
            && is_one_of(&self.technician, subject.owner.map(|person| [person.name.as_str(), person.id.as_str()]))
    }
}

fn is_one_of<const N: usize>(wanted: &Option<String>, found: Option<[&str; N]>) -> bool {
    let fold = |text: &str| text.trim().to_lowercase();
    wanted.as_deref().is_none_or(|wanted| found.into_iter().flatten().any(|name| fold(name) == fold(wanted)))
}

/// A silence or a maintenance window.
#[derive(Clone, Debug, PartialEq)]
pub struct Suppression {
    pub kind: SuppressionKind,
    pub id: i64,
    pub tenant: TenantId,
    pub matchers: Matchers,
    pub from: DateTime<Utc>,
    /// The first moment after it.
    pub until: DateTime<Utc>,
    pub author: String,
    pub reason: String,
    /// When somebody ended it early.
    pub ended_at: Option<DateTime<Utc>>,
}

impl Suppression {
    /// Whether it is in force at `now`.
    pub fn holds(&self, now: DateTime<Utc>) -> bool {
        self.from <= now && now < self.until && self.ended_at.is_none_or(|ended| now < ended)
    }

    /// Whether it covers `subject` at `now`, so that nobody is told of it.
    pub fn covers(&self, subject: Subject<'_>, now: DateTime<Utc>) -> bool {
        self.holds(now) && self.matchers.matches(subject)
    }
}

/// Returns until when nobody is told of `subject`: the end of the suppressions that cover it at `now` and of those that
/// follow without a gap. None if nothing covers it.
pub fn covered_until(suppressions: &[Suppression], subject: Subject<'_>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let later = |at| {
        suppressions
            .iter()
            .filter(move |suppression| suppression.covers(subject, at))
            .map(|suppression| suppression.until)
    };
    let mut until = later(now).max()?;
    while let Some(end) = later(until).max() {
        until = end;
    }
    Some(until)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ticket::tests::sample;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + chrono::TimeDelta::minutes(minute)
    }

    fn suppression(client: Option<&str>, from: i64, until: i64) -> Suppression {
        Suppression {
            kind: SuppressionKind::Silence,
            id: 1,
            tenant: TenantId::parse("acme").unwrap(),
            matchers: Matchers { client: client.map(str::to_owned), ..Matchers::default() },
            from: at(from),
            until: at(until),
            author: "mia".to_owned(),
            reason: "noise".to_owned(),
            ended_at: None,
        }
    }

    #[test]
    fn a_ticket_is_covered_until_the_last_of_those_that_follow_each_other_ends() {
        let ended = Suppression { ended_at: Some(at(5)), ..suppression(None, 0, 90) };
        let cases = [
            ("nothing", vec![], None),
            ("one", vec![suppression(None, 0, 20)], Some(20)),
            ("one within another", vec![suppression(None, 0, 20), suppression(None, 0, 30)], Some(30)),
            ("one after another", vec![suppression(None, 0, 20), suppression(None, 20, 30)], Some(30)),
            ("a gap between", vec![suppression(None, 0, 20), suppression(None, 21, 30)], Some(20)),
            ("one to come", vec![suppression(None, 11, 20)], None),
            ("one that is over", vec![suppression(None, 0, 10)], None),
            ("one that was ended", vec![ended], None),
            ("another client's", vec![suppression(Some("nobody"), 0, 20)], None),
        ];
        let (tenant, ticket) = (TenantId::parse("acme").unwrap(), sample("7"));
        let subject = Subject::of_ticket(&tenant, &ticket);
        for (name, suppressions, expected) in cases {
            assert_eq!(covered_until(&suppressions, subject, at(10)), expected.map(at), "{name}");
        }
    }
}
