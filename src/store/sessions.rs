//! Signed-in browsers. A session has its own secret, which is worthless once the session has ended.
//!
//! It ends when somebody signs out or ends it, after half a day without use, after thirty days, and with the token that
//! opened it. A session of a person from the identity provider ends when that provider has to be asked again.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::audit::{Author, audit};
use super::tokens::{Token, TokenRecord, called};
use super::{Store, StoreError, instant, millis};
use crate::sign_in::access::{Access, Person};
use crate::sign_in::settings::LONGEST_SESSION;
use crate::store::sealed::{ORIGIN, SIGNED_IN};
use crate::store::sql::{self, Connection};
use crate::ticket::TenantId;

/// How long a session may go unused before it ends.
pub const IDLE: TimeDelta = TimeDelta::hours(12);
/// The longest that a session lasts, however much it is used.
pub const LONGEST: TimeDelta = LONGEST_SESSION;
/// How often the use of a session is written down.
const NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);
/// The most sessions of one token or person; the one that was unused for longest makes room.
const MOST_OF_A_TOKEN: i64 = 50;
/// How many characters of the browser's description are kept: enough to recognize it.
const LONGEST_BROWSER: usize = 160;

/// One browser that is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Session {
    pub id: String,
    /// The token that it was opened with, or the person who signed in by the identity provider, by their id.
    pub token: String,
    /// That person's name; none: it was opened with a token.
    pub person: Option<String>,
    pub opened_at: DateTime<Utc>,
    pub used_at: DateTime<Utc>,
    /// The address that it was opened from.
    pub origin: String,
    /// What the browser says of itself.
    pub browser: String,
}

type Row = (String, String, i64, i64, String, String, Option<String>);

/// Who opens a session.
#[derive(Clone, Debug)]
pub enum Opener<'o> {
    /// The holder of the token.
    Token(&'o TokenRecord),
    /// A person whom the identity provider vouches for, for this long.
    Person(&'o Person, &'o Access, TimeDelta),
}

/// Who opened a valid session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    Token(TokenRecord),
    Person(Person),
}

impl Opener<'_> {
    fn id(&self) -> String {
        match self {
            Self::Token(token) => token.id.clone(),
            Self::Person(person, ..) => person.id(),
        }
    }

    /// The name for the audit log.
    pub fn who(&self) -> String {
        match self {
            Self::Token(token) => token.who(),
            Self::Person(person, ..) => person.who(),
        }
    }

    fn tenant(&self) -> Option<TenantId> {
        match self {
            Self::Token(token) => token.tenant.clone(),
            Self::Person(_, access, _) => access.tenant.clone(),
        }
    }

    fn person(&self) -> Option<&Person> {
        match self {
            Self::Token(_) => None,
            Self::Person(person, ..) => Some(person),
        }
    }

    /// When the session ends in any case, however much it is used.
    fn ends_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Token(_) => None,
            Self::Person(_, _, length) => Some(now + *length),
        }
    }
}

/// A new session with the values that are stored beside it.
struct New {
    session: Session,
    hash: String,
    person: Option<String>,
    tenant: Option<TenantId>,
    ends_at: Option<DateTime<Utc>>,
}

impl Store {
    /// Opens a session of `opener` for the holder of `secret`.
    pub async fn open_session(
        &self,
        secret: &Token,
        opener: Opener<'_>,
        browser: &str,
        author: Author,
        now: DateTime<Utc>,
    ) -> Result<Session, StoreError> {
        let session = Session {
            id: secret.id(),
            token: opener.id(),
            person: opener.person().map(|person| person.name.clone()),
            opened_at: now,
            used_at: now,
            origin: author.origin.clone(),
            browser: browser.chars().filter(|c| !c.is_control()).take(LONGEST_BROWSER).collect(),
        };
        let person = opener.person().map(serde_json::to_string).transpose();
        let person = person.map_err(|error| StoreError::Unreadable(error.to_string()))?;
        let (tenant, ends_at) = (opener.tenant(), opener.ends_at(now));
        let new = New { session: session.clone(), hash: secret.hash(), person, tenant, ends_at };
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    make_room(tx, &new.session.token, now).await?;
                    insert(tx, &new).await?;
                    let what = format!("signed in (session {})", new.session.id);
                    audit(tx, new.tenant.as_ref(), &what, &author, now).await
                })
            })
            .await?;
        Ok(session)
    }

    /// Returns the session of `secret` and its opener, if valid at `now`. The caller knows what a person may do.
    pub async fn living_session(
        &self,
        secret: &Token,
        now: DateTime<Utc>,
    ) -> Result<Option<(Session, Holder)>, StoreError> {
        let row: Option<Row> = sql::query_as(
            "SELECT id, token, opened_at, used_at, origin, browser, person FROM sessions
             WHERE hash = $1 AND used_at > $2 AND opened_at > $3 AND (ends_at IS NULL OR ends_at > $4)",
        )
        .bind(secret.hash())
        .bind(millis(now - IDLE))
        .bind(millis(now - LONGEST))
        .bind(millis(now))
        .fetch_optional(&self.reads)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let person = row.6.as_deref().map(person).transpose()?;
        let session = session(row)?;
        let holder = match person {
            Some(person) => Some(Holder::Person(person)),
            None => self.token_by_id(&session.token, now).await?.map(Holder::Token),
        };
        Ok(holder.map(|holder| (session, holder)))
    }

    /// Writes down that `session` was used, unless that was done a moment ago.
    pub async fn note_session(&self, session: &Session, now: DateTime<Utc>) -> Result<(), StoreError> {
        if now - session.used_at < NOTED_EVERY {
            return Ok(());
        }
        let id = session.id.clone();
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let note = sql::query("UPDATE sessions SET used_at = $1 WHERE id = $2");
                    note.bind(millis(now)).bind(id).execute(tx).await.map(drop)
                })
            })
            .await
    }

    /// Ends the session `id`, of `token` if one is given. False if there is none.
    pub async fn end_session(
        &self,
        id: &str,
        token: Option<&str>,
        author: Author,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let (id, token) = (id.to_owned(), token.map(str::to_owned));
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let Some((who, tenant)) = opened_by(tx, &id, token.as_deref()).await? else { return Ok(false) };
                    sql::query("DELETE FROM sessions WHERE id = $1").bind(&id).execute(&mut *tx).await?;
                    audit(tx, tenant.as_ref(), &format!("ended session {id} of {who}"), &author, now).await?;
                    Ok(true)
                })
            })
            .await
    }

    /// Returns the sessions that are valid at `now`, of `token` or of all, the last used first.
    pub async fn sessions(&self, token: Option<&str>, now: DateTime<Utc>) -> Result<Vec<Session>, StoreError> {
        let rows: Vec<Row> = sql::query_as(
            "SELECT id, token, opened_at, used_at, origin, browser, person FROM sessions
             WHERE (token = $1 OR $1 IS NULL) AND used_at > $2 AND opened_at > $3 AND (ends_at IS NULL OR ends_at > $4)
             ORDER BY used_at DESC, id LIMIT 500",
        )
        .bind(token)
        .bind(millis(now - IDLE))
        .bind(millis(now - LONGEST))
        .bind(millis(now))
        .fetch_all(&self.reads)
        .await?;
        rows.into_iter().map(session).collect()
    }
}

/// The token of a session; the person who signed in, its tenant and the name of the token, if there are such.
type Opened = (String, Option<String>, Option<String>, Option<String>);

/// Returns who opened the session `id`, of `token` if one is given, by their name for the audit log, and their tenant.
async fn opened_by(
    tx: &mut Connection,
    id: &str,
    token: Option<&str>,
) -> Result<Option<(String, Option<TenantId>)>, sql::Error> {
    let row: Option<Opened> = sql::query_as(
        "SELECT s.token, s.person, s.tenant, t.name FROM sessions s LEFT JOIN tokens t ON t.id = s.token
         WHERE s.id = $1 AND (s.token = $2 OR $2 IS NULL)",
    )
    .bind(id)
    .bind(token)
    .fetch_optional(tx)
    .await?;
    let Some((token, signed_in, tenant, name)) = row else { return Ok(None) };
    let who = match signed_in {
        Some(text) => person(&text).map_or(token, |person| person.who()),
        None => called(&token, name.as_deref().unwrap_or_default()),
    };
    let tenant = tenant.as_deref().map(TenantId::parse).transpose();
    Ok(Some((who, tenant.map_err(|error| sql::Error::Decode(error.into()))?)))
}

/// Deletes sessions that have ended, and those beyond the limit.
async fn make_room(tx: &mut Connection, token: &str, now: DateTime<Utc>) -> Result<(), sql::Error> {
    let ended = sql::query("DELETE FROM sessions WHERE opened_at <= $1 OR used_at <= $2 OR ends_at <= $3");
    ended.bind(millis(now - LONGEST)).bind(millis(now - IDLE)).bind(millis(now)).execute(&mut *tx).await?;
    let oldest = "SELECT used_at FROM sessions WHERE token = $1 ORDER BY used_at DESC LIMIT 1 OFFSET $2";
    let oldest: Option<i64> =
        sql::query_scalar(oldest).bind(token).bind(MOST_OF_A_TOKEN - 1).fetch_optional(&mut *tx).await?;
    let Some(oldest) = oldest else { return Ok(()) };
    let crowd = sql::query("DELETE FROM sessions WHERE token = $1 AND used_at <= $2");
    crowd.bind(token).bind(oldest).execute(tx).await.map(drop)
}

async fn insert(tx: &mut Connection, New { session, hash, person, tenant, ends_at }: &New) -> Result<(), sql::Error> {
    sql::query(
        "INSERT INTO sessions (id, hash, token, opened_at, used_at, origin, browser, person, ends_at, tenant)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(&session.id)
    .bind(hash)
    .bind(&session.token)
    .bind(millis(session.opened_at))
    .bind(millis(session.used_at))
    .bind(ORIGIN.seal(&[&session.id], session.origin.as_str()))
    .bind(&session.browser)
    .bind(person.as_ref().map(|person| SIGNED_IN.seal(&[&session.id], person)))
    .bind(ends_at.map(millis))
    .bind(tenant.as_ref().map(TenantId::as_str))
    .execute(tx)
    .await
    .map(drop)
}

fn session((id, token, opened_at, used_at, origin, browser, person_text): Row) -> Result<Session, StoreError> {
    let person = person_text.as_deref().map(person).transpose()?.map(|person| person.name);
    Ok(Session { id, token, person, opened_at: instant(opened_at)?, used_at: instant(used_at)?, origin, browser })
}

fn person(text: &str) -> Result<Person, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Unreadable(format!("the person of a session: {error}")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::tokens::Role;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn author() -> Author {
        Author { who: "token".to_owned(), origin: "127.0.0.1".to_owned() }
    }

    struct Signed {
        store: Store,
        token: TokenRecord,
        secret: Token,
        session: Session,
        _folder: tempfile::TempDir,
    }

    async fn signed_in() -> Signed {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("sla.db"), Arc::default()).await.unwrap();
        let (key, secret) = (Token::generate().unwrap(), Token::generate().unwrap());
        let token = store.add_token(&key, Role::Viewer, None, author(), now()).await.unwrap();
        let session = store.open_session(&secret, Opener::Token(&token), "Firefox", author(), now()).await.unwrap();
        Signed { store, token, secret, session, _folder: folder }
    }

    #[tokio::test]
    async fn a_session_ends_when_it_is_idle_old_ended_or_its_token_revoked() {
        let Signed { store, token, secret, mut session, _folder } = signed_in().await;
        let good = async |at| store.living_session(&secret, at).await.unwrap().is_some();
        assert!(good(now() + IDLE - TimeDelta::seconds(1)).await);
        assert!(!good(now() + IDLE).await, "idle");
        let mut at = now();
        while at < now() + LONGEST - TimeDelta::hours(6) {
            at += TimeDelta::hours(6);
            store.note_session(&session, at).await.unwrap();
            session.used_at = at;
        }
        assert!(good(now() + LONGEST - TimeDelta::seconds(1)).await);
        assert!(!good(now() + LONGEST).await, "old, however much it was used");
        assert!(!store.end_session(&session.id, Some("another"), author(), at).await.unwrap());
        assert!(store.end_session(&session.id, Some(&token.id), author(), at).await.unwrap());
        assert!(!good(at).await, "ended");

        let again = Token::generate().unwrap();
        store.open_session(&again, Opener::Token(&token), "", author(), at).await.unwrap();
        store.revoke_token(&token.id, author(), at).await.unwrap();
        assert_eq!(store.living_session(&again, at).await.unwrap(), None, "its token is revoked");
    }

    #[tokio::test]
    async fn the_end_of_a_session_is_logged_with_whose_it_was_and_their_tenant() {
        let Signed { store, session, token: first, _folder, .. } = signed_in().await;
        let acme = TenantId::parse("acme").unwrap();
        let (key, secret) = (Token::generate().unwrap(), Token::generate().unwrap());
        let token = store.add_token(&key, Role::Viewer, Some(acme), author(), now()).await.unwrap();
        let bound = store.open_session(&secret, Opener::Token(&token), "", author(), now()).await.unwrap();
        let mia = Person {
            issuer: "https://id.example".to_owned(),
            subject: "7".to_owned(),
            name: "Mia".to_owned(),
            email: None,
            groups: Vec::new(),
        };
        let access = Access { role: Role::Viewer, tenant: token.tenant.clone() };
        let (secret, opener) = (Token::generate().unwrap(), Opener::Person(&mia, &access, TimeDelta::hours(1)));
        let persons = store.open_session(&secret, opener, "", author(), now()).await.unwrap();
        for id in [&session.id, &bound.id, &persons.id] {
            assert!(store.end_session(id, None, author(), now()).await.unwrap());
        }
        let rows = "SELECT tenant, what FROM audit WHERE what LIKE 'ended %' ORDER BY id";
        let rows: Vec<(Option<String>, String)> = sql::query_as(rows).fetch_all(&store.reads).await.unwrap();
        let ended = |tenant: Option<&str>, session: &Session, who: String| {
            (tenant.map(str::to_owned), format!("ended session {} of {who}", session.id))
        };
        let expected = [
            ended(None, &session, first.who()),
            ended(Some("acme"), &bound, token.who()),
            ended(Some("acme"), &persons, mia.who()),
        ];
        assert_eq!(rows, expected);
    }

    #[tokio::test]
    async fn a_token_opens_only_so_many_sessions_and_the_idlest_makes_room() {
        let Signed { store, token, secret, _folder, .. } = signed_in().await;
        for number in 1..=MOST_OF_A_TOKEN {
            let at = now() + TimeDelta::seconds(number);
            store.open_session(&Token::generate().unwrap(), Opener::Token(&token), "", author(), at).await.unwrap();
        }
        let at = now() + TimeDelta::minutes(2);
        assert_eq!(store.sessions(Some(&token.id), at).await.unwrap().len() as i64, MOST_OF_A_TOKEN);
        assert_eq!(store.living_session(&secret, at).await.unwrap(), None, "the first has made room");
    }

    #[tokio::test]
    async fn a_person_signs_in_anew_when_the_time_is_over_and_has_sessions_of_their_own() {
        let Signed { store, token, _folder, .. } = signed_in().await;
        let mia = Person {
            issuer: "https://id.example".to_owned(),
            subject: "7".to_owned(),
            name: "Mia".to_owned(),
            email: None,
            groups: vec!["desk".to_owned()],
        };
        let access = Access { role: Role::Responder, tenant: None };
        let (secret, length) = (Token::generate().unwrap(), TimeDelta::hours(4));
        let opener = Opener::Person(&mia, &access, length);
        let opened = store.open_session(&secret, opener, "Firefox", author(), now()).await.unwrap();
        assert_eq!(opened.person.as_deref(), Some("Mia"));
        let before = now() + length - TimeDelta::seconds(1);
        let held = store.living_session(&secret, before).await.unwrap();
        assert_eq!(held, Some((opened.clone(), Holder::Person(mia.clone()))));
        assert_eq!(store.living_session(&secret, now() + length).await.unwrap(), None);
        assert_eq!(store.sessions(Some(&mia.id()), before).await.unwrap(), [opened]);
        assert_eq!(store.sessions(Some(&mia.id()), now() + length).await.unwrap(), []);
        assert_eq!(store.sessions(Some(&token.id), before).await.unwrap().len(), 1, "the token's own");
    }
}
