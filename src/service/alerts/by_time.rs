//! Alerts sorted by one of their times, in either direction, resolved or not.

use chrono::{DateTime, Utc};

use super::{AlertPage, AlertQuery, states};
use crate::alert::life::{AlertRow, State};
use crate::service::described::ALERT_ORDERS;
use crate::service::paging::{cut, last_place};
use crate::service::{Complaint, Reach, Service, ServiceError};
use crate::store::StoreError;
use crate::store::latest::{LastShown, Way};
use crate::store::record::{AlertTime, OpenAlert};

/// Which time to sort by, and in which direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ByTime {
    time: AlertTime,
    way: Way,
}

impl ByTime {
    /// Reads the order that `text` names; none: the worst first.
    pub fn parse(text: Option<&str>) -> Result<Option<Self>, ServiceError> {
        let text = text.map(str::trim).unwrap_or_default();
        let order = |time, way| Ok(Some(Self { time, way }));
        match text {
            "" | "worst" => Ok(None),
            "due" => order(AlertTime::Due, Way::EarliestFirst),
            "-due" => order(AlertTime::Due, Way::LatestFirst),
            "changed" => order(AlertTime::Changed, Way::EarliestFirst),
            "-changed" => order(AlertTime::Changed, Way::LatestFirst),
            _ => {
                let names = ALERT_ORDERS.join(", ");
                Err(ServiceError::BadQuestion(Complaint::of(
                    "sort",
                    format!("is `{text}`, and must be one of {names}"),
                )))
            }
        }
    }

    /// The name of this list in its cursors, which fit no other order.
    fn list(self) -> &'static str {
        match (self.time, self.way) {
            (AlertTime::Due, Way::EarliestFirst) => "alerts by due",
            (AlertTime::Due, Way::LatestFirst) => "alerts by -due",
            (AlertTime::Changed, Way::EarliestFirst) => "alerts by changed",
            (AlertTime::Changed, Way::LatestFirst) => "alerts by -changed",
        }
    }
}

impl Service {
    /// Returns the page of alerts that `query` asks for, in this `order`.
    pub(super) async fn alerts_by_time(
        &self,
        scope: &Reach,
        query: &AlertQuery,
        order: ByTime,
        limit: usize,
        now: DateTime<Utc>,
    ) -> Result<AlertPage, ServiceError> {
        let (list, states) = (order.list(), states(query)?);
        let after = last_place(list, query.cursor.as_deref())?.unwrap_or_else(|| order.way.start());
        let (mut places, total) = match &query.ticket {
            Some(text) => self.places_of_ticket(scope, text, states, order).await?,
            None => self.places(scope, states, order, (&after, limit + 1), now).await?,
        };
        places.retain(|place| order.way.compare(place, &after).is_gt());
        places.sort_unstable_by(|a, b| order.way.compare(a, b));
        let next_cursor = cut(list, &mut places, limit, LastShown::clone);
        let keys: Vec<_> = places.into_iter().map(|place| place.key).collect();
        let rows = self.in_order(&keys).await?;
        Ok(AlertPage { now, total, alerts: self.alert_views(rows, now).await?, next_cursor })
    }

    async fn places_of_ticket(
        &self,
        scope: &Reach,
        text: &str,
        states: &[State],
        order: ByTime,
    ) -> Result<(Vec<LastShown>, usize), ServiceError> {
        let rows = self.alerts_by_number(scope, text, states).await?;
        let place = |row: &AlertRow| OpenAlert::of(row).place(order.time);
        Ok((rows.iter().map(place).collect(), rows.len()))
    }

    /// Returns all unresolved alerts, which are few enough to sort, and as many resolved ones as are wanted.
    async fn places(
        &self,
        scope: &Reach,
        states: &[State],
        order: ByTime,
        (after, limit): (&LastShown, usize),
        now: DateTime<Utc>,
    ) -> Result<(Vec<LastShown>, usize), StoreError> {
        let tenants: Vec<_> = self.tenants(scope).map(|tenant| &tenant.id).collect();
        let open = self.open_in(scope, states, now).await?;
        let open = open.iter().filter(|alert| states.contains(&alert.state));
        let mut places: Vec<_> = open.map(|alert| alert.place(order.time)).collect();
        let mut total = places.len();
        if states.contains(&State::Resolved) {
            let resolved = self.store.resolved_places(&tenants, order.time, order.way, after, limit, now);
            places.extend(resolved.await?);
            total += self.resolved_total(scope, now).await?;
        }
        Ok((places, total))
    }
}
