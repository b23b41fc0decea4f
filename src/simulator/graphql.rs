//! Executes GraphQL against the committed schema, and words refusals as SuperOps' stack does.
//!
//! A query is parsed and checked once and remembered by its text: a client repeats the same dozen queries for ever.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock, Mutex};

use apollo_compiler::executable::{Operation, Selection};
use apollo_compiler::request::coerce_variable_values;
use apollo_compiler::resolvers::{Execution, ObjectValue};
use apollo_compiler::response::serde_json_bytes::json;
use apollo_compiler::response::{GraphQLError, JsonMap, JsonValue};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::{DiagnosticList, Valid};
use apollo_compiler::{ExecutableDocument, Schema};
use serde::Deserialize;

const SDL: &str = include_str!("../../graphql/schema.graphql");

/// What newer accounts have instead of `getStatusList`.
const FIELD_API: &str = "
extend type Query { getAllFields(input: String!): [Field] }
type Field { id: ID module: String columnName: String label: String fieldType: String options: [FieldOption] }
type FieldOption { id: ID value: String order: Int }
";

static CLASSIC: LazyLock<Arc<Valid<Schema>>> = LazyLock::new(|| compile(SDL.to_owned()));
static NEWER: LazyLock<Arc<Valid<Schema>>> =
    LazyLock::new(|| compile(SDL.replace("  getStatusList: [Status]\n", "") + FIELD_API));

fn compile(sdl: String) -> Arc<Valid<Schema>> {
    let schema = Schema::parse_and_validate(sdl, "schema.graphql");
    Arc::new(schema.expect("the committed schema is valid; a test reads it"))
}

/// The message of every error that is not the client's fault.
pub const INTERNAL: &str = "Internal Server Error(s) while executing query";

/// Splits `Type.field`; without a type, the field is a ticket's.
fn type_and_field(name: &str) -> (&str, &str) {
    name.split_once('.').unwrap_or(("Ticket", name))
}

/// Whether the documented schema has this field, given as a field of a ticket or as `Type.field`.
pub fn is_field(name: &str) -> bool {
    let (of, field) = type_and_field(name);
    CLASSIC.get_object(of).is_some_and(|object| object.fields.contains_key(field))
}

/// Returns the same schema without some fields, unless a type would have no field left: a type must have one.
fn without(schema: &Arc<Valid<Schema>>, fields: &BTreeSet<String>) -> Arc<Valid<Schema>> {
    if fields.is_empty() {
        return Arc::clone(schema);
    }
    let mut less = Schema::clone(schema);
    for (of, field) in fields.iter().map(|name| type_and_field(name)) {
        if let Some(ExtendedType::Object(object)) = less.types.get_mut(of) {
            object.make_mut().fields.shift_remove(field);
        }
    }
    less.validate().map_or_else(|_| Arc::clone(schema), Arc::new)
}

/// The most queries remembered; a client that makes up a new text each time must not fill the memory.
const DOCUMENTS_KEPT: usize = 256;

/// The body of a request.
#[derive(Deserialize)]
pub struct Request {
    pub query: String,
    #[serde(default)]
    variables: Option<JsonMap>,
    #[serde(default, rename = "operationName")]
    operation_name: Option<String>,
}

/// An answer that carries no data, in one of the two forms that errors take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The official envelope, which has no message.
    Client { code: &'static str, attribute: Option<&'static str> },
    /// Everything else: unsupported filters, sorts and lists as well as true faults.
    Internal,
}

impl Refusal {
    /// Returns the body, for a request whose first field is `root`.
    pub fn body(&self, root: &str) -> JsonValue {
        match self {
            Self::Client { code, attribute } => {
                let param = attribute.map_or_else(|| json!({}), |name| json!({"attributes": [name]}));
                json!({"errors": [{"extensions": {"clientError": [{"code": *code, "param": param}]}}], "data": {}})
            }
            Self::Internal => {
                let mut data = JsonMap::new();
                data.insert(root, JsonValue::Null);
                json!({"errors": [{"message": INTERNAL}], "data": data})
            }
        }
    }
}

/// A request that has passed the checks.
pub struct Prepared {
    document: Arc<Valid<ExecutableDocument>>,
    operation_name: Option<String>,
    variables: Valid<JsonMap>,
    /// Whether it writes.
    pub is_mutation: bool,
    /// Its first field, which names what is asked.
    pub root: String,
}

type Checked = Result<Arc<Valid<ExecutableDocument>>, Arc<JsonValue>>;

/// The schema of one account and the queries it has seen.
pub struct Engine {
    schema: Arc<Valid<Schema>>,
    documents: Mutex<HashMap<String, Checked>>,
}

impl Engine {
    /// Uses the documented schema with `status_list`, otherwise that of a newer account. Either lacks `unknown` fields.
    pub fn new(status_list: bool, unknown: &BTreeSet<String>) -> Self {
        let whole = if status_list { &CLASSIC } else { &NEWER };
        Self { schema: without(whole, unknown), documents: Mutex::default() }
    }

    /// Checks a request; the error is the body of the refusal.
    pub fn prepare(&self, request: Request) -> Result<Prepared, JsonValue> {
        let document = self.document(&request.query).map_err(|refusal| (*refusal).clone())?;
        let refuse = |error: apollo_compiler::request::RequestError| {
            refused(vec![worded("WrongType", error.to_graphql_error(&document.sources))])
        };
        let operation = document.operations.get(request.operation_name.as_deref()).map_err(refuse)?;
        let variables =
            coerce_variable_values(&self.schema, operation, &request.variables.unwrap_or_default()).map_err(refuse)?;
        Ok(Prepared {
            variables,
            is_mutation: operation.is_mutation(),
            root: first_field(operation),
            operation_name: request.operation_name,
            document: Arc::clone(&document),
        })
    }

    /// Executes a valid request; any field that fails makes the whole answer an internal error.
    pub fn execute(&self, prepared: &Prepared, root: &dyn ObjectValue) -> Result<JsonValue, Refusal> {
        let response = Execution::new(&self.schema, &prepared.document)
            .enable_schema_introspection(true)
            .coerced_variable_values(&prepared.variables)
            .operation_name(prepared.operation_name.as_deref())
            .and_then(|execution| execution.execute_sync(root));
        match response {
            Ok(response) if response.errors.is_empty() => Ok(json!({"data": response.data})),
            _ => Err(Refusal::Internal),
        }
    }

    fn document(&self, text: &str) -> Checked {
        let Ok(mut documents) = self.documents.lock() else { return Err(Arc::new(Refusal::Internal.body("data"))) };
        if let Some(checked) = documents.get(text) {
            return checked.clone();
        }
        let checked = ExecutableDocument::parse_and_validate(&self.schema, text, "query.graphql")
            .map(Arc::new)
            .map_err(|invalid| Arc::new(refused(graphql_java(&invalid.errors))));
        if documents.len() >= DOCUMENTS_KEPT {
            documents.clear();
        }
        documents.insert(text.to_owned(), checked.clone());
        checked
    }
}

fn first_field(operation: &Operation) -> String {
    let field = operation.selection_set.selections.iter().find_map(Selection::as_field);
    field.map_or_else(String::new, |field| field.name.to_string())
}

/// Returns the answer of an account that shows its schema to nobody.
pub fn no_introspection(root: &str) -> JsonValue {
    let message = format!("Validation error of type FieldUndefined: {}", undefined(root, "Query"));
    refused(vec![json!({"message": message, "extensions": {"classification": "ValidationError"}})])
}

fn undefined(field: &str, of: &str) -> String {
    format!("Field '{field}' in type '{of}' is undefined")
}

fn refused(errors: Vec<JsonValue>) -> JsonValue {
    json!({ "errors": errors })
}

/// Words one error as graphql-java does.
fn worded(class: &str, error: GraphQLError) -> JsonValue {
    let locations = error.locations.iter().map(|at| json!({"line": at.line, "column": at.column}));
    let quoted: Vec<&str> = error.message.split('"').collect();
    let (message, classification) = match (class, &*quoted) {
        ("InvalidSyntax", _) => (format!("Invalid syntax: {}", error.message), "InvalidSyntax"),
        ("FieldUndefined", [_, field, _, of, ..]) => {
            (format!("Validation error of type FieldUndefined: {}", undefined(field, of)), "ValidationError")
        }
        _ => (format!("Validation error of type {class}: {}", error.message), "ValidationError"),
    };
    json!({
        "message": message,
        "locations": locations.collect::<Vec<_>>(),
        "extensions": {"classification": classification},
    })
}

/// Words errors. The compiler drops a selection it cannot use and then reports it missing; only the first complaint is
/// about the query.
fn graphql_java(errors: &DiagnosticList) -> Vec<JsonValue> {
    let (missing, own): (Vec<_>, Vec<_>) = errors
        .iter()
        .map(|diagnostic| (class(diagnostic.error.unstable_error_name()), diagnostic.unstable_to_json_compat()))
        .partition(|(class, _)| *class == "SubSelectionRequired");
    let errors = if own.is_empty() { missing } else { own };
    errors.into_iter().map(|(class, error)| worded(class, error)).collect()
}

/// Returns graphql-java's class for an error; a syntax error has no name here.
fn class(name: Option<&str>) -> &'static str {
    match name {
        None => "InvalidSyntax",
        Some("UndefinedField") => "FieldUndefined",
        Some("SubselectionOnScalarType" | "SubselectionOnEnumType") => "SubSelectionNotAllowed",
        Some("MissingSubselection") => "SubSelectionRequired",
        Some("UndefinedArgument") => "UnknownArgument",
        Some("RequiredArgument") => "MissingFieldArgument",
        Some("UndefinedVariable") => "UndefinedVariable",
        Some("UnusedVariable") => "UnusedVariable",
        Some("UndefinedFragment") => "UndefinedFragment",
        Some("UndefinedDefinition") => "UnknownType",
        Some("DisallowedVariableUsage") => "VariableTypeMismatch",
        Some(_) => "WrongType",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(query: &str, variables: JsonValue) -> String {
        let variables = variables.as_object().cloned();
        let request = Request { query: query.to_owned(), variables, operation_name: None };
        let body = Engine::new(true, &BTreeSet::new()).prepare(request).err().expect("refused");
        assert_eq!(body["errors"][0]["extensions"]["classification"], json!("ValidationError"), "{body}");
        assert!(body.get("data").is_none(), "a refused query has no data at all");
        body["errors"][0]["message"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_wrong_query_is_refused_with_its_class() {
        let list = |fields: &str| format!("{{ getTicketList(input: {{page: 1}}) {{ tickets {{ {fields} }} }} }}");
        let cases = [
            (list("ticketId description"), "FieldUndefined"),
            (list("client { name }"), "SubSelectionNotAllowed"),
            ("{ getTicketList(input: {page: 1}) }".to_owned(), "SubSelectionRequired"),
            ("{ getTicketList { listInfo { page } } }".to_owned(), "MissingFieldArgument"),
            ("{ getTicketList(input: {page: \"one\"}) { listInfo { page } } }".to_owned(), "WrongType"),
            (
                "query ($in: ListInfoInput) { getTicketList(input: $in) { listInfo { page } } }".to_owned(),
                "VariableTypeMismatch",
            ),
        ];
        for (query, class) in cases {
            let message = refusal(&query, json!({}));
            assert!(message.starts_with(&format!("Validation error of type {class}: ")), "{query}: {message}");
        }
    }

    #[test]
    fn a_field_that_the_account_lacks_is_named_and_the_rest_goes_on() {
        let lacking = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
        let engine = Engine::new(true, &lacking(&["requestType", "Technician.email"]));
        let ask = |query: &str| {
            let request = Request { query: query.to_owned(), variables: None, operation_name: None };
            engine.prepare(request).map_err(|body| body["errors"][0]["message"].as_str().unwrap().to_owned()).err()
        };
        let said = "Validation error of type FieldUndefined: Field 'requestType' in type 'Ticket' is undefined";
        assert_eq!(ask("{ getTicket(input: {ticketId: 1}) { subject requestType } }").as_deref(), Some(said));
        assert!(ask("{ getTechnicianList(input: {page: 1}) { userList { email } } }").unwrap().contains("'email'"));
        assert_eq!(ask("{ getTicket(input: {ticketId: 1}) { subject category } }"), None);
        assert!(is_field("Technician.email") && is_field("requestType") && !is_field("requestTyp"));
    }

    #[test]
    fn a_variable_of_the_wrong_kind_is_refused() {
        let query = "query ($input: ListInfoInput!) { getTicketList(input: $input) { listInfo { page } } }";
        refusal(query, json!({"input": {"page": "one"}}));
        refusal(query, json!({}));
    }

    #[test]
    fn the_internal_error_is_the_102_bytes_seen_live() {
        let body = serde_json::to_vec(&Refusal::Internal.body("updateTicket")).unwrap();
        assert_eq!(body.len(), 102, "{}", String::from_utf8_lossy(&body));
    }

    #[test]
    fn a_newer_account_has_the_field_list_instead_of_the_status_list() {
        let ask = |status_list: bool, query: &str| {
            let request = Request { query: query.to_owned(), variables: None, operation_name: None };
            Engine::new(status_list, &BTreeSet::new()).prepare(request).is_ok()
        };
        let (old, new) = ("{ getStatusList { name } }", "{ getAllFields(input: \"TICKET\") { options { value } } }");
        assert!(ask(true, old) && !ask(true, new));
        assert!(ask(false, new) && !ask(false, old));
    }
}
