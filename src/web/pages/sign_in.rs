//! The pages shown between us and the identity provider.

use axum::response::Html;
use maud::{Markup, html};

use super::frame::look;
use crate::formats::page::document;

/// Leads on to the page that was `wanted`, from a page of our own.
pub fn signed_in(wanted: &str) -> Html<String> {
    leading("Signed in", wanted, &html! { p { "You are signed in." } p { a href=(wanted) { "Go on" } } })
}

/// Leads on to where the browser signs out of the provider `name`.
pub fn signed_out(there: &str, name: &str) -> Html<String> {
    let content = html! {
        p { "You are signed out here." }
        p { a href=(there) { "Sign out of " (name) " as well" } }
    };
    leading("Signed out", there, &content)
}

fn leading(title: &str, to: &str, content: &Markup) -> Html<String> {
    let head = html! { meta http-equiv="refresh" content={ "0;url=" (to) }; (look()) };
    let body = html! { body { main.alone { h1 { (title) } (content) } } };
    Html(document(&format!("{title} · SLA watch"), &head, &body).into_string())
}
