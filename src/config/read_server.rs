//! `[server]` and `[store]`: where we listen, and where we store everything.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use super::reader::{Section, nearest};
use super::secret::SecretKeys;
use super::{LogFormat, Network, Postgres, Server, Store, StorePlace, checks};
use crate::keys::ring::KeyRing;

/// Loopback, so that nothing is open to the network until a person decides so.
pub(super) const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
/// A page sends a few requests a second at most; a script that sends more than this should wait.
pub(super) const DEFAULT_RATE: NonZeroU32 = NonZeroU32::new(200).unwrap();
pub(super) const DEFAULT_STORE: &str = "superops-sla.db";

pub(super) fn server(section: Section<'_>) -> Server {
    let server = Server {
        listen: section
            .text("listen")
            .and_then(|t| t.read(|text| checks::socket_address(text)))
            .unwrap_or(DEFAULT_LISTEN),
        public_url: section.text("public_url").and_then(|t| t.read(|text| checks::own_url(text))),
        trusted_proxies: proxies(&section),
        cors_origins: origins(&section),
        requests_per_second: section
            .integer("requests_per_second")
            .and_then(|n| n.read(|number| rate(*number)))
            .unwrap_or(DEFAULT_RATE),
        log_format: section.text("log_format").and_then(|t| t.read(|text| log_format(text))).unwrap_or(LogFormat::Text),
    };
    section.finish();
    server
}

fn proxies(section: &Section<'_>) -> Vec<Network> {
    let written = section.texts("trusted_proxies").unwrap_or_default();
    written.into_iter().filter_map(|proxy| proxy.read(|text| Network::parse(text))).collect()
}

fn origins(section: &Section<'_>) -> Vec<String> {
    let written = section.texts("cors_origins").unwrap_or_default();
    written.into_iter().filter_map(|site| site.read(|text| origin(text))).collect()
}

/// A site as browsers name it: no path, no slash at the end.
fn origin(text: &str) -> Result<String, String> {
    let url = url::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let origin = url.map(|url| url.origin().ascii_serialization()).filter(|origin| origin == text);
    origin.ok_or_else(|| "must be a site as browsers name it, such as \"https://intranet.example.com\"".to_owned())
}

fn rate(number: i64) -> Result<NonZeroU32, String> {
    let rate = u32::try_from(number).ok().filter(|rate| *rate <= 100_000).and_then(NonZeroU32::new);
    rate.ok_or_else(|| "must be from 1 to 100000".to_owned())
}

fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        other => Err(format!("must be \"text\" or \"json\"{}", nearest(other, ["text", "json"].into_iter()))),
    }
}

const PASSWORD: SecretKeys = SecretKeys { plain: "password", env: "password_env", file: "password_file" };
const KEYS: SecretKeys =
    SecretKeys { plain: "encryption_keys", env: "encryption_keys_env", file: "encryption_keys_file" };
/// The schema of a store in PostgreSQL.
pub(super) const DEFAULT_SCHEMA: &str = "superops_sla";
/// How many connections the loops have; pages have as many.
pub(super) const DEFAULT_CONNECTIONS: u32 = 4;
/// The most connections: more would only wait for each other.
const MOST_CONNECTIONS: i64 = 64;

pub(super) fn store(section: Section<'_>) -> Store {
    let url = section.text("url").and_then(|t| t.read(|text| store_url(text)));
    let on_file = matches!(url, Some(Url::File(_))) || !section.has("url");
    for key in ["schema", "connections", PASSWORD.env, PASSWORD.file] {
        if section.has(key) && on_file {
            section.refuse(key, "is of use with a `url` of PostgreSQL only");
        }
    }
    // Everything that uses the store needs it, offline commands too.
    let password = PASSWORD.read_if(&section, true).and_then(|named| named.value);
    let schema = section.text("schema").and_then(|t| t.read(|text| schema_name(text)));
    let connections = section.integer("connections").and_then(|n| n.read(|number| connections(*number)));
    let keys = KEYS.read_each(&section, KeyRing::parse).map(Arc::new).unwrap_or_default();
    section.finish();
    let place = match url {
        Some(Url::Server(url)) => StorePlace::Postgres(Postgres {
            url,
            password,
            schema: schema.unwrap_or_else(|| DEFAULT_SCHEMA.to_owned()),
            connections: connections.unwrap_or(DEFAULT_CONNECTIONS),
        }),
        Some(Url::File(path)) => StorePlace::File(path),
        None => StorePlace::File(DEFAULT_STORE.into()),
    };
    Store { place, keys }
}

/// What `[store] url` may name.
enum Url {
    File(PathBuf),
    Server(String),
}

fn store_url(text: &str) -> Result<Url, String> {
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return server_url(text).map(Url::Server);
    }
    sqlite_path(text).map(Url::File)
}

fn server_url(text: &str) -> Result<String, String> {
    let url = url::Url::parse(text).map_err(|error| format!("cannot be read: {error}"))?;
    if url.password().is_some() {
        let why = "holds a password, which must not stand in this file: name where it is in `password_env` or `password_file`";
        return Err(why.to_owned());
    }
    if url.path().trim_matches('/').is_empty() {
        return Err("must name a database: \"postgres://USER@HOST/DATABASE\"".to_owned());
    }
    // The driver knows which parameters may follow a `?`.
    text.parse::<sqlx::postgres::PgConnectOptions>().map_err(|error| format!("cannot be read: {error}"))?;
    Ok(text.to_owned())
}

fn schema_name(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let is_name = text.starts_with(|c: char| c.is_ascii_lowercase()) && text.len() <= 50 && text.chars().all(is_plain);
    if is_name { Ok(text.to_owned()) } else { Err("must be lower-case letters, digits and _, at most 50".to_owned()) }
}

fn connections(number: i64) -> Result<u32, String> {
    let fits = u32::try_from(number).ok().filter(|_| (1..=MOST_CONNECTIONS).contains(&number));
    fits.ok_or_else(|| format!("must be from 1 to {MOST_CONNECTIONS}"))
}

fn sqlite_path(url: &str) -> Result<PathBuf, String> {
    let path = url.strip_prefix("sqlite://").ok_or(
        "must be \"sqlite://FILE\" or \"postgres://USER@HOST/DATABASE\", such as \"sqlite://superops-sla.db\"",
    )?;
    if path.is_empty() || path.starts_with(':') {
        return Err("must name a file, so that nothing is forgotten or said twice after a restart".to_owned());
    }
    if path.contains('?') {
        return Err("must be a file's path alone: how the file is opened is not configurable".to_owned());
    }
    Ok(path.into())
}
