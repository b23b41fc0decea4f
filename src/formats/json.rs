//! JSON: the whole report, typed cell by cell. Its schema is `docs/report.schema.json`.

use super::FormatError;
use crate::report::Report;

/// The schema of what [`write`] gives.
pub const SCHEMA: &str = include_str!("../../docs/report.schema.json");

/// Writes the report on one line, with a line break at its end.
pub fn write(report: &Report) -> Result<Vec<u8>, FormatError> {
    let mut bytes = serde_json::to_vec(report)?;
    bytes.push(b'\n');
    Ok(bytes)
}
