//! How a page writes times: all of them in one zone, which the page names.

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Timelike, Utc};

use crate::sla::calendar;
use crate::sla::zone::Tz;
use crate::web::auth::Caller;
use crate::web::{Problem, Web};

/// What a browser sends of a field of local time.
const TYPED: [&str; 2] = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"];

/// Writes and reads times in the zone that the caller's tenants have in common, or in UTC.
#[derive(Clone, Copy)]
pub struct Times(Tz);

impl Times {
    /// Those of a page for `caller`.
    pub async fn of(web: &Web, caller: &Caller) -> Result<Self, Problem> {
        Ok(Self(web.service.common_zone(&caller.scope).await?.unwrap_or(Tz::UTC)))
    }

    /// The name of the zone.
    pub fn zone(self) -> &'static str {
        self.0.name()
    }

    /// `24 Nov 2026 17:05`
    pub fn at(self, time: DateTime<Utc>) -> String {
        self.written(time, "%-d %b %Y %H:%M")
    }

    /// `24 Nov 17:05`, where the year is beyond doubt.
    pub fn brief(self, time: DateTime<Utc>) -> String {
        self.written(time, "%-d %b %H:%M")
    }

    /// `24 Nov 17:05:31`
    pub fn second(self, time: DateTime<Utc>) -> String {
        self.written(time, "%-d %b %H:%M:%S")
    }

    /// `2026-11-24 17:05:31`
    pub fn exact(self, time: DateTime<Utc>) -> String {
        self.written(time, "%Y-%m-%d %H:%M:%S")
    }

    /// By a pattern of chrono's.
    pub fn written(self, time: DateTime<Utc>, pattern: &str) -> String {
        time.with_timezone(&self.0).format(pattern).to_string()
    }

    /// The day on which `time` lies.
    pub fn day(self, time: DateTime<Utc>) -> NaiveDate {
        time.with_timezone(&self.0).date_naive()
    }

    /// What was typed into a field of local time, with its zone; what is no such time stays as it is.
    ///
    /// An hour that comes twice is the first one; one that is skipped is an hour later.
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
