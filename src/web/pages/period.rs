//! The form of pages that cover a period, and the links from their numbers to the entries that they count.

use chrono::NaiveDate;
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

/// Renders the choice of tenant, days and anonymity, with the first and last of the `days` that are shown, or those
/// that were asked for if there are none. The list keeps the order `sort`, if it has one.
pub fn form(
    query: &TechnicianQuery,
    days: Option<[NaiveDate; 2]>,
    sort: Option<&str>,
    (tenants, shows): (&[String], Shows),
    here: &str,
) -> Markup {
    let asked = || [&query.from, &query.to].map(|day| day.clone().unwrap_or_default());
    let [from, to] = days.map_or_else(asked, |days| days.map(|day| day.to_string()));
    html! {
        form.period method="get" action=(here) {
            @if tenants.len() > 1 {
                label { "Tenant " select name="tenant" {
                    @if shows == Shows::All { option value="" { "all" } }
                    @for name in tenants { option value=(name) selected[query.tenant.as_ref() == Some(name)] { (name) } }
                } }
            }
            label { "From " input type="date" name="from" value=(from); }
            label { "to " input type="date" name="to" value=(to); }
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

/// The part of a link that makes what it leads to be counted as the figures on this page are.
pub fn counted_alike(as_of: Option<&str>, exclude_maintenance: Option<bool>) -> [(&str, Option<&str>); 2] {
    let maintenance = exclude_maintenance.map(|is| if is { "true" } else { "false" });
    [("as_of", as_of), ("exclude_maintenance", maintenance)]
}

/// Formats a share as `96.4 %`, or as a dash.
pub fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{share:.1} %"))
}
