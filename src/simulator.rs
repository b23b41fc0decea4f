//! A SuperOps look-alike: a made-up account behind the real GraphQL schema.
//!
//! `demo`, `simulate` and the tests run against it, so nobody needs an account. It is true to what is known of the real
//! service, quirks and faults included; where the truth is unknown there is a switch. Its desk goes by the
//! [`Clock`](crate::clock::Clock) it is given, never by itself: before it answers a request it catches up with the
//! present, so the same seed and the same moments give the same tickets, however often it was asked in between.
//! moments give the same tickets, however often it was asked in between.

mod commands;
pub mod desk;
pub mod fault;
mod graphql;
pub mod habit;
pub mod holes;
pub mod hours;
mod listing;
pub mod msp;
pub mod receivers;
pub mod replay;
mod resolve;
pub mod responders;
pub mod services;
mod subjects;
pub mod targets;
pub mod ticket;
mod wire;
pub mod world;

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use apollo_compiler::response::{JsonMap, JsonValue};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::clock::SharedClock;
use desk::Desk;
use fault::{Extent, Fault};
use graphql::Engine;
use habit::Habits;
use msp::Msp;
use ticket::SimTicket;
use wire::Limit;
use world::World;

pub use fault::FaultOrder;
pub use habit::{DateFilters, Sorting};
pub use holes::{Hole, Holes};
pub use replay::{Replay, lively_end};
pub use ticket::DueOnPause;
pub use wire::Requests;
pub use world::NewTicket;

/// What kind of account to play.
#[derive(Clone)]
pub struct SimOptions {
    /// Open tickets at the start, not counting closed ones.
    pub tickets: usize,
    pub seed: u64,
    /// 0 means no limit.
    pub requests_per_minute: u32,
    pub subdomain: String,
    pub token: String,
    pub sort: Sorting,
    pub date_filters: DateFilters,
    pub due_on_pause: DueOnPause,
    /// Whether `getStatusList` exists; newer accounts have `getAllFields` in its place.
    pub status_list: bool,
    /// Whether anything happens at the desk.
    pub alive: bool,
    /// How many times as many new tickets arrive as usual.
    pub busy: f64,
    /// Now and then a subject is malicious: scripts, line breaks, ten kilobytes.
    pub hostile: bool,
    /// A few of the open tickets are critical, assigned to the wrong people and due soon, so there is something to see
    /// at once.
    pub pressing: bool,
    /// Resolved tickets of the last month, on top of those that come with the open ones.
    pub past: usize,
    /// The account has no tickets at the start, not even closed ones.
    pub empty: bool,
    /// Keeps what tickets went through before the start for [`Simulator::take_lived`].
    pub remembered: bool,
}

impl Default for SimOptions {
    fn default() -> Self {
        Self {
            tickets: 200,
            seed: 7,
            requests_per_minute: 100,
            subdomain: "acme".to_owned(),
            token: "look-alike-token".to_owned(),
            sort: Sorting::default(),
            date_filters: DateFilters::default(),
            due_on_pause: DueOnPause::default(),
            status_list: true,
            alive: true,
            busy: 1.0,
            hostile: true,
            pressing: false,
            past: 0,
            empty: false,
            remembered: false,
        }
    }
}

/// Where the events in the tickets' lives come from.
enum Life {
    Still,
    Desk(Box<Desk>),
    Replay(Box<Replay>),
}

/// What may change between two requests, apart from the tickets.
struct ServerState {
    token: String,
    faults: VecDeque<(Fault, Extent)>,
    limit: Limit,
    requests: Requests,
}

/// The look-alike.
pub struct Simulator {
    options: SimOptions,
    clock: SharedClock,
    engine: Mutex<Arc<Engine>>,
    world: Mutex<World>,
    life: Mutex<Life>,
    desk: Mutex<ServerState>,
}

impl Simulator {
    /// Creates a made-up account with a desk that has been at work for a while.
    pub fn new(options: SimOptions, clock: SharedClock) -> Arc<Self> {
        let mut world = World::new(Msp::made_up(), habits(&options));
        let desk = Desk::open(&mut world, &options, clock.now());
        let life = if options.alive { Life::Desk(Box::new(desk)) } else { Life::Still };
        Self::with(options, clock, world, life)
    }

    /// Creates an account that replays a recorded history.
    pub fn replaying(mut replay: Replay, options: SimOptions, clock: SharedClock) -> Arc<Self> {
        let mut world = World::new(replay.account(), habits(&options));
        replay.play(&mut world, clock.now());
        let life = if options.alive { Life::Replay(Box::new(replay)) } else { Life::Still };
        Self::with(options, clock, world, life)
    }

    fn with(options: SimOptions, clock: SharedClock, world: World, life: Life) -> Arc<Self> {
        let desk = ServerState {
            token: options.token.clone(),
            faults: VecDeque::new(),
            limit: Limit::default(),
            requests: Requests::default(),
        };
        Arc::new(Self {
            engine: Mutex::new(Arc::new(Engine::new(options.status_list, &BTreeSet::new()))),
            world: Mutex::new(world),
            life: Mutex::new(life),
            desk: Mutex::new(desk),
            options,
            clock,
        })
    }

    /// Serves at `addr` until the result is dropped.
    pub async fn serve(self: &Arc<Self>, addr: SocketAddr) -> io::Result<Served> {
        serve(addr, wire::router(Arc::clone(self))).await
    }

    /// Returns what the tickets went through before the start: each moment at which something changed, with the ticket
    /// as it was then. A second call returns nothing.
    pub fn take_lived(&self) -> Vec<(DateTime<Utc>, SimTicket)> {
        lock(&self.world).take_lived()
    }

    /// Brings the desk up to the present, as each request does too.
    pub fn tick(&self) {
        let now = self.clock.now();
        let mut life = lock(&self.life);
        match &mut *life {
            Life::Still => {}
            Life::Desk(desk) => desk.catch_up(&mut self.world(), now),
            Life::Replay(replay) => replay.play(&mut self.world(), now),
        }
    }

    /// Adds a ticket and returns its id.
    pub fn add(&self, spec: NewTicket) -> String {
        let mut world = self.world();
        let index = world.add(spec, self.clock.now());
        world.ticket(index).id.to_string()
    }

    /// Changes the ticket with that id, if there is one. Its updated time moves, unless `change` sets it.
    pub fn patch(&self, id: &str, change: impl FnOnce(&mut SimTicket)) {
        let now = self.clock.now();
        let mut world = self.world();
        let Some(index) = world.find(id) else { return };
        let ticket = world.ticket_mut(index);
        let before = ticket.updated_at;
        change(ticket);
        if ticket.updated_at == before {
            ticket.updated_at = now;
        }
    }

    /// Gives a ticket another status, with every consequence for its clocks.
    pub fn change_status(&self, id: &str, status: &str) {
        let now = self.clock.now();
        let mut world = self.world();
        if let Some(index) = world.find(id) {
            world.change_status(index, status, now);
        }
    }

    /// Deletes a ticket: it leaves every list without a trace.
    pub fn remove(&self, id: &str) {
        self.set_deleted(id, true);
    }

    /// Brings a deleted ticket back; its updated time does not move.
    pub fn restore(&self, id: &str) {
        self.set_deleted(id, false);
    }

    fn set_deleted(&self, id: &str, deleted: bool) {
        let mut world = self.world();
        if let Some(index) = world.find(id) {
            world.ticket_mut(index).deleted = deleted;
        }
    }

    /// Returns a copy of a ticket as it is now.
    pub fn ticket(&self, id: &str) -> Option<SimTicket> {
        let world = self.world();
        world.find(id).map(|index| world.ticket(index).clone())
    }

    /// Returns copies of all tickets that are not deleted, in order of creation.
    pub fn tickets(&self) -> Vec<SimTicket> {
        self.world().tickets().iter().filter(|ticket| !ticket.deleted).cloned().collect()
    }

    /// Returns how many of the clocks decided since `since` were met, and how many were decided.
    pub fn met_since(&self, since: DateTime<Utc>) -> (usize, usize) {
        let (world, now) = (self.world(), self.clock.now());
        let rule = world.habits().due_on_pause;
        let clocks = world.tickets().iter().filter(|ticket| !ticket.deleted).flat_map(|ticket| {
            let response = (ticket.first_response, ticket.response_violated(now));
            [response, (ticket.resolution, ticket.resolution_violated(rule, now))]
        });
        let decided = clocks.filter_map(|(clock, late)| {
            // A missed clock is decided when it is due, a met one when it is met.
            let decided_at = if late? { clock.due } else { clock.met_at };
            decided_at.filter(|at| *at >= since && *at <= now).map(|_| late == Some(false))
        });
        let decided: Vec<bool> = decided.collect();
        (decided.iter().filter(|met| **met).count(), decided.len())
    }

    /// Returns whose address or number this is, according to the list of technicians.
    pub fn owner_of(&self, contact: &str) -> Option<String> {
        let world = self.world();
        let is = |row: &JsonMap, key: &str| row.get(key).and_then(JsonValue::as_str) == Some(contact);
        let row = world.msp.rows.technicians.iter().find(|row| is(row, "email") || is(row, "contactNumber"))?;
        row.get("name").and_then(JsonValue::as_str).map(str::to_owned)
    }

    /// Makes the next `times` valid requests get `fault`, after those already on order.
    pub fn fail(&self, fault: Fault, times: u32) {
        self.desk().faults.push_back((fault, Extent::Times(times)));
    }

    /// Makes all valid requests get `fault` for `length`, which begins with the first of them.
    pub fn fail_for(&self, fault: Fault, length: TimeDelta) {
        self.desk().faults.push_back((fault, Extent::Lasting(length)));
    }

    /// Changes how the account answers, from now on.
    pub fn habits(&self, change: impl FnOnce(&mut Habits)) {
        let mut world = self.world();
        let before = world.habits().unknown_fields.clone();
        change(world.habits_mut());
        let unknown = &world.habits().unknown_fields;
        if *unknown != before {
            *lock(&self.engine) = Arc::new(Engine::new(self.options.status_list, unknown));
        }
    }

    /// Carries out an order from the command line.
    pub fn order(&self, order: FaultOrder) {
        match order {
            FaultOrder::Fault(fault, extent) => self.desk().faults.push_back((fault, extent)),
            FaultOrder::Habit { name, value } => {
                if let Some(Ok(take_on)) = habit::find(&name, &value) {
                    self.habits(|habits| take_on(habits, &value).unwrap_or_default());
                }
            }
        }
    }

    /// Drops the faults still on order and restores the initial habits.
    pub fn recover(&self) {
        self.desk().faults.clear();
        self.habits(|now| *now = habits(&self.options));
    }

    /// Replaces the only token that is accepted.
    pub fn set_token(&self, token: &str) {
        self.desk().token = token.to_owned();
    }

    /// Returns what has been asked so far.
    pub fn requests(&self) -> Requests {
        self.desk().requests.clone()
    }

    fn engine(&self) -> Arc<Engine> {
        Arc::clone(&lock(&self.engine))
    }

    fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    fn desk(&self) -> MutexGuard<'_, ServerState> {
        lock(&self.desk)
    }
}

fn habits(options: &SimOptions) -> Habits {
    Habits {
        seed: options.seed,
        sort: options.sort,
        date_filters: options.date_filters,
        due_on_pause: options.due_on_pause,
        ..Habits::default()
    }
}

/// Ignores poisoning: a panic elsewhere does not make plain data unreadable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A server that runs until it is dropped.
pub struct Served {
    addr: SocketAddr,
    /// Dropping it tells the server and its idle connections to stop.
    _stop: oneshot::Sender<()>,
}

impl Served {
    /// Returns the address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns the address as the start of a URL, without a trailing slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

pub(crate) async fn serve(addr: SocketAddr, router: axum::Router) -> io::Result<Served> {
    let listener = TcpListener::bind(addr).await?;
    let addr = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async {
        // An error means that the other end was dropped, which is how it is stopped.
        let _ = stopped.await;
    };
    tokio::spawn(axum::serve(listener, router).with_graceful_shutdown(stopped).into_future());
    Ok(Served { addr, _stop: stop })
}

#[cfg(test)]
mod tests;
