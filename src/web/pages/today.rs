//! The page of how today compares with the same weekday a week before; the page of tickets shows it as well.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;
use maud::{Markup, html};

use super::{Sheet, frame};
use crate::formats::svg;
use crate::report::{Chart, ChartKind, Series, Unit};
use crate::service::today::{Happened, Today};
use crate::web::auth::Caller;
use crate::web::{Problem, Web};

/// Counts one kind of event.
type Count = fn(&Happened) -> usize;

/// The kinds of events, with their keys and titles.
const KINDS: [(&str, &str, Count); 3] = [
    ("opened", "Opened", |happened| happened.opened),
    ("closed", "Closed", |happened| happened.closed),
    ("breached", "Targets missed", |happened| happened.breached),
];

/// GET /today
pub async fn today(State(web): State<Arc<Web>>, caller: Caller) -> Result<Html<String>, Problem> {
    let day = web.service.today(&caller.scope).await?;
    let content = html! {
        main.made {
            h1 { "Today" }
            p.muted { "Hours are " (day.timezone.map_or_else(|| "each tenant's own".to_owned(), |zone| format!("those of {zone}"))) ". A ticket counts as closed when it is resolved." }
            div id="day" { (picture(&day)) }
        }
    };
    Ok(frame(&web, &caller, &Sheet { title: "Today", kind: "made", here: "/" }, &content))
}

fn picture(day: &Today) -> Markup {
    let before = weekday(day);
    html! {
        p id="day-words" { (words(day, &before)) }
        div.days { @for (key, title, count) in KINDS {
            figure { figcaption { (title) } (svg::write(&chart(day, key, title, &before, count))) }
        } }
        details.figures { summary { "In figures" } (table(day, &before)) }
    }
}

/// Returns the name of the same day a week before: `last Monday`.
fn weekday(day: &Today) -> String {
    let zone = day.timezone.and_then(|name| name.parse::<crate::sla::zone::Tz>().ok()).unwrap_or_default();
    format!("last {}", day.now.with_timezone(&zone).format("%A"))
}

/// Says `Today: 34 opened, 29 closed, 3 targets missed; last Tuesday by this time: 30, 31 and 1.`
fn words(day: &Today, before: &str) -> String {
    let (now, then) = (&day.today, &day.before_by_now);
    format!(
        "Today: {} opened, {} closed, {} {} missed; {before} by this time: {}, {} and {}.",
        now.opened,
        now.closed,
        now.breached,
        if now.breached == 1 { "target" } else { "targets" },
        then.opened,
        then.closed,
        then.breached
    )
}

fn chart(day: &Today, key: &str, title: &str, before: &str, count: Count) -> Chart {
    let point = |happened: &Happened| count(happened) as f64;
    let now = day.hours.iter().map(|hour| hour.today.as_ref().map(point)).collect();
    let then = day.hours.iter().map(|hour| Some(point(&hour.before))).collect();
    Chart {
        key: key.to_owned(),
        title: format!("{title} today, hour by hour"),
        kind: ChartKind::Bar,
        unit: Unit::Count,
        labels: day.hours.iter().map(|hour| hour.hour.to_string()).collect(),
        series: vec![
            Series { name: "today".to_owned(), points: now },
            Series { name: before.to_owned(), points: then },
        ],
        target: None,
    }
}

fn table(day: &Today, before: &str) -> Markup {
    html! {
        div.scroll { table.plain {
            thead {
                tr { th scope="col" { "Hour" } @for (_, title, _) in KINDS { th scope="col" { (title) } th scope="col" { (before) } } }
            }
            tbody { @for hour in &day.hours { tr {
                th scope="row" { (format!("{:02}:00", hour.hour)) }
                @for (_, _, count) in KINDS {
                    td.number { @match &hour.today { Some(happened) => { (count(happened)) } None => { "–" } } }
                    td.number { (count(&hour.before)) }
                }
            } } }
        } }
    }
}
