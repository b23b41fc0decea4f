//! Blocks that flow down pages: what is drawn where, and what it is for a reader that cannot see.

use std::num::NonZeroU16;

use krilla::image::Image;
use krilla::tagging::{Tag, TagKind};

use super::ink::Ink;
use super::words::{Line, Style, Words};

/// A4, in points.
pub const PAPER: (f32, f32) = (595.28, 841.89);
/// Left, right, top.
pub const MARGIN: f32 = 42.0;
/// How wide the text is.
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

/// A shape, and the leaf of the structure that it belongs to; none: it only adorns.
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
    /// The children of the groups that are open, the innermost last.
    open: Vec<Vec<TagNode>>,
    leaf: Option<usize>,
    leaves: usize,
    left: f32,
    y: f32,
}

impl<'a> Flow<'a> {
    /// An empty first page.
    pub fn new(words: &'a mut Words) -> Self {
        let layout = Layout { pages: vec![Vec::new()], tree: Vec::new(), headings: Vec::new() };
        Self { words, layout, open: vec![Vec::new()], leaf: None, leaves: 0, left: MARGIN, y: MARGIN }
    }

    /// All that was laid out.
    pub fn finish(mut self) -> Layout {
        self.layout.tree = self.open.pop().unwrap_or_default();
        self.layout
    }

    /// How many characters no face has.
    pub fn lacking(&self) -> usize {
        self.words.lacking()
    }

    /// How far down the page it is.
    pub fn y(&self) -> f32 {
        self.y
    }

    /// Goes to a place further up or down.
    pub fn move_to(&mut self, y: f32) {
        self.y = y;
    }

    /// Goes to `y` unless it is further down already.
    pub fn below(&mut self, y: f32) {
        self.y = self.y.max(y);
    }

    /// Leaves a gap.
    pub fn space(&mut self, height: f32) {
        self.y += height;
    }

    /// Begins a page if less than `height` is left of this one; says whether it did.
    pub fn keep(&mut self, height: f32) -> bool {
        let full = self.y + height > BOTTOM && self.y > MARGIN;
        if full {
            self.layout.pages.push(Vec::new());
            self.y = MARGIN;
        }
        full
    }

    /// What `body` lays out stands under `tag`.
    pub fn group<T>(&mut self, tag: impl Into<TagKind>, body: impl FnOnce(&mut Self) -> T) -> T {
        self.open.push(Vec::new());
        let result = body(self);
        let children = self.open.pop().unwrap_or_default();
        self.add(TagNode::Group(tag.into(), children));
        result
    }

    /// What `body` draws is one thing, a `tag`.
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

    /// What `body` lays out begins `x` to the right.
    pub fn column(&mut self, x: f32, body: impl FnOnce(&mut Self)) {
        let left = std::mem::replace(&mut self.left, MARGIN + x);
        body(self);
        self.left = left;
    }

    /// A heading, which a reader can go to.
    pub fn heading(&mut self, level: u16, title: &str, width: f32) {
        let style = if level == 1 { Style::TITLE } else { Style::SECTION };
        let mark = Mark { title: title.to_owned(), page: self.layout.pages.len() - 1, y: self.y };
        self.layout.headings.push(mark);
        let level = NonZeroU16::new(level).unwrap_or(NonZeroU16::MIN);
        self.text(Tag::Hn(level, Some(title.to_owned())), title, style, width);
        self.space(2.0);
    }

    /// A paragraph.
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

    /// `text` in lines, for who places them alone.
    pub fn wrap(&mut self, text: &str, style: Style, width: f32) -> Vec<Line> {
        self.words.wrap(text, style, width)
    }

    /// How wide the longest part of `text` is that no line end may part.
    pub fn longest(&mut self, text: &str, style: Style) -> f32 {
        self.words.longest(text, style)
    }

    /// How wide `text` is in one line.
    pub fn width(&mut self, text: &str, style: Style) -> f32 {
        self.words.line(text, style).width
    }

    /// A line of words, `x` to the right, its top here.
    pub fn put(&mut self, line: Line, x: f32, style: Style) {
        let at = (self.left + x, self.y + style.size * 1.05);
        self.draw(Shape::Words { line, at, size: style.size, ink: style.ink });
    }

    /// A word on a chart: `share` of it stands before the place.
    pub fn word(&mut self, (x, y): (f32, f32), share: f32, text: &str, size: f32) {
        let line = self.words.line(text, Style { size, bold: false, ink: Ink::Muted });
        let at = (self.left + x - line.width * share, y);
        self.draw(Shape::Words { line, at, size, ink: Ink::Muted });
    }

    /// A line through `points`.
    pub fn line(&mut self, points: Vec<(f32, f32)>, ink: Ink) {
        let points = points.into_iter().map(|(x, y)| (self.left + x, y)).collect();
        self.draw(Shape::Stroke { points, ink });
    }

    /// A filled rectangle.
    pub fn fill(&mut self, (x, y): (f32, f32), size: (f32, f32), ink: Ink) {
        self.draw(Shape::Fill { at: (self.left + x, y), size, ink });
    }

    /// A rule before each of `count` columns.
    pub fn rules(&mut self, top: f32, bottom: f32, count: usize, each: f32) {
        for number in 1..count {
            let x = number as f32 * each - 10.0;
            self.line(vec![(x, top + 2.0), (x, bottom - 2.0)], Ink::Line);
        }
    }

    /// A picture at the right, no larger than `most`; gives its lower end.
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
