//! The page of alerts: what is wrong, who was told, and what can be done about it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;
use maud::{Markup, html};

use super::times::Times;
use super::{Sheet, frame};
use crate::answers::NoMoreTexts;
use crate::store::tokens::Role;
use crate::web::api::not_texted;
use crate::web::auth::Caller;
use crate::web::{Problem, Web};

/// The format of a day on this page.
const DAY: &str = "%-d %b %Y";

/// GET /alerts
pub async fn alerts(State(web): State<Arc<Web>>, caller: Caller) -> Result<Html<String>, Problem> {
    let not_texted = not_texted(&web, &caller.scope).await?;
    let sheet = Sheet { title: "Alerts", kind: "alerts", here: "/alerts" };
    Ok(frame(&web, &caller, &sheet, &content(&caller, &not_texted, Times::of(&web, &caller).await?)))
}

fn content(caller: &Caller, not_texted: &[NoMoreTexts], times: Times) -> Markup {
    let may_act = caller.role >= Role::Responder;
    html! {
        main.alerting id="alerting" data-may-act=(may_act) data-may-maintain=(caller.role >= Role::Admin) {
            section aria-label="Alerts" {
                div.alert-head {
                    div.segments id="states" role="group" aria-label="Which alerts" {
                        @for (state, label) in [("open", "Open"), ("acknowledged", "Acknowledged"), ("resolved", "Resolved")] {
                            button type="button" data-state=(state) aria-pressed=(state == "open") { (label) }
                        }
                    }
                    select id="order" aria-label="Which first" {
                        @for (sort, label) in [("worst", "Worst first"), ("due", "Due first"), ("-due", "Due last first"), ("-changed", "Latest change first"), ("changed", "Oldest change first")] {
                            option value=(sort) { (label) }
                        }
                    }
                    @if may_act {
                        label.you { "You are " input id="you" placeholder="your name" autocomplete="name" maxlength="60"; }
                    }
                }
                @if may_act {
                    div.bulk id="bulk" {
                        button type="button" id="bulk-ack" disabled { "Acknowledge chosen" }
                        button.quiet type="button" id="bulk-all" { "Choose all" }
                        span.muted { kbd { "j" } " " kbd { "k" } " move, " kbd { "x" } " choose, " kbd { "a" } " acknowledge, " kbd { "s" } " snooze, " kbd { "o" } " open" }
                    }
                }
                p.note id="note" aria-live="polite" {}
                p.muted id="week" {}
                ul.alerts id="alerts" tabindex="-1" aria-label="Alerts, one after the other" {}
                div.empty id="empty" hidden {}
            }
            aside.quieting aria-label="Silences and maintenance windows" {
                h2 { "Silences and maintenance" }
                ul.overlays id="overlays" {}
                p.muted id="no-overlays" hidden { "None: every alert is sent." }
                @if may_act { (form(caller)) }
                @if !not_texted.is_empty() { (no_texts(not_texted, caller.role >= Role::Admin, times)) }
            }
        }
    }
}

/// Lists the people who get no text messages; other channels reach them. Only its owner can take a STOP back.
fn no_texts(people: &[NoMoreTexts], may_clear: bool, times: Times) -> Markup {
    html! {
        h2 { "Not texted" }
        ul.overlays { @for person in people {
            li {
                p {
                    b { (person.who) } " " (person.why) ", " (times.written(person.since, DAY))
                    @if let Some(until) = person.until { "; tried again on " (times.written(until, DAY)) }
                }
                @if let Some(id) = person.id.filter(|_| may_clear) {
                    form method="post" action={ "/alerts/no-texts/" (id) "/clear" } { button.quiet { "Text again" } }
                }
            }
        } }
    }
}

fn form(caller: &Caller) -> Markup {
    html! {
        form.quieter id="quieter" {
            h3 { "Tell nobody about…" }
            @for (name, label, hint) in [
                ("client", "Client", "all clients"), ("ticket", "Ticket", "all tickets"), ("component", "Service", "all services"),
                ("priority", "Priority", "all priorities"), ("technician", "Technician", "everybody's"),
            ] {
                label { (label) input name=(name) placeholder=(hint) autocomplete="off"; }
            }
            label { "Tenant" select name="tenant" id="quiet-tenant" {} }
            label { "For" select name="for" {
                @for (value, text) in [("30m", "30 minutes"), ("1h", "1 hour"), ("2h", "2 hours"), ("4h", "4 hours"), ("8h", "8 hours"), ("1d", "1 day"), ("7d", "7 days")] {
                    option value=(value) selected[value == "1h"] { (text) }
                }
            } }
            label.everything { input type="checkbox" name="everything"; " All alerts of the tenant" }
            label { "Reason" input name="reason" required maxlength="500" placeholder="why, for the others"; }
            div.actions {
                button type="submit" name="kind" value="silences" { "Silence" }
                @if caller.role >= Role::Admin {
                    button type="submit" name="kind" value="maintenance-windows" { "Maintenance" }
                }
            }
            p.complaint id="complaint" role="alert" hidden {}
        }
    }
}
