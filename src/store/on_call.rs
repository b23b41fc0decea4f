//! The stored overrides of on-call rotations. Every change adds a row to the audit log, in the same transaction.

use chrono::{DateTime, Utc};

use super::audit::{Author, audit};
use super::{Store, StoreError, instant, millis};
use crate::alert::on_call::{Override, Person};
use crate::store::sealed::PERSON;
use crate::store::sql::{self, Connection};
use crate::ticket::TenantId;

/// An override, with who made it and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverrideRow {
    pub stand_in: Override,
    pub made_by: String,
    pub made_at: DateTime<Utc>,
}

/// A request for an override.
#[derive(Clone, Debug)]
pub struct NewOverride {
    pub rotation: String,
    /// The tenant of the rotation, if it is for one alone.
    pub tenant: Option<TenantId>,
    pub person: Person,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    /// Who would be on call without it, for the audit log.
    pub before: Vec<String>,
}

type Row = (i64, String, String, i64, i64, String, i64);

impl Store {
    /// Returns the overrides that have not ended by `now`, the earliest made first.
    pub async fn overrides_from(&self, now: DateTime<Utc>) -> Result<Vec<Override>, StoreError> {
        Ok(self.override_rows_from(now).await?.into_iter().map(|row| row.stand_in).collect())
    }

    /// Returns the same as [`Store::overrides_from`], with who made them.
    pub async fn override_rows_from(&self, now: DateTime<Utc>) -> Result<Vec<OverrideRow>, StoreError> {
        let rows: Vec<Row> = sql::query_as(
            "SELECT id, rotation, person, from_time, until_time, made_by, made_at FROM on_call_overrides
             WHERE until_time > $1 ORDER BY id",
        )
        .bind(millis(now))
        .fetch_all(&self.reads)
        .await?;
        rows.into_iter().map(row).collect()
    }

    /// Stores an override; an identical one that exists already is returned instead.
    pub async fn add_override(
        &self,
        new: NewOverride,
        author: Author,
        now: DateTime<Utc>,
    ) -> Result<OverrideRow, StoreError> {
        let made = self
            .writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    if let Some(same) = same_override(tx, &new).await? {
                        return Ok(same);
                    }
                    let made: Row = sql::query_as(
                        "INSERT INTO on_call_overrides (rotation, person, from_time, until_time, made_by, made_at)
                         VALUES ($1, $2, $3, $4, $5, $6)
                         RETURNING id, rotation, person, from_time, until_time, made_by, made_at",
                    )
                    .bind(&new.rotation)
                    .bind(PERSON.word(new.person.text()))
                    .bind(millis(new.from))
                    .bind(millis(new.until))
                    .bind(&author.who)
                    .bind(millis(now))
                    .fetch_one(&mut *tx)
                    .await?;
                    let (from, until) = (new.from.to_rfc3339(), new.until.to_rfc3339());
                    let (person, before) = (new.person.text(), in_place_of(&new.before));
                    let what = format!(
                        "override {} of on-call {} from {from} until {until}: {person}{before}",
                        made.0, new.rotation
                    );
                    audit(tx, new.tenant.as_ref(), &what, &author, now).await?;
                    Ok(made)
                })
            })
            .await?;
        row(made)
    }

    /// Removes an override; `after` names who is on call then. False if there was none.
    pub async fn remove_override(
        &self,
        id: i64,
        tenant: Option<TenantId>,
        after: Vec<String>,
        author: Author,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let remove = "DELETE FROM on_call_overrides WHERE id = $1 RETURNING rotation, person";
                    let removed: Option<(String, String)> =
                        sql::query_as(remove).bind(id).fetch_optional(&mut *tx).await?;
                    let Some((rotation, person)) = removed else { return Ok(false) };
                    let what = format!(
                        "took back on-call override {id} of {rotation}: {}{}",
                        listed(&after),
                        in_place_of(&[person])
                    );
                    audit(tx, tenant.as_ref(), &what, &author, now).await?;
                    Ok(true)
                })
            })
            .await
    }
}

/// Finds an identical override: somebody may press the button twice.
async fn same_override(tx: &mut Connection, new: &NewOverride) -> Result<Option<Row>, sql::Error> {
    let same = sql::query_as(
        "SELECT id, rotation, person, from_time, until_time, made_by, made_at FROM on_call_overrides
         WHERE until_time = $1 AND from_time = $2 AND rotation = $3
         AND person IN (SELECT value FROM json_each($4)) ORDER BY id LIMIT 1",
    );
    let same = same.bind(millis(new.until)).bind(millis(new.from)).bind(&new.rotation);
    same.bind(PERSON.any_of([new.person.text()])).fetch_optional(tx).await
}

fn listed(people: &[String]) -> String {
    if people.is_empty() { "nobody".to_owned() } else { people.join(", ") }
}

fn in_place_of(people: &[String]) -> String {
    format!(" in place of {}", listed(people))
}

fn row((id, rotation, person, from, until, made_by, made_at): Row) -> Result<OverrideRow, StoreError> {
    let stand_in = Override {
        id: id.to_string(),
        rotation,
        person: Person::parse(&person),
        from: instant(from)?,
        until: instant(until)?,
    };
    Ok(OverrideRow { stand_in, made_by, made_at: instant(made_at)? })
}
