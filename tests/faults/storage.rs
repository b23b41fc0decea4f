//! The store cannot be written for a while.

use std::time::Duration;

use chrono::TimeDelta;
use sqlx::Executor as _;
use tokio::time::sleep;

use crate::Run;
use crate::figure::Figure;
use crate::stage::{By, COMES_TO_REST, Stage, until};

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
    let (lost, doubled, repeats) = (stage.untold(&names).len(), stage.doubled_rows().await?, stage.repeats());
    let measured =
        format!("locked for {seconds} s, {tickets} breaches: {lost} lost, {doubled} doubled, {repeats} repeated");
    Ok(vec![Figure::new(measured, "0, 0, 0", lost == 0 && doubled == 0 && repeats == 0)])
}
