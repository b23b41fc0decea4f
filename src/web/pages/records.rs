//! The pages of what is in force and of what people did: policies, settings and the audit log.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Html;
use chrono::TimeDelta;
use maud::{Markup, html};

use super::times::Times;
use super::{Sheet, frame};
use crate::notify::{hours, words as length_words};
use crate::service::audit::{AuditEntry, AuditPage};
use crate::service::policies::{PolicyView, TenantPolicies};
use crate::web::audit::{AuditParams, MOST, in_a_link};
use crate::web::auth::Caller;
use crate::web::{Problem, Web};

/// GET /audit
pub async fn audit(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Query(params): Query<AuditParams>,
) -> Result<Html<String>, Problem> {
    let found = web.service.audit(&caller.scope, &params.query(web.service.now())?).await?;
    let times = Times::of(&web, &caller).await?;
    let AuditPage { changes, next_cursor } = found.unwrap_or_default();
    let content = html! {
        main.made {
            h1 { "Audit log" }
            p.muted { "Every change by a person: who, with which token, from where. Times are in " (times.zone()) ". Each entry holds a hash of the one before; " code { "superops-sla audit verify" } " checks the whole chain." }
            (search(&params))
            @if changes.is_empty() { p.empty { "No changes found. Acknowledgements, silences, stand-ins, overrides, tokens and sign-ins are listed here as they happen." } }
            @else { (changes_table(&changes, times)) }
            @if let Some(next) = next_cursor {
                p { a.button href={ "/audit?" (params.after(&next).again()) } { @if params.begins_early() { "Later changes" } @else { "Earlier changes" } } }
            }
        }
    };
    Ok(frame(&web, &caller, &Sheet { title: "Audit log", kind: "made", here: "/audit" }, &content))
}

fn search(params: &AuditParams) -> Markup {
    html! {
        form.filters method="get" action="/audit" role="search" {
            // What no field shows stays as it is.
            @for (name, value) in [("tenant", params.tenant.clone()), ("from", params.from.map(in_a_link)), ("until", params.until.map(in_a_link)), ("limit", params.limit.map(|limit| limit.to_string()))] {
                @if let Some(value) = value { input type="hidden" name=(name) value=(value); }
            }
            input type="search" name="who" value=[&params.who] placeholder="Who" aria-label="Who";
            input type="search" name="what" value=[&params.what] placeholder="What" aria-label="What";
            input type="search" name="ticket" value=[&params.ticket] placeholder="Ticket" aria-label="Ticket";
            select name="sort" aria-label="Which first" {
                @for (value, text) in [("-at", "Latest first"), ("at", "Earliest first")] {
                    option value=(value) selected[params.begins_early() == (value == "at")] { (text) }
                }
            }
            button { "Find" }
            a.button href={ "/api/v1/audit?" (params.as_file().again()) } title={ "The first " (MOST) " of these changes" } { "CSV" }
        }
    }
}

fn changes_table(changes: &[AuditEntry], times: Times) -> Markup {
    html! {
        div.scroll { table {
            thead { tr { th scope="col" { "No." } th scope="col" { "At" } th scope="col" { "Who" } th scope="col" { "Tenant" } th scope="col" { "From" } th scope="col" { "Did" } } }
            tbody { @for one in changes { tr {
                td.number { (one.id) }
                td.when { (times.exact(one.at)) }
                td { (one.who) }
                td { (one.tenant.as_deref().unwrap_or("all")) }
                td { (one.origin) }
                td {
                    @if let (Some(tenant), Some(id)) = (&one.tenant, &one.ticket_id) { a href={ "/tickets/" (tenant) "/" (id) } { (one.what) } }
                    @else { (one.what) }
                }
            } } }
        } }
    }
}

/// GET /policies
pub async fn policies(State(web): State<Arc<Web>>, caller: Caller) -> Result<Html<String>, Problem> {
    let tenants = web.service.policies(&caller.scope).await?;
    let times = Times::of(&web, &caller).await?;
    let content = html! {
        main.made {
            h1 { "Policies in force" }
            p.muted { "The first policy that matches a ticket applies. A ticket that matches none keeps the due times that SuperOps reports." }
            @for tenant in &tenants { (tenant_policies(tenant, times)) }
        }
    };
    Ok(frame(&web, &caller, &Sheet { title: "Policies", kind: "made", here: "/policies" }, &content))
}

fn tenant_policies(tenant: &TenantPolicies, times: Times) -> Markup {
    html! {
        h2 { (tenant.tenant) }
        p {
            "Hours: " (if tenant.hours == "site" { "of each site" } else { "the MSP's own" })
            ", calendar " (tenant.calendar.as_deref().unwrap_or("none: round the clock"))
            @if let Some(version) = tenant.version { ", version " (version) }
            @if let Some(from) = tenant.in_force_from { " since " (times.at(from)) " (" (times.zone()) ")" }
        }
        @if tenant.policies.is_empty() {
            p.empty { "No policy is configured, so SuperOps' own due times hold. " code { "superops-sla policies infer" } " proposes some from them." }
        } @else {
            div.scroll { table {
                thead { tr { @for head in ["", "SLA", "Priority", "Client", "Category", "First response", "Resolution", "Next response", "Counts", "From"] { th scope="col" { (head) } } } }
                tbody { @for policy in &tenant.policies { (policy_row(policy)) } }
            } }
        }
    }
}

fn policy_row(policy: &PolicyView) -> Markup {
    let any = |text: &Option<String>| text.clone().unwrap_or_else(|| "any".to_owned());
    let target = |seconds: Option<i64>| {
        seconds.map_or_else(|| "none".to_owned(), |it| promised(TimeDelta::seconds(it), policy.clock))
    };
    html! {
        tr {
            td { (policy.position) }
            td { (any(&policy.sla)) }
            td { (any(&policy.priority)) }
            td { (any(&policy.client)) }
            td { (any(&policy.category)) }
            td { (target(policy.response)) }
            td { (target(policy.resolution)) }
            td { (target(policy.next_response)) }
            td { (if policy.clock == "business" { "working hours" } else { "round the clock" }) }
            td.muted {
                (policy.source)
                @if let Some(by) = policy.shadowed_by { br; strong { "Never reached: policy " (by) " takes all of its tickets." } }
                @for unknown in &policy.unknown { br; strong { (unknown) } }
            }
        }
    }
}

/// Formats a target as `clock` counts it: working hours are not summed up to days, whose length would be unclear.
fn promised(length: TimeDelta, clock: &str) -> String {
    if clock == "business" { hours(length) } else { length_words(length) }
}

/// GET /settings
pub async fn settings(State(web): State<Arc<Web>>, caller: Caller) -> Html<String> {
    let content = html! {
        main.made {
            h1 { "Settings as read" }
            p.muted { "The configuration as the service read it when it started. Secrets are not shown. To change it, edit the file and restart the service." }
            div.scroll tabindex="0" role="region" aria-label="Settings" { pre { (web.service.settings()) } }
        }
    };
    frame(&web, &caller, &Sheet { title: "Settings", kind: "made", here: "/settings" }, &content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_in_working_hours_is_told_in_hours() {
        assert_eq!(promised(TimeDelta::hours(32), "business"), "32 h");
        assert_eq!(promised(TimeDelta::hours(32), "calendar"), "1 d 8 h");
    }
}
