//! Whom an alert goes to: the people round a ticket, step by step.
//!
//! SuperOps already knows the technician, that person's manager, the group and
//! the client's account manager. A step names some of them; this finds who
//! they are for one ticket, and how each can be reached. A ticket that nobody
//! owns, or only somebody who has left, goes to its group.

use std::collections::BTreeSet;
use std::fmt;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::Stage;
use super::on_call::Duty;
use super::subject::Subject;
use super::write_back::TicketChange;
use crate::ticket::{Directory, Named, Technician};

/// One step of the escalation.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Wall time after the alert was raised (or rose to a higher stage).
    pub after: TimeDelta,
    pub notify: Vec<Target>,
    /// Empty: email for a warning; email, push, SMS and a call for a breach.
    pub channels: Vec<ChannelKind>,
    /// What changes on the ticket, for tenants that allow it.
    pub change: TicketChange,
}

/// Who is meant by a step.
#[derive(Clone, PartialEq, Eq)]
pub enum Target {
    Technician,
    Manager,
    Group,
    AccountManager,
    /// Whoever is on call in the rotation of this name when the step fires.
    OnCall(String),
    Email(String),
    Sms(String),
    /// The phone with this number, which rings.
    Call(String),
    /// Whoever has subscribed to this topic.
    Ntfy(String),
    /// The channel of this name, or the one that the configuration gives.
    Slack(Option<String>),
    Teams,
    PagerDuty,
    Webhook,
}

impl Target {
    /// The channel that this target itself is, if it is no person.
    pub fn system(&self) -> Option<ChannelKind> {
        match self {
            Self::Slack(_) => Some(ChannelKind::Slack),
            Self::Teams => Some(ChannelKind::Teams),
            Self::PagerDuty => Some(ChannelKind::PagerDuty),
            Self::Webhook => Some(ChannelKind::Webhook),
            _ => None,
        }
    }

    /// The only channel by which it is told; none of people, who have several.
    pub fn channel(&self) -> Option<ChannelKind> {
        match self {
            Self::Email(_) => Some(ChannelKind::Email),
            Self::Sms(_) => Some(ChannelKind::Sms),
            Self::Call(_) => Some(ChannelKind::Voice),
            Self::Ntfy(_) => Some(ChannelKind::Ntfy),
            _ => self.system(),
        }
    }

    /// Who it is whatever the ticket; none if that depends on the ticket or the hour.
    pub fn by_itself(&self) -> Option<Recipient> {
        match self {
            Self::Email(address) => Some(Recipient { email: Some(address.clone()), ..Recipient::fixed(address) }),
            Self::Sms(number) => Some(Recipient { phone: Some(number.clone()), ..Recipient::fixed(number) }),
            Self::Ntfy(topic) => {
                Some(Recipient { topic: Some(topic.clone()), ..Recipient::fixed(&format!("ntfy:{topic}")) })
            }
            Self::Slack(channel) => Some(Recipient::system(ChannelKind::Slack, channel.as_deref())),
            Self::Teams => Some(Recipient::system(ChannelKind::Teams, None)),
            Self::Call(number) => {
                Some(Recipient { call: Some(number.clone()), ..Recipient::fixed(&format!("call:{number}")) })
            }
            Self::PagerDuty => Some(Recipient::system(ChannelKind::PagerDuty, None)),
            Self::Webhook => Some(Recipient::system(ChannelKind::Webhook, None)),
            Self::Technician | Self::Manager | Self::Group | Self::AccountManager | Self::OnCall(_) => None,
        }
    }

    /// Whether it depends on who owns the ticket, on its group, or on its client.
    pub fn is_of_owner(&self) -> bool {
        matches!(self, Self::Technician | Self::Manager | Self::Group | Self::AccountManager)
    }

    /// The target that stands for all of `channel`, if no person is at its end.
    pub fn of_system(channel: ChannelKind) -> Option<Self> {
        match channel {
            ChannelKind::Slack => Some(Self::Slack(None)),
            ChannelKind::Teams => Some(Self::Teams),
            ChannelKind::PagerDuty => Some(Self::PagerDuty),
            ChannelKind::Webhook => Some(Self::Webhook),
            ChannelKind::Email | ChannelKind::Ntfy | ChannelKind::Sms | ChannelKind::Voice => None,
        }
    }
}

impl fmt::Debug for Target {
    /// Without the address or number: people's own do not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Technician => "Technician",
            Self::Manager => "Manager",
            Self::Group => "Group",
            Self::AccountManager => "AccountManager",
            Self::OnCall(_) => "OnCall(..)",
            Self::Email(_) => "Email(..)",
            Self::Sms(_) => "Sms(..)",
            Self::Call(_) => "Call(..)",
            Self::Ntfy(_) => "Ntfy(..)",
            Self::Slack(_) => "Slack(..)",
            Self::Teams => "Teams",
            Self::PagerDuty => "PagerDuty",
            Self::Webhook => "Webhook",
        })
    }
}

/// A way of reaching people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    Email,
    Ntfy,
    Sms,
    Voice,
    Slack,
    Teams,
    #[serde(rename = "pagerduty")]
    PagerDuty,
    Webhook,
}

impl ChannelKind {
    /// Every way there is, the quietest first.
    pub const ALL: [Self; 8] =
        [Self::Email, Self::Ntfy, Self::Sms, Self::Voice, Self::Slack, Self::Teams, Self::PagerDuty, Self::Webhook];

    /// Whether a system listens there rather than one person: it follows an alert to its end, and no caps or quiet
    /// hours of people hold for it.
    pub fn is_system(self) -> bool {
        match self {
            Self::Email | Self::Ntfy | Self::Sms | Self::Voice => false,
            Self::Slack | Self::Teams | Self::PagerDuty | Self::Webhook => true,
        }
    }

    /// The name used in the configuration, in logs and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Ntfy => "ntfy",
            Self::Sms => "sms",
            Self::Voice => "voice",
            Self::Slack => "slack",
            Self::Teams => "teams",
            Self::PagerDuty => "pagerduty",
            Self::Webhook => "webhook",
        }
    }

    /// What people call it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Ntfy => "push",
            Self::Sms => "SMS",
            Self::Voice => "call",
            Self::Slack => "Slack",
            Self::Teams => "Teams",
            Self::PagerDuty => "PagerDuty",
            Self::Webhook => "webhook",
        }
    }

    /// Who is told there, where nobody's name is known.
    pub fn unnamed(self) -> &'static str {
        match self {
            Self::Ntfy => "a configured topic",
            Self::Voice => "a configured number",
            Self::Email | Self::Sms => "a configured address",
            system => system.words(),
        }
    }

    /// The reading of [`ChannelKind::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The steps that hold where none are configured: the people whom SuperOps knows, and from the first on each of
/// `channels` at whose end a system listens.
pub fn default_steps(channels: &[ChannelKind]) -> Vec<Step> {
    let step = |minutes, target| Step {
        after: TimeDelta::minutes(minutes),
        notify: vec![target],
        channels: Vec::new(),
        change: TicketChange::default(),
    };
    let mut steps = vec![step(0, Target::Technician), step(15, Target::Manager), step(30, Target::AccountManager)];
    steps[0].notify.extend(channels.iter().filter_map(|kind| Target::of_system(*kind)));
    steps
}

impl Step {
    /// The channels that this step asks for at `stage`. What interrupts people is
    /// kept for a breach, unless told otherwise.
    pub fn channels_at(&self, stage: Stage) -> &[ChannelKind] {
        match self.channels.as_slice() {
            [] => Self::default_channels(stage),
            chosen => chosen,
        }
    }

    /// Whether `channel` may be used at `stage`, be it in place of another: a phone rings for a breach, and for nothing
    /// else unless this step names calls.
    pub fn may_use(&self, channel: ChannelKind, stage: Stage) -> bool {
        channel != ChannelKind::Voice || stage == Stage::Breached || self.channels.contains(&channel)
    }

    /// What a step asks for that names no channels, as far as they are set up.
    pub fn default_channels(stage: Stage) -> &'static [ChannelKind] {
        match stage {
            Stage::Breached => &[ChannelKind::Email, ChannelKind::Ntfy, ChannelKind::Sms, ChannelKind::Voice],
            Stage::Predicted | Stage::Warning => &[ChannelKind::Email],
        }
    }
}

/// Somebody to tell, and why them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// A SuperOps user's id, or the address itself. Tells two people apart; never logged.
    pub id: String,
    pub name: Option<String>,
    pub email: Option<String>,
    /// The number that is texted.
    pub phone: Option<String>,
    /// The number that is called: of people the same, unless a step names one of the two.
    pub call: Option<String>,
    /// Where pushes to this person's devices go. SuperOps does not know it; the configuration does.
    pub topic: Option<String>,
    /// The channel that is itself what a step names; `id` is then its address: `slack`, `slack:#sla`, `pagerduty`.
    pub system: Option<ChannelKind>,
    /// Why this person hears of it, to be read by them: "you own this ticket".
    pub because: String,
}

impl Recipient {
    pub(super) fn person(person: &Technician, because: String) -> Self {
        Self {
            id: person.id.to_string(),
            name: Some(person.name.clone()),
            email: person.email.clone(),
            phone: person.phone.clone(),
            call: person.phone.clone(),
            topic: None,
            system: None,
            because,
        }
    }

    fn system(kind: ChannelKind, place: Option<&str>) -> Self {
        let name = kind.as_str();
        let id = place.map_or(name.to_owned(), |place| format!("{name}:{place}"));
        let because = "the escalation steps name this channel".to_owned();
        Self { system: Some(kind), because, ..Self::fixed(&id) }
    }

    /// What a step names by its address; how that is reached is yet to be said.
    fn fixed(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: None,
            email: None,
            phone: None,
            call: None,
            topic: None,
            system: None,
            because: "this address is named in the escalation steps".to_owned(),
        }
    }

    /// Who it is, whatever the tenant and the channel; none: no person.
    pub fn person_key(&self) -> Option<String> {
        let known = self.email.as_ref().map(|email| email.trim().to_lowercase()).or_else(|| self.phone.clone());
        known.filter(|_| self.system.is_none())
    }

    /// Where `channel` reaches this person.
    pub fn address(&self, channel: ChannelKind) -> Option<&str> {
        match channel {
            ChannelKind::Email => self.email.as_deref(),
            ChannelKind::Ntfy => self.topic.as_deref(),
            ChannelKind::Sms => self.phone.as_deref(),
            ChannelKind::Voice => self.call.as_deref(),
            system => self.system.filter(|own| *own == system).map(|_| self.id.as_str()),
        }
    }
}

/// Who is meant by `targets` for `subject`, each person once, in order. `duty` says who is on call.
pub fn recipients(targets: &[Target], subject: Subject<'_>, people: &Directory, duty: &Duty) -> Vec<Recipient> {
    let mut seen = BTreeSet::new();
    let found = targets.iter().flat_map(|target| of_target(target, subject, people, duty));
    found.filter(|recipient| seen.insert(recipient.id.clone())).collect()
}

/// Who answers for a desk where no ticket says whom to ask: those who manage somebody; else the account managers; else
/// everybody.
pub fn chiefs(people: &Directory) -> Vec<Recipient> {
    let managers = people.technicians.values().filter_map(|person| person.manager.as_ref());
    let managers = known(managers, people, "you manage people of this desk");
    if !managers.is_empty() {
        return managers;
    }
    let accounts = people.clients.values().filter_map(|client| client.account_manager.as_ref());
    let accounts = known(accounts, people, "you manage accounts of this desk");
    if !accounts.is_empty() {
        return accounts;
    }
    let everybody = people.technicians.values();
    everybody.map(|person| Recipient::person(person, "you work at this desk".to_owned())).collect()
}

/// Each of `named` once whom SuperOps still has.
fn known<'a>(named: impl Iterator<Item = &'a Named>, people: &Directory, because: &str) -> Vec<Recipient> {
    let ids: BTreeSet<_> = named.map(|named| &named.id).collect();
    let found = ids.into_iter().filter_map(|id| people.technicians.get(id));
    found.map(|person| Recipient::person(person, because.to_owned())).collect()
}

fn of_target(target: &Target, subject: Subject<'_>, people: &Directory, duty: &Duty) -> Vec<Recipient> {
    let person = |named: Option<&Named>, because: &str| {
        let found = named.and_then(|named| people.technicians.get(&named.id));
        found.map(|person| Recipient::person(person, because.to_owned())).into_iter().collect()
    };
    match target {
        Target::Technician => match owner(subject, people) {
            Some(owner) => vec![Recipient::person(owner, format!("you own this {}", subject.kind.words()))],
            None => members(subject, people, &unowned_words(subject)),
        },
        Target::Manager => manager(subject, people),
        Target::Group => members(subject, people, "it is in your group"),
        Target::AccountManager => {
            let client = subject.client.and_then(|client| people.clients.get(&client.id));
            person(client.and_then(|client| client.account_manager.as_ref()), "you manage this client's account")
        }
        Target::OnCall(name) => duty.get(name).and_then(|person| person.recipient(name, people)).into_iter().collect(),
        fixed => fixed.by_itself().into_iter().collect(),
    }
}

/// Who owns `subject`; none as well if SuperOps does not have that person any more.
pub fn owner<'a>(subject: Subject<'_>, people: &'a Directory) -> Option<&'a Technician> {
    subject.owner.and_then(|named| people.technicians.get(&named.id))
}

fn unowned_words(subject: Subject<'_>) -> String {
    match subject.owner {
        Some(left) => {
            format!("its owner, {}, is no longer a technician, and it is in your group", left.name)
        }
        None => "nobody owns it yet and it is in your group".to_owned(),
    }
}

fn manager(subject: Subject<'_>, people: &Directory) -> Vec<Recipient> {
    let owner = owner(subject, people);
    let manager = owner.and_then(|owner| owner.manager.as_ref()).and_then(|named| people.technicians.get(&named.id));
    let because = |owner: &Technician| format!("you manage {}, who owns this {}", owner.name, subject.kind.words());
    owner.zip(manager).map(|(owner, manager)| Recipient::person(manager, because(owner))).into_iter().collect()
}

fn members(subject: Subject<'_>, people: &Directory, because: &str) -> Vec<Recipient> {
    let Some(group) = subject.group else { return Vec::new() };
    let because = format!("{because} {}", group.name);
    people.members(&group.id).map(|person| Recipient::person(person, because.clone())).collect()
}
