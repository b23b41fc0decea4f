//! The part of a report that says which service credits are owed to whom.

use super::super::clients::NO_CLIENT;
use super::super::credit::{Credit, PolicyTerms, credits};
use super::super::{Cell, Column, ColumnKind, Opens, Row, Section, Table};
use super::{Entry, GROUPS_SHOWN, MOST_GROUPS, Material};

/// Makes the section; none if no policy of the tenant gave any credit in the period.
pub(super) fn section(material: &Material<'_>, all: &[&Entry]) -> Option<Section> {
    if material.policy_credits.values().all(PolicyTerms::is_empty) {
        return None;
    }
    let mut found = credits(all.iter().copied(), &material.question, &material.months, material.policy_credits);
    // Sorted by the names shown: the order of SuperOps' ids would tell whom a pseudonym stands for.
    let shown = |one: &Credit| {
        let client = one.client.as_deref().map(|id| material.names.client(id));
        (one.month.clone(), client, material.names.policy(&one.policy))
    };
    found.sort_by_cached_key(shown);
    let table = Table {
        key: "credits".into(),
        title: "Service credits by month, client and policy".into(),
        columns: vec![
            Column::new("month", "Month", ColumnKind::Text),
            Column::new("client", "Client", ColumnKind::Text),
            Column::new("policy", "Policy", ColumnKind::Text),
            Column::new("clocks", "Clocks", ColumnKind::Count),
            Column::new("met", "Kept", ColumnKind::Count),
            Column::new("compliance", "Compliance", ColumnKind::Percent),
            Column::new("credit", "Credit, % of the fee", ColumnKind::Number),
            Column::new("judged", "Judged", ColumnKind::Text),
        ],
        rows: found.iter().take(MOST_GROUPS).map(|one| row(one, material)).collect(),
        left_out: found.len().saturating_sub(MOST_GROUPS) as u64,
        shown: Some(GROUPS_SHOWN),
    };
    let text = "A month is judged once it is closed and lies wholly in the period, by the tier that its compliance reaches, \
                compared without rounding. Where too few clocks were counted nothing is judged, and nothing is owed.";
    let (key, title) = ("credits".to_owned(), "Service credits".to_owned());
    Some(Section { key, title, text: vec![text.to_owned()], tables: vec![table], ..Section::default() })
}

fn row(one: &Credit, material: &Material<'_>) -> Row {
    let judged = match one.tier {
        None => "too few".to_owned(),
        Some(tier) if tier.floor == 0 => "below all other tiers".to_owned(),
        Some(tier) => format!("{} % reached", f64::from(tier.floor) / 1000.0),
    };
    Row {
        cells: vec![
            Cell::text(one.month.clone()),
            Cell::text(one.client.as_deref().map_or_else(|| NO_CLIENT.to_owned(), |id| material.names.client(id))),
            Cell::text(material.names.policy(&one.policy)),
            Cell::Count(one.rate.of),
            Cell::Count(one.rate.met),
            Cell::percent(one.rate.tenths()),
            one.tier.map_or(Cell::Blank, |tier| Cell::Number(tier.percent.into())),
            Cell::text(judged),
        ],
        // The tickets of no client cannot be asked for: without a client, the link would open everybody's.
        opens: one.client.as_deref().map(|client| Opens {
            from: Some(one.period.from),
            to: Some(one.period.to),
            client: Some(client.to_owned()),
            policy: Some(one.policy.to_string()),
            ..Opens::default()
        }),
    }
}
