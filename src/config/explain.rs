//! Says in plain words what a configuration makes the program do: the text of `check`.
//!
//! What is shown as `(default)` is what the program does where the file says nothing,
//! whether or not the file says the same. Secrets are named, never shown.

use std::collections::BTreeMap;

use crate::keys::ring::KeyRing;
use crate::notify::counted;
use crate::sla::calendar::CalendarSpec;
use crate::sla::night::USUAL;
use crate::sla::policy::{self, Counts, Policy};
use crate::ticket::{ClockKind, GUESSED_CLOSED, GUESSED_PAUSED, StatusMeaning, TenantId};

use super::explain_alerts::{alerts, answers, channels};
use super::explain_on_call::on_call;
use super::explain_page::{Page, hours_rows, or_default};
use super::explain_reports;
pub use super::explain_reports::schedule;
use super::explain_retention::retention;
use super::explain_sign_in::sign_in;
use super::explain_uptime::uptime;
use super::explain_watch::watch;
use super::explain_write_back;
use super::read_server::{DEFAULT_LISTEN, DEFAULT_RATE, DEFAULT_STORE};
use super::read_tenant::{DEFAULT_HISTORY, DEFAULT_POLL_INTERVAL, DEFAULT_REQUESTS_PER_MINUTE, default_ticket_url};
use super::remarks::remarks;
use super::{Config, Hours, LogFormat, Server, StorePlace, Tenant, TokenSource, duration};

/// Returns [`details`], followed by remarks on what may not be intended.
pub fn explain(config: &Config, statuses: &BTreeMap<TenantId, Vec<String>>) -> String {
    let mut page = Page { text: details(config, statuses) };
    let remarks = remarks(config);
    if !remarks.is_empty() {
        page.heading("Remarks");
        remarks.iter().for_each(|remark| page.line(format!("- {remark}")));
    }
    page.text
}

/// Sums up `config` in a few lines.
pub fn summary(config: &Config) -> String {
    let mut page = Page::default();
    for tenant in config.tenants.values() {
        let every = duration::show(tenant.poll_interval);
        page.row(
            "watches",
            format!("{}, at {}, every {every}; hours: {}", tenant.id, tenant.endpoint, hours_words(tenant)),
        );
    }
    let kinds: Vec<_> = config.notify.kinds().into_iter().map(|kind| kind.words()).collect();
    let after: Vec<_> = config.alerts.steps.iter().map(|step| duration::show(step.after)).collect();
    page.row("tells by", if kinds.is_empty() { "nothing".to_owned() } else { kinds.join(", ") });
    page.row("steps", format!("{}, after {}", config.alerts.steps.len(), after.join(", ")));
    page.row("policies", config.policies.len());
    let services = &config.uptime;
    if !services.components.is_empty() {
        let (components, checks, promises) =
            (services.components.len(), counted(services.checks.len(), "check"), services.promises.len());
        page.row("services", format!("{components}, by {checks}; promises of {promises}"));
    }
    page.row("page and API", format!("http://{}", config.server.listen));
    if let Some(oidc) = &config.sign_in {
        page.row("sign-in", format!("{}, at {}", oidc.name, oidc.issuer));
    }
    page.row("store", &config.store.place);
    page.text
}

/// Explains `config`. `statuses` are the names each tenant uses, if SuperOps was asked for them.
pub fn details(config: &Config, statuses: &BTreeMap<TenantId, Vec<String>>) -> String {
    let mut page = Page::default();
    service(&mut page, config);
    for tenant in config.tenants.values() {
        about_tenant(&mut page, tenant, statuses.get(&tenant.id).map(Vec::as_slice));
    }
    config.calendars.values().for_each(|spec| calendar(&mut page, spec));
    policies(&mut page, &config.policies);
    alerts(&mut page, config);
    config.on_call.values().for_each(|rotation| on_call(&mut page, rotation));
    channels(&mut page, &config.notify);
    answers(&mut page, config);
    watch(&mut page, config);
    sign_in(&mut page, config);
    retention(&mut page, config);
    explain_reports::reports(&mut page, config);
    uptime(&mut page, config);
    page.text
}

fn service(page: &mut Page, config: &Config) {
    let Server { listen, public_url, trusted_proxies, cors_origins, requests_per_second, log_format } = &config.server;
    page.heading("Service");
    page.row("page and API", or_default(format!("http://{listen}"), *listen == DEFAULT_LISTEN));
    page.row("links to it", public_url.as_deref().unwrap_or("none in messages: server.public_url is not given"));
    if !trusted_proxies.is_empty() {
        let proxies: Vec<_> = trusted_proxies.iter().map(ToString::to_string).collect();
        page.row("behind", format!("{}: trusted to say who is asking", proxies.join(", ")));
    }
    if !cors_origins.is_empty() {
        page.row("scripts of", format!("{} may ask with a token", cors_origins.join(", ")));
    }
    let rate = format!("{requests_per_second} requests a second for each token or address");
    page.row("limit", or_default(rate, *requests_per_second == DEFAULT_RATE));
    match &config.store.place {
        StorePlace::File(path) => page.row("store", or_default(path.display(), path.as_os_str() == DEFAULT_STORE)),
        server @ StorePlace::Postgres(_) => page.row("store", server),
    }
    if let Some(words) = encryption(&config.store.keys) {
        page.row("encryption", words);
    }
    let format = if *log_format == LogFormat::Text { "text" } else { "json" };
    page.row("log", or_default(format, *log_format == LogFormat::Text));
}

/// Describes the encryption; none if nothing is encrypted and nothing ever was.
fn encryption(keys: &KeyRing) -> Option<String> {
    let all: Vec<&str> = keys.ids().collect();
    match keys.first() {
        Some(first) if all.len() == 1 => Some(format!("personal columns, with the key {first}")),
        Some(first) => Some(format!("personal columns, with the key {first}; read with {}", all[1..].join(", "))),
        None if all.is_empty() => None,
        None => Some(format!("new data is no longer encrypted; read with {}", all.join(", "))),
    }
}

fn about_tenant(page: &mut Page, tenant: &Tenant, statuses: Option<&[String]>) {
    page.heading(format!("Tenant {}", tenant.id));
    page.row("SuperOps", format!("{} at {}", tenant.subdomain, tenant.endpoint));
    page.row("token", source_words(&tenant.token));
    let (budget, poll) = (tenant.requests_per_minute, tenant.poll_interval);
    page.row("requests", or_default(format!("up to {budget} a minute"), budget == DEFAULT_REQUESTS_PER_MINUTE));
    page.row("looks", or_default(format!("every {}", duration::show(poll)), poll == DEFAULT_POLL_INTERVAL));
    let history = tenant.history;
    page.row("reads back", or_default(duration::show(history), history == DEFAULT_HISTORY));
    page.row("at night", night_words(tenant));
    page.row("working hours", hours_words(tenant));
    page.row("closed statuses", status_words(tenant, StatusMeaning::Closed, statuses));
    page.row("paused statuses", status_words(tenant, StatusMeaning::Paused, statuses));
    if !tenant.statuses.pauses_response.is_empty() {
        page.row("responses too", format!("{} (configured)", tenant.statuses.pauses_response.join(", ")));
    }
    if !tenant.statuses.open.is_empty() {
        page.row("always open", format!("{} (configured)", tenant.statuses.open.join(", ")));
    }
    unknown_statuses(page, tenant, statuses);
    if !tenant.automation_answers {
        page.row("automatic reply", "does not count as a first response");
    }
    page.row(
        "ticket links",
        or_default(&tenant.ticket_url, tenant.ticket_url == default_ticket_url(&tenant.subdomain)),
    );
    let hook = if tenant.hook_secret.is_some() { "on, with a secret" } else { "off: no secret is given" };
    page.row("hook", hook);
    page.row("writes back", explain_write_back::words(tenant.write_back));
}

fn source_words(source: &TokenSource) -> String {
    match source {
        TokenSource::Env(name) => format!("from the environment variable {name}"),
        TokenSource::File(path) => format!("from the file {}", path.display()),
    }
}

/// Says when the heavy work is done: reading all tickets, and deleting old data.
fn night_words(tenant: &Tenant) -> String {
    let time = |minute: u16| format!("at {:02}:{:02}", minute / 60, minute % 60);
    match tenant.nightly {
        Some(minute) => time(minute),
        None => or_default(format!("{}, or when it is closed for longest if it is open then", time(USUAL)), true),
    }
}

fn hours_words(tenant: &Tenant) -> String {
    let own = tenant.calendar.as_deref().map_or("always open".to_owned(), |name| format!("calendar {name}"));
    match tenant.hours {
        Hours::Msp => or_default(own, tenant.calendar.is_none()),
        Hours::Site => format!("those of the client's site; without them: {own}"),
    }
}

/// Lists the names that mean `meaning`: as SuperOps has them if it was asked, else as configured or guessed.
fn status_words(tenant: &Tenant, meaning: StatusMeaning, known: Option<&[String]>) -> String {
    let (configured, guessed) = lists(tenant, meaning);
    let origin = if configured.is_some() { "configured" } else { "guessed" };
    let means = |name: &&String| {
        let found = tenant.statuses.meaning(Some(name));
        found == meaning || (meaning == StatusMeaning::Paused && found.is_paused())
    };
    match (known, configured) {
        (Some(known), _) => {
            let names: Vec<&str> = known.iter().filter(means).map(String::as_str).collect();
            format!("{} ({origin})", if names.is_empty() { "none".to_owned() } else { names.join(", ") })
        }
        (None, Some([])) => "none (configured)".to_owned(),
        (None, Some(names)) => format!("{} (configured)", names.join(", ")),
        (None, None) => format!("guessed: those that begin with {}", guessed.join(", ")),
    }
}

fn lists(tenant: &Tenant, meaning: StatusMeaning) -> (Option<&[String]>, &'static [&'static str]) {
    match meaning {
        StatusMeaning::Closed => (tenant.statuses.closed.as_deref(), &GUESSED_CLOSED),
        StatusMeaning::Paused | StatusMeaning::PausedThroughout => (tenant.statuses.paused.as_deref(), &GUESSED_PAUSED),
        StatusMeaning::Open | StatusMeaning::ListedOpen => (None, &[]),
    }
}

/// Points out statuses that SuperOps does not have: a misspelt one would never pause or close anything.
fn unknown_statuses(page: &mut Page, tenant: &Tenant, known: Option<&[String]>) {
    let Some(known) = known else { return };
    let is_known = |name: &String| known.iter().any(|status| status.trim().to_lowercase() == *name);
    let words = &tenant.statuses;
    let listed = words.closed.iter().chain(&words.paused).flatten().chain(&words.pauses_response).chain(&words.open);
    for name in listed.filter(|name| !is_known(name)) {
        page.row("", format!("SuperOps has no status `{name}`: check its spelling"));
    }
}

fn calendar(page: &mut Page, spec: &CalendarSpec) {
    page.heading(format!("Calendar {} ({})", spec.name, spec.timezone));
    if spec.always {
        page.row("every day", "open round the clock");
    } else {
        hours_rows(page, &spec.week);
    }
    page.row("holidays", holiday_words(spec));
}

fn holiday_words(spec: &CalendarSpec) -> String {
    let mut parts = Vec::new();
    if let Some(last) = spec.holidays.last() {
        let count = spec.holidays.len();
        parts.push(format!("{count} date{}, the last on {last}", if count == 1 { "" } else { "s" }));
    }
    if !spec.yearly.is_empty() {
        let days: Vec<_> = spec.yearly.iter().map(|(month, day)| format!("{month:02}-{day:02}")).collect();
        parts.push(format!("every year on {}", days.join(", ")));
    }
    if parts.is_empty() { "none".to_owned() } else { parts.join("; ") }
}

fn policies(page: &mut Page, policies: &[Policy]) {
    page.heading("Policies (the first match holds)");
    if policies.is_empty() {
        page.line("none: only the due times that SuperOps reports are watched");
    }
    for (index, policy) in policies.iter().enumerate() {
        let shadow = policy::shadow(policies, index);
        let shadow = shadow.map(|first| format!("; NEVER REACHED: {} matches first", first + 1)).unwrap_or_default();
        let number = index + 1;
        page.line(format!("{number}. {}: {}{shadow}", policy.words(), target_words(policy)));
    }
}

fn target_words(policy: &Policy) -> String {
    let target = |clock: ClockKind| Some(format!("{} in {}", clock.words(), duration::show(policy.target(clock)?)));
    let targets: Vec<_> = ClockKind::ALL.into_iter().filter_map(target).collect();
    let counts = if policy.counts == Counts::Calendar { "round the clock" } else { "in open hours" };
    format!("{}, counted {counts}", targets.join(", "))
}
