//! Stores what people do to alerts.
//!
//! An act is one transaction: it stores the changed alert, withdraws its pending notifications, updates the systems
//! that were told of it, and adds a row to the audit log. Each act takes the tenant's next number, so that the holder
//! of an older copy of the alert notices before overwriting it.

use chrono::{DateTime, Utc};
use tracing::info;

use super::alerts::{AlertRow, LAST_ACT, Recovered, alert_row, recover, rewrite};
use super::audit::{Author, audit_act};
use super::outbox::{MAY_BE_KNOWN, NewNotification, Reader, enqueue, notification_key, withdraw};
use super::weekly::count_act;
use super::{Store, StoreError};
use crate::alert::escalation::ChannelKind;
use crate::alert::life::{Act, Actor, Hold, Life};
use crate::alert::{AlertKey, Closing};
use crate::notify::{AcknowledgedFacts, Body, Message, RecoveryFacts};
use crate::store::sql::{self, AssertSqlSafe, Connection};

/// The result of an act.
#[derive(Clone, Debug, PartialEq)]
pub struct Acted {
    /// The alert as it stands now.
    pub alert: AlertRow,
    /// False if it was so before or the alert is over: nothing was changed.
    pub changed: bool,
}

impl Store {
    /// Does `act` to the alert `id`; none if there is no such alert. The act is stored when this returns, and from then
    /// on none of the alert's pending notifications is sent.
    pub async fn act(
        &self,
        id: &str,
        act: Act,
        actor: &Actor,
        now: DateTime<Utc>,
    ) -> Result<Option<Acted>, StoreError> {
        let (id, by) = (id.to_owned(), actor.clone());
        let acted = self
            .writer
            .write(move |tx: &mut Connection| Box::pin(async move { carry_out(tx, &id, act, &by, now).await }))
            .await?;
        if let Some(acted) = acted.as_ref().filter(|acted| acted.changed) {
            self.log_act(&acted.alert.key, act, actor).await;
        }
        Ok(acted)
    }

    /// Logs the act with the ticket's number: nobody finds a ticket by its id alone.
    async fn log_act(&self, key: &AlertKey, act: Act, actor: &Actor) {
        let ticket = match key.ticket() {
            Some(ticket) => self.ticket(&key.tenant, ticket).await.ok().flatten(),
            None => None,
        };
        let number = ticket.map_or_else(|| key.subject.to_string(), |watched| watched.ticket.display_id.clone());
        let (who, did, how) = (&actor.name, act.words(), actor.how.words());
        info!(tenant = %key.tenant, ticket.number = %number, alert.id = %key.id(), who = %who,
            "{who} {did} the {} alert of ticket {number} {how}", key.kind.words());
    }
}

async fn carry_out(
    tx: &mut Connection,
    id: &str,
    act: Act,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Option<Acted>, sql::Error> {
    let row = sql::query("SELECT * FROM alerts WHERE id = $1 AND id <> ''").bind(id).fetch_optional(&mut *tx).await?;
    let Some(row) = row else { return Ok(None) };
    let before = alert_row(&row).map_err(|error| sql::Error::Decode(error.into()))?;
    let Some(after) = before.after(act, actor, now) else {
        return Ok(Some(Acted { alert: before, changed: false }));
    };
    count_act(tx, &before, now).await?;
    let alert = numbered(tx, after).await?;
    rewrite(tx, &alert).await?;
    if act != Act::Escalate {
        withdraw(tx, &[alert.key.to_string()], now).await?;
    }
    tell_systems(tx, &alert, now).await?;
    let author = Author { who: actor.name.clone(), origin: actor.origin.clone() };
    let note = actor.note.as_deref().filter(|note| !note.is_empty()).map(|note| format!(": {note}"));
    let key = alert.key.to_string();
    let until = match act {
        Act::Snooze { until } => format!(" until {}", until.to_rfc3339()),
        Act::Acknowledge | Act::Resolve | Act::Escalate => String::new(),
    };
    let what = format!("{} alert {key}{until} ({}){}", act.words(), actor.how.words(), note.unwrap_or_default());
    audit_act(tx, Some(&alert.key.tenant), Some(&key), &what, &author, now).await?;
    Ok(Some(Acted { alert, changed: true }))
}

/// Returns `alert` with the tenant's next number of acts.
pub(super) async fn numbered(tx: &mut Connection, alert: AlertRow) -> Result<AlertRow, sql::Error> {
    let last: Option<i64> = sql::query_scalar(LAST_ACT).bind(alert.key.tenant.as_str()).fetch_optional(tx).await?;
    Ok(AlertRow { life: Life { acts: last.unwrap_or_default() + 1, ..alert.life }, ..alert })
}

/// Tells the systems that were told of `alert` what a person did to it.
async fn tell_systems(tx: &mut Connection, alert: &AlertRow, now: DateTime<Utc>) -> Result<(), sql::Error> {
    let Some(message) = last_message(tx, alert).await? else { return Ok(()) };
    match (&alert.raised.resolved_as, alert.life.held()) {
        (Some(closing), _) => match over(alert, &message, *closing, now) {
            Some(recovered) => recover(tx, &recovered, now).await,
            None => Ok(()),
        },
        (None, Some(hold)) => tell_of_hold(tx, alert, hold, now).await,
        (None, None) => Ok(()),
    }
}

/// Returns the last message about `alert` that may have been read.
async fn last_message(tx: &mut Connection, alert: &AlertRow) -> Result<Option<Message>, sql::Error> {
    let query = format!(
        "SELECT n.message, n.key FROM notifications n WHERE n.alert_key = $1 AND n.kind = 'alert' AND {MAY_BE_KNOWN}
         ORDER BY n.created_at DESC, n.key LIMIT 1"
    );
    let text: Option<String> =
        sql::query_scalar(AssertSqlSafe(query)).bind(alert.key.to_string()).fetch_optional(tx).await?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

fn over(alert: &AlertRow, message: &Message, closing: Closing, now: DateTime<Utc>) -> Option<Recovered> {
    let Body::Alert(told) = &message.body else { return None };
    let (ticket, clock) = (told.ticket.clone(), told.clock);
    let facts = RecoveryFacts { ticket, clock, met_at: now, due: alert.raised.due, working: None, closing };
    let body = serde_json::to_value(Body::Recovery(facts)).ok()?;
    let (key, episode, generation) = (alert.key.clone(), alert.raised.episode, alert.generation);
    Some(Recovered { key, episode, generation, closing, body, taker: None, at: now })
}

async fn tell_of_hold(
    tx: &mut Connection,
    alert: &AlertRow,
    hold: &Hold,
    now: DateTime<Utc>,
) -> Result<(), sql::Error> {
    let query = format!(
        "SELECT n.recipient, n.channel, MAX(n.message) AS message FROM notifications n
         WHERE n.alert_key = $1 AND n.kind = 'alert' AND {MAY_BE_KNOWN}
         GROUP BY n.recipient, n.channel ORDER BY n.recipient, n.channel"
    );
    let rows = sql::query(AssertSqlSafe(query)).bind(alert.key.to_string()).fetch_all(&mut *tx).await?;
    let mut notices = Vec::new();
    for row in rows {
        let channel: String = row.try_get("channel")?;
        let Some(channel) = ChannelKind::parse(&channel).filter(|kind| kind.is_system()) else { continue };
        let message: String = row.try_get("message")?;
        notices.extend(notice(alert, hold, channel, row.try_get("recipient")?, &message, now));
    }
    if notices.is_empty() { Ok(()) } else { enqueue(tx, &notices).await }
}

/// Makes the notice that somebody holds `alert`, for a system that got `message` about it.
fn notice(
    alert: &AlertRow,
    hold: &Hold,
    channel: ChannelKind,
    recipient: String,
    message: &str,
    now: DateTime<Utc>,
) -> Option<NewNotification> {
    let message: Message = serde_json::from_str(message).ok()?;
    let Body::Alert(told) = &message.body else { return None };
    let body = Body::Acknowledged(AcknowledgedFacts {
        ticket: told.ticket.clone(),
        clock: told.clock,
        stage: alert.raised.stage,
        due: alert.raised.due,
        by: hold.by.clone(),
        how: hold.how,
        at: hold.at,
        until: hold.until,
    });
    let alert_key = alert.key.to_string();
    let key =
        notification_key(&[&alert_key, &alert.life.acts.to_string(), "acknowledged", &recipient, channel.as_str()]);
    Some(NewNotification {
        tenant: alert.key.tenant.clone(),
        ticket_id: Some(alert.key.subject.to_string()),
        kind: "acknowledged",
        stage: alert.raised.stage.as_str().to_owned(),
        step: 0,
        channel,
        recipient,
        fallback: Vec::new(),
        message: Message { key, continues_thread: true, body, ..message },
        due_at: now,
        created_at: now,
        reader: Reader::default(),
        alert_key,
    })
}
