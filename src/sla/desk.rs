//! The rules of one tenant's desk: which hours count for a ticket, what its
//! status means and when to warn.
//!
//! Built from the configuration and what SuperOps says of sites; then asked
//! once per ticket. Site hours that cannot be read fall back to the MSP's own,
//! and the ticket says so.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

use super::calendar::{Calendar, CalendarSpec};
use super::policy::{self, Counts, Policy, Traits};
use crate::ticket::{Directory, RefId, Site, StatusMeaning, StatusWords, TenantId, Ticket};

/// When a running clock is at risk.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Warn {
    /// Shares of the working time elapsed, each over 0 and under 1.
    pub at: Vec<f64>,
    /// Working time left.
    pub left: Vec<TimeDelta>,
}

/// What the configuration says of one tenant's desk.
#[derive(Debug)]
pub struct DeskRules {
    pub tenant: TenantId,
    pub words: StatusWords,
    /// Count the hours of the client's site rather than the MSP's own.
    pub site_hours: bool,
    /// The MSP's own hours; none: round the clock.
    pub msp: Option<Arc<Calendar>>,
    /// The name of a SuperOps holiday list -> its dates.
    pub holiday_lists: BTreeMap<String, Vec<NaiveDate>>,
    pub policies: Vec<Policy>,
    pub warn: Warn,
}

/// The rules, ready to be asked.
#[derive(Debug)]
pub struct Desk {
    rules: DeskRules,
    meanings: HashMap<String, StatusMeaning>,
    sites: HashMap<RefId, SiteCalendar>,
    always: Calendar,
}

#[derive(Debug)]
struct SiteCalendar {
    name: String,
    calendar: Result<Arc<Calendar>, String>,
}

/// The hours that count for one clock, and whose they are.
#[derive(Clone, Copy, Debug)]
pub struct Hours<'a> {
    pub calendar: &'a Calendar,
    whose: Whose<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Whose<'a> {
    Always,
    Msp,
    Site(&'a str),
    /// The due time lies in closed hours of this calendar, so it was not counted by it.
    NotOf(&'a str),
}

impl Hours<'_> {
    /// The zone in which local times are shown.
    pub fn timezone(&self) -> Tz {
        self.calendar.spec().timezone
    }
}

impl fmt::Display for Hours<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spec = self.calendar.spec();
        match self.whose {
            Whose::Always => f.write_str("counted round the clock"),
            Whose::Msp => write!(f, "counted in the hours of {} ({})", spec.name, spec.timezone),
            Whose::Site(site) => write!(f, "counted in the hours of the site {site} ({})", spec.timezone),
            Whose::NotOf(name) => write!(f, "counted round the clock, since it is due in closed hours of {name}"),
        }
    }
}

impl Desk {
    /// Makes `rules` ready for the sites of `directory`.
    pub fn new(rules: DeskRules, directory: &Directory) -> Self {
        let words = directory.statuses.iter();
        let meanings = words.map(|name| (name.clone(), rules.words.meaning(Some(name)))).collect();
        let sites = if rules.site_hours { site_calendars(directory, &rules.holiday_lists) } else { HashMap::new() };
        Self { rules, meanings, sites, always: Calendar::round_the_clock() }
    }

    /// Whose desk this is.
    pub fn tenant(&self) -> &TenantId {
        &self.rules.tenant
    }

    /// When to warn.
    pub fn warn(&self) -> &Warn {
        &self.rules.warn
    }

    /// What the ticket's status means for its clocks.
    pub fn meaning(&self, ticket: &Ticket) -> StatusMeaning {
        let known = ticket.status.as_ref().and_then(|name| self.meanings.get(name));
        known.copied().unwrap_or_else(|| self.rules.words.meaning(ticket.status.as_deref()))
    }

    /// The policy that holds for `ticket`, if one is configured.
    pub fn policy(&self, ticket: &Ticket) -> Option<&Policy> {
        policy::applicable(&self.rules.policies, &self.rules.tenant, &Traits::of(ticket))
    }

    /// The working hours that SLAs of this ticket count in, and what stood in the way of better ones.
    pub fn working_hours(&self, ticket: &Ticket) -> (Hours<'_>, Option<&str>) {
        let site = ticket.site.as_ref().and_then(|site| self.sites.get(&site.id));
        match site {
            Some(SiteCalendar { name, calendar: Ok(calendar) }) => (Hours { calendar, whose: Whose::Site(name) }, None),
            Some(SiteCalendar { calendar: Err(why), .. }) => (self.msp_hours(), Some(why)),
            None => (self.msp_hours(), None),
        }
    }

    /// The hours in which a clock of `ticket` that is due at `due` was counted.
    ///
    /// A policy says which. Without one the working hours are taken, unless the
    /// due time lies where they are closed: then it must have been counted round the clock.
    pub fn hours(&self, ticket: &Ticket, due: DateTime<Utc>) -> (Hours<'_>, Option<&str>) {
        let (working, flaw) = self.working_hours(ticket);
        match self.policy(ticket).map(|policy| policy.counts) {
            Some(Counts::Calendar) => (self.round_the_clock(), None),
            Some(Counts::Business) => (working, flaw),
            None if working.calendar.can_fall_due(due) => (working, flaw),
            None => {
                let whose = Whose::NotOf(&working.calendar.spec().name);
                (Hours { calendar: &self.always, whose }, flaw)
            }
        }
    }

    fn msp_hours(&self) -> Hours<'_> {
        match &self.rules.msp {
            Some(calendar) => Hours { calendar, whose: Whose::Msp },
            None => self.round_the_clock(),
        }
    }

    fn round_the_clock(&self) -> Hours<'_> {
        Hours { calendar: &self.always, whose: Whose::Always }
    }
}

/// A calendar for each site; sites with the same hours share one.
fn site_calendars(
    directory: &Directory,
    holiday_lists: &BTreeMap<String, Vec<NaiveDate>>,
) -> HashMap<RefId, SiteCalendar> {
    let mut shared: HashMap<CalendarSpec, Result<Arc<Calendar>, String>> = HashMap::new();
    let calendar_of = |site: &Site| {
        let spec = site_spec(site, holiday_lists)?;
        let compile = |spec: CalendarSpec| Calendar::compile(spec).map(Arc::new).map_err(|error| error.to_string());
        shared.entry(spec.clone()).or_insert_with(|| compile(spec)).clone()
    };
    let mut calendar_of = calendar_of;
    let entry = |site: &Site| {
        let calendar = calendar_of(site).map_err(|why| format!("site hours of {} are not used: {why}", site.name));
        (site.id.clone(), SiteCalendar { name: site.name.clone(), calendar })
    };
    directory.sites.values().map(entry).collect()
}

/// What SuperOps says of a site's hours, as a calendar; or why it makes none.
fn site_spec(site: &Site, holiday_lists: &BTreeMap<String, Vec<NaiveDate>>) -> Result<CalendarSpec, String> {
    let zone = site.timezone.as_deref().ok_or("it has no time zone")?;
    let timezone: Tz = zone.parse().map_err(|_| format!("`{zone}` is no time zone"))?;
    let mut week: [Vec<(u16, u16)>; 7] = Default::default();
    if !site.always_open {
        for row in &site.hours {
            let window = (minutes(&row.start)?, minutes(&row.end)?);
            week[row.day.num_days_from_monday() as usize].push(window);
        }
    }
    let dates = site.holiday_list.as_ref().and_then(|list| holiday_lists.get(&list.name));
    let holidays: BTreeSet<NaiveDate> = dates.into_iter().flatten().copied().collect();
    let name = "the site".to_owned();
    Ok(CalendarSpec { name, timezone, always: site.always_open, week, holidays, yearly: BTreeSet::new() })
}

/// `09:30` as minutes after midnight; `24:00` is the end of the day.
fn minutes(text: &str) -> Result<u16, String> {
    let parse = || {
        let (hours, rest) = text.trim().split_once(':')?;
        let minutes = rest.split(':').next()?;
        let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
        let total = hours.checked_mul(60)?.checked_add(minutes)?;
        (minutes < 60 && total <= 1440).then_some(total)
    };
    parse().ok_or_else(|| format!("`{text}` is no time of day"))
}
