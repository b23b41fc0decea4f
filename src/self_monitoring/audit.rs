//! Checks that what should have happened to alerts did happen: each due step ran, each breach has its alert, each alert
//! was told, each notification left in time.
//!
//! It relies on the store and the clocks, not on what the other loops believe, so it also finds what they have lost. It
//! repairs nothing: a mismatch is a fault of ours, or of the machine, and a person has to know.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tracing::{error, info};

use crate::alert::life::AlertRow;
use crate::alert::suppression::Suppression;
use crate::alert::{AlertKey, AlertKind, Closing, Stage, Subject};
use crate::config::uptime::Component;
use crate::config::{ChannelKind, Config, Tenant};
use crate::rules_cache::RulesCache;
use crate::sla::clock::{self, ClockState, Doubt, Standing};
use crate::sla::tenant_rules::TenantRules;
use crate::store::tickets::OpenTickets;
use crate::store::{Store, StoreError, millis};
use crate::telemetry::{ChannelLabels, MismatchLabels, Telemetry};
use crate::ticket::watch::Watched;
use crate::ticket::{Reach, TenantId};
use crate::uptime::{Condition, Span};

/// How late something may be before it counts as not having happened.
const GRACE: TimeDelta = TimeDelta::minutes(2);
/// How long a notification may wait in the outbox, for a channel that works, before it counts as stuck.
const STUCK_AFTER: TimeDelta = TimeDelta::minutes(10);

/// The kind of thing that did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MismatchKind {
    /// A step of an escalation, or the end of a hold, is overdue.
    LateStep,
    /// A clock is breached, and no alert says so.
    NoAlert,
    /// Nobody was told of an alert about a breach.
    NobodyTold,
    /// The state of a ticket's clock is unknown: SuperOps fails to give what it depends on.
    UnknownClock,
    /// A notification is overdue though its channel works.
    LateNotification,
}

impl MismatchKind {
    pub const ALL: [Self; 5] =
        [Self::LateStep, Self::NoAlert, Self::NobodyTold, Self::UnknownClock, Self::LateNotification];

    /// The name used in logs, metrics and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LateStep => "late_step",
            Self::NoAlert => "no_alert",
            Self::NobodyTold => "nobody_told",
            Self::UnknownClock => "unknown_clock",
            Self::LateNotification => "late_notification",
        }
    }
}

/// Something that did not happen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mismatch {
    pub tenant: TenantId,
    pub kind: MismatchKind,
    /// The id of the alert, the notification, or the ticket.
    pub id: String,
}

/// Everything found by the last audit.
pub type Mismatches = BTreeSet<Mismatch>;

/// Looks for mismatches.
pub(super) struct Audit {
    config: Arc<Config>,
    rules_cache: Arc<RulesCache>,
    store: Store,
    telemetry: Arc<Telemetry>,
    found: watch::Sender<Mismatches>,
    /// The speed of the clock: in a demo a minute is short, and what is late by the clock may be early in real time.
    speed: i32,
}

/// What is read for all tenants at once.
struct Known {
    /// The keys of breach alerts that nobody was told of.
    untold: HashSet<String>,
    /// The keys of each tenant's notifications that have waited too long.
    stuck: HashMap<String, Vec<String>>,
}

/// What is known of one tenant at one moment.
struct Observed<'a> {
    config: &'a Config,
    tenant: &'a Tenant,
    rules: &'a TenantRules,
    open: &'a OpenTickets,
    alerts: &'a [AlertRow],
    suppressions: &'a [Suppression],
    /// The components whose outage is over for the moment.
    resting: &'a BTreeSet<String>,
    /// What was due before this time should have happened.
    before: DateTime<Utc>,
    now: DateTime<Utc>,
}

impl Audit {
    pub fn new(
        config: Arc<Config>,
        rules_cache: Arc<RulesCache>,
        store: Store,
        telemetry: Arc<Telemetry>,
        found: watch::Sender<Mismatches>,
        speed: u32,
    ) -> Self {
        let speed = i32::try_from(speed).unwrap_or(i32::MAX);
        Self { config, rules_cache, store, telemetry, found, speed }
    }

    /// Audits each tenant, and logs what is new. If a tenant cannot be audited, what was found there before still
    /// stands.
    pub async fn turn(&mut self, now: DateTime<Utc>) -> Result<(), StoreError> {
        let mut found = Mismatches::new();
        let mut looked = Ok(());
        let known = self.known(now).await?;
        for tenant in self.config.tenants.values() {
            match self.look_at(tenant, &known, now).await {
                Ok(here) => found.extend(here),
                Err(error) => {
                    error!(tenant = %tenant.id, error = %error, "the alerts of `{}` could not be audited", tenant.id);
                    found.extend(self.found.borrow().iter().filter(|one| one.tenant == tenant.id).cloned());
                    looked = Err(error);
                }
            }
        }
        self.report(found);
        looked
    }

    fn report(&self, found: Mismatches) {
        let before = self.found.borrow().clone();
        for Mismatch { tenant, kind, id } in found.difference(&before) {
            let (name, what) = (
                kind.as_str(),
                match kind {
                    MismatchKind::UnknownClock => {
                        "SuperOps does not return the data for its clocks: look at the ticket yourself"
                    }
                    _ => "is overdue; see the log before this line, and report it",
                },
            );
            error!(%tenant, kind = name, id, "mismatch `{name}`: `{id}`: {what}");
        }
        if found.is_empty() && !before.is_empty() {
            info!("no mismatch is left");
        }
        for kind in MismatchKind::ALL {
            let count = found.iter().filter(|one| one.kind == kind).count();
            let gauge = self.telemetry.audit_mismatches.get_or_create(&MismatchLabels { kind: kind.as_str() });
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        self.found.send_replace(found);
    }

    /// Reads what one query answers for all tenants.
    async fn known(&self, now: DateTime<Utc>) -> Result<Known, StoreError> {
        let tenants: Vec<_> = self.config.tenants.keys().collect();
        let mut known = Known { untold: self.store.untold_breaches(&tenants).await?, stuck: HashMap::new() };
        let stuck = self.store.overdue(&self.shut(), now - STUCK_AFTER * self.speed).await?;
        stuck.into_iter().for_each(|(tenant, key)| known.stuck.entry(tenant).or_default().push(key));
        Ok(known)
    }

    /// Returns the time before which everything due should have happened by `now`.
    fn before(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now - GRACE * self.speed
    }

    async fn look_at(&self, tenant: &Tenant, known: &Known, now: DateTime<Utc>) -> Result<Vec<Mismatch>, StoreError> {
        let (_, rules) = self.rules_cache.of(tenant).await?;
        let open = self.store.open_tickets(&tenant.id).await?;
        let alerts = self.store.alerts(&tenant.id).await?;
        let before = self.before(now);
        // If they cannot be read, only this tenant is affected.
        let suppressions = self.store.suppressions(&Reach::One(tenant.id.clone()), before).await?;
        let resting = &self.resting(&alerts, before).await?;
        let (config, rules, open, alerts, suppressions) = (&self.config, &rules, &open, &alerts, &suppressions);
        let observed = Observed { config, tenant, rules, open, alerts, suppressions, resting, before, now };
        let mut found = observed.late_steps();
        found.extend(observed.unknown_clocks());
        found.extend(self.nobody_told(&observed, &known.untold));
        let state = self.store.sync_state(&tenant.id).await?;
        // Until all open tickets have been read once, past breaches are not announced yet.
        if state.swept_at.is_some() || state.passed_at.is_some() {
            found.extend(observed.without_alert());
        }
        let stuck = known.stuck.get(tenant.id.as_str()).into_iter().flatten().cloned();
        found.extend(stuck.map(|key| observed.mismatch(MismatchKind::LateNotification, key)));
        Ok(found)
    }

    /// Returns the components with an overdue outage that were up at some time since `before`: the steps of an outage
    /// that keeps coming back wait while it is over.
    async fn resting(&self, alerts: &[AlertRow], before: DateTime<Utc>) -> Result<BTreeSet<String>, StoreError> {
        let since = millis(before);
        let is_up = |span: &Span| span.condition == Condition::Up && span.until.is_none_or(|until| until > since);
        let is_overdue = |row: &&AlertRow| is_of_outage(row) && row.wakes_at().is_some_and(|at| at < before);
        let overdue: BTreeSet<&str> = alerts.iter().filter(is_overdue).map(|row| row.key.subject.as_str()).collect();
        let mut resting = BTreeSet::new();
        for component in overdue {
            if self.store.uptime_spans(component).await?.iter().any(is_up) {
                resting.insert(component.to_owned());
            }
        }
        Ok(resting)
    }

    /// Returns the channels that are out of order; notifications for them are known to wait.
    fn shut(&self) -> Vec<ChannelKind> {
        let is_open = |kind: &ChannelKind| {
            let channel = kind.as_str();
            self.telemetry.channel_open.get_or_create(&ChannelLabels { channel }).get() != 0
        };
        ChannelKind::ALL.into_iter().filter(is_open).collect()
    }

    fn nobody_told(&self, observed: &Observed<'_>, untold: &HashSet<String>) -> Vec<Mismatch> {
        let first_due = |row: &AlertRow| {
            let first = self.config.escalation(&row.escalation).and_then(|escalation| escalation.steps.first());
            row.steps_from + first.map(|step| step.after).unwrap_or_default()
        };
        let is_late = |row: &&AlertRow| {
            untold.contains(&row.key.to_string())
                && row.life.held().is_none()
                && first_due(row) < observed.before
                && observed.is_audible(row)
        };
        let late = observed.alerts.iter().filter(is_late);
        late.map(|row| observed.mismatch(MismatchKind::NobodyTold, row.key.id())).collect()
    }
}

impl Observed<'_> {
    fn mismatch(&self, kind: MismatchKind, id: String) -> Mismatch {
        Mismatch { tenant: self.tenant.id.clone(), kind, id }
    }

    /// Whether its ticket is open, or its component watched and not up meanwhile, and nobody has asked for quiet about
    /// it.
    fn is_audible(&self, row: &AlertRow) -> bool {
        let component = self.config.uptime.component(row.key.subject.as_str()).filter(|_| row.key.ticket().is_none());
        let client = component.and_then(Component::client_named);
        let watched = row.key.ticket().and_then(|ticket| self.open.get(ticket));
        let of_ticket = watched.map(|watched| Subject::of_ticket(&self.tenant.id, &watched.ticket));
        let subject = of_ticket.or(component.map(|component| component.subject(client.as_ref())));
        // Only the alert knows of work announced for a component.
        let is_worked_on = component.is_some() && row.covered_until.is_some_and(|until| until > self.before);
        let covers = |at| self.suppressions.iter().any(|one| subject.is_some_and(|subject| one.covers(subject, at)));
        let rests = is_of_outage(row) && self.resting.contains(row.key.subject.as_str());
        subject.is_some() && !is_worked_on && !rests && !covers(self.now) && !covers(self.before)
    }

    fn late_steps(&self) -> Vec<Mismatch> {
        let late = |row: &&AlertRow| row.wakes_at().is_some_and(|at| at < self.before) && self.is_audible(row);
        self.alerts.iter().filter(late).map(|row| self.mismatch(MismatchKind::LateStep, row.key.id())).collect()
    }

    /// Returns open tickets with a clock that has been unknown for some time.
    fn unknown_clocks(&self) -> Vec<Mismatch> {
        let long = self.open.values().filter(|watched| watched.first_seen_at < self.before);
        let is_unread = |watched: &&Arc<Watched>| {
            let clocks = || clock::assess_all(watched, self.rules, self.now);
            !watched.ticket.unknown.is_empty() && clocks().iter().any(|clock| clock.doubts.has(Doubt::Unread))
        };
        long.filter(is_unread)
            .map(|watched| self.mismatch(MismatchKind::UnknownClock, watched.ticket.id.to_string()))
            .collect()
    }

    fn without_alert(&self) -> Vec<Mismatch> {
        let raised: HashSet<&AlertKey> =
            self.alerts.iter().filter(|row| says_breached(row)).map(|row| &row.key).collect();
        let known_long = self.open.values().filter(|watched| watched.first_seen_at < self.before);
        let breached = known_long.flat_map(|watched| self.breached(watched));
        let without = breached.filter(|key| !raised.contains(key));
        without.map(|key| self.mismatch(MismatchKind::NoAlert, key.id())).collect()
    }

    /// Returns the alert keys of `watched`'s clocks that have been breached for some time.
    fn breached(&self, watched: &Watched) -> Vec<AlertKey> {
        let long = |clock: &ClockState<'_>| {
            clock.running
                && matches!(clock.standing, Standing::Breached { .. })
                && clock.breached_from.is_some_and(|from| from < self.before)
        };
        let clocks = clock::assess_all(watched, self.rules, self.now);
        let key =
            |clock: &ClockState<'_>| AlertKey::of_clock(&self.tenant.id, &watched.ticket.id, clock.kind, watched.cycle);
        clocks.iter().filter(|clock| long(clock)).map(key).collect()
    }
}

/// Whether `row` is about a component that is not up, rather than about a promise or a certificate.
fn is_of_outage(row: &AlertRow) -> bool {
    matches!(row.key.kind, AlertKind::Outage | AlertKind::Heartbeat)
}

/// Whether `row` announces a breach, or a person has closed one that did.
fn says_breached(row: &AlertRow) -> bool {
    let is_open = row.raised.resolved_as.is_none() || row.raised.resolved_as == Some(Closing::ByHand);
    row.raised.stage == Stage::Breached && is_open
}
