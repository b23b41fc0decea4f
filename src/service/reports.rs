//! Reports: compliance, technicians and breaches of a period, and the tickets behind each figure.

pub mod answers;
pub mod archive;
pub mod clients;
pub mod credits;
pub mod file;
pub mod honesty;
pub mod names;
pub mod question;
pub mod reasons;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Datelike, Months, NaiveDate, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use self::answers::{Answer, Key};
use self::names::Called;
pub use self::question::{ComplianceQuery, EntryQuery, ReportQuery, TechnicianQuery};
use self::question::{Found, Wanted};
use super::paging::{begins_after, cut};
use super::{Service, ServiceError};
use crate::bookkeeping::CLOSE_AFTER;
use crate::config::Tenant;
use crate::keys::hash_of;
use crate::report::day::{Day, bounds, days, length, union, without};
use crate::report::entry::{Entry, Outcome, Reason, Share};
use crate::report::figures::Question;
use crate::report::make::{By, Material, Names, report};
use crate::report::rate::{Goal, Rate};
use crate::report::technician::{Technician, technicians};
use crate::report::{ClosedMonth, People, Period, Report};
use crate::sla::calendar::midnight;
use crate::sla::zone::Tz;
use crate::store::books::{Asked, BookDay, month_of};
use crate::store::latest::LastShown;
use crate::ticket::{ClockKind, Reach, TenantId};

/// The figures of one technician, or of nobody, unknown and automation, so that sums are those of all.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TechnicianView {
    pub tenant: String,
    /// A person's id, or @nobody | @unknown | @automation.
    pub technician_id: String,
    pub technician_name: String,
    /// Tickets with a headline clock decided in these hands.
    pub total_tickets: u64,
    /// Those of them with no such clock breached.
    pub sla_compliant_tickets: u64,
    /// Percent; null of none.
    pub compliance_rate: Option<f64>,
    /// Percent, by the time that each held the tickets: the fairer figure.
    pub weighted_compliance_rate: Option<f64>,
    /// Percent of the weight of all breaches.
    pub breach_share: Option<f64>,
    /// Percent of all time past targets.
    pub lateness_share: Option<f64>,
    /// Working time, in seconds; null of none.
    pub average_response_time: Option<i64>,
    pub median_response_time: Option<i64>,
    pub average_resolution_time: Option<i64>,
    pub median_resolution_time: Option<i64>,
    pub p90_resolution_time: Option<i64>,
    pub breach_count: u64,
    /// Percent of resolutions that came back within a week.
    pub reopen_rate: Option<f64>,
    /// Percent of the time while these hands held it in which it was paused.
    pub pause_share: Option<f64>,
    /// IMPROVING | DECLINING | STABLE | TOO_FEW
    pub performance_trend: &'static str,
    /// Breaches that others would have had with the same kinds of clocks; null where there is nobody to compare with.
    pub expected_breaches: Option<f64>,
    /// Whether the breaches differ from that by more than chance explains.
    pub differs: bool,
    pub period_start: NaiveDate,
    pub period_end: NaiveDate,
}

/// Technicians, by name.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TechnicianPage {
    pub period_start: NaiveDate,
    pub period_end: NaiveDate,
    pub technicians: Vec<TechnicianView>,
}

/// One local day.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ComplianceDay {
    pub date: NaiveDate,
    /// Null where nothing was decided.
    pub compliance_percentage: Option<f64>,
    pub target_percentage: f64,
    /// Of the seven days that end with it.
    pub seven_day_percentage: Option<f64>,
    pub uptime_minutes: i64,
    /// Minutes in which something was overdue.
    pub downtime_minutes: i64,
    pub sla_breaches: u64,
    pub clocks: u64,
}

/// A decided clock that a figure counts, or leaves out.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EntryView {
    pub ticket_id: String,
    pub display_id: String,
    pub subject: Option<String>,
    /// first_response | resolution | next_response
    pub clock: &'static str,
    pub round: u32,
    /// met | breached | excluded
    pub outcome: &'static str,
    /// Why it was left out.
    pub excluded: Option<&'static str>,
    pub decided_at: DateTime<Utc>,
    pub stopped_at: Option<DateTime<Utc>>,
    /// Working time in seconds, like those that follow.
    pub target: Option<i64>,
    pub counted: i64,
    pub over: i64,
    pub paused: i64,
    pub technician: String,
    pub client: Option<String>,
    pub priority: Option<String>,
    /// Why it was missed: a person's word, else what the history of the ticket tells.
    pub reason: Option<&'static str>,
    /// What the history tells, where a person says something else.
    pub reason_from_history: Option<&'static str>,
    pub reason_said_by: Option<String>,
    /// What each holder had of it, in percent.
    pub shares: Vec<ShareView>,
}

/// What one holder had of a clock.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShareView {
    pub technician: String,
    pub percent: f64,
}

/// The entries behind a figure.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EntryPage {
    pub total: usize,
    pub entries: Vec<EntryView>,
    pub next_cursor: Option<String>,
}

/// Whose cursors are not those of other lists.
const ENTRIES: &str = "entries";

/// What was decided at one moment stands by ticket, clock and round.
fn place(entry: &Entry) -> LastShown {
    let key = format!("{} {} {:06}", entry.ticket, entry.clock.as_str(), entry.round);
    LastShown { at: entry.decided_at.timestamp_millis(), key }
}

fn stands_after(last: &LastShown, place: &LastShown) -> bool {
    place.at < last.at || (place.at == last.at && place.key > last.key)
}

impl Service {
    /// What technicians did in a period; each tenant's people apart.
    pub async fn technicians(&self, reach: &Reach, query: &TechnicianQuery) -> Result<TechnicianPage, ServiceError> {
        let mut all = Vec::new();
        let wanted = query.wanted()?;
        self.persons_are_told_apart()?;
        let mut period = None;
        for tenant in self.tenants(reach).filter(|tenant| wanted.means(&tenant.id)) {
            let found = self.period_of(tenant, &wanted).await?;
            period.get_or_insert(found.period);
            let key = Key::new(&tenant.id, "technicians", &found, &wanted, &self.books_version().await?);
            let answer =
                self.answers.get(key, found.is_closed, self.count_technicians(tenant, &found, &wanted)).await?;
            if let Answer::Technicians(people) = answer {
                all.extend(people.iter().cloned());
            }
        }
        let period = match period {
            Some(period) => period,
            None => wanted.period(self.clock.now().date_naive())?,
        };
        Ok(TechnicianPage { period_start: period.from, period_end: period.to, technicians: all })
    }

    async fn count_technicians(&self, tenant: &Tenant, found: &Found, wanted: &Wanted) -> Result<Answer, ServiceError> {
        let asked = Asked { from: found.period.before().from, to: found.period.to, latest: wanted.latest };
        let entries = self.store.entries(&tenant.id, asked).await?;
        let names = self.called(&tenant.id, wanted.anonymous).await?;
        let question = Question { period: found.period, with_maintenance: !wanted.exclude_maintenance };
        let mut people: Vec<TechnicianView> = technicians(entries.iter(), &question)
            .into_iter()
            .map(|one| technician_view(&tenant.id, &one, &names, found.period))
            .collect();
        people.sort_by_cached_key(|one| (one.technician_id.starts_with('@'), one.technician_name.to_lowercase()));
        Ok(Answer::Technicians(Arc::new(people)))
    }

    /// Compliance day by day.
    pub async fn compliance(
        &self,
        reach: &Reach,
        query: &ComplianceQuery,
    ) -> Result<Arc<Vec<ComplianceDay>>, ServiceError> {
        let wanted = query.wanted()?;
        let tenant = self.tenant_of(reach, &wanted)?;
        let found = self.period_of(tenant, &wanted).await?;
        let key = Key::new(&tenant.id, "compliance", &found, &wanted, &self.books_version().await?);
        let count = async {
            let days = self.days(tenant, &found, &wanted).await?;
            let goal = self.goal_of(tenant, &wanted).as_percent();
            let view = |day: &Day| ComplianceDay {
                date: day.date,
                compliance_percentage: day.rate.percent(),
                target_percentage: goal,
                seven_day_percentage: day.week.percent(),
                uptime_minutes: day.uptime.num_minutes(),
                downtime_minutes: day.downtime.num_minutes(),
                sla_breaches: day.breaches(),
                clocks: day.rate.of,
            };
            Ok(Answer::Days(Arc::new(days.iter().map(view).collect())))
        };
        match self.answers.get(key, found.is_closed, count).await? {
            Answer::Days(days) => Ok(days),
            _ => Ok(Arc::default()),
        }
    }

    /// What is asked for, or else what the tenant is to reach.
    fn goal_of(&self, tenant: &Tenant, wanted: &Wanted) -> Goal {
        wanted.goal.unwrap_or_else(|| self.config.reports.goals.of(&tenant.id))
    }

    /// The days of a period, from the sums that the books keep.
    async fn days(&self, tenant: &Tenant, found: &Found, wanted: &Wanted) -> Result<Vec<Day>, ServiceError> {
        let first = found.period.from - TimeDelta::days(6);
        let clock = wanted.clock.map_or("all", ClockKind::as_str);
        let sums = self.store.book_days(&tenant.id, clock, (first, found.period.to)).await?;
        // Overdue time is kept for all clocks together.
        let all = match wanted.clock {
            None => sums.clone(),
            Some(_) => self.store.book_days(&tenant.id, "all", (first, found.period.to)).await?,
        };
        let mut closed = Vec::new();
        if wanted.exclude_maintenance
            && let Some(begin) = midnight(found.zone, found.period.from)
        {
            let windows = self.store.maintenance_since(&tenant.id, begin).await?;
            // Only a window that speaks of everything is a maintenance of the day.
            let whole = windows.iter().filter(|window| window.matchers == Default::default());
            closed = union(whole.map(|window| (window.from, window.ended_at.unwrap_or(window.until))).collect());
        }
        let rate = |day: &BookDay| match wanted.exclude_maintenance {
            true => Rate::new(day.met, day.met + day.breached),
            false => {
                let met = day.met + day.met_in_maintenance;
                Rate::new(met, met + day.breached + day.breached_in_maintenance)
            }
        };
        let of = |date: NaiveDate| sums.iter().find(|day| day.day == date).map(rate).unwrap_or_default();
        let day = |date: NaiveDate| {
            let down = all.iter().find(|day| day.day == date);
            let down = down.map_or(0, |day| if wanted.exclude_maintenance { day.overdue } else { day.overdue_in_all });
            let downtime = TimeDelta::milliseconds(down);
            let whole = bounds(date, found.zone)?;
            let mut week = Rate::default();
            (0..7).for_each(|back| week.join(of(date - TimeDelta::days(back))));
            let uptime = (length(&without(vec![whole], &closed)) - downtime).max(TimeDelta::zero());
            Some(Day { date, rate: of(date), week, downtime, uptime })
        };
        Ok(found.period.days().filter_map(day).collect())
    }

    /// A report on a period.
    pub async fn report(&self, reach: &Reach, query: &ReportQuery) -> Result<Arc<Report>, ServiceError> {
        let wanted = query.wanted()?;
        if wanted.by == By::Technician {
            self.persons_are_told_apart()?;
        }
        let tenant = self.tenant_of(reach, &wanted)?;
        let found = self.period_of(tenant, &wanted).await?;
        let key = Key::new(&tenant.id, "report", &found, &wanted, &self.books_version().await?);
        match self.answers.get(key, found.is_closed, self.make_report(tenant, &found, &wanted)).await? {
            Answer::Report(report) => Ok(report),
            _ => Err(ServiceError::BadQuestion("there is no such report".to_owned())),
        }
    }

    async fn make_report(&self, tenant: &Tenant, found: &Found, wanted: &Wanted) -> Result<Answer, ServiceError> {
        let asked = Asked { from: found.period.before().from, to: found.period.to, latest: wanted.latest };
        let entries = self.store.entries(&tenant.id, asked).await?;
        let mut names = self.called(&tenant.id, wanted.anonymous).await?;
        let client = wanted.client.as_deref().map(|name| names.client_id(name)).transpose()?;
        let question = Question { period: found.period, with_maintenance: !wanted.exclude_maintenance };
        let late = |entry: &&Entry| entry.outcome == Outcome::Breached && found.period.has(entry.day);
        let mut breached: Vec<&Entry> = entries.iter().filter(late).collect();
        breached.sort_by_key(|entry| std::cmp::Reverse(entry.over));
        names.learn(&self.store, breached.iter().take(400).map(|entry| &*entry.ticket)).await?;
        let days = match &client {
            None => self.days(tenant, found, wanted).await?,
            Some(id) => {
                let own = entries.iter().filter(|entry| entry.client.as_deref() == Some(id));
                days(own, found.period, found.zone, &Vec::new(), question.with_maintenance)
            }
        };
        let policy_goals = match wanted.goal {
            None => self.config.reports.goals.of_policies(&tenant.id),
            Some(_) => BTreeMap::new(),
        };
        let mut made = report(&Material {
            tenant: tenant.id.to_string(),
            zone: found.zone,
            question,
            by: wanted.by,
            client,
            goal: self.goal_of(tenant, wanted),
            policy_goals: &policy_goals,
            policy_credits: &self.config.reports.credits_of(&tenant.id),
            entries: &entries,
            days: &days,
            months: found.months.clone(),
            provisional_until: found.provisional_until,
            anonymous: wanted.anonymous,
            people: self.config.reports.people,
            names: &names,
        });
        let text = serde_json::to_string(&made).map_err(|error| ServiceError::BadQuestion(error.to_string()))?;
        made.hash = hash_of(text);
        Ok(Answer::Report(Arc::new(made)))
    }

    /// The entries behind a figure: those that it counts, or those left out.
    pub async fn figure_entries(&self, reach: &Reach, query: &EntryQuery) -> Result<EntryPage, ServiceError> {
        let wanted = query.wanted()?;
        if query.person.as_deref().is_some_and(|person| !person.is_empty() && !person.starts_with('@')) {
            self.persons_are_named("tickets are not listed by technician")?;
        }
        let tenant = self.tenant_of(reach, &wanted)?;
        let found = self.period_of(tenant, &wanted).await?;
        let asked = Asked { from: found.period.from, to: found.period.to, latest: wanted.latest };
        let mut entries = self.store.entries(&tenant.id, asked).await?;
        let with_maintenance = !wanted.exclude_maintenance;
        entries
            .retain(|entry| found.period.has(entry.day) && entry.is_headline() && query.fits(entry, with_maintenance));
        let total = entries.len();
        let last = begins_after(ENTRIES, query.cursor.as_deref())?;
        entries.retain(|entry| stands_after(&last, &place(entry)));
        entries.sort_by_cached_key(|entry| (Reverse(entry.decided_at), place(entry).key));
        let next_cursor = cut(ENTRIES, &mut entries, query.limit()?, place);
        let mut names = self.called(&tenant.id, wanted.anonymous).await?;
        names.learn(&self.store, entries.iter().map(|entry| &*entry.ticket)).await?;
        let entries = entries.iter().map(|entry| entry_view(entry, &names, with_maintenance)).collect();
        Ok(EntryPage { total, entries, next_cursor })
    }

    /// How the kept answers have done.
    pub fn kept_answers(&self) -> answers::CacheFigures {
        self.answers.figures()
    }

    /// Rises with whatever is written in the books.
    async fn books_version(&self) -> Result<String, ServiceError> {
        Ok(format!("{}-{}", self.store.last_entry().await?, self.store.books_written()))
    }

    async fn called(&self, tenant: &TenantId, anonymous: bool) -> Result<Called, ServiceError> {
        Called::of(&self.store, tenant, (anonymous, self.config.reports.people), self.clock.now()).await
    }

    fn persons_are_told_apart(&self) -> Result<(), ServiceError> {
        match self.config.reports.people {
            People::Off => Err(withheld("nothing is reported about single technicians", People::Off)),
            People::Named | People::Pseudonyms => Ok(()),
        }
    }

    pub(super) fn persons_are_named(&self, what: &str) -> Result<(), ServiceError> {
        match self.config.reports.people {
            People::Named => Ok(()),
            people => Err(withheld(what, people)),
        }
    }

    fn tenant_of<'a>(&'a self, reach: &'a Reach, wanted: &Wanted) -> Result<&'a Tenant, ServiceError> {
        let mut within = self.tenants(reach).filter(|tenant| wanted.means(&tenant.id));
        match (within.next(), within.next()) {
            (Some(tenant), None) => Ok(tenant),
            (Some(_), Some(_)) => Err(ServiceError::BadQuestion("say whose figures are meant: `tenant`".to_owned())),
            (None, _) => Err(ServiceError::BadQuestion(format!(
                "`tenant` is `{}`, and there is no such tenant",
                wanted.tenant.as_deref().unwrap_or_default()
            ))),
        }
    }

    /// The period that is wanted, in the tenant's zone, with what is known of its months.
    async fn period_of(&self, tenant: &Tenant, wanted: &Wanted) -> Result<Found, ServiceError> {
        let (_, rules) = self.rules_cache.of(tenant).await?;
        let zone = rules.msp_timezone();
        let now = self.clock.now();
        let today = now.with_timezone(&zone).date_naive();
        let period = wanted.period(today)?;
        let closed = self.store.closed_months(&tenant.id, (period.from, period.to)).await?;
        let corrections = match closed.is_empty() {
            true => Vec::new(),
            false => self.store.corrections(&tenant.id, (period.from, period.to)).await?,
        };
        let month = |(number, sha256): &(i64, String)| {
            let (year, month) = (number.div_euclid(12), number.rem_euclid(12) + 1);
            let later = corrections.iter().filter(|one| month_of(one.day) == *number);
            ClosedMonth {
                month: format!("{year}-{month:02}"),
                sha256: sha256.clone(),
                corrections: later.count() as u64,
            }
        };
        let months: Vec<ClosedMonth> = closed.iter().map(month).collect();
        let wanted_months = month_of(period.to) - month_of(period.from) + 1;
        let is_closed = i64::try_from(months.len()) == Ok(wanted_months);
        let provisional_until = if is_closed { None } else { ends(period, zone) };
        Ok(Found { period, zone, months, is_closed, provisional_until })
    }
}

/// What the sender's own rules keep from everybody.
fn withheld(what: &str, people: People) -> ServiceError {
    ServiceError::BadQuestion(format!("{what} here: `people` in [reports] is `{}`", people.as_str()))
}

/// When the last month of the period is closed.
fn ends(period: Period, zone: Tz) -> Option<DateTime<Utc>> {
    let next = period.to.with_day(1)?.checked_add_months(Months::new(1))?;
    midnight(zone, next + CLOSE_AFTER)
}

fn technician_view(tenant: &TenantId, one: &Technician, names: &Called, period: Period) -> TechnicianView {
    let seconds = |length: Option<i64>| length.map(|length| length / 1000);
    let sum = &one.summary;
    TechnicianView {
        tenant: tenant.to_string(),
        technician_id: names.person_id(&one.holder),
        technician_name: names.person(&one.holder),
        total_tickets: one.tickets.of,
        sla_compliant_tickets: one.tickets.met,
        compliance_rate: one.tickets.percent(),
        weighted_compliance_rate: one.weighted.percent(),
        breach_share: one.breach_share.percent(),
        lateness_share: one.lateness.percent(),
        average_response_time: seconds(sum.response.mean),
        median_response_time: seconds(sum.response.median),
        average_resolution_time: seconds(sum.resolution.mean),
        median_resolution_time: seconds(sum.resolution.median),
        p90_resolution_time: seconds(sum.resolution.p90),
        breach_count: one.breaches,
        reopen_rate: sum.reopened.percent(),
        pause_share: one.paused.percent(),
        performance_trend: one.trend.as_str(),
        expected_breaches: one.funnel.map(|funnel| (funnel.expected * 10.0).round() / 10.0),
        differs: one.funnel.is_some_and(|funnel| funnel.differs),
        period_start: period.from,
        period_end: period.to,
    }
}

fn entry_view(entry: &Entry, names: &Called, with_maintenance: bool) -> EntryView {
    let share =
        |share: &Share| ShareView { technician: names.holder(&share.holder), percent: share.weight as f64 / 10_000.0 };
    EntryView {
        ticket_id: names.ticket_id(&entry.ticket),
        display_id: names.ticket(&entry.ticket),
        subject: names.subject(&entry.ticket),
        clock: entry.clock.as_str(),
        round: entry.round,
        outcome: entry.outcome.as_str(),
        excluded: entry.excluded(with_maintenance).map(|why| why.words()),
        decided_at: entry.decided_at,
        stopped_at: entry.stopped_at,
        target: entry.target.map(|target| target / 1000),
        counted: entry.counted / 1000,
        over: entry.over / 1000,
        paused: entry.paused / 1000,
        technician: names.holder(&entry.holder),
        client: entry.client.as_deref().map(|id| names.client(id)),
        priority: entry.priority.as_deref().map(str::to_owned),
        reason: entry.final_reason().map(Reason::words),
        reason_from_history: entry.said.as_ref().and(entry.reason).map(Reason::words),
        reason_said_by: entry.said.as_ref().map(|said| names.author(&said.by)),
        shares: entry.shares.iter().filter(|one| one.weight > 0).map(share).collect(),
    }
}
