//! Lays out a chart: where its lines, bars, scale and names lie, in points from the top left.
//!
//! A page draws them as SVG and a PDF with its own strokes, so that both show the same picture.

use chrono::NaiveDate;

use super::text;
use crate::report::{Chart, ChartKind, Unit};

/// The width of a chart.
pub const WIDTH: f32 = 640.0;
/// The height of the letters on it.
pub const LETTERS: f32 = 11.0;

const HEIGHT: f32 = 220.0;
const LEFT: f32 = 46.0;
const RIGHT: f32 = 10.0;
const TOP: f32 = 30.0;
const BOTTOM: f32 = 24.0;
/// The most bars that still make a picture.
const MOST_BARS: usize = 24;
const BAR: f32 = 24.0;
const LABEL_ROOM: f32 = 190.0;

/// What is drawn, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drawing {
    pub width: f32,
    pub height: f32,
    pub marks: Vec<Mark>,
}

/// One stroke, area or word.
#[derive(Clone, Debug, PartialEq)]
pub enum Mark {
    Line {
        points: Vec<(f32, f32)>,
        ink: Ink,
    },
    Bar {
        x: f32,
        y: f32,
        width: f32,
        height: f32,
        ink: Ink,
    },
    Dot {
        x: f32,
        y: f32,
        ink: Ink,
    },
    /// `x` is where `side` of the word lies, `y` its base line.
    Word {
        x: f32,
        y: f32,
        side: Side,
        text: String,
    },
}

/// What a mark stands for, which gives it its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    Grid,
    Target,
    Series(usize),
}

/// The end of a word that is anchored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Start,
    Middle,
    End,
}

/// Describes the chart in words, for people who cannot see it.
pub fn told(chart: &Chart) -> String {
    let points = chart.series.first().map(|series| &series.points);
    let known = points.into_iter().flatten().zip(&chart.labels).filter_map(|(point, label)| Some(((*point)?, label)));
    let known: Vec<_> = known.collect();
    let least = known.iter().min_by(|a, b| a.0.total_cmp(&b.0));
    let most = known.iter().max_by(|a, b| a.0.total_cmp(&b.0));
    let title = text::bounded(&chart.title, text::LONGEST);
    match (least, most) {
        (Some((low, at)), Some((high, then))) => format!(
            "{title}: from {} ({}) to {} ({}).",
            with_unit(*low, chart.unit),
            text::bounded(at, 40),
            with_unit(*high, chart.unit),
            text::bounded(then, 40)
        ),
        _ => format!("{title}: no figures."),
    }
}

/// Lays `chart` out.
pub fn draw(chart: &Chart) -> Drawing {
    let names_are_long = chart.labels.iter().any(|label| label.chars().count() > 5 && date(label).is_none());
    match chart.kind {
        ChartKind::Bar if names_are_long => lying_bars(chart),
        ChartKind::Bar => upright(chart, bars),
        ChartKind::Line => upright(chart, lines),
    }
}

/// The value axis: its range and the step between ticks.
#[derive(Clone, Copy)]
struct Scale {
    from: f64,
    to: f64,
    step: f64,
}

impl Scale {
    fn of(chart: &Chart) -> Self {
        let values = chart.series.iter().flat_map(|series| series.points.iter().flatten()).chain(&chart.target);
        let values: Vec<f64> = values.copied().filter(|value| value.is_finite()).collect();
        let most = values.iter().copied().fold(0.0, f64::max);
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        match (chart.unit, chart.kind) {
            (Unit::Percent, ChartKind::Line) if least >= 80.0 && least.is_finite() => {
                Self { from: 75.0, to: 100.0, step: 5.0 }
            }
            (Unit::Percent, ChartKind::Line) if least >= 55.0 && least.is_finite() => {
                Self { from: 50.0, to: 100.0, step: 10.0 }
            }
            (Unit::Percent, _) => Self { from: 0.0, to: 100.0, step: 25.0 },
            _ => {
                let step = round_step(most / 4.0);
                Self { from: 0.0, to: (most / step).ceil().max(1.0) * step, step }
            }
        }
    }

    fn share(&self, value: f64) -> f32 {
        #[expect(clippy::cast_possible_truncation, reason = "a share of a picture")]
        let share = ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0) as f32;
        share
    }

    fn y(&self, value: f64) -> f32 {
        HEIGHT - BOTTOM - self.share(value) * (HEIGHT - BOTTOM - TOP)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        let (from, step, to) = (self.from, self.step, self.to);
        (0..12u32).map(move |number| from + f64::from(number) * step).take_while(move |tick| *tick <= to + step / 100.0)
    }
}

/// Returns 1, 2 or 5 times a power of ten: at least `least`, and never a fraction.
fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.max(1.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= least).unwrap_or(power * 10.0)
}

fn upright(chart: &Chart, body: fn(&Chart, Scale) -> Vec<Mark>) -> Drawing {
    let scale = Scale::of(chart);
    let mut marks = grid(chart, scale);
    marks.extend(legend(chart));
    marks.extend(place_names(chart));
    marks.extend(body(chart, scale));
    marks.extend(chart.target.map(|target| target_line(scale.y(target))));
    Drawing { width: WIDTH, height: HEIGHT, marks }
}

fn target_line(y: f32) -> Mark {
    Mark::Line { points: vec![(LEFT, y), (WIDTH - RIGHT, y)], ink: Ink::Target }
}

fn grid(chart: &Chart, scale: Scale) -> Vec<Mark> {
    let tick = |value| {
        let y = scale.y(value);
        let line = Mark::Line { points: vec![(LEFT, y), (WIDTH - RIGHT, y)], ink: Ink::Grid };
        [line, Mark::Word { x: LEFT - 6.0, y: y + 4.0, side: Side::End, text: with_unit(value, chart.unit) }]
    };
    scale.ticks().flat_map(tick).collect()
}

/// The legend above the picture.
fn legend(chart: &Chart) -> Vec<Mark> {
    let target = chart.target.map(|target| (Ink::Target, format!("Target {}", with_unit(target, chart.unit))));
    let series =
        chart.series.iter().enumerate().map(|(number, series)| (Ink::Series(number), text::bounded(&series.name, 24)));
    let mut x = LEFT;
    let mut marks = Vec::new();
    for (ink, name) in series.chain(target) {
        let room = width(&name);
        marks.push(Mark::Line { points: vec![(x, 11.0), (x + 16.0, 11.0)], ink });
        marks.push(Mark::Word { x: x + 21.0, y: 15.0, side: Side::Start, text: name });
        x += 21.0 + room + 18.0;
    }
    marks
}

/// Estimates how wide a word is drawn.
fn width(word: &str) -> f32 {
    let of = |c: char| if u32::from(c) >= 0x2e80 { 1.0 } else { 0.56 };
    word.chars().map(of).sum::<f32>() * LETTERS
}

/// Puts as many place names below as there is room for.
fn place_names(chart: &Chart) -> Vec<Mark> {
    let names: Vec<_> = chart.labels.iter().map(|label| short(label)).collect();
    let widest = names.iter().map(|name| width(name)).fold(1.0, f32::max);
    let each = place_width(chart);
    let every = (((widest + 10.0) / each).ceil() as usize).max(1);
    let named = names.into_iter().enumerate().step_by(every);
    named.map(|(at, text)| Mark::Word { x: place(chart, at), y: HEIGHT - 7.0, side: Side::Middle, text }).collect()
}

fn place_width(chart: &Chart) -> f32 {
    (WIDTH - LEFT - RIGHT) / chart.labels.len().max(1) as f32
}

fn place(chart: &Chart, at: usize) -> f32 {
    LEFT + (at as f32 + 0.5) * place_width(chart)
}

/// The points, those that cannot be drawn as unknown.
fn known(points: &[Option<f64>]) -> impl Iterator<Item = Option<f64>> {
    points.iter().map(|point| point.filter(|value| value.is_finite()))
}

/// Draws each run of known points as a line, and a single point as a dot.
fn lines(chart: &Chart, scale: Scale) -> Vec<Mark> {
    let series = chart.series.iter().enumerate().rev();
    series.flat_map(|(number, series)| runs(chart, &series.points, scale, Ink::Series(number))).collect()
}

fn runs(chart: &Chart, points: &[Option<f64>], scale: Scale, ink: Ink) -> Vec<Mark> {
    let placed: Vec<_> =
        known(points).enumerate().map(|(at, point)| point.map(|value| (place(chart, at), scale.y(value)))).collect();
    let runs = placed.split(Option::is_none).filter(|run| !run.is_empty());
    let mark = |run: &[Option<(f32, f32)>]| {
        let points: Vec<_> = run.iter().flatten().copied().collect();
        match points[..] {
            [(x, y)] => Mark::Dot { x, y, ink },
            _ => Mark::Line { points, ink },
        }
    };
    runs.map(mark).collect()
}

fn bars(chart: &Chart, scale: Scale) -> Vec<Mark> {
    let each = place_width(chart) * 0.72 / chart.series.len().max(1) as f32;
    let bar = |number: usize, at: usize, value: f64| {
        let x = place(chart, at) - each * chart.series.len() as f32 / 2.0 + each * number as f32;
        let y = scale.y(value);
        Mark::Bar { x, y, width: each, height: HEIGHT - BOTTOM - y, ink: Ink::Series(number) }
    };
    let drawn = |number: usize, points: &[Option<f64>]| -> Vec<Mark> {
        known(points).enumerate().filter_map(|(at, point)| point.map(|value| bar(number, at, value))).collect()
    };
    chart.series.iter().enumerate().flat_map(|(number, series)| drawn(number, &series.points)).collect()
}

/// Draws horizontal bars with their names at the left; only the first series.
fn lying_bars(chart: &Chart) -> Drawing {
    let scale = Scale::of(chart);
    let room = WIDTH - LABEL_ROOM - 70.0;
    let points = chart.series.first().map(|series| series.points.as_slice()).unwrap_or_default();
    let mut marks = Vec::new();
    for (at, (label, point)) in chart.labels.iter().zip(known(points)).take(MOST_BARS).enumerate() {
        let y = at as f32 * BAR + 4.0;
        let base = y + BAR * 0.5 + 4.0;
        let value = point.unwrap_or_default();
        let length = scale.share(value) * room;
        marks.push(Mark::Word { x: LABEL_ROOM - 8.0, y: base, side: Side::End, text: text::bounded(label, 30) });
        marks.push(Mark::Bar { x: LABEL_ROOM, y: y + 3.0, width: length, height: BAR - 6.0, ink: Ink::Series(0) });
        let text = point.map_or_else(|| text::NOTHING.to_owned(), |value| with_unit(value, chart.unit));
        marks.push(Mark::Word { x: LABEL_ROOM + length + 6.0, y: base, side: Side::Start, text });
    }
    let height = chart.labels.len().clamp(1, MOST_BARS) as f32 * BAR + 8.0;
    Drawing { width: WIDTH, height, marks }
}

fn date(label: &str) -> Option<NaiveDate> {
    label.parse().ok()
}

/// Shortens a label: a day to `5 Oct`, anything else by its length.
fn short(label: &str) -> String {
    date(label).map_or_else(|| text::bounded(label, 12), |date| date.format("%-d %b").to_string())
}

fn with_unit(value: f64, unit: Unit) -> String {
    let digits = if value.fract().abs() < 0.05 { 0 } else { 1 };
    match unit {
        Unit::Percent => format!("{value:.digits$}\u{a0}%"),
        Unit::Count => format!("{value:.digits$}"),
        Unit::Minutes => format!("{value:.0}\u{a0}min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::sample;
    use crate::report::Series;

    #[test]
    fn all_marks_lie_within_the_picture_whatever_the_figures() {
        let mut chart = sample::month().sections[0].charts[0].clone();
        for (unit, points) in [
            (Unit::Percent, vec![None, Some(0.0), Some(100.0), None, Some(f64::NAN)]),
            (Unit::Count, vec![Some(1e12), Some(0.0), Some(3.5), None, None]),
            (Unit::Minutes, Vec::new()),
        ] {
            for kind in [ChartKind::Line, ChartKind::Bar] {
                for label in ["2026-10-01", "a", "a rather long name"] {
                    let series = vec![Series { name: "x".into(), points: points.clone() }];
                    chart = Chart { kind, unit, labels: vec![label.into(); 5], series, ..chart };
                    let drawing = draw(&chart);
                    let inside =
                        |x: f32, y: f32| (0.0..=drawing.width).contains(&x) && (0.0..=drawing.height).contains(&y);
                    for mark in &drawing.marks {
                        let fits = match mark {
                            Mark::Line { points, .. } => points.iter().all(|(x, y)| inside(*x, *y)),
                            Mark::Bar { x, y, width, height, .. } => inside(*x, *y) && inside(x + width, y + height),
                            Mark::Dot { x, y, .. } | Mark::Word { x, y, .. } => inside(*x, *y),
                        };
                        assert!(fits, "{kind:?} {unit:?} {label}: {mark:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_day_without_a_figure_breaks_the_line() {
        let drawing = draw(&sample::month().sections[0].charts[0]);
        let first = |mark: &&Mark| matches!(mark, Mark::Line { points, ink: Ink::Series(0) } if points.len() > 2);
        let lengths = drawing.marks.iter().filter(first).map(|mark| match mark {
            Mark::Line { points, .. } => points.len(),
            _ => 0,
        });
        assert_eq!(lengths.collect::<Vec<_>>(), [10, 20]);
    }

    #[test]
    fn a_chart_is_told_in_words() {
        let told = told(&sample::month().sections[1].charts[0]);
        assert_eq!(told, "Why targets were missed: from 2 (Paused late) to 12 (Out of hours).");
    }
}
