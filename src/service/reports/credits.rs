//! Service credits of policies: what is owed to whom for a closed month.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::question::{Found, TechnicianQuery};
use super::{Asked, Question, Reach, Service, ServiceError, month_name};
use crate::config::Tenant;
use crate::report::credit::{Credit, CreditVersion, MonthlyTerms, PolicyTerms, credits, in_force};
use crate::report::make::Names;
use crate::sla::calendar::midnight;
use crate::store::books::{first_of_month, month_of};

/// What came of a policy for one client in one closed month.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct CreditView {
    pub tenant: String,
    /// Like 2026-10.
    pub month: String,
    pub client: Option<String>,
    /// The policy in words.
    pub policy: String,
    /// Headline clocks that were counted.
    pub clocks: u64,
    pub kept: u64,
    /// Percent.
    pub compliance_percentage: Option<f64>,
    /// The compliance from which on the tier holds; null where too few clocks were counted.
    pub tier_percentage: Option<f64>,
    /// Percent of the month's fee; null where too few clocks were counted.
    pub credit_percentage: Option<u32>,
}

impl Service {
    /// What is owed under the policies with credit terms, by month and client.
    pub async fn policy_credits(
        &self,
        reach: &Reach,
        query: &TechnicianQuery,
    ) -> Result<Vec<CreditView>, ServiceError> {
        let wanted = query.wanted()?;
        let mut all = Vec::new();
        for tenant in self.tenants(reach).filter(|tenant| wanted.means(&tenant.id)) {
            let found = self.period_of(tenant, &wanted).await?;
            let terms = self.credit_terms(tenant, &found).await?;
            if terms.values().all(PolicyTerms::is_empty) || found.months.is_empty() {
                continue;
            }
            let asked = Asked { from: found.period.from, to: found.period.to, latest: wanted.latest };
            let entries = self.store.entries(&tenant.id, asked).await?;
            let names = self.called(&tenant.id, wanted.anonymous).await?;
            let question = Question { period: found.period, with_maintenance: !wanted.exclude_maintenance };
            let view = |one: Credit| CreditView {
                tenant: tenant.id.to_string(),
                month: one.month,
                client: one.client.as_deref().map(|id| names.client(id)),
                policy: names.policy(&one.policy),
                clocks: one.rate.of,
                kept: one.rate.met,
                compliance_percentage: one.rate.percent(),
                tier_percentage: one.tier.map(|tier| f64::from(tier.floor) / 1000.0),
                credit_percentage: one.tier.map(|tier| tier.percent),
            };
            let mut told: Vec<_> =
                credits(entries.iter(), &question, &found.months, &terms).into_iter().map(view).collect();
            // Sorted by the names shown: the order of SuperOps' ids would tell whom a pseudonym stands for.
            told.sort_by_cached_key(|one| (one.month.clone(), one.client.clone(), one.policy.clone()));
            all.extend(told);
        }
        Ok(all)
    }

    /// The credit terms of `tenant` for each month of the period. What is configured after a month was closed changes
    /// nothing about it.
    pub(super) async fn credit_terms(&self, tenant: &Tenant, found: &Found) -> Result<MonthlyTerms, ServiceError> {
        let mut versions = self.store.credit_versions(&tenant.id).await?;
        if versions.is_empty() {
            // The service has not run yet.
            let terms = self.config.reports.credits_of(&tenant.id);
            versions.push(CreditVersion { from: DateTime::UNIX_EPOCH, terms });
        }
        let period = (found.period.from, found.period.to);
        let closed = self.store.months_closed_at(&tenant.id, period).await?;
        let terms = |month: i64| {
            let since = midnight(found.zone, first_of_month(month)?)?;
            let until = closed.get(&month).copied().unwrap_or(DateTime::<Utc>::MAX_UTC);
            Some((month_name(month), in_force(&versions, since, until)))
        };
        Ok((month_of(period.0)..=month_of(period.1)).filter_map(terms).collect())
    }
}
