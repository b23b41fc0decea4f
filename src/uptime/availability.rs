//! For how much of the time that counts a component was available.
//!
//! The time that counts is the period, as far as the component existed and within the hours of the promise. Maintenance
//! that was announced in time is left out, and so is unknown time unless the promise says otherwise. The answer is two
//! whole numbers, the time lost and the time counted; they are divided last.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::credit::{self, WHOLE};
use super::days::Period;
use super::intervals::{Interval, Intervals};
use super::{Condition, HOUR, Millis, Span, spans};
use crate::sla::calendar::{Calendar, StretchKind};
use crate::sla::zone::Tz;

/// How unknown time counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownTime {
    /// It is left out.
    #[default]
    Exclude,
    Up,
    Down,
}

/// What was agreed about the figure.
#[derive(Clone, Debug)]
pub struct Terms {
    /// In thousandths of a percent: 99 900 for 99.9 %.
    pub target: u32,
    pub period: Period,
    /// The time zone of its days and months.
    pub zone: Tz,
    /// None if it holds round the clock.
    pub hours: Option<Arc<Calendar>>,
    /// Maintenance is left out if it was announced this long before it began...
    pub notice: Millis,
    /// ...and no more of it than this in one month, of the time that would count. If none, all of it counts like any
    /// other time.
    pub maintenance: Option<Millis>,
    pub unknown: UnknownTime,
    /// How much of a partial outage counts as lost, in thousandths; zero if no outage of it is partial.
    pub partial: u32,
    /// Whether only whole clock minutes count as lost.
    pub whole_minutes: bool,
}

impl Terms {
    /// Returns terms round the clock, by months of `zone`, with the usual values for the rest.
    pub fn usual(target: u32, zone: Tz) -> Self {
        Self {
            target,
            period: Period::Month,
            zone,
            hours: None,
            notice: 48 * HOUR,
            maintenance: Some(8 * HOUR),
            unknown: UnknownTime::Exclude,
            partial: 0,
            whole_minutes: false,
        }
    }
}

/// A maintenance window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub from: Millis,
    pub until: Millis,
    pub announced_at: Millis,
}

/// What the figures of a component depend on besides how it stood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// When it was or will be worked on.
    pub windows: Vec<Window>,
    /// When it was degraded, but in no partial outage.
    pub slow: Vec<Interval>,
}

/// What is known of one component.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// In order of time.
    pub spans: &'a [Span],
    pub windows: &'a [Window],
    /// When it was degraded, but in no partial outage.
    pub slow: &'a [Interval],
    /// When it began to be watched.
    pub since: Millis,
    /// When that ended; none while it goes on.
    pub ended: Option<Millis>,
}

/// How a period went, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figure {
    /// The time that the promise is judged on.
    pub counted: Millis,
    /// How much of that was lost; a partial outage counts by its weight.
    pub lost: Millis,
    /// Time within the hours and without maintenance, by condition.
    pub down: Millis,
    pub degraded: Millis,
    pub unknown: Millis,
    /// What was left out as maintenance.
    pub maintenance: Millis,
    /// The number of separate outages; one that continues after closed hours or maintenance counts again.
    pub outages: u32,
}

/// The least share of measured time, in thousandths of a percent, for a figure to prove anything.
const CONCLUSIVE: u32 = 95_000;

impl Figure {
    pub fn up(&self) -> Millis {
        self.counted - self.lost
    }

    /// In thousandths of a percent, rounded down, so that 99.9999 never shows as 100. `None` if nothing was counted.
    pub fn availability(&self) -> Option<u32> {
        share(self.up(), self.counted)
    }

    /// Returns how much of the time in question was measured, in thousandths of a percent.
    pub fn measured(&self, terms: &Terms) -> u32 {
        let all = match terms.unknown {
            UnknownTime::Exclude => self.counted + self.unknown,
            UnknownTime::Up | UnknownTime::Down => self.counted,
        };
        share(all - self.unknown, all).unwrap_or(0)
    }

    /// Whether enough was measured for anything to be owed.
    pub fn is_conclusive(&self, terms: &Terms) -> bool {
        self.measured(terms) >= CONCLUSIVE
    }

    /// Whether the promise was kept. `None` if nothing was counted.
    pub fn is_kept(&self, terms: &Terms) -> Option<bool> {
        (self.counted > 0).then(|| credit::reaches(self.up(), self.counted, terms.target))
    }
}

fn share(part: Millis, whole: Millis) -> Option<u32> {
    let share = (i128::from(part) * i128::from(WHOLE)).checked_div(i128::from(whole))?;
    u32::try_from(share).ok()
}

/// Formats thousandths of a percent for people: `99.95` for 99 950. Nothing is rounded.
pub fn percent(thousandths: u32) -> String {
    let (whole, part) = (thousandths / 1000, thousandths % 1000);
    let digits = format!("{part:03}");
    match digits.trim_end_matches('0') {
        "" => whole.to_string(),
        digits => format!("{whole}.{digits}"),
    }
}

/// The part of a period that is in question, and the component's past in it.
struct Asked<'a> {
    /// Within the hours, and without `maintenance`.
    times: Intervals,
    maintenance: Intervals,
    spans: &'a [Span],
    now: Millis,
}

impl<'a> Asked<'a> {
    fn of(record: &Record<'a>, terms: &Terms, period: Interval, now: Millis) -> Self {
        let life = (period.0.max(record.since), period.1.min(now).min(record.ended.unwrap_or(now)));
        let times = within_hours(terms, life);
        let maintenance = maintenance(record, terms, period).intersect(&times);
        Self { times: times.minus(&maintenance), maintenance, spans: spans::within(record.spans, life), now }
    }

    fn seen(&self, condition: Condition) -> Intervals {
        spans::times(self.spans, condition, self.now).intersect(&self.times)
    }
}

/// Returns when the component was down in the part of `period` that had passed at `now`: what [`Figure::outages`]
/// counts.
pub fn outages(record: &Record<'_>, terms: &Terms, period: Interval, now: Millis) -> Intervals {
    Asked::of(record, terms, period, now).seen(Condition::Down)
}

/// Computes the figure of the part of `period` that had passed at `now`.
pub fn figure(record: &Record<'_>, terms: &Terms, period: Interval, now: Millis) -> Figure {
    let all = Asked::of(record, terms, period, now);
    let seen = |condition| all.seen(condition);
    let (asked, maintenance) = (&all.times, &all.maintenance);
    let (down, degraded) = (seen(Condition::Down), seen(Condition::Degraded));
    let known = down.union(&degraded).union(&seen(Condition::Up));
    let unknown = asked.minus(&known);
    let lost_down = if terms.whole_minutes { down.whole_minutes().intersect(asked) } else { down.clone() };
    let (counted, blamed) = match terms.unknown {
        UnknownTime::Exclude => (known.total(), 0),
        UnknownTime::Up => (asked.total(), 0),
        UnknownTime::Down => (asked.total(), unknown.total()),
    };
    let partial = degraded.minus(&Intervals::new(record.slow.iter().copied()));
    let lost = lost_down.total() + weighed(partial.total(), terms.partial) + blamed;
    Figure {
        counted,
        lost,
        down: down.total(),
        degraded: degraded.total(),
        unknown: unknown.total(),
        maintenance: maintenance.total(),
        outages: u32::try_from(down.iter().count()).unwrap_or(u32::MAX),
    }
}

/// Returns the time up and the time counted in `period` if nothing more is lost after `now`. `found` is its figure so
/// far.
pub fn outlook(record: &Record<'_>, terms: &Terms, period: Interval, found: &Figure, now: Millis) -> (Millis, Millis) {
    if period.1 <= now {
        return (found.up(), found.counted);
    }
    let whole = whole_period(record, terms, period);
    (whole - found.lost, whole)
}

/// Returns the time that all of `period` would count if nothing were unknown: the base of a budget.
pub fn whole_period(record: &Record<'_>, terms: &Terms, period: Interval) -> Millis {
    let life = (period.0.max(record.since), period.1.min(record.ended.unwrap_or(period.1)));
    within_hours(terms, life).minus(&maintenance(record, terms, period)).total()
}

/// Returns how much of `counted` may be lost.
pub fn allowed(terms: &Terms, counted: Millis) -> Millis {
    let spare = i128::from(WHOLE.saturating_sub(terms.target));
    i64::try_from(i128::from(counted) * spare / i128::from(WHOLE)).unwrap_or(i64::MAX)
}

/// Returns a partial outage by its weight; fractions count against us.
fn weighed(time: Millis, thousandths: u32) -> Millis {
    let weighed = i128::from(time) * i128::from(thousandths.min(1000));
    i64::try_from((weighed + 999) / 1000).unwrap_or(i64::MAX)
}

fn within_hours(terms: &Terms, (from, until): Interval) -> Intervals {
    let whole = Intervals::one(from, until);
    let Some(calendar) = &terms.hours else { return whole };
    let open = calendar.stretches(instant(from), instant(until.max(from)));
    let open = open.filter(|stretch| stretch.kind == StretchKind::Open);
    Intervals::new(open.map(|stretch| (stretch.from.timestamp_millis(), stretch.to.timestamp_millis())))
}

fn instant(at: Millis) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at).unwrap_or_default()
}

/// Returns the maintenance that is left out: announced in time, and no more in a month than was agreed. Work outside
/// the hours, or while the component was not watched, takes nothing from that.
fn maintenance(record: &Record<'_>, terms: &Terms, period: Interval) -> Intervals {
    let Some(a_month) = terms.maintenance else { return Intervals::default() };
    let announced = record.windows.iter().filter(|window| window.announced_at <= window.from - terms.notice);
    let announced = Intervals::new(announced.map(|window| (window.from, window.until)));
    let ended = record.ended.unwrap_or(Millis::MAX);
    let mut allowed = Vec::new();
    let mut at = period.0;
    while at < period.1 {
        let (first, next) = Period::Month.around(terms.zone, at);
        let mut left = a_month;
        for window in announced.intersect(&Intervals::one(first.max(record.since), next.min(ended))).iter() {
            for (from, until) in within_hours(terms, window).iter() {
                let taken = left.min(until - from);
                allowed.push((from, from + taken));
                left -= taken;
            }
        }
        at = next;
    }
    Intervals::new(allowed).intersect(&Intervals::one(period.0, period.1))
}
