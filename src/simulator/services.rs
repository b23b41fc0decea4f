//! Services that fail on a plan, for the demo to look at. Everything happens in the first hour, so that it is seen at
//! once; after that it is calm, except for one failure two hours later, until all of it repeats in the fifth hour.
//!
//! They are real listeners on this machine, so they go through the real looks.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Timelike, Utc};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::clock::SharedClock;

/// What a service does in some minutes of some hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceBehaviour {
    Well,
    /// It answers 503.
    Broken,
    /// It answers late.
    Slow,
    /// Nobody listens.
    Gone,
}

/// The services. Each has its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Shop,
    Api,
    Vpn,
    /// A site behind the VPN.
    Site,
    Database,
    Mail,
    /// Shows a certificate that ends soon.
    Portal,
    /// Always there, unless our own line is cut.
    Canary,
}

/// The plan repeats after this many hours.
const CYCLE: i64 = 4;
/// The minutes in which our own line is cut.
const CUT: std::ops::Range<u32> = 54..58;
/// The minutes in which somebody works on the database.
pub const DATABASE_WORK: std::ops::Range<u32> = 40..50;
/// How late a slow service answers, on the wall clock: more than the second above which the API counts as slow.
const LATE: Duration = Duration::from_millis(1_150);
/// How long to wait for a client that says nothing.
const PATIENCE: Duration = Duration::from_secs(5);

impl Kind {
    /// Returns how it behaves in `minute` of the `hour`th hour since the start.
    pub fn behaviour(self, hour: i64, minute: u32) -> ServiceBehaviour {
        match (self, hour % CYCLE) {
            (_, 0) if CUT.contains(&minute) => ServiceBehaviour::Gone,
            (Self::Shop, 0) if (4..13).contains(&minute) => ServiceBehaviour::Broken,
            (Self::Api, 0 | 2) if (16..27).contains(&minute) => ServiceBehaviour::Slow,
            (Self::Vpn | Self::Site, 0) if (28..40).contains(&minute) && minute % 4 < 2 => ServiceBehaviour::Gone,
            // This work is announced only once.
            (Self::Database, _) if hour == 0 && DATABASE_WORK.contains(&minute) => ServiceBehaviour::Gone,
            _ => ServiceBehaviour::Well,
        }
    }

    fn speaks_http(self) -> bool {
        matches!(self, Self::Shop | Self::Api)
    }
}

/// Starts a service and returns its address. It ends with the program.
pub async fn start(kind: Kind, clock: SharedClock) -> std::io::Result<SocketAddr> {
    begin(Service { kind, began: hour_of(clock.now()), clock, tls: None }).await
}

/// Starts a service that speaks TLS by `tls`.
pub async fn start_with(kind: Kind, clock: SharedClock, tls: TlsAcceptor) -> std::io::Result<SocketAddr> {
    begin(Service { kind, began: hour_of(clock.now()), clock, tls: Some(tls) }).await
}

async fn begin(service: Service) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(keep(service, listener, address));
    Ok(address)
}

/// One service, and the hour in which it began to follow its plan.
#[derive(Clone)]
struct Service {
    kind: Kind,
    began: i64,
    clock: SharedClock,
    tls: Option<TlsAcceptor>,
}

impl Service {
    fn behaviour(&self) -> ServiceBehaviour {
        let now = self.clock.now();
        self.kind.behaviour(hour_of(now) - self.began, now.minute())
    }
}

fn hour_of(now: DateTime<Utc>) -> i64 {
    now.timestamp().div_euclid(3600)
}

async fn keep(service: Service, first: TcpListener, address: SocketAddr) {
    let mut listener = Some(first);
    loop {
        let is_gone = service.behaviour() == ServiceBehaviour::Gone;
        if is_gone {
            listener = None;
        } else if listener.is_none() {
            listener = TcpListener::bind(address).await.ok();
        }
        tokio::select! {
            () = service.clock.sleep_until(next_minute(service.clock.now())) => {}
            Some(stream) = accept(listener.as_ref()) => {
                tokio::spawn(timeout(PATIENCE, serve(service.clone(), stream)));
            }
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> Option<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.ok().map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

fn next_minute(now: DateTime<Utc>) -> DateTime<Utc> {
    let begun = now.with_second(0).and_then(|at| at.with_nanosecond(0)).unwrap_or(now);
    begun + chrono::TimeDelta::minutes(1)
}

async fn serve(service: Service, mut stream: TcpStream) -> std::io::Result<()> {
    if let Some(tls) = &service.tls {
        return tls.accept(stream).await?.shutdown().await;
    }
    if !service.kind.speaks_http() {
        return stream.shutdown().await;
    }
    let mut question = [0; 2048];
    let _ = stream.read(&mut question).await?;
    let (status, body) = match service.behaviour() {
        ServiceBehaviour::Broken => ("503 Service Unavailable", "the database does not answer"),
        ServiceBehaviour::Slow => {
            tokio::time::sleep(LATE).await;
            ("200 OK", "ok")
        }
        ServiceBehaviour::Well | ServiceBehaviour::Gone => ("200 OK", "ok"),
    };
    let length = body.len();
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

/// Starts `number` services of one kind.
pub async fn start_several(kind: Kind, number: usize, clock: &SharedClock) -> std::io::Result<Vec<SocketAddr>> {
    let mut all = Vec::with_capacity(number);
    for _ in 0..number {
        all.push(start(kind, Arc::clone(clock)).await?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    const ALL: [Kind; 8] =
        [Kind::Shop, Kind::Api, Kind::Vpn, Kind::Site, Kind::Database, Kind::Mail, Kind::Portal, Kind::Canary];

    /// Returns how often it stops being well within this many hours.
    fn failures(kind: Kind, hours: i64) -> usize {
        let all = (0..hours * 60).map(|at| kind.behaviour(at / 60, (at % 60) as u32));
        let well: Vec<_> = all.map(|behaviour| behaviour == ServiceBehaviour::Well).collect();
        well.windows(2).filter(|two| two[0] && !two[1]).count()
    }

    #[test]
    fn the_first_hour_has_everything_and_when_our_line_is_cut_nobody_is_there() {
        let moods = |kind: Kind| (0..60).map(move |minute| kind.behaviour(0, minute));
        assert!(moods(Kind::Shop).any(|mood| mood == ServiceBehaviour::Broken));
        assert!(moods(Kind::Api).any(|mood| mood == ServiceBehaviour::Slow));
        assert!(failures(Kind::Vpn, 1) >= 3, "it flaps");
        for kind in ALL {
            assert_eq!(kind.behaviour(0, CUT.start), ServiceBehaviour::Gone, "{kind:?}");
        }
    }

    #[test]
    fn after_the_first_hour_hardly_anything_happens_until_the_fifth() {
        for kind in ALL {
            assert!(failures(kind, 4) - failures(kind, 1) <= 1, "{kind:?}");
        }
        assert!(failures(Kind::Shop, 5) > failures(Kind::Shop, 4));
        assert_eq!(failures(Kind::Database, 20), 6, "its work was announced once; then it goes with our line");
    }

    #[tokio::test]
    async fn a_broken_shop_says_so_and_one_that_is_gone_is_not_there() {
        let clock = ManualClock::at("2026-11-17T10:05:00Z".parse().unwrap());
        let address = start(Kind::Shop, Arc::new(clock.clone())).await.unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: shop\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        clock.set("2026-11-17T10:55:00Z".parse().unwrap());
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }
}
