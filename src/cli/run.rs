//! `run`: the service.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use super::CliError;
use crate::app::Parts;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::descriptors;

/// Runs until it is told to stop.
pub async fn run(config: Config) -> Result<(), CliError> {
    super::log(config.server.log_format, "info");
    descriptors::raise();
    let parts = Parts::build(config, Arc::new(SystemClock)).await?;
    let options = parts.web_options();
    let mut running = parts.start(options).await?;
    tokio::select! {
        () = told_to_stop() => {
            running.stop().await;
            Ok(())
        }
        () = running.failed() => {
            running.stop().await;
            Err(anyhow::anyhow!("a loop has ended that should not; the log says which").into())
        }
    }
}

/// Returns on SIGTERM or Ctrl-C.
pub async fn told_to_stop() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
