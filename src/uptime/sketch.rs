//! Durations, stored so that any percentile is known to 2 % and sketches can be added up.
//!
//! Durations fall into buckets that grow by 4 % each, from a tenth of a millisecond to two minutes. Only the buckets
//! that are not empty are stored, each as its distance from the previous one and its count.

use super::Millis;

const BUCKETS: u16 = 350;
/// The largest relative error of a bucket.
const ERROR: f64 = 0.02;
/// The end of the first bucket, in microseconds.
const SHORTEST: f64 = 100.0;

/// A histogram of durations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketch {
    /// Bucket and count, in order.
    counts: Vec<(u16, u64)>,
}

impl Sketch {
    /// Adds a duration in microseconds.
    pub fn add(&mut self, micros: u64) {
        self.add_to(bucket(micros), 1);
    }

    /// Adds everything in `other`.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.counts {
            self.add_to(*bucket, *count);
        }
    }

    pub fn count(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }

    /// Returns the duration below which `percent` of them lie, in milliseconds.
    pub fn percentile(&self, percent: u64) -> Option<Millis> {
        let rank = (self.count() * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let bucket = self.counts.iter().find(|(_, count)| {
            seen += count;
            seen >= rank
        });
        bucket.map(|(bucket, _)| (micros(*bucket) / 1000.0).round() as Millis)
    }

    /// Encodes it for the store.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.counts.len() * 2);
        let mut before = 0;
        for (bucket, count) in &self.counts {
            put(&mut bytes, u64::from(bucket - before));
            put(&mut bytes, *count);
            before = *bucket;
        }
        bytes
    }

    /// Reads what [`Sketch::encode`] gave. `None` if the bytes are not valid.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (mut sketch, mut rest, mut bucket) = (Self::default(), bytes, 0);
        while !rest.is_empty() {
            bucket += take(&mut rest)?;
            let index = u16::try_from(bucket).ok().filter(|index| *index < BUCKETS)?;
            sketch.add_to(index, take(&mut rest)?);
        }
        Some(sketch)
    }

    fn add_to(&mut self, bucket: u16, number: u64) {
        match self.counts.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(at) => self.counts[at].1 += number,
            Err(at) => self.counts.insert(at, (bucket, number)),
        }
    }
}

fn growth() -> f64 {
    (1.0 + ERROR) / (1.0 - ERROR)
}

fn bucket(micros: u64) -> u16 {
    let steps = (micros as f64 / SHORTEST).ln() / growth().ln();
    // The cast saturates: anything below zero becomes zero, anything too large the maximum.
    (steps.ceil() as u16).min(BUCKETS - 1)
}

/// Returns a bucket's duration, which differs from none in it by more than [`ERROR`].
fn micros(bucket: u16) -> f64 {
    SHORTEST * growth().powi(i32::from(bucket)) * (1.0 - ERROR)
}

/// Writes seven bits at a time, the lowest first.
fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn percentiles_are_right_to_two_percent(times in prop::collection::vec(5_000u64..60_000_000, 1..300)) {
            let mut sketch = Sketch::default();
            for time in &times {
                sketch.add(*time);
            }
            let mut sorted = times;
            sorted.sort_unstable();
            for percent in [50, 95, 99] {
                let rank = (sorted.len() as u64 * percent).div_ceil(100).max(1) as usize;
                let exact = sorted[rank - 1] as f64 / 1000.0;
                let found = sketch.percentile(percent).unwrap() as f64;
                prop_assert!((found - exact).abs() <= exact * 0.0201 + 0.5, "p{percent}: {found} for {exact}");
            }
        }

        #[test]
        fn a_sketch_is_stored_and_added_up_without_loss(a in prop::collection::vec(any::<u32>(), 0..99), b in prop::collection::vec(any::<u32>(), 0..99)) {
            let of = |times: &[u32]| {
                let mut sketch = Sketch::default();
                times.iter().for_each(|time| sketch.add(u64::from(*time)));
                sketch
            };
            let mut sum = Sketch::decode(&of(&a).encode()).unwrap();
            sum.merge(&of(&b));
            prop_assert_eq!(sum, of(&[a, b].concat()));
        }

        #[test]
        fn bytes_of_anything_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = Sketch::decode(&bytes);
        }
    }

    #[test]
    fn an_empty_sketch_has_no_percentile() {
        assert_eq!(Sketch::default().percentile(95), None);
        let mut sketch = Sketch::default();
        sketch.add(0);
        assert_eq!((sketch.percentile(50), sketch.encode()), (Some(0), vec![0, 1]));
    }
}
