//! What people, clients and tickets are called in a report: by name, or by pseudonyms that stay the same for a tenant.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};

use super::super::{Complaint, ServiceError};
use crate::alert::policy::same_name;
use crate::config::nearest;
use crate::keys;
use crate::report::People;
use crate::report::entry::Holder;
use crate::report::make::Names;
use crate::store::Store;
use crate::ticket::{TenantId, TicketId};

/// Stands for a technician who must not be told from others.
pub const SOMEBODY: &str = "a technician";

/// The names of one tenant.
pub struct Called {
    tenant: TenantId,
    /// By kind and id.
    names: BTreeMap<(String, String), String>,
    /// What people call tickets, and what they are about, where that was asked for.
    tickets: HashMap<String, (String, Option<String>)>,
    /// The key of the pseudonyms; none if there are none.
    key: Option<[u8; 32]>,
    anonymous: bool,
    people: People,
}

/// The key of the pseudonyms, made when it is first needed.
pub async fn pseudonym_key(store: &Store, now: DateTime<Utc>) -> Result<[u8; 32], ServiceError> {
    let mut fresh = [0; 32];
    getrandom::fill(&mut fresh).map_err(|error| ServiceError::NoRandomness(error.to_string()))?;
    Ok(store.secret("pseudonyms", fresh, now).await?)
}

impl Called {
    /// Reads all names ever seen of `tenant`.
    pub async fn of(
        store: &Store,
        tenant: &TenantId,
        (anonymous, people): (bool, People),
        now: DateTime<Utc>,
    ) -> Result<Self, ServiceError> {
        let key = match anonymous || people == People::Pseudonyms {
            true => Some(pseudonym_key(store, now).await?),
            false => None,
        };
        let names = store.called(tenant).await?;
        Ok(Self { tenant: tenant.clone(), names, tickets: HashMap::new(), key, anonymous, people })
    }

    /// Learns what these tickets are called, and what they are about.
    pub async fn learn(&mut self, store: &Store, tickets: impl Iterator<Item = &str>) -> Result<(), ServiceError> {
        let ids: Vec<TicketId> = tickets.filter_map(|id| TicketId::parse(id).ok()).collect();
        let labels = store.labels(&self.tenant, &ids).await?.into_iter();
        self.tickets = labels.map(|(id, (number, subject))| (id, (number, Some(subject)))).collect();
        Ok(())
    }

    /// Learns what these tickets are called, however many they are, and nothing else of them.
    pub async fn learn_numbers(&mut self, store: &Store, tickets: &[&str]) -> Result<(), ServiceError> {
        let numbers = store.display_ids(&self.tenant, tickets).await?.into_iter();
        self.tickets = numbers.map(|(id, number)| (id, (number, None))).collect();
        Ok(())
    }

    /// The id of the client that people mean by `text`: an id, or the name that only one client has ever had.
    pub fn client_id(&self, text: &str) -> Result<String, ServiceError> {
        let clients = || self.names.iter().filter(|((kind, _), _)| kind == "client").map(|((_, id), name)| (id, name));
        if clients().any(|(id, _)| id == text) {
            return Ok(text.to_owned());
        }
        let called: Vec<&str> =
            clients().filter(|(_, name)| same_name(name, text)).map(|(id, _)| id.as_str()).collect();
        let rule = match called.as_slice() {
            [id] => return Ok((*id).to_owned()),
            [] => {
                let hint = nearest(text, clients().map(|(_, name)| name.as_str()));
                format!("is `{text}`, but no client has that name{hint}")
            }
            several => format!("is `{text}`, the name of several clients: give the id ({})", several.join(", ")),
        };
        Err(ServiceError::BadQuestion(Complaint::of("client", rule)))
    }

    /// The id under which a person's figures are found.
    pub fn person_id(&self, holder: &Holder) -> String {
        match (holder.person(), self.key) {
            (Some(_), _) if self.people == People::Off => "@technician".to_owned(),
            (Some(id), Some(_)) => self.pseudonym("technician", id.as_str()),
            _ => holder.as_str().to_owned(),
        }
    }

    /// What a person is called beside a named ticket: its page says who had it, so no pseudonym may stand there.
    pub fn holder(&self, holder: &Holder) -> String {
        match holder.person() {
            Some(_) if self.people != People::Named => SOMEBODY.to_owned(),
            _ => self.person(holder),
        }
    }

    /// Who said something, if that may be told.
    pub fn author(&self, by: &str) -> String {
        let hidden = self.anonymous || self.people != People::Named;
        if hidden { SOMEBODY.to_owned() } else { by.to_owned() }
    }

    /// SuperOps' id, or a pseudonym.
    pub fn ticket_id(&self, id: &str) -> String {
        if self.anonymous { self.pseudonym("ticket", id) } else { id.to_owned() }
    }

    /// What the ticket is about; none where nobody may be recognized by it.
    pub fn subject(&self, id: &str) -> Option<String> {
        self.tickets.get(id).and_then(|(_, subject)| subject.clone()).filter(|_| !self.anonymous)
    }

    /// The pseudonym of `id`, the same each time.
    fn pseudonym(&self, kind: &str, id: &str) -> String {
        keys::pseudonym(&self.key.unwrap_or_default(), self.tenant.as_str(), kind, id)
    }

    fn named(&self, kind: &str, id: &str) -> String {
        let name = self.names.get(&(kind.to_owned(), id.to_owned()));
        name.cloned().unwrap_or_else(|| id.to_owned())
    }
}

impl Names for Called {
    fn person(&self, holder: &Holder) -> String {
        match (holder.person(), self.key) {
            (None, _) => holder.words().to_owned(),
            (Some(_), _) if self.people == People::Off => SOMEBODY.to_owned(),
            (Some(id), None) => self.named("technician", id.as_str()),
            (Some(id), Some(_)) => format!("Technician {}", self.pseudonym("technician", id.as_str())),
        }
    }

    fn client(&self, id: &str) -> String {
        match self.anonymous {
            false => self.named("client", id),
            true => format!("Client {}", self.pseudonym("client", id)),
        }
    }

    fn ticket(&self, id: &str) -> String {
        match self.anonymous {
            false => self.tickets.get(id).map_or_else(|| id.to_owned(), |(display, _)| display.clone()),
            true => format!("Ticket {}", self.pseudonym("ticket", id)),
        }
    }

    fn policy(&self, words: &str) -> String {
        match self.anonymous {
            // A policy may name a client.
            true if words.contains("client ") => format!("Policy {}", self.pseudonym("policy", words)),
            _ => words.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_meant_by_the_id_or_by_a_name_that_no_other_has_had() {
        let client = |id: &str, name: &str| (("client".to_owned(), id.to_owned()), name.to_owned());
        let called = Called {
            tenant: TenantId::parse("acme").unwrap(),
            names: [client("100", "Globex"), client("200", "Globex"), client("300", "100")].into(),
            tickets: HashMap::new(),
            key: None,
            anonymous: false,
            people: People::Named,
        };
        let meant = |text: &str| called.client_id(text).map_err(|error| error.to_string());
        assert_eq!((meant("200"), meant("100")), (Ok("200".to_owned()), Ok("100".to_owned())), "an id comes first");
        let several = meant("globex").unwrap_err();
        assert!(several.contains("several clients: give the id (100, 200)"), "{several}");
        assert!(meant("Initech").unwrap_err().contains("no client has that name"));
    }
}
