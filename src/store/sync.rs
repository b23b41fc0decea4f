//! What the sync has to remember: where it stands, the people and lists that tickets refer to, and the records it could
//! not read.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, instant, millis, to_the_end};
use super::{books, others};
use crate::store::sealed::DIRECTORY;
use crate::store::sql::{self, Connection};
use crate::ticket::{Directory, TenantId, TicketId};

/// Where the sync of one tenant stands. A crash loses only what came after it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SyncState {
    /// Everything updated until then is saved, or lies on pages that the full pass has yet to read. By SuperOps' clock,
    /// not ours.
    pub watermark: Option<DateTime<Utc>>,
    /// When a read of SuperOps was last completed: of the changes, the open tickets, or all.
    pub good_at: Option<DateTime<Utc>>,
    /// When the last complete sweep of the open tickets began.
    pub swept_at: Option<DateTime<Utc>>,
    /// The pass over all tickets that is under way.
    pub full: Option<FullPass>,
    /// When the last complete pass over all tickets began.
    pub passed_at: Option<DateTime<Utc>>,
    /// When the oldest ticket was created whose conversation must be read and never was; none if there is none.
    pub unheard_since: Option<DateTime<Utc>>,
    /// How many tickets there were in that pass, open or not.
    pub total: Option<u64>,
    /// When the list was last found not to be in the requested order.
    pub sort_broken_at: Option<DateTime<Utc>>,
    /// When SuperOps last refused, or ignored, a request to leave out statuses.
    pub filter_broken_at: Option<DateTime<Utc>>,
    /// Since when so many open tickets have been missing that it is not believed.
    pub doubted_since: Option<DateTime<Utc>>,
    /// How many are missing.
    pub missing: usize,
    /// Whether the last pass left out what is older than the configured history.
    pub bounded: bool,
    /// Where the last pass had to stop, if it did before the end.
    #[serde(rename = "sight")]
    pub coverage: Option<Coverage>,
    /// The last page that the last sweep could read, if there were more.
    pub sweep_ends_at: Option<u32>,
    pub lookups: BTreeMap<Lookup, LookupState>,
}

impl SyncState {
    /// Whether all open tickets have been read once: until then, nobody is told of what already happened.
    pub fn is_settled(&self) -> bool {
        self.swept_at.is_some() || self.passed_at.is_some()
    }
}

impl Store {
    /// Returns when the evaluation first saw the first sync of `tenant` as settled; if that is now, stores and returns
    /// `now`.
    pub async fn settled_at(&self, tenant: &TenantId, now: DateTime<Utc>) -> Result<DateTime<Utc>, StoreError> {
        let name = format!("settled:{tenant}");
        let known = sql::query_scalar("SELECT at FROM heartbeats WHERE name = $1").bind(&name);
        if let Some(at) = known.fetch_optional(&self.reads).await? {
            return instant(at);
        }
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let remember = sql::query("INSERT INTO heartbeats (name, at) VALUES ($1, $2)");
                    remember.bind(name).bind(millis(now)).execute(tx).await.map(drop)
                })
            })
            .await?;
        Ok(now)
    }
}

/// A pass over all tickets, page by page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FullPass {
    pub started_at: DateTime<Utc>,
    /// From 1.
    pub next_page: u32,
    /// How many tickets SuperOps says there are.
    pub total: Option<u64>,
    /// Whether it reads in the order of updates.
    #[serde(default = "yes")]
    pub sorted: bool,
    /// Which tickets it reads now.
    #[serde(default)]
    pub part: Part,
    /// The oldest update it has reached.
    #[serde(default)]
    pub reached: Option<DateTime<Utc>>,
    /// How many pages of all tickets could be read, if there are more.
    #[serde(default)]
    pub ends_at: Option<u32>,
    /// Whether some tickets could not be read in any way.
    #[serde(default)]
    pub blind: bool,
    /// Whether it left out what is older than the configured history.
    #[serde(default)]
    pub bounded: bool,
}

impl FullPass {
    /// Begins with the first page of all tickets.
    pub fn begin(started_at: DateTime<Utc>, sorted: bool) -> Self {
        let (part, total, reached, ends_at) = (Part::All, None, None, None);
        Self { started_at, next_page: 1, total, sorted, part, reached, ends_at, blind: false, bounded: false }
    }
}

/// Which tickets a pass reads: parts are for an account that does not serve all its pages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    #[default]
    All,
    /// Those last updated before.
    Before(DateTime<Utc>),
    /// Those of the status with this index in the list of status names.
    Status(usize),
}

/// How far the last pass reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// How many pages of all tickets SuperOps served.
    pub pages: u32,
    /// The oldest update among them; none if they were in no order.
    pub back_to: Option<DateTime<Utc>>,
    /// Whether the other tickets were read in another way.
    pub others_read: bool,
}

fn yes() -> bool {
    true
}

/// One of the lists that tickets refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lookup {
    Statuses,
    Technicians,
    Groups,
    Clients,
    Sites,
    Slas,
    Priorities,
}

/// How the last read of a list went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupState {
    /// When to read it again.
    pub due_at: DateTime<Utc>,
    /// Why it could not be read; then the previous one is kept.
    pub trouble: Option<String>,
    /// Since when it has held rows from which not even an id could be read; any record missing may be one of these.
    #[serde(default)]
    pub lost_since: Option<DateTime<Utc>>,
}

/// A record, or a field of one, that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// What it is and its id: `ticket 7`.
    pub record: String,
    pub field: String,
    pub why: String,
}

impl Lookup {
    /// All lists, the most needed first: what closes a ticket, then whom to tell.
    pub const ALL: [Self; 7] =
        [Self::Statuses, Self::Technicians, Self::Groups, Self::Clients, Self::Sites, Self::Slas, Self::Priorities];

    /// The name of the list.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Statuses => "statuses",
            Self::Technicians => "technicians",
            Self::Groups => "groups",
            Self::Clients => "clients",
            Self::Sites => "sites",
            Self::Slas => "slas",
            Self::Priorities => "priorities",
        }
    }
}

impl Unread {
    /// The name of a ticket's record in quarantine.
    pub fn ticket_record(id: &str) -> String {
        format!("ticket {id}")
    }
}

/// A record in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    pub unread: Unread,
    pub first_seen_at: DateTime<Utc>,
    pub last_seen_at: DateTime<Utc>,
    pub times: i64,
}

impl Store {
    /// Returns where the sync of `tenant` stands; at the beginning if it never ran.
    pub async fn sync_state(&self, tenant: &TenantId) -> Result<SyncState, StoreError> {
        let query = sql::query_scalar("SELECT state FROM sync_states WHERE tenant = $1");
        let text: Option<String> = query.bind(tenant.as_str()).fetch_optional(&self.reads).await?;
        text.map_or_else(|| Ok(SyncState::default()), |text| read_json(&text))
    }

    /// Stores where the sync stands.
    pub async fn save_sync_state(&self, tenant: &TenantId, state: SyncState) -> Result<(), StoreError> {
        let tenant = tenant.clone();
        self.writer
            .write(move |tx: &mut Connection| Box::pin(async move { save_state(tx, &tenant, &state).await }))
            .await
    }

    /// Returns the people, clients, sites and words of `tenant`; empty if never read.
    pub async fn directory(&self, tenant: &TenantId) -> Result<Arc<Directory>, StoreError> {
        let read = async {
            let query = sql::query_scalar("SELECT directory, tenant FROM directories WHERE tenant = $1");
            let text: Option<String> = query.bind(tenant.as_str()).fetch_optional(&self.reads).await?;
            text.map(|text| read_json(&text).map(Arc::new)).transpose()
        };
        Ok(self.caches.people.get_or(tenant, self.caches.turn(tenant), read).await?.unwrap_or_default())
    }

    /// Stores the directory, the parts of it that could not be read, and where the sync stands. Returns how many
    /// records are new in quarantine.
    pub async fn save_directory(
        &self,
        tenant: &TenantId,
        directory: Directory,
        unread: Vec<Unread>,
        state: SyncState,
        now: DateTime<Utc>,
    ) -> Result<usize, StoreError> {
        let (store, tenant) = (self.clone(), tenant.clone());
        to_the_end(async move {
            let text = serde_json::to_string(&directory).map_err(|error| StoreError::Unreadable(error.to_string()))?;
            let _turn = store.caches.turn(&tenant).await;
            let owner = tenant.clone();
            let names = names_of(&directory);
            let write = async move |tx: &mut Connection| {
                write_directory(tx, &owner, &text, now).await?;
                others::tell(tx, &owner).await?;
                let named = names.iter().map(|(kind, id, name)| (*kind, id.as_str(), name.as_str()));
                books::introduce(tx, &owner, named, now).await?;
                save_state(tx, &owner, &state).await?;
                save_unread(tx, &owner, &[], &unread, now).await
            };
            let quarantined =
                store.writer.write(move |tx: &mut Connection| Box::pin(async move { write(tx).await })).await?;
            store.caches.people.put(tenant, Arc::new(directory));
            Ok(quarantined)
        })
        .await
    }

    /// Returns the records that cannot be read at present, the latest first.
    pub async fn quarantined(&self, tenant: &TenantId) -> Result<Vec<Quarantined>, StoreError> {
        let rows = sql::query(
            "SELECT record, field, why, first_seen_at, last_seen_at, times FROM quarantine WHERE tenant = $1 \
             ORDER BY last_seen_at DESC, record, field",
        )
        .bind(tenant.as_str())
        .fetch_all(&self.reads)
        .await?;
        let quarantined = rows.iter().map(|row| {
            Ok(Quarantined {
                unread: Unread {
                    record: row.try_get("record")?,
                    field: row.try_get("field")?,
                    why: row.try_get("why")?,
                },
                first_seen_at: instant(row.try_get("first_seen_at")?)?,
                last_seen_at: instant(row.try_get("last_seen_at")?)?,
                times: row.try_get("times")?,
            })
        });
        quarantined.collect()
    }
}

/// Returns the names of its people and clients: the books outlive those who leave.
fn names_of(directory: &Directory) -> Vec<(&'static str, String, String)> {
    let people = directory.technicians.values().map(|one| ("technician", one.id.to_string(), one.name.clone()));
    let clients = directory.clients.values().map(|one| ("client", one.id.to_string(), one.name.clone()));
    people.chain(clients).collect()
}

async fn write_directory(
    tx: &mut Connection,
    tenant: &TenantId,
    text: &str,
    now: DateTime<Utc>,
) -> Result<(), sql::Error> {
    sql::query(
        "INSERT INTO directories (tenant, directory, read_at) VALUES ($1, $2, $3) \
         ON CONFLICT (tenant) DO UPDATE SET directory = excluded.directory, read_at = excluded.read_at",
    )
    .bind(tenant.as_str())
    .bind(DIRECTORY.seal(&[tenant.as_str()], text))
    .bind(millis(now))
    .execute(tx)
    .await
    .map(drop)
}

/// Stores where the sync stands, as part of a write.
pub(super) async fn save_state(tx: &mut Connection, tenant: &TenantId, state: &SyncState) -> Result<(), sql::Error> {
    let text = serde_json::to_string(state).map_err(|error| sql::Error::Encode(error.into()))?;
    sql::query(
        "INSERT INTO sync_states (tenant, state) VALUES ($1, $2) ON CONFLICT (tenant) DO UPDATE SET state = excluded.state",
    )
    .bind(tenant.as_str())
    .bind(text)
    .execute(tx)
    .await
    .map(drop)
}

/// Stores what could not be read, as part of a write. The tickets `read` leave quarantine, unless something about them
/// is still among the `unread`. Returns how many were not in quarantine before.
pub(super) async fn save_unread(
    tx: &mut Connection,
    tenant: &TenantId,
    read: &[TicketId],
    unread: &[Unread],
    now: DateTime<Utc>,
) -> Result<usize, sql::Error> {
    release(tx, tenant, read, unread).await?;
    let mut new = 0;
    for one in unread {
        let times: i64 = sql::query_scalar(
            "INSERT INTO quarantine (tenant, record, field, why, first_seen_at, last_seen_at, times) \
             VALUES ($1, $2, $3, $4, $5, $5, 1) ON CONFLICT (tenant, record, field) \
             DO UPDATE SET why = excluded.why, last_seen_at = excluded.last_seen_at, times = quarantine.times + 1 \
             RETURNING times",
        )
        .bind(tenant.as_str())
        .bind(&one.record)
        .bind(&one.field)
        .bind(&one.why)
        .bind(millis(now))
        .fetch_one(&mut *tx)
        .await?;
        new += usize::from(times == 1);
    }
    Ok(new)
}

async fn release(
    tx: &mut Connection,
    tenant: &TenantId,
    read: &[TicketId],
    unread: &[Unread],
) -> Result<(), sql::Error> {
    // Almost always empty, so the page costs one look-up and not a hundred.
    let held: Vec<String> =
        sql::query_scalar("SELECT DISTINCT record FROM quarantine WHERE tenant = $1 ORDER BY record")
            .bind(tenant.as_str())
            .fetch_all(&mut *tx)
            .await?;
    if held.is_empty() {
        return Ok(());
    }
    let good: HashSet<String> = read.iter().map(|id| Unread::ticket_record(id.as_str())).collect();
    let still_bad = |record: &String| unread.iter().any(|one| one.record == *record);
    for record in held.iter().filter(|record| good.contains(*record) && !still_bad(record)) {
        sql::query("DELETE FROM quarantine WHERE tenant = $1 AND record = $2")
            .bind(tenant.as_str())
            .bind(record)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

fn read_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Unreadable(error.to_string()))
}
