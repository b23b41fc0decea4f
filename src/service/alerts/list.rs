//! The list of alerts, page by page: the worst first, resolved ones by when they were resolved.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::by_time::ByTime;
use super::{AlertPage, AlertQuery, limit, states};
use crate::alert::life::{AlertRow, State};
use crate::alert::{AlertKey, Stage};
use crate::service::paging::{AsOf, cut, last_place};
use crate::service::{Reach, Service, ServiceError};
use crate::store::StoreError;
use crate::store::latest::LastShown;
use crate::store::record::OpenAlert;

/// The name of this list in its cursors, which fit no other list.
const LIST: &str = "alerts";

/// An alert and its place.
type Placed = (Place, AlertRow);

/// The place of an alert in the list: unresolved ones come first, then resolved ones, the latest changed first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Place {
    Open(OpenPlace),
    Resolved(Reverse<LastShown>),
}

/// Alerts that nobody holds come first; among them the worst, then those with the least time left.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct OpenPlace {
    held: bool,
    stage: Reverse<Stage>,
    /// Milliseconds of working time.
    left: i64,
    due: i64,
    key: String,
}

impl Place {
    fn of(row: &AlertRow) -> Self {
        match OpenAlert::of(row) {
            alert if alert.state != State::Resolved => Self::open(&alert, None),
            alert => {
                let (at, key) = (row.changed_at.timestamp_millis(), alert.key.to_string());
                Self::Resolved(Reverse(LastShown { at, key }))
            }
        }
    }

    fn open(alert: &OpenAlert, left: Option<TimeDelta>) -> Self {
        Self::Open(OpenPlace {
            held: alert.state != State::Open,
            stage: Reverse(alert.stage),
            left: left.map_or(i64::MAX, |left| left.num_milliseconds()),
            due: alert.due.timestamp_millis(),
            key: alert.key.to_string(),
        })
    }
}

impl Service {
    /// Alerts, worst first unless asked for in another order; resolved ones by when they were resolved.
    pub async fn alerts(&self, scope: &Reach, query: &AlertQuery) -> Result<AlertPage, ServiceError> {
        let (now, limit) = (self.clock.now(), limit(query)?);
        if let Some(order) = ByTime::parse(query.sort.as_deref())? {
            return self.alerts_by_time(scope, query, order, limit, now).await;
        }
        let (states, after) = (states(query)?, last_place::<(AsOf, Place)>(LIST, query.cursor.as_deref())?);
        let (as_of, after) = after.map_or((AsOf::new(now), None), |(as_of, place)| (as_of, Some(place)));
        let (mut page, total) = match &query.ticket {
            Some(text) => self.alerts_of_ticket(scope, text, states, after).await?,
            None => self.alerts_in(scope, states, after, limit + 1, (as_of.within_a_day_of(now), now)).await?,
        };
        let next_cursor = cut(LIST, &mut page, limit, |(place, _)| (as_of, place.clone()));
        let rows = page.into_iter().map(|(_, row)| row).collect();
        Ok(AlertPage { now, total, alerts: self.alert_views(rows, now).await?, next_cursor })
    }

    async fn alerts_of_ticket(
        &self,
        scope: &Reach,
        text: &str,
        states: &[State],
        after: Option<Place>,
    ) -> Result<(Vec<Placed>, usize), ServiceError> {
        let rows = self.alerts_by_number(scope, text, states).await?;
        let total = rows.len();
        let mut placed: Vec<Placed> = rows.into_iter().map(|row| (Place::of(&row), row)).collect();
        placed.retain(|(place, _)| after.as_ref().is_none_or(|after| place > after));
        placed.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok((placed, total))
    }

    /// Returns the unresolved alerts, which are few enough to sort, as they stood at `as_of`, and after them as many
    /// resolved ones as are wanted.
    async fn alerts_in(
        &self,
        scope: &Reach,
        states: &[State],
        after: Option<Place>,
        limit: usize,
        (as_of, now): (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<(Vec<Placed>, usize), StoreError> {
        let tenants: Vec<_> = self.tenants(scope).map(|tenant| &tenant.id).collect();
        let open = self.open_in(scope, states, now).await?;
        let open: Vec<_> = open.iter().filter(|alert| states.contains(&alert.state)).collect();
        let snapshots = if open.is_empty() { Vec::new() } else { self.snapshots(self.tenants(scope), now).await? };
        let snapshots: HashMap<_, _> = snapshots.into_iter().map(|(tenant, snapshot)| (&tenant.id, snapshot)).collect();
        let left = |key: &AlertKey| snapshots.get(&key.tenant)?.left(key, as_of);
        let number = open.len();
        let places = open.iter().map(|alert| (Place::open(alert, left(&alert.key)), alert.key.to_string()));
        let mut places: Vec<_> = places.collect();
        places.retain(|(place, _)| after.as_ref().is_none_or(|after| place > after));
        places.sort_unstable();
        places.truncate(limit);
        let wanted = limit - places.len();
        let mut page = self.placed(places).await?;
        if !states.contains(&State::Resolved) {
            return Ok((page, number));
        }
        let last = match after {
            Some(Place::Resolved(Reverse(last))) => last,
            _ => LastShown::nothing(),
        };
        let resolved = self.store.resolved_alerts(&tenants, &last, wanted, now).await?;
        let mut resolved: Vec<Placed> = resolved.into_iter().map(|row| (Place::of(&row), row)).collect();
        resolved.sort_by(|(a, _), (b, _)| a.cmp(b));
        page.extend(resolved);
        Ok((page, number + self.resolved_total(scope, now).await?))
    }

    /// Returns the alerts of these keys with their places, leaving out those that no longer exist.
    async fn placed(&self, places: Vec<(Place, String)>) -> Result<Vec<Placed>, StoreError> {
        let keys: Vec<_> = places.iter().map(|(_, key)| key.clone()).collect();
        let mut places: HashMap<_, _> = places.into_iter().map(|(place, key)| (key, place)).collect();
        let rows = self.in_order(&keys).await?;
        Ok(rows.into_iter().filter_map(|row| Some((places.remove(&row.key.to_string())?, row))).collect())
    }

    /// The open alerts within `scope`, if `states` asks for any.
    pub(super) async fn open_in(
        &self,
        scope: &Reach,
        states: &[State],
        now: DateTime<Utc>,
    ) -> Result<Arc<[OpenAlert]>, StoreError> {
        if states == [State::Resolved] { Ok(Arc::default()) } else { self.open_alerts(scope, now).await }
    }
}
