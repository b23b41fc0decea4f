//! `[[policies]]`: what was promised to whom.

use chrono::TimeDelta;

use crate::sla::policy::{Counts, Policy};
use crate::ticket::TenantId;

use super::read_tenant::Names;
use super::reader::{Section, nearest};
use super::{checks, duration};

pub(super) fn policy(section: Section<'_>, names: &Names<'_>) -> Policy {
    let text = |key| section.text(key).and_then(|t| t.read(|text| checks::not_blank(text)));
    let policy = Policy {
        tenant: section.text("tenant").and_then(|t| t.read(|text| known_tenant(text, &names.tenants))),
        sla: text("sla"),
        priority: text("priority"),
        client: text("client"),
        category: text("category"),
        response: target(&section, "response"),
        resolution: target(&section, "resolution"),
        next_response: target(&section, "next_response"),
        counts: section.text("clock").and_then(|t| t.read(|text| counts(text))).unwrap_or(Counts::Business),
    };
    if !["response", "resolution", "next_response"].iter().any(|key| section.has(key)) {
        section.wrong("a policy needs `response`, `resolution` or `next_response`: without any it promises nothing");
    }
    section.finish();
    policy
}

pub(super) fn known_tenant(name: &str, tenants: &[&str]) -> Result<TenantId, String> {
    if !tenants.contains(&name) {
        let hint = nearest(name, tenants.iter().copied());
        return Err(format!("names the tenant `{name}`, but there is no [tenants.{name}]{hint}"));
    }
    TenantId::parse(name).map_err(|error| error.to_string())
}

fn target(section: &Section<'_>, key: &'static str) -> Option<TimeDelta> {
    section.text(key)?.read(|text| match duration::parse(text)? {
        none if none.is_zero() => Err("must be over 0s: no ticket could meet it".to_owned()),
        some => Ok(some),
    })
}

fn counts(text: &str) -> Result<Counts, String> {
    match text {
        "calendar" => Ok(Counts::Calendar),
        "business" => Ok(Counts::Business),
        _ => Err("must be \"calendar\" (round the clock) or \"business\" (open hours only)".to_owned()),
    }
}
