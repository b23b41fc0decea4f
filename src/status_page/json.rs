//! The page for programs: in the format made common by Statuspage, and in our own formats.

use serde_json::{Value, json};

use super::model::{Model, PublicComponent, PublicIncident, PublicMaintenance, rfc3339};
use crate::uptime::Condition;
use crate::uptime::availability::percent;
use crate::uptime::incident::Impact;

/// Returns Statuspage's word for how a component stands. It has no "unknown", so the last known condition is given.
fn component_status(one: &PublicComponent) -> &'static str {
    if one.worked_on_until.is_some() {
        return "under_maintenance";
    }
    let known = if one.condition == Condition::Unknown { one.last_known } else { one.condition };
    match known {
        Condition::Up | Condition::Unknown => "operational",
        Condition::Degraded if one.is_partial => "partial_outage",
        Condition::Degraded => "degraded_performance",
        Condition::Down => "major_outage",
    }
}

/// Returns Statuspage's indicator and description for the page as a whole: of what was measured, or of the worst open
/// incident if that is worse.
fn indicator(model: &Model) -> (&'static str, &'static str) {
    let told = match model.impact {
        Impact::None => ("none", "All Systems Operational"),
        Impact::Minor => ("minor", "Minor Service Outage"),
        Impact::Major => ("major", "Partial System Outage"),
        Impact::Critical => ("critical", "Major System Outage"),
    };
    let rank = |(word, _): (&str, &str)| {
        ["none", "maintenance", "minor", "major", "critical"].iter().position(|one| *one == word)
    };
    let measured = measured(model);
    if rank(told) > rank(measured) { told } else { measured }
}

fn measured(model: &Model) -> (&'static str, &'static str) {
    let top: Vec<_> = model.top().map(component_status).collect();
    let is_any = |status: &str| top.contains(&status);
    match () {
        () if !top.is_empty() && top.iter().all(|status| *status == "major_outage") => {
            ("critical", "Major System Outage")
        }
        () if is_any("major_outage") => ("major", "Partial System Outage"),
        () if is_any("partial_outage") => ("major", "Partial System Outage"),
        () if is_any("under_maintenance") && !is_any("degraded_performance") => {
            ("maintenance", "Service Under Maintenance")
        }
        () if is_any("degraded_performance") => ("minor", "Degraded System Performance"),
        () => ("none", "All Systems Operational"),
    }
}

fn page(model: &Model) -> Value {
    let url = &model.url;
    json!({ "id": "status", "name": model.title, "url": url, "time_zone": "Etc/UTC", "updated_at": rfc3339(model.at) })
}

fn status_object(model: &Model) -> Value {
    let (indicator, description) = indicator(model);
    json!({ "indicator": indicator, "description": description })
}

pub(super) fn status(model: &Model) -> Value {
    json!({ "page": page(model), "status": status_object(model) })
}

pub(super) fn components(model: &Model) -> Value {
    json!({ "page": page(model), "components": component_list(model) })
}

pub(super) fn incidents(model: &Model, unresolved: bool) -> Value {
    json!({ "page": page(model), "incidents": incident_list(model, unresolved) })
}

pub(super) fn maintenances(model: &Model) -> Value {
    json!({ "page": page(model), "scheduled_maintenances": maintenance_list(model) })
}

pub(super) fn summary(model: &Model) -> Value {
    json!({
        "page": page(model),
        "status": status_object(model),
        "components": component_list(model),
        "incidents": incident_list(model, true),
        "scheduled_maintenances": maintenance_list(model),
    })
}

fn component_list(model: &Model) -> Vec<Value> {
    model.components.iter().enumerate().map(|(position, one)| component(model, one, position)).collect()
}

fn component(model: &Model, one: &PublicComponent, position: usize) -> Value {
    let is_group = !one.members.is_empty();
    let description = match one.condition {
        Condition::Unknown => {
            Some("Not measured now; the status is that of the last look, if there was one.".to_owned())
        }
        _ => one.description.clone(),
    };
    let mut value = json!({
        "id": one.id,
        "name": one.name,
        "status": component_status(one),
        "description": description,
        "position": position + 1,
        "showcase": false,
        "group": is_group,
        "group_id": model.group_of(&one.id).map(|group| &group.id),
        "only_show_if_degraded": false,
        "page_id": "status",
        "start_date": rfc3339(one.since).get(..10),
        "created_at": rfc3339(one.since),
        "updated_at": rfc3339(one.changed_at),
    });
    if is_group {
        value["components"] = json!(one.members);
    }
    value
}

fn incident_list(model: &Model, unresolved: bool) -> Vec<Value> {
    let meant = model.incidents.iter().filter(|one| !unresolved || one.resolved_at.is_none());
    meant.map(|one| incident(model, one)).collect()
}

fn incident(model: &Model, one: &PublicIncident) -> Value {
    let updates = one.updates.iter().map(|update| {
        json!({
            "id": update.id, "incident_id": one.id, "status": update.status, "body": update.text,
            "created_at": rfc3339(update.at), "display_at": rfc3339(update.at), "updated_at": rfc3339(update.at),
        })
    });
    let touched = model.components.iter().enumerate().filter(|(_, component)| one.components.contains(&component.id));
    json!({
        "id": one.id,
        "name": one.title,
        "status": one.status,
        "impact": one.impact,
        "page_id": "status",
        "shortlink": model.url.as_ref().map(|url| format!("{url}#{}", one.id)),
        "started_at": rfc3339(one.started_at),
        "created_at": rfc3339(one.started_at),
        "updated_at": rfc3339(one.updates.first().map_or(one.started_at, |update| update.at)),
        "monitoring_at": Value::Null,
        "resolved_at": one.resolved_at.map(rfc3339),
        "components": touched.map(|(position, component)| self::component(model, component, position)).collect::<Vec<_>>(),
        "incident_updates": updates.collect::<Vec<_>>(),
    })
}

fn maintenance_list(model: &Model) -> Vec<Value> {
    model.maintenance.iter().map(|one| maintenance(model, one)).collect()
}

fn maintenance(model: &Model, one: &PublicMaintenance) -> Value {
    let status = match model.at {
        _ if one.cancelled => "completed",
        now if now < one.from => "scheduled",
        now if now < one.until => "in_progress",
        _ => "completed",
    };
    let touched = model.components.iter().enumerate().filter(|(_, component)| one.components.contains(&component.id));
    json!({
        "id": one.id,
        "name": one.title,
        "status": status,
        "impact": "maintenance",
        "page_id": "status",
        "scheduled_for": rfc3339(one.from),
        "scheduled_until": rfc3339(one.until),
        "created_at": rfc3339(one.announced_at),
        "updated_at": rfc3339(one.changed_at),
        "components": touched.map(|(position, component)| self::component(model, component, position)).collect::<Vec<_>>(),
        "incident_updates": [{
            "id": format!("{}-1", one.id), "incident_id": one.id, "status": status, "body": one.text,
            "created_at": rfc3339(one.announced_at), "display_at": rfc3339(one.announced_at),
        }],
    })
}

/// Returns everything that the page shows.
pub(super) fn full(model: &Model) -> Value {
    let components = model.components.iter().map(|one| {
        let days = one.days.iter().map(|day| {
            json!({
                "date": day.date, "status": day.worst.map(Condition::as_str),
                "uptime_percent": day.figure.availability().map(percent), "downtime_seconds": day.figure.lost / 1000,
                "unknown_seconds": day.figure.unknown / 1000,
            })
        });
        json!({
            "id": one.id, "name": one.name, "description": one.description, "status": one.condition.as_str(),
            "since": rfc3339(one.changed_at), "maintenance_until": one.worked_on_until.map(rfc3339), "members": one.members, "uptime_percent_90d": one.uptime.map(percent),
            "days": days.collect::<Vec<_>>(),
        })
    });
    json!({
        "title": model.title, "as_of": rfc3339(model.at), "overall_status": model.overall().as_str(),
        "components": components.collect::<Vec<_>>(), "incidents": incident_list(model, false),
        "scheduled_maintenances": maintenance_list(model),
    })
}

/// Returns one word for each component, for programs that want no more.
pub(super) fn compact(model: &Model) -> Value {
    let components: serde_json::Map<String, Value> =
        model.components.iter().map(|one| (one.id.clone(), json!(one.condition.as_str()))).collect();
    json!({ "status": model.overall().as_str(), "as_of": rfc3339(model.at), "components": components })
}

/// Returns the figures for charts.
pub(super) fn metrics(model: &Model) -> Value {
    let components = model.components.iter().map(|one| {
        let series = one.days.iter().map(|day| json!([day.date, day.figure.availability().map(percent)]));
        json!({
            "id": one.id, "uptime_percent_90d": one.uptime.map(percent), "unknown_seconds_90d": one.unknown / 1000,
            "daily_uptime_percent": series.collect::<Vec<_>>(),
        })
    });
    json!({ "as_of": rfc3339(model.at), "components": components.collect::<Vec<_>>() })
}
