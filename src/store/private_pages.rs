//! Status pages for single clients: who has one, and by which links. Only hashes of the links are stored.

use chrono::{DateTime, Utc};

use super::audit::{Author, audit};
use super::others::tell;
use super::{Store, StoreError, instant, millis};
use crate::keys::{Secret, hash_of};
use crate::store::sql::{self, Connection};
use crate::ticket::TenantId;
use crate::uptime::Millis;

/// The most links that are listed.
const MOST: i64 = 1000;

/// A page, and the link by which it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivatePage {
    /// Identifies the link in lists and in the audit log, without revealing the link itself.
    pub id: String,
    pub hash: String,
    pub tenant: TenantId,
    /// The client's name in the configuration of components.
    pub client: String,
    pub made_at: DateTime<Utc>,
    /// None while the link is valid.
    pub revoked_at: Option<DateTime<Utc>>,
}

type Row = (String, String, String, String, i64, Option<i64>);

impl Store {
    /// Stores that the page of `client` is read by the link that ends in `secret`.
    pub async fn add_private_page(
        &self,
        secret: &Secret,
        tenant: TenantId,
        client: String,
        author: Author,
        now: DateTime<Utc>,
    ) -> Result<PrivatePage, StoreError> {
        let hash = hash_of(secret.expose());
        let page = PrivatePage { id: page_of(secret.expose()), hash, tenant, client, made_at: now, revoked_at: None };
        let kept = page.clone();
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    sql::query(
                        "INSERT INTO private_pages (id, hash, tenant, client, made_at) VALUES ($1, $2, $3, $4, $5)",
                    )
                    .bind(&kept.id)
                    .bind(&kept.hash)
                    .bind(kept.tenant.as_str())
                    .bind(&kept.client)
                    .bind(millis(now))
                    .execute(&mut *tx)
                    .await?;
                    tell(tx, &kept.tenant).await?;
                    let what = format!("made the private status page {} of {}", kept.id, kept.client);
                    audit(tx, Some(&kept.tenant), &what, &author, now).await
                })
            })
            .await?;
        Ok(page)
    }

    /// Revokes the link `id`; none if no valid link has that id.
    pub async fn revoke_private_page(
        &self,
        id: &str,
        author: Author,
        now: DateTime<Utc>,
    ) -> Result<Option<PrivatePage>, StoreError> {
        let id = id.to_owned();
        let row = self
            .writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let revoked: Option<Row> = sql::query_as(
                        "UPDATE private_pages SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL
                         RETURNING id, hash, tenant, client, made_at, revoked_at",
                    )
                    .bind(&id)
                    .bind(millis(now))
                    .fetch_optional(&mut *tx)
                    .await?;
                    if let Some((_, _, tenant, client, ..)) = &revoked {
                        let tenant = TenantId::parse(tenant).map_err(|error| sql::Error::Decode(error.into()))?;
                        tell(tx, &tenant).await?;
                        let what = format!("revoked the private status page {id} of {client}");
                        audit(tx, Some(&tenant), &what, &author, now).await?;
                    }
                    Ok(revoked)
                })
            })
            .await?;
        row.map(page).transpose()
    }

    /// Returns all links, including those revoked recently, the newest first.
    pub async fn private_pages(&self) -> Result<Vec<PrivatePage>, StoreError> {
        let rows: Vec<Row> = sql::query_as(
            "SELECT id, hash, tenant, client, made_at, revoked_at FROM private_pages ORDER BY made_at DESC, id LIMIT $1",
        )
        .bind(MOST)
        .fetch_all(&self.reads)
        .await?;
        rows.into_iter().map(page).collect()
    }
}

/// Returns the id of the page whose link ends in `secret`.
pub fn page_of(secret: &str) -> String {
    hash_of(secret).chars().take(12).collect()
}

/// Deletes links that were revoked before `before`.
pub(super) async fn forget(tx: &mut Connection, before: Millis) -> Result<(), sql::Error> {
    sql::query("DELETE FROM private_pages WHERE revoked_at < $1").bind(before).execute(tx).await.map(drop)
}

fn page((id, hash, tenant, client, made_at, revoked_at): Row) -> Result<PrivatePage, StoreError> {
    let tenant = TenantId::parse(&tenant).map_err(|error| StoreError::Unreadable(error.to_string()))?;
    let revoked_at = revoked_at.map(instant).transpose()?;
    Ok(PrivatePage { id, hash, tenant, client, made_at: instant(made_at)?, revoked_at })
}
