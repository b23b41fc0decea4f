//! What a route demands of its callers: the gate enforces it, and the table of routes states it for each route.

use crate::store::tokens::Role;

/// What a caller must show before a route's handler runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: health checks, the login page, assets.
    Nothing,
    /// A signature or a secret of its own, which the handler checks: hooks, and links in messages.
    OwnProof,
    /// A token or a session of this role, or of a higher one.
    Role(Role),
}

/// Whose data a route shows or changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tenants {
    /// Data that belongs to no tenant.
    None,
    /// The caller's tenants. `tenant`, in the path or the query, narrows it to one; other tenants do not exist for
    /// them.
    Own,
    /// All tenants at once: a caller who is bound to one tenant is refused.
    All,
}

/// Whom a route is for, which decides how refusals are worded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// People with a browser: those not signed in are sent to the login page.
    Page,
    /// Programs, and the scripts of the pages.
    Api,
}

/// What a route takes as the body of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    Nothing,
    Json,
    Form,
    /// Anything: the handler checks its signature or secret.
    Anything,
}

/// What the gate checks every request of a route against.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    pub audience: Audience,
    pub needs: Needs,
    pub tenants: Tenants,
    pub takes: Takes,
    /// Whether requests are counted for an address if no token is needed. With a role they always are.
    pub is_limited: bool,
}
