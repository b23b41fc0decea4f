//! The fields that a form sends; a name may occur several times, or not at all.

use axum::http::StatusCode;
use url::form_urlencoded;

use super::Problem;

/// The fields of a form.
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads the fields. Refuses an empty body: a form always sends something, and no fields at all would clear the
    /// mark of what is public.
    pub fn of(body: &[u8]) -> Result<Self, Problem> {
        if body.trim_ascii().is_empty() {
            return Err(Problem::new(StatusCode::BAD_REQUEST, "send the fields of the form"));
        }
        Ok(Self(form_urlencoded::parse(body).into_owned().collect()))
    }

    /// Returns all values of that name.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone()).collect()
    }

    /// Returns the first value of that name; a blank one counts as none.
    pub fn text(&self, name: &str) -> Option<String> {
        self.all(name).into_iter().next().filter(|text| !text.trim().is_empty())
    }
}
