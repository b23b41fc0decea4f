//! JSON as SuperOps sends it: a tree whose strings are slices of the answer itself.
//!
//! A page of a hundred tickets holds some five thousand names and strings. Copying them one by one took most of the
//! time that a first sync spends on reading.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

/// A value of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(Number),
    String(Text),
    Array(Vec<Value>),
    Object(Fields),
}

/// A slice of an answer. It keeps the whole answer alive.
#[derive(Clone)]
pub(super) struct Text {
    whole: Arc<str>,
    start: usize,
    end: usize,
}

/// The fields of an object, in the order they came. If a name occurs twice, the later one counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Fields(Vec<(Text, Value)>);

impl Value {
    /// Parses `text`, which must be one whole value.
    pub fn parse(text: &str) -> serde_json::Result<Self> {
        let whole: Arc<str> = text.into();
        let mut reader = serde_json::Deserializer::from_str(&whole);
        let value = Reader { whole: &whole }.deserialize(&mut reader)?;
        reader.end().map(|()| value)
    }

    /// Parses an answer. Invalid characters, such as half of one that was cut in the middle, are read as `\u{fffd}`, so
    /// that one bad string does not hide all others.
    pub fn of_body(body: &[u8]) -> Option<Self> {
        // RFC 8259, section 8.1, lets a reader ignore a byte order mark.
        let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
        let strict = std::str::from_utf8(body).ok().and_then(|text| Self::parse(text).ok());
        strict.or_else(|| Self::parse(&with_whole_letters(&String::from_utf8_lossy(body))).ok())
    }

    pub fn is_null(&self) -> bool {
        *self == Self::Null
    }

    pub fn is_array(&self) -> bool {
        self.as_array().is_some()
    }

    pub fn is_object(&self) -> bool {
        self.as_object().is_some()
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Number(number) => number.as_u64(),
            _ => None,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_array(&self) -> Option<&Vec<Self>> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    pub fn as_object(&self) -> Option<&Fields> {
        match self {
            Self::Object(fields) => Some(fields),
            _ => None,
        }
    }

    /// Returns the field `name` of an object.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.as_object()?.get(name)
    }

    /// Follows this path through objects and lists; see [`serde_json::Value::pointer`].
    pub fn pointer(&self, way: &str) -> Option<&Self> {
        way.split('/').skip(1).try_fold(self, |value, step| match value {
            Self::Array(items) => items.get(step.parse::<usize>().ok()?),
            value => value.get(step),
        })
    }

    /// Removes the field `name` from an object and returns it.
    pub fn take(&mut self, name: &str) -> Option<Self> {
        match self {
            Self::Object(fields) => fields.take(name),
            _ => None,
        }
    }
}

impl Fields {
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().rev().find(|(known, _)| **known == *name).map(|(_, value)| value)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        let place = self.0.iter().rposition(|(known, _)| **known == *name)?;
        Some(self.0.swap_remove(place).1)
    }
}

impl Text {
    /// Returns `piece` as a slice of `whole`, or as a copy if it is not part of it.
    fn of(whole: &Arc<str>, piece: &str) -> Self {
        let start = (piece.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
        match start.checked_add(piece.len()).filter(|end| *end <= whole.len()) {
            Some(end) => Self { whole: whole.clone(), start, end },
            None => Self { whole: piece.into(), start: 0, end: piece.len() },
        }
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.whole[self.start..self.end]
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

/// Reads a value out of `whole`.
#[derive(Clone, Copy)]
struct Reader<'w> {
    whole: &'w Arc<str>,
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a number"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(Text::of(self.whole, text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut read = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            read.push(item);
        }
        Ok(Value::Array(read))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut read = Vec::new();
        while let Some(name) = fields.next_key_seed(Name(self))? {
            read.push((name, fields.next_value_seed(self)?));
        }
        Ok(Value::Object(Fields(read)))
    }
}

/// Reads the name of a field.
struct Name<'w>(Reader<'w>);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Text;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Text, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
        Ok(Text::of(self.0.whole, text))
    }
}

/// Replaces control characters in `text`, and escapes that are half of a surrogate pair.
fn with_whole_letters(text: &str) -> String {
    let (mut whole, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(|letter: char| letter == '\\' || letter < ' ') {
        let (plain, found) = rest.split_at(at);
        whole += plain;
        let length = match (escaped(found), found.get(6..).and_then(escaped)) {
            (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => 12,
            (Some(0xd800..0xe000), _) => 6,
            // A backslash and the character it escapes, which may be another backslash.
            _ if found.starts_with('\\') => 1 + found[1..].chars().next().map_or(0, char::len_utf8),
            _ => 1,
        };
        let (found, after) = found.split_at(length);
        whole += match length {
            1 => " ",
            6 if escaped(found).is_some() => "\\ufffd",
            _ => found,
        };
        rest = after;
    }
    whole + rest
}

/// Returns the UTF-16 unit of a `\uXXXX` at the beginning of `text`.
fn escaped(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Converts a value to serde_json's.
    fn plain(value: &Value) -> serde_json::Value {
        match value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Number(number) => number.clone().into(),
            Value::String(text) => (**text).into(),
            Value::Array(items) => items.iter().map(plain).collect(),
            Value::Object(fields) => fields.iter().map(|(name, value)| (name.to_owned(), plain(value))).collect(),
        }
    }

    #[test]
    fn whatever_is_json_is_read_as_anybody_reads_it() {
        let texts = [
            "null",
            " [true, false, 0, -1, 6841203957716402999, 1.5, 1e3, \"\"] ",
            r#"{"a": {"b": [{"c": "d"}]}, "Ø": "naïve", "esc\"aped": "line\n\u00e9 \ud83d\ude00 \\"}"#,
            r#"{"twice": 1, "twice": 2}"#,
            "",
            "{",
            "[1,]",
            "\"open",
            "{} {}",
            "nul",
            "\"\u{1}\"",
            "1e999",
            r#"{"a" 1}"#,
            "{1: 2}",
            r#""\ud800""#,
        ];
        for text in texts {
            let (ours, theirs) = (Value::parse(text), serde_json::from_str::<serde_json::Value>(text));
            assert_eq!(ours.as_ref().map(plain).ok(), theirs.ok(), "{text}");
        }
    }

    #[test]
    fn a_letter_that_is_none_hides_no_other_text() {
        let cases: [(&[u8], &str); 9] = [
            (br#"["a \ud83d", "b"]"#, "a \u{fffd}|b"),
            (br#"["\ude00\ud83d\ude00 \ud83d\ud83d", "b"]"#, "\u{fffd}\u{1f600} \u{fffd}\u{fffd}|b"),
            (br#"["\\ud83d \\", "b\"\udfff\n"]"#, "\\ud83d \\|b\"\u{fffd}\n"),
            (b"[\"caf\xe9\", \"\xf0\x9f\x98\"]", "caf\u{fffd}|\u{fffd}"),
            (b"[\"a\nb\0\",\r\n \"c\"]", "a b |c"),
            (br#"["\ud83d\u0041", "\ud83d"]"#, "\u{fffd}A|\u{fffd}"),
            (br#"["\ud83"]"#, "none"),
            (b"[\"\xe9\"", "none"),
            (b"\xef\xbb\xbf[\"marked\"]", "marked"),
        ];
        for (body, expected) in cases {
            let read = Value::of_body(body);
            let texts = read.iter().flat_map(|read| read.as_array().unwrap()).map(|text| text.as_str().unwrap());
            let texts: Vec<_> = texts.collect();
            let text = if read.is_some() { texts.join("|") } else { "none".to_owned() };
            assert_eq!(text, expected, "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn what_lies_deep_is_refused_before_it_fills_the_stack() {
        assert!(Value::parse(&"[".repeat(100_000)).is_err());
    }

    #[test]
    fn a_way_leads_through_objects_and_lists() {
        let value = Value::parse(r#"{"errors": [{"code": "first"}, {"code": "second"}]}"#).unwrap();
        let code = |way| value.pointer(way).and_then(Value::as_str);
        assert_eq!(code("/errors/1/code"), Some("second"));
        assert_eq!([code("/errors/2/code"), code("/errors/x"), code("/nothing")], [None; 3]);
    }

    #[test]
    fn texts_without_escapes_are_pieces_of_the_answer() {
        let value = Value::parse(r#"["plain", "esc\naped"]"#).unwrap();
        let Some([Value::String(plain), Value::String(escaped)]) = value.as_array().map(Vec::as_slice) else {
            panic!("{value:?}")
        };
        assert_eq!((&*plain.whole, &*escaped.whole), (r#"["plain", "esc\naped"]"#, "esc\naped"));
    }
}
