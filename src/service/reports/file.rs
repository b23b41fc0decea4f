//! A report as a file, in the form that is asked for.

use tokio::task::spawn_blocking;

use super::super::{Reach, Service, ServiceError};
use super::ReportQuery;
use crate::formats::{Format, FormatError, csv};
use crate::letterhead;

/// What is handed over, and under what name.
pub struct ReportFile {
    pub content_type: &'static str,
    /// The `Content-Disposition`, with a name for the file.
    pub disposition: String,
    pub bytes: Vec<u8>,
}

impl Service {
    /// The report on `query`, as a file of `format`.
    pub async fn report_file(
        &self,
        reach: &Reach,
        query: &ReportQuery,
        format: Format,
    ) -> Result<ReportFile, ServiceError> {
        let report = self.report(reach, query).await?;
        let (config, table) = (self.config.clone(), query.table.clone());
        let written = spawn_blocking(move || {
            let letterhead = letterhead::load(&config.reports, &report, format)?;
            let bytes = match (format, &table) {
                (Format::Csv, Some(table)) => csv::write(&report, Some(table)),
                _ => format.write(&report, &letterhead),
            };
            Ok::<_, FormatError>(ReportFile {
                content_type: format.content_type(),
                disposition: format.disposition(&report),
                bytes: bytes?,
            })
        });
        match written.await {
            Ok(file) => file.map_err(ServiceError::from),
            Err(_) => Err(ServiceError::Format(FormatError::Lost)),
        }
    }
}
