//! Reads what a reply to a text message means.
//!
//! People type with a thumb and phones autocorrect: case, spaces and punctuation at the ends are ignored. A reply that
//! is not understood is never guessed at.

/// What a reply asks for. Without a code it means the latest alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    Acknowledge(Option<u8>),
    Close(u8),
    Stop,
    Start,
    /// Also any reply that is not understood.
    Help,
}

/// The words that the provider, too, reads as stopping text messages, and below as resuming them.
const STOP: [&str; 8] = ["stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout"];
const START: [&str; 3] = ["start", "unstop", "yes"];

impl Reply {
    /// Reads the text of a message.
    pub fn read(text: &str) -> Self {
        let text = text.to_lowercase();
        let words: Vec<&str> = text.split_whitespace().map(bare).filter(|word| !word.is_empty()).collect();
        match words.as_slice() {
            [word] if STOP.contains(word) => Self::Stop,
            [word] if START.contains(word) => Self::Start,
            [word] if is_ack(word) => Self::Acknowledge(None),
            [word] => coded(word),
            [verb, code] | [code, verb] if number(code).is_some() => of_verb(verb, number(code)),
            _ => Self::Help,
        }
    }
}

fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric())
}

fn is_ack(word: &str) -> bool {
    matches!(word, "ack" | "ok" | "okay" | "acknowledge" | "acknowledged")
}

/// Reads `1a` or `12c`.
fn coded(word: &str) -> Reply {
    let letters = word.trim_start_matches(|c: char| c.is_ascii_digit());
    of_verb(letters, number(&word[..word.len() - letters.len()]))
}

fn of_verb(verb: &str, code: Option<u8>) -> Reply {
    match (verb, code) {
        (verb, Some(code)) if verb == "a" || is_ack(verb) => Reply::Acknowledge(Some(code)),
        ("c" | "close", Some(code)) => Reply::Close(code),
        _ => Reply::Help,
    }
}

fn number(digits: &str) -> Option<u8> {
    digits.parse().ok().filter(|code| (1..=99).contains(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_read_as_people_type_them() {
        let cases = [
            ("ack", Reply::Acknowledge(None)),
            (" Ack. ", Reply::Acknowledge(None)),
            ("OK!", Reply::Acknowledge(None)),
            ("1a", Reply::Acknowledge(Some(1))),
            ("\"12A\"", Reply::Acknowledge(Some(12))),
            ("1 a", Reply::Acknowledge(Some(1))),
            ("ack 7", Reply::Acknowledge(Some(7))),
            ("7 ok", Reply::Acknowledge(Some(7))),
            ("1c", Reply::Close(1)),
            ("Close 99", Reply::Close(99)),
            ("STOP", Reply::Stop),
            ("stop.", Reply::Stop),
            ("Unsubscribe", Reply::Stop),
            ("start", Reply::Start),
        ];
        for (text, expected) in cases {
            assert_eq!(Reply::read(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_never_guessed_at() {
        let odd = [
            "",
            " ",
            "help",
            "close",
            "c",
            "a",
            "1",
            "0a",
            "100a",
            "1b",
            "a1c",
            "-1a 2c",
            "1a 2c",
            "on my way",
            "please stop texting",
            "stop 1",
            "1a, thanks",
            "９a",
            "é",
            "🔥",
            "18446744073709551617a",
        ];
        for text in odd {
            assert_eq!(Reply::read(text), Reply::Help, "{text}");
        }
        assert_eq!(Reply::read(&"1a ".repeat(5_000)), Reply::Help);
    }
}
