//! The store cannot be written for a while.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use chrono::TimeDelta;
use sqlx::Executor as _;
use superops_sla::simulator::receivers::{MailReply, SmsReply};
use tokio::time::sleep;

use crate::Run;
use crate::figure::Figure;
use crate::service::Service;
use crate::stage::{By, COMES_TO_REST, ONE_BY_ONE, Stage, until};

/// Whether the service calls itself ready.
async fn ready(stage: &Stage) -> anyhow::Result<bool> {
    let answer = reqwest::get(format!("{}/readyz", stage.service().url()?)).await?;
    Ok(answer.status().is_success())
}

/// Fault 11. A limit on file sizes stands in for the full disk: the same write fails in the same place.
pub async fn disk_full(run: Run) -> anyhow::Result<Vec<Figure>> {
    let tickets = run.pick(30, 300);
    let stage = Stage::set(By::Both).await?;
    until("ready", COMES_TO_REST, async || ready(&stage).await).await?;
    let names: Vec<String> = (0..tickets).map(|nth| stage.ticket(nth, TimeDelta::seconds(12))).collect();
    let wanted = i64::try_from(tickets)?;
    let read = async || Ok(stage.count("SELECT COUNT(*) FROM tickets").await? >= wanted);
    until("the tickets are read", COMES_TO_REST, read).await?;
    stage.service().limit_files(Some(4096))?;
    until("it says that it is not ready", COMES_TO_REST, async || Ok(!ready(&stage).await?)).await?;
    sleep(Duration::from_secs(run.pick(14, 60))).await;
    let false_success = stage.caught.total();
    stage.service().limit_files(None)?;
    until("ready again", COMES_TO_REST, async || ready(&stage).await).await?;
    stage.all_said(names.len()).await?;
    let (lost, repeats) = (stage.untold(&names).len(), stage.repeats());
    let measured = format!(
        "{tickets} breaches meanwhile: {false_success} sent without a record, not ready, then {lost} lost, {repeats} repeated"
    );
    Ok(vec![Figure::new(measured, "0, 0, 0", false_success == 0 && lost == 0 && repeats == 0)])
}

/// Fault 12.
pub async fn locked(run: Run) -> anyhow::Result<Vec<Figure>> {
    let (tickets, seconds) = run.pick((30, 8), (300, 30));
    let stage = Stage::set(By::Both).await?;
    let names: Vec<String> = (0..tickets).map(|nth| stage.ticket(nth, TimeDelta::seconds(4))).collect();
    sleep(Duration::from_secs(2)).await;
    let mut other = stage.beside(false).await?;
    other.execute("BEGIN IMMEDIATE").await?;
    sleep(Duration::from_secs(seconds)).await;
    other.execute("ROLLBACK").await?;
    stage.all_said(names.len()).await?;
    let (lost, doubled, repeats) = (stage.untold(&names).len(), stage.doubled(&names), stage.repeats());
    let measured =
        format!("locked for {seconds} s, {tickets} breaches: {lost} lost, {doubled} told twice, {repeats} repeated");
    Ok(vec![Figure::new(measured, "0, 0, 0", lost == 0 && doubled == 0 && repeats == 0)])
}

/// A small file system of its own; taken off when dropped.
struct Mounted(PathBuf);

impl Mounted {
    /// None if we may not: only root can.
    fn over(folder: &std::path::Path) -> Option<Self> {
        let place = folder.to_path_buf();
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", "size=256m", "tmpfs"]).arg(&place).output().ok()?;
        done.status.success().then_some(Self(place))
    }

    fn remount(&self, how: &str) -> anyhow::Result<()> {
        let done = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(&self.0).output()?;
        anyhow::ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        Ok(())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // If it fails, a small empty file system stays until the next boot.
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

/// Fault 11, too: after a crash the file system comes back read-only, as Linux does it when a disk has errors.
pub async fn read_only(run: Run) -> anyhow::Result<Vec<Figure>> {
    let tickets = run.pick(30, 300);
    let mut stage = Stage::bare().await?;
    let Some(mounted) = Mounted::over(stage.folder()) else {
        return Ok(vec![Figure::skipped("NOT PLAYED: only root can mount a file system")]);
    };
    stage.configure(&stage.sms.url(), &format!("{ONE_BY_ONE}{}", By::Both.step()))?;
    stage.start().await?;
    stage.mail.reply(MailReply::Close);
    stage.sms.reply(SmsReply::Error500);
    let names: Vec<String> = (0..tickets).map(|nth| stage.ticket(nth, TimeDelta::seconds(4))).collect();
    let wanted = i64::try_from(tickets)?;
    let breached = "SELECT COUNT(*) FROM alerts WHERE stage = 'breached'";
    until("the breaches are recorded", COMES_TO_REST, async || Ok(stage.count(breached).await? >= wanted)).await?;
    stage.kill()?;
    stage.mail.reply(MailReply::Accept);
    stage.sms.reply(SmsReply::Accept);
    mounted.remount("ro")?;
    let before = stage.caught.total();
    let refused = Service::refused(stage.folder()).context("it runs on a store that it cannot write")?;
    let (said_so, false_success) = (refused.to_lowercase().contains("read-only"), stage.caught.total() - before);
    mounted.remount("rw")?;
    stage.start().await?;
    stage.all_said(names.len()).await?;
    let (lost, doubled) = (stage.untold(&names).len(), stage.doubled(&names));
    stage.kill()?;
    let measured = format!(
        "{tickets} breaches, then read-only: it ends and says so: {said_so}; {false_success} sent, then {lost} lost, {doubled} told twice"
    );
    let holds = said_so && false_success == 0 && lost == 0 && doubled == 0;
    Ok(vec![Figure::new(measured, "true, 0, 0, 0", holds)])
}
