//! What happened in a demo, in numbers and in words.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Said;
use super::world::World;
use crate::notify;
use crate::service::{Counts, Reach, Service};
use crate::simulator::receivers::CaughtKind;
use crate::sla::zone::Tz;
use crate::store::Store;
use crate::store::record::Highlights;
use crate::ticket::TenantId;

/// What happened, in numbers.
#[derive(Serialize)]
pub struct Figures {
    /// Whom the messages reached, and whether in time.
    pub said: Said,
    #[serde(flatten)]
    counts: Counts,
    alerts: Vec<AlertCount>,
    /// Of the clocks that were decided during the demo.
    pub clocks_met: usize,
    pub clocks_decided: usize,
    predictions: usize,
    /// Of those, how many are decided, and how many of these were breaches.
    predictions_decided: usize,
    predictions_true: usize,
    emails: usize,
    text_messages: usize,
    slack_messages: usize,
    webhooks: usize,
    waiting: i64,
    failed: i64,
    escalations: i64,
    recoveries: i64,
    digests: i64,
    acknowledged_by_link: i64,
    acknowledged_by_text: i64,
    superops_requests: u64,
}

#[derive(Serialize)]
struct AlertCount {
    clock: &'static str,
    stage: String,
    state: String,
    number: i64,
}

impl Figures {
    pub(super) async fn take(
        service: &Service,
        store: &Store,
        world: &World,
        zone: Tz,
        began: DateTime<Utc>,
    ) -> anyhow::Result<Self> {
        let overview = service.overview(&Reach::All).await?;
        let tally = store.tally(&Reach::All, DateTime::<Utc>::MIN_UTC).await?;
        let Highlights { escalations, by_link, by_text, digests, recoveries } = store.highlights().await?;
        let tenant = TenantId::parse("demo")?;
        let predicted = store.told_predictions(&[&tenant], began).await?.remove(&tenant).unwrap_or_default();
        let alerts = store.alert_counts().await?.into_iter().map(|count| AlertCount {
            clock: count.clock.words(),
            stage: count.stage,
            state: count.state,
            number: count.number,
        });
        let caught = world.caught.newest_first(usize::MAX);
        let kinds = |kind| caught.iter().filter(|message| message.kind == kind).count();
        let (clocks_met, clocks_decided) = world.look_alike.met_since(began);
        Ok(Self {
            said: Said::take(store, &world.look_alike, &caught, zone).await?,
            counts: overview.counts,
            alerts: alerts.collect(),
            clocks_met,
            clocks_decided,
            predictions: predicted.len(),
            predictions_decided: predicted.iter().filter(|one| one.breached.is_some()).count(),
            predictions_true: predicted.iter().filter(|one| one.breached == Some(true)).count(),
            emails: kinds(CaughtKind::Email),
            text_messages: kinds(CaughtKind::Sms),
            slack_messages: kinds(CaughtKind::Slack),
            webhooks: kinds(CaughtKind::Webhook),
            waiting: tally.pending,
            failed: tally.failed,
            escalations,
            recoveries,
            digests,
            acknowledged_by_link: by_link,
            acknowledged_by_text: by_text,
            superops_requests: world.look_alike.requests().total,
        })
    }

    /// As sentences.
    pub fn in_words(&self) -> String {
        let mut text = format!(
            "\n{} open tickets: {}\n{} of {} clocks that were decided were met\n",
            self.counts.open,
            self.counts.in_words(),
            self.clocks_met,
            self.clocks_decided
        );
        for AlertCount { clock, stage, state, number } in &self.alerts {
            text.push_str(&format!("{number:>5}  {clock} {stage}, {state}\n"));
        }
        text.push_str(&format!(
            "{} breaches were predicted; {} of the {} that are decided came true\n\
             {} emails, {} text messages, {} Slack messages and {} webhooks were caught; {} still wait, {} failed\n\
             nobody got more than {} emails and text messages in a day\n",
            self.predictions,
            self.predictions_true,
            self.predictions_decided,
            self.emails,
            self.text_messages,
            self.slack_messages,
            self.webhooks,
            self.waiting,
            self.failed,
            self.said.most_in_a_day
        ));
        text.push_str(&format!(
            "{} later escalation steps, {} recovery notices and {} digests after quiet hours were sent\n\
             {} acknowledged by the link in a mail, {} by replying to a text message\n\
             SuperOps was asked {} times",
            self.escalations,
            self.recoveries,
            self.digests,
            notify::counted(usize::try_from(self.acknowledged_by_link).unwrap_or_default(), "alert"),
            self.acknowledged_by_text,
            self.superops_requests
        ));
        text
    }
}
