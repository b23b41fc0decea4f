//! Checks whether the books are consistent: the sums and packed forms of days, and closed months, against the entries
//! they are made from.

use std::collections::{BTreeMap, BTreeSet};

use super::{date_of, months, packed, rows, sums, write};
use crate::report::share::WHOLE;
use crate::store::check::{Checked, Look};
use crate::store::sql::{self, Connection, Row};
use crate::store::{StoreError, with_causes};
use crate::ticket::TenantId;

const REBUILD: &str = "run `superops-sla report rebuild`: it recalculates the sums of all days";
const MOVED: &str =
    "figures of a closed month were changed in the database: restore a backup, or note that its reports differ";
const UNREADABLE: &str = "it may be of a later version: run that one; else restore a backup";

/// Met, breached, excluded; met and breached in maintenance; overdue without and with maintenance.
type Sums = [i64; 7];
/// The sums of each tenant, day and clock.
type Days = BTreeMap<(String, i64, String), Sums>;

/// Checks the books of all tenants.
pub(in crate::store) async fn look(connection: &mut Connection, checked: &mut Checked) -> Result<(), StoreError> {
    checked.looks.insert(Look::Books);
    entries(connection, checked).await?;
    shares(connection, checked).await?;
    days(connection, checked).await?;
    packed_days(connection, checked).await?;
    closed_months(connection, checked).await
}

/// Each entry must be readable, be the only latest one of its clock, and, if replaced, count only in a closed month.
async fn entries(connection: &mut Connection, checked: &mut Checked) -> Result<(), StoreError> {
    let read = |row: Row| {
        if let Err(error) = rows::stored(&row) {
            let number: i64 = row.try_get("id")?;
            checked.found(Look::Books, format!("entry {number}: {}", with_causes(&error)), UNREADABLE);
        }
        Ok::<_, StoreError>(())
    };
    sql::query("SELECT * FROM entries").fetch_each(&mut *connection, read).await?;
    let doubled: Vec<(String, String, String, i64)> = sql::query_as(
        "SELECT tenant, ticket, clock, round FROM entries WHERE latest = 1
         GROUP BY tenant, ticket, clock, round HAVING COUNT(*) > 1 ORDER BY tenant, ticket, clock, round",
    )
    .fetch_all(&mut *connection)
    .await?;
    for (tenant, ticket, clock, round) in doubled {
        let what = format!("{tenant}: ticket {ticket} has several latest entries of {clock} {round}");
        checked.found(Look::Books, what, "restore a backup: one of them was put in by hand");
    }
    let replaced: Vec<(String, String, i64)> = sql::query_as(
        "SELECT tenant, ticket, day FROM entries WHERE counts = 1 AND latest = 0 ORDER BY tenant, ticket, day",
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut closed: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    for (tenant, ticket, day) in replaced {
        if !closed.contains_key(&tenant) {
            let id = TenantId::parse(&tenant).map_err(super::unreadable)?;
            closed.insert(tenant.clone(), write::closed_months(connection, &id).await?);
        }
        let day = date_of(day)?;
        if !closed[&tenant].contains(&super::month_of(day)) {
            let what = format!("{tenant}: an entry of ticket {ticket} was replaced but still counts on {day}");
            checked.found(Look::Books, what, REBUILD);
        }
    }
    Ok(())
}

/// The shares of a clock must add up to the whole.
async fn shares(connection: &mut Connection, checked: &mut Checked) -> Result<(), StoreError> {
    let odd: Vec<(i64, i64)> = sql::query_as(
        "SELECT entry, CAST(SUM(weight) AS BIGINT) FROM shares GROUP BY entry HAVING SUM(weight) <> $1 ORDER BY entry",
    )
    .bind(WHOLE)
    .fetch_all(connection)
    .await?;
    for (entry, weight) in odd {
        let what = format!("the shares of entry {entry} come to {weight} of {WHOLE}");
        checked.found(Look::Books, what, "run `superops-sla report rebuild`: it recalculates shares");
    }
    Ok(())
}

/// The stored sums of each day must match its entries, unless the day is still to be summed up.
async fn days(connection: &mut Connection, checked: &mut Checked) -> Result<(), StoreError> {
    let marked = sql::query_as("SELECT tenant, day FROM days_to_sum").fetch_all(&mut *connection).await?;
    let marked: BTreeSet<(String, i64)> = marked.into_iter().collect();
    let (kept, mut made) = (kept(connection).await?, counted(connection).await?);
    for ((tenant, day), [outside, all]) in overdue(connection).await? {
        let sums = made.entry((tenant, day, "all".to_owned())).or_default();
        (sums[5], sums[6]) = (outside, all);
    }
    let keys: BTreeSet<_> = kept.keys().chain(made.keys()).collect();
    for key in keys.into_iter().filter(|(tenant, day, _)| !marked.contains(&(tenant.clone(), *day))) {
        let [kept, made] = [&kept, &made].map(|sums| sums.get(key).copied().unwrap_or_default());
        if kept != made {
            let (tenant, day, clock) = key;
            let what = format!("{tenant}: the sums of {} ({clock}) do not match its entries", date_of(*day)?);
            checked.found(Look::Books, what, REBUILD);
        }
    }
    Ok(())
}

fn key_of(row: &Row) -> Result<(String, i64, String), StoreError> {
    Ok((row.try_get("tenant")?, row.try_get("day")?, row.try_get("clock")?))
}

async fn kept(connection: &mut Connection) -> Result<Days, StoreError> {
    let rows = sql::query("SELECT * FROM days").fetch_all(connection).await?;
    let names =
        ["met", "breached", "excluded", "met_in_maintenance", "breached_in_maintenance", "overdue", "overdue_in_all"];
    let mut days = Days::new();
    for row in &rows {
        let mut sums = Sums::default();
        for (sum, name) in sums.iter_mut().zip(names) {
            *sum = row.try_get(name)?;
        }
        days.insert(key_of(row)?, sums);
    }
    Ok(days)
}

async fn counted(connection: &mut Connection) -> Result<Days, StoreError> {
    let rows = sql::query(
        "SELECT tenant, day, clock, outcome, maintenance, COUNT(*) AS number FROM entries
         WHERE counts = 1 AND headline = 1 GROUP BY tenant, day, clock, outcome, maintenance",
    );
    let mut days = Days::new();
    for row in &rows.fetch_all(connection).await? {
        let (outcome, maintenance): (String, i64) = (row.try_get("outcome")?, row.try_get("maintenance")?);
        let place = match (outcome.as_str(), maintenance) {
            ("met", 0) => 0,
            ("breached", 0) => 1,
            ("excluded", _) => 2,
            ("met", _) => 3,
            _ => 4,
        };
        let (tenant, day, clock) = key_of(row)?;
        let number: i64 = row.try_get("number")?;
        for clock in [clock, "all".to_owned()] {
            days.entry((tenant.clone(), day, clock)).or_default()[place] += number;
        }
    }
    Ok(days)
}

/// Returns how long something was overdue on each day of each tenant, without and with maintenance.
async fn overdue(connection: &mut Connection) -> Result<BTreeMap<(String, i64), [i64; 2]>, StoreError> {
    let known = sql::query("SELECT tenant, day FROM overdue GROUP BY tenant, day ORDER BY tenant, day");
    let mut found = BTreeMap::new();
    for row in known.fetch_all(&mut *connection).await? {
        let (tenant, day): (String, i64) = (row.try_get("tenant")?, row.try_get("day")?);
        let id = TenantId::parse(&tenant).map_err(super::unreadable)?;
        let [all, outside] = sums::overdue(connection, &id, day).await?;
        found.insert((tenant, day), [outside, all]);
    }
    Ok(found)
}

/// A packed day must match its rows.
async fn packed_days(connection: &mut Connection, checked: &mut Checked) -> Result<(), StoreError> {
    let days = sql::query_as("SELECT tenant, day FROM packed_days WHERE version = $1 ORDER BY tenant, day");
    let days: Vec<(String, i64)> = days.bind(packed::VERSION).fetch_all(&mut *connection).await?;
    for (tenant, day) in days {
        let id = TenantId::parse(&tenant).map_err(super::unreadable)?;
        let query = sql::query("SELECT packed FROM packed_days WHERE tenant = $1 AND day = $2");
        let row = query.bind(&tenant).bind(day).fetch_one(&mut *connection).await?;
        // Unreadable rows are reported by the check of the entries.
        let made = packed::made(connection, &id, day).await;
        if made.is_ok_and(|made| row.try_get::<&[u8], _>("packed").ok() != Some(&made)) {
            let what = format!("{tenant}: the packed entries of {} do not match its rows", date_of(day)?);
            checked.found(Look::Books, what, REBUILD);
        }
    }
    Ok(())
}

/// A closed month must still have the hash that it was closed with.
async fn closed_months(connection: &mut Connection, checked: &mut Checked) -> Result<(), StoreError> {
    let rows = sql::query("SELECT tenant, month, sha256, entries FROM months ORDER BY tenant, month");
    for row in rows.fetch_all(&mut *connection).await? {
        let (tenant, month): (String, i64) = (row.try_get("tenant")?, row.try_get("month")?);
        let (hash, count): (String, i64) = (row.try_get("sha256")?, row.try_get("entries")?);
        let id = TenantId::parse(&tenant).map_err(super::unreadable)?;
        let Some(first) = super::first_of_month(month) else { continue };
        let (found, entries) = months::seal(connection, &id, first).await?;
        if (&found, entries) != (&hash, count) {
            let what = format!(
                "{tenant}: {} was closed with {count} entries and the hash {hash}; it has {entries} and {found}",
                first.format("%B %Y")
            );
            checked.found(Look::Books, what, MOVED);
        }
    }
    Ok(())
}
