//! The program as a process: started, killed, frozen, and asked how it is.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;

const PROGRAM: &str = env!("CARGO_BIN_EXE_superops-sla");

/// A running service; killed when dropped.
pub struct Service {
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Service {
    /// Starts `run` in `folder` and waits until it listens.
    pub async fn start(folder: &Path) -> anyhow::Result<Self> {
        Self::start_with(folder, &[]).await
    }

    /// The same with more in its environment.
    pub async fn start_with(folder: &Path, environment: &[(&str, String)]) -> anyhow::Result<Self> {
        // A write beyond the limit on file sizes is to fail like one on a full disk, and not to end the process.
        let script = "trap '' XFSZ; exec \"$0\" run";
        let mut child = Command::new("sh")
            .args(["-c", script, PROGRAM])
            .current_dir(folder)
            .env("TWILIO_AUTH_TOKEN", crate::stage::GATEWAY_TOKEN)
            .env_remove("RUST_LOG")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = child.stderr.take().context("its log is piped")?;
        let service = Self { child, log: Arc::default() };
        let log = Arc::clone(&service.log);
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                log.push_str(&line);
                log.push('\n');
            }
        });
        let listens = || service.log().contains("listening on http://");
        crate::stage::until("the service listens", Duration::from_secs(60), async || Ok(listens())).await?;
        Ok(service)
    }

    /// What a command of the program says beside the running service.
    pub fn ask(folder: &Path, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).current_dir(folder).env("TWILIO_AUTH_TOKEN", crate::stage::GATEWAY_TOKEN);
        Ok(String::from_utf8(command.output()?.stdout)?.trim().to_owned())
    }

    /// What `run` says when it does not start; none if it is still running after some seconds.
    pub fn refused(folder: &Path) -> Option<String> {
        let mut run = Command::new("timeout");
        run.args(["20", PROGRAM, "run"]).current_dir(folder).env("TWILIO_AUTH_TOKEN", crate::stage::GATEWAY_TOKEN);
        let output = run.output().ok()?;
        (output.status.code() == Some(1)).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where its pages are.
    pub fn url(&self) -> anyhow::Result<String> {
        let log = self.log();
        let at = log.find("http://").context("it has not said where it listens")?;
        Ok(log[at..].split_whitespace().next().unwrap_or_default().to_owned())
    }

    /// As a power cut does it.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Waits until it has ended by itself.
    pub fn ended(mut self) -> anyhow::Result<()> {
        let status = self.child.wait()?;
        anyhow::ensure!(status.success(), "it ended with {status}");
        Ok(())
    }

    /// `STOP`, `CONT` or `TERM`.
    pub fn signal(&self, name: &str) -> anyhow::Result<()> {
        let done = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status()?;
        anyhow::ensure!(done.success(), "the process took no {name}");
        Ok(())
    }

    /// No file of its may grow beyond `bytes`; none: as large as the disk allows.
    pub fn limit_files(&self, bytes: Option<u64>) -> anyhow::Result<()> {
        let limit = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
        let pid = format!("--pid={}", self.child.id());
        let done = Command::new("prlimit").args([pid, format!("--fsize={limit}:unlimited")]).status()?;
        anyhow::ensure!(done.success(), "prlimit (of util-linux) could not set the limit");
        Ok(())
    }

    /// The most memory it ever had, in MB.
    pub fn peak_mb(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).context("there is no VmHWM")?;
        Ok(line.split_whitespace().nth(1).context("VmHWM has no number")?.parse::<u64>()? / 1024)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Both fail if it has ended, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
