//! What a client sees over the wire.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::*;
use crate::clock::ManualClock;

const TICKETS: &str = "query ($input: ListInfoInput!) { getTicketList(input: $input) {
    tickets { ticketId displayId subject client site technician techGroup sla status priority createdTime updatedTime
        firstResponseDueTime firstResponseTime firstResponseViolated resolutionDueTime resolutionTime resolutionViolated }
    listInfo { page pageSize hasMore totalCount } } }";

fn tuesday() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-11-17T10:00:00Z").unwrap().to_utc()
}

/// A running look-alike, and a client that asks it.
struct Peer {
    simulator: Arc<Simulator>,
    clock: ManualClock,
    served: Served,
    http: reqwest::Client,
}

impl Peer {
    async fn start(options: SimOptions) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let clock = ManualClock::at(tuesday());
        let simulator = Simulator::new(options, Arc::new(clock.clone()));
        let served = simulator.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { simulator, clock, served, http }
    }

    async fn still(tickets: usize) -> Self {
        Self::start(SimOptions { tickets, alive: false, requests_per_minute: 0, ..SimOptions::default() }).await
    }

    fn request(&self, query: &str, variables: Value) -> reqwest::RequestBuilder {
        self.http
            .post(format!("{}/msp", self.served.url()))
            .bearer_auth("look-alike-token")
            .header("CustomerSubDomain", "acme")
            .json(&json!({"query": query, "variables": variables}))
    }

    async fn ask(&self, query: &str, variables: Value) -> Value {
        self.request(query, variables).send().await.unwrap().json().await.unwrap()
    }

    async fn page(&self, input: Value) -> Value {
        self.ask(TICKETS, json!({"input": input})).await["data"]["getTicketList"].clone()
    }

    async fn ids(&self, input: Value) -> Vec<String> {
        let page = self.page(input).await;
        page["tickets"].as_array().unwrap().iter().map(|row| row["ticketId"].as_str().unwrap().to_owned()).collect()
    }
}

fn is_rate_limit(body: &str) -> bool {
    let refusal = json!({"errors": [{"extensions": {"clientError": [{"code": "rate_limit_exceeded", "param": {}}]}}], "data": {}});
    serde_json::from_str::<Value>(body).is_ok_and(|body| body == refusal)
}

#[tokio::test]
async fn the_last_page_has_more_null_and_all_pages_together_hold_every_ticket_once() {
    let peer = Peer::still(230).await;
    let (mut seen, mut page) = (std::collections::BTreeSet::new(), 1);
    loop {
        let answer = peer.page(json!({"page": page, "pageSize": 400})).await;
        for row in answer["tickets"].as_array().unwrap() {
            assert!(seen.insert(row["ticketId"].as_str().unwrap().to_owned()), "twice");
        }
        if answer["listInfo"]["hasMore"].is_null() {
            assert_eq!(answer["listInfo"]["totalCount"], json!(seen.len()));
            break;
        }
        assert_eq!((&answer["listInfo"]["hasMore"], &answer["listInfo"]["pageSize"]), (&json!(true), &json!(100)));
        page += 1;
    }
    assert_eq!(seen.len(), peer.simulator.tickets().len());
}

#[tokio::test]
async fn leaves_are_json_with_some_ids_as_bare_numbers() {
    let peer = Peer::still(100).await;
    let rows = peer.page(json!({"page": 1, "pageSize": 100})).await["tickets"].clone();
    let rows = rows.as_array().unwrap();
    let clients: Vec<&Value> = rows.iter().map(|row| &row["client"]["accountId"]).filter(|id| !id.is_null()).collect();
    assert!(clients.iter().any(|id| id.as_u64().is_some_and(|id| id > 1 << 60)), "some are bare");
    assert!(clients.iter().any(|id| id.is_string()), "some are quoted");
    for field in ["priority", "sla", "technician", "client"] {
        assert!(rows.iter().any(|row| row[field].is_null()), "{field} is null now and then");
    }
    let times: Vec<usize> = rows.iter().map(|row| row["createdTime"].as_str().unwrap().len()).collect();
    assert!(times.iter().min() < times.iter().max(), "fraction digits vary");
}

#[tokio::test]
async fn the_door_wants_the_right_subdomain_and_token() {
    let peer = Peer::still(1).await;
    let url = format!("{}/msp", peer.served.url());
    let body = json!({"query": "{ getSLAList { id } }"});
    let no_subdomain = peer.http.post(&url).bearer_auth("look-alike-token").json(&body).send().await.unwrap();
    assert_eq!(no_subdomain.status(), 400);
    assert_eq!(no_subdomain.text().await.unwrap(), "");
    peer.simulator.set_token("another");
    let old_token = peer.request("{ getSLAList { id } }", json!({})).send().await.unwrap();
    assert_eq!(old_token.status(), 401);
    assert_eq!(peer.simulator.requests().turned_away, 2);
}

#[tokio::test]
async fn over_the_limit_the_answer_is_200_and_patience_ends_it() {
    let peer = Peer::start(SimOptions { tickets: 1, requests_per_minute: 2, ..SimOptions::default() }).await;
    let ask = async || peer.request("{ getSLAList { id } }", json!({})).send().await.unwrap();
    ask().await;
    ask().await;
    let third = ask().await;
    assert_eq!((third.status().as_u16(), third.headers().get("retry-after")), (200, None));
    assert!(is_rate_limit(&third.text().await.unwrap()));
    peer.clock.advance(TimeDelta::seconds(59));
    assert!(is_rate_limit(&ask().await.text().await.unwrap()));
    peer.clock.advance(TimeDelta::seconds(61));
    assert!(ask().await.text().await.unwrap().contains("\"data\":{\"getSLAList\""));
    assert_eq!(peer.simulator.requests().throttled, 2);
    assert_eq!(peer.simulator.requests().by_operation["getSLAList"], 3);
}

#[tokio::test]
async fn a_wrong_query_is_refused_with_200_and_an_unsupported_filter_with_the_internal_error() {
    let peer = Peer::still(1).await;
    let wrong = peer.request("{ getSLAList { target } }", json!({})).send().await.unwrap();
    assert_eq!(wrong.status(), 200);
    let wrong: Value = wrong.json().await.unwrap();
    assert!(wrong["errors"][0]["message"].as_str().unwrap().starts_with("Validation error of type FieldUndefined"));
    let condition = json!({"attribute": "updatedTime", "operator": "greater_than", "value": "2026-01-01T00:00:00"});
    let unsupported = peer.ask(TICKETS, json!({"input": {"page": 1, "condition": condition}})).await;
    assert_eq!(unsupported["errors"][0], json!({"message": "Internal Server Error(s) while executing query"}));
    assert_eq!(unsupported["data"], json!({"getTicketList": null}));
    assert_eq!(peer.simulator.requests().invalid, 1);
}

#[tokio::test]
async fn a_deletion_between_two_pages_hides_a_ticket_and_an_update_shows_one_twice() {
    let peer = Peer::still(0).await;
    for tickets_age in 0..40 {
        peer.simulator.add(NewTicket { created_in: TimeDelta::minutes(-tickets_age), ..NewTicket::default() });
    }
    let newest_first =
        |page: u32| json!({"page": page, "pageSize": 10, "sort": [{"attribute": "updatedTime", "order": "DESC"}]});
    let second = peer.ids(newest_first(2)).await;
    peer.simulator.remove(&peer.ids(newest_first(1)).await[0]);
    assert_eq!(peer.ids(newest_first(2)).await[..9], second[1..], "everything moved up by one");
    peer.clock.advance(TimeDelta::minutes(1));
    peer.simulator.patch(&second[9], |ticket| ticket.priority = Some("Critical".into()));
    assert_eq!(peer.ids(newest_first(1)).await[0], second[9], "a changed ticket moves to the front");
}

#[tokio::test]
async fn flags_turn_at_the_due_time_without_an_update() {
    let peer = Peer::still(0).await;
    let due = NewTicket { response_due_in: Some(TimeDelta::minutes(5)), ..NewTicket::default() };
    let id = peer.simulator.add(due);
    let read = async || {
        let query = "query ($id: ID!) { getTicket(input: {ticketId: $id}) { firstResponseViolated updatedTime } }";
        peer.ask(query, json!({"id": id})).await["data"]["getTicket"].clone()
    };
    let before = read().await;
    peer.clock.advance(TimeDelta::minutes(6));
    let after = read().await;
    assert_eq!((&before["firstResponseViolated"], &after["firstResponseViolated"]), (&json!(false), &json!(true)));
    assert_eq!(before["updatedTime"], after["updatedTime"]);
}

#[tokio::test]
async fn a_missing_ticket_is_null_or_refused() {
    let peer = Peer::still(0).await;
    let id = peer.simulator.add(NewTicket::default());
    peer.simulator.remove(&id);
    let query = "query ($id: ID!) { getTicket(input: {ticketId: $id}) { subject } }";
    assert_eq!(peer.ask(query, json!({"id": id})).await, json!({"data": {"getTicket": null}}));
    let unknown = peer.ask(query, json!({"id": "4"})).await;
    assert_eq!(unknown["errors"][0]["extensions"]["clientError"][0]["code"], "entity_does_not_exist");
    assert_eq!(unknown["data"], json!({}));
    peer.simulator.restore(&id);
    assert_eq!(peer.ask(query, json!({"id": id})).await["data"]["getTicket"]["subject"], "Mail server down");
}

#[tokio::test]
async fn lookups_answer_as_the_schema_says() {
    let peer = Peer::still(1).await;
    let query = "{
        getTechnicianList(input: {page: 1, pageSize: 100}) { userList { userId name email contactNumber reportingManager groups } listInfo { hasMore } }
        getClientList(input: {page: 1, pageSize: 100}) { clients { accountId name accountManager } listInfo { hasMore } }
        getClientSiteList(input: {listInfo: {page: 1, pageSize: 100}}) { sites { id timezoneCode working24x7 client businessHour { day start end } holidayList { name } } listInfo { hasMore } }
        getTechnicianGroupList { groupId name } getSLAList { id name } getPriorityList { id name } getStatusList { id name description }
        getHolidayList { id name } getTeamList { teamId name } }";
    let answer = peer.ask(query, json!({})).await;
    let data = &answer["data"];
    assert_eq!(data["getTechnicianList"]["userList"].as_array().unwrap().len(), 9, "{answer}");
    let managed = data["getTechnicianList"]["userList"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["reportingManager"]["name"] == "Dana Whitfield");
    assert_eq!(managed.count(), 8);
    let site = &data["getClientSiteList"]["sites"][0];
    assert_eq!((&site["businessHour"][0]["start"], &site["timezoneCode"]), (&json!("09:00"), &json!("Europe/London")));
    assert_eq!(data["getStatusList"][0]["name"], "New Calls");
    assert_eq!(data["getTeamList"], json!([{"teamId": "1", "name": "Desk"}]));
}

#[tokio::test]
async fn introspection_gives_the_committed_schema() {
    let peer = Peer::still(1).await;
    let answer = peer.ask("{ __type(name: \"Ticket\") { fields { name type { kind name } } } }", json!({})).await;
    let fields = answer["data"]["__type"]["fields"].as_array().unwrap().clone();
    assert!(fields.contains(&json!({"name": "client", "type": {"kind": "SCALAR", "name": "JSON"}})), "{fields:?}");
}

#[tokio::test]
async fn notes_and_conversations_are_kept_and_read_back() {
    let peer = Peer::still(0).await;
    let id = peer.simulator.add(NewTicket::default());
    let write =
        "mutation ($input: CreateTicketNoteInput!) { createTicketNote(input: $input) { noteId content privacyType } }";
    let note = peer.ask(write, json!({"input": {"ticket": {"ticketId": id}, "content": "SLA warning"}})).await;
    assert_eq!(note["data"]["createTicketNote"]["privacyType"], "PRIVATE");
    let read = "query ($input: TicketIdentifierInput!) { getTicketNoteList(input: $input) { noteId content addedOn }
        getTicketConversationList(input: $input) { type time user content } }";
    let read = peer.ask(read, json!({"input": {"ticketId": id}})).await;
    assert_eq!(read["data"]["getTicketNoteList"][0]["content"], "SLA warning");
    assert_eq!(read["data"]["getTicketConversationList"][0]["type"], "DESCRIPTION");
    let empty = peer.ask(write, json!({"input": {"ticket": {"ticketId": id}, "content": ""}})).await;
    assert_eq!(empty["errors"][0]["extensions"]["clientError"][0]["code"], "mandatory_validation_failed");
}

#[tokio::test]
async fn an_update_may_be_applied_and_still_answer_with_the_internal_error() {
    let peer = Peer::still(0).await;
    let id = peer.simulator.add(NewTicket::default());
    let update = "mutation ($input: UpdateTicketInput!) { updateTicket(input: $input) { status priority } }";
    let good = peer.ask(update, json!({"input": {"ticketId": id, "status": "On Hold"}})).await;
    assert_eq!(good["data"]["updateTicket"], json!({"status": "On Hold", "priority": "High"}));
    peer.simulator.fail(Fault::AppliedThenInternalError, 1);
    let bad = peer.ask(update, json!({"input": {"ticketId": id, "priority": "Critical"}})).await;
    assert_eq!(bad["data"], json!({"updateTicket": null}));
    assert_eq!(peer.simulator.ticket(&id).unwrap().priority.as_deref(), Some("Critical"));
    let unknown = peer.ask(update, json!({"input": {"ticketId": id, "status": "Nirvana"}})).await;
    assert_eq!(unknown["errors"][0]["extensions"]["clientError"][0]["code"], "referred_value_does_not_exist");
}

#[tokio::test]
async fn faults_come_in_order_and_only_as_often_as_asked() {
    let peer = Peer::still(3).await;
    let ask = async || peer.request(TICKETS, json!({"input": {"page": 1}})).send().await.unwrap();
    for (fault, status, start) in [
        (Fault::Html502, 502, "<html>"),
        (Fault::Http500, 500, "boom"),
        (Fault::Unauthorized, 401, ""),
        (Fault::Throttle, 200, "{"),
        (Fault::InternalError, 200, "{"),
        (Fault::EmptyBody, 200, ""),
        (Fault::NotJson, 200, "Service is warming up"),
        (Fault::Redirect("https://elsewhere.example/msp".to_owned()), 307, ""),
    ] {
        peer.simulator.fail(fault.clone(), 1);
        let answer = ask().await;
        assert_eq!(answer.status(), status, "{fault:?}");
        let text = answer.text().await.unwrap();
        assert!(text.starts_with(start) && text.is_empty() == start.is_empty(), "{fault:?}: {text}");
    }
    peer.simulator.fail(Fault::Truncated, 1);
    let half = ask().await.text().await.unwrap();
    assert!(half.starts_with("{\"data\"") && serde_json::from_str::<Value>(&half).is_err());
    peer.simulator.fail(Fault::Reset, 1);
    let broken = async { peer.request(TICKETS, json!({"input": {"page": 1}})).send().await?.text().await };
    assert!(broken.await.is_err());
    peer.simulator.fail(Fault::HugeBody(1 << 20), 1);
    assert_eq!(ask().await.bytes().await.unwrap().len(), 1 << 20);
    assert!(ask().await.json::<Value>().await.unwrap()["errors"].is_null(), "then all is well again");
}

#[tokio::test]
async fn bad_records_spoil_two_tickets_of_a_page() {
    let peer = Peer::still(5).await;
    peer.simulator.fail(Fault::BadRecord, 1);
    let rows = peer.page(json!({"page": 1, "pageSize": 100})).await["tickets"].clone();
    assert!(rows[0]["ticketId"].is_null() && rows[1]["createdTime"] == "yesterday" && rows[2]["ticketId"].is_string());
}

#[tokio::test]
async fn internal_errors_come_for_as_long_as_asked() {
    let peer = Peer::still(3).await;
    let fails = async || peer.ask(TICKETS, json!({"input": {"page": 1}})).await["errors"].is_array();
    peer.simulator.fail_for(Fault::InternalError, TimeDelta::seconds(75));
    assert!(fails().await);
    peer.clock.advance(TimeDelta::seconds(74));
    assert!(fails().await);
    peer.clock.advance(TimeDelta::seconds(1));
    assert!(!fails().await);
}

fn newest_first(page: usize, size: usize) -> Value {
    json!({"page": page, "pageSize": size, "sort": [{"attribute": "updatedTime", "order": "DESC"}]})
}

/// Starts an account with forty tickets, a minute apart, the newest first.
async fn forty() -> (Peer, Vec<String>) {
    let peer = Peer::still(0).await;
    for id in peer.simulator.tickets().iter().map(|ticket| ticket.id.to_string()) {
        peer.simulator.remove(&id);
    }
    let add = |age: i64| NewTicket { created_in: TimeDelta::minutes(-age), ..NewTicket::default() };
    let ids = (0..40).map(|age| peer.simulator.add(add(age))).collect();
    (peer, ids)
}

#[tokio::test]
async fn paging_ends_at_a_depth_and_nowhere_above() {
    let (peer, _) = forty().await;
    peer.simulator.habits(|habits| habits.deepest_row = Some(20));
    let ask = async |page, size| peer.ask(TICKETS, json!({"input": newest_first(page, size)})).await;
    assert_eq!(ask(2, 10).await["data"]["getTicketList"]["tickets"].as_array().unwrap().len(), 10);
    assert_eq!(ask(3, 10).await["errors"][0]["message"], "Internal Server Error(s) while executing query");
    assert_eq!(ask(1, 100).await["data"], json!({"getTicketList": null}));
}

#[tokio::test]
async fn a_list_may_lie_about_its_end_and_its_order() {
    let (peer, ids) = forty().await;
    peer.simulator.habits(|habits| {
        (habits.never_more, habits.total_count) = (true, habit::TotalCount::Off(-5));
        habits.swapped_pairs = true;
    });
    let info = peer.page(newest_first(1, 10)).await["listInfo"].clone();
    assert_eq!((&info["hasMore"], &info["totalCount"]), (&Value::Null, &json!(35)));
    let order = peer.ids(newest_first(1, 5)).await;
    assert_eq!(order, [0, 2, 1, 3, 4].map(|nth| ids[nth].clone()));
    peer.simulator.recover();
    assert_eq!(peer.ids(newest_first(1, 5)).await, ids[..5]);
}

#[tokio::test]
async fn a_hole_is_named_by_the_path_of_its_error() {
    let (peer, ids) = forty().await;
    let pierce = |hole| {
        let holes = Holes { which: habit::Which::ids([&*ids[2]]), hole };
        peer.simulator.habits(|habits| habits.holes = vec![holes]);
    };
    let ask = async || peer.ask(TICKETS, json!({"input": newest_first(1, 5)})).await;
    pierce(Hole::Field("status".to_owned()));
    let answer = ask().await;
    assert_eq!(answer["errors"][0]["path"], json!(["getTicketList", "tickets", 2, "status"]));
    let rows = &answer["data"]["getTicketList"]["tickets"];
    assert!(rows[2]["status"].is_null() && rows[2]["subject"].is_string() && rows[3]["status"].is_string());
    pierce(Hole::BrokenRow("subject".to_owned()));
    let answer = ask().await;
    assert_eq!(answer["errors"][0]["path"], json!(["getTicketList", "tickets", 2, "subject"]));
    assert!(answer["data"]["getTicketList"]["tickets"][2].is_null());
    pierce(Hole::Row);
    assert_eq!(ask().await["errors"][0]["path"], json!(["getTicketList", "tickets", 2]));
    pierce(Hole::BrokenPage("subject".to_owned()));
    let answer = ask().await;
    assert_eq!((&answer["data"], answer["errors"].as_array().unwrap().len()), (&json!({"getTicketList": null}), 1));
    let without = "query ($input: ListInfoInput!) { getTicketList(input: $input) { tickets { ticketId status } } }";
    let answer = peer.ask(without, json!({"input": newest_first(1, 5)})).await;
    assert!(answer["errors"].is_null(), "who does not ask for the subject does not meet the hole");
    let single = "query ($id: ID!) { getTicket(input: {ticketId: $id}) { ticketId subject } }";
    let answer = peer.ask(single, json!({"id": ids[2]})).await;
    assert_eq!(
        (&answer["data"]["getTicket"], &answer["errors"][0]["path"]),
        (&Value::Null, &json!(["getTicket", "subject"]))
    );
}

#[tokio::test]
async fn a_query_that_does_not_fit_may_come_back_with_400_and_the_schema_stay_hidden() {
    let peer = Peer::still(1).await;
    let introspect = "{ __type(name: \"Ticket\") { name } }";
    assert_eq!(peer.ask(introspect, json!({})).await["data"]["__type"]["name"], "Ticket");
    peer.simulator.habits(|habits| {
        habits.unknown_fields.insert("sla".to_owned());
        (habits.bad_requests, habits.no_introspection) = (true, true);
    });
    let answer = peer.request(TICKETS, json!({"input": {"page": 1}})).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    let said = answer.json::<Value>().await.unwrap()["errors"][0]["message"].as_str().unwrap().to_owned();
    assert_eq!(said, "Validation error of type FieldUndefined: Field 'sla' in type 'Ticket' is undefined");
    let answer = peer.request(&TICKETS.replace(" sla ", " "), json!({"input": {"page": 1}})).send().await.unwrap();
    assert_eq!(answer.status(), 200, "without it all is well");
    let said = peer.ask(introspect, json!({})).await["errors"][0]["message"].as_str().unwrap().to_owned();
    assert_eq!(said, "Validation error of type FieldUndefined: Field '__type' in type 'Query' is undefined");
}

#[tokio::test]
async fn tickets_may_be_hidden_or_unreadable_one_by_one() {
    let (peer, ids) = forty().await;
    let query = "query ($id: ID!) { getTicket(input: {ticketId: $id}) { subject } }";
    let single = async |id: &str| peer.ask(query, json!({"id": id})).await;
    peer.simulator.habits(|habits| {
        (habits.hidden, habits.unreadable) = (habit::Which::ids([&*ids[0]]), habit::Which::ids([&*ids[1]]));
    });
    assert_eq!(peer.ids(newest_first(1, 3)).await, ids[1..4]);
    assert_eq!(single(&ids[0]).await, json!({"data": {"getTicket": null}}));
    assert!(single(&ids[1]).await["errors"][0]["message"].as_str().unwrap().starts_with("Internal Server Error"));
    peer.simulator.habits(|habits| habits.missing = habit::Missing::Refused);
    assert_eq!(single(&ids[0]).await["errors"][0]["extensions"]["clientError"][0]["code"], "entity_does_not_exist");
    peer.simulator.habits(|habits| habits.hidden = habit::Which::All);
    let page = peer.page(newest_first(1, 10)).await;
    assert_eq!((&page["tickets"], &page["listInfo"]["totalCount"]), (&json!([]), &json!(0)));
}

#[tokio::test]
async fn the_date_of_an_answer_is_the_accounts_own_and_may_be_off() {
    let peer = Peer::still(1).await;
    let date = async || {
        let answer = peer.request("{ getSLAList { id } }", json!({})).send().await.unwrap();
        answer.headers()["date"].to_str().unwrap().to_owned()
    };
    assert_eq!(date().await, "Tue, 17 Nov 2026 10:00:00 GMT");
    peer.simulator.habits(|habits| habits.date_ahead = TimeDelta::seconds(-90));
    assert_eq!(date().await, "Tue, 17 Nov 2026 09:58:30 GMT");
}

#[tokio::test]
async fn an_account_may_begin_empty_and_answer_new_tickets_by_a_machine() {
    let options = SimOptions { empty: true, requests_per_minute: 0, ..SimOptions::default() };
    let peer = Peer::start(options).await;
    assert_eq!(peer.page(newest_first(1, 10)).await["listInfo"]["totalCount"], 0);
    peer.simulator.habits(|habits| (habits.automatic_responses, habits.odd_statuses) = (true, true));
    peer.clock.advance(TimeDelta::hours(8));
    let rows = peer.page(newest_first(1, 100)).await["tickets"].clone();
    let rows = rows.as_array().unwrap();
    assert!(!rows.is_empty() && rows.iter().all(|row| row["firstResponseTime"] == row["createdTime"]), "{rows:?}");
    assert!(rows.iter().any(|row| row["status"] == "Completed" && row["resolutionTime"].is_string()));
    assert!(rows.iter().all(|row| row["status"] != "Resolved"));
    let id = json!({"input": {"ticketId": rows[0]["ticketId"]}});
    let talk = "query ($input: TicketIdentifierInput!) { getTicketConversationList(input: $input) { type } }";
    let talk = peer.ask(talk, id).await["data"]["getTicketConversationList"].clone();
    assert_eq!(talk[1]["type"], "REQ_NOTIFICATION");
    let listed = peer.ask("{ getStatusList { name } }", json!({})).await["data"]["getStatusList"].to_string();
    assert!(listed.contains("Completed") && listed.contains("Parked"), "{listed}");
}

#[tokio::test]
async fn a_hanging_answer_never_comes() {
    let peer = Peer::still(1).await;
    peer.simulator.fail(Fault::Hang, 1);
    let request = peer.request("{ getSLAList { id } }", json!({})).timeout(Duration::from_millis(50));
    assert!(request.send().await.unwrap_err().is_timeout());
}

#[tokio::test]
async fn the_desk_moves_when_the_clock_does() {
    let peer = Peer::start(SimOptions::default()).await;
    let newest = json!({"page": 1, "pageSize": 1, "sort": [{"attribute": "updatedTime", "order": "DESC"}]});
    let before = peer.page(newest.clone()).await;
    peer.clock.advance(TimeDelta::hours(1));
    let after = peer.page(newest).await;
    assert!(before["tickets"][0]["updatedTime"].as_str() < after["tickets"][0]["updatedTime"].as_str());
}

#[tokio::test]
async fn a_history_is_served_like_any_account() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/history/help-desk.jsonl");
    let records: Vec<_> = crate::history::read(&path).map(Result::unwrap).collect();
    let peer = Peer::still(0).await;
    let replay = Replay::new(records, tuesday());
    let simulator = Simulator::replaying(replay, SimOptions::default(), Arc::new(peer.clock.clone()));
    let served = simulator.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let peer = Peer { simulator, served, ..peer };
    let page = peer.page(json!({"page": 1, "pageSize": 100})).await;
    assert_eq!(page["listInfo"]["totalCount"], 6);
    let newest = page["tickets"].as_array().unwrap().iter().find(|row| row["displayId"] == "INC-6").unwrap();
    assert_eq!((&newest["status"], &newest["technician"]["name"]), (&json!("New"), &json!("Agent 13")));
    peer.clock.advance(TimeDelta::hours(3));
    let resolved = json!({"attribute": "status", "operator": "is", "value": "Resolved"});
    assert_eq!(peer.page(json!({"page": 1, "condition": resolved})).await["listInfo"]["totalCount"], 3);
}

#[tokio::test]
async fn a_dropped_server_answers_no_more() {
    let peer = Peer::still(1).await;
    let request = peer.request("{ getSLAList { id } }", json!({}));
    let again = request.try_clone().unwrap();
    request.send().await.unwrap();
    drop(peer.served);
    tokio::task::yield_now().await;
    assert!(again.send().await.is_err());
}
