//! `run`: the service.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tracing::warn;

use super::CliError;
use crate::app::{replicas, service_manager};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::descriptors;

/// Runs until it is told to stop.
pub async fn run(config: Config) -> Result<(), CliError> {
    super::log(config.server.log_format, "info");
    config.notes.futile.iter().for_each(|line| warn!("{line}"));
    descriptors::raise();
    let told = async {
        told_to_stop().await;
        service_manager::stopping();
    };
    Ok(replicas::run(config, Arc::new(SystemClock), told).await?)
}

/// Returns on SIGTERM, on SIGHUP (its terminal was closed), or on Ctrl-C.
pub async fn told_to_stop() {
    let (Ok(mut terminate), Ok(mut hung_up)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = hung_up.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
