//! The process is killed while it watches a service that comes and goes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use superops_sla::clock::{Clock, SystemClock};
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::Run;
use crate::figure::Figure;
use crate::stage::{By, COMES_TO_REST, ONE_BY_ONE, Stage, until};

/// A look is made once a second, and a result holds for two: so late, in milliseconds, a change may be seen.
const LATE: i64 = 6_000;

type Row = (String, i64, Option<i64>, String);

/// A service, and when it was truly bad.
struct Shop {
    status: Arc<AtomicU16>,
    bad: Vec<(i64, Option<i64>)>,
    url: String,
}

impl Shop {
    async fn open() -> anyhow::Result<Self> {
        let status = Arc::new(AtomicU16::new(200));
        let answer = status.clone();
        let answer = async move || StatusCode::from_u16(answer.load(Ordering::SeqCst)).unwrap_or_default();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/", listener.local_addr()?);
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/", get(answer))).await });
        Ok(Self { status, bad: Vec::new(), url })
    }

    fn is_bad(&self) -> bool {
        self.bad.last().is_some_and(|(_, until)| until.is_none())
    }

    fn turn(&mut self) {
        let now = SystemClock.now().timestamp_millis();
        match self.bad.last_mut().filter(|(_, until)| until.is_none()) {
            Some((_, until)) => *until = Some(now),
            None => self.bad.push((now, None)),
        }
        self.status.store(if self.is_bad() { 503 } else { 200 }, Ordering::SeqCst);
    }

    /// Whether it was bad in all of `[from, until)`, or but for as long as it takes to see a change.
    fn explains(&self, from: i64, until: i64) -> bool {
        let end = |until: &Option<i64>| until.unwrap_or(i64::MAX - LATE);
        self.bad.iter().any(|(begin, over)| *begin - 100 <= from && until <= end(over) + LATE)
    }
}

/// Fault 27.
pub async fn killed_while_it_watches(run: Run) -> anyhow::Result<Vec<Figure>> {
    let kills = run.pick(8, 200);
    let mut random = fastrand::Rng::with_seed(run.seed);
    let (mut stage, mut shop) = (Stage::bare().await?, Shop::open().await?);
    let watched = format!(
        "{ONE_BY_ONE}{}[components.shop]\n[[checks]]\ncomponent = 'shop'\nurl = '{}'\ninterval = '1s'\ntimeout = '1s'\n\
         [components.all]\nall_of = ['shop']\n[status_page]\n",
        By::Sms.step(),
        shop.url
    );
    let gateway = stage.sms.url();
    stage.configure(&gateway, &watched)?;
    let config = stage.folder().join("config.toml");
    let text = std::fs::read_to_string(&config)?;
    std::fs::write(&config, text.replace("token_file =", "allow_networks = ['127.0.0.1']\ntoken_file ="))?;
    stage.start().await?;
    let mut closed: BTreeSet<Row> = BTreeSet::new();
    for _ in 0..kills {
        sleep(Duration::from_millis(random.u64(300..2_500))).await;
        // A whole outage between two kills, or one that goes on over them.
        if random.u8(..3) > 0 {
            shop.turn();
            sleep(Duration::from_millis(random.u64(..4_000))).await;
        }
        closed
            .extend(spans(&stage).await?.into_iter().filter(|(_, _, until, how)| until.is_some() && how != "unknown"));
        stage.kill()?;
        stage.start().await?;
    }
    if shop.is_bad() {
        shop.turn();
    }
    let is_up = async || {
        Ok(spans(&stage).await?.iter().any(|(id, _, until, how)| id == "shop" && until.is_none() && how == "up"))
    };
    until("it is seen to be up", COMES_TO_REST, is_up).await?;
    let last = spans(&stage).await?;
    let lost = closed.iter().filter(|span| !is_kept(span, &last)).count();
    let torn = torn(&last);
    let down = last.iter().filter(|(id, _, _, how)| id == "shop" && how == "down");
    let down: Vec<_> = down.map(|(_, from, until, _)| (*from, until.unwrap_or(i64::MAX))).collect();
    let invented = down.iter().filter(|(from, until)| !shop.explains(*from, *until)).count();
    let (outages, seen) = (shop.bad.len(), down.len());
    Ok(vec![Figure::new(
        format!(
            "{kills} kills, {outages} outages, {seen} spans down: {lost} spans lost, {torn} gaps or overlaps, {invented} invented"
        ),
        "0 lost, 0 gaps or overlaps, 0 invented",
        lost == 0 && torn == 0 && invented == 0 && seen > 0,
    )])
}

/// Whether it still stood so in all of the time of a `span` that was stored once.
fn is_kept((subject, from, until, how): &Row, last: &[Row]) -> bool {
    let until = until.unwrap_or(i64::MAX);
    let same = |(other, begin, end, standing): &&Row| {
        other == subject && standing == how && *begin < until && end.is_none_or(|end| end > *from)
    };
    let met: i64 =
        last.iter().filter(same).map(|(_, begin, end, _)| end.unwrap_or(until).min(until) - begin.max(from)).sum();
    met == until - from
}

async fn spans(stage: &Stage) -> anyhow::Result<Vec<Row>> {
    let mut connection = stage.beside(true).await?;
    let query = "SELECT subject, from_at, until_at, standing FROM uptime_spans ORDER BY subject, from_at";
    Ok(sqlx::query_as(query).fetch_all(&mut connection).await?)
}

/// How often a span does not begin where the one before it ends, or ends before it begins.
fn torn(spans: &[Row]) -> usize {
    let mut of: BTreeMap<&str, Vec<(i64, Option<i64>)>> = BTreeMap::new();
    for (subject, from, until, _) in spans {
        of.entry(subject).or_default().push((*from, *until));
    }
    let breaks = |line: &Vec<(i64, Option<i64>)>| {
        let meets = |two: &&[(i64, Option<i64>)]| two[0].1 != Some(two[1].0) || two[0].0 >= two[1].0;
        line.windows(2).filter(meets).count() + usize::from(line.last().is_some_and(|(_, until)| until.is_some()))
    };
    of.values().map(breaks).sum()
}
