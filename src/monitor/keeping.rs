//! What the loop that looks writes to the store and reads from it, beside the looks: a store that is locked or out of
//! reach delays no look.
//!
//! Only one write runs at a time. What is seen in the meantime goes with the next one, and so does what could not be
//! written. The state of services is shown once it is written, or when the store has delayed that for some seconds.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};
use tracing::warn;

use super::board::{Latest, Report, StatusBoard, Told};
use super::{Monitor, objectives, rollup, settle};
use crate::store::audit::LastChange;
use crate::store::pushed::{self, Pushed};
use crate::store::uptime::{LookRow, UptimeChange};
use crate::store::{StoreError, millis};
use crate::uptime::incident::Announcements;
use crate::uptime::observe::Connectivity;
use crate::uptime::{Condition, MINUTE, Millis, Outcome, SECOND};

/// How many looks at most wait for a store that cannot be written.
const LOOKS_WAITING: usize = 50_000;
/// How often looks are summed up and old ones dropped.
const ROLL_UP_EVERY: Millis = 5 * MINUTE;
/// How long a write may delay showing the state of services.
const SHOWN_AFTER: Millis = 2 * SECOND;
/// How often to ask whether a person has changed anything: the command line can announce work without telling us.
const NOTICE_EVERY: Millis = 2 * SECOND;
/// How long reports made here wait for earlier ones made elsewhere.
const READ_WITHIN: Duration = Duration::from_secs(2);

/// What has to be written and read, and what is under way.
#[derive(Default)]
pub(super) struct Keeping {
    pub(super) unwritten: UptimeChange,
    /// Whether there is something to write.
    pub(super) dirty: bool,
    /// Whether it must not wait for the next second.
    urgent: bool,
    /// Notified once everything unwritten has been written.
    waiters: Vec<oneshot::Sender<()>>,
    under_way: Option<UnderWay>,
    writing: JoinSet<Result<(), StoreError>>,
    reading: JoinSet<Result<Vec<Pushed>, String>>,
    /// Reports made here before the current read was requested, and since then.
    told_before: Vec<Report>,
    told_since: Vec<Report>,
    /// Whether the store may hold more than was read.
    read_again: bool,
    announced: JoinSet<Result<Announcements, StoreError>>,
    /// Whether there may be more announcements than are being read.
    ask_again: bool,
    noticing: JoinSet<Result<Option<LastChange>, StoreError>>,
    /// The last change by a person that was noticed, and when it was last asked for.
    last_change: Option<LastChange>,
    noticed_at: Millis,
    upkeep: JoinSet<()>,
    rolled_at: Millis,
    /// When announcements were last requested.
    told_at: Millis,
}

/// A write that has not finished.
struct UnderWay {
    change: UptimeChange,
    waiters: Vec<oneshot::Sender<()>>,
    began: Millis,
    /// The state of services with this write; none once it is shown.
    board: Option<StatusBoard>,
    is_news: bool,
    is_to_be_told: bool,
}

/// What has finished.
pub(super) enum Ended {
    Write(Result<Result<(), StoreError>, JoinError>),
    Read(Result<Result<Vec<Pushed>, String>, JoinError>),
    Announced(Result<Result<Announcements, StoreError>, JoinError>),
    Noticed(Result<Result<Option<LastChange>, StoreError>, JoinError>),
}

impl Keeping {
    /// Starts with everything just read, and something to write at once.
    pub(super) fn begin(now: Millis) -> Self {
        Self { dirty: true, told_at: now, ..Self::default() }
    }

    /// Waits for something to finish. `None` if nothing is under way.
    pub(super) async fn ended(&mut self) -> Option<Ended> {
        tokio::select! {
            Some(written) = self.writing.join_next() => Some(Ended::Write(written)),
            Some(read) = self.reading.join_next() => Some(Ended::Read(read)),
            Some(announced) = self.announced.join_next() => Some(Ended::Announced(announced)),
            Some(noticed) = self.noticing.join_next() => Some(Ended::Noticed(noticed)),
            else => None,
        }
    }

    /// Forgets times that were set by a clock that was ahead.
    pub(super) fn forget_times(&mut self) {
        (self.told_at, self.rolled_at) = (0, 0);
    }
}

impl Monitor {
    /// Handles what has finished.
    pub(super) fn follow_up(&mut self, ended: Ended) {
        match ended {
            Ended::Write(written) => self.written(written),
            Ended::Read(read) => self.take_pushed(read.unwrap_or_else(|error| Err(error.to_string()))),
            Ended::Announced(read) => {
                let now = millis(self.wiring.clock.now());
                match read {
                    Ok(read) => self.announce(read, now),
                    Err(error) => warn!("announcements about services could not be read: {error}"),
                }
                if self.keeping.ask_again {
                    self.ask_what_is_told(now);
                }
            }
            Ended::Noticed(Ok(Ok(last_change))) if last_change != self.keeping.last_change => {
                self.keeping.last_change = last_change;
                self.ask_what_is_told(millis(self.wiring.clock.now()));
            }
            // Nothing has changed; or that cannot be read now, and announcements are read each minute anyway.
            Ended::Noticed(_) => {}
        }
    }

    /// Waits until nothing is under way any more.
    pub(super) async fn rest(&mut self) {
        while let Some(ended) = self.keeping.ended().await {
            self.follow_up(ended);
        }
        while self.keeping.upkeep.join_next().await.is_some() {}
    }

    /// Writes everything that was seen, if the store accepts it.
    pub(super) async fn write_out(&mut self) {
        // Once for what is under way, and once for what was seen since it began.
        for _ in 0..2 {
            self.write_down(millis(self.wiring.clock.now()));
            while let Some(written) = self.keeping.writing.join_next().await {
                self.written(written);
            }
        }
    }

    /// Processes a report made here, after earlier ones that were made elsewhere.
    pub(super) fn hear(&mut self, report: Report) {
        self.keeping.told_since.push(report);
        self.ask_for_pushed();
    }

    /// Handles news from another replica: a service may have reported there, or a person may have announced something.
    pub(super) fn hear_of_others(&mut self, now: Millis) {
        self.ask_for_pushed();
        self.ask_what_is_told(now);
    }

    /// Starts reading the reports that were made where no monitor runs.
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
                // The rest can be read once these are deleted.
                let is_all = pushed.len() < pushed::AT_ONCE;
                self.keeping.urgent |= !is_all;
                self.keeping.dirty |= !pushed.is_empty();
                let taken = pushed.iter().map(|one| (one.check.clone(), one.outcome.at));
                self.keeping.unwritten.taken.extend(taken);
                // A replica's clock may be ahead of ours, and later reports must not seem to be earlier.
                let now = millis(self.wiring.clock.now());
                let mut told: Vec<Told> = pushed.into_iter().map(|one| (one, None)).collect();
                told.iter_mut().for_each(|(one, _)| one.outcome.at = one.outcome.at.min(now));
                self.hear_all(told);
            }
            Err(error) => warn!("reports about services that other replicas took cannot be read yet: {error}"),
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

    /// Processes all reports before anything expires, so that a late batch is not cut into pieces.
    fn hear_all(&mut self, told: Vec<Told>) {
        let mut changed = false;
        for (Pushed { check, outcome, micros }, certificate) in told {
            changed |= self.hear_of(&check, &outcome, Latest { micros, certificate, ..Latest::default() });
        }
        self.keeping.urgent |= changed;
    }

    /// Returns true if a condition has changed.
    fn hear_of(&mut self, id: &str, outcome: &Outcome, latest: Latest) -> bool {
        let Some(check) = self.book.check(id) else { return false };
        let known = self.book.checks[check].state.last_at;
        // It is late or a duplicate: what is already known stays as it is.
        if known.is_some_and(|known| known >= outcome.at) {
            return false;
        }
        let (verdict, detail, micros) = (Some(outcome.verdict), outcome.detail.clone(), latest.micros);
        self.latest[check] = Some(Latest { at: outcome.at, verdict, detail, ..latest });
        let changed = self.take_in(check, outcome, micros, Connectivity::Online);
        self.schedule(check, millis(self.wiring.clock.now()));
        changed
    }

    /// Records what was seen of `check`, to be stored.
    pub(super) fn keep(&mut self, check: usize, outcome: &Outcome, micros: Millis) {
        let entry = &self.book.checks[check];
        let latest = self.latest[check].as_ref().and_then(|latest| serde_json::to_string(latest).ok());
        let unwritten = &mut self.keeping.unwritten;
        unwritten.states.insert(entry.plan.id.clone(), (entry.state.clone(), latest));
        // A look that saw nothing is not worth showing.
        if unwritten.looks.len() < LOOKS_WAITING && outcome.verdict != Condition::Unknown {
            let Outcome { at, verdict, detail } = outcome.clone();
            unwritten.looks.push(LookRow { number: self.numbers[check], at, micros, verdict, detail });
        }
        self.keeping.dirty = true;
    }

    /// Reads announcements about services, which may have been made on other replicas.
    fn ask_what_is_told(&mut self, now: Millis) {
        self.keeping.told_at = now;
        self.keeping.ask_again = !self.keeping.announced.is_empty();
        if self.keeping.ask_again {
            return;
        }
        let store = self.wiring.store.clone();
        self.keeping.announced.spawn(async move { store.announcements(now).await });
    }

    /// Asks now and then whether a person has changed anything; if so, announcements are read again.
    fn ask_what_has_changed(&mut self, now: Millis) {
        let is_due = !(self.keeping.noticed_at..self.keeping.noticed_at + NOTICE_EVERY).contains(&now);
        if !is_due || !self.keeping.noticing.is_empty() {
            return;
        }
        self.keeping.noticed_at = now;
        let store = self.wiring.store.clone();
        self.keeping.noticing.spawn(async move { store.last_change().await });
    }

    pub(super) fn announce(&self, read: Result<Announcements, StoreError>, now: Millis) {
        match read {
            Ok(announcements) => self.wiring.monitor_state.announce(announcements, now),
            Err(error) => {
                warn!("announcements about services cannot be read; those shown may be a minute old: {error}")
            }
        }
    }

    /// Writes at once what is not written yet.
    pub(super) fn write_soon(&mut self) {
        self.keeping.urgent = true;
        self.write_down(millis(self.wiring.clock.now()));
    }

    /// Writes what is not written yet, unless a write is under way.
    pub(super) fn write_down(&mut self, now: Millis) {
        if now - self.keeping.told_at >= MINUTE {
            self.ask_what_is_told(now);
        }
        self.ask_what_has_changed(now);
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
        // The write is all or nothing.
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
            warn!("results of looks at services are not stored yet: {error}");
            // What could not be written goes with the next write; those who wait for it learn that it failed.
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

    /// Starts a round of settling periods and summing up looks now and then, one at a time.
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
                warn!("results of looks at services are not summed up yet: {error}");
            }
        });
    }

    /// Starts measuring the objectives once a minute, unless that is still running.
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
                Err(error) => warn!("the state of objectives cannot be worked out now: {error}"),
            }
        });
    }

    /// Shows the present state of services.
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
