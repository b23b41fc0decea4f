//! Who is on call, who comes next, and when nobody is; and people standing in for each other.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Complaint, Reach, Service, ServiceError};
use crate::alert::on_call::{By, Override, Person, Rotation, Shift};
use crate::config::read_on_call;
use crate::store::StoreError;
use crate::store::audit::Author;
use crate::store::on_call::{NewOverride, OverrideRow};
use crate::ticket::Directory;

/// What somebody of one tenant sees in place of another tenant's people.
const STRANGER: &str = "somebody of another tenant";
/// How far ahead shifts are listed.
const LISTED: TimeDelta = TimeDelta::days(14);
/// How far back and ahead a calendar of this week and the next two can reach, in any zone.
const CALENDAR: (TimeDelta, TimeDelta) = (TimeDelta::days(8), TimeDelta::days(22));
/// How far ahead gaps are looked for, here and by `check`.
pub const GAPS_AHEAD: TimeDelta = TimeDelta::days(30);
/// The longest override: beyond it the rotation itself should change.
const LONGEST_OVERRIDE: TimeDelta = TimeDelta::days(366);

/// Every rotation that may be seen.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OnCall {
    pub now: DateTime<Utc>,
    pub rotations: Vec<RotationView>,
}

/// One rotation, now and in the time to come.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RotationView {
    pub name: String,
    /// The one tenant that it is for; none: shared by all.
    pub tenant: Option<String>,
    pub timezone: &'static str,
    /// None: nobody is on call.
    pub on_call: Option<ShiftView>,
    pub next: Option<ShiftView>,
    /// The coming two weeks.
    pub shifts: Vec<ShiftView>,
    /// When nobody is on call in the coming 30 days.
    pub gaps: Vec<GapView>,
    /// All of this week and the next two, past days included.
    #[serde(skip)]
    pub calendar: Calendar,
    pub overrides: Vec<OverrideView>,
    /// People whom SuperOps does not know and who have no address of their own: a step would not reach them.
    pub unknown: Vec<String>,
    /// Addresses that are written out and are no technician's: right for a duty phone, or misspelt.
    pub foreign_addresses: Vec<String>,
}

/// A time on call.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShiftView {
    /// As written in the configuration or the override.
    pub person: String,
    /// The name that SuperOps has.
    pub name: Option<String>,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    /// From 1; none: an override.
    pub layer: Option<usize>,
    /// The override, by its id.
    pub override_id: Option<String>,
}

/// A time in which nobody is on call.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct GapView {
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
}

/// Who is on call, and when nobody is, on every day of a calendar. It begins before the first day and ends after the
/// last, so that no end in it is merely where the list was cut off.
#[derive(Clone, Debug)]
pub struct Calendar {
    pub shifts: Vec<ShiftView>,
    pub gaps: Vec<GapView>,
}

/// Somebody standing in.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = StandIn)]
pub struct OverrideView {
    pub id: String,
    pub rotation: String,
    pub person: String,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    /// Who made it, by the id of the token.
    pub made_by: String,
    pub made_at: DateTime<Utc>,
}

/// A request that somebody stands in.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[schema(as = StandInOrder)]
#[serde(deny_unknown_fields)]
pub struct OverrideRequest {
    pub rotation: String,
    /// As in a rotation: a technician's email address, name or id, `email:ADDRESS` or `sms:+NUMBER`.
    pub person: String,
    /// RFC 3339, or local to the rotation without an offset.
    pub from: String,
    pub until: String,
}

/// The result of a request to change an override.
#[derive(Clone, Debug)]
pub enum Changed<T> {
    Done(T),
    /// There is no such rotation or override, or it is another tenant's.
    NoSuch,
    /// The rotation is shared by all tenants, and the caller belongs to one.
    Shared,
}

impl Service {
    /// Who is on call within `scope`.
    pub async fn on_call(&self, scope: &Reach) -> Result<OnCall, ServiceError> {
        let now = self.clock.now();
        let rows = self.store.override_rows_from(now - CALENDAR.0).await?;
        let mut rotations = Vec::new();
        for rotation in self.config.on_call.values().filter(|rotation| may_see(scope, rotation)) {
            let directories = self.directories(rotation).await?;
            let shown = view(rotation, &rows, &directories, now);
            rotations.push(match scope.tenant().filter(|_| rotation.tenant.is_none()) {
                Some(own) => without_strangers(shown, self.store.directory(own).await?.as_ref()),
                None => shown,
            });
        }
        Ok(OnCall { now, rotations })
    }

    /// Adds an override.
    pub async fn add_override(
        &self,
        scope: &Reach,
        request: &OverrideRequest,
        author: Author,
    ) -> Result<Changed<OverrideView>, ServiceError> {
        let now = self.clock.now();
        let rotation = match self.changeable(scope, &request.rotation) {
            Changed::Done(rotation) => rotation,
            Changed::NoSuch => return Ok(Changed::NoSuch),
            Changed::Shared => return Ok(Changed::Shared),
        };
        let (from, until) = (moment(rotation, "from", &request.from)?, moment(rotation, "until", &request.until)?);
        check_span(from, until, now)?;
        let person = read_on_call::person(&request.person)
            .map_err(|rule| ServiceError::BadQuestion(Complaint::of("person", rule)))?;
        let directories = self.directories(rotation).await?;
        if is_unknown(&person, &directories) {
            return Err(ServiceError::BadQuestion(Complaint::of(
                "person",
                "is nobody whom SuperOps knows: give a technician's email address, name or id, or \
                 email:ADDRESS or sms:+NUMBER",
            )));
        }
        if let Some(ids) = namesakes(&person, &directories) {
            let rule = format!("is the name of several technicians: give the email address, or the id ({ids})");
            return Err(ServiceError::BadQuestion(Complaint::of("person", rule)));
        }
        let is_bare = matches!(person, Person::Named(_));
        if is_bare && !foreign_addresses(&[&person], &directories).is_empty() {
            return Err(ServiceError::BadQuestion(Complaint::of(
                "person",
                "is not a technician's address: check its spelling, or write email:ADDRESS to use it anyway",
            )));
        }
        let tenant = rotation.tenant.clone();
        let before = on_call_between(rotation, &self.store.overrides_from(now).await?, from, until);
        let new = NewOverride { rotation: rotation.name.clone(), tenant, person, from, until, before };
        let made = self.store.add_override(new, author, now).await?;
        Ok(Changed::Done(override_view(&made)))
    }

    /// Removes an override.
    pub async fn remove_override(&self, scope: &Reach, id: &str, author: Author) -> Result<Changed<()>, ServiceError> {
        let now = self.clock.now();
        let rows = self.store.override_rows_from(now).await?;
        let Some(row) = rows.into_iter().find(|row| row.stand_in.id == id) else { return Ok(Changed::NoSuch) };
        let rotation = match self.changeable(scope, &row.stand_in.rotation) {
            Changed::Done(rotation) => rotation,
            Changed::NoSuch => return Ok(Changed::NoSuch),
            Changed::Shared => return Ok(Changed::Shared),
        };
        let Ok(number) = id.parse() else { return Ok(Changed::NoSuch) };
        let mut others = self.store.overrides_from(now).await?;
        others.retain(|other| other.id != id);
        let after = on_call_between(rotation, &others, row.stand_in.from.max(now), row.stand_in.until);
        let removed = self.store.remove_override(number, rotation.tenant.clone(), after, author, now).await?;
        Ok(if removed { Changed::Done(()) } else { Changed::NoSuch })
    }

    /// Returns the rotation, if somebody with this scope may change it.
    fn changeable(&self, scope: &Reach, name: &str) -> Changed<&Rotation> {
        match self.config.on_call.get(name).filter(|rotation| may_see(scope, rotation)) {
            None => Changed::NoSuch,
            Some(rotation) if rotation.tenant.is_none() && *scope != Reach::All => Changed::Shared,
            Some(rotation) => Changed::Done(rotation),
        }
    }

    /// The people of every tenant that the rotation serves.
    async fn directories(&self, rotation: &Rotation) -> Result<Vec<std::sync::Arc<Directory>>, StoreError> {
        let mut directories = Vec::new();
        for tenant in self.config.tenants.keys() {
            if rotation.tenant.as_ref().is_none_or(|only| only == tenant) {
                directories.push(self.store.directory(tenant).await?);
            }
        }
        Ok(directories)
    }
}

/// Who is on call in `rotation` at any time between the two, each once.
fn on_call_between(
    rotation: &Rotation,
    overrides: &[Override],
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Vec<String> {
    let mut people: Vec<String> = Vec::new();
    for shift in rotation.shifts(overrides, from, until) {
        let person = shift.person.text();
        if !people.contains(&person) {
            people.push(person);
        }
    }
    people
}

/// Everybody may see a rotation without a tenant.
fn may_see(scope: &Reach, rotation: &Rotation) -> bool {
    match (scope, &rotation.tenant) {
        (Reach::One(own), Some(tenant)) => own == tenant,
        _ => true,
    }
}

/// Reads a moment as RFC 3339, or as the rotation's own local time.
fn moment(rotation: &Rotation, field: &'static str, text: &str) -> Result<DateTime<Utc>, ServiceError> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.to_utc());
    }
    let local = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    local.map(|local| rotation.instant(local)).ok_or_else(|| {
        ServiceError::BadQuestion(Complaint::of(
            field,
            "must be a time such as 2026-11-02T09:00:00Z, or 2026-11-02T09:00 in the rotation's zone",
        ))
    })
}

fn check_span(from: DateTime<Utc>, until: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), ServiceError> {
    let rule = if until <= from {
        "must be after `from`"
    } else if until <= now {
        "has passed already"
    } else if until - from > LONGEST_OVERRIDE {
        "must lie within a year of `from`: change the rotation in the configuration instead"
    } else {
        return Ok(());
    };
    Err(ServiceError::BadQuestion(Complaint::of("until", rule)))
}

/// Whether a step would not reach `person` at any tenant. Until SuperOps has been read, nobody counts as unknown.
fn is_unknown(person: &Person, directories: &[impl AsRef<Directory>]) -> bool {
    let read = directories.iter().any(|people| !people.as_ref().technicians.is_empty());
    read && !person.has_address() && directories.iter().all(|people| person.technician(people.as_ref()).is_none())
}

/// Everybody whom `rotation` names, and their stand-ins, each once.
pub fn people_of<'a>(rotation: &'a Rotation, overrides: &'a [Override]) -> Vec<&'a Person> {
    let mut people = rotation.people();
    for stand_in in overrides.iter().filter(|one| one.rotation == rotation.name) {
        if !people.contains(&&stand_in.person) {
            people.push(&stand_in.person);
        }
    }
    people
}

/// Those of `people` whom no step would reach, as written.
pub fn unknown_people(people: &[&Person], directories: &[impl AsRef<Directory>]) -> Vec<String> {
    people.iter().filter(|person| is_unknown(person, directories)).map(|person| person.text()).collect()
}

/// The ids of the technicians of one tenant who might all be `person`.
pub fn namesakes(person: &Person, directories: &[impl AsRef<Directory>]) -> Option<String> {
    let mut found = directories.iter().map(|people| person.namesakes(people.as_ref()));
    let ids: Vec<_> = found.find(|found| !found.is_empty())?.iter().map(|one| one.id.as_str()).collect();
    Some(ids.join(", "))
}

/// Those addresses among `people` that are no technician's, as written. A step reaches them, whoever they are.
pub fn foreign_addresses(people: &[&Person], directories: &[impl AsRef<Directory>]) -> Vec<String> {
    let read = directories.iter().any(|people| !people.as_ref().technicians.is_empty());
    let is_foreign = |person: &Person| {
        person.has_address() && directories.iter().all(|people| person.owner(people.as_ref()).is_none())
    };
    people.iter().filter(|person| read && is_foreign(person)).map(|person| person.text()).collect()
}

fn view(
    rotation: &Rotation,
    rows: &[OverrideRow],
    directories: &[impl AsRef<Directory>],
    now: DateTime<Utc>,
) -> RotationView {
    let all: Vec<Override> = rows.iter().map(|row| row.stand_in.clone()).collect();
    let is_over = |stand_in: &Override| stand_in.until <= now;
    let overrides: Vec<Override> = all.iter().filter(|one| !is_over(one)).cloned().collect();
    let shown = |shift: Shift| shift_view(shift, directories);
    let gap = |(from, until)| GapView { from, until };
    let (begin, end) = (now - CALENDAR.0, now + CALENDAR.1);
    let calendar = Calendar {
        shifts: rotation.shifts(&all, begin, end).into_iter().map(shown).collect(),
        gaps: rotation.gaps(&all, begin, end).into_iter().map(gap).collect(),
    };
    let gaps = rotation.gaps(&overrides, now, now + GAPS_AHEAD);
    let standing_in = rows.iter().map(|row| (row, &row.stand_in));
    let standing_in = standing_in.filter(|(_, one)| one.rotation == rotation.name && !is_over(one));
    let people = people_of(rotation, &overrides);
    RotationView {
        name: rotation.name.clone(),
        tenant: rotation.tenant.as_ref().map(ToString::to_string),
        timezone: rotation.timezone.name(),
        on_call: rotation.who(&overrides, now).map(shown),
        next: rotation.next(&overrides, now).map(shown),
        shifts: rotation.shifts(&overrides, now, now + LISTED).into_iter().map(shown).collect(),
        gaps: gaps.into_iter().map(gap).collect(),
        calendar,
        overrides: standing_in.map(|(row, _)| override_view(row)).collect(),
        unknown: unknown_people(&people, directories),
        foreign_addresses: foreign_addresses(&people, directories),
    }
}

/// What somebody of one tenant sees of a shared rotation: their own people, and of others only that somebody is there.
fn without_strangers(shown: RotationView, own: &Directory) -> RotationView {
    let is_own = |text: &str| {
        let person = Person::parse(text);
        person.technician(own).is_some() || person.owner(own).is_some()
    };
    let text = |person: String| if is_own(&person) { person } else { STRANGER.to_owned() };
    let shift = |one: ShiftView| {
        let is_own = is_own(&one.person);
        ShiftView { name: one.name.filter(|_| is_own), person: text(one.person), ..one }
    };
    let stand_in = |one: OverrideView| OverrideView { person: text(one.person), ..one };
    RotationView {
        on_call: shown.on_call.map(shift),
        next: shown.next.map(shift),
        shifts: shown.shifts.into_iter().map(shift).collect(),
        calendar: Calendar { shifts: shown.calendar.shifts.into_iter().map(shift).collect(), ..shown.calendar },
        overrides: shown.overrides.into_iter().map(stand_in).collect(),
        unknown: Vec::new(),
        foreign_addresses: Vec::new(),
        ..shown
    }
}

fn shift_view(shift: Shift, directories: &[impl AsRef<Directory>]) -> ShiftView {
    let known = directories.iter().find_map(|people| shift.person.technician(people.as_ref()));
    let (layer, override_id) = match shift.by {
        By::Layer(index) => (Some(index + 1), None),
        By::Override(id) => (None, Some(id)),
    };
    ShiftView {
        person: shift.person.text(),
        name: known.map(|person| person.name.clone()),
        from: shift.from,
        until: shift.until,
        layer,
        override_id,
    }
}

fn override_view(row: &OverrideRow) -> OverrideView {
    let OverrideRow { stand_in, made_by, made_at } = row;
    OverrideView {
        id: stand_in.id.clone(),
        rotation: stand_in.rotation.clone(),
        person: stand_in.person.text(),
        from: stand_in.from,
        until: stand_in.until,
        made_by: made_by.clone(),
        made_at: *made_at,
    }
}
