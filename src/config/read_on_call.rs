//! `[on_call.*]`: who takes calls, by turns.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDateTime;

use crate::alert::on_call::{Layer, Person, Rotation};
use crate::sla::calendar::{Calendar, CalendarSpec};
use crate::sla::zone::Tz;
use crate::ticket::TenantId;

use super::read_calendar::{week, zone};
use super::read_tenant::Names;
use super::reader::{Found, Section, nearest};
use super::{checks, duration};

/// The longest turn: longer ones are typos, since nobody is on call for half a year.
const LONGEST_TURN_HOURS: i64 = 26 * 7 * 24;

pub(super) fn rotations(
    sections: Vec<(Found<'_, &str>, Section<'_>)>,
    names: &Names<'_>,
) -> BTreeMap<String, Rotation> {
    let read = sections.into_iter().filter_map(|(name, section)| rotation(&name, section, names));
    read.map(|rotation| (rotation.name.clone(), rotation)).collect()
}

fn rotation(name: &Found<'_, &str>, section: Section<'_>, names: &Names<'_>) -> Option<Rotation> {
    let timezone = section
        .needed_text("timezone", ": a handover at 09:00 means somebody's nine o'clock")
        .and_then(|t| t.read(|text| zone(text)));
    let tenant = section.text("tenant").and_then(|t| t.read(|text| known_tenant(text, names)));
    let sections = section.each("layers").unwrap_or_default();
    if section.count("layers") == 0 {
        section.wrong(format!("[[on_call.{}.layers]] is needed: without one nobody is ever on call", name.value));
    }
    let layers: Vec<_> = sections.into_iter().map(|section| layer(name.value, section, timezone)).collect();
    section.finish();
    let layers: Option<Vec<_>> = layers.into_iter().collect();
    Some(Rotation { name: name.value.to_owned(), tenant, timezone: timezone?, layers: layers? })
}

fn known_tenant(text: &str, names: &Names<'_>) -> Result<TenantId, String> {
    if !names.tenants.contains(&text) {
        let hint = nearest(text, names.tenants.iter().copied());
        return Err(format!("names the tenant `{text}`, but there is no [tenants.{text}]{hint}"));
    }
    TenantId::parse(text).map_err(|_| "must not be blank".to_owned())
}

fn layer(rotation: &str, section: Section<'_>, timezone: Option<Tz>) -> Option<Layer> {
    let people = people(&section);
    let starts = section
        .needed_text("starts", ": the local time at which the first turn begins")
        .and_then(|t| t.read(|text| local_time(text)));
    let every =
        section.needed_text("every", ": the length of a turn, such as \"1w\"").and_then(|t| t.read(|text| turn(text)));
    let (week, written) = week(&section);
    section.finish();
    let timezone = timezone?;
    let hours = if written == 0 { None } else { Some(hours(rotation, timezone, week)?) };
    Some(Layer {
        people: Some(people).filter(|people| !people.is_empty())?,
        starts: starts?,
        hours_a_turn: every?,
        hours,
    })
}

fn hours(rotation: &str, timezone: Tz, week: [Vec<(u16, u16)>; 7]) -> Option<Arc<Calendar>> {
    let name = format!("on call in {rotation}");
    let spec = CalendarSpec { name, timezone, always: false, week, ..CalendarSpec::round_the_clock() };
    Calendar::compile(spec).ok().map(Arc::new)
}

fn people(section: &Section<'_>) -> Vec<Person> {
    let found = section.texts("people");
    if !section.has("people") {
        section.wrong("a layer needs `people`: who takes turns");
    } else if section.count("people") == 0 {
        section.clash("people", "must name somebody, or nobody is ever on call");
    }
    found.into_iter().flatten().filter_map(|text| text.read(|text| person(text))).collect()
}

/// Somebody on call: a technician by email address, name or id, or `email:ADDRESS` or `sms:+NUMBER`.
pub fn person(text: &str) -> Result<Person, String> {
    match Person::parse(text) {
        Person::Email(address) => checks::email_address(&address).map(Person::Email),
        Person::Sms(number) => checks::phone_number(&number).map(Person::Sms),
        Person::Named(name) if name.is_empty() => Err("must not hold a blank name".to_owned()),
        named => Ok(named),
    }
}

fn local_time(text: &str) -> Result<NaiveDateTime, String> {
    let rule = "must be a local time such as \"2026-11-02T09:00\", without an offset: the rotation has a timezone";
    NaiveDateTime::parse_from_str(text.trim(), "%Y-%m-%dT%H:%M").map_err(|_| rule.to_owned())
}

/// Reads the length of a turn in whole hours; `1w` is seven days.
fn turn(text: &str) -> Result<u32, String> {
    let rule = "must be whole hours, days or weeks, such as \"12h\", \"1d\" or \"1w\"";
    let weeks = text.trim().strip_suffix('w').and_then(|count| count.parse::<i64>().ok());
    let hours = match weeks {
        Some(weeks) => weeks.checked_mul(7 * 24).ok_or(rule)?,
        None => {
            let length = duration::parse(text).map_err(|_| rule)?;
            if length.num_seconds() % 3600 != 0 {
                return Err(rule.to_owned());
            }
            length.num_hours()
        }
    };
    match u32::try_from(hours) {
        Ok(fits) if (1..=LONGEST_TURN_HOURS).contains(&hours) => Ok(fits),
        _ => Err("must be from 1h to 26w".to_owned()),
    }
}
