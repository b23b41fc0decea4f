//! Writes inferred targets as configuration, ready to paste: each with the tickets that support it, and with anything
//! doubtful as a comment.

use std::fmt::Write;

use chrono::TimeDelta;
use toml::Value;

use crate::service::policies::{Inferred, InferredPolicy, InferredTarget};

/// Returns `inferred` as `[[policies]]` tables. They name their tenant if there are several.
pub fn as_toml(inferred: &[Inferred]) -> String {
    let mut text = String::from(
        "# Targets inferred from the due times that SuperOps gives, for tickets never seen waiting.\n\
         # None of this applies until you paste it into the configuration.\n",
    );
    for tenant in inferred {
        head(&mut text, tenant);
        for policy in &tenant.proposals {
            text.push_str(&table(policy, (inferred.len() > 1).then_some(tenant.tenant.as_str())));
        }
    }
    text
}

fn head(text: &mut String, inferred: &Inferred) {
    let Inferred { tenant, hours, tickets, proposals } = inferred;
    let _ = writeln!(text, "\n# {tenant}: {tickets} tickets have an SLA and a due time.");
    if proposals.is_empty() {
        let _ = writeln!(text, "# Nothing can be inferred from them.");
    }
    let foreign = |policy: &&InferredPolicy| match policy.counted_in {
        "msp_hours" => *hours == "site",
        "site_hours" => *hours == "msp",
        _ => false,
    };
    if let Some(policy) = proposals.iter().find(foreign) {
        let better = policy.counted_in.trim_end_matches("_hours");
        let _ = writeln!(
            text,
            "# Some of them fit only with `hours = \"{better}\"` under [tenants.{tenant}], which has \"{hours}\"."
        );
    }
}

/// Writes one policy; commented out if too few tickets agree.
fn table(policy: &InferredPolicy, tenant: Option<&str>) -> String {
    let mut lines = vec!["[[policies]]".to_owned()];
    let mut text = |key: &str, value: &str| lines.push(format!("{key} = {}", Value::String(value.to_owned())));
    if let Some(tenant) = tenant {
        text("tenant", tenant);
    }
    text("sla", &policy.sla);
    if let Some(priority) = &policy.priority {
        text("priority", priority);
    }
    for (key, target) in [("response", &policy.response), ("resolution", &policy.resolution)] {
        lines.extend(target.as_ref().map(|target| line(key, target)));
    }
    lines.push(format!("clock = \"{}\"  # {}", policy.clock, policy.counted_in.replace('_', " ")));
    let mut out = String::from("\n");
    if policy.priority.is_none() {
        out.push_str("# From tickets without a priority; it matches those of any other priority as well.\n");
    }
    if policy.weak {
        out.push_str("# Too few tickets agree: look at it twice before you switch it on.\n");
    }
    let mark = if policy.weak { "#" } else { "" };
    lines.iter().for_each(|line| out.push_str(&format!("{mark}{line}\n")));
    out
}

fn line(key: &str, target: &InferredTarget) -> String {
    let InferredTarget { seconds, agree, of, share } = target;
    let percent = (share * 100.0).floor();
    format!("{key} = \"{}\"  # {agree} of {of} tickets agree ({percent} %)", hours(TimeDelta::seconds(*seconds)))
}

/// In hours and minutes: a day of open hours is not a day.
fn hours(length: TimeDelta) -> String {
    match (length.num_hours(), length.num_minutes() % 60) {
        (0, minutes) => format!("{minutes}m"),
        (hours, 0) => format!("{hours}h"),
        (hours, minutes) => format!("{hours}h{minutes}m"),
    }
}
