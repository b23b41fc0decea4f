//! How much people were sent recently, as far as the pace of messages depends on it.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::{json, millis};
use crate::alert::escalation::ChannelKind;
use crate::alert::noise::{Heard, Pace};
use crate::store::sealed::PERSON;
use crate::store::sql::{self, Connection};

/// How far back messages to one person are counted.
const DAY: TimeDelta = TimeDelta::days(1);

/// Counts what each of `people` was sent recently. Messages on all channels count, but on each only up to a day's
/// limit: beyond that nothing changes, however many there were. Messages that failed told nobody.
pub(super) async fn heard(
    tx: &mut Connection,
    people: &HashSet<&str>,
    pace: &Pace,
    now: DateTime<Utc>,
) -> Result<HashMap<String, Heard>, sql::Error> {
    let mut heard: HashMap<String, Heard> = HashMap::new();
    if people.is_empty() {
        return Ok(heard);
    }
    let rows: Vec<(String, u32, Option<i64>, Option<i64>)> = sql::query_as(
        "SELECT person.value AS person,
           (SELECT COUNT(*) FROM (SELECT 1 FROM notifications n WHERE n.person = person.value
              AND n.channel = channel.value AND n.released_at > $3 AND n.released_at <= $4 AND n.bundle IS NULL
              AND n.state NOT IN ('cancelled', 'failed') ORDER BY n.released_at DESC LIMIT $5) AS few),
           (SELECT n.released_at FROM notifications n WHERE n.person = person.value
              AND n.channel = channel.value AND n.released_at > $3 AND n.released_at <= $4 AND n.bundle IS NULL
              AND n.state NOT IN ('cancelled', 'failed') ORDER BY n.released_at DESC LIMIT 1),
           (SELECT MAX(released_at) FROM (SELECT n.released_at, n.urgent FROM notifications n WHERE n.person = person.value
              AND n.channel = channel.value AND n.released_at > $3 AND n.released_at <= $4 AND n.bundle IS NULL
              AND n.state NOT IN ('cancelled', 'failed') ORDER BY n.released_at DESC LIMIT $5) AS few WHERE urgent = 1)
         FROM json_each($1) AS person CROSS JOIN json_each($2) AS channel",
    )
    .bind(PERSON.any_of(people.iter().copied()))
    .bind(json(&ChannelKind::ALL))
    .bind(millis(now - DAY))
    .bind(millis(now))
    .bind(pace.a_day)
    .fetch_all(tx)
    .await?;
    let moment = |millis: Option<i64>| millis.and_then(DateTime::from_timestamp_millis);
    for (person, today, last, last_urgent) in rows {
        let heard = heard.entry(person).or_default();
        heard.today += today;
        heard.last = heard.last.max(moment(last));
        heard.last_urgent = heard.last_urgent.max(moment(last_urgent));
    }
    Ok(heard)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    const INSERT: &str =
        "INSERT INTO notifications (key, tenant, alert_key, kind, stage, step, channel, recipient, fallback,
           message, state, due_at, first_due_at, created_at, person, released_at, bundle, urgent)
         SELECT value ->> 0, 'desk', 'a', 'alert', 'breached', 0, value ->> 1, 'Mia', '[]', '{}', value ->> 2, 0, 0, 0,
           value ->> 3, CAST(value ->> 4 AS BIGINT), value ->> 5, CASE value ->> 1 WHEN 'sms' THEN 1 ELSE 0 END
         FROM json_each($1) AS said";

    #[tokio::test]
    async fn each_channel_counts_as_far_as_it_matters_and_the_last_message_is_that_of_any() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("sla.db"), std::sync::Arc::default()).await.unwrap();
        let now = DateTime::from_timestamp_millis(100_000_000).unwrap();
        let ago = |minutes: i64| millis(now - TimeDelta::minutes(minutes));
        let none = Option::<&str>::None;
        let mut rows = vec![
            ("bundled", "sms", "sent", "mia", ago(1), Some("other")),
            ("withdrawn", "sms", "cancelled", "mia", ago(2), none),
            ("refused", "sms", "failed", "mia", ago(2), none),
            ("text", "sms", "sent", "mia", ago(30), none),
            ("yesterday", "sms", "sent", "mia", ago(24 * 60), none),
            ("to somebody else", "sms", "sent", "leo", ago(1), none),
        ];
        let keys: Vec<_> = (0..9).map(|nth| format!("mail {nth}")).collect();
        rows.extend(keys.iter().zip(3..).map(|(key, at)| (key.as_str(), "email", "sent", "mia", ago(at), none)));
        let rows = json(&rows);
        let heard = store
            .writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    sql::query(INSERT).bind(rows).execute(&mut *tx).await?;
                    let pace = Pace { a_day: 4, ..Pace::default() };
                    heard(tx, &HashSet::from(["mia", "zoe"]), &pace, now).await
                })
            })
            .await
            .unwrap();
        // Four of the nine mails, and the one text.
        let (last, last_urgent) = (DateTime::from_timestamp_millis(ago(3)), DateTime::from_timestamp_millis(ago(30)));
        assert_eq!(heard["mia"], Heard { today: 5, last, last_urgent }, "the texts are urgent");
        assert_eq!(heard["zoe"], Heard::default());
    }
}
