//! Writes what a turn has decided to the store.

use chrono::{DateTime, Utc};

use crate::store::alerts::{AlertTurn, Saving};
use crate::store::{Store, StoreError};

/// Takes what a turn decides, in parts. All of it takes effect with the last part.
pub(super) struct Commit {
    store: Store,
    now: DateTime<Utc>,
    /// None until there is something to write.
    saving: Option<Saving>,
    sums: Sums,
}

/// The totals of a turn.
#[derive(Debug, Default)]
pub(super) struct Sums {
    pub resolved: usize,
    pub notifications: usize,
    /// Whether the outbox has something new.
    pub to_send: bool,
    /// Whether something is to be written to tickets.
    pub to_write: bool,
}

impl Commit {
    pub fn new(store: Store, now: DateTime<Utc>) -> Self {
        Self { store, now, saving: None, sums: Sums::default() }
    }

    /// Writes a part while the next is being decided. From then on the writer must not be asked for anything else.
    pub async fn part(&mut self, part: AlertTurn) {
        self.sums.add(&part);
        let saving = self.saving.get_or_insert_with(|| self.store.saving(self.now));
        saving.add(part).await;
    }

    /// Writes the last part, and with it completes the turn.
    pub async fn finish(mut self, last: AlertTurn) -> Result<Sums, StoreError> {
        self.sums.add(&last);
        if self.saving.is_some() || !last.is_empty() {
            let saving = self.saving.unwrap_or_else(|| self.store.saving(self.now));
            saving.finish(last).await?;
        }
        Ok(self.sums)
    }
}

impl Sums {
    fn add(&mut self, part: &AlertTurn) {
        self.resolved += part.alerts.iter().filter(|row| row.raised.resolved_as.is_some()).count();
        self.notifications += part.notifications.len();
        self.to_send |= !(part.notifications.is_empty()
            && part.recovered.is_empty()
            && part.reopened.is_empty()
            && part.let_go.is_empty());
        self.to_write |= !part.write_backs.is_empty();
    }
}
