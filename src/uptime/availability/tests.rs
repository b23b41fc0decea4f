use proptest::prelude::*;

use super::*;
use crate::sla::calendar::CalendarSpec;
use crate::uptime::spans::Timeline;
use crate::uptime::{DAY, MINUTE, SECOND};

const EVERYTHING: Millis = i64::MAX / 4;

fn span(from: Millis, until: Millis, condition: Condition) -> Span {
    Span { from, until: Some(until), condition }
}

fn month() -> Terms {
    Terms::usual(99_900, Tz::UTC)
}

/// 30 days from 1 April 2026.
const APRIL: Interval = (1_775_001_600_000, 1_775_001_600_000 + 30 * DAY);

fn april(spans: &[Span], windows: &[Window], terms: &Terms) -> Figure {
    figure(&Record { spans, windows, slow: &[], since: 0, ended: None }, terms, APRIL, EVERYTHING)
}

/// Up for all of April except an outage, in hours from its beginning.
fn with_outage(from: i64, until: i64) -> Vec<Span> {
    let at = |hour: i64| APRIL.0 + hour * HOUR;
    vec![
        span(APRIL.0, at(from), Condition::Up),
        span(at(from), at(until), Condition::Down),
        span(at(until), APRIL.1, Condition::Up),
    ]
}

fn window(from: i64, until: i64) -> Window {
    Window { from: APRIL.0 + from * HOUR, until: APRIL.0 + until * HOUR, announced_at: 0 }
}

#[test]
fn an_outage_before_in_and_after_maintenance_counts_without_it_and_once() {
    let down = with_outage(10, 20);
    let cases = [
        ("no maintenance", vec![], 10, 0),
        ("apart", vec![window(30, 34)], 10, 4),
        ("over its end", vec![window(18, 22)], 8, 4),
        ("within it", vec![window(12, 14)], 8, 2),
        ("around it", vec![window(9, 17)], 3, 8),
        ("two that overlap", vec![window(12, 15), window(13, 16)], 6, 4),
        ("more than eight hours", vec![window(8, 12), window(14, 19)], 4, 8),
        ("entered too late", vec![Window { announced_at: APRIL.0 + 11 * HOUR, ..window(12, 14) }], 10, 0),
    ];
    for (name, windows, lost, left_out) in cases {
        let found = april(&down, &windows, &month());
        assert_eq!((found.lost / HOUR, found.maintenance / HOUR), (lost, left_out), "{name}");
        assert_eq!(found.counted, 30 * DAY - found.maintenance, "{name}");
    }
}

#[test]
fn work_that_would_not_count_anyway_uses_up_no_maintenance_of_its_month() {
    let terms = Terms { hours: Some(office()), ..month() };
    // The office is open from 11:00 to 15:00 and from 20:00 to 02:00 UTC.
    let (closed, open) = (window(3, 11), window(35, 39));
    let down = with_outage(35, 39);
    let found = april(&down, &[closed, open], &terms);
    assert_eq!((found.lost, found.maintenance), (0, 4 * HOUR), "the hours were closed");
    let found = april(&down, &[window(14, 28), open], &terms);
    assert_eq!((found.lost, found.maintenance), (3 * HOUR, 8 * HOUR), "seven of its fourteen hours were open");
    let since = APRIL.0 + 20 * HOUR;
    let record = Record { spans: &down, windows: &[window(2, 10), open], slow: &[], since, ended: None };
    assert_eq!(figure(&record, &month(), APRIL, EVERYTHING).lost, 0, "nobody watched it yet");
}

#[test]
fn what_nobody_measured_is_left_out_or_counts_as_was_agreed() {
    let half = [span(APRIL.0, APRIL.0 + 15 * DAY, Condition::Up)];
    let terms = |unknown| Terms { unknown, ..month() };
    let excluded = april(&half, &[], &terms(UnknownTime::Exclude));
    assert_eq!((excluded.counted, excluded.lost, excluded.unknown), (15 * DAY, 0, 15 * DAY));
    assert!(!excluded.is_conclusive(&month()), "half of it was measured");
    assert_eq!(april(&half, &[], &terms(UnknownTime::Up)).availability(), Some(100_000));
    assert_eq!(april(&half, &[], &terms(UnknownTime::Down)).availability(), Some(50_000));
    let nothing = april(&[], &[], &month());
    assert_eq!((nothing.availability(), nothing.is_kept(&month())), (None, None), "nothing is not perfect");
    assert!(!nothing.is_conclusive(&month()));
}

#[test]
fn a_figure_is_cut_off_and_never_rounded_up() {
    let almost = april(&with_outage(0, 0), &[], &month());
    assert_eq!(almost.availability(), Some(100_000));
    let one = [span(APRIL.0, APRIL.0 + 1, Condition::Down), span(APRIL.0 + 1, APRIL.1, Condition::Up)];
    assert_eq!(april(&one, &[], &month()).availability(), Some(99_999));
    assert_eq!([percent(99_999), percent(99_950), percent(100_000), percent(5)], ["99.999", "99.95", "100", "0.005"]);
}

#[test]
fn a_component_that_came_mid_month_or_went_is_judged_on_its_own_time() {
    let spans = [span(APRIL.0 + 10 * DAY, APRIL.0 + 20 * DAY, Condition::Up)];
    let record =
        Record { spans: &spans, windows: &[], slow: &[], since: APRIL.0 + 10 * DAY, ended: Some(APRIL.0 + 20 * DAY) };
    let found = figure(&record, &month(), APRIL, EVERYTHING);
    assert_eq!((found.counted, found.unknown), (10 * DAY, 0));
    assert_eq!(whole_period(&record, &month(), APRIL), 10 * DAY);
}

#[test]
fn a_partial_outage_weighs_what_was_agreed_and_minutes_are_whole_if_so_agreed() {
    let mut line = Timeline::default();
    line.set(APRIL.0, Condition::Degraded);
    line.set(APRIL.0 + 10 * HOUR, Condition::Down);
    line.set(APRIL.0 + 10 * HOUR + 90 * SECOND, Condition::Up);
    let found = april(line.spans(), &[], &Terms { partial: 300, ..month() });
    assert_eq!(found.lost, 3 * HOUR + 90 * SECOND);
    let found = april(line.spans(), &[], &Terms { whole_minutes: true, ..month() });
    assert_eq!((found.lost, found.down), (MINUTE, 90 * SECOND));
}

#[test]
fn time_that_is_degraded_but_no_partial_outage_is_not_lost() {
    let spans = [span(APRIL.0, APRIL.1, Condition::Degraded)];
    let terms = Terms { partial: 1000, ..month() };
    let slow = [(APRIL.0 + HOUR, Millis::MAX)];
    let record = Record { spans: &spans, windows: &[], slow: &slow, since: 0, ended: None };
    let found = figure(&record, &terms, APRIL, EVERYTHING);
    assert_eq!((found.lost, found.degraded), (HOUR, 30 * DAY));
}

#[test]
fn the_budget_of_a_month_is_that_of_the_real_month() {
    let record = Record { spans: &[], windows: &[], slow: &[], since: 0, ended: None };
    let february = Period::Month.around(Tz::UTC, 1_771_000_000_000);
    assert_eq!(allowed(&month(), whole_period(&record, &month(), february)), 40 * MINUTE + 19 * SECOND + 200);
    assert_eq!(allowed(&month(), whole_period(&record, &month(), APRIL)), 43 * MINUTE + 12 * SECOND);
}

/// Two days in Berlin, of which the second has 23 hours.
const BEGIN: Millis = 1_774_652_400_000;
const LENGTH: i64 = 47 * 3600;

fn office() -> Arc<Calendar> {
    let spec = CalendarSpec {
        name: "office".into(),
        timezone: Tz::named("Europe/Berlin"),
        always: false,
        week: std::array::from_fn(|_| vec![(13 * 60, 17 * 60), (22 * 60, 4 * 60)]),
        ..CalendarSpec::round_the_clock()
    };
    Arc::new(Calendar::compile(spec).unwrap())
}

fn conditions() -> impl Strategy<Value = Vec<(i64, Condition)>> {
    prop::collection::vec((0..LENGTH, prop::sample::select(&Condition::ALL[..])), 0..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_figure_agrees_with_a_bitmap_of_seconds(
        changes in conditions(),
        windows in prop::collection::vec((0..LENGTH, 0i64..20_000), 0..5),
        hours in any::<bool>(),
        a_month in prop::sample::select(vec![EVERYTHING, 3 * HOUR, 0]),
        since in 0..LENGTH / 2,
        now in LENGTH / 2..LENGTH + 100,
        unknown in prop::sample::select(&[UnknownTime::Exclude, UnknownTime::Up, UnknownTime::Down][..]),
    ) {
        let at = |second: i64| BEGIN + second * SECOND;
        let mut changes = changes;
        changes.sort_by_key(|change| change.0);
        let mut line = Timeline::default();
        for (second, condition) in &changes {
            line.set(at(*second), *condition);
        }
        let windows: Vec<_> = windows.into_iter()
            .map(|(from, length)| Window { from: at(from), until: at(from + length), announced_at: 0 })
            .collect();
        let calendar = hours.then(office);
        let terms = Terms { hours: calendar.clone(), maintenance: Some(a_month), unknown, ..month() };
        let record = Record { spans: line.spans(), windows: &windows, slow: &[], since: at(since), ended: None };
        let found = figure(&record, &terms, (at(0), at(LENGTH)), at(now));

        let mut expected = Figure::default();
        for second in since..now.min(LENGTH) {
            let moment = at(second);
            if calendar.as_ref().is_some_and(|calendar| !calendar.is_open(instant(moment))) {
                continue;
            }
            let is_worked_on = windows.iter().any(|window| window.from <= moment && moment < window.until);
            if is_worked_on && expected.maintenance < a_month {
                expected.maintenance += SECOND;
                continue;
            }
            let condition = line.at(moment);
            let is_counted = condition != Condition::Unknown || unknown != UnknownTime::Exclude;
            let is_lost = condition == Condition::Down
                || condition == Condition::Unknown && unknown == UnknownTime::Down;
            expected.counted += if is_counted { SECOND } else { 0 };
            expected.lost += if is_lost { SECOND } else { 0 };
            match condition {
                Condition::Down => expected.down += SECOND,
                Condition::Degraded => expected.degraded += SECOND,
                Condition::Unknown => expected.unknown += SECOND,
                Condition::Up => {}
            }
        }
        prop_assert_eq!(Figure { outages: 0, ..found }, expected);
    }
}
