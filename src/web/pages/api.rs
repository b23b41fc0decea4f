//! The API description for people: each call, what it takes and what it answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;
use maud::{Markup, html};
use serde_json::{Map, Value};

use super::{Sheet, frame};
use crate::web::auth::Caller;
use crate::web::{DESCRIPTION, Web};

/// GET /api
pub async fn api(State(web): State<Arc<Web>>, caller: Caller) -> Html<String> {
    let document = &*DESCRIPTION;
    let content = html! {
        main.made {
            h1 { "The API" }
            p { (document["info"]["description"].as_str().unwrap_or_default()) }
            p.muted { "The same for programs: " a href="/api/openapi.json" { "/api/openapi.json" } ". Send " code { "Authorization: Bearer TOKEN" } "." }
            (calls(document))
            h2 { "Types" }
            @for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() { (named_type(name, schema)) }
        }
    };
    frame(&web, &caller, &Sheet { title: "API", kind: "made", here: "/system" }, &content)
}

/// One operation: its method, its path, and its description.
type Operation<'d> = (&'d str, &'d str, &'d Value);

/// Returns all operations for programs, by tag.
fn by_tag(document: &Value) -> BTreeMap<&str, Vec<Operation<'_>>> {
    let mut tags = BTreeMap::<_, Vec<_>>::new();
    for (path, methods) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let is_page = operation["responses"]["303"].is_object();
            if let Some(tag) = operation["tags"][0].as_str().filter(|_| !is_page) {
                tags.entry(tag).or_default().push((method.as_str(), path.as_str(), operation));
            }
        }
    }
    tags
}

fn calls(document: &Value) -> Markup {
    html! {
        @for (tag, operations) in by_tag(document) {
            h2 { (tag) }
            @for (method, path, operation) in operations { (call(method, path, operation)) }
        }
    }
}

fn call(method: &str, path: &str, operation: &Value) -> Markup {
    let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    let body = operation["requestBody"]["content"].as_object();
    html! {
        details.call {
            summary { b { (method.to_uppercase()) } " " code { (path) } " " span.muted { (operation["summary"].as_str().unwrap_or_default()) } }
            @if !parameters.is_empty() { div.scroll { table {
                thead { tr { th scope="col" { "Parameter" } th scope="col" { "In" } th scope="col" { "Type" } th scope="col" { "Meaning" } } }
                tbody { @for one in parameters { tr {
                    td { code { (text(one, "name")) } @if one["required"] == true { " *" } }
                    td { (text(one, "in")) }
                    td { (type_of(&one["schema"])) }
                    td { (text(one, "description")) }
                } } }
            } } }
            @if let Some(body) = body { p { "Body: " (contents(body)) } }
            div.scroll { table {
                thead { tr { th scope="col" { "Status" } th scope="col" { "Answer" } th scope="col" { "As" } } }
                tbody { @for (status, answer) in operation["responses"].as_object().into_iter().flatten() { (answer_row(status, answer)) } }
            } }
        }
    }
}

fn answer_row(status: &str, answer: &Value) -> Markup {
    let refused = answer["$ref"].as_str().map(last);
    html! {
        tr {
            td { (status) }
            td { (refused.map_or_else(|| text(answer, "description"), |_| "What is wrong and what to do")) }
            td {
                @match refused {
                    Some("Problem") => { a href="#Problem" { "Problem" } " (application/problem+json)" }
                    Some(_) => "text/html",
                    None => (answer["content"].as_object().map(contents).unwrap_or_default()),
                }
            }
        }
    }
}

fn contents(contents: &Map<String, Value>) -> Markup {
    html! {
        @for (kind, content) in contents { span { (type_of(&content["schema"])) " (" (kind) ") " } }
    }
}

fn named_type(name: &str, schema: &Value) -> Markup {
    let required =
        |field: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|one| one == field));
    html! {
        details.call id=(name) {
            summary { code { (name) } " " span.muted { (text(schema, "description")) } }
            @if let Some(fields) = fields(schema) { div.scroll { table {
                thead { tr { th scope="col" { "Field" } th scope="col" { "Type" } th scope="col" { "Meaning" } } }
                tbody { @for (field, of) in fields { tr {
                    td { code { (field) } @if required(field) { " *" } }
                    td { (type_of(of)) }
                    td { (text(of, "description")) }
                } } }
            } } }
            @else { p { (type_of(schema)) } }
        }
    }
}

/// Returns the fields of an object, also if another type is part of it.
fn fields(schema: &Value) -> Option<&Map<String, Value>> {
    let parts = schema["allOf"].as_array().into_iter().flatten();
    std::iter::once(schema).chain(parts).find_map(|part| part["properties"].as_object())
}

/// Describes a type in a few words, with links to the types it consists of.
fn type_of(schema: &Value) -> Markup {
    if let Some(name) = schema["$ref"].as_str().map(last) {
        return html! { a href={ "#" (name) } { (name) } };
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<_> =
            words.iter().map(|word| word.as_str().map_or_else(|| word.to_string(), str::to_owned)).collect();
        return html! { (words.join(" | ")) };
    }
    for (key, between) in [("oneOf", " or "), ("anyOf", " or "), ("allOf", " and ")] {
        if let Some(parts) = schema[key].as_array() {
            let parts = parts.iter().filter(|part| part["type"] != "null");
            return html! { @for (index, part) in parts.enumerate() { @if index > 0 { (between) } (type_of(part)) } };
        }
    }
    if schema["items"].is_object() {
        return html! { "list of " (type_of(&schema["items"])) };
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        kind => kind.as_str().unwrap_or_default().to_owned(),
    };
    html! { (kind) @if let Some(format) = schema["format"].as_str() { " (" (format) ")" } }
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

/// Returns the name at the end of a reference.
fn last(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or(reference)
}
