//! Explains a ticket's clocks line by line, and how far SuperOps and we agree.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::sla::calendar::StretchKind;
use crate::sla::clock::{Basis, Explained, Standing, Truth, explain, why_not_by_policy};
use crate::sla::discrepancy::{self, Cause, Discrepancy};
use crate::sla::history::{Cycle, History};
use crate::sla::ledger::words::policy as policy_words;
use crate::sla::ledger::{Entry, Ledger, Line};
use crate::sla::tenant_rules::TenantRules;
use crate::ticket::ClockKind;
use crate::ticket::watch::{Bounds, Change, Watched};

/// The most tickets named for one client and policy.
const EXAMPLES: usize = 5;

/// Why the clocks of a ticket show what they show. Durations are seconds of working time.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TicketLedger {
    pub ticket_id: String,
    pub display_id: String,
    pub tenant: String,
    pub now: DateTime<Utc>,
    /// Which configured policy holds, and which would hold without it.
    pub policy_choice: Option<String>,
    /// The version of the policies that it is judged by; none: the service has not run yet.
    pub version: Option<u32>,
    pub clocks: Vec<ClockLedger>,
    /// Where the reported and the computed due time differ, and why that is likely.
    pub discrepancies: Vec<Difference>,
    /// Working time in each technician's hands.
    pub held_by: Vec<HeldBy>,
    /// One, and one more for each reopening.
    pub cycles: Vec<CycleView>,
}

/// One clock of a ticket, explained.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ClockLedger {
    pub clock: ClockKind,
    /// computed | reported | by_hand: what the due time is based on
    pub truth: &'static str,
    /// Why it is not computed from a policy, if so.
    pub why_not_computed: Option<&'static str>,
    pub policy: Option<String>,
    pub calendar: String,
    pub timezone: String,
    pub target: Option<i64>,
    /// What the lines add up to; SuperOps and we may have missed a moment, so it has bounds.
    pub counted: i64,
    pub counted_least: Option<i64>,
    pub counted_most: Option<i64>,
    pub standing: &'static str,
    pub due: Option<DateTime<Utc>>,
    pub due_between: Option<Bounds>,
    pub due_if_resumed_now: Option<DateTime<Utc>>,
    pub breached_between: Option<Bounds>,
    /// Why the clock cannot be fully known, if so.
    pub partial: Vec<&'static str>,
    pub lines: Vec<LedgerLine>,
    /// The last line: when it is due, and by which rules.
    pub conclusion: String,
    /// All of it in one sentence.
    pub sentence: String,
}

/// One line of a ledger.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LedgerLine {
    /// counted | closed_hours | weekend | closed_day | holiday | paused | closed | retargeted | due_moved |
    /// policy_choice | by_hand
    pub kind: &'static str,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    /// Working time by the calendar.
    pub working: i64,
    /// How much of it counts.
    pub counted: i64,
    /// With local times. Names in it are text from outside.
    pub words: String,
}

/// A due time on which SuperOps and we differ.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Difference {
    pub clock: ClockKind,
    pub reported: DateTime<Utc>,
    pub computed: DateTime<Utc>,
    /// Positive where SuperOps allows more.
    pub seconds: i64,
    /// pause | calendar | zone | moved | target | unknown
    pub cause: &'static str,
    pub words: String,
}

/// A technician's part in a ticket.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HeldBy {
    pub technician: Option<String>,
    pub working: i64,
}

/// Work from creation or reopening until resolved.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CycleView {
    pub from: Bounds,
    pub resolved: Option<Bounds>,
}

/// How far SuperOps and we agree on the open tickets.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Differences {
    pub now: DateTime<Utc>,
    /// Clocks with a due time of SuperOps' and one of ours.
    pub compared: usize,
    pub differing: usize,
    pub groups: Vec<DifferenceGroup>,
}

/// The differences of one client under one policy.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DifferenceGroup {
    pub tenant: String,
    pub client: Option<String>,
    pub policy: String,
    pub compared: usize,
    pub differing: usize,
    pub commonest_cause: &'static str,
    /// An example of the commonest cause, in words.
    pub example: String,
    /// Some of the tickets, by what people call them.
    pub tickets: Vec<String>,
}

/// The history of `watched` as these rules read it.
fn history(watched: &Watched, changes: &[Change], rules: &TenantRules) -> History {
    History::tell(watched, changes, |status| rules.meaning_of(status))
}

/// Where the reported and the computed due times of a ticket differ.
pub fn discrepancies(
    watched: &Watched,
    changes: &[Change],
    rules: &TenantRules,
    now: DateTime<Utc>,
) -> Vec<Discrepancy> {
    if rules.policy(&watched.ticket).is_none() {
        return Vec::new();
    }
    let history = history(watched, changes, rules);
    let by_policy = |kind| explain(watched, &history, kind, rules, Truth::Policy, now);
    let computed = ClockKind::ALL.into_iter().filter_map(by_policy);
    computed.filter_map(|computed| discrepancy::find(watched, &history, &computed, rules)).collect()
}

/// Explains the clocks of a ticket.
pub fn ledger(
    watched: &Watched,
    changes: &[Change],
    rules: &TenantRules,
    version: Option<u32>,
    now: DateTime<Utc>,
) -> TicketLedger {
    let history = history(watched, changes, rules);
    let (hours, _) = rules.working_hours(&watched.ticket);
    let until = history.closed().map_or(now, |closed| closed.latest);
    let held_by = history.ownership(hours.calendar, until).into_iter();
    let clocks =
        ClockKind::ALL.into_iter().filter_map(|kind| clock(watched, &history, kind, rules, version, now)).collect();
    TicketLedger {
        ticket_id: watched.ticket.id.to_string(),
        display_id: watched.ticket.display_id.clone(),
        tenant: rules.tenant().to_string(),
        now,
        policy_choice: None,
        version,
        clocks,
        discrepancies: discrepancies(watched, changes, rules, now).into_iter().map(Difference::from).collect(),
        held_by: held_by
            .map(|(who, time)| HeldBy { technician: who.map(str::to_owned), working: seconds(time) })
            .collect(),
        cycles: history.cycles().into_iter().map(CycleView::from).collect(),
    }
}

/// Explains one clock; none where neither its beginning nor its target is known.
fn clock(
    watched: &Watched,
    history: &History,
    kind: ClockKind,
    rules: &TenantRules,
    version: Option<u32>,
    now: DateTime<Utc>,
) -> Option<ClockLedger> {
    let clock = explain(watched, history, kind, rules, Truth::Record, now)?;
    let ledger = Ledger::of(&clock, history).of_version(version).read_at(now);
    let why_not_computed = match clock.state.basis {
        Some(Basis::Reported) => Some(why_not_by_policy(watched, kind, rules).unwrap_or("SuperOps reports a due time")),
        Some(Basis::ByHand) => Some("its due time was set by hand"),
        Some(Basis::Policy) | None => None,
    };
    Some(ClockLedger { why_not_computed, ..view(&ledger, &clock) })
}

fn view(ledger: &Ledger, clock: &Explained<'_>) -> ClockLedger {
    let end = &ledger.conclusion;
    let paused = matches!(end.standing, Standing::Paused { .. });
    let truth = match end.basis {
        Basis::ByHand => "by_hand",
        Basis::Reported => "reported",
        Basis::Policy => "computed",
    };
    ClockLedger {
        clock: ledger.kind,
        truth,
        why_not_computed: None,
        policy: end.policy.clone(),
        calendar: ledger.calendar.clone(),
        timezone: ledger.zone.to_string(),
        target: Some(seconds(end.target)),
        counted: seconds(ledger.counted),
        counted_least: Some(seconds(clock.counted.least)),
        counted_most: Some(seconds(clock.counted.most)),
        standing: end.standing.as_str(),
        due: end.due.filter(|_| !paused),
        due_between: end.due_bounds,
        due_if_resumed_now: end.due_if_resumed,
        breached_between: end.breached_between,
        partial: clock.state.doubts.iter().map(|doubt| doubt.words()).collect(),
        lines: ledger.lines.iter().map(|line| line_view(ledger, line)).collect(),
        conclusion: ledger.end(),
        sentence: ledger.sentence(),
    }
}

fn line_view(ledger: &Ledger, line: &Line) -> LedgerLine {
    LedgerLine {
        kind: kind(&line.entry),
        from: line.from,
        to: line.to,
        working: seconds(line.working),
        counted: seconds(line.counted),
        words: ledger.line(line),
    }
}

fn kind(entry: &Entry) -> &'static str {
    match entry {
        Entry::Counted | Entry::Shut(StretchKind::Open) => "counted",
        Entry::Shut(StretchKind::ClosedHours) => "closed_hours",
        Entry::Shut(StretchKind::Weekend) => "weekend",
        Entry::Shut(StretchKind::ClosedDay) => "closed_day",
        Entry::Shut(StretchKind::Holiday) => "holiday",
        Entry::Paused { .. } => "paused",
        Entry::Resolved { .. } => "closed",
        Entry::Retargeted { .. } => "retargeted",
        Entry::DueMoved(_) => "due_moved",
        Entry::Chosen(_) => "policy_choice",
        Entry::ByHand(_) => "by_hand",
    }
}

fn seconds(time: TimeDelta) -> i64 {
    time.num_seconds()
}

impl From<Discrepancy> for Difference {
    fn from(found: Discrepancy) -> Self {
        Self {
            clock: found.clock,
            reported: found.reported,
            computed: found.computed,
            seconds: found.seconds,
            cause: found.cause.as_str(),
            words: found.words,
        }
    }
}

impl From<Cycle> for CycleView {
    fn from(cycle: Cycle) -> Self {
        Self { from: cycle.from, resolved: cycle.resolved }
    }
}

/// Differences, summed up per client and policy.
#[derive(Default)]
pub struct Tally {
    groups: BTreeMap<(String, Option<String>, String), Sum>,
}

#[derive(Default)]
struct Sum {
    compared: usize,
    differing: usize,
    /// How often each was found, and an example.
    causes: BTreeMap<Cause, (usize, String)>,
    tickets: Vec<String>,
}

impl Tally {
    /// Compares the clocks of one ticket.
    pub fn add(&mut self, watched: &Watched, changes: &[Change], rules: &TenantRules, now: DateTime<Utc>) {
        let Some(policy) = rules.policy(&watched.ticket) else { return };
        let client = watched.ticket.client.as_ref().map(|client| client.name.clone());
        let comparable =
            |kind: &ClockKind| policy.target(*kind).is_some() && watched.ticket.reported(*kind).due.is_some();
        let sum = self.groups.entry((rules.tenant().to_string(), client, policy_words(policy))).or_default();
        sum.compared += ClockKind::ALL.iter().filter(|kind| comparable(kind)).count();
        let found = discrepancies(watched, changes, rules, now);
        if !found.is_empty() {
            sum.tickets.push(watched.ticket.display_id.clone());
        }
        for one in found {
            sum.differing += 1;
            sum.causes.entry(one.cause).or_insert((0, one.words)).0 += 1;
        }
    }

    /// Returns the groups with differences, those with most first.
    pub fn answer(self, now: DateTime<Utc>) -> Differences {
        let compared = self.groups.values().map(|sum| sum.compared).sum();
        let differing = self.groups.values().map(|sum| sum.differing).sum();
        let mut groups: Vec<_> = self.groups.into_iter().filter_map(group).collect();
        groups.sort_by(|a, b| b.differing.cmp(&a.differing).then_with(|| a.client.cmp(&b.client)));
        Differences { now, compared, differing, groups }
    }
}

fn group(((tenant, client, policy), mut sum): ((String, Option<String>, String), Sum)) -> Option<DifferenceGroup> {
    let (cause, (_, example)) = sum.causes.into_iter().max_by_key(|(_, (times, _))| *times)?;
    sum.tickets.sort();
    sum.tickets.truncate(EXAMPLES);
    Some(DifferenceGroup {
        tenant,
        client,
        policy,
        compared: sum.compared,
        differing: sum.differing,
        commonest_cause: cause.as_str(),
        example,
        tickets: sum.tickets,
    })
}
