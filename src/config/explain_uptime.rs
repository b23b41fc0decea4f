//! The part of [`super::explain`] that is about services: what is looked at, how often, what is promised, and how much
//! storage it takes.

use chrono::TimeDelta;

use super::explain_page::Page;
use super::uptime::{Check, Component, Promise, Uptime};
use super::{Config, duration};
use crate::uptime::availability::{UnknownTime, allowed, percent};
use crate::uptime::combine::Needs;
use crate::uptime::days::Period;
use crate::uptime::objective::Goal;
use crate::uptime::places::View;
use crate::uptime::{DAY, Millis};

/// The size of one look in the store, in bytes, and how long it is kept.
const LOOK: i64 = 24;
const LOOKS_KEPT: Millis = 2 * DAY;
/// The bytes that the sums of one check's looks and its spans take in the end, measured with 500 checks at a minute.
const SUMS: i64 = 370_000;

/// Explains what is watched, component by component, and then the page.
pub(super) fn uptime(page: &mut Page, config: &Config) {
    let uptime = &config.uptime;
    if uptime.components.is_empty() {
        return;
    }
    uptime.components.iter().for_each(|component| about(page, uptime, component));
    page.heading("Services together");
    page.row("kept", cost(uptime));
    page.row("line", line_words(uptime));
    for outpost in &uptime.outposts {
        let looks = uptime.checks_of_outpost(&outpost.id).count();
        page.row(format!("outpost {}", outpost.id), format!("{}; looks at {looks} of the checks", outpost.name));
    }
    let shown = uptime.status_page.as_ref().map(|status| {
        let public = uptime.components.iter().filter(|one| one.public).count();
        let incidents = if status.publishes_incidents { "at once" } else { "once a person has published them" };
        let mails = if status.subscriptions { "; people can subscribe by mail" } else { "" };
        format!("/status, {public} of {} services; incidents {incidents}{mails}", uptime.components.len())
    });
    page.row("public page", shown.unwrap_or_else(|| "none: there is no [status_page]".to_owned()));
}

fn about(page: &mut Page, uptime: &Uptime, component: &Component) {
    page.heading(format!("Service {}, {}", component.id, component.name));
    page.row("tenant", &component.tenant);
    let whose = component.client.as_deref().unwrap_or("no client");
    let priority = component.priority.as_deref().unwrap_or("no priority");
    page.row("alerts", format!("of {whose}, {priority}: by the first escalation that matches"));
    if !component.of.is_empty() {
        page.row("made of", format!("{}; {}", component.of.join(", "), needs_words(component.needs)));
    }
    if !component.depends_on.is_empty() {
        page.row("depends on", format!("{}: reported together with that", component.depends_on.join(", ")));
    }
    let checks = uptime.checks.iter().filter(|check| check.component == component.id);
    checks.for_each(|check| page.row(&check.id, check_words(check)));
    uptime.objectives_of(&component.id).for_each(|(_, objective)| page.row("objective", goal_words(&objective.goal)));
    uptime.promises_of(&component.id).for_each(|promise| about_promise(page, promise));
    if uptime.promise(&component.id).is_none() {
        page.row("promise", "none: it is only watched and shown");
    }
}

fn needs_words(needs: Needs) -> String {
    match needs {
        Needs::All => "down when one of them is".to_owned(),
        Needs::AtLeast(number) => format!("up while {number} of them are, degraded unless all are"),
    }
}

/// `https, each 1m, at most 10s; down after 3 bad looks (5s and 15s apart), up after 2 good ones`.
fn check_words(check: &Check) -> String {
    let length = |millis: Millis| duration::show(TimeDelta::milliseconds(millis));
    let (kind, rules) = (check.probe.ask.kind(), &check.rules);
    let every = length(rules.interval);
    if !check.probe.ask.is_active() {
        let silence = if check.probe.ask.silence().is_some() { "down" } else { "not known" };
        return format!("{kind}, expected each {every}; down when it says so, {silence} when nothing comes");
    }
    let deadline = duration::show(TimeDelta::from_std(check.probe.deadline).unwrap_or_default());
    let (failures, successes) = (rules.failures, rules.successes);
    let from = check.view.as_ref().map(view_words).unwrap_or_default();
    format!(
        "{kind}{from}, each {every}, at most {deadline}; down after {failures} bad looks, 5s and then 15s apart, up \
         after {successes} good ones"
    )
}

/// ` from berlin, with 2 of the places agreeing`.
fn view_words(view: &View) -> String {
    let place = view.place.as_deref().unwrap_or("here");
    format!(" from {place}, with {} of the places agreeing", view.quorum)
}

/// `p95 of the last 1h: a warning over 800 ms, a breach over 2.0 s`.
fn goal_words(goal: &Goal) -> String {
    let window = duration::show(TimeDelta::milliseconds(goal.window));
    let show = |value| goal.measure.show(value);
    let warn = goal.warn.map(|warn| format!("a warning over {}, ", show(warn))).unwrap_or_default();
    format!("{} of the last {window}: {warn}a breach over {}", goal.measure.as_str(), show(goal.breach))
}

fn about_promise(page: &mut Page, promise: &Promise) {
    let terms = &promise.terms;
    let (each, days) = match terms.period {
        Period::Month => ("month", 30),
        Period::Quarter => ("quarter", 91),
        Period::Year => ("year", 365),
    };
    let hours = if terms.hours.is_some() { "in its hours" } else { "round the clock" };
    page.row("promise", format!("{} % of each {each} in {}, {hours}", percent(terms.target), terms.zone));
    let spare = allowed(terms, days * DAY);
    let whole = if terms.hours.is_some() { ", were it round the clock" } else { "" };
    page.row("may be lost", format!("{} of {days} days{whole}", duration::show(seconds(spare))));
    let unknown = match terms.unknown {
        UnknownTime::Exclude => "is left out",
        UnknownTime::Up => "counts as up",
        UnknownTime::Down => "counts as down",
    };
    page.row("unknown time", format!("{unknown}; if less than 95 % was measured, nothing is owed"));
    let work = terms.maintenance.map(|most| {
        let notice = duration::show(seconds(terms.notice));
        format!("left out if announced {notice} before, at most {} a month", duration::show(seconds(most)))
    });
    page.row("maintenance", work.unwrap_or_else(|| "counts like any other time".to_owned()));
    let tiers = promise.tiers.iter().map(|tier| format!("{} % from {} %", tier.percent, percent(tier.floor)));
    page.row("credit", tiers.collect::<Vec<_>>().join(", "));
}

/// In whole seconds: nobody reads milliseconds.
fn seconds(millis: Millis) -> TimeDelta {
    TimeDelta::seconds(millis / 1000)
}

/// Says how much all checks take in the store once they have run for 400 days.
fn cost(uptime: &Uptime) -> String {
    let of = |check: &Check| LOOKS_KEPT / check.rules.interval.max(1) * LOOK + SUMS;
    let bytes: i64 = uptime.checks.iter().map(of).sum();
    let looks: i64 = uptime.checks.iter().map(|check| DAY / check.rules.interval.max(1)).sum();
    let tenths = (bytes + 99_999) / 100_000;
    format!("{looks} looks a day; about {}.{} MB in the store after 400 days", tenths / 10, tenths % 10)
}

fn line_words(uptime: &Uptime) -> String {
    let named: Vec<_> = uptime.canaries.iter().map(|(host, port)| format!("{host}:{port}")).collect();
    let whom = if named.is_empty() { "SuperOps".to_owned() } else { named.join(", ") };
    format!("nothing is called down unless {whom} answers; otherwise its state is unknown")
}
