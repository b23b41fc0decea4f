//! The page of the forecast's own record: what it said, against what happened, as a table and a curve.

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

/// The side of a curve's square.
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
                (alerts.told) " predicted alerts are decided, " (alerts.came_true) " came true"
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
            @if record.basis == "survival" { "; too few to learn from: only how long such tickets stay open is known" }
            "."
            @if !record.trusted { " " strong { "Predictions paused: recently inaccurate." } }
            @else if record.recent_error.is_some() { " Recently accurate enough to go by." }
            @if let Some(error) = record.recent_error { " " span.muted { "(Mean error over the latest 500: " (format!("{error:.3}")) ")" } }
        }
        @if let Some(finishes) = &record.finishes {
            p {
                "Of the latest " (finishes.clocks) " clocks that stopped, " (percent(finishes.covered))
                " did so within the interval that promised 80 %. The expected time was off by "
                (format!("{:.1}", finishes.mean_off as f64 / 3600.0)) " working hours on average."
            }
        }
        (reliability(&record.rehearsed))
    }
}

fn reliability(found: &Reliability) -> Markup {
    html! {
        @if found.predictions == 0 { p.muted { "Nothing is decided yet." } }
        @else {
            p {
                (counted(found.predictions, "prediction")) ", " (found.breached) " breached."
                @if let Some(ece) = found.ece { " " (agreement(ece)) }
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

/// What happened over what was said; on the straight line both agree.
fn curve(bins: &[Bin]) -> Markup {
    let place = |bin: &Bin| format!("{:.1},{:.1}", bin.said * SIDE, (1.0 - bin.happened) * SIDE);
    let points: Vec<_> = bins.iter().map(place).collect();
    html! {
        svg.curve viewBox={ "-4 -4 " (SIDE + 8.0) " " (SIDE + 8.0) } width=(SIDE) height=(SIDE) role="img"
            aria-label="What happened, against what was predicted" {
            rect x="0" y="0" width=(SIDE) height=(SIDE) fill="none" stroke="currentColor" stroke-opacity="0.3" {}
            line x1="0" y1=(SIDE) x2=(SIDE) y2="0" stroke="currentColor" stroke-opacity="0.4" stroke-dasharray="4" {}
            polyline points=(points.join(" ")) fill="none" stroke="currentColor" stroke-width="2" {}
            @for bin in bins {
                circle cx=(bin.said * SIDE) cy=((1.0 - bin.happened) * SIDE) r="3" fill="currentColor" {}
            }
        }
    }
}

/// How far what was said lay from what happened, in words.
fn agreement(ece: f64) -> String {
    let points = (ece * 100.0).round();
    let word = match points {
        ..=5.0 => "closely",
        ..=10.0 => "well enough",
        _ => "poorly",
    };
    format!("The forecast agrees {word} with what happened: {points:.0} percentage points apart on average.")
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}
