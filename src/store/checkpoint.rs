//! Moves what was committed from SQLite's log into the database, beside the writer.
//!
//! By itself SQLite has the writer do that at every thousandth page: two more
//! flushes, and all that is to be written waits for them. Only if this cannot
//! keep up does the writer lend a hand.

use std::time::Duration;

use sqlx::{Connection, SqliteConnection};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// In pages of 4 kB: when the log is as long as this, the writer moves it itself.
pub const LONGEST_LOG: &str = "16000";
/// In bytes: a log that was longer gives the rest of its file back.
pub const USUAL_LOG: &str = "16000000";

/// The log is moved this often while there are commits.
const EVERY: Duration = Duration::from_millis(500);

/// Tells of commits. When it is dropped, the log is left to the writer.
pub struct Checkpoints {
    commits: watch::Sender<()>,
    moving: JoinHandle<()>,
}

impl Checkpoints {
    /// Starts on a connection of its own.
    pub fn start(connection: SqliteConnection) -> Self {
        let commits = watch::Sender::new(());
        let moving = tokio::spawn(run(connection, commits.subscribe()));
        Self { commits, moving }
    }

    /// There is something new in the log.
    pub fn committed(&self) {
        self.commits.send_replace(());
    }

    /// Ends it, and closes its connection.
    pub async fn close(self) {
        drop(self.commits);
        // An error means that it has ended by itself, and its connection with it.
        let _ = self.moving.await;
    }
}

async fn run(mut connection: SqliteConnection, mut commits: watch::Receiver<()>) {
    while commits.changed().await.is_ok() {
        // What cannot be moved now stays in the log, and is safe there.
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
