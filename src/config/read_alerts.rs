//! `[alerts]`: when to speak up, and to whom.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::reader::{Found, Inspection, Purpose, Section, nearest};
use super::{Alerts, ChannelKind, Step, Target, checks, default_steps, duration, read_noise, read_write_back};
use crate::alert::Stage;
use crate::alert::life::ACK_EXPIRES;
use crate::alert::prediction::{Budget, Rule};
use crate::ticket::TenantId;

pub(super) const DEFAULT_WARN_AT: [f64; 1] = [0.75];
/// One person will look into ten alerts a day; with less than two working hours left nobody can turn it round.
pub(super) const DEFAULT_BUDGET: Budget = Budget { a_day: 10, least_left: TimeDelta::hours(2) };
/// The most predictions in a day: more than this would not be a choice any more.
const MOST_A_DAY: i64 = 1_000;

const TARGETS: [&str; 8] =
    ["technician", "manager", "group", "account-manager", "slack", "teams", "pagerduty", "webhook"];

/// The channels that have a table in the file, right or wrong.
pub(super) struct Channels {
    there: Vec<ChannelKind>,
    /// Whether Slack is reached by an incoming webhook, which posts to one channel only.
    one_slack_channel: bool,
    /// The on-call rotations by name, right or wrong; each with its tenant, if it is for one only.
    rotations: BTreeMap<String, Option<TenantId>>,
    /// Whether any tenant lets steps change its tickets.
    may_change: bool,
}

impl Channels {
    /// Returns these channels alone, for rules that are not part of a file.
    pub fn only(there: &[ChannelKind]) -> Self {
        Self { there: there.to_vec(), one_slack_channel: false, rotations: BTreeMap::new(), may_change: false }
    }

    pub fn of(notify: &Section<'_>, rotations: BTreeMap<String, Option<TenantId>>, may_change: bool) -> Self {
        let there = ChannelKind::ALL.into_iter().filter(|kind| notify.has(kind.as_str())).collect();
        let by_hook = |key| notify.has_within("slack", key);
        Self {
            there,
            one_slack_channel: by_hook("webhook_url_env") || by_hook("webhook_url_file"),
            rotations,
            may_change,
        }
    }
}

pub(super) fn alerts(section: Section<'_>, channels: &Channels) -> Alerts {
    let alerts = Alerts {
        warn_at: warn_at(&section),
        warn_left: warn_left(&section),
        predict: predict(&section),
        ack_expires: ack_expires(&section).unwrap_or(ACK_EXPIRES),
        steps: steps(&section, channels, None).unwrap_or_else(|| default_steps(&channels.there)),
        noise: read_noise::rules(&section),
    };
    section.finish();
    alerts
}

/// Reads the budget, unless `predict_at` asks for a threshold instead.
fn predict(section: &Section<'_>) -> Rule {
    let at = section.number("predict_at").and_then(|number| number.read(checks::share));
    let a_day = section.integer("predict_per_day").and_then(|number| number.read(|number| a_day(*number)));
    let least_left = section.text("predict_least_left").and_then(|text| text.read(|text| duration::parse(text)));
    if section.has("predict_at") {
        for key in ["predict_per_day", "predict_least_left"].into_iter().filter(|key| section.has(key)) {
            section.clash(key, "cannot be combined with `predict_at`, which tells every breach that is likely enough");
        }
    }
    let budget = Budget {
        a_day: a_day.unwrap_or(DEFAULT_BUDGET.a_day),
        least_left: least_left.unwrap_or(DEFAULT_BUDGET.least_left),
    };
    at.map_or(Rule::Budget(budget), Rule::Threshold)
}

fn a_day(number: i64) -> Result<usize, String> {
    usize::try_from(number)
        .ok()
        .filter(|_| number <= MOST_A_DAY)
        .ok_or_else(|| format!("must be 0 (predict nothing) to {MOST_A_DAY}"))
}

fn warn_at(section: &Section<'_>) -> Vec<f64> {
    let Some(found) = section.numbers("warn_at") else { return DEFAULT_WARN_AT.to_vec() };
    let mut shares: Vec<f64> = found.into_iter().filter_map(|number| number.read(checks::share)).collect();
    shares.sort_by(f64::total_cmp);
    shares.dedup();
    shares
}

fn warn_left(section: &Section<'_>) -> Vec<TimeDelta> {
    let found = section.texts("warn_left").unwrap_or_default();
    let mut left: Vec<_> = found.into_iter().filter_map(|text| text.read(|text| time_left(text))).collect();
    left.sort_by(|a, b| b.cmp(a));
    left.dedup();
    left
}

fn time_left(text: &str) -> Result<TimeDelta, String> {
    match duration::parse(text)? {
        none if none.is_zero() => Err("must be over 0s: with nothing left it is a breach, not a warning".to_owned()),
        some => Ok(some),
    }
}

/// Reads how long an acknowledged breach may rest.
pub(super) fn ack_expires(section: &Section<'_>) -> Option<TimeDelta> {
    section.text("ack_expires")?.read(|text| match duration::parse(text)? {
        none if none.is_zero() => Err("must be over 0s: an acknowledgement would have no effect".to_owned()),
        some => Ok(some),
    })
}

/// Reads the steps for alerts of `tenant`, or of all tenants.
pub(super) fn steps(section: &Section<'_>, channels: &Channels, tenant: Option<&TenantId>) -> Option<Vec<Step>> {
    let sections = section.each("steps")?;
    if section.count("steps") == 0 {
        section.clash("steps", "must not be empty: nobody would hear of a breach");
    }
    let mut steps: Vec<Step> = Vec::new();
    for section in sections {
        let step = step(section, &steps, channels, tenant);
        steps.push(step);
    }
    Some(steps)
}

fn step(section: Section<'_>, above: &[Step], channels: &Channels, tenant: Option<&TenantId>) -> Step {
    let earliest = above.last().map(|step| step.after);
    let after = section.text("after").and_then(|t| t.read(|text| not_before(text, earliest)));
    let step = Step {
        after: after.or(earliest).unwrap_or_default(),
        notify: targets(&section, channels, tenant),
        channels: channel_list(&section, channels),
        change: read_write_back::change(&section, channels.may_change),
    };
    told_twice(&section, &step, above);
    section.finish();
    step
}

/// Remarks on a step that tells the same people at the same moment as another.
fn told_twice(section: &Section<'_>, step: &Step, above: &[Step]) {
    let same = |other: &&Step| {
        other.after == step.after
            && other.channels == step.channels
            && step.notify.iter().any(|target| other.notify.contains(target))
    };
    if let (Some(_), Some(key)) = (above.iter().find(same), section.key("notify")) {
        key.remark(format!(
            "names somebody whom a step above tells at the same moment ({} after): one of the two is enough",
            duration::show(step.after)
        ));
    }
    if let Some(key) = section.key("channels").filter(|_| step.channels.is_empty()) {
        key.remark("names no channel, and so means the usual ones: name some, or leave it out");
    }
}

fn not_before(text: &str, earliest: Option<TimeDelta>) -> Result<TimeDelta, String> {
    let after = duration::parse(text)?;
    match earliest {
        Some(earliest) if after < earliest => Err(format!(
            "must not be before the step above it ({}): an escalation goes one way",
            duration::show(earliest)
        )),
        _ => Ok(after),
    }
}

fn targets(section: &Section<'_>, channels: &Channels, tenant: Option<&TenantId>) -> Vec<Target> {
    let found = section.texts("notify");
    if !section.has("notify") {
        section.wrong("a step needs `notify`: who is to be told");
    } else if section.count("notify") == 0 {
        section.clash("notify", "must name somebody: a step that tells nobody would hide a breach");
    }
    let target = |text: Found<'_, &str>| {
        let target = reachable(&text, channels, text.inspection())?;
        check_rotation(&text, &target, channels, tenant);
        Some(target)
    };
    found.into_iter().flatten().filter_map(target).collect()
}

/// Refuses the rotation of another tenant than the one that the steps are for: it is not asked about its alerts.
fn check_rotation(found: &Found<'_, &str>, target: &Target, channels: &Channels, tenant: Option<&TenantId>) {
    if let (Target::OnCall(name), Some(ours)) = (target, tenant)
        && let Some(Some(theirs)) = channels.rotations.get(name)
        && theirs != ours
    {
        found.wrong(format!(
            "names the rotation `{name}`, which is for `{theirs}` only: it tells nobody of alerts of `{ours}`. Name a \
             rotation for `{ours}`, or take `tenant` out of [on_call.{name}]"
        ));
    }
}

pub(super) fn reachable(found: &Found<'_, &str>, channels: &Channels, inspection: &Inspection<'_>) -> Option<Target> {
    let target = found.clone().read(|text| target(text))?;
    if let Target::OnCall(name) = &target
        && !channels.rotations.contains_key(name)
    {
        let hint = nearest(name, channels.rotations.keys().map(String::as_str));
        found.wrong(format!("names the rotation `{name}`, but there is no [on_call.{name}]{hint}"));
        return None;
    }
    if matches!(target, Target::Slack(Some(_))) && channels.one_slack_channel {
        found.wrong("names a Slack channel, but an incoming webhook writes to its own only: use a bot token");
    }
    if let Some(kind) = target.channel() {
        check_channel(found, kind, channels, inspection);
    }
    Some(target)
}

fn target(text: &str) -> Result<Target, String> {
    match text.split_once(':') {
        Some(("email", address)) => checks::email_address(address).map(Target::Email),
        Some(("sms", number)) => checks::phone_number(number.trim()).map(Target::Sms),
        Some(("call", number)) => checks::phone_number(number.trim()).map(Target::Call),
        Some(("ntfy", topic)) => checks::ntfy_topic(topic.trim()).map(Target::Ntfy),
        Some(("on-call", name)) => checks::not_blank(name).map(Target::OnCall),
        Some(("slack", channel)) => checks::slack_channel(channel.trim()).map(|name| Target::Slack(Some(name))),
        Some(_) => Err(unknown_target("")),
        None => role(text),
    }
}

fn role(text: &str) -> Result<Target, String> {
    match text {
        "technician" => Ok(Target::Technician),
        "manager" => Ok(Target::Manager),
        "group" => Ok(Target::Group),
        "account-manager" => Ok(Target::AccountManager),
        "slack" => Ok(Target::Slack(None)),
        "teams" => Ok(Target::Teams),
        "pagerduty" => Ok(Target::PagerDuty),
        "webhook" => Ok(Target::Webhook),
        other => Err(unknown_target(&nearest(other, TARGETS.into_iter()))),
    }
}

fn unknown_target(hint: &str) -> String {
    format!(
        "must hold technician, manager, group, account-manager, on-call:NAME, email:ADDRESS, sms:+NUMBER, \
         call:+NUMBER, ntfy:TOPIC, slack, slack:#CHANNEL, teams, pagerduty or webhook{hint}"
    )
}

pub(super) fn channel_list(section: &Section<'_>, channels: &Channels) -> Vec<ChannelKind> {
    let mut kinds = Vec::new();
    for found in section.texts("channels").unwrap_or_default() {
        if let Some(kind) = found.clone().read(|text| channel(text)) {
            check_channel(&found, kind, channels, section.inspection);
            kinds.push(kind);
        }
    }
    kinds
}

fn channel(text: &str) -> Result<ChannelKind, String> {
    match ChannelKind::parse(text) {
        Some(kind) if kind.is_system() => {
            Err(format!("holds {text}, which reaches no single person: put it into `notify` instead"))
        }
        Some(kind) => Ok(kind),
        None => Err(format!(
            "must hold \"email\", \"ntfy\", \"sms\" or \"voice\"{}",
            nearest(text, ["email", "ntfy", "sms", "voice"].into_iter())
        )),
    }
}

/// Refuses a channel that is not set up: a step that uses it would reach nobody.
fn check_channel(found: &Found<'_, &str>, kind: ChannelKind, channels: &Channels, inspection: &Inspection<'_>) {
    if !channels.there.contains(&kind) && inspection.purpose == Purpose::Service {
        let name = kind.as_str();
        found.wrong(format!("needs {name}, but there is no [notify.{name}] to send it with"));
    }
}

pub(super) fn stage(text: &str) -> Result<Stage, String> {
    let stages = [Stage::Predicted, Stage::Warning, Stage::Breached];
    stages.into_iter().find(|stage| stage.as_str() == text).ok_or_else(|| {
        let hint = nearest(text, stages.iter().map(|stage| stage.as_str()));
        format!("must be \"predicted\", \"warning\" or \"breached\"{hint}")
    })
}
