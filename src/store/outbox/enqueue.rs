//! Adds notifications to the outbox, each under its key: however often one is stored, it is there once.

use chrono::{DateTime, Utc};

use super::{NewNotification, digest, json, millis};
use crate::notify::Body;
use crate::sla::zone::Tz;
use crate::store::sealed::{ADDRESS, FALLBACK, MESSAGE, PERSON, RECIPIENT};
use crate::store::sql::{self, Connection, QueryBuilder};

/// Stores `rows`; those with a known key are left as they are, unless they were withdrawn before or while they were
/// sent.
pub(in crate::store) async fn enqueue(tx: &mut Connection, rows: &[NewNotification]) -> Result<(), sql::Error> {
    let mut query: QueryBuilder = QueryBuilder::new(
        "INSERT INTO notifications (key, tenant, alert_key, ticket_id, kind, stage, step, channel, recipient, fallback,
         message, state, due_at, created_at, first_due_at, address, client, priority, breach_at, person, zone, urgent,
         timely) ",
    );
    query.push_values(rows, |mut row, new| {
        let about = About::of(&new.message.body);
        row.push_bind(new.message.key.as_str())
            .push_bind(new.tenant.as_str())
            .push_bind(new.alert_key.as_str())
            .push_bind(new.ticket_id.as_deref())
            .push_bind(new.kind)
            .push_bind(new.stage.as_str())
            .push_bind(i64::from(new.step))
            .push_bind(new.channel.as_str())
            .push_bind(RECIPIENT.word(new.recipient.as_str()))
            .push_bind(FALLBACK.seal(&[&new.message.key], json(&new.fallback)))
            .push_bind(MESSAGE.seal(&[&new.message.key], json(&new.message)))
            .push_bind("pending")
            .push_bind(millis(new.due_at))
            .push_bind(millis(new.created_at))
            .push_bind(millis(new.due_at))
            .push_bind(ADDRESS.word(new.message.to.as_str()))
            .push_bind(about.client)
            .push_bind(about.priority)
            .push_bind(about.breach_at.map(millis))
            .push_bind(new.reader.person.as_deref().map(|person| PERSON.word(person)))
            .push_bind(new.reader.zone.map(Tz::name))
            .push_bind(new.reader.urgent)
            .push_bind(new.reader.timely);
    });
    query.push(
        " ON CONFLICT (key) DO UPDATE SET void = 0, message = excluded.message, fallback = excluded.fallback,
         due_at = excluded.due_at, first_due_at = excluded.first_due_at, created_at = excluded.created_at,
         client = excluded.client, priority = excluded.priority, breach_at = excluded.breach_at,
         person = excluded.person, zone = excluded.zone, urgent = excluded.urgent, timely = excluded.timely,
         state = CASE notifications.state WHEN 'cancelled' THEN 'pending' ELSE notifications.state END,
         done_at = CASE WHEN notifications.state <> 'cancelled' THEN notifications.done_at END,
         released_at = CASE WHEN notifications.state <> 'cancelled' THEN notifications.released_at END,
         held_by = CASE WHEN notifications.state <> 'cancelled' THEN notifications.held_by END,
         bundle = CASE WHEN notifications.state <> 'cancelled' THEN notifications.bundle END,
         tried_since = CASE WHEN notifications.state <> 'cancelled' THEN notifications.tried_since END
         WHERE notifications.state = 'cancelled' OR (notifications.void = 1 AND notifications.state IN ('sending', 'bundled'))",
    );
    query.build().execute(&mut *tx).await?;
    let digests = rows.iter().filter(|row| row.kind == "digest").map(|row| row.message.key.as_str());
    note_members(tx, &digests.collect::<Vec<_>>()).await
}

/// Records which alerts these digests tell whom of.
async fn note_members(tx: &mut Connection, digests: &[&str]) -> Result<(), sql::Error> {
    if digests.is_empty() {
        return Ok(());
    }
    let stored = sql::query(
        "SELECT key, message, alert_key, recipient, created_at FROM notifications
         WHERE key IN (SELECT value FROM json_each($1)) ORDER BY key",
    );
    for row in stored.bind(json(&digests)).fetch_all(&mut *tx).await? {
        let message: String = row.try_get("message")?;
        let recipient: String = row.try_get("recipient")?;
        sql::query(
            "INSERT INTO digested (alert_key, digest, recipient, at)
             SELECT value, $2, $3, $4 FROM json_each($1) AS said WHERE true ON CONFLICT DO NOTHING",
        )
        .bind(json(&digest::alerts_of(&message)))
        .bind(row.try_get::<String, _>("alert_key")?)
        .bind(RECIPIENT.word(recipient))
        .bind(row.try_get::<i64, _>("created_at")?)
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// The facts of a message that decide how it is shaped.
#[derive(Default)]
struct About<'a> {
    client: Option<&'a str>,
    priority: Option<&'a str>,
    breach_at: Option<DateTime<Utc>>,
}

impl<'a> About<'a> {
    fn of(body: &'a Body) -> Self {
        let (ticket, due) = match body {
            Body::Alert(facts) => (&facts.ticket, facts.due),
            Body::Recovery(facts) => (&facts.ticket, facts.due),
            _ => return Self::default(),
        };
        Self { client: ticket.client.as_deref(), priority: ticket.priority.as_deref(), breach_at: Some(due) }
    }
}
