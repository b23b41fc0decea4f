//! The keys that the store's personal columns are encrypted with.
//!
//! A ring holds one key or several: the first seals, all of them open. To change keys, a new key is put before the old
//! one, what the old one sealed is sealed anew, and then the old one is removed. With the word `plain` in first place
//! nothing is sealed any more; that is also the way back to a store without encryption. While a service on the same
//! store lacks the first key, another key seals, which that service can open.
//!
//! What is sealed names its key and its column, and can be opened only as that, for the row that it was sealed for. Its
//! nonce is a keyed hash of the text itself: the same text for the same row is sealed to the same bytes, which reveals
//! only that it did not change, and no nonce ever serves two texts.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac::{self, HMAC_SHA256};

use super::hex;

/// The length of a key, in bytes.
const KEY_LENGTH: usize = 32;
/// The most keys in a ring: more than a change from one key to the next ever needs.
const MOST_KEYS: usize = 8;
/// In place of the first key: what is written from now on is not sealed.
const PLAIN: &str = "plain";
/// How many bytes the length of the row's name takes.
const ROW_LENGTH: usize = 4;

/// What is derived from one key.
struct Key {
    id: String,
    sealing: LessSafeKey,
    nonces: hmac::Key,
}

/// Keys in order. Without any, nothing is sealed, and nothing sealed can be opened.
#[derive(Default)]
pub struct KeyRing {
    keys: Vec<Key>,
    /// Whether the first key should seal what is written.
    seals: bool,
    /// How many keys come before the one that seals now; if all of them do, nothing is sealed.
    passed_over: AtomicUsize,
}

/// Why something sealed cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("it is encrypted with the key `{0}`, which is not among [store] encryption_keys")]
    UnknownKey(String),
    #[error("the encrypted data in `{0}` was changed, cut short, or moved from another place")]
    Broken(String),
}

/// What was sealed, with the row that it was sealed for.
#[derive(Debug, PartialEq, Eq)]
pub struct Opened {
    pub row: String,
    pub bytes: Vec<u8>,
}

impl KeyRing {
    /// Reads keys of 64 hex digits or 44 characters of Base64, separated by commas, blanks or lines. Whatever follows a
    /// `#` in a line is ignored.
    pub fn parse(text: &str) -> Result<Self, String> {
        let words = text.lines().flat_map(|line| line.split('#').next().unwrap_or_default().split([',', ' ', '\t']));
        let words: Vec<&str> = words.map(str::trim).filter(|word| !word.is_empty()).collect();
        let seals = words.first().is_some_and(|word| *word != PLAIN);
        let written = if seals { &words[..] } else { words.get(1..).unwrap_or_default() };
        let mut ring = Self { keys: Vec::new(), seals, passed_over: AtomicUsize::new(0) };
        for (number, word) in written.iter().enumerate() {
            let key = Key::parse(word).ok_or_else(|| complaint(number + usize::from(!seals) + 1))?;
            if ring.key(&key.id).is_some() {
                return Err(format!("holds the key `{}` twice", key.id));
            }
            ring.keys.push(key);
        }
        match ring.keys.len() {
            0 => Err("holds no key: `superops-sla keys new` makes one".to_owned()),
            1..=MOST_KEYS => Ok(ring),
            _ => Err(format!("holds more than {MOST_KEYS} keys: leave out those that seal nothing any more")),
        }
    }

    /// Generates a new key in the form in which it is written down.
    pub fn generate() -> Result<String, getrandom::Error> {
        let mut bytes = [0; KEY_LENGTH];
        getrandom::fill(&mut bytes)?;
        Ok(hex(&bytes))
    }

    /// Returns the id of the key that should seal; none if what is written should stay plain.
    pub fn first(&self) -> Option<&str> {
        self.keys.first().filter(|_| self.seals).map(|key| key.id.as_str())
    }

    /// Returns the id of the key that seals now; none if what is written stays plain.
    pub fn sealing(&self) -> Option<&str> {
        self.sealing_key().map(|key| key.id.as_str())
    }

    /// Makes the key `id` seal from now on, whatever comes before it; with none, nothing is sealed.
    pub fn seal_by(&self, id: Option<&str>) {
        let place = self.keys.iter().position(|key| Some(key.id.as_str()) == id);
        self.passed_over.store(place.unwrap_or(self.keys.len()), Ordering::SeqCst);
    }

    /// Whether a key other than the first seals now.
    pub fn is_held_back(&self) -> bool {
        self.first() != self.sealing()
    }

    /// Returns the ids of all keys, in order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.id.as_str())
    }

    /// Seals `bytes` for the row called `row`. `label` turns the key's id into a label, which names key and column and
    /// is stored beside the bytes. Returns none if nothing is sealed now.
    pub fn seal(&self, label: impl FnOnce(&str) -> String, row: &str, bytes: &[u8]) -> Option<(String, Vec<u8>)> {
        let key = self.sealing_key()?;
        let label = label(&key.id);
        let sealed = key.seal(&label, row, bytes);
        Some((label, sealed))
    }

    /// Does the same with the key `id`. Returns none if it is not in this ring.
    pub fn seal_with(&self, id: &str, label: &str, row: &str, bytes: &[u8]) -> Option<Vec<u8>> {
        Some(self.key(id)?.seal(label, row, bytes))
    }

    /// Does the same with each key of the ring, for all that these bytes may have been sealed to.
    pub fn seal_by_each(&self, label: impl Fn(&str) -> String, row: &str, bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
        let by = |key: &Key| {
            let label = label(&key.id);
            let sealed = key.seal(&label, row, bytes);
            (label, sealed)
        };
        self.keys.iter().map(by).collect()
    }

    /// Opens what the key `id` has sealed under `label`.
    pub fn open(&self, id: &str, label: &str, sealed: &[u8]) -> Result<Opened, SealError> {
        let key = self.key(id).ok_or_else(|| SealError::UnknownKey(id.to_owned()))?;
        key.open(label, sealed).ok_or_else(|| SealError::Broken(label.to_owned()))
    }

    fn key(&self, id: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == id)
    }

    fn sealing_key(&self) -> Option<&Key> {
        self.keys.get(self.passed_over.load(Ordering::SeqCst)).filter(|_| self.seals)
    }
}

/// Shows the ids of the keys, never the keys.
impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("keys", &self.ids().collect::<Vec<_>>()).field("seals", &self.seals).finish()
    }
}

fn complaint(number: usize) -> String {
    format!(
        "has an entry {number} that is not a key: 64 hex digits, or 32 bytes in Base64; `superops-sla keys new` makes one"
    )
}

impl Key {
    fn parse(word: &str) -> Option<Self> {
        let bytes = of_hex(word).or_else(|| STANDARD.decode(word).ok())?;
        Self::new(&bytes.try_into().ok()?)
    }

    fn new(bytes: &[u8; KEY_LENGTH]) -> Option<Self> {
        let root = hmac::Key::new(HMAC_SHA256, bytes);
        let made = |what: &str| hmac::sign(&root, what.as_bytes());
        Some(Self {
            id: hex(&made("superops-sla: id of a key").as_ref()[..4]),
            sealing: LessSafeKey::new(
                UnboundKey::new(&AES_256_GCM, made("superops-sla: key that seals").as_ref()).ok()?,
            ),
            nonces: hmac::Key::new(HMAC_SHA256, made("superops-sla: key that makes nonces").as_ref()),
        })
    }

    fn seal(&self, label: &str, row: &str, bytes: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(ROW_LENGTH + row.len() + bytes.len() + NONCE_LEN + AES_256_GCM.tag_len());
        sealed.extend(u32::try_from(row.len()).unwrap_or(u32::MAX).to_be_bytes());
        sealed.extend(row.as_bytes());
        sealed.extend(bytes);
        let nonce = self.nonce(label, &sealed);
        // It fails only for texts of gigabytes.
        let done = self.sealing.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(label.as_bytes()),
            &mut sealed,
        );
        done.expect("a text is shorter than 64 GB");
        sealed.extend(nonce);
        sealed
    }

    fn open(&self, label: &str, sealed: &[u8]) -> Option<Opened> {
        let (text, nonce) = sealed.split_last_chunk::<NONCE_LEN>()?;
        let mut text = text.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = self.sealing.open_in_place(nonce, Aad::from(label.as_bytes()), &mut text).ok()?;
        let (length, rest) = plain.split_first_chunk::<ROW_LENGTH>()?;
        let (row, bytes) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        Some(Opened { row: String::from_utf8(row.to_vec()).ok()?, bytes: bytes.to_vec() })
    }

    fn nonce(&self, label: &str, text: &[u8]) -> [u8; NONCE_LEN] {
        let mut hash = hmac::Context::with_key(&self.nonces);
        hash.update(label.as_bytes());
        hash.update(&[0]);
        hash.update(text);
        let hash = hash.sign();
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&hash.as_ref()[..NONCE_LEN]);
        nonce
    }
}

fn of_hex(word: &str) -> Option<Vec<u8>> {
    if word.len() != 2 * KEY_LENGTH || !word.is_ascii() {
        return None;
    }
    (0..KEY_LENGTH).map(|at| u8::from_str_radix(&word[2 * at..2 * at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const TWO: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";

    fn sealed(ring: &KeyRing, label: &str) -> Vec<u8> {
        ring.seal(|_| label.to_owned(), "row 1", b"ada@example.com").unwrap().1
    }

    #[test]
    fn what_is_sealed_opens_only_as_it_was_sealed() {
        let ring = KeyRing::parse(ONE).unwrap();
        let id = ring.first().unwrap().to_owned();
        let good = sealed(&ring, "a");
        let opened = ring.open(&id, "a", &good).unwrap();
        assert_eq!((opened.row.as_str(), opened.bytes.as_slice()), ("row 1", b"ada@example.com".as_slice()));
        assert!(!good.windows(3).any(|part| part == b"ada"), "nothing of it is to be seen");
        let broken = Err(SealError::Broken("b".to_owned()));
        assert_eq!(ring.open(&id, "b", &good), broken, "another column");
        for at in 0..good.len() {
            let mut changed = good.clone();
            changed[at] ^= 1;
            assert!(ring.open(&id, "a", &changed).is_err(), "byte {at}");
            assert!(ring.open(&id, "a", &good[..at]).is_err(), "cut at {at}");
        }
        assert_eq!(good, sealed(&ring, "a"), "the same text for the same row");
        assert_ne!(good, ring.seal_with(&id, "a", "row 2", b"ada@example.com").unwrap());
    }

    #[test]
    fn the_first_key_seals_and_all_of_them_open() {
        let (old, both) =
            (KeyRing::parse(ONE).unwrap(), KeyRing::parse(&format!("{TWO} # new\n{ONE} # old\n")).unwrap());
        let (new, off) = (KeyRing::parse(TWO).unwrap(), KeyRing::parse(&format!("plain,{TWO},{ONE}")).unwrap());
        let ids: Vec<_> = both.ids().map(str::to_owned).collect();
        assert_eq!((both.first(), new.first(), old.first()), (Some(&*ids[0]), Some(&*ids[0]), Some(&*ids[1])));
        let before = sealed(&old, "a");
        assert!(both.open(&ids[1], "a", &before).is_ok() && off.open(&ids[1], "a", &before).is_ok());
        assert_eq!(new.open(&ids[1], "a", &before), Err(SealError::UnknownKey(ids[1].clone())));
        assert_eq!((off.first(), off.seal(str::to_owned, "", b"x")), (None, None));
        let forms = both.seal_by_each(|id| format!("a {id}"), "", b"x");
        assert_eq!(forms.len(), 2);
        assert_eq!(forms[0], new.seal(|id| format!("a {id}"), "", b"x").unwrap());
    }

    #[test]
    fn another_key_may_seal_for_a_while_and_none_may() {
        let both = KeyRing::parse(&format!("{TWO},{ONE}")).unwrap();
        let ids: Vec<_> = both.ids().map(str::to_owned).collect();
        for (seals, is_held_back) in [(Some(&*ids[1]), true), (None, true), (Some(&*ids[0]), false)] {
            both.seal_by(seals);
            assert_eq!((both.first(), both.sealing(), both.is_held_back()), (Some(&*ids[0]), seals, is_held_back));
            assert_eq!(both.seal(str::to_owned, "", b"x").map(|(id, _)| id).as_deref(), seals);
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_never_shown() {
        let refused = |text: &str| KeyRing::parse(text).unwrap_err();
        assert!(refused("# nothing\n").contains("no key"));
        assert!(refused("plain").contains("no key"));
        for text in ["hunter2", &ONE[1..], &format!("{ONE} hunter2"), &format!("{ONE}\nplain"), "ü".repeat(32).as_str()]
        {
            let why = refused(text);
            assert!(why.contains("that is not a key") && !why.contains("hunter2"), "{why}");
        }
        assert!(refused(&format!("{ONE},{ONE}")).contains("twice"));
        let ring = KeyRing::parse(ONE).unwrap();
        assert!(!format!("{ring:?}").contains("0001"), "{ring:?}");
        assert!(KeyRing::parse(&KeyRing::generate().unwrap()).is_ok());
    }
}
