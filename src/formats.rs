//! The file formats of a report: JSON, CSV, XLSX, HTML and PDF.
//!
//! Each is a pure function of a [`Report`] and writes no creation time: the same report gives the same file. Text from
//! outside (names, subjects) is hostile until it is written: a spreadsheet must not run it, it must not become markup
//! of a page, and no control character may change the reading order.

pub mod chart;
pub mod csv;
pub mod html;
pub mod json;
pub mod page;
pub mod pdf;
pub mod svg;
pub mod text;
pub mod xlsx;

use std::fmt;
use std::str::FromStr;

use crate::report::Report;

/// A file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    Json,
    Csv,
    Html,
    Xlsx,
    Pdf,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 5] = [Self::Json, Self::Csv, Self::Html, Self::Xlsx, Self::Pdf];

    /// The name, which is also the file extension.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Html => "html",
            Self::Xlsx => "xlsx",
            Self::Pdf => "pdf",
        }
    }

    /// The MIME type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Pdf => "application/pdf",
        }
    }

    /// Whether a browser shows it by itself; the others are offered as downloads.
    pub fn is_shown(self) -> bool {
        self == Self::Json
    }

    /// Writes `report` as a file of this format.
    pub fn write(self, report: &Report, letterhead: &Letterhead) -> Result<Vec<u8>, FormatError> {
        match self {
            Self::Json => json::write(report),
            Self::Csv => csv::write(report, None),
            Self::Html => Ok(html::write(report, letterhead)),
            Self::Xlsx => xlsx::write(report),
            Self::Pdf => pdf::write(report, letterhead),
        }
    }

    /// Returns the `Content-Disposition` of such a file; for a CSV, with the table that was asked for.
    pub fn disposition(self, report: &Report, table: Option<&str>) -> String {
        let name = self.file_name(report);
        match (self, table) {
            (Self::Csv, Some(table)) => {
                let table: String = table.chars().take(40).map(plain).collect();
                self.disposed_as(&name.replace(".csv", &format!("-{table}.csv")))
            }
            _ => self.disposed_as(&name),
        }
    }

    /// Returns the same for a file named `name`.
    pub fn disposed_as(self, name: &str) -> String {
        let how = if self.is_shown() { "inline" } else { "attachment" };
        format!("{how}; filename=\"{name}\"")
    }

    /// `sla-acme-globex-corporation-2026-10-01-2026-10-31.pdf`, with the client if it is about one; names are reduced
    /// to letters, digits and hyphens. One that is told as known now ends in `-latest`.
    pub fn file_name(self, report: &Report) -> String {
        let name = |name: &String| name.chars().take(40).map(plain).collect::<String>() + "-";
        let (tenant, client) = (name(&report.tenant), report.client.as_ref().map(name).unwrap_or_default());
        let latest = if report.as_known_now { "-latest" } else { "" };
        format!("sla-{tenant}{client}{}-{}{latest}.{}", report.period.from, report.period.to, self.name())
    }
}

/// Replaces everything but letters and digits with a hyphen.
fn plain(c: char) -> char {
    if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        let found = Self::ALL.into_iter().find(|format| format.name() == text);
        found.ok_or_else(|| UnknownFormat(text::bounded(text, 20)))
    }
}

/// No format has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a format; there are {names}", names = Format::ALL.map(Format::name).join(", "))]
pub struct UnknownFormat(String);

/// The sender's own parts of a report.
#[derive(Clone, Debug, Default)]
pub struct Letterhead {
    /// A picture at the top.
    pub logo: Option<Logo>,
    /// Fonts for the PDF besides the embedded ones, tried in order.
    pub faces: Vec<pdf::Face>,
}

/// A picture as it is in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logo {
    pub kind: LogoKind,
    pub bytes: Vec<u8>,
}

/// The kinds of picture that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogoKind {
    Png,
    Jpeg,
}

impl Logo {
    /// Recognizes PNG or JPEG by the first bytes; none for anything else.
    pub fn of(bytes: Vec<u8>) -> Option<Self> {
        let kind = match bytes.as_slice() {
            [0x89, b'P', b'N', b'G', ..] => LogoKind::Png,
            [0xFF, 0xD8, 0xFF, ..] => LogoKind::Jpeg,
            _ => return None,
        };
        Some(Self { kind, bytes })
    }

    /// The MIME type.
    pub fn content_type(&self) -> &'static str {
        match self.kind {
            LogoKind::Png => "image/png",
            LogoKind::Jpeg => "image/jpeg",
        }
    }
}

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    #[error("the report has no table `{asked}`; it has {there}")]
    NoSuchTable { asked: String, there: String },
    #[error("the report cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    #[error("the report cannot be written as CSV")]
    Csv(#[from] ::csv::Error),
    #[error("the report cannot be written as XLSX")]
    Xlsx(#[from] rust_xlsxwriter::XlsxError),
    #[error("the logo cannot be read as a picture: {0}")]
    Logo(String),
    #[error("the font `{0}` of `reports.fonts` cannot be read")]
    Font(String),
    #[error("the report cannot be written as PDF: {0}")]
    Pdf(String),
    #[error("writing the report was interrupted")]
    Lost,
}

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
