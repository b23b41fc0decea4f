//! Checks whether the program can read every row.

use super::{Checked, Look};
use crate::store::sql::{self, AssertSqlSafe, Connection, Row};
use crate::store::{
    StoreError, alerts, credit_terms, incidents, outbox, predictions, reports, statements, suppressions, tickets,
    versions, with_causes, write_backs,
};

/// Rows of one table.
struct Kind {
    table: &'static str,
    /// The columns that identify a row.
    key: &'static [&'static str],
    read: fn(&Row) -> Result<(), StoreError>,
    remedy: &'static str,
}

const READ_ANEW: &str = "it is skipped; once SuperOps shows the ticket again it is rewritten";
const RAISED_ANEW: &str = "the service sets it aside at its next evaluation, and raises the alert anew if need be";
const REFUSED: &str = "it is not sent; look at the ticket or report that it is about, and delete the row";
const OF_LATER: &str = "it may be of a later version: run that one; else restore a backup";
const DELETE: &str = "nothing else depends on it: delete the row";

const KINDS: &[Kind] = &[
    Kind {
        table: "tickets",
        key: &["tenant", "id"],
        read: |row| Ok(tickets::watched(row).map(drop)?),
        remedy: READ_ANEW,
    },
    Kind {
        table: "events",
        key: &["tenant", "ticket_id"],
        read: |row| tickets::change(row).map(drop),
        remedy: OF_LATER,
    },
    Kind { table: "alerts", key: &["key"], read: |row| alerts::alert_row(row).map(drop), remedy: RAISED_ANEW },
    Kind { table: "notifications", key: &["key"], read: |row| outbox::logged(row).map(drop), remedy: REFUSED },
    Kind {
        table: "predictions",
        key: &["tenant", "ticket_id", "clock"],
        read: |row| predictions::prediction(row).map(drop),
        remedy: DELETE,
    },
    Kind {
        table: "policy_versions",
        key: &["tenant", "version"],
        read: |row| versions::version(row).map(drop),
        remedy: OF_LATER,
    },
    Kind {
        table: "credit_terms",
        key: &["tenant", "version"],
        read: |row| credit_terms::version(row).map(drop),
        remedy: OF_LATER,
    },
    Kind { table: "write_backs", key: &["key"], read: |row| write_backs::row(row).map(drop), remedy: DELETE },
    Kind {
        table: "report_files",
        key: &["tenant", "id"],
        read: |row| reports::report_file(row).map(drop),
        remedy: OF_LATER,
    },
    Kind {
        table: "maintenance_windows",
        key: &["id"],
        read: |row| suppressions::window(row).map(drop),
        remedy: OF_LATER,
    },
    Kind {
        table: "incidents",
        key: &["id"],
        read: |row| Ok(incidents::incident(row, &mut Default::default()).map(drop)?),
        remedy: OF_LATER,
    },
    Kind { table: "planned_work", key: &["id"], read: |row| Ok(incidents::work(row).map(drop)?), remedy: OF_LATER },
    Kind { table: "uptime_statements", key: &["id"], read: statement, remedy: OF_LATER },
];

fn statement(row: &Row) -> Result<(), StoreError> {
    let unreadable = || StoreError::Unreadable("the statement itself".to_owned());
    statements::frozen(row)?.map(drop).ok_or_else(unreadable)
}

/// Reads every row of the tables with more than plain numbers.
pub(super) async fn look(connection: &mut Connection, checked: &mut Checked) -> Result<(), StoreError> {
    checked.looks.insert(Look::Rows);
    for kind in KINDS {
        let statement = sql::query(AssertSqlSafe(format!("SELECT * FROM {}", kind.table)));
        let read = |row: Row| {
            if let Err(error) = (kind.read)(&row) {
                let key: Vec<_> = kind.key.iter().map(|column| row.in_words(*column).unwrap_or_default()).collect();
                let what = format!("{} `{}`: {}", kind.table, key.join(" "), with_causes(&error));
                checked.found(Look::Rows, what, kind.remedy);
            }
            Ok::<_, StoreError>(())
        };
        statement.fetch_each(&mut *connection, read).await?;
    }
    let aside: i64 = sql::query_scalar("SELECT COUNT(*) FROM set_aside").fetch_one(connection).await?;
    if aside > 0 {
        checked.found(
            Look::Rows,
            format!("{aside} rows could not be read before, and were set aside"),
            "they are kept in the table set_aside for whoever asks what they were; delete them there once nobody does",
        );
    }
    Ok(())
}
