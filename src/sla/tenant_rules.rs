//! The rules of one tenant: which hours count for a ticket, what its
//! status means and when to warn.
//!
//! They are built from the configuration and SuperOps' data about sites, then
//! asked once per ticket. Site hours that cannot be read fall back to the MSP's
//! own, and the ticket says so.

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
    /// Shares of the working time elapsed, each above 0 and below 1.
    pub at: Vec<f64>,
    /// Working time left.
    pub left: Vec<TimeDelta>,
}

impl Warn {
    /// Returns the working time after which a clock of `total` is at risk, by whichever threshold comes first.
    pub fn elapsed(&self, total: TimeDelta) -> Option<TimeDelta> {
        let shares = self.at.iter().map(|share| scaled(total, *share));
        let remainders = self.left.iter().map(|left| (total - *left).max(TimeDelta::zero()));
        shares.chain(remainders).min()
    }
}

/// Returns a share of a length of time that is not negative, to the millisecond.
fn scaled(total: TimeDelta, share: f64) -> TimeDelta {
    TimeDelta::milliseconds((total.num_milliseconds() as f64 * share + 0.5) as i64)
}

/// The rules of one tenant as configured.
#[derive(Clone, Debug)]
pub struct RulesConfig {
    pub tenant: TenantId,
    pub words: StatusWords,
    /// Count the hours of the client's site rather than the MSP's own.
    pub site_hours: bool,
    /// The MSP's own hours; none means round the clock.
    pub msp: Option<Arc<Calendar>>,
    /// The dates of each SuperOps holiday list, by name.
    pub holiday_lists: BTreeMap<String, Vec<NaiveDate>>,
    pub policies: Vec<Policy>,
    pub warn: Warn,
    /// Whether an automatic first response, which SuperOps counts, counts here too.
    pub automation_answers: bool,
}

impl RulesConfig {
    /// Returns rules that count round the clock, without policies, and with the defaults for all else.
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

/// The compiled rules of one tenant.
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
    /// Returns the zone in which local times are shown.
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

/// Which hours count for a clock, in a form to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoursOf {
    RoundTheClock,
    /// The working hours that SLAs of the ticket count in.
    Working,
    /// Round the clock, since it is due when the working hours are closed.
    NotWorking,
}

/// The policy and hours that decide the clocks of one ticket.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    pub policy: Option<&'a Policy>,
    working: Hours<'a>,
    flaw: Option<&'a str>,
    rules: &'a TenantRules,
}

impl<'a> Terms<'a> {
    /// Returns the hours in which a clock was counted that is reported due at `due`.
    ///
    /// The policy decides. But a due time in closed hours must have been counted
    /// round the clock, whatever the policy says: it is missed once it is past, not
    /// only at the next opening.
    pub fn hours_for(&self, due: DateTime<Utc>) -> HoursOf {
        match self.policy.map(|policy| policy.counts) {
            Some(Counts::Calendar) => HoursOf::RoundTheClock,
            _ if self.working.calendar.can_fall_due(due) => HoursOf::Working,
            _ => HoursOf::NotWorking,
        }
    }

    /// Returns the hours in which the target of the policy counts.
    pub fn hours_promised(&self) -> HoursOf {
        match self.policy.map(|policy| policy.counts) {
            Some(Counts::Calendar) => HoursOf::RoundTheClock,
            _ => HoursOf::Working,
        }
    }

    /// Returns those hours, and why the ones that should count could not be used.
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
    /// Compiles `config` for the sites and statuses of `directory`.
    pub fn new(config: RulesConfig, directory: &Directory) -> Self {
        let words = directory.statuses.iter();
        let meanings = words.map(|name| (name.clone(), config.words.meaning(Some(name)))).collect();
        let sites = if config.site_hours { site_calendars(directory, &config.holiday_lists) } else { HashMap::new() };
        let zone = config.msp.as_ref().map_or(Tz::UTC, |calendar| calendar.spec().timezone);
        Self { config, meanings, sites, always: Calendar::round_the_clock_in(zone) }
    }

    /// Returns the tenant whose rules these are.
    pub fn tenant(&self) -> &TenantId {
        &self.config.tenant
    }

    /// Returns the thresholds from which a running clock is at risk.
    pub fn warn(&self) -> &Warn {
        &self.config.warn
    }

    /// Returns what the ticket's status means for its clocks.
    pub fn meaning(&self, ticket: &Ticket) -> StatusMeaning {
        self.meaning_of(ticket.status.as_deref())
    }

    /// Returns what `status` means for the clocks.
    pub fn meaning_of(&self, status: Option<&str>) -> StatusMeaning {
        let known = status.and_then(|name| self.meanings.get(name));
        known.copied().unwrap_or_else(|| self.config.words.meaning(status))
    }

    /// Returns the policy that holds for `ticket`, if one is configured.
    pub fn policy(&self, ticket: &Ticket) -> Option<&Policy> {
        policy::applicable(&self.config.policies, &self.config.tenant, &Traits::of(ticket))
    }

    /// Returns which policy holds for `ticket` and which would without it, as places in [`TenantRules::policies`].
    pub fn choice(&self, ticket: &Ticket) -> Option<Choice> {
        policy::choose(&self.config.policies, &self.config.tenant, ticket)
    }

    /// Returns the zone of the MSP's own hours, in which its dates are meant.
    pub fn msp_timezone(&self) -> Tz {
        self.msp_hours().timezone()
    }

    /// Whether the MSP's own people are at work at `now` by its calendar; without a calendar they always are.
    pub fn is_staffed(&self, now: DateTime<Utc>) -> bool {
        self.msp_hours().calendar.is_open(now)
    }

    /// Returns the working hours that SLAs of this ticket count in, and why those that should count could not be used.
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

    /// Returns the policy and hours that decide the clocks of `ticket`, looked up once for all of them.
    pub fn terms(&self, ticket: &Ticket) -> Terms<'_> {
        self.terms_by(ticket, self.policy(ticket))
    }

    fn terms_by<'a>(&'a self, ticket: &Ticket, policy: Option<&'a Policy>) -> Terms<'a> {
        let (working, flaw) = self.working_hours(ticket);
        Terms { policy, working, flaw, rules: self }
    }

    /// Returns those hours of `ticket`, and why the ones that should count could not be used.
    pub fn hours_of(&self, ticket: &Ticket, which: HoursOf) -> (Hours<'_>, Option<&str>) {
        self.terms_by(ticket, None).hours_of(which)
    }

    /// Returns the hours in which a clock of `ticket` that is due at `due` was counted.
    pub fn hours(&self, ticket: &Ticket, due: DateTime<Utc>) -> (Hours<'_>, Option<&str>) {
        let terms = self.terms(ticket);
        terms.hours_of(terms.hours_for(due))
    }

    /// Returns the configured meanings of status names.
    pub fn words(&self) -> &StatusWords {
        &self.config.words
    }

    /// Whether an automatic first response counts as one.
    pub fn automation_answers(&self) -> bool {
        self.config.automation_answers
    }

    /// Returns all configured policies, in order.
    pub fn policies(&self) -> &[Policy] {
        &self.config.policies
    }

    /// Returns all hours that a ticket of this tenant may be counted in: round the clock, the MSP's, the sites'.
    pub fn calendars(&self) -> Vec<Hours<'_>> {
        let mut sites: Vec<_> = self.sites.values().collect();
        sites.sort_by(|a, b| a.name.cmp(&b.name));
        let of_sites = sites.into_iter().filter_map(SiteCalendar::hours);
        [self.round_the_clock(), self.msp_hours()].into_iter().chain(of_sites).collect()
    }

    /// Returns the MSP's own hours; without a calendar, round the clock.
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

/// Compiles a calendar for each site; sites with the same hours share one.
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

/// Turns the hours of a site into a calendar, or returns why it cannot.
fn site_spec(site: &Site, holiday_lists: &BTreeMap<String, Vec<NaiveDate>>) -> Result<CalendarSpec, String> {
    let zone = site.timezone.as_deref().ok_or("it has no time zone")?;
    let timezone: Tz = zone.parse().map_err(|_| format!("`{zone}` is not a time zone"))?;
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

/// Parses `09:30` into minutes after midnight; `24:00` is the end of the day.
fn minutes(text: &str) -> Result<u16, String> {
    let parse = || {
        let (hours, rest) = text.trim().split_once(':')?;
        let minutes = rest.split(':').next()?;
        let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
        let total = hours.checked_mul(60)?.checked_add(minutes)?;
        (minutes < 60 && total <= 1440).then_some(total)
    };
    parse().ok_or_else(|| format!("`{text}` is not a time of day"))
}
