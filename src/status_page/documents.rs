//! The page in all its forms, ready to be sent.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use arc_swap::ArcSwap;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Bytes;
use sha2::{Digest, Sha256};

use super::{Model, feeds, html, json};
use crate::keys::{hash_of, hex};

/// One document, ready to be sent.
#[derive(Clone, Debug)]
pub struct Document {
    pub content_type: &'static str,
    pub body: Bytes,
    pub gzip: Bytes,
    /// Includes its quotes.
    pub etag: String,
}

impl Document {
    fn new(content_type: &'static str, text: String) -> Self {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        // Writing to memory cannot fail, so the default is never used.
        let gzip = gzip.write_all(text.as_bytes()).and_then(|()| gzip.finish()).unwrap_or_default();
        let digest = Sha256::digest(text.as_bytes());
        let etag = format!("\"{}\"", hex(&digest[..12]));
        Self { content_type, body: text.into(), gzip: gzip.into(), etag }
    }
}

/// All documents, by their paths below the page.
#[derive(Clone, Debug, Default)]
pub struct Documents(BTreeMap<&'static str, Document>);

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
const ATOM: &str = "application/atom+xml; charset=utf-8";
const RSS: &str = "application/rss+xml; charset=utf-8";

impl Documents {
    /// Renders `model` in every form.
    pub fn render(model: &Model) -> Self {
        let json = |value: serde_json::Value| (JSON, value.to_string());
        let all = [
            ("index.html", (HTML, html::page(model))),
            ("status.json", json(json::full(model))),
            ("compact.json", json(json::compact(model))),
            ("metrics.json", json(json::metrics(model))),
            ("api/v2/summary.json", json(json::summary(model))),
            ("api/v2/status.json", json(json::status(model))),
            ("api/v2/components.json", json(json::components(model))),
            ("api/v2/incidents.json", json(json::incidents(model, false))),
            ("api/v2/incidents/unresolved.json", json(json::incidents(model, true))),
            ("api/v2/scheduled-maintenances.json", json(json::maintenances(model))),
            ("history.atom", (ATOM, feeds::atom(model))),
            ("history.rss", (RSS, feeds::rss(model))),
            ("maintenance.ics", ("text/calendar; charset=utf-8", feeds::calendar(model))),
            ("badge.svg", ("image/svg+xml", html::badge(model))),
        ];
        Self(all.into_iter().map(|(path, (kind, text))| (path, Document::new(kind, text))).collect())
    }

    /// Renders `model` for one client. In the feeds, [`feeds::OWN_ADDRESS`] stands for the link.
    pub fn private(model: &Model) -> Self {
        let json = |value: serde_json::Value| (JSON, value.to_string());
        let all = [
            ("index.html", (HTML, html::page(model))),
            ("status.json", json(json::full(model))),
            ("compact.json", json(json::compact(model))),
            ("metrics.json", json(json::metrics(model))),
            ("history.atom", (ATOM, feeds::atom(model))),
            ("history.rss", (RSS, feeds::rss(model))),
            ("maintenance.ics", ("text/calendar; charset=utf-8", feeds::calendar(model))),
        ];
        Self(all.into_iter().map(|(path, (kind, text))| (path, Document::new(kind, text))).collect())
    }

    /// Returns the document at `path`.
    pub fn get(&self, path: &str) -> Option<&Document> {
        self.0.get(path)
    }

    /// Iterates over all documents and their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Document)> {
        self.0.iter().map(|(path, document)| (*path, document))
    }
}

/// All pages, ready to be sent.
#[derive(Debug, Default)]
pub struct PublishedPages {
    public: ArcSwap<Documents>,
    /// By the hash of the secret that the page's link ends in.
    private: ArcSwap<BTreeMap<String, Arc<Documents>>>,
}

impl PublishedPages {
    /// Returns the page for everybody.
    pub fn public(&self) -> Arc<Documents> {
        self.public.load_full()
    }

    /// Returns the page whose link ends in `secret`.
    pub fn private(&self, secret: &str) -> Option<Arc<Documents>> {
        self.private.load().get(&hash_of(secret)).cloned()
    }

    /// Replaces all pages with these.
    pub fn put(&self, public: Documents, private: BTreeMap<String, Arc<Documents>>) {
        self.public.store(Arc::new(public));
        self.private.store(Arc::new(private));
    }
}
