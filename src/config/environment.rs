//! What the configuration needs from the world round it: environment variables and small files.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Environment variables and files, so that a test needs neither.
pub trait Environment: Send + Sync {
    /// The environment variable `name`, if it is set.
    fn var(&self, name: &str) -> Option<String>;

    /// The content of the file at `path`.
    fn read_file(&self, path: &Path) -> io::Result<String>;
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
}

/// An environment made of given values: for the demo, and for tests.
#[derive(Clone, Default)]
pub struct GivenEnvironment {
    vars: BTreeMap<String, String>,
    files: BTreeMap<PathBuf, String>,
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
}

impl Environment for GivenEnvironment {
    fn var(&self, name: &str) -> Option<String> {
        self.vars.get(name).cloned()
    }

    fn read_file(&self, path: &Path) -> io::Result<String> {
        self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}
