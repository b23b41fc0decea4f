//! Reports: compliance, technicians and breaches of a period, and the tickets behind each figure.

pub mod answers;
pub mod archive;
pub mod clients;
pub mod credits;
pub mod entries;
pub mod file;
pub mod honesty;
pub mod listed;
pub mod names;
pub mod question;
pub mod reasons;
pub mod views;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Datelike, Months, NaiveDate, TimeDelta, Utc};

use self::answers::{Answer, Key};
pub use self::entries::{EntryPage, EntryView, ShareView};
use self::names::Called;
pub use self::question::{ComplianceQuery, EntryQuery, ReportQuery, TechnicianQuery};
use self::question::{Found, Wanted};
pub use self::views::{ComplianceDay, TechnicianPage, TechnicianView};
use super::{Complaint, Service, ServiceError};
use crate::bookkeeping::CLOSE_AFTER;
use crate::config::Tenant;
use crate::keys::hash_of;
use crate::report::day::{Day, Stretches, bounds, days, split, union};
use crate::report::entry::Entry;
use crate::report::figures::Question;
use crate::report::make::{By, Material, listed, report};
use crate::report::rate::{Goal, Rate};
use crate::report::technician::Count;
use crate::report::{ClosedMonth, People, Period, Report};
use crate::sla::calendar::midnight;
use crate::sla::zone::Tz;
use crate::store::books::{Asked, BookDay, month_of};
use crate::ticket::{ClockKind, Reach, TenantId};

impl Service {
    /// What technicians did in a period, tenant by tenant.
    pub async fn technicians(&self, reach: &Reach, query: &TechnicianQuery) -> Result<TechnicianPage, ServiceError> {
        let mut all = Vec::new();
        let wanted = query.wanted()?;
        self.persons_are_told_apart()?;
        let mut period = None;
        for tenant in self.tenants(reach).filter(|tenant| wanted.means(&tenant.id)) {
            let found = self.period_of(tenant, &wanted).await?;
            period.get_or_insert(found.period);
            let key = Key::new(&tenant.id, "technicians", &found, &wanted);
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
        Ok(TechnicianPage { period_start: period.from, period_end: period.to, technicians: all, next_cursor: None })
    }

    async fn count_technicians(&self, tenant: &Tenant, found: &Found, wanted: &Wanted) -> Result<Answer, ServiceError> {
        let asked = Asked { from: found.period.before().from, to: found.period.to, latest: wanted.latest };
        let question = Question { period: found.period, with_maintenance: !wanted.exclude_maintenance };
        let mut count = Count::new(question);
        if asked.latest {
            self.store.entries(&tenant.id, asked).await?.iter().for_each(|entry| count.entry(entry));
        } else {
            self.store.count_entries(&tenant.id, (asked.from, asked.to), &mut count).await?;
        }
        let names = self.called(&tenant.id, wanted.anonymous).await?;
        let mut people: Vec<TechnicianView> =
            count.done().into_iter().map(|one| TechnicianView::of(&tenant.id, &one, &names, found.period)).collect();
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
        let key = Key::new(&tenant.id, "compliance", &found, &wanted);
        let count = async {
            let days = match wanted.latest {
                false => self.days(tenant, &found, &wanted).await?,
                true => {
                    let asked = Asked { from: first_read(found.period), to: found.period.to, latest: true };
                    let entries = self.store.entries(&tenant.id, asked).await?;
                    self.days_of(tenant, &found, &wanted, (None, &entries)).await?
                }
            };
            let goal = self.goal_of(tenant, &wanted).as_percent();
            Ok(Answer::Days(Arc::new(days.iter().map(|day| ComplianceDay::of(day, goal)).collect())))
        };
        match self.answers.get(key, found.is_closed, count).await? {
            Answer::Days(days) => Ok(days),
            _ => Ok(Arc::default()),
        }
    }

    /// The goal that is asked for, or else the tenant's.
    fn goal_of(&self, tenant: &Tenant, wanted: &Wanted) -> Goal {
        wanted.goal.unwrap_or_else(|| self.config.reports.goals.of(&tenant.id))
    }

    /// The days of a period as its months were closed, from the sums that the books keep.
    async fn days(&self, tenant: &Tenant, found: &Found, wanted: &Wanted) -> Result<Vec<Day>, ServiceError> {
        let first = found.period.from - TimeDelta::days(6);
        let clock = wanted.clock.map_or("all", ClockKind::as_str);
        let sums = self.store.book_days(&tenant.id, clock, (first, found.period.to)).await?;
        // Overdue time is kept for all clocks together.
        let all = match wanted.clock {
            None => sums.clone(),
            Some(_) => self.store.book_days(&tenant.id, "all", (first, found.period.to)).await?,
        };
        let closed = self.closed_to_all(tenant, found, wanted).await?;
        // The sums do not tell how much of the overdue time lies in maintenance.
        let overdue = self.overdue_where(&closed, tenant, found).await?;
        let rate = |day: &BookDay| match wanted.exclude_maintenance {
            true => Rate::new(day.met, day.met + day.breached),
            false => {
                let met = day.met + day.met_in_maintenance;
                Rate::new(met, met + day.breached + day.breached_in_maintenance)
            }
        };
        let (sums, all) = (by_date(&sums), by_date(&all));
        let of = |date: NaiveDate| sums.get(&date).copied().map(rate).unwrap_or_default();
        let day = |date: NaiveDate| {
            let down = all.get(&date);
            let down = down.map_or(0, |day| if wanted.exclude_maintenance { day.overdue } else { day.overdue_in_all });
            let passed = self.passed_of(date, found.zone)?;
            let (downtime, uptime) = match meets(passed, &closed) {
                true => split(passed, overdue.get(&date).cloned().unwrap_or_default(), &closed),
                false => {
                    let downtime = TimeDelta::milliseconds(down);
                    (downtime, (passed.1 - passed.0 - downtime).max(TimeDelta::zero()))
                }
            };
            let mut week = Rate::default();
            (0..7).for_each(|back| week.join(of(date - TimeDelta::days(back))));
            Some(Day { date, rate: of(date), week, downtime, uptime })
        };
        Ok(found.period.days().filter_map(day).collect())
    }

    /// The maintenance of everything since the period began: a window for some tickets does not count for the day.
    async fn closed_to_all(&self, tenant: &Tenant, found: &Found, wanted: &Wanted) -> Result<Stretches, ServiceError> {
        let begin = midnight(found.zone, found.period.from).filter(|_| wanted.exclude_maintenance);
        let Some(begin) = begin else { return Ok(Vec::new()) };
        let windows = self.store.maintenance_since(&tenant.id, begin).await?;
        let whole = windows.iter().filter(|window| window.matchers == Default::default());
        Ok(union(whole.map(|window| (window.from, window.ended_at.unwrap_or(window.until))).collect()))
    }

    /// When something was overdue, from the first to the last day of the period with a part in `closed`.
    async fn overdue_where(
        &self,
        closed: &Stretches,
        tenant: &Tenant,
        found: &Found,
    ) -> Result<BTreeMap<NaiveDate, Stretches>, ServiceError> {
        let is_met = |date: &NaiveDate| self.passed_of(*date, found.zone).is_some_and(|passed| meets(passed, closed));
        let met: Vec<NaiveDate> = found.period.days().filter(is_met).collect();
        let Some((from, to)) = met.first().copied().zip(met.last().copied()) else { return Ok(BTreeMap::new()) };
        let asked = Asked { from, to, latest: false };
        Ok(self.store.overdue_stretches(&tenant.id, None, asked, false).await?)
    }

    /// The local date, as far as it has passed.
    fn passed_of(&self, date: NaiveDate, zone: Tz) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let (from, to) = bounds(date, zone)?;
        Some((from, to.min(self.clock.now()).max(from)))
    }

    /// The days of one client or as known now, of which no sums are kept: from `entries`, beginning at [`first_read`].
    async fn days_of(
        &self,
        tenant: &Tenant,
        found: &Found,
        wanted: &Wanted,
        (client, entries): (Option<&str>, &[Entry]),
    ) -> Result<Vec<Day>, ServiceError> {
        let is_meant = |entry: &&Entry| {
            let of_client = client.is_none_or(|client| entry.client.as_deref() == Some(client));
            of_client && wanted.clock.is_none_or(|clock| entry.clock == clock)
        };
        let with_maintenance = !wanted.exclude_maintenance;
        let mut days = days(entries.iter().filter(is_meant), found.period, found.zone, &Vec::new(), with_maintenance);
        // Overdue time is kept beside entries, and for all clocks together.
        let asked = Asked { from: found.period.from, to: found.period.to, latest: wanted.latest };
        let mut overdue = self.store.overdue_stretches(&tenant.id, client, asked, with_maintenance).await?;
        let closed = self.closed_to_all(tenant, found, wanted).await?;
        for day in &mut days {
            let Some(passed) = self.passed_of(day.date, found.zone) else { continue };
            let stretches = overdue.remove(&day.date).unwrap_or_default();
            (day.downtime, day.uptime) = split(passed, stretches, &closed);
        }
        Ok(days)
    }

    /// A report on a period.
    pub async fn report(&self, reach: &Reach, query: &ReportQuery) -> Result<Arc<Report>, ServiceError> {
        let wanted = query.wanted()?;
        if wanted.by == By::Technician {
            self.persons_are_told_apart()?;
        }
        let tenant = self.tenant_of(reach, &wanted)?;
        let found = self.period_of(tenant, &wanted).await?;
        let key = Key::new(&tenant.id, "report", &found, &wanted);
        match self.answers.get(key, found.is_closed, self.make_report(tenant, &found, &wanted)).await? {
            Answer::Report(report) => Ok(report),
            _ => Err(ServiceError::BadQuestion(Complaint::whole("there is no such report"))),
        }
    }

    async fn make_report(&self, tenant: &Tenant, found: &Found, wanted: &Wanted) -> Result<Answer, ServiceError> {
        let asked = Asked { from: first_read(found.period), to: found.period.to, latest: wanted.latest };
        let entries = self.store.entries(&tenant.id, asked).await?;
        let mut names = self.called(&tenant.id, wanted.anonymous).await?;
        let client = wanted.client.as_deref().map(|name| names.client_id(name)).transpose()?;
        let question = Question { period: found.period, with_maintenance: !wanted.exclude_maintenance };
        names.learn_numbers(&self.store, &listed(&entries, &question, client.as_deref())).await?;
        let days = match &client {
            None if !wanted.latest => self.days(tenant, found, wanted).await?,
            client => self.days_of(tenant, found, wanted, (client.as_deref(), &entries)).await?,
        };
        let policy_goals = match wanted.goal {
            None => self.config.reports.goals.of_policies(&tenant.id),
            Some(_) => BTreeMap::new(),
        };
        let policy_credits = self.credit_terms(tenant, found).await?;
        let mut made = report(&Material {
            tenant: tenant.id.to_string(),
            zone: found.zone,
            question,
            by: wanted.by,
            client,
            goal: self.goal_of(tenant, wanted),
            policy_goals: &policy_goals,
            policy_credits: &policy_credits,
            entries: &entries,
            days: &days,
            latest: wanted.latest,
            months: found.months.clone(),
            provisional_until: found.provisional_until,
            anonymous: wanted.anonymous,
            people: self.config.reports.people,
            names: &names,
        });
        let text = serde_json::to_string(&made)
            .map_err(|error| ServiceError::BadQuestion(Complaint::whole(error.to_string())))?;
        made.hash = hash_of(text);
        Ok(Answer::Report(Arc::new(made)))
    }

    /// The figures of the cache of answers.
    pub fn kept_answers(&self) -> answers::CacheFigures {
        self.answers.figures()
    }

    async fn called(&self, tenant: &TenantId, anonymous: bool) -> Result<Called, ServiceError> {
        Called::of(&self.store, tenant, (anonymous, self.config.reports.people), self.clock.now()).await
    }

    fn persons_are_told_apart(&self) -> Result<(), ServiceError> {
        match self.config.reports.people {
            People::Off => Err(withheld("nothing is reported about individual technicians", People::Off)),
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
            (Some(_), Some(_)) => {
                Err(ServiceError::BadQuestion(Complaint::about("tenant", "say whose figures are meant: `tenant`")))
            }
            (None, _) => Err(ServiceError::BadQuestion(Complaint::of(
                "tenant",
                format!("is `{}`, and there is no such tenant", wanted.tenant.as_deref().unwrap_or_default()),
            ))),
        }
    }

    /// Returns the period that is wanted, in the tenant's zone, with what is known of its months.
    async fn period_of(&self, tenant: &Tenant, wanted: &Wanted) -> Result<Found, ServiceError> {
        let (_, rules) = self.rules_cache.of(tenant).await?;
        let zone = rules.msp_timezone();
        let now = self.clock.now();
        let today = now.with_timezone(&zone).date_naive();
        let period = wanted.period(today)?;
        // A zone that changed after the last month was closed does not cut its days anew.
        let zone = self.store.zone_of_month(&tenant.id, period.to).await?.unwrap_or(zone);
        // Read before anything else: what changes meanwhile makes another answer.
        let changes = self.store.book_changes(&tenant.id, (first_read(period), period.to)).await?;
        // Months are closed from the first that has something in the books; those before it are final once it is.
        let first = self.store.booked_days(&tenant.id).await?.map_or(today, |(first, _)| first);
        let last = period.to.max(first);
        let mut closed = self.store.closed_months(&tenant.id, (period.from, last)).await?;
        let is_known = |month: i64| closed.iter().any(|(number, _)| *number == month);
        let is_closed = (month_of(period.from.max(first))..=month_of(last)).all(is_known);
        closed.retain(|(number, _)| *number <= month_of(period.to));
        let corrections = match closed.is_empty() {
            true => Vec::new(),
            false => self.store.corrections(&tenant.id, (period.from, period.to)).await?,
        };
        let month = |(number, sha256): &(i64, String)| {
            let later = corrections.iter().filter(|one| month_of(one.day) == *number);
            ClosedMonth { month: month_name(*number), sha256: sha256.clone(), corrections: later.count() as u64 }
        };
        let months: Vec<ClosedMonth> = closed.iter().map(month).collect();
        let provisional_until = if is_closed { None } else { ends(last, zone, now) };
        Ok(Found { period, zone, changes, months, is_closed, provisional_until })
    }
}

/// The first day to read from the books: the period before is compared with, and a line goes back seven days.
fn first_read(period: Period) -> NaiveDate {
    period.before().from.min(period.from - TimeDelta::days(6))
}

/// Whether a part of the stretch lies in `holes`.
fn meets((from, to): (DateTime<Utc>, DateTime<Utc>), holes: &Stretches) -> bool {
    holes.iter().any(|(hole, end)| *hole < to && from < *end)
}

/// The month of that number: `2026-10`.
fn month_name(number: i64) -> String {
    format!("{}-{:02}", number.div_euclid(12), number.rem_euclid(12) + 1)
}

fn by_date(days: &[BookDay]) -> BTreeMap<NaiveDate, &BookDay> {
    days.iter().map(|day| (day.day, day)).collect()
}

/// The error for what `people` in `[reports]` withholds.
fn withheld(what: &str, people: People) -> ServiceError {
    let why = format!("{what} here: `people` in [reports] is `{}`", people.as_str());
    ServiceError::BadQuestion(Complaint::whole(why))
}

/// When the month of that day is closed; tomorrow at the earliest, if it waits for something to be read.
fn ends(last: NaiveDate, zone: Tz, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let next = last.with_day(1)?.checked_add_months(Months::new(1))?;
    let tomorrow = now.with_timezone(&zone).date_naive() + TimeDelta::days(1);
    midnight(zone, (next + CLOSE_AFTER).max(tomorrow))
}
