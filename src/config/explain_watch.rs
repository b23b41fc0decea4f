//! The part of [`super::explain`] that is about watching the watch: stale data and the heartbeat.

use super::explain_alerts::direct_words;
use super::explain_page::{Page, or_default};
use super::{Config, duration};

/// Explains who is told that the data is stale, and whether a heartbeat is sent.
pub(super) fn watch(page: &mut Page, config: &Config) {
    page.heading("Watching the watch");
    let after = config.watch.stale_after.map(duration::show).unwrap_or_else(|| "10 polls, at least 10m,".to_owned());
    let stale = format!("told after {after} without a good answer from SuperOps");
    page.row("stale data", or_default(stale, config.watch.stale_after.is_none()));
    let whom: Vec<_> = config.watchers().iter().filter_map(direct_words).collect();
    let whom = match config.tells_people_of_stale_data() {
        Some(way) => {
            format!("the managers whom SuperOps knows, else the account managers, else everybody, by {}", way.words())
        }
        None if whom.is_empty() => "NOBODY: it shows only in the log, on the page and in /readyz".to_owned(),
        None => whom.join("; "),
    };
    page.row("told to", or_default(whom, config.watch.notify.is_none()));
    let heartbeat = if config.watch.heartbeat_url.is_some() {
        "sent each minute while all is well"
    } else {
        "off: no address is given"
    };
    page.row("heartbeat", heartbeat);
}
