//! Reads the bodies of requests as JSON. A complaint names the field that is wrong.

use axum::http::StatusCode;
use serde::de::DeserializeOwned;

use super::Problem;
use crate::service::Complaint;

/// Reads a body as JSON; an empty one gives the default.
pub fn optional<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, Problem> {
    if body.trim_ascii().is_empty() { Ok(T::default()) } else { required(body) }
}

/// Reads a body as JSON.
pub fn required<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // An order is an object; serde would accept a list of its fields as well.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "send a JSON object"));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let (path, why) = (error.path().to_string(), error.inner().to_string());
        Problem::bad(&match (path.as_str(), key(&why)) {
            (".", None) => Complaint::whole(format!("send a JSON object: {why}")),
            (".", Some(key)) => Complaint::about(key.to_owned(), format!("send a JSON object: {why}")),
            _ => Complaint::of(path, format!("cannot be read: {why}")),
        })
    })?;
    let end = reader.end();
    end.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("send one JSON object: {error}")))?;
    Ok(read)
}

/// Returns the key that `serde` reports as missing or unknown.
pub(super) fn key(why: &str) -> Option<&str> {
    let rest = ["missing field `", "unknown field `"].iter().find_map(|start| why.strip_prefix(start))?;
    rest.split_once('`').map(|(key, _)| key)
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value};

    use super::*;

    #[test]
    fn an_object_is_read_whole_or_refused() {
        assert!(required::<Map<String, Value>>(b"{\"a\": 1}").is_ok());
        for wrong in ["", "[]", "{\"a\": 1} {}", "{\"a\":"] {
            assert!(required::<Map<String, Value>>(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert!(optional::<Map<String, Value>>(b" ").unwrap().is_empty());
    }
}
