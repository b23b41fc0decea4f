//! Colours, by what they stand for.

use crate::formats::chart;

/// A colour by what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    Text,
    Muted,
    Line,
    Target,
    Series(usize),
}

impl Ink {
    /// The colour of a chart's mark.
    pub fn of(ink: chart::Ink) -> Self {
        match ink {
            chart::Ink::Grid => Self::Line,
            chart::Ink::Target => Self::Target,
            chart::Ink::Series(number) => Self::Series(number),
        }
    }

    /// Red, green, blue.
    pub fn rgb(self) -> (u8, u8, u8) {
        match self {
            Self::Text => (20, 26, 35),
            Self::Muted => (88, 98, 116),
            Self::Line => (217, 222, 230),
            Self::Target => (193, 31, 45),
            Self::Series(number) => [(29, 78, 216), (180, 83, 9), (15, 118, 110), (134, 25, 143)][number % 4],
        }
    }
}
