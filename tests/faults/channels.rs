//! The other ways to people: pushes, cards in Teams and calls, while their providers are down, and what comes back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::TimeDelta;
use reqwest::Client;
use superops_sla::clock::SystemClock;
use superops_sla::simulator::receivers::{
    Callee, CaughtKind, DeliveryOutcome, HttpReply, NtfyCatcher, Reports, SmsReply, TeamsCatcher,
};
use tokio::time::sleep;

use crate::Run;
use crate::figure::Figure;
use crate::stage::{ANY, ONE_BY_ONE, Stage, is_breach};

/// Their names in the store, and as they are caught.
const WAYS: [(&str, CaughtKind); 3] =
    [("ntfy", CaughtKind::Ntfy), ("teams", CaughtKind::Teams), ("voice", CaughtKind::Voice)];

/// Fault 19.
pub async fn down_forged_and_doubled(run: Run) -> anyhow::Result<Vec<Figure>> {
    let tickets = run.pick(20, 100);
    let mut stage = Stage::bare().await?;
    let clock = Arc::new(SystemClock);
    let ntfy = NtfyCatcher::start(ANY, clock.clone(), stage.caught.clone()).await?;
    let teams = TeamsCatcher::start(ANY, clock, stage.caught.clone()).await?;
    set_up(&stage, &ntfy, &teams)?;
    stage.start().await?;
    ntfy.reply(HttpReply::Status(503));
    teams.reply(HttpReply::Status(503));
    stage.sms.reply_to_calls(SmsReply::Error500);
    for nth in 0..tickets {
        stage.ticket(nth, TimeDelta::seconds(4));
    }
    sleep(Duration::from_secs(4 + 15)).await;
    ntfy.reply(HttpReply::Accept);
    teams.reply(HttpReply::Accept);
    stage.sms.reply_to_calls(SmsReply::Accept);
    let back = Instant::now();
    stage.all_said(tickets).await?;
    let drained = back.elapsed();
    let mut figures = Vec::new();
    for way in WAYS {
        figures.push(survived(&stage, way, tickets, drained).await?);
    }
    figures.push(answered(&stage, tickets).await?);
    Ok(figures)
}

/// Everybody is told by each of the three.
fn set_up(stage: &Stage, ntfy: &NtfyCatcher, teams: &TeamsCatcher) -> anyhow::Result<()> {
    let folder = stage.database().parent().context("the store has a folder")?.to_owned();
    std::fs::write(folder.join("ntfy-token"), "tk_faults")?;
    std::fs::write(folder.join("workflow"), teams.url())?;
    let more = format!(
        "{ONE_BY_ONE}calls_per_number = []\n\
         [notify.voice]\nfrom = \"+15005550006\"\n\
         [notify.ntfy]\ntoken_file = \"ntfy-token\"\nbase_url = \"{}\"\n\
         [notify.teams]\nwebhook_url_file = \"workflow\"\nper_minute = 60000\n\
         [[alerts.steps]]\nafter = '0s'\nnotify = ['technician', 'ntfy:sla', 'teams']\nchannels = ['voice']\n",
        ntfy.url()
    );
    stage.configure(&stage.sms.url(), &more)
}

async fn survived(
    stage: &Stage,
    (name, kind): (&str, CaughtKind),
    tickets: usize,
    drained: Duration,
) -> anyhow::Result<Figure> {
    let messages = stage.count(&format!("SELECT COUNT(*) FROM notifications WHERE channel = '{name}'")).await?;
    let attempts = "SELECT COUNT(*) FROM attempts a JOIN notifications n ON n.key = a.notification";
    let attempts = stage.count(&format!("{attempts} AND n.channel = '{name}'")).await?;
    let caught = stage.caught.newest_first(usize::MAX);
    let told = caught.iter().filter(|one| one.kind == kind && is_breach(one)).count();
    let share = attempts as f64 / messages.max(1) as f64;
    let (lost, seconds) = (tickets.saturating_sub(told), drained.as_secs_f64());
    Ok(Figure::timed(
        format!(
            "{name}: {messages} messages, {attempts} attempts ({share:.1} each), drained {seconds:.1} s after it was back, {lost} lost"
        ),
        "at most 2 attempts each, drained within 5 s, 0 lost",
        share <= 2.0 && lost == 0,
        seconds <= 5.0,
    ))
}

/// First somebody else presses the keys, then everybody who was called, and Twilio passes each key on five times.
async fn answered(stage: &Stage, tickets: usize) -> anyhow::Result<Figure> {
    const ACKNOWLEDGED: &str = "SELECT COUNT(*) FROM audit WHERE what LIKE 'acknowledged alert%'";
    let url = stage.service().url()?;
    let calls = "SELECT key FROM notifications WHERE channel = 'voice' AND state = 'sent' AND stage LIKE 'breached%'";
    let calls: Vec<(String,)> = sqlx::query_as(calls).fetch_all(&mut stage.beside(true).await?).await?;
    anyhow::ensure!(!calls.is_empty(), "nobody was called");
    let mut forged = BTreeSet::new();
    for (key,) in &calls {
        let form = [("CallSid", "CA00000000000000000000000000000001"), ("Digits", "1")];
        let request =
            Client::new().post(format!("{url}/hooks/twilio/voice?n={key}")).header("X-Twilio-Signature", "Zm9yZ2Vk");
        forged.insert(request.form(&form).send().await?.status().as_u16());
    }
    let by_forgery = stage.count(ACKNOWLEDGED).await?;
    stage.reports(DeliveryOutcome::Delivered, Reports::InOrder)?;
    stage.sms.ring(Callee::PicksUp(Some('1')), Reports::FiveFold).await;
    let acknowledged = stage.count(ACKNOWLEDGED).await?;
    let measured = format!(
        "keys: forged {forged:?}, {by_forgery} acknowledged; pressed in {} calls, each passed on five times: {acknowledged} acknowledged",
        calls.len()
    );
    let once_each = usize::try_from(acknowledged)? == tickets;
    let holds = forged == BTreeSet::from([403]) && by_forgery == 0 && once_each;
    Ok(Figure::new(measured, "403 and no change; each alert once", holds))
}
