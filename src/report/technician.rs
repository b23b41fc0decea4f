//! Technicians: what was decided in their hands, by tickets and by the time that each held them.
//!
//! There are no ranks: people are listed by name, and where the numbers are too few to tell, the report says so.
//!
//! Entries are counted one by one ([`Count`]), with numbers for names, so that a year of them never has to be kept.

use std::collections::{BTreeMap, HashMap};

use super::brief::Brief;
use super::entry::{Entry, Holder, Outcome};
use super::fairness::{Cell, Funnel, funnel};
use super::figures::{Question, Stops};
use super::interval::Confidence;
use super::rate::Rate;
use super::spread::Spread;
use super::trend::{Stratum, Trend, trend};
use crate::ticket::ClockKind;

/// The figures of one holder: a person, or nobody, unknown or automation, so that the sums are those of all.
#[derive(Clone, Debug, PartialEq)]
pub struct Technician {
    pub holder: Holder,
    /// Tickets with a headline clock decided in these hands; `met` are those with none breached.
    pub tickets: Rate,
    /// Headline clocks breached in these hands.
    pub breaches: u64,
    /// Kept out of all, in millionths of clocks, by the time each was held.
    pub weighted: Rate,
    /// Out of the weight of all breaches.
    pub breach_share: Rate,
    /// Time counted past the target while it was held, out of everybody's, in milliseconds.
    pub lateness: Rate,
    /// Paused, out of counted and paused, in milliseconds, while it was held.
    pub paused: Rate,
    /// Working time until the first response by a person, in milliseconds.
    pub response: Spread,
    pub resolution: Spread,
    /// Resolutions whose ticket came back within a week, out of all.
    pub reopened: Rate,
    pub trend: Trend,
    pub funnel: Option<Funnel>,
}

/// Returns everybody with a part in the entries of the period, in the order of their ids. `entries` reach back to the
/// period before, for the trend.
pub fn technicians<'a>(entries: impl Iterator<Item = &'a Entry>, question: &Question) -> Vec<Technician> {
    let mut count = Count::new(*question);
    entries.for_each(|entry| count.entry(entry));
    count.done()
}

/// Numbers in place of names, in order of first appearance.
#[derive(Debug, Default)]
struct Numbers(HashMap<Box<str>, u32>);

impl Numbers {
    fn of(&mut self, name: &str) -> u32 {
        if let Some(number) = self.0.get(name) {
            return *number;
        }
        let number = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        self.0.insert(name.into(), number);
        number
    }

    fn names(&self) -> Vec<&str> {
        let mut names = vec![""; self.0.len()];
        self.0.iter().for_each(|(name, number)| names[*number as usize] = name);
        names
    }
}

/// Whose an entry is, by the numbers that [`Count`] gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whose {
    pub ticket: u32,
    pub holder: u32,
    pub priority: Option<u32>,
    pub policy: Option<u32>,
}

/// One holder's part of one clock: see [`super::entry::Share`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub holder: u32,
    pub weight: i64,
    pub counted: i64,
    pub over: i64,
    pub paused: i64,
}

/// Collects the figures of technicians while entries are counted one by one, in any order.
#[derive(Debug)]
pub struct Count {
    question: Question,
    /// The period before, for the trend.
    before: Question,
    tickets: Numbers,
    holders: Numbers,
    /// Priorities and policies.
    texts: Numbers,
    hands: Vec<Hands>,
}

/// The kind of a clock: which clock, of which priority, by which policy.
type Kind = (ClockKind, Option<u32>, Option<u32>);

/// The figures of one holder so far.
#[derive(Debug, Default)]
struct Hands {
    /// Whether some clock of the period was decided in these hands, or held in part.
    has_part: bool,
    /// Each clock decided in the period: the number of its ticket doubled, plus one if it was breached.
    decided: Vec<u64>,
    /// Each clock decided in the period or the one before: see [`of_stratum`].
    strata: Vec<u64>,
    kinds: BTreeMap<Kind, Rate>,
    weighted: Rate,
    over: u64,
    counted: u64,
    paused: u64,
    stops: Stops,
}

impl Count {
    /// Counts what `question` asks for.
    pub fn new(question: Question) -> Self {
        let before = Question { period: question.period.before(), ..question };
        let (tickets, holders, texts) = (Numbers::default(), Numbers::default(), Numbers::default());
        Self { question, before, tickets, holders, texts, hands: Vec::new() }
    }

    /// The number of a ticket, by its id.
    pub fn ticket(&mut self, id: &str) -> u32 {
        self.tickets.of(id)
    }

    /// The number of a holder.
    pub fn holder(&mut self, holder: &Holder) -> u32 {
        let number = self.holders.of(holder.as_str());
        if self.hands.len() <= number as usize {
            self.hands.push(Hands::default());
        }
        number
    }

    /// The number of a priority or a policy.
    pub fn text(&mut self, text: &str) -> u32 {
        self.texts.of(text)
    }

    /// Counts a whole entry.
    pub fn entry(&mut self, entry: &Entry) {
        let whose = Whose {
            ticket: self.ticket(&entry.ticket),
            holder: self.holder(&entry.holder),
            priority: entry.priority.as_deref().map(|text| self.text(text)),
            policy: entry.policy.as_deref().map(|text| self.text(text)),
        };
        let part = |share: &super::entry::Share| {
            let holder = self.holder(&share.holder);
            Part { holder, weight: share.weight, counted: share.counted, over: share.over, paused: share.paused }
        };
        let parts: Vec<Part> = entry.shares.iter().map(part).collect();
        self.add(&entry.brief(), whose, &parts);
    }

    /// Counts an entry in brief, with whose it is and what part each holder had.
    pub fn add(&mut self, one: &Brief, whose: Whose, parts: &[Part]) {
        let breached = one.outcome == Outcome::Breached;
        let (is_now, is_before) = (self.question.has_decision(one), self.before.has_decision(one));
        if one.is_headline() && (is_now || is_before) {
            let hands = &mut self.hands[whose.holder as usize];
            hands.strata.push(of_stratum(whose, is_now, breached));
            if is_now {
                hands.has_part = true;
                hands.decided.push(u64::from(whose.ticket) << 1 | u64::from(breached));
                hands.kinds.entry((one.clock, whose.priority, whose.policy)).or_default().add(!breached);
                parts.iter().for_each(|part| self.hands[part.holder as usize].weigh(part, breached));
            }
        }
        self.hands[whose.holder as usize].stops.count(one, &self.question);
        if self.question.has_stop(one) {
            parts.iter().for_each(|part| self.hands[part.holder as usize].hold(part, one));
        }
    }

    /// Returns the figures of everybody with a part, in the order of their ids.
    pub fn done(mut self) -> Vec<Technician> {
        let hands = std::mem::take(&mut self.hands);
        let all = self.of_all(&hands);
        let names = self.holders.names();
        let own = names.into_iter().map(|name| Holder::from(name.to_owned())).zip(hands);
        let mut people: Vec<Technician> =
            own.filter(|(_, hands)| hands.has_part).map(|(holder, hands)| hands.done(holder, &all)).collect();
        people.sort_by(|a, b| a.holder.cmp(&b.holder));
        people
    }

    fn of_all(&self, hands: &[Hands]) -> OfAll<'_> {
        let texts = self.texts.names();
        let mut all = OfAll { texts, kinds: BTreeMap::new(), breach_weight: 0, over: 0 };
        for one in hands {
            all.breach_weight += one.weighted.of - one.weighted.met;
            all.over += one.over;
            for (kind, rate) in &one.kinds {
                all.kinds.entry(*kind).or_default().join(*rate);
            }
        }
        all
    }
}

/// What is the same for all holders.
struct OfAll<'a> {
    /// Priorities and policies, by their numbers.
    texts: Vec<&'a str>,
    kinds: BTreeMap<Kind, Rate>,
    breach_weight: u64,
    over: u64,
}

impl OfAll<'_> {
    fn text(&self, number: Option<u32>) -> Option<&str> {
        number.and_then(|number| self.texts.get(number as usize).copied())
    }
}

/// When sorted, the clocks of one priority are together, within it those of one ticket, within that those of one
/// period, and a breach comes last.
fn of_stratum(whose: Whose, is_now: bool, breached: bool) -> u64 {
    let priority = whose.priority.map_or(0, |number| u64::from(number) + 1);
    priority << 34 | u64::from(whose.ticket) << 2 | u64::from(is_now) << 1 | u64::from(breached)
}

impl Hands {
    /// Adds the weight of a clock that was decided in the period.
    fn weigh(&mut self, part: &Part, breached: bool) {
        let weight = u64::try_from(part.weight).unwrap_or_default();
        self.has_part = true;
        self.weighted.join(Rate::new(if breached { 0 } else { weight }, weight));
    }

    /// Adds the time of a clock that stopped in the period.
    fn hold(&mut self, part: &Part, one: &Brief) {
        if one.outcome == Outcome::Breached {
            self.over += u64::try_from(part.over).unwrap_or_default();
        }
        if one.clock == ClockKind::Resolution {
            self.counted += u64::try_from(part.counted).unwrap_or_default();
            self.paused += u64::try_from(part.paused).unwrap_or_default();
        }
    }

    fn done(mut self, holder: Holder, all: &OfAll<'_>) -> Technician {
        let breaches = self.decided.iter().filter(|clock| **clock & 1 == 1).count() as u64;
        let is_person = holder.person().is_some();
        Technician {
            tickets: self.tickets(),
            breaches,
            weighted: self.weighted,
            breach_share: Rate::new(self.weighted.of - self.weighted.met, all.breach_weight),
            lateness: Rate::new(self.over, all.over),
            paused: Rate::new(self.paused, self.counted + self.paused),
            reopened: self.stops.reopened,
            response: Spread::of(std::mem::take(&mut self.stops.response)),
            resolution: Spread::of(std::mem::take(&mut self.stops.resolution)),
            trend: if is_person { trend(&self.strata(all), Confidence::P99) } else { Trend::TooFew },
            funnel: if is_person { funnel(&self.cells(all)) } else { None },
            holder,
        }
    }

    /// Tickets without a breach, out of all.
    fn tickets(&mut self) -> Rate {
        self.decided.sort_unstable();
        let mut rate = Rate::default();
        self.decided.chunk_by(|a, b| a >> 1 == b >> 1).for_each(|clocks| rate.add(is_kept(clocks)));
        rate
    }

    /// Tickets without a breach by priority, in both periods.
    fn strata(&mut self, all: &OfAll<'_>) -> Vec<Stratum> {
        self.strata.sort_unstable();
        let mut strata: BTreeMap<Option<&str>, Stratum> = BTreeMap::new();
        for clocks in self.strata.chunk_by(|a, b| a >> 1 == b >> 1) {
            let priority = u32::try_from(clocks[0] >> 34).unwrap_or_default().checked_sub(1);
            let stratum = strata.entry(all.text(priority)).or_default();
            let period = if clocks[0] & 2 == 2 { &mut stratum.now } else { &mut stratum.before };
            period.add(is_kept(clocks));
        }
        strata.into_values().collect()
    }

    /// The rates of each kind of clock, in these hands and overall.
    fn cells<'a>(&self, all: &'a OfAll<'_>) -> BTreeMap<(ClockKind, Option<&'a str>, Option<&'a str>), Cell> {
        let cell = |(kind, rate): (&Kind, &Rate)| {
            let (clock, priority, policy) = *kind;
            let own = self.kinds.get(kind).copied().unwrap_or_default();
            ((clock, all.text(priority), all.text(policy)), Cell { own, all: *rate })
        };
        all.kinds.iter().map(cell).collect()
    }
}

/// Whether none of the clocks of a ticket was breached; a breach comes last.
fn is_kept(clocks: &[u64]) -> bool {
    clocks.last().is_none_or(|last| last & 1 == 0)
}
