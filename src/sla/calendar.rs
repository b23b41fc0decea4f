//! Working hours, holidays and time zones: how much working time lies between two instants.
//!
//! A calendar has one time zone, is open in weekly windows of local time and
//! closed on holidays. Windows are half-open, `[start, end)`. When the clocks
//! change, a local time that does not exist moves forward by the gap, and one
//! that exists twice means its first occurrence (RFC 5545, 3.3.5); a day open
//! from 00:00 to 24:00 counts 25 hours when it has 25. The same question always
//! gets the same answer.
//!
//! Each year is compiled once into sorted windows with running totals, so that
//! a question is a table lookup. Times are kept to the millisecond.

mod stretches;
mod year;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::OnceLock;

use chrono::{DateTime, Datelike, Days, MappedLocalTime, NaiveDate, Offset, TimeDelta, TimeZone, Utc};
use serde::{Deserialize, Serialize};

pub use self::stretches::{Stretch, StretchKind};
use self::year::Year;
use crate::sla::zone::{self, Tz};

/// A calendar as a person writes it. Compile it with [`Calendar::compile`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CalendarSpec {
    /// The name people know it by.
    pub name: String,
    pub timezone: Tz,
    /// Open round the clock on every day that is not a holiday; `week` is then empty.
    pub always: bool,
    /// Monday first. Local minutes since midnight, `[start, end)`, `end` up to 1440;
    /// `end < start` is an overnight shift that ends on the next day.
    pub week: [Vec<(u16, u16)>; 7],
    /// Local dates that are closed all day.
    pub holidays: BTreeSet<NaiveDate>,
    /// Days closed every year, as `(month, day)`.
    pub yearly: BTreeSet<(u32, u32)>,
}

impl CalendarSpec {
    /// Returns the spec of a calendar in UTC that is always open.
    pub fn round_the_clock() -> Self {
        Self {
            name: "round the clock".to_owned(),
            timezone: Tz::UTC,
            always: true,
            week: Default::default(),
            holidays: BTreeSet::new(),
            yearly: BTreeSet::new(),
        }
    }
}

/// Why a calendar cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    #[error("calendar `{0}` has no open hours, so nothing counted by it would ever be due")]
    NeverOpen(String),
    #[error("calendar `{calendar}`: `{start}` to `{end}` minutes after midnight is not a window within a day")]
    BadWindow { calendar: String, start: u16, end: u16 },
}

/// The years that are cached once compiled; others are compiled for each question.
const KEPT: std::ops::Range<i32> = 1990..2080;
/// The last year in which a due time is searched for.
const LAST_YEAR: i32 = 9999;
const MINUTES_A_DAY: u16 = 1440;

/// A calendar that answers questions.
pub struct Calendar {
    spec: CalendarSpec,
    /// The windows of each local weekday: overnight shifts cut at midnight, sorted and merged.
    days: [Vec<(u16, u16)>; 7],
    /// Open at every instant, so no windows are needed.
    seamless: bool,
    years: Box<[OnceLock<Year>]>,
    /// The generation of the zone rules that the years were compiled with.
    generation: u32,
}

impl fmt::Debug for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Calendar").field(&self.spec).finish()
    }
}

impl Calendar {
    /// Checks `spec` and makes it ready to answer.
    pub fn compile(spec: CalendarSpec) -> Result<Self, CalendarError> {
        let days = local_days(&spec)?;
        if days.iter().all(Vec::is_empty) {
            return Err(CalendarError::NeverOpen(spec.name));
        }
        let all_day = days.iter().all(|windows| *windows == [(0, MINUTES_A_DAY)]);
        let seamless = all_day && spec.holidays.is_empty() && spec.yearly.is_empty();
        let years = if seamless { Box::default() } else { KEPT.map(|_| OnceLock::new()).collect() };
        Ok(Self { spec, days, seamless, years, generation: zone::generation() })
    }

    /// Returns a calendar in UTC that is always open: working time is wall time.
    pub fn round_the_clock() -> Self {
        Self::round_the_clock_in(Tz::UTC)
    }

    /// Returns a calendar that is always open; people are shown local times of `timezone`.
    pub fn round_the_clock_in(timezone: Tz) -> Self {
        Self {
            spec: CalendarSpec { timezone, ..CalendarSpec::round_the_clock() },
            days: std::array::from_fn(|_| vec![(0, MINUTES_A_DAY)]),
            seamless: true,
            years: Box::default(),
            generation: zone::generation(),
        }
    }

    /// Returns the spec it was compiled from.
    pub fn spec(&self) -> &CalendarSpec {
        &self.spec
    }

    /// Whether working time is wall time.
    pub fn is_seamless(&self) -> bool {
        self.seamless
    }

    /// Returns the working time from `from` to `to`; negative if `to` is earlier.
    pub fn between(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> TimeDelta {
        if from > to {
            return -self.between(to, from);
        }
        let (a, b) = (from.timestamp_millis(), to.timestamp_millis());
        if self.seamless {
            return TimeDelta::milliseconds(b - a);
        }
        let (first, last) = (from.year(), to.year());
        let counted = if first == last {
            let year = self.year(first);
            year.counted(b) - year.counted(a)
        } else {
            let head = self.year(first);
            let middle: i64 = (first + 1..last).map(|year| self.year(year).total).sum();
            head.total - head.counted(a) + middle + self.year(last).counted(b)
        };
        TimeDelta::milliseconds(counted)
    }

    /// Returns the earliest instant by which `amount` of working time has been counted from `from`.
    ///
    /// An amount that fills a window exactly gives its closing time, not the next
    /// opening. A zero amount gives the next opening if the calendar is closed. A
    /// negative amount counts as zero. None: not before the year 10000.
    pub fn add(&self, from: DateTime<Utc>, amount: TimeDelta) -> Option<DateTime<Utc>> {
        let amount = amount.num_milliseconds().max(0);
        if self.seamless {
            return from.checked_add_signed(TimeDelta::milliseconds(amount));
        }
        if amount == 0 {
            return self.opening_from(from);
        }
        let mut number = from.year();
        let mut wanted = amount + self.year(number).counted(from.timestamp_millis());
        while number <= LAST_YEAR {
            let year = self.year(number);
            if wanted <= year.total {
                return DateTime::from_timestamp_millis(year.reached(wanted));
            }
            wanted -= year.total;
            number += 1;
        }
        None
    }

    /// Whether it is open at `at`.
    pub fn is_open(&self, at: DateTime<Utc>) -> bool {
        self.opening_from(at) == Some(at)
    }

    /// Returns `at` itself if it is open then, or else the next opening.
    pub fn opening_from(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.window_from(at).map(|(start, _)| at.max(start))
    }

    /// Returns when the window that is open at `at`, or else the next one, closes. None if it never closes.
    pub fn closing_from(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.seamless { None } else { self.window_from(at).map(|(_, end)| end) }
    }

    /// Whether a target counted by this calendar can fall due at `at`: in open time
    /// or at its edge. A due time in closed hours was not counted by this calendar.
    pub fn can_fall_due(&self, at: DateTime<Utc>) -> bool {
        let just_before = at - TimeDelta::milliseconds(1);
        self.seamless || self.window_from(just_before).is_some_and(|(start, _)| start <= at)
    }

    /// Returns the window that is open at `at`, or else the next; windows that touch at a year's end are joined.
    fn window_from(&self, at: DateTime<Utc>) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        if self.seamless {
            return Some((at, DateTime::<Utc>::MAX_UTC));
        }
        let millis = at.timestamp_millis();
        let (number, (start, mut end), at_its_end) =
            (at.year()..=LAST_YEAR.max(at.year())).find_map(|number| self.window_in(number, millis))?;
        if at_its_end
            && let Some((next, later)) = self.year(number + 1).window_from(end)
            && next == end
        {
            end = later;
        }
        Some((DateTime::from_timestamp_millis(start)?, DateTime::from_timestamp_millis(end)?))
    }

    /// Returns the window of year `number` that is open at `at` or later, and whether it lasts to the year's end.
    fn window_in(&self, number: i32, at: i64) -> Option<(i32, (i64, i64), bool)> {
        let year = self.year(number);
        let window = year.window_from(at)?;
        Some((number, window, year.ends_at(window.1)))
    }

    /// Whether the zone rules are still those it was compiled with. If not, its answers are right but slow.
    pub fn is_current(&self) -> bool {
        self.generation == zone::generation()
    }

    fn year(&self, number: i32) -> Cow<'_, Year> {
        let kept = usize::try_from(number - KEPT.start).ok().and_then(|index| self.years.get(index));
        match kept.filter(|_| self.is_current()) {
            Some(kept) => Cow::Borrowed(kept.get_or_init(|| self.compile_year(number))),
            None => Cow::Owned(self.compile_year(number)),
        }
    }

    /// Compiles the windows of the UTC year `number`, cut at its ends.
    fn compile_year(&self, number: i32) -> Year {
        let (Some(first), Some(next)) =
            (NaiveDate::from_ymd_opt(number, 1, 1), NaiveDate::from_ymd_opt(number + 1, 1, 1))
        else {
            return Year::default();
        };
        let bounds = (midnight_utc(first), midnight_utc(next));
        // Local dates run up to a day ahead of or behind UTC, and a window may be pushed across a gap.
        let from = first.checked_sub_days(Days::new(2)).unwrap_or(first);
        let until = next.checked_add_days(Days::new(2)).unwrap_or(next);
        let open = from.iter_days().take_while(|date| *date < until).flat_map(|date| self.windows_of(date));
        let inside = open.map(|(start, end)| (start.max(bounds.0), end.min(bounds.1)));
        Year::from_windows(&merged(inside.filter(|(start, end)| start < end).collect()), bounds.1)
    }

    fn is_holiday(&self, date: NaiveDate) -> bool {
        self.spec.holidays.contains(&date) || self.spec.yearly.contains(&(date.month(), date.day()))
    }

    /// Returns the windows of one local date, in milliseconds since 1970; they may be empty or touch.
    fn windows_of(&self, date: NaiveDate) -> impl Iterator<Item = (i64, i64)> + '_ {
        let windows =
            if self.is_holiday(date) { &[][..] } else { &self.days[date.weekday().num_days_from_monday() as usize] };
        let zone = self.spec.timezone;
        windows.iter().map(move |(start, end)| (resolve(zone, date, *start), resolve(zone, date, *end)))
    }
}

/// Cuts overnight shifts at midnight; sorts and merges the windows of each day.
fn local_days(spec: &CalendarSpec) -> Result<[Vec<(u16, u16)>; 7], CalendarError> {
    if spec.always {
        return Ok(std::array::from_fn(|_| vec![(0, MINUTES_A_DAY)]));
    }
    let mut days: [Vec<(i64, i64)>; 7] = Default::default();
    for (day, windows) in spec.week.iter().enumerate() {
        for &(start, end) in windows {
            if start >= MINUTES_A_DAY || end > MINUTES_A_DAY || start == end {
                return Err(CalendarError::BadWindow { calendar: spec.name.clone(), start, end });
            }
            let cut = if end < start { MINUTES_A_DAY } else { end };
            days[day].push((start.into(), cut.into()));
            if 0 < end && end < start {
                days[(day + 1) % 7].push((0, end.into()));
            }
        }
    }
    // The bounds were checked above, so the casts lose nothing.
    Ok(days.map(|windows| merged(windows).into_iter().map(|(start, end)| (start as u16, end as u16)).collect()))
}

/// Sorts `windows` and joins those that touch or overlap.
fn merged(mut windows: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    windows.sort_unstable();
    let mut joined: Vec<(i64, i64)> = Vec::with_capacity(windows.len());
    for (start, end) in windows {
        match joined.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => joined.push((start, end)),
        }
    }
    joined
}

fn midnight_utc(date: NaiveDate) -> i64 {
    date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis()
}

/// Returns the instant at which `date` begins in `zone`.
pub fn midnight(zone: Tz, date: NaiveDate) -> Option<DateTime<Utc>> {
    at_minute(zone, date, 0)
}

/// Returns the instant `minutes` after local midnight of `date`: the first of two, or moved forward by a gap.
pub fn at_minute(zone: Tz, date: NaiveDate, minutes: u16) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(resolve(zone, date, minutes))
}

/// Returns the instant `minutes` after local midnight of `date`, in milliseconds since 1970.
pub(crate) fn resolve(zone: Tz, date: NaiveDate, minutes: u16) -> i64 {
    let local = date.and_time(chrono::NaiveTime::MIN) + TimeDelta::minutes(minutes.into());
    let offset = match zone.offset_from_local_datetime(&local) {
        MappedLocalTime::Single(offset) | MappedLocalTime::Ambiguous(offset, _) => offset.fix(),
        // With the offset from before the gap, the time moves forward by the gap.
        MappedLocalTime::None => zone.offset_before_gap(&local).unwrap_or_else(|| Utc.fix()),
    };
    local.and_utc().timestamp_millis() - i64::from(offset.local_minus_utc()) * 1000
}

#[cfg(test)]
mod tests;
