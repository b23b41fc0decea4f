//! Personal rules: by which channels, at which hours and how often one person wants to be told.
//!
//! A rule delays what that person hears, never the escalation: if a breach has to
//! wait for the end of somebody's hours, the next step runs at once.

use std::sync::Arc;

use chrono::{DateTime, Days, TimeDelta, Utc};

use super::Kind;
use super::quiet::Hours;
use crate::alert::Stage;
use crate::alert::escalation::ChannelKind;
use crate::sla::calendar::resolve;
use crate::sla::zone::Tz;

/// The longest that hours may join up: they recur every week, so any that join for longer never end.
const LONGEST_RUN: TimeDelta = TimeDelta::days(9);

/// What one person has asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Personal {
    /// The time zone of this person's messages and of the hours below; none: that of the ticket's calendar.
    pub zone: Option<Tz>,
    /// The channels to use instead of those of a step; empty: those of the step.
    pub channels: Vec<ChannelKind>,
    /// When warnings and predictions are told, once a day; none: each as it comes.
    pub digest: Option<Daily>,
    /// The first that matches holds, and comes before `channels`.
    pub rules: Vec<Rule>,
}

/// A time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Daily {
    /// Local time, in minutes after midnight.
    pub at: u16,
    pub timezone: Tz,
}

/// A rule for some stages or some hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Empty for all.
    pub stages: Vec<Stage>,
    /// None for any.
    pub hours: Option<Hours>,
    /// Empty: nothing is told, and what comes in these hours waits for their end.
    pub channels: Vec<ChannelKind>,
}

/// How somebody wants to be told of something now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelChoice<'a> {
    /// As the step says.
    None,
    By(&'a [ChannelKind]),
    /// At no hour.
    Never,
}

impl Personal {
    /// Returns how this person wants to be told of `stage`; in hours in which nothing is told, as after them.
    pub fn wish(&self, stage: Stage, now: DateTime<Utc>) -> ChannelChoice<'_> {
        let at = self.quiet_until(Some(stage), now).unwrap_or(now);
        match self.rule(Some(stage), at) {
            Some(rule) if rule.channels.is_empty() => ChannelChoice::Never,
            Some(rule) => ChannelChoice::By(&rule.channels),
            None if self.channels.is_empty() => ChannelChoice::None,
            None => ChannelChoice::By(&self.channels),
        }
    }

    /// Returns until when a row of `kind` that waits since `since` has to wait for this person; none if it may go.
    pub(super) fn holds(&self, kind: Kind, since: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let stage = match kind {
            Kind::Watch | Kind::Update => return None,
            Kind::Alert(stage) => Some(stage),
            Kind::Recovery | Kind::Digest => None,
        };
        let gathered = self.gathers(kind).and_then(|daily| daily.next_after(since)).filter(|at| *at > now);
        let free = gathered.unwrap_or(now);
        self.quiet_until(stage, free).or(gathered)
    }

    /// Returns the time of the daily digest that `kind` waits for; none if it waits for none.
    pub(super) fn gathers(&self, kind: Kind) -> Option<Daily> {
        self.digest.filter(|_| matches!(kind, Kind::Alert(Stage::Predicted | Stage::Warning)))
    }

    /// Whether nothing of `stage` is told at any hour of the week.
    pub fn never_hears(&self, stage: Stage) -> bool {
        let beginnings = self.rules.iter().filter_map(|rule| rule.hours.as_ref()).flat_map(Hours::edges);
        let mut moments = std::iter::once(DateTime::UNIX_EPOCH).chain(beginnings);
        moments.all(|at| self.rule(Some(stage), at).is_some_and(|rule| rule.channels.is_empty()))
    }

    /// Returns when the hours end that hold at `now` and in which nothing of `stage` is told.
    fn quiet_until(&self, stage: Option<Stage>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let end = |at: &DateTime<Utc>| {
            let rule = self.rule(stage, *at).filter(|rule| rule.channels.is_empty())?;
            rule.hours.as_ref()?.over_at(*at)
        };
        std::iter::successors(end(&now), end).take_while(|end| *end - now <= LONGEST_RUN).last()
    }

    /// Returns the rule that holds at `at`. What has no stage follows only the rules for all stages.
    fn rule(&self, stage: Option<Stage>, at: DateTime<Utc>) -> Option<&Rule> {
        let concerns = |rule: &&Rule| match stage {
            _ if rule.stages.is_empty() => true,
            Some(stage) => rule.stages.contains(&stage),
            None => false,
        };
        let holds = |rule: &&Rule| rule.hours.as_ref().is_none_or(|hours| hours.over_at(at).is_some());
        self.rules.iter().filter(concerns).find(holds)
    }
}

impl Daily {
    /// Returns the first of these times of day after `since`.
    fn next_after(&self, since: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let first = (since - TimeDelta::days(1)).with_timezone(&self.timezone).date_naive();
        let at = |days| {
            DateTime::from_timestamp_millis(resolve(self.timezone, first.checked_add_days(Days::new(days))?, self.at))
        };
        (0..=3).filter_map(at).find(|at| *at > since)
    }
}

/// The rules of each person, by email address in lower case.
pub type People = std::collections::BTreeMap<String, Arc<Personal>>;
