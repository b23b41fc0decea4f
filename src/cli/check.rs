//! `check`: faults in the configuration, what it means, what SuperOps lets us do, and whether messages get through.

pub mod last_week;
mod local;
mod online;
mod services;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use clap::Args;
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

use self::last_week::Week;
use super::CliError;
use crate::alert::on_call::Override;
use crate::clock::{Clock, SharedClock, SystemClock};
use crate::config::{ChannelKind, Config, ProcessEnvironment, explain, names, remarks};
use crate::notify::{self, Body, Message, sms};
use crate::sla::zone::Tz;
use crate::store::outbox::{Said, notification_key};
use crate::ticket::unlisted::unlisted;
use crate::ticket::{Directory, TenantId};
use crate::zone_rules::ZoneWatch;

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Show everything that the configuration makes the program do
    #[arg(long, short)]
    verbose: bool,
    /// Try the token, compare SuperOps' schema with ours, probe what works there
    #[arg(long)]
    online: bool,
    /// Send one test message on each channel that fits this address, number, or one of: call:+NUMBER, ntfy:TOPIC, slack, teams, pagerduty, webhook
    #[arg(long, value_name = "ADDRESS")]
    send_test: Option<String>,
    /// Play the last week of the store through this configuration: how many messages it would have sent, as people answered and if nobody had
    #[arg(long)]
    last_week: bool,
}

/// Explains the file at `path`, and tries out what it says if asked to.
pub(super) async fn check(path: &Path, args: CheckArgs) -> Result<(), CliError> {
    let config = Arc::new(Config::load(path, &ProcessEnvironment).map_err(CliError::usage)?);
    super::log(config.server.log_format, "off");
    let mut sound = true;
    let mut directories = directories_on_record(&config).await;
    let mut online = String::new();
    if args.online {
        for tenant in config.tenants.values() {
            let tried = online::try_tenant(tenant, &config.store).await?;
            sound &= tried.sound;
            online.push_str(&tried.text);
            if tried.sound {
                directories.insert(tenant.id.clone(), Arc::new(tried.directory));
            }
        }
    }
    if args.online {
        let (reached, lines) = services::try_services(&config).await?;
        sound &= reached;
        online.push_str(&lines);
    }
    let statuses = statuses(&directories);
    if args.online
        && let Some(account) = local::sms_account(&config).await
    {
        sound &= account.is_ok();
        online.push_str(
            &account.map_or_else(
                |why| format!("\nSMS\n  FAILED    {why}\n"),
                |words| format!("\nSMS\n  ok        {words}\n"),
            ),
        );
    }
    if args.online
        && let Some(tried) = online::try_sign_in(&config).await
    {
        sound &= tried.is_ok();
        let words = tried.map_or_else(|why| format!("FAILED    {why}"), |words| format!("ok        {words}"));
        online.push_str(&format!("\nSign-in\n  {words}\n"));
    }
    let mut tried = config.notes.futile.clone();
    tried.extend(local::faults(&config).await);
    sound &= tried.is_empty();
    headed(&format!("{}: {} to put right", path.display(), notify::counted(tried.len(), "thing")), &tried)?;
    if tried.is_empty() {
        super::print(&format!("{} is in order.\n", path.display()))?;
    }
    let zones = ZoneWatch::of_this_machine().newest();
    super::print(&format!("{online}Time zones: {}\n", zones.words(SystemClock.now())))?;
    if let Some(said) = said_lately(&config).await {
        super::print(&format!("{said}\n"))?;
    }
    if args.last_week {
        super::print(&format!("{}\n", last_week_words(&config).await?))?;
    }
    headed("\nWorth a look", &worth_a_look(&config, &directories).await)?;
    super::print(&format!("\nIn short\n{}\n", explain::summary(&config).trim_end()))?;
    match args.verbose {
        true => super::print(&format!("\n{}\n", explain::details(&config, &statuses).trim_end()))?,
        false => super::print("  `--verbose` shows all of it\n")?,
    }
    if let Some(address) = &args.send_test {
        sound &= send_test(&config, address).await?;
    }
    if sound { Ok(()) } else { Err(anyhow::anyhow!("not everything works; see above").into()) }
}

/// Lists what is allowed but may not be intended.
async fn worth_a_look(config: &Config, directories: &BTreeMap<TenantId, Arc<Directory>>) -> Vec<String> {
    let mut lines = remarks::remarks(config);
    lines.extend(unknown_names(config, directories));
    lines.extend(unlisted_statuses(config, directories).await);
    lines.extend(no_texts(config).await);
    let overrides = overrides_on_record(config).await;
    lines.extend(super::check_on_call::remarks(config, directories, &overrides, SystemClock.now()));
    lines.extend(super::check_write_back::remarks(config, directories));
    lines
}

/// Prints `lines` as a list under `title`; nothing if there are none.
fn headed(title: &str, lines: &[String]) -> Result<(), CliError> {
    if lines.is_empty() {
        return Ok(());
    }
    super::print(&lines.iter().fold(format!("{title}\n"), |text, line| text + "  - " + line + "\n"))
}

/// Returns the status names of each tenant whose list was read.
fn statuses(directories: &BTreeMap<TenantId, Arc<Directory>>) -> BTreeMap<TenantId, Vec<String>> {
    let of = |(tenant, directory): (&TenantId, &Arc<Directory>)| (tenant.clone(), directory.statuses.clone());
    directories.iter().filter(|(_, directory)| !directory.statuses.is_empty()).map(of).collect()
}

/// Returns what an earlier run has read of each tenant, if there was one.
async fn directories_on_record(config: &Config) -> BTreeMap<TenantId, Arc<Directory>> {
    let mut known = BTreeMap::new();
    let Ok(store) = super::existing_store(config, Arc::default()).await else { return known };
    for tenant in config.tenants.keys() {
        if let Ok(directory) = store.directory(tenant).await {
            known.insert(tenant.clone(), directory);
        }
    }
    store.close().await;
    known
}

/// Lists statuses that look closed or paused but are not configured, one line each, with how many tickets had them when
/// an earlier run last read them.
async fn unlisted_statuses(config: &Config, directories: &BTreeMap<TenantId, Arc<Directory>>) -> Vec<String> {
    let store = super::existing_store(config, Arc::default()).await.ok();
    let mut lines = Vec::new();
    for tenant in config.tenants.values() {
        let open = match &store {
            Some(store) => store.open_tickets(&tenant.id).await.unwrap_or_default(),
            None => Arc::default(),
        };
        let names = directories.get(&tenant.id).into_iter().flat_map(|directory| &directory.statuses);
        let found = unlisted(&tenant.statuses, names, open.values().map(Arc::as_ref));
        lines.extend(found.iter().map(|one| format!("{}: {}", tenant.id, one.words())));
    }
    if let Some(store) = store {
        store.close().await;
    }
    lines
}

/// Lists who gets no text messages any more, as an earlier run found, one line each.
async fn no_texts(config: &Config) -> Vec<String> {
    let Ok(store) = super::existing_store(config, Arc::default()).await else { return Vec::new() };
    let lines = super::no_texts::lines(&store, SystemClock.now()).await.unwrap_or_default();
    store.close().await;
    lines
}

/// How many messages people got in the last week, if an earlier run sent any.
async fn said_lately(config: &Config) -> Option<String> {
    let store = super::existing_store(config, Arc::default()).await.ok()?;
    let said = store.said_in(&config.tenants.keys().collect::<Vec<_>>(), 7, SystemClock.now()).await.ok().flatten();
    store.close().await;
    Some(format!("Messages of the last 7 days: {}", said_words(said?)))
}

/// How many messages this configuration would have sent in the last week.
async fn last_week_words(config: &Arc<Config>) -> anyhow::Result<String> {
    eprintln!("playing the last week through this configuration …");
    // None of this really happens, so the log must not show it as messages that were sent.
    let played = last_week::play(config, SystemClock.now()).with_subscriber(NoSubscriber::new());
    Ok(match played.await? {
        Some(week) => week_words(week),
        None => "This configuration would have sent nobody a message in the last 7 days, or the store has no history of them"
            .to_owned(),
    })
}

fn week_words(week: Week) -> String {
    let words = |said: Option<Said>| said.map_or_else(|| "nothing".to_owned(), said_words);
    let left_out = match week.predictions_a_day {
        Some(0) => "none are made".to_owned(),
        Some(most) => format!("at most {} a day for each tenant", notify::counted(most, "alert")),
        None => "as many alerts as breaches are likely enough for `predict_at`".to_owned(),
    };
    format!(
        "Messages of this configuration in the last 7 days\n  people answering as they did: {}\n    \
         (who replied to a ticket or took it over counts as having acknowledged its alerts)\n  nobody answering: {}\n  \
         predictions, which are left out: {left_out}",
        words(week.as_answered),
        words(week.unanswered)
    )
}

/// `at most 12 to one of 5 people within a day, median 3`.
fn said_words(said: Said) -> String {
    let of = if said.people == 1 {
        "the one person who got any".to_owned()
    } else {
        format!("one of {} people", said.people)
    };
    format!("at most {} to {of} within a day, median {}", said.most_in_a_day, said.median_a_day)
}

/// Who stands in for whom, as far as an earlier run has stored it.
async fn overrides_on_record(config: &Config) -> Vec<Override> {
    if config.on_call.is_empty() {
        return Vec::new();
    }
    let Ok(store) = super::existing_store(config, Arc::default()).await else { return Vec::new() };
    let overrides = store.overrides_from(SystemClock.now()).await.unwrap_or_default();
    store.close().await;
    overrides
}

/// Lists what the configuration names but SuperOps does not have.
fn unknown_names(config: &Config, directories: &BTreeMap<TenantId, Arc<Directory>>) -> Vec<String> {
    let known = config.tenants.values().filter_map(|tenant| Some((tenant, directories.get(&tenant.id)?)));
    known.flat_map(|(tenant, directory)| names::unknown(config, tenant, directory)).collect()
}

/// Sends one message on each channel that fits `address`. Returns false if one was not accepted.
async fn send_test(config: &Config, address: &str) -> Result<bool, CliError> {
    let (fits, to) = fitting_channel(address).ok_or_else(|| {
        CliError::usage(format!(
            "`{address}` is neither an email address nor a phone number with its country code, like +15005550006, \
             nor call:+NUMBER, ntfy:TOPIC, slack, slack:#CHANNEL, teams, pagerduty or webhook"
        ))
    })?;
    let clock: SharedClock = Arc::new(SystemClock);
    let channels = notify::connect(&config.notify, &clock)?;
    let Some(channel) = channels.iter().find(|channel| channel.channel() == fits) else {
        let name = fits.as_str();
        return Err(CliError::usage(format!("[notify.{name}] is not configured, so nothing fits `{address}`")));
    };
    let result = channel.send(&test_message(to, &clock)).await;
    let sound = result.is_ok();
    match result {
        Ok(receipt) => {
            super::print(&format!(
                "\n{}: {}{}\n",
                fits.words(),
                notify::accepted_words(fits),
                receipt.id.map(|id| format!(", as {id}")).unwrap_or_default()
            ))?;
        }
        Err(error) => super::print(&format!("\n{}: {error}\n", fits.words()))?,
    }
    Ok(sound)
}

/// Returns the channel that is meant and its recipient: written as in a step, or as the address alone.
fn fitting_channel(address: &str) -> Option<(ChannelKind, &str)> {
    let named = |kind: ChannelKind, to| Some((kind, to));
    match address.split_once(':') {
        Some(("slack", _)) => return named(ChannelKind::Slack, address),
        Some(("call", to)) => return named(ChannelKind::Voice, to.trim()),
        Some(("ntfy", topic)) => return named(ChannelKind::Ntfy, topic.trim()),
        Some(("email", to)) => return named(ChannelKind::Email, to.trim()),
        Some(("sms", to)) => return named(ChannelKind::Sms, to.trim()),
        _ => {}
    }
    match ChannelKind::parse(address) {
        Some(kind) if kind.is_system() => named(kind, address),
        _ if address.contains('@') => named(ChannelKind::Email, address),
        _ if sms::e164(address).is_some() => named(ChannelKind::Sms, address),
        _ => None,
    }
}

fn test_message(address: &str, clock: &SharedClock) -> Message {
    let at = clock.now().to_rfc3339();
    Message {
        key: notification_key(&["test", address, &at]),
        thread: format!("test:{at}"),
        continues_thread: false,
        to: address.to_owned(),
        to_name: None,
        timezone: Tz::UTC,
        body: Body::Test,
    }
}
