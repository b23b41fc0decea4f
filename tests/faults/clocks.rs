//! The clock is set forward and back. The one fault for which the loops are
//! turned by hand, in this process: the machine's own clock is not ours to set.

use std::collections::BTreeMap;

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
    app.heard();
    let mut figures = Vec::new();
    // Of two steps that are due only the one that holds now is run, once for each alert, and a jump back says nothing.
    let jumps = [
        ("+1 h", TimeDelta::hours(1), Some("second@example.com")),
        ("-1 h", -TimeDelta::hours(1), None),
        ("+30 d", TimeDelta::days(30), Some("third@example.com")),
    ];
    for (name, jump, next) in jumps {
        app.wait(jump).await;
        let mut told: BTreeMap<String, usize> = BTreeMap::new();
        for caught in app.heard() {
            *told.entry(caught.to.clone()).or_default() += 1;
        }
        let expected: BTreeMap<_, _> = next.into_iter().map(|next| (next.to_owned(), tickets)).collect();
        let measured = format!("{name}: {tickets} alerts, told to {told:?}");
        figures.push(Figure::new(measured, format!("{expected:?}"), told == expected));
    }
    Ok(figures)
}
