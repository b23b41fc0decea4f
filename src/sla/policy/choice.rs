//! Which of several policies holds for a ticket, and how a change of that is recorded.

use super::{Policy, Traits};
use crate::sla::ledger::words;
use crate::ticket::watch::{Bounds, Change, ChangeKind, Watched};
use crate::ticket::{TenantId, Ticket};

/// Which policy holds for a ticket and which would hold without it, as places in the list from 0.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Choice {
    pub winner: usize,
    pub runners_up: Vec<usize>,
}

impl Choice {
    /// Returns ``policy 2 of 5 `Gold/High` (config.toml:88); also matched: the default policy``; the place in the file
    /// only if `places` has it.
    pub fn words(&self, policies: &[Policy], places: &[&str]) -> String {
        let name = |index: &usize| policies.get(*index).map(words::policy).unwrap_or_default();
        let place = places.get(self.winner).map(|place| format!(" ({place})")).unwrap_or_default();
        let others: Vec<_> = self.runners_up.iter().map(name).collect();
        let also = if others.is_empty() { String::new() } else { format!("; also matched: {}", others.join(", ")) };
        format!("policy {} of {} `{}`{place}{also}", self.winner + 1, policies.len(), name(&self.winner))
    }

    /// Iterates over all that match, the one that holds first.
    fn matching(&self) -> impl Iterator<Item = usize> + '_ {
        std::iter::once(self.winner).chain(self.runners_up.iter().copied())
    }
}

/// Chooses between all of `policies` that match `ticket`; none if none matches.
pub fn choose(policies: &[Policy], tenant: &TenantId, ticket: &Ticket) -> Option<Choice> {
    let traits = Traits::of(ticket);
    let mut matching = (0..policies.len()).filter(|index| policies[*index].matches(tenant, &traits));
    let winner = matching.next()?;
    Some(Choice { winner, runners_up: matching.collect() })
}

/// A ticket, and the policies that its own is or was chosen from.
#[derive(Clone, Copy, Debug)]
pub struct Chosen<'a> {
    pub policies: &'a [Policy],
    pub tenant: &'a TenantId,
    pub ticket: &'a Ticket,
}

impl<'a> Chosen<'a> {
    fn choice(&self) -> Option<Choice> {
        choose(self.policies, self.tenant, self.ticket)
    }

    /// Returns the policies themselves: a place in the list means nothing in another list.
    fn matching(&self) -> Vec<&'a Policy> {
        let matching = |choice: Choice| choice.matching().map(|index| &self.policies[index]).collect();
        self.choice().map(matching).unwrap_or_default()
    }

    fn words(&self) -> Option<String> {
        self.choice().map(|choice| choice.words(self.policies, &[]))
    }

    /// Returns the change from `before` to this; none if the same policies match in the same order.
    pub fn instead_of(&self, before: &Chosen<'_>, at: Bounds) -> Option<Change> {
        let differs = before.matching() != self.matching();
        differs.then(|| Change { kind: ChangeKind::PolicyChoice, from: before.words(), to: self.words(), at })
    }

    /// Returns the choice when the ticket is first seen; none if there was nothing to choose between.
    fn at_first(&self, at: Bounds) -> Option<Change> {
        let conflict = self.choice().is_some_and(|choice| !choice.runners_up.is_empty());
        conflict.then(|| Change { kind: ChangeKind::PolicyChoice, from: None, to: self.words(), at })
    }
}

/// Returns the change of the choice between `policies` from `before` to `now`, given the `changes` seen.
pub fn choice_seen(
    policies: &[Policy],
    tenant: &TenantId,
    before: Option<&Watched>,
    now: &Watched,
    changes: &[Change],
) -> Option<Change> {
    if policies.is_empty() {
        return None;
    }
    let of = |ticket| Chosen { policies, tenant, ticket };
    let decisive = |change: &&Change| {
        matches!(change.kind, ChangeKind::FirstSeen | ChangeKind::Priority | ChangeKind::Sla | ChangeKind::Client)
    };
    let change = changes.iter().find(decisive);
    match before {
        None => of(&now.ticket).at_first(change?.at),
        Some(before) => {
            // A change of the category is not recorded as a change.
            let between = Bounds { earliest: before.read_at.min(now.read_at), latest: now.read_at };
            of(&now.ticket).instead_of(&of(&before.ticket), change.map_or(between, |change| change.at))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sla::policy::Counts;
    use crate::sla::tests::{between, change, for_priority, policy, watched};

    fn acme() -> TenantId {
        TenantId::parse("acme").unwrap()
    }

    fn policies() -> [Policy; 3] {
        [for_priority("High", 120), for_priority("Low", 480), policy(Counts::Business)]
    }

    fn low() -> Watched {
        let mut low = watched("Open");
        low.ticket.priority = Some("Low".into());
        low
    }

    #[test]
    fn a_choice_is_told_at_first_sight_only_where_several_policies_match() {
        let first = [change(ChangeKind::FirstSeen, "", "Open", 1)];
        let seen = choice_seen(&policies(), &acme(), None, &watched("Open"), &first).unwrap();
        assert_eq!(seen.to.unwrap(), "policy 1 of 3 `High`; also matched: the default policy");
        assert_eq!((seen.kind, seen.from, seen.at), (ChangeKind::PolicyChoice, None, between(1, 1)));
        assert_eq!(choice_seen(&policies()[..2], &acme(), None, &watched("Open"), &first), None);
    }

    #[test]
    fn another_priority_is_another_choice_and_is_told_with_both() {
        let moved = [change(ChangeKind::Priority, "Low", "High", 30)];
        let seen = choice_seen(&policies(), &acme(), Some(&low()), &watched("Open"), &moved).unwrap();
        assert_eq!(seen.from.unwrap(), "policy 2 of 3 `Low`; also matched: the default policy");
        assert_eq!(seen.to.unwrap(), "policy 1 of 3 `High`; also matched: the default policy");
        assert_eq!(seen.at, between(30, 30));
        let same = choice_seen(&policies()[2..], &acme(), Some(&low()), &watched("Open"), &moved);
        assert_eq!(same, None, "the default policy holds as before");
    }

    #[test]
    fn another_place_in_the_list_is_no_other_choice() {
        let (ticket, tenant) = (watched("Open").ticket, acme());
        let of = |policies| Chosen { policies, tenant: &tenant, ticket: &ticket };
        let before = policies();
        let [high, low, every] = policies();
        let moved = [low, high, every];
        assert_eq!(of(&moved).instead_of(&of(&before), between(5, 5)), None);
        let gone = of(&moved[2..]).instead_of(&of(&before), between(5, 5)).unwrap();
        assert_eq!(gone.to.unwrap(), "policy 1 of 1 `the default policy`");
    }
}
