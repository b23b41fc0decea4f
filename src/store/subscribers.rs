//! People who want to be told by mail what happens to services, and what they were told.
//!
//! Everyone is asked to confirm first: until then nothing else is sent, and after two days they are forgotten.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::others::tell;
use super::outbox::{NewNotification, enqueue};
use super::{Store, StoreError, millis};
use crate::store::sealed::EMAIL;
use crate::store::sql::{self, Connection};
use crate::uptime::Millis;

/// How long a question waits to be confirmed.
pub const UNCONFIRMED: TimeDelta = TimeDelta::hours(48);
/// How soon after a question the same person is not asked again.
const ASKED_BACK_EVERY: TimeDelta = TimeDelta::minutes(10);
/// The most questions to an address that never confirms.
const ASKS_MOST: i64 = 3;
/// The most open questions, and the most subscribers of one page.
const OPEN_MOST: i64 = 1000;
const SUBSCRIBERS_MOST: i64 = 10_000;
/// How long to remember what was told: far longer than an update is news.
const TOLD_KEPT: TimeDelta = TimeDelta::days(30);
/// How long before the requested time updates are still read as told, and the most of them that are read.
const NEWS: TimeDelta = TimeDelta::days(2);
const UPDATES_MOST: i64 = 10_000;
/// How many mails are stored in one transaction.
const AT_ONCE: usize = 500;

/// A subscriber of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// 32 hex digits.
    pub id: String,
    pub page: String,
    pub email: String,
    /// The components to be told about; empty means all that the page shows.
    pub components: Vec<String>,
}

/// The result of a request to subscribe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscribed {
    /// The question is being sent.
    Asked,
    /// There is nothing to ask: it was confirmed before, or asked a moment ago.
    AsBefore,
    /// There are too many questions or subscribers already.
    Full,
}

type Row = (String, String, String, Option<String>);
/// What is known of somebody who asks again: the id, when they asked, how often, when they confirmed, which components
/// they are told about, and which they have chosen since.
type Known = (String, i64, i64, Option<i64>, Option<String>, Option<String>);

impl Store {
    /// Stores that `wish` is to be confirmed, and sends `question`, which is made for the id that it has from then on.
    pub async fn subscribe(
        &self,
        wish: Subscriber,
        question: impl FnOnce(String) -> NewNotification + Send + 'static,
        now: DateTime<Utc>,
    ) -> Result<Subscribed, StoreError> {
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let known: Option<Known> = sql::query_as(
                        "SELECT id, asked_at, asks, confirmed_at, components, wanted FROM subscribers
                         WHERE page = $1 AND email IN (SELECT value FROM json_each($2))",
                    )
                    .bind(&wish.page)
                    .bind(EMAIL.any_of([wish.email.as_str()]))
                    .fetch_optional(&mut *tx)
                    .await?;
                    let id = match known {
                        Some((id, _, _, Some(_), told, _)) if chosen(told.as_deref()) == wish.components => {
                            want(tx, &id, None).await?;
                            return Ok(Subscribed::AsBefore);
                        }
                        // The link that was sent confirms the last choice. After it was followed, another is needed.
                        Some((id, asked_at, asks, confirmed, _, wanted))
                            if asks >= ASKS_MOST
                                || (confirmed.is_none() || wanted.is_some())
                                    && asked_at > millis(now - ASKED_BACK_EVERY) =>
                        {
                            want(tx, &id, Some(as_json(&wish.components))).await?;
                            return Ok(Subscribed::AsBefore);
                        }
                        Some((id, ..)) => {
                            let again = sql::query(
                                "UPDATE subscribers SET asked_at = $2, asks = asks + 1, wanted = $3 WHERE id = $1",
                            );
                            let again = again.bind(&id).bind(millis(now)).bind(as_json(&wish.components));
                            again.execute(&mut *tx).await?;
                            id
                        }
                        None if is_full(tx, &wish.page).await? => return Ok(Subscribed::Full),
                        None => {
                            sql::query(
                                "INSERT INTO subscribers (id, page, email, asked_at, asks, components)
                                 VALUES ($1, $2, $3, $4, 1, $5)",
                            )
                            .bind(&wish.id)
                            .bind(&wish.page)
                            .bind(EMAIL.word(wish.email.as_str()))
                            .bind(millis(now))
                            .bind(as_json(&wish.components))
                            .execute(&mut *tx)
                            .await?;
                            wish.id
                        }
                    };
                    let question = question(id);
                    tell(tx, &question.tenant).await?;
                    enqueue(tx, &[question]).await?;
                    Ok(Subscribed::Asked)
                })
            })
            .await
    }

    /// Confirms `id`, who is told from now on. None if nobody with that id has asked, or not recently.
    pub async fn confirm_subscriber(&self, id: &str, now: DateTime<Utc>) -> Result<Option<Subscriber>, StoreError> {
        let id = id.to_owned();
        let row: Option<Row> = self
            .writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let confirm = sql::query_as(
                        "UPDATE subscribers SET confirmed_at = COALESCE(confirmed_at, $2), asks = 0,
                           components = COALESCE(wanted, components), wanted = NULL
                         WHERE id = $1 AND (asked_at > $3 OR confirmed_at IS NOT NULL AND wanted IS NULL)
                         RETURNING id, page, email, components",
                    );
                    confirm.bind(id).bind(millis(now)).bind(millis(now - UNCONFIRMED)).fetch_optional(tx).await
                })
            })
            .await?;
        Ok(row.map(subscriber))
    }

    /// Whether [`Store::confirm_subscriber`] would confirm `id`.
    pub async fn can_confirm(&self, id: &str, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let known = sql::query_scalar::<i64>(
            "SELECT COUNT(*) FROM subscribers
             WHERE id = $1 AND (asked_at > $2 OR confirmed_at IS NOT NULL AND wanted IS NULL)",
        );
        Ok(known.bind(id).bind(millis(now - UNCONFIRMED)).fetch_one(&self.reads).await? > 0)
    }

    /// Forgets `id`: nothing more is sent. False if nobody has that id.
    pub async fn unsubscribe(&self, id: &str) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let forget = sql::query("DELETE FROM subscribers WHERE id = $1").bind(id).execute(tx).await?;
                    Ok(forget.rows_affected() > 0)
                })
            })
            .await
    }

    /// Returns the confirmed subscribers of `page`, by their ids, after the id `after`.
    pub async fn subscribers(&self, page: &str, after: &str, limit: i64) -> Result<Vec<Subscriber>, StoreError> {
        let rows: Vec<Row> = sql::query_as(
            "SELECT id, page, email, components FROM subscribers WHERE id > $2 AND page = $1 AND confirmed_at IS NOT NULL
             ORDER BY id LIMIT $3",
        )
        .bind(page)
        .bind(after)
        .bind(limit)
        .fetch_all(&self.reads)
        .await?;
        Ok(rows.into_iter().map(subscriber).collect())
    }

    /// Returns the updates that were told already, and how many were mailed since `lately`.
    pub async fn told_updates(&self, lately: DateTime<Utc>) -> Result<(BTreeSet<String>, usize), StoreError> {
        let rows: Vec<(String, i64, i64)> =
            sql::query_as("SELECT id, at, mailed FROM told_updates WHERE at > $1 ORDER BY at DESC LIMIT $2")
                .bind(millis(lately - NEWS))
                .bind(UPDATES_MOST)
                .fetch_all(&self.reads)
                .await?;
        let mailed = rows.iter().filter(|(_, at, mailed)| *mailed == 1 && *at > millis(lately)).count();
        Ok((rows.into_iter().map(|(id, ..)| id).collect(), mailed))
    }

    /// Returns the ids of the subscribers who were mailed one of `updates`.
    pub async fn told_of(&self, updates: &[String]) -> Result<BTreeSet<String>, StoreError> {
        let keys: Vec<_> = updates.iter().map(|update| format!("update:{update}")).collect();
        let keys = serde_json::to_string(&keys).unwrap_or_default();
        let query = "SELECT DISTINCT recipient FROM notifications
                     WHERE alert_key IN (SELECT value FROM json_each($1)) AND kind = 'update'";
        Ok(sql::query_scalar(query).bind(keys).fetch_all(&self.reads).await?.into_iter().collect())
    }

    /// Puts mails to subscribers into the outbox; those already there stay as they are.
    pub async fn send_updates(&self, mails: Vec<NewNotification>) -> Result<(), StoreError> {
        for some in mails.chunks(AT_ONCE) {
            // In batches, so that no alert waits for all of them.
            let some = some.to_vec();
            self.writer.write(move |tx: &mut Connection| Box::pin(async move { enqueue(tx, &some).await })).await?;
        }
        Ok(())
    }

    /// Stores that subscribers were told of these updates, and which of them were `mailed` on their own.
    pub async fn note_told(&self, updates: Vec<(String, bool)>, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    for (id, mailed) in &updates {
                        let told =
                            "INSERT INTO told_updates (id, at, mailed) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING";
                        let told = sql::query(told).bind(id).bind(millis(now)).bind(i64::from(*mailed));
                        told.execute(&mut *tx).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Forgets those who have not confirmed in time or whose page is gone, and what was told long ago.
    pub async fn forget_subscribers(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.writer.write(move |tx: &mut Connection| Box::pin(async move { forget(tx, millis(now)).await })).await
    }
}

/// Deletes those who have not confirmed in time or whose page is gone, and what was told long ago.
pub(super) async fn forget(tx: &mut Connection, now: Millis) -> Result<(), sql::Error> {
    let unconfirmed = "DELETE FROM subscribers WHERE confirmed_at IS NULL AND asked_at <= $1";
    sql::query(unconfirmed).bind(now - UNCONFIRMED.num_milliseconds()).execute(&mut *tx).await?;
    let gone = "DELETE FROM subscribers WHERE page IN (SELECT id FROM private_pages WHERE revoked_at <= $1)";
    sql::query(gone).bind(now).execute(&mut *tx).await?;
    let told = sql::query("DELETE FROM told_updates WHERE at < $1");
    told.bind(now - TOLD_KEPT.num_milliseconds()).execute(tx).await.map(drop)
}

/// Stores what `id` has chosen, until that is confirmed.
async fn want(tx: &mut Connection, id: &str, wanted: Option<String>) -> Result<(), sql::Error> {
    let want = sql::query("UPDATE subscribers SET wanted = $2 WHERE id = $1");
    want.bind(id).bind(wanted).execute(tx).await.map(drop)
}

async fn is_full(tx: &mut Connection, page: &str) -> Result<bool, sql::Error> {
    let open = "SELECT COUNT(*) FROM subscribers WHERE confirmed_at IS NULL AND asked_at > $1";
    let open: i64 = sql::query_scalar(open).bind(0).fetch_one(&mut *tx).await?;
    let told = "SELECT COUNT(*) FROM subscribers WHERE page = $1";
    let told: i64 = sql::query_scalar(told).bind(page).fetch_one(tx).await?;
    Ok(open >= OPEN_MOST || told >= SUBSCRIBERS_MOST)
}

fn subscriber((id, page, email, components): Row) -> Subscriber {
    Subscriber { id, page, email, components: chosen(components.as_deref()) }
}

fn chosen(components: Option<&str>) -> Vec<String> {
    components.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

fn as_json(components: &[String]) -> String {
    serde_json::to_string(components).unwrap_or_default()
}
