//! SuperOps, or whoever writes its tickets, sends what nobody would send in good faith.

use chrono::TimeDelta;
use superops_sla::simulator::NewTicket;
use superops_sla::simulator::fault::Fault;
use superops_sla::simulator::receivers::CaughtKind;

use crate::Run;
use crate::figure::Figure;
use crate::stage::{By, Stage};

const MEMORY_MB: u64 = 150;

/// Fault 15.
pub async fn hostile_json(run: Run) -> anyhow::Result<Vec<Figure>> {
    let stage = Stage::set(By::Both).await?;
    let answers = [
        Fault::Truncated,
        Fault::NotJson,
        Fault::EmptyBody,
        Fault::Html502,
        Fault::BadRecord,
        Fault::HugeBody(run.pick(200, 2_000) << 20),
    ];
    let mut names = Vec::new();
    for (nth, answer) in answers.iter().enumerate() {
        stage.superops.fail(answer.clone(), 2);
        names.push(stage.ticket(nth, TimeDelta::seconds(3)));
        stage.all_said(names.len()).await?;
    }
    let (lost, peak) = (stage.untold(&names).len(), stage.service().peak_mb()?);
    let panics = stage.service().log().matches("panicked").count();
    let measured = format!("{} bad answers: {panics} panics, {lost} lost, {peak} MB at most", answers.len());
    let bound = format!("0, 0, under {MEMORY_MB} MB");
    Ok(vec![Figure::new(measured, bound, panics == 0 && lost == 0 && peak < MEMORY_MB)])
}

/// Fault 16.
pub async fn hostile_words(_: Run) -> anyhow::Result<Vec<Figure>> {
    let stage = Stage::set(By::Both).await?;
    let subjects = [
        "Printer\r\nBcc: everybody@example.com\r\n\r\nHello".to_owned(),
        "<script>alert(1)</script><img src=x onerror=alert(2)>".to_owned(),
        "🔥🔥 the 🖨️ is on fire 👩🏽‍🚒".to_owned(),
        "\u{202e}הדפסת\u{202c} الطابعة لا تعمل".to_owned(),
        "x".repeat(10_000),
    ];
    let mut names = Vec::new();
    for subject in subjects {
        let due = Some(TimeDelta::seconds(3));
        names.push(stage.add(NewTicket { subject, resolution_due_in: due, ..NewTicket::default() }));
        stage.all_said(names.len()).await?;
    }
    let messages = stage.caught.newest_first(usize::MAX);
    let mails = messages.iter().filter(|caught| caught.kind == CaughtKind::Email);
    let broken = mails.filter(|mail| {
        let html = mail.html.as_deref().unwrap_or_default();
        mail.header("bcc").is_some() || html.contains("<script") || html.contains("<img") || html.len() > 40_000
    });
    let texts = messages.iter().filter(|caught| caught.kind == CaughtKind::Sms);
    let bad = broken.count() + texts.filter(|text| text.text.chars().count() > 160).count();
    let lost = stage.untold(&names).len();
    let measured = format!("{} hostile subjects: {bad} bad messages, {lost} lost", names.len());
    Ok(vec![Figure::new(measured, "0, 0", bad == 0 && lost == 0)])
}
