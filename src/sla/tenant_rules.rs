//! The rules of one tenant: which hours count for a ticket, what its
//! status means and when to warn.
//!
//! Built from the configuration and what SuperOps says of sites; then asked
//! once per ticket. Site hours that cannot be read fall back to the MSP's own,
//! and the ticket says so.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::calendar::{Calendar, CalendarSpec};
use super::policy::{self, Choice, Counts, Policy, Traits};
use crate::sla::zone::Tz;
use crate::ticket::{Directory, RefId, Site, StatusMeaning, StatusWords, TenantId, Ticket};

/// Site hours count, and it cannot be known whose.
const NO_SITE: &str =
    "the hours of the client's site should count, but the ticket names no site; the MSP's own hours are used";
const UNKNOWN_SITE: &str = "the hours of the client's site should count, but SuperOps does not list the ticket's site; the MSP's own hours are used";

/// When a running clock is at risk.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Warn {
    /// Shares of the working time elapsed, each over 0 and under 1.
    pub at: Vec<f64>,
    /// Working time left.
    pub left: Vec<TimeDelta>,
}

impl Warn {
    /// The working time after which a clock of `total` is at risk, by whichever threshold comes first.
    pub fn elapsed(&self, total: TimeDelta) -> Option<TimeDelta> {
        let shares = self.at.iter().map(|share| scaled(total, *share));
        let remainders = self.left.iter().map(|left| (total - *left).max(TimeDelta::zero()));
        shares.chain(remainders).min()
    }
}

/// A share of a length of time that is not negative, to the millisecond.
fn scaled(total: TimeDelta, share: f64) -> TimeDelta {
    TimeDelta::milliseconds((total.num_milliseconds() as f64 * share + 0.5) as i64)
}

/// What the configuration says of one tenant's rules.
#[derive(Clone, Debug)]
pub struct RulesConfig {
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
    /// Whether an automatic first response, which SuperOps counts, counts here too.
    pub automation_answers: bool,
}

impl RulesConfig {
    /// Round the clock, without policies; all else as it is where nothing is said of it.
    pub fn bare(tenant: TenantId) -> Self {
        Self {
            tenant,
            words: StatusWords::default(),
            site_hours: false,
            msp: None,
            holiday_lists: BTreeMap::new(),
            policies: Vec::new(),
            warn: Warn::default(),
            automation_answers: true,
        }
    }
}

/// The rules, ready to be asked.
#[derive(Debug)]
pub struct TenantRules {
    config: RulesConfig,
    meanings: HashMap<String, StatusMeaning>,
    sites: HashMap<RefId, SiteCalendar>,
    always: Calendar,
}

#[derive(Debug)]
struct SiteCalendar {
    name: String,
    calendar: Result<Arc<Calendar>, String>,
}

impl SiteCalendar {
    fn hours(&self) -> Option<Hours<'_>> {
        let calendar = self.calendar.as_ref().ok()?;
        Some(Hours { calendar, whose: Whose::Site(&self.name) })
    }
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

/// Which hours count for a clock, as it is kept for later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoursOf {
    RoundTheClock,
    /// The working hours that SLAs of the ticket count in.
    Working,
    /// Round the clock, since it is due where those are closed.
    NotWorking,
}

/// What decides the clocks of one ticket.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    pub policy: Option<&'a Policy>,
    working: Hours<'a>,
    flaw: Option<&'a str>,
    rules: &'a TenantRules,
}

impl<'a> Terms<'a> {
    /// The hours in which a clock was counted that is said to be due at `due`.
    ///
    /// A policy says which. But a due time that lies where the working hours are
    /// closed must have been counted round the clock, whatever a policy says: it
    /// is missed when it is past, and not first at the next opening.
    pub fn hours_for(&self, due: DateTime<Utc>) -> HoursOf {
        match self.policy.map(|policy| policy.counts) {
            Some(Counts::Calendar) => HoursOf::RoundTheClock,
            _ if self.working.calendar.can_fall_due(due) => HoursOf::Working,
            _ => HoursOf::NotWorking,
        }
    }

    /// The hours in which the target of the policy counts.
    pub fn hours_promised(&self) -> HoursOf {
        match self.policy.map(|policy| policy.counts) {
            Some(Counts::Calendar) => HoursOf::RoundTheClock,
            _ => HoursOf::Working,
        }
    }

    /// Those hours, and what stood in the way of better ones.
    pub fn hours_of(&self, which: HoursOf) -> (Hours<'a>, Option<&'a str>) {
        match which {
            HoursOf::RoundTheClock => (self.rules.round_the_clock(), None),
            HoursOf::Working => (self.working, self.flaw),
            HoursOf::NotWorking => {
                let whose = Whose::NotOf(&self.working.calendar.spec().name);
                (Hours { calendar: &self.rules.always, whose }, self.flaw)
            }
        }
    }
}

impl TenantRules {
    /// Makes `config` ready for the sites of `directory`.
    pub fn new(config: RulesConfig, directory: &Directory) -> Self {
        let words = directory.statuses.iter();
        let meanings = words.map(|name| (name.clone(), config.words.meaning(Some(name)))).collect();
        let sites = if config.site_hours { site_calendars(directory, &config.holiday_lists) } else { HashMap::new() };
        let zone = config.msp.as_ref().map_or(Tz::UTC, |calendar| calendar.spec().timezone);
        Self { config, meanings, sites, always: Calendar::round_the_clock_in(zone) }
    }

    /// Whose rules these are.
    pub fn tenant(&self) -> &TenantId {
        &self.config.tenant
    }

    /// When to warn.
    pub fn warn(&self) -> &Warn {
        &self.config.warn
    }

    /// What the ticket's status means for its clocks.
    pub fn meaning(&self, ticket: &Ticket) -> StatusMeaning {
        self.meaning_of(ticket.status.as_deref())
    }

    /// What `status` means for the clocks.
    pub fn meaning_of(&self, status: Option<&str>) -> StatusMeaning {
        let known = status.and_then(|name| self.meanings.get(name));
        known.copied().unwrap_or_else(|| self.config.words.meaning(status))
    }

    /// The policy that holds for `ticket`, if one is configured.
    pub fn policy(&self, ticket: &Ticket) -> Option<&Policy> {
        policy::applicable(&self.config.policies, &self.config.tenant, &Traits::of(ticket))
    }

    /// Which policy holds for `ticket` and which would hold without it, as places in [`TenantRules::policies`].
    pub fn choice(&self, ticket: &Ticket) -> Option<Choice> {
        policy::choose(&self.config.policies, &self.config.tenant, ticket)
    }

    /// The zone of the MSP's own hours: the one its dates are meant in.
    pub fn msp_timezone(&self) -> Tz {
        self.msp_hours().timezone()
    }

    /// Whether the MSP's own people are at work at `now`, as far as its calendar tells; without one nothing says no.
    pub fn is_staffed(&self, now: DateTime<Utc>) -> bool {
        self.msp_hours().calendar.is_open(now)
    }

    /// The working hours that SLAs of this ticket count in, and what stood in the way of better ones.
    pub fn working_hours(&self, ticket: &Ticket) -> (Hours<'_>, Option<&str>) {
        let site = ticket.site.as_ref().and_then(|site| self.sites.get(&site.id));
        match site {
            Some(SiteCalendar { name, calendar: Ok(calendar) }) => (Hours { calendar, whose: Whose::Site(name) }, None),
            Some(SiteCalendar { calendar: Err(why), .. }) => (self.msp_hours(), Some(why)),
            None if !self.config.site_hours => (self.msp_hours(), None),
            None if ticket.site.is_none() => (self.msp_hours(), Some(NO_SITE)),
            None => (self.msp_hours(), Some(UNKNOWN_SITE)),
        }
    }

    /// What decides the clocks of `ticket`, found once for both.
    pub fn terms(&self, ticket: &Ticket) -> Terms<'_> {
        self.terms_by(ticket, self.policy(ticket))
    }

    fn terms_by<'a>(&'a self, ticket: &Ticket, policy: Option<&'a Policy>) -> Terms<'a> {
        let (working, flaw) = self.working_hours(ticket);
        Terms { policy, working, flaw, rules: self }
    }

    /// Those hours of `ticket`, and what stood in the way of better ones.
    pub fn hours_of(&self, ticket: &Ticket, which: HoursOf) -> (Hours<'_>, Option<&str>) {
        self.terms_by(ticket, None).hours_of(which)
    }

    /// The hours in which a clock of `ticket` that is due at `due` was counted.
    pub fn hours(&self, ticket: &Ticket, due: DateTime<Utc>) -> (Hours<'_>, Option<&str>) {
        let terms = self.terms(ticket);
        terms.hours_of(terms.hours_for(due))
    }

    /// What the names of statuses mean.
    pub fn words(&self) -> &StatusWords {
        &self.config.words
    }

    /// Whether an automatic first response counts as one.
    pub fn automation_answers(&self) -> bool {
        self.config.automation_answers
    }

    /// All configured policies, in order.
    pub fn policies(&self) -> &[Policy] {
        &self.config.policies
    }

    /// All hours that some ticket of this desk may be counted in: round the clock, the MSP's, the sites'.
    pub fn calendars(&self) -> Vec<Hours<'_>> {
        let mut sites: Vec<_> = self.sites.values().collect();
        sites.sort_by(|a, b| a.name.cmp(&b.name));
        let of_sites = sites.into_iter().filter_map(SiteCalendar::hours);
        [self.round_the_clock(), self.msp_hours()].into_iter().chain(of_sites).collect()
    }

    /// The MSP's own hours; without a calendar, round the clock.
    pub fn msp_hours(&self) -> Hours<'_> {
        match &self.config.msp {
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
    let name = "site hours".to_owned();
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
