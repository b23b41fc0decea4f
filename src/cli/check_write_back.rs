//! What `check` says of write-back: people and priorities that SuperOps does not know, and what cannot be tried.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::{Config, Step};
use crate::ticket::{Directory, TenantId};

/// A sentence for each thing worth knowing, by what an earlier run has read of each tenant.
pub fn remarks(config: &Config, directories: &BTreeMap<TenantId, Arc<Directory>>) -> Vec<String> {
    let changing = directories.iter().filter(|(id, _)| config.tenants.get(*id).is_some_and(|one| one.write_back.changes));
    changing.flat_map(|(id, directory)| about(config, id, directory)).collect()
}

fn about(config: &Config, tenant: &TenantId, directory: &Directory) -> Vec<String> {
    let of_tenant = |only: &Option<TenantId>| only.as_ref().is_none_or(|only| only == tenant);
    let meant = config.escalations.iter().filter(|escalation| of_tenant(&escalation.which.tenant));
    let mut lines: Vec<_> = meant.flat_map(|one| &one.steps).flat_map(|step| unknown(step, directory)).collect();
    lines.sort();
    lines.dedup();
    lines.into_iter().map(|line| format!("{tenant}: {line}")).collect()
}

fn unknown(step: &Step, directory: &Directory) -> Vec<String> {
    let change = &step.change;
    let nobody = change.reassign_to.as_ref().filter(|person| person.technician(directory).is_none());
    let same = |known: &String, name: &str| known.trim().eq_ignore_ascii_case(name.trim());
    let no_such =
        change.set_priority.as_ref().filter(|name| !directory.priorities.iter().any(|known| same(known, name)));
    let nobody = nobody.map(|person| format!("a step reassigns to `{}`, whom SuperOps does not know", person.text()));
    let no_such = no_such.map(|name| format!("a step sets the priority `{name}`, which SuperOps does not have"));
    nobody.into_iter().chain(no_such).collect()
}

/// What is said beside what was tried online: writing is the one thing that is not.
pub fn untried(writes: bool) -> Option<&'static str> {
    writes.then_some(
        "not tried  whether the token may write notes and change tickets: nothing is written by a check\n            \
         if it may not, the first attempt says so in the log; alerts go out all the same\n",
    )
}
