//! Secrets: named in the file, read from the environment or a file of their own, never shown.

use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};

use super::TokenSource;
use super::complaint::why_unreadable;
use super::environment::Environment;
use super::reader::{Found, Purpose, Section};

/// Why a secret could not be read. Says nothing about its value, or about what a user may have put in the place of a
/// name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    #[error("is not set")]
    NotSet,
    #[error("cannot be read: {}", why_unreadable(*.0))]
    Unreadable(std::io::ErrorKind),
    #[error("is blank")]
    Blank,
    #[error("holds more than one line, which no secret does")]
    NotOneLine,
}

impl TokenSource {
    /// Reads the secret as it is now, without surrounding white space.
    pub fn read(&self, env: &dyn Environment) -> Result<SecretString, SecretError> {
        let lines = self.read_lines(env)?;
        if lines.expose_secret().contains(char::is_control) {
            return Err(SecretError::NotOneLine);
        }
        Ok(lines)
    }

    /// Does the same for several secrets, in lines.
    pub fn read_lines(&self, env: &dyn Environment) -> Result<SecretString, SecretError> {
        let raw = match self {
            Self::Env(name) => env.var(name).ok_or(SecretError::NotSet)?,
            Self::File(path) => env.read_file(path).map_err(|error| SecretError::Unreadable(error.kind()))?,
        };
        match raw.trim() {
            "" => Err(SecretError::Blank),
            secrets => Ok(secrets.to_owned().into()),
        }
    }
}

/// The keys under which one secret may be named.
pub(super) struct SecretKeys {
    /// Where a careless user would write the secret itself.
    pub plain: &'static str,
    pub env: &'static str,
    pub file: &'static str,
}

/// A secret that was named, and its value if it could be read.
pub(super) struct Named {
    pub source: TokenSource,
    pub value: Option<SecretString>,
}

impl SecretKeys {
    /// Whether either way of naming the secret is used.
    pub fn used(&self, section: &Section<'_>) -> bool {
        section.has(self.env) || section.has(self.file)
    }

    /// Reads the secret, if the section names one. Only a service needs its value.
    pub fn read(&self, section: &Section<'_>) -> Option<Named> {
        self.read_if(section, section.inspection.purpose == Purpose::Service)
    }

    /// Does the same, with the value if that is needed.
    pub fn read_if(&self, section: &Section<'_>, value_needed: bool) -> Option<Named> {
        self.read_by(section, |found, source| {
            let value = value_needed.then(|| source.read(section.inspection.env));
            if let Some(Err(error)) = value {
                found.wrong(format!("names {}, which {error}", thing(&source)));
            }
            Named { source, value: value.and_then(Result::ok) }
        })
    }

    /// Reads several secrets, separated by lines or commas, with `parse`, if the section names any.
    pub fn read_each<T>(&self, section: &Section<'_>, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        self.read_by(section, |found, source| {
            let text = source.read_lines(section.inspection.env).map_err(|error| error.to_string());
            let parsed = text.and_then(|text| parse(text.expose_secret()));
            parsed.map_err(|why| found.wrong(format!("names {}, which {why}", thing(&source)))).ok()
        })?
    }

    fn read_by<T>(&self, section: &Section<'_>, read: impl FnOnce(&Found<'_, &str>, TokenSource) -> T) -> Option<T> {
        section.refuse(
            self.plain,
            &format!(
                "must not stand in this file, which is copied and backed up: put it into an environment variable \
                 and name that in `{}`, or into a file and name that in `{}`",
                self.env, self.file
            ),
        );
        let (env, file) = (section.text(self.env), section.text(self.file));
        if section.has(self.env) && section.has(self.file) {
            section.clash(self.file, &format!("clashes with `{}`: the secret can come from one place only", self.env));
        }
        match (env, file) {
            (Some(name), _) => Some(read(&name, TokenSource::Env(name.value.trim().to_owned()))),
            (None, Some(path)) => {
                let file = PathBuf::from(path.value);
                if section.inspection.env.is_for_all(&file) {
                    let name = file.display();
                    path.remark(format!("names {name}, which every user of this machine may read: `chmod 600 {name}`"));
                }
                Some(read(&path, TokenSource::File(file)))
            }
            (None, None) => None,
        }
    }

    /// Reads a secret that a service cannot do without; `why` completes "`…` is needed".
    pub fn needed(&self, section: &Section<'_>, why: &str) -> Option<Named> {
        let found = self.read(section);
        if !self.used(section) && !section.has(self.plain) && section.inspection.purpose == Purpose::Service {
            section.wrong(format!("`{}` or `{}` is needed{why}", self.env, self.file));
        }
        found
    }
}

/// Describes the source. A name is repeated only if it has the form of a variable's name: some users put the secret
/// itself there.
fn thing(source: &TokenSource) -> String {
    match source {
        TokenSource::Env(name) if is_variable_name(name) => format!("the environment variable `{name}`"),
        TokenSource::Env(_) => "an environment variable".to_owned(),
        TokenSource::File(_) => "a file".to_owned(),
    }
}

fn is_variable_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    name.contains('_') && name.len() <= 64 && name.bytes().all(allowed)
}
