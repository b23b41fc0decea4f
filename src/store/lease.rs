//! Decides which of the replicas on one PostgreSQL database leads.
//!
//! One row says who holds the lease, until when by the database's clock, and in which epoch. A leader extends it long
//! before it ends; another replica may take it only after it has ended, and then the epoch rises. Everything that a
//! leader's loops write is checked against the epoch in the same transaction, so a leader that was stopped or cut off
//! for a while writes nothing once another leads, whatever it believes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{info, warn};

use super::StoreError;
use super::sql::postgres::{Server, Unmigrated};
use super::sql::{self, Connection};

/// How long a leader may be silent before another takes over.
pub const TERM: Duration = Duration::from_secs(10);
/// How often each replica asks. A lease that was given back is taken within this time.
const EVERY: Duration = Duration::from_secs(1);
/// How long to wait for the database before asking again on a new connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// The role of a process among those that work on a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// The only one: the store is a file, which one process has claimed.
    #[default]
    Alone,
    /// Runs the loops.
    Leader { epoch: i64 },
    /// Serves pages, the API and hooks, and waits.
    Follower,
}

impl Role {
    /// Whether this process runs the loops.
    pub fn leads(self) -> bool {
        self != Self::Follower
    }

    /// Returns the role in a word; none if there are no replicas.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::Alone => None,
            Self::Leader { .. } => Some("leader"),
            Self::Follower => Some("follower"),
        }
    }
}

/// The stored lease. Times are milliseconds by the database's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Lease {
    holder: String,
    epoch: i64,
    /// 0 if it was given back.
    until: i64,
}

impl Lease {
    /// Returns the lease after `who` asked at `now`: extended if theirs, taken over if it has ended, else unchanged. No
    /// lease lasts for more than a term: one that seems to is from before the database's clock was set back, and its
    /// holder has a term from now to ask again.
    fn asked_by(&self, who: &str, term: i64, now: i64) -> Self {
        let until = now + term;
        if self.holder == who && self.until > 0 {
            // It may have ended, but nobody else has taken it, so nobody else has decided anything.
            return Self { until, ..self.clone() };
        }
        if self.until < now {
            return Self { holder: who.to_owned(), epoch: self.epoch + 1, until };
        }
        Self { until: until.min(self.until), ..self.clone() }
    }

    /// Returns the lease after `who` gave it back.
    fn given_back_by(&self, who: &str) -> Self {
        if self.holder == who { Self { until: 0, ..self.clone() } } else { self.clone() }
    }

    fn role_of(&self, who: &str) -> Role {
        if self.holder == who && self.until > 0 { Role::Leader { epoch: self.epoch } } else { Role::Follower }
    }
}

/// Asks for the lease regularly, and reports the result.
#[derive(Debug)]
pub struct LeaderElection {
    role: watch::Receiver<Role>,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl LeaderElection {
    /// Brings the tables up to date, waiting until replicas of an older version have left; `wait` is told repeatedly
    /// how many there are. Then asks once, so that the role is known, and keeps asking.
    pub async fn start(server: &Server, wait: impl Fn(i64)) -> Result<Self, StoreError> {
        while let Err(error) = server.migrate().await {
            let Unmigrated::OlderAtWork(replicas) = error else { return Err(StoreError::migrating(error)) };
            wait(replicas);
            tokio::time::sleep(EVERY).await;
        }
        let mut election = Election { server: server.clone(), connection: None };
        let first = election.turn().await?;
        let (role, stop) = (watch::Sender::new(first), watch::Sender::new(false));
        let (told, stopped) = (role.subscribe(), stop.subscribe());
        let task = tokio::spawn(election.run(role, stopped));
        Ok(Self { role: told, stop, task })
    }

    /// Returns the role of this process, with a notification of each change.
    pub fn role(&self) -> watch::Receiver<Role> {
        self.role.clone()
    }

    /// Gives the lease back if it is held, so that another may lead at once.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let _ = self.task.await;
    }
}

struct Election {
    server: Server,
    connection: Option<Connection>,
}

impl Election {
    async fn run(mut self, role: watch::Sender<Role>, mut stop: watch::Receiver<bool>) {
        let mut is_cut_off = false;
        loop {
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                _ = stop.wait_for(|stop| *stop) => break,
            }
            match self.turn().await {
                Ok(now) => {
                    is_cut_off = false;
                    if role.send_if_modified(|before| std::mem::replace(before, now) != now) {
                        info!(role = now.word(), "this replica is {} now", now.word().unwrap_or_default());
                    }
                }
                Err(error) if !is_cut_off => {
                    is_cut_off = true;
                    warn!(error = %error, "the lease could not be requested: the leader stays the same, and its writes are still checked");
                }
                Err(_) => {}
            }
        }
        let given_back = self.change(|lease, who, _| lease.given_back_by(who)).await;
        if let Err(error) = given_back {
            warn!(error = %error, "the lease could not be given back: it ends by itself");
        }
    }

    async fn connect(&self) -> Result<Connection, sql::Error> {
        let mut connection = Connection::to_server(&self.server).await?;
        self.server.work(&mut connection).await?;
        Ok(connection)
    }

    async fn turn(&mut self) -> Result<Role, StoreError> {
        let term = i64::try_from(TERM.as_millis()).unwrap_or(i64::MAX);
        let lease = self.change(|lease, who, now| lease.asked_by(who, term, now)).await?;
        Ok(lease.role_of(&self.server.replica))
    }

    /// Changes the lease in one transaction; returns it as it is then.
    async fn change(&mut self, change: impl Fn(&Lease, &str, i64) -> Lease) -> Result<Lease, StoreError> {
        let who: Arc<str> = self.server.replica.clone();
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => within(self.connect()).await?,
        };
        let changed = within(async {
            sql::query("BEGIN").execute(&mut connection).await?;
            let (holder, epoch, until, now) =
                sql::query_as::<(String, i64, i64, i64)>(sql::postgres::LEASE).fetch_one(&mut connection).await?;
            let before = Lease { holder, epoch, until };
            let after = change(&before, &who, now);
            if after != before {
                let write =
                    sql::query("UPDATE leases SET holder = $1, epoch = $2, until_at = $3 WHERE name = 'leader'");
                write.bind(&after.holder).bind(after.epoch).bind(after.until).execute(&mut connection).await?;
            }
            sql::query("COMMIT").execute(&mut connection).await?;
            Ok(after)
        });
        let changed = changed.await;
        // A connection that failed may be in the middle of a transaction.
        self.connection = changed.is_ok().then_some(connection);
        Ok(changed?)
    }
}

async fn within<T>(work: impl Future<Output = Result<T, sql::Error>>) -> Result<T, sql::Error> {
    let late = |_| sql::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "the database does not answer"));
    tokio::time::timeout(PATIENCE, work).await.map_err(late)?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::Store;

    const TERM: i64 = 10_000;

    fn none() -> Lease {
        Lease { holder: String::new(), epoch: 0, until: 0 }
    }

    #[test]
    fn the_first_to_ask_leads_until_its_time_has_ended() {
        let lease = none().asked_by("a", TERM, 1_000);
        assert_eq!((lease.role_of("a"), lease.role_of("b")), (Role::Leader { epoch: 1 }, Role::Follower));
        let later = lease.asked_by("b", TERM, 11_000);
        assert_eq!(later, lease, "it holds to its last millisecond");
        let taken = lease.asked_by("b", TERM, 11_001);
        assert_eq!((taken.role_of("a"), taken.role_of("b")), (Role::Follower, Role::Leader { epoch: 2 }));
    }

    #[test]
    fn a_leader_that_asks_again_keeps_its_epoch_even_late_if_nobody_came() {
        let lease = none().asked_by("a", TERM, 1_000).asked_by("a", TERM, 60_000);
        assert_eq!(lease, Lease { holder: "a".to_owned(), epoch: 1, until: 70_000 });
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_lease_longer_and_takes_it_from_nobody_who_asks() {
        let lease = none().asked_by("a", TERM, 3_600_000);
        let seen = lease.asked_by("b", TERM, 1_000);
        assert_eq!(seen, Lease { until: 11_000, ..lease.clone() }, "its holder has a term to ask again");
        assert_eq!(seen.asked_by("a", TERM, 2_000), Lease { until: 12_000, ..lease.clone() });
        assert_eq!(lease.asked_by("a", TERM, 2_000), Lease { until: 12_000, ..lease });
        assert_eq!(seen.asked_by("b", TERM, 11_001).role_of("b"), Role::Leader { epoch: 2 });
    }

    #[test]
    fn a_lease_that_was_given_back_is_anybodys_at_once() {
        let lease = none().asked_by("a", TERM, 1_000);
        assert_eq!(lease.given_back_by("b"), lease, "only by who holds it");
        let taken = lease.given_back_by("a").asked_by("b", TERM, 1_001);
        assert_eq!(taken.role_of("b"), Role::Leader { epoch: 2 });
    }

    /// Opens two stores on one schema of the tests' server, like two processes; none without a server.
    async fn two_replicas(folder: &tempfile::TempDir) -> Option<[(Server, Store); 2]> {
        let path = folder.path().join("sla.db");
        let mut both = Vec::new();
        for _ in 0..2 {
            let server = crate::store::place::tests::server(&path)?;
            let store = Store::open(server.clone(), Arc::default()).await.unwrap();
            both.push((server, store));
        }
        both.try_into().ok()
    }

    #[tokio::test]
    async fn what_a_leader_writes_once_another_leads_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let Some([(one, first), (other, second)]) = two_replicas(&folder).await else { return };
        let (mut one, mut other) =
            (Election { server: one, connection: None }, Election { server: other, connection: None });
        let Role::Leader { epoch } = one.turn().await.unwrap() else { panic!("nobody else has asked") };
        assert_eq!(other.turn().await.unwrap(), Role::Follower);
        let now = chrono::DateTime::UNIX_EPOCH;
        let leading = first.of_leader(epoch);
        leading.prove_writable(now).await.expect("it leads");
        // Its lease ends while it is stopped.
        let ended = one.change(|lease, _, now| Lease { until: now - 1, ..lease.clone() }).await.unwrap();
        assert_eq!(ended.epoch, epoch);
        leading.prove_writable(now).await.expect("nobody else has come");
        assert_eq!(other.turn().await.unwrap(), Role::Leader { epoch: epoch + 1 });
        let refused = leading.prove_writable(now).await;
        assert!(matches!(refused, Err(StoreError::Replaced)), "{refused:?}");
        leading.for_pages().prove_writable(now).await.expect("what people do holds on any replica");
        second.of_leader(epoch + 1).prove_writable(now).await.expect("the other leads");
        assert_eq!(one.turn().await.unwrap(), Role::Follower);
    }

    #[tokio::test]
    async fn a_lease_that_is_given_back_is_taken_within_two_seconds() {
        let folder = tempfile::tempdir().unwrap();
        let Some([(one, _), (other, _)]) = two_replicas(&folder).await else { return };
        let first = LeaderElection::start(&one, |_| ()).await.unwrap();
        let second = LeaderElection::start(&other, |_| ()).await.unwrap();
        assert_eq!((*first.role().borrow(), *second.role().borrow()), (Role::Leader { epoch: 1 }, Role::Follower));
        first.stop().await;
        let mut role = second.role();
        let taken = role.wait_for(|role| *role == Role::Leader { epoch: 2 });
        tokio::time::timeout(Duration::from_secs(2), taken).await.expect("at once").unwrap();
        second.stop().await;
    }

    #[tokio::test]
    async fn a_newer_version_waits_with_its_tables_until_the_older_replicas_have_left() {
        let folder = tempfile::tempdir().unwrap();
        let Some([(old, _), (new, store)]) = two_replicas(&folder).await else { return };
        let older = LeaderElection::start(&old, |_| ()).await.unwrap();
        // As if our last step came with the newer version.
        let mut beside = Connection::to_server(&old).await.unwrap();
        let last = "DELETE FROM _sqlx_migrations WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)";
        sql::query(last).execute(&mut beside).await.unwrap();
        let refused = new.migrate().await.expect_err("one is at work");
        assert!(matches!(refused, Unmigrated::OlderAtWork(1)), "{refused:?}");
        let refused = Store::open(new.clone(), Arc::default()).await.err().expect("a command does not wait");
        assert!(matches!(refused, StoreError::OlderAtWork(1)), "{refused:?}");
        store.prove_writable(chrono::DateTime::UNIX_EPOCH).await.expect("those at work are not disturbed");
        older.stop().await;
        // The step is refused because its tables exist already; what matters is that it was tried.
        let tried = new.migrate().await;
        assert!(!matches!(tried, Err(Unmigrated::OlderAtWork(_))), "{tried:?}");
    }

    #[tokio::test]
    async fn a_store_of_the_same_name_in_another_database_is_not_at_work_on_this_one() {
        let folder = tempfile::tempdir().unwrap();
        let Some([(server, _), _]) = two_replicas(&folder).await else { return };
        let other = format!("other_{:016x}", fastrand::u64(..));
        let mut here = sqlx::ConnectOptions::connect(&server.options()).await.unwrap();
        let run = async |on: &mut sqlx::PgConnection, text: String| {
            sqlx::raw_sql(sql::AssertSqlSafe(text)).execute(on).await.unwrap();
        };
        run(&mut here, format!("CREATE DATABASE {other}")).await;
        let there = server.options().database(&other);
        let mut there: sqlx::PgConnection = sqlx::ConnectOptions::connect(&there).await.unwrap();
        let name = server.works();
        run(&mut there, format!("SELECT pg_advisory_lock_shared(hashtextextended('{name}', 0))")).await;
        assert_eq!(server.replicas_without_key("0a0b0c0d").await.unwrap(), 0);
        run(&mut here, format!("SELECT pg_advisory_lock_shared(hashtextextended('{name}', 0))")).await;
        assert_eq!(server.replicas_without_key("0a0b0c0d").await.unwrap(), 1);
        sqlx::Connection::close(there).await.unwrap();
        run(&mut here, format!("DROP DATABASE {other} WITH (FORCE)")).await;
    }

    #[tokio::test]
    async fn a_database_that_cannot_hold_every_text_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let Some(server) = crate::store::place::tests::server(&folder.path().join("sla.db")) else { return };
        let name = format!("latin_{:016x}", fastrand::u64(..));
        let mut beside: sqlx::PgConnection = sqlx::ConnectOptions::connect(&server.options()).await.unwrap();
        let mut run = async |text: String| sqlx::raw_sql(sql::AssertSqlSafe(text)).execute(&mut beside).await.unwrap();
        run(format!("CREATE DATABASE {name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")).await;
        let latin = server.clone().at(|options| options.database(&name));
        let refused = Store::open(latin, Arc::default()).await.err().expect("it takes no emoji").to_string();
        assert!(refused.contains("encoded in LATIN1") && refused.contains("ENCODING 'UTF8'"), "{refused}");
        run(format!("DROP DATABASE {name} WITH (FORCE)")).await;
    }

    #[tokio::test]
    async fn a_replica_hears_what_another_writes_and_forgets_what_it_holds_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let Some([(_, first), (_, second)]) = two_replicas(&folder).await else { return };
        let tenant = crate::ticket::TenantId::parse("acme").unwrap();
        second.listen_to_others();
        let mut news = second.news_of_others();
        assert!(second.directory(&tenant).await.unwrap().statuses.is_empty(), "held from now on");
        let directory = crate::ticket::Directory { statuses: vec!["Open".to_owned()], ..Default::default() };
        let limit = tokio::time::Instant::now() + Duration::from_secs(10);
        // The listener may not be connected yet when the first is written.
        while second.directory(&tenant).await.unwrap().statuses.is_empty() {
            assert!(tokio::time::Instant::now() < limit, "it is never heard");
            first
                .save_directory(
                    &tenant,
                    directory.clone(),
                    Vec::new(),
                    Default::default(),
                    chrono::DateTime::UNIX_EPOCH,
                )
                .await
                .unwrap();
            let _ = tokio::time::timeout(Duration::from_secs(1), news.changed()).await;
        }
    }

    /// What a replica does next: asks, writes what it believes it may, stops for a while, or gives the lease back.
    #[derive(Clone, Copy, Debug)]
    enum Act {
        Ask,
        Write,
        GiveBack,
    }

    fn acts() -> impl Strategy<Value = Vec<(usize, Act, i64)>> {
        let act = prop_oneof![4 => Just(Act::Ask), 4 => Just(Act::Write), 1 => Just(Act::GiveBack)];
        // Now and then the database's clock is set back.
        let later = prop_oneof![9 => 0..8_000i64, 1 => -100_000..0i64];
        proptest::collection::vec((0..3usize, act, later), 1..200)
    }

    proptest! {
        /// Replicas ask, write, stop and give back in any order, each knowing only what it last heard, while the
        /// database's clock may be set back: the epochs of accepted writes never fall, each epoch belongs to one
        /// replica, and whoever goes on asking alone leads after a term.
        #[test]
        fn no_write_of_an_earlier_leader_follows_one_of_a_later(acts in acts()) {
            const WHO: [&str; 3] = ["a", "b", "c"];
            let (mut lease, mut now, mut believes) = (none(), 1_000_000_000, [Role::Follower; 3]);
            let mut written: Vec<(i64, usize)> = Vec::new();
            for (replica, act, later) in acts {
                now += later;
                match act {
                    Act::Ask => {
                        lease = lease.asked_by(WHO[replica], TERM, now);
                        believes[replica] = lease.role_of(WHO[replica]);
                    }
                    // The writer compares the leader's epoch with the row, in the transaction.
                    Act::Write => if let Role::Leader { epoch } = believes[replica] && epoch == lease.epoch {
                        written.push((epoch, replica));
                    },
                    Act::GiveBack => {
                        lease = lease.given_back_by(WHO[replica]);
                        believes[replica] = Role::Follower;
                    }
                }
            }
            prop_assert!(written.is_sorted_by_key(|(epoch, _)| *epoch));
            let mut owners = std::collections::BTreeMap::new();
            for (epoch, replica) in written {
                prop_assert_eq!(*owners.entry(epoch).or_insert(replica), replica);
            }
            let last = lease.asked_by("c", TERM, now).asked_by("c", TERM, now + TERM + 1);
            prop_assert!(last.role_of("c").leads());
        }
    }
}
