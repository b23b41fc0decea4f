//! Who is asking: a bearer token, or the same token in a browser's cookie.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};

use super::{Problem, Web};
use crate::alert::life::{Actor, How};
use crate::service::Scope;
use crate::store::tokens::{Author, Role, Token, TokenRecord};

/// The cookie that holds a browser's token.
pub const COOKIE_NAME: &str = "sla_token";
/// A longer name is no name.
const LONGEST_NAME: usize = 60;
/// More is a report; it belongs on the ticket.
const LONGEST_NOTE: usize = 500;

/// Somebody who may read what lies in `scope`. Every route of the API asks for one.
#[derive(Clone, Debug)]
pub struct Caller {
    pub role: Role,
    pub scope: Scope,
    /// The token by its id, for the audit log.
    who: String,
    /// By bearer token, or with a browser.
    how: How,
    /// The address that asks.
    origin: String,
}

impl Caller {
    fn holding(token: TokenRecord, how: How) -> Self {
        let who = format!("token {}", token.id);
        Self { role: token.role, scope: token.tenant.map_or(Scope::All, Scope::One), who, how, origin: String::new() }
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
    async fn identify(headers: &HeaderMap, web: &Web) -> Result<Self, Problem> {
        if let Some(token) = bearer(headers) {
            let known = web.store.living_token(&Token::presented(token)).await?;
            return known
                .map(|token| Self::holding(token, How::Api))
                .ok_or_else(|| Problem::unauthorized("this token is unknown or revoked"));
        }
        if let Some(token) = cookie(headers)
            && let Some(known) = web.store.living_token(&Token::presented(token)).await?
        {
            return Ok(Self::holding(known, How::Page));
        }
        let anonymous = web.options.anonymous.map(|role| {
            let (who, origin) = ("somebody without a token".to_owned(), String::new());
            Self { role, scope: Scope::All, who, how: How::Page, origin }
        });
        anonymous.ok_or_else(|| {
            Problem::unauthorized("send `Authorization: Bearer TOKEN`; `superops-sla token create` makes a token")
        })
    }
}

impl FromRequestParts<Arc<Web>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Arc<Web>) -> Result<Self, Problem> {
        let caller = Self::identify(&parts.headers, web).await?;
        if caller.how == How::Page && !parts.method.is_safe() && is_sent_by_another_site(&parts.headers) {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "another site may not make a browser change anything here",
            ));
        }
        let address = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip().to_string());
        Ok(Self { origin: address.unwrap_or_else(|| "an unknown address".to_owned()), ..caller })
    }
}

/// Browsers say where a request comes from; our own pages are the only ones that may change anything.
fn is_sent_by_another_site(headers: &HeaderMap) -> bool {
    let site = headers.get("Sec-Fetch-Site").map(HeaderValue::as_bytes);
    site.is_some_and(|site| site != b"same-origin" && site != b"none")
}

/// Somebody at a browser: a stranger is sent to the login page, and back afterwards.
pub struct Visitor(pub Caller);

impl FromRequestParts<Arc<Web>> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, web: &Arc<Web>) -> Result<Self, Response> {
        match Caller::identify(&parts.headers, web).await {
            Ok(caller) => Ok(Self(caller)),
            Err(problem) if problem.is_unauthorized() => Err(Redirect::to(&login_for(&parts.uri)).into_response()),
            Err(problem) => Err(problem.into_response()),
        }
    }
}

fn login_for(wanted: &Uri) -> String {
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
