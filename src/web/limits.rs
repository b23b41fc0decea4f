//! Limits how many requests one caller may make, and how often an address may guess a token.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::time::Instant;

type Keyed = RateLimiter<String, HashMapStateStore<String>, DefaultClock>;

/// The most requests an hour to be told of a status page: from one address, and from all together.
const SUBSCRIBE_AN_ADDRESS: NonZeroU32 = NonZeroU32::new(5).expect("not 0");
const SUBSCRIBE_ALL: NonZeroU32 = NonZeroU32::new(60).expect("not 0");
/// How many results of one check others may send at once; after that, one a second. Sums of looks rely on it.
const RESULTS_AT_ONCE: NonZeroU32 = NonZeroU32::new(100).expect("not 0");
/// The wrong tokens that an address may send before it has to wait.
const FREE_GUESSES: u32 = 10;
/// The wait doubles with each further wrong token, up to this.
const LONGEST_WAIT: Duration = Duration::from_mins(5);
/// How long without a guess until an address is forgiven.
const FORGOTTEN: Duration = Duration::from_mins(15);
/// The most addresses that are remembered; beyond that, the one that guessed longest ago is forgotten.
const MOST_ADDRESSES: usize = 10_000;
/// Callers that need not be remembered any more are removed once there are more than this.
const MANY_CALLERS: usize = 1_000;

/// Recent requests and guesses.
pub struct Limits {
    requests: Option<Keyed>,
    /// What others have seen, by check.
    results: Keyed,
    guesses: Mutex<HashMap<IpAddr, Guesses>>,
    /// Requests to be told of a status page: of each address, and below of all together.
    subscribers: Keyed,
    all_subscribers: DefaultDirectRateLimiter,
}

#[derive(Clone, Copy)]
struct Guesses {
    number: u32,
    last: Instant,
}

impl Limits {
    /// Allows `per_second` requests for each caller; `None` means no limit.
    pub fn new(per_second: Option<NonZeroU32>) -> Self {
        let requests = per_second.map(|rate| RateLimiter::hashmap(Quota::per_second(rate)));
        let results = RateLimiter::hashmap(Quota::per_second(NonZeroU32::MIN).allow_burst(RESULTS_AT_ONCE));
        let subscribers = RateLimiter::hashmap(Quota::per_hour(SUBSCRIBE_AN_ADDRESS));
        let all_subscribers = RateLimiter::direct(Quota::per_hour(SUBSCRIBE_ALL));
        Self { requests, results, guesses: Mutex::default(), subscribers, all_subscribers }
    }

    /// Counts a request of `caller`, or returns how long to wait before the next.
    pub fn take(&self, caller: &str) -> Result<(), Duration> {
        let Some(requests) = &self.requests else { return Ok(()) };
        if requests.len() > MANY_CALLERS {
            requests.retain_recent();
        }
        let taken = requests.check_key(&caller.to_owned());
        taken.map_err(|refused| refused.wait_time_from(DefaultClock::default().now()))
    }

    /// Counts a result of `check` that somebody else sends, or returns how long to wait before the next.
    pub fn takes_result(&self, check: &str) -> Result<(), Duration> {
        let taken = self.results.check_key(&check.to_owned());
        taken.map_err(|refused| refused.wait_time_from(DefaultClock::default().now()))
    }

    /// Counts a request from `address` to be told of a status page, or returns how long to wait before the next.
    pub fn subscribes(&self, address: Option<IpAddr>) -> Result<(), Duration> {
        if self.subscribers.len() > MANY_CALLERS {
            self.subscribers.retain_recent();
        }
        let now = DefaultClock::default().now();
        let own = self.subscribers.check_key(&household(address));
        own.map_err(|refused| refused.wait_time_from(now))?;
        self.all_subscribers.check().map_err(|refused| refused.wait_time_from(now))
    }

    /// Returns how long `address` has to wait before it may show another unknown token.
    pub fn wait_of(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let guesses = *self.guesses.lock().unwrap_or_else(PoisonError::into_inner).get(&address)?;
        let doubled = guesses.number.checked_sub(FREE_GUESSES)?;
        let wait = Duration::from_secs(1 << doubled.min(16)).min(LONGEST_WAIT);
        (guesses.last + wait).checked_duration_since(now).filter(|left| !left.is_zero())
    }

    /// Records that `address` showed an unknown token.
    pub fn guessed(&self, address: IpAddr, now: Instant) {
        let mut guesses = self.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        if guesses.len() >= MOST_ADDRESSES {
            guesses.retain(|_, known| now.saturating_duration_since(known.last) < FORGOTTEN);
        }
        if guesses.len() >= MOST_ADDRESSES
            && let Some(oldest) = guesses.iter().min_by_key(|(_, known)| known.last).map(|(address, _)| *address)
        {
            guesses.remove(&oldest);
        }
        let known = guesses.entry(address).or_insert(Guesses { number: 0, last: now });
        let is_old = now.saturating_duration_since(known.last) >= FORGOTTEN;
        *known = Guesses { number: if is_old { 1 } else { known.number.saturating_add(1) }, last: now };
    }
}

/// Returns the key of an address. Somebody with one IPv6 address has as many as they like, all with the same first
/// half.
fn household(address: Option<IpAddr>) -> String {
    match address {
        Some(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}")
        }
        Some(address) => address.to_string(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_guesses_waits_longer_each_time_and_is_forgiven_in_the_end() {
        let (limits, address) = (Limits::new(None), IpAddr::from([192, 0, 2, 1]));
        let mut now = Instant::now();
        for _ in 0..FREE_GUESSES - 1 {
            limits.guessed(address, now);
            assert_eq!(limits.wait_of(address, now), None);
        }
        for seconds in [1, 2, 4, 8] {
            limits.guessed(address, now);
            assert_eq!(limits.wait_of(address, now), Some(Duration::from_secs(seconds)));
        }
        assert_eq!(limits.wait_of(IpAddr::from([192, 0, 2, 2]), now), None, "another address");
        now += FORGOTTEN;
        assert_eq!(limits.wait_of(address, now), None);
        limits.guessed(address, now);
        assert_eq!(limits.wait_of(address, now), None, "it begins anew");
    }

    #[test]
    fn many_addresses_take_no_more_room_than_there_is() {
        let (limits, now) = (Limits::new(None), Instant::now());
        for number in 0..u32::try_from(MOST_ADDRESSES).unwrap() + 10 {
            limits.guessed(IpAddr::from(number.to_be_bytes()), now);
        }
        assert_eq!(limits.guesses.lock().unwrap().len(), MOST_ADDRESSES);
    }

    #[test]
    fn a_household_and_all_together_ask_only_so_often_to_be_told() {
        let limits = Limits::new(None);
        let ask = |address: &str| limits.subscribes(Some(address.parse().unwrap())).is_ok();
        assert!((0..5).all(|host| ask(&format!("2001:db8:1:2::{host}"))));
        assert!(!ask("2001:db8:1:2:ffff::1"), "the same network");
        assert!((0..55).all(|host| ask(&format!("192.0.2.{host}"))));
        assert!(!ask("198.51.100.1"), "all together");
    }

    #[test]
    fn a_check_takes_a_hundred_results_at_once_and_then_one_a_second() {
        let limits = Limits::new(None);
        assert!((0..100).all(|_| limits.takes_result("shop/berlin").is_ok()));
        // The machine may be slow: a second brings one more.
        let wait = (0..100).find_map(|_| limits.takes_result("shop/berlin").err()).unwrap();
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        assert!(limits.takes_result("shop/boston").is_ok(), "another check");
    }

    #[test]
    fn each_caller_has_a_share_of_their_own() {
        let limits = Limits::new(NonZeroU32::new(2));
        assert!(limits.take("mia").is_ok() && limits.take("mia").is_ok());
        assert!(limits.take("mia").unwrap_err() <= Duration::from_secs(1));
        assert!(limits.take("tom").is_ok());
    }
}
