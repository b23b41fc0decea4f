//! What the running program keeps in memory: the real binary, before a
//! look-alike in a process of its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context;

use super::figure::Figure;
use super::world::Receivers;

const PROGRAM: &str = env!("CARGO_BIN_EXE_superops-sla");
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
    let config = receivers.write_config(folder.path(), &endpoint, "5s")?;
    let service = tokio::task::spawn_blocking(move || service(&config)).await??;
    tokio::time::sleep(SETTLES).await;
    let (now, peak) = (status_mb(&service, "VmRSS:")?, status_mb(&service, "VmHWM:")?);
    let what = if open == 0 { "idle".to_owned() } else { format!("with {open} open tickets") };
    let measured = format!("{now} MB (peak {peak} MB)");
    Ok(Figure::new(format!("memory {what}"), measured, format!("under {limit_mb} MB"), now < limit_mb))
}

/// A process that ends with us.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
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

/// The service, once it has read the whole account.
fn service(config: &Path) -> anyhow::Result<Process> {
    let run = Command::new(PROGRAM).arg("run").arg("--config").arg(config).stderr(Stdio::piped()).spawn();
    let mut child = run?;
    let mut lines = BufReader::new(child.stderr.take().context("its log is piped")?).lines();
    let process = Process(child);
    let read = lines.by_ref().map_while(Result::ok).any(|line| line.contains("have been read"));
    drain(lines);
    anyhow::ensure!(read, "the service has ended before it had read all tickets");
    Ok(process)
}

/// Reads on: what nobody reads fills its pipe and stops the writer, and a pipe that is closed ends it.
fn drain(lines: impl Iterator<Item = std::io::Result<String>> + Send + 'static) {
    std::thread::spawn(move || lines.for_each(drop));
}

/// A figure of `/proc/PID/status`, which counts in kB.
fn status_mb(process: &Process, name: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.0.id()))?;
    let line = status.lines().find(|line| line.starts_with(name)).context("there is no such figure")?;
    let kb: u64 = line.split_whitespace().nth(1).context("it has no number")?.parse()?;
    Ok(kb / 1024)
}
