//! Half of a tenant's requests, shared with a `check --online` beside the running service.
//!
//! The check stores until when it wants the share, and the service from when on the check may use it: by then the
//! minute is over in which the service may have used more than its half.

use chrono::{DateTime, Utc};

use super::{Store, StoreError, instant, millis};
use crate::store::sql::{self, Connection};
use crate::ticket::TenantId;

impl Store {
    /// Asks the running service for half of `tenant`'s requests until that time.
    pub async fn request_budget_share(&self, tenant: &TenantId, until: DateTime<Utc>) -> Result<(), StoreError> {
        self.set_moment(asked(tenant), Some(until)).await
    }

    /// Returns until when half of `tenant`'s requests are wanted; none if they are not, or no longer at `now`.
    pub async fn budget_share_wanted(
        &self,
        tenant: &TenantId,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        Ok(self.moment(&asked(tenant)).await?.filter(|until| *until > now))
    }

    /// Grants half of `tenant`'s requests from that time on.
    pub async fn grant_budget_share(&self, tenant: &TenantId, from: DateTime<Utc>) -> Result<(), StoreError> {
        self.set_moment(granted(tenant), Some(from)).await
    }

    /// Returns from when on half of `tenant`'s requests are granted; none if the service has not answered yet.
    pub async fn budget_share_from(&self, tenant: &TenantId) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.moment(&granted(tenant)).await
    }

    /// Withdraws the grant.
    pub async fn end_budget_share(&self, tenant: &TenantId) -> Result<(), StoreError> {
        self.set_moment(granted(tenant), None).await?;
        self.set_moment(asked(tenant), None).await
    }

    async fn moment(&self, name: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
        let query = sql::query_scalar("SELECT at FROM heartbeats WHERE name = $1").bind(name);
        let at: Option<i64> = query.fetch_optional(&self.reads).await?;
        at.map(instant).transpose()
    }

    async fn set_moment(&self, name: String, at: Option<DateTime<Utc>>) -> Result<(), StoreError> {
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    sql::query("DELETE FROM heartbeats WHERE name = $1").bind(&name).execute(&mut *tx).await?;
                    if let Some(at) = at {
                        let query = sql::query("INSERT INTO heartbeats (name, at) VALUES ($1, $2)");
                        query.bind(&name).bind(millis(at)).execute(tx).await?;
                    }
                    Ok(())
                })
            })
            .await
    }
}

fn asked(tenant: &TenantId) -> String {
    format!("loan asked:{tenant}")
}

fn granted(tenant: &TenantId) -> String {
    format!("loan granted:{tenant}")
}
