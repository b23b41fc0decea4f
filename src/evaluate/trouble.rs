//! A trouble of a component, as its alert tells it.

use chrono::{DateTime, Utc};

use crate::alert::AlertKind;
use crate::alert::component::Standing;
use crate::uptime::days::Period;

/// Something that is wrong with a component, or was.
pub(super) struct Trouble {
    pub kind: AlertKind,
    pub standing: Standing,
    pub began: DateTime<Utc>,
    /// What its alert is named after: when it began, or the period in which it is told only once.
    pub named_after: DateTime<Utc>,
    /// The kind of its periods, if it is about a promise.
    pub period: Option<Period>,
    /// Whether it comes and goes so often that neither its end nor its return is news.
    pub flaps: bool,
    /// Words that follow the component's name: `is down`.
    pub said: String,
    /// What was seen. It may contain untrusted text from the service.
    pub detail: Option<String>,
    /// The end of what it is about: a period or a certificate.
    pub until: Option<DateTime<Utc>>,
    /// When it ended, if it has and that is known.
    pub ended: Option<DateTime<Utc>>,
}

impl Trouble {
    /// Whether it is over for the moment and may soon be back: nobody else is told of it until then.
    pub fn rests(&self) -> bool {
        self.standing == Standing::Unsaid && self.ended.is_some()
    }
}
