//! What the name of an unlisted status suggests.

use super::StatusMeaning;

/// A name that contains one of these, in lower case, looks closed.
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
/// A name that contains one of these looks paused.
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
/// A name that contains one of these is at work, whatever else it contains.
const AT_WORK: [&str; 4] = ["incomplete", "not ", "re-open", "unresolved"];
/// A name that contains one of these is at work.
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

/// Whether the name of a status says that its tickets are being worked on, or wait.
pub fn is_at_work(status: &str) -> bool {
    let name = status.trim().to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| name.contains(word));
    match looks_like(&name) {
        Some(StatusMeaning::Closed) => false,
        Some(_) => true,
        None => name == "new" || says(&AT_WORK) || says(&NAMES_WORK),
    }
}

/// Whether the name of a status looks as if its tickets are done.
pub fn looks_closed(status: &str) -> bool {
    looks_like(status) == Some(StatusMeaning::Closed)
}

/// Returns whether the name looks closed or paused; none if neither.
pub fn looks_like(status: &str) -> Option<StatusMeaning> {
    let name = status.to_lowercase();
    let holds = |words: &[&str]| words.iter().any(|word| name.contains(word));
    match () {
        () if holds(&AT_WORK) => None,
        () if holds(&LOOKS_CLOSED) => Some(StatusMeaning::Closed),
        () if holds(&LOOKS_PAUSED) => Some(StatusMeaning::Paused),
        () => None,
    }
}
