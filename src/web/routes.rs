//! The table of routes. The router, the test of roles and the description of the API are made from it.

use axum::http::Method;

use super::api::Within;
use super::audit::{AuditPage, AuditParams};
use super::route::{Face, Route, delete, form, get, open, page, post, proven};
use super::sessions::Sessions;
use super::{
    alerts, api, audit, events, health, hooks, link, login, on_call, openapi, overrides, pages, reports, sessions,
    status, systems, twilio, uptime,
};
use crate::service::live::Change;
use crate::service::on_call::{OnCall, OverrideRequest, OverrideView};
use crate::service::reports::answers::CacheFigures;
use crate::service::reports::reasons::{ReasonOrder, ReasonView};
use crate::service::reports::{
    ComplianceDay, ComplianceQuery, EntryPage, EntryQuery, ReportQuery, TechnicianPage, TechnicianQuery, TechnicianView,
};
use crate::service::uptime::{
    ComponentHistory, ComponentView, DailyQuery, DailySeries, HistoryQuery, LookView, LooksQuery, SlaQuery, SlaReport,
    UptimeOverview,
};
use crate::service::weekly::{Weekly, WeeklyQuery};
use crate::store::tokens::Role::{Admin, Responder, Viewer};

/// What comes from PagerDuty or Slack: an incident with all that is known of it, or a message with all its blocks.
const SYSTEM_BODY_MAX: usize = 128 * 1024;

/// Every route that is served.
pub fn all() -> Vec<Route> {
    [people(), tickets(), figures(), services(), acting(), on_call_and_quiet(), calls(), machines(), public()]
        .into_iter()
        .flatten()
        .collect()
}

/// Pages, and what their forms send.
fn people() -> Vec<Route> {
    vec![
        page("/", Viewer, pages::dashboard),
        page("/alerts", Viewer, pages::alerts),
        page("/forecast", Viewer, pages::forecast),
        page("/reports", Viewer, pages::reports::reports).about("The page of reports"),
        page("/reports/entries", Viewer, pages::reports::entries).about("The page of what a figure counts"),
        page("/technicians", Viewer, pages::reports::technicians).about("The page of technicians"),
        page("/services", Viewer, pages::services::services).about("The page of all services that are watched"),
        page("/services/{id}", Viewer, pages::services::service).about("The page of one service"),
        page("/on-call", Viewer, pages::on_call::on_call),
        page("/policies", Viewer, pages::records::policies).about("The page of the policies in force"),
        page("/audit", Admin, pages::records::audit).about("The page of the audit log"),
        page("/settings", Admin, pages::records::settings).of_all_tenants().about("The settings as they were read"),
        page("/system", Viewer, pages::system::system).about("The page of the service itself"),
        page("/wall", Viewer, pages::system::wall).about("The ten worst, for a screen on the wall"),
        form("/sessions/{id}/end", Viewer, pages::system::end_session).of_no_tenant().about("Signs a browser out"),
        page("/tickets/{tenant}/{id}", Viewer, pages::ticket),
        form("/tickets/{tenant}/{id}/reason", Responder, reports::submit_reason)
            .about("Says why a clock was missed, from the page of entries"),
        form("/on-call", Responder, on_call::submit),
        form("/on-call/{id}/remove", Responder, on_call::submit_removal),
        form("/alerts/no-texts/{id}/clear", Admin, api::submit_text_again),
        open(Method::GET, "/login", Face::Page, login::show),
        open(Method::POST, "/login", Face::Page, login::enter),
        form("/logout", Viewer, sessions::leave),
        open(Method::GET, "/assets/{name}", Face::Api, pages::asset),
        proven(Method::GET, "/a/{token}", Face::Page, link::show),
        proven(Method::POST, "/a/{token}", Face::Page, link::follow),
    ]
}

/// Tickets, and what is known of them.
fn tickets() -> Vec<Route> {
    vec![
        get("/api/v1/tickets", Viewer, api::tickets),
        get("/api/v1/tickets/{id}/sla", Viewer, api::ticket),
        get("/api/v1/tickets/{id}/ledger", Viewer, api::ledger),
        post("/api/v1/tickets/{id}/override", Admin, overrides::decide),
        delete("/api/v1/tickets/{id}/override", Admin, overrides::undecide),
        post("/api/v1/tickets/{id}/reason", Responder, reports::say_reason)
            .about("Say why a clock of a ticket was missed, in place of what its history tells")
            .takes::<ReasonOrder>()
            .gives::<ReasonView>("The reason as it counts now"),
        get("/api/v1/overview", Viewer, api::overview),
        get("/api/v1/policies", Viewer, api::policies),
        get("/api/v1/breaches", Viewer, api::breaches),
        get("/api/v1/messages", Viewer, api::messages),
        get("/api/v1/discrepancies", Viewer, api::discrepancies),
        get("/api/v1/forecast/record", Viewer, api::forecast_record),
    ]
}

/// What was kept of what was promised, and by whom.
fn figures() -> Vec<Route> {
    vec![
        get("/api/v1/technicians", Viewer, reports::technicians)
            .about("What each technician did in a period, and how it went")
            .query::<TechnicianQuery>()
            .gives::<TechnicianPage>("Technicians by name; nobody, unknown and automation at the end"),
        get("/api/v1/technicians/{id}/sla", Viewer, reports::technician)
            .about("The same of one technician")
            .query::<TechnicianQuery>()
            .gives::<TechnicianView>("The technician's figures"),
        get("/api/v1/sla/compliance", Viewer, reports::compliance)
            .about("Compliance day by day")
            .query::<ComplianceQuery>()
            .gives::<Vec<ComplianceDay>>("Each local day of the period"),
        get("/api/v1/reports/sla", Viewer, reports::report)
            .about("A report on a period: compliance, breaches with reasons, what was left out")
            .query::<ReportQuery>(),
        get("/api/v1/reports/schema", Viewer, reports::schema)
            .about("The JSON schema that a report keeps")
            .of_all_tenants(),
        get("/api/v1/reports/entries", Viewer, reports::entries)
            .about("The decided clocks that a figure counts, or leaves out")
            .query::<EntryQuery>()
            .gives::<EntryPage>("The latest first"),
        get("/api/v1/cache", Viewer, reports::cache)
            .about("How the caches have done")
            .gives::<Vec<CacheFigures>>("Each cache")
            .of_all_tenants(),
    ]
}

/// Services, and what was promised of them.
fn services() -> Vec<Route> {
    vec![
        get("/api/v1/uptime", Viewer, uptime::overview)
            .about("How all services stand, and how well they kept what was promised")
            .gives::<UptimeOverview>("The services that the caller may see"),
        get("/api/v1/uptime/components/{id}", Viewer, uptime::component)
            .about("How one service stands")
            .gives::<ComponentView>("The service"),
        get("/api/v1/uptime/components/{id}/history", Viewer, uptime::history)
            .about("The past of a service: how it stood, and how long answers took")
            .query::<HistoryQuery>()
            .gives::<ComponentHistory>("Its past"),
        get("/api/v1/uptime/components/{id}/looks", Viewer, uptime::looks)
            .about("The latest looks at a service: what each found, and how long it took")
            .query::<LooksQuery>()
            .gives::<Vec<LookView>>("The latest first; each look is kept for two days"),
        get("/api/v1/uptime/sla", Viewer, uptime::sla)
            .about("How uptime promises stand in their present period, or in one of the past")
            .query::<SlaQuery>()
            .gives::<SlaReport>("The promises"),
        get("/api/v1/uptime/daily", Viewer, uptime::daily)
            .about("A service day by day, against a target")
            .query::<DailyQuery>()
            .gives::<DailySeries>("The days"),
    ]
}

/// What anybody may read.
fn public() -> Vec<Route> {
    vec![
        open(Method::GET, "/status", Face::Api, status::page),
        open(Method::GET, "/status/{name}", Face::Api, status::document),
        open(Method::GET, "/api/v2/{name}", Face::Api, status::api),
        open(Method::GET, "/api/v2/incidents/{name}", Face::Api, status::incidents),
    ]
}

/// Alerts, and acting on them.
fn acting() -> Vec<Route> {
    vec![
        get("/api/v1/alerts", Viewer, alerts::list),
        get("/api/v1/alerts/weekly", Viewer, alerts::weekly)
            .about("Alerts for each technician and week, and what became of them")
            .query::<WeeklyQuery>()
            .gives::<Weekly>("The weeks, the latest first"),
        get("/api/v1/alerts/{id}", Viewer, alerts::one),
        post("/api/v1/alerts/{id}/ack", Responder, alerts::acknowledge),
        post("/api/v1/alerts/{id}/resolve", Responder, alerts::resolve),
        post("/api/v1/alerts/{id}/snooze", Responder, alerts::snooze),
        post("/api/v1/alerts/{id}/escalate", Responder, alerts::escalate),
    ]
}

/// Who is told, and when nobody is. Responders stand in for each other: people who answer calls swap shifts among
/// themselves every day, and each swap is in the audit log.
fn on_call_and_quiet() -> Vec<Route> {
    vec![
        get("/api/v1/silences", Viewer, alerts::silences),
        post("/api/v1/silences", Responder, alerts::silence),
        delete("/api/v1/silences/{id}", Responder, alerts::end_silence),
        get("/api/v1/maintenance-windows", Viewer, alerts::maintenance_windows),
        post("/api/v1/maintenance-windows", Admin, alerts::maintain),
        delete("/api/v1/maintenance-windows/{id}", Admin, alerts::end_maintenance),
        get("/api/v1/on-call", Viewer, on_call::list)
            .about("Who is on call now and in the coming two weeks, and when nobody is")
            .gives::<OnCall>("The rotations that the caller may see"),
        post("/api/v1/on-call", Responder, on_call::add)
            .about("Have somebody stand in")
            .takes::<OverrideRequest>()
            .makes::<OverrideView>("Who stands in, and when"),
        delete("/api/v1/on-call/{id}", Responder, on_call::remove)
            .about("Take back that somebody stands in")
            .gives_nothing("It is taken back"),
        get("/api/v1/no-texts", Viewer, api::no_texts),
        delete("/api/v1/no-texts/{id}", Admin, api::text_again),
    ]
}

/// What other systems call.
fn calls() -> Vec<Route> {
    vec![
        proven(Method::POST, "/hooks/superops/{tenant}", Face::Api, hooks::superops),
        proven(Method::POST, "/hooks/twilio/status", Face::Api, twilio::status),
        proven(Method::POST, "/hooks/twilio/sms", Face::Api, twilio::reply),
        proven(Method::POST, "/hooks/twilio/voice", Face::Api, twilio::key),
        proven(Method::POST, "/hooks/pagerduty", Face::Api, systems::pagerduty).at_most(SYSTEM_BODY_MAX),
        proven(Method::GET, "/hooks/heartbeat/{token}", Face::Api, uptime::beat)
            .about("A service that is watched by its heartbeat has called: it is well")
            .gives_nothing("It is written down"),
        proven(Method::POST, "/hooks/heartbeat/{token}", Face::Api, uptime::beat)
            .about("A service that is watched by its heartbeat has called: it is well")
            .gives_nothing("It is written down"),
        proven(Method::GET, "/hooks/heartbeat/{token}/{how}", Face::Api, uptime::beat_how)
            .about("The same, with ok, start or fail at the end: how it went")
            .gives_nothing("It is written down"),
        proven(Method::POST, "/hooks/heartbeat/{token}/{how}", Face::Api, uptime::beat_how)
            .about("The same, with ok, start or fail at the end: how it went")
            .gives_nothing("It is written down"),
        proven(Method::POST, "/hooks/slack", Face::Api, systems::slack).at_most(SYSTEM_BODY_MAX),
    ]
}

/// What those who watch the service ask, and what describes it.
fn machines() -> Vec<Route> {
    vec![
        open(Method::GET, "/healthz", Face::Api, health::alive),
        open(Method::GET, "/readyz", Face::Api, health::ready),
        get("/metrics", Viewer, health::metrics).of_all_tenants(),
        open(Method::GET, "/api/openapi.json", Face::Api, openapi::show),
        get("/api/v1/audit", Admin, audit::list)
            .about("Who changed what, and from where; `format=csv` for a spreadsheet")
            .query::<AuditParams>()
            .gives::<AuditPage>("The latest first"),
        get("/api/v1/events", Viewer, events::stream)
            .about("What changes, as it changes: server-sent events")
            .query::<Within>()
            .streams::<Change>("`hello`, then `change` whenever something did, and `beat` while nothing does"),
        get("/api/v1/sessions", Viewer, sessions::list)
            .about("The browsers that are signed in with the caller's token; an admin of all tenants sees all")
            .of_no_tenant()
            .gives::<Sessions>("The last used first"),
        delete("/api/v1/sessions/{id}", Viewer, sessions::end)
            .about("Sign a browser out")
            .of_no_tenant()
            .gives_nothing("It is signed out"),
        get("/api/v1/demo/messages", Viewer, api::caught).of_no_tenant(),
    ]
}
