//! Frozen statements on uptime promises, and what became of the credits.

use std::collections::BTreeSet;

use super::audit::{Author, audit};
use super::sql::{self, Connection, Row};
use super::{Store, StoreError, instant};
use crate::keys::{hash_of, id_of};
use crate::ticket::{Reach, TenantId};
use crate::uptime::statement::Statement;
use crate::uptime::{DAY, Millis};

/// How long statements are kept: questions about money come up for years.
pub const STATEMENTS_KEPT: Millis = 3650 * DAY;
/// How many are read at a time.
const AT_ONCE: usize = 500;

/// The state of a credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreditState {
    /// Nothing is owed.
    None,
    Proposed,
    Approved,
    Issued,
    Waived,
}

impl CreditState {
    pub const ALL: [Self; 5] = [Self::None, Self::Proposed, Self::Approved, Self::Issued, Self::Waived];

    /// The name used in the store and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Proposed => "proposed",
            Self::Approved => "approved",
            Self::Issued => "issued",
            Self::Waived => "waived",
        }
    }

    /// Reads the name that [`CreditState::as_str`] gives.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }

    /// The states that can change into this one.
    pub fn follows(self) -> &'static [Self] {
        match self {
            Self::None | Self::Proposed => &[],
            Self::Approved => &[Self::Proposed],
            Self::Issued => &[Self::Approved],
            Self::Waived => &[Self::Proposed, Self::Approved],
        }
    }
}

/// A statement with the state of its credit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frozen {
    pub id: String,
    pub statement: Statement,
    pub sha256: String,
    pub frozen_at: Millis,
    pub credit: CreditState,
    pub decided_by: Option<String>,
    pub decided_at: Option<Millis>,
    pub note: Option<String>,
}

impl Store {
    /// Freezes `statements`; one that is frozen already stays as it is.
    pub async fn freeze_statements(&self, statements: Vec<Statement>, now: Millis) -> Result<(), StoreError> {
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    for one in &statements {
                        freeze(tx, one, now).await?;
                    }
                    let old = sql::query("DELETE FROM uptime_statements WHERE until_at < $1");
                    old.bind(now - STATEMENTS_KEPT).execute(tx).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Returns the ids of the frozen statements whose periods ended after `after`.
    pub async fn frozen_statement_ids(&self, after: Millis) -> Result<BTreeSet<String>, StoreError> {
        let ids = sql::query_scalar::<String>("SELECT id FROM uptime_statements WHERE until_at > $1 ORDER BY until_at");
        Ok(ids.bind(after).fetch_all(&self.reads).await?.into_iter().collect())
    }

    /// Returns the statement with this id, if it is within `reach`.
    pub async fn statement(&self, reach: &Reach, id: &str) -> Result<Option<Frozen>, StoreError> {
        let row = sql::query(
            "SELECT id, body, sha256, frozen_at, credit, decided_by, decided_at, note FROM uptime_statements
             WHERE id = $1 AND tenant = COALESCE($2, tenant)",
        );
        let row = row.bind(id).bind(reach.as_str()).fetch_optional(&self.reads).await?;
        Ok(row.as_ref().map(frozen).transpose()?.flatten())
    }

    /// Returns the statements within `reach` that `meant` accepts, the latest period first.
    pub async fn statements(
        &self,
        reach: &Reach,
        meant: impl Fn(&Frozen) -> bool + Send,
    ) -> Result<Vec<Frozen>, StoreError> {
        let (mut all, mut last) = (Vec::new(), (i64::MAX, String::new()));
        loop {
            let rows = sql::query(
                "SELECT id, body, sha256, frozen_at, credit, decided_by, decided_at, note, until_at
                 FROM uptime_statements WHERE until_at <= $2 AND (until_at < $2 OR id > $3)
                 AND tenant = COALESCE($1, tenant) ORDER BY until_at DESC, id LIMIT $4",
            );
            let rows = rows.bind(reach.as_str()).bind(last.0).bind(&last.1);
            let rows = rows.bind(i64::try_from(AT_ONCE).unwrap_or(i64::MAX)).fetch_all(&self.reads).await?;
            for row in &rows {
                all.extend(frozen(row)?.filter(&meant));
                last = (row.try_get("until_at")?, row.try_get("id")?);
            }
            if rows.len() < AT_ONCE {
                return Ok(all);
            }
        }
    }

    /// Decides on a credit; false if it is no longer in the expected state. Without a `note`, the earlier one stays.
    pub async fn decide_credit(
        &self,
        one: Frozen,
        becomes: CreditState,
        note: Option<String>,
        author: Author,
        now: Millis,
    ) -> Result<bool, StoreError> {
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let change = sql::query(
                        "UPDATE uptime_statements SET credit = $2, decided_by = $3, decided_at = $4,
                           note = COALESCE($5, note) WHERE id = $1 AND credit = $6",
                    );
                    let change = change.bind(&one.id).bind(becomes.as_str()).bind(&author.who).bind(now).bind(&note);
                    if change.bind(one.credit.as_str()).execute(&mut *tx).await?.rows_affected() == 0 {
                        return Ok(false);
                    }
                    let whose = &one.statement.whose;
                    let what = format!(
                        "credit for {} in {} was {} and is {}{}",
                        whose.component,
                        one.statement.period,
                        one.credit.as_str(),
                        becomes.as_str(),
                        note.map(|note| format!(": {note}")).unwrap_or_default(),
                    );
                    let decode = |error: Box<dyn std::error::Error + Send + Sync>| sql::Error::Decode(error);
                    let tenant = TenantId::parse(&whose.tenant).map_err(|error| decode(error.into()))?;
                    let at = instant(now).map_err(|error| decode(error.into()))?;
                    audit(tx, Some(&tenant), &what, &author, at).await?;
                    Ok(true)
                })
            })
            .await
    }
}

async fn freeze(tx: &mut Connection, one: &Statement, now: Millis) -> Result<(), sql::Error> {
    let body = serde_json::to_string(one).map_err(|error| sql::Error::Encode(error.into()))?;
    let sha256 = hash_of(&body);
    let credit = if one.owes() { CreditState::Proposed } else { CreditState::None };
    sql::query(
        "INSERT INTO uptime_statements (id, tenant, component, until_at, body, sha256, frozen_at, credit)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING",
    )
    .bind(id_of(&one.key()))
    .bind(&one.whose.tenant)
    .bind(&one.whose.component)
    .bind(one.until)
    .bind(&body)
    .bind(&sha256)
    .bind(now)
    .bind(credit.as_str())
    .execute(tx)
    .await?;
    Ok(())
}

/// Returns none for a statement of a later version, which this one cannot read.
pub(super) fn frozen(row: &Row) -> Result<Option<Frozen>, sql::Error> {
    let body: String = row.try_get("body")?;
    let Ok(statement) = serde_json::from_str(&body) else { return Ok(None) };
    let credit: String = row.try_get("credit")?;
    Ok(Some(Frozen {
        id: row.try_get("id")?,
        statement,
        sha256: row.try_get("sha256")?,
        frozen_at: row.try_get("frozen_at")?,
        credit: CreditState::parse(&credit).unwrap_or(CreditState::None),
        decided_by: row.try_get("decided_by")?,
        decided_at: row.try_get("decided_at")?,
        note: row.try_get("note")?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sla::zone::Tz;
    use crate::uptime::availability::{Record, Terms, UnknownTime};
    use crate::uptime::days::Period;
    use crate::uptime::statement::{Agreed, Whose};

    /// Makes a statement on a component about which nothing is known, for the month around `at`.
    fn statement(component: usize, at: Millis) -> Statement {
        let terms = Terms::usual(99_900, Tz::UTC);
        let agreed = Agreed {
            target: terms.target,
            tiers: crate::uptime::credit::USUAL.to_vec(),
            fee: None,
            unknown: UnknownTime::default(),
            notice: 0,
            maintenance: None,
            partial: 0,
            whole_minutes: false,
            round_the_clock: true,
            hours: None,
        };
        let (tenant, component) = ("acme".to_owned(), format!("c{component}"));
        let whose = Whose { tenant, name: component.clone(), component, client: None };
        let record = Record { spans: &[], windows: &[], slow: &[], since: 0, ended: None };
        Statement::make(whose, &record, &terms, agreed, Period::Month, Period::Month.around(Tz::UTC, at))
    }

    #[tokio::test]
    async fn every_statement_is_found_however_many_there_are() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("sla.db"), std::sync::Arc::default()).await.unwrap();
        let (old, new) = (400 * DAY, 440 * DAY);
        let made = (0..1100).map(|component| statement(component, if component < 3 { old } else { new }));
        store.freeze_statements(made.collect(), new).await.unwrap();
        let all = store.statements(&Reach::All, |_| true).await.unwrap();
        let ids: BTreeSet<_> = all.iter().map(|one| &one.id).collect();
        assert_eq!((all.len(), ids.len()), (1100, 1100));
        assert!(all.is_sorted_by_key(|one| -one.statement.until), "the latest period first");
        let period = statement(0, old).period;
        assert_eq!(store.statements(&Reach::All, |one| one.statement.period == period).await.unwrap().len(), 3);
    }

    #[tokio::test]
    async fn what_was_noted_on_approval_stays_when_the_credit_is_issued_without_a_note() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("sla.db"), std::sync::Arc::default()).await.unwrap();
        store.freeze_statements(vec![statement(0, 400 * DAY)], 440 * DAY).await.unwrap();
        let author = Author { who: "mia".to_owned(), origin: "command line".to_owned() };
        for (becomes, note) in [(CreditState::Approved, Some("as agreed")), (CreditState::Issued, None)] {
            let one = store.statements(&Reach::All, |_| true).await.unwrap().remove(0);
            let note = note.map(str::to_owned);
            assert!(store.decide_credit(one, becomes, note, author.clone(), 440 * DAY).await.unwrap());
        }
        let one = store.statements(&Reach::All, |_| true).await.unwrap().remove(0);
        assert_eq!((one.credit, one.note.as_deref()), (CreditState::Issued, Some("as agreed")));
    }
}
