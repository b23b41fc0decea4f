//! Whether something changes so often that a single change is no longer news.

use super::{HOUR, MINUTE, Millis};

/// How many changes within [`HOUR`] count as flapping.
const CHANGES: usize = 6;
/// How long it must be quiet for the flapping to be over.
const QUIET: Millis = 15 * MINUTE;

/// Whether something that changed at `changes`, in order, flaps at `now`.
///
/// Flapping ends only after a quarter of an hour without changes, however few changes are left of the last hour.
pub fn is_flapping(changes: &[Millis], now: Millis) -> bool {
    let Some(last) = changes.iter().copied().filter(|at| *at <= now).max() else { return false };
    if now - last >= QUIET {
        return false;
    }
    // Among the changes without a quiet gap, some hour must hold enough.
    let run_begins = changes.windows(2).rposition(|two| two[1] - two[0] >= QUIET).map_or(0, |index| index + 1);
    changes[run_begins..].windows(CHANGES).any(|some| some[CHANGES - 1] - some[0] <= HOUR)
}

/// Drops the changes that no longer matter at `now`.
pub fn recent(changes: &mut Vec<Millis>, now: Millis) {
    const KEPT: usize = 64;
    changes.retain(|at| *at > now - 2 * HOUR);
    let surplus = changes.len().saturating_sub(KEPT);
    changes.drain(..surplus);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_changes_an_hour_flap_until_a_quarter_of_an_hour_is_quiet() {
        let minutes = |all: &[i64]| -> Vec<Millis> { all.iter().map(|minute| minute * MINUTE).collect() };
        let flaps = |changes: &[i64], now: i64| is_flapping(&minutes(changes), now * MINUTE);
        assert!(!flaps(&[], 0));
        assert!(!flaps(&[0, 10, 20, 30, 40], 41), "five");
        assert!(flaps(&[0, 10, 20, 30, 40, 50], 51));
        assert!(flaps(&[0, 10, 20, 30, 40, 50], 64));
        assert!(!flaps(&[0, 10, 20, 30, 40, 50], 65), "quiet");
        assert!(!flaps(&[0, 2, 4, 6, 8, 10, 30], 31), "one change after the quiet is a change");
        assert!(!flaps(&[0, 13, 26, 39, 52, 65], 66), "six, but in more than an hour");
    }
}
