//! The writer towards a PostgreSQL server that is lost: through a line that can be cut, or fall silent.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use chrono::DateTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::store::Store;

/// A line to the server.
#[derive(Default)]
struct Line {
    /// How many connections went over it.
    connections: AtomicUsize,
    /// On the connections up to this one nothing arrives any more.
    silent: AtomicUsize,
    /// The answer to the next COMMIT is lost, and the connection with it.
    loses_commit: AtomicBool,
}

impl Line {
    async fn open(server: Server) -> (Server, Arc<Self>) {
        let line = Arc::new(Self::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (host, real) = (server.options().get_host().to_owned(), server.options().get_port());
        let held = line.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let number = held.connections.fetch_add(1, Ordering::SeqCst) + 1;
                let behind = TcpStream::connect((host.as_str(), real)).await.unwrap();
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), behind.into_split());
                let (there, back) = (held.clone(), held.clone());
                let was_commit = Arc::new(AtomicBool::new(false));
                tokio::spawn(there.pass(number, from_client, to_server, was_commit.clone(), true));
                tokio::spawn(back.pass(number, from_server, to_client, was_commit, false));
            }
        });
        (server.at(|options| options.host("127.0.0.1").port(port)), line)
    }

    async fn pass(
        self: Arc<Self>,
        number: usize,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
        was_commit: Arc<AtomicBool>,
        from_client: bool,
    ) {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            if number <= self.silent.load(Ordering::SeqCst) {
                continue;
            }
            let said = &buffer[..read];
            if from_client && said.windows(6).any(|word| word == b"COMMIT") {
                let is_lost = self.loses_commit.swap(false, Ordering::SeqCst);
                was_commit.store(is_lost, Ordering::SeqCst);
            }
            if !from_client && was_commit.load(Ordering::SeqCst) && said.windows(7).any(|word| word == b"COMMIT\0") {
                return;
            }
            if to.write_all(said).await.is_err() {
                return;
            }
        }
    }

    fn fall_silent(&self) {
        self.silent.store(self.connections.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

/// Opens a store over a line of its own; none where the tests have no server.
async fn over_a_line(folder: &tempfile::TempDir) -> Option<(Store, Arc<Line>)> {
    let server = crate::store::place::tests::server(&folder.path().join("sla.db"))?;
    let (mut server, line) = Line::open(server).await;
    server.patience = std::time::Duration::from_millis(500);
    Some((Store::open(server, Arc::default()).await.unwrap(), line))
}

#[tokio::test]
async fn a_change_that_the_server_did_not_confirm_is_said_to_be_so_and_everything_is_read_anew() {
    let folder = tempfile::tempdir().unwrap();
    let Some((store, line)) = over_a_line(&folder).await else { return };
    store.listen_to_others();
    let mut news = store.news_of_others();
    line.loses_commit.store(true, Ordering::SeqCst);
    let now = DateTime::from_timestamp_millis(7).unwrap();
    let told = store.prove_writable(now).await;
    assert!(matches!(told, Err(StoreError::Unconfirmed(_))), "{told:?}");
    assert!(told.unwrap_err().to_string().contains("look before you do it again"));
    let made = sql::query_scalar::<i64>("SELECT at FROM heartbeats WHERE name = 'ready'").fetch_one(&store.reads).await;
    assert_eq!(made.unwrap(), 7, "it was made");
    tokio::time::timeout(std::time::Duration::from_secs(20), news.changed()).await.expect("within seconds").unwrap();
    store.prove_writable(now).await.expect("over a new connection");
}

#[tokio::test]
async fn a_server_that_is_lost_without_a_word_is_connected_to_anew() {
    let folder = tempfile::tempdir().unwrap();
    let Some((store, line)) = over_a_line(&folder).await else { return };
    store.prove_writable(DateTime::UNIX_EPOCH).await.unwrap();
    let mut reading = store.reads.acquire().await.unwrap();
    line.fall_silent();
    let asked = sql::query("SELECT 1").fetch_one(&mut reading);
    let (written, read) = tokio::join!(store.prove_writable(DateTime::UNIX_EPOCH), asked);
    written.expect("tried again on a new connection");
    let why = read.err().expect("the old connection answers nobody").to_string();
    assert!(why.contains("no answer within 4s"), "{why}");
}
