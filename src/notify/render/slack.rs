//! A message in Slack's markup.
//!
//! All text from outside is escaped: a subject cannot call everybody to the channel or hide a link behind another name.

use chrono::{DateTime, Utc};

use super::letter::{Letter, Row};
use crate::notify::{Body, Message};

/// The longest message, in characters; Slack advises staying under 4,000.
const MOST: usize = 3_800;

/// Words `message` for a Slack channel.
pub fn slack(message: &Message, now: DateTime<Utc>) -> String {
    if matches!(message.body, Body::Test) {
        return "*Messages from the SLA watch reach this channel.*\nSomebody ran `superops-sla check --send-test slack`."
            .to_owned();
    }
    let letter = Letter::of(message, now);
    let mut lines = vec![format!("*{}*", escape(&letter.headline))];
    lines.extend(letter.about.as_deref().map(escape));
    lines.extend(letter.whose.as_deref().map(escape));
    lines.extend(letter.rows.iter().flat_map(row));
    let facts = letter.facts.iter().map(|(label, fact)| format!("{label}: {}", escape(fact)));
    lines.extend(Some(facts.collect::<Vec<_>>().join(" · ")).filter(|facts| !facts.is_empty()));
    lines.extend(letter.why.iter().map(|reason| format!("• {}", escape(reason))));
    let links = letter.links.iter().map(|link| format!("<{}|{}>", escape(&link.url), link.label));
    lines.extend(Some(links.collect::<Vec<_>>().join(" · ")).filter(|links| !links.is_empty()));
    fit(lines)
}

fn row(row: &Row) -> [String; 2] {
    let title = match &row.link {
        Some(url) => format!("<{}|{}>", escape(url), escape(&row.title)),
        None => escape(&row.title),
    };
    [format!("• {}. {title}", escape(&row.over)), format!("   {}", escape(&row.details))]
}

/// Escapes the three characters of Slack's markup, and `|`, which would end a link's address.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('|', "¦")
}

/// Keeps as many whole lines as there is room for: a cut inside a line could leave markup open.
fn fit(lines: Vec<String>) -> String {
    let mut room = MOST;
    let kept = lines.iter().take_while(|line| {
        let left = room.checked_sub(line.chars().count() + 1);
        room = left.unwrap_or(0);
        left.is_some()
    });
    let kept = kept.count();
    let mut text = lines[..kept].join("\n");
    if kept < lines.len() {
        text.push_str("\n…");
    }
    text
}
