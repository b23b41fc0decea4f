//! The past of one check or component as spans, each beginning where the previous one ends.

use super::intervals::{Interval, Intervals};
use super::{Condition, Millis, Span};

/// Spans in order, without gaps or overlaps; the last one still holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline(Vec<Span>);

impl Timeline {
    /// Takes spans that are already in order, as the store returns them.
    pub fn of(spans: Vec<Span>) -> Self {
        Self(spans)
    }

    pub fn spans(&self) -> &[Span] {
        &self.0
    }

    /// Sets the condition from `from` on, whatever was recorded there before.
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

    /// Returns the condition at `at`; unknown before the first span.
    pub fn at(&self, at: Millis) -> Condition {
        let index = self.0.partition_point(|span| span.from <= at);
        index.checked_sub(1).map_or(Condition::Unknown, |index| self.0[index].condition)
    }

    /// Whether the last known condition at `at` was degraded or down.
    pub fn had_failed(&self, at: Millis) -> bool {
        let begun = self.0.partition_point(|span| span.from <= at);
        let known = self.0[..begun].iter().rev().find(|span| span.condition != Condition::Unknown);
        known.is_some_and(|span| span.condition >= Condition::Degraded)
    }

    /// The latest span.
    pub fn last(&self) -> Option<&Span> {
        self.0.last()
    }

    /// Returns when the outage began that still goes on at the end, or has just ended. `None` if there is none.
    ///
    /// An outage lasts from the first moment that was degraded or down until the component is up again, including any
    /// unknown time in between.
    pub fn outage_began(&self) -> Option<Millis> {
        let is_over = self.0.last().is_some_and(|span| span.condition == Condition::Up);
        let past = &self.0[..self.0.len() - usize::from(is_over)];
        let run = past.iter().rev().take_while(|span| span.condition != Condition::Up);
        run.filter(|span| span.condition >= Condition::Degraded).last().map(|span| span.from)
    }

    /// Returns when it changed between up and not up after `since`, in order. Unknown time is no change.
    pub fn changes_since(&self, since: Millis) -> Vec<Millis> {
        let first = self.0.partition_point(|span| span.from <= since).saturating_sub(1);
        let known = self.0[first..].iter().filter(|span| span.condition != Condition::Unknown);
        let known: Vec<_> = known.map(|span| (span.from, span.condition == Condition::Up)).collect();
        let turned = known.windows(2).filter(|two| two[0].1 != two[1].1);
        turned.map(|two| two[1].0).filter(|at| *at > since).collect()
    }

    /// Drops the spans that ended before `at`.
    pub fn forget(&mut self, at: Millis) {
        let keep = self.0.partition_point(|span| span.until.is_some_and(|until| until <= at));
        self.0.drain(..keep);
    }
}

/// Returns those of `spans`, which are in order, that overlap a period.
pub fn within(spans: &[Span], (from, until): Interval) -> &[Span] {
    let first = spans.partition_point(|span| span.until.is_some_and(|end| end <= from));
    let last = spans.partition_point(|span| span.from < until);
    spans.get(first..last).unwrap_or_default()
}

/// Returns when `condition` held, according to `spans`, until `now`.
pub fn times(spans: &[Span], condition: Condition, now: Millis) -> Intervals {
    let meant = spans.iter().filter(|span| span.condition == condition);
    Intervals::new(meant.map(|span| (span.from, span.end(now))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Condition::{Degraded, Down, Unknown, Up};

    fn line(spans: &[(Millis, Condition)]) -> Timeline {
        let mut line = Timeline::default();
        spans.iter().for_each(|(from, condition)| line.set(*from, *condition));
        line
    }

    #[test]
    fn an_outage_goes_on_over_what_nobody_knew_and_ends_with_up() {
        let began = |spans: &[_]| line(spans).outage_began();
        assert_eq!(began(&[]), None);
        assert_eq!(began(&[(0, Up)]), None);
        assert_eq!(began(&[(0, Up), (5, Down)]), Some(5));
        assert_eq!(began(&[(0, Up), (5, Degraded), (7, Down)]), Some(5));
        assert_eq!(began(&[(0, Up), (5, Down), (7, Unknown), (9, Down)]), Some(5));
        assert_eq!(began(&[(0, Up), (5, Down), (7, Unknown), (9, Up)]), Some(5), "it has just ended");
        assert_eq!(began(&[(0, Down), (5, Up), (7, Unknown), (9, Up)]), None);
        assert_eq!(began(&[(0, Up), (5, Unknown)]), None);
    }

    #[test]
    fn only_what_turns_well_or_ill_is_a_change() {
        let line = line(&[(0, Up), (5, Down), (7, Unknown), (9, Degraded), (11, Up), (12, Unknown), (13, Down)]);
        assert_eq!(line.changes_since(-1), [5, 11, 13]);
        assert_eq!(line.changes_since(5), [11, 13]);
        assert!(line.changes_since(20).is_empty());
    }

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
