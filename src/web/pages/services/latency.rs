//! Response times as curves over time, and as a table of the same figures.

use super::super::times::Times;
use maud::{Markup, html};

use crate::service::uptime::LatencyPoint;

/// The inner width and height, and the room for labels at the left and below.
const SIZE: (f64, f64) = (760.0, 160.0);
const MARGIN: (f64, f64) = (64.0, 22.0);
/// The most rows in the table; the curves show all points.
const ROWS_MOST: usize = 96;

/// Draws p50 and p95 over time.
pub(super) fn chart(points: &[LatencyPoint], times: Times) -> Markup {
    let (width, height) = SIZE;
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return html! { p.muted { "No figures yet: the first curve appears after five minutes of looks." } };
    };
    // Of a service that reports to us, and of one that never answered, nobody knows how long an answer takes.
    let Some(most) = points.iter().filter_map(|point| point.p95_ms).max() else {
        return html! { p.muted { "No answer times: nothing in this range was asked and answered." } };
    };
    let top = round_up(most) as f64;
    let whole = (last.at - first.at).num_milliseconds().max(1) as f64;
    let x = |point: &LatencyPoint| MARGIN.0 + width * (point.at - first.at).num_milliseconds() as f64 / whole;
    let y = |ms: i64| 8.0 + height * (1.0 - ms as f64 / top);
    let curve = |which: fn(&LatencyPoint) -> Option<i64>| -> String {
        let places = points.iter().filter_map(|point| Some(format!("{:.1},{:.1}", x(point), y(which(point)?))));
        places.collect::<Vec<_>>().join(" ")
    };
    html! {
        figure.chart {
            svg.chart viewBox={ "0 0 " (width + MARGIN.0 + 12.0) " " (height + MARGIN.1 + 8.0) } role="img" aria-label={ "How long answers took, up to " (most) " ms" } {
                @for part in 0..=4_i64 {
                    @let level = top as i64 * part / 4;
                    line.grid x1=(MARGIN.0) x2=(MARGIN.0 + width) y1=(y(level)) y2=(y(level)) {}
                    text.tick x=(MARGIN.0 - 6.0) y=(y(level) + 4.0) text-anchor="end" { (level) " ms" }
                }
                @for point in points.iter().step_by(points.len().div_ceil(7)) {
                    text.tick x=(format!("{:.1}", x(point))) y=(height + MARGIN.1 + 2.0) text-anchor="middle" { (times.written(point.at, shape(whole))) }
                }
                polyline.series.s0 points=(curve(|point| point.p50_ms)) {}
                polyline.series.s1 points=(curve(|point| point.p95_ms)) {}
            }
            figcaption.keys { "How long answers took: " span.key.s0 { "p50" } " " span.key.s1 { "p95" } }
        }
        details { summary { "The same as a table" } (table(points, shape(whole), times)) }
    }
}

fn table(points: &[LatencyPoint], shape: &str, times: Times) -> Markup {
    let number = |ms: Option<i64>| ms.map_or_else(|| "–".to_owned(), |ms| format!("{ms} ms"));
    html! {
        div.scroll { table {
            thead { tr { @for head in ["From", "Looks", "Not well", "p50", "p95"] { th scope="col" { (head) } } } }
            tbody { @for point in points.iter().rev().take(ROWS_MOST) { tr {
                td { (times.written(point.at, shape)) }
                td { (point.looks) }
                td { (point.failed) }
                td { (number(point.p50_ms)) }
                td { (number(point.p95_ms)) }
            } } }
        } }
    }
}

/// Returns the time format: within a day the time matters, beyond that the date.
fn shape(whole: f64) -> &'static str {
    if whole <= 36.0 * 3_600_000.0 { "%H:%M" } else { "%-d %b" }
}

/// Returns the next of 4, 8, 20, 40, 80, 200 and so on: a quarter of each is round.
fn round_up(most: i64) -> i64 {
    let mut unit = 4;
    loop {
        if let Some(level) = [unit, unit * 2, unit * 5].into_iter().find(|level| *level >= most) {
            return level;
        }
        unit *= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_ends_at_the_next_round_number() {
        assert_eq!([0, 4, 5, 9, 21, 41, 3999].map(round_up), [4, 4, 8, 20, 40, 80, 4000]);
    }
}
