//! What comes back from outside: reports on messages, and acknowledgements.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::TimeDelta;
use reqwest::Client;
use superops_sla::simulator::receivers::{CaughtKind, Fate, Reports};
use tokio::time::sleep;

use crate::Run;
use crate::figure::Figure;
use crate::stage::{By, COMES_TO_REST, ONE_BY_ONE, Stage, is_breach, until};

/// Twilio's code for a phone that is switched off.
const UNREACHABLE: u32 = 30003;

/// Fault 9.
pub async fn undelivered(run: Run) -> anyhow::Result<Vec<Figure>> {
    let tickets = run.pick(20, 200);
    let stage = Stage::set(By::Sms).await?;
    stage.reports(Fate::Undelivered(UNREACHABLE), Reports::InOrder)?;
    let names: Vec<String> = (0..tickets).map(|nth| stage.ticket(nth, TimeDelta::seconds(4))).collect();
    stage.all_said(names.len()).await?;
    stage.sms.deliver().await;
    let reported = Instant::now();
    let by_mail = async || {
        let messages = stage.caught.newest_first(usize::MAX);
        Ok(messages.iter().filter(|caught| caught.kind == CaughtKind::Email && is_breach(caught)).count() >= tickets)
    };
    until("the mails are there", COMES_TO_REST, by_mail).await?;
    let slow = reported.elapsed();
    let (repeats, texts) = (stage.repeats(), names.len());
    let measured = format!(
        "{texts} texts not delivered: all by mail {} ms after the reports, {repeats} repeated",
        slow.as_millis()
    );
    Ok(vec![Figure::timed(measured, "within 5 s, 0 repeated", repeats == 0, slow < Duration::from_secs(5))])
}

/// Fault 10.
pub async fn strange_reports(_: Run) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (name, reports) in [("five-fold", Reports::FiveFold), ("re-ordered", Reports::Reversed)] {
        let stage = Stage::set(By::Sms).await?;
        stage.reports(Fate::Undelivered(UNREACHABLE), reports)?;
        let names: Vec<String> = (0..10).map(|nth| stage.ticket(nth, TimeDelta::seconds(4))).collect();
        stage.all_said(names.len()).await?;
        let before = stage.caught.total();
        let forged = forge(&stage).await?;
        let changed_by_forgery = stage.caught.total() - before;
        stage.sms.deliver().await;
        sleep(Duration::from_secs(3)).await;
        let messages = stage.caught.newest_first(usize::MAX);
        let mails = messages.iter().filter(|caught| caught.kind == CaughtKind::Email && is_breach(caught)).count();
        figures.push(Figure::new(
            format!("{name}: {mails} mails for {} texts; forged: {forged}, {changed_by_forgery} changes", names.len()),
            "one mail for each text; 403 and no change",
            mails == names.len() && forged == 403 && changed_by_forgery == 0,
        ));
    }
    Ok(figures)
}

/// Reports every text as lost, with a signature of our own making. Gives the status of the answer.
async fn forge(stage: &Stage) -> anyhow::Result<u16> {
    let url = stage.service().url()?;
    let form = [("MessageSid", "SM00000000000000000000000000000000"), ("MessageStatus", "undelivered")];
    let forged = Client::new().post(format!("{url}/hooks/twilio/status")).header("X-Twilio-Signature", "Zm9yZ2Vk");
    Ok(forged.form(&form).send().await?.status().as_u16())
}

/// Fault 18. Each alert is acknowledged at about the moment at which its next step is due.
pub async fn acknowledged_while_it_escalates(run: Run) -> anyhow::Result<Vec<Figure>> {
    let tickets = run.pick(40, 400);
    let steps = format!(
        "{ONE_BY_ONE}[[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\nchannels = ['email']\n\
         [[alerts.steps]]\nafter = '3s'\nnotify = ['email:next@example.com']\n"
    );
    let stage = Stage::with(&steps).await?;
    let (url, token) = (stage.service().url()?, stage.token("responder")?);
    for nth in 0..tickets {
        stage.ticket(nth, TimeDelta::seconds(4));
    }
    let first = "SELECT COUNT(*) FROM notifications WHERE stage = 'breached' AND step = 0";
    let wanted = i64::try_from(tickets)?;
    until("the first step is run", COMES_TO_REST, async || Ok(stage.count(first).await? >= wanted)).await?;
    sleep(Duration::from_millis(2_700)).await;
    acknowledge_all(&url, &token).await?;
    sleep(Duration::from_secs(5)).await;
    let acknowledged = stage.count("SELECT COUNT(*) FROM alerts WHERE acked_at IS NOT NULL").await?;
    let late = stage
        .count(
            "SELECT COUNT(*) FROM notifications n JOIN alerts a ON a.key = n.alert_key
             WHERE n.stage = 'breached' AND n.step > 0 AND n.created_at > a.acked_at",
        )
        .await?;
    let escalated = stage.count("SELECT COUNT(*) FROM notifications WHERE stage = 'breached' AND step > 0").await?;
    let measured = format!(
        "{acknowledged} of {tickets} acknowledged, {escalated} of them just too late; {late} told after their acknowledgement"
    );
    Ok(vec![Figure::new(measured, "all acknowledged, 0 told after it", late == 0 && acknowledged == wanted)])
}

async fn acknowledge_all(url: &str, token: &str) -> anyhow::Result<()> {
    let client = Client::new();
    let page: serde_json::Value =
        client.get(format!("{url}/api/v1/alerts?limit=500")).bearer_auth(token).send().await?.json().await?;
    for alert in page["alerts"].as_array().context("the API lists no alerts")? {
        let id = alert["id"].as_str().context("an alert has no id")?;
        let acknowledged = client.post(format!("{url}/api/v1/alerts/{id}/ack")).bearer_auth(token).send().await?;
        anyhow::ensure!(acknowledged.status().is_success(), "it was not acknowledged: {}", acknowledged.status());
    }
    Ok(())
}
