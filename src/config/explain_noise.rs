//! The part of [`super::explain`] that is about too many messages: caps, the SMS budget, storms and quiet hours.

use super::explain_page::{Page, or_default};
use super::read_calendar::DAYS;
use super::{ChannelKind, duration};
use crate::alert::noise::{Hours, Pace, Personal, PersonalRule, QuietHours, Rules};

/// Explains how many messages are sent at once, and when they wait.
pub(super) fn rules(page: &mut Page, rules: &Rules) {
    let usual = Rules::default();
    page.heading("Not too much");
    let storm = format!("{} or more that wait for one person are one message", rules.bundle_from);
    page.row("storms", or_default(storm, rules.bundle_from == usual.bundle_from));
    page.row("pace", or_default(pace(rules.pace.as_ref()), rules.pace == usual.pace));
    page.row("nights", or_default(night(rules), rules.night == usual.night && rules.urgent == usual.urgent));
    for (label, channel) in [
        ("SMS a number", ChannelKind::Sms),
        ("calls a number", ChannelKind::Voice),
        ("email an address", ChannelKind::Email),
    ] {
        let same = rules.caps_of(channel) == usual.caps_of(channel);
        page.row(label, or_default(caps(rules, channel), same));
    }
    let budget = rules.sms_per_day.map_or("no limit".to_owned(), |most| format!("{most} a tenant in any 24 h"));
    page.row("SMS in all", or_default(budget, rules.sms_per_day == usual.sms_per_day));
    page.row("quiet hours", rules.quiet.as_ref().map_or(or_default("none", true), quiet));
    for (address, asked) in &rules.people {
        page.row("personal", format!("{address}: {}", personal(asked)));
    }
}

/// What one person has asked for.
pub(super) fn personal(personal: &Personal) -> String {
    let mut wishes: Vec<_> = personal.rules.iter().map(rule).collect();
    wishes.extend((!personal.channels.is_empty()).then(|| format!("told by {}", ways(&personal.channels))));
    wishes.extend(personal.digest.map(|daily| format!("warnings and predictions once a day, at {}", time(daily.at))));
    wishes.extend(personal.zone.map(|zone| format!("times in {zone}")));
    if wishes.is_empty() { "as the steps say".to_owned() } else { wishes.join("; ") }
}

fn rule(rule: &PersonalRule) -> String {
    let stages: Vec<_> = rule.stages.iter().map(|stage| stage.as_str()).collect();
    let of = if stages.is_empty() { String::new() } else { format!(" of {}", stages.join(" and ")) };
    let at = rule.hours.as_ref().map_or(String::new(), |hours| format!(", {}", span(hours)));
    let by = if rule.channels.is_empty() { "not told".to_owned() } else { format!("told by {}", ways(&rule.channels)) };
    format!("{by}{of}{at}")
}

fn ways(channels: &[ChannelKind]) -> String {
    channels.iter().map(|channel| channel.words()).collect::<Vec<_>>().join(" and ")
}

fn pace(pace: Option<&Pace>) -> String {
    let Some(pace) = pace else { return "each message by itself and at once".to_owned() };
    let show = duration::show;
    let a_day = match pace.a_day {
        0 => String::new(),
        most => format!("; further apart the nearer {most} in 24 h"),
    };
    format!(
        "warnings gather for {}, later steps every {}, recoveries wait up to {} to be bundled{a_day}",
        show(pace.gather),
        show(pace.escalations_every),
        show(pace.recoveries_wait)
    )
}

fn night(rules: &Rules) -> String {
    let Some(night) = rules.night else { return "SMS and calls at any hour".to_owned() };
    let urgent = match rules.urgent.as_slice() {
        [] => "the two highest priorities".to_owned(),
        named => format!("priority {}", named.join(", ")),
    };
    let (from, until) = (night.from.format("%H:%M"), night.until.format("%H:%M"));
    format!("{from} to {until} no SMS or call except for breaches of {urgent}, by the clock of the tenant's calendar")
}

fn caps(rules: &Rules, channel: ChannelKind) -> String {
    let words = |cap: &crate::alert::noise::Cap| format!("{} in {}", cap.most, duration::show(cap.within));
    let caps: Vec<_> = rules.caps_of(channel).iter().map(words).collect();
    if caps.is_empty() { "no limit".to_owned() } else { format!("at most {}", caps.join(", ")) }
}

fn quiet(quiet: &QuietHours) -> String {
    let channels: Vec<_> = quiet.channels.iter().map(|channel| channel.as_str()).collect();
    let mut excepted: Vec<_> = quiet.except.iter().map(|name| format!("priority {name}")).collect();
    excepted.extend(quiet.breaches.then(|| "breaches".to_owned()));
    let except = if excepted.is_empty() { String::new() } else { format!("; but {} at once", excepted.join(", ")) };
    format!("{} by {}, then one digest{except}", span(&quiet.hours), channels.join(" and "))
}

fn span(hours: &Hours) -> String {
    let days: Vec<_> = DAYS.into_iter().zip(hours.days).filter_map(|(day, begins)| begins.then_some(day)).collect();
    let days = if days.len() == DAYS.len() { String::new() } else { format!(", from {}", days.join(", ")) };
    format!("{} to {} ({}){days}", time(hours.from), time(hours.until), hours.timezone)
}

pub(super) fn time(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}
