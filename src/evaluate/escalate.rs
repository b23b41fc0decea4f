//! One turn of the escalation: each alert whose step is due runs it, and the
//! notifications go to the outbox.
//!
//! A step that reaches nobody is passed over at once. After a standstill only the
//! step that is current now runs; steps missed meanwhile are not made up for.

use std::collections::HashMap;

use tracing::{info, warn};

use super::about::{About, Case};
use super::commit::Commit;
use super::memory::stage_of;
use super::steps::{is_retry, reaches_nobody, steps_to_run};
use super::write_back::Ran;
use super::{Evaluate, TurnContext, write_back};
use crate::alert::escalation::{ChannelKind, Recipient, Step, Target, chiefs, owner, recipients};
use crate::alert::life::{Asked, Life, last_moved};
use crate::alert::noise::{ChannelChoice, is_urgent, most_urgent};
use crate::alert::policy::Escalation;
use crate::alert::{AlertKey, AlertKind, Stage, Subject};
use crate::config::Config;
use crate::notify::sms::e164;
use crate::notify::{Body, Message};
use crate::sla::zone::Tz;
use crate::store::StoreError;
use crate::store::alerts::{AlertRow, AlertTurn};
use crate::store::outbox::{NewNotification, Reader, notification_key};
use crate::store::tickets::OpenTickets;

/// How many steps are written together.
const PART: usize = 500;

impl Evaluate {
    /// Ends the acknowledgements and snoozes whose time is up, unless something happened on the ticket. Returns the
    /// alerts concerned.
    pub(super) async fn end_holds(
        &mut self,
        context: &TurnContext<'_>,
        open: &OpenTickets,
        work: &mut AlertTurn,
    ) -> Result<Vec<AlertKey>, StoreError> {
        let mut ended = Vec::new();
        for key in self.memory.ended_holds(&context.tenant.id, context.now) {
            let moved_at = match key.ticket() {
                Some(ticket) => {
                    let own = self.store.own_touches(&key.tenant, ticket).await?;
                    open.get(ticket).and_then(|watched| last_moved(watched, &own))
                }
                // What people do about a service is not visible here.
                None => None,
            };
            let after = self.memory.get(&key).and_then(|row| row.after_hold(moved_at, context.now));
            let Some(row) = after else { continue };
            if row.life.held().is_none() {
                let alert =
                    context.about(open, &key).map(|about| about.alert_words(&key)).unwrap_or_else(|| key.to_string());
                info!(tenant = %key.tenant, ticket.id = %key.subject, alert.id = %key.id(),
                    "the acknowledgement of {alert} has expired; its escalation continues");
            }
            // A turn may change an alert more than once; the last change holds.
            work.alerts.push(self.memory.put(row));
            ended.push(key);
        }
        Ok(ended)
    }

    /// Runs the steps that are due, and writes the results in parts if there are many. Returns the last part, and
    /// whether another step is due at once.
    pub(super) async fn escalate(
        &mut self,
        context: &TurnContext<'_>,
        open: &OpenTickets,
        mut work: AlertTurn,
        commit: &mut Commit,
    ) -> (AlertTurn, bool) {
        // An alert is written once, as its step leaves it.
        let raised = std::mem::take(&mut work.alerts).into_iter();
        let mut raised: HashMap<_, _> = raised.map(|row| (row.key.clone(), row)).collect();
        let due = self.memory.due_steps(&context.tenant.id, context.now);
        let mut onward = false;
        for (index, key) in due.iter().enumerate() {
            let Some(about) = context.about(open, key) else { continue };
            if context.is_covered(about) || about.rests(key) {
                // Nobody is told for now, so the step waits.
                continue;
            }
            if let Some(row) = self.run_due_step(context, about, key, &mut work) {
                raised.remove(key);
                onward |= row.next_step_at.is_some_and(|at| at <= context.now);
                work.alerts.push(self.memory.put(row));
            }
            if (index + 1) % PART == 0 {
                // The note of a breach waits for the step of its alert, so that one note says both.
                let write_backs = std::mem::take(&mut work.write_backs);
                let next = AlertTurn { write_backs, ..AlertTurn::default() };
                commit.part(std::mem::replace(&mut work, next)).await;
            }
        }
        work.alerts.extend(raised.into_values());
        (work, onward)
    }

    /// Runs the current step, passing over those that reach nobody.
    fn run_due_step(
        &mut self,
        context: &TurnContext<'_>,
        about: About<'_>,
        key: &AlertKey,
        work: &mut AlertTurn,
    ) -> Option<AlertRow> {
        let config = self.config.clone();
        let mut row = self.memory.get(key)?.clone();
        let subject = about.subject(context);
        let steps = &escalation_of(&config, &row, subject).steps;
        let case = &about.case(context, key)?;
        let mut indices = steps_to_run(steps, &row, context).into_iter();
        let found = indices.find(|index| {
            let run = StepRun { case, row: &row, index: *index, step: &steps[*index] };
            self.run_step(context, &run, steps, work)
        });
        let found = found.or_else(|| self.tell_whoever_answers(context, case, &row, steps, work).then_some(0));
        let again = std::mem::take(&mut row.life.again);
        row.life.hurried = false;
        let Some(index) = found else {
            return Some(reaches_nobody(row, steps, &about.alert_words(key), context));
        };
        row.asked = Some(Asked::of(subject, context.people));
        let step = &steps[index];
        if again {
            // The time in which somebody held it does not count: the steps stay as far apart as before.
            row.steps_from = context.now - step.after;
        } else if row.step == 0 {
            // It may have waited long for somebody who can be reached.
            row.steps_from = row.steps_from.max(context.now - steps[0].after);
        }
        row.step = u32::try_from(index + 1).unwrap_or(u32::MAX).max(if again { row.step } else { 0 });
        // Nobody owns it, so there is no technician to wait for: the next step follows at once.
        let is_unowned = key.ticket().is_some() && owner(subject, context.people).is_none();
        let onward = is_unowned && step.notify.contains(&Target::Technician);
        row.next_step_at = steps
            .get(usize::try_from(row.step).unwrap_or(usize::MAX))
            .map(|next| if onward { context.now } else { (row.steps_from + next.after).max(context.now) });
        Some(row)
    }

    /// Tells the people of one step. False if it reaches nobody at all.
    fn run_step(&mut self, context: &TurnContext<'_>, run: &StepRun<'_>, steps: &[Step], work: &mut AlertTurn) -> bool {
        let StepRun { case, row, index, step } = *run;
        let told_from = work.notifications.len();
        let reached = self.tell(context, run, &step.notify, work);
        if reached {
            if let Case::Clock { watched, clock } = case {
                write_back::ran(context, watched, clock, &Ran { row, index, step, told_from }, work);
            }
        } else if !is_retry(row, steps) {
            // Counted from 1, as in messages and on the page.
            let (key, number, alert) = (&row.key, index + 1, case.about().alert_words(&row.key));
            warn!(tenant = %key.tenant, ticket.id = %key.subject, alert.id = %key.id(), step = number,
                "escalation step {number} of {alert} reaches nobody; going on to the next");
        }
        reached
    }

    /// Tells somebody of a component whose steps reach nobody, since the usual steps name people around a ticket: those
    /// who are told of stale data, or else those responsible for the desk. False if there is nobody or no need.
    fn tell_whoever_answers(
        &mut self,
        context: &TurnContext<'_>,
        case: &Case<'_>,
        row: &AlertRow,
        steps: &[Step],
        work: &mut AlertTurn,
    ) -> bool {
        let Some(step) = steps.first().filter(|_| row.step == 0 && row.key.ticket().is_none()) else { return false };
        let watchers: Vec<Recipient> = self.config.watchers().iter().filter_map(Target::by_itself).collect();
        let whom = if watchers.is_empty() { chiefs(context.people) } else { watchers };
        self.tell_people(context, &StepRun { case, row, index: 0, step }, whom, work)
    }

    /// Tells systems again that were told that these alerts had ended, if the steps so far reached them: the same
    /// incident is triggered again there. People know already. While somebody holds an alert, that waits for the end.
    pub(super) async fn tell_systems_again(
        &mut self,
        context: &TurnContext<'_>,
        open: &OpenTickets,
        keys: Vec<AlertKey>,
        work: &mut AlertTurn,
    ) -> Result<(), StoreError> {
        for key in keys {
            let Some((about, row)) = context.about(open, &key).zip(self.memory.get(&key).cloned()) else { continue };
            if !row.told || row.raised.resolved_as.is_some() || row.life.held().is_some() {
                continue;
            }
            let over = self.store.told_of_the_end(&key).await?;
            let Some(case) = about.case(context, &key).filter(|_| !over.is_empty()) else { continue };
            let config = self.config.clone();
            let steps = &escalation_of(&config, &row, about.subject(context)).steps;
            let again = AlertRow { life: Life { again: true, ..row.life.clone() }, ..row.clone() };
            for (index, step) in steps.iter().enumerate().take(usize::try_from(row.step).unwrap_or(usize::MAX)) {
                let systems = recipients(&step.notify, about.subject(context), context.people, &context.duty);
                let systems =
                    systems.into_iter().filter(|one| one.system.is_some() && over.contains(&one.id)).collect();
                self.tell_people(context, &StepRun { case: &case, row: &again, index, step }, systems, work);
            }
        }
        Ok(())
    }

    /// Tells those of `targets` who were not told before, or all if it is told again. False if they reach nobody.
    pub(super) fn tell(
        &mut self,
        context: &TurnContext<'_>,
        run: &StepRun<'_>,
        targets: &[Target],
        work: &mut AlertTurn,
    ) -> bool {
        let people = recipients(targets, run.case.about().subject(context), context.people, &context.duty);
        self.tell_people(context, run, people, work)
    }

    fn tell_people(
        &mut self,
        context: &TurnContext<'_>,
        run: &StepRun<'_>,
        people: Vec<Recipient>,
        work: &mut AlertTurn,
    ) -> bool {
        let StepRun { case, row, index, step } = *run;
        let subject = case.about().subject(context);
        let mut reached = false;
        for recipient in people {
            let recipient = self.reachable(recipient);
            let stage = row.raised.stage;
            let wanted = match self.personal_rules.in_force().wish(&recipient, stage, context.now) {
                ChannelChoice::None => step.channels_at(stage),
                ChannelChoice::By(channels) => channels,
                ChannelChoice::Never => {
                    // A person who wants to hear nothing of it still counts as reached, except for a breach.
                    reached |= stage != Stage::Breached;
                    continue;
                }
            };
            let escalation = escalation_of(&self.config, row, subject);
            let may_use = |kind| escalation.may_use(step, kind, stage) || wanted.contains(&kind);
            let routes = self.routes(&recipient, wanted, may_use);
            // A number that is kept for worse alerts does not make the step reach nobody.
            reached |= !routes.is_empty() || self.is_kept_for_calls(&recipient);
            reached |= stage == Stage::Predicted && recipient.address(ChannelKind::Sms).is_some();
            for (channel, fallback) in routes {
                let again = row.life.again && !is_told_in(work, row, &recipient, channel);
                if self.memory.was_told(row, &recipient.id, channel) && !again {
                    continue;
                }
                let facts = case.facts(self.links(context.tenant), context, row, index, &recipient);
                let new =
                    self.notification(context, case, row, index, &recipient, channel, fallback, Body::Alert(facts));
                work.notifications.push(new);
                self.memory.tell(row, &recipient.id, channel);
            }
        }
        reached
    }

    /// Returns the recipient with phone numbers only if they can be dialled, and with the topic configured for this
    /// person. A recipient named by an address is told only there.
    pub(super) fn reachable(&self, recipient: Recipient) -> Recipient {
        let phone = recipient.phone.as_deref().and_then(e164);
        let person = recipient.name.as_ref().and(recipient.email.as_deref());
        let call = recipient.call.as_deref().and_then(e164);
        let topic = person.and_then(|email| self.config.notify.ntfy.as_ref()?.topic_of(email)).map(str::to_owned);
        Recipient { phone, call, topic: topic.or(recipient.topic), ..recipient }
    }

    /// Whether it is a number that a step names for calls only.
    fn is_kept_for_calls(&self, recipient: &Recipient) -> bool {
        let has = |channel| recipient.address(channel).is_some();
        self.channels.contains(&ChannelKind::Voice) && has(ChannelKind::Voice) && !has(ChannelKind::Sms)
    }

    /// Returns the channels to tell `recipient` by, each with those to fall back on.
    pub(super) fn routes(
        &self,
        recipient: &Recipient,
        wanted: &[ChannelKind],
        may_use: impl Fn(ChannelKind) -> bool,
    ) -> Vec<(ChannelKind, Vec<(ChannelKind, String)>)> {
        let usable = self.channels.iter().copied().filter(|channel| may_use(*channel));
        let open: Vec<_> = usable.filter(|channel| recipient.address(*channel).is_some()).collect();
        let mut chosen: Vec<_> = open.iter().copied().filter(|channel| wanted.contains(channel)).collect();
        if chosen.is_empty() {
            // Better another way than not at all.
            chosen.extend(open.first());
        }
        let spare = |channel: &&ChannelKind| !chosen.contains(channel);
        let with_address = |channel: &ChannelKind| Some((*channel, recipient.address(*channel)?.to_owned()));
        let fallback: Vec<_> = open.iter().filter(spare).filter_map(with_address).collect();
        chosen.iter().map(|channel| (*channel, fallback.clone())).collect()
    }

    #[expect(clippy::too_many_arguments, reason = "a notification is made of all of these, and only here")]
    fn notification(
        &self,
        context: &TurnContext<'_>,
        case: &Case<'_>,
        row: &AlertRow,
        step: usize,
        recipient: &Recipient,
        channel: ChannelKind,
        fallback: Vec<(ChannelKind, String)>,
        body: Body,
    ) -> NewNotification {
        let alert_key = row.key.to_string();
        let stage = stage_of(row);
        let key = key_of_notification(row, &stage, recipient, channel, step);
        let priority = case.about().subject(context).priority;
        let reader = self.reader(context, recipient, priority);
        // A component without a priority is urgent while it is down.
        let is_down = row.key.kind == AlertKind::Outage && priority.is_none() && row.raised.stage == Stage::Breached;
        NewNotification {
            tenant: context.tenant.id.clone(),
            ticket_id: Some(row.key.subject.to_string()),
            kind: "alert",
            stage,
            step: u32::try_from(step).unwrap_or(u32::MAX),
            channel,
            recipient: recipient.id.clone(),
            fallback,
            message: Message {
                key,
                // Two people may share a mailbox: news for one is not a repeat of what the other was told.
                thread: format!("{alert_key}:{}", recipient.id),
                continues_thread: self.memory.continues_thread(row, &recipient.id),
                to: recipient.address(channel).unwrap_or_default().to_owned(),
                to_name: recipient.name.clone(),
                timezone: self.zone_of(recipient).or(case.zone(context)).unwrap_or_default(),
                body,
            },
            due_at: said_from(row, case, context),
            created_at: context.now,
            reader: Reader { urgent: reader.urgent || is_down, timely: row.life.hurried, ..reader },
            alert_key,
        }
    }

    /// Returns the time zone that this person has chosen.
    pub(super) fn zone_of(&self, recipient: &Recipient) -> Option<Tz> {
        self.personal_rules.in_force().personal(recipient.person_key().as_deref())?.zone
    }

    /// Returns the reader of what `recipient` is told about a ticket of this `priority`.
    pub(super) fn reader(&self, context: &TurnContext<'_>, recipient: &Recipient, priority: Option<&str>) -> Reader {
        let named: Vec<&str> = self.config.alerts.noise.urgent.iter().map(String::as_str).collect();
        let urgent = if named.is_empty() { most_urgent(&context.people.priorities) } else { named };
        // If two people share a mailbox, what one has heard the other has not.
        let person = match recipient.person_key() {
            Some(key) if context.people.is_shared(&key) => Some(format!("{key} {}", recipient.id)),
            key => key,
        };
        Reader {
            person,
            zone: self.zone_of(recipient).or(self.zone_of_tenant(context.tenant)),
            urgent: is_urgent(priority, &urgent),
            timely: false,
        }
    }
}

/// Whether this turn already tells this person of the alert by this channel.
fn is_told_in(work: &AlertTurn, row: &AlertRow, recipient: &Recipient, channel: ChannelKind) -> bool {
    let alert = row.key.to_string();
    let mut told = work.notifications.iter();
    told.any(|one| one.alert_key == alert && one.recipient == recipient.id && one.channel == channel)
}

/// One step of an alert's escalation, with all that is known about the alert.
#[derive(Clone, Copy)]
pub(super) struct StepRun<'a> {
    pub case: &'a Case<'a>,
    pub row: &'a AlertRow,
    pub index: usize,
    pub step: &'a Step,
}

/// Returns the escalation that an alert follows; if it is no longer configured, the one that would hold now.
pub(super) fn escalation_of<'c>(config: &'c Config, row: &AlertRow, subject: Subject<'_>) -> &'c Escalation {
    let chosen = || config.escalation_for(subject, row.raised.stage);
    config.escalation(&row.escalation).unwrap_or_else(chosen)
}

/// Returns the key of what one person is told on one step. If it is told again, it gets a key of its own.
fn key_of_notification(
    row: &AlertRow,
    stage: &str,
    recipient: &Recipient,
    channel: ChannelKind,
    step: usize,
) -> String {
    let (alert, step, generation) = (row.key.to_string(), step.to_string(), row.generation.to_string());
    let mut parts = vec![alert.as_str(), stage, &recipient.id, channel.as_str(), &step];
    if row.life.again {
        parts.push(&generation);
    }
    notification_key(&parts)
}

/// Returns when this should have been told: when the clock called for it, or when the step fell due.
fn said_from(row: &AlertRow, case: &Case<'_>, context: &TurnContext<'_>) -> chrono::DateTime<chrono::Utc> {
    match case.called_for(row.raised.stage) {
        // Only the first step is due to the clock, the others to the escalation.
        Some(at) if row.step == 0 && at <= context.now && row.raised_at == context.now => at.max(row.raised_at - GRACE),
        _ => row.next_step_at.unwrap_or(context.now).min(context.now),
    }
}

/// The longest delay that counts. A clock found later, after a standstill or a change at SuperOps, counts as due this
/// long before it was found.
const GRACE: chrono::TimeDelta = chrono::TimeDelta::seconds(30);
