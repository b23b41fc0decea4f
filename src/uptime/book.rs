//! The current state of all checks and components, with their pasts: what a result changes, and for whom.
//!
//! A change often becomes known later than it happened. Then the past is rewritten from there on: that of the check, of
//! its component, and of every group above it.

mod partial;
#[cfg(test)]
mod tests;
mod works;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::availability::{Circumstances, Record};
use super::combine::{Needs, combine};
use super::intervals::Interval;
use super::observe::{CheckState, Connectivity, Event, Rules};
use super::places::{self, View};
use super::spans::Timeline;
use super::{Condition, Millis, Outcome, Span};

/// A component, as configured.
#[derive(Clone, Debug)]
pub struct ComponentPlan {
    pub id: String,
    pub needs: Needs,
    /// The components in the group, if it is one.
    pub of: Vec<String>,
    /// The components that it cannot work without.
    pub depends_on: Vec<String>,
}

/// A check of a component, as configured.
#[derive(Clone, Debug)]
pub struct CheckPlan {
    /// `shop/https`
    pub id: String,
    pub component: String,
    pub rules: Rules,
    /// None if it is looked at only from here.
    pub view: Option<View>,
    /// Whether we look ourselves, whenever we like, instead of being told.
    pub is_asked: bool,
}

impl CheckPlan {
    /// Returns what several places that look at the same have in common.
    fn looks_at(&self) -> &str {
        self.view.as_ref().map_or(self.id.as_str(), |view| view.of.as_str())
    }
}

/// The state of one check.
#[derive(Clone, Debug)]
pub struct CheckEntry {
    pub plan: CheckPlan,
    pub state: CheckState,
    pub line: Arc<Timeline>,
    /// The index of its component.
    pub component: usize,
    /// When a look of ours last found it well at a public address, since the book was opened.
    pub reached_at: Option<Millis>,
    /// When it was not among the checks that were made, since it was taken out and has come back: that says nothing of
    /// its component.
    left_out: Option<Interval>,
}

impl CheckEntry {
    /// Returns what its component has of it.
    fn counted_line(&self) -> Arc<Timeline> {
        let Some((from, until)) = self.left_out else { return self.line.clone() };
        let mut line = Timeline::default();
        for span in self.line.spans().iter().filter(|span| span.from < from) {
            line.set(span.from, span.condition);
        }
        // The others decide.
        line.set(from, Condition::Up);
        for span in self.line.spans().iter().filter(|span| span.until.is_none_or(|end| end > until)) {
            line.set(span.from.max(until), span.condition);
        }
        Arc::new(line)
    }
}

/// The state of one component.
#[derive(Clone, Debug)]
pub struct ComponentEntry {
    pub plan: ComponentPlan,
    pub line: Arc<Timeline>,
    /// When it began to be watched.
    pub since: Millis,
    checks: Vec<usize>,
    members: Vec<usize>,
    parents: Vec<usize>,
    groups: Vec<usize>,
    /// Until when the results of checks that are gone say how it was; none if other checks were made since.
    held_until: Option<Millis>,
}

impl ComponentEntry {
    /// Returns its current condition.
    pub fn condition(&self) -> Condition {
        self.line.last().map_or(Condition::Unknown, |span| span.condition)
    }

    /// Returns since when it has been in that condition.
    pub fn changed_at(&self) -> Millis {
        self.line.last().map_or(self.since, |span| span.from)
    }

    /// Returns what is known of it, for a figure.
    pub fn record<'a>(&'a self, circumstances: &'a Circumstances) -> Record<'a> {
        let Circumstances { windows, slow } = circumstances;
        Record { spans: self.line.spans(), windows, slow, since: self.since, ended: None }
    }

    /// Returns the indexes of its checks.
    pub fn checks(&self) -> &[usize] {
        &self.checks
    }
}

/// What was known when it was last stored.
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    /// By check.
    pub states: BTreeMap<String, CheckState>,
    /// By component or check.
    pub spans: BTreeMap<String, Vec<Span>>,
    /// When each component began to be watched.
    pub since: BTreeMap<String, Millis>,
}

/// A part of the past that is to be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrite {
    /// The id of a component or a check.
    pub subject: String,
    /// The new spans. They replace everything from the first of them on.
    pub spans: Vec<Span>,
}

/// A change in the condition of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The index of the component.
    pub component: usize,
    pub from: Millis,
    pub was: Condition,
    pub is: Condition,
}

/// The effect of a result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    pub events: Vec<Event>,
    pub rewrites: Vec<Rewrite>,
    pub changes: Vec<Change>,
}

/// Everything that is watched.
#[derive(Clone, Debug, Default)]
pub struct Book {
    pub checks: Vec<CheckEntry>,
    pub components: Vec<ComponentEntry>,
    /// When the book was opened. What was not looked at before that may have failed unseen.
    opened_at: Millis,
}

/// How deep groups may be nested; groups of groups of groups are enough.
const DEEPEST: usize = 16;

impl Book {
    /// Opens a book for these plans, in the state that was `remembered`. Each check's component must be among the
    /// components.
    pub fn open(components: Vec<ComponentPlan>, checks: Vec<CheckPlan>, remembered: &Remembered, now: Millis) -> Self {
        let places: BTreeMap<String, usize> =
            components.iter().enumerate().map(|(place, plan)| (plan.id.clone(), place)).collect();
        let line = |id: &str| Arc::new(Timeline::of(remembered.spans.get(id).cloned().unwrap_or_default()));
        let mut checks: Vec<_> = checks
            .into_iter()
            .filter_map(|plan| {
                let component = *places.get(&plan.component)?;
                let state = remembered.states.get(&plan.id).cloned().unwrap_or_else(|| CheckState::new(now));
                Some(CheckEntry { state, line: line(&plan.id), component, reached_at: None, left_out: None, plan })
            })
            .collect();
        let left_out: Vec<_> = checks.iter().map(|check| left_out_since(check, &checks, now)).collect();
        for (check, from) in checks.iter_mut().zip(left_out) {
            check.left_out = from.map(|from| (from, now));
        }
        let all: Vec<&ComponentPlan> = components.iter().collect();
        let named = |names: &[String]| names.iter().filter_map(|name| places.get(name).copied()).collect::<Vec<_>>();
        let above = |place: usize| (0..all.len()).filter(|other| named(&all[*other].of).contains(&place)).collect();
        let entries = components.iter().enumerate().map(|(place, plan)| ComponentEntry {
            line: line(&plan.id),
            since: remembered.since.get(&plan.id).copied().unwrap_or(now),
            checks: (0..checks.len()).filter(|check| checks[*check].component == place).collect(),
            members: named(&plan.of),
            parents: named(&plan.depends_on),
            groups: above(place),
            held_until: held_by_the_gone(plan, &checks, remembered),
            plan: plan.clone(),
        });
        Self { components: entries.collect(), checks, opened_at: now }
    }

    /// Returns the index of the check `id`.
    pub fn check(&self, id: &str) -> Option<usize> {
        self.checks.iter().position(|check| check.plan.id == id)
    }

    /// Returns the component `id`.
    pub fn component(&self, id: &str) -> Option<&ComponentEntry> {
        self.components.iter().find(|component| component.plan.id == id)
    }

    /// Processes what was seen of the check at `place`.
    pub fn observe(&mut self, place: usize, outcome: &Outcome, connectivity: Connectivity) -> Taken {
        let entry = &mut self.checks[place];
        let events = entry.state.observe(outcome, connectivity, &entry.plan.rules);
        self.follow(place, events)
    }

    /// Turns the checks whose last result no longer holds to unknown.
    pub fn expire(&mut self, now: Millis) -> Taken {
        let mut all = Taken::default();
        for place in 0..self.checks.len() {
            let entry = &mut self.checks[place];
            let events = entry.state.expire(now, &entry.plan.rules);
            let taken = self.follow(place, events);
            all.events.extend(taken.events);
            all.rewrites.extend(taken.rewrites);
            all.changes.extend(taken.changes);
        }
        all
    }

    /// Brings every component in line with its present parts, as after a change of the configuration.
    pub fn settle(&mut self, now: Millis) -> Taken {
        let mut taken = Taken::default();
        for place in 0..self.components.len() {
            // The results of a check that has been renamed hold no longer than any other result.
            let from = self.components[place].held_until.map_or(now, |until| until.min(now));
            self.recount(place, from, DEEPEST, &mut taken);
        }
        taken
    }

    /// Whether the group at `place` seems up only because it is not known yet how those members are that failed when
    /// they were last seen. After a restart, members are seen again one by one.
    pub fn is_unproven(&self, place: usize, now: Millis) -> bool {
        self.components[place].condition() == Condition::Up
            && self.misses_a_failed_member(place, Millis::MAX, DEEPEST)
            && self.waits_for_a_look(place, now, DEEPEST)
    }

    /// Returns when the outage of the component at `place` began that goes on or has just ended. `None` if there is
    /// none. If a group seemed up while nobody knew how its failed members were, that does not split its outage in two.
    pub fn outage_began(&self, place: usize) -> Option<Millis> {
        let entry = &self.components[place];
        if entry.members.is_empty() {
            return entry.line.outage_began();
        }
        let mut began = None;
        for (back, span) in entry.line.spans().iter().rev().enumerate() {
            let until = span.until.unwrap_or(Millis::MAX);
            let is_up = span.condition == Condition::Up && back > 0;
            if is_up && !self.misses_a_failed_member(place, until - 1, DEEPEST) {
                break;
            }
            began = Some(span.from).filter(|_| span.condition >= Condition::Degraded).or(began);
        }
        began
    }

    fn misses_a_failed_member(&self, place: usize, at: Millis, depth: usize) -> bool {
        let Some(depth) = depth.checked_sub(1) else { return false };
        self.components[place].members.iter().any(|member| match self.components[*member].line.at(at) {
            Condition::Unknown => self.components[*member].line.had_failed(at),
            Condition::Up => self.misses_a_failed_member(*member, at, depth),
            Condition::Degraded | Condition::Down => false,
        })
    }

    /// Whether a check below the component at `place` is unknown, and either in doubt or unknown for less time than a
    /// result would hold, so that a look may still come.
    fn waits_for_a_look(&self, place: usize, now: Millis, depth: usize) -> bool {
        let Some(depth) = depth.checked_sub(1) else { return false };
        let waits = |check: &usize| {
            let CheckEntry { plan, state, .. } = &self.checks[*check];
            let until = state.since.max(self.opened_at).saturating_add(plan.rules.holds);
            state.condition == Condition::Unknown && (state.doubt.is_some() || now < until)
        };
        let entry = &self.components[place];
        entry.checks.iter().any(waits) || entry.members.iter().any(|one| self.waits_for_a_look(*one, now, depth))
    }

    /// Returns the cause of the failure at `place`: a component that it depends on, and that fails itself. For a group,
    /// there is a cause if each of its failing members has one.
    pub fn failing_parent(&self, place: usize) -> Option<usize> {
        self.failing_parent_within(place, DEEPEST)
    }

    fn failing_parent_within(&self, place: usize, depth: usize) -> Option<usize> {
        let entry = &self.components[place];
        let is_down = |one: &usize| self.components[*one].condition() == Condition::Down;
        let own = entry.parents.iter().copied().find(is_down);
        let depth = depth.checked_sub(1).filter(|_| own.is_none() && entry.checks.is_empty());
        let Some(depth) = depth else { return own };
        let down = entry.members.iter().copied().filter(is_down);
        let parents: Option<Vec<_>> = down.map(|member| self.failing_parent_within(member, depth)).collect();
        parents?.first().copied()
    }

    /// Whether it is not certain yet that what the component at `place`, or a failing member of it, depends on works:
    /// it is in doubt, or was not looked at since the failure. Also whether the failing one may have recovered along
    /// with what it depends on.
    pub fn has_parent_in_doubt(&self, place: usize) -> bool {
        let entry = &self.components[place];
        let members = entry.members.iter().map(|member| &self.components[*member]);
        let down = members.filter(|member| member.condition() == Condition::Down);
        let mut failing = [entry].into_iter().chain(down);
        failing.any(|failing| self.has_doubted_parent(failing) || self.may_be_back_with_its_parent(failing))
    }

    /// Whether `failing` was not looked at since what it depends on came back up, or looks better since then but not
    /// yet for certain.
    fn may_be_back_with_its_parent(&self, failing: &ComponentEntry) -> bool {
        let parents = failing.parents.iter().map(|parent| &self.components[*parent]);
        let back = parents.filter(|parent| parent.condition() == Condition::Up).map(ComponentEntry::changed_at).max();
        let Some(back) = back.filter(|back| *back > failing.changed_at()) else { return false };
        failing.checks.iter().any(|check| {
            let CheckEntry { plan, state, .. } = &self.checks[*check];
            let is_better = state.doubt.as_ref().is_some_and(|doubt| doubt.towards < state.condition);
            let is_unseen = plan.is_asked && state.last_at.is_some_and(|last| last < back);
            state.condition >= Condition::Degraded && (is_better || is_unseen)
        })
    }

    fn has_doubted_parent(&self, failing: &ComponentEntry) -> bool {
        let mut checks = failing.parents.iter().flat_map(|parent| &self.components[*parent].checks);
        checks.any(|check| {
            let CheckEntry { plan, state, .. } = &self.checks[*check];
            let is_doubted = state.doubt.as_ref().is_some_and(|doubt| doubt.towards == Condition::Down);
            state.condition != Condition::Down && (is_doubted || is_unseen(plan, state, failing.changed_at()))
        })
    }

    /// Returns the checks of what the component of `check` depends on, as far as we look at them ourselves and have not
    /// since `from`.
    pub fn unseen_parents(&self, check: usize, from: Millis) -> Vec<usize> {
        let parents = &self.components[self.checks[check].component].parents;
        let checks = parents.iter().flat_map(|parent| self.components[*parent].checks.iter().copied());
        let unseen = |check: &usize| is_unseen(&self.checks[*check].plan, &self.checks[*check].state, from);
        checks.filter(unseen).collect()
    }

    /// Whether a look of ours reached another component at a public address after `from`, which is fine still; if so,
    /// our own line works. Reports from outside, and what is in our own network, prove nothing of it.
    pub fn saw_something_else(&self, place: usize, from: Millis) -> bool {
        let component = self.checks[place].component;
        let fine = |other: &CheckEntry| {
            other.component != component
                && other.state.condition == Condition::Up
                && other.state.doubt.is_none()
                && other.reached_at.is_some_and(|at| at > from)
        };
        self.checks.iter().any(fine)
    }

    fn follow(&mut self, place: usize, events: Vec<Event>) -> Taken {
        let mut taken = Taken::default();
        let changed = events.iter().filter_map(|event| match event {
            Event::Changed { from, to, .. } => Some((*from, *to)),
            Event::Blip { .. } => None,
        });
        let changed: Vec<_> = changed.collect();
        let Some((earliest, _)) = changed.first().copied() else { return Taken { events, ..taken } };
        let entry = &mut self.checks[place];
        let line = Arc::make_mut(&mut entry.line);
        for (from, to) in changed {
            line.set(from, to);
        }
        taken.rewrites.push(rewrite(&entry.plan.id, line, earliest));
        // While it was left out, its component was what the others made of it, and stays so.
        let from = entry.left_out.map_or(earliest, |(_, until)| earliest.max(until));
        let component = entry.component;
        self.recount(component, from, DEEPEST, &mut taken);
        Taken { events, ..taken }
    }

    /// Recomputes the component at `place` from its parts, from `from` on, and then all groups above it.
    fn recount(&mut self, place: usize, from: Millis, depth: usize, taken: &mut Taken) {
        let component = &self.components[place];
        let from = (from - self.reach(component)).max(component.since);
        let was = component.condition();
        let new = self.combined(place, from);
        let component = &mut self.components[place];
        let mut line = (*component.line).clone();
        for span in new.spans() {
            line.set(span.from, span.condition);
        }
        if line == *component.line {
            return;
        }
        taken.rewrites.push(rewrite(&component.plan.id, &line, from));
        component.line = Arc::new(line);
        let (is, changed_at) = (component.condition(), component.changed_at());
        if was != is {
            taken.changes.push(Change { component: place, from: changed_at, was, is });
        }
        if let Some(depth) = depth.checked_sub(1) {
            for group in component.groups.clone() {
                self.recount(group, from, depth, taken);
            }
        }
    }

    /// Returns how far back a result may change the past of `component`: places that look at the same thing agree later
    /// than the first of them saw it.
    fn reach(&self, component: &ComponentEntry) -> Millis {
        let plans = component.checks.iter().map(|check| &self.checks[*check].plan);
        plans.filter(|plan| plan.view.is_some()).map(|plan| plan.rules.interval).max().unwrap_or_default()
    }

    /// Returns how each check of `component` stood from `from` on. Places that look at the same thing have to agree
    /// first.
    fn lines_of_checks(&self, component: &ComponentEntry, from: Millis) -> Vec<Arc<Timeline>> {
        let mut seen: Vec<Seen<'_>> = Vec::with_capacity(component.checks.len());
        for check in &component.checks {
            let entry = &self.checks[*check];
            let (plan, line) = (&entry.plan, entry.counted_line());
            let (of, quorum) = (plan.looks_at(), plan.view.as_ref().map_or(1, |view| view.quorum));
            match seen.iter_mut().find(|one| one.of == of) {
                Some(one) => one.lines.push(line),
                None => seen.push(Seen { of, quorum, interval: plan.rules.interval, lines: vec![line] }),
            }
        }
        seen.iter().map(|one| one.over_time(from)).collect()
    }

    fn combined(&self, place: usize, from: Millis) -> Timeline {
        let component = &self.components[place];
        let checks = self.lines_of_checks(component, from);
        let checks: Vec<&Timeline> = checks.iter().map(|line| &**line).collect();
        if component.members.is_empty() {
            return combine(Needs::All, &checks, from);
        }
        let members: Vec<&Timeline> = component.members.iter().map(|member| &*self.components[*member].line).collect();
        let of_members = combine(component.plan.needs, &members, from);
        if checks.is_empty() {
            return of_members;
        }
        combine(Needs::All, &[&of_members, &combine(Needs::All, &checks, from)], from)
    }
}

/// Returns until when the latest result holds of those checks of a component that are no longer among `checks`. `None`
/// if there are none, or if a remaining check was made since.
fn held_by_the_gone(plan: &ComponentPlan, checks: &[CheckEntry], remembered: &Remembered) -> Option<Millis> {
    let own: Vec<_> = checks.iter().filter(|check| check.plan.component == plan.id).collect();
    let prefix = format!("{}/", plan.id);
    let known = remembered.states.range(prefix.clone()..).take_while(|(id, _)| id.starts_with(&prefix));
    let gone = known.filter(|(id, _)| own.iter().all(|check| check.plan.id != **id));
    let gone = gone.filter_map(|(_, state)| state.last_at).max()?;
    let is_last = own.iter().filter_map(|check| check.state.last_at).all(|seen| seen < gone);
    let holds = own.iter().map(|check| check.plan.rules.holds).max()?;
    is_last.then_some(gone + holds)
}

/// Returns from when `check` was left out, if it was: its last result holds no longer, and other checks of its component
/// were made after that without anybody noticing it. If we were off, all of them stopped at once.
fn left_out_since(check: &CheckEntry, all: &[CheckEntry], now: Millis) -> Option<Millis> {
    let CheckEntry { plan, state, component, .. } = check;
    if state.clone().expire(now, &plan.rules).is_empty() {
        return None;
    }
    let until = state.last_at? + plan.rules.holds;
    let was_made = |other: &&CheckEntry| other.state.last_at.is_some_and(|last| last > until);
    let made: Vec<_> = all.iter().filter(|other| other.component == *component).filter(was_made).collect();
    // A place that is silent counts for nothing anyway, as long as another looks at the same.
    let is_seen_elsewhere = made.iter().any(|other| other.plan.looks_at() == plan.looks_at());
    (!made.is_empty() && !is_seen_elsewhere).then_some(until)
}

/// Whether it was up or degraded when we last looked, and we have not looked since `from`.
fn is_unseen(plan: &CheckPlan, state: &CheckState, from: Millis) -> bool {
    let was_well = matches!(state.condition, Condition::Up | Condition::Degraded);
    plan.is_asked && was_well && state.last_at.is_some_and(|last| last < from)
}

/// The lines of a check from all places that look at it, and how many of them must agree.
struct Seen<'a> {
    of: &'a str,
    quorum: usize,
    interval: Millis,
    lines: Vec<Arc<Timeline>>,
}

impl Seen<'_> {
    fn over_time(&self, from: Millis) -> Arc<Timeline> {
        match &self.lines[..] {
            [only] => only.clone(),
            _ => {
                let lines: Vec<&Timeline> = self.lines.iter().map(|line| &**line).collect();
                Arc::new(places::over_time(self.quorum, self.interval, &lines, from))
            }
        }
    }
}

/// Returns the part of `line` to be stored, if it changed from `from` on.
fn rewrite(subject: &str, line: &Timeline, from: Millis) -> Rewrite {
    let touched = line.spans().iter().filter(|span| span.until.is_none_or(|until| until >= from));
    Rewrite { subject: subject.to_owned(), spans: touched.copied().collect() }
}
