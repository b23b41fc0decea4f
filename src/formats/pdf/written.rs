//! Writes laid-out pages as the bytes of a PDF, with their structure, as PDF/A-2a and PDF/UA-1.

use std::collections::BTreeMap;

use chrono::Datelike;
use krilla::color::rgb;
use krilla::configure::{Accessibility, Archival, ConfigurationBuilder};
use krilla::destination::XyzDestination;
use krilla::geom::{PathBuilder, Point, Rect, Size, Transform};
use krilla::metadata::{DateTime, Metadata};
use krilla::num::NormalizedF32;
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use krilla::paint::{Fill, Stroke, StrokeDash};
use krilla::surface::Surface;
use krilla::tagging::{Artifact, ArtifactType, ContentTag, Identifier, Node, SpanTag, TagGroup, TagTree};
use krilla::{Document, SerializeSettings};

use super::flow::{Drawn, Layout, MARGIN, Mark, PAPER, Shape, TagNode};
use super::ink::Ink;
use super::words::{Line, Style, Words};
use crate::formats::FormatError;
use crate::formats::html::heading;
use crate::report::Report;

/// The places of a leaf on the pages, by its number.
type Places = BTreeMap<usize, Vec<Identifier>>;

/// Writes the file.
pub fn write(report: &Report, layout: Layout) -> Result<Vec<u8>, FormatError> {
    let mut document = Document::new_with(settings()?);
    document.set_metadata(metadata(report));
    document.set_outline(outline(&layout.headings));
    let mut places = Places::new();
    let feet = feet(report, layout.pages.len())?;
    for (drawn, foot) in layout.pages.into_iter().zip(feet) {
        page(&mut document, drawn, foot, &mut places)?;
    }
    let mut tree = TagTree::new().with_lang(Some("en".to_owned()));
    layout.tree.into_iter().filter_map(|tag_node| node(tag_node, &mut places)).for_each(|node| tree.push(node));
    document.set_tag_tree(tree);
    document.finish().map_err(|error| FormatError::Pdf(format!("{error:?}")))
}

fn settings() -> Result<SerializeSettings, FormatError> {
    let both = ConfigurationBuilder::new()
        .with_archival_validator(Archival::A2_A)
        .with_accessibility_validator(Accessibility::UA1);
    let configuration = both.finish().map_err(|error| FormatError::Pdf(format!("{error:?}")))?;
    Ok(SerializeSettings { configuration, enable_tagging: true, ..SerializeSettings::default() })
}

/// Uses the last day of the period as the creation date.
fn metadata(report: &Report) -> Metadata {
    let day = report.period.to;
    let part = |number: u32| u8::try_from(number).unwrap_or(1);
    let year = u16::try_from(day.year()).unwrap_or(1970);
    let date = DateTime::new(year).month(part(day.month())).day(part(day.day())).hour(0).minute(0).second(0);
    let date = date.utc_offset_hour(0).utc_offset_minute(0);
    let program = format!("superops-sla {}", report.program);
    Metadata::new().title(heading(report)).language("en".to_owned()).creator(program).creation_date(date)
}

fn outline(headings: &[Mark]) -> Outline {
    let mut outline = Outline::new();
    for mark in headings {
        let place = XyzDestination::new(mark.page, Point::from_xy(0.0, mark.y));
        outline.push_child(OutlineNode::new(mark.title.clone(), place));
    }
    outline
}

/// The foot of each page: the period, and which page of how many.
fn feet(report: &Report, pages: usize) -> Result<Vec<[Line; 2]>, FormatError> {
    let mut words = Words::new(&[])?;
    let period = format!("{} to {}", report.period.from, report.period.to);
    let foot =
        |number: usize| [period.clone(), format!("{number} of {pages}")].map(|text| words.line(&text, Style::SMALL));
    Ok((1..=pages).map(foot).collect())
}

fn page(document: &mut Document, drawn: Vec<Drawn>, foot: [Line; 2], places: &mut Places) -> Result<(), FormatError> {
    let settings =
        PageSettings::from_wh(PAPER.0, PAPER.1).ok_or_else(|| FormatError::Pdf("no such paper".to_owned()))?;
    let mut page = document.start_page_with(settings);
    let mut surface = page.surface();
    let mut drawn = drawn.into_iter().peekable();
    while let Some(Drawn { leaf, shape }) = drawn.next() {
        let identifier = surface.start_tagged(content(leaf, &shape));
        draw(&mut surface, shape);
        while let Some(next) = drawn.next_if(|next| next.leaf == leaf) {
            draw(&mut surface, next.shape);
        }
        surface.end_tagged();
        if let Some(leaf) = leaf {
            places.entry(leaf).or_default().push(identifier);
        }
    }
    footer(&mut surface, foot);
    surface.finish();
    page.finish();
    Ok(())
}

fn content(leaf: Option<usize>, shape: &Shape) -> ContentTag<'static> {
    match (leaf, shape) {
        (None, _) => ContentTag::Artifact(Artifact::with_kind(ArtifactType::Layout)),
        (Some(_), Shape::Words { .. }) => ContentTag::Span(SpanTag::empty()),
        (Some(_), _) => ContentTag::Other,
    }
}

fn footer(surface: &mut Surface, [left, right]: [Line; 2]) {
    let y = PAPER.1 - 26.0;
    let x = PAPER.0 - MARGIN - right.width;
    surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(ArtifactType::Footer)));
    write_words(surface, left, (MARGIN, y), Style::SMALL.size, Ink::Muted);
    write_words(surface, right, (x, y), Style::SMALL.size, Ink::Muted);
    surface.end_tagged();
}

fn node(tag_node: TagNode, places: &mut Places) -> Option<Node> {
    match tag_node {
        TagNode::Leaf(_) => None,
        TagNode::Group(tag, children) => {
            let mut group = TagGroup::new(tag);
            for child in children {
                match child {
                    TagNode::Leaf(number) => {
                        places.remove(&number).into_iter().flatten().for_each(|place| group.push(place))
                    }
                    deeper => node(deeper, places).into_iter().for_each(|node| group.push(node)),
                }
            }
            Some(Node::Group(group))
        }
    }
}

fn draw(surface: &mut Surface, shape: Shape) {
    match shape {
        Shape::Words { line, at, size, ink } => write_words(surface, line, at, size, ink),
        Shape::Fill { at, size, ink } => rectangle(surface, at, size, ink),
        Shape::Stroke { points, ink } => stroke(surface, &points, ink),
        Shape::Picture { image, at, size } => {
            let Some(size) = Size::from_wh(size.0, size.1) else { return };
            surface.push_transform(&Transform::from_translate(at.0, at.1));
            surface.draw_image(image, size);
            surface.pop();
        }
    }
}

fn write_words(surface: &mut Surface, line: Line, (x, y): (f32, f32), size: f32, ink: Ink) {
    surface.set_stroke(None);
    surface.set_fill(Some(fill(ink)));
    for run in line.runs {
        surface.draw_glyphs(Point::from_xy(x + run.x, y), &run.glyphs, run.font, &run.text, size, false);
    }
}

fn rectangle(surface: &mut Surface, at: (f32, f32), size: (f32, f32), ink: Ink) {
    let Some(rect) = Rect::from_xywh(at.0, at.1, size.0, size.1) else { return };
    let mut path = PathBuilder::new();
    path.push_rect(rect);
    let Some(path) = path.finish() else { return };
    surface.set_stroke(None);
    surface.set_fill(Some(fill(ink)));
    surface.draw_path(&path);
}

fn stroke(surface: &mut Surface, points: &[(f32, f32)], ink: Ink) {
    let mut path = PathBuilder::new();
    for (number, (x, y)) in points.iter().enumerate() {
        if number == 0 { path.move_to(*x, *y) } else { path.line_to(*x, *y) }
    }
    let Some(path) = path.finish() else { return };
    let dash = (ink == Ink::Target).then(|| StrokeDash { array: vec![4.0, 3.0], offset: 0.0 });
    let width = match ink {
        Ink::Line => 0.5,
        Ink::Target => 1.0,
        _ => 1.4,
    };
    surface.set_fill(None);
    surface.set_stroke(Some(Stroke { paint: color(ink).into(), width, dash, ..Stroke::default() }));
    surface.draw_path(&path);
}

fn fill(ink: Ink) -> Fill {
    Fill { paint: color(ink).into(), opacity: NormalizedF32::ONE, ..Fill::default() }
}

fn color(ink: Ink) -> rgb::Color {
    let (red, green, blue) = ink.rgb();
    rgb::Color::new(red, green, blue)
}
