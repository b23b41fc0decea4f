//! Past events as Atom and RSS, and planned maintenance as a calendar.

use std::fmt::Write;

use crate::keys::id_of;

use super::model::{Model, PublicIncident, PublicUpdate, instant, rfc3339};

/// The most entries in a feed; no reader wants more.
const ENTRIES_MOST: usize = 50;

fn entries(model: &Model) -> impl Iterator<Item = (&PublicIncident, &PublicUpdate)> {
    let mut all: Vec<_> =
        model.incidents.iter().flat_map(|one| one.updates.iter().map(move |update| (one, update))).collect();
    all.sort_by_key(|(_, update)| std::cmp::Reverse(update.at));
    all.into_iter().take(ENTRIES_MOST)
}

/// Stands in a feed for the address of a private page, which only the request for the feed shows.
pub const OWN_ADDRESS: &str = "own-address:";

fn address(model: &Model) -> String {
    match model.client {
        Some(_) => OWN_ADDRESS.to_owned(),
        None => model.url.clone().unwrap_or_else(|| if model.is_copy { "." } else { "/status" }.to_owned()),
    }
}

/// Returns the id of the feed, which never changes, even if its address does.
fn feed(model: &Model) -> String {
    urn("feed", &model.client.as_deref().map_or_else(|| "status".to_owned(), id_of))
}

/// Renders the feed as Atom (RFC 4287).
pub(super) fn atom(model: &Model) -> String {
    let url = address(model);
    let updated = entries(model).next().map_or(model.at, |(_, update)| update.at);
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"en\">\n\
         <title>{}</title>\n<id>{}</id>\n<updated>{}</updated>\n<author><name>{}</name></author>\n\
         <link rel=\"alternate\" type=\"text/html\" href=\"{}\"/>\n<link rel=\"self\" href=\"{}/history.atom\"/>\n",
        xml(&model.title),
        xml(&feed(model)),
        rfc3339(updated),
        xml(&model.title),
        xml(&url),
        xml(&url),
    );
    for (incident, update) in entries(model) {
        let _ = writeln!(
            text,
            "<entry><title>{}: {}</title><id>{}</id><updated>{}</updated><link rel=\"alternate\" href=\"{}#{}\"/>\
             <content type=\"text\">{}</content></entry>",
            xml(&incident.title),
            update.status,
            xml(&urn("update", &update.id)),
            rfc3339(update.at),
            xml(&url),
            xml(&incident.id),
            xml(&update.text),
        );
    }
    text.push_str("</feed>\n");
    text
}

/// Renders the feed as RSS 2.0.
pub(super) fn rss(model: &Model) -> String {
    let url = address(model);
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<rss version=\"2.0\" xmlns:atom=\"http://www.w3.org/2005/Atom\">\n\
         <channel><title>{}</title><link>{}</link><description>What happened to our services</description>\n\
         <atom:link href=\"{}/history.rss\" rel=\"self\" type=\"application/rss+xml\"/>\n",
        xml(&model.title),
        xml(&url),
        xml(&url),
    );
    for (incident, update) in entries(model) {
        let _ = writeln!(
            text,
            "<item><title>{}: {}</title><link>{}#{}</link><guid isPermaLink=\"false\">{}</guid><pubDate>{}</pubDate>\
             <description>{}</description></item>",
            xml(&incident.title),
            update.status,
            xml(&url),
            xml(&incident.id),
            xml(&urn("update", &update.id)),
            instant(update.at).to_rfc2822(),
            xml(&update.text),
        );
    }
    text.push_str("</channel></rss>\n");
    text
}

fn urn(kind: &str, id: &str) -> String {
    format!("tag:superops-sla,2026:{kind}:{id}")
}

/// Escapes text for XML and drops the characters that XML cannot hold.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(character),
            '\u{fffe}' | '\u{ffff}' => {}
            character if character.is_control() => {}
            character => out.push(character),
        }
    }
    out
}

/// Renders the maintenance windows as a calendar (RFC 5545). A window keeps its UID, and SEQUENCE counts its changes.
pub(super) fn calendar(model: &Model) -> String {
    let mut lines = vec![
        "BEGIN:VCALENDAR".to_owned(),
        "VERSION:2.0".to_owned(),
        "PRODID:-//superops-sla//status page//EN".to_owned(),
        "CALSCALE:GREGORIAN".to_owned(),
        "METHOD:PUBLISH".to_owned(),
        format!("X-WR-CALNAME:{}", escaped(&model.title)),
    ];
    for one in &model.maintenance {
        let names: Vec<_> = one.components.iter().map(|id| model.name_of(id)).collect();
        lines.extend([
            "BEGIN:VEVENT".to_owned(),
            format!("UID:{}@superops-sla", escaped(&one.id)),
            format!("SEQUENCE:{}", one.revision),
            format!("DTSTAMP:{}", stamp(one.changed_at)),
            format!("DTSTART:{}", stamp(one.from)),
            format!("DTEND:{}", stamp(one.until)),
            format!("SUMMARY:{}", escaped(&format!("{}: {}", one.title, names.join(", ")))),
            format!("DESCRIPTION:{}", escaped(&one.text)),
            format!("STATUS:{}", if one.cancelled { "CANCELLED" } else { "CONFIRMED" }),
            "TRANSP:TRANSPARENT".to_owned(),
            "END:VEVENT".to_owned(),
        ]);
    }
    lines.push("END:VCALENDAR".to_owned());
    lines.iter().map(|line| folded(line)).collect()
}

fn stamp(at: i64) -> String {
    instant(at).format("%Y%m%dT%H%M%SZ").to_string()
}

fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace(';', "\\;").replace(',', "\\,").replace('\n', "\\n");
    text.chars().filter(|character| !character.is_control()).collect()
}

/// Folds a line after at most 75 bytes; it continues on the next line after a space.
fn folded(line: &str) -> String {
    let mut out = String::with_capacity(line.len() + 8);
    let mut width = 0;
    for character in line.chars() {
        if width + character.len_utf8() > 75 {
            out.push_str("\r\n ");
            width = 1;
        }
        out.push(character);
        width += character.len_utf8();
    }
    out.push_str("\r\n");
    out
}
