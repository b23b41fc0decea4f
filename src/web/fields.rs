//! The fields that a form sends; a name may occur several times, or not at all.

use axum::http::StatusCode;
use url::form_urlencoded;

use super::Problem;
use crate::service::Complaint;

/// The fields of a form.
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads the fields. Refuses an empty body and a field that is not of the form: what a form does not send is taken
    /// as not ticked, so a request that was meant for something else would clear the mark of what is public.
    pub fn of(body: &[u8], is_known: impl Fn(&str) -> bool) -> Result<Self, Problem> {
        let fields: Vec<(String, String)> = form_urlencoded::parse(body.trim_ascii()).into_owned().collect();
        if fields.is_empty() {
            return Err(Problem::new(StatusCode::BAD_REQUEST, "send the fields of the form"));
        }
        if let Some((name, _)) = fields.iter().find(|(name, _)| !is_known(name)) {
            return Err(Problem::bad(&Complaint::of(name.clone(), "is not a field of this form")));
        }
        Ok(Self(fields))
    }

    /// Returns all values of that name.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone()).collect()
    }

    /// Returns the first value of that name; a blank one counts as none.
    pub fn text(&self, name: &str) -> Option<String> {
        self.all(name).into_iter().next().filter(|text| !text.trim().is_empty())
    }

    /// Whether the box of that name is ticked.
    pub fn is_ticked(&self, name: &str) -> bool {
        self.text(name).is_some_and(|value| value != "false")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_refused_if_it_has_no_fields_or_one_that_it_does_not_know() {
        let read = |body: &str| Fields::of(body.as_bytes(), |name| ["text", "public"].contains(&name));
        assert_eq!(read("text=a&text=b").ok().map(|fields| fields.all("text")), Some(vec!["a".into(), "b".into()]));
        for wrong in ["", " ", "&", "texts=a", "text=a&%11o=7", "=a"] {
            assert_eq!(read(wrong).err().map(|problem| problem.status()), Some(StatusCode::BAD_REQUEST), "{wrong}");
        }
    }

    #[test]
    fn a_box_is_ticked_by_any_value_but_none_and_false() {
        let is_ticked =
            |body: &str| Fields::of(body.as_bytes(), |_| true).is_ok_and(|fields| fields.is_ticked("public"));
        assert!(is_ticked("public=yes") && is_ticked("public=true"));
        assert!(!is_ticked("public=") && !is_ticked("public=false") && !is_ticked("text=a"));
    }
}
