//! Remarks on what is allowed in a configuration but may not be intended.

use chrono::TimeDelta;

use crate::alert::Stage;
use crate::alert::policy::shadow;
use crate::sla::policy::{self, Counts, Policy};
use crate::ticket::{ClockKind, TenantId};

use super::{Config, Escalation, Hours, Step, Target, Tenant, Which, duration};

/// Above this, SuperOps was seen to throttle, whatever its documentation says.
const SEEN_REQUESTS_PER_MINUTE: u32 = 100;
/// The longest interval without a remark: with older news, alerts are about tickets that were answered long ago.
const LONG_POLL: TimeDelta = TimeDelta::minutes(15);

/// Returns every remark, a sentence each.
pub fn remarks(config: &Config) -> Vec<String> {
    let mut list: Vec<String> = config.tenants.values().flat_map(about_tenant).collect();
    list.extend(same_accounts(config));
    list.extend(unused_calendars(config));
    list.extend(config.policies.iter().enumerate().flat_map(|(index, policy)| about_policy(index + 1, policy)));
    list.extend(unreached_policies(config));
    list.extend(unfollowed_escalations(config));
    list.extend(foreign_rotations(config));
    list.extend(about_channels(config));
    list.extend(about_replies(config));
    list.extend(about_calls(config));
    list.extend(about_stale_data(config));
    if !config.server.listen.ip().is_loopback() {
        list.push("the page is open to the network without TLS: put a reverse proxy with TLS before it".to_owned());
    }
    list.extend(config.notes.remarks.iter().cloned());
    list
}

/// Remarks on tenants that are the same account.
fn same_accounts(config: &Config) -> Vec<String> {
    let tenants: Vec<_> = config.tenants.values().collect();
    let account = |tenant: &Tenant| (tenant.subdomain.to_lowercase(), tenant.endpoint.clone());
    let about = |(index, tenant): (usize, &&Tenant)| {
        let first = tenants[..index].iter().find(|first| account(first) == account(tenant))?;
        let (id, same, subdomain) = (&tenant.id, &first.id, &tenant.subdomain);
        Some(format!(
            "{same} and {id} are the same SuperOps account, {subdomain}: everybody is told twice, and both take from \
             its requests; keep one of the two"
        ))
    };
    tenants.iter().enumerate().filter_map(about).collect()
}

fn unreached_policies(config: &Config) -> Vec<String> {
    let about = |(index, place): (usize, &String)| {
        let first = policy::shadow(&config.policies, index)?;
        let (number, before) = (index + 1, first + 1);
        Some(format!(
            "{place}: policy {number} is never reached: policy {before} ({}) matches first; put {number} before it, or take \
             it out",
            config.policy_places.get(first)?
        ))
    };
    config.policy_places.iter().enumerate().filter_map(about).collect()
}

fn unfollowed_escalations(config: &Config) -> Vec<String> {
    // The last one is made from `[alerts]`, and may well be for nobody.
    let named = config.escalations.len().saturating_sub(1);
    let about = |index: usize| {
        let (name, first) = (&config.escalations[index].name, shadow(&config.escalations, index)?);
        let before = &first.name;
        Some(format!(
            "the escalation {name} is never followed: {before} matches first; put {name} before it, or take it out"
        ))
    };
    (0..named).filter_map(about).collect()
}

/// Remarks on escalations that begin by telling nobody of some tenants' alerts, since the rotations that they name are
/// for others only. Those for one tenant may not name the rotation of another at all.
fn foreign_rotations(config: &Config) -> Vec<String> {
    let about = |(index, escalation): (usize, &Escalation)| {
        let first = escalation.steps.first().filter(|_| escalation.which.tenant.is_none())?;
        let only = |rotation: &str| config.on_call.get(rotation).and_then(|rotation| rotation.tenant.as_ref());
        let serves = |target: &Target, tenant: &TenantId| match target {
            Target::OnCall(rotation) => only(rotation).is_none_or(|only| only == tenant),
            _ => true,
        };
        let is_followed = |tenant: &TenantId| {
            let which = Which { tenant: Some(tenant.clone()), ..escalation.which.clone() };
            !config.escalations.iter().take(index).any(|earlier| earlier.which.covers(&which))
        };
        let forgotten = config.tenants.keys().filter(|tenant| is_followed(tenant));
        let forgotten = forgotten.filter(|tenant| !first.notify.iter().any(|target| serves(target, tenant)));
        let forgotten = forgotten.map(TenantId::as_str).collect::<Vec<_>>().join(" and ");
        let named = first.notify.iter().filter_map(|target| match target {
            Target::OnCall(rotation) => Some(format!("on-call:{rotation}, for {} only", only(rotation)?)),
            _ => None,
        });
        let named = named.collect::<Vec<_>>().join(", and ");
        (!forgotten.is_empty()).then(|| {
            format!(
                "the first step of the escalation {} tells nobody of alerts of {forgotten}: it names {named}; name \
                 somebody for {forgotten} too",
                escalation.name
            )
        })
    };
    config.escalations.iter().enumerate().filter_map(about).collect()
}

fn about_tenant(tenant: &Tenant) -> Vec<String> {
    let Tenant { id, requests_per_minute, poll_interval, .. } = tenant;
    let mut list = Vec::new();
    if tenant.calendar.is_none() {
        let whom = if tenant.hours == Hours::Msp { "" } else { " for sites without hours of their own" };
        list.push(format!("{id} has no calendar: working time is counted round the clock{whom}"));
    }
    if *requests_per_minute > SEEN_REQUESTS_PER_MINUTE {
        list.push(format!(
            "{id} may ask SuperOps {requests_per_minute} times a minute: SuperOps seems to allow \
             {SEEN_REQUESTS_PER_MINUTE}, and answers nothing for a while to whoever asks more"
        ));
    }
    if *poll_interval > LONG_POLL {
        let age = duration::show(*poll_interval);
        list.push(format!("{id} is read every {age} only: an alert may be about a ticket that was answered meanwhile"));
    }
    list
}

fn unused_calendars(config: &Config) -> impl Iterator<Item = String> {
    let used = |name: &String| config.tenants.values().any(|tenant| tenant.calendar.as_ref() == Some(name));
    let unused = config.calendars.keys().filter(move |name| !used(name));
    unused.map(|name| format!("no tenant uses the calendar {name}"))
}

fn about_policy(number: usize, policy: &Policy) -> Vec<String> {
    let mut list = Vec::new();
    if let (Some(response), Some(resolution)) = (policy.response, policy.resolution)
        && response > resolution
    {
        list.push(format!("policy {number} allows more time for the first response than for the resolution"));
    }
    let targets = ClockKind::ALL.into_iter().filter_map(|clock| policy.target(clock));
    for target in targets.filter(|target| policy.counts == Counts::Business && is_whole_days(*target)) {
        let (length, hours) = (duration::show(target), target.num_hours());
        list.push(format!("policy {number} counts open hours only: {length} means {hours} open hours"));
    }
    list
}

fn is_whole_days(length: TimeDelta) -> bool {
    length.num_seconds() % TimeDelta::days(1).num_seconds() == 0
}

/// Remarks on replies that cannot reach us: asking for them would be in vain.
fn about_replies(config: &Config) -> Option<String> {
    let asked_for = config.notify.sms.as_ref().is_some_and(|sms| sms.replies);
    (asked_for && config.server.public_url.is_none()).then(|| {
        "`replies` is on, but server.public_url is not given: Twilio cannot pass replies on, so no message asks for them"
            .to_owned()
    })
}

/// Remarks on calls that cannot be answered.
fn about_calls(config: &Config) -> Option<String> {
    let silent = config.notify.voice.is_some() && config.server.public_url.is_none();
    silent.then(|| "calls say what is wrong, but no key answers them: server.public_url is not given".to_owned())
}

/// Remarks if nobody is told of stale data: silence would look like a quiet day.
fn about_stale_data(config: &Config) -> Option<String> {
    let nobody = config.watchers().is_empty() && config.tells_people_of_stale_data().is_none();
    nobody.then(|| "nobody is told when SuperOps can no longer be read: name somebody in [watch] notify".to_owned())
}

fn about_channels(config: &Config) -> Vec<String> {
    let steps = config.escalations.iter().flat_map(|escalation| &escalation.steps);
    let named: Vec<_> = steps.flat_map(|step| &step.notify).filter_map(Target::system).collect();
    let idle = config.notify.kinds().into_iter().filter(|kind| kind.is_system() && !named.contains(kind));
    let idle = idle.map(|kind| {
        let name = kind.as_str();
        format!("{} is set up, but no step names it: write notify = [..., \"{name}\"]", kind.words())
    });
    about_people(config, !named.is_empty()).into_iter().chain(idle).collect()
}

fn about_people(config: &Config, systems_named: bool) -> Option<String> {
    let kinds = config.notify.kinds();
    let of_a_breach = Step::default_channels(Stage::Breached).iter().filter(|kind| kinds.contains(kind));
    let of_a_breach: Vec<_> = of_a_breach.map(|kind| kind.words()).collect();
    match (config.notify.email.is_some(), of_a_breach.as_slice()) {
        (false, []) if systems_named => Some(
            "neither email nor SMS is set up: no person is told of anything, only the systems that steps name"
                .to_owned(),
        ),
        (false, []) => {
            Some("NOBODY IS TOLD OF ANYTHING: neither email nor SMS is set up, and no step names a system".to_owned())
        }
        (true, [_]) => Some("SMS is not set up: a breach is told by email only".to_owned()),
        (false, ways) => Some(format!(
            "email is not set up: a step without `channels` tells nobody of a warning, and of a breach by {} only",
            ways.join(" and ")
        )),
        (true, _) => None,
    }
}
