//! What systemd is told of a service that it started: that it is ready, that it lives, that it stops. Where nobody asked
//! to be told, nothing happens.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::watch;
use tracing::{debug, error};

use crate::loop_health::LoopHealths;

/// How much longer a start may take that waits for others.
const LONGER: Duration = Duration::from_secs(60);

/// The page is served, and the loops run.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// It was told to stop, and what is under way ends.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// The start waits for something, `status`; it is not stuck.
pub fn waiting(status: &str) {
    let longer = u32::try_from(LONGER.as_micros()).unwrap_or(u32::MAX);
    tell(&[NotifyState::ExtendTimeoutUsec(longer), NotifyState::Status(status)]);
}

/// Shows that the loops turn, twice in the time after which systemd would start the service anew, until `stop` says so.
pub async fn show_life(loop_healths: LoopHealths, mut stop: watch::Receiver<bool>) {
    let Some(patience) = sd_notify::watchdog_enabled() else {
        drop(stop.wait_for(|stop| *stop).await);
        return;
    };
    loop {
        if loop_healths.hang() {
            error!("a loop hangs: systemd is to start this service anew");
            drop(stop.wait_for(|stop| *stop).await);
            return;
        }
        tell(&[NotifyState::Watchdog]);
        tokio::select! {
            () = tokio::time::sleep(patience / 2) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

fn tell(state: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(state) {
        debug!(error = %error, "systemd could not be told");
    }
}
