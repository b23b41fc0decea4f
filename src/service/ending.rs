//! When something ends that people ask for: a snooze, a silence, a maintenance window.

use chrono::{DateTime, Utc};

use super::ServiceError;
use crate::config::duration;

/// The moment that somebody names as a length of time from `now`, or as itself.
pub(super) fn end_of(
    now: DateTime<Utc>,
    length: Option<&str>,
    until: Option<DateTime<Utc>>,
) -> Result<DateTime<Utc>, ServiceError> {
    let bad = |text: String| ServiceError::BadQuestion(text);
    let end = match (length, until) {
        (Some(length), None) => {
            let length = duration::parse(length).map_err(|rule| bad(format!("`for` {rule}")))?;
            now.checked_add_signed(length).ok_or_else(|| bad("it would never end: say when, by `until`".to_owned()))?
        }
        (None, Some(until)) => until,
        _ => return Err(bad("say when it ends: either `for`, such as \"30m\", or `until`, a time".to_owned())),
    };
    if end <= now {
        return Err(bad("the end must lie in the future".to_owned()));
    }
    Ok(end)
}
