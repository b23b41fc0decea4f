//! The messages between a watch and its outposts, as JSON.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The most results in one message.
pub const BATCH: usize = 100;

/// What an outpost should look at.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OutpostOrders {
    /// The watch's own time, by which results are dated.
    pub now: DateTime<Utc>,
    /// Changes whenever the orders do.
    pub version: String,
    /// What people call the outpost.
    pub name: String,
    /// `host:port` of hosts that are always there: if none answers, the outpost's own line is cut.
    pub canaries: Vec<String>,
    pub checks: Vec<OrderedCheck>,
}

/// One check as written in the watch's file. It names secrets by environment variables or files, which the outpost must
/// have itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderedCheck {
    /// `shop/https@berlin`
    pub id: String,
    pub component: String,
    /// The table in TOML.
    pub toml: String,
}

/// What an outpost has seen, oldest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OutpostResults {
    /// 100 at most. Empty if the outpost is alive and has nothing to report.
    #[schema(max_items = 100)]
    pub results: Vec<SeenThere>,
}

/// The outcome of one look of an outpost. For each check, a look is accepted once, and in order of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SeenThere {
    /// The id from the orders.
    pub check: String,
    /// When the look began, by the watch's time: up to a day ago.
    pub at: DateTime<Utc>,
    /// `up`, `degraded`, `down`, or `unknown` if nothing answered because the outpost's own line is cut.
    pub status: String,
    #[serde(default)]
    pub micros: i64,
    /// What was wrong, for those who fix it. Never shown in public.
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
    /// Whether its chain will still be valid in 14 days.
    pub holds: bool,
    /// Whether the end is that of another certificate in its chain.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ends_by_chain: bool,
}

/// Confirms that results were received.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OutpostReceipt {
    pub now: DateTime<Utc>,
    /// If it differs from that of the orders, the orders have to be asked for again.
    pub version: String,
    /// How many of them belong to ordered checks and are not too old.
    pub taken: usize,
}
