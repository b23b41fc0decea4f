//! The configuration of services: components, checks, promises and the status page.

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::SecretString;

use crate::alert::Subject;
use crate::alert::subject::SubjectKind;
use crate::probe::spec::{Ask, Probe};
use crate::ticket::{Named, RefId, TenantId};
use crate::uptime::availability::Terms;
use crate::uptime::book::{CheckPlan, ComponentPlan};
use crate::uptime::combine::Needs;
use crate::uptime::credit::Tier;
use crate::uptime::days::Period;
use crate::uptime::objective::Goal;
use crate::uptime::observe::Rules;
use crate::uptime::places::View;

/// All that is watched beside tickets.
#[derive(Debug, Default)]
pub struct Uptime {
    /// In the order of the file.
    pub components: Vec<Component>,
    /// One for each place that looks, those of one check side by side.
    pub checks: Vec<Check>,
    /// Places that look for us.
    pub outposts: Vec<Outpost>,
    pub promises: Vec<Promise>,
    pub objectives: Vec<Objective>,
    /// None: there is no public page.
    pub status_page: Option<StatusPage>,
    /// `host:port` of what is always there, to tell whether we see anything at all.
    pub canaries: Vec<(String, u16)>,
}

impl Uptime {
    /// The component called `id`.
    pub fn component(&self, id: &str) -> Option<&Component> {
        self.components.iter().find(|component| component.id == id)
    }

    /// The check called `id`.
    pub fn check(&self, id: &str) -> Option<&Check> {
        self.checks.iter().find(|check| check.id == id)
    }

    /// Whether all that is known of the component called `id` comes from its own heartbeats.
    pub fn calls_us(&self, id: &str) -> bool {
        let mut own = self.checks.iter().filter(|check| check.component == id).peekable();
        own.peek().is_some() && own.all(|check| matches!(check.probe.ask, Ask::Heartbeat(_)))
    }

    /// The checks that the outpost called `id` looks at.
    pub fn checks_of_outpost<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a Check> {
        self.checks.iter().filter(move |check| check.place() == Some(id))
    }

    /// Returns the first promise about the component called `id`, which its pages show.
    pub fn promise(&self, id: &str) -> Option<&Promise> {
        self.promises.iter().find(|promise| promise.component == id)
    }

    /// Returns all promises about the component called `id`, at most one for each kind of period.
    pub fn promises_of<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a Promise> {
        self.promises.iter().filter(move |promise| promise.component == id)
    }

    /// Returns what is promised to whom: component, tenant and kind of period.
    pub fn promised(&self) -> Vec<(String, String, Period)> {
        let promised = self.promises.iter().filter_map(|promise| {
            let one = self.component(&promise.component)?;
            Some((one.id.clone(), one.tenant.to_string(), promise.terms.period))
        });
        promised.collect()
    }

    /// Returns the objectives of the component called `id`, each with its place among all objectives.
    pub fn objectives_of<'a>(&'a self, id: &'a str) -> impl Iterator<Item = (usize, &'a Objective)> {
        self.objectives.iter().enumerate().filter(move |(_, objective)| objective.component == id)
    }

    /// For the core: what is watched, and how.
    pub fn plans(&self) -> (Vec<ComponentPlan>, Vec<CheckPlan>) {
        let component = |one: &Component| ComponentPlan {
            id: one.id.clone(),
            needs: one.needs,
            of: one.of.clone(),
            depends_on: one.depends_on.clone(),
        };
        let check = |one: &Check| CheckPlan {
            id: one.id.clone(),
            component: one.component.clone(),
            rules: one.rules,
            view: one.view.clone(),
            is_asked: one.is_ours(),
        };
        (self.components.iter().map(component).collect(), self.checks.iter().map(check).collect())
    }
}

/// What is promised and watched: a service, or a group of them.
#[derive(Clone, Debug)]
pub struct Component {
    /// The name of its table.
    pub id: String,
    /// What people call it.
    pub name: String,
    pub description: Option<String>,
    pub tenant: TenantId,
    pub client: Option<String>,
    /// Like a ticket's priority: it decides which escalation its alerts follow.
    pub priority: Option<String>,
    pub needs: Needs,
    pub of: Vec<String>,
    pub depends_on: Vec<String>,
    /// Whether the public page shows it.
    pub public: bool,
}

impl Component {
    /// Whether it is a group that can do without some of its members: then degraded means a partial outage.
    pub fn has_partial_outages(&self) -> bool {
        matches!(self.needs, Needs::AtLeast(_)) && !self.of.is_empty()
    }

    /// Returns its client, as the rules of alerts name it.
    pub fn client_named(&self) -> Option<Named> {
        let name = self.client.as_ref()?;
        Some(Named { id: RefId::parse(name).ok()?, name: name.clone() })
    }

    /// Returns it as the rules of alerts see it, with its `client`.
    pub fn subject<'a>(&'a self, client: Option<&'a Named>) -> Subject<'a> {
        Subject {
            kind: SubjectKind::Component,
            tenant: &self.tenant,
            id: &self.id,
            display_id: &self.name,
            name: &self.name,
            client,
            priority: self.priority.as_deref(),
            sla: None,
            owner: None,
            group: None,
        }
    }
}

/// How a component is looked at.
#[derive(Clone, Debug)]
pub struct Check {
    /// `shop/https`
    pub id: String,
    pub component: String,
    pub rules: Rules,
    pub probe: Probe,
    /// None: it is looked at from here alone.
    pub view: Option<View>,
    /// Its table as TOML, without the places that look: what an outpost is sent.
    pub written: Arc<str>,
}

impl Check {
    /// Returns the outpost that looks; none if we do.
    pub fn place(&self) -> Option<&str> {
        self.view.as_ref()?.place.as_deref()
    }

    /// Whether we look ourselves, rather than being told.
    pub fn is_ours(&self) -> bool {
        self.probe.ask.is_active() && self.place().is_none()
    }
}

/// A place that looks for us: the same program, run elsewhere.
#[derive(Clone, Debug)]
pub struct Outpost {
    /// The name of its table.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The token that it has to show.
    pub token: SecretString,
}

/// An uptime SLA.
#[derive(Clone, Debug)]
pub struct Promise {
    pub component: String,
    pub terms: Terms,
    /// Falling; the last one is at 0.
    pub tiers: Vec<Tier>,
    pub fee: Option<Fee>,
}

/// How well a component should answer.
#[derive(Clone, Debug)]
pub struct Objective {
    pub component: String,
    pub goal: Goal,
}

/// What a client pays for a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fee {
    /// In the minor unit of the currency: cents.
    pub minor: i64,
    pub currency: String,
}

/// The public page.
#[derive(Clone, Debug)]
pub struct StatusPage {
    pub title: String,
    /// Where its readers may turn to.
    pub contact: Option<String>,
    /// Whether incidents that open by themselves are shown at once, rather than once a person has published them.
    pub publishes_incidents: bool,
    /// Whether people can ask to be told by mail what happens.
    pub subscriptions: bool,
}

/// Maps component ids to what people call them.
pub fn names(uptime: &Uptime) -> BTreeMap<&str, &str> {
    uptime.components.iter().map(|one| (one.id.as_str(), one.name.as_str())).collect()
}
