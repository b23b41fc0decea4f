//! Shows how far a long pass has come: a bar on a terminal, otherwise a log line now and then.

use std::io::IsTerminal;

use chrono::{DateTime, TimeDelta, Utc};
use indicatif::ProgressBar;
use tracing::info;

use crate::terminal;
use crate::ticket::TenantId;

const PAGE: u64 = 100;
/// A pass of this many pages ends before anybody wonders.
const SHORT: u64 = 3;
const LOG_EVERY: TimeDelta = TimeDelta::seconds(10);

/// The progress of one pass.
pub struct Progress {
    tenant: TenantId,
    began_at: DateTime<Utc>,
    began_with: u64,
    logged_at: DateTime<Utc>,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Starts the progress of a pass that resumes after `pages` pages.
    pub fn begin(tenant: &TenantId, pages: u32, now: DateTime<Utc>) -> Self {
        let began_with = u64::from(pages) * PAGE;
        Self { tenant: tenant.clone(), began_at: now, began_with, logged_at: now, bar: None }
    }

    /// Shows that `pages` pages have been read.
    pub fn page_read(&mut self, pages: u32, total: Option<u64>, now: DateTime<Utc>) {
        let read = u64::from(pages) * PAGE;
        if total.is_some_and(|total| total <= SHORT * PAGE) {
            return;
        }
        if std::io::stderr().is_terminal() {
            self.draw(read, total);
        } else if now - self.logged_at >= LOG_EVERY {
            self.logged_at = now;
            self.log(read, total, now);
        }
    }

    /// Removes the bar.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn draw(&mut self, read: u64, total: Option<u64>) {
        let bar = self.bar.get_or_insert_with(|| terminal::bar(self.tenant.as_str(), "tickets", self.began_with));
        if let Some(total) = total {
            bar.set_length(total);
        }
        bar.set_position(read);
    }

    fn log(&self, read: u64, total: Option<u64>, now: DateTime<Utc>) {
        let tenant = &self.tenant;
        let (Some(total), Some(left)) = (total, total.and_then(|total| self.left(read, total, now))) else {
            return info!(%tenant, read, "read {read} tickets of `{tenant}`");
        };
        let left_seconds = left.num_seconds();
        info!(%tenant, read, total, left_seconds, "read {read} of {total} tickets of `{tenant}`, about {left_seconds} s left");
    }

    /// Estimates the time left at the pace of this run; the first pages of a resumed pass were not read now.
    fn left(&self, read: u64, total: u64, now: DateTime<Utc>) -> Option<TimeDelta> {
        let done = i64::try_from(read.saturating_sub(self.began_with)).ok().filter(|done| *done > 0)?;
        let rest = i64::try_from(total.saturating_sub(read)).ok()?;
        let milliseconds = (now - self.began_at).num_milliseconds().checked_mul(rest)? / done;
        Some(TimeDelta::milliseconds(milliseconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_estimated_from_what_this_run_has_read() {
        let begin = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let progress = Progress::begin(&TenantId::parse("acme").unwrap(), 50, begin);
        let now = begin + TimeDelta::seconds(30);
        assert_eq!(progress.left(6_000, 10_000, now), Some(TimeDelta::seconds(120)), "1,000 in 30 s, 4,000 to go");
        assert_eq!(progress.left(5_000, 10_000, now), None, "nothing read yet");
        assert_eq!(progress.left(6_000, 5_500, now), Some(TimeDelta::zero()), "tickets were deleted meanwhile");
    }
}
