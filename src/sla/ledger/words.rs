//! A ledger as a person reads it: local times in the calendar's zone to the minute, lengths to the second, so that they
//! add up.

use chrono::{DateTime, TimeDelta, Utc};

use super::super::calendar::StretchKind;
use super::super::clock::{Basis, Standing};
use super::super::policy::Policy;
use super::{Conclusion, Entry, Ledger, Line};
use crate::sla::zone::Tz;
use crate::ticket::ClockKind;
use crate::ticket::manual_override::{ManualOverride, OverrideAction};
use crate::ticket::watch::{Bounds, ChangeKind};

/// The longest span of a ledger, up to when it is read, that needs no dates: weekdays are enough.
const A_WEEK: TimeDelta = TimeDelta::days(6);

/// Returns a length like `1h30`, `45m`, `20s` or `2h00m05s`, with a minus sign if it is negative.
pub fn length(time: TimeDelta) -> String {
    let seconds = time.num_seconds().abs();
    let sign = if time < TimeDelta::zero() { "-" } else { "" };
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let text = match (h, m, s) {
        (0, 0, s) => format!("{s}s"),
        (0, m, 0) => format!("{m}m"),
        (0, m, s) => format!("{m}m{s:02}s"),
        (h, 0, 0) => format!("{h}h"),
        (h, m, 0) => format!("{h}h{m:02}"),
        (h, m, s) => format!("{h}h{m:02}m{s:02}s"),
    };
    format!("{sign}{text}")
}

/// Returns what a policy asks of a ticket, like `Gold/High`.
pub fn policy(policy: &Policy) -> String {
    let parts = [&policy.sla, &policy.priority, &policy.client, &policy.category];
    let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    if parts.is_empty() { "the default policy".to_owned() } else { parts.join("/") }
}

const TO_THE_MINUTE: &str = "%H:%M";

/// Formats local times, with as much of the date as is needed.
#[derive(Clone, Copy, Debug)]
pub struct Local {
    zone: Tz,
    dated: bool,
}

impl Local {
    /// Formats times of `zone` between `from` and `to`.
    pub fn new(zone: Tz, from: DateTime<Utc>, to: DateTime<Utc>) -> Self {
        Self { zone, dated: to - from > A_WEEK }
    }

    /// Returns `Fri 16:00` or `Fri 20 Nov 16:00`.
    pub fn moment(self, at: DateTime<Utc>) -> String {
        self.written(at, TO_THE_MINUTE)
    }

    /// Returns `Fri 16:00-17:30`, `Fri 16:00-Mon 09:00`, or `Fri 16:00:05-16:00:40` if minutes alone would hide it.
    pub fn stretch(self, from: DateTime<Utc>, to: DateTime<Utc>) -> String {
        let (a, b) = (from.with_timezone(&self.zone), to.with_timezone(&self.zone));
        let clock = self.clock(from, to);
        let end = if a.date_naive() == b.date_naive() { b.format(clock).to_string() } else { self.written(to, clock) };
        format!("{}-{end}", self.written(from, clock))
    }

    /// Returns both like [`Local::moment`], but so that they can be told apart.
    fn both(self, a: DateTime<Utc>, b: DateTime<Utc>) -> (String, String) {
        let clock = self.clock(a, b);
        (self.written(a, clock), self.written(b, clock))
    }

    /// Returns the format of two times that stand side by side: with seconds if they would look the same without.
    fn clock(self, a: DateTime<Utc>, b: DateTime<Utc>) -> &'static str {
        if a != b && self.moment(a) == self.moment(b) { "%H:%M:%S" } else { TO_THE_MINUTE }
    }

    fn written(self, at: DateTime<Utc>, clock: &str) -> String {
        let day = if self.dated { "%a %-d %b" } else { "%a" };
        at.with_timezone(&self.zone).format(&format!("{day} {clock}")).to_string()
    }

    fn date(self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.zone).format("%a %-d %b").to_string()
    }

    fn between(self, bounds: Bounds) -> String {
        let (a, b) = (self.moment(bounds.earliest), self.moment(bounds.latest));
        if a == b { format!("at {a}") } else { format!("between {a} and {b}") }
    }
}

impl Ledger {
    /// Returns the format of local times in this ledger.
    pub fn local(&self) -> Local {
        let ends = self.lines.first().zip(self.lines.last());
        let (from, to) = ends.map_or((DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH), |(a, b)| (a.from, b.to));
        let later = [self.conclusion.due, self.conclusion.due_if_resumed, self.read_at].into_iter().flatten();
        Local::new(self.zone, from, later.fold(to, DateTime::max))
    }

    /// Returns a line in words: `Fri 16:00-17:30 counted 1h30`.
    pub fn line(&self, line: &Line) -> String {
        let local = self.local();
        let stretch = || local.stretch(line.from, line.to);
        match &line.entry {
            Entry::Counted => format!("{} counted {}", stretch(), length(line.counted)),
            Entry::Shut(StretchKind::Holiday) => format!("{} holiday", local.date(line.from)),
            Entry::Shut(StretchKind::Weekend) => "weekend".to_owned(),
            Entry::Shut(StretchKind::ClosedDay) => format!("{} closed all day", stretch()),
            Entry::Shut(_) => format!("{} closed hours", stretch()),
            Entry::ByHand(decided) => by_hand(local, decided),
            Entry::Chosen(choice) => {
                let holds =
                    choice.to.as_deref().map_or("no policy matches any more".to_owned(), |to| format!("by {to}"));
                format!("{} {holds}", local.moment(line.from))
            }
            Entry::Paused { status } => format!("{} paused {}", stretch(), quoted(status.as_deref())),
            Entry::Resolved { status } => format!("{} closed {}", stretch(), quoted(status.as_deref())),
            Entry::Retargeted { change, old_due, new_due, made_late } => {
                let (from, to) = (quoted(change.from.as_deref()), quoted(change.to.as_deref()));
                let moved = old_due.zip(*new_due).filter(|(old, new)| old != new);
                let moved = moved
                    .map(|(old, new)| local.both(old, new))
                    .map(|(old, new)| format!(", due {new} instead of {old}"))
                    .unwrap_or_default();
                let late = if *made_late { ", retargeted, already late" } else { "" };
                format!("{} {} from {from} to {to}{moved}{late}", local.moment(line.from), what(change.what))
            }
            Entry::DueMoved(moved) => {
                let time = |at: Option<DateTime<Utc>>| at.map_or("no due time".to_owned(), |at| local.moment(at));
                let (from, to) = match moved.from.zip(moved.to) {
                    Some((from, to)) => local.both(from, to),
                    None => (time(moved.from), time(moved.to)),
                };
                format!("{} SuperOps moved the due time from {from} to {to}", local.moment(line.from))
            }
        }
    }

    /// Returns the conclusion in words: `due Tue 13:30 (target 4h, Gold/High, calendar head-office)`.
    pub fn end(&self) -> String {
        let local = self.local();
        let Conclusion { standing, due, due_if_resumed, .. } = &self.conclusion;
        let when = match (standing, due, due_if_resumed) {
            (Standing::Cancelled, ..) if self.was_cancelled() => "cancelled by hand".to_owned(),
            (Standing::Cancelled, ..) => "cancelled: SuperOps no longer shows the ticket".to_owned(),
            (Standing::Paused { left }, _, Some(at)) => {
                format!("paused, {} left, due {} if resumed now", length(*left), local.moment(*at))
            }
            (_, Some(due), _) => self.due(local, *due),
            _ => "never due".to_owned(),
        };
        format!("{when} ({}){}", self.basis(local), self.stop_and_breach(local))
    }

    /// Returns the whole ledger in one sentence, without the closed hours.
    pub fn sentence(&self) -> String {
        let told = self.lines.iter().filter(|line| line.entry != Entry::Shut(StretchKind::ClosedHours));
        let mut parts: Vec<String> = told.map(|line| self.line(line)).collect();
        parts.push(self.end());
        parts.join(" · ")
    }

    fn due(&self, local: Local, due: DateTime<Utc>) -> String {
        let moment = local.moment(due);
        let wide = |bounds: &Bounds| bounds.latest - bounds.earliest >= TimeDelta::minutes(1);
        match (self.conclusion.basis, self.conclusion.due_bounds.filter(wide)) {
            (Basis::Policy, Some(bounds)) => format!("due {moment}, {} at the outside", local.between(bounds)),
            (Basis::Policy, None) => format!("due {moment}"),
            (Basis::Reported, _) => format!("due {moment} as SuperOps reports"),
            (Basis::ByHand, _) => format!("due {moment} as set by hand"),
        }
    }

    /// Returns what the due time rests on: `target 4h, Gold/High, calendar head-office v3`.
    fn basis(&self, local: Local) -> String {
        let Conclusion { basis, policy, target, stood, due, standing, .. } = &self.conclusion;
        let calendar = self.calendar_words();
        if *basis == Basis::Policy {
            let policy = policy.as_deref().unwrap_or("no policy");
            return format!("target {}, {policy}, {calendar}", length(*target));
        }
        let paused = matches!(standing, Standing::Paused { .. });
        let whose = due.filter(|_| paused).map(|due| format!("{}, ", self.due(local, due))).unwrap_or_default();
        let stood = match stood {
            none if none.is_zero() => String::new(),
            stood => format!(" and {} standing still", length(*stood)),
        };
        format!("{whose}{} of work after creation{stood}, {calendar}", length(*target))
    }

    /// Returns `calendar head-office v3`.
    fn calendar_words(&self) -> String {
        let version = self.version.map(|version| format!(" v{version}")).unwrap_or_default();
        format!("calendar {}{version}", self.calendar)
    }

    fn was_cancelled(&self) -> bool {
        let cancelled =
            |line: &Line| matches!(&line.entry, Entry::ByHand(one) if one.action == OverrideAction::Cancelled);
        self.lines.iter().any(cancelled)
    }

    fn stop_and_breach(&self, local: Local) -> String {
        let Conclusion { stopped_at, breached_between, .. } = &self.conclusion;
        let verb = if self.kind == ClockKind::Resolution { "resolved" } else { "answered" };
        let stopped = stopped_at.map(|at| format!(" · {verb} {} after {}", local.moment(at), length(self.counted)));
        let breached = breached_between.map(|bounds| format!(" · breached {}", local.between(bounds)));
        stopped.unwrap_or_default() + &breached.unwrap_or_default()
    }
}

/// Returns `Tue 10:00 due time set to Fri 12:00 by mia: the client agreed`.
fn by_hand(local: Local, decided: &ManualOverride) -> String {
    let what = match decided.action {
        OverrideAction::Due(due) => format!("due time set to {}", local.moment(due)),
        OverrideAction::StoppedAt(at) => format!("stopped as of {}", local.moment(at)),
        OverrideAction::Cancelled => "cancelled".to_owned(),
    };
    format!("{} {what} by {}: {}", local.moment(decided.at), decided.by, decided.reason)
}

fn quoted(name: Option<&str>) -> String {
    name.map_or("nothing".to_owned(), |name| format!("\"{name}\""))
}

fn what(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Priority => "priority changed",
        ChangeKind::Sla => "SLA changed",
        _ => "client changed",
    }
}
