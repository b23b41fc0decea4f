//! The pages of personal rules: everybody's in a table, and one person's in a form.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, html};

use super::times::Times;
use super::{Sheet, frame};
use crate::config::ChannelKind;
use crate::config::raw_personal_rules::{MOST_RULES, RawPersonalRule, RawPersonalRules};
use crate::service::people::{PeoplePage, PeopleQuery, PersonView};
use crate::store::tokens::Role;
use crate::web::auth::Caller;
use crate::web::{Problem, Web};

/// The empty rows below the existing rules.
const BLANK_RULES: usize = 2;
const STAGES: [&str; 3] = ["predicted", "warning", "breached"];
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// A form's request that was refused, and why.
pub struct Refused {
    pub asked: RawPersonalRules,
    pub complaint: String,
}

/// GET /people
pub async fn people(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Query(query): Query<PeopleQuery>,
) -> Result<Html<String>, Problem> {
    let page = web.service.people((&caller.scope, &caller.sees), &query).await?;
    let times = Times::of(&web, &caller).await?;
    let text = query.text.as_deref().unwrap_or_default();
    let content = html! {
        main.made {
            p { a.back href="/on-call" { "On call" } }
            h1 { "How people are told" }
            p.muted { "People are told as the escalation steps say, unless they have chosen other channels, other hours, or a daily digest of warnings. What the configuration file says about somebody takes precedence. A personal choice may delay what that person hears, never the escalation." }
            form.filters role="search" {
                input type="search" name="text" value=(text) placeholder="Find a person…" aria-label="Find a person";
                button.quiet { "Find" }
            }
            @if page.people.is_empty() { p.empty { (nobody(text)) } } @else { (table(&page, &caller, times)) }
        }
    };
    Ok(frame(&web, &caller, &Sheet { title: "People", kind: "made", here: "/on-call" }, &content))
}

fn nobody(text: &str) -> &'static str {
    match text.trim() {
        "" => "Nobody has an email address in SuperOps yet. People appear here once its technicians are read.",
        _ => "Nobody here has this in their name or address.",
    }
}

fn table(page: &PeoplePage, caller: &Caller, times: Times) -> Markup {
    html! {
        div.scroll { table {
            thead { tr { @for head in ["Person", "Tenants", "Is told", "Set in", ""] { th scope="col" { (head) } } } }
            tbody { @for one in &page.people { tr {
                td.what { (one.name.as_deref().unwrap_or(&one.email)) @if one.name.is_some() { div.muted { (one.email) } } }
                td { (one.tenants.join(", ")) }
                td { (one.words) @if one.unreadable { div.muted { "What was set cannot be read: set it anew." } } @if one.unheeded.is_some() { div.muted { "What was set on this page is ignored." } } }
                td { (said_in(one, times)) }
                td.act { a href={ "/people/" (one.id) } { (if may_change(one, caller) { "Change" } else { "Show" }) } }
            } } }
        } }
        @if page.total > page.people.len() { p.muted { (page.people.len()) " of " (page.total) " are shown: find somebody by name or address." } }
    }
}

fn may_change(one: &PersonView, caller: &Caller) -> bool {
    caller.role >= Role::Responder && one.fixed.is_none()
}

fn said_in(one: &PersonView, times: Times) -> Markup {
    let by = one.set_by.as_ref().zip(one.set_at);
    html! {
        @match one.set_in {
            "file" => { "the configuration file" }
            "page" => { "this page" }
            _ => { "–" }
        }
        @if let Some((who, at)) = by { div.muted { "set by " (who) ", " (times.at(at)) " (" (times.zone()) ")" } }
    }
}

/// GET /people/{id}
pub async fn person(State(web): State<Arc<Web>>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    person_page(&web, &caller, &id, None).await.map(IntoResponse::into_response)
}

/// Renders the page of one person, with a form that was `refused` as it was sent.
pub async fn person_page(web: &Web, caller: &Caller, id: &str, refused: Option<&Refused>) -> Result<Response, Problem> {
    let Some(one) = web.service.person((&caller.scope, &caller.sees), id).await? else {
        let content = html! { main.alone { h1 { "No such person" } p { a href="/people" { "All people" } } } };
        let page = frame(web, caller, &Sheet { title: "No such person", kind: "none", here: "/on-call" }, &content);
        return Ok((StatusCode::NOT_FOUND, page).into_response());
    };
    let name = one.name.as_deref().unwrap_or(&one.email);
    let content = html! {
        main.single.reports {
            p { a.back href="/people" { "All people" } }
            h1 { (name) " " span.muted { (one.email) } }
            p { b { "Is told: " } (one.words) }
            p.muted { "Set in: " (said_in(&one, Times::of(web, caller).await?)) }
            @if let Some(why) = &one.fixed { p { "It cannot be changed here: " (why) "." } }
            @if let Some(refused) = refused { p.complaint role="alert" { (refused.complaint) } }
            @if may_change(&one, caller) {
                (form(&one, refused.map_or(&one.rules, |refused| &refused.asked), &personal_channels(web)))
            }
        }
    };
    Ok(frame(web, caller, &Sheet { title: name, kind: "reports", here: "/on-call" }, &content).into_response())
}

/// Returns the channels that are set up and reach individual people.
fn personal_channels(web: &Web) -> Vec<ChannelKind> {
    web.service.config().notify.kinds().into_iter().filter(|kind| !kind.is_system()).collect()
}

fn form(one: &PersonView, asked: &RawPersonalRules, channels: &[ChannelKind]) -> Markup {
    let none = RawPersonalRule::default();
    let blank = std::iter::repeat_n(&none, BLANK_RULES);
    html! {
        details.say open { summary { "Preferences" }
            form method="post" action={ "/people/" (one.id) } {
                label { "Time zone of messages and hours" input name="timezone" value=[&asked.timezone] placeholder="Europe/London" autocomplete="off"; }
                (ticks("Use these channels instead of those of the step", "channels", channels.iter().map(|kind| (kind.as_str(), kind.words())), &asked.channels))
                label { "Warnings and predictions once a day, at" input type="time" name="digest_at" value=[&asked.digest_at]; }
                @for (number, rule) in asked.rules.iter().chain(blank).take(MOST_RULES).enumerate() {
                    (rule_fields(number, rule, number < asked.rules.len(), channels))
                }
                p.muted { "The first rule that matches applies, in place of the channels above. Messages that fall in hours set to “nothing” wait until those hours end; a breach goes on to the next step at once." }
                button { "Save" }
            }
        }
        @if one.set_in == "page" {
            form method="post" action={ "/people/" (one.id) "/clear" } { button.quiet { "Remove these preferences" } }
        }
    }
}

fn rule_fields(number: usize, rule: &RawPersonalRule, is_there: bool, channels: &[ChannelKind]) -> Markup {
    let field = |name: &str| format!("rule{number}.{name}");
    let tells = is_there && !rule.channels.is_empty();
    html! {
        fieldset { legend { "Rule " (number + 1) }
            label.check { "In these cases " select name=(field("tell")) {
                option value="" { "no rule" }
                option value="by" selected[tells] { "tell by the channels ticked" }
                option value="nothing" selected[is_there && !tells] { "tell nothing" }
            } }
            (ticks("Channels", &field("channels"), channels.iter().map(|kind| (kind.as_str(), kind.words())), &rule.channels))
            (ticks("Stages; none ticked: all", &field("stages"), STAGES.map(|stage| (stage, stage)).into_iter(), &rule.stages))
            label.check { "From " input name=(field("from")) value=[&rule.from] size="6" placeholder="22:00" pattern="[0-2][0-9]:[0-5][0-9]"; }
            label.check { "until " input name=(field("until")) value=[&rule.until] size="6" placeholder="07:00" pattern="[0-2][0-9]:[0-5][0-9]"; }
            (ticks("Days on which these hours begin; none ticked: all", &field("days"), DAYS.map(|day| (day, day)).into_iter(), rule.days.as_deref().unwrap_or_default()))
        }
    }
}

fn ticks<'a>(legend: &str, name: &str, choices: impl Iterator<Item = (&'a str, &'a str)>, ticked: &[String]) -> Markup {
    html! {
        fieldset.ticks { legend { (legend) } @for (value, words) in choices {
            label { input type="checkbox" name=(name) value=(value) checked[ticked.iter().any(|one| one == value)]; " " (words) }
        } }
    }
}
