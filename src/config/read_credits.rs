//! `credits = { "99.9" = "0", "99" = "10", "0" = "50" }`: what is owed for promises that were not kept, both of uptime
//! and of policies.

use super::checks;
use super::reader::{Found, Section};
use crate::report::credit::{CreditTerms, MIN};
use crate::uptime::credit::Tier;

/// Reads the tiers: from which share on, how much of the fee is owed; none if the file does not say.
pub(super) fn tiers(section: &Section<'_>) -> Option<Vec<Tier>> {
    let found = section.entries("credits");
    if found.is_empty() {
        return None;
    }
    let tier = |(floor, share): (Found<'_, &str>, Found<'_, &str>)| {
        let floor = floor.read(|text| checks::percent(text))?;
        let percent = share.read(|text| whole_percent(text))?;
        Some(Tier { floor, percent })
    };
    let mut tiers: Vec<Tier> = found.into_iter().filter_map(tier).collect();
    tiers.sort_by_key(|tier| std::cmp::Reverse(tier.floor));
    // A tier that cannot be read has its own complaint, and may be the one that the others seem to lack.
    if tiers.len() == section.count("credits") {
        together(section, &tiers);
    }
    Some(tiers)
}

/// Complains of tiers that each can be read and do not fit together; `tiers` begin with the highest share.
fn together(section: &Section<'_>, tiers: &[Tier]) {
    if tiers.last().is_none_or(|last| last.floor > 0) {
        section.clash("credits", "needs a tier from \"0\" on: else nothing covers shares under the lowest");
    }
    if tiers.windows(2).any(|two| two[0].floor == two[1].floor) {
        section.clash("credits", "has two tiers for the same share: keep one of them");
    } else if tiers.windows(2).any(|two| two[0].percent > two[1].percent) {
        section.clash("credits", "gives less for a lower share, which cannot be intended");
    }
}

/// Reads the credits of a policy, with `credits_min`: how many clocks a month must have.
pub(super) fn of_policy(section: &Section<'_>) -> Option<CreditTerms> {
    let min = section.integer("credits_min").and_then(|number| number.read(least));
    match tiers(section) {
        Some(tiers) => Some(CreditTerms { tiers, min: min.unwrap_or(MIN) }),
        None => {
            if section.count("credits") == 0 {
                section.clash("credits_min", "has no meaning without `credits`");
            }
            None
        }
    }
}

fn whole_percent(text: &str) -> Result<u32, String> {
    let thousandths = checks::percent(text)?;
    let is_whole = thousandths.is_multiple_of(1000);
    is_whole.then_some(thousandths / 1000).ok_or_else(|| format!("must be a whole percentage of the fee, not `{text}`"))
}

fn least(number: &i64) -> Result<u64, String> {
    let fits = u64::try_from(*number).ok().filter(|number| *number > 0);
    fits.ok_or_else(|| "must be 1 or more: a month with fewer clocks is not judged".to_owned())
}
