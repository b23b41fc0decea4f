//! Notices what other replicas write, so that nothing cached here is older than a few seconds.
//!
//! PostgreSQL delivers a notification with each commit. It names its connection, and our own are ignored. While the
//! connection is broken nothing is heard, so the caches are emptied when it is back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgListener;
use tracing::warn;

use super::Store;
use super::sql::postgres::Server;
use super::sql::{self, Connection};
use crate::ticket::TenantId;

/// How long notifications are collected, to be handled together.
const TOGETHER: Duration = Duration::from_millis(200);
/// How long the connection may be silent before it is tested.
const QUIET: Duration = Duration::from_secs(3);

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
            // Nothing that happened in the meantime was heard.
            self.caches.forget_all();
            self.writer.written().again();
            self.others.send_replace(());
            tokio::time::sleep(QUIET).await;
        }
    }

    async fn listen_until_it_breaks(&self, server: &Server) -> Result<(), sql::Error> {
        let pool = server.pool_of_one();
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.eager_reconnect(false);
        listener.listen(&server.channel()).await?;
        self.caches.forget_all();
        self.writer.written().again();
        while !self.reads.is_closed() {
            if self.writer.written().was_unsure() {
                self.caches.forget_all();
                self.others.send_replace(());
            }
            let mut tenants = BTreeSet::new();
            match tokio::time::timeout(QUIET, listener.try_recv()).await {
                Ok(Ok(Some(word))) => tenants.extend(heard(word.payload(), server)),
                Ok(Ok(None)) => return Ok(()),
                Ok(Err(error)) => return Err(error),
                Err(_) => {
                    let alive = tokio::time::timeout(QUIET, sqlx::query("SELECT 1").execute(&mut listener));
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
