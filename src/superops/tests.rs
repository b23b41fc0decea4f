//! Tests of what the client promises, with samples of real answers and over a socket.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Response};
use axum::routing::post;
use chrono::{DateTime, TimeDelta, TimeZone, Utc, Weekday};
use serde_json::json;

use super::gaps::Gaps;
use super::*;
use crate::config::{Hours, TokenSource};
use crate::ticket::{Flaw, RefId, StatusWords};

/// A sample that can be changed before it is read.
type Sample = serde_json::Value;

fn fixture(name: &str) -> Sample {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/superops").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn raw(name: &str, operation: &str) -> Sample {
    fixture(name)["data"][operation].clone()
}

fn data(name: &str, operation: &str) -> Value {
    read(&raw(name, operation))
}

fn read(sample: &Sample) -> Value {
    Value::parse(&sample.to_string()).unwrap()
}

fn utc(y: i32, mo: u32, d: u32, h: u32, mi: u32, s: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(y, mo, d, h, mi, s).unwrap()
}

fn ticket_with(field: &str, value: Sample) -> Ticket {
    let mut record = raw("getTicket.ok.json", "getTicket");
    record[field] = value;
    convert::ticket(&read(&record)).unwrap()
}

#[test]
fn every_ticket_of_the_sample_pages_is_read_without_a_flaw() {
    for name in ["getTicketList.page1.json", "getTicketList.page2-last.json"] {
        let page = convert::ticket_page(&data(name, "getTicketList"), &Gaps::default()).unwrap();
        assert!(!page.tickets.is_empty());
        assert_eq!(page.rejects, [], "{name}");
        assert_eq!(page.total, Some(5));
        for ticket in &page.tickets {
            assert_eq!(ticket.flaws, [], "{}", ticket.display_id);
        }
    }
}

#[test]
fn a_ticket_is_read_whole() {
    let page = convert::ticket_page(&data("getTicketList.page1.json", "getTicketList"), &Gaps::default()).unwrap();
    let waiting = &page.tickets[2];
    assert_eq!(waiting.id.as_str(), "7712049386651025410");
    assert_eq!(waiting.client.as_ref().unwrap().id.as_str(), "6841203957716402999", "an unquoted id of 19 digits");
    assert_eq!(waiting.technician.as_ref().unwrap().name, "Aiko Tanaka");
    assert_eq!(waiting.updated_at, Some(utc(2026, 10, 17, 8, 59, 59) + TimeDelta::milliseconds(999)));
    assert_eq!(waiting.first_response.due, Some(utc(2026, 10, 17, 8, 42, 40)));
    assert_eq!(waiting.first_response.breached, Some(true));
    assert_eq!(waiting.resolution.met_at, None);
}

#[test]
fn more_pages_follow_only_if_superops_says_so() {
    let more = |name| convert::ticket_page(&data(name, "getTicketList"), &Gaps::default()).unwrap().has_more;
    assert!(more("getTicketList.page1.json"));
    assert!(!more("getTicketList.page2-last.json"), "the last page says null");
}

#[test]
fn a_full_page_that_says_nothing_of_the_list_is_not_the_last() {
    let row = json!({ "ticketId": "7", "displayId": "7", "subject": "s", "status": "Open" });
    let cases = [
        (100, json!(null), true),
        (99, json!(null), false),
        (100, json!({ "hasMore": null, "totalCount": 100 }), false),
        (100, json!({ "hasMore": false }), false),
        (100, json!({ "hasMore": null, "totalCount": null }), true),
    ];
    for (rows, info, expected) in cases {
        let answer = json!({ "tickets": vec![row.clone(); rows], "listInfo": info });
        let page = convert::ticket_page(&read(&answer), &Gaps::default()).unwrap();
        assert_eq!(page.has_more, expected, "{rows} rows, {info}");
    }
}

#[test]
fn a_null_list_is_an_empty_one_unless_something_says_that_there_are_rows() {
    let explained = || Gaps::from_iter([Some(vec![gaps::Step::Field("tickets".into()), gaps::Step::Row(3)])]);
    let cases = [
        ("no list info", json!({ "tickets": null }), Gaps::default(), true),
        ("none counted", json!({ "tickets": null, "listInfo": { "totalCount": 0 } }), Gaps::default(), true),
        ("some counted", json!({ "tickets": null, "listInfo": { "totalCount": 7 } }), Gaps::default(), false),
        ("more follow", json!({ "tickets": null, "listInfo": { "hasMore": true } }), Gaps::default(), false),
        ("an error took it", json!({ "tickets": null }), explained(), false),
        ("not asked for", json!({ "listInfo": {} }), Gaps::default(), false),
    ];
    for (name, answer, gaps, expected) in cases {
        let page = convert::ticket_page(&read(&answer), &gaps);
        assert_eq!(page.map(|page| page.tickets.is_empty()), expected.then_some(true), "{name}");
    }
    let sites = convert::sites(&Value::Null, &Gaps::default()).unwrap();
    assert_eq!((sites.items, sites.has_more), (vec![], false));
}

#[test]
fn times_are_read_in_every_form_that_was_seen() {
    let noon = utc(2026, 10, 17, 12, 0, 0);
    let cases = [
        ("2026-10-17T12:00:00", noon),
        ("2026-10-17T12:00", noon),
        ("2026-10-17T12:00:00.905", noon + TimeDelta::milliseconds(905)),
        ("2026-10-17T12:00:00.5", noon + TimeDelta::milliseconds(500)),
        ("2026-10-17T12:00:00.000000001", noon + TimeDelta::nanoseconds(1)),
        ("2026-10-17T12:00:00Z", noon),
        ("2026-10-17T12:00Z", noon),
        ("2026-10-17T14:00:00.000+02:00", noon),
        ("2026-10-17T14:00:00+0200", noon),
        ("2026-10-17T07:00-05:00", noon),
        ("2026-10-17 12:00:00", noon),
    ];
    for (raw, expected) in cases {
        let ticket = ticket_with("updatedTime", json!(raw));
        assert_eq!((ticket.updated_at, ticket.flaws), (Some(expected), vec![]), "{raw}");
    }
}

#[test]
fn a_second_may_have_up_to_nine_digits_after_the_point_and_without_an_offset_it_is_utc() {
    for digits in 0..=9 {
        let fraction = if digits == 0 { String::new() } else { format!(".{}", &"123456789"[..digits]) };
        let nanoseconds = format!("{:0<9}", &"123456789"[..digits]).parse().unwrap();
        let ticket = ticket_with("updatedTime", json!(format!("2026-10-17T12:00:00{fraction}")));
        let expected = utc(2026, 10, 17, 12, 0, 0) + TimeDelta::nanoseconds(nanoseconds);
        assert_eq!((ticket.updated_at, ticket.flaws), (Some(expected), vec![]), "{digits} digits");
    }
}

#[test]
fn the_year_one_is_no_time_but_a_blank_that_is_named() {
    let ticket = ticket_with("resolutionDueTime", json!("0001-01-01T00:00:00"));
    assert_eq!((ticket.resolution.due, ticket.flaws.len()), (None, 1));
}

#[test]
fn an_odd_field_is_left_blank_and_named() {
    let cases = [
        ("updatedTime", json!("yesterday"), "is a text, not a possible time"),
        ("updatedTime", json!("0001-01-01T00:00:00"), "is a text, not a possible time"),
        ("createdTime", json!(12), "is a number, not a possible time"),
        ("firstResponseViolated", json!("perhaps"), "is a text, not true or false"),
        ("status", json!({ "name": "Open" }), "is an object, not a text"),
        ("subject", Sample::Null, "is missing"),
        ("client", json!({ "name": "Nobody" }), "has no readable id"),
        ("client", json!({ "accountId": 6.8e18 }), "has no readable id"),
        ("sla", json!("Gold"), "is not an object"),
    ];
    for (field, value, why) in cases {
        let ticket = ticket_with(field, value.clone());
        assert_eq!(ticket.flaws, [Flaw { field: field.into(), why: why.into() }], "{value}");
    }
}

#[test]
fn blank_in_any_form_is_no_flaw() {
    for blank in [Sample::Null, json!(""), json!("  "), json!({}), json!([])] {
        let ticket = ticket_with("technician", blank.clone());
        assert_eq!((ticket.technician, ticket.flaws), (None, vec![]), "{blank}");
    }
}

#[test]
fn an_association_may_arrive_as_a_text_that_holds_json() {
    let ticket = ticket_with("client", json!(r#"{"accountId":6841203957716402999,"name":"Ørsted"}"#));
    let client = ticket.client.unwrap();
    assert_eq!((client.id.as_str(), client.name.as_str()), ("6841203957716402999", "Ørsted"));
}

#[test]
fn a_record_without_an_id_does_not_cost_the_page() {
    let mut page = raw("getTicketList.page1.json", "getTicketList");
    page["tickets"][0]["ticketId"] = Sample::Null;
    page["tickets"].as_array_mut().unwrap().push(Sample::Null);
    let page = convert::ticket_page(&read(&page), &Gaps::default()).unwrap();
    assert_eq!(page.tickets.len(), 2);
    let expected = [Reject::new(None, "ticketId", "is missing"), Reject::new(None, "record", "is null")];
    assert_eq!(page.rejects, expected);
}

#[test]
fn people_are_read_with_what_is_needed_to_reach_them() {
    let page = convert::technicians(&data("getTechnicianList.ok.json", "getTechnicianList"), &Gaps::default()).unwrap();
    let [mateo, aiko] = page.items.as_slice() else { panic!("{page:?}") };
    assert_eq!(mateo.email.as_deref(), Some("mateo.alvarez@example.com"));
    assert_eq!(mateo.phone.as_deref(), Some("+442079460000"));
    assert_eq!(mateo.groups[0].name, "Service Desk L1");
    assert_eq!((aiko.phone.as_deref(), &aiko.manager, aiko.groups.len()), (None, &None, 0));
    assert_eq!(page.rejects, []);
}

#[test]
fn a_blank_address_is_no_address() {
    let mut page = raw("getTechnicianList.ok.json", "getTechnicianList");
    page["userList"][0]["email"] = json!("  ");
    page["userList"][1]["email"] = json!(" aiko@example.com ");
    let page = convert::technicians(&read(&page), &Gaps::default()).unwrap();
    assert_eq!(page.items[0].email, None);
    assert_eq!(page.items[1].email.as_deref(), Some("aiko@example.com"));
}

#[test]
fn clients_are_read_with_their_account_manager() {
    let page = convert::clients(&data("getClientList.ok.json", "getClientList"), &Gaps::default()).unwrap();
    assert_eq!(page.items[0].account_manager.as_ref().unwrap().name, "Mateo Alvarez");
    assert_eq!(page.items[1].account_manager, None);
}

#[test]
fn sites_are_read_with_their_hours() {
    let page = convert::sites(&data("getClientSiteList.ok.json", "getClientSiteList"), &Gaps::default()).unwrap();
    let leeds = &page.items[0];
    assert_eq!(leeds.timezone.as_deref(), Some("Europe/London"));
    assert_eq!(leeds.hours.len(), 5);
    assert_eq!((leeds.hours[4].day, leeds.hours[4].end.as_str()), (Weekday::Fri, "17:30"));
    assert_eq!(leeds.holiday_list.as_ref().unwrap().name, "UK Bank Holidays");
    assert!(page.items[1].always_open);
}

#[test]
fn an_odd_row_of_hours_is_named_and_the_site_kept() {
    let mut page = raw("getClientSiteList.ok.json", "getClientSiteList");
    page["sites"][0]["businessHour"][0]["day"] = json!("SOMEDAY");
    let page = convert::sites(&read(&page), &Gaps::default()).unwrap();
    assert_eq!(page.items[0].hours.len(), 4);
    assert_eq!(page.rejects[0].field, "businessHour");
    assert_eq!(page.rejects[0].id.as_deref(), Some("6841203958194552832"));
}

#[test]
fn a_row_of_hours_that_names_a_day_and_no_times_is_a_closed_day() {
    let mut page = raw("getClientSiteList.ok.json", "getClientSiteList");
    for day in ["SATURDAY", "SUNDAY"] {
        let hours = page["sites"][0]["businessHour"].as_array_mut().unwrap();
        hours.push(json!({ "day": day, "start": null, "end": null }));
    }
    let site = convert::sites(&read(&page), &Gaps::default()).unwrap();
    assert_eq!((site.items[0].hours.len(), site.rejects), (5, vec![]));
    page["sites"][0]["businessHour"][5]["start"] = json!("09:00");
    let site = convert::sites(&read(&page), &Gaps::default()).unwrap();
    assert_eq!((site.items[0].hours.len(), site.rejects[0].field.as_str()), (5, "businessHour"), "a start and no end");
}

#[test]
fn an_association_whose_every_field_is_null_is_none() {
    let mut page = raw("getTechnicianList.ok.json", "getTechnicianList");
    page["userList"][0]["reportingManager"] = json!({ "userId": null, "name": null });
    let page = convert::technicians(&read(&page), &Gaps::default()).unwrap();
    assert_eq!((&page.items[0].manager, page.rejects), (&None, vec![]));
}

#[test]
fn conversations_say_who_and_when() {
    let mut list = raw("getTicketConversationList.ok.json", "getTicketConversationList");
    list[3]["type"] = json!("BOT_REPLY");
    let kinds: Vec<_> = convert::conversations(&read(&list)).into_iter().map(|entry| entry.kind).collect();
    let bot = ConversationKind::Other("BOT_REPLY".into());
    use ConversationKind::{Description, RequesterNotice, TechnicianReply};
    assert_eq!(kinds, [Description, RequesterNotice, TechnicianReply, bot]);
    let reply = &convert::conversations(&read(&list))[2];
    assert_eq!(reply.author.as_ref().unwrap().as_str(), "5120044817230462976");
    assert_eq!(reply.at, utc(2026, 10, 17, 8, 31, 7) + TimeDelta::milliseconds(118));
}

#[test]
fn word_lists_are_read_from_either_api() {
    assert_eq!(convert::names(&data("getStatusList.ok.json", "getStatusList")).len(), 10);
    let fields = data("getAllFields.live.json", "getAllFields");
    assert_eq!(convert::statuses_of_fields(&fields), ["Open", "Resolved"]);
    assert_eq!(
        convert::named_list(&data("getTechnicianGroupList.ok.json", "getTechnicianGroupList"))[1].name,
        "Projects"
    );
    assert_eq!(convert::named_list(&Value::Null), []);
}

/// Returns the error of a sample, classified as an answer to `getTicketList`.
fn sorted(name: &str) -> ApiError {
    let sample = fixture(&format!("errors/{name}.json"));
    let raw = sample["bodyRaw"].as_str().map(str::to_owned);
    let body = raw.unwrap_or_else(|| sample["body"].to_string());
    match sample["httpStatus"].as_u64().unwrap() {
        200 => answer::read("getTicketList", body.as_bytes()).unwrap_err(),
        status => {
            answer::of_status("getTicketList", status.try_into().unwrap(), body.as_bytes(), "acme", None).unwrap_err()
        }
    }
}

#[test]
fn every_known_error_is_sorted_by_what_to_do_next() {
    let operation = "getTicketList";
    let cases = [
        ("rate_limit_exceeded", ApiError::Throttled),
        ("forbidden", ApiError::Forbidden { operation }),
        ("entity_does_not_exist", ApiError::NotFound { operation }),
        ("subscription_paused", ApiError::Subscription { state: "paused" }),
        ("invalid_subdomain", ApiError::WrongSubdomain { subdomain: "acme".into() }),
        ("internal_error_query", ApiError::Internal { operation }),
        ("http_502", ApiError::Transient { why: "HTTP 502".into() }),
        (
            "mandatory_validation_failed",
            ApiError::RefusedQuery { operation, why: "mandatory_validation_failed".into() },
        ),
    ];
    for (name, expected) in cases {
        assert_eq!(sorted(name), expected, "{name}");
    }
    assert!(matches!(sorted("validation_subselection"), ApiError::Misfit { .. }));
}

#[test]
fn a_status_of_429_is_a_throttle_whatever_its_body_says() {
    for body in ["", "slow down", r#"{"errors":[{"message":"Too many requests"}],"data":null}"#] {
        let error = answer::of_status("getTicketList", 429, body.as_bytes(), "acme", None).unwrap_err();
        assert_eq!(error, ApiError::Throttled, "{body}");
    }
}

#[test]
fn data_beside_an_error_of_the_engine_is_used() {
    let body = json!({ "errors": [{ "message": "null in a non-null field" }], "data": { "getTicketList": { "tickets": [] } } });
    assert!(answer::read("getTicketList", body.to_string().as_bytes()).is_ok());
}

#[test]
fn a_ticket_that_is_null_is_not_an_error() {
    assert_eq!(answer::read("getTicket", br#"{"data":{"getTicket":null}}"#).unwrap().data, Value::Null);
}

fn variables(ask: &TicketAsk) -> Sample {
    serde_json::from_slice::<Sample>(&operations::tickets(ask, ask.page, 100).body).unwrap()["variables"].clone()
}

#[test]
fn a_plain_page_carries_no_nulls() {
    let ask = TicketAsk::all(1, Order::Unsorted);
    assert_eq!(variables(&ask), json!({ "input": { "page": 1, "pageSize": 100 } }));
}

#[test]
fn open_tickets_are_asked_for_by_leaving_out_the_closed() {
    let ask = TicketAsk { leave_out_statuses: vec!["Closed".into()], ..TicketAsk::all(2, Order::UpdatedDesc) };
    let expected = json!({ "input": {
        "page": 2,
        "pageSize": 100,
        "condition": { "attribute": "status", "operator": "notIncludes", "value": ["Closed"] },
        "sort": [{ "attribute": "updatedTime", "order": "DESC" }],
    } });
    assert_eq!(variables(&ask), expected);
}

/// What a stand-in for SuperOps saw of one request.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    token: String,
    query: String,
}

/// A stand-in for SuperOps: gives its answers in order, and repeats the last one for ever.
struct Peer {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

type Answer = Box<dyn Fn() -> Response<Body> + Send + Sync>;

impl Peer {
    async fn answering(answers: Vec<Answer>) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, turn, answers) = (Arc::clone(&seen), Arc::new(AtomicUsize::new(0)), Arc::new(answers));
        let handler = move |headers: HeaderMap, body: String| {
            let token = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
            log.lock().unwrap().push(Seen { token: token.unwrap_or_default(), query: body });
            let response = answers[turn.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1)]();
            async move { response }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/msp", listener.local_addr().unwrap());
        let app = Router::new().route("/msp", post(handler));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, seen }
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn says(status: u16, body: impl Into<String>) -> Answer {
    let body = body.into();
    Box::new(move || Response::builder().status(status).body(Body::from(body.clone())).unwrap())
}

fn sample(name: &str) -> Answer {
    says(200, fixture(name).to_string())
}

fn internal() -> Answer {
    says(200, r#"{"errors":[{"message":"Internal Server Error(s) while executing query"}],"data":{}}"#)
}

/// A token file and a client that reads it.
struct Desk {
    client: SuperOps,
    telemetry: Arc<Telemetry>,
    token: PathBuf,
    _folder: tempfile::TempDir,
}

fn desk(endpoint: &str) -> Desk {
    desk_with_deadline(endpoint, Duration::from_secs(20))
}

fn desk_with_deadline(endpoint: &str, whole: Duration) -> Desk {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "tok-1\n").unwrap();
    let tenant = Tenant {
        id: TenantId::parse("acme").unwrap(),
        subdomain: "acme".into(),
        endpoint: endpoint.into(),
        token: TokenSource::File(token.clone()),
        requests_per_minute: 1000,
        poll_interval: TimeDelta::seconds(60),
        history: TimeDelta::days(400),
        nightly: None,
        hours: Hours::Msp,
        calendar: None,
        automation_answers: true,
        statuses: StatusWords::default(),
        hook_secret: None,
        ticket_url: "https://acme.example/{id}".into(),
        write_back: crate::config::WriteBack::default(),
        allow_networks: Vec::new(),
    };
    let limits = Limits { whole, first_retry: Duration::from_millis(1), ..Limits::default() };
    let telemetry = Arc::new(Telemetry::default());
    let client = SuperOps::with_limits(&tenant, Arc::clone(&telemetry), limits).unwrap();
    Desk { client, telemetry, token, _folder: folder }
}

/// Returns a client that talks to `endpoint` with the token `tok-1`, and the folder that holds the token.
pub fn client_of(endpoint: &str) -> (SuperOps, tempfile::TempDir) {
    let Desk { client, _folder: folder, .. } = desk(endpoint);
    (client, folder)
}

impl Desk {
    async fn first_page(&self) -> Result<TicketPage, ApiError> {
        let ask = TicketAsk::all(1, Order::Unsorted);
        self.client.tickets(&ask, Urgency::Routine).await
    }

    async fn newest(&self) -> Result<TicketPage, ApiError> {
        let ask = TicketAsk::all(1, Order::UpdatedDesc);
        self.client.tickets(&ask, Urgency::Routine).await
    }
}

fn a_ticket() -> TicketId {
    TicketId::parse("7712049386651025408").unwrap()
}

#[tokio::test]
async fn a_page_comes_back_as_tickets() {
    let peer = Peer::answering(vec![sample("getTicketList.page1.json")]).await;
    let desk = desk(&peer.url);
    assert_eq!(desk.first_page().await.unwrap().tickets.len(), 3);
    assert_eq!(peer.seen()[0].token, "Bearer tok-1");
    let figures = desk.telemetry.render();
    assert!(figures.contains(r#"tenant="acme",operation="getTicketList",outcome="ok"} 1"#), "{figures}");
}

#[tokio::test]
async fn a_rotated_token_is_picked_up_without_a_restart() {
    let page = || sample("getTicketList.page1.json");
    let peer = Peer::answering(vec![page(), says(401, ""), page()]).await;
    let desk = desk(&peer.url);
    desk.first_page().await.unwrap();
    std::fs::write(&desk.token, "tok-2").unwrap();
    desk.first_page().await.unwrap();
    let tokens: Vec<_> = peer.seen().into_iter().map(|seen| seen.token).collect();
    assert_eq!(tokens, ["Bearer tok-1", "Bearer tok-1", "Bearer tok-2"]);
}

#[tokio::test]
async fn a_token_refused_twice_is_not_tried_again() {
    let peer = Peer::answering(vec![says(401, "")]).await;
    let desk = desk(&peer.url);
    let error = desk.first_page().await.unwrap_err();
    assert!(matches!(error, ApiError::Unauthorized { .. }) && error.needs_a_person(), "{error}");
    assert_eq!(peer.seen().len(), 1, "the file still holds the same token");
}

#[tokio::test]
async fn a_token_file_that_vanished_is_named() {
    let peer = Peer::answering(vec![says(401, "")]).await;
    let desk = desk(&peer.url);
    std::fs::remove_file(&desk.token).unwrap();
    let error = desk.first_page().await.unwrap_err();
    assert!(matches!(&error, ApiError::TokenMissing { why } if why.contains("token`")), "{error}");
    assert_eq!(peer.seen(), []);
}

#[tokio::test]
async fn an_empty_400_means_the_subdomain() {
    let peer = Peer::answering(vec![says(400, "")]).await;
    let error = desk(&peer.url).first_page().await.unwrap_err();
    assert_eq!(error, ApiError::WrongSubdomain { subdomain: "acme".into() });
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let stumbles = [
        says(500, "boom"),
        says(200, "<html>Bad gateway</html>"),
        says(200, r#"{"data":{"getTicketList":{"tickets":[{"ticketId":"77"#),
    ];
    let answers = stumbles.into_iter().chain([sample("getTicketList.page1.json")]).collect();
    let peer = Peer::answering(answers).await;
    assert!(desk(&peer.url).first_page().await.is_ok());
    assert_eq!(peer.seen().len(), 4);
}

#[tokio::test]
async fn what_does_not_pass_is_given_up_after_a_few_attempts() {
    let peer = Peer::answering(vec![says(503, "")]).await;
    let error = desk(&peer.url).first_page().await.unwrap_err();
    assert_eq!(error, ApiError::Transient { why: "HTTP 503".into() });
    assert_eq!(peer.seen().len(), 1 + RETRIES);
}

#[tokio::test]
async fn a_sort_is_refused_only_if_a_plain_page_can_be_had_meanwhile() {
    let page = || sample("getTicketList.page1.json");
    let (first, second) = (internal, internal);
    let blamed = Peer::answering(vec![first(), second(), page(), internal()]).await;
    let error = desk(&blamed.url).newest().await.unwrap_err();
    assert!(matches!(error, ApiError::RefusedQuery { .. }), "{error}");
    assert_eq!(blamed.seen().len(), 4);
    let recovered = Peer::answering(vec![first(), second(), page()]).await;
    assert!(desk(&recovered.url).newest().await.is_ok(), "it works again after the plain page did");
    let down = Peer::answering(vec![internal()]).await;
    let error = desk(&down.url).newest().await.unwrap_err();
    assert_eq!(error, ApiError::Internal { operation: "getTicketList" });
    assert!(down.seen().len() <= 5, "{}", down.seen().len());
}

#[tokio::test]
async fn a_status_of_400_with_an_answer_in_it_is_read_as_one() {
    let undefined = r#"{"errors":[{"message":"Validation error (FieldUndefined@[getTicketList/tickets/category])"}]}"#;
    let peer = Peer::answering(vec![says(400, undefined), sample("getTicketList.page1.json")]).await;
    assert_eq!(desk(&peer.url).newest().await.unwrap().tickets.len(), 3);
}

#[tokio::test]
async fn an_internal_error_of_a_plain_query_may_pass() {
    let peer = Peer::answering(vec![internal(), internal(), sample("getTicketList.page1.json")]).await;
    assert!(desk(&peer.url).first_page().await.is_ok());
}

#[tokio::test]
async fn a_peer_that_says_nothing_is_left_in_time() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let desk = desk_with_deadline(&format!("http://{address}/msp"), Duration::from_millis(300));
    let error = desk.first_page().await.unwrap_err();
    assert_eq!(error, ApiError::Transient { why: "no answer in time".into() });
}

#[tokio::test]
async fn a_huge_answer_is_refused_while_it_streams() {
    let endless: Answer = Box::new(|| {
        let megabytes = std::iter::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 1 << 20]));
        Response::new(Body::from_stream(futures_util::stream::iter(megabytes)))
    });
    let peer = Peer::answering(vec![endless]).await;
    let error = desk(&peer.url).first_page().await.unwrap_err();
    assert_eq!(error, ApiError::TooLarge { operation: "getTicketList", limit_mb: 32 });
    assert_eq!(peer.seen().len(), 3, "whole, and in halves");
}

#[tokio::test]
async fn the_token_does_not_follow_a_redirect() {
    let elsewhere = Peer::answering(vec![sample("getTicketList.page1.json")]).await;
    let to = elsewhere.url.clone();
    let redirect: Answer =
        Box::new(move || Response::builder().status(307).header("location", &to).body(Body::empty()).unwrap());
    let peer = Peer::answering(vec![redirect]).await;
    let error = desk(&peer.url).first_page().await.unwrap_err();
    assert_eq!(error, ApiError::Redirected { to: "the host `127.0.0.1`".into() });
    assert_eq!(elsewhere.seen(), []);
}

#[tokio::test]
async fn an_error_of_the_network_names_neither_url_nor_token() {
    let error = desk("http://127.0.0.1:1/msp?secret=hush").first_page().await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(matches!(error, ApiError::Transient { .. }));
    assert!(!text.contains("hush") && !text.contains("tok-1"), "{text}");
}

#[tokio::test]
async fn a_ticket_that_is_gone_is_none() {
    let gone = fixture("errors/entity_does_not_exist.json")["body"].to_string();
    for body in [gone, r#"{"data":{"getTicket":null}}"#.to_owned()] {
        let peer = Peer::answering(vec![says(200, body)]).await;
        assert_eq!(desk(&peer.url).client.ticket(&a_ticket(), Urgency::Urgent).await, Ok(None));
    }
}

#[tokio::test]
async fn a_ticket_that_is_answered_with_another_is_none() {
    let other = json!({ "ticketId": "8", "displayId": "8", "subject": "s", "status": "Open" });
    let body = json!({ "data": { "getTicket": other } }).to_string();
    let peer = Peer::answering(vec![says(200, body)]).await;
    assert_eq!(desk(&peer.url).client.ticket(&a_ticket(), Urgency::Urgent).await, Ok(None));
}

#[tokio::test]
async fn statuses_come_from_the_fields_where_their_list_is_gone() {
    let names = says(200, r#"{"data":{"__schema":{"queryType":{"fields":[{"name":"getAllFields"}]}}}}"#);
    let peer = Peer::answering(vec![internal(), internal(), names, sample("getAllFields.live.json")]).await;
    let statuses = desk(&peer.url).client.statuses(Urgency::Background).await.unwrap();
    assert_eq!(statuses, ["Open", "Resolved"]);
}

#[tokio::test]
async fn a_query_the_tenant_does_not_have_is_not_sent() {
    let names = says(200, r#"{"data":{"__schema":{"queryType":{"fields":[{"name":"getTicket"}]}}}}"#);
    let peer = Peer::answering(vec![internal(), internal(), names]).await;
    let error = desk(&peer.url).client.statuses(Urgency::Background).await.unwrap_err();
    assert_eq!(error, ApiError::Internal { operation: "getStatusList" });
    assert_eq!(peer.seen().len(), 3);
}

#[tokio::test]
async fn a_field_the_tenant_does_not_have_is_given_up_and_the_rest_is_read() {
    let undefined = r#"{"errors":[{"message":"Validation error (FieldUndefined@[getTicketList/tickets/category])"}]}"#;
    let peer = Peer::answering(vec![says(200, undefined), sample("getTicketList.page1.json")]).await;
    let desk = desk(&peer.url);
    assert_eq!(desk.newest().await.unwrap().tickets.len(), 3);
    desk.newest().await.unwrap();
    let asked_for: Vec<_> = peer.seen().iter().map(|seen| seen.query.contains("category")).collect();
    assert_eq!(asked_for, [true, false, false], "it is learnt once");
}

fn notes_with(content: &str) -> Answer {
    let note = json!({ "noteId": "1", "addedOn": "2026-10-17T09:10:00.120", "content": content });
    says(200, json!({ "data": { "getTicketNoteList": [note] } }).to_string())
}

#[tokio::test]
async fn a_note_that_was_added_in_spite_of_an_error_is_found_and_not_repeated() {
    let peer = Peer::answering(vec![internal(), notes_with("<p>SLA warning</p><p>key-1</p>")]).await;
    let result = desk(&peer.url).client.add_note(&a_ticket(), "<p>SLA warning</p>", "key-1", Urgency::Routine).await;
    assert_eq!(result, Ok(()));
    let writes = peer.seen().iter().filter(|seen| seen.query.contains("createTicketNote")).count();
    assert_eq!(writes, 1);
}

#[tokio::test]
async fn a_note_that_cannot_be_found_is_unconfirmed_and_not_repeated() {
    let peer = Peer::answering(vec![says(500, ""), notes_with("<p>of somebody else</p>")]).await;
    let result = desk(&peer.url).client.add_note(&a_ticket(), "<p>SLA warning</p>", "key-1", Urgency::Routine).await;
    assert_eq!(result, Err(ApiError::Unconfirmed { operation: "createTicketNote" }));
    assert_eq!(peer.seen().len(), 2);
}

#[test]
fn what_a_note_says_is_not_shown_when_debugging() {
    let content = "the password is hush".to_owned();
    let note = Note { id: RefId::parse("1").unwrap(), added_at: None, content };
    assert!(!format!("{note:?}").contains("hush"));
}
