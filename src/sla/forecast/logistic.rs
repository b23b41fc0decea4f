//! A logistic model with ridge, fitted by Newton's method on weighted rows.

use super::inputs::INPUTS;
use super::sample::Rows;

/// The most Newton steps: more make no visible difference.
const TURNS: usize = 6;
/// Inputs are clamped to this many standard deviations, so that no single one decides.
const FURTHEST: f32 = 4.0;

/// A fitted model: the log-odds are `bias` plus each input, standardised, times its weight.
#[derive(Clone, Debug)]
pub(super) struct Logistic {
    bias: f32,
    weights: Vec<f32>,
    means: Vec<f32>,
    scales: Vec<f32>,
}

impl Logistic {
    /// Fits what the prior of `rows` does not explain; `ridge` is the strength of the penalty as a share of the rows.
    pub(super) fn fit(rows: &Rows<'_>, ridge: f64) -> Self {
        let ridge = ridge * rows.iter().map(|row| row.weight).sum::<f64>();
        let (means, scales) = moments(rows);
        let mut model = Self { bias: 0.0, weights: vec![0.0; INPUTS], means, scales };
        for _ in 0..TURNS {
            let mut system = System::new(INPUTS + 1);
            for row in rows.iter() {
                let mut inputs = row.inputs.all();
                model.standardise(&mut inputs);
                let chance = f64::from(chance(row.start + model.dot(&inputs)));
                system.add(&inputs, row.weight * (f64::from(row.label) - chance), row.weight * chance * (1.0 - chance));
            }
            let Some(step) = system.solve(&model.weights, ridge) else { break };
            model.bias += step[INPUTS] as f32;
            model.weights.iter_mut().zip(&step).for_each(|(weight, step)| *weight += *step as f32);
        }
        model
    }

    fn standardise(&self, inputs: &mut [f32; INPUTS]) {
        for (input, (mean, scale)) in inputs.iter_mut().zip(self.means.iter().zip(&self.scales)) {
            *input = ((*input - mean) * scale).clamp(-FURTHEST, FURTHEST);
        }
    }

    fn dot(&self, standard: &[f32]) -> f32 {
        self.bias + standard.iter().zip(&self.weights).map(|(input, weight)| input * weight).sum::<f32>()
    }

    /// Returns the log-odds of a breach, on top of the prior.
    pub(super) fn score(&self, inputs: &[f32; INPUTS]) -> f32 {
        let mut inputs = *inputs;
        self.standardise(&mut inputs);
        self.dot(&inputs)
    }

    /// Returns what each input adds to the log-odds, compared with an average ticket.
    pub(super) fn contributions(&self, inputs: &[f32; INPUTS]) -> [f32; INPUTS] {
        let mut added = *inputs;
        self.standardise(&mut added);
        added.iter_mut().zip(&self.weights).for_each(|(input, weight)| *input *= weight);
        added
    }
}

/// Converts log-odds to a probability.
pub(super) fn chance(log_odds: f32) -> f32 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// Converts a probability to log-odds.
pub(super) fn log_odds(chance: f64) -> f64 {
    let chance = chance.clamp(1e-4, 1.0 - 1e-4);
    (chance / (1.0 - chance)).ln()
}

/// Returns weighted means and the inverse standard deviations; 0 for an input that never varies, so it does not count.
fn moments(rows: &Rows<'_>) -> (Vec<f32>, Vec<f32>) {
    let (mut sums, mut squares, mut total) = ([0.0; INPUTS], [0.0; INPUTS], 0.0);
    for row in rows.iter() {
        total += row.weight;
        for (input, (sum, square)) in row.inputs.all().into_iter().zip(sums.iter_mut().zip(&mut squares)) {
            *sum += row.weight * f64::from(input);
            *square += row.weight * f64::from(input).powi(2);
        }
    }
    let total = f64::max(total, 1e-9);
    let scale = |(square, sum): (&f64, &f64)| {
        let variance = square / total - (sum / total).powi(2);
        if variance > 1e-8 { (1.0 / variance.sqrt()) as f32 } else { 0.0 }
    };
    (sums.iter().map(|sum| (sum / total) as f32).collect(), squares.iter().zip(&sums).map(scale).collect())
}

/// Newton's linear system: curvature times step = slope. The bias comes last.
struct System {
    size: usize,
    curvature: Vec<f32>,
    slope: Vec<f64>,
    /// The single-precision sums are added to these every so often, so that they do not lose digits.
    total: Vec<f64>,
    held: usize,
}

impl System {
    fn new(size: usize) -> Self {
        let square = size * size;
        Self { size, curvature: vec![0.0; square], slope: vec![0.0; size], total: vec![0.0; square], held: 0 }
    }

    fn add(&mut self, inputs: &[f32], slope: f64, curvature: f64) {
        let last = self.size - 1;
        let curve = curvature as f32;
        for (i, input) in inputs.iter().enumerate() {
            self.slope[i] += slope * f64::from(*input);
            let scaled = curve * input;
            let row = &mut self.curvature[i * self.size..=i * self.size + i];
            row.iter_mut().zip(inputs).for_each(|(sum, other)| *sum += scaled * other);
        }
        let row = &mut self.curvature[last * self.size..];
        row.iter_mut().zip(inputs).for_each(|(sum, input)| *sum += curve * input);
        row[last] += curve;
        self.slope[last] += slope;
        self.held += 1;
        if self.held == 1024 {
            self.empty();
        }
    }

    fn empty(&mut self) {
        self.total
            .iter_mut()
            .zip(&mut self.curvature)
            .for_each(|(total, sum)| *total += f64::from(std::mem::take(sum)));
        self.held = 0;
    }

    /// Solves for the step by Cholesky decomposition. None if there is no unique solution.
    fn solve(mut self, weights: &[f32], ridge: f64) -> Option<Vec<f64>> {
        self.empty();
        let n = self.size;
        for (i, weight) in weights.iter().enumerate() {
            self.total[i * n + i] += ridge;
            self.slope[i] -= ridge * f64::from(*weight);
        }
        self.total[n * n - 1] += 1e-6;
        solve(self.total, self.slope)
    }
}

/// Solves a symmetric positive definite system given by its lower triangle.
pub(super) fn solve(mut matrix: Vec<f64>, mut right: Vec<f64>) -> Option<Vec<f64>> {
    let n = right.len();
    for i in 0..n {
        for j in 0..=i {
            let products: f64 = (0..j).map(|k| matrix[i * n + k] * matrix[j * n + k]).sum();
            let rest = matrix[i * n + j] - products;
            matrix[i * n + j] = if i == j { (rest > 0.0).then(|| rest.sqrt())? } else { rest / matrix[j * n + j] };
        }
    }
    for i in 0..n {
        let known: f64 = (0..i).map(|k| matrix[i * n + k] * right[k]).sum();
        right[i] = (right[i] - known) / matrix[i * n + i];
    }
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|k| matrix[k * n + i] * right[k]).sum();
        right[i] = (right[i] - known) / matrix[i * n + i];
    }
    Some(right)
}
