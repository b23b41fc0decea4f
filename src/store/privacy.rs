//! What the store knows about one person: listed in full, or erased without changing any count.
//!
//! Names, addresses and numbers occur in texts and in JSON all over the store. Every place that may contain any is
//! searched, a few hundred rows at a time, and they are replaced by a pseudonym. SuperOps' id of the person stays: the
//! books count by it, and the hashes of closed months include it, so they can still be proved.

mod erasing;
mod places;
mod texts;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use self::places::PLACES;
use self::texts::{next_rows, whose};
use self::words::{Replacement, is_within, small};
use super::books::date_of;
use super::{Store, StoreError, millis};
use crate::store::sql;
use crate::ticket::{RefId, TenantId};

/// A person whom the store knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Person {
    pub tenant: TenantId,
    pub id: RefId,
    /// Names, addresses and numbers.
    pub known_by: Vec<String>,
    /// Those of them that other people share.
    pub shared: Vec<String>,
    /// The ids of these other people.
    #[serde(skip)]
    pub namesakes: Vec<RefId>,
    /// Others' names that contain a word of this one's, like a full name where this person has only the first name.
    #[serde(skip)]
    pub within_others: Vec<String>,
}

/// A text that names the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mention {
    pub table: &'static str,
    pub row: String,
    pub column: &'static str,
    pub text: String,
    /// Otherwise it may be about somebody with the same name.
    #[serde(skip)]
    pub is_sure: bool,
}

/// A share of a decided clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    pub ticket: String,
    pub clock: String,
    pub round: i64,
    pub outcome: String,
    pub day: NaiveDate,
    /// In millionths.
    pub weight: i64,
    /// Working time in milliseconds while this person held it.
    pub counted: i64,
}

/// What was erased.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Erased {
    /// Texts that were changed, including those in the audit log.
    pub texts: u64,
    /// Deleted rows about numbers.
    pub numbers: u64,
    /// Files in the archive whose content was deleted.
    pub files: u64,
    /// Lines of the audit log whose text changed.
    pub audit_lines: u64,
}

impl Person {
    /// Returns this person with what is shared with others among `all`.
    fn beside(&self, all: &[Self]) -> Self {
        let has = |one: &Self, word: &String| one.known_by.iter().any(|other| small(other) == small(word));
        let others = || all.iter().filter(|one| one.id != self.id);
        let shared: Vec<String> =
            self.known_by.iter().filter(|word| others().any(|one| has(one, word))).cloned().collect();
        let is_namesake = |one: &&Self| shared.iter().any(|word| has(one, word));
        let namesakes = others().filter(is_namesake).map(|one| one.id.clone()).collect();
        let holds = |word: &&String| {
            let is_own = self.known_by.iter().any(|own| small(own) == small(word));
            !is_own && self.known_by.iter().any(|own| is_within(own, word))
        };
        let mut within_others: Vec<String> = others().flat_map(|one| &one.known_by).filter(holds).cloned().collect();
        within_others.sort();
        within_others.dedup();
        Self { shared, namesakes, within_others, ..self.clone() }
    }
}

impl Store {
    /// Returns the people of `tenant` that `text` may mean: an id, a name, an address or a number.
    pub async fn persons(&self, tenant: &TenantId, text: &str) -> Result<Vec<Person>, StoreError> {
        let directory = self.directory(tenant).await?;
        let named = self.called(tenant).await?;
        let once_called = self.names_in_tickets(tenant).await?;
        let ids = named.keys().filter(|(kind, _)| kind == "technician").filter_map(|(_, id)| RefId::parse(id).ok());
        let mut ids: Vec<RefId> = ids.chain(directory.technicians.keys().cloned()).collect();
        ids.sort();
        ids.dedup();
        let person = |id: RefId| {
            let here = directory.technicians.get(&id);
            let now = here.into_iter().flat_map(|one| [Some(&one.name), one.email.as_ref(), one.phone.as_ref()]);
            let once = named.get(&("technician".to_owned(), id.to_string()));
            let mut known_by: Vec<String> = now
                .flatten()
                .chain(once)
                .chain(once_called.get(&id).into_iter().flatten())
                .map(|word| word.trim().to_owned())
                .filter(|word| !word.is_empty())
                .collect();
            known_by.sort();
            known_by.dedup();
            Person {
                tenant: tenant.clone(),
                id,
                known_by,
                shared: Vec::new(),
                namesakes: Vec::new(),
                within_others: Vec::new(),
            }
        };
        let wanted = text.trim().to_lowercase();
        let is_meant = |one: &Person| {
            one.id.as_str() == text.trim() || one.known_by.iter().any(|word| word.to_lowercase() == wanted)
        };
        let all: Vec<Person> = ids.into_iter().map(person).collect();
        Ok(all.iter().filter(|one| is_meant(one)).map(|one| one.beside(&all)).collect())
    }

    /// Returns the names that tickets give for each technician id, including earlier names of people who were renamed.
    async fn names_in_tickets(&self, tenant: &TenantId) -> Result<BTreeMap<RefId, BTreeSet<String>>, StoreError> {
        let mut names: BTreeMap<RefId, BTreeSet<String>> = BTreeMap::new();
        for place in PLACES.iter().filter(|place| place.table == "tickets") {
            let mut after = place.first();
            while let Some((rows, last)) = next_rows(&self.reads, place, tenant, &after).await? {
                for text in rows.into_iter().flat_map(|(_, texts)| texts).filter_map(|held| held.text) {
                    let Some((id, name)) = technician_in(&text) else { continue };
                    names.entry(id).or_default().insert(name);
                }
                after = last;
            }
        }
        Ok(names)
    }

    /// Returns every text that names the person.
    pub async fn mentions(&self, person: &Person) -> Result<Vec<Mention>, StoreError> {
        let instead = Replacement::new(person, "");
        let sure = instead.clone().sure();
        let mut found = Vec::new();
        for place in PLACES {
            let mut after = place.first();
            while let Some((rows, last)) = next_rows(&self.reads, place, &person.tenant, &after).await? {
                for (key, texts) in rows {
                    let whose = whose(place, &key, &instead);
                    let named = place.columns.iter().zip(texts).filter_map(|(column, held)| {
                        let text = held.text.filter(|text| instead.of(text, whose).is_some())?;
                        let is_sure = sure.of(&text, whose).is_some();
                        Some(Mention { table: place.table, row: key.to_string(), column, text, is_sure })
                    });
                    found.extend(named);
                }
                after = last;
            }
        }
        Ok(found)
    }

    /// Whether a service leads on this database at `now`, as far as its clock and ours agree.
    pub async fn is_led(&self, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let until = sql::query_scalar("SELECT until_at FROM leases WHERE name = 'leader'");
        let until: Option<i64> = until.fetch_optional(&self.reads).await?;
        Ok(until.is_some_and(|until| until > millis(now)))
    }

    /// Returns what the books hold about the person.
    pub async fn held_by(&self, person: &Person) -> Result<Vec<Held>, StoreError> {
        let rows = sql::query(
            "SELECT e.ticket, e.clock, e.round, e.outcome, e.day, s.weight, s.counted
             FROM entries e JOIN shares s ON s.entry = e.id
             WHERE e.tenant = $1 AND e.counts = 1 AND s.holder = $2 ORDER BY e.day, e.ticket, e.clock, e.round",
        );
        let rows = rows.bind(person.tenant.as_str()).bind(person.id.as_str()).fetch_all(&self.reads).await?;
        let held = rows.iter().map(|row| {
            Ok(Held {
                ticket: row.try_get("ticket")?,
                clock: row.try_get("clock")?,
                round: row.try_get("round")?,
                outcome: row.try_get("outcome")?,
                day: date_of(row.try_get("day")?)?,
                weight: row.try_get("weight")?,
                counted: row.try_get("counted")?,
            })
        });
        held.collect()
    }
}

/// Returns the id and name of the technician in a ticket's JSON.
fn technician_in(text: &str) -> Option<(RefId, String)> {
    #[derive(Deserialize)]
    struct Holder {
        id: String,
        name: String,
    }
    #[derive(Deserialize)]
    struct Held {
        technician: Holder,
    }
    let Held { technician: Holder { id, name } } = serde_json::from_str(text).ok()?;
    Some((RefId::parse(&id).ok()?, name))
}

#[cfg(test)]
mod tests;
