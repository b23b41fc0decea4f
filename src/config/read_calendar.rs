//! `[calendars.*]` and `[holiday_lists.*]`: when working time counts.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, NaiveDate};

use crate::sla::calendar::CalendarSpec;
use crate::sla::zone::{self, Tz};

use super::complaint::why_unreadable;
use super::holiday_file;
use super::reader::{Found, Section, nearest};

/// Monday first, as in [`CalendarSpec::week`].
pub(super) const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const DAY: u16 = 24 * 60;
const WEEK: u32 = 7 * DAY as u32;

/// The lists by the names SuperOps gives them.
pub(super) type HolidayLists = BTreeMap<String, Vec<NaiveDate>>;

type Window = (u16, u16);

pub(super) fn holiday_list(name: &Found<'_, &str>, section: Section<'_>) -> (String, Vec<NaiveDate>) {
    if !section.has("dates") && !section.has("files") {
        section.wrong(format!("`dates` or `files` is needed: without dates the list `{}` closes nothing", name.value));
    }
    let dates = section.dates("dates").unwrap_or_default();
    let mut dates: BTreeSet<NaiveDate> =
        dates.into_iter().filter_map(|found| found.read(|text| full_date(text))).collect();
    dates.extend(dates_of_files(&section, "files"));
    section.finish();
    (name.value.to_owned(), dates.into_iter().collect())
}

pub(super) fn calendar(name: &Found<'_, &str>, section: Section<'_>, lists: &HolidayLists) -> Option<CalendarSpec> {
    let timezone = section
        .needed_text("timezone", ": 09:00 means the office's nine o'clock")
        .and_then(|t| t.read(|text| zone(text)));
    let always = section.flag("always").is_some_and(|found| found.value);
    let (week, written) = week(&section);
    check_openness(&section, name.value, always, written);
    let (holidays, yearly) = holidays(&section, lists);
    section.finish();
    let week = if always { Default::default() } else { week };
    Some(CalendarSpec { name: name.value.to_owned(), timezone: timezone?, always, week, holidays, yearly })
}

pub(super) fn zone(text: &str) -> Result<Tz, String> {
    text.parse().map_err(|_| {
        let hint = nearest(text, zone::names().iter().map(String::as_str));
        format!("must be a zone of the IANA time zone database, such as \"Europe/London\", not `{text}`{hint}")
    })
}

/// Refuses a calendar that never opens: every ticket would wait for ever.
fn check_openness(section: &Section<'_>, name: &str, always: bool, written: usize) {
    if always {
        for day in DAYS {
            section.clash(day, "clashes with `always = true`: keep the hours or `always`");
        }
    } else if written == 0 && !section.may_be_set("always") {
        section.wrong(no_open_hours(name));
    }
}

fn no_open_hours(name: &str) -> String {
    format!(
        "the calendar `{name}` has no open hours, so nothing counted in it would ever be due: \
             give hours for a day, or `always = true`"
    )
}

/// Reads all seven days, then looks for windows that overlap, also over midnight and from Sunday to Monday.
/// Also returns how many windows were written, right or wrong.
pub(super) fn week(section: &Section<'_>) -> ([Vec<Window>; 7], usize) {
    let mut week: [Vec<Window>; 7] = Default::default();
    let mut written = 0;
    let mut seen: Vec<(u32, u32, Found<'_, &str>)> = Vec::new();
    for (day, key) in (0u32..).zip(DAYS) {
        written += section.count(key);
        for found in section.texts(key).unwrap_or_default() {
            if let Some((start, end)) = found.clone().read(|text| window(text)) {
                let length = if end > start { end - start } else { DAY - start + end };
                let from = day * u32::from(DAY) + u32::from(start);
                seen.push((from, from + u32::from(length), found));
                week[day as usize].push((start, end));
            }
        }
    }
    check_overlaps(&seen);
    week.iter_mut().for_each(|windows| windows.sort_unstable());
    (week, written)
}

fn check_overlaps(seen: &[(u32, u32, Found<'_, &str>)]) {
    for (index, (from, to, found)) in seen.iter().enumerate() {
        let overlaps = |(a, b, _): &&(u32, u32, Found<'_, &str>)| {
            [0, WEEK].iter().any(|turn| (*from < b + turn && a + turn < *to) || (*a < to + turn && from + turn < *b))
        };
        if let Some((.., other)) = seen[..index].iter().find(overlaps) {
            found.wrong(format!(
                "window `{}` overlaps `{}` of `{}`: the same minute would count twice",
                found.value, other.value, other.key
            ));
        }
    }
}

/// `09:00-17:30`; an end before the start is an overnight shift.
fn window(text: &str) -> Result<Window, String> {
    let form = "must hold windows such as \"09:00-17:30\", from 00:00 to 24:00";
    let (start, end) = text.split_once('-').ok_or(form)?;
    let (start, end) = (minute_of_day(start.trim()).ok_or(form)?, minute_of_day(end.trim()).ok_or(form)?);
    match (start, end) {
        (DAY, _) => Err("has a window that starts at 24:00: write it as 00:00 of the next day".to_owned()),
        (start, end) if start == end => Err(format!("window `{text}` is empty; a whole day is \"00:00-24:00\"")),
        (start, 0) => Ok((start, DAY)),
        window => Ok(window),
    }
}

pub(super) fn minute_of_day(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hour) || !digits(minute) {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= DAY).then_some(total)
}

/// Reads a calendar's own dates, those of the files and lists it names, and days that return every year.
fn holidays(section: &Section<'_>, lists: &HolidayLists) -> (BTreeSet<NaiveDate>, BTreeSet<(u32, u32)>) {
    let (mut dates, mut yearly) = (BTreeSet::new(), BTreeSet::new());
    for found in section.dates("holidays").unwrap_or_default() {
        match found.read(|text| holiday(text)) {
            Some(Holiday::Once(date)) => drop(dates.insert(date)),
            Some(Holiday::Yearly(month, day)) => drop(yearly.insert((month, day))),
            None => {}
        }
    }
    dates.extend(dates_of_files(section, "holiday_files"));
    for found in section.texts("holiday_lists").unwrap_or_default() {
        dates.extend(found.read(|name| known_list(name, lists)).into_iter().flatten());
    }
    (dates, yearly)
}

/// Reads the dates that the `.ics` files under `key` close.
fn dates_of_files(section: &Section<'_>, key: &'static str) -> BTreeSet<NaiveDate> {
    let read = |found: Found<'_, &str>| {
        let inspection = found.inspection();
        found.read(|name| {
            let content = inspection.read_beside(name);
            let text = content.map_err(|error| format!("names `{name}`: {}", why_unreadable(error.kind())))?;
            holiday_file::dates(&text).map_err(|rule| format!("names `{name}`: {rule}"))
        })
    };
    section.texts(key).unwrap_or_default().into_iter().filter_map(read).flatten().collect()
}

fn known_list<'l>(name: &str, lists: &'l HolidayLists) -> Result<&'l [NaiveDate], String> {
    lists.get(name).map(Vec::as_slice).ok_or_else(|| {
        let hint = nearest(name, lists.keys().map(String::as_str));
        format!("names the list `{name}`, but there is no [holiday_lists.\"{name}\"] with its dates{hint}")
    })
}

enum Holiday {
    Once(NaiveDate),
    Yearly(u32, u32),
}

fn holiday(text: &str) -> Result<Holiday, String> {
    if let Ok(date) = full_date(text) {
        return Ok(Holiday::Once(date));
    }
    // A leap year, so that 29 February may be a holiday in years that have one.
    let rule = "must hold dates such as \"2026-12-25\", or \"12-25\" for every year";
    let date = full_date(&format!("2024-{text}")).map_err(|_| format!("{rule}, not `{text}`"))?;
    Ok(Holiday::Yearly(date.month(), date.day()))
}

fn full_date(text: &str) -> Result<NaiveDate, String> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .map_err(|_| format!("must hold dates such as \"2026-12-25\", not `{text}`"))
}
