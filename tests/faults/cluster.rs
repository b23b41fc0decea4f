//! Several replicas of the program on one PostgreSQL database of their own, with all that stands round them.
//!
//! The server is the one that `SUPEROPS_SLA_TEST_POSTGRES` names; its user must be a superuser, since databases are made,
//! connections cut and the server restarted.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use superops_sla::clock::{Clock as _, SystemClock};
use tempfile::TempDir;
use tokio::time::Instant;
use url::Url;

use crate::service::Service;
use crate::stage::{By, ONE_BY_ONE, Stage, is_breach, until, words};

/// So long nobody may lead at the most: the bound is 15 s, and what is later is to be seen as a figure.
const SOMEBODY_LEADS: Duration = Duration::from_secs(60);
/// After a fault what was in flight waits for its lease, and retries are some seconds apart.
const COMES_TO_REST: Duration = Duration::from_secs(180);

/// A ticket of the storm.
pub struct Due {
    pub ticket: String,
    pub at: DateTime<Utc>,
}

struct Replica {
    folder: TempDir,
    service: Option<Service>,
    /// It has been stopped by SIGSTOP.
    stands_still: bool,
}

/// The replicas, and what stands round them.
pub struct Cluster {
    pub stage: Stage,
    replicas: Vec<Replica>,
    database: Database,
}

impl Cluster {
    /// So many replicas, of which one leads; none if no server is named.
    pub async fn start(replicas: usize) -> anyhow::Result<Option<Self>> {
        let Some(mut cluster) = Self::bare(replicas).await? else { return Ok(None) };
        for nth in 0..replicas {
            cluster.start_replica(nth).await?;
        }
        cluster.leader().await?;
        Ok(Some(cluster))
    }

    /// With none of them running yet.
    pub async fn bare(replicas: usize) -> anyhow::Result<Option<Self>> {
        let Some(database) = Database::create().await? else { return Ok(None) };
        let stage = Stage::bare().await?;
        let store = format!("url = \"{}\"", database.url);
        let more = format!("{ONE_BY_ONE}[alerts]\nwarn_at = []\n{}", By::Both.step());
        let mut made = Vec::new();
        for _ in 0..replicas {
            let folder = tempfile::tempdir()?;
            stage.configure_in(folder.path(), &store, &stage.sms.url(), &more)?;
            made.push(Replica { folder, service: None, stands_still: false });
        }
        Ok(Some(Self { stage, replicas: made, database }))
    }

    pub async fn start_replica(&mut self, nth: usize) -> anyhow::Result<()> {
        self.start_by(nth, None).await
    }

    /// Starts a replica whose clock is so many seconds off.
    pub async fn start_off(&mut self, nth: usize, seconds: i64) -> anyhow::Result<()> {
        let shim = clock_shim(self.stage.folder())?;
        self.start_by(nth, Some((shim, seconds))).await
    }

    async fn start_by(&mut self, nth: usize, off: Option<(PathBuf, i64)>) -> anyhow::Result<()> {
        let replica = &mut self.replicas[nth];
        let clock =
            off.map(|(shim, seconds)| [("LD_PRELOAD", shim.display().to_string()), ("CLOCK_OFF", seconds.to_string())]);
        let clock: Vec<_> = clock.into_iter().flatten().collect();
        replica.service = Some(Service::start_with(replica.folder.path(), &clock).await?);
        replica.stands_still = false;
        Ok(())
    }

    /// `kill -9`.
    pub fn kill(&mut self, nth: usize) -> anyhow::Result<()> {
        self.replicas[nth].service.take().map_or(Ok(()), Service::kill)
    }

    /// SIGTERM. Gives how long after it another led, while it was ending or thereafter.
    pub async fn stop(&mut self, nth: usize) -> anyhow::Result<Duration> {
        let service = self.replicas[nth].service.take().context("it runs")?;
        service.signal("TERM")?;
        let took = self.taken_over().await?;
        service.ended()?;
        Ok(took)
    }

    /// `STOP` or `CONT`.
    pub fn signal(&mut self, nth: usize, name: &str) -> anyhow::Result<()> {
        let replica = &mut self.replicas[nth];
        replica.service.as_ref().context("it runs")?.signal(name)?;
        replica.stands_still = name == "STOP";
        Ok(())
    }

    /// What a replica has said.
    pub fn log(&self, nth: usize) -> String {
        self.replicas[nth].service.as_ref().map(Service::log).unwrap_or_default()
    }

    /// Whether a replica that runs does the work of a leader, by its own word.
    fn leads(&self, nth: usize) -> bool {
        let log = self.log(nth);
        !self.replicas[nth].stands_still
            && log.rfind("this replica is a leader") > log.rfind("this replica is a follower")
    }

    /// Which of the replicas leads, as soon as one does.
    pub async fn leader(&self) -> anyhow::Result<usize> {
        let find = || (0..self.replicas.len()).find(|nth| self.leads(*nth));
        until("a replica leads", SOMEBODY_LEADS, async || Ok(find().is_some())).await?;
        find().context("it has led a moment ago")
    }

    /// How long it takes from now on until a replica leads.
    pub async fn taken_over(&self) -> anyhow::Result<Duration> {
        let began = Instant::now();
        self.leader().await?;
        Ok(began.elapsed())
    }

    /// Waits until a replica says that it follows.
    pub async fn follows(&self, nth: usize) -> anyhow::Result<()> {
        until("it follows", SOMEBODY_LEADS, async || Ok(!self.leads(nth))).await
    }

    /// So many tickets, whose breaches are spread evenly over `lasts`, from `from` on.
    pub fn storm(&self, tickets: i32, from: TimeDelta, lasts: TimeDelta) -> Vec<Due> {
        let start = SystemClock.now() + from;
        let due = |nth: i32| {
            let at = start + lasts * nth / tickets;
            let ticket = self.stage.ticket(usize::try_from(nth).unwrap_or(0), at - SystemClock.now());
            Due { ticket, at }
        };
        (0..tickets).map(due).collect()
    }

    /// A first figure of one query.
    pub async fn count(&self, query: &str) -> anyhow::Result<i64> {
        let mut connection = self.database.connect().await?;
        connection.execute("SET search_path = superops_sla").await?;
        Ok(sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_one(&mut connection).await?)
    }

    /// Waits until a breach of each of `due` is recorded.
    pub async fn all_recorded(&self, due: &[Due]) -> anyhow::Result<()> {
        let (query, wanted) = ("SELECT COUNT(*) FROM alerts WHERE stage = 'breached'", i64::try_from(due.len())?);
        let recorded = async || Ok(self.count(query).await.is_ok_and(|found| found >= wanted));
        until("the breaches are recorded", COMES_TO_REST, recorded).await
    }

    /// Waits until a breach of each of `due` is recorded and nothing waits to be said.
    pub async fn all_said(&self, due: &[Due]) -> anyhow::Result<()> {
        let query = "SELECT (SELECT COUNT(*) FROM alerts WHERE stage = 'breached') - 1000000 *
                     (SELECT COUNT(*) FROM notifications WHERE state NOT IN ('sent', 'failed', 'cancelled'))";
        let wanted = i64::try_from(due.len())?;
        until("all is said", COMES_TO_REST, async || Ok(self.count(query).await.is_ok_and(|found| found >= wanted)))
            .await
    }

    /// What came of the storm, as the receivers saw it and the store has it.
    pub async fn harm(&self, due: &[Due]) -> anyhow::Result<Harm> {
        let tickets: Vec<String> = due.iter().map(|due| due.ticket.clone()).collect();
        let enqueued_twice =
            "SELECT COUNT(*) - COUNT(DISTINCT (ticket_id, split_part(stage, '/', 1), step, channel, recipient))
                              FROM notifications WHERE kind = 'alert'";
        Ok(Harm {
            breaches: due.len(),
            lost: self.stage.untold(&tickets).len(),
            told_twice: self.stage.doubled(&tickets),
            enqueued_twice: self.count(enqueued_twice).await?,
            repeated: self.stage.repeats(),
            latest: self.latest(due),
        })
    }

    /// How long after its breach the last person first heard of one, in seconds.
    fn latest(&self, due: &[Due]) -> f64 {
        let mut first: HashMap<String, DateTime<Utc>> = HashMap::new();
        // From the newest to the oldest: the last one put in is the first that came.
        for caught in self.stage.caught.newest_first(usize::MAX).iter().filter(|caught| is_breach(caught)) {
            first.extend(words(caught).into_iter().map(|word| (word, caught.at)));
        }
        let late = due.iter().filter_map(|due| Some((*first.get(&due.ticket)? - due.at).num_milliseconds()));
        late.max().unwrap_or(0) as f64 / 1000.0
    }

    /// Cuts the connection of one replica that `random` chooses. False: there is none.
    pub async fn cut_one(&self, random: &mut fastrand::Rng) -> anyhow::Result<bool> {
        let mut admin = self.database.admin().await?;
        let query = "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND application_name LIKE 'superops-sla %'";
        let all: Vec<i32> = sqlx::query_scalar(query).bind(&self.database.name).fetch_all(&mut admin).await?;
        let Some(one) = random.choice(all) else { return Ok(false) };
        Ok(sqlx::query_scalar("SELECT pg_terminate_backend($1)").bind(one).fetch_one(&mut admin).await?)
    }

    /// Has the database take no writes from now on, or take them again, and cuts all connections, as a fail-over does.
    pub async fn set_read_only(&self, read_only: bool) -> anyhow::Result<()> {
        let mut admin = self.database.admin().await?;
        let set = format!("ALTER DATABASE {} SET default_transaction_read_only = {read_only}", self.database.name);
        admin.execute(AssertSqlSafe(set)).await?;
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
        sqlx::query(cut).bind(&self.database.name).fetch_all(&mut admin).await?;
        Ok(())
    }

    /// Restarts the whole server, as its own user. Gives how long it took no connections.
    pub async fn restart_server(&self) -> anyhow::Result<Duration> {
        let mut admin = self.database.admin().await?;
        let binaries: String =
            sqlx::query_scalar("SELECT setting FROM pg_config WHERE name = 'BINDIR'").fetch_one(&mut admin).await?;
        let folder: String = sqlx::query_scalar("SHOW data_directory").fetch_one(&mut admin).await?;
        let since = "SELECT CAST(extract(epoch FROM pg_postmaster_start_time()) * 1000 AS BIGINT)";
        let before: i64 = sqlx::query_scalar(since).fetch_one(&mut admin).await?;
        let restart = format!(
            "setsid {binaries}/pg_ctl -D {folder} -m fast -w -l {folder}/restarted.log restart >/dev/null 2>&1 &"
        );
        let began = Instant::now();
        admin.execute(AssertSqlSafe(format!("COPY (SELECT 1) TO PROGRAM '{restart}'"))).await?;
        let is_another = async || {
            let Ok(mut admin) = self.database.admin().await else { return Ok(false) };
            let now: Result<i64, _> = sqlx::query_scalar(since).fetch_one(&mut admin).await;
            Ok(now.is_ok_and(|now| now != before))
        };
        until("the server is back", SOMEBODY_LEADS, is_another).await?;
        Ok(began.elapsed())
    }
}

/// The harm done by a fault.
pub struct Harm {
    pub breaches: usize,
    pub lost: usize,
    pub told_twice: usize,
    pub enqueued_twice: i64,
    pub repeated: usize,
    pub latest: f64,
}

impl Harm {
    pub fn words(&self) -> String {
        let Self { breaches, lost, told_twice, enqueued_twice, repeated, latest } = self;
        format!(
            "{breaches} breaches: {lost} lost, {enqueued_twice} enqueued twice, {told_twice} told twice, {repeated} deliveries \
             repeated, the last first heard of {latest:.1} s after its breach"
        )
    }

    /// Nothing is lost and nothing told twice; of `faults` each repeats no more than what was in flight.
    pub fn is_none(&self, faults: usize) -> bool {
        self.lost == 0 && self.told_twice == 0 && self.enqueued_twice == 0 && self.repeated <= faults * IN_FLIGHT
    }
}

/// What the program has under way at most at one moment: 16 attempts on each of two channels, and those that have just
/// ended: a place is free as soon as the receiver has answered, and what became of several is recorded together.
pub const IN_FLIGHT: usize = 48;

/// A database of this fault's own; removed when dropped.
struct Database {
    server: Url,
    name: String,
    url: Url,
}

impl Database {
    /// None: no server is named.
    async fn create() -> anyhow::Result<Option<Self>> {
        let Some(server) = std::env::var("SUPEROPS_SLA_TEST_POSTGRES").ok().filter(|url| !url.is_empty()) else {
            return Ok(None);
        };
        let server: Url = server.parse()?;
        let name = format!("faults_{:016x}", fastrand::u64(..));
        let mut url = server.clone();
        url.set_path(&name);
        let database = Self { server, name, url };
        let create = format!("CREATE DATABASE {}", database.name);
        database.admin().await?.execute(AssertSqlSafe(create)).await?;
        Ok(Some(database))
    }

    /// A way to the server that no fault of this database stops.
    async fn admin(&self) -> anyhow::Result<PgConnection> {
        Ok(PgConnection::connect(self.server.as_str()).await?)
    }

    async fn connect(&self) -> anyhow::Result<PgConnection> {
        Ok(PgConnection::connect(self.url.as_str()).await?)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let remove = async move {
            let mut admin = PgConnection::connect(server.as_str()).await?;
            admin.execute(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).await
        };
        // In a thread of its own, since this one belongs to a runtime. What fails leaves a database behind.
        let removed = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.ok().map(|runtime| runtime.block_on(remove))
        });
        if !matches!(removed.join(), Ok(Some(Ok(_)))) {
            eprintln!("the database {} could not be removed", self.name);
        }
    }
}

/// A library that sets the clock of one process off, for `LD_PRELOAD`.
fn clock_shim(folder: &Path) -> anyhow::Result<PathBuf> {
    const SOURCE: &str = "
        #define _GNU_SOURCE
        #include <stdlib.h>
        #include <time.h>
        #include <unistd.h>
        #include <sys/syscall.h>
        int clock_gettime(clockid_t clock, struct timespec *time) {
            int failed = syscall(SYS_clock_gettime, clock, time);
            const char *off = getenv(\"CLOCK_OFF\");
            if (!failed && off && clock == CLOCK_REALTIME) time->tv_sec += atol(off);
            return failed;
        }";
    let (source, library) = (folder.join("clock.c"), folder.join("clock.so"));
    std::fs::write(&source, SOURCE)?;
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status()?;
    anyhow::ensure!(compiled.success(), "cc could not compile the library that sets a clock off");
    Ok(library)
}
