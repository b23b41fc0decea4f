//! Whom an alert goes to: the people around a ticket, step by step.
//!
//! SuperOps already knows the technician, that person's manager, the group and the
//! client's account manager. A step names some of them; this module finds out who
//! they are for one ticket and how each can be reached. A ticket without an owner,
//! or whose owner has left, goes to its group.

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
    /// Wall time after the alert was raised or rose to a higher stage.
    pub after: TimeDelta,
    pub notify: Vec<Target>,
    /// Empty means email for a warning; email, push, SMS and a call for a breach.
    pub channels: Vec<ChannelKind>,
    /// What it changes on the ticket, for tenants that allow it.
    pub change: TicketChange,
}

/// Somebody or something that a step notifies.
#[derive(Clone, PartialEq, Eq)]
pub enum Target {
    Technician,
    Manager,
    Group,
    AccountManager,
    /// The person who is on call in this rotation when the step runs.
    OnCall(String),
    Email(String),
    Sms(String),
    /// A call to the phone with this number.
    Call(String),
    /// Everybody who has subscribed to this topic.
    Ntfy(String),
    /// The channel with this name, or the configured one.
    Slack(Option<String>),
    Teams,
    PagerDuty,
    Webhook,
}

impl Target {
    /// Returns the channel that this target is, if it is a system rather than a person.
    pub fn system(&self) -> Option<ChannelKind> {
        match self {
            Self::Slack(_) => Some(ChannelKind::Slack),
            Self::Teams => Some(ChannelKind::Teams),
            Self::PagerDuty => Some(ChannelKind::PagerDuty),
            Self::Webhook => Some(ChannelKind::Webhook),
            _ => None,
        }
    }

    /// Returns the only channel that reaches it; none for people, who have several.
    pub fn channel(&self) -> Option<ChannelKind> {
        match self {
            Self::Email(_) => Some(ChannelKind::Email),
            Self::Sms(_) => Some(ChannelKind::Sms),
            Self::Call(_) => Some(ChannelKind::Voice),
            Self::Ntfy(_) => Some(ChannelKind::Ntfy),
            _ => self.system(),
        }
    }

    /// Returns the recipient that this target always means; none if that depends on the ticket or the hour.
    pub fn by_itself(&self) -> Option<Recipient> {
        match self {
            Self::Email(address) => {
                Some(Recipient { email: Some(address.clone()), ..Recipient::fixed(&address.to_lowercase()) })
            }
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

    /// Whether it depends on the owner of the ticket, its group or its client.
    pub fn is_of_owner(&self) -> bool {
        matches!(self, Self::Technician | Self::Manager | Self::Group | Self::AccountManager)
    }

    /// Returns the target for all of `channel`, if a system listens there.
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
    /// Leaves out the address or number: personal data does not belong in logs.
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
    /// All channels, the quietest first.
    pub const ALL: [Self; 8] =
        [Self::Email, Self::Ntfy, Self::Sms, Self::Voice, Self::Slack, Self::Teams, Self::PagerDuty, Self::Webhook];

    /// Whether a system listens there rather than one person. A system follows an alert to its end, and caps and quiet
    /// hours of people do not apply to it.
    pub fn is_system(self) -> bool {
        match self {
            Self::Email | Self::Ntfy | Self::Sms | Self::Voice => false,
            Self::Slack | Self::Teams | Self::PagerDuty | Self::Webhook => true,
        }
    }

    /// Returns the name used in the configuration, in logs and in metrics.
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

    /// Returns the name that people use.
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

    /// Returns what to call a recipient there whose name is not known.
    pub fn unnamed(self) -> &'static str {
        match self {
            Self::Ntfy => "a shared push topic",
            Self::Sms | Self::Voice => "a phone number not in SuperOps",
            Self::Email => "an address not in SuperOps",
            system => system.words(),
        }
    }

    /// Parses [`ChannelKind::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Returns the steps used if none are configured: the people whom SuperOps knows and, from the first step on, each of
/// `channels` where a system listens.
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
    /// Returns the channels that this step asks for at `stage`. Channels that interrupt
    /// people are kept for a breach, unless configured otherwise.
    pub fn channels_at(&self, stage: Stage) -> &[ChannelKind] {
        match self.channels.as_slice() {
            [] => Self::default_channels(stage),
            chosen => chosen,
        }
    }

    /// Whether `channel` may be used at `stage`, even in place of another: a phone rings only for a breach, unless this
    /// step names calls.
    pub fn may_use(&self, channel: ChannelKind, stage: Stage) -> bool {
        channel != ChannelKind::Voice || stage == Stage::Breached || self.channels.contains(&channel)
    }

    /// Returns the channels of a step that names none, as far as they are set up.
    pub fn default_channels(stage: Stage) -> &'static [ChannelKind] {
        match stage {
            Stage::Breached => &[ChannelKind::Email, ChannelKind::Ntfy, ChannelKind::Sms, ChannelKind::Voice],
            Stage::Predicted | Stage::Warning => &[ChannelKind::Email],
        }
    }
}

/// Somebody to tell, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// A SuperOps user's id, or the address itself, in lower case. It tells people apart and is never logged.
    pub id: String,
    pub name: Option<String>,
    pub email: Option<String>,
    /// The number for text messages.
    pub phone: Option<String>,
    /// The number to call: for people the same, unless a step names one of the two.
    pub call: Option<String>,
    /// The topic for pushes to this person's devices. It comes from the configuration: SuperOps does not know it.
    pub topic: Option<String>,
    /// The only channel by which they are told, if a step names a technician's address or number.
    pub only: Option<ChannelKind>,
    /// The channel, if a step names a channel itself; `id` is then its address: `slack`, `slack:#sla`, `pagerduty`.
    pub system: Option<ChannelKind>,
    /// Why this person hears of it, in words for them: "you own this ticket".
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
            only: None,
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

    /// Returns a recipient named by its address; the caller adds how it is reached.
    fn fixed(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: None,
            email: None,
            phone: None,
            call: None,
            topic: None,
            only: None,
            system: None,
            because: "this address is named in the escalation steps".to_owned(),
        }
    }

    /// Returns the technician to whom the address or number belongs, if this is no more than that: they are told there
    /// and by no other channel. If several share it, it is the one who `is_meant` anyway.
    fn or_its_owner(self, people: &Directory, is_meant: impl Fn(&Technician) -> bool) -> Self {
        if self.name.is_some() {
            return self;
        }
        let numbers = |number: &str| people.with_number(number).collect::<Vec<_>>();
        let (only, owners) = match (&self.email, &self.phone, &self.call) {
            (Some(address), ..) => (ChannelKind::Email, people.with_mailbox(address).collect()),
            (None, Some(number), _) => (ChannelKind::Sms, numbers(number)),
            (None, None, Some(number)) => (ChannelKind::Voice, numbers(number)),
            (None, None, None) => return self,
        };
        let owner = match owners.as_slice() {
            [owner] => Some(*owner),
            several => several.iter().copied().find(|one| is_meant(one)),
        };
        let Some(owner) = owner else { return self };
        let whole = Self::person(owner, self.because);
        // SuperOps may have the number in a form that cannot be dialled.
        Self { only: Some(only), phone: self.phone.or(whole.phone), call: self.call.or(whole.call), ..whole }
    }

    /// Returns a key for the person across tenants and channels; none if it is not a person.
    pub fn person_key(&self) -> Option<String> {
        let known = self.email.as_ref().map(|email| email.trim().to_lowercase()).or_else(|| self.phone.clone());
        known.filter(|_| self.system.is_none())
    }

    /// Returns the address at which `channel` reaches this person.
    pub fn address(&self, channel: ChannelKind) -> Option<&str> {
        if self.only.is_some_and(|only| only != channel) {
            return None;
        }
        match channel {
            ChannelKind::Email => self.email.as_deref(),
            ChannelKind::Ntfy => self.topic.as_deref(),
            ChannelKind::Sms => self.phone.as_deref(),
            ChannelKind::Voice => self.call.as_deref(),
            system => self.system.filter(|own| *own == system).map(|_| self.id.as_str()),
        }
    }
}

/// Returns whom `targets` mean for `subject`, each person once, in order. `duty` says who is on call.
///
/// Technicians whose address or number is named come after the others, for that channel only, and so twice if they are
/// meant as persons as well: by a channel that has told them they are not told again.
pub fn recipients(targets: &[Target], subject: Subject<'_>, people: &Directory, duty: &Duty) -> Vec<Recipient> {
    let of = |target: &Target| of_target(target, subject, people, duty);
    let is_meant = |one: &Technician| {
        let mut roles = targets.iter().filter(|target| target.channel().is_none()).flat_map(of);
        roles.any(|recipient| recipient.id == one.id.as_str())
    };
    let found = targets.iter().flat_map(of).map(|recipient| recipient.or_its_owner(people, is_meant));
    let mut found: Vec<_> = found.collect();
    found.sort_by_key(|recipient| recipient.only.is_some());
    let mut seen = BTreeSet::new();
    found.retain(|recipient| seen.insert((recipient.id.clone(), recipient.only)));
    found
}

/// Returns who is responsible for a desk if no ticket says whom to ask: people who manage somebody, else the account
/// managers, else everybody.
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

/// Returns each of `named` once, if SuperOps still has them.
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

/// Returns who owns `subject`; none if nobody does, or if SuperOps no longer has that person.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::subject::SubjectKind;
    use crate::ticket::{RefId, TenantId};

    fn desk(people: &[(&str, &str, &str)]) -> Directory {
        let person = |(id, email, phone): &(&str, &str, &str)| Technician {
            id: RefId::parse(id).unwrap(),
            name: (*id).to_owned(),
            email: Some((*email).to_owned()),
            phone: Some((*phone).to_owned()),
            manager: None,
            groups: Vec::new(),
        };
        let technicians = people.iter().map(person).map(|person| (person.id.clone(), person)).collect();
        Directory { technicians, ..Directory::default() }
    }

    /// Who is told of the ticket of ann, and by which channel only.
    fn told(targets: &[Target], people: &Directory) -> Vec<(String, Option<ChannelKind>)> {
        let tenant = TenantId::parse("acme").unwrap();
        let ann = Named { id: RefId::parse("ann").unwrap(), name: "Ann".to_owned() };
        let subject = Subject {
            kind: SubjectKind::Ticket,
            tenant: &tenant,
            id: "7",
            display_id: "7",
            name: "Printer",
            client: None,
            priority: None,
            sla: None,
            owner: Some(&ann),
            group: None,
        };
        let found = recipients(targets, subject, people, &Duty::new());
        found.into_iter().map(|one| (one.id, one.only)).collect()
    }

    #[test]
    fn the_address_of_a_technician_is_that_technician_on_its_channel() {
        let email = |address: &str| Target::Email(address.to_owned());
        let (sms, call) = (Target::Sms("+442079460018".to_owned()), Target::Call("+442079460018".to_owned()));
        let one = |id: &str, only| (id.to_owned(), only);
        let people = desk(&[
            ("ann", " Ann@example.com", "+44 (0)20 7946 0018"),
            ("bob", "desk@example.com", "+15005550101"),
            ("eve", "desk@example.com", "+15005550102"),
        ]);
        let own = [email("ann@EXAMPLE.com"), email("ANN@example.com"), Target::Technician, sms, call];
        assert_eq!(
            told(&own, &people),
            [
                one("ann", None),
                one("ann", Some(ChannelKind::Email)),
                one("ann", Some(ChannelKind::Sms)),
                one("ann", Some(ChannelKind::Voice)),
            ]
        );
        let strangers = [email("Boss@example.com"), email("boss@example.com"), Target::Teams];
        assert_eq!(told(&strangers, &people), [one("boss@example.com", None), one("teams", None)]);
        assert_eq!(told(&[email("desk@example.com")], &people), [one("desk@example.com", None)], "it is of two");
        let people = desk(&[("ann", "desk@example.com", "+1"), ("bob", "desk@example.com", "+2")]);
        let shared = [Target::Technician, email("desk@example.com")];
        assert_eq!(told(&shared, &people), [one("ann", None), one("ann", Some(ChannelKind::Email))]);
    }
}
