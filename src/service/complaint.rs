//! What is wrong with a question, how to put it right, and which part of the question it is about.

use std::borrow::Cow;
use std::fmt;

/// What is wrong with a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    text: String,
    field: Option<Cow<'static, str>>,
}

impl Complaint {
    /// About `field`, which comes before `rule` in the text: `` `limit` must be 1 to 500 ``.
    pub fn of(field: impl Into<Cow<'static, str>>, rule: impl fmt::Display) -> Self {
        let field = field.into();
        Self { text: format!("`{field}` {rule}"), field: Some(field) }
    }

    /// About `field`, in words of its own.
    pub fn about(field: impl Into<Cow<'static, str>>, text: impl Into<String>) -> Self {
        Self { text: text.into(), field: Some(field.into()) }
    }

    /// About no part in particular.
    pub fn whole(text: impl Into<String>) -> Self {
        Self { text: text.into(), field: None }
    }

    /// From a message of the configuration reader, which begins with the key it is about.
    pub fn of_key(text: String) -> Self {
        let key = text.strip_prefix('`').and_then(|rest| rest.split('`').next());
        let field = key.map(|key| Cow::Owned(key.to_owned()));
        Self { text, field }
    }

    /// The part of the question that it is about.
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// What is wrong, for a person.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_names_the_part_it_is_about_and_no_value() {
        let complaint = Complaint::of("format", "is `docx`, and must be json or csv");
        assert_eq!(complaint.to_string(), "`format` is `docx`, and must be json or csv");
        assert_eq!(complaint.field(), Some("format"));
        assert_eq!(Complaint::whole("no component is called `docx`").field(), None);
        assert_eq!(Complaint::of_key("`channels` may not be empty".to_owned()).field(), Some("channels"));
        assert_eq!(Complaint::of_key("too many `rules`".to_owned()).field(), None);
    }
}
