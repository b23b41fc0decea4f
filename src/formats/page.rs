//! What every HTML document of ours begins with, be it a page, a report or the public page of services.

use maud::{DOCTYPE, Markup, html};

/// A whole document: what is particular to its head stands in `head`, and `body` is the element itself.
///
/// It is as wide as what shows it, and light or dark as its reader likes.
pub fn document(title: &str, head: &Markup, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                (head)
                title { (title) }
            }
            (body)
        }
    }
}
