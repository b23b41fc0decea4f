//! Reads the whole file: each section by its own reader, then what they must have together.

use std::path::Path;

use toml::de::{DeTable, Error};

use super::complaint::Complaints;
use super::environment::Environment;
use super::read_alerts::Channels;
use super::read_tenant::Names;
use super::reader::{Found, Inspection, Purpose, Section};
use super::{
    ChannelKind, Config, read_alerts, read_calendar, read_escalations, read_notify, read_on_call, read_policies,
    read_retention, read_server, read_tenant, read_watch, read_write_back,
};

pub(super) fn config(path: &Path, text: &str, env: &dyn Environment, purpose: Purpose) -> Result<Config, Complaints> {
    let inspection = Inspection::new(env, purpose).of(path, text);
    let config = inspect(text, &inspection);
    let faults = inspection.into_faults();
    match config {
        Some(config) if faults.is_empty() => Ok(config),
        _ => Err(Complaints::locate(path, text, faults)),
    }
}

/// Reads `text` and notes its faults; none if it is not TOML at all.
///
/// After a key that stands twice the rest is still worth reading; after any
/// other fault of syntax it is guesswork, and would be complained about twice.
pub(super) fn inspect(text: &str, inspection: &Inspection<'_>) -> Option<Config> {
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        inspection.fault(error.span().map_or(0, |span| span.start), syntax_rule(error));
    }
    let readable = errors.iter().all(is_duplicate);
    readable.then(|| everything(Section::root(inspection, document.get_ref())))
}

fn is_duplicate(error: &Error) -> bool {
    error.message() == "duplicate key"
}

/// The parser's words, without the excerpt of the file that its own display adds: it could be a secret.
fn syntax_rule(error: &Error) -> String {
    if is_duplicate(error) {
        return "this key or table stands twice: only one of the two could hold".to_owned();
    }
    format!("not valid TOML: {}", error.message())
}

fn everything(root: Section<'_>) -> Config {
    let server = read_server::server(root.table("server"));
    let store = read_server::store(root.table("store"));
    let lists = root.named("holiday_lists");
    let holiday_lists = lists.into_iter().map(|(name, list)| read_calendar::holiday_list(&name, list)).collect();
    let calendars = root.named("calendars");
    let tenants = root.named("tenants");
    let names = Names { calendars: keys(&calendars), tenants: keys(&tenants) };
    let calendars = calendars.into_iter().filter_map(|(name, section)| {
        Some((name.value.to_owned(), read_calendar::calendar(&name, section, &holiday_lists)?))
    });
    let calendars = calendars.collect();
    let policies = root.each("policies").unwrap_or_default();
    let policy_places = policies.iter().map(Section::place).collect();
    let policies = policies.into_iter().map(|section| read_policies::policy(section, &names)).collect();
    let notify = root.table("notify");
    let rotations = root.named("on_call");
    let channels =
        Channels::of(&notify, keys(&rotations), tenants.iter().any(|(_, tenant)| read_write_back::may_change(tenant)));
    let alerts = read_alerts::alerts(root.table("alerts"), &channels);
    let watch = read_watch::watch(root.table("watch"), &channels);
    let retention = read_retention::retention(root.table("retention"));
    let on_call = read_on_call::rotations(rotations, &names);
    let escalations = root.each("escalations").unwrap_or_default();
    let escalations = read_escalations::escalations(escalations, &names, &channels, &alerts);
    check_least(&root, &notify, &names);
    let tenants = tenants.into_iter().filter_map(|(name, section)| read_tenant::tenant(&name, section, &names));
    let tenants = tenants.map(|tenant| (tenant.id.clone(), tenant)).collect();
    let notify = read_notify::notify(notify);
    root.finish();
    Config {
        server,
        store,
        tenants,
        calendars,
        holiday_lists,
        policies,
        policy_places,
        alerts,
        on_call,
        escalations,
        notify,
        watch,
        retention,
    }
}

/// A service needs somebody to watch and a way to speak up.
fn check_least(root: &Section<'_>, notify: &Section<'_>, names: &Names<'_>) {
    if root.inspection.purpose == Purpose::Offline {
        return;
    }
    if names.tenants.is_empty() {
        root.wrong("a [tenants.NAME] table is needed: without a SuperOps account there is nothing to watch");
    }
    if !ChannelKind::ALL.into_iter().any(|kind| notify.has(kind.as_str())) {
        root.wrong("a [notify.email] or [notify.sms] table is needed: a breach that nobody hears of helps nobody");
    }
}

fn keys<'a>(sections: &[(Found<'a, &'a str>, Section<'a>)]) -> Vec<&'a str> {
    sections.iter().map(|(name, _)| name.value).collect()
}
