//! Cuts time into stretches, open or closed and why, to show to people.
//!
//! Stretches follow each other without a gap. Closed time is cut at local
//! midnight, so that a holiday is a whole local date.

use chrono::{DateTime, Datelike, Days, NaiveDate, Utc, Weekday};

use super::{Calendar, resolve};

/// Why time counts or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StretchKind {
    Open,
    /// Outside the windows of a day that has windows.
    ClosedHours,
    /// A Saturday or Sunday without windows.
    Weekend,
    /// Another day of the week without windows.
    ClosedDay,
    Holiday,
}

/// From one instant to another, all of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub kind: StretchKind,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

impl Calendar {
    /// Cuts the time from `from` to `to` into stretches; yields none unless `to` is later.
    pub fn stretches(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Stretches<'_> {
        Stretches { calendar: self, at: from, to }
    }

    fn stretch_from(&self, at: DateTime<Utc>) -> (StretchKind, DateTime<Utc>) {
        match self.window_from(at) {
            Some((opening, closing)) if opening <= at => (StretchKind::Open, closing),
            next => {
                let opening = next.map_or(DateTime::<Utc>::MAX_UTC, |(opening, _)| opening);
                let date = self.local_date(at);
                let midnight = date.checked_add_days(Days::new(1)).and_then(|next| self.midnight(next));
                // If the clocks change at midnight, the next date may begin before `at`.
                let until = midnight.filter(|midnight| at < *midnight).unwrap_or(opening);
                (self.why_closed(date), until.min(opening))
            }
        }
    }

    fn local_date(&self, at: DateTime<Utc>) -> NaiveDate {
        at.with_timezone(&self.spec.timezone).date_naive()
    }

    fn midnight(&self, date: NaiveDate) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(resolve(self.spec.timezone, date, 0))
    }

    fn why_closed(&self, date: NaiveDate) -> StretchKind {
        let day = date.weekday();
        if self.is_holiday(date) {
            StretchKind::Holiday
        } else if !self.days[day.num_days_from_monday() as usize].is_empty() {
            StretchKind::ClosedHours
        } else if matches!(day, Weekday::Sat | Weekday::Sun) {
            StretchKind::Weekend
        } else {
            StretchKind::ClosedDay
        }
    }
}

/// See [`Calendar::stretches`].
pub struct Stretches<'a> {
    calendar: &'a Calendar,
    at: DateTime<Utc>,
    to: DateTime<Utc>,
}

impl Iterator for Stretches<'_> {
    type Item = Stretch;

    fn next(&mut self) -> Option<Stretch> {
        let from = self.at;
        let (kind, mut end) = (from < self.to).then(|| self.calendar.stretch_from(from))?;
        while kind != StretchKind::Open && kind != StretchKind::Holiday && end < self.to {
            let (next, further) = self.calendar.stretch_from(end);
            if next != kind {
                break;
            }
            end = further;
        }
        self.at = end.min(self.to);
        Some(Stretch { kind, from, to: self.at })
    }
}
