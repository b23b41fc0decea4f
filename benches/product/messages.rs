//! How many messages people get: the demo's desk, and recorded histories, with the default settings.
//!
//! `HISTORIES` names history files, separated by `:`. Nobody answers, so every escalation runs to its end.

use std::path::PathBuf;

use chrono::TimeDelta;
use superops_sla::cli::demo::{DemoRun, Desk, Said};

use super::figure::Figure;

/// What a person gets on a day: at most, and in the middle.
const MOST: usize = 15;
const MEDIAN: usize = 6;

pub async fn measure() -> anyhow::Result<Vec<Figure>> {
    let histories = std::env::var("HISTORIES").unwrap_or_default();
    let histories = histories.split(':').filter(|path| !path.is_empty()).map(|path| Desk::Replay(PathBuf::from(path)));
    let mut figures = Vec::new();
    for desk in [Desk::Usual].into_iter().chain(histories) {
        let name = name(&desk);
        let answered = desk == Desk::Demo;
        let play = DemoRun { desk, tickets: 80, seed: 7, lasts: TimeDelta::hours(24), answered };
        let said = superops_sla::cli::demo::play(&play).await?.said;
        print_people(&name, &said);
        figures.extend(judge(&name, &said));
    }
    Ok(figures)
}

fn name(desk: &Desk) -> String {
    match desk {
        Desk::Demo => "the demo".to_owned(),
        Desk::Usual => "the demo's desk, default settings".to_owned(),
        Desk::Replay(path) => path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
    }
}

fn print_people(name: &str, said: &Said) {
    println!("\n{name}\n\n| who | emails | texts | texts at night | most on a day |\n|---|---|---|---|---|");
    for person in said.people.iter().take(12) {
        let (emails, texts, night) = (person.emails, person.texts, person.texts_at_night);
        println!("| {} | {emails} | {texts} | {night} | {} |", person.name, person.most_in_a_day);
    }
    println!("| {} people in all | | | | |\n", said.people.len());
}

fn judge(name: &str, said: &Said) -> Vec<Figure> {
    let (most, median, night) = (said.most_in_a_day, said.median_a_day, said.texts_at_night);
    let (told, breaches) = (said.breaches_told_in_time, said.breaches);
    vec![
        Figure::new(
            format!("{name}: messages to one person on one day"),
            format!("{most} at most, {median} in the middle"),
            format!("at most {MOST}, {MEDIAN} in the middle"),
            most <= MOST && median <= MEDIAN,
        ),
        Figure::plain(format!("{name}: texts at night"), night.to_string()),
        Figure::new(
            format!("{name}: breaches of which somebody was told before or within a minute"),
            format!("{told} of {breaches}"),
            "all",
            told == breaches,
        ),
    ]
}
