//! How the desk stands as a whole, and whether that can be known: is SuperOps
//! read, do the channels work, can the store be written.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::kept::Version;
use super::leader::LeaderHealth;
use super::{Reach, Service, ServiceError};
use crate::clock::CLOCK_WRONG;
use crate::config::{ChannelKind, Tenant};
use crate::descriptors;
use crate::notify;
use crate::self_monitoring::Readiness;
use crate::sla::standing::{CLOCK_NAMES, Tally, TicketStanding};
use crate::store::StoreError;
use crate::sync::SyncHealth;
use crate::telemetry::{StandingLabels, TenantLabels, TicketLabels};
use crate::ticket::{ClockKind, TenantId};

/// A tenant not read for this many polls, and for this long at least, is not ready; nor is a follower whose leader has
/// told nothing for that long.
const STALE_POLLS: i32 = 5;
const STALE_AT_LEAST: TimeDelta = TimeDelta::minutes(5);

/// The head of the page: how the desk stands, and whether we can know it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Overview {
    pub now: DateTime<Utc>,
    /// How many times faster than wall time the clock runs: 1 except in a demo.
    pub speed: u32,
    #[serde(flatten)]
    pub counts: Counts,
    /// Open tickets that nobody has.
    pub unassigned: usize,
    /// Open tickets that are likely or very likely to breach, and have not.
    pub likely: usize,
    /// Seconds that the longest-waiting client has waited for a first answer; none: nobody waits.
    pub longest_unanswered: Option<i64>,
    /// Since when that client has waited.
    pub unanswered_since: Option<DateTime<Utc>>,
    pub tenants: Vec<TenantHealth>,
    pub channels: Vec<ChannelHealth>,
    pub outbox_pending: i64,
    pub sent_last_day: i64,
    pub failed_last_day: i64,
    /// What should have happened to alerts and did not, by kind; empty while all is well.
    pub mismatches: BTreeMap<&'static str, usize>,
    /// Rows of the store that cannot be read, and are left out of lists, by kind; empty while all is well.
    pub left_out: BTreeMap<&'static str, usize>,
}

/// The number of open tickets by standing. Each is counted once, so `open` is the sum of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Counts {
    pub open: usize,
    pub breached: usize,
    pub at_risk: usize,
    pub on_track: usize,
    pub paused: usize,
    /// Without a due time, or with nothing due any longer.
    pub nothing_due: usize,
}

impl Overview {
    /// The overview without what the passing of time alone changes.
    pub fn ground(&self) -> String {
        still(self.now, json!(self), |overview| {
            overview.remove("now");
            overview.remove("longest_unanswered");
        })
    }
}

/// Writes `answer` as text, without what `ticks` removes. It holds for a minute at most, since working hours begin and
/// end on a minute.
pub(super) fn still(now: DateTime<Utc>, mut answer: Value, ticks: impl Fn(&mut Map<String, Value>)) -> String {
    answer.as_object_mut().into_iter().for_each(ticks);
    format!("{} {answer}", now.timestamp().div_euclid(60))
}

impl Counts {
    pub(super) fn of(tally: &Tally) -> Self {
        Self {
            open: tally.total(),
            breached: tally.of(TicketStanding::Breached),
            at_risk: tally.of(TicketStanding::AtRisk),
            on_track: tally.of(TicketStanding::OnTrack),
            paused: tally.of(TicketStanding::Paused),
            nothing_due: tally.of(TicketStanding::NothingDue),
        }
    }

    /// All but the sum, in words.
    pub fn in_words(&self) -> String {
        let Self { breached, at_risk, on_track, paused, nothing_due, .. } = self;
        format!(
            "{breached} breached, {at_risk} at risk, {on_track} on track, {paused} paused, {nothing_due} with nothing due"
        )
    }
}

/// Whether one tenant's data is fresh.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TenantHealth {
    pub tenant: String,
    /// The zone of its calendar, by its name in the IANA database; UTC if it has none.
    pub timezone: &'static str,
    pub last_good_sync: Option<DateTime<Utc>>,
    /// What is wrong and what to do, in words; none while all is well.
    pub trouble: Option<String>,
    pub quarantined: usize,
    /// What SuperOps does not let us do, and what is done instead.
    pub limits: Vec<String>,
    /// Says that alerts go by the clock alone for now, if so.
    pub forecast: Option<String>,
    /// Statuses of open tickets that look closed or paused and are not listed, a sentence each. Names in it are text
    /// from outside.
    pub unlisted_statuses: Vec<String>,
}

/// Whether one way of reaching people works.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChannelHealth {
    pub channel: &'static str,
    /// up | down | unknown; down: nobody answers there, and what waits is tried one message at a time. unknown: the
    /// replica that leads has not told lately.
    pub state: &'static str,
}

impl Service {
    /// How the desk stands as a whole.
    pub async fn overview(&self, scope: &Reach) -> Result<Overview, ServiceError> {
        let now = self.clock.now();
        let (mut tickets, mut tenants) = (Tally::default(), Vec::new());
        let (mut unassigned, mut likely, mut waiting) = (0, 0, None);
        let leaders_now = self.leaders_now();
        let version = self.store_version(now).await?;
        for (tenant, snapshot) in self.standing_snapshots(self.tenants(scope), now).await? {
            tickets.join(&snapshot.tally);
            unassigned += snapshot.unassigned;
            likely += snapshot.likely;
            waiting = snapshot.waiting_since.into_iter().chain(waiting).min();
            tenants.push(self.health(tenant, snapshot.unlisted.clone(), version, leaders_now).await?);
        }
        let tally = self.messages_since(scope, version, now - TimeDelta::days(1)).await?;
        let work = self.work();
        Ok(Overview {
            now,
            speed: self.clock.speed(),
            counts: Counts::of(&tickets),
            unassigned,
            likely,
            longest_unanswered: waiting.map(|since| (now - since).num_seconds()),
            unanswered_since: waiting,
            tenants,
            channels: self.channels(&work, leaders_now),
            outbox_pending: tally.pending,
            sent_last_day: tally.sent,
            failed_last_day: tally.failed,
            mismatches: work.mismatches_within(scope),
            left_out: self.store.left_out(scope),
        })
    }

    /// Rows of the store that cannot be read and are left out of lists, by kind.
    pub fn left_out(&self, scope: &Reach) -> BTreeMap<&'static str, usize> {
        self.store.left_out(scope)
    }

    fn channels(&self, work: &LeaderHealth, now: DateTime<Utc>) -> Vec<ChannelHealth> {
        let is_silent = self.silence(now).is_some();
        let health = |kind: ChannelKind| {
            let channel = kind.as_str();
            let state = match work.down.contains(channel) {
                _ if is_silent => "unknown",
                true => "down",
                false => "up",
            };
            ChannelHealth { channel, state }
        };
        self.config.notify.kinds().into_iter().map(health).collect()
    }

    /// Says so if the leader, on which this process depends, has not told lately how its work goes. `now` is by its clock,
    /// as what it told.
    fn silence(&self, now: DateTime<Utc>) -> Option<String> {
        let told = self.heard.as_ref()?.borrow().as_ref().map(|heard| heard.at);
        match told.map(|at| now - at) {
            Some(age) if age <= STALE_AT_LEAST => None,
            Some(age) => Some(format!(
                "the leading replica has not told for {} how its work goes; check that it runs, and read its log",
                notify::words(age)
            )),
            None => {
                Some("no replica has told yet how its work goes; check that one leads, and read its log".to_owned())
            }
        }
    }

    /// Says so if our clock is far off from the database's.
    pub fn clock_problem(&self) -> Option<String> {
        let ahead = self.store.clock_ahead();
        let word = if ahead < TimeDelta::zero() { "behind" } else { "ahead of" };
        (ahead.abs() > CLOCK_WRONG).then(|| {
            format!(
                "this machine's clock is {} s {word} the database's; set the one that is wrong, best by NTP: what people \
                 do here is stored with a wrong time",
                ahead.num_seconds().abs()
            )
        })
    }

    /// Checks that the store can be written, the loops work and each tenant's data is fresh; else says why not.
    pub async fn ready(&self) -> Result<(), Vec<String>> {
        let now = self.leaders_now();
        let mut reasons = Vec::new();
        if let Err(error) = self.store.prove_writable(self.clock.now()).await {
            reasons.push(error.to_string());
        }
        if let Ok(missing) = self.store.missing_keys().await {
            reasons.extend(missing.into_iter().map(|id| StoreError::KeyMissing(id).to_string()));
        }
        if let Err(error) = descriptors::spare() {
            reasons.push(format!("no connection or file can be opened, so nobody can be told: {error}"));
        }
        reasons.extend(self.loop_healths.problems());
        reasons.extend(self.silence(now));
        reasons.extend(self.clock_problem());
        for tenant in self.config.tenants.values() {
            let health = self.sync_health(&tenant.id);
            reasons.extend(health.alarms().map(|alarm| format!("{}: {alarm}", tenant.id)));
            match (health.age(now), health.problem) {
                (Some(age), _) if age <= longest_silence(tenant) => {}
                (_, Some(trouble)) => reasons.push(format!("{}: {trouble}", tenant.id)),
                (None, None) => reasons.push(format!("{}: SuperOps has not been read yet", tenant.id)),
                (Some(age), None) => {
                    reasons.push(format!("{}: SuperOps was last read {} ago", tenant.id, notify::words(age)));
                }
            }
        }
        if reasons.is_empty() { Ok(()) } else { Err(reasons) }
    }

    /// Brings the metrics that age by themselves up to now.
    pub fn refresh_gauges(&self) {
        let now = self.leaders_now();
        for tenant in self.config.tenants.keys() {
            let labels = TenantLabels { tenant: tenant.to_string() };
            if let Some(age) = self.sync_health(tenant).age(now) {
                self.telemetry.sync_age_seconds.get_or_create(&labels).set(age.as_seconds_f64());
            }
        }
    }

    /// Brings the metrics of open tickets up to now.
    pub async fn refresh_standings(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        for (tenant, snapshot) in self.snapshots(self.config.tenants.values(), now).await? {
            let name = tenant.id.to_string();
            for standing in TicketStanding::ALL {
                let labels = TicketLabels { tenant: name.clone(), standing: standing.as_str() };
                self.telemetry.tickets.get_or_create(&labels).set(gauge(snapshot.tally.of(standing)));
            }
            for (kind, counts) in ClockKind::ALL.into_iter().zip(snapshot.clocks) {
                for (standing, count) in CLOCK_NAMES.into_iter().zip(counts) {
                    let labels = StandingLabels { tenant: name.clone(), clock: kind.as_str(), standing };
                    self.telemetry.open_tickets.get_or_create(&labels).set(gauge(count));
                }
            }
        }
        Ok(())
    }

    async fn health(
        &self,
        tenant: &Tenant,
        unlisted_statuses: Vec<String>,
        version: Version,
        now: DateTime<Utc>,
    ) -> Result<TenantHealth, StoreError> {
        let health = self.sync_health(&tenant.id);
        let last_good = match health.last_good {
            Some(at) => Some(at),
            // Asked from the command line, beside the service that syncs.
            None => self.store.sync_state(&tenant.id).await?.good_at,
        };
        let problems = health.problem.iter().chain(health.alarms()).map(ToString::to_string);
        let troubles: Vec<_> = self.silence(now).into_iter().chain(self.clock_problem()).chain(problems).collect();
        let trouble = (!troubles.is_empty()).then(|| troubles.join(". "));
        let stale = last_good.is_some_and(|at| now - at > longest_silence(tenant));
        let trouble = trouble.or_else(|| stale.then(|| "SuperOps has not been read lately, and no error says why; check that the service is running, and read its log".to_owned()));
        let quarantined = self.quarantined(&tenant.id, version).await?;
        Ok(TenantHealth {
            tenant: tenant.id.to_string(),
            timezone: self.rules_cache.of(tenant).await?.1.msp_timezone().name(),
            last_good_sync: last_good,
            trouble,
            quarantined,
            limits: health.limits,
            forecast: self.stepped_back(&tenant.id),
            unlisted_statuses,
        })
    }

    fn sync_health(&self, tenant: &TenantId) -> SyncHealth {
        if let Some(heard) = &self.heard {
            let heard = heard.borrow();
            return heard.as_ref().and_then(|heard| heard.health.syncs.get(tenant).cloned()).unwrap_or_default();
        }
        self.sync.health.get(tenant).map(|health| health.borrow().clone()).unwrap_or_default()
    }
}

#[async_trait]
impl Readiness for Service {
    async fn is_ready(&self) -> bool {
        self.ready().await.is_ok()
    }
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// How long a tenant may go without news before its data is stale.
fn longest_silence(tenant: &Tenant) -> TimeDelta {
    (tenant.poll_interval * STALE_POLLS).max(STALE_AT_LEAST)
}
