//! What is stored about phones: the short codes that stand for alerts, whose owners said STOP, and which replies were
//! dealt with.

use chrono::{DateTime, TimeDelta, Utc};

use super::audit::{Author, audit};
use super::{Store, StoreError, instant, millis};
use crate::store::sealed::{OWNER, PHONE};
use crate::store::sql::{self, Connection};

/// The highest code: two digits are easy to type correctly.
const HIGHEST_CODE: i64 = 99;
/// How long a reply is remembered; the provider repeats one for hours at most.
const REPLIES_REMEMBERED: TimeDelta = TimeDelta::days(7);

/// What a code on a phone stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coded {
    pub code: u8,
    pub alert_key: String,
    /// The last message that carried the code.
    pub notification: String,
}

/// A phone whose owner wants no text messages.
#[derive(Clone, PartialEq, Eq)]
pub struct StoppedPhone {
    pub phone: String,
    pub since: DateTime<Utc>,
    pub who: String,
}

/// Whether a reply is new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    New,
    /// It was dealt with or is being dealt with; this was the answer.
    Seen {
        answer: String,
    },
}

impl Store {
    /// Returns the code that stands for `alert` on `phone`; none if its owner said STOP. An alert keeps its code; a new
    /// one gets the lowest that was never used there, or else the one that was given out longest ago.
    pub async fn sms_code(
        &self,
        phone: &str,
        alert: &str,
        notification: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<u8>, StoreError> {
        let (phone, alert, notification) = (phone.to_owned(), alert.to_owned(), notification.to_owned());
        let code: Option<i64> = self
            .writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    if is_stopped(tx, &phone).await? {
                        return Ok(None);
                    }
                    let code = code_for(tx, &phone, &alert).await?;
                    let before = sql::query(
                        "DELETE FROM sms_codes WHERE phone IN (SELECT value FROM json_each($1))
                         AND (code = $2 OR alert_key = $3)",
                    );
                    before.bind(PHONE.any_of([phone.as_str()])).bind(code).bind(&alert).execute(&mut *tx).await?;
                    sql::query(
                        "INSERT INTO sms_codes (phone, code, alert_key, notification, given_at)
                         VALUES ($1, $2, $3, $4, $5)",
                    )
                    .bind(PHONE.word(phone))
                    .bind(code)
                    .bind(alert)
                    .bind(notification)
                    .bind(millis(now))
                    .execute(tx)
                    .await?;
                    Ok(Some(code))
                })
            })
            .await?;
        Ok(code.and_then(|code| u8::try_from(code).ok()))
    }

    /// Returns what `code` stands for on `phone`; without a code, the alert that it was told of last.
    pub async fn coded(&self, phone: &str, code: Option<u8>) -> Result<Option<Coded>, StoreError> {
        let row: Option<(i64, String, String)> = sql::query_as(
            "SELECT code, alert_key, notification FROM sms_codes
             WHERE phone IN (SELECT value FROM json_each($1)) AND (code = $2 OR $2 IS NULL)
             ORDER BY given_at DESC, code LIMIT 1",
        )
        .bind(PHONE.any_of([phone]))
        .bind(code.map(i64::from))
        .fetch_optional(&self.reads)
        .await?;
        Ok(row.and_then(|(code, alert_key, notification)| {
            Some(Coded { code: u8::try_from(code).ok()?, alert_key, notification })
        }))
    }

    /// When the alert of `notification` escalates to its next step; for a bundle, the earliest of its alerts.
    pub async fn next_step_of(&self, notification: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
        let next: Option<i64> = sql::query_scalar(
            "SELECT MIN(next_step_at) FROM alerts WHERE state = 'open'
             AND key IN (SELECT alert_key FROM notifications WHERE key = $1 OR bundle = $1)",
        )
        .bind(notification)
        .fetch_one(&self.reads)
        .await?;
        next.map(instant).transpose()
    }

    /// Returns the alerts that the bundle of `key` told of. A bundle reported lost may have been heard after all, as an
    /// answer to it shows.
    pub async fn alerts_of_bundle(&self, key: &str) -> Result<Vec<String>, StoreError> {
        let keys = sql::query_scalar(
            "SELECT DISTINCT alert_key FROM notifications WHERE bundle = $1 AND kind = 'alert'
             AND state IN ('bundled', 'sent', 'failed') ORDER BY alert_key",
        );
        Ok(keys.bind(key).fetch_all(&self.reads).await?)
    }

    /// Whether the owner of `phone` said STOP.
    pub async fn phone_stopped(&self, phone: &str) -> Result<bool, StoreError> {
        Ok(sql::query_scalar(IS_STOPPED).bind(PHONE.any_of([phone])).fetch_one(&self.reads).await?)
    }

    /// Returns all phones whose owners said STOP, the earliest first.
    pub async fn stopped_phones(&self) -> Result<Vec<StoppedPhone>, StoreError> {
        let rows: Vec<(String, i64, String)> =
            sql::query_as("SELECT phone, since, who FROM stopped_phones ORDER BY since").fetch_all(&self.reads).await?;
        rows.into_iter().map(|(phone, since, who)| Ok(StoppedPhone { phone, since: instant(since)?, who })).collect()
    }

    /// Stops text messages to `phone`. False if they were stopped already.
    pub async fn stop_phone(&self, phone: &str, author: Author, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let phone = phone.to_owned();
        self.writer
            .write(move |tx: &mut Connection| Box::pin(async move { stop(tx, &phone, &author, now).await }))
            .await
    }

    /// Resumes text messages to `phone`. False if they were not stopped.
    pub async fn start_phone(&self, phone: &str, author: Author, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let phone = phone.to_owned();
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let gone =
                        sql::query("DELETE FROM stopped_phones WHERE phone IN (SELECT value FROM json_each($1))");
                    let gone = gone.bind(PHONE.any_of([phone]));
                    let gone = gone.execute(&mut *tx).await?.rows_affected();
                    changed(tx, gone, "wants text messages again (START)", &author, now).await
                })
            })
            .await
    }

    /// Claims the reply that the provider calls `sid`, unless that was done before.
    pub async fn take_up_reply(&self, sid: &str, now: DateTime<Utc>) -> Result<Reply, StoreError> {
        let sid = sid.to_owned();
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let old = sql::query("DELETE FROM sms_replies WHERE at < $1");
                    old.bind(millis(now - REPLIES_REMEMBERED)).execute(&mut *tx).await?;
                    let taken = sql::query("INSERT INTO sms_replies (sid, at) VALUES ($1, $2) ON CONFLICT DO NOTHING");
                    if taken.bind(&sid).bind(millis(now)).execute(&mut *tx).await?.rows_affected() == 1 {
                        return Ok(Reply::New);
                    }
                    let answer = sql::query_scalar("SELECT COALESCE(answer, '') FROM sms_replies WHERE sid = $1");
                    Ok(Reply::Seen { answer: answer.bind(sid).fetch_one(tx).await? })
                })
            })
            .await
    }

    /// Stores the answer to the reply `sid`; without an answer its handling failed, and it may come again.
    pub async fn end_reply(&self, sid: &str, answer: Option<&str>) -> Result<(), StoreError> {
        let (sid, answer) = (sid.to_owned(), answer.map(str::to_owned));
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let ended = match answer {
                        Some(answer) => {
                            sql::query("UPDATE sms_replies SET answer = $2 WHERE sid = $1").bind(sid).bind(answer)
                        }
                        None => sql::query("DELETE FROM sms_replies WHERE sid = $1").bind(sid),
                    };
                    ended.execute(tx).await.map(drop)
                })
            })
            .await
    }

    /// Adds a row to the audit log.
    pub async fn note(&self, what: &'static str, author: Author, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.writer
            .write(move |tx: &mut Connection| Box::pin(async move { audit(tx, None, what, &author, now).await }))
            .await
    }
}

/// Does the work of [`Store::stop_phone`] in a transaction.
pub(super) async fn stop(
    tx: &mut Connection,
    phone: &str,
    author: &Author,
    now: DateTime<Utc>,
) -> Result<bool, sql::Error> {
    if is_stopped(tx, phone).await? {
        return Ok(false);
    }
    let stopped =
        sql::query("INSERT INTO stopped_phones (phone, since, who) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
            .bind(PHONE.word(phone))
            .bind(millis(now))
            .bind(OWNER.word(author.who.as_str()))
            .execute(&mut *tx)
            .await?;
    changed(tx, stopped.rows_affected(), "wants no more text messages (STOP)", author, now).await
}

async fn changed(
    tx: &mut Connection,
    rows: u64,
    what: &str,
    author: &Author,
    now: DateTime<Utc>,
) -> Result<bool, sql::Error> {
    if rows > 0 {
        audit(tx, None, what, author, now).await?;
    }
    Ok(rows > 0)
}

const IS_STOPPED: &str =
    "SELECT EXISTS (SELECT 1 FROM stopped_phones WHERE phone IN (SELECT value FROM json_each($1)))";

async fn is_stopped(tx: &mut Connection, phone: &str) -> Result<bool, sql::Error> {
    sql::query_scalar(IS_STOPPED).bind(PHONE.any_of([phone])).fetch_one(tx).await
}

async fn code_for(tx: &mut Connection, phone: &str, alert: &str) -> Result<i64, sql::Error> {
    let own = sql::query_scalar(
        "SELECT code FROM sms_codes WHERE phone IN (SELECT value FROM json_each($1)) AND alert_key = $2",
    );
    if let Some(code) = own.bind(PHONE.any_of([phone])).bind(alert).fetch_optional(&mut *tx).await? {
        return Ok(code);
    }
    let highest = sql::query_scalar(
        "SELECT COALESCE(MAX(code), 0) FROM sms_codes WHERE phone IN (SELECT value FROM json_each($1))",
    );
    let highest: i64 = highest.bind(PHONE.any_of([phone])).fetch_one(&mut *tx).await?;
    if highest < HIGHEST_CODE {
        return Ok(highest + 1);
    }
    let oldest = sql::query_scalar(
        "SELECT code FROM sms_codes WHERE phone IN (SELECT value FROM json_each($1)) ORDER BY given_at, code LIMIT 1",
    );
    oldest.bind(PHONE.any_of([phone])).fetch_one(tx).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const PHONE: &str = "+15005550101";

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + 60 * minute, 0).unwrap()
    }

    async fn store(folder: &tempfile::TempDir) -> Store {
        Store::open(&folder.path().join("sla.db"), Arc::default()).await.unwrap()
    }

    fn mia() -> Author {
        Author { who: "Mia".into(), origin: "sms".into() }
    }

    #[tokio::test]
    async fn codes_are_small_kept_by_their_alert_and_given_again_oldest_first() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let code =
            async |phone: &str, alert: &str, minute| store.sms_code(phone, alert, "n", at(minute)).await.unwrap();
        for number in 1..=99 {
            assert_eq!(code(PHONE, &format!("alert {number}"), i64::from(number)).await, Some(number));
        }
        assert_eq!(code("+15005550102", "alert 7", 0).await, Some(1), "each phone counts for itself");
        assert_eq!(code(PHONE, "alert 1", 100).await, Some(1), "the same alert again");
        assert_eq!(code(PHONE, "alert 100", 101).await, Some(2), "the one given longest ago");
        assert_eq!(store.coded(PHONE, Some(2)).await.unwrap().unwrap().alert_key, "alert 100");
        assert_eq!(store.coded(PHONE, Some(1)).await.unwrap().unwrap().alert_key, "alert 1");
        assert_eq!(store.coded(PHONE, None).await.unwrap().unwrap().alert_key, "alert 100", "the latest");
        assert_eq!(store.coded("+15005550103", None).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_phone_that_said_stop_gets_no_code_until_it_says_start() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        assert!(store.stop_phone(PHONE, mia(), at(0)).await.unwrap());
        assert!(!store.stop_phone(PHONE, mia(), at(1)).await.unwrap(), "a second time changes nothing");
        assert_eq!(store.sms_code(PHONE, "a", "n", at(2)).await.unwrap(), None);
        assert_eq!(store.stopped_phones().await.unwrap()[0].since, at(0));
        assert!(store.start_phone(PHONE, mia(), at(3)).await.unwrap());
        assert!(!store.start_phone(PHONE, mia(), at(3)).await.unwrap());
        assert_eq!(store.sms_code(PHONE, "a", "n", at(4)).await.unwrap(), Some(1));
        let audited: i64 = sql::query_scalar("SELECT COUNT(*) FROM audit").fetch_one(&store.reads).await.unwrap();
        assert_eq!(audited, 2);
    }

    #[tokio::test]
    async fn a_reply_is_taken_up_once_and_again_only_if_it_came_to_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let take_up = async || store.take_up_reply("SM1", at(0)).await.unwrap();
        assert_eq!(take_up().await, Reply::New);
        assert_eq!(take_up().await, Reply::Seen { answer: String::new() }, "while it is being dealt with");
        store.end_reply("SM1", None).await.unwrap();
        assert_eq!(take_up().await, Reply::New);
        store.end_reply("SM1", Some("done")).await.unwrap();
        assert_eq!(take_up().await, Reply::Seen { answer: "done".into() });
    }
}
