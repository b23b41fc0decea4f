//! The loop that empties the outbox: it claims what is due, has the channel make one attempt, and records how that
//! went.
//!
//! Each channel has its own places, so one that hangs does not hold up the others. An attempt is leased: if the process
//! dies in the middle, the row is due again under the same identity, and the channel is first asked whether it went
//! out. A place is free again once the channel has answered. The result is then recorded together with whatever else
//! has ended meanwhile. If that fails, it is kept and recorded later; until then the row is not leased again.

mod attempt;
mod breaker;
mod gates;
mod pace;
mod record;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tracing::error;
use tracing::instrument::WithSubscriber;

use self::attempt::{Attempt, STUCK};
use self::gates::Gates;
use self::record::Recorder;
use crate::alert::noise::Rules;
use crate::clock::SharedClock;
use crate::config::ChannelKind;
use crate::descriptors;
use crate::loop_health::LoopHealth;
use crate::notify::{Message, Notifier, Receipt, SendError};
use crate::personal_rules::PersonalRules;
use crate::store::outbox::{Attempted, Outcome, Round, UnderWay};
use crate::store::{Store, StoreError};
use crate::telemetry::{LoopName, Telemetry};
use tokio::sync::Notify;

/// Longer on the wall than any attempt may take, so that a lease runs out only if the process died.
const LEASE: Duration = Duration::from_secs(30);
/// The wall-clock pause before results that could not be recorded are tried again.
const RECORD_AGAIN: Duration = Duration::from_secs(2);
/// How often results that could not be recorded are tried again at a stop.
const LAST_TRIES: usize = 3;
/// How long a channel must be out of order before the next channel takes over its non-urgent alerts too.
const LONG_OUT: TimeDelta = TimeDelta::minutes(1);
/// The outbox is read at least this often, even if nobody rings.
const LONGEST_SLEEP: TimeDelta = TimeDelta::minutes(1);
/// After an attempt that needs no follow-up, the outbox is counted again within this time.
const SETTLES: TimeDelta = TimeDelta::milliseconds(100);

/// Empties the outbox.
pub struct Dispatch {
    store: Store,
    channels: BTreeMap<ChannelKind, Arc<dyn Notifier>>,
    clock: SharedClock,
    telemetry: Arc<Telemetry>,
    /// How much is sent at once and when, and what individual people have asked for.
    rules: PersonalRules,
    /// Tenants with messages held up by their budget, and since when: the operator is told of each once a day.
    over_budget: HashMap<String, DateTime<Utc>>,
    /// Rung when the outbox has something new.
    outbox: Arc<Notify>,
    gates: Arc<Gates>,
    under_way: JoinSet<Attempted>,
    /// The place that each attempt under way takes, and whether it is a probe.
    places: HashMap<Id, Place>,
    /// Attempts that have ended and are to be recorded with the next batch.
    ended: Vec<Attempted>,
    recorder: Recorder,
    /// One batch at a time. Yields what could not be recorded, and whether the rest needs follow-up.
    recording: JoinSet<(Vec<Attempted>, bool)>,
    /// The batch that is being recorded.
    batch: Arc<[Attempted]>,
    /// A batch could not be recorded: it is tried again in another turn.
    is_stuck: bool,
    /// Attempts that ended badly, and when: nobody knows whether the message was taken, so each keeps its lease.
    lost: Vec<(Instant, String)>,
    /// When this process began to send; none before its first turn.
    began: Option<Instant>,
    health: LoopHealth,
    /// An attempt that is yet to be recorded needs follow-up.
    follows: bool,
    /// Channels that may have more waiting than could be started: an attempt that ends there makes room.
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
        let absent = ChannelKind::ALL.map(|kind| Arc::new(RemovedChannel(kind)) as Arc<dyn Notifier>);
        let channels = absent.into_iter().chain(channels).map(|channel| (channel.channel(), channel)).collect();
        Self {
            recorder: Recorder { store: store.clone(), news },
            gates: Arc::new(Gates::new(telemetry.clone())),
            rules: PersonalRules::new(store.clone(), rules),
            store,
            channels,
            clock,
            telemetry,
            over_budget: HashMap::new(),
            outbox,
            under_way: JoinSet::new(),
            places: HashMap::new(),
            ended: Vec::new(),
            recording: JoinSet::new(),
            batch: Arc::new([]),
            is_stuck: false,
            lost: Vec::new(),
            began: None,
            health: LoopHealth::default(),
            follows: false,
            starved: BTreeSet::new(),
        }
    }

    /// Limits how many messages a minute each channel gets.
    pub fn with_limits(self, per_minute: &BTreeMap<ChannelKind, u32>) -> Self {
        self.gates.limit(per_minute);
        self
    }

    /// Reports in `health` how its turns end.
    pub fn with_health(self, health: LoopHealth) -> Self {
        Self { health, ..self }
    }

    /// Runs turns until `stop` is set, then waits for the attempts under way.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        self.health.turned_well();
        while !*stop.borrow() {
            let now = self.clock.now();
            let wake = match self.start_due(now).await {
                Ok(next) => {
                    self.health.turned_well();
                    next
                }
                Err(error) => {
                    self.health.turned_badly();
                    error!(error = %error, "the outbox cannot be read; trying again");
                    now + TimeDelta::seconds(2)
                }
            };
            self.wait(wake, &mut stop).await;
        }
        self.end().await;
    }

    /// Waits until the attempts under way have ended and their results are recorded.
    async fn end(&mut self) {
        for _ in 0..LAST_TRIES {
            while self.next_end().await.is_some() {}
            if self.ended.is_empty() {
                return;
            }
            tokio::time::sleep(RECORD_AGAIN).await;
            self.is_stuck = false;
            self.collect();
        }
    }

    /// Waits until there may be something to do, but no longer than until `wake`.
    async fn wait(&mut self, mut wake: DateTime<Utc>, stop: &mut watch::Receiver<bool>) {
        let (clock, outbox) = (self.clock.clone(), self.outbox.clone());
        loop {
            if self.is_stuck {
                wake = wake.min(clock.now() + self.on_the_wall(RECORD_AGAIN));
            }
            tokio::select! {
                () = clock.sleep_until(wake) => return,
                () = outbox.notified() => return,
                _ = stop.changed() => return,
                Some(follows) = self.next_end() => {
                    if follows {
                        return;
                    }
                    wake = wake.min(clock.now() + SETTLES);
                }
            }
        }
    }

    /// Runs one turn: sends everything due at `now` and waits until each attempt has ended and is recorded. Results
    /// that cannot be recorded are kept for the next turn. Returns when to look again.
    pub async fn turn(&mut self, now: DateTime<Utc>) -> Result<DateTime<Utc>, StoreError> {
        loop {
            let next = self.start_due(now).await?;
            if self.next_end().await.is_none() || (self.is_stuck && self.under_way.is_empty()) {
                return Ok(next);
            }
        }
    }

    /// Converts a length on the wall to the clock's time.
    fn on_the_wall(&self, length: Duration) -> TimeDelta {
        let length = TimeDelta::from_std(length).unwrap_or(TimeDelta::MAX);
        length * i32::try_from(self.clock.speed()).unwrap_or(i32::MAX)
    }

    /// Waits for an attempt to end, or for a batch to be recorded. Returns true if there may be something to do now,
    /// and none if nothing is under way.
    async fn next_end(&mut self) -> Option<bool> {
        let follows = tokio::select! {
            Some(ended) = self.under_way.join_next_with_id() => self.give_back(ended),
            Some(recorded) = self.recording.join_next() => self.recorded(recorded),
            else => return None,
        };
        Some(self.collect() | follows)
    }

    /// Takes in what else has ended and starts recording it, unless the previous batch is still being recorded: the
    /// busier it gets, the more results share a commit. Returns true if there may be something to do now.
    fn collect(&mut self) -> bool {
        let mut room = false;
        while let Some(ended) = self.under_way.try_join_next_with_id() {
            room |= self.give_back(ended);
        }
        if self.recording.is_empty() && !self.ended.is_empty() && !self.is_stuck {
            let follows = std::mem::take(&mut self.follows);
            self.batch = std::mem::take(&mut self.ended).into();
            let recorded = self.recorder.clone().record(self.batch.clone());
            self.recording.spawn(async move { (recorded.await, follows) }.with_current_subscriber());
        }
        room
    }

    /// Keeps what could not be recorded of a batch. Returns true if there may be something to do now.
    fn recorded(&mut self, recorded: Result<(Vec<Attempted>, bool), JoinError>) -> bool {
        let batch = std::mem::replace(&mut self.batch, Arc::new([]));
        let (left, follows) = recorded.unwrap_or_else(|error| {
            error!(error = %error, "the results of attempts could not be recorded; trying again");
            (batch.to_vec(), true)
        });
        self.is_stuck = !left.is_empty();
        self.ended.splice(..0, left);
        self.follows |= follows && self.is_stuck;
        follows && !self.is_stuck
    }

    /// Returns what is in our hands: being sent, ended but not yet recorded, or lost recently.
    fn under_way(&mut self) -> UnderWay {
        self.lost.retain(|(at, _)| at.elapsed() < LEASE);
        let ended = self.ended.iter().chain(self.batch.iter()).map(|ended| &ended.leased.notification.message.key);
        let keys = self.places.values().map(|place| &place.key).chain(ended);
        let keys = keys.chain(self.lost.iter().map(|(_, key)| key)).map(String::as_str);
        UnderWay::new(keys, self.began.is_some_and(|began| began.elapsed() >= LEASE))
    }

    /// Starts attempts for what is due, as far as there are places. Returns when to look again.
    async fn start_due(&mut self, now: DateTime<Utc>) -> Result<DateTime<Utc>, StoreError> {
        let started = Instant::now();
        self.begin_life(now).await?;
        self.is_stuck = false;
        self.collect();
        self.divert(now).await?;
        let full = self.begin_due(now).await?;
        self.telemetry.outbox_pending.set(self.store.outbox_pending().await?);
        let took = started.elapsed().as_secs_f64();
        self.telemetry.loop_seconds.get_or_create(&LoopName { name: "dispatch" }).observe(took);
        let latest = now + LONGEST_SLEEP;
        let next = self.next_due(full, now).await?;
        Ok(next.map_or(latest, |next| next.min(latest)))
    }

    /// Prepares the first turn: nothing was tried while no process ran, and the previous process may have run on
    /// another machine with a clock that was ahead.
    async fn begin_life(&mut self, now: DateTime<Utc>) -> Result<(), StoreError> {
        if self.began.is_none() {
            self.store.hurry_what_is_from_later(now).await?;
            self.store.count_time_to_deliver_anew().await?;
            self.began = Some(Instant::now());
        }
        Ok(())
    }

    /// Leases what is due and begins its attempts. Returns the channels whose places are all taken.
    async fn begin_due(&mut self, now: DateTime<Utc>) -> Result<Vec<ChannelKind>, StoreError> {
        let lease = self.on_the_wall(LEASE);
        let under_way = &self.under_way();
        // Most channels have nothing to send: a write is worth it only for those that do.
        let due = self.store.due_channels(under_way, now).await?;
        if !due.is_empty() {
            let last_change = self.store.last_change().await?;
            self.rules.keep_up(last_change, now).await?;
        }
        // The loudest first: a mail need not repeat at once what a text message tells.
        let rooms: Vec<_> = self.channels.keys().rev().map(|kind| self.room(*kind, now)).collect();
        let round = |room: Capacity| {
            let (store, rules) = (&self.store, self.rules.in_force());
            let may_begin = if due.contains(&room.kind) { room.may_begin } else { 0 };
            async move {
                match may_begin {
                    0 => Ok(Round::default()),
                    most => store.lease_due(room.kind, most, lease, rules, under_way, now).await,
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
                // What was leased for the other channels is still begun.
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(full), Err)
    }

    fn room(&self, kind: ChannelKind, now: DateTime<Utc>) -> Capacity {
        let taken = self.places.values().filter(|place| place.kind == kind).count();
        let free = descriptors::ATTEMPTS.saturating_sub(taken);
        Capacity { kind, free, may_begin: self.gates.room(kind, free, now) }
    }

    /// Begins the attempts of a round.
    fn begin(&mut self, kind: ChannelKind, round: Round, now: DateTime<Utc>) {
        warn_of_budget(&mut self.over_budget, round.over_budget, now);
        if round.hurried {
            self.recorder.news.notify_one();
        }
        let is_probe = self.gates.begin(kind, round.leased.len(), now);
        for row in round.leased {
            let key = row.notification.message.key.clone();
            let attempt = Attempt {
                store: self.store.clone(),
                channel: self.channels[&kind].clone(),
                clock: self.clock.clone(),
                telemetry: self.telemetry.clone(),
                gates: self.gates.clone(),
                is_probe,
            };
            let task = self.under_way.spawn(attempt.make(row).with_current_subscriber());
            self.places.insert(task.id(), Place { kind, is_probe, key });
        }
    }

    /// Returns when there is next something to do on a channel that may be used by then.
    ///
    /// When all places of a channel are taken, the end of an attempt wakes us, not the clock.
    async fn next_due(
        &mut self,
        full: Vec<ChannelKind>,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let shut = |kind: &ChannelKind| Some((*kind, self.gates.shut_until(*kind, now)?));
        let (mut shut, until): (Vec<_>, Vec<_>) = self.channels.keys().filter_map(shut).unzip();
        shut.extend(full);
        self.starved = shut.iter().copied().collect();
        let under_way = self.under_way();
        let next = self.store.next_due(&shut, &under_way).await?;
        Ok(next.into_iter().chain(until.into_iter().flatten()).min())
    }

    /// Passes what cannot wait for a channel that is out of order to the next channel, or the next people.
    async fn divert(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        for kind in self.channels.keys() {
            let Some(out_for) = self.gates.out_for(*kind, now) else { continue };
            let stuck_before = (out_for >= STUCK).then(|| now - STUCK);
            if self.store.divert(*kind, out_for < LONG_OUT, stuck_before, now).await? {
                self.recorder.news.notify_one();
            }
        }
        Ok(())
    }

    /// Frees the place of an attempt. Returns true if there may be something to do now.
    fn give_back(&mut self, ended: Result<(Id, Attempted), JoinError>) -> bool {
        let (id, attempted) = match ended {
            Ok((id, attempted)) => (id, Some(attempted)),
            Err(error) => {
                error!(error = %error, "an attempt to send crashed; it is repeated once its lease has expired");
                (error.id(), None)
            }
        };
        let died = attempted.is_none();
        let Some(place) = self.places.remove(&id) else { return died };
        if let Some(attempted) = attempted {
            self.follows |= place.is_probe || !matches!(attempted.outcome, Outcome::Taken { .. });
            self.ended.push(attempted);
        } else {
            self.gates.lost(place.kind);
            self.lost.push((Instant::now(), place.key));
        }
        died || self.starved.contains(&place.kind)
    }
}

/// What an attempt under way takes up.
struct Place {
    kind: ChannelKind,
    is_probe: bool,
    /// The key of the notification.
    key: String,
}

/// The free places of a channel, and how many of them may be used now.
#[derive(Clone, Copy)]
struct Capacity {
    kind: ChannelKind,
    free: usize,
    may_begin: usize,
}

/// Stands in for a channel that is no longer configured: what still waits for it moves on to the next.
struct RemovedChannel(ChannelKind);

#[async_trait]
impl Notifier for RemovedChannel {
    fn channel(&self) -> ChannelKind {
        self.0
    }

    async fn send(&self, _message: &Message) -> Result<Receipt, SendError> {
        Err(SendError::Misconfigured { reason: "it is no longer configured".to_owned() })
    }
}

/// Tells the operator, once a day for each tenant, that its text messages of the day are used up.
fn warn_of_budget(told: &mut HashMap<String, DateTime<Utc>>, tenants: HashSet<String>, now: DateTime<Utc>) {
    for tenant in tenants {
        if told.get(&tenant).is_none_or(|at| now - at >= TimeDelta::days(1)) {
            error!(
                tenant,
                "`{tenant}` has used up its text messages for today: more of them go by email, or wait; \
                `alerts.limits.sms_per_day` sets the limit"
            );
            told.insert(tenant, now);
        }
    }
}
