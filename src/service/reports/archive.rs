//! Reports as they went out: kept, listed, and handed over again byte for byte.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use tracing::warn;
use utoipa::{IntoParams, ToSchema};

use super::super::{Complaint, Reach, Service, ServiceError};
use super::ReportQuery;
use super::file::ReportFile as File;
use crate::alert::policy::same_name;
use crate::config::{ReportSchedule, explain};
use crate::formats::{Format, text};
use crate::notify::ReportFacts;
use crate::report::{Cell, Figure, People, Period, Report};
use crate::reporting::{Prepared, Reporter, Written};
use crate::store::StoreError;
use crate::store::reports::{MOST_LISTED, ReportFile, file_id};
use crate::ticket::{Directory, TenantId};

const USUAL: u32 = 100;
/// The largest file that is kept; a larger one is only handed over.
const MOST_BYTES: usize = 32 << 20;

/// Which files are asked for.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct ArchiveQuery {
    pub tenant: Option<String>,
    /// 1 to 500 of each tenant, 100 by default.
    pub limit: Option<u32>,
}

/// A report that went out.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ArchivedReport {
    /// SHA-256 of its bytes.
    pub id: String,
    pub tenant: String,
    pub name: String,
    /// json | csv | html | xlsx | pdf
    pub format: String,
    pub title: String,
    pub period_start: NaiveDate,
    pub period_end: NaiveDate,
    /// SHA-256 of the report itself, which is printed on it.
    pub report_hash: String,
    /// Whether all of its months were closed, so that its figures do not move.
    pub closed: bool,
    /// A schedule, or who asked.
    pub made_for: String,
    pub made_at: DateTime<Utc>,
    /// Bytes.
    pub size: u64,
}

/// Reports that went out, the latest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ArchivePage {
    pub reports: Vec<ArchivedReport>,
}

/// A scheduled report.
#[derive(Clone, Debug)]
pub struct ScheduleView {
    pub name: String,
    /// When, in which format and to how many.
    pub words: String,
}

impl Service {
    /// The reports that went out, without those that tell more about people than may be told now.
    pub async fn archive(&self, reach: &Reach, query: &ArchiveQuery) -> Result<ArchivePage, ServiceError> {
        let limit = query.limit.unwrap_or(USUAL);
        if !(1..=MOST_LISTED).contains(&limit) {
            return Err(ServiceError::BadQuestion(Complaint::of(
                "limit",
                format!("is {limit}, and must be 1 to {MOST_LISTED}"),
            )));
        }
        let only = query.tenant.as_deref().filter(|name| !name.is_empty());
        let mut found = Vec::new();
        for tenant in self.tenants(reach).filter(|tenant| only.is_none_or(|name| tenant.id.as_str() == name)) {
            found.extend(self.store.report_files(&tenant.id, limit).await?);
        }
        found.retain(|file| self.may_show(file));
        found.sort_by(|a, b| b.made_at.cmp(&a.made_at).then_with(|| a.name.cmp(&b.name)));
        Ok(ArchivePage { reports: found.into_iter().map(view).collect() })
    }

    /// The scheduled reports.
    pub fn report_schedules(&self, reach: &Reach) -> Vec<ScheduleView> {
        let seen = |one: &&ReportSchedule| reach.tenant().is_none_or(|tenant| *tenant == one.tenant);
        let view = |one: &ReportSchedule| ScheduleView { name: one.name.clone(), words: explain::schedule(one) };
        self.config.reports.schedules.iter().filter(seen).map(view).collect()
    }

    /// The file of that id, if it is kept and may be shown.
    pub async fn archived(&self, reach: &Reach, id: &str) -> Result<Option<File>, ServiceError> {
        for tenant in self.tenants(reach) {
            if let Some((file, bytes)) = self.store.report_file(&tenant.id, id).await?
                && self.may_show(&file)
            {
                let format = file.format.parse::<Format>();
                let format = format.map_err(|unknown| StoreError::Unreadable(unknown.to_string()))?;
                let disposition = format.disposed_as(&file.name);
                return Ok(Some(File { content_type: format.content_type(), disposition, bytes }));
            }
        }
        Ok(None)
    }

    fn may_show(&self, file: &ReportFile) -> bool {
        file.people >= self.config.reports.people
    }

    /// Keeps a report that is handed over, if its figures are final. A failure to keep it does not hold it back.
    pub(super) async fn keep(&self, report: &Report, format: Format, bytes: &[u8], made_for: &str) {
        if !report.is_final() || bytes.len() > MOST_BYTES {
            return;
        }
        let Ok(tenant) = TenantId::parse(&report.tenant) else { return };
        let file = self.kept_as(&tenant, report, format, bytes, made_for.to_owned());
        if let Err(error) = self.store.keep_report(file, bytes.to_vec()).await {
            warn!(error = %error, "a report that was handed over could not be kept in the archive");
        }
    }

    fn kept_as(
        &self,
        tenant: &TenantId,
        report: &Report,
        format: Format,
        bytes: &[u8],
        made_for: String,
    ) -> ReportFile {
        let least = if report.anonymous { People::Pseudonyms } else { People::Named };
        ReportFile {
            tenant: tenant.clone(),
            id: file_id(bytes),
            name: format.file_name(report),
            format: format.name().to_owned(),
            title: report.title.clone(),
            period: report.period,
            report_hash: report.hash.clone(),
            is_closed: report.is_final(),
            people: self.config.reports.people.max(least),
            made_for,
            made_at: self.clock.now(),
            size: bytes.len() as u64,
        }
    }
}

#[async_trait]
impl Reporter for Service {
    async fn prepare(&self, schedule: &ReportSchedule, period: Period) -> Result<Prepared, String> {
        let reach = Reach::One(schedule.tenant.clone());
        let people = self.store.directory(&schedule.tenant).await.map_err(|error| error.to_string())?;
        let question = question(schedule, period, &people);
        let report = self.report(&reach, &question).await.map_err(|error| error.to_string())?;
        let mut files = Vec::with_capacity(schedule.formats.len());
        for format in &schedule.formats {
            let written = self.written(report.clone(), None, *format).await.map_err(|error| error.to_string())?;
            let made_for = format!("schedule {}", schedule.name);
            let file = self.kept_as(&schedule.tenant, &report, *format, &written, made_for);
            files.push(Written { file, content_type: format.content_type(), bytes: written });
        }
        let tenant = (self.config.tenants.len() > 1).then(|| schedule.tenant.to_string());
        let facts = facts(&report, schedule, tenant);
        Ok(Prepared { files, is_closed: report.is_final(), facts })
    }
}

fn question(schedule: &ReportSchedule, period: Period, people: &Directory) -> ReportQuery {
    ReportQuery {
        tenant: Some(schedule.tenant.to_string()),
        from: Some(period.from.to_string()),
        to: Some(period.to.to_string()),
        by: Some(schedule.by.as_str().to_owned()),
        client: schedule.client.as_deref().map(|client| present(client, people)),
        anonymize: Some(schedule.anonymize),
        target_percentage: schedule.target,
        ..ReportQuery::default()
    }
}

/// The id of the client that has the name now, if one alone has it: another may have had it before.
fn present(client: &str, people: &Directory) -> String {
    let mut called = people.clients.values().filter(|one| same_name(&one.name, client));
    match (called.next(), called.next()) {
        (Some(one), None) if people.clients.values().all(|other| other.id.as_str() != client) => one.id.to_string(),
        _ => client.to_owned(),
    }
}

/// What the mail says, apart from its files.
fn facts(report: &Report, schedule: &ReportSchedule, tenant: Option<String>) -> ReportFacts {
    let words = |figure: &Figure| {
        let note = figure.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
        (figure.key.clone(), format!("{}{note}", text::shown(&figure.value, report.zone)))
    };
    let is_told = |figure: &&Figure| figure.value != Cell::Blank;
    let overview = report.sections.iter().find(|section| section.key == "overview");
    ReportFacts {
        tenant,
        client: report.client.clone(),
        from: report.period.from,
        to: report.period.to,
        figures: overview
            .map(|section| section.figures.iter().filter(is_told).map(words).collect())
            .unwrap_or_default(),
        provisional_until: report.provisional_until,
        files: Vec::new(),
        too_large: Vec::new(),
        hash: report.hash.clone(),
        schedule: schedule.name.clone(),
    }
}

fn view(file: ReportFile) -> ArchivedReport {
    ArchivedReport {
        id: file.id,
        tenant: file.tenant.to_string(),
        name: file.name,
        format: file.format,
        title: file.title,
        period_start: file.period.from,
        period_end: file.period.to,
        report_hash: file.report_hash,
        closed: file.is_closed,
        made_for: file.made_for,
        made_at: file.made_at,
        size: file.size,
    }
}
