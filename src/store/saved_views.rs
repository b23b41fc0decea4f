//! Stored views of the ticket list. Every change adds a row to the audit log, in the same transaction.

use chrono::{DateTime, Utc};

use super::audit::{Author, audit};
use super::{Store, StoreError, instant, millis};
use crate::store::sql::{self, Connection};
use crate::ticket::{Reach, TenantId};

/// The most views of one owner, and the most shared ones of one tenant: nobody could find more again.
pub const MOST: i64 = 100;
/// The most shared views in one answer, over all tenants.
const MOST_SHARED: i64 = 1_000;
/// The most views in all, including those of tokens long gone; beyond that, the oldest are deleted.
const MOST_KEPT: i64 = 20_000;

/// Who owns a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The token or the person with this id.
    One(String),
    /// Everybody with this reach.
    Shared(Reach),
}

impl Owner {
    /// Returns the id and the tenant as stored in the row.
    fn columns(&self) -> (&str, &str) {
        match self {
            Self::One(id) => (id, ""),
            Self::Shared(reach) => ("", reach.as_str().unwrap_or_default()),
        }
    }

    fn read(owner: String, tenant: &str) -> Self {
        match TenantId::parse(tenant) {
            _ if !owner.is_empty() => Self::One(owner),
            Ok(tenant) => Self::Shared(Reach::One(tenant)),
            Err(_) => Self::Shared(Reach::All),
        }
    }

    fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::One(_) => None,
            Self::Shared(reach) => reach.tenant(),
        }
    }
}

/// A view as it was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedView {
    pub id: i64,
    pub owner: Owner,
    pub name: String,
    /// As JSON.
    pub filters: String,
    pub made_by: String,
    pub made_at: DateTime<Utc>,
}

type Row = (i64, String, String, String, String, String, i64);

impl Store {
    /// Returns the views of `owner` and all shared ones, by name.
    pub async fn saved_views(&self, owner: &str) -> Result<Vec<SavedView>, StoreError> {
        let mut views = Vec::new();
        for (owner, most) in [(owner, MOST), ("", MOST_SHARED)] {
            let rows: Vec<Row> = sql::query_as(
                "SELECT id, owner, tenant, name, filters, made_by, made_at FROM saved_views WHERE owner = $1
                 ORDER BY tenant, name, id LIMIT $2",
            )
            .bind(owner)
            .bind(most)
            .fetch_all(&self.reads)
            .await?;
            views.extend(rows.into_iter().map(read).collect::<Result<Vec<_>, _>>()?);
        }
        Ok(views)
    }

    /// Saves a view, replacing the one that its owner has under this name. None if they have too many already.
    pub async fn save_view(
        &self,
        owner: Owner,
        name: String,
        filters: String,
        author: Author,
        now: DateTime<Utc>,
    ) -> Result<Option<SavedView>, StoreError> {
        let row = self
            .writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let (id, tenant) = owner.columns();
                    sql::query("DELETE FROM saved_views WHERE owner = $1 AND tenant = $2 AND name = $3")
                        .bind(id)
                        .bind(tenant)
                        .bind(&name)
                        .execute(&mut *tx)
                        .await?;
                    let known: i64 =
                        sql::query_scalar("SELECT COUNT(*) FROM saved_views WHERE owner = $1 AND tenant = $2")
                            .bind(id)
                            .bind(tenant)
                            .fetch_one(&mut *tx)
                            .await?;
                    if known >= MOST {
                        return Ok(None);
                    }
                    let row: Row = sql::query_as(
                        "INSERT INTO saved_views (owner, tenant, name, filters, made_by, made_at)
                         VALUES ($1, $2, $3, $4, $5, $6)
                         RETURNING id, owner, tenant, name, filters, made_by, made_at",
                    )
                    .bind(id)
                    .bind(tenant)
                    .bind(&name)
                    .bind(&filters)
                    .bind(&author.who)
                    .bind(millis(now))
                    .fetch_one(&mut *tx)
                    .await?;
                    sql::query("DELETE FROM saved_views WHERE id <= $1")
                        .bind(row.0 - MOST_KEPT)
                        .execute(&mut *tx)
                        .await?;
                    let what = format!("saved {}view `{name}`", shared(&owner));
                    audit(tx, owner.tenant(), &what, &author, now).await?;
                    Ok(Some(row))
                })
            })
            .await?;
        row.map(read).transpose()
    }

    /// Forgets `view`; false if it was gone already.
    pub async fn forget_view(&self, view: SavedView, author: Author, now: DateTime<Utc>) -> Result<bool, StoreError> {
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let forget = sql::query("DELETE FROM saved_views WHERE id = $1").bind(view.id);
                    if forget.execute(&mut *tx).await?.rows_affected() == 0 {
                        return Ok(false);
                    }
                    let what = format!("forgot {}view `{}`", shared(&view.owner), view.name);
                    audit(tx, view.owner.tenant(), &what, &author, now).await?;
                    Ok(true)
                })
            })
            .await
    }
}

fn shared(owner: &Owner) -> &'static str {
    if matches!(owner, Owner::Shared(_)) { "shared " } else { "" }
}

fn read((id, owner, tenant, name, filters, made_by, made_at): Row) -> Result<SavedView, StoreError> {
    Ok(SavedView { id, owner: Owner::read(owner, &tenant), name, filters, made_by, made_at: instant(made_at)? })
}
