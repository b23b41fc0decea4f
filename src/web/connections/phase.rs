//! What one connection is doing, and since when: judged by what it reads, answers and writes.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// The limit from the first byte of a request to its end, and from the connection to the first byte.
const ASK: Duration = Duration::from_secs(10);
/// The limit between two requests. Longer than proxies keep a connection: closing one as a request arrives loses it.
const IDLE: Duration = Duration::from_secs(130);
/// The limit for answering: a little more than the deadline of an answer.
const ANSWER: Duration = super::super::ANSWER_DEADLINE.saturating_add(Duration::from_secs(5));
/// The limit for taking all of an answer, or the next part of a stream.
const WRITE: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Connected; nothing has been asked yet.
    New,
    /// Everything asked so far is answered.
    Idle,
    /// A request has begun to arrive.
    Asking,
    Answering,
    Writing,
    /// A stream sends when it has something to tell, for as long as the other side takes it.
    Streaming,
    /// About to be closed: takes no more requests.
    Dismissed,
}

/// Shared by the connection, which advances it, and the server, which decides what to close.
#[derive(Debug)]
pub struct Progress(Mutex<(Phase, Instant)>);

impl Progress {
    pub fn new(now: Instant) -> Arc<Self> {
        Arc::new(Self(Mutex::new((Phase::New, now))))
    }

    fn state(&self) -> MutexGuard<'_, (Phase, Instant)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn move_on(&self, from: Phase, to: Phase) {
        let mut state = self.state();
        if state.0 == from {
            *state = (to, Instant::now());
        }
    }

    /// Records that a request is complete. False if it must not be taken any more.
    pub fn asked(&self) -> bool {
        let mut state = self.state();
        if state.0 == Phase::Dismissed {
            return false;
        }
        *state = (Phase::Answering, Instant::now());
        true
    }

    /// Records that the answer is ready and is being sent.
    pub fn answered(&self) {
        self.move_on(Phase::Answering, Phase::Writing);
    }

    /// Records that the answer is a stream and has begun.
    pub fn streams(&self) {
        self.move_on(Phase::Answering, Phase::Streaming);
    }

    /// Records that the other side took something of a stream.
    fn taken(&self) {
        self.move_on(Phase::Streaming, Phase::Streaming);
    }

    /// Returns since when it has waited for the other side to ask for something; `None` while it works.
    pub fn waiting_since(&self) -> Option<Instant> {
        let (phase, since) = *self.state();
        matches!(phase, Phase::New | Phase::Idle | Phase::Asking).then_some(since)
    }

    /// Whether it is a stream, which has no end of its own.
    pub fn is_stream(&self) -> bool {
        self.state().0 == Phase::Streaming
    }

    /// Takes no more requests if none is being answered. Returns whether that is so.
    pub fn dismiss(&self) -> bool {
        let mut state = self.state();
        let waits = matches!(state.0, Phase::New | Phase::Idle | Phase::Asking);
        if waits {
            state.0 = Phase::Dismissed;
        }
        waits
    }

    /// Whether its phase has lasted longer than its limit.
    pub fn is_overdue(&self, now: Instant) -> bool {
        let (phase, since) = *self.state();
        let most = match phase {
            Phase::New | Phase::Asking => ASK,
            Phase::Idle => IDLE,
            Phase::Answering => ANSWER,
            Phase::Writing | Phase::Streaming => WRITE,
            Phase::Dismissed => return true,
        };
        now.saturating_duration_since(since) >= most
    }
}

/// A stream that records its progress.
pub struct Tracked {
    pub stream: TcpStream,
    pub progress: Arc<Progress>,
}

impl AsyncRead for Tracked {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.progress.move_on(Phase::New, Phase::Asking);
            self.progress.move_on(Phase::Idle, Phase::Asking);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tracked {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// The server flushes once it has handed over the whole answer.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.progress.move_on(Phase::Writing, Phase::Idle);
        self.progress.taken();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
