//! What was promised, and what SuperOps' due times say was promised.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Reach, Service, ServiceError};
use crate::config::{Hours, Tenant, names};
use crate::rules_cache::terms;
use crate::sla::infer::{Evidence, Guess, Proposal, Reading, infer, was_paused};
use crate::sla::policy::{self, Policy};
use crate::ticket::{ClockKind, Directory};

/// What one tenant's tickets are promised.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TenantPolicies {
    pub tenant: String,
    /// None before the service has run with these policies.
    pub version: Option<u32>,
    pub in_force_from: Option<DateTime<Utc>>,
    /// msp | site
    pub hours: &'static str,
    /// The MSP's own hours; none: round the clock.
    pub calendar: Option<String>,
    /// First match holds. A ticket that none matches has the due times that SuperOps reports.
    pub policies: Vec<PolicyView>,
}

/// One policy. A field that is null matches everything.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PolicyView {
    /// Among the tenant's policies, from 1.
    pub position: usize,
    pub sla: Option<String>,
    pub priority: Option<String>,
    pub client: Option<String>,
    pub category: Option<String>,
    /// Seconds.
    pub response: Option<i64>,
    pub resolution: Option<i64>,
    /// To each further message of the client.
    pub next_response: Option<i64>,
    /// calendar | business
    pub clock: &'static str,
    /// Where it stands: file and line.
    pub source: String,
    /// The position of the policy that takes all of its tickets, so that it is never reached.
    pub shadowed_by: Option<usize>,
    /// Names in it that SuperOps does not know, in words.
    pub unknown: Vec<String>,
}

/// The targets that one tenant's due times suggest.
#[derive(Clone, Debug, Serialize)]
pub struct Inferred {
    pub tenant: String,
    /// The hours that the tenant is configured to count: msp | site
    pub hours: &'static str,
    /// Tickets that could be used: with an SLA, a due time, and never seen to wait.
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
    /// What is promised within `scope`, and where each policy comes from.
    pub async fn policies(&self, scope: &Reach) -> Result<Vec<TenantPolicies>, ServiceError> {
        let mut all = Vec::new();
        for tenant in self.tenants(scope) {
            let mut policies = self.policies_of(tenant).await?;
            if *scope != Reach::All {
                let directory = self.store.directory(&tenant.id).await?;
                policies.policies.retain(|policy| self.is_theirs(tenant, policy, &directory));
            }
            all.push(policies);
        }
        Ok(all)
    }

    /// Whether somebody of `tenant` alone may see it: a policy for all tenants that names a client of another one would
    /// reveal that client.
    fn is_theirs(&self, tenant: &Tenant, view: &PolicyView, directory: &Directory) -> bool {
        let Some((_, policy)) = self.config.policies_of(&tenant.id).nth(view.position - 1) else { return false };
        let names_a_stranger = policy.unknown_names(directory).iter().any(|unknown| unknown.what == "client");
        policy.tenant.is_some() || !names_a_stranger
    }

    async fn policies_of(&self, tenant: &Tenant) -> Result<TenantPolicies, ServiceError> {
        let directory = self.store.directory(&tenant.id).await?;
        let (places, policies): (Vec<_>, Vec<_>) =
            self.config.policies_of(&tenant.id).map(|(place, policy)| (place.to_owned(), policy.clone())).unzip();
        let versions = self.rules_cache.versions(&tenant.id).await?;
        // Asked beside a service that still runs with an older configuration, these are not in force yet.
        let version = versions.last().filter(|last| last.terms == terms(&self.config, tenant, &directory));
        let view = |(index, source): (usize, String)| PolicyView {
            shadowed_by: policy::shadow(&policies, index).map(|first| first + 1),
            unknown: names::unknown_in(&policies[index], &directory),
            ..policy_view(index, &policies[index], source)
        };
        Ok(TenantPolicies {
            tenant: tenant.id.to_string(),
            version: version.map(|version| version.number),
            in_force_from: version.map(|version| version.from),
            hours: hours_word(tenant),
            calendar: tenant.calendar.clone(),
            policies: places.into_iter().enumerate().map(view).collect(),
        })
    }

    /// What the due times of all remembered tickets within `scope` say about the targets behind them.
    pub async fn infer_policies(&self, scope: &Reach) -> Result<Vec<Inferred>, ServiceError> {
        let mut all = Vec::new();
        for tenant in self.tenants(scope) {
            all.push(self.infer_for(tenant).await?);
        }
        Ok(all)
    }

    async fn infer_for(&self, tenant: &Tenant) -> Result<Inferred, ServiceError> {
        let [msp, site] = self.rules_cache.by_either_hours(tenant).await?;
        let histories = self.store.histories(&tenant.id).await?;
        let mut tickets = self.store.all_tickets(&tenant.id).await?;
        tickets.retain(|watched| {
            let history = histories.get(&watched.ticket.id).map_or(&[][..], Vec::as_slice);
            !was_paused(watched, history, &tenant.statuses)
        });
        let evidence: Vec<_> = tickets.iter().filter_map(|watched| Evidence::of(watched, &msp, &site)).collect();
        let own = if tenant.hours == Hours::Site { Reading::SiteHours } else { Reading::MspHours };
        let tickets = evidence.len();
        let proposals = infer(evidence, own).into_iter().map(inferred).collect();
        Ok(Inferred { tenant: tenant.id.to_string(), hours: hours_word(tenant), tickets, proposals })
    }
}

fn hours_word(tenant: &Tenant) -> &'static str {
    if tenant.hours == Hours::Site { "site" } else { "msp" }
}

fn policy_view(index: usize, policy: &Policy, source: String) -> PolicyView {
    let Policy { sla, priority, client, category, response, resolution, next_response, counts, tenant: _ } =
        policy.clone();
    let seconds = |target: Option<TimeDelta>| target.map(|target| target.num_seconds());
    PolicyView {
        position: index + 1,
        sla,
        priority,
        client,
        category,
        response: seconds(response),
        resolution: seconds(resolution),
        next_response: seconds(next_response),
        clock: counts.as_str(),
        source,
        shadowed_by: None,
        unknown: Vec::new(),
    }
}

fn inferred(proposal: Proposal) -> InferredPolicy {
    let [response, resolution] = ClockKind::REPORTED.map(|clock| proposal.target(clock).map(target));
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
