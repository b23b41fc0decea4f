//! A message as an Adaptive Card for Microsoft Teams.
//!
//! All text is in text runs, which do not interpret Markdown: a subject cannot hide a link or add emphasis. Nobody is
//! mentioned, since a mention needs its own entry beside the text, and there is none.
//!
//! <https://adaptivecards.io/explorer/RichTextBlock.html>,
//! <https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-format>

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::letter::{Letter, Link, Row};
use super::{Urgency, line, reference};
use crate::keys::notification_key;
use crate::notify::{Body, Message};

/// The largest card, in bytes. Teams takes 28 kB from a workflow, and has been seen to count UTF-16:
/// <https://learn.microsoft.com/connectors/teams/#known-issues-and-limitations-with-actions>.
const MOST_BYTES: usize = 27_000;
/// The bytes for what wraps the card, and for the note that something was left out.
const WRAPPING: usize = 600;
/// The most buttons on a card: Teams shows six and hides the rest behind three dots.
const MOST_ACTIONS: usize = 6;

/// Words `message` as the body that a workflow posts, with the `link` to the page where its alert is acknowledged.
pub fn card(message: &Message, link: Option<&str>, now: DateTime<Utc>) -> Value {
    if matches!(message.body, Body::Test) {
        let head = block(vec![run("Cards from the SLA watch reach this place.", "Bolder")], "Default");
        let tail = block(vec![run("Somebody ran `superops-sla check --send-test teams`.", "Default")], "Small");
        return posted("Test of the SLA watch", vec![head, tail], Vec::new());
    }
    let letter = Letter::of(message, now).answered_by(link, &message.body);
    let mut headline = run(&letter.headline, "Bolder");
    headline["size"] = "Medium".into();
    headline["color"] = colour(letter.urgency).into();
    let mut body = vec![block(vec![headline], "Default")];
    let about = letter.about.iter().chain(&letter.whose);
    body.extend(about.map(|about| block(vec![run(about, "Default")], "Small")));
    let actions: Vec<_> = letter.links.iter().take(MOST_ACTIONS).map(action).collect();
    let mark = block(vec![subtle(&mark(message))], "Medium");
    let spent = [&body, &actions].into_iter().flatten().chain([&mark]).map(weight).sum::<usize>();
    body.extend(fit(details(&letter), MOST_BYTES.saturating_sub(WRAPPING + spent)));
    body.push(mark);
    posted(&letter.headline, body, actions)
}

fn posted(summary: &str, body: Vec<Value>, actions: Vec<Value>) -> Value {
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "fallbackText": inert(&line(summary, 200)),
                "msteams": { "width": "Full" },
                "body": body,
                "actions": actions,
            },
        }],
    })
}

/// Returns the parts that may be left out if there is no room.
fn details(letter: &Letter) -> Vec<Value> {
    let rows = letter.rows.iter().flat_map(row);
    let facts = letter
        .facts
        .iter()
        .map(|(label, fact)| block(vec![subtle(&format!("{label}: ")), run(fact, "Default")], "None"));
    let why = letter.why.iter().chain(&letter.closing).chain(&letter.why_you);
    let why = why.map(|reason| block(vec![subtle(reason)], "Small"));
    rows.chain(facts).chain(why).collect()
}

fn row(row: &Row) -> [Value; 2] {
    let mut title = run(&row.title, "Default");
    if let Some(url) = &row.link {
        title["selectAction"] = json!({ "type": "Action.OpenUrl", "url": url });
    }
    [block(vec![run(&format!("{}. ", row.over), "Bolder"), title], "Small"), block(vec![subtle(&row.details)], "None")]
}

/// Returns what all cards of one alert have in common, since they cannot form a thread.
fn mark(message: &Message) -> String {
    let thread = notification_key(&[&message.thread]);
    let mark = reference(&thread);
    match (&message.body, message.continues_thread) {
        (Body::Recovery(_), _) => format!("Alert #{mark} is over. To see its other cards, search for #{mark}."),
        (_, true) => format!("More on alert #{mark}. To see its other cards, search for #{mark}."),
        (_, false) => format!("Alert #{mark}"),
    }
}

fn colour(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Breached => "Attention",
        Urgency::PastDue | Urgency::AtRisk => "Warning",
        Urgency::Met => "Good",
        Urgency::Likely => "Accent",
        Urgency::Plain => "Default",
    }
}

fn block(inlines: Vec<Value>, spacing: &str) -> Value {
    json!({ "type": "RichTextBlock", "spacing": spacing, "inlines": inlines })
}

fn run(text: &str, weight: &str) -> Value {
    json!({ "type": "TextRun", "text": inert(text), "weight": weight })
}

fn subtle(text: &str) -> Value {
    json!({ "type": "TextRun", "text": inert(text), "isSubtle": true })
}

fn action(link: &Link) -> Value {
    json!({ "type": "Action.OpenUrl", "title": link.label, "url": link.url })
}

/// Breaks up templates in `text`: `{{DATE(…)}}` would be expanded, even here.
fn inert(text: &str) -> String {
    text.replace("{{", "{ {")
}

/// Keeps as many of `blocks` as there is room for, and adds a note if any were left out.
fn fit(blocks: Vec<Value>, mut room: usize) -> Vec<Value> {
    let all = blocks.len();
    let fits = |block: &Value| {
        let left = room.checked_sub(weight(block));
        room = left.unwrap_or(0);
        left.is_some()
    };
    let mut kept: Vec<_> = blocks.into_iter().take_while(fits).collect();
    if kept.len() < all {
        kept.push(block(vec![subtle("There is more than fits on this card.")], "Small"));
    }
    kept
}

/// Returns the size of `part` of a card, whichever way it is counted.
fn weight(part: &Value) -> usize {
    let text = part.to_string();
    text.len().max(2 * text.encode_utf16().count()) + 1
}
