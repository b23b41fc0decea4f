//! One route: how it is called, who may call it, whose data it shows, and what it takes and returns.
//!
//! The router, the test of roles and the description of the API are all built from these, so no route can be served
//! without stating who may use it.

mod description;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter};

pub use self::description::Description;
pub use super::rule::{Audience, Needs, Rule, Takes, Tenants};
use super::{Web, gate};
use crate::store::tokens::Role;

/// The largest body, in bytes, that is read unless a route says otherwise: enough for a form or a JSON object.
pub const BODY_MAX: usize = 16 * 1024;

/// One row of the table of routes.
pub struct Route {
    pub method: Method,
    pub path: &'static str,
    pub rule: Rule,
    pub description: Description,
    body_max: usize,
    handler: MethodRouter<Arc<Web>>,
}

impl Route {
    /// Creates a route with `rule`.
    pub fn new<H, T>(method: Method, path: &'static str, rule: Rule, handler: H) -> Self
    where
        H: Handler<T, Arc<Web>>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
        let handler = MethodRouter::new().on(filter, handler);
        Self { method, path, rule, description: Description::default(), body_max: BODY_MAX, handler }
    }

    /// Marks the route as showing data of all tenants at once, only to callers who may see all of them.
    pub fn of_all_tenants(mut self) -> Self {
        self.rule.tenants = Tenants::All;
        self
    }

    /// Marks the route as showing nothing that belongs to a tenant.
    pub fn of_no_tenant(mut self) -> Self {
        self.rule.tenants = Tenants::None;
        self
    }

    /// Answers an address as often as it asks: the answer costs little, and many people may share the address.
    pub fn unlimited(mut self) -> Self {
        self.rule.is_limited = false;
        self
    }

    /// Takes bodies of at most `body_max` bytes.
    pub fn at_most(self, body_max: usize) -> Self {
        Self { body_max, ..self }
    }

    /// Returns the route's name in metrics.
    fn name(&self) -> gate::Name {
        let known = ["GET", "POST", "DELETE", "PUT"].into_iter().find(|name| self.method == *name);
        (known.unwrap_or("other"), self.path)
    }

    /// Puts the handler behind the gate, ready for the router.
    pub fn guarded(self, web: &Arc<Web>) -> (&'static str, MethodRouter<Arc<Web>>) {
        let gate = from_fn_with_state((web.clone(), self.rule, self.name()), gate::pass);
        (self.path, self.handler.route_layer((gate, DefaultBodyLimit::max(self.body_max))))
    }
}

/// Creates a route for a page.
pub fn page<H: Handler<T, Arc<Web>>, T: 'static>(path: &'static str, role: Role, handler: H) -> Route {
    of_role(Method::GET, path, Audience::Page, role, Takes::Nothing, handler)
}

/// Creates a route for the forms and buttons of a page.
pub fn form<H: Handler<T, Arc<Web>>, T: 'static>(path: &'static str, role: Role, handler: H) -> Route {
    of_role(Method::POST, path, Audience::Page, role, Takes::Form, handler)
}

fn of_role<H: Handler<T, Arc<Web>>, T: 'static>(
    method: Method,
    path: &'static str,
    audience: Audience,
    role: Role,
    takes: Takes,
    handler: H,
) -> Route {
    let rule = Rule { audience, needs: Needs::Role(role), tenants: Tenants::Own, takes, is_limited: true };
    Route::new(method, path, rule, handler)
}

/// Creates a route that reads over the API.
pub fn get<H: Handler<T, Arc<Web>>, T: 'static>(path: &'static str, role: Role, handler: H) -> Route {
    of_role(Method::GET, path, Audience::Api, role, Takes::Nothing, handler)
}

/// Creates a route that changes something over the API, with an order in JSON.
pub fn post<H: Handler<T, Arc<Web>>, T: 'static>(path: &'static str, role: Role, handler: H) -> Route {
    of_role(Method::POST, path, Audience::Api, role, Takes::Json, handler)
}

/// Creates a route that ends or removes something over the API.
pub fn delete<H: Handler<T, Arc<Web>>, T: 'static>(path: &'static str, role: Role, handler: H) -> Route {
    of_role(Method::DELETE, path, Audience::Api, role, Takes::Nothing, handler)
}

/// Creates a route that is open to everybody, each address as often as `requests_per_second`.
pub fn open<H: Handler<T, Arc<Web>>, T: 'static>(
    method: Method,
    path: &'static str,
    audience: Audience,
    handler: H,
) -> Route {
    let takes = if method == Method::GET { Takes::Nothing } else { Takes::Form };
    let rule = Rule { audience, needs: Needs::Nothing, tenants: Tenants::None, takes, is_limited: true };
    Route::new(method, path, rule, handler)
}

/// Creates a route for callers with a proof of their own, which `handler` checks.
pub fn proven<H: Handler<T, Arc<Web>>, T: 'static>(
    method: Method,
    path: &'static str,
    audience: Audience,
    handler: H,
) -> Route {
    let takes = Takes::Anything;
    let rule = Rule { audience, needs: Needs::OwnProof, tenants: Tenants::None, takes, is_limited: false };
    Route::new(method, path, rule, handler)
}
