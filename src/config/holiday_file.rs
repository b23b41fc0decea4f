//! Holidays from an iCalendar file (`.ics`): which local dates it closes.
//!
//! A holiday is a whole local date, so only dates count and no zone is needed:
//! - An all-day event closes its dates; one without an end, or that ends where it
//!   starts, closes one date.
//! - A timed event closes the dates that it covers from midnight to midnight,
//!   read off its own clock, whatever its zone. One that covers none is refused:
//!   closing the whole day would be wrong, and ignoring it would be silent.
//! - Recurring events are expanded up to the end of [`LAST_YEAR`], exceptions and
//!   moved occurrences included.
//! - Cancelled events close nothing. Whether an event shows as busy or free does not
//!   matter: public lists of holidays mark them as free.
//!
//! Anything else that would be guesswork is refused with a reason.

mod lines;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use calcard::common::PartialDateTime;
use calcard::common::timezone::Tz;
use calcard::icalendar::dates::TimeOrDelta;
use calcard::icalendar::{
    ICalendar, ICalendarComponent, ICalendarComponentType, ICalendarFrequency, ICalendarParameterName,
    ICalendarProperty, ICalendarRecurrenceRule, ICalendarStatus, ICalendarValue,
};
use calcard::{Entry, Parser};
use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

/// The last year of recurring holidays: calendars are compiled no further either.
pub const LAST_YEAR: u16 = 2079;
/// The largest file, in bytes; a list of holidays is a few kilobytes.
const LARGEST: usize = 1 << 20;
/// The most dates: thirty holidays a year for as long as we look ahead; more is not a list of holidays.
const MOST_DATES: usize = 3_000;
/// The longest event, in days: longer than any holiday.
const MOST_DAYS: i64 = 366;
/// How many faults are shown: the first few tell what is wrong with the file.
const FAULTS_SHOWN: usize = 3;

/// Returns the dates that `text`, the content of an iCalendar file, closes; or what is wrong with it.
pub fn dates(text: &str) -> Result<BTreeSet<NaiveDate>, String> {
    if text.len() > LARGEST {
        return Err("it is over 1 MB, which no list of holidays is".to_owned());
    }
    lines::check(text)?;
    let events = events(text)?;
    if events.is_empty() {
        return Err("it has no events".to_owned());
    }
    let (mut dates, mut faults) = (BTreeSet::new(), Vec::new());
    for (key, series) in series(events) {
        match dates_of(&series) {
            Ok(found) => dates.extend(found),
            Err(rule) => faults.push(format!("{} {rule}", name(&key, &series))),
        }
    }
    match faults.len() {
        0 if dates.len() > MOST_DATES => Err(format!("it closes more than {MOST_DATES} dates")),
        0 => Ok(dates),
        _ => Err(told(&faults)),
    }
}

fn told(faults: &[String]) -> String {
    let shown = faults.iter().take(FAULTS_SHOWN).cloned().collect::<Vec<_>>().join("; ");
    match faults.len().saturating_sub(FAULTS_SHOWN) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}

/// Every event of the file, in its order.
fn events(text: &str) -> Result<Vec<ICalendarComponent>, String> {
    let mut parser = Parser::new(text);
    let mut events = Vec::new();
    loop {
        match parser.entry() {
            Entry::ICalendar(calendar) => events.extend(calendar.components.into_iter().filter(is_event)),
            Entry::Eof => return Ok(events),
            Entry::VCard(_) | Entry::InvalidLine(_) => return Err("it is not an iCalendar file".to_owned()),
            _ => return Err("it is damaged".to_owned()),
        }
    }
}

fn is_event(component: &ICalendarComponent) -> bool {
    component.component_type == ICalendarComponentType::VEvent
}

/// The events that belong together: a recurring one and its moved occurrences.
///
/// They share a UID; an event without one, which breaks the standard, stands alone.
fn series(events: Vec<ICalendarComponent>) -> BTreeMap<String, Vec<ICalendarComponent>> {
    let mut series: BTreeMap<String, Vec<ICalendarComponent>> = BTreeMap::new();
    for (nth, event) in events.into_iter().enumerate() {
        let key = event.uid().map_or_else(|| format!("#{nth}"), |uid| format!("={uid}"));
        series.entry(key).or_default().push(event);
    }
    series
}

/// Names the event so that a person finds it in the file.
fn name(key: &str, series: &[ICalendarComponent]) -> String {
    let summary = series.iter().find_map(|event| event.property(&ICalendarProperty::Summary));
    let text = summary.and_then(|entry| entry.values.first()).and_then(ICalendarValue::as_text);
    let text: String = text.unwrap_or(&key[1..]).chars().filter(|c| !c.is_control()).take(40).collect();
    let start = series.first().and_then(|event| time_of(event, &ICalendarProperty::Dtstart));
    match start {
        Some(start) => format!("the event `{text}` of {}", start.date()),
        None => format!("the event `{text}`"),
    }
}

fn dates_of(series: &[ICalendarComponent]) -> Result<BTreeSet<NaiveDate>, String> {
    series.iter().try_for_each(check)?;
    let starts = series.iter().filter(|event| event.has_property(&ICalendarProperty::Rrule));
    if starts
        .filter_map(|event| time_of(event, &ICalendarProperty::Dtstart))
        .any(|start| start.year() > LAST_YEAR.into())
    {
        return Err(format!("begins to recur after {LAST_YEAR}, further than we look ahead"));
    }
    let calendar = ICalendar { components: series.iter().map(floating).collect() };
    let expanded = calendar.expand_dates(Tz::Floating, MOST_DATES + 1);
    if let Some(error) = expanded.errors.first() {
        return Err(format!("makes no sense: {}", error.error.to_string().to_lowercase()));
    }
    if expanded.events.len() > MOST_DATES {
        return Err(format!("comes back more than {MOST_DATES} times before {}", LAST_YEAR + 1));
    }
    let mut dates = BTreeSet::new();
    for event in &expanded.events {
        if is_cancelled(series, event.comp_id) {
            continue;
        }
        let start = event.start.naive_local();
        let end = match &event.end {
            TimeOrDelta::Time(end) => Some(end.naive_local()),
            TimeOrDelta::Delta(length) => start.checked_add_signed(*length),
        };
        dates.extend(covered(start, end.ok_or("ends after the year 9999")?)?);
    }
    if dates.is_empty() && !series.iter().any(|event| event.status() == Some(&ICalendarStatus::Cancelled)) {
        return Err(format!("closes no date before {}", LAST_YEAR + 1));
    }
    Ok(dates)
}

fn is_cancelled(series: &[ICalendarComponent], index: u32) -> bool {
    let event = usize::try_from(index).ok().and_then(|index| series.get(index));
    event.is_some_and(|event| event.status() == Some(&ICalendarStatus::Cancelled))
}

/// The dates that lie wholly between `start` and `end`.
fn covered(start: NaiveDateTime, end: NaiveDateTime) -> Result<impl Iterator<Item = NaiveDate>, String> {
    if end - start > TimeDelta::days(MOST_DAYS) {
        return Err("lasts over a year".to_owned());
    }
    let first = if start.time() == NaiveTime::MIN { Some(start.date()) } else { start.date().succ_opt() };
    let first = first.filter(|first| *first < end.date());
    let rule = "covers no whole day: a holiday closes whole days, so make it an all-day event or take it out";
    Ok(first.ok_or(rule)?.iter_days().take_while(move |date| *date < end.date()))
}

/// Refuses what the parser could not read and would skip.
fn check(event: &ICalendarComponent) -> Result<(), String> {
    use ICalendarProperty as P;
    let mut rules = 0;
    for entry in &event.entries {
        let dated = matches!(entry.name, P::Dtstart | P::Dtend | P::Exdate | P::Rdate | P::RecurrenceId);
        if dated && (entry.values.is_empty() || !entry.values.iter().all(is_time)) {
            return Err(format!("has a {} that is not a date", entry.name.as_str()));
        }
        if entry.name == P::Duration && !matches!(entry.values[..], [ICalendarValue::Duration(_)]) {
            return Err("has a DURATION that is not a length of time".to_owned());
        }
        if entry.name == P::Rrule {
            rules += 1;
            match &entry.values[..] {
                [ICalendarValue::RecurrenceRule(rule)] if rules == 1 => check_rule(rule)?,
                [ICalendarValue::RecurrenceRule(_)] => return Err("has more than one RRULE".to_owned()),
                _ => return Err("has an RRULE that makes no sense".to_owned()),
            }
        }
    }
    Ok(())
}

fn is_time(value: &ICalendarValue) -> bool {
    value.as_partial_date_time().is_some_and(|time| time.to_date_time().is_some())
}

fn check_rule(rule: &ICalendarRecurrenceRule) -> Result<(), String> {
    use ICalendarFrequency as F;
    if matches!(rule.freq, F::Hourly | F::Minutely | F::Secondly) {
        return Err("recurs within the day: a holiday closes whole days".to_owned());
    }
    if rule.rscale.is_some() || rule.skip.is_some() {
        return Err("recurs by another calendar than the Gregorian one (RSCALE): give its dates".to_owned());
    }
    Ok(())
}

fn time_of(event: &ICalendarComponent, property: &ICalendarProperty) -> Option<NaiveDateTime> {
    let value = event.property(property)?.values.first()?;
    value.as_partial_date_time()?.to_date_time().map(|time| time.date_time)
}

/// Returns the event by its own clock: without zones, and recurring no further than we look.
fn floating(event: &ICalendarComponent) -> ICalendarComponent {
    let mut event = event.clone();
    // Occurrences are matched by their series, which a SEQUENCE number would split.
    event.entries.retain(|entry| entry.name != ICalendarProperty::Sequence);
    if is_all_day(&event) && time_of(&event, &ICalendarProperty::Dtend) == time_of(&event, &ICalendarProperty::Dtstart)
    {
        event.entries.retain(|entry| entry.name != ICalendarProperty::Dtend);
    }
    for entry in &mut event.entries {
        entry.params.retain(|parameter| parameter.name != ICalendarParameterName::Tzid);
        for value in &mut entry.values {
            match value {
                ICalendarValue::PartialDateTime(time) => without_zone(time),
                ICalendarValue::RecurrenceRule(rule) => bound(rule),
                _ => {}
            }
        }
    }
    event
}

fn is_all_day(event: &ICalendarComponent) -> bool {
    let start = event.property(&ICalendarProperty::Dtstart).and_then(|entry| entry.values.first());
    start.and_then(ICalendarValue::as_partial_date_time).is_some_and(|time| !time.has_time())
}

fn without_zone(time: &mut PartialDateTime) {
    (time.tz_hour, time.tz_minute, time.tz_minus) = (None, None, false);
}

fn bound(rule: &mut ICalendarRecurrenceRule) {
    if let Some(until) = &mut rule.until {
        without_zone(until);
    }
    if rule.until.as_ref().is_none_or(|until| until.year.is_none_or(|year| year > LAST_YEAR)) {
        let (month, day) = (Some(12), Some(31));
        rule.until = Some(PartialDateTime { year: Some(LAST_YEAR), month, day, ..PartialDateTime::default() });
    }
}
