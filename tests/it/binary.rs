//! The program itself, as an operator starts, asks and stops it.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use reqwest::StatusCode;
use superops_sla::clock::SystemClock;
use superops_sla::config::{Config, GivenEnvironment};
use superops_sla::simulator::receivers::{CaughtList, MailCatcher, SmsCatcher};
use superops_sla::simulator::{NewTicket, Served, SimOptions, Simulator};
use tempfile::TempDir;

use crate::books::program;
use crate::support::{TestApp, any_port, usual};

const SUPEROPS_TOKEN: &str = "api-4f9e27c1d0";
const TWILIO_TOKEN: &str = "twilio-7c21b9e5";
const SUBJECT: &str = "Payroll of Priya";
/// For what takes a second; a machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with a configuration, and what it points at.
pub struct Place {
    folder: TempDir,
    pub superops: Arc<Simulator>,
    served: Served,
    mail: MailCatcher,
    sms: SmsCatcher,
    pub caught: Arc<CaughtList>,
}

impl Place {
    pub async fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let clock = Arc::new(SystemClock);
        let options = SimOptions {
            tickets: 0,
            alive: false,
            requests_per_minute: 0,
            token: SUPEROPS_TOKEN.to_owned(),
            ..SimOptions::default()
        };
        let superops = Simulator::new(options, clock.clone());
        let caught = CaughtList::new(1_000);
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
            served: superops.serve(any_port()).await.unwrap(),
            mail: MailCatcher::start(any_port(), clock.clone(), caught.clone()).await.unwrap(),
            sms: SmsCatcher::start(any_port(), clock, caught.clone()).await.unwrap(),
            superops,
            caught,
        };
        std::fs::write(place.folder.path().join("config.toml"), place.config()).unwrap();
        place
    }

    pub fn config(&self) -> String {
        format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[store]\nurl = \"sqlite://sla.db\"\n\
             [tenants.acme]\nsubdomain = \"acme\"\nendpoint = \"{}/msp\"\ntoken_env = \"SUPEROPS_TOKEN\"\n\
             [alerts.pace]\nsingly = true\n[[alerts.steps]]\nafter = \"0s\"\nnotify = [\"technician\"]\nchannels = [\"email\", \"sms\"]\n\
             [notify.email]\nsmtp_url = \"smtp://{}\"\nfrom = \"sla@example.com\"\n\
             [notify.sms]\naccount_sid = \"AC00000000000000000000000000000000\"\nauth_token_env = \"TWILIO_AUTH_TOKEN\"\n\
             from = \"+15005550006\"\nbase_url = \"{}\"\n",
            self.served.url(),
            self.mail.addr(),
            self.sms.url(),
        )
    }

    /// The configuration, for a service within this process that asks SuperOps often.
    pub fn settings(&self) -> Config {
        let token = self.folder.path().join("token");
        std::fs::write(&token, SUPEROPS_TOKEN).unwrap();
        let told = format!("poll_interval = \"2s\"\nrequests_per_minute = 100\ntoken_file = \"{}\"", token.display());
        let text = self.config().replace("sqlite://sla.db", &format!("sqlite://{}", self.store().display()));
        let text = text.replace("token_env = \"SUPEROPS_TOKEN\"", &told);
        let env = GivenEnvironment::default().with_var("TWILIO_AUTH_TOKEN", TWILIO_TOKEN);
        let env = env.with_file(token.to_str().unwrap(), SUPEROPS_TOKEN);
        Config::parse(&self.folder.path().join("config.toml"), &text, &env).unwrap()
    }

    /// A ticket whose warning is due at once.
    pub fn risky_ticket(&self) -> String {
        self.risky_ticket_about(SUBJECT)
    }

    /// The same, about something.
    pub fn risky_ticket_about(&self, subject: &str) -> String {
        self.superops.add(NewTicket {
            subject: subject.to_owned(),
            created_in: TimeDelta::hours(-7),
            resolution_due_in: Some(TimeDelta::hours(1)),
            ..usual()
        })
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_superops-sla"));
        command.args(arguments).current_dir(self.folder.path());
        command.env("SUPEROPS_TOKEN", SUPEROPS_TOKEN).env("TWILIO_AUTH_TOKEN", TWILIO_TOKEN).env_remove("RUST_LOG");
        command
    }

    /// The file of its store.
    pub fn store(&self) -> std::path::PathBuf {
        self.folder.path().join("sla.db")
    }

    /// Runs the program to its end.
    pub fn ask(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What the program answers in JSON.
    fn ask_json(&self, arguments: &[&str]) -> serde_json::Value {
        let output = self.ask(arguments);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub fn run(&self) -> Running {
        Running::start(self.command(&["run"]))
    }

    /// The service once it has told of a ticket that is at risk; and the ticket's number.
    fn run_with_an_alert(&self) -> (Running, String) {
        self.risky_ticket();
        let mut running = self.run();
        running.until("sent ");
        let alerts = self.ask_json(&["alerts", "--json"]);
        let number = alerts["alerts"][0]["display_id"].as_str().unwrap().to_owned();
        (running, number)
    }
}

/// The service as a process of its own; killed when dropped.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    /// All that it logged so far.
    log: String,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (send, lines) = channel();
        thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        Self { child, lines, log: String::new() }
    }

    /// Gives the first line of the log that holds `words`, as soon as it is there.
    pub fn until(&mut self, words: &str) -> String {
        if let Some(line) = self.log.lines().find(|line| line.contains(words)) {
            return line.to_owned();
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let line = self.lines.recv_timeout(deadline - Instant::now());
            let line = line.unwrap_or_else(|_| panic!("no `{words}` in the log:\n{}", self.log));
            self.log.push_str(&line);
            self.log.push('\n');
            if line.contains(words) {
                return line;
            }
        }
    }

    /// How many lines of the log that was read hold `words`.
    pub fn heard(&self, words: &str) -> usize {
        self.log.lines().filter(|line| line.contains(words)).count()
    }

    /// Waits for one more line that holds `words` than the `known` ones.
    pub fn until_again(&mut self, words: &str, known: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.heard(words) <= known {
            let line = self.lines.recv_timeout(deadline - Instant::now());
            let line = line.unwrap_or_else(|_| panic!("no more `{words}` in the log:\n{}", self.log));
            self.log.push_str(&line);
            self.log.push('\n');
        }
    }

    pub fn url(&mut self) -> String {
        let line = self.until("listening on http://");
        line[line.find("http://").unwrap()..].split_whitespace().next().unwrap().to_owned()
    }

    /// As a service manager does it. Gives how it ended and the whole log.
    pub fn terminate(mut self) -> (ExitStatus, Duration, String) {
        let asked = Instant::now();
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        let took = asked.elapsed();
        while let Ok(line) = self.lines.recv() {
            self.log.push_str(&line);
            self.log.push('\n');
        }
        (status, took, std::mem::take(&mut self.log))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail if it has ended, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_mistakes_are_told_at_once_and_exit_with_2() {
    let place = Place::new().await;
    let mistakes = "[server]\nlisten = \"here\"\nport = 8080\n[store]\nurl = \"mysql://x\"\n\
                    [tenants.acme]\nsubdomain = \"\"\nregion = \"mars\"\ntoken_env = \"NOT_SET\"\n\
                    requests_per_minute = 0\npoll_interval = \"fast\"\n\
                    [alerts]\nwarn_at = [1.5]\n\
                    [notify.email]\nsmtp_url = \"http://mail\"\nfrom = \"nobody\"\n";
    std::fs::write(place.folder.path().join("config.toml"), mistakes).unwrap();
    let output = place.ask(&["run"]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(text(&output.stderr), @r#"
    config.toml:2:10: `listen` must be an IP address and a port, such as "127.0.0.1:8080"
    config.toml:3:1: unknown key `port` in [server]
    config.toml:5:7: `url` must be "sqlite://FILE" or "postgres://USER@HOST/DATABASE", such as "sqlite://superops-sla.db"
    config.toml:7:13: `subdomain` must be the first part of the address alone: "acme" for acme.superops.ai
    config.toml:8:10: `region` must be "us" or "eu", the regions of SuperOps
    config.toml:9:13: `token_env` names the environment variable `NOT_SET`, which is not set
    config.toml:10:23: `requests_per_minute` must be from 1 to 800, the most that SuperOps has documented
    config.toml:11:17: `poll_interval` must be a length of time such as "90s", "15m", "8h", "2d" or "1h30m"
    config.toml:13:12: `warn_at` must be over 0 and under 1: write 75 % as 0.75
    config.toml:15:12: `smtp_url` must be such as "smtps://user@mail.example.com" or "smtp://mail.example.com:587"
    config.toml:16:8: `from` must be an email address, such as "sla@example.com" or "SLA watch <sla@example.com>"
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_when_nobody_is_on_call() {
    let place = Place::new().await;
    let rotation = "[on_call.office]\ntimezone = \"UTC\"\n[[on_call.office.layers]]\npeople = [\"email:ann@example.com\"]\n\
                    starts = \"2026-01-05T09:00\"\nevery = \"1w\"\nmon = [\"09:00-17:00\"]\nthu = [\"09:00-17:00\"]\n";
    std::fs::write(place.folder.path().join("config.toml"), place.config() + rotation).unwrap();
    let output = place.ask(&["check"]);
    assert_eq!(output.status.code(), Some(0));
    let said = text(&output.stdout);
    let gaps = said.lines().filter(|line| line.contains("on-call office: nobody is on call from ")).count();
    assert!(gaps == 5 && said.contains("more such gaps within 30 days"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_rotated_beside_a_service_only_once_it_holds_the_first() {
    let place = Place::new().await;
    let file = place.folder.path().join("keys");
    let config = place.config().replace("[store]\n", "[store]\nencryption_keys_file = \"keys\"\n");
    std::fs::write(place.folder.path().join("config.toml"), config).unwrap();
    std::fs::write(&file, "1f".repeat(32)).unwrap();
    let mut running = place.run();
    running.url();
    std::fs::write(&file, format!("{}\n{}", "2f".repeat(32), "1f".repeat(32))).unwrap();
    let refused = place.ask(&["keys", "rotate"]);
    let why = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{why}");
    assert!(why.contains("restart the service with the configuration that has the key"), "{why}");
    running.terminate();
    let mut running = place.run();
    running.url();
    let rotated = place.ask(&["keys", "rotate"]);
    assert_eq!(rotated.status.code(), Some(0), "{}", text(&rotated.stderr));
    running.terminate();
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_written_is_a_failure_and_a_reader_that_has_left_is_none() {
    let place = Place::new().await;
    // Commands that only read make no store.
    assert!(place.ask(&["token", "create", "--role", "viewer"]).status.success());
    for words in ["keys new", "token list", "status --json", "audit", "check", "keys status"] {
        let arguments: Vec<&str> = words.split(' ').collect();
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let failed = place.command(&arguments).stdout(full).output().unwrap();
        let why = text(&failed.stderr);
        assert_eq!(failed.status.code(), Some(1), "{words}: {why}");
        assert!(why.contains("could not write all of the output"), "{words}: {why}");

        let mut command = place.command(&arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let left = child.wait_with_output().unwrap();
        assert_eq!((left.status.code(), text(&left.stderr).as_str()), (Some(0), ""), "{words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_only_reads_says_that_there_is_no_store_and_makes_none() {
    let place = Place::new().await;
    for words in
        ["status", "status --json", "audit", "audit verify", "token list", "retention --dry-run", "store check"]
    {
        let refused = place.ask(&words.split(' ').collect::<Vec<_>>());
        let why = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{words}: {why}");
        for part in ["there is no store at /", "run it where the service runs"] {
            assert!(why.contains(part), "{words}: {why}");
        }
        assert!(!place.store().exists(), "{words}");
    }
    assert_eq!(place.ask(&["audit", "--limit", "0"]).status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_tenant_is_wrong_usage_whatever_the_command() {
    let place = Place::new().await;
    assert!(place.ask(&["token", "create", "--role", "viewer"]).status.success());
    for words in ["token create --role viewer", "status", "audit"] {
        let refused = place.ask(&words.split(' ').chain(["--tenant", "amce"]).collect::<Vec<_>>());
        let why = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{words}: {why}");
        assert!(why.contains("no tenant is called `amce`; there is acme"), "{words}: {why}");
    }
    let listed = text(&place.ask(&["token", "list"]).stdout);
    assert_eq!(listed.lines().count(), 2, "only the first was made: {listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_that_takes_a_ticket_asks_whose_is_meant_where_two_tenants_have_one() {
    let mut app = TestApp::start().await;
    let config = app.config_text();
    let of_acme = |key: &str| config.lines().find(|line| line.starts_with(key)).unwrap();
    let same = ["subdomain", "endpoint", "token_file"].map(of_acme).join("\n");
    app.restart_with(&format!("[tenants.globex]\n{same}\n")).await;
    let id = app.ticket(TimeDelta::hours(1));
    app.turn().await;
    app.stop().await;
    for command in [
        "status",
        "alerts",
        "explain",
        "audit --ticket",
        "breaches reasons",
        "ack",
        "resolve",
        "escalate",
        "snooze --for 30m",
    ] {
        let asked: Vec<&str> = command.split(' ').chain([id.as_str()]).collect();
        let refused = program(&app, &asked);
        let why = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{command}: {why}");
        let words = format!("acme, globex each have a ticket `{id}`: say which with `--tenant`");
        assert!(why.contains(&words), "{command}: {why}");
    }
    let one = program(&app, &["status", &id, "--tenant", "globex"]);
    assert!(one.status.success(), "{}", text(&one.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_store_is_said_once_and_by_check_as_well() {
    let place = Place::new().await;
    std::fs::write(place.store(), "somebody's notes\n".repeat(1_000)).unwrap();
    let refused = place.ask(&["status"]);
    let checked = place.ask(&["check"]);
    assert_eq!((refused.status.code(), checked.status.code()), (Some(1), Some(1)));
    for said in [text(&refused.stderr), text(&checked.stdout)] {
        assert_eq!(said.matches("file is not a database").count(), 1, "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_in_good_order_and_quick() {
    let place = Place::new().await;
    place.risky_ticket();
    let mut running = place.run();
    running.until("sent ");
    let (status, took, log) = running.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(log.trim_end().ends_with("stopped"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_is_told_that_the_service_is_ready_that_it_lives_and_that_it_stops() {
    let place = Place::new().await;
    let path = place.folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let hear = || {
        let mut room = [0; 256];
        let length = socket.recv(&mut room).unwrap();
        text(&room[..length])
    };
    let mut command = place.command(&["run"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "2000000");
    let running = Running::start(command);
    let mut first = [hear(), hear()];
    first.sort();
    assert_eq!(first.map(|told| told.trim_end().to_owned()), ["READY=1\nSTATUS=at work", "WATCHDOG=1"]);
    assert_eq!(hear().trim_end(), "WATCHDOG=1", "a second later");
    running.terminate();
    while hear().trim_end() != "STOPPING=1" {}
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_before_a_restart_is_not_told_after_it() {
    let place = Place::new().await;
    place.risky_ticket();
    let mut running = place.run();
    running.until("by email");
    running.until("by sms");
    running.terminate();
    let mut again = place.run();
    again.until("listening on");
    let (_, _, log) = again.terminate();
    assert!(!log.contains("sent `"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_service_on_one_store_says_so_and_exits_with_1() {
    let place = Place::new().await;
    let mut running = place.run();
    running.until("listening on");
    let second = place.ask(&["run"]);
    assert_eq!(second.status.code(), Some(1));
    insta::assert_snapshot!(text(&second.stderr), @"error: another superops-sla is already running on `sla.db`; stop it first, or give this one a store of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_one_word_and_opens_the_api() {
    let place = Place::new().await;
    place.risky_ticket();
    let mut running = place.run();
    let url = running.url();
    running.until("sent ");
    let output = place.ask(&["token", "create", "--role", "viewer"]);
    let token = text(&output.stdout);
    assert_eq!(token.split_whitespace().count(), 1, "{token}");
    let client = reqwest::Client::new();
    let ask = |token: &str| client.get(format!("{url}/api/v1/tickets")).bearer_auth(token.trim()).send();
    assert_eq!(ask("sla_guessed").await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let answer = ask(&token).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.text().await.unwrap().contains(SUBJECT));
}

#[tokio::test(flavor = "multi_thread")]
async fn status_answers_in_json_beside_the_running_service() {
    let place = Place::new().await;
    let id = place.risky_ticket();
    let mut running = place.run();
    running.until("sent ");
    let page = place.ask_json(&["status", "--json"]);
    assert_eq!(page["tickets"][0]["ticket_id"], id.as_str(), "{page:#}");
    let one = place.ask_json(&["status", &id, "--json"]);
    assert_eq!(one["ticket_id"], id.as_str());
    assert_eq!(one["is_resolution_breached"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_taken_on_at_the_command_line_beside_the_running_service() {
    let place = Place::new().await;
    place.risky_ticket();
    let mut running = place.run();
    running.until("sent ");
    let json = |arguments: &[&str]| place.ask_json(arguments);
    let alerts = json(&["alerts", "--json"]);
    let id = alerts["alerts"][0]["id"].as_str().unwrap();
    let number = alerts["alerts"][0]["display_id"].as_str().unwrap();
    let of_ticket = text(&place.ask(&["alerts", number]).stdout);
    assert!(of_ticket.starts_with(number), "a ticket's number will do as well: {of_ticket}");
    let taken = json(&["ack", id, "--by", "Mia", "--note", "on site", "--json"]);
    assert_eq!((&taken["state"], &taken["hold"]["by"]), (&"acknowledged".into(), &"Mia".into()));
    assert_eq!(taken["hold"]["how"], "command_line");
    assert_eq!(json(&["snooze", id, "--for", "30m", "--json"])["state"], "snoozed");
    assert!(text(&place.ask(&["resolve", id]).stdout).contains("(resolved)"));
    let pool = sqlx::SqlitePool::connect(&format!("sqlite://{}", place.store().display())).await;
    let rows = "SELECT who || ' ' || what FROM audit WHERE origin = 'command line' ORDER BY id LIMIT 1";
    let audited: String = sqlx::query_scalar(rows).fetch_one(&pool.unwrap()).await.unwrap();
    assert!(audited.starts_with("Mia acknowledged alert acme:"), "{audited}");
    assert!(audited.ends_with("(on the command line): on site"), "{audited}");

    let shown = text(&place.ask(&["alerts", id]).stdout);
    assert!(shown.contains("Mia acknowledged alert ") && shown.contains("(on the command line): on site"), "{shown}");
    assert!(shown.contains("because you own this ticket"), "{shown}");
    let audit = json(&["audit", "--who", "mia", "--json"]);
    let [first] = audit["changes"].as_array().unwrap().as_slice() else { panic!("{audit}") };
    assert_eq!((&first["who"], &first["alert_id"]), (&"Mia".into(), &id.into()));
    let number = first["display_id"].as_str().unwrap();
    let of_ticket = text(&place.ask(&["audit", "--ticket", number]).stdout);
    assert_eq!(of_ticket.lines().count(), 1 + 3, "{of_ticket}");
    assert!(of_ticket.contains(&format!("acknowledged alert {number} resolution")), "{of_ticket}");
    assert!(text(&place.ask(&["audit", "--what", "no such words"]).stdout).contains("nobody changed anything"));

    assert_eq!(place.ask(&["ack", "nothing"]).status.code(), Some(1));
    assert_eq!(place.ask(&["snooze", id, "--for", "soon"]).status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_knows_only_the_tickets_number_can_acknowledge_and_the_log_says_who_did() {
    let place = Place::new().await;
    let (running, number) = place.run_with_an_alert();
    let acknowledged = place.command(&["ack", &number, "--by", "Mia"]).env("RUST_LOG", "info").output().unwrap();
    assert_eq!(acknowledged.status.code(), Some(0), "{}", text(&acknowledged.stderr));
    assert!(text(&acknowledged.stdout).contains("acknowledged by Mia"), "{}", text(&acknowledged.stdout));
    let (_, _, log) = running.terminate();
    assert!(log.contains(&format!("resolution of ticket {number}: at risk")), "{log}");
    assert!(log.contains(&format!("sent by email: warning {number} resolution")), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_leads_with_the_due_time_in_force_though_another_clock_has_none() {
    let place = Place::new().await;
    let (running, number) = place.run_with_an_alert();
    let said = text(&place.ask(&["explain", &number]).stdout);
    let lead = said.split("\n\n").next().unwrap_or_default();
    assert!(lead.contains("first response  no due time"), "{said}");
    assert!(lead.contains("resolution      due ") && lead.contains(" UTC: "), "{said}");
    running.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn check_leads_with_what_is_wrong_and_keeps_the_rest_for_those_who_ask() {
    let place = Place::new().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("listen = \"{}\"", taken.local_addr().unwrap());
    let config =
        place.config().replace("listen = \"127.0.0.1:0\"", &listen).replace("sqlite://sla.db", "sqlite://none/sla.db");
    std::fs::write(place.folder.path().join("config.toml"), config).unwrap();
    let output = place.ask(&["check"]);
    let said = text(&output.stdout);
    let lines: Vec<_> = said.lines().collect();
    assert_eq!((output.status.code(), lines[0]), (Some(1), "config.toml: 2 things to put right"), "{said}");
    assert!(lines[1].contains("none/sla.db cannot be created: its folder does not exist"), "{said}");
    assert!(lines[2].contains("is taken by another program"), "{said}");
    assert!(lines.len() < 30, "{said}");
    std::fs::write(place.folder.path().join("config.toml"), place.config()).unwrap();
    let good = text(&place.ask(&["check"]).stdout);
    assert!(good.starts_with("config.toml is in order.") && !good.contains("ticket links"), "{good}");
    assert!(text(&place.ask(&["check", "--verbose"]).stdout).contains("ticket links"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_said_without_the_token() {
    let place = Place::new().await;
    place.superops.set_token("another");
    let mut running = place.run();
    let url = running.url();
    let line = running.until("refused the token");
    assert!(line.contains("ERROR") && line.contains("SUPEROPS_TOKEN"), "{line}");
    assert_eq!(reqwest::get(format!("{url}/readyz")).await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(reqwest::get(format!("{url}/healthz")).await.unwrap().status(), StatusCode::OK);
    let (_, _, log) = running.terminate();
    assert!(!log.contains(SUPEROPS_TOKEN), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_log_holds_a_secret_a_number_an_address_or_a_ticket_s_words() {
    for level in ["info", "debug", "trace"] {
        let place = Place::new().await;
        place.risky_ticket();
        let mut command = place.command(&["run"]);
        command.env("RUST_LOG", level);
        let mut running = Running::start(command);
        let url = running.url();
        running.until("by email");
        let token = text(&place.ask(&["token", "create", "--role", "viewer"]).stdout);
        let answer = reqwest::Client::new().get(format!("{url}/api/v1/tickets")).bearer_auth(token.trim()).send().await;
        assert_eq!(answer.unwrap().status(), StatusCode::OK);
        let (_, _, log) = running.terminate();
        let private = [
            ("the token", SUPEROPS_TOKEN),
            ("the gateway's token", TWILIO_TOKEN),
            ("the API token", token.trim()),
            ("a number", "5005550101"),
            ("an address", "mateo.alvarez"),
            ("a name", "Mateo"),
            ("the subject", SUBJECT),
        ];
        for (name, secret) in private {
            let line = log.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{name} at level {level}");
        }
    }
}
