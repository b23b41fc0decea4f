//! Tokens as administrators make, see and revoke them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ending::end_of;
use super::{Complaint, Reach, Service, ServiceError};
use crate::store::tokens::{Author, NewToken, Role, Token, TokenRecord};
use crate::ticket::TenantId;

/// The most tokens in one answer; the newest come first.
const MOST: usize = 500;

/// A request for a token.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenOrder {
    /// Who or what it is for; 60 characters at most.
    pub name: String,
    pub role: Role,
    /// The one tenant that it may see; by default all that the caller may see.
    pub tenant: Option<String>,
    /// How long it lasts: `90d`. By default, until it is revoked.
    #[serde(rename = "for")]
    pub length: Option<String>,
    /// Until when it lasts.
    pub until: Option<DateTime<Utc>>,
}

/// A token that was just made. Its text is shown this once.
#[derive(Clone, Serialize, ToSchema)]
pub struct TokenMade {
    #[serde(flatten)]
    pub record: TokenRecord,
    /// What goes after `Authorization: Bearer`.
    pub token: String,
}

impl Service {
    /// The tokens within `scope`, the newest first.
    pub async fn tokens(&self, scope: &Reach) -> Result<Vec<TokenRecord>, ServiceError> {
        let mut tokens = self.store.tokens().await?;
        tokens.retain(|token| is_within(scope, token));
        tokens.truncate(MOST);
        Ok(tokens)
    }

    /// Makes a token; none if the tenant that it names is not within `scope`.
    pub async fn make_token(
        &self,
        scope: &Reach,
        order: &TokenOrder,
        author: Author,
    ) -> Result<Option<TokenMade>, ServiceError> {
        let now = self.clock.now();
        let Ok(tenant) = self.tenant_of_token(scope, order.tenant.as_deref()) else { return Ok(None) };
        let filled = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let expires_at = match (filled(&order.length), order.until) {
            (None, None) => None,
            (length, until) => Some(end_of(now, length.as_deref(), until)?),
        };
        let name = NewToken::cleaned(&order.name);
        if name.is_empty() {
            return Err(ServiceError::BadQuestion(Complaint::of("name", "must say who or what the token is for")));
        }
        let token = Token::generate().map_err(|error| ServiceError::NoRandomness(error.to_string()))?;
        let new = NewToken { name, role: order.role, tenant, expires_at };
        let record = self.store.add_named_token(&token, new, author, now).await?;
        Ok(Some(TokenMade { record, token: token.expose().to_owned() }))
    }

    /// Revokes a token within `scope`; false if there is no live one.
    pub async fn revoke_token(&self, scope: &Reach, id: &str, author: Author) -> Result<bool, ServiceError> {
        let is_theirs = self.store.tokens().await?.iter().any(|token| token.id == id && is_within(scope, token));
        Ok(is_theirs && self.store.revoke_token(id, author, self.clock.now()).await?.is_some())
    }

    /// The tenant whose data the token shows: the one asked for, or all that the caller may see.
    fn tenant_of_token(&self, scope: &Reach, wanted: Option<&str>) -> Result<Option<TenantId>, NoSuchTenant> {
        match wanted.map(str::trim).filter(|name| !name.is_empty()) {
            None => Ok(scope.tenant().cloned()),
            Some(name) => {
                let found = self.tenants(scope).find(|tenant| tenant.id.as_str() == name);
                found.map(|tenant| Some(tenant.id.clone())).ok_or(NoSuchTenant)
            }
        }
    }
}

struct NoSuchTenant;

fn is_within(scope: &Reach, token: &TokenRecord) -> bool {
    match (scope, &token.tenant) {
        (Reach::All, _) => true,
        (Reach::One(own), Some(tenant)) => own == tenant,
        (Reach::One(_), None) => false,
    }
}
