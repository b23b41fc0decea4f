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
    let erase = |who: &str, more: &[&str]| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_superops-sla"));
        program.env("HOOK", "secret").env("TWILIO", "secret").arg("-c").arg(&config);
        let output = program.args(["privacy", "erase", who]).args(more).output().unwrap();
        let [said, wrong] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        said + &wrong
    };
    let asked = erase(&name, &[]);
    assert!(asked.contains("Mateo Alvarez, ") && asked.contains("nothing is changed yet: add --yes"), "{asked}");
    let said = erase(&name, &["--yes"]);
    assert!(said.contains("no old data is left"), "{said}");
    for file in [file.clone(), file.with_extension("db-wal")] {
        let bytes = std::fs::read(&file).unwrap_or_default();
        let left = bytes.windows(name.len()).filter(|part| part.eq_ignore_ascii_case(name.as_bytes())).count();
        assert_eq!(left, 0, "times in {}", file.display());
    }
    let nobody = erase(&name, &["--yes"]);
    assert!(nobody.contains("is known as `Mateo Alvarez`: give"), "{nobody}");
    // As if the first had been interrupted after its last change.
    app.database.tamper("INSERT INTO heartbeats (name, at) VALUES ('wipe due', 1)").await;
    let ended = erase(&name, &["--yes"]);
    assert!(ended.contains("an earlier erasure was interrupted") && ended.contains("no old data is left"), "{ended}");
    let nobody = erase(&name, &["--yes"]);
    assert!(nobody.contains("is known as `Mateo Alvarez`: give"), "it is done once: {nobody}");
    let id = asked.split("(id ").nth(1).and_then(|rest| rest.split(')').next()).unwrap();
    let again = erase(id, &["--yes"]);
    assert!(again.contains("no old data is left"), "by the id it may be said again: {again}");
}
