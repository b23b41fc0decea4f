//! Finds what a configuration would have sent in the last week: the stored history is played through it by the same
//! evaluation and dispatch as in the service, into a store of its own and to receivers that accept everything.
//!
//! It is played twice. Once people answer as they did: what they did to alerts is done again, and replying to a ticket
//! or taking it over counts as acknowledging its alerts. And once nobody answers. Silences and maintenance windows
//! apply to both as they stood. No forecast is made, so predictions are left out, and the most there could have been is
//! given separately; manual overrides, and what was said in conversations, are not known.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use anyhow::Context;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use crate::alert::life::{Act, Actor, How, State};
use crate::alert::prediction::Rule;
use crate::clock::{ManualClock, SharedClock};
use crate::config::{ChannelKind, Config, Tenant};
use crate::dispatch::Dispatch;
use crate::evaluate::Evaluate;
use crate::notify::{Message, Notifier, Receipt, SendError};
use crate::rules_cache::RulesCache;
use crate::store::alerts::id_of;
use crate::store::audit::{AuditFilter, AuditRow, Author};
use crate::store::latest::Way;
use crate::store::on_call::NewOverride;
use crate::store::outbox::Said;
use crate::store::personal_rules::PersonalChange;
use crate::store::suppressions::NewSuppression;
use crate::store::sync::SyncState;
use crate::store::tickets::{Batch, Lived};
use crate::store::{At, Place, Store, StoreError};
use crate::telemetry::Telemetry;
use crate::ticket::rewind::{Was, as_of, rewind};
use crate::ticket::watch::Bounds;
use crate::ticket::{Reach, RefId, TenantId, Ticket, TicketId};

/// How many days are counted, and the day before them: what is late already when the replay begins is told on that day.
const COUNTED_DAYS: i64 = 7;
const BEFORE: TimeDelta = TimeDelta::days(1);
/// How often the loops are turned at least: while messages are held, which fall due in between, and while none are.
const HELD: TimeDelta = TimeDelta::minutes(1);
const QUIET: TimeDelta = TimeDelta::hours(1);
/// The most rounds of evaluation and dispatch at one moment.
const MOST_ROUNDS: usize = 20;

/// How many rows of the audit log are read at a time.
const PAGE: u32 = 1_000;

/// What happened to which ticket, and when.
type Story = Vec<(DateTime<Utc>, TenantId, TicketId, Event)>;

enum Event {
    Was(Was),
    Replied,
    /// Somebody did this to one of its alerts, the one with this id.
    Acted(String, Act),
}

/// Whether people answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answers {
    AsThen,
    Never,
}

/// What would have been sent in the last week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Week {
    /// To people who answer as they did; none if nothing.
    pub as_answered: Option<Said>,
    /// To people who never answer.
    pub unanswered: Option<Said>,
    /// The most predicted alerts a day for each tenant, which are left out of the counts; none if there is no limit but
    /// a threshold.
    pub predictions_a_day: Option<usize>,
}

/// Returns what would have been sent; none if there is no history to play, or nothing would have been.
pub async fn play(config: &Arc<Config>, now: DateTime<Utc>) -> anyhow::Result<Option<Week>> {
    if !Place::from(&config.store).is_there().await? {
        return Ok(None);
    }
    let unanswered = play_once(config, Answers::Never, now).await?;
    let as_answered = play_once(config, Answers::AsThen, now).await?;
    let predictions_a_day = match config.alerts.predict {
        Rule::Budget(budget) => Some(budget.a_day),
        Rule::Threshold(_) => None,
    };
    let week = Week { as_answered, unanswered, predictions_a_day };
    Ok(Some(week).filter(|week| week.unanswered.is_some()))
}

async fn play_once(config: &Arc<Config>, answers: Answers, now: DateTime<Utc>) -> anyhow::Result<Option<Said>> {
    let begin = now - TimeDelta::days(COUNTED_DAYS) - BEFORE;
    let folder = tempfile::tempdir()?;
    let telemetry = Arc::new(Telemetry::default());
    let real = Store::open(&config.store, Arc::default()).await?;
    let stage = Store::open(
        At { place: Place::File(folder.path().join("week.db")), keys: config.store.keys.clone() },
        telemetry.clone(),
    )
    .await?;
    let (mut story, mut hands) = (Story::new(), Hands::default());
    for tenant in config.tenants.values() {
        story.extend(set_up(&real, &stage, tenant, &mut hands, (begin, now)).await?);
    }
    bring_along(&real, &stage, begin).await?;
    if answers == Answers::AsThen {
        story.extend(acts(&real, begin, now).await?);
    }
    real.close().await;
    story.sort_by_key(|(at, ..)| *at);
    let played = played(config, &stage, telemetry, (story, answers, hands), (begin, now)).await;
    let tenants: Vec<_> = config.tenants.keys().collect();
    let said = stage.said_in(&tenants, COUNTED_DAYS, now).await;
    stage.close().await;
    played?;
    Ok(said?)
}

/// Puts into `stage` what was known of `tenant` at `begin`. Returns what has happened to its tickets since.
async fn set_up(
    real: &Store,
    stage: &Store,
    tenant: &Tenant,
    hands: &mut Hands,
    (begin, now): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Story, StoreError> {
    let (id, people) = (&tenant.id, real.directory(&tenant.id).await?);
    let state =
        SyncState { good_at: Some(begin), swept_at: Some(begin), passed_at: Some(begin), ..SyncState::default() };
    stage.save_directory(id, (*people).clone(), Vec::new(), state, begin).await?;
    let mut histories = real.histories(id).await?;
    let (mut known, mut story) = (Vec::new(), Story::new());
    for watched in real.all_tickets(id).await? {
        let changes = histories.remove(&watched.ticket.id).unwrap_or_default();
        if let Some(then) = as_of(&watched, &changes, &people, begin).filter(|then| then.is_open(&tenant.statuses)) {
            let changes = changes.iter().filter(|change| change.at.latest <= begin).cloned().collect();
            hands.note(id, &then.ticket);
            known.push(Lived { watched: then, changes, handed: Vec::new() });
        }
        let of = |at, event| (at, id.clone(), watched.ticket.id.clone(), event);
        let since = rewind(&watched, &changes, &people).into_iter().filter(|(at, _)| begin < *at && *at <= now);
        story.extend(since.map(|(at, was)| of(at, Event::Was(was))));
        let replied = watched.replied_at.filter(|at| begin < *at && *at <= now);
        story.extend(replied.map(|at| of(at, Event::Replied)));
    }
    stage.save_past(id, known, &tenant.statuses).await?;
    Ok(story)
}

/// Returns what people did to alerts between `begin` and `now`. A snooze counts as an acknowledgement, since the log
/// does not say how long it was.
async fn acts(real: &Store, begin: DateTime<Utc>, now: DateTime<Utc>) -> Result<Story, StoreError> {
    let (mut story, mut after) = (Story::new(), None);
    loop {
        let (who, what, ticket, way, limit) = (None, None, None, Way::EarliestFirst, PAGE);
        let filter = AuditFilter { reach: &Reach::All, from: begin, until: now, who, what, ticket, way, after, limit };
        let rows = real.audited(filter).await?;
        after = rows.last().map(|row| (row.at, row.id));
        story.extend(rows.iter().filter_map(act));
        if rows.len() < PAGE as usize {
            return Ok(story);
        }
    }
}

/// Reads from `row` of the audit log what was done to an alert of a ticket.
fn act(row: &AuditRow) -> Option<(DateTime<Utc>, TenantId, TicketId, Event)> {
    let key = row.alert.as_deref()?;
    let (did, _) = row.what.split_once(" alert ")?;
    let act = match did {
        "acknowledged" | "snoozed" => Act::Acknowledge,
        _ => [Act::Resolve, Act::Escalate].into_iter().find(|act| act.words() == did)?,
    };
    let (tenant, rest) = key.split_once(':')?;
    let ticket = rest.rsplit_once(':')?.0.rsplit_once(':')?.0;
    let event = Event::Acted(id_of(key), act);
    Some((row.at, TenantId::parse(tenant).ok()?, TicketId::parse(ticket).ok()?, event))
}

/// Copies personal rules, stand-ins and suppressions into `stage`.
async fn bring_along(real: &Store, stage: &Store, begin: DateTime<Utc>) -> Result<(), StoreError> {
    let author = Author { who: "check".to_owned(), origin: "command line".to_owned() };
    for row in real.personal_rules().await? {
        let change = PersonalChange {
            person: row.person,
            rules: Some(row.rules),
            tenant: None,
            what: "brought along".to_owned(),
        };
        stage.set_personal_rules(change, author.clone(), begin).await?;
    }
    for one in real.overrides_from(begin).await? {
        let (rotation, person, from, until) = (one.rotation, one.person, one.from, one.until);
        let new = NewOverride { rotation, tenant: None, person, from, until, before: Vec::new() };
        stage.add_override(new, author.clone(), begin).await?;
    }
    for one in real.suppressions_since(begin).await? {
        let until = one.ended_at.unwrap_or(one.until).min(one.until);
        let (kind, tenant, matchers, from) = (one.kind, one.tenant, one.matchers, one.from);
        let new = NewSuppression { kind, tenant, matchers, from, until, author: one.author, reason: one.reason };
        stage.add_suppression(new, author.clone(), begin).await?;
    }
    Ok(())
}

/// Plays `story` from `begin` to `end`.
async fn played(
    config: &Arc<Config>,
    stage: &Store,
    telemetry: Arc<Telemetry>,
    (story, answers, mut hands): (Story, Answers, Hands),
    (begin, end): (DateTime<Utc>, DateTime<Utc>),
) -> anyhow::Result<()> {
    let rules_cache = Arc::new(RulesCache::new(config.clone(), stage.clone(), telemetry.clone())?);
    rules_cache.adopt(begin).await?;
    let clock = ManualClock::at(begin);
    let (news, outbox) = (Arc::default(), Arc::default());
    let shared: SharedClock = Arc::new(clock.clone());
    let channels = config.notify.kinds().into_iter().map(|kind| Arc::new(Takes(kind)) as Arc<dyn Notifier>).collect();
    let rules = Arc::new(config.alerts.noise.clone());
    let mut dispatch = Dispatch::new(
        stage.clone(),
        channels,
        shared.clone(),
        telemetry.clone(),
        rules,
        Arc::clone(&outbox),
        Arc::clone(&news),
    )
    .with_limits(&config.notify.per_minute);
    let mut evaluate = Evaluate::new(config.clone(), rules_cache, stage.clone(), shared, telemetry, news, outbox);
    let mut story = story.into_iter().peekable();
    let mut now = begin;
    loop {
        let mut batches: BTreeMap<TenantId, Vec<Batch>> = BTreeMap::new();
        let mut taken_on = Vec::new();
        while let Some((at, tenant, id, event)) = story.next_if(|(at, ..)| *at <= now) {
            if answers == Answers::AsThen && hands.take_on(&tenant, &event) {
                taken_on.push((tenant.clone(), id.clone()));
            }
            happen(config, stage, &mut batches, (at, tenant, id, event)).await?;
        }
        save(config, stage, batches).await?;
        let mut next = turn(&mut evaluate, &mut dispatch, now).await?;
        if acknowledge(stage, taken_on, now).await? {
            next = turn(&mut evaluate, &mut dispatch, now).await?;
        }
        if now >= end {
            return Ok(());
        }
        let news = story.peek().map(|(at, ..)| *at);
        let every = if stage.outbox_pending().await? > 0 { HELD } else { QUIET };
        now = next.into_iter().chain(news).chain([now + every, end]).filter(|next| *next > now).min().unwrap_or(end);
        clock.set(now);
    }
}

/// Who has each ticket, and whether it was answered, as far as the story has been played.
#[derive(Default)]
struct Hands(HashMap<(TenantId, TicketId), (Option<RefId>, bool)>);

impl Hands {
    /// Whether `event` means that somebody takes the ticket on: by a reply, or by becoming its technician.
    fn take_on(&mut self, tenant: &TenantId, event: &Event) -> bool {
        match event {
            Event::Was(Was::Shown(ticket)) => self.note(tenant, ticket),
            Event::Was(Was::Gone) | Event::Acted(..) => false,
            Event::Replied => true,
        }
    }

    /// Notes how `ticket` is now. Returns whether it was answered or changed hands since it was last noted.
    fn note(&mut self, tenant: &TenantId, ticket: &Ticket) -> bool {
        let owner = ticket.technician.as_ref().map(|owner| owner.id.clone());
        let now = (owner, ticket.first_response.met_at.is_some());
        let before = self.0.insert((tenant.clone(), ticket.id.clone()), now.clone());
        before.is_some_and(|before| (now.1 && !before.1) || (now.0.is_some() && now.0 != before.0))
    }
}

/// Acknowledges the open alerts of these tickets that nobody holds. Returns true if there were any.
async fn acknowledge(
    stage: &Store,
    tickets: Vec<(TenantId, TicketId)>,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let mut changed = false;
    for (tenant, ticket) in tickets {
        let rows = stage.alerts_of(&tenant, &ticket).await?;
        for row in rows.iter().filter(|row| row.state() == State::Open) {
            let acted = stage.act(&row.key.id(), Act::Acknowledge, &whoever(), now).await?;
            changed |= acted.is_some_and(|acted| acted.changed);
        }
    }
    Ok(changed)
}

/// Who acts in the play: the messages of the systems name nobody else.
fn whoever() -> Actor {
    Actor { name: "somebody".to_owned(), how: How::Page, origin: "check".to_owned(), note: None }
}

/// Adds what SuperOps showed to `batches`, and does at once what its lists do not show.
async fn happen(
    config: &Config,
    stage: &Store,
    batches: &mut BTreeMap<TenantId, Vec<Batch>>,
    (at, tenant, id, event): (DateTime<Utc>, TenantId, TicketId, Event),
) -> Result<(), StoreError> {
    let read = Bounds { earliest: at, latest: at };
    match event {
        Event::Was(Was::Shown(ticket)) => {
            let batch = Batch { tickets: vec![*ticket], unread: Vec::new(), read, state: None, policies: [].into() };
            batches.entry(tenant).or_default().push(batch);
        }
        Event::Was(Was::Gone) => {
            // What came before it is saved first.
            save(config, stage, std::mem::take(batches)).await?;
            stage.mark_vanished(&tenant, &id, read).await?;
        }
        Event::Replied => {
            save(config, stage, std::mem::take(batches)).await?;
            stage.save_reply(&tenant, &id, at).await?;
        }
        Event::Acted(alert, act) => {
            save(config, stage, std::mem::take(batches)).await?;
            stage.act(&alert, act, &whoever(), at).await?;
        }
    }
    Ok(())
}

async fn save(config: &Config, stage: &Store, batches: BTreeMap<TenantId, Vec<Batch>>) -> Result<(), StoreError> {
    for (id, batches) in batches {
        if let Some(tenant) = config.tenants.get(&id) {
            stage.save_tickets(&id, batches, &tenant.statuses).await?;
        }
    }
    Ok(())
}

/// Turns both loops at one moment. Returns when a standing changes next.
async fn turn(
    evaluate: &mut Evaluate,
    dispatch: &mut Dispatch,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<DateTime<Utc>>> {
    let mut next = None;
    for _ in 0..MOST_ROUNDS {
        let turn = evaluate.turn(now).await.context("the history cannot be played")?;
        dispatch.turn(now).await?;
        next = turn.next;
        if turn.notifications == 0 && next.is_none_or(|next| next > now) {
            break;
        }
    }
    Ok(next)
}

/// A channel that accepts whatever is sent.
struct Takes(ChannelKind);

#[async_trait]
impl Notifier for Takes {
    fn channel(&self) -> ChannelKind {
        self.0
    }

    async fn send(&self, _message: &Message) -> Result<Receipt, SendError> {
        Ok(Receipt { id: None })
    }
}
