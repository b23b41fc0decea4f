//! Whom an outage is told, and when: by the steps of the escalation that its component follows.
//!
//! An outage goes on from the first moment at which the component was degraded or down until it is up again, whatever
//! nobody knew in between. All its messages are named after that moment, so a restart tells nobody twice. What later
//! steps would say is void once it is over.

use chrono::{DateTime, Utc};

use crate::alert::escalation::{ChannelKind, Recipient, Step, Target, chiefs, recipients};
use crate::alert::on_call::duty;
use crate::alert::subject::SubjectKind;
use crate::alert::{AlertKind, Stage, Subject};
use crate::config::Config;
use crate::config::uptime::Component;
use crate::keys::notification_key;
use crate::notify::{Body, Message, ServiceFacts};
use crate::sla::zone::Tz;
use crate::store::outbox::{NewNotification, Reader};
use crate::ticket::{Directory, Named, RefId};
use crate::uptime::incident::{Impact, Incident, Progress};
use crate::uptime::spans::Timeline;
use crate::uptime::{Condition, Millis};

/// When the outage began that `line` ends with, or that has just ended; none: there was none.
pub(super) fn outage_began(line: &Timeline) -> Option<Millis> {
    let spans = line.spans();
    let is_over = spans.last().is_some_and(|span| span.condition == Condition::Up);
    let past = &spans[..spans.len() - usize::from(is_over)];
    let run = past.iter().rev().take_while(|span| span.condition != Condition::Up);
    run.filter(|span| span.condition >= Condition::Degraded).last().map(|span| span.from)
}

/// What all messages of one outage are named after.
pub(super) fn key(component: &Component, began: Millis) -> String {
    format!("{}:component:{}:{}:{began}", component.tenant, component.id, AlertKind::Outage.as_str())
}

/// What is said of an outage in public, before anybody knows more.
pub(super) const FIRST_WORDS: &str = "It does not answer. We are looking into it.";

/// The incident of an outage, until people say more of it.
pub(super) fn incident(config: &Config, component: &Component, began: Millis) -> Incident {
    let at_once = config.uptime.status_page.as_ref().is_some_and(|page| page.publishes_incidents);
    Incident {
        // The store names it after its outage.
        id: String::new(),
        tenant: component.tenant.to_string(),
        title: format!("{}: outage", component.name),
        impact: Impact::Major,
        progress: Progress::Investigating,
        components: vec![component.id.clone()],
        public: at_once && component.public,
        automatic: true,
        cause: None,
        started_at: began,
        resolved_at: None,
        updates: Vec::new(),
    }
}

/// What is to be said of an outage, to all of them, each step at its time.
pub(super) fn notifications(
    config: &Config,
    component: &Component,
    facts: &ServiceFacts,
    people: &Directory,
    key: &str,
    now: DateTime<Utc>,
) -> Vec<NewNotification> {
    let stage = if facts.condition == Condition::Down { Stage::Breached } else { Stage::Warning };
    let client =
        component.client.as_ref().and_then(|name| Some(Named { id: RefId::parse(name).ok()?, name: name.clone() }));
    let subject = Subject {
        kind: SubjectKind::Component,
        tenant: &component.tenant,
        id: &component.id,
        display_id: &component.name,
        name: &component.name,
        client: client.as_ref(),
        priority: component.priority.as_deref(),
        sla: None,
        owner: None,
        group: None,
    };
    let telling = Telling { config, component, facts, key, stage, now };
    let mut rows = Vec::new();
    for (index, step) in config.escalation_for(subject, stage).steps.iter().enumerate() {
        let duty = duty(config.on_call.values(), &component.tenant, &[], now + step.after);
        let whom = recipients(&step.notify, subject, people, &duty);
        rows.extend(whom.iter().flat_map(|whom| telling.tell(whom, step, index)));
    }
    // The usual steps name people round a ticket; who has none is spoken for by those who hear that data is stale.
    if rows.is_empty() { telling.tell_whoever_answers(people) } else { rows }
}

/// One outage, to be told.
struct Telling<'a> {
    config: &'a Config,
    component: &'a Component,
    facts: &'a ServiceFacts,
    key: &'a str,
    stage: Stage,
    now: DateTime<Utc>,
}

impl Telling<'_> {
    fn tell(&self, whom: &Recipient, step: &Step, index: usize) -> Vec<NewNotification> {
        let there = self.config.notify.kinds();
        let asked = step.channels_at(self.stage).iter().copied().chain(whom.system);
        let channels = asked.filter(|channel| there.contains(channel) && whom.address(*channel).is_some());
        channels.map(|channel| self.row(whom, channel, index, self.now + step.after)).collect()
    }

    fn tell_whoever_answers(&self, people: &Directory) -> Vec<NewNotification> {
        let watchers: Vec<Recipient> = self.config.watchers().iter().filter_map(Target::by_itself).collect();
        let whom = if watchers.is_empty() { chiefs(people) } else { watchers };
        let there = self.config.notify.kinds();
        let first = |whom: &Recipient| there.iter().copied().find(|channel| whom.address(*channel).is_some());
        whom.iter().filter_map(|whom| Some(self.row(whom, first(whom)?, 0, self.now))).collect()
    }

    fn row(&self, whom: &Recipient, channel: ChannelKind, index: usize, due_at: DateTime<Utc>) -> NewNotification {
        let to = whom.address(channel).unwrap_or_default().to_owned();
        let step = u32::try_from(index).unwrap_or(u32::MAX);
        let message = Message {
            key: notification_key(&[self.key, self.stage.as_str(), &to, channel.as_str()]),
            thread: format!("{}:{to}", self.key),
            continues_thread: false,
            to,
            to_name: whom.name.clone(),
            timezone: Tz::UTC,
            body: Body::Service(self.facts.clone()),
        };
        NewNotification {
            tenant: self.component.tenant.clone(),
            alert_key: self.key.to_owned(),
            ticket_id: None,
            kind: "service",
            stage: self.stage.as_str().to_owned(),
            step,
            channel,
            recipient: whom.id.clone(),
            fallback: Vec::new(),
            message,
            due_at,
            created_at: self.now,
            reader: Reader { urgent: self.stage == Stage::Breached, timely: true, ..Reader::default() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Condition::{Degraded, Down, Unknown, Up};

    #[test]
    fn an_outage_goes_on_over_what_nobody_knew_and_ends_with_up() {
        let began = |spans: &[(Millis, Condition)]| {
            let mut line = Timeline::default();
            spans.iter().for_each(|(from, condition)| line.set(*from, *condition));
            outage_began(&line)
        };
        assert_eq!(began(&[]), None);
        assert_eq!(began(&[(0, Up)]), None);
        assert_eq!(began(&[(0, Up), (5, Down)]), Some(5));
        assert_eq!(began(&[(0, Up), (5, Degraded), (7, Down)]), Some(5));
        assert_eq!(began(&[(0, Up), (5, Down), (7, Unknown), (9, Down)]), Some(5));
        assert_eq!(began(&[(0, Up), (5, Down), (7, Unknown), (9, Up)]), Some(5), "it has just ended");
        assert_eq!(began(&[(0, Down), (5, Up), (7, Unknown), (9, Up)]), None);
        assert_eq!(began(&[(0, Up), (5, Unknown)]), None);
    }
}
