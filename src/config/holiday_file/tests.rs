use super::*;

const UK: &str = include_str!("../../../fixtures/calendars/uk.ics");

fn date(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap()
}

/// A file with one event of these lines.
fn event(lines: &str) -> String {
    format!("BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:1\nSUMMARY:Fair\n{lines}\nEND:VEVENT\nEND:VCALENDAR\n")
}

fn read(lines: &str) -> Result<Vec<String>, String> {
    dates(&event(lines)).map(|dates| dates.iter().map(ToString::to_string).collect())
}

fn good(lines: &str) -> Vec<String> {
    read(lines).unwrap()
}

#[test]
fn a_public_list_of_holidays_is_read() {
    let dates = dates(UK).unwrap();
    let of_2026: Vec<String> = dates
        .iter()
        .filter(|date| date.to_string().starts_with("2026"))
        .map(|date| date.format("%m-%d").to_string())
        .collect();
    assert_eq!(of_2026, ["01-01", "04-03", "04-06", "05-04", "05-25", "08-31", "12-25", "12-26", "12-28"]);
    assert!(dates.contains(&date(2079, 12, 26)), "holidays that recur are known as far as we look ahead");
    assert!(!dates.contains(&date(2080, 1, 1)));
}

#[test]
fn each_kind_of_event_has_one_reading() {
    let cases: [(&str, &str, &[&str]); 13] = [
        ("no end", "DTSTART;VALUE=DATE:20261225", &["2026-12-25"]),
        (
            "an end is not part of it",
            "DTSTART;VALUE=DATE:20261225\nDTEND;VALUE=DATE:20261227",
            &["2026-12-25", "2026-12-26"],
        ),
        ("an end at the start", "DTSTART;VALUE=DATE:20261225\nDTEND;VALUE=DATE:20261225", &["2026-12-25"]),
        ("a duration", "DTSTART;VALUE=DATE:20261225\nDURATION:P2D", &["2026-12-25", "2026-12-26"]),
        ("free time", "DTSTART;VALUE=DATE:20261225\nTRANSP:TRANSPARENT", &["2026-12-25"]),
        ("cancelled", "DTSTART;VALUE=DATE:20261225\nSTATUS:CANCELLED", &[]),
        ("midnight to midnight, UTC", "DTSTART:20261225T000000Z\nDTEND:20261226T000000Z", &["2026-12-25"]),
        (
            "midnight to midnight in a zone nobody knows",
            "DTSTART;TZID=Customized Time Zone:20261225T000000\nDTEND;TZID=Customized Time Zone:20261226T000000",
            &["2026-12-25"],
        ),
        ("only the whole days within", "DTSTART:20261224T120000\nDTEND:20261227T090000", &["2026-12-25", "2026-12-26"]),
        ("no year but its own", "DTSTART;VALUE=DATE:19000101", &["1900-01-01"]),
        ("the last year", "DTSTART;VALUE=DATE:99991230", &["9999-12-30"]),
        ("a few years", "DTSTART;VALUE=DATE:20261225\nRRULE:FREQ=YEARLY;COUNT=2", &["2026-12-25", "2027-12-25"]),
        (
            "further dates, and one taken out",
            "DTSTART;VALUE=DATE:20260105\nRRULE:FREQ=WEEKLY;UNTIL=20260119\nEXDATE;VALUE=DATE:20260112\nRDATE;VALUE=DATE:20260201",
            &["2026-01-05", "2026-01-19", "2026-02-01"],
        ),
    ];
    for (name, lines, expected) in cases {
        assert_eq!(good(lines), expected, "{name}");
    }
}

#[test]
fn a_leap_day_returns_when_there_is_one() {
    assert_eq!(
        good("DTSTART;VALUE=DATE:20240229\nRRULE:FREQ=YEARLY;UNTIL=20330101"),
        ["2024-02-29", "2028-02-29", "2032-02-29"]
    );
}

#[test]
fn a_moved_occurrence_leaves_its_day_open_whatever_its_number() {
    let moved = "DTSTART;VALUE=DATE:20250501\nRRULE:FREQ=YEARLY;COUNT=3\nSEQUENCE:0\nEND:VEVENT\n\
                 BEGIN:VEVENT\nUID:1\nRECURRENCE-ID;VALUE=DATE:20260501\nDTSTART;VALUE=DATE:20260504\nSEQUENCE:2";
    assert_eq!(good(moved), ["2025-05-01", "2026-05-04", "2027-05-01"]);
    let cancelled = moved.replace("SEQUENCE:2", "STATUS:CANCELLED");
    assert_eq!(good(&cancelled), ["2025-05-01", "2027-05-01"]);
}

#[test]
fn two_series_do_not_mix() {
    let other = "DTSTART;VALUE=DATE:20260501\nRRULE:FREQ=YEARLY;COUNT=1\nEND:VEVENT\n\
                 BEGIN:VEVENT\nUID:2\nDTSTART;VALUE=DATE:20260501\nRRULE:FREQ=YEARLY;COUNT=1\nEND:VEVENT\n\
                 BEGIN:VEVENT\nUID:2\nRECURRENCE-ID;VALUE=DATE:20260501\nDTSTART;VALUE=DATE:20260504";
    assert_eq!(good(other), ["2026-05-01", "2026-05-04"]);
}

#[test]
fn what_would_be_guesswork_is_refused_with_its_reason() {
    let cases = [
        ("an afternoon", "DTSTART:20261224T120000\nDTEND:20261224T170000", "covers no whole day"),
        ("a moment", "DTSTART:20261224T000000", "covers no whole day"),
        ("local midnight written in UTC", "DTSTART:20260830T230000Z\nDTEND:20260831T230000Z", "covers no whole day"),
        ("backwards", "DTSTART;VALUE=DATE:20261225\nDTEND;VALUE=DATE:20261220", "covers no whole day"),
        ("no start", "STATUS:CONFIRMED", "makes no sense: missing dtstart"),
        ("no date", "DTSTART;VALUE=DATE:20261345", "has a DTSTART that is not a date"),
        ("no day", "DTSTART;VALUE=DATE:20260230", "has a DTSTART that is not a date"),
        ("no end", "DTSTART;VALUE=DATE:20261225\nDTEND:soon", "has a DTEND that is not a date"),
        ("no length", "DTSTART;VALUE=DATE:20261225\nDURATION:long", "has a DURATION that is not a length"),
        ("over a year", "DTSTART;VALUE=DATE:20260101\nDTEND;VALUE=DATE:20280101", "lasts over a year"),
        ("for ever", "DTSTART;VALUE=DATE:20260101\nDURATION:P999999999W", "year"),
        ("every day", "DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=DAILY", "comes back more than 3000 times"),
        ("every hour", "DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=HOURLY", "recurs within the day"),
        ("another calendar", "DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=YEARLY;RSCALE=CHINESE", "another calendar"),
        ("two rules", "DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=YEARLY\nRRULE:FREQ=YEARLY", "more than one RRULE"),
        (
            "never",
            "DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
            "closes no date before 2080",
        ),
        ("too late", "DTSTART;VALUE=DATE:90000101\nRRULE:FREQ=YEARLY", "begins to recur after 2079"),
    ];
    for (name, lines, rule) in cases {
        let complaint = read(lines).expect_err(name);
        assert!(complaint.starts_with("the event `Fair`") && complaint.contains(rule), "{name}: {complaint}");
    }
}

#[test]
fn a_rule_that_would_be_half_understood_is_refused() {
    let cases = [
        "now and then",
        "COUNT=3",
        "FREQ=YEARLY;INTERVAL=0",
        "FREQ=YEARLY;UNTIL=soon",
        "FREQ=YEARLY;BYMONTH=13",
        "FREQ=YEARLY;BYMONTH=-1",
        "FREQ=MONTHLY;BYMONTHDAY=32",
        "FREQ=MONTHLY;BYDAY=0MO",
        "FREQ=MONTHLY;BYDAY=é",
        "FREQ=SOMETIMES",
        "FREQ=DAILY;BYHOUR=9",
    ];
    for rule in cases {
        let complaint = read(&format!("DTSTART;VALUE=DATE:20260101\nRRULE:{rule}")).expect_err(rule);
        assert!(complaint.starts_with("its rule `RRULE:"), "{rule}: {complaint}");
    }
    let folded = "DTSTART;VALUE=DATE:20260105\nRRULE:FREQ=WEEK\n LY;COU\n NT=2";
    assert_eq!(good(folded), ["2026-01-05", "2026-01-12"]);
}

#[test]
fn a_file_that_is_no_list_of_holidays_is_said_so() {
    let cut = &UK[..UK.len() / 2];
    let cases = [
        ("nothing", "", "has no events"),
        ("prose", "closed at Christmas", "is not an iCalendar file"),
        ("half of it", cut, "is cut short"),
        ("mixed up", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR\nEND:VEVENT\n", "is damaged"),
        ("a contact", "BEGIN:VCARD\nVERSION:4.0\nFN:A\nEND:VCARD\n", "is not an iCalendar file"),
        ("tasks", "BEGIN:VCALENDAR\nBEGIN:VTODO\nUID:1\nEND:VTODO\nEND:VCALENDAR\n", "has no events"),
        ("a web page", "<!DOCTYPE html>\n<html></html>\n", "is not an iCalendar file"),
    ];
    for (name, text, rule) in cases {
        let complaint = dates(text).expect_err(name);
        assert!(complaint.contains(rule), "{name}: {complaint}");
    }
    assert!(dates(&"X".repeat(LARGEST + 1)).unwrap_err().contains("over 1 MB"));
}

#[test]
fn many_faults_are_told_by_the_first_few() {
    let afternoon = |nth: usize| format!("BEGIN:VEVENT\nUID:{nth}\nDTSTART:2026010{nth}T120000\nEND:VEVENT\n");
    let text: String = (1..=5).map(afternoon).collect();
    let complaint = dates(&format!("BEGIN:VCALENDAR\n{text}END:VCALENDAR\n")).unwrap_err();
    assert_eq!(complaint.matches("covers no whole day").count(), 3);
    assert!(complaint.ends_with("; and 2 more"), "{complaint}");
}
