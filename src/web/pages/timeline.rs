//! The picture of a ticket's clocks: when working time counted, when it did not and why, and when it is due. The ledger
//! beside it lists the same line by line.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Html;
use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};

use crate::service::{ClockLedger, LedgerLine, TicketLedger};
use crate::sla::zone::Tz;
use crate::ticket::ClockKind;
use crate::web::auth::Caller;
use crate::web::{Problem, Web};

/// The width of the whole picture, and the room for names at its left.
const WIDTH: f64 = 760.0;
const NAMES: f64 = 112.0;
/// The room at its right, for half of a time that stands under the edge.
const EDGE: f64 = 40.0;
/// The height of a clock's row, and of the bar in it.
const ROW: f64 = 38.0;
const BAR: f64 = 16.0;
/// The height below the clocks, for times.
const FOOT: f64 = 24.0;
/// More times than this under the picture would overlap.
const MOST_TICKS: i64 = 7;

/// GET /tickets/{tenant}/{id}/timeline
pub async fn timeline(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path((_, id)): Path<(String, String)>,
) -> Result<Html<String>, Problem> {
    let found = web.service.ledger(&caller.scope, &id).await?;
    let ledger = found.ok_or_else(|| Problem::not_found("ticket"))?;
    Ok(Html(picture(&ledger).into_string()))
}

/// The span of time in the picture, which maps moments to positions.
struct Scale {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

impl Scale {
    /// Spans all that is known of the clocks of `ledger`, and a little more.
    fn of(ledger: &TicketLedger) -> Option<Self> {
        let lines = || ledger.clocks.iter().flat_map(|clock| &clock.lines);
        let from = lines().map(|line| line.from).min()?;
        let ends = lines().map(|line| line.to).chain(ledger.clocks.iter().filter_map(|clock| clock.due));
        let last = ends.max()?.max(from + TimeDelta::minutes(1));
        Some(Self { from, to: last + (last - from) / 25 })
    }

    fn x(&self, at: DateTime<Utc>) -> f64 {
        let (passed, whole) = ((at - self.from).as_seconds_f64(), (self.to - self.from).as_seconds_f64());
        NAMES + (passed / whole).clamp(0.0, 1.0) * (WIDTH - EDGE - NAMES)
    }

    /// Returns round local times under the picture, each with its label.
    fn ticks(&self, zone: Tz) -> Vec<(f64, String)> {
        let length = self.to - self.from;
        let hours = [1, 2, 4, 6, 12, 24, 48, 96, 168, 336, 720, 1440, 4320];
        let steps = [5, 10, 15, 30].map(TimeDelta::minutes).into_iter().chain(hours.map(TimeDelta::hours));
        let step = steps.into_iter().find(|step| length.num_seconds() / step.num_seconds() < MOST_TICKS);
        let step = step.unwrap_or(length / 6);
        let format = if step >= TimeDelta::days(1) { "%-d %b" } else { "%-d %b %H:%M" };
        let local = self.from.with_timezone(&zone).naive_local();
        let into_step = local.and_utc().timestamp().rem_euclid(step.num_seconds());
        let first = self.from + step - TimeDelta::seconds(into_step);
        let all = (0..).map(|number| first + step * number).take_while(|at| *at < self.to);
        all.map(|at| (self.x(at), at.with_timezone(&zone).format(format).to_string())).collect()
    }
}

/// Draws the clocks one above the other; empty if nothing is known of any.
pub fn picture(ledger: &TicketLedger) -> Markup {
    let Some(scale) = Scale::of(ledger) else { return html! {} };
    let zone = ledger.clocks.first().and_then(|clock| clock.timezone.parse().ok()).unwrap_or(Tz::UTC);
    let height = ROW * ledger.clocks.len() as f64;
    html! {
        figure.timeline {
            svg viewBox={ "0 0 " (WIDTH) " " (height + FOOT) } role="img" aria-label=(in_words(ledger, zone)) {
                @for (x, words) in scale.ticks(zone) {
                    line.grid x1=(x) x2=(x) y1="0" y2=(height) {}
                    text.tick x=(x) y=(height + 16.0) text-anchor="middle" { (words) }
                }
                @for (index, clock) in ledger.clocks.iter().enumerate() { (row(clock, &scale, ROW * index as f64)) }
                @if ledger.now > scale.from && ledger.now < scale.to {
                    line.now-line x1=(scale.x(ledger.now)) x2=(scale.x(ledger.now)) y1="0" y2=(height) {}
                }
            }
            figcaption.muted { span.key.counted { "working time" } " " span.key.closed { "closed" } " " span.key.paused { "paused" } " " span.key.due { "due" } " · dashed line: now · local times of " (zone.name()) }
        }
    }
}

fn row(clock: &ClockLedger, scale: &Scale, top: f64) -> Markup {
    let middle = top + ROW / 2.0;
    html! {
        text.name x="0" y=(middle + 4.0) { (name(clock.clock)) }
        @for line in clock.lines.iter().filter(|line| line.to > line.from) {
            rect class={ "stretch " (look(line)) } x=(scale.x(line.from)) y=(middle - BAR / 2.0)
                width=((scale.x(line.to) - scale.x(line.from)).max(0.5)) height=(BAR) { title { (line.words) } }
        }
        @for line in clock.lines.iter().filter(|line| line.to <= line.from) {
            circle.moment cx=(scale.x(line.from)) cy=(middle) r="4" { title { (line.words) } }
        }
        @if let Some(due) = clock.due {
            path class={ "due " (clock.standing) } d={ "M" (scale.x(due)) " " (top + 5.0) " v" (ROW - 10.0) " M" (scale.x(due)) " " (top + 5.0) " l9 5 l-9 5 z" } { title { (clock.conclusion) } }
        }
    }
}

/// Returns the CSS class of a stretch.
fn look(line: &LedgerLine) -> &'static str {
    match line.kind {
        "counted" => "counted",
        "paused" => "paused",
        _ => "closed",
    }
}

fn name(clock: ClockKind) -> &'static str {
    match clock {
        ClockKind::FirstResponse => "First response",
        ClockKind::Resolution => "Resolution",
        ClockKind::NextResponse => "Next response",
    }
}

/// Describes the picture to people who cannot see it.
fn in_words(ledger: &TicketLedger, zone: Tz) -> String {
    let time = |at: DateTime<Utc>| at.with_timezone(&zone).format("%-d %b %H:%M").to_string();
    let each = ledger.clocks.iter().map(|clock| {
        let due = clock.due.map_or_else(|| "no due time".to_owned(), |due| format!("due {}", time(due)));
        let pauses = clock.lines.iter().filter(|line| line.kind == "paused").count();
        format!("{}: {}, {due}, {pauses} pauses", name(clock.clock), clock.standing.replace('_', " "))
    });
    format!("Clocks of the ticket. {}", each.collect::<Vec<_>>().join(". "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(minutes: i64) -> Scale {
        let from = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        Scale { from, to: from + TimeDelta::minutes(minutes) }
    }

    #[test]
    fn there_are_a_few_round_times_under_a_picture_of_any_length() {
        for minutes in [1, 20, 90, 600, 6_000, 60_000, 600_000, 6_000_000] {
            let ticks = scale(minutes).ticks(Tz::UTC);
            assert!(ticks.len() <= 7, "{minutes}: {ticks:?}");
            assert!(minutes < 10 || !ticks.is_empty(), "{minutes}");
            assert!(ticks.iter().all(|(x, _)| (NAMES..=WIDTH - EDGE).contains(x)), "{ticks:?}: each has room");
        }
        let kolkata = scale(600).ticks(Tz::named("Asia/Kolkata"));
        assert!(kolkata.iter().all(|(_, words)| words.ends_with(":00")), "round where the desk is: {kolkata:?}");
    }

    #[test]
    fn what_lies_outside_is_drawn_at_the_edge() {
        let scale = scale(60);
        assert_eq!(scale.x(scale.from - TimeDelta::days(1)), NAMES);
        assert_eq!(scale.x(scale.to + TimeDelta::days(1)), WIDTH - EDGE);
    }
}
