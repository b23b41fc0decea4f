//! What the store promises about tickets, on a real file.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tempfile::TempDir;

use super::{Batch, OpenTickets, Saved};
use crate::store::sync::{FullPass, SyncState, Unread};
use crate::store::{Store, StoreError};
use crate::telemetry::Telemetry;
use crate::ticket::tests::sample;
use crate::ticket::watch::{Bounds, ChangeKind};
use crate::ticket::{Directory, Reach, StatusWords, TenantId, Ticket, TicketId};

struct Desk {
    store: Store,
    folder: TempDir,
    acme: TenantId,
    words: StatusWords,
}

impl Desk {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder).await;
        Self { store, folder, acme: tenant("acme"), words: StatusWords::default() }
    }

    /// What a restart finds.
    async fn again(&self) -> Store {
        open(&self.folder).await
    }

    async fn read(&self, tickets: Vec<Ticket>, minute: i64) -> Saved {
        self.store.save_tickets(&self.acme, vec![batch(tickets, minute)], &self.words).await.unwrap()
    }

    async fn open_ids(&self) -> Vec<String> {
        ids(&self.store.open_tickets(&self.acme).await.unwrap())
    }

    async fn kinds(&self, ticket: &str) -> Vec<ChangeKind> {
        let events = self.store.events(&self.acme, &id(ticket)).await.unwrap();
        events.iter().map(|event| event.kind).collect()
    }
}

async fn open(folder: &TempDir) -> Store {
    Store::open(&folder.path().join("store.db"), Arc::new(Telemetry::default())).await.unwrap()
}

/// Lets every task run until it has to wait for something.
async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

fn batch(tickets: Vec<Ticket>, minute: i64) -> Batch {
    Batch { tickets, unread: Vec::new(), read: read(minute), state: None, policies: [].into() }
}

fn tenant(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

fn id(text: &str) -> TicketId {
    TicketId::parse(text).unwrap()
}

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + minute * 60, 0).unwrap()
}

fn read(minute: i64) -> Bounds {
    Bounds { earliest: at(minute), latest: at(minute) }
}

fn ids(open: &OpenTickets) -> Vec<String> {
    let mut ids: Vec<String> = open.keys().map(ToString::to_string).collect();
    ids.sort();
    ids
}

fn ticket(number: &str, status: &str) -> Ticket {
    Ticket {
        display_id: format!("062822-{number}"),
        subject: "printer".into(),
        status: Some(status.into()),
        created_at: Some(at(0)),
        ..sample(number)
    }
}

#[tokio::test]
async fn what_was_saved_is_found_again_after_a_restart() {
    let desk = Desk::open().await;
    let saved = desk.read(vec![ticket("1", "Open"), ticket("2", "Closed")], 10).await;
    assert_eq!((saved.new, saved.changed.len()), (2, 0));
    desk.read(vec![ticket("1", "On Hold")], 20).await;
    let held = desk.store.ticket(&desk.acme, &id("1")).await.unwrap();
    let store = desk.again().await;
    assert_eq!(store.ticket(&desk.acme, &id("1")).await.unwrap(), held);
    assert_eq!(ids(&store.open_tickets(&desk.acme).await.unwrap()), ["1"]);
    assert_eq!(desk.kinds("1").await, [ChangeKind::FirstSeen, ChangeKind::Status]);
}

#[tokio::test]
async fn the_open_tickets_at_hand_are_those_in_the_database() {
    let desk = Desk::open().await;
    assert_eq!(desk.open_ids().await, [""; 0]);
    desk.read(vec![ticket("1", "Open"), ticket("2", "Open"), ticket("3", "Open")], 10).await;
    let saved = desk.read(vec![ticket("2", "Resolved"), ticket("4", "Open")], 20).await;
    assert_eq!(
        saved,
        Saved { is_news: true, new: 1, changed: vec![id("2")], closed: 1, quarantined: 0, choices: Vec::new() }
    );
    desk.store.mark_vanished(&desk.acme, &id("3"), read(20)).await.unwrap();
    assert_eq!(desk.open_ids().await, ["1", "4"]);
    assert_eq!(ids(&desk.again().await.open_tickets(&desk.acme).await.unwrap()), ["1", "4"]);
}

#[tokio::test]
async fn of_a_ticket_that_comes_twice_in_one_answer_the_later_update_counts() {
    let updated = |status, minute| Ticket { updated_at: Some(at(minute)), ..ticket("1", status) };
    for rows in [[updated("Open", 9), updated("Closed", 1)], [updated("Closed", 1), updated("Open", 9)]] {
        let desk = Desk::open().await;
        desk.read(rows.to_vec(), 10).await;
        assert_eq!(desk.open_ids().await, ["1"]);
    }
    let desk = Desk::open().await;
    desk.read(vec![updated("Open", 9), updated("Closed", 9)], 10).await;
    assert_eq!(desk.open_ids().await, [""; 0], "of two alike the one that was read last");
}

#[tokio::test]
async fn an_unchanged_page_changes_nothing_but_the_time_of_reading() {
    let desk = Desk::open().await;
    desk.read(vec![ticket("1", "Open")], 10).await;
    desk.store.mark_missed(&desk.acme, &id("1")).await.unwrap();
    let saved = desk.read(vec![ticket("1", "Open")], 20).await;
    assert!(!saved.is_news);
    let again = desk.again().await.ticket(&desk.acme, &id("1")).await.unwrap().unwrap();
    assert_eq!(again.read_at, at(20));
    assert_eq!(desk.store.ticket(&desk.acme, &id("1")).await.unwrap(), Some(again));
    assert_eq!(desk.kinds("1").await, [ChangeKind::FirstSeen]);
    assert_eq!(desk.store.mark_missed(&desk.acme, &id("1")).await.unwrap(), 1, "the miss before was made up for");
}

#[tokio::test]
async fn a_ticket_that_comes_twice_in_a_page_is_saved_once_as_it_was_last() {
    let desk = Desk::open().await;
    let saved = desk.read(vec![ticket("1", "Open"), ticket("1", "On Hold")], 10).await;
    assert_eq!(saved.new, 1);
    let held = desk.store.ticket(&desk.acme, &id("1")).await.unwrap().unwrap();
    assert_eq!(held.ticket.status.as_deref(), Some("On Hold"));
}

#[tokio::test]
async fn a_vanished_ticket_returns_when_it_is_read_again() {
    let desk = Desk::open().await;
    desk.read(vec![ticket("1", "Open")], 10).await;
    desk.store.mark_vanished(&desk.acme, &id("1"), read(20)).await.unwrap();
    assert_eq!(desk.store.ticket(&desk.acme, &id("1")).await.unwrap().unwrap().vanished_at, Some(at(20)));
    desk.read(vec![ticket("1", "Open")], 30).await;
    assert_eq!(desk.open_ids().await, ["1"]);
    assert_eq!(desk.kinds("1").await, [ChangeKind::FirstSeen, ChangeKind::Vanished, ChangeKind::Returned]);
}

#[tokio::test]
async fn another_tenant_sees_nothing_of_it() {
    let desk = Desk::open().await;
    let other = tenant("other");
    desk.read(vec![ticket("1", "Open")], 10).await;
    desk.store.ticket(&desk.acme, &id("1")).await.unwrap().unwrap();
    assert!(desk.store.open_tickets(&other).await.unwrap().is_empty());
    assert_eq!(desk.store.ticket(&other, &id("1")).await.unwrap(), None);
    assert_eq!(desk.store.find_ticket(&Reach::One(other.clone()), "062822-1").await.unwrap(), []);
    assert_eq!(desk.store.events(&other, &id("1")).await.unwrap(), []);
    desk.store.mark_vanished(&other, &id("1"), read(20)).await.unwrap();
    assert_eq!(desk.open_ids().await, ["1"]);
}

#[tokio::test]
async fn a_ticket_is_found_by_either_id_open_ones_first() {
    let desk = Desk::open().await;
    let other = tenant("other");
    desk.read(vec![ticket("1", "Closed")], 10).await;
    desk.store.save_tickets(&other, vec![batch(vec![ticket("1", "Open")], 10)], &desk.words).await.unwrap();
    for text in ["1", " 062822-1 "] {
        let found = desk.store.find_ticket(&Reach::All, text).await.unwrap();
        let tenants: Vec<&TenantId> = found.iter().map(|(tenant, _)| tenant).collect();
        assert_eq!(tenants, [&other, &desk.acme], "{text}");
        assert_eq!(desk.store.find_ticket(&Reach::One(desk.acme.clone()), text).await.unwrap().len(), 1, "{text}");
    }
    assert_eq!(desk.store.find_ticket(&Reach::All, "%").await.unwrap(), []);
}

#[tokio::test]
async fn a_read_that_began_before_a_write_does_not_undo_it() {
    let desk = Desk::open().await;
    desk.read(vec![ticket("1", "Open")], 10).await;
    let before = Arc::new(desk.store.read_open(&desk.acme).await.unwrap());
    let (answer, slow) = tokio::sync::oneshot::channel();
    let reading = tokio::spawn({
        let (store, acme) = (desk.store.clone(), desk.acme.clone());
        async move {
            let read = async { slow.await.map(Some).map_err(|_| StoreError::Closed) };
            store.caches.open.get_or(&acme, store.caches.turn(&acme), read).await
        }
    });
    tokio::task::yield_now().await;
    let write = tokio::spawn({
        let (store, acme) = (desk.store.clone(), desk.acme.clone());
        let page = batch(vec![ticket("1", "Closed"), ticket("2", "Open")], 20);
        async move { store.save_tickets(&acme, vec![page], &StatusWords::default()).await }
    });
    // A write that did not wait for the read would be done by now: this one comes after it.
    settle().await;
    desk.store.prove_writable(at(20)).await.unwrap();
    settle().await;
    answer.send(before).unwrap();
    reading.await.unwrap().unwrap();
    write.await.unwrap().unwrap();
    assert_eq!(desk.open_ids().await, ["2"]);
}

#[tokio::test]
async fn a_write_reaches_the_cache_even_if_nobody_waits_for_it() {
    let desk = Desk::open().await;
    desk.read(vec![ticket("1", "Open")], 10).await;
    assert_eq!(desk.open_ids().await, ["1"]);
    let page = batch(vec![ticket("2", "Open")], 20);
    let abandoned = desk.store.save_tickets(&desk.acme, vec![page], &desk.words);
    assert!(futures_util::FutureExt::now_or_never(abandoned).is_none());
    // Saves of one tenant happen one after the other: when this one is done, so is that one.
    desk.read(vec![ticket("3", "Open")], 30).await;
    assert_eq!(desk.open_ids().await, ["1", "2", "3"]);
}

#[tokio::test]
async fn what_counts_as_closed_can_be_changed_between_runs() {
    let desk = Desk::open().await;
    desk.read(vec![ticket("1", "Open"), ticket("2", "Done"), ticket("3", "Closed"), ticket("4", "Open")], 10).await;
    desk.store.mark_vanished(&desk.acme, &id("4"), read(20)).await.unwrap();
    assert_eq!(desk.open_ids().await, ["1", "2"]);
    desk.store.apply_words(&desk.acme, &StatusWords::configured(&["Done".into()], &[])).await.unwrap();
    assert_eq!(desk.open_ids().await, ["1", "3"], "and what has vanished stays so");
}

#[tokio::test]
async fn tickets_that_no_read_has_shown_are_known() {
    let desk = Desk::open().await;
    desk.read(vec![ticket("1", "Open"), ticket("2", "Closed"), ticket("3", "Open")], 10).await;
    desk.read(vec![ticket("3", "Open")], 20).await;
    assert_eq!(desk.store.unseen_since(&desk.acme, at(20), true).await.unwrap(), [id("1")]);
    assert_eq!(desk.store.unseen_since(&desk.acme, at(20), false).await.unwrap(), [id("1"), id("2")]);
}

#[tokio::test]
async fn a_page_and_its_cursor_are_saved_together() {
    let desk = Desk::open().await;
    let full = FullPass { next_page: 3, total: Some(250), ..FullPass::begin(at(10), true) };
    let state = SyncState { watermark: Some(at(9)), full: Some(full), ..SyncState::default() };
    let page = Batch { state: Some(state.clone()), ..batch(vec![ticket("1", "Open")], 10) };
    desk.store.save_tickets(&desk.acme, vec![page], &desk.words).await.unwrap();
    assert_eq!(desk.again().await.sync_state(&desk.acme).await.unwrap(), state);
    assert_eq!(desk.store.sync_state(&tenant("other")).await.unwrap(), SyncState::default());
}

#[tokio::test]
async fn a_record_leaves_quarantine_once_it_can_be_read() {
    let desk = Desk::open().await;
    let unread = |record: &str| Unread { record: record.into(), field: "ticketId".into(), why: "is blank".into() };
    for (minute, new) in [(10, 2), (20, 0)] {
        let page = Batch { unread: vec![unread("ticket 1"), unread("ticket 2")], ..batch(vec![], minute) };
        let saved = desk.store.save_tickets(&desk.acme, vec![page], &desk.words).await.unwrap();
        assert_eq!(saved.quarantined, new);
    }
    desk.read(vec![ticket("1", "Open")], 30).await;
    let left = desk.store.quarantined(&desk.acme).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].unread.record.as_str(), left[0].times), ("ticket 2", 2));
    assert_eq!((left[0].first_seen_at, left[0].last_seen_at), (at(10), at(20)));
}

#[tokio::test]
async fn a_reply_that_was_found_stays_known() {
    let desk = Desk::open().await;
    desk.read(vec![ticket("1", "Open")], 10).await;
    assert_eq!(desk.open_ids().await, ["1"]);
    desk.store.save_reply(&desk.acme, &id("1"), at(12)).await.unwrap();
    assert_eq!(desk.open_ids().await, ["1"]);
    desk.read(vec![ticket("1", "On Hold")], 20).await;
    let held = desk.store.ticket(&desk.acme, &id("1")).await.unwrap().unwrap();
    assert_eq!(held.replied_at, Some(at(12)));
    assert_eq!(desk.again().await.ticket(&desk.acme, &id("1")).await.unwrap(), Some(held));
}

#[tokio::test]
async fn pages_that_are_saved_together_tell_one_story_after_the_other() {
    let desk = Desk::open().await;
    let pages =
        vec![batch(vec![ticket("1", "Open")], 10), batch(vec![ticket("1", "On Hold"), ticket("2", "Open")], 11)];
    let saved = desk.store.save_tickets(&desk.acme, pages, &desk.words).await.unwrap();
    assert_eq!((saved.new, saved.changed), (2, vec![id("1")]));
    assert_eq!(desk.kinds("1").await, [ChangeKind::FirstSeen, ChangeKind::Status]);
    assert_eq!(desk.open_ids().await, ["1", "2"]);
    let history = desk.store.save_tickets(&desk.acme, vec![batch(vec![ticket("3", "Closed")], 12)], &desk.words);
    assert!(!history.await.unwrap().is_news, "a ticket that was never open here wakes nobody");
}

#[tokio::test]
async fn the_directory_is_remembered() {
    let desk = Desk::open().await;
    assert_eq!(*desk.store.directory(&desk.acme).await.unwrap(), Directory::default());
    let directory = Directory { statuses: vec!["Open".into()], ..Directory::default() };
    let state = SyncState::default();
    desk.store.save_directory(&desk.acme, directory.clone(), vec![], state, at(10)).await.unwrap();
    assert_eq!(*desk.store.directory(&desk.acme).await.unwrap(), directory);
    let again = desk.again().await;
    assert_eq!(*again.directory(&desk.acme).await.unwrap(), directory);
}
