//! `[retention]`: how long past data is kept.

use chrono::TimeDelta;

use super::Past;
use super::reader::Section;
use super::{Retention, duration};

/// The shortest time that data is kept: if it is younger, somebody may still ask about it.
const LEAST: TimeDelta = TimeDelta::days(30);

pub(super) fn retention(section: Section<'_>) -> Retention {
    let usual = Retention::default();
    let age = |past: Past| {
        let given = section.text(past.as_str()).and_then(|text| text.read(|text| age(text)));
        given.unwrap_or_else(|| usual.of(past))
    };
    let retention = Retention {
        messages: age(Past::Messages),
        attempts: age(Past::Attempts),
        receipts: age(Past::Receipts),
        events: age(Past::Events),
        audit: age(Past::Audit),
        reports: age(Past::Reports),
    };
    section.finish();
    retention
}

fn age(text: &str) -> Result<TimeDelta, String> {
    match duration::parse(text)? {
        short if short < LEAST => Err("must be 30d or more: what is younger may still be asked about".to_owned()),
        long => Ok(long),
    }
}
