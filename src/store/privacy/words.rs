//! Replaces names, addresses and numbers in a text or in JSON.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Person;
use crate::ticket::RefId;

/// What replaces a name shared by several people if nothing says who is meant.
const ONE_OF_THEM: &str = "a technician";

/// What to look for, and what to replace it with.
#[derive(Clone, Debug)]
pub struct Replacement {
    /// In lower case, the longest first, since an address may contain a name; and whether others share it.
    words: Vec<(Vec<char>, bool)>,
    /// Names of others that contain one of these words, the longest first: they stay as they are.
    others_words: Vec<Vec<char>>,
    instead: String,
    /// What replaces a shared name if it is unclear who is meant; none to leave it alone.
    unclear: Option<&'static str>,
    /// The person's id, and those of the namesakes.
    id: String,
    others: BTreeSet<String>,
}

/// Whom something is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    Theirs,
    /// A namesake's.
    Anothers,
    /// Nothing says whose.
    Unclear,
}

impl Replacement {
    /// Finds what names `person`, to replace it by `instead`.
    pub fn new(person: &Person, instead: &str) -> Self {
        let shared = |word: &String| person.shared.contains(word);
        let words = person.known_by.iter().map(|word| (small(word), shared(word)));
        let mut words: Vec<_> = words.filter(|(word, _)| !word.is_empty()).collect();
        words.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
        let mut others_words: Vec<_> = person.within_others.iter().map(|word| small(word)).collect();
        others_words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        let others = person.namesakes.iter().map(RefId::to_string).collect();
        let (instead, id) = (instead.to_owned(), person.id.to_string());
        Self { words, others_words, instead, unclear: Some(ONE_OF_THEM), id, others }
    }

    /// Returns the same, but leaving alone what may be about a namesake.
    pub fn sure(self) -> Self {
        Self { unclear: None, ..self }
    }

    /// Returns the replacement.
    pub fn by(&self) -> &str {
        &self.instead
    }

    /// Returns whom the row with this id is about.
    pub fn row_of(&self, id: &str) -> Whose {
        match id {
            id if id == self.id => Whose::Theirs,
            id if self.others.contains(id) => Whose::Anothers,
            _ => Whose::Unclear,
        }
    }

    /// Replaces each occurrence in `text`; none if there is none. In JSON only values are changed, never field names,
    /// and an id beside a name says who is meant.
    pub fn of(&self, text: &str, whose: Whose) -> Option<String> {
        if !text.starts_with(['{', '[']) {
            return self.within(text, whose);
        }
        let Ok(mut value) = serde_json::from_str::<Value>(text) else { return self.within(text, whose) };
        self.walk(&mut value, whose).then(|| value.to_string())
    }

    fn walk(&self, value: &mut Value, whose: Whose) -> bool {
        match value {
            Value::String(text) => match self.within(text, whose) {
                Some(other) => {
                    *text = other;
                    true
                }
                None => false,
            },
            Value::Array(values) => values.iter_mut().fold(false, |changed, value| self.walk(value, whose) | changed),
            Value::Object(fields) => {
                let whose = self.says_whose(fields).unwrap_or(whose);
                let renamed = fields.get_mut("technician").is_some_and(|holder| self.rename(holder));
                fields.values_mut().fold(renamed, |changed, value| self.walk(value, whose) | changed)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    /// Replaces the name in `holder` if its id is this person's: old tickets give renamed people their old names.
    fn rename(&self, holder: &mut Value) -> bool {
        if holder.get("id").and_then(Value::as_str) != Some(&*self.id) {
            return false;
        }
        match holder.get_mut("name") {
            Some(Value::String(name)) if *name != self.instead => {
                name.clone_from(&self.instead);
                true
            }
            _ => false,
        }
    }

    /// Returns whom an object is about that has an id and a shared name.
    fn says_whose(&self, fields: &Map<String, Value>) -> Option<Whose> {
        let name: Vec<char> = small(fields.get("name")?.as_str()?);
        let is_shared = self.words.iter().any(|(word, shared)| *shared && *word == name);
        let whose = self.row_of(fields.get("id")?.as_str()?);
        (is_shared && whose != Whose::Unclear).then_some(whose)
    }

    fn within(&self, text: &str, whose: Whose) -> Option<String> {
        let letters: Vec<char> = text.chars().collect();
        let (mut other, mut at, mut found) = (String::with_capacity(text.len()), 0, false);
        while at < letters.len() {
            let here = self.words.iter().find(|(word, _)| stands(word, &letters, at));
            let length = here.map_or(0, |(word, _)| word.len());
            let of_another = self.others_words.iter().find(|word| word.len() > length && stands(word, &letters, at));
            if let Some(word) = of_another {
                other.extend(&letters[at..at + word.len()]);
                at += word.len();
                continue;
            }
            match here.and_then(|(word, shared)| Some((word.len(), self.instead_of(*shared, whose)?))) {
                Some((length, instead)) => {
                    other += instead;
                    at += length;
                    found = true;
                }
                None => {
                    other.push(letters[at]);
                    at += 1;
                }
            }
        }
        found.then_some(other)
    }

    /// Returns none if the word stays.
    fn instead_of(&self, shared: bool, whose: Whose) -> Option<&str> {
        match (shared, whose) {
            (false, _) | (true, Whose::Theirs) => Some(&self.instead),
            (true, Whose::Anothers) => None,
            (true, Whose::Unclear) => self.unclear,
        }
    }
}

/// Whether `word` occurs here on its own, not as a part of another word.
fn stands(word: &[char], letters: &[char], at: usize) -> bool {
    let end = at + word.len();
    let apart = |place: Option<&char>| place.is_none_or(|letter| !letter.is_alphanumeric());
    end <= letters.len()
        && letters[at..end].iter().zip(word).all(|(letter, wanted)| small_letter(*letter) == *wanted)
        && (at == 0 || apart(letters.get(at - 1)))
        && apart(letters.get(end))
}

/// Whether `word` occurs on its own somewhere in `text`.
pub(super) fn is_within(word: &str, text: &str) -> bool {
    let (word, letters) = (small(word), small(text));
    !word.is_empty() && (0..letters.len()).any(|at| stands(&word, &letters, at))
}

pub(super) fn small(word: &str) -> Vec<char> {
    word.trim().chars().map(small_letter).collect()
}

/// Maps each letter to exactly one, so that positions stay the same.
fn small_letter(letter: char) -> char {
    let mut small = letter.to_lowercase();
    match (small.next(), small.next()) {
        (Some(one), None) => one,
        _ => letter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ticket::TenantId;

    #[test]
    fn a_name_goes_wherever_it_stands_by_itself_and_nowhere_else() {
        let words = ["Ann Lee", "ann@example.com", "+15005550006", "Jörg", "علي"].map(str::to_owned);
        let cases = [
            ("Ann Lee took it", Some("X took it")),
            ("by ANN LEE (ann@example.com), +15005550006", Some("by X (X), X")),
            ("Joann Lee, Ann Leeds", None),
            ("joann@example.com", None),
            ("JÖRG: علي", Some("X: X")),
            (r#"{"Ann Lee":"Ann Lee","n":1,"list":["by Jörg"]}"#, Some(r#"{"Ann Lee":"X","list":["by X"],"n":1}"#)),
            (r#"{"technician":"Jörgen"}"#, None),
            ("[not JSON: Jörg", Some("[not JSON: X")),
            ("", None),
        ];
        for (text, expected) in cases {
            let person = Person { known_by: words.to_vec(), shared: Vec::new(), ..person() };
            assert_eq!(Replacement::new(&person, "X").of(text, Whose::Unclear).as_deref(), expected, "{text}");
        }
    }

    fn person() -> Person {
        Person {
            tenant: TenantId::parse("acme").unwrap(),
            id: RefId::parse("900").unwrap(),
            known_by: vec!["Ann Lee".to_owned(), "ann@example.com".to_owned()],
            shared: vec!["Ann Lee".to_owned()],
            namesakes: vec![RefId::parse("906").unwrap()],
            within_others: Vec::new(),
        }
    }

    #[test]
    fn a_name_that_is_a_part_of_anothers_goes_where_it_stands_alone() {
        let texts = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let person = Person {
            known_by: texts(&["Ada", "ada@example.com"]),
            shared: Vec::new(),
            namesakes: Vec::new(),
            within_others: texts(&["Ada Lovelace", "Ada Lovelace-King", "ada.king@example.com", "Prof. Ada"]),
            ..person()
        };
        let cases = [
            ("Ada took it", Some("X took it")),
            ("Ada Lovelace took it", None),
            ("from ADA LOVELACE to Ada", Some("from ADA LOVELACE to X")),
            ("Ada Lovelace-King, Prof. Ada, ada.king@example.com", None),
            ("Ada Lovelaces", Some("X Lovelaces")),
            (r#"{"id":"906","name":"Ada Lovelace"}"#, None),
            ("ada@example.com", Some("X")),
        ];
        for (text, expected) in cases {
            assert_eq!(Replacement::new(&person, "X").of(text, Whose::Unclear).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_ticket_in_ones_hands_names_one_by_the_id_whatever_the_name_was_then() {
        let cases = [
            (r#"{"technician":{"id":"900","name":"Ann Before"}}"#, Some(r#"{"technician":{"id":"900","name":"X"}}"#)),
            (r#"{"technician":{"id":"900","name":"X"}}"#, None),
            (r#"{"client":{"id":"900","name":"Ann Before"}}"#, None),
            (r#"{"technician":{"id":"7","name":"Ann Before"}}"#, None),
        ];
        for (text, expected) in cases {
            assert_eq!(Replacement::new(&person(), "X").of(text, Whose::Unclear).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn of_two_of_one_name_the_id_says_who_is_meant_and_without_one_nobody_is_named() {
        let cases = [
            (r#"{"id":"900","name":"Ann Lee"}"#, Some(r#"{"id":"900","name":"X"}"#), true),
            (r#"{"id":"906","name":"Ann Lee"}"#, None, true),
            (r#"{"id":"906","subject":"Ann Lee"}"#, Some(r#"{"id":"906","subject":"a technician"}"#), false),
            (
                r#"{"id":"t","who":{"id":"900","name":"ann lee"}}"#,
                Some(r#"{"id":"t","who":{"id":"900","name":"X"}}"#),
                true,
            ),
            ("given to Ann Lee", Some("given to a technician"), false),
            ("by ann@example.com", Some("by X"), true),
        ];
        for (text, expected, is_sure) in cases {
            let instead = Replacement::new(&person(), "X");
            assert_eq!(instead.of(text, Whose::Unclear).as_deref(), expected, "{text}");
            let sure = instead.sure().of(text, Whose::Unclear);
            assert_eq!(sure.as_deref(), expected.filter(|_| is_sure), "{text}");
        }
        let instead = Replacement::new(&person(), "X");
        assert_eq!(["900", "906"].map(|id| instead.of("Ann Lee", instead.row_of(id))), [Some("X".to_owned()), None]);
    }
}
