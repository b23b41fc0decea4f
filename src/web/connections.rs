//! Takes connections, and sees to it that no stranger can use up what the watch needs.
//!
//! There are so many places, and one address has only a part of them. Whoever comes when they are taken gets the place
//! of the connection that has waited longest for its next request, as nginx does it: so connections that only stand
//! there keep nobody out, and a proxy, behind which everybody has one address, loses nothing that it is asking for.
//! Each connection has a time for what it does: to ask, to be answered, to take the answer, to stand idle.

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
use axum::extract::{ConnectInfo, Request};
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
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
/// How often it is looked who has taken too long.
const LOOK: Duration = Duration::from_secs(1);
/// A head of a request, and what is read ahead of a body, takes no more than this.
const BUFFER: usize = 32 * 1024;
/// One address has one in so many of all places.
const SHARE: usize = 4;
/// After the system gave no connection.
const PAUSE: Duration = Duration::from_millis(100);
/// That it gives none is said this often.
const SAID_EVERY: Duration = Duration::from_mins(1);

/// How many may come, and where they are counted.
pub struct HttpServer {
    pub places: usize,
    pub telemetry: Arc<Telemetry>,
}

impl HttpServer {
    /// With the share of this process's file descriptors that the page may have, beside loops that serve `tenants`.
    pub fn sized_beside(tenants: usize, telemetry: Arc<Telemetry>) -> Self {
        Self { places: descriptors::for_the_page(tenants), telemetry }
    }

    /// Serves until `stop`, then finishes the answers under way, within reason.
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
    /// Whom its place is counted for.
    party: IpAddr,
    progress: Arc<Progress>,
    task: AbortHandle,
}

struct Connections {
    server: HttpServer,
    router: TowerToHyperService<Router>,
    tasks: JoinSet<()>,
    known: HashMap<Id, OpenConnection>,
    closing: watch::Sender<bool>,
    /// When it was last said that no connection can be had.
    complained: Option<Instant>,
}

impl Connections {
    /// Gives the connection a place, if there is one.
    fn accept(&mut self, stream: TcpStream, peer: SocketAddr) {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.forget(ended.map_or_else(|error| error.id(), |(id, ())| id));
        }
        let party = party(peer.ip());
        if !self.make_room(party) {
            return self.count("refused");
        }
        let progress = Progress::new(Instant::now());
        let attended = attend(stream, peer, self.router.clone(), progress.clone(), self.closing.subscribe());
        let task = self.tasks.spawn(attended);
        self.known.insert(task.id(), OpenConnection { party, progress, task });
        self.show();
    }

    /// False if all places that `party` may have are taken by connections that are being answered.
    fn make_room(&mut self, party: IpAddr) -> bool {
        let own = self.known.values().filter(|connection| connection.party == party).count();
        let too_many = own >= (self.server.places / SHARE).max(1);
        if !too_many && self.known.len() < self.server.places {
            return true;
        }
        let candidates = self.known.iter().filter(|(_, connection)| !too_many || connection.party == party);
        let waiting = candidates.filter_map(|(id, connection)| Some((connection.progress.waiting_since()?, *id)));
        let longest = waiting.min_by_key(|(since, _)| *since).map(|(_, id)| id);
        longest.is_some_and(|id| self.dismiss(id, "crowded"))
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

    /// The system gave no connection.
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

    /// Lets the answers under way end, within reason.
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
    // A page is one answer: waiting for more to send with it only delays it.
    let _ = stream.set_nodelay(true);
    let io = TokioIo::new(Tracked { stream, progress: progress.clone() });
    let service = service_fn(|request| answer(&router, &progress, peer, request));
    // Its own time for a head would end idle connections as well.
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
    mut request: Request<Incoming>,
) -> Result<Response, ConnectionClosing> {
    if !progress.asked() {
        return Err(ConnectionClosing);
    }
    // The audit log says from which address a change came.
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

/// The request came when its connection was about to be closed. Nothing was done for it.
#[derive(Debug, thiserror::Error)]
#[error("the connection is being closed")]
struct ConnectionClosing;

/// One host's addresses count as one: with IPv6, a host has a whole /64.
fn party(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::party;

    #[test]
    fn addresses_of_one_host_are_one_party() {
        let of = |text: &str| party(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2::4"), of("2001:db8:1:3::4"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
    }
}
