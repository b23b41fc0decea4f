//! Moves committed pages from SQLite's log into the database, without the writer.
//!
//! By default SQLite makes the writer do that at every thousandth page: two more flushes that all waiting writes have
//! to wait for. Here the writer only helps if this task cannot keep up.

use std::time::Duration;

use sqlx::{Connection, SqliteConnection};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// In pages of 4 kB: when the log gets this long, the writer checkpoints it itself.
pub const LONGEST_LOG: &str = "16000";
/// In bytes: a log file that was longer is cut back to this.
pub const USUAL_LOG: &str = "16000000";

/// How often the log is moved while there are commits.
const EVERY: Duration = Duration::from_millis(500);

/// Announces commits. When it is dropped, the log is left to the writer.
pub struct Checkpoints {
    commits: watch::Sender<()>,
    moving: JoinHandle<()>,
}

impl Checkpoints {
    /// Starts the task on its own connection.
    pub fn start(connection: SqliteConnection) -> Self {
        let commits = watch::Sender::new(());
        let moving = tokio::spawn(run(connection, commits.subscribe()));
        Self { commits, moving }
    }

    /// Announces that there is something new in the log.
    pub fn committed(&self) {
        self.commits.send_replace(());
    }

    /// Ends the task and closes its connection.
    pub async fn close(self) {
        drop(self.commits);
        // An error means that the task has already ended, and its connection with it.
        let _ = self.moving.await;
    }
}

async fn run(mut connection: SqliteConnection, mut commits: watch::Receiver<()>) {
    while commits.changed().await.is_ok() {
        // Pages that cannot be moved now stay in the log and are safe there.
        let _ = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut connection).await;
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = closed(&commits) => break,
        }
    }
    let _ = connection.close().await;
}

async fn closed(commits: &watch::Receiver<()>) {
    let mut commits = commits.clone();
    while commits.changed().await.is_ok() {}
}
