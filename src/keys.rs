//! Names made by hash for alerts and messages: the same however often they are made, and telling nothing of what they
//! stand for.

use sha2::{Digest, Sha256};

/// The name of the alert with this key in addresses and links: 20 hex digits, 80 bits, far more than two alerts ever
/// share by chance.
pub fn id_of(key: &str) -> String {
    Sha256::digest(key).iter().take(10).map(|byte| format!("{byte:02x}")).collect()
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
