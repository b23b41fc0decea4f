//! What `check` says of on-call rotations: when nobody is on call soon, and people whom SuperOps does not know.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::alert::on_call::{Override, Rotation};
use crate::config::Config;
use crate::service::on_call::{GAPS_AHEAD, unknown_people};
use crate::ticket::{Directory, TenantId};

/// Gaps beyond these are a number: they repeat.
const GAPS_SHOWN: usize = 5;

/// A sentence for each thing worth knowing. `overrides` are those on record.
pub fn remarks(
    config: &Config,
    directories: &BTreeMap<TenantId, Arc<Directory>>,
    overrides: &[Override],
    now: DateTime<Utc>,
) -> Vec<String> {
    config.on_call.values().flat_map(|rotation| about(rotation, directories, overrides, now)).collect()
}

fn about(
    rotation: &Rotation,
    directories: &BTreeMap<TenantId, Arc<Directory>>,
    overrides: &[Override],
    now: DateTime<Utc>,
) -> Vec<String> {
    let name = &rotation.name;
    let served = directories.iter().filter(|(id, _)| rotation.tenant.as_ref().is_none_or(|only| only == *id));
    let served: Vec<_> = served.map(|(_, directory)| directory.clone()).collect();
    let unknown = unknown_people(rotation, &served).into_iter();
    let mut lines: Vec<_> = unknown.map(|who| format!("on-call {name}: SuperOps knows nobody as `{who}`")).collect();
    let gaps = rotation.gaps(overrides, now, now + GAPS_AHEAD);
    let time = |at: DateTime<Utc>| at.with_timezone(&rotation.timezone).format("%a %-d %b %H:%M").to_string();
    let shown = gaps.iter().take(GAPS_SHOWN);
    lines
        .extend(shown.map(|(from, until)| {
            format!("on-call {name}: nobody is on call from {} to {}", time(*from), time(*until))
        }));
    if gaps.len() > GAPS_SHOWN {
        lines.push(format!("on-call {name}: and {} more such gaps within 30 days", gaps.len() - GAPS_SHOWN));
    }
    lines
}
