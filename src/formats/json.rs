//! JSON: the whole report, typed cell by cell. Its schema is `docs/report.schema.json`.

use super::FormatError;
use crate::report::Report;

/// The schema that [`write`] keeps.
pub const SCHEMA: &str = include_str!("../../docs/report.schema.json");

/// The report in one line, and a line break.
pub fn write(report: &Report) -> Result<Vec<u8>, FormatError> {
    let mut bytes = serde_json::to_vec(report)?;
    bytes.push(b'\n');
    Ok(bytes)
}
