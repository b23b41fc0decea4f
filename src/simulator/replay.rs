//! A recorded history, played by the clock as if it happened now.
//!
//! Everything moves by one shift, so that the history ends when the caller says; its working hours move along. Nothing
//! is shown before its time: a ticket looks as the events up to now made it, and its end is not known before it
//! happens. What has been played is dropped here: it lives on in the tickets.
//!
//! Due times follow from the priority at opening: P1 and P2 have 4 and 8 hours by the wall clock; P3 has 30 and P4 50
//! working hours (Monday to Friday, 08:00 to 18:00); without a priority it is 30, and 50 for the Italian help desk. A
//! first response is due after a quarter of that, for sources that record first responses at all. A later change of
//! priority is shown, but does not move the due times.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};

use super::hours::Hours;
use super::msp::Msp;
use super::ticket::{ConversationEntry, EntryKind, Ref, SimTicket};
use super::world::{World, blank_ticket};
use crate::history::{Event, Field, Name, Record};
use crate::sla::zone::Tz;

/// The status names of the histories that mean a ticket is done.
pub const CLOSED: [&str; 5] = ["Resolved", "Closed", "Resolve ticket", "RESOLVED", "CLOSED"];
/// The status names during which the clock stands still.
pub const PAUSED: [&str; 4] = ["Awaiting User Info", "Awaiting Vendor", "Awaiting Evidence", "Wait"];
/// Entries in the log of closed tickets that do not reopen them.
const BOOKKEEPING: [&str; 2] = ["Caused By CI", "Quality Indicator Fixed"];
/// The status of a ticket until its first event.
const NEW: &str = "New";
/// The name of the only SLA.
const SLA: &str = "History";

/// What happens to a record at one moment.
enum Step {
    Open(Box<SimTicket>),
    Respond,
    Change(Event),
}

/// A moment of the history, in its own time; the number is that of the record.
struct Moment {
    at: DateTime<Utc>,
    record: u32,
    step: Step,
}

/// A history being played.
pub struct Replay {
    account: Msp,
    cast: Cast,
    shift: TimeDelta,
    /// Latest first, so that playing frees memory.
    ahead: Vec<Moment>,
    /// Record number -> index in the world, once opened.
    opened: HashMap<u32, usize>,
}

/// The groups, people and clients of a history, by their names in it.
#[derive(Default)]
struct Cast {
    groups: HashMap<Name, Ref>,
    people: HashMap<Name, Ref>,
    clients: HashMap<Name, Ref>,
}

impl Replay {
    /// Prepares `records` so that the last ticket is opened at `ends_at`.
    ///
    /// A history's last days are thin, since tickets still open at its end are not in it: a moment some days before
    /// `ends_at` is busier. See [`lively_end`].
    pub fn new(records: Vec<Record>, ends_at: DateTime<Utc>) -> Self {
        let end = records.iter().map(|record| record.opened_at).max().unwrap_or(ends_at);
        let mut account = Msp::with_words(&states(&records), &["P1", "P2", "P3", "P4"], &CLOSED, &PAUSED);
        let sla = account.promise(SLA);
        let cast = Cast::of(&records, &mut account);
        let drafting = Drafting { sla, promises: Promises::new(ends_at - end), answered: answered_sources(&records) };
        let mut ahead: Vec<Moment> = Vec::new();
        for (number, record) in (0..).zip(records) {
            let ticket = drafting.draft(&record, &cast);
            unroll(number, record, ticket, &mut ahead);
        }
        ahead.sort_by_key(|moment| Reverse((moment.at, moment.record)));
        Self { account, cast, shift: ends_at - end, ahead, opened: HashMap::new() }
    }

    /// Returns the account that the history happened to.
    pub fn account(&self) -> Msp {
        self.account.clone()
    }

    /// Plays what has happened by `now`.
    pub fn play(&mut self, world: &mut World, now: DateTime<Utc>) {
        while let Some(moment) = self.ahead.pop_if(|moment| moment.at + self.shift <= now) {
            self.step(world, moment);
        }
    }

    fn step(&mut self, world: &mut World, moment: Moment) {
        let at = moment.at + self.shift;
        if let Step::Open(ticket) = moment.step {
            self.opened.insert(moment.record, world.keep(*ticket));
            return;
        }
        let Some(&index) = self.opened.get(&moment.record) else { return };
        match moment.step {
            Step::Respond => world.reply(index, at),
            Step::Change(event) => self.change(world, index, &event, at),
            Step::Open(_) => {}
        }
    }

    fn change(&self, world: &mut World, index: usize, event: &Event, at: DateTime<Utc>) {
        let ticket = world.ticket_mut(index);
        if let Some(group) = event.change(Field::Group) {
            ticket.group = group.and_then(|name| self.cast.groups.get(name)).cloned();
        }
        if let Some(person) = event.change(Field::Assignee) {
            ticket.technician = person.and_then(|name| self.cast.people.get(name)).cloned();
        }
        if let Some(priority) = event.change(Field::Priority) {
            ticket.priority = priority.cloned();
        }
        if let Some(category) = event.change(Field::Category) {
            ticket.category = category.cloned();
        }
        ticket.updated_at = at;
        if let Some(state) = status(event) {
            world.change_status(index, state, at);
        }
    }
}

/// Returns the status that `event` gives a ticket, if any.
fn status(event: &Event) -> Option<&Name> {
    event.change(Field::State).flatten().filter(|state| !BOOKKEEPING.contains(&&***state))
}

/// Adds the steps of a record. Nothing happens to a ticket before it is opened, whatever the record says.
fn unroll(number: u32, record: Record, ticket: SimTicket, ahead: &mut Vec<Moment>) {
    let opened_at = record.opened_at;
    let moment = |at: DateTime<Utc>, step| Moment { at: at.max(opened_at), record: number, step };
    // Played from the end, and sorted stably: of entries for one moment, the first one pushed is played last.
    ahead.extend(record.events.into_iter().rev().map(|event| moment(event.at, Step::Change(event))));
    ahead.extend(record.first_response_at.map(|at| moment(at, Step::Respond)));
    ahead.push(moment(opened_at, Step::Open(Box::new(ticket))));
}

/// Returns when a history should end so that much comes due in the hour after `now`.
///
/// Looks for the busiest hour in the last third of the history. It may use how tickets ended, since it only chooses
/// where to begin.
pub fn lively_end(records: &[Record], now: DateTime<Utc>) -> DateTime<Utc> {
    let promises = Promises::new(TimeDelta::zero());
    let Some(end) = records.iter().map(|record| record.opened_at).max() else { return now };
    let first = records.iter().map(|record| record.opened_at).min().unwrap_or(end);
    let from = end - (end - first) / 3;
    let mut due_in_hour: HashMap<i64, usize> = HashMap::new();
    for record in records {
        let due = promises.due(record, 1);
        let open = record.resolved_at.is_none_or(|resolved_at| resolved_at > due);
        if open && due > from && due < end && !is_paused(record, due) {
            *due_in_hour.entry(due.timestamp() / 3_600).or_default() += 1;
        }
    }
    // Of equally busy hours the earliest, so that the answer does not depend on the map's order.
    let fullest = due_in_hour.into_iter().max_by_key(|(hour, count)| (*count, -hour));
    let begin = fullest.and_then(|(hour, _)| DateTime::from_timestamp(hour * 3_600, 0)).unwrap_or(end);
    now + (end - begin) + LEAD
}

/// How long before the busiest hour to begin: much comes due on the hour, when an office closes, and should be seen
/// coming.
const LEAD: TimeDelta = TimeDelta::minutes(5);

fn is_paused(record: &Record, at: DateTime<Utc>) -> bool {
    let before = record.events.iter().filter(|event| event.at <= at);
    before.filter_map(status).next_back().is_some_and(|status| PAUSED.contains(&&**status))
}

/// How much time a ticket is given, and in which hours it counts.
struct Promises {
    wall: Arc<Hours>,
    office: Arc<Hours>,
    shift: TimeDelta,
}

impl Promises {
    fn new(shift: TimeDelta) -> Self {
        let hour = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or_default();
        let office = Hours::weekdays(Tz::UTC, hour(8), hour(18)).shifted(shift);
        Self { wall: Arc::new(Hours::always()), office: Arc::new(office), shift }
    }

    fn allowed(&self, record: &Record) -> (TimeDelta, &Arc<Hours>) {
        let (hours, counted) = match record.priority.as_deref() {
            Some("P1") => (4, &self.wall),
            Some("P2") => (8, &self.wall),
            Some("P4") => (50, &self.office),
            Some(_) => (30, &self.office),
            None if record.source.starts_with("italian") => (50, &self.office),
            None => (30, &self.office),
        };
        (TimeDelta::hours(hours), counted)
    }

    /// Returns when the allowed time divided by `part` has passed, if nothing pauses it.
    fn due(&self, record: &Record, part: i32) -> DateTime<Utc> {
        let (allowed, hours) = self.allowed(record);
        hours.after(record.opened_at + self.shift, allowed / part)
    }
}

/// Turns records into tickets.
struct Drafting {
    sla: Ref,
    promises: Promises,
    /// Sources that record first responses.
    answered: HashSet<Name>,
}

impl Drafting {
    /// Returns the ticket as it is when opened.
    fn draft(&self, record: &Record, cast: &Cast) -> SimTicket {
        let created_at = record.opened_at + self.promises.shift;
        let find =
            |names: &HashMap<Name, Ref>, name: &Option<Name>| name.as_ref().and_then(|name| names.get(name)).cloned();
        let mut ticket = SimTicket {
            display_id: record.ticket_id.clone(),
            subject: subject(record),
            client: cast.clients.get(&client_of(record)).cloned(),
            group: find(&cast.groups, &record.group),
            technician: find(&cast.people, &record.assignee),
            sla: Some(self.sla.clone()),
            status: Some(NEW.into()),
            priority: record.priority.clone(),
            category: record.category.clone(),
            hours: Arc::clone(self.promises.allowed(record).1),
            conversation: vec![ConversationEntry { at: created_at, kind: EntryKind::Description, by: None }],
            ..blank_ticket(created_at)
        };
        ticket.resolution.due = Some(self.promises.due(record, 1));
        ticket.first_response.due = self.answered.contains(&record.source).then(|| self.promises.due(record, 4));
        ticket
    }
}

/// Makes up a subject, since the histories have no texts of their own.
fn subject(record: &Record) -> String {
    match (&record.category, &record.symptom) {
        (Some(category), Some(symptom)) => format!("Category {category}, symptom {symptom}"),
        (Some(category), None) => format!("Category {category}"),
        (None, _) => format!("Ticket {}", record.ticket_id),
    }
}

fn answered_sources(records: &[Record]) -> HashSet<Name> {
    records
        .iter()
        .filter(|record| record.first_response_at.is_some())
        .map(|record| Arc::clone(&record.source))
        .collect()
}

/// Returns every state that occurs, in the order of its first appearance.
fn states(records: &[Record]) -> Vec<&str> {
    let mut states = vec![NEW];
    for event in records.iter().flat_map(|record| &record.events) {
        if let Some(state) = status(event)
            && !states.contains(&&**state)
        {
            states.push(state);
        }
    }
    states
}

impl Cast {
    fn of(records: &[Record], account: &mut Msp) -> Self {
        let mut cast = Self::default();
        for record in records {
            let client = client_of(record);
            cast.clients.entry(client).or_insert_with_key(|name| account.take_on(&called("Client", name)));
            cast.meet(account, record.group.as_ref(), record.assignee.as_ref());
            for event in &record.events {
                cast.meet(account, event.change(Field::Group).flatten(), event.change(Field::Assignee).flatten());
            }
        }
        cast
    }

    /// Adds a group and a technician if their names are new. A technician belongs to the group of the first appearance.
    fn meet(&mut self, account: &mut Msp, group: Option<&Name>, person: Option<&Name>) {
        if let Some(group) = group.filter(|name| !self.groups.contains_key(*name)) {
            self.groups.insert(Arc::clone(group), account.group(&called("Group", group)));
        }
        if let Some(person) = person.filter(|name| !self.people.contains_key(*name)) {
            let home = group.and_then(|name| account.groups.iter().position(|known| *known == self.groups[name]));
            let phone = format!("+1500555{:04}", 2_000 + self.people.len() % 8_000);
            let who = account.hire(&called("Agent", person), home.unwrap_or(usize::MAX), Some(&phone), 1.0);
            self.people.insert(Arc::clone(person), who);
        }
    }
}

/// Returns the client; all records without a known one share one.
fn client_of(record: &Record) -> Name {
    record.client.clone().unwrap_or_else(|| "Everybody else".into())
}

/// Turns a bare number into `Group 7`; a name stays as it is.
fn called(kind: &str, name: &str) -> String {
    if name.chars().all(|letter| letter.is_ascii_digit()) { format!("{kind} {name}") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history;
    use crate::simulator::habit::{DateFilters, Habits, Sorting};
    use std::path::Path;

    /// How much later than it happened the made-up history is played.
    const LATER: TimeDelta = TimeDelta::days(2_000);

    fn at(text: &str) -> DateTime<Utc> {
        text.parse::<chrono::NaiveDateTime>().unwrap().and_utc()
    }

    fn records() -> Vec<Record> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/history/help-desk.jsonl");
        history::read(&path).map(Result::unwrap).collect()
    }

    struct Stage {
        world: World,
        replay: Replay,
    }

    impl Stage {
        fn set() -> Self {
            let replay = Replay::new(records(), at("2021-03-05T11:00:00") + LATER);
            let (sort, date_filters) = (Sorting::Works, DateFilters::Work);
            let habits = Habits { seed: 1, sort, date_filters, ..Habits::default() };
            Self { world: World::new(replay.account(), habits), replay }
        }

        fn play_to(&mut self, moment: &str) {
            self.replay.play(&mut self.world, at(moment) + LATER);
        }

        fn ticket(&self, display_id: &str) -> &SimTicket {
            self.world.tickets().iter().find(|ticket| ticket.display_id == display_id).unwrap()
        }
    }

    #[test]
    fn a_ticket_shows_only_what_has_happened() {
        let mut stage = Stage::set();
        let story = [
            ("2021-03-01T09:30:00", "New", Some("Agent 11"), false),
            ("2021-03-01T11:00:00", "Active", None, false),
            ("2021-03-01T13:00:00", "Awaiting User Info", None, false),
            ("2021-03-01T18:00:00", "Active", Some("Agent 12"), false),
            ("2021-03-02T11:00:00", "Resolved", Some("Agent 12"), true),
        ];
        for (moment, status, technician, resolved) in story {
            stage.play_to(moment);
            let ticket = stage.ticket("INC-1");
            assert_eq!(ticket.status.as_deref(), Some(status), "{moment}");
            assert_eq!(ticket.technician.as_ref().map(|who| &*who.name), technician, "{moment}");
            assert_eq!(ticket.is_resolved(), resolved, "{moment}");
        }
        assert!(stage.world.tickets().iter().all(|ticket| ticket.display_id != "INC-4"), "not opened yet");
        assert_eq!(stage.ticket("INC-1").updated_at, at("2021-03-02T11:00:00") + LATER);
    }

    #[test]
    fn due_times_count_the_hours_of_the_history_and_its_pauses() {
        let mut stage = Stage::set();
        stage.play_to("2021-03-01T13:00:00");
        let due = |stage: &Stage, id: &str| {
            let ticket = stage.ticket(id);
            [ticket.first_response.due, ticket.resolution.due].map(|due| due.unwrap() - LATER)
        };
        assert_eq!(due(&stage, "INC-1"), [at("2021-03-01T16:30:00"), at("2021-03-04T09:00:00")]);
        stage.play_to("2021-03-02T09:00:00");
        assert_eq!(due(&stage, "INC-1")[1], at("2021-03-04T14:00:00"), "five working hours of pause");
        assert_eq!(due(&stage, "INC-2")[1], at("2021-03-08T10:30:00"), "P4: fifty working hours");
        assert_eq!(
            due(&stage, "INC-3"),
            [at("2021-03-02T09:15:00"), at("2021-03-02T12:15:00")],
            "P1: by the wall clock"
        );
    }

    #[test]
    fn a_first_response_and_a_reopening_come_at_their_time() {
        let mut stage = Stage::set();
        stage.play_to("2021-03-02T08:19:00");
        assert_eq!(stage.ticket("INC-3").first_response.met_at, None);
        stage.play_to("2021-03-02T10:30:00");
        assert_eq!(stage.ticket("INC-3").first_response.met_at, Some(at("2021-03-02T08:20:00") + LATER));
        assert!(!stage.ticket("INC-3").is_resolved(), "reopened at ten");
        stage.play_to("2021-03-02T11:00:00");
        assert_eq!(stage.ticket("INC-3").resolution.met_at, Some(at("2021-03-02T11:00:00") + LATER));
    }

    #[test]
    fn playing_in_one_go_or_step_by_step_is_the_same() {
        let (mut once, mut steps) = (Stage::set(), Stage::set());
        once.play_to("2021-04-01T00:00:00");
        for hour in 0..24 * 31 {
            steps.replay.play(&mut steps.world, at("2021-03-01T00:00:00") + LATER + TimeDelta::hours(hour + 1));
        }
        assert_eq!(once.world.tickets(), steps.world.tickets());
        assert!(once.replay.ahead.is_empty());
    }

    #[test]
    fn a_lively_end_puts_the_fullest_hour_right_after_now() {
        let now = at("2030-01-01T00:00:00");
        let twins: Vec<Record> = records().into_iter().flat_map(|record| [record.clone(), record]).collect();
        let end = lively_end(&twins, now);
        assert!(end >= now && end - now < TimeDelta::days(5), "{end}");
        assert_eq!(lively_end(&[], now), now);
    }
}
