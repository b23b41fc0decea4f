//! The frame of all our HTML documents: pages, reports and the public page of services.

use maud::{DOCTYPE, Markup, html};

/// Makes a whole document: `head` holds what is particular to its head, and `body` is the element itself.
///
/// It adapts to the width of the screen, and is light or dark as the reader prefers.
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
