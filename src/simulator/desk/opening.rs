//! The tickets a desk has on its first day with us: each has lived as all later ones will.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Desk, counted, is_astray, promised, scaled, traffic};
use crate::simulator::SimOptions;
use crate::simulator::targets::PRIORITIES;
use crate::simulator::ticket::SimTicket;
use crate::simulator::world::{World, blank_ticket};

/// The greatest age of resolved tickets.
const PAST: TimeDelta = TimeDelta::days(30);
/// The greatest age of open tickets: hardly any stays open for longer.
const OPEN: TimeDelta = TimeDelta::days(9);
/// The most lives tried for each ticket that is wanted.
const LIVES: usize = 400;
/// The minutes left to the most pressing tickets, and how many lives are tried for each.
const PRESSING: [i64; 3] = [20, 66, 84];
const PRESSING_LIVES: usize = 20_000;

impl Desk {
    /// Fills an empty world with open tickets, resolved ones and some from an older system.
    ///
    /// No ticket is given its age or its trouble: it is born at a likely hour and lives up to now, and stays if it is
    /// then open or resolved, as wanted. So open, resolved and arriving tickets are alike, and whoever learns from the
    /// past has learned for today.
    pub(super) fn fill(&mut self, world: &mut World, options: &SimOptions, now: DateTime<Utc>) {
        for nth in 0..3 {
            world.keep(imported(nth, now));
        }
        let done = (options.tickets / 4).clamp(5, 500) + options.past;
        self.live(world, done, PAST, now, SimTicket::is_resolved);
        let pressing = if options.pressing { PRESSING.map(TimeDelta::minutes).to_vec() } else { Vec::new() };
        self.live(world, options.tickets.saturating_sub(pressing.len()), OPEN, now, |ticket| !ticket.is_resolved());
        for left in pressing {
            self.press(world, left, now);
        }
    }

    /// Adds an open ticket in the wrong group that is due after `left`, if a life is found that leads to one.
    fn press(&mut self, world: &mut World, left: TimeDelta, now: DateTime<Utc>) {
        for _ in 0..PRESSING_LIVES {
            let draft = self.draft(world, now);
            let (hours, due) = (counted(&draft), now + left);
            let Some(promised) = promised(&draft).filter(|_| draft.priority.as_deref() == Some(PRIORITIES[0])) else {
                continue;
            };
            let born = hours.before(due, promised.resolution);
            // Not at night, nor from another day: what is pressing came in this morning.
            if !is_astray(world, &draft) || !hours.is_open(due) || now - born > TimeDelta::hours(6) {
                continue;
            }
            if self.keep_if(
                world,
                now,
                |desk, world| desk.bring(world, draft, born),
                |ticket| !ticket.is_resolved() && ticket.resolution.due == Some(due) && ticket.paused_since.is_none(),
            ) {
                return;
            }
        }
    }

    /// Adds `count` tickets born in the last `span` that are as `wanted` by now.
    fn live(
        &mut self,
        world: &mut World,
        count: usize,
        span: TimeDelta,
        now: DateTime<Utc>,
        wanted: impl Fn(&SimTicket) -> bool,
    ) {
        let mut missing = count;
        for _ in 0..count.saturating_mul(LIVES) {
            if missing == 0 {
                return;
            }
            let born = self.birth(span, now);
            missing -= usize::from(self.keep_if(world, now, |desk, world| desk.bear(world, born), &wanted));
        }
    }

    /// Lets a ticket be born and live up to now; it stays if it is then as `wanted`.
    fn keep_if(
        &mut self,
        world: &mut World,
        now: DateTime<Utc>,
        bear: impl FnOnce(&mut Self, &mut World) -> usize,
        wanted: impl Fn(&SimTicket) -> bool,
    ) -> bool {
        let mut others = std::mem::take(&mut self.schedule);
        let index = bear(self, world);
        self.catch_up(world, now);
        let ticket = world.ticket(index);
        let stays = !ticket.deleted && wanted(ticket);
        if !stays {
            world.forget_last();
            self.schedule.clear();
        }
        // The few are added to the many: with a hundred thousand tickets that takes seconds instead of minutes.
        self.schedule.append(&mut others);
        stays
    }

    /// Draws a moment of the last `span`, more likely in a busy hour.
    fn birth(&mut self, span: TimeDelta, now: DateTime<Utc>) -> DateTime<Utc> {
        loop {
            let at = now - scaled(span, self.rng.f64());
            if self.rng.f64() < traffic(at) {
                return at;
            }
        }
    }
}

/// Makes a ticket imported from an older system: its updated time is as old as the ticket, so no watermark finds it.
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
