//! Quiet hours: when people are left in peace, and until when.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};

use super::{Kind, Waiting};
use crate::alert::Stage;
use crate::alert::escalation::ChannelKind;
use crate::sla::calendar::resolve;
use crate::sla::zone::Tz;

/// The most windows that can follow each other without a gap and still end: a week of them, and one more to see it.
const LONGEST_RUN: usize = 8;

/// Hours of some days, in one time zone.
///
/// When the clocks change, local times follow the rules of working hours: one that
/// does not exist moves forward, one that exists twice means the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    /// Local minutes after midnight. If `until` is not after `from`, it is on the next day.
    pub from: u16,
    pub until: u16,
    pub timezone: Tz,
    /// Whether they begin on each day, Monday first.
    pub days: [bool; 7],
}

/// The hours in which people are left in peace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuietHours {
    pub hours: Hours,
    /// The channels that are quiet.
    pub channels: BTreeSet<ChannelKind>,
    /// Priorities that are told anyway, in lower case.
    pub except: BTreeSet<String>,
    /// Whether a breach is told anyway.
    pub breaches: bool,
}

impl QuietHours {
    /// Whether these hours apply to `row` on `channel`.
    pub(super) fn concerns(&self, channel: ChannelKind, row: &Waiting<'_>) -> bool {
        let excepted = row.priority.is_some_and(|name| self.except.contains(&name.trim().to_lowercase()));
        let breach = row.kind == Kind::Alert(Stage::Breached);
        let of_a_ticket = row.kind != Kind::Watch;
        self.channels.contains(&channel) && of_a_ticket && !excepted && !(self.breaches && breach)
    }
}

impl Hours {
    /// Returns when the window that holds at `now` ends, with touching ones joined; none if none holds.
    pub fn over_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let ends = std::iter::successors(self.end_of_window(now), |end| self.end_of_window(*end));
        ends.take(LONGEST_RUN).last()
    }

    /// Returns when they begin and end in a week: between two of these moments they hold throughout or not at all.
    pub(super) fn edges(&self) -> impl Iterator<Item = DateTime<Utc>> {
        let days = NaiveDate::default().iter_days().take(8);
        days.filter_map(move |day| self.window(day)).flat_map(|(start, end)| [start, end])
    }

    fn end_of_window(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let today = at.with_timezone(&self.timezone).date_naive();
        let windows = [today.pred_opt(), Some(today)].into_iter().flatten().filter_map(|day| self.window(day));
        windows.filter(|(start, end)| *start <= at && at < *end).map(|(_, end)| end).max()
    }

    fn window(&self, day: NaiveDate) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let index = usize::try_from(day.weekday().num_days_from_monday()).ok()?;
        let last = if self.until > self.from { day } else { day.checked_add_days(Days::new(1))? };
        let instant = |date, minutes| DateTime::from_timestamp_millis(resolve(self.timezone, date, minutes));
        self.days.get(index).copied().unwrap_or(false).then_some((instant(day, self.from)?, instant(last, self.until)?))
    }
}
