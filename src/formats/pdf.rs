//! PDF: what a client is shown, on A4, in every script, to be printed, kept for years and read aloud.
//!
//! Blocks flow down pages ([`flow`]), words are set from the faces at hand ([`words`]), and the layout is then written
//! with its structure, as PDF/A-2a and PDF/UA-1. The embedded face holds Latin, Greek and Cyrillic letters; more come
//! with the [`Letterhead`].

mod flow;
mod ink;
mod table;
mod words;
mod written;

use krilla::image::Image;
use krilla::tagging::{ListNumbering, Tag};

use self::flow::{Flow, WIDTH};
use self::ink::Ink;
use self::words::{Style, Words};
use super::chart::{self, Mark, Side};
use super::text::{LONGEST, bounded, period, provenance, shown};
use super::{FormatError, Letterhead, Logo, LogoKind};
use crate::report::{Chart, Figure, Report, Section};

pub use self::words::{Face, lacking};

/// The largest width and height of a logo, in points.
const LOGO: (f32, f32) = (150.0, 44.0);

/// Writes `report` as a PDF.
pub fn write(report: &Report, letterhead: &Letterhead) -> Result<Vec<u8>, FormatError> {
    let mut words = Words::new(&letterhead.faces)?;
    let mut flow = Flow::new(&mut words);
    head(&mut flow, report, letterhead)?;
    for section in &report.sections {
        flow.group(Tag::Section, |flow| part(flow, report, section));
    }
    foot(&mut flow, report);
    written::write(report, flow.finish())
}

fn head(flow: &mut Flow, report: &Report, letterhead: &Letterhead) -> Result<(), FormatError> {
    let logo = letterhead.logo.as_ref().map(picture).transpose()?;
    let beside = logo.as_ref().map_or(0.0, |_| LOGO.0 + 20.0);
    let bottom = logo.map_or(0.0, |image| flow.picture(image, LOGO));
    flow.heading(1, &bounded(&report.title, LONGEST), WIDTH - beside);
    if let Some(client) = &report.client {
        flow.text(Tag::P, &bounded(client, LONGEST), Style::CLIENT, WIDTH - beside);
    }
    flow.text(Tag::P, &period(report), Style::QUIET, WIDTH - beside);
    flow.below(bottom);
    flow.space(8.0);
    Ok(())
}

fn picture(logo: &Logo) -> Result<Image, FormatError> {
    let read = match logo.kind {
        LogoKind::Png => Image::from_png(logo.bytes.clone().into(), false),
        LogoKind::Jpeg => Image::from_jpeg(logo.bytes.clone().into(), false),
    };
    read.map_err(FormatError::Logo)
}

fn part(flow: &mut Flow, report: &Report, section: &Section) {
    flow.keep(90.0);
    flow.heading(2, &bounded(&section.title, LONGEST), WIDTH);
    for text in &section.text {
        flow.text(Tag::P, &bounded(text, 2000), Style::PLAIN, WIDTH);
    }
    if !section.figures.is_empty() {
        flow.group(Tag::L(ListNumbering::None), |flow| figures(flow, report, &section.figures));
    }
    for chart in &section.charts {
        picture_of(flow, chart);
    }
    for table in &section.tables {
        table::write(flow, report, table);
    }
    flow.space(10.0);
}

/// The headline figures, four in a row.
fn figures(flow: &mut Flow, report: &Report, figures: &[Figure]) {
    const EACH: f32 = WIDTH / 4.0;
    for row in figures.chunks(4) {
        flow.keep(64.0);
        flow.space(4.0);
        let top = flow.y();
        let mut bottom = top;
        for (figure, number) in row.iter().zip(0u8..) {
            flow.move_to(top);
            flow.column(f32::from(number) * EACH, |flow| headline(flow, report, figure, EACH - 16.0));
            bottom = flow.y().max(bottom);
        }
        flow.rules(top, bottom, row.len(), EACH);
        flow.move_to(bottom);
        flow.space(6.0);
    }
}

fn headline(flow: &mut Flow, report: &Report, figure: &Figure, width: f32) {
    flow.group(Tag::LI, |flow| {
        flow.group(Tag::LBody, |flow| {
            flow.text(Tag::P, &bounded(&figure.title, LONGEST), Style::QUIET, width);
            flow.text(Tag::P, &shown(&figure.value, report.zone), Style::FIGURE, width);
            if let Some(note) = &figure.note {
                flow.text(Tag::P, &bounded(note, LONGEST), Style::SMALL, width);
            }
        });
    });
}

/// Draws the chart under its title as one figure, with words for people who cannot see it.
fn picture_of(flow: &mut Flow, chart: &Chart) {
    const SCALE: f32 = WIDTH / chart::WIDTH;
    let drawing = chart::draw(chart);
    let height = drawing.height * SCALE;
    flow.keep(height + 30.0);
    flow.text(Tag::P, &bounded(&chart.title, LONGEST), Style::CAPTION, WIDTH);
    let top = flow.y() + 2.0;
    let at = |(x, y): (f32, f32)| (x * SCALE, top + y * SCALE);
    flow.leaf(Tag::Figure(Some(chart::told(chart))), |flow| {
        for mark in drawing.marks {
            match mark {
                Mark::Line { points, ink } => flow.line(points.into_iter().map(at).collect(), Ink::of(ink)),
                Mark::Bar { x, y, width, height, ink } => {
                    flow.fill(at((x, y)), (width * SCALE, height * SCALE), Ink::of(ink))
                }
                Mark::Dot { x, y, ink } => flow.fill(at((x - 2.0, y - 2.0)), (3.2, 3.2), Ink::of(ink)),
                Mark::Word { x, y, side, text } => flow.word(at((x, y)), share(side), &text, chart::LETTERS * SCALE),
            }
        }
    });
    flow.move_to(top + height);
    flow.space(6.0);
}

fn share(side: Side) -> f32 {
    match side {
        Side::Start => 0.0,
        Side::Middle => 0.5,
        Side::End => 1.0,
    }
}

fn foot(flow: &mut Flow, report: &Report) {
    let lacking = flow.lacking();
    let lacking = (lacking > 0).then(|| {
        format!("No font here has {lacking} of the characters, which are shown as “?”: add a font that has them to `reports.fonts`.")
    });
    for line in report.notes.iter().cloned().chain(lacking).chain(provenance(report)) {
        flow.text(Tag::P, &bounded(&line, 2000), Style::SMALL, WIDTH);
    }
}
