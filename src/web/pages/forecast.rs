//! The page of the forecast's own record: what it predicted against what happened, as a table and a curve.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;
use maud::{Markup, html};

use super::super::auth::Caller;
use super::super::{Problem, Web};
use super::{Sheet, frame};
use crate::notify::counted;
use crate::predict::reliability::{Bin, Reliability, Week};
use crate::service::forecast::{AlertWeek, ClockRecord, TenantRecord};
use crate::sla::forecast::ENOUGH;

/// The side length of the curve's square.
const SIDE: f64 = 220.0;

/// GET /forecast
pub async fn forecast(State(web): State<Arc<Web>>, caller: Caller) -> Result<Html<String>, Problem> {
    let record = web.service.forecast_record(&caller.scope).await?;
    let body = html! {
        main.single {
            h1 { "The forecast's own record" }
            p.muted {
                "The predicted likelihood of each breach, compared with what happened. "
                "A reliable forecast lies on the straight line."
            }
            @for tenant in &record.tenants { (tenant_record(tenant)) }
        }
    };
    Ok(frame(&web, &caller, &Sheet { title: "Forecast", kind: "made", here: "/forecast" }, &body))
}

fn tenant_record(record: &TenantRecord) -> Markup {
    let alerts = &record.alerts;
    html! {
        section.record aria-label=(record.tenant) {
            h2 { (record.tenant) }
            p {
                (counted(alerts.told, "predicted alert")) @if alerts.told == 1 { " is" } @else { " are" } " decided, " (alerts.came_true) " came true"
                @if let Some(lead) = alerts.median_lead {
                    ", with a median of " (format!("{:.1}", lead as f64 / 3600.0)) " working hours of warning"
                }
                "."
            }
            @if !alerts.weeks.is_empty() { (alert_weeks(&alerts.weeks)) }
            h3 { "Forecasts at a quarter, a half and three quarters of a clock" }
            (reliability(&record.shown))
            @for clock in &record.clocks { (clock_record(clock)) }
        }
    }
}

fn alert_weeks(weeks: &[AlertWeek]) -> Markup {
    html! {
        table {
            thead { tr { th { "Week of" } th { "Alerts" } th { "Came true" } th { "Did not" } th { "Open or called off" } } }
            tbody {
                @for week in weeks {
                    tr {
                        td { (week.begins) }
                        td { (week.raised) }
                        td { (week.came_true) }
                        td { (week.did_not) }
                        td { (week.raised - week.came_true - week.did_not) }
                    }
                }
            }
        }
    }
}

fn clock_record(record: &ClockRecord) -> Markup {
    html! {
        h3 { "Replayed on past tickets: " (record.clock.words()) }
        p {
            (record.outcomes) " outcomes"
            @if let Some(since) = record.since { " since " (since.format("%-d %b %Y")) }
            @if record.basis == "survival" { "; " (unlearned(record.outcomes)) ": only how long such tickets stay open is known" }
            "."
            @if !record.trusted { " " strong { "Predictions paused: recently inaccurate." } }
            @else if record.recent_error.is_some() { " Recently accurate enough to go by." }
            @if let Some(error) = record.recent_error { " " span.muted { "(Mean error over the latest 500: " (format!("{error:.3}")) ")" } }
        }
        @if let Some(finishes) = &record.finishes {
            p {
                "Of the latest " (finishes.clocks) " clocks that stopped after a tenth of their target, " (percent(finishes.covered))
                " did so within the interval that promised 80 %. The expected time was off by "
                (format!("{:.1}", finishes.mean_off as f64 / 3600.0)) " working hours on average."
            }
        }
        (reliability(&record.rehearsed))
    }
}

/// Says why nothing was learned from so many outcomes.
fn unlearned(outcomes: usize) -> &'static str {
    if outcomes < ENOUGH { "too few to learn from" } else { "nothing tells those that breach from the others yet" }
}

fn reliability(found: &Reliability) -> Markup {
    html! {
        @if found.predictions == 0 { p.muted { "Nothing is decided yet." } }
        @else {
            p {
                (counted(found.predictions, "prediction")) ", " (found.breached) " breached."
                @if let Some(ece) = found.ece { " " (agreement(ece, found)) }
                @if let (Some(brier), Some(ece)) = (found.brier, found.ece) {
                    " " span.muted { "(Calibration error " (format!("{ece:.3}")) ", Brier score " (format!("{brier:.3}")) ")" }
                }
            }
            (curve(&found.bins))
            table {
                thead { tr { th { "Predicted" } th { "Happened" } th { "Predictions" } } }
                tbody { @for bin in &found.bins { (bin_row(bin)) } }
            }
            table {
                thead { tr { th { "Week of" } th { "Predicted" } th { "Happened" } th { "Predictions" } th { "Brier score" } } }
                tbody { @for week in &found.weeks { (week_row(week)) } }
            }
        }
    }
}

fn bin_row(bin: &Bin) -> Markup {
    html! { tr { td { (percent(bin.said)) } td { (percent(bin.happened)) } td { (bin.predictions) } } }
}

fn week_row(week: &Week) -> Markup {
    html! {
        tr {
            td { (week.begins) }
            td { (percent(week.said)) }
            td { (percent(week.happened)) }
            td { (week.predictions) }
            td.muted { (format!("{:.3}", week.brier)) }
        }
    }
}

/// Draws what happened over what was predicted, on two axes from 0 to 100 %; on the diagonal both agree.
fn curve(bins: &[Bin]) -> Markup {
    let place = |bin: &Bin| format!("{:.1},{:.1}", bin.said * SIDE, (1.0 - bin.happened) * SIDE);
    let points: Vec<_> = bins.iter().map(place).collect();
    html! {
        svg.curve viewBox={ "-58 -10 " (SIDE + 80.0) " " (SIDE + 56.0) } width=(SIDE + 80.0) height=(SIDE + 56.0) role="img"
            aria-label="What happened, against what was predicted" {
            @for tenth in (0..=10).step_by(2) { (grid(f64::from(tenth) / 10.0)) }
            line x1="0" y1=(SIDE) x2=(SIDE) y2="0" stroke="currentColor" stroke-opacity="0.4" stroke-dasharray="4" {}
            polyline points=(points.join(" ")) fill="none" stroke="currentColor" stroke-width="2" {}
            @for bin in bins {
                circle cx=(bin.said * SIDE) cy=((1.0 - bin.happened) * SIDE) r="3" fill="currentColor" {
                    title { (percent(bin.said)) " predicted, " (percent(bin.happened)) " breached, of " (bin.predictions) }
                }
            }
            text x=(SIDE / 2.0) y=(SIDE + 38.0) text-anchor="middle" { "Predicted to breach" }
            text x=(-SIDE / 2.0) y="-44" text-anchor="middle" transform="rotate(-90)" { "Breached" }
        }
    }
}

/// Draws the grid lines at `share` on both axes, with their labels.
fn grid(share: f64) -> Markup {
    let at = share * SIDE;
    html! {
        line x1="0" x2=(SIDE) y1=(SIDE - at) y2=(SIDE - at) stroke="currentColor" stroke-opacity="0.15" {}
        line x1=(at) x2=(at) y1="0" y2=(SIDE) stroke="currentColor" stroke-opacity="0.15" {}
        text.tick x="-7" y=(SIDE - at + 4.0) text-anchor="end" { (percent(share)) }
        text.tick x=(at) y=(SIDE + 18.0) text-anchor="middle" { (percent(share)) }
    }
}

/// With fewer predictions than this, nothing can be said of the forecast.
const FEW: usize = 30;
/// A tenth that is off by more than this is named if chance does not explain it.
const FAR: f64 = 0.1;

/// Says how far predictions and outcomes lie apart, and names a tenth that is far off even if the mean is not.
fn agreement(ece: f64, found: &Reliability) -> String {
    if found.predictions < FEW {
        return format!("Too few predictions to judge the forecast: it takes {FEW}.");
    }
    let points = (ece * 100.0).round() as usize;
    let off = worst(&found.bins);
    let word = match points {
        ..=5 if off.is_none() => "closely",
        ..=10 => "well enough",
        _ => "poorly",
    };
    let apart = counted(points, "percentage point");
    let whole = format!("On the whole, the forecast agrees {word} with what happened: {apart} apart on average");
    match off {
        Some(bin) => format!(
            "{whole}; but where it said about {}, {} breached ({}).",
            percent(bin.said),
            percent(bin.happened),
            counted(bin.predictions, "prediction")
        ),
        None => format!("{whole}."),
    }
}

/// Returns the tenth that is furthest off, if it is far off and by more than chance explains.
fn worst(bins: &[Bin]) -> Option<&Bin> {
    let off = |bin: &Bin| (bin.said - bin.happened).abs();
    let chance = |bin: &Bin| 2.0 * (bin.said * (1.0 - bin.said) / bin.predictions as f64).sqrt();
    bins.iter().filter(|bin| off(bin) > FAR.max(chance(bin))).max_by(|a, b| off(a).total_cmp(&off(b)))
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::forecast::AlertRecord;

    fn found(tenths: &[(f64, f64, usize)]) -> Reliability {
        let bin = |&(said, happened, predictions): &(f64, f64, usize)| Bin {
            from: said - 0.05,
            to: said + 0.05,
            predictions,
            said,
            happened,
        };
        let predictions = tenths.iter().map(|one| one.2).sum();
        Reliability { predictions, bins: tenths.iter().map(bin).collect(), ..Reliability::default() }
    }

    #[test]
    fn one_alert_is_decided_and_several_are() {
        for (told, expected) in [(1, "1 predicted alert is decided, 1"), (2, "2 predicted alerts are decided, 1")] {
            let alerts = AlertRecord { told, came_true: 1, ..AlertRecord::default() };
            let tenant = "acme".to_owned();
            let record = TenantRecord { tenant, clocks: Vec::new(), alerts, shown: Reliability::default() };
            let html = tenant_record(&record).into_string();
            assert!(html.contains(expected), "{html}");
        }
    }

    #[test]
    fn a_verdict_needs_predictions_and_names_where_the_forecast_is_far_off() {
        let cases = [
            (0.01, found(&[(0.05, 0.0, 1)]), "Too few predictions to judge"),
            (
                0.01,
                found(&[(0.05, 0.04, 400)]),
                "agrees closely with what happened: 1 percentage point apart on average.",
            ),
            (
                0.05,
                found(&[(0.05, 0.03, 900), (0.45, 0.61, 100)]),
                "agrees well enough with what happened: 5 percentage points apart on average; but where it said about 45 %, 61 % breached (100 predictions).",
            ),
            (0.05, found(&[(0.05, 0.03, 900), (0.45, 0.61, 9)]), "agrees closely"),
            (
                0.2,
                found(&[(0.05, 0.25, 900)]),
                "agrees poorly with what happened: 20 percentage points apart on average; but where it said about 5 %",
            ),
        ];
        for (ece, found, expected) in cases {
            let said = agreement(ece, &found);
            assert!(said.contains(expected), "{said}");
        }
    }

    #[test]
    fn a_curve_says_which_axis_is_which_and_how_far_it_goes() {
        let drawn = curve(&found(&[(0.45, 0.61, 100)]).bins).into_string();
        for expected in
            ["Predicted to breach", ">Breached<", ">0 %<", ">100 %<", "45 % predicted, 61 % breached, of 100"]
        {
            assert!(drawn.contains(expected), "{expected}: {drawn}");
        }
    }
}
