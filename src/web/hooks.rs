//! Calls from SuperOps: only ever a hint that something changed.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::auth::bearer;
use super::{Problem, Web};
use crate::ticket::TenantId;

/// The header for the shared secret if SuperOps' webhook cannot send a bearer token.
const SECRET_HEADER: &str = "X-Superops-Sla-Secret";

/// The most of a body that is read, only so that the sender can finish; its content is ignored.
const BODY_MAX: usize = 64 * 1024;

/// POST /hooks/superops/{tenant}
pub async fn superops(
    State(web): State<Arc<Web>>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    let tenant = TenantId::parse(&tenant).map_err(|_| Problem::not_found("hook"))?;
    let secret = web.options.hooks.get(&tenant).ok_or_else(|| Problem::not_found("hook"))?;
    if !knows(secret, &headers) {
        return Err(Problem::unauthorized(
            "send the tenant's `hook_secret` in `X-Superops-Sla-Secret` or as bearer token",
        ));
    }
    // A body that is cut short or too large does not matter: the hint has been given.
    let _ = to_bytes(body, BODY_MAX).await;
    web.service.hint(&tenant);
    Ok(StatusCode::ACCEPTED)
}

fn knows(secret: &SecretString, headers: &HeaderMap) -> bool {
    let own = headers.get(SECRET_HEADER).map(|value| value.as_bytes());
    let given = own.or_else(|| bearer(headers).map(str::as_bytes)).unwrap_or_default();
    let expected = secret.expose_secret().as_bytes();
    !expected.is_empty() && bool::from(expected.ct_eq(given))
}
