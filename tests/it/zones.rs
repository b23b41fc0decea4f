//! Countries change their clocks: newer rules of a time zone hold in a running service, for tickets that it knows.

use std::fs;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use jiff::tz::TimeZoneDatabase;
use superops_sla::service::Reach;
use superops_sla::sla::calendar::{Calendar, CalendarSpec};
use superops_sla::sla::zone::{self, Tz};
use superops_sla::zone_rules::ZoneWatch;

use crate::support::{TestApp, minutes, usual};

/// Nobody else in these tests is there. It is five hours ahead of UTC.
const VOSTOK: &str = "Antarctica/Vostok";

/// A folder as a machine has it, in whose version a zone is so many hours ahead of UTC at all times (RFC 9636).
fn machine(version: &str, name: &str, hours: i32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tzdata.zi"), format!("# version {version}\n")).unwrap();
    let block = |form: u8| {
        let mut block = b"TZif".to_vec();
        block.push(form);
        block.extend([0; 15]);
        for count in [0_u32, 0, 0, 0, 1, 4] {
            block.extend(count.to_be_bytes());
        }
        block.extend((hours * 3600).to_be_bytes());
        block.extend([0, 0]);
        block.extend(b"NEW\0");
        block
    };
    let footer = format!("\n<+{hours:02}>-{hours}\n");
    let file = folder.path().join(name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, [block(b'2'), block(b'2'), footer.into_bytes()].concat()).unwrap();
    folder
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn move_to(folder: &Path) -> ZoneWatch {
    let mut watch = ZoneWatch::new(vec![folder.to_owned()]);
    assert!(watch.turn(at("2026-11-23T09:00:00Z")).unwrap(), "other rules hold");
    watch
}

/// The due time that the page would show for a ticket's resolution.
async fn due(app: &mut TestApp, id: &str) -> DateTime<Utc> {
    let ledger = app.parts().service.ledger(&Reach::All, id).await.unwrap();
    let ledger = serde_json::to_value(ledger).unwrap();
    let clocks = ledger["clocks"].as_array().unwrap().iter();
    clocks.filter_map(|clock| clock["due"].as_str()).map(at).next_back().unwrap()
}

#[tokio::test]
async fn newer_rules_move_what_is_due_in_a_running_service_and_its_alerts() {
    let spec = CalendarSpec {
        timezone: Tz::named(VOSTOK),
        always: false,
        week: std::array::from_fn(|_| vec![(9 * 60, 17 * 60)]),
        ..CalendarSpec::round_the_clock()
    };
    let running = Calendar::compile(spec.clone()).unwrap();
    assert_eq!(running.opening_from(at("2026-11-23T00:00:00Z")), Some(at("2026-11-23T04:00:00Z")));
    let office = format!(
        "[calendars.office]\ntimezone = \"{VOSTOK}\"\nmon = [\"09:00-17:00\"]\ntue = [\"09:00-17:00\"]\n\
         [[policies]]\nresponse = \"90h\"\nresolution = \"2h\"\nclock = \"business\"\n"
    );
    let mut app = TestApp::in_office(&office).await;
    let id = app.superops.add(usual());
    app.turn().await;
    assert_eq!(due(&mut app, &id).await, at("2026-11-23T11:00:00Z"), "two hours from two in the afternoon");

    let folder = machine("2999a", VOSTOK, 7);
    let watch = move_to(folder.path());
    assert_eq!(watch.held().version, "2999a");
    assert!(!running.is_current());
    assert_eq!(running.opening_from(at("2026-11-23T00:00:00Z")), Some(at("2026-11-23T02:00:00Z")), "right at once");
    assert_eq!(
        Calendar::compile(spec).unwrap().opening_from(at("2026-11-23T00:00:00Z")),
        Some(at("2026-11-23T02:00:00Z"))
    );
    app.turn().await;
    assert_eq!(due(&mut app, &id).await, at("2026-11-24T03:00:00Z"), "an hour today, and one tomorrow");
    app.wait(minutes(121)).await;
    assert_eq!(app.said(), "", "by the rules before it would be over");
    app.wait(TimeDelta::hours(15) + minutes(30)).await;
    assert!(app.said().contains("At risk"), "by those that hold, half an hour is left");

    let others: DateTime<Tz> = at("2026-11-23T00:00:00Z").with_timezone(&Tz::named("Europe/London"));
    assert_eq!(others.to_rfc3339(), "2026-11-23T00:00:00+00:00", "a zone that the folder lacks keeps its rules");
    zone::install(TimeZoneDatabase::bundled(), "");
    assert_eq!(running.opening_from(at("2026-11-23T00:00:00Z")), Some(at("2026-11-23T04:00:00Z")));
}

#[test]
fn what_cannot_be_read_leaves_the_rules_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tzdata.zi"), [0xff, 0xfe]).unwrap();
    let mut watch = ZoneWatch::new(vec![folder.path().to_owned(), "/nowhere".into()]);
    assert!(!watch.turn(at("2026-11-23T00:00:00Z")).unwrap());
    assert_eq!(watch.held().version, zone::bundled_version());
}
