//! `[[escalations]]`: other people, or other steps, for some of the alerts.

use super::read_alerts::{Channels, ack_expires, stage, steps};
use super::read_policies::known_tenant;
use super::read_tenant::Names;
use super::reader::Section;
use super::{Alerts, Escalation, Which, checks};
use crate::alert::policy::DEFAULT;

/// Reads the configured escalations, in order; the last one is made from `[alerts]`, for all other alerts.
pub(super) fn escalations(
    sections: Vec<Section<'_>>,
    names: &Names<'_>,
    channels: &Channels,
    alerts: &Alerts,
) -> Vec<Escalation> {
    let mut known: Vec<Escalation> = Vec::new();
    for section in sections {
        let escalation = escalation(section, names, channels, alerts, &known);
        known.push(escalation);
    }
    let (name, which) = (DEFAULT.to_owned(), Which::default());
    known.push(Escalation { name, which, ack_expires: alerts.ack_expires, steps: alerts.steps.clone() });
    known
}

fn escalation(
    section: Section<'_>,
    names: &Names<'_>,
    channels: &Channels,
    alerts: &Alerts,
    known: &[Escalation],
) -> Escalation {
    let name = section.needed_text("name", ": it is stored and shown with each alert");
    let name = name.and_then(|name| name.read(|text| new_name(text, known))).unwrap_or_default();
    let text = |key| section.text(key).and_then(|t| t.read(|text| checks::not_blank(text)));
    let which = Which {
        tenant: section.text("tenant").and_then(|t| t.read(|text| known_tenant(text, &names.tenants))),
        client: text("client"),
        priority: text("priority"),
        sla: text("sla"),
        stage: section.text("stage").and_then(|t| t.read(|text| stage(text))),
    };
    let ack_expires = ack_expires(&section).unwrap_or(alerts.ack_expires);
    if !section.has("steps") {
        section.wrong("an escalation needs [[escalations.steps]]: whom to tell, and when");
    }
    let steps = steps(&section, channels, which.tenant.as_ref()).unwrap_or_default();
    section.finish();
    Escalation { name, which, ack_expires, steps }
}

fn new_name(text: &str, known: &[Escalation]) -> Result<String, String> {
    let name = checks::not_blank(text)?;
    if name == DEFAULT {
        return Err(format!("must not be `{DEFAULT}`, which is what [[alerts.steps]] are called"));
    }
    if known.iter().any(|other| other.name == name) {
        return Err(format!("appears twice: two escalations called `{name}` could not be told apart"));
    }
    Ok(name)
}
