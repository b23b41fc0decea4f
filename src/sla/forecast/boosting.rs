//! Gradient boosting with small trees, to find what the logistic model cannot, such as "silent, but only at night".
//!
//! Inputs are cut into bins once per fit; every tree asks the same number of
//! questions and has a power of two of leaves. The same rows give the same trees.

use super::inputs::INPUTS;
use super::sample::Rows;

/// How trees are grown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Growth {
    pub(super) trees: usize,
    pub(super) depth: usize,
    pub(super) rate: f64,
    /// The least information a leaf must hold: the sum of `p (1 - p)` over its rows.
    pub(super) leaf: f64,
    pub(super) ridge: f64,
    /// Each tree sees this share of the rows...
    pub(super) row_share: f64,
    /// ...and this share of the inputs.
    pub(super) input_share: f64,
}

const BINS: usize = 32;

/// "Is this input over that value?"
#[derive(Clone, Copy, Debug)]
struct Question {
    input: u16,
    over: f32,
}

/// A sum of trees.
#[derive(Clone, Debug)]
pub(super) struct Boosting {
    depth: usize,
    /// Ordered by tree, then by level.
    questions: Vec<Question>,
    leaves: Vec<f32>,
}

impl Boosting {
    /// Grows trees on what the prior of `rows` does not explain.
    pub(super) fn fit(rows: &Rows<'_>, growth: &Growth) -> Self {
        let bins = Bins::cut(rows);
        let mut boosting = Self { depth: growth.depth, questions: Vec::new(), leaves: Vec::new() };
        let mut rng = SeededRng(0x2545_f491_4f6c_dd1d);
        let mut scores: Vec<f32> = rows.iter().map(|row| row.start).collect();
        for _ in 0..growth.trees {
            let seen = Seen::draw(rows, &scores, growth, &mut rng);
            let inputs: Vec<usize> = (0..INPUTS).filter(|_| rng.roll() < growth.input_share).collect();
            let tree = Tree::grow(&bins, &seen, &inputs, growth);
            scores.iter_mut().enumerate().for_each(|(row, score)| *score += tree.leaf(&bins, row));
            boosting
                .questions
                .extend(tree.splits.iter().map(|split| split.map_or(NOBODY, |split| split.question(&bins))));
            boosting.leaves.extend(&tree.leaves);
        }
        boosting
    }

    /// Returns what the trees add to the log-odds.
    pub(super) fn score(&self, inputs: &[f32]) -> f32 {
        let nodes = (1 << self.depth) - 1;
        let trees = self.questions.chunks_exact(nodes).zip(self.leaves.chunks_exact(nodes + 1));
        trees.map(|(questions, leaves)| leaves[place(questions, inputs, self.depth)]).sum()
    }
}

/// Returns the leaf that `inputs` fall into.
fn place(questions: &[Question], inputs: &[f32], depth: usize) -> usize {
    let mut node = 0;
    for _ in 0..depth {
        let question = questions[node];
        node = 2 * node + 1 + usize::from(inputs[usize::from(question.input)] > question.over);
    }
    node - questions.len()
}

/// The rows that a tree sees, each with the slope and the curvature of its loss.
struct Seen {
    rows: Vec<usize>,
    slopes: Vec<[f32; 2]>,
}

impl Seen {
    fn draw(rows: &Rows<'_>, scores: &[f32], growth: &Growth, rng: &mut SeededRng) -> Self {
        let mut seen = Self { rows: Vec::new(), slopes: Vec::new() };
        for (number, (row, score)) in rows.iter().zip(scores).enumerate() {
            if rng.roll() >= growth.row_share {
                continue;
            }
            let chance = super::logistic::chance(*score);
            let weight = row.weight as f32;
            seen.rows.push(number);
            seen.slopes.push([weight * (row.label - chance), weight * chance * (1.0 - chance)]);
        }
        seen
    }

    /// Gathers the bins of its rows for `input`.
    fn column(&self, bins: &Bins, input: usize) -> Column {
        let all = bins.of(input);
        Column { input, bins: self.rows.iter().map(|row| all[*row]).collect() }
    }
}

/// One input of the rows that a tree sees.
struct Column {
    input: usize,
    bins: Vec<u8>,
}

/// Every input of every row as the number of a bin.
struct Bins {
    rows: usize,
    /// For each input, the upper edges of all bins but the last.
    edges: Vec<Vec<f32>>,
    /// Ordered by input.
    places: Vec<u8>,
}

impl Bins {
    fn cut(rows: &Rows<'_>) -> Self {
        let mut bins = Self { rows: rows.len(), edges: Vec::new(), places: Vec::new() };
        // A few thousand rows show well enough where an input's values lie.
        let stride = rows.len().div_ceil(4000).max(1);
        for input in 0..INPUTS {
            let mut values: Vec<f32> = rows.iter().step_by(stride).map(|row| row.inputs.get(input)).collect();
            values.sort_unstable_by(f32::total_cmp);
            let mut edges: Vec<f32> = (1..BINS).map(|bin| values[bin * values.len() / BINS]).collect();
            edges.dedup();
            let bin = |value: f32| edges.partition_point(|edge| *edge < value) as u8;
            bins.places.extend(rows.iter().map(|row| bin(row.inputs.get(input))));
            bins.edges.push(edges);
        }
        bins
    }

    fn of(&self, input: usize) -> &[u8] {
        &self.places[input * self.rows..(input + 1) * self.rows]
    }
}

struct Tree {
    /// Ordered by level; none where no split is worthwhile.
    splits: Vec<Option<Split>>,
    leaves: Vec<f32>,
}

impl Tree {
    fn grow(bins: &Bins, seen: &Seen, inputs: &[usize], growth: &Growth) -> Self {
        let columns: Vec<Column> = inputs.iter().map(|input| seen.column(bins, *input)).collect();
        let mut places = vec![0_u8; seen.rows.len()];
        let mut splits = Vec::new();
        for level in 0..growth.depth {
            let found = best_splits(bins, seen, &columns, &places, 1 << level, growth);
            for (place, row) in places.iter_mut().zip(&seen.rows) {
                *place = 2 * *place + u8::from(is_right(found[usize::from(*place)], bins, *row));
            }
            splits.extend(found);
        }
        Self { splits, leaves: leaves(seen, &places, growth) }
    }

    /// Returns what it adds to the score of `row`.
    fn leaf(&self, bins: &Bins, row: usize) -> f32 {
        let mut node = 0;
        while let Some(split) = self.splits.get(node) {
            node = 2 * node + 1 + usize::from(is_right(*split, bins, row));
        }
        self.leaves[node - self.splits.len()]
    }
}

/// Whether a row falls to the right of a split. Without a split it falls to the left.
fn is_right(split: Option<Split>, bins: &Bins, row: usize) -> bool {
    split.is_some_and(|split| bins.of(split.input)[row] > split.bin)
}

/// Stands where no split is worthwhile: nothing is over infinity.
const NOBODY: Question = Question { input: 0, over: f32::INFINITY };

#[derive(Clone, Copy)]
struct Split {
    input: usize,
    bin: u8,
    gain: f64,
}

impl Split {
    fn question(&self, bins: &Bins) -> Question {
        Question { input: self.input as u16, over: bins.edges[self.input][usize::from(self.bin)] }
    }
}

/// How many inputs are summed side by side, so that the processor need not wait for one sum before the next.
const LANES: usize = 4;

/// The slope and curvature of the rows in one bin of one node, for each input.
type Sums = [[f32; 2]; LANES];

/// Finds the best split of each node of a level.
fn best_splits(
    bins: &Bins,
    seen: &Seen,
    columns: &[Column],
    places: &[u8],
    nodes: usize,
    growth: &Growth,
) -> Vec<Option<Split>> {
    let mut best: Vec<Option<Split>> = vec![None; nodes];
    let mut sums = vec![Sums::default(); nodes * BINS];
    for some in columns.chunks(LANES) {
        sums.fill(Sums::default());
        sum_up(&mut sums, seen, some, places);
        for (lane, Column { input, .. }) in some.iter().enumerate() {
            for (best, sums) in best.iter_mut().zip(sums.chunks_exact(BINS)) {
                let own = std::array::from_fn(|bin| sums[bin][lane]);
                let cut = best_cut(&own, bins.edges[*input].len(), growth);
                let split = cut.map(|(bin, gain)| Split { input: *input, bin, gain });
                if split.is_some_and(|split| best.is_none_or(|best| split.gain > best.gain)) {
                    *best = split;
                }
            }
        }
    }
    best
}

/// Adds up the rows, each in its node and bin.
fn sum_up(sums: &mut [Sums], seen: &Seen, some: &[Column], places: &[u8]) {
    // If fewer columns are left, the last lanes repeat the first and are ignored.
    let [a, b, c, d]: [&[u8]; LANES] = std::array::from_fn(|lane| &*some.get(lane).unwrap_or(&some[0]).bins);
    let rows = seen.slopes.iter().zip(places).zip(a.iter().zip(b).zip(c.iter().zip(d)));
    for ((slope, place), ((a, b), (c, d))) in rows {
        let node = &mut sums[usize::from(*place) * BINS..][..BINS];
        for (lane, bin) in [a, b, c, d].into_iter().enumerate() {
            let sum = &mut node[usize::from(*bin) % BINS][lane];
            sum[0] += slope[0];
            sum[1] += slope[1];
        }
    }
}

/// Returns the bin after which to cut, and the gain.
fn best_cut(sums: &[[f32; 2]; BINS], edges: usize, growth: &Growth) -> Option<(u8, f64)> {
    let worth = |slope: f64, curvature: f64| slope * slope / (curvature + growth.ridge);
    let total = sums.iter().fold([0.0; 2], |total, sum| [total[0] + f64::from(sum[0]), total[1] + f64::from(sum[1])]);
    let mut left = [0.0; 2];
    let mut best = None;
    for (bin, sum) in sums.iter().enumerate().take(edges) {
        left = [left[0] + f64::from(sum[0]), left[1] + f64::from(sum[1])];
        let right = [total[0] - left[0], total[1] - left[1]];
        if left[1] < growth.leaf || right[1] < growth.leaf {
            continue;
        }
        let gain = worth(left[0], left[1]) + worth(right[0], right[1]) - worth(total[0], total[1]);
        if gain > best.map_or(1e-6, |(_, best)| best) {
            best = Some((bin as u8, gain));
        }
    }
    best
}

fn leaves(seen: &Seen, places: &[u8], growth: &Growth) -> Vec<f32> {
    let mut sums = vec![[0.0_f64; 2]; 1 << growth.depth];
    for (slope, place) in seen.slopes.iter().zip(places) {
        let sum = &mut sums[usize::from(*place)];
        sum[0] += f64::from(slope[0]);
        sum[1] += f64::from(slope[1]);
    }
    sums.iter().map(|[slope, curvature]| (growth.rate * slope / (curvature + growth.ridge)) as f32).collect()
}

/// A random number generator that gives the same numbers each time.
struct SeededRng(u64);

impl SeededRng {
    /// Returns a number from 0 up to, but not including, 1.
    fn roll(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}
