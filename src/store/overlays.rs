//! Silences and maintenance windows in the store.

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::audit::{Author, audit};
use super::outbox::let_go;
use super::{Store, StoreError, instant, millis};
use crate::alert::overlay::{Matchers, Overlay, OverlayKind};
use crate::ticket::TenantId;

/// A silence or a maintenance window to be stored.
#[derive(Clone, Debug)]
pub struct NewOverlay {
    pub kind: OverlayKind,
    pub tenant: TenantId,
    pub matchers: Matchers,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub author: String,
    pub reason: String,
}

fn table(kind: OverlayKind) -> &'static str {
    match kind {
        OverlayKind::Silence => "silences",
        OverlayKind::Maintenance => "maintenance_windows",
    }
}

impl Store {
    /// Stores `new`. It holds from the moment this returns, if its time has come.
    pub async fn add_overlay(
        &self,
        new: NewOverlay,
        author: Author,
        now: DateTime<Utc>,
    ) -> Result<Overlay, StoreError> {
        self.writer
            .write(move |tx: &mut SqliteConnection| {
                Box::pin(async move {
                    let id = insert(tx, &new).await?;
                    let what = format!("added {} {id}, until {}", new.kind.words(), new.until);
                    audit(tx, Some(&new.tenant), &what, &author, now).await?;
                    let NewOverlay { kind, tenant, matchers, from, until, author, reason } = new;
                    Ok(Overlay { kind, id, tenant, matchers, from, until, author, reason, ended_at: None })
                })
            })
            .await
    }

    /// Ends one before its time; of `tenant` only, if one is named. False if there is none that could be ended.
    pub async fn end_overlay(
        &self,
        kind: OverlayKind,
        tenant: Option<&TenantId>,
        id: i64,
        author: Author,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let tenant = tenant.cloned();
        self.writer
            .write(move |tx: &mut SqliteConnection| {
                Box::pin(async move {
                    let Some((tenant, until)) = end(tx, kind, tenant.as_ref(), id, now).await? else {
                        return Ok(false);
                    };
                    let tenant = TenantId::parse(&tenant).map_err(|error| sqlx::Error::Decode(error.into()))?;
                    let_go(tx, &tenant, until, now).await?;
                    audit(tx, Some(&tenant), &format!("ended {} {id}", kind.words()), &author, now).await?;
                    Ok(true)
                })
            })
            .await
    }

    /// Those of `tenant` (none: of all) that hold at `now` or later, of both kinds, the first to end first.
    pub async fn overlays(&self, tenant: Option<&TenantId>, now: DateTime<Utc>) -> Result<Vec<Overlay>, StoreError> {
        let mut found = Vec::new();
        for kind in OverlayKind::ALL {
            let table = table(kind);
            let query = format!(
                "SELECT * FROM {table} WHERE (tenant = $1 OR $1 IS NULL) AND until_at > $2 AND ended_at IS NULL
                 ORDER BY until_at, id"
            );
            let rows = sqlx::query(AssertSqlSafe(query))
                .bind(tenant.map(TenantId::as_str))
                .bind(millis(now))
                .fetch_all(&self.reads)
                .await?;
            for row in &rows {
                found.push(overlay(kind, row)?);
            }
        }
        Ok(found)
    }
}

async fn insert(tx: &mut SqliteConnection, new: &NewOverlay) -> Result<i64, sqlx::Error> {
    let query = format!(
        "INSERT INTO {} (tenant, client, ticket, priority, technician, from_at, until_at, author, reason)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id",
        table(new.kind)
    );
    sqlx::query_scalar(AssertSqlSafe(query))
        .bind(new.tenant.as_str())
        .bind(new.matchers.client.as_deref())
        .bind(new.matchers.ticket.as_deref())
        .bind(new.matchers.priority.as_deref())
        .bind(new.matchers.technician.as_deref())
        .bind(millis(new.from))
        .bind(millis(new.until))
        .bind(&new.author)
        .bind(&new.reason)
        .fetch_one(tx)
        .await
}

async fn end(
    tx: &mut SqliteConnection,
    kind: OverlayKind,
    tenant: Option<&TenantId>,
    id: i64,
    now: DateTime<Utc>,
) -> Result<Option<(String, i64)>, sqlx::Error> {
    let query = format!(
        "UPDATE {} SET ended_at = $3 WHERE id = $1 AND (tenant = $2 OR $2 IS NULL) AND ended_at IS NULL
         AND until_at > $3 RETURNING tenant, until_at",
        table(kind)
    );
    sqlx::query_as(AssertSqlSafe(query))
        .bind(id)
        .bind(tenant.map(TenantId::as_str))
        .bind(millis(now))
        .fetch_optional(tx)
        .await
}

fn overlay(kind: OverlayKind, row: &SqliteRow) -> Result<Overlay, StoreError> {
    let tenant: String = row.try_get("tenant")?;
    let ended_at: Option<i64> = row.try_get("ended_at")?;
    Ok(Overlay {
        kind,
        id: row.try_get("id")?,
        tenant: TenantId::parse(&tenant).map_err(super::tickets::unreadable)?,
        matchers: Matchers {
            client: row.try_get("client")?,
            ticket: row.try_get("ticket")?,
            priority: row.try_get("priority")?,
            technician: row.try_get("technician")?,
        },
        from: instant(row.try_get("from_at")?)?,
        until: instant(row.try_get("until_at")?)?,
        author: row.try_get("author")?,
        reason: row.try_get("reason")?,
        ended_at: ended_at.map(instant).transpose()?,
    })
}
