//! Whether we can see anything at all: before a service is called down, hosts that are always there are asked.

use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

use crate::config::Config;
use crate::probe::spec::Probe;
use crate::probe::{Look, Prober};
use crate::uptime::observe::Connectivity;
use crate::uptime::{Condition, Millis};

/// How soon a host that is there answers.
const PATIENCE: Duration = Duration::from_secs(3);

/// `host:port` of hosts that are always there.
pub struct Canaries(Vec<(String, u16)>);

impl Canaries {
    /// Takes the configured ones, or else SuperOps' API, which we use all the time.
    pub fn of(config: &Config) -> Self {
        let configured = config.uptime.canaries.clone();
        if !configured.is_empty() {
            return Self(configured);
        }
        let mut hosts: Vec<_> = config.tenants.values().filter_map(|tenant| host(&tenant.endpoint)).collect();
        hosts.sort();
        hosts.dedup();
        Self(hosts)
    }

    /// Takes exactly these.
    pub fn named(hosts: Vec<(String, u16)>) -> Self {
        Self(hosts)
    }

    /// Returns their hosts and ports.
    pub fn hosts(&self) -> &[(String, u16)] {
        &self.0
    }

    /// Makes one look. If it `decides` that something is down, the canaries are asked as well; if none of them answers,
    /// the look saw nothing.
    pub async fn look(
        &self,
        prober: &Prober,
        probe: &Probe,
        turn: usize,
        now: Millis,
        decides: bool,
    ) -> (Look, Connectivity) {
        let look = prober.look(probe, turn, now).await;
        let connectivity = match decides && look.verdict >= Condition::Degraded {
            true => self.ask().await,
            false => Connectivity::Online,
        };
        match connectivity {
            Connectivity::Online => (look, connectivity),
            Connectivity::Offline => (Look { verdict: Condition::Unknown, detail: None, ..look }, connectivity),
        }
    }

    /// Asks all of them at once; the first that answers is enough.
    pub async fn ask(&self) -> Connectivity {
        let reach = |(host, port): &(String, u16)| timeout(PATIENCE, TcpStream::connect((host.clone(), *port)));
        let mut answers: FuturesUnordered<_> = self.0.iter().map(reach).collect();
        while let Some(answer) = answers.next().await {
            if matches!(answer, Ok(Ok(_))) {
                return Connectivity::Online;
            }
        }
        // Without canaries we cannot know better.
        if self.0.is_empty() { Connectivity::Online } else { Connectivity::Offline }
    }
}

fn host(endpoint: &str) -> Option<(String, u16)> {
    let url = Url::parse(endpoint).ok()?;
    Some((url.host_str()?.to_owned(), url.port_or_known_default()?))
}
