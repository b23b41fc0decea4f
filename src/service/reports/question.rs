//! Questions about reports, as text and once checked. A complaint says which part makes no sense.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::Deserialize;
use utoipa::IntoParams;

use super::super::described::{AsOfWord, ByWord, FormatWord, OutcomeWord};
use super::super::{Complaint, ServiceError};
use crate::formats::Format;
use crate::report::day;
use crate::report::make::By;
use crate::report::rate::Goal;
use crate::report::{ClosedMonth, Opens, Period};
use crate::sla::zone::Tz;
use crate::ticket::{ClockKind, TenantId};

/// How many days are reported on unless told otherwise, today the last of them.
const USUAL_DAYS: i64 = 30;
const USUAL_ENTRIES: usize = 100;
const MOST_ENTRIES: usize = 1000;

/// A report on a period.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct ReportQuery {
    pub tenant: Option<String>,
    /// The first local day, like 2026-01-31; a month ago by default.
    #[param(pattern = r"^(\d{4}-\d{2}-\d{2})?$")]
    pub from: Option<String>,
    /// The last local day; today by default. At most 366 days.
    #[param(pattern = r"^(\d{4}-\d{2}-\d{2})?$")]
    pub to: Option<String>,
    /// day | week | month | weekday | hour | client | technician | priority | policy | category | reason
    #[param(inline, value_type = Option<ByWord>)]
    pub by: Option<String>,
    /// Only this client's tickets, by name or id.
    pub client: Option<String>,
    /// `latest`: closed months as known now.
    #[param(inline, value_type = Option<AsOfWord>)]
    pub as_of: Option<String>,
    /// Pseudonyms instead of names.
    pub anonymize: Option<bool>,
    /// Leave out what met a maintenance window; yes by default.
    pub exclude_maintenance: Option<bool>,
    /// The goal, in percent; as configured by default, else 95.
    #[param(exclusive_minimum = 0, maximum = 100)]
    pub target_percentage: Option<f64>,
    /// json | csv | html | xlsx | pdf; json by default.
    #[param(inline, value_type = Option<FormatWord>)]
    pub format: Option<String>,
    /// Which table a CSV holds, by its key; the first by default.
    pub table: Option<String>,
}

/// What technicians did in a period.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct TechnicianQuery {
    pub tenant: Option<String>,
    /// The first local day; a month ago by default.
    #[param(pattern = r"^(\d{4}-\d{2}-\d{2})?$")]
    pub from: Option<String>,
    /// The last local day; today by default.
    #[param(pattern = r"^(\d{4}-\d{2}-\d{2})?$")]
    pub to: Option<String>,
    #[param(inline, value_type = Option<AsOfWord>)]
    pub as_of: Option<String>,
    pub anonymize: Option<bool>,
    pub exclude_maintenance: Option<bool>,
}

/// Compliance day by day.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct ComplianceQuery {
    pub tenant: Option<String>,
    /// The first local day; a month ago by default.
    #[param(pattern = r"^(\d{4}-\d{2}-\d{2})?$")]
    pub from_date: Option<String>,
    /// The last local day; today by default.
    #[param(pattern = r"^(\d{4}-\d{2}-\d{2})?$")]
    pub to_date: Option<String>,
    /// The goal, in percent; as configured by default, else 95.
    #[param(exclusive_minimum = 0, maximum = 100)]
    pub target_percentage: Option<f64>,
    /// Leave out what met a maintenance window; yes by default.
    pub exclude_maintenance: Option<bool>,
    /// first_response | resolution | next_response; all by default.
    #[param(inline, value_type = Option<ClockKind>)]
    pub clock: Option<String>,
    /// `latest`: closed months as known now.
    #[param(inline, value_type = Option<AsOfWord>)]
    pub as_of: Option<String>,
}

/// The entries behind a figure.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct EntryQuery {
    pub tenant: Option<String>,
    #[param(pattern = r"^(\d{4}-\d{2}-\d{2})?$")]
    pub from: Option<String>,
    #[param(pattern = r"^(\d{4}-\d{2}-\d{2})?$")]
    pub to: Option<String>,
    /// met | breached | excluded
    #[param(inline, value_type = Option<OutcomeWord>)]
    pub outcome: Option<String>,
    #[param(inline, value_type = Option<ClockKind>)]
    pub clock: Option<String>,
    /// A technician's id, or @nobody | @unknown | @automation.
    pub person: Option<String>,
    /// SuperOps' id.
    pub client: Option<String>,
    pub priority: Option<String>,
    pub policy: Option<String>,
    pub category: Option<String>,
    /// Of a breach or an exclusion.
    pub reason: Option<String>,
    #[param(inline, value_type = Option<AsOfWord>)]
    pub as_of: Option<String>,
    pub exclude_maintenance: Option<bool>,
    /// 1 to 1000, 100 by default.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// A question that has been checked.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub tenant: Option<String>,
    pub from: Option<NaiveDate>,
    pub to: Option<NaiveDate>,
    names: [&'static str; 2],
    pub by: By,
    pub client: Option<String>,
    pub clock: Option<ClockKind>,
    pub latest: bool,
    pub anonymous: bool,
    pub exclude_maintenance: bool,
    /// None: the tenant's own, and those of its policies.
    pub goal: Option<Goal>,
}

/// The period in a tenant's zone.
pub struct Found {
    pub period: Period,
    pub zone: Tz,
    /// How often the books had changed in the range asked about.
    pub changes: i64,
    pub months: Vec<ClosedMonth>,
    /// Whether all of its months are closed.
    pub is_closed: bool,
    pub provisional_until: Option<DateTime<Utc>>,
}

impl Wanted {
    fn new(
        tenant: &Option<String>,
        [from, to]: [&Option<String>; 2],
        names: [&'static str; 2],
        as_of: &Option<String>,
    ) -> Result<Self, ServiceError> {
        let [from, to] = [(from, names[0]), (to, names[1])].map(|(text, name)| date(name, text));
        let latest = match filled(as_of) {
            None => false,
            Some("latest") => true,
            Some(other) => return Err(bad(Complaint::of("as_of", format!("is `{other}`, and may only be `latest`")))),
        };
        Ok(Self {
            tenant: filled(tenant).map(str::to_owned),
            from: from?,
            to: to?,
            names,
            by: By::Day,
            client: None,
            clock: None,
            latest,
            anonymous: false,
            exclude_maintenance: true,
            goal: None,
        })
    }

    /// Whether it is about `tenant`.
    pub fn means(&self, tenant: &TenantId) -> bool {
        self.tenant.as_deref().is_none_or(|name| tenant.as_str() == name)
    }

    /// The days that are meant, if today is `today`.
    pub fn period(&self, today: NaiveDate) -> Result<Period, ServiceError> {
        let to = self.to.unwrap_or_else(|| self.from.map_or(today, |from| from.max(today)));
        let from = self.from.unwrap_or_else(|| to - TimeDelta::days(USUAL_DAYS - 1));
        let [first, last] = self.names;
        Period::new(from, to)
            .map_err(|error| bad(Complaint::about(first, format!("the period from `{first}` to `{last}`: {error}"))))
    }
}

impl ReportQuery {
    /// The format that was asked for.
    pub fn form(&self) -> Result<Format, ServiceError> {
        let form = self.format.as_deref().unwrap_or(Format::Json.name()).parse::<Format>();
        form.map_err(|unknown| bad(Complaint::about("format", unknown.to_string())))
    }

    pub fn wanted(&self) -> Result<Wanted, ServiceError> {
        let by = match filled(&self.by) {
            None => By::Day,
            Some(name) => By::parse(name).ok_or_else(|| {
                let names: Vec<_> = By::ALL.iter().map(|by| by.as_str()).collect();
                bad(Complaint::of("by", format!("is `{name}`, and must be one of {}", names.join(", "))))
            })?,
        };
        Ok(Wanted {
            by,
            client: filled(&self.client).map(str::to_owned),
            anonymous: self.anonymize.unwrap_or(false),
            exclude_maintenance: self.exclude_maintenance.unwrap_or(true),
            goal: goal(self.target_percentage)?,
            ..Wanted::new(&self.tenant, [&self.from, &self.to], ["from", "to"], &self.as_of)?
        })
    }
}

impl TechnicianQuery {
    pub fn wanted(&self) -> Result<Wanted, ServiceError> {
        Ok(Wanted {
            anonymous: self.anonymize.unwrap_or(false),
            exclude_maintenance: self.exclude_maintenance.unwrap_or(true),
            ..Wanted::new(&self.tenant, [&self.from, &self.to], ["from", "to"], &self.as_of)?
        })
    }
}

impl ComplianceQuery {
    pub fn wanted(&self) -> Result<Wanted, ServiceError> {
        Ok(Wanted {
            clock: clock(&self.clock)?,
            exclude_maintenance: self.exclude_maintenance.unwrap_or(true),
            goal: goal(self.target_percentage)?,
            ..Wanted::new(&self.tenant, [&self.from_date, &self.to_date], ["from_date", "to_date"], &self.as_of)?
        })
    }
}

impl EntryQuery {
    pub fn wanted(&self) -> Result<Wanted, ServiceError> {
        let known = ["met", "breached", "excluded"];
        if let Some(outcome) = filled(&self.outcome).filter(|outcome| !known.contains(outcome)) {
            return Err(bad(Complaint::of(
                "outcome",
                format!("is `{outcome}`, and must be met, breached or excluded"),
            )));
        }
        Ok(Wanted {
            clock: clock(&self.clock)?,
            exclude_maintenance: self.exclude_maintenance.unwrap_or(true),
            ..Wanted::new(&self.tenant, [&self.from, &self.to], ["from", "to"], &self.as_of)?
        })
    }

    /// How many to show.
    pub fn limit(&self) -> Result<usize, ServiceError> {
        match self.limit.unwrap_or(USUAL_ENTRIES) {
            limit @ 1..=MOST_ENTRIES => Ok(limit),
            limit => Err(bad(Complaint::of("limit", format!("is {limit}, and must be 1 to {MOST_ENTRIES}")))),
        }
    }

    /// Which entries it asks for.
    pub fn opens(&self) -> Opens {
        let text = |text: &Option<String>| filled(text).map(str::to_owned);
        Opens {
            // The period is asked for separately.
            from: None,
            to: None,
            outcome: text(&self.outcome),
            clock: text(&self.clock),
            person: text(&self.person),
            client: text(&self.client),
            priority: text(&self.priority),
            policy: text(&self.policy),
            category: text(&self.category),
            reason: text(&self.reason),
        }
    }
}

fn filled(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

fn date(name: &'static str, text: &Option<String>) -> Result<Option<NaiveDate>, ServiceError> {
    let Some(text) = filled(text) else { return Ok(None) };
    day::date(text).map(Some).map_err(|why| bad(Complaint::of(name, format!("is `{text}`, and {why}"))))
}

fn clock(text: &Option<String>) -> Result<Option<ClockKind>, ServiceError> {
    filled(text).map(clock_named).transpose()
}

/// The clock of that name.
pub fn clock_named(name: &str) -> Result<ClockKind, ServiceError> {
    let found = ClockKind::ALL.into_iter().find(|kind| kind.as_str() == name);
    let complaint =
        || bad(Complaint::of("clock", format!("is `{name}`, and must be first_response, resolution or next_response")));
    found.ok_or_else(complaint)
}

fn goal(percent: Option<f64>) -> Result<Option<Goal>, ServiceError> {
    let Some(percent) = percent else { return Ok(None) };
    let complaint = || {
        bad(Complaint::of(
            "target_percentage",
            format!("is {percent}, and must be over 0 and at most 100, with at most three decimals"),
        ))
    };
    Goal::percent(percent).map(Some).ok_or_else(complaint)
}

fn bad(complaint: Complaint) -> ServiceError {
    ServiceError::BadQuestion(complaint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(from: &str, to: &str) -> String {
        let query = ComplianceQuery { from_date: Some(from.into()), to_date: Some(to.into()), ..Default::default() };
        let today = "2026-11-21".parse().unwrap();
        query.wanted().and_then(|wanted| wanted.period(today)).unwrap_err().to_string()
    }

    #[test]
    fn a_period_that_makes_no_sense_is_refused_with_the_part_that_is_wrong() {
        assert_eq!(
            complaint("soon", "2026-01-01"),
            "`from_date` is `soon`, and must be a date like 2026-01-31, in a year from 1970 to 2999"
        );
        assert_eq!(
            complaint("2026-01-01", "2026-02-30"),
            "`to_date` is `2026-02-30`, and must be a date like 2026-01-31, in a year from 1970 to 2999"
        );
        let reversed = complaint("2026-02-01", "2026-01-01");
        assert!(
            reversed.starts_with("the period from `from_date` to `to_date`: it begins on 2026-02-01"),
            "{reversed}"
        );
        let long = complaint("2025-01-01", "2026-01-02");
        assert!(long.contains("it is 367 days long, but may have at most 366"), "{long}");
    }

    #[test]
    fn without_a_word_the_last_thirty_days_are_meant() {
        let today: NaiveDate = "2026-11-21".parse().unwrap();
        let period = ReportQuery::default().wanted().unwrap().period(today).unwrap();
        assert_eq!((period.day_count(), period.to), (30, today));
    }
}
