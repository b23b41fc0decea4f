//! The description of the API, made from the table of routes and the types that they take and give.

use std::sync::LazyLock;

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde_json::{Map, Value};

use super::routes;

/// What is written by hand: the head of the document, and the routes that do not describe themselves.
const WRITTEN: &str = include_str!("assets/openapi.json");

static DOCUMENT: LazyLock<String> = LazyLock::new(|| document().to_string());

/// GET /api/openapi.json
pub async fn show() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.as_str())
}

/// The whole document.
pub fn document() -> Value {
    let mut document: Value = serde_json::from_str(WRITTEN).unwrap_or_default();
    let (mut paths, mut schemas) = (Map::new(), Vec::new());
    for route in routes::all() {
        let method = route.method.as_str().to_lowercase();
        let written = document["paths"][route.path].get(&method).cloned();
        if let Some(operation) = route.operation(&mut schemas).or(written) {
            paths.entry(route.path).or_insert_with(|| Value::Object(Map::new()))[&method] = operation;
        }
    }
    document["paths"] = Value::Object(paths);
    for (name, schema) in schemas {
        document["components"]["schemas"][name] = serde_json::to_value(schema).unwrap_or_default();
    }
    document
}
