//! A person who can be on call: as a rotation names them, and as SuperOps knows them.

use std::fmt;

use crate::alert::escalation::Recipient;
use crate::ticket::{Directory, Technician};

/// A person, as written in a rotation or an override.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Person {
    /// A technician of SuperOps, by email address, name or id.
    Named(String),
    Email(String),
    Sms(String),
}

impl fmt::Debug for Person {
    /// Leaves out the name, address or number: personal data does not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Named(_) => "Named(..)",
            Self::Email(_) => "Email(..)",
            Self::Sms(_) => "Sms(..)",
        })
    }
}

impl Person {
    /// Parses [`Person::text`], without checking whether an address is valid.
    pub fn parse(text: &str) -> Self {
        match text.split_once(':') {
            Some(("email", address)) => Self::Email(address.trim().to_owned()),
            Some(("sms", number)) => Self::Sms(number.trim().to_owned()),
            _ => Self::Named(text.trim().to_owned()),
        }
    }

    /// Returns the person as written in the configuration.
    pub fn text(&self) -> String {
        match self {
            Self::Named(name) => name.clone(),
            Self::Email(address) => format!("email:{address}"),
            Self::Sms(number) => format!("sms:{number}"),
        }
    }

    /// Finds this person at SuperOps: by id, then email address, then name.
    pub fn technician<'a>(&self, people: &'a Directory) -> Option<&'a Technician> {
        let Self::Named(name) = self else { return None };
        let all = || people.technicians.values();
        let same = |text: &str| text.trim().eq_ignore_ascii_case(name);
        let by_id = all().find(|person| person.id.as_str() == name);
        let by_email = || all().find(|person| person.email.as_deref().is_some_and(same));
        by_id.or_else(by_email).or_else(|| all().find(|person| is_name(&person.name, name)))
    }

    /// Returns all technicians who may be meant, if only a name identifies the person and several have it.
    pub fn namesakes<'a>(&self, people: &'a Directory) -> Vec<&'a Technician> {
        let Self::Named(name) = self else { return Vec::new() };
        let has_name = |person: &&Technician| is_name(&person.name, name);
        let same: Vec<_> = people.technicians.values().filter(has_name).collect();
        let by_name = self.technician(people).is_some_and(|one| has_name(&one) && one.id.as_str() != name);
        if by_name && same.len() > 1 { same } else { Vec::new() }
    }

    /// Whether the text alone is enough for a message to reach this person, without SuperOps.
    pub fn has_address(&self) -> bool {
        match self {
            Self::Named(name) => name.contains('@'),
            Self::Email(_) | Self::Sms(_) => true,
        }
    }

    /// Returns the technician whose address or number this is, however it is written.
    pub fn owner<'a>(&self, people: &'a Directory) -> Option<&'a Technician> {
        match self {
            Self::Named(_) => self.technician(people),
            Self::Email(address) => people.with_mailbox(address).next(),
            Self::Sms(number) => people.with_number(number).next(),
        }
    }

    /// Returns how to reach them, since they are on call in `rotation`; none if SuperOps does not know the name.
    pub fn recipient(&self, rotation: &str, people: &Directory) -> Option<Recipient> {
        let because = format!("you are on call for the rotation “{rotation}”");
        if let Some(technician) = self.technician(people) {
            return Some(Recipient::person(technician, because));
        }
        let (email, phone) = match self {
            Self::Named(name) if name.contains('@') => (Some(name.clone()), None),
            Self::Named(_) => return None,
            Self::Email(address) => (Some(address.clone()), None),
            Self::Sms(number) => (None, Some(number.clone())),
        };
        let id = email.as_ref().map(|email| email.to_lowercase()).or_else(|| phone.clone()).unwrap_or_default();
        Some(Recipient { id, name: None, email, phone, call: None, topic: None, only: None, system: None, because })
    }
}

fn is_name(name: &str, written: &str) -> bool {
    name.trim().to_lowercase() == written.to_lowercase()
}
