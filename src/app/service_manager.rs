//! Tells systemd about the service it started: that it is ready, alive or stopping. Does nothing where no service
//! manager asks for it.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::watch;
use tracing::{debug, error};

use crate::loop_health::LoopHealths;

/// How much more time to ask for when a start waits for others.
const LONGER: Duration = Duration::from_secs(60);

/// Reports that pages are served and the loops run.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Reports that the service was told to stop and is finishing running work.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Reports that the start waits for something, described by `status`, and is not stuck.
pub fn waiting(status: &str) {
    let longer = u32::try_from(LONGER.as_micros()).unwrap_or(u32::MAX);
    tell(&[NotifyState::ExtendTimeoutUsec(longer), NotifyState::Status(status)]);
}

/// Reports that the loops turn, twice within the time after which systemd would restart the service, until told to
/// `stop`.
pub async fn show_life(loop_healths: LoopHealths, mut stop: watch::Receiver<bool>) {
    let Some(patience) = sd_notify::watchdog_enabled() else {
        drop(stop.wait_for(|stop| *stop).await);
        return;
    };
    loop {
        if loop_healths.hang() {
            error!("a loop hangs: systemd will restart this service");
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
        debug!(error = %error, "systemd could not be notified");
    }
}
