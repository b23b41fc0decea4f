//! A sign-in that was begun and is not yet over.
//!
//! All its parts are derived from one secret in a cookie of the browser that began it, so no other browser can finish
//! it, and any replica can. The store knows only that it is open, by the hash of the state that goes to the provider.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

use crate::keys::hash_of;

/// A sign-in that has begun, as the browser holds it.
#[derive(Clone, Debug)]
pub struct Attempt(SecretString);

impl Attempt {
    /// Generates a new one from the operating system's random bytes.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes).into()))
    }

    /// Takes the secret that a browser presents.
    pub fn presented(text: &str) -> Self {
        Self(text.to_owned().into())
    }

    /// Returns the secret that the browser keeps.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Returns the value that goes to the provider and comes back, and so names the sign-in.
    pub fn state(&self) -> String {
        self.derived("state")
    }

    /// Returns the value that comes back inside the token, which proves that the token answers this sign-in.
    pub fn nonce(&self) -> String {
        self.derived("nonce")
    }

    /// Returns the value shown when the code is redeemed, which proves that we began the sign-in (PKCE, RFC 7636).
    pub fn verifier(&self) -> String {
        self.derived("verifier")
    }

    /// Returns the hash of the verifier that the provider keeps until then.
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier()))
    }

    /// Returns the key under which the store knows it.
    pub fn key(&self) -> String {
        hash_of(self.state())
    }

    /// Whether `state` belongs to this attempt.
    pub fn is_named(&self, state: &str) -> bool {
        self.state().as_bytes().ct_eq(state.as_bytes()).into()
    }

    fn derived(&self, purpose: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.expose().as_bytes()).expect("HMAC takes keys of any length");
        mac.update(b"superops-sla sign-in v1\0");
        mac.update(purpose.as_bytes());
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_provider_sees_tells_neither_the_secret_nor_the_verifier() {
        let attempt = Attempt::generate().unwrap();
        let parts = [attempt.state(), attempt.nonce(), attempt.verifier(), attempt.challenge(), attempt.key()];
        for (place, part) in parts.iter().enumerate() {
            assert!(part.len() >= 43, "{part}");
            assert!(!parts[..place].contains(part) && part != attempt.expose());
        }
        let same = Attempt::presented(attempt.expose());
        assert!(same.is_named(&attempt.state()) && same.verifier() == attempt.verifier());
        assert!(!Attempt::generate().unwrap().is_named(&attempt.state()));
    }
}
