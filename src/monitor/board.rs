//! How services stand, as the loop shows it to whoever asks; and the way in for what it is told.

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

/// A picture of all services at one moment.
#[derive(Clone, Debug, Default)]
pub struct StatusBoard {
    pub book: Book,
    /// By the place of each check in the book.
    pub numbers: Vec<i64>,
    pub latest: Vec<Option<Latest>>,
    pub at: Millis,
}

impl StatusBoard {
    /// From the store, for those who ask beside the service.
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

/// Whether somebody who looks at checks is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The latest look that was told of; none: there never was one.
    pub last: Option<Millis>,
    /// Whether one of them still says how things are.
    pub holds: bool,
    /// Since when it is waited for, if there never was one.
    pub since: Millis,
}

impl StatusBoard {
    /// Whether whoever looks at `checks` is heard; none: there are no such checks.
    pub fn heard<'a>(&self, checks: impl Iterator<Item = &'a str>) -> Option<Heard> {
        let places = checks.filter_map(|id| self.book.check(id));
        let states: Vec<_> = places.map(|place| &self.book.checks[place].state).collect();
        let since = states.iter().map(|state| state.since).min()?;
        let last = states.iter().filter_map(|state| state.last_at).max();
        Some(Heard { last, holds: states.iter().any(|state| state.condition != Condition::Unknown), since })
    }
}

/// The clock of whoever tells us may be ahead by so much.
pub const TOLD_AHEAD: Millis = MINUTE;

/// Who has told nothing for so long is silent: a machine may start anew, or its line be cut for a moment.
pub const SILENT_AFTER: Millis = 5 * MINUTE;

impl Heard {
    /// Whether it has told something of late, whatever that was.
    pub fn is_recent(&self, now: Millis) -> bool {
        self.last.is_some_and(|last| now - last <= SILENT_AFTER)
    }
}

/// How one objective stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figure {
    /// None: too little was seen.
    pub value: Option<i64>,
    /// Since when a limit is passed, as far as this process knows; none: none is.
    pub since: Option<Millis>,
}

/// What somebody else has seen of a check, and the certificate that was shown there.
pub type Told = (Pushed, Option<Certificate>);

/// What somebody else has seen of checks, in the order of time.
#[derive(Debug)]
pub struct Report {
    pub told: Vec<Told>,
    /// Hears when it was taken in and written down.
    pub done: oneshot::Sender<()>,
}

/// Reports that wait to be taken in.
const REPORTS_WAITING: usize = 1024;

/// Where the loop and those who ask meet.
pub struct MonitorState {
    board: RwLock<Arc<StatusBoard>>,
    announcements: RwLock<Arc<Announcements>>,
    figures: RwLock<Arc<Vec<Figure>>>,
    news: watch::Sender<Millis>,
    reports: mpsc::Sender<Report>,
}

impl MonitorState {
    /// With the end at which reports come out.
    pub fn open() -> (Arc<Self>, mpsc::Receiver<Report>) {
        let (reports, inbox) = mpsc::channel(REPORTS_WAITING);
        let (board, announcements, figures) = (RwLock::default(), RwLock::default(), RwLock::default());
        (Arc::new(Self { board, announcements, figures, news: watch::Sender::default(), reports }), inbox)
    }

    /// The latest picture.
    pub fn board(&self) -> Arc<StatusBoard> {
        self.board.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shows another picture; whether there is news in it, or only later looks.
    pub fn show(&self, board: StatusBoard, is_news: bool) {
        let at = board.at;
        *self.board.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(board);
        if is_news {
            self.news.send_replace(at);
        }
    }

    /// What is told beside how services stand.
    pub fn announcements(&self) -> Arc<Announcements> {
        self.announcements.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shows what is told from now on; nothing happens if it is the same.
    pub fn announce(&self, announcements: Announcements, now: Millis) {
        if *self.announcements() != announcements {
            *self.announcements.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(announcements);
            self.news.send_replace(now);
        }
    }

    /// Says that there is something else to be shown.
    pub fn ring(&self, now: Millis) {
        self.news.send_replace(now);
    }

    /// How objectives stand, in the order of the configuration; empty: nobody has looked yet.
    pub fn figures(&self) -> Arc<Vec<Figure>> {
        self.figures.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shows how objectives stand from now on.
    pub fn measured(&self, figures: Arc<Vec<Figure>>) {
        *self.figures.write().unwrap_or_else(PoisonError::into_inner) = figures;
    }

    /// Hears of each change.
    pub fn news(&self) -> watch::Receiver<Millis> {
        self.news.subscribe()
    }

    /// Hands in what was seen, and waits until it is written down. False: nobody takes it in now.
    pub async fn report(&self, told: Vec<Told>) -> bool {
        let (done, taken) = oneshot::channel();
        let sent = self.reports.try_send(Report { told, done });
        sent.is_ok() && taken.await.is_ok()
    }
}
