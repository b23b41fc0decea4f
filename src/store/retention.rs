//! Deletes old data of the past, a few rows at a time, so that nobody waits for it.
//!
//! What still matters stays, however old: everything that concerns an open ticket or an open alert, tickets as they
//! were last read, alerts, and the counters.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::{Store, StoreError, millis};
use crate::config::Past;
use crate::store::sql::{self, AssertSqlSafe, Connection};

/// How many rows one transaction looks at.
const BATCH: i64 = 200;

/// How many events one transaction looks at in search of old ones: some milliseconds.
const EVENTS_AT_A_TIME: i64 = 20_000;

/// The result of one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// How many rows were deleted.
    pub gone: u64,
    /// Where the next batch begins; none if nothing is left to look at.
    pub next: Option<i64>,
}

/// Messages `n` from before `$1` that are no longer needed. Until an alert is over and its ticket closed, the keys of
/// its messages show what was already sent.
const OLD_MESSAGES: &str = "n.done_at < $1 AND n.state NOT IN ('pending', 'sending', 'bundled')
     AND NOT EXISTS (SELECT 1 FROM alerts a WHERE a.key = n.alert_key AND a.state = 'open')
     AND NOT EXISTS (SELECT 1 FROM tickets t WHERE t.tenant = n.tenant AND t.id = n.ticket_id AND t.open = 1)";

impl Store {
    /// Deletes some of what is older than `before`. The first batch begins at 0.
    pub async fn forget(&self, past: Past, before: DateTime<Utc>, from: i64) -> Result<Batch, StoreError> {
        let before = millis(before);
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    match past {
                        Past::Messages => messages(tx, before).await,
                        Past::Attempts => attempts(tx, before, from).await,
                        Past::Receipts => receipts(tx, before).await,
                        Past::Events => events_and_forecasts(tx, before, from).await,
                        Past::Audit => audit(tx, before, from).await,
                        Past::Reports => reports(tx, before).await,
                    }
                })
            })
            .await
    }

    /// Counts the rows older than `before` that would be deleted.
    pub async fn forgettable(&self, past: Past, before: DateTime<Utc>) -> Result<i64, StoreError> {
        let messages = format!("SELECT COUNT(*) FROM notifications n WHERE {OLD_MESSAGES}");
        let count = match past {
            Past::Messages => messages.as_str(),
            Past::Attempts => "SELECT COUNT(*) FROM attempts WHERE at < $1",
            Past::Receipts => "SELECT COUNT(*) FROM receipts WHERE changed_at < $1 AND poll_at IS NULL",
            Past::Events => {
                "SELECT COALESCE(SUM(number), 0) FROM (SELECT COUNT(*) + (
                     SELECT COUNT(*) FROM alerts a JOIN write_backs w ON w.alert_key = a.key
                     WHERE a.tenant = e.tenant AND a.ticket_id = e.ticket_id AND w.settled_at IS NOT NULL) AS number
                   FROM events e
                   WHERE NOT EXISTS (SELECT 1 FROM tickets t WHERE t.tenant = e.tenant AND t.id = e.ticket_id AND t.open = 1)
                   GROUP BY e.tenant, e.ticket_id HAVING MAX(e.latest) < $1
                   UNION ALL SELECT COUNT(*) FROM predictions WHERE decided_at < $1) AS events_and_forecasts"
            }
            Past::Audit => {
                "SELECT (SELECT COUNT(*) FROM audit WHERE at < $1 AND id < (SELECT MAX(id) FROM audit))
                   + (SELECT COUNT(*) FROM silences WHERE until_at < $1)
                   + (SELECT COUNT(*) FROM maintenance_windows WHERE until_at < $1)
                   + (SELECT COUNT(*) FROM on_call_overrides WHERE until_time < $1)"
            }
            Past::Reports => "SELECT COUNT(*) FROM report_files WHERE made_at < $1",
        };
        let count = sql::query_scalar(AssertSqlSafe(count.to_owned())).bind(millis(before));
        Ok(count.fetch_one(&self.reads).await?)
    }
}

async fn messages(tx: &mut Connection, before: i64) -> Result<Batch, sql::Error> {
    let forget = format!(
        "DELETE FROM notifications WHERE key IN (
           SELECT n.key FROM notifications n WHERE {OLD_MESSAGES} ORDER BY n.done_at LIMIT $2)"
    );
    let forget = sql::query(AssertSqlSafe(forget)).bind(before).bind(BATCH).execute(&mut *tx).await?;
    // The records of what digests told go at the same age.
    sql::query("DELETE FROM digested WHERE at < $1").bind(before).execute(tx).await?;
    Ok(whole_batches(forget.rows_affected()))
}

async fn receipts(tx: &mut Connection, before: i64) -> Result<Batch, sql::Error> {
    let forget = sql::query(
        "DELETE FROM receipts WHERE provider_id IN (SELECT provider_id FROM receipts
           WHERE changed_at < $1 AND poll_at IS NULL ORDER BY changed_at LIMIT $2)",
    );
    let forget = forget.bind(before).bind(BATCH).execute(tx).await?;
    Ok(whole_batches(forget.rows_affected()))
}

/// Deletes only a few at a time, since each is large.
async fn reports(tx: &mut Connection, before: i64) -> Result<Batch, sql::Error> {
    const FEW: i64 = 20;
    let old: Vec<(String, String)> =
        sql::query_as("SELECT tenant, id FROM report_files WHERE made_at < $1 ORDER BY made_at LIMIT $2")
            .bind(before)
            .bind(FEW)
            .fetch_all(&mut *tx)
            .await?;
    let gone = old.len() as u64;
    for (tenant, id) in old {
        for forget in [
            "DELETE FROM report_contents WHERE tenant = $1 AND id = $2",
            "DELETE FROM report_files WHERE tenant = $1 AND id = $2",
        ] {
            sql::query(forget).bind(&tenant).bind(&id).execute(&mut *tx).await?;
        }
    }
    Ok(Batch { gone, next: (gone == FEW.unsigned_abs()).then_some(0) })
}

/// The oldest are always taken first, so a batch that is not full is the last.
fn whole_batches(gone: u64) -> Batch {
    Batch { gone, next: (gone == BATCH.unsigned_abs()).then_some(0) }
}

async fn attempts(tx: &mut Connection, before: i64, from: i64) -> Result<Batch, sql::Error> {
    let upto = "SELECT MAX(id) FROM (SELECT id FROM attempts WHERE id > $1 ORDER BY id LIMIT $2) AS page";
    let upto: Option<i64> = sql::query_scalar(upto).bind(from).bind(BATCH).fetch_one(&mut *tx).await?;
    let forget = sql::query("DELETE FROM attempts WHERE id > $1 AND id <= $2 AND at < $3");
    let gone = forget.bind(from).bind(upto).bind(before).execute(tx).await?.rows_affected();
    Ok(by_number(gone, upto))
}

async fn audit(tx: &mut Connection, before: i64, from: i64) -> Result<Batch, sql::Error> {
    let ended = [
        "DELETE FROM silences WHERE until_at < $1",
        "DELETE FROM maintenance_windows WHERE until_at < $1",
        "DELETE FROM on_call_overrides WHERE until_time < $1",
    ];
    let mut over = 0;
    for forget in ended {
        over += sql::query(forget).bind(before).execute(&mut *tx).await?.rows_affected();
    }
    if from == 0 {
        of_people_gone(tx, before).await?;
    }
    let upto = "SELECT MAX(id) FROM (SELECT id FROM audit WHERE id > $1 ORDER BY id LIMIT $2) AS page";
    let upto: Option<i64> = sql::query_scalar(upto).bind(from).bind(BATCH).fetch_one(&mut *tx).await?;
    // The last row stays, however old: the next continues its number and its hash.
    let forget =
        sql::query("DELETE FROM audit WHERE id > $1 AND id <= $2 AND at < $3 AND id < (SELECT MAX(id) FROM audit)");
    let gone = forget.bind(from).bind(upto).bind(before).execute(tx).await?.rows_affected();
    let lines = by_number(gone, upto);
    Ok(Batch { gone: lines.gone + over, ..lines })
}

/// Deletes the personal rules of people who are no longer in any directory, and views of revoked tokens and of people
/// who have not done anything since, not even signed in.
async fn of_people_gone(tx: &mut Connection, before: i64) -> Result<(), sql::Error> {
    const MOST: i64 = 2_000;
    let old: Vec<(i64, String)> =
        sql::query_as("SELECT id, person FROM personal_rules WHERE set_at < $1 ORDER BY id LIMIT $2")
            .bind(before)
            .bind(MOST)
            .fetch_all(&mut *tx)
            .await?;
    for id in gone(tx, old).await? {
        sql::query("DELETE FROM personal_rules WHERE id = $1").bind(id).execute(&mut *tx).await?;
    }
    let views = sql::query(
        "DELETE FROM saved_views WHERE owner NOT IN ('', 'anybody') AND made_at < $1
         AND owner NOT IN (SELECT id FROM tokens WHERE revoked_at IS NULL)
         AND made_by NOT IN (SELECT who FROM audit WHERE at >= $1)",
    );
    views.bind(before).execute(&mut *tx).await.map(drop)
}

/// Returns the numbers of those `people` who are in no directory; none if no directory was read yet.
async fn gone(tx: &mut Connection, people: Vec<(i64, String)>) -> Result<Vec<i64>, sql::Error> {
    if people.is_empty() {
        return Ok(Vec::new());
    }
    let known: Vec<(String, String)> =
        sql::query_as("SELECT directory, tenant FROM directories").fetch_all(&mut *tx).await?;
    let known: Vec<_> = known.into_iter().map(|(directory, _)| directory.to_lowercase()).collect();
    let is_known = |person: &str| known.is_empty() || known.iter().any(|directory| directory.contains(person));
    Ok(people.into_iter().filter(|(_, person)| !is_known(person)).map(|(id, _)| id).collect())
}

/// Rows are numbered in order of time: if none of a batch is old, none of the later ones is.
fn by_number(gone: u64, upto: Option<i64>) -> Batch {
    Batch { gone, next: upto.filter(|_| gone > 0) }
}

/// A ticket's history is deleted as a whole, once its last event is old: half of it would be misleading. Forecasts are
/// deleted by the time at which they were decided.
async fn events_and_forecasts(tx: &mut Connection, before: i64, from: i64) -> Result<Batch, sql::Error> {
    let forecasts = forecasts(tx, before).await?;
    let events = events(tx, before, from).await?;
    let more = forecasts == BATCH.unsigned_abs();
    Ok(Batch { gone: forecasts + events.gone, next: events.next.or(more.then_some(from)) })
}

async fn forecasts(tx: &mut Connection, before: i64) -> Result<u64, sql::Error> {
    let forget = sql::query(
        "DELETE FROM predictions WHERE (tenant, ticket_id, clock, cycle, moment) IN (
           SELECT tenant, ticket_id, clock, cycle, moment FROM predictions
           WHERE decided_at < $1 ORDER BY decided_at LIMIT $2)",
    );
    Ok(forget.bind(before).bind(BATCH).execute(tx).await?.rows_affected())
}

/// Events are not numbered in order of time: a first sync stores the newest tickets first. So all are gone through.
async fn events(tx: &mut Connection, before: i64, from: i64) -> Result<Batch, sql::Error> {
    let query = "SELECT (SELECT MIN(id) FROM events), (SELECT MAX(id) FROM events)";
    let (first, last): (Option<i64>, Option<i64>) = sql::query_as(query).fetch_one(&mut *tx).await?;
    let Some((first, last)) = first.zip(last) else { return Ok(Batch { gone: 0, next: None }) };
    let from = from.max(first - 1);
    let upto = from + EVENTS_AT_A_TIME;
    let old: Vec<(i64, String, String)> = sql::query_as(
        "SELECT id, tenant, ticket_id FROM events WHERE id > $1 AND id <= $2 AND latest < $3 ORDER BY id LIMIT $4",
    )
    .bind(from)
    .bind(upto)
    .bind(before)
    .bind(BATCH)
    .fetch_all(&mut *tx)
    .await?;
    let is_full = old.len() as u64 == BATCH.unsigned_abs();
    let looked_at = old.last().map(|(id, ..)| *id).filter(|_| is_full).unwrap_or(upto);
    let mut gone = 0;
    for (tenant, ticket) in old.into_iter().map(|(_, tenant, ticket)| (tenant, ticket)).collect::<BTreeSet<_>>() {
        gone += ticket_history(tx, &tenant, &ticket, before).await?;
    }
    Ok(Batch { gone, next: (looked_at < last).then_some(looked_at) })
}

async fn ticket_history(tx: &mut Connection, tenant: &str, ticket: &str, before: i64) -> Result<u64, sql::Error> {
    let is_needed: bool = sql::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM tickets WHERE tenant = $1 AND id = $2 AND open = 1)
         OR EXISTS (SELECT 1 FROM events WHERE tenant = $1 AND ticket_id = $2 AND latest >= $3)",
    )
    .bind(tenant)
    .bind(ticket)
    .bind(before)
    .fetch_one(&mut *tx)
    .await?;
    if is_needed {
        return Ok(0);
    }
    let mut gone = 0;
    for forget in [
        "DELETE FROM events WHERE tenant = $1 AND ticket_id = $2",
        "DELETE FROM write_backs WHERE settled_at IS NOT NULL
         AND alert_key IN (SELECT key FROM alerts WHERE tenant = $1 AND ticket_id = $2)",
    ] {
        gone += sql::query(forget).bind(tenant).bind(ticket).execute(&mut *tx).await?.rows_affected();
    }
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3_600_000;
    /// Anything older is deleted.
    const CUTOFF: i64 = 1_000 * DAY;

    /// Stores tickets: `1` is closed, `2` is open, `3` is closed with an open alert, `4` was closed recently.
    async fn store(folder: &tempfile::TempDir) -> Store {
        let store = Store::open(&folder.path().join("sla.db"), std::sync::Arc::default()).await.unwrap();
        for (ticket, open, state, age) in
            [("1", 0, "resolved", 9), ("2", 1, "resolved", 9), ("3", 0, "open", 9), ("4", 0, "resolved", -9)]
        {
            let at = CUTOFF - age * DAY;
            let fill = [
                format!(
                    "INSERT INTO tickets (tenant, id, display_id, status, open, ticket, first_seen_at, read_at, cycle)
                     VALUES ('acme', '{ticket}', '#{ticket}', 'x', {open}, '{{}}', 0, 0, 0)"
                ),
                format!(
                    "INSERT INTO alerts (key, tenant, ticket_id, clock, cycle, episode, stage, state, reason, due, raised_at,
                     changed_at, step, generation, told, id) VALUES ('a{ticket}', 'acme', '{ticket}', 'resolution', 0, 0,
                     'breached', '{state}', '', 0, 0, 0, 0, 0, 1, 'id{ticket}')"
                ),
                format!(
                    "INSERT INTO notifications (key, tenant, alert_key, ticket_id, kind, stage, step, channel, recipient,
                     fallback, message, state, due_at, first_due_at, created_at, done_at) VALUES ('n{ticket}', 'acme',
                     'a{ticket}', '{ticket}', 'alert', 'breached', 0, 'email', 'mia', '[]', '{{}}', 'sent', 0, 0, 0, {at})"
                ),
                format!(
                    "INSERT INTO events (tenant, ticket_id, kind, earliest, latest)
                     VALUES ('acme', '{ticket}', 'status', 0, 1), ('acme', '{ticket}', 'status', {at}, {at})"
                ),
                format!(
                    "INSERT INTO attempts (tenant, notification, number, at, outcome) VALUES ('acme', 'n{ticket}', 1, {at}, 'taken')"
                ),
                format!(
                    "INSERT INTO receipts (provider_id, notification, status, rank, changed_at) VALUES ('r{ticket}', 'n{ticket}', 'sent', 3, {at})"
                ),
                format!("INSERT INTO audit (at, who, what, origin) VALUES ({at}, 'mia', 'did', 'here')"),
                format!(
                    "INSERT INTO predictions (tenant, ticket_id, clock, cycle, moment, at, probability, left_ms, breached, decided_at)
                     VALUES ('acme', '{ticket}', 'resolution', 0, 'alert', 0, 0.9, 0, 1, {at}),
                            ('acme', '{ticket}', 'resolution', 1, 'alert', 0, 0.9, 0, NULL, NULL)"
                ),
                format!(
                    "INSERT INTO write_backs (key, reference, tenant, ticket_id, alert_key, kind, content, state, created_at, due_at, settled_at)
                     VALUES ('w{ticket}', '', 'acme', '{ticket}', 'a{ticket}', 'note', '', 'done', 0, 0, {at})"
                ),
            ];
            store.writer.write(move |tx: &mut Connection| Box::pin(insert(tx, fill.into()))).await.unwrap();
        }
        store
    }

    async fn insert(tx: &mut Connection, fill: Vec<String>) -> Result<(), sql::Error> {
        for statement in fill {
            sql::query(AssertSqlSafe(statement)).execute(&mut *tx).await?;
        }
        Ok(())
    }

    async fn forget_all(store: &Store, past: Past) -> u64 {
        let before = DateTime::from_timestamp_millis(CUTOFF).unwrap();
        let would_go = store.forgettable(past, before).await.unwrap();
        let (mut gone, mut from) = (0, 0);
        loop {
            let batch = store.forget(past, before, from).await.unwrap();
            gone += batch.gone;
            match batch.next {
                Some(next) => from = next,
                None => break,
            }
        }
        assert_eq!(gone, would_go.unsigned_abs(), "{past:?}: as many go as was said before");
        gone
    }

    async fn left(store: &Store, query: &'static str) -> Vec<String> {
        let rows = sql::query(query).fetch_all(&store.reads).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    #[tokio::test]
    async fn what_is_old_goes_unless_its_ticket_or_alert_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        assert_eq!(forget_all(&store, Past::Messages).await, 1);
        assert_eq!(left(&store, "SELECT key FROM notifications ORDER BY key").await, ["n2", "n3", "n4"]);
        assert_eq!(
            forget_all(&store, Past::Events).await,
            4 + 2 + 3,
            "whole histories of closed tickets, with what was written on these, and forecasts that were decided long ago"
        );
        assert_eq!(left(&store, "SELECT alert_key FROM write_backs ORDER BY key").await, ["a2", "a4"]);
        let forecasts = "SELECT ticket_id || ':' || cycle FROM predictions ORDER BY 1";
        assert_eq!(left(&store, forecasts).await, ["1:1", "2:1", "3:1", "4:0", "4:1"], "undecided ones stay");
        assert_eq!(
            left(&store, "SELECT ticket_id FROM events ORDER BY ticket_id").await,
            ["2", "2", "4", "4"],
            "of one that was closed lately nothing goes"
        );
        for past in [Past::Attempts, Past::Receipts, Past::Audit] {
            assert_eq!(forget_all(&store, past).await, 3, "{past:?}");
        }
        assert_eq!(left(&store, "SELECT id FROM tickets").await.len(), 4, "tickets stay");
        assert_eq!(left(&store, "SELECT key FROM alerts").await.len(), 4, "so do alerts");
    }

    #[tokio::test]
    async fn the_last_row_of_the_audit_log_stays_so_that_its_numbers_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let old = vec![format!("UPDATE audit SET at = {}", CUTOFF - 1)];
        store.writer.write(move |tx: &mut Connection| Box::pin(insert(tx, old))).await.unwrap();
        assert_eq!(forget_all(&store, Past::Audit).await, 3);
        let rows: Vec<i64> = sql::query_scalar("SELECT id FROM audit").fetch_all(&store.reads).await.unwrap();
        assert_eq!(rows, [4]);
    }

    #[tokio::test]
    async fn what_was_asked_for_and_saved_goes_with_those_who_are_gone() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let old = |what: &str| what.replace("OLD", &(CUTOFF - 1).to_string()).replace("YOUNG", &CUTOFF.to_string());
        let fill = [
            "INSERT INTO personal_rules (person, rules, set_by, set_at) VALUES ('ada@example.com', '{}', 'Ada', OLD),
             ('gone@example.com', '{}', 'Gone', OLD), ('lately@example.com', '{}', 'Lately', YOUNG)",
            "INSERT INTO tokens (id, hash, role, created_at, revoked_at) VALUES ('good', 'h1', 'viewer', 0, NULL),
             ('revoked', 'h2', 'viewer', 0, 1)",
            "INSERT INTO saved_views (owner, tenant, name, filters, made_by, made_at) VALUES
             ('good', '', 'v', '{}', 'a token', OLD), ('revoked', '', 'v', '{}', 'a token', OLD),
             ('revoked', '', 'w', '{}', 'a token', YOUNG), ('signs in', '', 'v', '{}', 'Eva', OLD),
             ('left', '', 'v', '{}', 'Lea', OLD), ('', '', 'shared', '{}', 'Lea', OLD)",
            "INSERT INTO audit (at, who, what, origin) VALUES (YOUNG, 'Eva', 'signed in', 'here')",
        ];
        let fill = fill.map(old).to_vec();
        store.writer.write(move |tx: &mut Connection| Box::pin(insert(tx, fill))).await.unwrap();
        let rules = "SELECT person FROM personal_rules ORDER BY person";
        forget_all(&store, Past::Audit).await;
        assert_eq!(left(&store, rules).await.len(), 3, "no directory was read yet");
        let views = "SELECT owner || ' ' || name FROM saved_views ORDER BY 1";
        assert_eq!(left(&store, views).await, [" shared", "good v", "revoked w", "signs in v"]);
        let known =
            r#"INSERT INTO directories (tenant, directory, read_at) VALUES ('acme', '{"email":"Ada@Example.com"}', 0)"#;
        let known = vec![known.to_owned()];
        store.writer.write(move |tx: &mut Connection| Box::pin(insert(tx, known))).await.unwrap();
        forget_all(&store, Past::Audit).await;
        assert_eq!(left(&store, rules).await, ["ada@example.com", "lately@example.com"]);
    }

    #[tokio::test]
    async fn what_is_over_of_silences_windows_and_stand_ins_is_counted_with_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let suppression = "(tenant, from_at, until_at, author, reason)";
        let times = [CUTOFF - 1, CUTOFF];
        let fill = times.into_iter().flat_map(|until| {
            [
                format!("INSERT INTO silences {suppression} VALUES ('acme', 0, {until}, 'mia', '')"),
                format!("INSERT INTO maintenance_windows {suppression} VALUES ('acme', 0, {until}, 'mia', '')"),
                format!(
                    "INSERT INTO on_call_overrides (rotation, person, from_time, until_time, made_by, made_at)
                     VALUES ('main', 'mia', 0, {until}, 'mia', 0)"
                ),
            ]
        });
        let fill: Vec<String> = fill.collect();
        store.writer.write(move |tx: &mut Connection| Box::pin(insert(tx, fill))).await.unwrap();
        assert_eq!(forget_all(&store, Past::Audit).await, 3 + 3, "three lines of the log, and one of each");
        let left = left(&store, "SELECT author FROM silences UNION ALL SELECT author FROM maintenance_windows").await;
        assert_eq!(left.len(), 2, "those that ended later stay");
    }

    #[tokio::test]
    async fn much_goes_in_many_bites() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let many = |what: &str| {
            format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) {what} FROM n")
        };
        let fill = vec![
            many("INSERT INTO attempts (tenant, notification, number, at, outcome) SELECT 'acme', 'n1', i, i, 'taken'"),
            many(
                "INSERT INTO receipts (provider_id, notification, status, rank, changed_at) SELECT 'x' || i, 'n1', 'sent', 3, i",
            ),
            // What is old may have been stored last.
            many(&format!(
                "INSERT INTO events (tenant, ticket_id, kind, earliest, latest) SELECT 'acme', 'new' || i, 'status', {CUTOFF}, {CUTOFF}"
            )),
            many(
                "INSERT INTO events (tenant, ticket_id, kind, earliest, latest) SELECT 'acme', 'old' || (i / 3), 'status', i, i",
            ),
        ];
        store.writer.write(move |tx: &mut Connection| Box::pin(insert(tx, fill))).await.unwrap();
        let before = DateTime::from_timestamp_millis(CUTOFF).unwrap();
        let first = store.forget(Past::Receipts, before, 0).await.unwrap();
        assert_eq!(first, Batch { gone: BATCH.unsigned_abs(), next: Some(0) });
        assert_eq!(forget_all(&store, Past::Receipts).await, 1_003 - BATCH.unsigned_abs());
        assert_eq!(forget_all(&store, Past::Events).await, 1_004 + 5);
        // The recent one among them stays: only a batch without an old one is the last.
        assert_eq!(forget_all(&store, Past::Attempts).await, 1_003);
    }
}
