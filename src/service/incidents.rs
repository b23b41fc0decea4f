//! Incidents of services and announced work, which people open, follow and end.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Complaint, Reach, Service, ServiceError};
use crate::config::uptime::Component;
use crate::keys::id_of;
use crate::store::audit::Author;
use crate::store::incidents::WORKS_MOST;
use crate::store::millis;
use crate::uptime::incident::{Impact, Incident, Progress, Saying, Update, Work};
use crate::uptime::{DAY, Millis};

/// The most characters of a title and of a text: nobody reads longer ones.
pub const TITLE_MOST: usize = 200;
pub const TEXT_MOST: usize = 4000;
/// The most characters of all texts in one order: a title, what everybody is told, a note and a cause.
pub const ORDER_MOST: usize = TITLE_MOST + 3 * TEXT_MOST;
/// The most characters of a text in the audit log; the whole of it stands with the incident.
const AUDITED_MOST: usize = 500;
/// The most items in one answer.
const SHOWN_MOST: usize = 500;
/// How long work may take, and how far ahead it may be announced.
const WORK_MOST: Millis = 31 * DAY;
const AHEAD_MOST: Millis = 400 * DAY;

/// An incident with all that was said of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct IncidentView {
    pub id: String,
    pub tenant: String,
    pub title: String,
    /// none | minor | major | critical
    pub impact: &'static str,
    /// investigating | identified | monitoring | resolved
    pub status: &'static str,
    pub components: Vec<String>,
    /// Whether the public page shows it.
    pub public: bool,
    /// It was opened because something was seen to be down.
    pub automatic: bool,
    pub cause: Option<String>,
    pub started_at: DateTime<Utc>,
    pub resolved_at: Option<DateTime<Utc>>,
    /// The latest first.
    pub updates: Vec<UpdateView>,
}

/// What was said of an incident at one time.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UpdateView {
    pub at: DateTime<Utc>,
    pub status: &'static str,
    /// For everybody.
    pub text: String,
    /// For those with a token only.
    pub note: Option<String>,
    pub author: String,
}

/// Announced work.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WorkView {
    pub id: String,
    pub tenant: String,
    pub title: String,
    pub text: String,
    pub components: Vec<String>,
    pub public: bool,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub announced_at: DateTime<Utc>,
    pub revision: u32,
    pub cancelled: bool,
    pub author: String,
}

/// Which incidents are asked for.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct IncidentQuery {
    pub tenant: Option<String>,
    /// Only those that are not over, or only those that are.
    pub open: Option<bool>,
    /// Only those that touch this one.
    pub component: Option<String>,
}

/// An incident to be opened.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IncidentOrder {
    pub title: String,
    /// What it touches; all of one tenant.
    pub components: Vec<String>,
    /// none | minor | major | critical; else minor
    pub impact: Option<String>,
    /// What everybody is told.
    pub text: Option<String>,
    /// What only people who may sign in are told.
    pub note: Option<String>,
    /// Whether the public page shows it; yes by default.
    pub public: Option<bool>,
}

/// What somebody says about an incident; what is left out stays as it was.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SayingOrder {
    /// investigating | identified | monitoring | resolved
    pub status: Option<String>,
    pub text: Option<String>,
    pub note: Option<String>,
    pub title: Option<String>,
    pub impact: Option<String>,
    /// Why it came to that: needed to resolve what was major or critical.
    pub cause: Option<String>,
    pub public: Option<bool>,
}

/// Work to be announced.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkOrder {
    pub title: String,
    pub components: Vec<String>,
    pub text: Option<String>,
    /// A time with its zone, like 2026-11-30T22:00:00+01:00; without one it is UTC.
    pub from: String,
    pub until: String,
    pub public: Option<bool>,
}

impl Service {
    /// The incidents within `scope`, the latest first.
    pub fn incidents(&self, scope: &Reach, query: &IncidentQuery) -> Vec<IncidentView> {
        let announcements = self.announcements();
        let all = announcements.incidents.iter().filter(|one| is_within(scope, &one.tenant));
        let all = all.filter(|one| query.open.is_none_or(|open| open == one.resolved_at.is_none()));
        let meant = |one: &&Incident| query.component.as_ref().is_none_or(|wanted| one.components.contains(wanted));
        all.filter(meant).take(SHOWN_MOST).map(incident_view).collect()
    }

    /// One incident by its id.
    pub fn incident(&self, scope: &Reach, id: &str) -> Option<IncidentView> {
        let announcements = self.announcements();
        let found = announcements.incidents.iter().find(|one| one.id == id && is_within(scope, &one.tenant));
        found.map(incident_view)
    }

    /// Opens an incident.
    pub async fn open_incident(
        &self,
        scope: &Reach,
        order: IncidentOrder,
        author: Author,
    ) -> Result<IncidentView, ServiceError> {
        let now = millis(self.leaders_now());
        let (tenant, components) = self.touched(scope, &order.components)?;
        let title = text("title", Some(order.title), TITLE_MOST)?
            .ok_or_else(|| bad(Complaint::about("title", "say what it is: `title`")))?;
        let mut incident = Incident {
            id: id_of(&format!("{tenant}:incident:{title}:{now}")),
            tenant,
            title,
            impact: order.impact.as_deref().map(impact).transpose()?.unwrap_or_default(),
            progress: Progress::default(),
            components,
            public: order.public.unwrap_or(true),
            automatic: false,
            cause: None,
            started_at: now,
            resolved_at: None,
            updates: Vec::new(),
        };
        let saying = Saying {
            text: text("text", order.text, TEXT_MOST)?,
            note: text("note", order.note, TEXT_MOST)?,
            ..Saying::default()
        };
        let update = incident.say(saying, &author.who, now).map_err(|why| bad(Complaint::whole(why)))?;
        let what =
            format!("opened the incident {} of {}: {}", incident.id, incident.components.join(", "), incident.title);
        self.save_incident(incident, update, author, what).await
    }

    /// Adds an update to an incident; none if there is no such incident within `scope`.
    pub async fn say_of_incident(
        &self,
        scope: &Reach,
        id: &str,
        order: SayingOrder,
        author: Author,
    ) -> Result<Option<IncidentView>, ServiceError> {
        // Another replica may know more about it.
        self.tell_again().await?;
        let (now, announcements) = (millis(self.leaders_now()), self.announcements());
        let found = announcements.incidents.iter().find(|one| one.id == id && is_within(scope, &one.tenant));
        let Some(before) = found else { return Ok(None) };
        let mut incident = before.clone();
        let saying = Saying {
            progress: order.status.as_deref().map(progress).transpose()?,
            text: text("text", order.text, TEXT_MOST)?,
            note: text("note", order.note, TEXT_MOST)?,
            title: text("title", order.title, TITLE_MOST)?,
            impact: order.impact.as_deref().map(impact).transpose()?,
            cause: text("cause", order.cause, TEXT_MOST)?,
            public: order.public,
        };
        let update = incident.say(saying, &author.who, now).map_err(|why| bad(Complaint::whole(why)))?;
        let what = format!("updated the incident {id} ({}): {}", shown(&incident), changes(before, &incident, &update));
        self.save_incident(incident, update, author, what).await.map(Some)
    }

    /// Work in progress or to come, and recent work; the earliest first.
    pub fn planned_work(&self, scope: &Reach) -> Vec<WorkView> {
        let (now, announcements) = (millis(self.leaders_now()), self.announcements());
        let all = announcements.works.iter().filter(|one| is_within(scope, &one.tenant) && one.until > now - WORK_MOST);
        all.take(SHOWN_MOST).map(work_view).collect()
    }

    /// Announces work.
    pub async fn announce_work(
        &self,
        scope: &Reach,
        order: WorkOrder,
        author: Author,
    ) -> Result<WorkView, ServiceError> {
        let now = millis(self.leaders_now());
        let (tenant, components) = self.touched(scope, &order.components)?;
        if self.announcements().works.len() as i64 >= WORKS_MOST {
            return Err(bad(Complaint::whole(
                "50000 windows of work are kept already: no more can be announced until old ones are gone",
            )));
        }
        let title = text("title", Some(order.title), TITLE_MOST)?
            .ok_or_else(|| bad(Complaint::about("title", "say what is done: `title`")))?;
        let (from, until) = (moment("from", &order.from)?, moment("until", &order.until)?);
        if until <= from || until <= now {
            return Err(bad(Complaint::whole("it must end after it begins, and in the future")));
        }
        if until - from > WORK_MOST || from - now > AHEAD_MOST {
            return Err(bad(Complaint::whole("it may take 31 days at most, and begin within 400 days")));
        }
        let work = Work {
            id: id_of(&format!("{tenant}:work:{title}:{from}:{now}")),
            tenant,
            title,
            text: text("text", order.text, TEXT_MOST)?.unwrap_or_default(),
            components,
            public: order.public.unwrap_or(true),
            from,
            until,
            announced_at: now,
            changed_at: now,
            revision: 0,
            cancelled: false,
            author: author.who.clone(),
        };
        let (from, until) = (instant(from).to_rfc3339(), instant(until).to_rfc3339());
        let components = work.components.join(", ");
        let what = format!("announced work {} on {components} from {from} until {until}: {}", work.id, work.title);
        self.store.save_work(work.clone(), author, what).await?;
        self.tell_again().await?;
        Ok(work_view(&work))
    }

    /// Calls work off; false if there is none within `scope` that could be.
    pub async fn call_work_off(&self, scope: &Reach, id: &str, author: Author) -> Result<bool, ServiceError> {
        self.tell_again().await?;
        let (now, announcements) = (millis(self.leaders_now()), self.announcements());
        let is_meant = |one: &&Work| one.id == id && !one.cancelled && one.until > now && is_within(scope, &one.tenant);
        let Some(mut work) = announcements.works.iter().find(is_meant).cloned() else { return Ok(false) };
        work.call_off(now);
        let what = format!("called off work {id}: {}", work.title);
        self.store.save_work(work, author, what).await?;
        self.tell_again().await?;
        Ok(true)
    }

    async fn save_incident(
        &self,
        incident: Incident,
        update: Update,
        author: Author,
        what: String,
    ) -> Result<IncidentView, ServiceError> {
        let mut shown = incident.clone();
        shown.updates.push(update.clone());
        self.store.save_incident(incident, update, author, what).await?;
        self.tell_again().await?;
        Ok(incident_view(&shown))
    }

    /// Shows at once what is written down by now.
    async fn tell_again(&self) -> Result<(), ServiceError> {
        let now = millis(self.leaders_now());
        let announcements = self.store.announcements(now).await?;
        if let Some(monitor_state) = &self.monitor_state {
            monitor_state.announce(announcements, now);
        }
        Ok(())
    }

    /// The components that `ids` name, and their tenant.
    fn touched(&self, scope: &Reach, ids: &[String]) -> Result<(String, Vec<String>), ServiceError> {
        let known = |id: &String| {
            let one = self.config.uptime.component(id).filter(|one| is_within(scope, one.tenant.as_str()));
            one.ok_or_else(|| {
                let why = format!("no component is called `{id}`; `superops-sla uptime` lists them");
                bad(Complaint::about("components", why))
            })
        };
        let found: Vec<&Component> = ids.iter().map(known).collect::<Result<_, _>>()?;
        let Some(first) = found.first() else {
            return Err(bad(Complaint::about("components", "say what it touches: `components`")));
        };
        if found.iter().any(|one| one.tenant != first.tenant) {
            return Err(bad(Complaint::about(
                "components",
                "these components belong to several tenants: do it for each",
            )));
        }
        let mut ids: Vec<_> = found.iter().map(|one| one.id.clone()).collect();
        ids.sort();
        ids.dedup();
        Ok((first.tenant.to_string(), ids))
    }
}

fn is_within(scope: &Reach, tenant: &str) -> bool {
    scope.tenant().is_none_or(|own| own.as_str() == tenant)
}

fn bad(complaint: Complaint) -> ServiceError {
    ServiceError::BadQuestion(complaint)
}

/// Trims `text`; none if nothing is left.
fn text(name: &'static str, text: Option<String>, most: usize) -> Result<Option<String>, ServiceError> {
    let text = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    match text {
        Some(text) if text.chars().count() > most => {
            Err(bad(Complaint::of(name, format!("may have at most {most} characters"))))
        }
        text => Ok(text),
    }
}

fn impact(text: &str) -> Result<Impact, ServiceError> {
    Impact::parse(text).ok_or_else(|| bad(Complaint::of("impact", "must be none, minor, major or critical")))
}

fn progress(text: &str) -> Result<Progress, ServiceError> {
    Progress::parse(text)
        .ok_or_else(|| bad(Complaint::of("status", "must be investigating, identified, monitoring or resolved")))
}

fn moment(name: &'static str, text: &str) -> Result<Millis, ServiceError> {
    let zoned = DateTime::parse_from_rfc3339(text).map(|at| at.timestamp_millis());
    let plain = |form| NaiveDateTime::parse_from_str(text, form).map(|at| at.and_utc().timestamp_millis());
    let found = zoned.or_else(|_| plain("%Y-%m-%dT%H:%M")).or_else(|_| plain("%Y-%m-%dT%H:%M:%S"));
    found.map_err(|_| bad(Complaint::of(name, "must be a time like 2026-11-30T22:00:00Z")))
}

fn instant(at: Millis) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at).unwrap_or_default()
}

/// Returns what an update changed, for the audit log. The store keeps causes and notes encrypted, so they are only
/// mentioned there.
fn changes(before: &Incident, after: &Incident, update: &Update) -> String {
    let title = |one: &Incident| format!("`{}`", one.title);
    let titles = (title(before), title(after));
    let fields = [
        ("it", before.progress.as_str(), after.progress.as_str()),
        ("it", shown(before), shown(after)),
        ("the title", titles.0.as_str(), titles.1.as_str()),
        ("the impact", before.impact.as_str(), after.impact.as_str()),
    ];
    let changed = fields.into_iter().filter(|(_, was, is)| was != is);
    let changed = changed.map(|(what, was, is)| format!("{what} was {was} and is {is}"));
    let cause = (after.cause != before.cause).then(|| {
        let how = if before.cause.is_none() { "given" } else { "changed" };
        format!("the root cause was {how}")
    });
    let note = update.note.is_some().then(|| "an internal note was added".to_owned());
    let text = (!update.text.is_empty()).then(|| format!("said: {}", shortened(&update.text)));
    let all: Vec<String> = changed.chain(cause).chain(note).chain(text).collect();
    if all.is_empty() { "nothing changed".to_owned() } else { all.join("; ") }
}

fn shown(one: &Incident) -> &'static str {
    if one.public { "public" } else { "not public" }
}

fn shortened(text: &str) -> String {
    let kept: String = text.chars().take(AUDITED_MOST).collect();
    if kept.len() < text.len() { format!("{}…", kept.trim_end()) } else { kept }
}

fn incident_view(one: &Incident) -> IncidentView {
    let update = |update: &Update| UpdateView {
        at: instant(update.at),
        status: update.progress.as_str(),
        text: update.text.clone(),
        note: update.note.clone(),
        author: update.author.clone(),
    };
    IncidentView {
        id: one.id.clone(),
        tenant: one.tenant.clone(),
        title: one.title.clone(),
        impact: one.impact.as_str(),
        status: one.progress.as_str(),
        components: one.components.clone(),
        public: one.public,
        automatic: one.automatic,
        cause: one.cause.clone(),
        started_at: instant(one.started_at),
        resolved_at: one.resolved_at.map(instant),
        updates: one.updates.iter().rev().map(update).collect(),
    }
}

fn work_view(one: &Work) -> WorkView {
    WorkView {
        id: one.id.clone(),
        tenant: one.tenant.clone(),
        title: one.title.clone(),
        text: one.text.clone(),
        components: one.components.clone(),
        public: one.public,
        from: instant(one.from),
        until: instant(one.until),
        announced_at: instant(one.announced_at),
        revision: one.revision,
        cancelled: one.cancelled,
        author: one.author.clone(),
    }
}
