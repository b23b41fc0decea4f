//! Counts the messages to each person and day: if there are too many, none is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Timelike, Utc};
use serde::Serialize;

use crate::simulator::Simulator;
use crate::simulator::receivers::{Caught, CaughtKind};
use crate::sla::zone::Tz;
use crate::store::{Store, StoreError};

/// How soon a breach must be told.
const IN_TIME: TimeDelta = TimeDelta::minutes(1);
/// The local hours of the night: from the first on, or before the second.
const NIGHT: (u32, u32) = (22, 7);

/// What people were sent, by email and text message.
#[derive(Debug, Serialize)]
pub struct Said {
    /// The most that one person got on one day, and the median over everybody's days on which they got anything.
    pub most_in_a_day: usize,
    pub median_a_day: usize,
    pub texts_at_night: usize,
    /// Alerts that rose to a breach while watched.
    pub breaches: usize,
    /// How many of those somebody was told of beforehand or within a minute.
    pub breaches_told_in_time: usize,
    /// Those who got most come first.
    pub people: Vec<Person>,
}

/// What one person got.
#[derive(Debug, Serialize)]
pub struct Person {
    pub name: String,
    pub emails: usize,
    pub texts: usize,
    pub texts_at_night: usize,
    /// On how many days this person got anything.
    pub days: usize,
    pub most_in_a_day: usize,
}

impl Said {
    /// Counts what `caught` holds, by the days of `zone`.
    pub(super) async fn take(
        store: &Store,
        look_alike: &Simulator,
        caught: &[Arc<Caught>],
        zone: Tz,
    ) -> Result<Self, StoreError> {
        let mut heard: BTreeMap<String, Vec<&Caught>> = BTreeMap::new();
        for message in caught.iter().filter(|one| matches!(one.kind, CaughtKind::Email | CaughtKind::Sms)) {
            let who = look_alike.owner_of(&message.to).unwrap_or_else(|| message.to.clone());
            heard.entry(who).or_default().push(message);
        }
        let mut counts = Vec::new();
        let mut people = Vec::new();
        for (who, messages) in heard {
            let days = by_day(&messages, zone);
            counts.extend(days.values().copied());
            people.push(person(&days, who, &messages, zone));
        }
        counts.sort_unstable();
        people.sort_by_key(|person| std::cmp::Reverse((person.most_in_a_day, person.emails + person.texts)));
        let breaches = store.breaches_told().await?;
        let in_time = |told_at: Option<DateTime<Utc>>, at| told_at.is_some_and(|told_at| told_at <= at + IN_TIME);
        Ok(Self {
            most_in_a_day: counts.last().copied().unwrap_or_default(),
            median_a_day: counts.get(counts.len() / 2).copied().unwrap_or_default(),
            texts_at_night: people.iter().map(|person| person.texts_at_night).sum(),
            breaches: breaches.len(),
            breaches_told_in_time: breaches.iter().filter(|breach| in_time(breach.told_at, breach.at)).count(),
            people,
        })
    }
}

fn by_day(messages: &[&Caught], zone: Tz) -> BTreeMap<NaiveDate, usize> {
    let mut days = BTreeMap::new();
    for message in messages {
        *days.entry(message.at.with_timezone(&zone).date_naive()).or_default() += 1;
    }
    days
}

fn person(days: &BTreeMap<NaiveDate, usize>, name: String, messages: &[&Caught], zone: Tz) -> Person {
    let texts: Vec<_> = messages.iter().filter(|message| message.kind == CaughtKind::Sms).collect();
    Person {
        name,
        emails: messages.len() - texts.len(),
        texts: texts.len(),
        texts_at_night: texts.iter().filter(|message| is_night(message.at, zone)).count(),
        days: days.len(),
        most_in_a_day: days.values().max().copied().unwrap_or_default(),
    }
}

fn is_night(at: DateTime<Utc>, zone: Tz) -> bool {
    let hour = at.with_timezone(&zone).hour();
    hour >= NIGHT.0 || hour < NIGHT.1
}
