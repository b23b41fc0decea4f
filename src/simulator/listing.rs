//! Which tickets a list holds and in which order: conditions, sorts and pages as SuperOps takes them.
//!
//! It refuses what it does not know, as the real service does with an internal error; when told to, it also refuses
//! some of what is documented.

use apollo_compiler::response::{JsonMap, JsonValue};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use super::habit::{DateFilters, Habits, Sorting};
use super::ticket::SimTicket;

/// The largest page; a larger one is cut to it.
const LARGEST_PAGE: usize = 100;
/// The size of a page when none is given.
const USUAL_PAGE: usize = 10;

/// A filter or sort that the service does not know; it will only say "internal error".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsupported;

/// What a list was asked for.
#[derive(Clone, Debug)]
pub struct Query {
    pub page: usize,
    pub size: usize,
    /// Equal for equal conditions and sorts.
    pub key: String,
    /// Whether the same query may have another answer a minute later.
    pub asks_the_time: bool,
    condition: Option<Filter>,
    sort: Vec<(String, bool)>,
}

impl Query {
    /// Reads a `ListInfoInput`.
    pub fn parse(input: Option<&JsonMap>) -> Result<Self, Unsupported> {
        let field = |name: &str| input.and_then(|input| input.get(name)).filter(|value| !value.is_null());
        let number = |name: &str, usual: usize| match field(name).map(JsonValue::as_u64) {
            None => Ok(usual),
            Some(Some(number @ 1..)) => usize::try_from(number).map_err(|_| Unsupported),
            Some(_) => Err(Unsupported),
        };
        let condition = field("condition");
        Ok(Self {
            page: number("page", 1)?,
            size: number("pageSize", USUAL_PAGE)?.min(LARGEST_PAGE),
            key: format!("{condition:?} {:?}", field("sort")),
            asks_the_time: condition.is_some_and(|condition| condition.to_string().contains("Time")),
            condition: condition.map(Filter::parse).transpose()?,
            sort: field("sort").map(sort_keys).transpose()?.unwrap_or_default(),
        })
    }

    /// Returns how many rows there are up to the end of the page, if it is full.
    pub fn ends_at(&self) -> usize {
        self.page.saturating_mul(self.size)
    }

    /// Returns the part of `rows` that is on the page, and whether there is more.
    pub fn cut<'a, T>(&self, rows: &'a [T]) -> (&'a [T], bool) {
        let start = (self.page - 1).saturating_mul(self.size).min(rows.len());
        let end = (start + self.size).min(rows.len());
        (&rows[start..end], end < rows.len())
    }
}

/// Returns each attribute and whether it is descending. A single key may come without its list.
fn sort_keys(value: &JsonValue) -> Result<Vec<(String, bool)>, Unsupported> {
    let keys = match value {
        JsonValue::Array(keys) => keys.iter().collect(),
        single => vec![single],
    };
    let key = |key: &JsonValue| {
        let attribute = key.get("attribute").and_then(JsonValue::as_str).ok_or(Unsupported)?;
        let descending = key.get("order").and_then(JsonValue::as_str) == Some("DESC");
        Ok((attribute.to_owned(), descending))
    };
    keys.into_iter().map(key).collect()
}

#[derive(Clone, Debug)]
enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Text { attribute: Attribute, operator: Operator, negated: bool, values: Vec<String> },
    Date { updated: bool, operator: DateOperator },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attribute {
    Status,
    Priority,
    Category,
    Subject,
    DisplayId,
    TicketId,
    Client,
    Site,
    Technician,
    Group,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Empty,
    OneOf,
    StartsWith,
    EndsWith,
    Contains,
}

#[derive(Clone, Debug)]
enum DateOperator {
    Today,
    After(DateTime<Utc>),
    Before(DateTime<Utc>),
    InLast(TimeDelta),
}

impl Filter {
    fn parse(condition: &JsonValue) -> Result<Self, Unsupported> {
        let text = |name: &str| condition.get(name).and_then(JsonValue::as_str);
        if let Some(operands) = condition.get("operands").and_then(JsonValue::as_array) {
            let parts = operands.iter().map(Self::parse).collect::<Result<_, _>>()?;
            return Ok(if text("joinOperator") == Some("OR") { Self::Any(parts) } else { Self::All(parts) });
        }
        let (attribute, operator) = text("attribute").zip(text("operator")).ok_or(Unsupported)?;
        let value = condition.get("value").unwrap_or(&JsonValue::Null);
        match attribute {
            "createdTime" | "updatedTime" => {
                Ok(Self::Date { updated: attribute == "updatedTime", operator: date_operator(operator, value)? })
            }
            _ => Self::text(Attribute::parse(attribute)?, operator, value),
        }
    }

    fn text(attribute: Attribute, operator: &str, value: &JsonValue) -> Result<Self, Unsupported> {
        let (operator, negated) = match operator {
            "is" | "in" | "includes" => (Operator::OneOf, false),
            "isNot" | "notIncludes" => (Operator::OneOf, true),
            "isEmpty" => (Operator::Empty, false),
            "isNotEmpty" => (Operator::Empty, true),
            "startsWith" => (Operator::StartsWith, false),
            "endsWith" => (Operator::EndsWith, false),
            "contains" => (Operator::Contains, false),
            "notContains" => (Operator::Contains, true),
            _ => return Err(Unsupported),
        };
        Ok(Self::Text { attribute, operator, negated, values: texts(value) })
    }

    fn accepts(&self, ticket: &SimTicket, dates: DateFilters, now: DateTime<Utc>) -> Result<bool, Unsupported> {
        match self {
            Self::All(parts) => parts.iter().try_fold(true, |all, part| Ok(part.accepts(ticket, dates, now)? && all)),
            Self::Any(parts) => parts.iter().try_fold(false, |any, part| Ok(part.accepts(ticket, dates, now)? || any)),
            Self::Text { attribute, operator, negated, values } => {
                Ok(operator.accepts(attribute.of(ticket).as_deref(), values) != *negated)
            }
            Self::Date { updated, operator } => match dates {
                DateFilters::Refused => Err(Unsupported),
                DateFilters::Ignored => Ok(true),
                DateFilters::Work => {
                    Ok(operator.accepts(if *updated { ticket.updated_at } else { ticket.created_at }, now))
                }
            },
        }
    }
}

impl Attribute {
    /// Accepts the names that are known to work. `client.accountId` is not among them.
    fn parse(name: &str) -> Result<Self, Unsupported> {
        Ok(match name {
            "status" => Self::Status,
            "priority" => Self::Priority,
            "category" => Self::Category,
            "subject" => Self::Subject,
            "displayId" => Self::DisplayId,
            "ticketId" => Self::TicketId,
            "client.name" => Self::Client,
            "site.name" => Self::Site,
            "technician.name" => Self::Technician,
            "techGroup.name" => Self::Group,
            _ => return Err(Unsupported),
        })
    }

    fn of(self, ticket: &SimTicket) -> Option<String> {
        let lower = |text: &str| text.to_lowercase();
        match self {
            Self::Status => ticket.status.as_deref().map(lower),
            Self::Priority => ticket.priority.as_deref().map(lower),
            Self::Category => ticket.category.as_deref().map(lower),
            Self::Subject => Some(lower(&ticket.subject)),
            Self::DisplayId => Some(lower(&ticket.display_id)),
            Self::TicketId => Some(ticket.id.to_string()),
            Self::Client => ticket.client.as_ref().map(|client| lower(&client.name)),
            Self::Site => ticket.site.as_ref().map(|site| lower(&site.name)),
            Self::Technician => ticket.technician.as_ref().map(|person| lower(&person.name)),
            Self::Group => ticket.group.as_ref().map(|group| lower(&group.name)),
        }
    }
}

impl Operator {
    fn accepts(self, text: Option<&str>, values: &[String]) -> bool {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return self == Self::Empty };
        let any = |test: &dyn Fn(&str) -> bool| values.iter().any(|value| test(value));
        match self {
            Self::Empty => false,
            Self::OneOf => any(&|value| text == value),
            Self::StartsWith => any(&|value| text.starts_with(value)),
            Self::EndsWith => any(&|value| text.ends_with(value)),
            Self::Contains => any(&|value| text.contains(value)),
        }
    }
}

/// Returns one text or a list of them, in lower case.
fn texts(value: &JsonValue) -> Vec<String> {
    match value {
        JsonValue::Array(values) => values.iter().filter_map(JsonValue::as_str).map(str::to_lowercase).collect(),
        single => single.as_str().map(str::to_lowercase).into_iter().collect(),
    }
}

fn date_operator(operator: &str, value: &JsonValue) -> Result<DateOperator, Unsupported> {
    let moment = || value.as_str().and_then(moment).ok_or(Unsupported);
    match operator {
        "on" if value.as_str() == Some("placeholder.today") => Ok(DateOperator::Today),
        "after" => moment().map(DateOperator::After),
        "before" => moment().map(DateOperator::Before),
        "inLast" => span(value).map(DateOperator::InLast).ok_or(Unsupported),
        _ => Err(Unsupported),
    }
}

/// Reads `{unit: "DAY", quantity: 3}`; finer units are documented but nobody has seen them work.
fn span(value: &JsonValue) -> Option<TimeDelta> {
    let quantity = value.get("quantity")?.as_i64()?;
    match value.get("unit")?.as_str()? {
        "DAY" => TimeDelta::try_days(quantity),
        "WEEK" => TimeDelta::try_weeks(quantity),
        _ => None,
    }
}

fn moment(text: &str) -> Option<DateTime<Utc>> {
    text.parse::<NaiveDateTime>().ok().map(|at| at.and_utc())
}

impl DateOperator {
    fn accepts(&self, at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        match self {
            Self::Today => at.date_naive() == now.date_naive(),
            Self::After(limit) => at > *limit,
            Self::Before(limit) => at < *limit,
            Self::InLast(span) => at >= now - *span,
        }
    }
}

/// Returns the indices of the tickets that `query` asks for, in its order.
pub fn select(
    tickets: &[SimTicket],
    query: &Query,
    habits: &Habits,
    now: DateTime<Utc>,
) -> Result<Vec<u32>, Unsupported> {
    let mut rows: Vec<&SimTicket> = Vec::with_capacity(tickets.len());
    for ticket in tickets.iter().filter(|ticket| !ticket.deleted && !habits.hidden.holds(ticket.id)) {
        let wanted = query.condition.as_ref().map_or(Ok(true), |c| c.accepts(ticket, habits.date_filters, now))?;
        if wanted {
            rows.push(ticket);
        }
    }
    // Without a working sort, the order means nothing: the same for each request, but unrelated to age.
    rows.sort_by_cached_key(|ticket| scramble(ticket.id ^ habits.seed));
    match habits.sort {
        _ if query.sort.is_empty() => {}
        Sorting::Refused => return Err(Unsupported),
        Sorting::Ignored => {}
        Sorting::Works => {
            sort(&mut rows, &query.sort)?;
            if habits.swapped_pairs {
                swap_pairs(&mut rows);
            }
        }
    }
    let first = tickets.first().map_or(0, |ticket| ticket.id);
    Ok(rows.into_iter().filter_map(|ticket| u32::try_from(ticket.id - first).ok()).collect())
}

/// Sorts by the last key first: each sort is stable.
fn sort(rows: &mut [&SimTicket], keys: &[(String, bool)]) -> Result<(), Unsupported> {
    for (attribute, descending) in keys.iter().rev() {
        let key: fn(&SimTicket) -> DateTime<Utc> = match attribute.as_str() {
            "updatedTime" => |ticket| ticket.updated_at,
            "createdTime" => |ticket| ticket.created_at,
            _ => return Err(Unsupported),
        };
        rows.sort_by(|a, b| if *descending { key(b).cmp(&key(a)) } else { key(a).cmp(&key(b)) });
    }
    Ok(())
}

/// Swaps the second and third of every ten.
fn swap_pairs(rows: &mut [&SimTicket]) {
    for ten in rows.chunks_mut(10).filter(|ten| ten.len() > 2) {
        ten.swap(1, 2);
    }
}

/// Spreads neighbouring numbers far apart (the finisher of SplitMix64).
pub fn scramble(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::msp::Msp;
    use crate::simulator::world::{NewTicket, World};
    use apollo_compiler::response::serde_json_bytes::json;

    fn noon() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn world(sort: Sorting, date_filters: DateFilters) -> World {
        let habits = Habits { seed: 7, sort, date_filters, ..Habits::default() };
        let mut world = World::new(Msp::made_up(), habits);
        for (age, status) in [(300, "Open"), (200, "Closed"), (4_000, "On Hold"), (100, "open")] {
            let spec = NewTicket {
                status: Some(status.to_owned()),
                created_in: TimeDelta::minutes(-age),
                technician: (age != 200).then(|| "Yuki Tanaka".to_owned()),
                ..NewTicket::default()
            };
            world.add(spec, noon());
        }
        world
    }

    fn ask(world: &World, input: JsonValue) -> Result<Vec<u32>, Unsupported> {
        let query = Query::parse(input.as_object())?;
        world.list(&query, noon()).map(|list| list.to_vec())
    }

    #[test]
    fn conditions_choose_and_unknown_ones_are_refused() {
        let world = world(Sorting::Works, DateFilters::Work);
        let text = |attribute: &str, operator: &str, value: JsonValue| json!({"attribute": attribute, "operator": operator, "value": value});
        let cases = [
            (text("status", "is", json!("open")), Ok(vec![0, 3])),
            (text("status", "includes", json!(["Closed", "On Hold"])), Ok(vec![1, 2])),
            (text("status", "notIncludes", json!(["Closed"])), Ok(vec![0, 2, 3])),
            (text("technician.name", "isEmpty", json!(null)), Ok(vec![1])),
            (text("createdTime", "inLast", json!({"unit": "DAY", "quantity": 2})), Ok(vec![0, 1, 3])),
            (text("createdTime", "after", json!("2027-01-15T05:30:00")), Ok(vec![3])),
            (text("updatedTime", "greater_than", json!("2027-01-15T05:30:00")), Err(Unsupported)),
            (text("client.accountId", "is", json!("6841203957716402176")), Err(Unsupported)),
            (json!({"field": "status", "eq": "Open"}), Err(Unsupported)),
            (
                json!({"joinOperator": "OR", "operands": [text("status", "is", json!("Closed")), text("status", "contains", json!("hold"))]}),
                Ok(vec![1, 2]),
            ),
        ];
        for (condition, expected) in cases {
            let answer = ask(&world, json!({"condition": condition})).map(|mut list| {
                list.sort_unstable();
                list
            });
            assert_eq!(answer, expected, "{condition}");
        }
    }

    #[test]
    fn date_filters_can_be_refused_or_ignored() {
        let input = json!({"condition": {"attribute": "updatedTime", "operator": "inLast", "value": {"unit": "DAY", "quantity": 1}}});
        assert_eq!(ask(&world(Sorting::Works, DateFilters::Refused), input.clone()), Err(Unsupported));
        assert_eq!(ask(&world(Sorting::Works, DateFilters::Ignored), input).unwrap().len(), 4);
    }

    #[test]
    fn a_sort_works_is_ignored_or_is_refused() {
        let newest_first = json!({"sort": [{"attribute": "updatedTime", "order": "DESC"}]});
        let sorted = ask(&world(Sorting::Works, DateFilters::Work), newest_first.clone()).unwrap();
        assert_eq!(sorted, [3, 1, 0, 2]);
        let unsorted = ask(&world(Sorting::Works, DateFilters::Work), json!({})).unwrap();
        assert_ne!(unsorted, sorted);
        assert_eq!(ask(&world(Sorting::Ignored, DateFilters::Work), newest_first.clone()).unwrap(), unsorted);
        assert_eq!(ask(&world(Sorting::Refused, DateFilters::Work), newest_first), Err(Unsupported));
    }

    #[test]
    fn pages_are_cut_and_the_last_one_says_so() {
        let rows: Vec<u32> = (0..250).collect();
        let page = |page: u32, size: u32| Query::parse(json!({"page": page, "pageSize": size}).as_object());
        assert_eq!(page(1, 500).unwrap().cut(&rows), (&rows[..100], true), "a hundred at the most");
        assert_eq!(page(3, 100).unwrap().cut(&rows), (&rows[200..], false));
        assert_eq!(page(9, 100).unwrap().cut(&rows), (&rows[..0], false));
        assert!(page(0, 100).is_err());
    }
}
