//! What to do next, given a mail server's answer.
//!
//! Only its two codes are read and passed on. The words beside them repeat the recipient's address, so they stay here.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use lettre::transport::smtp::Error;

use crate::notify::{SendError, is_bad_certificate};

/// How long to leave alone a server that is busy, or that turns first attempts away to see who comes back.
const BUSY: Duration = Duration::from_secs(60);

/// `550 5.7.1`: the reply code of SMTP and the enhanced status code of RFC 3463.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reply {
    code: u16,
    enhanced: Option<(u8, u16, u16)>,
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the mail server answered `{}", self.code)?;
        if let Some((class, subject, detail)) = self.enhanced {
            write!(f, " {class}.{subject}.{detail}")?;
        }
        f.write_str("`")
    }
}

/// How far the talk with the server had come when it answered: what a lasting refusal is about depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Until the first mail is announced: the server refuses us, whoever the mail is for.
    Connection,
    /// MAIL: it refuses our own address.
    Sender,
    /// RCPT and what follows.
    Recipient,
}

/// Sorts `error` by what to do next.
pub(super) fn sort(error: &Error, stage: Stage) -> SendError {
    if is_bad_certificate(error) {
        return SendError::misconfigured("the mail server's certificate is not trusted");
    }
    match reply(error) {
        Some(reply) => sort_reply(reply, stage),
        None => SendError::unreached(unreached(error)),
    }
}

/// Words a failed connection by the system's error, which names neither the server nor anybody's address.
fn unreached(error: &Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    match causes.filter_map(|cause| cause.downcast_ref::<std::io::Error>()).last() {
        Some(cause) => format!("the connection to the mail server failed: {cause}"),
        None => "the connection to the mail server failed".to_owned(),
    }
}

/// Sorts a lasting refusal of our user and password.
pub(super) fn sign_in_refused(error: &Error) -> SendError {
    match reply(error) {
        Some(reply) => SendError::misconfigured(format!("{reply} to our user name and password")),
        None => SendError::misconfigured("the mail server refused our user name and password"),
    }
}

fn sort_reply(reply: Reply, stage: Stage) -> SendError {
    match (reply.code, reply.enhanced) {
        (421 | 450 | 451 | 452, _) => {
            // Once a mail is announced, only the first is about the server; the others may be about one mailbox.
            let outage = reply.code == 421 || stage == Stage::Connection;
            SendError::Unavailable { reason: reply.to_string(), retry_after: Some(BUSY), maybe_taken: false, outage }
        }
        (530 | 534 | 535 | 538, _) => SendError::misconfigured(reply.to_string()),
        // Servers say this to addresses on a block list, and while they are being repaired: either may pass.
        _ if stage == Stage::Connection => SendError::unreached(format!("{reply} to the connection")),
        (..500, _) => SendError::unavailable(reply.to_string()),
        // The mail is too large, whoever it is from.
        (552, _) | (_, Some((5, 3, 4))) => SendError::refused(reply.to_string()),
        _ if stage == Stage::Sender => SendError::misconfigured(format!("{reply} to our own address, `from`")),
        (550, Some((5, 7, _))) => SendError::refused(format!("{reply}, because of its policy; try another channel")),
        _ => SendError::refused(reply.to_string()),
    }
}

fn reply(error: &Error) -> Option<Reply> {
    let code = u16::from(error.status()?);
    let words = error.source().map(ToString::to_string).unwrap_or_default();
    Some(Reply { code, enhanced: enhanced(&words) })
}

/// Returns the enhanced status code at the start of a reply's words.
fn enhanced(words: &str) -> Option<(u8, u16, u16)> {
    let mut parts = words.split_whitespace().next()?.split('.');
    let status = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    parts.next().is_none().then_some(status)
}

/// Returns the queue's id for a mail, as most servers give it: `2.0.0 Ok: queued as 4F2A1`.
pub(super) fn queue_id(line: &str) -> Option<String> {
    let (_, after) = line.split_once("queued as ")?;
    let id: String = after.chars().take_while(char::is_ascii_alphanumeric).take(40).collect();
    (!id.is_empty()).then_some(id)
}
