//! `[reports]`: the sender's own settings for reports, and which reports are sent automatically.

use std::io::ErrorKind;

use super::complaint::why_unreadable;
use super::read_noise::time_of_day;
use super::read_policies::known_tenant;
use super::read_tenant::Names;
use super::reader::{Found, Section, nearest};
use super::{Goals, PolicyCredits, ReportSchedule, Reports, checks};
use crate::formats::Format;
use crate::report::make::By;
use crate::report::rate::Goal;
use crate::report::schedule::{Every, Rhythm};
use crate::report::{CLOSES_AFTER, People};
use crate::ticket::TenantId;

/// The longest wait after a period, in days: by then everybody has forgotten it.
const LONGEST_WAIT: i64 = 31;
/// When reports are sent by default, in minutes after midnight: seven in the morning.
const USUAL_TIME: u16 = 7 * 60;
const MOST_SCHEDULES: usize = 200;
const MOST_RECIPIENTS: usize = 20;

/// Reads the section. `goals` are those of tenants and policies, `credits` those of policies; `mail` says whether
/// `[notify.email]` is there.
pub(super) fn reports(
    section: Section<'_>,
    (goals, credits): (Goals, Vec<PolicyCredits>),
    names: &Names<'_>,
    mail: bool,
) -> Reports {
    let beside = |name: &str| section.inspection.beside(name);
    let logo = section.text("logo");
    logo.iter().for_each(must_be_there);
    let logo = logo.and_then(|text| text.read(|name| picture(name).map(beside)));
    let fonts = section.texts("fonts").unwrap_or_default();
    fonts.iter().for_each(must_be_there);
    let fonts = fonts.into_iter().filter_map(|text| text.read(|name| font(name).map(beside))).collect();
    let people = section.text("people").and_then(|text| text.read(|name| people(name))).unwrap_or_default();
    let goals = Goals { all: goal(&section), ..goals };
    let schedules = schedules(&section, names, mail);
    if people == People::Off && schedules.iter().any(|one| one.by == By::Technician) {
        section.wrong(
            "a schedule reports by technician, but `people` is `off`: nothing is reported about individual technicians",
        );
    }
    section.finish();
    Reports { logo, fonts, people, goals, credits, schedules }
}

/// Notes a file that is missing: no report that needs it can be made.
fn must_be_there(found: &Found<'_, &str>) {
    let inspection = found.inspection();
    match inspection.read_beside(found.value) {
        // Pictures and fonts are not text.
        Err(error) if error.kind() != ErrorKind::InvalidData => {
            let (path, why) = (inspection.beside(found.value), why_unreadable(error.kind()));
            found.futile(format!("names {}, and {why}: no report can be made that shows it", path.display()));
        }
        _ => {}
    }
}

fn schedules(section: &Section<'_>, names: &Names<'_>, mail: bool) -> Vec<ReportSchedule> {
    let sections = section.each("schedules").unwrap_or_default();
    if sections.len() > MOST_SCHEDULES {
        section.wrong(format!("has {} schedules, and may have {MOST_SCHEDULES}", sections.len()));
    }
    if !mail && !sections.is_empty() {
        section.wrong("`schedules` needs [notify.email]: reports go out by mail");
    }
    let mut found: Vec<ReportSchedule> = Vec::new();
    for one in sections {
        let name = one.text("name");
        let Some(schedule) = schedule(one, names) else { continue };
        if found.iter().any(|other| (&other.tenant, &other.name) == (&schedule.tenant, &schedule.name))
            && let Some(name) = name
        {
            name.wrong("appears twice: the name records which periods a schedule has sent");
        }
        found.push(schedule);
    }
    found
}

fn schedule(section: Section<'_>, names: &Names<'_>) -> Option<ReportSchedule> {
    let name = section.needed_text("name", ": it records which periods were sent");
    let name = name.and_then(|text| text.read(|text| checks::not_blank(text)));
    let tenant = section.text("tenant").and_then(|text| text.read(|text| known_tenant(text, &names.tenants)));
    let tenant = tenant.or_else(|| only_tenant(&section, names));
    let every = section.needed_text("every", ": week, month, quarter or year");
    let every = every.and_then(|text| text.read(|text| one_of(text, &Every::ALL, Every::as_str)));
    let days_after = section.integer("days_after").and_then(|number| number.read(days_after));
    let at = section.text("at").and_then(|text| text.read(|text| time_of_day(text))).unwrap_or(USUAL_TIME);
    let by = section.text("by").and_then(|text| text.read(|text| one_of(text, &By::ALL, By::as_str)));
    let formats = section.texts("formats").unwrap_or_default().into_iter();
    let mut formats: Vec<Format> = formats.filter_map(|text| text.read(|text| format(text))).collect();
    if formats.is_empty() {
        formats.push(Format::Pdf);
    }
    let to = recipients(&section);
    let target = section.number("target").and_then(|number| number.read(percent)).map(Goal::as_percent);
    let client = section.text("client").and_then(|text| text.read(|text| checks::not_blank(text)));
    let anonymize = section.flag("anonymize").is_some_and(|found| found.value);
    section.finish();
    let every = every?;
    let usual = if every == Every::Week { 0 } else { CLOSES_AFTER };
    let rhythm = Rhythm { every, days_after: days_after.unwrap_or(usual), at };
    let (by, name, tenant) = (by.unwrap_or_default(), name?, tenant?);
    Some(ReportSchedule { name, tenant, rhythm, client, by, formats, to, anonymize, target })
}

fn recipients(section: &Section<'_>) -> Vec<String> {
    let found = section.texts("to").unwrap_or_default();
    if !(1..=MOST_RECIPIENTS).contains(&section.count("to")) {
        section.wrong(format!("`to` is needed: 1 to {MOST_RECIPIENTS} mail addresses that get the report"));
    }
    let address = |text: Found<'_, &str>| text.read(|text| mail_address(text));
    found.into_iter().filter_map(address).collect()
}

fn mail_address(text: &str) -> Result<String, String> {
    checks::email_address(text).map_err(|_| "must hold mail addresses, such as \"it@example.com\"".to_owned())
}

fn only_tenant(section: &Section<'_>, names: &Names<'_>) -> Option<TenantId> {
    match names.tenants.as_slice() {
        [only] => TenantId::parse(only).ok(),
        // Without any tenant, that is what is complained of.
        [] => None,
        _ if section.has("tenant") => None,
        _ => {
            section.wrong("`tenant` is needed: a report is about one");
            None
        }
    }
}

fn one_of<T: Copy>(text: &str, all: &[T], name: fn(T) -> &'static str) -> Result<T, String> {
    let names = || all.iter().map(|one| name(*one));
    let found = all.iter().copied().find(|one| name(*one) == text);
    found.ok_or_else(|| format!("must be one of {}{}", names().collect::<Vec<_>>().join(", "), nearest(text, names())))
}

fn format(text: &str) -> Result<Format, String> {
    text.parse().map_err(|_| format!("must hold some of {}", Format::ALL.map(Format::name).join(", ")))
}

fn days_after(number: &i64) -> Result<u16, String> {
    match u16::try_from(*number) {
        Ok(days) if *number <= LONGEST_WAIT => Ok(days),
        _ => Err(format!("must be from 0 to {LONGEST_WAIT} days")),
    }
}

/// `goal = 97.5`: what share of the clocks should be kept.
pub(super) fn goal(section: &Section<'_>) -> Option<Goal> {
    section.number("goal")?.read(percent)
}

fn percent(number: &f64) -> Result<Goal, String> {
    Goal::percent(*number)
        .ok_or_else(|| "must be over 0 and at most 100 percent, with at most three decimals".to_owned())
}

fn people(name: &str) -> Result<People, String> {
    let names = || People::ALL.map(People::as_str).join(", ");
    People::parse(name).ok_or_else(|| format!("must be one of {}", names()))
}

fn picture(name: &str) -> Result<&str, String> {
    ends(name, &["png", "jpg", "jpeg"])
}

fn font(name: &str) -> Result<&str, String> {
    ends(name, &["ttf", "otf", "ttc"])
}

fn ends<'a>(name: &'a str, allowed: &[&str]) -> Result<&'a str, String> {
    let lower = name.to_lowercase();
    let fits =
        allowed.iter().any(|end| lower.strip_suffix(end).is_some_and(|stem| stem.len() > 1 && stem.ends_with('.')));
    if fits { Ok(name) } else { Err(format!("must name a file that ends in .{}", allowed.join(", ."))) }
}
