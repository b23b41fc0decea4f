//! Names, addresses and numbers in a text or in JSON, and something else in their place.

use serde_json::Value;

/// What is sought, and what is to stand there.
#[derive(Clone, Debug)]
pub struct Replacement {
    /// In small letters, the longest first: an address may hold a name.
    words: Vec<Vec<char>>,
    instead: String,
}

impl Replacement {
    pub fn new(words: &[String], instead: &str) -> Self {
        let mut words: Vec<Vec<char>> = words.iter().map(|word| small(word)).filter(|word| !word.is_empty()).collect();
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        Self { words, instead: instead.to_owned() }
    }

    /// What stands in their place.
    pub fn by(&self) -> &str {
        &self.instead
    }

    /// `text` with something else in the place of each; none: it holds none of them. Of JSON only what it says is looked
    /// at, never the names of its fields.
    pub fn of(&self, text: &str) -> Option<String> {
        if !text.starts_with(['{', '[']) {
            return self.within(text);
        }
        let Ok(mut value) = serde_json::from_str::<Value>(text) else { return self.within(text) };
        self.walk(&mut value).then(|| value.to_string())
    }

    fn walk(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) => match self.within(text) {
                Some(other) => {
                    *text = other;
                    true
                }
                None => false,
            },
            Value::Array(values) => values.iter_mut().fold(false, |changed, value| self.walk(value) | changed),
            Value::Object(fields) => fields.values_mut().fold(false, |changed, value| self.walk(value) | changed),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    fn within(&self, text: &str) -> Option<String> {
        let letters: Vec<char> = text.chars().collect();
        let (mut other, mut at, mut found) = (String::with_capacity(text.len()), 0, false);
        while at < letters.len() {
            match self.words.iter().find(|word| stands(word, &letters, at)) {
                Some(word) => {
                    other += &self.instead;
                    at += word.len();
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
}

/// Whether `word` stands at this place by itself, not as a part of another word.
fn stands(word: &[char], letters: &[char], at: usize) -> bool {
    let end = at + word.len();
    let apart = |place: Option<&char>| place.is_none_or(|letter| !letter.is_alphanumeric());
    end <= letters.len()
        && letters[at..end].iter().zip(word).all(|(letter, wanted)| small_letter(*letter) == *wanted)
        && (at == 0 || apart(letters.get(at - 1)))
        && apart(letters.get(end))
}

fn small(word: &str) -> Vec<char> {
    word.trim().chars().map(small_letter).collect()
}

/// One letter for one: places must stay.
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
            assert_eq!(Replacement::new(&words, "X").of(text).as_deref(), expected, "{text}");
        }
    }
}
