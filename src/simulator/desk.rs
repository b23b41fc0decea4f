//! The living desk: tickets arrive, get answered, wait, go on, change hands, are solved, come back, disappear.
//!
//! Everything is an entry in an agenda, decided when its cause happened and
//! carried out at its own time. Catching up in one step or in a thousand gives
//! the same tickets. Some technicians, groups and categories are reliably
//! slower than others, so that a forecast has something to learn.

mod opening;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc, Weekday};
use fastrand::Rng;

use super::SimOptions;
use super::msp::Customer;
use super::subjects::{HOSTILE, REQUESTERS, TRADES, Trade, ten_kilobytes};
use super::targets::{PRIORITIES, Target, target};
use super::ticket::{Ref, SimTicket, Talk, TalkKind};
use super::world::{World, blank_ticket};
use crate::ticket::StatusMeaning;

/// A share as long as is wanted is drawn within so many tries, or not at all.
const TRIES: usize = 12;
/// The group for what takes longer; it also gets what others hand up.
const PROJECTS: usize = 2;

/// What is going to happen; the number is the ticket's index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    Arrive,
    Reply(usize),
    Pause(usize),
    Resume(usize),
    Reassign(usize),
    Resolve(usize),
    Close(usize),
    Reopen(usize),
    Delete(usize),
    Restore(usize),
}

/// The people at work, seen as an agenda.
pub struct Desk {
    rng: Rng,
    /// Soonest first; the number keeps entries of one moment in the order they were made.
    agenda: BinaryHeap<Reverse<(DateTime<Utc>, u64, Act)>>,
    entries: u64,
    /// New tickets in a busy hour.
    per_hour: f64,
    /// There are tickets of the last two months.
    has_past: bool,
}

impl Desk {
    /// Fills `world` with the tickets of a desk at work and looks ahead from `now`.
    ///
    /// A twelfth of the open tickets arrives in a busy hour: about as many as get solved, so the pile keeps its size.
    pub fn open(world: &mut World, options: &SimOptions, now: DateTime<Utc>) -> Self {
        let per_hour = (options.tickets as f64 / 12.0).clamp(4.0, 1_000.0) * options.busy.max(0.01);
        let rng = Rng::with_seed(options.seed);
        let has_past = options.past > 0;
        let mut desk = Self { rng, agenda: BinaryHeap::new(), entries: 0, per_hour, has_past };
        if !options.empty {
            desk.fill(world, options.tickets, now);
            desk.remember(world, options.past, now);
        }
        desk.expect_next_arrival(now);
        desk
    }

    /// Carries out what was due by `now`.
    pub fn catch_up(&mut self, world: &mut World, now: DateTime<Utc>) {
        while let Some(Reverse((at, _, act))) = self.agenda.peek().copied().filter(|Reverse((at, ..))| *at <= now) {
            self.agenda.pop();
            self.carry_out(world, act, at);
        }
    }

    fn at(&mut self, when: DateTime<Utc>, act: Act) {
        self.entries += 1;
        self.agenda.push(Reverse((when, self.entries, act)));
    }

    fn carry_out(&mut self, world: &mut World, act: Act, at: DateTime<Utc>) {
        match act {
            Act::Arrive => self.arrive(world, at),
            Act::Reply(index) => self.reply(world, index, at),
            Act::Pause(index) => self.pause(world, index, at),
            Act::Resume(index) => resume(world, index, at),
            Act::Reassign(index) => self.reassign(world, index, at),
            Act::Resolve(index) => self.resolve(world, index, at),
            Act::Close(index) => close(world, index, at),
            Act::Reopen(index) => self.reopen(world, index, at),
            Act::Delete(index) => self.delete(world, index, at),
            Act::Restore(index) => world.ticket_mut(index).deleted = false,
        }
    }

    fn arrive(&mut self, world: &mut World, at: DateTime<Utc>) {
        let mut ticket = self.draft(world);
        date(&mut ticket, at);
        ticket.status = Some("New Calls".into());
        let index = world.keep(ticket);
        world.welcome(index, at);
        self.plan(world, index, at);
        self.expect_next_arrival(at);
    }

    fn expect_next_arrival(&mut self, now: DateTime<Utc>) {
        let hours = -(1.0 - self.rng.f64()).ln() / (self.per_hour * traffic(now));
        self.at(now + scaled(TimeDelta::hours(1), hours), Act::Arrive);
    }

    /// Decides how the rest of a ticket's life goes, as seen from `now`.
    fn plan(&mut self, world: &World, index: usize, now: DateTime<Utc>) {
        let ticket = world.ticket(index);
        let slowness = slowness(world, ticket);
        let answered_at = match ticket.first_response.met_at {
            Some(_) => now,
            None => self.done_by(ticket, ticket.first_response.due, slowness, now),
        };
        let solved_at =
            self.done_by(ticket, ticket.resolution.due, slowness, now).max(answered_at + TimeDelta::minutes(3));
        if ticket.first_response.met_at.is_none() {
            self.at(answered_at, Act::Reply(index));
        }
        if ticket.paused_since.is_some() {
            let resumes = now + scaled(TimeDelta::hours(1), self.share(0.8, 1.0));
            self.at(resumes, Act::Resume(index));
        }
        self.at(solved_at, Act::Resolve(index));
        for (odds, act) in [(0.3, Act::Pause(index)), (0.15, Act::Reassign(index)), (0.01, Act::Delete(index))] {
            if self.rng.f64() < odds {
                let when = answered_at + scaled(solved_at - answered_at, 0.1 + 0.8 * self.rng.f64());
                self.at(when, act);
            }
        }
    }

    /// When a promise due at `due` is kept: what it takes is a share of the working time that was allowed, sometimes
    /// more than all of it. A ticket that is under way takes longer than it has taken so far.
    fn done_by(
        &mut self,
        ticket: &SimTicket,
        due: Option<DateTime<Utc>>,
        slowness: f64,
        now: DateTime<Utc>,
    ) -> DateTime<Utc> {
        let left = due.map_or(TimeDelta::hours(8), |due| ticket.left_until(due, now));
        let allowed = due.map_or(left, |due| ticket.left_until(due, ticket.created_at)).max(TimeDelta::minutes(20));
        let taken = allowed - left;
        let rest = (0..TRIES).map(|_| scaled(allowed, slowness * self.share(0.6, 0.55)) - taken);
        let rest = rest.into_iter().find(|rest| *rest > TimeDelta::zero()).unwrap_or(TimeDelta::minutes(20));
        ticket.hours.after(now, rest)
    }

    /// Around `median`, never negative, now and then far above (log-normal).
    fn share(&mut self, median: f64, sigma: f64) -> f64 {
        let normal: f64 = (0..12).map(|_| self.rng.f64()).sum::<f64>() - 6.0;
        median * (sigma * normal).exp()
    }

    fn reply(&mut self, world: &mut World, index: usize, at: DateTime<Utc>) {
        if is_over(world, index) {
            return;
        }
        if world.ticket(index).technician.is_none() {
            let group = home(world, world.ticket(index));
            world.ticket_mut(index).technician = Some(self.member(world, group));
        }
        world.reply(index, at);
        if world.meaning(index) == StatusMeaning::Open {
            world.change_status(index, "In Progress", at);
        }
    }

    fn pause(&mut self, world: &mut World, index: usize, at: DateTime<Utc>) {
        if is_over(world, index) || world.ticket(index).paused_since.is_some() {
            return;
        }
        let status = if self.rng.f64() < 0.8 { "Waiting on Customer" } else { "On Hold" };
        world.change_status(index, status, at);
        let resumes = at + scaled(TimeDelta::hours(1), self.share(1.0, 1.0));
        self.at(resumes, Act::Resume(index));
    }

    fn reassign(&mut self, world: &mut World, index: usize, at: DateTime<Utc>) {
        if is_over(world, index) {
            return;
        }
        let group = if self.rng.f64() < 0.3 { PROJECTS } else { home(world, world.ticket(index)) };
        let technician = self.member(world, group);
        let group = world.msp.groups[group].clone();
        let ticket = world.ticket_mut(index);
        (ticket.technician, ticket.group, ticket.updated_at) = (Some(technician), Some(group), at);
    }

    fn resolve(&mut self, world: &mut World, index: usize, at: DateTime<Utc>) {
        if is_over(world, index) {
            return;
        }
        if world.ticket(index).paused_since.is_some() {
            let later = at + scaled(TimeDelta::hours(1), self.share(0.7, 0.5));
            return self.at(later, Act::Resolve(index));
        }
        if world.ticket(index).first_response.met_at.is_none() {
            self.reply(world, index, at);
        }
        world.change_status(index, "Resolved", at);
        self.at(at + TimeDelta::hours(24), Act::Close(index));
        if self.rng.f64() < 0.06 {
            let reopened = at + scaled(TimeDelta::hours(1), self.share(2.0, 0.8));
            self.at(reopened, Act::Reopen(index));
        }
    }

    fn reopen(&mut self, world: &mut World, index: usize, at: DateTime<Utc>) {
        if world.ticket(index).deleted || !world.ticket(index).is_resolved() {
            return;
        }
        say(world, index, TalkKind::RequesterReply, at);
        world.change_status(index, "Reopened", at);
        let solved = at + scaled(TimeDelta::hours(1), self.share(3.0, 0.5));
        self.at(solved, Act::Resolve(index));
    }

    /// Merging and deleting look alike from outside: the ticket is gone.
    fn delete(&mut self, world: &mut World, index: usize, at: DateTime<Utc>) {
        world.ticket_mut(index).deleted = true;
        if self.rng.f64() < 0.3 {
            self.at(at + TimeDelta::hours(5), Act::Restore(index));
        }
    }

    /// A ticket without dates: who, for whom, about what, under which SLA. Now and then a part is missing.
    fn draft(&mut self, world: &World) -> SimTicket {
        let trade = &TRADES[self.rng.usize(..TRADES.len())];
        let customer = &world.msp.customers[self.rng.usize(..world.msp.customers.len())];
        let group = group_for(trade);
        let mut ticket = SimTicket {
            subject: self.subject(trade),
            category: Some(trade.category.into()),
            priority: self.unless(0.04).then(|| self.priority().into()),
            technician: self.unless(0.08).then(|| self.member(world, group)),
            group: self.unless(0.04).then(|| world.msp.groups[group].clone()),
            sla: self.unless(0.05).then(|| customer.sla.clone()),
            requester: Some(self.requester()),
            ..blank_ticket(DateTime::UNIX_EPOCH)
        };
        if self.unless(0.03) {
            belong(&mut ticket, customer);
        }
        ticket
    }

    fn unless(&mut self, odds: f64) -> bool {
        self.rng.f64() >= odds
    }

    fn subject(&mut self, trade: &Trade) -> String {
        match self.rng.usize(..400) {
            0 => ten_kilobytes(),
            nth @ 1..=12 => HOSTILE[nth % HOSTILE.len()].to_owned(),
            nth => trade.subjects[nth % trade.subjects.len()].to_owned(),
        }
    }

    fn priority(&mut self) -> &'static str {
        const ODDS: [usize; 5] = [5, 20, 45, 25, 5];
        let mut drawn = self.rng.usize(..100);
        let row = ODDS.iter().position(|odds| {
            let hit = drawn < *odds;
            drawn = drawn.saturating_sub(*odds);
            hit
        });
        PRIORITIES[row.unwrap_or(2)]
    }

    fn requester(&mut self) -> Ref {
        let nth = self.rng.usize(..REQUESTERS.len());
        Ref { id: 6_841_203_960_001_536_000 + nth as u64, name: REQUESTERS[nth].into() }
    }

    fn member(&mut self, world: &World, group: usize) -> Ref {
        let members: Vec<&Ref> =
            world.msp.people.iter().filter(|person| person.group == group).map(|person| &person.who).collect();
        members[self.rng.usize(..members.len())].clone()
    }
}

fn belong(ticket: &mut SimTicket, customer: &Customer) {
    ticket.client = Some(customer.client.clone());
    ticket.site = Some(customer.site.clone());
    ticket.hours = Arc::clone(&customer.hours);
}

/// What the ticket's SLA promises, if it has one that says anything about its priority.
fn promised(ticket: &SimTicket) -> Option<Target> {
    target(&ticket.sla.as_ref()?.name, ticket.priority.as_deref()?)
}

/// The hours that count for the ticket: those of its site, or all of them.
fn counted(ticket: &SimTicket) -> Arc<super::hours::Hours> {
    match promised(ticket) {
        Some(target) if target.site_hours => Arc::clone(&ticket.hours),
        _ => Arc::new(super::hours::Hours::always()),
    }
}

/// Gives a draft its birth and the due times that follow from it.
fn date(ticket: &mut SimTicket, created_at: DateTime<Utc>) {
    ticket.hours = counted(ticket);
    ticket.created_at = created_at;
    ticket.updated_at = created_at;
    for talk in &mut ticket.talks {
        talk.at = created_at;
    }
    let promised = promised(ticket);
    ticket.first_response.due = promised.map(|target| ticket.hours.after(created_at, target.response));
    ticket.resolution.due = promised.map(|target| ticket.hours.after(created_at, target.resolution));
}

fn resume(world: &mut World, index: usize, at: DateTime<Utc>) {
    if is_over(world, index) || world.ticket(index).paused_since.is_none() {
        return;
    }
    say(world, index, TalkKind::RequesterReply, at);
    world.change_status(index, "Customer Replied", at);
}

fn close(world: &mut World, index: usize, at: DateTime<Utc>) {
    if world.ticket(index).status.as_deref() == Some("Resolved") {
        world.change_status(index, if index.is_multiple_of(9) { "Closed (no response)" } else { "Closed" }, at);
    }
}

fn say(world: &mut World, index: usize, kind: TalkKind, at: DateTime<Utc>) {
    let ticket = world.ticket_mut(index);
    let by = ticket.requester.clone();
    ticket.talks.push(Talk { at, kind, by });
}

fn is_over(world: &World, index: usize) -> bool {
    world.ticket(index).deleted || world.ticket(index).is_resolved()
}

fn group_for(trade: &Trade) -> usize {
    match trade.category {
        "Network" => 1,
        "Backup" | "Security" => PROJECTS,
        _ => 0,
    }
}

/// Index of the group a ticket belongs to; what has none is anybody's, that is, the first line's.
fn home(world: &World, ticket: &SimTicket) -> usize {
    let group = ticket.group.as_ref();
    group.and_then(|group| world.msp.groups.iter().position(|known| known == group)).unwrap_or(0)
}

/// How long this ticket takes against the average: person, kind of work and group together.
fn slowness(world: &World, ticket: &SimTicket) -> f64 {
    let person =
        ticket.technician.as_ref().and_then(|who| world.msp.person(&who.name)).map_or(1.2, |person| person.slowness);
    let trade = TRADES
        .iter()
        .find(|trade| Some(trade.category) == ticket.category.as_deref())
        .map_or(1.0, |trade| trade.slowness);
    let group = if home(world, ticket) == PROJECTS { 1.1 } else { 1.0 };
    person * trade * group
}

/// How much comes in at this hour against a busy one.
fn traffic(at: DateTime<Utc>) -> f64 {
    let weekend = matches!(at.weekday(), Weekday::Sat | Weekday::Sun);
    match (weekend, at.hour()) {
        (true, _) => 0.2,
        (false, 8..=17) => 1.0,
        (false, 6..=7 | 18..=20) => 0.5,
        (false, _) => 0.25,
    }
}

fn scaled(span: TimeDelta, factor: f64) -> TimeDelta {
    // Half a year is more than any story here needs, and keeps wild draws in range.
    let millis = (span.num_milliseconds() as f64 * factor).clamp(0.0, 15_552_000_000.0);
    TimeDelta::milliseconds(millis as i64)
}

#[cfg(test)]
mod tests;
