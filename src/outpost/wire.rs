//! What a watch and its outposts say to each other, as JSON.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// No more results are sent, or taken, at once.
pub const BATCH: usize = 100;

/// What an outpost is to look at.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OutpostOrders {
    /// The watch's own time: results are dated by it.
    pub now: DateTime<Utc>,
    /// Changes with what is to be looked at.
    pub version: String,
    /// What people call the outpost.
    pub name: String,
    /// `host:port` of what is always there: if none answers, the outpost's own line is cut.
    pub canaries: Vec<String>,
    pub checks: Vec<OrderedCheck>,
}

/// One check as it is written in the watch's file. It names secrets by their environment variables or files, which the
/// outpost has to have itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderedCheck {
    /// `shop/https@berlin`
    pub id: String,
    pub component: String,
    /// The table in TOML.
    pub toml: String,
}

/// What an outpost has seen, the oldest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OutpostResults {
    /// 100 at the most; none: it is there, and has nothing to say.
    #[schema(max_items = 100)]
    pub results: Vec<SeenThere>,
}

/// What one look of an outpost came to. Of one check each is taken once, and in the order of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SeenThere {
    /// As it was ordered.
    pub check: String,
    /// When the look began, by the watch's time: up to a day ago.
    pub at: DateTime<Utc>,
    /// up | degraded | down; unknown: nothing answered, so it is the outpost's own line.
    pub status: String,
    #[serde(default)]
    pub micros: i64,
    /// What was wrong, for those who mend it. Never shown in public.
    #[serde(default)]
    pub text: Option<String>,
    #[serde(default)]
    pub certificate: Option<SeenCertificate>,
}

/// The certificate that a server showed there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SeenCertificate {
    pub ends_at: DateTime<Utc>,
    /// Whether its chain will still be good in 14 days.
    pub holds: bool,
    /// Whether the end is that of another certificate in its chain.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ends_by_chain: bool,
}

/// That results were taken in.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OutpostReceipt {
    pub now: DateTime<Utc>,
    /// If it is not that of the orders, they are to be asked for again.
    pub version: String,
    /// How many of them were asked for, and not too old.
    pub taken: usize,
}
