//! What the product is compared with: an axum handler that gives the same bytes to every question, in a process of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;

use crate::program::{Process, drain};
use crate::world::ANY;

/// How this program is called to be the bare handler, with the file whose bytes it gives.
pub const ARGUMENT: &str = "--bare";

pub struct Bare {
    pub process: Process,
    pub address: SocketAddr,
    _file: tempfile::NamedTempFile,
}

impl Bare {
    /// Starts one that gives `answer`.
    pub async fn start(answer: &[u8]) -> anyhow::Result<Self> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), answer)?;
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.arg(ARGUMENT).arg(file.path()).stdout(Stdio::piped()).spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("its output is piped")?).lines();
        let process = Process(child);
        let address = lines.next().context("it says where it listens")??.parse()?;
        drain(lines);
        Ok(Self { process, address, _file: file })
    }
}

/// Serves the bytes of `file` for ever.
pub async fn serve(file: &Path) -> anyhow::Result<()> {
    let answer = Bytes::from(std::fs::read(file)?);
    let listener = TcpListener::bind(ANY).await?;
    println!("{}", listener.local_addr()?);
    let router = Router::new().fallback(async move |headers: HeaderMap| give(&headers, answer.clone()));
    Ok(axum::serve(listener, router).await?)
}

fn give(headers: &HeaderMap, answer: Bytes) -> Response {
    let fields = [(ETAG, "\"same\""), (CONTENT_TYPE, "application/json")];
    if headers.contains_key(IF_NONE_MATCH) {
        return (StatusCode::NOT_MODIFIED, fields).into_response();
    }
    (fields, answer).into_response()
}
