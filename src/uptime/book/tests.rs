use proptest::prelude::*;

use super::*;
use crate::uptime::SECOND;
use Condition::{Degraded, Down, Unknown, Up};

const RULES: Rules =
    Rules { interval: 60 * SECOND, failures: 1, successes: 1, holds: 120 * SECOND, silence_is_down: false };

fn component(id: &str, needs: Needs, of: &[&str]) -> ComponentPlan {
    let of = of.iter().map(|name| (*name).to_owned()).collect();
    ComponentPlan { id: id.to_owned(), needs, of, depends_on: Vec::new() }
}

fn check(id: &str) -> CheckPlan {
    let component = id.split('/').next().unwrap().to_owned();
    CheckPlan { id: id.to_owned(), component, rules: RULES, view: None, is_asked: true }
}

fn plans() -> (Vec<ComponentPlan>, Vec<CheckPlan>) {
    let components = vec![
        component("pair", Needs::AtLeast(1), &["left", "right"]),
        component("left", Needs::All, &[]),
        component("right", Needs::All, &[]),
        component("everything", Needs::All, &["pair"]),
    ];
    (components, vec![check("left/https"), check("left/tcp"), check("right/https")])
}

pub(super) fn book() -> Book {
    let (components, checks) = plans();
    Book::open(components, checks, &Remembered::default(), 0)
}

pub(super) fn see(book: &mut Book, check: usize, second: i64, verdict: Condition) -> Taken {
    book.observe(check, &Outcome { at: second * SECOND, verdict, detail: None }, Connectivity::Online)
}

fn standing(book: &Book) -> Vec<(&str, Condition)> {
    book.components.iter().map(|one| (one.plan.id.as_str(), one.condition())).collect()
}

#[test]
fn a_component_is_as_good_as_its_worst_check_and_a_group_as_it_needs() {
    let mut book = book();
    for check in 0..3 {
        see(&mut book, check, 1, Up);
    }
    assert_eq!(standing(&book), [("pair", Up), ("left", Up), ("right", Up), ("everything", Up)]);
    let taken = see(&mut book, 1, 30, Down);
    assert_eq!(standing(&book), [("pair", Degraded), ("left", Down), ("right", Up), ("everything", Degraded)]);
    assert_eq!(taken.changes.len(), 3);
    see(&mut book, 2, 40, Down);
    assert_eq!(standing(&book), [("pair", Down), ("left", Down), ("right", Down), ("everything", Down)]);
}

#[test]
fn a_group_is_behind_what_all_of_its_failing_members_are_behind_once_that_is_certain() {
    let slow = Rules { failures: 2, ..RULES };
    let behind = |id: &str| ComponentPlan { depends_on: vec!["vpn".to_owned()], ..component(id, Needs::All, &[]) };
    let components = vec![
        component("sites", Needs::All, &["leeds", "york"]),
        behind("leeds"),
        behind("york"),
        component("vpn", Needs::All, &[]),
    ];
    let checks = vec![check("leeds/tcp"), check("york/tcp"), CheckPlan { rules: slow, ..check("vpn/tcp") }];
    let mut book = Book::open(components, checks, &Remembered::default(), 0);
    for check in 0..3 {
        see(&mut book, check, 1, Up);
    }
    see(&mut book, 0, 29, Down);
    assert!(book.has_parent_in_doubt(1), "nobody has looked at the VPN since");
    assert_eq!(book.unseen_parents(0, 29 * SECOND), [2]);
    see(&mut book, 2, 30, Down);
    see(&mut book, 0, 31, Down);
    let doubts = |book: &Book| [0, 1, 3].map(|place| book.has_parent_in_doubt(place));
    assert_eq!(doubts(&book), [true, true, false], "the VPN has failed once");
    assert_eq!(book.failing_parent(0), None);
    see(&mut book, 2, 35, Down);
    assert_eq!(doubts(&book), [false; 3], "it is certain now");
    assert_eq!([0, 1, 3].map(|place| book.failing_parent(place)), [Some(3), Some(3), None]);
}

#[test]
fn a_group_is_not_up_again_because_its_failed_member_was_not_seen_yet() {
    let open = |remembered: &Remembered, now: i64| {
        let (components, mut checks) = plans();
        checks.remove(1);
        checks[0].rules.failures = 2;
        Book::open(components, checks, remembered, now * SECOND)
    };
    let mut book = open(&Remembered::default(), 0);
    let mut rewrites = Vec::new();
    for (second, check, verdict) in [(1, 0, Up), (2, 1, Up), (60, 0, Down), (62, 1, Up), (65, 0, Down)] {
        rewrites.extend(see(&mut book, check, second, verdict).rewrites);
    }
    assert_eq!((standing(&book)[0].1, book.outage_began(0)), (Degraded, Some(60 * SECOND)));
    let states = book.checks.iter().map(|check| (check.plan.id.clone(), check.state.clone())).collect();
    let since = book.components.iter().map(|one| (one.plan.id.clone(), one.since)).collect();
    let remembered = Remembered { states, spans: stored(&rewrites), since };
    let again = || {
        let mut book = open(&remembered, 1000);
        book.expire(1000 * SECOND);
        see(&mut book, 1, 1001, Up);
        book
    };
    let mut book = again();
    assert_eq!(standing(&book)[0].1, Up, "one of them is enough");
    assert!(book.is_unproven(0, 1001 * SECOND) && book.is_unproven(3, 1001 * SECOND));
    see(&mut book, 0, 1005, Down);
    assert!(book.is_unproven(0, 5000 * SECOND), "it is looked into");
    see(&mut book, 0, 1010, Down);
    assert!(!book.is_unproven(0, 1010 * SECOND));
    assert_eq!((standing(&book)[0].1, book.outage_began(0)), (Degraded, Some(60 * SECOND)), "the same outage");
    assert!(!again().is_unproven(0, 1121 * SECOND), "nobody looks at it any more");
    let mut book = again();
    see(&mut book, 0, 1005, Up);
    assert!(!book.is_unproven(0, 1005 * SECOND), "both were seen");
}

#[test]
fn a_child_behind_a_failing_parent_knows_it() {
    let mut plans = plans();
    plans.0[2].depends_on = vec!["left".to_owned()];
    let mut book = Book::open(plans.0, plans.1, &Remembered::default(), 0);
    see(&mut book, 0, 1, Up);
    assert_eq!(book.failing_parent(2), None);
    see(&mut book, 0, 2, Down);
    assert_eq!(book.failing_parent(2), Some(1));
}

#[test]
fn a_child_fails_by_itself_only_once_it_was_seen_to_fail_after_its_parent_was_up_again() {
    let mut plans = plans();
    plans.0[2].depends_on = vec!["left".to_owned()];
    plans.1[2].rules = Rules { successes: 2, ..RULES };
    let mut book = Book::open(plans.0, plans.1, &Remembered::default(), 0);
    for check in 0..3 {
        see(&mut book, check, 1, Up);
    }
    see(&mut book, 0, 10, Down);
    see(&mut book, 2, 11, Down);
    see(&mut book, 0, 60, Up);
    see(&mut book, 1, 61, Up);
    assert_eq!(book.failing_parent(2), None);
    assert!(book.has_parent_in_doubt(2), "nobody has looked at the child since");
    see(&mut book, 2, 65, Up);
    assert!(book.has_parent_in_doubt(2), "it may be well again, as its parent is");
    see(&mut book, 2, 80, Down);
    assert!(!book.has_parent_in_doubt(2), "it is not");
}

#[test]
fn what_nobody_looked_at_since_its_check_got_another_name_is_unknown_from_when_the_last_result_held_no_longer() {
    let components = vec![component("shop", Needs::All, &[])];
    let mut seen = CheckState::new(0);
    seen.observe(&Outcome::bad(1000 * SECOND, Down, "refused"), Connectivity::Online, &RULES);
    let spans = BTreeMap::from([("shop".to_owned(), vec![Span { from: 1000 * SECOND, until: None, condition: Down }])]);
    let states = BTreeMap::from([("shop/first".to_owned(), seen)]);
    let mut remembered = Remembered { states, spans, since: BTreeMap::from([("shop".to_owned(), 0)]) };
    let open = |remembered: &Remembered| {
        let mut book = Book::open(components.clone(), vec![check("shop/second")], remembered, 9000 * SECOND);
        book.settle(9000 * SECOND);
        [1119, 1121, 8999, 9001].map(|second| book.components[0].line.at(second * SECOND))
    };
    assert_eq!(open(&remembered), [Down, Unknown, Unknown, Unknown]);
    let mut later = CheckState::new(0);
    later.observe(&Outcome::bad(8990 * SECOND, Down, "refused"), Connectivity::Online, &RULES);
    remembered.states.insert("shop/second".to_owned(), later);
    assert_eq!(open(&remembered)[..3], [Down; 3], "what is left was looked at since");
}

#[test]
fn a_check_that_comes_back_leaves_alone_what_the_others_saw_meanwhile_but_not_what_nobody_saw() {
    let up = |until: i64| {
        let last_at = Some(until * SECOND);
        CheckState { condition: Up, last_at, ..CheckState::new(0) }
    };
    let always = |id: &str| (id.to_owned(), vec![Span { from: 0, until: None, condition: Up }]);
    let remembered = Remembered {
        states: BTreeMap::from([("shop/a".to_owned(), up(1000)), ("shop/b".to_owned(), up(100))]),
        spans: ["shop", "shop/a", "shop/b"].iter().map(|id| always(id)).collect(),
        since: BTreeMap::from([("shop".to_owned(), 0)]),
    };
    let open = |now: i64| {
        let checks = vec![check("shop/a"), check("shop/b")];
        let mut book = Book::open(vec![component("shop", Needs::All, &[])], checks, &remembered, now * SECOND);
        book.settle(now * SECOND);
        book.expire(now * SECOND);
        see(&mut book, 1, now + 10, Up);
        see(&mut book, 0, now + 20, Up);
        let spans = book.components[0].line.spans().iter();
        spans.map(|span| (span.from / SECOND, span.condition)).collect::<Vec<_>>()
    };
    assert_eq!(open(1030), [(0, Up), (1030, Unknown), (1040, Up)], "only until it is looked at");
    assert_eq!(open(9000), [(0, Up), (1120, Unknown), (9020, Up)], "nobody looked at the other either");
}

/// Returns what the store would hold after all `rewrites`.
fn stored(rewrites: &[Rewrite]) -> BTreeMap<String, Vec<Span>> {
    let mut rows: BTreeMap<String, BTreeMap<Millis, Span>> = BTreeMap::new();
    for rewrite in rewrites {
        let rows = rows.entry(rewrite.subject.clone()).or_default();
        let Some(first) = rewrite.spans.first() else { continue };
        rows.retain(|from, _| *from < first.from);
        rows.extend(rewrite.spans.iter().map(|span| (span.from, *span)));
    }
    rows.into_iter().map(|(subject, rows)| (subject, rows.into_values().collect())).collect()
}

proptest! {
    #[test]
    fn what_is_written_down_is_what_is_known_without_gap_or_overlap(
        looks in prop::collection::vec((0i64..150, 0usize..3, 0usize..3), 1..80),
        stop in 0usize..80,
    ) {
        let mut book = book();
        let mut rewrites = Vec::new();
        let mut now = 0;
        for (index, (gap, check, verdict)) in looks.into_iter().enumerate() {
            now += gap;
            rewrites.extend(book.expire(now * SECOND).rewrites);
            rewrites.extend(see(&mut book, check, now, [Up, Degraded, Down][verdict]).rewrites);
            if index == stop {
                // A restart: only what was stored is known.
                let states = book.checks.iter().map(|check| (check.plan.id.clone(), check.state.clone())).collect();
                let since = book.components.iter().map(|one| (one.plan.id.clone(), one.since)).collect();
                let (components, checks) = plans();
                let remembered = Remembered { states, spans: stored(&rewrites), since };
                let again = Book::open(components, checks, &remembered, now * SECOND);
                prop_assert_eq!(standing(&again), standing(&book));
                book = again;
            }
        }
        let rows = stored(&rewrites);
        for (id, line) in book.components.iter().map(|one| (&one.plan.id, &one.line))
            .chain(book.checks.iter().map(|one| (&one.plan.id, &one.line)))
        {
            prop_assert_eq!(line.spans(), rows.get(id).map_or(&[][..], Vec::as_slice));
            for two in line.spans().windows(2) {
                prop_assert_eq!(two[0].until, Some(two[1].from));
                prop_assert!(two[0].from < two[1].from && two[0].condition != two[1].condition);
            }
        }
        prop_assert!(book.components.iter().all(|one| one.condition() != Unknown || one.line.spans().len() < 999));
    }
}

#[test]
fn places_that_look_at_the_same_agree_before_it_is_down_and_other_checks_need_not() {
    let seen_from = |id: &str, place: Option<&str>| {
        let view = View { of: "shop/https".to_owned(), place: place.map(str::to_owned), quorum: 2 };
        CheckPlan { view: Some(view), ..check(id) }
    };
    let checks = vec![
        seen_from("shop/https", None),
        seen_from("shop/https@berlin", Some("berlin")),
        seen_from("shop/https@boston", Some("boston")),
        check("shop/tcp"),
        check("other/https"),
    ];
    let components = vec![component("shop", Needs::All, &[]), component("other", Needs::All, &[])];
    let mut book = Book::open(components, checks, &Remembered::default(), 0);
    for check in 0..4 {
        see(&mut book, check, 1, Up);
    }
    let shop = |book: &Book| book.components[0].condition();
    assert_eq!(shop(&book), Up);
    see(&mut book, 0, 30, Down);
    assert_eq!(shop(&book), Up, "one place alone proves nothing");
    see(&mut book, 2, 40, Down);
    assert_eq!((shop(&book), book.components[0].changed_at()), (Down, 30 * SECOND), "from the first of the two");
    see(&mut book, 0, 50, Up);
    assert_eq!(shop(&book), Up);
    see(&mut book, 3, 60, Down);
    assert_eq!(shop(&book), Down, "what is looked at from here alone needs nobody's word");
    see(&mut book, 3, 61, Up);
    book.expire(300 * SECOND);
    assert_eq!(shop(&book), Unknown);
    see(&mut book, 3, 400, Up);
    see(&mut book, 1, 400, Down);
    assert_eq!(shop(&book), Down, "those that are heard are enough");
    see(&mut book, 3, 401, Down);
}

#[test]
fn only_what_we_reached_outside_says_that_our_own_line_works() {
    let checks = vec![check("shop/https"), check("nas/https"), check("backup/heartbeat")];
    let components = ["shop", "nas", "backup"].map(|id| component(id, Needs::All, &[])).to_vec();
    let mut book = Book::open(components, checks, &Remembered::default(), 0);
    for check in 0..3 {
        see(&mut book, check, 400, Up);
    }
    assert!(!book.saw_something_else(0, 300 * SECOND), "none of it was outside");
    book.checks[1].reached_at = Some(400 * SECOND);
    let seen = |book: &Book, place: usize, second: Millis| book.saw_something_else(place, second * SECOND);
    assert!(seen(&book, 0, 300) && !seen(&book, 0, 400) && !seen(&book, 1, 300), "later, and somewhere else");
    see(&mut book, 1, 401, Down);
    assert!(!seen(&book, 0, 300), "it is not reached any more");
}
