//! Many who listen to what changes, each over a connection of their own.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::task::JoinSet;

/// One address has no more than a quarter of all places.
const OF_ONE_ADDRESS: usize = 100;

/// They listen until this is dropped.
pub struct Listeners {
    told: Arc<AtomicUsize>,
    _tasks: JoinSet<anyhow::Result<()>>,
}

impl Listeners {
    /// How many were told of something since they were greeted.
    pub fn told(&self) -> usize {
        self.told.load(Ordering::Relaxed)
    }
}

/// Opens so many streams at `address`.
pub async fn listen(address: SocketAddr, token: &str, streams: usize) -> anyhow::Result<Listeners> {
    let (told, mut tasks) = (Arc::new(AtomicUsize::new(0)), JoinSet::new());
    let ask = format!("GET /api/v1/events HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\r\n");
    for nth in 0..streams {
        let socket = TcpSocket::new_v4()?;
        let host = u8::try_from(nth / OF_ONE_ADDRESS)? + 2;
        socket.bind((Ipv4Addr::new(127, 0, 0, host), 0).into())?;
        let mut stream = socket.connect(address).await?;
        stream.write_all(ask.as_bytes()).await?;
        let mut head = [0; 4096];
        let read = stream.read(&mut head).await?;
        anyhow::ensure!(head[..read].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head[..read]));
        let told = told.clone();
        tasks.spawn(async move {
            let (mut greeted, mut counted) = (false, false);
            loop {
                let read = stream.read(&mut head).await?;
                anyhow::ensure!(read > 0, "the stream has ended");
                // The greeting may come with the head, or after it; a beat or a change is more than that.
                let is_news =
                    head[..read].windows(6).any(|word| word == b"event:") && (greeted || !is_greeting(&head[..read]));
                greeted = true;
                if is_news && !counted {
                    counted = true;
                    told.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    Ok(Listeners { told, _tasks: tasks })
}

fn is_greeting(bytes: &[u8]) -> bool {
    bytes.windows(5).any(|word| word == b"hello")
}
