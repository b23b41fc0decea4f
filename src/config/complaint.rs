//! Everything that is wrong with a configuration file, and where.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// One fault, with the rule it breaks and the reason for the rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// Line and column, both from 1; none for the file as a whole.
    pub place: Option<(usize, usize)>,
    pub text: String,
}

/// Every fault of one file, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaints {
    path: PathBuf,
    list: Vec<Complaint>,
}

impl std::error::Error for Complaints {}

impl fmt::Display for Complaints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().collect::<Vec<_>>().join("\n"))
    }
}

impl Complaints {
    /// Reports that the file could not be read at all.
    pub(super) fn unreadable(path: &Path, error: &io::Error) -> Self {
        let text = format!("the configuration cannot be read: {}", why_unreadable(error.kind()));
        Self { path: path.to_owned(), list: vec![Complaint { place: None, text }] }
    }

    /// Makes complaints from byte offsets into `text`, the content of the file at `path`.
    pub(super) fn locate(path: &Path, text: &str, mut found: Vec<(usize, String)>) -> Self {
        found.sort_by_key(|(offset, _)| *offset);
        found.dedup();
        let place = |(offset, complaint)| Complaint { place: Some(line_and_column(text, offset)), text: complaint };
        Self { path: path.to_owned(), list: found.into_iter().map(place).collect() }
    }

    /// A line for each fault, with its place.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let path = self.path.display();
        self.list.iter().map(move |Complaint { place, text }| match place {
            Some((line, column)) => format!("{path}:{line}:{column}: {text}"),
            None => format!("{path}: {text}"),
        })
    }

    /// The faults, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Complaint> {
        self.list.iter()
    }
}

/// Returns the usual reasons in a user's words.
pub(super) fn why_unreadable(kind: io::ErrorKind) -> String {
    match kind {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "this user may not read it".to_owned(),
        io::ErrorKind::InvalidData => "it is not text in UTF-8".to_owned(),
        other => other.to_string(),
    }
}

/// Counts characters, not bytes, as editors do.
pub(super) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|character| *character != '\n').count() + 1;
    (line, column)
}
