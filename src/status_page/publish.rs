//! Keeps the documents up to date and publishes them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::warn;

use super::{Documents, Model, PublishedPages};
use crate::clock::SharedClock;
use crate::config::Config;
use crate::config::uptime::StatusPage;
use crate::monitor::board::{MonitorState, StatusBoard};
use crate::store::private_pages::PrivatePage;
use crate::store::{Store, millis};
use crate::ticket::TenantId;
use crate::uptime::Millis;
use crate::uptime::incident::Announcements;

/// How old the time on the page may be at most.
const AT_LEAST_EVERY: Duration = Duration::from_secs(60);
/// The least time between two renderings, however much happens, and how often to ask which clients have private pages.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// Renders the pages and keeps them ready for requests.
pub struct Publisher {
    config: Arc<Config>,
    clock: SharedClock,
    monitor_state: Arc<MonitorState>,
    store: Store,
    /// The private pages, as last read.
    pages: ArcSwap<Vec<PrivatePage>>,
    published: Arc<PublishedPages>,
}

impl Publisher {
    /// Returns `None` if there is no public page.
    pub fn new(
        config: Arc<Config>,
        clock: SharedClock,
        monitor_state: Arc<MonitorState>,
        store: Store,
    ) -> Option<Self> {
        config.uptime.status_page.as_ref()?;
        let (pages, published) = (ArcSwap::default(), Arc::default());
        let publisher = Self { config, clock, monitor_state, store, pages, published };
        publisher.render();
        Some(publisher)
    }

    /// Returns the published documents, which outlive the publisher.
    pub fn published(&self) -> Arc<PublishedPages> {
        self.published.clone()
    }

    /// Renders on each change, and once a minute, until told to `stop`.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut stopped = std::pin::pin!(async move { drop(stop.wait_for(|stop| *stop).await) });
        let mut news = self.monitor_state.news();
        let mut others = self.store.news_of_others();
        let turns = async {
            loop {
                self.turn().await;
                self.until_something_changes(&mut news, &mut others).await;
            }
        };
        tokio::select! {
            () = &mut stopped => {}
            () = turns => {}
        }
    }

    /// Returns once there may be something else to show, but not at once. It polls for private pages, because the
    /// command line can create and revoke links without telling us.
    async fn until_something_changes(&self, news: &mut watch::Receiver<Millis>, others: &mut watch::Receiver<()>) {
        let late = Instant::now() + AT_LEAST_EVERY;
        tokio::time::sleep(AT_MOST_EVERY).await;
        while Instant::now() < late && !self.has_other_pages().await {
            tokio::select! {
                () = changed(news) => return,
                Ok(()) = others.changed() => return,
                () = tokio::time::sleep(AT_MOST_EVERY) => {}
            }
        }
    }

    /// Whether the private pages differ from those shown. False if that cannot be read.
    async fn has_other_pages(&self) -> bool {
        self.store.private_pages().await.is_ok_and(|pages| pages != **self.pages.load())
    }

    /// Reads which clients have private pages, and renders all pages as they are now.
    pub async fn turn(&self) {
        match self.store.private_pages().await {
            Ok(pages) => self.pages.store(Arc::new(pages)),
            // The pages must stay up even when everything else fails.
            Err(error) => warn!("which private status pages there are cannot be read now: {error}"),
        }
        self.render();
    }

    /// Renders all pages as they are now.
    pub fn render(&self) {
        let Some(page) = &self.config.uptime.status_page else { return };
        let (board, now) = (self.monitor_state.board(), millis(self.clock.now()));
        let announcements = self.monitor_state.announcements();
        let model = Model::of(&self.config, page, &board, &announcements, |one| one.public, now);
        let private = self.private(page, &board, &announcements, now);
        self.published.put(Documents::render(&model), private);
    }

    /// Renders the private pages, by the hashes of their links. A client's links share one rendering.
    fn private(
        &self,
        page: &StatusPage,
        board: &StatusBoard,
        announcements: &Announcements,
        now: Millis,
    ) -> BTreeMap<String, Arc<Documents>> {
        let mut rendered: BTreeMap<(&TenantId, &str), Arc<Documents>> = BTreeMap::new();
        let mut private = BTreeMap::new();
        let pages = self.pages.load();
        for one in pages.iter().filter(|one| one.revoked_at.is_none()) {
            let whose = (&one.tenant, one.client.as_str());
            let documents = rendered.entry(whose).or_insert_with(|| {
                let model = Model::of_client(&self.config, page, (board, announcements), whose, now);
                Arc::new(Documents::private(&model))
            });
            private.insert(one.hash.clone(), documents.clone());
        }
        private
    }
}

async fn changed(news: &mut watch::Receiver<i64>) {
    if news.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Writes all documents into `folder`, each one atomically. Everybody may read them, as far as the umask lets.
pub fn write_to(documents: &Documents, folder: &Path) -> std::io::Result<()> {
    let mut unfinished = tempfile::Builder::new();
    unfinished.prefix(".unfinished-");
    // By default, only their owner could read them.
    #[cfg(unix)]
    unfinished.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    for (path, document) in documents.iter() {
        let target = folder.join(path);
        let parent = target.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent)?;
        let mut file = unfinished.tempfile_in(parent)?;
        std::io::Write::write_all(&mut file, &document.body)?;
        file.persist(&target).map_err(|error| error.error)?;
    }
    Ok(())
}
