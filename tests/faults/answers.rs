//! What comes back from outside: reports on messages, and acknowledgements.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::TimeDelta;
use reqwest::Client;
use superops_sla::simulator::receivers::{CaughtKind, DeliveryOutcome, MailReply, Reports};
use tokio::time::sleep;

use crate::Run;
use crate::figure::Figure;
use crate::stage::{By, COMES_TO_REST, ONE_BY_ONE, Stage, is_breach, until, words};

/// Twilio's code for a phone that is switched off.
const UNREACHABLE: u32 = 30003;

/// Who hears of the next step.
const NEXT: &str = "next@example.com";

/// Fault 9.
pub async fn undelivered(run: Run) -> anyhow::Result<Vec<Figure>> {
    let tickets = run.pick(20, 200);
    let stage = Stage::set(By::Sms).await?;
    stage.reports(DeliveryOutcome::Undelivered(UNREACHABLE), Reports::InOrder)?;
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
        stage.reports(DeliveryOutcome::Undelivered(UNREACHABLE), reports)?;
        let names: Vec<String> = (0..10).map(|nth| stage.ticket(nth, TimeDelta::seconds(4))).collect();
        stage.all_said(names.len()).await?;
        let before = stage.caught.total();
        let forged = forge(&stage).await?;
        // What a report changes is said within moments.
        sleep(Duration::from_secs(3)).await;
        let changed_by_forgery = stage.caught.total() - before;
        stage.sms.deliver().await;
        sleep(Duration::from_secs(3)).await;
        let messages = stage.caught.newest_first(usize::MAX);
        let mails = messages.iter().filter(|caught| caught.kind == CaughtKind::Email && is_breach(caught)).count();
        figures.push(Figure::new(
            format!(
                "{name}: {mails} mails for {} texts; forged: {forged:?}, {changed_by_forgery} changes",
                names.len()
            ),
            "one mail for each text; 403 and no change",
            mails == names.len() && forged == BTreeSet::from([403]) && changed_by_forgery == 0,
        ));
    }
    Ok(figures)
}

/// Reports every text as lost, as Twilio would, but with a signature of our own making. Gives the statuses of the answers.
async fn forge(stage: &Stage) -> anyhow::Result<BTreeSet<u16>> {
    let url = stage.service().url()?;
    let sent = "SELECT key, provider_id FROM notifications WHERE channel = 'sms' AND state = 'sent'";
    let sent: Vec<(String, String)> = sqlx::query_as(sent).fetch_all(&mut stage.beside(true).await?).await?;
    anyhow::ensure!(!sent.is_empty(), "there is no text to report on");
    let (client, code) = (Client::new(), UNREACHABLE.to_string());
    let mut answers = BTreeSet::new();
    for (key, sid) in sent {
        let form = [("MessageSid", sid.as_str()), ("MessageStatus", "undelivered"), ("ErrorCode", &code)];
        let forged = client.post(format!("{url}/hooks/twilio/status?n={key}")).header("X-Twilio-Signature", "Zm9yZ2Vk");
        answers.insert(forged.form(&form).send().await?.status().as_u16());
    }
    Ok(answers)
}

/// Fault 18. Each alert is acknowledged at about the moment at which its next step is due, or shortly after the first
/// attempt of that step, while the mail server asks to try later: so nothing is on its way, and whatever arrives
/// afterwards was told after its acknowledgement.
pub async fn acknowledged_while_it_escalates(run: Run) -> anyhow::Result<Vec<Figure>> {
    let tickets = run.pick(40, 400);
    let steps = format!(
        "{ONE_BY_ONE}[[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\nchannels = ['email']\n\
         [[alerts.steps]]\nafter = '3s'\nnotify = ['email:{NEXT}']\n"
    );
    let stage = Stage::with(&steps).await?;
    let (url, token) = (stage.service().url()?, stage.token("responder")?);
    for nth in 0..tickets {
        stage.ticket(nth, TimeDelta::seconds(4));
    }
    let first = "SELECT COUNT(*) FROM notifications WHERE stage = 'breached' AND step = 0 AND state = 'sent'";
    let wanted = i64::try_from(tickets)?;
    until("the first step is told", COMES_TO_REST, async || Ok(stage.count(first).await? >= wanted)).await?;
    stage.mail.reply(MailReply::TryLater);
    let to_next = |stage: &Stage| {
        let messages = stage.caught.newest_first(usize::MAX);
        messages.iter().filter(|caught| caught.to.contains(NEXT) && is_breach(caught)).count()
    };
    let before = to_next(&stage);
    let due = "SELECT COUNT(*) FROM alerts WHERE stage = 'breached' AND acked_at IS NULL AND step = 1
               AND next_step_at <= (unixepoch('subsec') + 0.15) * 1000";
    let near = async || Ok(stage.count(due).await? > 0);
    until("the next step is near", COMES_TO_REST, near).await?;
    let alerts = open_alerts(&url, &token).await?;
    let (racing, tried) = alerts.split_at(tickets / 2);
    acknowledge(&url, &token, racing, Duration::from_millis(300)).await?;
    // The others once an attempt of their step has failed: their messages wait for the next one, which nobody looks at
    // again but to send it.
    let failed = "SELECT COUNT(*) FROM alerts a JOIN notifications n ON n.alert_key = a.key WHERE a.acked_at IS NULL
                  AND n.stage = 'breached' AND n.step = 1 AND n.state = 'pending' AND n.attempts > 0";
    let others = i64::try_from(tried.len())?;
    let wait = async || Ok(stage.count(failed).await? >= others);
    until("the others were tried once", COMES_TO_REST, wait).await?;
    acknowledge(&url, &token, tried, Duration::ZERO).await?;
    let escalated = stage.count("SELECT COUNT(*) FROM notifications WHERE stage = 'breached' AND step > 0").await?;
    stage.mail.reply(MailReply::Accept);
    // One that nobody acknowledges shows that steps run and mails arrive.
    let control = stage.ticket(tickets, TimeDelta::seconds(2));
    let arrives = async || {
        let messages = stage.caught.newest_first(usize::MAX);
        Ok(messages.iter().any(|caught| caught.to.contains(NEXT) && words(caught).contains(&control)))
    };
    until("the next step of another alert is told", COMES_TO_REST, arrives).await?;
    sleep(Duration::from_secs(8)).await;
    let late = to_next(&stage) - before - 1;
    let acknowledged = alerts.len();
    let measured = format!(
        "{acknowledged} of {tickets} acknowledged, {others} of them after an attempt, {escalated} when their step had \
         run; {late} told after it"
    );
    Ok(vec![Figure::new(measured, "all acknowledged, 0 told after it", late == 0 && acknowledged == tickets)])
}

/// The ids of the open alerts.
async fn open_alerts(url: &str, token: &str) -> anyhow::Result<Vec<String>> {
    let page = Client::new().get(format!("{url}/api/v1/alerts?limit=500")).bearer_auth(token).send().await?;
    let page: serde_json::Value = page.json().await?;
    let alerts = page["alerts"].as_array().context("the API lists no alerts")?;
    let id = |alert: &serde_json::Value| Some(alert["id"].as_str()?.to_owned());
    alerts.iter().map(|alert| id(alert).context("an alert has no id")).collect()
}

/// Acknowledges `alerts`, one after the other, within about `spread`.
async fn acknowledge(url: &str, token: &str, alerts: &[String], spread: Duration) -> anyhow::Result<()> {
    let client = Client::new();
    for id in alerts {
        let acknowledged = client.post(format!("{url}/api/v1/alerts/{id}/ack")).bearer_auth(token).send().await?;
        anyhow::ensure!(acknowledged.status().is_success(), "it was not acknowledged: {}", acknowledged.status());
        sleep(spread / u32::try_from(alerts.len())?).await;
    }
    Ok(())
}
