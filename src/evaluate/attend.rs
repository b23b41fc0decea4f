//! The alerts of components: each trouble is raised once and ends once.
//!
//! The monitor shows how services stand; here each trouble becomes an alert like
//! any other, which runs its steps and is acknowledged, silenced and ended like
//! those of tickets.

use chrono::{DateTime, Utc};
use tracing::info;

use super::services::{Service, Services, Shown};
use super::trouble::Trouble;
use super::{Evaluate, TurnContext, facts};
use crate::alert::component::{Decision, Standing, decide, is_same};
use crate::alert::life::Asked;
use crate::alert::subject::ComponentId;
use crate::alert::{AlertKey, AlertKind, Closing, Raised, SubjectId};
use crate::config::uptime::Component;
use crate::notify::render::line;
use crate::store::StoreError;
use crate::store::alerts::{AlertRow, AlertTurn, Recovered};
use crate::ticket::TenantId;
use crate::uptime::budget::is_of_promise;

/// Returns a moment in seconds, as used to name alerts.
fn seconds(at: DateTime<Utc>) -> u32 {
    u32::try_from(at.timestamp()).unwrap_or_default()
}

impl Evaluate {
    /// Returns the components of `tenant` that matter in this turn.
    pub(super) fn services(&mut self, tenant: &TenantId, now: DateTime<Utc>) -> Services {
        if self.config.uptime.components.is_empty() {
            return Services::default();
        }
        let (board, announcements) = (self.monitor_state.board(), self.monitor_state.announcements());
        let figures = self.monitor_state.figures();
        let shown = Shown { board: &board, announcements: &announcements, figures: &figures };
        let alerted = |one: &Component| {
            ComponentId::parse(&one.id).is_some_and(|id| self.memory.has_open(tenant, &SubjectId::Component(id)))
        };
        Services::see(&self.config, tenant, shown, &mut self.budgets, alerted, now)
    }

    /// Raises and ends the alerts of components. Returns how many it has raised.
    pub(super) async fn attend(
        &mut self,
        context: &TurnContext<'_>,
        work: &mut AlertTurn,
    ) -> Result<usize, StoreError> {
        let mut raised = 0;
        for service in context.services.iter() {
            for trouble in &service.troubles {
                raised += usize::from(self.attend_to(context, service, trouble, work).await?);
            }
            if service.shows_no_certificate {
                self.end_certificates(context, service, work);
            }
        }
        self.end_unconfigured(context, work);
        Ok(raised)
    }

    async fn attend_to(
        &mut self,
        context: &TurnContext<'_>,
        service: &Service,
        trouble: &Trouble,
        work: &mut AlertTurn,
    ) -> Result<bool, StoreError> {
        let Some(key) = self.key_of_trouble(context, service, trouble) else { return Ok(false) };
        if trouble.standing == Standing::Unsaid {
            return Ok(false);
        }
        // A trouble that began later is another one, so the one before is over.
        let is_over = |row: &&AlertRow| row.key != key || trouble.standing == Standing::Over;
        for over in self.memory.open_of(&key).filter(is_over).map(|row| row.key.clone()).collect::<Vec<_>>() {
            self.end(context, Some(service), over, Closing::Met, work);
        }
        let Standing::At(stage) = trouble.standing else { return Ok(false) };
        if self.memory.get(&key).is_none() {
            // It may have been closed by hand before we started.
            for row in self.store.alerts_by_key(&[key.to_string()]).await? {
                self.memory.put(row);
            }
        }
        let before = self.memory.get(&key).map(|row| row.raised);
        let Decision::Raise { episode, .. } = decide(trouble.standing, before.as_ref()) else { return Ok(false) };
        if before.is_some() {
            work.cancelled.push(key.clone());
        }
        self.note_raised(&service.component.name, &key, stage);
        let subject = service.subject();
        let escalation = self.config.escalation_for(subject, stage);
        let asked = Asked::of(subject, context.people);
        let due = trouble.until.unwrap_or(trouble.began);
        let raised = Raised { stage, due, target: None, episode, resolved_as: None };
        work.alerts.push(self.memory.raise(key, raised, reason(trouble), escalation, asked, context.now));
        Ok(true)
    }

    /// Returns the alert for `trouble`: the latest of its kind, unless that was for an earlier trouble.
    fn key_of_trouble(&self, context: &TurnContext<'_>, service: &Service, trouble: &Trouble) -> Option<AlertKey> {
        let subject = SubjectId::Component(ComponentId::parse(&service.component.id)?);
        let began = seconds(trouble.named_after);
        let key = AlertKey { tenant: context.tenant.id.clone(), subject, kind: trouble.kind, cycle: began };
        let latest = self
            .memory
            .latest_of(&key)
            .filter(|row| is_same(began, row.key.cycle) || (trouble.flaps && row.raised.resolved_as.is_none()));
        Some(latest.map_or(key, |row| row.key.clone()))
    }

    /// Ends the alert `key` of `service`; people are told only if `service` is given.
    fn end(
        &mut self,
        context: &TurnContext<'_>,
        service: Option<&Service>,
        key: AlertKey,
        closing: Closing,
        work: &mut AlertTurn,
    ) {
        let Some(row) = self.memory.resolve(&key, closing, context.now) else { return };
        info!(tenant = %key.tenant, component = %key.subject, kind = key.kind.as_str(), closing = closing.as_str(),
            "alert `{key}` is over: {}", closing.as_str());
        work.cancelled.push(key);
        let service = service.filter(|_| row.told);
        let body = service.and_then(|service| {
            facts::service_recovery(self.links(context.tenant), service, &row, closing, context.now)
        });
        let taker = row.life.held().map(|hold| hold.by.clone());
        work.recovered.extend(body.map(|body| Recovered {
            key: row.key.clone(),
            episode: row.raised.episode,
            generation: row.generation,
            closing,
            body,
            taker,
            at: context.now,
        }));
        work.alerts.push(row);
    }

    /// Ends the alerts on certificates of a `service` that no longer shows any.
    fn end_certificates(&mut self, context: &TurnContext<'_>, service: &Service, work: &mut AlertTurn) {
        let Some(subject) = ComponentId::parse(&service.component.id).map(SubjectId::Component) else { return };
        let any = AlertKey { tenant: context.tenant.id.clone(), subject, kind: AlertKind::Certificate, cycle: 0 };
        let open: Vec<_> = self.memory.open_of(&any).map(|row| row.key.clone()).collect();
        for key in open {
            self.end(context, None, key, Closing::Vanished, work);
        }
    }

    /// Ends the alerts of components that are no longer watched, or not in a way that could end them: the promise of a
    /// budget alert is no longer made, say.
    fn end_unconfigured(&mut self, context: &TurnContext<'_>, work: &mut AlertTurn) {
        let tenant = &context.tenant.id;
        if !self.memory.has_new_rows(tenant) {
            return;
        }
        let uptime = &self.config.uptime;
        let is_watched = |key: &AlertKey| {
            let id = key.subject.as_str();
            let can_be_over = || match key.kind {
                AlertKind::Budget => uptime.promises_of(id).any(|one| is_of_promise(key, one.terms.period)),
                AlertKind::Objective => uptime.objectives_of(id).next().is_some(),
                AlertKind::Heartbeat => uptime.calls_us(id),
                AlertKind::Outage => !uptime.calls_us(id),
                AlertKind::Certificate | AlertKind::Clock(_) => true,
            };
            uptime.component(id).is_some_and(|one| one.tenant == *tenant) && can_be_over()
        };
        let open = self.memory.open_keys(tenant).into_iter();
        let gone: Vec<_> = open.filter(|key| key.ticket().is_none() && !is_watched(key)).collect();
        for key in gone {
            self.end(context, None, key, Closing::Vanished, work);
        }
    }
}

/// Returns why it is raised, as shown beside the alert.
fn reason(trouble: &Trouble) -> String {
    match &trouble.detail {
        Some(detail) => format!("it {}: {}", trouble.said, line(detail, 300)),
        None => format!("it {}", trouble.said),
    }
}
