//! Why a clock was missed, and signs of a figure that was helped along.

use chrono::{DateTime, Utc};

use super::super::reason::Miss;
use super::super::{Outcome, Reason, Sign, Signs};
use super::{Era, Page};
use crate::sla::clock::{Reckoning, StopCause, TargetChange, Truth, explain};
use crate::ticket::ClockKind;
impl Page<'_, '_> {
    pub(super) fn reason(
        &self,
        era: &Era<'_>,
        clock: &Reckoning<'_>,
        over_from: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Reason {
        let history = self.facts.history;
        let late_at_once = history.due_moves.iter().filter(|moved| moved.clock == self.kind).any(|moved| {
            // It was not due yet before the change, and late after it.
            moved.to.zip(moved.from).is_some_and(|(to, from)| to <= moved.at.latest && moved.at.latest < from)
        });
        let by_change = || self.target_changes(era, now).iter().any(|change| change.made_late);
        Miss {
            clock,
            target: clock.target.unwrap_or_default(),
            over_from,
            retargeted: late_at_once || by_change(),
            is_staffed: era.rules.is_staffed(over_from),
            observed: self.observed(clock),
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

    /// The signs it shows, and those it could have shown.
    pub(super) fn signs(
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
