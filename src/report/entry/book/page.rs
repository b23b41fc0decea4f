//! Decides one clock of one round, and makes its entry.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, SubsecRound, TimeDelta, Utc};

use super::super::{Entry, Exclusion, Holder, Outcome};
use super::{Era, Page, TICK};
use crate::sla::clock::{Basis, Reckoning, StopCause, Truth, reckon};
use crate::sla::history::StatusHistory;
use crate::ticket::conversation::Answerer;
use crate::ticket::manual_override::OverrideAction;
use crate::ticket::watch::{Bounds, ChangeKind};
use crate::ticket::{ClockKind, Gone, RefId, StatusMeaning};
/// How a clock was decided.
struct Decision {
    outcome: Outcome,
    why: Option<Exclusion>,
    at: DateTime<Utc>,
}

impl Page<'_, '_> {
    /// Returns the entry once it is decided, by the terms in force at that time.
    pub(super) fn entry(&self, now: DateTime<Utc>) -> Option<Entry> {
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
        if let Some((why, at)) = stop.and_then(|(stop, at)| Some((self.gone(stop.cause)?, at))) {
            return excluded(why, at);
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

    /// Whether SuperOps calls it breached. SuperOps does not know what a person decided.
    fn is_flagged(&self) -> bool {
        self.action().is_none() && self.watched.ticket.reported(self.kind).breached == Some(true)
    }

    /// What happened to the ticket, if that is what stopped the clock.
    fn gone(&self, cause: StopCause) -> Option<Exclusion> {
        let periods = self.statuses().periods;
        let closed = periods.iter().rev().take_while(|period| period.meaning == StatusMeaning::Closed).last();
        let status = match cause {
            StopCause::Vanished => self.watched.ticket.status.as_deref(),
            StopCause::Closed => closed?.status.as_deref(),
            _ => return None,
        };
        match Gone::said_by(status) {
            Some(Gone::Merged) => Some(Exclusion::Merged),
            Some(Gone::Deleted) => Some(Exclusion::Deleted),
            None => (cause == StopCause::Vanished).then_some(Exclusion::Vanished),
        }
    }

    fn no_target(&self) -> Exclusion {
        if self.watched.ticket.sla.is_some() { Exclusion::NoDueTime } else { Exclusion::NoTarget }
    }

    /// When its SLA was removed, if it has none now.
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
            observed: self.observed(clock),
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

    /// Whether all of the clock's time was watched.
    pub(super) fn observed(&self, clock: &Reckoning<'_>) -> bool {
        self.facts.history.unseen.is_none_or(|unseen| unseen.to.is_some_and(|to| to <= clock.start))
    }

    fn day(&self, at: DateTime<Utc>) -> NaiveDate {
        at.with_timezone(&self.facts.zone).date_naive()
    }

    /// What SuperOps says: its flag, or whether its due time has passed.
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

    pub(super) fn holder_at(&self, at: DateTime<Utc>) -> Holder {
        let held = self.facts.held.iter().rfind(|held| held.from <= at).or(self.facts.held.first());
        held.map_or(Holder::Unknown, |held| held.holder.clone())
    }

    /// The time between `from` and `to` that would have counted had the ticket not been paused.
    pub(super) fn paused(&self, clock: &Reckoning<'_>, from: DateTime<Utc>, to: DateTime<Utc>) -> TimeDelta {
        self.pauses(to)
            .map(|(begin, end)| (begin.max(from), end.min(to)))
            .filter(|(begin, end)| begin < end)
            .map(|(begin, end)| clock.calendar.between(begin, end))
            .sum()
    }

    /// The pauses that began before `to`.
    pub(super) fn pauses(&self, to: DateTime<Utc>) -> impl Iterator<Item = (DateTime<Utc>, DateTime<Utc>)> + '_ {
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
}

/// Cuts to the precision of the store: otherwise SuperOps' times in parts of a millisecond would differ each time.
fn whole_millis(at: DateTime<Utc>) -> DateTime<Utc> {
    at.trunc_subsecs(3)
}
