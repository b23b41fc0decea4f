//! The providers answer badly, late, or not at all.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use superops_sla::simulator::receivers::{CaughtKind, MailReply, SmsReply};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::Run;
use crate::figure::Figure;
use crate::stage::{ANY, By, COMES_TO_REST, Stage, is_breach, until};

const ATTEMPTS: &str =
    "SELECT COUNT(*) FROM attempts a JOIN notifications n ON n.key = a.notification AND n.channel = 'sms'";

/// Fault 4.
pub async fn down_for_a_while(run: Run) -> anyhow::Result<Vec<Figure>> {
    let tickets = run.pick(60, 200);
    let stage = Stage::set(By::Sms).await?;
    stage.sms.reply(SmsReply::Error500);
    let names: Vec<String> = (0..tickets).map(|nth| stage.ticket(nth, TimeDelta::seconds(4))).collect();
    sleep(Duration::from_secs(4 + 15)).await;
    stage.sms.reply(SmsReply::Accept);
    let back = Instant::now();
    stage.all_said(names.len()).await?;
    let drained = back.elapsed().as_secs_f64();
    let attempts = stage.count(ATTEMPTS).await?;
    let texts = stage.count("SELECT COUNT(*) FROM notifications WHERE channel = 'sms'").await?;
    let lost = stage.untold(&names).len();
    let share = attempts as f64 / texts.max(1) as f64;
    Ok(vec![Figure::timed(
        format!(
            "{texts} texts, {attempts} attempts ({share:.1} each), drained {drained:.1} s after it was back, {lost} lost"
        ),
        "at most 2 attempts each, drained within 5 s, 0 lost",
        share <= 2.0 && lost == 0,
        drained <= 5.0,
    )])
}

/// Fault 5.
pub async fn permanent_codes(_: Run) -> anyhow::Result<Vec<Figure>> {
    let stage = Stage::set(By::Sms).await?;
    let mut worst = Duration::ZERO;
    let codes = [21211, 21610, 21614, 30005, 30006];
    for (nth, code) in codes.into_iter().enumerate() {
        stage.sms.reply(SmsReply::Code(code));
        let before = stage.caught.total();
        let attempted = stage.count(ATTEMPTS).await?;
        stage.ticket(nth, TimeDelta::seconds(3));
        until("the gateway refuses", COMES_TO_REST, async || Ok(stage.count(ATTEMPTS).await? > attempted)).await?;
        let refused = Instant::now();
        until("the mail is there", COMES_TO_REST, async || Ok(stage.caught.total() > before)).await?;
        worst = worst.max(refused.elapsed());
    }
    sleep(Duration::from_secs(4)).await;
    let (attempts, texts) = (
        stage.count(ATTEMPTS).await?,
        stage.count("SELECT COUNT(*) FROM notifications WHERE channel = 'sms' AND state <> 'cancelled'").await?,
    );
    let slow = worst.as_millis();
    Ok(vec![Figure::timed(
        format!("{texts} texts refused for good, {attempts} attempts, mail at the latest {slow} ms after"),
        "exactly one attempt each, the next channel within 1 s",
        attempts == texts,
        worst < Duration::from_secs(1),
    )])
}

/// Fault 6.
pub async fn asked_to_wait(_: Run) -> anyhow::Result<Vec<Figure>> {
    const ASKED_SECONDS: u32 = 6;
    let stage = Stage::set(By::Sms).await?;
    stage.sms.reply(SmsReply::TooMany { retry_after: ASKED_SECONDS });
    stage.ticket(0, TimeDelta::seconds(3));
    // The warning before it is withdrawn when the ticket breaches, and never tried again.
    let breach = format!("{ATTEMPTS} WHERE n.stage = 'breached'");
    until("the gateway is asked", COMES_TO_REST, async || Ok(stage.count(&breach).await? > 0)).await?;
    stage.sms.reply(SmsReply::Accept);
    stage.all_said(1).await?;
    let waits = "SELECT COALESCE(MIN(b.at - a.at), 0) FROM attempts a JOIN attempts b
                 ON b.notification = a.notification AND b.number = a.number + 1 AND a.outcome = 'unavailable'";
    let waited = stage.count(waits).await?;
    let asked = i64::from(ASKED_SECONDS) * 1000;
    let measured = format!("asked to wait {asked} ms, tried again after {waited} ms");
    Ok(vec![Figure::new(measured, "not before", waited >= asked)])
}

/// A way of not answering.
#[derive(Clone, Copy, Debug)]
enum Silence {
    /// Takes the connection and says nothing, in TLS or without.
    Stalls,
    /// Hangs up at once.
    HangsUp,
    /// Reads the request, then hangs up.
    HangsUpAfterReading,
    /// A byte of the answer each second.
    Drips,
}

/// Fault 7.
pub async fn silent(run: Run) -> anyhow::Result<Vec<Figure>> {
    let gateways = [
        ("SMS stalls", "http", Silence::Stalls),
        ("SMS stalls in TLS", "https", Silence::Stalls),
        ("SMS hangs up", "http", Silence::HangsUp),
        ("SMS hangs up after reading", "http", Silence::HangsUpAfterReading),
        ("SMS drips", "http", Silence::Drips),
    ];
    let mut figures = Vec::new();
    for (name, scheme, silence) in gateways {
        let listener = TcpListener::bind(ANY).await?;
        let gateway = format!("{scheme}://{}", listener.local_addr()?);
        let mut gateways = JoinSet::new();
        gateways.spawn(play(listener, silence));
        let stage = Stage::with_gateway(&gateway, By::Both).await?;
        figures.push(told_in_time(&stage, name, CaughtKind::Email, run).await?);
    }
    for (name, reply) in [("mail hangs", MailReply::Hang), ("mail closes after the body", MailReply::CloseAfterData)] {
        let stage = Stage::set(By::Both).await?;
        stage.mail.reply(reply);
        figures.push(told_in_time(&stage, name, CaughtKind::Sms, run).await?);
    }
    Ok(figures)
}

/// How late breaches are told by the channel that works.
async fn told_in_time(stage: &Stage, name: &str, working: CaughtKind, run: Run) -> anyhow::Result<Figure> {
    let tickets = run.pick(14, 140);
    let due = chrono::TimeDelta::seconds(4);
    let names: Vec<String> = (0..tickets).map(|nth| stage.ticket(nth, due)).collect();
    let started = Instant::now();
    let all = async || {
        let told = stage.caught.newest_first(usize::MAX).iter().any(|caught| caught.kind == working);
        Ok(told && stage.untold(&names).is_empty())
    };
    until("the other channel tells all", COMES_TO_REST, all).await?;
    let late = started.elapsed().as_secs_f64() - 4.0;
    let measured = format!("{name}: {tickets} breaches told by the other channel {late:.2} s after they were due");
    Ok(Figure::timed(measured, "within 2 s", true, late < 2.0))
}

async fn play(listener: TcpListener, silence: Silence) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(answer(stream, silence));
    }
}

async fn answer(mut stream: TcpStream, silence: Silence) {
    let mut request = [0; 4096];
    match silence {
        Silence::HangsUp => {}
        Silence::Stalls => std::future::pending().await,
        Silence::HangsUpAfterReading => drop(stream.read(&mut request).await),
        Silence::Drips => {
            let _ = stream.read(&mut request).await;
            for byte in b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
                .iter()
                .chain([b' '; 1000].iter())
            {
                if stream.write_all(&[*byte]).await.is_err() {
                    return;
                }
                sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// Fault 8.
pub async fn strange_answers(_: Run) -> anyhow::Result<Vec<Figure>> {
    let stage = Stage::set(By::Sms).await?;
    let bodies = [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "<html>taken</html>".to_owned(),
        r#"{"sid":null,"status":"teleported","error_code":"none","price":{}}"#.to_owned(),
        format!("{{\"sid\":\"SM{}\"}}", "0".repeat(2_000_000)),
    ];
    let mut names = Vec::new();
    for (nth, body) in bodies.iter().enumerate() {
        stage.sms.reply(SmsReply::OddBody(body.clone()));
        names.push(stage.ticket(nth, TimeDelta::seconds(3)));
        stage.all_said(names.len()).await?;
    }
    sleep(Duration::from_secs(6)).await;
    let texts = stage.caught.newest_first(usize::MAX);
    let breaches = texts.iter().filter(|caught| caught.kind == CaughtKind::Sms && is_breach(caught)).count();
    let (lost, repeats) = (stage.untold(&names).len(), stage.repeats());
    let measured = format!("{} bodies: {breaches} texts, {repeats} repeated, {lost} lost", bodies.len());
    Ok(vec![Figure::new(measured, "each sent once", breaches == bodies.len() && repeats == 0 && lost == 0)])
}
