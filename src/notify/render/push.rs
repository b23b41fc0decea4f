//! A message as a push: a title, a few lines, and how loud the phone is.

use chrono::{DateTime, Utc};

use super::letter::Letter;
use super::{Urgency, line};
use crate::notify::{Body, Message};

/// The most characters of a title; a lock screen shows no more.
const LONGEST_TITLE: usize = 150;
/// The longest text in bytes that ntfy takes; a longer one becomes a file: <https://docs.ntfy.sh/publish/#limitations>.
const MOST_BYTES: usize = 4_096;

/// A push, in plain text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    pub title: String,
    /// At most 4,096 bytes.
    pub text: String,
    /// From 1, which is silent, to 5, which keeps ringing.
    pub priority: u8,
    /// Names of emoji.
    pub tags: &'static [&'static str],
    /// Links that open the ticket, each with its label, the best first.
    pub links: Vec<(String, String)>,
}

/// Words `message` as a push.
pub fn push(message: &Message, now: DateTime<Utc>) -> Push {
    if matches!(message.body, Body::Test) {
        let text = "Somebody ran `superops-sla check --send-test` with this topic.".to_owned();
        let title = "Pushes from the SLA watch reach you".to_owned();
        return Push { title, text, priority: 3, tags: &["bell"], links: Vec::new() };
    }
    let letter = Letter::of(message, now);
    let (priority, tags) = loudness(&message.body, letter.urgency);
    Push {
        title: line(&letter.headline, LONGEST_TITLE),
        text: fit(lines(&letter)),
        priority,
        tags,
        links: letter.links.into_iter().map(|link| (link.label, link.url)).collect(),
    }
}

fn loudness(body: &Body, urgency: Urgency) -> (u8, &'static [&'static str]) {
    match (body, urgency) {
        // What is already past is told once, and does not wake anybody.
        (Body::Digest(_), _) => (3, &["scroll"]),
        (_, Urgency::Breached) => (5, &["rotating_light"]),
        (_, Urgency::PastDue | Urgency::AtRisk) => (4, &["warning"]),
        (_, Urgency::Likely) => (3, &["hourglass_flowing_sand"]),
        (_, Urgency::Met) => (2, &["white_check_mark"]),
        (_, Urgency::Plain) => (2, &["memo"]),
    }
}

/// Returns what it is about, then everything else a phone may have room for.
fn lines(letter: &Letter) -> Vec<String> {
    let facts = letter.facts.iter().map(|(label, fact)| format!("{label}: {fact}"));
    let rows = letter.rows.iter().map(|row| format!("{}\n{}\n{}", row.over, row.title, row.details));
    letter
        .why_you
        .iter()
        .chain(&letter.about)
        .chain(&letter.whose)
        .cloned()
        .chain(rows)
        .chain(facts)
        .chain(letter.why.iter().cloned())
        .collect()
}

/// Keeps as many whole lines as there is room for, and at least a mark: ntfy says "triggered" if there is no text.
fn fit(lines: Vec<String>) -> String {
    let mut text = String::new();
    for line in lines {
        if text.len() + line.len() + "\n…\n".len() > MOST_BYTES {
            text.push_str("…\n");
            break;
        }
        text.push_str(&line);
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    if text.is_empty() { "…".to_owned() } else { text }
}
