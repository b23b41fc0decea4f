//! Looks at services from another place, for a watch that runs elsewhere.
//!
//! An outpost has neither a store nor a configuration: it asks the watch what to look at, and sends what it found,
//! oldest first. While the watch cannot be reached, it continues to look and keeps the results until it can hand them
//! over. It decides nothing: how often it looks depends on what it sees, and everything else is up to the watch.

mod backlog;
pub mod link;
pub mod wire;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{AcquireError, Semaphore, SemaphorePermit, watch};
use tokio::task::AbortHandle;
use tracing::{info, warn};

use self::backlog::Backlog;
use self::link::{Link, LinkError};
use self::wire::{OrderedCheck, OutpostOrders, OutpostResults, SeenCertificate, SeenThere};
use crate::clock::SharedClock;
use crate::config::uptime::Check;
use crate::config::{Environment, sent_check};
use crate::descriptors;
use crate::monitor::connectivity::Canaries;
use crate::monitor::{SET_BACK, next_look};
use crate::probe::address::AddressRules;
use crate::probe::spec::AT_ONE_HOST;
use crate::probe::{Look, Prober};
use crate::uptime::observe::CheckState;
use crate::uptime::{Condition, Millis, Outcome};

/// How often results are sent.
const SEND_EVERY: Duration = Duration::from_secs(1);
/// How often the watch is called when there is nothing to send, because the orders may have changed.
const CALL_EVERY: TimeDelta = TimeDelta::seconds(10);
/// The longest wait after a failed attempt; waits double up to this.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How long handing over the last results at a stop may take.
const LAST_WORD: Duration = Duration::from_secs(3);

/// What an outpost depends on.
pub struct Wiring {
    pub link: Link,
    pub clock: SharedClock,
    pub prober: Prober,
    /// Where the secrets that checks name are found.
    pub env: Arc<dyn Environment>,
    /// Which addresses may be asked from here.
    pub addresses: AddressRules,
    /// If empty, those that the watch names.
    pub canaries: Vec<(String, u16)>,
}

/// The loop that looks for a watch elsewhere.
pub struct Outpost {
    link: Link,
    env: Arc<dyn Environment>,
    addresses: Arc<AddressRules>,
    own_canaries: bool,
    place: Arc<Place>,
    /// The version of the orders being followed; none if they have to be asked for.
    version: Option<String>,
    looking: HashMap<String, (OrderedCheck, AbortHandle)>,
    hosts: HashMap<String, Arc<Room>>,
    called_at: DateTime<Utc>,
}

impl Outpost {
    /// Creates an outpost that follows no orders yet.
    pub fn new(wiring: Wiring) -> Self {
        let Wiring { link, clock, prober, env, addresses, canaries } = wiring;
        let own_canaries = !canaries.is_empty();
        let place = Place {
            clock,
            prober,
            behind: AtomicI64::new(0),
            backlog: Backlog::default(),
            canaries: RwLock::new(Arc::new(Canaries::named(canaries))),
            room: Room::of(descriptors::for_looks(), descriptors::for_looks() / 2),
        };
        Self {
            link,
            env,
            addresses: Arc::new(addresses),
            own_canaries,
            place: Arc::new(place),
            version: None,
            looking: HashMap::new(),
            hosts: HashMap::new(),
            called_at: DateTime::UNIX_EPOCH,
        }
    }

    /// Looks and reports until it is told to stop.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut stopped = std::pin::pin!(async move { drop(stop.wait_for(|stop| *stop).await) });
        let mut wait = SEND_EVERY;
        loop {
            let turn = async {
                wait = self.turn(wait).await;
                tokio::time::sleep(wait).await;
            };
            tokio::select! {
                () = turn => {}
                () = &mut stopped => break,
            }
        }
        self.looking.drain().for_each(|(_, (_, look))| look.abort());
        if tokio::time::timeout(LAST_WORD, self.exchange()).await.is_err() {
            warn!("what was seen last could not be handed over");
        }
    }

    /// Makes one attempt to hand over everything. Returns how long to wait before the next one, given that it `waited`
    /// before this one.
    async fn turn(&mut self, waited: Duration) -> Duration {
        let failed_before = waited > SEND_EVERY;
        let lost = self.place.backlog.lost();
        if lost > 0 {
            warn!(lost, "the watch could not be reached for too long: {lost} results are lost");
        }
        match self.exchange().await {
            Ok(()) => {
                if failed_before {
                    info!("the watch can be reached again");
                }
                SEND_EVERY
            }
            Err(error) => {
                if !failed_before {
                    warn!("{error}; what is seen is kept meanwhile, for a day at the most");
                }
                (waited * 2).min(LONGEST_WAIT)
            }
        }
    }

    /// Asks for orders if they have changed, and hands over everything that waits.
    async fn exchange(&mut self) -> Result<(), LinkError> {
        loop {
            if self.version.is_none() {
                let orders = self.link.orders().await?;
                self.follow(orders);
            }
            let now = self.place.now();
            if self.place.backlog.is_empty() && now - self.called_at < CALL_EVERY {
                return Ok(());
            }
            let batch = self.place.backlog.oldest(now);
            let sent = self.link.send(&OutpostResults { results: batch.results.clone() }).await;
            if let Err(LinkError::Refused { .. }) = sent {
                warn!("{} results were rejected by the watch as invalid, and are dropped", batch.results.len());
                self.place.backlog.handed_over(&batch);
            }
            let receipt = sent?;
            self.place.backlog.handed_over(&batch);
            self.heard(receipt.now);
            if self.version.as_ref() != Some(&receipt.version) {
                self.version = None;
            }
        }
    }

    /// Adopts the watch's time. It is slightly in the past by the time it arrives, so nothing is ever dated in the
    /// watch's future.
    fn heard(&mut self, now: DateTime<Utc>) {
        let behind = self.place.clock.now() - now;
        self.place.behind.store(behind.num_milliseconds(), Ordering::Relaxed);
        self.called_at = now;
    }

    /// Follows new orders. Checks that have not changed continue undisturbed.
    fn follow(&mut self, orders: OutpostOrders) {
        self.heard(orders.now);
        if !self.own_canaries {
            let canaries = orders.canaries.iter().filter_map(|text| host_and_port(text)).collect();
            *self.place.canaries.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Canaries::named(canaries));
        }
        self.looking.retain(|_, (known, look)| {
            let stays = orders.checks.contains(known);
            if !stays {
                look.abort();
            }
            stays
        });
        for ordered in orders.checks {
            if !self.looking.contains_key(&ordered.id) {
                self.begin(ordered);
            }
        }
        info!(checks = self.looking.len(), "looking at {} checks as `{}`", self.looking.len(), orders.name);
        self.version = Some(orders.version);
    }

    fn begin(&mut self, ordered: OrderedCheck) {
        let id = ordered.id.clone();
        let check = match sent_check(&ordered.toml, &ordered.component, &*self.env, &self.addresses) {
            Ok(check) => Check { id: id.clone(), ..check },
            Err(complaints) => return warn!("`{id}` cannot be looked at from here: {complaints}"),
        };
        let host = self.hosts.entry(check.probe.ask.host().to_owned());
        let host = host.or_insert_with(|| Arc::new(Room::of(AT_ONE_HOST, AT_ONE_HOST))).clone();
        let look = tokio::spawn(keep_looking(check, self.place.clone(), host)).abort_handle();
        self.looking.insert(id, (ordered, look));
    }
}

impl Drop for Outpost {
    fn drop(&mut self) {
        self.looking.values().for_each(|(_, look)| look.abort());
    }
}

/// What all looks share.
struct Place {
    clock: SharedClock,
    prober: Prober,
    /// How far the watch's clock is behind ours, in milliseconds.
    behind: AtomicI64,
    backlog: Backlog,
    canaries: RwLock<Arc<Canaries>>,
    /// Looks at services that fail may hang, so they get only half of it.
    room: Room,
}

/// How many looks may run at once.
struct Room {
    looks: Semaphore,
    /// How many of them at services that fail.
    failing: Semaphore,
}

impl Room {
    fn of(looks: usize, failing: usize) -> Self {
        Self { looks: Semaphore::new(looks), failing: Semaphore::new(failing) }
    }

    /// Waits until there is room for a look, here and at `host`. Whatever fails first waits for its share of both, of
    /// its host's before all others', so that meanwhile it keeps no place from anything that is well, nor the share from
    /// other hosts. Everyone waits in this order, so nobody for each other.
    async fn admit<'a>(&'a self, host: &'a Self, fails: bool) -> Result<Vec<SemaphorePermit<'a>>, AcquireError> {
        let order = [&host.failing, &self.failing, &host.looks, &self.looks];
        let mut permits = Vec::with_capacity(order.len());
        for semaphore in order.into_iter().skip(if fails { 0 } else { 2 }) {
            permits.push(semaphore.acquire().await?);
        }
        Ok(permits)
    }
}

impl Place {
    /// Returns the watch's time.
    fn now(&self) -> DateTime<Utc> {
        self.clock.now() - TimeDelta::milliseconds(self.behind.load(Ordering::Relaxed))
    }

    async fn sleep_until(&self, at: Millis) {
        let own = at + self.behind.load(Ordering::Relaxed);
        if let Some(own) = DateTime::from_timestamp_millis(own) {
            self.clock.sleep_until(own).await;
        }
    }

    /// Looks once, as was `due`, and updates `state` with the outcome.
    async fn look(&self, check: &Check, state: &mut CheckState, due: Millis) -> SeenThere {
        let began = moment(self.now().timestamp_millis(), due, state.last_at);
        let turn = state.turn as usize;
        let decides = state.is_about_to_fall(Condition::Down, &check.rules);
        let canaries = self.canaries.read().unwrap_or_else(PoisonError::into_inner).clone();
        let (look, connectivity) = canaries.look(&self.prober, &check.probe, turn, began, decides).await;
        let outcome = Outcome { at: began, verdict: look.verdict, detail: look.detail.clone() };
        state.observe(&outcome, connectivity, &check.rules);
        seen(&check.id, began, look)
    }
}

/// Returns when a look at `now` began. Each look gets a moment of its own, and none before it was `due`, even after a
/// clock was adjusted: by it the watch knows which looks it has, and we which is next. A clock that was set back is
/// followed, since the watch accepts nothing from the future.
fn moment(now: Millis, due: Millis, last: Option<Millis>) -> Millis {
    let earliest = [Some(due), last.map(|last| last + 1)].into_iter().flatten();
    earliest.filter(|earliest| *earliest - now <= SET_BACK).fold(now, Ord::max)
}

fn seen(id: &str, began: Millis, look: Look) -> SeenThere {
    let instant = |at: Millis| DateTime::from_timestamp_millis(at).unwrap_or_default();
    SeenThere {
        check: id.to_owned(),
        at: instant(began),
        status: look.verdict.as_str().to_owned(),
        micros: i64::try_from(look.phases.whole.as_micros()).unwrap_or(i64::MAX),
        text: look.detail,
        certificate: look.certificate.map(|one| SeenCertificate {
            ends_at: instant(one.until),
            holds: one.holds,
            ends_by_chain: one.ends_by_chain,
        }),
    }
}

async fn keep_looking(check: Check, place: Arc<Place>, host: Arc<Room>) {
    let mut state = CheckState::new(place.now().timestamp_millis());
    loop {
        let due = next_look(&check.id, &state, &check.rules, place.now().timestamp_millis());
        place.sleep_until(due).await;
        // None of the semaphores is ever closed.
        let Ok(_room) = place.room.admit(&host, state.fails()).await else { return };
        let seen = place.look(&check, &mut state, due).await;
        place.backlog.add(seen);
    }
}

/// Splits `host:port`.
pub fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    Some((host.to_owned(), port.parse().ok()?)).filter(|(host, _)| !host.is_empty())
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::uptime::SECOND;
    use crate::uptime::observe::Rules;

    #[test]
    fn what_fails_and_waits_for_its_share_keeps_no_place_from_what_is_well_at_the_same_host() {
        let (here, shop, mail) = (Room::of(4, 1), Room::of(2, 2), Room::of(2, 2));
        let hanging = here.admit(&mail, true).now_or_never().unwrap().unwrap();
        let mut waiting: Vec<_> = (0..9).map(|_| Box::pin(here.admit(&shop, true))).collect();
        assert!(waiting.iter_mut().all(|one| one.as_mut().now_or_never().is_none()));
        assert!(here.admit(&shop, false).now_or_never().is_some());
        drop(hanging);
        assert!(waiting[0].as_mut().now_or_never().is_some(), "the share is free again");
    }

    #[test]
    fn what_waits_for_a_host_that_hangs_keeps_the_share_of_what_fails_from_no_other_host() {
        let (here, shop, mail) = (Room::of(8, 4), Room::of(2, 2), Room::of(2, 2));
        let mut waiting: Vec<_> = (0..9).map(|_| Box::pin(here.admit(&shop, true))).collect();
        let hanging: Vec<_> = waiting.iter_mut().filter_map(|one| one.as_mut().now_or_never()).collect();
        assert_eq!(hanging.len(), 2);
        assert!(here.admit(&mail, true).now_or_never().is_some());
    }

    #[test]
    fn each_look_has_a_moment_of_its_own_and_follows_a_clock_that_was_set_back() {
        let moments = [None, Some(900), Some(1000), Some(1500)].map(|last| moment(1000, 950, last));
        assert_eq!(moments, [1000, 1000, 1001, 1501]);
        assert_eq!(moment(1000, 3_605_000, Some(3_601_000)), 1000, "the watch would take nothing of the next hour");
    }

    #[test]
    fn a_look_is_made_once_though_the_watchs_clock_is_found_to_be_further_behind_while_it_waits() {
        let rules = Rules::every(3 * SECOND, SECOND, 2, 2);
        let last = 1_795_000_000_000;
        let up = |at| CheckState { condition: Condition::Up, last_at: Some(at), ..CheckState::new(last) };
        let due = next_look("shop/http", &up(last), &rules, last);
        let now = due - 4;
        let began = moment(now, due, Some(last));
        assert_eq!(
            [now, now + 2, now + 50].map(|now| next_look("shop/http", &up(began), &rules, now) - due),
            [3000; 3]
        );
    }
}
