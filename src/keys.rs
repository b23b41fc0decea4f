//! Names made by hash for alerts and messages: the same however often they are made, and telling nothing of what they
//! stand for.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// The name of the alert with this key in addresses and links: 20 hex digits, 80 bits, far more than two alerts ever
/// share by chance.
pub fn id_of(key: &str) -> String {
    Sha256::digest(key).iter().take(10).map(|byte| format!("{byte:02x}")).collect()
}

/// What stands for a `kind` of thing that `tenant` knows as `id`: eight digits, the same each time, which tell nothing to
/// whoever does not have the key.
pub fn pseudonym(key: &[u8; 32], tenant: &str, kind: &str, id: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in [tenant, kind, id] {
        mac.update(part.as_bytes());
        mac.update(&[0]);
    }
    mac.finalize().into_bytes().iter().take(4).map(|byte| format!("{byte:02X}")).collect()
}

/// A name for one message: 32 hex digits.
pub fn notification_key(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        // A byte that no part holds, so that ("ab", "c") is not ("a", "bc").
        hash.update([0]);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
