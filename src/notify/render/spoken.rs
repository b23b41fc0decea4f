//! A message as a sentence that a voice speaks.
//!
//! What a screen abbreviates is spoken in full, and what cannot be spoken is left out, so only the words of a hostile
//! subject reach the voice.

use chrono::{DateTime, Utc};

use super::letter::Letter;
use super::{bundle, line};
use crate::notify::span::place_name;
use crate::notify::{Body, Message};

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
    // Of several alerts, only the worst can be spoken.
    let worst = match &message.body {
        Body::Bundle(facts) => facts.rows.first().map(|row| (row, bundle::first_due(facts, now))),
        _ => None,
    };
    let (whose, about) = match worst {
        Some((row, named)) => {
            let (ticket, what) = (bundle::ticket(row), bundle::brief(row, named, now, message.timezone));
            let whose = Some(ticket.whose()).filter(|whose| !whose.is_empty()).map(|whose| whose + ", ");
            (Some(format!("worst: {}{what}", whose.unwrap_or_default())), Some(ticket.about()))
        }
        None => (letter.whose, letter.about),
    };
    let zone = place_name(message.timezone, now);
    let own = [Some(letter.headline), whose].into_iter().flatten().map(|part| with_times(&part, &zone));
    let about = about.as_deref().map(|about| line(about, LONGEST_SUBJECT));
    let parts: Vec<_> = own.chain(about).map(|part| said(&part)).filter(|part| !part.is_empty()).collect();
    format!("S L A alert: {}.", line(&parts.join(", "), LONGEST))
}

/// Words our own times of `zone` as they are spoken: `due Thu 09:30 London` as `due Thursday at 09:30 London time`.
fn with_times(text: &str, zone: &str) -> String {
    let place = format!(" {zone}");
    let (mut spoken, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(&place) {
        let (before, after) = (&rest[..at], &rest[at + place.len()..]);
        match before.rsplit_once(' ').filter(|(_, time)| is_time(time)) {
            Some((lead, time)) => {
                spoken.push_str(&with_weekday(lead));
                // It is due at a time, but down since a time.
                let glue = if lead.ends_with(" since") || lead.ends_with(" at") { " " } else { " at " };
                spoken.push_str(&[glue, time, place.as_str()].concat());
                spoken.push_str(if zone == "UTC" { "" } else { " time" });
            }
            None => spoken.push_str(&rest[..at + place.len()]),
        }
        rest = after;
    }
    spoken + rest
}

/// Whether `word` is a time such as `09:30`.
fn is_time(word: &str) -> bool {
    word.len() == 5 && word.chars().enumerate().all(|(at, c)| if at == 2 { c == ':' } else { c.is_ascii_digit() })
}

/// Spells out the weekday that `text` ends in.
fn with_weekday(text: &str) -> String {
    const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    let (lead, last) = text.rsplit_once(' ').unwrap_or(("", text));
    match WEEKDAYS.iter().find(|day| day[..3] == *last) {
        Some(day) => format!("{lead} {day}"),
        None => text.to_owned(),
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
    fn times_are_said_with_their_day_and_zone() {
        let cases = [
            ("resolution was due 13:00 London", "resolution was due at 13:00 London time"),
            ("resolution due Thu 09:30 London", "resolution due Thursday at 09:30 London time"),
            ("VPN is down since 13:00 London, after 5 min", "VPN is down since 13:00 London time, after 5 min"),
            ("down since Wed 13:00 London", "down since Wednesday at 13:00 London time"),
            ("by Mia at 14:05 London", "by Mia at 14:05 London time"),
            ("Bar London: 1 at risk, due 14:05 London", "Bar London: 1 at risk, due at 14:05 London time"),
            (" London", " London"),
        ];
        for (written, spoken) in cases {
            assert_eq!(with_times(written, "London"), spoken);
        }
        assert_eq!(with_times("due 17:00 New York, 1 done", "New York"), "due at 17:00 New York time, 1 done");
        assert_eq!(with_times("due 17:00 UTC", "UTC"), "due at 17:00 UTC");
    }

    #[test]
    fn only_words_of_a_subject_are_said() {
        assert_eq!(said("</Say><Dial>+1900</Dial> \"x\" & <break/>"), "/Say Dial 1900 /Dial x and break/");
        assert_eq!(said("🔥🔥\u{202e}"), "");
    }
}
