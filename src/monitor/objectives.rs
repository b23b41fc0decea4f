//! How services stand against their objectives: the figures of the last minutes or hours, from the stored looks.
//!
//! What was seen during announced work, or looked bad because our own line was cut, does not count.

use std::sync::Arc;

use super::board::{Figure, MonitorState, StatusBoard};
use crate::config::Config;
use crate::config::uptime::Objective;
use crate::store::uptime::{LookRow, WIDTHS};
use crate::store::{Store, StoreError};
use crate::uptime::availability::Window;
use crate::uptime::incident::Announcements;
use crate::uptime::intervals::Interval;
use crate::uptime::objective::{Level, Looks};
use crate::uptime::sketch::Sketch;
use crate::uptime::spans::{Timeline, within};
use crate::uptime::{Condition, HOUR, Millis};

/// How much of the past is read look by look; anything older is already summed up.
const LOOK_BY_LOOK: Millis = HOUR;
/// The most looks read at once; an hour, which others can fill for ten minutes more, has no more.
const LOOKS_MOST: i64 = 5000;

/// Measures all objectives and shows the result in `monitor_state`. Returns true if the level of one has changed.
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
    let windows = known_ahead(announcements.windows_of(&objective.component));
    let from = now - objective.goal.window;
    let mut looks = Looks::default();
    for place in entry.checks() {
        let Some(number) = board.numbers.get(*place).copied() else { continue };
        // Each place has its own line: what another place sees says nothing about what was seen from here.
        let line = &board.book.checks[*place].line;
        let edge = edge(store, number, from, now).await?;
        let (width, _) = WIDTHS[0];
        if edge > from {
            for sum in store.uptime_rollups(number, width, from, edge).await? {
                if counts(line, &windows, (sum.at, sum.at + width)) {
                    looks.add(sum.good, sum.bad, &sum.sketch);
                }
            }
        }
        let rows = store.uptime_looks(number, edge, now + 1, LOOKS_MOST).await?;
        rows.iter().filter(|row| counts(line, &windows, (row.at, row.at + 1))).for_each(|row| add(&mut looks, row));
    }
    Ok(objective.goal.figure(&looks))
}

/// Cuts each window to begin no earlier than it was announced, so that work entered afterwards does not hide what was
/// seen before.
fn known_ahead(windows: Vec<Window>) -> Vec<Window> {
    windows.into_iter().map(|one| Window { from: one.from.max(one.announced_at), ..one }).collect()
}

/// Returns from when on single looks are read: in a long window, from where they are not summed up yet.
async fn edge(store: &Store, number: i64, from: Millis, now: Millis) -> Result<Millis, StoreError> {
    if now - from <= LOOK_BY_LOOK {
        return Ok(from);
    }
    let rolled = store.uptime_rolled_until(number, WIDTHS[0].0, now).await?.unwrap_or(from);
    Ok(rolled.clamp(now - LOOK_BY_LOOK, now).max(from))
}

fn add(looks: &mut Looks, row: &LookRow) {
    let is_good = row.verdict == Condition::Up;
    let mut sketch = Sketch::default();
    row.took().into_iter().for_each(|micros| sketch.add(micros));
    looks.add(i64::from(is_good), i64::from(!is_good), &sketch);
}

/// Whether what was seen of a check in `[from, until)` says anything about the service: nobody worked on it, and we
/// could see all the while.
fn counts(line: &Timeline, windows: &[Window], (from, until): Interval) -> bool {
    let spans = within(line.spans(), (from, until));
    spans.first().is_some_and(|first| first.from <= from)
        && spans.iter().all(|span| span.condition != Condition::Unknown)
        && windows.iter().all(|one| until <= one.from || one.until <= from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_is_entered_afterwards_wipes_out_nothing_that_was_seen_before() {
        let window = |from, announced_at| Window { from, until: 70, announced_at };
        let windows = known_ahead(vec![window(10, 0), window(10, 30)]);
        assert_eq!(windows.iter().map(|one| one.from).collect::<Vec<_>>(), [10, 30]);
    }

    #[test]
    fn what_was_seen_counts_while_we_could_see_and_nobody_worked_on_it() {
        let mut line = Timeline::default();
        for (from, condition) in [(10, Condition::Up), (30, Condition::Unknown), (40, Condition::Down)] {
            line.set(from, condition);
        }
        let work = [Window { from: 60, until: 70, announced_at: 0 }];
        let cases = [
            ((9, 10), false),
            ((10, 11), true),
            ((29, 30), true),
            ((30, 31), false),
            ((20, 50), false),
            ((40, 60), true),
            ((60, 61), false),
            ((55, 75), false),
            ((70, 71), true),
        ];
        for (interval, expected) in cases {
            assert_eq!(counts(&line, &work, interval), expected, "{interval:?}");
        }
    }
}
