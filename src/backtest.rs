//! Tests the forecast on a real history: walks through time, asks at fixed moments, and compares with what happened.
//!
//! The judge follows the clocks itself and knows how they end; the forecaster is told only what has happened by the
//! moment it is asked.

mod budget;
mod figures;
mod path;
#[cfg(test)]
mod tests;
mod walk;

pub use budget::{BudgetLine, HOURS_LEFT};
pub use figures::{Awaited, Figures, figures};
pub use path::{CHECKPOINTS, Path, Promises};
pub use walk::{Report, Said, walk};
