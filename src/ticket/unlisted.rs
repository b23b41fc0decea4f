//! Finds unlisted statuses that look as if they should stop or pause the clocks, or that do stop them.
//!
//! An unlisted status counts as open: better a false alert than a silent breach.
//! Only a ticket that was over stays over in one, as long as its time of resolution
//! stands. The people who made up such a name should hear of both.

use std::collections::BTreeMap;

use super::periods::periods;
use super::status_names::looks_like;
use super::watch::Watched;
use super::{StatusMeaning, StatusWords};

/// An unlisted status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlisted {
    pub status: String,
    pub why: Suspect,
    /// How many open tickets have it, or count as over in it.
    pub tickets: usize,
}

/// Why somebody should say what a status means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspect {
    LooksClosed,
    LooksPaused,
    /// Tickets count as over in it, though its name does not say so.
    KeepsOver,
}

impl Unlisted {
    /// Returns a sentence that says what to do.
    pub fn words(&self) -> String {
        let status = self.status.escape_debug();
        let looks = match self.why {
            Suspect::LooksClosed => "closed",
            Suspect::LooksPaused => "paused",
            Suspect::KeepsOver => return self.keeps_over(),
        };
        let carried = match self.tickets {
            0 => "no open ticket carries it".to_owned(),
            1 => "1 open ticket carries it".to_owned(),
            many => format!("{many} open tickets carry it"),
        };
        format!(
            "the status `{status}` looks {looks} and counts as open; {carried}. If it is {looks}, list it in `statuses.{looks}`"
        )
    }

    fn keeps_over(&self) -> String {
        let (status, tickets) = (self.status.escape_debug(), self.tickets);
        let count = if tickets == 1 { "1 ticket counts".to_owned() } else { format!("{tickets} tickets count") };
        format!(
            "{count} as closed in the status `{status}`, since SuperOps still gives a time of resolution; if work goes on \
             in it, list it in `statuses.open`, else in `statuses.closed`"
        )
    }
}

/// Returns which of SuperOps' `names` and the statuses of `open` tickets are not listed but should be.
pub fn unlisted<'a>(
    words: &StatusWords,
    names: impl IntoIterator<Item = &'a String>,
    open: impl IntoIterator<Item = &'a Watched>,
) -> Vec<Unlisted> {
    let mut carried = CarriedStatuses(names.into_iter().map(|name| (name.clone(), Carriers::default())).collect());
    open.into_iter().for_each(|watched| carried.add(watched, words));
    carried.unlisted(words)
}

/// The statuses that tickets have, and how many tickets have each.
#[derive(Clone, Debug, Default)]
pub struct CarriedStatuses(BTreeMap<String, Carriers>);

#[derive(Clone, Copy, Debug, Default)]
struct Carriers {
    tickets: usize,
    /// How many of them count as over in it.
    over: usize,
}

impl CarriedStatuses {
    /// Counts a ticket.
    pub fn add(&mut self, watched: &Watched, words: &StatusWords) {
        let Some(status) = watched.ticket.status.as_deref() else { return };
        let over = usize::from(is_over(watched, words));
        match self.0.get_mut(status) {
            Some(carriers) => (carriers.tickets, carriers.over) = (carriers.tickets + 1, carriers.over + over),
            None => drop(self.0.insert(status.to_owned(), Carriers { tickets: 1, over })),
        }
    }

    /// Undoes the counting of a ticket, given as it was then and with the same `words`.
    pub fn remove(&mut self, watched: &Watched, words: &StatusWords) {
        let Some(status) = watched.ticket.status.as_deref() else { return };
        let Some(carriers) = self.0.get_mut(status) else { return };
        carriers.tickets = carriers.tickets.saturating_sub(1);
        carriers.over = carriers.over.saturating_sub(usize::from(is_over(watched, words)));
        if carriers.tickets == 0 {
            self.0.remove(status);
        }
    }

    /// Returns those that are not listed but should be.
    pub fn unlisted(&self, words: &StatusWords) -> Vec<Unlisted> {
        let suspect = |(status, carriers): (&String, &Carriers)| {
            let is_open = words.meaning(Some(status)) == StatusMeaning::Open;
            let (why, tickets) = match looks_like(status).filter(|_| is_open) {
                Some(StatusMeaning::Closed) => (Suspect::LooksClosed, carriers.tickets),
                Some(_) => (Suspect::LooksPaused, carriers.tickets),
                None if is_open && carriers.over > 0 => (Suspect::KeepsOver, carriers.over),
                None => return None,
            };
            Some(Unlisted { status: status.clone(), why, tickets })
        };
        self.0.iter().filter_map(suspect).collect()
    }
}

/// Whether the ticket counts as over by its resolution, whatever its status.
fn is_over(watched: &Watched, words: &StatusWords) -> bool {
    // Without a time of resolution it is not, and most open tickets have none.
    watched.ticket.resolution.met_at.is_some()
        && periods(watched, &|status| words.meaning(status))
            .last()
            .is_some_and(|last| last.meaning == StatusMeaning::Closed)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::ticket::Ticket;
    use crate::ticket::tests::sample;
    use crate::ticket::watch::Bounds;

    fn carrying(status: &str) -> Watched {
        let at = DateTime::UNIX_EPOCH;
        Watched::new(Ticket { status: Some(status.into()), ..sample("7") }, Bounds { earliest: at, latest: at })
    }

    #[test]
    fn what_looks_closed_or_paused_and_is_not_listed_is_named_with_its_tickets() {
        let names =
            ["Open", "Resolved", "Completed", "Client to call: on hold", "Unresolved", "Reopened"].map(String::from);
        let open = [carrying("Completed"), carrying("Completed"), carrying("Open"), carrying("Parked")];
        let found = unlisted(&StatusWords::default(), &names, &open);
        let found: Vec<_> = found.iter().map(|one| (one.status.as_str(), one.why, one.tickets)).collect();
        use Suspect::{LooksClosed, LooksPaused};
        assert_eq!(
            found,
            [("Client to call: on hold", LooksPaused, 0), ("Completed", LooksClosed, 2), ("Parked", LooksPaused, 1)]
        );
    }

    /// Returns a ticket resolved and then moved to `status`, while SuperOps still gives the time of its resolution.
    fn moved_on_to(status: &str) -> Watched {
        let at = |minutes| DateTime::UNIX_EPOCH + chrono::TimeDelta::minutes(minutes);
        let read = |minutes| Bounds { earliest: at(minutes), latest: at(minutes) };
        let mut ticket = Ticket { status: Some("Resolved".into()), created_at: Some(at(0)), ..sample("7") };
        ticket.resolution.met_at = Some(at(10));
        let words = StatusWords::default();
        let (before, _) = crate::ticket::observe::observe(None, ticket.clone(), &words, read(11));
        let moved = Ticket { status: Some(status.into()), ..ticket };
        crate::ticket::observe::observe(Some(&before), moved, &words, read(60)).0
    }

    #[test]
    fn a_status_that_keeps_tickets_over_by_their_resolution_alone_is_named_until_it_is_listed() {
        let open = [moved_on_to("Tier 2"), carrying("Tier 2"), moved_on_to("In progress")];
        let found = unlisted(&StatusWords::default(), [], &open);
        assert_eq!(found.len(), 1, "work goes on in progress: {found:?}");
        assert_eq!(
            found[0].words(),
            "1 ticket counts as closed in the status `Tier 2`, since SuperOps still gives a time of resolution; if work \
             goes on in it, list it in `statuses.open`, else in `statuses.closed`"
        );
        let words = StatusWords::default().staying_open(&["Tier 2".into()]);
        assert!(unlisted(&words, [], &open).is_empty());
        let taken_up = periods(&open[0], &|status| words.meaning(status));
        assert_eq!(taken_up.last().unwrap().meaning, StatusMeaning::ListedOpen, "and the watch goes on");
    }

    #[test]
    fn what_is_listed_is_not_named() {
        let words = StatusWords::configured(&["Completed".into()], &["Parked".into()]);
        let found = unlisted(&words, &["Completed".to_owned(), "Resolved".to_owned()], &[carrying("Parked")]);
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].words(),
            "the status `Resolved` looks closed and counts as open; no open ticket carries it. If it is closed, list it \
             in `statuses.closed`"
        );
    }
}
