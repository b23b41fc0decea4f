//! A rotation as a calendar from this week's Monday: who is on call on each day, and when nobody is.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeZone, Utc};
use maud::{Markup, html};

use crate::service::on_call::Calendar;
use crate::sla::zone::Tz;

/// The number of days shown, from a Monday on.
const DAYS: u64 = 21;

/// A part of a day: from, until, and who is on call; `None` if nobody is.
struct Part<'r> {
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    who: Option<&'r str>,
    stands_in: bool,
}

/// Renders the `known` calendar around `now`, for reading only: it has no links.
pub fn calendar(known: &Calendar, zone: Tz, now: DateTime<Utc>) -> Markup {
    let today = now.with_timezone(&zone).date_naive();
    let monday = today - Days::new(u64::from(today.weekday().num_days_from_monday()));
    let days: Vec<_> = (0..DAYS).map(|number| monday + Days::new(number)).collect();
    html! {
        div.scroll { table.calendar {
            caption { "Who is on call, in " (zone.name()) }
            thead { tr { @for day in &days[..7] { th scope="col" { (day.format("%a")) } } } }
            tbody { @for week in days.chunks(7) { tr {
                @for day in week { (cell(known, *day, today, zone)) }
            } } }
        } }
    }
}

fn cell(known: &Calendar, day: NaiveDate, today: NaiveDate, zone: Tz) -> Markup {
    let (begin, end) = (midnight(day, zone), midnight(day + Days::new(1), zone));
    let time = |at: DateTime<Utc>| at.with_timezone(&zone).format("%H:%M").to_string();
    let until = |at: DateTime<Utc>| if at >= end { "24:00".to_owned() } else { time(at) };
    html! {
        td class=[(day == today).then_some("today")] aria-current=[(day == today).then_some("date")] {
            b { (day.format("%-d %b")) }
            @for part in parts(known, begin, end) {
                p class=[part.who.is_none().then_some("gap")] {
                    @if part.from > begin || part.until < end { (time(part.from)) "–" (until(part.until)) " " }
                    @match part.who {
                        Some(who) => { (who) @if part.stands_in { " (stands in)" } }
                        None => "! nobody",
                    }
                }
            }
        }
    }
}

/// Returns the shifts and gaps between `begin` and `end`, in order.
fn parts(known: &Calendar, begin: DateTime<Utc>, end: DateTime<Utc>) -> Vec<Part<'_>> {
    let shifts = known.shifts.iter().map(|shift| Part {
        from: shift.from,
        until: shift.until,
        who: Some(shift.name.as_deref().unwrap_or(&shift.person)),
        stands_in: shift.override_id.is_some(),
    });
    let gaps = known.gaps.iter().map(|gap| Part { from: gap.from, until: gap.until, who: None, stands_in: false });
    let within = shifts.chain(gaps).filter(|part| part.until > begin && part.from < end);
    let mut parts: Vec<_> =
        within.map(|part| Part { from: part.from.max(begin), until: part.until.min(end), ..part }).collect();
    parts.sort_by_key(|part| part.from);
    parts
}

/// Returns the start of a day; where midnight is skipped, an hour later.
fn midnight(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    let at =
        |hour| NaiveTime::from_hms_opt(hour, 0, 0).map(|time| zone.from_local_datetime(&day.and_time(time)).earliest());
    let found = at(0).flatten().or_else(|| at(1).flatten());
    found.map_or_else(|| day.and_time(NaiveTime::MIN).and_utc(), |local| local.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::on_call::{GapView, ShiftView};

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_says_who_is_on_call_and_when_nobody_is() {
        let shift = |person: &str, from, until| ShiftView {
            person: person.to_owned(),
            name: None,
            from: at(from),
            until: at(until),
            layer: Some(1),
            override_id: None,
        };
        let known = Calendar {
            shifts: vec![shift("Ann", "2026-11-23T09:00:00Z", "2026-11-23T17:00:00Z")],
            gaps: vec![GapView { from: at("2026-11-23T17:00:00Z"), until: at("2026-11-24T09:00:00Z") }],
        };
        let html = calendar(&known, Tz::named("Europe/London"), at("2026-11-23T10:00:00Z")).into_string();
        assert!(html.contains("09:00–17:00 Ann"), "{html}");
        assert!(html.contains("17:00–24:00 ! nobody") && html.contains("00:00–09:00 ! nobody"), "{html}");
        assert!(html.contains("<td class=\"today\" aria-current=\"date\"><b>23 Nov</b>"), "{html}");
        assert_eq!(html.matches("<td").count(), 21);
    }

    #[test]
    fn a_day_begins_where_the_clocks_say_so() {
        let day = |text: &str| midnight(text.parse().unwrap(), Tz::named("Africa/Cairo"));
        assert_eq!(day("2026-04-24"), at("2026-04-23T22:00:00Z"), "midnight is skipped there");
    }
}
