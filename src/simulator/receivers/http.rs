//! How the receivers that take messages over HTTP answer, and how they can be made to fail.

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// How a message is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HttpReply {
    #[default]
    Accept,
    /// This status and a word.
    Status(u16),
    /// 429 with a Retry-After of this many seconds.
    TooMany { retry_after: u32 },
    /// Silence, whether the message was taken or not.
    Hang { taken: bool },
    /// 200 with this body; the message was taken if `taken`.
    Body { taken: bool, body: String },
    /// 307 to this address.
    Redirect(String),
}

/// The present behaviour of one receiver, and how often it was asked.
#[derive(Default)]
pub(super) struct Behaviour {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    reply: HttpReply,
    asked: u64,
}

impl Behaviour {
    pub fn set(&self, reply: HttpReply) {
        self.inner().reply = reply;
    }

    pub fn asked(&self) -> u64 {
        self.inner().asked
    }

    /// Answers one request: `take` keeps the message and returns the usual answer.
    pub async fn answer(&self, take: impl FnOnce() -> Response) -> Response {
        let reply = {
            let mut inner = self.inner();
            inner.asked += 1;
            inner.reply.clone()
        };
        match reply {
            HttpReply::Accept => take(),
            HttpReply::Status(status) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                (status, "oops").into_response()
            }
            HttpReply::TooMany { retry_after } => {
                (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, retry_after.to_string())]).into_response()
            }
            HttpReply::Hang { taken } => {
                if taken {
                    take();
                }
                std::future::pending().await
            }
            HttpReply::Body { taken, body } => {
                if taken {
                    take();
                }
                body.into_response()
            }
            HttpReply::Redirect(to) => (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to)]).into_response(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
