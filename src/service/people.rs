//! Personal rules: by which channels, at which hours and how often people are told. The configuration file decides for
//! those it names; for everybody else the rules are set here.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::on_call::Changed;
use super::{Complaint, Reach, Service, ServiceError};
use crate::config::raw_personal_rules::{self, RawPersonalRules};
use crate::keys::id_of;
use crate::personal_rules;
use crate::store::audit::Author;
use crate::store::personal_rules::{PersonalChange, PersonalRow};
use crate::ticket::TenantId;

/// The most people in one answer.
const MOST: usize = 500;
const SAME_AS_STEPS: &str = "as the steps say";

/// Which people are asked for.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct PeopleQuery {
    pub tenant: Option<String>,
    /// A part of the name or the address, without regard to case.
    pub text: Option<String>,
}

/// People with what they have asked for, by address; 500 at most.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PeoplePage {
    pub people: Vec<PersonView>,
    /// How many there are.
    pub total: usize,
}

/// One person, with what they have asked for.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PersonView {
    /// Made of the address.
    pub id: String,
    pub email: String,
    /// As SuperOps has it; none: no technician of SuperOps has this address.
    pub name: Option<String>,
    /// Where they are technicians, of the tenants that the asker may see.
    pub tenants: Vec<String>,
    /// file | page | none: where the rules in force were set.
    pub set_in: &'static str,
    /// The rules in force.
    pub rules: RawPersonalRules,
    /// The same in words.
    pub words: String,
    /// Set by the page or the API but not followed: the file goes first.
    pub unheeded: Option<RawPersonalRules>,
    /// Who set it by the page or the API, and when.
    pub set_by: Option<String>,
    pub set_at: Option<DateTime<Utc>>,
    /// What was set cannot be read and is not followed: it must be set again.
    pub unreadable: bool,
    /// Why it cannot be changed here, if so.
    pub fixed: Option<String>,
}

/// Somebody whom SuperOps, the file or the store knows by an address.
#[derive(Default)]
struct Known {
    name: Option<String>,
    tenants: Vec<TenantId>,
    row: Option<PersonalRow>,
}

impl Service {
    /// The people within `scope` that match `query`, with their rules, shown to somebody who may see `sees`.
    pub async fn people(
        &self,
        (scope, sees): (&Reach, &Reach),
        query: &PeopleQuery,
    ) -> Result<PeoplePage, ServiceError> {
        let wanted = query.text.as_deref().unwrap_or_default().trim().to_lowercase();
        let known = self.known_people(scope).await?.into_iter().filter(|(_, one)| is_within(scope, one));
        let is_asked_for = |(address, one): &(String, Known)| {
            address.contains(&wanted) || one.name.as_ref().is_some_and(|name| name.to_lowercase().contains(&wanted))
        };
        let people: Vec<_> = known.filter(is_asked_for).collect();
        let total = people.len();
        let shown = people.into_iter().take(MOST);
        Ok(PeoplePage {
            people: shown.map(|(address, one)| self.person_view((scope, sees), address, one)).collect(),
            total,
        })
    }

    /// One person within `scope`, by id.
    pub async fn person(&self, (scope, sees): (&Reach, &Reach), id: &str) -> Result<Option<PersonView>, ServiceError> {
        let found = self.find_person(scope, id).await?;
        Ok(found.map(|(address, one)| self.person_view((scope, sees), address, one)))
    }

    /// Sets how somebody is told, as they `ask`; none: as the steps say.
    pub async fn set_personal_rules(
        &self,
        (scope, sees): (&Reach, &Reach),
        id: &str,
        ask: Option<&RawPersonalRules>,
        author: Author,
    ) -> Result<Changed<PersonView>, ServiceError> {
        let Some((address, known)) = self.find_person(scope, id).await? else { return Ok(Changed::NoSuch) };
        if is_elsewhere(sees, &known) {
            return Ok(Changed::Shared);
        }
        if self.config.alerts.noise.people.contains_key(&address) {
            return Err(ServiceError::Settled(by_the_file(&address)));
        }
        let refused = |fault: String| ServiceError::BadQuestion(Complaint::of_key(fault));
        let personal = ask.map(|ask| ask.read(&address, &self.config.notify.kinds())).transpose().map_err(refused)?;
        let kept = personal.as_ref().map(|personal| serde_json::to_string(&RawPersonalRules::of(personal)));
        let rules = kept.transpose().map_err(|error| refused(error.to_string()))?;
        let (before, after) = (words_of(known.row.as_ref()), personal.as_ref().map(raw_personal_rules::words));
        let after = after.as_deref().unwrap_or(SAME_AS_STEPS);
        let change = PersonalChange {
            rules,
            tenant: Some(&known.tenants)
                .filter(|tenants| tenants.len() == 1)
                .and_then(|tenants| tenants.first().cloned()),
            what: format!("personal rules of {address}: {after}; before: {before}"),
            person: address,
        };
        let changed = self.store.set_personal_rules(change, author, self.clock.now()).await?;
        match self.person((scope, sees), id).await?.filter(|_| changed) {
            Some(view) => Ok(Changed::Done(view)),
            None => Ok(Changed::NoSuch),
        }
    }

    async fn find_person(&self, scope: &Reach, id: &str) -> Result<Option<(String, Known)>, ServiceError> {
        let mut known = self.known_people(scope).await?.into_iter();
        Ok(known.find(|(address, one)| id_of(address) == id && is_within(scope, one)))
    }

    /// Everybody with an address: technicians, and people whom the file or the store names.
    async fn known_people(&self, scope: &Reach) -> Result<BTreeMap<String, Known>, ServiceError> {
        let mut people: BTreeMap<String, Known> = BTreeMap::new();
        for tenant in self.config.tenants.keys() {
            let directory = self.store.directory(tenant).await?;
            for technician in directory.technicians.values() {
                let Some(address) = technician.email.as_ref().map(|email| email.trim().to_lowercase()) else {
                    continue;
                };
                let known = people.entry(address).or_default();
                // Another tenant's name for somebody is not for those who see this one alone.
                if scope.includes(tenant) {
                    known.name.get_or_insert_with(|| technician.name.clone());
                }
                if !known.tenants.contains(tenant) {
                    known.tenants.push(tenant.clone());
                }
            }
        }
        for address in self.config.alerts.noise.people.keys() {
            people.entry(address.clone()).or_default();
        }
        for row in self.store.personal_rules().await? {
            let known = people.entry(row.person.clone()).or_default();
            known.row = Some(row);
        }
        people.remove("");
        Ok(people)
    }

    fn person_view(&self, (scope, sees): (&Reach, &Reach), address: String, known: Known) -> PersonView {
        let file = self.config.alerts.noise.people.get(&address);
        let set = known.row.as_ref().and_then(|row| personal_rules::read(row).ok());
        let (set_in, rules, words) = match (file, &set) {
            (Some(personal), _) => ("file", RawPersonalRules::of(personal), raw_personal_rules::words(personal)),
            (None, Some((wishes, personal))) => ("page", wishes.clone(), raw_personal_rules::words(personal)),
            (None, None) => ("none", RawPersonalRules::default(), SAME_AS_STEPS.to_owned()),
        };
        let elsewhere = || "works for tenants that you may not see; use a token made without `--tenant`".to_owned();
        let fixed = file.map(|_| by_the_file(&address)).or_else(|| is_elsewhere(sees, &known).then(elsewhere));
        let tenants = known.tenants.iter().filter(|tenant| scope.includes(tenant));
        PersonView {
            id: id_of(&address),
            name: known.name.clone(),
            tenants: tenants.map(ToString::to_string).collect(),
            set_in,
            rules,
            words,
            unreadable: known.row.is_some() && set.is_none(),
            unheeded: set.filter(|_| file.is_some()).map(|(wishes, _)| wishes),
            set_by: known.row.as_ref().map(|row| row.set_by.clone()),
            set_at: known.row.as_ref().map(|row| row.set_at),
            fixed,
            email: address,
        }
    }
}

/// People who work for no tenant are shown to those who see all.
fn is_within(scope: &Reach, known: &Known) -> bool {
    *scope == Reach::All || known.tenants.iter().any(|tenant| scope.includes(tenant))
}

/// Whether a change would also affect what this person hears of tenants outside `scope`.
fn is_elsewhere(scope: &Reach, known: &Known) -> bool {
    !known.tenants.iter().all(|tenant| scope.includes(tenant))
}

fn by_the_file(address: &str) -> String {
    format!("the configuration file says how they are told, and takes precedence: change [people.\"{address}\"] there")
}

fn words_of(row: Option<&PersonalRow>) -> String {
    let read = row.and_then(|row| personal_rules::read(row).ok());
    read.map_or(SAME_AS_STEPS.to_owned(), |(_, personal)| raw_personal_rules::words(&personal))
}
