//! `[components.*]`, `[[checks]]`, `[[promises]]`, `[[objectives]]`, `[uptime]` and `[status_page]`: what is watched beside tickets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::TimeDelta;

use crate::probe::address::{AddressRules, Network};
use crate::sla::calendar::{Calendar, CalendarSpec};
use crate::sla::zone::Tz;
use crate::ticket::TenantId;
use crate::uptime::availability::{Terms, UnknownTime};
use crate::uptime::combine::Needs;
use crate::uptime::credit::{USUAL, WHOLE};
use crate::uptime::days::Period;

use super::read_calendar::zone;
use super::read_checks::{self, known_component};
use super::read_credits::tiers;
use super::read_objectives::objectives;
use super::read_policies::known_tenant;
use super::read_tenant::Names;
use super::reader::{Found, Section, nearest};
use super::uptime::{Check, Component, Fee, Outpost, Promise, StatusPage, Uptime};
use super::{checks, duration};

/// What the sections about uptime need to know of the others.
pub(super) struct UptimeContext<'a> {
    pub names: &'a Names<'a>,
    pub calendars: &'a BTreeMap<String, CalendarSpec>,
    /// The networks that each tenant allows us to look into.
    pub networks: BTreeMap<TenantId, Vec<Network>>,
    /// The port that we listen on.
    pub own_port: u16,
}

pub(super) fn uptime(root: &Section<'_>, around: &UptimeContext<'_>) -> Uptime {
    let sections = root.named("components");
    let names: Vec<_> = sections.iter().map(|(name, _)| name.clone()).collect();
    let ids = root.names("components");
    let components: Vec<_> =
        sections.into_iter().filter_map(|(name, one)| component(&name, one, &ids, around)).collect();
    for (id, wrong) in knots(&components) {
        if let Some(name) = names.iter().find(|name| name.value == id) {
            name.wrong(wrong);
        }
    }
    let rules = |component: &str| {
        let tenant = components.iter().find(|one| one.id == component).map(|one| &one.tenant);
        let allowed = tenant.and_then(|tenant| around.networks.get(tenant)).cloned().unwrap_or_default();
        Arc::new(AddressRules { allowed, own_port: Some(around.own_port) })
    };
    let outposts = outposts(root);
    let (checks, unread) = read_checks::checks(root, &ids, &root.names("outposts"), rules);
    let measured = measured(&components, &checks);
    names.iter().filter(|name| !measured.contains(name.value)).for_each(never_known);
    let mut first = BTreeMap::new();
    let promises = root.each("promises").unwrap_or_default().into_iter();
    let promises = promises.filter_map(|section| {
        never_counted(&section, &measured, &mut first);
        promise(section, &components, &ids, around)
    });
    let promises = promises.collect();
    let objectives = objectives(root, &ids, &checks, &unread);
    let canaries = canaries(root.table("uptime"));
    let status_page = root.has("status_page").then(|| status_page(root.table("status_page"), root));
    Uptime { components, checks, outposts, promises, objectives, status_page, canaries }
}

/// Returns the components that have a check of their own, or a member that has.
fn measured<'a>(components: &'a [Component], checks: &'a [Check]) -> BTreeSet<&'a str> {
    let mut known: BTreeSet<&str> = checks.iter().map(|check| check.component.as_str()).collect();
    loop {
        let by_members = components.iter().filter(|one| one.of.iter().any(|member| known.contains(member.as_str())));
        let more: Vec<_> = by_members.map(|one| one.id.as_str()).filter(|id| !known.contains(id)).collect();
        if more.is_empty() {
            return known;
        }
        known.extend(more);
    }
}

fn never_known(component: &Found<'_, &str>) {
    component.remark(
        "has no [[checks]], nor has any of its members: its state will never be known. Give it a check, or members by \
         `all_of`, `any_of` or `of`",
    );
}

/// Notes a promise that nothing is counted for. `first`: where the first promise of each component stands.
fn never_counted(section: &Section<'_>, measured: &BTreeSet<&str>, first: &mut BTreeMap<String, (Period, String)>) {
    let Some(component) = section.text("component") else { return };
    if !measured.contains(component.value) {
        component.futile(format!(
            "names `{}`, which has no [[checks]], nor has any of its members: the promise is never measured. Give it a \
             check",
            component.value
        ));
    }
    let period = section.text("period").and_then(|text| Period::parse(text.value)).unwrap_or(Period::Month);
    match first.get(component.value) {
        Some((same, place)) if *same == period => component.futile(format!(
            "names `{}`, which the promise at {place} already covers, for the same period: only the first is counted. \
             Keep one of them",
            component.value
        )),
        Some((_, place)) => component.remark(format!(
            "names `{}`, which the promise at {place} already covers: there are statements of both, and pages show the \
             first alone",
            component.value
        )),
        None => drop(first.insert(component.value.to_owned(), (period, section.place()))),
    }
}

fn component(
    name: &Found<'_, &str>,
    section: Section<'_>,
    ids: &[&str],
    around: &UptimeContext<'_>,
) -> Option<Component> {
    let id = name.clone().read(|id| component_id(id));
    let text = |key| section.text(key).and_then(|t| t.read(|text| checks::not_blank(text)));
    let tenant = section.text("tenant").and_then(|t| t.read(|text| known_tenant(text, &around.names.tenants)));
    let tenant = tenant.or_else(|| only_tenant(&section, around));
    let members = |key| components_named(&section, key, ids);
    let (all_of, any_of, of) = (members("all_of"), members("any_of"), members("of"));
    for (key, named) in [("all_of", &all_of), ("any_of", &any_of)] {
        if let Some(key) = section.key(key).filter(|_| named.is_empty()) {
            key.remark("names no component, which says nothing: name the members, or take it out");
        }
    }
    let most = section.count("of");
    let least = section.integer("at_least").filter(|_| section.has("of"));
    let least = least.and_then(|n| n.read(|n| at_least(*n, most)));
    if section.has("of") != section.has("at_least") {
        section.wrong("`of` and `at_least` belong together: so many of these components are needed");
    }
    if ["all_of", "any_of", "of"].iter().filter(|key| section.has(key)).count() > 1 {
        section.wrong("only one of `all_of`, `any_of` and `of` can say what a group needs");
    }
    let (needs, of) = match (all_of.is_empty(), any_of.is_empty()) {
        (false, _) => (Needs::All, all_of),
        (_, false) => (Needs::AtLeast(1), any_of),
        _ => (least.map_or(Needs::All, Needs::AtLeast), of),
    };
    let component = Component {
        name: text("name").unwrap_or_else(|| name.value.to_owned()),
        description: text("description"),
        tenant: tenant?,
        client: text("client"),
        priority: text("priority"),
        needs,
        of,
        depends_on: members("depends_on"),
        public: section.flag("public").is_none_or(|found| found.value),
        id: id?,
    };
    section.finish();
    Some(component)
}

/// Reads the places that look for us.
fn outposts(root: &Section<'_>) -> Vec<Outpost> {
    let mut tokens = read_checks::Tokens::default();
    let outpost = |(name, section): (Found<'_, &str>, Section<'_>)| {
        let id = name.clone().read(|id| outpost_id(id));
        let called = section.text("name").and_then(|t| t.read(|text| checks::not_blank(text)));
        let token = read_checks::token(&section, ": it is what the outpost has to show");
        if let Some(token) = &token {
            tokens.note(&section, "outpost", token, name.value);
        }
        section.finish();
        Some(Outpost { name: called.unwrap_or_else(|| name.value.to_owned()), token: token?, id: id? })
    };
    root.named("outposts").into_iter().filter_map(outpost).collect()
}

fn outpost_id(id: &str) -> Result<String, String> {
    match id {
        "here" => Err("is an outpost, and \"here\" is what `places` calls the watch itself".to_owned()),
        _ => plain_id(id, "an outpost"),
    }
}

fn component_id(id: &str) -> Result<String, String> {
    plain_id(id, "a component")
}

/// Reads an id, which becomes part of addresses and of the names of checks.
fn plain_id(id: &str, what: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    match id.len() {
        1..=64 if id.bytes().all(is_plain) => Ok(id.to_owned()),
        _ => Err(format!("is the name of {what} and must be 1 to 64 letters, digits, - and _")),
    }
}

fn only_tenant(section: &Section<'_>, around: &UptimeContext<'_>) -> Option<TenantId> {
    match around.names.tenants.as_slice() {
        [only] => TenantId::parse(only).ok(),
        [] => TenantId::parse("default").ok(),
        _ if section.has("tenant") => None,
        _ => {
            section.wrong("`tenant` is needed: there are several, and each sees only its own components");
            None
        }
    }
}

fn components_named(section: &Section<'_>, key: &'static str, ids: &[&str]) -> Vec<String> {
    let found = section.texts(key).unwrap_or_default().into_iter();
    found.filter_map(|found| found.read(|name| known_component(name, ids))).collect()
}

fn at_least(number: i64, of: usize) -> Result<usize, String> {
    match usize::try_from(number) {
        Ok(number) if (1..=of).contains(&number) => Ok(number),
        _ => Err(format!("must be from 1 to {of}, the number of components in `of`")),
    }
}

/// Finds components that depend on themselves, or on those of another tenant, and says what is wrong with that.
fn knots(components: &[Component]) -> Vec<(&str, String)> {
    let find = |id: &String| components.iter().find(|one| one.id == *id);
    let own = |one: &Component| [one.of.as_slice(), one.depends_on.as_slice()].concat();
    let mut knots = Vec::new();
    for component in components {
        let id = component.id.as_str();
        let named = own(component);
        if reaches(component.of.clone(), id, |member| find(member).map(|one| one.of.clone())) {
            knots.push((id, "is a member of itself, through others: it could never be judged".to_owned()));
        } else if reaches(named.clone(), id, |other| find(other).map(own)) {
            knots
                .push((id, "depends on itself, if only through others: nobody would be told that it fails".to_owned()));
        }
        let foreign = named.iter().filter_map(find).find(|other| other.tenant != component.tenant);
        knots.extend(foreign.map(|other| {
            let (name, theirs, ours) = (&other.id, &other.tenant, &component.tenant);
            let rule = format!(
                "is of the tenant `{ours}`, and cannot depend on `{name}` of the tenant `{theirs}`, which has other \
                 people"
            );
            (id, rule)
        }));
    }
    knots
}

/// Whether `wanted` is among `first`, or among what these lead to.
fn reaches(first: Vec<String>, wanted: &str, onward: impl Fn(&String) -> Option<Vec<String>>) -> bool {
    let (mut seen, mut next) = (Vec::new(), first);
    while let Some(id) = next.pop() {
        if !seen.contains(&id) {
            next.extend(onward(&id).unwrap_or_default());
            seen.push(id);
        }
    }
    seen.iter().any(|id| id == wanted)
}

fn promise(
    section: Section<'_>,
    components: &[Component],
    ids: &[&str],
    around: &UptimeContext<'_>,
) -> Option<Promise> {
    let component = section.needed_text("component", ": it says what is promised");
    let component = component.and_then(|t| t.read(|name| known_component(name, ids)));
    let found = component.as_ref().and_then(|id| components.iter().find(|one| one.id == *id));
    let target = section.needed_text("target", ", such as \"99.9\": it is what is promised");
    let target = target.and_then(|t| t.read(|text| checks::percent(text)));
    let zone = section.text("timezone").and_then(|t| t.read(|text| zone(text))).unwrap_or(Tz::UTC);
    let usual = Terms::usual(target.unwrap_or(WHOLE), zone);
    let length = |key| section.text(key).and_then(|t| t.read(|text| duration::parse(text)));
    let hours = section.text("calendar").and_then(|t| t.read(|name| hours(name, around))).flatten();
    let exclude = section.flag("exclude_maintenance").is_none_or(|found| found.value);
    let most = length("maintenance_a_month").map_or(usual.maintenance, |most| Some(most.num_milliseconds()));
    let terms = Terms {
        period: section.text("period").and_then(|t| t.read(|text| period(text))).unwrap_or(Period::Month),
        hours,
        notice: length("maintenance_notice").map_or(usual.notice, |notice: TimeDelta| notice.num_milliseconds()),
        maintenance: most.filter(|_| exclude),
        unknown: section.text("unknown").and_then(|t| t.read(|text| unknown(text))).unwrap_or_default(),
        partial: partial(&section, found),
        whole_minutes: section.flag("whole_minutes").is_some_and(|found| found.value),
        ..usual
    };
    let tiers = tiers(&section).unwrap_or_else(|| USUAL.to_vec());
    let fee = fee(&section);
    section.finish();
    target?;
    Some(Promise { component: component?, terms, tiers, fee })
}

/// Reads how much of a partial outage of `component` counts as lost, in thousandths. Where no outage is partial, it is
/// none: degraded is not down.
fn partial(section: &Section<'_>, component: Option<&Component>) -> u32 {
    let found = section.text("partial_outage");
    let share = found.clone().and_then(|t| t.read(|text| checks::percent(text))).map_or(0, |share| share / 100);
    if share == 0 || component.is_none_or(Component::has_partial_outages) {
        return share;
    }
    if let Some(found) = found {
        found.remark(
            "changes nothing here: only a group that can do without some of its members (`any_of`, or `of` with \
             `at_least`) has partial outages. Take it out",
        );
    }
    0
}

/// None if the calendar cannot be read, of which it complains itself.
fn hours(name: &str, around: &UptimeContext<'_>) -> Result<Option<Arc<Calendar>>, String> {
    if !around.names.calendars.contains(&name) {
        let hint = nearest(name, around.names.calendars.iter().copied());
        return Err(format!("names the calendar `{name}`, but there is no [calendars.{name}]{hint}"));
    }
    let compiled = around.calendars.get(name).and_then(|spec| Calendar::compile(spec.clone()).ok());
    Ok(compiled.map(Arc::new))
}

fn period(text: &str) -> Result<Period, String> {
    Period::parse(text).ok_or_else(|| "must be \"month\", \"quarter\" or \"year\"".to_owned())
}

fn unknown(text: &str) -> Result<UnknownTime, String> {
    match text {
        "exclude" => Ok(UnknownTime::Exclude),
        "up" => Ok(UnknownTime::Up),
        "down" => Ok(UnknownTime::Down),
        _ => Err("must be \"exclude\", \"up\" or \"down\"".to_owned()),
    }
}

/// `fee = "450.00 EUR"`
fn fee(section: &Section<'_>) -> Option<Fee> {
    section.text("fee")?.read(|text| {
        let form = || "must be an amount and a currency, such as \"450.00 EUR\"".to_owned();
        let (amount, currency) = text.trim().split_once(' ').ok_or_else(form)?;
        let (whole, cents) = amount.split_once('.').unwrap_or((amount, "00"));
        let is_currency = currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase());
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_currency || cents.len() != 2 || !digits(whole) || !digits(cents) {
            return Err(form());
        }
        let minor = format!("{whole}{cents}").parse().map_err(|_| form())?;
        Ok(Fee { minor, currency: currency.to_owned() })
    })
}

fn canaries(section: Section<'_>) -> Vec<(String, u16)> {
    let found = section.texts("canaries").unwrap_or_default();
    let canaries = found.into_iter().filter_map(|found| found.read(|text| host_and_port(text))).collect();
    section.finish();
    canaries
}

fn host_and_port(text: &str) -> Result<(String, u16), String> {
    let parts = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    match parts {
        Some((host, port)) if !host.is_empty() => Ok((host.to_owned(), port)),
        _ => Err(format!("must hold hosts with their ports, such as \"one.one.one.one:443\", not `{text}`")),
    }
}

fn status_page(section: Section<'_>, root: &Section<'_>) -> StatusPage {
    let text = |key| section.text(key).and_then(|t| t.read(|text| checks::not_blank(text)));
    let incidents = section.text("incidents").and_then(|t| t.read(|text| publishes(text)));
    let page = StatusPage {
        title: text("title").unwrap_or_else(|| "Service status".to_owned()),
        contact: text("contact"),
        publishes_incidents: incidents.unwrap_or(false),
        subscriptions: section.flag("subscriptions").is_some_and(|found| found.value),
    };
    if page.subscriptions && !root.has_within("notify", "email") {
        section.clash("subscriptions", "needs [notify.email], which sends the mails");
    }
    if page.subscriptions && !root.has_within("server", "public_url") {
        section.clash("subscriptions", "needs `public_url` in [server]: each mail has a link to it");
    }
    section.finish();
    page
}

/// Whether an incident that opens by itself is published at once.
fn publishes(text: &str) -> Result<bool, String> {
    match text {
        "auto" => Ok(true),
        "approve" => Ok(false),
        _ => Err("must be \"auto\" or \"approve\"".to_owned()),
    }
}
