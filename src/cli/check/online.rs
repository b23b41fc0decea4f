//! Asking SuperOps as a tenant: what it lets us do, and the names that the account knows.

use std::sync::Arc;

use super::super::CliError;
use crate::config::Tenant;
use crate::superops::probe::{self, Finding, Verdict};
use crate::superops::{SuperOps, Urgency, all_pages};
use crate::telemetry::Telemetry;
use crate::ticket::Directory;

/// What asking brought.
pub struct Tried {
    /// Whether the service could work with it.
    pub sound: bool,
    pub text: String,
    /// The account's names; a list that could not be read to its end is empty.
    pub directory: Directory,
}

/// Tries SuperOps as this tenant.
pub async fn try_tenant(tenant: &Tenant) -> Result<Tried, CliError> {
    eprintln!("asking SuperOps as `{}` …", tenant.id);
    let client = SuperOps::new(tenant, Arc::new(Telemetry::default()))?;
    let findings = probe::probe(&client).await;
    let sound = findings.iter().all(|finding| finding.verdict != Verdict::Failed);
    let heading = format!("\nSuperOps for `{}` ({}):\n", tenant.id, tenant.endpoint);
    let text = findings.iter().fold(heading, |text, finding| text + &in_words(finding));
    let text = text + super::super::check_write_back::untried(tenant.write_back);
    let directory = if sound { names(&client).await } else { Directory::default() };
    Ok(Tried { sound, text, directory })
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

/// The lists that a configuration may name something of.
async fn names(client: &SuperOps) -> Directory {
    let slas = client.slas(Urgency::Routine).await.unwrap_or_default();
    let (clients, _) = all_pages(|page| client.clients(page, Urgency::Routine)).await.unwrap_or_default();
    let (technicians, _) = all_pages(|page| client.technicians(page, Urgency::Routine)).await.unwrap_or_default();
    let (sites, _) = all_pages(|page| client.sites(page, Urgency::Routine)).await.unwrap_or_default();
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
