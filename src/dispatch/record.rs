//! Records how attempts went. What cannot be recorded now is kept and tried again.

use std::sync::Arc;

use tokio::sync::Notify;
use tracing::error;

use crate::store::outbox::Attempted;
use crate::store::{Store, StoreError};

/// Records attempts.
#[derive(Clone)]
pub(super) struct Recorder {
    pub store: Store,
    /// Wakes evaluate when a refusal has brought an escalation forward.
    pub news: Arc<Notify>,
}

impl Recorder {
    /// Records attempts that ended together. Returns those that could not be recorded.
    pub async fn record(self, together: Arc<[Attempted]>) -> Vec<Attempted> {
        let Err(error) = self.remember(together.clone()).await else { return Vec::new() };
        if matches!(error, StoreError::Locked(_) | StoreError::Closed) || together.len() == 1 {
            tell(&together, &error);
            return together.to_vec();
        }
        // One of them may be at fault.
        let mut left = Vec::new();
        for attempt in together.iter() {
            if let Err(error) = self.remember([attempt.clone()].into()).await {
                tell(std::slice::from_ref(attempt), &error);
                left.push(attempt.clone());
            }
        }
        left
    }

    async fn remember(&self, attempts: Arc<[Attempted]>) -> Result<(), StoreError> {
        if self.store.record_attempts(attempts).await? {
            self.news.notify_one();
        }
        Ok(())
    }
}

fn tell(attempts: &[Attempted], error: &StoreError) {
    let Some(first) = attempts.first() else { return };
    let (key, count) = (&first.leased.notification.message.key, attempts.len());
    error!(notification.id = %key, count, error = %error,
        "the results of {count} attempts, `{key}` among them, cannot be stored now; they are kept and stored later, and nothing is sent twice");
}
