//! The part of [`super::explain`] that is about on-call rotations.

use crate::alert::on_call::{Layer, Person, Rotation};

use super::duration;
use super::explain_page::{Page, hours_rows};

const WEEK_HOURS: u32 = 7 * 24;

/// Explains who takes turns, from when and for how long.
pub(super) fn on_call(page: &mut Page, rotation: &Rotation) {
    page.heading(format!("On call: {}", rotation.name));
    page.row("timezone", rotation.timezone.name());
    if let Some(tenant) = &rotation.tenant {
        page.row("for", format!("{tenant} only"));
    }
    for (index, layer) in rotation.layers.iter().enumerate() {
        let wins = if index == 0 { "" } else { "; overrides those above while it applies" };
        page.row(format!("layer {}", index + 1), format!("{}{wins}", layer_words(layer)));
        if let Some(hours) = &layer.hours {
            hours_rows(page, &hours.spec().week);
        }
    }
}

fn layer_words(layer: &Layer) -> String {
    let people: Vec<_> = layer.people.iter().map(Person::text).collect();
    let starts = layer.starts.format("%a %-d %b %Y %H:%M");
    format!("{}, {} each, from {starts}", people.join(", then "), turn_words(layer.hours_a_turn))
}

fn turn_words(hours: u32) -> String {
    match hours {
        WEEK_HOURS => "a week".to_owned(),
        24 => "a day".to_owned(),
        hours if hours % WEEK_HOURS == 0 => format!("{} weeks", hours / WEEK_HOURS),
        hours => duration::show(chrono::TimeDelta::hours(hours.into())),
    }
}
