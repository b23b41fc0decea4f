//! What a turn sees of components: what is wrong with each, and what may be told of it.
//!
//! Only components that have a trouble or an alert are kept, so that it costs next
//! to nothing while all is well.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::objectives::objective;
use super::promises::{Budgets, certificate, shows_no_certificate};
use super::trouble::Trouble;
use crate::alert::component::Standing;
use crate::alert::{AlertKey, AlertKind, Stage, Subject};
use crate::config::Config;
use crate::config::uptime::{Component, Uptime};
use crate::monitor::board::{Figure, StatusBoard};
use crate::ticket::{Named, TenantId};
use crate::uptime::book::{Book, ComponentEntry};
use crate::uptime::budget::is_of_promise;
use crate::uptime::combine::Needs;
use crate::uptime::flap::is_flapping;
use crate::uptime::incident::Announcements;
use crate::uptime::{Condition, HOUR, Millis, SAYS_IT_FAILED};

/// The components of one tenant that have a trouble or an alert, by their ids.
#[derive(Default)]
pub(super) struct Services(BTreeMap<String, Service>);

/// A component as it stands at this turn.
pub(super) struct Service {
    pub component: Component,
    pub client: Option<Named>,
    /// The end of announced work that goes on now; nobody is told before.
    pub work_until: Option<DateTime<Utc>>,
    pub troubles: Vec<Trouble>,
    /// Whether it is up and shows no certificate, so that none can be wrong.
    pub shows_no_certificate: bool,
}

/// What the monitor shows.
#[derive(Clone, Copy)]
pub(super) struct Shown<'a> {
    pub board: &'a StatusBoard,
    pub announcements: &'a Announcements,
    /// The figures of the objectives, in the order of the configuration.
    pub figures: &'a [Figure],
}

impl Service {
    /// Returns the component as the rules of alerts see it.
    pub fn subject(&self) -> Subject<'_> {
        self.component.subject(self.client.as_ref())
    }

    /// Returns the trouble that the alert `key` is about.
    pub fn trouble(&self, key: &AlertKey) -> Option<&Trouble> {
        self.troubles
            .iter()
            .find(|trouble| trouble.kind == key.kind && trouble.period.is_none_or(|period| is_of_promise(key, period)))
    }
}

impl Services {
    /// Returns the component with this `id`.
    pub fn get(&self, id: &str) -> Option<&Service> {
        self.0.get(id)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Service> {
        self.0.values()
    }

    /// Returns when announced work that goes on now ends next.
    pub fn next_work_end(&self) -> Option<DateTime<Utc>> {
        self.0.values().filter_map(|service| service.work_until).min()
    }

    /// Finds the components of `tenant` that have a trouble by what is `shown`, or that are `alerted`.
    pub fn see(
        config: &Config,
        tenant: &TenantId,
        shown: Shown<'_>,
        budgets: &mut Budgets,
        alerted: impl Fn(&Component) -> bool,
        now: DateTime<Utc>,
    ) -> Self {
        let mut seen = BTreeMap::new();
        let places: BTreeMap<&str, usize> = shown
            .board
            .book
            .components
            .iter()
            .enumerate()
            .map(|(place, entry)| (entry.plan.id.as_str(), place))
            .collect();
        for one in config.uptime.components.iter().filter(|one| one.tenant == *tenant) {
            let Some(place) = places.get(one.id.as_str()).copied() else { continue };
            let troubles = troubles(config, one, shown, budgets, place, now);
            if troubles.iter().any(|trouble| trouble.standing != Standing::Over) || alerted(one) {
                let work_until = shown.board.book.worked_on_until(&one.id, shown.announcements, now.timestamp_millis());
                let work_until = work_until.and_then(DateTime::from_timestamp_millis);
                let (component, client) = (one.clone(), one.client_named());
                let shows_no_certificate = shows_no_certificate(&shown.board.book.components[place], shown.board);
                let service = Service { component, client, work_until, troubles, shows_no_certificate };
                seen.insert(one.id.clone(), service);
            }
        }
        Self(seen)
    }
}

/// Returns all that is or may be wrong with the component at `place`.
fn troubles(
    config: &Config,
    component: &Component,
    Shown { board, announcements, figures }: Shown<'_>,
    budgets: &mut Budgets,
    place: usize,
    now: DateTime<Utc>,
) -> Vec<Trouble> {
    let entry = &board.book.components[place];
    let outage = outage(&config.uptime, component, &board.book, place, now.timestamp_millis());
    let promises = config.uptime.promises_of(&component.id);
    let mut troubles: Vec<_> =
        promises.map(|promise| budgets.trouble(promise, entry, (board, announcements), now)).collect();
    let objective = objective(&config.uptime, &component.id, figures, entry.condition(), now);
    let certificate = certificate(entry, board, now.timestamp_millis());
    troubles.insert(0, outage);
    troubles.extend(objective.into_iter().chain(certificate));
    troubles
}

/// Returns whether the component at `place` is degraded or down, or silent if it is one that calls us.
fn outage(uptime: &Uptime, component: &Component, book: &Book, place: usize, now: Millis) -> Trouble {
    let entry = &book.components[place];
    let condition = if book.is_unproven(place, now) { Condition::Unknown } else { entry.condition() };
    let kind = if uptime.calls_us(&component.id) { AlertKind::Heartbeat } else { AlertKind::Outage };
    let began = book.outage_began(place).unwrap_or_else(|| entry.changed_at());
    let is_up = condition == Condition::Up;
    // An outage that began while it was flapping belongs to that, however long it lasts.
    let at = if is_up { now } else { began };
    let flaps = is_flapping(&entry.line.changes_since(at - 2 * HOUR), at);
    let is_told_elsewhere = || {
        // A group that needs all of its members is told with them; a component behind a parent that is down, with it.
        (entry.checks().is_empty() && component.needs == Needs::All)
            || book.has_parent_in_doubt(place)
            || book.failing_parent(place).is_some()
    };
    let standing = match condition {
        Condition::Up if flaps => Standing::Unsaid,
        Condition::Up => Standing::Over,
        Condition::Unknown => Standing::Unsaid,
        _ if is_told_elsewhere() => Standing::Unsaid,
        Condition::Degraded => Standing::At(Stage::Warning),
        Condition::Down => Standing::At(Stage::Breached),
    };
    let ended = DateTime::from_timestamp_millis(entry.changed_at()).filter(|_| is_up);
    // While it flaps and is up, the last change counts as the beginning; an outage that is over keeps its own.
    let began = ended.filter(|_| flaps).or(DateTime::from_timestamp_millis(began)).unwrap_or_default();
    let detail = worst_detail(entry, book);
    Trouble {
        kind,
        standing,
        began,
        named_after: began,
        period: None,
        flaps,
        said: said(kind, condition, entry, detail.as_deref(), now),
        detail,
        until: None,
        ended,
    }
}

/// Returns its state, in words that follow the component's name and precede `since` and a time.
fn said(kind: AlertKind, condition: Condition, entry: &ComponentEntry, detail: Option<&str>, now: Millis) -> String {
    if condition != Condition::Unknown && is_flapping(&entry.line.changes_since(now - 2 * HOUR), now) {
        let changes = entry.line.changes_since(now - HOUR).len();
        return format!("keeps going up and down ({changes} changes within an hour) and is {condition}");
    }
    match (kind, condition) {
        (AlertKind::Heartbeat, Condition::Up) => "reports success again".to_owned(),
        (AlertKind::Heartbeat, _) if detail == Some(SAYS_IT_FAILED) => "is failing".to_owned(),
        // `since` is when the heartbeat was due, not when the last one came.
        (AlertKind::Heartbeat, _) => "is overdue".to_owned(),
        // Its state is unknown; it was not up when it was last seen.
        (_, Condition::Unknown) => "has not been seen up".to_owned(),
        _ => format!("is {condition}"),
    }
}

fn worst_detail(entry: &ComponentEntry, book: &Book) -> Option<String> {
    let checks = entry.checks().iter().map(|check| &book.checks[*check].state);
    checks.filter(|state| state.detail.is_some()).max_by_key(|state| state.condition)?.detail.clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uptime::book::{ComponentPlan, Remembered};

    #[test]
    fn a_heartbeat_that_is_back_is_not_said_to_be_missing() {
        let (id, of, depends_on) = ("backup".to_owned(), Vec::new(), Vec::new());
        let plan = ComponentPlan { id, needs: Needs::All, of, depends_on };
        let book = Book::open(vec![plan], Vec::new(), &Remembered::default(), 0);
        let said = |condition| said(AlertKind::Heartbeat, condition, &book.components[0], None, 0);
        assert_eq!(said(Condition::Up), "reports success again");
        assert_ne!(said(Condition::Down), said(Condition::Up));
    }
}
