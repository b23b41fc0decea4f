//! Limits how much people are sent at once, and decides what has to wait.
//!
//! Somebody with forty messages in a minute reads none of them. So several rows
//! that wait for one person on one channel go out as one message, the messages to
//! one address are capped, and at night most of them wait for the morning. Nothing
//! is ever dropped: each row is sent by itself, sent together with others, held
//! until a given instant, or sent by another channel.

mod caps;
mod pace;
mod personal;
mod quiet;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::Stage;
use super::escalation::{ChannelKind, Recipient};
use crate::sla::zone::Tz;

pub use self::caps::{Budget, Cap, Past};
pub use self::pace::{Heard, Night, Pace, is_urgent, most_urgent, place};
pub use self::personal::{ChannelChoice, Daily, People, Personal, Rule as PersonalRule};
pub use self::quiet::{Hours, QuietHours};

/// The limits, the same for all recipients.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// None: people are told at any hour.
    pub quiet: Option<QuietHours>,
    /// None: everything is sent by itself and at once.
    pub pace: Option<Pace>,
    /// When only breaches of the most urgent priorities go by text message or call; none: never.
    pub night: Option<Night>,
    /// The most urgent priorities; empty: the two most urgent ones of each tenant.
    pub urgent: Vec<String>,
    /// How many messages one address may get. A channel not listed has no cap.
    pub caps: BTreeMap<ChannelKind, Vec<Cap>>,
    /// How many text messages a tenant may send in any 24 hours.
    pub sms_per_day: Option<u32>,
    /// From how many rows on, waiting at once for one person on one channel, they become one message.
    pub bundle_from: usize,
    /// The personal rules.
    pub people: People,
}

/// The usual `bundle_from`: any two rows sent at once are one message. With [`Rules::singly`], only a storm is.
pub const TOGETHER_FROM: usize = 2;
pub const STORM_FROM: usize = 4;

impl Default for Rules {
    fn default() -> Self {
        let cap = |most, minutes| Cap { most, within: TimeDelta::minutes(minutes) };
        Self {
            quiet: None,
            pace: Some(Pace::default()),
            night: Some(Night::default()),
            urgent: Vec::new(),
            caps: BTreeMap::from([
                (ChannelKind::Sms, vec![cap(1, 1), cap(5, 15), cap(11, 60), cap(21, 180)]),
                // A call takes a minute or two, and nobody should be called while on the phone with us.
                (ChannelKind::Voice, vec![cap(1, 3), cap(3, 15), cap(8, 180)]),
            ]),
            sms_per_day: Some(200),
            bundle_from: TOGETHER_FROM,
            people: People::new(),
        }
    }
}

impl Rules {
    /// Returns rules by which each message goes by itself and at once, except in a storm.
    pub fn singly() -> Self {
        Self { pace: None, bundle_from: STORM_FROM, ..Self::default() }
    }

    /// Returns the caps of one address on `channel`.
    pub fn caps_of(&self, channel: ChannelKind) -> &[Cap] {
        self.caps.get(&channel).map_or(&[], Vec::as_slice)
    }

    /// Returns a person's rules, by [`crate::alert::escalation::Recipient::person_key`]. The key may be followed by a
    /// word that tells people apart who share it.
    pub fn personal(&self, person: Option<&str>) -> Option<&Personal> {
        self.people.get(person?.split(' ').next()?).map(|personal| &**personal)
    }

    /// Returns how `recipient` wants to be told of `stage`.
    pub fn wish(&self, recipient: &Recipient, stage: Stage, now: DateTime<Utc>) -> ChannelChoice<'_> {
        let personal = self.personal(recipient.person_key().as_deref());
        personal.map_or(ChannelChoice::None, |personal| personal.wish(stage, now))
    }

    /// Returns the budget of a tenant's messages on `channel`, counted like a cap.
    pub fn budget_of(&self, channel: ChannelKind) -> Option<Cap> {
        let most = self.sms_per_day.filter(|_| channel == ChannelKind::Sms)?;
        Some(Cap { most, within: TimeDelta::days(1) })
    }
}

/// What a row in the outbox is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Alert(Stage),
    Recovery,
    /// Already many in one message: it is never bundled with others.
    Digest,
    /// For a subscriber to a status page: it goes by itself, after everything else.
    Update,
    /// About the watch itself. It never waits: while the watch is blind, nothing else can be trusted.
    Watch,
}

/// A row that waits to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Waiting<'a> {
    pub kind: Kind,
    /// The ticket's priority, as SuperOps names it.
    pub priority: Option<&'a str>,
    /// Whether it was held before: rows that waited together are sent together.
    pub was_held: bool,
    /// Whether another channel reaches this person.
    pub has_fallback: bool,
    /// The step it belongs to, from 0: steps after the first are about alerts that nobody took on.
    pub step: u32,
    /// When it began to wait.
    pub since: DateTime<Utc>,
    /// When the clock it is about is due.
    pub due: Option<DateTime<Utc>>,
    /// Whether its alert was told before: to this person or, on a later step, to anybody.
    pub is_known: bool,
    /// Whether this person was told of its alert before.
    pub is_repeat: bool,
    /// Whether it is an email and a text message tells this person the same.
    pub is_texted: bool,
    /// Whether another channel has begun to tell this person the same.
    pub is_begun: bool,
    /// Whether its ticket has one of the most urgent priorities.
    pub is_urgent: bool,
    /// Whether it changes what this person is doing, or somebody asked for it to be sent now.
    pub is_timely: bool,
    /// The time zone of this person; none if that is not known.
    pub zone: Option<Tz>,
    /// The key of the person; none if it is not for a single person.
    pub person: Option<&'a str>,
}

/// Why a row has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HeldBy {
    QuietHours,
    /// It waits to be sent with others.
    Pace,
    /// It would wake somebody.
    Night,
    Cap,
    Budget,
    /// Its reader asked for that.
    Person,
}

impl HeldBy {
    /// Returns the name used in the store and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::QuietHours => "quiet_hours",
            Self::Pace => "pace",
            Self::Night => "night",
            Self::Cap => "cap",
            Self::Budget => "budget",
            Self::Person => "person",
        }
    }
}

/// What happens to a row now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It goes out by itself.
    Alone,
    /// It goes out in one message with all others marked so.
    Together,
    Hold {
        until: DateTime<Utc>,
        by: HeldBy,
    },
    /// The budget of this channel is used up, and another channel reaches this person.
    OtherChannel,
}

/// Decides about all `rows` that wait for one person at one address of `channel`, in their order.
///
/// Personal rules and quiet hours come first. Then the pace says whether anything is worth a message by now;
/// if so, everything that waits goes along. Storms are bundled, then the caps say how many messages may go. An
/// urgent row waits for a cap like any other: it would only repeat the last message, that the desk needs
/// attention.
pub fn shape(
    rows: &[Waiting<'_>],
    channel: ChannelKind,
    past: &Past<'_>,
    rules: &Rules,
    now: DateTime<Utc>,
) -> Vec<Disposition> {
    let mut dispositions: Vec<_> = rows.iter().map(|row| hold_by_hours(row, channel, rules, now)).collect();
    let is_shaped = |kind: Kind| !matches!(kind, Kind::Watch | Kind::Update);
    let may_be_shaped = |index: &usize| dispositions[*index] == Disposition::Alone && is_shaped(rows[*index].kind);
    let free: Vec<usize> = (0..rows.len()).filter(may_be_shaped).collect();
    let (mut many, mut single): (Vec<usize>, Vec<usize>) =
        free.into_iter().partition(|index| rows[*index].kind != Kind::Digest);
    if let Some(pace) = rules.pace.filter(|_| !channel.is_system()) {
        let from = |index: &usize| match &rows[*index] {
            row if rules.personal(row.person).is_some_and(|one| one.gathers(row.kind).is_some()) => row.since,
            row => pace.from(row, past.heard),
        };
        if !many.iter().any(|index| from(index) <= now) {
            for index in std::mem::take(&mut many) {
                dispositions[index] = Disposition::Hold { until: from(&index), by: HeldBy::Pace };
            }
        }
    }
    let room = past.room(now);
    let held_before = many.iter().filter(|index| rows[**index].was_held).count();
    let crowded = many.len() + single.len() > room;
    let together = many.len() > 1 && (crowded || held_before > 1 || many.len() >= rules.bundle_from);
    if room == 0 {
        many.append(&mut single);
        for index in many {
            dispositions[index] = no_room(&rows[index], past, now);
        }
        return dispositions;
    }
    if together {
        many.iter().for_each(|index| dispositions[*index] = Disposition::Together);
    }
    let messages = if together { 1 } else { many.len() };
    for index in single.into_iter().skip(room - messages) {
        let (until, by) = past.opens_after(room, now);
        dispositions[index] = Disposition::Hold { until, by };
    }
    dispositions
}

fn hold_by_hours(row: &Waiting<'_>, channel: ChannelKind, rules: &Rules, now: DateTime<Utc>) -> Disposition {
    if row.kind == Kind::Update {
        return Disposition::Alone;
    }
    let wish = rules.personal(row.person).filter(|_| !channel.is_system());
    if let Some(until) = wish.and_then(|personal| personal.holds(row.kind, row.since, now)) {
        return Disposition::Hold { until, by: HeldBy::Person };
    }
    let quiet = rules.quiet.as_ref().filter(|quiet| quiet.concerns(channel, row));
    if let Some(until) = quiet.and_then(|quiet| quiet.hours.over_at(now)) {
        return Disposition::Hold { until, by: HeldBy::QuietHours };
    }
    let may_wake = row.kind == Kind::Watch || (row.is_urgent && row.kind == Kind::Alert(Stage::Breached));
    let rings = matches!(channel, ChannelKind::Sms | ChannelKind::Voice);
    let night = rules.night.filter(|_| rings && !may_wake).zip(row.zone);
    match night.and_then(|(night, zone)| night.over_at(zone, now)) {
        Some(until) => Disposition::Hold { until, by: HeldBy::Night },
        None => Disposition::Alone,
    }
}

fn no_room(row: &Waiting<'_>, past: &Past<'_>, now: DateTime<Utc>) -> Disposition {
    match past.opens_after(0, now) {
        (_, HeldBy::Budget) if row.has_fallback => Disposition::OtherChannel,
        (until, by) => Disposition::Hold { until, by },
    }
}

/// Returns the order of sending when there is more to send than can be sent at once; the lowest goes first.
pub fn rank(kind: Kind, first_of_client: bool) -> u8 {
    match kind {
        Kind::Watch => 0,
        Kind::Alert(_) if first_of_client => 0,
        Kind::Alert(Stage::Breached) => 1,
        Kind::Alert(Stage::Warning) => 2,
        Kind::Alert(Stage::Predicted) => 3,
        Kind::Recovery => 4,
        Kind::Digest => 5,
        Kind::Update => 6,
    }
}

#[cfg(test)]
mod tests;
