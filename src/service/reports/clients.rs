//! How well the promises to each client were kept.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use super::question::TechnicianQuery;
use super::{Asked, Question, Reach, Service, ServiceError};
use crate::report::clients::{Client, clients};
use crate::report::interval::{Confidence, wilson};
use crate::report::make::Names;
use crate::report::trend::{Change, change};

/// The figures of one client, or of the tickets of none.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ClientView {
    pub tenant: String,
    /// SuperOps' id; null for tickets of no client, and where pseudonyms stand.
    pub client_id: Option<String>,
    pub client_name: Option<String>,
    /// Headline clocks that were decided and count.
    pub clocks: u64,
    pub breaches: u64,
    /// Percent, like the next two; null if there are none.
    pub compliance_rate: Option<f64>,
    /// Its 95 % confidence interval.
    pub at_least: Option<f64>,
    pub at_most: Option<f64>,
    /// Points more or less than in as many days before; null where there is too little to compare.
    pub change: Option<f64>,
    /// too_few | noise | more_than_chance
    pub change_is: &'static str,
    /// Working time, in seconds.
    pub median_response_time: Option<i64>,
    pub median_resolution_time: Option<i64>,
    /// Clocks that were left out, by the reason.
    pub left_out: BTreeMap<&'static str, u64>,
}

/// Clients, by name unless asked for in another order.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ClientPage {
    pub period_start: NaiveDate,
    pub period_end: NaiveDate,
    pub clients: Vec<ClientView>,
    pub next_cursor: Option<String>,
}

impl Service {
    /// How well the promises to each client were kept in a period, tenant by tenant.
    pub async fn clients(&self, reach: &Reach, query: &TechnicianQuery) -> Result<ClientPage, ServiceError> {
        let wanted = query.wanted()?;
        let (mut all, mut period) = (Vec::new(), None);
        for tenant in self.tenants(reach).filter(|tenant| wanted.means(&tenant.id)) {
            let found = self.period_of(tenant, &wanted).await?;
            period.get_or_insert(found.period);
            let asked = Asked { from: found.period.before().from, to: found.period.to, latest: wanted.latest };
            let entries = self.store.entries(&tenant.id, asked).await?;
            let names = self.called(&tenant.id, wanted.anonymous).await?;
            let question = Question { period: found.period, with_maintenance: !wanted.exclude_maintenance };
            let name = |id: &str| names.client(id);
            let view = |one: &Client| client_view(tenant.id.as_str(), one, name, wanted.anonymous);
            let mut views: Vec<ClientView> = clients(entries.iter(), &question).iter().map(view).collect();
            views.sort_by_cached_key(|one| {
                (one.client_name.is_none(), one.client_name.as_deref().map(str::to_lowercase))
            });
            all.extend(views);
        }
        let period = match period {
            Some(period) => period,
            None => wanted.period(self.clock.now().date_naive())?,
        };
        Ok(ClientPage { period_start: period.from, period_end: period.to, clients: all, next_cursor: None })
    }
}

fn client_view(tenant: &str, one: &Client, name: impl Fn(&str) -> String, anonymous: bool) -> ClientView {
    let sum = &one.sum;
    let interval = wilson(sum.all, Confidence::P95);
    let percent = |share: f64| (share * 1000.0).round() / 10.0;
    let change = change(sum.all, one.before);
    ClientView {
        tenant: tenant.to_owned(),
        client_id: one.id.as_deref().filter(|_| !anonymous).map(str::to_owned),
        client_name: one.id.as_deref().map(name),
        clocks: sum.all.of,
        breaches: sum.all.of - sum.all.met,
        compliance_rate: sum.all.percent(),
        at_least: interval.map(|interval| percent(interval.low)),
        at_most: interval.map(|interval| percent(interval.high)),
        change: change.map(|change| (change.points * 10.0).round() / 10.0),
        change_is: match change {
            None => "too_few",
            Some(Change { is_sure: false, .. }) => "noise",
            Some(Change { is_sure: true, .. }) => "more_than_chance",
        },
        median_response_time: sum.response.median.map(|length| length / 1000),
        median_resolution_time: sum.resolution.median.map(|length| length / 1000),
        left_out: sum.excluded.iter().map(|(why, (clocks, _))| (why.as_str(), *clocks)).collect(),
    }
}
