//! The one writer: it commits whatever is waiting in one transaction.
//!
//! A commit costs a flush to the disk, so a hundred small writes that share one
//! are a hundred times cheaper. Each write that has company stands in a savepoint of its
//! own: one that fails takes nobody with it, and none has happened before the commit has.

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::StoreError;
use super::checkpoint::Checkpoints;
use super::sql::{self, Connection};

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
    done: oneshot::Sender<Result<(), StoreError>>,
}

enum Order {
    Do(Job),
    Close(oneshot::Sender<()>),
}

#[derive(Clone)]
pub struct Writer {
    orders: mpsc::Sender<Order>,
}

impl Writer {
    /// Starts the writer's task on `connection`; `checkpoints` hears of each commit.
    pub fn start(connection: Connection, checkpoints: Checkpoints) -> Self {
        let (orders, waiting) = mpsc::channel(GROUP);
        tokio::spawn(run(connection, waiting, checkpoints));
        Self { orders }
    }

    /// Does `work` and returns its value once it is safely on the disk.
    pub async fn write<T: Send + 'static>(&self, work: impl Write<T>) -> Result<T, StoreError> {
        let (value, result) = oneshot::channel();
        let (done, outcome) = oneshot::channel();
        let work: Work = Box::new(move |connection| {
            Box::pin(async move {
                let made = work(connection).await?;
                // The caller may have stopped waiting; the write stands all the same.
                let _ = value.send(made);
                Ok(())
            })
        });
        self.orders.send(Order::Do(Job { work, done })).await.map_err(|_| StoreError::Closed)?;
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

async fn run(mut connection: Connection, mut waiting: mpsc::Receiver<Order>, checkpoints: Checkpoints) {
    let mut orders = Vec::with_capacity(GROUP);
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
            commit(&mut connection, jobs).await;
            checkpoints.committed();
        }
        if let Some(closed) = closing {
            checkpoints.close().await;
            let _ = connection.close().await;
            let _ = closed.send(());
            return;
        }
    }
}

/// Runs `jobs` in one transaction and tells each how it went.
async fn commit(connection: &mut Connection, jobs: Vec<Job>) {
    if let Err(error) = execute(connection, "BEGIN IMMEDIATE").await {
        return tell_all(jobs.into_iter().map(|job| job.done).collect(), &error);
    }
    let alone = jobs.len() == 1;
    let mut done = Vec::with_capacity(jobs.len());
    for job in jobs {
        let made = if alone { (job.work)(&mut *connection).await } else { attempt(connection, job.work).await };
        match made {
            Ok(()) => done.push(job.done),
            Err(error) => drop(job.done.send(Err(error.into()))),
        }
    }
    let end = if done.is_empty() { "ROLLBACK" } else { "COMMIT" };
    match execute(connection, end).await {
        Ok(()) => done.into_iter().for_each(|done| drop(done.send(Ok(())))),
        Err(error) => {
            // After some faults SQLite has already rolled back; then this fails, and no harm is done.
            let _ = execute(connection, "ROLLBACK").await;
            tell_all(done, &error);
        }
    }
}

async fn attempt(connection: &mut Connection, work: Work) -> Result<(), sql::Error> {
    execute(connection, "SAVEPOINT job").await?;
    match work(&mut *connection).await {
        Ok(()) => execute(connection, "RELEASE job").await,
        Err(error) => {
            // If a fault has ended the whole transaction, COMMIT fails for everybody, as it must.
            let _ = execute(connection, "ROLLBACK TO job").await;
            let _ = execute(connection, "RELEASE job").await;
            Err(error)
        }
    }
}

async fn execute(connection: &mut Connection, statement: &'static str) -> Result<(), sql::Error> {
    sql::query(statement).execute(connection).await.map(drop)
}

/// A database error cannot be cloned, so each gets its words and its code.
fn tell_all(waiting: Vec<oneshot::Sender<Result<(), StoreError>>>, error: &sql::Error) {
    for done in waiting {
        let _ = done.send(Err(again(error)));
    }
}

fn again(error: &sql::Error) -> StoreError {
    StoreError::sorter(error)(sql::Error::Protocol(error.to_string()))
}
