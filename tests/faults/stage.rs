//! What stands round the program while a fault is done to it: the look-alike
//! with its tickets, the receivers, the store's file, and the counting of harm.

use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use secrecy::SecretString;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use superops_sla::clock::SystemClock;
use superops_sla::simulator::msp::texted_technician;
use superops_sla::simulator::receivers::{
    Caller, Caught, CaughtKind, CaughtList, DeliveryOutcome, MailCatcher, Reports, SmsCatcher,
};
use superops_sla::simulator::{NewTicket, Served, SimOptions, Simulator};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::service::Service;

/// A port that the system chooses.
pub const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// An attempt cut short by a crash is decided when its lease is over, and its repeats are some seconds apart.
pub const COMES_TO_REST: Duration = Duration::from_secs(90);

/// Where the configuration says that people, and the gateway, reach the program.
pub const PUBLIC_URL: &str = "https://sla.example.com";
/// As the environment has it.
pub const GATEWAY_TOKEN: &str = "gateway-token";
/// No limit puts messages together, however many there are: so that they can be counted.
pub const ONE_BY_ONE: &str = "[alerts.limits]\nsms_per_number = []\nsms_per_day = 0\nbundle_from = 1000000\n";

/// How the technician hears of an alert.
pub enum By {
    Sms,
    Both,
}

impl By {
    pub fn step(&self) -> &'static str {
        match self {
            Self::Sms => "[[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\nchannels = ['sms']\n",
            Self::Both => "[[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\nchannels = ['email', 'sms']\n",
        }
    }
}

/// The program, and all that stands round it.
pub struct Stage {
    folder: TempDir,
    pub superops: Arc<Simulator>,
    served: Served,
    pub mail: MailCatcher,
    pub sms: SmsCatcher,
    pub caught: Arc<CaughtList>,
    service: Option<Service>,
}

impl Stage {
    /// With the program running, and technicians told by these channels.
    pub async fn set(by: By) -> anyhow::Result<Self> {
        Self::with(&format!("{ONE_BY_ONE}{}", by.step())).await
    }

    /// With `more` at the end of the configuration.
    pub async fn with(more: &str) -> anyhow::Result<Self> {
        let mut stage = Self::bare().await?;
        let gateway = stage.sms.url();
        stage.configure(&gateway, more)?;
        stage.start().await?;
        Ok(stage)
    }

    /// With a gateway elsewhere.
    pub async fn with_gateway(gateway: &str, by: By) -> anyhow::Result<Self> {
        let mut stage = Self::bare().await?;
        stage.configure(gateway, &format!("{ONE_BY_ONE}{}", by.step()))?;
        stage.start().await?;
        Ok(stage)
    }

    /// With nothing running yet.
    pub async fn bare() -> anyhow::Result<Self> {
        let clock = Arc::new(SystemClock);
        let options = SimOptions { tickets: 0, alive: false, requests_per_minute: 0, ..SimOptions::default() };
        let superops = Simulator::new(options, clock.clone());
        let caught = CaughtList::new(1_000_000);
        Ok(Self {
            folder: tempfile::tempdir()?,
            served: superops.serve(ANY).await?,
            mail: MailCatcher::start(ANY, clock.clone(), caught.clone()).await?,
            sms: SmsCatcher::start(ANY, clock, caught.clone()).await?,
            superops,
            caught,
            service: None,
        })
    }

    /// Writes the configuration, with `more` at its end.
    pub fn configure(&self, gateway: &str, more: &str) -> anyhow::Result<()> {
        self.configure_in(self.folder(), "url = \"sqlite://sla.db\"", gateway, more)
    }

    /// Writes into `folder` the configuration of a program that has its store there.
    pub fn configure_in(&self, folder: &Path, store: &str, gateway: &str, more: &str) -> anyhow::Result<()> {
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\npublic_url = \"{PUBLIC_URL}\"\n[store]\n{store}\n\
             [tenants.acme]\nsubdomain = \"acme\"\nendpoint = \"{}/msp\"\ntoken_file = \"token\"\n\
             requests_per_minute = 800\npoll_interval = \"1s\"\n\
             [notify.email]\nsmtp_url = \"smtp://{}\"\nfrom = \"sla@example.com\"\n\
             [notify.sms]\naccount_sid = \"AC00000000000000000000000000000000\"\nauth_token_env = \"TWILIO_AUTH_TOKEN\"\n\
             from = \"+15005550006\"\nbase_url = \"{gateway}\"\n\
             [alerts.pace]\nsingly = true\n{more}",
            self.served.url(),
            self.mail.addr(),
        );
        std::fs::write(folder.join("token"), SimOptions::default().token)?;
        std::fs::write(folder.join("config.toml"), text)?;
        Ok(())
    }

    pub async fn start(&mut self) -> anyhow::Result<()> {
        self.service = Some(Service::start(self.folder.path()).await?);
        Ok(())
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.service.take().map_or(Ok(()), Service::kill)
    }

    /// Has the gateway report to the program, as Twilio does.
    pub fn reports(&self, outcome: DeliveryOutcome, reports: Reports) -> anyhow::Result<()> {
        let auth_token = SecretString::from(GATEWAY_TOKEN);
        self.sms.calls(Caller { auth_token, public_url: PUBLIC_URL.to_owned(), reach: self.service().url()? });
        self.sms.carrier(outcome, reports);
        Ok(())
    }

    pub fn service(&self) -> &Service {
        self.service.as_ref().expect("it has been started")
    }

    /// A token for the API.
    pub fn token(&self, role: &str) -> anyhow::Result<String> {
        Service::ask(self.folder.path(), &["token", "create", "--role", role])
    }

    pub fn database(&self) -> PathBuf {
        self.folder.path().join("sla.db")
    }

    /// A ticket that breaches in so long. Gives what people call it.
    pub fn ticket(&self, nth: usize, breaches_in: TimeDelta) -> String {
        self.add(NewTicket {
            technician: Some(texted_technician(nth).to_owned()),
            resolution_due_in: Some(breaches_in),
            ..NewTicket::default()
        })
    }

    /// Gives what people call it.
    pub fn add(&self, ticket: NewTicket) -> String {
        let id = self.superops.add(ticket);
        self.superops.ticket(&id).map(|ticket| ticket.display_id).unwrap_or(id)
    }

    /// A first figure of one query.
    pub async fn count(&self, query: &str) -> anyhow::Result<i64> {
        let mut connection = self.beside(true).await?;
        Ok(sqlx::query_scalar(sqlx::AssertSqlSafe(query.to_owned())).fetch_one(&mut connection).await?)
    }

    /// Another program's way into the store.
    pub async fn beside(&self, read_only: bool) -> anyhow::Result<SqliteConnection> {
        let options = SqliteConnectOptions::new().filename(self.database()).read_only(read_only);
        Ok(options.busy_timeout(Duration::from_secs(5)).connect().await?)
    }

    /// Waits until a breach of each of `tickets` is recorded and nothing waits to be said.
    pub async fn all_said(&self, tickets: usize) -> anyhow::Result<()> {
        let query = "SELECT (SELECT COUNT(*) FROM alerts WHERE stage = 'breached') - 1000000 *
                     (SELECT COUNT(*) FROM notifications WHERE state NOT IN ('sent', 'failed', 'cancelled'))";
        let wanted = i64::try_from(tickets)?;
        until("all is said", COMES_TO_REST, async || Ok(self.count(query).await? >= wanted)).await
    }

    /// Those of `tickets` whose breach no message tells.
    pub fn untold<'a>(&self, tickets: &'a [String]) -> Vec<&'a String> {
        let messages = self.caught.newest_first(usize::MAX);
        let breaches = messages.iter().filter(|caught| is_breach(caught));
        let told: HashSet<String> = breaches.flat_map(|caught| words(caught)).collect();
        tickets.iter().filter(|ticket| !told.contains(*ticket)).collect()
    }

    /// How many messages came again under the identity of one before.
    pub fn repeats(&self) -> usize {
        let mut seen: HashMap<(CaughtKind, String), usize> = HashMap::new();
        for caught in self.caught.newest_first(usize::MAX) {
            *seen.entry((caught.kind, identity(&caught))).or_default() += 1;
        }
        seen.values().map(|times| times - 1).sum()
    }

    /// How many messages told one person by one way what another message, under another identity, had told already.
    pub fn doubled(&self, tickets: &[String]) -> usize {
        let tickets: HashSet<&String> = tickets.iter().collect();
        let mut told: HashMap<_, HashSet<String>> = HashMap::new();
        for caught in self.caught.newest_first(usize::MAX) {
            let Some(stage) = stage_told(&caught) else { continue };
            for ticket in words(&caught).iter().collect::<HashSet<_>>() {
                if let Some(ticket) = tickets.get(ticket) {
                    let place = (caught.kind, caught.to.clone(), stage, *ticket);
                    told.entry(place).or_default().insert(identity(&caught));
                }
            }
        }
        told.values().map(|identities| identities.len() - 1).sum()
    }
}

/// Which stage of an alert a message tells; none if it tells something else.
fn stage_told(caught: &Caught) -> Option<&'static str> {
    let text = caught.text.to_lowercase();
    ["breached:", "past due:", "at risk:"].into_iter().find(|stage| text.contains(stage))
}

/// Whether a message speaks of a breach, or of what was past due already when the ticket was first read.
pub fn is_breach(caught: &Caught) -> bool {
    let text = format!("{} {}", caught.subject, caught.text).to_lowercase();
    text.contains("breach") || text.contains("past due")
}

/// By what a receiver knows a repeat: of a mail its Message-ID, of a text its number and the mark at its end. The words
/// of a text change with the minutes that are left.
fn identity(caught: &Caught) -> String {
    let mark = caught.text.split_whitespace().rfind(|word| word.starts_with('#')).unwrap_or(&caught.text);
    match caught.kind {
        CaughtKind::Email => caught.header("message-id").unwrap_or_default().to_owned(),
        _ => format!("{} {mark}", caught.to),
    }
}

/// The words of a message that may be what people call a ticket.
pub fn words(caught: &Caught) -> Vec<String> {
    let text = format!("{} {}", caught.subject, caught.text);
    text.split(|c: char| !c.is_ascii_digit() && c != '-').map(str::to_owned).collect()
}

/// Waits until `done`, however soon that is; too late is an error.
pub async fn until(what: &str, limit: Duration, done: impl AsyncFn() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let deadline = Instant::now() + limit;
    while !done().await? {
        anyhow::ensure!(Instant::now() < deadline, "{what}: not within {} s", limit.as_secs());
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
