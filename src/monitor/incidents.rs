//! The incidents that outages open and end by themselves.
//!
//! What people are told is another matter: that is an alert.

use crate::alert::AlertKind;
use crate::config::Config;
use crate::config::uptime::Component;
use crate::uptime::Millis;
use crate::uptime::incident::{Impact, Incident, Outage, Progress};

/// An outage of `component` that began then.
pub(super) fn began(config: &Config, component: &Component, began: Millis) -> Outage {
    let incident = of_outage(config, component, began);
    Outage::Began { key: key(component, began), incident, text: FIRST_WORDS.to_owned() }
}

/// `component` works again.
pub(super) fn over(component: &Component, at: Millis) -> Outage {
    let (tenant, component) = (component.tenant.to_string(), component.id.clone());
    Outage::Over { tenant, component, at, text: LAST_WORDS.to_owned() }
}

/// What `incident`, which opened by itself, was about is no longer in the configuration, by any name that it had: nobody
/// would ever see it up again.
pub(super) fn unwatched(config: &Config, incident: &Incident, at: Millis) -> Vec<Outage> {
    if incident.components.iter().any(|id| config.uptime.component(id).is_some()) {
        return Vec::new();
    }
    let over = |component: &String| {
        let (tenant, component) = (incident.tenant.clone(), component.clone());
        Outage::Over { tenant, component, at, text: UNWATCHED.to_owned() }
    };
    incident.components.iter().map(over).collect()
}

/// What the incident of one outage is named after.
fn key(component: &Component, began: Millis) -> String {
    format!("{}:component:{}:{}:{began}", component.tenant, component.id, AlertKind::Outage.as_str())
}

/// What is said of an outage in public, before anybody knows more.
const FIRST_WORDS: &str = "We see an outage and are looking into it.";

/// What is said when it works again, unless people say more.
const LAST_WORDS: &str = "It answers again.";
/// What is said when nobody will see whether it does.
const UNWATCHED: &str = "It is no longer watched here.";

/// The incident of an outage, until people say more of it.
fn of_outage(config: &Config, component: &Component, began: Millis) -> Incident {
    let at_once = config.uptime.status_page.as_ref().is_some_and(|page| page.publishes_incidents);
    Incident {
        // The store names it after its outage.
        id: String::new(),
        tenant: component.tenant.to_string(),
        title: format!("{}: outage", component.name),
        impact: Impact::Major,
        progress: Progress::Investigating,
        components: vec![component.id.clone()],
        // On the public page, or that of its client alone.
        public: at_once && (component.public || component.client.is_some()),
        automatic: true,
        cause: None,
        started_at: began,
        resolved_at: None,
        updates: Vec::new(),
    }
}
