//! What a change of a ticket means for its open alerts: other people to tell,
//! another escalation, or other words and hours for what is still unsent.
//!
//! The people who have the ticket now are told at once what those before them were
//! told; what is still unsent to the latter is withdrawn. Nobody is told twice, and
//! the time of the steps goes on: a change starts nothing over. While somebody holds
//! the alert nobody is told; they are told when the hold ends. A predicted alert is
//! told once the forecast knows of the change.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::about::About;
use super::escalate::{StepRun, escalation_of};
use super::memory::stage_of;
use super::{Evaluate, TurnContext};
use crate::alert::escalation::{Step, Target, recipients};
use crate::alert::life::{Asked, Life};
use crate::alert::on_call::Duty;
use crate::alert::policy::Escalation;
use crate::alert::{AlertKey, Stage, Subject};
use crate::store::StoreError;
use crate::store::alerts::{AlertRow, AlertTurn};
use crate::store::outbox::Unsaid;
use crate::store::tickets::OpenTickets;
use crate::ticket::watch::Watched;

/// How soon to look again whether a forecast knows of a change.
const LOOK_AGAIN: TimeDelta = TimeDelta::seconds(2);

/// Why people are told by a step because of the owner, group or client, by step and person.
type Roles = BTreeMap<(u32, String), String>;

impl Evaluate {
    /// Returns which of the alerts of `watched`, its `rows`, are open and concern other people than when they were told last.
    pub(super) fn changed(&self, context: &TurnContext<'_>, watched: &Watched, rows: &[AlertRow]) -> Vec<AlertKey> {
        let is_changed = |row: &&AlertRow| self.is_changed(context, row, About::Ticket(watched));
        rows.iter().filter(is_changed).map(|row| row.key.clone()).collect()
    }

    fn is_changed(&self, context: &TurnContext<'_>, row: &AlertRow, about: About<'_>) -> bool {
        let is_concerned = row.raised.resolved_as.is_none() && row.told && about.is_of(&row.key);
        let subject = about.subject(context);
        let is_reassigned = row.asked.as_ref().is_some_and(|asked| asked.differs(subject, context.people));
        is_concerned && (is_reassigned || self.chosen(row, subject).name != row.escalation)
    }

    /// Returns the escalation that an alert of this stage about `subject` would follow now.
    fn chosen(&self, row: &AlertRow, subject: Subject<'_>) -> &Escalation {
        self.config.escalation_for(subject, row.raised.stage)
    }

    /// Does what the changes of the tickets of these alerts call for. Returns when to look again at those that wait for a
    /// forecast.
    pub(super) async fn follow(
        &mut self,
        context: &TurnContext<'_>,
        open: &OpenTickets,
        changed: Vec<AlertKey>,
        moved: &BTreeSet<AlertKey>,
        work: &mut AlertTurn,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.awaiting_forecasts.retain(|key, _| key.tenant != context.tenant.id || changed.contains(key));
        let mut again = None;
        for key in changed {
            let Some((about, row)) = context.about(open, &key).zip(self.memory.get(&key).cloned()) else { continue };
            let has_moved = moved.contains(&key);
            if row.life.held().is_some() || !(has_moved || self.is_changed(context, &row, about)) {
                continue;
            }
            if !has_moved && self.awaits_forecast(context, about, &row) {
                again = Some(context.now + LOOK_AGAIN * i32::try_from(self.clock.speed()).unwrap_or(i32::MAX));
                continue;
            }
            let reopened = work.reopened.iter().any(|(reopened, _)| *reopened == key);
            let unsaid = self.store.unsaid(&key, reopened).await?;
            let row = if self.chosen(&row, about.subject(context)).name == row.escalation {
                self.follow_owner(context, about, row, (unsaid, has_moved), work)
            } else {
                self.follow_escalation(context, about, row, unsaid, work)
            };
            work.alerts.push(self.memory.put(row));
        }
        Ok(again)
    }

    /// Whether what the forecast says of `row` is from before the change of its ticket was read: it may be about the
    /// former owner. A forecast that is no longer renewed is not waited for.
    fn awaits_forecast(&mut self, context: &TurnContext<'_>, about: About<'_>, row: &AlertRow) -> bool {
        let About::Ticket(watched) = about else { return false };
        if row.raised.stage != Stage::Predicted {
            return false;
        }
        let read_at = *self.awaiting_forecasts.entry(row.key.clone()).or_insert(watched.read_at);
        let forecasts = context.forecasts;
        let waits = forecasts.are_fresh(context.now) && forecasts.at.is_some_and(|at| at < read_at);
        if !waits {
            self.awaiting_forecasts.remove(&row.key);
        }
        waits
    }

    /// Tells the people who have the ticket now what the steps so far told those before them. With another priority or due
    /// time, what is still unsent is told anew: what waits for the morning because it was not urgent may be urgent now.
    fn follow_owner(
        &mut self,
        context: &TurnContext<'_>,
        about: About<'_>,
        mut row: AlertRow,
        (unsaid, has_moved): (Vec<Unsaid>, bool),
        work: &mut AlertTurn,
    ) -> AlertRow {
        let config = self.config.clone();
        let subject = about.subject(context);
        let steps = run_steps(&escalation_of(&config, &row, subject).steps, &row);
        let former = row.asked.replace(Asked::of(subject, context.people)).unwrap_or_default();
        let is_anew = has_moved || former.has_other_priority(subject);
        let (before, after) = (roles(steps, former.had(subject), context), roles(steps, subject, context));
        let reached = |targets: &[Target]| recipients(targets, subject, context.people, &context.duty);
        let is_still_meant = |one: &Unsaid| {
            let step = usize::try_from(one.step).ok().and_then(|index| steps.get(index));
            step.is_some_and(|step| reached(&step.notify).iter().any(|person| person.id == one.recipient))
        };
        let (anew, unsaid): (Vec<_>, Vec<_>) =
            unsaid.into_iter().partition(|one| is_anew && is_unsent(one, &row) && is_still_meant(one));
        let is_void = |one: &Unsaid| {
            let role = (one.step, one.recipient.clone());
            let differs = |was: &String| after.get(&role).is_none_or(|is| is != was && !one.is_leaving);
            before.get(&role).is_some_and(differs)
        };
        let unsent: BTreeSet<String> = anew.iter().map(|one| one.recipient.clone()).collect();
        self.withdraw(&row, unsaid.into_iter().filter(is_void).chain(anew), work);
        // Who is on call is decided when a step runs, and not again: only who has not heard yet is told anew.
        let is_meant = |target: &Target| {
            !matches!(target, Target::OnCall(_))
                || reached(std::slice::from_ref(target)).iter().any(|person| unsent.contains(&person.id))
        };
        self.catch_up(context, about, &row, steps, is_meant, work);
        row
    }

    /// Switches to another escalation: tells the people whom its steps would have reached by now, and goes on.
    fn follow_escalation(
        &mut self,
        context: &TurnContext<'_>,
        about: About<'_>,
        mut row: AlertRow,
        unsaid: Vec<Unsaid>,
        work: &mut AlertTurn,
    ) -> AlertRow {
        let config = self.config.clone();
        let subject = about.subject(context);
        let chosen = config.escalation_for(subject, row.raised.stage);
        chosen.name.clone_into(&mut row.escalation);
        row.ack_expires = chosen.ack_expires;
        let former = row.asked.replace(Asked::of(subject, context.people)).unwrap_or_default();
        let is_anew = former.has_other_priority(subject);
        let has_run = row.step > 0;
        let due = |step: &&Step| has_run && row.steps_from + step.after <= context.now;
        let steps = &chosen.steps[..chosen.steps.iter().take_while(due).count()];
        let meant = steps.iter().flat_map(|step| recipients(&step.notify, subject, context.people, &context.duty));
        let meant: BTreeSet<String> = meant.map(|recipient| recipient.id).collect();
        let is_void = |one: &Unsaid| !meant.contains(&one.recipient) || (is_anew && is_unsent(one, &row));
        self.withdraw(&row, unsaid.into_iter().filter(is_void), work);
        let reached = self.catch_up(context, about, &row, steps, |_| true, work);
        // If nobody is reached, it begins with the first step: steps that reach nobody are passed over.
        row.step = if reached { u32::try_from(steps.len()).unwrap_or(u32::MAX) } else { 0 };
        let next = chosen.steps.get(if reached { steps.len() } else { 0 });
        row.next_step_at = next.map(|next| (row.steps_from + next.after).max(context.now));
        if row.life.again {
            row.next_step_at = Some(context.now);
        }
        row
    }

    fn withdraw(&mut self, row: &AlertRow, void: impl Iterator<Item = Unsaid>, work: &mut AlertTurn) {
        for one in void {
            self.memory.untell(row, &one);
            work.withdrawn.push(one.key);
        }
    }

    /// Tells the targets of `steps` that are `meant` and were not told before. False if they reach nobody.
    fn catch_up(
        &mut self,
        context: &TurnContext<'_>,
        about: About<'_>,
        row: &AlertRow,
        steps: &[Step],
        meant: impl Fn(&Target) -> bool,
        work: &mut AlertTurn,
    ) -> bool {
        // If a hold has just ended, it is the next step that tells people again.
        let row = &AlertRow { life: Life { again: false, ..row.life.clone() }, ..row.clone() };
        let Some(case) = &about.case(context, &row.key) else { return false };
        let mut reached = false;
        for (index, step) in steps.iter().enumerate() {
            let targets: Vec<Target> = step.notify.iter().filter(|target| meant(target)).cloned().collect();
            reached |= self.tell(context, &StepRun { case, row, index, step }, &targets, work);
        }
        reached
    }
}

/// Whether nobody can have got `one`, of the present stage of `row`.
fn is_unsent(one: &Unsaid, row: &AlertRow) -> bool {
    !one.is_leaving && one.stage == stage_of(row)
}

/// Returns the steps that have run.
fn run_steps<'s>(steps: &'s [Step], row: &AlertRow) -> &'s [Step] {
    &steps[..usize::try_from(row.step).unwrap_or(usize::MAX).min(steps.len())]
}

fn roles(steps: &[Step], subject: Subject<'_>, context: &TurnContext<'_>) -> Roles {
    let mut roles = Roles::new();
    for (index, step) in (0..).zip(steps) {
        let targets: Vec<Target> = step.notify.iter().filter(|target| target.is_of_owner()).cloned().collect();
        for person in recipients(&targets, subject, context.people, &Duty::new()) {
            roles.insert((index, person.id), person.because);
        }
    }
    roles
}
