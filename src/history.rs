//! Reads a ticket history: one JSON object per line, plain, gzipped or zstd-compressed.
//!
//! A record says what a ticket looked like when it was opened, then what changed and when. How it ended is in the file
//! as well, but is not read here: a replay or a forecast that knew the end would be no good. A line that makes no sense
//! is reported with its number, and the rest is still read.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::iter;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDateTime, Utc};
use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;
use serde_json::{Map, Value};

/// A name that many records share.
pub type Name = Arc<str>;

/// A line longer than this is not a ticket.
const LONGEST_LINE: usize = 4 << 20;

/// A line that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", self.place())]
pub struct LineError {
    pub path: PathBuf,
    /// From 1; 0 if the file could not even be opened.
    pub line: u64,
    pub reason: Reason,
}

impl LineError {
    fn place(&self) -> String {
        if self.line == 0 { self.path.display().to_string() } else { format!("{}:{}", self.path.display(), self.line) }
    }
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// The rest of the file cannot be read.
    #[error("{0}")]
    Unreadable(#[from] io::Error),
    /// Likewise; the decompressor's own message tells people nothing.
    #[error("the compressed file is cut off or damaged here")]
    Damaged(#[source] io::Error),
    #[error("not JSON at column {column}")]
    NotJson { column: usize },
    #[error("longer than {LONGEST_LINE} bytes")]
    TooLong,
    #[error("not an object")]
    NotAnObject,
    #[error("`{0}` is missing")]
    Missing(&'static str),
    #[error("`{0}` is not a time like 2016-02-29T08:53:00")]
    NotATime(&'static str),
    #[error("`{0}` is in the year {1}: a ticket's history lies between {from} and {to}", from = YEARS.start(), to = YEARS.end())]
    OutOfTime(&'static str, i32),
    #[error("an event is earlier than the one before it")]
    Disorder,
    #[error("ticket `{id}` of `{of}` is on line {line} already: a history has one line for each ticket")]
    Repeated { id: String, of: Name, line: u64 },
}

/// The attributes of a ticket that may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    State,
    Group,
    Assignee,
    Priority,
    Impact,
    Urgency,
    Category,
    Subcategory,
    Symptom,
    Location,
    /// Who made the change.
    By,
}

const FIELDS: [(&str, Field); 11] = [
    ("state", Field::State),
    ("group", Field::Group),
    ("assignee", Field::Assignee),
    ("priority", Field::Priority),
    ("impact", Field::Impact),
    ("urgency", Field::Urgency),
    ("category", Field::Category),
    ("subcategory", Field::Subcategory),
    ("symptom", Field::Symptom),
    ("location", Field::Location),
    ("by", Field::By),
];

/// One moment at which something changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub at: DateTime<Utc>,
    /// Only what changed; `None` is a field that became blank.
    pub changes: Box<[(Field, Option<Name>)]>,
    pub reassignments: Option<u32>,
    pub reopens: Option<u32>,
    pub mods: Option<u32>,
}

impl Event {
    /// What `field` became: nothing if it did not change, `Some(None)` if it became blank.
    pub fn change(&self, field: Field) -> Option<Option<&Name>> {
        self.changes.iter().find(|(changed, _)| *changed == field).map(|(_, value)| value.as_ref())
    }
}

/// A ticket as it was opened, and all that happened to it.
///
/// The two `_at` moments lie after the opening: look at them only once they have passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub ticket_id: String,
    pub source: Name,
    pub opened_at: DateTime<Utc>,
    pub first_response_at: Option<DateTime<Utc>>,
    pub resolved_at: Option<DateTime<Utc>>,
    pub priority: Option<Name>,
    pub impact: Option<Name>,
    pub urgency: Option<Name>,
    pub category: Option<Name>,
    pub subcategory: Option<Name>,
    pub symptom: Option<Name>,
    pub location: Option<Name>,
    pub client: Option<Name>,
    pub channel: Option<Name>,
    pub opened_by: Option<Name>,
    pub group: Option<Name>,
    pub assignee: Option<Name>,
    /// Oldest first.
    pub events: Vec<Event>,
}

/// Reads the history at `path`; its first bytes tell the compression, not its name.
pub fn read(path: &Path) -> impl Iterator<Item = Result<Record, LineError>> + Send + use<> {
    let path = path.to_owned();
    let records: Box<dyn Iterator<Item = _> + Send> = match File::open(&path).and_then(unpack) {
        Ok((lines, packed)) => Box::new(Records {
            path,
            lines,
            packed,
            line: 0,
            names: Names::default(),
            seen: HashMap::new(),
            done: false,
        }),
        Err(error) => Box::new(iter::once(Err(LineError { path, line: 0, reason: error.into() }))),
    };
    records
}

/// Returns a reader of `file`, and whether it is compressed.
fn unpack(file: File) -> io::Result<(Box<dyn BufRead + Send>, bool)> {
    let mut file = BufReader::with_capacity(1 << 16, file);
    let start = file.fill_buf()?;
    Ok(match start {
        [0x1f, 0x8b, ..] => (Box::new(BufReader::new(MultiGzDecoder::new(file))), true),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let decoder = StreamingDecoder::new(file).map_err(io::Error::other)?;
            (Box::new(BufReader::with_capacity(1 << 16, decoder)), true)
        }
        _ => (Box::new(file), false),
    })
}

/// The records of a history, in the order of the file.
struct Records {
    path: PathBuf,
    lines: Box<dyn BufRead + Send>,
    packed: bool,
    line: u64,
    names: Names,
    /// The line of each ticket.
    seen: HashMap<(Name, String), u64>,
    done: bool,
}

impl Iterator for Records {
    type Item = Result<Record, LineError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.done {
            self.line += 1;
            let record = match self.next_line() {
                Ok(None) => return None,
                Ok(Some(line)) if line.is_empty() => continue,
                Ok(Some(line)) => self.names.record(&line).and_then(|record| self.once(record)),
                Err(reason) => Err(reason),
            };
            self.done = matches!(record, Err(Reason::Unreadable(_) | Reason::Damaged(_)));
            return Some(record.map_err(|reason| LineError { path: self.path.clone(), line: self.line, reason }));
        }
        None
    }
}

impl Records {
    /// Returns `record`, unless its ticket was there before: read twice, it would weigh twice.
    fn once(&mut self, record: Record) -> Result<Record, Reason> {
        match self.seen.entry((Arc::clone(&record.source), record.ticket_id.clone())) {
            Entry::Vacant(place) => {
                place.insert(self.line);
                Ok(record)
            }
            Entry::Occupied(before) => {
                Err(Reason::Repeated { id: record.ticket_id, of: record.source, line: *before.get() })
            }
        }
    }

    /// Reads the next line, whatever its bytes; `None` at the end.
    fn next_line(&mut self) -> Result<Option<Vec<u8>>, Reason> {
        let mut line = Vec::new();
        let mut limited = (&mut self.lines).take(LONGEST_LINE as u64);
        let read = limited.read_until(b'\n', &mut line);
        if read.map_err(|error| if self.packed { Reason::Damaged(error) } else { error.into() })? == 0 {
            return Ok(None);
        }
        if line.len() == LONGEST_LINE && !line.ends_with(b"\n") {
            self.lines.skip_until(b'\n')?;
            return Err(Reason::TooLong);
        }
        line.truncate(line.trim_ascii_end().len());
        Ok(Some(line))
    }
}

/// Keeps one copy of each name, and turns a line into a record.
#[derive(Default)]
struct Names(HashSet<Name>);

impl Names {
    fn name(&mut self, text: &str) -> Name {
        if let Some(name) = self.0.get(text) {
            return Arc::clone(name);
        }
        let name = Name::from(text);
        self.0.insert(Arc::clone(&name));
        name
    }

    /// Takes text as it is, numbers by their digits, and anything else as blank.
    fn value(&mut self, value: &Value) -> Option<Name> {
        match value {
            Value::String(text) => Some(self.name(text)),
            Value::Number(number) => Some(self.name(&number.to_string())),
            _ => None,
        }
    }

    fn record(&mut self, line: &[u8]) -> Result<Record, Reason> {
        // Some tools begin a file with a byte order mark.
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        let value = serde_json::from_slice(line).map_err(|error| Reason::NotJson { column: error.column() })?;
        let Value::Object(fields) = value else { return Err(Reason::NotAnObject) };
        let mut name = |key: &str| fields.get(key).and_then(|value| self.value(value));
        let ticket_id = name("ticket_id").ok_or(Reason::Missing("ticket_id"))?.to_string();
        let source = name("source").ok_or(Reason::Missing("source"))?;
        Ok(Record {
            ticket_id,
            source,
            opened_at: time(&fields, "opened_at")?.ok_or(Reason::Missing("opened_at"))?,
            first_response_at: time(&fields, "first_response_at")?,
            resolved_at: time(&fields, "resolved_at")?,
            priority: name("priority"),
            impact: name("impact"),
            urgency: name("urgency"),
            category: name("category"),
            subcategory: name("subcategory"),
            symptom: name("symptom"),
            location: name("location"),
            client: name("client"),
            channel: name("channel"),
            opened_by: name("opened_by"),
            group: name("group"),
            assignee: name("assignee"),
            events: self.events(&fields)?,
        })
    }

    fn events(&mut self, fields: &Map<String, Value>) -> Result<Vec<Event>, Reason> {
        let events = fields.get("events").and_then(Value::as_array).ok_or(Reason::Missing("events"))?;
        let events: Vec<Event> = events.iter().map(|event| self.event(event)).collect::<Result<_, _>>()?;
        if events.is_sorted_by_key(|event| event.at) { Ok(events) } else { Err(Reason::Disorder) }
    }

    fn event(&mut self, event: &Value) -> Result<Event, Reason> {
        let fields = event.as_object().ok_or(Reason::NotAnObject)?;
        let known = FIELDS.iter().filter_map(|(key, field)| Some((*field, fields.get(*key)?)));
        let changes = known.map(|(field, value)| (field, self.value(value))).collect();
        let count = |key: &str| fields.get(key).and_then(Value::as_u64).and_then(|count| u32::try_from(count).ok());
        Ok(Event {
            at: time(fields, "at")?.ok_or(Reason::Missing("at"))?,
            changes,
            reassignments: count("reassignments"),
            reopens: count("reopens"),
            mods: count("mods"),
        })
    }
}

/// The years in which tickets can have been open. One mistyped year would take a replay through all that lie between.
const YEARS: RangeInclusive<i32> = 1970..=2199;

/// Reads a local time without a zone as UTC: the histories do not say where they are from.
fn time(fields: &Map<String, Value>, key: &'static str) -> Result<Option<DateTime<Utc>>, Reason> {
    match fields.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => {
            let local: NaiveDateTime = text.parse().map_err(|_| Reason::NotATime(key))?;
            if YEARS.contains(&local.year()) {
                Ok(Some(local.and_utc()))
            } else {
                Err(Reason::OutOfTime(key, local.year()))
            }
        }
        Some(_) => Err(Reason::NotATime(key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const HELP_DESK: &str = include_str!("../fixtures/history/help-desk.jsonl");

    fn packed(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn all(bytes: &[u8]) -> Vec<Result<Record, LineError>> {
        read(packed(bytes).path()).collect()
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse::<NaiveDateTime>().unwrap().and_utc()
    }

    #[test]
    fn plain_gzip_and_zstd_read_the_same() {
        let plain: Vec<Record> = all(HELP_DESK.as_bytes()).into_iter().map(Result::unwrap).collect();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(HELP_DESK.as_bytes()).unwrap();
        let zstd = ruzstd::encoding::compress_to_vec(HELP_DESK.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest);
        assert_eq!(plain.len(), 6);
        for bytes in [gzip.finish().unwrap(), zstd] {
            let records: Vec<Record> = all(&bytes).into_iter().map(Result::unwrap).collect();
            assert_eq!(records, plain);
        }
    }

    #[test]
    fn an_event_knows_what_changed_and_what_became_blank() {
        let record = all(HELP_DESK.as_bytes()).remove(0).unwrap();
        assert_eq!((record.ticket_id.as_str(), record.opened_at), ("INC-1", at("2021-03-01T09:00:00")));
        let paused = &record.events[2];
        assert_eq!(paused.change(Field::State), Some(Some(&Name::from("Awaiting User Info"))));
        assert_eq!(paused.change(Field::Group), None, "unchanged");
        assert_eq!(record.events[1].change(Field::Assignee), Some(None), "nobody's any more");
        assert_eq!(record.events[1].reassignments, Some(1));
    }

    #[test]
    fn broken_lines_are_named_and_the_rest_is_read() {
        let good = HELP_DESK.lines().next().unwrap();
        let lines = [
            good,
            "{\"ticket_id\":",
            "[1]",
            "",
            r#"{"ticket_id":"A","source":"x","events":[]}"#,
            r#"{"ticket_id":"A","source":"x","opened_at":"yesterday","events":[]}"#,
            r#"{"ticket_id":"A","source":"x","opened_at":"9999-03-01T09:00:00","events":[]}"#,
            r#"{"ticket_id":"A","source":"x","opened_at":"2021-03-01T09:00:00","events":[{"state":"New"}]}"#,
            r#"{"source":"x","opened_at":"2021-03-01T09:00:00","events":[]}"#,
            r#"{"ticket_id":"A","source":"x","opened_at":"2021-03-01T09:00:00","events":[{"at":"2021-03-02T09:00:00"},{"at":"2021-03-01T09:00:00"}]}"#,
            good,
            HELP_DESK.lines().nth(1).unwrap(),
        ];
        let file = packed(lines.join("\n").as_bytes());
        let (good, bad): (Vec<_>, Vec<_>) = read(file.path()).partition(Result::is_ok);
        assert_eq!(good.len(), 2);
        let prefix = format!("{}:", file.path().display());
        let complaints: Vec<String> =
            bad.into_iter().map(|error| error.unwrap_err().to_string().replace(&prefix, "history:")).collect();
        insta::assert_snapshot!(complaints.join("\n"), @r"
        history:2: not JSON at column 13
        history:3: not an object
        history:5: `opened_at` is missing
        history:6: `opened_at` is not a time like 2016-02-29T08:53:00
        history:7: `opened_at` is in the year 9999: a ticket's history lies between 1970 and 2199
        history:8: `at` is missing
        history:9: `ticket_id` is missing
        history:10: an event is earlier than the one before it
        history:11: ticket `INC-1` of `made_up` is on line 1 already: a history has one line for each ticket
        ");
    }

    #[test]
    fn a_cut_file_ends_with_its_reason() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(HELP_DESK.as_bytes()).unwrap();
        let bytes = gzip.finish().unwrap();
        let last = all(&bytes[..bytes.len() / 2]).pop().unwrap();
        assert!(matches!(last, Err(LineError { reason: Reason::Damaged(_), .. })), "{last:?}");
        let missing = read(Path::new("nowhere.jsonl")).next().unwrap().unwrap_err();
        assert_eq!((missing.line, missing.to_string().split(": ").next()), (0, Some("nowhere.jsonl")));
    }

    #[test]
    fn a_line_without_end_is_skipped_without_filling_the_memory() {
        let mut bytes = vec![b'x'; LONGEST_LINE + 10];
        bytes.push(b'\n');
        bytes.extend_from_slice(HELP_DESK.as_bytes());
        let records = all(&bytes);
        assert!(matches!(records[0], Err(LineError { line: 1, reason: Reason::TooLong, .. })));
        assert_eq!(records.iter().filter(|record| record.is_ok()).count(), 6);
    }
}
