//! The worked example in the store: revisions, days, closed months and what comes after they are closed.

use std::collections::BTreeMap;

use super::*;
use crate::report::Period;
use crate::report::day::{days, length, union};
use crate::report::entry::tests::{entries, two_as_decided};
use crate::report::entry::{Entry, Exclusion, Outcome, Reason, Share};
use crate::report::figures::{Question, summary};
use crate::report::technician::{Count, Technician, technicians};
use crate::sla::zone::Tz;
use crate::store::audit::Author;
use crate::store::check::Checked;
use crate::store::sql;
use crate::ticket::ClockKind;

fn tenant() -> TenantId {
    TenantId::parse("acme").unwrap()
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

async fn empty() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("sla.db"), std::sync::Arc::default()).await.unwrap();
    (folder, store)
}

/// Returns each ticket with its entries, in the order of their ids, reversed if `backwards`.
fn booked(entries: Vec<Entry>, backwards: bool) -> Vec<Booked> {
    let mut tickets: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    for entry in entries {
        tickets.entry(entry.ticket.to_string()).or_default().push(entry);
    }
    let one = |(id, entries): (String, Vec<Entry>)| Booked {
        marked: Marked { tenant: tenant(), ticket: TicketId::parse(&id).unwrap(), marks: 1 },
        entries: Some(entries),
        next: None,
    };
    let all = tickets.into_iter().map(one);
    if backwards { all.rev().collect() } else { all.collect() }
}

fn october() -> Asked {
    Asked { from: date("2026-10-01"), to: date("2026-10-31"), latest: false }
}

async fn days_of(store: &Store, (from, to): (&str, &str)) -> Vec<BookDay> {
    while store.sum_up_a_day().await.unwrap() {}
    store.book_days(&tenant(), "all", (date(from), date(to))).await.unwrap()
}

async fn all_of_october(store: &Store, latest: bool) -> (u64, u64) {
    let found = store.entries(&tenant(), Asked { latest, ..october() }).await.unwrap();
    let period = Period::new(october().from, october().to).unwrap();
    let sum = summary(found.iter(), &Question { period, with_maintenance: false });
    (sum.all.met, sum.all.of)
}

#[tokio::test]
async fn what_is_read_is_what_was_booked_however_it_was_booked() {
    let mut read = Vec::new();
    for (backwards, size) in [(false, 100), (true, 1)] {
        let (_folder, store) = empty().await;
        for some in booked(entries(), backwards).chunks(size) {
            store.book(&tenant(), some.to_vec(), Tz::named("America/New_York")).await.unwrap();
        }
        // Booking it twice gives the same.
        let again = store.book(&tenant(), booked(entries(), false), Tz::named("America/New_York")).await.unwrap();
        assert_eq!(again, Written::default());
        let asked = Asked { from: date("2026-10-29"), to: date("2026-11-02"), latest: false };
        read.push((
            store.entries(&tenant(), asked).await.unwrap(),
            days_of(&store, ("2026-10-29", "2026-11-02")).await,
        ));
    }
    assert_eq!(read[0], read[1]);
    let bare = |entry: &Entry| Entry { overdue: Vec::new(), ..entry.clone() };
    let mut expected: Vec<Entry> = entries().iter().map(bare).collect();
    expected.sort_by_key(|entry| (entry.ticket.clone(), entry.clock, entry.round));
    assert_eq!(read[0].0, expected);
}

#[tokio::test]
async fn the_sums_of_days_are_those_of_their_entries() {
    let (_folder, store) = empty().await;
    store.book(&tenant(), booked(entries(), false), Tz::named("America/New_York")).await.unwrap();
    let period = Period::new(date("2026-10-29"), date("2026-11-02")).unwrap();
    let expected = days(
        entries().iter().collect::<Vec<_>>().into_iter(),
        period,
        Tz::named("America/New_York"),
        &Vec::new(),
        false,
    );
    let found = days_of(&store, ("2026-10-29", "2026-11-02")).await;
    let found: Vec<_> = found.iter().map(|day| (day.day, day.met, day.met + day.breached, day.overdue)).collect();
    let expected: Vec<_> =
        expected.iter().map(|day| (day.date, day.rate.met, day.rate.of, day.downtime.num_milliseconds())).collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_day_whose_entries_changed_is_summed_up_once_and_no_defect_until_then() {
    let (_folder, store) = empty().await;
    let about_sums = async || {
        let mut checked = Checked::default();
        look::look(&mut store.reads.acquire().await.unwrap(), &mut checked).await.unwrap();
        checked.findings.iter().filter(|finding| finding.what.contains("the sums of")).count()
    };
    for one in booked(entries(), false) {
        store.book(&tenant(), vec![one], Tz::named("America/New_York")).await.unwrap();
    }
    let changes = async || store.book_changes(&tenant(), (date("2026-10-01"), date("2026-11-30"))).await.unwrap();
    assert_eq!(about_sums().await, 0, "nothing is summed up yet");
    let mut days = 0;
    loop {
        let before = changes().await;
        if !store.sum_up_a_day().await.unwrap() {
            break;
        }
        days += 1;
        assert!(changes().await > before, "reports are worked out anew");
    }
    let sums = days_of(&store, ("2026-10-01", "2026-11-30")).await;
    assert_eq!(days, sums.len(), "each day once, however many tickets changed it");
    assert_eq!(about_sums().await, 0);
    let spoil = sql::query("UPDATE days SET met = met + 1");
    store.writer.write(|tx: &mut sql::Connection| Box::pin(spoil.execute(tx))).await.unwrap();
    assert!(about_sums().await >= days);
}

#[tokio::test]
async fn a_closed_month_stays_as_it_was_and_the_correction_stands_beside() {
    let (_folder, store) = empty().await;
    store.book(&tenant(), booked(entries(), false), Tz::named("America/New_York")).await.unwrap();
    assert_eq!(all_of_october(&store, false).await, (11, 14));
    let now = at("2026-11-08T12:00:00Z");
    let hash = store.close_month(&tenant(), (date("2026-10-15"), Tz::UTC), now).await.unwrap();
    let written = store.book(&tenant(), booked(two_as_decided(), false), Tz::named("America/New_York")).await.unwrap();
    assert_eq!((written.revised, written.corrections), (1, 1));
    assert_eq!(all_of_october(&store, false).await, (11, 14), "October is closed");
    assert_eq!(all_of_october(&store, true).await, (12, 14), "as is known now");
    assert_eq!(store.month_hash(&tenant(), date("2026-10-01")).await.unwrap(), hash);
    assert_eq!(store.close_month(&tenant(), (date("2026-10-01"), Tz::UTC), now).await.unwrap(), hash, "closed once");
    let corrections = store.corrections(&tenant(), (october().from, october().to)).await.unwrap();
    let told: Vec<_> = corrections.iter().map(|one| (one.ticket.as_str(), one.outcome.as_str(), one.counts)).collect();
    assert_eq!(told, [("2", "breached", true)], "one decision changed");
}

#[tokio::test]
async fn what_is_corrected_again_and_again_after_its_month_was_closed_counts_there_once_and_nowhere_else() {
    let (_folder, store) = empty().await;
    let zone = || Tz::named("America/New_York");
    store.book(&tenant(), booked(entries(), false), zone()).await.unwrap();
    store.close_month(&tenant(), (date("2026-10-15"), Tz::UTC), at("2026-11-08T12:00:00Z")).await.unwrap();
    for day in ["2026-11-20", "2026-11-21", "2026-11-22"] {
        let later = |entry: &Entry| Entry {
            outcome: Outcome::Excluded,
            why: Some(Exclusion::ByHand),
            decided_at: at(&format!("{day}T12:00:00Z")),
            day: date(day),
            ..entry.clone()
        };
        let called_off: Vec<Entry> = two_as_decided().iter().map(later).collect();
        let written = store.book(&tenant(), booked(called_off.clone(), false), zone()).await.unwrap();
        assert_eq!((written.new, written.revised), (0, called_off.len()), "{day}");
        assert_eq!(written.corrections, called_off.len(), "{day}");
        assert_eq!(all_of_october(&store, false).await, (11, 14), "{day}: October is closed");
        let november = days_of(&store, ("2026-11-10", "2026-11-30")).await;
        assert!(november.iter().all(|day| day.excluded == 0), "{day}: {november:?}");
        let corrections = store.corrections(&tenant(), (october().from, october().to)).await.unwrap();
        assert_eq!(corrections.len(), called_off.len(), "{day}: October lists what changed");
        let corrections = store.corrections(&tenant(), (date("2026-11-10"), date("2026-11-30"))).await.unwrap();
        assert!(corrections.is_empty(), "{day}: {corrections:?}");
    }
}

/// The breach of ticket 2, decided on 30 October, as if it had lasted until `now`.
fn breach_until(now: &str, is_stopped: bool) -> Entry {
    let is_two = |entry: &Entry| &*entry.ticket == "2" && entry.clock == ClockKind::Resolution;
    let breach = entries().into_iter().find(is_two).unwrap();
    let over = (at(now) - breach.decided_at).num_milliseconds();
    Entry {
        stopped_at: is_stopped.then(|| at(now)),
        stop_day: is_stopped.then(|| date(&now[..10])),
        counted: breach.counted + over,
        over,
        shares: breach.shares.iter().map(|share| Share { over, ..share.clone() }).collect(),
        overdue: vec![(breach.decided_at, at(now))],
        ..breach
    }
}

#[tokio::test]
async fn a_breach_that_outlasts_its_closed_month_goes_on_in_the_open_ones_whatever_is_corrected() {
    let zone = || Tz::named("America/New_York");
    let mut told = Vec::new();
    for priorities in [["High", "High", "High"], ["Low", "Urgent", "Low"]] {
        let (_folder, store) = empty().await;
        let book = async |entry: Entry, priority: &str| {
            let entry = Entry { priority: Some(priority.into()), ..entry };
            store.book(&tenant(), booked(vec![entry], false), zone()).await.unwrap()
        };
        book(breach_until("2026-11-02T17:00:00Z", false), "High").await;
        let october_before = days_of(&store, ("2026-10-01", "2026-10-31")).await;
        let now = at("2026-11-08T12:00:00Z");
        let hash = store.close_month(&tenant(), (date("2026-10-15"), Tz::UTC), now).await.unwrap();
        let days = ["2026-11-10", "2026-11-11", "2026-11-12"];
        for (day, priority) in days.into_iter().zip(priorities) {
            store.pack_days(&tenant(), date(day), 100).await.unwrap();
            let written = book(breach_until(&format!("{day}T17:00:00Z"), day == "2026-11-12"), priority).await;
            assert_eq!(written.corrections, usize::from(priority != "High"), "{day}");
            let november = Asked { from: date("2026-11-01"), to: date("2026-11-30"), latest: false };
            let both = Asked { from: october().from, ..november };
            let latest = store.entries(&tenant(), Asked { latest: true, ..both }).await.unwrap();
            told.push((
                days_of(&store, ("2026-11-01", "2026-11-30")).await,
                store.entries(&tenant(), november).await.unwrap(),
                store.entries(&tenant(), both).await.unwrap(),
                latest.iter().map(|entry| (entry.stopped_at, entry.over)).collect::<Vec<_>>(),
                store.overdue_stretches(&tenant(), None, both, false).await.unwrap(),
                store.overdue_stretches(&tenant(), None, Asked { latest: true, ..both }, false).await.unwrap(),
                store.resolutions(&tenant(), (november.from, november.to)).await.unwrap(),
            ));
        }
        let (sums, stops, ..) = told.last().unwrap();
        let last = sums.last().unwrap();
        assert_eq!((last.day, last.overdue), (date("2026-11-12"), chrono::TimeDelta::hours(12).num_milliseconds()));
        assert_eq!(stops.len(), 1, "{stops:?}");
        assert_eq!(days_of(&store, ("2026-10-01", "2026-10-31")).await, october_before);
        assert_eq!(store.month_hash(&tenant(), date("2026-10-01")).await.unwrap(), hash);
        let mut checked = Checked::default();
        look::look(&mut store.reads.acquire().await.unwrap(), &mut checked).await.unwrap();
        let found: Vec<_> = checked.findings.iter().map(|finding| &finding.what).collect();
        assert!(found.is_empty(), "{found:?}");
    }
    let (uncorrected, corrected) = told.split_at(3);
    assert_eq!(uncorrected, corrected);
}

#[tokio::test]
async fn a_breach_of_a_closed_month_that_was_none_stops_once_in_the_open_month_and_is_overdue_there_no_more() {
    let (_folder, store) = empty().await;
    let zone = || Tz::named("America/New_York");
    let open = breach_until("2026-11-02T17:00:00Z", false);
    store.book(&tenant(), booked(vec![open], false), zone()).await.unwrap();
    let october_before = days_of(&store, ("2026-10-01", "2026-10-31")).await;
    store.close_month(&tenant(), (date("2026-10-15"), Tz::UTC), at("2026-11-08T12:00:00Z")).await.unwrap();
    let stopped = breach_until("2026-11-12T17:00:00Z", true);
    let kept = Entry {
        outcome: Outcome::Met,
        decided_at: at("2026-11-12T17:00:00Z"),
        day: date("2026-11-12"),
        overdue: Vec::new(),
        ..stopped
    };
    store.book(&tenant(), booked(vec![kept], false), zone()).await.unwrap();
    for (latest, outcome) in [(false, Outcome::Breached), (true, Outcome::Met)] {
        let november = Asked { from: date("2026-11-01"), to: date("2026-11-30"), latest };
        let found = store.entries(&tenant(), november).await.unwrap();
        let found: Vec<_> = found.iter().map(|entry| (entry.outcome, entry.stop_day)).collect();
        assert_eq!(found, [(outcome, Some(date("2026-11-12")))]);
        assert!(store.overdue_stretches(&tenant(), None, november, true).await.unwrap().is_empty());
    }
    assert_eq!(days_of(&store, ("2026-10-01", "2026-10-31")).await, october_before);
    // Taken back altogether, it stops nowhere.
    let nothing = Booked { entries: Some(Vec::new()), ..booked(entries(), false).swap_remove(0) };
    let marked = Marked { ticket: TicketId::parse("2").unwrap(), ..nothing.marked.clone() };
    store.book(&tenant(), vec![Booked { marked, ..nothing }], zone()).await.unwrap();
    let november = Asked { from: date("2026-11-01"), to: date("2026-11-30"), latest: false };
    assert!(store.entries(&tenant(), november).await.unwrap().is_empty());
    assert_eq!(days_of(&store, ("2026-10-01", "2026-10-31")).await, october_before);
}

#[tokio::test]
async fn in_an_open_month_a_revision_takes_the_place_of_what_it_corrects() {
    let (_folder, store) = empty().await;
    store.book(&tenant(), booked(entries(), false), Tz::named("America/New_York")).await.unwrap();
    let written = store.book(&tenant(), booked(two_as_decided(), false), Tz::named("America/New_York")).await.unwrap();
    assert_eq!((written.revised, written.corrections), (1, 0));
    assert_eq!(all_of_october(&store, false).await, (12, 14));
    let friday = days_of(&store, ("2026-10-30", "2026-10-30")).await;
    assert_eq!((friday[0].met, friday[0].breached, friday[0].overdue), (5, 0, 0));
}

/// A ticket that is resolved, reopened before the day is over, and resolved again: its decision is withdrawn and made
/// again.
#[tokio::test]
async fn a_decision_that_was_taken_back_may_be_made_again_and_counts_once() {
    let zone = || Tz::named("America/New_York");
    for is_closed in [false, true] {
        let (_folder, store) = empty().await;
        store.book(&tenant(), booked(entries(), false), zone()).await.unwrap();
        if is_closed {
            store.close_month(&tenant(), (date("2026-10-15"), Tz::UTC), at("2026-11-08T12:00:00Z")).await.unwrap();
        }
        let of_one: Vec<Entry> = entries().into_iter().filter(|entry| &*entry.ticket == "1").collect();
        let open: Vec<Entry> = of_one.iter().filter(|entry| entry.clock != ClockKind::Resolution).cloned().collect();
        for _ in 0..2 {
            let taken_back = store.book(&tenant(), booked(open.clone(), false), zone()).await.unwrap();
            assert_eq!((taken_back.new, taken_back.revised), (0, 1));
            let counted = if is_closed { (11, 14) } else { (10, 13) };
            assert_eq!(all_of_october(&store, false).await, counted, "closed: {is_closed}");
            let again = store.book(&tenant(), booked(of_one.clone(), false), zone()).await.unwrap();
            assert_eq!((again.new, again.revised), (0, 1));
            assert_eq!(all_of_october(&store, false).await, (11, 14), "closed: {is_closed}");
        }
        assert_eq!(all_of_october(&store, true).await, (11, 14), "as is known now");
    }
}

#[tokio::test]
async fn what_is_marked_while_it_is_booked_is_booked_again() {
    let (_folder, store) = empty().await;
    let mark = |store: &Store| {
        let store = store.clone();
        async move {
            let id = TicketId::parse("2").unwrap();
            store
                .writer
                .write(move |tx: &mut Connection| Box::pin(async move { super::mark(tx, &tenant(), [&id]).await }))
                .await
                .unwrap();
        }
    };
    let now = at("2026-11-03T17:00:00Z");
    mark(&store).await;
    let taken = store.to_book(now, 10).await.unwrap();
    mark(&store).await;
    let book = |marked: &[Marked], next| {
        let one = |marked: &Marked| Booked { marked: marked.clone(), entries: None, next };
        marked.iter().map(one).collect::<Vec<_>>()
    };
    store.book(&tenant(), book(&taken, None), Tz::named("America/New_York")).await.unwrap();
    let again = store.to_book(now, 10).await.unwrap();
    assert_eq!(again.len(), 1, "the second mark is not lost");
    let later = at("2026-11-04T05:00:00Z");
    store.book(&tenant(), book(&again, Some(later)), Tz::named("America/New_York")).await.unwrap();
    assert!(store.to_book(now, 10).await.unwrap().is_empty());
    assert_eq!(store.next_to_book().await.unwrap(), Some(later));
}

#[tokio::test]
async fn a_persons_word_comes_before_the_history_and_moves_no_closed_month() {
    let (_folder, store) = empty().await;
    store.book(&tenant(), booked(entries(), false), Tz::named("America/New_York")).await.unwrap();
    let now = at("2026-11-08T12:00:00Z");
    let hash = store.close_month(&tenant(), (date("2026-10-15"), Tz::UTC), now).await.unwrap();
    let breach = entries().into_iter().find(|entry| entry.outcome == Outcome::Breached).unwrap();
    let ticket = TicketId::parse(&breach.ticket).unwrap();
    let missed = || Missed { ticket: ticket.clone(), clock: breach.clock, round: breach.round };
    let mia = || Author { who: "Mia".to_owned(), origin: "command line".to_owned() };
    let word =
        breach.reason.filter(|reason| *reason == Reason::Waiting).map_or(Reason::Waiting, |_| Reason::Understaffed);
    assert!(store.say_reason(&tenant(), missed(), Some(word), mia(), now).await.unwrap());
    // Later bookings leave it alone.
    store.book(&tenant(), booked(entries(), false), Tz::named("America/New_York")).await.unwrap();
    let found = || async {
        let all = store.breaches_of(&tenant(), &[&breach.ticket]).await.unwrap();
        all.into_iter().find(|one| (one.clock, one.round) == (breach.clock, breach.round)).unwrap()
    };
    let said = found().await;
    assert_eq!((said.final_reason(), said.reason), (Some(word), breach.reason));
    assert_eq!(&*said.said.unwrap().by, "Mia");
    assert_eq!(store.month_hash(&tenant(), date("2026-10-01")).await.unwrap(), hash);
    store.say_reason(&tenant(), missed(), None, mia(), now).await.unwrap();
    assert_eq!(found().await.final_reason(), breach.reason, "the word is taken back");
    let nowhere = Missed { round: 99, ..missed() };
    assert!(!store.say_reason(&tenant(), nowhere, Some(word), mia(), now).await.unwrap());
    let written: Vec<String> =
        sql::query_scalar("SELECT what FROM audit ORDER BY id").fetch_all(&store.reads).await.unwrap();
    assert_eq!(written.len(), 2, "{written:?}");
    assert!(written[0].ends_with(&format!("is called {}", word.as_str())), "{written:?}");
}

#[tokio::test]
async fn what_was_worked_out_of_a_month_holds_until_something_of_it_changes() {
    let (_folder, store) = empty().await;
    let zone = || Tz::named("America/New_York");
    let of = async |from: &str, to: &str| store.book_changes(&tenant(), (date(from), date(to))).await.unwrap();
    let months = async || (of("2026-10-01", "2026-10-31").await, of("2026-11-01", "2026-11-30").await);
    store.book(&tenant(), booked(entries(), false), zone()).await.unwrap();
    let now = at("2026-11-08T12:00:00Z");
    let open = months().await;
    store.close_month(&tenant(), (date("2026-10-15"), Tz::UTC), now).await.unwrap();
    let closed = months().await;
    assert_eq!((closed.0 > open.0, closed.1), (true, open.1), "it is closed");
    let another = |entry: Entry| Entry {
        ticket: "99".into(),
        day: date("2026-11-20"),
        stop_day: Some(date("2026-11-20")),
        overdue: Vec::new(),
        ..entry
    };
    let later: Vec<Entry> = entries().into_iter().filter(|entry| &*entry.ticket == "1").map(another).collect();
    store.book(&tenant(), booked(later, false), zone()).await.unwrap();
    store.book(&tenant(), booked(entries(), false), zone()).await.unwrap();
    let busy = months().await;
    assert_eq!((busy.0, busy.1 > closed.1), (closed.0, true), "what happens in November is nothing to October");
    store.book(&tenant(), booked(two_as_decided(), false), zone()).await.unwrap();
    let corrected = months().await.0;
    assert!(corrected > busy.0, "a correction");
    let breach = entries().into_iter().find(|entry| entry.outcome == Outcome::Breached).unwrap();
    let ticket = TicketId::parse(&breach.ticket).unwrap();
    let missed = Missed { ticket, clock: breach.clock, round: breach.round };
    let mia = Author { who: "Mia".to_owned(), origin: "command line".to_owned() };
    store.say_reason(&tenant(), missed, Some(Reason::Understaffed), mia, now).await.unwrap();
    let said = months().await.0;
    assert!(said > corrected, "a person's word");
    let call = async |name: &'static str| {
        let write = async move |tx: &mut Connection| {
            super::introduce(tx, &tenant(), [("client", "7", name)].into_iter(), now).await
        };
        store.writer.write(move |tx: &mut Connection| Box::pin(async move { write(tx).await })).await.unwrap();
        months().await.0
    };
    let named = call("Globex").await;
    assert!(named > said, "a name");
    assert_eq!(call("Globex").await, named, "the same name");
    assert!(call("Globex Corporation").await > named, "a new name");
}

#[tokio::test]
async fn overdue_time_as_is_known_now_is_that_of_the_corrections() {
    let (_folder, store) = empty().await;
    let zone = || Tz::named("America/New_York");
    store.book(&tenant(), booked(entries(), false), zone()).await.unwrap();
    store.close_month(&tenant(), (date("2026-10-15"), Tz::UTC), at("2026-11-08T12:00:00Z")).await.unwrap();
    let friday = async |latest: bool| {
        let asked = Asked { latest, ..october() };
        let mut days = store.overdue_stretches(&tenant(), None, asked, false).await.unwrap();
        length(&union(days.remove(&date("2026-10-30")).unwrap_or_default())).num_minutes()
    };
    assert_eq!((friday(false).await, friday(true).await), (120, 120));
    // The same breach, with another priority.
    let other = |entry: Entry| Entry { priority: Some("Low".into()), ..entry };
    let two = entries().into_iter().filter(|entry| &*entry.ticket == "2").map(other).collect();
    store.book(&tenant(), booked(two, false), zone()).await.unwrap();
    assert_eq!((friday(false).await, friday(true).await), (120, 120));
    store.book(&tenant(), booked(two_as_decided(), false), zone()).await.unwrap();
    assert_eq!((friday(false).await, friday(true).await), (120, 0), "it was no breach");
}

#[tokio::test]
async fn stretches_that_overlap_count_once_in_the_overdue_time_of_a_day() {
    let (_folder, store) = empty().await;
    let minute = |minute: i64| DateTime::from_timestamp(1_800_000_000 + 60 * minute, 0).unwrap();
    for day in 0..20 {
        let mut random = fastrand::Rng::with_seed(u64::try_from(day).unwrap());
        let stretches: Vec<_> = (0..day)
            .map(|_| (random.i64(0..60), random.i64(0..15), i64::from(random.bool())))
            .map(|(from, length, maintenance)| (minute(from), minute(from + length), maintenance))
            .collect();
        let rows = stretches.clone();
        let write = async move |tx: &mut sql::Connection| {
            for (entry, (from, to, maintenance)) in (0_i64..).zip(rows) {
                let row = sql::query(
                    "INSERT INTO overdue (entry, tenant, day, from_at, to_at, maintenance) VALUES ($1, $2, $3, $4, $5, $6)",
                );
                let row = row.bind(100 * day + entry).bind("acme").bind(day).bind(millis(from)).bind(millis(to));
                row.bind(maintenance).execute(&mut *tx).await?;
            }
            sums::overdue(tx, &tenant(), day).await
        };
        let summed = store.writer.write(move |tx: &mut sql::Connection| Box::pin(async move { write(tx).await }));
        let long = |of: &dyn Fn(i64) -> bool| {
            let some = stretches.iter().filter(|(.., maintenance)| of(*maintenance)).map(|(from, to, _)| (*from, *to));
            length(&union(some.collect())).num_milliseconds()
        };
        assert_eq!(summed.await.unwrap(), [long(&|_| true), long(&|maintenance| maintenance == 0)], "{stretches:?}");
    }
}

/// Returns everything that reports read from the books, for several periods.
async fn all_read(store: &Store) -> Vec<(Vec<Entry>, Vec<Technician>)> {
    let mut read = Vec::new();
    for (from, to) in [("2026-10-29", "2026-11-02"), ("2026-10-31", "2026-10-31"), ("2026-01-01", "2026-12-31")] {
        let period = Period::new(date(from), date(to)).unwrap();
        let question = Question { period, with_maintenance: false };
        for latest in [false, true] {
            let asked = Asked { from: period.before().from, to: period.to, latest };
            let entries = store.entries(&tenant(), asked).await.unwrap();
            let mut count = Count::new(question);
            store.count_entries(&tenant(), (asked.from, asked.to), &mut count).await.unwrap();
            let counted = count.done();
            assert!(latest || counted == technicians(entries.iter(), &question), "{period:?}");
            read.push((entries, counted));
        }
    }
    read
}

/// An event in the books, the same in each of `stores`.
async fn happens(chance: &mut fastrand::Rng, stores: &[&Store]) {
    let mut tickets = booked(entries(), false);
    let mut one = tickets.swap_remove(chance.usize(..tickets.len()));
    let now = at("2026-11-08T12:00:00Z");
    let what = chance.u8(..8);
    let of_one = one.entries.as_mut().unwrap();
    let other = chance.usize(..of_one.len());
    match what {
        0 => drop(of_one.remove(other)),
        1 => of_one[other].outcome = Outcome::Met,
        2 => of_one[other].counted += chance.i64(0..9),
        3 => of_one[other].shares[0].paused += chance.i64(0..9),
        4 => of_one[other].day = date("2026-10-31") + chrono::Days::new(chance.u64(..9)),
        _ => {}
    }
    let missed = Missed { ticket: one.marked.ticket.clone(), clock: of_one[0].clock, round: of_one[0].round };
    let word = chance.bool().then_some(Reason::Waiting);
    for store in stores {
        let author = Author { who: "Mia".to_owned(), origin: "command line".to_owned() };
        match what {
            5 => drop(store.say_reason(&tenant(), missed.clone(), word, author, now).await.unwrap()),
            6 if word.is_some() => {
                drop(store.close_month(&tenant(), (date("2026-10-15"), Tz::UTC), now).await.unwrap())
            }
            _ => drop(store.book(&tenant(), vec![one.clone()], Tz::UTC).await.unwrap()),
        }
    }
}

#[tokio::test]
async fn what_is_packed_reads_as_its_rows_do_whatever_happened_before() {
    for seed in 0..6 {
        let ((_a, plain), (_b, packing)) = (empty().await, empty().await);
        let mut chance = fastrand::Rng::with_seed(seed);
        for store in [&plain, &packing] {
            store.book(&tenant(), booked(entries(), false), Tz::UTC).await.unwrap();
            while store.sum_up_a_day().await.unwrap() {}
        }
        for _ in 0..25 {
            packing.pack_days(&tenant(), date("2026-11-20"), chance.usize(..60)).await.unwrap();
            happens(&mut chance, &[&plain, &packing]).await;
            assert_eq!(all_read(&packing).await, all_read(&plain).await, "{seed}");
        }
        while packing.pack_days(&tenant(), date("2026-11-20"), 10).await.unwrap() > 0 {}
        assert_eq!(all_read(&packing).await, all_read(&plain).await, "{seed}");
        let mut checked = Checked::default();
        look::look(&mut packing.reads.acquire().await.unwrap(), &mut checked).await.unwrap();
        let found: Vec<_> = checked.findings.iter().map(|finding| &finding.what).collect();
        assert!(found.iter().all(|what| !what.contains("packed")), "{found:?}");
    }
}

#[tokio::test]
async fn a_packed_day_is_read_without_its_rows_and_one_of_another_form_is_not_read() {
    let (_folder, store) = empty().await;
    store.book(&tenant(), booked(entries(), false), Tz::UTC).await.unwrap();
    while store.sum_up_a_day().await.unwrap() {}
    store.pack_days(&tenant(), date("2026-11-20"), 100).await.unwrap();
    let spoil = |text: &'static str| {
        store.writer.write(move |tx: &mut sql::Connection| Box::pin(async move { sql::query(text).execute(tx).await }))
    };
    spoil("UPDATE entries SET counted = counted + 1").await.unwrap();
    let counted = async || {
        let all = store.entries(&tenant(), october()).await.unwrap();
        let of_october = all.iter().filter(|entry| entry.day <= october().to && entry.day >= october().from);
        of_october.map(|entry| entry.counted % 1000).max().unwrap()
    };
    assert_eq!(counted().await, 0);
    spoil("UPDATE packed_days SET version = 99").await.unwrap();
    assert_eq!(counted().await, 1);
    store.pack_days(&tenant(), date("2026-11-20"), 100).await.unwrap();
    spoil("UPDATE packed_days SET packed = substr(packed, 1, 40)").await.unwrap();
    let broken = store.entries(&tenant(), october()).await.unwrap_err().to_string();
    assert!(broken.contains("run `superops-sla report rebuild`"), "{broken}");
    store.sum_up_all(&tenant()).await.unwrap();
    assert_eq!(counted().await, 1, "it is read from its rows again");
}
