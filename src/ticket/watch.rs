//! What we learned by watching a ticket: SuperOps keeps no history, so each
//! snapshot is compared with the last.
//!
//! A change seen between two reads happened at some moment between them; both
//! ends are kept, so that a figure built on it can say how sure it is.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::by_hand::{Override, Ruling};
use super::talk::Talk;
use super::{ClockKind, Named, StatusMeaning, StatusWords, Ticket};

/// A moment known only to lie between two others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Bounds {
    pub earliest: DateTime<Utc>,
    pub latest: DateTime<Utc>,
}

/// A ticket with what watching it has taught us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    pub ticket: Ticket,
    pub first_seen_at: DateTime<Utc>,
    /// When SuperOps was last asked about it.
    pub read_at: DateTime<Utc>,
    /// Rises when the ticket is reopened or its SLA is replaced; from 0.
    pub cycle: u32,
    /// When it entered its present status; none if it already had it when first seen.
    pub status_since: Option<Bounds>,
    /// The first reply of a technician, from the conversations: looked for only
    /// while SuperOps itself reports no first response.
    pub replied_at: Option<DateTime<Utc>>,
    /// When it was found to be gone (deleted, merged, or no longer ours to see).
    pub vanished_at: Option<DateTime<Utc>>,
    /// What its conversations told, where they were read.
    pub talk: Talk,
    /// What people decided about its clocks, at most one of each.
    pub overrides: Vec<Override>,
}

impl Watched {
    /// A ticket that was never read before.
    pub fn new(ticket: Ticket, read: Bounds) -> Self {
        Self {
            ticket,
            first_seen_at: read.latest,
            read_at: read.earliest,
            cycle: 0,
            status_since: None,
            replied_at: None,
            vanished_at: None,
            talk: Talk::default(),
            overrides: Vec::new(),
        }
    }

    /// When `clock` began; none: not known, or nothing to answer.
    pub fn start(&self, clock: ClockKind) -> Option<DateTime<Utc>> {
        match clock {
            ClockKind::FirstResponse | ClockKind::Resolution => self.ticket.created_at,
            ClockKind::NextResponse => self.talk.asked_at,
        }
    }

    /// What a person decided about `clock` as it runs now.
    ///
    /// A decision about the answer to one message does not speak of the next one.
    pub fn decided(&self, clock: ClockKind) -> Option<&Override> {
        let of_this = |one: &&Override| one.clock == clock && one.cycle == self.cycle;
        let found = self.overrides.iter().find(of_this)?;
        let newer = clock == ClockKind::NextResponse && self.talk.asked_at.is_some_and(|asked| asked > found.at);
        (!newer).then_some(found)
    }

    /// What was ruled about `clock`.
    pub fn ruling(&self, clock: ClockKind) -> Option<Ruling> {
        self.decided(clock).map(|decided| decided.ruling)
    }

    /// Whether its clocks may still run: its status is not a closed one and it has not vanished.
    pub fn is_open(&self, words: &StatusWords) -> bool {
        self.vanished_at.is_none() && !is_closed(&self.ticket, words)
    }
}

/// What two snapshots of a ticket can differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ChangeKind {
    FirstSeen,
    Status,
    Assignee,
    Group,
    Priority,
    Sla,
    Client,
    DueMoved(ClockKind),
    FirstResponse,
    Resolved,
    Reopened,
    Vanished,
    /// It had vanished, and is back.
    Returned,
    /// Its clocks moved to another version of what was promised.
    PolicyVersion,
    /// Another policy holds for it, or is a runner-up.
    PolicyChoice,
    /// A person decided about a clock, or took that back.
    ByHand,
}

impl ChangeKind {
    const ALL: [Self; 18] = [
        Self::FirstSeen,
        Self::Status,
        Self::Assignee,
        Self::Group,
        Self::Priority,
        Self::Sla,
        Self::Client,
        Self::DueMoved(ClockKind::FirstResponse),
        Self::DueMoved(ClockKind::Resolution),
        Self::DueMoved(ClockKind::NextResponse),
        Self::FirstResponse,
        Self::Resolved,
        Self::Reopened,
        Self::Vanished,
        Self::Returned,
        Self::PolicyVersion,
        Self::PolicyChoice,
        Self::ByHand,
    ];

    /// The name used in the store and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FirstSeen => "first_seen",
            Self::Status => "status",
            Self::Assignee => "assignee",
            Self::Group => "group",
            Self::Priority => "priority",
            Self::Sla => "sla",
            Self::Client => "client",
            Self::DueMoved(ClockKind::FirstResponse) => "first_response_due_moved",
            Self::DueMoved(ClockKind::Resolution) => "resolution_due_moved",
            Self::DueMoved(ClockKind::NextResponse) => "next_response_due_moved",
            Self::FirstResponse => "first_response",
            Self::Resolved => "resolved",
            Self::Reopened => "reopened",
            Self::Vanished => "vanished",
            Self::Returned => "returned",
            Self::PolicyVersion => "policy_version",
            Self::PolicyChoice => "policy_choice",
            Self::ByHand => "by_hand",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// One thing that changed, and when at the earliest and the latest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub kind: ChangeKind,
    pub from: Option<String>,
    pub to: Option<String>,
    pub at: Bounds,
}

/// Compares `ticket`, read between the two ends of `read`, with what we knew.
///
/// The changes come in the order a person would tell them. A ticket closed and
/// reopened between two reads shows neither: nobody can know.
pub fn observe(before: Option<&Watched>, ticket: Ticket, words: &StatusWords, read: Bounds) -> (Watched, Vec<Change>) {
    let Some(before) = before else { return first_seen(ticket, read) };
    let changes = Difference::new(before, &ticket, read).list(words);
    let status = changes.iter().find(|change| change.kind == ChangeKind::Status);
    let watched = Watched {
        first_seen_at: before.first_seen_at,
        read_at: read.earliest,
        cycle: before.cycle + u32::from(begins_cycle(&before.ticket, &changes)),
        status_since: status.map(|change| change.at).or(before.status_since),
        replied_at: before.replied_at,
        vanished_at: None,
        talk: before.talk,
        overrides: before.overrides.clone(),
        ticket,
    };
    (watched, changes)
}

/// What is known of a ticket that SuperOps no longer shows.
pub fn vanish(before: &Watched, read: Bounds) -> (Watched, Change) {
    let at = between(before, read);
    let watched = Watched { vanished_at: Some(read.latest), ..before.clone() };
    (watched, Change { kind: ChangeKind::Vanished, from: before.ticket.status.clone(), to: None, at })
}

fn first_seen(ticket: Ticket, read: Bounds) -> (Watched, Vec<Change>) {
    let created = ticket.created_at.filter(|created| *created <= read.latest);
    let at = Bounds { earliest: created.unwrap_or(read.earliest), latest: read.latest };
    let change = Change { kind: ChangeKind::FirstSeen, from: None, to: ticket.status.clone(), at };
    (Watched::new(ticket, read), vec![change])
}

/// A first SLA begins nothing: the clocks run from creation all the same.
fn begins_cycle(before: &Ticket, changes: &[Change]) -> bool {
    changes.iter().any(|change| match change.kind {
        ChangeKind::Reopened => true,
        ChangeKind::Sla => before.sla.is_some(),
        _ => false,
    })
}

fn between(before: &Watched, read: Bounds) -> Bounds {
    // A clock that was set back must not turn the bounds round.
    Bounds { earliest: before.read_at.min(read.latest), latest: read.latest }
}

fn is_closed(ticket: &Ticket, words: &StatusWords) -> bool {
    words.meaning(ticket.status.as_deref()) == StatusMeaning::Closed
}

struct Difference<'a> {
    before: &'a Watched,
    old: &'a Ticket,
    new: &'a Ticket,
    read: Bounds,
    changes: Vec<Change>,
}

impl<'a> Difference<'a> {
    fn new(before: &'a Watched, new: &'a Ticket, read: Bounds) -> Self {
        Self { before, old: &before.ticket, new, read, changes: Vec::new() }
    }

    fn list(mut self, words: &StatusWords) -> Vec<Change> {
        let (old, new) = (self.old, self.new);
        if self.before.vanished_at.is_some() {
            self.push(ChangeKind::Returned, None, new.status.clone(), self.edited());
        }
        self.text(ChangeKind::Status, old.status.as_ref(), new.status.as_ref());
        self.named(ChangeKind::Assignee, old.technician.as_ref(), new.technician.as_ref());
        self.named(ChangeKind::Group, old.group.as_ref(), new.group.as_ref());
        self.text(ChangeKind::Priority, old.priority.as_ref(), new.priority.as_ref());
        self.named(ChangeKind::Sla, old.sla.as_ref(), new.sla.as_ref());
        self.named(ChangeKind::Client, old.client.as_ref(), new.client.as_ref());
        for clock in ClockKind::ALL {
            let (was, became) = (old.reported(clock).due, new.reported(clock).due);
            // Time alone may move a due date, without touching the time of update.
            self.time(ChangeKind::DueMoved(clock), was, became, self.any_time());
        }
        self.time(ChangeKind::FirstResponse, old.first_response.met_at, new.first_response.met_at, self.edited());
        self.ending(is_closed(old, words), is_closed(new, words));
        self.changes
    }

    /// Resolved or reopened: by its status, or by the time SuperOps gives.
    fn ending(&mut self, was_closed: bool, is_closed: bool) {
        let (was, became) = (self.old.resolution.met_at, self.new.resolution.met_at);
        let cleared = was.is_some() && became.is_none();
        if !is_closed && (was_closed || cleared) {
            self.push(ChangeKind::Reopened, was.map(text_of), self.new.status.clone(), self.edited());
        } else if (!was_closed && is_closed) || (became.is_some() && was != became) {
            self.push(ChangeKind::Resolved, was.map(text_of), became.map(text_of), self.edited());
        }
    }

    fn text(&mut self, kind: ChangeKind, was: Option<&String>, became: Option<&String>) {
        if was != became {
            self.push(kind, was.cloned(), became.cloned(), self.edited());
        }
    }

    /// A person or client that was only renamed is still the same.
    fn named(&mut self, kind: ChangeKind, was: Option<&Named>, became: Option<&Named>) {
        if was.map(|named| &named.id) != became.map(|named| &named.id) {
            let name = |named: Option<&Named>| named.map(|named| named.name.clone());
            self.push(kind, name(was), name(became), self.edited());
        }
    }

    fn time(&mut self, kind: ChangeKind, was: Option<DateTime<Utc>>, became: Option<DateTime<Utc>>, at: Bounds) {
        if was != became {
            self.push(kind, was.map(text_of), became.map(text_of), at);
        }
    }

    fn push(&mut self, kind: ChangeKind, from: Option<String>, to: Option<String>, at: Bounds) {
        self.changes.push(Change { kind, from, to, at });
    }

    fn any_time(&self) -> Bounds {
        between(self.before, self.read)
    }

    /// A person's edit moves the time of update, so it was not made later than
    /// that; it may have been earlier, if something else was edited since.
    fn edited(&self) -> Bounds {
        let bounds = self.any_time();
        let updated = self.new.updated_at.filter(|at| bounds.earliest <= *at && *at <= bounds.latest);
        Bounds { latest: updated.unwrap_or(bounds.latest), ..bounds }
    }
}

fn text_of(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ticket::tests::sample;
    use crate::ticket::{RefId, Reported};

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + minute * 60, 0).unwrap()
    }

    fn named(id: &str) -> Named {
        Named { id: RefId::parse(id).unwrap(), name: format!("name of {id}") }
    }

    /// Opened at 0, last updated at 1, first read at 10.
    fn ticket() -> Ticket {
        Ticket {
            status: Some("Open".into()),
            priority: Some("High".into()),
            client: Some(named("c1")),
            group: Some(named("g1")),
            sla: Some(named("gold")),
            created_at: Some(at(0)),
            updated_at: Some(at(1)),
            first_response: Reported { due: Some(at(60)), ..Reported::default() },
            resolution: Reported { due: Some(at(480)), ..Reported::default() },
            ..sample("7")
        }
    }

    fn read(minute: i64) -> Bounds {
        Bounds { earliest: at(minute), latest: at(minute) }
    }

    fn seen(ticket: Ticket) -> Watched {
        observe(None, ticket, &StatusWords::default(), read(10)).0
    }

    fn next(before: &Watched, ticket: Ticket, minute: i64) -> (Watched, Vec<Change>) {
        observe(Some(before), ticket, &StatusWords::default(), read(minute))
    }

    fn kinds(changes: &[Change]) -> Vec<ChangeKind> {
        changes.iter().map(|change| change.kind).collect()
    }

    #[test]
    fn each_difference_is_named_once() {
        use ChangeKind as K;
        type Edit = fn(&mut Ticket);
        let cases: [(&str, Edit, &[ChangeKind], u32); 16] = [
            ("nothing", |_| {}, &[], 0),
            ("a new subject is no event", |t| t.subject = "scanner".into(), &[], 0),
            ("status", |t| t.status = Some("On Hold".into()), &[K::Status], 0),
            ("status cleared", |t| t.status = None, &[K::Status], 0),
            ("assigned", |t| t.technician = Some(named("t1")), &[K::Assignee], 0),
            ("a renamed group is the same group", |t| t.group.as_mut().unwrap().name = "new".into(), &[], 0),
            ("group", |t| t.group = Some(named("g2")), &[K::Group], 0),
            ("priority", |t| t.priority = None, &[K::Priority], 0),
            ("another SLA is another cycle", |t| t.sla = Some(named("silver")), &[K::Sla], 1),
            ("an SLA taken away is another cycle", |t| t.sla = None, &[K::Sla], 1),
            ("client", |t| t.client = None, &[K::Client], 0),
            ("response due moved", |t| t.first_response.due = None, &[K::DueMoved(ClockKind::FirstResponse)], 0),
            ("resolution due moved", |t| t.resolution.due = Some(at(500)), &[K::DueMoved(ClockKind::Resolution)], 0),
            ("answered", |t| t.first_response.met_at = Some(at(12)), &[K::FirstResponse], 0),
            ("closed without a time", |t| t.status = Some("Closed".into()), &[K::Status, K::Resolved], 0),
            ("solved while its status stays", |t| t.resolution.met_at = Some(at(12)), &[K::Resolved], 0),
        ];
        for (name, edit, expected, cycle) in cases {
            let mut after = ticket();
            edit(&mut after);
            let (watched, changes) = next(&seen(ticket()), after, 20);
            assert_eq!(kinds(&changes), expected, "{name}");
            assert_eq!(watched.cycle, cycle, "{name}");
        }
    }

    #[test]
    fn a_reopened_ticket_begins_another_cycle() {
        use ChangeKind as K;
        type Edit = fn(&mut Ticket);
        let cases: [(&str, Edit, &[ChangeKind], u32); 4] = [
            ("by its status", |t| t.status = Some("Reopened".into()), &[K::Status, K::Reopened], 1),
            (
                "by status and time at once, counted once",
                |t| {
                    t.status = Some("Reopened".into());
                    t.resolution.met_at = None;
                },
                &[K::Status, K::Reopened],
                1,
            ),
            ("closed differently is still closed", |t| t.status = Some("Cancelled".into()), &[K::Status], 0),
            ("solved at another time", |t| t.resolution.met_at = Some(at(9)), &[K::Resolved], 0),
        ];
        let mut closed = ticket();
        closed.status = Some("Closed".into());
        closed.resolution.met_at = Some(at(8));
        for (name, edit, expected, cycle) in cases {
            let mut after = closed.clone();
            edit(&mut after);
            let (watched, changes) = next(&seen(closed.clone()), after, 20);
            assert_eq!(kinds(&changes), expected, "{name}");
            assert_eq!(watched.cycle, cycle, "{name}");
        }
    }

    #[test]
    fn a_cleared_resolution_reopens_a_ticket_whose_status_was_never_closed() {
        let mut solved = ticket();
        solved.resolution.met_at = Some(at(8));
        let (watched, changes) = next(&seen(solved), ticket(), 20);
        assert_eq!(kinds(&changes), [ChangeKind::Reopened]);
        assert_eq!(watched.cycle, 1);
    }

    #[test]
    fn a_first_sla_does_not_begin_another_cycle() {
        let mut without = ticket();
        without.sla = None;
        let (watched, changes) = next(&seen(without), ticket(), 20);
        assert_eq!(kinds(&changes), [ChangeKind::Sla]);
        assert_eq!(watched.cycle, 0);
    }

    #[test]
    fn a_change_lies_between_the_last_read_and_the_update() {
        let bounds = |earliest, latest| Bounds { earliest: at(earliest), latest: at(latest) };
        let cases = [
            ("updated between the reads", Some(at(12)), bounds(10, 12)),
            ("updated at the last read", Some(at(10)), bounds(10, 10)),
            ("updated at this read", Some(at(20)), bounds(10, 20)),
            ("an update before the last read tells nothing", Some(at(9)), bounds(10, 20)),
            ("a time of update in the future tells nothing", Some(at(21)), bounds(10, 20)),
            ("no time of update", None, bounds(10, 20)),
        ];
        for (name, updated, expected) in cases {
            let after = Ticket { status: Some("On Hold".into()), updated_at: updated, ..ticket() };
            let (watched, changes) = next(&seen(ticket()), after, 20);
            assert_eq!(changes[0].at, expected, "{name}");
            assert_eq!(watched.status_since, Some(expected), "{name}");
        }
    }

    #[test]
    fn a_due_time_may_move_without_an_update() {
        let mut after = Ticket { updated_at: Some(at(12)), ..ticket() };
        after.resolution.due = Some(at(500));
        let (_, changes) = next(&seen(ticket()), after, 20);
        assert_eq!(changes[0].at, Bounds { earliest: at(10), latest: at(20) });
        assert_eq!(changes[0].to.as_deref(), Some("2027-01-15T16:20:00Z"));
    }

    #[test]
    fn a_read_that_took_long_widens_the_bounds_on_both_sides() {
        let slow = |from, to| Bounds { earliest: at(from), latest: at(to) };
        let words = StatusWords::default();
        let (before, _) = observe(None, ticket(), &words, slow(10, 13));
        let after = Ticket { status: Some("On Hold".into()), ..ticket() };
        let (_, changes) = observe(Some(&before), after, &words, slow(20, 24));
        assert_eq!(changes[0].at, slow(10, 24));
    }

    #[test]
    fn the_time_in_a_status_is_unknown_at_first_and_kept_while_it_stays() {
        let first = seen(ticket());
        assert_eq!(first.status_since, None);
        let held = Ticket { status: Some("On Hold".into()), ..ticket() };
        let (second, _) = next(&first, held.clone(), 20);
        let (third, changes) = next(&second, held, 30);
        assert_eq!(changes, []);
        assert_eq!(third.status_since, second.status_since);
        assert_eq!(third.read_at, at(30));
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_turn_the_bounds_round() {
        let after = Ticket { status: Some("On Hold".into()), ..ticket() };
        let (_, changes) = next(&seen(ticket()), after, 5);
        assert_eq!(changes[0].at, read(5));
    }

    #[test]
    fn a_ticket_that_vanished_is_not_open_until_it_returns() {
        let words = StatusWords::default();
        let (gone, change) = vanish(&seen(ticket()), read(20));
        assert_eq!((change.kind, change.at), (ChangeKind::Vanished, Bounds { earliest: at(10), latest: at(20) }));
        assert!(!gone.is_open(&words));
        let (back, changes) = next(&gone, ticket(), 30);
        assert_eq!(kinds(&changes), [ChangeKind::Returned]);
        assert!(back.is_open(&words));
    }

    #[test]
    fn every_kind_is_found_by_its_name() {
        for kind in ChangeKind::ALL {
            assert_eq!(ChangeKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(ChangeKind::parse("resurrected"), None);
    }

    #[test]
    fn a_decision_by_hand_holds_for_its_cycle_and_its_message_only() {
        let decided = |clock, cycle| Override {
            clock,
            cycle,
            ruling: Ruling::Cancelled,
            reason: "a test".into(),
            by: "mia".into(),
            at: at(50),
        };
        let mut watched = seen(ticket());
        watched.overrides = vec![decided(ClockKind::Resolution, 0), decided(ClockKind::NextResponse, 0)];
        watched.talk.asked_at = Some(at(40));
        assert!(ClockKind::ALL.map(|clock| watched.ruling(clock).is_some()) == [false, true, true]);
        watched.talk.asked_at = Some(at(60));
        assert_eq!(watched.ruling(ClockKind::NextResponse), None, "the client wrote again");
        watched.cycle = 1;
        assert_eq!(watched.ruling(ClockKind::Resolution), None, "it was reopened");
    }
}
