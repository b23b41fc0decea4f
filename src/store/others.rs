//! Notices what other replicas write, so that nothing cached here is older than a few seconds.
//!
//! PostgreSQL delivers a notification with each commit. It names its connection, and our own are ignored. While the
//! connection is broken nothing is heard, so the caches are emptied again and again until it is back.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::time::timeout;
use tracing::warn;

use super::Store;
use super::sql::postgres::Server;
use super::sql::{self, Connection};
use crate::ticket::TenantId;

/// How long notifications are collected, to be handled together.
const TOGETHER: Duration = Duration::from_millis(200);
/// How long the connection may be silent before it is tested, and what was read may be kept while it is broken.
const QUIET: Duration = Duration::from_secs(3);
/// How long the test may take; whatever happened since it was silent was not heard.
const ANSWER: Duration = Duration::from_secs(2);

/// Tells the other replicas, with the commit, that their caches of `tenant` are out of date.
pub(super) async fn tell(tx: &mut Connection, tenant: &TenantId) -> Result<(), sql::Error> {
    if tx.is_postgres() {
        sql::query(sql::postgres::TELL).bind(tenant.as_str()).execute(tx).await?;
    }
    Ok(())
}

impl Store {
    /// Changes whenever another replica has written something.
    pub fn news_of_others(&self) -> tokio::sync::watch::Receiver<()> {
        self.others.subscribe()
    }

    /// Listens to the other replicas while the store is open; a store in a file has none.
    pub fn listen_to_others(&self) {
        if let Some(server) = self.server.clone() {
            tokio::spawn(self.clone().listen(server));
        }
    }

    async fn listen(self, server: Arc<Server>) {
        while !self.reads.is_closed() {
            if let Err(error) = self.listen_until_it_breaks(&server).await {
                warn!(error = %error, "the other replicas cannot be heard; trying again");
            }
            self.deaf_during(tokio::time::sleep(QUIET)).await;
        }
    }

    /// Does `work` while nothing is heard of the others.
    async fn deaf_during<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            self.read_anew();
            if let Ok(done) = timeout(QUIET, &mut work).await {
                return done;
            }
        }
    }

    /// Forgets everything that was read, since another replica may have written anything.
    fn read_anew(&self) {
        self.caches.forget_all();
        self.writer.written().again();
        self.others.send_replace(());
    }

    async fn listen_until_it_breaks(&self, server: &Server) -> Result<(), sql::Error> {
        let pool = server.pool_of_one();
        let connect = timeout(server.patience, async {
            let mut listener = PgListener::connect_with(&pool).await?;
            listener.eager_reconnect(false);
            listener.listen(&server.channel()).await?;
            Ok::<_, sql::Error>(listener)
        });
        let mut listener = self.deaf_during(connect).await.map_err(|_| sql::Error::PoolTimedOut)??;
        self.read_anew();
        while !self.reads.is_closed() {
            if self.writer.written().was_unsure() {
                self.caches.forget_all();
                self.others.send_replace(());
            }
            let mut tenants = BTreeSet::new();
            match timeout(QUIET, listener.try_recv()).await {
                Ok(Ok(Some(word))) => tenants.extend(heard(word.payload(), server)),
                Ok(Ok(None)) => return Ok(()),
                Ok(Err(error)) => return Err(error),
                Err(_) => {
                    let alive = timeout(ANSWER, sqlx::query("SELECT 1").execute(&mut listener));
                    alive.await.map_err(|_| sql::Error::PoolTimedOut)??;
                    continue;
                }
            }
            tokio::time::sleep(TOGETHER).await;
            while let Some(word) = listener.next_buffered() {
                tenants.extend(heard(word.payload(), server));
            }
            let is_news = !tenants.is_empty();
            for tenant in tenants.into_iter().flatten() {
                let _turn = self.caches.turn(&tenant).await;
                self.caches.forget_tenant(&tenant);
            }
            if is_news {
                self.writer.written().again();
                self.others.send_replace(());
            }
        }
        Ok(())
    }
}

/// Some if the notification is from another replica: with the tenant whose caches are out of date, if it names one.
fn heard(word: &str, server: &Server) -> Option<Option<TenantId>> {
    let (who, tenant) = word.split_once('|').unwrap_or((word, ""));
    (who != &*server.replica).then(|| TenantId::parse(tenant).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Place;

    #[tokio::test]
    async fn while_the_others_cannot_be_heard_nothing_is_kept_for_longer_than_five_seconds() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(Place::File(folder.path().join("sla.db")), Arc::default()).await.unwrap();
        // It accepts connections, and never says a word.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("postgres://sla@{}/msp", silent.local_addr().unwrap());
        let mut news = store.news_of_others();
        tokio::time::pause();
        tokio::spawn(store.clone().listen(Arc::new(Server::of_tests(&url, "watch"))));
        for _ in 0..10 {
            timeout(Duration::from_secs(5), news.changed()).await.expect("all is read anew").unwrap();
        }
    }
}
