//! What an alert writes on its ticket at SuperOps, as people see it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::alert::write_back::WriteBackAction;
use crate::store::write_backs::WriteBackRow;

/// One thing that was to be written.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WriteBackView {
    /// note | reassign | priority
    pub kind: &'static str,
    /// The reference that stands in the note, or the priority; none for a reassignment.
    pub what: Option<String>,
    /// pending | doing | done | left (a person changed it meanwhile) | failed | cancelled
    pub state: String,
    pub attempts: u32,
    pub created_at: DateTime<Utc>,
    pub settled_at: Option<DateTime<Utc>>,
    pub last_error: Option<String>,
}

impl WriteBackView {
    pub(super) fn of(row: WriteBackRow) -> Self {
        let what = match &row.action {
            WriteBackAction::Note { .. } => Some(row.reference),
            WriteBackAction::Reassign { .. } => None,
            WriteBackAction::Priority { to, .. } => Some(to.clone()),
        };
        Self {
            kind: row.action.kind(),
            what,
            state: row.state,
            attempts: row.attempts,
            created_at: row.created_at,
            settled_at: row.settled_at,
            last_error: row.last_error,
        }
    }
}
