//! What `check` says about on-call rotations and personal rules: times soon at which nobody is on call, and people whom
//! SuperOps does not know.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::alert::on_call::{Override, Rotation};
use crate::config::{Config, nearest};
use crate::service::on_call::{GAPS_AHEAD, foreign_addresses, namesakes, people_of, unknown_people};
use crate::ticket::{Directory, TenantId};

/// The most gaps that are listed; the rest are only counted, since they repeat.
const GAPS_SHOWN: usize = 5;

/// Returns a sentence for each thing worth knowing. `overrides` are those on record.
pub fn remarks(
    config: &Config,
    directories: &BTreeMap<TenantId, Arc<Directory>>,
    overrides: &[Override],
    now: DateTime<Utc>,
) -> Vec<String> {
    let rotations = config.on_call.values().flat_map(|rotation| about(rotation, directories, overrides, now));
    rotations.chain(about_people(config, directories)).collect()
}

/// Remarks on rules for an address that nobody has: they would apply to nobody.
fn about_people(config: &Config, directories: &BTreeMap<TenantId, Arc<Directory>>) -> Vec<String> {
    let technicians = directories.values().flat_map(|directory| directory.technicians.values());
    let known: BTreeSet<_> = technicians.filter_map(|one| Some(one.email.as_ref()?.trim().to_lowercase())).collect();
    if known.is_empty() {
        return Vec::new();
    }
    let unknown = config.alerts.noise.people.keys().filter(|address| !known.contains(*address));
    let remark = |address: &String| {
        let hint = nearest(address, known.iter().map(String::as_str));
        format!("[people.\"{address}\"]: no technician has this address{hint}")
    };
    unknown.map(remark).collect()
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
    let people = people_of(rotation, overrides);
    let unknown = unknown_people(&people, &served).into_iter();
    let mut lines: Vec<_> = unknown.map(|who| format!("on-call {name}: SuperOps knows nobody as `{who}`")).collect();
    let several = people.iter().filter_map(|person| Some((person.text(), namesakes(person, &served)?)));
    lines.extend(several.map(|(who, ids)| {
        format!("on-call {name}: several technicians are called `{who}`: give the email address, or the id ({ids})")
    }));
    let foreign = foreign_addresses(&people, &served).into_iter();
    lines.extend(
        foreign.map(|who| format!("on-call {name}: no technician has the address `{who}`: check its spelling")),
    );
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::GivenEnvironment;

    const CONFIG: &str = "
[tenants.acme]
subdomain = 'acme'
region = 'us'
token_env = 'TOKEN'
[notify.email]
smtp_url = 'smtp://127.0.0.1:2525'
from = 'sla@example.com'
[on_call.main]
timezone = 'Europe/London'
[[on_call.main.layers]]
people = ['email:ann@example.com']
starts = '2026-11-26T09:00'
every = '1w'
[on_call.weekends]
timezone = 'Europe/London'
[[on_call.weekends.layers]]
people = ['email:bob@example.com']
starts = '2026-11-02T09:00'
every = '1w'
wed = ['10:00-12:00']
sat = ['10:00-12:00']
";

    #[test]
    fn gaps_are_listed_in_the_rotations_own_time_and_only_the_first_few() {
        let environment = GivenEnvironment::default().with_var("TOKEN", "secret");
        let config = Config::parse("config.toml".as_ref(), CONFIG, &environment).unwrap();
        let now = "2026-11-23T09:00:00Z".parse().unwrap();
        insta::assert_snapshot!(remarks(&config, &BTreeMap::new(), &[], now).join("\n"), @r"
        on-call main: nobody is on call from Mon 23 Nov 09:00 to Thu 26 Nov 09:00
        on-call weekends: nobody is on call from Mon 23 Nov 09:00 to Wed 25 Nov 10:00
        on-call weekends: nobody is on call from Wed 25 Nov 12:00 to Sat 28 Nov 10:00
        on-call weekends: nobody is on call from Sat 28 Nov 12:00 to Wed 2 Dec 10:00
        on-call weekends: nobody is on call from Wed 2 Dec 12:00 to Sat 5 Dec 10:00
        on-call weekends: nobody is on call from Sat 5 Dec 12:00 to Wed 9 Dec 10:00
        on-call weekends: and 4 more such gaps within 30 days
        ");
    }
}
