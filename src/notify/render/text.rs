//! A letter as plain text.

use super::letter::{Letter, Row};

/// Renders the text part of a mail: short lines, nothing that needs a wide screen.
pub(super) fn text(letter: &Letter) -> String {
    let head = [Some(letter.headline.clone()), letter.why_you.clone(), letter.about.clone(), letter.whose.clone()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>();
    let facts = letter.facts.iter().map(|(label, fact)| format!("{label}: {fact}")).collect::<Vec<_>>();
    let why = letter.why.iter().map(|reason| format!("- {reason}")).collect::<Vec<_>>();
    let links = letter.links.iter().chain(&letter.unsubscribe);
    let links = links.map(|link| format!("{}:\n{}", link.label, link.url)).collect::<Vec<_>>();
    let mut blocks = vec![head.join("\n"), facts.join("\n")];
    if !why.is_empty() {
        blocks.push(format!("Why\n{}", why.join("\n")));
    }
    blocks.extend(letter.rows.iter().map(row));
    blocks.extend([links.join("\n"), letter.closing.join("\n")]);
    blocks.retain(|block| !block.is_empty());
    blocks.join("\n\n") + "\n"
}

fn row(row: &Row) -> String {
    let mut lines = vec![row.over.clone(), row.title.clone(), row.details.clone()];
    lines.extend(row.link.clone());
    lines.join("\n")
}
