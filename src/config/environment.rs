//! What the configuration needs from its surroundings: environment variables and small files.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// The bit of a file's mode that lets every user read it.
#[cfg(unix)]
const FOR_ALL: u32 = 0o004;

/// Environment variables and files, behind a trait so that a test needs neither.
pub trait Environment: Send + Sync {
    /// The environment variable `name`, if it is set.
    fn var(&self, name: &str) -> Option<String>;

    /// The content of the file at `path`.
    fn read_file(&self, path: &Path) -> io::Result<String>;

    /// Whether every user of this machine may read the file at `path`.
    fn is_for_all(&self, _path: &Path) -> bool {
        false
    }
}

/// The environment of this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn read_file(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }

    #[cfg(unix)]
    fn is_for_all(&self, path: &Path) -> bool {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & FOR_ALL != 0)
    }
}

/// An environment made of given values: for the demo, and for tests.
#[derive(Clone, Default)]
pub struct GivenEnvironment {
    vars: BTreeMap<String, String>,
    files: BTreeMap<PathBuf, String>,
    for_all: BTreeSet<PathBuf>,
}

impl GivenEnvironment {
    /// Sets the variable `name`.
    #[must_use]
    pub fn with_var(mut self, name: &str, value: &str) -> Self {
        self.vars.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Puts a file at `path`.
    #[must_use]
    pub fn with_file(mut self, path: &str, content: &str) -> Self {
        self.files.insert(path.into(), content.to_owned());
        self
    }

    /// Lets every user read the file at `path`.
    #[must_use]
    pub fn with_all_reading(mut self, path: &str) -> Self {
        self.for_all.insert(path.into());
        self
    }
}

impl Environment for GivenEnvironment {
    fn var(&self, name: &str) -> Option<String> {
        self.vars.get(name).cloned()
    }

    fn read_file(&self, path: &Path) -> io::Result<String> {
        self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn is_for_all(&self, path: &Path) -> bool {
        self.for_all.contains(path)
    }
}
