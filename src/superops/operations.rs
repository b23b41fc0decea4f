//! The operations we send to SuperOps: their texts and variables.
//!
//! Both are checked against the schema at compile time. Answers are not decoded with the generated types: one odd
//! record would fail a whole page, and the official form of an error has no `message`.

use graphql_client::{GraphQLQuery, QueryBody};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Order, TicketAsk, TicketEdit};
use crate::ticket::TicketId;

/// The largest page SuperOps gives.
pub(super) const PAGE_SIZE: u32 = 100;

/// The schema's scalar, under the name that the generated code looks for.
#[expect(clippy::upper_case_acronyms, reason = "the schema calls it so")]
type JSON = Value;

macro_rules! operation {
    ($name:ident, $path:tt, $schema:tt) => {
        #[derive(GraphQLQuery)]
        #[graphql(schema_path = $schema, query_path = $path, skip_serializing_none, variables_derives = "Debug, Default")]
        pub(super) struct $name;
    };
    ($name:ident, $path:tt) => {
        operation!($name, $path, "graphql/schema.graphql");
    };
}

operation!(GetTicketList, "graphql/getTicketList.graphql");
operation!(GetTicket, "graphql/getTicket.graphql");
operation!(GetTicketConversationList, "graphql/getTicketConversationList.graphql");
operation!(GetTicketNoteList, "graphql/getTicketNoteList.graphql");
operation!(CreateTicketNote, "graphql/createTicketNote.graphql");
operation!(UpdateTicket, "graphql/updateTicket.graphql");
operation!(GetTechnicianList, "graphql/getTechnicianList.graphql");
operation!(GetClientList, "graphql/getClientList.graphql");
operation!(GetClientSiteList, "graphql/getClientSiteList.graphql");
operation!(GetTechnicianGroupList, "graphql/getTechnicianGroupList.graphql");
operation!(GetSLAList, "graphql/getSLAList.graphql");
operation!(GetPriorityList, "graphql/getPriorityList.graphql");
operation!(GetStatusList, "graphql/getStatusList.graphql");
operation!(GetAllFields, "graphql/getAllFields.graphql", "graphql/field-api.schema.graphql");

/// The texts of all operations in the documented schema.
pub(super) const TEXTS: [&str; 13] = [
    get_ticket_list::QUERY,
    get_ticket::QUERY,
    get_ticket_conversation_list::QUERY,
    get_ticket_note_list::QUERY,
    create_ticket_note::QUERY,
    update_ticket::QUERY,
    get_technician_list::QUERY,
    get_client_list::QUERY,
    get_client_site_list::QUERY,
    get_technician_group_list::QUERY,
    get_sla_list::QUERY,
    get_priority_list::QUERY,
    get_status_list::QUERY,
];

/// The operation name of queries about the schema itself.
pub(super) const SCHEMA: &str = "__schema";

/// What an internal error of SuperOps says about the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing about the call: retry it.
    Plain,
    /// SuperOps may be refusing our sort or filter, or stumbling over that one record: retry once, then diagnose.
    Shaped,
    /// Do not retry: the question is whether it works now.
    Once,
    /// The change may have been made: check, and never repeat it.
    Write,
}

/// One call, ready to be sent as often as needed.
pub(super) struct Call {
    /// The API field that is queried; it names the call in logs and metrics, and holds the answer.
    pub operation: &'static str,
    pub kind: Kind,
    pub text: &'static str,
    pub body: Vec<u8>,
}

impl Call {
    fn new<V: Serialize>(operation: &'static str, kind: Kind, query: QueryBody<V>) -> Self {
        let body = serde_json::to_vec(&query).expect("a query with text keys always serialises");
        Self { operation, kind, text: query.query, body }
    }

    /// Returns the same call with another text.
    pub fn with_text(&self, text: &str) -> Self {
        let mut body: Value = serde_json::from_slice(&self.body).expect("we wrote it");
        body["query"] = text.into();
        let body = body.to_string().into_bytes();
        Self { operation: self.operation, kind: self.kind, text: self.text, body }
    }
}

/// Builds a query for `size` tickets, after those of the pages before `page`.
pub(super) fn tickets(ask: &TicketAsk, page: u32, size: u32) -> Call {
    let condition = match ask.older_than {
        Some(at) => Some(("updatedTime", "before", json!(at.format("%Y-%m-%dT%H:%M:%S").to_string()))),
        None => status_not_in(&ask.leave_out_statuses),
    };
    let sort = match ask.order {
        Order::UpdatedDesc => Some("updatedTime"),
        Order::Unsorted => None,
    };
    ticket_list(page, size, condition, sort)
}

/// Builds a query for the tickets created in the last `days`: a filter by date, which not every tenant supports.
pub(super) fn tickets_created_in_last(days: u32) -> Call {
    let condition = ("createdTime", "inLast", json!({ "unit": "DAY", "quantity": days }));
    ticket_list(1, PAGE_SIZE, Some(condition), None)
}

type Condition = (&'static str, &'static str, Value);

fn status_not_in(statuses: &[String]) -> Option<Condition> {
    (!statuses.is_empty()).then(|| ("status", "notIncludes", json!(statuses)))
}

fn ticket_list(page: u32, size: u32, condition: Option<Condition>, sort: Option<&str>) -> Call {
    use get_ticket_list::{ListInfoInput, RuleConditionInput, SortInput, SortOrder, Variables};
    let kind = if condition.is_some() || sort.is_some() { Kind::Shaped } else { Kind::Plain };
    let condition = condition.map(|(attribute, operator, value)| RuleConditionInput {
        attribute: Some(attribute.to_owned()),
        operator: Some(operator.to_owned()),
        value: Some(value),
        ..Default::default()
    });
    let sort = sort
        .map(|attribute| vec![Some(SortInput { attribute: Some(attribute.to_owned()), order: Some(SortOrder::DESC) })]);
    let input = ListInfoInput { page: Some(page.into()), page_size: Some(size.into()), condition, sort };
    Call::new("getTicketList", kind, GetTicketList::build_query(Variables { input }))
}

/// One ticket.
pub(super) fn ticket(id: &TicketId) -> Call {
    use get_ticket::{TicketIdentifierInput, Variables};
    let input = TicketIdentifierInput { ticket_id: id.to_string() };
    Call::new("getTicket", Kind::Shaped, GetTicket::build_query(Variables { input }))
}

/// Who wrote on a ticket, and when.
pub(super) fn conversations(id: &TicketId) -> Call {
    use get_ticket_conversation_list::{TicketIdentifierInput, Variables};
    let input = TicketIdentifierInput { ticket_id: id.to_string() };
    let query = GetTicketConversationList::build_query(Variables { input });
    Call::new("getTicketConversationList", Kind::Plain, query)
}

/// The notes of a ticket.
pub(super) fn notes(id: &TicketId) -> Call {
    use get_ticket_note_list::{TicketIdentifierInput, Variables};
    let input = TicketIdentifierInput { ticket_id: id.to_string() };
    Call::new("getTicketNoteList", Kind::Plain, GetTicketNoteList::build_query(Variables { input }))
}

/// A new private note on a ticket.
pub(super) fn add_note(id: &TicketId, html: String) -> Call {
    use create_ticket_note::{CreateTicketNoteInput, NotePrivacyType, TicketIdentifierInput, Variables};
    let input = CreateTicketNoteInput {
        ticket: TicketIdentifierInput { ticket_id: id.to_string() },
        content: html,
        attachments: None,
        added_by: None,
        added_on: None,
        privacy_type: Some(NotePrivacyType::PRIVATE),
    };
    Call::new("createTicketNote", Kind::Write, CreateTicketNote::build_query(Variables { input }))
}

/// A change of one field of a ticket.
pub(super) fn edit_ticket(id: &TicketId, edit: &TicketEdit) -> Call {
    use update_ticket::{TechnicianIdentifierInput, UpdateTicketInput, Variables};
    let (technician, priority) = match edit {
        TicketEdit::Technician(person) => (Some(TechnicianIdentifierInput { user_id: person.to_string() }), None),
        TicketEdit::Priority(name) => (None, Some(name.clone())),
    };
    let input = UpdateTicketInput { ticket_id: id.to_string(), technician, priority, ..UpdateTicketInput::default() };
    Call::new("updateTicket", Kind::Write, UpdateTicket::build_query(Variables { input }))
}

/// One page of technicians.
pub(super) fn technicians(page: u32) -> Call {
    use get_technician_list::{ListInfoInput, Variables};
    let input =
        ListInfoInput { page: Some(page.into()), page_size: Some(PAGE_SIZE.into()), condition: None, sort: None };
    Call::new("getTechnicianList", Kind::Plain, GetTechnicianList::build_query(Variables { input }))
}

/// One page of clients.
pub(super) fn clients(page: u32) -> Call {
    use get_client_list::{ListInfoInput, Variables};
    let input =
        ListInfoInput { page: Some(page.into()), page_size: Some(PAGE_SIZE.into()), condition: None, sort: None };
    Call::new("getClientList", Kind::Plain, GetClientList::build_query(Variables { input }))
}

/// One page of sites, of all clients.
pub(super) fn sites(page: u32) -> Call {
    use get_client_site_list::{GetClientSiteListInput, ListInfoInput, Variables};
    let info =
        ListInfoInput { page: Some(page.into()), page_size: Some(PAGE_SIZE.into()), condition: None, sort: None };
    let input = GetClientSiteListInput { list_info: Some(info), client_id: None };
    Call::new("getClientSiteList", Kind::Plain, GetClientSiteList::build_query(Variables { input }))
}

/// All groups of technicians.
pub(super) fn groups() -> Call {
    let query = GetTechnicianGroupList::build_query(get_technician_group_list::Variables {});
    Call::new("getTechnicianGroupList", Kind::Plain, query)
}

/// All SLAs, by name only.
pub(super) fn slas() -> Call {
    Call::new("getSLAList", Kind::Plain, GetSLAList::build_query(get_sla_list::Variables {}))
}

/// All priorities.
pub(super) fn priorities() -> Call {
    Call::new("getPriorityList", Kind::Plain, GetPriorityList::build_query(get_priority_list::Variables {}))
}

/// All statuses. `Shaped`, because newer tenants may refuse this list.
pub(super) fn statuses() -> Call {
    Call::new("getStatusList", Kind::Shaped, GetStatusList::build_query(get_status_list::Variables {}))
}

/// The fields of a ticket and the values each may hold; newer tenants keep their statuses here.
pub(super) fn ticket_fields() -> Call {
    let query = GetAllFields::build_query(get_all_fields::Variables { input: "TICKET".to_owned() });
    Call::new("getAllFields", Kind::Shaped, query)
}

/// The whole schema as this tenant has it.
pub(super) fn introspect() -> Call {
    schema_call("Introspect", include_str!("../../graphql/introspect.graphql"))
}

/// The names of all queries this tenant knows.
pub(super) fn query_names() -> Call {
    schema_call("QueryNames", include_str!("../../graphql/queryNames.graphql"))
}

fn schema_call(operation_name: &'static str, query: &'static str) -> Call {
    Call::new(SCHEMA, Kind::Shaped, QueryBody { variables: json!({}), query, operation_name })
}
