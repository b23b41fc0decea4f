//! The core decides, the rim acts: the core may not reach for what acts.

use std::fs;
use std::path::{Path, PathBuf};

/// The files of the core, which know nothing of networks, files, async or the clock.
const CORE: [&str; 5] = ["src/ticket", "src/sla", "src/alert", "src/report", "src/uptime"];

/// What the core's `use` lines may begin with. Downwards only: alert, report -> sla -> ticket.
const MAY_USE: [&str; 14] = [
    "std::",
    "chrono",
    "arc_swap",
    "jiff",
    "serde",
    "thiserror",
    "crate::ticket",
    "crate::sla",
    "crate::alert",
    "crate::report",
    "crate::uptime",
    "super",
    "self",
    "proptest",
];

fn files_under(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_under(&path) } else { vec![path] }).collect()
}

fn core_files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rooms = CORE.iter().flat_map(|room| {
        let mut files = files_under(&root.join(room));
        files.push(root.join(format!("{room}.rs")));
        files
    });
    rooms.filter(|file| !file.ends_with("tests.rs")).collect()
}

#[test]
fn the_core_uses_nothing_that_acts() {
    let mut offences = Vec::new();
    for file in core_files() {
        let text = fs::read_to_string(&file).unwrap();
        let uses = text.lines().filter_map(|line| line.trim_start_matches("pub ").strip_prefix("use "));
        for used in uses.filter(|used| !MAY_USE.iter().any(|allowed| used.starts_with(allowed))) {
            offences.push(format!("{}: use {used}", file.display()));
        }
        for word in ["async fn", "std::fs", "std::net", "std::env", "Utc::now", "tokio", "tracing"] {
            if text.contains(word) {
                offences.push(format!("{}: {word}", file.display()));
            }
        }
    }
    assert_eq!(offences, Vec::<String>::new());
}

#[test]
fn ticket_and_sla_do_not_look_upwards() {
    let upwards = |file: &Path, text: &str| {
        let path = file.display().to_string();
        (path.contains("src/ticket") && (text.contains("crate::sla") || text.contains("crate::alert")))
            || (path.contains("src/sla") && text.contains("crate::alert"))
    };
    let offences: Vec<_> =
        core_files().into_iter().filter(|file| upwards(file, &fs::read_to_string(file).unwrap())).collect();
    assert_eq!(offences, Vec::<PathBuf>::new());
}
