//! How fast the clocks are, against the goals: `cargo bench --bench sla`.
//!
//! Three figures, each on one core: questions put to a calendar, beside a
//! straightforward day-by-day calendar asked the same in the same run; a full
//! evaluation of 100,000 open tickets; and the allocations that either makes,
//! which must be none. A plain program rather than a benchmark library: the goals
//! are totals and a ratio, not statistics of one call.

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Datelike, Days, MappedLocalTime, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use superops_sla::sla::calendar::{Calendar, CalendarSpec};
use superops_sla::sla::clock::{Clocks, Truth, explain};
use superops_sla::sla::history::History;
use superops_sla::sla::policy::{Counts, Policy};
use superops_sla::sla::tenant_rules::{RulesConfig, TenantRules, Warn};
use superops_sla::sla::zone::Tz;
use superops_sla::ticket::watch::{Bounds, Change, ChangeKind, Watched};
use superops_sla::ticket::{ClockKind, Directory, Named, RefId, Reported, StatusWords, TenantId, Ticket, TicketId};

const QUESTIONS: usize = 1_000_000;
/// The day-by-day calendar is asked fewer: it is slow.
const PLAIN_QUESTIONS: usize = 5_000;
const TICKETS: usize = 100_000;
const ROUNDS: usize = 15;

fn main() {
    fastrand::seed(7);
    let spec = split_shifts();
    questions(&spec);
    tickets(spec);
}

/// One question: how much working time to an instant, or when an amount of it is over.
#[derive(Clone, Copy)]
enum Question {
    Between(DateTime<Utc>, DateTime<Utc>),
    Add(DateTime<Utc>, TimeDelta),
}

fn questions(spec: &CalendarSpec) {
    let calendar = Calendar::compile(spec.clone()).expect("it has open hours");
    let plain = DayByDay { spec };
    let asked: Vec<Question> = (0..QUESTIONS).map(|_| any_question()).collect();
    let ours = |questions: &[Question]| questions.iter().map(|one| calendar.answer(*one)).fold(0, i64::wrapping_add);
    let theirs = |questions: &[Question]| questions.iter().map(|one| plain.answer(*one)).fold(0, i64::wrapping_add);
    let few = &asked[..PLAIN_QUESTIONS];
    assert_eq!(ours(few), theirs(few), "both calendars give the same answers");

    let allocations = allocation_counter::measure(|| {
        black_box(ours(&asked));
    })
    .count_total;
    let rate = rate(
        QUESTIONS,
        quickest(|| {
            black_box(ours(black_box(&asked)));
        }),
    );
    let plain_rate = self::rate(
        PLAIN_QUESTIONS,
        quickest(|| {
            black_box(theirs(black_box(few)));
        }),
    );
    println!("calendar, compiled:    {rate:>12.0} questions/s, {allocations} allocations");
    println!(
        "calendar, day by day:  {plain_rate:>12.0} questions/s, the same questions: {:.0} times slower",
        rate / plain_rate
    );
    assert_eq!(allocations, 0, "the hot path allocates nothing");
}

fn any_question() -> Question {
    let minute = |limit: i64| TimeDelta::minutes(fastrand::i64(0..limit));
    let from = instant("2026-01-01T00:00:00Z") + minute(365 * 1440);
    if fastrand::bool() {
        Question::Between(from, from + minute(365 * 1440))
    } else {
        Question::Add(from, minute(2_000 * 60))
    }
}

trait Answer {
    fn answer(&self, question: Question) -> i64;
}

impl Answer for Calendar {
    fn answer(&self, question: Question) -> i64 {
        match question {
            Question::Between(from, to) => self.between(from, to).num_milliseconds(),
            Question::Add(from, amount) => self.add(from, amount).map_or(0, |due| due.timestamp_millis()),
        }
    }
}

/// What one writes first: every day's windows made as they are needed.
struct DayByDay<'a> {
    spec: &'a CalendarSpec,
}

impl DayByDay<'_> {
    fn windows(&self, date: NaiveDate) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
        if self.spec.holidays.contains(&date) || self.spec.yearly.contains(&(date.month(), date.day())) {
            return Vec::new();
        }
        let day = &self.spec.week[date.weekday().num_days_from_monday() as usize];
        day.iter().map(|(start, end)| (self.at(date, *start), self.at(date, *end))).collect()
    }

    fn at(&self, date: NaiveDate, minutes: u16) -> DateTime<Utc> {
        let local = date.and_time(NaiveTime::MIN) + TimeDelta::minutes(minutes.into());
        match self.spec.timezone.from_local_datetime(&local) {
            MappedLocalTime::Single(at) | MappedLocalTime::Ambiguous(at, _) => at.to_utc(),
            // No office of this benchmark opens or closes where the clocks change.
            MappedLocalTime::None => local.and_utc(),
        }
    }

    fn from(&self, from: DateTime<Utc>) -> impl Iterator<Item = (DateTime<Utc>, DateTime<Utc>)> + '_ {
        let first = from.with_timezone(&self.spec.timezone).date_naive() - Days::new(1);
        first.iter_days().flat_map(|date| self.windows(date)).map(move |(start, end)| (start.max(from), end))
    }
}

impl Answer for DayByDay<'_> {
    fn answer(&self, question: Question) -> i64 {
        match question {
            Question::Between(from, to) => {
                let open = self.from(from).take_while(|(start, _)| *start < to);
                open.map(|(start, end)| (end.min(to) - start).num_milliseconds().max(0)).sum()
            }
            Question::Add(from, amount) => {
                let mut left = amount;
                for (start, end) in self.from(from).filter(|(start, end)| start < end) {
                    if left <= end - start {
                        return (start + left).timestamp_millis();
                    }
                    left -= end - start;
                }
                0
            }
        }
    }
}

fn tickets(spec: CalendarSpec) {
    let rules = rules(Calendar::compile(spec).expect("it has open hours"));
    let now = instant("2026-11-25T14:00:00Z");
    let open: Vec<Arc<Watched>> = (0..TICKETS).map(|number| Arc::new(watched(number, now))).collect();
    let walk = || -> Vec<Clocks> { open.iter().map(|one| Clocks::of(one, &rules)).collect() };
    let clocks = walk();
    let cold = quickest(|| {
        black_box(walk());
    });
    println!("the histories of {TICKETS} open tickets walked, five changes of status each: {cold:?}");
    let is_late =
        |(one, clocks): &(&Arc<Watched>, &Clocks)| clocks.at(one, &rules, now).iter().any(|clock| clock.breached);
    let evaluate = || open.iter().zip(&clocks).filter(is_late).count();
    let breached = evaluate();
    let allocations = allocation_counter::measure(|| {
        black_box(evaluate());
    })
    .count_total;
    let took = quickest(|| {
        black_box(evaluate());
    });
    println!(
        "evaluation of {TICKETS} open tickets, both clocks: {took:?}, {allocations} allocations ({breached} breached)"
    );
    assert_eq!(allocations, 0, "the hot path allocates nothing");
    recompute(&open, &rules, now);
}

/// Not in the hot path, and it allocates: all clocks explained, with what changed their targets and all three readings.
fn recompute(open: &[Arc<Watched>], rules: &TenantRules, now: DateTime<Utc>) {
    let histories: Vec<History> =
        open.iter().map(|one| History::tell(one, &one.past, |status| rules.meaning_of(status))).collect();
    let all = |(watched, history): (&Arc<Watched>, &History)| {
        let explained = ClockKind::ALL.map(|kind| explain(watched, history, kind, rules, Truth::Policy, now));
        explained.iter().flatten().count()
    };
    let took = quickest(|| {
        black_box(open.iter().zip(&histories).map(all).sum::<usize>());
    });
    println!("clocks of {TICKETS} tickets explained, all three readings: {took:?}");
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().expect("it is written above")
}

/// Open from Monday to Friday with a break, on Saturday mornings, and closed on ten holidays a year.
fn split_shifts() -> CalendarSpec {
    let mut week: [Vec<(u16, u16)>; 7] = Default::default();
    week[..5].fill(vec![(480, 750), (780, 1050)]);
    week[5] = vec![(540, 720)];
    let yearly = [(1, 1), (1, 2), (4, 3), (4, 6), (5, 4), (5, 25), (8, 31), (11, 30), (12, 25), (12, 26)];
    CalendarSpec {
        name: "split shifts".to_owned(),
        timezone: Tz::named("Europe/London"),
        always: false,
        week,
        holidays: BTreeSet::new(),
        yearly: BTreeSet::from(yearly),
    }
}

const PRIORITIES: [&str; 4] = ["Critical", "High", "Medium", "Low"];
const SLAS: [&str; 3] = ["Gold 24x7", "Silver", "Bronze"];
const STATUSES: [&str; 5] = ["Open", "In Progress", "Customer Replied", "Waiting on Customer", "On Hold"];

fn rules(calendar: Calendar) -> TenantRules {
    let policy = |(number, sla): (usize, &str)| Policy {
        tenant: None,
        sla: Some(sla.to_owned()),
        priority: Some(PRIORITIES[number % 4].to_owned()),
        client: None,
        category: None,
        response: Some(TimeDelta::hours(1 + number as i64)),
        resolution: Some(TimeDelta::hours(8 + number as i64)),
        next_response: None,
        counts: if sla == SLAS[0] { Counts::Calendar } else { Counts::Business },
    };
    let rules = RulesConfig {
        tenant: TenantId::parse("acme").expect("it is not blank"),
        words: StatusWords::default(),
        site_hours: false,
        msp: Some(Arc::new(calendar)),
        holiday_lists: BTreeMap::new(),
        policies: (0..12).map(|number| policy((number, SLAS[number / 4]))).collect(),
        warn: Warn { at: vec![0.5, 0.75, 0.9], left: vec![TimeDelta::minutes(30)] },
        automation_answers: true,
    };
    let statuses = STATUSES.map(str::to_owned).to_vec();
    TenantRules::new(rules, &Directory { statuses, ..Directory::default() })
}

fn watched(number: usize, now: DateTime<Utc>) -> Watched {
    let named = |name: &str| Some(Named { id: RefId::parse(name).expect("it is not blank"), name: name.to_owned() });
    let created = now - TimeDelta::minutes(fastrand::i64(1..30 * 1440));
    // Most are due in the next days, some are late.
    let due = |hours: i64| {
        let ahead = TimeDelta::minutes(fastrand::i64(-hours * 12..hours * 60));
        Reported { due: Some((now + ahead).max(created)), ..Reported::default() }
    };
    let status = STATUSES[number % STATUSES.len()];
    let since = created + (now - created) / 2;
    let ticket = Ticket {
        id: TicketId::parse(&format!("{number}")).expect("it is not blank"),
        display_id: format!("251126-{number}"),
        subject: "Mail server down".to_owned(),
        request_type: None,
        status: Some(status.to_owned()),
        priority: Some(PRIORITIES[fastrand::usize(..4)].to_owned()),
        category: None,
        client: named("Initech"),
        site: None,
        group: None,
        technician: named("Mia"),
        sla: named(SLAS[fastrand::usize(..3)]),
        created_at: Some(created),
        updated_at: Some(since),
        first_response: due(24),
        resolution: due(240),
        flaws: Vec::new(),
        unknown: Vec::new(),
    };
    let watched = Watched {
        status_since: Some(Bounds { earliest: since, latest: since + TimeDelta::minutes(1) }),
        ..Watched::new(ticket, Bounds { earliest: now, latest: created })
    };
    Watched { past: past_changes(&watched), ..watched }
}

/// It was parked twice for a tenth of its life, and then went to its present status.
fn past_changes(watched: &Watched) -> Vec<Change> {
    let (from, to) = (watched.first_seen_at, watched.read_at);
    let at = |share: i32| {
        let earliest = from + (to - from) / 20 * share;
        Bounds { earliest, latest: earliest + TimeDelta::minutes(1) }
    };
    let change = |from: &str, to: &str, share| Change {
        kind: ChangeKind::Status,
        from: Some(from.to_owned()),
        to: Some(to.to_owned()),
        at: at(share),
    };
    let now = watched.ticket.status.as_deref().unwrap_or_default();
    vec![
        change("Open", "On Hold", 2),
        change("On Hold", "Open", 4),
        change("Open", "On Hold", 6),
        change("On Hold", "Open", 8),
        change("Open", now, 10),
    ]
}

fn rate(times: usize, took: Duration) -> f64 {
    times as f64 / took.as_secs_f64()
}

/// The quickest of a few rounds: the one that other programs disturbed least.
fn quickest(mut round: impl FnMut()) -> Duration {
    let timed = |_| {
        let start = Stopwatch::start();
        round();
        start.elapsed()
    };
    (0..ROUNDS).map(timed).min().unwrap_or_default()
}

/// Time on the processor where the system tells it: on a busy machine the wall's says little.
struct Stopwatch {
    wall: Instant,
    on_processor: Option<Duration>,
}

impl Stopwatch {
    fn start() -> Self {
        Self { wall: Instant::now(), on_processor: on_processor() }
    }

    fn elapsed(&self) -> Duration {
        let spent = on_processor().zip(self.on_processor).map(|(now, then)| now.saturating_sub(then));
        spent.unwrap_or_else(|| self.wall.elapsed())
    }
}

/// Linux: what this thread has had of a processor so far.
fn on_processor() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}
