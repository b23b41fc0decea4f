//! Bodies of requests, read as JSON. A complaint names the field that it is about.

use axum::http::StatusCode;
use serde::de::DeserializeOwned;

use super::Problem;

/// A body as JSON; an empty one says nothing.
pub fn optional<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, Problem> {
    if body.trim_ascii().is_empty() { Ok(T::default()) } else { required(body) }
}

/// A body as JSON.
pub fn required<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // An order is an object: serde would read a list of its fields, too.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "send a JSON object"));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let of = if path == "." { "send a JSON object".to_owned() } else { format!("`{path}` cannot be read") };
        Problem::new(StatusCode::BAD_REQUEST, format!("{of}: {}", error.inner()))
    })?;
    let end = reader.end();
    end.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("send one JSON object: {error}")))?;
    Ok(read)
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
