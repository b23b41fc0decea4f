//! The clock is set forward and back. The one fault for which the loops are
//! turned by hand, in this process: the machine's own clock is not ours to set.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use crate::Run;
use crate::figure::Figure;
use crate::stage::ONE_BY_ONE;
use crate::support::TestApp;

const STEPS: &str = "[[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\nchannels = ['email']\n\
                     [[alerts.steps]]\nafter = '15m'\nnotify = ['email:first@example.com']\n\
                     [[alerts.steps]]\nafter = '30m'\nnotify = ['email:second@example.com']\n\
                     [[alerts.steps]]\nafter = '20d'\nnotify = ['email:third@example.com']\n";

/// Fault 13.
pub async fn jumps(run: Run) -> anyhow::Result<Vec<Figure>> {
    let tickets = run.pick(20, 500);
    let mut app = TestApp::with(&format!("{ONE_BY_ONE}{STEPS}")).await;
    for _ in 0..tickets {
        app.ticket(TimeDelta::hours(1));
    }
    app.turn().await;
    app.wait(TimeDelta::minutes(61)).await;
    let mut figures = Vec::new();
    for (name, jump) in [("+1 h", TimeDelta::hours(1)), ("-1 h", -TimeDelta::hours(1)), ("+30 d", TimeDelta::days(30))]
    {
        let before = app.outbox().await.len();
        app.wait(jump).await;
        let outbox = app.outbox().await;
        let said = outbox.len() - before;
        let mut steps: BTreeMap<_, BTreeSet<u32>> = BTreeMap::new();
        for row in &outbox {
            let new = &row.leased.notification;
            steps.entry((new.alert_key.clone(), new.stage.clone(), new.created_at)).or_default().insert(new.step);
        }
        let most = steps.values().map(BTreeSet::len).max().unwrap_or_default();
        let measured =
            format!("{name}: {said} messages for {tickets} alerts, {most} step at most for an alert and turn");
        figures.push(Figure::new(measured, "at most one step for each alert", most <= 1 && said <= tickets));
    }
    Ok(figures)
}
