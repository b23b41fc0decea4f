//! Decides what a person may do here, from what the identity provider says of them.
//!
//! Rules are tried in order, and the first that fits decides. A person whom no rule fits may do nothing.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::keys::hex;
use crate::ticket::TenantId;

/// What somebody may do; each role may do all that the one before may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Also acknowledges, silences and snoozes.
    Responder,
    /// Also changes the rest.
    Admin,
}

impl Role {
    /// Returns the name used in the configuration, on the command line and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Responder => "responder",
            Self::Admin => "admin",
        }
    }
}

/// The error for a text that names no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a role: take `viewer`, `responder` or `admin`")]
pub struct NoSuchRole(String);

impl FromStr for Role {
    type Err = NoSuchRole;

    fn from_str(text: &str) -> Result<Self, NoSuchRole> {
        [Self::Viewer, Self::Responder, Self::Admin]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| NoSuchRole(text.to_owned()))
    }
}

/// What a person may do, and whose data they may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    pub role: Role,
    /// The one tenant they may see; `None` means all tenants.
    pub tenant: Option<TenantId>,
}

/// Whom a rule is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whom {
    /// Everybody whom the provider signs in.
    pub anyone: bool,
    /// Members of any of these groups, as the provider writes them.
    pub groups: Vec<String>,
    /// People with any of these addresses, in lower case; `@example.com` stands for all of a domain.
    pub emails: Vec<String>,
}

/// Who is let in, and as what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRule {
    pub whom: Whom,
    pub access: Access,
}

impl AccessRule {
    fn fits(&self, person: &Person) -> bool {
        let Whom { anyone, groups, emails } = &self.whom;
        let email = person.email.as_deref().map(str::to_lowercase);
        let has_email = |email: &str| emails.iter().any(|known| is_address(known, email));
        *anyone || groups.iter().any(|group| person.groups.contains(group)) || email.as_deref().is_some_and(has_email)
    }
}

fn is_address(known: &str, email: &str) -> bool {
    match known.strip_prefix('@') {
        Some(domain) => email.rsplit_once('@').is_some_and(|(_, own)| own == domain),
        None => known == email,
    }
}

/// Returns what `person` may do by `rules`; `None` if nothing.
pub fn access_of<'r>(rules: &'r [AccessRule], person: &Person) -> Option<&'r Access> {
    rules.iter().find(|rule| rule.fits(person)).map(|rule| &rule.access)
}

/// Somebody whom the identity provider vouches for, with the claims that we keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub issuer: String,
    /// The provider's own id for the person: it never changes, and no two people share it.
    pub subject: String,
    /// What people call them: the provider's word, and perhaps their own.
    pub name: String,
    /// Set only if it can be trusted.
    pub email: Option<String>,
    /// Only the groups that a rule names.
    pub groups: Vec<String>,
}

/// The start of a person's id; a token's id consists of hex digits alone.
const ID_BEGINS: &str = "person-";

impl Person {
    /// Returns the id that names the person in lists, in limits and in the audit log.
    pub fn id(&self) -> String {
        let hash = Sha256::digest(format!("{}\0{}", self.issuer, self.subject));
        format!("{ID_BEGINS}{}", hex(&hash[..6]))
    }

    /// Whether `id` is a person's, and not a token's.
    pub fn is_id(id: &str) -> bool {
        id.starts_with(ID_BEGINS)
    }

    /// Returns the name for the audit log. People can choose their names, so it includes the id.
    pub fn who(&self) -> String {
        let email = self.email.iter().map(|email| format!("{email}, "));
        format!("{} ({}{})", self.name, email.collect::<String>(), self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(email: Option<&str>, groups: &[&str]) -> Person {
        Person {
            issuer: "https://id.example".to_owned(),
            subject: "7".to_owned(),
            name: "Mia".to_owned(),
            email: email.map(str::to_owned),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        }
    }

    fn rule(groups: &[&str], emails: &[&str], role: Role) -> AccessRule {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let whom = Whom { anyone: false, groups: owned(groups), emails: owned(emails) };
        AccessRule { whom, access: Access { role, tenant: None } }
    }

    #[test]
    fn the_first_rule_that_fits_decides_and_without_one_nobody_gets_in() {
        let rules =
            [rule(&["desk-leads"], &["mia@example.com"], Role::Admin), rule(&[], &["@example.com"], Role::Responder)];
        let role = |email, groups| access_of(&rules, &person(email, groups)).map(|access| access.role);
        let cases = [
            ("an address", role(Some("Mia@Example.com"), &[]), Some(Role::Admin)),
            ("a group", role(None, &["desk-leads"]), Some(Role::Admin)),
            ("a domain", role(Some("tom@example.com"), &[]), Some(Role::Responder)),
            ("a domain that only ends alike", role(Some("tom@evil-example.com"), &[]), None),
            ("a domain below it", role(Some("tom@mail.example.com"), &[]), None),
            ("an address before the domain", role(Some("\"x@example.com\"@evil.example"), &[]), None),
            ("a group that only begins alike", role(None, &["desk-leads-too"]), None),
            ("nobody known", role(None, &[]), None),
        ];
        for (name, found, expected) in cases {
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn two_people_of_one_name_are_told_apart() {
        let (one, mut other) = (person(None, &[]), person(None, &[]));
        assert_eq!(one.id(), other.id());
        other.subject = "8".to_owned();
        assert_ne!(one.who(), other.who());
        assert!(one.who().starts_with("Mia (person-"), "{}", one.who());
    }

    #[test]
    fn roles_rise() {
        assert!(Role::Viewer < Role::Responder && Role::Responder < Role::Admin);
        assert_eq!("responder".parse(), Ok(Role::Responder));
        assert!("root".parse::<Role>().unwrap_err().to_string().contains("`viewer`"));
    }
}
