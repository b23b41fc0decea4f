//! The condition of a check that is looked at from several places.
//!
//! One place that finds it bad may have a bad line itself, so the agreed number of places has to find it bad. A place
//! that was not heard from knows nothing: it accuses nobody, and it hides nothing either, because fewer places are then
//! enough.
//!
//! Places look one after the other, so they agree later than the first of them saw it. What they agree on began with
//! the first look of that run, at most one look of each place back: a place that found it bad before that was alone in
//! doing so.

use super::combine::combine_by;
use super::spans::Timeline;
use super::{Condition, Millis, Span};

/// Where a check is looked at from, if not only from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The check that all of these places look at.
    pub of: String,
    /// The outpost that looks; none if we do.
    pub place: Option<String>,
    /// How many places must find it bad.
    pub quorum: usize,
}

/// Returns the condition, if the places found those in `found`.
pub fn agreed(quorum: usize, found: &[Condition]) -> Condition {
    let heard = found.iter().filter(|one| **one != Condition::Unknown).count();
    let needed = quorum.clamp(1, heard.max(1));
    let at_least = |condition| found.iter().filter(|one| **one >= condition).count() >= needed;
    match heard {
        0 => Condition::Unknown,
        _ if at_least(Condition::Down) => Condition::Down,
        _ if at_least(Condition::Degraded) => Condition::Degraded,
        _ => Condition::Up,
    }
}

/// Returns the condition from `from` on, given what each place found, looking once every `interval`.
///
/// A result changes nothing more than one `interval` before it.
pub fn over_time(quorum: usize, interval: Millis, places: &[&Timeline], from: Millis) -> Timeline {
    // What ended an interval before `from` has no effect from there on.
    let found = combine_by(|found| agreed(quorum, found), places, from - interval);
    let mut whole = Timeline::default();
    let mut before: Option<Span> = None;
    // When it was last as bad as each level of `BAD`.
    let mut bad_until = [Millis::MIN; 2];
    for span in found.spans() {
        let was = before.map_or(Condition::Down, |before| before.condition);
        for (level, bad_until) in BAD.into_iter().zip(&mut bad_until) {
            if was >= level {
                *bad_until = span.from;
            } else if span.condition >= level {
                let earliest = (*bad_until).max(span.from - interval);
                whole.set(run_began(level, places, earliest, span.from), level);
            }
        }
        if whole.last().is_none_or(|last| last.condition != span.condition) {
            whole.set(span.from, span.condition);
        }
        before = Some(*span);
    }
    cut(&whole, from)
}

/// Returns `line` from `from` on.
fn cut(line: &Timeline, from: Millis) -> Timeline {
    let mut rest = Timeline::default();
    rest.set(from, line.at(from));
    line.spans().iter().filter(|span| span.from > from).for_each(|span| rest.set(span.from, span.condition));
    rest
}

/// The conditions that places have to agree on.
const BAD: [Condition; 2] = [Condition::Degraded, Condition::Down];

/// Returns when the places that find it at least as bad as `level` at `now` began to do so, with none of them finding
/// it better since; not before `earliest`.
fn run_began(level: Condition, places: &[&Timeline], earliest: Millis, now: Millis) -> Millis {
    let agreeing: Vec<_> = places.iter().filter(|line| line.at(now) >= level).map(|line| known(line, now)).collect();
    let is_better = |span: &&Span| span.condition < level && span.condition != Condition::Unknown;
    let better = agreeing.iter().filter_map(|spans| spans.iter().rev().find(is_better)).map(|span| span.from).max();
    let began = agreeing.iter().filter_map(|spans| {
        let run = spans.iter().rev().take_while(|span| span.condition >= level);
        run.last().map(|first| first.from)
    });
    began.filter(|began| *began >= earliest && better.is_none_or(|better| *began > better)).min().unwrap_or(now)
}

/// Returns the spans that had begun by `now`.
fn known(line: &Timeline, now: Millis) -> &[Span] {
    let begun = line.spans().partition_point(|span| span.from <= now);
    &line.spans()[..begun]
}

/// How many of `places` must agree unless configured otherwise: more than half.
pub fn majority(places: usize) -> usize {
    places / 2 + 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use Condition::{Degraded, Down, Unknown, Up};

    #[test]
    fn enough_places_have_to_find_it_bad_and_a_silent_one_counts_for_nothing() {
        let cases = [
            (2, vec![Up, Up, Up], Up),
            (2, vec![Down, Up, Up], Up),
            (2, vec![Down, Down, Up], Down),
            (2, vec![Down, Degraded, Up], Degraded),
            (2, vec![Degraded, Degraded, Down], Degraded),
            (2, vec![Down, Unknown, Up], Up),
            (2, vec![Unknown, Unknown, Up], Up),
            (2, vec![Unknown, Unknown, Down], Down),
            (2, vec![Unknown, Unknown, Unknown], Unknown),
            (2, vec![Down, Unknown], Down),
            (1, vec![Down, Up, Up], Down),
            (3, vec![Down, Down, Unknown], Down),
            (3, vec![Down, Down, Up], Up),
            (1, vec![], Unknown),
        ];
        for (quorum, found, expected) in cases {
            assert_eq!(agreed(quorum, &found), expected, "{quorum} of {found:?}");
        }
        assert_eq!([1, 2, 3, 4, 5].map(majority), [1, 2, 2, 3, 3]);
    }

    fn line(spans: &[(Millis, Condition)]) -> Timeline {
        let mut line = Timeline::default();
        spans.iter().for_each(|(from, condition)| line.set(*from, *condition));
        line
    }

    /// Returns how it stood from 0 on, with a quorum of two, for `places` that look once in 60.
    fn whole(places: &[&[(Millis, Condition)]]) -> Vec<(Millis, Condition)> {
        let lines: Vec<_> = places.iter().map(|spans| line(spans)).collect();
        let lines: Vec<_> = lines.iter().collect();
        over_time(2, 60, &lines, 0).spans().iter().map(|span| (span.from, span.condition)).collect()
    }

    #[test]
    fn it_is_down_from_the_first_bad_look_of_those_who_agree_to_the_first_good_one() {
        let up: &[_] = &[(0, Up)];
        let silent: &[_] = &[(0, Up), (50, Unknown)];
        let here: &[_] = &[(0, Up), (100, Down), (400, Up)];
        let there: &[_] = &[(0, Up), (130, Down), (390, Up)];
        assert_eq!(whole(&[here, there, silent]), [(0, Up), (100, Down), (390, Up)]);
        assert_eq!(whole(&[here, up, up]), [(0, Up)], "one alone proves nothing");
        assert_eq!(
            whole(&[&[(0, Up), (10, Down)], &[(0, Up), (100, Down)]]),
            [(0, Up), (100, Down)],
            "the other has seen it up since"
        );
        assert_eq!(
            whole(&[&[(0, Up), (40, Degraded), (70, Down)], &[(0, Up), (90, Down)]]),
            [(0, Up), (40, Degraded), (70, Down)],
            "each from when it was first seen to be that bad"
        );
        assert_eq!(
            whole(&[&[(0, Up), (40, Down)], &[(0, Up), (60, Degraded), (80, Down)]]),
            [(0, Up), (40, Degraded), (80, Down)],
            "who found it degraded has not found it down"
        );
        assert_eq!(
            whole(&[&[(0, Up), (10, Down)], &[(0, Up), (12, Down), (50, Up)], &[(0, Up), (55, Down)]]),
            [(0, Up), (10, Down), (50, Up), (55, Down)],
            "what was over stays over"
        );
    }

    fn a_line() -> impl Strategy<Value = Timeline> {
        proptest::collection::vec((1i64..90, 0usize..4), 1..12).prop_map(|steps| {
            let mut at = 0;
            let spans = steps.into_iter().map(|(gap, condition)| {
                at += gap;
                (at, Condition::ALL[condition])
            });
            line(&spans.collect::<Vec<_>>())
        })
    }

    proptest! {
        #[test]
        fn no_downtime_is_invented_forgotten_or_told_twice(
            lines in proptest::collection::vec(a_line(), 2..5),
            quorum in 1usize..4,
            from in 0i64..600,
        ) {
            const INTERVAL: Millis = 60;
            let places: Vec<_> = lines.iter().collect();
            let whole = over_time(quorum, INTERVAL, &places, 0);
            let part = over_time(quorum, INTERVAL, &places, from);
            let at = |moment| -> Vec<Condition> { places.iter().map(|place| place.at(moment)).collect() };
            for two in whole.spans().windows(2) {
                prop_assert_eq!(two[0].until, Some(two[1].from));
                prop_assert!(two[0].from < two[1].from && two[0].condition != two[1].condition);
            }
            for moment in 0..1100 {
                let (shown, found) = (whole.at(moment), at(moment));
                let agreed = agreed(quorum, &found);
                if agreed >= Degraded {
                    prop_assert!(shown >= agreed, "{moment}: {shown} though they agree on {agreed}");
                } else if shown < Degraded {
                    prop_assert_eq!(shown, agreed);
                }
                if shown > agreed {
                    prop_assert!(found.iter().any(|one| *one >= shown), "{moment}: nobody found it {shown}");
                    let soon = (moment..=moment + INTERVAL).any(|later| super::agreed(quorum, &at(later)) >= shown);
                    prop_assert!(soon, "{moment}: nobody agreed on {shown} within an interval");
                }
                if moment >= from {
                    prop_assert_eq!(part.at(moment), shown, "told from {} on, at {}", from, moment);
                }
            }
            for span in whole.spans().iter().filter(|span| span.condition >= Degraded) {
                let is_a_look = lines.iter().any(|line| line.spans().iter().any(|one| one.from == span.from));
                prop_assert!(span.from == 0 || is_a_look, "{span:?} begins with no look");
            }
        }
    }
}
