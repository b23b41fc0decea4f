//! Looks at one ticket and finds what each of its clocks calls for now.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::about::About;
use super::memory::raised;
use super::quiet::Quiet;
use super::{Evaluate, TurnContext, cores, key_of};
use crate::alert::life::Asked;
use crate::alert::prediction::refine;
use crate::alert::{self, AlertKey, Decision, Reason, Stage};
use crate::sla::clock::{ClockState, Clocks};
use crate::store::alerts::AlertTurn;
use crate::ticket::ClockKind;
use crate::ticket::watch::Watched;

/// How long, in wall time, the breach of a first response waits for a last look at the conversation.
const FOR_A_LOOK: TimeDelta = TimeDelta::seconds(5);

/// So many histories are walked before what they call for is done.
const AT_A_TIME: usize = 2048;

/// What the looks at a tenant's tickets have shown.
#[derive(Default)]
pub(super) struct Findings<'a> {
    pub work: AlertTurn,
    /// Clocks that were already missed when the watch began.
    pub known: Vec<(Arc<Watched>, ClockState<'a>)>,
    /// Alerts whose ticket has another owner, group or client, or calls for another escalation.
    pub changed: Vec<AlertKey>,
    /// Alerts whose clock is due at another time than when they were raised.
    pub moved: BTreeSet<AlertKey>,
    pub raised: usize,
}

/// What a look at a ticket has shown.
struct Look<'a> {
    clocks: Clocks,
    /// The clocks that call for something.
    called: Vec<(ClockState<'a>, Decision)>,
    /// Its alerts about which other people are to be told than last time.
    changed: Vec<AlertKey>,
    /// When its standing changes next by the passing of time.
    next_change: Option<DateTime<Utc>>,
    /// Whether it needs no look until then.
    calm: bool,
}

impl Evaluate {
    /// Looks at these tickets, and does what they call for. After a start all of a desk's histories are new: looks are taken
    /// on all cores, and some at a time, so that memory holds few of them twice.
    pub(super) fn look_at_all<'a>(
        &mut self,
        context: &TurnContext<'a>,
        watched: &[&Arc<Watched>],
        quiet: &mut Quiet,
        found: &mut Findings<'a>,
    ) {
        for some in watched.chunks(AT_A_TIME) {
            let looks = cores::map(some, |watched| self.look_at(context, watched, quiet));
            for (watched, look) in some.iter().zip(looks) {
                quiet.keep(watched, look.clocks, look.next_change, look.calm);
                let is_called = !look.called.is_empty();
                for (clock, decision) in look.called {
                    self.act_on(context, watched, clock, decision, found);
                }
                // What was done may have opened an alert again, which then concerns who has the ticket now.
                let rows = || self.memory.of_ticket(&context.tenant.id, &watched.ticket.id);
                found.changed.extend(if is_called { self.changed(context, watched, rows()) } else { look.changed });
            }
        }
    }

    /// Looks at the clocks of a ticket.
    fn look_at<'a>(&self, context: &TurnContext<'a>, watched: &Arc<Watched>, quiet: &Quiet) -> Look<'a> {
        let rows = self.memory.of_ticket(&context.tenant.id, &watched.ticket.id);
        let clocks = quiet.clocks(watched, context.rules);
        let (mut next_change, mut calm, mut called) = (None, true, Vec::new());
        for (clock, before) in clocks.at(watched, context.rules, context.now).into_iter().zip(raised(rows, watched)) {
            next_change = next_change.into_iter().chain(clock.next_change).min();
            let decision = alert::decide(&clock, context.known_by(watched), before.as_ref());
            let call = context.forecasts.call(&watched.ticket.id, clock.kind);
            let decision = refine(decision, &clock, before.as_ref(), call);
            let decision = alert::note_move(decision, &clock, before.as_ref());
            if let Some(until) = self.waits_for_a_look(context, watched, &clock, decision) {
                next_change = next_change.into_iter().chain([until]).min();
                calm = false;
            } else if decision != Decision::Keep {
                called.push((clock, decision));
            }
        }
        let changed = self.changed(context, watched, rows);
        calm &= called.is_empty() && changed.is_empty();
        Look { clocks, called, changed, next_change, calm }
    }

    /// Returns until when at most the breach of a first response waits for a last look, if it does.
    fn waits_for_a_look(
        &self,
        context: &TurnContext<'_>,
        watched: &Watched,
        clock: &ClockState<'_>,
        decision: Decision,
    ) -> Option<DateTime<Utc>> {
        let is_missed = matches!(decision, Decision::Raise { stage: Stage::Breached, reason: Reason::Missed, .. });
        let from = clock.breached_from.filter(|_| is_missed && clock.kind == ClockKind::FirstResponse)?;
        let until = from + FOR_A_LOOK * i32::try_from(self.clock.speed()).unwrap_or(i32::MAX);
        let waits = context.now < until && self.last_looks.waits(&context.tenant.id, &watched.ticket.id, from);
        waits.then_some(until)
    }

    fn act_on<'a>(
        &mut self,
        context: &TurnContext<'a>,
        watched: &Arc<Watched>,
        clock: ClockState<'a>,
        decision: Decision,
        found: &mut Findings<'a>,
    ) {
        match decision {
            Decision::Keep => {}
            Decision::Known { reason } if context.may_tell_known && self.knows_people(context, watched) => {
                if context.is_covered(About::Ticket(watched)) || self.first_reached(context, watched).is_empty() {
                    // No digest can tell it now, so it becomes an ordinary alert, which waits or logs an error.
                    let decision = Decision::Raise { stage: Stage::Breached, episode: 0, reason };
                    return self.act_on(context, watched, clock, decision, found);
                }
                let key = key_of(context, watched, clock.kind);
                let escalation = self.config.escalation_for(context.subject(watched), Stage::Breached);
                let asked = Asked::of(context.subject(watched), context.people);
                found.work.alerts.push(self.memory.known(key, &clock, reason, escalation, asked, context.now));
                found.known.push((watched.clone(), clock));
            }
            // A first sync is still under way: all known breaches are told together when it is done.
            Decision::Known { .. } => {}
            decision => {
                found.raised += usize::from(matches!(decision, Decision::Raise { .. }));
                if decision == Decision::Move {
                    let key = key_of(context, watched, clock.kind);
                    found.changed.push(key.clone());
                    found.moved.insert(key);
                }
                self.apply(context, watched, &clock, key_of(context, watched, clock.kind), decision, &mut found.work);
            }
        }
    }

    /// Whether it can be known whom to tell: the list of people may not have been read yet.
    fn knows_people(&self, context: &TurnContext<'_>, watched: &Watched) -> bool {
        !context.people.technicians.is_empty() || !self.first_reached(context, watched).is_empty()
    }
}
