//! Erasing a person removes every name and changes no figure.

use std::sync::Arc;
use std::task::Poll;

use super::*;
use crate::report::{People, Period};
use crate::store::audit::Author;
use crate::store::reports::{ReportFile, file_id};
use crate::store::tokens::{NewToken, Role, Token};

fn tenant() -> TenantId {
    TenantId::parse("acme").unwrap()
}

fn now() -> DateTime<Utc> {
    "2026-11-23T09:00:00Z".parse().unwrap()
}

fn author(who: &str) -> Author {
    Author { who: who.to_owned(), origin: "command line".to_owned() }
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Makes a store in which Ada Byron is named in every way that a statement here can.
async fn store(folder: &tempfile::TempDir) -> Store {
    let path = folder.path().join("sla.db");
    let store = Store::open(crate::store::Place::File(path.clone()), Arc::default()).await.unwrap();
    let token = NewToken { name: "Ada Byron's own".to_owned(), role: Role::Viewer, tenant: None, expires_at: None };
    store.add_named_token(&Token::generate().unwrap(), token, author("Ada Byron"), now()).await.unwrap();
    let pool = sqlx::SqlitePool::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    for statement in [
        "INSERT INTO directories VALUES ('acme', '{\"technicians\":{\"7\":{\"id\":\"7\",\"name\":\"Ada Byron\",
           \"email\":\"ada@example.com\",\"phone\":\"+15005550006\",\"manager\":null,\"groups\":[]}},\"clients\":{},\"sites\":{},
           \"groups\":{},\"slas\":{},\"statuses\":[],\"priorities\":[]}', 1)",
        "INSERT INTO people VALUES ('acme', 'technician', '7', 'Ada Byron', 1), ('acme', 'technician', '8', 'Adam Byronson', 1)",
        "INSERT INTO events (tenant, ticket_id, kind, was, became, earliest, latest)
         VALUES ('acme', 't', 'assignee', 'Ada Byron', 'Adam Byronson', 1, 1), ('other', 't', 'assignee', 'Ada Byron', NULL, 1, 1)",
        // She had another name when this ticket was last read.
        "INSERT INTO tickets (tenant, id, display_id, status, open, ticket, first_seen_at, read_at, cycle)
         VALUES ('acme', 't', 'T-1', 'Open', 0, '{\"technician\":{\"id\":\"7\",\"name\":\"Ada Before\"}}', 1, 1, 0)",
        "INSERT INTO events (tenant, ticket_id, kind, was, became, earliest, latest)
         VALUES ('acme', 't', 'assignee', 'Eve Other', 'Ada Before', 1, 1)",
        "INSERT INTO notifications (key, tenant, alert_key, kind, stage, step, channel, recipient, fallback, message, state,
           due_at, first_due_at, created_at, address, person)
         VALUES ('n', 'acme', 'a', 'alert', 'breached', 0, 'sms', '7', '[[\"email\",\"ada@example.com\"]]',
           '{\"to\":\"+15005550006\",\"to_name\":\"Ada Byron\",\"text\":\"because ada byron owns it\"}', 'sent', 1, 1, 1,
           '+15005550006', 'ada@example.com')",
        "INSERT INTO quarantine VALUES ('acme', '7', 'name', '`Ada Byron` is no name', 1, 1, 1),
           ('acme', '7', 'zone', 'it is no zone', 1, 1, 1)",
        "INSERT INTO stopped_phones VALUES ('+15005550006', 1, '7'), ('+15005550007', 1, '8')",
        "INSERT INTO incidents VALUES ('i', 'acme', 'Ada Byron broke it', 'minor', 'resolved', '[]', 1, 0, 'Ada Byron', NULL, 1, 2)",
        "INSERT INTO incident_updates VALUES ('i', 1, 1, 'resolved', 'Ada Byron is at it', 'call ada@example.com', 'Ada Byron')",
        "INSERT INTO planned_work VALUES ('w', 'acme', 'Ada Byron moves racks', 'Ada Byron', '[]', 1, 1, 2, 1, 1, 1, 0, 'Ada Byron')",
        "INSERT INTO uptime_statements VALUES ('s', 'acme', 'c', 1, '{}', 'h', 'waived', 1, 'Ada Byron', 1, 'Ada Byron said so')",
        "INSERT INTO sessions (id, hash, token, opened_at, used_at, origin, browser, person)
         VALUES ('s', 'h', 't', 1, 1, '::1', 'a browser', '{\"name\":\"Ada Byron\",\"email\":\"ada@example.com\"}')",
        "INSERT INTO alerts (key, tenant, ticket_id, clock, cycle, episode, stage, state, reason, due, raised_at, changed_at, step,
           generation, told)
         VALUES ('acme:t:resolution:0', 'acme', 't', 'resolution', 0, 0, 'breached', 'open', 'owned by Ada Byron', 1, 1, 1, 0, 0, 1)",
        "INSERT INTO digested VALUES ('acme:t:resolution:0', 'd', 'ada@example.com', 1)",
        "INSERT INTO unreachable_numbers (phone, code, since, until, who) VALUES ('0015005550006', 1, 1, 2, 'Ada Byron')",
        "INSERT INTO on_call_overrides (rotation, person, from_time, until_time, made_by, made_at)
         VALUES ('main', 'ada@example.com', 1, 2, 'Ada Byron', 1)",
        "INSERT INTO saved_views (owner, tenant, name, filters, made_by, made_at)
         VALUES ('', 'acme', 'Of Ada Byron', '{\"technician\":\"Ada Byron\"}', 'Ada Byron', 1)",
        "INSERT INTO personal_rules (person, rules, set_by, set_at) VALUES ('ada@example.com', '{}', 'Ada Byron', 1)",
        "INSERT INTO entries (id, tenant, ticket, clock, round, revision, counts, latest, headline, outcome, day, decided_at, counted,
           over, paused, observed, holder, version, maintenance, reason_by, signs, chances, program)
         VALUES (1, 'acme', 't', 'resolution', 1, 1, 1, 1, 1, 'breached', 20755, 1, 5, 1, 0, 1, '7', 1, 0, 'Ada Byron', 0, 0, 'x')",
        "INSERT INTO shares VALUES (1, 0, '7', 1000000, 5, 1, 0)",
    ] {
        sqlx::query(statement).execute(&pool).await.expect(statement);
    }
    pool.close().await;
    for (people, from, bytes) in [
        (People::Named, "2026-10-01", "ada"),
        (People::Off, "2026-10-01", "nobody"),
        (People::Named, "2026-12-01", "later"),
    ] {
        let period = Period { from: date(from), to: date(from) + chrono::TimeDelta::days(40) };
        let file = ReportFile {
            tenant: tenant(),
            id: file_id(bytes.as_bytes()),
            name: "r.pdf".to_owned(),
            format: "pdf".to_owned(),
            title: "October".to_owned(),
            period,
            report_hash: "h".to_owned(),
            is_closed: true,
            people,
            made_for: "Ada Byron".to_owned(),
            made_at: now(),
            size: bytes.len() as u64,
        };
        store.keep_report(file, bytes.as_bytes().to_vec()).await.unwrap();
    }
    store
}

/// Returns all texts of all tables, one per line.
async fn everything(folder: &tempfile::TempDir) -> String {
    let path = folder.path().join("sla.db");
    let pool = sqlx::SqlitePool::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        .fetch_all(&pool)
        .await
        .unwrap();
    let mut text = String::new();
    for table in tables {
        let columns: Vec<String> =
            sqlx::query_scalar("SELECT name FROM pragma_table_info($1)").bind(&table).fetch_all(&pool).await.unwrap();
        for column in columns {
            let values = format!("SELECT CAST(\"{column}\" AS BLOB) FROM \"{table}\" WHERE \"{column}\" IS NOT NULL");
            let values: Vec<Vec<u8>> = sqlx::query_scalar(sqlx::AssertSqlSafe(values)).fetch_all(&pool).await.unwrap();
            for value in values {
                text += &format!("{table}.{column}: {}\n", String::from_utf8_lossy(&value));
            }
        }
    }
    pool.close().await;
    text
}

/// Text columns that hold no words about people: ids and keys, our own words, hashes, and what machines say.
const OF_NOBODY: &[&str] = &[
    "alerts: acked_how clock escalation id key resolved_as stage state tenant ticket_id",
    "attempts: notification outcome tenant",
    // In changes and sessions, only the machine they came from.
    "audit: alert hash origin prior tenant",
    "book_changes: tenant",
    "credit_terms: content tenant",
    "days: clock tenant",
    "days_to_sum: tenant",
    "digested: alert_key digest",
    "directories: tenant",
    "encryption_keys: id proof",
    "entries: answered_by category client clock holder outcome policy priority program reason said_reason says tenant ticket why",
    "events: kind tenant ticket_id",
    "handovers: became tenant ticket_id was",
    "heartbeats: name",
    "incident_updates: incident progress",
    "incidents: components id impact outage progress tenant",
    "leader_health: health name",
    "leases: holder name",
    "maintenance_windows: client component priority tenant ticket",
    "months: sha256 tenant zone",
    "notifications: alert_key bundle channel client held_by key kind priority provider_id stage state tenant ticket_id zone",
    "on_call_overrides: rotation",
    "overdue: tenant",
    "overdue_corrected: tenant",
    // Packed entries, which leave out what people said.
    "packed_days: packed tenant",
    "people: id kind tenant",
    "planned_work: components id tenant",
    "policy_versions: content tenant",
    "prediction_weeks: tenant",
    "predictions: clock moment tenant ticket_id",
    "private_pages: client hash id tenant",
    "quarantine: field record tenant",
    "receipts: notification provider_id status",
    // A file that names somebody is emptied as a whole.
    "report_contents: bytes id tenant",
    "report_files: format id name people report_hash tenant",
    "report_schedules: name tenant",
    "saved_views: owner tenant",
    "secrets: name value",
    "sessions: browser hash id origin tenant token",
    "set_aside: key kind tenant",
    "shares: holder",
    "sign_ins: key wanted",
    "silences: client component priority tenant ticket",
    // Stored by number, and deleted with its owner.
    "sms_codes: alert_key notification phone",
    "sms_replies: answer sid",
    "stopped_phones: phone",
    "subscribers: components id page wanted",
    "sync_states: state tenant",
    "tickets: display_id id opened status tenant",
    "to_book: tenant ticket",
    "tokens: hash id role tenant",
    "told_updates: id",
    "unreachable_numbers: phone",
    "uptime_checks: id latest state",
    "uptime_components: id tenant",
    "uptime_promises: component period tenant",
    "uptime_pushed: check_id detail",
    "uptime_results: detail",
    "uptime_rollups: sketch",
    "uptime_spans: standing subject",
    "uptime_statements: body component credit id sha256 tenant",
    "used_links: notification outcome token",
    "weekly_figures: tenant",
    "write_backs: alert_key key kind reference state tenant ticket_id",
];

#[tokio::test]
async fn each_column_of_text_is_searched_for_people_or_known_to_name_nobody() {
    let folder = tempfile::tempdir().unwrap();
    store(&folder).await;
    let pool =
        sqlx::SqlitePool::connect(&format!("sqlite://{}", folder.path().join("sla.db").display())).await.unwrap();
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT t.name, c.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c
         WHERE t.type = 'table' AND c.type IN ('TEXT', 'BLOB') AND t.name NOT LIKE '\\_sqlx%' ESCAPE '\\' ORDER BY 1, 2",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    let is_known = |table: &str, column: &str| {
        let searched = PLACES.iter().any(|place| place.table == table && place.columns.contains(&column));
        let exempt = OF_NOBODY.iter().filter_map(|line| line.split_once(": "));
        let exempt =
            exempt.filter(|(name, _)| *name == table).any(|(_, names)| names.split(' ').any(|one| one == column));
        searched != exempt
    };
    let unknown: Vec<_> = columns.iter().filter(|(table, column)| !is_known(table, column)).collect();
    assert!(unknown.is_empty(), "add these to `PLACES`, or say here that they name nobody: {unknown:?}");
}

#[tokio::test]
async fn nothing_names_an_erased_person_and_every_count_and_hash_is_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    let october = date("2026-10-29");
    let hash = store.month_hash(&tenant(), october).await.unwrap();
    let person = store.persons(&tenant(), "ADA@example.com").await.unwrap().remove(0);
    assert_eq!(person.known_by, ["+15005550006", "Ada Before", "Ada Byron", "ada@example.com"]);
    let before = store.mentions(&person).await.unwrap();
    let held = store.held_by(&person).await.unwrap();
    assert_eq!(held.iter().map(|one| (one.ticket.as_str(), one.weight)).collect::<Vec<_>>(), [("t", 1_000_000)]);

    let erased = store.erase_person(&person, "Technician 1A2B", author("root"), now()).await.unwrap();
    assert_eq!((erased.numbers, erased.files), (2, 1));
    let told = store.mentions(&person).await.unwrap();
    assert!(told.iter().all(|one| one.table == "tickets"), "it goes on to say by id who had it: {told:#?}");
    let deleted = before.iter().filter(|one| one.table == "unreachable_numbers").count() as u64;
    assert_eq!(before.len() as u64, erased.texts + deleted, "as many as name her: {before:#?} {erased:?}");
    assert_eq!(store.held_by(&person).await.unwrap(), held, "the books count by the id");
    assert_eq!(store.month_hash(&tenant(), october).await.unwrap(), hash);
    let log = store.verify_audit().await.unwrap();
    assert_eq!((log.rows, log.broken), (2, None));
    store.close().await;

    let text = everything(&folder).await.to_lowercase();
    let names = |line: &&str| ["ada byron", "ada before", "ada@", "550006"].iter().any(|name| line.contains(name));
    let left: Vec<&str> = text.lines().filter(names).collect();
    assert_eq!(left, ["events.was: ada byron"], "another tenant's namesake is not meant");
    assert!(text.contains("adam byronson") && text.contains("technician 1a2b"), "{text}");
    assert!(text.contains("last hash was") && text.contains("quarantine.why: it is no zone"), "{text}");
}

#[tokio::test]
async fn a_namesake_keeps_the_name_wherever_an_id_says_who_is_meant() {
    let folder = tempfile::tempdir().unwrap();
    store(&folder).await.close().await;
    let path = folder.path().join("sla.db");
    let pool = sqlx::SqlitePool::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    for statement in [
        "INSERT INTO people VALUES ('acme', 'technician', '9', 'Ada Byron', 1)",
        "UPDATE directories SET directory = replace(directory, '\"technicians\":{', '\"technicians\":{\"9\":{\"id\":\"9\",
           \"name\":\"Ada Byron\",\"email\":null,\"phone\":null,\"manager\":null,\"groups\":[]},')",
    ] {
        sqlx::query(statement).execute(&pool).await.expect(statement);
    }
    pool.close().await;
    let store = Store::open(crate::store::Place::File(path), Arc::default()).await.unwrap();
    assert_eq!(store.persons(&tenant(), "Ada Byron").await.unwrap().len(), 2);
    let person = store.persons(&tenant(), "7").await.unwrap().remove(0);
    assert_eq!((&person.shared[..], person.namesakes.len()), (&["Ada Byron".to_owned()][..], 1));
    let sure: Vec<_> = store.mentions(&person).await.unwrap().into_iter().filter(|one| one.is_sure).collect();
    assert!(sure.iter().any(|one| one.table == "people" && one.row == "7"), "{sure:#?}");
    assert!(sure.iter().all(|one| (one.table != "events" || one.text == "Ada Before") && one.row != "9"), "{sure:#?}");
    store.erase_person(&person, "Technician 1A2B", author("root"), now()).await.unwrap();
    let left = store.persons(&tenant(), "Ada Byron").await.unwrap();
    assert_eq!(left.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["9"]);
    store.close().await;
    let text = everything(&folder).await.to_lowercase();
    let named = text.lines().filter(|line| line.contains("ada byron")).map(|line| line.split(": ").next().unwrap());
    let mut named: Vec<_> = named.collect();
    named.sort_unstable();
    assert_eq!(named, ["directories.directory", "events.was", "people.name"], "of the other one");
    assert!(text.contains("events.was: a technician") && text.contains("people.name: technician 1a2b"), "{text}");
}

#[tokio::test]
async fn somebody_whose_name_holds_the_persons_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    store(&folder).await.close().await;
    let path = folder.path().join("sla.db");
    let pool = sqlx::SqlitePool::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    for statement in [
        "INSERT INTO people VALUES ('acme', 'technician', '9', 'Ada Byron Lovelace', 1)",
        "INSERT INTO events (tenant, ticket_id, kind, was, became, earliest, latest)
         VALUES ('acme', 't', 'assignee', 'Ada Byron', 'Ada Byron Lovelace', 1, 1)",
    ] {
        sqlx::query(statement).execute(&pool).await.expect(statement);
    }
    pool.close().await;
    let store = Store::open(crate::store::Place::File(path), Arc::default()).await.unwrap();
    let person = store.persons(&tenant(), "Ada Byron").await.unwrap().remove(0);
    assert_eq!(person.id.as_str(), "7");
    let told = store.mentions(&person).await.unwrap();
    assert!(told.iter().all(|one| !one.text.contains("Lovelace")), "{told:#?}");
    store.erase_person(&person, "Technician 1A2B", author("root"), now()).await.unwrap();
    store.close().await;
    let text = everything(&folder).await;
    let named = text.lines().filter(|line| line.contains("Lovelace"));
    assert_eq!(
        named.collect::<Vec<_>>(),
        ["events.became: Ada Byron Lovelace", "people.name: Ada Byron Lovelace"],
        "this is another one"
    );
    assert_eq!(text.lines().filter(|line| *line == "events.was: Technician 1A2B").count(), 2);
}

#[tokio::test]
async fn an_erasure_leaves_a_note_until_what_it_freed_is_wiped() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    let at = || crate::store::Place::File(folder.path().join("sla.db"));
    assert!(!store.is_wipe_due().await.unwrap());
    let person = store.persons(&tenant(), "ada@example.com").await.unwrap().remove(0);
    store.erase_person(&person, "Technician 1A2B", author("root"), now()).await.unwrap();
    store.close().await;
    let again = Store::open(at(), Arc::default()).await.unwrap();
    assert!(again.persons(&tenant(), "ada@example.com").await.unwrap().is_empty(), "nobody is found by the name");
    assert!(again.is_wipe_due().await.unwrap(), "it was interrupted after its last change");
    again.close().await;
    crate::store::encryption::wipe_freed(&at()).await.unwrap();
    assert!(!Store::open(at(), Arc::default()).await.unwrap().is_wipe_due().await.unwrap());
}

/// Returns the result of `work`, unless the store has been written to `writes` times before: then it is stopped there.
async fn up_to<F: Future>(writes: u64, store: &Store, work: F) -> Option<F::Output> {
    let (mut work, most) = (std::pin::pin!(work), store.times_written() + writes);
    std::future::poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if store.times_written() >= most => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

#[tokio::test]
async fn an_erasure_may_end_after_any_step_and_is_begun_again_with_a_log_that_always_holds_together() {
    let folder = tempfile::tempdir().unwrap();
    store(&folder).await.close().await;
    let mut broken_off = 0;
    for writes in 0.. {
        let here = tempfile::tempdir().unwrap();
        std::fs::copy(folder.path().join("sla.db"), here.path().join("sla.db")).unwrap();
        let at = || crate::store::Place::File(here.path().join("sla.db"));
        let one = Store::open(at(), Arc::default()).await.unwrap();
        let person = one.persons(&tenant(), "ada@example.com").await.unwrap().remove(0);
        let ended = up_to(writes, &one, one.erase_person(&person, "Technician 1A2B", author("root"), now())).await;
        one.close().await;

        let again = Store::open(at(), Arc::default()).await.unwrap();
        assert_eq!(again.verify_audit().await.unwrap().broken, None, "after {writes} writes");
        match again.persons(&tenant(), "ada@example.com").await.unwrap().pop() {
            Some(still) => {
                assert_eq!(still, person, "after {writes} writes nothing is forgotten that it is found by");
                again.erase_person(&still, "Technician 1A2B", author("root"), now()).await.unwrap();
                broken_off += 1;
            }
            None => {
                // The ticket still says by id who had it.
                let told = again.mentions(&person).await.unwrap();
                assert!(told.iter().all(|one| one.text.contains("\"Technician 1A2B\"")), "{told:#?}");
            }
        }
        assert_eq!(again.verify_audit().await.unwrap().broken, None);
        again.close().await;
        let text = everything(&here).await.to_lowercase();
        let left = text.lines().filter(|line| ["ada byron", "ada@", "550006"].iter().any(|name| line.contains(name)));
        assert_eq!(left.collect::<Vec<_>>(), ["events.was: ada byron"], "after {writes} writes");
        if ended.is_some() {
            break;
        }
    }
    assert!(broken_off > 15, "it was broken off {broken_off} times");
}
