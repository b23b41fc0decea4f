//! TLS for looks: the handshake, and what the certificate says of the days to come.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, crypto};
use rustls_platform_verifier::Verifier;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Fault;
use super::certificate::{self, Certificate, SOON};
use super::dial::{Connector, Phase};
use crate::uptime::Millis;

/// Whose certificates are believed.
#[derive(Clone)]
pub struct Trust {
    verifier: Arc<Verifier>,
    config: Arc<ClientConfig>,
}

impl Trust {
    /// Whoever this machine believes.
    pub fn system() -> Result<Self, rustls::Error> {
        Self::by(Verifier::new(provider())?)
    }

    /// Them, and `roots`.
    pub fn and(roots: Arc<Vec<CertificateDer<'static>>>) -> Result<Self, rustls::Error> {
        Self::by(Verifier::new_with_extra_roots(roots.iter().cloned(), provider())?)
    }

    fn by(verifier: Verifier) -> Result<Self, rustls::Error> {
        let verifier = Arc::new(verifier);
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier.clone())
            .with_no_client_auth();
        Ok(Self { verifier, config: Arc::new(config) })
    }
}

fn provider() -> Arc<crypto::CryptoProvider> {
    Arc::new(crypto::ring::default_provider())
}

/// Agrees on TLS with `host` over `stream`.
pub async fn secure<S>(stream: S, host: &str, dialler: &Connector<'_>, trust: &Trust) -> Result<TlsStream<S>, Fault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    dialler.trace.enter(Phase::Securing);
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name =
        ServerName::try_from(bare).map_err(|_| Fault::down("the host is no name that a certificate could be for"))?;
    let connector = TlsConnector::from(trust.config.clone());
    let stream = connector.connect(name.clone(), stream).await.map_err(|error| Fault::down(refused(&error)))?;
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    if let Some(certificate) = read(chain, &name, dialler.now, &trust.verifier) {
        dialler.trace.show(certificate);
    }
    Ok(stream)
}

fn read(chain: &[CertificateDer<'_>], name: &ServerName<'_>, now: Millis, verifier: &Verifier) -> Option<Certificate> {
    let (leaf, rest) = chain.split_first()?;
    let until = certificate::ends_at(leaf)?;
    let soon = Duration::from_millis(u64::try_from(now + SOON).unwrap_or_default());
    let holds = verifier.verify_server_cert(leaf, rest, name, &[], UnixTime::since_unix_epoch(soon)).is_ok();
    Some(Certificate { until, holds })
}

/// Why TLS could not be agreed on, in a few words.
fn refused(error: &std::io::Error) -> String {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(why)) => format!("the certificate is not valid: {why}"),
        Some(other) => format!("no TLS: {other}"),
        None => format!("no TLS: {error}"),
    }
}
