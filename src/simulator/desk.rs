//! The living desk: tickets arrive, are answered, wait, go on, change hands, are solved, come back, disappear.
//!
//! Everything is an entry in a schedule, decided when its cause happened and carried out at its own time. Catching up
//! in one step or in a thousand gives the same tickets. Nine clocks in ten are met. Most of the others belong to work
//! that landed with people who have not learned it; some people are slower than others, and now and then somebody has
//! too much to do. So a forecast has something to learn.

mod opening;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc, Weekday};
use fastrand::Rng;

use super::SimOptions;
use super::listing::scramble;
use super::msp::Customer;
use super::subjects::{HOSTILE, REQUESTERS, TRADES, WorkKind, ten_kilobytes};
use super::targets::{PRIORITIES, Target, target};
use super::ticket::{ConversationEntry, EntryKind, Ref, SimTicket};
use super::world::{World, blank_ticket};
use crate::ticket::StatusMeaning;

/// The group for work that takes longer; it also gets what others pass up.
const PROJECTS: usize = 2;
/// One ticket in this many lands with a group that has not learned its kind of work.
const ASTRAY_ONE_IN: usize = 8;
/// How many times as long such work takes.
const UNSKILLED: f64 = 4.2;
/// On one half day in this many, a technician has too much to do.
const OVERLOADED_ONE_IN: u64 = 14;
/// How many times as long everything takes then.
const OVERLOADED: f64 = 1.5;
/// How many times as often a customer writes while the site is open.
const OPEN_COUNTS: usize = 8;
/// The share of the allowed time that an answer and a solution take: its median and its spread.
const ANSWER: (f64, f64) = (0.3, 0.4);
const SOLUTION: (f64, f64) = (0.46, 0.42);

/// What is going to happen; the number is the ticket's index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    Arrive,
    Reply(usize),
    /// With the time at which the pause ends.
    Pause(usize, DateTime<Utc>),
    Resume(usize),
    Reassign(usize),
    Resolve(usize),
    Close(usize),
    Reopen(usize),
    Delete(usize),
    Restore(usize),
}

impl Act {
    /// Returns the ticket that something happens to.
    fn ticket(self) -> Option<usize> {
        match self {
            Self::Arrive => None,
            Self::Reply(index)
            | Self::Pause(index, _)
            | Self::Resume(index)
            | Self::Reassign(index)
            | Self::Resolve(index)
            | Self::Close(index)
            | Self::Reopen(index)
            | Self::Delete(index)
            | Self::Restore(index) => Some(index),
        }
    }
}

/// The people at work, seen as a schedule.
pub struct Desk {
    rng: Rng,
    /// Soonest first; the number keeps entries for the same moment in the order they were made.
    schedule: BinaryHeap<Reverse<(DateTime<Utc>, u64, Act)>>,
    entries: u64,
    /// New tickets in a busy hour.
    per_hour: f64,
    /// How many tickets each person of the team has been given so far.
    given: Vec<u32>,
    hostile: bool,
}

impl Desk {
    /// Fills `world` with the tickets of a desk at work and looks ahead from `now`.
    ///
    /// A busy hour brings an eighteenth of the open tickets: about as many as are solved, so the pile keeps its size.
    pub fn open(world: &mut World, options: &SimOptions, now: DateTime<Utc>) -> Self {
        let per_hour = (options.tickets as f64 / 18.0).clamp(2.0, 1_000.0) * options.busy.max(0.01);
        let (rng, given) = (Rng::with_seed(options.seed), vec![0; world.msp.people.len()]);
        let mut desk = Self { rng, schedule: BinaryHeap::new(), entries: 0, per_hour, given, hostile: options.hostile };
        if options.remembered {
            world.remember();
        }
        if !options.empty {
            desk.fill(world, options, now);
        }
        desk.expect_next_arrival(now);
        desk
    }

    /// Carries out what was due by `now`.
    pub fn catch_up(&mut self, world: &mut World, now: DateTime<Utc>) {
        while let Some(Reverse((at, _, act))) = self.schedule.peek().copied().filter(|Reverse((at, ..))| *at <= now) {
            self.schedule.pop();
            self.carry_out(world, act, at);
        }
    }

    fn at(&mut self, when: DateTime<Utc>, act: Act) {
        self.entries += 1;
        self.schedule.push(Reverse((when, self.entries, act)));
    }

    fn carry_out(&mut self, world: &mut World, act: Act, at: DateTime<Utc>) {
        self.act(world, act, at);
        if let Some(index) = act.ticket() {
            world.live(index, at);
        }
    }

    fn act(&mut self, world: &mut World, act: Act, at: DateTime<Utc>) {
        match act {
            Act::Arrive => self.arrive(world, at),
            Act::Reply(index) => self.reply(world, index, at),
            Act::Pause(index, until) => self.pause(world, index, at, until),
            Act::Resume(index) => self.resume(world, index, at),
            Act::Reassign(index) => self.reassign(world, index, at),
            Act::Resolve(index) => self.resolve(world, index, at),
            Act::Close(index) => close(world, index, at),
            Act::Reopen(index) => self.reopen(world, index, at),
            Act::Delete(index) => self.delete(world, index, at),
            Act::Restore(index) => world.ticket_mut(index).deleted = false,
        }
    }

    fn arrive(&mut self, world: &mut World, at: DateTime<Utc>) {
        self.bear(world, at);
        self.expect_next_arrival(at);
    }

    /// Adds a new ticket, and plans how its life will go.
    fn bear(&mut self, world: &mut World, at: DateTime<Utc>) -> usize {
        let draft = self.draft(world, at);
        self.bring(world, draft, at)
    }

    /// Adds the drafted ticket, born at `at`.
    fn bring(&mut self, world: &mut World, mut ticket: SimTicket, at: DateTime<Utc>) -> usize {
        date(&mut ticket, at);
        ticket.status = Some("New Calls".into());
        let index = world.keep(ticket);
        world.welcome(index, at);
        self.plan(world, index, at);
        world.live(index, at);
        index
    }

    fn expect_next_arrival(&mut self, now: DateTime<Utc>) {
        let hours = -(1.0 - self.rng.f64()).ln() / (self.per_hour * traffic(now));
        self.at(now + scaled(TimeDelta::hours(1), hours), Act::Arrive);
    }

    /// Decides how the life of a ticket born now will go. Waiting on others makes it longer by as much.
    fn plan(&mut self, world: &World, index: usize, now: DateTime<Utc>) {
        let ticket = world.ticket(index);
        let pace = pace(world, ticket, now);
        let promised = promised(ticket);
        let answer = promised.map_or(TimeDelta::hours(2), |target| target.response);
        let solution = promised.map_or(TimeDelta::hours(8), |target| target.resolution);
        let takes = |desk: &mut Self, allowed, (median, sigma)| scaled(allowed, pace * desk.share(median, sigma));
        // Saying that somebody is at work takes no skill.
        let answered_at =
            ticket.hours.after(now, takes(self, answer, ANSWER) / if is_astray(world, ticket) { 2 } else { 1 });
        let mut solved_at =
            ticket.hours.after(now, takes(self, solution, SOLUTION)).max(answered_at + TimeDelta::minutes(3));
        let between = |desk: &mut Self, end| answered_at + scaled(end - answered_at, 0.1 + 0.8 * desk.rng.f64());
        self.at(answered_at, Act::Reply(index));
        if self.rng.f64() < 0.35 {
            let since = between(self, solved_at);
            let until = since + scaled(TimeDelta::hours(5), self.share(1.0, 0.9));
            solved_at =
                ticket.hours.after(solved_at, ticket.hours.between(since, until)).max(until + TimeDelta::minutes(5));
            self.at(since, Act::Pause(index, until));
        }
        self.at(solved_at, Act::Resolve(index));
        for (odds, act) in [(0.06, Act::Reassign(index)), (0.01, Act::Delete(index))] {
            if self.rng.f64() < odds {
                let when = between(self, solved_at);
                self.at(when, act);
            }
        }
    }

    /// Draws a value around `median`, never negative, now and then far above (log-normal).
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

    fn pause(&mut self, world: &mut World, index: usize, at: DateTime<Utc>, until: DateTime<Utc>) {
        if is_over(world, index) || world.ticket(index).paused_since.is_some() {
            return;
        }
        let status = if self.rng.f64() < 0.8 { "Waiting on Customer" } else { "On Hold" };
        world.change_status(index, status, at);
        self.at(until, Act::Resume(index));
    }

    /// Lets the customer write; somebody answers before long.
    fn resume(&mut self, world: &mut World, index: usize, at: DateTime<Utc>) {
        if is_over(world, index) || world.ticket(index).paused_since.is_none() {
            return;
        }
        say(world, index, EntryKind::RequesterReply, at);
        world.change_status(index, "Customer Replied", at);
        let seen = world.ticket(index).hours.after(at, scaled(TimeDelta::minutes(25), self.share(1.0, 0.5)));
        self.at(seen, Act::Reply(index));
    }

    /// Lets somebody else in the same group take over.
    fn reassign(&mut self, world: &mut World, index: usize, at: DateTime<Utc>) {
        if is_over(world, index) {
            return;
        }
        let technician = self.member(world, home(world, world.ticket(index)));
        let ticket = world.ticket_mut(index);
        (ticket.technician, ticket.updated_at) = (Some(technician), at);
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
        if self.rng.f64() < 0.02 {
            let reopened = at + scaled(TimeDelta::hours(1), self.share(2.0, 0.8));
            self.at(reopened, Act::Reopen(index));
        }
    }

    fn reopen(&mut self, world: &mut World, index: usize, at: DateTime<Utc>) {
        if world.ticket(index).deleted || !world.ticket(index).is_resolved() {
            return;
        }
        say(world, index, EntryKind::RequesterReply, at);
        world.change_status(index, "Reopened", at);
        let solved = at + scaled(TimeDelta::hours(1), self.share(0.7, 0.5));
        self.at(solved, Act::Resolve(index));
    }

    /// Deletes a ticket. Merging and deleting look alike from outside: the ticket is gone.
    fn delete(&mut self, world: &mut World, index: usize, at: DateTime<Utc>) {
        world.ticket_mut(index).deleted = true;
        if self.rng.f64() < 0.3 {
            self.at(at + TimeDelta::hours(5), Act::Restore(index));
        }
    }

    /// Drafts a ticket without dates: who, for whom, about what, under which SLA. Now and then a part is missing.
    fn draft(&mut self, world: &World, at: DateTime<Utc>) -> SimTicket {
        let trade = self.trade();
        let customer = self.customer(world, at);
        let skilled = group_for(trade);
        let astray = self.rng.usize(..ASTRAY_ONE_IN) == 0;
        let others = world.msp.groups.len() - 1;
        let group = if astray { (skilled + 1 + self.rng.usize(..others)) % (others + 1) } else { skilled };
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

    fn trade(&mut self) -> &'static WorkKind {
        &TRADES[self.drawn(&TRADES.each_ref().map(|trade| trade.frequency))]
    }

    /// Draws a customer; most people write in their working hours.
    fn customer<'w>(&mut self, world: &'w World, at: DateTime<Utc>) -> &'w Customer {
        let customers = &world.msp.customers;
        let chances = |customer: &Customer| if customer.hours.is_open(at) { OPEN_COUNTS } else { 1 };
        &customers[self.drawn(&customers.iter().map(chances).collect::<Vec<_>>())]
    }

    /// Draws the index of one of these chances.
    fn drawn(&mut self, chances: &[usize]) -> usize {
        let mut left = self.rng.usize(..chances.iter().sum::<usize>());
        let place = chances.iter().position(|chance| {
            let hit = left < *chance;
            left = left.saturating_sub(*chance);
            hit
        });
        place.unwrap_or(0)
    }

    fn subject(&mut self, trade: &WorkKind) -> String {
        match self.rng.usize(..400) {
            nth if !self.hostile => trade.subjects[nth % trade.subjects.len()].to_owned(),
            0 => ten_kilobytes(),
            nth @ 1..=12 => HOSTILE[nth % HOSTILE.len()].to_owned(),
            nth => trade.subjects[nth % trade.subjects.len()].to_owned(),
        }
    }

    fn priority(&mut self) -> &'static str {
        PRIORITIES[self.drawn(&[5, 20, 45, 25, 5])]
    }

    fn requester(&mut self) -> Ref {
        let nth = self.rng.usize(..REQUESTERS.len());
        Ref { id: 6_841_203_960_001_536_000 + nth as u64, name: REQUESTERS[nth].into() }
    }

    /// Picks the member of the group who has been given the fewest tickets so far.
    fn member(&mut self, world: &World, group: usize) -> Ref {
        let people = &world.msp.people;
        let members = (0..people.len()).filter(|person| people[*person].group == group);
        let person = members.min_by_key(|person| self.given[*person]).unwrap_or(0);
        self.given[person] += 1;
        people[person].who.clone()
    }
}

fn belong(ticket: &mut SimTicket, customer: &Customer) {
    ticket.client = Some(customer.client.clone());
    ticket.site = Some(customer.site.clone());
    ticket.hours = Arc::clone(&customer.hours);
}

/// Returns what the ticket's SLA promises, if it has one that covers its priority.
fn promised(ticket: &SimTicket) -> Option<Target> {
    target(&ticket.sla.as_ref()?.name, ticket.priority.as_deref()?)
}

/// Returns the hours that count for the ticket: those of its site, or all hours.
fn counted(ticket: &SimTicket) -> Arc<super::hours::Hours> {
    match promised(ticket) {
        Some(target) if target.site_hours => Arc::clone(&ticket.hours),
        _ => Arc::new(super::hours::Hours::always()),
    }
}

/// Sets a draft's creation time and the due times that follow from it.
fn date(ticket: &mut SimTicket, created_at: DateTime<Utc>) {
    ticket.hours = counted(ticket);
    ticket.created_at = created_at;
    ticket.updated_at = created_at;
    for entry in &mut ticket.conversation {
        entry.at = created_at;
    }
    let promised = promised(ticket);
    ticket.first_response.due = promised.map(|target| ticket.hours.after(created_at, target.response));
    ticket.resolution.due = promised.map(|target| ticket.hours.after(created_at, target.resolution));
}

fn close(world: &mut World, index: usize, at: DateTime<Utc>) {
    if world.ticket(index).status.as_deref() == Some("Resolved") {
        world.change_status(index, if index.is_multiple_of(9) { "Closed (no response)" } else { "Closed" }, at);
    }
}

fn say(world: &mut World, index: usize, kind: EntryKind, at: DateTime<Utc>) {
    let ticket = world.ticket_mut(index);
    let by = ticket.requester.clone();
    ticket.conversation.push(ConversationEntry { at, kind, by });
}

fn is_over(world: &World, index: usize) -> bool {
    world.ticket(index).deleted || world.ticket(index).is_resolved()
}

fn group_for(trade: &WorkKind) -> usize {
    match trade.category {
        "Network" => 1,
        "Backup" | "Security" => PROJECTS,
        _ => 0,
    }
}

/// Returns the index of the group a ticket belongs to; one without a group belongs to the first line.
fn home(world: &World, ticket: &SimTicket) -> usize {
    let group = ticket.group.as_ref();
    group.and_then(|group| world.msp.groups.iter().position(|known| known == group)).unwrap_or(0)
}

/// Whether nobody in the ticket's group has learned its kind of work.
fn is_astray(world: &World, ticket: &SimTicket) -> bool {
    let trade = work_kind_of(ticket);
    ticket.group.is_some() && trade.is_some_and(|trade| home(world, ticket) != group_for(trade))
}

fn work_kind_of(ticket: &SimTicket) -> Option<&'static WorkKind> {
    TRADES.iter().find(|trade| Some(trade.category) == ticket.category.as_deref())
}

/// Returns how long this ticket takes compared with the average, by person, kind of work, skill and the day's load.
fn pace(world: &World, ticket: &SimTicket, now: DateTime<Utc>) -> f64 {
    let who = ticket.technician.as_ref();
    let person = who.and_then(|who| world.msp.person(&who.name)).map_or(1.0, |person| person.slowness);
    let half_day = now.timestamp() / 43_200;
    let is_overloaded =
        who.is_some_and(|who| scramble(who.id ^ half_day.unsigned_abs()).is_multiple_of(OVERLOADED_ONE_IN));
    let load = if is_overloaded { OVERLOADED } else { 1.0 };
    let skill = if is_astray(world, ticket) { UNSKILLED } else { 1.0 };
    person * load * skill * work_kind_of(ticket).map_or(1.0, |trade| trade.slowness)
}

/// Returns how much comes in at this hour compared with a busy one.
fn traffic(at: DateTime<Utc>) -> f64 {
    let weekend = matches!(at.weekday(), Weekday::Sat | Weekday::Sun);
    match (weekend, at.hour()) {
        (true, _) => 0.06,
        (false, 8..=17) => 1.0,
        (false, 6..=7 | 18..=20) => 0.4,
        (false, _) => 0.1,
    }
}

fn scaled(span: TimeDelta, factor: f64) -> TimeDelta {
    // Half a year is more than any story here needs, and keeps wild draws in range.
    let millis = (span.num_milliseconds() as f64 * factor).clamp(0.0, 15_552_000_000.0);
    TimeDelta::milliseconds(millis as i64)
}

#[cfg(test)]
mod tests;
