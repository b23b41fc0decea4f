//! Pages are read one after the other, and saved meanwhile.
//!
//! What has arrived while others were saved is saved next, all at once, with one
//! flush to the disk: tickets, and with them where the sync stands. So a crash
//! has pages read again that were not yet saved, and never leaves one out.

use tokio::sync::mpsc;

use super::{Answer, TenantSync, TurnReport};
use crate::store::StoreError;
use crate::store::sync::SyncState;
use crate::store::tickets::Saved;

/// Pages that may wait to be saved: more would not make a flush noticeably cheaper.
const WAITING: usize = 8;

/// A page, and where the sync stands once it is saved; none: where it stood before.
type Page = (Answer, Option<SyncState>);

/// Takes pages to be saved, in their order; refuses them once that has failed.
pub type Pages = mpsc::Sender<Page>;

/// The way of pages from reading to saving.
pub fn pages() -> (Pages, mpsc::Receiver<Page>) {
    mpsc::channel(WAITING)
}

/// What became of the pages that were read.
#[derive(Default)]
pub struct Kept {
    saved: Vec<Saved>,
    /// Where the sync stands by what was saved; none: where it stood before.
    state: Option<SyncState>,
    failure: Option<StoreError>,
}

impl TenantSync {
    /// Saves the pages that arrive, as many at once as are waiting, until no more come.
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

    /// Goes on from what was saved.
    pub(super) fn settle(&mut self, kept: Kept, report: &mut TurnReport) -> Result<(), StoreError> {
        for saved in &kept.saved {
            self.take_note(saved, report);
        }
        self.state = kept.state.unwrap_or_else(|| std::mem::take(&mut self.state));
        kept.failure.map_or(Ok(()), Err)
    }
}
