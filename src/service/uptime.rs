//! How services stand, how well their promises were kept, and what is owed where they were not.

mod figures;
mod outposts;
mod told;
mod views;

use std::sync::Arc;

use self::figures::{day_view, instant, overall, sla, view};
pub(crate) use self::figures::{percent, terms};
pub use self::outposts::OutpostView;
pub use self::told::PushedResult;
pub use self::views::{
    CheckView, ComponentHistory, ComponentView, Credit, DailyQuery, DailySeries, DayView, Downtime, HistoryQuery,
    LatencyPoint, LookView, LooksQuery, ObjectiveView, SlaQuery, SlaReport, SlaView, SpanView, UptimeOverview,
    UptimeShares,
};
use super::{Complaint, Reach, Service, ServiceError};
use crate::config::checks;
use crate::config::uptime::{Component, Promise, Uptime};
use crate::monitor::board::StatusBoard;
use crate::store::millis;
use crate::store::uptime::{LOOKS_KEPT, LookRow, WIDTHS};
use crate::uptime::availability::figure;
use crate::uptime::book::ComponentEntry;
use crate::uptime::days::{self, Period};
use crate::uptime::incident::Announcements;
use crate::uptime::sketch::Sketch;
use crate::uptime::{DAY, Millis};

/// How many days of the past a page shows.
pub const DAYS_SHOWN: i64 = 90;
/// The longest daily series, in days.
const DAYS_MOST: i64 = 800;

/// How many looks are shown unless told otherwise, and at most.
const LOOKS_SHOWN: u32 = 60;
const LOOKS_MOST: u32 = 1000;

const RANGES: [(&str, Millis); 4] = [("24h", DAY), ("7d", 7 * DAY), ("30d", 30 * DAY), ("90d", 90 * DAY)];

impl Service {
    /// All services within `scope`, in the order of the configuration.
    pub async fn uptime(&self, scope: &Reach) -> Result<UptimeOverview, ServiceError> {
        let components = self.uptime_now(scope);
        let overall = overall(&components).as_str();
        let outposts = self.outposts(scope);
        Ok(UptimeOverview { now: self.clock.now(), overall_status: overall, components, outposts })
    }

    /// The services alone.
    pub fn uptime_now(&self, scope: &Reach) -> Vec<ComponentView> {
        let (now, board) = (millis(self.clock.now()), self.board());
        let components = self.watched_components(scope, &board);
        components.map(|(one, entry)| view(self, &board, one, entry, now)).collect()
    }

    /// One service by its id.
    pub async fn component(&self, scope: &Reach, id: &str) -> Result<Option<ComponentView>, ServiceError> {
        let (now, board) = (self.clock.now(), self.board());
        let found = self.watched_components(scope, &board).find(|(one, _)| one.id == id);
        Ok(found.map(|(one, entry)| view(self, &board, one, entry, millis(now))))
    }

    /// The past of a service by its id.
    pub async fn component_history(
        &self,
        scope: &Reach,
        id: &str,
        query: &HistoryQuery,
    ) -> Result<Option<ComponentHistory>, ServiceError> {
        let (at, board) = (self.clock.now(), self.board());
        let now = millis(at);
        let (range, length) = range(query.range.as_deref())?;
        let Some((one, entry)) = self.watched_components(scope, &board).find(|(one, _)| one.id == id) else {
            return Ok(None);
        };
        let from = now - length;
        let (whole, latency) = self.latency(&board, entry, from, now).await?;
        let terms = terms(self.config.uptime.promise(&one.id));
        let circumstances = board.book.circumstances_of(&one.id, &self.announcements());
        let found = figure(&entry.record(&circumstances), &terms, (from, now), now);
        let spans = entry.line.spans().iter().filter(|span| span.until.is_none_or(|until| until > from));
        let spans = spans.map(|span| SpanView {
            from: instant(span.from.max(from)),
            until: span.until.map(instant),
            status: span.condition.as_str(),
        });
        Ok(Some(ComponentHistory {
            now: at,
            id: one.id.clone(),
            range,
            uptime_percent: found.availability().map(percent),
            p50_ms: whole.percentile(50),
            p95_ms: whole.percentile(95),
            p99_ms: whole.percentile(99),
            spans: spans.collect(),
            latency,
        }))
    }

    /// The latest looks at a service, the latest first; none if there is no such service.
    pub async fn component_looks(
        &self,
        scope: &Reach,
        id: &str,
        query: &LooksQuery,
    ) -> Result<Option<Vec<LookView>>, ServiceError> {
        let (now, board) = (millis(self.clock.now()), self.board());
        let most = match query.limit.unwrap_or(LOOKS_SHOWN) {
            most @ 1..=LOOKS_MOST => most,
            most => {
                return Err(ServiceError::BadQuestion(Complaint::of(
                    "limit",
                    format!("is {most}, and must be 1 to {LOOKS_MOST}"),
                )));
            }
        };
        let Some((_, entry)) = self.watched_components(scope, &board).find(|(one, _)| one.id == id) else {
            return Ok(None);
        };
        let mut looks = Vec::new();
        for place in entry.checks() {
            let (check, number) = (&board.book.checks[*place].plan.id, board.numbers.get(*place));
            let number = number.copied().unwrap_or_default();
            let rows = self.store.uptime_looks(number, now - LOOKS_KEPT, now + 1, i64::from(most)).await?;
            looks.extend(rows.into_iter().map(|row| look_view(check, row)));
        }
        looks.sort_by_key(|look| std::cmp::Reverse(look.at));
        looks.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        Ok(Some(looks))
    }

    /// How promises stand in their present period, or in that of `date`.
    pub async fn uptime_sla(&self, scope: &Reach, query: &SlaQuery) -> Result<SlaReport, ServiceError> {
        let (at, board) = (self.clock.now(), self.board());
        let period = query.period.as_deref().map(period).transpose()?;
        let mut promises = Vec::new();
        for (one, entry) in self.watched_components(scope, &board) {
            if query.component.as_ref().is_some_and(|wanted| *wanted != one.id) {
                continue;
            }
            let circumstances = board.book.circumstances_of(&one.id, &self.announcements());
            for promise in promises_by(&self.config.uptime, &one.id, period) {
                let period = period.unwrap_or(promise.terms.period);
                let day = query.date.map_or(millis(at), |date| days::midnight(promise.terms.zone, date));
                let span = period.around(promise.terms.zone, day);
                promises.push(sla(&board, promise, entry, &circumstances, period, span, millis(at)));
            }
        }
        Ok(SlaReport { now: at, promises })
    }

    /// A service day by day: the last 30 days by default.
    pub async fn uptime_daily(&self, scope: &Reach, query: &DailyQuery) -> Result<Option<DailySeries>, ServiceError> {
        let (now, board) = (millis(self.clock.now()), self.board());
        let found = self.watched_components(scope, &board).find(|(one, _)| one.id == query.component);
        let Some((one, entry)) = found else { return Ok(None) };
        let mut terms = terms(self.config.uptime.promise(&one.id));
        if let Some(target) = query.target {
            terms.target = thousandths(target)?;
        }
        if query.exclude_maintenance == Some(false) {
            terms.maintenance = None;
        }
        let last = query.to.unwrap_or_else(|| days::date_of(terms.zone, now));
        let first = query.from.unwrap_or(last - chrono::Days::new(29));
        if last < first {
            return Err(ServiceError::BadQuestion(Complaint::of("from", "lies after `to`")));
        }
        if (last - first).num_days() >= DAYS_MOST {
            return Err(ServiceError::BadQuestion(Complaint::of(
                "from",
                format!("and `to` may lie {DAYS_MOST} days apart at most"),
            )));
        }
        let circumstances = board.book.circumstances_of(&one.id, &self.announcements());
        let record = entry.record(&circumstances);
        let days = days::days(terms.zone, first, last).filter(|(_, day)| day.0 < now);
        let days = days.map(|(date, day)| day_view(date, figure(&record, &terms, day, now), &terms)).collect();
        Ok(Some(DailySeries { component: one.id.clone(), timezone: terms.zone.to_string(), days }))
    }

    /// The board of the loop; an empty one where none runs.
    pub(crate) fn board(&self) -> Arc<StatusBoard> {
        self.monitor_state.as_ref().map(|monitor_state| monitor_state.board()).unwrap_or_default()
    }

    /// The announcements of the loop; none where none runs.
    pub(crate) fn announcements(&self) -> Arc<Announcements> {
        self.monitor_state.as_ref().map(|monitor_state| monitor_state.announcements()).unwrap_or_default()
    }

    pub(super) fn watched_components<'a>(
        &'a self,
        scope: &'a Reach,
        board: &'a StatusBoard,
    ) -> impl Iterator<Item = (&'a Component, &'a ComponentEntry)> {
        let own = self.config.uptime.components.iter();
        let own = own.filter(move |one| scope.tenant().is_none_or(|tenant| *tenant == one.tenant));
        own.filter_map(|one| Some((one, board.book.component(&one.id)?)))
    }

    /// How long the looks of a component took since `from`: all of them together, and by stretches.
    async fn latency(
        &self,
        board: &StatusBoard,
        entry: &ComponentEntry,
        from: Millis,
        now: Millis,
    ) -> Result<(Sketch, Vec<LatencyPoint>), ServiceError> {
        let length = now - from;
        let (width, _) = WIDTHS[if length <= DAY {
            0
        } else if length <= 30 * DAY {
            1
        } else {
            2
        }];
        let mut whole = Sketch::default();
        let mut points: std::collections::BTreeMap<Millis, (i64, i64, Sketch)> = Default::default();
        for check in entry.checks() {
            let number = board.numbers.get(*check).copied().unwrap_or_default();
            for rollup in self.store.uptime_rollups(number, width, from, now).await? {
                let point = points.entry(rollup.at).or_default();
                point.0 += rollup.good + rollup.bad;
                point.1 += rollup.bad;
                point.2.merge(&rollup.sketch);
                whole.merge(&rollup.sketch);
            }
        }
        let point = |(at, (looks, failed, sketch)): (Millis, (i64, i64, Sketch))| LatencyPoint {
            at: instant(at),
            looks,
            failed,
            p50_ms: sketch.percentile(50),
            p95_ms: sketch.percentile(95),
        };
        Ok((whole, points.into_iter().map(point).collect()))
    }
}

/// The promises about the component `id`. With a `period`, the promise for that; if there is none, the first promise,
/// measured by `period` all the same.
fn promises_by<'a>(uptime: &'a Uptime, id: &'a str, period: Option<Period>) -> Vec<&'a Promise> {
    let Some(period) = period else { return uptime.promises_of(id).collect() };
    let by_it = uptime.promises_of(id).find(|promise| promise.terms.period == period);
    by_it.or_else(|| uptime.promise(id)).into_iter().collect()
}

fn look_view(check: &str, row: LookRow) -> LookView {
    LookView {
        at: instant(row.at),
        check: check.to_owned(),
        status: row.verdict.as_str(),
        response_ms: (row.micros > 0).then_some(row.micros as f64 / 1000.0),
        detail: row.detail,
    }
}

fn range(asked: Option<&str>) -> Result<(&'static str, Millis), ServiceError> {
    let asked = asked.unwrap_or("24h");
    let found = RANGES.into_iter().find(|(name, _)| *name == asked);
    found.ok_or_else(|| {
        ServiceError::BadQuestion(Complaint::of("range", format!("is `{asked}`, and must be 24h, 7d, 30d or 90d")))
    })
}

fn period(asked: &str) -> Result<Period, ServiceError> {
    let unknown = || {
        ServiceError::BadQuestion(Complaint::of("period", format!("is `{asked}`, and must be month, quarter or year")))
    };
    Period::parse(asked).ok_or_else(unknown)
}

fn thousandths(percent: f64) -> Result<u32, ServiceError> {
    // By the rule of the configuration, so that no target is rounded to another.
    let read = checks::percent(&percent.to_string());
    read.map_err(|_| {
        let rule = "must be a percentage from 0 to 100 with at most three decimals";
        ServiceError::BadQuestion(Complaint::of("target", rule))
    })
}
