//! Gradient boosting with small trees: it finds what the logistic model cannot say, such as "silent, but only at night".
//!
//! Inputs are cut into bins once per fit; every tree asks the same number of
//! questions and has a power of two of leaves. The same rows give the same trees.

use super::sample::Rows;

/// How trees are grown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Growth {
    pub(super) trees: usize,
    pub(super) depth: usize,
    pub(super) rate: f64,
    /// Information a leaf must hold, in rows' worth of `p (1 - p)`.
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
    /// Tree by tree, level by level.
    questions: Vec<Question>,
    leaves: Vec<f32>,
}

impl Boosting {
    /// Grows trees on what the prior of `rows` leaves open.
    pub(super) fn fit(rows: &Rows<'_>, growth: &Growth) -> Self {
        let bins = Bins::cut(rows);
        let mut boosting = Self { depth: growth.depth, questions: Vec::new(), leaves: Vec::new() };
        let mut dice = Dice(0x2545_f491_4f6c_dd1d);
        let mut scores: Vec<f32> = rows.iter().map(|row| row.start).collect();
        for _ in 0..growth.trees {
            let slopes = slopes(rows, &scores, growth, &mut dice);
            let inputs: Vec<usize> = (0..rows.width()).filter(|_| dice.roll() < growth.input_share).collect();
            let tree = Tree::grow(&bins, &slopes, &inputs, growth);
            scores.iter_mut().zip(&tree.places).for_each(|(score, leaf)| *score += tree.leaves[usize::from(*leaf)]);
            boosting.questions.extend(&tree.questions);
            boosting.leaves.extend(&tree.leaves);
        }
        boosting
    }

    /// What the trees add to the log-odds.
    pub(super) fn score(&self, inputs: &[f32]) -> f32 {
        let nodes = (1 << self.depth) - 1;
        let trees = self.questions.chunks_exact(nodes).zip(self.leaves.chunks_exact(nodes + 1));
        trees.map(|(questions, leaves)| leaves[place(questions, inputs, self.depth)]).sum()
    }
}

/// The leaf that `inputs` fall into.
fn place(questions: &[Question], inputs: &[f32], depth: usize) -> usize {
    let mut node = 0;
    for _ in 0..depth {
        let question = questions[node];
        node = 2 * node + 1 + usize::from(inputs[usize::from(question.input)] > question.over);
    }
    node - questions.len()
}

/// Slope and curvature of each row's loss; rows left out of a tree have none.
fn slopes(rows: &Rows<'_>, scores: &[f32], growth: &Growth, dice: &mut Dice) -> Vec<[f32; 2]> {
    let slope = |(row, score): (super::sample::Row<'_>, &f32)| {
        if dice.roll() >= growth.row_share {
            return [0.0, 0.0];
        }
        let chance = super::logistic::chance(*score);
        let weight = row.weight as f32;
        [weight * (row.label - chance), weight * chance * (1.0 - chance)]
    };
    rows.iter().zip(scores).map(slope).collect()
}

/// Every input of every row as the number of a bin.
struct Bins {
    rows: usize,
    /// For each input the upper edges of all bins but the last.
    edges: Vec<Vec<f32>>,
    /// Input by input.
    places: Vec<u8>,
}

impl Bins {
    fn cut(rows: &Rows<'_>) -> Self {
        let mut bins = Self { rows: rows.len(), edges: Vec::new(), places: Vec::new() };
        // A few thousand rows show well enough where an input's values lie.
        let stride = rows.len().div_ceil(4000).max(1);
        for input in 0..rows.width() {
            let mut values: Vec<f32> = rows.iter().step_by(stride).map(|row| row.inputs[input]).collect();
            values.sort_unstable_by(f32::total_cmp);
            let mut edges: Vec<f32> = (1..BINS).map(|bin| values[bin * values.len() / BINS]).collect();
            edges.dedup();
            let bin = |value: f32| edges.partition_point(|edge| *edge < value) as u8;
            bins.places.extend(rows.iter().map(|row| bin(row.inputs[input])));
            bins.edges.push(edges);
        }
        bins
    }

    fn of(&self, input: usize) -> &[u8] {
        &self.places[input * self.rows..(input + 1) * self.rows]
    }
}

struct Tree {
    questions: Vec<Question>,
    leaves: Vec<f32>,
    /// Which leaf each row fell into.
    places: Vec<u8>,
}

impl Tree {
    fn grow(bins: &Bins, slopes: &[[f32; 2]], inputs: &[usize], growth: &Growth) -> Self {
        let mut places = vec![0_u8; slopes.len()];
        let mut questions = Vec::new();
        for level in 0..growth.depth {
            let nodes = 1 << level;
            let splits = best_splits(bins, slopes, &places, inputs, nodes, growth);
            for (row, place) in places.iter_mut().enumerate() {
                let right = splits[usize::from(*place)].is_some_and(|split| bins.of(split.input)[row] > split.bin);
                *place = 2 * *place + u8::from(right);
            }
            questions.extend(splits.iter().map(|split| split.map_or(NOBODY, |split| split.question(bins))));
        }
        let leaves = leaves(slopes, &places, growth);
        Self { questions, leaves, places }
    }
}

/// Asked where no split is worth it: nothing is over infinity.
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

/// The best split of each node of a level.
fn best_splits(
    bins: &Bins,
    slopes: &[[f32; 2]],
    places: &[u8],
    inputs: &[usize],
    nodes: usize,
    growth: &Growth,
) -> Vec<Option<Split>> {
    let mut best: Vec<Option<Split>> = vec![None; nodes];
    let mut sums = vec![[0.0_f32; 2]; nodes * BINS];
    for &input in inputs {
        sums.fill([0.0; 2]);
        for ((slope, place), bin) in slopes.iter().zip(places).zip(bins.of(input)) {
            let sum = &mut sums[usize::from(*place) * BINS + usize::from(*bin)];
            sum[0] += slope[0];
            sum[1] += slope[1];
        }
        for (best, sums) in best.iter_mut().zip(sums.chunks_exact(BINS)) {
            let split = best_cut(sums, bins.edges[input].len(), growth).map(|(bin, gain)| Split { input, bin, gain });
            if split.is_some_and(|split| best.is_none_or(|best| split.gain > best.gain)) {
                *best = split;
            }
        }
    }
    best
}

/// After which bin to cut, and what is gained by it.
fn best_cut(sums: &[[f32; 2]], edges: usize, growth: &Growth) -> Option<(u8, f64)> {
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

fn leaves(slopes: &[[f32; 2]], places: &[u8], growth: &Growth) -> Vec<f32> {
    let mut sums = vec![[0.0_f64; 2]; 1 << growth.depth];
    for (slope, place) in slopes.iter().zip(places) {
        let sum = &mut sums[usize::from(*place)];
        sum[0] += f64::from(slope[0]);
        sum[1] += f64::from(slope[1]);
    }
    sums.iter().map(|[slope, curvature]| (growth.rate * slope / (curvature + growth.ridge)) as f32).collect()
}

/// Dice that always fall the same way.
struct Dice(u64);

impl Dice {
    /// From 0 up to but not 1.
    fn roll(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}
