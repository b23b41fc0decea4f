//! Reads the whole file: each section by its own reader, then checks what they must have together.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use toml::de::{DeTable, Error};

use super::complaint::{Complaints, line_and_column};
use super::environment::Environment;
use super::read_alerts::Channels;
use crate::report::rate::Goal;
use crate::sla::calendar::CalendarSpec;
use crate::sla::policy::Policy;
use crate::ticket::TenantId;

use super::read_tenant::Names;
use super::reader::{Inspection, Purpose, Section};
use super::{
    ChannelKind, Config, Goals, Notes, Tenant, read_alerts, read_calendar, read_credits, read_escalations, read_notify,
    read_on_call, read_people, read_policies, read_reports, read_retention, read_server, read_sign_in, read_tenant,
    read_uptime, read_watch, read_write_back,
};

/// The most forgotten brackets that are reported one by one.
const MOST_CLOSED: usize = 20;

pub(super) fn config(path: &Path, text: &str, env: &dyn Environment, purpose: Purpose) -> Result<Config, Complaints> {
    let (text, closed) = close_arrays(text);
    let inspection = Inspection::new(env, purpose).of(path, &text);
    let mut config = inspect(&text, &inspection);
    closed.into_iter().for_each(|at| inspection.fault(at, "not valid TOML: unclosed array, expected `]`".to_owned()));
    config.notes = inspection.notes();
    let faults = inspection.into_faults();
    if faults.is_empty() { Ok(config) } else { Err(Complaints::locate(path, &text, faults)) }
}

/// Closes each array that a header or a key has got into, and returns where. Otherwise the array would be read on to
/// its end, and one forgotten bracket be reported for every line below it. No place on another line moves.
fn close_arrays(text: &str) -> (Cow<'_, str>, Vec<usize>) {
    let (mut text, mut closed) = (Cow::Borrowed(text), Vec::new());
    while closed.len() < MOST_CLOSED
        && let Some(at) = end_of_unclosed_array(&text)
    {
        closed.push(at);
        text.to_mut().insert(at, ']');
    }
    (text, closed)
}

/// Returns where to close the first array that a header or a key has got into.
fn end_of_unclosed_array(text: &str) -> Option<usize> {
    let (_, errors) = DeTable::parse_recoverable(text);
    let missing = errors.iter().filter(|error| error.message().starts_with("missing comma between array elements"));
    let begins = missing.filter_map(|error| Some(text[..error.span()?.start].rfind('\n')? + 1));
    let begin = begins.min().filter(|begin| text[*begin..].lines().next().is_some_and(begins_anew))?;
    let before = &text[..begin];
    let is_said = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let last = before.lines().rev().find(is_said)?;
    let line = before.rfind(last)?;
    Some(line + last.split(" #").next().unwrap_or(last).trim_end().len())
}

/// Whether a line is a header or gives a key its value, neither of which an array can hold.
fn begins_anew(line: &str) -> bool {
    let is_name = |name: &str| {
        let name = name.trim();
        name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.chars().all(|one| one.is_ascii_alphanumeric() || "_-.".contains(one))
    };
    let line = line.trim();
    let header = line.strip_prefix('[').map(|rest| rest.trim_matches(['[', ']']));
    header.is_some_and(is_name) || line.split_once('=').is_some_and(|(key, _)| is_name(key))
}

/// Reads `text` and notes its faults, as far as it can be read.
///
/// A syntax error hides other complaints: about its own line, about keys that its table lacks, and about everything
/// under a header that cannot be read.
pub(super) fn inspect(text: &str, inspection: &Inspection<'_>) -> Config {
    let (document, errors) = DeTable::parse_recoverable(text);
    let config = everything(Section::root(inspection, document.get_ref()));
    let place = |error: &Error| error.span().map_or(0, |span| span.start);
    let broken: Vec<_> = errors.iter().filter(|error| !is_duplicate(error)).map(place).collect();
    let hidden = Hidden::behind(text, &broken);
    inspection.forget(|at, complaint| hidden.holds(at, complaint));
    for error in &errors {
        inspection.fault(place(error), syntax_rule(error));
    }
    config
}

/// What cannot be judged because of syntax errors.
struct Hidden<'t> {
    text: &'t str,
    /// The lines that cannot be read, from 0.
    lines: BTreeSet<usize>,
}

impl<'t> Hidden<'t> {
    fn behind(text: &'t str, faults: &[usize]) -> Self {
        Self { text, lines: faults.iter().map(|at| line_of(text, *at)).collect() }
    }

    fn holds(&self, at: usize, complaint: &str) -> bool {
        if self.lines.is_empty() {
            return false;
        }
        let line = line_of(self.text, at);
        let table = self.table_of(line);
        let unread_header = |line: &usize| self.is_header(*line);
        let refers = complaint.contains("there is no") || complaint.contains("is not configured");
        // Keys under an unreadable header end up in the table before it.
        let headless = |line: &usize| unread_header(line) && self.table_of(*line) == table;
        self.lines.contains(&line)
            || self.lines.iter().any(headless)
            || (is_about_absence(complaint) && (at == 0 || self.lines.iter().any(|line| self.table_of(*line) == table)))
            || (refers && self.lines.iter().any(unread_header))
    }

    fn is_header(&self, line: usize) -> bool {
        self.text.lines().nth(line).is_some_and(|text| text.trim_start().starts_with('['))
    }

    /// Returns the line of the header that `line` is under.
    fn table_of(&self, line: usize) -> usize {
        (0..=line).rev().find(|line| self.is_header(*line)).unwrap_or_default()
    }
}

fn is_about_absence(complaint: &str) -> bool {
    complaint.contains("needed") || complaint.contains(" needs ")
}

fn line_of(text: &str, at: usize) -> usize {
    line_and_column(text, at).0 - 1
}

fn is_duplicate(error: &Error) -> bool {
    error.message() == "duplicate key"
}

/// Returns the parser's message, without the excerpt of the file that its own display adds: it could be a secret.
fn syntax_rule(error: &Error) -> String {
    if is_duplicate(error) {
        return "this key or table appears twice: only one of the two could apply".to_owned();
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
    let names = Names { calendars: root.names("calendars"), tenants: root.names("tenants") };
    let calendars = calendars.into_iter().filter_map(|(name, section)| {
        Some((name.value.to_owned(), read_calendar::calendar(&name, section, &holiday_lists)?))
    });
    let calendars: BTreeMap<String, CalendarSpec> = calendars.collect();
    let policies = root.each("policies").unwrap_or_default();
    let policy_places = policies.iter().map(Section::place).collect();
    let policy_goals: Vec<_> = policies.iter().map(read_reports::goal).collect();
    let policy_credits: Vec<_> = policies.iter().map(read_credits::of_policy).collect();
    let policies: Vec<_> = policies.into_iter().map(|section| read_policies::policy(section, &names)).collect();
    let own_goals = |(policy, goal): (&Policy, Option<Goal>)| Some((policy.tenant.clone(), policy.words(), goal?));
    let policy_goals = policies.iter().zip(policy_goals).filter_map(own_goals).collect();
    let own_credits = |(policy, terms): (&Policy, Option<_>)| Some((policy.tenant.clone(), policy.words(), terms?));
    let credits = policies.iter().zip(policy_credits).filter_map(own_credits).collect();
    let tenant_goals = tenants
        .iter()
        .filter_map(|(name, section)| Some((TenantId::parse(name.value).ok()?, read_reports::goal(section)?)));
    let goals = Goals { all: None, tenants: tenant_goals.collect(), policies: policy_goals };
    let notify = root.table("notify");
    let on_call = read_on_call::rotations(root.named("on_call"), &names);
    let may_change = tenants.iter().any(|(_, tenant)| read_write_back::may_change(tenant));
    let tenant_of = |rotation: &str| on_call.get(rotation).and_then(|rotation| rotation.tenant.clone());
    let rotations = root.names("on_call").into_iter().map(|name| (name.to_owned(), tenant_of(name))).collect();
    let channels = Channels::of(&notify, rotations, may_change);
    let mut alerts = read_alerts::alerts(root.table("alerts"), &channels);
    alerts.noise.people = read_people::people(root.named("people"), &channels);
    let watch = read_watch::watch(root.table("watch"), &channels);
    let sign_in = read_sign_in::sign_in(&root, &server, &names.tenants);
    let retention = read_retention::retention(root.table("retention"));
    let reports = read_reports::reports(root.table("reports"), (goals, credits), &names, notify.has("email"));
    let escalations = root.each("escalations").unwrap_or_default();
    let escalations = read_escalations::escalations(escalations, &names, &channels, &alerts);
    check_least(&root, &notify);
    let tenants = tenants.into_iter().filter_map(|(name, section)| read_tenant::tenant(&name, section, &names));
    let tenants: BTreeMap<TenantId, Tenant> = tenants.map(|tenant| (tenant.id.clone(), tenant)).collect();
    let networks = tenants.values().map(|tenant| (tenant.id.clone(), tenant.allow_networks.clone())).collect();
    let around =
        read_uptime::UptimeContext { names: &names, calendars: &calendars, networks, own_port: server.listen.port() };
    let uptime = read_uptime::uptime(&root, &around);
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
        sign_in,
        watch,
        retention,
        reports,
        uptime,
        notes: Notes::default(),
    }
}

/// Checks that a service has a tenant to watch and a channel to tell people by.
fn check_least(root: &Section<'_>, notify: &Section<'_>) {
    if root.inspection.purpose == Purpose::Offline {
        return;
    }
    if root.count("tenants") == 0 {
        root.wrong("a [tenants.NAME] table is needed: without a SuperOps account there is nothing to watch");
    }
    let is_read = notify.is_there() || !root.has("notify");
    if is_read && !ChannelKind::ALL.into_iter().any(|kind| notify.has(kind.as_str())) {
        root.wrong("a [notify.email] or [notify.sms] table is needed: a breach that nobody hears of helps nobody");
    }
}
