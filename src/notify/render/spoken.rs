//! A message as a sentence that a voice speaks.
//!
//! What a screen abbreviates is spoken in full, and what cannot be spoken is left out, so only the words of a hostile
//! subject reach the voice.

use chrono::{DateTime, Utc};

use super::letter::Letter;
use super::{bundle, line};
use crate::notify::{Body, Message, TicketFacts};

/// The longest text, in characters: some twenty seconds. A listener remembers no more.
const LONGEST: usize = 300;
/// The most characters of a subject: it is recognised by its first words.
const LONGEST_SUBJECT: usize = 100;

/// Words `message` as one sentence, of at most 320 characters.
pub fn spoken(message: &Message, now: DateTime<Utc>) -> String {
    if matches!(message.body, Body::Test) {
        return "This is a test call of the SLA watch.".to_owned();
    }
    let letter = Letter::of(message, now);
    let (whose, about) = match &message.body {
        // Of several alerts, only the worst can be spoken.
        Body::Bundle(facts) => facts.rows.first().map(bundle::ticket).map(worst).unwrap_or_default(),
        _ => (letter.whose, letter.about),
    };
    let about = about.as_deref().map(|about| line(about, LONGEST_SUBJECT));
    let parts = [Some(letter.headline), whose, about];
    let parts: Vec<_> = parts.into_iter().flatten().map(|part| said(&part)).filter(|part| !part.is_empty()).collect();
    format!("S L A alert: {}.", line(&parts.join(", "), LONGEST))
}

/// Returns whose `ticket` is and what it is about, marked as the worst of several.
fn worst(ticket: &TicketFacts) -> (Option<String>, Option<String>) {
    match ticket.whose() {
        whose if whose.is_empty() => (None, Some(format!("worst: {}", ticket.about()))),
        whose => (Some(format!("worst: {whose}")), Some(ticket.about())),
    }
}

/// Words `12 min over (due 14:30 BST)` as `12 minutes over, due 14:30 BST`.
fn said(text: &str) -> String {
    let text = text.replace(" (", ", ").replace(['(', ')'], " ").replace('&', " and ");
    let clean = text.chars().map(|c| if is_said(c) { c } else { ' ' }).collect::<String>();
    let words: Vec<_> = clean.split_whitespace().collect();
    let mut before = "";
    let in_full = words.iter().map(|word| {
        let unit = in_full(before, word);
        before = word;
        unit
    });
    in_full.collect::<Vec<_>>().join(" ").trim_matches([',', '.', ':', ' ']).to_owned()
}

fn is_said(c: char) -> bool {
    c.is_alphanumeric() || c.is_whitespace() || ".,:;'%/-".contains(c)
}

/// Spells out a unit after its number, and an id digit by digit: nobody says thirty thousand for 030626.
fn in_full(before: &str, word: &str) -> String {
    let (bare, end) = word.split_at(word.trim_end_matches([',', ':', ';', '.']).len());
    let unit = match bare {
        "min" => "minute",
        "h" => "hour",
        "d" => "day",
        id if id.len() > 5 && id.contains('-') && id.chars().all(|c| c.is_ascii_digit() || c == '-') => {
            let spaced = |part: &str| part.chars().map(String::from).collect::<Vec<_>>().join(" ");
            let digits: Vec<_> = id.split('-').map(spaced).collect();
            return format!("ticket {}{end}", digits.join(", "));
        }
        other => return format!("{other}{end}"),
    };
    match before {
        "1" => format!("{unit}{end}"),
        number if number.parse::<u32>().is_ok() => format!("{unit}s{end}"),
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_said_in_full_and_ids_digit_by_digit() {
        assert_eq!(
            said("Breached: resolution, 3 h 1 min over (due 14:30 BST)"),
            "Breached: resolution, 3 hours 1 minute over, due 14:30 BST"
        );
        assert_eq!(said("1 d 12 min left"), "1 day 12 minutes left");
        assert_eq!(said("030626-0005 Mail down"), "ticket 0 3 0 6 2 6, 0 0 0 5 Mail down");
        assert_eq!(said("plan H, vitamin D, min"), "plan H, vitamin D, min");
    }

    #[test]
    fn only_words_of_a_subject_are_said() {
        assert_eq!(said("</Say><Dial>+1900</Dial> \"x\" & <break/>"), "/Say Dial 1900 /Dial x and break/");
        assert_eq!(said("🔥🔥\u{202e}"), "");
    }
}
