//! Walks a TOML document and notes every fault on the way instead of stopping at the first.
//!
//! A [`Section`] is one table. Asking it for a key makes the key known; what
//! was never asked for is an unknown key, and [`Section::finish`] says so.
//! A value that is wrong is noted and then treated as absent, so that reading
//! goes on. No complaint repeats a value that could be a secret.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::Notes;
use super::complaint::{Complaints, line_and_column};
use super::environment::Environment;

/// What a configuration is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To talk to SuperOps and to people: secrets must be there.
    Service,
    /// To compute: neither tenants' secrets nor channels are needed.
    Offline,
}

/// One reading of one file: what surrounds it and what was found.
pub(super) struct Inspection<'e> {
    pub env: &'e dyn Environment,
    pub purpose: Purpose,
    /// The file that is read, and its content.
    path: &'e Path,
    text: &'e str,
    faults: RefCell<Vec<(usize, String)>>,
    /// What can never work, though the rest does.
    futile: RefCell<Vec<(usize, String)>>,
    /// What may not be intended.
    remarks: RefCell<Vec<(usize, String)>>,
    /// Every key that was asked for -> whether it was ever there.
    keys: RefCell<BTreeMap<String, bool>>,
}

impl<'e> Inspection<'e> {
    pub fn new(env: &'e dyn Environment, purpose: Purpose) -> Self {
        Self {
            env,
            purpose,
            path: Path::new(""),
            text: "",
            faults: RefCell::default(),
            futile: RefCell::default(),
            remarks: RefCell::default(),
            keys: RefCell::default(),
        }
    }

    /// Makes this a reading of the file at `path`, whose content is `text`.
    pub fn of(self, path: &'e Path, text: &'e str) -> Self {
        Self { path, text, ..self }
    }

    /// Reads a file that the configuration names: beside it, unless the name is a whole path.
    pub fn read_beside(&self, name: &str) -> io::Result<String> {
        self.env.read_file(&self.beside(name))
    }

    /// Returns the path of a file that the configuration names: beside it, unless the name is a whole path.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.path.parent().unwrap_or(self.path).join(name)
    }

    /// Notes a fault at a byte offset.
    pub fn fault(&self, at: usize, text: impl Into<String>) {
        self.faults.borrow_mut().push((at, text.into()));
    }

    /// Takes back the faults that `meant` picks by their places and texts.
    pub fn forget(&self, meant: impl Fn(usize, &str) -> bool) {
        self.faults.borrow_mut().retain(|(at, text)| !meant(*at, text));
    }

    /// Returns what does not keep a service from starting, with its place.
    pub fn notes(&self) -> Notes {
        let lines = |found: &RefCell<Vec<_>>| Complaints::locate(self.path, self.text, found.take()).lines().collect();
        Notes { futile: lines(&self.futile), remarks: lines(&self.remarks) }
    }

    pub fn into_faults(self) -> Vec<(usize, String)> {
        self.faults.into_inner()
    }

    /// Returns the keys that were asked for and never found, such as `tenants.*.subdomain`.
    #[cfg(test)]
    pub fn absent_keys(&self) -> Vec<String> {
        self.keys.borrow().iter().filter(|(_, there)| !**there).map(|(key, _)| key.clone()).collect()
    }
}

/// A value with its key and its place in the file.
#[derive(Clone)]
pub(super) struct Found<'a, T> {
    pub value: T,
    pub key: &'a str,
    at: usize,
    inspection: &'a Inspection<'a>,
}

impl<'a, T> Found<'a, T> {
    /// Notes that this value breaks `rule`, worded to follow the key.
    pub fn wrong(&self, rule: impl Display) {
        self.inspection.fault(self.at, format!("`{}` {rule}", self.key));
    }

    /// Notes that this value can never work, though the rest does.
    pub fn futile(&self, why: impl Display) {
        self.inspection.futile.borrow_mut().push((self.at, format!("`{}` {why}", self.key)));
    }

    /// Notes that this value may not be intended.
    pub fn remark(&self, why: impl Display) {
        self.inspection.remarks.borrow_mut().push((self.at, format!("`{}` {why}", self.key)));
    }

    /// The reading that this value was found in.
    pub fn inspection(&self) -> &'a Inspection<'a> {
        self.inspection
    }

    /// Turns the value into what the program relies on, or notes the rule that it breaks.
    pub fn read<U>(self, parse: impl FnOnce(&T) -> Result<U, String>) -> Option<U> {
        parse(&self.value).map_err(|rule| self.wrong(rule)).ok()
    }

    fn map<U>(self, value: U) -> Found<'a, U> {
        Found { value, key: self.key, at: self.at, inspection: self.inspection }
    }
}

/// One table of the file; or the defaults, where the table is absent.
pub(super) struct Section<'a> {
    pub inspection: &'a Inspection<'a>,
    table: Option<&'a DeTable<'a>>,
    /// As a person would write its header: `[tenants.acme]`.
    title: String,
    /// The same for every table of a kind: `tenants.*`.
    kind: String,
    at: usize,
    asked: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Section<'a> {
    /// The whole document.
    pub fn root(inspection: &'a Inspection<'a>, document: &'a DeTable<'a>) -> Self {
        Self::new(inspection, Some(document), 0, String::new(), String::new())
    }

    fn new(
        inspection: &'a Inspection<'a>,
        table: Option<&'a DeTable<'a>>,
        at: usize,
        title: String,
        kind: String,
    ) -> Self {
        Self { inspection, table, title, kind, at, asked: RefCell::default() }
    }

    /// Whether the table is in the file.
    pub fn is_there(&self) -> bool {
        self.table.is_some()
    }

    /// Returns where a person finds the table: `config.toml:88`.
    pub fn place(&self) -> String {
        let (line, _) = line_and_column(self.inspection.text, self.at);
        format!("{}:{line}", self.inspection.path.display())
    }

    /// Whether `key` is in the table, right or wrong.
    pub fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    /// Whether the table under `key` has `inner`, without reading either.
    pub fn has_within(&self, key: &str, inner: &str) -> bool {
        let table = self.table.and_then(|table| table.get(key)).and_then(|value| value.get_ref().as_table());
        table.is_some_and(|table| table.contains_key(inner))
    }

    /// How much is written under `key`, right or wrong: what is in its list or table, or one value of another kind.
    pub fn count(&self, key: &str) -> usize {
        match self.table.and_then(|table| table.get(key)).map(|value| value.get_ref()) {
            Some(DeValue::Array(list)) => list.len(),
            Some(DeValue::Table(table)) => table.len(),
            other => usize::from(other.is_some()),
        }
    }

    /// The names in the table under `key`, whether right or wrong is what they stand for.
    pub fn names(&self, key: &str) -> Vec<&'a str> {
        let group = self.table.and_then(|table| table.get(key)).and_then(|value| value.get_ref().as_table());
        group.into_iter().flatten().map(|(name, _)| name.get_ref().as_ref()).collect()
    }

    /// Notes a fault of the table as a whole.
    pub fn wrong(&self, text: impl Into<String>) {
        self.inspection.fault(self.at, text);
    }

    /// Reads a text in quotes.
    pub fn text(&self, key: &'static str) -> Option<Found<'a, &'a str>> {
        self.value(key)?.typed("a text in quotes", text_of)
    }

    /// Reads a text that has no default; `why` completes "`key` is needed".
    pub fn needed_text(&self, key: &'static str, why: &str) -> Option<Found<'a, &'a str>> {
        let found = self.text(key);
        if !self.has(key) {
            self.wrong(format!("`{key}` is needed in {}{why}", self.title));
        }
        found
    }

    pub fn integer(&self, key: &'static str) -> Option<Found<'a, i64>> {
        self.value(key)?.typed("a whole number", integer_of)
    }

    pub fn number(&self, key: &'static str) -> Option<Found<'a, f64>> {
        self.value(key)?.typed("a number", number_of)
    }

    pub fn flag(&self, key: &'static str) -> Option<Found<'a, bool>> {
        self.value(key)?.typed("true or false", |value| value.as_bool())
    }

    /// Whether the flag under `key` is set, or is there and cannot be read: then it may be meant to be set.
    pub fn may_be_set(&self, key: &'static str) -> bool {
        self.flag(key).map_or(self.has(key), |found| found.value)
    }

    /// Reads a list of texts; elements of another type are noted and left out.
    pub fn texts(&self, key: &'static str) -> Option<Vec<Found<'a, &'a str>>> {
        self.list(key, "a text in quotes", text_of)
    }

    /// Reads a list of numbers.
    pub fn numbers(&self, key: &'static str) -> Option<Vec<Found<'a, f64>>> {
        self.list(key, "a number", number_of)
    }

    /// Reads a list of dates, in quotes or as TOML's own dates.
    pub fn dates(&self, key: &'static str) -> Option<Vec<Found<'a, String>>> {
        self.list(key, "a date such as \"2026-12-25\"", |value| match value {
            DeValue::Datetime(date) => Some(date.to_string()),
            other => text_of(other).map(str::to_owned),
        })
    }

    /// The table under `key`; its defaults if it is absent.
    pub fn table(&self, key: &'static str) -> Section<'a> {
        let title = self.title_of(key);
        let found = self.value(key).and_then(|found| found.typed("a table", DeValue::as_table));
        let at = found.as_ref().map_or(self.at, |found| found.at);
        Section::new(self.inspection, found.map(|found| found.value), at, title, self.kind_of(key))
    }

    /// The tables under `key`, by the names that the user gave them.
    pub fn named(&self, key: &'static str) -> Vec<(Found<'a, &'a str>, Section<'a>)> {
        let group = self.table(key);
        let entries = group.table.into_iter().flatten();
        entries.filter_map(|(name, value)| group.member(name, value)).collect()
    }

    /// The texts under `key`, by the names that the user gave them.
    pub fn entries(&self, key: &'static str) -> Vec<(Found<'a, &'a str>, Found<'a, &'a str>)> {
        let group = self.table(key);
        let entry = |(name, value): (&'a Spanned<DeString<'a>>, &'a Spanned<DeValue<'a>>)| {
            let (key, inspection) = (name.get_ref().as_ref(), self.inspection);
            let found = Found { value: value.get_ref(), key, at: value.span().start, inspection };
            let value = found.typed("a text in quotes", text_of)?;
            Some((Found { value: key, key, at: name.span().start, inspection }, value))
        };
        group.table.into_iter().flatten().filter_map(entry).collect()
    }

    /// The tables of an array: `[[key]]`.
    pub fn each(&self, key: &'static str) -> Option<Vec<Section<'a>>> {
        let tables = self.list(key, "a table", DeValue::as_table)?;
        let section = |found: Found<'a, &'a DeTable<'a>>| {
            let title = format!("[{}]", self.title_of(key));
            Section::new(self.inspection, Some(found.value), found.at, title, self.kind_of(key))
        };
        Some(tables.into_iter().map(section).collect())
    }

    /// Refuses a key that has no place here: says `why` if it is used.
    pub fn refuse(&self, key: &'static str, why: &str) {
        self.asked.borrow_mut().insert(key);
        if let Some((name, _)) = self.table.and_then(|table| table.get_key_value(key)) {
            self.inspection.fault(name.span().start, format!("`{key}` {why}"));
        }
    }

    /// Notes that `key`, right by itself, does not go with the rest; `rule` is worded to follow the key.
    pub fn clash(&self, key: &str, rule: &str) {
        if let Some(name) = self.key(key) {
            name.wrong(rule);
        }
    }

    /// `key` with its place, if it is in the table.
    pub fn key(&self, key: &str) -> Option<Found<'a, ()>> {
        let (name, _) = self.table?.get_key_value(key)?;
        Some(Found { value: (), key: name.get_ref().as_ref(), at: name.span().start, inspection: self.inspection })
    }

    /// Writes the table as TOML under `[[list]]`, leaving out the keys in `without`.
    pub fn written(&self, list: &str, without: &[&str]) -> String {
        let entries = self.table.into_iter().flatten().map(|(name, value)| (name.get_ref().as_ref(), value.get_ref()));
        let kept = entries.filter(|(name, _)| !without.contains(name));
        let table: toml::Table = kept.filter_map(|(name, value)| Some((name.to_owned(), plain_of(value)?))).collect();
        // Tables within it are named after it, so that none of them is taken for one of its own.
        toml::Table::from_iter([(list.to_owned(), toml::Value::Array(vec![table.into()]))]).to_string()
    }

    /// Does not call these keys unknown: because of another complaint they cannot be read.
    pub fn overlook(&self, keys: &[&'static str]) {
        self.asked.borrow_mut().extend(keys);
    }

    /// Notes every key that nobody asked for.
    pub fn finish(self) {
        let asked = self.asked.take();
        for (name, _) in self.table.into_iter().flatten() {
            let key = name.get_ref().as_ref();
            if !asked.contains(key) {
                let hint = nearest(key, asked.iter().copied());
                let place = if self.title.is_empty() { String::new() } else { format!(" in {}", self.title) };
                self.inspection.fault(name.span().start, format!("unknown key `{key}`{place}{hint}"));
            }
        }
    }

    fn value(&self, key: &'static str) -> Option<Found<'a, &'a DeValue<'a>>> {
        self.asked.borrow_mut().insert(key);
        let entry = self.table.and_then(|table| table.get(key));
        *self.inspection.keys.borrow_mut().entry(self.kind_of(key)).or_default() |= entry.is_some();
        let entry = entry?;
        Some(Found { value: entry.get_ref(), key, at: entry.span().start, inspection: self.inspection })
    }

    fn list<T>(
        &self,
        key: &'static str,
        wanted: &str,
        convert: impl Fn(&'a DeValue<'a>) -> Option<T>,
    ) -> Option<Vec<Found<'a, T>>> {
        let array = self.value(key)?.typed("a list in [ ]", DeValue::as_array)?;
        let element = |item: &'a Spanned<DeValue<'a>>| {
            let found = Found { value: item.get_ref(), key, at: item.span().start, inspection: self.inspection };
            found.typed_element(wanted, &convert)
        };
        Some(array.value.iter().filter_map(element).collect())
    }

    fn member(
        &self,
        name: &'a Spanned<DeString<'a>>,
        value: &'a Spanned<DeValue<'a>>,
    ) -> Option<(Found<'a, &'a str>, Section<'a>)> {
        let key = name.get_ref().as_ref();
        let found = Found { value: value.get_ref(), key, at: value.span().start, inspection: self.inspection };
        let table = found.typed("a table", DeValue::as_table)?;
        let named = Found { value: key, key, at: name.span().start, inspection: self.inspection };
        let section =
            Section::new(self.inspection, Some(table.value), table.at, self.title_of(key), format!("{}.*", self.kind));
        Some((named, section))
    }

    fn title_of(&self, key: &str) -> String {
        match self.title.trim_matches(['[', ']']) {
            "" => format!("[{key}]"),
            parent => format!("[{parent}.{key}]"),
        }
    }

    fn kind_of(&self, key: &str) -> String {
        if self.kind.is_empty() { key.to_owned() } else { format!("{}.{key}", self.kind) }
    }
}

impl<'a> Found<'a, &'a DeValue<'a>> {
    fn typed<T>(self, wanted: &str, convert: impl Fn(&'a DeValue<'a>) -> Option<T>) -> Option<Found<'a, T>> {
        self.converted("must be", wanted, convert)
    }

    fn typed_element<T>(self, wanted: &str, convert: impl Fn(&'a DeValue<'a>) -> Option<T>) -> Option<Found<'a, T>> {
        self.converted("must hold", wanted, convert)
    }

    fn converted<T>(
        self,
        must: &str,
        wanted: &str,
        convert: impl Fn(&'a DeValue<'a>) -> Option<T>,
    ) -> Option<Found<'a, T>> {
        let Some(value) = convert(self.value) else {
            self.wrong(format!("{must} {wanted}, not {}", type_words(self.value)));
            return None;
        };
        Some(self.map(value))
    }
}

/// The shortest beginning that a whole word is suggested for: a shorter one says too little.
const SHORTEST_BEGINNING: usize = 3;

/// `; did you mean …?` if one of `known` is close to `word`, or is the only one that begins with it.
pub(crate) fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> String {
    let known: Vec<&str> = known.collect();
    let folded = word.trim().to_lowercase();
    let distance = |candidate: &str| strsim::damerau_levenshtein(&folded, &candidate.to_lowercase());
    let mut longer = known.iter().filter(|candidate| candidate.to_lowercase().starts_with(&folded));
    if let (true, Some(only), None) = (folded.len() >= SHORTEST_BEGINNING, longer.next(), longer.next()) {
        return format!("; did you mean `{only}`?");
    }
    let closest = known.into_iter().map(|candidate| (distance(candidate), candidate)).min();
    match closest {
        // Up to a third of the word may be mistyped; more is another word.
        Some((far, candidate)) if far <= (word.chars().count() / 3).max(2) && far < candidate.len() => {
            format!("; did you mean `{candidate}`?")
        }
        _ => String::new(),
    }
}

fn text_of<'v>(value: &'v DeValue<'_>) -> Option<&'v str> {
    value.as_str()
}

fn integer_of(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn number_of(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Float(float) => float.as_str().parse().ok(),
        other => integer_of(other).and_then(|integer| i32::try_from(integer).ok()).map(f64::from),
    }
}

/// Returns the value without its place in the file; none if it cannot be read.
fn plain_of(value: &DeValue<'_>) -> Option<toml::Value> {
    Some(match value {
        DeValue::String(text) => toml::Value::String(text.to_string()),
        DeValue::Integer(_) => toml::Value::Integer(integer_of(value)?),
        DeValue::Float(float) => toml::Value::Float(float.as_str().parse().ok()?),
        DeValue::Boolean(flag) => toml::Value::Boolean(*flag),
        DeValue::Datetime(date) => toml::Value::Datetime(*date),
        DeValue::Array(array) => toml::Value::Array(array.iter().filter_map(|item| plain_of(item.get_ref())).collect()),
        DeValue::Table(table) => {
            let entry = |(name, value): (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)| {
                Some((name.get_ref().to_string(), plain_of(value.get_ref())?))
            };
            toml::Value::Table(table.iter().filter_map(entry).collect())
        }
    })
}

fn type_words(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "this whole number",
        DeValue::Float(_) => "this fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
