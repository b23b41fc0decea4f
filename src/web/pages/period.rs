//! The form of pages that cover a period, and the links from their numbers to the entries that they count.

use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::service::reports::TechnicianQuery;

/// What a page shows while no tenant is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// The first of the tenants.
    One,
    /// All of them together.
    All,
}

/// Renders the choice of tenant, days and anonymity. The list keeps the order `sort`, if it has one.
pub fn form(query: &TechnicianQuery, sort: Option<&str>, (tenants, shows): (&[String], Shows), here: &str) -> Markup {
    let value = |text: &Option<String>| text.clone().unwrap_or_default();
    html! {
        form.period method="get" action=(here) {
            @if tenants.len() > 1 {
                label { "Tenant " select name="tenant" {
                    @if shows == Shows::All { option value="" { "all" } }
                    @for name in tenants { option value=(name) selected[query.tenant.as_ref() == Some(name)] { (name) } }
                } }
            }
            label { "From " input type="date" name="from" value=(value(&query.from)); }
            label { "to " input type="date" name="to" value=(value(&query.to)); }
            label.check { input type="checkbox" name="anonymize" value="true" checked[query.anonymize == Some(true)]; " without names" }
            @if let Some(sort) = sort { input type="hidden" name="sort" value=(sort); }
            button { "Show" }
        }
    }
}

/// Returns `path` with those of `pairs` that have a value as its query.
pub fn link(path: &str, pairs: &[(&str, Option<&str>)]) -> String {
    let given = pairs.iter().filter_map(|(name, value)| Some((name, (*value).filter(|value| !value.is_empty())?)));
    let parts = given.map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
    format!("{path}?{}", parts.collect::<Vec<_>>().join("&"))
}

/// Formats a share as `96.4 %`, or as a dash.
pub fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{share:.1} %"))
}
