//! Notices when the file of an open store is deleted or replaced: what is written then goes into a file that nobody can
//! find any more.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::error;

use super::StoreError;

/// The file of a store, as it was when it was opened.
#[derive(Debug)]
pub(super) struct Opened {
    path: PathBuf,
    /// None where the system has no such number.
    identity: Option<(u64, u64)>,
    is_reported: AtomicBool,
}

impl Opened {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), identity: identity(path), is_reported: AtomicBool::new(false) }
    }

    /// Fails if another file is in its place, or none. This is logged once.
    pub(super) fn is_in_place(&self) -> Result<(), StoreError> {
        if identity(&self.path) == self.identity {
            return Ok(());
        }
        let displaced = StoreError::Displaced(self.path.clone());
        if !self.is_reported.swap(true, Ordering::Relaxed) {
            error!("{displaced}");
        }
        Err(displaced)
    }
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

#[cfg(not(unix))]
fn identity(_: &Path) -> Option<(u64, u64)> {
    None
}
