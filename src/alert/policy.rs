//! Which escalation an alert follows.
//!
//! An MSP may have several: other people for other clients, faster steps for a
//! higher priority or for a breach. The first that matches the ticket and the
//! stage holds; the last one matches everything.

use chrono::TimeDelta;

use super::Stage;
use super::escalation::{ChannelKind, Step};
use super::subject::Subject;
use crate::ticket::TenantId;

/// The name of the escalation that holds if no other does.
pub const DEFAULT: &str = "default";

/// An escalation: which alerts it is for, and whom they go to.
#[derive(Clone, Debug, PartialEq)]
pub struct Escalation {
    pub name: String,
    pub which: Which,
    /// How long an acknowledged breach may rest while nothing happens on its ticket.
    pub ack_expires: TimeDelta,
    pub steps: Vec<Step>,
}

/// Which alerts an escalation is for; none matches all. Names are compared without regard to case.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Which {
    pub tenant: Option<TenantId>,
    pub client: Option<String>,
    pub priority: Option<String>,
    pub sla: Option<String>,
    pub stage: Option<Stage>,
}

impl Escalation {
    /// Whether `step` may use `channel` at `stage`. Only an escalation that names the stage sends text messages for
    /// predictions: one for all stages means its text messages for what has happened or is about to.
    pub fn may_use(&self, step: &Step, channel: ChannelKind, stage: Stage) -> bool {
        let quietly = stage == Stage::Predicted && self.which.stage != Some(Stage::Predicted);
        step.may_use(channel, stage) && !(quietly && channel == ChannelKind::Sms)
    }
}

impl Which {
    /// Whether an alert of `stage` about `subject` matches.
    pub fn matches(&self, subject: Subject<'_>, stage: Stage) -> bool {
        let name = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_ref().is_none_or(|wanted| found.is_some_and(|found| same_name(wanted, found)))
        };
        self.tenant.as_ref().is_none_or(|wanted| wanted == subject.tenant)
            && self.stage.is_none_or(|wanted| wanted == stage)
            && name(&self.client, subject.client.map(|client| client.name.as_str()))
            && name(&self.priority, subject.priority)
            && name(&self.sla, subject.sla.map(|sla| sla.name.as_str()))
    }

    /// Whether this matches every alert that `other` matches.
    pub fn covers(&self, other: &Self) -> bool {
        let wider = |a: &Option<String>, b: &Option<String>| match (a, b) {
            (None, _) => true,
            (Some(a), Some(b)) => same_name(a, b),
            (Some(_), None) => false,
        };
        (self.tenant.is_none() || self.tenant == other.tenant)
            && (self.stage.is_none() || self.stage == other.stage)
            && wider(&self.client, &other.client)
            && wider(&self.priority, &other.priority)
            && wider(&self.sla, &other.sla)
    }

    /// Returns it in words: `breached alerts of client Globex with priority High`.
    pub fn words(&self) -> String {
        let stage = self.stage.map_or("all alerts".to_owned(), |stage| format!("{} alerts", stage.as_str()));
        let tenant = self.tenant.as_ref().map(|tenant| format!("of tenant {tenant}"));
        let client = self.client.as_ref().map(|client| format!("of client {client}"));
        let priority = self.priority.as_ref().map(|priority| format!("with priority {priority}"));
        let sla = self.sla.as_ref().map(|sla| format!("under the SLA {sla}"));
        [Some(stage), tenant, client, priority, sla].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// Returns the first escalation that takes every alert from the one at `index`, which is then never followed.
pub fn shadow(escalations: &[Escalation], index: usize) -> Option<&Escalation> {
    let later = escalations.get(index)?;
    escalations[..index].iter().find(|earlier| earlier.which.covers(&later.which))
}

/// Whether both name the same, whatever the case of their letters.
pub fn same_name(a: &str, b: &str) -> bool {
    a.trim().to_lowercase() == b.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prediction_is_texted_only_by_an_escalation_that_names_the_stage() {
        let channels = vec![ChannelKind::Email, ChannelKind::Sms];
        let step = Step { after: TimeDelta::zero(), notify: Vec::new(), channels, change: Default::default() };
        let of = |stage| Escalation {
            name: "x".to_owned(),
            which: Which { stage, ..Which::default() },
            ack_expires: TimeDelta::minutes(30),
            steps: vec![step.clone()],
        };
        let texts = |which, stage| of(which).may_use(&step, ChannelKind::Sms, stage);
        assert!(!texts(None, Stage::Predicted) && texts(None, Stage::Warning) && texts(None, Stage::Breached));
        assert!(texts(Some(Stage::Predicted), Stage::Predicted));
        assert!(of(None).may_use(&step, ChannelKind::Email, Stage::Predicted));
    }

    fn which(client: Option<&str>, stage: Option<Stage>) -> Which {
        Which { client: client.map(str::to_owned), stage, ..Which::default() }
    }

    #[test]
    fn a_wider_escalation_hides_the_narrower_ones_after_it() {
        let all = which(None, None);
        let (globex, breaches) = (which(Some("Globex"), None), which(None, Some(Stage::Breached)));
        let cases = [
            ("everything covers a client", &all, &globex, true),
            ("a client does not cover everything", &globex, &all, false),
            ("names are compared without regard to case", &which(Some(" GLOBEX"), None), &globex, true),
            ("a stage does not cover a client", &breaches, &globex, false),
            ("a stage covers a client at that stage", &breaches, &which(Some("Globex"), Some(Stage::Breached)), true),
            ("but not at another", &breaches, &which(None, Some(Stage::Warning)), false),
        ];
        for (name, wide, narrow, expected) in cases {
            assert_eq!(wide.covers(narrow), expected, "{name}");
        }
    }
}
