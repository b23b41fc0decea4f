//! How one loop wakes another: "there is something new", and nothing else.
//!
//! A nudge given while nobody listens is kept; many nudges are worth one.

use std::sync::Arc;

use tokio::sync::Notify;

/// A bell that one side rings and the other waits for.
#[derive(Clone, Debug, Default)]
pub struct Nudge(Arc<Notify>);

impl Nudge {
    /// Rings.
    pub fn ring(&self) {
        self.0.notify_one();
    }

    /// Returns once it has been rung since the last time.
    pub async fn rung(&self) {
        self.0.notified().await;
    }
}
