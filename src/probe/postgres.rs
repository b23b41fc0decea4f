//! Looks at a PostgreSQL server: whether it lets us in and answers `SELECT 1`.
//!
//! Without a password, it is enough that the server asks for one: it accepts connections.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::Fault;
use super::dial::{Connector, Phase};
use super::spec::PostgresAsk;
use super::tcp::send;
use super::tls::{Trust, secure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// https://www.postgresql.org/docs/current/protocol-message-formats.html
const TLS_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
const VERSION_3: [u8; 4] = [0, 3, 0, 0];
/// The longest message accepted; no answer to our questions is longer.
const MESSAGE_MOST: usize = 64 * 1024;
/// The most rounds of key derivation; a server that wants more is after our CPU time.
const ROUNDS_MOST: u32 = 100_000;

/// A message of the server: its kind and its body.
type Message = (u8, Vec<u8>);

pub(super) async fn look(ask: &PostgresAsk, dialler: &Connector<'_>, trust: &Trust) -> Result<(), Fault> {
    let mut stream = dialler.dial(&ask.host, ask.port).await?;
    dialler.trace.enter(Phase::Waiting);
    if !ask.tls {
        return talk(stream, ask).await;
    }
    send(&mut stream, &TLS_REQUEST).await?;
    match stream.read_u8().await {
        Ok(b'S') => {
            let stream = secure(stream, &ask.host, dialler, trust).await?;
            dialler.trace.enter(Phase::Waiting);
            talk(stream, ask).await
        }
        Ok(b'N') => Err(Fault::degraded("the server offers no TLS")),
        Ok(_) => Err(Fault::down("it is not a PostgreSQL server")),
        Err(error) => Err(broken(&error)),
    }
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, ask: &PostgresAsk) -> Result<(), Fault> {
    let greeting = [&VERSION_3[..], b"user\0", ask.user.as_bytes(), b"\0database\0", ask.database.as_bytes(), b"\0\0"];
    send(&mut stream, &framed(None, &greeting.concat())).await?;
    let (kind, body) = receive(&mut stream).await?;
    match (kind, &ask.password) {
        (b'E', password) => return refused(&body, password.is_none()),
        (b'R', None) => return Ok(()),
        (b'R', Some(password)) => log_in(&mut stream, &body, password.expose_secret(), ask.tls).await?,
        _ => return Err(Fault::down("it is not a PostgreSQL server")),
    }
    until(&mut stream, b'Z').await?;
    send(&mut stream, &framed(Some(b'Q'), b"SELECT 1\0")).await?;
    until(&mut stream, b'D').await?;
    // It does not matter whether the server gets this.
    let _ = send(&mut stream, &framed(Some(b'X'), b"")).await;
    Ok(())
}

fn framed(kind: Option<u8>, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap_or_default().to_be_bytes();
    kind.into_iter().chain(length).chain(body.iter().copied()).collect()
}

async fn receive<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Message, Fault> {
    let kind = stream.read_u8().await.map_err(|error| broken(&error))?;
    let length = stream.read_u32().await.map_err(|error| broken(&error))? as usize;
    if !(4..=MESSAGE_MOST).contains(&length) {
        return Err(Fault::down("it is not a PostgreSQL server"));
    }
    let mut body = vec![0; length - 4];
    stream.read_exact(&mut body).await.map_err(|error| broken(&error))?;
    Ok((kind, body))
}

/// Reads until a message of the `wanted` kind comes.
async fn until<S: AsyncRead + Unpin>(stream: &mut S, wanted: u8) -> Result<Vec<u8>, Fault> {
    loop {
        match receive(stream).await? {
            (b'E', body) => return refused(&body, false).map(|()| body),
            (kind, body) if kind == wanted => return Ok(body),
            _ => {}
        }
    }
}

fn broken(error: &std::io::Error) -> Fault {
    Fault::down(format!("no answer in PostgreSQL's protocol: {error}"))
}

/// Judges an error of the server. Being refused as a stranger shows that it accepts connections.
fn refused(body: &[u8], as_stranger: bool) -> Result<(), Fault> {
    let code = body.split(|byte| *byte == 0).find_map(|field| field.strip_prefix(b"C")).unwrap_or_default();
    let code = String::from_utf8_lossy(code).into_owned();
    match code.get(..2).unwrap_or_default() {
        "28" | "3D" if as_stranger => Ok(()),
        // Starting up, shutting down, out of connections or memory, or an internal fault.
        "57" | "53" | "58" | "XX" => Err(Fault::down(format!("the server refuses with code {code}"))),
        _ => Err(Fault::degraded(format!("the server refuses with code {code}"))),
    }
}

async fn log_in<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    body: &[u8],
    password: &str,
    is_secure: bool,
) -> Result<(), Fault> {
    match body.first_chunk().map(|code| u32::from_be_bytes(*code)) {
        Some(0) => Ok(()),
        // Anybody on the way could ask for it.
        Some(3) if !is_secure => {
            Err(Fault::degraded("the server wants the plain password, which is sent only over TLS"))
        }
        Some(3) => {
            send(stream, &framed(Some(b'p'), &[password.as_bytes(), b"\0"].concat())).await?;
            until(stream, b'R').await.map(drop)
        }
        Some(10) if body[4..].split(|byte| *byte == 0).any(|name| name == b"SCRAM-SHA-256") => {
            scram(stream, password).await
        }
        _ => {
            Err(Fault::degraded("the server asks for the password in a way that is not known here (not SCRAM-SHA-256)"))
        }
    }
}

/// Logs in as in RFC 5802, with SHA-256 and without channel binding.
async fn scram<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, password: &str) -> Result<(), Fault> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(|_| Fault::down("the system gives no random bytes"))?;
    let nonce = STANDARD.encode(nonce);
    let bare = format!("n=,r={nonce}");
    let first = format!("n,,{bare}");
    let length = u32::try_from(first.len()).unwrap_or_default().to_be_bytes();
    send(stream, &framed(Some(b'p'), &[b"SCRAM-SHA-256\0", &length[..], first.as_bytes()].concat())).await?;
    let challenge = text(until(stream, b'R').await?)?;
    let (answer, signature) = proof(&bare, &nonce, &challenge, password)?;
    send(stream, &framed(Some(b'p'), answer.as_bytes())).await?;
    let last = text(until(stream, b'R').await?)?;
    if last.strip_prefix("v=") != Some(&STANDARD.encode(signature)) {
        return Err(Fault::degraded("the server seems not to know the password"));
    }
    Ok(())
}

/// Returns what follows the code of an authentication message.
fn text(body: Vec<u8>) -> Result<String, Fault> {
    body.get(4..).and_then(|text| String::from_utf8(text.to_vec()).ok()).ok_or_else(strange)
}

fn strange() -> Fault {
    Fault::down("the server's challenge is invalid")
}

/// Returns our answer to `challenge`, and the signature that the server must end with.
fn proof(bare: &str, nonce: &str, challenge: &str, password: &str) -> Result<(String, [u8; 32]), Fault> {
    let part = |name: &str| challenge.split(',').find_map(|part| part.strip_prefix(name)).ok_or_else(strange);
    let (theirs, salt) = (part("r=")?, STANDARD.decode(part("s=")?).map_err(|_| strange())?);
    let rounds: u32 = part("i=")?.parse().map_err(|_| strange())?;
    if !theirs.starts_with(nonce) || rounds == 0 || rounds > ROUNDS_MOST {
        return Err(strange());
    }
    let salted = derived(password.as_bytes(), &salt, rounds);
    let client_key = signed(&salted, b"Client Key");
    let unproven = format!("c=biws,r={theirs}");
    let message = format!("{bare},{challenge},{unproven}");
    let signature = signed(&Sha256::digest(client_key), message.as_bytes());
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(key, sign)| key ^ sign).collect();
    let server = signed(&signed(&salted, b"Server Key"), message.as_bytes());
    Ok((format!("{unproven},p={}", STANDARD.encode(proof)), server))
}

/// Computes PBKDF2 with one block, which is all that SCRAM needs.
fn derived(password: &[u8], salt: &[u8], rounds: u32) -> [u8; 32] {
    let mut last = signed(password, &[salt, &[0, 0, 0, 1]].concat());
    let mut sum = last;
    for _ in 1..rounds {
        last = signed(password, &last);
        sum.iter_mut().zip(last).for_each(|(sum, byte)| *sum ^= byte);
    }
    sum
}

fn signed(key: &[u8], text: &[u8]) -> [u8; 32] {
    // HMAC takes a key of any length, so this cannot fail.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default()));
    mac.update(text);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exchange_of_rfc_7677_comes_out() {
        let (answer, signature) = proof(
            "n=user,r=rOprNGfwEbeRWgbNEkqO",
            "rOprNGfwEbeRWgbNEkqO",
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "pencil",
        )
        .unwrap();
        assert!(answer.ends_with("p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="), "{answer}");
        assert_eq!(STANDARD.encode(signature), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn a_server_that_is_starting_is_down_and_one_that_refuses_a_stranger_is_not() {
        let error = |code: &str| format!("SFATAL\0C{code}\0Mwhatever\0\0").into_bytes();
        assert_eq!(refused(&error("28000"), true), Ok(()));
        assert_eq!(refused(&error("28P01"), false).unwrap_err().verdict, crate::uptime::Condition::Degraded);
        assert_eq!(refused(&error("57P03"), true).unwrap_err().verdict, crate::uptime::Condition::Down);
        assert!(refused(b"", false).is_err());
    }
}
