//! How services stand, how well they kept what was promised, and what is owed for the rest.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use utoipa::{IntoParams, ToSchema};

use super::{Reach, Service, ServiceError};
use crate::config::uptime::{Check, Component, Promise};
use crate::monitor::board::Board;
use crate::probe::spec::Ask;
use crate::store::millis;
use crate::store::uptime::WIDTHS;
use crate::uptime::availability::{Figure, Record, Terms, Window, allowed, figure, whole_period};
use crate::uptime::book::ComponentEntry;
use crate::uptime::credit::{self, WHOLE};
use crate::uptime::days::{self, Period};
use crate::uptime::intervals::Interval;
use crate::uptime::sketch::Sketch;
use crate::uptime::{Condition, DAY, MINUTE, Millis, Outcome};

/// What a figure is measured on where nothing was promised.
const UNPROMISED: u32 = 99_900;
/// The days of the past that a page shows.
pub const DAYS_SHOWN: i64 = 90;
/// The longest daily series.
const DAYS_MOST: i64 = 800;

/// All services that may be seen.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UptimeOverview {
    pub now: DateTime<Utc>,
    /// The worst of what is no part of something else: up | unknown | degraded | down
    pub overall_status: &'static str,
    pub components: Vec<ComponentView>,
}

/// One service, or a group of them.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ComponentView {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub tenant: String,
    pub client: Option<String>,
    /// up | unknown | degraded | down
    pub status: &'static str,
    pub status_since: DateTime<Utc>,
    /// What it is made of, if it is a group.
    pub members: Vec<String>,
    /// What it depends on and what is down itself.
    pub behind: Option<String>,
    pub public: bool,
    pub uptime: UptimeShares,
    pub checks: Vec<CheckView>,
    /// How the promise stands in its present period; none: nothing was promised.
    pub sla: Option<SlaView>,
}

/// Percent of the time that it was there, cut off after three decimals; none: nothing was measured.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct UptimeShares {
    #[serde(rename = "24h")]
    pub day: Option<f64>,
    #[serde(rename = "7d")]
    pub week: Option<f64>,
    #[serde(rename = "30d")]
    pub month: Option<f64>,
    #[serde(rename = "90d")]
    pub quarter: Option<f64>,
}

/// One way of looking at a service.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CheckView {
    pub id: String,
    /// https, tcp, heartbeat and so on.
    pub kind: &'static str,
    pub status: &'static str,
    /// Something was seen that is to be confirmed first.
    pub in_doubt: bool,
    pub last_look: Option<DateTime<Utc>>,
    pub response_ms: Option<f64>,
    /// What is wrong. It can name hosts and errors, so it is for those with a token only.
    pub detail: Option<String>,
    pub interval_seconds: i64,
    /// Whole days until the certificate ends.
    pub certificate_days: Option<i64>,
    /// Whether its chain will still be good in 14 days.
    pub certificate_holds: Option<bool>,
    /// Doubts that came to nothing.
    pub blips: u64,
}

/// How a promise stands in one period.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SlaView {
    pub component: String,
    /// 2026-11, 2026-Q4 or 2026
    pub period: String,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub target_percent: f64,
    /// None: nothing was counted.
    pub uptime_percent: Option<f64>,
    /// Whether the promise is kept so far.
    pub kept: Option<bool>,
    /// The floor of the tier that is reached, in percent.
    pub tier: Option<f64>,
    pub downtime_minutes: Downtime,
    pub outages: u32,
    pub unknown_minutes: f64,
    pub maintenance_minutes: f64,
    /// How much of the time in question was measured.
    pub measured_percent: f64,
    /// Under 95 % measured, nothing is owed on the figure.
    pub conclusive: bool,
    /// No figure is finer than the interval at which somebody looks.
    pub uncertainty_seconds: i64,
    pub service_credit: Option<Credit>,
}

/// Minutes that were lost, and that may be.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Downtime {
    pub used: f64,
    /// Of the real month, quarter or year.
    pub allowed: f64,
    pub remaining: f64,
}

/// What is owed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Credit {
    pub percent: u32,
    /// In the minor unit of the currency.
    pub amount_minor: Option<i64>,
    pub currency: Option<String>,
}

/// Which part of a component's past is asked for.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct HistoryQuery {
    pub tenant: Option<String>,
    /// 24h | 7d | 30d | 90d
    pub range: Option<String>,
}

/// A component's past.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ComponentHistory {
    pub now: DateTime<Utc>,
    pub id: String,
    pub range: &'static str,
    pub uptime_percent: Option<f64>,
    pub p50_ms: Option<i64>,
    pub p95_ms: Option<i64>,
    pub p99_ms: Option<i64>,
    pub spans: Vec<SpanView>,
    pub latency: Vec<LatencyPoint>,
}

/// A time in which nothing changed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SpanView {
    pub from: DateTime<Utc>,
    /// None: it still holds.
    pub until: Option<DateTime<Utc>>,
    pub status: &'static str,
}

/// How long answers took in one stretch of time.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LatencyPoint {
    pub at: DateTime<Utc>,
    pub looks: i64,
    pub failed: i64,
    pub p50_ms: Option<i64>,
    pub p95_ms: Option<i64>,
}

/// Which promises are asked for.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct SlaQuery {
    pub tenant: Option<String>,
    /// month | quarter | year; else what was agreed
    pub period: Option<String>,
    /// A day of the period, like 2026-11-30; else today.
    pub date: Option<NaiveDate>,
    pub component: Option<String>,
}

/// How promises stand.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SlaReport {
    pub now: DateTime<Utc>,
    pub promises: Vec<SlaView>,
}

/// Which days are asked for.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct DailyQuery {
    pub tenant: Option<String>,
    pub component: String,
    pub from: Option<NaiveDate>,
    pub to: Option<NaiveDate>,
    /// In percent; else what was promised.
    pub target: Option<f64>,
    pub exclude_maintenance: Option<bool>,
}

/// A component day by day.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DailySeries {
    pub component: String,
    pub timezone: String,
    pub days: Vec<DayView>,
}

/// One day.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DayView {
    pub date: NaiveDate,
    /// None: nothing was measured.
    pub compliance_percentage: Option<f64>,
    pub target_percentage: f64,
    pub uptime_minutes: f64,
    pub downtime_minutes: f64,
    pub unknown_minutes: f64,
    pub sla_breaches: u32,
}

const RANGES: [(&str, Millis); 4] = [("24h", DAY), ("7d", 7 * DAY), ("30d", 30 * DAY), ("90d", 90 * DAY)];

impl Service {
    /// All services that may be seen, in the order of the configuration.
    pub async fn uptime(&self, scope: &Reach) -> Result<UptimeOverview, ServiceError> {
        let now = self.clock.now();
        let board = self.board();
        let components: Vec<_> = self
            .watched_components(scope, &board)
            .map(|(one, entry)| view(self, &board, one, entry, millis(now)))
            .collect();
        let overall = overall(&components).as_str();
        Ok(UptimeOverview { now, overall_status: overall, components })
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
        let found = figure(&record(entry, &[]), &terms, (from, now), now);
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

    /// How promises stand in their present period, or in the one of `date`.
    pub async fn uptime_sla(&self, scope: &Reach, query: &SlaQuery) -> Result<SlaReport, ServiceError> {
        let (at, board) = (self.clock.now(), self.board());
        let period = query.period.as_deref().map(period).transpose()?;
        let mut promises = Vec::new();
        for (one, entry) in self.watched_components(scope, &board) {
            let Some(promise) = self.config.uptime.promise(&one.id) else { continue };
            if query.component.as_ref().is_some_and(|wanted| *wanted != one.id) {
                continue;
            }
            let period = period.unwrap_or(promise.terms.period);
            let day = query.date.map_or(millis(at), |date| days::midnight(promise.terms.zone, date));
            let span = period.around(promise.terms.zone, day);
            promises.push(sla(&board, promise, entry, &[], period, span, millis(at)));
        }
        Ok(SlaReport { now: at, promises })
    }

    /// A service day by day: the last 30 days unless told.
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
        if (last - first).num_days() >= DAYS_MOST {
            return Err(ServiceError::BadQuestion(format!("`from` and `to` may lie {DAYS_MOST} days apart at most")));
        }
        let record = record(entry, &[]);
        let days = days::days(terms.zone, first, last).filter(|(_, day)| day.0 < now);
        let days = days.map(|(date, day)| day_view(date, figure(&record, &terms, day, now), &terms)).collect();
        Ok(Some(DailySeries { component: one.id.clone(), timezone: terms.zone.to_string(), days }))
    }

    /// The check that a heartbeat with `token` is about.
    pub fn heartbeat_check(&self, token: &str) -> Option<String> {
        let is_it = |check: &&Check| match &check.probe.ask {
            Ask::Heartbeat(ask) => {
                let expected = ask.token.expose_secret();
                !expected.is_empty() && bool::from(expected.as_bytes().ct_eq(token.as_bytes()))
            }
            _ => false,
        };
        self.config.uptime.checks.iter().find(is_it).map(|check| check.id.clone())
    }

    /// Takes in that `check` has called, and how; false: nobody could take it in.
    pub async fn heartbeat(&self, check: String, failed: bool) -> bool {
        let Some(switchboard) = &self.switchboard else { return false };
        let now = millis(self.clock.now());
        let outcome =
            if failed { Outcome::bad(now, Condition::Down, "it says that it failed") } else { Outcome::up(now) };
        switchboard.report(check, outcome, 0).await
    }

    /// What the loop shows; nothing where none runs.
    pub(crate) fn board(&self) -> Arc<Board> {
        self.switchboard.as_ref().map(|switchboard| switchboard.board()).unwrap_or_default()
    }

    fn watched_components<'a>(
        &'a self,
        scope: &'a Reach,
        board: &'a Board,
    ) -> impl Iterator<Item = (&'a Component, &'a ComponentEntry)> {
        let own = self.config.uptime.components.iter();
        let own = own.filter(move |one| scope.tenant().is_none_or(|tenant| *tenant == one.tenant));
        own.filter_map(|one| Some((one, board.book.component(&one.id)?)))
    }

    /// How long the looks of a component took since `from`: all of them, and by stretches.
    async fn latency(
        &self,
        board: &Board,
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

/// The worst of what is no part of something else.
pub fn overall(components: &[ComponentView]) -> Condition {
    let is_member = |one: &ComponentView| components.iter().any(|other| other.members.contains(&one.id));
    let top = components.iter().filter(|one| !is_member(one));
    top.filter_map(|one| Condition::parse(one.status)).max().unwrap_or(Condition::Unknown)
}

/// What is known of a component, for a figure.
pub(crate) fn record<'a>(entry: &'a ComponentEntry, windows: &'a [Window]) -> Record<'a> {
    Record { spans: entry.line.spans(), windows, since: entry.since, ended: None }
}

/// What a figure is measured by.
pub(crate) fn terms(promise: Option<&Promise>) -> Terms {
    promise.map_or_else(|| Terms::usual(UNPROMISED, Tz::UTC), |promise| promise.terms.clone())
}

fn view(service: &Service, board: &Board, one: &Component, entry: &ComponentEntry, now: Millis) -> ComponentView {
    let promise = service.config.uptime.promise(&one.id);
    let terms = terms(promise);
    let share =
        |length: Millis| figure(&record(entry, &[]), &terms, (now - length, now), now).availability().map(percent);
    let place = board.book.components.iter().position(|other| other.plan.id == one.id);
    let behind = place.and_then(|place| board.book.failing_parent(place));
    let sla = promise.map(|promise| {
        let period = promise.terms.period;
        sla(board, promise, entry, &[], period, period.around(promise.terms.zone, now), now)
    });
    ComponentView {
        id: one.id.clone(),
        name: one.name.clone(),
        description: one.description.clone(),
        tenant: one.tenant.to_string(),
        client: one.client.clone(),
        status: entry.condition().as_str(),
        status_since: instant(entry.changed_at()),
        members: one.of.clone(),
        behind: behind.map(|parent| board.book.components[parent].plan.id.clone()),
        public: one.public,
        uptime: UptimeShares {
            day: share(DAY),
            week: share(7 * DAY),
            month: share(30 * DAY),
            quarter: share(90 * DAY),
        },
        checks: entry.checks().iter().map(|check| check_view(service, board, *check, now)).collect(),
        sla,
    }
}

fn check_view(service: &Service, board: &Board, place: usize, now: Millis) -> CheckView {
    let entry = &board.book.checks[place];
    let latest = board.latest.get(place).and_then(Option::as_ref);
    let certificate = latest.and_then(|latest| latest.certificate.as_ref());
    let configured = service.config.uptime.checks.iter().find(|check| check.id == entry.plan.id);
    let doubt = entry.state.doubt.as_ref();
    CheckView {
        id: entry.plan.id.clone(),
        kind: configured.map_or("gone", |check| check.probe.ask.kind()),
        status: entry.state.condition.as_str(),
        in_doubt: doubt.is_some_and(|doubt| doubt.towards > entry.state.condition),
        last_look: entry.state.last_at.map(instant),
        response_ms: latest.filter(|latest| latest.micros > 0).map(|latest| latest.micros as f64 / 1000.0),
        detail: entry.state.detail.clone().or_else(|| doubt.and_then(|doubt| doubt.detail.clone())),
        interval_seconds: entry.plan.rules.interval / 1000,
        certificate_days: certificate.map(|certificate| (certificate.until - now).div_euclid(DAY)),
        certificate_holds: certificate.map(|certificate| certificate.holds),
        blips: entry.state.blips,
    }
}

fn sla(
    board: &Board,
    promise: &Promise,
    entry: &ComponentEntry,
    windows: &[Window],
    period: Period,
    span: Interval,
    now: Millis,
) -> SlaView {
    let (record, terms) = (record(entry, windows), &promise.terms);
    let found = figure(&record, terms, span, now);
    let allowed = allowed(terms, whole_period(&record, terms, span));
    let tier = credit::tier(&promise.tiers, found.up(), found.counted);
    let slowest = entry.checks().iter().map(|check| board.book.checks[*check].plan.rules.interval).max();
    SlaView {
        component: promise.component.clone(),
        period: period.name(terms.zone, span.0),
        from: instant(span.0),
        until: instant(span.1),
        target_percent: percent(terms.target),
        uptime_percent: found.availability().map(percent),
        kept: found.is_kept(terms),
        tier: tier.map(|tier| percent(tier.floor)),
        downtime_minutes: Downtime {
            used: minutes(found.lost),
            allowed: minutes(allowed),
            remaining: minutes(allowed - found.lost),
        },
        outages: found.outages,
        unknown_minutes: minutes(found.unknown),
        maintenance_minutes: minutes(found.maintenance),
        measured_percent: percent(found.measured(terms)),
        conclusive: found.is_conclusive(terms),
        uncertainty_seconds: slowest.unwrap_or_default() / 1000,
        service_credit: tier.filter(|_| found.is_conclusive(terms)).map(|tier| owed(promise, tier.percent)),
    }
}

fn owed(promise: &Promise, percent: u32) -> Credit {
    let amount = promise.fee.as_ref().map(|fee| credit::of_fee(fee.minor, percent));
    Credit { percent, amount_minor: amount, currency: promise.fee.as_ref().map(|fee| fee.currency.clone()) }
}

fn day_view(date: NaiveDate, found: Figure, terms: &Terms) -> DayView {
    DayView {
        date,
        compliance_percentage: found.availability().map(percent),
        target_percentage: percent(terms.target),
        uptime_minutes: minutes(found.up()),
        downtime_minutes: minutes(found.lost),
        unknown_minutes: minutes(found.unknown),
        sla_breaches: u32::from(found.is_kept(terms) == Some(false)),
    }
}

fn range(asked: Option<&str>) -> Result<(&'static str, Millis), ServiceError> {
    let asked = asked.unwrap_or("24h");
    let found = RANGES.into_iter().find(|(name, _)| *name == asked);
    found.ok_or_else(|| ServiceError::BadQuestion(format!("`range` is `{asked}`, and must be 24h, 7d, 30d or 90d")))
}

fn period(asked: &str) -> Result<Period, ServiceError> {
    let unknown = || ServiceError::BadQuestion(format!("`period` is `{asked}`, and must be month, quarter or year"));
    Period::parse(asked).ok_or_else(unknown)
}

fn thousandths(percent: f64) -> Result<u32, ServiceError> {
    let thousandths = (percent * 1000.0).round();
    if (0.0..=f64::from(WHOLE)).contains(&thousandths) {
        return Ok(thousandths as u32);
    }
    Err(ServiceError::BadQuestion("`target` must be a percentage from 0 to 100".to_owned()))
}

/// Thousandths of a percent as percent, exactly as far as they go.
pub(crate) fn percent(thousandths: u32) -> f64 {
    f64::from(thousandths) / 1000.0
}

fn minutes(time: Millis) -> f64 {
    (time as f64 / MINUTE as f64 * 1000.0).round() / 1000.0
}

fn instant(at: Millis) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at).unwrap_or_default()
}
