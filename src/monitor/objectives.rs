//! How services stand to their objectives: the figures of the last minutes or hours, from what is stored of their looks.
//!
//! What was seen in announced work, and what our own line made look bad, counts for nothing.

use std::sync::Arc;

use super::board::{Figure, MonitorState, StatusBoard};
use crate::config::Config;
use crate::config::uptime::Objective;
use crate::store::uptime::{LookRow, WIDTHS};
use crate::store::{Store, StoreError};
use crate::uptime::availability::Window;
use crate::uptime::book::ComponentEntry;
use crate::uptime::incident::Announcements;
use crate::uptime::objective::{Level, Looks};
use crate::uptime::sketch::Sketch;
use crate::uptime::{Condition, HOUR, Millis};

/// So much of the past is read look by look; what lies before it is summed up already.
const LOOK_BY_LOOK: Millis = HOUR;
/// In an hour there are no more.
const LOOKS_MOST: i64 = 4000;

/// Works out how all objectives stand, and shows it on `monitor_state`. True if one stands otherwise than before.
pub async fn measure(
    config: &Config,
    store: &Store,
    monitor_state: &MonitorState,
    now: Millis,
) -> Result<bool, StoreError> {
    let (board, announcements) = (monitor_state.board(), monitor_state.announcements());
    let before = monitor_state.figures();
    let mut figures = Vec::with_capacity(config.uptime.objectives.len());
    let mut is_news = false;
    for (place, objective) in config.uptime.objectives.iter().enumerate() {
        let known = before.get(place).copied().unwrap_or_default();
        let value = figure(store, objective, &board, &announcements, now).await?;
        let level = |value: Option<i64>| value.map(|value| objective.goal.level(value));
        is_news |= level(value) != level(known.value);
        let since = match level(value) {
            Some(Level::Warned | Level::Missed) => known.since.or(Some(now)),
            Some(Level::Kept) => None,
            Some(Level::Near) | None => known.since,
        };
        figures.push(Figure { value, since });
    }
    monitor_state.measured(Arc::new(figures));
    Ok(is_news)
}

async fn figure(
    store: &Store,
    objective: &Objective,
    board: &StatusBoard,
    announcements: &Announcements,
    now: Millis,
) -> Result<Option<i64>, StoreError> {
    let Some(entry) = board.book.component(&objective.component) else { return Ok(None) };
    let windows = announcements.windows_of(&objective.component);
    let from = now - objective.goal.window;
    let mut looks = Looks::default();
    for place in entry.checks() {
        let Some(number) = board.numbers.get(*place).copied() else { continue };
        let edge = edge(store, number, from, now).await?;
        let (width, _) = WIDTHS[0];
        if edge > from {
            for sum in store.uptime_rollups(number, width, from, edge).await? {
                if counts(entry, &windows, sum.at, sum.at + width) {
                    looks.add(sum.good, sum.bad, &sum.sketch);
                }
            }
        }
        let rows = store.uptime_looks(number, edge, now + 1, LOOKS_MOST).await?;
        rows.iter().filter(|row| counts(entry, &windows, row.at, row.at + 1)).for_each(|row| add(&mut looks, row));
    }
    Ok(objective.goal.figure(&looks))
}

/// From where on single looks are read: in a long window, from where they are not summed up yet.
async fn edge(store: &Store, number: i64, from: Millis, now: Millis) -> Result<Millis, StoreError> {
    if now - from <= LOOK_BY_LOOK {
        return Ok(from);
    }
    let rolled = store.uptime_rolled_until(number, WIDTHS[0].0).await?.unwrap_or(from);
    Ok(rolled.clamp(now - LOOK_BY_LOOK, now).max(from))
}

fn add(looks: &mut Looks, row: &LookRow) {
    let is_good = row.verdict == Condition::Up;
    let mut sketch = Sketch::default();
    row.took().into_iter().for_each(|micros| sketch.add(micros));
    looks.add(i64::from(is_good), i64::from(!is_good), &sketch);
}

/// Whether what was seen in `[from, until)` says anything of the service: nobody worked on it, and we could see.
fn counts(entry: &ComponentEntry, windows: &[Window], from: Millis, until: Millis) -> bool {
    let is_known = |at: Millis| entry.line.at(at) != Condition::Unknown;
    is_known(from) && is_known(until - 1) && windows.iter().all(|one| until <= one.from || one.until <= from)
}
