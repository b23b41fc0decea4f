//! Column heads that sort by a click: each links to the same page in its order, or reverses the current order.

use maud::{Markup, html};

/// Renders the head of a column. `word` is the order that the first click asks for, `now` the current one; a column
/// without a word does not sort.
pub fn head(title: &str, word: Option<&str>, now: &str, way: impl Fn(&str) -> String) -> Markup {
    let Some(word) = word else { return html! { th scope="col" { (title) } } };
    let holds = bare(word) == bare(now);
    let next = if holds { turned(now) } else { word.to_owned() };
    html! {
        th scope="col" aria-sort=[holds.then(|| direction(now))] {
            a.sort href=(way(&next)) { (title) @if holds { span aria-hidden="true" { (arrow(now)) } } }
        }
    }
}

fn bare(word: &str) -> &str {
    word.trim_start_matches('-')
}

fn turned(word: &str) -> String {
    word.strip_prefix('-').map_or_else(|| format!("-{word}"), str::to_owned)
}

fn direction(word: &str) -> &'static str {
    if word.starts_with('-') { "descending" } else { "ascending" }
}

fn arrow(word: &str) -> &'static str {
    if word.starts_with('-') { " ↓" } else { " ↑" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_click_sorts_and_the_next_one_turns_round() {
        let way = |word: &str| format!("?sort={word}");
        let other = head("Breached", Some("-breaches"), "name", way).into_string();
        assert_eq!(other, r#"<th scope="col"><a class="sort" href="?sort=-breaches">Breached</a></th>"#);
        let held = head("Breached", Some("-breaches"), "-breaches", way).into_string();
        assert!(held.contains(r#"aria-sort="descending""#) && held.contains("?sort=breaches"), "{held}");
        assert_eq!(head("Report", None, "name", way).into_string(), r#"<th scope="col">Report</th>"#);
    }
}
