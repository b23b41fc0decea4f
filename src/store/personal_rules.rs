//! The stored personal rules. Every change adds a row to the audit log, in the same transaction.

use chrono::{DateTime, Utc};

use super::audit::{Author, audit};
use super::{Store, StoreError, instant, millis};
use crate::store::sealed::{PERSON, WISHES};
use crate::store::sql::{self, Connection, Row};
use crate::ticket::TenantId;

/// The most people whose rules are read, the first by id: far more than a desk has.
const MOST: i64 = 2_000;

/// The rules of one person, as they were set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonalRow {
    /// The email address, in lower case.
    pub person: String,
    /// In the format of the configuration, as JSON.
    pub rules: String,
    pub set_by: String,
    pub set_at: DateTime<Utc>,
}

impl PersonalRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            person: row.try_get("person")?,
            rules: row.try_get("rules")?,
            set_by: row.try_get("set_by")?,
            set_at: instant(row.try_get("set_at")?)?,
        })
    }
}

/// A change of one person's rules.
#[derive(Clone, Debug)]
pub struct PersonalChange {
    pub person: String,
    /// None to remove them.
    pub rules: Option<String>,
    /// The tenant that it concerns, if it is only one.
    pub tenant: Option<TenantId>,
    /// For the audit log.
    pub what: String,
}

impl Store {
    /// Returns all personal rules, by address.
    pub async fn personal_rules(&self) -> Result<Vec<PersonalRow>, StoreError> {
        let rows = sql::query("SELECT id, person, rules, set_by, set_at FROM personal_rules ORDER BY id LIMIT $1")
            .bind(MOST)
            .fetch_all(&self.reads)
            .await?;
        let mut rules = self.legible("personal rule", "id", &rows, PersonalRow::read)?;
        // By the readable addresses, not the stored ones.
        rules.sort_by(|a, b| a.person.cmp(&b.person));
        Ok(rules)
    }

    /// Replaces somebody's rules. False if there were none to remove.
    pub async fn set_personal_rules(
        &self,
        change: PersonalChange,
        author: Author,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let forget =
                        sql::query("DELETE FROM personal_rules WHERE person IN (SELECT value FROM json_each($1))");
                    let forget = forget.bind(PERSON.any_of([change.person.as_str()]));
                    let forgotten = forget.execute(&mut *tx).await?.rows_affected();
                    if forgotten == 0 && change.rules.is_none() {
                        return Ok(false);
                    }
                    if let Some(rules) = &change.rules {
                        sql::query(
                            "INSERT INTO personal_rules (person, rules, set_by, set_at) VALUES ($1, $2, $3, $4)",
                        )
                        .bind(PERSON.word(change.person.as_str()))
                        .bind(WISHES.word(rules.as_str()))
                        .bind(&author.who)
                        .bind(millis(now))
                        .execute(&mut *tx)
                        .await?;
                    }
                    audit(tx, change.tenant.as_ref(), &change.what, &author, now).await?;
                    Ok(true)
                })
            })
            .await
    }
}
