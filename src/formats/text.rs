//! How figures read, and how text from outside is made harmless to read.

use chrono::{DateTime, Utc};

use crate::report::{Cell, Report};
use crate::sla::zone::Tz;

/// The most characters shown of one name, where people read it.
pub const LONGEST: usize = 120;

/// Stands for a missing figure.
pub const NOTHING: &str = "–";

/// Writes a cell for people, with times in `zone`.
pub fn shown(cell: &Cell, zone: Tz) -> String {
    match cell {
        Cell::Blank => NOTHING.to_owned(),
        Cell::Text(text) => bounded(text, LONGEST),
        Cell::Count(count) => grouped(*count),
        Cell::Percent(tenths) => percent(*tenths),
        Cell::Duration(ms) => duration(*ms),
        Cell::Date(date) => date.to_string(),
        Cell::Time(time) => local(*time, zone),
        Cell::Number(number) => trimmed(*number),
    }
}

/// Writes a cell for a place where the figure itself is read and copied: no digit groups, times in UTC.
pub fn plain(cell: &Cell) -> String {
    match cell {
        Cell::Blank => NOTHING.to_owned(),
        Cell::Text(text) => text.clone(),
        Cell::Count(count) => count.to_string(),
        Cell::Percent(tenths) => format!("{}.{} %", tenths / 10, tenths % 10),
        Cell::Duration(ms) => duration(*ms),
        Cell::Date(date) => date.to_string(),
        Cell::Time(at) => at.format("%Y-%m-%d %H:%M UTC").to_string(),
        Cell::Number(number) => format!("{number:.1}"),
    }
}

/// `78.6 %`, which no line break can split.
pub fn percent(tenths: u32) -> String {
    format!("{}.{}\u{a0}%", tenths / 10, tenths % 10)
}

/// `52 min 13 s`, `5 h 19 min`, `−40 s`: the two largest units.
pub fn duration(ms: i64) -> String {
    let seconds = ms.unsigned_abs().div_euclid(1000);
    let sign = if ms <= -1000 { "−" } else { "" };
    let units = [(seconds / 3600, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
    let from = units.iter().position(|(count, _)| *count > 0).unwrap_or(2);
    let parts = units[from..].iter().take(2).filter(|(count, _)| *count > 0);
    let words: Vec<_> = parts.map(|(count, unit)| format!("{}\u{a0}{unit}", grouped(*count))).collect();
    if words.is_empty() { "0\u{a0}s".to_owned() } else { format!("{sign}{}", words.join("\u{a0}")) }
}

/// `2026-10-31 17:05`, in the local time of `zone`.
pub fn local(time: DateTime<Utc>, zone: Tz) -> String {
    time.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string()
}

/// `12,345`
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let chunks: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    chunks.join(",")
}

fn trimmed(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `2026-10-01 to 2026-10-31, America/New_York`, and whether it is told as known now.
pub fn period(report: &Report) -> String {
    let now = if report.as_known_now { ", as known now" } else { "" };
    format!("{} to {}, {}{now}", report.period.from, report.period.to, report.zone)
}

/// What makes the report evidence, one line each.
pub fn provenance(report: &Report) -> Vec<String> {
    let not = if report.as_known_now { "" } else { "not " };
    let closed = report.months.iter().map(|month| {
        let corrections = match month.corrections {
            0 => String::new(),
            1 => format!("; 1 correction came later and is {not}counted"),
            many => format!("; {} corrections came later and are {not}counted", grouped(many)),
        };
        format!("{} is closed, SHA-256 of its entries {}{corrections}", month.month, month.sha256)
    });
    let open = report
        .provisional_until
        .map(|until| format!("Provisional: figures may move until {} ({})", local(until, report.zone), report.zone));
    let terms: Vec<_> = report.terms.iter().map(u32::to_string).collect();
    let terms = (!terms.is_empty()).then(|| format!("; versions of the terms: {}", terms.join(", ")));
    let program = format!("superops-sla {}{}", report.program, terms.unwrap_or_default());
    let hash = (!report.hash.is_empty()).then(|| format!("SHA-256 of this report as JSON: {}", report.hash));
    closed.chain(open).chain([program]).chain(hash).collect()
}

/// Drops what a reader does not see: control characters, and marks that change the reading order.
/// Line breaks and tabs become spaces.
pub fn visible(text: &str) -> String {
    let plain = |c: char| if matches!(c, '\t' | '\n' | '\r' | '\u{2028}' | '\u{2029}') { ' ' } else { c };
    text.chars().map(plain).filter(|c| !is_hidden(*c)).collect()
}

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{61c}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
        || matches!(u32::from(c) & 0xffff, 0xfffe | 0xffff)
}

/// Returns [`visible`] text, cut to `most` characters.
pub fn bounded(text: &str, most: usize) -> String {
    let mut left = visible(text);
    if let Some((at, _)) = left.char_indices().nth(most) {
        left.truncate(at);
        left.push('…');
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_say_them() {
        let durations = [
            (0, "0 s"),
            (999, "0 s"),
            (40_000, "40 s"),
            (3_133_000, "52 min 13 s"),
            (19_150_000, "5 h 19 min"),
            (3_600_000, "1 h"),
            (3_605_000, "1 h"),
            (3_600_000_000, "1,000 h"),
            (-90_000, "−1 min 30 s"),
        ];
        for (ms, expected) in durations {
            assert_eq!(duration(ms).replace('\u{a0}', " "), expected, "{ms}");
        }
        assert_eq!(percent(786), "78.6\u{a0}%");
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0.0, 1.5, 2.0, 0.333].map(trimmed), ["0", "1.5", "2", "0.33"]);
    }

    #[test]
    fn nothing_in_a_name_turns_the_reading_order_or_breaks_the_line() {
        assert_eq!(visible("in\u{202e}voice\u{200f}.exe\r\n\u{7}\u{2066}x"), "invoice.exe  x");
        assert_eq!(bounded("Zürich", 3), "Zür…");
        assert_eq!(bounded("محمد", 4), "محمد");
        assert_eq!(bounded(&"é".repeat(10_000), LONGEST).chars().count(), LONGEST + 1);
    }
}
