//! What `check` says about write-back: people and priorities that SuperOps does not know, and what cannot be tried.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::{Config, Step, WriteBack};
use crate::ticket::{Directory, TenantId};

/// Returns a sentence for each thing worth knowing, based on what an earlier run has read of each tenant.
pub fn remarks(config: &Config, directories: &BTreeMap<TenantId, Arc<Directory>>) -> Vec<String> {
    let changing =
        directories.iter().filter(|(id, _)| config.tenants.get(*id).is_some_and(|one| one.write_back.changes));
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
    // An empty list is one that could not be read.
    let (people, priorities) = (&directory.technicians, &directory.priorities);
    let nobody = change.reassign_to.as_ref().filter(|_| !people.is_empty());
    let nobody = nobody.filter(|person| person.technician(directory).is_none());
    let same = |known: &String, name: &str| known.trim().eq_ignore_ascii_case(name.trim());
    let no_such = change.set_priority.as_ref().filter(|_| !priorities.is_empty());
    let no_such = no_such.filter(|name| !priorities.iter().any(|known| same(known, name)));
    let nobody = nobody.map(|person| format!("a step reassigns to `{}`, whom SuperOps does not know", person.text()));
    let no_such = no_such.map(|name| format!("a step sets the priority `{name}`, which SuperOps does not have"));
    nobody.into_iter().chain(no_such).collect()
}

/// Returns what to add to what was tried online: writing is the one thing that is not. Blank if nothing is written.
pub fn untried(write_back: WriteBack) -> &'static str {
    if !write_back.is_on() {
        return "";
    }
    "  untried   whether the token may write notes and change tickets: a check writes nothing\n            \
     if it may not, the log says so at the first attempt; alerts go out all the same\n"
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::alert::on_call::Person;
    use crate::config::TicketChange;

    #[test]
    fn a_person_or_a_priority_that_superops_does_not_have_is_told() {
        let change = TicketChange {
            reassign_to: Some(Person::parse("alice@example.com")),
            set_priority: Some("Critical".to_owned()),
        };
        let step = Step { after: TimeDelta::zero(), notify: Vec::new(), channels: Vec::new(), change };
        let with = |priority: &str| Directory { priorities: vec![priority.to_owned()], ..Directory::default() };
        assert_eq!(unknown(&step, &with("critical ")), Vec::<String>::new());
        let told = ["a step sets the priority `Critical`, which SuperOps does not have"];
        assert_eq!(unknown(&step, &with("High")), told, "the list of people was not read: nothing is said of them");
    }
}
