//! `[server]` and `[store]`: where we listen, and where we remember.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;

use super::reader::{Section, nearest};
use super::{LogFormat, Network, Server, Store, checks};

/// Loopback, so that nothing is open to the network before a person decides so.
pub(super) const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
/// A page asks a few times a second at most; a script that asks more than this is meant to wait.
pub(super) const DEFAULT_RATE: NonZeroU32 = NonZeroU32::new(200).unwrap();
pub(super) const DEFAULT_STORE: &str = "superops-sla.db";

pub(super) fn server(section: Section<'_>) -> Server {
    let server = Server {
        listen: section
            .text("listen")
            .and_then(|t| t.read(|text| checks::socket_address(text)))
            .unwrap_or(DEFAULT_LISTEN),
        public_url: section.text("public_url").and_then(|t| t.read(|text| checks::public_url(text))),
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
    let rate = u32::try_from(number).ok().filter(|rate| *rate <= 10_000).and_then(NonZeroU32::new);
    rate.ok_or_else(|| "must be from 1 to 10000".to_owned())
}

fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        other => Err(format!("must be \"text\" or \"json\"{}", nearest(other, ["text", "json"].into_iter()))),
    }
}

pub(super) fn store(section: Section<'_>) -> Store {
    let path = section.text("url").and_then(|t| t.read(|text| sqlite_path(text)));
    section.finish();
    Store { path: path.unwrap_or_else(|| DEFAULT_STORE.into()) }
}

fn sqlite_path(url: &str) -> Result<PathBuf, String> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Err("names PostgreSQL, which is not supported in this version: use \"sqlite://FILE\"".to_owned());
    }
    let path =
        url.strip_prefix("sqlite://").ok_or("must be \"sqlite://FILE\", such as \"sqlite://superops-sla.db\"")?;
    if path.is_empty() || path.starts_with(':') {
        return Err("must name a file, so that nothing is forgotten or said twice after a restart".to_owned());
    }
    if path.contains('?') {
        return Err("must be a file's path alone: how the file is opened is not configurable".to_owned());
    }
    Ok(path.into())
}
