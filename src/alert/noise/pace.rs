//! Pace: how far apart the messages to one person are.
//!
//! A breach is told at once. Less pressing news waits to be sent with others:
//! warnings for a few minutes, alerts that nobody took on for a quarter of an
//! hour, good news for the next message. The more messages somebody got today, by
//! any channel, the longer the wait. But nobody is first warned of a danger after
//! half of its time has passed, and a breach that nobody knows of never waits.
//! Once somebody got a few messages, predictions and what a text message has told
//! them already are not worth a message of their own.

use chrono::{DateTime, NaiveTime, TimeDelta, Timelike, Utc};

use super::quiet::Hours;
use super::{Kind, Waiting};
use crate::alert::Stage;
use crate::sla::zone::Tz;

/// A warning waits for others no longer than the wall time left divided by this.
const PART_OF_WHAT_IS_LEFT: i32 = 20;
/// The longest that somebody not yet told waits to hear of an urgent alert nobody took on, however much they got today.
const LONGEST_FOR_WHAT_IS_URGENT: TimeDelta = TimeDelta::hours(1);

/// How far apart messages to one person are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Warnings within this time are one message.
    pub gather: TimeDelta,
    /// Alerts that nobody took on are told together, at most this often.
    pub escalations_every: TimeDelta,
    /// How long news not worth a message of its own, above all good news, waits for a message to go with.
    pub recoveries_wait: TimeDelta,
    /// How many messages one person should get in 24 hours: the closer to it, the further apart they are. 0: no limit.
    pub a_day: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            gather: TimeDelta::minutes(5),
            escalations_every: TimeDelta::minutes(15),
            recoveries_wait: TimeDelta::hours(12),
            a_day: 15,
        }
    }
}

/// What a person was sent lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Messages in the last 24 hours, by any channel.
    pub today: u32,
    /// The last message, by any channel.
    pub last: Option<DateTime<Utc>>,
    /// The last message about something urgent.
    pub last_urgent: Option<DateTime<Utc>>,
}

impl Pace {
    /// Returns from when on `row` is worth a message; it goes along with any that is sent before.
    pub(super) fn from(&self, row: &Waiting<'_>, heard: Heard) -> DateTime<Utc> {
        let after = |last: Option<DateTime<Utc>>, least: TimeDelta| {
            last.map_or(row.since, |last| (last + least).max(row.since))
        };
        let apart = |least: TimeDelta| after(heard.last, least);
        match row.kind {
            Kind::Watch | Kind::Digest | Kind::Update => row.since,
            Kind::Recovery | Kind::Alert(_) if row.is_timely => row.since,
            Kind::Recovery => row.since + self.recoveries_wait,
            Kind::Alert(_) if self.is_worth_none(row, heard) => row.since + self.recoveries_wait,
            // The same news by several channels counts as one message.
            Kind::Alert(_) if row.is_begun => row.since,
            Kind::Alert(Stage::Breached) if !row.is_known => row.since,
            // Less urgent messages do not delay an urgent one.
            Kind::Alert(_) if row.step > 0 && row.is_known && self.is_pressing(row, heard) => {
                after(heard.last_urgent, self.untaken(row, heard))
            }
            Kind::Alert(_) if row.step > 0 && row.is_known => apart(self.untaken(row, heard)),
            Kind::Alert(Stage::Breached) if row.is_urgent || self.heard_few(heard) => row.since,
            Kind::Alert(Stage::Breached) => apart(self.spacing(heard)),
            Kind::Alert(stage) => {
                // A prediction can wait, however urgent it would be: it may yet turn out well.
                let presses = row.is_urgent && stage != Stage::Predicted;
                let few = presses || self.heard_few(heard);
                let spacing = if few { TimeDelta::zero() } else { self.spacing(heard) };
                let left = row.due.map_or(TimeDelta::MAX, |due| (due - row.since).max(TimeDelta::zero()));
                let gather = self.gather.min(left / PART_OF_WHAT_IS_LEFT);
                apart(spacing).max(row.since + gather).min(latest(row))
            }
        }
    }

    /// Whether it is not worth a message of its own to somebody who got a few today: a prediction, or what a text
    /// message tells them.
    fn is_worth_none(&self, row: &Waiting<'_>, heard: Heard) -> bool {
        let is_told = row.is_texted && !row.is_urgent;
        (is_told || row.kind == Kind::Alert(Stage::Predicted)) && !self.heard_few(heard)
    }

    /// Whether somebody got less than a quarter of what one person should get in a day.
    fn heard_few(&self, heard: Heard) -> bool {
        heard.today * 4 < self.a_day || self.a_day == 0
    }

    /// Returns how far apart messages about alerts that nobody took on are.
    fn untaken(&self, row: &Waiting<'_>, heard: Heard) -> TimeDelta {
        let spacing = match () {
            () if self.is_pressing(row, heard) => TimeDelta::zero(),
            () if row.is_urgent && !row.is_repeat => self.spacing(heard).min(LONGEST_FOR_WHAT_IS_URGENT),
            () => self.spacing(heard),
        };
        spacing.max(self.escalations_every)
    }

    /// Whether it is urgent and its reader got less than half of what one person should get in a day.
    fn is_pressing(&self, row: &Waiting<'_>, heard: Heard) -> bool {
        row.is_urgent && (heard.today * 2 < self.a_day || self.a_day == 0)
    }

    /// Returns how far apart messages are after those of today.
    fn spacing(&self, heard: Heard) -> TimeDelta {
        let (today, a_day) = (heard.today, self.a_day);
        match () {
            () if a_day == 0 => TimeDelta::zero(),
            () if self.heard_few(heard) => TimeDelta::minutes(15),
            () if today * 2 < a_day => TimeDelta::hours(1),
            () if today * 3 < a_day * 2 => TimeDelta::hours(2),
            () => TimeDelta::hours(4),
        }
    }
}

/// Returns the latest moment to tell of a danger: half of its time, since after that too little is left.
fn latest(row: &Waiting<'_>) -> DateTime<Utc> {
    let half = row.due.map(|due| row.since + (due - row.since) / 2);
    half.map_or(DateTime::<Utc>::MAX_UTC, |half| half.max(row.since))
}

/// The hours in which a text message wakes people, in their own time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Night {
    pub from: NaiveTime,
    pub until: NaiveTime,
}

impl Default for Night {
    fn default() -> Self {
        let hour = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or_default();
        Self { from: hour(22), until: hour(7) }
    }
}

impl Night {
    /// Returns when the night ends, if it is night at `now` in `zone`; none by day.
    pub fn over_at(&self, zone: Tz, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let minutes = |time: NaiveTime| u16::try_from(time.num_seconds_from_midnight() / 60).unwrap_or_default();
        let hours = Hours { from: minutes(self.from), until: minutes(self.until), timezone: zone, days: [true; 7] };
        hours.over_at(now)
    }
}

/// Common names of priorities, the most urgent first.
const COMMON: [&str; 18] = [
    "emergency",
    "critical",
    "urgent",
    "highest",
    "p0",
    "p1",
    "high",
    "p2",
    "p3",
    "medium",
    "normal",
    "moderate",
    "p4",
    "low",
    "p5",
    "lowest",
    "very low",
    "planning",
];
/// How many of the common names are urgent where nothing else is known.
const URGENT_BEFORE: usize = 8;
/// How many of a tenant's priorities are urgent.
const URGENT: usize = 2;

/// Returns the place of `priority` among the common names, the most urgent first; one that is not common comes last.
pub fn place(priority: Option<&str>) -> usize {
    let known = |name: &str| COMMON.iter().position(|common| common.eq_ignore_ascii_case(name.trim()));
    priority.and_then(known).unwrap_or(COMMON.len())
}

/// Returns a tenant's two most urgent `priorities`: by name if all names are common, else by their order.
pub fn most_urgent(priorities: &[String]) -> Vec<&str> {
    let mut names: Vec<&str> = priorities.iter().map(String::as_str).collect();
    if names.iter().all(|name| place(Some(*name)) < COMMON.len()) {
        names.sort_by_key(|name| place(Some(*name)));
    }
    names.truncate(URGENT);
    names
}

/// Whether `priority` is one of the `urgent` ones or, if these are not known, whether its name says so.
pub fn is_urgent(priority: Option<&str>, urgent: &[&str]) -> bool {
    let Some(priority) = priority.map(str::trim) else { return false };
    if urgent.is_empty() {
        return COMMON[..URGENT_BEFORE].iter().any(|common| common.eq_ignore_ascii_case(priority));
    }
    urgent.iter().any(|name| name.trim().eq_ignore_ascii_case(priority))
}
