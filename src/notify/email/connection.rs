//! Connections to the mail server, kept open between mails.
//!
//! lettre's own pool takes back a connection whose mail was abandoned half way, and the next mail would read the
//! answers to that one. Here a connection returns only after a mail was taken; otherwise it is dropped.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lettre::address::Envelope;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Ehlo, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use lettre::{Address, Message as Mail};
use secrecy::ExposeSecret;
use tokio::time::{Instant, timeout};

use super::reply::{self, Stage};
use crate::notify::SendError;
use crate::notify::settings::{self, SmtpTls};

/// How long one address of the server may take to accept a connection; a host may have several.
const CONNECT_DEADLINE: Duration = Duration::from_secs(4);
/// How long a connection may be idle: servers hang up after one to five minutes.
const LONGEST_IDLE: Duration = Duration::from_secs(50);
/// How long to wait for an idle connection to answer before it is given up.
const ALIVE_DEADLINE: Duration = Duration::from_secs(2);
/// The most mails on one connection: servers limit them, often to 100.
const MOST_MAILS: u32 = 50;
/// The most idle connections: as many as mails go out at the same time.
const MOST_IDLE: usize = 16;

/// One mail server, and the free connections to it.
pub(super) struct Server {
    host: String,
    port: u16,
    security: Security,
    credentials: Option<Credentials>,
    idle: Mutex<Vec<Connection>>,
}

enum Security {
    Wrapped(TlsParameters),
    Required(TlsParameters),
    None,
}

struct Connection {
    smtp: AsyncSmtpConnection,
    /// Whether the server takes commands before it has answered the previous ones (RFC 2920).
    pipelines: bool,
    mails: u32,
    used: Instant,
}

impl Server {
    pub fn new(email: &settings::Email) -> Result<Self, Error> {
        // An error means that one is already installed, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let tls = || TlsParameters::new(email.host.clone());
        let security = match email.tls {
            SmtpTls::Wrapped => Security::Wrapped(tls()?),
            SmtpTls::Required => Security::Required(tls()?),
            SmtpTls::None => Security::None,
        };
        let credentials = email.user.as_ref().map(|user| {
            let password = email.password.as_ref().map_or("", |password| password.expose_secret());
            Credentials::new(user.clone(), password.to_owned())
        });
        Ok(Self { host: email.host.clone(), port: email.port, security, credentials, idle: Mutex::default() })
    }

    /// Hands `mail` to the server; returns the id under which the server has queued it, if it says so.
    pub async fn hand_over(&self, mail: &Mail) -> Result<Option<String>, SendError> {
        let mut connection = self.announced(mail.envelope()).await?;
        let answer = connection.hand_over(&mail.formatted()).await?;
        self.put_back(connection);
        Ok(answer)
    }

    /// Returns a connection on which the server waits for the content of a mail in `envelope`.
    ///
    /// An idle one may be dead. That shows now, before anything has been handed over.
    async fn announced(&self, envelope: &Envelope) -> Result<Connection, SendError> {
        while let Some(mut connection) = self.take_idle() {
            match timeout(ALIVE_DEADLINE, connection.announce(envelope)).await {
                Ok(Ok(())) => return Ok(connection),
                Err(_) | Ok(Err(SendError::Unavailable { outage: true, .. })) => {}
                Ok(Err(answer)) => return Err(answer),
            }
        }
        let mut connection = Connection::new(self.connect().await?).await?;
        connection.announce(envelope).await.map(|()| connection)
    }

    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|connection| connection.used.elapsed() < LONGEST_IDLE);
        idle.pop()
    }

    fn put_back(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MOST_IDLE && connection.mails < MOST_MAILS {
            idle.push(connection);
        }
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, SendError> {
        let (wrapped, required) = match &self.security {
            Security::Wrapped(tls) => (Some(tls.clone()), None),
            Security::Required(tls) => (None, Some(tls)),
            Security::None => (None, None),
        };
        let us = ClientId::default();
        let server = (self.host.as_str(), self.port);
        let mut smtp = AsyncSmtpConnection::connect_tokio1(server, Some(CONNECT_DEADLINE), &us, wrapped, None)
            .await
            .map_err(|error| reply::sort(&error, Stage::Connection))?;
        if let Some(tls) = required {
            start_tls(&mut smtp, tls, &us).await?;
        }
        if let Some(credentials) = &self.credentials {
            sign_in(&mut smtp, credentials).await?;
        }
        Ok(smtp)
    }
}

async fn start_tls(smtp: &mut AsyncSmtpConnection, tls: &TlsParameters, us: &ClientId) -> Result<(), SendError> {
    if !smtp.can_starttls() {
        return Err(SendError::misconfigured("the mail server offers no STARTTLS, which is required"));
    }
    smtp.starttls(tls.clone(), us).await.map_err(|error| reply::sort(&error, Stage::Connection))
}

async fn sign_in(smtp: &mut AsyncSmtpConnection, credentials: &Credentials) -> Result<(), SendError> {
    const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];
    if smtp.server_info().get_auth_mechanism(&MECHANISMS).is_none() {
        return Err(SendError::misconfigured("the mail server offers no way to sign in with a password"));
    }
    match smtp.auth(&MECHANISMS, credentials).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_permanent() => Err(reply::sign_in_refused(&error)),
        Err(error) => Err(reply::sort(&error, Stage::Connection)),
    }
}

impl Connection {
    async fn new(mut smtp: AsyncSmtpConnection) -> Result<Self, SendError> {
        // lettre keeps only the part of the server's first answer that it uses itself.
        let offers = smtp.command(Ehlo::new(ClientId::default())).await;
        let offers = offers.map_err(|error| reply::sort(&error, Stage::Connection))?;
        let pipelines = offers.message().any(|line| line.trim().eq_ignore_ascii_case("PIPELINING"));
        Ok(Self { smtp, pipelines, mails: 0, used: Instant::now() })
    }

    /// Announces the sender and the recipients of the next mail, in one batch where the server allows it.
    async fn announce(&mut self, envelope: &Envelope) -> Result<(), SendError> {
        let mail_from = MailFrom::new(envelope.from().cloned(), self.parameters(envelope)?);
        let to = envelope.to().iter().map(|to| Rcpt::new(to.clone(), Vec::new()).to_string());
        let rest: Vec<String> = to.chain([Data.to_string()]).collect();
        if self.pipelines {
            self.in_one_breath(&mail_from.to_string(), &rest).await
        } else {
            self.in_turns(&mail_from.to_string(), &rest).await
        }
    }

    async fn in_one_breath(&mut self, first: &str, rest: &[String]) -> Result<(), SendError> {
        let answered = self.smtp.command(format!("{first}{}", rest.concat())).await;
        answered.map_err(|error| reply::sort(&error, Stage::Sender))?;
        for _ in rest {
            self.smtp.read_response().await.map_err(|error| reply::sort(&error, Stage::Recipient))?;
        }
        Ok(())
    }

    async fn in_turns(&mut self, first: &str, rest: &[String]) -> Result<(), SendError> {
        self.smtp.command(first).await.map_err(|error| reply::sort(&error, Stage::Sender))?;
        for command in rest {
            self.smtp.command(command).await.map_err(|error| reply::sort(&error, Stage::Recipient))?;
        }
        Ok(())
    }

    /// Hands over the mail that was announced.
    async fn hand_over(&mut self, mail: &[u8]) -> Result<Option<String>, SendError> {
        let taken = self.smtp.command(in_one_piece(mail)).await;
        let taken = taken.map_err(|error| reply::sort(&error, Stage::Recipient))?;
        self.mails += 1;
        self.used = Instant::now();
        Ok(taken.message().find_map(reply::queue_id))
    }

    fn parameters(&self, envelope: &Envelope) -> Result<Vec<MailParameter>, SendError> {
        let is_ascii = |address: &Address| AsRef::<str>::as_ref(address).is_ascii();
        let (from, to) = (envelope.from().is_none_or(is_ascii), envelope.to().iter().all(is_ascii));
        if from && to {
            Ok(Vec::new())
        } else if self.smtp.server_info().supports_feature(Extension::SmtpUtfEight) {
            Ok(vec![MailParameter::SmtpUtfEight])
        } else if from {
            Err(SendError::refused("the mail server cannot carry an address with letters outside ASCII before the @"))
        } else {
            Err(SendError::misconfigured(
                "the mail server cannot carry `from`: it has letters outside ASCII before the @",
            ))
        }
    }
}

/// Returns `mail` as it goes over the wire, including its end.
///
/// lettre would write the end separately. TCP holds back such a small packet until the previous one is acknowledged,
/// which takes the other side 40 ms.
pub(super) fn in_one_piece(mail: &[u8]) -> String {
    // A mail that we have built is encoded, so it is text.
    let mut content = String::from_utf8_lossy(mail).replace("\r\n.", "\r\n..");
    if content.starts_with('.') {
        content.insert(0, '.');
    }
    content + "\r\n.\r\n"
}
