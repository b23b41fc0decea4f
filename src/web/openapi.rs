//! The OpenAPI description, built from the table of routes and the types they take and return, and where programs read
//! it.

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};

use super::cookie;
use super::problem::ProblemDetails;
use super::route::Route;
use utoipa::PartialSchema;

/// GET /api/openapi.json
pub async fn show() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], super::DESCRIPTION_TEXT.as_str())
}

/// Builds the whole document for `routes`.
pub fn document(routes: &[Route]) -> Value {
    let (mut paths, mut schemas) = (Map::new(), Vec::new());
    for route in routes {
        let method = route.method.as_str().to_lowercase();
        paths.entry(route.path).or_insert_with(|| json!({}))[&method] = route.operation(&mut schemas);
    }
    let named = schemas.into_iter().map(|(name, schema)| (name, json!(schema)));
    let own = [("Problem".to_owned(), json!(ProblemDetails::schema()))];
    let schemas: Map<_, _> = named.chain(own).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "superops-sla",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "paths": paths,
        "components": { "securitySchemes": proofs(), "responses": refusals(), "schemas": schemas },
    })
}

const ABOUT: &str = "The SLA watch beside SuperOps. Times are RFC 3339 in UTC, durations are seconds. Requests for \
                     another tenant's data answer 404.";

/// Returns the ways in which a caller can authenticate.
fn proofs() -> Value {
    let header =
        |name: &str, what: &str| json!({ "type": "apiKey", "in": "header", "name": name, "description": what });
    json!({
        "token": { "type": "http", "scheme": "bearer", "description": "Made by `superops-sla token create`" },
        "cookie": {
            "type": "apiKey", "in": "cookie", "name": cookie::SECURE_NAME,
            "description": "For a signed-in browser; requests that change anything must send `Origin`",
        },
        "check": { "type": "http", "scheme": "bearer", "description": "The token of a check with `pushed = true`" },
        "outpost": { "type": "http", "scheme": "bearer", "description": "The token of an outpost" },
        "hook": header("X-Superops-Sla-Secret", "The tenant's `hook_secret`"),
        "twilio": header("X-Twilio-Signature", "Twilio's own, with the account's auth token"),
        "pagerduty": header("X-PagerDuty-Signature", "PagerDuty's own, with the secret of the webhook subscription"),
        "slack": header(
            "X-Slack-Signature",
            "Slack's own, with the signing secret of the app, over X-Slack-Request-Timestamp and the body",
        ),
    })
}

fn refusals() -> Value {
    json!({
        "Problem": {
            "description": "What is wrong and what to do",
            "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
        },
        "Refused": {
            "description": "A page that says what is wrong and what to do",
            "content": { "text/html": {} },
        },
    })
}
