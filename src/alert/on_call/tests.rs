//! Who is on call, through handovers, layers, overrides and changes of the clocks.

use proptest::prelude::*;

use super::*;
use crate::sla::calendar::CalendarSpec;

fn utc(text: &str) -> DateTime<Utc> {
    format!("{text}:00Z").parse().unwrap()
}

fn local(text: &str) -> NaiveDateTime {
    format!("{text}:00").parse().unwrap()
}

fn layer(people: &[&str], starts: &str, hours_a_turn: u32) -> Layer {
    let people = people.iter().map(|name| Person::parse(name)).collect();
    Layer { people, starts: local(starts), hours_a_turn, hours: None }
}

/// Monday to Friday, 09:00 to 17:00.
fn in_office_hours(layer: Layer) -> Layer {
    let mut spec =
        CalendarSpec { timezone: Tz::named("Europe/London"), always: false, ..CalendarSpec::round_the_clock() };
    spec.week[..5].fill(vec![(9 * 60, 17 * 60)]);
    Layer { hours: Some(Arc::new(Calendar::compile(spec).unwrap())), ..layer }
}

fn rotation(layers: Vec<Layer>) -> Rotation {
    Rotation { name: "main".to_owned(), tenant: None, timezone: Tz::named("Europe/London"), layers }
}

fn stand_in(id: &str, person: &str, from: &str, until: &str) -> Override {
    let rotation = "main".to_owned();
    Override { id: id.to_owned(), rotation, person: Person::parse(person), from: utc(from), until: utc(until) }
}

/// Returns a shift as `person from until layer`.
fn words(shift: &Shift) -> String {
    let time = |at: DateTime<Utc>| at.format("%m-%d %H:%M").to_string();
    let by = match &shift.by {
        By::Layer(index) => format!("layer {index}"),
        By::Override(id) => format!("override {id}"),
    };
    format!("{} {} {} {by}", shift.person.text(), time(shift.from), time(shift.until))
}

fn who(rotation: &Rotation, overrides: &[Override], now: &str) -> String {
    rotation.who(overrides, utc(now)).map_or("nobody".to_owned(), |shift| words(&shift))
}

const WEEK: u32 = 7 * 24;

#[test]
fn people_take_turns_from_the_start_on() {
    let weekly = rotation(vec![layer(&["ann", "bob"], "2026-11-02T09:00", WEEK)]);
    let cases = [
        ("before the first turn", "2026-11-02T08:59", "nobody"),
        ("the first moment", "2026-11-02T09:00", "ann 11-02 09:00 11-09 09:00 layer 0"),
        ("the last minute", "2026-11-09T08:59", "ann 11-02 09:00 11-09 09:00 layer 0"),
        ("the handover", "2026-11-09T09:00", "bob 11-09 09:00 11-16 09:00 layer 0"),
        ("round again", "2026-11-20T00:00", "ann 11-16 09:00 11-23 09:00 layer 0"),
    ];
    for (name, now, expected) in cases {
        assert_eq!(who(&weekly, &[], now), expected, "{name}");
    }
}

#[test]
fn handovers_stay_at_the_local_hour_when_the_clocks_change() {
    // British clocks went forward on 29 March and go back on 25 October 2026, both at 01:00 UTC.
    let cases = [
        (
            "a week that loses an hour",
            "2026-03-23T09:00",
            WEEK,
            "2026-03-25T12:00",
            "ann 03-23 09:00 03-30 08:00 layer 0",
        ),
        (
            "a week that gains an hour",
            "2026-10-19T09:00",
            WEEK,
            "2026-10-25T12:00",
            "ann 10-19 08:00 10-26 09:00 layer 0",
        ),
        ("a day that loses an hour", "2026-03-28T09:00", 24, "2026-03-28T12:00", "ann 03-28 09:00 03-29 08:00 layer 0"),
        (
            "a night shift that loses an hour",
            "2026-03-28T20:00",
            12,
            "2026-03-29T00:00",
            "ann 03-28 20:00 03-29 07:00 layer 0",
        ),
        (
            "a handover in the hour that is skipped",
            "2026-03-28T01:30",
            24,
            "2026-03-28T12:00",
            "ann 03-28 01:30 03-29 01:00 layer 0",
        ),
        (
            "a handover in the hour that comes twice",
            "2026-10-24T01:30",
            24,
            "2026-10-24T12:00",
            "ann 10-24 00:30 10-25 00:30 layer 0",
        ),
    ];
    for (name, starts, hours, now, expected) in cases {
        assert_eq!(who(&rotation(vec![layer(&["ann", "bob"], starts, hours)]), &[], now), expected, "{name}");
    }
}

#[test]
fn a_later_layer_wins_while_it_holds() {
    let all_week = layer(&["ann"], "2026-11-02T00:00", WEEK);
    let office = in_office_hours(layer(&["bob"], "2026-11-02T00:00", WEEK));
    let both = rotation(vec![all_week, office]);
    let cases = [
        ("at night", "2026-11-03T08:59", "ann 11-02 17:00 11-03 09:00 layer 0"),
        ("in the office", "2026-11-03T09:00", "bob 11-03 09:00 11-03 17:00 layer 1"),
        ("after work on Friday", "2026-11-06T17:00", "ann 11-06 17:00 11-09 00:00 layer 0"),
    ];
    for (name, now, expected) in cases {
        assert_eq!(who(&both, &[], now), expected, "{name}");
    }
}

#[test]
fn an_override_wins_over_all_layers_and_a_later_one_over_an_earlier() {
    let weekly = rotation(vec![layer(&["ann", "bob"], "2026-11-02T09:00", WEEK)]);
    let overrides = [
        stand_in("a", "eve", "2026-11-04T12:00", "2026-11-04T18:00"),
        stand_in("b", "sms:+15005550006", "2026-11-04T14:00", "2026-11-04T15:00"),
    ];
    let cases = [
        ("before", "2026-11-04T11:59", "ann 11-02 09:00 11-04 12:00 layer 0"),
        ("stood in for", "2026-11-04T12:00", "eve 11-04 12:00 11-04 14:00 override a"),
        ("the later override", "2026-11-04T14:30", "sms:+15005550006 11-04 14:00 11-04 15:00 override b"),
        ("the earlier one again", "2026-11-04T15:00", "eve 11-04 15:00 11-04 18:00 override a"),
        ("after", "2026-11-04T18:00", "ann 11-04 18:00 11-09 09:00 layer 0"),
    ];
    for (name, now, expected) in cases {
        assert_eq!(who(&weekly, &overrides, now), expected, "{name}");
    }
    let of_another = [Override { rotation: "other".to_owned(), ..overrides[0].clone() }];
    assert_eq!(who(&weekly, &of_another, "2026-11-04T13:00"), "ann 11-02 09:00 11-09 09:00 layer 0");
}

#[test]
fn the_next_shift_is_the_one_after_this_or_the_first_to_come() {
    let office = rotation(vec![in_office_hours(layer(&["ann", "bob"], "2026-11-02T00:00", 24))]);
    let next = |now| office.next(&[], utc(now)).map_or("nobody".to_owned(), |shift| words(&shift));
    assert_eq!(next("2026-11-03T10:00"), "ann 11-04 09:00 11-04 17:00 layer 0");
    assert_eq!(next("2026-11-06T20:00"), "bob 11-09 09:00 11-09 17:00 layer 0", "over the weekend");
    let far_away = rotation(vec![layer(&["ann"], "2036-11-02T00:00", WEEK)]);
    assert_eq!(far_away.next(&[], utc("2026-11-03T10:00")), None);
}

#[test]
fn gaps_are_when_nobody_is_on_call() {
    let office = rotation(vec![in_office_hours(layer(&["ann"], "2026-11-05T00:00", WEEK))]);
    let overrides = [stand_in("a", "eve", "2026-11-06T17:00", "2026-11-07T00:00")];
    let gaps = office.gaps(&overrides, utc("2026-11-04T12:00"), utc("2026-11-09T12:00"));
    let expected = [
        (utc("2026-11-04T12:00"), utc("2026-11-05T09:00")),
        (utc("2026-11-05T17:00"), utc("2026-11-06T09:00")),
        (utc("2026-11-07T00:00"), utc("2026-11-09T09:00")),
    ];
    assert_eq!(gaps, expected);
}

#[test]
fn a_person_shows_neither_name_nor_number_in_debug() {
    for text in ["ann@example.com", "email:ann@example.com", "sms:+15005550006"] {
        let person = Person::parse(text);
        assert_eq!(person.text(), text);
        assert!(!format!("{person:?}").contains("ann") && !format!("{person:?}").contains("500"));
    }
}

/// Zones with changes by an hour, by half an hour, and by a whole day.
const ZONES: [&str; 4] = ["Europe/London", "Australia/Lord_Howe", "Pacific/Apia", "America/New_York"];

proptest! {
    #[test]
    fn an_unrestricted_layer_has_exactly_one_shift_at_each_instant(
        zone in prop::sample::select(&ZONES[..]).prop_map(Tz::named),
        hours_a_turn in 1u32..400,
        start_minute in 0i64..1440,
        after in 0i64..(400 * 86_400),
    ) {
        // Samoa skipped the 30th of December 2011.
        let starts = local("2011-03-20T00:00") + TimeDelta::minutes(start_minute);
        let layer = Layer { starts, ..layer(&["ann", "bob", "eve"], "2011-03-20T00:00", hours_a_turn) };
        let rotation = Rotation { timezone: zone, ..rotation(vec![layer]) };
        let now = handover(zone, starts) + TimeDelta::seconds(after);
        let shift = rotation.who(&[], now).unwrap();
        prop_assert!(shift.from <= now && now < shift.until);
        let next = rotation.next(&[], now).unwrap();
        prop_assert_eq!(next.from, shift.until);
        let last_moment = shift.until - TimeDelta::milliseconds(1);
        prop_assert_eq!(rotation.who(&[], last_moment), Some(shift));
    }

    #[test]
    fn gaps_and_shifts_share_the_time_between_them(
        zone in prop::sample::select(&ZONES[..]).prop_map(Tz::named),
        hours_a_turn in 1u32..400,
        from in 0i64..(300 * 86_400),
        length in 1i64..(60 * 86_400),
        stands_in in 0i64..(300 * 86_400),
    ) {
        let begin = utc("2011-03-01T00:00");
        let at = |seconds| begin + TimeDelta::seconds(seconds);
        let office = in_office_hours(layer(&["ann", "bob"], "2011-03-20T00:00", hours_a_turn));
        let rotation = Rotation { timezone: zone, ..rotation(vec![office]) };
        let stand_in = Override { from: at(stands_in), until: at(stands_in + 200_000), ..stand_in("a", "eve", "2011-03-01T00:00", "2011-03-01T00:00") };
        let overrides = [stand_in];
        let (from, until) = (at(from), at(from + length));
        let mut parts = rotation.gaps(&overrides, from, until);
        parts.extend(rotation.shifts(&overrides, from, until).into_iter().map(|shift| (shift.from, shift.until)));
        parts.sort();
        prop_assert_eq!(parts.first().map(|part| part.0), Some(from));
        prop_assert_eq!(parts.last().map(|part| part.1), Some(until));
        prop_assert!(parts.windows(2).all(|pair| pair[0].1 == pair[1].0), "{:?}", parts);
    }
}
