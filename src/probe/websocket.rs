//! Looks at a WebSocket: whether it opens, and whether the server speaks the protocol (RFC 6455).

use axum::http::header::{
    CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE, USER_AGENT,
};
use axum::http::{HeaderValue, Request, Response, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use sha1::{Digest, Sha1};
use tokio::io::{AsyncRead, AsyncWrite};

use super::Fault;
use super::dial::{Connector, Phase};
use super::http::{WHO, broken, put_configured};
use super::spec::HttpAsk;
use super::tls::{Trust, secure};

/// What every server appends to the key before hashing it.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

pub(super) async fn look(ask: &HttpAsk, dialler: &Connector<'_>, trust: &Trust) -> Result<(), Fault> {
    let host = ask.url.host_str().ok_or_else(|| Fault::down("the address has no host"))?;
    let key = STANDARD.encode(fastrand::u128(..).to_be_bytes());
    let request = request(ask, &key)?;
    let stream = dialler.dial(host, ask.url.port_or_known_default().unwrap_or(80)).await?;
    let response = if ask.url.scheme() == "wss" {
        open(secure(stream, host, dialler, trust).await?, request, dialler).await?
    } else {
        open(stream, request, dialler).await?
    };
    judge(&response, &key)
}

fn request(ask: &HttpAsk, key: &str) -> Result<Request<Empty<Bytes>>, Fault> {
    let path = &ask.url[url::Position::BeforePath..url::Position::AfterQuery];
    let authority = &ask.url[url::Position::BeforeHost..url::Position::AfterPort];
    let mut request = Request::builder().uri(path).header(HOST, authority).header(USER_AGENT, WHO);
    request = request.header(CONNECTION, "Upgrade").header(UPGRADE, "websocket");
    request = request.header(SEC_WEBSOCKET_VERSION, "13").header(SEC_WEBSOCKET_KEY, key);
    let request = request.body(Empty::new());
    let mut request = request.map_err(|_| Fault::down("the configuration gives no valid request"))?;
    put_configured(ask, true, request.headers_mut())?;
    Ok(request)
}

async fn open<S>(
    stream: S,
    request: Request<Empty<Bytes>>,
    dialler: &Connector<'_>,
) -> Result<Response<Incoming>, Fault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    dialler.trace.enter(Phase::Waiting);
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| broken(&error))?;
    let mut answer = std::pin::pin!(sender.send_request(request));
    let answer = tokio::select! {
        biased;
        done = &mut answer => done,
        _ = connection => answer.await,
    };
    answer.map_err(|error| broken(&error))
}

fn judge(response: &Response<Incoming>, key: &str) -> Result<(), Fault> {
    let status = response.status();
    if status != StatusCode::SWITCHING_PROTOCOLS {
        let detail = format!("the WebSocket was not opened: status {}", status.as_u16());
        return Err(if status.is_server_error() { Fault::down(detail) } else { Fault::degraded(detail) });
    }
    let expected = STANDARD.encode(Sha1::digest(format!("{key}{GUID}")));
    let accepted = response.headers().get(SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes);
    if accepted == Some(expected.as_bytes()) {
        return Ok(());
    }
    Err(Fault::degraded("it was opened by something that does not speak the protocol: a wrong Sec-WebSocket-Accept"))
}
