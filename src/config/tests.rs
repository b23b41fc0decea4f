//! What the configuration promises its users.

use std::path::Path;

use chrono::TimeDelta;
use insta::assert_snapshot;
use secrecy::ExposeSecret;

use super::explain::explain;
use super::reader::{Inspection, Purpose};
use super::*;
use crate::probe::spec::Ask;
use crate::sla::policy::Counts;
use crate::uptime::objective::{Goal, Measure};

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
        .with_var("OIDC_SECRET", "oidc-1")
        .with_var("SUPEROPS_TOKEN", "tok-1")
        .with_var("TWILIO_AUTH_TOKEN", "secret-auth-token")
        .with_var("SMTP_PASSWORD", "hunter2")
        .with_var("SLACK_BOT", "xoxb-1")
        .with_var("SLACK_HOOK", "https://hooks.slack.com/services/T0/B0/x")
        .with_var("WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        .with_file("token", " tok-2\n")
        .with_file("blank", " \n")
        .with_file("uk.ics", include_str!("../../fixtures/calendars/uk.ics"))
        .with_file("party.ics", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Party\nDTSTART:20261218T140000\nDTEND:20261218T180000\nEND:VEVENT\nEND:VCALENDAR\n")
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
    assert!(matches!(&config.store.place, StorePlace::File(path) if path == Path::new("superops-sla.db")));
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
    assert_eq!(shown.alerts.predict, config.alerts.predict);
    assert_eq!(shown.alerts.warn_at, config.alerts.warn_at);
    assert_eq!(shown.alerts.noise, config.alerts.noise);
    assert_eq!(shown.retention, config.retention);
    assert_eq!(config.alerts.noise, crate::alert::noise::Rules::default());
    assert_eq!(shown.policies[1].counts, Counts::Business, "the default clock");
}

fn is_default(line: &str) -> bool {
    let keys = [
        "listen",
        "log_format",
        "url = \"sqlite:",
        "requests_per_minute",
        "poll_interval",
        "hours",
        "ticket_url",
        "warn_at",
        "predict_per_day",
        "predict_least_left",
        "sms_per_number",
        "calls_per_number",
        "sms_per_day",
        "bundle_from",
    ];
    keys.iter().any(|key| line.starts_with(&format!("#{key}")))
}

#[test]
fn the_example_shows_every_key_and_the_default_steps() {
    let everything = uncommented(EXAMPLE, |_| true);
    let env = env();
    let inspection = Inspection::new(&env, Purpose::Offline);
    let config = read::inspect(&everything, &inspection);
    assert_eq!(inspection.absent_keys(), Vec::<String>::new(), "keys that the example does not show");
    let steps: Vec<_> = config.alerts.steps.into_iter().map(|step| (step.after, step.notify)).collect();
    let defaults: Vec<_> = default_steps(&[]).into_iter().map(|step| (step.after, step.notify)).collect();
    assert_eq!(steps, defaults);
}

/// Switches on the settings in `text` that `wanted` picks; prose stays a comment.
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
    assert_snapshot!(complaints_of(text), @r#"
    config.toml:2:1: unknown key `lisen` in [server]; did you mean `listen`?
    config.toml:4:13: `subdomain` must be the first part of the address alone: "acme" for acme.superops.ai
    config.toml:5:10: `region` must be "us" or "eu", the regions of SuperOps
    config.toml:6:13: `token_env` names the environment variable `NO_SUCH_TOKEN`, which is not set
    config.toml:7:23: `requests_per_minute` must be a whole number, not a text
    config.toml:8:17: `poll_interval` must be a length of time such as "90s", "15m", "8h", "2d" or "1h30m"
    config.toml:9:12: `calendar` names the calendar `head-ofice`, but there is no [calendars.head-ofice] to say when it is open; did you mean `head-office`?
    config.toml:11:12: `timezone` must be a zone of the IANA time zone database, such as "Europe/London", not `Europe/Londen`; did you mean `Europe/London`?
    config.toml:12:23: `mon` window `12:00-17:00` overlaps `09:00-13:00` of `mon`: the same minute would count twice
    config.toml:14:12: `warn_at` must be over 0 and under 1: write 75 % as 0.75
    "#);
}

#[test]
fn nothing_at_all_is_answered_with_what_is_needed_and_why() {
    assert_snapshot!(complaints_of(""), @"
    config.toml:1:1: a [tenants.NAME] table is needed: without a SuperOps account there is nothing to watch
    config.toml:1:1: a [notify.email] or [notify.sms] table is needed: a breach that nobody hears of helps nobody
    ");
    assert_snapshot!(complaints_of("[tenants.acme]\n[notify.email]\n[notify.sms]\n"), @r#"
    config.toml:1:1: `subdomain` is needed in [tenants.acme]: it is the first part of the address at which you open SuperOps
    config.toml:1:1: `token_env` or `token_file` is needed: SuperOps answers nobody without an API token
    config.toml:1:1: `region` is needed, "us" or "eu": SuperOps knows a token in its own region only
    config.toml:2:1: `smtp_url` is needed in [notify.email]: the mail server that takes our messages
    config.toml:2:1: `from` is needed in [notify.email]: the address that messages come from
    config.toml:3:1: `account_sid` is needed in [notify.sms]: it names your account at Twilio
    config.toml:3:1: `auth_token_env` or `auth_token_file` is needed: Twilio sends for known accounts only
    config.toml:3:1: `from` or `messaging_service_sid` is needed: the number that messages come from
    "#);
}

#[test]
fn a_key_that_stands_twice_does_not_hide_the_other_faults() {
    assert_snapshot!(complaints("[server]\nlisten = \"127.0.0.1:80\"\nlisten = \"127.0.0.1:81\"\n[server]\nlog_format = \"xml\"\n"), @r#"
    config.toml:11:1: this key or table appears twice: only one of the two could apply
    config.toml:12:2: this key or table appears twice: only one of the two could apply
    config.toml:13:14: `log_format` must be "text" or "json"
    "#);
}

#[test]
fn a_file_that_is_not_toml_is_named_with_the_place_but_not_quoted() {
    assert_snapshot!(complaints("[tenants.beta]\ntoken = sk-secret-1\nsubdomain = \"beta\n"), @r#"
    config.toml:10:9: not valid TOML: string values must be quoted, expected literal string
    config.toml:11:18: not valid TOML: invalid basic string, expected `"`
    "#);
}

#[test]
fn a_fault_of_syntax_stands_beside_all_other_complaints_that_can_be_judged() {
    let text = "[server]\nlog_format = \"xml\"\nlisten = 127.0.0.1:80\n[tenants.beta]\nsubdomain = \"beta\nregion = \"mars\"\n\
                [calendars.office\nmon = [\"9-5\"]\n[alerts]\npredict_at = 7\n";
    assert_snapshot!(complaints(text), @r#"
    config.toml:10:14: `log_format` must be "text" or "json"
    config.toml:11:15: not valid TOML: invalid float, expected nothing
    config.toml:13:18: not valid TOML: invalid basic string, expected `"`
    config.toml:14:10: `region` must be "us" or "eu", the regions of SuperOps
    config.toml:15:18: not valid TOML: unclosed table, expected `]`
    config.toml:18:14: `predict_at` must be over 0 and under 1: write 75 % as 0.75
    "#);
}

#[test]
fn a_forgotten_bracket_is_one_fault_and_hides_nothing_below_it() {
    let text = "[calendars.office]\ntimezone = \"UTC\"\nmon = [\"9-5\"]\ntue = [\"09:00-17:00\" # early\n\n# The rest.\n\
                wed = [\"09:00-17:00\",\n  \"18:00-19:00\"\n[alerts]\npredict_at = 7\n";
    assert_snapshot!(complaints(text), @r#"
    config.toml:11:8: `mon` must hold windows such as "09:00-17:30", from 00:00 to 24:00
    config.toml:12:21: not valid TOML: unclosed array, expected `]`
    config.toml:16:16: not valid TOML: unclosed array, expected `]`
    config.toml:18:14: `predict_at` must be over 0 and under 1: write 75 % as 0.75
    "#);
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
    assert_snapshot!(complaints, @"
    config.toml:5:1: `token` must not stand in this file, which is copied and backed up: put it into an environment variable and name that in `token_env`, or into a file and name that in `token_file`
    config.toml:6:1: `hook_secret` must not stand in this file, which is copied and backed up: put it into an environment variable and name that in `hook_secret_env`, or into a file and name that in `hook_secret_file`
    config.toml:10:13: `token_env` names an environment variable, which is not set
    config.toml:14:14: `token_file` names a file, which cannot be read: there is no such file
    config.toml:16:12: `smtp_url` must not hold a password, since this file is copied and backed up: use `password_env`
    config.toml:17:1: `password` must not stand in this file, which is copied and backed up: put it into an environment variable and name that in `password_env`, or into a file and name that in `password_file`
    config.toml:20:15: `account_sid` must be the id that Twilio's console shows: `AC`, then letters and digits
    config.toml:21:1: `auth_token` must not stand in this file, which is copied and backed up: put it into an environment variable and name that in `auth_token_env`, or into a file and name that in `auth_token_file`
    ");
}

#[test]
fn a_secret_that_is_missing_or_blank_says_which() {
    let text =
        LEAST.replace("token_env = \"SUPEROPS_TOKEN\"", "token_file = \"blank\"\nhook_secret_env = \"HOOK_SECRET\"");
    assert_snapshot!(complaints_of(&text), @"
    config.toml:5:14: `token_file` names a file, which is blank
    config.toml:6:19: `hook_secret_env` names the environment variable `HOOK_SECRET`, which is not set
    ");
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
    assert_snapshot!(complaints_of(text), @"
    config.toml:5:1: `endpoint` clashes with `region`, which stands for an address of its own: keep one of them
    config.toml:7:1: `token_file` clashes with `token_env`: the secret can come from one place only
    config.toml:10:11: `paused` holds `parked `, which is also in `closed`: a status can mean one thing only
    config.toml:14:1: `mon` clashes with `always = true`: keep the hours or `always`
    config.toml:15:1: `api_key_sid` needs `api_key_secret_env` or `api_key_secret_file`
    config.toml:20:1: `messaging_service_sid` clashes with `from`: a message has one sender, and a messaging service picks its own
    ");
}

#[test]
fn a_store_may_be_on_a_server_and_its_password_is_a_secret() {
    let more = "[store]\nurl = \"postgres://sla@db/msp\"\nschema = \"watch\"\nconnections = 8\n";
    let config = good(&format!("{LEAST}{more}"));
    let StorePlace::Postgres(server) = config.store.place else { panic!("a server") };
    assert_eq!(
        (server.url.as_str(), server.schema.as_str(), server.connections),
        ("postgres://sla@db/msp", "watch", 8)
    );
    let more = "[store]\nurl = \"postgres://sla:hunter2@db/msp\"\nschema = \"x; DROP\"\nconnections = 0\n";
    assert_snapshot!(complaints(more), @r#"
    config.toml:10:7: `url` holds a password, which must not stand in this file: name where it is in `password_env` or `password_file`
    config.toml:11:10: `schema` must be lower-case letters, digits and _, at most 50
    config.toml:12:15: `connections` must be from 1 to 64
    "#);
    assert_snapshot!(complaints("[store]\nurl = \"sqlite://a.db\"\nschema = \"watch\"\n"), @"config.toml:11:1: `schema` is of use with a `url` of PostgreSQL only");
}

#[test]
fn the_keys_of_a_store_are_secrets_and_what_is_no_key_is_told_at_once() {
    let text = format!("{LEAST}[store]\nencryption_keys_file = \"keys\"\n");
    let read = |keys: &str| Config::parse(Path::new("config.toml"), &text, &env().with_file("keys", keys));
    let (one, two) = ("01".repeat(32), "02".repeat(32));
    let config = read(&format!("{one} # of this year\n{two}\n")).unwrap();
    assert_eq!(config.store.keys.ids().count(), 2);
    assert_eq!(config.store.keys.first(), config.store.keys.ids().next());
    assert_eq!(good(LEAST).store.keys.first(), None);
    let wrong = read("hunter2").unwrap_err().to_string();
    assert!(wrong.contains("a file, which has an entry 1 that is not a key") && !wrong.contains("hunter2"), "{wrong}");
    let wrong = complaints("[store]\nencryption_keys = \"hunter2\"\n");
    assert!(wrong.contains("must not stand in this file") && !wrong.contains("hunter2"), "{wrong}");
}

#[test]
fn what_a_later_version_will_do_is_not_silently_ignored() {
    let more = r##"
[[alerts.steps]]
notify = ["on-call:night"]
channels = ["sms"]
"##;
    assert_snapshot!(complaints(more), @r#"
    config.toml:11:11: `notify` names the rotation `night`, but there is no [on_call.night]
    config.toml:12:13: `channels` needs sms, but there is no [notify.sms] to send it with
    "#);
}

#[test]
fn stale_data_is_told_to_addresses_and_systems_only_and_the_heartbeat_is_a_secret() {
    let more = r##"
[watch]
stale_after = "10s"
notify = ["technician", "slack", "email:duty@example.com"]
heartbeat_url = "https://hc.example/secret-uuid"
"##;
    let said = complaints(more);
    for part in ["must be 1m or more", "people round a ticket", "no [notify.slack]", "must not stand in this file"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("secret-uuid"), "{said}");
}

#[test]
fn what_is_past_is_kept_as_long_as_is_said_but_not_for_less_than_a_month() {
    let kept = good(&format!("{LEAST}\n[retention]\nevents = \"60d\"\n")).retention;
    assert_eq!((kept.events.num_days(), kept.messages.num_days(), kept.audit.num_days()), (60, 400, 1095));
    let said = complaints("[retention]\naudit = \"29d\"\nmesages = \"60d\"\n");
    assert!(said.contains("`audit` must be 30d or more") && said.contains("`mesages`"), "{said}");
}

#[test]
fn a_report_that_goes_out_by_itself_says_to_whom_and_waits_for_final_figures_unless_told() {
    let least = "[[reports.schedules]]\nname = \"A\"\nevery = \"month\"\nto = [\"a@example.com\"]\n";
    let config = good(&format!("{LEAST}{least}"));
    let one = &config.reports.schedules[0];
    assert_eq!((one.rhythm.days_after, one.rhythm.at, one.tenant.as_str()), (7, 420, "acme"));
    assert_eq!(explain::schedule(one), "each month of acme, 8 days after its end at 07:00, as pdf to 1 address");
    let week = good(&format!("{LEAST}{}at = \"18:30\"\n", least.replace("month", "week")));
    assert_eq!((week.reports.schedules[0].rhythm.days_after, week.reports.schedules[0].rhythm.at), (0, 1110));
    let cases = [
        (format!("{least}{least}"), "`name` appears twice"),
        (least.replace("month", "fortnight"), "`every` must be one of week, month, quarter, year"),
        (least.replace("[\"a@example.com\"]", "[\"boss\"]"), "`to` must hold mail addresses"),
        (least.replace("to =", "# to ="), "`to` is needed"),
        (format!("{least}days_after = 32\n"), "`days_after` must be from 0 to 31 days"),
        (format!("{least}formats = [\"doc\"]\n"), "`formats` must hold some of json, csv, html, xlsx, pdf"),
        (format!("{least}by = \"technician\"\n[reports]\npeople = \"off\"\n"), "reports by technician"),
    ];
    for (more, rule) in cases {
        let said = complaints(&more);
        assert!(said.contains(rule), "{rule}: {said}");
    }
}

#[test]
fn what_goes_on_a_report_is_meant_beside_the_file_and_must_be_a_picture_and_fonts() {
    let reports = good(&format!("{LEAST}\n[reports]\nlogo = \"Logo.PNG\"\nfonts = [\"/usr/share/x.ttc\"]\n")).reports;
    assert!(reports.logo.unwrap().ends_with("Logo.PNG"));
    assert_eq!(reports.fonts, [std::path::PathBuf::from("/usr/share/x.ttc")]);
    assert_eq!(reports.people, crate::report::People::Named);
    assert_eq!(good(&format!("{LEAST}\n[reports]\npeople = \"off\"\n")).reports.people, crate::report::People::Off);
    let said = complaints("[reports]\npeople = \"none\"\n");
    assert!(said.contains("must be one of named, pseudonyms, off"), "{said}");
    let said = complaints("[reports]\nlogo = \"logo.svg\"\nfonts = [\"a.otf\", \".ttf\"]\nlogos = 1\n");
    assert!(said.contains("`logo` must name a file that ends in .png, .jpg, .jpeg"), "{said}");
    assert!(
        said.contains("`fonts` must name a file that ends in .ttf, .otf, .ttc") && said.contains("`logos`"),
        "{said}"
    );
}

#[test]
fn a_policy_may_give_back_what_was_not_kept_by_tiers() {
    let policies = "[[policies]]\npriority = \"High\"\nresolution = \"4h\"\n\
                    credits = { \"95\" = \"0\", \"90\" = \"5\", \"0\" = \"10\" }\ncredits_min = 5\n\
                    [[policies]]\ntenant = \"acme\"\nresolution = \"8h\"\ncredits = { \"0\" = \"25\" }\n";
    let reports = good(&format!("{LEAST}\n{policies}")).reports;
    let tiers = |tenant: &str| -> Vec<_> {
        let terms = reports.credits_of(&TenantId::parse(tenant).unwrap()).into_iter();
        let told = |(words, terms): (String, crate::report::credit::CreditTerms)| {
            let tiers: Vec<_> = terms.tiers.iter().map(|tier| (tier.floor, tier.percent)).collect();
            (words, tiers, terms.min)
        };
        terms.map(told).collect()
    };
    let high = ("priority High".to_owned(), vec![(95_000, 0), (90_000, 5), (0, 10)], 5);
    assert_eq!(tiers("acme"), [high.clone(), ("tenant acme".to_owned(), vec![(0, 25)], 20)]);
    assert_eq!(tiers("other"), [high]);
    let said = |rest: &str| complaints(&format!("[[policies]]\nresolution = \"4h\"\n{rest}\n"));
    for (rest, complaint) in [
        ("credits = { \"95\" = \"0\" }", "needs a tier from \"0\" on"),
        ("credits = { \"95\" = \"10\", \"0\" = \"5\" }", "gives less for a lower share"),
        ("credits = { \"0\" = \"5\" }\ncredits_min = 0", "`credits_min` must be 1 or more"),
        ("credits_min = 3", "`credits_min` has no meaning without `credits`"),
    ] {
        assert!(said(rest).contains(complaint), "{rest}: {}", said(rest));
    }
}

#[test]
fn two_tiers_for_one_share_and_a_part_of_a_percent_of_the_fee_are_each_complained_of_once() {
    let said = |tiers: &str| complaints(&format!("[[policies]]\nresolution = \"4h\"\ncredits = {{ {tiers} }}\n"));
    assert_eq!(
        said("\"95\" = \"5\", \"95.0\" = \"0\", \"0\" = \"10\""),
        "config.toml:11:1: `credits` has two tiers for the same share: keep one of them"
    );
    assert_eq!(
        said("\"95\" = \"0\", \"0\" = \"2.5\""),
        "config.toml:11:31: `0` must be a whole percentage of the fee, not `2.5`"
    );
}

#[test]
fn a_goal_is_that_of_the_tenant_or_of_all_and_policies_may_have_their_own() {
    let globex =
        "[tenants.globex]\nsubdomain = \"globex\"\nregion = \"eu\"\ntoken_env = \"SUPEROPS_TOKEN\"\ngoal = 99\n";
    let policies = "[[policies]]\npriority = \"High\"\nresolution = \"4h\"\ngoal = 97.5\n\
                    [[policies]]\nresolution = \"8h\"\n[[policies]]\ntenant = \"globex\"\nresolution = \"2h\"\ngoal = 90\n";
    let goals = good(&format!("{LEAST}\n[reports]\ngoal = 80\n{globex}{policies}")).reports.goals;
    let [acme, globex] = ["acme", "globex"].map(|name| TenantId::parse(name).unwrap());
    let percent = |goal: crate::report::rate::Goal| goal.as_percent();
    assert_eq!([percent(goals.of(&acme)), percent(goals.of(&globex))], [80.0, 99.0]);
    let own =
        |tenant| goals.of_policies(tenant).into_iter().map(|(words, goal)| (words, percent(goal))).collect::<Vec<_>>();
    assert_eq!(own(&acme), [("priority High".to_owned(), 97.5)]);
    assert_eq!(own(&globex), [("priority High".to_owned(), 97.5), ("tenant globex".to_owned(), 90.0)]);
    assert_eq!(percent(good(LEAST).reports.goals.of(&acme)), 95.0);
    let said = complaints("[reports]\ngoal = 101\n");
    assert!(said.contains("`goal` must be over 0 and at most 100 percent"), "{said}");
}

#[test]
fn a_step_names_only_systems_that_are_set_up() {
    let more = r##"
[notify.slack]
webhook_url_env = "SLACK_HOOK"
[[alerts.steps]]
notify = ["slack", "slack:#night", "slack:", "slack:@everyone", "pagerduty", "webhook", "pager"]
channels = ["webhook", "email"]
"##;
    assert_snapshot!(complaints(more), @r##"
    config.toml:13:20: `notify` names a Slack channel, but an incoming webhook writes to its own only: use a bot token
    config.toml:13:36: `notify` must name a Slack channel, such as "#sla" or "C024BE91L"
    config.toml:13:46: `notify` must name a Slack channel, such as "#sla" or "C024BE91L"
    config.toml:13:65: `notify` needs pagerduty, but there is no [notify.pagerduty] to send it with
    config.toml:13:78: `notify` needs webhook, but there is no [notify.webhook] to send it with
    config.toml:13:89: `notify` must hold technician, manager, group, account-manager, on-call:NAME, email:ADDRESS, sms:+NUMBER, call:+NUMBER, ntfy:TOPIC, slack, slack:#CHANNEL, teams, pagerduty or webhook; did you mean `pagerduty`?
    config.toml:14:13: `channels` holds webhook, which reaches no single person: put it into `notify` instead
    "##);
}

#[test]
fn each_system_says_what_it_misses() {
    let more = r##"
[notify.slack]
channel = "not a channel"
bot_token_env = "SLACK_BOT"
webhook_url_env = "SLACK_HOOK"
per_minute = 0
[notify.pagerduty]
routing_key = "R0UT1NGK3Y"
base_url = "http://events.pagerduty.com"
[notify.webhook]
url = "http://example.com/hook?token=s3cret"
secret_env = "SMTP_PASSWORD"
colour = "red"
"##;
    let complaints = complaints(more);
    assert!(!complaints.contains("R0UT1NGK3Y") && !complaints.contains("s3cret"), "{complaints}");
    assert_snapshot!(complaints, @r##"
    config.toml:10:1: a bot token and an incoming webhook are both given for Slack: keep one
    config.toml:11:11: `channel` must name a Slack channel, such as "#sla" or "C024BE91L"
    config.toml:14:14: `per_minute` must be from 1 to 60000; leave it out for no limit
    config.toml:16:1: `routing_key` must not stand in this file, which is copied and backed up: put it into an environment variable and name that in `routing_key_env`, or into a file and name that in `routing_key_file`
    config.toml:17:12: `base_url` must start with https://, since a secret travels with every request; plain http:// is for this machine only
    config.toml:19:7: `url` must start with https://, since messages name clients and their troubles; plain http:// is for this machine only
    config.toml:20:1: `secret_env` must lead to 24 to 64 random bytes in base64, with or without `whsec_` before them: `openssl rand -base64 32` makes some
    config.toml:21:1: unknown key `colour` in [notify.webhook]
    "##);
}

#[test]
fn an_address_that_paths_are_appended_to_has_neither_a_query_nor_a_fragment() {
    let slack = "[notify.slack]\nbot_token_env = \"SLACK_BOT\"\nchannel = \"#sla\"\n";
    let pagerduty = "[notify.pagerduty]\nrouting_key_env = \"SLACK_BOT\"\n";
    let calls =
        "[notify.voice]\nfrom = \"+15005550007\"\naccount_sid = \"AC2\"\nauth_token_env = \"TWILIO_AUTH_TOKEN\"\n";
    for channel in [slack, pagerduty, TEXTS, calls, "[notify.ntfy]\n"] {
        for address in ["https://gateway.example.com/?key=1", "https://gateway.example.com#top"] {
            let said = complaints(&format!("{channel}base_url = \"{address}\"\n"));
            assert!(
                said.contains("`base_url` must hold neither ? nor #") && said.lines().count() == 1,
                "{channel}: {said}"
            );
        }
    }
    let webhook = "[notify.webhook]\nurl = \"https://h.example/x?key=1\"\nsecret_env = \"WEBHOOK_SECRET\"\n";
    assert_eq!(complaints(webhook), "none", "messages are posted to it as it is");
}

#[test]
fn a_system_without_its_secret_is_of_no_use() {
    let more = "[notify.slack]\nchannel = '#sla'\n[notify.pagerduty]\n[notify.webhook]\nurl = 'https://h.example/x/'\n";
    assert_snapshot!(complaints(more), @r"
    config.toml:9:1: `bot_token_env` with `channel`, or `webhook_url_env`, is needed: Slack accepts no message otherwise
    config.toml:11:1: `routing_key_env` or `routing_key_file` is needed: it names the service at PagerDuty
    config.toml:12:1: `secret_env` or `secret_file` is needed: it tells the receiver that a message is ours
    ");
}

#[test]
fn without_steps_a_system_that_is_set_up_hears_of_everything() {
    let text = "[tenants.acme]\nsubdomain = 'acme'\nregion = 'us'\ntoken_env = 'SUPEROPS_TOKEN'\n[notify.slack]\nbot_token_env = 'SLACK_BOT'\nchannel = '#sla'\n";
    let page = explain(&good(text), &BTreeMap::new());
    let escalation: Vec<_> = page.lines().skip_while(|line| !line.starts_with("Escalation")).take(2).collect();
    assert_snapshot!(escalation.join("\n"), @r"
    Escalation (default)
      at once           the ticket's technician (its group, if it has none), by no channel: none is set up; Slack
    ");
    let remarks: Vec<_> =
        page.lines().skip_while(|line| *line != "Remarks").filter(|line| line.contains("set up")).collect();
    assert_snapshot!(remarks.join("\n"), @"  - neither email nor SMS is set up: no person is told of anything, only the systems that steps name");
}

#[test]
fn the_systems_are_read_as_written() {
    let more = r##"
[notify.slack]
bot_token_env = "SLACK_BOT"
channel = "#sla"
per_minute = 30
[notify.pagerduty]
routing_key_env = "SLACK_BOT"
[notify.webhook]
url = "https://h.example/x/"
secret_env = "WEBHOOK_SECRET"
[[alerts.steps]]
notify = ["slack", "slack:#night", "pagerduty", "webhook"]
"##;
    let config = good(&format!("{LEAST}{more}"));
    let notify = config.notify;
    assert_eq!(notify.kinds(), [ChannelKind::Email, ChannelKind::Slack, ChannelKind::PagerDuty, ChannelKind::Webhook]);
    assert_eq!(notify.per_minute, [(ChannelKind::Slack, 30), (ChannelKind::Teams, 60)].into());
    assert_eq!(notify.webhook.unwrap().url, "https://h.example/x/", "the slash at the end can matter");
    assert_eq!(config.alerts.steps[0].notify[1], Target::Slack(Some("#night".to_owned())));
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
    assert_snapshot!(complaints(more), @r#"
    config.toml:10:1: the calendar `never` has no open hours, so nothing counted in it would ever be due: give hours for a day, or `always = true`
    config.toml:13:1: `timezone` is needed in [calendars.nowhere]: 09:00 means the office's nine o'clock
    config.toml:17:8: `sun` window `22:00-06:00` overlaps `05:00-07:00` of `mon`: the same minute would count twice
    config.toml:18:23: `mon` must hold windows such as "09:00-17:30", from 00:00 to 24:00
    config.toml:18:31: `mon` must hold windows such as "09:00-17:30", from 00:00 to 24:00
    config.toml:19:8: `tue` has a window that starts at 24:00: write it as 00:00 of the next day
    config.toml:20:13: `holidays` must hold dates such as "2026-12-25", or "12-25" for every year, not `2026-02-30`
    config.toml:20:27: `holidays` must hold dates such as "2026-12-25", or "12-25" for every year, not `13-01`
    config.toml:21:18: `holiday_lists` names the list `UK Bank Holiday`, but there is no [holiday_lists."UK Bank Holiday"] with its dates; did you mean `UK Bank Holidays`?
    config.toml:23:10: `dates` must hold dates such as "2026-12-25", not `12-25`
    "#);
}

#[test]
fn a_file_saved_by_a_windows_editor_is_read_all_the_same() {
    good(&format!("\u{feff}{}", LEAST.replace('\n', "\r\n")));
}

#[test]
fn check_explains_the_least_configuration() {
    assert_snapshot!(explain(&good(LEAST), &BTreeMap::new()), @r"
    Service
      page and API      http://127.0.0.1:8080 (default)
      links to it       none in messages: server.public_url is not given
      limit             200 requests a second for each token or address (default)
      store             superops-sla.db (default)
      log               text (default)

    Tenant acme
      SuperOps          acme at https://euapi.superops.ai/msp
      token             from the environment variable SUPEROPS_TOKEN
      requests          up to 60 a minute (default)
      looks             every 1m (default)
      reads back        400d (default)
      at night          at 03:00, or when it is closed for longest if it is open then (default)
      working hours     always open (default)
      closed statuses   guessed: those that begin with closed, resolved, cancelled, canceled
      paused statuses   guessed: those that begin with waiting, awaiting, on hold, pending, scheduled, paused
      ticket links      https://acme.superops.ai/#/tickets/{id}/ticket (default)
      hook              off: no secret is given
      writes back       nothing (default)

    Policies (the first match holds)
      none: only the due times that SuperOps reports are watched

    Alerts
      warning           when 75 % of the working time is used (default)
      predicted         the likeliest breaches, at most 10 a day, with 2h of working time left or more (default)
      acknowledged      a breach rests for 30m while nothing happens on its ticket (default)

    Escalation (default)
      at once           the ticket's technician (its group, if it has none), by email
      after 15m         the technician's manager, by email
      after 30m         the client's account manager, by email

    Not too much
      storms            2 or more that wait for one person are one message (default)
      pace              warnings gather for 5m, later steps every 15m, recoveries wait up to 12h to be bundled; further apart the nearer 15 in 24 h (default)
      nights            22:00 to 07:00 no SMS or call except for breaches of the two highest priorities, by the clock of the tenant's calendar (default)
      SMS a number      at most 1 in 1m, 5 in 15m, 11 in 1h, 21 in 3h (default)
      calls a number    at most 1 in 3m, 3 in 15m, 8 in 3h (default)
      email an address  no limit (default)
      SMS in all        200 a tenant in any 24 h (default)
      quiet hours       none (default)

    Channels
      email             from sla@example.com, by 127.0.0.1 port 2525, no TLS, on this machine only, without a user
      push              not set up
      SMS               not set up
      call              not set up
      Slack             not set up
      Teams             not set up
      PagerDuty         not set up
      webhook           not set up

    Answers
      links             none: server.public_url is not given

    Watching the watch
      stale data        told after 10 polls, at least 10m, without a good answer from SuperOps (default)
      told to           the managers whom SuperOps knows, else the account managers, else everybody, by email (default)
      heartbeat         off: no address is given

    What is past
      messages          kept for 400d (default)
      attempts          kept for 400d (default)
      receipts          kept for 400d (default)
      events            kept for 400d (default)
      audit             kept for 1095d (default)
      reports           kept for 1095d (default)
      for good          tickets, alerts and the figures of each week

    Remarks
      - acme has no calendar: working time is counted round the clock
      - SMS is not set up: a breach is told by email only
    ");
}

#[test]
fn check_explains_a_full_configuration_and_remarks_on_what_may_not_be_meant() {
    let more = r#"
[notify.sms]
account_sid = "AC1"
auth_token_env = "TWILIO_AUTH_TOKEN"
messaging_service_sid = "MG1"
[tenants.beta]
subdomain = "beta"
endpoint = "https://eu.example.com/msp/"
token_file = "token"
requests_per_minute = 300
poll_interval = "1h"
hours = "site"
calendar = "office"
hook_secret_env = "SUPEROPS_TOKEN"
[tenants.beta.statuses]
closed = ["Done", "Archved"]
[server]
listen = "0.0.0.0:80"
public_url = "https://sla.example.com/"
log_format = "json"
[calendars.office]
timezone = "Europe/London"
mon = ["09:00-12:30", "13:00-17:30"]
tue = ["09:00-12:30", "13:00-17:30"]
wed = ["09:00-12:30", "13:00-17:30"]
fri = ["22:00-06:00"]
holidays = ["2026-12-28", "12-25"]
[calendars.spare]
timezone = "UTC"
always = true
[[policies]]
sla = "Gold"
response = "1h"
resolution = "2d"
[[policies]]
tenant = "beta"
sla = "gold"
client = "Globex"
resolution = "8h"
clock = "calendar"
[[policies]]
response = "8h"
resolution = "4h"
[alerts]
warn_at = [0.9, 0.5]
warn_left = ["30m"]
predict_at = 0.825
[[alerts.steps]]
notify = ["technician", "group", "email:duty@example.com"]
[[alerts.steps]]
after = "1h30m"
notify = ["sms:+15005550007", "manager"]
channels = ["sms"]
"#;
    let names = ["New", "Done", "On Hold", "Waiting on Order"].map(str::to_owned).to_vec();
    let statuses = BTreeMap::from([(TenantId::parse("beta").unwrap(), names)]);
    assert_snapshot!(explain(&good(&format!("{LEAST}{more}")), &statuses), @r"
    Service
      page and API      http://0.0.0.0:80
      links to it       https://sla.example.com
      limit             200 requests a second for each token or address (default)
      store             superops-sla.db (default)
      log               json

    Tenant acme
      SuperOps          acme at https://euapi.superops.ai/msp
      token             from the environment variable SUPEROPS_TOKEN
      requests          up to 60 a minute (default)
      looks             every 1m (default)
      reads back        400d (default)
      at night          at 03:00, or when it is closed for longest if it is open then (default)
      working hours     always open (default)
      closed statuses   guessed: those that begin with closed, resolved, cancelled, canceled
      paused statuses   guessed: those that begin with waiting, awaiting, on hold, pending, scheduled, paused
      ticket links      https://acme.superops.ai/#/tickets/{id}/ticket (default)
      hook              off: no secret is given
      writes back       nothing (default)

    Tenant beta
      SuperOps          beta at https://eu.example.com/msp
      token             from the file token
      requests          up to 300 a minute
      looks             every 1h
      reads back        400d (default)
      at night          at 03:00, or when it is closed for longest if it is open then (default)
      working hours     those of the client's site; without them: calendar office
      closed statuses   Done (configured)
      paused statuses   On Hold, Waiting on Order (guessed)
                        SuperOps has no status `archved`: check its spelling
      ticket links      https://beta.superops.ai/#/tickets/{id}/ticket (default)
      hook              on, with a secret
      writes back       nothing (default)

    Calendar office (Europe/London)
      mon to wed        09:00-12:30, 13:00-17:30
      thu               closed
      fri               22:00-06:00 (next day)
      sat, sun          closed
      holidays          1 date, the last on 2026-12-28; every year on 12-25

    Calendar spare (UTC)
      every day         open round the clock
      holidays          none

    Policies (the first match holds)
      1. SLA Gold: first response in 1h, resolution in 2d, counted in open hours
      2. tenant beta, SLA gold, client Globex: resolution in 8h, counted round the clock; NEVER REACHED: 1 matches first
      3. every ticket: first response in 8h, resolution in 4h, counted in open hours

    Alerts
      warning           when 50 %, 90 % of the working time is used
      warning           when 30m of working time is left
      predicted         when a breach is 82.5 % likely or more
      acknowledged      a breach rests for 30m while nothing happens on its ticket (default)

    Escalation
      at once           the ticket's technician (its group, if it has none) and everybody in the ticket's group, by email (warning) or email and SMS (breach); duty@example.com, by email
      after 1h30m       the technician's manager, by SMS; +15005550007, by SMS

    Not too much
      storms            2 or more that wait for one person are one message (default)
      pace              warnings gather for 5m, later steps every 15m, recoveries wait up to 12h to be bundled; further apart the nearer 15 in 24 h (default)
      nights            22:00 to 07:00 no SMS or call except for breaches of the two highest priorities, by the clock of the tenant's calendar (default)
      SMS a number      at most 1 in 1m, 5 in 15m, 11 in 1h, 21 in 3h (default)
      calls a number    at most 1 in 3m, 3 in 15m, 8 in 3h (default)
      email an address  no limit (default)
      SMS in all        200 a tenant in any 24 h (default)
      quiet hours       none (default)

    Channels
      email             from sla@example.com, by 127.0.0.1 port 2525, no TLS, on this machine only, without a user
      push              not set up
      SMS               from the messaging service MG1, with the auth token of AC1, by https://api.twilio.com (default)
      call              not set up
      Slack             not set up
      Teams             not set up
      PagerDuty         not set up
      webhook           not set up

    Answers
      links             alerts carry a link that acknowledges them, good for a day
      SMS receipts      Twilio reports to https://sla.example.com/hooks/twilio/status
      SMS replies       off: set replies = true once Twilio sends them to us (default)

    Watching the watch
      stale data        told after 10 polls, at least 10m, without a good answer from SuperOps (default)
      told to           +15005550007, by SMS (default)
      heartbeat         off: no address is given

    What is past
      messages          kept for 400d (default)
      attempts          kept for 400d (default)
      receipts          kept for 400d (default)
      events            kept for 400d (default)
      audit             kept for 1095d (default)
      reports           kept for 1095d (default)
      for good          tickets, alerts and the figures of each week

    Remarks
      - acme has no calendar: working time is counted round the clock
      - beta may ask SuperOps 300 times a minute: SuperOps seems to allow 100, and answers nothing for a while to whoever asks more
      - beta is read every 1h only: an alert may be about a ticket that was answered meanwhile
      - no tenant uses the calendar spare
      - policy 1 counts open hours only: 2d means 48 open hours
      - policy 3 allows more time for the first response than for the resolution
      - config.toml:43: policy 2 is never reached: policy 1 (config.toml:39) matches first; put 2 before it, or take it out
      - the page is open to the network without TLS: put a reverse proxy with TLS before it
    ");
}

#[test]
fn holiday_files_are_read_beside_the_file_that_names_them() {
    let more = r#"
[calendars.uk]
timezone = "Europe/London"
mon = ["09:00-17:00"]
holidays = ["2026-12-24"]
holiday_files = ["uk.ics"]
[holiday_lists."UK Bank Holidays"]
files = ["uk.ics"]
"#;
    let config = good(&format!("{LEAST}{more}"));
    let list = &config.holiday_lists["UK Bank Holidays"];
    let closed = &config.calendars["uk"].holidays;
    assert_eq!(closed.len(), list.len() + 1);
    assert!(list.iter().all(|date| closed.contains(date)));
    let text = std::fs::read_to_string("fixtures/calendars/uk.ics").unwrap();
    let env = env().with_file("/etc/superops-sla/sub/uk.ics", &text);
    let more = more.replace("uk.ics", "sub/uk.ics");
    let elsewhere = Config::parse(Path::new("/etc/superops-sla/config.toml"), &format!("{LEAST}{more}"), &env).unwrap();
    assert_eq!(elsewhere.calendars["uk"].holidays, *closed);
}

#[test]
fn a_holiday_file_that_cannot_be_used_is_named_with_what_is_wrong_in_it() {
    let more = r#"
[calendars.uk]
timezone = "Europe/London"
mon = ["09:00-17:00"]
holiday_files = ["none.ics", "token", "party.ics"]
[holiday_lists.x]
"#;
    assert_snapshot!(complaints(more), @r#"
    config.toml:13:18: `holiday_files` names `none.ics`: there is no such file
    config.toml:13:30: `holiday_files` names `token`: it is not an iCalendar file
    config.toml:13:39: `holiday_files` names `party.ics`: the event `Party` of 2026-12-18 covers no whole day: a holiday closes whole days, so make it an all-day event or take it out
    config.toml:14:1: `dates` or `files` is needed: without dates the list `x` closes nothing
    "#);
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
    assert_snapshot!(complaints(more), @r#"
    config.toml:10:1: a policy needs `response`, `resolution` or `next_response`: without any it promises nothing
    config.toml:11:10: `tenant` names the tenant `acne`, but there is no [tenants.acne]; did you mean `acme`?
    config.toml:12:9: `clock` must be "calendar" (round the clock) or "business" (open hours only)
    config.toml:14:12: `response` must be over 0s: no ticket could meet it
    config.toml:15:14: `resolution` must be a length of time such as "90s", "15m", "8h", "2d" or "1h30m"
    config.toml:16:7: `sla` must not be blank
    config.toml:19:11: `notify` must hold technician, manager, group, account-manager, on-call:NAME, email:ADDRESS, sms:+NUMBER, call:+NUMBER, ntfy:TOPIC, slack, slack:#CHANNEL, teams, pagerduty or webhook; did you mean `technician`?
    config.toml:21:9: `after` must not be before the step above it (15m): an escalation goes one way
    config.toml:22:1: `notify` must name somebody: a step that tells nobody would hide a breach
    config.toml:24:11: `notify` must name an email address after `email:`
    config.toml:24:27: `notify` must be a phone number with + and the country code, digits only, such as "+15005550006"
    config.toml:24:38: `notify` needs sms, but there is no [notify.sms] to send it with
    config.toml:24:58: `notify` must hold technician, manager, group, account-manager, on-call:NAME, email:ADDRESS, sms:+NUMBER, call:+NUMBER, ntfy:TOPIC, slack, slack:#CHANNEL, teams, pagerduty or webhook
    config.toml:25:13: `channels` must hold "email", "ntfy", "sms" or "voice"; did you mean `email`?
    "#);
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
    assert_snapshot!(complaints_of(&user), @"config.toml:7:1: `smtp_url` names a user, so `password_env` or `password_file` is needed");
    assert_snapshot!(complaints("password_env = \"SMTP_PASSWORD\"\n"), @"config.toml:7:1: `smtp_url` names no user to go with the password: write it as smtp://USER@HOST");
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
    assert_snapshot!(error, @"config.toml: the configuration cannot be read: there is no such file");
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

#[test]
fn twilios_calls_are_believed_for_the_accounts_own_token_whatever_we_send_with() {
    let sms = "[notify.sms]\naccount_sid = \"AC1\"\nfrom = \"+15005550006\"\nreplies = true\n";
    let key = "api_key_sid = \"SK1\"\napi_key_secret_env = \"SUPEROPS_TOKEN\"\n";
    let hook = "hook_auth_token_env = \"SUPEROPS_TOKEN\"\n";
    let tokens = |more: &str| good(&format!("{LEAST}{sms}{more}")).notify.sms.unwrap().account.hook_tokens.len();
    assert_eq!(tokens("auth_token_env = \"SUPEROPS_TOKEN\"\n"), 1);
    assert_eq!(tokens(&format!("{key}{hook}")), 1);
    assert_eq!(tokens(&format!("{key}{hook}previous_auth_token_env = \"SUPEROPS_TOKEN\"\n")), 2);
    assert_snapshot!(complaints_of(&format!("{LEAST}{sms}{key}")), @"config.toml:12:1: `replies` needs `hook_auth_token_env` or `hook_auth_token_file`: Twilio signs replies with the account's auth token, not with the API key");
    let both = format!("{LEAST}{sms}auth_token_env = \"SUPEROPS_TOKEN\"\n{hook}");
    assert_snapshot!(complaints_of(&both), @"config.toml:14:1: `hook_auth_token_env` is for sending with an API key: without one, the auth token already given is taken");
}

#[test]
fn check_says_where_twilio_must_send_replies_and_when_it_cannot() {
    let sms = "[notify.sms]\naccount_sid = \"AC1\"\nfrom = \"+15005550006\"\nauth_token_env = \"SUPEROPS_TOKEN\"\nreplies = true\n";
    let about = |text: &str| {
        let text = explain(&good(text), &BTreeMap::new());
        text.lines().filter(|line| line.contains("SMS re") || line.contains("`replies`")).collect::<Vec<_>>().join("\n")
    };
    assert_snapshot!(about(&format!("{LEAST}{sms}")), @r#"
    SMS receipts      Twilio is asked: server.public_url is not given, so it cannot report
    SMS replies       off: replies = true needs server.public_url
    - `replies` is on, but server.public_url is not given: Twilio cannot pass replies on, so no message asks for them
    "#);
    assert_snapshot!(about(&format!("[server]\npublic_url = \"https://sla.example.com/\"\n{LEAST}{sms}")), @r#"
    SMS receipts      Twilio reports to https://sla.example.com/hooks/twilio/status
    SMS replies       on: Twilio must send them to https://sla.example.com/hooks/twilio/sms
    "#);
}

#[test]
fn check_says_where_acknowledgements_in_slack_and_pagerduty_must_be_sent() {
    let about = |text: &str| {
        let text = explain(&good(text), &BTreeMap::new());
        let rows = text.lines().skip_while(|line| *line != "Answers");
        rows.filter(|line| line.contains("Slack") || line.contains("PagerDuty")).collect::<Vec<_>>().join("\n")
    };
    let slack = "[notify.slack]\nbot_token_env = \"SUPEROPS_TOKEN\"\nchannel = \"#sla\"\n";
    let pagerduty = "[notify.pagerduty]\nrouting_key_env = \"SUPEROPS_TOKEN\"\n";
    let (signed, secret) = ("signing_secret_env = \"SUPEROPS_TOKEN\"\n", "webhook_secret_env = \"SUPEROPS_TOKEN\"\n");
    let off = about(&format!("{LEAST}{slack}{pagerduty}"));
    assert_eq!(off.lines().filter(|line| line.contains(" off: ")).count(), 2, "{off}");
    let on = about(&format!(
        "[server]\npublic_url = \"https://sla.example.com/\"\n{LEAST}{slack}{signed}{pagerduty}{secret}"
    ));
    assert!(on.contains("must be sent to https://sla.example.com/hooks/slack"), "{on}");
    assert!(on.contains("must be sent to https://sla.example.com/hooks/pagerduty"), "{on}");
    let plain = complaints_of(&format!("{LEAST}{slack}signing_secret = \"8f74\"\n"));
    assert!(plain.contains("must not stand in this file") && !plain.contains("8f74"), "{plain}");
}

#[test]
fn limits_and_quiet_hours_are_read_and_said() {
    let config = good(&format!(
        "{LEAST}[alerts.limits]\nsms_per_number = []\nemail_per_address = [\"20/1h\"]\nsms_per_day = 0\nbundle_from = 6\n\
         [alerts.quiet_hours]\nfrom = \"22:00\"\nuntil = \"07:00\"\ntimezone = \"Europe/London\"\ndays = [\"fri\", \"sat\"]\n\
         channels = [\"sms\"]\nexcept = [\"Critical\"]\nbreaches = true\n"
    ));
    let said = explain(&config, &BTreeMap::new());
    let (_, said) = said.split_once("Not too much\n").unwrap();
    let (said, _) = said.split_once("\n\n").unwrap();
    insta::assert_snapshot!(said, @r"
    storms            6 or more that wait for one person are one message
    pace              warnings gather for 5m, later steps every 15m, recoveries wait up to 12h to be bundled; further apart the nearer 15 in 24 h (default)
    nights            22:00 to 07:00 no SMS or call except for breaches of the two highest priorities, by the clock of the tenant's calendar (default)
    SMS a number      no limit
    calls a number    at most 1 in 3m, 3 in 15m, 8 in 3h (default)
    email an address  at most 20 in 1h
    SMS in all        no limit
    quiet hours       22:00 to 07:00 (Europe/London), from fri, sat by sms, then one digest; but priority critical, breaches at once
    ");
}

#[test]
fn limits_and_quiet_hours_that_would_hide_breaches_are_refused() {
    let text = "[alerts.limits]\nsms_per_number = [\"5 in 15m\", \"5/30d\"]\nsms_per_day = -1\nbundle_from = 1\n\
         [alerts.quiet_hours]\nfrom = \"00:00\"\nuntil = \"24:00\"\ntimezone = \"UTC\"\ndays = [\"monday\"]\nloud = true\n";
    insta::assert_snapshot!(complaints(text), @r#"
    config.toml:10:19: `sms_per_number` must hold caps such as "5/15m", five within 15 minutes, not `5 in 15m`
    config.toml:10:31: `sms_per_number` must hold caps over 0s and up to 7d: a longer one would hide breaches
    config.toml:11:15: `sms_per_day` must be a number of messages, or 0 for no limit
    config.toml:12:15: `bundle_from` must be 2 or more: a single message has nothing to be bundled with
    config.toml:17:9: `days` must hold mon, tue, wed, thu, fri, sat or sun, not `monday`
    config.toml:18:1: unknown key `loud` in [alerts.quiet_hours]
    "#);
    let text = "[alerts.quiet_hours]\nfrom = \"0:00\"\nuntil = \"24:00\"\n";
    insta::assert_snapshot!(complaints(text), @r#"
    config.toml:9:1: `timezone` is needed in [alerts.quiet_hours]: 22:00 means ten at night where your people are
    config.toml:10:8: `from` must be a time of day such as "22:00", not `0:00`
    "#);
    let text = "[alerts.quiet_hours]\nfrom = \"00:00\"\nuntil = \"24:00\"\ntimezone = \"UTC\"\n";
    insta::assert_snapshot!(complaints(text), @"config.toml:11:1: `until` makes every hour of every day quiet: nobody would ever hear of a breach");
}

#[test]
fn an_escalation_that_could_not_be_told_apart_or_followed_is_refused() {
    let more = r#"
[[escalations]]
client = "Globex"
[[escalations]]
name = "default"
tenant = "acne"
stage = "breach"
ack_expires = "0s"
[[escalations.steps]]
notify = ["technician"]
[[escalations]]
name = "night"
steps = []
[[escalations]]
name = "night"
[[escalations.steps]]
notify = ["technician"]
after = "soon"
"#;
    assert_snapshot!(complaints(more));
}

/// Two tenants, of which `main` is the rotation of one.
const TWO_TENANTS: &str = r#"
[tenants.beta]
subdomain = "beta"
region = "eu"
token_env = "SUPEROPS_TOKEN"
[on_call.main]
timezone = "Europe/London"
tenant = "acme"
[[on_call.main.layers]]
people = ["ann@example.com"]
starts = "2026-03-02T09:00"
every = "1d"
"#;

#[test]
fn an_escalation_of_one_tenant_cannot_name_the_rotation_of_another() {
    let escalation = |tenant: &str| {
        format!(
            "{TWO_TENANTS}[[escalations]]\nname = \"own\"\ntenant = \"{tenant}\"\n[[escalations.steps]]\n\
             notify = [\"technician\", \"on-call:main\"]\n"
        )
    };
    assert_eq!(
        complaints(&escalation("beta")),
        "config.toml:25:25: `notify` names the rotation `main`, which is for `acme` only: it tells nobody of alerts of \
         `beta`. Name a rotation for `beta`, or take `tenant` out of [on_call.main]"
    );
    assert_eq!(complaints(&escalation("acme")), "none");
    assert_eq!(complaints(&escalation("beta").replace("tenant = \"acme\"\n[[on", "[[on")), "none", "all share it");
}

#[test]
fn a_first_step_that_names_only_other_tenants_rotations_is_remarked_on() {
    let remarked = |more: &str| {
        let remarks = super::remarks::remarks(&good(&format!("{LEAST}{TWO_TENANTS}{more}")));
        remarks.into_iter().filter(|line| line.contains("on-call:main")).collect::<Vec<_>>()
    };
    let step = |notify: &str| format!("[[alerts.steps]]\nnotify = [{notify}]\n");
    assert_eq!(
        remarked(&step("\"on-call:main\"")),
        [
            "the first step of the escalation default tells nobody of alerts of beta: it names on-call:main, for acme only; \
          name somebody for beta too"
        ]
    );
    assert_eq!(remarked(&step("\"on-call:main\", \"technician\"")), [""; 0], "the technician is told");
    let later = step("\"on-call:main\"").replace("notify", "after = \"5m\"\nnotify");
    assert_eq!(remarked(&format!("{}{later}", step("\"technician\""))), [""; 0], "others were told before");
    let own = "[[escalations]]\nname = \"own\"\ntenant = \"beta\"\n[[escalations.steps]]\nnotify = [\"technician\"]\n";
    assert_eq!(remarked(&format!("{own}{}", step("\"on-call:main\""))), [""; 0], "its alerts follow their own");
}

#[test]
fn check_shows_each_escalation_and_says_which_is_never_followed() {
    let more = r#"
[alerts]
ack_expires = "45m"
[[escalations]]
name = "breaches"
stage = "breached"
ack_expires = "10m"
[[escalations.steps]]
notify = ["technician", "manager"]
[[escalations]]
name = "globex"
tenant = "acme"
client = "Globex"
priority = "High"
sla = "Gold"
stage = "breached"
[[escalations.steps]]
after = "5m"
notify = ["group"]
"#;
    let text = explain(&good(&format!("{LEAST}{more}")), &Default::default());
    let (_, alerts) = text.split_once("Alerts\n").unwrap();
    assert_snapshot!(alerts.split_once("\nNot too much").unwrap().0);
}

#[test]
fn write_back_is_off_unless_asked_for_and_misspellings_are_told() {
    let least = good(LEAST);
    assert_eq!(tenant(&least).write_back, WriteBack::default());
    let more = r#"
[[alerts.steps]]
notify = ["technician"]
reassign_to = "email:alice@example.com"
set_priority = " "
[tenants.acme.write_back]
note_on = ["breach", "resolved"]
changes = "yes"
notes = true
"#;
    assert_snapshot!(complaints(more), @r#"
    config.toml:12:15: `reassign_to` must name a technician by email address, name or id alone, without `email:` or `sms:`
    config.toml:13:16: `set_priority` must not be blank
    config.toml:15:12: `note_on` must hold "breached" or "escalated"; did you mean `breached`?
    config.toml:15:22: `note_on` must hold "breached" or "escalated"
    config.toml:16:11: `changes` must be true or false, not a text
    config.toml:17:1: unknown key `notes` in [tenants.acme.write_back]
    "#);
    let step = "[[alerts.steps]]\nnotify = [\"technician\"]\nreassign_to = \"alice@example.com\"\n";
    assert_snapshot!(complaints(step), @"config.toml:11:1: `reassign_to` changes nothing: no tenant has `changes = true` in its [tenants.NAME.write_back]");
}

#[test]
fn check_says_what_would_be_written() {
    let more = r#"
[[alerts.steps]]
notify = ["technician"]
reassign_to = "alice@example.com"
set_priority = "Critical"
[tenants.acme.write_back]
note_on = ["breached", "escalated"]
changes = true
"#;
    let text = explain(&good(&format!("{LEAST}{more}")), &Default::default());
    assert!(text.contains("writes back       a private note at each breach and each later step; steps may"), "{text}");
    assert!(text.contains("; the ticket goes to alice@example.com; its priority becomes Critical"), "{text}");
}

#[test]
fn pushes_go_to_the_topics_that_people_are_given() {
    let more = r#"
[notify.ntfy]
token_env = "SLACK_BOT"
base_url = "https://push.example.com/"
[notify.ntfy.topics]
"Mia.Brandt@example.com" = "sla-mia"
[[alerts.steps]]
notify = ["technician", "ntfy:sla-night"]
channels = ["ntfy"]
"#;
    let config = good(&format!("{LEAST}{more}"));
    let ntfy = config.notify.ntfy.as_ref().unwrap();
    assert_eq!(
        (ntfy.base_url.as_str(), ntfy.topic_of("mia.brandt@EXAMPLE.com")),
        ("https://push.example.com", Some("sla-mia"))
    );
    assert_eq!(config.alerts.steps[0].notify[1], Target::Ntfy("sla-night".to_owned()));
    let page = explain(&config, &BTreeMap::new());
    let about = page.lines().filter(|line| line.contains("push")).collect::<Vec<_>>().join("\n");
    assert_snapshot!(about);
    assert!(!format!("{config:?}").contains("sla-mia"), "whoever knows a topic can read along");
}

#[test]
fn what_ntfy_cannot_use_is_refused() {
    let more = r#"
[notify.ntfy]
token = "tk_s3cret"
base_url = "http://push.example.com"
[notify.ntfy.topics]
mia = "sla-mia"
"a@example.com" = "no topic"
"b@example.com" = 7
"C@example.com" = "sla-c"
"c@example.com" = "sla-c2"
[[alerts.steps]]
notify = ["ntfy:", "ntfy:sla/night", "ntfy"]
"#;
    let said = complaints(more);
    assert!(!said.contains("s3cret"), "{said}");
    assert_snapshot!(said);
}

const TEXTS: &str =
    "[notify.sms]\naccount_sid = \"AC1\"\nauth_token_env = \"TWILIO_AUTH_TOKEN\"\nfrom = \"+15005550006\"\n";

#[test]
fn calls_go_by_the_account_of_the_texts_unless_they_have_their_own() {
    let voice = "[notify.voice]\nfrom = \"+15005550007\"\nlanguage = \"en-gb\"\n";
    let steps = "[[alerts.steps]]\nnotify = [\"technician\", \"call:+15005550123\"]\n";
    let config = good(&format!("{LEAST}{TEXTS}{voice}{steps}"));
    let calls = config.notify.voice.as_ref().unwrap();
    assert_eq!((calls.account.account_sid.as_str(), calls.language.as_str()), ("AC1", "en-GB"));
    assert_eq!(calls.account.hook_tokens.len(), 1);
    let page = explain(&config, &BTreeMap::new());
    let about = page.lines().filter(|line| line.contains("call")).collect::<Vec<_>>().join("\n");
    assert_snapshot!(about);
    let own = "account_sid = \"AC2\"\nauth_token_env = \"TWILIO_AUTH_TOKEN\"\n";
    let config = good(&format!("{LEAST}{TEXTS}{voice}{own}"));
    assert_eq!(config.notify.voice.unwrap().account.account_sid, "AC2");
}

#[test]
fn what_a_call_cannot_use_is_refused() {
    let without_texts = complaints(
        "[notify.voice]\nfrom = \"0800\"\nlanguage = \"de-DE\"\n[[alerts.steps]]\nnotify = [\"call:112\"]\nchannels = [\"vioce\"]\n",
    );
    let half = complaints(&format!(
        "{TEXTS}[notify.voice]\nbase_url = \"https://api.example.com\"\nauth_token_env = \"TWILIO_AUTH_TOKEN\"\n"
    ));
    assert_snapshot!(format!("{without_texts}\n\n{half}"));
}

#[test]
fn a_person_chooses_channels_hours_a_digest_and_a_zone() {
    let more = r#"
[people."Ada@Example.com"]
timezone = "Europe/Stockholm"
channels = ["email"]
digest_at = "08:30"
[[people."Ada@Example.com".rules]]
stages = ["breached"]
from = "22:00"
until = "07:00"
days = ["fri", "sat"]
channels = ["sms"]
[[people."Ada@Example.com".rules]]
stages = ["predicted"]
channels = []
"#;
    let config = good(&format!("{LEAST}{TEXTS}{more}"));
    assert!(config.alerts.noise.personal(Some("ada@example.com")).is_some());
    let page = explain(&config, &BTreeMap::new());
    let about: Vec<_> = page.lines().skip_while(|line| !line.contains("ada@")).take(3).collect();
    assert_snapshot!(about.join("\n"));
}

#[test]
fn what_would_leave_somebody_without_word_of_a_breach_is_refused() {
    assert_snapshot!(complaints(
        r#"
[people.ada]
digest_at = "08:30"
[people."bob@example.com"]
timezone = "Europe/Oslo"
[[people."bob@example.com".rules]]
stages = ["late"]
[[people."bob@example.com".rules]]
channels = []
[[people."bob@example.com".rules]]
channels = ["pagerduty"]
from = "22:00"
until = "22:00"
[[people."bob@example.com".rules]]
channels = ["email"]
until = "07:00"
[people."Bob@example.com"]
"#
    ));
}

const OIDC: &str = r#"
[server]
public_url = "https://sla.example.com"
[sign_in.oidc]
issuer = "https://id.example.com/realms/msp"
client_id = "sla"
client_secret_env = "OIDC_SECRET"
[[sign_in.oidc.access]]
groups = ["leads"]
emails = ["Mia@Example.com", "@example.org"]
role = "admin"
[[sign_in.oidc.access]]
anyone = true
role = "viewer"
tenant = "acme"
"#;

#[test]
fn people_sign_in_by_a_provider_with_the_usual_settings_and_the_rules_in_their_order() {
    let config = good(&format!("{LEAST}{OIDC}"));
    let oidc = config.sign_in.as_ref().unwrap();
    assert_eq!((oidc.session_length, oidc.clock_skew), (TimeDelta::hours(12), TimeDelta::minutes(1)));
    assert_eq!(oidc.client_secret.as_ref().unwrap().expose_secret(), "oidc-1");
    assert_eq!(oidc.access[0].whom.emails, ["mia@example.com", "@example.org"]);
    assert!(oidc.access[1].whom.anyone && oidc.access[1].access.tenant.is_some());
    let page = explain(&config, &BTreeMap::new());
    let (_, said) = page.split_once("Sign-in by").unwrap();
    assert_snapshot!(said.split("\n\n").next().unwrap().trim(), @r"
    single sign-on
      issuer            https://id.example.com/realms/msp
      register there    the redirect address https://sla.example.com/login/oidc/callback
                        and, for signing out there as well, https://sla.example.com/login
      client            sla, with a secret
      asks for          openid profile email (default)
      groups            the claim groups (default)
      addresses         believed only if the provider says that they are verified (default)
      lets in           group leads or mia@example.com or @example.org as admin of all tenants
      lets in           everybody whom the provider lets in as viewer of acme
      signs in again    after 12h (default)
      clocks            may differ by 1m (default)
    ");
    assert!(!page.contains("oidc-1"));
}

#[test]
fn what_a_provider_cannot_do_without_is_complained_of() {
    let cases = [
        ("[sign_in.oidc]\n", "`issuer` is needed"),
        ("[sign_in.oidc]\n", "`client_id` is needed"),
        ("[sign_in.oidc]\n", "nobody would be"),
        ("[sign_in.oidc]\n", "needs `server.public_url`"),
        ("[sign_in.oidc]\nclient_secret = \"x\"\n", "must not stand in this file"),
        ("[sign_in.oidc]\nissuer = \"http://id.example.com\"\n", "must start with https://"),
        (
            "[sign_in.oidc]\nissuer = \"https://a.example/.well-known/openid-configuration\"\n",
            "must be the issuer itself",
        ),
        ("[sign_in.oidc]\nscopes = [\"email\"]\n", "must hold \"openid\""),
        ("[sign_in.oidc]\nsession_length = \"31d\"\n", "must be from 5m to 30d"),
        ("[sign_in.oidc]\nclock_skew = \"6m\"\n", "must be 5m or less"),
        ("[[sign_in.oidc.access]]\nrole = \"viewer\"\n", "must say whom it lets in"),
        ("[[sign_in.oidc.access]]\ngroups = []\nrole = \"viewer\"\n", "must name somebody"),
        ("[[sign_in.oidc.access]]\nanyone = true\nrole = \"root\"\n", "must be \"viewer\", \"responder\" or \"admin\""),
        ("[[sign_in.oidc.access]]\nanyone = true\nrole = \"viewer\"\ntenant = \"acne\"\n", "did you mean `acme`"),
        ("[[sign_in.oidc.access]]\nemails = [\"mia\"]\nrole = \"viewer\"\n", "must hold email addresses"),
        ("[sign_in.saml]\n", "unknown key `saml`"),
    ];
    for (more, expected) in cases {
        let found = complaints(more);
        assert!(found.contains(expected), "{more}: {found}");
    }
}

const WATCHED: &str = "[components.shop]\n[[checks]]\ncomponent = \"shop\"\nurl = \"https://shop.example.com/\"\n";

#[test]
fn an_objective_says_what_is_too_much_and_of_how_many_looks() {
    let config = good(&format!(
        "{LEAST}{WATCHED}[[objectives]]\ncomponent = \"shop\"\nmeasure = \"p95\"\nwarn = \"800ms\"\nbreach = \"2s\"\n\
         [[objectives]]\ncomponent = \"shop\"\nmeasure = \"errors\"\nwindow = \"1d\"\nbreach = \"1.5\"\n"
    ));
    let goals: Vec<_> = config.uptime.objectives.iter().map(|one| one.goal).collect();
    let of = |measure, window, warn, breach| Goal { measure, window, warn, breach };
    let expected = [of(Measure::Latency(95), 3_600_000, Some(800), 2000), of(Measure::Errors, 86_400_000, None, 1500)];
    assert_eq!(goals, expected);
    let page = explain(&config, &BTreeMap::new());
    let about = page.lines().filter(|line| line.contains("objective")).collect::<Vec<_>>().join("\n");
    assert_snapshot!(about);
}

#[test]
fn a_component_cannot_stand_on_itself_or_on_one_of_another_tenant() {
    let text = format!(
        "{LEAST}{WATCHED}[components.alone]\ndepends_on = [\"alone\"]\n\
         [components.x]\ndepends_on = [\"y\"]\n[components.y]\ndepends_on = [\"x\"]\n\
         [components.group]\nall_of = [\"member\", \"shop\"]\n[components.member]\ndepends_on = [\"group\"]\n\
         [components.inner]\nall_of = [\"inner\"]\n\
         [components.fine]\nany_of = [\"shop\", \"leaf\"]\n[components.leaf]\ndepends_on = [\"shop\"]\n"
    );
    assert_snapshot!(complaints_of(&text));
    let second = "[tenants.globex]\nsubdomain = \"globex\"\nregion = \"eu\"\ntoken_env = \"SUPEROPS_TOKEN\"\n";
    let foreign = "[components.a]\ntenant = \"acme\"\n[components.b]\ntenant = \"globex\"\ndepends_on = [\"a\"]\n";
    assert_snapshot!(complaints_of(&format!("{LEAST}{second}{foreign}")));
}

#[test]
fn what_an_objective_cannot_mean_is_refused() {
    let text = format!(
        "{LEAST}{WATCHED}[components.empty]\n[[objectives]]\ncomponent = \"shop\"\nmeasure = \"p90\"\nbreach = \"2s\"\n\
         [[objectives]]\ncomponent = \"shop\"\nmeasure = \"p95\"\nwarn = \"2s\"\nbreach = \"2s\"\nwindow = \"5m\"\n\
         [[objectives]]\ncomponent = \"empty\"\nmeasure = \"errors\"\nbreach = \"2s\"\n\
         [[objectives]]\ncomponent = \"empty\"\nmeasure = \"errors\"\nbreach = \"5\"\nwindow = \"30d\"\n\
         [[checks]]\ncomponent = \"shop\"\npushed = true\nheartbeat = true\nsilence = \"grey\"\n\
         [status_page]\nsubscriptions = true\n"
    );
    assert_snapshot!(complaints_of(&text));
}

#[test]
fn an_objective_of_no_time_at_all_is_refused() {
    for limit in ["0s", "0ms"] {
        let objective = format!("[[objectives]]\ncomponent = \"shop\"\nmeasure = \"p50\"\nbreach = \"{limit}\"\n");
        let said = complaints(&format!("{WATCHED}{objective}"));
        assert_eq!(said, "config.toml:16:10: `breach` must be over 0", "{limit}");
    }
}

#[test]
fn a_check_whose_address_is_wrong_is_complained_of_once_and_its_other_keys_are_not_called_unknown() {
    let check = "[components.shop]\n[[checks]]\ncomponent = \"shop\"\nurl = \"shop.example.com\"\nmethod = \"HEAD\"\n\
                 status = [\"200\"]\nexpect = \"OK\"\n";
    let said = complaints(check);
    assert!(said.starts_with("config.toml:12:7: `url` must be a whole address") && said.lines().count() == 1, "{said}");
    let misspelt = complaints(&format!("{check}metod = \"HEAD\"\n"));
    assert!(misspelt.contains("config.toml:16:1: unknown key `metod`") && misspelt.lines().count() == 2, "{misspelt}");
}

#[test]
fn a_check_of_a_web_socket_takes_headers_and_nothing_else_that_a_web_page_has() {
    let check = "[components.shop]\n[[checks]]\ncomponent = \"shop\"\nurl = \"wss://shop.example.com/live\"\n\
                 headers = { Origin = \"https://shop.example.com\" }\nheaders_env = { X-Key = \"SMTP_PASSWORD\" }\n";
    let config = good(&format!("{LEAST}{check}"));
    let Ask::WebSocket(ask) = &config.uptime.checks[0].probe.ask else { panic!("no WebSocket") };
    assert_eq!((ask.headers.len(), ask.secret_headers.len()), (1, 1));
    for key in ["method", "body", "contains", "json", "equals"] {
        let said = complaints(&format!("{check}{key} = \"/GET\"\n"));
        assert!(said.starts_with(&format!("config.toml:15:1: unknown key `{key}` in [[checks]]")), "{said}");
    }
    for more in ["status = [\"200\"]", "redirects = 2"] {
        assert!(complaints(&format!("{check}{more}\n")).contains("unknown key"), "{more}");
    }
}

#[test]
fn a_header_that_holds_a_key_is_refused_unless_its_value_stands_in_the_environment() {
    let check = "[components.shop]\n[[checks]]\ncomponent = \"shop\"\nurl = \"https://shop.example.com/\"\n";
    for name in ["Authorization", "Cookie", "Proxy-Authorization", "X-API-Key", "api-key", "X-Auth-Token"] {
        let said = complaints(&format!("{check}headers = {{ {name} = \"hunter2\" }}\n"));
        let advice = "must not stand in this file: name an environment variable in `headers_env`";
        assert!(said.contains(advice) && said.lines().count() == 1 && !said.contains("hunter2"), "{name}: {said}");
        assert_eq!(complaints(&format!("{check}headers_env = {{ {name} = \"SMTP_PASSWORD\" }}\n")), "none");
    }
}

#[test]
fn a_check_that_no_answer_could_fulfil_is_refused() {
    let check = |more: &str| format!("[components.shop]\n[[checks]]\ncomponent = \"shop\"\n{more}\n");
    for kind in ["ANY", "any", "*", "AXFR", "IXFR"] {
        let said = complaints(&check(&format!("url = \"dns://192.0.2.53/example.com\"\nrecord = \"{kind}\"")));
        assert!(said.contains("`record` must be a type of DNS record") && said.lines().count() == 1, "{kind}: {said}");
    }
    let head = "url = \"https://shop.example.com/\"\nmethod = \"HEAD\"\n";
    for key in ["contains", "json"] {
        let said = complaints(&check(&format!("{head}{key} = \"/ok\"")));
        assert!(said.contains(&format!("`{key}` clashes with `method = \"HEAD\"`")), "{said}");
    }
    assert_eq!(complaints(&check(head)), "none");
}

#[test]
fn what_is_written_and_cannot_be_read_is_complained_of_once_and_not_also_missed() {
    let access = "[[sign_in.oidc.access]]\nrole = \"viewer\"\n";
    let oidc = OIDC.split("[[").next().unwrap_or_default();
    let report = "[[reports.schedules]]\nname = \"A\"\nevery = \"month\"\n";
    let policy = "[[policies]]\nresolution = \"4h\"\n";
    let on_call = "[on_call.main]\ntimezone = \"UTC\"\n";
    let layer = "[[on_call.main.layers]]\nstarts = \"2026-03-02T09:00\"\nevery = \"1d\"\n";
    let rule = "[[people.\"ada@example.com\".rules]]\n";
    let objective = "[[objectives]]\ncomponent = \"shop\"\nmeasure = \"p95\"\nbreach = \"1s\"\n";
    let check = "[components.shop]\n[[checks]]\ncomponent = \"shop\"\n";
    let url = "url = \"https://shop.example.com/\"\n";
    let cases = [
        (format!("{oidc}{access}groups = \"leads\"\n"), "`groups` must be a list"),
        (format!("{oidc}{access}emails = [1]\n"), "`emails` must hold a text"),
        (format!("{oidc}{access}anyone = \"yes\"\n"), "`anyone` must be true or false"),
        (format!("{oidc}access = [1]\n"), "`access` must hold a table"),
        (format!("{oidc}scopes = [\"\"]\n{access}anyone = true\n"), "`scopes` must hold one scope in each text"),
        (format!("{oidc}{access}anyone = true\n").replace("https://sla", "sla"), "`public_url` must be a whole web"),
        (format!("{report}to = \"a@example.com\"\n"), "`to` must be a list"),
        (format!("{report}to = [1]\n"), "`to` must hold a text"),
        ("[calendars.office]\ntimezone = \"UTC\"\nmon = \"09:00-17:00\"\n".to_owned(), "`mon` must be a list"),
        ("[calendars.office]\ntimezone = \"UTC\"\nalways = 1\n".to_owned(), "`always` must be true or false"),
        (format!("{policy}credits = \"10\"\ncredits_min = 5\n"), "`credits` must be a table"),
        (format!("{policy}credits = {{ \"95\" = \"0\", \"0\" = 5 }}\n"), "`0` must be a text"),
        ("[[alerts.steps]]\nnotify = [1]\n".to_owned(), "`notify` must hold a text"),
        ("[alerts]\nsteps = [1]\n".to_owned(), "`steps` must hold a table"),
        ("[watch]\nnotify = [1]\n".to_owned(), "`notify` must hold a text"),
        (format!("{on_call}layers = [1]\n"), "`layers` must hold a table"),
        (format!("{on_call}{layer}people = [1]\n"), "`people` must hold a text"),
        (format!("{rule}channels = [\"emial\"]\n"), "did you mean `email`?"),
        (format!("{rule}stages = [\"predict\"]\nchannels = []\n"), "did you mean `predicted`?"),
        (format!("{check}{objective}"), "`url`, `heartbeat = true` or `pushed = true` is needed"),
        (format!("{check}url = \"shop.example.com\"\n{objective}"), "`url` must be a whole address"),
        (format!("{check}heartbeat = \"yes\"\n"), "`heartbeat` must be true or false"),
        (format!("{check}{url}name = 1\n[[checks]]\ncomponent = \"shop\"\n{url}"), "`name` must be a text"),
        (format!("{check}{url}{objective}").replacen("nt = \"shop", "nt = \"shpo", 1), "did you mean `shop`?"),
        (format!("{OUTPOST}{url}places = [\"here\", \"berlni\"]\nquorum = 2\n"), "did you mean `berlin`?"),
        (format!("{OUTPOST}{url}places = [\"berlni\"]\n"), "did you mean `berlin`?"),
        (
            format!("{OUTPOST}{url}places = [\"berlin\"]\n").replace("token_env", "#token_env"),
            "it is what the outpost has to show",
        ),
        (format!("{check}{url}[components.web]\nof = [\"shop\", \"shpo\"]\nat_least = 2\n"), "did you mean `shop`?"),
        (format!("{check}{url}[components.web]\nat_least = 2\n"), "`of` and `at_least` belong together"),
        (
            TEXTS.replace("auth_token_env", "api_key_sid = \"SK1\"\napi_key_secret"),
            "`api_key_secret` must not stand in this file",
        ),
    ];
    for (more, expected) in cases {
        let said = complaints(&more);
        assert!(said.contains(expected) && said.lines().count() == 1, "{more}: {said}");
    }
    let tenants =
        complaints_of("tenants = 1\n[notify.email]\nsmtp_url = \"smtp://127.0.0.1\"\nfrom = \"a@example.com\"\n");
    assert_eq!(tenants, "config.toml:1:11: `tenants` must be a table, not this whole number");
    let user = LEAST.replace("smtp://", "smtp://sla@").replace("from =", "password = \"hunter2\"\nfrom =");
    let said = complaints_of(&user);
    assert!(said.contains("`password` must not stand") && said.lines().count() == 1, "{said}");
}

#[test]
fn a_rotation_without_layers_is_refused() {
    let said = complaints("[on_call.main]\ntimezone = \"UTC\"\nlayers = []\n");
    assert_eq!(said, "config.toml:9:1: [[on_call.main.layers]] is needed: without one nobody is ever on call");
}

#[test]
fn a_fault_of_a_calendar_is_complained_of_there_and_not_again_at_the_promise_that_names_it() {
    let said = |calendar: &str| {
        let promise = "[[promises]]\ncomponent = \"shop\"\ntarget = \"99.9\"\ncalendar = \"office\"\n";
        complaints(&format!("[calendars.office]\n{calendar}{WATCHED}{promise}"))
    };
    let nowhere = said("timezone = \"Europe/Londen\"\nmon = [\"09:00-17:00\"]\n");
    assert!(nowhere.starts_with("config.toml:10:12: `timezone` must be") && nowhere.lines().count() == 1, "{nowhere}");
    let never = said("timezone = \"Europe/London\"\n");
    assert!(never.contains("the calendar `office` has no open hours") && never.lines().count() == 1, "{never}");
}

const OUTPOST: &str =
    "[components.shop]\n[outposts.berlin]\ntoken_env = \"SUPEROPS_TOKEN\"\n[[checks]]\ncomponent = \"shop\"\n";

#[test]
fn a_check_is_looked_at_from_each_of_its_places_and_more_than_half_must_agree() {
    let url = "url = \"https://shop.example.com/\"\nheaders_env = { X-Key = \"SMTP_PASSWORD\" }\n";
    let config = good(&format!("{LEAST}{OUTPOST}{url}places = [\"here\", \"berlin\"]\n"));
    let checks = &config.uptime.checks;
    let seen: Vec<_> = checks.iter().map(|one| (one.id.as_str(), one.place(), one.is_ours())).collect();
    assert_eq!(seen, [("shop/https", None, true), ("shop/https@berlin", Some("berlin"), false)]);
    assert_eq!(checks[1].view.as_ref().map(|view| (view.of.as_str(), view.quorum)), Some(("shop/https", 2)));
    assert!(checks[1].rules.holds > checks[0].rules.holds, "its results are under way for a while");
    let written = &checks[1].written;
    assert!(written.contains("SMTP_PASSWORD") && !written.contains("hunter2"), "{written}");
    let there = sent_check(written, "shop", &env(), &Default::default()).unwrap();
    assert_eq!((there.id.as_str(), &there.probe.ask.kind()), ("shop/https", &"https"));
    let missing = sent_check(written, "shop", &GivenEnvironment::default(), &Default::default()).unwrap_err();
    assert!(missing.to_string().contains("names an environment variable that is not set"), "{missing}");
}

#[test]
fn places_that_nobody_knows_or_that_cannot_agree_are_refused() {
    let url = "url = \"https://shop.example.com/\"\n";
    for (wrong, words) in [
        ("places = [\"here\", \"berlni\"]\n", "did you mean `berlin`?"),
        ("places = [\"berlin\", \"berlin\"]\n", "names `berlin` twice"),
        ("places = []\n", "must name 1 to 10 places"),
        ("places = [\"berlin\"]\nquorum = 2\n", "must be from 1 to 1, the number of `places`"),
        ("quorum = 1\n", "needs `places`"),
    ] {
        let said = complaints(&format!("{OUTPOST}{url}{wrong}"));
        assert!(said.contains(words), "{wrong}: {said}");
    }
    let told =
        complaints(&format!("{OUTPOST}heartbeat = true\ntoken_env = \"SUPEROPS_TOKEN\"\nplaces = [\"berlin\"]\n"));
    assert!(told.contains("clashes with `heartbeat`"), "{told}");
    let here = complaints("[outposts.here]\ntoken_env = \"SUPEROPS_TOKEN\"\n");
    assert!(here.contains("what `places` calls the watch itself"), "{here}");
    assert!(complaints("[outposts.berlin]\n").contains("it is what the outpost has to show"));
}

/// Returns the notes on the least configuration with `more` after it: what can never work, and after a line what may
/// not be intended.
fn notes(more: &str) -> String {
    let notes = good(&format!("{LEAST}{more}")).notes;
    [notes.futile, vec!["--".to_owned()], notes.remarks].concat().join("\n")
}

#[test]
fn a_check_of_an_address_that_is_never_asked_or_slow_after_its_end_can_never_work() {
    let told = notes(
        "[components.shop]\n[[checks]]\ncomponent = \"shop\"\nurl = \"http://10.0.0.1/\"\n\
         [[checks]]\ncomponent = \"shop\"\nname = \"loop\"\nurl = \"http://127.0.0.1:8080/\"\n\
         [[checks]]\ncomponent = \"shop\"\nname = \"v6\"\nurl = \"tcp://[fe80::1]:25\"\nslow = \"20s\"\n\
         [[checks]]\ncomponent = \"shop\"\nurl = \"https://shop.example.com/\"\nslow = \"5s\"\ntimeout = \"5s\"\n\
         [[objectives]]\ncomponent = \"shop\"\nmeasure = \"p95\"\nbreach = \"20s\"\n",
    );
    assert_snapshot!(told);
    let allowed = LEAST.replace("[notify", "allow_networks = [\"10.0.0.0/8\"]\n[notify");
    let check = "[components.shop]\n[[checks]]\ncomponent = \"shop\"\nurl = \"http://10.0.0.1/\"\nslow = \"9s\"\n";
    assert_eq!(good(&format!("{allowed}{check}")).notes.futile, [""; 0]);
    let elsewhere = notes(&format!("{OUTPOST}url = \"http://10.0.0.1/\"\nplaces = [\"berlin\"]\n"));
    assert_eq!(elsewhere, "--", "an outpost asks in its own house, as it is allowed there");
}

#[test]
fn what_an_address_writes_in_percent_or_abroad_is_asked_as_it_is_meant() {
    let check = |url: &str| format!("[components.shop]\n[[checks]]\ncomponent = \"shop\"\nurl = \"{url}\"\n");
    let ask = |url: &str| good(&format!("{LEAST}{}", check(url))).uptime.checks[0].probe.ask.clone();
    let named = |url: &str| match ask(url) {
        Ask::Postgres(ask) => (ask.user, ask.database),
        other => panic!("{url} is no database: {other:?}"),
    };
    let both = |user: &str, database: &str| (user.to_owned(), database.to_owned());
    assert_eq!(named("postgres://watch%40acme@db.example.com/m%C3%A4rz%2F26"), both("watch@acme", "märz/26"));
    assert_eq!(named("postgres://m%C3%BCller@db.example.com"), both("müller", "müller"));
    assert_eq!(named("postgres://db.example.com"), both("postgres", "postgres"));
    let question = |url: &str| match ask(url) {
        Ask::Dns(ask) => ask.name,
        other => panic!("{url} is no question: {other:?}"),
    };
    assert_eq!(question("dns://192.0.2.53/bücher.example"), "xn--bcher-kva.example");
    assert_eq!(question("dns://192.0.2.53/_dmarc.Example.com"), "_dmarc.Example.com");
    for scheme in ["tcp", "smtp", "icmp", "postgres", "https"] {
        for host in ["bücher.example", "b%C3%BCcher.example", "xn--bcher-kva.example"] {
            let url = format!("{scheme}://{host}:25/");
            assert_eq!(ask(&url).host(), "xn--bcher-kva.example", "{url}");
        }
    }
    assert_eq!(ask("dns://bücher.example/x").host(), "xn--bcher-kva.example");
    assert_eq!(ask("tcp://[::1]:25").host(), "[::1]");
    for (url, words) in [
        ("postgres://a%00b@db.example.com/x", "a user with a zero byte"),
        ("postgres://db.example.com/%FF", "a database that is not valid text"),
        ("dns://192.0.2.53/two..dots", "a name that no name server can have"),
        ("tcp://two%20words:25", "must name a host"),
    ] {
        let said = complaints(&check(url));
        assert!(said.contains(words), "{url}: {said}");
    }
}

#[test]
fn of_two_that_call_with_one_token_only_the_first_is_ever_heard() {
    let told = |kind: &str, name: &str, env: &str| {
        format!("[[checks]]\ncomponent = \"shop\"\nname = \"{name}\"\n{kind} = true\ntoken_env = \"{env}\"\n")
    };
    let outposts =
        "[outposts.berlin]\ntoken_env = \"SUPEROPS_TOKEN\"\n[outposts.boston]\ntoken_env = \"SUPEROPS_TOKEN\"\n";
    let (beat, pushed) = (told("heartbeat", "one", "SUPEROPS_TOKEN"), told("pushed", "told", "SUPEROPS_TOKEN"));
    let second = told("heartbeat", "two", "SUPEROPS_TOKEN");
    let other = told("heartbeat", "three", "SMTP_PASSWORD");
    let fine = notes(&format!("[components.shop]\n{beat}{pushed}{other}"));
    assert_eq!(fine, "--", "each calls another address, or shows another token");
    let wrong = notes(&format!("[components.shop]\n{beat}{second}{outposts}"));
    let words =
        ["same token as that of `shop/one`", "`shop/two` is never heard", "that of `berlin`", "`boston` is never"];
    assert!(words.iter().all(|words| wrong.contains(words)), "{wrong}");
}

#[test]
fn what_is_promised_and_never_measured_or_promised_twice_can_never_work() {
    let told = notes(
        "[components.bare]\n[components.empty]\nall_of = []\n[components.outer]\nall_of = [\"bare\"]\n\
         [components.fine]\nany_of = [\"shop\"]\n\
         [components.shop]\n[[checks]]\ncomponent = \"shop\"\nurl = \"https://shop.example.com/\"\n\
         [[promises]]\ncomponent = \"outer\"\ntarget = \"99\"\n[[promises]]\ncomponent = \"fine\"\ntarget = \"99\"\n\
         [[promises]]\ncomponent = \"fine\"\ntarget = \"99.9\"\nperiod = \"month\"\n\
         [[promises]]\ncomponent = \"fine\"\ntarget = \"99.9\"\nperiod = \"year\"\n",
    );
    assert_snapshot!(told);
}

#[test]
fn a_partial_outage_has_a_weight_only_where_a_group_can_do_without_some_of_its_members() {
    let promise = |id: &str| format!("[[promises]]\ncomponent = \"{id}\"\ntarget = \"99\"\npartial_outage = \"50\"\n");
    let config = good(&format!(
        "{LEAST}[components.shop]\n[[checks]]\ncomponent = \"shop\"\nurl = \"https://shop.example.com/\"\n\
         [components.all]\nall_of = [\"shop\"]\n[components.any]\nany_of = [\"shop\"]\n\
         [components.some]\nof = [\"shop\"]\nat_least = 1\n{}",
        ["shop", "all", "any", "some"].map(promise).concat()
    ));
    let weights: Vec<_> = config.uptime.promises.iter().map(|promise| promise.terms.partial).collect();
    assert_eq!(weights, [0, 0, 500, 500], "what is slow or lacks a text is not down");
    let remarks = config.notes.remarks;
    assert!(remarks.len() == 2 && remarks.iter().all(|one| one.contains("`partial_outage` changes nothing here")));
}

#[test]
fn what_says_nothing_or_twice_the_same_is_remarked_on_with_its_place() {
    let told = notes(
        "[reports]\nlogo = \"nix.png\"\n\
         [[alerts.steps]]\nafter = \"5m\"\nnotify = [\"technician\", \"manager\"]\n\
         [[alerts.steps]]\nafter = \"5m\"\nnotify = [\"manager\"]\nchannels = []\n\
         [[alerts.steps]]\nafter = \"5m\"\nnotify = [\"manager\"]\nchannels = [\"email\"]\n\
         [alerts.quiet_hours]\nfrom = \"22:00\"\nuntil = \"07:00\"\ntimezone = \"UTC\"\ndays = []\nchannels = []\n",
    );
    assert_snapshot!(told);
}

#[test]
fn a_secret_that_every_user_may_read_is_remarked_on() {
    let text = LEAST.replace("token_env = \"SUPEROPS_TOKEN\"", "token_file = \"token\"");
    let remarks = |env: &GivenEnvironment| Config::parse(Path::new("config.toml"), &text, env).unwrap().notes.remarks;
    assert_eq!(remarks(&env()), [""; 0]);
    assert_eq!(
        remarks(&env().with_all_reading("token")),
        ["config.toml:5:14: `token_file` names token, which every user of this machine may read: `chmod 600 token`"]
    );
}

#[test]
fn two_tenants_of_one_account_and_what_is_never_reached_are_remarked_on() {
    let config = good(&format!(
        "{LEAST}[tenants.b]\nsubdomain = \"ACME\"\nregion = \"eu\"\ntoken_env = \"SUPEROPS_TOKEN\"\n\
         [[policies]]\nresponse = \"1h\"\n[[policies]]\nsla = \"Gold\"\nresponse = \"2h\"\n\
         [[escalations]]\nname = \"all\"\n[[escalations.steps]]\nnotify = [\"technician\"]\n\
         [[escalations]]\nname = \"late\"\nstage = \"breached\"\n[[escalations.steps]]\nnotify = [\"technician\"]\n"
    ));
    let told = super::remarks::remarks(&config);
    let about = |word: &&String| ["same SuperOps account", "never"].iter().any(|part| word.contains(part));
    assert_snapshot!(told.iter().filter(about).cloned().collect::<Vec<_>>().join("\n"));
}
