//! Blocks that flow down pages: what is drawn where, and what it is to a screen reader.

use std::num::NonZeroU16;

use krilla::image::Image;
use krilla::tagging::{Tag, TagKind};

use super::ink::Ink;
use super::words::{Line, Style, Words};

/// A4, in points.
pub const PAPER: (f32, f32) = (595.28, 841.89);
/// The left, right and top margin.
pub const MARGIN: f32 = 42.0;
/// The width of the text.
pub const WIDTH: f32 = PAPER.0 - 2.0 * MARGIN;
/// Where the text ends and the foot of the page begins.
const BOTTOM: f32 = PAPER.1 - 50.0;

/// What is drawn.
pub enum Shape {
    Words { line: Line, at: (f32, f32), size: f32, ink: Ink },
    Fill { at: (f32, f32), size: (f32, f32), ink: Ink },
    Stroke { points: Vec<(f32, f32)>, ink: Ink },
    Picture { image: Image, at: (f32, f32), size: (f32, f32) },
}

/// A shape, and the leaf of the structure it belongs to; none: it is only decoration.
pub struct Drawn {
    pub leaf: Option<usize>,
    pub shape: Shape,
}

/// The structure: groups of groups and leaves.
pub enum TagNode {
    Group(TagKind, Vec<TagNode>),
    Leaf(usize),
}

/// A heading and where it stands.
pub struct Mark {
    pub title: String,
    pub page: usize,
    pub y: f32,
}

/// Pages full of shapes.
pub struct Layout {
    pub pages: Vec<Vec<Drawn>>,
    pub tree: Vec<TagNode>,
    pub headings: Vec<Mark>,
}

/// Pages in the making.
pub struct Flow<'a> {
    words: &'a mut Words,
    layout: Layout,
    /// The children of the open groups, innermost last.
    open: Vec<Vec<TagNode>>,
    leaf: Option<usize>,
    leaves: usize,
    left: f32,
    y: f32,
}

impl<'a> Flow<'a> {
    /// Begins with an empty first page.
    pub fn new(words: &'a mut Words) -> Self {
        let layout = Layout { pages: vec![Vec::new()], tree: Vec::new(), headings: Vec::new() };
        Self { words, layout, open: vec![Vec::new()], leaf: None, leaves: 0, left: MARGIN, y: MARGIN }
    }

    /// Returns all that was laid out.
    pub fn finish(mut self) -> Layout {
        self.layout.tree = self.open.pop().unwrap_or_default();
        self.layout
    }

    /// How many characters no face has.
    pub fn lacking(&self) -> usize {
        self.words.lacking()
    }

    /// How far down the page the next block begins.
    pub fn y(&self) -> f32 {
        self.y
    }

    /// Moves up or down to `y`.
    pub fn move_to(&mut self, y: f32) {
        self.y = y;
    }

    /// Moves down to `y`, unless it is further down already.
    pub fn below(&mut self, y: f32) {
        self.y = self.y.max(y);
    }

    /// Leaves a gap.
    pub fn space(&mut self, height: f32) {
        self.y += height;
    }

    /// Begins a page if less than `height` is left on this one; returns whether it did.
    pub fn keep(&mut self, height: f32) -> bool {
        let full = self.y + height > BOTTOM && self.y > MARGIN;
        if full {
            self.layout.pages.push(Vec::new());
            self.y = MARGIN;
        }
        full
    }

    /// Puts what `body` lays out under `tag`.
    pub fn group<T>(&mut self, tag: impl Into<TagKind>, body: impl FnOnce(&mut Self) -> T) -> T {
        self.open.push(Vec::new());
        let result = body(self);
        let children = self.open.pop().unwrap_or_default();
        self.add(TagNode::Group(tag.into(), children));
        result
    }

    /// Makes what `body` draws one thing, a `tag`.
    pub fn leaf(&mut self, tag: impl Into<TagKind>, body: impl FnOnce(&mut Self)) {
        self.group(tag, |flow| {
            flow.add(TagNode::Leaf(flow.leaves));
            flow.leaf = Some(flow.leaves);
            flow.leaves += 1;
            body(flow);
            flow.leaf = None;
        });
    }

    fn add(&mut self, tag_node: TagNode) {
        if let Some(children) = self.open.last_mut() {
            children.push(tag_node);
        }
    }

    /// Lays `body` out `x` further to the right.
    pub fn column(&mut self, x: f32, body: impl FnOnce(&mut Self)) {
        let left = std::mem::replace(&mut self.left, MARGIN + x);
        body(self);
        self.left = left;
    }

    /// Adds a heading that a reader can jump to.
    pub fn heading(&mut self, level: u16, title: &str, width: f32) {
        let style = if level == 1 { Style::TITLE } else { Style::SECTION };
        let mark = Mark { title: title.to_owned(), page: self.layout.pages.len() - 1, y: self.y };
        self.layout.headings.push(mark);
        let level = NonZeroU16::new(level).unwrap_or(NonZeroU16::MIN);
        self.text(Tag::Hn(level, Some(title.to_owned())), title, style, width);
        self.space(2.0);
    }

    /// Adds a paragraph.
    pub fn text(&mut self, tag: impl Into<TagKind>, text: &str, style: Style, width: f32) {
        let lines = self.words.wrap(text, style, width);
        self.leaf(tag, |flow| {
            for line in lines {
                flow.keep(style.leading());
                flow.put(line, 0.0, style);
                flow.y += style.leading();
            }
        });
        self.space(style.size * 0.25);
    }

    /// Breaks `text` into lines, for a caller that places them itself.
    pub fn wrap(&mut self, text: &str, style: Style, width: f32) -> Vec<Line> {
        self.words.wrap(text, style, width)
    }

    /// The width of the longest part of `text` that cannot be broken.
    pub fn longest(&mut self, text: &str, style: Style) -> f32 {
        self.words.longest(text, style)
    }

    /// The width of `text` on one line.
    pub fn width(&mut self, text: &str, style: Style) -> f32 {
        self.words.line(text, style).width
    }

    /// Puts a line of words `x` to the right, with its top here.
    pub fn put(&mut self, line: Line, x: f32, style: Style) {
        let at = (self.left + x, self.y + style.size * 1.05);
        self.draw(Shape::Words { line, at, size: style.size, ink: style.ink });
    }

    /// Puts a word on a chart, with `share` of it before the place.
    pub fn word(&mut self, (x, y): (f32, f32), share: f32, text: &str, size: f32) {
        let line = self.words.line(text, Style { size, bold: false, ink: Ink::Muted });
        let at = (self.left + x - line.width * share, y);
        self.draw(Shape::Words { line, at, size, ink: Ink::Muted });
    }

    /// Draws a line through `points`.
    pub fn line(&mut self, points: Vec<(f32, f32)>, ink: Ink) {
        let points = points.into_iter().map(|(x, y)| (self.left + x, y)).collect();
        self.draw(Shape::Stroke { points, ink });
    }

    /// Draws a filled rectangle.
    pub fn fill(&mut self, (x, y): (f32, f32), size: (f32, f32), ink: Ink) {
        self.draw(Shape::Fill { at: (self.left + x, y), size, ink });
    }

    /// Draws a rule between each two of `count` columns.
    pub fn rules(&mut self, top: f32, bottom: f32, count: usize, each: f32) {
        for number in 1..count {
            let x = number as f32 * each - 10.0;
            self.line(vec![(x, top + 2.0), (x, bottom - 2.0)], Ink::Line);
        }
    }

    /// Puts a picture at the right, no larger than `most`; returns its lower end.
    pub fn picture(&mut self, image: Image, most: (f32, f32)) -> f32 {
        let (width, height) = image.size();
        let scale = (most.0 / width.max(1) as f32).min(most.1 / height.max(1) as f32).min(1.0);
        let size = (width as f32 * scale, height as f32 * scale);
        let at = (PAPER.0 - MARGIN - size.0, self.y);
        self.leaf(Tag::Figure(Some("Logo".to_owned())), |flow| flow.draw(Shape::Picture { image, at, size }));
        at.1 + size.1
    }

    fn draw(&mut self, shape: Shape) {
        let leaf = self.leaf;
        if let Some(page) = self.layout.pages.last_mut() {
            page.push(Drawn { leaf, shape });
        }
    }
}
