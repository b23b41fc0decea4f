//! Strangers at the door: connections that ask for nothing take neither the watch's breath nor anybody's turn.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use reqwest::StatusCode;
use superops_sla::descriptors;
use superops_sla::simulator::NewTicket;
use superops_sla::simulator::receivers::{Caught, CaughtKind};
use tokio::net::TcpSocket;

use crate::binary::{Place, Running};
use crate::support::usual;

/// What systemd and most shells give a process that asks for nothing.
const USUAL_LIMIT: usize = 1_024;

impl Place {
    /// Starts the service with no more than `limit` file descriptors.
    fn run_within(&self, limit: usize) -> Running {
        let service = self.command(&["run"]);
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {limit} && exec \"$0\" \"$@\"")]);
        command.arg(service.get_program()).args(service.get_args());
        command.current_dir(service.get_current_dir().unwrap());
        for (name, value) in service.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        Running::start(command)
    }

    /// Whether the breach was told by mail, by `deadline`. A text message may have to wait: the warning was one.
    async fn breach_told(&self, deadline: Instant) -> bool {
        let is_it = |caught: &Arc<Caught>| {
            caught.kind == CaughtKind::Email && caught.text.to_lowercase().contains("breached: ")
        };
        while !self.caught.newest_first(usize::MAX).iter().any(is_it) {
            if Instant::now() > deadline {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        true
    }

    /// A ticket whose due time passes soon.
    fn breaching_ticket(&self, due_in: TimeDelta) {
        self.superops.add(NewTicket { resolution_due_in: Some(due_in), ..usual() });
    }
}

/// How long a breach may take to be told, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(15);

fn address(running: &mut Running) -> SocketAddr {
    running.url().trim_start_matches("http://").parse().unwrap()
}

/// Connections from `from`; every other one begins to ask, and stops in the middle.
async fn crowd(address: SocketAddr, from: IpAddr, size: usize) -> Vec<TcpStream> {
    let mut crowd = Vec::new();
    for nth in 0..size {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(from, 0)).unwrap();
        let stream = socket.connect(address).await.unwrap().into_std().unwrap();
        stream.set_nonblocking(false).unwrap();
        if nth % 2 == 0 {
            // It may have been closed already, to make room for the next.
            let _ = (&stream).write_all(b"GET /healthz HTTP/1.1\r\nHost: ");
        }
        crowd.push(stream);
    }
    crowd
}

async fn is_alive(running: &mut Running) -> StatusCode {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
    client.get(format!("{}/healthz", running.url())).send().await.unwrap().status()
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_stand_there_keep_no_breach_from_being_told() {
    descriptors::raise();
    let place = Place::new().await;
    // Time enough for the crowd to be there, on a busy machine as well.
    place.breaching_ticket(TimeDelta::seconds(20));
    let due = Instant::now() + Duration::from_secs(20);
    let mut running = place.run_within(USUAL_LIMIT);
    let address = address(&mut running);
    running.until("have been read");
    // All from one address, as behind a proxy, and more than there are descriptors.
    let crowd = crowd(address, Ipv4Addr::LOCALHOST.into(), USUAL_LIMIT + 104).await;
    assert!(Instant::now() < due, "the machine is too slow for this test");
    assert!(place.breach_told(due + PATIENCE).await);
    assert_eq!(is_alive(&mut running).await, StatusCode::OK);
    drop(crowd);
    let (status, took, log) = running.terminate();
    assert!(status.success() && took < Duration::from_secs(10), "{took:?}\n{log}");
    assert!(!log.contains("ERROR"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_begins_to_ask_and_never_ends_is_cut_off() {
    let place = Place::new().await;
    let mut running = place.run();
    let mut slow = TcpStream::connect(address(&mut running)).unwrap();
    let asked = Instant::now();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nX-Slow: ").unwrap();
    slow.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    // A byte each second: each is in time, the whole is not.
    while asked.elapsed() < Duration::from_secs(30) {
        let ended = slow.write_all(b"a").is_err() || matches!(slow.read(&mut [0; 1]), Ok(0));
        if ended {
            break;
        }
    }
    let took = asked.elapsed();
    assert!((Duration::from_secs(9)..Duration::from_secs(15)).contains(&took), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_between_two_requests_is_kept() {
    let place = Place::new().await;
    let mut running = place.run();
    let mut browser = TcpStream::connect(address(&mut running)).unwrap();
    let mut ask = || {
        browser.write_all(b"GET /healthz HTTP/1.1\r\nHost: us\r\n\r\n").unwrap();
        let mut answer = [0; 12];
        browser.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        // The rest of the answer, which is short.
        let _ = browser.read(&mut [0; 4_096]).unwrap();
    };
    ask();
    tokio::time::sleep(Duration::from_secs(13)).await;
    ask();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_cannot_have_all_the_places() {
    descriptors::raise();
    let place = Place::new().await;
    let mut running = place.run_within(USUAL_LIMIT);
    let address = address(&mut running);
    let neighbour = crowd(address, Ipv4Addr::new(127, 0, 0, 3).into(), 20).await;
    let stranger = crowd(address, Ipv4Addr::new(127, 0, 0, 2).into(), 600).await;
    assert_eq!(is_alive(&mut running).await, StatusCode::OK);
    let open = |streams: &[TcpStream]| {
        let open = |mut stream: &TcpStream| {
            stream.set_nonblocking(true).unwrap();
            stream.read(&mut [0; 1]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
        };
        streams.iter().filter(|stream| open(stream)).count()
    };
    assert_eq!(open(&neighbour), 20, "a neighbour's connections were closed for a stranger's");
    assert_eq!(open(&stranger), 128, "a quarter of 512 places");
}
