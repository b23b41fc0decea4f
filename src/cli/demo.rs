//! `demo`: the whole product against the look-alike, with every message caught and shown.
//!
//! The service is the real one, and so is the sending: only SuperOps, the mail
//! server and the SMS gateway are ours. The desk's day runs faster than the wall's.

mod at_once;
mod past;
mod portal;
mod said;
mod services;

use std::io::IsTerminal;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Datelike, NaiveTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::{CliError, DemoArgs, run, simulate};
use crate::app::Parts;
use crate::clock::{Clock as _, FastClock, SharedClock, SystemClock};
use crate::config::{Config, GivenEnvironment, LogFormat, StorePlace};
use crate::descriptors;
use crate::notify;
use crate::service::{Reach, Service};
use crate::simulator::receivers::{
    Caller, Caught, CaughtKind, CaughtList, MailCatcher, NtfyCatcher, SlackCatcher, SmsCatcher, TeamsCatcher,
    WEBHOOK_SECRET, WebhookCatcher,
};
use crate::simulator::responders::Responders;
use crate::simulator::{SimOptions, Simulator, targets};
use crate::sla::zone::Tz;
use crate::store::Store;
use crate::store::record::Highlights;
use crate::store::sql::postgres::Server;
use crate::store::tokens::Role;
use crate::ticket::TenantId;
use crate::web;

pub use at_once::{DemoRun, Desk, play};
pub use said::{Person, Said};

/// A minute of the desk in a second: within a minute, warnings, breaches, escalations and recoveries are seen.
const USUAL_SPEED: u32 = 60;
const USUAL_PORT: u16 = 8080;
/// Enough done tickets for the forecast to have learned the desk's ways by the time the page is opened.
const PAST: usize = 1_500;
/// As many caught messages as the page can hold.
const CAUGHT_ROOM: usize = 2_000;
/// New messages are shown on the terminal this often.
const SHOW_EVERY: Duration = Duration::from_millis(500);
/// People look at their phones this often.
const ANSWER_EVERY: Duration = Duration::from_secs(4);
/// The auth token of the account at the SMS gateway.
const SMS_TOKEN: &str = "demo";
/// At most so many at a time; the page has them all.
const SHOWN_AT_ONCE: usize = 6;

/// Runs until told to stop, or for as long as asked.
pub(super) async fn demo(args: DemoArgs) -> Result<(), CliError> {
    super::log(LogFormat::Text, "error");
    descriptors::raise();
    if let Some(length) = args.at_once {
        let figures = play(&DemoRun::of(&args, length)?).await?;
        println!("{}", if args.json { serde_json::to_string_pretty(&figures)? } else { figures.in_words() });
        return Ok(());
    }
    let wall = SystemClock.now();
    let begins = if args.replay.is_some() { wall } else { working_morning(wall) };
    let clock: SharedClock = Arc::new(FastClock::start(begins, args.speed.unwrap_or(USUAL_SPEED)));
    eprintln!("Setting up the desk …");
    let options = SimOptions { tickets: args.tickets, remembered: true, ..desk_options() };
    let look_alike = simulate::look_alike(args.replay.as_deref(), options.clone(), clock.clone())?;
    let world = World::round(look_alike, options, clock.clone(), CAUGHT_ROOM).await?.on_server(args.store.clone());
    let listen = free_address(args.listen).await?;
    let (settings, authority) = match args.replay.is_some() {
        true => (REPLAY.to_owned(), String::new()),
        false => {
            let (watched, authority) = services::start_all(&clock).await?;
            (format!("allow_networks = [\"127.0.0.1\"]\n{DESK}{DESK_ALERTS}{}{watched}", policies()), authority)
        }
    };
    let world = world.trusting(authority);
    let config = world.config(listen, &settings)?;
    let server = match &config.store.place {
        StorePlace::Postgres(settings) => Some(Server::of(settings)),
        StorePlace::File(_) => None,
    };
    let mut own_page = None;
    if !config.uptime.components.is_empty() {
        let store = Store::open(&config.store, Arc::default()).await?;
        services::remember(&config, &store, clock.now()).await?;
        own_page = services::give_page(&config, &store, clock.now()).await?;
        store.close().await;
    }
    let parts = Parts::build(config, clock.clone()).await?;
    for tenant in parts.config.tenants.values() {
        past::remember(&parts.store, &world.look_alike, &tenant.id, &tenant.statuses).await?;
    }
    let (service, store, zone) = (parts.service.clone(), parts.store.clone(), zone_of(&parts));
    let options = web::Options {
        anonymous: Some(Role::Admin),
        caught: Some(Arc::new(Shown(world.caught.clone()))),
        ..parts.web_options()
    };
    let running = parts.start(options).await?;
    welcome(&args, &clock, running.address, own_page.as_deref());
    let (url, outpost_runs) = (format!("http://{}", running.address), watch::Sender::new(false));
    if own_page.is_some() {
        services::start_outpost(url.clone(), clock.clone(), outpost_runs.subscribe())?;
    }
    let ended = async {
        match args.lasts {
            Some(length) => tokio::time::sleep(length).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = show(&world.caught) => {}
        () = answer(&world, running.address) => {}
        () = services::tell_of_payments(url, clock.clone()), if own_page.is_some() => {}
        () = run::told_to_stop() => {}
        () = ended => {}
    }
    outpost_runs.send_replace(true);
    let figures = Figures::take(&service, &store, &world, zone, begins).await;
    running.stop().await;
    if let Some(server) = server {
        server.remove().await.context("the schema of the demo could not be removed")?;
    }
    let figures = figures?;
    println!("{}", if args.json { serde_json::to_string_pretty(&figures)? } else { figures.in_words() });
    Ok(())
}

/// What stands round the service: SuperOps, the mail server, the SMS gateway and a folder.
struct World {
    look_alike: Arc<Simulator>,
    superops: crate::simulator::Served,
    mail: MailCatcher,
    ntfy: NtfyCatcher,
    sms: SmsCatcher,
    slack: SlackCatcher,
    teams: TeamsCatcher,
    webhook: WebhookCatcher,
    caught: Arc<CaughtList>,
    folder: TempDir,
    options: SimOptions,
    /// The PostgreSQL database that holds the store; none: a file in `folder` does.
    server: Option<String>,
    /// Who made the certificates of services, in PEM.
    authority: String,
}

impl World {
    /// The receivers round `look_alike`, which keep the last `room` messages.
    async fn round(
        look_alike: Arc<Simulator>,
        options: SimOptions,
        clock: SharedClock,
        room: usize,
    ) -> anyhow::Result<Self> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let caught = CaughtList::new(room);
        Ok(Self {
            superops: look_alike.serve(any).await?,
            mail: MailCatcher::start(any, clock.clone(), caught.clone()).await?,
            ntfy: NtfyCatcher::start(any, clock.clone(), caught.clone()).await?,
            sms: SmsCatcher::start(any, clock.clone(), caught.clone()).await?,
            slack: SlackCatcher::start(any, clock.clone(), caught.clone()).await?,
            teams: TeamsCatcher::start(any, clock.clone(), caught.clone()).await?,
            webhook: WebhookCatcher::start(any, clock, caught.clone()).await?,
            folder: tempfile::tempdir().context("there is no room for the demo's files")?,
            look_alike,
            caught,
            options,
            server: None,
            authority: String::new(),
        })
    }

    /// With the store in a PostgreSQL database.
    fn on_server(self, server: Option<String>) -> Self {
        Self { server, ..self }
    }

    /// With services whose certificates are made by `authority`, in PEM.
    fn trusting(self, authority: String) -> Self {
        Self { authority, ..self }
    }

    /// Where the store is, as the configuration says it.
    fn store(&self) -> String {
        match &self.server {
            Some(url) => format!("url = {url:?}\nschema = \"superops_sla_demo_{:08x}\"\n", fastrand::u32(..)),
            None => format!("url = \"sqlite://{}\"\n", self.folder.path().join("demo.db").display()),
        }
    }

    /// A configuration as a user would write it, pointing at this world, with `settings` in it.
    fn config(&self, listen: SocketAddr, settings: &str) -> anyhow::Result<Config> {
        // A file, since it is read again whenever the client needs it.
        let token = self.folder.path().join("token");
        std::fs::write(&token, &self.options.token)?;
        let text = format!(
            "[server]\nlisten = \"{listen}\"\npublic_url = \"http://{listen}\"\n\
             [store]\n{}\
             [notify.email]\nsmtp_url = \"smtp://{}\"\nfrom = \"SLA watch <sla@msp.example>\"\n\
             [notify.sms]\naccount_sid = \"AC00000000000000000000000000000000\"\nauth_token_env = \"DEMO_SMS\"\n\
             from = \"+15005550006\"\nbase_url = \"{}\"\nreplies = true\n{}\
             [tenants.demo]\nsubdomain = \"{}\"\nendpoint = \"{}/msp\"\ntoken_file = \"{}\"\n\
             requests_per_minute = 800\npoll_interval = \"60s\"\n{settings}",
            self.store(),
            self.mail.addr(),
            self.sms.url(),
            self.systems(),
            self.options.subdomain,
            self.superops.url(),
            token.display(),
        );
        let token = token.to_str().context("the temporary folder has an odd name")?;
        let environment =
            GivenEnvironment::default().with_file(token, &self.options.token).with_var("DEMO_SMS", SMS_TOKEN);
        let environment = environment.with_file(services::AUTHORITY, &self.authority);
        let environment = environment.with_var("DEMO_NTFY", "tk_demo").with_var("DEMO_TEAMS", &self.teams.url());
        let environment = services::TOKENS.iter().fold(environment, |known, (name, token)| known.with_var(name, token));
        let environment = environment.with_var("DEMO_SLACK", "xoxb-demo").with_var("DEMO_WEBHOOK", WEBHOOK_SECRET);
        Ok(Config::parse(Path::new("demo.toml"), &text, &environment)?)
    }

    /// The channels beyond email and text messages.
    fn systems(&self) -> String {
        format!(
            "[notify.ntfy]\ntoken_env = \"DEMO_NTFY\"\nbase_url = \"{}\"\n\
             [notify.slack]\nbot_token_env = \"DEMO_SLACK\"\nchannel = \"#sla\"\nbase_url = \"{}\"\n\
             [notify.teams]\nwebhook_url_env = \"DEMO_TEAMS\"\n\
             [notify.webhook]\nurl = \"{}\"\nsecret_env = \"DEMO_WEBHOOK\"\n",
            self.ntfy.url(),
            self.slack.url(),
            self.webhook.url(),
        )
    }
}

/// What kind of account the made-up desk is.
fn desk_options() -> SimOptions {
    SimOptions { requests_per_minute: 0, past: PAST, hostile: false, pressing: true, ..SimOptions::default() }
}

/// A history has its own words for its states; the made-up desk's are guessed.
const REPLAY: &str = r#"
hours = "site"
[tenants.demo.statuses]
closed = ["Resolved", "Closed", "Resolve ticket", "RESOLVED", "CLOSED"]
paused = ["Awaiting User Info", "Awaiting Vendor", "Awaiting Evidence", "Wait"]
[tenants.demo.write_back]
note_on = ["breached"]
"#;

/// The made-up desk's hours, and who is on call.
const DESK: &str = r#"
hours = "site"
calendar = "head-office"
[tenants.demo.write_back]
note_on = ["breached"]

[calendars.head-office]
timezone = "Europe/London"
mon = ["08:00-18:00"]
tue = ["08:00-18:00"]
wed = ["08:00-18:00"]
thu = ["08:00-18:00"]
fri = ["08:00-18:00"]

[on_call.desk]
timezone = "Europe/London"
[[on_call.desk.layers]]
people = ["dana.whitfield@example.com", "amara.okafor@example.com", "mateo.alvarez@example.com"]
starts = "2026-01-05T08:00"
every = "1d"
"#;

/// How the made-up desk wants to be told: whom a breach reaches that nobody takes on. What may still turn out well is the
/// technician's own affair.
const DESK_ALERTS: &str = r#"
[notify.voice]
from = "+15005550006"
language = "en-GB"

[alerts]
predict_per_day = 16
predict_least_left = "30m"
ack_expires = "2h"
[[alerts.steps]]
after = "0s"
notify = ["technician", "slack", "teams", "webhook"]
channels = ["email", "sms"]
[[alerts.steps]]
after = "15m"
notify = ["manager"]
channels = ["email"]
[[alerts.steps]]
after = "45m"
notify = ["account-manager", "on-call:desk", "ntfy:demo-desk"]
channels = ["email"]
[[alerts.steps]]
after = "60m"
notify = ["on-call:desk"]
channels = ["voice"]

[[escalations]]
name = "before-a-breach"
stage = "warning"
[[escalations.steps]]
after = "0s"
notify = ["technician", "slack", "webhook"]

[[escalations]]
name = "likely-breach"
stage = "predicted"
[[escalations.steps]]
after = "0s"
notify = ["technician", "slack", "webhook"]

[alerts.quiet_hours]
from = "19:00"
until = "07:30"
timezone = "Europe/London"
channels = ["email"]
except = ["Critical", "High"]
"#;

/// The latest Tuesday at ten: whoever looks at the demo, on whatever day, sees a desk at work.
fn working_morning(now: DateTime<Utc>) -> DateTime<Utc> {
    let since_tuesday = (now.weekday().num_days_from_monday() + 6) % 7;
    let morning = now.date_naive().and_time(NaiveTime::from_hms_opt(10, 0, 0).unwrap_or_default()).and_utc();
    let morning = morning - TimeDelta::days(since_tuesday.into());
    if morning > now { morning - TimeDelta::days(7) } else { morning }
}

/// What the MSP has promised, as it would write it down. With one client it has
/// agreed on less time than SuperOps was told: the page shows that it differs.
fn policies() -> String {
    let mut text = policy(Some("Globex Corporation"), targets::SILVER, "Medium", 12 * 60);
    for sla in [targets::GOLD, targets::SILVER, targets::DEFAULT] {
        for priority in targets::PRIORITIES {
            let resolution = targets::target(sla, priority).map_or(0, |target| target.resolution.num_minutes());
            text.push_str(&policy(None, sla, priority, resolution));
        }
    }
    text
}

fn policy(client: Option<&str>, sla: &str, priority: &str, resolution_minutes: i64) -> String {
    let Some(target) = targets::target(sla, priority) else { return String::new() };
    let client = client.map(|name| format!("client = \"{name}\"\n")).unwrap_or_default();
    let clock = if target.site_hours { "business" } else { "calendar" };
    let response = target.response.num_minutes();
    format!(
        "[[policies]]\n{client}sla = \"{sla}\"\npriority = \"{priority}\"\n\
         response = \"{response}m\"\nresolution = \"{resolution_minutes}m\"\nclock = \"{clock}\"\n"
    )
}

/// The address asked for; or the usual one, or any other if that is taken. Links name it, so a port must be found for 0.
async fn free_address(asked: Option<SocketAddr>) -> anyhow::Result<SocketAddr> {
    match asked {
        Some(address) if address.port() != 0 => return Ok(address),
        Some(address) => return Ok(TcpListener::bind(address).await?.local_addr()?),
        None => {}
    }
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, USUAL_PORT));
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listener = match TcpListener::bind(usual).await {
        Ok(listener) => listener,
        Err(_) => TcpListener::bind(any).await?,
    };
    Ok(listener.local_addr()?)
}

fn welcome(args: &DemoArgs, clock: &SharedClock, address: SocketAddr, own_page: Option<&str>) {
    let speed = match clock.speed() {
        1 => "in real time".to_owned(),
        60 => "a minute in a second".to_owned(),
        speed => format!("{speed} times as fast as the wall"),
    };
    let desk = match &args.replay {
        Some(path) => format!("the history {}", path.display()),
        None => format!("a simulated service desk with {} open tickets", args.tickets),
    };
    eprintln!("\n  The page:  http://{address}\n");
    if let Some(secret) = own_page {
        eprintln!("  What clients see:             http://{address}/status");
        eprintln!("  What one of them sees alone:  http://{address}/status/for/{secret}/\n");
    }
    eprintln!("Watching {desk}, {speed}. Nothing leaves this machine: every message is caught and shown.");
    eprintln!("{}\n", if args.lasts.is_some() { "It ends by itself." } else { "Ctrl-C ends it." });
}

/// Shows what is caught on the terminal, one line each, for ever.
async fn show(caught: &CaughtList) {
    let mut seen = 0;
    loop {
        tokio::time::sleep(SHOW_EVERY).await;
        let new = caught.total() - seen;
        seen += new;
        let mut new = caught.newest_first(usize::try_from(new).unwrap_or(usize::MAX));
        // A webhook says to machines what the other lines say to people.
        new.retain(|message| message.kind != CaughtKind::Webhook);
        for message in new.iter().take(SHOWN_AT_ONCE).rev() {
            eprintln!("{}", line(message, std::io::stderr().is_terminal()));
        }
        if new.len() > SHOWN_AT_ONCE {
            eprintln!("       … and {} more, on the page", new.len() - SHOWN_AT_ONCE);
        }
    }
}

fn line(message: &Caught, colours: bool) -> String {
    let (kind, said) = match message.kind {
        CaughtKind::Email => ("email", first_line(message)),
        CaughtKind::Voice => ("call", message.text.clone()),
        CaughtKind::Ntfy => ("push", first_line(message)),
        CaughtKind::Sms => ("text", message.text.clone()),
        CaughtKind::Slack => ("slack", message.text.lines().take(2).collect::<Vec<_>>().join(" – ")),
        CaughtKind::Teams => ("teams", message.text.lines().take(2).collect::<Vec<_>>().join(" – ")),
        CaughtKind::PagerDuty => ("page", format!("{} {}", message.subject, message.text)),
        CaughtKind::Webhook => ("hook", message.subject.clone()),
    };
    let said: String = said.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let (dim, plain) = if colours { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
    format!("{dim}{}{plain}  {kind:<5}  {:<32}  {said}", message.at.format("%H:%M:%S"), message.to)
}

/// What a phone shows of a mail or a push: the subject, and how it begins.
fn first_line(message: &Caught) -> String {
    let begins = message.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    format!("{} – {}", message.subject, begins.trim())
}

/// Has the desk's people answer some of what they are told, for ever.
async fn answer(world: &World, address: SocketAddr) {
    let url = format!("http://{address}");
    world.sms.calls(Caller { auth_token: SMS_TOKEN.to_owned().into(), public_url: url.clone(), reach: url });
    let mut responders = Responders::new(&world.caught, &world.sms);
    loop {
        tokio::time::sleep(ANSWER_EVERY).await;
        for done in responders.turn().await {
            eprintln!("          ←      {done}");
        }
    }
}

/// What happened, in numbers.
#[derive(Serialize)]
pub struct Figures {
    /// Whom what was said reached, and whether in time.
    pub said: Said,
    open: usize,
    breached: usize,
    at_risk: usize,
    on_track: usize,
    paused: usize,
    alerts: Vec<AlertCount>,
    /// Of the clocks that were decided meanwhile.
    pub clocks_met: usize,
    pub clocks_decided: usize,
    predictions: usize,
    /// Of those, how many are decided, and how many of these were breaches.
    predictions_decided: usize,
    predictions_true: usize,
    emails: usize,
    text_messages: usize,
    slack_messages: usize,
    webhooks: usize,
    waiting: i64,
    failed: i64,
    escalations: i64,
    recoveries: i64,
    digests: i64,
    acknowledged_by_link: i64,
    acknowledged_by_text: i64,
    superops_requests: u64,
}

#[derive(Serialize)]
struct AlertCount {
    clock: &'static str,
    stage: String,
    state: String,
    number: i64,
}

impl Figures {
    async fn take(
        service: &Service,
        store: &Store,
        world: &World,
        zone: Tz,
        began: DateTime<Utc>,
    ) -> anyhow::Result<Self> {
        let overview = service.overview(&Reach::All).await?;
        let tally = store.tally(&Reach::All, DateTime::<Utc>::MIN_UTC).await?;
        let Highlights { escalations, by_link, by_text, digests, recoveries } = store.highlights().await?;
        let tenant = TenantId::parse("demo")?;
        let predicted = store.told_predictions(&[&tenant], began).await?.remove(&tenant).unwrap_or_default();
        let alerts = store.alert_counts().await?.into_iter().map(|count| AlertCount {
            clock: count.clock.words(),
            stage: count.stage,
            state: count.state,
            number: count.number,
        });
        let caught = world.caught.newest_first(usize::MAX);
        let kinds = |kind| caught.iter().filter(|message| message.kind == kind).count();
        let (clocks_met, clocks_decided) = world.look_alike.met_since(began);
        Ok(Self {
            said: Said::take(store, &world.look_alike, &caught, zone).await?,
            open: overview.counts.open,
            breached: overview.counts.breached,
            at_risk: overview.counts.at_risk,
            on_track: overview.counts.on_track,
            paused: overview.counts.paused,
            alerts: alerts.collect(),
            clocks_met,
            clocks_decided,
            predictions: predicted.len(),
            predictions_decided: predicted.iter().filter(|one| one.breached.is_some()).count(),
            predictions_true: predicted.iter().filter(|one| one.breached == Some(true)).count(),
            emails: kinds(CaughtKind::Email),
            text_messages: kinds(CaughtKind::Sms),
            slack_messages: kinds(CaughtKind::Slack),
            webhooks: kinds(CaughtKind::Webhook),
            waiting: tally.pending,
            failed: tally.failed,
            escalations,
            recoveries,
            digests,
            acknowledged_by_link: by_link,
            acknowledged_by_text: by_text,
            superops_requests: world.look_alike.requests().total,
        })
    }

    /// As sentences.
    pub fn in_words(&self) -> String {
        let Self { open, breached, at_risk, on_track, paused, .. } = self;
        let mut text = format!(
            "\n{open} open tickets: {breached} breached, {at_risk} at risk, {on_track} on track, {paused} paused\n\
             {} of {} clocks that were decided were met\n",
            self.clocks_met, self.clocks_decided
        );
        for AlertCount { clock, stage, state, number } in &self.alerts {
            text.push_str(&format!("{number:>5}  {clock} {stage}, {state}\n"));
        }
        text.push_str(&format!(
            "{} breaches were predicted; {} of the {} that are decided came true\n\
             {} emails, {} text messages, {} Slack messages and {} webhooks were caught; {} still wait, {} failed\n\
             nobody got more than {} emails and text messages in a day\n",
            self.predictions,
            self.predictions_true,
            self.predictions_decided,
            self.emails,
            self.text_messages,
            self.slack_messages,
            self.webhooks,
            self.waiting,
            self.failed,
            self.said.most_in_a_day
        ));
        text.push_str(&format!(
            "{} later steps of escalations were told, {} recovery notices and {} digests after quiet hours were sent\n\
             {} acknowledged by the link in a mail, {} by replying to a text message\n\
             SuperOps was asked {} times",
            self.escalations,
            self.recoveries,
            self.digests,
            notify::counted(usize::try_from(self.acknowledged_by_link).unwrap_or_default(), "alert"),
            self.acknowledged_by_text,
            self.superops_requests
        ));
        text
    }
}

/// The zone of the head office, by which days are counted.
fn zone_of(parts: &Parts) -> Tz {
    parts.config.calendars.values().next().map_or(Tz::UTC, |calendar| calendar.timezone)
}

/// The caught messages, as the page shows them.
struct Shown(Arc<CaughtList>);

impl web::Caught for Shown {
    fn newest(&self, limit: usize) -> Value {
        let shown = |message: &Arc<Caught>| {
            let kind = message.kind.as_str();
            json!({ "at": message.at, "kind": kind, "to": message.to, "subject": message.subject, "text": message.text })
        };
        self.0.newest_first(limit).iter().map(shown).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_desk_begins_on_the_latest_tuesday_at_ten() {
        let at = |text: &str| DateTime::parse_from_rfc3339(text).map(|at| at.to_utc()).unwrap_or_default();
        let cases = [
            ("2026-11-21T15:00:00Z", "2026-11-17T10:00:00Z"),
            ("2026-11-17T10:00:00Z", "2026-11-17T10:00:00Z"),
            ("2026-11-17T09:59:59Z", "2026-11-10T10:00:00Z"),
            ("2026-11-23T00:00:00Z", "2026-11-17T10:00:00Z"),
        ];
        for (now, begins) in cases {
            assert_eq!(working_morning(at(now)), at(begins), "{now}");
        }
    }
}
