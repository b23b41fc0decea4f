//! The figures of a component's past: shares, promises, days.

use chrono::{DateTime, NaiveDate, Utc};

use super::views::{CheckView, ComponentView, Credit, DayView, Downtime, ObjectiveView, SlaView, UptimeShares};
use crate::config::uptime::{Component, Objective, Promise};
use crate::monitor::board::{Figure as Measured, StatusBoard};
use crate::service::Service;
use crate::sla::zone::Tz;
use crate::uptime::availability::{Circumstances, Figure, Terms, allowed, figure, outlook, whole_period};
use crate::uptime::book::ComponentEntry;
use crate::uptime::credit;
use crate::uptime::days::Period;
use crate::uptime::intervals::Interval;
use crate::uptime::objective::Measure;
use crate::uptime::{Condition, DAY, MINUTE, Millis};

/// The target of a figure where nothing was promised.
const UNPROMISED: u32 = 99_900;

/// The worst condition of the components that are not part of another.
pub fn overall(components: &[ComponentView]) -> Condition {
    let is_member = |one: &ComponentView| components.iter().any(|other| other.members.contains(&one.id));
    let top = components.iter().filter(|one| !is_member(one));
    top.filter_map(|one| Condition::parse(one.status)).max().unwrap_or(Condition::Unknown)
}

/// The terms of a figure.
pub(crate) fn terms(promise: Option<&Promise>) -> Terms {
    promise.map_or_else(|| Terms::usual(UNPROMISED, Tz::UTC), |promise| promise.terms.clone())
}

pub(super) fn view(
    service: &Service,
    board: &StatusBoard,
    one: &Component,
    entry: &ComponentEntry,
    now: Millis,
) -> ComponentView {
    let promise = service.config.uptime.promise(&one.id);
    let terms = terms(promise);
    let announcements = service.announcements();
    let circumstances = board.book.circumstances_of(&one.id, &announcements);
    let record = entry.record(&circumstances);
    let share = |length: Millis| figure(&record, &terms, (now - length, now), now).availability().map(percent);
    let place = board.book.components.iter().position(|other| other.plan.id == one.id);
    let behind = place.and_then(|place| board.book.failing_parent(place));
    let sla = promise.map(|promise| {
        let period = promise.terms.period;
        sla(board, promise, entry, &circumstances, period, period.around(promise.terms.zone, now), now)
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
        maintenance_until: board.book.worked_on_until(&one.id, &announcements, now).map(instant),
        uptime: UptimeShares {
            day: share(DAY),
            week: share(7 * DAY),
            month: share(30 * DAY),
            quarter: share(90 * DAY),
        },
        checks: entry.checks().iter().map(|check| check_view(service, board, *check, now)).collect(),
        sla,
        objectives: objectives(service, &one.id),
    }
}

fn objectives(service: &Service, component: &str) -> Vec<ObjectiveView> {
    let figures = service.monitor_state.as_ref().map(|monitor_state| monitor_state.figures()).unwrap_or_default();
    let own = service.config.uptime.objectives_of(component);
    own.map(|(place, one)| objective(one, figures.get(place).copied().unwrap_or_default())).collect()
}

fn objective(one: &Objective, figure: Measured) -> ObjectiveView {
    let goal = &one.goal;
    let shown = |value: i64| match goal.measure {
        Measure::Latency(_) => value as f64,
        Measure::Errors => value as f64 / 1000.0,
    };
    ObjectiveView {
        measure: goal.measure.as_str(),
        window_seconds: goal.window / 1000,
        value: figure.value.map(shown),
        warn: goal.warn.map(shown),
        breach: shown(goal.breach),
        status: figure.value.map_or("unknown", |value| goal.level(value).as_str()),
    }
}

fn check_view(service: &Service, board: &StatusBoard, place: usize, now: Millis) -> CheckView {
    let entry = &board.book.checks[place];
    let latest = board.latest.get(place).and_then(Option::as_ref);
    let certificate = latest.and_then(|latest| latest.certificate.as_ref());
    let configured = service.config.uptime.checks.iter().find(|check| check.id == entry.plan.id);
    let doubt = entry.state.doubt.as_ref();
    CheckView {
        id: entry.plan.id.clone(),
        kind: configured.map_or("gone", |check| check.probe.ask.kind()),
        place: entry.plan.view.as_ref().and_then(|view| view.place.clone()),
        quorum: entry.plan.view.as_ref().map(|view| view.quorum),
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

pub(super) fn sla(
    board: &StatusBoard,
    promise: &Promise,
    entry: &ComponentEntry,
    circumstances: &Circumstances,
    period: Period,
    span: Interval,
    now: Millis,
) -> SlaView {
    let (record, terms) = (entry.record(circumstances), &promise.terms);
    let found = figure(&record, terms, span, now);
    let allowed = allowed(terms, whole_period(&record, terms, span));
    let (up, counted) = outlook(&record, terms, span, &found, now);
    let tier = credit::tier(&promise.tiers, up, counted);
    let slowest = entry.checks().iter().map(|check| board.book.checks[*check].plan.rules.interval).max();
    SlaView {
        component: promise.component.clone(),
        period: period.name(terms.zone, span.0),
        from: instant(span.0),
        until: instant(span.1),
        target_percent: percent(terms.target),
        uptime_percent: found.availability().map(percent),
        over: span.1 <= now,
        kept: (found.counted > 0).then(|| credit::reaches(up, counted, terms.target)),
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

pub(super) fn day_view(date: NaiveDate, found: Figure, terms: &Terms) -> DayView {
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

/// Converts thousandths of a percent to percent, exactly.
pub(crate) fn percent(thousandths: u32) -> f64 {
    f64::from(thousandths) / 1000.0
}

fn minutes(time: Millis) -> f64 {
    (time as f64 / MINUTE as f64 * 1000.0).round() / 1000.0
}

pub(super) fn instant(at: Millis) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at).unwrap_or_default()
}
