//! What may go wrong with a component while it is up: a promise about to be missed, a certificate about to expire.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::trouble::Trouble;
use crate::alert::component::Standing;
use crate::alert::{AlertKind, Stage};
use crate::config::uptime::Promise;
use crate::monitor::board::{Latest, StatusBoard};
use crate::uptime::availability::percent;
use crate::uptime::book::ComponentEntry;
use crate::uptime::budget::named_after;
use crate::uptime::budget::{Budget, Spending, budget};
use crate::uptime::days::Period;
use crate::uptime::incident::Announcements;
use crate::uptime::spans::Timeline;
use crate::uptime::{Condition, DAY, HOUR, MINUTE, Millis};

/// How long a computed budget holds if nothing changes.
const BUDGET_HOLDS: TimeDelta = TimeDelta::minutes(1);
/// A certificate with no more than this left is as bad as an expired one.
const TOO_SOON: Millis = 3 * DAY;

/// The budgets of promises by component and period, as last computed.
#[derive(Default)]
pub(super) struct Budgets(HashMap<(String, Period), Known>);

struct Known {
    line: Arc<Timeline>,
    at: DateTime<Utc>,
    budget: Budget,
    began: Millis,
    until: Millis,
}

impl Budgets {
    /// Returns how the budget of `promise` stands, as a trouble.
    pub fn trouble(
        &mut self,
        promise: &Promise,
        entry: &ComponentEntry,
        (board, announcements): (&StatusBoard, &Announcements),
        now: DateTime<Utc>,
    ) -> Trouble {
        let key = (promise.component.clone(), promise.terms.period);
        let known = self.0.get(&key).filter(|known| {
            let age = now - known.at;
            Arc::ptr_eq(&known.line, &entry.line) && age >= TimeDelta::zero() && age < BUDGET_HOLDS
        });
        if known.is_none() {
            self.0.insert(key.clone(), work_out(promise, entry, board, announcements, now));
        }
        let known = &self.0[&key];
        told(promise, known, entry.condition())
    }
}

fn work_out(
    promise: &Promise,
    entry: &ComponentEntry,
    board: &StatusBoard,
    announcements: &Announcements,
    at: DateTime<Utc>,
) -> Known {
    let now = at.timestamp_millis();
    let circumstances = board.book.circumstances_of(&promise.component, announcements);
    let record = entry.record(&circumstances);
    let (began, until) = promise.terms.period.around(promise.terms.zone, now);
    let intervals = entry.checks().iter().map(|check| board.book.checks[*check].plan.rules.interval);
    let interval = intervals.max().unwrap_or(MINUTE);
    let budget = budget(&record, &promise.terms, (began, until), interval, now);
    Known { line: entry.line.clone(), at, budget, began, until }
}

fn told(promise: &Promise, known: &Known, condition: Condition) -> Trouble {
    let budget = &known.budget;
    let is_failing = condition >= Condition::Degraded;
    let standing = match budget.spending {
        Some(Spending::Missed) => Standing::At(Stage::Breached),
        // The failure is told already; what it costs can wait until it is over.
        Some(_) if is_failing => Standing::Unsaid,
        Some(Spending::Fast { .. } | Spending::Mostly { .. }) => Standing::At(Stage::Warning),
        Some(Spending::WillNotLast) => Standing::At(Stage::Predicted),
        None if is_failing || budget.is_cooling => Standing::Unsaid,
        None => Standing::Over,
    };
    let said = match budget.spending {
        Some(Spending::Missed) => format!("has missed its promise of {} %", percent(promise.terms.target)),
        Some(Spending::Fast { tenfold_rate }) => {
            format!("is using its downtime budget {}.{} times too fast", tenfold_rate / 10, tenfold_rate % 10)
        }
        Some(Spending::Mostly { percent }) => format!("has used {percent} % of its downtime budget"),
        Some(Spending::WillNotLast) => "will have used up its downtime budget before its period is over".to_owned(),
        None => "is within its downtime budget".to_owned(),
    };
    let period = promise.terms.period.name(promise.terms.zone, known.began);
    let (lost, allowed) = (length(budget.lost), length(budget.allowed));
    Trouble {
        kind: AlertKind::Budget,
        standing,
        began: instant(known.began),
        named_after: named_after_period(known.began, promise.terms.period),
        period: Some(promise.terms.period),
        flaps: false,
        said,
        detail: Some(format!("{lost} lost of the {allowed} that {period} allows")),
        until: Some(instant(known.until)),
        ended: None,
    }
}

fn named_after_period(began: Millis, period: Period) -> DateTime<Utc> {
    let began = u32::try_from(began / 1000).unwrap_or_default();
    DateTime::from_timestamp(named_after(began, period).into(), 0).unwrap_or_default()
}

/// Returns the trouble of the component's worst certificate; none if no certificate was seen.
pub(super) fn certificate(entry: &ComponentEntry, board: &StatusBoard, now: Millis) -> Option<Trouble> {
    let seen = entry.checks().iter().filter_map(|check| board.latest.get(*check)?.as_ref()?.certificate.clone());
    let first = seen.min_by_key(|certificate| (certificate.holds, certificate.until))?;
    let left = first.until - now;
    let standing = match first.holds {
        _ if left <= TOO_SOON => Standing::At(Stage::Breached),
        false => Standing::At(Stage::Warning),
        true => Standing::Over,
    };
    let ends = instant(first.until);
    let what = if first.ends_by_chain { "has a certificate whose chain" } else { "has a certificate that" };
    let said = match left {
        ..=0 => format!("{what} ended on {}", ends.format("%-d %b %Y")),
        left if left > 14 * DAY => "has a certificate whose chain will no longer be valid in two weeks".to_owned(),
        left => format!("{what} ends on {}, in {}", ends.format("%-d %b %Y"), days(left)),
    };
    let (kind, flaps, detail) = (AlertKind::Certificate, false, None);
    Some(Trouble {
        kind,
        standing,
        began: ends,
        named_after: ends,
        period: None,
        flaps,
        said,
        detail,
        until: Some(ends),
        ended: None,
    })
}

/// Whether the last look of each check of the component found it up and saw no certificate.
pub(super) fn shows_no_certificate(entry: &ComponentEntry, board: &StatusBoard) -> bool {
    let latest = |check: &usize| board.latest.get(*check)?.as_ref();
    let is_plain = |latest: &Latest| latest.verdict == Some(Condition::Up) && latest.certificate.is_none();
    entry.checks().iter().all(|check| latest(check).is_some_and(is_plain))
}

fn days(left: Millis) -> String {
    match left.div_euclid(DAY) {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

/// Returns a length like `1 h 12 min` or `45 s`.
fn length(millis: Millis) -> String {
    match (millis / HOUR, millis % HOUR / MINUTE, millis % MINUTE / 1000) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, 0) => format!("{minutes} min"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

fn instant(at: Millis) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Certificate;
    use crate::uptime::book::{Book, CheckPlan, ComponentPlan, Remembered};
    use crate::uptime::combine::Needs;
    use crate::uptime::observe::Rules;

    const NOW: Millis = 1_800_000_000_000;

    /// Returns a board of one component, and what its only check saw last.
    fn board(seen: Latest) -> StatusBoard {
        let component = ComponentPlan { id: "shop".into(), needs: Needs::All, of: vec![], depends_on: vec![] };
        let rules = Rules::every(MINUTE, 10_000, 3, 2);
        let check = CheckPlan { id: "shop/https".into(), component: "shop".into(), rules, view: None, is_asked: true };
        let book = Book::open(vec![component], vec![check], &Remembered::default(), NOW);
        StatusBoard { book, latest: vec![Some(seen)], ..StatusBoard::default() }
    }

    /// Returns what is said about a certificate with this much time `left`, whose chain `holds` or not.
    fn said(left: Millis, holds: bool) -> (Standing, String) {
        said_of(left, holds, false)
    }

    fn said_of(left: Millis, holds: bool, ends_by_chain: bool) -> (Standing, String) {
        let certificate_seen = Some(Certificate { until: NOW + left, holds, ends_by_chain });
        let board = board(Latest { certificate: certificate_seen, ..Latest::default() });
        let found = certificate(&board.book.components[0], &board, NOW).unwrap();
        (found.standing, found.said)
    }

    #[test]
    fn a_certificate_is_told_two_weeks_ahead_and_louder_at_the_end() {
        let (warning, breached) = (Standing::At(Stage::Warning), Standing::At(Stage::Breached));
        assert_eq!(said(40 * DAY, true).0, Standing::Over);
        assert_eq!(said(9 * DAY, true).0, Standing::Over, "another chain lives on");
        let nine = "has a certificate that ends on 24 Jan 2027, in 9 days".to_owned();
        assert_eq!(said(9 * DAY, false), (warning, nine));
        assert_eq!(said(40 * DAY, false).1, "has a certificate whose chain will no longer be valid in two weeks");
        assert_eq!(said(2 * DAY, false).0, breached);
        let chain = "has a certificate whose chain ends on 16 Jan 2027, in 1 day".to_owned();
        assert_eq!(said_of(DAY, false, true), (breached, chain));
        assert_eq!(said(-DAY, false), (breached, "has a certificate that ended on 14 Jan 2027".to_owned()));
    }

    #[test]
    fn only_a_service_that_is_well_is_known_to_show_no_certificate() {
        let shows_none = |verdict, certificate| {
            let board = board(Latest { verdict, certificate, ..Latest::default() });
            shows_no_certificate(&board.book.components[0], &board)
        };
        let ended = Certificate { until: NOW, holds: false, ends_by_chain: false };
        assert!(shows_none(Some(Condition::Up), None));
        assert!(!shows_none(Some(Condition::Down), None), "it may show one when it answers again");
        assert!(!shows_none(Some(Condition::Up), Some(ended)));
        assert!(!shows_none(None, None), "nobody has looked yet");
    }

    #[test]
    fn lengths_are_said_as_people_say_them() {
        assert_eq!([45_000, 43 * MINUTE + 12_000, 3 * HOUR].map(length), ["45 s", "43 min 12 s", "3 h 0 min"]);
    }
}
