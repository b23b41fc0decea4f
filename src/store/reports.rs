//! The reports that went out, byte for byte, and how far each schedule of reports has come.
//!
//! A file is identified by the SHA-256 of its bytes: a report requested twice is kept once. One transaction keeps what
//! a schedule sends, puts its mails into the outbox and moves the schedule on, so each period is reported on once,
//! however often the process stops in between.

use chrono::{DateTime, NaiveDate, Utc};

use super::books::{date_of, day_number};
use super::outbox::{NewNotification, enqueue};
use super::{Store, StoreError, instant, millis};
use crate::keys::hash_of;
use crate::report::{People, Period};
use crate::store::sealed::REPORT;
use crate::store::sql::{self, Connection, Row};
use crate::ticket::TenantId;

/// The most files that are listed.
pub const MOST_LISTED: u32 = 500;

/// A report that went out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportFile {
    pub tenant: TenantId,
    /// SHA-256 of its bytes, hex.
    pub id: String,
    /// The file's name.
    pub name: String,
    pub format: String,
    pub title: String,
    pub period: Period,
    /// The hash that is printed on it, the same in all formats.
    pub report_hash: String,
    /// Whether all of its months were closed, so that its figures do not move.
    pub is_closed: bool,
    /// How far it identifies individual people.
    pub people: People,
    /// The schedule, or the person who asked for it.
    pub made_for: String,
    pub made_at: DateTime<Utc>,
    pub size: u64,
}

/// How far a schedule has come, and what it sends to get there.
#[derive(Debug)]
pub struct Sent {
    pub tenant: TenantId,
    pub schedule: String,
    /// The last day of the period.
    pub to: NaiveDate,
    pub files: Vec<(ReportFile, Vec<u8>)>,
    pub mails: Vec<NewNotification>,
}

/// Returns the id under which `bytes` are kept.
pub fn file_id(bytes: &[u8]) -> String {
    hash_of(bytes)
}

impl Store {
    /// Keeps a report that was handed out; a known one stays as it is.
    pub async fn keep_report(&self, file: ReportFile, bytes: Vec<u8>) -> Result<(), StoreError> {
        self.writer.write(move |tx: &mut Connection| Box::pin(async move { keep(tx, &file, &bytes).await })).await
    }

    /// Returns the latest files of `tenant`.
    pub async fn report_files(&self, tenant: &TenantId, limit: u32) -> Result<Vec<ReportFile>, StoreError> {
        let rows = sql::query(
            "SELECT tenant, id, name, format, title, from_day, to_day, report_hash, closed, people, made_for, made_at, size
             FROM report_files WHERE tenant = $1 ORDER BY made_at DESC, id DESC LIMIT $2",
        );
        let rows = rows.bind(tenant.as_str()).bind(i64::from(limit.min(MOST_LISTED))).fetch_all(&self.reads).await?;
        rows.iter().map(report_file).collect()
    }

    /// Returns the file `id` of `tenant` with its bytes, if it is still kept.
    pub async fn report_file(&self, tenant: &TenantId, id: &str) -> Result<Option<(ReportFile, Vec<u8>)>, StoreError> {
        let row = sql::query(
            "SELECT f.tenant, f.id, name, format, title, from_day, to_day, report_hash, closed, people, made_for, made_at,
             size, bytes FROM report_files f JOIN report_contents c ON c.tenant = f.tenant AND c.id = f.id
             WHERE f.tenant = $1 AND f.id = $2",
        );
        let row = row.bind(tenant.as_str()).bind(id).fetch_optional(&self.reads).await?;
        row.map(|row| Ok((report_file(&row)?, row.try_get("bytes")?))).transpose()
    }

    /// Returns the last day that the schedule has reported on; none if it is new.
    pub async fn reported_until(&self, tenant: &TenantId, schedule: &str) -> Result<Option<NaiveDate>, StoreError> {
        let day: Option<i64> = sql::query_scalar("SELECT to_day FROM report_schedules WHERE tenant = $1 AND name = $2")
            .bind(tenant.as_str())
            .bind(schedule)
            .fetch_optional(&self.reads)
            .await?;
        day.map(date_of).transpose()
    }

    /// Keeps what a schedule sends, puts its mails into the outbox, and moves it on. Does nothing and returns false if
    /// somebody else has moved it as far meanwhile.
    pub async fn send_reports(&self, sent: Sent, now: DateTime<Utc>) -> Result<bool, StoreError> {
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    if !move_on(tx, &sent, now).await? {
                        return Ok(false);
                    }
                    for (file, bytes) in &sent.files {
                        keep(tx, file, bytes).await?;
                    }
                    if !sent.mails.is_empty() {
                        enqueue(tx, &sent.mails).await?;
                    }
                    Ok(true)
                })
            })
            .await
    }
}

async fn move_on(tx: &mut Connection, sent: &Sent, now: DateTime<Utc>) -> Result<bool, sql::Error> {
    let moved = sql::query(
        "INSERT INTO report_schedules (tenant, name, to_day, at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant, name) DO UPDATE SET to_day = excluded.to_day, at = excluded.at
         WHERE report_schedules.to_day < excluded.to_day",
    );
    let moved = moved.bind(sent.tenant.as_str()).bind(&sent.schedule).bind(day_number(sent.to)).bind(millis(now));
    Ok(moved.execute(tx).await?.rows_affected() > 0)
}

async fn keep(tx: &mut Connection, file: &ReportFile, bytes: &[u8]) -> Result<(), sql::Error> {
    let kept = sql::query(
        "INSERT INTO report_files (tenant, id, name, format, title, from_day, to_day, report_hash, closed, people, made_for,
         made_at, size) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (tenant, id) DO NOTHING",
    );
    kept.bind(file.tenant.as_str())
        .bind(&file.id)
        .bind(&file.name)
        .bind(&file.format)
        .bind(&file.title)
        .bind(day_number(file.period.from))
        .bind(day_number(file.period.to))
        .bind(&file.report_hash)
        .bind(i64::from(file.is_closed))
        .bind(file.people.as_str())
        .bind(&file.made_for)
        .bind(millis(file.made_at))
        .bind(i64::try_from(file.size).unwrap_or(i64::MAX))
        .execute(&mut *tx)
        .await?;
    let contents = sql::query(
        "INSERT INTO report_contents (tenant, id, bytes) VALUES ($1, $2, $3) ON CONFLICT (tenant, id) DO NOTHING",
    );
    let contents = contents.bind(file.tenant.as_str()).bind(&file.id);
    contents.bind(REPORT.seal_bytes(&[file.tenant.as_str(), &file.id], bytes)).execute(tx).await.map(drop)
}

pub(super) fn report_file(row: &Row) -> Result<ReportFile, StoreError> {
    let number = |name: &str| row.try_get::<i64, _>(name);
    let text = |name: &str| row.try_get::<String, _>(name);
    let people = text("people")?;
    Ok(ReportFile {
        tenant: TenantId::parse(&text("tenant")?).map_err(super::tickets::unreadable)?,
        id: text("id")?,
        name: text("name")?,
        format: text("format")?,
        title: text("title")?,
        period: Period { from: date_of(number("from_day")?)?, to: date_of(number("to_day")?)? },
        report_hash: text("report_hash")?,
        is_closed: number("closed")? == 1,
        people: People::parse(&people)
            .ok_or_else(|| StoreError::Unreadable(format!("a report that tells persons apart by `{people}`")))?,
        made_for: text("made_for")?,
        made_at: instant(number("made_at")?)?,
        size: number("size")?.unsigned_abs(),
    })
}
