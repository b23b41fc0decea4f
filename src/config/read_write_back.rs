//! `[tenants.*.write_back]`, and what steps change on tickets.

use super::reader::{Section, nearest};
use super::{TicketChange, WriteBack, checks};
use crate::alert::on_call::Person;

const BREACHED: &str = "breached";
const ESCALATED: &str = "escalated";

/// Reads what one tenant wants; nothing if there is no such table.
pub(super) fn write_back(section: Section<'_>) -> WriteBack {
    let found = section.texts("note_on").unwrap_or_default();
    let moments: Vec<_> = found.into_iter().filter_map(|text| text.read(|text| moment(text))).collect();
    let changes = section.flag("changes").and_then(|flag| flag.read(|flag| Ok(*flag))).unwrap_or_default();
    section.finish();
    WriteBack { note_breach: moments.contains(&BREACHED), note_escalation: moments.contains(&ESCALATED), changes }
}

fn moment(text: &str) -> Result<&'static str, String> {
    let known = [BREACHED, ESCALATED];
    known.into_iter().find(|known| *known == text).ok_or_else(|| {
        let hint = nearest(text, known.into_iter());
        format!("must hold \"{BREACHED}\" or \"{ESCALATED}\"{hint}")
    })
}

/// Whether the tenant whose table this is lets steps change its tickets, without reading it.
pub(super) fn may_change(tenant: &Section<'_>) -> bool {
    tenant.has_within("write_back", "changes")
}

/// Reads what a step changes on the ticket. This needs a tenant that allows it.
pub(super) fn change(section: &Section<'_>, may_change: bool) -> TicketChange {
    let keys = ["reassign_to", "set_priority"];
    for key in keys.into_iter().filter(|key| section.has(key) && !may_change) {
        section.clash(key, "changes nothing: no tenant has `changes = true` in its [tenants.NAME.write_back]");
    }
    TicketChange {
        reassign_to: section.text("reassign_to").and_then(|text| text.read(|text| technician(text))),
        set_priority: section.text("set_priority").and_then(|text| text.read(|text| checks::not_blank(text))),
    }
}

fn technician(text: &str) -> Result<Person, String> {
    match Person::parse(&checks::not_blank(text)?) {
        Person::Named(name) => Ok(Person::Named(name)),
        Person::Email(_) | Person::Sms(_) => {
            Err("must name a technician by email address, name or id alone, without `email:` or `sms:`".to_owned())
        }
    }
}
