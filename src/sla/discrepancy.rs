//! Where SuperOps' due time and our own differ, and the likely cause.
//!
//! A difference of up to a minute does not count, nor does one within the bounds
//! that polling leaves open. The first cause that explains the reported time to
//! the minute is named; if none does, the cause is given as unknown.

use chrono::{DateTime, Offset, TimeDelta, Utc};

use super::calendar::Calendar;
use super::clock::Explained;
use super::history::{History, Reading};
use super::ledger::words::{Local, length, policy as policy_words};
use super::policy::Policy;
use super::tenant_rules::TenantRules;
use crate::ticket::watch::{Bounds, Watched};
use crate::ticket::{ClockKind, Ticket};

/// The largest difference that does not count.
const TOLERANCE: TimeDelta = TimeDelta::minutes(1);
/// A target is assumed to be a multiple of this.
const ROUND: TimeDelta = TimeDelta::minutes(15);

/// The likely cause of a discrepancy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// SuperOps counted a pause differently.
    Pause,
    /// It counted by another calendar.
    Calendar,
    /// It took local time for UTC, or the other way round.
    Zone,
    /// The due time was moved there, perhaps by hand.
    Moved,
    /// It used another target.
    Target,
    Unknown,
}

impl Cause {
    /// Returns the name used in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Calendar => "calendar",
            Self::Zone => "zone",
            Self::Moved => "moved",
            Self::Target => "target",
            Self::Unknown => "unknown",
        }
    }
}

/// A reported due time that is not what we compute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discrepancy {
    pub clock: ClockKind,
    pub reported: DateTime<Utc>,
    pub computed: DateTime<Utc>,
    /// Seconds from the computed to the reported time: positive if SuperOps allows more.
    pub seconds: i64,
    pub cause: Cause,
    pub words: String,
}

/// Compares what SuperOps reports for a clock with what the policy computes.
pub fn find(
    watched: &Watched,
    history: &History,
    computed: &Explained<'_>,
    rules: &TenantRules,
) -> Option<Discrepancy> {
    let reported = watched.ticket.reported(computed.state.kind).due?;
    let ours = computed.state.due?;
    if computed.decided.is_some()
        || history.gone.is_some()
        || agrees(reported, ours)
        || within_bounds(reported, computed)
    {
        return None;
    }
    let case = Case { ticket: &watched.ticket, history, computed, rules, reported, ours };
    let (cause, why) = case.cause();
    let zone = computed.calendar.spec().timezone;
    let local = Local::new(zone, reported.min(ours), reported.max(ours));
    let difference = reported - ours;
    let side = if difference > TimeDelta::zero() { "later" } else { "earlier" };
    let words = format!(
        "{}: SuperOps says due {} ({zone}), {} {side} than the {} we compute; {why}",
        computed.state.kind.words(),
        local.moment(reported),
        length(difference.abs()),
        local.moment(ours),
    );
    Some(Discrepancy {
        clock: computed.state.kind,
        reported,
        computed: ours,
        seconds: difference.num_seconds(),
        cause,
        words,
    })
}

fn agrees(a: DateTime<Utc>, b: DateTime<Utc>) -> bool {
    (a - b).abs() <= TOLERANCE
}

fn within_bounds(reported: DateTime<Utc>, computed: &Explained<'_>) -> bool {
    let inside = |bounds: Bounds| bounds.earliest - TOLERANCE <= reported && reported <= bounds.latest + TOLERANCE;
    computed.due_bounds.is_some_and(inside)
}

struct Case<'a> {
    ticket: &'a Ticket,
    history: &'a History,
    computed: &'a Explained<'a>,
    rules: &'a TenantRules,
    reported: DateTime<Utc>,
    ours: DateTime<Utc>,
}

impl Case<'_> {
    fn cause(&self) -> (Cause, String) {
        let tried = self.pause().map(|why| (Cause::Pause, why));
        let tried = tried.or_else(|| self.earlier_target().map(|why| (Cause::Target, why)));
        let tried = tried.or_else(|| self.other_hours().map(|why| (Cause::Calendar, why)));
        let tried = tried.or_else(|| self.zone().map(|why| (Cause::Zone, why)));
        let tried = tried.or_else(|| self.moved().map(|why| (Cause::Moved, why)));
        let tried = tried.or_else(|| self.other_target().map(|why| (Cause::Target, why)));
        tried.unwrap_or_else(|| (Cause::Unknown, "the cause is not known".to_owned()))
    }

    fn calendar(&self) -> &Calendar {
        self.computed.calendar
    }

    /// Returns the due time as if the clock had never paused.
    fn plain(&self, calendar: &Calendar, target: TimeDelta) -> Option<DateTime<Utc>> {
        calendar.add(self.computed.start, target)
    }

    /// Returns the due time moved by the time that the ticket stood still.
    fn with_pauses(&self, calendar: &Calendar, target: TimeDelta) -> Option<DateTime<Utc>> {
        self.plain(calendar, target + self.stood(calendar))
    }

    /// Returns how much working time, by `calendar`, the clock stood still before it was due.
    fn stood(&self, calendar: &Calendar) -> TimeDelta {
        let pauses = self.history.pauses(self.computed.state.kind, Reading::Likely);
        let ended = pauses.into_iter().filter_map(|pause| Some((pause.from, pause.to?)));
        ended.filter(|(from, _)| *from <= self.ours).map(|(from, to)| calendar.between(from, to)).sum()
    }

    fn fits(&self, due: Option<DateTime<Utc>>) -> bool {
        due.is_some_and(|due| agrees(due, self.reported))
    }

    fn fits_either(&self, calendar: &Calendar, target: TimeDelta) -> bool {
        self.fits(self.plain(calendar, target)) || self.fits(self.with_pauses(calendar, target))
    }

    fn pause(&self) -> Option<String> {
        let plain = self.plain(self.calendar(), self.computed.target)?;
        if self.fits(Some(plain)) {
            return Some("SuperOps did not move it for the time that the ticket stood still".to_owned());
        }
        let between = plain < self.reported && self.reported < self.ours;
        between.then(|| "SuperOps moved it for only a part of the time that the ticket stood still".to_owned())
    }

    fn earlier_target(&self) -> Option<String> {
        let changes = self.computed.target_changes.iter().rev();
        let mut old = changes.filter_map(|change| Some((change, change.old?)));
        let (change, target) = old.find(|(_, target)| self.fits_either(self.calendar(), *target))?;
        let kept = change.change.from.as_deref().unwrap_or("nothing");
        Some(format!("SuperOps kept the target of {} that held before, with `{kept}`", length(target)))
    }

    fn other_hours(&self) -> Option<String> {
        let target = self.computed.target;
        let ours = std::ptr::from_ref(self.calendar());
        let mut others = self.rules.calendars().into_iter().filter(|other| !std::ptr::eq(other.calendar, ours));
        let other = others.find(|other| self.fits_either(other.calendar, target))?;
        Some(format!("it fits {} {other}", length(target)))
    }

    fn zone(&self) -> Option<String> {
        let difference = self.reported - self.ours;
        let zone = self.calendar().spec().timezone;
        let offset = self.ours.with_timezone(&zone).offset().fix();
        let offset = TimeDelta::seconds(offset.local_minus_utc().into());
        let whole = !offset.is_zero() && (difference.abs() - offset.abs()).abs() <= TOLERANCE;
        whole.then(|| format!("the difference is exactly the UTC offset of {zone}: one side treats local time as UTC"))
    }

    fn moved(&self) -> Option<String> {
        let moves = self.history.due_moves.iter().filter(|moved| moved.clock == self.computed.state.kind);
        let last = moves.rev().find(|moved| moved.from.is_some_and(|from| agrees(from, self.ours)))?;
        let local = Local::new(self.calendar().spec().timezone, last.at.latest, self.reported.max(last.at.latest));
        Some(format!("it was moved in SuperOps, seen {}", local.moment(last.at.latest)))
    }

    fn other_target(&self) -> Option<String> {
        let counted = self.calendar().between(self.computed.start, self.reported);
        let candidates = [counted, counted - self.stood(self.calendar())];
        let near = |target: TimeDelta| candidates.iter().any(|have| (*have - target).abs() <= TOLERANCE);
        let promised = |policy: &&Policy| policy.target(self.computed.state.kind).is_some_and(near);
        if let Some(policy) = self.rules.policies().iter().find(promised) {
            let target = policy.target(self.computed.state.kind).map(length).unwrap_or_default();
            return Some(format!("it fits the target of {target} of {}", policy_words(policy)));
        }
        let round = candidates.into_iter().filter(|have| *have > TimeDelta::zero()).find_map(rounded)?;
        let sla = self.ticket.sla.as_ref().map_or("this SLA", |sla| sla.name.as_str());
        Some(format!("a target of {} for {sla} would fit", length(round)))
    }
}

/// Returns the round length that `time` matches within the tolerance.
fn rounded(time: TimeDelta) -> Option<TimeDelta> {
    let seconds = ROUND.num_seconds();
    let round = TimeDelta::seconds((time.num_seconds() + seconds / 2) / seconds * seconds);
    (!round.is_zero() && (time - round).abs() <= TOLERANCE).then_some(round)
}

#[cfg(test)]
mod tests;
