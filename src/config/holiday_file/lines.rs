//! Refuses what the parser would skip in silence: parts that never end, and recurrence rules of which it would keep
//! only what it understands.

use chrono::NaiveDate;

const WEEKDAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

/// Refuses a file that is cut short, and rules that would be misread.
pub fn check(text: &str) -> Result<(), String> {
    // A long line continues after a line end and a blank (RFC 5545, 3.1).
    let unfolded = text.replace("\r\n", "\n").replace("\n ", "").replace("\n\t", "").to_uppercase();
    let mut open = Vec::new();
    for line in unfolded.lines().map(str::trim_end) {
        if let Some(part) = line.strip_prefix("BEGIN:") {
            open.push(part);
        } else if let Some(part) = line.strip_prefix("END:") {
            if open.pop() != Some(part) {
                return Err(format!("it is damaged: `END:{}` has no BEGIN of its own", shortened(part)));
            }
        } else if let Some((_, rule)) = line.split_once(':').filter(|(name, _)| is_rule(name)) {
            check_rule(rule)?;
        }
    }
    match open.last() {
        Some(part) => Err(format!("it is cut short: `BEGIN:{}` has no END", shortened(part))),
        None => Ok(()),
    }
}

fn is_rule(name: &str) -> bool {
    name.split(';').next() == Some("RRULE")
}

fn check_rule(rule: &str) -> Result<(), String> {
    let parts = rule.split(';').filter(|part| !part.is_empty());
    let sound = |part: &str| part.split_once('=').is_some_and(|(key, value)| is_sound(key, value));
    if let Some(part) = parts.clone().find(|part| !sound(part)) {
        return Err(format!("its rule `RRULE:{}` makes no sense at `{}`", shortened(rule), shortened(part)));
    }
    if !parts.clone().any(|part| part.starts_with("FREQ=")) {
        return Err(format!("its rule `RRULE:{}` has no FREQ", shortened(rule)));
    }
    Ok(())
}

fn is_sound(key: &str, value: &str) -> bool {
    let numbers = |most: i32| value.split(',').all(|number| is_within(number, most));
    match key {
        "FREQ" => ["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"].contains(&value),
        "INTERVAL" | "COUNT" => value.parse::<u16>().is_ok_and(|number| number > 0),
        "UNTIL" => value.get(..8).is_some_and(|date| NaiveDate::parse_from_str(date, "%Y%m%d").is_ok()),
        "BYMONTH" => !value.contains('-') && numbers(12),
        "BYMONTHDAY" => numbers(31),
        "BYWEEKNO" => numbers(53),
        "BYYEARDAY" | "BYSETPOS" => numbers(366),
        "BYDAY" => value.split(',').all(is_weekday),
        "WKST" => WEEKDAYS.contains(&value),
        // Refused later with reasons of their own, when the event is known.
        "RSCALE" | "SKIP" => true,
        _ => false,
    }
}

fn is_within(number: &str, most: i32) -> bool {
    number.parse::<i32>().is_ok_and(|number| number != 0 && (-most..=most).contains(&number))
}

/// `MO`, or `-1MO` for the last Monday.
fn is_weekday(text: &str) -> bool {
    let Some(at) = text.len().checked_sub(2).filter(|at| text.is_char_boundary(*at)) else { return false };
    let (nth, day) = text.split_at(at);
    WEEKDAYS.contains(&day) && (nth.is_empty() || is_within(nth, 53))
}

fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(60).collect()
}
