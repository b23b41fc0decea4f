//! Lists the people who get no text messages, and why: they said STOP, or the provider found that none arrives.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::Answers;
use crate::store::StoreError;
use crate::store::tokens::Author;
use crate::store::unreachable_numbers::UnreachableNumber;
use crate::ticket::Reach;

/// Somebody who is sent no text messages. The number itself is not shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NoMoreTexts {
    pub who: String,
    pub since: DateTime<Utc>,
    /// A sentence without its subject: "said STOP".
    pub why: String,
    /// When the number is tried again; none: when its owner says START.
    pub until: Option<DateTime<Utc>>,
    /// By which it is cleared; none: only the owner can.
    pub id: Option<i64>,
}

impl NoMoreTexts {
    fn stopped(who: String, since: DateTime<Utc>) -> Self {
        Self { who, since, why: "said STOP".to_owned(), until: None, id: None }
    }

    fn dead(who: String, dead: &UnreachableNumber) -> Self {
        let why = format!("has a number that {} (error {} of the SMS provider)", dead.fault(), dead.code);
        Self { who, since: dead.since, why, until: Some(dead.until), id: Some(dead.id) }
    }
}

impl Answers {
    /// Returns the people who get no text messages, among those known within `reach`.
    pub async fn no_more_texts(&self, reach: &Reach) -> Result<Vec<NoMoreTexts>, StoreError> {
        let mut list = Vec::new();
        for stopped in self.store.stopped_phones().await? {
            let known = self.known_as(reach, &stopped.phone, stopped.who).await?;
            list.extend(known.map(|who| NoMoreTexts::stopped(who, stopped.since)));
        }
        for dead in self.store.unreachable_numbers(self.leaders_now()).await? {
            let known = self.known_as(reach, &dead.phone, dead.who.clone()).await?;
            list.extend(known.map(|who| NoMoreTexts::dead(who, &dead)));
        }
        Ok(list)
    }

    /// Lets the number with that id be texted again if its owner is known within `reach`. False if there is none.
    pub async fn text_again(&self, reach: &Reach, id: i64, author: Author) -> Result<bool, StoreError> {
        let now = self.leaders_now();
        let dead = self.store.unreachable_numbers(now).await?.into_iter().find(|dead| dead.id == id);
        let Some(dead) = dead else { return Ok(false) };
        match self.known_as(reach, &dead.phone, dead.who).await? {
            Some(_) => self.store.clear_phone(id, author, now).await,
            None => Ok(false),
        }
    }

    /// Returns the owner of that phone, now or when it was marked; `None` if it is nobody known within `reach`.
    async fn known_as(&self, reach: &Reach, phone: &str, before: String) -> Result<Option<String>, StoreError> {
        match reach.tenant() {
            Some(tenant) => self.technician(tenant, phone).await,
            None => Ok(Some(self.owner(phone).await?.unwrap_or(before))),
        }
    }
}
