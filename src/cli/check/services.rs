//! Looks once at each configured service, and says what could not be reached and why.

use futures_util::stream::{self, StreamExt};

use super::super::CliError;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::config::uptime::Check;
use crate::probe::Prober;
use crate::store::millis;
use crate::uptime::Condition;

/// The most looks under way at once.
const AT_ONCE: usize = 16;

/// Returns a line for each service that we look at, and false if one could not be reached.
pub async fn try_services(config: &Config) -> Result<(bool, String), CliError> {
    let looked_at: Vec<&Check> = config.uptime.checks.iter().filter(|check| check.is_ours()).collect();
    if looked_at.is_empty() {
        return Ok((true, String::new()));
    }
    eprintln!("looking at {} services …", looked_at.len());
    let prober = Prober::new().map_err(anyhow::Error::from)?;
    let look = async |check: &Check| tried(&prober, check).await;
    let found: Vec<(bool, String)> = stream::iter(looked_at).map(look).buffered(AT_ONCE).collect().await;
    let lines: String = found.iter().map(|(_, line)| line.as_str()).collect();
    Ok((found.iter().all(|(reached, _)| *reached), format!("\nServices\n{lines}")))
}

async fn tried(prober: &Prober, check: &Check) -> (bool, String) {
    let look = prober.look(&check.probe, 0, millis(SystemClock.now())).await;
    let (id, took) = (&check.id, look.phases.whole.as_millis());
    let why = look.detail.as_deref().unwrap_or("it does not answer as it should");
    match look.verdict {
        Condition::Up => (true, format!("  ok        {id}, in {took} ms\n")),
        Condition::Degraded => (true, format!("  degraded  {id}: {why}\n")),
        Condition::Unknown => (false, format!("  UNKNOWN   {id}: {why}\n")),
        Condition::Down => (false, format!("  FAILED    {id}: {why}\n")),
    }
}
