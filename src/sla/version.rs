//! Which terms were promised since when.
//!
//! Policies and calendars change. Open clocks move to the new terms at once; a
//! closed ticket keeps those that held when it was closed, so that a report about
//! the past always comes out the same.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::calendar::CalendarSpec;
use super::policy::Policy;
use crate::ticket::watch::Watched;
use crate::ticket::{Site, StatusMeaning, StatusWords};

/// Everything known to us that decides what a tenant's tickets were promised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The first match wins; only those that apply to this tenant.
    pub policies: Vec<Policy>,
    /// Count the hours of the client's site rather than the MSP's own.
    pub site_hours: bool,
    /// The MSP's own hours; none means round the clock.
    pub calendar: Option<CalendarSpec>,
    /// The dates of each SuperOps holiday list, by name.
    pub holiday_lists: BTreeMap<String, Vec<NaiveDate>>,
    /// What status names mean; none in versions from before this was recorded, where the present meanings count.
    #[serde(default)]
    pub words: Option<StatusWords>,
    /// The hours of the sites, if these count; none: as they are now.
    #[serde(default)]
    pub sites: Option<Vec<Site>>,
}

/// Terms, and the time from which they hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// From 1.
    pub number: u32,
    pub from: DateTime<Utc>,
    pub terms: Terms,
}

/// Returns the version in force at `at`: the last that began by then, or else the first, before which none is known.
///
/// `versions` are in the order of their numbers. If the system clock was set back
/// between two of them, the later number holds.
pub fn version_at(versions: &[Version], at: DateTime<Utc>) -> Option<&Version> {
    versions.iter().rfind(|version| version.from <= at).or(versions.first())
}

/// Returns when a closed ticket was closed, as well as we can know; none while it is open.
pub fn closed_at(watched: &Watched, words: &StatusWords) -> Option<DateTime<Utc>> {
    let ticket = &watched.ticket;
    if words.meaning(ticket.status.as_deref()) != StatusMeaning::Closed {
        return watched.vanished_at;
    }
    let seen = watched.status_since.map(|since| since.latest);
    Some(ticket.resolution.met_at.or(seen).or(ticket.updated_at).unwrap_or(watched.first_seen_at))
}

/// Returns versions that promise nothing, numbered from 1, each in force from the moment given.
#[cfg(test)]
pub(super) fn bare_versions(from: impl Iterator<Item = DateTime<Utc>>) -> Vec<Version> {
    let terms = Terms {
        policies: Vec::new(),
        site_hours: false,
        calendar: None,
        holiday_lists: BTreeMap::default(),
        words: None,
        sites: None,
    };
    (1..).zip(from).map(|(number, from)| Version { number, from, terms: terms.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::hours(hour)
    }

    fn versions(from: &[i64]) -> Vec<Version> {
        bare_versions(from.iter().map(|hour| at(*hour)))
    }

    #[test]
    fn a_version_holds_from_its_first_instant_until_the_next_one() {
        let versions = versions(&[0, 10, 20]);
        let cases = [(-5, 1), (0, 1), (9, 1), (10, 2), (19, 2), (20, 3), (99, 3)];
        for (hour, number) in cases {
            assert_eq!(version_at(&versions, at(hour)).unwrap().number, number, "{hour}");
        }
        assert_eq!(version_at(&[], at(0)), None);
    }

    #[test]
    fn of_two_versions_that_began_at_once_or_out_of_order_the_later_number_holds() {
        assert_eq!(version_at(&versions(&[0, 0]), at(0)).unwrap().number, 2);
        assert_eq!(version_at(&versions(&[0, 10, 5]), at(12)).unwrap().number, 3);
    }
}
