//! The entries of one ticket, from what is known of it: a pure function, so that a rebuild gives the same.
//!
//! Each round is judged as the ticket stood at its end, by the clock that pages show and alerts go
//! by. Of several versions of the terms the one holds that was in force when the clock was decided:
//! a newer policy judges nothing again.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, SubsecRound, TimeDelta, Utc};

use super::reason::Miss;
use super::{Entry, Exclusion, Held, Holder, Outcome, Reason, Round, SETTLE, Share, Sign, Signs, rounds};
use crate::alert::Closing;
use crate::report::share::{WHOLE, cut};
use crate::sla::clock::{Basis, Reckoning, StopCause, TargetChange, Truth, explain, reckon};
use crate::sla::history::{History, StatusHistory};
use crate::sla::tenant_rules::TenantRules;
use crate::sla::zone::Tz;
use crate::ticket::conversation::{Answerer, ConversationSummary};
use crate::ticket::manual_override::{ManualOverride, OverrideAction};
use crate::ticket::watch::{Bounds, ChangeKind, Watched};
use crate::ticket::{ClockKind, RefId, Reported};

/// A message of the client after the first response, and the answer to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    pub asked_at: DateTime<Utc>,
    pub answered_at: Option<DateTime<Utc>>,
    /// Who answered, where that is known.
    pub by: Option<RefId>,
}

/// The rules of a tenant, and from when on they hold.
#[derive(Clone, Copy, Debug)]
pub struct Era<'a> {
    pub rules: &'a TenantRules,
    /// The number of the version of the terms.
    pub version: u32,
    pub from: DateTime<Utc>,
}

/// What is known of one ticket.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub watched: &'a Watched,
    pub history: &'a History,
    pub held: &'a [Held],
    /// Oldest first.
    pub exchanges: &'a [Exchange],
    /// The technician who gave the first response.
    pub first_answer_by: Option<&'a RefId>,
    /// Oldest first, at least one; the first holds for everything before it as well.
    pub eras: &'a [Era<'a>],
    /// The maintenance windows that speak of this ticket.
    pub maintenance: &'a [(DateTime<Utc>, DateTime<Utc>)],
    /// Whoever has it cannot do at present all that is due.
    pub understaffed: bool,
    /// The zone whose days are meant.
    pub zone: Tz,
}

/// The entries of the ticket that are decided by `now`: round by round, at most one of each clock.
pub fn book(facts: &Facts<'_>, now: DateTime<Utc>) -> Vec<Entry> {
    let rounds = rounds(&facts.history.periods, SETTLE);
    let mut entries = Vec::new();
    for (index, round) in rounds.iter().enumerate() {
        let is_last = index + 1 == rounds.len();
        let watched = as_of(facts, &rounds, index);
        let kinds: &[_] = if index == 0 { &ClockKind::REPORTED } else { &[ClockKind::Resolution] };
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        for kind in kinds {
            let page = Page { facts, watched: &watched, round: *round, is_last, kind: *kind, number, by: None };
            entries.extend(page.entry(now));
        }
    }
    for (index, exchange) in facts.exchanges.iter().enumerate() {
        let place = rounds.iter().rposition(|round| round.from <= exchange.asked_at).unwrap_or_default();
        let mut watched = as_of(facts, &rounds, place);
        watched.conversation = ConversationSummary {
            asked_at: Some(exchange.asked_at),
            answered_at: exchange.answered_at,
            ..watched.conversation
        };
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let (round, is_last) = (rounds[place], place + 1 == rounds.len());
        let page = Page {
            facts,
            watched: &watched,
            round: Round { reopened_at: None, ..round },
            is_last,
            kind: ClockKind::NextResponse,
            number,
            by: exchange.by.as_ref(),
        };
        entries.extend(page.entry(now));
    }
    entries
}

/// The ticket as it stood at the end of round `index`; in the last round as it is.
fn as_of(facts: &Facts<'_>, rounds: &[Round], index: usize) -> Watched {
    let mut watched = facts.watched.clone();
    let last = rounds.len() - 1;
    let (own, cycle) = (cycles_of(facts.history, rounds, index), watched.cycle);
    let count = u32::try_from(facts.history.cycles().len()).unwrap_or(u32::MAX);
    // The present cycle is the last that the history tells of.
    let number = |decided: &ManualOverride| (count + decided.cycle).checked_sub(cycle + 1);
    watched.overrides.retain(|decided| number(decided).map_or(index == 0, |number| own.contains(&number)));
    watched.overrides.iter_mut().for_each(|decided| decided.cycle = cycle);
    if index < last {
        let end = rounds[index].end.unwrap_or(DateTime::<Utc>::MAX_UTC);
        watched.vanished_at = None;
        watched.ticket.resolution = Reported { due: due_at(facts, end), met_at: Some(end), breached: None };
        let answer = &mut watched.ticket.first_response;
        answer.met_at = answer.met_at.filter(|at| *at <= end);
        watched.replied_at = watched.replied_at.filter(|at| *at <= end);
    }
    watched
}

/// The numbers, from 0, of the cycles of round `index`: a short closing parts two of one round.
fn cycles_of(history: &History, rounds: &[Round], index: usize) -> std::ops::Range<u32> {
    let cycles = history.cycles();
    let from = |round: &Round| cycles.iter().filter(|cycle| cycle.from.latest < round.from).count();
    let next = rounds.get(index + 1).map_or(cycles.len(), from);
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let first = if index == 0 { 0 } else { from(&rounds[index]) };
    number(first)..number(next)
}

/// When SuperOps said at `end` that the resolution was due.
fn due_at(facts: &Facts<'_>, end: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let mut moves = facts.history.due_moves.iter().filter(|moved| moved.clock == ClockKind::Resolution);
    match moves.find(|moved| moved.at.latest > end) {
        Some(later) => later.from,
        None => facts.watched.ticket.resolution.due,
    }
}

/// One clock of one round, about to be entered.
struct Page<'f, 'a> {
    facts: &'f Facts<'a>,
    watched: &'f Watched,
    round: Round,
    is_last: bool,
    kind: ClockKind,
    number: u32,
    by: Option<&'f RefId>,
}

/// How a clock was decided.
struct Decision {
    outcome: Outcome,
    why: Option<Exclusion>,
    at: DateTime<Utc>,
}

impl Page<'_, '_> {
    /// The entry, once it is decided, by the terms that were in force then.
    fn entry(&self, now: DateTime<Utc>) -> Option<Entry> {
        let eras = self.facts.eras;
        let start = self.watched.start(self.kind)?;
        let first = eras.iter().rposition(|era| era.from <= start).unwrap_or_default();
        for (place, era) in eras.iter().enumerate().skip(first) {
            let until = eras.get(place + 1).map(|next| next.from);
            let Some(clock) = self.reckon(era, Truth::Record) else { continue };
            let Some(mut decision) = self.decide(&clock, now) else { continue };
            if place > first && decision.outcome == Outcome::Breached {
                decision.at = decision.at.max(era.from);
            }
            if until.is_none_or(|until| decision.at < until) {
                return Some(self.written(era, &clock, decision, now));
            }
        }
        None
    }

    fn statuses(&self) -> StatusHistory<'_, String> {
        let history = self.facts.history;
        let periods = if self.is_last { &history.periods[..] } else { &history.periods[..self.round.periods] };
        let gone = history.gone.filter(|_| self.is_last);
        StatusHistory { periods, gone, unseen: history.unseen }
    }

    fn reckon<'d>(&self, era: &Era<'d>, truth: Truth) -> Option<Reckoning<'d>> {
        reckon(self.watched, self.statuses(), self.kind, era.rules, truth)
    }

    fn action(&self) -> Option<(OverrideAction, DateTime<Utc>)> {
        self.watched.decided(self.kind).map(|decided| (decided.action, decided.at))
    }

    /// Whether and how it is decided by `now`. A person's word comes first, then SuperOps', then the policy's.
    fn decide(&self, clock: &Reckoning<'_>, now: DateTime<Utc>) -> Option<Decision> {
        let excluded = |why, at| Some(Decision { outcome: Outcome::Excluded, why: Some(why), at });
        if let Some((OverrideAction::Cancelled, at)) = self.action() {
            return excluded(Exclusion::ByHand, at);
        }
        let over = clock.over_from().filter(|over| *over <= now);
        if let Some(at) = over {
            return Some(Decision { outcome: Outcome::Breached, why: None, at });
        }
        let stop = clock.stop.zip(clock.stopped_at()).filter(|(_, at)| *at <= now);
        if let Some((stop, at)) = stop
            && stop.cause == StopCause::Vanished
        {
            return excluded(self.gone(), at);
        }
        if clock.target.is_none() {
            return match (self.sla_removed(), stop) {
                (Some(removed), stop) => {
                    excluded(Exclusion::SlaRemoved, stop.map_or(removed, |(_, at)| at.min(removed)))
                }
                (None, Some((_, at))) => excluded(self.no_target(), at),
                (None, None) => None,
            };
        }
        let (_, at) = stop?;
        let outcome = if self.is_flagged() { Outcome::Breached } else { Outcome::Met };
        Some(Decision { outcome, why: None, at })
    }

    /// SuperOps calls it breached. It does not know what a person decided.
    fn is_flagged(&self) -> bool {
        self.action().is_none() && self.watched.ticket.reported(self.kind).breached == Some(true)
    }

    fn gone(&self) -> Exclusion {
        match Closing::Vanished.told_by(self.watched.ticket.status.as_deref()) {
            Closing::Merged => Exclusion::Merged,
            Closing::Deleted => Exclusion::Deleted,
            _ => Exclusion::Vanished,
        }
    }

    fn no_target(&self) -> Exclusion {
        if self.watched.ticket.sla.is_some() { Exclusion::NoDueTime } else { Exclusion::NoTarget }
    }

    /// When its SLA was taken away, if it has none any more.
    fn sla_removed(&self) -> Option<DateTime<Utc>> {
        let last = self.facts.history.retargets.iter().rfind(|change| change.what == ChangeKind::Sla)?;
        (last.to.is_none() && self.watched.ticket.sla.is_none()).then_some(last.at.latest)
    }

    fn written(&self, era: &Era<'_>, clock: &Reckoning<'_>, decision: Decision, now: DateTime<Utc>) -> Entry {
        let ticket = &self.watched.ticket;
        let Decision { outcome, why, at } = decision;
        let stopped_at = clock
            .stopped_at()
            .filter(|stop| *stop <= now && clock.stop.is_some_and(|stop| stop.cause != StopCause::Vanished));
        let known_until = stopped_at.unwrap_or(if outcome == Outcome::Breached { now } else { at });
        let over_from = clock.over_from().filter(|over| *over <= known_until && outcome == Outcome::Breached);
        let by_policy = self.reckon(era, Truth::Policy).filter(|clock| clock.target.is_some());
        let answered_by = self.answered_by(clock, stopped_at);
        let kept = outcome == Outcome::Met;
        let by_author = answered_by.clone().filter(|_| kept && self.kind == ClockKind::FirstResponse);
        let automatic = by_author == Some(Holder::Automation);
        let (signs, chances) = self.signs(era, clock, outcome, at, now);
        let text = |text: &str| Arc::<str>::from(text);
        Entry {
            ticket: text(ticket.id.as_str()),
            clock: self.kind,
            round: self.number,
            outcome,
            why,
            decided_at: whole_millis(at),
            day: self.day(at),
            stopped_at: stopped_at.map(whole_millis),
            stop_day: stopped_at.map(|at| self.day(at)),
            target: clock.target.map(|target| target.num_milliseconds()),
            counted: clock.counted(known_until).num_milliseconds(),
            over: over_from
                .map_or(0, |_| (clock.counted(known_until) - clock.target.unwrap_or_default()).num_milliseconds()),
            paused: self.paused(clock, clock.start, known_until).num_milliseconds(),
            says: if self.action().is_some() { Some(Basis::ByHand) } else { clock.basis },
            reported: self.reported(clock, now),
            computed: by_policy.map(|clock| clock.over_from().is_some_and(|over| over <= now)),
            observed: self.facts.history.unseen.is_none_or(|unseen| unseen.to.is_some_and(|to| to <= clock.start)),
            holder: by_author.unwrap_or_else(|| self.holder_at(at)),
            answered_by,
            client: ticket.client.as_ref().map(|client| text(client.id.as_str())),
            priority: ticket.priority.as_deref().map(text),
            category: ticket.category.as_deref().map(text),
            policy: clock.policy.as_deref().or(ticket.sla.as_ref().map(|sla| sla.name.as_str())).map(text),
            version: era.version,
            maintenance: self.in_maintenance(clock, at),
            reason: over_from.map(|from| self.reason(era, clock, from, now)),
            said: None,
            reopened_at: self
                .round
                .reopened_at
                .filter(|at| *at <= now && self.kind == ClockKind::Resolution)
                .map(whole_millis),
            signs,
            chances,
            shares: self.shares(clock, (at, over_from), known_until, automatic),
            overdue: over_from.map_or_else(Vec::new, |from| clock.stretches(from - TICK, known_until)),
        }
    }

    fn day(&self, at: DateTime<Utc>) -> NaiveDate {
        at.with_timezone(&self.facts.zone).date_naive()
    }

    /// What SuperOps says: its flag, or whether its due time was exceeded.
    fn reported(&self, clock: &Reckoning<'_>, now: DateTime<Utc>) -> Option<bool> {
        let reported = self.watched.ticket.reported(self.kind);
        let late = || clock.stopped_at().unwrap_or(now).min(now) > reported.due.unwrap_or(DateTime::<Utc>::MAX_UTC);
        reported.breached.or_else(|| reported.due.map(|_| late()))
    }

    /// Who gave the response that stopped it, where that is known.
    fn answered_by(&self, clock: &Reckoning<'_>, stopped_at: Option<DateTime<Utc>>) -> Option<Holder> {
        stopped_at?;
        let person = |id: Option<&RefId>| id.cloned().map(Holder::Person);
        match (self.kind, clock.stop?.cause) {
            (ClockKind::FirstResponse, StopCause::Reported)
                if self.watched.conversation.first_answer == Some(Answerer::Automation) =>
            {
                Some(Holder::Automation)
            }
            (ClockKind::FirstResponse, StopCause::Reported | StopCause::TechnicianReply) => {
                person(self.facts.first_answer_by)
            }
            (ClockKind::NextResponse, StopCause::TechnicianReply) => person(self.by),
            _ => None,
        }
    }

    fn holder_at(&self, at: DateTime<Utc>) -> Holder {
        let held = self.facts.held.iter().rfind(|held| held.from <= at).or(self.facts.held.first());
        held.map_or(Holder::Unknown, |held| held.holder.clone())
    }

    /// Time that would have counted had the ticket not been paused, from `from` to `to`.
    fn paused(&self, clock: &Reckoning<'_>, from: DateTime<Utc>, to: DateTime<Utc>) -> TimeDelta {
        self.pauses(to)
            .map(|(begin, end)| (begin.max(from), end.min(to)))
            .filter(|(begin, end)| begin < end)
            .map(|(begin, end)| clock.calendar.between(begin, end))
            .sum()
    }

    /// The pauses that began before `to`.
    fn pauses(&self, to: DateTime<Utc>) -> impl Iterator<Item = (DateTime<Utc>, DateTime<Utc>)> + '_ {
        let periods = &self.facts.history.periods[..self.round.periods];
        let paused = periods.iter().filter(|period| period.meaning.pauses(self.kind));
        paused
            .map(move |period| (period.from.latest, period.to.map_or(to, |to: Bounds| to.latest)))
            .filter(move |(from, _)| *from < to)
    }

    fn in_maintenance(&self, clock: &Reckoning<'_>, until: DateTime<Utc>) -> bool {
        let meets = |(from, to): &(DateTime<Utc>, DateTime<Utc>)| {
            let (from, to) = ((*from).max(clock.start), (*to).min(until));
            from < to && clock.between(from, to) > TimeDelta::zero()
        };
        self.facts.maintenance.iter().any(meets)
    }

    /// What each holder had of it. The weights are cut by the time counted until the decision: of a breach, until its
    /// target was full, an instant before it was exceeded.
    fn shares(
        &self,
        clock: &Reckoning<'_>,
        (decided, over_from): (DateTime<Utc>, Option<DateTime<Utc>>),
        until: DateTime<Utc>,
        automatic: bool,
    ) -> Vec<Share> {
        if automatic {
            let counted = clock.counted(until).num_milliseconds();
            return vec![Share { holder: Holder::Automation, weight: WHOLE, counted, over: 0, paused: 0 }];
        }
        let full = over_from.map(|from| from - TICK);
        let weighed = if Some(decided) == over_from { decided - TICK } else { decided };
        let mut shares: Vec<(Share, i64)> = Vec::new();
        for held in self.facts.held {
            let (from, to) = (held.from.max(clock.start), held.to.unwrap_or(until).min(until));
            if from > to || (from == to && from != until) {
                continue;
            }
            let before = clock.between(from.min(weighed), to.min(weighed)).num_milliseconds();
            let over = full.map_or(0, |full| clock.between(from.max(full), to.max(full)).num_milliseconds());
            let counted = clock.between(from, to).num_milliseconds();
            let paused = self.paused(clock, from, to).num_milliseconds();
            let place = shares.iter().position(|(share, _)| share.holder == held.holder).unwrap_or_else(|| {
                shares.push((Share { holder: held.holder.clone(), weight: 0, counted: 0, over: 0, paused: 0 }, 0));
                shares.len() - 1
            });
            let (share, sizes) = &mut shares[place];
            *sizes += before;
            share.counted += counted;
            share.over += over;
            share.paused += paused;
        }
        let weights = cut(WHOLE, &shares.iter().map(|(_, size)| *size).collect::<Vec<_>>());
        let mut shares: Vec<Share> =
            shares.into_iter().zip(weights).map(|((share, _), weight)| Share { weight, ..share }).collect();
        if shares.iter().all(|share| share.weight == 0) {
            let then = self.holder_at(decided);
            match shares.iter_mut().find(|share| share.holder == then) {
                Some(share) => share.weight = WHOLE,
                None => shares.push(Share { holder: then, weight: WHOLE, counted: 0, over: 0, paused: 0 }),
            }
        }
        shares.retain(|share| share.weight > 0 || share.counted > 0 || share.paused > 0);
        shares
    }

    fn reason(&self, era: &Era<'_>, clock: &Reckoning<'_>, over_from: DateTime<Utc>, now: DateTime<Utc>) -> Reason {
        let history = self.facts.history;
        let late_at_once = history.due_moves.iter().filter(|moved| moved.clock == self.kind).any(|moved| {
            // It was due in time yet, and then it was late.
            moved.to.zip(moved.from).is_some_and(|(to, from)| to <= moved.at.latest && moved.at.latest < from)
        });
        let by_change = || self.target_changes(era, now).iter().any(|change| change.made_late);
        Miss {
            clock,
            target: clock.target.unwrap_or_default(),
            over_from,
            retargeted: late_at_once || by_change(),
            is_staffed: era.rules.is_staffed(over_from),
            understaffed: self.facts.understaffed,
            held: self.facts.held,
            resumed: self.pauses(over_from).map(|(_, to)| to).filter(|to| *to < over_from).collect(),
            touched: self.touched(),
        }
        .reason()
    }

    fn target_changes(&self, era: &Era<'_>, now: DateTime<Utc>) -> Vec<TargetChange> {
        let history = self.facts.history;
        if history.retargets.is_empty() || !self.is_last {
            return Vec::new();
        }
        let explained = explain(self.watched, history, self.kind, era.rules, Truth::Policy, now);
        explained.map(|explained| explained.target_changes).unwrap_or_default()
    }

    /// When somebody is known to have done something.
    fn touched(&self) -> Vec<DateTime<Utc>> {
        let history = self.facts.history;
        let periods = history.periods.iter().map(|period| period.from.latest);
        let holders = self.facts.held.iter().map(|held| held.from);
        let answers = self.facts.exchanges.iter().filter_map(|one| one.answered_at);
        let first = self.watched.ticket.first_response.met_at.or(self.watched.replied_at);
        let changes = history.retargets.iter().map(|change| change.at.latest);
        periods.chain(holders).chain(answers).chain(first).chain(changes).collect()
    }

    /// The signs that it shows, and those that it could have shown.
    fn signs(
        &self,
        era: &Era<'_>,
        clock: &Reckoning<'_>,
        outcome: Outcome,
        at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> (Signs, Signs) {
        let (mut signs, mut chances) = (Signs::default(), Signs::default());
        let Some(target) = clock.target.filter(|_| outcome != Outcome::Excluded) else { return (signs, chances) };
        let met = outcome == Outcome::Met;
        let left = |when: DateTime<Utc>| target - clock.counted(when);
        let paused: Vec<_> = self.pauses(at).map(|(from, _)| from).filter(|from| *from > clock.start).collect();
        chances.add_if(met && !paused.is_empty(), Sign::PausedLate);
        signs.add_if(met && paused.iter().any(|from| left(*from) * 10 < target), Sign::PausedLate);
        let raised: Vec<_> = self
            .target_changes(era, now)
            .into_iter()
            .filter_map(|change| Some((change.old?, change.new, change.change.at.latest)))
            .filter(|(old, new, _)| new > old)
            .collect();
        chances.add_if(!raised.is_empty(), Sign::Raised);
        signs.add_if(raised.iter().any(|(old, _, when)| clock.counted(*when) * 4 > *old * 3), Sign::Raised);
        let reopened = self.kind == ClockKind::Resolution && self.round.reopened_at.is_some();
        chances.add_if(reopened, Sign::ResolvedLate);
        signs.add_if(reopened && met && left(at) * 10 < target, Sign::ResolvedLate);
        let first = self.kind == ClockKind::FirstResponse;
        chances.add_if(first, Sign::Unanswered);
        signs.add_if(first && clock.stop.is_some_and(|stop| stop.cause == StopCause::Closed), Sign::Unanswered);
        chances.add_if(!met, Sign::Removed);
        signs.add_if(!met && clock.stop.is_some_and(|stop| stop.cause == StopCause::Vanished), Sign::Removed);
        (signs, chances)
    }
}

/// As entries are kept: else what SuperOps tells in parts of a millisecond would come out otherwise each time.
fn whole_millis(at: DateTime<Utc>) -> DateTime<Utc> {
    at.trunc_subsecs(3)
}

/// When something is to be decided though nothing changes, after `now`: the first clock that goes on running is over.
/// `entries` are those that are decided.
pub fn next_decision(facts: &Facts<'_>, entries: &[Entry], now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let era = facts.eras.last()?;
    let rounds = rounds(&facts.history.periods, SETTLE);
    let last = rounds.len() - 1;
    let first = last == 0;
    let is_open = |kind: &ClockKind| match kind {
        ClockKind::FirstResponse if !first => false,
        ClockKind::NextResponse => facts.watched.conversation.asked_at.is_some(),
        kind => !entries.iter().any(|entry| entry.clock == *kind && entry.round as usize == last + 1),
    };
    let over = |kind: ClockKind| {
        let history = facts.history;
        let statuses = StatusHistory { periods: &history.periods[..], gone: history.gone, unseen: history.unseen };
        reckon(facts.watched, statuses, kind, era.rules, Truth::Record)?.over_from()
    };
    let verdicts = entries.iter().flat_map(|entry| later_verdicts(facts, entry));
    ClockKind::ALL.into_iter().filter(is_open).filter_map(over).chain(verdicts).filter(|at| *at > now).min()
}

/// When SuperOps and the policy, each by itself, call a decided clock that goes on running late.
fn later_verdicts(facts: &Facts<'_>, entry: &Entry) -> impl Iterator<Item = DateTime<Utc>> {
    let history = facts.history;
    let statuses = StatusHistory { periods: &history.periods[..], gone: history.gone, unseen: history.unseen };
    let reported = facts.watched.ticket.reported(entry.clock);
    let by_superops = reported.due.filter(|_| reported.breached.is_none()).map(|due| due + TICK);
    let era = facts.eras.iter().find(|era| era.version == entry.version);
    let by_policy = era.and_then(|era| reckon(facts.watched, statuses, entry.clock, era.rules, Truth::Policy));
    let both = [by_superops, by_policy.and_then(|clock| clock.over_from())];
    both.into_iter().flatten().filter(|_| entry.stopped_at.is_none())
}

/// A clock is over from a moment after its target on.
const TICK: TimeDelta = TimeDelta::milliseconds(1);
