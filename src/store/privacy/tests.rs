//! Erasing a person takes every name away and moves no figure.

use std::sync::Arc;

use super::*;
use crate::report::Period;
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

/// A store in which Ada Byron is named in every way that a statement here can make.
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
        "INSERT INTO notifications (key, tenant, alert_key, kind, stage, step, channel, recipient, fallback, message, state,
           due_at, first_due_at, created_at, address, person)
         VALUES ('n', 'acme', 'a', 'alert', 'breached', 0, 'sms', '7', '[[\"email\",\"ada@example.com\"]]',
           '{\"to\":\"+15005550006\",\"to_name\":\"Ada Byron\",\"text\":\"because ada byron owns it\"}', 'sent', 1, 1, 1,
           '+15005550006', 'ada@example.com')",
        "INSERT INTO quarantine VALUES ('acme', '7', 'name', '`Ada Byron` is no name', 1, 1, 1),
           ('acme', '7', 'zone', 'it is no zone', 1, 1, 1)",
        "INSERT INTO stopped_phones VALUES ('+15005550006', 1, '7'), ('+15005550007', 1, '8')",
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

/// All texts of all tables, a line each.
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

#[tokio::test]
async fn nothing_names_an_erased_person_and_every_count_and_hash_is_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    let october = date("2026-10-29");
    let hash = store.month_hash(&tenant(), october).await.unwrap();
    let person = store.persons(&tenant(), "ADA@example.com").await.unwrap().remove(0);
    assert_eq!(person.known_by, ["+15005550006", "Ada Byron", "ada@example.com"]);
    let before = store.mentions(&person).await.unwrap();
    let held = store.held_by(&person).await.unwrap();
    assert_eq!(held.iter().map(|one| (one.ticket.as_str(), one.weight)).collect::<Vec<_>>(), [("t", 1_000_000)]);

    let erased = store.erase_person(&person, "Technician 1A2B", author("root"), now()).await.unwrap();
    assert_eq!((erased.numbers, erased.files), (1, 1));
    assert_eq!(store.mentions(&person).await.unwrap(), []);
    assert!(before.len() as u64 >= erased.texts && erased.texts > 10, "{before:#?} {erased:?}");
    assert_eq!(store.held_by(&person).await.unwrap(), held, "the books count by the id");
    assert_eq!(store.month_hash(&tenant(), october).await.unwrap(), hash);
    let log = store.verify_audit().await.unwrap();
    assert_eq!((log.rows, log.broken), (2, None));
    store.close().await;

    let text = everything(&folder).await.to_lowercase();
    let names = |line: &&str| ["ada byron", "ada@", "550006"].iter().any(|name| line.contains(name));
    let left: Vec<&str> = text.lines().filter(names).collect();
    assert_eq!(left, ["events.was: ada byron"], "another tenant's namesake is not meant");
    assert!(text.contains("adam byronson") && text.contains("technician 1a2b"), "{text}");
    assert!(text.contains("last hash was") && text.contains("quarantine.why: it is no zone"), "{text}");
}
