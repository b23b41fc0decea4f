//! Saved views: named filters of the list of tickets, of one token or person, or shared in a tenant.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::snapshot::Filter;
use super::{Complaint, Reach, Service, ServiceError, TicketQuery};
use crate::store::audit::Author;
use crate::store::saved_views::{MOST, Owner, SavedView};

/// The longest name, in characters.
const LONGEST_NAME: usize = 60;
/// The longest word of a filter, in characters.
const LONGEST_WORD: usize = 200;

/// What a view shows, as in a query for tickets; a filter that is null matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ViewFilters {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub technician: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standing: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A view to be saved.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ViewOrder {
    /// 60 characters at most. A view of that name is replaced.
    pub name: String,
    pub filters: ViewFilters,
    /// Shared with all who may see what the caller sees, rather than for the caller alone; needs a responder.
    #[serde(default)]
    pub shared: bool,
}

/// A saved view.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ViewView {
    pub id: String,
    pub name: String,
    pub filters: ViewFilters,
    pub shared: bool,
    /// The tenant that shares it; none: it is of all tenants, or the caller's own.
    pub tenant: Option<String>,
    pub made_by: String,
    pub made_at: DateTime<Utc>,
}

impl Service {
    /// The views of `owner`, and those shared within `scope`, by name.
    pub async fn views(&self, scope: &Reach, owner: &str) -> Result<Vec<ViewView>, ServiceError> {
        let mut views = self.store.saved_views(owner).await?;
        views.retain(|view| is_shown(&view.owner, scope));
        Ok(views.into_iter().map(view).collect())
    }

    /// Saves what `order` asks for.
    pub async fn save_view(
        &self,
        scope: &Reach,
        owner: &str,
        order: &ViewOrder,
        author: Author,
    ) -> Result<ViewView, ServiceError> {
        let name = order.name.split_whitespace().collect::<Vec<_>>().join(" ");
        if name.is_empty() || name.chars().count() > LONGEST_NAME {
            let rule = format!("must be the name of the view, of at most {LONGEST_NAME} characters");
            return Err(ServiceError::BadQuestion(Complaint::of("name", rule)));
        }
        let filters = order.filters.checked()?;
        if let Some(id) =
            filters.tenant.as_deref().filter(|id| !self.tenants(scope).any(|tenant| tenant.id.as_str() == *id))
        {
            let rule = format!("is `{id}`, and there is no such tenant");
            return Err(ServiceError::BadQuestion(Complaint::of("tenant", rule)));
        }
        let filters = serde_json::to_string(&filters)
            .map_err(|error| ServiceError::BadQuestion(Complaint::whole(error.to_string())))?;
        let owner = if order.shared { Owner::Shared(scope.clone()) } else { Owner::One(owner.to_owned()) };
        let saved = self.store.save_view(owner, name, filters, author, self.clock.now()).await?;
        let too_many = || ServiceError::Settled(format!("there are {MOST} views already: forget one first"));
        saved.map(view).ok_or_else(too_many)
    }

    /// The view of that id, if it is `owner`'s or shared within `scope`.
    pub async fn view(&self, scope: &Reach, owner: &str, id: &str) -> Result<Option<SavedView>, ServiceError> {
        let views = self.store.saved_views(owner).await?.into_iter();
        Ok(views.filter(|view| is_shown(&view.owner, scope)).find(|view| view.id.to_string() == id))
    }

    /// Forgets `view`; false if it was gone already.
    pub async fn forget_view(&self, view: SavedView, author: Author) -> Result<bool, ServiceError> {
        Ok(self.store.forget_view(view, author, self.clock.now()).await?)
    }
}

impl ViewFilters {
    /// Drops blank filters; refuses them if nothing is left, or if they can match no ticket.
    fn checked(&self) -> Result<Self, ServiceError> {
        let mut filters = self.clone();
        let Self { tenant, client, technician, priority, standing, risk, text } = &mut filters;
        for word in [tenant, client, technician, priority, standing, risk, text] {
            word.take_if(|word| word.trim().is_empty());
            if word.as_ref().is_some_and(|word| word.chars().count() > LONGEST_WORD) {
                let rule = format!("may have at most {LONGEST_WORD} characters each");
                return Err(ServiceError::BadQuestion(Complaint::of("filters", rule)));
            }
        }
        if filters == Self::default() {
            return Err(ServiceError::BadQuestion(Complaint::of(
                "filters",
                "must filter by something: this view would show every ticket",
            )));
        }
        let Self { risk, standing, .. } = filters.clone();
        Filter::new(&TicketQuery { risk, standing, ..TicketQuery::default() })?;
        Ok(filters)
    }
}

/// A view shared by all tenants may name any of them, so it is shown only to those who see all.
fn is_shown(owner: &Owner, scope: &Reach) -> bool {
    match owner {
        Owner::One(_) => true,
        Owner::Shared(Reach::All) => *scope == Reach::All,
        Owner::Shared(Reach::One(tenant)) => scope.includes(tenant),
    }
}

fn view(saved: SavedView) -> ViewView {
    let SavedView { id, owner, name, filters, made_by, made_at } = saved;
    let tenant = match &owner {
        Owner::Shared(reach) => reach.tenant().map(ToString::to_string),
        Owner::One(_) => None,
    };
    ViewView {
        id: id.to_string(),
        name,
        // What another version saved is shown as far as it can be read.
        filters: serde_json::from_str(&filters).unwrap_or_default(),
        shared: matches!(owner, Owner::Shared(_)),
        tenant,
        made_by,
        made_at,
    }
}
