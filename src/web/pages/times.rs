//! Formats the times of a page, all in one zone, which the page names.

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Timelike, Utc};

use crate::sla::calendar;
use crate::sla::zone::Tz;
use crate::web::auth::Caller;
use crate::web::{Problem, Web};

/// The formats in which browsers send a field of local time.
const TYPED: [&str; 2] = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"];

/// Formats and parses times in the zone that the caller's tenants share, or in UTC.
#[derive(Clone, Copy)]
pub struct Times(Tz);

impl Times {
    /// Creates the formatter for a page shown to `caller`.
    pub async fn of(web: &Web, caller: &Caller) -> Result<Self, Problem> {
        Ok(Self(web.service.common_zone(&caller.scope).await?.unwrap_or(Tz::UTC)))
    }

    /// Returns the name of the zone.
    pub fn zone(self) -> &'static str {
        self.0.name()
    }

    /// Formats as `24 Nov 2026 17:05`.
    pub fn at(self, time: DateTime<Utc>) -> String {
        self.written(time, "%-d %b %Y %H:%M")
    }

    /// Formats as `24 Nov 17:05`, for times whose year is clear.
    pub fn brief(self, time: DateTime<Utc>) -> String {
        self.written(time, "%-d %b %H:%M")
    }

    /// Formats as `24 Nov 17:05:31`.
    pub fn second(self, time: DateTime<Utc>) -> String {
        self.written(time, "%-d %b %H:%M:%S")
    }

    /// Formats as `2026-11-24 17:05:31`.
    pub fn exact(self, time: DateTime<Utc>) -> String {
        self.written(time, "%Y-%m-%d %H:%M:%S")
    }

    /// Formats by a chrono pattern.
    pub fn written(self, time: DateTime<Utc>, pattern: &str) -> String {
        time.with_timezone(&self.0).format(pattern).to_string()
    }

    /// Returns the day of `time`.
    pub fn day(self, time: DateTime<Utc>) -> NaiveDate {
        time.with_timezone(&self.0).date_naive()
    }

    /// Parses what was typed into a field of local time and adds its zone. Returns any other text unchanged.
    ///
    /// If the hour occurs twice, it is the first; if it is skipped, it is an hour later.
    pub fn typed(self, text: String) -> String {
        let local = TYPED.iter().find_map(|form| NaiveDateTime::parse_from_str(&text, form).ok());
        let instant = local.and_then(|local| {
            let begins = calendar::at_minute(self.0, local.date(), (local.hour() * 60 + local.minute()) as u16)?;
            begins.with_second(local.second())
        });
        instant.map_or(text, |at| at.to_rfc3339_opts(SecondsFormat::Secs, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_local_time() {
        let times = Times("Europe/London".parse().unwrap());
        let typed = |text: &str| times.typed(text.to_owned());
        assert_eq!(typed("2026-07-01T22:00"), "2026-07-01T21:00:00Z");
        assert_eq!(typed("2026-11-30T22:00:30"), "2026-11-30T22:00:30Z");
        assert_eq!(typed("2026-10-25T01:30"), "2026-10-25T00:30:00Z", "that hour comes twice");
        assert_eq!(typed("2026-03-29T01:30"), "2026-03-29T01:30:00Z", "that hour is skipped");
        assert_eq!(typed("tomorrow"), "tomorrow");
    }

    #[test]
    fn what_is_written_is_local_time() {
        let times = Times("Europe/London".parse().unwrap());
        let summer = "2026-07-01T23:30:09Z".parse().unwrap();
        assert_eq!(times.at(summer), "2 Jul 2026 00:30");
        assert_eq!(times.exact(summer), "2026-07-02 00:30:09");
        assert_eq!(times.day(summer).to_string(), "2026-07-02");
    }
}
