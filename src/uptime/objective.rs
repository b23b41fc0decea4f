//! Objectives: how long a service may take to answer, or how often it may fail, over the last minutes or hours.
//!
//! A service can be up all the time and still be painful to use. An objective names a figure computed from its looks,
//! and two limits for it. Too few looks prove nothing, and a figure just under its limit neither raises an alert nor
//! ends one.

use super::Millis;
use super::sketch::Sketch;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// The time, in milliseconds, within which that many percent of the answers came.
    Latency(u64),
    /// The share of looks that did not find the service up, in thousandths of a percent.
    Errors,
}

/// The fewest looks in a window for which a figure is given.
pub const LEAST_LOOKS: i64 = 10;
/// From this share of a limit on, in percent, an alert does not end.
const NEAR: i64 = 90;

impl Measure {
    /// All measures.
    pub const ALL: [Self; 4] = [Self::Latency(50), Self::Latency(95), Self::Latency(99), Self::Errors];

    /// The word for it in the configuration and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Latency(50) => "p50",
            Self::Latency(95) => "p95",
            Self::Latency(_) => "p99",
            Self::Errors => "errors",
        }
    }

    /// Reads what [`Measure::as_str`] gave.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }

    /// Formats a figure of this measure for people: `850 ms`, `2.4 s`, `1.5 %`.
    pub fn show(self, value: i64) -> String {
        match (self, value) {
            (Self::Latency(_), ..1000) => format!("{value} ms"),
            (Self::Latency(_), _) => format!("{}.{} s", value / 1000, value % 1000 / 100),
            (Self::Errors, _) => format!("{}.{} %", value / 1000, value % 1000 / 100),
        }
    }
}

/// A figure and its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Goal {
    pub measure: Measure,
    /// How long a time the looks are taken from.
    pub window: Millis,
    /// Above this somebody should look into it; none if there is no warning.
    pub warn: Option<i64>,
    /// Above this the objective is missed.
    pub breach: i64,
}

/// Where a figure stands relative to its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Kept,
    /// So little below the lowest limit that it may exceed it again at any moment.
    Near,
    Warned,
    Missed,
}

impl Level {
    /// The word for it in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Near => "near",
            Self::Warned => "warning",
            Self::Missed => "missed",
        }
    }
}

/// The looks of a window, summed up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looks {
    pub good: i64,
    pub bad: i64,
    /// How long the answered ones took.
    pub sketch: Sketch,
}

impl Looks {
    /// Adds what was summed up elsewhere.
    pub fn add(&mut self, good: i64, bad: i64, sketch: &Sketch) {
        self.good += good;
        self.bad += bad;
        self.sketch.merge(sketch);
    }
}

impl Goal {
    /// Returns the figure of these looks. `None` if there are too few of them.
    pub fn figure(&self, looks: &Looks) -> Option<i64> {
        match self.measure {
            Measure::Errors => {
                let all = looks.good + looks.bad;
                (all >= LEAST_LOOKS).then(|| looks.bad * 100_000 / all)
            }
            Measure::Latency(percent) => {
                let answered = i64::try_from(looks.sketch.count()).unwrap_or(i64::MAX);
                looks.sketch.percentile(percent).filter(|_| answered >= LEAST_LOOKS)
            }
        }
    }

    /// Returns where a figure stands relative to the limits.
    pub fn level(&self, figure: i64) -> Level {
        let lowest = self.warn.unwrap_or(self.breach);
        match figure {
            figure if figure > self.breach => Level::Missed,
            figure if figure > lowest => Level::Warned,
            figure if i128::from(figure) * 100 > i128::from(lowest) * i128::from(NEAR) => Level::Near,
            _ => Level::Kept,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uptime::HOUR;

    fn goal(measure: Measure, warn: Option<i64>, breach: i64) -> Goal {
        Goal { measure, window: HOUR, warn, breach }
    }

    fn looks(good: i64, bad: i64, millis: &[u64]) -> Looks {
        let mut looks = Looks { good, bad, ..Looks::default() };
        millis.iter().for_each(|one| looks.sketch.add(one * 1000));
        looks
    }

    #[test]
    fn a_figure_is_given_once_enough_was_seen() {
        let errors = goal(Measure::Errors, None, 5_000);
        assert_eq!(errors.figure(&looks(8, 1, &[])), None, "nine looks prove nothing");
        assert_eq!(errors.figure(&looks(9, 1, &[])), Some(10_000));
        let slow = goal(Measure::Latency(95), None, 2000);
        assert_eq!(slow.figure(&looks(50, 0, &[100; 9])), None, "what got no answer took no time");
        let found = slow.figure(&looks(20, 0, &[[100; 18].as_slice(), &[3000, 3000]].concat())).unwrap();
        assert!((2900..=3100).contains(&found), "{found}");
    }

    #[test]
    fn a_limit_may_be_reached_and_not_passed_and_just_under_it_nothing_is_over() {
        let both = goal(Measure::Latency(95), Some(800), 2000);
        let cases = [
            (0, Level::Kept),
            (720, Level::Kept),
            (721, Level::Near),
            (800, Level::Near),
            (801, Level::Warned),
            (2000, Level::Warned),
            (2001, Level::Missed),
        ];
        for (figure, expected) in cases {
            assert_eq!(both.level(figure), expected, "{figure}");
        }
        let alone = goal(Measure::Errors, None, 0);
        assert_eq!((alone.level(0), alone.level(1)), (Level::Kept, Level::Missed), "none at all may fail");
    }

    #[test]
    fn figures_are_said_as_people_say_them() {
        assert_eq!([850, 2400].map(|one| Measure::Latency(95).show(one)), ["850 ms", "2.4 s"]);
        assert_eq!([500, 12_345].map(|one| Measure::Errors.show(one)), ["0.5 %", "12.3 %"]);
        for measure in Measure::ALL {
            assert_eq!(Measure::parse(measure.as_str()), Some(measure));
        }
    }
}
