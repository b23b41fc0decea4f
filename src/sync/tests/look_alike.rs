//! The sync against the SuperOps look-alike: after some time on a busy desk, it holds what is there.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::desk::{Bench, TOKEN, begin};
use crate::clock::ManualClock;
use crate::simulator::{NewTicket, Served, SimOptions, Simulator, Sorting};
use crate::ticket::{StatusMeaning, StatusWords};
use chrono::TimeDelta;

struct Account {
    simulator: Arc<Simulator>,
    bench: Bench,
    _served: Served,
}

impl Account {
    async fn open(options: SimOptions) -> Self {
        let clock = ManualClock::at(begin());
        let options = SimOptions { requests_per_minute: 0, token: TOKEN.into(), ..options };
        let simulator = Simulator::new(options, Arc::new(clock.clone()));
        let served = simulator.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let bench = Bench::before(format!("{}/msp", served.url()), Arc::default(), clock).await;
        Self { simulator, bench, _served: served }
    }

    /// Runs a turn every `minutes`, `turns` times.
    async fn live(&mut self, turns: usize, minutes: i64) {
        for _ in 0..turns {
            self.bench.turn().await;
            self.bench.clock.advance(TimeDelta::minutes(minutes));
        }
        self.bench.turn().await;
    }

    /// Returns the open tickets as they are, and as we hold them.
    async fn both(&self) -> (BTreeMap<String, Option<String>>, BTreeMap<String, Option<String>>) {
        let words = StatusWords::default();
        let there = self
            .simulator
            .tickets()
            .into_iter()
            .map(|ticket| (ticket.id.to_string(), ticket.status.map(|status| status.to_string())));
        let there = there.filter(|(_, status)| words.meaning(status.as_deref()) != StatusMeaning::Closed).collect();
        let open = self.bench.store.open_tickets(self.bench.tenant()).await.unwrap();
        let held = open.iter().map(|(id, watched)| (id.to_string(), watched.ticket.status.clone())).collect();
        (there, held)
    }
}

#[tokio::test]
async fn after_two_hours_of_a_living_desk_the_store_holds_what_is_there() {
    let accounts = [
        ("all works", SimOptions::default()),
        ("no status list", SimOptions { status_list: false, ..SimOptions::default() }),
        ("no order by update", SimOptions { sort: Sorting::Ignored, ..SimOptions::default() }),
        ("the order is refused", SimOptions { sort: Sorting::Refused, ..SimOptions::default() }),
    ];
    for (name, options) in accounts {
        let mut account = Account::open(SimOptions { busy: 3.0, tickets: 120, ..options }).await;
        account.live(8, 15).await;
        let (there, held) = account.both().await;
        assert!(there.len() > 50, "{name}");
        assert_eq!(there, held, "{name}");
    }
}

#[tokio::test]
async fn a_deleted_ticket_vanishes_and_a_restored_one_returns() {
    let mut account = Account::open(SimOptions { alive: false, tickets: 120, ..SimOptions::default() }).await;
    account.live(1, 1).await;
    let id = account.simulator.add(NewTicket { created_in: TimeDelta::minutes(-5), ..NewTicket::default() });
    account.live(1, 1).await;
    account.simulator.remove(&id);
    account.live(3, 2).await;
    let (there, held) = account.both().await;
    assert_eq!(there, held, "deleted");
    account.simulator.restore(&id);
    account.live(1, 2).await;
    let (there, held) = account.both().await;
    assert!(there.contains_key(&id));
    assert_eq!(there, held, "restored");
}
