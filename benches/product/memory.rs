//! What the running program keeps in memory: the real binary, before a
//! look-alike in a process of its own.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;

use super::figure::Figure;
use super::program::{PROGRAM, Process, drain, service, status_mb};
use super::world::Receivers;

const OPEN: usize = 10_000;
/// After the first reading: the alerts go out, and the open tickets are swept once more.
const SETTLES: Duration = Duration::from_secs(75);

pub async fn measure() -> anyhow::Result<Vec<Figure>> {
    Ok(vec![memory(OPEN, 80).await?, memory(0, 40).await?])
}

async fn memory(open: usize, limit_mb: u64) -> anyhow::Result<Figure> {
    let folder = tempfile::tempdir()?;
    let (_look_alike, endpoint) = look_alike(open)?;
    let receivers = Receivers::start().await?;
    let config = receivers.write_config(folder.path(), &endpoint, "5s", "site", "")?;
    let service = service(config).await?;
    tokio::time::sleep(SETTLES).await;
    let (now, peak) = (status_mb(&service, "VmRSS:")?, status_mb(&service, "VmHWM:")?);
    let what = if open == 0 { "idle".to_owned() } else { format!("with {open} open tickets") };
    let measured = format!("{now} MB (peak {peak} MB)");
    Ok(Figure::new(format!("memory {what}"), measured, format!("under {limit_mb} MB"), now < limit_mb))
}

/// A look-alike and where it answers.
fn look_alike(open: usize) -> anyhow::Result<(Process, String)> {
    let tickets = open.to_string();
    let arguments = ["simulate", "--listen", "127.0.0.1:0", "--requests-per-minute", "0", "--tickets", &tickets];
    let mut child = Command::new(PROGRAM).args(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("its output is piped")?).lines();
    let process = Process(child);
    let endpoint = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let endpoint = line.strip_prefix("endpoint = ")?;
        Some(endpoint.trim_matches('"').to_owned())
    });
    drain(lines);
    Ok((process, endpoint.context("the look-alike did not say where it answers")?))
}
