use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::simulator::habit::Habits;
use crate::simulator::msp::Msp;
use crate::simulator::ticket::DueOnPause;

/// A Tuesday, ten in the morning in London.
fn tuesday() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-11-17T10:00:00Z").unwrap().to_utc()
}

fn desk(seed: u64, tickets: usize) -> (World, Desk) {
    let habits = Habits { seed, ..Habits::default() };
    let mut world = World::new(Msp::made_up(), habits);
    let options = SimOptions { tickets, seed, ..SimOptions::default() };
    let desk = Desk::open(&mut world, &options, tuesday());
    (world, desk)
}

fn open(world: &World) -> Vec<&SimTicket> {
    world.tickets().iter().filter(|ticket| !ticket.deleted && !ticket.is_resolved()).collect()
}

/// Due times of the response and the resolution clock that still run.
fn running(ticket: &SimTicket) -> [Option<DateTime<Utc>>; 2] {
    let unless = |done: bool, due: Option<DateTime<Utc>>| due.filter(|_| !done);
    [
        unless(ticket.first_response.met_at.is_some(), ticket.first_response.due),
        unless(ticket.paused_since.is_some(), ticket.resolution.due),
    ]
}

#[test]
fn the_first_hour_brings_a_steady_trickle_of_both_clocks_and_few_are_late_already() {
    for seed in [7, 8, 9] {
        let (world, _) = desk(seed, 200);
        let open = open(&world);
        assert_eq!(open.len(), 200);
        for clock in 0..2 {
            let due: Vec<TimeDelta> =
                open.iter().filter_map(|ticket| Some(running(ticket)[clock]? - tuesday())).collect();
            let late = due.iter().filter(|left| **left < TimeDelta::zero()).count();
            assert!(late <= 12, "clock {clock}, seed {seed}: {late} late");
            for quarter in 0..4 {
                let from = TimeDelta::minutes(quarter * 15);
                let here = due.iter().filter(|left| **left >= from && **left < from + TimeDelta::minutes(15)).count();
                assert!(here >= 3, "clock {clock}, quarter {quarter}: {here}");
            }
        }
    }
}

#[test]
fn a_day_of_work_brings_every_kind_of_event() {
    let (mut world, mut desk) = desk(3, 200);
    let before = world.tickets().len();
    let late = TimeDelta::hours(24);
    desk.catch_up(&mut world, tuesday() + late);
    assert!(world.tickets().len() > before + 100, "tickets arrive");
    assert!((100..400).contains(&open(&world).len()), "the pile keeps its size: {}", open(&world).len());
    let new = |what: &dyn Fn(&SimTicket) -> bool| world.tickets().iter().filter(|ticket| what(ticket)).count();
    let status = |name: &str| new(&|ticket| ticket.status.as_deref() == Some(name));
    for name in ["In Progress", "Waiting on Customer", "Customer Replied", "Resolved", "Closed"] {
        assert!(status(name) > 0, "{name}");
    }
    assert!(new(&|ticket| ticket.deleted) > 0, "some are deleted");
    let missed =
        |ticket: &SimTicket| ticket.resolution_violated(DueOnPause::MovesOnResume, tuesday() + late) == Some(true);
    let (missed, all) = (new(&|ticket| missed(ticket)), world.tickets().len());
    assert!(missed * 20 > all && missed * 2 < all, "{missed} of {all} breach");
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
fn slow_people_are_slower() {
    let (mut world, mut desk) = desk(5, 1_000);
    desk.catch_up(&mut world, tuesday() + TimeDelta::days(4));
    let breaches = |name: &str| {
        let whose = |ticket: &&SimTicket| ticket.technician.as_ref().is_some_and(|who| &*who.name == name);
        let theirs: Vec<bool> = world
            .tickets()
            .iter()
            .filter(whose)
            .filter_map(|ticket| ticket.resolution_violated(DueOnPause::MovesOnResume, tuesday() + TimeDelta::days(4)))
            .collect();
        theirs.iter().filter(|late| **late).count() as f64 / theirs.len() as f64
    };
    let (slow, quick) = (breaches("Luca Bianchi"), breaches("Mateo Alvarez"));
    assert!(slow > quick + 0.15, "slow {slow:.2}, quick {quick:.2}");
}
