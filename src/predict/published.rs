//! The latest forecasts of every tenant, published for all to read. A reader always sees the forecasts of one moment,
//! complete.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, TimeDelta, Utc};

use super::forecasters::{Both, ForecastQuality};
use super::reliability::Reliability;
use crate::alert::prediction::Call;
use crate::notify::Advice;
use crate::sla::forecast::Forecast;
use crate::ticket::{ClockKind, TenantId, TicketId};

/// Older forecasts are not told. They are renewed each minute, except during a long walk through the past.
const FRESH: TimeDelta = TimeDelta::minutes(10);

/// The forecasts of one tenant's open tickets at one moment.
#[derive(Debug, Default)]
pub struct Forecasts {
    /// None if there are no forecasts yet.
    pub at: Option<DateTime<Utc>>,
    pub of: HashMap<TicketId, Both>,
    /// The quality of the forecasts, in the order of [`ClockKind::REPORTED`].
    pub quality: Option<[ForecastQuality; 2]>,
    /// What each clock's alert should do, where the forecast has a say in it.
    pub calls: HashMap<TicketId, [Option<Call>; 2]>,
    /// What to do about the tickets that people are told of.
    pub advice: HashMap<TicketId, Advice>,
    /// How the forecasts would have done on the past as read, in the order of [`ClockKind::REPORTED`].
    pub rehearsed: Option<Arc<[Reliability; 2]>>,
}

impl Forecasts {
    /// Returns the forecast of one clock.
    pub fn of(&self, ticket: &TicketId, clock: ClockKind) -> Option<&Arc<Forecast>> {
        self.of.get(ticket)?.get(clock as usize)?.as_ref()
    }

    /// Whether they are recent enough to be told at `now`.
    pub fn are_fresh(&self, now: DateTime<Utc>) -> bool {
        self.at.is_some_and(|at| now - at <= FRESH)
    }

    /// Whether alerts of breaches go by the forecasts of `clock`.
    pub fn speak(&self, clock: ClockKind) -> bool {
        self.quality.as_ref().and_then(|quality| quality.get(clock as usize)).is_some_and(ForecastQuality::speaks)
    }

    /// Returns what the alert of one clock should do.
    pub fn call(&self, ticket: &TicketId, clock: ClockKind) -> Option<Call> {
        *self.calls.get(ticket)?.get(clock as usize)?
    }
}

/// The latest forecasts of all tenants. Shared as an `Arc`.
#[derive(Debug, Default)]
pub struct PublishedForecasts(RwLock<BTreeMap<TenantId, Arc<Forecasts>>>);

impl PublishedForecasts {
    /// Returns the forecasts for `tenant`'s tickets; empty before the first turn.
    pub fn of(&self, tenant: &TenantId) -> Arc<Forecasts> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned().unwrap_or_default()
    }

    /// Publishes new forecasts.
    pub fn publish(&self, tenant: &TenantId, forecasts: Forecasts) {
        let before = self.0.write().unwrap_or_else(PoisonError::into_inner).insert(tenant.clone(), Arc::new(forecasts));
        // Dropping this much takes a while: do it outside the lock, so that no reader has to wait.
        drop(before);
    }
}
