//! Who is on call: rotations of people, by turns, layers and overrides.
//!
//! A layer hands over at the same local hour the whole year: a week from Monday
//! 09:00 ends on Monday 09:00, however long it was if the clocks changed. A
//! handover in an hour that a change skips happens at the change; one in an hour
//! that comes twice happens the first time. A later layer wins over an earlier one
//! while it holds, and an override wins over all layers. Nothing here reads the
//! time: the same question gets the same answer.

mod person;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::sla::calendar::Calendar;
use crate::sla::zone::Tz;
use crate::ticket::TenantId;
use chrono::{DateTime, MappedLocalTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};

pub use self::person::Person;

/// The people who take calls, and when each hands over to the next.
#[derive(Clone, Debug)]
pub struct Rotation {
    pub name: String,
    /// The tenant it is for; none if all share it.
    pub tenant: Option<TenantId>,
    pub timezone: Tz,
    /// A later layer wins over an earlier one while it holds.
    pub layers: Vec<Layer>,
}

/// People who take turns.
#[derive(Clone, Debug)]
pub struct Layer {
    /// At least one.
    pub people: Vec<Person>,
    /// When the first turn begins and the layer takes effect, in the rotation's zone.
    pub starts: NaiveDateTime,
    /// The length of a turn, in hours of local time.
    pub hours_a_turn: u32,
    /// When it holds; none: at all times.
    pub hours: Option<Arc<Calendar>>,
}

/// A stand-in for the person who would be on call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    pub id: String,
    pub rotation: String,
    pub person: Person,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
}

/// What puts somebody on call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// The layer with this index.
    Layer(usize),
    /// The override with this id.
    Override(String),
}

/// One person's unbroken time on call, from `from` up to `until`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shift {
    pub person: Person,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub by: By,
}

/// Who is on call now, by the name of the rotation.
pub type Duty = BTreeMap<String, Person>;

/// Returns who is on call at `now` in those of `rotations` that are for `tenant` or for all.
pub fn duty<'a>(
    rotations: impl IntoIterator<Item = &'a Rotation>,
    tenant: &TenantId,
    overrides: &[Override],
    now: DateTime<Utc>,
) -> Duty {
    let own = rotations.into_iter().filter(|rotation| rotation.tenant.as_ref().is_none_or(|only| only == tenant));
    own.filter_map(|rotation| Some((rotation.name.clone(), rotation.who(overrides, now)?.person))).collect()
}

/// How far ahead the next shift is searched for.
const HORIZON: TimeDelta = TimeDelta::days(366);

/// A turn or an override that holds at some moment; something that wins over it may interrupt it.
#[derive(PartialEq, Eq)]
struct Hold<'a> {
    person: &'a Person,
    by: By,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl Rotation {
    /// Returns who is on call at `now`. Of two overrides, the later one in `overrides` wins.
    pub fn who(&self, overrides: &[Override], now: DateTime<Utc>) -> Option<Shift> {
        let hold = self.hold_at(overrides, now)?;
        self.shifts(overrides, hold.from, hold.until).into_iter().find(|shift| shift.from <= now && now < shift.until)
    }

    /// Returns the first shift after the one that holds at `now`.
    pub fn next(&self, overrides: &[Override], now: DateTime<Utc>) -> Option<Shift> {
        let mut at = self.who(overrides, now).map_or(now, |shift| shift.until);
        while at < now + HORIZON {
            if let Some(shift) = self.who(overrides, at) {
                return Some(shift);
            }
            at = self.change_after(overrides, at)?;
        }
        None
    }

    /// Returns all shifts from `from` up to `until`, cut off at both ends.
    pub fn shifts(&self, overrides: &[Override], from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<Shift> {
        let mut shifts: Vec<Shift> = Vec::new();
        let mut before = None;
        self.walk(overrides, from, until, |hold, start, end| {
            match (&hold, shifts.last_mut()) {
                (Some(_), Some(last)) if before == hold => last.until = end,
                (Some(hold), _) => {
                    let (person, by) = (hold.person.clone(), hold.by.clone());
                    shifts.push(Shift { person, from: start, until: end, by });
                }
                (None, _) => {}
            }
            before = hold;
        });
        shifts
    }

    /// Returns the times from `from` up to `until` when nobody is on call.
    pub fn gaps(
        &self,
        overrides: &[Override],
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
        let mut gaps: Vec<(DateTime<Utc>, DateTime<Utc>)> = Vec::new();
        self.walk(overrides, from, until, |hold, start, end| match gaps.last_mut() {
            _ if hold.is_some() => {}
            Some(last) if last.1 == start => last.1 = end,
            _ => gaps.push((start, end)),
        });
        gaps
    }

    /// Returns the instant that `local` means in the rotation's zone.
    pub fn instant(&self, local: NaiveDateTime) -> DateTime<Utc> {
        handover(self.timezone, local)
    }

    /// Returns everybody in the layers, each once.
    pub fn people(&self) -> Vec<&Person> {
        let mut people: Vec<&Person> = Vec::new();
        for person in self.layers.iter().flat_map(|layer| &layer.people) {
            if !people.contains(&person) {
                people.push(person);
            }
        }
        people
    }

    /// Calls `see` for every stretch of time in which nothing changes.
    fn walk<'a>(
        &'a self,
        overrides: &'a [Override],
        from: DateTime<Utc>,
        until: DateTime<Utc>,
        mut see: impl FnMut(Option<Hold<'a>>, DateTime<Utc>, DateTime<Utc>),
    ) {
        let mut at = from;
        while at < until {
            let end = self.change_after(overrides, at).map_or(until, |change| change.min(until));
            see(self.hold_at(overrides, at), at, end);
            at = end;
        }
    }

    fn hold_at<'a>(&'a self, overrides: &'a [Override], at: DateTime<Utc>) -> Option<Hold<'a>> {
        let stand_in = overrides.iter().rev().find(|one| one.rotation == self.name && one.from <= at && at < one.until);
        if let Some(Override { id, person, from, until, .. }) = stand_in {
            return Some(Hold { person, by: By::Override(id.clone()), from: *from, until: *until });
        }
        let layers = self.layers.iter().enumerate().rev();
        layers.filter(|(_, layer)| layer.is_open(at)).find_map(|(index, layer)| {
            let turn = layer.turn_at(self.timezone, at)?;
            Some(Hold { person: layer.person(turn.number)?, by: By::Layer(index), from: turn.from, until: turn.until })
        })
    }

    /// Returns when somebody else may be on call next: at a handover, an opening or closing, or an end of an override.
    fn change_after(&self, overrides: &[Override], at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let own = overrides.iter().filter(|one| one.rotation == self.name);
        let ends = own.flat_map(|one| [one.from, one.until]);
        let layers = self.layers.iter().flat_map(|layer| layer.changes_after(self.timezone, at));
        ends.chain(layers).filter(|change| *change > at).min()
    }
}

/// One turn of a layer, without regard to its hours.
struct Turn {
    number: i64,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl Layer {
    fn is_open(&self, at: DateTime<Utc>) -> bool {
        self.hours.as_ref().is_none_or(|hours| hours.is_open(at))
    }

    fn person(&self, number: i64) -> Option<&Person> {
        let people = i64::try_from(self.people.len()).ok().filter(|people| *people > 0)?;
        usize::try_from(number.rem_euclid(people)).ok().and_then(|index| self.people.get(index))
    }

    /// Returns the turn that holds at `at`; none before the first.
    fn turn_at(&self, zone: Tz, at: DateTime<Utc>) -> Option<Turn> {
        let elapsed = at.with_timezone(&zone).naive_local() - self.starts;
        // Near a change of the clocks, local time alone may be off by a few turns.
        let mut number = elapsed.num_seconds().div_euclid(i64::from(self.hours_a_turn.max(1)) * 3600);
        while self.begin_of(zone, number + 1) <= at {
            number += 1;
        }
        while self.begin_of(zone, number) > at {
            number -= 1;
        }
        let turn = Turn { number, from: self.begin_of(zone, number), until: self.begin_of(zone, number + 1) };
        (number >= 0).then_some(turn)
    }

    fn begin_of(&self, zone: Tz, number: i64) -> DateTime<Utc> {
        let length = number.checked_mul(i64::from(self.hours_a_turn.max(1))).and_then(TimeDelta::try_hours);
        let local = length.and_then(|length| self.starts.checked_add_signed(length));
        local.map_or(DateTime::<Utc>::MAX_UTC, |local| handover(zone, local))
    }

    fn changes_after(&self, zone: Tz, at: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
        let handover = self.turn_at(zone, at).map_or_else(|| self.begin_of(zone, 0), |turn| turn.until);
        let hours = self.hours.as_ref();
        let opening = hours.and_then(|hours| hours.opening_from(at));
        let closing = hours.and_then(|hours| hours.closing_from(at));
        [Some(handover), opening, closing].into_iter().flatten()
    }
}

/// Returns the instant of a handover at `local`; one that a change of the clocks skips happens at the change.
fn handover(zone: Tz, local: NaiveDateTime) -> DateTime<Utc> {
    match zone.from_local_datetime(&local) {
        MappedLocalTime::Single(at) | MappedLocalTime::Ambiguous(at, _) => at.to_utc(),
        MappedLocalTime::None => {
            let moved = zone.offset_before_gap(&local).unwrap_or_else(|| Utc.fix());
            let moved = local.and_utc() - TimeDelta::seconds(moved.local_minus_utc().into());
            zone.last_change(moved + TimeDelta::seconds(1)).unwrap_or(moved)
        }
    }
}

#[cfg(test)]
mod tests;
