//! Statements on uptime promises, and the credits owed on them: listed, handed over as files, decided.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::reports::file::ReportFile;
use super::uptime::percent;
use super::{Complaint, Reach, Service, ServiceError};
use crate::formats::Format;
use crate::keys::hash_of;
use crate::report::{Cell, Column, ColumnKind, Figure, Period, Report, Row, SCHEMA, Section, Table};
use crate::store::audit::Author;
use crate::store::millis;
use crate::store::statements::{CreditState, Frozen};
use crate::uptime::statement::Statement;
use crate::uptime::{MINUTE, Millis, credit, days};

/// A statement: what came of a promise in one period, as it was settled.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StatementView {
    pub id: String,
    pub tenant: String,
    pub client: Option<String>,
    pub component: String,
    pub name: String,
    /// 2026-10, 2026-Q4 or 2026
    pub period: String,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub target_percent: f64,
    /// Cut off after three decimals; none: nothing was counted.
    pub uptime_percent: Option<f64>,
    pub kept: Option<bool>,
    pub lost_minutes: f64,
    pub allowed_minutes: f64,
    pub outages: u32,
    pub unknown_minutes: f64,
    pub maintenance_minutes: f64,
    pub conclusive: bool,
    /// Of the fee, in percent.
    pub credit_percent: u32,
    /// In the minor unit of the currency.
    pub credit_minor: Option<i64>,
    pub currency: Option<String>,
    /// none | proposed | approved | issued | waived
    pub credit: &'static str,
    pub decided_by: Option<String>,
    pub decided_at: Option<DateTime<Utc>>,
    pub note: Option<String>,
    pub frozen_at: DateTime<Utc>,
    /// SHA-256 of all that the statement says.
    pub sha256: String,
    /// By what is known now, the same period comes to another figure; the statement stays as it is.
    pub differs_now: bool,
    /// That figure.
    pub now: Option<StatementNow>,
}

/// What a settled period comes to by what is known now and the terms it was settled by.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StatementNow {
    /// Cut off after three decimals; none: nothing was counted.
    pub uptime_percent: Option<f64>,
    pub lost_minutes: f64,
    /// Of the fee, in percent.
    pub credit_percent: u32,
    /// In the minor unit of the currency.
    pub credit_minor: Option<i64>,
    pub currency: Option<String>,
}

/// Which statements are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct StatementQuery {
    pub tenant: Option<String>,
    pub component: Option<String>,
    /// 2026-10, 2026-Q4 or 2026
    pub period: Option<String>,
    /// none | proposed | approved | issued | waived
    pub credit: Option<String>,
}

/// The format of a statement file.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct StatementFileQuery {
    pub tenant: Option<String>,
    /// json | csv | html | xlsx | pdf
    pub format: Option<String>,
    /// For a CSV: statement (the default) | outages | days
    pub table: Option<String>,
}

/// What becomes of a credit.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreditOrder {
    /// approved | issued | waived
    pub credit: String,
    pub note: Option<String>,
}

impl Service {
    /// The statements within `scope`, the latest period first.
    pub async fn statements(&self, scope: &Reach, query: &StatementQuery) -> Result<Vec<StatementView>, ServiceError> {
        if let Some(credit) = &query.credit {
            state(credit)?;
        }
        if let Some(period) = query.period.as_deref().filter(|period| !days::is_name(period)) {
            let rule = format!("is `{period}`, and must be like 2026-10, 2026-Q4 or 2026");
            return Err(ServiceError::BadQuestion(Complaint::of("period", rule)));
        }
        let is_same = |wanted: &Option<String>, known: &str| wanted.as_ref().is_none_or(|wanted| wanted == known);
        let meant = |one: &Frozen| {
            is_same(&query.component, &one.statement.whose.component)
                && is_same(&query.period, &one.statement.period)
                && is_same(&query.credit, one.credit.as_str())
        };
        let all = self.store.statements(scope, meant).await?;
        Ok(all.iter().map(|one| self.statement_view(one)).collect())
    }

    /// One statement by its id.
    pub async fn statement(&self, scope: &Reach, id: &str) -> Result<Option<StatementView>, ServiceError> {
        Ok(self.frozen(scope, id).await?.map(|one| self.statement_view(&one)))
    }

    /// One statement as a file of `format`, for a CSV its table `table`; the same statement gives the same bytes.
    pub async fn statement_file(
        &self,
        scope: &Reach,
        id: &str,
        format: Format,
        table: Option<String>,
    ) -> Result<Option<ReportFile>, ServiceError> {
        let Some(one) = self.frozen(scope, id).await? else { return Ok(None) };
        let mut made = report(&one.statement).map_err(|why| ServiceError::BadQuestion(Complaint::whole(why)))?;
        let text = serde_json::to_string(&made)
            .map_err(|error| ServiceError::BadQuestion(Complaint::whole(error.to_string())))?;
        made.hash = hash_of(text);
        if format == Format::Csv {
            made.sections.iter_mut().for_each(|section| section.tables.insert(0, whole(&one.statement)));
        }
        let (content_type, disposition) = (format.content_type(), format.disposition(&made, table.as_deref()));
        let bytes = self.written(Arc::new(made), table, format).await?;
        Ok(Some(ReportFile { content_type, disposition, bytes }))
    }

    /// Decides what becomes of a credit; none if there is no such statement within `scope`.
    pub async fn decide_credit(
        &self,
        scope: &Reach,
        id: &str,
        order: CreditOrder,
        author: Author,
    ) -> Result<Option<StatementView>, ServiceError> {
        let Some(one) = self.frozen(scope, id).await? else { return Ok(None) };
        let becomes = state(&order.credit)?;
        let stands = one.credit.as_str();
        let refused = || {
            let from: Vec<_> = becomes.follows().iter().map(|before| before.as_str()).collect();
            let from = if from.is_empty() {
                "this state cannot be set by hand".to_owned()
            } else {
                format!("only what is {} can be", from.join(" or "))
            };
            let why = format!("this credit is {stands}, so it cannot become {}: {from}", becomes.as_str());
            ServiceError::BadQuestion(Complaint::about("credit", why))
        };
        if !becomes.follows().contains(&one.credit) {
            return Err(refused());
        }
        let note = order.note.map(|note| note.trim().to_owned()).filter(|note| !note.is_empty());
        if note.as_ref().is_some_and(|note| note.chars().count() > 1000) {
            return Err(ServiceError::BadQuestion(Complaint::of("note", "may have at most 1000 characters")));
        }
        if !self.store.decide_credit(one, becomes, note, author, millis(self.clock.now())).await? {
            return Err(refused());
        }
        self.statement(scope, id).await
    }

    async fn frozen(&self, scope: &Reach, id: &str) -> Result<Option<Frozen>, ServiceError> {
        Ok(self.store.statement(scope, id).await?)
    }

    fn statement_view(&self, one: &Frozen) -> StatementView {
        let made = &one.statement;
        let owed = made.owed.as_ref().filter(|_| made.owes());
        let now = self.statement_now(made);
        StatementView {
            id: one.id.clone(),
            tenant: made.whose.tenant.clone(),
            client: made.whose.client.clone(),
            component: made.whose.component.clone(),
            name: made.whose.name.clone(),
            period: made.period.clone(),
            from: instant(made.from),
            until: instant(made.until),
            target_percent: percent(made.agreed.target),
            uptime_percent: made.availability.map(percent),
            kept: made.kept,
            lost_minutes: minutes(made.figure.lost),
            allowed_minutes: minutes(made.allowed),
            outages: made.figure.outages,
            unknown_minutes: minutes(made.figure.unknown),
            maintenance_minutes: minutes(made.figure.maintenance),
            conclusive: made.conclusive,
            credit_percent: owed.map_or(0, |owed| owed.percent),
            credit_minor: owed.and_then(|owed| owed.minor),
            currency: owed.and_then(|owed| owed.currency.clone()),
            credit: one.credit.as_str(),
            decided_by: one.decided_by.clone(),
            decided_at: one.decided_at.map(instant),
            note: one.note.clone(),
            frozen_at: instant(one.frozen_at),
            sha256: one.sha256.clone(),
            differs_now: now.is_some(),
            now,
        }
    }

    /// The figure of the same period by what is known now, if it is another.
    fn statement_now(&self, made: &Statement) -> Option<StatementNow> {
        // What is too old is no longer known.
        if made.from < millis(self.clock.now()) - crate::uptime::SPANS_KEPT {
            return None;
        }
        let board = self.board();
        let entry = board.book.component(&made.whose.component)?;
        let circumstances = board.book.circumstances_of(&made.whose.component, &self.announcements());
        let (found, owed) = made.recount(&entry.record(&circumstances))?;
        if found == made.figure {
            return None;
        }
        let owed = owed.filter(|owed| owed.percent > 0);
        Some(StatementNow {
            uptime_percent: found.availability().map(percent),
            lost_minutes: minutes(found.lost),
            credit_percent: owed.as_ref().map_or(0, |owed| owed.percent),
            credit_minor: owed.as_ref().and_then(|owed| owed.minor),
            currency: owed.and_then(|owed| owed.currency),
        })
    }
}

impl StatementView {
    /// `10 %, 120.00 GBP`; none: nothing is owed.
    pub fn owed(&self) -> Option<String> {
        owed_in_words(self.credit_percent, self.credit_minor, self.currency.as_deref())
    }
}

impl StatementNow {
    /// `10 %, 120.00 GBP`; none: nothing is owed.
    pub fn owed(&self) -> Option<String> {
        owed_in_words(self.credit_percent, self.credit_minor, self.currency.as_deref())
    }
}

fn state(text: &str) -> Result<CreditState, ServiceError> {
    let rule = || format!("is `{text}`, and must be none, proposed, approved, issued or waived");
    CreditState::parse(text).ok_or_else(|| ServiceError::BadQuestion(Complaint::of("credit", rule())))
}

fn owed_in_words(percent: u32, minor: Option<i64>, currency: Option<&str>) -> Option<String> {
    let amount = minor.zip(currency).map(|(minor, currency)| credit::money(minor, currency));
    (percent > 0).then(|| format!("{percent} %{}", amount.map(|amount| format!(", {amount}")).unwrap_or_default()))
}

fn minutes(time: Millis) -> f64 {
    (time as f64 / MINUTE as f64 * 1000.0).round() / 1000.0
}

fn instant(at: Millis) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at).unwrap_or_default()
}

/// The statement as a report, for all the formats of reports; its hash is left blank.
fn report(made: &Statement) -> Result<Report, String> {
    let (from, to) = (days::date_of(made.zone, made.from), days::date_of(made.zone, made.until - 1));
    Ok(Report {
        schema: SCHEMA,
        title: format!("Uptime statement: {}, {}", made.whose.name, made.period),
        tenant: made.whose.tenant.clone(),
        zone: made.zone,
        period: Period::new(from, to).map_err(|bad| bad.to_string())?,
        client: made.whose.client.clone(),
        months: Vec::new(),
        provisional_until: None,
        as_known_now: false,
        terms: Vec::new(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        anonymous: false,
        sections: vec![Section {
            key: "uptime".to_owned(),
            title: "Uptime".to_owned(),
            text: vec![sentence(made)],
            figures: figures(made),
            charts: Vec::new(),
            tables: vec![outages(made), daily(made)],
        }],
        notes: notes(made),
        hash: String::new(),
    })
}

fn sentence(made: &Statement) -> String {
    let target = percent(made.agreed.target);
    match (made.availability, made.kept) {
        (Some(share), Some(true)) => {
            format!("It was available {} % of the time; {target} % was promised, and kept.", percent(share))
        }
        (Some(share), _) => format!("It was available {} % of the time; {target} % was promised.", percent(share)),
        (None, _) => "Nothing was measured in this period.".to_owned(),
    }
}

fn figures(made: &Statement) -> Vec<Figure> {
    let figure = |key: &str, title: &str, value: Cell| Figure {
        key: key.to_owned(),
        title: title.to_owned(),
        value,
        note: None,
        opens: None,
    };
    let found = &made.figure;
    let share = made.availability.map_or(Cell::Blank, |share| Cell::text(format!("{} %", percent(share))));
    let owed = made.owed.as_ref();
    let owed = owed.and_then(|owed| owed_in_words(owed.percent, owed.minor, owed.currency.as_deref()));
    vec![
        figure("uptime", "Uptime", share),
        figure("target", "Promised", Cell::text(format!("{} %", percent(made.agreed.target)))),
        figure("lost", "Lost", Cell::Duration(found.lost)),
        figure("allowed", "Allowed downtime", Cell::Duration(made.allowed)),
        figure("outages", "Outages", Cell::Count(found.outages.into())),
        figure("maintenance", "Maintenance left out", Cell::Duration(found.maintenance)),
        figure("unknown", "Not measured", Cell::Duration(found.unknown)),
        figure("credit", "Service credit", Cell::text(owed.unwrap_or_else(|| "none".to_owned()))),
    ]
}

/// All figures as one row, for programs and spreadsheets that take one table.
fn whole(made: &Statement) -> Table {
    let percent_of = |share: Option<u32>| share.map_or(Cell::Blank, |share| Cell::Number(percent(share)));
    let text = |text: Option<&str>| text.map_or(Cell::Blank, Cell::text);
    let owed = made.owed.as_ref();
    let yes_or_no = |is: bool| Cell::text(if is { "yes" } else { "no" });
    let columns = [
        ("client", ColumnKind::Text, text(made.whose.client.as_deref())),
        ("component", ColumnKind::Text, Cell::text(&*made.whose.component)),
        ("name", ColumnKind::Text, Cell::text(&*made.whose.name)),
        ("period", ColumnKind::Text, Cell::text(&*made.period)),
        ("from", ColumnKind::Time, Cell::Time(instant(made.from))),
        ("until", ColumnKind::Time, Cell::Time(instant(made.until))),
        ("uptime_percent", ColumnKind::Number, percent_of(made.availability)),
        ("target_percent", ColumnKind::Number, percent_of(Some(made.agreed.target))),
        ("kept", ColumnKind::Text, made.kept.map_or(Cell::Blank, yes_or_no)),
        ("lost", ColumnKind::Duration, Cell::Duration(made.figure.lost)),
        ("allowed", ColumnKind::Duration, Cell::Duration(made.allowed)),
        ("outages", ColumnKind::Count, Cell::Count(made.figure.outages.into())),
        ("maintenance", ColumnKind::Duration, Cell::Duration(made.figure.maintenance)),
        ("unknown", ColumnKind::Duration, Cell::Duration(made.figure.unknown)),
        ("measured_percent", ColumnKind::Number, percent_of(Some(made.measured))),
        ("conclusive", ColumnKind::Text, yes_or_no(made.conclusive)),
        ("credit_percent", ColumnKind::Count, owed.map_or(Cell::Blank, |owed| Cell::Count(owed.percent.into()))),
        (
            "credit_minor",
            ColumnKind::Number,
            owed.and_then(|owed| owed.minor).map_or(Cell::Blank, |minor| Cell::Number(minor as f64)),
        ),
        ("currency", ColumnKind::Text, text(owed.and_then(|owed| owed.currency.as_deref()))),
    ];
    let (columns, cells) = columns.map(|(key, kind, cell)| (Column::new(key, key, kind), cell)).into_iter().unzip();
    Table {
        key: "statement".to_owned(),
        title: "Statement".to_owned(),
        columns,
        rows: vec![Row { cells, opens: None }],
        left_out: 0,
        shown: None,
    }
}

fn outages(made: &Statement) -> Table {
    let row = |(from, until): &(Millis, Millis)| Row {
        cells: vec![Cell::Time(instant(*from)), Cell::Time(instant(*until)), Cell::Duration(until - from)],
        opens: None,
    };
    Table {
        key: "outages".to_owned(),
        title: "Outages".to_owned(),
        columns: vec![
            Column::new("from", "From", ColumnKind::Time),
            Column::new("until", "Until", ColumnKind::Time),
            Column::new("length", "For", ColumnKind::Duration),
        ],
        rows: made.outages.iter().map(row).collect(),
        left_out: made.outages_left_out(),
        shown: None,
    }
}

fn daily(made: &Statement) -> Table {
    let row = |day: &crate::uptime::statement::StatedDay| Row {
        cells: vec![
            Cell::Date(day.date),
            day.availability.map_or(Cell::Blank, |share| Cell::Number(percent(share))),
            Cell::Duration(day.lost),
            Cell::Duration(day.unknown),
            Cell::Duration(day.maintenance),
        ],
        opens: None,
    };
    Table {
        key: "days".to_owned(),
        title: "Day by day".to_owned(),
        columns: vec![
            Column::new("date", "Day", ColumnKind::Date),
            Column::new("uptime", "Uptime, %", ColumnKind::Number),
            Column::new("lost", "Lost", ColumnKind::Duration),
            Column::new("unknown", "Not measured", ColumnKind::Duration),
            Column::new("maintenance", "Maintenance", ColumnKind::Duration),
        ],
        rows: made.days.iter().map(row).collect(),
        left_out: 0,
        shown: None,
    }
}

fn notes(made: &Statement) -> Vec<String> {
    let mut notes = vec![
        "Uptime is the counted time less the time lost, both in whole milliseconds. It is cut off after three decimals, never rounded up.".to_owned(),
    ];
    if !made.conclusive {
        let measured = percent(made.measured);
        notes.push(format!(
            "Only {measured} % of the time was measured: the figure is not conclusive, and nothing is owed on it."
        ));
    }
    if made.agreed.maintenance.is_some() {
        notes.push("Maintenance is left out to the extent that it was announced in time and agreed on.".to_owned());
    }
    notes
}
