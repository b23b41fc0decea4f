//! What a sender is sending right now: it is never leased again before its outcome is stored.
//!
//! A lease protects against the death of the process that holds it, and only against that. The wall clock may be set
//! forward, and a locked database may delay storing an outcome for longer than any lease: neither makes a message in
//! progress due again.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::json;
use crate::alert::escalation::ChannelKind;
use crate::store::sql::{self, Connection};
use crate::store::{Store, StoreError, millis};

/// What the sender of this process is sending right now.
#[derive(Clone, Debug)]
pub struct UnderWay {
    /// As JSON.
    keys: Arc<str>,
    others_are_over: bool,
}

impl UnderWay {
    /// `others_are_over`: this process has run long enough that no lease of the previous one can still hold, whatever
    /// the wall clock says.
    pub fn new<'a>(keys: impl Iterator<Item = &'a str>, others_are_over: bool) -> Self {
        Self { keys: json(&keys.collect::<Vec<_>>()).into(), others_are_over }
    }

    pub(super) fn keys(&self) -> &str {
        &self.keys
    }

    pub(super) fn others_are_over(&self) -> bool {
        self.others_are_over
    }
}

impl Default for UnderWay {
    /// Nothing is being sent here.
    fn default() -> Self {
        Self::new(std::iter::empty(), false)
    }
}

impl Store {
    /// Restarts the time that each message has for being delivered with its next attempt: while no process ran, nobody
    /// tried.
    pub async fn count_time_to_deliver_anew(&self) -> Result<(), StoreError> {
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let anew = sql::query(
                        "UPDATE notifications SET tried_since = NULL WHERE tried_since IS NOT NULL AND key IN (
                           SELECT key FROM notifications WHERE state = 'pending'
                           UNION ALL SELECT key FROM notifications WHERE state = 'sending')",
                    );
                    anew.execute(tx).await.map(drop)
                })
            })
            .await
    }

    /// Makes waiting messages due now if they were created later than `now`: a computer whose clock was ahead created
    /// them, and they would go out that much too late.
    pub async fn hurry_what_is_from_later(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        let now = millis(now);
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let hurry = sql::query(
                        "UPDATE notifications SET due_at = $1 WHERE state = 'pending' AND due_at > $1 AND created_at > $1
                         AND channel IN (SELECT value FROM json_each($2))",
                    );
                    hurry.bind(now).bind(json(&ChannelKind::ALL)).execute(tx).await.map(drop)
                })
            })
            .await
    }
}
