//! Clients: what was decided about their tickets, in the period and in the one before.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::entry::Entry;
use super::figures::{Question, Summary, compliance, summary};
use super::rate::Rate;

/// What the tickets of no client stand under.
pub const NO_CLIENT: &str = "No client";

/// The figures of one client.
#[derive(Clone, Debug, PartialEq)]
pub struct Client {
    /// SuperOps' id; none: tickets without a client.
    pub id: Option<Arc<str>>,
    pub sum: Summary,
    /// All headline clocks of the period of the same length before.
    pub before: Rate,
}

/// Returns each client with something decided or excluded in the period. `entries` reach back to the period before.
pub fn clients<'a>(entries: impl Iterator<Item = &'a Entry>, question: &Question) -> Vec<Client> {
    let mut groups: BTreeMap<Option<&Arc<str>>, Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        groups.entry(entry.client.as_ref()).or_default().push(entry);
    }
    let earlier = Question { period: question.period.before(), ..*question };
    let client = |(id, entries): (Option<&Arc<str>>, Vec<&Entry>)| {
        let before = compliance(entries.iter().copied(), &earlier);
        Client { id: id.cloned(), sum: summary(entries.iter().copied(), question), before }
    };
    let all = groups.into_iter().map(client);
    all.filter(|one| one.sum.all.of > 0 || !one.sum.excluded.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Period;
    use super::super::entry::tests::entries;
    use super::*;

    #[test]
    fn clients_add_up_to_all() {
        let mut all = entries();
        for (place, entry) in all.iter_mut().enumerate() {
            entry.client = [None, Some(Arc::from("7")), Some(Arc::from("9"))][place % 3].clone();
        }
        let period = Period::new("2026-10-29".parse().unwrap(), "2026-11-02".parse().unwrap()).unwrap();
        let question = Question { period, with_maintenance: false };
        let found = clients(all.iter(), &question);
        assert_eq!(found.iter().map(|one| one.id.as_deref()).collect::<Vec<_>>(), [None, Some("7"), Some("9")]);
        let mut sum = Rate::default();
        found.iter().for_each(|one| sum.join(one.sum.all));
        assert_eq!(sum, summary(all.iter(), &question).all);
    }
}
