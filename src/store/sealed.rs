//! Which columns are encrypted, and how what is encrypted stands in them.
//!
//! Names, addresses and numbers of people, what was said to them and secrets are sealed where the configuration names a
//! key. A statement binds such a text as [`Sealed`], and it is sealed as it goes to the database; whoever reads the column
//! is given the text. Each is sealed for its column and its row, and opens nowhere else. A column that statements compare
//! is sealed without a row: the same text looks the same in all of them, and [`Column::any_of`] finds it under every key.
//!
//! What statements sort by, search or count stays plain: ids, times, statuses, clients, priorities and the log of who did
//! what, which is to be proved without a key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::keys::ring::{KeyRing, Opened, SealError};

/// How everything sealed begins; a version, in case that it is ever done otherwise.
pub const PREFIX: &str = "sealed:1:";
/// Between the parts of a row's name.
const PART: &str = "\u{1f}";

/// A column that is sealed.
#[derive(Debug)]
pub struct Column {
    /// What it is sealed as. Columns that are compared with each other have the same.
    pub label: &'static str,
    /// Its name in a row.
    pub name: &'static str,
    /// The columns that name its row; none: equal texts look equal.
    pub row: &'static [&'static str],
    /// Which texts of which rows are sealed; the others tell of nobody.
    pub only: fn(row: &str, text: &str) -> bool,
}

/// A table with sealed columns.
#[derive(Debug)]
pub struct Table {
    pub name: &'static str,
    /// What its rows are found by, in order.
    pub key: &'static [&'static str],
    pub columns: &'static [&'static Column],
}

/// One whose texts are all sealed.
const fn column(label: &'static str, name: &'static str, row: &'static [&'static str]) -> Column {
    Column { label, name, row, only: |_, _| true }
}

pub static DIRECTORY: Column = column("directories.directory", "directory", &["tenant"]);
/// Proves that a key is the one that it was.
pub static PROOF: Column = column("encryption_keys.proof", "proof", &["id"]);

/// All tables with sealed columns.
pub static TABLES: &[Table] = &[Table { name: "directories", key: &["tenant"], columns: &[&DIRECTORY] }];

/// A text that goes to the database sealed.
#[derive(Clone, Debug)]
pub enum Sealed {
    /// For one row.
    Text { column: &'static Column, row: String, text: String },
    /// All forms in which words may stand, as a JSON list, to be compared with.
    AnyOf { column: &'static Column, words: Vec<String> },
}

impl Column {
    /// `text` for the row that these parts name, in the order of [`Column::row`].
    pub fn seal(&'static self, row: &[&str], text: impl Into<String>) -> Sealed {
        debug_assert_eq!(row.len(), self.row.len(), "{} names its row", self.label);
        self.seal_for(name_of(row), text.into())
    }

    /// `text` for the row called `row`.
    pub fn seal_for(&'static self, row: String, text: String) -> Sealed {
        Sealed::Text { column: self, row, text }
    }

    /// A list of all forms in which one of these words may stand here: `IN (SELECT value FROM json_each($1))`.
    pub fn any_of<T: Into<String>>(&'static self, words: impl IntoIterator<Item = T>) -> Sealed {
        debug_assert!(self.row.is_empty(), "{} is compared", self.label);
        Sealed::AnyOf { column: self, words: words.into_iter().map(Into::into).collect() }
    }

    /// The column that is sealed under this label.
    pub fn labelled(label: &str) -> Option<&'static Self> {
        let all = TABLES.iter().flat_map(|table| table.columns).copied();
        all.chain([&PROOF]).find(|column| column.label == label)
    }

    /// `text` as it stands in the row called `row`.
    pub fn sealed(&self, keys: &KeyRing, row: &str, text: &str) -> String {
        let label = keys.first().filter(|_| (self.only)(row, text)).map(|id| self.marked(id));
        let sealed = label.and_then(|label| Some((keys.seal(&label, row, text.as_bytes())?, label)));
        match sealed {
            Some((bytes, label)) => written(&label, &bytes),
            None => harmless(text.to_owned()),
        }
    }

    /// What everything of this column begins with that the key `id` has sealed.
    fn marked(&self, id: &str) -> String {
        format!("{PREFIX}{id}:{}", self.label)
    }

    fn forms(&self, keys: &KeyRing, word: &str) -> Vec<String> {
        let sealed = keys.seal_by_each(|id| self.marked(id), "", word.as_bytes()).into_iter();
        sealed.map(|(label, bytes)| written(&label, &bytes)).chain([harmless(word.to_owned())]).collect()
    }
}

fn written(label: &str, bytes: &[u8]) -> String {
    format!("{label}:{}", STANDARD_NO_PAD.encode(bytes))
}

impl Sealed {
    /// As it goes to the database.
    pub fn settled(self, keys: Option<&KeyRing>) -> String {
        let none = KeyRing::default();
        let keys = keys.unwrap_or(&none);
        match self {
            Self::Text { column, row, text } => column.sealed(keys, &row, &text),
            Self::AnyOf { column, words } => {
                let forms: Vec<String> = words.iter().flat_map(|word| column.forms(keys, word)).collect();
                serde_json::to_string(&forms).expect("a list of texts")
            }
        }
    }
}

/// The name of a row by its parts.
pub fn name_of(parts: &[&str]) -> String {
    parts.join(PART)
}

/// A text from outside that looks like a sealed one, changed so that nobody takes it for one.
pub fn harmless(text: String) -> String {
    if text.starts_with(PREFIX) { format!("\u{FFFD}{text}") } else { text }
}

/// The key by which `text` is sealed; none: it is plain.
pub fn key_of(text: &str) -> Option<&str> {
    text.strip_prefix(PREFIX)?.split_once(':').map(|(id, _)| id)
}

/// A sealed text, opened.
#[derive(Debug)]
pub struct Text {
    pub label: String,
    pub row: String,
    pub text: String,
}

/// Opens `text`; none if it is not sealed.
pub fn open(keys: &KeyRing, text: &str) -> Result<Option<Text>, SealError> {
    let Some(rest) = text.strip_prefix(PREFIX) else { return Ok(None) };
    let broken = || SealError::Broken(text.chars().take(60).collect());
    let (label, coded) = rest.rsplit_once(':').ok_or_else(broken)?;
    let (id, name) = label.split_once(':').ok_or_else(broken)?;
    let bytes = STANDARD_NO_PAD.decode(coded).map_err(|_| broken())?;
    let Opened { row, bytes } = keys.open(id, &format!("{PREFIX}{label}"), &bytes)?;
    let text = String::from_utf8(bytes).map_err(|_| broken())?;
    Ok(Some(Text { label: name.to_owned(), row, text }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(first: u8) -> KeyRing {
        KeyRing::parse(&format!("{first:02x}").repeat(32)).unwrap()
    }

    #[test]
    fn a_sealed_text_says_by_which_key_and_for_which_column() {
        let keys = keys(1);
        let stands = DIRECTORY.seal(&["acme"], "{}").settled(Some(&keys));
        let id = keys.first().unwrap();
        assert!(stands.starts_with(&format!("sealed:1:{id}:directories.directory:")), "{stands}");
        assert_eq!(key_of(&stands), Some(id));
        let opened = open(&keys, &stands).unwrap().unwrap();
        assert_eq!((&*opened.label, &*opened.row, &*opened.text), ("directories.directory", "acme", "{}"));
        let elsewhere = stands.replace("directories.directory", "people.name");
        assert!(matches!(open(&keys, &elsewhere), Err(SealError::Broken(_))));
        assert!(matches!(open(&self::keys(2), &stands), Err(SealError::UnknownKey(_))));
    }

    #[test]
    fn what_only_looks_sealed_is_never_taken_for_it() {
        for keys in [None, Some(&KeyRing::default())] {
            let text = DIRECTORY.seal(&["acme"], "sealed:1:abc:x:y").settled(keys);
            assert_eq!(text, "\u{FFFD}sealed:1:abc:x:y");
            assert!(open(&KeyRing::default(), &text).unwrap().is_none());
        }
    }

    #[test]
    fn every_label_stands_for_one_column() {
        for table in TABLES {
            for column in table.columns {
                assert!(Column::labelled(column.label).is_some_and(|found| std::ptr::eq(found, *column)));
                assert!(!column.label.contains(':') && !table.key.is_empty());
            }
        }
    }
}
