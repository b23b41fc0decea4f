//! `[people.*]`: by which channels, at which hours and how often one person wants to be told.

use std::sync::Arc;

use crate::sla::zone::Tz;

use super::checks;
use super::read_alerts::{Channels, channel_list, stage};
use super::read_calendar::zone;
use super::read_noise::{on_some_day, time_of_day, weekday};
use super::reader::{Found, Section};
use crate::alert::Stage;
use crate::alert::noise::{Daily, Hours, People, Personal, PersonalRule};

pub(super) fn people(sections: Vec<(Found<'_, &str>, Section<'_>)>, channels: &Channels) -> People {
    let mut people = People::new();
    for (name, section) in sections {
        let address = name.clone().read(|text| address(text));
        let personal = Arc::new(personal(section, channels));
        if let Some(address) = address
            && people.insert(address, personal).is_some()
        {
            name.wrong("appears twice, in capital and small letters: only one of the two could apply");
        }
    }
    people
}

/// Reads an address into the form of [`crate::alert::escalation::Recipient::person_key`].
fn address(text: &str) -> Result<String, String> {
    let rule = |_| format!("must be somebody's email address in SuperOps: [people.\"{text}@example.com\"]");
    checks::email_address(text).map(|address| address.to_lowercase()).map_err(rule)
}

fn personal(section: Section<'_>, channels: &Channels) -> Personal {
    let timezone = section.text("timezone").and_then(|text| text.read(|text| zone(text)));
    let digest = section.text("digest_at").and_then(|text| text.read(|text| time_of_day(text)));
    let rules = section.each("rules").unwrap_or_default();
    let by_the_clock = digest.is_some() || rules.iter().any(|rule| rule.has("from"));
    if by_the_clock && !section.has("timezone") {
        section.wrong("`timezone` is needed beside hours: 22:00 means ten at night where this person is");
    }
    let rules: Vec<_> = rules.into_iter().map(|section| rule(section, timezone, channels)).collect();
    let all_read = rules.iter().all(|(_, is_read)| *is_read);
    let personal = Personal {
        zone: timezone,
        channels: channel_list(&section, channels),
        digest: digest.zip(timezone).map(|(at, timezone)| Daily { at, timezone }),
        rules: rules.into_iter().map(|(rule, _)| rule).collect(),
    };
    if all_read {
        check_some_hour(&section, &personal);
    }
    section.finish();
    personal
}

/// Reads a rule. Also returns whether its stages and channels could be read: otherwise they have their own complaint.
fn rule(section: Section<'_>, timezone: Option<Tz>, channels: &Channels) -> (PersonalRule, bool) {
    if !section.has("channels") {
        section.wrong("a rule needs `channels`: by which this person is told then; [] for none");
    }
    let stages = section.texts("stages").unwrap_or_default();
    let rule = PersonalRule {
        stages: stages.into_iter().filter_map(|text| text.read(|text| stage(text))).collect(),
        hours: hours(&section, timezone),
        channels: channel_list(&section, channels),
    };
    let is_read = section.has("channels")
        && rule.channels.len() == section.count("channels")
        && rule.stages.len() == section.count("stages");
    if is_read {
        check_breaches(&section, &rule);
    }
    section.finish();
    (rule, is_read)
}

/// Refuses a rule that keeps breaches from a person at every hour: they would only hold up the escalation.
fn check_breaches(section: &Section<'_>, rule: &PersonalRule) {
    let at_any_hour = !section.has("from") && !section.has("until");
    if is_of_breaches(rule) && at_any_hour && rule.channels.is_empty() {
        section.clash("channels", "must not be empty for breaches at every hour: name `stages`, or hours");
    }
}

fn is_of_breaches(rule: &PersonalRule) -> bool {
    rule.stages.is_empty() || rule.stages.contains(&Stage::Breached)
}

/// Refuses rules that do the same by their hours: together they leave no hour of the week at which a breach is told.
fn check_some_hour(section: &Section<'_>, personal: &Personal) {
    // Missing or wrong hours are complained of at the rule itself.
    let mut of_breaches = personal.rules.iter().filter(|rule| is_of_breaches(rule));
    let by_hours = of_breaches.all(|rule| rule.hours.is_some() || !rule.channels.is_empty());
    if by_hours && personal.never_hears(Stage::Breached) {
        section.clash("rules", "must leave hours at which breaches are told: name other `stages`, or fewer hours");
    }
}

fn hours(section: &Section<'_>, timezone: Option<Tz>) -> Option<Hours> {
    let time = |key| section.text(key).and_then(|text| text.read(|text| time_of_day(text)));
    let (from, until) = (time("from"), time("until"));
    let days = section
        .texts("days")
        .map(|days| days.into_iter().filter_map(|text| text.read(|text| weekday(text))).collect::<Vec<_>>());
    for (key, other) in [("from", "until"), ("until", "from"), ("days", "from")] {
        if section.has(key) && !section.has(other) {
            section.clash(key, &format!("needs `{other}` beside it"));
        }
    }
    if from.is_some() && from == until {
        section.clash("until", "must not be the time at which the hours begin; a whole day is \"00:00\" to \"24:00\"");
    }
    let days = std::array::from_fn(|day| days.as_ref().is_none_or(|days| days.contains(&day)));
    let hours = Hours { from: from?, until: until?, timezone: timezone?, days };
    on_some_day(section, &hours);
    Some(hours)
}
