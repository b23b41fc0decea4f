//! `[alerts.limits]` and `[alerts.quiet_hours]`: how many messages are sent at once, and when people are left in peace.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveTime, TimeDelta};

use super::read_calendar::{DAYS, minute_of_day, zone};
use super::reader::{Section, nearest};
use super::{ChannelKind, duration};
use crate::alert::noise::{Cap, Hours, Night, Pace, QuietHours, Rules, STORM_FROM, TOGETHER_FROM};

/// The longest time that a cap looks back: a longer one would be a silence.
const LONGEST_CAP: TimeDelta = TimeDelta::days(7);
/// Midnight at the end of a day, in minutes.
const END_OF_DAY: u16 = 24 * 60;

pub(super) fn rules(alerts: &Section<'_>) -> Rules {
    let usual = Rules::default();
    let limits = alerts.table("limits");
    let mut found: BTreeMap<ChannelKind, Vec<Cap>> = usual.caps;
    for (key, channel) in [
        ("sms_per_number", ChannelKind::Sms),
        ("calls_per_number", ChannelKind::Voice),
        ("email_per_address", ChannelKind::Email),
    ] {
        if let Some(caps) = caps(&limits, key) {
            found.insert(channel, caps);
        }
    }
    found.retain(|_, caps| !caps.is_empty());
    let (pace, night, urgent) = pace(alerts.table("pace"));
    let usual_crowd = if pace.is_some() { TOGETHER_FROM } else { STORM_FROM };
    let rules = Rules {
        pace,
        night,
        urgent,
        caps: found,
        sms_per_day: limits.integer("sms_per_day").map_or(usual.sms_per_day, |n| n.read(|n| budget(*n)).flatten()),
        bundle_from: limits.integer("bundle_from").and_then(|n| n.read(|n| crowd(*n))).unwrap_or(usual_crowd),
        quiet: quiet_hours(alerts.table("quiet_hours")),
        people: usual.people,
    };
    limits.finish();
    rules
}

/// Reads how far apart messages to one person are, the hours without texts, and the priorities that are urgent.
fn pace(section: Section<'_>) -> (Option<Pace>, Option<Night>, Vec<String>) {
    let usual = Pace::default();
    let length = |key| section.text(key).and_then(|text| text.read(|text| within_a_day(text)));
    let pace = Pace {
        gather: length("gather").unwrap_or(usual.gather),
        escalations_every: length("escalations_every").unwrap_or(usual.escalations_every),
        recoveries_wait: length("recoveries_wait").unwrap_or(usual.recoveries_wait),
        a_day: section.integer("a_day").and_then(|n| n.read(|n| share(*n))).unwrap_or(usual.a_day),
    };
    let night = section.text("night").and_then(|text| text.read(|text| night(text)));
    let urgent = section.texts("urgent").unwrap_or_default().into_iter();
    let urgent = urgent.map(|name| name.value.trim().to_owned()).filter(|name| !name.is_empty()).collect();
    let singly = section.flag("singly").is_some_and(|found| found.value);
    section.finish();
    ((!singly).then_some(pace), night.unwrap_or(Some(Night::default())), urgent)
}

fn within_a_day(text: &str) -> Result<TimeDelta, String> {
    let length = duration::parse(text)?;
    let fits = length <= TimeDelta::days(1);
    if fits { Ok(length) } else { Err("must be 24h at most: what waits longer is no longer news".to_owned()) }
}

fn share(number: i64) -> Result<u32, String> {
    u32::try_from(number).map_err(|_| "must be a number of messages, or 0 for no limit".to_owned())
}

/// `22:00-07:00`, or `none` if any hour will do.
fn night(text: &str) -> Result<Option<Night>, String> {
    if text.trim() == "none" {
        return Ok(None);
    }
    let form = || format!("must be hours such as \"22:00-07:00\", or \"none\", not `{text}`");
    let (from, until) = text.split_once('-').ok_or_else(form)?;
    let time = |text: &str| NaiveTime::parse_from_str(text.trim(), "%H:%M").map_err(|_| form());
    let night = Night { from: time(from)?, until: time(until)? };
    if night.from == night.until { Err(form()) } else { Ok(Some(night)) }
}

fn caps(limits: &Section<'_>, key: &'static str) -> Option<Vec<Cap>> {
    let found = limits.texts(key)?;
    Some(found.into_iter().filter_map(|text| text.read(|text| cap(text))).collect())
}

/// `5/15m`: five within any quarter of an hour.
fn cap(text: &str) -> Result<Cap, String> {
    let form = || format!("must hold caps such as \"5/15m\", five within 15 minutes, not `{text}`");
    let (most, within) = text.split_once('/').ok_or_else(form)?;
    let most = most.trim().parse().ok().filter(|most| *most > 0).ok_or_else(form)?;
    let within = duration::parse(within.trim())?;
    if within.is_zero() || within > LONGEST_CAP {
        return Err("must hold caps over 0s and up to 7d: a longer one would hide breaches".to_owned());
    }
    Ok(Cap { most, within })
}

fn budget(most: i64) -> Result<Option<u32>, String> {
    let most = u32::try_from(most).map_err(|_| "must be a number of messages, or 0 for no limit".to_owned())?;
    Ok((most > 0).then_some(most))
}

fn crowd(from: i64) -> Result<usize, String> {
    usize::try_from(from)
        .ok()
        .filter(|from| *from >= 2)
        .ok_or_else(|| "must be 2 or more: a single message has nothing to be bundled with".to_owned())
}

fn quiet_hours(section: Section<'_>) -> Option<QuietHours> {
    let from = needed(&section, "from", ": when the quiet begins, such as \"22:00\"", time_of_day);
    let until = needed(&section, "until", ": when the quiet ends, such as \"07:00\"", time_of_day);
    let timezone = needed(&section, "timezone", ": 22:00 means ten at night where your people are", zone);
    let days = each(&section, "days", weekday).map(BTreeSet::from_iter);
    let channels = each(&section, "channels", channel).map(BTreeSet::from_iter);
    let except = section.texts("except").unwrap_or_default();
    let breaches = section.flag("breaches").is_some_and(|found| found.value);
    let quiet = from.zip(until).zip(timezone).map(|((from, until), timezone)| QuietHours {
        hours: Hours {
            from,
            until,
            timezone,
            days: std::array::from_fn(|day| days.as_ref().is_none_or(|days| days.contains(&day))),
        },
        channels: channels
            .unwrap_or_else(|| [ChannelKind::Email, ChannelKind::Ntfy, ChannelKind::Sms, ChannelKind::Voice].into()),
        except: except.into_iter().map(|name| name.value.trim().to_lowercase()).collect(),
        breaches,
    });
    if let Some(quiet) = &quiet {
        check_an_end(&section, &quiet.hours);
        on_some_day(&section, &quiet.hours);
        if let Some(key) = section.key("channels").filter(|_| quiet.channels.is_empty()) {
            key.futile("names no channel, so that nothing is ever held back: name some, or leave it out for all");
        }
    }
    section.finish();
    quiet
}

/// Reads a value that quiet hours need; if there is no such table, nothing is missing.
fn needed<T>(
    section: &Section<'_>,
    key: &'static str,
    why: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Option<T> {
    let found = if section.is_there() { section.needed_text(key, why) } else { section.text(key) };
    found.and_then(|text| text.read(|text| parse(text)))
}

fn each<T>(section: &Section<'_>, key: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> Option<Vec<T>> {
    let found = section.texts(key)?;
    Some(found.into_iter().filter_map(|text| text.read(|text| parse(text))).collect())
}

/// Refuses quiet hours that never end: they would hide every breach.
fn check_an_end(section: &Section<'_>, quiet: &Hours) {
    if quiet.from == quiet.until {
        section.clash("until", "must not be the time at which the quiet begins; a whole day is \"00:00\" to \"24:00\"");
    } else if quiet.from == 0 && quiet.until == END_OF_DAY && quiet.days.iter().all(|day| *day) {
        section.clash("until", "makes every hour of every day quiet: nobody would ever hear of a breach");
    }
}

/// Notes hours that are on no day: they never begin.
pub(super) fn on_some_day(section: &Section<'_>, hours: &Hours) {
    if let Some(key) = section.key("days").filter(|_| !hours.days.contains(&true)) {
        key.futile("names no day, so that these hours never begin: name some, or leave it out for every day");
    }
}

pub(super) fn time_of_day(text: &str) -> Result<u16, String> {
    minute_of_day(text.trim()).ok_or_else(|| format!("must be a time of day such as \"22:00\", not `{text}`"))
}

pub(super) fn weekday(text: &str) -> Result<usize, String> {
    DAYS.iter().position(|day| *day == text).ok_or_else(|| {
        format!("must hold mon, tue, wed, thu, fri, sat or sun, not `{text}`{}", nearest(text, DAYS.into_iter()))
    })
}

fn channel(text: &str) -> Result<ChannelKind, String> {
    ChannelKind::parse(text)
        .ok_or_else(|| format!("must hold names of channels, such as \"email\" or \"sms\", not `{text}`"))
}
