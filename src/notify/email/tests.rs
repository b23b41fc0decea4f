use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::DateTime;
use proptest::prelude::*;
use secrecy::SecretString;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::clock::ManualClock;
use crate::config::SmtpTls;
use crate::notify::{AlertFacts, Body, TicketFacts};
use crate::sla::zone::Tz;
use crate::ticket::ClockKind;

/// What the server says when its own answer is not wanted.
const HANG_UP: &str = "hang up";
/// The usual answer, and then nothing more.
const LAST_WORD: &str = "the last word";
const SAY_NOTHING: &str = "say nothing";
const SAY_NOTHING_AT_FIRST: &str = "say nothing on the first connection";

/// A mail server on loopback that answers as told, and keeps what it received.
#[derive(Clone, Default)]
struct Peer {
    /// Verb -> answer, instead of the usual one.
    answers: Vec<(&'static str, &'static str)>,
    mails: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<u32>>,
}

impl Peer {
    fn answering(verb: &'static str, answer: &'static str) -> Self {
        Self { answers: vec![(verb, answer)], ..Self::default() }
    }

    async fn start(&self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let peer = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *peer.connections.lock().unwrap() += 1;
                let peer = peer.clone();
                tokio::spawn(async move { peer.serve(stream).await });
            }
        });
        port
    }

    /// Returns `None` when the connection has ended.
    async fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        self.answer(&mut stream, "GREETING").await?;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let verb = line.split_whitespace().next()?.to_owned();
            self.answer(&mut stream, &verb).await?;
            if verb == "DATA" {
                let mail = read_mail(&mut stream).await?;
                self.mails.lock().unwrap().push(mail);
                self.answer(&mut stream, "END").await?;
            }
        }
    }

    async fn answer(&self, stream: &mut BufReader<TcpStream>, verb: &str) -> Option<()> {
        let usual = match verb {
            "GREETING" => "220 peer",
            "EHLO" => "250-peer\r\n250 AUTH PLAIN LOGIN",
            "DATA" => "354 go on",
            "AUTH" => "235 welcome",
            "END" => "250 2.0.0 Ok: queued as 4F2A1",
            _ => "250 ok",
        };
        let first = *self.connections.lock().unwrap() == 1;
        match self.answers.iter().find(|(asked, _)| *asked == verb).map_or(usual, |(_, answer)| answer) {
            HANG_UP => None,
            LAST_WORD => stream.write_all(format!("{usual}\r\n").as_bytes()).await.ok().and(None),
            SAY_NOTHING_AT_FIRST if !first => stream.write_all(format!("{usual}\r\n").as_bytes()).await.ok(),
            SAY_NOTHING | SAY_NOTHING_AT_FIRST => std::future::pending().await,
            answer => stream.write_all(format!("{answer}\r\n").as_bytes()).await.ok(),
        }
    }

    fn only_mail(&self) -> String {
        let mails = self.mails.lock().unwrap();
        assert_eq!(mails.len(), 1);
        mails[0].clone()
    }
}

async fn read_mail(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut mail = String::new();
    while !mail.ends_with("\r\n.\r\n") {
        if stream.read_line(&mut mail).await.ok()? == 0 {
            return None;
        }
    }
    Some(mail)
}

fn config(port: u16, tls: SmtpTls) -> settings::Email {
    settings::Email {
        host: "127.0.0.1".into(),
        port,
        tls,
        user: None,
        password: None,
        from: "SLA watch <sla@msp.example>".into(),
    }
}

fn clock() -> SharedClock {
    Arc::new(ManualClock::at("2026-06-03T12:48:00Z".parse().unwrap()))
}

async fn notifier(peer: &Peer) -> EmailNotifier {
    EmailNotifier::new(&config(peer.start().await, SmtpTls::None), clock()).unwrap()
}

fn message() -> Message {
    Message {
        key: "a1b2c3d4e5f60718293a4b5c6d7e8f90".into(),
        thread: "acme:7:first_response:0".into(),
        continues_thread: false,
        to: "ann@client.example".into(),
        to_name: Some("Ann Lee".into()),
        timezone: Tz::named("Europe/London"),
        body: Body::Test,
    }
}

fn later() -> Message {
    Message { continues_thread: true, key: "0f".repeat(16), ..message() }
}

fn headers(message: &Message) -> String {
    let from = "SLA watch <sla@msp.example>".parse().unwrap();
    let mail = compose(message, &[], None, &from, clock().now()).unwrap().formatted();
    String::from_utf8(mail).unwrap().split_once("\r\n\r\n").unwrap().0.to_owned()
}

fn header_of(headers: &str, name: &str) -> Option<String> {
    headers.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::to_owned)
}

/// Sends one mail to a server that answers `verb` with `answer`.
async fn answered(verb: &'static str, answer: &'static str) -> Result<Receipt, SendError> {
    notifier(&Peer::answering(verb, answer)).await.send(&message()).await
}

#[tokio::test]
async fn a_mail_that_the_server_takes_is_sent_with_its_queue_id() {
    let peer = Peer::default();
    let receipt = notifier(&peer).await.send(&message()).await.unwrap();
    assert_eq!(receipt.id.as_deref(), Some("4F2A1"));
    let mail = peer.only_mail();
    assert!(mail.contains("multipart/alternative") && mail.contains("text/plain") && mail.contains("text/html"));
    assert!(mail.contains("Auto-Submitted: auto-generated\r\n") && mail.contains("X-Auto-Response-Suppress: All\r\n"));
    assert!(mail.contains("To: \"Ann Lee\" <ann@client.example>\r\n"), "{mail}");
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let peer = Peer::default();
    let notifier = notifier(&peer).await;
    for _ in 0..3 {
        notifier.send(&message()).await.unwrap();
    }
    assert_eq!(*peer.connections.lock().unwrap(), 1);
}

#[test]
fn a_line_that_begins_with_a_dot_does_not_end_the_mail() {
    let cases = [
        ("no dot", "a\r\nb", "a\r\nb\r\n.\r\n"),
        ("at the start of a line", "a\r\n.\r\n.b", "a\r\n..\r\n..b\r\n.\r\n"),
        ("at the very start", ".a", "..a\r\n.\r\n"),
        ("in the middle", "a.b\r\n", "a.b\r\n\r\n.\r\n"),
    ];
    for (what, mail, expected) in cases {
        assert_eq!(super::connection::in_one_piece(mail.as_bytes()), expected, "{what}");
    }
}

#[tokio::test]
async fn a_connection_retires_after_fifty_mails() {
    let peer = Peer::default();
    let notifier = notifier(&peer).await;
    for _ in 0..51 {
        notifier.send(&message()).await.unwrap();
    }
    assert_eq!(*peer.connections.lock().unwrap(), 2);
}

#[tokio::test]
async fn a_connection_that_the_server_has_closed_meanwhile_costs_no_mail() {
    let peer = Peer::answering("END", LAST_WORD);
    let notifier = notifier(&peer).await;
    notifier.send(&message()).await.unwrap();
    notifier.send(&message()).await.unwrap();
    assert_eq!(*peer.connections.lock().unwrap(), 2);
}

#[tokio::test]
async fn a_server_that_takes_commands_in_one_breath_gets_them_so() {
    let offers = ("EHLO", "250-peer\r\n250 PIPELINING");
    let peer = Peer { answers: vec![offers], ..Peer::default() };
    let notifier = notifier(&peer).await;
    for _ in 0..2 {
        notifier.send(&message()).await.unwrap();
    }
    assert_eq!((peer.mails.lock().unwrap().len(), *peer.connections.lock().unwrap()), (2, 1));

    let peer = Peer { answers: vec![offers, ("RCPT", "550 5.1.1 no such user")], ..Peer::default() };
    assert!(matches!(self::notifier(&peer).await.send(&message()).await, Err(SendError::Refused { .. })));
    assert_eq!(peer.mails.lock().unwrap().len(), 0, "nobody is told what was refused");
}

#[tokio::test]
async fn a_refusal_does_not_leak_into_the_next_mail() {
    let peer = Peer::answering("RCPT", "550 5.1.1 no such user");
    let notifier = notifier(&peer).await;
    for _ in 0..2 {
        assert!(matches!(notifier.send(&message()).await, Err(SendError::Refused { .. })));
    }
    assert_eq!(*peer.connections.lock().unwrap(), 2, "the connection was not kept");
}

#[tokio::test]
async fn answers_are_sorted_by_what_to_do_next() {
    let said = |answer: &str| format!("the mail server answered `{answer}`");
    let slower = |answer: &str| {
        let retry_after = Some(Duration::from_secs(60));
        let outage = answer.starts_with("421");
        SendError::Unavailable { reason: said(answer), retry_after, maybe_taken: false, outage }
    };
    let cases = [
        ("GREETING", "421 too busy", slower("421")),
        ("RCPT", "450 4.2.1 later", slower("450 4.2.1")),
        ("RCPT", "451 4.7.1 greylisted ann@client.example", slower("451 4.7.1")),
        ("END", "452 4.3.1 no room", slower("452 4.3.1")),
        ("MAIL", "454 4.7.0 try again", SendError::unavailable(said("454 4.7.0"))),
        ("RCPT", "550 5.1.1 <ann@client.example> is unknown", SendError::refused(said("550 5.1.1"))),
        ("RCPT", "550 nobody here", SendError::refused(said("550"))),
        ("END", "554 5.6.0 no", SendError::refused(said("554 5.6.0"))),
        (
            "END",
            "550-5.7.1 ann@client.example does not want this\r\n550 5.7.1 sorry",
            SendError::refused(format!("{}, because of its policy; try another channel", said("550 5.7.1"))),
        ),
        ("MAIL", "530 5.7.0 sign in first", SendError::misconfigured(said("530 5.7.0"))),
        ("MAIL", "552 5.3.4 too large", SendError::refused(said("552 5.3.4"))),
    ];
    for (verb, answer, expected) in cases {
        assert_eq!(answered(verb, answer).await, Err(expected), "{verb} -> {answer}");
    }
}

#[tokio::test]
async fn only_what_is_said_of_the_recipient_or_the_mail_counts_as_a_refusal_of_it() {
    let to_us = |answer: &str| SendError::unreached(format!("the mail server answered `{answer}` to the connection"));
    let to_sender = |answer: &str| {
        SendError::misconfigured(format!("the mail server answered `{answer}` to our own address, `from`"))
    };
    let cases = [
        ("GREETING", "554 5.7.1 client host blocked", to_us("554 5.7.1")),
        ("EHLO", "550 no", to_us("550")),
        ("EHLO", "454 4.3.0 later", to_us("454 4.3.0")),
        ("MAIL", "550 5.7.60 client does not have permissions to send as this sender", to_sender("550 5.7.60")),
        ("MAIL", "553 5.7.1 sla@msp.example: not owned by user", to_sender("553 5.7.1")),
        ("MAIL", "501 bad address", to_sender("501")),
    ];
    for offer in ["250 peer", "250-peer\r\n250 PIPELINING"] {
        for (verb, answer, expected) in &cases {
            let peer = Peer { answers: vec![(*verb, *answer), ("EHLO", offer)], ..Peer::default() };
            let heard = notifier(&peer).await.send(&message()).await;
            assert_eq!(heard.as_ref(), Err(expected), "{verb} -> {answer}");
        }
    }
}

#[tokio::test]
async fn a_lost_connection_is_worth_another_attempt() {
    for verb in ["GREETING", "EHLO", "MAIL", "RCPT", "DATA", "END"] {
        let error = answered(verb, HANG_UP).await.unwrap_err();
        assert!(matches!(error, SendError::Unavailable { .. }), "{verb}: {error}");
    }
    let nobody = EmailNotifier::new(&config(1, SmtpTls::None), clock()).unwrap();
    assert!(matches!(nobody.send(&message()).await, Err(SendError::Unavailable { .. })));
}

#[tokio::test]
async fn an_answer_that_is_no_smtp_is_worth_another_attempt() {
    assert!(matches!(answered("GREETING", "HTTP/1.1 400 Bad Request").await, Err(SendError::Unavailable { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_ends_at_the_deadline() {
    for verb in ["GREETING", "RCPT", "END"] {
        let started = tokio::time::Instant::now();
        assert!(matches!(answered(verb, SAY_NOTHING).await, Err(SendError::Unavailable { .. })), "{verb}");
        assert!(started.elapsed() <= ATTEMPT_DEADLINE + Duration::from_millis(10), "{verb}");
    }
}

#[tokio::test]
async fn a_mail_that_was_given_up_leaves_no_answer_for_the_next_one() {
    let peer = Peer::answering("END", SAY_NOTHING_AT_FIRST);
    let notifier = notifier(&peer).await;
    tokio::time::pause();
    assert!(matches!(notifier.send(&message()).await, Err(SendError::Unavailable { .. })));
    tokio::time::resume();
    assert_eq!(notifier.send(&later()).await, Ok(Receipt { id: Some("4F2A1".into()) }));
    assert_eq!(*peer.connections.lock().unwrap(), 2);
}

#[tokio::test]
async fn nothing_is_sent_in_the_clear_when_tls_is_required() {
    let peer = Peer::default();
    let config = settings::Email {
        user: Some("sla@msp.example".into()),
        password: Some(SecretString::from("hunter2")),
        ..config(peer.start().await, SmtpTls::Required)
    };
    let error = EmailNotifier::new(&config, clock()).unwrap().send(&message()).await.unwrap_err();
    assert_eq!(error, SendError::misconfigured("the mail server offers no STARTTLS, which is required"));
    assert!(peer.mails.lock().unwrap().is_empty());
}

#[tokio::test]
async fn tls_from_the_first_byte_does_not_talk_to_a_plain_server() {
    let peer = Peer::default();
    let notifier = EmailNotifier::new(&config(peer.start().await, SmtpTls::Wrapped), clock()).unwrap();
    assert!(matches!(notifier.send(&message()).await, Err(SendError::Unavailable { .. })));
    assert!(peer.mails.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_wrong_password_is_a_matter_for_the_operator_and_is_not_repeated() {
    for answer in ["535 5.7.8 sla@msp.example: wrong hunter2", "550 no"] {
        let peer = Peer::answering("AUTH", answer);
        let config = settings::Email {
            user: Some("sla@msp.example".into()),
            password: Some(SecretString::from("hunter2")),
            ..config(peer.start().await, SmtpTls::None)
        };
        let notifier = EmailNotifier::new(&config, clock()).unwrap();
        let error = notifier.send(&message()).await.unwrap_err();
        assert!(matches!(error, SendError::Misconfigured { .. }), "{error}");
        for text in [error.to_string(), format!("{error:?}"), format!("{notifier:?}")] {
            assert!(!text.contains("hunter2") && !text.contains('@'), "{text}");
        }
    }
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_without_being_repeated() {
    let message = Message { to: "ann at client.example\r\nRCPT TO:<x@y>".into(), ..message() };
    let error = notifier(&Peer::default()).await.send(&message).await.unwrap_err();
    assert_eq!(error, SendError::refused("the recipient's address is not an email address"));
}

#[tokio::test]
async fn an_address_outside_ascii_needs_a_server_that_can_carry_it() {
    let message = Message { to: "änne@client.example".into(), ..message() };
    assert!(matches!(notifier(&Peer::default()).await.send(&message).await, Err(SendError::Refused { .. })));
    let peer = Peer::answering("EHLO", "250-peer\r\n250 SMTPUTF8");
    assert!(notifier(&peer).await.send(&message).await.is_ok());
}

#[tokio::test]
async fn a_domain_outside_ascii_is_carried_by_any_server() {
    let peer = Peer::default();
    let from = "SLA watch <sla@überwacht.example>".to_owned();
    let config = settings::Email { from, ..config(peer.start().await, SmtpTls::None) };
    let message = Message { to: "duty@exämple.com".into(), ..message() };
    EmailNotifier::new(&config, clock()).unwrap().send(&message).await.unwrap();
    let mail = peer.only_mail();
    assert!(mail.contains("<duty@xn--exmple-cua.com>") && mail.contains("<sla@xn--berwacht-55a.example>"), "{mail}");
}

#[tokio::test]
async fn a_sender_that_the_server_cannot_carry_is_no_fault_of_the_recipient() {
    let peer = Peer::default();
    let config = settings::Email { from: "wächter@msp.example".into(), ..config(peer.start().await, SmtpTls::None) };
    let error = EmailNotifier::new(&config, clock()).unwrap().send(&message()).await.unwrap_err();
    assert!(matches!(error, SendError::Misconfigured { .. }), "{error}");
}

#[test]
fn a_sender_that_is_no_address_is_told_at_the_start() {
    let config = settings::Email { from: "nobody".into(), ..config(25, SmtpTls::None) };
    let error = EmailNotifier::new(&config, clock()).unwrap_err();
    assert_eq!(error.to_string(), "`notify.email`: `from` must be `Name <address>` or an address");
}

#[test]
fn later_mails_hang_on_the_first() {
    let (first, second) = (headers(&message()), headers(&later()));
    let root = header_of(&first, "Message-ID").unwrap();
    assert!(root.ends_with("@msp.example>"), "{root}");
    assert_eq!(header_of(&first, "References"), None);
    assert_eq!(header_of(&second, "In-Reply-To").as_ref(), Some(&root));
    assert_eq!(header_of(&second, "References").as_ref(), Some(&root));
    assert_eq!(header_of(&second, "Message-ID").unwrap(), format!("<{}@msp.example>", "0f".repeat(16)));
}

#[test]
fn every_attempt_has_the_same_message_id_and_every_person_their_own() {
    let id = |message: &Message| header_of(&headers(message), "Message-ID");
    assert_eq!(id(&message()), id(&message()));
    assert_eq!(id(&later()), id(&later()));
    assert_ne!(id(&message()), id(&Message { to: "bob@client.example".into(), ..message() }));
    assert_ne!(id(&message()), id(&Message { thread: "acme:8:resolution:0".into(), ..message() }));
}

proptest! {
    #[test]
    fn no_text_adds_a_header(subject in any::<String>(), name in any::<String>()) {
        let ticket = TicketFacts {
            tenant: None,
            id: "7".into(), display_id: "7".into(), subject: format!("{subject}\r\nBcc: x@y.example\r\n"),
            client: Some(name.clone()), priority: None, status: None, technician: None, group: None, sla: None,
            superops_url: None, page_url: None, service: None,
        };
        let facts = AlertFacts {
            working: None,
            ticket, clock: ClockKind::Resolution.into(), stage: crate::alert::Stage::Breached,
            due: DateTime::UNIX_EPOCH, reasons: vec![], step: 0, because: String::new(), hours: String::new(),
            advice: None,
        };
        let headers = headers(&Message { to_name: Some(name), body: Body::Alert(facts), ..message() });
        const KNOWN: [&str; 9] = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted",
            "X-Auto-Response-Suppress", "MIME-Version", "Content-Type"];
        for line in headers.split("\r\n").filter(|line| !line.starts_with([' ', '\t'])) {
            let name = line.split(':').next().unwrap();
            prop_assert!(KNOWN.contains(&name), "{line}");
        }
        prop_assert!(!headers.replace("\r\n", "").contains(['\r', '\n']));
        prop_assert!(headers.is_ascii());
    }
}
