//! The reasons for a forecast, in words.
//!
//! Every candidate is a plain fact with how much it adds to the log-odds; the
//! strongest come first. Those that point in the direction of the forecast are
//! preferred: "likely to breach, because it was answered quickly" helps nobody.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::decay::hours;
use super::inputs::{FAMILIES, Family, INPUTS, Number, effect_input};
use super::names::{Attribute, Names};
use super::rates::{RateKey, Rates};
use super::workload::{Open, Workload};

/// How many reasons are given.
const GIVEN: usize = 3;
/// The fewest outcomes that make a rate worth quoting.
const QUOTABLE: f64 = 3.0;

/// Says which tickets rates count: they learn from notes, the first of which is taken after a tenth of the target or on
/// the next morning.
const LASTING: &str = ", of those not done at once";

/// Everything that reasons are drawn from.
pub(super) struct Case<'a> {
    pub(super) open: &'a Open,
    pub(super) workload: &'a Workload,
    pub(super) names: &'a Names,
    pub(super) rates: &'a Rates,
    /// The weight of a fresh entry in `rates` at `now`.
    pub(super) unit: f64,
    /// What each input adds to the log-odds; none while there is no model.
    pub(super) contributions: Option<[f32; INPUTS]>,
    /// The share of tickets of this priority, open at this share, that breach.
    pub(super) usual: f64,
    pub(super) share: f64,
    pub(super) likely: bool,
    /// The keys of its rates.
    pub(super) keys: &'a [RateKey; FAMILIES],
    pub(super) now: DateTime<Utc>,
}

struct Reason {
    adds: f32,
    words: String,
}

/// Returns the strongest reasons.
pub(super) fn strongest(case: &Case<'_>) -> Vec<Arc<str>> {
    let mut reasons = vec![case.usual()];
    if case.contributions.is_some() {
        reasons.extend(case.rates());
        reasons.extend([case.silence(), case.queue(), case.pauses(), case.reassignments()].into_iter().flatten());
    }
    let towards = |reason: &Reason| if case.likely { reason.adds } else { -reason.adds };
    reasons.sort_by(|a, b| towards(b).total_cmp(&towards(a)));
    // Truncating the other list would keep the capacity for all candidates, for each clock.
    let mut given = Vec::with_capacity(GIVEN.min(reasons.len()));
    given.extend(reasons.into_iter().take(GIVEN).map(|reason| Arc::<str>::from(reason.words)));
    given
}

impl Case<'_> {
    /// Returns what `inputs` add together.
    fn adds(&self, inputs: &[usize]) -> f32 {
        let contributions = self.contributions.as_ref().map(|all| all.as_slice()).unwrap_or_default();
        inputs.iter().filter_map(|input| contributions.get(*input)).sum()
    }

    fn numbers(&self, numbers: &[Number]) -> f32 {
        self.adds(&numbers.iter().map(|number| *number as usize).collect::<Vec<_>>())
    }

    /// Returns the reason that is always there: it is all that is known for a new tenant.
    fn usual(&self) -> Reason {
        let words = format!(
            "{} of tickets of this priority that are still open when {} of the time has run end in a breach",
            percent(self.usual),
            percent(self.share)
        );
        Reason { adds: self.numbers(&[Number::Share, Number::ShareSquared, Number::Usual]), words }
    }

    /// Returns how groups, technicians and the like have done on such tickets.
    fn rates(&self) -> impl Iterator<Item = Reason> + '_ {
        let name = |attribute| self.names.text(self.open.facts.get(attribute));
        let quoted = [
            (Family::Group, name(Attribute::Group).map(str::to_owned)),
            (Family::Technician, name(Attribute::Technician).map(str::to_owned)),
            (
                Family::CategoryInGroup,
                name(Attribute::Category).zip(name(Attribute::Group)).map(|(c, g)| format!("{g}, in category {c},")),
            ),
        ];
        let clients = name(Attribute::Client).map(|client| (Family::Client, format!("tickets of {client}")));
        let states = name(Attribute::State).map(|state| (Family::GroupAndState, format!("tickets in state {state}")));
        let rate = move |family: Family| {
            let plain = self.rates.plain(self.keys[family as usize], self.unit)?;
            (plain.outcomes >= QUOTABLE).then(|| (self.adds(&[effect_input(family)]), plain))
        };
        let doers = quoted.into_iter().filter_map(move |(family, who)| {
            let (adds, plain) = rate(family)?;
            Some(Reason {
                adds,
                words: format!(
                    "{} has lately resolved {} of such tickets in time{LASTING}",
                    who?,
                    percent(1.0 - plain.breached)
                ),
            })
        });
        let groups = clients.into_iter().chain(states).filter_map(move |(family, which)| {
            let (adds, plain) = rate(family)?;
            Some(Reason { adds, words: format!("{} of {which} breached lately{LASTING}", percent(plain.breached)) })
        });
        doers.chain(groups)
    }

    fn silence(&self) -> Option<Reason> {
        let silent = hours(self.open.terms.calendar.between(self.open.changed_at, self.now));
        let inputs = [Number::Silence as usize, Number::SilentShare as usize, effect_input(Family::StateAndSilence)];
        (silent >= 1.0).then(|| Reason {
            adds: self.adds(&inputs),
            words: format!("silent for {} working {}", silent.round(), plural(silent.round() as usize, "hour")),
        })
    }

    fn queue(&self) -> Option<Reason> {
        // Tickets without a group form no queue.
        if self.open.facts.get(Attribute::Group) == 0 {
            return None;
        }
        let ahead = self.workload.group(&self.open.facts).ahead(self.open.opened_at);
        let inputs = [Number::AheadInGroup, Number::OpenInGroup, Number::GroupBacklog, Number::AheadBacklog];
        (ahead > 0).then(|| Reason {
            adds: self.numbers(&inputs),
            words: format!("{ahead} older {} ahead in the group", plural(ahead, "ticket")),
        })
    }

    fn pauses(&self) -> Option<Reason> {
        let words = if self.open.paused { "its clock is paused now" } else { "its clock was paused before" };
        (self.open.pauses > 0)
            .then(|| Reason { adds: self.numbers(&[Number::Paused, Number::Pauses]), words: words.to_owned() })
    }

    fn reassignments(&self) -> Option<Reason> {
        let times = self.open.reassignments as usize;
        let inputs = [Number::Reassignments as usize, effect_input(Family::Reassignments)];
        (times > 0).then(|| Reason {
            adds: self.adds(&inputs),
            words: format!("reassigned {times} {}", plural(times, "time")),
        })
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}
