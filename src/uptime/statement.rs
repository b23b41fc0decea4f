//! Statements: the outcome of a promise in one period, with the figure, what it is made of, and what is owed.
//!
//! A statement depends only on spans, announced work and terms, so the same past gives the same statement. It is frozen
//! some days after its period; what is found out later stands beside it and does not change it.

use std::sync::Arc;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::availability::{self, Figure, Record, Terms, UnknownTime, allowed, figure, whole_period};
use super::credit::{self, Tier};
use super::days::{self, Period};
use super::intervals::Interval;
use super::{DAY, Millis};
use crate::sla::calendar::{Calendar, CalendarSpec};
use crate::sla::zone::Tz;

/// How long after its end a period is settled.
pub const SETTLES: Millis = 3 * DAY;
/// The most outages that a statement lists; all of them are counted.
const OUTAGES_MOST: usize = 200;

/// Whose promise it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whose {
    pub tenant: String,
    pub component: String,
    pub name: String,
    pub client: Option<String>,
}

/// What was agreed, as far as the statement shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreed {
    /// In thousandths of a percent.
    pub target: u32,
    pub tiers: Vec<Tier>,
    /// In the minor unit of the currency.
    pub fee: Option<(i64, String)>,
    pub unknown: UnknownTime,
    pub notice: Millis,
    /// How much maintenance a month is left out; none if no maintenance is.
    pub maintenance: Option<Millis>,
    /// How much of a partial outage counts as lost, in thousandths.
    pub partial: u32,
    pub whole_minutes: bool,
    pub round_the_clock: bool,
    /// The hours that it holds in. Statements of earlier versions lack them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<CalendarSpec>,
}

/// What is owed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owed {
    /// In percent of the fee.
    pub percent: u32,
    pub minor: Option<i64>,
    pub currency: Option<String>,
}

/// One day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatedDay {
    pub date: NaiveDate,
    /// In thousandths of a percent; none if nothing was counted.
    pub availability: Option<u32>,
    pub lost: Millis,
    pub unknown: Millis,
    pub maintenance: Millis,
}

/// The outcome of a promise in one period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    pub whose: Whose,
    /// `2026-10`
    pub period: String,
    pub from: Millis,
    pub until: Millis,
    pub zone: Tz,
    pub agreed: Agreed,
    pub figure: Figure,
    /// How much might have been lost without missing the promise.
    pub allowed: Millis,
    /// In thousandths of a percent; none if nothing was counted.
    pub availability: Option<u32>,
    pub measured: u32,
    /// Whether enough was measured to owe anything.
    pub conclusive: bool,
    pub kept: Option<bool>,
    /// None if nothing was counted, or not enough of it.
    pub owed: Option<Owed>,
    /// When it was down, within the time that counts; no more than 200 entries, while the figure counts all.
    pub outages: Vec<Interval>,
    pub days: Vec<StatedDay>,
}

impl Statement {
    /// Makes the statement on what was `agreed` in the period `span`.
    pub fn make(
        whose: Whose,
        record: &Record<'_>,
        terms: &Terms,
        agreed: Agreed,
        kind: Period,
        span: Interval,
    ) -> Self {
        let found = figure(record, terms, span, span.1);
        Self {
            period: kind.name(terms.zone, span.0),
            from: span.0,
            until: span.1,
            zone: terms.zone,
            allowed: allowed(terms, whole_period(record, terms, span)),
            availability: found.availability(),
            measured: found.measured(terms),
            conclusive: found.is_conclusive(terms),
            kept: found.is_kept(terms),
            owed: owed(&agreed, terms, &found),
            outages: availability::outages(record, terms, span, span.1).iter().take(OUTAGES_MOST).collect(),
            days: stated_days(record, terms, span),
            figure: found,
            whose,
            agreed,
        }
    }

    /// Computes the figure of its period and what is owed on it from `record`, by the terms it was settled by. `None` if
    /// these are not all known any more.
    pub fn recount(&self, record: &Record<'_>) -> Option<(Figure, Option<Owed>)> {
        let terms = self.terms()?;
        let found = figure(record, &terms, (self.from, self.until), self.until);
        let owed = owed(&self.agreed, &terms, &found);
        Some((found, owed))
    }

    fn terms(&self) -> Option<Terms> {
        let agreed = &self.agreed;
        let hours = match &agreed.hours {
            Some(spec) => Some(Arc::new(Calendar::compile(spec.clone()).ok()?)),
            None if agreed.round_the_clock => None,
            None => return None,
        };
        Some(Terms {
            hours,
            notice: agreed.notice,
            maintenance: agreed.maintenance,
            unknown: agreed.unknown,
            partial: agreed.partial,
            whole_minutes: agreed.whole_minutes,
            ..Terms::usual(agreed.target, self.zone)
        })
    }

    /// Returns its key: the same promise and period always have the same key.
    pub fn key(&self) -> String {
        key(&self.whose.tenant, &self.whose.component, &self.period)
    }

    /// Returns how many outages the figure counts that are not listed.
    pub fn outages_left_out(&self) -> u64 {
        let counted = usize::try_from(self.figure.outages).unwrap_or(usize::MAX);
        let is_cut = self.outages.len() >= OUTAGES_MOST;
        if is_cut { counted.saturating_sub(self.outages.len()) as u64 } else { 0 }
    }

    /// Whether anything is owed.
    pub fn owes(&self) -> bool {
        self.owed.as_ref().is_some_and(|owed| owed.percent > 0)
    }
}

/// Returns the key of the statement on a promise in a period.
pub fn key(tenant: &str, component: &str, period: &str) -> String {
    format!("{tenant}:{component}:statement:{period}")
}

/// Returns the periods of `kind` that have settled by `now`, the latest first: those that ended after `since`, when the
/// watch began, and were `promised` for as long as they were watched.
pub fn settled(kind: Period, zone: Tz, since: Millis, promised: Millis, now: Millis) -> impl Iterator<Item = Interval> {
    const MOST: usize = 24;
    let first = kind.before(zone, now);
    let all = std::iter::successors(Some(first), move |(from, _)| Some(kind.before(zone, *from)));
    let over = move |(_, until): &Interval| *until + SETTLES <= now;
    let is_promised = move |(from, until): &Interval| *until > since && since.max(*from) >= promised;
    all.take(MOST).take_while(is_promised).filter(over)
}

/// None if nothing was counted, or not enough of it.
fn owed(agreed: &Agreed, terms: &Terms, found: &Figure) -> Option<Owed> {
    let tier = credit::tier(&agreed.tiers, found.up(), found.counted).filter(|_| found.is_conclusive(terms))?;
    let fee = agreed.fee.as_ref();
    Some(Owed {
        percent: tier.percent,
        minor: fee.map(|(minor, _)| credit::of_fee(*minor, tier.percent)),
        currency: fee.map(|(_, currency)| currency.clone()),
    })
}

fn stated_days(record: &Record<'_>, terms: &Terms, (from, until): Interval) -> Vec<StatedDay> {
    let (first, last) = (days::date_of(terms.zone, from), days::date_of(terms.zone, until - 1));
    let stated = |(date, day): (NaiveDate, Interval)| {
        let found = figure(record, terms, day, until);
        StatedDay {
            date,
            availability: found.availability(),
            lost: found.lost,
            unknown: found.unknown,
            maintenance: found.maintenance,
        }
    };
    days::days(terms.zone, first, last).map(stated).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uptime::availability::Window;
    use crate::uptime::credit::USUAL;
    use crate::uptime::{Condition, HOUR, MINUTE, Span};

    fn agreed(terms: &Terms) -> Agreed {
        Agreed {
            target: terms.target,
            tiers: USUAL.to_vec(),
            fee: Some((120_000, "GBP".to_owned())),
            unknown: terms.unknown,
            notice: terms.notice,
            maintenance: terms.maintenance,
            partial: 0,
            whole_minutes: false,
            round_the_clock: terms.hours.is_none(),
            hours: terms.hours.as_ref().map(|calendar| calendar.spec().clone()),
        }
    }

    #[test]
    fn a_month_with_an_hour_lost_owes_a_tenth_and_says_on_which_day() {
        let terms = Terms::usual(99_900, Tz::UTC);
        let span = Period::Month.around(Tz::UTC, 40 * DAY);
        let (from, until) = (span.0 + 5 * DAY + 23 * HOUR + 30 * MINUTE, span.0 + 6 * DAY + 30 * MINUTE);
        let part = |from, until, condition| Span { from, until, condition };
        let spans = [
            part(0, Some(from), Condition::Up),
            part(from, Some(until), Condition::Down),
            part(until, None, Condition::Up),
        ];
        let record = Record { spans: &spans, windows: &[], slow: &[], since: 0, ended: None };
        let whose =
            Whose { tenant: "acme".to_owned(), component: "shop".to_owned(), name: "Shop".to_owned(), client: None };
        let made = Statement::make(whose, &record, &terms, agreed(&terms), Period::Month, span);
        assert_eq!((made.kept, made.figure.lost, made.outages.as_slice()), (Some(false), HOUR, &[(from, until)][..]));
        let owed = made.owed.as_ref().unwrap();
        assert_eq!((owed.percent, owed.minor), (10, Some(12_000)));
        let bad: Vec<_> = made.days.iter().filter(|day| day.lost > 0).map(|day| day.lost).collect();
        assert_eq!(bad, [30 * MINUTE, 30 * MINUTE], "over midnight, half of it each day");
        assert_eq!(made.days.iter().map(|day| day.lost).sum::<Millis>(), made.figure.lost);
        let text = serde_json::to_string(&made).unwrap();
        assert_eq!(serde_json::from_str::<Statement>(&text).unwrap(), made);
    }

    #[test]
    fn a_period_is_recounted_by_the_terms_it_was_settled_by_hours_included() {
        let week = std::array::from_fn(|_| vec![(9 * 60, 17 * 60)]);
        let spec = CalendarSpec { always: false, week, name: "office".to_owned(), ..CalendarSpec::round_the_clock() };
        let hours = Some(Arc::new(Calendar::compile(spec).unwrap()));
        let terms = Terms { hours, partial: 500, whole_minutes: true, ..Terms::usual(99_900, Tz::UTC) };
        let span = Period::Month.around(Tz::UTC, 40 * DAY);
        let whose =
            Whose { tenant: "acme".to_owned(), component: "shop".to_owned(), name: "Shop".to_owned(), client: None };
        let down = |minutes: Millis| {
            let (from, until) = (span.0 + DAY + 10 * HOUR, span.0 + DAY + 10 * HOUR + minutes * MINUTE);
            [
                Span { from: 0, until: Some(from), condition: Condition::Up },
                Span { from, until: Some(until), condition: Condition::Down },
                Span { from: until, until: None, condition: Condition::Up },
            ]
        };
        let (then, later) = (down(200), down(30));
        let record = |spans| Record { spans, windows: &[], slow: &[], since: 0, ended: None };
        let made = Statement::make(whose, &record(&then), &terms, agreed(&terms), Period::Month, span);
        assert_eq!(made.recount(&record(&then)), Some((made.figure, made.owed.clone())));
        assert_eq!(made.owed.as_ref().map(|owed| owed.percent), Some(50));
        let (found, owed) = made.recount(&record(&later)).unwrap();
        assert_eq!((found.lost, owed.map(|owed| owed.percent)), (30 * MINUTE, Some(10)));
        let unknown = Agreed { hours: None, ..made.agreed.clone() };
        let old = Statement { agreed: unknown, ..made };
        assert_eq!(old.recount(&record(&later)), None, "an earlier version kept no hours");
    }

    #[test]
    fn the_outages_that_are_listed_are_those_that_are_counted() {
        let terms = Terms::usual(99_900, Tz::UTC);
        let span = Period::Month.around(Tz::UTC, 40 * DAY);
        let (from, until) = (span.0 + 10 * DAY, span.0 + 10 * DAY + 4 * HOUR);
        let spans = [
            Span { condition: Condition::Up, from: span.0, until: Some(from) },
            Span { condition: Condition::Down, from, until: Some(until) },
        ];
        let window = Window { from: from + HOUR, until: from + 2 * HOUR, announced_at: span.0 };
        let record = Record { spans: &spans, windows: &[window], slow: &[], since: span.0, ended: None };
        let whose =
            Whose { tenant: "acme".to_owned(), component: "shop".to_owned(), name: "Shop".to_owned(), client: None };
        let made = Statement::make(whose, &record, &terms, agreed(&terms), Period::Month, span);
        assert_eq!(made.outages, [(from, from + HOUR), (from + 2 * HOUR, until)]);
        assert_eq!((made.figure.outages, made.outages_left_out()), (2, 0));
    }

    #[test]
    fn a_period_is_settled_three_days_after_its_end_and_none_from_before_the_watch() {
        let (first, next) = Period::Month.around(Tz::UTC, 40 * DAY);
        let settled = |since, now| settled(Period::Month, Tz::UTC, since, since, now).collect::<Vec<_>>();
        assert_eq!(settled(first, next + SETTLES - 1), []);
        assert_eq!(settled(first, next + SETTLES), [(first, next)]);
        assert_eq!(settled(0, next + SETTLES).len(), 2, "the month before as well");
        assert_eq!(settled(next, next + SETTLES), []);
    }

    #[test]
    fn a_period_in_which_nothing_was_promised_at_first_is_not_settled_unless_nobody_watched_then() {
        let (first, next) = Period::Month.around(Tz::UTC, 40 * DAY);
        let settled = |since, promised| settled(Period::Month, Tz::UTC, since, promised, next + SETTLES);
        assert_eq!(settled(0, first).collect::<Vec<_>>(), [(first, next)], "and not the month before");
        assert_eq!(settled(0, first + 1).count(), 0);
        assert_eq!(settled(first + DAY, first + DAY).count(), 1, "promised since it is watched");
    }
}
