//! The process dies, starts again, or stands still.

use std::time::Duration;

use chrono::TimeDelta;
use superops_sla::simulator::receivers::{MailReply, SmsReply};
use tokio::time::sleep;

use crate::Run;
use crate::figure::Figure;
use crate::stage::{By, COMES_TO_REST, Stage, until};

/// Of 200 kills 9 messages came again, of 8 in a debug build on a busy machine 16: so many, and a few for each kill.
const REPEATED: usize = 25;

/// Fault 1.
pub async fn killed_at_random(run: Run) -> anyhow::Result<Vec<Figure>> {
    let (cycles, tickets) = run.pick((8, 80), (200, 2_000));
    let mut random = fastrand::Rng::with_seed(run.seed);
    let mut stage = Stage::set(By::Both).await?;
    // Spread over about the time that the cycles take, so that there is always something in flight.
    let spread = TimeDelta::milliseconds(cycles * 1_000);
    let names: Vec<String> = (0..tickets)
        .map(|nth| {
            let share =
                spread.num_milliseconds() * i64::try_from(nth).unwrap_or(0) / i64::try_from(tickets).unwrap_or(1);
            stage.ticket(nth, TimeDelta::seconds(3) + TimeDelta::milliseconds(share))
        })
        .collect();
    for _ in 0..cycles {
        sleep(Duration::from_millis(random.u64(100..1_500))).await;
        stage.kill()?;
        stage.start().await?;
    }
    stage.all_said(names.len()).await?;
    let (lost, doubled, repeats) = (stage.untold(&names).len(), stage.doubled(&names), stage.repeats());
    let most = REPEATED + usize::try_from(cycles)? / 4;
    Ok(vec![Figure::new(
        format!("{cycles} kills, {tickets} breaches: {lost} lost, {doubled} told twice, {repeats} deliveries repeated"),
        format!("0 lost, 0 told twice, at most {most} repeated: what was in flight"),
        lost == 0 && doubled == 0 && repeats <= most,
    )])
}

/// Fault 2.
pub async fn restarted_with_open_alerts(run: Run) -> anyhow::Result<Vec<Figure>> {
    let tickets = run.pick(150, 10_000);
    let mut stage = Stage::set(By::Both).await?;
    let due = TimeDelta::seconds(run.pick(8, 60));
    let names: Vec<String> = (0..tickets).map(|nth| stage.ticket(nth, due)).collect();
    stage.all_said(names.len()).await?;
    let before = stage.caught.total();
    stage.kill()?;
    stage.start().await?;
    sleep(Duration::from_secs(run.pick(5, 30))).await;
    let again = stage.caught.total() - before;
    let measured = format!("{tickets} open alerts: {again} sent again");
    Ok(vec![Figure::new(measured, "0", again == 0)])
}

/// Fault 3.
pub async fn killed_while_providers_are_down(run: Run) -> anyhow::Result<Vec<Figure>> {
    let tickets = run.pick(50, 2_000);
    let mut stage = Stage::set(By::Both).await?;
    stage.mail.reply(MailReply::Close);
    stage.sms.reply(SmsReply::Error500);
    let names: Vec<String> = (0..tickets).map(|nth| stage.ticket(nth, TimeDelta::seconds(4))).collect();
    let wanted = i64::try_from(tickets)?;
    let query = "SELECT COUNT(*) FROM alerts WHERE stage = 'breached'";
    until("the breaches are recorded", COMES_TO_REST, async || Ok(stage.count(query).await? >= wanted)).await?;
    stage.kill()?;
    stage.mail.reply(MailReply::Accept);
    stage.sms.reply(SmsReply::Accept);
    stage.start().await?;
    stage.all_said(names.len()).await?;
    let (lost, repeats) = (stage.untold(&names).len(), stage.repeats());
    let measured = format!("{tickets} accepted before the kill: {lost} lost, {repeats} repeated");
    Ok(vec![Figure::new(measured, "0 lost, 0 repeated", lost == 0 && repeats == 0)])
}

/// Fault 14.
pub async fn stopped_and_continued(run: Run) -> anyhow::Result<Vec<Figure>> {
    let (tickets, frozen) = run.pick((10, 8), (100, 600));
    let steps = "[alerts.limits]\nbundle_from = 1000000\n[alerts]\nwarn_left = ['1s']\n[[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\nchannels = ['email']\n\
                 [[alerts.steps]]\nafter = '3s'\nnotify = ['email:first@example.com']\n\
                 [[alerts.steps]]\nafter = '5s'\nnotify = ['email:second@example.com']\n\
                 [[alerts.steps]]\nafter = '6s'\nnotify = ['email:third@example.com']\n";
    let stage = Stage::with(steps).await?;
    let names: Vec<String> = (0..tickets).map(|nth| stage.ticket(nth, TimeDelta::seconds(4))).collect();
    let wanted = i64::try_from(tickets)?;
    let told = "SELECT COUNT(*) FROM notifications WHERE stage = 'breached' AND state = 'sent' AND step = 0";
    let first_told = async || Ok(stage.count(told).await? >= wanted);
    until("the first step has run", COMES_TO_REST, first_told).await?;
    stage.service().signal("STOP")?;
    sleep(Duration::from_secs(frozen)).await;
    stage.service().signal("CONT")?;
    sleep(Duration::from_secs(4)).await;
    let missed = stage.count("SELECT COUNT(*) FROM notifications WHERE stage = 'breached' AND step IN (1, 2)").await?;
    let current = stage.count("SELECT COUNT(*) FROM notifications WHERE stage = 'breached' AND step = 3").await?;
    let lost = stage.untold(&names).len();
    let measured = format!(
        "stopped for {frozen} s, {tickets} alerts: {current} current steps run, {missed} missed ones replayed, {lost} lost"
    );
    Ok(vec![Figure::new(
        measured,
        "each current step once, none replayed",
        current == wanted && missed == 0 && lost == 0,
    )])
}
