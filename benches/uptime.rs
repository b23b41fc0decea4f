//! How fast services are watched and shown: `cargo bench --bench uptime`.
//!
//! Names after `--` choose: `looks`, `schedule`, `page`, `year`, `store`, `memory`. Where there is something to compare
//! with, both sides are measured in one run: a look with a bare client of HTTP over TLS, the page with a bare server,
//! and a year with what reading its rows takes. Clients and servers share the machine, so ratios say more than rates.
//! Nothing here fails a build: a figure depends on the machine, so a person reads it.

#[path = "product/web/bare.rs"]
#[expect(dead_code, reason = "its processor time is not asked for here")]
mod bare;
#[path = "product/figure.rs"]
mod figure;
#[path = "product/program.rs"]
mod program;
#[path = "product/world.rs"]
#[expect(dead_code, reason = "made for more figures than are taken here")]
mod world;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::Router;
use axum::http::Request;
use axum::routing::get;
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use superops_sla::clock::{Clock, SystemClock};
use superops_sla::config::{Config, Network, ProcessEnvironment};
use superops_sla::monitor::board::MonitorState;
use superops_sla::monitor::{Monitor, Wiring};
use superops_sla::probe::Prober;
use superops_sla::probe::address::AddressRules;
use superops_sla::probe::spec::{Ask, HttpAsk, Probe};
use superops_sla::sla::zone::Tz;
use superops_sla::store::Store;
use superops_sla::store::uptime::{LOOKS_KEPT, LookRow, Rollup, UptimeChange, WIDTHS};
use superops_sla::uptime::availability::{Record, Terms, figure as availability};
use superops_sla::uptime::book::Rewrite;
use superops_sla::uptime::observe::CheckState;
use superops_sla::uptime::sketch::Sketch;
use superops_sla::uptime::{Condition, DAY, HOUR, MINUTE, Span};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use bare::Bare;
use figure::{Figure, median, millis};
use world::World;

const PARTS: [&str; 6] = ["looks", "schedule", "page", "year", "store", "memory"];
/// One figure is taken for so long.
const TAKEN: Duration = Duration::from_secs(5);
/// Looks, or requests, under way at once.
const AT_ONCE: usize = 32;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == bare::ARGUMENT) {
        return bare::serve(arguments.next().context("it needs a file")?.as_ref()).await;
    }
    let asked = figure::asked(&PARTS)?;
    println!("{}", figure::HEAD);
    for part in asked {
        let figures = match part {
            "looks" => looks().await?,
            "schedule" => schedule().await?,
            "page" => page().await?,
            "year" => year().await?,
            "store" => store().await?,
            _ => memory().await?,
        };
        figures.iter().for_each(|figure| println!("{figure}"));
    }
    Ok(())
}

/// How often `once` is done in a second, so many at a time.
async fn rate<F: Future<Output = anyhow::Result<()>> + Send + 'static>(
    once: impl Fn(usize) -> F + Send + Sync + 'static,
) -> anyhow::Result<f64> {
    let (done, once, begun) = (Arc::new(AtomicU64::new(0)), Arc::new(once), Instant::now());
    let mut tasks = tokio::task::JoinSet::new();
    for lane in 0..AT_ONCE {
        let (done, once) = (done.clone(), once.clone());
        tasks.spawn(async move {
            while begun.elapsed() < TAKEN {
                once(lane).await?;
                done.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64())
}

/// Our rate and the bare one, against those that were set as a goal on another machine: as many, or the same share.
fn compared(what: &str, (ours, bare): (f64, f64), (goal, bare_then): (f64, f64)) -> Vec<Figure> {
    let (share, wanted) = (ours / bare, goal / bare_then);
    let measured = format!("{ours:.0}/s, {share:.2} of the bare one");
    let met = ours >= goal || share >= wanted;
    vec![
        Figure::new(what, measured, format!("{goal:.0}/s, or {wanted:.2} of the bare one"), met),
        Figure::plain(format!("{what}, bare"), format!("{bare:.0}/s")),
    ]
}

/// A server of HTTP over TLS, and the authority behind its certificate.
async fn secured() -> anyhow::Result<(SocketAddr, CertificateDer<'static>)> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])?.signed_by(&key, &issuer)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder().with_no_client_auth();
    let acceptor = TlsAcceptor::from(Arc::new(config.with_single_cert(vec![certificate.der().clone()], key)?));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let _ = stream.read(&mut [0; 1024]).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
                let _ = stream.shutdown().await;
            });
        }
    });
    Ok((address, issuer.der().clone()))
}

async fn looks() -> anyhow::Result<Vec<Figure>> {
    let (address, root) = secured().await?;
    let probe = Probe {
        ask: Ask::Http(HttpAsk::get(format!("https://{address}/").parse()?)),
        deadline: Duration::from_secs(10),
        slow: None,
        addresses: Arc::new(AddressRules { allowed: vec![local()?], own_port: None }),
        extra_roots: Arc::new(vec![root.clone()]),
    };
    let prober = Prober::new()?;
    let ours = rate(move |_| {
        let (prober, probe) = (prober.clone(), probe.clone());
        async move {
            let now = SystemClock.now().timestamp_millis();
            let look = prober.look(&probe, 0, now).await;
            anyhow::ensure!(look.verdict == Condition::Up, "{look:?}");
            Ok(())
        }
    })
    .await?;
    let mut roots = RootCertStore::empty();
    roots.add(root)?;
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    let connector = TlsConnector::from(Arc::new(config));
    let bare = rate(move |_| bare_look(connector.clone(), address)).await?;
    Ok(compared("https looks, a new connection each", (ours, bare), (1_000.0, 3_800.0)))
}

fn local() -> anyhow::Result<Network> {
    Network::parse("127.0.0.0/8").map_err(anyhow::Error::msg)
}

async fn bare_look(connector: TlsConnector, address: SocketAddr) -> anyhow::Result<()> {
    let stream = TcpStream::connect(address).await?;
    let stream = connector.connect(ServerName::from(address.ip()), stream).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = Request::get("/").header("host", "127.0.0.1").body(Empty::<Bytes>::new())?;
    sender.send_request(request).await?.into_body().collect().await?;
    connection.abort();
    Ok(())
}

/// A configuration with `checks` of something that never answers, or does.
fn watching(folder: &std::path::Path, checks: usize, url: &str, check: &str) -> String {
    let components = (0..checks).map(|number| {
        format!("[components.c{number}]\n[[checks]]\ncomponent = \"c{number}\"\nurl = \"{url}\"\n{check}\n")
    });
    format!(
        "[store]\nurl = \"sqlite://{}\"\n[tenants.desk]\nsubdomain = \"desk\"\nregion = \"eu\"\ntoken_env = \"PATH\"\n\
         allow_networks = [\"127.0.0.0/8\"]\n[notify.email]\nsmtp_url = \"smtp://127.0.0.1:2525\"\n\
         from = \"sla@example.com\"\n{}",
        folder.join("uptime.db").display(),
        components.collect::<String>()
    )
}

/// A thousand checks that all time out, each minute.
async fn schedule() -> anyhow::Result<Vec<Figure>> {
    const CHECKS: usize = 1_000;
    const LASTS: Duration = Duration::from_secs(70);
    let folder = tempfile::tempdir()?;
    let silent = TcpListener::bind("127.0.0.1:0").await?;
    let address = silent.local_addr()?;
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = silent.accept().await {
            held.push(stream);
        }
    });
    // Of one host no more than two are asked at once, so each has an address of its own.
    let text = watching(folder.path(), CHECKS, "tcp://HOST:PORT", "expect = \"a word\"\ntimeout = \"2s\"");
    let mut text = text.replace("PORT", &address.port().to_string());
    for number in 0..CHECKS {
        text = text.replacen("HOST", &format!("127.1.{}.{}", number / 250, number % 250 + 1), 1);
    }
    let config = Arc::new(Config::parse(std::path::Path::new("bench.toml"), &text, &ProcessEnvironment)?);
    let telemetry = Arc::new(superops_sla::telemetry::Telemetry::default());
    let store = Store::open(&config.store, telemetry.clone()).await?;
    let (monitor_state, inbox) = MonitorState::open();
    let wiring = Wiring {
        config,
        store,
        clock: Arc::new(SystemClock),
        telemetry: telemetry.clone(),
        prober: Prober::new()?,
        monitor_state,
        news: Arc::default(),
    };
    let stop = watch::Sender::new(false);
    let looking = tokio::spawn(Monitor::open(wiring, inbox).await?.run(stop.subscribe()));
    tokio::time::sleep(LASTS).await;
    stop.send_replace(true);
    looking.await?;
    let figures = telemetry.render();
    let of = |name: &str| -> anyhow::Result<f64> {
        let line = figures.lines().find(|line| line.contains(name)).with_context(|| format!("there is no {name}"))?;
        Ok(line.rsplit(' ').next().unwrap_or_default().parse()?)
    };
    let (all, soon) = (of("uptime_lag_seconds_count")?, of("uptime_lag_seconds_bucket{le=\"0.05\"}")?);
    let measured = format!("{:.2} % of {all:.0} looks began within 50 ms", soon / all * 100.0);
    let met = soon / all >= 0.99 && all >= CHECKS as f64;
    Ok(vec![Figure::new(
        "start against schedule, 1,000 checks that time out after 2 s",
        measured,
        "99 %, none missed",
        met,
    )])
}

/// Requests to `address` over connections that stay open.
async fn requests(address: SocketAddr, path: &str, headers: &str) -> anyhow::Result<f64> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\n{headers}\r\n").into_bytes();
    let mut lanes = Vec::new();
    for _ in 0..AT_ONCE {
        lanes.push(tokio::sync::Mutex::new(TcpStream::connect(address).await?));
    }
    let lanes = Arc::new(lanes);
    rate(move |lane| {
        let (lanes, request) = (lanes.clone(), request.clone());
        async move {
            let mut stream = lanes[lane].lock().await;
            stream.write_all(&request).await?;
            answer(&mut stream).await
        }
    })
    .await
}

/// Reads one whole answer.
async fn answer(stream: &mut TcpStream) -> anyhow::Result<()> {
    let mut bytes = Vec::with_capacity(64 * 1024);
    loop {
        anyhow::ensure!(stream.read_buf(&mut bytes).await? > 0, "the server has hung up");
        let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
        anyhow::ensure!(text.starts_with("http/1.1 200") || text.starts_with("http/1.1 304"), "{text}");
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        let length = if text.starts_with("http/1.1 304") { 0 } else { length.unwrap_or_default() };
        while bytes.len() < head + 4 + length {
            anyhow::ensure!(stream.read_buf(&mut bytes).await? > 0, "the server has hung up");
        }
        return Ok(());
    }
}

async fn page() -> anyhow::Result<Vec<Figure>> {
    let (folder, world) = (tempfile::tempdir()?, World::open(0, 0, 0).await?);
    let watched = "[components.shop]\n[[checks]]\ncomponent = \"shop\"\nurl = \"tcp://127.0.0.1:9\"\n[status_page]\n";
    let path = world.receivers.write_config(folder.path(), &world.endpoint(), "1m", "site", watched)?;
    let (_service, ours) = program::listening(path).await?;
    let shown = shown(&format!("http://{ours}/status")).await?;
    let etag = shown.headers().get("etag").context("the page has a mark")?.to_str()?.to_owned();
    let bare = Bare::start(&shown.bytes().await?).await?;
    let whole = (requests(ours, "/status", "").await?, requests(bare.address, "/status", "").await?);
    let known = format!("if-none-match: {etag}\r\n");
    let same = (requests(ours, "/status", &known).await?, requests(bare.address, "/status", &known).await?);
    let mut figures = compared("the public page, 200", whole, (50_000.0, 102_000.0));
    figures.extend(compared("the public page, 304", same, (60_000.0, 130_000.0)));
    Ok(figures)
}

/// The page, once there is one.
async fn shown(url: &str) -> anyhow::Result<reqwest::Response> {
    let begun = Instant::now();
    loop {
        let shown = reqwest::get(url).await?;
        if shown.status().is_success() {
            return Ok(shown);
        }
        anyhow::ensure!(begun.elapsed() < Duration::from_secs(20), "{url}: {}", shown.status());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A year of a component that was down now and then.
fn spans(seed: i64, days: i64) -> Vec<Span> {
    let outage = |day: i64| day * DAY + HOUR + (seed * 7_919 + day * 104_729) % (20 * HOUR);
    let mut spans = Vec::new();
    let mut from = 0;
    for day in 0..days {
        let (begins, ends) = (outage(day), outage(day) + 3 * MINUTE);
        spans.push(Span { from, until: Some(begins), condition: Condition::Up });
        spans.push(Span { from: begins, until: Some(ends), condition: Condition::Down });
        from = ends;
    }
    spans.push(Span { from, until: None, condition: Condition::Up });
    spans
}

/// What came of a year of a hundred components.
async fn year() -> anyhow::Result<Vec<Figure>> {
    const COMPONENTS: i64 = 100;
    let folder = tempfile::tempdir()?;
    let store = Store::open(&folder.path().join("year.db"), Arc::default()).await?;
    let names: Vec<String> = (0..COMPONENTS).map(|number| format!("c{number}")).collect();
    let rewrites = names.iter().enumerate().map(|(number, name)| Rewrite {
        subject: name.clone(),
        spans: spans(i64::try_from(number).unwrap_or_default(), 365),
    });
    store.uptime_write(UptimeChange { rewrites: rewrites.collect(), ..UptimeChange::default() }).await?;
    let (terms, now) = (Terms::usual(99_900, Tz::UTC), 365 * DAY);
    let (mut read, mut counted) = (Vec::new(), Vec::new());
    for _ in 0..9 {
        let begun = Instant::now();
        let mut lines = Vec::new();
        for name in &names {
            lines.push(store.uptime_spans(name).await?);
        }
        read.push(begun.elapsed());
        let begun = Instant::now();
        for spans in &lines {
            let record = Record { spans, windows: &[], slow: &[], since: 0, ended: None };
            std::hint::black_box(availability(&record, &terms, (0, now), now));
        }
        counted.push(begun.elapsed());
    }
    let (read, counted) = (median(read), median(counted));
    // The service reads the rows once, when it starts, and then has them in memory.
    let met = counted < Duration::from_millis(20);
    Ok(vec![
        Figure::new("a year of 100 components, an outage a day each", millis(counted), "20 ms", met),
        Figure::plain("their rows from SQLite, once at the start", millis(read)),
    ])
}

/// What five hundred checks a minute take once they have run for 400 days: a tenth of them is written down.
async fn store() -> anyhow::Result<Vec<Figure>> {
    const CHECKS: i64 = 50;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("looks.db");
    let store = Store::open(&path, Arc::default()).await?;
    let now = 400 * DAY;
    let states = (0..CHECKS).map(|number| (format!("c{number}/https"), CheckState::new(0))).collect();
    let numbers = store.uptime_adopt(Vec::new(), states, 0).await?;
    for number in numbers.values() {
        let times = |from: i64, step: i64| (0..).map(move |at| from + at * step).take_while(move |at| *at < now);
        for some in times(now - LOOKS_KEPT, MINUTE).collect::<Vec<_>>().chunks(1_440) {
            let look = |at: &i64| LookRow {
                number: *number,
                at: *at,
                micros: 20_000 + at % 9_973,
                verdict: Condition::Up,
                detail: None,
            };
            let looks = some.iter().map(look).collect();
            store.uptime_write(UptimeChange { looks, ..UptimeChange::default() }).await?;
        }
        for (width, kept) in WIDTHS {
            let rollup = |at: i64| {
                let (mut sketch, looks) = (Sketch::default(), width / MINUTE);
                (0..looks).for_each(|look| sketch.add(20_000 + (at / MINUTE + look).unsigned_abs() * 7_919 % 30_000));
                (width, Rollup { at, good: looks, bad: 0, sketch })
            };
            store.uptime_roll_up(*number, times(now - kept, width).map(rollup).collect(), now).await?;
        }
        let line = spans(*number, 400);
        let rewrites = vec![Rewrite { subject: format!("c{number}"), spans: line }];
        store.uptime_write(UptimeChange { rewrites, ..UptimeChange::default() }).await?;
    }
    store.close().await;
    let bytes = std::fs::metadata(&path)?.len() * 10;
    let gigabytes = bytes as f64 / 1e9;
    let measured = format!("{gigabytes:.2} GB, ten times what 50 take");
    Ok(vec![Figure::new("500 checks at a minute, 400 days", measured, "0.21 GB", gigabytes <= 0.215)])
}

/// What a thousand checks add to the memory of the running program.
async fn memory() -> anyhow::Result<Vec<Figure>> {
    const SETTLES: Duration = Duration::from_secs(90);
    let shop = TcpListener::bind("127.0.0.1:0").await?;
    let address = shop.local_addr()?;
    tokio::spawn(async move { axum::serve(shop, Router::new().route("/", get(async || "ok"))).await });
    let mut taken = Vec::new();
    for checks in [0, 1_000] {
        let (folder, world) = (tempfile::tempdir()?, World::open(0, 0, 0).await?);
        let check = |number: usize| {
            let host = format!("127.1.{}.{}:{}", number / 250, number % 250 + 1, address.port());
            format!("[components.c{number}]\n[[checks]]\ncomponent = \"c{number}\"\nurl = \"http://{host}/\"\n")
        };
        let watched: String = (0..checks).map(check).collect();
        let path = world.receivers.write_config(folder.path(), &world.endpoint(), "1m", "site", &watched)?;
        let text = std::fs::read_to_string(&path)?;
        std::fs::write(&path, text.replace("\ntoken_file = ", "\nallow_networks = [\"127.0.0.0/8\"]\ntoken_file = "))?;
        let service = program::service(path).await?;
        tokio::time::sleep(SETTLES).await;
        taken.push(program::status_mb(&service, "VmRSS:")?);
    }
    let more = taken[1].saturating_sub(taken[0]);
    Ok(vec![Figure::new("memory of 1,000 checks, above idle", format!("{more} MB"), "25 MB", more <= 25)])
}
