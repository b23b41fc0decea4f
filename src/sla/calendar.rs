//! Working hours, holidays and time zones: how much working time lies between two instants.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use chrono_tz::Tz;

/// A calendar as a person writes it. Compile it with `Calendar::compile`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CalendarSpec {
    /// The name people know it by.
    pub name: String,
    pub timezone: Tz,
    /// Open round the clock on every day that is not a holiday; `week` is then empty.
    pub always: bool,
    /// Monday first. Local minutes since midnight, `[start, end)`, `end` up to 1440;
    /// `end < start` is an overnight shift that ends on the next day.
    pub week: [Vec<(u16, u16)>; 7],
    /// Whole local dates that are closed.
    pub holidays: BTreeSet<NaiveDate>,
    /// `(month, day)` closed every year.
    pub yearly: BTreeSet<(u32, u32)>,
}
