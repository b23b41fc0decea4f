//! Who is asking: a bearer token, or the same token in a browser's cookie.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri};

use super::{Problem, Web};
use crate::alert::life::{Actor, How};
use crate::service::Reach;
use crate::store::tokens::{Author, Role, Token, TokenRecord};

/// The cookie that holds a browser's token.
pub const COOKIE_NAME: &str = "sla_token";
/// A longer name is no name.
const LONGEST_NAME: usize = 60;
/// More is a report; it belongs on the ticket.
const LONGEST_NOTE: usize = 500;

/// Who is asking, as the gate found out: every handler that shows or changes anything takes one.
#[derive(Clone, Debug)]
pub struct Caller {
    pub role: Role,
    /// What this request is about: no more than the caller may see, and than the query asks for.
    pub scope: Reach,
    /// Whether a browser sent a cookie, which goes along by itself.
    pub by_cookie: bool,
    /// The token by its id, for the audit log.
    who: String,
    /// By bearer token, or with a browser.
    how: How,
    /// The address that asks.
    origin: String,
}

impl Caller {
    fn holding(token: TokenRecord, how: How, origin: String) -> Self {
        let who = format!("token {}", token.id);
        let scope = token.tenant.map_or(Reach::All, Reach::One);
        Self { role: token.role, scope, by_cookie: how == How::Page, who, how, origin }
    }

    /// The same, about no more than `scope`.
    pub fn within(self, scope: Reach) -> Self {
        Self { scope, ..self }
    }

    /// Refuses whoever may not do what a `role` may.
    pub fn needs(&self, role: Role) -> Result<(), Problem> {
        if self.role >= role {
            return Ok(());
        }
        let (own, needed) = (self.role.as_str(), role.as_str());
        Err(Problem::new(StatusCode::FORBIDDEN, format!("a {own} may not do this; use a token of the role `{needed}`")))
    }

    /// Who acts on an alert: the person that is named, and always the token; and what that one says about it.
    pub fn actor(&self, by: Option<&str>, note: Option<&str>) -> Actor {
        let by = by.map(|name| name.trim().chars().take(LONGEST_NAME).collect::<String>());
        let name = by.filter(|name| !name.is_empty()).map(|name| format!("{name} ({})", self.who));
        let name = name.unwrap_or_else(|| self.who.clone());
        let note = note.map(|note| note.trim().chars().take(LONGEST_NOTE).collect());
        Actor { name, how: self.how, origin: self.origin.clone(), note }
    }

    /// Who makes a change, for the audit log.
    pub fn author(&self) -> Author {
        Author { who: self.who.clone(), origin: self.origin.clone() }
    }

    /// A wrong bearer token is always refused. A wrong cookie is as good as none:
    /// it may be left over from another service on this host.
    pub async fn identify(headers: &HeaderMap, address: Option<IpAddr>, web: &Web) -> Result<Self, Problem> {
        let origin = address.map_or_else(|| "an unknown address".to_owned(), |address| address.to_string());
        if let Some(token) = bearer(headers) {
            let known = web.store.living_token(&Token::presented(token)).await?;
            let token = known.ok_or_else(|| Problem::unauthorized("this token is unknown or revoked"))?;
            return Ok(Self::holding(token, How::Api, origin));
        }
        if let Some(token) = cookie(headers)
            && let Some(known) = web.store.living_token(&Token::presented(token)).await?
        {
            return Ok(Self::holding(known, How::Page, origin));
        }
        let role = web.options.anonymous.ok_or_else(|| {
            Problem::unauthorized("send `Authorization: Bearer TOKEN`; `superops-sla token create` makes a token")
        })?;
        let who = "somebody without a token".to_owned();
        Ok(Self { role, scope: Reach::All, by_cookie: false, who, how: How::Page, origin })
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // Behind the gate there is one, on every route that needs a role.
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| Problem::unauthorized("nobody was asked who you are; this is a fault of the service"))
    }
}

/// Where whoever wanted a page signs in, and comes back from.
pub fn login_for(wanted: &Uri) -> String {
    match wanted.path() {
        "/" => "/login".to_owned(),
        // These two may stand in a path, and mean something else in a query.
        path => format!("/login?next={}", path.replace('&', "%26").replace('+', "%2B")),
    }
}

/// The token in `Authorization: Bearer TOKEN`.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|value| value.split(';')).find_map(|pair| pair.trim().strip_prefix(COOKIE_NAME)?.strip_prefix('='))
}
