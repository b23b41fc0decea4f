//! The part of [`super::explain`] that is about the sender's own settings for reports.

use super::explain_page::Page;
use super::{Config, Goals, ReportSchedule, Reports};
use crate::formats::Format;
use crate::report::People;
use crate::report::credit::CreditTerms;
use crate::report::rate::Goal;
use crate::uptime::credit::Tier;

pub(super) fn reports(page: &mut Page, config: &Config) {
    let reports = &config.reports;
    if *reports == Reports::default() {
        return;
    }
    page.heading("Reports");
    if let Some(logo) = &reports.logo {
        page.row("logo", format!("from the file {}", logo.display()));
    }
    match reports.people {
        People::Named => {}
        People::Pseudonyms => page.row("technicians", "by pseudonyms, never beside a ticket".to_owned()),
        People::Off => page.row("technicians", "nothing is reported about individual technicians".to_owned()),
    }
    goals(page, &reports.goals);
    for (_, words, terms) in &reports.credits {
        page.row("credits", format!("by the policy for {words}: {}", credits(terms)));
    }
    for font in &reports.fonts {
        page.row("font", format!("from the file {}, before the system's", font.display()));
    }
    for schedule in &reports.schedules {
        page.row(&schedule.name, self::schedule(schedule));
    }
}

fn goals(page: &mut Page, goals: &Goals) {
    let percent = |goal: Goal| format!("{} % of the clocks are to be kept", goal.as_percent());
    if let Some(goal) = goals.all {
        page.row("goal", percent(goal));
    }
    for (tenant, goal) in &goals.tenants {
        page.row("goal", format!("of {tenant}: {}", percent(*goal)));
    }
    for (_, words, goal) in &goals.policies {
        page.row("goal", format!("by the policy for {words}: {}", percent(*goal)));
    }
}

/// `0 % of the fee from 95 % on, 10 % from 0 % on, of months with 20 clocks or more`
fn credits(terms: &CreditTerms) -> String {
    let tier = |tier: &Tier| format!("{} % from {} % on", tier.percent, f64::from(tier.floor) / 1000.0);
    let tiers: Vec<_> = terms.tiers.iter().map(tier).collect();
    format!("of the fee {}, in months with {} clocks or more", tiers.join(", "), terms.min)
}

/// `each month of acme, 7 days after its end at 07:00, as pdf to 2 addresses`.
pub fn schedule(one: &ReportSchedule) -> String {
    let days = match one.rhythm.days_after {
        0 => "the day after its end".to_owned(),
        more => format!("{} days after its end", more + 1),
    };
    let of = one.client.as_ref().map(|client| format!(", of {client} alone")).unwrap_or_default();
    let formats: Vec<_> = one.formats.iter().map(|format| Format::name(*format)).collect();
    let to = if one.to.len() == 1 { "1 address".to_owned() } else { format!("{} addresses", one.to.len()) };
    let (every, hour, minute) = (one.rhythm.every.as_str(), one.rhythm.at / 60, one.rhythm.at % 60);
    let formats = formats.join(", ");
    format!("each {every} of {}{of}, {days} at {hour:02}:{minute:02}, as {formats} to {to}", one.tenant)
}
