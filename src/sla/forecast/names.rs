//! The names a forecast knows of a ticket: group, technician, category and so on, each stored as a number.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// An attribute of a ticket that is known by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute {
    Group,
    Technician,
    Priority,
    Impact,
    Urgency,
    Category,
    Subcategory,
    Symptom,
    Location,
    Client,
    Channel,
    OpenedBy,
    State,
    /// Who changed it last.
    By,
}

/// How many attributes there are.
pub(super) const ATTRIBUTES: usize = Attribute::By as usize + 1;

/// A name as a number; 0 means not known.
pub(super) type NameId = u32;

/// The attributes of one ticket.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts([NameId; ATTRIBUTES]);

impl Facts {
    pub(super) fn get(&self, attribute: Attribute) -> NameId {
        self.0[attribute as usize]
    }

    pub(super) fn set(&mut self, attribute: Attribute, name: NameId) {
        self.0[attribute as usize] = name;
    }
}

/// Every name seen so far.
#[derive(Debug, Default)]
pub(super) struct Names {
    ids: HashMap<Box<str>, NameId>,
    texts: Vec<Box<str>>,
}

impl Names {
    /// Returns the number of `name`, a new one if it was not seen before.
    pub(super) fn id(&mut self, name: Option<&str>) -> NameId {
        let Some(name) = name else { return 0 };
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        self.texts.push(name.into());
        let id = NameId::try_from(self.texts.len()).unwrap_or(0);
        self.ids.insert(name.into(), id);
        id
    }

    /// Returns the name behind a number.
    pub(super) fn text(&self, id: NameId) -> Option<&str> {
        self.texts.get((id as usize).checked_sub(1)?).map(AsRef::as_ref)
    }
}

/// A map whose keys are our own numbers: nobody outside can choose them, so a fast hash is safe.
pub(super) type NumberMap<K, V> = HashMap<K, V, BuildHasherDefault<NumberHasher>>;

/// Hashes by multiplying and folding.
#[derive(Default)]
pub(super) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        // The odd number nearest to 2^64 divided by the golden ratio spreads neighbours apart.
        let mixed = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 29);
    }
}
