//! The incidents that outages open and close automatically.
//!
//! Whether people are notified is decided elsewhere: that is an alert.

use super::Monitor;
use crate::alert::AlertKind;
use crate::config::Config;
use crate::config::uptime::Component;
use crate::store::millis;
use crate::uptime::book::Change;
use crate::uptime::combine::Needs;
use crate::uptime::incident::{Impact, Incident, Outage, Progress};
use crate::uptime::{Condition, Millis};

impl Monitor {
    /// Opens an incident for what has failed, and closes it when that is up again. A component gets none of its own
    /// while a parent of it is down; neither does a group that needs all of its members.
    pub(super) fn follow(&mut self, changes: &[Change]) {
        let config = self.wiring.config.clone();
        let now = millis(self.wiring.clock.now());
        for change in changes {
            let entry = &self.book.components[change.component];
            let has_own = |one: &&Component| !entry.checks().is_empty() || one.needs != Needs::All;
            let Some(component) = config.uptime.component(&entry.plan.id).filter(has_own) else { continue };
            if self.waits(change.component, change.is, now) {
                self.postponed.insert(change.component);
            } else if change.is == Condition::Up {
                self.keeping.unwritten.outages.push(over(component, now));
            } else if change.is == Condition::Down {
                let since = self.book.outage_began(change.component).unwrap_or(change.from);
                self.keeping.unwritten.outages.push(began(&config, component, since));
            }
        }
    }

    /// Whether this `condition` of the component at `place` is announced only later, if it lasts: because it is being
    /// worked on, depends on a parent that is down, or one of these is in doubt.
    fn waits(&self, place: usize, condition: Condition, now: Millis) -> bool {
        let id = &self.book.components[place].plan.id;
        let announcements = || self.wiring.monitor_state.announcements();
        let is_worked_on = || self.book.worked_on_until(id, &announcements(), now).is_some();
        let is_behind_a_parent = || self.book.has_parent_in_doubt(place) || self.book.failing_parent(place).is_some();
        self.book.is_unproven(place, now)
            || condition >= Condition::Degraded && is_behind_a_parent()
            || condition == Condition::Down && is_worked_on()
    }

    /// Closes the incidents of services that are known at the start to be up, or that are no longer watched.
    pub(super) fn follow_what_is_known(&mut self, now: Millis) {
        let config = self.wiring.config.clone();
        let announcements = self.wiring.monitor_state.announcements();
        let open = announcements.incidents.iter().filter(|one| one.automatic && one.resolved_at.is_none());
        let open: Vec<_> = open.collect();
        for incident in &open {
            self.keeping.unwritten.outages.extend(unwatched(&config, incident, now));
        }
        for id in open.into_iter().flat_map(|one| &one.components) {
            let place = self.book.components.iter().position(|entry| entry.plan.id == *id);
            let is_up = |place: usize| {
                self.book.components[place].condition() == Condition::Up && !self.book.is_unproven(place, now)
            };
            let component = config.uptime.component(id).filter(|_| place.is_some_and(is_up));
            self.keeping.unwritten.outages.extend(component.map(|component| over(component, now)));
        }
    }

    /// Handles components that need not wait any longer: a doubt has ended, a parent is up, or work is over.
    pub(super) fn follow_postponed(&mut self, now: Millis) {
        let ready = |place: &usize| !self.waits(*place, self.book.components[*place].condition(), now);
        let ready: Vec<usize> = self.postponed.iter().copied().filter(ready).collect();
        let change = |place: usize| {
            let entry = &self.book.components[place];
            Change { component: place, from: entry.changed_at(), was: Condition::Unknown, is: entry.condition() }
        };
        let announcements = self.wiring.monitor_state.announcements();
        let is_open = |one: &Change| announcements.has_open(&self.book.components[one.component].plan.id);
        let calls_for_more = |one: &Change| one.is >= Condition::Degraded || one.is == Condition::Up && is_open(one);
        let changes: Vec<_> = ready.iter().map(|place| change(*place)).filter(calls_for_more).collect();
        self.postponed.retain(|place| !ready.contains(place));
        if !changes.is_empty() {
            self.follow(&changes);
            self.is_to_be_told = true;
            self.keeping.dirty = true;
        }
    }
}

/// Returns an outage of `component` that began at `began`.
fn began(config: &Config, component: &Component, began: Millis) -> Outage {
    let incident = of_outage(config, component, began);
    Outage::Began { key: key(component, began), incident, text: FIRST_WORDS.to_owned() }
}

/// Returns the end of `component`'s outage.
fn over(component: &Component, at: Millis) -> Outage {
    let (tenant, component) = (component.tenant.to_string(), component.id.clone());
    Outage::Over { tenant, component, at, text: LAST_WORDS.to_owned() }
}

/// Returns the end of the outage in `incident`, an automatic one, if its components are no longer configured under any
/// name they had: nobody would ever see them up again.
fn unwatched(config: &Config, incident: &Incident, at: Millis) -> Vec<Outage> {
    if incident.components.iter().any(|id| config.uptime.component(id).is_some()) {
        return Vec::new();
    }
    let over = |component: &String| {
        let (tenant, component) = (incident.tenant.clone(), component.clone());
        Outage::Over { tenant, component, at, text: UNWATCHED.to_owned() }
    };
    incident.components.iter().map(over).collect()
}

/// Returns the key that names the incident of one outage.
fn key(component: &Component, began: Millis) -> String {
    format!("{}:component:{}:{}:{began}", component.tenant, component.id, AlertKind::Outage.as_str())
}

/// What the public is told of an outage at first.
const FIRST_WORDS: &str = "We see an outage and are looking into it.";

/// What is said when it works again, unless people say more.
const LAST_WORDS: &str = "The service is working again.";
/// What is said when nobody will see whether it does.
const UNWATCHED: &str = "It is no longer watched here.";

/// Returns the incident of an outage, before people add to it.
fn of_outage(config: &Config, component: &Component, began: Millis) -> Incident {
    let at_once = config.uptime.status_page.as_ref().is_some_and(|page| page.publishes_incidents);
    Incident {
        // The store names it after the outage.
        id: String::new(),
        tenant: component.tenant.to_string(),
        title: format!("Outage of {}", component.name),
        impact: Impact::Major,
        progress: Progress::Investigating,
        components: vec![component.id.clone()],
        // Shown on the public page, or only on that of its client.
        public: at_once && (component.public || component.client.is_some()),
        automatic: true,
        cause: None,
        started_at: began,
        resolved_at: None,
        updates: Vec::new(),
    }
}
