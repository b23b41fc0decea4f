//! What is left of a person who was erased by hand.

use std::process::Command;

use chrono::TimeDelta;
use superops_sla::simulator::NewTicket;

use crate::support::{TestApp, usual};

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_person_is_not_even_in_the_freed_room_of_the_file() {
    let mut app = TestApp::start().await;
    // What a server keeps is for its own tools.
    let Some(file) = app.database.file().map(ToOwned::to_owned) else { return };
    app.turn().await;
    let name = "Mateo Alvarez".to_owned();
    for hours in 1..60 {
        let technician = Some(name.clone());
        app.superops.add(NewTicket { technician, resolution_due_in: Some(TimeDelta::hours(hours)), ..usual() });
    }
    app.turn().await;
    app.wait(TimeDelta::hours(30)).await;
    app.stop().await;
    let config = file.with_file_name("config.toml");
    std::fs::write(&config, app.config_text()).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_superops-sla"));
    for variable in ["HOOK", "TWILIO"] {
        program.env(variable, "secret");
    }
    let erased = program.arg("-c").arg(&config).args(["privacy", "erase", &name, "--yes"]).output().unwrap();
    let said = String::from_utf8_lossy(&erased.stdout);
    assert!(said.contains("nothing of before is left"), "{said} {}", String::from_utf8_lossy(&erased.stderr));
    for file in [file.clone(), file.with_extension("db-wal")] {
        let bytes = std::fs::read(&file).unwrap_or_default();
        let left = bytes.windows(name.len()).filter(|part| part.eq_ignore_ascii_case(name.as_bytes())).count();
        assert_eq!(left, 0, "times in {}", file.display());
    }
}
