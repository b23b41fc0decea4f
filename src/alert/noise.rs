//! How much is said at once, and what has to wait.
//!
//! Somebody with forty messages in a minute reads none of them. So what waits
//! for one person on one channel goes out as one message once it is many, only
//! so many go to one address in a while, and by night most of it waits for the
//! morning. Nothing is ever dropped: each row is sent by itself, sent together
//! with others, held until an instant that is named, or said by another channel.

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

/// What is allowed, for all recipients alike.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// None: people are told at any hour.
    pub quiet: Option<QuietHours>,
    /// None: everything is said by itself and at once.
    pub pace: Option<Pace>,
    /// When only a breach of the most urgent priorities is said by text message; none: any hour is as good.
    pub night: Option<Night>,
    /// The most urgent priorities; none named: the first two of each tenant.
    pub urgent: Vec<String>,
    /// How many messages one address may get. A channel that is not named has no cap.
    pub caps: BTreeMap<ChannelKind, Vec<Cap>>,
    /// How many text messages a tenant may send in any 24 hours.
    pub sms_per_day: Option<u32>,
    /// From so many rows on that wait at once for one person on one channel, they are one message.
    pub bundle_from: usize,
    /// What single people have asked for.
    pub people: People,
}

/// Two that are said at once are one message; where each is to be said by itself, only a storm is.
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
                // A call takes a minute or two, and nobody is to be rung up while on the phone with us.
                (ChannelKind::Voice, vec![cap(1, 3), cap(3, 15), cap(8, 180)]),
            ]),
            sms_per_day: Some(200),
            bundle_from: TOGETHER_FROM,
            people: People::new(),
        }
    }
}

impl Rules {
    /// Each message by itself and at once, but for storms.
    pub fn singly() -> Self {
        Self { pace: None, bundle_from: STORM_FROM, ..Self::default() }
    }

    /// The caps of one address on `channel`.
    pub fn caps_of(&self, channel: ChannelKind) -> &[Cap] {
        self.caps.get(&channel).map_or(&[], Vec::as_slice)
    }

    /// What somebody has asked for, by [`crate::alert::escalation::Recipient::person_key`], or that and a word more, which
    /// tells those apart who share it.
    pub fn personal(&self, person: Option<&str>) -> Option<&Personal> {
        self.people.get(person?.split(' ').next()?).map(|personal| &**personal)
    }

    /// How `recipient` wants to be told of `stage`.
    pub fn wish(&self, recipient: &Recipient, stage: Stage, now: DateTime<Utc>) -> ChannelChoice<'_> {
        let personal = self.personal(recipient.person_key().as_deref());
        personal.map_or(ChannelChoice::None, |personal| personal.wish(stage, now))
    }

    /// The budget of a tenant's messages on `channel`, counted like a cap.
    pub fn budget_of(&self, channel: ChannelKind) -> Option<Cap> {
        let most = self.sms_per_day.filter(|_| channel == ChannelKind::Sms)?;
        Some(Cap { most, within: TimeDelta::days(1) })
    }
}

/// What a row in the outbox is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Alert(Stage),
    Recovery,
    /// What is many already: it is never put together with others.
    Digest,
    /// To somebody who has subscribed to a status page: it goes by itself, behind everything else.
    Update,
    /// About the watch itself: while it is blind, nothing else can be believed. It never waits.
    Watch,
}

/// A row that waits to be said.
#[derive(Clone, Copy, Debug)]
pub struct Waiting<'a> {
    pub kind: Kind,
    /// The ticket's priority, as SuperOps names it.
    pub priority: Option<&'a str>,
    /// Whether it was held before: what waited together is said together.
    pub was_held: bool,
    /// Whether another channel reaches this person.
    pub has_fallback: bool,
    /// The step that says it, from 0: those after the first speak of what nobody took on.
    pub step: u32,
    /// When it came to wait.
    pub since: DateTime<Utc>,
    /// When the clock it is about is due.
    pub due: Option<DateTime<Utc>>,
    /// Whether something was said of its alert before: to this person, or on a later step to anybody.
    pub is_known: bool,
    /// Whether this person was told of its alert before.
    pub is_repeat: bool,
    /// Whether it is a mail, and a text message tells this person the same.
    pub is_texted: bool,
    /// Whether another channel tells this person the same by now.
    pub is_begun: bool,
    /// Whether its ticket is of one of the most urgent priorities.
    pub is_urgent: bool,
    /// Whether it changes what this person is doing, or somebody asked for it to be said now.
    pub is_timely: bool,
    /// Where this person is; none: not known.
    pub zone: Option<Tz>,
    /// Who it is; none: no single person.
    pub person: Option<&'a str>,
}

/// Why a row has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HeldBy {
    QuietHours,
    /// It waits for company.
    Pace,
    /// It would wake somebody.
    Night,
    Cap,
    Budget,
    /// Its reader has asked for it.
    Person,
}

impl HeldBy {
    /// The name used in the store and in the API.
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

/// What becomes of a row now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It goes out by itself.
    Alone,
    /// It goes out in one message with all others that are told so.
    Together,
    Hold {
        until: DateTime<Utc>,
        by: HeldBy,
    },
    /// The budget of this channel is used up, and another reaches this person.
    OtherChannel,
}

/// Decides about all `rows` that wait for one person at one address of `channel`, in their order.
///
/// What a person has asked for and quiet hours go first, then the pace says whether anything is worth a message
/// by now: then all that waits goes along with it. Storms are put together, then the caps say how
/// many messages may go. An urgent row waits for a cap like any other: it says
/// no more than the message before it, that the desk needs looking at.
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

/// What goes first when there is more to send than can be sent at once; the lowest before the others.
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
