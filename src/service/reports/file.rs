//! A report as a file in the format that is asked for.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::super::{Reach, Service, ServiceError};
use super::ReportQuery;
use crate::formats::{Format, FormatError, csv};
use crate::letterhead;
use crate::report::Report;

/// What is handed over, and under what name.
pub struct ReportFile {
    pub content_type: &'static str,
    /// The `Content-Disposition`, with a name for the file.
    pub disposition: String,
    pub bytes: Vec<u8>,
}

impl Service {
    /// Writes the report on `query` as a file of `format`, for `made_for`. One whose figures are final is kept.
    pub async fn report_file(
        &self,
        reach: &Reach,
        query: &ReportQuery,
        format: Format,
        made_for: &str,
    ) -> Result<ReportFile, ServiceError> {
        let report = self.report(reach, query).await?;
        let bytes = self.written(report.clone(), query.table.clone(), format).await?;
        self.keep(&report, format, &bytes, made_for).await;
        let disposition = format.disposition(&report, query.table.as_deref());
        Ok(ReportFile { content_type: format.content_type(), disposition, bytes })
    }

    /// Writes `report` as the bytes of a file; for a CSV, the table that is meant.
    pub(in crate::service) async fn written(
        &self,
        report: Arc<Report>,
        table: Option<String>,
        format: Format,
    ) -> Result<Vec<u8>, ServiceError> {
        let config = self.config.clone();
        let written = spawn_blocking(move || {
            let letterhead = letterhead::load(&config.reports, &report, format)?;
            match (format, &table) {
                (Format::Csv, Some(table)) => csv::write(&report, Some(table)),
                _ => format.write(&report, &letterhead),
            }
        });
        match written.await {
            Ok(bytes) => bytes.map_err(ServiceError::from),
            Err(_) => Err(ServiceError::Format(FormatError::Lost)),
        }
    }
}
