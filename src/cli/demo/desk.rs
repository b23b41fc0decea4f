//! The made-up desk of the demo: what kind of account it has, what it promised, and how its people want to be told.

use chrono::{DateTime, Datelike, NaiveTime, TimeDelta, Utc};

use crate::simulator::{SimOptions, targets};

/// How many done tickets: enough for the forecast to have learned the desk's ways by the time the page is opened.
const PAST: usize = 1_500;

/// Returns what kind of account the made-up desk is.
pub(super) fn desk_options() -> SimOptions {
    SimOptions { requests_per_minute: 0, past: PAST, hostile: false, pressing: true, ..SimOptions::default() }
}

/// The settings for a history, which has status names of its own; the made-up desk's are guessed.
pub(super) const REPLAY: &str = r#"
hours = "site"
[tenants.demo.statuses]
closed = ["Resolved", "Closed", "Resolve ticket", "RESOLVED", "CLOSED"]
paused = ["Awaiting User Info", "Awaiting Vendor", "Awaiting Evidence", "Wait"]
[tenants.demo.write_back]
note_on = ["breached"]
"#;

/// The made-up desk's hours, and who is on call.
pub(super) const DESK: &str = r#"
hours = "site"
calendar = "head-office"
[tenants.demo.write_back]
note_on = ["breached"]

[calendars.head-office]
timezone = "Europe/London"
mon = ["08:00-18:00"]
tue = ["08:00-18:00"]
wed = ["08:00-18:00"]
thu = ["08:00-18:00"]
fri = ["08:00-18:00"]

[on_call.desk]
timezone = "Europe/London"
[[on_call.desk.layers]]
people = ["dana.whitfield@example.com", "amara.okafor@example.com", "mateo.alvarez@example.com"]
starts = "2026-01-05T08:00"
every = "1d"
"#;

/// The made-up desk's alerts: who hears of a breach that nobody takes on. What may still turn out well concerns the
/// technician alone.
pub(super) const DESK_ALERTS: &str = r#"
[notify.voice]
from = "+15005550006"
language = "en-GB"

[alerts]
predict_per_day = 16
predict_least_left = "30m"
ack_expires = "2h"
[[alerts.steps]]
after = "0s"
notify = ["technician", "slack", "teams", "webhook"]
channels = ["email", "sms"]
[[alerts.steps]]
after = "15m"
notify = ["manager"]
channels = ["email"]
[[alerts.steps]]
after = "45m"
notify = ["account-manager", "on-call:desk", "ntfy:demo-desk"]
channels = ["email"]
[[alerts.steps]]
after = "60m"
notify = ["on-call:desk"]
channels = ["voice"]

[[escalations]]
name = "before-a-breach"
stage = "warning"
[[escalations.steps]]
after = "0s"
notify = ["technician", "slack", "webhook"]

[[escalations]]
name = "likely-breach"
stage = "predicted"
[[escalations.steps]]
after = "0s"
notify = ["technician", "slack", "webhook"]

[alerts.quiet_hours]
from = "19:00"
until = "07:30"
timezone = "Europe/London"
channels = ["email"]
except = ["Critical", "High"]
"#;

/// Returns the latest Tuesday at ten, so that the demo shows a desk at work on any day.
pub(super) fn working_morning(now: DateTime<Utc>) -> DateTime<Utc> {
    let since_tuesday = (now.weekday().num_days_from_monday() + 6) % 7;
    let morning = now.date_naive().and_time(NaiveTime::from_hms_opt(10, 0, 0).unwrap_or_default()).and_utc();
    let morning = morning - TimeDelta::days(since_tuesday.into());
    if morning > now { morning - TimeDelta::days(7) } else { morning }
}

/// Returns what the MSP has promised, as it would write it down. It has promised one client less time than SuperOps
/// knows of, so that the page shows the difference.
pub(super) fn policies() -> String {
    let mut text = policy(Some("Globex Corporation"), targets::SILVER, "Medium", 12 * 60);
    for sla in [targets::GOLD, targets::SILVER, targets::DEFAULT] {
        for priority in targets::PRIORITIES {
            let resolution = targets::target(sla, priority).map_or(0, |target| target.resolution.num_minutes());
            text.push_str(&policy(None, sla, priority, resolution));
        }
    }
    text
}

fn policy(client: Option<&str>, sla: &str, priority: &str, resolution_minutes: i64) -> String {
    let Some(target) = targets::target(sla, priority) else { return String::new() };
    let client = client.map(|name| format!("client = \"{name}\"\n")).unwrap_or_default();
    let clock = if target.site_hours { "business" } else { "calendar" };
    let response = target.response.num_minutes();
    format!(
        "[[policies]]\n{client}sla = \"{sla}\"\npriority = \"{priority}\"\n\
         response = \"{response}m\"\nresolution = \"{resolution_minutes}m\"\nclock = \"{clock}\"\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_desk_begins_on_the_latest_tuesday_at_ten() {
        let at = |text: &str| DateTime::parse_from_rfc3339(text).map(|at| at.to_utc()).unwrap_or_default();
        let cases = [
            ("2026-11-21T15:00:00Z", "2026-11-17T10:00:00Z"),
            ("2026-11-17T10:00:00Z", "2026-11-17T10:00:00Z"),
            ("2026-11-17T09:59:59Z", "2026-11-10T10:00:00Z"),
            ("2026-11-23T00:00:00Z", "2026-11-17T10:00:00Z"),
        ];
        for (now, begins) in cases {
            assert_eq!(working_morning(at(now)), at(begins), "{now}");
        }
    }
}
