//! Hashed names for alerts and messages, which are the same each time and reveal nothing of what they stand for;
//! secrets that nobody can guess, of which only a hash is kept; and the keys that the store encrypts with.

pub mod ring;

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// The end of a link that is its own key: 256 random bits.
#[derive(Clone, Debug)]
pub struct Secret(SecretString);

impl Secret {
    /// Generates a new one from the operating system's random bytes.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes).into()))
    }

    /// Generates a name that nobody can guess, though it is not a secret: 32 hex digits.
    pub fn generate_id() -> Result<String, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(hex(&bytes))
    }

    /// Returns the text itself, to be shown once, or sent to the person it is for.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// Returns the SHA-256 of something, in hex digits. This is all that is kept of a secret: it has so many random bits
/// that nobody can guess it, so a plain hash is enough.
pub fn hash_of(secret: impl AsRef<[u8]>) -> String {
    hex(&Sha256::digest(secret))
}

/// Writes `bytes` in hex digits, two for each.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Returns the name of the alert with this key in addresses and links: 20 hex digits, 80 bits, so many that no two
/// alerts share them by chance.
pub fn id_of(key: &str) -> String {
    hex(&Sha256::digest(key)[..10])
}

/// Returns a pseudonym for the `kind` of thing that `tenant` knows as `id`: eight digits, the same each time, which
/// reveal nothing without the key.
pub fn pseudonym(key: &[u8; 32], tenant: &str, kind: &str, id: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in [tenant, kind, id] {
        mac.update(part.as_bytes());
        mac.update(&[0]);
    }
    mac.finalize().into_bytes().iter().take(4).map(|byte| format!("{byte:02X}")).collect()
}

/// Returns a name for one message: 32 hex digits.
pub fn notification_key(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        // A byte that no part contains, so that ("ab", "c") is not ("a", "bc").
        hash.update([0]);
    }
    hex(&hash.finalize()[..16])
}
