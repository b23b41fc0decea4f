//! The part of [`super::explain`] that is about how long past data is kept.

use super::Past;
use super::explain_page::{Page, or_default};
use super::{Config, Retention, duration};

pub(super) fn retention(page: &mut Page, config: &Config) {
    page.heading("What is past");
    for past in Past::ALL {
        let age = config.retention.of(past);
        let kept = format!("kept for {}", duration::show(age));
        page.row(past.as_str(), or_default(kept, age == Retention::default().of(past)));
    }
    page.row("for good", "tickets, alerts and the figures of each week");
}
