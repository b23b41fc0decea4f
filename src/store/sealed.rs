//! Which columns are encrypted, and the form in which sealed values are stored.
//!
//! Names, addresses and numbers of people, what was said to them and secrets are sealed if the configuration names a
//! key. A statement binds such a text as [`Sealed`], which is encrypted on its way to the database; readers of the
//! column get the plain text. Each value is sealed for its column and its row, and opens nowhere else. A column that
//! statements compare is sealed without a row: equal texts look equal in all rows, and [`Column::any_of`] finds them
//! under every key.
//!
//! What statements sort by, search or count stays plain: ids, times, statuses, clients, priorities and the audit log,
//! which must be verifiable without a key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::keys::ring::{KeyRing, Opened, SealError};

/// The prefix of everything sealed, with a version in case the format ever changes.
pub const PREFIX: &str = "sealed:1:";
/// The separator between the parts of a row's name.
const PART: &str = "\u{1f}";

/// A column that is sealed.
#[derive(Debug)]
pub struct Column {
    /// The label it is sealed under. Columns that are compared with each other share one.
    pub label: &'static str,
    /// Its name in a row.
    pub name: &'static str,
    /// The columns that name its row; if none, equal texts look equal.
    pub row: &'static [&'static str],
    /// Which texts of which rows are sealed; the others identify nobody.
    pub only: fn(row: &str, text: &str) -> bool,
}

/// A table with sealed columns.
#[derive(Debug)]
pub struct Table {
    pub name: &'static str,
    /// The columns that identify its rows, in order.
    pub key: &'static [&'static str],
    pub columns: &'static [&'static Column],
}

/// Makes a column whose texts are all sealed.
const fn column(label: &'static str, name: &'static str, row: &'static [&'static str]) -> Column {
    Column { label, name, row, only: |_, _| true }
}

/// Makes a column of which some texts are sealed.
const fn some(
    label: &'static str,
    name: &'static str,
    row: &'static [&'static str],
    only: fn(&str, &str) -> bool,
) -> Column {
    Column { label, name, row, only }
}

/// Proves that a key is unchanged.
pub static PROOF: Column = column("encryption_keys.proof", "proof", &["id"]);

pub static TICKET: Column = column("tickets.ticket", "ticket", &["tenant", "id"]);
pub static CONVERSATION: Column = column("tickets.conversation", "conversation", &["tenant", "id"]);
pub static OVERRIDES: Column = column("tickets.overrides", "overrides", &["tenant", "id"]);
pub static WAS: Column = some("events.was", "was", &["tenant", "ticket_id", "kind"], of_assignees);
pub static BECAME: Column = some("events.became", "became", &["tenant", "ticket_id", "kind"], of_assignees);
pub static DIRECTORY: Column = column("directories.directory", "directory", &["tenant"]);
pub static NAME: Column = some("people.name", "name", &["tenant", "kind", "id"], of_technicians);
pub static REASON: Column = column("alerts.reason", "reason", &["key"]);
pub static ACKED_BY: Column = column("alerts.acked_by", "acked_by", &["key"]);
pub static ASKED: Column = column("alerts.asked", "asked", &["key"]);
pub static MESSAGE: Column = column("notifications.message", "message", &["key"]);
pub static FALLBACK: Column = some("notifications.fallback", "fallback", &["key"], |_, text| text != "[]");
pub static DETAIL: Column = some("attempts.detail", "detail", &["notification", "number"], names_a_place);
pub static WRITTEN: Column = column("write_backs.content", "content", &["key"]);
pub static SET_ASIDE: Column = column("set_aside.content", "content", &["kind", "tenant", "key"]);
pub static SIGNED_IN: Column = column("sessions.person", "person", &["id"]);
pub static ORIGIN: Column = column("sessions.origin", "origin", &["id"]);
pub static SECRET: Column = column("secrets.value", "value", &["name"]);
pub static REPORT: Column = column("report_contents.bytes", "bytes", &["tenant", "id"]);
/// An incident's title and text are meant to be shown; only its cause and notes, which are for the desk, are sealed.
pub static CAUSE: Column = column("incidents.cause", "cause", &["id"]);
pub static NOTE: Column = column("incident_updates.note", "note", &["incident", "number"]);
pub static WISHES: Column = column("personal_rules.rules", "rules", &[]);

/// Who reads a message: by SuperOps' id, which stays plain, or by address.
pub static RECIPIENT: Column =
    some("recipient", "recipient", &[], |_, text| text.contains('@') || text.starts_with('+'));
/// Where a message goes.
pub static ADDRESS: Column = column("address", "address", &[]);
/// A person by address or number.
pub static PERSON: Column = column("person", "person", &[]);
/// The provider's last error. It has no row, because it is the same for all messages that were sent together.
pub static LAST_ERROR: Column = some("notifications.last_error", "last_error", &[], names_a_place);
pub static PHONE: Column = column("phone", "phone", &[]);
/// Whose phone it is.
pub static OWNER: Column = column("owner", "who", &[]);
pub static EMAIL: Column = column("subscribers.email", "email", &[]);

/// Only assignees: no other changes of tickets name anybody.
fn of_assignees(row: &str, _: &str) -> bool {
    row.rsplit(PART).next() == Some("assignee")
}

/// Only technicians: clients are companies.
fn of_technicians(row: &str, _: &str) -> bool {
    row.split(PART).nth(1) == Some("technician")
}

/// Whether a provider's error may contain an address or a number.
fn names_a_place(_: &str, text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    text.contains('@') || digits > 5
}

/// All tables with sealed columns.
pub static TABLES: &[Table] = &[
    Table { name: "tickets", key: &["tenant", "id"], columns: &[&TICKET, &CONVERSATION, &OVERRIDES] },
    Table { name: "events", key: &["id"], columns: &[&WAS, &BECAME] },
    Table { name: "directories", key: &["tenant"], columns: &[&DIRECTORY] },
    Table { name: "people", key: &["tenant", "kind", "id"], columns: &[&NAME] },
    Table { name: "alerts", key: &["key"], columns: &[&REASON, &ACKED_BY, &ASKED] },
    Table {
        name: "notifications",
        key: &["key"],
        columns: &[&RECIPIENT, &FALLBACK, &MESSAGE, &ADDRESS, &PERSON, &LAST_ERROR],
    },
    Table { name: "digested", key: &["alert_key", "digest", "recipient"], columns: &[&RECIPIENT] },
    Table { name: "attempts", key: &["id"], columns: &[&DETAIL] },
    Table { name: "write_backs", key: &["id"], columns: &[&WRITTEN] },
    Table { name: "set_aside", key: &["id"], columns: &[&SET_ASIDE] },
    Table { name: "incidents", key: &["id"], columns: &[&CAUSE] },
    Table { name: "incident_updates", key: &["incident", "number"], columns: &[&NOTE] },
    Table { name: "on_call_overrides", key: &["id"], columns: &[&PERSON] },
    Table { name: "personal_rules", key: &["id"], columns: &[&PERSON, &WISHES] },
    Table { name: "subscribers", key: &["id"], columns: &[&EMAIL] },
    Table { name: "sms_codes", key: &["phone", "code"], columns: &[&PHONE] },
    Table { name: "stopped_phones", key: &["phone"], columns: &[&PHONE, &OWNER] },
    Table { name: "unreachable_numbers", key: &["id"], columns: &[&PHONE, &OWNER] },
    Table { name: "secrets", key: &["name"], columns: &[&SECRET] },
    Table { name: "report_contents", key: &["tenant", "id"], columns: &[&REPORT] },
    Table { name: "sessions", key: &["id"], columns: &[&SIGNED_IN, &ORIGIN] },
];

/// Bytes that are sealed on their way to the database, for one row.
#[derive(Clone, Debug)]
pub struct SealedBytes {
    column: &'static Column,
    row: String,
    bytes: Vec<u8>,
}

impl SealedBytes {
    /// Returns the bytes as they are stored.
    pub fn settled(self, keys: Option<&KeyRing>) -> Vec<u8> {
        let text = keys.and_then(|keys| self.column.sealed_bytes(keys, &self.row, &self.bytes));
        text.map_or(self.bytes, String::into_bytes)
    }
}

/// A text that is sealed on its way to the database.
#[derive(Clone, Debug)]
pub enum Sealed {
    /// For one row.
    Text { column: &'static Column, row: String, text: String },
    /// All forms in which any of these words may be stored, as a JSON list to compare with.
    AnyOf { column: &'static Column, words: Vec<String> },
}

impl Column {
    /// Seals `text` for the row that these parts name, in the order of [`Column::row`].
    pub fn seal(&'static self, row: &[&str], text: impl Into<String>) -> Sealed {
        debug_assert_eq!(row.len(), self.row.len(), "{} names its row", self.label);
        self.seal_for(name_of(row), text.into())
    }

    /// Seals `text` for the row called `row`.
    pub fn seal_for(&'static self, row: String, text: String) -> Sealed {
        Sealed::Text { column: self, row, text }
    }

    /// Seals `bytes` for the row that these parts name.
    pub fn seal_bytes(&'static self, row: &[&str], bytes: &[u8]) -> SealedBytes {
        self.seal_bytes_for(name_of(row), bytes.to_vec())
    }

    /// Seals `bytes` for the row called `row`.
    pub fn seal_bytes_for(&'static self, row: String, bytes: Vec<u8>) -> SealedBytes {
        SealedBytes { column: self, row, bytes }
    }

    /// Seals a word that statements compare: it looks the same in every row.
    pub fn word(&'static self, word: impl Into<String>) -> Sealed {
        self.seal(&[], word)
    }

    /// Lists all forms in which one of these words may be stored here: `IN (SELECT value FROM json_each($1))`.
    pub fn any_of<T: Into<String>>(&'static self, words: impl IntoIterator<Item = T>) -> Sealed {
        debug_assert!(self.row.is_empty(), "{} is compared", self.label);
        Sealed::AnyOf { column: self, words: words.into_iter().map(Into::into).collect() }
    }

    /// Returns the column that is sealed under this label.
    pub fn labelled(label: &str) -> Option<&'static Self> {
        let all = TABLES.iter().flat_map(|table| table.columns).copied();
        all.chain([&PROOF]).find(|column| column.label == label)
    }

    /// Returns `text` as it is stored in the row called `row`.
    pub fn sealed(&self, keys: &KeyRing, row: &str, text: &str) -> String {
        let is_due = (self.only)(row, text);
        let sealed = is_due.then(|| self.sealed_bytes(keys, row, text.as_bytes())).flatten();
        sealed.unwrap_or_else(|| harmless(text.to_owned()))
    }

    /// Returns none if nothing is sealed.
    fn sealed_bytes(&self, keys: &KeyRing, row: &str, bytes: &[u8]) -> Option<String> {
        let (label, sealed) = keys.seal(|id| self.marked(id), row, bytes)?;
        Some(written(&label, &sealed))
    }

    /// Seals `text` for the row called `row` with the key `id` of `keys`; none if they do not hold it.
    pub fn sealed_with(&self, keys: &KeyRing, id: &str, row: &str, text: &str) -> Option<String> {
        let label = self.marked(id);
        Some(written(&label, &keys.seal_with(id, &label, row, text.as_bytes())?))
    }

    /// Returns the prefix of everything in this column that the key `id` seals.
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
    /// Returns the text as it is stored.
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

/// Returns the name of a row, made of its parts.
pub fn name_of(parts: &[&str]) -> String {
    parts.join(PART)
}

/// Changes a text from outside that looks sealed, so that nothing takes it for a sealed one.
pub fn harmless(text: String) -> String {
    if text.starts_with(PREFIX) { format!("\u{FFFD}{text}") } else { text }
}

/// Returns the key that sealed `text`; none if it is plain.
pub fn key_of(text: &str) -> Option<&str> {
    text.strip_prefix(PREFIX)?.split_once(':').map(|(id, _)| id)
}

/// An opened value.
#[derive(Debug)]
pub struct Found {
    pub label: String,
    pub row: String,
    pub bytes: Vec<u8>,
}

impl Found {
    /// The text that was sealed.
    pub fn text(self) -> Result<String, SealError> {
        String::from_utf8(self.bytes).map_err(|_| SealError::Broken(self.label))
    }
}

/// Opens `text`; none if it is not sealed.
pub fn open(keys: &KeyRing, text: &str) -> Result<Option<Found>, SealError> {
    let Some(rest) = text.strip_prefix(PREFIX) else { return Ok(None) };
    let broken = || SealError::Broken(text.chars().take(60).collect());
    let (label, coded) = rest.rsplit_once(':').ok_or_else(broken)?;
    let (id, name) = label.split_once(':').ok_or_else(broken)?;
    let bytes = STANDARD_NO_PAD.decode(coded).map_err(|_| broken())?;
    let Opened { row, bytes } = keys.open(id, &format!("{PREFIX}{label}"), &bytes)?;
    Ok(Some(Found { label: name.to_owned(), row, bytes }))
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
        assert_eq!((&*opened.label, &*opened.row), ("directories.directory", "acme"));
        assert_eq!(opened.text().unwrap(), "{}");
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
