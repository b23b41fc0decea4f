//! Looks at a port: whether it accepts a connection, and gives the expected answer.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::Fault;
use super::dial::{Connector, Phase};
use super::spec::TcpAsk;
use super::tls::{Trust, secure};

/// How many bytes are searched for the expected text.
const READ_MOST: usize = 64 * 1024;

pub(super) async fn look(ask: &TcpAsk, dialler: &Connector<'_>, trust: &Trust) -> Result<(), Fault> {
    let stream = dialler.dial(&ask.host, ask.port).await?;
    if ask.tls {
        talk(secure(stream, &ask.host, dialler, trust).await?, ask, dialler).await
    } else {
        talk(stream, ask, dialler).await
    }
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    ask: &TcpAsk,
    dialler: &Connector<'_>,
) -> Result<(), Fault> {
    dialler.trace.enter(Phase::Waiting);
    if let Some(text) = &ask.send {
        send(&mut stream, text.as_bytes()).await?;
    }
    match &ask.expect {
        Some(text) => expect(&mut stream, text.as_bytes(), dialler).await,
        None => Ok(()),
    }
}

pub(super) async fn send<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> Result<(), Fault> {
    let sent = async {
        stream.write_all(bytes).await?;
        stream.flush().await
    };
    sent.await.map_err(|error| Fault::down(format!("nothing can be sent: {error}")))
}

/// Reads until `text` has come.
async fn expect<S: AsyncRead + Unpin>(stream: &mut S, text: &[u8], dialler: &Connector<'_>) -> Result<(), Fault> {
    let mut read = Vec::new();
    let mut chunk = [0; 4096];
    while read.len() < READ_MOST {
        let count =
            stream.read(&mut chunk).await.map_err(|error| Fault::down(format!("nothing can be read: {error}")))?;
        if count == 0 && read.is_empty() {
            return Err(Fault::down("the connection closed without an answer"));
        }
        if count == 0 {
            break;
        }
        // The text may begin in what was read before.
        let from = read.len().saturating_sub(text.len());
        read.extend_from_slice(&chunk[..count]);
        dialler.trace.enter(Phase::Reading);
        if read[from..].windows(text.len()).any(|part| part == text) {
            return Ok(());
        }
    }
    Err(Fault::degraded("the expected text is not in the answer"))
}
