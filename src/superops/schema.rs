//! Compares a tenant's schema with the one we were built for, as far as we use it,
//! and rewords our operations for a tenant that lacks some of it.
//!
//! What we use is read from our own operations, so that the comparison cannot
//! fall behind them. Whether a field may be null does not matter: null is
//! expected everywhere.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use apollo_compiler::executable::{Selection, SelectionSet};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};
use serde_json::Value;

use super::convert::records;
use super::operations::TEXTS;

/// The schema our operations were checked against when this was compiled.
const OURS: &str = include_str!("../../graphql/schema.graphql");

/// What we put into variables: an operation's text does not show it.
const INPUTS: [(&str, &[&str]); 6] = [
    ("ListInfoInput", &["page", "pageSize", "condition", "sort"]),
    ("RuleConditionInput", &["attribute", "operator", "value"]),
    ("SortInput", &["attribute", "order"]),
    ("TicketIdentifierInput", &["ticketId"]),
    ("GetClientSiteListInput", &["listInfo"]),
    ("CreateTicketNoteInput", &["ticket", "content", "privacyType"]),
];

/// A field we use that this tenant has otherwise, or not at all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Difference {
    /// `Ticket.sla`
    pub place: String,
    /// Its type in our schema, without `!`.
    pub expected: String,
    /// None: this tenant has no such field.
    pub found: Option<String>,
}

/// What differs in `live`, the answer to an introspection, in the order of the places.
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

/// Our operations as `live` can answer them: without the fields it does not have.
///
/// Maps the text of an operation to its new wording; those that need none are
/// left out, and so are those of which nothing would be left.
pub(super) fn rewordings(live: &Value) -> HashMap<&'static str, String> {
    let differences = differences(live).into_iter();
    let missing: BTreeSet<_> = differences.filter(|field| field.found.is_none()).map(|field| field.place).collect();
    let ours = our_schema();
    let reword = |text: &'static str| Some((text, without(&missing, &ours, text)?));
    TEXTS.into_iter().filter_map(reword).collect()
}

fn without(missing: &BTreeSet<String>, ours: &Valid<Schema>, text: &'static str) -> Option<String> {
    let mut document = document(ours, text);
    let mut removed = 0;
    for operation in document.operations.named.values_mut() {
        removed += prune(&mut operation.make_mut().selection_set, missing)?;
    }
    (removed > 0).then(|| document.to_string())
}

/// Takes the missing fields out, and says how many; none if a selection would be empty.
fn prune(selected: &mut SelectionSet, missing: &BTreeSet<String>) -> Option<usize> {
    let (before, parent) = (selected.selections.len(), selected.ty.clone());
    selected.selections.retain(|selection| {
        selection.as_field().is_none_or(|field| !missing.contains(&format!("{parent}.{}", field.name)))
    });
    let mut removed = before - selected.selections.len();
    for selection in &mut selected.selections {
        if let Selection::Field(field) = selection
            && !field.selection_set.is_empty()
        {
            removed += prune(&mut field.make_mut().selection_set, missing)?;
        }
    }
    (!selected.selections.is_empty()).then_some(removed)
}

/// Whether this tenant knows the query `name`.
pub(super) fn has_query(live: &Value, name: &str) -> bool {
    let fields = live.pointer("/queryType/fields");
    fields.into_iter().flat_map(records).any(|field| text(field, "name") == name)
}

/// Every `Type.field` of an introspection, with its type.
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

/// A type as a schema writes it, without `!`: `[Ticket]`.
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

/// Every `Type.field` that we use, with its type in our schema.
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

    /// An introspection answer with all that we use, but for one field.
    pub fn live(without: &str) -> Value {
        let mut types: BTreeMap<String, Vec<Value>> = BTreeMap::new();
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
        json!({ "types": types })
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

    #[test]
    fn a_missing_field_is_no_longer_asked_for() {
        let reworded = rewordings(&live("Ticket.category"));
        let page = &reworded[operations::get_ticket_list::QUERY];
        assert!(!page.contains("category") && page.contains("priority"), "{page}");
        assert_eq!(reworded.len(), 2, "the page and the single ticket, nothing else");
    }

    #[test]
    fn an_operation_of_which_nothing_would_be_left_stays_as_it_is() {
        assert!(rewordings(&live("Query.getSLAList")).is_empty());
    }

    #[test]
    fn what_we_put_into_variables_is_compared_too() {
        assert_eq!(differences(&live("SortInput.order"))[0].place, "SortInput.order");
    }

    #[test]
    fn a_query_of_newer_tenants_is_found_by_name() {
        let names = json!({ "queryType": { "fields": [{ "name": "getAllFields" }] } });
        assert!(has_query(&names, "getAllFields"));
        assert!(!has_query(&names, "getStatusList"));
    }
}
