//! The health of a tenant's sync, in words for an operator.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::SyncError;
use crate::store::StoreError;
use crate::superops::ApiError;
use crate::ticket::TenantId;

/// The health of one tenant's sync.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SyncHealth {
    /// The time for which our data on the open tickets is complete.
    pub last_good: Option<DateTime<Utc>>,
    pub problem: Option<SyncProblem>,
    /// Why what is read is not believed, if it is not; alerts then stay as they were.
    pub doubt: Option<SyncProblem>,
    /// Set if our clock is far off.
    pub clock: Option<SyncProblem>,
    pub next_try: Option<DateTime<Utc>>,
    /// What SuperOps does not let us do, and what we do instead.
    pub limits: Vec<String>,
    /// The progress of the pass over all tickets: tickets read, and the total if known.
    pub reading: Option<(u64, Option<u64>)>,
}

impl SyncHealth {
    /// Returns what is wrong even though SuperOps can be read.
    pub fn alarms(&self) -> impl Iterator<Item = &SyncProblem> {
        self.doubt.iter().chain(&self.clock)
    }

    /// Returns it as other replicas show it: without what is of use only here, and with words that say whose clock is
    /// meant.
    pub fn for_followers(self) -> Self {
        let clock = self.clock.map(SyncProblem::of_leader);
        Self { clock, next_try: None, reading: None, ..self }
    }

    /// Returns how old our data is. `None` if there is none yet.
    pub fn age(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        self.last_good.map(|at| (now - at).max(TimeDelta::zero()))
    }
}

/// What keeps SuperOps from being read, or its answers from being right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncProblem {
    pub since: DateTime<Utc>,
    pub what: String,
    /// What a person can do about it.
    pub advice: String,
    /// Whether it does not pass by itself.
    pub needs_a_person: bool,
}

impl SyncProblem {
    /// Describes open tickets that are missing since `since`, too many to be believed.
    pub fn missing(since: DateTime<Utc>, tickets: usize) -> Self {
        let what = format!("{tickets} open tickets are missing at once: their alerts stay as they were");
        let advice = "check whether the token's user may still see them; if they were deleted or merged, do nothing: they are dropped after a day, or after an hour if there are at most two";
        Self { since, what, advice: advice.to_owned(), needs_a_person: true }
    }

    /// Describes that our clock is off, in these `words`.
    pub fn clock(words: &str, since: DateTime<Utc>) -> Self {
        let advice = "set this computer's clock, best by NTP: alerts are early or late by that much";
        Self { since, what: words.to_owned(), advice: advice.to_owned(), needs_a_person: true }
    }

    /// Describes the same clock to those who look at another replica.
    fn of_leader(self) -> Self {
        let what = format!("on the leading replica, {}", self.what);
        let advice = self.advice.replace("this computer", "that computer");
        Self { what, advice, ..self }
    }

    /// Describes `error`, with what to do.
    pub fn new(error: &SyncError, since: DateTime<Utc>) -> Self {
        let needs_a_person = matches!(error, SyncError::Api(error) if error.needs_a_person());
        Self { since, what: error.to_string(), advice: advice(error).to_owned(), needs_a_person }
    }
}

impl fmt::Display for SyncProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.advice)
    }
}

fn advice(error: &SyncError) -> &'static str {
    let error = match error {
        SyncError::Api(error) => error,
        SyncError::Store(StoreError::Locked(_) | StoreError::Unwritable(_)) => {
            return "look at the disk that holds the store: free space, permissions, another process";
        }
        SyncError::Store(
            StoreError::Unreachable(_) | StoreError::Refused(_) | StoreError::Forbidden(_) | StoreError::Unconfirmed(_),
        ) => {
            return "look at the database server: whether it runs, can be reached and takes writes; it is tried again automatically";
        }
        SyncError::Store(StoreError::Replaced) => return "do nothing: the replica that leads reads SuperOps",
        SyncError::Store(_) => {
            return "look at the store with `superops-sla store check`, and at the database's own log";
        }
    };
    match error {
        ApiError::Unauthorized { .. } | ApiError::TokenMissing { .. } => {
            "put a valid token where the configuration says; it is read again at each try, a restart is needed only for an environment variable"
        }
        ApiError::WrongSubdomain { .. } => "correct `subdomain` in the configuration and restart",
        ApiError::Redirected { .. } | ApiError::WrongEndpoint { .. } => {
            "correct `region` or `endpoint` in the configuration and restart"
        }
        ApiError::Subscription { .. } => "renew the SuperOps subscription; the sync goes on by itself",
        ApiError::Untrusted { .. } => "look who answers at the endpoint; the token was not sent",
        ApiError::Forbidden { .. } => "give the token's user the right to read tickets",
        ApiError::Throttled => "lower `requests_per_minute`, or see which other program uses this token",
        ApiError::Setup { .. } => "correct the tenant's settings and restart",
        _ => "wait: it is tried again automatically",
    }
}

/// Lets others ask each tenant's sync for a turn at once.
#[derive(Clone, Debug, Default)]
pub struct Hints(BTreeMap<TenantId, watch::Sender<u64>>);

impl Hints {
    /// Creates hints for these tenants.
    pub fn new(tenants: impl IntoIterator<Item = TenantId>) -> Self {
        Self(tenants.into_iter().map(|tenant| (tenant, watch::Sender::new(0))).collect())
    }

    /// Asks for a turn of `tenant` soon. Returns false if there is no such tenant.
    pub fn hint(&self, tenant: &TenantId) -> bool {
        let Some(sender) = self.0.get(tenant) else { return false };
        sender.send_modify(|count| *count = count.wrapping_add(1));
        true
    }

    /// Returns what the sync of `tenant` listens to.
    pub fn listen(&self, tenant: &TenantId) -> Option<watch::Receiver<u64>> {
        self.0.get(tenant).map(watch::Sender::subscribe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_cannot_reach_the_database_server_is_told_to_look_at_it() {
        let error = SyncError::Store(StoreError::Unreachable(sqlx::Error::PoolTimedOut));
        let problem = SyncProblem::new(&error, DateTime::UNIX_EPOCH);
        assert!(problem.advice.starts_with("look at the database server"), "{}", problem.advice);
    }

    #[test]
    fn a_follower_says_that_the_clock_of_the_leader_is_wrong_and_not_its_own() {
        let clock = Some(SyncProblem::clock("our clock is 90 s ahead of SuperOps'", DateTime::UNIX_EPOCH));
        let told = SyncHealth { clock, reading: Some((100, None)), ..SyncHealth::default() }.for_followers();
        assert_eq!(
            told.alarms().map(ToString::to_string).collect::<Vec<_>>(),
            ["on the leading replica, our clock is 90 s ahead of SuperOps'; \
              set that computer's clock, best by NTP: alerts are early or late by that much"]
        );
        let read: SyncHealth = serde_json::from_str(&serde_json::to_string(&told).unwrap()).unwrap();
        assert_eq!(read, told, "it is the same once it was stored");
    }
}
