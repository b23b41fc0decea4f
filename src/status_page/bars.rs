//! The days of a service as bars: the colour of each says the worst that it came to, its title the rest in words.

use maud::{Markup, html};

use crate::uptime::Condition;

/// The width of a bar with the gap beside it, without it, and the height.
const STEP: usize = 8;
const BAR: usize = 6;
const HEIGHT: usize = 34;

/// One bar.
#[derive(Clone, Debug)]
pub struct Bar {
    /// None: nobody looked.
    pub worst: Option<Condition>,
    pub words: String,
}

/// `bars` as a picture of its own with room for `places` of them, called `label` for those who do not see it.
pub fn picture(label: &str, bars: &[Bar], places: usize) -> Markup {
    html! {
        svg.bars viewBox={ "0 0 " (places.max(bars.len()) * STEP) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label=(label) {
            @for (index, one) in bars.iter().enumerate() {
                @let kind = one.worst.unwrap_or(Condition::Unknown).as_str();
                rect.(kind) x=(index * STEP) y="0" width=(BAR) height=(HEIGHT) rx="1" { title { (one.words) } }
            }
        }
    }
}
