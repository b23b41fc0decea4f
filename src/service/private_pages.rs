//! Status pages for single clients: who has one, and the links that lead to them.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Complaint, Reach, Service, ServiceError};
use crate::keys::Secret;
use crate::store::millis;
use crate::store::private_pages::PrivatePage;
use crate::store::tokens::Author;
use crate::ticket::TenantId;

/// A request for a link to the page of a client.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PrivatePageOrder {
    /// As components name it.
    pub client: String,
    /// Needed where several tenants have a client of that name.
    pub tenant: Option<String>,
}

/// A page for one client, by what names its link in lists and in the audit log.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PrivatePageView {
    pub id: String,
    pub tenant: String,
    pub client: String,
    pub made_at: DateTime<Utc>,
    /// None: the link is good.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A page whose link was just made. It is shown this once.
#[derive(Clone, Serialize, ToSchema)]
pub struct PrivatePageMade {
    #[serde(flatten)]
    pub page: PrivatePageView,
    /// Whoever has it may read the page. Without `public_url` it begins with a slash.
    pub link: String,
}

impl Service {
    /// The links within `scope`, including those revoked lately, the newest first.
    pub async fn private_pages(&self, scope: &Reach) -> Result<Vec<PrivatePageView>, ServiceError> {
        let pages = self.store.private_pages().await?.into_iter();
        Ok(pages.filter(|page| is_within(scope, page)).map(view).collect())
    }

    /// Makes a link to the page of a client; none if there is no such tenant within `scope`.
    pub async fn make_private_page(
        &self,
        scope: &Reach,
        order: &PrivatePageOrder,
        author: Author,
    ) -> Result<Option<PrivatePageMade>, ServiceError> {
        let named = order.tenant.as_deref().filter(|name| !name.trim().is_empty());
        if named.is_some_and(|name| !self.tenants(scope).any(|tenant| tenant.id.as_str() == name)) {
            return Ok(None);
        }
        if self.config.uptime.status_page.is_none() {
            let rule = "there is no status page: add [status_page] to the configuration";
            return Err(ServiceError::BadQuestion(Complaint::whole(rule)));
        }
        let tenant = self.tenant_of_client(scope, order)?;
        let secret = Secret::generate().map_err(|error| ServiceError::NoRandomness(error.to_string()))?;
        let now = self.clock.now();
        let page = self.store.add_private_page(&secret, tenant, order.client.clone(), author, now).await?;
        self.show_pages_anew();
        let base = self.config.server.public_url.as_deref().unwrap_or_default();
        Ok(Some(PrivatePageMade { page: view(page), link: format!("{base}/status/for/{}/", secret.expose()) }))
    }

    /// Revokes a link within `scope`; none if no good link has that id.
    pub async fn revoke_private_page(
        &self,
        scope: &Reach,
        id: &str,
        author: Author,
    ) -> Result<Option<PrivatePageView>, ServiceError> {
        let is_theirs = self.store.private_pages().await?.iter().any(|page| page.id == id && is_within(scope, page));
        if !is_theirs {
            return Ok(None);
        }
        let revoked = self.store.revoke_private_page(id, author, self.clock.now()).await?;
        self.show_pages_anew();
        Ok(revoked.map(view))
    }

    /// Makes the page renderer read again which pages there are.
    fn show_pages_anew(&self) {
        if let Some(monitor_state) = &self.monitor_state {
            monitor_state.ring(millis(self.clock.now()));
        }
    }

    fn tenant_of_client(&self, scope: &Reach, order: &PrivatePageOrder) -> Result<TenantId, ServiceError> {
        let all = self.config.uptime.components.iter();
        let all = all.filter(|one| scope.tenant().is_none_or(|tenant| *tenant == one.tenant));
        let theirs = all.clone().filter(|one| one.client.as_deref() == Some(order.client.as_str()));
        let tenants: BTreeSet<&TenantId> = theirs.map(|one| &one.tenant).collect();
        let wanted = |tenant: &&TenantId| order.tenant.as_deref().is_none_or(|wanted| tenant.as_str() == wanted);
        let tenants: Vec<_> = tenants.into_iter().filter(wanted).collect();
        match tenants.as_slice() {
            [only] => Ok((*only).clone()),
            [] => {
                let known: BTreeSet<_> = all.filter_map(|one| one.client.as_deref()).collect();
                let known: Vec<_> = known.into_iter().map(|name| format!("`{name}`")).collect();
                let known = if known.is_empty() { "no client".to_owned() } else { known.join(", ") };
                let client = &order.client;
                let rule = format!("no component belongs to the client `{client}`; there are components of {known}");
                Err(ServiceError::BadQuestion(Complaint::about("client", rule)))
            }
            _ => {
                let rule = format!("several tenants have a client `{}`: name one as `tenant`", order.client);
                Err(ServiceError::BadQuestion(Complaint::about("tenant", rule)))
            }
        }
    }
}

fn is_within(scope: &Reach, page: &PrivatePage) -> bool {
    scope.tenant().is_none_or(|tenant| *tenant == page.tenant)
}

fn view(page: PrivatePage) -> PrivatePageView {
    let PrivatePage { id, tenant, client, made_at, revoked_at, .. } = page;
    PrivatePageView { id, tenant: tenant.to_string(), client, made_at, revoked_at }
}
