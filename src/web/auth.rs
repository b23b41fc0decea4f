//! Who is asking: a bearer token, or the same token in a browser's cookie.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Redirect, Response};

use super::{Problem, Web};
use crate::service::Scope;
use crate::store::tokens::{Role, Token, TokenRecord};

/// The cookie that holds a browser's token.
pub const COOKIE_NAME: &str = "sla_token";

/// Somebody who may read what lies in `scope`. Every route of the API asks for one.
#[derive(Clone, Debug)]
pub struct Caller {
    pub role: Role,
    pub scope: Scope,
}

impl Caller {
    fn holding(token: TokenRecord) -> Self {
        Self { role: token.role, scope: token.tenant.map_or(Scope::All, Scope::One) }
    }

    /// A wrong bearer token is always refused. A wrong cookie is as good as none:
    /// it may be left over from another service on this host.
    async fn identify(headers: &HeaderMap, web: &Web) -> Result<Self, Problem> {
        if let Some(token) = bearer(headers) {
            let known = web.store.living_token(&Token::presented(token)).await?;
            return known.map(Self::holding).ok_or_else(|| Problem::unauthorized("this token is unknown or revoked"));
        }
        if let Some(token) = cookie(headers)
            && let Some(known) = web.store.living_token(&Token::presented(token)).await?
        {
            return Ok(Self::holding(known));
        }
        let anonymous = web.options.anonymous.map(|role| Self { role, scope: Scope::All });
        anonymous.ok_or_else(|| {
            Problem::unauthorized("send `Authorization: Bearer TOKEN`; `superops-sla token create` makes a token")
        })
    }
}

impl FromRequestParts<Arc<Web>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Arc<Web>) -> Result<Self, Problem> {
        Self::identify(&parts.headers, web).await
    }
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
