//! Where the next page of a list sorted latest first begins: after the last item shown, by its time and its key, so
//! that what comes or goes meanwhile repeats nothing and skips nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Complaint, ServiceError};
use crate::store::latest::{LastShown, Way};

/// The contents of a cursor: which list it belongs to, and what was shown last.
#[derive(Serialize, Deserialize)]
struct Written<P> {
    list: String,
    after: P,
}

/// The moment of the first page, which later pages keep if time alone would reorder the list: so it stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsOf(i64);

impl AsOf {
    pub fn new(at: DateTime<Utc>) -> Self {
        Self(at.timestamp_millis())
    }

    /// Returns `now` if it is more than a day off: nobody reads one list for that long.
    pub fn within_a_day_of(self, now: DateTime<Utc>) -> DateTime<Utc> {
        let at = DateTime::from_timestamp_millis(self.0).filter(|at| (now - *at).abs() <= TimeDelta::days(1));
        at.unwrap_or(now)
    }
}

/// The cursor of the page of `list` after `after`.
pub fn cursor<P: Serialize>(list: &str, after: P) -> String {
    let text = serde_json::to_vec(&Written { list: list.to_owned(), after }).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(text)
}

/// Reads what was shown of `list` before the page that `cursor` asks for; blank: nothing.
pub fn begins_after(list: &str, cursor: Option<&str>) -> Result<LastShown, ServiceError> {
    Ok(last_place(list, cursor)?.unwrap_or_else(LastShown::nothing))
}

/// The same for a list with places of its own; none: nothing was shown.
pub fn last_place<P: DeserializeOwned>(list: &str, cursor: Option<&str>) -> Result<Option<P>, ServiceError> {
    let Some(text) = cursor.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    let written = URL_SAFE_NO_PAD.decode(text).ok().and_then(|text| serde_json::from_slice::<Written<P>>(&text).ok());
    let written = written.filter(|written| written.list == list);
    let bad = || ServiceError::BadQuestion(Complaint::of("cursor", format!("`{text}` is not a cursor of this list")));
    written.map(|written| Some(written.after)).ok_or_else(bad)
}

/// The direction that `sort` asks for in a list by `time`; the latest first unless told otherwise.
pub fn way(time: &str, sort: Option<&str>) -> Result<Way, ServiceError> {
    match sort.map(str::trim).unwrap_or_default() {
        "" => Ok(Way::LatestFirst),
        text if text == time => Ok(Way::EarliestFirst),
        text if text.strip_prefix('-') == Some(time) => Ok(Way::LatestFirst),
        text => Err(ServiceError::BadQuestion(Complaint::of(
            "sort",
            format!("is `{text}`, and must be `{time}` or `-{time}`"),
        ))),
    }
}

/// Cuts `rows`, which were read with one more than `limit`; returns where the next page begins, if there is one.
pub fn cut<T, P: Serialize>(list: &str, rows: &mut Vec<T>, limit: usize, place: impl Fn(&T) -> P) -> Option<String> {
    let is_more = rows.len() > limit;
    rows.truncate(limit);
    rows.last().filter(|_| is_more).map(|last| cursor(list, place(last)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_of_its_list_and_of_nobody_elses_making() {
        let place = LastShown { at: 7, key: "k".to_owned() };
        let text = cursor("messages", place.clone());
        assert_eq!(begins_after("messages", Some(&text)).unwrap(), place);
        assert_eq!(begins_after("messages", Some(" ")).unwrap(), LastShown::nothing());
        for (list, wrong) in [("breaches", text.as_str()), ("messages", "7"), ("messages", "AAAA"), ("messages", "%")] {
            assert!(begins_after(list, Some(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_list_by_time_goes_either_way() {
        for (sort, expected) in
            [(None, Way::LatestFirst), (Some("due"), Way::EarliestFirst), (Some("-due"), Way::LatestFirst)]
        {
            assert_eq!(way("due", sort).unwrap(), expected, "{sort:?}");
        }
        assert!(way("due", Some("at")).unwrap_err().to_string().ends_with("must be `due` or `-due`"));
    }

    #[test]
    fn the_last_page_leads_nowhere() {
        let place = |at: &i64| LastShown { at: *at, key: String::new() };
        let (mut full, mut last) = (vec![3, 2, 1], vec![2, 1]);
        let next = cut("l", &mut full, 2, place);
        assert_eq!((full.len(), begins_after("l", next.as_deref()).unwrap().at), (2, 2));
        assert_eq!(cut("l", &mut last, 2, place), None);
    }
}
