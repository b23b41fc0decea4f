//! Draws the days of a service as bars: the colour of each shows the worst of that day, its title the rest in words.

use maud::{Markup, html};

use crate::uptime::Condition;

/// The width of a bar with the gap beside it, its width alone, and its height.
const STEP: usize = 8;
const BAR: usize = 6;
const HEIGHT: usize = 34;

/// One bar.
#[derive(Clone, Debug)]
pub struct Bar {
    /// `None` if nobody looked.
    pub worst: Option<Condition>,
    pub words: String,
}

/// Draws `bars` as an SVG with room for `places` of them; `label` describes it to people who cannot see it.
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
