//! A chart as SVG: classes for colours, so that the page decides how it looks, and words for people who cannot see it.

use std::fmt::Write;

use maud::{Markup, html};

use super::chart::{Drawing, Ink, LETTERS, Mark, Side, draw, told};
use crate::report::Chart;

/// Draws `chart`, as wide as there is room.
pub fn write(chart: &Chart) -> Markup {
    let Drawing { width, height, marks } = draw(chart);
    html! {
        svg.chart role="img" aria-label=(told(chart)) viewBox=(format!("0 0 {width} {height}")) font-size=(LETTERS) {
            @for mark in &marks { (shape(mark)) }
        }
    }
}

fn shape(mark: &Mark) -> Markup {
    match mark {
        Mark::Line { points, ink } => html! { polyline class=(class(*ink)) points=(path(points)) {} },
        Mark::Bar { x, y, width, height, ink } => {
            html! { rect class=(class(*ink)) x=(short(*x)) y=(short(*y)) width=(short(*width)) height=(short(*height)) rx="2" {} }
        }
        Mark::Dot { x, y, ink } => html! { circle class=(class(*ink)) cx=(short(*x)) cy=(short(*y)) r="2.5" {} },
        Mark::Word { x, y, side, text } => {
            html! { text x=(short(*x)) y=(short(*y)) text-anchor=(anchor(*side)) { (text) } }
        }
    }
}

fn class(ink: Ink) -> String {
    match ink {
        Ink::Grid => "grid".to_owned(),
        Ink::Target => "target".to_owned(),
        Ink::Series(number) => format!("series s{}", number % 4),
    }
}

fn anchor(side: Side) -> &'static str {
    match side {
        Side::Start => "start",
        Side::Middle => "middle",
        Side::End => "end",
    }
}

fn short(length: f32) -> String {
    format!("{length:.1}")
}

fn path(points: &[(f32, f32)]) -> String {
    points.iter().fold(String::new(), |mut path, (x, y)| {
        let gap = if path.is_empty() { "" } else { " " };
        // Writing to a string cannot fail.
        let _ = write!(path, "{gap}{x:.1},{y:.1}");
        path
    })
}
