//! Incidents of services with their updates, and announced work.

use std::collections::BTreeMap;

use super::audit::{Author, audit};
use super::sql::{self, Connection, Row};
use super::{Store, StoreError, instant};
use crate::keys::id_of;
use crate::store::sealed::{CAUSE, NOTE};
use crate::ticket::TenantId;
use crate::uptime::incident::{Announcements, Impact, Incident, JOINS, Outage, Progress, Update, Work};
use crate::uptime::{Millis, SPANS_KEPT};

/// How far back incidents are read, and the most that are read.
const TOLD: Millis = 400 * crate::uptime::DAY;
const INCIDENTS_MOST: i64 = 500;
const UPDATES_MOST: i64 = 10_000;
/// The most announced work: work that is not read here would count as downtime, so no more than this is accepted.
pub(crate) const WORKS_MOST: i64 = 50_000;
/// The author of updates that no person has written.
const NOBODY: &str = "the watch itself";

type UpdateRow = (String, i64, i64, String, String, Option<String>, String);

impl Store {
    /// Returns what is announced about services besides their states.
    pub async fn announcements(&self, now: Millis) -> Result<Announcements, StoreError> {
        let rows = sql::query(
            "SELECT id, tenant, title, impact, progress, components, public, automatic, cause, started_at, resolved_at
             FROM incidents WHERE started_at > $1 ORDER BY started_at DESC, id LIMIT $2",
        )
        .bind(now - TOLD)
        .bind(INCIDENTS_MOST)
        .fetch_all(&self.reads)
        .await?;
        let mut updates = self.incident_updates(now).await?;
        let incidents = rows.iter().map(|row| incident(row, &mut updates)).collect::<Result<_, _>>()?;
        let works = sql::query(
            "SELECT id, tenant, title, words, components, public, from_at, until_at, announced_at, changed_at, revision,
                    cancelled, author
             FROM planned_work WHERE until_at > $1 ORDER BY until_at DESC, id LIMIT $2",
        )
        .bind(now - SPANS_KEPT)
        .bind(WORKS_MOST)
        .fetch_all(&self.reads)
        .await?;
        let mut works: Vec<Work> = works.iter().map(work).collect::<Result<_, _>>()?;
        works.sort_by(|a, b| (a.from, &a.id).cmp(&(b.from, &b.id)));
        Ok(Announcements { incidents, works })
    }

    async fn incident_updates(&self, now: Millis) -> Result<BTreeMap<String, Vec<Update>>, StoreError> {
        let rows: Vec<UpdateRow> = sql::query_as(
            "SELECT u.incident, u.number, u.at, u.progress, u.words, u.note, u.author
             FROM incidents i JOIN incident_updates u ON u.incident = i.id
             WHERE i.started_at > $1 ORDER BY i.started_at DESC, u.incident, u.number LIMIT $2",
        )
        .bind(now - TOLD)
        .bind(UPDATES_MOST)
        .fetch_all(&self.reads)
        .await?;
        let mut updates: BTreeMap<String, Vec<Update>> = BTreeMap::new();
        for (incident, number, at, progress, text, note, author) in rows {
            let progress = Progress::parse(&progress).unwrap_or_default();
            updates.entry(incident).or_default().push(Update { number, at, progress, text, note, author });
        }
        Ok(updates)
    }

    /// Stores an incident as it is after `update`, and adds that update after all others.
    pub async fn save_incident(
        &self,
        incident: Incident,
        update: Update,
        author: Author,
        what: String,
    ) -> Result<(), StoreError> {
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    upsert(tx, &incident, None).await?;
                    append(tx, &incident.id, &update).await?;
                    written(tx, &incident.tenant, &what, &author, update.at).await
                })
            })
            .await
    }

    /// Stores announced work.
    pub async fn save_work(&self, work: Work, author: Author, what: String) -> Result<(), StoreError> {
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    sql::query(
                        "INSERT INTO planned_work (id, tenant, title, words, components, public, from_at, until_at,
                           announced_at, changed_at, revision, cancelled, author)
                         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
                         ON CONFLICT (id) DO UPDATE SET until_at = excluded.until_at, changed_at = excluded.changed_at,
                           revision = excluded.revision, cancelled = excluded.cancelled",
                    )
                    .bind(&work.id)
                    .bind(&work.tenant)
                    .bind(&work.title)
                    .bind(&work.text)
                    .bind(json(&work.components))
                    .bind(i64::from(work.public))
                    .bind(work.from)
                    .bind(work.until)
                    .bind(work.announced_at)
                    .bind(work.changed_at)
                    .bind(i64::from(work.revision))
                    .bind(i64::from(work.cancelled))
                    .bind(&work.author)
                    .execute(&mut *tx)
                    .await?;
                    written(tx, &work.tenant, &what, &author, work.changed_at).await
                })
            })
            .await
    }
}

async fn written(tx: &mut Connection, tenant: &str, what: &str, author: &Author, at: Millis) -> Result<(), sql::Error> {
    let decode = |error: Box<dyn std::error::Error + Send + Sync>| sql::Error::Decode(error);
    let tenant = TenantId::parse(tenant).map_err(|error| decode(error.into()))?;
    let at = instant(at).map_err(|error| decode(error.into()))?;
    audit(tx, Some(&tenant), what, author, at).await
}

async fn upsert(tx: &mut Connection, one: &Incident, outage: Option<&str>) -> Result<(), sql::Error> {
    sql::query(
        "INSERT INTO incidents (id, tenant, title, impact, progress, components, public, automatic, cause, outage,
           started_at, resolved_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         ON CONFLICT (id) DO UPDATE SET title = excluded.title, impact = excluded.impact, progress = excluded.progress,
           public = excluded.public, cause = excluded.cause, outage = COALESCE(excluded.outage, incidents.outage),
           resolved_at = excluded.resolved_at",
    )
    .bind(&one.id)
    .bind(&one.tenant)
    .bind(&one.title)
    .bind(one.impact.as_str())
    .bind(one.progress.as_str())
    .bind(json(&one.components))
    .bind(i64::from(one.public))
    .bind(i64::from(one.automatic))
    .bind(one.cause.as_ref().map(|cause| CAUSE.seal(&[&one.id], cause)))
    .bind(outage)
    .bind(one.started_at)
    .bind(one.resolved_at)
    .execute(tx)
    .await?;
    Ok(())
}

async fn append(tx: &mut Connection, incident: &str, update: &Update) -> Result<(), sql::Error> {
    let last = "SELECT COALESCE(MAX(number), 0), MAX(at) FROM incident_updates WHERE incident = $1";
    let last = sql::query_as::<(i64, Option<i64>)>(last).bind(incident).fetch_one(&mut *tx).await?;
    let number = last.0 + 1;
    // An outage may turn out to have begun before the previous update: feeds sort by time, and this must come last.
    let at = last.1.map_or(update.at, |last| update.at.max(last + 1));
    sql::query(
        "INSERT INTO incident_updates (incident, number, at, progress, words, note, author)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(incident)
    .bind(number)
    .bind(at)
    .bind(update.progress.as_str())
    .bind(&update.text)
    .bind(update.note.as_ref().map(|note| NOTE.seal(&[incident, &number.to_string()], note)))
    .bind(&update.author)
    .execute(tx)
    .await?;
    Ok(())
}

/// Makes the incident of a service follow its outages.
///
/// The incident is found by the service, and whether it covers the outage is judged by its latest update: the start of
/// an outage may be corrected while it lasts, and it may even turn out that there was none.
pub(super) async fn follow_outage(tx: &mut Connection, outage: &Outage) -> Result<(), sql::Error> {
    match outage {
        Outage::Began { key, incident, text } => open_by_itself(tx, key, incident, text).await,
        Outage::Over { tenant, component, at, text } => close_by_itself(tx, tenant, component, text, *at).await,
    }
}

/// Opens an incident for a service that is down, or reopens the one of an outage just before.
async fn open_by_itself(tx: &mut Connection, key: &str, new: &Incident, text: &str) -> Result<(), sql::Error> {
    let began = new.started_at;
    let Some((id, resolved_at)) = latest_by_itself(tx, &new.tenant, &new.components, began - JOINS, began).await?
    else {
        let id = id_of(key);
        upsert(tx, &Incident { id: id.clone(), ..new.clone() }, Some(key)).await?;
        return append(tx, &id, &of_itself(Progress::Investigating, text, began)).await;
    };
    let is_of_it = resolved_at.is_none_or(|resolved_at| resolved_at >= began);
    if is_of_it && is_said_to_fail(tx, &id).await? {
        // Already told; if somebody has said meanwhile that it is over, that is believed.
        return Ok(());
    }
    let again =
        sql::query("UPDATE incidents SET outage = $2, progress = 'investigating', resolved_at = NULL WHERE id = $1");
    again.bind(&id).bind(key).execute(&mut *tx).await?;
    append(tx, &id, &of_itself(Progress::Investigating, "It has stopped answering again.", began)).await
}

/// Handles a service that works again or is no longer watched: resolves its incident unless people have posted on it;
/// then they do.
async fn close_by_itself(
    tx: &mut Connection,
    tenant: &str,
    component: &str,
    text: &str,
    now: Millis,
) -> Result<(), sql::Error> {
    let components = [component.to_owned()];
    let Some((id, None)) = latest_by_itself(tx, tenant, &components, now, now).await? else { return Ok(()) };
    if !is_said_to_fail(tx, &id).await? {
        return Ok(());
    }
    let spoken = "SELECT COUNT(*) FROM incident_updates WHERE incident = $1 AND author <> $2";
    let spoken: i64 = sql::query_scalar(spoken).bind(&id).bind(NOBODY).fetch_one(&mut *tx).await?;
    let (progress, resolved_at) =
        if spoken == 0 { (Progress::Resolved, Some(now)) } else { (Progress::Monitoring, None) };
    let over = sql::query("UPDATE incidents SET progress = $2, resolved_at = $3 WHERE id = $1");
    over.bind(&id).bind(progress.as_str()).bind(resolved_at).execute(&mut *tx).await?;
    append(tx, &id, &of_itself(progress, text, now)).await
}

/// Returns the latest incident opened automatically for outages of these components, unless it was over by `since`, and
/// when it was over.
async fn latest_by_itself(
    tx: &mut Connection,
    tenant: &str,
    components: &[String],
    since: Millis,
    now: Millis,
) -> Result<Option<(String, Option<Millis>)>, sql::Error> {
    let latest = sql::query_as(
        "SELECT id, resolved_at FROM incidents WHERE started_at > $1 AND tenant = $2 AND components = $3
           AND automatic = 1 AND (resolved_at IS NULL OR resolved_at > $4) ORDER BY started_at DESC LIMIT 1",
    );
    latest.bind(now - TOLD).bind(tenant).bind(json(components)).bind(since).fetch_optional(tx).await
}

/// Whether the latest automatic update of `incident` says that something fails.
async fn is_said_to_fail(tx: &mut Connection, incident: &str) -> Result<bool, sql::Error> {
    let last = sql::query_scalar::<String>(
        "SELECT progress FROM incident_updates WHERE incident = $1 AND author = $2 ORDER BY number DESC LIMIT 1",
    );
    let last = last.bind(incident).bind(NOBODY).fetch_optional(tx).await?;
    Ok(last.is_some_and(|progress| progress == Progress::Investigating.as_str()))
}

fn of_itself(progress: Progress, text: &str, at: Millis) -> Update {
    Update { number: 0, at, progress, text: text.to_owned(), note: None, author: NOBODY.to_owned() }
}

/// Deletes incidents and work older than the kept states of services.
pub(super) async fn forget(tx: &mut Connection, before: Millis) -> Result<(), sql::Error> {
    let said = "DELETE FROM incident_updates WHERE incident IN (SELECT id FROM incidents WHERE started_at < $1)";
    sql::query(said).bind(before).execute(&mut *tx).await?;
    sql::query("DELETE FROM incidents WHERE started_at < $1").bind(before).execute(&mut *tx).await?;
    sql::query("DELETE FROM planned_work WHERE until_at < $1").bind(before).execute(&mut *tx).await?;
    Ok(())
}

fn json(ids: &[String]) -> String {
    serde_json::to_string(ids).unwrap_or_default()
}

fn ids(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_default()
}

pub(super) fn incident(row: &Row, updates: &mut BTreeMap<String, Vec<Update>>) -> Result<Incident, sql::Error> {
    let text = |column: &str| row.try_get::<String, _>(column);
    let flag = |column: &str| Ok::<_, sql::Error>(row.try_get::<i64, _>(column)? == 1);
    let id = text("id")?;
    Ok(Incident {
        updates: updates.remove(&id).unwrap_or_default(),
        id,
        tenant: text("tenant")?,
        title: text("title")?,
        impact: Impact::parse(&text("impact")?).unwrap_or_default(),
        progress: Progress::parse(&text("progress")?).unwrap_or_default(),
        components: ids(&text("components")?),
        public: flag("public")?,
        automatic: flag("automatic")?,
        cause: row.try_get("cause")?,
        started_at: row.try_get("started_at")?,
        resolved_at: row.try_get("resolved_at")?,
    })
}

pub(super) fn work(row: &Row) -> Result<Work, sql::Error> {
    let text = |column: &str| row.try_get::<String, _>(column);
    let number = |column: &str| row.try_get::<i64, _>(column);
    Ok(Work {
        id: text("id")?,
        tenant: text("tenant")?,
        title: text("title")?,
        text: text("words")?,
        components: ids(&text("components")?),
        public: number("public")? == 1,
        from: number("from_at")?,
        until: number("until_at")?,
        announced_at: number("announced_at")?,
        changed_at: number("changed_at")?,
        revision: u32::try_from(number("revision")?).unwrap_or_default(),
        cancelled: number("cancelled")? == 1,
        author: text("author")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::uptime::UptimeChange;

    fn began(at: Millis) -> Outage {
        let incident = Incident {
            id: String::new(),
            tenant: "acme".to_owned(),
            title: "Outage of Web shop".to_owned(),
            impact: Impact::Major,
            progress: Progress::Investigating,
            components: vec!["shop".to_owned()],
            public: true,
            automatic: true,
            cause: None,
            started_at: at,
            resolved_at: None,
            updates: Vec::new(),
        };
        Outage::Began { key: format!("shop:{at}"), incident, text: "We see an outage.".to_owned() }
    }

    #[tokio::test]
    async fn what_is_said_of_an_incident_stands_in_the_order_of_time_though_its_outage_is_known_late() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("sla.db"), std::sync::Arc::default()).await.unwrap();
        let (tenant, component) = ("acme".to_owned(), "shop".to_owned());
        let over = Outage::Over { tenant, component, at: 70_000, text: "The service is working again.".to_owned() };
        // Down again before that was said.
        let outages = vec![began(10_000), over, began(40_000)];
        store.uptime_write(UptimeChange { outages, ..UptimeChange::default() }).await.unwrap();
        let told = store.announcements(80_000).await.unwrap();
        let said: Vec<_> = told.incidents[0].updates.iter().map(|one| (one.at, one.progress.as_str())).collect();
        assert_eq!(said, [(10_000, "investigating"), (70_000, "resolved"), (70_001, "investigating")]);
    }
}
