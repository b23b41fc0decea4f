//! The condition of a component, given its checks, and of a group, given its members.

use std::collections::BTreeSet;

use super::spans::Timeline;
use super::{Condition, Millis, Span};

/// Which parts must work for the whole to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// All of them: the worst one shows.
    All,
    /// At least this many. With enough but not all of them, the whole is degraded.
    AtLeast(usize),
}

impl Needs {
    /// Returns the condition of the whole, given those of its `parts`.
    pub fn judge(self, parts: &[Condition]) -> Condition {
        match self {
            Self::All => parts.iter().copied().max().unwrap_or(Condition::Unknown),
            Self::AtLeast(least) => at_least(least, parts),
        }
    }
}

fn at_least(least: usize, parts: &[Condition]) -> Condition {
    let number = |condition| parts.iter().filter(|part| **part == condition).count();
    let (up, degraded, unknown) = (number(Condition::Up), number(Condition::Degraded), number(Condition::Unknown));
    if up == parts.len() && up > 0 {
        Condition::Up
    } else if up + degraded >= least {
        // Unknown members do not make what is known to work look bad.
        if up + unknown == parts.len() { Condition::Up } else { Condition::Degraded }
    } else if up + degraded + unknown >= least {
        Condition::Unknown
    } else {
        Condition::Down
    }
}

/// Returns how the whole stood from `from` on, given the pasts of its parts.
pub fn combine(needs: Needs, parts: &[&Timeline], from: Millis) -> Timeline {
    combine_by(|parts| needs.judge(parts), parts, from)
}

/// Returns how the whole stood from `from` on, if `judge` gives its condition from those of its parts.
pub fn combine_by(judge: impl Fn(&[Condition]) -> Condition, parts: &[&Timeline], from: Millis) -> Timeline {
    let begins = parts.iter().flat_map(|part| part.spans()).map(|span| span.from).filter(|begin| *begin > from);
    let moments: BTreeSet<Millis> = begins.chain([from]).collect();
    let mut whole = Timeline::default();
    for moment in moments {
        let conditions: Vec<_> = parts.iter().map(|part| part.at(moment)).collect();
        let condition = judge(&conditions);
        if whole.last().is_none_or(|last: &Span| last.condition != condition) {
            whole.set(moment, condition);
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use Condition::{Degraded, Down, Unknown, Up};

    #[test]
    fn a_whole_stands_as_its_parts_allow() {
        let cases = [
            (Needs::All, vec![Up, Up], Up),
            (Needs::All, vec![Up, Down], Down),
            (Needs::All, vec![Up, Unknown], Unknown),
            (Needs::All, vec![Degraded, Unknown], Degraded),
            (Needs::All, vec![], Unknown),
            (Needs::AtLeast(1), vec![Down, Up], Degraded),
            (Needs::AtLeast(1), vec![Up, Up], Up),
            (Needs::AtLeast(1), vec![Unknown, Up], Up),
            (Needs::AtLeast(1), vec![Unknown, Down], Unknown),
            (Needs::AtLeast(1), vec![Down, Down], Down),
            (Needs::AtLeast(2), vec![Up, Degraded, Down], Degraded),
            (Needs::AtLeast(2), vec![Up, Down, Unknown], Unknown),
            (Needs::AtLeast(2), vec![Up, Down, Down], Down),
            (Needs::AtLeast(1), vec![], Down),
        ];
        for (needs, parts, expected) in cases {
            assert_eq!(needs.judge(&parts), expected, "{needs:?} of {parts:?}");
        }
    }

    #[test]
    fn the_past_of_a_whole_changes_where_its_parts_make_it_change() {
        let (mut a, mut b) = (Timeline::default(), Timeline::default());
        a.set(0, Up);
        a.set(100, Down);
        a.set(300, Up);
        b.set(0, Up);
        b.set(200, Down);
        b.set(400, Up);
        let shown =
            |whole: Timeline| -> Vec<_> { whole.spans().iter().map(|span| (span.from, span.condition)).collect() };
        assert_eq!(shown(combine(Needs::All, &[&a, &b], 0)), [(0, Up), (100, Down), (400, Up)]);
        assert_eq!(
            shown(combine(Needs::AtLeast(1), &[&a, &b], 50)),
            [(50, Up), (100, Degraded), (200, Down), (300, Degraded), (400, Up)]
        );
    }
}
