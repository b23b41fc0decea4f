//! How the API description shows types of the core, which knows nothing of descriptions: as they are written in JSON.

use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{KnownFormat, RefOr, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

use crate::alert::life::{How, State};
use crate::alert::suppression::{Matchers, SuppressionKind};
use crate::alert::{AlertKind, Stage};
use crate::formats::Format;
use crate::report::entry::Reason;
use crate::report::make::By;
use crate::ticket::ClockKind;
use crate::ticket::watch::Bounds;

/// One of the words that `values` are written as.
fn one_of<T: Serialize>(values: impl IntoIterator<Item = T>) -> RefOr<Schema> {
    let words: Vec<Value> = values.into_iter().filter_map(|value| serde_json::to_value(value).ok()).collect();
    let words = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)).enum_values(Some(words));
    RefOr::T(words.build().into())
}

macro_rules! words {
    ($($type:ty: $all:expr;)*) => { $(
        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                one_of($all)
            }
        }
        impl ToSchema for $type {}
    )* };
}

words! {
    ClockKind: ClockKind::ALL;
    AlertKind: AlertKind::ALL.map(AlertKind::as_str);
    Stage: Stage::ALL;
    State: [State::Open, State::Acknowledged, State::Snoozed, State::Resolved];
    How: How::ALL;
    SuppressionKind: SuppressionKind::ALL;
}

fn text(nullable: bool, format: Option<KnownFormat>) -> Schema {
    let kind =
        if nullable { SchemaType::from_iter([Type::String, Type::Null]) } else { SchemaType::Type(Type::String) };
    ObjectBuilder::new().schema_type(kind).format(format.map(SchemaFormat::KnownFormat)).build().into()
}

impl PartialSchema for Bounds {
    fn schema() -> RefOr<Schema> {
        let moment = || text(false, Some(KnownFormat::DateTime));
        let object = ObjectBuilder::new().property("earliest", moment()).property("latest", moment());
        RefOr::T(object.required("earliest").required("latest").build().into())
    }
}

impl ToSchema for Bounds {}

impl PartialSchema for Matchers {
    fn schema() -> RefOr<Schema> {
        let object = ["client", "ticket", "component", "priority", "technician"]
            .into_iter()
            .fold(ObjectBuilder::new(), |object, name| object.property(name, text(true, None)));
        RefOr::T(object.build().into())
    }
}

impl ToSchema for Matchers {}

/// What tickets can be sorted by.
pub const ORDERS: [&str; 14] = [
    "worst",
    "created",
    "updated",
    "client",
    "technician",
    "priority",
    "number",
    "-worst",
    "-created",
    "-updated",
    "-client",
    "-technician",
    "-priority",
    "-number",
];

/// What alerts can be sorted by.
pub const ALERT_ORDERS: [&str; 5] = ["worst", "due", "changed", "-due", "-changed"];

/// What technicians and clients can be sorted by.
pub const FIGURE_ORDERS: [&str; 14] = [
    "tenant",
    "name",
    "total",
    "compliance",
    "breaches",
    "response",
    "resolution",
    "-tenant",
    "-name",
    "-total",
    "-compliance",
    "-breaches",
    "-response",
    "-resolution",
];

macro_rules! asked_words {
    ($($(#[$doc:meta])* $name:ident: $words:expr;)*) => { $(
        $(#[$doc])*
        pub struct $name;
        words! { $name: $words; }
    )* };
}

// Words of queries that are read elsewhere, where blank is accepted as well.
asked_words! {
    /// `risk` of a ticket.
    RiskWord: ["none", "low", "medium", "high", "critical"];
    /// `standing` of a ticket, or of one of its clocks.
    StandingWord: ["breached", "at_risk", "on_track", "paused", "nothing_due", "met", "cancelled", "unknown"];
    /// `sort` of tickets.
    OrderWord: ORDERS;
    /// `state` of an alert.
    AlertStateWord: ["open", "acknowledged", "snoozed", "resolved", "all"];
    /// `sort` of alerts.
    AlertOrderWord: ALERT_ORDERS;
    /// `sort` of breaches: by when they were due; `-`: the latest first.
    BreachOrderWord: ["due", "-due"];
    /// `sort` of the audit log: by when it happened; `-`: the latest first.
    AuditOrderWord: ["at", "-at"];
    /// `sort` of messages: by when they were made; `-`: the latest first.
    MessageOrderWord: ["created", "-created"];
    /// `sort` of technicians and clients.
    FigureOrderWord: FIGURE_ORDERS;
    /// What a report is grouped by.
    ByWord: By::ALL.map(By::as_str);
    /// The format of a report.
    FormatWord: Format::ALL.map(Format::name);
    /// The format of a list.
    ListFormatWord: ["json", "csv"];
    /// How the clock of an entry ended.
    OutcomeWord: ["met", "breached", "excluded"];
    /// How closed months are counted: as was known then, unless told otherwise.
    AsOfWord: ["latest"];
    /// Why a clock was missed.
    ReasonWord: Reason::ALL;
    /// How much of the past is shown.
    RangeWord: ["24h", "7d", "30d", "90d"];
    /// The period for which something is promised.
    PeriodWord: ["month", "quarter", "year"];
}
