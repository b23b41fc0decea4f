//! Silences and maintenance windows as people make, see and end them.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::alerts::end_of;
use super::{Scope, Service, ServiceError};
use crate::alert::overlay::{Matchers, Overlay, OverlayKind};
use crate::store::audit::Author;
use crate::store::overlays::NewOverlay;
use crate::ticket::TenantId;

/// Longer than this, it is not for a while.
const LONGEST: TimeDelta = TimeDelta::days(366);
/// Longer texts are no names and no reasons.
const LONGEST_TEXT: usize = 500;

/// A silence or a maintenance window.
#[derive(Clone, Debug, Serialize)]
pub struct OverlayView {
    pub id: i64,
    pub kind: OverlayKind,
    pub tenant: String,
    #[serde(flatten)]
    pub matchers: Matchers,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub author: String,
    pub reason: String,
}

impl OverlayView {
    pub(super) fn of(overlay: &Overlay) -> Self {
        Self {
            id: overlay.id,
            kind: overlay.kind,
            tenant: overlay.tenant.to_string(),
            matchers: overlay.matchers.clone(),
            from: overlay.from,
            until: overlay.until,
            author: overlay.author.clone(),
            reason: overlay.reason.clone(),
        }
    }
}

/// What somebody wants to be quiet about.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverlayOrder {
    /// Needed where there are several.
    pub tenant: Option<String>,
    pub client: Option<String>,
    pub ticket: Option<String>,
    pub priority: Option<String>,
    pub technician: Option<String>,
    /// From now on, unless told.
    pub from: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
    /// A length of time from its beginning: `2h`.
    #[serde(rename = "for")]
    pub length: Option<String>,
    /// Who wants it; whoever asks, unless told.
    pub author: Option<String>,
    pub reason: String,
}

impl Service {
    /// The silences or maintenance windows of now and later, the first to end first.
    pub async fn overlays(&self, scope: &Scope, kind: OverlayKind) -> Result<Vec<OverlayView>, ServiceError> {
        let found = self.store.overlays(scope.tenant(), self.clock.now()).await?;
        Ok(found.iter().filter(|overlay| overlay.kind == kind).map(OverlayView::of).collect())
    }

    /// Adds one; none if the tenant it names is not within `scope`.
    pub async fn add_overlay(
        &self,
        scope: &Scope,
        kind: OverlayKind,
        order: OverlayOrder,
        author: Author,
    ) -> Result<Option<OverlayView>, ServiceError> {
        let now = self.clock.now();
        let Some(tenant) = self.meant_tenant(scope, order.tenant.as_deref())? else { return Ok(None) };
        let from = order.from.unwrap_or(now).max(now);
        let until = end_of(from, order.length.as_deref(), order.until)?;
        if until - now > LONGEST {
            return Err(ServiceError::BadQuestion("it must end within a year".to_owned()));
        }
        let matchers = Matchers {
            client: named("client", order.client)?,
            ticket: named("ticket", order.ticket)?,
            priority: named("priority", order.priority)?,
            technician: named("technician", order.technician)?,
        };
        let by = named("author", order.author)?.unwrap_or_else(|| author.who.clone());
        let Some(reason) = named("reason", Some(order.reason))? else {
            return Err(ServiceError::BadQuestion("say why: `reason` must not be blank".to_owned()));
        };
        let new = NewOverlay { kind, tenant, matchers, from, until, author: by, reason };
        let added = self.store.add_overlay(new, author, now).await?;
        self.ring();
        Ok(Some(OverlayView::of(&added)))
    }

    /// Ends one now. False if there is none within `scope` that could be ended.
    pub async fn end_overlay(
        &self,
        scope: &Scope,
        kind: OverlayKind,
        id: i64,
        author: Author,
    ) -> Result<bool, ServiceError> {
        let ended = self.store.end_overlay(kind, scope.tenant(), id, author, self.clock.now()).await?;
        if ended {
            self.ring();
        }
        Ok(ended)
    }

    /// Whose alerts are meant; none if that one is not within `scope`.
    fn meant_tenant(&self, scope: &Scope, named: Option<&str>) -> Result<Option<TenantId>, ServiceError> {
        let within: Vec<_> = self.tenants(scope).map(|tenant| tenant.id.clone()).collect();
        match (named.map(str::trim).filter(|name| !name.is_empty()), within.as_slice()) {
            (Some(name), within) => Ok(within.iter().find(|tenant| tenant.as_str() == name).cloned()),
            (None, [only]) => Ok(Some(only.clone())),
            (None, _) => Err(ServiceError::BadQuestion("say whose alerts are meant: `tenant`".to_owned())),
        }
    }
}

/// `text` without white space round it; none if nothing is left.
fn named(key: &str, text: Option<String>) -> Result<Option<String>, ServiceError> {
    let text = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    match text {
        Some(text) if text.chars().count() > LONGEST_TEXT => {
            Err(ServiceError::BadQuestion(format!("`{key}` must not be longer than {LONGEST_TEXT} characters")))
        }
        text => Ok(text),
    }
}
