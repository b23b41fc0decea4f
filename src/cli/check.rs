//! `check`: what the configuration says, what SuperOps lets us do, and whether messages get through.

use std::path::Path;
use std::sync::Arc;

use super::{CheckArgs, CliError};
use crate::clock::{Clock, SharedClock, SystemClock};
use crate::config::{ChannelKind, Config, ProcessEnvironment, Tenant, explain};
use crate::notify::{self, Body, Message, sms};
use crate::store::outbox::notification_key;
use crate::superops::probe::{self, Verdict};
use crate::superops::{SuperOps, Urgency};
use crate::telemetry::Telemetry;

/// Explains the file at `path`; tries what it says, if asked to.
pub async fn check(path: &Path, args: CheckArgs) -> Result<(), CliError> {
    let config = Config::load(path, &ProcessEnvironment).map_err(CliError::usage)?;
    super::log(config.server.log_format, "off");
    println!("{} is in order.\n", path.display());
    println!("{}", explain::explain(&config).trim_end());
    let mut sound = true;
    if args.online {
        for tenant in config.tenants.values() {
            sound &= online(&config, tenant).await?;
        }
    }
    if let Some(address) = &args.send_test {
        sound &= send_test(&config, address).await?;
    }
    if sound { Ok(()) } else { Err(anyhow::anyhow!("not everything works; see above").into()) }
}

/// Tries SuperOps as this tenant. False if the service could not work with it.
async fn online(config: &Config, tenant: &Tenant) -> Result<bool, CliError> {
    println!("\nSuperOps for `{}` ({}):", tenant.id, tenant.endpoint);
    let client = SuperOps::new(tenant, Arc::new(Telemetry::default()))?;
    let findings = probe::probe(&client).await;
    for finding in &findings {
        let mark = match finding.verdict {
            Verdict::Ok => "ok      ",
            Verdict::Degraded => "degraded",
            Verdict::Failed => "FAILED  ",
        };
        println!("  {mark}  {}\n            {}", finding.what, finding.consequence);
    }
    let sound = findings.iter().all(|finding| finding.verdict != Verdict::Failed);
    if sound && let Ok(statuses) = client.statuses(Urgency::Routine).await {
        println!("\n{}", explain::statuses(config, tenant, &statuses).trim_end());
    }
    Ok(sound)
}

/// Sends one message on each channel that fits `address`. False if one was not taken.
async fn send_test(config: &Config, address: &str) -> Result<bool, CliError> {
    let fits = if address.contains('@') {
        ChannelKind::Email
    } else if sms::e164(address).is_some() {
        ChannelKind::Sms
    } else {
        return Err(CliError::usage(format!(
            "`{address}` is neither an email address nor a phone number with its country code, like +15005550006"
        )));
    };
    let clock: SharedClock = Arc::new(SystemClock);
    let channels = notify::connect(&config.notify, &clock)?;
    let mut fitting = channels.iter().filter(|channel| channel.channel() == fits).peekable();
    if fitting.peek().is_none() {
        return Err(CliError::usage(format!("[notify.{}] is not configured, so nothing fits `{address}`", fits.as_str())));
    }
    let mut sound = true;
    for channel in fitting {
        let result = channel.send(&test_message(address, &clock)).await;
        sound &= result.is_ok();
        match result {
            Ok(receipt) => println!("\n{}: taken{}", fits.as_str(), receipt.id.map(|id| format!(", as {id}")).unwrap_or_default()),
            Err(error) => println!("\n{}: {error}", fits.as_str()),
        }
    }
    Ok(sound)
}

fn test_message(address: &str, clock: &SharedClock) -> Message {
    let at = clock.now().to_rfc3339();
    Message {
        key: notification_key(&["test", address, &at]),
        thread: format!("test:{at}"),
        continues_thread: false,
        to: address.to_owned(),
        to_name: None,
        timezone: chrono_tz::Tz::UTC,
        body: Body::Test,
    }
}
