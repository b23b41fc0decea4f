//! What is wrong with a component, as the alert of it tells.

use chrono::{DateTime, Utc};

use crate::alert::AlertKind;
use crate::alert::component::Standing;
use crate::uptime::days::Period;

/// Something that is wrong with a component, or was.
pub(super) struct Trouble {
    pub kind: AlertKind,
    pub standing: Standing,
    pub began: DateTime<Utc>,
    /// What its alert is named after: when it began, or the time in which it is told once.
    pub named_after: DateTime<Utc>,
    /// Of a promise: the kind of its periods.
    pub period: Option<Period>,
    /// Comes and goes so often that its end is no news, nor that it is back.
    pub flaps: bool,
    /// As it follows the component's name: `is down`.
    pub said: String,
    /// What was seen. Can hold text from the service: hostile.
    pub detail: Option<String>,
    /// The end of what it is about: of a period, of a certificate.
    pub until: Option<DateTime<Utc>>,
    /// When it was over, if it is; none: just now.
    pub ended: Option<DateTime<Utc>>,
}

impl Trouble {
    /// Whether it is over for the moment, and may be back soon: nobody else is told of it before it is.
    pub fn rests(&self) -> bool {
        self.standing == Standing::Unsaid && self.ended.is_some()
    }
}
