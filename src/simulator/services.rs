//! Services that misbehave on a plan, each hour in the same way: what the demo looks at.
//!
//! They are real listeners of this machine, so what is seen of them went through the real looks.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Timelike, Utc};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::clock::SharedClock;

/// What a service does in some minutes of each hour.
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

/// The services that there are. Each has its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Shop,
    Api,
    Vpn,
    /// A site behind the VPN.
    Site,
    Database,
    Mail,
    /// Somebody who is always there, unless our own line is cut.
    Canary,
}

/// The minutes of the hour in which our own line is cut.
const CUT: std::ops::Range<u32> = 54..58;
/// The minutes in which the database is worked on.
pub const DATABASE_WORK: std::ops::Range<u32> = 40..50;
/// By the wall: later than the second from which on the API is slow.
const LATE: Duration = Duration::from_millis(1_150);
/// Who says nothing is not waited for.
const PATIENCE: Duration = Duration::from_secs(5);

impl Kind {
    /// How it is in `minute` of the hour.
    pub fn mood(self, minute: u32) -> ServiceBehaviour {
        match self {
            _ if CUT.contains(&minute) => ServiceBehaviour::Gone,
            Self::Shop if (4..13).contains(&minute) => ServiceBehaviour::Broken,
            Self::Api if (16..27).contains(&minute) => ServiceBehaviour::Slow,
            Self::Vpn | Self::Site if (28..40).contains(&minute) && minute % 4 < 2 => ServiceBehaviour::Gone,
            Self::Database if DATABASE_WORK.contains(&minute) => ServiceBehaviour::Gone,
            _ => ServiceBehaviour::Well,
        }
    }

    fn speaks_http(self) -> bool {
        matches!(self, Self::Shop | Self::Api)
    }
}

/// Starts a service, and gives its address. It ends with the program.
pub async fn start(kind: Kind, clock: SharedClock) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(keep(kind, listener, address, clock));
    Ok(address)
}

async fn keep(kind: Kind, first: TcpListener, address: SocketAddr, clock: SharedClock) {
    let mut listener = Some(first);
    loop {
        let now = clock.now();
        let is_gone = kind.mood(now.minute()) == ServiceBehaviour::Gone;
        if is_gone {
            listener = None;
        } else if listener.is_none() {
            listener = TcpListener::bind(address).await.ok();
        }
        tokio::select! {
            () = clock.sleep_until(next_minute(now)) => {}
            Some(stream) = accept(listener.as_ref()) => {
                tokio::spawn(timeout(PATIENCE, serve(kind, stream, clock.clone())));
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

async fn serve(kind: Kind, mut stream: TcpStream, clock: SharedClock) -> std::io::Result<()> {
    if !kind.speaks_http() {
        return stream.shutdown().await;
    }
    let mut question = [0; 2048];
    let _ = stream.read(&mut question).await?;
    let (status, body) = match kind.mood(clock.now().minute()) {
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

    #[test]
    fn each_hour_has_everything_and_when_our_line_is_cut_nobody_is_there() {
        let moods = |kind: Kind| (0..60).map(move |minute| kind.mood(minute));
        assert!(moods(Kind::Shop).any(|mood| mood == ServiceBehaviour::Broken));
        assert!(moods(Kind::Api).any(|mood| mood == ServiceBehaviour::Slow));
        let changes = (1..60).filter(|minute| Kind::Vpn.mood(*minute) != Kind::Vpn.mood(minute - 1)).count();
        assert!(changes >= 6, "it flaps: {changes}");
        for kind in [Kind::Shop, Kind::Api, Kind::Vpn, Kind::Site, Kind::Database, Kind::Mail, Kind::Canary] {
            assert_eq!(kind.mood(CUT.start), ServiceBehaviour::Gone, "{kind:?}");
        }
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
