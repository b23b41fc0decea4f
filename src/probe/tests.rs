//! Looks at real servers, each of which fails in one phase.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, TXT};
use hickory_proto::rr::{Name, RData, Record};
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha1::{Digest, Sha1};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::address::{AddressRules, Network};
use super::dial::Resolve;
use super::spec::{Ask, DnsAsk, HttpAsk, JsonCondition, PostgresAsk, Probe, SmtpAsk, SmtpTls, TcpAsk};
use super::*;

const NOW: Millis = 1_795_000_000_000;

fn rules(own_port: Option<u16>) -> Arc<AddressRules> {
    Arc::new(AddressRules { allowed: vec![Network::parse("127.0.0.0/8").unwrap()], own_port })
}

/// Returns a probe with enough time for any answer to come, however busy the machine is.
fn probe(ask: Ask) -> Probe {
    Probe { ask, deadline: Duration::from_secs(20), slow: None, addresses: rules(None), extra_roots: Arc::default() }
}

fn http(url: &str) -> HttpAsk {
    HttpAsk::get(url.parse().unwrap())
}

fn prober() -> Prober {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Prober::new().unwrap()
}

async fn look(ask: Ask) -> Look {
    prober().look(&probe(ask), 0, NOW).await
}

/// Looks briefly, at a server from which nothing more will come.
async fn look_briefly(ask: Ask) -> Look {
    prober().look(&Probe { deadline: Duration::from_millis(700), ..probe(ask) }, 0, NOW).await
}

fn words(look: &Look) -> (Condition, &str) {
    (look.verdict, look.detail.as_deref().unwrap_or_default())
}

/// Serves `router` and returns its address.
async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Sends `bytes` to each client after its first request, then hangs or closes the connection.
async fn says(bytes: Vec<u8>, then_hangs: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let bytes = bytes.clone();
            tokio::spawn(async move {
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(&bytes).await;
                if then_hangs {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn an_answer_is_judged_by_status_text_and_json() {
    let router = Router::new()
        .route("/", get(async || "welcome to the shop"))
        .route("/broken", get(async || StatusCode::BAD_GATEWAY))
        .route("/gone", get(async || StatusCode::NOT_FOUND))
        .route("/health", get(async || "{\"status\": \"ok\", \"disks\": [1, 2]}"));
    let base = format!("http://{}", serve(router).await);
    let at = |path: &str| http(&format!("{base}{path}"));
    let json = |pointer: &str, equals: &str| {
        let wish = JsonCondition { pointer: pointer.to_owned(), equals: Some(equals.to_owned()) };
        HttpAsk { json: Some(wish), ..at("/health") }
    };
    let cases = [
        (at("/"), Condition::Up, ""),
        (HttpAsk { contains: Some("shop".into()), ..at("/") }, Condition::Up, ""),
        (HttpAsk { contains: Some("basket".into()), ..at("/") }, Condition::Degraded, "the expected text"),
        (at("/broken"), Condition::Down, "status 502"),
        (at("/gone"), Condition::Degraded, "status 404"),
        (HttpAsk { statuses: vec![404..=404], ..at("/gone") }, Condition::Up, ""),
        (json("/status", "ok"), Condition::Up, ""),
        (json("/disks/1", "2"), Condition::Up, ""),
        (json("/status", "fine"), Condition::Degraded, "another value"),
        (json("/nothing", "ok"), Condition::Degraded, "nothing at /nothing"),
    ];
    for (ask, verdict, detail) in cases {
        let seen = look(Ask::Http(ask.clone())).await;
        assert_eq!(seen.verdict, verdict, "{ask:?}: {seen:?}");
        assert!(words(&seen).1.contains(detail), "{ask:?}: {seen:?}");
    }
}

#[tokio::test]
async fn whatever_a_server_does_wrong_ends_by_the_deadline_and_is_named() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let head = "HTTP/1.1 200 OK\r\n";
    let headers: String = (0..100_000).map(|number| format!("x-{number}: y\r\n")).collect();
    let cases = [
        ("refused", nobody, "the connection was refused"),
        ("silent", says(Vec::new(), true).await, "still waiting for the answer"),
        (
            "half an answer",
            says(format!("{head}content-length: 100\r\n\r\nhalf").into_bytes(), false).await,
            "broke off",
        ),
        ("slow drip", says(format!("{head}content-length: 9\r\n\r\nhalf").into_bytes(), true).await, "still reading"),
        ("nonsense", says(b"220 mail.example.com ESMTP\r\n".to_vec(), false).await, "no HTTP answer"),
        ("headers without end", says(format!("{head}{headers}\r\n").into_bytes(), true).await, "no HTTP answer"),
    ];
    for (name, address, detail) in cases {
        let ask = Ask::Http(http(&format!("http://{address}/")));
        let seen = if detail.starts_with("still") { look_briefly(ask).await } else { look(ask).await };
        assert_eq!(seen.verdict, Condition::Down, "{name}: {seen:?}");
        assert!(words(&seen).1.contains(detail), "{name}: {seen:?}");
        assert!(seen.phases.whole < Duration::from_secs(3), "{name}: {seen:?}");
    }
}

#[tokio::test]
async fn a_body_without_end_is_read_no_further_than_needed() {
    let mut answer = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    answer.resize(8 << 20, b'x');
    let address = says(answer, true).await;
    assert_eq!(look(Ask::Http(http(&format!("http://{address}/")))).await.verdict, Condition::Up);
}

#[tokio::test]
async fn a_body_is_read_in_the_encoding_that_it_says_and_after_a_byte_order_mark() {
    let western = || [(CONTENT_TYPE, "text/html; charset=ISO-8859-1")];
    let router = Router::new()
        .route("/marked", get(async || "\u{feff}{\"status\": \"ok\"}"))
        .route("/western", get(async move || (western(), b"{\"status\": \"gr\xf6\xdfer als 5 \x80\"}".to_vec())))
        .route("/untrue", get(async move || (western(), "{\"status\": \"größer als 5 €\"}")))
        .route("/how", get(async |headers: HeaderMap| headers[ACCEPT_ENCODING].to_str().unwrap().to_owned()));
    let base = format!("http://{}", serve(router).await);
    let at = |path: &str| http(&format!("{base}{path}"));
    let json = |path: &str, equals: &str| {
        let wish = JsonCondition { pointer: "/status".to_owned(), equals: Some(equals.to_owned()) };
        HttpAsk { json: Some(wish), ..at(path) }
    };
    let text = |path: &str, text: &str| HttpAsk { contains: Some(text.to_owned()), ..at(path) };
    for ask in [
        json("/marked", "ok"),
        json("/western", "größer als 5 €"),
        text("/western", "größer als 5 €"),
        json("/untrue", "größer als 5 €"),
        text("/untrue", "größer als 5 €"),
        text("/how", "identity"),
    ] {
        let seen = look(Ask::Http(ask.clone())).await;
        assert_eq!(words(&seen), (Condition::Up, ""), "{ask:?}");
    }
}

#[tokio::test]
async fn a_body_is_awaited_only_as_long_as_it_decides() {
    let hangs = async |answer: &str| says(format!("HTTP/1.1 {answer}").into_bytes(), true).await;
    let stream = "200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: hello\n\n";
    let lost = "404 Not Found\r\ncontent-length: 100\r\n\r\nhalf";
    let home = serve(Router::new().route("/", get(async || "home"))).await;
    let away = format!("302 Found\r\nlocation: http://{home}/\r\n\r\nthis page has moved");
    let half = "200 OK\r\ncontent-length: 100\r\n\r\nhello, this is only half";
    let cases = [
        (lost, None, vec![], (Condition::Degraded, "answered with status 404")),
        (lost, None, vec![404..=404], (Condition::Up, "")),
        (away.as_str(), None, vec![], (Condition::Up, "")),
        (away.as_str(), Some("home"), vec![], (Condition::Up, "")),
        (away.as_str(), None, vec![302..=302], (Condition::Up, "")),
        (stream, None, vec![], (Condition::Up, "")),
        (stream, Some("hello"), vec![], (Condition::Up, "")),
        (half, Some("hello"), vec![], (Condition::Up, "")),
    ];
    for (answer, contains, statuses, expected) in cases {
        let url = format!("http://{}/", hangs(answer).await);
        let ask = HttpAsk { contains: contains.map(str::to_owned), statuses, ..http(&url) };
        let seen = look(Ask::Http(ask)).await;
        assert_eq!(words(&seen), expected, "{answer} {contains:?}");
    }
    let elsewhere =
        Ask::Http(HttpAsk { contains: Some("farewell".to_owned()), ..http(&format!("http://{}/", hangs(half).await)) });
    assert_eq!(look_briefly(elsewhere).await.verdict, Condition::Down, "nobody knows what else would have come");
}

#[tokio::test]
async fn configured_headers_are_sent_in_the_place_of_our_own() {
    let all = async |headers: HeaderMap| {
        let named =
            |name: &str| headers.get_all(name).iter().map(|one| one.to_str().unwrap()).collect::<Vec<_>>().join("+");
        ["accept", "user-agent", "host", "x-key"].map(named).join(" ")
    };
    let address = serve(Router::new().route("/", get(all))).await;
    let pairs = [("Accept", "application/json"), ("User-Agent", "mine"), ("Host", "shop.example.com")];
    let ask = HttpAsk {
        headers: pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        secret_headers: vec![("X-Key".to_owned(), "k".to_owned().into())],
        contains: Some("application/json mine shop.example.com k".into()),
        ..http(&format!("http://{address}/"))
    };
    let seen = look(Ask::Http(ask)).await;
    assert_eq!(seen.verdict, Condition::Up, "{seen:?}");
}

#[tokio::test]
async fn headers_that_are_no_secret_are_sent_wherever_a_redirect_leads() {
    let shows = async |headers: HeaderMap| {
        let named = |name: &str| headers.get(name).and_then(|one| one.to_str().ok()).unwrap_or("-").to_owned();
        ["accept", "x-key"].map(named).join(" ")
    };
    let elsewhere = serve(Router::new().route("/", get(shows))).await;
    let away = format!("http://{elsewhere}/");
    let router = Router::new().route("/", get(async move || (StatusCode::FOUND, [(LOCATION, away)])));
    let ask = HttpAsk {
        headers: vec![("accept".to_owned(), "application/json".to_owned())],
        secret_headers: vec![("x-key".to_owned(), "k".to_owned().into())],
        contains: Some("application/json -".into()),
        ..http(&format!("http://{}/", serve(router).await))
    };
    let seen = look(Ask::Http(ask)).await;
    assert_eq!(seen.verdict, Condition::Up, "{seen:?}");
}

#[tokio::test]
async fn redirects_are_followed_so_far_and_secrets_are_not_sent_elsewhere() {
    let shows = async |headers: HeaderMap| if headers.contains_key(AUTHORIZATION) { "secret" } else { "plain" };
    let elsewhere = serve(Router::new().route("/", get(shows))).await;
    let away = format!("http://{elsewhere}/");
    let abroad = HeaderValue::from_bytes("/?für=größe".as_bytes()).unwrap();
    let router = Router::new()
        .route("/", get(shows))
        .route("/abroad", get(async move || (StatusCode::FOUND, [(LOCATION, abroad)])))
        .route("/round", get(async || (StatusCode::FOUND, [(LOCATION, "/round")])))
        .route("/home", get(async || (StatusCode::FOUND, [(LOCATION, "/")])))
        .route("/metadata", get(async || (StatusCode::FOUND, [(LOCATION, "http://169.254.169.254/latest/")])))
        .route("/decimal", get(async || (StatusCode::FOUND, [(LOCATION, "http://2852039166/latest/")])))
        .route("/file", get(async || (StatusCode::FOUND, [(LOCATION, "file:///etc/passwd")])))
        .route("/away", get(async move || (StatusCode::FOUND, [(LOCATION, away)])));
    let base = format!("http://{}", serve(router).await);
    let secret = vec![("authorization".to_owned(), "Bearer x".to_owned().into())];
    let at = |path: &str, text: &str| {
        let ask = http(&format!("{base}{path}"));
        Ask::Http(HttpAsk { contains: Some(text.into()), secret_headers: secret.clone(), ..ask })
    };
    assert_eq!(look(at("/home", "secret")).await.verdict, Condition::Up, "the same host");
    assert_eq!(look(at("/abroad", "secret")).await.verdict, Condition::Up, "an address that is not only ASCII");
    assert_eq!(look(at("/away", "plain")).await.verdict, Condition::Up, "another host is not told");
    for (path, detail) in [
        ("/round", "more than 5 redirects"),
        ("/metadata", "not asked: 169.254.169.254"),
        ("/decimal", "not asked: 169.254.169.254"),
        ("/file", "not to a web address"),
    ] {
        let seen = look(at(path, "")).await;
        assert!(words(&seen).1.contains(detail), "{path}: {seen:?}");
        let expected = if detail.starts_with("not asked") { Condition::Degraded } else { Condition::Down };
        assert_eq!(seen.verdict, expected, "{path}: nobody reaches what it redirects to");
    }
}

#[tokio::test]
async fn a_redirect_whose_status_is_right_is_not_followed() {
    let router = Router::new().route("/", get(async || (StatusCode::MOVED_PERMANENTLY, [(LOCATION, "/gone")])));
    let url = format!("http://{}/", serve(router).await);
    let expecting = async |statuses: &[_]| look(Ask::Http(HttpAsk { statuses: statuses.to_vec(), ..http(&url) })).await;
    assert_eq!(expecting(&[301..=301]).await.verdict, Condition::Up);
    assert_eq!(words(&expecting(&[302..=302]).await), (Condition::Degraded, "answered with status 404"));
    assert_eq!(words(&expecting(&[200..=399]).await), (Condition::Degraded, "answered with status 404"));
}

/// A name server whose answer changes each time it is asked.
struct Rebinding(std::sync::atomic::AtomicUsize);

#[async_trait]
impl Resolve for Rebinding {
    async fn addresses(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        let turn = self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Ok(vec![if turn == 0 { [127, 0, 0, 1].into() } else { [169, 254, 169, 254].into() }])
    }
}

#[tokio::test]
async fn a_name_that_changes_between_judging_and_connecting_gains_nothing() {
    let address = serve(Router::new().route("/", get(async || "ours"))).await;
    let prober = prober().resolving_by(Arc::new(Rebinding(Default::default())));
    let ask = Ask::Http(http(&format!("http://rebinding.example:{}/", address.port())));
    assert_eq!(prober.look(&probe(ask.clone()), 0, NOW).await.verdict, Condition::Up, "asked once, connected there");
    let second = prober.look(&probe(ask), 0, NOW).await;
    assert!(words(&second).1.contains("not asked: 169.254.169.254"), "{second:?}");
}

/// A name server that knows these addresses for every name.
struct Known(Vec<IpAddr>);

#[async_trait]
impl Resolve for Known {
    async fn addresses(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        Ok(self.0.clone())
    }
}

/// Returns a listener that answers no further connection, and the connections that fill its queue.
async fn silent(address: SocketAddr) -> (TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(address).unwrap();
    let listener = socket.listen(0).unwrap();
    let mut queue = Vec::new();
    while let Ok(Ok(stream)) = timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
        queue.push(stream);
    }
    (listener, queue)
}

#[tokio::test]
async fn what_answers_at_any_of_its_addresses_is_there_whichever_has_its_turn() {
    let address = serve(Router::new().route("/", get(async || "ours"))).await;
    let port = address.port();
    let _silent = silent(SocketAddr::from(([127, 0, 0, 2], port))).await;
    // Nobody listens at the last one.
    let known: Vec<IpAddr> = vec![[127, 0, 0, 2].into(), [127, 0, 0, 1].into(), [127, 0, 0, 3].into()];
    let prober = prober().resolving_by(Arc::new(Known(known)));
    let asked = probe(Ask::Http(http(&format!("http://several.example:{port}/"))));
    for turn in 0..4 {
        let seen = prober.look(&asked, turn, NOW).await;
        assert_eq!(seen.verdict, Condition::Up, "{turn}: {seen:?}");
    }
    let strict = Arc::new(AddressRules { allowed: vec![Network::parse("127.0.0.3").unwrap()], own_port: None });
    let seen = prober.look(&Probe { addresses: strict, ..asked }, 0, NOW).await;
    assert_eq!(words(&seen), (Condition::Down, "the connection was refused"), "the others may not be asked");
}

#[tokio::test]
async fn addresses_that_refuse_keep_nobody_from_trying_the_others_however_many_they_are() {
    let address = serve(Router::new().route("/", get(async || "ours"))).await;
    let mut known: Vec<IpAddr> = (101..113).map(|last: u8| IpAddr::from([127, 0, 0, last])).collect();
    known.push(address.ip());
    let prober = prober().resolving_by(Arc::new(Known(known)));
    let asked = probe(Ask::Http(http(&format!("http://many.example:{}/", address.port()))));
    let seen = prober.look(&asked, 0, NOW).await;
    assert_eq!(seen.verdict, Condition::Up, "{seen:?}");
    assert!(seen.phases.connect < Duration::from_secs(1), "nobody waits for one that has refused: {seen:?}");
}

#[tokio::test]
async fn our_own_port_and_networks_that_nobody_allowed_are_not_asked() {
    let address = serve(Router::new().route("/", get(async || "ours"))).await;
    let url = format!("http://{address}/");
    let own = Probe { addresses: rules(Some(address.port())), ..probe(Ask::Http(http(&url))) };
    let seen = prober().look(&own, 0, NOW).await;
    assert!(words(&seen).1.contains("this service itself"), "{seen:?}");
    // Find this machine's address in its network, if it has one; this sends nothing.
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    if socket.connect("192.0.2.1:9").is_ok() {
        let outer = socket.local_addr().unwrap().ip();
        let listener = TcpListener::bind((outer, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let allowed = vec![Network::parse("0.0.0.0/0").unwrap()];
        let addresses = Arc::new(AddressRules { allowed, own_port: Some(address.port()) });
        let own = Probe { addresses, ..probe(Ask::Http(http(&format!("http://{address}/")))) };
        let seen = prober().look(&own, 0, NOW).await;
        assert!(words(&seen).1.contains("this service itself"), "{seen:?}");
    }
    let strict = Probe { addresses: Arc::default(), ..probe(Ask::Http(http(&url))) };
    let seen = prober().look(&strict, 0, NOW).await;
    assert!(words(&seen).1.contains("`allow_networks` does not allow"), "{seen:?}");
}

/// Returns an acceptor with a certificate for `names` that ends on the day `until`, and the authority that signed it.
fn acceptor(names: &[&str], until: (i32, u8, u8)) -> (TlsAcceptor, CertificateDer<'static>) {
    issued(params(names, until))
}

fn params(names: &[&str], until: (i32, u8, u8)) -> CertificateParams {
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    params.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
    params
}

fn issued(params: CertificateParams) -> (TlsAcceptor, CertificateDer<'static>) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    (showing(vec![certificate.der().clone()], &key), issuer.der().clone())
}

/// Returns an acceptor whose certificate is signed by itself as if by an authority, and that certificate.
fn signed_by_itself(name: &str, until: (i32, u8, u8)) -> (TlsAcceptor, CertificateDer<'static>) {
    let (mut params, key) = (params(&[name], until), KeyPair::generate().unwrap());
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let own = params.self_signed(&key).unwrap().der().clone();
    (showing(vec![own.clone()], &key), own)
}

fn showing(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> TlsAcceptor {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// Starts an HTTP server with such a certificate.
async fn secured(names: &[&str], until: (i32, u8, u8)) -> (SocketAddr, CertificateDer<'static>) {
    let (acceptor, root) = acceptor(names, until);
    (shown(acceptor).await, root)
}

/// Starts a server that shows the certificate of `acceptor` and answers.
async fn shown(acceptor: TlsAcceptor) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
                let _ = stream.shutdown().await;
            });
        }
    });
    address
}

#[tokio::test]
async fn a_certificate_is_judged_now_and_in_two_weeks() {
    let look = async |names: &[&str], until, trusted: bool| {
        let (address, root) = secured(names, until).await;
        let roots = if trusted { vec![root] } else { Vec::new() };
        let ask = Ask::Http(http(&format!("https://{address}/")));
        let real_now = 1_795_300_000_000;
        prober().look(&Probe { extra_roots: Arc::new(roots), ..probe(ask) }, 0, real_now).await
    };
    let good = look(&["127.0.0.1"], (2040, 1, 1), true).await;
    assert_eq!(good.verdict, Condition::Up, "{good:?}");
    assert!(good.phases.tls > Duration::ZERO && good.certificate.as_ref().unwrap().holds, "{good:?}");
    for (name, seen) in [
        ("wrong name", look(&["other.example"], (2040, 1, 1), true).await),
        ("expired", look(&["127.0.0.1"], (2020, 1, 1), true).await),
        ("unknown authority", look(&["127.0.0.1"], (2040, 1, 1), false).await),
    ] {
        assert_eq!(seen.verdict, Condition::Down, "{name}: {seen:?}");
        assert!(words(&seen).1.contains("the certificate is not valid"), "{name}: {seen:?}");
    }
}

#[tokio::test]
async fn a_device_that_signed_its_own_certificate_is_trusted_if_exactly_that_one_is_named() {
    let look = async |acceptor: TlsAcceptor, root: CertificateDer<'static>| {
        let ask = Ask::Http(http(&format!("https://{}/", shown(acceptor).await)));
        prober().look(&Probe { extra_roots: Arc::new(vec![root]), ..probe(ask) }, 0, 1_795_300_000_000).await
    };
    let (device, own) = signed_by_itself("127.0.0.1", (2040, 1, 1));
    let (_, of_another) = signed_by_itself("127.0.0.1", (2040, 1, 1));
    let well = look(device.clone(), own).await;
    assert!(well.verdict == Condition::Up && well.certificate.as_ref().unwrap().holds, "{well:?}");
    let (misnamed, misnamed_own) = signed_by_itself("other.example", (2040, 1, 1));
    let (expired, expired_own) = signed_by_itself("127.0.0.1", (2020, 1, 1));
    let mut for_clients = params(&["127.0.0.1"], (2040, 1, 1));
    for_clients.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let (client, authority) = issued(for_clients);
    for (seen, reason) in [
        (look(device, of_another).await, "it is that of an authority"),
        (look(misnamed, misnamed_own).await, "not valid for name \"127.0.0.1\""),
        (look(expired, expired_own).await, "Expired"),
        (look(client, authority).await, "it was not issued for servers"),
    ] {
        assert_eq!(seen.verdict, Condition::Down, "{reason}: {seen:?}");
        assert!(words(&seen).1.starts_with("the certificate is not valid: "), "{seen:?}");
        assert!(words(&seen).1.contains(reason), "{reason}: {seen:?}");
    }
}

/// Returns an acceptor for 127.0.0.1 whose certificate is signed by an intermediate authority that ends on the day
/// `between`.
fn by_another(leaf: (i32, u8, u8), between: (i32, u8, u8)) -> (TlsAcceptor, CertificateDer<'static>) {
    let authority = |until: (i32, u8, u8)| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, format!("until {until:?}"));
        params.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
        params
    };
    let root = CertifiedIssuer::self_signed(authority((2060, 1, 1)), KeyPair::generate().unwrap()).unwrap();
    let middle = CertifiedIssuer::signed_by(authority(between), KeyPair::generate().unwrap(), &root).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = params(&["127.0.0.1"], leaf).signed_by(&key, &middle).unwrap();
    (showing(vec![certificate.der().clone(), middle.der().clone()], &key), root.der().clone())
}

#[tokio::test]
async fn a_chain_ends_with_the_first_of_its_certificates() {
    // 21 November 2039: the handshake itself goes by the real clock, for which all of them are valid.
    let real_now = 2_205_446_400_000;
    let seen = async |leaf, between| {
        let (acceptor, root) = by_another(leaf, between);
        let address = shown(acceptor).await;
        let ask = Ask::Http(http(&format!("https://{address}/")));
        let look = prober().look(&Probe { extra_roots: Arc::new(vec![root]), ..probe(ask) }, 0, real_now).await;
        let certificate = look.certificate.unwrap();
        let day = chrono::DateTime::from_timestamp_millis(certificate.until).unwrap().date_naive().to_string();
        (day, certificate.holds, certificate.ends_by_chain)
    };
    assert_eq!(seen((2045, 1, 1), (2050, 1, 1)).await, ("2045-01-01".to_owned(), true, false));
    assert_eq!(seen((2045, 1, 1), (2039, 11, 24)).await, ("2039-11-24".to_owned(), false, true));
    assert_eq!(seen((2039, 11, 30), (2050, 1, 1)).await, ("2039-11-30".to_owned(), false, false));
    assert_eq!(seen((2039, 11, 30), (2039, 11, 25)).await, ("2039-11-25".to_owned(), false, true));
}

#[tokio::test]
async fn a_certificate_that_was_changed_is_seen_at_the_next_look() {
    let (listener, [(before, root), (after, other_root)]) = (
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
        [(2040, 1, 1), (2041, 1, 1)].map(|until| acceptor(&["127.0.0.1"], until)),
    );
    let url = format!("https://{}/", listener.local_addr().unwrap());
    // The sessions that one server has begun could be resumed by the other.
    let sessions = before.config().session_storage.clone();
    let mut after = ServerConfig::clone(after.config());
    after.session_storage = sessions;
    let acceptors = [before.clone(), before, TlsAcceptor::from(Arc::new(after))];
    tokio::spawn(async move {
        for acceptor in acceptors {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = acceptor.accept(stream).await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
            let _ = stream.shutdown().await;
        }
    });
    let roots = Arc::new(vec![root, other_root]);
    let (prober, probe) = (prober(), Probe { extra_roots: roots, ..probe(Ask::Http(http(&url))) });
    let mut ends = Vec::new();
    for _ in 0..3 {
        ends.push(prober.look(&probe, 0, 1_795_300_000_000).await.certificate.unwrap().until);
    }
    assert_eq!(ends[0], ends[1]);
    assert!(ends[1] < ends[2], "{ends:?}");
}

#[tokio::test]
async fn a_port_is_spoken_to() {
    let address = says(b"+PONG\r\n".to_vec(), true).await;
    let ask = |address: SocketAddr, expect: &str| {
        Ask::Tcp(TcpAsk {
            host: "127.0.0.1".into(),
            port: address.port(),
            tls: false,
            send: Some("PING\r\n".into()),
            expect: Some(expect.into()),
        })
    };
    assert_eq!(look(ask(address, "PONG")).await.verdict, Condition::Up);
    let other = look_briefly(ask(address, "OK")).await;
    let expected = "the expected text is not in what was received within 0.7 s";
    assert_eq!(words(&other), (Condition::Degraded, expected), "it waits for the next question");
    let closes = says(b"+NO\r\n".to_vec(), false).await;
    assert_eq!(look(ask(closes, "PONG")).await.verdict, Condition::Degraded);
    let silent = look_briefly(ask(says(Vec::new(), true).await, "PONG")).await;
    assert_eq!(silent.verdict, Condition::Down, "{silent:?}");
    assert!(words(&silent).1.contains("still waiting"), "{silent:?}");
}

#[tokio::test]
async fn a_mail_server_is_greeted_whatever_the_encoding_of_its_texts() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                // The texts are in Latin-1.
                let _ = stream.write_all(b"220 mail.example.com Gr\xfc\xdf Gott\r\n").await;
                let mut line = [0; 256];
                let _ = stream.read(&mut line).await;
                let _ = stream.write_all(b"250-mail.example.com \xe0 votre service\r\n250 SIZE 1000\r\n").await;
                let _ = stream.read(&mut line).await;
            });
        }
    });
    let ask = |tls| Ask::Smtp(SmtpAsk { host: "127.0.0.1".into(), port: address.port(), tls });
    assert_eq!(look(ask(SmtpTls::IfOffered)).await.verdict, Condition::Up);
    assert_eq!(words(&look(ask(SmtpTls::Start)).await), (Condition::Degraded, "the server offers no STARTTLS"));
    let busy = says(b"421 too busy\r\n".to_vec(), true).await;
    let ask = Ask::Smtp(SmtpAsk { host: "127.0.0.1".into(), port: busy.port(), tls: SmtpTls::IfOffered });
    // The server reads nothing before it has been greeted.
    assert_eq!(look_briefly(ask).await.verdict, Condition::Down);
}

#[tokio::test]
async fn a_database_that_wants_the_plain_password_gets_it_over_tls_only() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut greeting = [0; 1024];
        let _ = stream.read(&mut greeting).await.unwrap();
        stream.write_all(&[b'R', 0, 0, 0, 8, 0, 0, 0, 3]).await.unwrap();
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.unwrap();
        heard
    });
    let (host, user, database) = ("127.0.0.1".to_owned(), "watch".to_owned(), "shop".to_owned());
    let password = Some("hunter2".to_owned().into());
    let seen = look(Ask::Postgres(PostgresAsk { host, port, user, database, password, tls: false })).await;
    assert_eq!((seen.verdict, heard.await.unwrap()), (Condition::Degraded, Vec::new()), "{seen:?}");
}

#[tokio::test]
async fn a_database_that_asks_for_a_password_takes_connections() {
    let ask = |port| {
        Ask::Postgres(PostgresAsk {
            host: "127.0.0.1".into(),
            port,
            user: "watch".into(),
            database: "shop".into(),
            password: None,
            tls: false,
        })
    };
    let asks = says(vec![b'R', 0, 0, 0, 8, 0, 0, 0, 10], true).await;
    assert_eq!(look(ask(asks.port())).await.verdict, Condition::Up);
    let starting = says(b"E\0\0\0\x18SFATAL\0C57P03\0Mno\0\0\0".to_vec(), true).await;
    assert!(words(&look(ask(starting.port())).await).1.contains("57P03"));
    let other = says(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), true).await;
    assert!(words(&look(ask(other.port())).await).1.contains("not a PostgreSQL server"));
}

#[tokio::test]
async fn a_web_socket_is_opened_by_one_who_speaks_it() {
    let address = says(
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: wrong\r\n\r\n".to_vec(),
        true,
    )
    .await;
    let seen = look(Ask::WebSocket(http(&format!("ws://{address}/live")))).await;
    assert_eq!(seen.verdict, Condition::Degraded, "{seen:?}");
    let plain = serve(Router::new().route("/live", get(async || "no socket"))).await;
    let seen = look(Ask::WebSocket(http(&format!("ws://{plain}/live")))).await;
    assert!(words(&seen).1.contains("status 200"), "{seen:?}");
}

/// Accepts a WebSocket as RFC 6455 requires, and waits for what comes next.
async fn opens_socket<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    let mut request = vec![0; 4096];
    let Ok(count) = stream.read(&mut request).await else { return };
    let request = String::from_utf8_lossy(&request[..count]).into_owned();
    let header = |wanted: &str| {
        let pair = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        request.lines().filter_map(pair).find(|(name, _)| name == wanted).map(|(_, value)| value).unwrap_or_default()
    };
    let is_asked = header("upgrade") == "websocket" && header("sec-websocket-version") == "13";
    let key = header("sec-websocket-key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    let accept = STANDARD.encode(Sha1::digest(key));
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {accept}\r\n\r\n"
    );
    let refusal = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
    let _ = stream.write_all(if is_asked { answer.as_bytes() } else { refusal.as_bytes() }).await;
    let _ = stream.read(&mut [0; 16]).await;
}

#[tokio::test]
async fn a_web_socket_is_well_in_the_plain_and_over_tls() {
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let secure = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (at, secure_at) = (plain.local_addr().unwrap(), secure.local_addr().unwrap());
    let (acceptor, root) = acceptor(&["127.0.0.1"], (2040, 1, 1));
    tokio::spawn(async move {
        while let Ok((stream, _)) = plain.accept().await {
            tokio::spawn(opens_socket(stream));
        }
    });
    tokio::spawn(async move {
        while let Ok((stream, _)) = secure.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                tokio::spawn(opens_socket(stream));
            }
        }
    });
    let seen = look(Ask::WebSocket(http(&format!("ws://{at}/live?room=1")))).await;
    assert_eq!(seen.verdict, Condition::Up, "{seen:?}");
    let ask = Ask::WebSocket(http(&format!("wss://{secure_at}/live")));
    let trusting = Probe { extra_roots: Arc::new(vec![root]), ..probe(ask.clone()) };
    let seen = prober().look(&trusting, 0, NOW).await;
    assert!(seen.verdict == Condition::Up && seen.certificate.is_some(), "{seen:?}");
    assert!(words(&look(ask).await).1.contains("the certificate is not valid"));
}

/// How a mail server that offers STARTTLS reacts to it.
#[derive(Clone)]
enum StartTls {
    With(TlsAcceptor),
    Refuses,
    /// It agrees, and continues in plain text.
    Pretends,
}

async fn mail_server(start: StartTls) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(speaks_smtp(stream, start.clone()));
        }
    });
    address
}

async fn speaks_smtp(stream: TcpStream, start: StartTls) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mail.example.com ESMTP\r\n").await?;
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    assert!(line.starts_with("EHLO "), "{line}");
    stream.write_all(b"250-mail.example.com\r\n250-SIZE 1000\r\n250 STARTTLS\r\n").await?;
    line.clear();
    stream.read_line(&mut line).await?;
    assert_eq!(line, "STARTTLS\r\n");
    let answer: &[u8] = if matches!(start, StartTls::Refuses) { b"454 no TLS now\r\n" } else { b"220 go on\r\n" };
    stream.write_all(answer).await?;
    let StartTls::With(acceptor) = start else {
        stream.write_all(b"500 what?\r\n").await?;
        return stream.read(&mut [0; 512]).await.map(drop);
    };
    let mut stream = BufReader::new(acceptor.accept(stream.into_inner()).await?);
    line.clear();
    stream.read_line(&mut line).await?;
    assert!(line.starts_with("EHLO "), "it greets anew, {line}");
    stream.write_all(b"250 mail.example.com\r\n").await?;
    line.clear();
    stream.read_line(&mut line).await?;
    assert_eq!(line, "QUIT\r\n");
    Ok(())
}

#[tokio::test]
async fn a_mail_server_is_followed_through_starttls_to_its_end() {
    let (good, root) = acceptor(&["127.0.0.1"], (2040, 1, 1));
    let (misnamed, other_root) = acceptor(&["mail.example.com"], (2040, 1, 1));
    let roots = Arc::new(vec![root, other_root]);
    let seen = async |start: StartTls| {
        let port = mail_server(start).await.port();
        let ask = Ask::Smtp(SmtpAsk { host: "127.0.0.1".into(), port, tls: SmtpTls::Start });
        prober().look(&Probe { extra_roots: roots.clone(), ..probe(ask) }, 0, NOW).await
    };
    let well = seen(StartTls::With(good)).await;
    assert!(well.verdict == Condition::Up && well.certificate.is_some(), "{well:?}");
    let wrong = seen(StartTls::With(misnamed)).await;
    assert!(wrong.verdict == Condition::Down && words(&wrong).1.contains("the certificate is not valid"), "{wrong:?}");
    let refused = seen(StartTls::Refuses).await;
    assert!(words(&refused).1.contains("code 454"), "{refused:?}");
    let pretended = seen(StartTls::Pretends).await;
    assert_eq!(pretended.verdict, Condition::Down, "{pretended:?}");
}

/// Returns a name server's answer to `question`. `None` if it does not answer at all. Over UDP a long answer does not
/// fit.
fn named(question: &[u8], is_datagram: bool) -> Option<Vec<u8>> {
    let question = Message::from_vec(question).unwrap();
    let query = question.queries.first().unwrap().clone();
    let name = query.name().clone();
    let mut answer = Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
    answer.add_query(query);
    let a = RData::A(A::new(192, 0, 2, 7));
    match name.to_ascii().as_str() {
        "shop.example." => drop(answer.add_answer(Record::from_rdata(name, 60, a))),
        "wide.example." => {
            let address = RData::AAAA(AAAA("2001:db8::a".parse().unwrap()));
            answer.add_answer(Record::from_rdata(name, 60, address));
        }
        "alias.example." => {
            let other = RData::CNAME(CNAME(Name::from_ascii("Shop.Example.").unwrap()));
            answer.add_answer(Record::from_rdata(name, 60, other));
        }
        "bare.example." => {}
        "long.example." if is_datagram => answer.metadata.truncation = true,
        "long.example." => {
            let texts = (0..40).map(|number| format!("part {number} of what does not fit into a datagram"));
            for text in texts {
                answer.add_answer(Record::from_rdata(name.clone(), 60, RData::TXT(TXT::new(vec![text]))));
            }
        }
        "broken.example." => answer.metadata.response_code = ResponseCode::ServFail,
        "silent.example." => return None,
        _ => answer.metadata.response_code = ResponseCode::NXDomain,
    }
    Some(answer.to_vec().unwrap())
}

/// Starts a name server on UDP and TCP. Before each true datagram it sends one that answers another question.
async fn name_server() -> SocketAddr {
    let (socket, listener) = loop {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // Somebody else may have the same port number on UDP.
        if let Ok(socket) = UdpSocket::bind(listener.local_addr().unwrap()).await {
            break (socket, listener);
        }
    };
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut question = [0; 512];
        while let Ok((count, from)) = socket.recv_from(&mut question).await {
            let Some(answer) = named(&question[..count], true) else { continue };
            let mut forged = answer.clone();
            forged[0] ^= 1;
            let mut to_another_question = answer.clone();
            to_another_question[13] ^= 2;
            for bytes in [&forged, &to_another_question, &answer] {
                let _ = socket.send_to(bytes, from).await;
            }
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let length = stream.read_u16().await.unwrap();
            let mut question = vec![0; usize::from(length)];
            stream.read_exact(&mut question).await.unwrap();
            let answer = named(&question, false).unwrap();
            let _ = stream.write_u16(answer.len().try_into().unwrap()).await;
            let _ = stream.write_all(&answer).await;
        }
    });
    address
}

#[tokio::test]
async fn a_name_server_answers_or_says_that_there_is_no_such_name() {
    let server = name_server().await;
    let cases = [
        ("shop.example", "A", None, Condition::Up, ""),
        ("shop.example", "A", Some("192.0.2.7"), Condition::Up, ""),
        ("shop.example", "A", Some("192.0.2.8"), Condition::Degraded, "not among the answers"),
        ("shop.example", "MX", None, Condition::Degraded, "no MX record"),
        ("bare.example", "A", None, Condition::Degraded, "no A record"),
        ("wide.example", "AAAA", Some("2001:DB8::A"), Condition::Up, ""),
        ("alias.example", "CNAME", Some("shop.example"), Condition::Up, ""),
        ("long.example", "TXT", Some("part 39"), Condition::Up, ""),
        ("long.example", "TXT", Some("Part 39"), Condition::Degraded, "not among the answers"),
        ("gone.example", "A", None, Condition::Degraded, "no such name"),
        ("broken.example", "A", None, Condition::Down, "the name server answers"),
        ("silent.example", "A", None, Condition::Down, "still waiting"),
        ("two..dots", "A", None, Condition::Unknown, "not asked: `two..dots` cannot be queried"),
    ];
    for (name, record, expect, verdict, detail) in cases {
        let ask = Ask::Dns(DnsAsk {
            server: server.ip().to_string(),
            port: server.port(),
            name: name.to_owned(),
            record: record.to_owned(),
            expect: expect.map(str::to_owned),
        });
        let seen = if name == "silent.example" { look_briefly(ask).await } else { look(ask).await };
        assert_eq!(seen.verdict, verdict, "{name} {record}: {seen:?}");
        assert!(words(&seen).1.contains(detail), "{name} {record}: {seen:?}");
    }
}

/// If the environment names a PostgreSQL server, it is tested too.
#[tokio::test]
async fn a_real_database_lets_those_in_who_may_and_nobody_into_one_that_is_not_there() {
    let Ok(server) = std::env::var("SUPEROPS_SLA_TEST_POSTGRES") else { return };
    let server = url::Url::parse(&server).unwrap();
    let ask = |database: &str| {
        Ask::Postgres(PostgresAsk {
            host: server.host_str().unwrap().to_owned(),
            port: server.port().unwrap_or(5432),
            user: server.username().to_owned(),
            database: database.to_owned(),
            // Without a password, being refused would count as an answer.
            password: Some(server.password().unwrap_or("unneeded").to_owned().into()),
            tls: false,
        })
    };
    let own = server.path().trim_matches('/').to_owned();
    let seen = look(ask(&own)).await;
    assert_eq!(seen.verdict, Condition::Up, "{seen:?}");
    let seen = look(ask("no_such_database")).await;
    assert_ne!(seen.verdict, Condition::Up, "{seen:?}");
}
