//! What the watch owes people, worked out from what has happened at the desk: plain, slow, and
//! written apart from the product.
//!
//! It knows tickets as the watch last read them, what people did to alerts, and which silences hold.
//! From these follow the messages that are owed, each with the moment from which it is, and the
//! moment at which it is void. What a receiver gets must be one of them, once; and each must be got.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

pub type At = DateTime<Utc>;

/// The escalation of the tests: the owner at once, then the manager, then the account's manager.
const STEPS_AFTER: [i64; 3] = [0, 15, 30];
/// An acknowledged breach on which nothing happens is told again after this.
const ACK_LASTS: TimeDelta = TimeDelta::minutes(30);
/// The first moment after a due time is so much later.
const TICK: TimeDelta = TimeDelta::milliseconds(1);
/// The lease of an attempt that a crash cut short.
const LEASE: TimeDelta = TimeDelta::seconds(31);
/// A message that was refused for so long is given up.
const GIVEN_UP_AFTER: TimeDelta = TimeDelta::hours(6);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Clock {
    Response,
    Resolution,
}

pub const CLOCKS: [Clock; 2] = [Clock::Response, Clock::Resolution];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Warning,
    Breached,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    Mail,
    Text,
}

/// Somebody who is told, by mail and, with a number, by text.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Person {
    pub name: &'static str,
    pub mail: &'static str,
    pub phone: Option<&'static str>,
}

macro_rules! people {
    ($($id:ident: $name:literal, $mail:literal, $phone:expr;)*) => {
        $(pub static $id: Person = Person { name: $name, mail: $mail, phone: $phone };)*
    };
}

people! {
    DANA: "Dana Whitfield", "dana.whitfield@example.com", Some("+15005550100");
    MATEO: "Mateo Alvarez", "mateo.alvarez@example.com", Some("+15005550101");
    INGRID: "Ingrid Sørensen", "ingrid.sorensen@example.com", Some("+15005550102");
    LUCA: "Luca Bianchi", "luca.bianchi@example.com", Some("+15005550105");
    ZOE: "Zoë O'Brien", "zoe.obrien@example.com", None;
    AMARA: "Amara Okafor", "amara.okafor@example.com", Some("+15005550104");
}

type Who = &'static Person;

/// Those of the group `Network`, to whom all tickets of the tests belong.
static GROUP: [Who; 2] = [&INGRID, &LUCA];

/// A ticket as it is at the desk, or as the watch has read it.
#[derive(Clone, Debug, PartialEq)]
pub struct Ticket {
    pub owner: Option<Who>,
    /// Who looks after the client's account.
    pub account: Option<Who>,
    pub created: At,
    pub due: [Option<At>; 2],
    pub met: [Option<At>; 2],
    /// It waits for the customer: the resolution's clock stands still, and its due time with it.
    pub paused: bool,
    /// What SuperOps called breached when it was read: it holds whatever our clock says.
    pub flagged: [bool; 2],
    /// When somebody last did something on it.
    pub touched: At,
}

impl Ticket {
    /// How bad it is with `clock` at `now`.
    fn danger(&self, clock: Clock, now: At) -> Option<(Stage, At)> {
        let [warned_from, breached_from] = self.changes(clock)?;
        let due = breached_from - TICK;
        match () {
            () if now >= breached_from || self.flagged[clock as usize] => Some((Stage::Breached, due)),
            () if now >= warned_from => Some((Stage::Warning, due)),
            () => None,
        }
    }

    /// When `clock` is at risk, and when it is breached.
    fn changes(&self, clock: Clock) -> Option<[At; 2]> {
        let stands = self.met[clock as usize].is_some() || (self.paused && clock == Clock::Resolution);
        let due = self.due[clock as usize].filter(|_| !stands)?;
        Some([self.created + (due - self.created) * 3 / 4, due + TICK])
    }

    /// Whom the step tells.
    fn people(&self, step: usize) -> Vec<Who> {
        match step {
            0 => self.owner.map_or(GROUP.to_vec(), |owner| vec![owner]),
            1 => self.owner.filter(|owner| owner.name != DANA.name).map(|_| &DANA).into_iter().collect(),
            _ => self.account.into_iter().collect(),
        }
    }
}

/// By which ways a person is told of a stage.
fn ways(person: Who, stage: Stage) -> Vec<Way> {
    match (stage, person.phone) {
        (Stage::Breached, Some(_)) => vec![Way::Mail, Way::Text],
        _ => vec![Way::Mail],
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Over {
    Met,
    Late,
    Moved,
    ByHand,
    Paused,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Hold {
    snoozed: bool,
    at: At,
    until: Option<At>,
}

/// What people have been told of a clock of a ticket, and what comes next.
#[derive(Clone, Debug, PartialEq)]
struct Alert {
    stage: Stage,
    /// Rises when a clock that was safe is in danger again.
    episode: u32,
    due: At,
    raised: At,
    over: Option<Over>,
    /// From when its steps count.
    began: At,
    /// The next step.
    step: usize,
    step_at: Option<At>,
    hold: Option<Hold>,
    /// The next step is told even to those who were told before.
    again: bool,
    /// Who owned the ticket when people were told last.
    asked: Option<Who>,
}

/// What a person does to an alert.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    Acknowledge,
    Snooze(TimeDelta),
    Resolve,
    Escalate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    Alert(Stage),
    Recovery,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// It is to be said.
    Waits,
    /// It was said, and the watch knows.
    Said,
    /// It must not be said any more.
    Void,
    /// The receiver does not want it.
    Refused,
}

/// A message that is owed to somebody.
#[derive(Clone, Debug, PartialEq)]
struct Owed {
    ticket: usize,
    clock: Clock,
    what: What,
    episode: u32,
    who: Who,
    way: Way,
    /// Of which step.
    step: usize,
    /// In which look of the watch it became owed.
    turn: u32,
    /// It went void since the ticket is somebody else's.
    gone: bool,
    since: At,
    /// Not to be said before.
    free_from: At,
    /// Need not be said before: an attempt was cut short, and its lease runs.
    leased_until: At,
    state: State,
    /// An attempt may have failed, or have been taken without our hearing of it.
    shaky: bool,
    /// May be said by another way: this one has failed.
    by_another: bool,
    /// Void as soon as what is on its way has arrived.
    fades: bool,
    /// It may be said, and need not.
    optional: bool,
    /// Void since the clock was paused.
    paused: bool,
    /// Under which names it was said, and by which way.
    said: Vec<(Way, String)>,
}

/// A message that a receiver got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    pub at: At,
    pub way: Way,
    pub to: String,
    pub ticket: usize,
    pub clock: Clock,
    pub what: What,
    /// By which a receiver knows a repeat.
    pub identity: String,
}

/// A time in which nobody is told of a ticket, or of any.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Silence {
    pub ticket: Option<usize>,
    pub from: At,
    pub until: At,
}

/// How the receivers answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answers {
    #[default]
    Well,
    /// Not now.
    Later,
    /// Mail is taken, but the connection breaks before that is said; texts are taken.
    Lost,
    /// Mail is refused for good; texts are taken.
    Refused,
}

/// How a dispatch went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// By itself: all that was owed must have been said.
    Alone,
    /// Beside something else: it may have come too early for some of it.
    Beside,
    /// Through channels that may still be taken for out of order.
    Doubtful,
    /// It was killed: whatever it had begun may be done again.
    Killed,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    tickets: Vec<Ticket>,
    alerts: BTreeMap<(usize, Clock), Alert>,
    silences: Vec<Silence>,
    owed: Vec<Owed>,
    /// The number of the present look.
    turn: u32,
}

impl Model {
    /// The watch has read the desk.
    pub fn reads(&mut self, tickets: &[Ticket], now: At) {
        self.tickets = tickets.to_vec();
        for ticket in &mut self.tickets {
            ticket.flagged =
                CLOCKS.map(|clock| ticket.changes(clock).is_some_and(|[_, breached_from]| breached_from <= now));
        }
    }

    /// Whether there is an alert to act on.
    pub fn has_alert(&self, key: (usize, Clock)) -> bool {
        self.alerts.contains_key(&key)
    }

    /// Whether a step or the end of a hold is due.
    pub fn has_step_due(&self, now: At) -> bool {
        self.alerts.iter().any(|((ticket, _), alert)| {
            let at = if alert.hold.is_some() { alert.hold.and_then(|hold| hold.until) } else { alert.step_at };
            alert.over.is_none() && at.is_some_and(|at| at <= now) && !self.covered(*ticket, now)
        })
    }

    /// When something changes next by the passing of time.
    pub fn next_change(&self, now: At) -> Option<At> {
        let steps = self.alerts.values().filter(|alert| alert.over.is_none()).flat_map(|alert| match alert.hold {
            Some(hold) => hold.until,
            None => alert.step_at,
        });
        let clocks =
            self.tickets.iter().flat_map(|ticket| CLOCKS.map(|clock| ticket.changes(clock)).into_iter().flatten());
        let silences = self.silences.iter().map(|silence| silence.until);
        steps.chain(silences).chain(clocks.flatten()).filter(|at| *at > now).min()
    }

    pub fn silence(&mut self, ticket: Option<usize>, from: At, until: At) {
        self.silences.push(Silence { ticket, from, until });
        self.put_off(from);
    }

    pub fn is_silenced(&self, now: At) -> bool {
        self.silences.iter().any(|silence| now < silence.until)
    }

    /// Somebody ends the only silence that there is.
    pub fn end_silence(&mut self, now: At) {
        let until = self.silences.iter().map(|silence| silence.until).max();
        for silence in &mut self.silences {
            silence.until = silence.until.min(now);
        }
        for owed in self.owed.iter_mut().filter(|owed| Some(owed.free_from) == until) {
            owed.free_from = now;
        }
    }

    fn covered(&self, ticket: usize, now: At) -> bool {
        let covers = |silence: &Silence| silence.ticket.is_none_or(|only| only == ticket);
        self.silences.iter().any(|silence| covers(silence) && silence.from <= now && now < silence.until)
    }

    /// What waits to be said of what is covered waits for the end of that.
    fn put_off(&mut self, now: At) {
        for silence in self.silences.iter().filter(|silence| silence.from <= now && now < silence.until) {
            let meant = |owed: &&mut Owed| silence.ticket.is_none_or(|ticket| ticket == owed.ticket);
            for owed in self.owed.iter_mut().filter(meant).filter(|owed| owed.what != What::Recovery) {
                if owed.state == State::Waits {
                    owed.free_from = owed.free_from.max(silence.until);
                }
            }
        }
    }

    /// Somebody acts on an alert.
    pub fn acts(&mut self, key: (usize, Clock), action: Action, now: At) {
        let Some(alert) = self.alerts.get_mut(&key).filter(|alert| alert.over.is_none()) else { return };
        match action {
            Action::Acknowledge if alert.hold.is_some_and(|hold| !hold.snoozed) => return,
            Action::Acknowledge => {
                let until = (alert.stage == Stage::Breached).then(|| now + ACK_LASTS);
                alert.hold = Some(Hold { snoozed: false, at: now, until });
            }
            Action::Snooze(length) => alert.hold = Some(Hold { snoozed: true, at: now, until: Some(now + length) }),
            Action::Resolve => alert.over = Some(Over::ByHand),
            Action::Escalate if alert.step_at.is_some_and(|at| at <= now) => return,
            Action::Escalate => {
                alert.again |= alert.step_at.is_none();
                (alert.hold, alert.step_at) = (None, Some(now));
                return;
            }
        }
        (alert.step_at, alert.again) = (None, false);
        self.withdraw(key);
    }

    fn withdraw(&mut self, (ticket, clock): (usize, Clock)) {
        let about = |owed: &&mut Owed| owed.ticket == ticket && owed.clock == clock && owed.what != What::Recovery;
        for owed in self.owed.iter_mut().filter(about).filter(|owed| owed.state == State::Waits) {
            owed.state = State::Void;
        }
    }

    /// The watch looks at its clocks while messages leave: what becomes void may just be on its way.
    pub fn evaluates_beside_dispatch(&mut self, now: At) {
        let waited: Vec<usize> = (0..self.owed.len()).filter(|index| self.owed[*index].state == State::Waits).collect();
        for index in &waited {
            self.owed[*index].fades = true;
        }
        self.evaluates(now);
        for owed in &mut self.owed {
            owed.fades &= owed.state == State::Void;
            if owed.fades {
                owed.state = State::Waits;
            }
        }
    }

    /// What was on its way has arrived.
    fn fade(&mut self) {
        for owed in &mut self.owed {
            if std::mem::take(&mut owed.fades) && owed.state == State::Waits {
                owed.state = State::Void;
            }
        }
    }

    /// The watch looks at its clocks.
    pub fn evaluates(&mut self, now: At) {
        self.turn += 1;
        for ticket in 0..self.tickets.len() {
            for clock in CLOCKS {
                self.look((ticket, clock), now);
            }
        }
        self.put_off(now);
        let keys: Vec<_> = self.alerts.keys().copied().collect();
        for key in keys {
            self.end_hold(key, now);
            self.follow(key, now);
            self.run_step(key, now);
        }
    }

    fn look(&mut self, key: (usize, Clock), now: At) {
        let danger = self.tickets[key.0].danger(key.1, now);
        let before = self.alerts.get(&key).cloned();
        let Some((stage, due)) = danger else {
            let stands = self.tickets[key.0].changes(key.1).map(|[_, breached_from]| breached_from - TICK);
            // A clock that was set back makes nothing safer.
            let was_set_back = |alert: &Alert| now < alert.raised && stands == Some(alert.due);
            if before.is_some_and(|alert| alert.over.is_none() && !was_set_back(&alert)) {
                self.close(key, now);
            }
            return;
        };
        let episode = match before {
            None => 0,
            Some(old) => {
                let moved = old.due != due;
                match old.over {
                    None if stage > old.stage => old.episode,
                    None if stage < old.stage && moved => old.episode + 1,
                    None => return,
                    Some(Over::ByHand) if !moved && stage <= old.stage => return,
                    Some(Over::Paused) if !moved && stage <= old.stage => return self.reopen(key, now),
                    Some(_) => old.episode + 1,
                }
            }
        };
        self.withdraw(key);
        let alert = Alert {
            stage,
            episode,
            due,
            raised: now,
            over: None,
            began: now,
            step: 0,
            step_at: Some(now),
            hold: None,
            again: false,
            asked: self.tickets[key.0].owner,
        };
        self.alerts.insert(key, alert);
    }

    /// The same danger is back: the steps go on as far apart as ever, and what the pause withdrew is said after all.
    fn reopen(&mut self, key: (usize, Clock), now: At) {
        let Some(alert) = self.alerts.get_mut(&key) else { return };
        alert.over = None;
        alert.began = now - after(alert.step.saturating_sub(1));
        let is_held = alert.hold.is_some();
        alert.step_at = (alert.step < STEPS_AFTER.len() && !is_held).then(|| alert.began + after(alert.step));
        let (stage, episode) = (What::Alert(alert.stage), alert.episode);
        for owed in self.owed.iter_mut().filter(|owed| (owed.ticket, owed.clock) == key) {
            if std::mem::take(&mut owed.paused) && !is_held && (owed.what, owed.episode) == (stage, episode) {
                (owed.state, owed.since) = (State::Waits, now);
            }
        }
    }

    /// The danger is over: what waits is void, and those who were told hear of a good end.
    fn close(&mut self, key: (usize, Clock), now: At) {
        let (ticket, clock) = key;
        let (due, met) = (self.tickets[ticket].due[clock as usize], self.tickets[ticket].met[clock as usize]);
        let over = match (due, met) {
            (Some(due), Some(met)) if met <= due => Over::Met,
            (_, Some(_)) => Over::Late,
            _ if self.tickets[ticket].paused => Over::Paused,
            _ => Over::Moved,
        };
        for owed in self.owed.iter_mut().filter(|owed| (owed.ticket, owed.clock) == key) {
            owed.paused = over == Over::Paused && owed.state == State::Waits && owed.what != What::Recovery;
        }
        self.withdraw(key);
        let Some(alert) = self.alerts.get_mut(&key) else { return };
        alert.over = Some(over);
        let episode = alert.episode;
        if over != Over::Met {
            return;
        }
        let about = |owed: &&Owed| owed.ticket == ticket && owed.clock == clock && owed.what != What::Recovery;
        // What may have been told without our knowing may be followed by a good end, or not.
        let told = |owed: &Owed| owed.state == State::Said || owed.shaky || owed.fades;
        let mut ways: BTreeMap<(Who, Way), bool> = BTreeMap::new();
        for owed in self.owed.iter().filter(about).filter(|owed| told(owed)) {
            let by = owed.said.iter().map(|(way, _)| *way).chain(owed.fades.then_some(owed.way));
            for way in by {
                *ways.entry((owed.who, way)).or_default() |= owed.state == State::Said && !owed.shaky;
            }
        }
        // A clock that was set back since has the touch ahead of it.
        let since = self.tickets[ticket].touched.min(now);
        for ((who, way), sure) in ways {
            let optional = !sure;
            self.owed.push(Owed { ticket, clock, what: What::Recovery, episode, who, way, optional, ..blank(since) });
        }
    }

    fn end_hold(&mut self, key: (usize, Clock), now: At) {
        let touched = self.tickets[key.0].touched;
        let Some(alert) = self.alerts.get_mut(&key).filter(|alert| alert.over.is_none()) else { return };
        let Some(hold) = alert.hold.filter(|hold| hold.until.is_some_and(|until| until <= now)) else { return };
        if !hold.snoozed && touched > hold.at && touched <= now && touched + ACK_LASTS > now {
            // It is being worked on.
            alert.hold = Some(Hold { until: Some(touched + ACK_LASTS), ..hold });
            return;
        }
        if hold.snoozed {
            alert.step = alert.step.saturating_sub(1);
        }
        (alert.hold, alert.again, alert.step_at) = (None, true, Some(now));
    }

    /// The ticket is somebody else's: they are told what the steps so far have said, and those before them no more.
    fn follow(&mut self, key: (usize, Clock), now: At) {
        let ticket = self.tickets[key.0].clone();
        let Some(alert) = self.alerts.get_mut(&key).filter(|alert| alert.over.is_none() && alert.hold.is_none()) else {
            return;
        };
        if alert.asked == ticket.owner {
            return;
        }
        let former = Ticket { owner: std::mem::replace(&mut alert.asked, ticket.owner), ..ticket.clone() };
        let alert = alert.clone();
        let what = What::Alert(alert.stage);
        for owed in self.owed.iter_mut().filter(|owed| owed.state == State::Waits) {
            let about = (owed.ticket, owed.clock, owed.what, owed.episode) == (key.0, key.1, what, alert.episode);
            let was_theirs = owed.step < 2 && former.people(owed.step).contains(&owed.who);
            if about && was_theirs && !ticket.people(owed.step).contains(&owed.who) {
                (owed.state, owed.gone) = (State::Void, true);
            }
        }
        for step in 0..alert.step {
            for who in ticket.people(step) {
                for way in ways(who, alert.stage) {
                    self.tell(key, &alert, (who, way, step), false, now);
                }
            }
        }
    }

    /// The step that holds now is run, if its time has come: one, never two.
    fn run_step(&mut self, key: (usize, Clock), now: At) {
        let Some(alert) = self.alerts.get(&key).filter(|alert| alert.over.is_none() && alert.hold.is_none()) else {
            return;
        };
        if alert.step_at.is_none_or(|at| at > now) || self.covered(key.0, now) {
            return;
        }
        let (mut alert, ticket) = (alert.clone(), self.tickets[key.0].clone());
        let found = steps_to_try(&alert, now).into_iter().find(|step| !ticket.people(*step).is_empty());
        let again = std::mem::take(&mut alert.again);
        let Some(step) = found else {
            alert.step_at = None;
            self.alerts.insert(key, alert);
            return;
        };
        for who in ticket.people(step) {
            for way in ways(who, alert.stage) {
                self.tell(key, &alert, (who, way, step), again, now);
            }
        }
        if again {
            alert.began = now - after(step);
        } else if alert.step == 0 {
            // It may have waited for the end of a silence.
            alert.began = now;
        }
        alert.asked = ticket.owner;
        alert.step = (step + 1).max(if again { alert.step } else { 0 });
        // Nobody owns it: there is no owner to wait for.
        let onward = ticket.owner.is_none() && step == 0;
        let next = (alert.step < STEPS_AFTER.len()).then(|| (alert.began + after(alert.step)).max(now));
        alert.step_at = next.map(|at| if onward { now } else { at });
        self.alerts.insert(key, alert);
    }

    fn tell(
        &mut self,
        (ticket, clock): (usize, Clock),
        alert: &Alert,
        (who, way, step): (Who, Way, usize),
        again: bool,
        now: At,
    ) {
        let (what, episode, turn) = (What::Alert(alert.stage), alert.episode, self.turn);
        let free_from = self.free_from(ticket, now);
        let about = |owed: &Owed| {
            (owed.ticket, owed.clock, owed.what, owed.episode) == (ticket, clock, what, episode)
                && owed.who == who
                && owed.way == way
        };
        // Who was told a moment ago, since the ticket is theirs now, is not told again at once.
        let knows = |owed: &Owed| about(owed) && owed.state != State::Void && (!again || owed.turn == turn);
        if self.owed.iter().any(knows) {
            return;
        }
        // What was withdrawn since the ticket was somebody else's is wanted after all.
        let back = self.owed.iter_mut().find(|owed| about(owed) && owed.gone && owed.step == step && !again);
        match back {
            Some(owed) => {
                (owed.state, owed.gone, owed.turn, owed.since, owed.free_from) =
                    (State::Waits, false, turn, now, free_from);
            }
            None => {
                self.owed.push(Owed { ticket, clock, what, episode, who, way, step, turn, free_from, ..blank(now) })
            }
        }
    }

    /// From when on people may be told of a ticket.
    fn free_from(&self, ticket: usize, now: At) -> At {
        let covers = |silence: &&Silence| silence.ticket.is_none_or(|only| only == ticket) && silence.from <= now;
        self.silences.iter().filter(covers).map(|silence| silence.until).fold(now, At::max)
    }

    /// The receivers got these in a dispatch, while they answered so.
    pub fn hears(&mut self, heard: &[Heard], answers: Answers, turned: Turned, now: At) -> Result<(), String> {
        for owed in self.owed.iter_mut().filter(|owed| owed.state == State::Waits) {
            owed.by_another |= answers != Answers::Well || turned == Turned::Doubtful;
        }
        for one in heard {
            self.hear(one, answers, turned, now)?;
        }
        self.fade();
        for owed in self.owed.iter_mut().filter(|owed| owed.state == State::Waits) {
            owed.shaky |= answers == Answers::Later || (answers == Answers::Lost && owed.way == Way::Mail);
            if turned == Turned::Killed {
                (owed.shaky, owed.leased_until) = (true, now + LEASE);
            }
        }
        if answers == Answers::Refused {
            self.is_refused(now);
        }
        let late = self.owed.iter().find(|owed| self.is_wanted(owed, now) && !owed.shaky);
        match late.filter(|_| turned == Turned::Alone && matches!(answers, Answers::Well | Answers::Refused)) {
            Some(owed) => Err(format!("not told: {}", self.words(owed))),
            None => Ok(()),
        }
    }

    /// Whether nothing waits to be said.
    pub fn has_said_all(&self) -> bool {
        !self.owed.iter().any(|owed| owed.state == State::Waits)
    }

    /// Whether nothing waits to be tried once more.
    pub fn is_sure(&self) -> bool {
        !self.owed.iter().any(|owed| owed.state == State::Waits && owed.shaky && owed.said.is_empty())
    }

    /// All mail that could leave was refused. Whoever has a phone must have heard by text; where nobody of a step was
    /// reached, the next is due.
    fn is_refused(&mut self, now: At) {
        let mut refused = Vec::new();
        for index in 0..self.owed.len() {
            let owed = &self.owed[index];
            if owed.way != Way::Mail || !self.is_wanted(owed, now) {
                continue;
            }
            let texted = matches!(owed.what, What::Alert(Stage::Warning)) && owed.who.phone.is_some();
            if !texted {
                self.owed[index].state = State::Refused;
                refused.push((self.owed[index].ticket, self.owed[index].clock, self.owed[index].step));
            }
        }
        for (ticket, clock, step) in refused {
            let Some(alert) = self.alerts.get_mut(&(ticket, clock)).filter(|alert| alert.over.is_none()) else {
                continue;
            };
            let (what, episode) = (What::Alert(alert.stage), alert.episode);
            let of_step = |owed: &&Owed| {
                (owed.ticket, owed.clock, owed.what, owed.episode, owed.step) == (ticket, clock, what, episode, step)
            };
            let reached = self.owed.iter().filter(of_step).any(|owed| matches!(owed.state, State::Said | State::Waits));
            if !reached {
                alert.step_at = alert.step_at.map(|at| at.min(now));
            }
        }
    }

    /// The breaches of which nobody was told, as far as the watch knows, because the receivers put it off.
    pub fn stuck(&self) -> Vec<(usize, Clock)> {
        let is_stuck = |((ticket, clock), alert): &(&(usize, Clock), &Alert)| {
            let of_step = |owed: &&Owed| {
                (owed.ticket, owed.clock, owed.what, owed.episode, owed.step + 1)
                    == (*ticket, *clock, What::Alert(Stage::Breached), alert.episode, alert.step)
            };
            let mut states = self.owed.iter().filter(of_step).map(|owed| (owed.state, owed.shaky));
            let is_open = alert.over.is_none() && alert.hold.is_none() && alert.stage == Stage::Breached;
            is_open
                && states.clone().any(|state| state == (State::Waits, true))
                && states.all(|(state, _)| state != State::Said)
        };
        self.alerts.iter().filter(is_stuck).map(|(key, _)| *key).collect()
    }

    /// The watch has brought the next step of a stuck breach forward.
    pub fn hurries(&mut self, key: (usize, Clock), now: At) {
        if self.stuck().contains(&key) {
            let alert = self.alerts.get_mut(&key).unwrap();
            alert.step_at = alert.step_at.map(|at| at.min(now));
        }
    }

    fn is_wanted(&self, owed: &Owed, now: At) -> bool {
        owed.state == State::Waits
            && !owed.optional
            && owed.said.is_empty()
            && owed.free_from <= now
            && owed.leased_until <= now
    }

    /// All has had its time: nothing that is owed is left.
    pub fn is_settled(&self, now: At) -> Result<(), String> {
        let given_up = |owed: &Owed| owed.shaky && now - owed.since > GIVEN_UP_AFTER;
        match self.owed.iter().find(|owed| self.is_wanted(owed, now) && !given_up(owed)) {
            Some(owed) => Err(format!("never told: {}", self.words(owed))),
            None => Ok(()),
        }
    }

    fn hear(&mut self, heard: &Heard, answers: Answers, turned: Turned, now: At) -> Result<(), String> {
        let is_lost = turned == Turned::Killed || (answers == Answers::Lost && heard.way == Way::Mail);
        let known = |owed: &&mut Owed| owed.said.contains(&(heard.way, heard.identity.clone())) && owed.is_to(heard);
        if let Some(owed) = self.owed.iter_mut().find(known) {
            if owed.state == State::Void || !owed.shaky {
                return Err(format!("said once more: {heard:?}"));
            }
            owed.state = if is_lost { owed.state } else { State::Said };
            return Ok(());
        }
        let covered = heard.what != What::Recovery && self.covered(heard.ticket, now);
        // It may have been said by another way meanwhile: the first is tried on all the same.
        let unsaid = |owed: &&mut Owed| !owed.said.iter().any(|(way, _)| *way == heard.way);
        let waits = |owed: &&mut Owed| owed.is_about(heard) && owed.state == State::Waits && unsaid(owed);
        let fits = |owed: &&mut Owed| owed.way == heard.way && owed.who.is_at(&heard.to) && owed.free_from <= now;
        let found = self.owed.iter_mut().filter(|owed| waits(owed) && fits(owed)).min_by_key(|owed| owed.since);
        if let Some(owed) = found.filter(|_| !covered) {
            owed.said.push((heard.way, heard.identity.clone()));
            owed.state = if is_lost { State::Waits } else { State::Said };
            owed.shaky |= is_lost;
            return Ok(());
        }
        let instead = |owed: &&mut Owed| {
            let by_this = owed.said.iter().any(|(way, _)| *way == heard.way);
            owed.is_about(heard)
                && owed.by_another
                && owed.who.is_at(&heard.to)
                && owed.way != heard.way
                && !by_this
                && owed.state != State::Void
        };
        if let Some(owed) = self.owed.iter_mut().find(instead).filter(|_| !covered) {
            owed.said.push((heard.way, heard.identity.clone()));
            if answers == Answers::Refused {
                owed.state = State::Said;
            }
            return Ok(());
        }
        let void = self.owed.iter().rfind(|owed| owed.is_about(heard) && owed.is_to(heard));
        let why = void.map_or("nobody owed it".to_owned(), |owed| format!("of this there was: {}", self.words(owed)));
        Err(format!("told in vain: {heard:?}; {why}, covered: {covered}"))
    }

    fn words(&self, owed: &Owed) -> String {
        format!(
            "{:?} of ticket {} {:?} (episode {}) to {} by {:?}, {:?} since {}, free from {}, said as {:?}",
            owed.what,
            owed.ticket,
            owed.clock,
            owed.episode,
            owed.who.name,
            owed.way,
            owed.state,
            owed.since.format("%a %H:%M"),
            owed.free_from.format("%a %H:%M"),
            owed.said
        )
    }
}

impl Owed {
    fn is_about(&self, heard: &Heard) -> bool {
        (self.ticket, self.clock, self.what) == (heard.ticket, heard.clock, heard.what)
    }

    fn is_to(&self, heard: &Heard) -> bool {
        self.said_way(heard.way) && self.who.is_at(&heard.to)
    }

    fn said_way(&self, way: Way) -> bool {
        self.way == way || self.said.iter().any(|(said, _)| *said == way)
    }
}

impl Person {
    fn is_at(&self, address: &str) -> bool {
        self.mail == address || self.phone == Some(address)
    }
}

fn blank(since: At) -> Owed {
    Owed {
        ticket: 0,
        clock: Clock::Resolution,
        what: What::Recovery,
        episode: 0,
        who: &DANA,
        way: Way::Mail,
        step: 0,
        turn: 0,
        gone: false,
        since,
        free_from: since,
        leased_until: since,
        state: State::Waits,
        shaky: false,
        by_another: false,
        fades: false,
        optional: false,
        paused: false,
        said: Vec::new(),
    }
}

fn after(step: usize) -> TimeDelta {
    TimeDelta::minutes(STEPS_AFTER[step])
}

/// The steps to try, until one reaches somebody: the one that holds now, then those above it. Where it
/// is said again, those below are better than nobody.
fn steps_to_try(alert: &Alert, now: At) -> Vec<usize> {
    let last = STEPS_AFTER.len() - 1;
    if alert.again {
        let next = alert.step.min(last);
        return (next..=last).chain((0..next).rev()).collect();
    }
    let mut step = alert.step;
    // Those that were missed in a stand-still are not made up for, but for the first.
    while step > 0 && step < last && alert.began + after(step + 1) <= now {
        step += 1;
    }
    (step..=last).collect()
}
