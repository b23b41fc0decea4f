//! Accepts connections, and keeps strangers from using up what the watch needs.
//!
//! The number of places is limited, and one address may have only a share of them. When all are taken, a new connection
//! gets the place of the one that has waited longest for its next request, as in nginx. So idle connections keep nobody
//! out, and a proxy, behind which everybody shares one address, loses no request under way.
//! Streams are opened by known callers and last for hours, so they take nothing of an address's share. Instead they
//! give way when all places are taken and nobody waits: pages reconnect.
//! Each phase of a connection has a time limit: asking, being answered, taking the answer, standing idle.

mod phase;

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request};
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, Id, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tracing::{debug, error};

use self::phase::{Progress, Tracked};
use crate::descriptors;
use crate::telemetry::{ConnectionLabels, Telemetry};

/// How long a stop waits for answers under way.
const DRAIN: Duration = Duration::from_secs(5);
/// How often to look for connections that have taken too long.
const LOOK: Duration = Duration::from_secs(1);
/// The most bytes that are held back of what a connection sends: of a request's head, or of its body's next part.
const BUFFER: usize = 32 * 1024;
/// A body belongs to the request up to this many bytes, which is as much as any route takes of a stranger: more would let
/// strangers fill the memory. What follows is for the handler to read.
const AHEAD: usize = 64 * 1024;
/// One address may have one in this many of all places.
const SHARE: usize = 4;
/// How long to wait after the system failed to give a connection.
const PAUSE: Duration = Duration::from_millis(100);
/// The least time between two log messages about that.
const SAID_EVERY: Duration = Duration::from_mins(1);

/// Serves connections, with a limit on their number, and counts them.
pub struct HttpServer {
    pub places: usize,
    pub telemetry: Arc<Telemetry>,
}

impl HttpServer {
    /// Takes the page's share of this process's file descriptors, beside the loops that serve `tenants`.
    pub fn sized_beside(tenants: usize, telemetry: Arc<Telemetry>) -> Self {
        Self { places: descriptors::for_the_page(tenants), telemetry }
    }

    /// Serves until `stop`, then finishes the answers under way for a short time.
    pub async fn serve(self, listener: TcpListener, router: Router, stop: impl Future<Output = ()>) {
        let mut connections = Connections {
            server: self,
            router: TowerToHyperService::new(router),
            tasks: JoinSet::new(),
            known: HashMap::new(),
            closing: watch::Sender::new(false),
            complained: None,
        };
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stop = pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => connections.accept(stream, peer),
                    Err(error) => connections.accept_failed(&error).await,
                },
                Some(ended) = connections.tasks.join_next_with_id() => connections.forget(ended.map_or_else(|e| e.id(), |(id, ())| id)),
                _ = look.tick() => connections.close_overdue(),
            }
        }
        drop(listener);
        connections.drain().await;
    }
}

/// One connection.
struct OpenConnection {
    /// The address towards whose share it counts.
    party: IpAddr,
    progress: Arc<Progress>,
    opened: Instant,
    task: AbortHandle,
}

struct Connections {
    server: HttpServer,
    router: TowerToHyperService<Router>,
    tasks: JoinSet<()>,
    known: HashMap<Id, OpenConnection>,
    closing: watch::Sender<bool>,
    /// When the failure to accept connections was last logged.
    complained: Option<Instant>,
}

impl Connections {
    /// Gives the connection a place if one can be had.
    fn accept(&mut self, stream: TcpStream, peer: SocketAddr) {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.forget(ended.map_or_else(|error| error.id(), |(id, ())| id));
        }
        let party = party(peer.ip());
        if !self.make_room(party) {
            return self.count("refused");
        }
        let opened = Instant::now();
        let progress = Progress::new(opened);
        let attended = attend(stream, peer, self.router.clone(), progress.clone(), self.closing.subscribe());
        let task = self.tasks.spawn(attended);
        self.known.insert(task.id(), OpenConnection { party, progress, opened, task });
        self.show();
    }

    /// Makes a place free for `party`. False if all that it may have are taken by connections being answered.
    fn make_room(&mut self, party: IpAddr) -> bool {
        let counts = |connection: &&OpenConnection| connection.party == party && !connection.progress.is_stream();
        let too_many = self.known.values().filter(counts).count() >= (self.server.places / SHARE).max(1);
        if !too_many && self.known.len() < self.server.places {
            return true;
        }
        let candidates = self.known.iter().filter(|(_, connection)| !too_many || connection.party == party);
        let waiting = candidates.filter_map(|(id, connection)| Some((connection.progress.waiting_since()?, *id)));
        match waiting.min_by_key(|(since, _)| *since) {
            Some((_, id)) => self.dismiss(id, "crowded"),
            None => !too_many && self.close_a_stream(),
        }
    }

    /// Closes the stream of the oldest connection. False if there is none.
    fn close_a_stream(&mut self) -> bool {
        let streams = self.known.iter().filter(|(_, connection)| connection.progress.is_stream());
        let oldest = streams.min_by_key(|(_, connection)| connection.opened).map(|(id, _)| *id);
        if let Some(id) = oldest {
            self.close(id, "crowded");
        }
        oldest.is_some()
    }

    fn dismiss(&mut self, id: Id, why: &'static str) -> bool {
        let dismissed = self.known.get(&id).is_some_and(|connection| connection.progress.dismiss());
        if dismissed {
            self.close(id, why);
        }
        dismissed
    }

    fn close(&mut self, id: Id, why: &'static str) {
        if let Some(connection) = self.known.remove(&id) {
            connection.task.abort();
            self.count(why);
        }
    }

    fn close_overdue(&mut self) {
        let now = Instant::now();
        let overdue = self.known.iter().filter(|(_, connection)| connection.progress.is_overdue(now));
        for id in overdue.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.close(id, "overdue");
        }
        self.show();
    }

    fn forget(&mut self, id: Id) {
        self.known.remove(&id);
        self.show();
    }

    /// Handles the system's failure to give a connection.
    async fn accept_failed(&mut self, error: &io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
        if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted) {
            return;
        }
        if self.complained.is_none_or(|at| at.elapsed() >= SAID_EVERY) {
            self.complained = Some(Instant::now());
            error!(error = %error, "the page can take no more connections; trying again");
        }
        sleep(PAUSE).await;
    }

    /// Lets the answers under way end, for a short time.
    async fn drain(mut self) {
        self.closing.send_replace(true);
        for id in self.known.keys().copied().collect::<Vec<_>>() {
            self.dismiss(id, "stopped");
        }
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(DRAIN, all).await.is_err() {
            debug!("some connections are closed in the middle of an answer");
        }
        self.server.telemetry.web_connections.set(0);
    }

    fn show(&self) {
        self.server.telemetry.web_connections.set(i64::try_from(self.known.len()).unwrap_or(i64::MAX));
    }

    fn count(&self, why: &'static str) {
        self.server.telemetry.web_connections_closed.get_or_create(&ConnectionLabels { why }).inc();
    }
}

/// Serves one connection until it is closed.
async fn attend(
    stream: TcpStream,
    peer: SocketAddr,
    router: TowerToHyperService<Router>,
    progress: Arc<Progress>,
    mut closing: watch::Receiver<bool>,
) {
    // A page is one answer: waiting for more to send with it would only delay it.
    let _ = stream.set_nodelay(true);
    let io = TokioIo::new(Tracked { stream, progress: progress.clone() });
    let service = service_fn(|request| answer(&router, &progress, peer, request));
    // hyper's own limit for reading a head would also close idle connections.
    let mut connection =
        pin!(http1::Builder::new().header_read_timeout(None).max_buf_size(BUFFER).serve_connection(io, service));
    let served = tokio::select! {
        served = &mut connection => served,
        _ = closing.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        debug!(error = %error, "a connection ended badly");
    }
}

async fn answer(
    router: &TowerToHyperService<Router>,
    progress: &Progress,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response, ConnectionClosing> {
    let (head, body) = request.into_parts();
    // Until its body is there, somebody still asks, and may be closed like all who wait.
    let body = arrived(body).await.map_err(|_| ConnectionClosing)?;
    if !progress.asked() {
        return Err(ConnectionClosing);
    }
    let mut request = Request::from_parts(head, body);
    // The audit log records the address that a change came from.
    request.extensions_mut().insert(ConnectInfo(peer));
    let answer = router.call(request).await.unwrap_or_else(|never: Infallible| match never {});
    let kind = answer.headers().get(CONTENT_TYPE);
    if kind.is_some_and(|kind| kind == "text/event-stream") {
        progress.streams()
    } else {
        progress.answered()
    }
    Ok(answer)
}

/// Reads a body, or the beginning of a long one, before anything is done for it.
async fn arrived(mut body: Incoming) -> Result<Body, hyper::Error> {
    let mut ahead = Vec::new();
    while ahead.len() < AHEAD {
        let Some(frame) = body.frame().await else { return Ok(Body::from(ahead)) };
        if let Ok(data) = frame?.into_data() {
            ahead.extend_from_slice(&data);
        }
    }
    let ahead = stream::iter([Ok(Bytes::from(ahead))]);
    Ok(Body::from_stream(ahead.chain(Body::new(body).into_data_stream())))
}

/// The request was cut short, or came when its connection was about to be closed. Nothing was done for it.
#[derive(Debug, thiserror::Error)]
#[error("the connection is being closed")]
struct ConnectionClosing;

/// Counts the addresses of one host as one: with IPv6, a host has a whole /64.
fn party(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::io::ErrorKind;
    use std::net::{Ipv4Addr, SocketAddr};
    use std::sync::Arc;

    use axum::Router;
    use axum::body::{Body, Bytes};
    use axum::http::header::CONTENT_TYPE;
    use axum::routing::{get, post};
    use futures_util::stream;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpSocket, TcpStream};

    use super::{AHEAD, HttpServer, party};

    const PAGE: &str = "GET / HTTP/1.1\r\nhost: us\r\n\r\n";
    const STREAM: &str = "GET /stream HTTP/1.1\r\nhost: us\r\n\r\n";

    /// Serves a page, a stream that tells nothing and a form, with so many places.
    async fn served(places: usize) -> SocketAddr {
        let silent = || Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
        let router = Router::new()
            .route("/", get(|| async { "here" }))
            .route("/stream", get(move || async move { ([(CONTENT_TYPE, "text/event-stream")], silent()) }))
            .route("/form", post(|body: Bytes| async move { body.len().to_string() }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = HttpServer { places, telemetry: Arc::default() };
        tokio::spawn(server.serve(listener, router, std::future::pending()));
        address
    }

    fn form(length: usize) -> String {
        format!("POST /form HTTP/1.1\r\nhost: us\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n")
    }

    /// Connects from 127.0.0.`host`, sends `text` and returns what comes first.
    async fn asks(server: SocketAddr, host: u8, text: &str) -> (TcpStream, String) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::new(127, 0, 0, host), 0).into()).unwrap();
        let mut stream = socket.connect(server).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = [0; 1_024];
        let read = stream.read(&mut answer).await.unwrap_or_default();
        (stream, String::from_utf8_lossy(&answer[..read]).into_owned())
    }

    #[tokio::test]
    async fn streams_of_one_address_take_all_places_and_the_oldest_gives_way_to_a_request() {
        let server = served(8).await;
        let mut streams = Vec::new();
        for _ in 0..8 {
            let (stream, answer) = asks(server, 1, STREAM).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            streams.push(stream);
        }
        let (_, answer) = asks(server, 1, PAGE).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let _ = streams[0].read_to_end(&mut Vec::new()).await;
        let is_open = |stream: &TcpStream| {
            stream.try_read(&mut [0; 64]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
        };
        assert!(streams[1..].iter().all(is_open));
    }

    #[tokio::test]
    async fn who_sends_a_body_slowly_still_asks_and_gives_way() {
        let server = served(4).await;
        let mut slow = Vec::new();
        for host in 2..6 {
            let (stream, answer) = asks(server, host, &form(100)).await;
            assert!(answer.starts_with("HTTP/1.1 100"), "{answer}");
            slow.push(stream);
        }
        let (_, answer) = asks(server, 1, PAGE).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    #[tokio::test]
    async fn a_body_arrives_whole_however_long() {
        let server = served(4).await;
        for length in [0, 1, AHEAD - 1, AHEAD, AHEAD + 1, 3 * AHEAD] {
            let (mut stream, begun) = asks(server, 1, &form(length)).await;
            assert!(length == 0 || begun.starts_with("HTTP/1.1 100"), "{begun}");
            stream.write_all(&vec![b'a'; length]).await.unwrap();
            let mut answer = begun;
            while !answer.ends_with(&format!("\r\n\r\n{length}")) {
                let mut more = [0; 1_024];
                let read = stream.read(&mut more).await.unwrap();
                assert!(read > 0, "{answer}");
                answer.push_str(&String::from_utf8_lossy(&more[..read]));
            }
        }
    }

    #[test]
    fn addresses_of_one_host_are_one_party() {
        let of = |text: &str| party(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2::4"), of("2001:db8:1:3::4"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
    }
}
