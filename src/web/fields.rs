//! What a form sends, where a name may come several times, or not at all.

use axum::http::StatusCode;
use url::form_urlencoded;

use super::Problem;

/// The fields of a form.
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// A form always sends something; and nothing at all would take a mark off what is public.
    pub fn of(body: &[u8]) -> Result<Self, Problem> {
        if body.trim_ascii().is_empty() {
            return Err(Problem::new(StatusCode::BAD_REQUEST, "send the fields of the form"));
        }
        Ok(Self(form_urlencoded::parse(body).into_owned().collect()))
    }

    /// All of that name.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone()).collect()
    }

    /// The first of that name; a blank one is none.
    pub fn text(&self, name: &str) -> Option<String> {
        self.all(name).into_iter().next().filter(|text| !text.trim().is_empty())
    }
}
