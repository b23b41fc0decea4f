//! Tests of what the pacer promises, with a stopped clock.

use std::sync::Arc;

use proptest::prelude::*;
use tokio::task::JoinHandle;
use tokio::time::{advance, sleep, timeout};

use super::*;

/// SuperOps' side: refuses calls beyond `limit` in any 60 seconds, and counts the refusals.
#[derive(Default)]
struct SlidingWindow {
    arrivals: Mutex<VecDeque<Instant>>,
    refused: Mutex<usize>,
}

impl SlidingWindow {
    fn arrive(&self, limit: usize) {
        let now = Instant::now();
        let mut arrivals = self.arrivals.lock().unwrap();
        arrivals.push_back(now);
        while arrivals.front().is_some_and(|at| now - *at >= Duration::from_secs(60)) {
            arrivals.pop_front();
        }
        *self.refused.lock().unwrap() += usize::from(arrivals.len() > limit);
    }
}

async fn call(pacer: &Pacer, there: Duration, back: Duration, server: &SlidingWindow, limit: usize) {
    let permit = pacer.permit(Urgency::Routine, "getTicketList").await;
    sleep(there).await;
    server.arrive(limit);
    sleep(back).await;
    drop(permit);
}

fn waiter(pacer: &Arc<Pacer>, urgency: Urgency, operation: &'static str, log: &Log) -> JoinHandle<()> {
    let (pacer, log) = (Arc::clone(pacer), Arc::clone(log));
    tokio::spawn(async move {
        let _permit = pacer.permit(urgency, operation).await;
        log.lock().unwrap().push(operation);
    })
}

type Log = Arc<Mutex<Vec<&'static str>>>;

/// A pacer of 10 a minute whose burst is used up, so that every call has to wait.
async fn busy() -> Arc<Pacer> {
    let pacer = Arc::new(Pacer::new(10));
    for _ in 0..2 {
        drop(pacer.permit(Urgency::Routine, "first").await);
    }
    pacer
}

#[tokio::test(start_paused = true)]
async fn a_long_sync_uses_nearly_all_of_its_budget_and_is_never_throttled() {
    const MINUTES: u32 = 10;
    let (pacer, server) = (Pacer::new(100), SlidingWindow::default());
    let calls = async |count: u32| {
        for _ in 0..count {
            call(&pacer, Duration::from_millis(100), Duration::from_millis(400), &server, 100).await;
        }
    };
    // The first hundred calls can use a burst; the pace after them is the lasting one.
    calls(100).await;
    let started = Instant::now();
    calls(100 * MINUTES).await;
    let used = (Duration::from_secs(60) * MINUTES).div_duration_f64(started.elapsed());
    assert_eq!(*server.refused.lock().unwrap(), 0);
    assert!((0.98..=1.0).contains(&used), "used {used:.4} of the budget");
}

#[tokio::test(start_paused = true)]
async fn an_urgent_call_goes_at_once_though_others_want_more_than_there_is() {
    let pacer = Arc::new(Pacer::new(800));
    let busy = pacer.clone();
    let sweeping = tokio::spawn(async move {
        loop {
            let permit = busy.permit(Urgency::Routine, "pages").await;
            sleep(Duration::from_millis(5)).await;
            drop(permit);
        }
    });
    let mut longest = Duration::ZERO;
    for _ in 0..1_500 {
        sleep(Duration::from_millis(120)).await;
        let asked = Instant::now();
        let permit = pacer.permit(Urgency::Urgent, "conversations").await;
        longest = longest.max(asked.elapsed());
        sleep(Duration::from_millis(5)).await;
        drop(permit);
    }
    sweeping.abort();
    assert!(longest < Duration::from_millis(700), "one waited for {longest:?}");
}

#[tokio::test(start_paused = true)]
async fn urgent_calls_go_before_their_time_and_the_others_make_up_for_it() {
    // One in 100 ms, and six at once.
    let (pacer, started) = (Pacer::new(600), Instant::now());
    for _ in 0..26 {
        drop(pacer.permit(Urgency::Urgent, "conversations").await);
    }
    assert_eq!(started.elapsed(), Duration::ZERO);
    let made_up = async || {
        let asked = Instant::now();
        drop(pacer.permit(Urgency::Routine, "pages").await);
        asked.elapsed()
    };
    let waited = made_up().await;
    assert!((Duration::from_millis(2_000)..=Duration::from_millis(2_200)).contains(&waited), "{waited:?}");
    for _ in 0..26 {
        drop(pacer.permit(Urgency::Urgent, "conversations").await);
    }
    sleep(Duration::from_secs(3)).await;
    assert_eq!(made_up().await, Duration::ZERO, "that nobody called has made up for it");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_network_never_pushes_the_servers_window_over_the_limit(
        budget in 1_u32..40,
        travels in proptest::collection::vec((0_u64..4000, 0_u64..4000, 0_u64..9000), 1..150),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let refused = runtime.block_on(async {
            let (pacer, server) = (Pacer::new(budget), SlidingWindow::default());
            let calls = travels.iter().enumerate().map(|(i, (there, back, start))| {
                let (pacer, server) = (&pacer, &server);
                async move {
                    sleep(Duration::from_millis(start * (i as u64 % 7))).await;
                    call(pacer, Duration::from_millis(*there), Duration::from_millis(*back), server, budget as usize).await;
                }
            });
            futures_util::future::join_all(calls).await;
            *server.refused.lock().unwrap()
        });
        prop_assert_eq!(refused, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn urgent_calls_go_first() {
    let (pacer, log) = (busy().await, Log::default());
    let calls = [(Urgency::Background, "third"), (Urgency::Routine, "second"), (Urgency::Urgent, "first")];
    let mut waiters = Vec::new();
    for (urgency, name) in calls {
        waiters.push(waiter(&pacer, urgency, name, &log));
        tokio::task::yield_now().await;
    }
    futures_util::future::join_all(waiters).await;
    assert_eq!(*log.lock().unwrap(), ["first", "second", "third"]);
}

#[tokio::test(start_paused = true)]
async fn a_busy_operation_does_not_keep_the_others_waiting() {
    let (pacer, log) = (busy().await, Log::default());
    let mut waiters = Vec::new();
    for name in ["pages", "pages", "pages", "sites", "notes"] {
        waiters.push(waiter(&pacer, Urgency::Routine, name, &log));
        tokio::task::yield_now().await;
    }
    futures_util::future::join_all(waiters).await;
    assert_eq!(*log.lock().unwrap(), ["pages", "sites", "notes", "pages", "pages"]);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_gives_up_holds_up_nobody() {
    let (pacer, log) = (busy().await, Log::default());
    let gone = waiter(&pacer, Urgency::Routine, "gone", &log);
    tokio::task::yield_now().await;
    let stays = waiter(&pacer, Urgency::Background, "stays", &log);
    tokio::task::yield_now().await;
    gone.abort();
    timeout(Duration::from_secs(10), stays).await.unwrap().unwrap();
    assert_eq!(*log.lock().unwrap(), ["stays"]);
    assert_eq!(pacer.state().queue.head(), None);
}

#[tokio::test(start_paused = true)]
async fn a_call_without_an_answer_counts_until_it_has_one() {
    let pacer = Pacer::new(1);
    let first = pacer.permit(Urgency::Routine, "slow").await;
    let second = pacer.permit(Urgency::Routine, "next");
    tokio::pin!(second);
    assert!(timeout(Duration::from_secs(300), &mut second).await.is_err());
    drop(first);
    let answered = Instant::now();
    let _second = second.await;
    assert!(answered.elapsed() >= WINDOW);
}

#[tokio::test(start_paused = true)]
async fn a_throttle_stops_everybody_for_a_minute() {
    let pacer = Pacer::new(100);
    pacer.throttled();
    let started = Instant::now();
    let _permit = pacer.permit(Urgency::Urgent, "getTicket").await;
    let waited = started.elapsed();
    assert!(waited >= STANDSTILL && waited <= STANDSTILL + STANDSTILL_JITTER, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn calls_refused_together_shrink_the_budget_once() {
    let pacer = Pacer::new(100);
    pacer.throttled();
    pacer.throttled();
    assert_eq!(pacer.budget(), 80);
}

#[tokio::test(start_paused = true)]
async fn the_budget_shrinks_to_a_floor_and_grows_back_to_what_was_configured() {
    let pacer = Pacer::new(20);
    for _ in 0..8 {
        pacer.throttled();
        drop(pacer.permit(Urgency::Routine, "try").await);
    }
    assert_eq!(pacer.budget(), LEAST_BUDGET);
    advance(Duration::from_secs(5 * 60)).await;
    drop(pacer.permit(Urgency::Routine, "try").await);
    assert_eq!(pacer.budget(), 15, "one call a minute comes back");
    advance(Duration::from_secs(60 * 60)).await;
    drop(pacer.permit(Urgency::Routine, "try").await);
    assert_eq!(pacer.budget(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_budget_under_the_floor_is_not_raised_by_a_throttle() {
    let pacer = Pacer::new(4);
    pacer.throttled();
    assert_eq!(pacer.budget(), 4);
}

#[tokio::test(start_paused = true)]
async fn half_is_lent_at_once_when_little_was_called_and_after_a_minute_else() {
    let pacer = Pacer::new(20);
    assert_eq!((pacer.share_half(true), pacer.budget()), (Duration::ZERO, 10));
    pacer.share_half(false);
    assert_eq!(pacer.budget(), 20);
    for _ in 0..12 {
        drop(pacer.permit(Urgency::Routine, "getTicketList").await);
    }
    assert!(pacer.share_half(true) >= Duration::from_secs(60));
}
