//! Strange answers of SuperOps: what is blamed for them, and what is remembered in the meantime.

use serde_json::{Value, json};

use super::desk::{Bench, Desk, Takes, Twist, at, internal};
use super::open_tickets;
use crate::ticket::Unknown;
use crate::ticket::watch::ChangeKind;

/// Makes `field` of that ticket fail: it is null in lists and in `getTicket`, and an error points at it.
fn failing(id: &'static str, field: &'static str) -> Twist {
    Box::new(move |operation, _, mut answer| {
        let mut errors = Vec::new();
        if let Some(rows) = answer["data"][operation]["tickets"].as_array_mut() {
            for (index, row) in rows.iter_mut().enumerate().filter(|(_, row)| row["ticketId"] == id) {
                row[field] = Value::Null;
                errors.push(
                    json!({ "message": "Internal Server Error(s)", "path": [operation, "tickets", index, field] }),
                );
            }
        } else if operation == "getTicket" && answer["data"][operation]["ticketId"] == id {
            answer["data"][operation][field] = Value::Null;
            errors.push(json!({ "message": "Internal Server Error(s)", "path": [operation, field] }));
        }
        if !errors.is_empty() {
            answer["errors"] = json!(errors);
        }
        answer
    })
}

fn everything_fails() -> Option<Twist> {
    Some(Box::new(|operation, _, _| internal(operation)))
}

#[tokio::test]
async fn a_burst_of_internal_errors_gives_nothing_up() {
    let mut bench = Bench::with(open_tickets(3)).await;
    bench.turn().await;
    bench.desk().twist = everything_fails();
    for minute in 1..=3 {
        bench.clock.set(at(minute));
        bench.try_turn().await.unwrap_err();
    }
    bench.desk().twist = None;
    bench.desk().edit(1, "Closed", at(3));
    bench.calls();
    assert_eq!(bench.turn_at(4).await.closed, 1);
    assert_eq!(bench.calls()[..2], ["getTicketList 1", "getTicketList 1 open"], "changes first, then the sweep");
    assert_eq!(bench.health.borrow().limits, [] as [&str; 0]);
}

#[tokio::test]
async fn a_shape_is_blamed_when_a_plain_page_can_be_had_meanwhile() {
    let mut bench = Bench::with(open_tickets(3)).await;
    bench.turn().await;
    bench.desk().twist = Some(Box::new(|operation, input, answer| {
        if operation == "getTicketList" && !input["sort"].is_null() { internal(operation) } else { answer }
    }));
    bench.desk().edit(1, "Closed", at(1));
    bench.turn_at(1).await;
    assert_eq!(bench.status(1).await.as_deref(), Some("Closed"), "read another way");
    assert_eq!(bench.health.borrow().limits.len(), 1);
}

#[tokio::test]
async fn a_null_that_an_error_explains_changes_nothing() {
    for field in ["status", "sla", "resolutionDueTime", "updatedTime", "technician"] {
        let mut bench = Bench::with(|desk| {
            desk.add(1, "On Hold", at(-30));
            desk.set(1, "sla", json!({ "id": "5", "name": "Gold" }));
            desk.set(1, "technician", json!({ "userId": "9", "name": "Ann" }));
            desk.set(1, "resolutionDueTime", "2027-01-15T18:00:00");
        })
        .await;
        bench.turn().await;
        let before = bench.held(1).await.unwrap();
        bench.desk().twist = Some(failing("1", field));
        bench.turn_at(1).await;
        let held = bench.held(1).await.unwrap();
        let flaws = held.ticket.flaws.clone();
        assert_eq!(flaws.iter().map(|flaw| flaw.field.as_str()).collect::<Vec<_>>(), [field]);
        let unflawed = crate::ticket::Ticket { flaws: Vec::new(), ..held.ticket.clone() };
        assert_eq!(unflawed, before.ticket, "{field}");
        assert_eq!((held.cycle, bench.kinds(1).await), (0, vec![ChangeKind::FirstSeen]), "{field}");
    }
}

#[tokio::test]
async fn a_value_that_makes_no_sense_changes_nothing_and_neither_does_a_blank_status() {
    let cases = [
        ("status", Value::Null),
        ("status", json!("")),
        ("status", json!({ "name": "Closed" })),
        ("resolutionDueTime", json!(1_800_000_000_000_u64)),
        ("resolutionDueTime", json!("soon")),
        ("technician", json!("Ann")),
    ];
    for (field, value) in cases {
        let mut bench = Bench::with(|desk| {
            desk.add(1, "Closed", at(-30));
            desk.set(1, "technician", json!({ "userId": "9", "name": "Ann" }));
            desk.set(1, "resolutionTime", "2027-01-15T07:30:00");
            desk.set(1, "resolutionDueTime", "2027-01-15T18:00:00");
        })
        .await;
        bench.turn().await;
        let before = bench.held(1).await.unwrap();
        bench.desk().set(1, field, value.clone());
        bench.desk().set(1, "updatedTime", "2027-01-15T08:00:30");
        bench.turn_at(1).await;
        let held = bench.held(1).await.unwrap();
        let known = |ticket: &crate::ticket::Ticket| {
            (ticket.status.clone(), ticket.resolution.clone(), ticket.technician.clone(), ticket.unknown.clone())
        };
        assert_eq!(known(&held.ticket), known(&before.ticket), "{field}: {value}");
        assert_eq!((held.cycle, bench.kinds(1).await), (0, vec![ChangeKind::FirstSeen]), "{field}: {value}");
        let names_field = held.ticket.flaws.iter().any(|flaw| flaw.field == field);
        assert_eq!(names_field, !value.is_null() && value != "", "{field}: {value} {:?}", held.ticket.flaws);
    }
}

#[tokio::test]
async fn a_list_of_people_that_is_empty_at_once_is_not_believed() {
    let mut bench = Bench::with(open_tickets(1)).await;
    bench.turn().await;
    let before = bench.store.directory(bench.tenant()).await.unwrap();
    bench.desk().twist = Some(Box::new(|operation, _, mut answer| {
        if operation == "getTechnicianList" {
            answer["data"][operation]["userList"] = json!([]);
        }
        answer
    }));
    bench.turn_at(60).await;
    assert_eq!(bench.store.directory(bench.tenant()).await.unwrap().technicians, before.technicians);
    let said = bench.health.borrow().limits.concat();
    assert!(said.contains("technicians") && said.contains("empty now"), "{said}");
    bench.desk().twist = None;
    bench.turn_at(61).await;
    assert_eq!(bench.health.borrow().limits, [] as [&str; 0], "a minute later it is read anew");
}

/// Makes the answer to `list` hold no list.
fn no_list_of(list: &'static str) -> Option<Twist> {
    Some(Box::new(move |operation, _, mut answer| {
        if operation == list {
            answer["data"][operation] = json!({});
        }
        answer
    }))
}

#[tokio::test]
async fn a_list_that_keeps_failing_keeps_neither_tickets_nor_other_lists_from_being_read() {
    let mut bench = Bench::with(open_tickets(3)).await;
    bench.turn().await;
    bench.desk().twist = no_list_of("getTechnicianList");
    bench.desk().add(7, "Open", at(60));
    bench.calls();
    assert_eq!(bench.turn_at(60).await.new, 1);
    assert_eq!(bench.calls()[..3], ["getStatusList", "getTechnicianList", "getTicketList 1"]);
    let said = bench.health.borrow().limits.concat();
    assert!(said.contains("technicians") && bench.health.borrow().problem.is_none(), "{said}");
    bench.desk().add(8, "Open", at(61));
    assert_eq!(bench.turn_at(61).await.new, 1);
    let others = ["getTechnicianGroupList", "getClientList", "getClientSiteList", "getSLAList", "getPriorityList"];
    let calls = bench.calls();
    assert_eq!((&calls[..5], calls[5].as_str()), (&others.map(str::to_owned)[..], "getTechnicianList"));
}

#[tokio::test]
async fn the_first_tickets_wait_one_turn_for_a_list_that_fails() {
    let mut bench = Bench::with(|desk| {
        open_tickets(3)(desk);
        desk.twist = no_list_of("getClientSiteList");
    })
    .await;
    bench.try_turn().await.unwrap_err();
    assert_eq!(bench.open_count().await, 0);
    assert_eq!(bench.turn_at(1).await.new, 3);
}

#[tokio::test]
async fn what_a_list_fails_to_tell_of_a_new_ticket_is_asked_for_by_itself() {
    let mut bench = Bench::with(open_tickets(3)).await;
    bench.turn().await;
    bench.desk().add(7, "On Hold", at(1));
    let mut list = failing("7", "status");
    bench.desk().twist =
        Some(Box::new(
            move |operation, input, answer| {
                if operation == "getTicketList" { list(operation, input, answer) } else { answer }
            },
        ));
    bench.turn_at(1).await;
    assert_eq!(bench.status(7).await.as_deref(), Some("On Hold"));
    let singles = bench.calls().iter().filter(|call| *call == "getTicket 7").count();
    assert_eq!(singles, 1, "once is enough");
}

#[tokio::test]
async fn what_was_never_told_of_a_ticket_is_unknown_until_it_is() {
    for (field, unknown) in [
        ("status", Unknown::Status),
        ("sla", Unknown::Terms),
        ("firstResponseTime", Unknown::FirstResponse),
        ("resolutionDueTime", Unknown::Resolution),
    ] {
        let mut bench = Bench::with(open_tickets(3)).await;
        bench.turn().await;
        bench.desk().add(7, "Open", at(1));
        bench.desk().twist = Some(failing("7", field));
        for minute in 1..=2 {
            bench.turn_at(minute).await;
            assert_eq!(bench.held(7).await.unwrap().ticket.unknown, [unknown], "{field} in minute {minute}");
        }
        bench.desk().twist = None;
        bench.turn_at(3).await;
        assert_eq!(bench.held(7).await.unwrap().ticket.unknown, [], "{field}");
        bench.desk().twist = Some(failing("7", field));
        bench.turn_at(4).await;
        assert_eq!(bench.held(7).await.unwrap().ticket.unknown, [], "{field}: what was known last stands");
    }
}

/// A subject may not be null: the null takes the row with it, or the page.
fn breaking(what: &'static str) -> Twist {
    Box::new(move |operation, _, mut answer| {
        let place = match operation {
            "getTicketList" => "tickets",
            "getTicket" => "",
            _ => return answer,
        };
        let rows = answer["data"][operation][place].as_array_mut();
        let bad = rows.and_then(|rows| {
            let bad = rows.iter().position(|row| row.get("subject") == Some(&Value::Null))?;
            if what == "row" {
                rows[bad] = Value::Null;
            }
            Some(bad)
        });
        if let Some(bad) = bad {
            let path = json!([operation, "tickets", bad, "subject"]);
            answer["errors"] = json!([{ "message": "Cannot return null for non-nullable type", "path": path }]);
            if what == "page" {
                answer["data"][operation] = Value::Null;
            }
        }
        if operation == "getTicket" && answer["data"][operation].get("subject") == Some(&Value::Null) {
            answer = json!({ "data": { "getTicket": null }, "errors": [{ "message": "no", "path": [operation, "subject"] }] });
        }
        answer
    })
}

#[tokio::test]
async fn a_record_that_breaks_its_row_or_its_page_hides_no_other_and_not_itself() {
    for what in ["row", "page"] {
        let mut bench = Bench::with(|desk| {
            open_tickets(20)(desk);
            desk.set(7, "subject", Value::Null);
            desk.twist = Some(breaking(what));
        })
        .await;
        bench.turn().await;
        assert_eq!(bench.open_count().await, 20, "{what}");
        bench.desk().add(21, "Open", at(1));
        bench.turn_at(1).await;
        assert_eq!(bench.held(21).await.unwrap().ticket.subject, "s", "{what}");
    }
}

#[tokio::test]
async fn a_record_that_breaks_its_page_and_is_not_named_costs_only_itself() {
    let mut bench = Bench::with(|desk: &mut Desk| {
        open_tickets(150)(desk);
        desk.twist = Some(Box::new(|operation, _, answer| {
            let rows = answer["data"][operation]["tickets"].as_array();
            if rows.is_some_and(|rows| rows.iter().any(|row| row["ticketId"] == "42")) {
                internal(operation)
            } else {
                answer
            }
        }));
    })
    .await;
    bench.turn().await;
    assert_eq!(bench.open_count().await, 149);
}

#[tokio::test]
async fn a_field_that_is_not_known_for_a_while_is_kept_as_it_was() {
    let mut bench = Bench::with(|desk| {
        desk.add(1, "Open", at(-30));
        desk.set(1, "sla", json!({ "id": "5", "name": "Gold" }));
    })
    .await;
    bench.turn().await;
    let says =
        "Validation error (FieldUndefined@[getTicketList/tickets/sla]) : Field 'sla' in type 'Ticket' is undefined";
    bench.desk().unknown = Some(("sla", says));
    bench.turn_at(1).await;
    let held = bench.held(1).await.unwrap();
    assert_eq!((held.ticket.sla.as_ref().map(|sla| sla.name.as_str()), held.cycle), (Some("Gold"), 0));
    assert_eq!(bench.health.borrow().limits, [] as [&str; 0]);
}

#[tokio::test]
async fn an_account_without_a_ticket_has_its_first_one_found_by_the_next_turn() {
    let mut bench = Bench::with(|_| ()).await;
    bench.turn().await;
    bench.desk().add(1, "Open", at(0));
    bench.clock.advance(chrono::TimeDelta::seconds(2));
    assert_eq!(bench.turn().await.new, 1);
}

#[tokio::test]
async fn pages_are_read_as_long_as_the_count_says_that_there_are_more() {
    let mut bench = Bench::with(|desk: &mut Desk| {
        open_tickets(250)(desk);
        desk.twist = Some(Box::new(|operation, _, mut answer| {
            if operation == "getTicketList" {
                answer["data"][operation]["listInfo"]["hasMore"] = Value::Null;
            }
            answer
        }));
    })
    .await;
    assert_eq!(bench.turn().await.new, 250);
    assert!(bench.health.borrow().limits[0].contains("disagree"), "{:?}", bench.health.borrow().limits);
}

/// Makes a list have no end: each page repeats the first, and says that there are more.
fn endless(list: &'static str, rows: &'static str, total: Value) -> Option<Twist> {
    let mut first = Value::Null;
    Some(Box::new(move |operation, input, mut answer| {
        if operation == list {
            if input["page"] == 1 {
                first = answer["data"][operation][rows].clone();
            }
            answer["data"][operation] = json!({ rows: first, "listInfo": { "hasMore": true, "totalCount": total } });
        }
        answer
    }))
}

#[tokio::test]
async fn a_list_that_repeats_itself_for_ever_has_an_end() {
    let cases = [
        ("getTicketList", "tickets", json!(3), 2),
        ("getTicketList", "tickets", Value::Null, 2),
        ("getTicketList", "tickets", json!(1_000), 7),
        ("getTechnicianList", "userList", json!(1), 2),
    ];
    for (list, rows, total, pages) in cases {
        let mut bench = Bench::with(|desk| {
            open_tickets(3)(desk);
            desk.twist = endless(list, rows, total.clone());
        })
        .await;
        let turn = tokio::time::timeout(std::time::Duration::from_secs(20), bench.turn()).await;
        assert_eq!(turn.map(|report| (report.new, report.pass_under_way)), Ok((3, false)), "{list}, {total}");
        let calls = bench.calls();
        // The sweep reads open tickets, the pass all of them.
        let asked = calls.iter().filter(|call| call.starts_with(list) && !call.ends_with("open")).count();
        assert_eq!(asked, pages, "{list}, {total}: {calls:?}");
        let turn = tokio::time::timeout(std::time::Duration::from_secs(20), async {
            bench.desk().edit(1, "On Hold", at(1));
            bench.turn_at(1).await
        });
        assert_eq!(turn.await.map(|report| report.changed), Ok(1), "{list}, {total}: the changes end as well");
    }
}

#[tokio::test]
async fn a_technician_whose_address_fails_to_come_keeps_the_one_that_was_known() {
    let mut bench = Bench::with(open_tickets(1)).await;
    bench.turn().await;
    bench.desk().twist = Some(Box::new(|operation, _, mut answer| {
        if operation == "getTechnicianList" {
            answer["data"][operation]["userList"][0]["email"] = Value::Null;
            answer["errors"] = json!([{ "message": "no", "path": [operation, "userList", 0, "email"] }]);
        }
        answer
    }));
    bench.turn_at(60).await;
    let people = bench.store.directory(bench.tenant()).await.unwrap();
    assert_eq!(people.technicians.values().next().unwrap().email.as_deref(), Some("ann@example.com"));
}

/// Makes the list of technicians hold these rows.
fn people(rows: Value) -> Option<Twist> {
    Some(Box::new(move |operation, _, mut answer| {
        if operation == "getTechnicianList" {
            answer["data"][operation]["userList"] = rows.clone();
        }
        answer
    }))
}

#[tokio::test]
async fn a_field_that_makes_no_sense_does_not_keep_the_others_of_its_record_from_being_renewed() {
    let mut bench = Bench::with(open_tickets(1)).await;
    let boss = json!({ "userId": 9, "name": "Boss" });
    bench.desk().twist =
        people(json!([{ "userId": 1, "name": "Ann", "email": "old@example.com", "reportingManager": boss }]));
    bench.turn().await;
    bench.desk().twist =
        people(json!([{ "userId": 1, "name": "Ann", "email": "new@example.com", "reportingManager": "Boss" }]));
    bench.turn_at(60).await;
    let people = bench.store.directory(bench.tenant()).await.unwrap();
    let ann = people.technicians.values().next().unwrap();
    let manager = ann.manager.as_ref().map(|manager| manager.name.as_str());
    assert_eq!((ann.email.as_deref(), manager), (Some("new@example.com"), Some("Boss")));
}

#[tokio::test]
async fn a_row_that_cannot_be_read_keeps_those_who_are_missing_for_a_day() {
    let mut bench = Bench::with(open_tickets(1)).await;
    bench.desk().twist = people(json!([{ "userId": 1, "name": "Ann" }, { "userId": 2, "name": "Bob" }]));
    bench.turn().await;
    bench.desk().twist = people(json!([{ "userId": 1, "name": "Ann" }, null]));
    for (hour, expected) in [(1, 2), (24, 2), (25, 1)] {
        bench.turn_at(hour * 60).await;
        let people = bench.store.directory(bench.tenant()).await.unwrap();
        assert_eq!(people.technicians.len(), expected, "after {hour} hours");
    }
}

/// Adds `count` closed tickets, one updated in each minute before the begin.
fn closed_tickets(count: u64) -> impl FnOnce(&mut Desk) {
    move |desk| (1..=count).for_each(|id| desk.add(id, "Closed", at(-i64::try_from(id).unwrap())))
}

#[tokio::test]
async fn where_pages_end_the_pass_ends_says_so_and_keeps_the_order() {
    let mut bench = Bench::with(|desk| {
        closed_tickets(350)(desk);
        (desk.deepest, desk.dates) = (Some(2), Takes::Refuses);
    })
    .await;
    assert!(!bench.turn().await.pass_under_way);
    assert!(bench.held(200).await.is_some() && bench.held(201).await.is_none());
    let limits = bench.health.borrow().limits.clone();
    assert!(limits[0].contains("no more than 2 pages") && limits[0].contains("2027-01-15 04:40 UTC"), "{limits:?}");
    bench.desk().add(999, "Open", at(1));
    bench.calls();
    assert_eq!(bench.turn_at(1).await.new, 1);
    assert_eq!(bench.calls(), ["getTicketList 1", "getTicketList 1 open"], "changes are still polled in their order");
}

#[tokio::test]
async fn tickets_beyond_the_last_page_are_read_through_a_filter_if_any_works() {
    for dates in [Takes::Well, Takes::Ignores, Takes::Refuses] {
        let mut bench = Bench::with(|desk| {
            closed_tickets(190)(desk);
            (191..=380).for_each(|id| desk.add(id, "Open", at(-i64::try_from(id).unwrap())));
            (desk.deepest, desk.dates) = (Some(2), dates);
        })
        .await;
        while bench.turn().await.pass_under_way {}
        for id in 1..=380 {
            assert!(bench.held(id).await.is_some(), "{dates:?}: {id}");
        }
        let limits = bench.health.borrow().limits.clone();
        assert!(limits[0].contains("through a filter"), "{dates:?}: {limits:?}");
    }
}

#[tokio::test]
async fn a_bad_record_deep_in_the_list_is_not_taken_for_its_end() {
    let mut bench = Bench::with(|desk: &mut Desk| {
        closed_tickets(350)(desk);
        desk.twist = Some(Box::new(|operation, _, answer| {
            let rows = answer["data"][operation]["tickets"].as_array();
            if rows.is_some_and(|rows| rows.iter().any(|row| row["ticketId"] == "150")) {
                internal(operation)
            } else {
                answer
            }
        }));
    })
    .await;
    while bench.turn().await.pass_under_way {}
    for id in (1..=350).filter(|id| *id != 150) {
        assert!(bench.held(id).await.is_some(), "{id}");
    }
    assert_eq!(bench.health.borrow().limits, [] as [&str; 0]);
}

#[tokio::test]
async fn closed_tickets_older_than_the_history_are_not_read_and_open_ones_are() {
    const DAY: i64 = 24 * 60;
    let mut bench = Bench::with(|desk| {
        closed_tickets(100)(desk);
        desk.add(201, "Open", at(-500 * DAY));
        (202..=450).for_each(|id| desk.add(id, "Closed", at(-401 * DAY)));
    })
    .await;
    bench.turn().await;
    assert!(bench.held(100).await.is_some() && bench.held(201).await.is_some() && bench.held(450).await.is_none());
    assert_eq!(bench.turn_at(1).await.vanished, 0);
}

#[tokio::test]
async fn tickets_that_cannot_be_asked_for_count_as_missing_and_starve_no_other() {
    let mut bench = Bench::with(open_tickets(40)).await;
    bench.turn().await;
    (1..=5).for_each(|id| bench.desk().remove(id));
    bench.desk().twist = Some(Box::new(|operation, input, answer| {
        let bad = ["1", "2", "3", "4"].contains(&input["ticketId"].as_str().unwrap_or_default());
        if operation == "getTicket" && bad { internal(operation) } else { answer }
    }));
    for minute in 1..=4 {
        bench.turn_at(minute).await;
    }
    assert_eq!(bench.open_count().await, 35);
}

#[tokio::test]
async fn a_ticket_that_is_answered_with_another_is_missing_like_one_that_is_not_there() {
    let mut bench = Bench::with(open_tickets(40)).await;
    bench.turn().await;
    bench.desk().remove(1);
    bench.desk().twist = Some(Box::new(|operation, input, mut answer| {
        if operation == "getTicket" && input["ticketId"] == "1" {
            answer["data"][operation] =
                json!({ "ticketId": "2", "displayId": "D-2", "subject": "s", "status": "Open" });
        }
        answer
    }));
    for minute in 1..=4 {
        bench.turn_at(minute).await;
    }
    assert_eq!(bench.open_count().await, 39);
    assert!(bench.held(1).await.unwrap().vanished_at.is_some());
}

#[tokio::test]
async fn when_nothing_can_be_asked_for_nothing_counts_as_missing() {
    let mut bench = Bench::with(open_tickets(40)).await;
    bench.turn().await;
    bench.desk().remove(1);
    bench.desk().twist =
        Some(Box::new(|operation, _, answer| if operation == "getTicket" { internal(operation) } else { answer }));
    for minute in 1..=4 {
        bench.turn_at(minute).await;
    }
    assert_eq!(bench.open_count().await, 40);
}

#[tokio::test]
async fn many_tickets_missing_at_once_are_not_believed_to_be_gone() {
    let mut bench = Bench::with(open_tickets(12)).await;
    bench.turn().await;
    let tickets = std::mem::take(&mut bench.desk().tickets);
    for minute in 1..=5 {
        assert_eq!(bench.turn_at(minute).await.vanished, 0);
    }
    let health = bench.health.borrow().clone();
    let doubt = health.doubt.unwrap();
    assert_eq!((doubt.since, doubt.what.starts_with("12 open tickets are missing")), (at(1), true), "{}", doubt.what);
    assert_eq!(health.last_good, Some(at(1)), "what is read is not taken for fresh");
    bench.restart().await;
    bench.desk().tickets = tickets;
    bench.turn_at(6).await;
    assert_eq!((bench.health.borrow().doubt.clone(), bench.open_count().await), (None, 12));
}

#[tokio::test]
async fn after_a_day_of_doubt_missing_tickets_are_let_go() {
    let mut bench = Bench::with(open_tickets(12)).await;
    bench.turn().await;
    bench.desk().tickets.clear();
    bench.turn_at(1).await;
    bench.turn_at(24 * 60).await;
    assert_eq!(bench.open_count().await, 12);
    bench.turn_at(24 * 60 + 1).await;
    bench.turn_at(24 * 60 + 2).await;
    assert_eq!((bench.health.borrow().doubt.clone(), bench.open_count().await), (None, 0));
}

#[tokio::test]
async fn on_a_small_desk_two_are_doubted_for_an_hour_if_they_are_most_of_it() {
    for (open, is_doubted) in [(2, true), (3, true), (4, false)] {
        let mut bench = Bench::with(open_tickets(open)).await;
        bench.turn().await;
        (1..=2).for_each(|id| bench.desk().remove(id));
        bench.turn_at(1).await;
        bench.turn_at(2).await;
        let left = usize::try_from(open).unwrap() - 2;
        let doubt = bench.health.borrow().doubt.is_some();
        assert_eq!((doubt, bench.open_count().await == left), (is_doubted, !is_doubted), "{open} were open");
        bench.turn_at(61).await;
        bench.turn_at(62).await;
        assert_eq!((bench.health.borrow().doubt.clone(), bench.open_count().await), (None, left), "{open} were open");
    }
}

#[tokio::test]
async fn one_ticket_that_is_deleted_is_let_go_on_any_desk() {
    for open in 1..=4 {
        let mut bench = Bench::with(open_tickets(open)).await;
        bench.turn().await;
        bench.desk().remove(1);
        bench.turn_at(1).await;
        assert_eq!(bench.turn_at(2).await.vanished, 1, "{open} were open");
    }
}

#[tokio::test]
async fn more_tickets_that_go_missing_are_doubted_anew() {
    let mut bench = Bench::with(open_tickets(6)).await;
    bench.turn().await;
    (1..=4).for_each(|id| bench.desk().remove(id));
    bench.turn_at(1).await;
    // The pass of the night.
    bench.turn_at(20 * 60).await;
    bench.turn_at(24 * 60 + 1).await;
    bench.desk().remove(5);
    bench.turn_at(24 * 60 + 2).await;
    assert_eq!(bench.health.borrow().doubt.as_ref().map(|doubt| doubt.since), Some(at(24 * 60 + 2)));
    assert_eq!(bench.open_count().await, 6);
}

#[tokio::test]
async fn closing_tickets_is_neither_hiding_nor_losing_them_where_the_sort_does_not_work() {
    for count in [5, 40] {
        let mut bench = Bench::with(|desk| {
            desk.sort = Takes::Refuses;
            open_tickets(count)(desk);
        })
        .await;
        bench.turn().await;
        (1..=4).for_each(|id| bench.desk().edit(id, "Closed", at(0)));
        bench.calls();
        bench.turn_at(1).await;
        assert!(bench.calls().contains(&"getTicket 1".to_owned()), "the sweep alone did not tell");
        assert_eq!(u64::try_from(bench.open_count().await).unwrap(), count - 4);
        let health = bench.health.borrow().clone();
        assert!(!health.limits.iter().any(|limit| limit.contains("cannot be left out")), "{:?}", health.limits);
        assert_eq!(health.doubt, None);
    }
}

#[tokio::test]
async fn a_filter_that_hides_open_tickets_is_done_without() {
    let mut bench = Bench::with(open_tickets(150)).await;
    bench.turn().await;
    bench.desk().twist = Some(Box::new(|operation, input, mut answer| {
        if operation == "getTicketList" && !input["condition"].is_null() {
            answer["data"][operation] = json!({ "tickets": [], "listInfo": { "totalCount": 0 } });
        }
        answer
    }));
    bench.turn_at(1).await;
    assert!(bench.health.borrow().limits[0].contains("cannot be left out"), "{:?}", bench.health.borrow().limits);
    assert_eq!((bench.open_count().await, bench.health.borrow().doubt.clone()), (150, None));
}

#[tokio::test]
async fn an_empty_list_beside_an_error_that_explains_it_blames_nothing_and_loses_nobody() {
    for place in [json!(["getTicketList", "tickets"]), json!(["getTicketList"]), Value::Null] {
        let mut bench = Bench::with(open_tickets(150)).await;
        bench.turn().await;
        bench.desk().twist = Some(Box::new(move |operation, _, mut answer| {
            if operation == "getTicketList" {
                answer["data"][operation] = json!({ "tickets": [], "listInfo": { "hasMore": false } });
                answer["errors"] = json!([{ "message": "no", "path": place }]);
            }
            answer
        }));
        for minute in [1, 2] {
            bench.clock.set(at(minute));
            assert!(bench.try_turn().await.is_err(), "it is no answer");
        }
        let health = bench.health.borrow().clone();
        assert_eq!((health.limits, health.doubt), (Vec::new(), None));
        assert_eq!(bench.open_count().await, 150);
        bench.desk().twist = None;
        bench.desk().add(999, "Open", at(3));
        assert_eq!(bench.turn_at(3).await.new, 1, "a bad minute costs a minute");
    }
}

#[tokio::test]
async fn a_clock_that_is_off_is_said_and_far_off_is_trouble() {
    for (ahead, said, is_trouble) in [(0, false, false), (20, true, false), (-20, true, false), (90, true, true)] {
        let mut bench = Bench::with(open_tickets(1)).await;
        bench.desk().ahead = chrono::TimeDelta::seconds(ahead);
        bench.turn().await;
        let health = bench.health.borrow().clone();
        let word = if ahead > 0 { "behind" } else { "ahead of" };
        assert_eq!(health.limits.iter().any(|limit| limit.contains(word)), said, "{ahead}: {:?}", health.limits);
        assert_eq!(health.clock.is_some(), is_trouble, "{ahead}");
    }
}

#[tokio::test]
async fn half_of_the_requests_are_lent_to_a_check_that_asks_and_taken_back_when_its_time_is_up() {
    let mut bench = Bench::with(open_tickets(1)).await;
    bench.turn().await;
    let (store, tenant) = (bench.store.clone(), bench.tenant().clone());
    store.request_budget_share(&tenant, at(10)).await.unwrap();
    assert_eq!(store.budget_share_from(&tenant).await.unwrap(), None, "the service has not looked yet");
    bench.turn_at(1).await;
    assert_eq!((bench.sync.client.budget(), store.budget_share_from(&tenant).await.unwrap()), (30_000, Some(at(1))));
    bench.turn_at(11).await;
    assert_eq!(bench.sync.client.budget(), 60_000);
}
