use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body as Answer;
use axum::extract::{Request, State};
use axum::http::{Response as HttpResponse, StatusCode};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::clock::ManualClock;
use crate::notify::Body;
use crate::sla::zone::Tz;

/// A request that the stand-in for Twilio received.
#[derive(Clone, Debug)]
struct Asked {
    method: String,
    target: String,
    user_and_secret: String,
    form: Vec<(String, String)>,
}

impl Asked {
    fn field(&self, name: &str) -> Option<&str> {
        self.form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// A stand-in for Twilio on loopback: gives the same answer to everything, and records its requests.
#[derive(Clone)]
struct Peer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    silent: bool,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Peer {
    fn answering(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), silent: false, asked: Arc::default() }
    }

    fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        url
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(State(peer): State<Peer>, request: Request) -> HttpResponse<Answer> {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, MOST_BYTES).await.unwrap();
    let credentials = head.headers["authorization"].to_str().unwrap().strip_prefix("Basic ").unwrap();
    peer.asked.lock().unwrap().push(Asked {
        method: head.method.to_string(),
        target: head.uri.to_string(),
        user_and_secret: String::from_utf8(BASE64_STANDARD.decode(credentials).unwrap()).unwrap(),
        form: form_of(&body),
    });
    if peer.silent {
        std::future::pending::<()>().await;
    }
    let mut response = HttpResponse::builder().status(StatusCode::from_u16(peer.status).unwrap());
    for (name, value) in &peer.headers {
        response = response.header(*name, value);
    }
    response.body(Answer::from(peer.body.clone())).unwrap()
}

fn form_of(body: &[u8]) -> Vec<(String, String)> {
    let mut url = Url::parse("http://form.example").unwrap();
    url.set_query(Some(std::str::from_utf8(body).unwrap()));
    url.query_pairs().into_owned().collect()
}

fn config(base_url: String) -> settings::Sms {
    let account = settings::Twilio {
        account_sid: "AC0123456789abcdef".into(),
        api_key_sid: None,
        secret: SecretString::from("hunter2"),
        base_url,
        hook_tokens: Vec::new(),
    };
    settings::Sms { account, sender: SmsSender::From("+15005550006".into()), replies: false }
}

fn clock() -> SharedClock {
    Arc::new(ManualClock::at("2026-06-03T12:48:00Z".parse().unwrap()))
}

async fn notifier(peer: &Peer) -> SmsNotifier {
    SmsNotifier::new(&config(peer.start().await), clock()).unwrap()
}

fn message() -> Message {
    Message {
        key: "a1b2c3d4e5f60718293a4b5c6d7e8f90".into(),
        thread: "acme:7:first_response:0".into(),
        continues_thread: false,
        to: "+1 (500) 555-0101".into(),
        to_name: None,
        timezone: Tz::named("Europe/London"),
        body: Body::Test,
    }
}

async fn answered(status: u16, body: &str) -> Result<Receipt, SendError> {
    notifier(&Peer::answering(status, body)).await.send(&message()).await
}

fn error_body(code: u32) -> String {
    format!(r#"{{"code":{code},"message":"The 'To' number +15005550101 is wrong","status":400}}"#)
}

#[tokio::test]
async fn a_message_is_posted_as_twilio_documents_it() {
    let peer = Peer::answering(201, r#"{"sid":"SM01","status":"queued"}"#);
    let receipt = notifier(&peer).await.send(&message()).await.unwrap();
    assert_eq!(receipt.id.as_deref(), Some("SM01"));
    let asked = &peer.asked()[0];
    assert_eq!(
        (asked.method.as_str(), asked.target.as_str()),
        ("POST", "/2010-04-01/Accounts/AC0123456789abcdef/Messages.json")
    );
    assert_eq!(asked.user_and_secret, "AC0123456789abcdef:hunter2");
    assert_eq!(asked.field("To"), Some("+15005550101"));
    assert_eq!(asked.field("From"), Some("+15005550006"));
    assert_eq!(asked.field("ValidityPeriod"), Some("600"));
    assert_eq!(asked.field("Body"), Some("Test: text messages from the SLA watch reach you #a1b2c3"));
    assert_eq!(asked.form.len(), 4);
}

#[test]
fn a_text_is_worth_delivering_until_the_next_step_and_for_ten_minutes_at_most() {
    let now = clock().now();
    let cases = [
        ("no step is left", None, 600),
        ("the usual quarter of an hour", Some(900), 600),
        ("a step in five minutes", Some(300), 300),
        ("a step at once", Some(0), 60),
        ("a step that is overdue", Some(-900), 60),
    ];
    for (name, seconds, expected) in cases {
        let next = seconds.map(|seconds| now + TimeDelta::seconds(seconds));
        assert_eq!(validity(next, now).num_seconds(), expected, "{name}");
    }
}

#[tokio::test]
async fn an_api_key_and_a_messaging_service_take_the_place_of_account_and_number() {
    let peer = Peer::answering(201, r#"{"sid":"SM01","status":"accepted"}"#);
    let mut config = config(peer.start().await);
    config.account.api_key_sid = Some("SK42".into());
    config.sender = SmsSender::MessagingService("MG42".into());
    SmsNotifier::new(&config, clock()).unwrap().send(&message()).await.unwrap();
    let asked = &peer.asked()[0];
    assert!(asked.target.contains("/Accounts/AC0123456789abcdef/"));
    assert_eq!(asked.user_and_secret, "SK42:hunter2");
    assert_eq!((asked.field("MessagingServiceSid"), asked.field("From")), (Some("MG42"), None));
}

#[tokio::test]
async fn any_2xx_is_sent_however_strange_its_body() {
    let long = format!(r#"{{"sid":"SM01","body":"{}"}}"#, "x".repeat(MOST_BYTES));
    let cases = [
        ("nothing", "", None),
        ("a web page", "<html>OK</html>", None),
        ("half a JSON", r#"{"sid":"SM01","sta"#, None),
        ("a list", "[1]", None),
        ("all null", r#"{"sid":null,"status":null,"error_code":null,"num_segments":null}"#, None),
        ("a number for a sid", r#"{"sid":7}"#, None),
        ("a sid that is a text", r#"{"sid":"to +15005550101"}"#, None),
        ("an unknown status", r#"{"sid":"SM01","status":"pondering"}"#, Some("SM01")),
        ("accepted", r#"{"sid":"SM01","status":"accepted","num_segments":"1"}"#, Some("SM01")),
        ("over the limit", &long, None),
    ];
    for (name, body, id) in cases {
        assert_eq!(answered(201, body).await, Ok(Receipt { id: id.map(str::to_owned) }), "{name}");
    }
    assert!(answered(204, "").await.is_ok(), "204");
}

#[tokio::test]
async fn a_body_that_breaks_off_still_counts_as_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = Vec::new();
        while !String::from_utf8_lossy(&asked).contains("ValidityPeriod=600") {
            stream.read_buf(&mut asked).await.unwrap();
        }
        stream.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 5000\r\n\r\n{\"sid\"").await.unwrap();
    });
    let notifier = SmsNotifier::new(&config(url), clock()).unwrap();
    assert_eq!(notifier.send(&message()).await, Ok(Receipt { id: None }));
}

#[tokio::test]
async fn a_message_that_is_born_dead_is_not_sent() {
    let failed = answered(201, r#"{"sid":"SM01","status":"failed"}"#).await;
    assert!(matches!(failed, Err(SendError::Refused { .. })), "{failed:?}");
    let opted_out = answered(201, r#"{"status":"undelivered","error_code":"21610"}"#).await.unwrap_err();
    assert!(opted_out.to_string().contains("opted out"), "{opted_out}");
}

#[derive(Debug, PartialEq)]
enum Class {
    Again,
    Refused,
    Misconfigured,
}

fn class(error: &SendError) -> Class {
    match error {
        SendError::Unavailable { .. } => Class::Again,
        SendError::Refused { .. } => Class::Refused,
        SendError::Misconfigured { .. } => Class::Misconfigured,
    }
}

#[tokio::test]
async fn error_codes_are_sorted_by_what_to_do_next() {
    let cases = [
        (Class::Refused, vec![21211, 21610, 21614, 30005, 30006, 30003, 30004, 30007, 21408, 99999]),
        (Class::Misconfigured, vec![20003, 20005, 20006, 20404, 21212, 21603, 21606, 21659, 21660]),
        (Class::Misconfigured, vec![21701, 21703, 21705, 30002, 30034]),
        (Class::Again, vec![20429, 30001, 21611]),
    ];
    for (expected, codes) in cases {
        for code in codes {
            let error = answered(400, &error_body(code)).await.unwrap_err();
            assert_eq!(class(&error), expected, "{code}");
            assert!(error.to_string().contains(&code.to_string()));
            assert!(!format!("{error:?}").contains("5550101"), "{error:?}");
        }
    }
}

#[tokio::test]
async fn what_we_may_not_do_at_all_is_no_fault_of_the_recipient() {
    for status in [401, 403] {
        for (code, expected) in [(99999, Class::Misconfigured), (21408, Class::Refused), (21211, Class::Refused)] {
            let error = answered(status, &error_body(code)).await.unwrap_err();
            assert_eq!(class(&error), expected, "{status} {code}");
        }
    }
}

#[tokio::test]
async fn an_error_without_a_code_is_sorted_by_its_http_status() {
    let cases = [
        (400, Class::Refused),
        (401, Class::Misconfigured),
        (403, Class::Misconfigured),
        (404, Class::Misconfigured),
        (408, Class::Again),
        (429, Class::Again),
        (500, Class::Again),
        (503, Class::Again),
    ];
    for (status, expected) in cases {
        for body in ["", "<html>", r#"{"code":null}"#, r#"{"code":{}}"#] {
            assert_eq!(class(&answered(status, body).await.unwrap_err()), expected, "{status} {body}");
        }
    }
}

#[tokio::test]
async fn an_account_is_in_order_only_while_it_is_active() {
    let cases = [
        (200, r#"{"status":"active"}"#, Ok(())),
        (200, r#"{"status":"suspended"}"#, Err("the account is suspended, so nothing can be sent")),
        (200, r#"{"status":"closed"}"#, Err("the account is closed, so nothing can be sent")),
        (200, "{}", Err("the provider does not say how the account stands; look at `base_url`")),
        (
            401,
            r#"{"code":20003}"#,
            Err(
                "the SMS provider answered `401` with error `20003`: account_sid and the token or key beside it do not \
                 fit together",
            ),
        ),
        (
            403,
            r#"{"code":20005}"#,
            Err(
                "the SMS provider answered `403` with error `20005`: the account is not active, so nothing can be sent",
            ),
        ),
        (400, r#"{"code":99999}"#, Err("the SMS provider answered `400` with error `99999`")),
    ];
    for (status, body, expected) in cases {
        let peer = Peer::answering(status, body);
        assert_eq!(notifier(&peer).await.account().await, expected.map_err(str::to_owned), "{status} {body}");
        assert_eq!(peer.asked()[0].target, "/2010-04-01/Accounts/AC0123456789abcdef.json");
    }
    let nobody = SmsNotifier::new(&config("http://127.0.0.1:1".into()), clock()).unwrap();
    assert_eq!(nobody.account().await, Err("no connection to the SMS provider".to_owned()));
}

#[tokio::test]
async fn retry_after_is_honoured_within_reason() {
    let cases = [
        ("7", Some(7)),
        ("Wed, 03 Jun 2026 12:48:30 GMT", Some(30)),
        ("Wed, 03 Jun 2026 12:00:00 GMT", None),
        ("99999999", Some(3600)),
        ("soon", None),
    ];
    for (value, seconds) in cases {
        let peer = Peer::answering(429, error_body(20429)).with_header("retry-after", value);
        match notifier(&peer).await.send(&message()).await.unwrap_err() {
            SendError::Unavailable { retry_after, .. } => {
                assert_eq!(retry_after, seconds.map(Duration::from_secs), "{value}");
            }
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_our_credentials() {
    let elsewhere = Peer::answering(201, "");
    let peer = Peer::answering(307, "").with_header("location", elsewhere.start().await);
    let error = notifier(&peer).await.send(&message()).await.unwrap_err();
    assert_eq!(class(&error), Class::Misconfigured);
    assert!(elsewhere.asked().is_empty());
}

#[tokio::test]
async fn an_unreachable_provider_is_worth_another_attempt() {
    let error = SmsNotifier::new(&config("http://127.0.0.1:1".into()), clock()).unwrap().send(&message()).await;
    assert_eq!(error, Err(SendError::unreached("no connection to the SMS provider")));
}

#[tokio::test(start_paused = true)]
async fn a_silent_provider_ends_at_the_deadline() {
    let peer = Peer { silent: true, ..Peer::answering(201, "") };
    let notifier = notifier(&peer).await;
    let started = tokio::time::Instant::now();
    assert_eq!(class(&notifier.send(&message()).await.unwrap_err()), Class::Again);
    assert!(started.elapsed() <= ATTEMPT_DEADLINE + Duration::from_millis(10));
}

#[tokio::test]
async fn a_number_without_a_country_is_refused_before_anything_is_asked() {
    let peer = Peer::answering(201, "");
    let message = Message { to: "020 7946 0018".into(), ..message() };
    let error = notifier(&peer).await.send(&message).await.unwrap_err();
    assert_eq!(class(&error), Class::Refused);
    assert!(!error.to_string().contains("7946") && peer.asked().is_empty());
}

#[tokio::test]
async fn a_message_is_found_again_by_its_reference() {
    let list = r##"{"messages":[
        {"sid":"SM03","body":"SLA at risk: another #ffffff","status":"sent"},
        {"sid":null,"body":null,"status":null},
        {"sid":"SM04","body":"Of another day #a1b2c3","date_created":"Tue, 02 Jun 2026 12:40:00 +0000"},
        {"sid":"SM02","body":"Sent from your trial account - SLA at risk #a1b2c3","status":"delivered"}]}"##;
    let peer = Peer::answering(200, list);
    let since = "2026-06-03T12:40:00Z".parse().unwrap();
    let found = notifier(&peer).await.already_sent(&message(), since).await.unwrap();
    assert_eq!(found, Some(Receipt { id: Some("SM02".into()) }));
    let asked = &peer.asked()[0];
    assert_eq!(asked.method, "GET");
    assert!(asked.target.ends_with("Messages.json?To=%2B15005550101&PageSize=200"), "{}", asked.target);
}

#[tokio::test]
async fn a_message_that_is_not_in_the_list_was_not_sent() {
    let found = notifier(&Peer::answering(200, r#"{"messages":[]}"#)).await;
    let since = "2026-06-03T12:40:00Z".parse().unwrap();
    assert_eq!(found.find_sent("+15005550101", "a1b2c3", since).await, Ok(None));
}

#[tokio::test]
async fn a_list_that_cannot_be_read_does_not_count_as_not_sent() {
    let since = "2026-06-03T12:40:00Z".parse().unwrap();
    for (status, body) in [(200, "<html>"), (200, r#"{"messages":nul"#), (200, "{}"), (405, ""), (500, "")] {
        let found = notifier(&Peer::answering(status, body)).await.find_sent("+15005550101", "a1b2c3", since).await;
        assert_eq!(class(&found.unwrap_err()), Class::Again, "{status} {body}");
    }
}

#[test]
fn numbers_are_written_as_twilio_needs_them() {
    let cases = [
        ("+1 (500) 555-0101", Some("+15005550101")),
        (" +44 20 7946 0018 ", Some("+442079460018")),
        ("+44 (0)20 7946 0018", Some("+442079460018")),
        ("+49.30.901820", Some("+4930901820")),
        ("020 7946 0018", None),
        ("0044 20 7946 0018", None),
        ("+0 20 7946 0018", None),
        ("+1 500 555 0101 x12", None),
        ("+1234567890123456", None),
        ("+12345", None),
        ("+44٢079460018", None),
        ("", None),
    ];
    for (raw, expected) in cases {
        assert_eq!(e164(raw).as_deref(), expected, "{raw}");
    }
}

#[test]
fn what_is_printed_for_debugging_holds_no_secret_and_no_number() {
    let notifier = SmsNotifier::new(&config("https://api.twilio.com".into()), clock()).unwrap();
    let text = format!("{notifier:?}");
    assert!(!text.contains("hunter2") && !text.contains("555") && !text.contains("AC01"), "{text}");
}

#[test]
fn an_account_sid_cannot_lead_to_another_address() {
    let mut config = config("https://api.twilio.com".into());
    config.account.account_sid = "AC/../..".into();
    assert!(SmsNotifier::new(&config, clock()).unwrap_err().to_string().starts_with("`notify.sms`: `account_sid`"));
}
