//! `[alerts.limits]` and `[alerts.quiet_hours]`: how much is said at once, and when people are left in peace.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::read_calendar::{DAYS, minute_of_day, zone};
use super::reader::{Section, nearest};
use super::{ChannelKind, duration};
use crate::alert::noise::{Cap, QuietHours, Rules};

/// Longer than this no cap looks back: it would be a silence.
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
    let rules = Rules {
        caps: found,
        sms_per_day: limits.integer("sms_per_day").map_or(usual.sms_per_day, |n| n.read(|n| budget(*n)).flatten()),
        bundle_from: limits.integer("bundle_from").and_then(|n| n.read(|n| crowd(*n))).unwrap_or(usual.bundle_from),
        quiet: quiet_hours(alerts.table("quiet_hours")),
    };
    limits.finish();
    rules
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
        .ok_or_else(|| "must be 2 or more: one message by itself is not put together with anything".to_owned())
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
        from,
        until,
        timezone,
        days: std::array::from_fn(|day| days.as_ref().is_none_or(|days| days.contains(&day))),
        channels: channels
            .unwrap_or_else(|| [ChannelKind::Email, ChannelKind::Ntfy, ChannelKind::Sms, ChannelKind::Voice].into()),
        except: except.into_iter().map(|name| name.value.trim().to_lowercase()).collect(),
        breaches,
    });
    if let Some(quiet) = &quiet {
        check_an_end(&section, quiet);
    }
    section.finish();
    quiet
}

/// A value without which there are no quiet hours; where there is no such table, none is missed.
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

/// Quiet hours that never end would hide every breach.
fn check_an_end(section: &Section<'_>, quiet: &QuietHours) {
    if quiet.from == quiet.until {
        section.clash("until", "must not be the time at which the quiet begins; a whole day is \"00:00\" to \"24:00\"");
    } else if quiet.from == 0 && quiet.until == END_OF_DAY && quiet.days.iter().all(|day| *day) {
        section.clash("until", "makes every hour of every day quiet: nobody would ever hear of a breach");
    }
}

pub(super) fn time_of_day(text: &str) -> Result<u16, String> {
    minute_of_day(text.trim()).ok_or_else(|| format!("must be a time of day such as \"22:00\", not `{text}`"))
}

fn weekday(text: &str) -> Result<usize, String> {
    DAYS.iter().position(|day| *day == text).ok_or_else(|| {
        format!("must hold mon, tue, wed, thu, fri, sat or sun, not `{text}`{}", nearest(text, DAYS.into_iter()))
    })
}

fn channel(text: &str) -> Result<ChannelKind, String> {
    ChannelKind::parse(text)
        .ok_or_else(|| format!("must hold names of channels, such as \"email\" or \"sms\", not `{text}`"))
}
