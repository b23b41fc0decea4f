//! The only writer: it commits whatever is waiting in one transaction.
//!
//! A commit costs a flush to disk, so a hundred small writes that share one are a hundred times cheaper. Writes that
//! share a transaction each have a savepoint: one that fails does not affect the others, and none has happened before
//! the commit.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::checkpoint::Checkpoints;
use super::sql::postgres::{Server, begin_in_turn, is_cut_off, tell_all_others};
use super::sql::{self, Connection};
use super::{StoreError, in_words};

/// The most writes in one transaction: bounds how long the first one waits for the last.
const GROUP: usize = 512;

/// A piece of work on the connection, inside the transaction.
pub trait Write<T>:
    for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, sql::Error>> + Send + 'static
{
}

impl<T, F> Write<T> for F where
    F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, sql::Error>> + Send + 'static
{
}

type Work = Box<dyn for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<(), sql::Error>> + Send>;

struct Job {
    work: Work,
    /// The epoch of the leader that ordered the work, which is void once another leads; none if anybody may.
    epoch: Option<i64>,
    done: oneshot::Sender<Result<(), StoreError>>,
}

enum Order {
    Do(Job),
    Close(oneshot::Sender<()>),
}

/// What the writer writes to.
pub enum Target {
    /// A file; the checkpoints are told of each commit.
    File(Connection, Checkpoints),
    /// A server; a broken connection is replaced.
    Server(Connection, Box<Server>),
}

#[derive(Clone)]
pub struct Writer {
    orders: mpsc::Sender<Order>,
    epoch: Option<i64>,
    written: Written,
}

/// Counts the writes. The count has risen before the caller of a write hears that it is done.
#[derive(Clone, Default)]
pub struct Written(Arc<Times>);

#[derive(Default)]
struct Times {
    all: AtomicU64,
    alerts: AtomicU64,
    /// Whether the current transaction changes alerts.
    touches_alerts: AtomicBool,
    /// Whether a write may have happened that nobody was told of.
    is_unsure: AtomicBool,
}

impl Written {
    pub fn times(&self) -> u64 {
        self.0.all.load(Ordering::SeqCst)
    }

    /// How many of the writes changed alerts.
    pub fn times_alerts(&self) -> u64 {
        self.0.alerts.load(Ordering::SeqCst)
    }

    /// Counts a write of another process, which may have changed anything.
    pub fn again(&self) {
        self.touch_alerts();
        self.committed();
    }

    /// Notes that a write may have happened or not: the server was lost before it confirmed it.
    fn unsure(&self) {
        self.again();
        self.0.is_unsure.store(true, Ordering::SeqCst);
    }

    /// Whether that has happened since this was last asked.
    pub fn was_unsure(&self) -> bool {
        self.0.is_unsure.swap(false, Ordering::SeqCst)
    }

    fn touch_alerts(&self) {
        self.0.touches_alerts.store(true, Ordering::SeqCst);
    }

    fn committed(&self) {
        if self.0.touches_alerts.swap(false, Ordering::SeqCst) {
            self.0.alerts.fetch_add(1, Ordering::SeqCst);
        }
        self.0.all.fetch_add(1, Ordering::SeqCst);
    }
}

impl Writer {
    /// Starts the writer's task.
    pub fn start(target: Target) -> Self {
        let (orders, waiting) = mpsc::channel(GROUP);
        let written = Written::default();
        tokio::spawn(run(target, waiting, written.clone()));
        Self { orders, epoch: None, written }
    }

    /// Returns the same writer for the leader of this epoch: its writes are refused once another replica leads.
    pub fn of_leader(&self, epoch: i64) -> Self {
        Self { epoch: Some(epoch), ..self.clone() }
    }

    /// Returns the same writer without an epoch.
    pub fn of_anybody(&self) -> Self {
        Self { epoch: None, ..self.clone() }
    }

    /// How often something was written.
    pub fn written(&self) -> &Written {
        &self.written
    }

    /// Does `work` and returns its value once it is safely on the disk.
    pub async fn write<T: Send + 'static>(&self, work: impl Write<T>) -> Result<T, StoreError> {
        let (value, result) = oneshot::channel();
        let (done, outcome) = oneshot::channel();
        let work: Work = Box::new(move |connection| {
            Box::pin(async move {
                let made = work(connection).await?;
                // The caller may have stopped waiting; the write stands anyway.
                let _ = value.send(made);
                Ok(())
            })
        });
        self.orders.send(Order::Do(Job { work, epoch: self.epoch, done })).await.map_err(|_| StoreError::Closed)?;
        outcome.await.map_err(|_| StoreError::Closed)??;
        result.await.map_err(|_| StoreError::Closed)
    }

    /// Finishes what was ordered before, then closes the connection.
    pub async fn close(&self) {
        let (closed, wait) = oneshot::channel();
        if self.orders.send(Order::Close(closed)).await.is_ok() {
            let _ = wait.await;
        }
    }
}

async fn run(mut target: Target, mut waiting: mpsc::Receiver<Order>, written: Written) {
    let mut orders = Vec::with_capacity(GROUP);
    let alerts = written.clone();
    let tells = target.connection().heed("alerts", move || alerts.touch_alerts()).await;
    while waiting.recv_many(&mut orders, GROUP).await > 0 {
        let mut jobs = Vec::new();
        let mut closing = None;
        for order in orders.drain(..) {
            match order {
                Order::Do(job) => jobs.push(job),
                Order::Close(closed) => closing = Some(closed),
            }
        }
        if !jobs.is_empty() {
            if !tells {
                written.touch_alerts();
            }
            target.commit(jobs, &written).await;
        }
        if let Some(closed) = closing {
            target.close().await;
            let _ = closed.send(());
            return;
        }
    }
}

impl Target {
    fn connection(&mut self) -> &mut Connection {
        match self {
            Self::File(connection, _) | Self::Server(connection, _) => connection,
        }
    }

    async fn commit(&mut self, jobs: Vec<Job>, written: &Written) {
        let (connection, begun) = self.begin().await;
        match begun {
            Ok(leads) => commit(connection, jobs, leads, written).await,
            Err(error) => tell_all(jobs.into_iter().map(|job| job.done).collect(), &error),
        }
        if let Self::File(_, checkpoints) = self {
            checkpoints.committed();
        }
    }

    /// Begins a transaction; a broken connection to a server is replaced first.
    async fn begin(&mut self) -> (&mut Connection, Result<Option<i64>, sql::Error>) {
        match self {
            Self::File(connection, _) => {
                let begun = execute(connection, "BEGIN IMMEDIATE").await;
                (connection, begun.map(|()| None))
            }
            Self::Server(connection, server) => {
                let mut begun = begin_in_turn(connection).await;
                if begun.as_ref().is_err_and(is_cut_off) {
                    begun = match Connection::to_server(server).await {
                        Ok(anew) => {
                            let keys = connection.keys().cloned().unwrap_or_default();
                            *connection = anew.with_keys(keys);
                            begin_in_turn(connection).await
                        }
                        Err(error) => Err(error),
                    };
                }
                (connection, begun.map(Some))
            }
        }
    }

    async fn close(self) {
        let connection = match self {
            Self::File(connection, checkpoints) => {
                checkpoints.close().await;
                connection
            }
            Self::Server(connection, _) => connection,
        };
        let _ = connection.close().await;
    }
}

/// Runs `jobs` in the transaction that has begun, ends it, and reports to each job how it went. `leads` is the epoch of
/// the leader; none if there can be no other replicas.
async fn commit(connection: &mut Connection, jobs: Vec<Job>, leads: Option<i64>, written: &Written) {
    let alone = jobs.len() == 1;
    let mut done = Vec::with_capacity(jobs.len());
    for job in jobs {
        if leads.is_some() && job.epoch.is_some() && job.epoch != leads {
            drop(job.done.send(Err(StoreError::Replaced)));
            continue;
        }
        let made = if alone { (job.work)(&mut *connection).await } else { attempt(connection, job.work).await };
        match made {
            Ok(()) => done.push(job.done),
            Err(error) => drop(job.done.send(Err(error.into()))),
        }
    }
    let is_server = leads.is_some();
    let told = if is_server && !done.is_empty() { tell_all_others(connection).await } else { Ok(()) };
    let ended = match told {
        Ok(()) => execute(connection, if done.is_empty() { "ROLLBACK" } else { "COMMIT" }).await.map_err(|error| {
            let may_have_happened = is_server && is_cut_off(&error);
            (error, may_have_happened)
        }),
        Err(error) => Err((error, false)),
    };
    match ended {
        Ok(()) => {
            written.committed();
            done.into_iter().for_each(|done| drop(done.send(Ok(()))));
        }
        Err((error, true)) => {
            written.unsure();
            for done in done {
                drop(done.send(Err(StoreError::Unconfirmed(sql::Error::Protocol(in_words(&error))))));
            }
        }
        Err((error, false)) => {
            // After some errors SQLite has already rolled back; then this fails, which does no harm.
            if !(is_server && is_cut_off(&error)) {
                let _ = execute(connection, "ROLLBACK").await;
            }
            tell_all(done, &error);
        }
    }
}

async fn attempt(connection: &mut Connection, work: Work) -> Result<(), sql::Error> {
    execute(connection, "SAVEPOINT job").await?;
    match work(&mut *connection).await {
        Ok(()) => execute(connection, "RELEASE SAVEPOINT job").await,
        Err(error) => {
            // If an error has ended the whole transaction, COMMIT fails for everybody, as it should.
            let _ = execute(connection, "ROLLBACK TO SAVEPOINT job").await;
            let _ = execute(connection, "RELEASE SAVEPOINT job").await;
            Err(error)
        }
    }
}

async fn execute(connection: &mut Connection, statement: &'static str) -> Result<(), sql::Error> {
    sql::query(statement).execute(connection).await.map(drop)
}

/// A database error cannot be cloned, so each waiting caller gets its text and its code.
fn tell_all(waiting: Vec<oneshot::Sender<Result<(), StoreError>>>, error: &sql::Error) {
    for done in waiting {
        let _ = done.send(Err(again(error)));
    }
}

fn again(error: &sql::Error) -> StoreError {
    StoreError::sorter(error)(sql::Error::Protocol(in_words(error)))
}
