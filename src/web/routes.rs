//! The table of routes, from which the router, the test of roles and the description of the API are built.

use axum::http::Method;

use super::alerts::By;
use super::api::Within;
use super::audit::AuditParams;
use super::login::{Arrival, Login};
use super::reports::ReasonForm;
use super::route::{Audience, BODY_MAX, Route, delete, form, get, open, page, post, proven};
use super::sessions::Sessions;
use super::sign_in::Return;
use super::subscriptions::SubscribeForm;
use super::tokens::Tokens;
use super::{
    alerts, api, audit, events, health, hooks, incidents, link, login, on_call, openapi, overrides, pages, people,
    private_pages, reports, sessions, sign_in, statements, status, subscriptions, systems, tokens, twilio, uptime,
    views,
};
use crate::config::raw_personal_rules::RawPersonalRules;
use crate::formats::Format;
use crate::outpost::wire::{OutpostOrders, OutpostReceipt, OutpostResults};
use crate::service::alerts::{AlertPage, AlertQuery, AlertView, SnoozeOrder};
use crate::service::audit::AuditPage;
use crate::service::breaches::{BreachPage, BreachQuery};
use crate::service::incidents::{
    IncidentOrder, IncidentQuery, IncidentView, ORDER_MOST, SayingOrder, WorkOrder, WorkView,
};
use crate::service::live::Change;
use crate::service::messages::MessagePage;
use crate::service::on_call::{OnCall, OverrideRequest, OverrideView};
use crate::service::overrides::OverrideOrder;
use crate::service::people::{PeoplePage, PeopleQuery, PersonView};
use crate::service::private_pages::{PrivatePageMade, PrivatePageOrder, PrivatePageView};
use crate::service::reports::answers::CacheFigures;
use crate::service::reports::archive::{ArchivePage, ArchiveQuery};
use crate::service::reports::clients::ClientPage;
use crate::service::reports::credits::CreditView;
use crate::service::reports::honesty::HonestyView;
use crate::service::reports::listed::FigureListQuery;
use crate::service::reports::reasons::{ReasonOrder, ReasonView};
use crate::service::reports::{
    ComplianceDay, ComplianceQuery, EntryPage, EntryQuery, ReportQuery, TechnicianPage, TechnicianQuery, TechnicianView,
};
use crate::service::room::{RoomPage, RoomQuery};
use crate::service::statements::{CreditOrder, StatementFileQuery, StatementQuery, StatementView};
use crate::service::suppressions::{SuppressionOrder, SuppressionView};
use crate::service::today::Today;
use crate::service::tokens::{TokenMade, TokenOrder};
use crate::service::uptime::{
    ComponentHistory, ComponentView, DailyQuery, DailySeries, HistoryQuery, LookView, LooksQuery, PushedResult,
    SlaQuery, SlaReport, UptimeOverview,
};
use crate::service::views::{ViewOrder, ViewView};
use crate::service::weekly::{Weekly, WeeklyQuery};
use crate::service::{Differences, ForecastRecord, Overview, TicketLedger, TicketPage, TicketQuery, TicketSla};
use crate::store::tokens::Role::{Admin, Responder, Viewer};

/// The largest body from PagerDuty or Slack: an incident with all its details, or a message with all its blocks.
const SYSTEM_BODY_MAX: usize = 128 * 1024;

/// The largest body from an outpost: a hundred results with all their details.
const OUTPOST_BODY_MAX: usize = 256 * 1024;

/// The largest body about an incident or announced work. In a form, a character takes up to 12 bytes.
const INCIDENT_BODY_MAX: usize = BODY_MAX + 12 * ORDER_MOST;

/// Returns every route that is served.
pub fn all() -> Vec<Route> {
    [people(), tickets(), figures(), services(), acting(), on_call_and_quiet(), calls(), machines(), public()]
        .into_iter()
        .flatten()
        .collect()
}

/// Pages and their forms.
fn people() -> Vec<Route> {
    vec![
        page("/", Viewer, pages::dashboard).about("The page of open tickets"),
        page("/alerts", Viewer, pages::alerts).about("The page of alerts"),
        page("/today", Viewer, pages::today::today)
            .about("The page of how the day goes, against the same weekday before"),
        page("/forecast", Viewer, pages::forecast).about("The page of the forecast's own record"),
        page("/reports", Viewer, pages::reports::reports).about("The page of reports").query::<ReportQuery>(),
        page("/reports/entries", Viewer, pages::reports::entries)
            .about("The page of what a figure counts")
            .query::<EntryQuery>(),
        page("/clients", Viewer, pages::clients::clients)
            .about("The page of clients: how well the promises to each were kept")
            .query::<FigureListQuery>(),
        page("/honesty", Viewer, pages::honesty::honesty)
            .about("The page of what the figures rest on: what is counted, left out, and not known")
            .query::<TechnicianQuery>(),
        page("/technicians/room", Viewer, pages::room::room).about("The page of who has room now").query::<RoomQuery>(),
        page("/reports/archive", Viewer, pages::archive::archive)
            .about("The page of reports as they went out")
            .query::<ArchiveQuery>(),
        page("/technicians", Viewer, pages::reports::technicians)
            .about("The page of technicians")
            .query::<ReportQuery>(),
        page("/services", Viewer, pages::services::services).about("The page of all services that are watched"),
        page("/services/{id}", Viewer, pages::services::service).about("The page of one service"),
        page("/statements", Viewer, pages::statements::statements)
            .about("The page of statements on uptime promises, and of credits")
            .query::<StatementQuery>(),
        form("/statements/{id}/credit", Admin, statements::submit)
            .about("Decides on a credit, from the page")
            .takes_form::<CreditOrder>(),
        page("/incidents", Viewer, pages::incidents::incidents).about("The page of incidents and announced work"),
        page("/incidents/{id}", Viewer, pages::incidents::incident).about("The page of one incident"),
        form("/incidents", Responder, incidents::submit)
            .at_most(INCIDENT_BODY_MAX)
            .about("Opens an incident, from the page")
            .takes_form::<IncidentOrder>(),
        form("/incidents/{id}", Responder, incidents::submit_update)
            .at_most(INCIDENT_BODY_MAX)
            .about("Says more of an incident, from its page")
            .takes_form::<SayingOrder>(),
        form("/maintenance", Admin, incidents::submit_work)
            .at_most(INCIDENT_BODY_MAX)
            .about("Announces work, from the page")
            .takes_form::<WorkOrder>(),
        form("/maintenance/{id}/call-off", Admin, incidents::submit_call_off).about("Calls work off, from the page"),
        page("/on-call", Viewer, pages::on_call::on_call).about("The page of the on-call rotations"),
        page("/people", Viewer, pages::people::people).about("The page of how people are told").query::<PeopleQuery>(),
        page("/people/{id}", Viewer, pages::people::person).about("The page of how one person is told"),
        form("/people/{id}", Responder, people::submit).about("Sets one person's preferences, from their page"),
        form("/people/{id}/clear", Responder, people::submit_clear)
            .about("Removes one person's preferences, from their page"),
        page("/policies", Viewer, pages::records::policies).about("The page of the policies in force"),
        page("/audit", Admin, pages::records::audit).about("The page of the audit log").query::<AuditParams>(),
        page("/settings", Admin, pages::records::settings).of_all_tenants().about("The settings as they were read"),
        page("/system", Viewer, pages::system::system).about("The page of the service itself"),
        page("/wall", Viewer, pages::system::wall).about("The ten worst, for a screen on the wall"),
        page("/api", Viewer, pages::api::api).of_no_tenant().about("The page of this description"),
        page("/tokens", Admin, pages::tokens::tokens).about("The page of tokens"),
        form("/tokens", Admin, tokens::submit)
            .about("Creates a token, and shows it once on the page that follows")
            .takes_form::<TokenOrder>()
            .gives_file(&["text/html"], "The page of tokens, with the new one"),
        form("/tokens/{id}/revoke", Admin, tokens::submit_revocation).about("Revokes a token, from its page"),
        form("/sessions/{id}/end", Viewer, pages::system::end_session).of_no_tenant().about("Signs a browser out"),
        page("/tickets/{tenant}/{id}", Viewer, pages::ticket).about("The page of one ticket"),
        page("/tickets/{tenant}/{id}/timeline", Viewer, pages::timeline::timeline)
            .about("The picture of a ticket's clocks, for its page"),
        form("/tickets/{tenant}/{id}/reason", Responder, reports::submit_reason)
            .about("Says why a clock was missed, from the page of entries")
            .takes_form::<ReasonForm>(),
        form("/on-call", Responder, on_call::submit)
            .about("Adds a stand-in, from the page of the rotations")
            .takes_form::<OverrideRequest>(),
        form("/on-call/{id}/remove", Responder, on_call::submit_removal)
            .about("Removes a stand-in, from the page of the rotations"),
        form("/alerts/no-texts/{id}/clear", Admin, api::submit_text_again)
            .numbered()
            .about("Texts a number again, from the page of alerts"),
        open(Method::GET, "/login", Audience::Page, login::show).about("The login page").query::<Arrival>(),
        open(Method::POST, "/login", Audience::Page, login::enter)
            .about("Signs a browser in")
            .takes_form::<Login>()
            .refuses(&[401]),
        open(Method::GET, "/login/oidc", Audience::Page, sign_in::begin)
            .about("Leads to the identity provider, to sign in there")
            .query::<Arrival>()
            .says(303, "To the identity provider"),
        open(Method::GET, "/login/oidc/callback", Audience::Page, sign_in::end)
            .about("Where the identity provider leads back to")
            .query::<Return>()
            .gives_file(&["text/html"], "The person is signed in; the page leads on")
            .refuses(&[403, 502]),
        form("/logout", Viewer, sessions::leave)
            .about("Signs this browser out")
            .gives_file(&["text/html"], "The page leads on to where the browser signs out of the identity provider"),
        open(Method::GET, "/assets/{name}", Audience::Api, pages::asset)
            .unlimited()
            .about("Scripts, styles and images of the pages")
            .gives_file(&["text/css", "text/javascript", "image/svg+xml"], "The file"),
        proven(Method::GET, "/a/{token}", Audience::Page, link::show)
            .about("The page behind the link in an alert; it changes nothing")
            .refuses(&[410]),
        proven(Method::POST, "/a/{token}", Audience::Page, link::follow)
            .about("The button of that page: acknowledges the alert in the recipient's name, once")
            .gives_file(&["text/html"], "How the alert stands now")
            .refuses(&[410]),
    ]
}

/// Tickets and what is known about them.
fn tickets() -> Vec<Route> {
    vec![
        get("/api/v1/tickets", Viewer, api::tickets)
            .about("Open tickets with their SLA status, worst first")
            .query::<TicketQuery>()
            .gives::<TicketPage>("A page of them"),
        get("/api/v1/tickets/{id}/sla", Viewer, api::ticket)
            .about("One ticket with its SLA status, by its id or number")
            .gives::<TicketSla>("The ticket")
            .refuses(&[409]),
        get("/api/v1/tickets/{id}/ledger", Viewer, api::ledger)
            .about("Why the clocks of a ticket show what they show, line by line")
            .gives::<TicketLedger>("Its clocks, explained")
            .refuses(&[409]),
        post("/api/v1/tickets/{id}/override", Admin, overrides::decide)
            .about("Decide about a clock by hand, with a reason")
            .takes::<OverrideOrder>()
            .gives::<TicketSla>("The ticket as it stands now")
            .refuses(&[409]),
        delete("/api/v1/tickets/{id}/override", Admin, overrides::undecide)
            .about("Remove a manual override of a clock")
            .query::<overrides::Which>()
            .gives::<TicketSla>("The ticket as it stands now")
            .refuses(&[409]),
        post("/api/v1/tickets/{id}/reason", Responder, reports::say_reason)
            .about("Set the reason why a clock of a ticket was missed, instead of the one from its history")
            .takes::<ReasonOrder>()
            .gives::<ReasonView>("The reason as it counts now")
            .refuses(&[409]),
        get("/api/v1/overview", Viewer, api::overview)
            .about("How the desk stands, and whether the data is fresh")
            .gives::<Overview>("Counts, and how fresh they are"),
        get("/api/v1/views", Viewer, views::list)
            .about("Saved views of the list of tickets: the caller's own, and the shared ones")
            .query::<Within>()
            .gives::<views::Views>("By name; 100 of one's own and 1,000 shared at most"),
        post("/api/v1/views", Viewer, views::save)
            .about("Save a view, private or shared; sharing needs the role of responder")
            .takes::<ViewOrder>()
            .makes::<ViewView>("The view")
            .refuses(&[409]),
        delete("/api/v1/views/{id}", Viewer, views::forget)
            .about("Forget a view of one's own, or a shared one as a responder")
            .gives_nothing("It is forgotten"),
        get("/api/v1/today", Viewer, api::today)
            .about("Tickets opened and closed, and targets missed, in each hour of today, against the same weekday before")
            .query::<Within>()
            .gives::<Today>("The day, hour by hour"),
        get("/api/v1/policies", Viewer, api::policies)
            .about("What is promised, and where each policy comes from")
            .gives::<api::Promises>("The policies, tenant by tenant"),
        get("/api/v1/breaches", Viewer, api::breaches)
            .about("Breaches, the latest due first, with who was told and how each attempt went")
            .query::<BreachQuery>()
            .gives::<BreachPage>("The breaches"),
        get("/api/v1/messages", Viewer, api::messages)
            .about("Who was told what, newest first or as `sort` says; without addresses and numbers")
            .query::<api::MessageQuery>()
            .gives::<MessagePage>("The messages")
            .refuses(&[409]),
        get("/api/v1/discrepancies", Viewer, api::discrepancies)
            .about(
                "Where SuperOps' due times of open tickets differ from ours by more than a minute, by client and policy",
            )
            .gives::<Differences>("The differences, summed up"),
        get("/api/v1/forecast/record", Viewer, api::forecast_record)
            .about("What the forecast said, against what happened, tenant by tenant")
            .gives::<ForecastRecord>("Its record"),
    ]
}

/// Figures: which promises were kept, and by whom.
fn figures() -> Vec<Route> {
    vec![
        get("/api/v1/technicians", Viewer, reports::technicians)
            .about("What each technician did in a period, and how it went, by name or as `sort` says")
            .query::<FigureListQuery>()
            .gives::<TechnicianPage>("Technicians; nobody, unknown and automation come after those with names"),
        get("/api/v1/technicians/{id}/sla", Viewer, reports::technician)
            .about("The same of one technician")
            .query::<TechnicianQuery>()
            .gives::<TechnicianView>("The technician's figures"),
        get("/api/v1/technicians/room", Viewer, reports::room)
            .about("Who has room now: open tickets against staffed time, at the pace of the last weeks")
            .query::<RoomQuery>()
            .gives::<RoomPage>("Technicians, those with the most room first"),
        get("/api/v1/clients", Viewer, reports::clients)
            .about("How well the promises to each client were kept in a period, by name or as `sort` says")
            .query::<FigureListQuery>()
            .gives::<ClientPage>("Clients; tickets of none come after those with names"),
        get("/api/v1/reports/honesty", Viewer, reports::honesty)
            .about("What the figures of a period rest on: what is counted, left out with the reason, and not known")
            .query::<TechnicianQuery>()
            .gives::<HonestyView>("How sure the figures can be"),
        get("/api/v1/sla/compliance", Viewer, reports::compliance)
            .about("Compliance day by day")
            .query::<ComplianceQuery>()
            .gives_list::<ComplianceDay>("Each local day of the period"),
        get("/api/v1/sla/credits", Viewer, reports::credits)
            .about("Service credits of policies: what is owed to which client for each closed month of a period")
            .query::<TechnicianQuery>()
            .gives_list::<CreditView>("Month by month, client by client"),
        get("/api/v1/reports/sla", Viewer, reports::report)
            .about("A report on a period: compliance, breaches with reasons, what was left out")
            .query::<ReportQuery>()
            .gives_file(&Format::ALL.map(Format::content_type), "The report"),
        get("/api/v1/reports/schema", Viewer, reports::schema)
            .about("The JSON schema that a report keeps")
            .gives_file(&["application/schema+json"], "The schema")
            .of_all_tenants(),
        get("/api/v1/reports/archive", Viewer, reports::archive)
            .about("Reports that were sent, or asked for once their months were closed, as they went out")
            .query::<ArchiveQuery>()
            .gives::<ArchivePage>("The latest first"),
        get("/api/v1/reports/archive/{id}", Viewer, reports::archived)
            .about("One of them, to the byte")
            .gives_file(&Format::ALL.map(Format::content_type), "The file as it went out"),
        get("/api/v1/reports/entries", Viewer, reports::entries)
            .about("The decided clocks that a figure counts, or leaves out")
            .query::<EntryQuery>()
            .gives::<EntryPage>("The latest first"),
        get("/api/v1/cache", Viewer, reports::cache)
            .about("How the caches perform")
            .gives_list::<CacheFigures>("Each cache")
            .of_all_tenants(),
    ]
}

/// Services and their promises.
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
            .gives_list::<LookView>("The latest first; each look is kept for two days"),
        get("/api/v1/uptime/sla", Viewer, uptime::sla)
            .about("How uptime promises stand in their present period, or in one of the past")
            .query::<SlaQuery>()
            .gives::<SlaReport>("The promises"),
        get("/api/v1/uptime/daily", Viewer, uptime::daily)
            .about("A service day by day, against a target")
            .query::<DailyQuery>()
            .gives::<DailySeries>("The days"),
        get("/api/v1/uptime/statements", Viewer, statements::list)
            .about("Results of uptime promises, period by period, and the state of their credits")
            .query::<StatementQuery>()
            .gives_list::<StatementView>("The latest period first"),
        get("/api/v1/uptime/statements/{id}", Viewer, statements::file)
            .about("One statement as a file; the same statement gives the same bytes")
            .query::<StatementFileQuery>()
            .gives_file(&Format::ALL.map(Format::content_type), "The statement"),
        post("/api/v1/uptime/statements/{id}/credit", Admin, statements::decide)
            .about("Approve, issue or waive a credit")
            .takes::<CreditOrder>()
            .gives::<StatementView>("The statement, with what became of its credit"),
        get("/api/v1/incidents", Viewer, incidents::list)
            .about("Incidents, with the updates posted to each")
            .query::<IncidentQuery>()
            .gives_list::<IncidentView>("The latest first"),
        post("/api/v1/incidents", Responder, incidents::open)
            .at_most(INCIDENT_BODY_MAX)
            .about("Open an incident")
            .takes::<IncidentOrder>()
            .makes::<IncidentView>("The incident"),
        get("/api/v1/incidents/{id}", Viewer, incidents::one)
            .about("One incident, with all its updates")
            .gives::<IncidentView>("The incident"),
        post("/api/v1/incidents/{id}/updates", Responder, incidents::say)
            .at_most(INCIDENT_BODY_MAX)
            .about("Add an update to an incident: its state, a public text and an internal note")
            .takes::<SayingOrder>()
            .gives::<IncidentView>("The incident as it stands now"),
        get("/api/v1/uptime/maintenance", Viewer, incidents::works)
            .about("Announced work on services: recent, under way and planned")
            .gives_list::<WorkView>("The earliest first"),
        post("/api/v1/uptime/maintenance", Admin, incidents::announce)
            .at_most(INCIDENT_BODY_MAX)
            .about("Announce work: promises leave it out if it was announced in time")
            .takes::<WorkOrder>()
            .makes::<WorkView>("The work"),
        delete("/api/v1/uptime/maintenance/{id}", Admin, incidents::call_off)
            .about("Call announced work off, or end it now")
            .gives_nothing("It is called off"),
    ]
}

/// The public routes.
fn public() -> Vec<Route> {
    vec![
        open(Method::GET, "/status", Audience::Api, status::page)
            .unlimited()
            .about("The public page: how services stand, for anybody")
            .gives_file(&["text/html"], "The page"),
        open(Method::GET, "/status/", Audience::Api, status::to_page)
            .unlimited()
            .about("The way to the public page")
            .says(303, "To the page"),
        open(Method::GET, "/status/{name}", Audience::Api, status::document)
            .unlimited()
            .about("The public page in another form")
            .gives_file(
                &[
                    "application/json",
                    "text/html",
                    "application/atom+xml",
                    "application/rss+xml",
                    "text/calendar",
                    "image/svg+xml",
                ],
                "The document",
            ),
        proven(Method::GET, "/status/for/{token}", Audience::Api, status::to_private)
            .about("The way to the page of one client, by its link")
            .says(303, "To the page"),
        proven(Method::GET, "/status/for/{token}/", Audience::Api, status::private_page)
            .about("The page of one client, by its link: how their services stand")
            .gives_file(&["text/html"], "The page"),
        proven(Method::GET, "/status/for/{token}/{name}", Audience::Api, status::private_document)
            .about("The page of one client in another form")
            .gives_file(&["application/json", "text/html", "text/calendar"], "The document"),
        open(Method::GET, "/status/updates", Audience::Page, subscriptions::offer_subscribe)
            .unlimited()
            .about("Where people ask to be told by mail what happens to services")
            .gives_file(&["text/html"], "A form"),
        proven(Method::GET, "/status/for/{token}/updates", Audience::Page, subscriptions::offer_private)
            .about("The same, for the services of one client")
            .gives_file(&["text/html"], "A form"),
        open(Method::POST, "/status/updates", Audience::Page, subscriptions::subscribe)
            .about("Subscribe to news of services by mail; a link in a mail confirms it")
            .takes_form::<SubscribeForm>()
            .gives_file(&["text/html"], "What to do next"),
        proven(Method::POST, "/status/for/{token}/updates", Audience::Page, subscriptions::subscribe_private)
            .about("The same, for the services of one client")
            .takes_form::<SubscribeForm>()
            .gives_file(&["text/html"], "What to do next"),
        proven(Method::GET, "/status/updates/confirm/{token}", Audience::Page, subscriptions::offer_confirm)
            .about("The link of a mail that asks to confirm a subscription; opening it changes nothing")
            .gives_file(&["text/html"], "A button"),
        proven(Method::POST, "/status/updates/confirm/{token}", Audience::Page, subscriptions::confirm)
            .about("Confirm that one wants to be told by mail")
            .gives_file(&["text/html"], "That it is so"),
        proven(Method::GET, "/status/updates/stop/{token}", Audience::Page, subscriptions::offer_stop)
            .about("The unsubscribe link of a mail; opening it changes nothing")
            .gives_file(&["text/html"], "A button"),
        proven(Method::POST, "/status/updates/stop/{token}", Audience::Page, subscriptions::stop)
            .about("Unsubscribe; mail programs do it in one click (RFC 8058)")
            .gives_file(&["text/html"], "That it is so"),
        open(Method::GET, "/api/v2/{name}", Audience::Api, status::api)
            .unlimited()
            .about("The public page in the form of Statuspage")
            .gives_file(&["application/json"], "The document"),
        open(Method::GET, "/api/v2/incidents/{name}", Audience::Api, status::incidents)
            .unlimited()
            .about("The open incidents in the form of Statuspage")
            .gives_file(&["application/json"], "The document"),
    ]
}

/// Alerts, and acting on them.
fn acting() -> Vec<Route> {
    vec![
        get("/api/v1/alerts", Viewer, alerts::list)
            .about("Alerts, worst first, with who was told and how each attempt went")
            .query::<AlertQuery>()
            .gives::<AlertPage>("A page of them")
            .refuses(&[409]),
        get("/api/v1/alerts/weekly", Viewer, alerts::weekly)
            .about("Alerts for each technician and week, and what became of them")
            .query::<WeeklyQuery>()
            .gives::<Weekly>("The weeks, the latest first"),
        get("/api/v1/alerts/{id}", Viewer, alerts::one).about("One alert").gives::<AlertView>("The alert"),
        post("/api/v1/alerts/{id}/ack", Responder, alerts::acknowledge)
            .about("Acknowledge an alert: its escalation pauses until the acknowledgement runs out or the stage rises")
            .may_take::<By>()
            .gives::<AlertView>("The alert as it stands now"),
        post("/api/v1/alerts/{id}/resolve", Responder, alerts::resolve)
            .about("Resolve an alert: it is not raised again for the same due time and stage")
            .may_take::<By>()
            .gives::<AlertView>("The alert as it stands now"),
        post("/api/v1/alerts/{id}/snooze", Responder, alerts::snooze)
            .about("Snooze an alert until a given time")
            .takes::<SnoozeOrder>()
            .gives::<AlertView>("The alert as it stands now"),
        post("/api/v1/alerts/{id}/escalate", Responder, alerts::escalate)
            .about("Run the next step of an alert now")
            .may_take::<By>()
            .gives::<AlertView>("The alert as it stands now"),
    ]
}

/// Who is told, and when nobody is. Responders stand in for each other: people on call swap shifts among themselves
/// every day, and each swap is in the audit log.
fn on_call_and_quiet() -> Vec<Route> {
    vec![
        get("/api/v1/silences", Viewer, alerts::silences)
            .about("The silences of now and later")
            .gives::<alerts::Silences>("The first to end first"),
        post("/api/v1/silences", Responder, alerts::silence)
            .about("Send no messages about some alerts for a while; they are still recorded and shown")
            .takes::<SuppressionOrder>()
            .makes::<SuppressionView>("The silence"),
        delete("/api/v1/silences/{id}", Responder, alerts::end_silence)
            .numbered()
            .about("End a silence now")
            .gives_nothing("It is over"),
        get("/api/v1/maintenance-windows", Viewer, alerts::maintenance_windows)
            .about("The maintenance windows of now and later")
            .gives::<alerts::MaintenanceWindows>("The first to end first"),
        post("/api/v1/maintenance-windows", Admin, alerts::maintain)
            .about("Send no messages about some alerts for a while; they are still recorded and shown")
            .takes::<SuppressionOrder>()
            .makes::<SuppressionView>("The maintenance window"),
        delete("/api/v1/maintenance-windows/{id}", Admin, alerts::end_maintenance)
            .numbered()
            .about("End a maintenance window now")
            .gives_nothing("It is over"),
        get("/api/v1/on-call", Viewer, on_call::list)
            .about("Who is on call now and in the coming two weeks, and when nobody is")
            .gives::<OnCall>("The rotations that the caller may see"),
        post("/api/v1/on-call", Responder, on_call::add)
            .about("Add a stand-in")
            .takes::<OverrideRequest>()
            .makes::<OverrideView>("Who stands in, and when"),
        delete("/api/v1/on-call/{id}", Responder, on_call::remove)
            .about("Remove a stand-in")
            .gives_nothing("It is taken back"),
        get("/api/v1/people", Viewer, people::list)
            .about("How people are told: what each has asked for, by the configuration file or here")
            .query::<PeopleQuery>()
            .gives::<PeoplePage>("People by address; 500 at most"),
        get("/api/v1/people/{id}", Viewer, people::one)
            .about("How one person is told")
            .gives::<PersonView>("The person"),
        post("/api/v1/people/{id}/rules", Responder, people::set)
            .about("Set one person's preferences: channels by stage and hour, a daily digest, a time zone")
            .takes::<RawPersonalRules>()
            .gives::<PersonView>("The person as it holds now")
            .refuses(&[409]),
        delete("/api/v1/people/{id}/rules", Responder, people::clear)
            .about("Remove one person's preferences")
            .gives_nothing("It is done")
            .refuses(&[409]),
        get("/api/v1/no-texts", Viewer, api::no_texts)
            .about("Who replied STOP to text messages or has a number that none reaches, and is told in other ways")
            .gives::<api::NoTexts>("These people"),
        delete("/api/v1/no-texts/{id}", Admin, api::text_again)
            .numbered()
            .about("Text a number again that the SMS provider has refused")
            .gives_nothing("Text messages to it are allowed again"),
    ]
}

/// Routes that other systems call.
fn calls() -> Vec<Route> {
    vec![
        proven(Method::POST, "/hooks/superops/{tenant}", Audience::Api, hooks::superops)
            .about("A hint that something changed: the tenant's tickets are read now. The body is ignored")
            .proven_by(&["hook", "token"])
            .says(202, "It is looked at"),
        proven(Method::POST, "/hooks/twilio/status", Audience::Api, twilio::status)
            .about("Twilio's report on a message. Believed for its signature alone")
            .proven_by(&["twilio"])
            .gives_nothing("It is written down"),
        proven(Method::POST, "/hooks/twilio/sms", Audience::Api, twilio::reply)
            .about("A reply to a text message, passed on by Twilio; a repeat is answered like the first")
            .proven_by(&["twilio"])
            .gives_file(&["text/xml"], "What is texted back"),
        proven(Method::POST, "/hooks/twilio/voice", Audience::Api, twilio::key)
            .about("A key that was pressed during a call, passed on by Twilio: 1 acknowledges, 2 escalates")
            .proven_by(&["twilio"])
            .gives_file(&["text/xml"], "What the call says next"),
        proven(Method::POST, "/hooks/pagerduty", Audience::Api, systems::pagerduty)
            .at_most(SYSTEM_BODY_MAX)
            .about("An event of PagerDuty's webhooks, version 3: somebody acknowledged an incident")
            .proven_by(&["pagerduty"])
            .says(200, "It is understood"),
        proven(Method::GET, "/hooks/heartbeat/{token}", Audience::Api, uptime::beat)
            .about("A service that is watched by its heartbeat reports that it is well")
            .gives_nothing("It is written down"),
        proven(Method::POST, "/hooks/heartbeat/{token}", Audience::Api, uptime::beat)
            .about("A service that is watched by its heartbeat reports that it is well")
            .gives_nothing("It is written down"),
        proven(Method::GET, "/hooks/heartbeat/{token}/{how}", Audience::Api, uptime::beat_how)
            .about("The same, with ok, start or fail at the end: how it went")
            .gives_nothing("It is written down"),
        proven(Method::POST, "/hooks/heartbeat/{token}/{how}", Audience::Api, uptime::beat_how)
            .about("The same, with ok, start or fail at the end: how it went")
            .gives_nothing("It is written down"),
        proven(Method::POST, "/api/v1/uptime/results", Audience::Api, uptime::result)
            .about(
                "What another monitor has seen of a service, with the token of its check: one result a second, and 100 \
                 at once; more are answered with 429",
            )
            .proven_by(&["check"])
            .takes::<PushedResult>()
            .gives_nothing("It is written down"),
        proven(Method::GET, "/api/v1/uptime/outpost/checks", Audience::Api, uptime::outpost_checks)
            .about("What an outpost is to look at")
            .proven_by(&["outpost"])
            .gives::<OutpostOrders>("Its checks"),
        proven(Method::POST, "/api/v1/uptime/outpost/results", Audience::Api, uptime::outpost_results)
            .at_most(OUTPOST_BODY_MAX)
            .about("What an outpost has seen; a repeat changes nothing")
            .proven_by(&["outpost"])
            .takes::<OutpostResults>()
            .gives::<OutpostReceipt>("They are taken in"),
        proven(Method::POST, "/hooks/slack", Audience::Api, systems::slack)
            .at_most(SYSTEM_BODY_MAX)
            .about(
                "Somebody pressed the button of a message in Slack. Believed for its signature, and for five minutes",
            )
            .proven_by(&["slack"])
            .says(200, "It is understood"),
    ]
}

/// Routes for monitoring, and the description of the API.
fn machines() -> Vec<Route> {
    vec![
        open(Method::GET, "/healthz", Audience::Api, health::alive)
            .unlimited()
            .about("Whether the process lives")
            .gives::<health::Alive>("It does"),
        open(Method::GET, "/readyz", Audience::Api, health::ready)
            .unlimited()
            .about("Whether alerts would go out now; a token of all tenants is told why not")
            .gives::<health::ReadyView>("They would"),
        get("/metrics", Viewer, health::metrics)
            .of_all_tenants()
            .about("Figures for Prometheus")
            .gives_file(&["application/openmetrics-text"], "The figures"),
        open(Method::GET, "/api/openapi.json", Audience::Api, openapi::show)
            .about("This document")
            .gives_file(&["application/json"], "OpenAPI 3.1"),
        get("/api/v1/audit", Admin, audit::list)
            .about("Who changed what, and from where; `format=csv` for a spreadsheet")
            .query::<AuditParams>()
            .gives::<AuditPage>("The latest first")
            .also_as("text/csv"),
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
        get("/api/v1/tokens", Admin, tokens::list)
            .about("Who may ask: tokens without their texts")
            .gives::<Tokens>("The newest first; 500 at most"),
        post("/api/v1/tokens", Admin, tokens::add)
            .about("Make a token")
            .takes::<TokenOrder>()
            .makes::<TokenMade>("The token with its text, which is shown this once"),
        delete("/api/v1/tokens/{id}", Admin, tokens::revoke).about("Revoke a token").gives_nothing("It is revoked"),
        get("/api/v1/status-pages", Admin, private_pages::list)
            .about("Links to the status pages of single clients, without their secret parts")
            .gives_list::<PrivatePageView>("The newest first; 1000 at most"),
        post("/api/v1/status-pages", Admin, private_pages::add)
            .about("Make a link to the status page of one client")
            .takes::<PrivatePageOrder>()
            .makes::<PrivatePageMade>("The page with its link, which is shown this once"),
        delete("/api/v1/status-pages/{id}", Admin, private_pages::revoke)
            .about("Revoke a link to a client's status page")
            .gives_nothing("It is revoked"),
        get("/api/v1/demo/messages", Viewer, api::caught)
            .of_no_tenant()
            .about("What the demo's own receivers caught, newest first; only the demo has it")
            .gives_file(&["application/json"], "The messages"),
    ]
}
