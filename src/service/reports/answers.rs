//! Keeps answers that are costly to compute, and counts how often that helps.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use utoipa::ToSchema;

use super::super::{ServiceError, kept};
use super::question::{Found, Wanted};
use super::{ComplianceDay, TechnicianView};
use crate::report::Report;
use crate::ticket::TenantId;

/// How long to keep an answer that changes with time alone: one about a day that is not over.
const OPEN: Duration = Duration::from_secs(5 * 60);
/// How long to keep an answer about closed months.
const CLOSED: Duration = Duration::from_secs(24 * 3600);
const MOST: u64 = 200;
/// A report with more rows than this is not kept.
const LARGE: usize = 2_000;
/// How many of the latest computations are remembered with their duration.
const LATENCIES: usize = 512;

/// What was computed. Cheap to clone.
#[derive(Clone)]
pub enum Answer {
    Technicians(Arc<Vec<TechnicianView>>),
    Days(Arc<Vec<ComplianceDay>>),
    Report(Arc<Report>),
}

impl Answer {
    /// Whether it is computed again rather than kept: two hundred like it would fill the memory.
    fn is_large(&self) -> bool {
        let Self::Report(report) = self else { return false };
        let tables = report.sections.iter().flat_map(|section| &section.tables);
        tables.map(|table| table.rows.len()).sum::<usize>() > LARGE
    }
}

/// What was asked, of whom, and how often the books had changed in the range it is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    tenant: TenantId,
    question: String,
}

impl Key {
    pub fn new(tenant: &TenantId, what: &str, found: &Found, wanted: &Wanted) -> Self {
        let question = format!("{what} {} {:?} {wanted:?}", found.changes, found.period);
        Self { tenant: tenant.clone(), question }
    }
}

/// The kept answers.
pub struct Answers {
    open: kept::Answers<Key, Answer>,
    closed: kept::Answers<Key, Answer>,
    hits: AtomicU64,
    misses: AtomicU64,
    latencies: Mutex<Vec<u64>>,
}

/// How a cache has done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct CacheFigures {
    pub name: String,
    pub entries: u64,
    pub hits: u64,
    pub misses: u64,
    /// Of the latest computations, in microseconds; null where nothing was computed.
    pub computed_p50_us: Option<u64>,
    pub computed_p99_us: Option<u64>,
}

impl Default for Answers {
    fn default() -> Self {
        Self {
            open: kept::Answers::new(MOST, OPEN),
            closed: kept::Answers::new(MOST, CLOSED),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            latencies: Mutex::default(),
        }
    }
}

impl Answers {
    /// Returns the answer to `key`, or what `compute` finds, which is then kept.
    pub async fn get(
        &self,
        key: Key,
        is_closed: bool,
        compute: impl Future<Output = Result<Answer, ServiceError>>,
    ) -> Result<Answer, ServiceError> {
        let cache = if is_closed { &self.closed } else { &self.open };
        if let Some(answer) = cache.known(&key) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(answer);
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let began = Instant::now();
        let answer = cache.get(key.clone(), compute).await?;
        if answer.is_large() {
            cache.forget(&key);
        }
        let took = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let mut latencies = self.latencies.lock().unwrap_or_else(PoisonError::into_inner);
        if latencies.len() >= LATENCIES {
            latencies.remove(0);
        }
        latencies.push(took);
        Ok(answer)
    }

    /// The figures of this cache.
    pub fn figures(&self) -> CacheFigures {
        let mut latencies = self.latencies.lock().unwrap_or_else(PoisonError::into_inner).clone();
        latencies.sort_unstable();
        let at = |share: usize| latencies.get((latencies.len() * share).div_ceil(100).saturating_sub(1)).copied();
        CacheFigures {
            name: "reports".to_owned(),
            entries: self.open.count() + self.closed.count(),
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            computed_p50_us: at(50),
            computed_p99_us: at(99),
        }
    }
}
