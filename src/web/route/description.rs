//! What the description of the API says of one route, taken from the types that it really takes and gives.

use serde_json::{Value, json};
use utoipa::openapi::path::ParameterIn;
use utoipa::openapi::schema::Ref;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, ToSchema};

use super::{Face, Needs, Route, Takes, Tenants};

/// Named types, as the description lists them.
pub type Schemas = Vec<(String, RefOr<Schema>)>;

/// A type as the description has it; the types that it is made of are added to the list.
type Named = fn(&mut Schemas) -> Value;

/// What is said of a route beside its rule.
#[derive(Clone, Default)]
pub struct Description {
    summary: &'static str,
    query: Option<fn() -> Value>,
    body: Option<Named>,
    answer: Option<(u16, &'static str, Option<Named>)>,
    streams: bool,
}

fn named<T: ToSchema>(schemas: &mut Schemas) -> Value {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
    json!(Ref::from_schema_name(T::name()))
}

fn query_of<Q: IntoParams>() -> Value {
    json!(Q::into_params(|| Some(ParameterIn::Query)))
}

impl Route {
    /// What it does, in a line.
    pub fn about(mut self, summary: &'static str) -> Self {
        self.description.summary = summary;
        self
    }

    /// Its query is a `Q`.
    pub fn query<Q: IntoParams>(mut self) -> Self {
        self.description.query = Some(query_of::<Q>);
        self
    }

    /// Its body is a `B`.
    pub fn takes<B: ToSchema>(mut self) -> Self {
        self.description.body = Some(named::<B>);
        self
    }

    /// It answers with a `T`, which is `what`.
    pub fn gives<T: ToSchema>(self, what: &'static str) -> Self {
        self.answers(200, what, Some(named::<T>))
    }

    /// It makes a `T`, which is `what`.
    pub fn makes<T: ToSchema>(self, what: &'static str) -> Self {
        self.answers(201, what, Some(named::<T>))
    }

    /// It answers with a stream of events, of which each that matters is a `T`.
    pub fn streams<T: ToSchema>(mut self, what: &'static str) -> Self {
        self.description.streams = true;
        self.answers(200, what, Some(named::<T>))
    }

    /// It answers with nothing more than that it has happened.
    pub fn gives_nothing(self, what: &'static str) -> Self {
        self.answers(204, what, None)
    }

    fn answers(mut self, status: u16, what: &'static str, named: Option<Named>) -> Self {
        self.description.answer = Some((status, what, named));
        self
    }

    /// The operation as the description has it; none if nothing was said of the route.
    pub fn operation(&self, schemas: &mut Schemas) -> Option<Value> {
        let Description { summary, query, body, answer, streams } = &self.description;
        let (status, what, named) = (*answer).or_else(|| (!summary.is_empty()).then(|| self.plain_answer()))?;
        let mut operation = json!({ "summary": summary, "operationId": self.operation_id(), "tags": [self.tag()] });
        operation["security"] = self.security();
        operation["parameters"] = Value::Array(self.parameters(query.map(|query| query())));
        if let Some(body) = body {
            let schema = body(schemas);
            operation["requestBody"] = json!({ "content": { "application/json": { "schema": schema } } });
        }
        let mut given = json!({ "description": what });
        if let Some(named) = named {
            let kind = if *streams { "text/event-stream" } else { "application/json" };
            given["content"] = json!({ kind: { "schema": named(schemas) } });
        }
        operation["responses"] = self.refusals();
        operation["responses"][status.to_string()] = given;
        Some(operation)
    }

    /// What a route answers with of which no more was said than what it does.
    fn plain_answer(&self) -> (u16, &'static str, Option<Named>) {
        match (self.rule.face, self.method.is_safe()) {
            (Face::Page, true) => (200, "The page", None),
            (Face::Page, false) => (303, "Back to a page", None),
            (Face::Api, _) => (200, "What was asked for", None),
        }
    }

    fn operation_id(&self) -> String {
        let words = self.path.split(['/', '-', '.']).filter(|word| !matches!(*word, "" | "api" | "v1"));
        let words: Vec<_> = words.map(|word| word.trim_matches(['{', '}'])).collect();
        format!("{}_{}", self.method.as_str().to_lowercase(), words.join("_"))
    }

    /// The first word of its path that says what it is about.
    fn tag(&self) -> &'static str {
        self.path.split('/').find(|word| !matches!(*word, "" | "api" | "v1")).unwrap_or("page")
    }

    fn security(&self) -> Value {
        match self.rule.needs {
            Needs::Role(_) => json!([{ "token": [] }, { "cookie": [] }]),
            Needs::Nothing | Needs::OwnProof => json!([]),
        }
    }

    fn parameters(&self, query: Option<Value>) -> Vec<Value> {
        let names = self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let in_path =
            names.map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
        let in_query = query.map(|query| query.as_array().cloned().unwrap_or_default()).unwrap_or_default();
        in_path.chain(in_query).collect()
    }

    /// The refusals that follow from its rule.
    fn refusals(&self) -> Value {
        let rule = &self.rule;
        let mut statuses = vec!["400", "404", "429", "503"];
        if matches!(rule.needs, Needs::Role(_)) {
            statuses.push("401");
        }
        if rule.needs != Needs::Nothing
            && (rule.takes != Takes::Nothing || rule.tenants == Tenants::All || !self.method.is_safe())
        {
            statuses.push("403");
        }
        if rule.takes != Takes::Nothing {
            statuses.extend(["413", "415"]);
        }
        if rule.face == Face::Page {
            statuses.push("303");
        }
        let refusal = json!({ "$ref": "#/components/responses/Problem" });
        statuses.into_iter().map(|status| (status.to_owned(), refusal.clone())).collect()
    }
}
