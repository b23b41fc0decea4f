//! How the day goes, hour by hour, against the same weekday a week before: tickets opened and closed, targets missed.

use chrono::{DateTime, Days, NaiveTime, Timelike, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Reach, Service, ServiceError, in_common};
use crate::report::day::bounds;
use crate::sla::zone::Tz;
use crate::store::StoreError;
use crate::store::today::DayMoments;
use crate::ticket::TenantId;

const HOURS: usize = 24;
const A_WEEK: Days = Days::new(7);

/// The day of the tenants that the asker may see, each by its own local time.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Today {
    pub now: DateTime<Utc>,
    /// The time zone of the hours; none: the tenants are in several zones.
    pub timezone: Option<&'static str>,
    /// The current hour there; of several zones, the latest.
    pub hour: usize,
    /// Today so far.
    pub today: Happened,
    /// The same weekday before, up to this time of the day, of each tenant by its own clock.
    pub before_by_now: Happened,
    /// The whole of that day.
    pub before: Happened,
    /// From midnight to midnight.
    pub hours: Vec<HourOfDay>,
}

/// One hour of the day.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HourOfDay {
    /// 0 to 23.
    pub hour: usize,
    /// None: it is yet to come.
    pub today: Option<Happened>,
    pub before: Happened,
}

/// What happened in some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Happened {
    /// Tickets that were opened.
    pub opened: usize,
    /// Tickets that were resolved.
    pub closed: usize,
    /// Targets that were missed: one ticket may miss several.
    pub breached: usize,
}

impl Happened {
    fn and(self, other: Self) -> Self {
        Self {
            opened: self.opened + other.opened,
            closed: self.closed + other.closed,
            breached: self.breached + other.breached,
        }
    }
}

/// What happened in each hour of a day.
type Hours = [Happened; HOURS];

impl Service {
    /// How the day goes within `scope`.
    pub async fn today(&self, scope: &Reach) -> Result<Today, ServiceError> {
        let now = self.clock.now();
        let (mut today, mut before) = (Hours::default(), Hours::default());
        let mut before_by_now = Happened::default();
        let mut zones = Vec::new();
        for tenant in self.tenants(scope) {
            let zone = self.rules_cache.of(tenant).await?.1.msp_timezone();
            zones.push(zone);
            count(&mut today, &self.moments(&tenant.id, zone, Days::new(0), now).await?, zone);
            let moments = self.moments(&tenant.id, zone, A_WEEK, now).await?;
            count(&mut before, &moments, zone);
            before_by_now = before_by_now.and(until(now.with_timezone(&zone).time(), &moments, zone));
        }
        Ok(told(&today, &before, before_by_now, &zones, now))
    }

    /// What happened on the local day `back` days before `now`.
    async fn moments(
        &self,
        tenant: &TenantId,
        zone: Tz,
        back: Days,
        now: DateTime<Utc>,
    ) -> Result<DayMoments, StoreError> {
        let day = now.with_timezone(&zone).date_naive().checked_sub_days(back);
        match day.and_then(|day| Some((day, bounds(day, zone)?))) {
            Some((day, bounds)) => self.store.day_moments(tenant, day, bounds).await,
            None => Ok(DayMoments::default()),
        }
    }
}

fn count(hours: &mut Hours, moments: &DayMoments, zone: Tz) {
    let hour = |at: &DateTime<Utc>| at.with_timezone(&zone).hour() as usize;
    moments.opened.iter().for_each(|at| hours[hour(at)].opened += 1);
    moments.closed.iter().for_each(|at| hours[hour(at)].closed += 1);
    moments.breached.iter().for_each(|at| hours[hour(at)].breached += 1);
}

/// What happened by that time of the day.
fn until(time: NaiveTime, moments: &DayMoments, zone: Tz) -> Happened {
    let by_then = |all: &[DateTime<Utc>]| all.iter().filter(|at| at.with_timezone(&zone).time() <= time).count();
    Happened {
        opened: by_then(&moments.opened),
        closed: by_then(&moments.closed),
        breached: by_then(&moments.breached),
    }
}

fn told(today: &Hours, before: &Hours, before_by_now: Happened, zones: &[Tz], now: DateTime<Utc>) -> Today {
    let here = |zone: &Tz| now.with_timezone(zone).hour() as usize;
    let hour = zones.iter().map(here).max().unwrap_or_default();
    let sum = |hours: &[Happened]| hours.iter().fold(Happened::default(), |sum, hour| sum.and(*hour));
    let of_hour = |number: usize| HourOfDay {
        hour: number,
        today: (number <= hour).then_some(today[number]),
        before: before[number],
    };
    Today {
        now,
        timezone: in_common(zones).map(Tz::name),
        hour,
        today: sum(today),
        before_by_now,
        before: sum(before),
        hours: (0..HOURS).map(of_hour).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn each_moment_counts_in_its_local_hour_and_hours_to_come_have_no_figure() {
        let london: Tz = "Europe/London".parse().unwrap();
        let (mut today, mut before) = (Hours::default(), Hours::default());
        let moments = DayMoments {
            opened: vec![at("2026-06-30T08:59:59Z"), at("2026-06-30T09:00:00Z")],
            closed: vec![at("2026-06-30T09:10:00Z")],
            breached: vec![at("2026-06-29T23:05:00Z")],
        };
        count(&mut today, &moments, london);
        let later = DayMoments {
            opened: vec![at("2026-06-23T09:15:00Z"), at("2026-06-23T09:30:00Z"), at("2026-06-23T20:00:00Z")],
            ..DayMoments::default()
        };
        count(&mut before, &later, london);
        let now = at("2026-06-30T09:20:00Z");
        let by_now = until(now.with_timezone(&london).time(), &later, london);
        let told = told(&today, &before, by_now, &[london], now);
        assert_eq!((told.timezone, told.hour), (Some("Europe/London"), 10));
        assert_eq!(told.today, Happened { opened: 2, closed: 1, breached: 1 });
        assert_eq!((told.before_by_now.opened, told.before.opened), (1, 3));
        assert_eq!(told.hours[9].today.map(|hour| hour.opened), Some(1));
        assert_eq!(told.hours[10].today, Some(Happened { opened: 1, closed: 1, breached: 0 }));
        assert_eq!((told.hours[0].today.map(|hour| hour.breached), told.hours[11].today), (Some(1), None));
    }
}
