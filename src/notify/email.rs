//! Email, handed to the configured mail server.
//!
//! Each mail has a text and an HTML part. Its Message-ID is the same on every attempt, so the receiver drops a repeat,
//! and all mails about one clock of one ticket form a thread under the first. What the server says is never passed on:
//! servers repeat the recipient's address in their answers.

mod connection;
mod reply;

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::SystemTime;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment as Enclosure, Body as Content, Mailbox, MultiPart};
use lettre::{Address, Message as Mail};
use sha2::{Digest, Sha256};
use tokio::time::timeout;
use url::Host;

use self::connection::Server;
use super::{
    ATTEMPT_DEADLINE, Attachment, Body, Message, News, Notifier, Receipt, SendError, SetupError, Ways, render,
};
use crate::alert::escalation::ChannelKind;
use crate::clock::SharedClock;
use crate::keys::hex;
use crate::notify::settings;

/// Sends mail through one server.
pub struct EmailNotifier {
    server: Server,
    from: Mailbox,
    clock: SharedClock,
    ways: Ways,
}

impl EmailNotifier {
    /// Connects only when there is something to send.
    pub fn new(email: &settings::Email, clock: SharedClock) -> Result<Self, SetupError> {
        let from: Option<Mailbox> = email.from.parse().ok();
        let from = from.and_then(|from| Some(Mailbox::new(from.name, in_ascii(&from.email)?)));
        let from = from.ok_or_else(|| setup_error("`from` must be `Name <address>` or an address"))?;
        let server = Server::new(email).map_err(|_| setup_error("TLS cannot be set up for this host"))?;
        Ok(Self { server, from, clock, ways: Ways::default() })
    }

    /// Adds these ways of answering to each alert.
    pub fn offering(self, ways: Ways) -> Self {
        Self { ways, ..self }
    }
}

fn setup_error(reason: &str) -> SetupError {
    SetupError { channel: ChannelKind::Email, reason: reason.to_owned() }
}

impl fmt::Debug for EmailNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmailNotifier").finish_non_exhaustive()
    }
}

#[async_trait]
impl Notifier for EmailNotifier {
    fn channel(&self) -> ChannelKind {
        ChannelKind::Email
    }

    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        self.send_with(message, &[]).await
    }

    async fn send_with(&self, message: &Message, files: &[Attachment]) -> Result<Receipt, SendError> {
        let now = self.clock.now();
        let link = self.ways.link(message, now).or_else(|| self.ways.wish(message));
        let mail = compose(message, files, link.as_deref(), &self.from, now)?;
        match timeout(ATTEMPT_DEADLINE, self.server.hand_over(&mail)).await {
            Ok(answer) => answer.map(|id| Receipt { id }),
            Err(_) => Err(SendError::unreached("the mail server did not answer in time")),
        }
    }
}

/// Builds the mail for `message`, ready to go over the wire.
fn compose(
    message: &Message,
    files: &[Attachment],
    link: Option<&str>,
    from: &Mailbox,
    now: DateTime<Utc>,
) -> Result<Mail, SendError> {
    let words = render::email_with(message, link, now);
    let mut mail = Mail::builder()
        .from(from.clone())
        .to(recipient(message)?)
        .subject(words.subject)
        .date(SystemTime::from(now))
        .message_id(Some(message_id(message, from.email.domain())))
        .raw_header(header("Auto-Submitted", "auto-generated"))
        .raw_header(header("X-Auto-Response-Suppress", "All"));
    if message.continues_thread {
        let root = thread_root(message, from.email.domain());
        mail = mail.in_reply_to(root.clone()).references(root);
    }
    // RFC 8058: mail programs show it as their own button.
    if let (Some(link), Body::Update(facts)) = (link, &message.body)
        && facts.news != News::Confirm
    {
        mail = mail.raw_header(header("List-Unsubscribe", &format!("<{link}>")));
        mail = mail.raw_header(header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"));
    }
    mail.multipart(with_files(MultiPart::alternative_plain_html(words.text, words.html), files)?)
        .map_err(|_| SendError::refused("the mail could not be put together for this recipient"))
}

/// Appends `files` to `words`.
fn with_files(words: MultiPart, files: &[Attachment]) -> Result<MultiPart, SendError> {
    if files.is_empty() {
        return Ok(words);
    }
    let mut whole = MultiPart::mixed().multipart(words);
    for file in files {
        let kind =
            ContentType::parse(&file.content_type).map_err(|_| SendError::refused("a file is of an unknown type"))?;
        // Bytes that look like text would be sent as they are, and lines too long for SMTP would be broken.
        let body = Content::new_with_encoding(file.bytes.clone(), ContentTransferEncoding::Base64);
        let body = body.map_err(|_| SendError::refused("a file cannot be put into the mail"))?;
        whole = whole.singlepart(Enclosure::new(file.name.clone()).body(body, kind));
    }
    Ok(whole)
}

fn recipient(message: &Message) -> Result<Mailbox, SendError> {
    let address = message.to.trim().parse::<Address>().ok().and_then(|address| in_ascii(&address));
    let address = address.ok_or_else(|| SendError::refused("the recipient's address is not an email address"))?;
    let name = message.to_name.as_deref().map(|name| render::line(name, 80)).filter(|name| !name.is_empty());
    Ok(Mailbox::new(name, address))
}

/// Returns `address` with its domain as it is resolved, so that any mail server can carry it.
fn in_ascii(address: &Address) -> Option<Address> {
    if address.domain().is_ascii() {
        return Some(address.clone());
    }
    let domain = Host::parse(address.domain()).ok()?;
    Address::new(address.user(), domain.to_string()).ok()
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

/// Returns the Message-ID: the first mail of a thread is its root, and each later one has its own.
fn message_id(message: &Message, domain: &str) -> String {
    if message.continues_thread { format!("<{}@{domain}>", message.key) } else { thread_root(message, domain) }
}

/// Returns the Message-ID of the first mail of this thread to this person, so that every later one can recompute it.
fn thread_root(message: &Message, domain: &str) -> String {
    let digest = Sha256::new().chain_update(&message.thread).chain_update([0]).chain_update(&message.to).finalize();
    format!("<thread.{}@{domain}>", hex(&digest[..16]))
}
