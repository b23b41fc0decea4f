//! Who had a ticket, and when.

use chrono::{DateTime, Utc};

use super::Holder;

/// A stretch with one holder. They follow each other without a gap from the ticket's beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub holder: Holder,
    pub from: DateTime<Utc>,
    /// None: still.
    pub to: Option<DateTime<Utc>>,
}

/// A ticket passed from one holder to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    pub from: Holder,
    pub to: Holder,
    pub at: DateTime<Utc>,
}

/// Returns who had a ticket that begins at `beginning` and was not watched before `unseen_until`. `present` has had it
/// since the last of `handovers`, which are in order.
pub fn held(
    beginning: DateTime<Utc>,
    unseen_until: Option<DateTime<Utc>>,
    handovers: &[Handover],
    present: Holder,
) -> Vec<Held> {
    let first = handovers.first().map_or_else(|| present.clone(), |first| first.from.clone());
    let mut all = Vec::with_capacity(handovers.len() + 2);
    let mut enter = |holder: Holder, from: DateTime<Utc>| {
        let last: Option<&mut Held> = all.last_mut();
        let from = last.as_ref().map_or(from, |last| from.max(last.from));
        if last.as_ref().is_some_and(|last| last.holder == holder) {
            return;
        }
        if let Some(last) = last {
            last.to = Some(from);
        }
        all.push(Held { holder, from, to: None });
    };
    match unseen_until.filter(|until| beginning < *until) {
        Some(until) => {
            enter(Holder::Unknown, beginning);
            enter(first, until);
        }
        None => enter(first, beginning),
    }
    for one in handovers {
        enter(one.to.clone(), one.at);
    }
    // Where a handover was missed, the ticket as last read decides.
    let last = handovers.last().map_or(beginning, |last| last.at);
    enter(present, last);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ticket::RefId;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + minute * 60, 0).unwrap()
    }

    fn person(id: &str) -> Holder {
        Holder::Person(RefId::parse(id).unwrap())
    }

    #[test]
    fn time_before_a_ticket_was_watched_is_nobodys_merit() {
        let moved = [Handover { from: person("1"), to: Holder::Nobody, at: at(30) }];
        let list = |held: Vec<Held>| -> Vec<(String, DateTime<Utc>)> {
            held.into_iter().map(|held| (held.holder.to_string(), held.from)).collect()
        };
        let told = |list: &[(&str, i64)]| -> Vec<(String, DateTime<Utc>)> {
            list.iter().map(|(who, minute)| ((*who).to_owned(), at(*minute))).collect()
        };
        assert_eq!(list(held(at(0), None, &moved, Holder::Nobody)), told(&[("1", 0), ("nobody", 30)]));
        let unseen = held(at(0), Some(at(10)), &moved, Holder::Nobody);
        assert_eq!(list(unseen), told(&[("unknown", 0), ("1", 10), ("nobody", 30)]));
        assert_eq!(list(held(at(0), None, &moved, person("2"))), told(&[("1", 0), ("nobody", 30), ("2", 30)]));
        assert_eq!(list(held(at(0), None, &[], person("2"))), told(&[("2", 0)]));
    }
}
