//! One history: the product and the model live through it side by side, and what the receivers got is
//! held against what was owed. It is written down as it goes, to be read when it fails.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use superops_sla::alert::life::{Act, Actor, How};
use superops_sla::alert::suppression::SuppressionKind;
use superops_sla::service::Reach;
use superops_sla::service::suppressions::SuppressionOrder;
use superops_sla::simulator::NewTicket;
use superops_sla::simulator::receivers::{Caught, CaughtKind, MailReply, SmsReply};
use superops_sla::store::alerts::id_of;
use superops_sla::store::audit::Author;

use super::Happening;
use super::model::{
    AMARA, Action, Answers, At, Clock, Heard, INGRID, MATEO, Model, Person, Stage, Ticket, Turned, Way, What, ZOE,
};
use crate::support::{Dies, TestApp, begin, minutes};

/// Each message by itself: which of them are put together is tried elsewhere.
const ALONE: &str = "[alerts.limits]\nbundle_from = 1000\nsms_per_number = []\nsms_per_day = 100000\n";
/// A turn of which nothing need be told ends so.
const IDLE: &str = " ";
/// More worlds than this are not told apart.
const MOST_WORLDS: usize = 64;

/// Who may own a ticket, and for which client it may be: with the manager of its account.
static OWNERS: [Option<&Person>; 4] = [Some(&MATEO), Some(&ZOE), Some(&AMARA), None];
static CLIENTS: [(&str, Option<&Person>); 2] = [("Initech Hosting", Some(&INGRID)), ("Café Überall GmbH", None)];

pub struct Story {
    app: TestApp,
    /// The tickets as they are at the desk, and what SuperOps calls them.
    desk: Vec<Ticket>,
    ids: Vec<String>,
    shown: BTreeMap<String, usize>,
    /// Where two things happened at once, each order is a world; those that do not fit are left behind.
    worlds: Vec<Model>,
    answers: Answers,
    /// From then on a channel that failed is in order again, and nothing waits to be tried once more.
    well_from: Option<At>,
    silence: Option<i64>,
    /// Those that have waited for the customer.
    waited: BTreeSet<usize>,
    /// The latest moment that our clock has shown.
    latest: At,
    /// When SuperOps was asked last.
    read_at: At,
    told: Vec<String>,
    failed: Option<String>,
}

impl Story {
    pub async fn begin(tickets: &[(u8, u16)]) -> Self {
        let mut story = Self {
            app: TestApp::with(ALONE).await,
            desk: Vec::new(),
            ids: Vec::new(),
            shown: BTreeMap::new(),
            worlds: vec![Model::default()],
            answers: Answers::Well,
            well_from: None,
            silence: None,
            waited: BTreeSet::new(),
            latest: begin(),
            read_at: begin(),
            told: Vec::new(),
            failed: None,
        };
        story.app.turn().await;
        for (kind, length) in tickets {
            story.happens(Happening::Arrive { kind: *kind, minutes: *length }).await;
        }
        let first = story.worlds[0].next_change(story.now());
        story.passes(first.map_or(minutes(1), |first| first - story.now())).await;
        story
    }

    fn now(&self) -> At {
        self.app.now()
    }

    fn tell(&mut self, what: String) {
        self.told.push(format!("{}  {what}", self.now().format("%a %H:%M:%S")));
    }

    /// What went wrong, with the whole story.
    pub fn failed(&self) -> Option<String> {
        let why = self.failed.as_ref()?;
        Some(format!("{why}\nThe story:\n{}\n", self.told.join("\n")))
    }

    fn fails(&mut self, why: String) {
        self.failed.get_or_insert(why);
    }

    fn each(&mut self, mut change: impl FnMut(&mut Model)) {
        self.worlds.iter_mut().for_each(&mut change);
    }

    /// It may have come this way or that.
    fn either(&mut self, one: impl Fn(&mut Model), other: impl Fn(&mut Model)) {
        let mut worlds = Vec::with_capacity(2 * self.worlds.len());
        for world in &self.worlds {
            let (mut first, mut second) = (world.clone(), world.clone());
            one(&mut first);
            other(&mut second);
            for world in [first, second] {
                if !worlds.contains(&world) && worlds.len() < MOST_WORLDS {
                    worlds.push(world);
                }
            }
        }
        self.worlds = worlds;
    }

    /// Leaves behind the worlds in which `check` fails.
    fn holds(&mut self, check: impl Fn(&mut Model) -> Result<(), String>) {
        let mut why = String::new();
        self.worlds.retain_mut(|world| check(world).map_err(|error| why = error).is_ok());
        if self.worlds.is_empty() {
            self.fails(why);
        }
    }

    pub async fn happens(&mut self, happening: Happening) {
        match happening {
            Happening::Arrive { kind, minutes: length } => self.arrives(kind, length).await,
            Happening::Pass { minutes: length } => self.passes(minutes(length.into())).await,
            Happening::Jump { minutes: length } => {
                self.app.clock.advance(minutes(length.into()));
                self.tell(format!("({length} min in which nobody turns a loop)"));
            }
            Happening::SetBack { seconds } => self.sets_back(TimeDelta::seconds(seconds.into())),
            Happening::Sync => self.sync().await,
            Happening::Evaluate => self.evaluate().await,
            Happening::Dispatch => self.dispatch().await,
            Happening::EvaluateAndDispatch => self.evaluate_and_dispatch().await,
            Happening::SyncAndEvaluate => self.sync_and_evaluate().await,
            Happening::Act { which, action } => self.acts(which, action).await,
            Happening::ActAndEvaluate { which, action } => self.act_and_evaluate(which, action).await,
            Happening::ActAndDispatch { which, action } => self.act_and_dispatch(which, action).await,
            Happening::Touch { which } => self.change(which, "is touched", |_, _| {}),
            Happening::Answer { which } => self.change(which, "is answered", |ticket, now| {
                ticket.met[Clock::Response as usize].get_or_insert(now);
            }),
            Happening::Close { which } => self.closes(which),
            Happening::Pause { which } => self.pauses(which),
            Happening::Move { which, minutes: by } => {
                let by = minutes(by.into());
                if self.which(which).is_some_and(|index| self.waited.contains(&index)) {
                    return;
                }
                self.change(which, "gets another due time", |ticket, _| {
                    let due = ticket.due[Clock::Resolution as usize].map(|due| due + by);
                    ticket.due[Clock::Resolution as usize] =
                        due.filter(|due| *due > ticket.created).or(due.map(|due| due - by));
                });
            }
            Happening::Reassign { which, to } => self.reassigns(which, to),
            Happening::Silence { which, minutes: length } => self.silences(which, length).await,
            Happening::EndSilence => self.ends_silence().await,
            Happening::Receivers(answers) => self.receivers(answers),
            Happening::Restart => {
                self.tell("the service is stopped and started".to_owned());
                self.app.restart().await;
                self.starts().await;
            }
            Happening::Kill { during, after } => self.is_killed(during, after).await,
        }
    }

    /// The computer's clock is set back; that of the desk goes on. What waits to be said would wait for its time.
    fn sets_back(&mut self, length: TimeDelta) {
        let latest = self.latest.max(self.now());
        // What a clock further ahead has told ends, and is told again in its time: that is another test's.
        let length = length.min(self.now() + TimeDelta::minutes(10) - latest);
        if length > TimeDelta::zero() && self.worlds.iter().all(Model::has_said_all) {
            self.latest = latest;
            self.app.clock.advance(-length);
            self.tell(format!("the clock was set back by {} s", length.num_seconds()));
        }
    }

    async fn arrives(&mut self, kind: u8, length: u16) {
        let now = self.now();
        if now < self.latest {
            return;
        }
        let kind = usize::from(kind);
        let (owner, (client, account)) = (OWNERS[kind % OWNERS.len()], CLIENTS[kind / 4 % CLIENTS.len()]);
        let length = minutes(length.into());
        let response = (kind / 8 % 2 == 1).then_some(length / 2);
        let due = |length| now + length;
        let ticket = Ticket {
            owner,
            account,
            created: now,
            due: [response.map(due), Some(due(length))],
            met: [None, None],
            paused: false,
            flagged: [false; 2],
            touched: now,
        };
        let id = self.app.superops.add(NewTicket {
            technician: owner.map(|owner| owner.name.to_owned()),
            group: Some("Network".to_owned()),
            client: Some(client.to_owned()),
            response_due_in: response,
            resolution_due_in: Some(length),
            ..NewTicket::default()
        });
        let index = self.desk.len();
        self.tell(format!(
            "ticket {index} arrives: owned by {}, for {client}, due in {} min{}",
            owner.map_or("nobody", |owner| owner.name),
            length.num_minutes(),
            response.map(|due| format!(", to be answered in {} min", due.num_minutes())).unwrap_or_default()
        ));
        let shown = self.app.superops.ticket(&id).expect("it was just added").display_id;
        self.shown.insert(shown, index);
        self.ids.push(id);
        self.desk.push(ticket);
        // One that is past due when it is first seen is another story.
        self.sync().await;
    }

    fn which(&self, which: u8) -> Option<usize> {
        (!self.desk.is_empty()).then(|| usize::from(which) % self.desk.len())
    }

    /// A ticket on which something may happen now: it is not closed, and the desk's clock is not ahead of ours.
    fn is_open(&self, which: u8) -> Option<usize> {
        self.which(which).filter(|index| self.desk[*index].met[1].is_none() && self.latest <= self.now())
    }

    /// Something changes on a ticket that is not closed.
    fn change(&mut self, which: u8, what: &str, change: impl FnOnce(&mut Ticket, At)) {
        let now = self.now();
        let Some(index) = self.is_open(which) else { return };
        let ticket = &mut self.desk[index];
        change(ticket, now);
        ticket.touched = now;
        let ticket = ticket.clone();
        self.app.superops.patch(&self.ids[index], |there| {
            there.first_response.met_at = ticket.met[0];
            there.resolution.due = ticket.due[1];
            there.updated_at = now;
            // A ticket touched twice in a moment is a change all the same.
            there.subject.push('.');
        });
        self.tell(format!("ticket {index} {what}"));
    }

    fn closes(&mut self, which: u8) {
        let now = self.now();
        let Some(index) = self.is_open(which) else { return };
        self.change(which, "is closed", |ticket, _| {
            ticket.met = [Some(ticket.met[0].unwrap_or(now)), Some(now)];
        });
        self.app.superops.change_status(&self.ids[index], "Resolved");
    }

    /// Has it wait for the customer, or go on. Only once it is late: what a pause does to the share of the time that has
    /// passed, and so to warnings, is tried with the clocks.
    fn pauses(&mut self, which: u8) {
        let now = self.now();
        let is_late = |ticket: &Ticket| ticket.due[1].is_some_and(|due| due < now);
        let Some(index) = self.is_open(which).filter(|index| is_late(&self.desk[*index])) else { return };
        self.waited.insert(index);
        let paused = !self.desk[index].paused;
        self.change(which, if paused { "waits for the customer" } else { "goes on" }, |ticket, _| {
            ticket.paused = paused
        });
        let status = if paused { "Waiting on Customer" } else { "In Progress" };
        self.app.superops.change_status(&self.ids[index], status);
    }

    fn reassigns(&mut self, which: u8, to: u8) {
        let Some(index) = self.is_open(which) else { return };
        let owner = OWNERS[usize::from(to) % OWNERS.len()];
        let there = self.desk.iter().position(|ticket| ticket.owner == owner);
        let Some(there) = there.and_then(|index| self.app.superops.ticket(&self.ids[index])) else { return };
        self.change(which, "is handed over", |ticket, _| ticket.owner = owner);
        self.app.superops.patch(&self.ids[index], |ticket| ticket.technician = there.technician);
    }

    async fn silences(&mut self, which: Option<u8>, length: u16) {
        let now = self.now();
        // One at a time: two that overlap are tried in `told`.
        if self.worlds.iter().any(|world| world.is_silenced(now)) {
            return;
        }
        let ticket = which.and_then(|which| self.which(which));
        let length = minutes(length.into());
        let order = SuppressionOrder {
            ticket: ticket.map(|index| self.ids[index].clone()),
            everything: ticket.is_none(),
            length: Some(format!("{}m", length.num_minutes())),
            reason: "quiet".to_owned(),
            ..SuppressionOrder::default()
        };
        let service = &self.app.parts().service;
        let made =
            service.add_suppression(&Reach::All, SuppressionKind::Silence, order, author()).await.unwrap().unwrap();
        self.silence = Some(made.id);
        self.tell(format!("silence about {ticket:?} for {} min", length.num_minutes()));
        self.each(|world| world.silence(ticket, now, now + length));
    }

    async fn ends_silence(&mut self) {
        let now = self.now();
        let Some(id) = self.silence.take().filter(|_| self.worlds.iter().any(|world| world.is_silenced(now))) else {
            return;
        };
        let service = &self.app.parts().service;
        service.end_suppression(&Reach::All, SuppressionKind::Silence, id, author()).await.unwrap();
        self.tell("the silence is ended by hand".to_owned());
        self.each(|world| world.end_silence(now));
    }

    fn receivers(&mut self, answers: Answers) {
        let is_well = self.answers == Answers::Well && self.well_from.is_none_or(|well_from| well_from <= self.now());
        // What waits to be tried once more comes at a moment that nobody foresees, and so would its refusal.
        if answers == Answers::Refused && !(is_well && self.worlds.iter().all(Model::is_sure)) {
            return;
        }
        self.tell(format!("receivers answer: {answers:?}"));
        let (mail, sms) = match answers {
            Answers::Well => (MailReply::Accept, SmsReply::Accept),
            Answers::Later => (MailReply::TryLater, SmsReply::Error500),
            Answers::Lost => (MailReply::CloseAfterData, SmsReply::Accept),
            Answers::Refused => (MailReply::NoSuchUser, SmsReply::Accept),
        };
        self.app.mail.reply(mail);
        self.app.sms.reply(sms);
        if !matches!(self.answers, Answers::Well | Answers::Refused) {
            self.well_from = Some(self.now() + minutes(7));
        }
        self.answers = answers;
    }

    /// After a stop of two polls nothing is told before SuperOps was asked, for a minute at the most: that is another
    /// test's.
    async fn starts(&mut self) {
        if self.now() - self.read_at > minutes(2) {
            self.sync().await;
        }
    }

    async fn sync(&mut self) {
        self.app.sync().await;
        self.read_at = self.now();
        self.tell(format!("sync{IDLE}"));
        let (desk, now) = (self.desk.clone(), self.now());
        self.each(|world| world.reads(&desk, now));
    }

    async fn evaluate(&mut self) {
        let now = self.now();
        let turn = self.app.evaluate().await;
        self.tell(match turn.notifications {
            0 => format!("evaluate{IDLE}"),
            many => format!("evaluate: {many} to say"),
        });
        self.each(|world| world.evaluates(now));
    }

    async fn dispatch(&mut self) {
        self.app.dispatch().await;
        self.tell(format!("dispatch{IDLE}"));
        self.hears(Turned::Alone).await;
    }

    /// Holds what the receivers got since last asked against what was owed.
    async fn hears(&mut self, turned: Turned) {
        let doubtful = turned != Turned::Killed && self.well_from.is_some_and(|well_from| self.now() < well_from);
        let turned = if doubtful { Turned::Doubtful } else { turned };
        let caught = self.app.heard();
        let heard: Vec<Heard> = caught.iter().map(|caught| self.read(caught)).collect();
        for one in &heard {
            let what =
                format!("    {:?} of ticket {} {:?} to {} by {:?}", one.what, one.ticket, one.clock, one.to, one.way);
            self.tell(format!("{what} ({})", one.identity));
        }
        let (now, answers) = (self.now(), self.answers);
        self.holds(|world| world.hears(&heard, answers, turned, now));
        self.hurries().await;
    }

    /// A breach that no receiver takes is told to the next people. At which attempt that shows, nobody foresees, but it
    /// must be such a breach.
    async fn hurries(&mut self) {
        let now = self.now();
        let stuck: BTreeSet<_> = self.worlds.iter().flat_map(Model::stuck).collect();
        for key in stuck {
            let id = self.alert_id(key);
            let alert = self.app.parts().store.alert(&id).await.unwrap();
            if alert.and_then(|alert| alert.next_step_at).is_some_and(|at| at <= now) {
                self.each(|world| world.hurries(key, now));
            }
        }
    }

    fn read(&self, caught: &Caught) -> Heard {
        let words = format!("{} {}", caught.subject, caught.text.replace('\n', " "));
        let ticket = self.shown.iter().find(|(shown, _)| words.contains(shown.as_str())).map(|(_, index)| *index);
        let text = caught.text.strip_prefix("SLA ").unwrap_or(&caught.text).to_lowercase();
        let what = match text.split(':').next().unwrap_or_default() {
            "breached" | "just breached" => What::Alert(Stage::Breached),
            "at risk" | "past due" => What::Alert(Stage::Warning),
            "ok" => What::Recovery,
            other => panic!("a message of a kind that the model does not know: {other}: {words}"),
        };
        let is_response = words.contains("first response");
        let (way, identity) = match caught.kind {
            CaughtKind::Email => (Way::Mail, caught.header("message-id").map(str::to_owned)),
            _ => (Way::Text, caught.text.rsplit('#').next().map(str::to_owned)),
        };
        Heard {
            at: caught.at,
            way,
            to: caught.to.clone(),
            ticket: ticket.unwrap_or_else(|| panic!("a message about no ticket: {words}")),
            clock: if is_response { Clock::Response } else { Clock::Resolution },
            what,
            identity: identity.unwrap_or_default(),
        }
    }

    /// Time passes; the loops turn whenever they would wake, and at the end.
    async fn passes(&mut self, length: TimeDelta) {
        let end = self.now() + length;
        self.turns().await;
        while self.now() < end && self.failed.is_none() {
            let now = self.now();
            let next = self.worlds.iter().filter_map(|world| world.next_change(now)).min();
            self.app.clock.advance(next.map_or(end, |next| next.min(end)) - now);
            self.turns().await;
        }
    }

    /// The three loops, until there is nothing left to do at this moment.
    async fn turns(&mut self) {
        let before = self.told.len();
        self.rest().await;
        if self.told[before..].iter().all(|line| line.ends_with(IDLE)) {
            self.told.truncate(before);
        }
    }

    async fn rest(&mut self) {
        self.sync().await;
        for _ in 0..8 {
            self.evaluate().await;
            self.dispatch().await;
            let now = self.now();
            if self.worlds.iter().all(|world| !world.has_step_due(now)) {
                return;
            }
        }
        self.fails("the loops do not come to rest".to_owned());
    }

    async fn evaluate_and_dispatch(&mut self) {
        let now = self.now();
        let parts = self.app.parts();
        let (evaluated, dispatched) = tokio::join!(parts.evaluate.turn(now), parts.dispatch.turn(now));
        evaluated.unwrap();
        dispatched.unwrap();
        self.tell("evaluate and dispatch at once".to_owned());
        self.each(|world| world.evaluates_beside_dispatch(now));
        self.hears(Turned::Beside).await;
    }

    async fn sync_and_evaluate(&mut self) {
        let now = self.now();
        let parts = self.app.parts();
        let (synced, evaluated) = tokio::join!(parts.syncs[0].turn(now), parts.evaluate.turn(now));
        synced.unwrap();
        evaluated.unwrap();
        self.read_at = now;
        self.tell("sync and evaluate at once".to_owned());
        let desk = self.desk.clone();
        let first = |world: &mut Model| {
            world.reads(&desk, now);
            world.evaluates(now);
        };
        let last = |world: &mut Model| {
            world.evaluates(now);
            world.reads(&desk, now);
        };
        self.either(first, last);
    }

    /// Nobody acts while our clock stands before a moment that it has shown. Known and open: who acknowledges then what
    /// was raised later by that clock may hear of it once more.
    fn meant(&self, which: u8) -> Option<(usize, Clock)> {
        let index = self.which(which / 2).filter(|_| self.latest <= self.now())?;
        Some((index, if which.is_multiple_of(2) { Clock::Resolution } else { Clock::Response }))
    }

    fn alert_id(&self, (ticket, clock): (usize, Clock)) -> String {
        let word = if clock == Clock::Response { "first_response" } else { "resolution" };
        id_of(&format!("acme:{}:{word}:0", self.ids[ticket]))
    }

    async fn acts(&mut self, which: u8, action: Action) {
        let now = self.now();
        let Some(key) = self.meant(which) else { return };
        if self.worlds.iter().all(|world| !world.has_alert(key)) {
            return;
        }
        let (id, act) = (self.alert_id(key), act(action, now));
        self.app.parts().service.act_on_alert(&Reach::All, &id, act, &mia()).await.unwrap();
        self.tell(format!("Mia: {action:?}, ticket {} {:?}", key.0, key.1));
        self.each(|world| world.acts(key, action, now));
    }

    async fn act_and_evaluate(&mut self, which: u8, action: Action) {
        let now = self.now();
        let Some(key) = self.meant(which) else { return };
        let (id, act, mia) = (self.alert_id(key), act(action, now), mia());
        let parts = self.app.parts();
        let acting = parts.store.act(&id, act, &mia, now);
        let (acted, turned) = tokio::join!(acting, parts.evaluate.turn(now));
        acted.unwrap();
        turned.unwrap();
        self.tell(format!("at once: evaluate, and Mia: {action:?}, ticket {} {:?}", key.0, key.1));
        let first = |world: &mut Model| {
            world.acts(key, action, now);
            world.evaluates(now);
        };
        let last = |world: &mut Model| {
            world.evaluates(now);
            world.acts(key, action, now);
        };
        self.either(first, last);
    }

    async fn act_and_dispatch(&mut self, which: u8, action: Action) {
        let now = self.now();
        let Some(key) = self.meant(which) else { return };
        let (id, act, mia) = (self.alert_id(key), act(action, now), mia());
        let parts = self.app.parts();
        let acting = parts.store.act(&id, act, &mia, now);
        let (acted, turned) = tokio::join!(acting, parts.dispatch.turn(now));
        acted.unwrap();
        turned.unwrap();
        self.tell(format!("at once: dispatch, and Mia: {action:?}, ticket {} {:?}", key.0, key.1));
        // What was on its way when she acted may have arrived.
        self.hears(Turned::Beside).await;
        self.each(|world| world.acts(key, action, now));
    }

    async fn is_killed(&mut self, during: Dies, after: u16) {
        let now = self.now();
        self.tell(format!("killed in {during:?}"));
        self.app.kill(during, after).await;
        self.app.resume().await;
        let desk = self.desk.clone();
        match during {
            Dies::Sync => self.either(|_| {}, |world| world.reads(&desk, now)),
            Dies::Evaluate => self.either(|_| {}, |world| world.evaluates(now)),
            Dies::Dispatch => self.hears(Turned::Killed).await,
        }
        self.starts().await;
    }

    /// All receivers answer, all silences end, and whatever waits for its time gets it.
    pub async fn end(&mut self) {
        self.receivers(Answers::Well);
        self.passes(TimeDelta::hours(3)).await;
        for _ in 0..2 {
            self.app.clock.advance(minutes(7));
            self.turns().await;
        }
        let now = self.now();
        self.holds(|world| world.is_settled(now));
        if std::env::var_os("HISTORIES_TELL").is_some() {
            println!("{}\n", self.told.join("\n"));
        }
        self.app.stop().await;
    }
}

fn act(action: Action, now: At) -> Act {
    match action {
        Action::Acknowledge => Act::Acknowledge,
        Action::Snooze(length) => Act::Snooze { until: now + length },
        Action::Resolve => Act::Resolve,
        Action::Escalate => Act::Escalate,
    }
}

fn mia() -> Actor {
    Actor { name: "Mia".to_owned(), how: How::Api, origin: "a test".to_owned(), note: None }
}

fn author() -> Author {
    Author { who: "mia".to_owned(), origin: "a test".to_owned() }
}
