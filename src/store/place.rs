//! Where a store is: in a file of its own, or on a PostgreSQL server.

use std::fmt::{self, Display};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::sql::postgres::Server;
use super::{StoreError, lock_of};
use crate::config;
use crate::keys::ring::KeyRing;

/// Where a store is.
#[derive(Clone, Debug)]
pub enum Place {
    File(PathBuf),
    Server(Box<Server>),
}

/// A place, with the keys for what is sealed there.
#[derive(Clone, Debug)]
pub struct At {
    pub place: Place,
    pub keys: Arc<KeyRing>,
}

impl From<Place> for At {
    fn from(place: Place) -> Self {
        Self { place, keys: Arc::default() }
    }
}

impl From<&Path> for At {
    fn from(path: &Path) -> Self {
        #[cfg(test)]
        return Self { place: path.into(), keys: tests::keys() };
        #[cfg(not(test))]
        Place::from(path).into()
    }
}

impl From<&PathBuf> for At {
    fn from(path: &PathBuf) -> Self {
        path.as_path().into()
    }
}

impl From<Server> for At {
    fn from(server: Server) -> Self {
        Place::from(server).into()
    }
}

impl From<&config::Store> for At {
    fn from(store: &config::Store) -> Self {
        Self { place: store.into(), keys: store.keys.clone() }
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", std::path::absolute(path).as_ref().unwrap_or(path).display()),
            Self::Server(server) => write!(f, "{server}"),
        }
    }
}

impl From<&Path> for Place {
    fn from(path: &Path) -> Self {
        #[cfg(test)]
        if let Some(server) = tests::server(path) {
            return server.into();
        }
        Self::File(path.to_owned())
    }
}

impl From<&PathBuf> for Place {
    fn from(path: &PathBuf) -> Self {
        path.as_path().into()
    }
}

impl From<&config::Store> for Place {
    fn from(store: &config::Store) -> Self {
        match &store.place {
            config::StorePlace::File(path) => path.into(),
            config::StorePlace::Postgres(settings) => Server::of(settings).into(),
        }
    }
}

impl Place {
    /// Whether the tests' stores are on a server.
    #[cfg(test)]
    pub fn tests_have_a_server() -> bool {
        tests::server(Path::new("")).is_some()
    }

    /// Counts the services at work on the store that cannot read what the key `id` encrypts. Changes nothing.
    pub async fn services_without_key(&self, id: &str) -> Result<i64, StoreError> {
        match self {
            Self::File(path) => Ok(i64::from(is_claimed_without_key(path, id))),
            Self::Server(server) => Ok(server.replicas_without_key(id).await?),
        }
    }

    /// Whether a store was made here. Changes nothing.
    pub async fn is_there(&self) -> Result<bool, StoreError> {
        match self {
            Self::File(path) => Ok(path.exists()),
            Self::Server(server) => server.has_store().await.map_err(StoreError::migrating),
        }
    }

    /// Tries whether the server lets us make a store here, and leaves nothing behind. A file is not tried.
    pub async fn try_making(&self) -> Result<(), StoreError> {
        match self {
            Self::File(_) => Ok(()),
            Self::Server(server) => server.try_making().await.map_err(StoreError::migrating),
        }
    }
}

/// Whether a service that has not noted the key `id` has claimed the file at `path`.
fn is_claimed_without_key(path: &Path, id: &str) -> bool {
    let Ok(lock) = File::open(lock_of(path)) else { return false };
    if !matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)) {
        return false;
    }
    let held = std::io::read_to_string(lock).unwrap_or_default();
    held.lines().all(|line| line != id)
}

impl From<Server> for Place {
    fn from(server: Server) -> Self {
        Self::Server(Box::new(server))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The keys of the tests' stores: all of them are sealed if `SUPEROPS_SLA_TEST_SEALED` is set.
    pub fn keys() -> Arc<KeyRing> {
        let sealed = std::env::var("SUPEROPS_SLA_TEST_SEALED").is_ok_and(|text| !text.is_empty());
        if sealed { Arc::new(KeyRing::parse(&"5e".repeat(32)).expect("a key")) } else { Arc::default() }
    }

    /// Where the tests' stores are, instead of in files, if `SUPEROPS_SLA_TEST_POSTGRES` names a server: each path gets
    /// its own schema.
    pub fn server(path: &Path) -> Option<Server> {
        let url = std::env::var("SUPEROPS_SLA_TEST_POSTGRES").ok().filter(|url| !url.is_empty())?;
        let schema = format!("t{}", &crate::keys::id_of(&path.display().to_string()));
        Some(Server::of_tests(&url, &schema))
    }

    #[tokio::test]
    async fn who_asks_whether_a_store_is_there_makes_none() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::from(&folder.path().join("sla.db"));
        for _ in 0..2 {
            assert!(!place.is_there().await.unwrap());
        }
        crate::store::Store::open(place.clone(), Arc::default()).await.unwrap().close().await;
        assert!(place.is_there().await.unwrap());
    }
}
