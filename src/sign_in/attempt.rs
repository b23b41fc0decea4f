//! One sign-in that was begun and is not yet over.
//!
//! All that belongs to it is made from one secret in a cookie of the browser that began it: so no other browser can end
//! it, and any replica can. The store only knows that it is open, by the hash of a name that goes to the provider.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

use crate::keys::hash_of;

/// A sign-in that has begun, as the browser knows it.
#[derive(Clone, Debug)]
pub struct Attempt(SecretString);

impl Attempt {
    /// A new one, from the operating system's random bytes.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes).into()))
    }

    /// What a browser shows as one.
    pub fn presented(text: &str) -> Self {
        Self(text.to_owned().into())
    }

    /// What the browser keeps.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Goes to the provider and comes back: names the sign-in.
    pub fn state(&self) -> String {
        self.derived("state")
    }

    /// Comes back within the token: the token answers this sign-in.
    pub fn nonce(&self) -> String {
        self.derived("nonce")
    }

    /// Shown when the code is redeemed: whoever began redeems (PKCE, RFC 7636).
    pub fn verifier(&self) -> String {
        self.derived("verifier")
    }

    /// What the provider keeps of the verifier until then.
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier()))
    }

    /// What the store knows it by.
    pub fn key(&self) -> String {
        hash_of(self.state())
    }

    /// Whether `state` is this one's.
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
