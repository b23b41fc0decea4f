//! The program as a process of its own, as it is installed.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_superops-sla");

/// A process that ends with us.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The service, once it has read the whole account.
pub async fn service(config: PathBuf) -> anyhow::Result<Process> {
    tokio::task::spawn_blocking(move || start(&config)).await?
}

fn start(config: &Path) -> anyhow::Result<Process> {
    let run = Command::new(PROGRAM).arg("run").arg("--config").arg(config).stderr(Stdio::piped()).spawn();
    let mut child = run?;
    let mut lines = BufReader::new(child.stderr.take().context("its log is piped")?).lines();
    let process = Process(child);
    let read = lines.by_ref().map_while(Result::ok).any(|line| line.contains("have been read"));
    drain(lines);
    anyhow::ensure!(read, "the service has ended before it had read all tickets");
    Ok(process)
}

/// The service on a store that has read the account before, and where it listens.
pub async fn listening(config: PathBuf) -> anyhow::Result<(Process, SocketAddr)> {
    tokio::task::spawn_blocking(move || {
        let run = Command::new(PROGRAM).arg("run").arg("--config").arg(config).stderr(Stdio::piped()).spawn();
        let mut child = run?;
        let mut lines = BufReader::new(child.stderr.take().context("its log is piped")?).lines();
        let process = Process(child);
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, address) = line.split_once("listening on http://")?;
            address.split_whitespace().next()?.parse().ok()
        });
        drain(lines);
        Ok((process, address.context("the service did not say where it listens")?))
    })
    .await?
}

/// Reads on: what nobody reads fills its pipe and stops the writer, and a pipe that is closed ends it.
pub fn drain(lines: impl Iterator<Item = std::io::Result<String>> + Send + 'static) {
    std::thread::spawn(move || lines.for_each(drop));
}

/// A figure of `/proc/PID/status`, which counts in kB.
pub fn status_mb(process: &Process, name: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.0.id()))?;
    let line = status.lines().find(|line| line.starts_with(name)).context("there is no such figure")?;
    let kb: u64 = line.split_whitespace().nth(1).context("it has no number")?.parse()?;
    Ok(kb / 1024)
}
