use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::config::{Config, GivenEnvironment};
use crate::store::tickets::Batch;
use crate::ticket::tests::sample;
use crate::ticket::watch::Bounds;
use crate::ticket::{StatusWords, Ticket, TicketId};

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + minute * 60, 0).unwrap()
}

fn acme() -> TenantId {
    TenantId::parse("acme").unwrap()
}

/// The terms of a configuration with this target.
fn terms(resolution: &str) -> Terms {
    let text = format!(
        "[calendars.x]\ntimezone = \"Europe/London\"\nmon = [\"09:00-17:00\", \"22:00-02:00\"]\nholidays = [\"12-25\", \"2026-12-28\"]\n\
         [[policies]]\nsla = \"Gold\"\nresolution = \"{resolution}\"\n"
    );
    let env = GivenEnvironment::default();
    let mut config = Config::parse_offline("config.toml".as_ref(), &text, &env).unwrap();
    let calendar = config.calendars.remove("x");
    Terms {
        policies: config.policies,
        site_hours: true,
        calendar,
        holiday_lists: BTreeMap::new(),
        words: None,
        sites: None,
    }
}

fn ticket(id: &str, status: &str) -> Ticket {
    Ticket { status: Some(status.into()), ..sample(id) }
}

#[tokio::test]
async fn open_tickets_move_to_new_terms_with_an_event_and_closed_ones_keep_theirs() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store.db"), Arc::default()).await.unwrap();
    let tickets = vec![ticket("1", "Open"), ticket("2", "Closed"), ticket("3", "On Hold")];
    let read = Bounds { earliest: at(0), latest: at(0) };
    let batch = Batch { tickets, unread: Vec::new(), read, state: None, policies: [].into() };
    store.save_tickets(&acme(), vec![batch], &StatusWords::default()).await.unwrap();

    let adopted = [(terms("8h"), 1), (terms("8h"), 2), (terms("4h"), 3)];
    let mut outcomes = Vec::new();
    for (terms, minute) in adopted {
        let Adopted { version, is_new, moved } = store.adopt_terms(&acme(), &terms, at(minute)).await.unwrap();
        outcomes.push((version, is_new, moved));
    }
    assert_eq!(outcomes, [(1, true, 0), (1, false, 0), (2, true, 2)]);

    let versions = store.policy_versions(&acme()).await.unwrap();
    let version = |number, minute, hours| Version { number, from: at(minute), terms: terms(hours) };
    assert_eq!(versions, [version(1, 1, "8h"), version(2, 3, "4h")], "and nothing was lost on the way");

    let moved = async |id: &str| {
        let events = store.events(&acme(), &TicketId::parse(id).unwrap()).await.unwrap();
        events
            .into_iter()
            .filter(|event| event.kind == ChangeKind::PolicyVersion)
            .map(|event| (event.from, event.to))
            .collect::<Vec<_>>()
    };
    let step = (Some("1".to_owned()), Some("2".to_owned()));
    assert_eq!(moved("1").await, std::slice::from_ref(&step));
    assert_eq!(moved("2").await, []);
    assert_eq!(moved("3").await, [step]);
}

#[tokio::test]
async fn one_tenants_versions_are_not_anothers() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store.db"), Arc::default()).await.unwrap();
    store.adopt_terms(&acme(), &terms("8h"), at(0)).await.unwrap();
    let other = TenantId::parse("other").unwrap();
    assert_eq!(store.policy_versions(&other).await.unwrap(), []);
    assert_eq!(store.adopt_terms(&other, &terms("1h"), at(1)).await.unwrap().version, 1);
}
