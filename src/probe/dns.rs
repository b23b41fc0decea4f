//! Looks at a name server: whether it answers a question, and with what.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::Fault;
use super::dial::{Connector, Phase};
use super::spec::DnsAsk;

/// The longest datagram that is accepted.
const DATAGRAM: usize = 4096;

pub(super) async fn look(ask: &DnsAsk, dialler: &Connector<'_>) -> Result<(), Fault> {
    let question = question(ask)?;
    let address = dialler.find(&ask.server, ask.port).await?;
    dialler.trace.enter(Phase::Waiting);
    let bytes = question.to_vec();
    let bytes = bytes.map_err(|error| Fault::unasked(format!("not asked: the query cannot be encoded: {error}")))?;
    let lost = |error: std::io::Error| Fault::down(format!("no answer from the name server: {error}"));
    let mut answer = by_datagram(address, &bytes, &question).await.map_err(lost)?;
    if answer.metadata.truncation {
        answer = by_stream(address, &bytes).await.map_err(lost)?;
    }
    judge(ask, &answer)
}

/// Whether `text` is a name that a name server can be asked for.
pub fn is_dns_name(text: &str) -> bool {
    Name::from_ascii(text).is_ok()
}

/// Whether `text` is a type of record that an answer can hold. Some types only stand in questions.
pub fn is_record_type(text: &str) -> bool {
    use RecordType as T;
    T::from_str(text).is_ok_and(|kind| ![T::ANY, T::AXFR, T::IXFR, T::TSIG].contains(&kind))
}

fn question(ask: &DnsAsk) -> Result<Message, Fault> {
    let unaskable = |what: &str| Fault::unasked(format!("not asked: `{what}` cannot be queried"));
    let mut name = Name::from_ascii(&ask.name).map_err(|_| unaskable(&ask.name))?;
    // As it comes back in the answer.
    name.set_fqdn(true);
    let kind = RecordType::from_str(&ask.record).map_err(|_| unaskable(&ask.record))?;
    let mut id = [0; 2];
    getrandom::fill(&mut id).map_err(|_| Fault::unasked("not asked: the system gives no random bytes"))?;
    let mut message = Message::new(u16::from_ne_bytes(id), MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name, kind));
    Ok(message)
}

async fn by_datagram(address: std::net::SocketAddr, bytes: &[u8], question: &Message) -> std::io::Result<Message> {
    let any = if address.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(address).await?;
    socket.send(bytes).await?;
    loop {
        let mut bytes = vec![0; DATAGRAM];
        let count = socket.recv(&mut bytes).await?;
        // Anybody may send us datagrams: ignore what is not the answer, until the deadline.
        if let Ok(answer) = Message::from_vec(&bytes[..count])
            && answer.metadata.id == question.metadata.id
            && answer.metadata.message_type == MessageType::Response
            // Some servers leave the question out of a refusal.
            && (answer.queries == question.queries || answer.answers.is_empty())
        {
            return Ok(answer);
        }
    }
}

async fn by_stream(address: std::net::SocketAddr, question: &[u8]) -> std::io::Result<Message> {
    let mut stream = TcpStream::connect(address).await?;
    let length = u16::try_from(question.len()).unwrap_or_default();
    stream.write_all(&[&length.to_be_bytes()[..], question].concat()).await?;
    let length = stream.read_u16().await?;
    let mut bytes = vec![0; usize::from(length)];
    stream.read_exact(&mut bytes).await?;
    Message::from_vec(&bytes).map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error.to_string()))
}

fn judge(ask: &DnsAsk, answer: &Message) -> Result<(), Fault> {
    match answer.metadata.response_code {
        ResponseCode::NoError => {}
        ResponseCode::NXDomain => return Err(Fault::degraded("the name server knows no such name")),
        other => return Err(Fault::down(format!("the name server answers: {other}"))),
    }
    let records: Vec<String> = answer
        .answers
        .iter()
        .filter(|record| record.record_type().to_string().eq_ignore_ascii_case(&ask.record))
        .map(|record| record.data.to_string())
        .collect();
    match &ask.expect {
        _ if records.is_empty() => Err(Fault::degraded(format!("the name has no {} record", ask.record))),
        Some(text) if !records.iter().any(|record| holds(&ask.record, record, text)) => {
            Err(Fault::degraded("the expected record is not among the answers"))
        }
        _ => Ok(()),
    }
}

/// Whether `record` has `text` in it. Of names and addresses the case of the letters means nothing.
fn holds(kind: &str, record: &str, text: &str) -> bool {
    const NAMES: [&str; 9] = ["A", "AAAA", "CNAME", "DNAME", "MX", "NS", "PTR", "SOA", "SRV"];
    if NAMES.contains(&kind) {
        return record.to_lowercase().contains(&text.to_lowercase());
    }
    record.contains(text)
}
