//! Every place in the store that may name a person. A new column for people's words must be added here.

use std::fmt;

/// Columns of one table that hold words.
pub(super) struct Place {
    pub table: &'static str,
    pub columns: &'static [&'static str],
    /// Selects the next rows after the key `$1`, with their keys and texts; of the tenant `$2`, where rows have one.
    pub page: &'static str,
    /// Writes the texts of a row.
    pub change: &'static str,
    first: First,
}

/// The type of a key.
#[derive(Clone, Copy)]
enum First {
    Number,
    Text,
}

/// The key of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Number(i64),
    Text(String),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

impl Place {
    /// Returns a key before all others.
    pub fn first(&self) -> Key {
        match self.first {
            First::Number => Key::Number(0),
            First::Text => Key::Text(String::new()),
        }
    }

    /// Whether it is rewritten last, together with the others of its kind: either a person is found by it, or its rows
    /// depend on each other.
    pub fn is_last(&self) -> bool {
        ["tickets", "audit", "directories", "people"].contains(&self.table)
    }

    /// Whether its rows are technicians, by their ids.
    pub fn is_of_people(&self) -> bool {
        self.table == "people"
    }

    /// Whether its rows are selected by tenant.
    pub fn of_tenant(&self) -> bool {
        self.page.contains("tenant = $2")
    }
}

/// All places.
pub(super) const PLACES: &[Place] = &[
    Place {
        table: "tickets",
        columns: &["ticket", "conversation", "overrides", "past"],
        page: "SELECT id, ticket, conversation, overrides, past FROM tickets WHERE id > $1 AND tenant = $2 ORDER BY id
               LIMIT 200",
        change:
            "UPDATE tickets SET ticket = $3, conversation = $4, overrides = $5, past = $6 WHERE id = $1 AND tenant =
               $2",
        first: First::Text,
    },
    Place {
        table: "events",
        columns: &["was", "became"],
        page: "SELECT id, was, became FROM events WHERE id > $1 AND tenant = $2 ORDER BY id LIMIT 200",
        change: "UPDATE events SET was = $3, became = $4 WHERE id = $1 AND tenant = $2",
        first: First::Number,
    },
    Place {
        table: "alerts",
        columns: &["reason", "acked_by", "asked"],
        page: "SELECT key, reason, acked_by, asked FROM alerts WHERE key > $1 AND tenant = $2 ORDER BY key LIMIT 200",
        change: "UPDATE alerts SET reason = $3, acked_by = $4, asked = $5 WHERE key = $1 AND tenant = $2",
        first: First::Text,
    },
    Place {
        table: "notifications",
        columns: &["recipient", "fallback", "message", "address", "person", "last_error"],
        page: "SELECT key, recipient, fallback, message, address, person, last_error FROM notifications WHERE key > $1
               AND tenant = $2 ORDER BY key LIMIT 200",
        change: "UPDATE notifications SET recipient = $3, fallback = $4, message = $5, address = $6, person = $7,
               last_error = $8 WHERE key = $1 AND tenant = $2",
        first: First::Text,
    },
    Place {
        table: "attempts",
        columns: &["detail"],
        page: "SELECT id, detail FROM attempts WHERE id > $1 AND tenant = $2 ORDER BY id LIMIT 200",
        change: "UPDATE attempts SET detail = $3 WHERE id = $1 AND tenant = $2",
        first: First::Number,
    },
    Place {
        table: "write_backs",
        columns: &["content", "last_error"],
        page: "SELECT id, content, last_error FROM write_backs WHERE id > $1 AND tenant = $2 ORDER BY id LIMIT 200",
        change: "UPDATE write_backs SET content = $3, last_error = $4 WHERE id = $1 AND tenant = $2",
        first: First::Number,
    },
    Place {
        table: "set_aside",
        columns: &["content", "why"],
        page: "SELECT id, content, why FROM set_aside WHERE id > $1 AND tenant = $2 ORDER BY id LIMIT 200",
        change: "UPDATE set_aside SET content = $3, why = $4 WHERE id = $1 AND tenant = $2",
        first: First::Number,
    },
    Place {
        table: "quarantine",
        columns: &["why"],
        page: "SELECT record || '/' || field, why FROM quarantine WHERE record || '/' || field > $1 AND tenant = $2
               ORDER BY record || '/' || field LIMIT 200",
        change: "UPDATE quarantine SET why = $3 WHERE record || '/' || field = $1 AND tenant = $2",
        first: First::Text,
    },
    Place {
        table: "silences",
        columns: &["technician", "author", "reason"],
        page: "SELECT id, technician, author, reason FROM silences WHERE id > $1 AND tenant = $2 ORDER BY id LIMIT 200",
        change: "UPDATE silences SET technician = $3, author = $4, reason = $5 WHERE id = $1 AND tenant = $2",
        first: First::Number,
    },
    Place {
        table: "maintenance_windows",
        columns: &["technician", "author", "reason"],
        page: "SELECT id, technician, author, reason FROM maintenance_windows WHERE id > $1 AND tenant = $2 ORDER BY id
               LIMIT 200",
        change: "UPDATE maintenance_windows SET technician = $3, author = $4, reason = $5 WHERE id = $1 AND tenant = $2",
        first: First::Number,
    },
    Place {
        table: "entries",
        columns: &["reason_by"],
        page: "SELECT id, reason_by FROM entries WHERE id > $1 AND tenant = $2 ORDER BY id LIMIT 200",
        change: "UPDATE entries SET reason_by = $3 WHERE id = $1 AND tenant = $2",
        first: First::Number,
    },
    Place {
        table: "report_files",
        columns: &["title", "made_for"],
        page: "SELECT id, title, made_for FROM report_files WHERE id > $1 AND tenant = $2 ORDER BY id LIMIT 200",
        change: "UPDATE report_files SET title = $3, made_for = $4 WHERE id = $1 AND tenant = $2",
        first: First::Text,
    },
    Place {
        table: "digested",
        columns: &["recipient"],
        page: "SELECT alert_key || ' ' || digest || ' ' || recipient, recipient FROM digested
               WHERE alert_key || ' ' || digest || ' ' || recipient > $1
               AND alert_key IN (SELECT key FROM alerts WHERE tenant = $2)
               ORDER BY alert_key || ' ' || digest || ' ' || recipient LIMIT 200",
        change: "UPDATE digested SET recipient = $3 WHERE alert_key || ' ' || digest || ' ' || recipient = $1
                 AND alert_key IN (SELECT key FROM alerts WHERE tenant = $2)",
        first: First::Text,
    },
    Place {
        table: "incidents",
        columns: &["title", "cause"],
        page: "SELECT id, title, cause FROM incidents WHERE id > $1 AND tenant = $2 ORDER BY id LIMIT 200",
        change: "UPDATE incidents SET title = $3, cause = $4 WHERE id = $1 AND tenant = $2",
        first: First::Text,
    },
    Place {
        table: "incident_updates",
        columns: &["words", "note", "author"],
        page: "SELECT incident || '/' || number, words, note, author FROM incident_updates
               WHERE incident || '/' || number > $1 AND incident IN (SELECT id FROM incidents WHERE tenant = $2)
               ORDER BY incident || '/' || number LIMIT 200",
        change: "UPDATE incident_updates SET words = $3, note = $4, author = $5 WHERE incident || '/' || number = $1
                 AND incident IN (SELECT id FROM incidents WHERE tenant = $2)",
        first: First::Text,
    },
    Place {
        table: "planned_work",
        columns: &["title", "words", "author"],
        page: "SELECT id, title, words, author FROM planned_work WHERE id > $1 AND tenant = $2 ORDER BY id LIMIT 200",
        change: "UPDATE planned_work SET title = $3, words = $4, author = $5 WHERE id = $1 AND tenant = $2",
        first: First::Text,
    },
    Place {
        table: "uptime_statements",
        columns: &["decided_by", "note"],
        page: "SELECT id, decided_by, note FROM uptime_statements WHERE id > $1 AND tenant = $2 ORDER BY id LIMIT 200",
        change: "UPDATE uptime_statements SET decided_by = $3, note = $4 WHERE id = $1 AND tenant = $2",
        first: First::Text,
    },
    Place {
        table: "sessions",
        columns: &["person"],
        page: "SELECT id, person FROM sessions WHERE id > $1 ORDER BY id LIMIT 200",
        change: "UPDATE sessions SET person = $2 WHERE id = $1",
        first: First::Text,
    },
    Place {
        table: "stopped_phones",
        columns: &["who"],
        page: "SELECT phone, who FROM stopped_phones WHERE phone > $1 ORDER BY phone LIMIT 200",
        change: "UPDATE stopped_phones SET who = $2 WHERE phone = $1",
        first: First::Text,
    },
    Place {
        table: "unreachable_numbers",
        columns: &["who"],
        page: "SELECT id, who FROM unreachable_numbers WHERE id > $1 ORDER BY id LIMIT 200",
        change: "UPDATE unreachable_numbers SET who = $2 WHERE id = $1",
        first: First::Number,
    },
    Place {
        table: "on_call_overrides",
        columns: &["person", "made_by"],
        page: "SELECT id, person, made_by FROM on_call_overrides WHERE id > $1 ORDER BY id LIMIT 200",
        change: "UPDATE on_call_overrides SET person = $2, made_by = $3 WHERE id = $1",
        first: First::Number,
    },
    Place {
        table: "personal_rules",
        columns: &["person", "rules", "set_by"],
        page: "SELECT id, person, rules, set_by FROM personal_rules WHERE id > $1 ORDER BY id LIMIT 200",
        change: "UPDATE personal_rules SET person = $2, rules = $3, set_by = $4 WHERE id = $1",
        first: First::Number,
    },
    Place {
        table: "saved_views",
        columns: &["name", "filters", "made_by"],
        page: "SELECT id, name, filters, made_by FROM saved_views WHERE id > $1 ORDER BY id LIMIT 200",
        change: "UPDATE saved_views SET name = $2, filters = $3, made_by = $4 WHERE id = $1",
        first: First::Number,
    },
    Place {
        table: "subscribers",
        columns: &["email"],
        page: "SELECT id, email FROM subscribers WHERE id > $1 ORDER BY id LIMIT 200",
        change: "UPDATE subscribers SET email = $2 WHERE id = $1",
        first: First::Text,
    },
    Place {
        table: "tokens",
        columns: &["name"],
        page: "SELECT id, name FROM tokens WHERE id > $1 ORDER BY id LIMIT 200",
        change: "UPDATE tokens SET name = $2 WHERE id = $1",
        first: First::Text,
    },
    Place {
        table: "audit",
        columns: &["who", "what"],
        page: "SELECT id, who, what FROM audit WHERE id > $1 ORDER BY id LIMIT 200",
        change: "UPDATE audit SET who = $2, what = $3 WHERE id = $1",
        first: First::Number,
    },
    Place {
        table: "directories",
        columns: &["directory"],
        page: "SELECT tenant, directory FROM directories WHERE tenant > $1 AND tenant = $2 ORDER BY tenant LIMIT 200",
        change: "UPDATE directories SET directory = $3 WHERE tenant = $1 AND tenant = $2",
        first: First::Text,
    },
    Place {
        table: "people",
        columns: &["name"],
        page: "SELECT id, name FROM people WHERE id > $1 AND tenant = $2 AND kind = 'technician' ORDER BY id LIMIT 200",
        change: "UPDATE people SET name = $3 WHERE id = $1 AND tenant = $2 AND kind = 'technician'",
        first: First::Text,
    },
];
