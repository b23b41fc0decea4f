//! Finds rows that refer to others that do not exist.

use super::{Checked, Look};
use crate::store::StoreError;
use crate::store::sql::{self, Connection};

const REBUILD: &str = "run `superops-sla report rebuild`: it rebuilds the books, and drops what belongs to no entry";
const HARMLESS: &str = "nothing reads them any more: delete them, or leave them to [retention]";
const RESTORE: &str = "something was deleted by hand: restore a backup, or delete these rows as well";

/// What is checked, a statement that counts the dangling rows, and what to do about them.
const REFERENCES: &[(&str, &str, &str)] = &[
    (
        "shares of entries that are not there",
        "SELECT COUNT(*) FROM shares s WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.id = s.entry)",
        REBUILD,
    ),
    (
        "stretches of overdue time of entries that are not there",
        "SELECT COUNT(*) FROM overdue o WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.id = o.entry)",
        REBUILD,
    ),
    (
        "entries of tickets that are not there",
        "SELECT COUNT(*) FROM entries e WHERE NOT EXISTS
           (SELECT 1 FROM tickets t WHERE t.tenant = e.tenant AND t.id = e.ticket)",
        RESTORE,
    ),
    (
        "events of tickets that are not there",
        "SELECT COUNT(*) FROM events e WHERE NOT EXISTS
           (SELECT 1 FROM tickets t WHERE t.tenant = e.tenant AND t.id = e.ticket_id)",
        HARMLESS,
    ),
    (
        "handovers of tickets that are not there",
        "SELECT COUNT(*) FROM handovers h WHERE NOT EXISTS
           (SELECT 1 FROM tickets t WHERE t.tenant = h.tenant AND t.id = h.ticket_id)",
        HARMLESS,
    ),
    (
        "alerts about tickets that are not there",
        "SELECT COUNT(*) FROM alerts a WHERE a.clock IN ('first_response', 'resolution', 'next_response')
           AND NOT EXISTS (SELECT 1 FROM tickets t WHERE t.tenant = a.tenant AND t.id = a.ticket_id)",
        RESTORE,
    ),
    (
        "messages on alerts that are not there",
        "SELECT COUNT(*) FROM notifications n WHERE n.kind = 'alert' AND n.ticket_id IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM alerts a WHERE a.key = n.alert_key)",
        HARMLESS,
    ),
    (
        "updates of incidents that are not there",
        "SELECT COUNT(*) FROM incident_updates u WHERE NOT EXISTS (SELECT 1 FROM incidents i WHERE i.id = u.incident)",
        HARMLESS,
    ),
    (
        "reports of the archive without their file",
        "SELECT COUNT(*) FROM report_files f WHERE NOT EXISTS
           (SELECT 1 FROM report_contents c WHERE c.tenant = f.tenant AND c.id = f.id)",
        RESTORE,
    ),
    (
        "files of reports that the archive does not list",
        "SELECT COUNT(*) FROM report_contents c WHERE NOT EXISTS
           (SELECT 1 FROM report_files f WHERE f.tenant = c.tenant AND f.id = c.id)",
        HARMLESS,
    ),
    (
        "sessions of tokens that are not there",
        "SELECT COUNT(*) FROM sessions s WHERE s.token <> '' AND s.person IS NULL
           AND NOT EXISTS (SELECT 1 FROM tokens t WHERE t.id = s.token)",
        HARMLESS,
    ),
];

/// Counts the dangling rows.
pub(super) async fn look(connection: &mut Connection, checked: &mut Checked) -> Result<(), StoreError> {
    checked.looks.insert(Look::References);
    for (what, count, remedy) in REFERENCES {
        let number: i64 = sql::query_scalar(*count).fetch_one(&mut *connection).await?;
        if number > 0 {
            checked.found(Look::References, format!("{number} {what}"), remedy);
        }
    }
    Ok(())
}
