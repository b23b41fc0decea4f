//! Shapes what waits in the outbox for sending.
//!
//! Just before rows are leased, in the same transaction, the core decides for each new row that is due whether it goes
//! alone, with others, later, or by another channel. However many rows there are, this takes a handful of statements,
//! or one if nothing is waiting.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::go_on::SOON;
use super::heard::heard;
use super::withdraw::wait_for_key;
use super::{Reader, UnderWay, bundle, enqueue, json, leased, millis, reader};
use crate::alert::Stage;
use crate::alert::escalation::ChannelKind;
use crate::alert::noise::{Budget, Cap, Disposition, HeldBy, Kind, Past, Rules, Waiting, rank, shape};
use crate::store::missing_key;
use crate::store::sealed::ADDRESS;
use crate::store::sql::{self, AssertSqlSafe, Connection, Row};

/// How long nobody must have been told of a client for the next message about it to be news again.
const CLIENT_IS_NEWS_AFTER: TimeDelta = TimeDelta::hours(1);
/// The error of a row whose channel had no budget left.
const OVER_BUDGET: &str = "the day's text messages are used up; told by another channel";

/// A row that is due and not released yet.
struct Found {
    key: String,
    tenant: String,
    recipient: String,
    address: String,
    kind: Kind,
    /// Whether it tells of what was past when the watch of its tenant began.
    is_first_digest: bool,
    client: Option<String>,
    priority: Option<String>,
    was_held: bool,
    has_fallback: bool,
    /// Whether its client was mentioned recently.
    known_client: bool,
    first_due_at: i64,
    step: u32,
    created_at: DateTime<Utc>,
    breach_at: Option<DateTime<Utc>>,
    /// Whether anything about its alert was sent before.
    is_known: bool,
    /// Whether this person was told of its alert before.
    is_repeat: bool,
    /// Whether it is a mail, and a text message tells this person the same.
    is_texted: bool,
    /// Whether another channel has begun to tell this person the same.
    is_begun: bool,
    reader: Reader,
}

/// What to do with the rows, by key.
#[derive(Default)]
struct ShapingPlan {
    /// Sent alone, with their ranks.
    alone: Vec<(String, u8)>,
    /// Digests of what was past when a tenant's watch began, by address and person; several tenants share one message.
    first_digests: BTreeMap<(String, String), Vec<(String, u8)>>,
    held: Vec<(String, i64, &'static str)>,
    /// Each becomes one message.
    bundles: Vec<Vec<(String, u8)>>,
    /// The earliest time that a row of each bundle was due.
    bundles_due: Vec<i64>,
    elsewhere: Vec<String>,
    /// Breaches that must not wait until the person who would be woken gets up.
    past_sleepers: Vec<String>,
    over_budget: HashSet<String>,
}

/// The result of shaping.
#[derive(Default)]
pub(super) struct Shaped {
    /// The tenants for whom the budget holds something up.
    pub over_budget: HashSet<String>,
    /// The next step of an alert was brought forward, because the person before it is left to sleep.
    pub hurried: bool,
}

/// Decides about everything on `channel` that is due and not released yet.
pub(super) async fn shape_due(
    tx: &mut Connection,
    channel: ChannelKind,
    rules: &Rules,
    under_way: &UnderWay,
    now: DateTime<Utc>,
) -> Result<Shaped, sql::Error> {
    let found = waiting(tx, channel, under_way, now).await?;
    if found.is_empty() {
        return Ok(Shaped::default());
    }
    // Only the pace depends on how much somebody heard today.
    let people = found.iter().filter_map(|row| row.reader.person.as_deref()).collect();
    let heard = match &rules.pace {
        Some(pace) => heard(tx, &people, pace, now).await?,
        None => HashMap::new(),
    };
    let mut sent = sent_lately(tx, channel, rules.caps_of(channel), &found, now).await?;
    let mut budgets = budgets(tx, channel, rules.budget_of(channel), &found, now).await?;
    let mut orders = ShapingPlan::default();
    for all in found.chunk_by(|a, b| a.reader() == b.reader()) {
        for person in as_budgets_allow(all, &budgets) {
            let tenants: BTreeSet<&String> = person.iter().map(|row| &row.tenant).collect();
            let sent = sent.entry(person[0].address.clone()).or_default();
            let budget = tenants.iter().filter_map(|tenant| budgets.get(*tenant)).min_by_key(|budget| budget.left);
            let heard = person[0].reader.person.as_ref().and_then(|person| heard.get(person)).copied();
            let heard = heard.unwrap_or_default();
            let past = Past { sent, caps: rules.caps_of(channel), budget: budget.copied(), heard };
            let rows: Vec<_> = person.iter().map(|row| row.waiting()).collect();
            let dispositions = match channel {
                // Systems keep their incidents by key, and never sleep.
                ChannelKind::PagerDuty | ChannelKind::Webhook => vec![Disposition::Alone; rows.len()],
                _ => shape(&rows, channel, &past, rules, now),
            };
            let messages = orders.take(&person, &dispositions, now);
            sent.extend(std::iter::repeat_n(now, messages));
            for tenant in tenants {
                if let Some(budget) = budgets.get_mut(tenant) {
                    budget.left = budget.left.saturating_sub(messages);
                }
            }
        }
    }
    let hurried = orders.carry_out(tx, now).await?;
    Ok(Shaped { over_budget: orders.over_budget, hurried })
}

/// Splits what waits for one reader by the tenants whose budgets are used up: those must not hold up other tenants.
fn as_budgets_allow<'f>(person: &'f [Found], budgets: &BTreeMap<String, Budget>) -> Vec<Vec<&'f Found>> {
    let mut parts: BTreeMap<Option<&str>, Vec<&Found>> = BTreeMap::new();
    for row in person {
        let is_used_up = budgets.get(&row.tenant).is_some_and(|budget| budget.left == 0);
        parts.entry(is_used_up.then_some(row.tenant.as_str())).or_default().push(row);
    }
    parts.into_values().collect()
}

/// Reads what is due, and what else waits to be bundled at the same addresses.
async fn waiting(
    tx: &mut Connection,
    channel: ChannelKind,
    under_way: &UnderWay,
    now: DateTime<Utc>,
) -> Result<Vec<Found>, sql::Error> {
    let due = format!("{WAITING} AND n.due_at <= $2 ORDER BY n.address, n.tenant, n.recipient, n.breach_at, n.key");
    let due = sql::query(AssertSqlSafe(due)).bind(channel.as_str()).bind(millis(now));
    let due = due.bind(millis(now - CLIENT_IS_NEWS_AFTER)).bind(under_way.keys());
    let (mut found, mut without_key) = (Vec::new(), Vec::new());
    let read = |row: Row| {
        match Found::read(&row) {
            Ok(one) => found.push(one),
            Err(error) if missing_key(&error).is_some() => without_key.push(row.try_get("key")?),
            Err(error) => return Err(error),
        }
        Ok(())
    };
    due.fetch_each(&mut *tx, read).await?;
    wait_for_key(tx, &without_key, now).await?;
    if found.is_empty() {
        return Ok(found);
    }
    let addresses: HashSet<&str> = found.iter().map(|row| row.address.as_str()).collect();
    let company = format!(
        "{WAITING} AND n.due_at > $2 AND n.held_by = 'pace' AND n.address IN (SELECT value FROM json_each($5))"
    );
    let company = sql::query(AssertSqlSafe(company)).bind(channel.as_str()).bind(millis(now));
    let company =
        company.bind(millis(now - CLIENT_IS_NEWS_AFTER)).bind(under_way.keys()).bind(ADDRESS.any_of(addresses));
    let company = company.fetch_each(tx, |row| Found::read(&row)).await?;
    found.extend(company);
    // By the readable addresses, not the stored ones: rows of one reader are adjacent, the first due first.
    found.sort_by(|a, b| (a.reader(), a.breach_at, &a.key).cmp(&(b.reader(), b.breach_at, &b.key)));
    Ok(found)
}

/// What waits on a channel and is not released yet. The index is named because the one of everything that waits has the
/// same columns, and in a storm most of its rows have been released already.
const WAITING: &str =
    "SELECT n.key, n.tenant, n.recipient, n.address, n.kind, n.stage, n.step, n.client, n.priority, n.first_due_at,
            n.created_at, n.breach_at, n.person, n.zone, n.urgent, n.timely,
            n.held_by IS NOT NULL AS was_held, n.fallback <> '[]' AS has_fallback,
            EXISTS (SELECT 1 FROM notifications p WHERE p.tenant = n.tenant AND p.client = n.client
                    AND p.released_at > $3) AS known_client,
            EXISTS (SELECT 1 FROM notifications p WHERE p.alert_key = n.alert_key AND p.state = 'sent'
                    AND p.person IS NOT NULL AND (n.step > 0 OR p.person = n.person)) AS is_known,
            EXISTS (SELECT 1 FROM notifications p WHERE p.alert_key = n.alert_key AND p.state = 'sent'
                    AND p.person = n.person) AS is_repeat,
            EXISTS (SELECT 1 FROM notifications p WHERE n.channel = 'email' AND p.alert_key = n.alert_key
                    AND p.stage = n.stage AND p.step = n.step AND p.created_at = n.created_at
                    AND p.person = n.person AND p.channel = 'sms'
                    AND p.released_at IS NOT NULL AND (p.state IN ('sending', 'bundled', 'sent')
                      OR (p.state = 'pending' AND p.last_error IS NULL))) AS is_texted,
            EXISTS (SELECT 1 FROM notifications p WHERE p.alert_key = n.alert_key AND p.stage = n.stage
                    AND p.step = n.step AND p.created_at = n.created_at AND p.person = n.person
                    AND p.channel <> n.channel AND p.released_at IS NOT NULL
                    AND p.state IN ('pending', 'sending', 'bundled', 'sent')) AS is_begun
     FROM notifications n INDEXED BY notifications_waiting
     WHERE n.channel = $1 AND n.state = 'pending' AND n.released_at IS NULL
     AND n.key NOT IN (SELECT value FROM json_each($4))";

/// Returns when each address was sent something, as far back as the longest cap looks.
async fn sent_lately(
    tx: &mut Connection,
    channel: ChannelKind,
    caps: &[Cap],
    found: &[Found],
    now: DateTime<Utc>,
) -> Result<HashMap<String, Vec<DateTime<Utc>>>, sql::Error> {
    let mut sent: HashMap<String, Vec<DateTime<Utc>>> = HashMap::new();
    let Some(longest) = caps.iter().map(|cap| cap.within).max() else { return Ok(sent) };
    let addresses: HashSet<&str> = found.iter().map(|row| row.address.as_str()).collect();
    let rows: Vec<(String, i64)> = sql::query_as(
        "SELECT address, released_at FROM notifications WHERE channel = $1 AND bundle IS NULL AND released_at > $2
         AND address IN (SELECT value FROM json_each($3)) ORDER BY released_at",
    )
    .bind(channel.as_str())
    .bind(millis(now - longest))
    .bind(ADDRESS.any_of(addresses))
    .fetch_all(tx)
    .await?;
    for (address, at) in rows {
        sent.entry(address).or_default().extend(DateTime::from_timestamp_millis(at));
    }
    Ok(sent)
}

/// Returns the remaining budget of each tenant that has something waiting.
async fn budgets(
    tx: &mut Connection,
    channel: ChannelKind,
    budget: Option<Cap>,
    found: &[Found],
    now: DateTime<Utc>,
) -> Result<BTreeMap<String, Budget>, sql::Error> {
    let mut budgets = BTreeMap::new();
    let Some(cap) = budget else { return Ok(budgets) };
    let tenants: HashSet<&String> = found.iter().map(|row| &row.tenant).collect();
    for tenant in tenants {
        let sent: Vec<i64> = sql::query_scalar(
            "SELECT released_at FROM notifications WHERE tenant = $1 AND channel = $2 AND bundle IS NULL
             AND released_at > $3 AND released_at <= $4 ORDER BY released_at DESC LIMIT $5",
        )
        .bind(tenant)
        .bind(channel.as_str())
        .bind(millis(now - cap.within))
        .bind(millis(now))
        .bind(i64::from(cap.most))
        .fetch_all(&mut *tx)
        .await?;
        let oldest = sent.last().copied().and_then(DateTime::from_timestamp_millis).unwrap_or(now);
        let left = usize::try_from(cap.most).unwrap_or(usize::MAX).saturating_sub(sent.len());
        budgets.insert(tenant.clone(), Budget { left, opens_at: oldest + cap.within });
    }
    Ok(budgets)
}

impl Found {
    fn read(row: &Row) -> Result<Self, sql::Error> {
        let (kind, stage): (String, String) = (row.try_get("kind")?, row.try_get("stage")?);
        Ok(Self {
            key: row.try_get("key")?,
            tenant: row.try_get("tenant")?,
            recipient: row.try_get("recipient")?,
            address: row.try_get("address")?,
            is_first_digest: kind == "digest",
            kind: kind_of(&kind, &stage),
            client: row.try_get("client")?,
            priority: row.try_get("priority")?,
            was_held: row.try_get("was_held")?,
            has_fallback: row.try_get("has_fallback")?,
            known_client: row.try_get("known_client")?,
            first_due_at: row.try_get("first_due_at")?,
            step: row.try_get("step")?,
            created_at: DateTime::from_timestamp_millis(row.try_get("created_at")?).unwrap_or_default(),
            breach_at: row.try_get::<Option<i64>, _>("breach_at")?.and_then(DateTime::from_timestamp_millis),
            is_known: row.try_get("is_known")?,
            is_repeat: row.try_get("is_repeat")?,
            is_texted: row.try_get("is_texted")?,
            is_begun: row.try_get("is_begun")?,
            reader: reader(row)?,
        })
    }

    /// The reader at the address: a person, regardless of tenant, or else the recipient of that name in one tenant.
    fn reader(&self) -> (&str, &str, &str, &str) {
        match &self.reader.person {
            Some(person) => (&self.address, person, "", ""),
            None => (&self.address, "", &self.tenant, &self.recipient),
        }
    }

    fn waiting(&self) -> Waiting<'_> {
        Waiting {
            kind: self.kind,
            priority: self.priority.as_deref(),
            was_held: self.was_held,
            has_fallback: self.has_fallback,
            step: self.step,
            since: self.created_at,
            due: self.breach_at,
            is_known: self.is_known,
            is_repeat: self.is_repeat,
            is_texted: self.is_texted,
            is_begun: self.is_begun,
            is_urgent: self.reader.urgent,
            is_timely: self.reader.timely,
            zone: self.reader.zone,
            person: self.reader.person.as_deref(),
        }
    }
}

fn kind_of(kind: &str, stage: &str) -> Kind {
    // A later episode follows a slash.
    let stage = stage.split('/').next().unwrap_or(stage);
    match (kind, Stage::parse(stage)) {
        ("alert", Some(stage)) => Kind::Alert(stage),
        ("recovery", _) => Kind::Recovery,
        ("stale" | "fresh", _) => Kind::Watch,
        ("update", _) => Kind::Update,
        _ => Kind::Digest,
    }
}

impl ShapingPlan {
    /// Records what happens to the rows of one person. Returns the number of messages that go out.
    fn take(&mut self, person: &[&Found], dispositions: &[Disposition], now: DateTime<Utc>) -> usize {
        let mut clients = HashSet::new();
        let mut bundle = Vec::new();
        let mut messages = 0;
        for (row, disposition) in person.iter().zip(dispositions) {
            let first = row.client.as_ref().is_some_and(|client| !row.known_client && clients.insert(client));
            let ranked = || (row.key.clone(), rank(row.kind, first));
            match disposition {
                Disposition::Alone => {
                    match row.reader.person.clone().filter(|_| row.is_first_digest) {
                        Some(person) => {
                            self.first_digests.entry((row.address.clone(), person)).or_default().push(ranked());
                        }
                        None => self.alone.push(ranked()),
                    }
                    messages += 1;
                }
                Disposition::Together => bundle.push(ranked()),
                Disposition::Hold { until, by } => {
                    self.over_budget.extend((*by == HeldBy::Budget).then(|| row.tenant.clone()));
                    self.held.push((row.key.clone(), millis(*until), by.as_str()));
                    let waits = match by {
                        HeldBy::Night | HeldBy::Person => true,
                        HeldBy::Budget | HeldBy::Cap | HeldBy::QuietHours => *until - now > SOON,
                        HeldBy::Pace => false,
                    };
                    let sleeps = waits && row.kind == Kind::Alert(Stage::Breached);
                    self.past_sleepers.extend(sleeps.then(|| row.key.clone()));
                }
                Disposition::OtherChannel => {
                    self.over_budget.insert(row.tenant.clone());
                    self.elsewhere.push(row.key.clone());
                }
            }
        }
        if !bundle.is_empty() {
            let due = person.iter().zip(dispositions).filter(|(_, disposition)| **disposition == Disposition::Together);
            self.bundles_due.push(due.map(|(row, _)| row.first_due_at).min().unwrap_or_default());
            self.bundles.push(bundle);
            messages += 1;
        }
        messages
    }

    /// Writes the plan. True if the next step of an alert was brought forward.
    async fn carry_out(&mut self, tx: &mut Connection, now: DateTime<Utc>) -> Result<bool, sql::Error> {
        for digests in std::mem::take(&mut self.first_digests).into_values() {
            if digests.len() > 1 {
                self.bundles.push(digests);
                self.bundles_due.push(millis(now));
            } else {
                self.alone.extend(digests);
            }
        }
        for (rows, due) in std::mem::take(&mut self.bundles).into_iter().zip(std::mem::take(&mut self.bundles_due)) {
            let best = rows.iter().map(|(_, rank)| *rank).min().unwrap_or_default();
            match bundle::form(tx, &rows, due.min(millis(now)), now).await? {
                Some(key) => self.alone.push((key, best)),
                // One of them cannot be read: sent one by one, it is found and set aside.
                None => self.alone.extend(rows),
            }
        }
        if !self.alone.is_empty() {
            release(tx, &self.alone, now).await?;
        }
        if !self.held.is_empty() {
            hold(tx, &self.held).await?;
        }
        if !self.elsewhere.is_empty() {
            say_elsewhere(tx, &self.elsewhere, now).await?;
        }
        if self.past_sleepers.is_empty() { Ok(false) } else { go_past(tx, &self.past_sleepers, now).await }
    }
}

/// Releases rows, each with its rank.
async fn release(tx: &mut Connection, rows: &[(String, u8)], now: DateTime<Utc>) -> Result<(), sql::Error> {
    sql::query(
        "UPDATE notifications SET released_at = $1, due_at = MIN(due_at, $1), first_due_at = MIN(first_due_at, $1),
         rank = CAST(said.value ->> 1 AS BIGINT) FROM json_each($2) AS said
         WHERE notifications.key = said.value ->> 0",
    )
    .bind(millis(now))
    .bind(json(&rows))
    .execute(tx)
    .await
    .map(drop)
}

/// Holds rows. They count as late only from when they may go.
async fn hold(tx: &mut Connection, rows: &[(String, i64, &'static str)]) -> Result<(), sql::Error> {
    sql::query(
        "UPDATE notifications SET due_at = CAST(said.value ->> 1 AS BIGINT),
         first_due_at = CAST(said.value ->> 1 AS BIGINT), held_by = said.value ->> 2
         FROM json_each($1) AS said WHERE notifications.key = said.value ->> 0",
    )
    .bind(json(&rows))
    .execute(tx)
    .await
    .map(drop)
}

/// Runs the next step at once for the alerts whose breach nobody would be told of soon except by the rows of these
/// `keys`, which wait until somebody wakes up or may be texted again. During quiet hours the steps keep their times,
/// except where another channel has failed to tell it. True if there is one.
async fn go_past(tx: &mut Connection, keys: &[String], now: DateTime<Utc>) -> Result<bool, sql::Error> {
    let hurried = sql::query(
        "UPDATE alerts SET next_step_at = $2, hurried = 1 WHERE state = 'open' AND next_step_at > $2 AND key IN (
           SELECT h.alert_key FROM notifications h JOIN alerts a ON a.key = h.alert_key
           WHERE h.key IN (SELECT value FROM json_each($1))
           AND (h.held_by <> 'quiet_hours' OR (a.step <= h.step + 1 AND EXISTS (SELECT 1 FROM notifications r
             WHERE r.alert_key = h.alert_key AND r.stage = h.stage AND r.step = h.step
             AND (r.state = 'failed' OR r.last_error IS NOT NULL OR r.diverted_at IS NOT NULL))))
           AND NOT EXISTS (SELECT 1 FROM notifications n WHERE n.alert_key = h.alert_key AND n.stage = h.stage
             AND n.step = h.step AND n.person IS NOT NULL AND (n.state <> 'pending' OR n.due_at <= $3)
             AND COALESCE(n.held_by, '') NOT IN ('night', 'person')
             AND n.state IN ('pending', 'sending', 'bundled', 'sent')))",
    )
    .bind(json(&keys))
    .bind(millis(now))
    .bind(millis(now + SOON))
    .execute(tx)
    .await?;
    Ok(hurried.rows_affected() > 0)
}

/// Sends each row on its next channel instead.
async fn say_elsewhere(tx: &mut Connection, keys: &[String], now: DateTime<Utc>) -> Result<(), sql::Error> {
    let rows = sql::query(
        "UPDATE notifications SET state = 'failed', held_by = 'budget', last_error = $1, done_at = $2
         WHERE key IN (SELECT value FROM json_each($3)) RETURNING *",
    )
    .bind(OVER_BUDGET)
    .bind(millis(now))
    .bind(json(&keys))
    .fetch_all(&mut *tx)
    .await?;
    let read = rows.iter().filter_map(|row| leased(row).ok());
    let next: Vec<_> = read.filter_map(|row| row.notification.on_next_channel(now)).collect();
    for rows in next.chunks(super::ROWS_A_STATEMENT) {
        enqueue(tx, rows).await?;
    }
    Ok(())
}
