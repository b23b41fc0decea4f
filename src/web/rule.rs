//! What a route asks of whoever calls it: the gate goes by it, the table of routes says it of each.

use crate::store::tokens::Role;

/// What a caller must show before a route's handler is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: health, the login page, what pages are made of.
    Nothing,
    /// A signature or a secret of its own, which the handler checks: hooks, and links in messages.
    OwnProof,
    /// A token or a session of this role, or of a higher one.
    Role(Role),
}

/// Whose data a route shows or changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tenants {
    /// What belongs to no tenant.
    None,
    /// The caller's. `tenant`, in the path or the query, asks for one of them; anybody else's does not exist.
    Own,
    /// All at once: a caller who is bound to one tenant is refused.
    All,
}

/// Whom a route is for: how a refusal is worded, and what it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// People with a browser: whoever is not signed in is sent to the login page.
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
    /// Whatever it is: it is believed for its signature, and checked by the handler.
    Anything,
}

/// What the gate holds every request of a route to.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    pub audience: Audience,
    pub needs: Needs,
    pub tenants: Tenants,
    pub takes: Takes,
}
