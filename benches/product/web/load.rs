//! Questions at a fixed rate, timed from when each was to be asked; and the same by wrk, a public load tool.

use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::http::header::{ACCEPT_ENCODING, AUTHORIZATION, ETAG, HOST, IF_NONE_MATCH};
use axum::http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;

use crate::program::Process;

/// Connections that take turns.
const LANES: usize = 32;
/// What is asked before it counts.
const WARM: Duration = Duration::from_secs(5);

/// What is asked, of whom, and how often.
#[derive(Clone)]
pub struct Question {
    pub address: SocketAddr,
    /// In turns.
    pub paths: Vec<String>,
    pub token: String,
    /// Whether each asker shows the tag of the answer that it has.
    pub polls: bool,
    pub a_second: u32,
}

/// How long each answer took.
#[derive(Default)]
pub struct Taken {
    whole: Vec<Duration>,
    unchanged: Vec<Duration>,
}

/// Times in order.
pub struct Times(Vec<Duration>);

impl Taken {
    pub fn count(&self) -> usize {
        self.whole.len() + self.unchanged.len()
    }

    /// The times of answers that were unchanged, or of the others.
    pub fn times_of(&self, unchanged: bool) -> Times {
        let mut times = if unchanged { self.unchanged.clone() } else { self.whole.clone() };
        times.sort_unstable();
        Times(times)
    }

    fn join(&mut self, other: Self) {
        self.whole.extend(other.whole);
        self.unchanged.extend(other.unchanged);
    }
}

impl Times {
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// What so many of a hundred stay within.
    pub fn at(&self, percent: f64) -> Duration {
        let place = (self.0.len() as f64 * percent / 100.0) as usize;
        self.0.get(place.min(self.0.len().saturating_sub(1))).copied().unwrap_or_default()
    }
}

impl Question {
    /// Asks for so long, each question at its time.
    pub async fn ask_for(&self, lasts: Duration) -> anyhow::Result<Taken> {
        let all = (f64::from(self.a_second) * lasts.as_secs_f64()) as u32;
        let (next, begins) = (Arc::new(AtomicU32::new(0)), Instant::now() + Duration::from_millis(100));
        let lanes: Vec<_> = (0..LANES)
            .map(|_| {
                let (question, next) = (self.clone(), next.clone());
                // A thread wakes to some fifty microseconds; a timer of the runtime only to the millisecond.
                std::thread::spawn(move || question.lane(&next, all, begins))
            })
            .collect();
        tokio::task::spawn_blocking(move || {
            let mut taken = Taken::default();
            for lane in lanes {
                taken.join(lane.join().ok().context("a lane has come to grief")??);
            }
            Ok(taken)
        })
        .await?
    }

    /// Asks for a while, so that what is read once has been read.
    pub async fn warm_up(&self) -> anyhow::Result<()> {
        self.ask_for(WARM).await.map(drop)
    }

    fn lane(&self, next: &AtomicU32, all: u32, begins: Instant) -> anyhow::Result<Taken> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut asker = runtime.block_on(Asker::connect(self))?;
        let mut taken = Taken::default();
        loop {
            let nth = next.fetch_add(1, Ordering::Relaxed);
            if nth >= all {
                return Ok(taken);
            }
            let due = begins + Duration::from_secs(1) * nth / self.a_second;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let (status, _) = runtime.block_on(asker.ask(&self.paths[nth as usize % self.paths.len()]))?;
            let times = if status == StatusCode::NOT_MODIFIED { &mut taken.unchanged } else { &mut taken.whole };
            times.push(due.elapsed());
        }
    }

    /// The bytes of one answer.
    pub async fn one_answer(&self) -> anyhow::Result<Bytes> {
        let (_, answer) = Asker::connect(self).await?.ask(&self.paths[0]).await?;
        Ok(answer)
    }
}

/// One connection.
struct Asker {
    sender: SendRequest<Empty<Bytes>>,
    host: String,
    authorization: String,
    polls: bool,
    known: Option<HeaderValue>,
}

impl Asker {
    async fn connect(question: &Question) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(question.address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let stream = TokioIo::new(tokio::net::TcpStream::from_std(stream)?);
        let (sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
        tokio::spawn(connection);
        Ok(Self {
            sender,
            host: question.address.to_string(),
            authorization: format!("Bearer {}", question.token),
            polls: question.polls,
            known: None,
        })
    }

    async fn ask(&mut self, path: &str) -> anyhow::Result<(StatusCode, Bytes)> {
        let mut request = Request::get(path)
            .header(HOST, &self.host)
            .header(AUTHORIZATION, &self.authorization)
            // As browsers do.
            .header(ACCEPT_ENCODING, "gzip");
        if let Some(known) = self.known.as_ref().filter(|_| self.polls) {
            request = request.header(IF_NONE_MATCH, known);
        }
        let answer = self.sender.send_request(request.body(Empty::new())?).await?;
        let status = answer.status();
        anyhow::ensure!(status.is_success() || status == StatusCode::NOT_MODIFIED, "{path}: {status}");
        self.known = answer.headers().get(ETAG).cloned();
        Ok((status, answer.into_body().collect().await?.to_bytes()))
    }
}

/// Seconds of processor time that `process` has taken.
pub fn cpu_seconds(process: &Process) -> anyhow::Result<f64> {
    // The kernel counts in hundredths of a second, whatever its own clock does.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.0.id()))?;
    let (_, fields) = stat.rsplit_once(')').context("there is its name")?;
    let fields: Vec<_> = fields.split_whitespace().collect();
    let (user, system): (f64, f64) = (fields[11].parse()?, fields[12].parse()?);
    Ok((user + system) / TICKS)
}

/// What wrk says.
pub struct Wrk {
    pub a_second: f64,
    pub p99: String,
}

/// Has wrk ask as fast as four connections can; none if it is not installed.
pub async fn wrk(question: &Question) -> anyhow::Result<Option<Wrk>> {
    let script = tempfile::NamedTempFile::new()?;
    let paths: String = question.paths.iter().map(|path| format!("\"{path}\",\n")).collect();
    let known = if question.polls { Asker::tag(question).await? } else { None };
    let known = known.map(|tag| format!("wrk.headers[\"If-None-Match\"] = '{tag}'\n")).unwrap_or_default();
    let asks =
        "local nth = 0\nrequest = function()\n nth = nth % #paths + 1\n return wrk.format(\"GET\", paths[nth])\nend\n";
    std::fs::write(script.path(), format!("local paths = {{\n{paths}}}\n{known}{asks}"))?;
    let mut command = Command::new("wrk");
    command.args(["-t1", "-c4", "-d10s", "--latency", "-H", "Accept-Encoding: gzip"]);
    command.arg("-H").arg(format!("Authorization: Bearer {}", question.token)).arg("-s").arg(script.path());
    command.arg(format!("http://{}/", question.address));
    let Ok(output) = tokio::task::spawn_blocking(move || command.output()).await? else { return Ok(None) };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    anyhow::ensure!(!said.contains("Non-2xx"), "wrk was refused: {said}");
    let after = |name: &str| said.lines().find_map(|line| line.trim().strip_prefix(name)).map(str::trim);
    let a_second = after("Requests/sec:").with_context(|| said.clone())?.parse()?;
    Ok(Some(Wrk { a_second, p99: after("99%").with_context(|| said.clone())?.to_owned() }))
}

impl Asker {
    async fn tag(question: &Question) -> anyhow::Result<Option<String>> {
        let mut asker = Self::connect(question).await?;
        asker.ask(&question.paths[0]).await?;
        Ok(asker.known.and_then(|tag| tag.to_str().ok().map(str::to_owned)))
    }
}
