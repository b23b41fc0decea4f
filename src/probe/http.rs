//! Looks at a web address: status, text, JSON, redirects.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::pin::pin;

use axum::http::header::{ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_TYPE, HOST, LOCATION, USER_AGENT};
use axum::http::response::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use url::Url;

use super::Fault;
use super::address::{Refusal, is_public};
use super::dial::{Connector, Phase};
use super::spec::{HttpAsk, JsonCondition};
use super::tls::{Trust, secure};

/// How much of a body is read; what is looked for has to be at its beginning.
const BODY_MOST: usize = 64 * 1024;
/// An answer with more bytes of headers, or more headers, than this is not accepted.
const HEADER_BYTES: usize = 32 * 1024;
const HEADERS: usize = 200;
/// What some servers put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

pub(super) const WHO: &str = concat!("superops-sla/", env!("CARGO_PKG_VERSION"), " (uptime check)");

/// The state carried from one hop to the next.
struct Hop {
    url: Url,
    method: Method,
    body: Bytes,
    /// Whether secrets may be sent: only to the origin where the look began, or to the same host by way of TLS.
    trusted: bool,
}

pub(super) async fn look(ask: &HttpAsk, dialler: &Connector<'_>, trust: &Trust) -> Result<(), Fault> {
    let body = Bytes::from(ask.body.clone().unwrap_or_default());
    let mut hop = Hop { url: ask.url.clone(), method: ask.method.clone(), body, trusted: true };
    for hops in 0..=ask.redirects {
        let next = visit(ask, &hop, dialler, trust).await;
        let next = next.map_err(|fault| if hops > 0 { led_astray(fault, dialler.trace.went_to()) } else { fault })?;
        match next {
            Some(next) => hop = next,
            None => return Ok(()),
        }
    }
    Err(Fault::down(format!("more than {} redirects", ask.redirects)))
}

/// Judges a redirect to an address that must not be asked. If nobody outside can reach that address, the answer is
/// wrong. If the service itself is in a private network, the other address may rightly be in one too.
fn led_astray(fault: Fault, began: Option<IpAddr>) -> Fault {
    let is_wrong = match fault.refusal {
        Some(Refusal::Never(_)) => true,
        Some(Refusal::NotAllowed(_)) => began.is_some_and(is_public),
        Some(Refusal::Ourselves) | None => false,
    };
    if !is_wrong {
        return fault;
    }
    Fault::degraded(format!("redirects to an address that is not reached from outside; {}", fault.detail))
}

/// Returns where the answer redirects us, or nothing if it is as it should be.
async fn visit(ask: &HttpAsk, hop: &Hop, dialler: &Connector<'_>, trust: &Trust) -> Result<Option<Hop>, Fault> {
    let host = hop.url.host_str().ok_or_else(|| Fault::down("the address has no host"))?;
    let request = request(ask, hop)?;
    let stream = dialler.dial(host, hop.url.port_or_known_default().unwrap_or(80)).await?;
    if hop.url.scheme() == "https" {
        exchange(secure(stream, host, dialler, trust).await?, request, ask, hop, dialler).await
    } else {
        exchange(stream, request, ask, hop, dialler).await
    }
}

/// Sends `request`, and reads and judges the answer. The connection ends with it.
async fn exchange<S>(
    stream: S,
    request: Request<Full<Bytes>>,
    ask: &HttpAsk,
    hop: &Hop,
    dialler: &Connector<'_>,
) -> Result<Option<Hop>, Fault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    dialler.trace.enter(Phase::Waiting);
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEADER_BYTES).max_headers(HEADERS);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
    let answer = async move {
        let (head, body) = sender.send_request(request).await.map_err(|error| broken(&error))?.into_parts();
        dialler.trace.enter(Phase::Reading);
        judge(ask, hop, &head, body).await
    };
    let (mut connection, mut answer) = (pin!(connection), pin!(answer));
    tokio::select! {
        biased;
        done = &mut answer => done,
        // What was received before the connection ended still has to be read.
        _ = &mut connection => answer.await,
    }
}

/// Judges an answer by its head, and by its body only if the head does not decide.
async fn judge(ask: &HttpAsk, hop: &Hop, head: &Parts, body: Incoming) -> Result<Option<Hop>, Fault> {
    if ask.redirects > 0
        && !wants_redirect(ask, head.status)
        && let Some(next) = redirected(hop, head)
    {
        return next.map(Some);
    }
    judge_status(ask, head.status)?;
    if ask.contains.is_some() || ask.json.is_some() || comes_whole(head) {
        // Text is enough once it is there, but a document is needed whole.
        let text = ask.contains.as_deref().filter(|_| ask.json.is_none());
        let is_western = is_western(head);
        let read = beginning(body, text, is_western).await?;
        judge_body(ask, &read, is_western)?;
    }
    Ok(None)
}

/// Whether the body has to come to its end even if nothing is looked for in it. A page that breaks off is broken; an
/// event stream has no end, and what stands beside a redirect or an error concerns nobody.
fn comes_whole(head: &Parts) -> bool {
    head.status.is_success() && !content_type(head).starts_with("text/event-stream")
}

/// Whether the body is said to be in Latin-1 or Windows-1252, which all browsers read as the latter.
fn is_western(head: &Parts) -> bool {
    let kind = content_type(head);
    let charset = kind.split(';').find_map(|part| part.trim().strip_prefix("charset=")).unwrap_or_default();
    ["iso-8859-1", "latin1", "windows-1252", "cp1252"].contains(&charset.trim_matches(['"', '\'']))
}

fn content_type(head: &Parts) -> String {
    let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.unwrap_or_default().to_ascii_lowercase()
}

/// Reads the body as far as we read any, or until `text` is in it.
async fn beginning(mut body: Incoming, text: Option<&str>, is_western: bool) -> Result<Vec<u8>, Fault> {
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Fault::down(format!("the answer broke off: {error}")))?;
        // The text may have begun in what came before.
        let unsearched = read.len().saturating_sub(text.map_or(0, str::len));
        if let Ok(data) = frame.into_data() {
            read.extend_from_slice(&data[..data.len().min(BODY_MOST - read.len())]);
        }
        if read.len() >= BODY_MOST || text.is_some_and(|text| holds(&read[unsearched..], text, is_western)) {
            break;
        }
    }
    Ok(read)
}

/// Whether `text` is in the body. One that is said to be western may be in UTF-8 all the same, by an oversight.
fn holds(body: &[u8], text: &str, is_western: bool) -> bool {
    String::from_utf8_lossy(body).contains(text) || is_western && western(body).contains(text)
}

/// Decodes Windows-1252, which has letters where Latin-1 has control characters.
fn western(body: &[u8]) -> String {
    const LETTERS: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘',
        '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    let decoded = body.iter().map(|byte| match byte {
        0x80..=0x9f => LETTERS[usize::from(byte - 0x80)],
        _ => char::from(*byte),
    });
    decoded.collect()
}

fn request(ask: &HttpAsk, hop: &Hop) -> Result<Request<Full<Bytes>>, Fault> {
    let path = &hop.url[url::Position::BeforePath..url::Position::AfterQuery];
    let authority = &hop.url[url::Position::BeforeHost..url::Position::AfterPort];
    let mut request = Request::builder().method(hop.method.clone()).uri(path).header(HOST, authority);
    request = request.header(USER_AGENT, WHO).header(ACCEPT, "*/*").header(CONNECTION, "close");
    // Bodies are read as they are, so none may be compressed.
    request = request.header(ACCEPT_ENCODING, "identity");
    let mut request = request
        .body(Full::new(hop.body.clone()))
        .map_err(|_| Fault::down("the configuration gives no valid request"))?;
    put_configured(ask, hop.trusted, request.headers_mut())?;
    Ok(request)
}

/// Sets the configured headers instead of adding them to ours: a server that finds two of a kind takes whichever it
/// likes. Secrets are left out unless the server is `trusted` with them.
pub(super) fn put_configured(ask: &HttpAsk, trusted: bool, headers: &mut HeaderMap) -> Result<(), Fault> {
    let open = ask.headers.iter().map(|(name, value)| (name, value.as_str(), false));
    let secret = ask.secret_headers.iter().filter(|_| trusted);
    let secret = secret.map(|(name, value)| (name, value.expose_secret(), true));
    for (name, value, is_secret) in open.chain(secret) {
        let mut value = HeaderValue::from_str(value).map_err(|_| unsendable(name))?;
        value.set_sensitive(is_secret);
        headers.insert(HeaderName::from_bytes(name.as_bytes()).map_err(|_| unsendable(name))?, value);
    }
    Ok(())
}

fn unsendable(name: &str) -> Fault {
    Fault::down(format!("the header `{name}` has a value that cannot be sent"))
}

/// Returns where the answer redirects us, if it does.
fn redirected(hop: &Hop, head: &Parts) -> Option<Result<Hop, Fault>> {
    use StatusCode as S;
    let keeps = [S::TEMPORARY_REDIRECT, S::PERMANENT_REDIRECT].contains(&head.status);
    if !keeps && ![S::MOVED_PERMANENTLY, S::FOUND, S::SEE_OTHER].contains(&head.status) {
        return None;
    }
    // Many servers send the address as it is, with letters that belong in percent.
    let location = std::str::from_utf8(head.headers.get(LOCATION)?.as_bytes()).ok()?;
    let url = hop.url.join(location).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
    let Some(url) = url else { return Some(Err(Fault::down("a redirect, but not to a web address"))) };
    let trusted = hop.trusted && (url.origin() == hop.url.origin() || is_secured(&hop.url, &url));
    let (method, body) = match (keeps, &hop.method) {
        (true, method) if trusted => (method.clone(), hop.body.clone()),
        (_, &Method::HEAD) => (Method::HEAD, Bytes::new()),
        _ => (Method::GET, Bytes::new()),
    };
    Some(Ok(Hop { url, method, body, trusted }))
}

/// Whether `to` is the same host as `from`, now asked over TLS, each at its usual port.
fn is_secured(from: &Url, to: &Url) -> bool {
    let is_usual = from.port().is_none() && to.port().is_none();
    is_usual && from.scheme() == "http" && to.scheme() == "https" && from.host() == to.host()
}

/// Whether the configuration names `status` as right.
fn is_named(ask: &HttpAsk, status: StatusCode) -> bool {
    ask.statuses.iter().any(|range| range.contains(&status.as_u16()))
}

/// Whether a redirect of this `status` is right in itself. Where a success is right as well, what it leads to is judged.
fn wants_redirect(ask: &HttpAsk, status: StatusCode) -> bool {
    let is_success = |range: &RangeInclusive<u16>| *range.start() < 300 && *range.end() >= 200;
    is_named(ask, status) && !ask.statuses.iter().any(is_success)
}

fn judge_status(ask: &HttpAsk, status: StatusCode) -> Result<(), Fault> {
    let is_right = if ask.statuses.is_empty() { status.is_success() } else { is_named(ask, status) };
    if !is_right {
        let detail = format!("answered with status {}", status.as_u16());
        return Err(if status.as_u16() >= 500 { Fault::down(detail) } else { Fault::degraded(detail) });
    }
    Ok(())
}

fn judge_body(ask: &HttpAsk, body: &[u8], is_western: bool) -> Result<(), Fault> {
    if ask.contains.as_ref().is_some_and(|text| !holds(body, text, is_western)) {
        return Err(Fault::degraded("the expected text is not in the answer"));
    }
    ask.json.as_ref().map_or(Ok(()), |wish| judge_json(wish, body, is_western))
}

fn judge_json(wish: &JsonCondition, body: &[u8], is_western: bool) -> Result<(), Fault> {
    let unmarked = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let document: Value = serde_json::from_slice(unmarked)
        .or_else(|error| if is_western { serde_json::from_str(&western(body)) } else { Err(error) })
        .map_err(|_| Fault::degraded("the answer is not JSON, or is longer than 64 kB"))?;
    let pointer = &wish.pointer;
    let found =
        document.pointer(pointer).ok_or_else(|| Fault::degraded(format!("the JSON has nothing at {pointer}")))?;
    let shown = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
    match &wish.equals {
        Some(wanted) if *wanted != shown => Err(Fault::degraded(format!("the JSON has another value at {pointer}"))),
        _ => Ok(()),
    }
}

pub(super) fn broken(error: &hyper::Error) -> Fault {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    Fault::down(format!("no HTTP answer: {error}{cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uptime::Condition;

    #[test]
    fn who_is_sent_where_nobody_outside_comes_gets_a_wrong_answer_unless_it_began_inside() {
        let (public, inside): (IpAddr, IpAddr) = ([203, 0, 113, 9].into(), [10, 0, 0, 9].into());
        let verdict = |refusal, began: IpAddr| led_astray(Fault::refused(inside, refusal), Some(began)).verdict;
        let (metadata, private) = (Refusal::Never("a metadata service"), Refusal::NotAllowed("an address inside"));
        assert_eq!(verdict(metadata, public), Condition::Degraded);
        assert_eq!(verdict(metadata, inside), Condition::Degraded);
        assert_eq!(verdict(private, public), Condition::Degraded, "as after a base URL that was left at localhost");
        assert_eq!(verdict(private, inside), Condition::Unknown, "it may be well: the network is only not allowed");
        assert_eq!(verdict(Refusal::Ourselves, public), Condition::Unknown, "others may well reach us");
        assert_eq!(led_astray(Fault::down("refused"), Some(public)).verdict, Condition::Down);
    }

    #[test]
    fn secrets_follow_a_host_to_tls_and_never_back_or_elsewhere() {
        let trusts = |from: &str, to: &str| {
            let hop = Hop { url: from.parse().unwrap(), method: Method::GET, body: Bytes::new(), trusted: true };
            let answer = axum::http::Response::builder().status(301).header(LOCATION, to).body(()).unwrap();
            redirected(&hop, &answer.into_parts().0).unwrap().unwrap().trusted
        };
        assert!(trusts("http://shop.example/", "https://shop.example/"));
        assert!(trusts("https://shop.example/", "/basket"));
        assert!(!trusts("https://shop.example/", "http://shop.example/"), "everybody on the way would read them");
        assert!(!trusts("http://shop.example/", "https://shop.example:8443/"), "another server of that machine");
        assert!(!trusts("http://shop.example:8080/", "https://shop.example/"));
        assert!(!trusts("http://shop.example/", "https://www.shop.example/"));
    }
}
