//! Builds a route's part of the API description from its rule and from the types that it really takes and returns.

use serde_json::{Map, Value, json};
use utoipa::openapi::path::ParameterIn;
use utoipa::openapi::schema::Ref;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, ToSchema};

use super::{Audience, Needs, Route, Takes, Tenants};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const EVENTS: &str = "text/event-stream";
const HTML: &str = "text/html";

/// Named types, as listed in the description.
pub type Schemas = Vec<(String, RefOr<Schema>)>;

/// Refers to a type in the description and adds it, and the types it uses, to the list.
type Named = fn(&mut Schemas) -> Value;

/// What the table says of a route beside its rule.
#[derive(Clone, Default)]
pub struct Description {
    summary: &'static str,
    query: Option<fn() -> Value>,
    body: Option<Body>,
    answers: Vec<Answer>,
    refusals: Vec<u16>,
    is_numbered: bool,
    proof: &'static [&'static str],
}

#[derive(Clone, Copy)]
struct Body {
    kind: &'static str,
    named: Named,
    required: bool,
}

/// One way in which a route answers a request.
#[derive(Clone)]
struct Answer {
    status: u16,
    what: &'static str,
    contents: Vec<(&'static str, Option<Named>)>,
}

fn named<T: ToSchema>(schemas: &mut Schemas) -> Value {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
    json!(Ref::from_schema_name(T::name()))
}

fn listed<T: ToSchema>(schemas: &mut Schemas) -> Value {
    json!({ "type": "array", "items": named::<T>(schemas) })
}

fn query_of<Q: IntoParams>() -> Value {
    json!(Q::into_params(|| Some(ParameterIn::Query)))
}

impl Route {
    /// Says in a line what the route does.
    pub fn about(mut self, summary: &'static str) -> Self {
        self.description.summary = summary;
        self
    }

    /// Sets the type of its query.
    pub fn query<Q: IntoParams>(mut self) -> Self {
        self.description.query = Some(query_of::<Q>);
        self
    }

    /// Sets the type of its body.
    pub fn takes<B: ToSchema>(self) -> Self {
        self.body(JSON, named::<B>, true)
    }

    /// Sets the type of its body, which may be missing.
    pub fn may_take<B: ToSchema>(self) -> Self {
        self.body(JSON, named::<B>, false)
    }

    /// Sets the type of its body, sent as a form.
    pub fn takes_form<B: ToSchema>(self) -> Self {
        self.body(FORM, named::<B>, true)
    }

    fn body(mut self, kind: &'static str, named: Named, required: bool) -> Self {
        self.description.body = Some(Body { kind, named, required });
        self
    }

    /// Names the proofs that the handler accepts, as called in the description.
    pub fn proven_by(mut self, proof: &'static [&'static str]) -> Self {
        self.description.proof = proof;
        self
    }

    /// Says that it answers with a `T`, described by `what`.
    pub fn gives<T: ToSchema>(self, what: &'static str) -> Self {
        self.answers(200, what, vec![(JSON, Some(named::<T>))])
    }

    /// Says that it answers with a list of `T`, described by `what`.
    pub fn gives_list<T: ToSchema>(self, what: &'static str) -> Self {
        self.answers(200, what, vec![(JSON, Some(listed::<T>))])
    }

    /// Says that it creates a `T`, described by `what`.
    pub fn makes<T: ToSchema>(self, what: &'static str) -> Self {
        self.answers(201, what, vec![(JSON, Some(named::<T>))])
    }

    /// Says that it answers with a stream of events; those that matter are each a `T`.
    pub fn streams<T: ToSchema>(self, what: &'static str) -> Self {
        self.answers(200, what, vec![(EVENTS, Some(named::<T>))])
    }

    /// Says that it answers with a file of one of these `kinds`.
    pub fn gives_file(self, kinds: &[&'static str], what: &'static str) -> Self {
        self.answers(200, what, kinds.iter().map(|kind| (*kind, None)).collect())
    }

    /// Says that the answer named last may also come in this kind.
    pub fn also_as(mut self, kind: &'static str) -> Self {
        if let Some(last) = self.description.answers.last_mut() {
            last.contents.push((kind, None));
        }
        self
    }

    /// Says that it answers without content.
    pub fn gives_nothing(self, what: &'static str) -> Self {
        self.answers(204, what, Vec::new())
    }

    /// Says that it answers with this status and nothing else.
    pub fn says(self, status: u16, what: &'static str) -> Self {
        self.answers(status, what, Vec::new())
    }

    /// Says that the id in its path is a number.
    pub fn numbered(mut self) -> Self {
        self.description.is_numbered = true;
        self
    }

    /// Adds refusals to those that follow from its rule.
    pub fn refuses(mut self, statuses: &[u16]) -> Self {
        self.description.refusals.extend(statuses);
        self
    }

    fn answers(mut self, status: u16, what: &'static str, contents: Vec<(&'static str, Option<Named>)>) -> Self {
        self.description.answers.push(Answer { status, what, contents });
        self
    }

    /// Builds the operation for the description.
    pub fn operation(&self, schemas: &mut Schemas) -> Value {
        let Description { summary, query, body, .. } = &self.description;
        let mut operation = json!({ "summary": summary, "operationId": self.operation_id(), "tags": [self.tag()] });
        operation["security"] = self.security();
        operation["parameters"] = Value::Array(self.parameters(query.map(|query| query())));
        if let Some(Body { kind, named, required }) = body {
            operation["requestBody"] =
                json!({ "required": required, "content": { *kind: { "schema": named(schemas) } } });
        }
        operation["responses"] = Value::Object(self.responses(schemas));
        operation
    }

    fn responses(&self, schemas: &mut Schemas) -> Map<String, Value> {
        let mut responses = self.refusals();
        let is_kept = ["/api/", "/assets/", "/status"].iter().any(|start| self.path.starts_with(start));
        if is_kept && self.method.is_safe() {
            responses.insert("304".to_owned(), json!({ "description": "Not modified: the client has it already" }));
        }
        for Answer { status, what, contents } in self.answered() {
            let mut given = json!({ "description": what });
            for (kind, named) in contents {
                given["content"][kind] = named.map_or(json!({}), |named| json!({ "schema": named(schemas) }));
            }
            responses.insert(status.to_string(), given);
        }
        responses
    }

    /// Returns its answers; for a page or form that states none, the usual ones.
    fn answered(&self) -> Vec<Answer> {
        let is_page = self.rule.audience == Audience::Page && self.description.answers.is_empty();
        match (is_page, self.method.is_safe()) {
            (false, _) => self.description.answers.clone(),
            (true, true) => vec![Answer { status: 200, what: "The page", contents: vec![(HTML, None)] }],
            (true, false) => vec![Answer { status: 303, what: "Back to a page", contents: Vec::new() }],
        }
    }

    fn operation_id(&self) -> String {
        let words = self.path.split(['/', '-', '.']).filter(|word| !matches!(*word, "" | "api" | "v1"));
        let words: Vec<_> = words.map(|word| word.trim_matches(['{', '}'])).collect();
        format!("{}_{}", self.method.as_str().to_lowercase(), words.join("_"))
    }

    /// Returns the first word of its path that says what it is about.
    fn tag(&self) -> &'static str {
        self.path.split('/').find(|word| !matches!(*word, "" | "api" | "v1")).unwrap_or("page")
    }

    fn security(&self) -> Value {
        match self.rule.needs {
            Needs::Role(_) => json!([{ "token": [] }, { "cookie": [] }]),
            Needs::Nothing => json!([]),
            Needs::OwnProof => self.description.proof.iter().map(|name| json!({ *name: [] })).collect(),
        }
    }

    fn parameters(&self, query: Option<Value>) -> Vec<Value> {
        let names = self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let in_path: Vec<_> = names.map(|name| path_parameter(name, self.description.is_numbered)).collect();
        let mut in_query = query.map(|query| query.as_array().cloned().unwrap_or_default()).unwrap_or_default();
        let named = in_path.iter().chain(&in_query).any(|one| one["name"] == "tenant");
        if self.rule.tenants == Tenants::Own && !named {
            in_query.push(json!({
                "name": "tenant", "in": "query", "required": false, "schema": { "type": "string" },
                "description": "Only this tenant's.",
            }));
        }
        // The gate takes what is blank as left out. A text without a rule of its own may be empty anyway.
        for one in in_query.iter_mut().filter(|one| one["required"] != json!(true) && !is_any_text(&one["schema"])) {
            one["allowEmptyValue"] = json!(true);
        }
        in_path.into_iter().chain(in_query).collect()
    }

    /// Returns the refusals that follow from its rule. A page explains them to people, the API in problem details.
    fn refusals(&self) -> Map<String, Value> {
        let rule = &self.rule;
        let mut statuses = vec![400, 404, 421, 429, 500, 503];
        if rule.audience == Audience::Page {
            statuses.push(303);
        }
        if rule.needs != Needs::Nothing {
            statuses.push(401);
        }
        if rule.needs != Needs::Nothing || !self.method.is_safe() {
            statuses.push(403);
        }
        if rule.takes != Takes::Nothing {
            statuses.extend([413, 415]);
        }
        statuses.extend(&self.description.refusals);
        statuses.into_iter().map(|status| (status.to_string(), self.refusal(status))).collect()
    }

    fn refusal(&self, status: u16) -> Value {
        match (self.rule.audience, status) {
            (Audience::Page, 303) => json!({ "description": "To the login page" }),
            (Audience::Page, _) => json!({ "$ref": "#/components/responses/Refused" }),
            (Audience::Api, _) => json!({ "$ref": "#/components/responses/Problem" }),
        }
    }
}

fn is_any_text(schema: &Value) -> bool {
    let is_text = schema["type"] == "string" || schema["type"] == json!(["string", "null"]);
    is_text && ["enum", "format", "pattern", "minLength"].iter().all(|rule| schema.get(rule).is_none())
}

fn path_parameter(name: &str, is_number: bool) -> Value {
    let number = json!({ "type": "integer", "format": "int64" });
    let schema = if is_number { number } else { json!({ "type": "string", "minLength": 1 }) };
    json!({ "name": name, "in": "path", "required": true, "schema": schema })
}
