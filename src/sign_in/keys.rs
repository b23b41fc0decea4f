//! The keys that a provider signs with, and whether one of them made a signature.
//!
//! Only signatures by key pairs count. What a token says of itself chooses among the provider's keys, never the kind of
//! proof: `none` and the HMAC algorithms, which anybody who knows the public key could forge, are not supported here.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};
use serde::Deserialize;

/// The most keys that are read of one provider; none that we know has more.
const MOST_KEYS: usize = 100;

/// How a token is signed.
#[derive(Clone, Copy, Debug)]
pub struct Algorithm {
    name: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// With keys of at least 2048 bits.
    Rsa(&'static RsaParameters),
    Curve {
        key_type: &'static str,
        curve: &'static str,
        how: How,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    P256,
    P384,
    Ed25519,
}

impl How {
    fn verification(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::P256 => &signature::ECDSA_P256_SHA256_FIXED,
            Self::P384 => &signature::ECDSA_P384_SHA384_FIXED,
            Self::Ed25519 => &signature::ED25519,
        }
    }
}

const fn rsa(name: &'static str, parameters: &'static RsaParameters) -> Algorithm {
    Algorithm { name, kind: Kind::Rsa(parameters) }
}

const fn curve(name: &'static str, key_type: &'static str, curve: &'static str, how: How) -> Algorithm {
    Algorithm { name, kind: Kind::Curve { key_type, curve, how } }
}

/// All supported algorithms.
const ALGORITHMS: [Algorithm; 9] = [
    rsa("RS256", &signature::RSA_PKCS1_2048_8192_SHA256),
    rsa("RS384", &signature::RSA_PKCS1_2048_8192_SHA384),
    rsa("RS512", &signature::RSA_PKCS1_2048_8192_SHA512),
    rsa("PS256", &signature::RSA_PSS_2048_8192_SHA256),
    rsa("PS384", &signature::RSA_PSS_2048_8192_SHA384),
    rsa("PS512", &signature::RSA_PSS_2048_8192_SHA512),
    curve("ES256", "EC", "P-256", How::P256),
    curve("ES384", "EC", "P-384", How::P384),
    curve("EdDSA", "OKP", "Ed25519", How::Ed25519),
];

impl Algorithm {
    /// Returns the algorithm that a token's header names, if it is supported.
    pub fn named(name: &str) -> Option<Self> {
        ALGORITHMS.into_iter().find(|known| known.name == name)
    }
}

/// One key, as providers publish it (RFC 7517).
#[derive(Clone, Debug, Deserialize)]
struct Key {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// The keys that a provider signs with now.
#[derive(Clone, Debug, Default)]
pub struct KeySet(Vec<Key>);

#[derive(Deserialize)]
struct Published {
    keys: Vec<serde_json::Value>,
}

impl KeySet {
    /// Parses what a provider publishes. Keys of an unknown kind are left out.
    pub fn parse(text: &[u8]) -> Result<Self, serde_json::Error> {
        let published: Published = serde_json::from_slice(text)?;
        let keys = published.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
        Ok(Self(keys.take(MOST_KEYS).collect()))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Finds the key that a token says it is signed with; if it names none, the only key that could be it.
    pub fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<Signer<'_>> {
        let named = |key: &&Key| id.is_none_or(|id| key.kid.as_deref() == Some(id));
        let mut fitting = self.0.iter().filter(named).filter(|key| key.fits(algorithm));
        let key = fitting.next()?;
        let is_sure = id.is_some() || fitting.next().is_none();
        is_sure.then_some(Signer { key, algorithm })
    }
}

impl Key {
    fn fits(&self, algorithm: Algorithm) -> bool {
        let signs = self.purpose.as_deref().is_none_or(|purpose| purpose == "sig");
        let is_meant = self.alg.as_deref().is_none_or(|own| own == algorithm.name);
        let is_kind = match algorithm.kind {
            Kind::Rsa(_) => self.kty == "RSA",
            Kind::Curve { key_type, curve, .. } => self.kty == key_type && self.crv.as_deref() == Some(curve),
        };
        signs && is_meant && is_kind
    }

    fn point(&self, how: How) -> Option<Vec<u8>> {
        let x = bytes(self.x.as_deref())?;
        if how == How::Ed25519 {
            return Some(x);
        }
        // Both coordinates as they are, after the prefix of an uncompressed point.
        let y = bytes(self.y.as_deref())?;
        Some([[4].as_slice(), &x, &y].concat())
    }
}

/// A key with its signature algorithm.
pub struct Signer<'k> {
    key: &'k Key,
    algorithm: Algorithm,
}

impl Signer<'_> {
    /// Whether `signature` over `message` was made with this key.
    pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.verified(message, signature).is_some()
    }

    fn verified(&self, message: &[u8], signature: &[u8]) -> Option<()> {
        match self.algorithm.kind {
            Kind::Rsa(parameters) => {
                let (n, e) = (bytes(self.key.n.as_deref())?, bytes(self.key.e.as_deref())?);
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).ok()
            }
            Kind::Curve { how, .. } => {
                let point = self.key.point(how)?;
                UnparsedPublicKey::new(how.verification(), point).verify(message, signature).ok()
            }
        }
    }
}

fn bytes(text: Option<&str>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text?.trim_end_matches('=')).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_signatures_by_key_pairs_count() {
        for name in ["none", "None", "HS256", "HS512", "", "rs256"] {
            assert!(Algorithm::named(name).is_none(), "{name}");
        }
        assert!(Algorithm::named("RS256").is_some() && Algorithm::named("ES256").is_some());
    }

    #[test]
    fn a_token_without_a_key_id_is_believed_only_if_one_key_alone_fits() {
        let rsa = |kid: &str| format!(r#"{{"kty":"RSA","kid":"{kid}","n":"AQAB","e":"AQAB"}}"#);
        let keys = |text: &str| KeySet::parse(format!(r#"{{"keys":[{text}]}}"#).as_bytes()).unwrap();
        let (one, two) = (keys(&rsa("a")), keys(&format!("{},{}", rsa("a"), rsa("b"))));
        let rs256 = Algorithm::named("RS256").unwrap();
        assert!(one.find(None, rs256).is_some() && two.find(None, rs256).is_none());
        assert!(two.find(Some("b"), rs256).is_some() && two.find(Some("c"), rs256).is_none());
        assert!(one.find(Some("a"), Algorithm::named("ES256").unwrap()).is_none(), "another kind of key");
    }

    #[test]
    fn keys_for_encryption_and_keys_that_make_no_sense_sign_nothing() {
        let text = r#"{"keys":[7,{"kty":"oct","k":"AAAA"},{"kty":"RSA","kid":"a","use":"enc","n":"AQAB","e":"AQAB"}]}"#;
        let keys = KeySet::parse(text.as_bytes()).unwrap();
        assert!(keys.find(Some("a"), Algorithm::named("RS256").unwrap()).is_none());
        assert!(keys.find(None, Algorithm::named("RS256").unwrap()).is_none());
    }
}
