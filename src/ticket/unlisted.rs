//! Statuses that look as if they stopped or paused the clocks, and are listed nowhere.
//!
//! A status that nobody listed is open: better a false alert than a silent
//! breach. But whoever invented its name should hear of it.

use std::collections::BTreeMap;

use super::watch::Watched;
use super::{StatusMeaning, StatusWords};

/// A name that holds one of these, in lower case, looks closed.
const LOOKS_CLOSED: [&str; 14] = [
    "abandon",
    "archive",
    "cancel",
    "close",
    "complete",
    "deleted",
    "done",
    "finish",
    "fixed",
    "merged",
    "no response",
    "rejected",
    "resolve",
    "solved",
];
/// A name that holds one of these looks paused.
const LOOKS_PAUSED: [&str; 11] = [
    "await",
    "blocked",
    "deferred",
    "hold",
    "parked",
    "pause",
    "pending",
    "postponed",
    "scheduled",
    "snooze",
    "waiting",
];
/// These are at work, whatever they hold.
const AT_WORK: [&str; 4] = ["incomplete", "not ", "re-open", "unresolved"];
/// A name that holds one of these is one of work.
const NAMES_WORK: [&str; 15] = [
    "active",
    "assigned",
    "escalat",
    "in work",
    "investigat",
    "new ",
    "open",
    "progress",
    "replied",
    "responded",
    "review",
    "started",
    "triage",
    "working",
    "wip",
];

/// A status that is taken as open, and looks otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlisted {
    pub status: String,
    /// Closed or paused.
    pub looks: StatusMeaning,
    /// How many open tickets carry it.
    pub tickets: usize,
}

impl Unlisted {
    /// In one sentence, with what to do.
    pub fn words(&self) -> String {
        let (looks, list) = match self.looks {
            StatusMeaning::Closed => ("closed", "closed"),
            _ => ("paused", "paused"),
        };
        let carried = match self.tickets {
            0 => "no open ticket carries it".to_owned(),
            1 => "1 open ticket carries it".to_owned(),
            many => format!("{many} open tickets carry it"),
        };
        let status = self.status.escape_debug();
        format!(
            "the status `{status}` looks {looks} and counts as open; {carried}. If it is {looks}, list it in `statuses.{list}`"
        )
    }
}

/// Of the names that SuperOps has and those that the `open` tickets carry: which are taken as open and look otherwise.
pub fn unlisted<'a>(
    words: &StatusWords,
    names: impl IntoIterator<Item = &'a String>,
    open: impl IntoIterator<Item = &'a Watched>,
) -> Vec<Unlisted> {
    let mut carried: BTreeMap<&str, usize> = names.into_iter().map(|name| (name.as_str(), 0)).collect();
    for status in open.into_iter().filter_map(|watched| watched.ticket.status.as_deref()) {
        *carried.entry(status).or_default() += 1;
    }
    let suspect = |(status, tickets): (&str, usize)| {
        let is_open = words.meaning(Some(status)) == StatusMeaning::Open;
        let looks = looks_like(status).filter(|_| is_open)?;
        Some(Unlisted { status: status.to_owned(), looks, tickets })
    };
    carried.into_iter().filter_map(suspect).collect()
}

/// Whether the name of a status says that its tickets are worked on, or wait.
pub fn is_at_work(status: &str) -> bool {
    let name = status.trim().to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| name.contains(word));
    match looks_like(&name) {
        Some(StatusMeaning::Closed) => false,
        Some(_) => true,
        None => name == "new" || says(&AT_WORK) || says(&NAMES_WORK),
    }
}

/// Whether the name of a status looks as if its tickets were done.
pub fn looks_closed(status: &str) -> bool {
    looks_like(status) == Some(StatusMeaning::Closed)
}

fn looks_like(status: &str) -> Option<StatusMeaning> {
    let name = status.to_lowercase();
    let holds = |words: &[&str]| words.iter().any(|word| name.contains(word));
    match () {
        () if holds(&AT_WORK) => None,
        () if holds(&LOOKS_CLOSED) => Some(StatusMeaning::Closed),
        () if holds(&LOOKS_PAUSED) => Some(StatusMeaning::Paused),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::ticket::Ticket;
    use crate::ticket::tests::sample;
    use crate::ticket::watch::Bounds;

    fn carrying(status: &str) -> Watched {
        let at = DateTime::UNIX_EPOCH;
        Watched::new(Ticket { status: Some(status.into()), ..sample("7") }, Bounds { earliest: at, latest: at })
    }

    #[test]
    fn what_looks_closed_or_paused_and_is_not_listed_is_named_with_its_tickets() {
        let names =
            ["Open", "Resolved", "Completed", "Client to call: on hold", "Unresolved", "Reopened"].map(String::from);
        let open = [carrying("Completed"), carrying("Completed"), carrying("Open"), carrying("Parked")];
        let found = unlisted(&StatusWords::default(), &names, &open);
        let found: Vec<_> = found.iter().map(|one| (one.status.as_str(), one.looks, one.tickets)).collect();
        use StatusMeaning::{Closed, Paused};
        assert_eq!(found, [("Client to call: on hold", Paused, 0), ("Completed", Closed, 2), ("Parked", Paused, 1)]);
    }

    #[test]
    fn what_is_listed_is_not_named() {
        let words = StatusWords::configured(&["Completed".into()], &["Parked".into()]);
        let found = unlisted(&words, &["Completed".to_owned(), "Resolved".to_owned()], &[carrying("Parked")]);
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].words(),
            "the status `Resolved` looks closed and counts as open; no open ticket carries it. If it is closed, list it \
             in `statuses.closed`"
        );
    }
}
