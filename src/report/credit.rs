//! Service credits of policies: what a client gets back for a closed month in which a policy was not kept.
//!
//! The tiers and the rule are those of uptime promises ([`crate::uptime::credit`]): floors, compared in whole numbers.
//! A month is judged once it is closed, per client and policy, and only where enough was counted.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::entry::{Entry, Outcome};
use super::figures::Question;
use super::rate::Rate;
use super::{ClosedMonth, Period};
use crate::uptime::credit::{Tier, tier};

/// The fewest counted clocks that are judged, unless a policy says otherwise.
pub const MIN: u64 = 20;

/// The credit that a policy gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditTerms {
    /// Compliance floors, falling, each with its share of the month's fee.
    pub tiers: Vec<Tier>,
    /// The fewest counted clocks that are judged.
    pub min: u64,
}

/// Credit terms by the policy's name in the books.
pub type PolicyTerms = BTreeMap<String, CreditTerms>;

/// The same by month: `2026-10`.
pub type MonthlyTerms = BTreeMap<String, PolicyTerms>;

/// Credit terms, and from when they hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreditVersion {
    pub from: DateTime<Utc>,
    pub terms: PolicyTerms,
}

/// Returns the last terms of each policy among the `versions` in force between `since` and `until`: a policy that is
/// later renamed or gives nothing still holds for what was decided under its name. Nothing is known of the time before
/// the first version, so that one holds.
pub fn in_force(versions: &[CreditVersion], since: DateTime<Utc>, until: DateTime<Utc>) -> PolicyTerms {
    let first = versions.iter().rposition(|one| one.from <= since).unwrap_or(0);
    let held = versions.iter().enumerate().skip(first).filter(|(at, one)| *at == first || one.from < until);
    held.flat_map(|(_, one)| one.terms.clone()).collect()
}

/// The result of a policy for one client in one month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credit {
    /// `2026-10`
    pub month: String,
    /// Its days.
    pub period: Period,
    /// SuperOps' id.
    pub client: Option<Arc<str>>,
    /// The policy's name in the books.
    pub policy: Arc<str>,
    pub rate: Rate,
    /// None: too little was counted.
    pub tier: Option<Tier>,
}

impl CreditTerms {
    /// Returns the tier that `rate` reaches; none if too little was counted.
    pub fn tier(&self, rate: Rate) -> Option<Tier> {
        let [met, of] = [rate.met, rate.of].map(|number| i64::try_from(number).unwrap_or(i64::MAX));
        (rate.of >= self.min.max(1)).then(|| tier(&self.tiers, met, of)).flatten()
    }
}

/// The index of a month, the client and the policy.
type Whose<'a> = (usize, Option<&'a Arc<str>>, &'a Arc<str>);

/// Computes the credits of the policies that give any, for each client and each of the closed `months` that lies wholly
/// in the period of `question`; `terms` are those of each month.
pub fn credits<'a>(
    entries: impl Iterator<Item = &'a Entry>,
    question: &Question,
    months: &[ClosedMonth],
    terms: &MonthlyTerms,
) -> Vec<Credit> {
    let whole = |month: &ClosedMonth| {
        let period = month.days()?;
        (question.period.has(period.from) && question.period.has(period.to)).then(|| (month.month.clone(), period))
    };
    let months: Vec<(String, Period)> = months.iter().filter_map(whole).collect();
    let of = |month: usize| terms.get(&months[month].0);
    let mut rates: BTreeMap<Whose<'_>, Rate> = BTreeMap::new();
    for entry in entries.filter(|entry| question.decided(entry) && entry.is_headline()) {
        let Some(policy) = entry.policy.as_ref() else { continue };
        let Some(month) = months.iter().position(|(_, days)| days.has(entry.day)) else { continue };
        if !of(month).is_some_and(|terms| terms.contains_key(&**policy)) {
            continue;
        }
        rates.entry((month, entry.client.as_ref(), policy)).or_default().add(entry.outcome == Outcome::Met);
    }
    let credit = |((month, client, policy), rate): (Whose<'_>, Rate)| {
        let tier = of(month).and_then(|terms| terms.get(&**policy)).and_then(|terms| terms.tier(rate));
        let (month, period) = months[month].clone();
        Credit { month, period, client: client.cloned(), policy: policy.clone(), rate, tier }
    };
    rates.into_iter().map(credit).collect()
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::entries;
    use super::*;

    fn terms() -> CreditTerms {
        let tiers = [(95_000, 0), (90_000, 5), (0, 10)].map(|(floor, percent)| Tier { floor, percent });
        CreditTerms { tiers: tiers.to_vec(), min: MIN }
    }

    #[test]
    fn the_highest_tier_that_is_reached_holds_and_too_few_are_not_judged() {
        let of = |met, of| terms().tier(Rate::new(met, of)).map(|tier| tier.percent);
        assert_eq!([of(95, 100), of(94, 100), of(90, 100), of(89, 100)], [Some(0), Some(5), Some(5), Some(10)]);
        assert_eq!(of(94_999, 100_000), Some(5), "nothing is rounded up into a tier");
        assert_eq!([of(0, 19), of(0, 20)], [None, Some(10)], "too few to judge a month by");
        let none = CreditTerms { min: 0, ..terms() };
        assert_eq!(none.tier(Rate::new(0, 0)), None);
    }

    #[test]
    fn a_month_is_judged_by_what_each_policy_gave_back_last_before_it_was_closed() {
        let at = |day: i64| DateTime::from_timestamp(day * 86_400, 0).unwrap();
        let version = |day, policy: &str, percent| CreditVersion {
            from: at(day),
            terms: [(policy.to_owned(), CreditTerms { tiers: vec![Tier { floor: 0, percent }], min: 1 })].into(),
        };
        let versions = [version(10, "all", 5), version(20, "all", 10), version(30, "high", 50), version(50, "all", 99)];
        let held = |since, until| {
            let found = in_force(&versions, at(since), at(until)).into_iter();
            found.map(|(policy, terms)| format!("{policy} {}", terms.tiers[0].percent)).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(held(0, 5), "all 5", "of earlier nothing is known");
        assert_eq!(held(12, 19), "all 5");
        assert_eq!(held(12, 21), "all 10", "it was changed before the month was closed");
        assert_eq!(held(22, 40), "all 10, high 50", "what was promised under another name still is");
        assert_eq!(held(31, 40), "high 50");
        assert_eq!(in_force(&[], at(0), at(9)), PolicyTerms::new());
    }

    #[test]
    fn only_whole_closed_months_are_judged_client_by_client() {
        let mut all = entries();
        all.iter_mut().for_each(|entry| entry.policy = Some("priority High".into()));
        let terms = PolicyTerms::from([("priority High".to_owned(), CreditTerms { min: 1, ..terms() })]);
        let terms = ["2026-10", "2026-11"].map(|month| (month.to_owned(), terms.clone())).into();
        let judge = |from: &str, to: &str, months: &[&str]| {
            let period = Period::new(from.parse().unwrap(), to.parse().unwrap()).unwrap();
            let closed =
                |month: &&str| ClosedMonth { month: (*month).to_owned(), sha256: String::new(), corrections: 0 };
            let months: Vec<_> = months.iter().map(closed).collect();
            let found = credits(all.iter(), &Question { period, with_maintenance: false }, &months, &terms);
            let told = |one: Credit| (one.month, one.rate.met, one.rate.of, one.tier.map(|tier| tier.percent));
            found.into_iter().map(told).collect::<Vec<_>>()
        };
        let october = || ("2026-10".to_owned(), 11, 14, Some(10));
        assert_eq!(judge("2026-10-01", "2026-11-30", &["2026-10"]), [october()], "November is not closed");
        assert_eq!(judge("2026-10-01", "2026-10-31", &["2026-10", "2026-11"]), [october()]);
        assert_eq!(judge("2026-10-02", "2026-11-30", &["2026-10"]), [], "a day of October is missing");
    }
}
