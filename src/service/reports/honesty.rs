//! What the figures of a period rest on: what is counted, what is left out and why, who says so, what is not known.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::question::TechnicianQuery;
use super::{Asked, Question, Reach, Service, ServiceError};
use crate::report::People;
use crate::report::entry::{Exclusion, Sign};
use crate::report::figures::summary;
use crate::report::honesty::honesty;
use crate::report::rate::Rate;
use crate::sla::zone::Tz;

/// The most waiting tickets that are counted.
const MOST_WAITING: u32 = 100_000;

/// What was left out for one reason.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct LeftOutView {
    /// The `reason` by which these entries can be asked for.
    pub reason: &'static str,
    pub words: &'static str,
    pub clocks: u64,
    pub tickets: u64,
}

/// A count out of a total.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct ShareOf {
    pub count: u64,
    pub of: u64,
    pub percent: Option<f64>,
}

/// Something that may be an attempt to improve the figures, or may be nothing.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct QuestionView {
    pub what: &'static str,
    pub out_of: &'static str,
    pub seen: ShareOf,
}

/// A month whose figures no longer change.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ClosedMonthView {
    pub month: String,
    pub sha256: String,
    /// Decisions that changed after it was closed, and count in no month.
    pub corrections: u64,
}

/// How sure the figures of a tenant and period can be.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct HonestyView {
    pub tenant: String,
    pub period_start: NaiveDate,
    pub period_end: NaiveDate,
    /// The zone whose days are meant.
    #[serde(skip)]
    pub zone: Tz,
    /// Headline clocks that are counted.
    pub clocks: u64,
    pub left_out: Vec<LeftOutView>,
    /// Counted clocks by their verdict: decided by a person, reported by SuperOps, or following from the policy.
    pub by_hand: u64,
    pub by_superops: u64,
    pub by_policy: u64,
    /// Clocks on which SuperOps and the policy disagree.
    pub differing: u64,
    /// Clocks that were not watched from their beginning.
    pub unobserved: ShareOf,
    /// Out of the weight of all clocks, in millionths of a clock: with an unknown holder, and with none.
    pub unknown: ShareOf,
    pub nobody: ShareOf,
    /// First responses by automation, of those whose author is known.
    pub automation: ShareOf,
    /// Breaches whose reason a person gave.
    pub said_reasons: ShareOf,
    /// Clients with too little decided to compare them with the period before.
    pub small_clients: ShareOf,
    /// The same of technicians; null where nothing is reported about single ones.
    pub small_technicians: Option<ShareOf>,
    /// Tickets that wait to be booked now: the figures know nothing of what happened to them last.
    pub waiting: u64,
    pub months: Vec<ClosedMonthView>,
    /// Until when some of the figures may still change.
    pub provisional_until: Option<DateTime<Utc>>,
    pub questions: Vec<QuestionView>,
}

impl ShareOf {
    fn new(rate: Rate) -> Self {
        Self { count: rate.met, of: rate.of, percent: rate.percent() }
    }
}

impl Service {
    /// What the figures of a period rest on.
    pub async fn honesty(&self, reach: &Reach, query: &TechnicianQuery) -> Result<HonestyView, ServiceError> {
        let wanted = query.wanted()?;
        let tenant = self.tenant_of(reach, &wanted)?;
        let found = self.period_of(tenant, &wanted).await?;
        let asked = Asked { from: found.period.from, to: found.period.to, latest: wanted.latest };
        let entries = self.store.entries(&tenant.id, asked).await?;
        let question = Question { period: found.period, with_maintenance: !wanted.exclude_maintenance };
        let (sum, rests) = (summary(entries.iter(), &question), honesty(entries.iter(), &question));
        let left_out = |(why, (clocks, tickets)): (&Exclusion, &(u64, u64))| LeftOutView {
            reason: why.as_str(),
            words: why.words(),
            clocks: *clocks,
            tickets: *tickets,
        };
        let asks = |(sign, rate): (&Sign, &Rate)| {
            let [what, out_of] = sign.words();
            QuestionView { what, out_of, seen: ShareOf::new(*rate) }
        };
        let breaches = sum.all.of - sum.all.met;
        let waiting = self.store.book_queue(self.clock.now(), MOST_WAITING).await?.waiting;
        let told_apart = self.config.reports.people != People::Off;
        Ok(HonestyView {
            tenant: tenant.id.to_string(),
            period_start: found.period.from,
            period_end: found.period.to,
            zone: found.zone,
            clocks: sum.all.of,
            left_out: sum.excluded.iter().map(left_out).collect(),
            by_hand: rests.by_hand,
            by_superops: rests.reported,
            by_policy: rests.by_policy,
            differing: sum.differing,
            unobserved: ShareOf::new(Rate::new(rests.observed.of - rests.observed.met, rests.observed.of)),
            unknown: ShareOf::new(rests.unknown),
            nobody: ShareOf::new(rests.nobody),
            automation: ShareOf::new(sum.automation),
            said_reasons: ShareOf::new(Rate::new(sum.said_reasons, breaches)),
            small_clients: ShareOf::new(rests.small_clients),
            small_technicians: told_apart.then(|| ShareOf::new(rests.small_technicians)),
            waiting,
            months: found
                .months
                .into_iter()
                .map(|one| ClosedMonthView { month: one.month, sha256: one.sha256, corrections: one.corrections })
                .collect(),
            provisional_until: found.provisional_until,
            questions: sum.signs.iter().map(asks).collect(),
        })
    }
}
