//! Remembers which parts of our operations this tenant's SuperOps does not understand, and leaves them out for a while.
//!
//! A schema may lack a field for good, or only for the minute of an update. So fields that were left out are asked for
//! again after some minutes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::operations::Call;
use super::schema;

/// How long a field is left out. Each retry costs one refused call.
const AGAIN: Duration = Duration::from_secs(10 * 60);

/// The fields of each operation that are currently left out.
#[derive(Debug, Default)]
pub(super) struct Wording {
    left_out: Mutex<BTreeMap<&'static str, LeftOut>>,
}

#[derive(Debug)]
struct LeftOut {
    since: Instant,
    fields: BTreeSet<String>,
}

impl Wording {
    /// Returns the fields that `call` is made without.
    pub fn left_out(&self, call: &Call) -> BTreeSet<String> {
        let mut known = self.lock();
        if known.get(call.text).is_some_and(|left_out| left_out.since.elapsed() >= AGAIN) {
            known.remove(call.text);
        }
        known.get(call.text).map(|left_out| left_out.fields.clone()).unwrap_or_default()
    }

    /// Leaves out the fields of `call` that SuperOps complains of, and returns those that were not left out before.
    pub fn learn(&self, call: &Call, complaints: &[String]) -> BTreeSet<String> {
        let named: BTreeSet<_> = complaints.iter().flat_map(|says| schema::complained_of(call.text, says)).collect();
        if named.is_empty() {
            return named;
        }
        let mut known = self.lock();
        let left_out =
            known.entry(call.text).or_insert_with(|| LeftOut { since: Instant::now(), fields: BTreeSet::new() });
        named.into_iter().filter(|field| left_out.fields.insert(field.clone())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, LeftOut>> {
        // A panic under this lock leaves out at worst one field that is learnt again.
        self.left_out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
