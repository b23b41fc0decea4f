//! The open windows of one UTC year, with running totals and an index into them.
//!
//! A table with a place for every part of the year finds an instant or an amount
//! among the windows to within a step or two. A binary search would mispredict
//! every second branch.

/// The open windows of one UTC year, in milliseconds since 1970.
#[derive(Clone, Debug, Default)]
pub(super) struct Year {
    starts: Box<[i64]>,
    ends: Box<[i64]>,
    /// Working time from the year's beginning to each window's start.
    before: Box<[i64]>,
    pub(super) total: i64,
    /// Where the next year begins.
    until: i64,
    by_start: RankIndex,
    by_end: RankIndex,
    by_amount: RankIndex,
}

impl Year {
    /// Builds a year from sorted windows that do not touch, all before `until`.
    pub(super) fn from_windows(windows: &[(i64, i64)], until: i64) -> Self {
        let mut total = 0;
        let mut before = Vec::with_capacity(windows.len());
        for (start, end) in windows {
            before.push(total);
            total += end - start;
        }
        let starts: Box<[i64]> = windows.iter().map(|w| w.0).collect();
        let ends: Box<[i64]> = windows.iter().map(|w| w.1).collect();
        Self {
            by_start: RankIndex::new(&starts),
            by_end: RankIndex::new(&ends),
            by_amount: RankIndex::new(&before),
            starts,
            ends,
            before: before.into(),
            total,
            until,
        }
    }

    /// Returns the working time from the year's beginning to `at`.
    pub(super) fn counted(&self, at: i64) -> i64 {
        match self.by_start.not_over(&self.starts, at) {
            0 => 0,
            n => self.before[n - 1] + at.min(self.ends[n - 1]) - self.starts[n - 1],
        }
    }

    /// Returns the earliest instant by which `amount` has been counted; `0 < amount <= total`.
    pub(super) fn reached(&self, amount: i64) -> i64 {
        let n = self.by_amount.not_over(&self.before, amount - 1);
        self.starts[n - 1] + amount - self.before[n - 1]
    }

    /// Returns the window that is open at `at`, or else the next one of this year.
    pub(super) fn window_from(&self, at: i64) -> Option<(i64, i64)> {
        let n = self.by_end.not_over(&self.ends, at);
        Some((*self.starts.get(n)?, self.ends[n]))
    }

    /// Whether a window that ends at `end` may go on in the next year.
    pub(super) fn ends_at(&self, end: i64) -> bool {
        end == self.until
    }
}

/// Finds in a step or two how many of some sorted values do not exceed a given one.
#[derive(Clone, Debug, Default)]
struct RankIndex {
    first: i64,
    /// Each place stands for `2^shift` milliseconds.
    shift: u32,
    /// How many values lie before each place.
    places: Box<[u32]>,
}

impl RankIndex {
    fn new(values: &[i64]) -> Self {
        let (Some(first), Some(last)) = (values.first(), values.last()) else { return Self::default() };
        let span = last - first;
        // About as many places as values.
        let mean = span / values.len() as i64;
        let shift = if mean > 1 { mean.ilog2() } else { 0 };
        let mut places = Vec::new();
        let mut index = 0;
        for place in 0..=span >> shift {
            while index < values.len() && values[index] < first + (place << shift) {
                index += 1;
            }
            places.push(u32::try_from(index).expect("a year has fewer windows than minutes"));
        }
        Self { first: *first, shift, places: places.into() }
    }

    fn not_over(&self, values: &[i64], value: i64) -> usize {
        if values.is_empty() || value < self.first {
            return 0;
        }
        let place = ((value - self.first) >> self.shift) as usize;
        let mut n = self.places[place.min(self.places.len() - 1)] as usize;
        while n < values.len() && values[n] <= value {
            n += 1;
        }
        n
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_signposts_lead_where_a_binary_search_does(
            mut values in prop::collection::vec(-1_000i64..1_000_000, 0..60), value in -2_000i64..1_001_000,
        ) {
            values.sort_unstable();
            let wanted = values.partition_point(|one| *one <= value);
            prop_assert_eq!(RankIndex::new(&values).not_over(&values, value), wanted);
        }
    }
}
