//! The demo shows what the product is for: its figures say whether it does.

use std::process::Command;

use serde_json::Value;

/// What the demo says at its end, after so much of the desk's time.
fn figures_after(length: &str) -> Value {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_superops-sla"));
    let output = demo.args(["demo", "--json", "--at-once", length]).env_remove("RUST_LOG").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn number(figures: &Value, name: &str) -> u64 {
    figures[name].as_u64().unwrap_or_else(|| panic!("`{name}` is no number in {figures}"))
}

/// Two hours of the desk: as much as goes by in the first two minutes of a demo.
#[tokio::test(flavor = "multi_thread")]
async fn in_two_minutes_of_the_demo_a_person_sees_what_the_product_is_for() {
    let figures = tokio::task::spawn_blocking(|| figures_after("2h")).await.unwrap();
    let of_stage = |stage: &str| {
        let alerts = figures["alerts"].as_array().unwrap().iter();
        alerts.filter(|line| line["stage"] == stage).map(|line| line["number"].as_u64().unwrap()).sum::<u64>()
    };
    for stage in ["predicted", "warning", "breached"] {
        assert!(of_stage(stage) > 0, "no alert is {stage}: {figures}");
    }
    let standings = ["breached", "at_risk", "on_track", "paused", "nothing_due"].map(|name| number(&figures, name));
    assert_eq!(standings.iter().sum::<u64>(), number(&figures, "open"), "no open ticket is left out: {figures}");
    let acknowledged = number(&figures, "acknowledged_by_link") + number(&figures, "acknowledged_by_text");
    assert!(number(&figures, "escalations") > 0 && acknowledged > 0 && number(&figures, "recoveries") > 0, "{figures}");
    let (decided, came_true) = (number(&figures, "predictions_decided"), number(&figures, "predictions_true"));
    assert!(came_true * 2 > decided, "what is predicted mostly comes true: {figures}");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_working_day_of_the_demo_most_clocks_are_met_and_nobody_is_told_too_much() {
    let figures = tokio::task::spawn_blocking(|| figures_after("6h")).await.unwrap();
    let (met, decided) = (number(&figures, "clocks_met"), number(&figures, "clocks_decided"));
    assert!(decided >= 30 && (85..=97).contains(&(met * 100 / decided)), "about nine in ten are met: {figures}");
    let said = &figures["said"];
    assert!(said["people"].as_array().unwrap().len() >= 8, "the work is shared: {said}");
    assert!(number(said, "most_in_a_day") <= 15 && number(said, "median_a_day") <= 6, "{said}");
    assert_eq!(said["breaches_told_in_time"], said["breaches"], "{said}");
    assert_eq!(said["texts_at_night"], 0, "{said}");
}
