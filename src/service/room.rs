//! Who has room now: how many tickets each technician has, whether all can be done in time at the pace of the last
//! weeks, and how many more could be.
//!
//! Time is the MSP's staffed time. A ticket that waits for somebody else takes none of it now; one without a due time
//! can wait.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Days, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::snapshot::Snapshot;
use super::{Reach, Service, ServiceError};
use crate::config::Tenant;
use crate::report::entry::Holder;
use crate::report::room::{Pace, room};
use crate::sla::calendar::{Calendar, midnight};
use crate::sla::standing::TicketStanding;
use crate::ticket::{ClockKind, RefId, Ticket};

/// How many days the pace is measured over.
const PACE_OF: Days = Days::new(28);
/// The most days in a row that anybody is closed.
const LONGEST_CLOSED: u64 = 30;

/// Whose room is asked for.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct RoomQuery {
    pub tenant: Option<String>,
}

/// Who has room at a moment, those with the most first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RoomPage {
    pub now: DateTime<Utc>,
    pub technicians: Vec<RoomView>,
}

/// The room of one technician. Lengths are staffed time in seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RoomView {
    pub tenant: String,
    pub technician_id: String,
    pub technician_name: String,
    /// Open tickets, whatever they wait for.
    pub open: usize,
    pub breached: usize,
    pub at_risk: usize,
    /// What one resolution took in the last 28 days; null: too few were resolved, even by all together.
    pub pace: Option<i64>,
    /// own | all: whose pace it is. Under ten resolutions say nothing of one person.
    pub pace_of: Option<&'static str>,
    /// The least time left at any due time once all due by then is done; below 0, it cannot all be done.
    pub least_slack: Option<i64>,
    /// The first ticket that cannot be done in time.
    pub first_late: Option<String>,
    /// How many more can be done by the end of the next working day; null without a pace.
    pub fits: Option<u64>,
    /// When that is.
    pub by: Option<DateTime<Utc>>,
}

/// The staffed time around `now`.
struct Staffed<'a> {
    calendar: &'a Calendar,
    now: DateTime<Utc>,
    /// In the days that the pace is measured over, in milliseconds.
    lately: i64,
    /// The end of the next working day.
    end: Option<DateTime<Utc>>,
}

impl Service {
    /// Who has room now.
    pub async fn room(&self, reach: &Reach, query: &RoomQuery) -> Result<RoomPage, ServiceError> {
        self.persons_are_named("who has room is not shown")?;
        let now = self.clock.now();
        let only = query.tenant.as_deref().filter(|name| !name.is_empty());
        let tenants = self.tenants(reach).filter(|tenant| only.is_none_or(|name| tenant.id.as_str() == name));
        let mut technicians = Vec::new();
        for (tenant, snapshot) in self.snapshots(tenants, now).await? {
            technicians.extend(self.room_of(tenant, &snapshot, now).await?);
        }
        Ok(RoomPage { now, technicians })
    }

    async fn room_of(
        &self,
        tenant: &Tenant,
        snapshot: &Snapshot,
        now: DateTime<Utc>,
    ) -> Result<Vec<RoomView>, ServiceError> {
        let staffed = Staffed::round(snapshot, now);
        let zone = snapshot.rules().msp_timezone();
        let today = now.with_timezone(&zone).date_naive();
        let done = self.store.resolutions(&tenant.id, (today - PACE_OF, today)).await?;
        let directory = self.store.directory(&tenant.id).await?;
        let mut names: BTreeMap<&RefId, &str> =
            directory.technicians.values().map(|person| (&person.id, person.name.as_str())).collect();
        for owner in snapshot.rows.iter().filter_map(|row| row.watched.ticket.technician.as_ref()) {
            names.entry(&owner.id).or_insert(&owner.name);
        }
        let paces = Paces::of(&done, staffed.lately);
        let view = |(id, name): (&RefId, &str)| {
            let (pace, pace_of) = paces.of_person(id);
            let mut view = standing(snapshot, id, name, &staffed, pace);
            view.pace_of = pace.map(|_| pace_of);
            RoomView { tenant: tenant.id.to_string(), ..view }
        };
        let mut views: Vec<RoomView> = names.into_iter().map(view).collect();
        views.sort_by(|a, b| (b.fits, a.open, &a.technician_name).cmp(&(a.fits, b.open, &b.technician_name)));
        Ok(views)
    }
}

/// How fast each person works, and all together.
struct Paces {
    own: BTreeMap<RefId, Pace>,
    all: Option<Pace>,
}

impl Paces {
    /// Computes the paces from how many tickets each resolved in `staffed` time.
    fn of(done: &[(Holder, u64)], staffed: i64) -> Self {
        let persons = || done.iter().filter_map(|(holder, count)| Some((holder.person()?.clone(), *count)));
        let people: BTreeSet<RefId> = persons().map(|(id, _)| id).collect();
        let together = staffed.saturating_mul(i64::try_from(people.len()).unwrap_or(i64::MAX));
        Self {
            own: persons().filter_map(|(id, count)| Some((id, Pace::of(staffed, count)?))).collect(),
            all: Pace::of(together, persons().map(|(_, count)| count).sum()),
        }
    }

    fn of_person(&self, id: &RefId) -> (Option<Pace>, &'static str) {
        match self.own.get(id) {
            Some(pace) => (Some(*pace), "own"),
            None => (self.all, "all"),
        }
    }
}

impl<'a> Staffed<'a> {
    fn round(snapshot: &'a Snapshot, now: DateTime<Utc>) -> Self {
        let hours = snapshot.rules().msp_hours();
        let calendar = hours.calendar;
        let today = now.with_timezone(&hours.timezone()).date_naive();
        // From the midnight from which resolutions are counted.
        let since = midnight(hours.timezone(), today - PACE_OF).unwrap_or(now);
        let lately = calendar.between(since, now).num_milliseconds();
        let mut days = (1..=LONGEST_CLOSED).filter_map(|ahead| {
            let day = today.checked_add_days(Days::new(ahead))?;
            Some((midnight(hours.timezone(), day)?, midnight(hours.timezone(), day.succ_opt()?)?))
        });
        let end = days
            .find(|(from, to)| calendar.between(*from, *to) > TimeDelta::zero())
            .and_then(|(from, to)| calendar.add(from, calendar.between(from, to)));
        Self { calendar, now, lately, end }
    }

    /// Staffed time from now until `at`, in milliseconds.
    fn until(&self, at: DateTime<Utc>) -> i64 {
        if at <= self.now { 0 } else { self.calendar.between(self.now, at).num_milliseconds() }
    }
}

fn standing(snapshot: &Snapshot, id: &RefId, name: &str, staffed: &Staffed<'_>, pace: Option<Pace>) -> RoomView {
    let is_theirs = |ticket: &Ticket| ticket.technician.as_ref().is_some_and(|owner| owner.id == *id);
    let rows: Vec<_> = snapshot.rows.iter().filter(|row| is_theirs(&row.watched.ticket)).collect();
    let stand = |how: TicketStanding| rows.iter().filter(|row| row.standing == how).count();
    let due = |row: &&Arc<super::snapshot::Row>| {
        let clocks = snapshot.clocks_of(row, staffed.now);
        let clock = clocks.iter().find(|clock| clock.kind == ClockKind::Resolution && clock.running)?;
        Some((staffed.until(clock.due?), row.watched.ticket.display_id.clone()))
    };
    let queue: Vec<(i64, String)> = rows.iter().filter_map(due).collect();
    let found = pace.zip(staffed.end).map(|(pace, end)| room(queue, pace, staffed.until(end)));
    RoomView {
        tenant: String::new(),
        technician_id: id.to_string(),
        technician_name: name.to_owned(),
        open: rows.len(),
        breached: stand(TicketStanding::Breached),
        at_risk: stand(TicketStanding::AtRisk),
        pace: pace.map(|pace| pace.millis() / 1000),
        pace_of: None,
        least_slack: found.as_ref().and_then(|room| room.least_slack).map(|slack| slack.div_euclid(1000)),
        first_late: found.as_ref().and_then(|room| room.first_late.clone()),
        fits: found.as_ref().map(|room| room.fits),
        by: staffed.end.filter(|_| found.is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::room::FEW;

    #[test]
    fn few_resolutions_leave_the_pace_of_all_and_fewer_still_none() {
        let id = |name: &str| RefId::parse(name).unwrap();
        let done = |ada: u64, ben: u64| {
            vec![(Holder::Person(id("ada")), ada), (Holder::Person(id("ben")), ben), (Holder::Nobody, 50)]
        };
        let paces = Paces::of(&done(20, 4), 24_000);
        assert_eq!(paces.of_person(&id("ada")), (Pace::of(24_000, 20), "own"));
        assert_eq!(paces.of_person(&id("ben")), (Pace::of(48_000, 24), "all"));
        assert_eq!(paces.of_person(&id("eve")).1, "all");
        assert_eq!(Paces::of(&done(FEW - 5, 4), 24_000).of_person(&id("ada")).0, None);
    }
}
