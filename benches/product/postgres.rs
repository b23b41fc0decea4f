//! Fifty tenants with 200,000 open tickets on PostgreSQL: what sync's writes cost beside plain inserts of the same rows, a
//! turn of the evaluation, how late a breach is told, and the memory of the program.
//!
//! All tenants read one account of the look-alike. The first is read by the product; the others are given the same tickets,
//! page by page, as sync writes them. Everything is in a schema of its own, which goes at the end.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use chrono::TimeDelta;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, QueryBuilder};
use superops_sla::app::Parts;
use superops_sla::clock::{Clock, SystemClock};
use superops_sla::config::{Config, ProcessEnvironment, StorePlace};
use superops_sla::evaluate::Turn;
use superops_sla::simulator::receivers::CaughtKind;
use superops_sla::store::sql::postgres::Server;
use superops_sla::store::tickets::Batch;
use superops_sla::ticket::watch::Bounds;
use superops_sla::ticket::{TenantId, Ticket};
use tempfile::TempDir;

use super::figure::{Figure, median, millis};
use super::lateness::{add_tickets, lateness};
use super::program::{Process, listening, status_mb};
use super::world::{Product, World, all_read, all_sent, tenant, without_budget};

const SERVER: &str = "SUPEROPS_SLA_TEST_POSTGRES";
const TENANTS: usize = 50;
/// Of each tenant.
const OPEN: usize = 4_000;
/// As many as SuperOps has on a page, which are written together.
const PAGE: usize = 100;
const ROUNDS: usize = 101;
const ROUNDS_ANEW: i64 = 5;
/// Tickets of the account that fall due while we watch, each in every tenant at once.
const DUE: usize = 12;
const APART: TimeDelta = TimeDelta::seconds(5);
/// Time enough for every tenant to read of them.
const AHEAD: TimeDelta = TimeDelta::seconds(150);
/// How long a start over all this may take, on a busy machine too.
const READY_WITHIN: Duration = Duration::from_secs(300);
const TURN: Duration = Duration::from_millis(50);
const TURN_ANEW: Duration = Duration::from_millis(600);
const LATE_MS: i64 = 250;
const MEMORY_MB: u64 = 1_000;
/// Round the clock, each breach by itself: what is due is due, and nothing is late on purpose.
const ALERTS: &str = "[alerts]\nwarn_at = []\npredict_per_day = 0\n[alerts.pace]\nsingly = true\n\
                      [alerts.limits]\nbundle_from = 1000000\nsms_per_number = []\nsms_per_day = 0\n\
                      [[alerts.steps]]\nafter = \"0s\"\nnotify = [\"technician\"]\nchannels = [\"email\", \"sms\"]\n";

pub async fn measure() -> anyhow::Result<Vec<Figure>> {
    let Ok(url) = std::env::var(SERVER) else {
        let what = format!("PostgreSQL: {TENANTS} tenants with {} open tickets", TENANTS * OPEN);
        return Ok(vec![Figure::plain(what, format!("not measured: {SERVER} names no server"))]);
    };
    let world = World::open(OPEN, 0, 0).await?;
    let bench = Bench::new(&world, url)?;
    let figures = bench.measure(&world).await;
    bench.remove().await?;
    figures
}

struct Bench {
    /// Holds the configuration, and is deleted with this.
    _folder: TempDir,
    config: PathBuf,
    url: String,
    schema: String,
}

impl Bench {
    fn new(world: &World, url: String) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let schema = format!("bench_{:016x}", fastrand::u64(..));
        let config = world.receivers.write_config(folder.path(), &world.endpoint(), "60s", "msp", ALERTS)?;
        let text = std::fs::read_to_string(&config)?;
        let file = format!("url = \"sqlite://{}\"", folder.path().join("desk.db").display());
        let (before, after) = text.split_once(&file).context("the store is a file")?;
        let (_, desk) = after.split_once("[tenants.desk]\n").context("there is the first tenant")?;
        let (desk, _) = desk.split_once('[').context("there are channels")?;
        let others: String = (1..TENANTS).map(|nth| format!("[tenants.desk-{nth}]\n{desk}")).collect();
        std::fs::write(&config, format!("{before}url = \"{url}\"\nschema = \"{schema}\"{after}{others}"))?;
        Ok(Self { _folder: folder, config, url, schema })
    }

    fn config(&self) -> anyhow::Result<Config> {
        let mut config = Config::load(&self.config, &ProcessEnvironment)?;
        without_budget(&mut config);
        Ok(config)
    }

    async fn beside(&self) -> anyhow::Result<PgConnection> {
        let mut connection = PgConnection::connect(&self.url).await?;
        connection.execute(AssertSqlSafe(format!("SET search_path = {}", self.schema))).await?;
        Ok(connection)
    }

    async fn measure(&self, world: &World) -> anyhow::Result<Vec<Figure>> {
        self.read_the_first(world).await?;
        let mut figures = self.rows_a_second().await?;
        figures.extend(self.turns().await?);
        figures.extend(self.lateness(world).await?);
        Ok(figures)
    }

    async fn remove(self) -> anyhow::Result<()> {
        let StorePlace::Postgres(settings) = self.config()?.store.place else { return Ok(()) };
        Ok(Server::of(&settings).remove().await?)
    }

    /// The product reads the account as one tenant, and tells of what is overdue.
    async fn read_the_first(&self, world: &World) -> anyhow::Result<()> {
        let mut config = self.config()?;
        config.tenants.retain(|id, _| *id == tenant());
        let product = Product::start(Parts::build(config, Arc::new(SystemClock)).await?).await?;
        all_read(&product.store).await?;
        all_sent(&product.store).await?;
        product.running.stop().await;
        anyhow::ensure!(!world.superops.tickets().is_empty(), "the account has tickets");
        Ok(())
    }

    /// The tickets of all other tenants, as sync writes them, and the same rows by plain inserts.
    async fn rows_a_second(&self) -> anyhow::Result<Vec<Figure>> {
        let parts = Parts::build(self.config()?, Arc::new(SystemClock)).await?;
        let open = parts.store.open_tickets(&tenant()).await?;
        let mut tickets: Vec<Ticket> = open.values().map(|watched| watched.ticket.clone()).collect();
        tickets.sort_by(|one, other| one.id.cmp(&other.id));
        let words = parts.config.tenants.get(&tenant()).context("the first tenant")?.statuses.clone();
        let mut beside = self.beside().await?;
        let before = rows(&mut beside).await?;
        let began = Instant::now();
        for nth in 1..TENANTS {
            let other = TenantId::parse(&format!("desk-{nth}")).context("a name")?;
            for page in tickets.chunks(PAGE) {
                let now = SystemClock.now();
                let read = Bounds { earliest: now, latest: now };
                let policies = Arc::default();
                let batch = Batch { tickets: page.to_vec(), unread: Vec::new(), read, state: None, policies };
                parts.store.save_tickets(&other, vec![batch], &words).await?;
            }
        }
        let ours = began.elapsed();
        parts.store.close().await;
        let written = rows(&mut beside).await? - before;
        for table in ["sync_states (tenant, state)", "directories (tenant, directory, read_at)"] {
            let columns = table.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).context("columns")?;
            let name = table.split_whitespace().next().context("a name")?;
            let copied = columns.replacen("tenant", "'desk-' || n", 1);
            let copy = format!(
                "INSERT INTO {table} SELECT {copied} FROM {name}, generate_series(1, {}) n WHERE tenant = 'desk'
                 ON CONFLICT (tenant) DO NOTHING",
                TENANTS - 1
            );
            beside.execute(AssertSqlSafe(copy)).await?;
        }
        let (plain, inserted) = plain_inserts(&mut beside).await?;
        let rate = |rows: i64, took: Duration| rows as f64 / took.as_secs_f64();
        let (ours, plain) = (rate(written, ours), rate(inserted, plain));
        let what = format!(
            "PostgreSQL: rows a second that sync writes, {} tickets by pages of {PAGE}, against plain inserts of as many",
            (TENANTS - 1) * tickets.len()
        );
        let measured = format!("{ours:.0} against {plain:.0}: {:.2} times", ours / plain);
        Ok(vec![Figure::new(what, measured, "at least 0.3 times", ours / plain >= 0.3)])
    }

    /// Turns over all tickets at which nothing changes, and such as look at all of them anew.
    async fn turns(&self) -> anyhow::Result<Vec<Figure>> {
        let mut parts = Parts::build(self.config()?, Arc::new(SystemClock)).await?;
        let now = SystemClock.now();
        let began = Instant::now();
        let mut turn = parts.evaluate.turn(now).await?;
        let first = began.elapsed();
        while turn != (Turn { next: turn.next, ..Turn::default() }) {
            turn = parts.evaluate.turn(now).await?;
        }
        let mut quiet = Vec::new();
        for _ in 0..ROUNDS {
            let began = Instant::now();
            parts.evaluate.turn(now).await?;
            quiet.push(began.elapsed());
        }
        let mut anew = Vec::new();
        for back in 1..=ROUNDS_ANEW {
            let began = Instant::now();
            // On a clock that was set back nothing holds that was found before.
            parts.evaluate.turn(now - TimeDelta::milliseconds(back)).await?;
            anew.push(began.elapsed());
        }
        parts.store.close().await;
        let what = |what: &str| format!("PostgreSQL: {what}, {TENANTS} tenants with {} open tickets", TENANTS * OPEN);
        let (quiet, anew) = (median(quiet), median(anew));
        Ok(vec![
            Figure::plain(what("the first turn of the evaluation after a start"), millis(first)),
            Figure::new(
                what("a turn when nothing changes"),
                millis(quiet),
                format!("under {}", millis(TURN)),
                quiet < TURN,
            ),
            Figure::new(
                what("a turn that looks at all of them anew"),
                millis(anew),
                format!("under {}", millis(TURN_ANEW)),
                anew < TURN_ANEW,
            ),
        ])
    }

    /// The program itself, while tickets fall due in all tenants; and what it keeps in memory meanwhile.
    async fn lateness(&self, world: &World) -> anyhow::Result<Vec<Figure>> {
        let began = Instant::now();
        let (service, address) = started(&self.config).await?;
        let ready = until_ready(&address, began).await?;
        let dues = add_tickets(world, AHEAD, APART, DUE);
        let mut beside = self.beside().await?;
        let last = dues.values().max().copied().context("tickets fall due")?;
        let wanted = i64::try_from(2 * TENANTS * DUE)?;
        let told = "SELECT COUNT(*) FROM notifications WHERE stage LIKE 'breached%' AND state = 'sent' AND due_at > $1";
        let since = SystemClock.now().timestamp_millis();
        loop {
            let told: i64 = sqlx::query_scalar(told).bind(since).fetch_one(&mut beside).await?;
            if told >= wanted || SystemClock.now() > last + TimeDelta::seconds(60) {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let (now, peak) = (status_mb(&service, "VmRSS:")?, status_mb(&service, "VmHWM:")?);
        drop(service);
        let what = |what: &str| format!("PostgreSQL: {what}, {TENANTS} tenants with {} open tickets", TENANTS * OPEN);
        let mut figures = vec![Figure::plain(what("from the start to ready"), millis(ready))];
        for (kind, name) in [(CaughtKind::Email, "mail server"), (CaughtKind::Sms, "SMS gateway")] {
            let late = lateness(world, &dues, kind);
            let at = |share: usize| late.get(late.len() * share / 100).or(late.last()).copied().unwrap_or(i64::MAX);
            let (half, most, worst) = (at(50), at(99), late.last().copied().unwrap_or(i64::MAX));
            let measured =
                format!("p99 {most} ms (p50 {half} ms, worst {worst} ms, {} of {} told)", late.len(), TENANTS * DUE);
            let is_met = most < LATE_MS && late.len() == TENANTS * DUE;
            let name = format!("from due to hand-over at the {name}, {TENANTS} due at a time");
            figures.push(Figure::new(what(&name), measured, format!("p99 under {LATE_MS} ms, all told"), is_met));
        }
        let measured = format!("{now} MB (peak {peak} MB)");
        figures.push(Figure::new(what("memory"), measured, format!("under {MEMORY_MB} MB"), now < MEMORY_MB));
        Ok(figures)
    }
}

/// All rows of the schema.
async fn rows(beside: &mut PgConnection) -> anyhow::Result<i64> {
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()")
            .fetch_all(&mut *beside)
            .await?;
    let mut all = 0;
    for table in tables {
        let count = format!("SELECT COUNT(*) FROM \"{table}\"");
        all += sqlx::query_scalar::<_, i64>(AssertSqlSafe(count)).fetch_one(&mut *beside).await?;
    }
    Ok(all)
}

/// Tenant, id, number, status, whether it is open, the ticket, first seen, read and opened, as the store has them.
type TicketRow = (String, String, String, Option<String>, i64, String, i64, i64, Option<String>);

/// Tenant, ticket, kind, was, became, earliest and latest.
type EventRow = (String, String, String, Option<String>, Option<String>, i64, i64);

/// The same tickets and events, each page in a transaction by one statement for each table, into tables like theirs with all
/// their indexes.
async fn plain_inserts(beside: &mut PgConnection) -> anyhow::Result<(Duration, i64)> {
    beside
        .execute(
            "CREATE TABLE plain_tickets (LIKE tickets INCLUDING ALL);
             CREATE TABLE plain_events (LIKE events INCLUDING ALL)",
        )
        .await?;
    let tickets: Vec<TicketRow> = sqlx::query_as(
        "SELECT tenant, id, display_id, status, open, ticket, first_seen_at, read_at, opened FROM tickets
         WHERE tenant <> 'desk' ORDER BY tenant, id",
    )
    .fetch_all(&mut *beside)
    .await?;
    let events: Vec<EventRow> = sqlx::query_as(
        "SELECT tenant, ticket_id, kind, was, became, earliest, latest FROM events WHERE tenant <> 'desk'
         ORDER BY tenant, ticket_id",
    )
    .fetch_all(&mut *beside)
    .await?;
    let mut events_of = events.chunks(PAGE * events.len().div_ceil(tickets.len().max(1)).max(1));
    let began = Instant::now();
    for page in tickets.chunks(PAGE) {
        let mut transaction = beside.begin().await?;
        let mut insert = QueryBuilder::new(
            "INSERT INTO plain_tickets (tenant, id, display_id, status, open, ticket, first_seen_at, read_at, opened) ",
        );
        insert.push_values(page, |mut row, one| {
            row.push_bind(&one.0).push_bind(&one.1).push_bind(&one.2).push_bind(&one.3).push_bind(one.4);
            row.push_bind(&one.5).push_bind(one.6).push_bind(one.7).push_bind(&one.8);
        });
        insert.build().execute(&mut *transaction).await?;
        if let Some(events) = events_of.next() {
            let mut insert =
                QueryBuilder::new("INSERT INTO plain_events (tenant, ticket_id, kind, was, became, earliest, latest) ");
            insert.push_values(events, |mut row, one| {
                row.push_bind(&one.0).push_bind(&one.1).push_bind(&one.2).push_bind(&one.3).push_bind(&one.4);
                row.push_bind(one.5).push_bind(one.6);
            });
            insert.build().execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
    }
    let took = began.elapsed();
    let inserted = "SELECT (SELECT COUNT(*) FROM plain_tickets) + (SELECT COUNT(*) FROM plain_events)";
    let inserted: i64 = sqlx::query_scalar(inserted).fetch_one(&mut *beside).await?;
    beside.execute("DROP TABLE plain_tickets, plain_events").await?;
    Ok((took, inserted))
}

/// The program, and where it listens.
async fn started(config: &Path) -> anyhow::Result<(Process, String)> {
    let (program, address) = listening(config.to_owned()).await?;
    Ok((program, format!("http://{address}")))
}

/// How long after `began` the program said that it is ready.
async fn until_ready(address: &str, began: Instant) -> anyhow::Result<Duration> {
    let client = reqwest::Client::new();
    while !client.get(format!("{address}/readyz")).send().await.is_ok_and(|answer| answer.status().is_success()) {
        anyhow::ensure!(began.elapsed() < READY_WITHIN, "it is not ready");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(began.elapsed())
}
