//! The state of services as the loop shows it to everybody else, and the way in for reports.

use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};

use crate::config::Config;
use crate::probe::{Certificate, Look};
use crate::store::pushed::Pushed;
use crate::store::{Store, StoreError};
use crate::uptime::book::Book;
use crate::uptime::incident::Announcements;
use crate::uptime::{Condition, MINUTE, Millis};

/// What the latest look found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latest {
    pub at: Millis,
    pub micros: Millis,
    pub verdict: Option<Condition>,
    pub detail: Option<String>,
    /// In microseconds: resolving, connecting, TLS, waiting.
    #[serde(default)]
    pub phases: [i64; 4],
    pub certificate: Option<Certificate>,
}

impl Latest {
    pub fn of(at: Millis, look: &Look) -> Self {
        let micros = |time: std::time::Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        let phases = &look.phases;
        Self {
            at,
            micros: micros(phases.whole),
            verdict: Some(look.verdict),
            detail: look.detail.clone(),
            phases: [phases.resolve, phases.connect, phases.tls, phases.wait].map(micros),
            certificate: look.certificate.clone(),
        }
    }
}

/// A snapshot of all services.
#[derive(Clone, Debug, Default)]
pub struct StatusBoard {
    pub book: Book,
    /// By the index of each check in the book.
    pub numbers: Vec<i64>,
    pub latest: Vec<Option<Latest>>,
    pub at: Millis,
}

impl StatusBoard {
    /// Reads it from the store, for commands that run beside the service.
    pub async fn read(config: &Config, store: &Store, now: Millis) -> Result<Self, StoreError> {
        let (components, checks) = config.uptime.plans();
        let mut book = Book::open(components, checks, &store.uptime_remembered().await?, now);
        book.expire(now);
        let known = store.uptime_checks().await?;
        let find = |id: &str| known.get(id);
        let latest = |id: &str| serde_json::from_str(find(id)?.1.as_deref()?).ok();
        Ok(Self {
            numbers: book.checks.iter().map(|check| find(&check.plan.id).map_or(0, |known| known.0)).collect(),
            latest: book.checks.iter().map(|check| latest(&check.plan.id)).collect(),
            at: now,
            book,
        })
    }
}

/// Whether the outpost behind some checks is heard from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The time of its latest report; none if there never was one.
    pub last: Option<Millis>,
    /// Whether one of its results still holds.
    pub holds: bool,
    /// Since when the first one is awaited, if there never was one.
    pub since: Millis,
}

impl StatusBoard {
    /// Returns whether the outpost that makes `checks` is heard from. `None` if there are no such checks.
    pub fn heard<'a>(&self, checks: impl Iterator<Item = &'a str>) -> Option<Heard> {
        let places = checks.filter_map(|id| self.book.check(id));
        let states: Vec<_> = places.map(|place| &self.book.checks[place].state).collect();
        let since = states.iter().map(|state| state.since).min()?;
        let last = states.iter().filter_map(|state| state.last_at).max();
        Some(Heard { last, holds: states.iter().any(|state| state.condition != Condition::Unknown), since })
    }
}

/// How far ahead a reporter's clock may be.
pub const TOLD_AHEAD: Millis = MINUTE;

/// After this long without reports, a reporter is silent; a machine may restart, or its line may be cut for a moment.
pub const SILENT_AFTER: Millis = 5 * MINUTE;

impl Heard {
    /// Whether it has reported anything lately.
    pub fn is_recent(&self, now: Millis) -> bool {
        self.last.is_some_and(|last| now - last <= SILENT_AFTER)
    }
}

/// The state of one objective.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figure {
    /// None if too little was seen.
    pub value: Option<i64>,
    /// Since when a limit has been exceeded, as far as this process knows; none if no limit is.
    pub since: Option<Millis>,
}

/// What somebody else has seen of a check, and the certificate shown there.
pub type Told = (Pushed, Option<Certificate>);

/// What somebody else has seen of checks, in order of time.
#[derive(Debug)]
pub struct Report {
    pub told: Vec<Told>,
    /// Notified when the report has been processed and stored.
    pub done: oneshot::Sender<()>,
}

/// How many reports may wait to be processed.
const REPORTS_WAITING: usize = 1024;

/// Where the loop meets those who read its state.
pub struct MonitorState {
    board: RwLock<Arc<StatusBoard>>,
    announcements: RwLock<Arc<Announcements>>,
    figures: RwLock<Arc<Vec<Figure>>>,
    news: watch::Sender<Millis>,
    reports: mpsc::Sender<Report>,
}

impl MonitorState {
    /// Creates it, along with the end where reports come out.
    pub fn open() -> (Arc<Self>, mpsc::Receiver<Report>) {
        let (reports, inbox) = mpsc::channel(REPORTS_WAITING);
        let (board, announcements, figures) = (RwLock::default(), RwLock::default(), RwLock::default());
        (Arc::new(Self { board, announcements, figures, news: watch::Sender::default(), reports }), inbox)
    }

    /// Returns the latest snapshot.
    pub fn board(&self) -> Arc<StatusBoard> {
        self.board.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shows another snapshot; `is_news` says whether it differs by more than later looks.
    pub fn show(&self, board: StatusBoard, is_news: bool) {
        let at = board.at;
        *self.board.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(board);
        if is_news {
            self.news.send_replace(at);
        }
    }

    /// Returns the announcements.
    pub fn announcements(&self) -> Arc<Announcements> {
        self.announcements.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shows these announcements from now on; does nothing if they are the same.
    pub fn announce(&self, announcements: Announcements, now: Millis) {
        if *self.announcements() != announcements {
            *self.announcements.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(announcements);
            self.news.send_replace(now);
        }
    }

    /// Says that there is something new to show.
    pub fn ring(&self, now: Millis) {
        self.news.send_replace(now);
    }

    /// Returns the state of the objectives, in the order of the configuration; empty before the first measurement.
    pub fn figures(&self) -> Arc<Vec<Figure>> {
        self.figures.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shows this state of the objectives from now on.
    pub fn measured(&self, figures: Arc<Vec<Figure>>) {
        *self.figures.write().unwrap_or_else(PoisonError::into_inner) = figures;
    }

    /// Returns a receiver that is notified of each change.
    pub fn news(&self) -> watch::Receiver<Millis> {
        self.news.subscribe()
    }

    /// Hands in what was seen, and waits until it is stored. Returns false if nobody accepts it now.
    pub async fn report(&self, told: Vec<Told>) -> bool {
        let (done, taken) = oneshot::channel();
        let sent = self.reports.try_send(Report { told, done });
        sent.is_ok() && taken.await.is_ok()
    }
}
