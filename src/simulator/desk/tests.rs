use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::simulator::habit::Habits;
use crate::simulator::msp::Msp;
use crate::simulator::ticket::DueOnPause;

const RULE: DueOnPause = DueOnPause::MovesOnResume;

/// A Tuesday, ten in the morning in London.
fn tuesday() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-11-17T10:00:00Z").unwrap().to_utc()
}

fn desk_with(seed: u64, options: SimOptions) -> (World, Desk) {
    let mut world = World::new(Msp::made_up(), Habits { seed, ..Habits::default() });
    let desk = Desk::open(&mut world, &SimOptions { seed, ..options }, tuesday());
    (world, desk)
}

fn desk(seed: u64, tickets: usize) -> (World, Desk) {
    desk_with(seed, SimOptions { tickets, ..SimOptions::default() })
}

fn open(world: &World) -> Vec<&SimTicket> {
    world.tickets().iter().filter(|ticket| !ticket.deleted && !ticket.is_resolved()).collect()
}

/// Whether each clock of `tickets` that is decided by `now` was missed.
fn decided<'a>(tickets: impl IntoIterator<Item = &'a SimTicket>, now: DateTime<Utc>) -> Vec<bool> {
    let both = |ticket: &SimTicket| {
        let stopped = [ticket.first_response.met_at.is_some(), ticket.resolution.met_at.is_some()];
        let late = [ticket.response_violated(now), ticket.resolution_violated(RULE, now)];
        stopped.into_iter().zip(late).filter_map(|(stopped, late)| late.filter(|late| stopped || *late))
    };
    tickets.into_iter().filter(|ticket| !ticket.deleted).flat_map(both).collect()
}

fn share(all: &[bool]) -> f64 {
    all.iter().filter(|hit| **hit).count() as f64 / all.len() as f64
}

#[test]
fn nine_clocks_in_ten_are_met_before_we_came_and_afterwards() {
    for seed in [7, 8, 9] {
        let (mut world, mut desk) = desk_with(seed, SimOptions { tickets: 80, past: 1_500, ..SimOptions::default() });
        let before = share(&decided(world.tickets(), tuesday()));
        assert!((0.05..0.13).contains(&before), "seed {seed}: {before:.3} of the past is late");
        let (known, later) = (world.tickets().len(), tuesday() + TimeDelta::days(10));
        desk.catch_up(&mut world, later);
        let after = share(&decided(&world.tickets()[known..], later));
        assert!((0.05..0.13).contains(&after), "seed {seed}: {after:.3} of what came is late");
    }
}

#[test]
fn an_opening_has_as_many_open_tickets_as_asked_and_few_are_late_already() {
    for seed in [7, 8, 9] {
        let (world, _) = desk(seed, 200);
        let open = open(&world);
        assert_eq!(open.len(), 200);
        let late = open.iter().filter(|ticket| ticket.resolution_violated(RULE, tuesday()) == Some(true)).count();
        assert!(late * 4 <= open.len(), "seed {seed}: {late} late");
    }
}

#[test]
fn a_day_of_work_brings_every_kind_of_event() {
    let (mut world, mut desk) = desk(3, 200);
    let before = world.tickets().len();
    let late = TimeDelta::hours(24);
    desk.catch_up(&mut world, tuesday() + late);
    assert!(world.tickets().len() > before + 50, "tickets arrive");
    assert!((140..280).contains(&open(&world).len()), "the pile keeps its size: {}", open(&world).len());
    let new = |what: &dyn Fn(&SimTicket) -> bool| world.tickets().iter().filter(|ticket| what(ticket)).count();
    let status = |name: &str| new(&|ticket| ticket.status.as_deref() == Some(name));
    for name in ["In Progress", "Waiting on Customer", "Customer Replied", "Resolved", "Closed"] {
        assert!(status(name) > 0, "{name}");
    }
    desk.catch_up(&mut world, tuesday() + TimeDelta::days(10));
    assert!(world.tickets().iter().any(|ticket| ticket.deleted), "some are deleted");
}

#[test]
fn work_arrives_in_working_hours_and_is_shared_evenly() {
    let (mut world, mut desk) = desk_with(5, SimOptions { tickets: 80, ..SimOptions::default() });
    let known = world.tickets().len();
    desk.catch_up(&mut world, tuesday() + TimeDelta::days(7));
    let came = &world.tickets()[known..];
    let by_day = came.iter().filter(|ticket| traffic(ticket.created_at) == 1.0).count();
    assert!(by_day * 3 > came.len() * 2, "{by_day} of {} in working hours", came.len());
    let mut given: BTreeMap<&str, usize> = BTreeMap::new();
    came.iter()
        .filter_map(|ticket| ticket.technician.as_ref())
        .for_each(|who| *given.entry(&who.name).or_default() += 1);
    let (least, most) = (given.values().min().unwrap(), given.values().max().unwrap());
    assert!(given.len() == 8 && most * 2 < least * 3, "{given:?}");
}

#[test]
fn catching_up_in_one_step_or_in_many_gives_the_same_tickets() {
    let (mut at_once, mut desk_one) = desk(11, 60);
    let (mut in_steps, mut desk_two) = desk(11, 60);
    desk_one.catch_up(&mut at_once, tuesday() + TimeDelta::hours(10));
    for minutes in 1..=600 {
        desk_two.catch_up(&mut in_steps, tuesday() + TimeDelta::minutes(minutes));
    }
    assert_eq!(at_once.tickets(), in_steps.tickets());
    let (other, _) = desk(12, 60);
    assert_ne!(other.tickets(), in_steps.tickets());
}

#[test]
fn work_that_went_astray_is_late_and_most_other_work_is_not() {
    let (mut world, mut desk) = desk(5, 1_000);
    let later = tuesday() + TimeDelta::days(6);
    desk.catch_up(&mut world, later);
    let late = |astray: bool| {
        let such = world.tickets().iter().filter(|ticket| is_astray(&world, ticket) == astray);
        let solved = such.filter(|ticket| !ticket.deleted && ticket.created_at < later - TimeDelta::days(5));
        share(&solved.filter_map(|ticket| ticket.resolution_violated(RULE, later)).collect::<Vec<_>>())
    };
    assert!(late(true) > 0.7 && late(false) < 0.08, "astray {:.2}, others {:.2}", late(true), late(false));
}
