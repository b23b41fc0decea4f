//! What a report groups its figures by.

use serde::{Deserialize, Serialize};

/// What the figures are grouped by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    #[default]
    Day,
    Week,
    Month,
    Weekday,
    Hour,
    Client,
    Technician,
    Priority,
    Policy,
    Category,
    Reason,
}

impl By {
    pub const ALL: [Self; 11] = [
        Self::Day,
        Self::Week,
        Self::Month,
        Self::Weekday,
        Self::Hour,
        Self::Client,
        Self::Technician,
        Self::Priority,
        Self::Policy,
        Self::Category,
        Self::Reason,
    ];

    /// The name used on the command line and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Weekday => "weekday",
            Self::Hour => "hour",
            Self::Client => "client",
            Self::Technician => "technician",
            Self::Priority => "priority",
            Self::Policy => "policy",
            Self::Category => "category",
            Self::Reason => "reason",
        }
    }

    /// The one of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.as_str() == name)
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Day => "Day",
            Self::Week => "Week of",
            Self::Month => "Month",
            Self::Weekday => "Weekday",
            Self::Hour => "Hour",
            Self::Client => "Client",
            Self::Technician => "Technician",
            Self::Priority => "Priority",
            Self::Policy => "Policy",
            Self::Category => "Category",
            Self::Reason => "Reason",
        }
    }
}
