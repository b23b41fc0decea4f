//! Finds out who is asking, by a bearer token or a browser's session.

use std::future::Future;
use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, StatusCode, Uri};
use chrono::{DateTime, Utc};
use tokio::time::Instant;
use url::form_urlencoded;

use super::{Problem, Web, cookie};
use crate::alert::life::{Actor, How};
use crate::service::Reach;
use crate::sign_in::access::{Access, Person};
use crate::store::sessions::{Holder, Session};
use crate::store::tokens::{Author, Role, Token, TokenRecord};
use crate::store::{Store, StoreError};
use crate::ticket::TenantId;

/// The caller as the gate identified them: every handler that shows or changes anything takes one.
#[derive(Clone, Debug)]
pub struct Caller {
    pub role: Role,
    /// What this request is about: no more than the caller may see, and no more than the query asks for.
    pub scope: Reach,
    /// All that the caller may see, whatever this request is about. Forms offer choices from it.
    pub sees: Reach,
    /// The id of a browser's session. Browsers send its cookie automatically.
    pub session: Option<String>,
    /// The id of the token, or of the person who signed in through the identity provider; `None` without either.
    pub token: Option<String>,
    /// The purpose of the token or the name of the person, and the id, for the audit log.
    who: String,
    /// Whether by bearer token or with a browser.
    how: How,
    /// The address that the request comes from.
    origin: String,
}

impl Caller {
    fn holding(token: &TokenRecord, how: How, session: Option<String>, origin: String) -> Self {
        let (who, scope) = (token.who(), token.tenant.clone().map_or(Reach::All, Reach::One));
        Self { role: token.role, sees: scope.clone(), scope, session, token: Some(token.id.clone()), who, how, origin }
    }

    /// Creates the caller for a person who signed in through the identity provider.
    fn person(person: &Person, access: Access, session: String, origin: String) -> Self {
        let scope = access.tenant.map_or(Reach::All, Reach::One);
        let (token, who) = (Some(person.id()), person.who());
        Self {
            role: access.role,
            sees: scope.clone(),
            scope,
            session: Some(session),
            token,
            who,
            how: How::Page,
            origin,
        }
    }

    /// Returns the holder of `session` if they may still do anything.
    fn of_session(session: &Session, holder: Holder, web: &Web, origin: String) -> Option<Self> {
        match holder {
            Holder::Token(token) => Some(Self::holding(&token, How::Page, Some(session.id.clone()), origin)),
            Holder::Person(person) => {
                // By the current rules, not those of when the session began.
                let access = web.options.sign_in.as_ref()?.access(&person)?;
                Some(Self::person(&person, access, session.id.clone(), origin))
            }
        }
    }

    /// Creates the caller for somebody without a token, where that is allowed.
    fn nobody(role: Role, origin: String) -> Self {
        let who = "somebody without a token".to_owned();
        Self { role, scope: Reach::All, sees: Reach::All, session: None, token: None, who, how: How::Page, origin }
    }

    /// Identifies the caller anew by these `headers`, with all that they may see now.
    pub async fn again(headers: &HeaderMap, web: &Web) -> Result<Self, Problem> {
        Self::identify(headers, None, web).await
    }

    /// Returns the one tenant that they may see; `None` means all tenants.
    pub fn tenant(&self) -> Option<&TenantId> {
        self.scope.tenant()
    }

    /// Returns `path` with the tenant that this request is limited to, so that what follows from a page is limited too.
    pub fn path(&self, path: &str) -> String {
        match self.tenant().filter(|_| self.scope != self.sees) {
            Some(tenant) => {
                let query =
                    form_urlencoded::Serializer::new(String::new()).append_pair("tenant", tenant.as_str()).finish();
                format!("{path}?{query}")
            }
            None => path.to_owned(),
        }
    }

    /// Returns the key under which their requests are counted.
    pub fn counted_as(&self) -> &str {
        self.token.as_deref().unwrap_or(&self.origin)
    }

    /// Returns the same caller, limited to `scope`.
    pub fn within(self, scope: Reach) -> Self {
        Self { scope, ..self }
    }

    /// Refuses callers whose role allows less than `role`.
    pub fn needs(&self, role: Role) -> Result<(), Problem> {
        if self.role >= role {
            return Ok(());
        }
        let (own, needed) = (self.role.as_str(), role.as_str());
        Err(Problem::new(StatusCode::FORBIDDEN, format!("a {own} may not do this; use a token of the role `{needed}`")))
    }

    /// Returns the actor for an alert, with the note: the token or person always, preceded by the name given in `by`.
    pub fn actor(&self, by: Option<&str>, note: Option<&str>) -> Actor {
        let name = by.and_then(Actor::named).map(|name| format!("{name} ({})", self.who));
        let name = name.unwrap_or_else(|| self.who.clone());
        Actor { name, how: self.how, origin: self.origin.clone(), note: note.map(Actor::noted) }
    }

    /// Returns their name in the audit log.
    pub fn who(&self) -> &str {
        &self.who
    }

    /// Returns the author of a change, for the audit log.
    pub fn author(&self) -> Author {
        Author { who: self.who.clone(), origin: self.origin.clone() }
    }

    /// Identifies the caller. A wrong bearer token is always refused. A wrong cookie counts as none, because it may be
    /// left over from another service on this host.
    pub async fn identify(headers: &HeaderMap, address: Option<IpAddr>, web: &Web) -> Result<Self, Problem> {
        let origin = words(address);
        let now = web.service.now();
        if let Some(token) = bearer(headers) {
            let known = known_token(web, token, address, now).await?;
            return Ok(Self::holding(&known, How::Api, None, origin));
        }
        if let Some(secret) = cookie::read(web, headers)
            && let Some((session, holder)) = web.store.living_session(&Token::presented(secret), now).await?
            && let Some(caller) = Self::of_session(&session, holder, web, origin.clone())
        {
            note(web, move |store| async move { store.note_session(&session, now).await });
            return Ok(caller);
        }
        let role = web.options.anonymous.ok_or_else(|| {
            Problem::unauthorized("send `Authorization: Bearer TOKEN`; `superops-sla token create` makes a token")
        })?;
        Ok(Self::nobody(role, origin))
    }
}

/// Formats the caller's address for the audit log.
pub fn words(address: Option<IpAddr>) -> String {
    address.map_or_else(|| "an unknown address".to_owned(), |address| address.to_string())
}

/// Returns the token shown from `address` if it is valid. Guessers have to wait, longer each time.
pub async fn known_token(
    web: &Web,
    shown: &str,
    address: Option<IpAddr>,
    now: DateTime<Utc>,
) -> Result<TokenRecord, Problem> {
    if let Some(token) = web.store.living_token(&Token::presented(shown), now).await? {
        let used = token.clone();
        note(web, move |store| async move { store.note_token(&used, now).await });
        return Ok(token);
    }
    Err(guessed(web, address, UNKNOWN))
}

/// Returns the answer to an unknown token shown from `address`: `detail`, or that it must wait.
pub fn guessed(web: &Web, address: Option<IpAddr>, detail: &str) -> Problem {
    let Some(address) = address else { return Problem::unauthorized(detail) };
    if let Some(wait) = web.limits.wait_of(address, Instant::now()) {
        return Problem::too_much(wait, "too many unknown tokens came from this address; wait before the next");
    }
    web.telemetry.web.guesses.inc();
    web.limits.guessed(address, Instant::now());
    Problem::unauthorized(detail)
}

const UNKNOWN: &str = "this token is unknown, expired or revoked";

/// Records something in the background: no answer waits for it or fails because of it.
fn note<F, T>(web: &Web, write: impl FnOnce(Store) -> F)
where
    F: Future<Output = Result<T, StoreError>> + Send + 'static,
{
    let writing = write(web.store.clone());
    tokio::spawn(async move {
        if let Err(error) = writing.await {
            tracing::debug!(error = %error, "could not record when a token was last used");
        }
    });
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // The gate has put one here on every route that needs a role.
        let caller = parts.extensions.get::<Self>().cloned();
        caller
            .ok_or_else(|| Problem::unauthorized("the service did not check who you are; this is a bug in the service"))
    }
}

/// The longest address, in bytes, that people come back to after the login: encoded, it has to fit into another.
pub const LONGEST_NEXT: usize = 2_000;

/// Returns the address of the login page, from which people come back to the page they `wanted`, with its query.
pub fn login_for(wanted: &Uri) -> String {
    let whole = wanted.path_and_query().map_or("/", PathAndQuery::as_str);
    let next = if whole.len() <= LONGEST_NEXT { whole } else { wanted.path() };
    if next == "/" {
        return "/login".to_owned();
    }
    format!("/login?{}", form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish())
}

/// Returns the token in `Authorization: Bearer TOKEN`.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
