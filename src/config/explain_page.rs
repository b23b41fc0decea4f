//! The page on which a configuration is explained, and what its sections share.

use std::fmt::Display;

use super::read_calendar::DAYS;

/// Headings with rows under them, each a label and its value, in two columns.
#[derive(Default)]
pub(super) struct Page {
    pub text: String,
}

impl Page {
    pub fn heading(&mut self, title: impl Display) {
        let gap = if self.text.is_empty() { "" } else { "\n" };
        self.text.push_str(&format!("{gap}{title}\n"));
    }

    pub fn row(&mut self, label: impl Display, what: impl Display) {
        self.line(format!("{:<16}  {what}", label.to_string()));
    }

    pub fn line(&mut self, text: impl Display) {
        self.text.push_str(&format!("  {text}\n"));
    }
}

/// Marks `text` if it is what the program does by default.
pub(super) fn or_default(text: impl Display, is_default: bool) -> String {
    let mark = if is_default { " (default)" } else { "" };
    format!("{text}{mark}")
}

/// The hours of a week, a row for each run of equal days.
pub(super) fn hours_rows(page: &mut Page, week: &[Vec<(u16, u16)>; 7]) {
    day_runs(week).into_iter().for_each(|(days, hours)| page.row(days, hours));
}

/// Groups days in a row that have the same hours: `mon to thu`.
fn day_runs(week: &[Vec<(u16, u16)>; 7]) -> Vec<(String, String)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for day in 0..week.len() {
        match runs.last_mut() {
            Some((first, last)) if week[*first] == week[day] => *last = day,
            _ => runs.push((day, day)),
        }
    }
    let days = |first: usize, last: usize| match last - first {
        0 => DAYS[first].to_owned(),
        1 => format!("{}, {}", DAYS[first], DAYS[last]),
        _ => format!("{} to {}", DAYS[first], DAYS[last]),
    };
    runs.into_iter().map(|(first, last)| (days(first, last), window_words(&week[first]))).collect()
}

fn window_words(windows: &[(u16, u16)]) -> String {
    let time = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    let window = |(start, end): &(u16, u16)| {
        let night = if end < start { " (next day)" } else { "" };
        format!("{}-{}{night}", time(*start), time(*end))
    };
    if windows.is_empty() { "closed".to_owned() } else { windows.iter().map(window).collect::<Vec<_>>().join(", ") }
}
