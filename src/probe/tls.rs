//! TLS for looks: the handshake, and what the certificate says about the days to come.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme, crypto};
use rustls_platform_verifier::Verifier;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Fault;
use super::certificate::{self, Certificate, SOON};
use super::dial::{Connector, Phase};
use crate::uptime::{Millis, SECOND};

/// Authorities in addition to those that the system trusts.
pub type Roots = Arc<Vec<CertificateDer<'static>>>;

/// A set of trusted certificate authorities.
#[derive(Clone)]
pub struct Trust {
    verifier: Arc<Judge>,
    config: Arc<ClientConfig>,
}

/// Judges certificates as the system does, except that a server may show exactly one of the extra ones: devices sign
/// their own, usually as if they were authorities.
#[derive(Debug)]
struct Judge {
    others: Verifier,
    extra: Roots,
}

impl Judge {
    fn judge_own(own: &CertificateDer<'_>, name: &ServerName<'_>, now: UnixTime) -> Result<(), rustls::Error> {
        let (from, until) = certificate::validity(own).ok_or(CertificateError::BadEncoding)?;
        let now = Millis::try_from(now.as_secs()).unwrap_or(Millis::MAX).saturating_mul(SECOND);
        if now < from {
            return Err(CertificateError::NotValidYet.into());
        }
        if now > until {
            return Err(CertificateError::Expired.into());
        }
        verify_server_name(&ParsedCertificate::try_from(own)?, name)
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.extra.iter().any(|one| **one == **leaf) {
            return Self::judge_own(leaf, name, now).map(|()| ServerCertVerified::assertion());
        }
        self.others.verify_server_cert(leaf, rest, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.others.verify_tls12_signature(message, leaf, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.others.verify_tls13_signature(message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.others.supported_verify_schemes()
    }
}

impl Trust {
    fn by(others: Verifier, extra: Roots) -> Result<Self, rustls::Error> {
        let verifier = Arc::new(Judge { others, extra });
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier.clone())
            .with_no_client_auth();
        // A resumed session shows the certificate that it began with, not the server's present one.
        config.resumption = Resumption::disabled();
        Ok(Self { verifier, config: Arc::new(config) })
    }
}

/// The trusted authorities for each set of extra ones that checks name. The system has over a hundred, which take
/// milliseconds to read, so each set is built once for all checks that name it.
pub struct Trusts {
    system: Trust,
    others: Mutex<HashMap<Roots, Trust>>,
}

impl Trusts {
    /// Trusts what this machine trusts, and more where a check names it.
    pub fn new() -> Result<Self, rustls::Error> {
        Ok(Self { system: Trust::by(Verifier::new(provider())?, Roots::default())?, others: Mutex::default() })
    }

    /// Returns what this machine trusts, plus `roots`.
    pub fn and(&self, roots: &Roots) -> Result<Trust, rustls::Error> {
        if roots.is_empty() {
            return Ok(self.system.clone());
        }
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = others.get(roots) {
            return Ok(known.clone());
        }
        let verifier = Verifier::new_with_extra_roots(roots.iter().cloned(), provider())?;
        let trust = Trust::by(verifier, roots.clone())?;
        others.insert(roots.clone(), trust.clone());
        Ok(trust)
    }
}

fn provider() -> Arc<crypto::CryptoProvider> {
    Arc::new(crypto::ring::default_provider())
}

/// Negotiates TLS with `host` over `stream`.
pub async fn secure<S>(stream: S, host: &str, dialler: &Connector<'_>, trust: &Trust) -> Result<TlsStream<S>, Fault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    dialler.trace.enter(Phase::Securing);
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name =
        ServerName::try_from(bare).map_err(|_| Fault::down("no certificate can be issued for that host name"))?;
    let connector = TlsConnector::from(trust.config.clone());
    let stream = connector.connect(name.clone(), stream).await.map_err(|error| Fault::down(refused(&error)))?;
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    if let Some(certificate) = read(chain, &name, dialler.now, &trust.verifier) {
        dialler.trace.show(certificate);
    }
    Ok(stream)
}

fn read(chain: &[CertificateDer<'_>], name: &ServerName<'_>, now: Millis, verifier: &Judge) -> Option<Certificate> {
    let (leaf, rest) = chain.split_first()?;
    let holds_at = |at: Millis| {
        let at = Duration::from_millis(u64::try_from(at).unwrap_or_default());
        verifier.verify_server_cert(leaf, rest, name, &[], UnixTime::since_unix_epoch(at)).is_ok()
    };
    let (own_end, soon) = (certificate::ends_at(leaf)?, now + SOON);
    let holds = holds_at(soon);
    // Of several certificates that end, take the first without which no chain is left.
    let mut ends: Vec<Millis> = chain.iter().filter(|_| !holds).filter_map(|one| certificate::ends_at(one)).collect();
    ends.sort_unstable();
    let first = ends.into_iter().take_while(|end| *end < soon).find(|end| !holds_at(end + SECOND));
    let until = first.unwrap_or(own_end);
    Some(Certificate { until, holds, ends_by_chain: until != own_end })
}

/// Says briefly why TLS failed.
fn refused(error: &std::io::Error) -> String {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(why)) => format!("the certificate is not valid: {}", reason(why)),
        Some(other) => format!("no TLS: {other}"),
        None => format!("no TLS: {error}"),
    }
}

fn reason(why: &CertificateError) -> String {
    let CertificateError::Other(other) = why else { return why.to_string() };
    // The types of these errors are not exposed.
    match format!("{:?}", other.0).as_str() {
        "CaUsedAsEndEntity" => "it is that of an authority; if it is the server's own, name it in `ca_file`".to_owned(),
        "EkuError" => "it was not issued for servers".to_owned(),
        _ => other.0.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_authorities_are_read_once_for_all_checks_that_name_them() {
        let authority = || {
            let made = rcgen::CertificateParams::new(vec!["ca.example".to_owned()]).unwrap();
            made.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().clone()
        };
        let (ours, theirs, trusts) = (authority(), authority(), Trusts::new().unwrap());
        let and = |root: &CertificateDer<'static>| trusts.and(&Arc::new(vec![root.clone()])).unwrap().config;
        assert!(Arc::ptr_eq(&and(&ours), &and(&ours)), "of another check that names the same");
        assert!(!Arc::ptr_eq(&and(&ours), &and(&theirs)));
        assert!(trusts.and(&Arc::new(vec![CertificateDer::from(vec![1])])).is_err(), "no certificate");
    }
}
