//! Phones that no text message reaches, according to the provider.
//!
//! A number is marked, not a person, so a person with a new number has no mark. A mark ends by itself, when somebody
//! clears it, or when the phone sends us a message.

use chrono::{DateTime, Utc};

use super::audit::{Author, audit};
use super::{Store, StoreError, instant, millis};
use crate::notify::sms::fault_of_number;
use crate::store::sealed::{OWNER, PHONE};
use crate::store::sql::{self, Connection};

/// A phone that no text message reaches.
#[derive(Clone, PartialEq, Eq)]
pub struct UnreachableNumber {
    pub id: i64,
    pub phone: String,
    /// The provider's error.
    pub code: u32,
    pub since: DateTime<Utc>,
    /// When it is tried again.
    pub until: DateTime<Utc>,
    pub who: String,
}

impl UnreachableNumber {
    /// What is wrong with the number, as a predicate: "the number ...".
    pub fn fault(&self) -> &'static str {
        fault_of_number(self.code).map_or("was refused", |fault| fault.words)
    }
}

type Row = (i64, String, u32, i64, i64, String);

impl Store {
    /// Returns the mark on `phone`, if it has one at `now`.
    pub async fn unreachable_number(
        &self,
        phone: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<UnreachableNumber>, StoreError> {
        let row: Option<Row> = sql::query_as(
            "SELECT id, phone, code, since, until, who FROM unreachable_numbers
             WHERE phone IN (SELECT value FROM json_each($1)) AND until > $2",
        )
        .bind(PHONE.any_of([phone]))
        .bind(millis(now))
        .fetch_optional(&self.reads)
        .await?;
        row.map(read).transpose()
    }

    /// Returns all numbers that are marked at `now`, the longest marked first.
    pub async fn unreachable_numbers(&self, now: DateTime<Utc>) -> Result<Vec<UnreachableNumber>, StoreError> {
        let rows: Vec<Row> = sql::query_as(
            "SELECT id, phone, code, since, until, who FROM unreachable_numbers WHERE until > $1 ORDER BY since, id",
        )
        .bind(millis(now))
        .fetch_all(&self.reads)
        .await?;
        rows.into_iter().map(read).collect()
    }

    /// Marks `phone`, which belongs to `who`, because the provider refused it with the error `code`. An error that says
    /// nothing about the number itself leaves no mark.
    pub async fn mark_phone(&self, phone: &str, code: u32, who: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        let (phone, who) = (phone.to_owned(), who.to_owned());
        self.writer
            .write(move |tx: &mut Connection| Box::pin(async move { mark(tx, &phone, code, &who, now).await }))
            .await
    }

    /// Removes the mark `id`. False if there was none.
    pub async fn clear_phone(&self, id: i64, author: Author, now: DateTime<Utc>) -> Result<bool, StoreError> {
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let gone = sql::query("DELETE FROM unreachable_numbers WHERE id = $1").bind(id);
                    let gone = gone.execute(&mut *tx).await?.rows_affected() > 0;
                    if gone {
                        audit(tx, None, &format!("allowed text messages to number {id} again"), &author, now).await?;
                    }
                    Ok(gone)
                })
            })
            .await
    }

    /// Removes the mark from `phone`, because its owner sent us a message.
    pub async fn heard_from(&self, phone: &str) -> Result<(), StoreError> {
        let phone = phone.to_owned();
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move { sql::query(FORGET).bind(PHONE.any_of([phone])).execute(tx).await.map(drop) })
            })
            .await
    }
}

const FORGET: &str = "DELETE FROM unreachable_numbers WHERE phone IN (SELECT value FROM json_each($1))";

/// Does the work of [`Store::mark_phone`] in a transaction. The first mark stands until it ends.
pub(super) async fn mark(
    tx: &mut Connection,
    phone: &str,
    code: u32,
    who: &str,
    now: DateTime<Utc>,
) -> Result<(), sql::Error> {
    let Some(fault) = fault_of_number(code) else { return Ok(()) };
    let stands = sql::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM unreachable_numbers WHERE phone IN (SELECT value FROM json_each($1)) AND until > $2)",
    );
    if stands.bind(PHONE.any_of([phone])).bind(millis(now)).fetch_one(&mut *tx).await? {
        return Ok(());
    }
    sql::query(FORGET).bind(PHONE.any_of([phone])).execute(&mut *tx).await?;
    sql::query("INSERT INTO unreachable_numbers (phone, code, since, until, who) VALUES ($1, $2, $3, $4, $5)")
        .bind(PHONE.word(phone))
        .bind(code)
        .bind(millis(now))
        .bind(millis(now + fault.rests))
        .bind(OWNER.word(who))
        .execute(&mut *tx)
        .await?;
    let author = Author { who: "the SMS provider".to_owned(), origin: "text message".to_owned() };
    let what = format!("refuses the number of {who} with error {code}: not texted for {} days", fault.rests.num_days());
    audit(tx, None, &what, &author, now).await
}

fn read((id, phone, code, since, until, who): Row) -> Result<UnreachableNumber, StoreError> {
    Ok(UnreachableNumber { id, phone, code, since: instant(since)?, until: instant(until)?, who })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::TimeDelta;

    use super::*;

    const PHONE: &str = "+15005550101";

    fn day(day: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::days(day)
    }

    #[tokio::test]
    async fn a_mark_is_on_one_number_and_ends_by_itself_or_when_it_is_cleared() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("sla.db"), Arc::default()).await.unwrap();
        store.mark_phone(PHONE, 30003, "Mia", day(0)).await.unwrap();
        assert_eq!(store.unreachable_numbers(day(0)).await.unwrap().len(), 0, "a phone that is off is none for good");
        store.mark_phone(PHONE, 30006, "Mia", day(0)).await.unwrap();
        store.mark_phone(PHONE, 21614, "Mia", day(1)).await.unwrap();
        let mark = store.unreachable_number(PHONE, day(29)).await.unwrap().unwrap();
        assert_eq!((mark.code, mark.since, mark.until), (30006, day(0), day(30)), "the first one stands");
        assert!(store.unreachable_number("+15005550102", day(1)).await.unwrap().is_none(), "a new number");
        assert!(store.unreachable_number(PHONE, day(30)).await.unwrap().is_none(), "it is tried again");
        store.mark_phone(PHONE, 30005, "Mia", day(30)).await.unwrap();
        assert_eq!(store.unreachable_number(PHONE, day(30)).await.unwrap().unwrap().until, day(37));

        let author = || Author { who: "Ann".into(), origin: "a test".into() };
        let id = store.unreachable_numbers(day(31)).await.unwrap()[0].id;
        assert!(store.clear_phone(id, author(), day(31)).await.unwrap());
        assert!(!store.clear_phone(id, author(), day(31)).await.unwrap());
        store.mark_phone(PHONE, 21211, "Mia", day(32)).await.unwrap();
        store.heard_from(PHONE).await.unwrap();
        assert_eq!(store.unreachable_numbers(day(32)).await.unwrap().len(), 0, "whoever writes can be written to");
    }
}
