//! What became of a ticket's status, stored with the ticket as a list of lists, which is short in the database.
//!
//! The clocks are computed from it, so that reading a ticket never needs its events.

use chrono::{DateTime, Utc};

use super::super::{instant, millis};
use crate::store::sql;
use crate::ticket::watch::{Bounds, Change, ChangeKind};

/// Kind, from, to, and both bounds of the time in milliseconds.
type Row = (String, Option<String>, Option<String>, i64, i64);

/// Returns `past` as text; none if it is empty.
pub fn written(past: &[Change]) -> Option<String> {
    let row = |change: &Change| {
        let Change { kind, from, to, at } = change;
        (kind.as_str(), from.clone(), to.clone(), millis(at.earliest), millis(at.latest))
    };
    let rows: Vec<_> = past.iter().map(row).collect();
    serde_json::to_string(&rows).ok().filter(|_| !rows.is_empty())
}

/// Reads what [`written`] has written.
pub fn read(text: Option<&str>) -> Result<Vec<Change>, sql::Error> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let rows: Vec<Row> = serde_json::from_str(text).map_err(|error| sql::Error::Decode(error.into()))?;
    rows.into_iter().map(change).collect()
}

fn change((kind, from, to, earliest, latest): Row) -> Result<Change, sql::Error> {
    let time = |millis: i64| -> Result<DateTime<Utc>, sql::Error> {
        instant(millis).map_err(|error| sql::Error::Decode(error.into()))
    };
    let unknown = || sql::Error::Decode(format!("a change of a ticket is of no known kind: `{kind}`").into());
    let at = Bounds { earliest: time(earliest)?, latest: time(latest)? };
    Ok(Change { kind: ChangeKind::parse(&kind).ok_or_else(unknown)?, from, to, at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_can_be_read() {
        let at = |minute: i64| DateTime::from_timestamp(1_800_000_000 + minute * 60, 0).unwrap();
        let bounds = Bounds { earliest: at(0), latest: at(1) };
        let paused = Change { kind: ChangeKind::Status, from: None, to: Some("On Hold \"x\"".into()), at: bounds };
        let reopened = Change { kind: ChangeKind::Reopened, from: Some("y".into()), to: None, at: bounds };
        let past = vec![paused, reopened];
        assert_eq!(read(written(&past).as_deref()).unwrap(), past);
        assert_eq!((written(&[]), read(None).unwrap()), (None, Vec::new()));
        assert!(read(Some("[[\"lunch\",null,null,0,0]]")).is_err());
    }
}
