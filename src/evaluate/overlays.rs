//! What silences and maintenance windows mean for a turn: who is covered, until
//! when, and what already waited to be said when one began.

use chrono::{DateTime, Utc};

use super::{Evaluate, Scene};
use crate::alert::overlay::Overlay;
use crate::store::alerts::AlertTurn;
use crate::store::tickets::OpenTickets;
use crate::ticket::watch::Watched;

impl Scene<'_> {
    /// Whether nobody is to be told of `watched` now.
    pub(super) fn is_covered(&self, watched: &Watched) -> bool {
        self.overlays.iter().any(|overlay| overlay.covers(&watched.ticket, self.now))
    }

    /// When the next overlay that holds now ends, or one that is to come begins.
    pub(super) fn next_overlay_change(&self) -> Option<DateTime<Utc>> {
        let change = |overlay: &Overlay| if overlay.holds(self.now) { overlay.until } else { overlay.from };
        self.overlays.iter().map(change).filter(|at| *at > self.now).min()
    }
}

impl Evaluate {
    /// Puts off what waits to be said about tickets that an overlay has just begun to cover.
    ///
    /// It is put off and not withdrawn: when the overlay ends it leaves, unless the alert is over by then.
    pub(super) fn put_off_covered(&mut self, scene: &Scene<'_>, open: &OpenTickets, work: &mut AlertTurn) {
        for overlay in scene.overlays.iter().filter(|overlay| overlay.holds(scene.now)) {
            if !self.memory.is_new(overlay) {
                continue;
            }
            let covers = |watched: &Watched| overlay.covers(&watched.ticket, scene.now);
            for key in self.memory.open_keys(&scene.tenant.id) {
                if open.get(&key.ticket).is_some_and(|watched| covers(watched)) {
                    work.put_off.push((key, overlay.until));
                }
            }
        }
    }
}
