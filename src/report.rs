//! Reports on compliance, technicians and breaches in a period, as a value that every format is made from.
//!
//! A [`Report`] holds all that a page, a PDF, a spreadsheet or another program shows, with the type of each figure and
//! nothing of its looks. It has no creation time: the same question about the same books gives the same report, to the
//! byte. What a figure means is in `docs/reports.md`; the rules are in the modules here, which read no clock, file or
//! network.

pub mod brief;
pub mod clients;
pub mod credit;
pub mod day;
pub mod entry;
pub mod fairness;
pub mod figures;
pub mod honesty;
pub mod interval;
pub mod make;
pub mod rate;
pub mod room;
pub mod schedule;
pub mod share;
pub mod spread;
pub mod technician;
pub mod trend;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use self::entry::Entry;
use crate::sla::zone::Tz;

/// How far reports tell people apart; each variant tells less than the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum People {
    /// By name.
    #[default]
    Named,
    /// By pseudonyms, which never appear next to a ticket.
    Pseudonyms,
    /// Not at all.
    Off,
}

impl People {
    pub const ALL: [Self; 3] = [Self::Named, Self::Pseudonyms, Self::Off];

    /// The name used in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::Pseudonyms => "pseudonyms",
            Self::Off => "off",
        }
    }

    /// Returns the one of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|people| people.as_str() == name)
    }
}

/// How many days after its end a month is closed; its figures do not change after that.
pub const CLOSES_AFTER: u16 = 7;

/// The version of the schema: it rises when a reader of an older report could misread a newer one.
pub const SCHEMA: u32 = 1;

/// What was asked, and the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`] of the program that made it.
    pub schema: u32,
    pub title: String,
    pub tenant: String,
    /// The zone whose days are meant.
    pub zone: Tz,
    pub period: Period,
    /// The only client it is about, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The closed months of the period, each with the hash of its entries.
    pub months: Vec<ClosedMonth>,
    /// Until when some of its figures may still change; none: all of its months are closed.
    pub provisional_until: Option<DateTime<Utc>>,
    /// Whether its closed months are told as known now, with what changed after they were closed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub as_known_now: bool,
    /// The versions of the terms by which its entries were judged.
    pub terms: Vec<u32>,
    /// The version of the program whose rules were applied.
    pub program: String,
    /// Whether people and clients appear under pseudonyms.
    pub anonymous: bool,
    pub sections: Vec<Section>,
    /// What a reader must know about the whole report.
    pub notes: Vec<String>,
    /// SHA-256 of the report as JSON with this left blank, in hex.
    #[serde(default)]
    pub hash: String,
}

impl Report {
    /// Whether its figures do not change any more.
    pub fn is_final(&self) -> bool {
        self.provisional_until.is_none() && !self.as_known_now
    }
}

/// A range of whole local days, the last included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Period {
    pub from: NaiveDate,
    pub to: NaiveDate,
}

/// The longest period that can be asked for, in days.
pub const LONGEST_DAYS: i64 = 366;

/// Why a period cannot be reported on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPeriod {
    #[error("it begins on {from} and ends before that, on {to}; swap the two")]
    Reversed { from: NaiveDate, to: NaiveDate },
    #[error("it is {0} days long, but may have at most {LONGEST_DAYS}; ask for parts of it")]
    TooLong(i64),
}

impl Period {
    /// From the first day to the last, if that is a valid period.
    pub fn new(from: NaiveDate, to: NaiveDate) -> Result<Self, BadPeriod> {
        let days = (to - from).num_days() + 1;
        match days {
            ..=0 => Err(BadPeriod::Reversed { from, to }),
            1..=LONGEST_DAYS => Ok(Self { from, to }),
            _ => Err(BadPeriod::TooLong(days)),
        }
    }

    /// How many days it has.
    pub fn day_count(&self) -> i64 {
        (self.to - self.from).num_days() + 1
    }

    /// Whether `day` is one of its days.
    pub fn has(&self, day: NaiveDate) -> bool {
        self.from <= day && day <= self.to
    }

    /// Its days, the first one first.
    pub fn days(&self) -> impl Iterator<Item = NaiveDate> + use<> {
        let to = self.to;
        self.from.iter_days().take_while(move |day| *day <= to)
    }

    /// The period of the same length just before it.
    pub fn before(&self) -> Self {
        let length = TimeDelta::days(self.day_count());
        Self { from: self.from - length, to: self.to - length }
    }
}

/// A month whose figures no longer change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedMonth {
    /// `2026-10`
    pub month: String,
    /// SHA-256 of its entries, in hex.
    pub sha256: String,
    /// Revisions of its entries made after it was closed, which count in no month.
    pub corrections: u64,
}

impl ClosedMonth {
    /// Its days; none if it is not a month.
    pub fn days(&self) -> Option<Period> {
        let from: NaiveDate = format!("{}-01", self.month).parse().ok()?;
        let to = from.checked_add_months(chrono::Months::new(1))?.pred_opt()?;
        Some(Period { from, to })
    }
}

/// A part of a report with its own heading.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// Does not depend on the language: `compliance`.
    pub key: String,
    pub title: String,
    /// Whole sentences, each a paragraph.
    pub text: Vec<String>,
    /// The few figures that stand out.
    pub figures: Vec<Figure>,
    pub charts: Vec<Chart>,
    pub tables: Vec<Table>,
}

/// One figure with its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    pub key: String,
    pub title: String,
    pub value: Cell,
    /// How certain it is, or out of how many: `11 of 14 · 52.4 to 92.4 %`.
    pub note: Option<String>,
    /// The entries it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens: Option<Opens>,
}

/// Rows of typed cells.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    pub key: String,
    pub title: String,
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
    /// Rows that exist but are not in it.
    pub left_out: u64,
    /// How many rows are enough for people; files for programs and spreadsheets have all. None: as many as fit.
    #[serde(skip)]
    pub shown: Option<usize>,
}

impl Table {
    /// The rows for a reader where `most` fit, and how many more there are.
    pub fn to_read(&self, most: usize) -> (&[Row], u64) {
        let shown = self.rows.len().min(most).min(self.shown.unwrap_or(usize::MAX));
        (&self.rows[..shown], self.left_out + (self.rows.len() - shown) as u64)
    }
}

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    pub key: String,
    pub title: String,
    pub kind: ColumnKind,
}

impl Column {
    /// A column of that name.
    pub fn new(key: &str, title: &str, kind: ColumnKind) -> Self {
        Self { key: key.to_owned(), title: title.to_owned(), kind }
    }
}

/// The type of all cells of a column that are not blank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    Text,
    Count,
    Percent,
    Duration,
    Date,
    Time,
    Number,
}

/// One row, and what a click on it opens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub cells: Vec<Cell>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens: Option<Opens>,
}

/// A value with its type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cell {
    /// Nothing to show: no entries, or too few.
    #[default]
    Blank,
    /// Text from outside may be hostile: escape it.
    Text(String),
    Count(u64),
    /// Tenths of a percent: 786 is 78.6 %.
    Percent(u32),
    /// Milliseconds.
    Duration(i64),
    Date(NaiveDate),
    Time(DateTime<Utc>),
    Number(f64),
}

impl Cell {
    /// Text as it is.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A length of time, or nothing.
    pub fn duration(length: Option<TimeDelta>) -> Self {
        length.map_or(Self::Blank, |length| Self::Duration(length.num_milliseconds()))
    }

    /// A share in tenths of a percent, or nothing.
    pub fn percent(tenths: Option<u32>) -> Self {
        tenths.map_or(Self::Blank, Self::Percent)
    }
}

/// Lines or bars over labelled places; its table stands behind it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chart {
    pub key: String,
    pub title: String,
    pub kind: ChartKind,
    pub unit: Unit,
    /// One for each place, in order.
    pub labels: Vec<String>,
    pub series: Vec<Series>,
    /// A level to reach, in the chart's unit.
    pub target: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChartKind {
    Line,
    Bar,
}

/// The unit of a chart's points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Percent,
    Count,
    Minutes,
}

/// One line, or the bars of one colour; a place without a point has no figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    pub name: String,
    pub points: Vec<Option<f64>>,
}

/// The entries behind a figure, as a query that lists them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opens {
    pub from: Option<NaiveDate>,
    pub to: Option<NaiveDate>,
    /// met | breached | excluded
    pub outcome: Option<String>,
    pub clock: Option<String>,
    pub person: Option<String>,
    pub client: Option<String>,
    pub priority: Option<String>,
    pub policy: Option<String>,
    pub category: Option<String>,
    /// Of a breach or an exclusion.
    pub reason: Option<String>,
}

impl Opens {
    /// Whether it asks for `entry`, leaving its day aside.
    pub fn has(&self, entry: &Entry, with_maintenance: bool) -> bool {
        let same = |wanted: &Option<String>, found: Option<&str>| wanted.is_none() || found == wanted.as_deref();
        let excluded = entry.excluded(with_maintenance);
        let outcome = excluded.map_or(entry.outcome.as_str(), |_| "excluded");
        let reason = excluded.map(|why| why.as_str()).or(entry.final_reason().map(|reason| reason.as_str()));
        same(&self.outcome, Some(outcome))
            && same(&self.clock, Some(entry.clock.as_str()))
            && same(&self.person, Some(entry.holder.as_str()))
            && same(&self.client, entry.client.as_deref())
            && same(&self.priority, entry.priority.as_deref())
            && same(&self.policy, entry.policy.as_deref())
            && same(&self.category, entry.category.as_deref())
            && same(&self.reason, reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_period_that_makes_no_sense_says_why() {
        let period = |from, to| Period::new(day(from), day(to)).map_err(|bad| bad.to_string());
        assert_eq!(period("2026-10-01", "2026-10-31").unwrap().day_count(), 31);
        assert_eq!(period("2026-10-01", "2026-10-01").unwrap().before(), period("2026-09-30", "2026-09-30").unwrap());
        assert_eq!(
            period("2026-10-02", "2026-10-01").unwrap_err(),
            "it begins on 2026-10-02 and ends before that, on 2026-10-01; swap the two"
        );
        assert_eq!(period("2024-01-01", "2024-12-31").unwrap().day_count(), 366);
        assert_eq!(
            period("2024-01-01", "2025-01-01").unwrap_err(),
            "it is 367 days long, but may have at most 366; ask for parts of it"
        );
    }

    #[test]
    fn a_report_reads_back_as_it_was_written() {
        let section = Section {
            key: "compliance".into(),
            figures: vec![Figure {
                key: "all".into(),
                title: "Compliance".into(),
                value: Cell::Percent(786),
                note: None,
                opens: Some(Opens { outcome: Some("met".into()), ..Opens::default() }),
            }],
            tables: vec![Table {
                columns: vec![Column::new("day", "Day", ColumnKind::Date)],
                rows: vec![Row { cells: vec![Cell::Date(day("2026-10-29")), Cell::Blank], opens: None }],
                ..Table::default()
            }],
            ..Section::default()
        };
        let report = Report {
            schema: SCHEMA,
            title: "October".into(),
            tenant: "acme".into(),
            zone: Tz::named("America/New_York"),
            period: Period::new(day("2026-10-01"), day("2026-10-31")).unwrap(),
            client: None,
            months: Vec::new(),
            provisional_until: None,
            as_known_now: false,
            terms: vec![1],
            program: "0.1.0".into(),
            anonymous: false,
            sections: vec![section],
            notes: Vec::new(),
            hash: String::new(),
        };
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
        assert!(text.contains(r#"{"percent":786}"#) && text.contains(r#"{"date":"2026-10-29"},"blank""#), "{text}");
    }
}
