//! Saves pages while the next ones are being read.
//!
//! Pages that arrive during a save are saved together next, with one flush to the disk, along with the new state of the
//! sync. So after a crash, pages that were not yet saved are read again, and none is left out.

use tokio::sync::mpsc;

use super::{Answer, TenantSync, TurnReport};
use crate::store::StoreError;
use crate::store::sync::SyncState;
use crate::store::tickets::Saved;

/// How many pages may wait to be saved; more would not make a flush noticeably cheaper.
const WAITING: usize = 8;

/// A page, and the state of the sync once it is saved; if none, the state does not change.
type Page = (Answer, Option<SyncState>);

/// Takes pages to be saved, in order; refuses them once saving has failed.
pub type Pages = mpsc::Sender<Page>;

/// Creates the channel that carries pages from reading to saving.
pub fn pages() -> (Pages, mpsc::Receiver<Page>) {
    mpsc::channel(WAITING)
}

/// The outcome of saving pages.
#[derive(Default)]
pub struct Kept {
    saved: Vec<Saved>,
    /// The state of the sync after what was saved; if none, it has not changed.
    state: Option<SyncState>,
    failure: Option<StoreError>,
}

impl TenantSync {
    /// Saves the pages that arrive, all that are waiting at once, until no more come.
    pub(super) async fn keep_pages(&self, mut waiting: mpsc::Receiver<Page>) -> Kept {
        let mut kept = Kept::default();
        let mut pages = Vec::with_capacity(WAITING);
        while waiting.recv_many(&mut pages, WAITING).await > 0 {
            let (answers, states): (Vec<_>, Vec<_>) = pages.drain(..).unzip();
            let state = states.into_iter().flatten().last();
            match self.write(answers, state.clone()).await {
                Ok(saved) => kept.saved.push(saved),
                Err(error) => {
                    kept.failure = Some(error);
                    break;
                }
            }
            kept.state = state.or(kept.state);
        }
        kept
    }

    /// Takes over the outcome of saving.
    pub(super) fn settle(&mut self, kept: Kept, report: &mut TurnReport) -> Result<(), StoreError> {
        for saved in &kept.saved {
            self.take_note(saved, report);
        }
        self.state = kept.state.unwrap_or_else(|| std::mem::take(&mut self.state));
        kept.failure.map_or(Ok(()), Err)
    }
}
