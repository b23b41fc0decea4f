//! The running service when this computer's clock is set.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use superops_sla::app::replicas;
use superops_sla::clock::{Clock, SystemClock};
use tokio::sync::oneshot;

use crate::binary::Place;

/// This computer's clock, so many seconds ahead.
#[derive(Clone, Default)]
struct Ahead(Arc<AtomicI64>);

#[async_trait]
impl Clock for Ahead {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + TimeDelta::seconds(self.0.load(Ordering::SeqCst))
    }

    async fn sleep_until(&self, at: DateTime<Utc>) {
        while let Ok(left) = (at - self.now()).to_std() {
            tokio::time::sleep(left.clamp(Duration::from_millis(1), Duration::from_millis(100))).await;
        }
    }
}

/// Waits for a mail that holds `words`.
async fn until_mailed(place: &Place, words: &str) {
    let is_there = || place.caught.newest_first(100).iter().any(|caught| caught.text.contains(words));
    let mailed = async {
        while !is_there() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let mailed = tokio::time::timeout(Duration::from_secs(60), mailed).await;
    let told: Vec<_> = place.caught.newest_first(100).iter().map(|caught| caught.text.clone()).collect();
    assert!(mailed.is_ok(), "nothing about `{words}` in {told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_ran_ahead_and_is_set_right_keeps_nobody_waiting() {
    let place = Place::new().await;
    let ahead = Ahead::default();
    let (stop, told_to_stop) = oneshot::channel::<()>();
    let told_to_stop = async { drop(told_to_stop.await) };
    let service = async {
        let ended = replicas::run(place.settings(), Arc::new(ahead.clone()), told_to_stop).await;
        assert!(ended.is_ok(), "{ended:?}");
    };
    let story = async {
        place.risky_ticket_about("Before");
        until_mailed(&place, "Before").await;
        ahead.0.store(3600, Ordering::SeqCst);
        place.risky_ticket_about("Meanwhile");
        until_mailed(&place, "Meanwhile").await;
        // No clock is ahead for an instant only: it is looked at each second.
        tokio::time::sleep(Duration::from_secs(2)).await;
        ahead.0.store(0, Ordering::SeqCst);
        place.risky_ticket_about("Afterwards");
        until_mailed(&place, "Afterwards").await;
        stop.send(()).unwrap();
    };
    tokio::join!(service, story);
}
