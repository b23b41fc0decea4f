//! Writes a turn of `evaluate` in one transaction while it is still being decided.
//!
//! The notifications of ten thousand breaches are too much to hold in memory at once, so they come in parts, each
//! written while the next is decided. The turn still happens as a whole or not at all.

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{AlertKey, AlertTurn, ROWS_A_STATEMENT, recover, upsert};
use crate::store::sql::{self, Connection};
use crate::store::{Store, StoreError, outbox, write_backs};

/// A turn on its way to the disk. No other write of the store gets through until it is finished.
pub struct Saving {
    parts: mpsc::Sender<Part>,
    saved: JoinHandle<Result<(), StoreError>>,
}

struct Part {
    turn: AlertTurn,
    is_last: bool,
}

impl Store {
    /// Begins to write what a turn decides. Nothing is written unless it is finished.
    pub fn saving(&self, now: DateTime<Utc>) -> Saving {
        let (parts, coming) = mpsc::channel(1);
        let writer = self.writer.clone();
        let saved =
            tokio::spawn(
                async move { writer.write(move |tx: &mut Connection| Box::pin(save_all(tx, coming, now))).await },
            );
        Saving { parts, saved }
    }
}

impl Saving {
    /// Accepts a part, once the one before the last is written. A failure is reported by [`Saving::finish`].
    pub async fn add(&self, turn: AlertTurn) {
        let _ = self.parts.send(Part { turn, is_last: false }).await;
    }

    /// Accepts the last part. Everything is written when this returns.
    ///
    /// If somebody acted on one of the alerts since it was read, nothing at all is written: [`StoreError::Overtaken`].
    pub async fn finish(self, turn: AlertTurn) -> Result<(), StoreError> {
        let _ = self.parts.send(Part { turn, is_last: true }).await;
        match self.saved.await.map_err(|_| StoreError::Closed)? {
            Err(StoreError::Broken(sql::Error::RowNotFound)) => Err(StoreError::Overtaken),
            saved => saved,
        }
    }
}

async fn save_all(tx: &mut Connection, mut parts: mpsc::Receiver<Part>, now: DateTime<Utc>) -> Result<(), sql::Error> {
    while let Some(Part { turn, is_last }) = parts.recv().await {
        save(tx, turn, now).await?;
        if is_last {
            return Ok(());
        }
    }
    // The turn was abandoned: everything is rolled back.
    Err(sql::Error::WorkerCrashed)
}

/// Writes one part. What is void is withdrawn before anything new is added.
async fn save(tx: &mut Connection, turn: AlertTurn, now: DateTime<Utc>) -> Result<(), sql::Error> {
    for alerts in turn.alerts.chunks(ROWS_A_STATEMENT) {
        upsert(tx, alerts).await?;
    }
    if !turn.cancelled.is_empty() {
        let keys: Vec<String> = turn.cancelled.iter().map(AlertKey::to_string).collect();
        outbox::withdraw(tx, &keys, now).await?;
    }
    for (key, until, from) in &turn.let_go {
        outbox::let_go(tx, &key.to_string(), *until, *from).await?;
    }
    if !turn.opened_again.is_empty() {
        let keys: Vec<String> = turn.opened_again.iter().map(AlertKey::to_string).collect();
        outbox::withdraw_ends(tx, &keys, now).await?;
    }
    for (key, stage) in &turn.reopened {
        outbox::take_up_again(tx, &key.to_string(), stage, now).await?;
    }
    if !turn.withdrawn.is_empty() {
        outbox::make_void(tx, &turn.withdrawn, now).await?;
    }
    for recovered in &turn.recovered {
        recover(tx, recovered, now).await?;
    }
    for rows in turn.notifications.chunks(ROWS_A_STATEMENT) {
        outbox::enqueue(tx, rows).await?;
    }
    write_backs::enqueue(tx, &turn.write_backs).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::alert::escalation::ChannelKind;
    use crate::notify::{Body, Message};
    use crate::sla::zone::Tz;
    use crate::store::outbox::NewNotification;
    use crate::telemetry::Telemetry;
    use crate::ticket::TenantId;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn telling(key: &str) -> AlertTurn {
        let message = Message {
            key: key.to_owned(),
            thread: "thread".to_owned(),
            continues_thread: false,
            to: "dana@example.com".to_owned(),
            to_name: None,
            timezone: Tz::UTC,
            body: Body::Test,
        };
        let notification = NewNotification {
            tenant: TenantId::parse("acme").unwrap(),
            alert_key: "alert".to_owned(),
            ticket_id: None,
            kind: "alert",
            stage: "breached".to_owned(),
            step: 0,
            channel: ChannelKind::Email,
            recipient: "dana".to_owned(),
            fallback: Vec::new(),
            message,
            due_at: now(),
            created_at: now(),
            reader: Default::default(),
        };
        AlertTurn { notifications: vec![notification], ..AlertTurn::default() }
    }

    async fn store(folder: &tempfile::TempDir) -> Store {
        Store::open(&folder.path().join("store.db"), Arc::new(Telemetry::default())).await.unwrap()
    }

    #[tokio::test]
    async fn a_turn_that_comes_in_parts_happens_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let saving = store.saving(now());
        saving.add(telling("a")).await;
        saving.add(telling("b")).await;
        assert_eq!(store.outbox_pending().await.unwrap(), 0, "nothing has happened yet");
        saving.finish(telling("c")).await.unwrap();
        assert_eq!(store.outbox_pending().await.unwrap(), 3);
    }

    #[tokio::test]
    async fn of_a_turn_that_is_given_up_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let saving = store.saving(now());
        saving.add(telling("a")).await;
        saving.add(telling("b")).await;
        drop(saving);
        store.prove_writable(now()).await.unwrap();
        assert_eq!(store.outbox_pending().await.unwrap(), 0);
    }
}
