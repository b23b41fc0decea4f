//! How a check stands that is looked at from several places.
//!
//! One place that finds it bad may have a bad line of its own: so many places as were agreed on have to find it so. A
//! place of which nobody has heard knows nothing: it accuses nobody, and it covers up nothing either, since those that
//! are heard are then enough.

use super::combine::combine_by;
use super::spans::Timeline;
use super::{Condition, Millis};

/// Where a check is looked at from, if not from here alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The check that all of these places look at.
    pub of: String,
    /// The outpost that looks; none: we do.
    pub place: Option<String>,
    /// So many places must find it bad.
    pub quorum: usize,
}

/// How it stands, if places find it as in `found`.
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

/// How it stood from `from` on, by how each place found it.
pub fn over_time(quorum: usize, places: &[&Timeline], from: Millis) -> Timeline {
    combine_by(|found| agreed(quorum, found), places, from)
}

/// So many of `places` make it certain, unless something else was agreed on: more than half.
pub fn majority(places: usize) -> usize {
    places / 2 + 1
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn it_is_down_while_enough_of_them_find_it_so() {
        let line = |spans: &[(Millis, Condition)]| {
            let mut line = Timeline::default();
            spans.iter().for_each(|(from, condition)| line.set(*from, *condition));
            line
        };
        let here = line(&[(0, Up), (100, Down), (400, Up)]);
        let there = line(&[(0, Up), (130, Down), (390, Up)]);
        let silent = line(&[(0, Up), (50, Unknown)]);
        let whole = over_time(2, &[&here, &there, &silent], 0);
        let shown: Vec<_> = whole.spans().iter().map(|span| (span.from, span.condition)).collect();
        assert_eq!(shown, [(0, Up), (130, Down), (390, Up)]);
    }
}
