//! Asks SuperOps, as a tenant, what it lets us do and which names the account has.

use std::sync::Arc;

use chrono::TimeDelta;

use super::super::CliError;
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Config, Oidc, Tenant};
use crate::sign_in::SignIn;
use crate::sign_in::provider::ProviderError;
use crate::store::{Place, Store, StoreError};
use crate::superops::probe::{self, Finding, Verdict};
use crate::superops::{SuperOps, Urgency, all_pages};
use crate::telemetry::Telemetry;
use crate::ticket::Directory;

/// How long the budget share lasts at most, in case we never give it back.
const SHARE_LASTS: TimeDelta = TimeDelta::minutes(10);
/// How long to wait for a share, beyond two polls: a minute may have to pass.
const PATIENCE: TimeDelta = TimeDelta::seconds(70);
const LOOK_AGAIN: TimeDelta = TimeDelta::milliseconds(300);

/// What SuperOps answered.
pub struct Tried {
    /// Whether the service could work with it.
    pub sound: bool,
    pub text: String,
    /// The account's names; a list that could not be read to its end is empty.
    pub directory: Directory,
}

/// Tries SuperOps as this tenant, beside the service if it runs on `store`.
pub async fn try_tenant(tenant: &Tenant, store: &config::Store) -> Result<Tried, CliError> {
    let service = Service::running(store).await;
    let client = match &service {
        None => SuperOps::new(tenant, Arc::new(Telemetry::default()))?,
        Some(service) => {
            service.borrow(tenant).await;
            SuperOps::beside_service(tenant, Arc::new(Telemetry::default()))?
        }
    };
    eprintln!("asking SuperOps as `{}` …", tenant.id);
    let tried = try_with(&client, tenant).await;
    if let Some(service) = service {
        service.give_back(tenant).await;
    }
    Ok(tried)
}

/// Asks the identity provider who it is and with which keys it signs; none where people sign in by tokens only.
pub async fn try_sign_in(config: &Config) -> Option<Result<String, String>> {
    let (oidc, public_url) = (config.sign_in.clone()?, config.server.public_url.as_deref()?);
    eprintln!("asking the identity provider …");
    Some(try_provider(oidc, public_url).await.map_err(|error| error.to_string()))
}

async fn try_provider(oidc: Oidc, public_url: &str) -> Result<String, ProviderError> {
    let (sign_in, now) = (SignIn::new(oidc, public_url)?, SystemClock.now());
    let discovery = sign_in.provider().discovery(now).await?;
    let keys = sign_in.provider().count_keys(now).await?;
    let pkce = if discovery.announces_pkce() { "PKCE" } else { "PKCE, which it does not announce and may ignore" };
    let out = if discovery.end_session_endpoint.is_some() { "signs out there as well" } else { "signs out here alone" };
    let (name, back) = (sign_in.name(), sign_in.redirect_uri());
    Ok(format!(
        "{name} answers, and publishes {keys} keys; with {pkce}; {out}. It must know the redirect address {back}"
    ))
}

/// The service that runs on the same store: we share the requests of a minute with it.
struct Service(Store);

impl Service {
    /// Finds the service; none if nobody uses the store or it cannot be opened, and there is nobody to share with.
    async fn running(store: &config::Store) -> Option<Self> {
        let is_there = matches!(Place::from(store).is_there().await, Ok(true));
        if !is_there || !matches!(Store::claim(store), Err(StoreError::InUse(_))) {
            return None;
        }
        Store::open(store, Arc::default()).await.ok().map(Self)
    }

    /// Waits until half of the tenant's requests are ours.
    async fn borrow(&self, tenant: &Tenant) {
        eprintln!("the service is running: waiting for half of the requests of `{}` …", tenant.id);
        let clock = SystemClock;
        let began = clock.now();
        let patience = began + tenant.poll_interval * 2 + PATIENCE;
        if self.0.request_budget_share(&tenant.id, began + SHARE_LASTS).await.is_err() {
            return;
        }
        // A service that has not answered by then makes no calls either, because SuperOps is not answering it.
        while clock.now() < patience {
            let from = self.0.budget_share_from(&tenant.id).await.ok().flatten();
            if from.is_some_and(|from| from <= clock.now()) {
                return;
            }
            clock.sleep_until(clock.now() + LOOK_AGAIN).await;
        }
    }

    async fn give_back(self, tenant: &Tenant) {
        // A share that is not given back ends by itself.
        let _ = self.0.end_budget_share(&tenant.id).await;
        self.0.close().await;
    }
}

async fn try_with(client: &SuperOps, tenant: &Tenant) -> Tried {
    let findings = probe::probe(client, &tenant.statuses, SystemClock.now()).await;
    let sound = findings.iter().all(|finding| finding.verdict != Verdict::Failed);
    let heading = format!("\nSuperOps for `{}` ({}):\n", tenant.id, tenant.endpoint);
    let text = findings.iter().fold(heading, |text, finding| text + &in_words(finding));
    let text = text + super::super::check_write_back::untried(tenant.write_back);
    let text = text + &report(tenant, &findings);
    let directory = if sound { names(client).await } else { Directory::default() };
    Tried { sound, text, directory }
}

/// Returns a report that may be shown to anybody: no names, no texts, and of sizes only the order of magnitude.
fn report(tenant: &Tenant, findings: &[Finding]) -> String {
    let official = ["https://api.superops.ai/msp", "https://euapi.superops.ai/msp"];
    let endpoint = official.into_iter().find(|known| *known == tenant.endpoint).unwrap_or("another endpoint");
    let heading = format!(
        "\n  For an issue, without names or texts:\n    ```\n    superops-sla {}, {endpoint}\n",
        env!("CARGO_PKG_VERSION")
    );
    let facts = findings.iter().filter_map(|finding| finding.fact.as_ref());
    facts.fold(heading, |text, (name, fact)| text + &format!("    {name}: {fact}\n")) + "    ```\n"
}

fn in_words(finding: &Finding) -> String {
    let mark = match finding.verdict {
        Verdict::Ok => "ok      ",
        Verdict::Degraded => "degraded",
        Verdict::Failed => "FAILED  ",
    };
    let consequence = match finding.consequence.as_str() {
        "" => String::new(),
        text => format!("            {text}\n"),
    };
    format!("  {mark}  {}\n{consequence}", finding.what)
}

/// Reads the lists whose entries a configuration may name.
async fn names(client: &SuperOps) -> Directory {
    let slas = client.slas(Urgency::Routine).await.unwrap_or_default();
    let (tenant, urgency) = (client.tenant(), Urgency::Routine);
    let (clients, _) = all_pages(tenant, |page| client.clients(page, urgency)).await.unwrap_or_default();
    let (technicians, _) = all_pages(tenant, |page| client.technicians(page, urgency)).await.unwrap_or_default();
    let (sites, _) = all_pages(tenant, |page| client.sites(page, urgency)).await.unwrap_or_default();
    Directory {
        slas: slas.into_iter().map(|sla| (sla.id.clone(), sla)).collect(),
        technicians: technicians.into_iter().map(|person| (person.id.clone(), person)).collect(),
        clients: clients.into_iter().map(|client| (client.id.clone(), client)).collect(),
        sites: sites.into_iter().map(|site| (site.id.clone(), site)).collect(),
        statuses: client.statuses(Urgency::Routine).await.unwrap_or_default(),
        priorities: client.priorities(Urgency::Routine).await.unwrap_or_default(),
        ..Directory::default()
    }
}
