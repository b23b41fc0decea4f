//! Compares how a component answers with its objectives, and finds the trouble of the worst one.

use chrono::{DateTime, TimeDelta, Utc};

use super::trouble::Trouble;
use crate::alert::component::Standing;
use crate::alert::{AlertKind, Stage};
use crate::config::duration;
use crate::config::uptime::{Objective, Uptime};
use crate::monitor::board::Figure;
use crate::uptime::objective::{Goal, Level, Measure};
use crate::uptime::{Condition, DAY};

/// Returns the worst objective of `component` as a trouble; none if it has no objectives.
///
/// A trouble is named after its day, so that a person who closed the alert is left in peace until the next day, and a
/// restart tells nothing twice.
pub(super) fn objective(
    uptime: &Uptime,
    component: &str,
    figures: &[Figure],
    condition: Condition,
    now: DateTime<Utc>,
) -> Option<Trouble> {
    let own =
        uptime.objectives_of(component).map(|(place, one)| (one, figures.get(place).copied().unwrap_or_default()));
    let level = |one: &Objective, figure: Figure| figure.value.map(|value| one.goal.level(value));
    let (worst, figure) = own.max_by_key(|(one, figure)| level(one, *figure).unwrap_or(Level::Near))?;
    let level = level(worst, figure);
    let standing = match level {
        // It is already told that it is down.
        _ if condition == Condition::Down => Standing::Unsaid,
        Some(Level::Missed) => Standing::At(Stage::Breached),
        Some(Level::Warned) => Standing::At(Stage::Warning),
        Some(Level::Near) | None => Standing::Unsaid,
        Some(Level::Kept) => Standing::Over,
    };
    let day = now.timestamp_millis().div_euclid(DAY) * DAY;
    let began = figure.since.and_then(DateTime::from_timestamp_millis).unwrap_or(now);
    Some(Trouble {
        kind: AlertKind::Objective,
        standing,
        began,
        named_after: DateTime::from_timestamp_millis(day).unwrap_or_default(),
        period: None,
        // However often it passes its limit, it is the same trouble while the alert is open.
        flaps: true,
        said: said(&worst.goal, level),
        detail: figure.value.map(|value| detail(&worst.goal, value)),
        until: None,
        ended: None,
    })
}

/// Returns words that follow the component's name.
fn said(goal: &Goal, level: Option<Level>) -> String {
    let is_over = level.is_some_and(|level| level >= Level::Warned);
    match goal.measure {
        _ if !is_over => "reaches its objectives".to_owned(),
        Measure::Latency(_) => "answers too slowly".to_owned(),
        Measure::Errors => "fails too often".to_owned(),
    }
}

/// Returns `95 % of the answers of the last 1h took up to 2.4 s; more than 2.0 s is a breach`.
fn detail(goal: &Goal, value: i64) -> String {
    let window = duration::show(TimeDelta::milliseconds(goal.window));
    let show = |value| goal.measure.show(value);
    let limit = match goal.warn.filter(|_| goal.level(value) < Level::Missed) {
        Some(warn) => format!("more than {} is a warning, more than {} a breach", show(warn), show(goal.breach)),
        None => format!("more than {} is a breach", show(goal.breach)),
    };
    match goal.measure {
        Measure::Latency(percent) => {
            format!("{percent} % of the answers of the last {window} took up to {}; {limit}", show(value))
        }
        Measure::Errors => format!("{} of the looks of the last {window} failed; {limit}", show(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uptime::HOUR;

    fn uptime(measures: &[(Measure, Option<i64>, i64)]) -> Uptime {
        let objective = |(measure, warn, breach): &(Measure, Option<i64>, i64)| Objective {
            component: "shop".to_owned(),
            goal: Goal { measure: *measure, window: HOUR, warn: *warn, breach: *breach },
        };
        Uptime { objectives: measures.iter().map(objective).collect(), ..Uptime::default() }
    }

    fn found(values: &[Option<i64>], condition: Condition) -> (Standing, String) {
        let both = uptime(&[(Measure::Latency(95), Some(800), 2000), (Measure::Errors, None, 5000)]);
        let figures: Vec<_> = values.iter().map(|value| Figure { value: *value, since: None }).collect();
        let trouble = objective(&both, "shop", &figures, condition, DateTime::UNIX_EPOCH).unwrap();
        (trouble.standing, format!("{}: {}", trouble.said, trouble.detail.unwrap_or_default()))
    }

    #[test]
    fn the_worst_of_its_objectives_is_told_with_its_figure() {
        let standing = |values: &[Option<i64>]| found(values, Condition::Up).0;
        assert_eq!(standing(&[Some(100), Some(0)]), Standing::Over);
        assert_eq!(standing(&[Some(790), Some(0)]), Standing::Unsaid, "just under the limit it is not over");
        assert_eq!(standing(&[None, Some(0)]), Standing::Unsaid, "too little was seen");
        assert_eq!(standing(&[]), Standing::Unsaid, "nobody has looked yet");
        let (stage, said) = found(&[Some(900), Some(6000)], Condition::Degraded);
        assert_eq!(stage, Standing::At(Stage::Breached));
        insta::assert_snapshot!(said, @"fails too often: 6.0 % of the looks of the last 1h failed; more than 5.0 % is a breach");
        let (stage, said) = found(&[Some(900), Some(0)], Condition::Up);
        assert_eq!(stage, Standing::At(Stage::Warning));
        insta::assert_snapshot!(said, @"answers too slowly: 95 % of the answers of the last 1h took up to 900 ms; more than 800 ms is a warning, more than 2.0 s a breach");
        assert_eq!(found(&[Some(9000), Some(100_000)], Condition::Down).0, Standing::Unsaid, "that it is down is said");
        assert!(objective(&uptime(&[]), "shop", &[], Condition::Up, DateTime::UNIX_EPOCH).is_none());
    }
}
