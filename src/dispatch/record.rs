//! Remembers how attempts went. What is not remembered is done again.

use std::sync::Arc;

use tokio::sync::Notify;
use tracing::error;

use crate::store::outbox::Attempted;
use crate::store::{Store, StoreError};

/// How attempts went is stored in so many tries. Each waits for a locked database by itself.
const STORE_TRIES: u32 = 3;

/// Has attempts recorded.
#[derive(Clone)]
pub(super) struct Recorder {
    pub store: Store,
    /// Rings evaluate: a refusal has brought an escalation forward.
    pub news: Arc<Notify>,
}

impl Recorder {
    /// Records attempts that ended together.
    pub async fn record(self, ended: Vec<Attempted>) {
        let together: Arc<[Attempted]> = ended.into();
        let Err(error) = self.remember(together.clone()).await else { return };
        if let [alone] = &together[..] {
            return tell(alone, &error);
        }
        // It may be the fault of one of them.
        for attempt in together.iter() {
            if let Err(error) = self.remember([attempt.clone()].into()).await {
                tell(attempt, &error);
            }
        }
    }

    async fn remember(&self, attempts: Arc<[Attempted]>) -> Result<(), StoreError> {
        let mut tries = 1;
        loop {
            match self.store.record_attempts(attempts.clone()).await {
                Err(StoreError::Locked(_)) if tries < STORE_TRIES => tries += 1,
                Ok(hurried) => {
                    if hurried {
                        self.news.notify_one();
                    }
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }
}

fn tell(attempt: &Attempted, error: &StoreError) {
    let key = &attempt.leased.notification.message.key;
    error!(notification.id = %key, error = %error,
        "how `{key}` went could not be stored; its lease runs out and it is looked up again");
}
