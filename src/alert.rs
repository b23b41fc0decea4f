//! Which alerts are due, given what was raised before.

use serde::{Deserialize, Serialize};

/// How bad it is. Only rises within one cycle of a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The forecast says it will breach.
    Predicted,
    /// A warning threshold has passed.
    Warning,
    /// The target was missed.
    Breached,
}

impl Stage {
    /// The name used in keys, in the store and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Predicted => "predicted",
            Self::Warning => "warning",
            Self::Breached => "breached",
        }
    }
}
