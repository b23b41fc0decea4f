//! `[watch]`: who is told that the data is stale, and what is told that the watch is alive.

use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};

use super::read_alerts::{Channels, reachable};
use super::reader::{Found, Section};
use super::secret::SecretKeys;
use super::{Target, Watch, checks, duration};

const HEARTBEAT: SecretKeys =
    SecretKeys { plain: "heartbeat_url", env: "heartbeat_url_env", file: "heartbeat_url_file" };

pub(super) fn watch(section: Section<'_>, channels: &Channels) -> Watch {
    let watch = Watch {
        stale_after: section.text("stale_after").and_then(|text| text.read(|text| stale_after(text))),
        notify: notify(&section, channels),
        heartbeat_url: heartbeat_url(&section),
    };
    section.finish();
    watch
}

fn stale_after(text: &str) -> Result<TimeDelta, String> {
    match duration::parse(text)? {
        short if short < TimeDelta::minutes(1) => Err("must be 1m or more: it is looked at once a minute".to_owned()),
        long => Ok(long),
    }
}

fn notify(section: &Section<'_>, channels: &Channels) -> Option<Vec<Target>> {
    let found = section.texts("notify")?;
    if section.count("notify") == 0 {
        section.clash(
            "notify",
            "must name somebody; without the key, every system and the last step's addresses are told",
        );
    }
    Some(found.into_iter().filter_map(|text| watcher(&text, section, channels)).collect())
}

/// Reads who is told of stale data. It concerns no single ticket, so nobody can be found through one.
fn watcher(found: &Found<'_, &str>, section: &Section<'_>, channels: &Channels) -> Option<Target> {
    let target = reachable(found, channels, section.inspection)?;
    if target.channel().is_some() {
        return Some(target);
    }
    found.wrong(
        "names people round a ticket, and there is none: use email:ADDRESS, sms:+NUMBER, call:+NUMBER, ntfy:TOPIC, slack, teams, \
         pagerduty or webhook",
    );
    None
}

/// The whole address is a secret, so no complaint repeats any of it.
fn heartbeat_url(section: &Section<'_>) -> Option<SecretString> {
    let url = HEARTBEAT.read(section)?.value?;
    if checks::private_url(url.expose_secret()).is_err() {
        section.wrong("the heartbeat's address must start with https://; plain http:// is for this machine only");
        return None;
    }
    Some(url)
}
