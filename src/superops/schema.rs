//! Compares a tenant's schema with the one we were built for, as far as we use it, and rewrites our operations for a
//! tenant that lacks parts of it or fails on them.
//!
//! What we use is taken from our own operations, so that the comparison cannot fall behind them. Whether a field may be
//! null does not matter: null is expected everywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use apollo_compiler::executable::{Selection, SelectionSet};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};

use super::convert::records;
use super::json::Value;
use super::operations::{Call, TEXTS};

/// The schema that our operations are checked against at compile time.
const OURS: &str = include_str!("../../graphql/schema.graphql");

/// The input fields that we put into variables, which an operation's text does not show.
const INPUTS: [(&str, &[&str]); 6] = [
    ("ListInfoInput", &["page", "pageSize", "condition", "sort"]),
    ("RuleConditionInput", &["attribute", "operator", "value"]),
    ("SortInput", &["attribute", "order"]),
    ("TicketIdentifierInput", &["ticketId"]),
    ("GetClientSiteListInput", &["listInfo"]),
    ("CreateTicketNoteInput", &["ticket", "content", "privacyType"]),
];

/// Fields that are never left out: a record or a list is useless without them.
const NEEDED: [&str; 9] =
    ["tickets", "userList", "clients", "sites", "ticketId", "userId", "accountId", "groupId", "id"];

/// A field we use that this tenant has with another type, or not at all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Difference {
    /// `Ticket.sla`
    pub place: String,
    /// Its type in our schema, without `!`.
    pub expected: String,
    /// None if this tenant has no such field.
    pub found: Option<String>,
}

/// Returns what differs in `live`, an introspection answer, in order of place.
pub(super) fn differences(live: &Value) -> Vec<Difference> {
    let live = live_fields(live);
    let used = used_fields();
    let mut found = Vec::new();
    for (place, expected) in used {
        let there = live.get(&place);
        if there != Some(&expected) {
            found.push(Difference { found: there.cloned(), place, expected });
        }
    }
    found
}

impl Call {
    /// Returns the same call without those of `fields` that it has.
    pub fn without(&self, fields: &BTreeSet<String>) -> Option<Self> {
        without(self.text, fields).map(|text| self.with_text(&text))
    }
}

/// Removes `fields`, given as paths such as `getTicketList/tickets/category`, from `text`, one of our operations.
///
/// Returns `None` if nothing is to be removed, or nothing would be left.
pub(super) fn without(text: &str, fields: &BTreeSet<String>) -> Option<String> {
    if fields.is_empty() {
        return None;
    }
    let mut document = parsed(text)?;
    let mut removed = 0;
    for operation in document.operations.named.values_mut() {
        removed += prune(&mut operation.make_mut().selection_set, "", fields)?;
    }
    (removed > 0).then(|| document.to_string())
}

/// Removes the fields and returns how many. `None` if a selection would become empty.
fn prune(selected: &mut SelectionSet, above: &str, fields: &BTreeSet<String>) -> Option<usize> {
    let before = selected.selections.len();
    selected
        .selections
        .retain(|selection| selection.as_field().is_none_or(|field| !fields.contains(&way(above, &field.name))));
    let mut removed = before - selected.selections.len();
    for selection in &mut selected.selections {
        if let Selection::Field(field) = selection
            && !field.selection_set.is_empty()
        {
            let here = way(above, &field.name);
            removed += prune(&mut field.make_mut().selection_set, &here, fields)?;
        }
    }
    (!selected.selections.is_empty()).then_some(removed)
}

fn way(above: &str, name: &str) -> String {
    if above.is_empty() { name.to_owned() } else { format!("{above}/{name}") }
}

/// Returns the fields of `text`, one of our operations, that the engine complains of in `message`.
///
/// Engines word this differently: some give the path of the field, all give its name, and most the name of its type, in
/// some kind of quotation marks. Fields that a record cannot do without are never returned.
pub(super) fn complained_of(text: &str, message: &str) -> BTreeSet<String> {
    let mut fields = Vec::new();
    for operation in parsed(text).iter().flat_map(|document| document.operations.iter()) {
        ways(&operation.selection_set, "", &mut fields);
    }
    let words: BTreeSet<_> = message.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '/')).collect();
    let by_way: BTreeSet<_> = fields.iter().filter(|(way, ..)| words.contains(way.as_str())).collect();
    let named: BTreeSet<_> = fields.iter().filter(|(_, name, _)| is_quoted(message, name)).collect();
    let typed = named.iter().filter(|(.., kind)| words.contains(kind.as_str())).copied().collect::<BTreeSet<_>>();
    let found = [by_way, typed, named].into_iter().find(|found| !found.is_empty()).unwrap_or_default();
    found.into_iter().filter(|(_, name, _)| !NEEDED.contains(&name.as_str())).map(|(way, ..)| way.clone()).collect()
}

fn is_quoted(message: &str, name: &str) -> bool {
    ['\'', '"', '`'].iter().any(|mark| message.contains(&format!("{mark}{name}{mark}")))
}

/// Collects each field below the operation's own: its path, its name, and the type that has it.
fn ways(selected: &SelectionSet, above: &str, found: &mut Vec<(String, String, String)>) {
    for selection in &selected.selections {
        if let Selection::Field(field) = selection {
            let here = way(above, &field.name);
            if !above.is_empty() {
                found.push((here.clone(), field.name.to_string(), selected.ty.to_string()));
            }
            ways(&field.selection_set, &here, found);
        }
    }
}

/// Whether this tenant knows the query `name`.
pub(super) fn has_query(live: &Value, name: &str) -> bool {
    let fields = live.pointer("/queryType/fields");
    fields.into_iter().flat_map(records).any(|field| text(field, "name") == name)
}

/// Returns every `Type.field` of an introspection answer, with the field's type.
fn live_fields(live: &Value) -> BTreeMap<String, String> {
    let types = live.get("types").into_iter().flat_map(records);
    types.flat_map(|kind| fields_of(kind).map(move |field| entry(text(kind, "name"), field))).collect()
}

fn fields_of(kind: &Value) -> impl Iterator<Item = &Value> {
    ["fields", "inputFields"].into_iter().filter_map(|key| kind.get(key)).flat_map(records)
}

fn entry(type_name: &str, field: &Value) -> (String, String) {
    let kind = field.get("type").map(type_text).unwrap_or_default();
    (format!("{type_name}.{}", text(field, "name")), kind)
}

/// Writes a type as a schema does, without `!`: `[Ticket]`.
fn type_text(kind: &Value) -> String {
    let inner = || kind.get("ofType").map(type_text).unwrap_or_default();
    match text(kind, "kind") {
        "NON_NULL" => inner(),
        "LIST" => format!("[{}]", inner()),
        _ => text(kind, "name").to_owned(),
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Returns every `Type.field` that we use, with the field's type in our schema.
fn used_fields() -> BTreeSet<(String, String)> {
    let ours = our_schema();
    let mut used = BTreeSet::new();
    for text in TEXTS {
        for operation in document(&ours, text).operations.iter() {
            collect(&operation.selection_set, &mut used);
        }
    }
    used.extend(INPUTS.iter().flat_map(|(name, fields)| input_fields(&ours, name, fields)));
    used
}

fn our_schema() -> Valid<Schema> {
    Schema::parse_and_validate(OURS, "schema.graphql").expect("our schema is checked when this is compiled")
}

/// Returns `None` for an operation that is not of our schema: it has no fields to leave out.
fn parsed(text: &str) -> Option<ExecutableDocument> {
    static SCHEMA: LazyLock<Valid<Schema>> = LazyLock::new(our_schema);
    ExecutableDocument::parse(&SCHEMA, text, "operation.graphql").ok()
}

fn document(ours: &Valid<Schema>, text: &str) -> ExecutableDocument {
    ExecutableDocument::parse(ours, text, "operation.graphql")
        .expect("our operations are checked when this is compiled")
}

/// Our operations have no fragments, so only fields matter.
fn collect(selected: &SelectionSet, used: &mut BTreeSet<(String, String)>) {
    for selection in &selected.selections {
        if let Selection::Field(field) = selection {
            let kind = field.ty().to_string().replace('!', "");
            used.insert((format!("{}.{}", selected.ty, field.name), kind));
            collect(&field.selection_set, used);
        }
    }
}

fn input_fields(ours: &Valid<Schema>, name: &str, fields: &[&str]) -> Vec<(String, String)> {
    let Some(ExtendedType::InputObject(input)) = ours.types.get(name) else { return Vec::new() };
    let known = fields.iter().filter_map(|field| input.fields.get(*field));
    known.map(|field| (format!("{name}.{}", field.name), field.ty.to_string().replace('!', ""))).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::operations;
    use super::*;

    fn read(answer: &serde_json::Value) -> Value {
        Value::parse(&answer.to_string()).unwrap()
    }

    /// An introspection answer with everything that we use, except one field.
    pub fn live(without: &str) -> Value {
        let mut types: BTreeMap<String, Vec<serde_json::Value>> = BTreeMap::new();
        for (place, kind) in used_fields() {
            let (name, field) = place.split_once('.').unwrap();
            if place != without {
                let kind = match kind.strip_prefix('[').and_then(|kind| kind.strip_suffix(']')) {
                    Some(item) => json!({ "kind": "LIST", "ofType": { "kind": "OBJECT", "name": item } }),
                    None => json!({ "kind": "NON_NULL", "ofType": { "kind": "SCALAR", "name": kind } }),
                };
                types.entry(name.to_owned()).or_default().push(json!({ "name": field, "type": kind }));
            }
        }
        let types: Vec<_> = types.iter().map(|(name, fields)| json!({ "name": name, "fields": fields })).collect();
        read(&json!({ "types": types }))
    }

    #[test]
    fn a_schema_like_ours_has_no_differences() {
        assert_eq!(differences(&live("")), []);
    }

    #[test]
    fn a_field_that_is_gone_is_named() {
        let gone = Difference { place: "Ticket.sla".into(), expected: "JSON".into(), found: None };
        assert_eq!(differences(&live("Ticket.sla")), [gone]);
    }

    fn set(fields: &[&str]) -> BTreeSet<String> {
        fields.iter().map(|field| (*field).to_owned()).collect()
    }

    #[test]
    fn a_field_is_no_longer_asked_for() {
        let page = without(operations::get_ticket_list::QUERY, &set(&["getTicketList/tickets/category"])).unwrap();
        assert!(!page.contains("category") && page.contains("priority"), "{page}");
    }

    #[test]
    fn an_operation_of_which_nothing_would_be_left_stays_as_it_is() {
        assert_eq!(without(operations::get_sla_list::QUERY, &set(&["getSLAList"])), None);
        assert_eq!(without(operations::get_ticket_list::QUERY, &set(&["getTicketList/tickets/nothing"])), None);
    }

    #[test]
    fn the_fields_of_a_complaint_are_found_in_any_engines_words() {
        let category = ["getTicketList/tickets/category"];
        let cases: [(&str, &[&str]); 8] = [
            (
                "Validation error (FieldUndefined@[getTicketList/tickets/category]) : Field 'category' in type 'Ticket' is undefined",
                &category,
            ),
            (
                "Validation error of type FieldUndefined: Field 'category' in type 'Ticket' is undefined @ 'getTicketList/tickets/category'",
                &category,
            ),
            ("Cannot query field \"category\" on type \"Ticket\". Did you mean \"cause\"?", &category),
            ("Unknown field `totalCount`", &["getTicketList/listInfo/totalCount"]),
            (
                "Validation error (FieldUndefined@[getTicketList/listInfo]) : Field 'listInfo' in type 'TicketList' is undefined",
                &["getTicketList/listInfo"],
            ),
            ("Validation error (FieldUndefined@[getTicketList/tickets/ticketId]) : Field 'ticketId' is undefined", &[]),
            ("Validation error (UnknownArgument@[getTicketList]) : Unknown field argument 'input'", &[]),
            ("Variable 'input' has coerced Null value for NonNull type", &[]),
        ];
        for (message, expected) in cases {
            assert_eq!(complained_of(operations::get_ticket_list::QUERY, message), set(expected), "{message}");
        }
    }

    #[test]
    fn what_we_put_into_variables_is_compared_too() {
        assert_eq!(differences(&live("SortInput.order"))[0].place, "SortInput.order");
    }

    #[test]
    fn a_query_of_newer_tenants_is_found_by_name() {
        let names = read(&json!({ "queryType": { "fields": [{ "name": "getAllFields" }] } }));
        assert!(has_query(&names, "getAllFields"));
        assert!(!has_query(&names, "getStatusList"));
    }
}
