//! Looks at a mail server: greeting, EHLO, STARTTLS. No mail is sent.

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, BufReader};

use super::Fault;
use super::dial::{Connector, Phase};
use super::spec::{SmtpAsk, SmtpTls};
use super::tcp::send;
use super::tls::{Trust, secure};

/// The longest reply accepted, over all its lines.
const REPLY_MOST: u64 = 16 * 1024;
const EHLO: &[u8] = b"EHLO superops-sla.invalid\r\n";

pub(super) async fn look(ask: &SmtpAsk, dialler: &Connector<'_>, trust: &Trust) -> Result<(), Fault> {
    let stream = dialler.dial(&ask.host, ask.port).await?;
    if ask.tls == SmtpTls::Wrapped {
        let mut stream = BufReader::new(secure(stream, &ask.host, dialler, trust).await?);
        dialler.trace.enter(Phase::Waiting);
        greet(&mut stream).await?;
        return leave(&mut stream).await;
    }
    dialler.trace.enter(Phase::Waiting);
    let mut stream = BufReader::new(stream);
    let offers = greet(&mut stream).await?;
    if !offers.iter().any(|line| line.eq_ignore_ascii_case("STARTTLS")) {
        let missing = Err(Fault::degraded("the server offers no STARTTLS"));
        return if ask.tls == SmtpTls::Start { missing } else { leave(&mut stream).await };
    }
    send(&mut stream, b"STARTTLS\r\n").await?;
    reply(&mut stream, 220).await?;
    let mut stream = BufReader::new(secure(stream.into_inner(), &ask.host, dialler, trust).await?);
    dialler.trace.enter(Phase::Waiting);
    send(&mut stream, EHLO).await?;
    reply(&mut stream, 250).await?;
    leave(&mut stream).await
}

/// Reads the greeting and sends ours; returns what the server offers in reply.
async fn greet<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>) -> Result<Vec<String>, Fault> {
    reply(stream, 220).await?;
    send(stream, EHLO).await?;
    reply(stream, 250).await
}

async fn leave<S: AsyncWrite + Unpin>(stream: &mut S) -> Result<(), Fault> {
    // It does not matter whether the server gets this.
    let _ = send(stream, b"QUIT\r\n").await;
    Ok(())
}

/// Reads a reply and returns its lines without the code, which must be `wanted`.
async fn reply<S: AsyncRead + Unpin>(stream: &mut BufReader<S>, wanted: u16) -> Result<Vec<String>, Fault> {
    let mut lines = Vec::new();
    let mut stream = stream.take(REPLY_MOST);
    loop {
        let mut line = Vec::new();
        let read = stream.read_until(b'\n', &mut line).await;
        let count = read.map_err(|error| Fault::down(format!("no SMTP reply: {error}")))?;
        if count == 0 {
            return Err(Fault::down("the reply broke off"));
        }
        // What follows the code is for people, in whatever encoding.
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        let code: u16 = line.get(..3).and_then(|code| code.parse().ok()).ok_or_else(|| Fault::down("no SMTP reply"))?;
        if code != wanted {
            let detail = format!("answered with code {code}");
            return Err(if code >= 400 { Fault::down(detail) } else { Fault::degraded(detail) });
        }
        lines.push(line.get(4..).unwrap_or_default().to_owned());
        if line.as_bytes().get(3) != Some(&b'-') {
            return Ok(lines);
        }
    }
}
