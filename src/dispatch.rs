//! The loop that empties the outbox: it claims what is due, has the channel
//! make one attempt, and remembers how that went.
//!
//! Each channel has places of its own, so one that hangs holds up no other. An
//! attempt is leased: if the process dies in the middle, the row is due again
//! under the same identity, and the channel is first asked whether it went out.

mod breaker;
mod gates;
mod pace;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tracing::{debug, error, info, warn};

use self::gates::Gates;
use crate::alert::noise::Rules;
use crate::clock::SharedClock;
use crate::config::ChannelKind;
use crate::notify::{Message, Notifier, Receipt, SendError};
use crate::store::outbox::{Leased, Outcome, Round};
use crate::store::{Store, StoreError};
use crate::telemetry::{DeliveryLabels, LoopName, Telemetry};
use tokio::sync::Notify;

/// Attempts of one channel at the same time.
const PLACES: usize = 16;
/// Longer on the wall than any attempt may take, so that a lease runs out only if the process died.
const LEASE: TimeDelta = TimeDelta::seconds(30);
/// Waits between attempts; the last one is repeated.
const SCHEDULE_SECONDS: [i64; 7] = [2, 5, 15, 30, 60, 120, 300];
/// A provider that cannot take it this many times has its fallback told as well.
const FALLBACK_AFTER: u32 = 3;
/// A channel that is out of order this long has also what is not urgent said by the next.
const LONG_OUT: TimeDelta = TimeDelta::minutes(1);
/// A message that may have been taken is looked up this often in vain; then it is sent: better twice than never.
const LOOK_UPS: u32 = 4;
/// How an attempt went is stored in so many tries. Each waits for a locked database by itself.
const STORE_TRIES: u32 = 3;
/// After this long an undelivered message is of no use any more.
const GIVE_UP_AFTER: TimeDelta = TimeDelta::hours(6);
/// The outbox is looked at this often even if nobody rings.
const LONGEST_SLEEP: TimeDelta = TimeDelta::minutes(1);
/// After an attempt from which nothing follows, the outbox is counted again within this time.
const SETTLES: TimeDelta = TimeDelta::milliseconds(100);

/// Empties the outbox.
pub struct Dispatch {
    store: Store,
    channels: BTreeMap<ChannelKind, Arc<dyn Notifier>>,
    clock: SharedClock,
    telemetry: Arc<Telemetry>,
    /// How much is said at once, and when.
    rules: Arc<Rules>,
    /// Tenants whose budget holds something up, and since when: a person is told of each once a day.
    over_budget: HashMap<String, DateTime<Utc>>,
    /// Rung when the outbox has something new.
    outbox: Arc<Notify>,
    /// Rings evaluate: a refusal has brought an escalation forward.
    news: Arc<Notify>,
    gates: Arc<Gates>,
    /// Each says whether something follows from it.
    under_way: JoinSet<bool>,
    /// Whose place each attempt under way takes.
    places: HashMap<Id, ChannelKind>,
    /// Channels for which more may wait than could be started: an attempt that ends there makes room.
    starved: BTreeSet<ChannelKind>,
}

impl Dispatch {
    pub fn new(
        store: Store,
        channels: Vec<Arc<dyn Notifier>>,
        clock: SharedClock,
        telemetry: Arc<Telemetry>,
        rules: Arc<Rules>,
        outbox: Arc<Notify>,
        news: Arc<Notify>,
    ) -> Self {
        let absent = ChannelKind::ALL.map(|kind| Arc::new(Absent(kind)) as Arc<dyn Notifier>);
        let channels = absent.into_iter().chain(channels).map(|channel| (channel.channel(), channel)).collect();
        let (under_way, places) = (JoinSet::new(), HashMap::new());
        let gates = Arc::new(Gates::new(telemetry.clone()));
        let (over_budget, starved) = (HashMap::new(), BTreeSet::new());
        Self { store, channels, clock, telemetry, rules, over_budget, outbox, news, gates, under_way, places, starved }
    }

    /// Gives no channel more messages a minute than it may have.
    pub fn with_limits(self, per_minute: &BTreeMap<ChannelKind, u32>) -> Self {
        self.gates.limit(per_minute);
        self
    }

    /// Turns until `stop` says so, then waits for the attempts under way.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let now = self.clock.now();
            let wake = match self.start_due(now).await {
                Ok(next) => next,
                Err(error) => {
                    error!(error = %error, "the outbox cannot be read; trying again");
                    now + TimeDelta::seconds(2)
                }
            };
            self.wait(wake, &mut stop).await;
        }
        while self.under_way.join_next().await.is_some() {}
    }

    /// Waits until there may be something to do, at `wake` at the latest.
    async fn wait(&mut self, mut wake: DateTime<Utc>, stop: &mut watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = self.clock.sleep_until(wake) => return,
                () = self.outbox.notified() => return,
                _ = stop.changed() => return,
                Some(ended) = self.under_way.join_next_with_id() => {
                    let mut follows = self.give_back(ended);
                    while let Some(ended) = self.under_way.try_join_next_with_id() {
                        follows |= self.give_back(ended);
                    }
                    if follows {
                        return;
                    }
                    wake = wake.min(self.clock.now() + SETTLES);
                }
            }
        }
    }

    /// One turn: sends all that is due at `now` and waits until each attempt has ended.
    pub async fn turn(&mut self, now: DateTime<Utc>) -> Result<(), StoreError> {
        loop {
            self.start_due(now).await?;
            match self.under_way.join_next_with_id().await {
                Some(ended) => drop(self.give_back(ended)),
                None => return Ok(()),
            }
        }
    }

    /// Starts attempts for what is due, as far as there are places. Says when to look again.
    async fn start_due(&mut self, now: DateTime<Utc>) -> Result<DateTime<Utc>, StoreError> {
        let started = tokio::time::Instant::now();
        self.divert(now).await?;
        let full = self.begin_due(now).await?;
        self.telemetry.outbox_pending.set(self.store.outbox_pending().await?);
        let took = started.elapsed().as_secs_f64();
        self.telemetry.loop_seconds.get_or_create(&LoopName { name: "dispatch" }).observe(took);
        let latest = now + LONGEST_SLEEP;
        let next = self.next_due(full, now).await?;
        Ok(next.map_or(latest, |next| next.min(latest)))
    }

    /// Leases what is due and begins its attempts. Gives the channels all of whose places are taken.
    async fn begin_due(&mut self, now: DateTime<Utc>) -> Result<Vec<ChannelKind>, StoreError> {
        let lease = LEASE * i32::try_from(self.clock.speed()).unwrap_or(i32::MAX);
        let rooms: Vec<_> = self.channels.keys().map(|kind| self.room(*kind, now)).collect();
        let round = |room: Room| {
            let (store, rules) = (&self.store, &self.rules);
            async move {
                match room.may_begin {
                    0 => Ok(Round::default()),
                    most => store.lease_due(room.kind, most, lease, rules, now).await,
                }
            }
        };
        // All at once, so that they share a commit.
        let rounds = join_all(rooms.iter().copied().map(round)).await;
        let (mut full, mut failed) = (Vec::new(), None);
        for (room, round) in rooms.into_iter().zip(rounds) {
            match round {
                Ok(round) => {
                    full.extend((round.leased.len() == room.free).then_some(room.kind));
                    self.begin(room.kind, round, now);
                }
                // What was leased for the others is begun all the same.
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(full), Err)
    }

    fn room(&self, kind: ChannelKind, now: DateTime<Utc>) -> Room {
        let taken = self.places.values().filter(|place| **place == kind).count();
        let free = PLACES.saturating_sub(taken);
        Room { kind, free, may_begin: self.gates.room(kind, free, now) }
    }

    /// Begins the attempts of a round.
    fn begin(&mut self, kind: ChannelKind, round: Round, now: DateTime<Utc>) {
        warn_of_budget(&mut self.over_budget, round.over_budget, now);
        let is_probe = self.gates.begin(kind, round.leased.len(), now);
        for row in round.leased {
            let attempt = Attempt {
                store: self.store.clone(),
                channel: self.channels[&kind].clone(),
                clock: self.clock.clone(),
                telemetry: self.telemetry.clone(),
                news: self.news.clone(),
                gates: self.gates.clone(),
                is_probe,
            };
            let task = self.under_way.spawn(attempt.make(row));
            self.places.insert(task.id(), kind);
        }
    }

    /// When there is something to do next on a channel that may be used by then.
    ///
    /// With all places of a channel taken, the end of an attempt wakes us, not the clock.
    async fn next_due(
        &mut self,
        full: Vec<ChannelKind>,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let shut = |kind: &ChannelKind| Some((*kind, self.gates.shut_until(*kind, now)?));
        let (mut shut, until): (Vec<_>, Vec<_>) = self.channels.keys().filter_map(shut).unzip();
        shut.extend(full);
        self.starved = shut.iter().copied().collect();
        let next = self.store.next_due(&shut).await?;
        Ok(next.into_iter().chain(until.into_iter().flatten()).min())
    }

    /// What cannot wait for a channel that is out of order is said by the next.
    async fn divert(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        for kind in self.channels.keys() {
            if let Some(out_for) = self.gates.out_for(*kind, now) {
                self.store.divert(*kind, out_for < LONG_OUT, now).await?;
            }
        }
        Ok(())
    }

    /// Takes the place of an attempt back. True if there may be something to do now.
    fn give_back(&mut self, ended: Result<(Id, bool), JoinError>) -> bool {
        let died = ended.is_err();
        let (id, follows) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                error!(error = %error, "an attempt to send ended badly; its lease runs out and it is made again");
                (error.id(), true)
            }
        };
        let kind = self.places.remove(&id);
        if let (Some(kind), true) = (kind, died) {
            self.gates.lost(kind);
        }
        follows || kind.is_some_and(|kind| self.starved.contains(&kind))
    }
}

/// The places of a channel that are free, and how many of them may be used now.
#[derive(Clone, Copy)]
struct Room {
    kind: ChannelKind,
    free: usize,
    may_begin: usize,
}

/// Stands in for a channel that is not configured any more: what still waits for it moves on to the next.
struct Absent(ChannelKind);

#[async_trait]
impl Notifier for Absent {
    fn channel(&self) -> ChannelKind {
        self.0
    }

    async fn send(&self, _message: &Message) -> Result<Receipt, SendError> {
        Err(SendError::Misconfigured { reason: "it is not configured any more".to_owned() })
    }
}

/// How an attempt went, and if that is unknown, what [`Leased::unreported`] is next time.
struct Ended {
    result: Result<Receipt, SendError>,
    unreported: u32,
}

/// What one attempt needs.
struct Attempt {
    store: Store,
    channel: Arc<dyn Notifier>,
    clock: SharedClock,
    telemetry: Arc<Telemetry>,
    news: Arc<Notify>,
    gates: Arc<Gates>,
    /// Whether it tries out a channel that is out of order.
    is_probe: bool,
}

impl Attempt {
    /// True if something follows: it is to be tried again, or said by another way.
    async fn make(self, leased: Leased) -> bool {
        let ended = self.send(&leased).await;
        let now = self.clock.now();
        let kind = leased.notification.channel;
        let out_of_order = self.gates.heard(kind, &ended.result, self.is_probe, now);
        self.report(&leased, &ended.result, out_of_order, now);
        let outcome = outcome(&leased, ended, out_of_order, now);
        let follows = self.is_probe || !matches!(outcome, Outcome::Taken { .. });
        if let Err(error) = self.remember(&leased, outcome, now).await {
            let key = &leased.notification.message.key;
            error!(notification.id = %key, error = %error, "how `{key}` went could not be stored; its lease runs out and it is looked up again");
        }
        follows
    }

    /// Sends, unless an attempt that never reported back turns out to have been taken.
    async fn send(&self, leased: &Leased) -> Ended {
        let message = &leased.notification.message;
        if (1..=LOOK_UPS).contains(&leased.unreported) {
            match self.channel.already_sent(message, leased.notification.created_at).await {
                Ok(Some(receipt)) => return Ended { result: Ok(receipt), unreported: 0 },
                Ok(None) => {}
                Err(error) if leased.unreported < LOOK_UPS => {
                    return Ended { result: Err(still_unknown(error)), unreported: leased.unreported + 1 };
                }
                Err(_) => {}
            }
        }
        let result = match self.first_of_thread(leased).await {
            Some(first) => self.channel.answer(message, &first).await,
            None => self.channel.send(message).await,
        };
        let unreported = u32::from(matches!(result, Err(SendError::Unavailable { maybe_taken: true, .. })));
        Ended { result, unreported }
    }

    /// The receipt of the message that this one continues, where the provider has to be told. A store that does not
    /// say is no reason to keep quiet: then it stands by itself.
    async fn first_of_thread(&self, leased: &Leased) -> Option<Receipt> {
        let notification = &leased.notification;
        if notification.channel != ChannelKind::Slack || !notification.message.continues_thread {
            return None;
        }
        let id = self.store.first_receipt(notification).await.ok()??;
        Some(Receipt { id: Some(id) })
    }

    /// What is not remembered is done again: so a database that is locked is asked more than once.
    async fn remember(&self, leased: &Leased, outcome: Outcome, now: DateTime<Utc>) -> Result<(), StoreError> {
        let mut tries = 1;
        loop {
            match self.store.record_attempt(leased, outcome.clone(), now).await {
                Err(StoreError::Locked(_)) if tries < STORE_TRIES => tries += 1,
                Ok(hurried) => {
                    if hurried {
                        self.news.notify_one();
                    }
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn report(&self, leased: &Leased, result: &Result<Receipt, SendError>, out_of_order: bool, now: DateTime<Utc>) {
        let notification = &leased.notification;
        let (key, channel) = (&notification.message.key, notification.channel.as_str());
        let ticket = notification.ticket_id.as_deref().unwrap_or("-");
        let word = match result {
            Ok(_) => {
                let late = (now - notification.due_at).num_milliseconds().max(0);
                self.telemetry.lateness_seconds.observe(late as f64 / 1000.0);
                info!(notification.id = %key, ticket.id = ticket, channel, kind = notification.kind, late_ms = late,
                    "sent `{key}` by {channel}");
                "taken"
            }
            Err(SendError::Unavailable { .. }) if out_of_order => {
                // That the channel is down was said once, when it broke.
                debug!(notification.id = %key, channel, attempt = leased.attempt, "`{key}` waits for its channel");
                "unavailable"
            }
            Err(SendError::Unavailable { reason, .. }) => {
                warn!(notification.id = %key, ticket.id = ticket, channel, attempt = leased.attempt,
                    "`{key}` was not taken, trying again: {reason}");
                "unavailable"
            }
            Err(SendError::Refused { reason }) => {
                warn!(notification.id = %key, ticket.id = ticket, channel, "`{key}` was refused: {reason}");
                "refused"
            }
            Err(SendError::Misconfigured { reason }) => {
                error!(notification.id = %key, ticket.id = ticket, channel, "channel {channel} needs a person: {reason}");
                "misconfigured"
            }
        };
        self.telemetry.deliveries.get_or_create(&DeliveryLabels { channel, outcome: word }).inc();
    }
}

/// Tells a person, once a day for each tenant, that the text messages of the day are used up.
fn warn_of_budget(told: &mut HashMap<String, DateTime<Utc>>, tenants: HashSet<String>, now: DateTime<Utc>) {
    for tenant in tenants {
        if told.get(&tenant).is_none_or(|at| now - at >= TimeDelta::days(1)) {
            error!(
                tenant,
                "the day's text messages of `{tenant}` are used up: they go by email, or wait; \
                `alerts.limits.sms_per_day` says how many there may be"
            );
            told.insert(tenant, now);
        }
    }
}

/// A look-up that fails, whatever the reason, says nothing of the message.
fn still_unknown(error: SendError) -> SendError {
    match error {
        unavailable @ SendError::Unavailable { .. } => unavailable,
        other => {
            let reason = format!("whether it was taken cannot be found out: {other}");
            SendError::Unavailable { reason, retry_after: None, maybe_taken: true, outage: false }
        }
    }
}

/// What follows from an answer.
///
/// What waits for a channel that is out of order is due at once: the breaker says when it may try.
fn outcome(leased: &Leased, ended: Ended, out_of_order: bool, now: DateTime<Utc>) -> Outcome {
    match ended.result {
        Ok(receipt) => Outcome::Taken { provider_id: receipt.id },
        Err(SendError::Unavailable { reason, .. }) if now - meant_for(leased) > GIVE_UP_AFTER => Outcome::Failed {
            why: format!("given up after {} attempts: {reason}", leased.attempt),
            misconfigured: false,
        },
        Err(SendError::Unavailable { reason, retry_after, .. }) => {
            let asked = retry_after.and_then(|wait| TimeDelta::from_std(wait).ok()).unwrap_or_default();
            let wait = if out_of_order { TimeDelta::zero() } else { pause(leased.attempt) };
            Outcome::Again {
                at: now + wait.max(asked),
                why: reason,
                unreported: ended.unreported,
                next_channel_too: leased.attempt >= FALLBACK_AFTER,
            }
        }
        Err(SendError::Refused { reason }) => Outcome::Failed { why: reason, misconfigured: false },
        Err(SendError::Misconfigured { reason }) => Outcome::Failed { why: reason, misconfigured: true },
    }
}

/// When it was to be said: one that was held by night is not old in the morning.
fn meant_for(leased: &Leased) -> DateTime<Utc> {
    leased.notification.created_at.max(leased.notification.due_at)
}

/// The wait before the next attempt, a fifth more or less, so that many do not come back at once.
fn pause(attempt: u32) -> TimeDelta {
    let last = SCHEDULE_SECONDS.len() - 1;
    let index = usize::try_from(attempt.saturating_sub(1)).unwrap_or(last).min(last);
    TimeDelta::milliseconds(SCHEDULE_SECONDS[index] * (800 + fastrand::i64(0..=400)))
}
