//! Attempts that end together are recorded together, and each has consequences of its own.

use std::sync::Arc;

use chrono::TimeDelta;
use superops_sla::alert::escalation::ChannelKind;
use superops_sla::store::outbox::{Attempted, Outcome, UnderWay};
use superops_sla::ticket::Reach;

use crate::support::{TestApp, minutes};

const BY_MAIL: &str = "[alerts]\nwarn_at = []\n[alerts.limits]\nbundle_from = 1000\n\
                       [[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\nchannels = ['email']\n";

#[tokio::test]
async fn what_ended_together_goes_separate_ways() {
    let mut app = TestApp::with(BY_MAIL).await;
    for _ in 0..3 {
        app.ticket(TimeDelta::hours(1));
    }
    app.turn().await;
    app.clock.advance(minutes(61));
    app.sync().await;
    app.evaluate().await;
    let (store, now) = (app.parts().store.clone(), app.now());
    let rules = Arc::new(app.parts().config.alerts.noise.clone());
    let round = store.lease_due(ChannelKind::Email, 9, minutes(1), &rules, &UnderWay::default(), now).await.unwrap();
    let again = Outcome::Again {
        at: now + minutes(5),
        why: "451".to_owned(),
        unreported: 0,
        next_channel_too: false,
        next_step_too: false,
    };
    let outcomes = [
        Outcome::Taken { provider_id: Some("4F2A1".to_owned()) },
        Outcome::Failed { why: "550".to_owned(), misconfigured: false },
        again,
    ];
    let ended = round.leased.into_iter().zip(outcomes);
    let ended: Vec<_> = ended.map(|(leased, outcome)| Attempted { leased, outcome, at: now }).collect();
    store.record_attempts(ended.into()).await.unwrap();
    let mut rows = store.notifications(&Reach::All, None, 9).await.unwrap();
    rows.sort_by(|a, b| a.state.cmp(&b.state).then(a.leased.notification.channel.cmp(&b.leased.notification.channel)));
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let (channel, why) = (row.leased.notification.channel.as_str(), row.last_error.as_deref().unwrap_or("-"));
            format!("{channel} {} {why}", row.state)
        })
        .collect();
    assert_eq!(rows, ["email failed 550", "email pending 451", "sms pending -", "email sent -"]);
}
