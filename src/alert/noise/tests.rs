//! What goes out alone, what goes out together, and what waits for how long.

use proptest::prelude::*;

use super::*;

fn at(minutes: i64) -> DateTime<Utc> {
    // A Monday evening.
    "2026-11-23T20:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes)
}

fn row(stage: Stage) -> Waiting<'static> {
    Waiting {
        kind: Kind::Alert(stage),
        priority: Some("High"),
        was_held: false,
        has_fallback: false,
        step: 0,
        since: at(0),
        due: None,
        is_known: false,
        is_repeat: false,
        is_texted: false,
        is_begun: false,
        is_urgent: true,
        is_timely: false,
        zone: None,
        person: None,
    }
}

const WARNING: Stage = Stage::Warning;

/// Returns rules by which each message goes by itself and at once, except in a storm.
fn singly() -> Rules {
    Rules { pace: None, bundle_from: STORM_FROM, ..Rules::default() }
}

fn past<'a>(sent: &'a [DateTime<Utc>], rules: &'a Rules) -> Past<'a> {
    Past { sent, caps: rules.caps_of(ChannelKind::Sms), budget: None, heard: Heard::default() }
}

/// Returns a letter for what happens to each row that waits for a text message.
fn told(rows: &[Waiting<'_>], past: &Past<'_>, rules: &Rules, now: DateTime<Utc>) -> String {
    let letter = |disposition| match disposition {
        Disposition::Alone => 'a',
        Disposition::Together => 't',
        Disposition::Hold { .. } => 'h',
        Disposition::OtherChannel => 'o',
    };
    shape(rows, ChannelKind::Sms, past, rules, now).into_iter().map(letter).collect()
}

fn night(days: [bool; 7], timezone: &str) -> QuietHours {
    QuietHours {
        hours: Hours { from: 22 * 60, until: 7 * 60, timezone: timezone.parse().unwrap(), days },
        channels: [ChannelKind::Email, ChannelKind::Sms].into(),
        except: ["critical".to_owned()].into(),
        breaches: false,
    }
}

#[test]
fn a_few_go_alone_many_go_together_and_what_waited_together_leaves_together() {
    let uncapped = Rules { caps: BTreeMap::new(), ..singly() };
    let held = Waiting { was_held: true, ..row(WARNING) };
    let digest = Waiting { kind: Kind::Digest, ..row(WARNING) };
    let cases = [
        ("one", vec![row(WARNING)], "a"),
        ("three are read one by one", vec![row(WARNING); 3], "aaa"),
        ("four are a storm", vec![row(WARNING); 4], "tttt"),
        ("a digest is many already", vec![row(WARNING), row(WARNING), row(WARNING), row(WARNING), digest], "tttta"),
        ("two that were held", vec![held, held], "tt"),
        ("one that was held, and a new one", vec![held, row(WARNING)], "aa"),
        ("one that was held", vec![held], "a"),
    ];
    for (name, rows, expected) in cases {
        assert_eq!(told(&rows, &past(&[], &uncapped), &uncapped, at(0)), expected, "{name}");
    }
}

#[test]
fn a_cap_holds_until_the_moment_it_opens_again() {
    let rules = singly();
    let minutes = |minutes: &[i64]| minutes.iter().map(|minute| at(*minute)).collect::<Vec<_>>();
    let cases = [
        ("nothing sent yet", vec![], 0, None),
        ("a minute has to pass", vec![0], 0, Some(at(1))),
        ("and then it is open", vec![0], 1, None),
        ("five in a quarter of an hour", vec![0, 2, 4, 6, 8], 10, Some(at(15))),
        ("the latest of several caps counts", vec![0, 2, 4, 6, 8, 15, 17, 19, 21, 23, 59], 59, Some(at(60))),
        ("a clock that was set back leaves sends that count for nothing", vec![90], 10, None),
    ];
    for (name, sent, now, expected) in cases {
        let disposition =
            shape(&[row(Stage::Breached)], ChannelKind::Sms, &past(&minutes(&sent), &rules), &rules, at(now));
        let expected = expected.map_or(Disposition::Alone, |until| Disposition::Hold { until, by: HeldBy::Cap });
        assert_eq!(disposition, [expected], "{name}");
    }
}

#[test]
fn two_for_which_there_is_room_for_one_share_it() {
    let rules = singly();
    assert_eq!(told(&[row(WARNING); 2], &past(&[], &rules), &rules, at(0)), "tt");
    let digest = Waiting { kind: Kind::Digest, ..row(WARNING) };
    assert_eq!(told(&[row(WARNING), digest], &past(&[], &rules), &rules, at(0)), "ah");
}

#[test]
fn over_the_budget_another_channel_says_it_or_it_waits() {
    let rules = Rules { caps: BTreeMap::new(), ..singly() };
    let spent =
        Past { sent: &[], caps: &[], budget: Some(Budget { left: 0, opens_at: at(600) }), heard: Heard::default() };
    let elsewhere = Waiting { has_fallback: true, ..row(WARNING) };
    let dispositions = shape(&[elsewhere, row(WARNING)], ChannelKind::Sms, &spent, &rules, at(0));
    assert_eq!(dispositions, [Disposition::OtherChannel, Disposition::Hold { until: at(600), by: HeldBy::Budget }]);
}

#[test]
fn quiet_hours_hold_all_but_what_is_excepted() {
    let quiet = night([true; 7], "UTC");
    let critical = Waiting { priority: Some("Critical "), ..row(WARNING) };
    let rows = [row(WARNING), critical, row(Stage::Breached)];
    let rules = |quiet| Rules { quiet: Some(quiet), caps: BTreeMap::new(), ..singly() };
    let with = |quiet, now| {
        let rules = rules(quiet);
        told(&rows, &past(&[], &rules), &rules, now)
    };
    assert_eq!(with(quiet.clone(), at(119)), "aaa", "a minute before");
    assert_eq!(with(quiet.clone(), at(120)), "hah", "a critical ticket is worth waking for");
    assert_eq!(with(quiet.clone(), at(11 * 60 - 1)), "hah", "until the last minute");
    assert_eq!(with(quiet.clone(), at(11 * 60)), "aaa", "the night is over");
    assert_eq!(with(QuietHours { breaches: true, ..quiet.clone() }, at(120)), "haa");
    assert_eq!(with(QuietHours { channels: [ChannelKind::Email].into(), ..quiet }, at(120)), "aaa");
}

#[test]
fn quiet_hours_end_by_the_local_clock_also_when_it_changes() {
    let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    let weekend = [false, false, false, false, false, true, true];
    let every_night = night([true; 7], "Europe/London").hours;
    let whole_days = Hours { from: 0, until: 1440, ..night(weekend, "Europe/London").hours };
    let gap = Hours { from: 60, until: 90, ..every_night.clone() };
    let cases = [
        ("a night in winter", every_night.clone(), "2026-11-23T23:00:00Z", Some("2026-11-24T07:00:00Z")),
        ("spring takes an hour", every_night.clone(), "2026-03-28T23:00:00Z", Some("2026-03-29T06:00:00Z")),
        ("autumn gives one", every_night.clone(), "2026-10-24T22:00:00Z", Some("2026-10-25T07:00:00Z")),
        ("not begun by the local clock", every_night.clone(), "2026-07-01T20:59:59Z", None),
        ("begun by the local clock", every_night.clone(), "2026-07-01T21:00:00Z", Some("2026-07-02T06:00:00Z")),
        ("days that touch are one", whole_days.clone(), "2026-11-21T12:00:00Z", Some("2026-11-23T00:00:00Z")),
        ("a Friday is no weekend", whole_days, "2026-11-20T12:00:00Z", None),
        ("a window that the clocks jump over", gap, "2026-03-29T01:10:00Z", Some("2026-03-29T01:30:00Z")),
    ];
    for (name, hours, now, expected) in cases {
        assert_eq!(hours.over_at(time(now)), expected.map(time), "{name}");
    }
}

#[test]
fn the_first_word_about_a_client_goes_before_the_second_about_another() {
    let kinds = [Kind::Alert(Stage::Breached), Kind::Alert(WARNING), Kind::Alert(Stage::Predicted), Kind::Recovery];
    let ranks: Vec<_> = kinds.into_iter().chain([Kind::Digest, Kind::Update]).map(|kind| rank(kind, false)).collect();
    assert!(ranks.is_sorted_by(|a, b| a < b), "{ranks:?}");
    assert!(rank(Kind::Alert(Stage::Predicted), true) < ranks[0]);
}

/// A row that waits in the outbox of the property below.
#[derive(Clone, Debug)]
struct Held {
    due: DateTime<Utc>,
    digest: bool,
    was_held: bool,
    critical: bool,
}

/// Plays arrivals, given in minutes, to the end. Returns when messages left and how many rows they carried.
fn play(arrivals: &[(i64, bool, bool)], rules: &Rules) -> (Vec<DateTime<Utc>>, usize) {
    let mut rows: Vec<Held> = arrivals
        .iter()
        .map(|(minute, digest, critical)| Held {
            due: at(*minute),
            digest: *digest,
            was_held: false,
            critical: *critical,
        })
        .collect();
    let (mut sent, mut said) = (Vec::new(), 0);
    while let Some(now) = rows.iter().map(|row| row.due).min() {
        let (due, later): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.due <= now);
        rows = later;
        let waiting: Vec<_> = due
            .iter()
            .map(|row| Waiting {
                kind: if row.digest { Kind::Digest } else { Kind::Alert(WARNING) },
                priority: row.critical.then_some("critical"),
                was_held: row.was_held,
                ..self::row(WARNING)
            })
            .collect();
        let dispositions = shape(&waiting, ChannelKind::Sms, &past(&sent, rules), rules, now);
        let mut together = 0;
        for (row, disposition) in due.into_iter().zip(dispositions) {
            match disposition {
                Disposition::Alone => sent.push(now),
                Disposition::Together => together += 1,
                Disposition::Hold { until, .. } => {
                    assert!(until > now, "a row that is held is held until later");
                    rows.push(Held { due: until, was_held: true, ..row });
                    continue;
                }
                Disposition::OtherChannel => panic!("there is no other"),
            }
            said += 1;
        }
        assert_ne!(together, 1, "a bundle of one is no bundle");
        sent.extend((together > 0).then_some(now));
    }
    (sent, said)
}

proptest! {
    #[test]
    fn nothing_is_lost_and_no_cap_is_exceeded(
        arrivals in prop::collection::vec((0i64..2000, prop::bool::weighted(0.1), any::<bool>()), 0..120),
        quiet in any::<bool>(),
    ) {
        let rules = Rules { quiet: quiet.then(|| night([true; 7], "Europe/London")), ..singly() };
        let (sent, said) = play(&arrivals, &rules);
        prop_assert_eq!(said, arrivals.len());
        for cap in rules.caps_of(ChannelKind::Sms) {
            for end in &sent {
                let within = sent.iter().filter(|at| **at <= *end && **at > *end - cap.within).count();
                prop_assert!(within <= cap.most as usize, "{within} within {}", cap.within);
            }
        }
    }

    #[test]
    fn without_caps_a_night_ends_in_one_message(minutes in prop::collection::vec(120i64..650, 2..40)) {
        let rules = Rules { quiet: Some(night([true; 7], "UTC")), caps: BTreeMap::new(), ..singly() };
        let arrivals: Vec<_> = minutes.into_iter().map(|minute| (minute, false, false)).collect();
        prop_assert_eq!(play(&arrivals, &rules), (vec![at(11 * 60)], arrivals.len()));
    }
}

/// Returns a warning about a ticket of low urgency that is due in four hours.
fn calm() -> Waiting<'static> {
    Waiting { due: Some(at(240)), is_urgent: false, ..row(WARNING) }
}

/// Returns the past of somebody who got this many messages today, the last a minute ago.
fn having_heard(today: u32) -> Past<'static> {
    Past { sent: &[], caps: &[], budget: None, heard: Heard { today, last: Some(at(-1)), last_urgent: Some(at(-1)) } }
}

/// Returns when a row that is alone leaves, in minutes; none if at once.
fn leaves(row: Waiting<'_>, today: u32) -> Option<i64> {
    match shape(&[row], ChannelKind::Email, &having_heard(today), &Rules::default(), at(0))[..] {
        [Disposition::Hold { until, by: HeldBy::Pace }] => Some((until - at(0)).num_minutes()),
        [Disposition::Alone] => None,
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn what_could_have_waited_puts_off_nothing_urgent_that_nobody_took_on() {
    let urgent = Waiting { is_urgent: true, step: 1, is_known: true, ..row(Stage::Breached) };
    let leaves = |row: Waiting<'_>, today: u32, last_urgent: Option<DateTime<Utc>>| {
        let heard = Heard { today, last: Some(at(-1)), last_urgent };
        shape(&[row], ChannelKind::Email, &Past { heard, ..having_heard(today) }, &Rules::default(), at(0))[0]
    };
    let until = |minute: i64| Disposition::Hold { until: at(minute), by: HeldBy::Pace };
    assert_eq!(leaves(urgent, 3, None), Disposition::Alone);
    assert_eq!(leaves(urgent, 3, Some(at(-10))), until(5), "managers hear of such together");
    assert_eq!(leaves(Waiting { is_urgent: false, ..urgent }, 3, None), until(14));
    assert_eq!(leaves(urgent, 9, None), until(59), "much was said today");
}

#[test]
fn the_less_pressing_it_is_and_the_more_was_said_today_the_longer_it_waits() {
    let breach = Waiting { is_known: true, ..Waiting { kind: Kind::Alert(Stage::Breached), ..calm() } };
    let news = Waiting { is_known: false, ..breach };
    let pressing = Waiting { due: Some(at(40)), ..calm() };
    let untaken = Waiting { step: 1, is_known: true, ..calm() };
    let late = Waiting { step: 1, ..breach };
    let urgent = Waiting { is_urgent: true, ..late };
    let good = Waiting { kind: Kind::Recovery, ..calm() };
    let cases = [
        ("a warning", calm(), [Some(5), Some(59), Some(120)]),
        ("an urgent warning", Waiting { is_urgent: true, ..calm() }, [Some(5); 3]),
        ("a pressing warning", pressing, [Some(2), Some(20), Some(20)]),
        ("a breach that was warned of", breach, [None, Some(59), Some(239)]),
        ("a breach that is news", news, [None; 3]),
        ("an urgent breach", Waiting { is_urgent: true, ..breach }, [None; 3]),
        ("a breach that a text message tells", Waiting { is_texted: true, ..news }, [None, Some(720), Some(720)]),
        ("an urgent one that a text message tells", Waiting { is_texted: true, is_urgent: true, ..news }, [None; 3]),
        ("a warning that nobody took on", untaken, [Some(14), Some(59), Some(239)]),
        (
            "a warning that nobody was told of, on a later step",
            Waiting { is_known: false, ..untaken },
            [Some(5), Some(59), Some(120)],
        ),
        ("a breach that nobody took on", late, [Some(14), Some(59), Some(239)]),
        ("a breach that nobody was told of, on a later step", Waiting { is_known: false, ..late }, [None; 3]),
        ("an urgent breach that nobody took on", urgent, [Some(14), Some(14), Some(59)]),
        ("the same, said again", Waiting { is_repeat: true, ..urgent }, [Some(14), Some(14), Some(239)]),
        ("an urgent prediction", Waiting { kind: Kind::Alert(Stage::Predicted), is_urgent: true, ..calm() }, {
            [Some(5), Some(720), Some(720)]
        }),
        ("the same, by the second of its channels", Waiting { is_begun: true, ..urgent }, [None; 3]),
        ("the same, since somebody escalated", Waiting { is_repeat: true, is_timely: true, ..urgent }, [None; 3]),
        ("good news", good, [Some(720); 3]),
        ("good news for somebody who is at it", Waiting { is_timely: true, ..good }, [None; 3]),
    ];
    for (name, row, expected) in cases {
        assert_eq!([0, 5, 12].map(|today| leaves(row, today)), expected, "{name}");
    }
}

#[test]
fn what_waits_for_company_leaves_with_the_first_that_does_not() {
    let breach = Waiting { kind: Kind::Alert(Stage::Breached), ..calm() };
    let good = Waiting { kind: Kind::Recovery, ..calm() };
    let dispositions =
        |rows: &[Waiting<'_>]| shape(rows, ChannelKind::Email, &having_heard(1), &Rules::default(), at(0));
    assert_eq!(dispositions(&[calm(), breach, good]), [Disposition::Together; 3]);
    assert!(
        dispositions(&[calm(), good])
            .iter()
            .all(|disposition| matches!(disposition, Disposition::Hold { by: HeldBy::Pace, .. }))
    );
    let digest = Waiting { kind: Kind::Digest, ..calm() };
    assert!(
        matches!(dispositions(&[calm(), digest])[..], [Disposition::Hold { .. }, Disposition::Alone]),
        "a digest is a message of its own"
    );
}

#[test]
fn at_night_only_an_urgent_breach_is_texted() {
    let breach = Waiting { kind: Kind::Alert(Stage::Breached), zone: Some(Tz::named("Europe/London")), ..calm() };
    let urgent = Waiting { is_urgent: true, ..breach };
    // It is eight in the evening in London, and eleven at night in Moscow.
    let moscow = Some(Tz::named("Europe/Moscow"));
    let cases = [
        ("by day", breach, ChannelKind::Sms, Disposition::Alone),
        (
            "by night",
            Waiting { zone: moscow, ..breach },
            ChannelKind::Sms,
            Disposition::Hold { until: at(480), by: HeldBy::Night },
        ),
        ("by night, urgent", Waiting { zone: moscow, ..urgent }, ChannelKind::Sms, Disposition::Alone),
        ("by night, by email", Waiting { zone: moscow, ..breach }, ChannelKind::Email, Disposition::Alone),
        ("nobody knows where", Waiting { zone: None, ..breach }, ChannelKind::Sms, Disposition::Alone),
    ];
    for (name, row, channel, expected) in cases {
        let past = Past { sent: &[], caps: &[], budget: None, heard: Heard::default() };
        assert_eq!(shape(&[row], channel, &past, &Rules::default(), at(0)), [expected], "{name}");
    }
}

#[test]
fn the_most_urgent_priorities_are_known_by_name_or_else_by_order() {
    let cases: [(&[&str], &[&str]); 4] = [
        (&["Low", "Medium", "High", "Critical"], &["Critical", "High"]),
        (&["P1", "P2", "P3", "P4"], &["P1", "P2"]),
        (&["Red alert", "High", "Low"], &["Red alert", "High"]),
        (&["Low"], &["Low"]),
    ];
    for (priorities, expected) in cases {
        let owned: Vec<String> = priorities.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(most_urgent(&owned), expected);
    }
    assert!(is_urgent(Some(" critical"), &[]) && !is_urgent(Some("Medium"), &[]) && !is_urgent(None, &["High"]));
}

/// Stockholm is an hour ahead of UTC: it is nine in the evening there at minute 0.
fn home() -> Tz {
    Tz::named("Europe/Stockholm")
}

fn asked(personal: Personal) -> Rules {
    Rules { people: [("ada@example.com".to_owned(), personal.into())].into(), ..Rules::default() }
}

fn nothing() -> Personal {
    Personal { zone: Some(home()), channels: Vec::new(), digest: None, rules: Vec::new() }
}

fn evening(stages: &[Stage], channels: &[ChannelKind]) -> PersonalRule {
    let hours = Hours { from: 18 * 60, until: 7 * 60, timezone: home(), days: [true; 7] };
    PersonalRule { stages: stages.to_vec(), hours: Some(hours), channels: channels.to_vec() }
}

/// Returns what happens to a row for Ada, by email.
fn for_ada(row: Waiting<'_>, rules: &Rules, now: DateTime<Utc>) -> Disposition {
    let row = Waiting { person: Some("ada@example.com"), ..row };
    let past = Past { sent: &[], caps: &[], budget: None, heard: Heard::default() };
    shape(&[row], ChannelKind::Email, &past, rules, now)[0]
}

#[test]
fn what_somebody_asked_for_holds_for_each_of_those_who_share_the_mailbox() {
    let rules = asked(Personal { rules: vec![evening(&[], &[])], ..nothing() });
    assert!(rules.personal(Some("ada@example.com")).is_some() && rules.personal(Some("ada@example.com 41")).is_some());
    assert!(rules.personal(Some("ada@example.com.au")).is_none());
}

#[test]
fn what_comes_in_hours_that_somebody_keeps_free_waits_for_their_end() {
    let rules = asked(Personal { rules: vec![evening(&[], &[])], ..nothing() });
    // Seven in the morning.
    let morning = Disposition::Hold { until: at(600), by: HeldBy::Person };
    for kind in [Kind::Alert(Stage::Breached), Kind::Alert(WARNING), Kind::Recovery, Kind::Digest] {
        assert_eq!(for_ada(Waiting { kind, ..row(WARNING) }, &rules, at(0)), morning, "{kind:?}");
    }
    assert_eq!(for_ada(Waiting { kind: Kind::Watch, ..row(WARNING) }, &rules, at(0)), Disposition::Alone);
    assert_eq!(for_ada(row(Stage::Breached), &rules, at(600)), Disposition::Alone);
    let other = shape(&[row(Stage::Breached)], ChannelKind::Email, &having_heard(0), &rules, at(0));
    assert_eq!(other, [Disposition::Alone], "nobody else keeps these hours");
}

#[test]
fn hours_that_follow_each_other_for_days_end_with_the_last_of_them() {
    let weekdays = [true, true, true, true, true, true, false];
    let third = |from: u16, until: u16| PersonalRule {
        stages: Vec::new(),
        hours: Some(Hours { from: 60 * from, until: 60 * until, timezone: Tz::UTC, days: weekdays }),
        channels: Vec::new(),
    };
    let personal = Personal { rules: vec![third(0, 8), third(8, 16), third(16, 24)], ..nothing() };
    let monday = DateTime::from_timestamp(1_800_230_400, 0).unwrap();
    assert_eq!(monday.format("%a %H:%M").to_string(), "Mon 00:00");
    assert_eq!(personal.wish(Stage::Breached, monday), ChannelChoice::None, "as it will be told on Sunday");
    let sunday = Disposition::Hold { until: monday + TimeDelta::days(6), by: HeldBy::Person };
    assert_eq!(for_ada(row(Stage::Breached), &asked(personal), monday), sunday);
}

#[test]
fn warnings_are_told_once_a_day_where_somebody_wants_that_and_breaches_in_their_time() {
    let daily = Daily { at: 8 * 60 + 30, timezone: home() };
    let rules = asked(Personal { digest: Some(daily), ..nothing() });
    let next = Disposition::Hold { until: at(690), by: HeldBy::Person };
    assert_eq!(for_ada(row(WARNING), &rules, at(0)), next);
    assert_eq!(for_ada(row(Stage::Predicted), &rules, at(689)), next);
    assert_eq!(for_ada(row(WARNING), &rules, at(690)), Disposition::Alone);
    assert_eq!(for_ada(row(Stage::Breached), &rules, at(0)), Disposition::Alone);
    let waiting = Waiting { was_held: true, person: Some("ada@example.com"), ..row(WARNING) };
    let together = shape(&[waiting; 3], ChannelKind::Email, &having_heard(14), &rules, at(690));
    assert_eq!(together, [Disposition::Together; 3], "however much was said that day");
}

#[test]
fn channels_go_by_stage_and_hour_and_after_hours_kept_free_by_what_holds_then() {
    let (email, sms) = (ChannelKind::Email, ChannelKind::Sms);
    let never = PersonalRule { stages: vec![Stage::Predicted], hours: None, channels: Vec::new() };
    let personal = Personal {
        channels: vec![email],
        rules: vec![evening(&[Stage::Breached], &[sms]), evening(&[WARNING], &[]), never],
        ..nothing()
    };
    let wish = |stage, now| personal.wish(stage, now);
    assert_eq!(wish(Stage::Breached, at(0)), ChannelChoice::By(&[sms]));
    assert_eq!(wish(Stage::Breached, at(600)), ChannelChoice::By(&[email]));
    assert_eq!(wish(WARNING, at(0)), ChannelChoice::By(&[email]), "as it will be told in the morning");
    assert_eq!(wish(Stage::Predicted, at(0)), ChannelChoice::Never);
    assert_eq!(nothing().wish(Stage::Breached, at(0)), ChannelChoice::None);
}
