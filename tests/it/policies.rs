//! From due times to policies and back: what SuperOps hides is inferred, pasted,
//! put in force, and tried against the past.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use superops_sla::app::Parts;
use superops_sla::cli::propose;
use superops_sla::clock::{Clock, ManualClock};
use superops_sla::config::{Config, GivenEnvironment};
use superops_sla::service::policies::Inferred;
use superops_sla::service::{Reach, TicketQuery};
use superops_sla::simulator::targets::{Target, target};
use superops_sla::simulator::{Served, SimOptions, Simulator};
use superops_sla::ticket::TenantId;
use tempfile::TempDir;

/// The look-alike of an account, and the clock of its desk.
struct Account {
    served: Served,
    clock: ManualClock,
    folder: TempDir,
}

impl Account {
    async fn open() -> Self {
        let clock = ManualClock::at("2026-09-16T13:00:00Z".parse::<DateTime<Utc>>().unwrap());
        let options = SimOptions { tickets: 1_500, alive: false, requests_per_minute: 0, ..SimOptions::default() };
        let simulator = Simulator::new(options, Arc::new(clock.clone()));
        let served = simulator.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
        Self { served, clock, folder: tempfile::tempdir().unwrap() }
    }

    /// A configuration with `more` after the least.
    fn config(&self, more: &str) -> Config {
        let (url, folder) = (self.served.url(), self.folder.path().display().to_string());
        let token = SimOptions::default().token;
        std::fs::write(self.folder.path().join("token"), &token).unwrap();
        let text = format!(
            "[store]\nurl = \"sqlite://{folder}/store.db\"\n[tenants.acme]\nsubdomain = \"acme\"\nendpoint = \"{url}/msp\"\n\
             token_file = \"{folder}/token\"\nrequests_per_minute = 800\nhours = \"site\"\n\
             [notify.email]\nsmtp_url = \"smtp://127.0.0.1:2525\"\nfrom = \"sla@example.com\"\n{more}"
        );
        let env = GivenEnvironment::default().with_file(&format!("{folder}/token"), &token);
        Config::parse(Path::new("config.toml"), &text, &env).unwrap_or_else(|faults| panic!("{faults}\n{text}"))
    }

    /// The service as it stands after its start with `more`, before it asks SuperOps anything.
    async fn service(&self, more: &str) -> Parts {
        Parts::build(self.config(more), Arc::new(self.clock.clone())).await.unwrap()
    }

    async fn read(&self) -> Parts {
        let mut parts = self.service("").await;
        for sync in &mut parts.syncs {
            sync.turn(self.clock.now()).await.unwrap();
        }
        // The hours of the sites belong to what was promised, so the first version stands once they are read.
        parts.evaluate.turn(self.clock.now()).await.unwrap();
        parts
    }
}

fn hidden(sla: &str, priority: Option<&String>) -> Target {
    target(sla, priority.expect("every ticket with a due time has a priority")).unwrap()
}

async fn inferred(parts: &Parts) -> Vec<Inferred> {
    parts.service.infer_policies(&Reach::All).await.unwrap()
}

#[tokio::test]
async fn what_was_inferred_can_be_pasted_and_is_what_the_account_hides() {
    let account = Account::open().await;
    let parts = account.read().await;
    let found = inferred(&parts).await;
    let sure: Vec<_> = found[0].proposals.iter().filter(|proposal| !proposal.weak).collect();
    assert!(sure.len() >= 10, "{found:?}");
    for proposal in &sure {
        let Target { response, resolution, site_hours } = hidden(&proposal.sla, proposal.priority.as_ref());
        let seconds = [&proposal.response, &proposal.resolution].map(|target| target.as_ref().unwrap().seconds);
        assert_eq!(seconds, [response.num_seconds(), resolution.num_seconds()], "{proposal:?}");
        assert_eq!(proposal.counted_in, if site_hours { "site_hours" } else { "round_the_clock" }, "{proposal:?}");
    }
    let pasted = account.config(&propose::as_toml(&found));
    let names = |sla: &Option<String>, priority: &Option<String>| (sla.clone().unwrap(), priority.clone());
    let expected: BTreeSet<_> = sure.iter().map(|one| names(&Some(one.sla.clone()), &one.priority)).collect();
    let policies: BTreeSet<_> = pasted.policies.iter().map(|policy| names(&policy.sla, &policy.priority)).collect();
    assert_eq!(policies, expected, "those that few tickets speak for stay switched off");
}

#[tokio::test]
async fn adopted_policies_are_a_version_that_open_tickets_move_to_and_can_be_tried_before() {
    let account = Account::open().await;
    let parts = account.read().await;
    let toml = propose::as_toml(&inferred(&parts).await);
    let acme = TenantId::parse("acme").unwrap();
    let open = parts.store.open_tickets(&acme).await.unwrap().len();
    parts.store.close().await;
    drop(parts);

    account.clock.advance(TimeDelta::hours(1));
    let parts = account.service(&toml).await;
    let versions = parts.store.policy_versions(&acme).await.unwrap();
    assert_eq!(versions.iter().map(|version| version.number).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(versions[1].from, account.clock.now());
    let histories = parts.store.histories(&acme).await.unwrap();
    let moved = histories.values().flatten().filter(|change| change.kind.as_str() == "policy_version").count();
    assert_eq!(moved, open);

    let listed = parts.service.policies(&Reach::All).await.unwrap();
    assert_eq!((listed[0].version, listed[0].in_force_from), (Some(2), Some(account.clock.now())));
    assert!(listed[0].policies.iter().all(|policy| policy.shadowed_by.is_none() && policy.unknown.is_empty()));
    let query = TicketQuery { limit: Some(500), ..TicketQuery::default() };
    let page = parts.service.tickets(&Reach::All, &query).await.unwrap();
    let policy = page.tickets.iter().find_map(|ticket| ticket.policy.as_ref()).unwrap();
    assert_eq!((policy.version, &policy.runners_up[..]), (Some(2), &[][..]));

    let strict = "[[policies]]\nresponse = \"1m\"\nresolution = \"2m\"\nclock = \"calendar\"\n";
    let env = GivenEnvironment::default();
    let trial = Config::parse_offline(Path::new("strict.toml"), strict, &env).unwrap();
    let date = |text: &str| text.parse::<NaiveDate>().unwrap();
    let tried = parts.service.try_policies(&Reach::All, &trial, date("2026-09-01"), date("2026-09-16")).await.unwrap();
    let all = tried[0].rows.iter().find(|row| row.by == "all" && row.clock.as_str() == "resolution").unwrap();
    assert!(all.before.tickets > 1_000 && all.before.tickets == all.after.tickets, "{all:?}");
    assert!(all.after.breached > all.before.breached && all.changed > 0, "{all:?}");
    assert!(all.after.share.unwrap() < 0.05, "{all:?}");
    let clients = tried[0].rows.iter().filter(|row| row.by == "client" && row.clock == all.clock);
    assert_eq!(clients.map(|row| row.after.breached).sum::<usize>(), all.after.breached);
}
