//! The worked example of what the figures mean: twelve tickets over the week in which New York's clocks go back.

mod minutes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};

use super::*;
use crate::report::Period;
use crate::report::day::days;
use crate::report::figures::{Question, Summary, summary};
use crate::report::interval::{Confidence, wilson};
use crate::report::rate::Rate;
use crate::report::technician::technicians;
use crate::sla::calendar::{Calendar, CalendarSpec, midnight};
use crate::sla::history::{History, beginning};
use crate::sla::policy::{Counts, Policy};
use crate::sla::tenant_rules::{RulesConfig, TenantRules, Warn};
use crate::sla::zone::Tz;
use crate::ticket::conversation::{Answerer, ConversationSummary};
use crate::ticket::manual_override::{ManualOverride, OverrideAction};
use crate::ticket::observe::{observe, vanish};
use crate::ticket::tests::{named, sample};
use crate::ticket::watch::{Bounds, Change, Watched};
use crate::ticket::{Directory, StatusWords, TenantId, Ticket};

/// Thu 29 October 2026 is the first of the five days; on Sunday the clocks go back.
fn at(text: &str) -> DateTime<Utc> {
    let (day, time) = text.split_once(' ').unwrap();
    let place = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue"].iter().position(|name| *name == day).unwrap();
    let date = first() + Days::new(place as u64);
    let (hour, minute) = time.split_once(':').unwrap();
    let (hour, minute): (i64, i64) = (hour.parse().unwrap(), minute.parse().unwrap());
    let local = date.and_time(chrono::NaiveTime::MIN) + TimeDelta::minutes(hour * 60 + minute);
    local.and_local_timezone(Tz::named("America/New_York")).earliest().unwrap().to_utc()
}

fn first() -> NaiveDate {
    "2026-10-29".parse().unwrap()
}

fn policy(sla: &str, hours: (i64, i64), counts: Counts) -> Policy {
    Policy {
        tenant: None,
        sla: Some(sla.into()),
        priority: None,
        client: None,
        category: None,
        response: Some(TimeDelta::hours(hours.0)),
        resolution: Some(TimeDelta::hours(hours.1)),
        next_response: None,
        counts,
    }
}

fn rules(policies: Vec<Policy>) -> TenantRules {
    let office = vec![(9 * 60, 17 * 60)];
    let week = std::array::from_fn(|day| if day < 5 { office.clone() } else { Vec::new() });
    let spec = CalendarSpec {
        name: "office".into(),
        timezone: Tz::named("America/New_York"),
        always: false,
        week,
        ..CalendarSpec::round_the_clock()
    };
    let config = RulesConfig {
        tenant: TenantId::parse("acme").unwrap(),
        words: StatusWords::configured(&["Resolved".into()], &["Waiting".into()]),
        site_hours: false,
        msp: Some(Arc::new(Calendar::compile(spec).unwrap())),
        holiday_lists: BTreeMap::new(),
        policies,
        warn: Warn::default(),
        automation_answers: true,
    };
    TenantRules::new(config, &Directory::default())
}

fn both() -> TenantRules {
    rules(vec![policy("N", (2, 8), Counts::Business), policy("C", (1, 24), Counts::Calendar)])
}

/// A ticket as it is seen change by change.
#[derive(Clone)]
struct Life {
    watched: Watched,
    changes: Vec<Change>,
    handovers: Vec<Handover>,
    first_answer_by: Option<RefId>,
}

fn holder(ticket: &Ticket) -> Holder {
    ticket.technician.as_ref().map_or(Holder::Nobody, |who| Holder::Person(who.id.clone()))
}

impl Life {
    fn new(id: &str, sla: &str, created: &str, who: &str) -> Self {
        let created = at(created);
        let ticket = Ticket {
            status: Some("Open".into()),
            technician: (!who.is_empty()).then(|| named(who)),
            sla: (!sla.is_empty()).then(|| named(sla)),
            created_at: Some(created),
            updated_at: Some(created),
            ..sample(id)
        };
        let watched = Watched::new(ticket, Bounds { earliest: created, latest: created });
        Self { watched, changes: Vec::new(), handovers: Vec::new(), first_answer_by: None }
    }

    fn then(self, when: &str, change: impl FnOnce(&mut Ticket)) -> Self {
        self.then_at(at(when), change)
    }

    fn then_at(mut self, when: DateTime<Utc>, change: impl FnOnce(&mut Ticket)) -> Self {
        let mut ticket = self.watched.ticket.clone();
        ticket.updated_at = Some(when);
        change(&mut ticket);
        let (from, to) = (holder(&self.watched.ticket), holder(&ticket));
        if from != to {
            self.handovers.push(Handover { from, to, at: when });
        }
        let words = StatusWords::configured(&["Resolved".into()], &["Waiting".into()]);
        let (watched, changes) = observe(Some(&self.watched), ticket, &words, Bounds { earliest: when, latest: when });
        self.watched = watched;
        self.changes.extend(changes);
        self
    }

    fn status(self, when: &str, status: &str) -> Self {
        self.then(when, |ticket| ticket.status = Some(status.into()))
    }

    fn resolved(self, when: &str) -> Self {
        let time = at(when);
        self.then(when, |ticket| {
            ticket.status = Some("Resolved".into());
            ticket.resolution.met_at = Some(time);
        })
    }

    fn reopened(self, when: &str) -> Self {
        self.then(when, |ticket| {
            ticket.status = Some("Open".into());
            ticket.resolution.met_at = None;
        })
    }

    fn answered(mut self, when: &str, by: &str) -> Self {
        let time = at(when);
        self.first_answer_by = RefId::parse(by).ok();
        let first_answer = Some(if by.is_empty() { Answerer::Automation } else { Answerer::Technician });
        self.watched.conversation = ConversationSummary { first_answer, ..ConversationSummary::default() };
        self.then(when, |ticket| ticket.first_response.met_at = Some(time))
    }

    fn given(self, when: &str, who: &str) -> Self {
        self.then(when, |ticket| ticket.technician = Some(named(who)))
    }

    fn gone(mut self, when: &str) -> Self {
        let (watched, change) = vanish(&self.watched, Bounds { earliest: at(when), latest: at(when) });
        self.watched = watched;
        self.changes.push(change);
        self
    }

    fn book(&self, rules: &TenantRules, now: DateTime<Utc>) -> Vec<Entry> {
        self.book_by(&[Era { rules, version: 1, from: DateTime::UNIX_EPOCH }], now)
    }

    fn book_by(&self, eras: &[Era<'_>], now: DateTime<Utc>) -> Vec<Entry> {
        let history = History::tell(&self.watched, &self.changes, |status| eras[0].rules.meaning_of(status));
        let held = held(beginning(&self.watched), None, &self.handovers, holder(&self.watched.ticket));
        let facts = Facts {
            watched: &self.watched,
            history: &history,
            held: &held,
            exchanges: &[],
            first_answer_by: self.first_answer_by.as_ref(),
            eras,
            maintenance: &[],
            zone: Tz::named("America/New_York"),
        };
        book(&facts, now)
    }
}

fn lives() -> Vec<Life> {
    vec![
        Life::new("1", "N", "Thu 10:00", "Ada").answered("Thu 10:30", "Ada").resolved("Thu 15:00"),
        Life::new("2", "N", "Thu 13:00", "Ada")
            .answered("Thu 13:20", "Ada")
            .given("Fri 10:00", "Ben")
            .resolved("Fri 15:00"),
        Life::new("3", "N", "Thu 09:00", "Ben")
            .answered("Thu 09:45", "Ben")
            .status("Thu 11:00", "Waiting")
            .status("Mon 11:00", "Open")
            .resolved("Mon 16:00"),
        Life::new("4", "N", "Thu 09:00", "Ada")
            .answered("Thu 09:10", "Ada")
            .resolved("Thu 12:00")
            .reopened("Mon 09:00")
            .resolved("Mon 15:00"),
        Life::new("5", "C", "Sat 22:00", "Ben").answered("Sat 22:40", "Ben").resolved("Sun 21:30"),
        Life::new("6", "C", "Sat 22:30", "")
            .given("Sat 23:50", "Ada")
            .answered("Sat 23:55", "Ada")
            .resolved("Sun 10:00"),
        Life::new("7", "N", "Fri 09:00", "Ada").answered("Fri 09:01", "").resolved("Fri 11:00"),
        Life::new("8", "N", "Fri 10:00", "Ben").gone("Fri 11:00"),
        Life::new("9", "N", "Fri 09:00", "Ben").answered("Fri 10:00", "Ben"),
        Life::new("10", "", "Thu 14:00", "Ada").answered("Thu 14:30", "Ada").resolved("Fri 10:00"),
        Life::new("11", "N", "Fri 16:00", "Ben").answered("Mon 09:30", "Ben").resolved("Mon 12:00"),
        Life::new("12", "N", "Thu 09:00", "Ada")
            .answered("Thu 11:30", "Ada")
            .status("Thu 16:50", "Waiting")
            .status("Fri 15:00", "Open")
            .resolved("Fri 15:05"),
    ]
}

/// What is booked of the twelve on Tuesday at noon.
pub fn entries() -> Vec<Entry> {
    lives().iter().flat_map(|life| life.book(&both(), at("Tue 12:00"))).collect()
}

fn october() -> Question {
    let period = Period::new("2026-10-01".parse().unwrap(), "2026-10-31".parse().unwrap()).unwrap();
    Question { period, with_maintenance: false }
}

fn sum(entries: &[Entry], question: &Question) -> Summary {
    summary(entries.iter(), question)
}

fn breach(entries: &[Entry], ticket: &str) -> DateTime<Utc> {
    let own = |entry: &&Entry| &*entry.ticket == ticket && entry.outcome == Outcome::Breached;
    entries.iter().find(own).unwrap().decided_at - TimeDelta::milliseconds(1)
}

#[test]
fn a_clock_breaks_where_its_counted_time_is_exceeded() {
    let entries = entries();
    assert_eq!(breach(&entries, "2"), at("Fri 13:00"));
    assert_eq!(breach(&entries, "5"), at("Sun 21:00"), "24 hours after 22:00 of a day with 25");
    assert_eq!(breach(&entries, "6"), "2026-11-01T03:30:00Z".parse::<DateTime<Utc>>().unwrap());
    let response = entries.iter().find(|entry| &*entry.ticket == "6" && entry.outcome == Outcome::Breached).unwrap();
    assert_eq!(response.day, "2026-10-31".parse().unwrap(), "October still");
    assert_eq!(breach(&entries, "9"), at("Mon 09:00"), "eight hours are full on Friday, and exceeded on Monday");
    let second = entries.iter().find(|entry| &*entry.ticket == "4" && entry.round == 2).unwrap();
    assert_eq!(second.decided_at - TimeDelta::milliseconds(1), at("Mon 14:00"), "with the time of both rounds");
    let shares = |ticket: &str| {
        let own =
            entries.iter().find(|entry| &*entry.ticket == ticket && entry.clock == ClockKind::Resolution).unwrap();
        own.shares.iter().map(|share| (share.holder.to_string(), share.weight)).collect::<Vec<_>>()
    };
    assert_eq!(shares("2"), [("Ada".to_owned(), 625_000), ("Ben".to_owned(), 375_000)]);
}

#[test]
fn october_comes_out_as_by_hand() {
    let entries = entries();
    let sum = sum(&entries, &october());
    let [response, resolution, next] = sum.clocks;
    let of = |rate: Rate| (rate.met, rate.of);
    assert_eq!((of(response), of(resolution), of(next)), ((7, 9), (4, 5), (0, 0)));
    assert_eq!((of(sum.all), sum.all.tenths()), ((11, 14), Some(786)));
    let interval = wilson(sum.all, Confidence::P95).unwrap();
    assert_eq!([interval.low, interval.high].map(|end| (end * 1000.0).round()), [524.0, 924.0]);
    assert_eq!(of(sum.final_resolution), (3, 4));
    assert_eq!(of(sum.all_kept), (3, 6));
    let out: BTreeSet<&str> = entries
        .iter()
        .filter(|entry| october().period.has(entry.day) && entry.outcome == Outcome::Excluded)
        .map(|entry| &*entry.ticket)
        .collect();
    assert_eq!(out, BTreeSet::from(["10", "8"]));
    let minutes = |length: Option<i64>| length.unwrap() as f64 / 60_000.0;
    let spread = sum.response;
    assert_eq!((spread.n, spread.mean.unwrap() / 1000), (9, 52 * 60 + 13));
    assert_eq!((minutes(spread.median), minutes(spread.p90)), (40.0, 150.0));
    let spread = sum.resolution;
    assert_eq!((spread.n, spread.mean.unwrap() / 1000), (6, 5 * 3600 + 19 * 60 + 10));
    assert_eq!((minutes(spread.median), minutes(spread.p90)), (270.0, 600.0));
    assert_eq!((sum.paused.met / 60_000, sum.paused.of / 60_000), (370, 2285));
    assert_eq!(of(sum.reopened), (1, 6));
    assert_eq!(of(sum.automation), (1, 10));
    assert_eq!(sum.signs[&Sign::PausedLate].met, 1);
    let paused = entries.iter().find(|entry| entry.signs.has(Sign::PausedLate)).unwrap();
    assert_eq!((&*paused.ticket, paused.clock), ("12", ClockKind::Resolution));
}

#[test]
fn each_day_has_its_rate_and_the_time_that_was_overdue() {
    let entries = entries();
    let period = Period::new(first(), first() + Days::new(4)).unwrap();
    let days = days(entries.iter(), period, Tz::named("America/New_York"), &Vec::new(), false);
    let rates: Vec<_> = days.iter().map(|day| (day.rate.met, day.rate.of)).collect();
    assert_eq!(rates, [(6, 7), (4, 5), (1, 2), (1, 2), (3, 4)]);
    let down: Vec<_> = days.iter().map(|day| day.downtime.num_minutes()).collect();
    assert_eq!(down, [30, 120, 25, 30, 480]);
    assert_eq!(days[3].uptime.num_minutes(), 1470, "of a day with 25 hours");
    for day in &days {
        let next = midnight(Tz::named("America/New_York"), day.date + Days::new(1)).unwrap();
        assert_eq!(day.uptime + day.downtime, next - midnight(Tz::named("America/New_York"), day.date).unwrap());
    }
    assert_eq!((days[4].week.met, days[4].week.of), (15, 20));
}

#[test]
fn by_held_time_the_order_of_two_people_turns() {
    let entries = entries();
    let people = technicians(entries.iter(), &october());
    let names: Vec<_> = people.iter().map(|one| one.holder.to_string()).collect();
    assert_eq!(names, ["Ada", "Ben", "nobody", "automation"]);
    let [ada, ben, nobody, automation] = &people[..] else { panic!() };
    assert_eq!(((ada.tickets.met, ada.tickets.of), ada.tickets.tenths()), ((4, 5), Some(800)));
    assert_eq!(((ben.tickets.met, ben.tickets.of), ben.tickets.tenths()), ((3, 4), Some(750)));
    assert_eq!((ada.weighted, ada.weighted.tenths()), (Rate::new(7_000_000, 8_625_000), Some(812)));
    assert_eq!((ben.weighted, ben.weighted.tenths()), (Rate::new(3_000_000, 3_375_000), Some(889)));
    assert_eq!((nobody.breaches, automation.breaches), (1, 0));
    let weight: u64 = people.iter().map(|one| one.weighted.of).sum();
    assert_eq!(weight, 14_000_000, "nothing is lost and nothing counts twice");
    assert_eq!(people.iter().map(|one| one.breaches).sum::<u64>(), 3);
}

/// The second ticket after 12 November, when a person decided that it had been done in time.
pub fn two_as_decided() -> Vec<Entry> {
    let mut two = lives().swap_remove(1);
    let at: DateTime<Utc> = "2026-11-12T15:00:00Z".parse().unwrap();
    let action = OverrideAction::StoppedAt(self::at("Fri 12:55"));
    let (reason, by) = ("agreed by telephone".into(), "Eve".into());
    two.watched.overrides = vec![ManualOverride { clock: ClockKind::Resolution, cycle: 0, action, reason, by, at }];
    two.book(&both(), at + TimeDelta::hours(1))
}

#[test]
fn a_later_word_of_a_person_changes_the_verdict() {
    let before = lives().swap_remove(1).book(&both(), "2026-11-12T16:00:00Z".parse().unwrap());
    let after = two_as_decided();
    let of = |entries: &[Entry]| entries.iter().find(|entry| entry.clock == ClockKind::Resolution).unwrap().clone();
    assert_eq!((of(&before).outcome, of(&after).outcome), (Outcome::Breached, Outcome::Met));
    assert!(!of(&before).is_same_decision(&of(&after)));
    assert_eq!(of(&after).decided_at, at("Fri 12:55"));
}

#[test]
fn a_newer_policy_judges_nothing_again() {
    let strict = rules(vec![policy("N", (1, 2), Counts::Business)]);
    let loose = both();
    let eras = |from: &str| {
        [
            Era { rules: &loose, version: 1, from: DateTime::UNIX_EPOCH },
            Era { rules: &strict, version: 2, from: at(from) },
        ]
    };
    let life = &lives()[0];
    let of = |from: &str| {
        let entries = life.book_by(&eras(from), at("Tue 12:00"));
        let resolution = entries.into_iter().find(|entry| entry.clock == ClockKind::Resolution).unwrap();
        (resolution.outcome, resolution.version, resolution.decided_at)
    };
    assert_eq!(of("Thu 16:00"), (Outcome::Met, 1, at("Thu 15:00")), "it was decided before the newer one held");
    assert_eq!(of("Thu 14:00"), (Outcome::Breached, 2, at("Thu 14:00")), "it was open, and late at once");
}

#[test]
fn a_short_closing_ends_no_round_and_a_long_one_does() {
    let short =
        Life::new("1", "N", "Thu 09:00", "Ada").resolved("Thu 11:00").reopened("Thu 13:00").resolved("Thu 15:00");
    let entries = short.book(&both(), at("Tue 12:00"));
    let resolutions: Vec<_> = entries.iter().filter(|entry| entry.clock == ClockKind::Resolution).collect();
    let [one] = &resolutions[..] else { panic!("{resolutions:?}") };
    assert_eq!((one.stopped_at, one.counted / 3_600_000, one.reopened_at), (Some(at("Thu 15:00")), 4, None));
    let open = Life::new("1", "N", "Thu 09:00", "Ada").resolved("Thu 11:00").reopened("Thu 13:00");
    assert!(open.book(&both(), at("Thu 14:00")).iter().all(|entry| entry.clock != ClockKind::Resolution));
}

#[test]
fn what_is_removed_after_its_breach_stays_breached() {
    let gone = Life::new("1", "N", "Thu 09:00", "Ada").gone("Fri 12:00");
    let entries = gone.book(&both(), at("Tue 12:00"));
    assert!(
        entries.iter().all(|entry| entry.outcome == Outcome::Breached && entry.signs.has(Sign::Removed)),
        "{entries:?}"
    );
    let early = Life::new("1", "N", "Thu 09:00", "Ada").gone("Thu 10:00").book(&both(), at("Tue 12:00"));
    assert!(early.iter().all(|entry| entry.outcome == Outcome::Excluded && entry.why == Some(Exclusion::Vanished)));
    assert_eq!(early.len(), 2);
}

#[test]
fn what_its_status_calls_merged_or_deleted_in_time_is_left_out() {
    for (status, why) in [("Merged", Exclusion::Merged), ("Deleted", Exclusion::Deleted)] {
        let gone = Life::new("1", "N", "Thu 09:00", "Ada").status("Thu 10:00", status);
        let entries = gone.book(&both(), at("Tue 12:00"));
        assert_eq!(entries.iter().map(|entry| entry.why).collect::<Vec<_>>(), [Some(why); 2]);
    }
    let late = Life::new("1", "N", "Thu 09:00", "Ada").status("Fri 12:00", "Merged").book(&both(), at("Tue 12:00"));
    assert!(late.iter().all(|entry| entry.outcome == Outcome::Breached), "{late:?}");
}

#[test]
fn breaches_have_the_first_reason_that_fits() {
    let of = |life: Life| {
        let entries = life.book(&both(), at("Tue 12:00"));
        entries.into_iter().find_map(|entry| entry.reason).unwrap()
    };
    assert_eq!(of(lives().swap_remove(4)), Reason::OutOfHours);
    assert_eq!(of(Life::new("1", "N", "Thu 09:00", "")), Reason::Unassigned);
    assert_eq!(of(lives().swap_remove(11)), Reason::Waiting, "the first answer came after two and a half hours");
    let touched = |life: Life, times: &[&str]| {
        times.iter().enumerate().fold(life, |life, (n, when)| life.status(when, ["Busy", "Open"][n % 2]))
    };
    let busy = touched(Life::new("1", "N", "Thu 09:00", "Ada"), &["Thu 09:30", "Thu 10:00", "Thu 10:30", "Thu 11:00"]);
    assert_eq!(of(busy.clone()), Reason::WorkedOn);
    // First seen when already late: nobody knows whether somebody was working on it.
    let late = |mut life: Life| {
        life.watched.first_seen_at = at("Thu 12:00");
        life
    };
    assert_eq!(of(late(busy)), Reason::Unwatched);
    assert_eq!(of(late(lives().swap_remove(11))), Reason::Unwatched);
}
