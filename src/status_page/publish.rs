//! Keeps the documents up to date, and hands them out.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::{Documents, Model};
use crate::clock::SharedClock;
use crate::config::Config;
use crate::monitor::board::Switchboard;
use crate::store::millis;

/// The time on the page is not older than this.
const AT_LEAST_EVERY: Duration = Duration::from_secs(60);
/// However much happens, the page is not rendered more often.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// Renders the page, and holds it for whoever asks.
pub struct Publisher {
    config: Arc<Config>,
    clock: SharedClock,
    switchboard: Arc<Switchboard>,
    documents: Arc<ArcSwap<Documents>>,
}

impl Publisher {
    /// None: there is no public page.
    pub fn new(config: Arc<Config>, clock: SharedClock, switchboard: Arc<Switchboard>) -> Option<Self> {
        config.uptime.status_page.as_ref()?;
        let publisher = Self { config, clock, switchboard, documents: Arc::default() };
        publisher.render();
        Some(publisher)
    }

    /// Where the documents are found, whatever becomes of the publisher.
    pub fn documents(&self) -> Arc<ArcSwap<Documents>> {
        self.documents.clone()
    }

    /// Renders on each change, and each minute, until it is told to stop.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut stopped = std::pin::pin!(async move { drop(stop.wait_for(|stop| *stop).await) });
        let mut news = self.switchboard.news();
        loop {
            self.render();
            tokio::select! {
                () = &mut stopped => return,
                () = changed(&mut news) => {}
                () = tokio::time::sleep(AT_LEAST_EVERY) => {}
            }
            tokio::select! {
                () = &mut stopped => return,
                () = tokio::time::sleep(AT_MOST_EVERY) => {}
            }
        }
    }

    /// Renders the page as it is now.
    pub fn render(&self) {
        let Some(page) = &self.config.uptime.status_page else { return };
        let (board, now) = (self.switchboard.board(), millis(self.clock.now()));
        let bulletin = self.switchboard.bulletin();
        let model = Model::of(&self.config, page, &board, &bulletin, |one| one.public, now);
        self.documents.store(Arc::new(Documents::render(&model)));
    }
}

async fn changed(news: &mut watch::Receiver<i64>) {
    if news.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Writes all documents into `folder`, each one whole or not at all.
pub fn write_to(documents: &Documents, folder: &Path) -> std::io::Result<()> {
    for (path, document) in documents.iter() {
        let target = folder.join(path);
        let parent = target.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent)?;
        let mut file = tempfile::NamedTempFile::new_in(parent)?;
        std::io::Write::write_all(&mut file, &document.body)?;
        file.persist(&target).map_err(|error| error.error)?;
    }
    Ok(())
}
