//! What stands round the product while it is measured: the look-alike, a mail
//! server, an SMS gateway, and a configuration as a user would write it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use superops_sla::app::{Parts, Running};
use superops_sla::clock::{Clock, SystemClock};
use superops_sla::config::{Config, ProcessEnvironment};
use superops_sla::simulator::receivers::{CaughtList, MailCatcher, SmsCatcher};
use superops_sla::simulator::{NewTicket, Served, SimOptions, Simulator};
use superops_sla::store::Store;
use superops_sla::store::outbox::UnderWay;
use superops_sla::ticket::TenantId;
use tempfile::TempDir;

/// So many calls a minute that nothing ever waits. A configuration file cannot
/// ask for it: the bench writes it over what was read.
pub const NO_BUDGET: u32 = 10_000_000;

/// Longer than a lease: an attempt under way is within it.
const SOON: TimeDelta = TimeDelta::minutes(1);

/// A port that the system chooses.
pub const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The mail server and the SMS gateway.
pub struct Receivers {
    mail: MailCatcher,
    sms: SmsCatcher,
    pub caught: Arc<CaughtList>,
}

impl Receivers {
    pub async fn start() -> anyhow::Result<Self> {
        let (clock, caught) = (Arc::new(SystemClock), CaughtList::new(100_000));
        let mail = MailCatcher::start(ANY, clock.clone(), caught.clone()).await?;
        let sms = SmsCatcher::start(ANY, clock, caught.clone()).await?;
        Ok(Self { mail, sms, caught })
    }

    /// Writes a configuration that reads the SuperOps at `endpoint` and tells us, with `more` at its end.
    pub fn write_config(
        &self,
        folder: &Path,
        endpoint: &str,
        poll: &str,
        hours: &str,
        more: &str,
    ) -> anyhow::Result<PathBuf> {
        let options = SimOptions::default();
        let (token, sms_token) = (folder.join("token"), folder.join("sms-token"));
        std::fs::write(&token, options.token)?;
        std::fs::write(&sms_token, "gateway-token")?;
        let text = format!(
            "[server]\nlisten = \"{ANY}\"\n\
             [store]\nurl = \"sqlite://{store}\"\n\
             [tenants.desk]\nsubdomain = \"{subdomain}\"\nendpoint = \"{endpoint}\"\ntoken_file = \"{token}\"\n\
             requests_per_minute = 800\npoll_interval = \"{poll}\"\nhours = \"{hours}\"\n\
             [notify.email]\nsmtp_url = \"smtp://{mail}\"\nfrom = \"SLA watch <sla@msp.example>\"\n\
             [notify.sms]\naccount_sid = \"AC00000000000000000000000000000000\"\n\
             auth_token_file = \"{sms_token}\"\nfrom = \"+15005550006\"\nbase_url = \"{sms}\"\n{more}",
            store = folder.join("desk.db").display(),
            subdomain = options.subdomain,
            token = token.display(),
            sms_token = sms_token.display(),
            mail = self.mail.addr(),
            sms = self.sms.url(),
        );
        let path = folder.join("config.toml");
        std::fs::write(&path, text)?;
        Ok(path)
    }
}

/// The look-alike and the receivers, in this process.
pub struct World {
    pub superops: Arc<Simulator>,
    pub served: Served,
    pub receivers: Receivers,
}

impl World {
    /// A desk with `open` open tickets and `closed` closed ones, at which nothing happens by itself.
    pub async fn open(open: usize, closed: usize, requests_per_minute: u32) -> anyhow::Result<Self> {
        let options = SimOptions { tickets: open, requests_per_minute, alive: false, ..SimOptions::default() };
        let superops = Simulator::new(options, Arc::new(SystemClock));
        // The desk brings some closed tickets of its own.
        let already = superops.tickets().len() - open;
        for nth in already..closed {
            superops.add(closed_ticket(nth));
        }
        let served = superops.serve(ANY).await?;
        Ok(Self { superops, served, receivers: Receivers::start().await? })
    }

    /// The address that is asked.
    pub fn endpoint(&self) -> String {
        format!("{}/msp", self.served.url())
    }

    /// The product with an empty store in `folder`, not yet running.
    pub async fn product(
        &self,
        folder: &TempDir,
        poll: &str,
        change: impl FnOnce(&mut Config),
    ) -> anyhow::Result<Parts> {
        let path = self.receivers.write_config(folder.path(), &self.endpoint(), poll, "site", "")?;
        let mut config = Config::load(&path, &ProcessEnvironment)?;
        change(&mut config);
        Parts::build(config, Arc::new(SystemClock)).await
    }
}

/// One ticket of the archive, each a quarter of an hour older than the one before.
fn closed_ticket(nth: usize) -> NewTicket {
    let age = TimeDelta::minutes(15 * i64::try_from(nth).unwrap_or(0)) + TimeDelta::days(2);
    NewTicket {
        subject: format!("Printer {nth} prints nothing but hieroglyphs since this morning"),
        status: Some("Closed".to_owned()),
        created_in: -age,
        response_due_in: Some(TimeDelta::hours(1) - age),
        resolution_due_in: Some(TimeDelta::hours(8) - age),
        responded_in: Some(TimeDelta::minutes(20) - age),
        resolved_in: Some(TimeDelta::hours(3) - age),
        ..NewTicket::default()
    }
}

/// Takes every limit on calls away.
pub fn without_budget(config: &mut Config) {
    config.tenants.values_mut().for_each(|tenant| tenant.requests_per_minute = NO_BUDGET);
}

/// The name of the only tenant.
pub fn tenant() -> TenantId {
    TenantId::parse("desk").expect("it is not blank")
}

/// The product at work.
pub struct Product {
    pub store: Store,
    pub running: Running,
}

impl Product {
    pub async fn start(parts: Parts) -> anyhow::Result<Self> {
        let (store, options) = (parts.store.clone(), parts.web_options());
        Ok(Self { store, running: parts.start(options).await? })
    }
}

/// Waits until the first reading of the whole account is done.
pub async fn all_read(store: &Store) -> anyhow::Result<()> {
    while store.sync_state(&tenant()).await?.passed_at.is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Waits until nothing is left to be sent, and stays so. What is held back on purpose, for minutes or until the morning,
/// is not waited for.
pub async fn all_sent(store: &Store) -> anyhow::Result<()> {
    let mut quiet = 0;
    while quiet < 20 {
        let next = store.next_due(&[], &UnderWay::default()).await?;
        let is_quiet = next.is_none_or(|next| next > SystemClock.now() + SOON);
        quiet = if is_quiet { quiet + 1 } else { 0 };
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
