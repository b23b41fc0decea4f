//! `[[objectives]]`: how well components should answer.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use crate::uptime::MINUTE;
use crate::uptime::objective::{Goal, LEAST_LOOKS, Measure};

use super::read_checks::known_component;
use super::reader::{Found, Section};
use super::uptime::{Check, Objective};
use super::{checks, duration};

const WINDOW: TimeDelta = TimeDelta::hours(1);
/// The longest window: the five-minute sums of looks are kept for some days more.
const LONGEST_WINDOW: TimeDelta = TimeDelta::days(7);

/// `unread`: the components of checks that cannot be read, as they are written.
pub(super) fn objectives(
    root: &Section<'_>,
    components: &[&str],
    watched: &[Check],
    unread: &[String],
) -> Vec<Objective> {
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for section in root.each("objectives").unwrap_or_default() {
        let place = section.place();
        let Some(found) = objective(section, components, watched, unread) else { continue };
        let Goal { measure, window, .. } = found.goal;
        if !seen.insert((found.component.clone(), measure.as_str(), window)) {
            let (component, measure) = (&found.component, measure.as_str());
            root.wrong(format!("the objective at {place} is about `{measure}` of `{component}` like another one"));
        }
        all.push(found);
    }
    all
}

fn objective(section: Section<'_>, components: &[&str], watched: &[Check], unread: &[String]) -> Option<Objective> {
    let component = section.needed_text("component", ": it says what is to answer well");
    let component = component.and_then(|t| t.read(|name| known_component(name, components)));
    let measure = section.needed_text("measure", ", such as \"p95\"").and_then(|t| t.read(|text| measure(text)));
    let window = section.text("window").map_or(Some(WINDOW), |t| t.read(|text| window(text)));
    let breach = section.needed_text("breach", ": over this the objective is missed");
    let warn = section.text("warn");
    let goal = measure.zip(window).and_then(|(measure, window)| {
        let limit = |found: Found<'_, &str>| found.read(|text| limit(measure, text));
        let (warn, breach) = (warn.map(limit), breach.and_then(limit)?);
        Some(Goal { measure, window: window.num_milliseconds(), warn: warn.flatten(), breach })
    });
    if let Some(Goal { warn: Some(warn), breach, .. }) = goal
        && warn >= breach
    {
        section.clash("warn", "must be under `breach`, or there would never be a warning");
    }
    if let (Some(component), Some(goal)) = (&component, &goal) {
        let may_be_watched = unread.iter().any(|name| name == component || !components.contains(&name.as_str()));
        enough_looks(&section, component, goal, watched, may_be_watched);
    }
    section.finish();
    Some(Objective { component: component?, goal: goal? })
}

/// Refuses a window that holds too few looks: no figure would ever be given. `may_be_watched`: there is a check that
/// cannot be read, of which it complains itself.
fn enough_looks(section: &Section<'_>, component: &str, goal: &Goal, watched: &[Check], may_be_watched: bool) {
    let own = watched.iter().filter(|check| check.component == component);
    let Some(often) = own.clone().map(|check| check.rules.interval).min() else {
        if !may_be_watched {
            section.wrong(format!("`{component}` has no [[checks]] of its own: there is nothing to measure"));
        }
        return;
    };
    never_missed(section, goal, own);
    if often.saturating_mul(LEAST_LOOKS) > goal.window {
        let needed = duration::show(TimeDelta::milliseconds(often.saturating_mul(LEAST_LOOKS)));
        section.wrong(format!(
            "`window` holds fewer than {LEAST_LOOKS} looks at `{component}`, which prove nothing: make it {needed} or more"
        ));
    }
}

/// Notes a limit that is never passed: a look longer than its check's `timeout` has failed, and has no latency.
fn never_missed<'a>(section: &Section<'_>, goal: &Goal, own: impl Iterator<Item = &'a Check>) {
    let longest = |check: &Check| check.probe.ask.is_active().then_some(check.probe.deadline);
    let Some(Some(longest)) = own.map(longest).reduce(|a, b| a.zip(b).map(|(a, b)| a.max(b))) else { return };
    let longest = TimeDelta::from_std(longest).unwrap_or(TimeDelta::MAX);
    if matches!(goal.measure, Measure::Latency(_))
        && goal.breach >= longest.num_milliseconds()
        && let Some(key) = section.key("breach")
    {
        let most = duration::show(longest);
        key.futile(format!(
            "is never reached: after {most}, the `timeout`, a look has failed; make it shorter than that"
        ));
    }
}

fn measure(text: &str) -> Result<Measure, String> {
    Measure::parse(text).ok_or_else(|| format!("must be \"p50\", \"p95\", \"p99\" or \"errors\", not `{text}`"))
}

fn window(text: &str) -> Result<TimeDelta, String> {
    match duration::parse(text)? {
        length if length < TimeDelta::milliseconds(MINUTE) => Err("must be 1m or more".to_owned()),
        length if length > LONGEST_WINDOW => Err(format!(
            "must be {} or less: the five-minute figures of looks are not kept for longer",
            duration::show(LONGEST_WINDOW)
        )),
        length => Ok(length),
    }
}

/// `800ms` or `2s` of a latency, `1.5` percent of errors.
fn limit(measure: Measure, text: &str) -> Result<i64, String> {
    match measure {
        Measure::Errors => checks::percent(text).map(i64::from),
        Measure::Latency(_) => {
            let millis = match text.trim().strip_suffix("ms").map(|number| number.trim().parse::<i64>()) {
                Some(Ok(millis @ 0..=600_000)) => millis,
                Some(_) => return Err(format!("must be a time such as \"800ms\" or \"2s\", not `{text}`")),
                None => duration::parse(text)?.num_milliseconds(),
            };
            if millis > 0 { Ok(millis) } else { Err("must be over 0".to_owned()) }
        }
    }
}
