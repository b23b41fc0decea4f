//! The pages between us and the identity provider.

use axum::response::Html;
use maud::{DOCTYPE, Markup, html};

/// Leads on to the page that was `wanted`, from a page of our own.
pub fn signed_in(wanted: &str) -> Html<String> {
    leading("Signed in", wanted, &html! { p { "You are signed in." } p { a href=(wanted) { "Go on" } } })
}

/// Leads on to where the browser signs out of the provider called `name`.
pub fn signed_out(there: &str, name: &str) -> Html<String> {
    let content = html! {
        p { "You are signed out here." }
        p { a href=(there) { "Sign out of " (name) " as well" } }
    };
    leading("Signed out", there, &content)
}

fn leading(title: &str, to: &str, content: &Markup) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="refresh" content={ "0;url=" (to) };
                title { (title) " · SLA watch" }
                link rel="icon" href="/assets/icon.svg";
                link rel="stylesheet" href="/assets/app.css";
            }
            body { main.alone { h1 { (title) } (content) } }
        }
    };
    Html(page.into_string())
}
