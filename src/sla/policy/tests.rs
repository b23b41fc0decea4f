use super::*;
use crate::ticket::tests::sample;
use crate::ticket::{Named, RefId};

fn named(name: &str) -> Option<Named> {
    Some(Named { id: RefId::parse("1").unwrap(), name: name.into() })
}

fn ticket() -> Ticket {
    Ticket { priority: Some("High".into()), client: named("Globex"), sla: named("Gold"), ..sample("7") }
}

fn every() -> Policy {
    Policy {
        tenant: None,
        sla: None,
        priority: None,
        client: None,
        category: None,
        response: Some(TimeDelta::hours(1)),
        resolution: None,
        next_response: None,
        counts: Counts::Business,
    }
}

fn sla(name: &str) -> Policy {
    Policy { sla: Some(name.into()), ..every() }
}

fn acme() -> TenantId {
    TenantId::parse("acme").unwrap()
}

#[test]
fn the_first_match_wins_and_the_others_that_match_are_runners_up() {
    let high = Policy { priority: Some("HIGH".into()), ..sla("gold ") };
    let foreign = Policy { tenant: Some(TenantId::parse("other").unwrap()), ..every() };
    let policies =
        [sla("Silver"), foreign, high, sla("Gold"), Policy { client: Some("Initech".into()), ..every() }, every()];
    let choice = choose(&policies, &acme(), &ticket());
    assert_eq!(choice, Some(Choice { winner: 2, runners_up: vec![3, 5] }));
    assert_eq!(choose(&policies[..2], &acme(), &ticket()), None);
}

#[test]
fn a_policy_is_never_reached_if_an_earlier_one_takes_all_of_its_tickets() {
    let high = Policy { priority: Some("High".into()), ..sla("Gold") };
    let tenant = Policy { tenant: Some(acme()), ..every() };
    let cases = [
        ("the narrower first", vec![high.clone(), sla("Gold"), every()], None),
        ("the wider first", vec![every(), sla("Silver"), high.clone()], Some(0)),
        ("the same in other letters", vec![sla("gold"), every(), sla(" GOLD")], Some(0)),
        ("one tenant's for all", vec![tenant.clone(), tenant, every()], None),
        ("another SLA", vec![sla("Silver"), sla("Bronze"), high], None),
    ];
    for (name, policies, first) in cases {
        assert_eq!(shadow(&policies, 2), first, "{name}");
    }
}

#[test]
fn a_stored_policy_is_read_as_it_was() {
    let policy = Policy { resolution: Some(TimeDelta::hours(8)), counts: Counts::Calendar, ..sla("Gold") };
    let text = serde_json::to_string(&policy).unwrap();
    assert!(text.contains(r#""resolution":28800,"counts":"calendar""#), "{text}");
    assert_eq!(serde_json::from_str::<Policy>(&text).unwrap(), policy);
}
