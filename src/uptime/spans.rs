//! The past of one check or component as spans, each beginning where the one before it ends.

use super::intervals::{Interval, Intervals};
use super::{Condition, Millis, Span};

/// Spans in order, without gap or overlap; the last one still holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline(Vec<Span>);

impl Timeline {
    /// From spans that are in order already, as the store gives them.
    pub fn of(spans: Vec<Span>) -> Self {
        Self(spans)
    }

    pub fn spans(&self) -> &[Span] {
        &self.0
    }

    /// From `from` on it is `to`, whatever was thought before.
    pub fn set(&mut self, from: Millis, to: Condition) {
        while self.0.last().is_some_and(|last| last.from >= from) {
            self.0.pop();
        }
        match self.0.last_mut() {
            Some(last) if last.condition == to => last.until = None,
            Some(last) => {
                last.until = Some(from);
                self.0.push(Span { from, until: None, condition: to });
            }
            None => self.0.push(Span { from, until: None, condition: to }),
        }
    }

    /// How it stood at `at`; unknown before it was first seen.
    pub fn at(&self, at: Millis) -> Condition {
        let index = self.0.partition_point(|span| span.from <= at);
        index.checked_sub(1).map_or(Condition::Unknown, |index| self.0[index].condition)
    }

    /// The latest span.
    pub fn last(&self) -> Option<&Span> {
        self.0.last()
    }

    /// Lets go what ended before `at`.
    pub fn forget(&mut self, at: Millis) {
        let keep = self.0.partition_point(|span| span.until.is_some_and(|until| until <= at));
        self.0.drain(..keep);
    }
}

/// Those of `spans`, which are in order, that reach into a period.
pub fn within(spans: &[Span], (from, until): Interval) -> &[Span] {
    let first = spans.partition_point(|span| span.until.is_some_and(|end| end <= from));
    let last = spans.partition_point(|span| span.from < until);
    spans.get(first..last).unwrap_or_default()
}

/// When `condition` held, as far as `spans` say, until `now`.
pub fn times(spans: &[Span], condition: Condition, now: Millis) -> Intervals {
    let meant = spans.iter().filter(|span| span.condition == condition);
    Intervals::new(meant.map(|span| (span.from, span.end(now))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Condition::{Down, Unknown, Up};

    #[test]
    fn a_change_that_is_known_late_takes_back_what_was_thought_meanwhile() {
        let mut line = Timeline::default();
        line.set(0, Up);
        line.set(100, Down);
        line.set(200, Up);
        line.set(90, Unknown);
        let span = |from, until, condition| Span { from, until, condition };
        assert_eq!(line.spans(), [span(0, Some(90), Up), span(90, None, Unknown)]);
        assert_eq!((line.at(-1), line.at(89), line.at(90)), (Unknown, Up, Unknown));
        line.set(90, Up);
        assert_eq!(line.spans(), [span(0, None, Up)], "as it was before");
    }
}
