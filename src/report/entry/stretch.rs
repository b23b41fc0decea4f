//! Stretches of time cut at the midnights of a zone.

use chrono::{DateTime, Days, NaiveDate, Utc};

use crate::sla::calendar::midnight;
use crate::sla::zone::Tz;

/// `stretch` cut at each local midnight of `zone`, each piece with its local date.
pub fn by_day(stretch: (DateTime<Utc>, DateTime<Utc>), zone: Tz) -> Vec<(NaiveDate, DateTime<Utc>, DateTime<Utc>)> {
    let (mut from, to) = stretch;
    let mut pieces = Vec::new();
    while from < to {
        let day = from.with_timezone(&zone).date_naive();
        let next = day.checked_add_days(Days::new(1)).and_then(|next| midnight(zone, next));
        // Where the clocks change at midnight, a date may begin before the last piece ended.
        let end = next.filter(|next| from < *next).map_or(to, |next| next.min(to));
        pieces.push((day, from, end));
        from = end;
    }
    pieces
}
