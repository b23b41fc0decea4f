//! The signed link with which a recipient acknowledges an alert without logging in.
//!
//! A token names one notification, and with it the alert and the person it went to. It expires after a day, and only
//! the holder of the key can have made it. The store makes sure that it works only once. Nothing here reads the time.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::keys::hex;

/// How long a token is valid: longer than any shift; a mail read later than this is history.
const LASTS: TimeDelta = TimeDelta::hours(24);
/// The parts of a token: a notification's key as bytes, seconds since 1970, and the signature over both.
const KEY_BYTES: usize = 16;
const TIME_BYTES: usize = 8;
const SIGNED_BYTES: usize = KEY_BYTES + TIME_BYTES;
const MAC_BYTES: usize = 32;
/// What a subscriber of a status page can do with a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriberAction {
    /// Yes, it was me.
    Confirm,
    /// Nothing more, please.
    Stop,
}

impl SubscriberAction {
    /// Returns the action as it is written in the link.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Stop => "stop",
        }
    }
}

/// Keeps a signature made here from being valid for anything else.
const PURPOSE: &[u8] = b"superops-sla link v1\0";
const WISH_PURPOSE: &[u8] = b"superops-sla subscription v1\0";

/// The key that links are signed with. Never shown, not even by `Debug`.
#[derive(Clone)]
pub struct LinkKey([u8; 32]);

/// What a genuine token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The notification that carried it.
    pub notification: String,
    /// Identifies the token in the store without revealing it.
    pub fingerprint: String,
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    #[error("this link was not made here, or was only partly copied")]
    Forged,
    #[error("this link has expired")]
    Expired,
}

impl std::fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkKey(..)")
    }
}

impl LinkKey {
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns a token for `notification`, valid for a day from `now`; none if that is not a notification's key.
    pub fn sign(&self, notification: &str, now: DateTime<Utc>) -> Option<String> {
        let mut token = bytes_of(notification)?.to_vec();
        token.extend((now + LASTS).timestamp().to_be_bytes());
        let signature = self.mac(&token).finalize().into_bytes();
        token.extend(signature);
        Some(URL_SAFE_NO_PAD.encode(token))
    }

    /// Returns what `token` says, if it is genuine and still valid at `now`.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Claim, LinkError> {
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| LinkError::Forged)?;
        let (signed, signature) = bytes.split_at_checked(SIGNED_BYTES).ok_or(LinkError::Forged)?;
        if signature.len() != MAC_BYTES || self.mac(signed).verify_slice(signature).is_err() {
            return Err(LinkError::Forged);
        }
        let (key, ends) = signed.split_at(KEY_BYTES);
        let ends = ends.try_into().map(i64::from_be_bytes).map_err(|_| LinkError::Forged)?;
        if now.timestamp() >= ends {
            return Err(LinkError::Expired);
        }
        Ok(Claim { notification: hex(key), fingerprint: hex(&Sha256::digest(&bytes)) })
    }

    /// Returns a token by which the subscriber `id` expresses `wish`; none if that is not a subscriber's id. It is
    /// valid as long as the store remembers the subscriber.
    pub fn sign_wish(&self, wish: SubscriberAction, id: &str) -> Option<String> {
        let mut token = bytes_of(id)?.to_vec();
        let signature = self.mac_of_wish(wish, &token).finalize().into_bytes();
        token.extend(signature);
        Some(URL_SAFE_NO_PAD.encode(token))
    }

    /// Returns the subscriber whose `wish` the `token` expresses, if it is genuine.
    pub fn verify_wish(&self, wish: SubscriberAction, token: &str) -> Option<String> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (id, signature) = bytes.split_at_checked(KEY_BYTES)?;
        let is_genuine = signature.len() == MAC_BYTES && self.mac_of_wish(wish, id).verify_slice(signature).is_ok();
        is_genuine.then(|| hex(id))
    }

    fn mac_of_wish(&self, wish: SubscriberAction, id: &[u8]) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.chain_update(WISH_PURPOSE).chain_update(wish.as_str()).chain_update([0]).chain_update(id)
    }

    fn mac(&self, signed: &[u8]) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.chain_update(PURPOSE).chain_update(signed)
    }
}

fn bytes_of(key: &str) -> Option<[u8; KEY_BYTES]> {
    let mut bytes = [0; KEY_BYTES];
    if key.len() != 2 * KEY_BYTES || !key.is_ascii() {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(key.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTIFICATION: &str = "a1b2c3d4e5f60718293a4b5c6d7e8f90";

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn key() -> LinkKey {
        LinkKey::new([7; 32])
    }

    #[test]
    fn a_link_names_its_notification_for_a_day_and_no_longer() {
        let token = key().sign(NOTIFICATION, now()).unwrap();
        let last = now() + LASTS - TimeDelta::seconds(1);
        assert_eq!(key().verify(&token, last).unwrap().notification, NOTIFICATION);
        assert_eq!(key().verify(&token, now() + LASTS), Err(LinkError::Expired));
    }

    #[test]
    fn a_link_of_another_key_or_with_any_bit_turned_is_forged() {
        let token = key().sign(NOTIFICATION, now()).unwrap();
        assert_eq!(LinkKey::new([8; 32]).verify(&token, now()), Err(LinkError::Forged));
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for index in 0..bytes.len() {
            let mut turned = bytes.clone();
            turned[index] ^= 1;
            assert_eq!(key().verify(&URL_SAFE_NO_PAD.encode(turned), now()), Err(LinkError::Forged), "byte {index}");
        }
        for odd in ["", "a", "é", &token[..40], &format!("{token}AAAA"), &"A".repeat(10_000)] {
            assert_eq!(key().verify(odd, now()), Err(LinkError::Forged), "{odd}");
        }
    }

    #[test]
    fn two_links_to_one_notification_are_told_apart() {
        let first = key().verify(&key().sign(NOTIFICATION, now()).unwrap(), now()).unwrap();
        let later = now() + TimeDelta::minutes(1);
        let second = key().verify(&key().sign(NOTIFICATION, later).unwrap(), later).unwrap();
        assert_eq!(first.notification, second.notification);
        assert_ne!(first.fingerprint, second.fingerprint);
    }

    #[test]
    fn a_wish_stands_for_one_subscriber_and_for_nothing_else() {
        let token = key().sign_wish(SubscriberAction::Stop, NOTIFICATION).unwrap();
        assert_eq!(key().verify_wish(SubscriberAction::Stop, &token).as_deref(), Some(NOTIFICATION));
        assert_eq!(key().verify_wish(SubscriberAction::Confirm, &token), None, "another wish");
        assert_eq!(LinkKey::new([8; 32]).verify_wish(SubscriberAction::Stop, &token), None, "another key");
        assert_eq!(key().verify(&token, now()), Err(LinkError::Forged), "it acknowledges nothing");
        for odd in ["", "a", "é", &token[1..], &format!("{token}AAAA")] {
            assert_eq!(key().verify_wish(SubscriberAction::Stop, odd), None, "{odd}");
        }
    }

    #[test]
    fn only_a_notifications_key_is_signed_and_the_key_is_never_printed() {
        assert_eq!(key().sign("test", now()), None);
        assert_eq!(key().sign(&"é".repeat(16), now()), None);
        assert_eq!(format!("{:?}", key()), "LinkKey(..)");
    }
}
