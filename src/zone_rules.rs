//! Which time zone rules are in force: those of the machine if they are newer, else those built into the program.
//!
//! Countries change their clocks at short notice, and the machine's package of zones is kept up to date by its own
//! means. A running service looks for a newer one each hour.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use jiff::tz::TimeZoneDatabase;

use crate::sla::zone;
use crate::telemetry::{Telemetry, ZoneRulesLabels};

/// Where systems keep their zones.
const FOLDERS: [&str; 3] = ["/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/etc/zoneinfo"];
const EVERY: TimeDelta = TimeDelta::hours(1);
/// The version of the built-in rules, and since when they have been available: jiff's change log says it.
const BUNDLED: (&str, (i32, u32, u32)) = ("2026e", (2026, 10, 6));

/// The rules in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneRules {
    /// Such as `2026b`: the year, and a letter for each change in it.
    pub version: String,
    /// Where they were found; none if in the program itself.
    pub folder: Option<PathBuf>,
    /// Since when they have been available; for a machine's, when its file was written.
    pub since: DateTime<Utc>,
}

impl ZoneRules {
    fn bundled() -> Self {
        let (year, month, day) = BUNDLED.1;
        let date = NaiveDate::from_ymd_opt(year, month, day).unwrap_or_default();
        let since = date.and_time(NaiveTime::MIN).and_utc();
        Self { version: zone::bundled_version().to_owned(), folder: None, since }
    }

    /// Reads those in `folder`; none if it does not say which they are.
    fn found_in(folder: &Path) -> Option<Self> {
        let source = folder.join("tzdata.zi");
        let text = fs::read_to_string(&source).ok()?;
        let version = text.lines().next()?.strip_prefix("# version ")?.trim().to_owned();
        let since = fs::metadata(&source).and_then(|file| file.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
        Some(Self { version, folder: Some(folder.to_owned()), since: since.into() })
    }

    /// Names them for people, with their age.
    pub fn words(&self, now: DateTime<Utc>) -> String {
        let place = self.folder.as_ref().map_or("built in".to_owned(), |folder| folder.display().to_string());
        let days = (now - self.since).num_days().max(0);
        let unit = if days == 1 { "day" } else { "days" };
        format!("{} ({place}), {days} {unit} old", self.version)
    }
}

/// Returns the newest rules there are: the program's, unless one of `folders` has newer ones.
fn newest(folders: &[PathBuf]) -> ZoneRules {
    let found = folders.iter().filter_map(|folder| ZoneRules::found_in(folder));
    // Versions are made to be compared as text. If two are equal the program's own wins: nothing can change it
    // underneath.
    found.fold(ZoneRules::bundled(), |best, other| if other.version > best.version { other } else { best })
}

/// Returns where this machine may keep its zones; `named` is what the variable TZDIR says.
fn folders(named: Option<PathBuf>) -> Vec<PathBuf> {
    named.into_iter().chain(FOLDERS.map(PathBuf::from)).collect()
}

/// Makes all zones follow `rules`.
fn install(rules: &ZoneRules) -> Result<(), jiff::Error> {
    match &rules.folder {
        None => zone::install(TimeZoneDatabase::bundled(), ""),
        Some(folder) => zone::install(TimeZoneDatabase::from_dir(folder)?, &rules.words(rules.since)),
    }
    Ok(())
}

/// Keeps the rules up to date.
pub struct ZoneWatch {
    folders: Vec<PathBuf>,
    held: ZoneRules,
    next: DateTime<Utc>,
}

impl ZoneWatch {
    /// Watches the places where this machine may keep its zones.
    pub fn of_this_machine() -> Self {
        Self::new(folders(std::env::var_os("TZDIR").map(PathBuf::from)))
    }

    /// Nothing is installed before the first turn.
    pub fn new(folders: Vec<PathBuf>) -> Self {
        Self { folders, held: ZoneRules::bundled(), next: DateTime::<Utc>::MIN_UTC }
    }

    /// Returns the newest rules there are.
    pub fn newest(&self) -> ZoneRules {
        newest(&self.folders)
    }

    /// Returns the rules in force.
    pub fn held(&self) -> &ZoneRules {
        &self.held
    }

    /// Shows in `telemetry` which rules are in force.
    pub fn show(&self, telemetry: &Telemetry, now: DateTime<Utc>) {
        let source = if self.held.folder.is_some() { "machine" } else { "program" };
        telemetry.zone_rules.clear();
        let labels = ZoneRulesLabels { version: self.held.version.clone(), source };
        telemetry.zone_rules.get_or_create(&labels).set(1);
        telemetry.zone_rules_age_seconds.set((now - self.held.since).num_seconds().max(0));
    }

    /// Looks for newer rules once an hour. Returns true if others are in force from now on.
    pub fn turn(&mut self, now: DateTime<Utc>) -> Result<bool, jiff::Error> {
        if now < self.next {
            return Ok(false);
        }
        self.next = now + EVERY;
        let newest = self.newest();
        if newest == self.held {
            return Ok(false);
        }
        install(&newest)?;
        self.held = newest;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(first_line: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("tzdata.zi"), format!("{first_line}\nR A 1916 o - Jun 14 23s 1 S\n")).unwrap();
        folder
    }

    #[test]
    fn the_machines_rules_hold_where_they_are_newer() {
        let cases = [
            ("# version 2031a", Some("2031a")),
            ("# version 2019c", None),
            ("# version 2026e", None),
            ("# a file of another kind", None),
            ("", None),
        ];
        for (first_line, expected) in cases {
            let folder = folder(first_line);
            let newest = newest(&[PathBuf::from("/nowhere"), folder.path().to_owned()]);
            assert_eq!(newest.version, expected.unwrap_or(zone::bundled_version()), "{first_line}");
            assert_eq!(newest.folder.as_deref(), expected.map(|_| folder.path()), "{first_line}");
        }
    }

    #[test]
    fn the_date_stands_beside_the_version_that_the_program_carries() {
        assert_eq!(zone::bundled_version(), BUNDLED.0, "say since when this version is to be had");
        let now = "2026-11-22T00:00:00Z".parse().unwrap();
        assert_eq!(ZoneRules::bundled().words(now), "2026e (built in), 47 days old");
    }
}
