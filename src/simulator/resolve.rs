//! Answers the fields of a query from the world.
//!
//! Rows that hardly change are kept as JSON and read through the schema; a ticket's fields are computed on demand,
//! since there are so many tickets.

use std::borrow::Cow;
use std::cell::Cell;

use apollo_compiler::Schema;
use apollo_compiler::ast::Type;
use apollo_compiler::resolvers::{FieldError, ObjectValue, ResolveInfo, ResolvedValue};
use apollo_compiler::response::serde_json_bytes::json;
use apollo_compiler::response::{JsonMap, JsonValue};
use chrono::{DateTime, SubsecRound, Timelike, Utc};

use super::graphql::Refusal;
use super::habit::{Habits, Missing, TotalCount};
use super::listing::Query;
use super::msp::{Msp, client_leaf, group_leaf, object, person_leaf, plain_leaf};
use super::ticket::{ConversationEntry, DueOnPause, EntryKind, Ref, SimNote, SimTicket, Text};
use super::world::World;

pub(super) type Answer<'a> = Result<ResolvedValue<'a>, FieldError>;

/// Why the last field failed. The executor keeps only a text, but the form of the answer depends on more.
#[derive(Default)]
pub struct Verdict(Cell<Option<Refusal>>);

impl Verdict {
    /// Returns the refusal to answer with.
    pub fn take(&self) -> Refusal {
        self.0.take().unwrap_or(Refusal::Internal)
    }

    pub(super) fn refuse(&self, code: &'static str, attribute: &'static str) -> FieldError {
        self.0.set(Some(Refusal::Client { code, attribute: Some(attribute) }));
        FieldError { message: code.to_owned() }
    }
}

pub(super) fn internal(why: &str) -> FieldError {
    FieldError { message: why.to_owned() }
}

/// The root of all queries.
pub struct Questions<'a> {
    pub world: &'a World,
    pub now: DateTime<Utc>,
    pub verdict: Verdict,
}

impl ObjectValue for Questions<'_> {
    fn type_name(&self) -> &str {
        "Query"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Answer<'a> {
        let msp = &self.world.msp;
        let input = info.arguments().get("input").and_then(JsonValue::as_object);
        match info.field_name() {
            "getTicketList" => self.ticket_list(input),
            "getTicket" => self.ticket(input),
            "getTicketConversationList" => Ok(owned_list("TicketConversation", self.conversation(input)?)),
            "getTicketNoteList" => Ok(owned_list("Note", self.notes(input)?)),
            "getTechnicianList" => page("TechnicianList", "userList", "Technician", &msp.rows.technicians, input),
            "getClientList" => page("ClientList", "clients", "Client", &msp.rows.clients, input),
            "getClientSiteList" => self.site_list(input),
            "getTechnicianGroupList" => Ok(owned_list("TechnicianGroup", msp.groups.iter().map(group_row).collect())),
            "getSLAList" => Ok(owned_list("SLA", msp.slas.iter().map(|sla| object(plain_leaf(sla, false))).collect())),
            "getPriorityList" => Ok(owned_list("Priority", Msp::word_rows(&msp.priorities))),
            "getStatusList" => Ok(owned_list("Status", Msp::word_rows(&self.world.statuses()))),
            "getAllFields" => Ok(owned_list("Field", field_rows(self.world))),
            "getHolidayList" => Ok(owned_list("HolidayList", Msp::holiday_rows())),
            "getTeamList" => Ok(owned_list("Team", vec![object(json!({"teamId": "1", "name": "Desk"}))])),
            other => Err(internal(&format!("the look-alike does not answer `{other}`"))),
        }
    }
}

impl<'w> Questions<'w> {
    fn ticket_list(&self, input: Option<&JsonMap>) -> Answer<'_> {
        let query = Query::parse(input).map_err(|_| internal("condition or sort"))?;
        let rows = self.world.list(&query, self.now).map_err(|_| internal("condition or sort"))?;
        let habits = self.world.habits();
        if habits.deepest_row.is_some_and(|deepest| query.ends_at() > deepest) {
            return Err(internal("paged too deep"));
        }
        let (indices, more) = query.cut(&rows);
        let tickets = indices.iter().map(|&index| self.row(self.world.ticket(index as usize))).collect();
        Ok(ResolvedValue::object(TicketPage { tickets, info: ticket_list_info(habits, &query, more, rows.len()) }))
    }

    fn row(&self, ticket: &'w SimTicket) -> TicketRow<'w> {
        TicketRow { ticket: Cow::Borrowed(ticket), now: self.now, rule: self.world.habits().due_on_pause }
    }

    /// Refuses an id that never existed. What a real account does about a deleted one is unknown, so a habit decides.
    fn ticket(&self, input: Option<&JsonMap>) -> Answer<'_> {
        let (ticket, habits) = (self.find(input)?, self.world.habits());
        if habits.unreadable.holds(ticket.id) {
            return Err(internal("unreadable"));
        }
        if !ticket.deleted && !habits.hidden.holds(ticket.id) {
            return Ok(ResolvedValue::object(self.row(ticket)));
        }
        match habits.missing {
            Missing::Null => Ok(ResolvedValue::nullable_object(None::<TicketRow<'_>>)),
            Missing::Refused => Err(self.verdict.refuse("entity_does_not_exist", "ticketId")),
            Missing::InternalError => Err(internal("deleted")),
        }
    }

    fn find(&self, input: Option<&JsonMap>) -> Result<&'w SimTicket, FieldError> {
        let index = find(self.world, input).ok_or_else(|| self.verdict.refuse("entity_does_not_exist", "ticketId"))?;
        Ok(self.world.ticket(index))
    }

    fn conversation(&self, input: Option<&JsonMap>) -> Result<Vec<JsonMap>, FieldError> {
        let ticket = self.find(input)?;
        Ok(ticket.conversation.iter().enumerate().map(|(nth, entry)| conversation_row(ticket, nth, entry)).collect())
    }

    fn notes(&self, input: Option<&JsonMap>) -> Result<Vec<JsonMap>, FieldError> {
        Ok(self.find(input)?.notes.iter().map(note_row).collect())
    }

    fn site_list(&self, input: Option<&JsonMap>) -> Answer<'_> {
        let inner = input.and_then(|input| input.get("listInfo")).and_then(JsonValue::as_object);
        page("ClientSiteList", "sites", "ClientSite", &self.world.msp.rows.sites, inner)
    }
}

pub(super) fn find(world: &World, input: Option<&JsonMap>) -> Option<usize> {
    world.find(&id_text(input?.get("ticketId")?))
}

/// Returns an id that came as text or as a number.
pub(super) fn id_text(value: &JsonValue) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A row kept as JSON. Missing fields are null.
pub(super) struct JsonRow<'a> {
    pub(super) type_name: &'a str,
    pub(super) fields: Cow<'a, JsonMap>,
}

impl ObjectValue for JsonRow<'_> {
    fn type_name(&self) -> &str {
        self.type_name
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Answer<'a> {
        let value = self.fields.get(info.field_name()).unwrap_or(&JsonValue::Null);
        Ok(shaped(value, &info.field_definition().ty, info.schema()))
    }
}

/// Shapes a JSON value to the schema's type: JSON scalars stay whole, objects and lists are walked through.
fn shaped<'a>(value: &'a JsonValue, wanted: &'a Type, schema: &'a Schema) -> ResolvedValue<'a> {
    match (value, wanted) {
        (JsonValue::Array(items), Type::List(inner) | Type::NonNullList(inner)) => {
            ResolvedValue::list(items.iter().map(move |item| shaped(item, inner, schema)))
        }
        (JsonValue::Object(fields), Type::Named(name) | Type::NonNullNamed(name))
            if schema.get_object(name).is_some() =>
        {
            ResolvedValue::object(JsonRow { type_name: name, fields: Cow::Borrowed(fields) })
        }
        (leaf, _) => ResolvedValue::leaf(leaf.clone()),
    }
}

fn owned_list<'a>(type_name: &'static str, rows: Vec<JsonMap>) -> ResolvedValue<'a> {
    let row = move |fields| ResolvedValue::object(JsonRow { type_name, fields: Cow::Owned(fields) });
    ResolvedValue::list(rows.into_iter().map(row))
}

/// Returns a page of rows kept as JSON. Conditions and sorts are for tickets only.
fn page<'a>(
    list: &'static str,
    key: &'static str,
    row: &'static str,
    rows: &'a [JsonMap],
    input: Option<&JsonMap>,
) -> Answer<'a> {
    let query = Query::parse(input).map_err(|_| internal("condition or sort"))?;
    let (cut, more) = query.cut(rows);
    Ok(ResolvedValue::object(Page { list, key, row, rows: cut, info: list_info(&query, more, rows.len()) }))
}

struct Page<'a> {
    list: &'static str,
    key: &'static str,
    row: &'static str,
    rows: &'a [JsonMap],
    info: JsonMap,
}

impl ObjectValue for Page<'_> {
    fn type_name(&self) -> &str {
        self.list
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Answer<'a> {
        match info.field_name() {
            "listInfo" => Ok(list_info_row(&self.info)),
            name if name == self.key => {
                Ok(ResolvedValue::list(self.rows.iter().map(|fields| {
                    ResolvedValue::object(JsonRow { type_name: self.row, fields: Cow::Borrowed(fields) })
                })))
            }
            _ => Err(self.unknown_field_error(info)),
        }
    }
}

struct TicketPage<'a> {
    tickets: Vec<TicketRow<'a>>,
    info: JsonMap,
}

impl ObjectValue for TicketPage<'_> {
    fn type_name(&self) -> &str {
        "TicketList"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Answer<'a> {
        match info.field_name() {
            "listInfo" => Ok(list_info_row(&self.info)),
            "tickets" => Ok(ResolvedValue::list(self.tickets.iter().map(|row| ResolvedValue::object(row.clone())))),
            _ => Err(self.unknown_field_error(info)),
        }
    }
}

fn list_info_row(fields: &JsonMap) -> ResolvedValue<'_> {
    ResolvedValue::object(JsonRow { type_name: "ListInfo", fields: Cow::Borrowed(fields) })
}

/// Builds a list's `ListInfo`. `hasMore` is true, or null on the last page; it is never false.
fn list_info(query: &Query, more: bool, total: usize) -> JsonMap {
    object(json!({"page": query.page, "pageSize": query.size, "hasMore": more.then_some(true), "totalCount": total}))
}

/// Builds the same for tickets, where it may be wrong.
fn ticket_list_info(habits: &Habits, query: &Query, more: bool, total: usize) -> JsonMap {
    let mut info = list_info(query, more && !habits.never_more, total);
    let count = i64::try_from(total).unwrap_or(i64::MAX);
    match habits.total_count {
        TotalCount::True => {}
        TotalCount::Null => drop(info.insert("totalCount", JsonValue::Null)),
        TotalCount::Off(by) => drop(info.insert("totalCount", json!(count.saturating_add(by).max(0)))),
    }
    info
}

/// A ticket as seen at a moment.
#[derive(Clone)]
pub(super) struct TicketRow<'a> {
    pub(super) ticket: Cow<'a, SimTicket>,
    pub(super) now: DateTime<Utc>,
    pub(super) rule: DueOnPause,
}

impl ObjectValue for TicketRow<'_> {
    fn type_name(&self) -> &str {
        "Ticket"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Answer<'a> {
        let name = info.field_name();
        let value = self.plain(name).or_else(|| self.leaf(name)).or_else(|| self.clock(name));
        Ok(ResolvedValue::leaf(value.unwrap_or(JsonValue::Null)))
    }
}

impl TicketRow<'_> {
    fn plain(&self, name: &str) -> Option<JsonValue> {
        let ticket = &*self.ticket;
        let text = |text: &Option<Text>| text.as_deref().map(|text| json!(text));
        match name {
            "ticketId" => Some(json!(ticket.id.to_string())),
            "displayId" => Some(json!(ticket.display_id)),
            "subject" => Some(json!(ticket.subject)),
            "requestType" => text(&ticket.request_type),
            "source" => Some(json!(ticket.source)),
            "status" => text(&ticket.status),
            "priority" => text(&ticket.priority),
            "category" => text(&ticket.category),
            "additionalRequester" | "followers" => Some(json!([])),
            "worklogTimespent" => Some(json!("0.00")),
            _ => None,
        }
    }

    /// Returns a field that points elsewhere. Which ids are bare numbers differs from ticket to ticket.
    fn leaf(&self, name: &str) -> Option<JsonValue> {
        let ticket = &*self.ticket;
        let bare = ticket.id.is_multiple_of(3);
        match name {
            "client" => ticket.client.as_ref().map(|client| client_leaf(client, bare)),
            "site" => ticket.site.as_ref().map(|site| plain_leaf(site, !bare)),
            "requester" => ticket.requester.as_ref().map(|person| person_leaf(person, bare)),
            "techGroup" => ticket.group.as_ref().map(group_leaf),
            "technician" => ticket.technician.as_ref().map(|person| person_leaf(person, !bare)),
            "sla" => ticket.sla.as_ref().map(|sla| plain_leaf(sla, false)),
            _ => None,
        }
    }

    fn clock(&self, name: &str) -> Option<JsonValue> {
        let ticket = &*self.ticket;
        let moment = |at: DateTime<Utc>| Some(json!(written(at, ticket.id)));
        match name {
            "createdTime" => moment(ticket.created_at),
            "updatedTime" => moment(ticket.updated_at),
            "firstResponseDueTime" => moment(ticket.first_response.due?),
            "firstResponseTime" => moment(ticket.first_response.met_at?),
            "firstResponseViolated" => ticket.response_violated(self.now).map(JsonValue::Bool),
            "resolutionDueTime" => moment(ticket.resolution_due(self.rule, self.now)?),
            "resolutionTime" => moment(ticket.resolution.met_at?),
            "resolutionViolated" => ticket.resolution_violated(self.rule, self.now).map(JsonValue::Bool),
            _ => None,
        }
    }
}

/// Writes a time as SuperOps does: UTC without an offset, with a varying number of fraction digits. The digits never
/// change the millisecond, so that a sorted list reads as sorted.
pub fn written(at: DateTime<Utc>, id: u64) -> String {
    let at = at.trunc_subsecs(3);
    let whole = at.nanosecond() == 0;
    let form = match (id % 4, whole) {
        (0 | 1, true) => "%Y-%m-%dT%H:%M:%S",
        (3, _) => "%Y-%m-%dT%H:%M:%S%.6f",
        _ => "%Y-%m-%dT%H:%M:%S%.3f",
    };
    at.format(form).to_string()
}

fn group_row(group: &Ref) -> JsonMap {
    object(json!({"groupId": group.id.to_string(), "name": &*group.name}))
}

fn field_rows(world: &World) -> Vec<JsonMap> {
    let options = |words: &[Text]| words.iter().map(|word| json!({"value": &**word})).collect::<Vec<_>>();
    let row =
        |name: &str, words: &[Text]| object(json!({"module": "TICKET", "columnName": name, "options": options(words)}));
    vec![row("status", &world.statuses()), row("priority", &world.msp.priorities)]
}

pub(super) fn note_row(note: &SimNote) -> JsonMap {
    object(json!({
        "noteId": note.id.to_string(),
        "addedOn": written(note.at, note.id),
        "content": note.content,
        "privacyType": &*note.privacy,
    }))
}

fn conversation_row(ticket: &SimTicket, nth: usize, entry: &ConversationEntry) -> JsonMap {
    let (kind, content) = match entry.kind {
        EntryKind::Description => ("DESCRIPTION", ticket.subject.as_str()),
        EntryKind::RequesterReply => ("REQ_REPLY", "<p>Any news?</p>"),
        EntryKind::RequesterNotification => ("REQ_NOTIFICATION", "<p>We received your request</p>"),
        EntryKind::TechnicianReply => ("TECH_REPLY", "<p>Looking at it now.</p>"),
    };
    object(json!({
        "conversationId": format!("{}{nth}", ticket.id / 100),
        "content": content,
        "time": written(entry.at, ticket.id),
        "user": entry.by.as_ref().map(|by| person_leaf(by, nth.is_multiple_of(2))),
        "type": kind,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_no_offset_and_any_number_of_digits_but_keep_their_order() {
        let whole = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let later = DateTime::from_timestamp(1_800_000_000, 905_000_000).unwrap();
        let forms: Vec<String> = (0..4).map(|id| written(whole, id)).collect();
        assert_eq!(forms[0], "2027-01-15T08:00:00");
        assert_eq!(forms[2], "2027-01-15T08:00:00.000");
        assert_eq!(forms[3], "2027-01-15T08:00:00.000000");
        assert!((0..4).all(|id| written(later, id).starts_with("2027-01-15T08:00:00.905")));
    }
}
