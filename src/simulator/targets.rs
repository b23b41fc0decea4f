//! The targets behind the look-alike's SLAs: one table, which its API never shows.
//!
//! A real account hides its targets as well; anybody who wants them has to infer them from created and due times, and
//! may check the result against this table.

use chrono::TimeDelta;

/// Counts round the clock.
pub const GOLD: &str = "Gold 24x7";
/// Counts in the hours of the client's site.
pub const SILVER: &str = "Silver Business";
/// What a ticket gets when nothing else matches: site hours, one target for all priorities.
pub const DEFAULT: &str = "Default SLA";

/// The priorities of the made-up account, most pressing first.
pub const PRIORITIES: [&str; 5] = ["Critical", "High", "Medium", "Low", "Very Low"];

/// What an SLA promises for one priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    pub response: TimeDelta,
    pub resolution: TimeDelta,
    /// Whether only the hours of the site count.
    pub site_hours: bool,
}

/// Minutes to the first response and to the resolution.
type Minutes = (i64, i64);

/// SLA, whether only site hours count, and the times in the order of [`PRIORITIES`].
const TABLE: [(&str, bool, [Minutes; PRIORITIES.len()]); 3] = [
    (GOLD, false, [(15, 240), (30, 480), (120, 1_440), (240, 2_880), (480, 4_320)]),
    (SILVER, true, [(30, 240), (60, 480), (120, 960), (240, 1_920), (480, 2_400)]),
    (DEFAULT, true, [(240, 1_440); 5]),
];

/// Returns the target of `sla` for `priority`; none unless both are known.
pub fn target(sla: &str, priority: &str) -> Option<Target> {
    let (_, site_hours, minutes) = TABLE.iter().find(|(name, ..)| *name == sla)?;
    let row = PRIORITIES.iter().position(|name| *name == priority)?;
    let (response, resolution) = minutes[row];
    let minutes = TimeDelta::minutes;
    Some(Target { response: minutes(response), resolution: minutes(resolution), site_hours: *site_hours })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_priority_is_answered_before_it_is_solved_and_never_sooner_than_a_worse_one() {
        for sla in [GOLD, SILVER, DEFAULT] {
            let targets: Vec<Target> = PRIORITIES.iter().map(|priority| target(sla, priority).unwrap()).collect();
            assert!(targets.iter().all(|target| target.response < target.resolution), "{sla}");
            assert!(targets.is_sorted_by_key(|target| (target.response, target.resolution)), "{sla}");
        }
    }

    #[test]
    fn a_ticket_without_priority_has_no_target() {
        assert_eq!(target(GOLD, ""), None);
        assert_eq!(target("Platinum", "High"), None);
    }
}
