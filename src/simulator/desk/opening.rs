//! The tickets a desk has on its first day with us: most on their way, a few in trouble, many done.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Desk, TRIES, date, promised, scaled, slowness};
use crate::simulator::ticket::{SimTicket, Talk, TalkKind};
use crate::simulator::world::{World, blank_ticket};

/// Of each clock, this many tickets at the most come due in the first hour, and one in so many.
const SOON_AT_MOST: usize = 60;
const ONE_IN: usize = 8;
/// One open ticket in so many is late already.
const LATE_ONE_IN: usize = 50;

impl Desk {
    /// Fills an empty world with `open` open tickets, done ones and some from an older system.
    pub(super) fn fill(&mut self, world: &mut World, open: usize, now: DateTime<Utc>) {
        for nth in 0..3 {
            world.keep(imported(nth, now));
        }
        for _ in 0..(open / 4).clamp(5, 500) {
            let ticket = self.done(world, now);
            world.keep(ticket);
        }
        let soon = (open / ONE_IN).min(SOON_AT_MOST);
        for nth in 0..open {
            let ticket = match nth {
                nth if nth < soon => self.soon(world, minute(nth, soon), true, now),
                nth if nth < 2 * soon => self.soon(world, minute(nth - soon, soon), false, now),
                nth => self.under_way(world, nth % LATE_ONE_IN == LATE_ONE_IN - 1, now),
            };
            self.remember_alike(world, &ticket, now);
            let index = world.keep(ticket);
            self.plan(world, index, now);
        }
    }

    /// Adds tickets that would be as far on as an open one, had they not been done by now, if there is a past: without
    /// them it would seem that work which came lately takes longer than it ever did.
    fn remember_alike(&mut self, world: &mut World, open: &SimTicket, now: DateTime<Utc>) {
        let Some(due) = open.resolution.due.filter(|_| self.has_past) else { return };
        let left = |at| open.left_until(due, at).num_milliseconds() as f64;
        let elapsed = 1.0 - left(now) / left(open.created_at).max(1.0);
        for _ in 0..TRIES {
            let mut other = self.draft(world);
            let allowed = promised(&other).map_or(TimeDelta::hours(8), |target| target.resolution);
            let created = super::counted(&other).before(now, scaled(allowed, elapsed));
            date(&mut other, created);
            // Whoever would still be at work on it stands for the open one.
            if !self.work(world, &mut other, now) {
                return;
            }
            world.keep(other);
        }
    }

    /// Has a ticket answered and solved as its people do it. False: it would not be done yet.
    fn work(&mut self, world: &World, ticket: &mut SimTicket, now: DateTime<Utc>) -> bool {
        let (slowness, allowed) = (slowness(world, ticket), promised(ticket));
        let (created, hours) = (ticket.created_at, std::sync::Arc::clone(&ticket.hours));
        let response = allowed.map_or(TimeDelta::hours(2), |target| target.response);
        let resolution = allowed.map_or(TimeDelta::hours(8), |target| target.resolution);
        let answered = hours.after(created, scaled(response, slowness * self.share(0.6, 0.55)));
        let solved = hours.after(created, scaled(resolution, slowness * self.share(0.6, 0.55))).max(answered);
        if solved >= now {
            return false;
        }
        ticket.first_response.met_at = Some(answered);
        ticket.talks.push(Talk { at: answered, kind: TalkKind::TechnicianReply, by: ticket.technician.clone() });
        ticket.resolution.met_at = Some(solved);
        ticket.status = Some(if now - solved > TimeDelta::hours(24) { "Closed" } else { "Resolved" }.into());
        ticket.updated_at = solved;
        true
    }

    /// Adds `past` tickets of the last two months, which took as long as their people, trades and groups take.
    pub(super) fn remember(&mut self, world: &mut World, past: usize, now: DateTime<Utc>) {
        for _ in 0..past {
            let mut ticket = self.draft(world);
            date(&mut ticket, now - scaled(TimeDelta::days(60), 0.02 + 0.98 * self.rng.f64()));
            if self.work(world, &mut ticket, now) {
                world.keep(ticket);
            }
        }
    }

    /// An open ticket, one of whose clocks runs out `left` from now, if its hours allow.
    fn soon(&mut self, world: &World, left: TimeDelta, response: bool, now: DateTime<Utc>) -> SimTicket {
        let due = now + left;
        let mut ticket = self.draft(world);
        // Half of all drafts are promised round the clock, so a few tries find one that is open.
        for _ in 0..24 {
            let open = |hours: &crate::simulator::hours::Hours| hours.is_open(now) && hours.is_open(due);
            if promised(&ticket).is_some() && open(&super::counted(&ticket)) {
                break;
            }
            ticket = self.draft(world);
        }
        let hours = super::counted(&ticket);
        let allowed =
            promised(&ticket).map_or(TimeDelta::hours(8), |t| if response { t.response } else { t.resolution });
        let a_moment_ago = now - scaled(TimeDelta::minutes(10), self.rng.f64());
        date(&mut ticket, hours.before(due, allowed).min(a_moment_ago));
        ticket.status = Some("New Calls".into());
        if !response {
            self.answer(world, &mut ticket, now);
        }
        ticket
    }

    /// An open ticket somewhere in its life, in time unless it is meant to be `late`.
    fn under_way(&mut self, world: &World, late: bool, now: DateTime<Utc>) -> SimTicket {
        let mut ticket = self.draft(world);
        let (hours, allowed) =
            (super::counted(&ticket), promised(&ticket).map_or(TimeDelta::hours(30), |t| t.resolution));
        let elapsed = if late { 1.02 + 0.2 * self.rng.f64() } else { 0.01 + 0.85 * self.rng.f64() };
        date(&mut ticket, hours.before(now, scaled(allowed, elapsed)));
        ticket.status = Some("New Calls".into());
        self.answer(world, &mut ticket, now);
        if ticket.first_response.met_at.is_some() && !late && self.rng.f64() < 0.15 {
            self.put_on_hold(&mut ticket, now);
        }
        ticket
    }

    /// Answers when its people would have, if that is not still to come.
    fn answer(&mut self, world: &World, ticket: &mut SimTicket, now: DateTime<Utc>) {
        let allowed = promised(ticket).map_or(TimeDelta::hours(2), |target| target.response);
        let takes = slowness(world, ticket) * self.share(0.6, 0.55);
        let at = ticket.hours.after(ticket.created_at, scaled(allowed, takes));
        if at >= now {
            return;
        }
        ticket.first_response.met_at = Some(at);
        ticket.status = Some("In Progress".into());
        ticket.updated_at = at;
        ticket.talks.push(Talk { at, kind: TalkKind::TechnicianReply, by: ticket.technician.clone() });
    }

    fn put_on_hold(&mut self, ticket: &mut SimTicket, now: DateTime<Utc>) {
        let since = ticket.updated_at + scaled(now - ticket.updated_at, self.rng.f64());
        ticket.status = Some("Waiting on Customer".into());
        ticket.paused_since = Some(since);
        ticket.updated_at = since;
    }

    /// A ticket of the last ten days that is done, when its people have done it.
    fn done(&mut self, world: &World, now: DateTime<Utc>) -> SimTicket {
        let mut ticket = self.draft(world);
        date(&mut ticket, now - scaled(TimeDelta::days(10), 0.1 + 0.9 * self.rng.f64()));
        self.answer(world, &mut ticket, now);
        let allowed = promised(&ticket).map_or(TimeDelta::hours(8), |target| target.resolution);
        let takes = slowness(world, &ticket) * self.share(0.6, 0.55);
        let solved = ticket.hours.after(ticket.created_at, scaled(allowed, takes));
        let solved = solved.min(now - TimeDelta::minutes(5)).max(ticket.updated_at);
        ticket.resolution.met_at = Some(solved);
        ticket.status = Some(if now - solved > TimeDelta::hours(24) { "Closed" } else { "Resolved" }.into());
        ticket.updated_at = solved;
        ticket
    }
}

/// The middle of the `nth` of `parts` parts of an hour.
fn minute(nth: usize, parts: usize) -> TimeDelta {
    scaled(TimeDelta::hours(1), (nth as f64 + 0.5) / parts as f64)
}

/// A ticket brought along from an older system: its updated time is as old as itself, so no watermark finds it.
fn imported(nth: i64, now: DateTime<Utc>) -> SimTicket {
    let created_at = now - TimeDelta::days(2_500 + nth);
    let mut ticket = SimTicket {
        display_id: (13_761 + nth).to_string(),
        subject: "Imported from old PSA".to_owned(),
        request_type: None,
        source: "INTEGRATION",
        status: Some("Closed (no response)".into()),
        priority: Some("Very Low".into()),
        ..blank_ticket(created_at)
    };
    ticket.updated_at = created_at + TimeDelta::days(3);
    ticket.resolution.met_at = Some(ticket.updated_at);
    ticket
}
