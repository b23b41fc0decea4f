//! The weekly figure: whether what is said is of use, or noise.

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Complaint, Reach, Service, ServiceError};
use crate::store::StoreError;
use crate::store::weekly::{Week, week_of};
use crate::telemetry::WeekLabels;
use crate::ticket::TenantId;

/// How many weeks are shown unless told otherwise.
const USUAL_WEEKS: u32 = 8;
/// The most weeks: a year, with the one week more that it may have.
const MOST_WEEKS: u32 = 53;

/// Which weeks are asked for.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct WeeklyQuery {
    pub tenant: Option<String>,
    /// How many weeks, including the present one: 1 to 53, 8 by default.
    #[param(minimum = 1, maximum = 53)]
    pub weeks: Option<u32>,
}

/// The weeks in which anything was said, newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Weekly {
    pub now: DateTime<Utc>,
    pub weeks: Vec<WeekFigure>,
}

/// What was said in one ISO week, in UTC, and what came of it. An alert counts in the week in which it was first told.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WeekFigure {
    pub tenant: String,
    /// `2026-W48`
    pub week: String,
    pub from: DateTime<Utc>,
    /// Messages that were sent, of every kind.
    pub messages: i64,
    /// Alerts that somebody was told of.
    pub alerts: i64,
    /// Of them, those that a person acknowledged, snoozed, escalated or resolved here.
    pub acknowledged: i64,
    /// Those whose ticket was touched after they were told and before it was due.
    pub acted_before_breach: i64,
    /// Those to which nothing at all was seen to happen within an hour. What was ignored once stays so: it never falls.
    pub ignored: i64,
}

impl Service {
    /// What was said week by week, and what came of it.
    pub async fn weekly(&self, scope: &Reach, weeks: Option<u32>) -> Result<Weekly, ServiceError> {
        let weeks = weeks.unwrap_or(USUAL_WEEKS);
        if !(1..=MOST_WEEKS).contains(&weeks) {
            let rule = format!("is {weeks}, and must be 1 to {MOST_WEEKS}");
            return Err(ServiceError::BadQuestion(Complaint::of("weeks", rule)));
        }
        let now = self.clock.now();
        Ok(Weekly { now, weeks: self.week_figures(scope, weeks, now).await? })
    }

    /// Shows the present week in the metrics.
    pub async fn refresh_week(&self) -> Result<(), StoreError> {
        let figures = self.week_figures(&Reach::All, 1, self.clock.now()).await?;
        self.telemetry.week.clear();
        for week in figures {
            let figures = [
                ("told", week.alerts),
                ("acknowledged", week.acknowledged),
                ("acted_before_breach", week.acted_before_breach),
                ("ignored", week.ignored),
            ];
            for (figure, number) in figures {
                let labels = WeekLabels { tenant: week.tenant.clone(), figure };
                self.telemetry.week.get_or_create(&labels).set(number);
            }
        }
        Ok(())
    }

    async fn week_figures(&self, scope: &Reach, weeks: u32, now: DateTime<Utc>) -> Result<Vec<WeekFigure>, StoreError> {
        let from = week_of(now) - TimeDelta::weeks(i64::from(weeks) - 1);
        let tenants: Vec<_> = self.tenants(scope).map(|tenant| &tenant.id).collect();
        let weeks = self.store.weeks(&tenants, from, now).await?;
        let figure = |((tenant, from), week): ((TenantId, DateTime<Utc>), Week)| WeekFigure {
            tenant: tenant.to_string(),
            week: format!("{}-W{:02}", from.iso_week().year(), from.iso_week().week()),
            from,
            messages: week.messages,
            alerts: week.alerts,
            acknowledged: week.acknowledged,
            acted_before_breach: week.acted_before_breach,
            ignored: week.ignored,
        };
        let mut figures: Vec<_> = weeks.into_iter().map(figure).collect();
        figures.sort_by(|a, b| b.from.cmp(&a.from).then_with(|| a.tenant.cmp(&b.tenant)));
        Ok(figures)
    }
}
