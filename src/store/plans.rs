//! Tests that every statement of the store is answered by an index, according to its query plan.
//!
//! The statements are found in the source, so that none is forgotten. One that is put together from parts is listed in
//! its final form in [`ASSEMBLED`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{Place, Store};
use crate::store::sql::{self, AssertSqlSafe, Connection};

/// Tables that hold a few rows for each tenant, person or phone, or that empty themselves.
const SMALL: &[&str] = &[
    "credit_terms",
    "directories",
    "encryption_keys",
    "heartbeats",
    "months",
    "on_call_overrides",
    "people",
    "personal_rules",
    "policy_versions",
    "private_pages",
    "quarantine",
    "saved_views",
    "secrets",
    "sessions",
    "set_aside",
    "sign_ins",
    "sms_codes",
    "sms_replies",
    "stopped_phones",
    "sync_states",
    "tokens",
    "unreachable_numbers",
    "uptime_checks",
    "uptime_components",
    "uptime_promises",
    "used_links",
    "weekly_figures",
];

/// Indexes that hold only what is at work and nothing of the past, however much that is.
const AT_WORK: &[&str] = &[
    "alerts_held",
    "alerts_next_step",
    "alerts_without_id",
    "notifications_pending",
    "notifications_ready",
    "notifications_sending",
    "notifications_waiting",
    "write_backs_waiting",
];

/// How statements say that they ask for what is at work: few rows, whichever index finds them.
const ASKS_FOR_WORK: &[&str] = &[
    "state = 'open'",
    "open = 1",
    "state = 'pending'",
    "state = 'sending'",
    "state IN ('pending', 'sending')",
    "breached IS NULL",
];

/// Conditions that say only whose a row is and what state it is in.
const SAYS_LITTLE: &[&str] = &["tenant=?", "state=?", "stage=?", "open=?", "breached=?", "channel=?", "kind=?"];

/// Statements that may scan everything, by a part of each, and why.
const LOOKS_AT_ALL: &[(&str, &str)] = &[
    ("COALESCE(resolved_as, state) AS state, COUNT(*) AS number FROM alerts", "sums up a demo at its end"),
    ("COUNT(DISTINCT CASE WHEN kind = 'alert' AND step > 0", "sums up a demo at its end"),
    ("WHERE a.stage = 'breached' AND a.told = 1 GROUP BY a.key", "sums up a demo at its end"),
    ("SELECT tenant, day FROM days_to_sum ORDER BY tenant, day LIMIT 1", "reads the first and stops"),
    ("SELECT COUNT(*) FROM attempts WHERE at < $1", "counted by hand, before it goes"),
    ("SELECT COALESCE(SUM(number), 0) FROM", "counted by hand, before it goes"),
    ("SELECT COUNT(*) FROM tickets WHERE tenant = $1", "counted by hand, before the books are made anew"),
    ("(SELECT 1 FROM entries e WHERE e.id = shares.entry)", "dropped by hand, when the books are made anew"),
    ("(SELECT 1 FROM entries e WHERE e.id = overdue.entry)", "dropped by hand, when the books are made anew"),
    ("(SELECT 1 FROM entries e WHERE e.id = overdue_corrected.entry)", "dropped by hand, when the books are made anew"),
    ("SELECT day FROM days WHERE tenant = $1 UNION", "made anew by hand"),
    ("DELETE FROM packed_days WHERE tenant = $1", "made anew by hand"),
    ("WHERE tenant = $1 AND people = $2 AND from_day", "looked through by hand, when a person is erased"),
    (
        "conversation, overrides, past, untouched, tenant FROM tickets WHERE tenant = $1 ORDER BY id",
        "other policies tried on all of the past",
    ),
    (
        "became, earliest, latest, tenant FROM events WHERE tenant = $1 ORDER BY id",
        "other policies tried on all of the past",
    ),
];

/// Statements that are put together: how each begins in the source, and how it can end.
const ASSEMBLED: &[(&str, &[&str])] = &[
    (
        "SELECT ticket, first_seen_at, read_at, cycle, status_earliest",
        &["$1 AND open = 1", "$1 AND id = $2", "$1 AND id IN ($2, $3)", "$1 ORDER BY id", "$1 AND opened >= $2 AND (opened > $3 OR id > $4)
            ORDER BY opened, id LIMIT $5"],
    ),
    (
        "INSERT INTO alerts (key,",
        &["SELECT key, tenant, ticket_id, clock, cycle, episode, stage, state, reason, due, raised_at, changed_at, step,
           next_step_at, generation, told, resolved_as, id, escalation, ack_expires, acked_at, acked_by, acked_how,
           ack_until, snoozed_until, hold_over, again, hurried, acts, asked, covered_until, target,
           steps_from FROM alerts WHERE key = $1
           ON CONFLICT (key) DO UPDATE SET episode = excluded.episode WHERE alerts.acts = excluded.acts"],
    ),
    (
        "INSERT INTO notifications (key,",
        &["SELECT key, tenant, alert_key, ticket_id, kind, stage, step, channel, recipient, fallback, message, state, due_at,
           created_at, first_due_at, address, client, priority, breach_at, person, zone, urgent, timely FROM notifications WHERE key = $1
           ON CONFLICT (key) DO UPDATE SET state = 'pending' WHERE notifications.state = 'cancelled'"],
    ),
    (
        "INSERT INTO tickets (tenant,",
        &["VALUES ($1, $1, $1, $1, $1, $1, $1, $1, $1, $1, $1, $1, $1, $1, $1, $1)
           ON CONFLICT (tenant, id) DO UPDATE SET display_id = excluded.display_id"],
    ),
    ("INSERT INTO events (tenant, ticket_id, kind, was, became, earliest, latest) ", &["VALUES ($1, $1, $1, $1, $1, $1, $1)"]),
    (
        "INSERT INTO predictions (tenant,",
        &["VALUES ($1, $1, $1, $1, $1, $1, $1, $1) ON CONFLICT DO NOTHING"],
    ),
    ("INSERT INTO to_book (tenant, ticket, at, marks) ", &["VALUES ($1, $1, $1, $1)
      ON CONFLICT (tenant, ticket) DO UPDATE SET at = excluded.at, marks = to_book.marks + 1"]),
    ("INSERT INTO days_to_sum (tenant, day) ", &["VALUES ($1, $1) ON CONFLICT (tenant, day) DO NOTHING"]),
    ("INSERT INTO people (tenant, kind, id, name, seen_at) ", &["VALUES ($1, $1, $1, $1, $1)
      ON CONFLICT (tenant, kind, id) DO UPDATE SET name = excluded.name WHERE people.name <> excluded.name"]),
    ("INSERT INTO shares (entry, place,", &["VALUES ($1, $1, $1, $1, $1, $1, $1)"]),
    ("INSERT INTO overdue (entry, tenant,", &["VALUES ($1, $1, $1, $1, $1, $1) ON CONFLICT (entry, from_at) DO NOTHING"]),
    ("INSERT INTO overdue_corrected (entry, tenant,", &["VALUES ($1, $1, $1, $1, $1, $1) ON CONFLICT (entry, from_at) DO NOTHING"]),
    ("SELECT e.ticket, e.id, e.clock,", &["$1 AND e.ticket IN ($2, $3) ORDER BY e.id"]),
    ("SELECT e.ticket, e.clock, e.round, MAX(e.revision)", &["$1 AND e.ticket IN ($2, $3) GROUP BY e.ticket, e.clock, e.round"]),
    ("SELECT s.entry, s.holder, s.weight, s.counted, s.over, s.paused FROM entries e", &["$1 AND e.ticket IN ($2, $3) ORDER BY s.entry, s.place"]),
    ("SELECT s.entry, s.holder, s.weight, s.counted, s.over, s.paused", &[" FROM entries e JOIN shares s ON s.entry = e.id
      WHERE e.tenant = $1 AND e.counts = 1 AND e.day BETWEEN $2 AND $3 ORDER BY s.entry, s.place"]),
    ("UPDATE tickets SET misses = 0, read_at = ", &["$1 WHERE tenant = $2 AND id IN ($3, $4)"]),
];

/// What `{}` and names with several meanings stand for.
const PLACES: &[(&str, &[&str])] = &[
    (
        "{part}",
        &[
            "FROM entries e WHERE e.tenant = $1 AND e.counts = 1 AND e.day BETWEEN $2 AND $3",
            "FROM entries e WHERE e.tenant = $1 AND e.counts = 1 AND e.stop_day BETWEEN $2 AND $3 AND e.stop_day <> e.day AND e.day NOT BETWEEN $2 AND $3",
            "FROM entries e WHERE e.tenant = $1 AND e.counts <> e.latest AND e.day BETWEEN $2 AND $3",
        ],
    ),
    ("{time}", &["changed_at", "due"]),
    ("{table}", &["silences", "maintenance_windows"]),
    ("{}", &["silences", "maintenance_windows"]),
];

#[tokio::test]
async fn every_statement_is_answered_by_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = connection(&folder).await;
    let statements = statements();
    assert!(statements.len() > 100, "only {} statements were found", statements.len());
    let (faults, excused) = faults(&mut connection, &statements).await;
    assert!(faults.is_empty(), "{} statements:\n{}", faults.len(), faults.join("\n"));
    let needless: Vec<_> = LOOKS_AT_ALL.iter().filter(|(part, _)| !excused.contains(part)).collect();
    assert!(needless.is_empty(), "these need no excuse any more: {needless:?}");
}

/// The planner has no row counts, so its plans do not depend on how many rows there are: what is found for an empty
/// store holds for one with years of data.
#[tokio::test]
async fn plans_are_the_same_in_a_store_of_years() {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = connection(&folder).await;
    let statements = statements();
    let mut before = BTreeMap::new();
    for statement in statements.keys() {
        before.insert(statement, plan(&mut connection, statement).await);
    }
    for statement in YEARS {
        sql::query(AssertSqlSafe(format!("{NUMBERS} {statement}"))).execute(&mut connection).await.expect(statement);
    }
    drop(connection);
    let mut connection = self::connection(&folder).await;
    for (statement, before) in before {
        assert_eq!(plan(&mut connection, statement).await, before, "{statement}");
    }
    let counted = "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'sqlite_stat1'";
    let counted: i64 = sql::query_scalar(counted).fetch_one(&mut connection).await.unwrap();
    assert_eq!(counted, 0);
}

/// SQLite takes the index that matches most columns, even if another has far fewer rows: a statement that asks only for
/// rows of an index of what is at work must get that index.
#[tokio::test]
async fn what_is_at_work_is_found_by_the_index_that_holds_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = connection(&folder).await;
    let indexes = "SELECT name, tbl_name, sql FROM sqlite_schema WHERE type = 'index' AND sql LIKE '%WHERE%AND%'";
    let indexes: Vec<(String, String, String)> = sql::query_as(indexes).fetch_all(&mut connection).await.unwrap();
    let mut asked = 0;
    for (index, table, made) in indexes.iter().filter(|(index, ..)| AT_WORK.contains(&index.as_str())) {
        let (_, holds) = made.rsplit_once("WHERE ").unwrap();
        let is_for = |statement: &&String| {
            let asks = statement.split_once("WHERE ").map_or("", |(_, asks)| asks);
            holds.split(" AND ").all(|words| asks.contains(words.trim()))
        };
        for statement in statements().keys().filter(is_for) {
            let steps = plan(&mut connection, statement).await.unwrap();
            let search = format!("SEARCH {table} USING INDEX ");
            let taken = steps.iter().filter_map(|step| step.strip_prefix(&search)?.split_once(" ("));
            let is_other = |(name, by): (&str, &str)| {
                let by = by.trim_end_matches(')').split(" AND ").all(|by| SAYS_LITTLE.contains(&by));
                name != index && by
            };
            assert!(!taken.into_iter().any(is_other), "{index}: {steps:?}\n{statement}");
            asked += 1;
        }
    }
    assert!(asked > 0, "nobody asks for what is at work");
}

/// PostgreSQL understands the same statements as SQLite. Runs only where the tests have a server.
#[tokio::test]
async fn every_statement_is_understood_by_postgresql() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = super::place::tests::server(folder.path()) else { return };
    server.migrate().await.unwrap();
    let mut connection = Connection::to_server(&server).await.unwrap();
    let mut faults = Vec::new();
    for (number, statement) in statements().into_keys().enumerate() {
        let text = super::sql::postgres::text(&statement);
        let prepare = sql::query(AssertSqlSafe(format!("PREPARE s{number} AS {text}")));
        let refused = prepare.execute(&mut connection).await.err();
        // The store gives each parameter's type with its value; here nobody does.
        let refused = refused
            .map(|error| error.to_string())
            .filter(|why| !why.contains("could not determine data type") && !why.contains("inconsistent types"));
        faults.extend(refused.map(|why| format!("{why}: {statement}")));
    }
    assert!(faults.is_empty(), "{} statements:\n{}", faults.len(), faults.join("\n"));
}

async fn connection(folder: &tempfile::TempDir) -> Connection {
    let path = folder.path().join("sla.db");
    Store::open(Place::File(path.clone()), std::sync::Arc::default()).await.unwrap().close().await;
    Connection::to_file(&super::options(&path)).await.unwrap()
}

/// Returns what is wrong with the plans of `statements`, and which excuses were needed.
async fn faults(
    connection: &mut Connection,
    statements: &BTreeMap<String, PathBuf>,
) -> (Vec<String>, BTreeSet<&'static str>) {
    let (mut faults, mut excused) = (Vec::new(), BTreeSet::new());
    for (statement, file) in statements {
        let Err(fault) = judge(connection, statement).await else { continue };
        match LOOKS_AT_ALL.iter().find(|(part, _)| statement.contains(part)) {
            Some((part, _)) => drop(excused.insert(*part)),
            None => faults.push(format!("{}: {fault}\n    {statement}", file.display())),
        }
    }
    (faults, excused)
}

/// The numbers 1 to 4,000, each with a tenant: most fall to the same one.
const NUMBERS: &str = "WITH RECURSIVE n (i, tenant) AS (SELECT 1, 'desk' UNION ALL SELECT i + 1,
     CASE WHEN i % 4 = 0 THEN 'desk-' || (i % 40) ELSE 'desk' END FROM n WHERE i < 4000)";

/// What years leave behind, row by row of [`NUMBERS`]; one in a hundred is still at work.
const YEARS: &[&str] = &[
    "INSERT INTO tickets (tenant, id, display_id, status, open, ticket, first_seen_at, read_at, cycle)
     SELECT tenant, i, '#' || i, CASE WHEN i % 100 = 0 THEN 'Open' ELSE 'Closed' END, i % 100 = 0,
            '{\"created_at\":\"' || i || '\"}', i, i, 0 FROM n",
    "INSERT INTO events (tenant, ticket_id, kind, earliest, latest)
     SELECT tenant, i, 'status', i + k.value, i + k.value FROM n, json_each('[1, 2, 3, 4]') k",
    "INSERT INTO alerts (key, tenant, ticket_id, clock, cycle, episode, stage, state, reason, due, raised_at, changed_at,
       step, next_step_at, generation, told, resolved_as, id, acts, told_at)
     SELECT 'a' || i, tenant, i, 'resolution', 0, 0, CASE WHEN i % 3 = 0 THEN 'warning' ELSE 'breached' END,
            CASE WHEN i % 100 = 0 THEN 'open' ELSE 'resolved' END, '', i, i, i, 1, CASE WHEN i % 100 = 0 THEN i END, 1, 1,
            CASE WHEN i % 100 > 0 THEN 'met' END, 'id' || i, i % 3, i FROM n",
    "INSERT INTO notifications (key, tenant, alert_key, ticket_id, kind, stage, step, channel, recipient, fallback, message,
       state, due_at, first_due_at, created_at, done_at, address, client, breach_at, released_at, person)
     SELECT 'n' || i || k.value, tenant, 'a' || i, i, 'alert', 'breached', 0, k.value, 'p' || (i % 9), '[]', '{}',
            CASE WHEN i % 100 > 0 THEN 'sent' WHEN i % 200 > 0 THEN 'pending' ELSE 'sending' END, i, i, i,
            CASE WHEN i % 100 > 0 THEN i END, 'p' || (i % 9), 'c' || (i % 50), i, CASE WHEN i % 100 > 0 THEN i END,
            'p' || (i % 9) FROM n, json_each('[\"email\", \"sms\"]') k",
    "INSERT INTO attempts (tenant, notification, number, at, outcome) SELECT tenant, 'n' || i || 'sms', 1, i, 'taken' FROM n",
    "INSERT INTO receipts (provider_id, notification, status, rank, changed_at, poll_at)
     SELECT 'r' || i, 'n' || i || 'sms', 'delivered', 4, i, CASE WHEN i % 200 = 0 THEN i END FROM n",
    "INSERT INTO audit (tenant, at, who, what, origin, alert) SELECT tenant, i, 'Mia', 'did', 'here', 'a' || i FROM n",
    "INSERT INTO predictions (tenant, ticket_id, clock, cycle, moment, at, probability, left_ms, breached, decided_at)
     SELECT tenant, i, 'resolution', 0, 'alert', i, 0.5, 0, CASE WHEN i % 100 > 0 THEN 0 END, CASE WHEN i % 100 > 0 THEN i END
     FROM n",
    "INSERT INTO prediction_weeks (tenant, week, cell, predictions, breached, said, squares)
     SELECT tenant, i, i % 50, 1, 0, 0.5, 0.25 FROM n",
    "INSERT INTO write_backs (key, reference, tenant, ticket_id, alert_key, kind, content, state, created_at, due_at, begun_at,
       settled_at) SELECT 'w' || i, '', tenant, i, 'a' || i, 'note', '', CASE WHEN i % 100 > 0 THEN 'done' ELSE 'pending' END,
       i, i, i, CASE WHEN i % 100 > 0 THEN i END FROM n",
    "INSERT INTO digested (alert_key, digest, recipient, at) SELECT 'a' || i, 'd' || (i / 9), 'p' || (i % 9), i FROM n",
];

#[tokio::test]
async fn a_statement_that_walks_through_the_past_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = connection(&folder).await;
    for walks in [
        "SELECT key FROM notifications WHERE recipient = $1",
        "SELECT n.key FROM alerts a JOIN notifications n ON n.alert_key = a.key",
        "SELECT key FROM notifications WHERE tenant = $1 AND state = 'sent'",
        "SELECT key FROM notifications WHERE tenant = $1 OR $1 IS NULL",
        "SELECT COUNT(*) FROM events",
        "SELECT key FROM notifications WHERE tenant = $1 ORDER BY recipient LIMIT 9",
        "UPDATE alerts SET acts = 1 WHERE tenant = $1 AND state = 'resolved'",
    ] {
        assert!(judge(&mut connection, walks).await.is_err(), "{walks}");
    }
    for finds in [
        "SELECT key FROM alerts WHERE tenant = $1 AND state = 'open'",
        "SELECT key FROM notifications WHERE tenant = $1 ORDER BY created_at DESC LIMIT 9",
    ] {
        assert_eq!(judge(&mut connection, finds).await, Ok(()), "{finds}");
    }
}

/// Returns what is wrong with the plan of `statement`, if anything.
async fn judge(connection: &mut Connection, statement: &str) -> Result<(), String> {
    let steps = plan(connection, statement).await?;
    let sorts = steps.iter().any(|step| step == "USE TEMP B-TREE FOR ORDER BY");
    let ends_early = statement.contains("LIMIT") && !sorts;
    let names = made_on_the_way(statement, &steps);
    let bad = |step: &&String| walks(step, &names) || (is_whole_tenant(step, statement) && !ends_early);
    steps.iter().find(bad).map_or(Ok(()), |step| Err(step.clone()))
}

/// Returns the steps of the plan for `statement`.
async fn plan(connection: &mut Connection, statement: &str) -> Result<Vec<String>, String> {
    let plan = sql::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"))).fetch_all(connection).await;
    let plan = plan.map_err(|error| format!("put together from parts? then it belongs into ASSEMBLED: {error}"))?;
    Ok(plan.iter().map(|row| row.get("detail")).collect())
}

/// Returns the names of what the statement itself creates, which are no tables.
fn made_on_the_way(statement: &str, steps: &[String]) -> BTreeSet<String> {
    let made =
        steps.iter().filter_map(|step| ["CO-ROUTINE ", "MATERIALIZE "].iter().find_map(|word| step.strip_prefix(word)));
    let with = statement.strip_prefix("WITH RECURSIVE ").and_then(|rest| rest.split([' ', '(']).next());
    made.chain(with).map(str::to_owned).collect()
}

/// Whether a step scans a table that grows.
fn walks(step: &str, made: &BTreeSet<String>) -> bool {
    let Some(what) = step.strip_prefix("SCAN ") else { return false };
    let name = what.split(' ').next().unwrap_or_default();
    let harmless = what.contains("VIRTUAL TABLE") || what.starts_with("CONSTANT ROW") || what.starts_with('(');
    let at_work = AT_WORK.iter().any(|index| what.contains(&format!("INDEX {index}")));
    !(harmless || at_work || SMALL.contains(&name) || made.contains(name))
}

/// Whether a step reads all rows of a tenant, or all rows in the state that most are in.
fn is_whole_tenant(step: &str, statement: &str) -> bool {
    let Some((what, by)) = step.strip_prefix("SEARCH ").and_then(|step| step.split_once(" (")) else { return false };
    let name = what.split(' ').next().unwrap_or_default();
    let at_work = AT_WORK.iter().any(|index| what.ends_with(index)) || SMALL.contains(&name);
    let by: Vec<_> = by.trim_end_matches(')').split(" AND ").collect();
    let asks = ASKS_FOR_WORK.iter().any(|words| statement.contains(words)) && by != ["tenant=?"];
    by.iter().all(|by| SAYS_LITTLE.contains(by)) && !at_work && !asks
}

/// Returns every statement in the source, with its file.
fn statements() -> BTreeMap<String, PathBuf> {
    let mut read = Vec::new();
    for file in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let text = std::fs::read_to_string(&file).unwrap();
        let is_test = file.ends_with("tests.rs") || file.ends_with("plans.rs");
        let is_test = is_test || file.ends_with("sql/postgres.rs") || file.ends_with("store/copy.rs");
        // Scans everything, but only on request.
        let is_test = is_test || file.to_string_lossy().contains("store/check") || file.ends_with("books/look.rs");
        if (text.contains("store::sql") || text.contains("sqlx")) && !is_test {
            let (texts, parts) = literals(text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default());
            read.push((file, texts, parts));
        }
    }
    let shared: BTreeMap<_, _> = read.iter().flat_map(|(_, _, parts)| parts.clone()).collect();
    let mut found = BTreeMap::new();
    for (file, texts, own) in read {
        for text in texts.iter().filter(|text| is_statement(text)) {
            found.extend(whole(text, [&own, &shared]).into_iter().map(|statement| (statement, file.clone())));
        }
    }
    found
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        match entry.is_dir() {
            true => files.extend(sources(&entry)),
            false => files.extend(entry.extension().is_some_and(|end| end == "rs").then_some(entry)),
        }
    }
    files
}

fn is_statement(text: &str) -> bool {
    ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "].iter().any(|word| text.trim_start().starts_with(word))
}

/// Returns the final forms of `text`, with its parts in place.
fn whole(text: &str, parts: [&BTreeMap<String, String>; 2]) -> Vec<String> {
    let put = |text: String, (name, value): (&String, &String)| text.replace(&format!("{{{name}}}"), value);
    // A part may itself be made of parts.
    let all = parts.into_iter().chain(parts).flatten();
    let text = all.fold(text.to_owned(), put);
    if let Some((_, ends)) = ASSEMBLED
        .iter()
        .find(|(beginning, _)| text == *beginning || (!beginning.ends_with(' ') && text.starts_with(beginning)))
    {
        return ends.iter().map(|end| format!("{text}{end}")).collect();
    }
    match PLACES.iter().find(|(place, _)| text.contains(place)) {
        Some((place, values)) => values.iter().map(|value| text.replace(place, value)).collect(),
        None => vec![text],
    }
}

/// Returns the texts of a source file, and those of them that have a name.
fn literals(source: &str) -> (Vec<String>, BTreeMap<String, String>) {
    let (mut texts, mut parts) = (Vec::new(), BTreeMap::new());
    let mut rest = source;
    while let Some(at) = rest.find(['"', '/', '\'']) {
        let before = &rest[..at];
        rest = &rest[at..];
        if rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
        } else if rest.starts_with('"') {
            let (text, after) = text(&rest[1..]);
            let line = before.rsplit('\n').next().unwrap_or_default();
            let name = line.trim_start().trim_start_matches("pub(super) ").trim_start_matches("pub(in crate::store) ");
            let name = name
                .strip_prefix("const ")
                .or(name.strip_prefix("let "))
                .and_then(|name| name.split([':', ' ']).next());
            if let Some(name) = name.filter(|_| line.trim_end().ends_with('=')) {
                parts.insert(name.to_owned(), text.clone());
            }
            texts.push(text);
            rest = after;
        } else if rest.starts_with("'\"'") {
            rest = &rest[3..];
        } else {
            rest = &rest[1..];
        }
    }
    (texts, parts)
}

/// Returns a text up to its closing quote, and what follows it.
fn text(source: &str) -> (String, &str) {
    let mut text = String::new();
    let mut chars = source.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return (text, &source[at + 1..]),
            // A backslash at the end of a line joins it with the next.
            '\\' => match chars.next() {
                Some((_, '\n')) => {
                    let rest = source[at + 2..].trim_start();
                    let (more, after) = self::text(rest);
                    return (text + &more, after);
                }
                Some((_, escaped)) => text.push(escaped),
                None => break,
            },
            char => text.push(char),
        }
    }
    (text, "")
}
