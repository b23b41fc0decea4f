//! What was promised, and what SuperOps' due times say was promised.

use serde::Serialize;

use super::{Scope, Service, ServiceError};
use crate::config::{Hours, Tenant};
use crate::sla::infer::{Evidence, Guess, Proposal, Reading, infer, was_paused};
use crate::ticket::ClockKind;

/// The targets that one tenant's due times speak for.
#[derive(Clone, Debug, Serialize)]
pub struct Inferred {
    pub tenant: String,
    /// The hours that the tenant is configured to count: msp | site
    pub hours: &'static str,
    /// Tickets that could be asked: with an SLA, a due time, and never seen to wait.
    pub tickets: usize,
    pub proposals: Vec<InferredPolicy>,
}

/// What one SLA seems to promise for one priority.
#[derive(Clone, Debug, Serialize)]
pub struct InferredPolicy {
    pub sla: String,
    /// None: tickets without a priority.
    pub priority: Option<String>,
    /// calendar | business, as in the configuration.
    pub clock: &'static str,
    /// round_the_clock | msp_hours | site_hours
    pub counted_in: &'static str,
    pub response: Option<InferredTarget>,
    pub resolution: Option<InferredTarget>,
    pub tickets: usize,
    /// Too few tickets agree for it to be adopted without a second look.
    pub weak: bool,
}

/// A target and the tickets that speak for it.
#[derive(Clone, Debug, Serialize)]
pub struct InferredTarget {
    pub seconds: i64,
    pub agree: usize,
    pub of: usize,
    /// 0 to 1
    pub share: f64,
}

impl Service {
    /// What the due times of all remembered tickets within `scope` say of the targets behind them.
    pub async fn infer_policies(&self, scope: &Scope) -> Result<Vec<Inferred>, ServiceError> {
        let mut all = Vec::new();
        for tenant in self.tenants(scope) {
            all.push(self.infer_for(tenant).await?);
        }
        Ok(all)
    }

    async fn infer_for(&self, tenant: &Tenant) -> Result<Inferred, ServiceError> {
        let [msp, site] = self.desks.by_either_hours(tenant).await?;
        let histories = self.store.histories(&tenant.id).await?;
        let mut tickets = self.store.all_tickets(&tenant.id).await?;
        tickets.retain(|watched| {
            let history = histories.get(&watched.ticket.id).map_or(&[][..], Vec::as_slice);
            !was_paused(watched, history, &tenant.statuses)
        });
        let evidence: Vec<_> = tickets.iter().filter_map(|watched| Evidence::of(watched, &msp, &site)).collect();
        let (own, hours) = match tenant.hours {
            Hours::Msp => (Reading::MspHours, "msp"),
            Hours::Site => (Reading::SiteHours, "site"),
        };
        let tickets = evidence.len();
        let proposals = infer(evidence, own).into_iter().map(inferred).collect();
        Ok(Inferred { tenant: tenant.id.to_string(), hours, tickets, proposals })
    }
}

fn inferred(proposal: Proposal) -> InferredPolicy {
    let [response, resolution] = ClockKind::ALL.map(|clock| proposal.target(clock).map(target));
    InferredPolicy {
        weak: proposal.is_weak(),
        sla: proposal.sla,
        priority: proposal.priority,
        clock: proposal.reading.counts().as_str(),
        counted_in: proposal.reading.as_str(),
        response,
        resolution,
        tickets: proposal.tickets,
    }
}

fn target(guess: Guess) -> InferredTarget {
    InferredTarget { seconds: guess.target.num_seconds(), agree: guess.agree, of: guess.of, share: guess.share() }
}
