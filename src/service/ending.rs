//! When something that people ask for ends: a snooze, a silence, a maintenance window.

use chrono::{DateTime, Utc};

use super::{Complaint, ServiceError};
use crate::config::duration;

/// Returns the moment, given as a length of time from `now` or directly.
pub(super) fn end_of(
    now: DateTime<Utc>,
    length: Option<&str>,
    until: Option<DateTime<Utc>>,
) -> Result<DateTime<Utc>, ServiceError> {
    let bad = ServiceError::BadQuestion;
    let end = match (length, until) {
        (Some(length), None) => {
            let length = duration::parse(length).map_err(|rule| bad(Complaint::of("for", rule)))?;
            let never = || bad(Complaint::about("for", "it would never end: say when, by `until`"));
            now.checked_add_signed(length).ok_or_else(never)?
        }
        (None, Some(until)) => until,
        _ => return Err(bad(Complaint::whole("say when it ends: either `for`, such as \"30m\", or `until`, a time"))),
    };
    if end <= now {
        let field = if length.is_some() { "for" } else { "until" };
        return Err(bad(Complaint::about(field, "the end must lie in the future")));
    }
    Ok(end)
}
