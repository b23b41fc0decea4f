//! API tokens, of which only hashes are stored.
//!
//! A token is shown once, when it is created. It holds 256 random bits, so a plain SHA-256 of it is enough: there is
//! nothing to guess. Every change adds a row to the audit log, in the same transaction.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use utoipa::ToSchema;

pub use super::audit::Author;
use super::audit::audit;
use super::{Store, StoreError, instant, millis};
use crate::keys::{Secret, hash_of};
pub use crate::sign_in::access::{NoSuchRole, Role};
use crate::store::sql::{self, Connection};
use crate::ticket::TenantId;

/// The prefix of every token, by which one found in a log or a repository is recognised.
const PREFIX: &str = "sla_";

/// A token as its holder knows it.
#[derive(Clone, Debug)]
pub struct Token(SecretString);

impl Token {
    /// Makes a new token, from the operating system's random bytes.
    pub fn generate() -> Result<Self, getrandom::Error> {
        Ok(Self(format!("{PREFIX}{}", Secret::generate()?.expose()).into()))
    }

    /// Wraps what somebody presents as a token; only the store knows whether it is one.
    pub fn presented(text: &str) -> Self {
        Self(text.trim().to_owned().into())
    }

    /// Returns the text itself, to be shown once or set as a cookie.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    pub(super) fn hash(&self) -> String {
        hash_of(self.expose())
    }

    /// Returns the id for lists and the audit log, which reveals nothing of the token itself.
    pub(super) fn id(&self) -> String {
        self.hash().split_off(52)
    }
}

/// What is kept of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Token)]
pub struct TokenRecord {
    pub id: String,
    /// Who or what it is for; blank: nobody said.
    pub name: String,
    pub role: Role,
    /// The one tenant it may see; none: all of them.
    #[schema(value_type = Option<String>)]
    pub tenant: Option<TenantId>,
    pub created_at: DateTime<Utc>,
    /// None: it lasts until it is revoked.
    pub expires_at: Option<DateTime<Utc>>,
    /// To the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A request for a token.
#[derive(Clone, Debug)]
pub struct NewToken {
    pub name: String,
    pub role: Role,
    pub tenant: Option<TenantId>,
    pub expires_at: Option<DateTime<Utc>>,
}

/// The longest name in characters; a longer one is cut.
const LONGEST_NAME: usize = 60;

impl NewToken {
    /// Returns `name` in the form in which it is stored.
    pub fn cleaned(name: &str) -> String {
        name.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect::<String>().trim().to_owned()
    }
}

impl TokenRecord {
    /// Describes whose data it shows.
    pub fn reach(&self) -> &str {
        self.tenant.as_ref().map_or("all tenants", TenantId::as_str)
    }

    /// The name for the audit log: what the token is for, and always the token.
    pub fn who(&self) -> String {
        called(&self.id, &self.name)
    }

    /// Whether it is valid at `now`.
    pub fn is_good(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

/// Returns the name for the audit log of the token `id`.
pub(super) fn called(id: &str, name: &str) -> String {
    if name.is_empty() { format!("token {id}") } else { format!("{name} (token {id})") }
}

type Row = (String, String, String, Option<String>, i64, Option<i64>, Option<i64>, Option<i64>);

/// How often the use of a token is written down.
const NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);

impl Store {
    /// Stores `token` and returns its record.
    pub async fn add_token(
        &self,
        token: &Token,
        role: Role,
        tenant: Option<TenantId>,
        author: Author,
        now: DateTime<Utc>,
    ) -> Result<TokenRecord, StoreError> {
        let new = NewToken { name: String::new(), role, tenant, expires_at: None };
        self.add_named_token(token, new, author, now).await
    }

    /// Stores `token` with the properties of `new` and returns its record.
    pub async fn add_named_token(
        &self,
        token: &Token,
        new: NewToken,
        author: Author,
        now: DateTime<Utc>,
    ) -> Result<TokenRecord, StoreError> {
        let NewToken { name, role, tenant, expires_at } = new;
        let (last_used_at, revoked_at) = (None, None);
        let record =
            TokenRecord { id: token.id(), name, role, tenant, created_at: now, expires_at, last_used_at, revoked_at };
        let (hash, kept) = (token.hash(), record.clone());
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    insert(tx, &hash, &kept).await?;
                    let what = format!("created {} ({}, {})", kept.who(), kept.role.as_str(), kept.reach());
                    audit(tx, kept.tenant.as_ref(), &what, &author, now).await
                })
            })
            .await?;
        Ok(record)
    }

    /// Revokes the token `id`; none if no valid token has that id.
    pub async fn revoke_token(
        &self,
        id: &str,
        author: Author,
        now: DateTime<Utc>,
    ) -> Result<Option<TokenRecord>, StoreError> {
        let id = id.to_owned();
        let row = self
            .writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let revoked: Option<Row> = sql::query_as(
                        "UPDATE tokens SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL
                         RETURNING id, name, role, tenant, created_at, expires_at, last_used_at, revoked_at",
                    )
                    .bind(millis(now))
                    .bind(&id)
                    .fetch_optional(&mut *tx)
                    .await?;
                    if let Some((_, _, _, tenant, ..)) = &revoked {
                        let tenant = tenant.as_deref().and_then(|name| TenantId::parse(name).ok());
                        audit(tx, tenant.as_ref(), &format!("revoked token {id}"), &author, now).await?;
                    }
                    Ok(revoked)
                })
            })
            .await?;
        row.map(record).transpose()
    }

    /// Returns all tokens ever made, the newest first.
    pub async fn tokens(&self) -> Result<Vec<TokenRecord>, StoreError> {
        let rows: Vec<Row> =
            sql::query_as("SELECT id, name, role, tenant, created_at, expires_at, last_used_at, revoked_at FROM tokens ORDER BY created_at DESC, id")
                .fetch_all(&self.reads)
                .await?;
        rows.into_iter().map(record).collect()
    }

    /// Returns the record of `token`; none if it was never made, has been revoked, or has expired by `now`.
    ///
    /// Reads the database each time, not a cache, since another process may revoke the token.
    pub async fn living_token(&self, token: &Token, now: DateTime<Utc>) -> Result<Option<TokenRecord>, StoreError> {
        let row: Option<Row> = sql::query_as(
            "SELECT id, name, role, tenant, created_at, expires_at, last_used_at, revoked_at FROM tokens WHERE hash = $1",
        )
        .bind(token.hash())
        .fetch_optional(&self.reads)
        .await?;
        Ok(row.map(record).transpose()?.filter(|token| token.is_good(now)))
    }

    /// Returns the token with that id, if it is valid at `now`.
    pub(super) async fn token_by_id(&self, id: &str, now: DateTime<Utc>) -> Result<Option<TokenRecord>, StoreError> {
        let row: Option<Row> = sql::query_as(
            "SELECT id, name, role, tenant, created_at, expires_at, last_used_at, revoked_at FROM tokens WHERE id = $1",
        )
        .bind(id)
        .fetch_optional(&self.reads)
        .await?;
        Ok(row.map(record).transpose()?.filter(|token| token.is_good(now)))
    }

    /// Writes down that `token` was used, unless that was done a moment ago.
    pub async fn note_token(&self, token: &TokenRecord, now: DateTime<Utc>) -> Result<(), StoreError> {
        if token.last_used_at.is_some_and(|last| now - last < NOTED_EVERY) {
            return Ok(());
        }
        let id = token.id.clone();
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let note = sql::query("UPDATE tokens SET last_used_at = $1 WHERE id = $2");
                    note.bind(millis(now)).bind(id).execute(tx).await.map(drop)
                })
            })
            .await
    }
}

async fn insert(tx: &mut Connection, hash: &str, token: &TokenRecord) -> Result<(), sql::Error> {
    sql::query(
        "INSERT INTO tokens (id, hash, role, tenant, created_at, name, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&token.id)
    .bind(hash)
    .bind(token.role.as_str())
    .bind(token.tenant.as_ref().map(TenantId::as_str))
    .bind(millis(token.created_at))
    .bind(&token.name)
    .bind(token.expires_at.map(millis))
    .execute(tx)
    .await
    .map(drop)
}

fn record(
    (id, name, role, tenant, created_at, expires_at, last_used_at, revoked_at): Row,
) -> Result<TokenRecord, StoreError> {
    let unreadable = |why: &dyn fmt::Display| StoreError::Unreadable(format!("token `{id}`: {why}"));
    let role = role.parse().map_err(|error: NoSuchRole| unreadable(&error))?;
    let tenant = tenant.map(|name| TenantId::parse(&name)).transpose().map_err(|error| unreadable(&error))?;
    Ok(TokenRecord {
        role,
        tenant,
        created_at: instant(created_at)?,
        expires_at: expires_at.map(instant).transpose()?,
        last_used_at: last_used_at.map(instant).transpose()?,
        revoked_at: revoked_at.map(instant).transpose()?,
        name,
        id,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn author() -> Author {
        Author { who: "mia".into(), origin: "command line".into() }
    }

    async fn store(folder: &tempfile::TempDir) -> Store {
        Store::open(&folder.path().join("sla.db"), Arc::default()).await.unwrap()
    }

    async fn audited(store: &Store) -> Vec<(Option<String>, String, String)> {
        sql::query_as("SELECT tenant, who, what FROM audit ORDER BY id").fetch_all(&store.reads).await.unwrap()
    }

    #[tokio::test]
    async fn a_token_opens_the_door_until_it_is_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let token = Token::generate().unwrap();
        assert_eq!(store.living_token(&token, now()).await.unwrap(), None, "before it is remembered");
        let acme = TenantId::parse("acme").unwrap();
        let made = store.add_token(&token, Role::Responder, Some(acme), author(), now()).await.unwrap();
        assert_eq!(store.living_token(&token, now()).await.unwrap(), Some(made.clone()));
        assert_eq!(store.living_token(&Token::generate().unwrap(), now()).await.unwrap(), None, "another one");

        let revoked = store.revoke_token(&made.id, author(), now()).await.unwrap().unwrap();
        assert_eq!(revoked.revoked_at, Some(now()));
        assert_eq!(store.living_token(&token, now()).await.unwrap(), None);
        assert_eq!(store.revoke_token(&made.id, author(), now()).await.unwrap(), None, "a second time");
        assert_eq!(store.tokens().await.unwrap(), [revoked]);
    }

    #[tokio::test]
    async fn changes_are_audited_and_the_token_itself_is_kept_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let token = Token::generate().unwrap();
        let made = store.add_token(&token, Role::Viewer, None, author(), now()).await.unwrap();
        store.revoke_token(&made.id, author(), now()).await.unwrap();
        let expected =
            [format!("created token {} (viewer, all tenants)", made.id), format!("revoked token {}", made.id)];
        let found: Vec<_> = audited(&store).await.into_iter().map(|(_, _, what)| what).collect();
        assert_eq!(found, expected);
        store.close().await;
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            let secret = token.expose().as_bytes();
            assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        }
    }

    #[tokio::test]
    async fn a_token_may_end_by_itself_and_says_whose_it_is_and_when_it_was_used() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let token = Token::generate().unwrap();
        let expires_at = Some(now() + TimeDelta::days(1));
        let new = NewToken { name: "wall screen".to_owned(), role: Role::Viewer, tenant: None, expires_at };
        let made = store.add_named_token(&token, new, author(), now()).await.unwrap();
        assert_eq!(made.who(), format!("wall screen (token {})", made.id));
        let later = now() + TimeDelta::hours(23);
        store.note_token(&made, later).await.unwrap();
        let known = store.living_token(&token, later).await.unwrap().unwrap();
        assert_eq!(known.last_used_at, Some(later));
        assert_eq!(store.living_token(&token, now() + TimeDelta::days(1)).await.unwrap(), None, "expired");
    }

    #[test]
    fn tokens_are_long_distinct_and_never_printed() {
        let (one, two) = (Token::generate().unwrap(), Token::generate().unwrap());
        assert_eq!(one.expose().len(), PREFIX.len() + 43);
        assert!(one.expose().starts_with(PREFIX) && one.expose() != two.expose());
        assert!(!format!("{one:?}").contains(one.expose()));
    }
}
