//! The latest forecasts of every tenant, published for all to read: each reading is one moment's, whole.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};

use super::forecasters::{Both, ForecastQuality};
use super::reliability::Reliability;
use crate::alert::prediction::Call;
use crate::notify::Advice;
use crate::sla::forecast::Forecast;
use crate::ticket::{ClockKind, TenantId, TicketId};

/// All that is said of one tenant's open tickets at one moment.
#[derive(Debug, Default)]
pub struct Forecasts {
    /// None: nothing was said yet.
    pub at: Option<DateTime<Utc>>,
    pub of: HashMap<TicketId, Both>,
    /// What the forecasts are worth, in the order of [`ClockKind::REPORTED`].
    pub quality: Option<[ForecastQuality; 2]>,
    /// What each clock's alert is to do, where the forecast has a say in it.
    pub calls: HashMap<TicketId, [Option<Call>; 2]>,
    /// What to do about the tickets that are told of.
    pub advice: HashMap<TicketId, Advice>,
    /// How the forecasts would have done on what was read of the past, in the order of [`ClockKind::REPORTED`].
    pub rehearsed: Option<Arc<[Reliability; 2]>>,
}

impl Forecasts {
    /// What is said of one clock.
    pub fn of(&self, ticket: &TicketId, clock: ClockKind) -> Option<&Arc<Forecast>> {
        self.of.get(ticket)?.get(clock as usize)?.as_ref()
    }

    /// Whether people are told of breaches by what is said of `clock`.
    pub fn speak(&self, clock: ClockKind) -> bool {
        self.quality.as_ref().and_then(|quality| quality.get(clock as usize)).is_some_and(ForecastQuality::speaks)
    }

    /// What the alert of one clock is to do.
    pub fn call(&self, ticket: &TicketId, clock: ClockKind) -> Option<Call> {
        *self.calls.get(ticket)?.get(clock as usize)?
    }
}

/// The latest forecasts of all tenants. Shared as an `Arc`.
#[derive(Debug, Default)]
pub struct PublishedForecasts(RwLock<BTreeMap<TenantId, Arc<Forecasts>>>);

impl PublishedForecasts {
    /// What is said of `tenant`'s tickets; nothing before the first look.
    pub fn of(&self, tenant: &TenantId) -> Arc<Forecasts> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned().unwrap_or_default()
    }

    /// Hangs out what is said now.
    pub fn publish(&self, tenant: &TenantId, forecasts: Forecasts) {
        let before = self.0.write().unwrap_or_else(PoisonError::into_inner).insert(tenant.clone(), Arc::new(forecasts));
        // To throw much away takes a while: nobody who reads has to wait for it.
        drop(before);
    }
}
