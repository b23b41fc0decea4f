//! What a calendar must answer: shared cases, rules of our own, and laws that hold for all calendars.

use std::path::Path;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

/// One case of a file in the format of `fixtures/calendars/cases.json`.
#[derive(Deserialize)]
struct Case {
    id: String,
    timezone: Tz,
    weekly_hours: std::collections::BTreeMap<String, Vec<(String, String)>>,
    holidays: BTreeSet<NaiveDate>,
    op: String,
    from: DateTime<Utc>,
    to: Option<DateTime<Utc>>,
    /// The amount to add, in minutes; `seconds`, if given, is the same amount to the second.
    #[serde(default)]
    minutes: f64,
    seconds: Option<i64>,
    expected: serde_json::Value,
}

fn minutes(text: &str) -> u16 {
    let (hours, minutes) = text.split_once(':').expect("HH:MM");
    hours.parse::<u16>().unwrap() * 60 + minutes.parse::<u16>().unwrap()
}

impl Case {
    fn calendar(&self) -> Result<Calendar, CalendarError> {
        let mut week: [Vec<(u16, u16)>; 7] = Default::default();
        for (day, windows) in &self.weekly_hours {
            let index = day.parse::<chrono::Weekday>().unwrap().num_days_from_monday() as usize;
            week[index] = windows.iter().map(|(start, end)| (minutes(start), minutes(end))).collect();
        }
        Calendar::compile(CalendarSpec {
            name: self.id.clone(),
            timezone: self.timezone,
            always: false,
            week,
            holidays: self.holidays.clone(),
            yearly: BTreeSet::new(),
        })
    }

    /// Returns what is wrong with our answer, if anything.
    fn complaint(&self) -> Option<String> {
        let calendar = match self.calendar() {
            Ok(calendar) => calendar,
            Err(error) => return Some(format!("{}: {error}", self.id)),
        };
        let (got, wanted) = if self.op == "add_business_minutes" {
            let wanted: DateTime<Utc> = self.expected.as_str().unwrap().parse().unwrap();
            let amount = TimeDelta::seconds(self.seconds.unwrap_or((self.minutes * 60.0).round() as i64));
            (format!("{:?}", calendar.add(self.from, amount)), format!("{:?}", Some(wanted)))
        } else {
            let mut counted = calendar.between(self.from, self.to.unwrap());
            if self.expected == 0 {
                // Some libraries answer zero if the end comes first; we give a negative answer.
                counted = counted.max(TimeDelta::zero());
            }
            (
                format!("{}", counted.num_milliseconds() as f64 / 60_000.0),
                format!("{}", self.expected.as_f64().unwrap()),
            )
        };
        (got != wanted).then(|| format!("{}: {got}, not {wanted}", self.id))
    }
}

fn complaints(file: &Path) -> Vec<String> {
    let cases: Vec<Case> = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert!(!cases.is_empty(), "{} holds no case", file.display());
    cases.iter().filter_map(Case::complaint).collect()
}

#[test]
fn every_case_of_our_own_is_answered() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/calendars/cases.json");
    assert_eq!(complaints(&file), Vec::<String>::new());
}

/// `CALENDAR_CASES=a.json:b.json cargo test cases` tries further files of the same format.
#[test]
fn every_case_of_further_files_is_answered() {
    let Some(files) = std::env::var_os("CALENDAR_CASES") else { return };
    for file in std::env::split_paths(&files) {
        let complaints = complaints(&file);
        assert!(complaints.is_empty(), "{}: {:#?}", file.display(), complaints);
    }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn office(zone: Tz) -> CalendarSpec {
    let mut week: [Vec<(u16, u16)>; 7] = Default::default();
    week[..5].fill(vec![(540, 750), (780, 1050)]);
    CalendarSpec { name: "office".into(), timezone: zone, always: false, week, ..CalendarSpec::round_the_clock() }
}

#[test]
fn a_due_time_in_closed_hours_cannot_come_from_this_calendar() {
    let calendar = Calendar::compile(office(Tz::UTC)).unwrap();
    let cases = [
        ("2026-11-20T12:00:00Z", true, "inside a window"),
        ("2026-11-20T12:30:00Z", true, "at closing time"),
        ("2026-11-20T13:00:00Z", true, "at opening time"),
        ("2026-11-20T12:45:00Z", false, "in the lunch break"),
        ("2026-11-21T12:00:00Z", false, "on a Saturday"),
    ];
    for (due, possible, name) in cases {
        assert_eq!(calendar.can_fall_due(at(due)), possible, "{name}");
    }
}

#[test]
fn a_window_over_new_year_is_one_window() {
    let mut spec = office(Tz::UTC);
    spec.week = std::array::from_fn(|_| vec![(1320, 360)]);
    let calendar = Calendar::compile(spec).unwrap();
    assert_eq!(calendar.closing_from(at("2026-12-31T23:00:00Z")), Some(at("2027-01-01T06:00:00Z")));
    assert!(calendar.is_open(at("2027-01-01T00:00:00Z")));
}

#[test]
fn years_far_away_are_answered_too() {
    let calendar = Calendar::compile(office(Tz::named("Europe/London"))).unwrap();
    for year in [1900, 1950, 2150, 9998] {
        let monday = NaiveDate::from_isoywd_opt(year, 10, chrono::Weekday::Mon).unwrap();
        let week = calendar.between(
            monday.and_hms_opt(0, 0, 0).unwrap().and_utc(),
            (monday + Days::new(7)).and_hms_opt(0, 0, 0).unwrap().and_utc(),
        );
        assert_eq!(week, TimeDelta::hours(40), "{year}");
    }
    assert_eq!(calendar.add(at("9999-12-31T00:00:00Z"), TimeDelta::days(30)), None, "not before the year 10000");
}

fn zones() -> impl Strategy<Value = Tz> {
    prop::sample::select(vec![
        Tz::UTC,
        Tz::named("Europe/London"),
        Tz::named("America/New_York"),
        Tz::named("Australia/Lord_Howe"),
        Tz::named("Pacific/Apia"),
        Tz::named("America/Sao_Paulo"),
        Tz::named("Asia/Kathmandu"),
        Tz::named("America/St_Johns"),
    ])
}

fn calendars() -> impl Strategy<Value = Calendar> {
    let window = (0u16..1440, 1u16..=1440);
    let week = prop::collection::vec(prop::collection::vec(window, 0..3), 7);
    (zones(), week, prop::collection::btree_set(0u64..4000, 0..20)).prop_filter_map(
        "never open",
        |(zone, week, days)| {
            let windows = |day: &Vec<(u16, u16)>| day.iter().copied().filter(|(start, end)| start != end).collect();
            let base = NaiveDate::from_ymd_opt(2010, 1, 1)?;
            Calendar::compile(CalendarSpec {
                name: "any".into(),
                timezone: zone,
                always: false,
                week: std::array::from_fn(|day| windows(&week[day])),
                holidays: days.into_iter().map(|day| base + Days::new(day)).collect(),
                yearly: BTreeSet::from([(12, 25)]),
            })
            .ok()
        },
    )
}

fn instants() -> impl Strategy<Value = DateTime<Utc>> {
    (1_262_304_000_000_i64..1_608_000_000_000).prop_map(|millis| DateTime::from_timestamp_millis(millis).unwrap())
}

proptest! {
    #[test]
    fn time_adds_up(calendar in calendars(), a in instants(), b in instants(), c in instants()) {
        prop_assert_eq!(calendar.between(a, b) + calendar.between(b, c), calendar.between(a, c));
    }

    #[test]
    fn adding_and_measuring_are_inverse(calendar in calendars(), from in instants(), minutes in 1i64..20_000) {
        let amount = TimeDelta::minutes(minutes);
        let due = calendar.add(from, amount).unwrap();
        prop_assert_eq!(calendar.between(from, due), amount);
        let before = due - TimeDelta::milliseconds(1);
        prop_assert!(calendar.between(from, before) < amount, "due is the earliest such instant");
        prop_assert!(calendar.can_fall_due(due));
    }

    #[test]
    fn more_time_is_never_due_earlier(calendar in calendars(), from in instants(), a in 0i64..9_000, b in 0i64..9_000) {
        let (less, more) = (a.min(b), a.max(b));
        prop_assert!(calendar.add(from, TimeDelta::minutes(less)) <= calendar.add(from, TimeDelta::minutes(more)));
    }

    #[test]
    fn never_more_than_wall_time(calendar in calendars(), a in instants(), b in instants()) {
        prop_assert!(calendar.between(a.min(b), a.max(b)) <= (b - a).abs());
    }

    #[test]
    fn always_open_is_wall_time(zone in zones(), a in instants(), b in instants()) {
        let spec = CalendarSpec { timezone: zone, ..CalendarSpec::round_the_clock() };
        // A holiday long ago keeps the calendar from answering by plain subtraction.
        let spec = CalendarSpec { holidays: BTreeSet::from([NaiveDate::from_ymd_opt(1995, 1, 1).unwrap()]), ..spec };
        let calendar = Calendar::compile(spec).unwrap();
        prop_assert_eq!(calendar.between(a, b), b - a);
    }

    #[test]
    fn the_zone_moves_with_the_instants(a in instants(), b in instants()) {
        // Karachi has kept +05:00 since 2010: its office hours are UTC's, five hours earlier.
        let here = Calendar::compile(office(Tz::UTC)).unwrap();
        let there = Calendar::compile(office(Tz::named("Asia/Karachi"))).unwrap();
        let shift = TimeDelta::hours(5);
        prop_assert_eq!(here.between(a, b), there.between(a - shift, b - shift));
    }
}
