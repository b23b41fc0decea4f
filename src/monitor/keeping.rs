//! What the loop that looks writes to the store and reads from it, beside the looks: a store that is locked or cannot be
//! reached keeps no look waiting.
//!
//! One write is under way at a time. What is seen meanwhile goes with the next one, and so does what could not be written.
//! How services stand is shown once it is written, or when the store has kept it waiting for some seconds.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};
use tracing::warn;

use super::board::{Latest, Report, StatusBoard, Told};
use super::{Monitor, objectives, rollup, settle};
use crate::store::pushed::{self, Pushed};
use crate::store::uptime::{LookRow, UptimeChange};
use crate::store::{StoreError, millis};
use crate::uptime::incident::Announcements;
use crate::uptime::observe::Connectivity;
use crate::uptime::{Condition, MINUTE, Millis, Outcome, SECOND};

/// While the store cannot be written, no more looks than this wait for it.
const LOOKS_WAITING: usize = 50_000;
/// What is summed up, and let go, is gone through this often.
const ROLL_UP_EVERY: Millis = 5 * MINUTE;
/// A write that takes longer keeps nobody from seeing how services stand.
const SHOWN_AFTER: Millis = 2 * SECOND;
/// What was told here waits no longer than this for what was told elsewhere before it.
const READ_WITHIN: Duration = Duration::from_secs(2);

/// What is to be written and read, and what of it is under way.
#[derive(Default)]
pub(super) struct Keeping {
    pub(super) unwritten: UptimeChange,
    /// There is something to write.
    pub(super) dirty: bool,
    /// It does not wait for the next second.
    urgent: bool,
    /// They hear once what is not written yet has been.
    waiters: Vec<oneshot::Sender<()>>,
    under_way: Option<UnderWay>,
    writing: JoinSet<Result<(), StoreError>>,
    reading: JoinSet<Result<Vec<Pushed>, String>>,
    /// Told here before what is being read now was asked for, and after.
    told_before: Vec<Report>,
    told_since: Vec<Report>,
    /// More may wait in the store than was read.
    read_again: bool,
    announced: JoinSet<Result<Announcements, StoreError>>,
    /// More may be told than is being read.
    ask_again: bool,
    upkeep: JoinSet<()>,
    rolled_at: Millis,
    /// When it was last asked what is told of services beside this.
    told_at: Millis,
}

/// A write that has not ended.
struct UnderWay {
    change: UptimeChange,
    waiters: Vec<oneshot::Sender<()>>,
    began: Millis,
    /// How services stand with it; none: that was shown.
    board: Option<StatusBoard>,
    is_news: bool,
    is_to_be_told: bool,
}

/// What of all this has ended.
pub(super) enum Ended {
    Write(Result<Result<(), StoreError>, JoinError>),
    Read(Result<Result<Vec<Pushed>, String>, JoinError>),
    Announced(Result<Result<Announcements, StoreError>, JoinError>),
}

impl Keeping {
    /// With something to write at once, by what was read just now.
    pub(super) fn begin(now: Millis) -> Self {
        Self { dirty: true, told_at: now, ..Self::default() }
    }

    /// Waits for something to end; none: nothing is under way.
    pub(super) async fn ended(&mut self) -> Option<Ended> {
        tokio::select! {
            Some(written) = self.writing.join_next() => Some(Ended::Write(written)),
            Some(read) = self.reading.join_next() => Some(Ended::Read(read)),
            Some(announced) = self.announced.join_next() => Some(Ended::Announced(announced)),
            else => None,
        }
    }

    /// Nothing is planned by a clock any more that was ahead.
    pub(super) fn forget_times(&mut self) {
        (self.told_at, self.rolled_at) = (0, 0);
    }
}

impl Monitor {
    /// Takes in what has ended.
    pub(super) fn follow_up(&mut self, ended: Ended) {
        match ended {
            Ended::Write(written) => self.written(written),
            Ended::Read(read) => self.take_pushed(read.unwrap_or_else(|error| Err(error.to_string()))),
            Ended::Announced(read) => {
                let now = millis(self.wiring.clock.now());
                match read {
                    Ok(read) => self.announce(read, now),
                    Err(error) => warn!("what is told of services was not read: {error}"),
                }
                if self.keeping.ask_again {
                    self.ask_what_is_told(now);
                }
            }
        }
    }

    /// Waits until nothing is under way any more.
    pub(super) async fn rest(&mut self) {
        while let Some(ended) = self.keeping.ended().await {
            self.follow_up(ended);
        }
        while self.keeping.upkeep.join_next().await.is_some() {}
    }

    /// Writes down all that was seen, if the store takes it.
    pub(super) async fn write_out(&mut self) {
        // What is under way, and what was seen since it began.
        for _ in 0..2 {
            self.write_down(millis(self.wiring.clock.now()));
            while let Some(written) = self.keeping.writing.join_next().await {
                self.written(written);
            }
        }
    }

    /// Takes in what somebody else has seen, or what has told us of itself, after what was told elsewhere before.
    pub(super) fn hear(&mut self, report: Report) {
        self.keeping.told_since.push(report);
        self.ask_for_pushed();
    }

    /// Another replica has written something: a service may have told of itself there, or a person of one.
    pub(super) fn hear_of_others(&mut self, now: Millis) {
        self.ask_for_pushed();
        self.ask_what_is_told(now);
    }

    /// Has it read what was told where nobody could take it in.
    pub(super) fn ask_for_pushed(&mut self) {
        self.keeping.read_again = !self.keeping.reading.is_empty();
        if self.keeping.read_again {
            return;
        }
        self.keeping.told_before.append(&mut self.keeping.told_since);
        let store = self.wiring.store.clone();
        self.keeping.reading.spawn(async move {
            match tokio::time::timeout(READ_WITHIN, store.pushed()).await {
                Ok(read) => read.map_err(|error| error.to_string()),
                Err(_) => Err("the store does not answer".to_owned()),
            }
        });
    }

    fn take_pushed(&mut self, read: Result<Vec<Pushed>, String>) {
        match read {
            Ok(pushed) => {
                // The rest can be read once these are let go.
                let is_all = pushed.len() < pushed::AT_ONCE;
                self.keeping.urgent |= !is_all;
                self.keeping.dirty |= !pushed.is_empty();
                let taken = pushed.iter().map(|one| (one.check.clone(), one.outcome.at));
                self.keeping.unwritten.taken.extend(taken);
                self.hear_all(pushed.into_iter().map(|one| (one, None)).collect());
            }
            Err(error) => warn!("what services have told other replicas cannot be read yet: {error}"),
        }
        for Report { told, done } in std::mem::take(&mut self.keeping.told_before) {
            self.hear_all(told);
            self.keeping.waiters.push(done);
        }
        self.keeping.dirty |= !self.keeping.waiters.is_empty();
        if self.keeping.urgent || !self.keeping.waiters.is_empty() {
            self.write_soon();
        }
        if self.keeping.read_again {
            self.ask_for_pushed();
        }
    }

    /// Takes in all of it before it is asked what holds no longer: what comes late is not cut into pieces.
    fn hear_all(&mut self, told: Vec<Told>) {
        let mut changed = false;
        for (Pushed { check, outcome, micros }, certificate) in told {
            changed |= self.hear_of(&check, &outcome, Latest { micros, certificate, ..Latest::default() });
        }
        self.keeping.urgent |= changed;
    }

    /// True if something stands otherwise than before.
    fn hear_of(&mut self, id: &str, outcome: &Outcome, latest: Latest) -> bool {
        let Some(check) = self.book.check(id) else { return false };
        let known = self.book.checks[check].state.last_at;
        // Late or twice: what is known already stays as it is.
        if known.is_some_and(|known| known >= outcome.at) {
            return false;
        }
        let (verdict, detail, micros) = (Some(outcome.verdict), outcome.detail.clone(), latest.micros);
        self.latest[check] = Some(Latest { at: outcome.at, verdict, detail, ..latest });
        let changed = self.take_in(check, outcome, micros, Connectivity::Online);
        self.schedule(check, millis(self.wiring.clock.now()));
        changed
    }

    /// Notes what was seen of `check`, to be written down.
    pub(super) fn keep(&mut self, check: usize, outcome: &Outcome, micros: Millis) {
        let entry = &self.book.checks[check];
        let latest = self.latest[check].as_ref().and_then(|latest| serde_json::to_string(latest).ok());
        let unwritten = &mut self.keeping.unwritten;
        unwritten.states.insert(entry.plan.id.clone(), (entry.state.clone(), latest));
        // Who has seen nothing has no look to show.
        if unwritten.looks.len() < LOOKS_WAITING && outcome.verdict != Condition::Unknown {
            let Outcome { at, verdict, detail } = outcome.clone();
            unwritten.looks.push(LookRow { number: self.numbers[check], at, micros, verdict, detail });
        }
        self.keeping.dirty = true;
    }

    /// Reads what people tell of services, as they may have done beside us.
    fn ask_what_is_told(&mut self, now: Millis) {
        self.keeping.told_at = now;
        self.keeping.ask_again = !self.keeping.announced.is_empty();
        if self.keeping.ask_again {
            return;
        }
        let store = self.wiring.store.clone();
        self.keeping.announced.spawn(async move { store.announcements(now).await });
    }

    pub(super) fn announce(&self, read: Result<Announcements, StoreError>, now: Millis) {
        match read {
            Ok(announcements) => self.wiring.monitor_state.announce(announcements, now),
            Err(error) => {
                warn!("announcements about services cannot be read; those shown may be a minute old: {error}")
            }
        }
    }

    /// Writes down at once what is not yet.
    pub(super) fn write_soon(&mut self) {
        self.keeping.urgent = true;
        self.write_down(millis(self.wiring.clock.now()));
    }

    /// Writes down what is not yet, unless a write is under way.
    pub(super) fn write_down(&mut self, now: Millis) {
        if now - self.keeping.told_at >= MINUTE {
            self.ask_what_is_told(now);
        }
        self.let_expire(now);
        self.measure(now);
        if let Some(under_way) = &mut self.keeping.under_way {
            let is_late = !(under_way.began..under_way.began + SHOWN_AFTER).contains(&now);
            if is_late && (under_way.board.take().is_some() || self.keeping.dirty) {
                self.is_news |= std::mem::take(&mut under_way.is_news);
                self.is_to_be_told |= std::mem::take(&mut under_way.is_to_be_told);
                self.publish(now);
            }
        } else if std::mem::take(&mut self.keeping.dirty) {
            self.begin_to_write(now);
        }
    }

    fn begin_to_write(&mut self, now: Millis) {
        self.keeping.urgent = false;
        let under_way = UnderWay {
            change: std::mem::take(&mut self.keeping.unwritten),
            waiters: std::mem::take(&mut self.keeping.waiters),
            began: now,
            board: Some(self.board(now)),
            is_news: std::mem::take(&mut self.is_news),
            is_to_be_told: std::mem::take(&mut self.is_to_be_told),
        };
        let (store, change) = (self.wiring.store.clone(), under_way.change.clone());
        // Taken whole or not at all.
        self.keeping.writing.spawn(async move { store.uptime_write(change).await });
        self.keeping.under_way = Some(under_way);
    }

    fn written(&mut self, written: Result<Result<(), StoreError>, JoinError>) {
        let now = millis(self.wiring.clock.now());
        let Some(under_way) = self.keeping.under_way.take() else { return };
        let failure = match written {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(board) = under_way.board {
            self.show(board, under_way.is_news, under_way.is_to_be_told);
        }
        if let Some(error) = failure {
            warn!("what was seen of services is not written down yet: {error}");
            // What cannot be written now is written the next time; whoever waits for it hears that it is not.
            let since = std::mem::take(&mut self.keeping.unwritten);
            self.keeping.unwritten = under_way.change.followed_by(since);
            self.keeping.unwritten.looks.truncate(LOOKS_WAITING);
            self.keeping.dirty = true;
        } else {
            for waiter in under_way.waiters {
                let _ = waiter.send(());
            }
            if !under_way.change.outages.is_empty() {
                self.ask_what_is_told(now);
            }
            if under_way.change.taken.len() >= pushed::AT_ONCE {
                self.ask_for_pushed();
            }
        }
        self.keep_up(now);
        if self.keeping.urgent {
            self.write_down(now);
        }
    }

    /// Has periods settled and looks summed up now and then, one such round at a time.
    fn keep_up(&mut self, now: Millis) {
        while self.keeping.upkeep.try_join_next().is_some() {}
        if now - self.keeping.rolled_at < ROLL_UP_EVERY || !self.keeping.upkeep.is_empty() {
            return;
        }
        self.keeping.rolled_at = now;
        let (config, store) = (self.wiring.config.clone(), self.wiring.store.clone());
        let (board, announcements) = (self.wiring.monitor_state.board(), self.wiring.monitor_state.announcements());
        self.keeping.upkeep.spawn(async move {
            settle::settle(&config, &store, &board, &announcements, now).await;
            if let Err(error) = rollup::all(&store, now).await {
                warn!("what was seen of services is not summed up yet: {error}");
            }
        });
    }

    /// Has it worked out once a minute how objectives stand, unless that is still being done.
    fn measure(&mut self, now: Millis) {
        while self.measuring.try_join_next().is_some() {}
        let is_due = !(self.measured_at..self.measured_at + MINUTE).contains(&now);
        if self.wiring.config.uptime.objectives.is_empty() || !is_due || !self.measuring.is_empty() {
            return;
        }
        self.measured_at = now;
        let (config, store) = (self.wiring.config.clone(), self.wiring.store.clone());
        let (monitor_state, news) = (self.wiring.monitor_state.clone(), self.wiring.news.clone());
        self.measuring.spawn(async move {
            match objectives::measure(&config, &store, &monitor_state, now).await {
                Ok(true) => news.notify_one(),
                Ok(false) => {}
                Err(error) => warn!("how objectives stand cannot be worked out now: {error}"),
            }
        });
    }

    /// Shows how services stand now.
    pub(super) fn publish(&mut self, now: Millis) {
        let (is_news, is_to_be_told) = (std::mem::take(&mut self.is_news), std::mem::take(&mut self.is_to_be_told));
        self.show(self.board(now), is_news, is_to_be_told);
    }

    fn board(&self, now: Millis) -> StatusBoard {
        let (book, numbers, latest) = (self.book.clone(), self.numbers.clone(), self.latest.clone());
        StatusBoard { book, numbers, latest, at: now }
    }

    fn show(&self, board: StatusBoard, is_news: bool, is_to_be_told: bool) {
        self.wiring.monitor_state.show(board, is_news);
        if is_to_be_told {
            self.wiring.news.notify_one();
        }
    }
}
