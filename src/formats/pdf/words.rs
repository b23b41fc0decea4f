//! Words as glyphs: which face has a character, which way a run reads, and where a line ends.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use harfrust::{Direction, FontRef, ShapeOptions, ShaperData, UnicodeBuffer};
use krilla::text::{Font, GlyphId, KrillaGlyph};
use skrifa::MetadataProvider;
use unicode_bidi::BidiInfo;

use super::ink::Ink;
use crate::formats::FormatError;

const REGULAR: &[u8] = include_bytes!("../../../fonts/NotoSans-Regular.ttf");
const BOLD: &[u8] = include_bytes!("../../../fonts/NotoSans-Bold.ttf");
/// Where the faces from outside begin; the bold one comes second.
const OUTSIDE: usize = 2;
/// Stands for a character that no face has.
const UNKNOWN: char = '?';

/// A font file from outside, and the index of the face in it.
#[derive(Clone)]
pub struct Face {
    pub bytes: Arc<Vec<u8>>,
    pub index: u32,
}

impl std::fmt::Debug for Face {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Face({} bytes, {})", self.bytes.len(), self.index)
    }
}

impl Face {
    /// Returns those of `wanted` that it has glyphs for.
    pub fn covers(&self, wanted: &BTreeSet<char>) -> BTreeSet<char> {
        FontRef::from_index(&self.bytes, self.index).map_or_else(|_| BTreeSet::new(), |font| covered(&font, wanted))
    }
}

fn covered(font: &FontRef, wanted: &BTreeSet<char>) -> BTreeSet<char> {
    let map = font.charmap();
    wanted.iter().copied().filter(|c| map.map(*c).is_some_and(|glyph| glyph.to_u32() > 0)).collect()
}

/// Returns the characters of `text` that the embedded face cannot show.
pub fn lacking(text: &str) -> BTreeSet<char> {
    let seen: BTreeSet<char> = text.chars().collect();
    let ours = FontRef::new(REGULAR).map_or_else(|_| BTreeSet::new(), |font| covered(&font, &seen));
    seen.difference(&ours).copied().filter(|c| !c.is_control()).collect()
}

/// How a piece of text looks.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    pub size: f32,
    pub bold: bool,
    pub ink: Ink,
}

impl Style {
    pub const TITLE: Self = Self { size: 19.0, bold: true, ink: Ink::Text };
    pub const CLIENT: Self = Self { size: 12.0, bold: false, ink: Ink::Text };
    pub const SECTION: Self = Self { size: 12.5, bold: true, ink: Ink::Text };
    pub const CAPTION: Self = Self { size: 9.0, bold: true, ink: Ink::Text };
    pub const PLAIN: Self = Self { size: 9.0, bold: false, ink: Ink::Text };
    pub const FIGURE: Self = Self { size: 15.0, bold: true, ink: Ink::Text };
    pub const QUIET: Self = Self { size: 8.5, bold: false, ink: Ink::Muted };
    pub const SMALL: Self = Self { size: 7.0, bold: false, ink: Ink::Muted };
    pub const CELL: Self = Self { size: 8.0, bold: false, ink: Ink::Text };

    /// From one base line to the next.
    pub fn leading(&self) -> f32 {
        self.size * 1.36
    }
}

/// Glyphs of one face in one direction.
pub struct Run {
    pub font: Font,
    pub text: String,
    pub glyphs: Vec<KrillaGlyph>,
    pub x: f32,
}

/// Runs side by side.
#[derive(Default)]
pub struct Line {
    pub runs: Vec<Run>,
    pub width: f32,
}

/// The bytes of a font file, shared and never copied.
type Shared = Arc<dyn AsRef<[u8]> + Send + Sync>;

struct Loaded {
    bytes: Shared,
    index: u32,
    shaping: ShaperData,
    font: Font,
}

impl Loaded {
    fn new(bytes: Shared, index: u32) -> Option<Self> {
        let font = Font::new(bytes.clone().into(), index)?;
        let shaping = ShaperData::new(&FontRef::from_index((*bytes).as_ref(), index).ok()?);
        Some(Self { bytes, index, shaping, font })
    }

    fn letters(&self) -> Option<FontRef<'_>> {
        FontRef::from_index((*self.bytes).as_ref(), self.index).ok()
    }
}

/// The faces, and which of them has each character seen so far.
pub struct Words {
    faces: Vec<Loaded>,
    of: HashMap<char, Option<usize>>,
}

impl Words {
    /// Loads the embedded face and those of `outside`, which are tried in order.
    pub fn new(outside: &[Face]) -> Result<Self, FormatError> {
        let ours = [REGULAR, BOLD].map(|bytes| (Arc::new(bytes) as Shared, 0));
        let outside = outside.iter().map(|face| (face.bytes.clone() as Shared, face.index));
        let loaded = ours.into_iter().chain(outside).map(|(bytes, index)| Loaded::new(bytes, index));
        let unreadable = || FormatError::Font("a font".to_owned());
        let faces = loaded.map(|face| face.ok_or_else(unreadable)).collect::<Result<_, _>>()?;
        Ok(Self { faces, of: HashMap::new() })
    }

    /// How many of the characters seen so far no face has.
    pub fn lacking(&self) -> usize {
        self.of.values().filter(|face| face.is_none()).count()
    }

    /// Breaks `text` into lines no wider than `width`.
    pub fn wrap(&mut self, text: &str, style: Style, width: f32) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut line = String::new();
        let pieces: Vec<_> = pieces(text).flat_map(|piece| self.fitting(piece, style, width)).collect();
        for piece in pieces {
            let longer = format!("{line}{piece}");
            if !line.is_empty() && self.width(&longer, style) > width {
                lines.push(std::mem::replace(&mut line, piece));
            } else {
                line = longer;
            }
        }
        lines.push(line);
        lines.iter().map(|line| self.line(line.trim_end(), style)).collect()
    }

    /// The width of the longest part of `text` that cannot be broken.
    pub fn longest(&mut self, text: &str, style: Style) -> f32 {
        pieces(text).map(|piece| self.width(piece, style)).fold(0.0, f32::max)
    }

    fn width(&mut self, text: &str, style: Style) -> f32 {
        self.line(text.trim_end(), style).width
    }

    /// Splits a piece that is too wide for a line of its own.
    fn fitting(&mut self, piece: &str, style: Style, width: f32) -> Vec<String> {
        if piece.chars().count() < 2 || self.width(piece, style) <= width {
            return vec![piece.to_owned()];
        }
        let middle = piece.char_indices().nth(piece.chars().count() / 2).map_or(0, |(at, _)| at);
        let (left, right) = piece.split_at(middle);
        let mut parts = self.fitting(left, style, width);
        parts.extend(self.fitting(right, style, width));
        parts
    }

    /// `text` as one line.
    pub fn line(&mut self, text: &str, style: Style) -> Line {
        let text: String = text.chars().map(|c| if self.face(c).is_some() { c } else { UNKNOWN }).collect();
        let bidi = BidiInfo::new(&text, None);
        let mut line = Line::default();
        for paragraph in &bidi.paragraphs {
            let (levels, runs) = bidi.visual_runs(paragraph, paragraph.range.clone());
            for run in runs {
                let backwards = levels[run.start].is_rtl();
                let mut parts = self.by_face(&text, run, style.bold);
                if backwards {
                    parts.reverse();
                }
                for (face, part) in parts {
                    self.shape(&mut line, face, &text[part], backwards, style.size);
                }
            }
        }
        line
    }

    fn face(&mut self, c: char) -> Option<usize> {
        let faces = &self.faces;
        *self.of.entry(c).or_insert_with(|| faces.iter().position(|face| has(face, c)))
    }

    /// Splits a run into stretches of one face, in the order of the text. Marks stay with the character they stand on.
    fn by_face(&mut self, text: &str, run: Range<usize>, bold: bool) -> Vec<(usize, Range<usize>)> {
        let mut parts: Vec<(usize, Range<usize>)> = Vec::new();
        for (at, c) in text[run.clone()].char_indices() {
            let at = run.start + at;
            let own = self.face(c).unwrap_or_default();
            let own = if bold && own == 0 { 1 } else { own };
            match parts.last_mut() {
                Some((face, part)) if *face == own || joins(&self.faces[*face], *face, c) => {
                    part.end = at + c.len_utf8()
                }
                _ => parts.push((own, at..at + c.len_utf8())),
            }
        }
        parts
    }

    fn shape(&self, line: &mut Line, face: usize, text: &str, backwards: bool, size: f32) {
        let loaded = &self.faces[face];
        let Some(font) = loaded.letters() else { return };
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(text);
        buffer.set_direction(if backwards { Direction::RightToLeft } else { Direction::LeftToRight });
        buffer.guess_segment_properties();
        let shaper = loaded.shaping.shaper(&font).build();
        let em = shaper.units_per_em() as f32;
        let shaped = shaper.shape(buffer, ShapeOptions::new());
        let ends = cluster_ends(shaped.glyph_infos().iter().map(|info| info.cluster as usize), text.len());
        let glyphs = shaped.glyph_infos().iter().zip(shaped.glyph_positions()).map(|(info, place)| {
            let start = info.cluster as usize;
            let part = |length: i32| length as f32 / em;
            let range = start..ends.get(&start).copied().unwrap_or(text.len());
            let (advance, x, y) = (part(place.x_advance), part(place.x_offset), part(place.y_offset));
            KrillaGlyph::new(GlyphId::new(info.glyph_id), advance, x, y, 0.0, range, None)
        });
        let glyphs: Vec<_> = glyphs.collect();
        let width = glyphs.iter().map(|glyph| glyph.x_advance).sum::<f32>() * size;
        line.runs.push(Run { font: loaded.font.clone(), text: text.to_owned(), glyphs, x: line.width });
        line.width += width;
    }
}

fn has(face: &Loaded, c: char) -> bool {
    face.letters().is_some_and(|font| font.charmap().map(c).is_some_and(|glyph| glyph.to_u32() > 0))
}

/// Whether `c` may go on in a face from outside, so that blanks and marks do not cut its run.
fn joins(face: &Loaded, number: usize, c: char) -> bool {
    let is_mark = matches!(c, '\u{300}'..='\u{36f}' | '\u{200c}' | '\u{200d}');
    number >= OUTSIDE && (is_mark || c == ' ') && has(face, c)
}

/// Maps the start of each cluster to its end.
fn cluster_ends(starts: impl Iterator<Item = usize>, end: usize) -> HashMap<usize, usize> {
    let starts: BTreeSet<usize> = starts.collect();
    let next = starts.iter().skip(1).copied().chain([end]);
    starts.iter().copied().zip(next).collect()
}

/// Pieces between which a line may end: after a blank or hyphen, and beside an ideograph.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut before = None;
    let mut cuts: Vec<usize> = Vec::new();
    for (at, c) in text.char_indices() {
        let may = before.is_some_and(|before| {
            matches!(before, ' ' | '-' | '/') && !matches!(c, ' ' | '%')
                || is_ideograph(before)
                || is_ideograph(c) && before != ' '
        });
        if may {
            cuts.push(at);
        }
        before = Some(c);
    }
    let starts = [0].into_iter().chain(cuts.clone());
    let ends = cuts.into_iter().chain([text.len()]);
    let ranges: Vec<_> = starts.zip(ends).collect();
    ranges.into_iter().map(|(start, end)| &text[start..end])
}

fn is_ideograph(c: char) -> bool {
    matches!(u32::from(c), 0x2e80..=0x9fff | 0xf900..=0xfaff | 0x20000..=0x3ffff)
}
