//! A mail server that takes everything and delivers nothing: ESMTP without TLS, for loopback only.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mail_parser::{MessageParser, MessagePart, MimeHeaders};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{Caught, CaughtKind, CaughtList};
use crate::clock::SharedClock;
use crate::keys::hash_of;

/// The largest message taken, in bytes, as announced.
const LARGEST: usize = 10 << 20;
/// The longest line taken, in bytes. RFC 5321 asks for 512, and for 1000 in a message; senders of longer lines get some
/// grace.
const LONGEST_LINE: usize = 64 << 10;

/// The pause before the next try when no connection can be accepted.
const BREATH: Duration = Duration::from_millis(50);

/// How recipients and messages are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MailReply {
    #[default]
    Accept,
    /// 550 to each recipient.
    NoSuchUser,
    /// 550 to each sender.
    NotYourAddress,
    /// 451 to each recipient.
    TryLater,
    /// Silence from the first recipient on.
    Hang,
    /// The connection closes at the first recipient.
    Close,
    /// The message is taken, but the connection closes before the reply.
    CloseAfterData,
}

struct Shared {
    clock: SharedClock,
    caught: Arc<CaughtList>,
    reply: Mutex<MailReply>,
}

/// The mail server. When dropped, it stops along with its connections.
pub struct MailCatcher {
    addr: SocketAddr,
    shared: Arc<Shared>,
    _listening: JoinSet<()>,
}

impl MailCatcher {
    /// Listens at `addr`; what comes in goes to `caught`.
    pub async fn start(addr: SocketAddr, clock: SharedClock, caught: Arc<CaughtList>) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared { clock, caught, reply: Mutex::default() });
        let mut listening = JoinSet::new();
        listening.spawn(listen(listener, Arc::clone(&shared)));
        Ok(Self { addr, shared, _listening: listening })
    }

    /// Returns where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Makes it answer like this from now on.
    pub fn reply(&self, reply: MailReply) {
        *self.shared.reply.lock().unwrap_or_else(PoisonError::into_inner) = reply;
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    let mut talks = JoinSet::new();
    // An error here concerns one connection, or is a passing lack of file handles.
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Otherwise a second short reply waits until the first is acknowledged. If this fails, we are only
                    // slow.
                    let _ = stream.set_nodelay(true);
                    talks.spawn(talk(stream, Arc::clone(&shared)));
                }
                Err(_) => tokio::time::sleep(BREATH).await,
            },
            Some(_) = talks.join_next() => {}
        }
    }
}

async fn talk(mut stream: TcpStream, shared: Arc<Shared>) {
    let (read, write) = stream.split();
    let mut session = Session { lines: BufReader::new(read), write, shared, recipients: Vec::new(), sender: false };
    // A broken connection is the sender's problem; there is nobody to tell.
    let _ = session.run().await;
}

/// What to do after a command.
enum Next {
    Say(&'static str),
    /// Say it, then hang up.
    Bye(&'static str),
    Data,
    Hang,
    Close,
}

struct Session<R, W> {
    lines: R,
    write: W,
    shared: Arc<Shared>,
    sender: bool,
    recipients: Vec<String>,
}

impl<R: AsyncBufRead + Unpin, W: AsyncWrite + Unpin> Session<R, W> {
    async fn run(&mut self) -> io::Result<()> {
        self.say("220 catcher ESMTP").await?;
        while let Some(line) = self.line().await? {
            match self.command(&String::from_utf8_lossy(&line)) {
                Next::Say(reply) => self.say(reply).await?,
                Next::Bye(reply) => return self.say(reply).await,
                Next::Data => {
                    if !self.data().await? {
                        return Ok(());
                    }
                }
                Next::Hang => std::future::pending().await,
                Next::Close => return Ok(()),
            }
        }
        Ok(())
    }

    fn command(&mut self, line: &str) -> Next {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => Next::Say("250-catcher\r\n250-PIPELINING\r\n250-SIZE 10485760\r\n250-8BITMIME\r\n250 SMTPUTF8"),
            "HELO" | "NOOP" => Next::Say("250 OK"),
            "MAIL" => self.mail(rest),
            "RCPT" => self.recipient(rest),
            "DATA" if self.recipients.is_empty() => Next::Say("503 5.5.1 no recipient"),
            "DATA" => Next::Data,
            "RSET" => {
                self.forget();
                Next::Say("250 2.0.0 OK")
            }
            "VRFY" => Next::Say("252 2.1.5 send and see"),
            "QUIT" => Next::Bye("221 2.0.0 bye"),
            _ => Next::Say("500 5.5.2 what?"),
        }
    }

    fn mail(&mut self, rest: &str) -> Next {
        if address(rest, "FROM:").is_none() {
            return Next::Say("501 5.5.4 MAIL FROM:<address>");
        }
        let size =
            rest.split(' ').find_map(|word| word.to_ascii_uppercase().strip_prefix("SIZE=")?.parse::<usize>().ok());
        if size.is_some_and(|size| size > LARGEST) {
            return Next::Say("552 5.3.4 too large");
        }
        if self.reply() == MailReply::NotYourAddress {
            return Next::Say("550 5.7.60 you may not send as this sender");
        }
        self.forget();
        self.sender = true;
        Next::Say("250 2.1.0 OK")
    }

    fn recipient(&mut self, rest: &str) -> Next {
        let Some(address) = address(rest, "TO:").filter(|address| !address.is_empty()) else {
            return Next::Say("501 5.5.4 RCPT TO:<address>");
        };
        if !self.sender {
            return Next::Say("503 5.5.1 MAIL first");
        }
        match self.reply() {
            MailReply::NoSuchUser => Next::Say("550 5.1.1 no such user"),
            MailReply::TryLater => Next::Say("451 4.7.1 try later"),
            MailReply::Hang => Next::Hang,
            MailReply::Close => Next::Close,
            MailReply::Accept | MailReply::CloseAfterData | MailReply::NotYourAddress => {
                self.recipients.push(address.to_owned());
                Next::Say("250 2.1.5 OK")
            }
        }
    }

    fn reply(&self) -> MailReply {
        *self.shared.reply.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&mut self) {
        self.sender = false;
        self.recipients.clear();
    }

    /// Takes a message; returns false if the connection should end.
    async fn data(&mut self) -> io::Result<bool> {
        self.say("354 end with a dot").await?;
        let Some(message) = self.message().await? else {
            self.forget();
            self.say("552 5.3.4 too large").await?;
            return Ok(true);
        };
        self.keep(&message);
        self.forget();
        if self.reply() == MailReply::CloseAfterData {
            return Ok(false);
        }
        self.say("250 2.0.0 caught").await?;
        Ok(true)
    }

    /// Reads the lines up to the lone dot, without their extra dots; returns nothing if the message is too large.
    async fn message(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut message = Vec::new();
        let mut fits = true;
        loop {
            let line = self.line().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if line == b"." {
                return Ok(fits.then_some(message));
            }
            fits &= message.len() + line.len() <= LARGEST;
            if fits {
                message.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
                message.extend_from_slice(b"\r\n");
            }
        }
    }

    /// Keeps one caught message for each recipient.
    fn keep(&self, message: &[u8]) {
        let parsed = MessageParser::default().parse(message).unwrap_or_default();
        let headers = parsed.headers_raw().map(|(name, value)| (name.to_ascii_lowercase(), unfold(value)));
        let headers = headers.chain(parsed.attachments().map(attachment)).collect();
        let caught = Caught {
            at: self.shared.clock.now(),
            kind: CaughtKind::Email,
            to: String::new(),
            subject: parsed.subject().unwrap_or_default().to_owned(),
            text: parsed.body_text(0).map(|text| text.into_owned()).unwrap_or_default(),
            html: parsed.body_html(0).map(|html| html.into_owned()),
            headers,
        };
        for to in &self.recipients {
            self.shared.caught.push(Caught { to: to.clone(), ..caught.clone() });
        }
    }

    /// Reads the next line without its end; returns nothing when the sender has hung up.
    async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        (&mut self.lines).take(LONGEST_LINE as u64).read_until(b'\n', &mut line).await?;
        match line.strip_suffix(b"\n") {
            Some(rest) => Ok(Some(rest.strip_suffix(b"\r").unwrap_or(rest).to_vec())),
            None if line.is_empty() => Ok(None),
            None => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    async fn say(&mut self, reply: &str) -> io::Result<()> {
        self.write.write_all(format!("{reply}\r\n").as_bytes()).await?;
        self.write.flush().await
    }
}

/// Describes a file as if it were a header field: its name, and the SHA-256 of its content.
fn attachment(part: &MessagePart<'_>) -> (String, String) {
    let hash = hash_of(part.contents());
    ("attachment".to_owned(), format!("{} {hash}", part.attachment_name().unwrap_or_default()))
}

/// Returns the address in `FROM:<a@b> SIZE=1`; empty for the null sender.
fn address<'a>(rest: &'a str, keyword: &str) -> Option<&'a str> {
    let start = rest.get(..keyword.len()).filter(|start| start.eq_ignore_ascii_case(keyword))?;
    let (address, _) = rest[start.len()..].trim_start().strip_prefix('<')?.split_once('>')?;
    Some(address)
}

/// Joins a header field to one line, as people read it.
fn unfold(value: &str) -> String {
    value.split("\r\n").map(str::trim).collect::<Vec<_>>().join(" ").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use lettre::message::MultiPart;
    use lettre::transport::smtp::Error;
    use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

    const SUBJECT: &str = "Ørsted & Søn: „Drucker“ 🔥 breaches in 30 minutes";

    async fn catcher() -> (MailCatcher, Arc<CaughtList>) {
        let now = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let list = CaughtList::new(100);
        let addr = "127.0.0.1:0".parse().unwrap();
        (MailCatcher::start(addr, Arc::new(ManualClock::at(now)), Arc::clone(&list)).await.unwrap(), list)
    }

    async fn send(catcher: &MailCatcher) -> Result<(), Error> {
        let message = Message::builder()
            .from("SLA watch <sla@example.com>".parse().unwrap())
            .to("Søren <soren@example.com>".parse().unwrap())
            .cc("dana@example.com".parse().unwrap())
            .subject(SUBJECT)
            .multipart(MultiPart::alternative_plain_html(".\n..dots\nnaïve".to_owned(), "<p>naïve</p>".to_owned()))
            .unwrap();
        let mailer = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1").port(catcher.addr().port());
        mailer.build().send(message).await.map(|_| ())
    }

    #[tokio::test]
    async fn a_mail_arrives_decoded_once_for_each_recipient() {
        let (catcher, list) = catcher().await;
        send(&catcher).await.unwrap();
        let caught = list.newest_first(9);
        assert_eq!(
            caught.iter().map(|mail| mail.to.as_str()).collect::<Vec<_>>(),
            ["dana@example.com", "soren@example.com"]
        );
        assert_eq!(caught[0].subject, SUBJECT);
        assert_eq!(caught[0].text.replace("\r\n", "\n").trim_end(), ".\n..dots\nnaïve");
        assert_eq!(caught[0].html.as_deref().map(str::trim_end), Some("<p>naïve</p>"));
        assert!(caught[0].header("content-type").unwrap().starts_with("multipart/alternative"));
        assert_eq!(caught[0].at.timestamp(), 1_800_000_000);
    }

    #[tokio::test]
    async fn refusals_and_silence_are_as_ordered() {
        let (catcher, list) = catcher().await;
        catcher.reply(MailReply::NoSuchUser);
        assert!(send(&catcher).await.unwrap_err().is_permanent());
        catcher.reply(MailReply::TryLater);
        assert!(send(&catcher).await.unwrap_err().is_transient());
        catcher.reply(MailReply::Hang);
        assert!(tokio::time::timeout(Duration::from_millis(200), send(&catcher)).await.is_err(), "no answer");
        catcher.reply(MailReply::Close);
        assert!(send(&catcher).await.is_err());
        assert_eq!(list.total(), 0);
        catcher.reply(MailReply::CloseAfterData);
        assert!(send(&catcher).await.is_err());
        assert_eq!(list.total(), 2, "taken, but the sender does not know");
    }

    #[tokio::test]
    async fn commands_may_come_in_one_piece_and_in_the_wrong_order() {
        let (catcher, list) = catcher().await;
        let mut stream = TcpStream::connect(catcher.addr()).await.unwrap();
        let talk = "EHLO me\r\nDATA\r\nRCPT TO:<a@example.com>\r\nMAIL FROM:<> SIZE=99999999\r\nmail from:<> size=10\r\n\
            RCPT TO:<a@example.com>\r\nRSET\r\nMAIL FROM:<b@example.com>\r\nRCPT TO:<søren@example.com>\r\nDATA\r\n\
            Subject: hi\r\n\r\n..one dot\r\n.\r\nHELP\r\nQUIT\r\n";
        stream.write_all(talk.as_bytes()).await.unwrap();
        let mut replies = String::new();
        stream.read_to_string(&mut replies).await.unwrap();
        let codes: Vec<&str> =
            replies.lines().filter(|line| line.as_bytes()[3] == b' ').map(|line| &line[..3]).collect();
        assert_eq!(codes.join(" "), "220 250 503 503 552 250 250 250 250 250 354 250 500 221");
        let caught = list.newest_first(1);
        assert_eq!((caught[0].to.as_str(), caught[0].text.trim_end()), ("søren@example.com", ".one dot"));
    }
}
