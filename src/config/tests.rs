//! What the configuration promises its users.

use std::path::Path;

use chrono::TimeDelta;
use insta::assert_snapshot;
use secrecy::ExposeSecret;

use super::reader::{Inspection, Purpose};
use super::*;
use crate::sla::policy::Counts;

const EXAMPLE: &str = include_str!("../../config.example.toml");

const LEAST: &str = r#"
[tenants.acme]
subdomain = "acme"
region = "eu"
token_env = "SUPEROPS_TOKEN"
[notify.email]
smtp_url = "smtp://127.0.0.1:2525"
from = "sla@example.com"
"#;

fn env() -> GivenEnvironment {
    GivenEnvironment::default()
        .with_var("SUPEROPS_TOKEN", "tok-1")
        .with_var("TWILIO_AUTH_TOKEN", "secret-auth-token")
        .with_var("SMTP_PASSWORD", "hunter2")
        .with_file("token", " tok-2\n")
        .with_file("blank", " \n")
}

fn parse(text: &str) -> Result<Config, Complaints> {
    Config::parse(Path::new("config.toml"), text, &env())
}

fn good(text: &str) -> Config {
    parse(text).unwrap_or_else(|complaints| panic!("{complaints}"))
}

/// The complaints about the least configuration with `more` after it.
fn complaints(more: &str) -> String {
    match parse(&format!("{LEAST}{more}")) {
        Ok(_) => "none".to_owned(),
        Err(complaints) => complaints.to_string(),
    }
}

/// The complaints about `text` as it is.
fn complaints_of(text: &str) -> String {
    parse(text).map_or_else(|complaints| complaints.to_string(), |_| "none".to_owned())
}

fn tenant(config: &Config) -> &Tenant {
    config.tenants.values().next().unwrap()
}

#[test]
fn one_tenant_and_one_channel_are_enough() {
    let config = good(LEAST);
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.store.path, Path::new("superops-sla.db"));
    assert_eq!(tenant(&config).endpoint, "https://euapi.superops.ai/msp");
    assert_eq!(tenant(&config).requests_per_minute, 60);
    assert_eq!(tenant(&config).poll_interval, TimeDelta::seconds(60));
    assert_eq!(tenant(&config).ticket_url, "https://acme.superops.ai/#/tickets/{id}/ticket");
    assert_eq!(config.alerts.warn_at, [0.75]);
    assert_eq!(config.alerts.steps.len(), 3);
    assert!(config.notify.sms.is_none());
}

#[test]
fn the_example_is_good_and_shows_the_defaults() {
    let config = good(EXAMPLE);
    let shown = good(&uncommented(EXAMPLE, |line| !line.contains("Example") && is_default(line)));
    assert_eq!(format!("{:?}", shown.server), format!("{:?}", config.server));
    assert_eq!(format!("{:?}", shown.store), format!("{:?}", config.store));
    assert_eq!(tenant(&shown).ticket_url, tenant(&config).ticket_url);
    assert_eq!(tenant(&shown).poll_interval, tenant(&config).poll_interval);
    assert_eq!(tenant(&shown).requests_per_minute, tenant(&config).requests_per_minute);
    assert_eq!(shown.alerts.predict_at, config.alerts.predict_at);
    assert_eq!(shown.alerts.warn_at, config.alerts.warn_at);
    assert_eq!(shown.policies[1].counts, Counts::Business, "the default clock");
}

fn is_default(line: &str) -> bool {
    let keys = [
        "listen",
        "log_format",
        "url",
        "requests_per_minute",
        "poll_interval",
        "hours",
        "ticket_url",
        "warn_at",
        "predict_at",
    ];
    keys.iter().any(|key| line.starts_with(&format!("#{key} = ")))
}

#[test]
fn the_example_shows_every_key_and_the_default_steps() {
    let everything = uncommented(EXAMPLE, |_| true);
    let env = env();
    let inspection = Inspection::new(&env, Purpose::Offline);
    let config = read::inspect(&everything, &inspection).expect("TOML");
    assert_eq!(inspection.absent_keys(), Vec::<String>::new(), "keys that the example does not show");
    let steps: Vec<_> = config.alerts.steps.into_iter().map(|step| (step.after, step.notify)).collect();
    let defaults: Vec<_> = read_alerts::default_steps().into_iter().map(|step| (step.after, step.notify)).collect();
    assert_eq!(steps, defaults);
}

/// `text` with those settings switched on that `wanted` picks; prose stays a comment.
fn uncommented(text: &str, wanted: impl Fn(&str) -> bool) -> String {
    let is_setting = |line: &str| line.starts_with('#') && !line.starts_with("# ") && line.len() > 1;
    let on = |line: &str| if is_setting(line) && wanted(line) { line[1..].to_owned() } else { line.to_owned() };
    text.lines().map(|line| on(line) + "\n").collect()
}

#[test]
fn ten_mistakes_are_ten_complaints_in_the_order_of_the_file() {
    let text = r#"[server]
lisen = "127.0.0.1:80"
[tenants.acme]
subdomain = "acme.superops.ai"
region = "uk"
token_env = "NO_SUCH_TOKEN"
requests_per_minute = "60"
poll_interval = "500ms"
calendar = "head-ofice"
[calendars.head-office]
timezone = "Europe/Londen"
mon = ["09:00-13:00", "12:00-17:00"]
[alerts]
warn_at = [75]
[notify.email]
smtp_url = "smtp://127.0.0.1"
from = "sla@example.com"
"#;
    assert_snapshot!(complaints_of(text), @"");
}

#[test]
fn nothing_at_all_is_answered_with_what_is_needed_and_why() {
    assert_snapshot!(complaints_of(""), @"");
    assert_snapshot!(complaints_of("[tenants.acme]\n[notify.email]\n[notify.sms]\n"), @"");
}

#[test]
fn a_key_that_stands_twice_does_not_hide_the_other_faults() {
    assert_snapshot!(complaints("[server]\nlisten = \"127.0.0.1:80\"\nlisten = \"127.0.0.1:81\"\n[server]\nlog_format = \"xml\"\n"), @"");
}

#[test]
fn a_file_that_is_not_toml_is_named_with_the_place_but_not_quoted() {
    assert_snapshot!(complaints("[tenants.beta]\ntoken = sk-secret-1\nsubdomain = \"beta\n"), @"");
}

#[test]
fn secrets_are_refused_in_the_file_and_never_repeated() {
    let text = r#"
[tenants.acme]
subdomain = "acme"
region = "us"
token = "sk-secret-1"
hook_secret = "sk-secret-2"
[tenants.beta]
subdomain = "beta"
region = "us"
token_env = "sk-secret-3"
[tenants.gamma]
subdomain = "gamma"
region = "us"
token_file = "sk-secret-4"
[notify.email]
smtp_url = "smtps://user:sk-secret-5@mail.example.com"
password = "sk-secret-6"
from = "sla@example.com"
[notify.sms]
account_sid = "ACsk-secret-7"
auth_token = "sk-secret-8"
from = "+15005550006"
"#;
    let complaints = complaints_of(text);
    assert!(!complaints.contains("sk-secret"), "{complaints}");
    assert_snapshot!(complaints, @"");
}

#[test]
fn a_secret_that_is_missing_or_blank_says_which() {
    let text =
        LEAST.replace("token_env = \"SUPEROPS_TOKEN\"", "token_file = \"blank\"\nhook_secret_env = \"HOOK_SECRET\"");
    assert_snapshot!(complaints_of(&text), @"");
}

#[test]
fn two_answers_to_one_question_clash() {
    let text = r#"
[tenants.acme]
subdomain = "acme"
region = "us"
endpoint = "https://api.superops.ai/msp"
token_env = "SUPEROPS_TOKEN"
token_file = "token"
[tenants.acme.statuses]
closed = ["Done", "Parked"]
paused = ["parked "]
[calendars.any]
timezone = "UTC"
always = true
mon = ["09:00-17:00"]
[notify.sms]
account_sid = "AC1"
auth_token_env = "TWILIO_AUTH_TOKEN"
api_key_sid = "SK1"
from = "+15005550006"
messaging_service_sid = "MG1"
"#;
    assert_snapshot!(complaints_of(text), @"");
}

#[test]
fn what_a_later_version_will_do_is_not_silently_ignored() {
    let more = r##"
[notify.slack]
channel = "#sla"
[store]
url = "postgres://sla@db/sla"
[calendars.uk]
timezone = "Europe/London"
mon = ["09:00-17:00"]
holiday_files = ["uk.ics"]
[[alerts.steps]]
notify = ["on-call:night", "slack", "pagerduty"]
channels = ["webhook", "sms"]
"##;
    assert_snapshot!(complaints(more), @"");
}

#[test]
fn calendars_are_checked_for_what_would_count_wrongly() {
    let more = r#"
[calendars.never]
timezone = "UTC"
tue = []
[calendars.nowhere]
mon = ["09:00-17:00"]
[calendars.odd]
timezone = "UTC"
sun = ["22:00-06:00"]
mon = ["05:00-07:00", "9-17", "10:00-25:00"]
tue = ["24:00-02:00"]
holidays = ["2026-02-30", "13-01", 2026-12-25, "02-29"]
holiday_lists = ["UK Bank Holiday"]
[holiday_lists."UK Bank Holidays"]
dates = ["12-25"]
"#;
    assert_snapshot!(complaints(more), @"");
}

#[test]
fn a_calendar_is_read_as_it_is_written() {
    let more = r#"
[calendars.night]
timezone = "Europe/London"
fri = ["22:00-06:00", "08:00-12:00"]
sat = ["06:00-07:00", "22:00-00:00"]
holidays = ["2026-12-24", "12-25", "02-29"]
holiday_lists = ["UK"]
[holiday_lists.UK]
dates = ["2026-12-28"]
"#;
    let config = good(&format!("{LEAST}{more}"));
    let night = &config.calendars["night"];
    assert_eq!(night.week[4], [(480, 720), (1320, 360)]);
    assert_eq!(night.week[5], [(360, 420), (1320, 1440)]);
    assert_eq!(night.holidays.iter().map(ToString::to_string).collect::<Vec<_>>(), ["2026-12-24", "2026-12-28"]);
    assert_eq!(night.yearly.iter().collect::<Vec<_>>(), [&(2, 29), &(12, 25)]);
}

#[test]
fn policies_and_steps_are_checked() {
    let more = r#"
[[policies]]
tenant = "acne"
clock = "working"
[[policies]]
response = "0s"
resolution = "one day"
sla = " "
[[alerts.steps]]
after = "15m"
notify = ["technican"]
[[alerts.steps]]
after = "5m"
notify = []
[[alerts.steps]]
notify = ["email:nobody", "sms:555", "sms:+15005550001", "fax:1"]
channels = ["mail"]
"#;
    assert_snapshot!(complaints(more), @"");
}

#[test]
fn mail_in_the_clear_stays_on_this_machine() {
    let cases = [
        ("smtp://127.0.0.1:2525", "127.0.0.1", 2525, SmtpTls::None),
        ("smtp://localhost", "localhost", 25, SmtpTls::None),
        ("smtp://[::1]:2525?tls=none", "::1", 2525, SmtpTls::None),
        ("smtp://127.0.0.1?tls=required", "127.0.0.1", 587, SmtpTls::Required),
        ("smtp://mail.example.com:587", "mail.example.com", 587, SmtpTls::Required),
        ("smtps://mail.example.com", "mail.example.com", 465, SmtpTls::Wrapped),
    ];
    for (url, host, port, tls) in cases {
        let email = good(&LEAST.replace("smtp://127.0.0.1:2525", url)).notify.email.unwrap();
        assert_eq!((email.host.as_str(), email.port, email.tls), (host, port, tls), "{url}");
    }
    for url in
        ["smtp://mail.example.com?tls=none", "smtps://h?tls=none", "smtp://h?tls=maybe", "smtp://", "http://h", "h:25"]
    {
        assert!(parse(&LEAST.replace("smtp://127.0.0.1:2525", url)).is_err(), "{url}");
    }
}

#[test]
fn a_mail_user_needs_a_password_and_the_other_way_round() {
    let user = LEAST.replace("smtp://127.0.0.1:2525", "smtps://sla%40example.com@mail.example.com");
    assert_snapshot!(complaints_of(&user), @"");
    assert_snapshot!(complaints("password_env = \"SMTP_PASSWORD\"\n"), @"");
    let both = good(&format!("{user}password_env = \"SMTP_PASSWORD\"\n")).notify.email.unwrap();
    assert_eq!(both.user.as_deref(), Some("sla@example.com"));
    assert_eq!(both.password.unwrap().expose_secret(), "hunter2");
}

#[test]
fn a_token_file_is_read_again_each_time() {
    let config = good(&LEAST.replace("token_env = \"SUPEROPS_TOKEN\"", "token_file = \"token\""));
    assert_eq!(tenant(&config).token.read(&env()).unwrap().expose_secret(), "tok-2");
    let rotated = env().with_file("token", "tok-3");
    assert_eq!(tenant(&config).token.read(&rotated).unwrap().expose_secret(), "tok-3");
    let gone = GivenEnvironment::default();
    assert_eq!(tenant(&config).token.read(&gone).unwrap_err(), SecretError::Unreadable(std::io::ErrorKind::NotFound));
}

#[test]
fn without_talking_to_anybody_no_secret_is_missed() {
    let text = r#"
[tenants.history]
subdomain = "none"
token_env = "UNUSED"
calendar = "office"
[calendars.office]
timezone = "UTC"
mon = ["08:00-18:00"]
[[policies]]
priority = "P1"
resolution = "4h"
clock = "calendar"
"#;
    let config = Config::parse_offline(Path::new("biz.toml"), text, &GivenEnvironment::default()).unwrap();
    assert_eq!(tenant(&config).calendar.as_deref(), Some("office"));
    assert_eq!(config.policies[0].counts, Counts::Calendar);
    assert!(Config::parse(Path::new("biz.toml"), text, &GivenEnvironment::default()).is_err());
}

#[test]
fn a_file_that_is_not_there_is_said_so() {
    let error = Config::load(Path::new("config.toml"), &GivenEnvironment::default()).unwrap_err();
    assert_snapshot!(error, @"");
}

#[test]
fn debug_shows_no_secret_address_or_number() {
    let more = r#"
[notify.sms]
account_sid = "AC1"
auth_token_env = "TWILIO_AUTH_TOKEN"
from = "+15005550006"
[[alerts.steps]]
notify = ["email:duty@example.com", "sms:+15005550007"]
"#;
    let shown = format!("{:?}", good(&format!("{LEAST}{more}")));
    for secret in ["secret-auth-token", "+1500555", "@example.com"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
