//! The whole product on a bench: a clock that is moved by hand, a store of
//! its own, and a SuperOps, a mail server and an SMS gateway on the loopback.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use superops_sla::app::Parts;
use superops_sla::app::replicas::Telling;
use superops_sla::clock::{Clock, ManualClock};
use superops_sla::config::{Config, Environment};
use superops_sla::simulator::receivers::{
    Caller, Caught, CaughtKind, CaughtList, MailCatcher, NtfyCatcher, PagerDutyCatcher, SlackCatcher, SmsCatcher,
    TeamsCatcher, WEBHOOK_SECRET, WebhookCatcher,
};
use superops_sla::simulator::{DueOnPause, NewTicket, Served, SimOptions, Simulator};
use superops_sla::store::lease::Role;
use superops_sla::store::outbox::Logged;
use superops_sla::ticket::Reach;
use superops_sla::web::{self, HttpServer};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::database::{self, Database};

pub const TOKEN: &str = "look-alike-token";
/// Where the configuration says that people, and Twilio, reach the service.
pub const PUBLIC_URL: &str = "https://sla.example.com";
pub const TWILIO_TOKEN: &str = "twilio-auth-token";
/// What the two sign their calls with.
pub const SLACK_SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
pub const PAGERDUTY_SECRET: &str = "pagerduty-webhook-secret";
/// Working hours that are shorter than the day.
const OFFICE: &str = "[calendars.office]\ntimezone = \"Europe/London\"\n\
    mon = [\"09:00-12:30\", \"13:00-17:30\"]\ntue = [\"09:00-17:30\"]\nwed = [\"09:00-17:30\"]\n\
    thu = [\"09:00-17:30\"]\nfri = [\"09:00-17:30\"]\n";
/// More than any test can say.
const EVERYTHING: usize = 100_000;

/// A Monday morning.
pub fn begin() -> DateTime<Utc> {
    "2026-11-23T09:00:00Z".parse().unwrap()
}

pub fn minutes(minutes: i64) -> TimeDelta {
    TimeDelta::minutes(minutes)
}

pub fn any_port() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// The loop that is turned when the process is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dies {
    Sync,
    Evaluate,
    Dispatch,
}

/// The product and all that stands round it.
pub struct TestApp {
    pub clock: ManualClock,
    pub superops: Arc<Simulator>,
    pub mail: MailCatcher,
    pub ntfy: NtfyCatcher,
    pub sms: SmsCatcher,
    pub slack: SlackCatcher,
    pub teams: TeamsCatcher,
    pub pagerduty: PagerDutyCatcher,
    pub webhook: WebhookCatcher,
    pub caught: Arc<CaughtList>,
    /// None while the service is stopped.
    parts: Option<Parts>,
    served: Served,
    folder: TempDir,
    pub database: Database,
    /// Whether ntfy, Slack, PagerDuty, Teams and the webhook are configured.
    systems: bool,
    /// Whether the tenant has working hours.
    office: bool,
    /// What the configuration says beyond the usual.
    more: String,
    /// Whether text messages say how to answer them.
    replies: bool,
    /// Whether messages keep the usual pace; else each is said by itself and at once.
    paced: bool,
    heard: u64,
}

impl TestApp {
    /// With the default escalation.
    pub async fn start() -> Self {
        Self::with("").await
    }

    /// With `more` at the end of the configuration.
    pub async fn with(more: &str) -> Self {
        Self::set_up(false, more).await
    }

    /// With the usual pace of messages, and `more` at the end of the configuration.
    pub async fn paced(more: &str) -> Self {
        let mut app = Self::with(more).await;
        app.paced = true;
        app.restart().await;
        app
    }

    /// The same, in an office in London.
    pub async fn paced_office(more: &str) -> Self {
        let mut app = Self::with_office(more).await;
        app.paced = true;
        app.restart().await;
        app
    }

    /// With ntfy, Slack, PagerDuty, Teams and a webhook, and `more` at the end of the configuration.
    pub async fn with_systems(more: &str) -> Self {
        Self::set_up(true, more).await
    }

    async fn set_up(systems: bool, more: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let clock = ManualClock::at(begin());
        let due_on_pause = DueOnPause::Never;
        let options =
            SimOptions { tickets: 0, alive: false, requests_per_minute: 0, due_on_pause, ..SimOptions::default() };
        let superops = Simulator::new(options, Arc::new(clock.clone()));
        let caught = CaughtList::new(EVERYTHING);
        let folder = tempfile::tempdir().unwrap();
        let mut app = Self {
            database: Database::of_a_test(folder.path()),
            served: superops.serve(any_port()).await.unwrap(),
            mail: MailCatcher::start(any_port(), Arc::new(clock.clone()), caught.clone()).await.unwrap(),
            ntfy: NtfyCatcher::start(any_port(), Arc::new(clock.clone()), caught.clone()).await.unwrap(),
            sms: SmsCatcher::start(any_port(), Arc::new(clock.clone()), caught.clone()).await.unwrap(),
            slack: SlackCatcher::start(any_port(), Arc::new(clock.clone()), caught.clone()).await.unwrap(),
            teams: TeamsCatcher::start(any_port(), Arc::new(clock.clone()), caught.clone()).await.unwrap(),
            pagerduty: PagerDutyCatcher::start(any_port(), Arc::new(clock.clone()), caught.clone()).await.unwrap(),
            webhook: WebhookCatcher::start(any_port(), Arc::new(clock.clone()), caught.clone()).await.unwrap(),
            folder,
            parts: None,
            systems,
            office: false,
            more: more.to_owned(),
            replies: false,
            paced: false,
            heard: 0,
            caught,
            clock,
            superops,
        };
        std::fs::write(app.token_file(), TOKEN).unwrap();
        std::fs::write(app.teams_file(), app.teams.url()).unwrap();
        app.resume().await;
        app
    }

    /// With `more` at the end of the configuration, and replies to text messages asked for.
    pub async fn with_replies(more: &str) -> Self {
        let mut app = Self::with(more).await;
        app.replies = true;
        app.restart().await;
        app
    }

    /// With working hours that are shorter than the day, and `more` at the end of the configuration.
    pub async fn with_office(more: &str) -> Self {
        Self::in_office(&format!("{OFFICE}{more}")).await
    }

    /// In the calendar `office` of `more`.
    pub async fn in_office(more: &str) -> Self {
        let mut app = Self::with(more).await;
        app.office = true;
        app.restart().await;
        app
    }

    pub fn token_file(&self) -> PathBuf {
        self.folder.path().join("token")
    }

    /// The address of a workflow is a secret, which stands in a file of its own.
    fn teams_file(&self) -> PathBuf {
        self.folder.path().join("teams")
    }

    /// The file as a user would write it.
    pub fn config_text(&self) -> String {
        format!(
            "[server]\nlisten = \"127.0.0.1:0\"\npublic_url = \"{PUBLIC_URL}\"\n\
             [store]\n{}\
             [tenants.acme]\nsubdomain = \"acme\"\nendpoint = \"{}/msp\"\ntoken_file = \"{}\"\n\
             requests_per_minute = 800\nallow_networks = [\"127.0.0.0/8\"]\nhook_secret_env = \"HOOK\"\n{}\
             [notify.email]\nsmtp_url = \"smtp://{}\"\nfrom = \"SLA watch <sla@example.com>\"\n\
             [notify.sms]\naccount_sid = \"AC00000000000000000000000000000000\"\nauth_token_env = \"TWILIO\"\n\
             from = \"+15005550006\"\nbase_url = \"{}\"\nreplies = {}\n{}{}{}",
            self.database.settings(),
            self.served.url(),
            self.token_file().display(),
            if self.office { "calendar = \"office\"\n" } else { "" },
            self.mail.addr(),
            self.sms.url(),
            self.replies,
            if self.paced { "" } else { "[alerts.pace]\nsingly = true\n" },
            self.systems(),
            self.more,
        )
    }

    fn systems(&self) -> String {
        if !self.systems {
            return String::new();
        }
        format!(
            "[notify.ntfy]\ntoken_env = \"NTFY\"\nbase_url = \"{}\"\n\
             [notify.slack]\nbot_token_env = \"SLACK\"\nsigning_secret_env = \"SLACK_SIGNS\"\nchannel = \"#sla\"\nper_minute = 600\nbase_url = \"{}\"\n\
             [notify.pagerduty]\nrouting_key_env = \"PAGERDUTY\"\nwebhook_secret_env = \"PAGERDUTY_SIGNS\"\nbase_url = \"{}\"\n\
             [notify.teams]\nwebhook_url_file = \"{}\"\nper_minute = 600\n\
             [notify.webhook]\nurl = \"{}\"\nsecret_env = \"WEBHOOK\"\n",
            self.ntfy.url(),
            self.slack.url(),
            self.pagerduty.url(),
            self.teams_file().display(),
            self.webhook.url(),
        )
    }

    pub fn config(&self) -> Config {
        parse(&self.config_text())
    }

    /// Builds the service on the store that is there.
    pub async fn build(&self) -> anyhow::Result<Parts> {
        Parts::build(self.config(), Arc::new(self.clock.clone())).await
    }

    pub fn parts(&mut self) -> &mut Parts {
        self.parts.as_mut().expect("the service is not stopped")
    }

    /// Starts the service after [`TestApp::stop`].
    pub async fn resume(&mut self) {
        self.parts = Some(self.build().await.unwrap());
    }

    /// Starts the service anew as a follower, which reads what a leader told last.
    pub async fn resume_as_follower(&mut self) {
        self.stop().await;
        let parts = Parts::build_as(Role::Follower, self.config(), Arc::new(self.clock.clone())).await.unwrap();
        parts.following.as_ref().expect("a follower").look().await.unwrap();
        self.parts = Some(parts);
    }

    /// Tells followers how the work of the service goes, as a leader does.
    pub fn telling(&mut self) -> Telling {
        let parts = self.parts();
        Telling::new(parts.store.clone(), parts.service.clone())
    }

    /// Starts the service with the table for email taken out of the configuration.
    pub async fn resume_without_email(&mut self) {
        let text = self.config_text();
        let (before, email) = text.split_once("[notify.email]").unwrap();
        let (_, after) = email.split_once("[notify.sms]").unwrap();
        let config = parse(&format!("{before}[notify.sms]{after}"));
        self.parts = Some(Parts::build(config, Arc::new(self.clock.clone())).await.unwrap());
    }

    /// Starts the service with no address at which others reach it.
    pub async fn resume_without_public_url(&mut self) {
        self.stop().await;
        let config = parse(&self.config_text().replace(&format!("public_url = \"{PUBLIC_URL}\"\n"), ""));
        self.parts = Some(Parts::build(config, Arc::new(self.clock.clone())).await.unwrap());
    }

    /// Starts the service anew with what `change` makes of its configuration, be it what no file may say.
    pub async fn resume_with_changed(&mut self, change: impl FnOnce(&mut Config)) {
        self.stop().await;
        let mut config = self.config();
        change(&mut config);
        self.parts = Some(Parts::build(config, Arc::new(self.clock.clone())).await.unwrap());
    }

    /// Starts the service with `keys` before the one that the tests' stores may have.
    pub async fn resume_with_keys(&mut self, keys: &str) {
        self.stop().await;
        let file = self.folder.path().join("store-keys");
        std::fs::write(&file, format!("{keys}\n{}", database::key().unwrap_or_default())).unwrap();
        let text = self.config_text();
        let others = text.lines().filter(|line| !line.starts_with("encryption_keys_file"));
        let text = others.collect::<Vec<_>>().join("\n");
        let with = format!("[store]\nencryption_keys_file = \"{}\"\n", file.display());
        self.parts =
            Some(Parts::build(parse(&text.replace("[store]\n", &with)), Arc::new(self.clock.clone())).await.unwrap());
    }

    /// Ends the service in good order.
    pub async fn stop(&mut self) {
        if let Some(parts) = self.parts.take() {
            parts.store.close().await;
        }
    }

    pub async fn restart(&mut self) {
        self.stop().await;
        self.resume().await;
    }

    /// Starts the service again, with `more` in place of what its configuration said beyond the usual.
    pub async fn restart_with(&mut self, more: &str) {
        more.clone_into(&mut self.more);
        self.restart().await;
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub async fn sync(&mut self) {
        let now = self.now();
        for sync in &mut self.parts().syncs {
            sync.turn(now).await.unwrap();
        }
    }

    /// One turn of the forecast, after which evaluate has its say.
    pub async fn predict(&mut self) {
        let now = self.now();
        for predict in &mut self.parts().predicts {
            predict.turn(now).await.unwrap();
        }
    }

    pub async fn evaluate(&mut self) -> superops_sla::evaluate::Turn {
        let now = self.now();
        self.parts().evaluate.turn(now).await.unwrap()
    }

    /// One look at the watch itself.
    pub async fn look_after(&mut self) {
        let now = self.now();
        self.parts().self_monitoring.turn(now).await.unwrap();
    }

    /// Asks about text messages that stay silent.
    pub async fn ask_for_receipts(&mut self) {
        let now = self.now();
        self.parts().receipts.turn(now).await.unwrap();
    }

    /// Writes on tickets what is due.
    pub async fn write_back(&mut self) {
        for write_back in &mut self.parts().write_backs {
            write_back.turn().await.unwrap();
        }
    }

    /// Ends the service as a power cut does, as soon as a note was written that it does not know of yet.
    pub async fn crash_while_writing(&mut self, ticket: &str) {
        let superops = self.superops.clone();
        let parts = self.parts.as_mut().expect("the service is not stopped");
        let written = async {
            while superops.ticket(ticket).unwrap().notes.is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            ended = parts.write_backs[0].turn() => panic!("the attempt ended: {ended:?}"),
            () = written => {}
        }
        self.parts = None;
    }

    /// Serves the web, and has the SMS gateway call it at the address that the configuration names.
    pub async fn serve(&mut self) -> String {
        let parts = self.parts();
        let router = web::router(parts.web(parts.web_options()));
        let listener = TcpListener::bind(any_port()).await.unwrap();
        let reach = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(HttpServer::sized_beside(1, Arc::default()).serve(listener, router, std::future::pending()));
        self.sms.calls(Caller {
            auth_token: TWILIO_TOKEN.to_owned().into(),
            public_url: PUBLIC_URL.to_owned(),
            reach: reach.clone(),
        });
        reach
    }

    pub async fn dispatch(&mut self) {
        let now = self.now();
        self.parts().dispatch.turn(now).await.unwrap();
    }

    /// What the three loops do at one moment, until there is nothing left to do.
    pub async fn turn(&mut self) {
        self.sync().await;
        self.settle().await;
    }

    /// Evaluates and dispatches until there is nothing left to do at this moment.
    pub async fn settle(&mut self) {
        for _ in 0..20 {
            let turn = self.evaluate().await;
            self.dispatch().await;
            let now = self.now();
            if turn.notifications == 0 && turn.next.is_none_or(|next| next > now) {
                return;
            }
        }
        panic!("the loops do not come to rest");
    }

    /// Looks at services whenever a look is due, for so long.
    pub async fn look_at_services(&mut self, length: TimeDelta) {
        let end = self.now() + length;
        loop {
            self.parts().monitor.as_mut().unwrap().turn().await;
            let next = self.parts().monitor.as_ref().unwrap().next_due().filter(|due| *due <= end);
            let Some(next) = next else { break };
            self.clock.set(next.max(self.now()));
        }
        self.clock.set(end);
        self.parts().monitor.as_mut().unwrap().turn().await;
    }

    /// Lets time pass, then turns the loops.
    pub async fn wait(&mut self, length: TimeDelta) {
        self.clock.advance(length);
        self.turn().await;
    }

    /// Adds a ticket that is due as told, with nothing to say about its first response.
    pub fn ticket(&self, resolution_due_in: TimeDelta) -> String {
        self.superops.add(NewTicket { resolution_due_in: Some(resolution_due_in), ..usual() })
    }

    /// What was sent since last asked, a line each: way, recipient, and the first words.
    pub fn said(&mut self) -> String {
        let mut lines: Vec<String> = self.heard().iter().map(|caught| line(caught)).collect();
        lines.sort();
        lines.join("\n")
    }

    /// The messages since last asked, oldest first.
    pub fn heard(&mut self) -> Vec<Arc<Caught>> {
        let total = self.caught.total();
        let new = usize::try_from(total - self.heard).unwrap();
        self.heard = total;
        let mut messages = self.caught.newest_first(new);
        messages.reverse();
        messages
    }

    /// Ends the service as a power cut does: nothing is finished, nothing is closed.
    pub async fn crash_while_sending(&mut self) {
        let now = self.now();
        let caught = self.caught.clone();
        let before = caught.total();
        let parts = self.parts.as_mut().expect("the service is not stopped");
        let taken = async {
            while caught.total() == before {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            ended = parts.dispatch.turn(now) => panic!("the attempt ended: {ended:?}"),
            () = taken => {}
        }
        self.parts = None;
    }

    /// Ends the service as a power cut does, `after` so many breaths of a turn of that loop, or at its end.
    pub async fn kill(&mut self, during: Dies, after: u16) {
        let now = self.now();
        let mut parts = self.parts.take().expect("the service is not stopped");
        let store = parts.store.clone();
        let breathe = async {
            for _ in 0..after {
                tokio::task::yield_now().await;
            }
        };
        let turn = async {
            match during {
                Dies::Sync => parts.syncs[0].turn(now).await.map(drop).unwrap(),
                Dies::Evaluate => parts.evaluate.turn(now).await.map(drop).unwrap(),
                Dies::Dispatch => parts.dispatch.turn(now).await.map(drop).unwrap(),
            }
        };
        tokio::select! {
            () = turn => {}
            () = breathe => {}
        }
        drop(parts);
        // A real one takes its writer with it: here what it was ordered to write is on the disk before the next begins.
        store.close().await;
    }

    /// All notifications of the outbox, whatever became of them.
    pub async fn outbox(&mut self) -> Vec<Logged> {
        self.parts().store.notifications(&Reach::All, None, EVERYTHING).await.unwrap()
    }

    /// How many notifications are in each state.
    pub async fn states(&mut self) -> BTreeMap<String, usize> {
        let mut states = BTreeMap::new();
        for row in self.outbox().await {
            *states.entry(row.state).or_default() += 1;
        }
        states
    }
}

/// With more calls a minute than are ever made: the clock is moved by hand, and the pace of calls goes by the wall's.
fn parse(text: &str) -> Config {
    let mut config = Config::parse(Path::new("config.toml"), text, &Surroundings::new()).unwrap();
    config.tenants.values_mut().for_each(|tenant| tenant.requests_per_minute = 1_000_000);
    config
}

/// A ticket of a client whose account manager does not own it.
pub fn usual() -> NewTicket {
    NewTicket { client: Some("Globex Corporation".to_owned()), ..NewTicket::default() }
}

fn line(caught: &Caught) -> String {
    match caught.kind {
        CaughtKind::Email => format!("email {}: {}", caught.to, caught.text.lines().next().unwrap_or_default()),
        CaughtKind::Voice => format!("call {}: {}", caught.to, caught.text),
        CaughtKind::Ntfy => format!("push {}: {}", caught.to, caught.subject),
        CaughtKind::Sms => format!("text {}: {}", caught.to, caught.text),
        CaughtKind::Slack => format!("slack {}: {}", caught.to, caught.text.lines().next().unwrap_or_default()),
        CaughtKind::Teams => format!("teams: {}", caught.text.lines().next().unwrap_or_default()),
        CaughtKind::PagerDuty => format!("pagerduty {} {}: {}", caught.subject, caught.to, caught.text),
        CaughtKind::Webhook => format!("webhook {}", caught.subject),
    }
}

/// Environment variables that are given, and files that are really there.
struct Surroundings(BTreeMap<&'static str, &'static str>);

impl Surroundings {
    fn new() -> Self {
        Self(BTreeMap::from([
            ("HOOK", "knock-knock"),
            ("TWILIO", TWILIO_TOKEN),
            ("NTFY", "tk_test"),
            ("SLACK", "xoxb-test"),
            ("SLACK_SIGNS", SLACK_SECRET),
            ("PAGERDUTY_SIGNS", PAGERDUTY_SECRET),
            ("PAGERDUTY", "0123456789abcdef0123456789abcdef"),
            ("WEBHOOK", WEBHOOK_SECRET),
        ]))
    }
}

impl Environment for Surroundings {
    fn var(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|value| (*value).to_owned())
    }

    fn read_file(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }
}
