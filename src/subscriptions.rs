//! Tells the subscribers of a status page what happens: updates of incidents, and announced work.
//!
//! Subscribers are told what the page shows. Of several untold updates of one incident, only the last is sent, and only
//! a few an hour go out, however often something changes. Mails use the same outbox as all others, after every alert
//! and spread over time; their keys combine the update and the subscriber, so nobody is told twice.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{Notify, watch};
use tracing::{info, warn};

use crate::clock::SharedClock;
use crate::config::uptime::{Component, StatusPage};
use crate::config::{ChannelKind, Config};
use crate::notify::{Body, Message, News, UpdateFacts};
use crate::sla::zone::Tz;
use crate::store::outbox::{NewNotification, Reader, notification_key};
use crate::store::private_pages::PrivatePage;
use crate::store::subscribers::Subscriber;
use crate::store::{Store, StoreError, millis};
use crate::ticket::TenantId;
use crate::uptime::incident::{Announcements, Incident, Work};
use crate::uptime::{DAY, Millis};

/// How often to look for news.
const EVERY: TimeDelta = TimeDelta::minutes(1);
/// How recent an update must be to count as news.
const NEWS: Millis = DAY;
/// The most updates mailed in an hour; later ones wait, and only the last of them is told.
const AN_HOUR: usize = 12;
/// The most mails that leave in a second.
const A_SECOND: usize = 2;
/// How many subscribers are read at once.
const PAGE: i64 = 1000;

/// Tells subscribers.
pub struct Subscriptions {
    config: Arc<Config>,
    store: Store,
    clock: SharedClock,
    /// Wakes dispatch.
    outbox: Arc<Notify>,
}

/// Something to tell subscribers.
struct Item {
    id: String,
    /// Ids of the earlier, untold updates that this one replaces.
    before: Vec<String>,
    /// Ids of the updates of the same incident that were told already.
    told: Vec<String>,
    tenant: TenantId,
    components: Vec<String>,
    news: News,
}

impl Subscriptions {
    /// Returns none if nobody can subscribe.
    pub fn new(config: Arc<Config>, store: Store, clock: SharedClock, outbox: Arc<Notify>) -> Option<Self> {
        config.uptime.status_page.as_ref().filter(|page| page.subscriptions)?;
        Some(Self { config, store, clock, outbox })
    }

    /// Runs turns until `stop` is set.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let for_ever = async {
            loop {
                let now = self.clock.now();
                if let Err(error) = self.turn(now).await {
                    warn!("subscribers are not told of the latest yet: {error}");
                }
                self.clock.sleep_until(now + EVERY).await;
            }
        };
        tokio::select! {
            () = for_ever => {}
            // What was not told is told by the next run.
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    /// Sends what is to be told at `now`.
    pub async fn turn(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.store.forget_subscribers(now).await?;
        let Some(page) = &self.config.uptime.status_page else { return Ok(()) };
        let announcements = self.store.announcements(millis(now)).await?;
        let (told, mut lately) = self.store.told_updates(now - TimeDelta::hours(1)).await?;
        let pages = self.store.private_pages().await?;
        for item in items(&announcements, &told, millis(now)) {
            if lately >= AN_HOUR {
                break;
            }
            let mails = self.mails(page, &pages, &item, now).await?;
            let number = mails.len();
            self.store.send_updates(mails).await?;
            let of_itself = [(item.id.clone(), number > 0)];
            let updates = item.before.iter().map(|id| (id.clone(), false)).chain(of_itself).collect();
            self.store.note_told(updates, now).await?;
            lately += usize::from(number > 0);
            if number > 0 {
                info!("{number} subscribers are told of the update {}", item.id);
                self.outbox.notify_one();
            }
        }
        Ok(())
    }

    /// Creates a mail for each subscriber of each page that shows what the item is about.
    async fn mails(
        &self,
        page: &StatusPage,
        pages: &[PrivatePage],
        item: &Item,
        now: DateTime<Utc>,
    ) -> Result<Vec<NewNotification>, StoreError> {
        let mut mails = Vec::new();
        if !item.told.is_empty() && item.components.iter().all(|id| self.config.uptime.component(id).is_none()) {
            self.of_unwatched(page, pages, item, now, &mut mails).await?;
            return Ok(mails);
        }
        let public = (String::new(), self.shown(item, |one| one.public));
        let private = pages.iter().filter(|one| one.revoked_at.is_none()).map(|one| {
            let is_theirs = |component: &Component| {
                component.tenant == one.tenant && component.client.as_deref() == Some(one.client.as_str())
            };
            (one.id.clone(), self.shown(item, is_theirs))
        });
        for (id, names) in std::iter::once(public).chain(private).filter(|(_, names)| !names.is_empty()) {
            let facts = self.facts(page, &id, item.news.about(names));
            self.of_page(&id, &facts, item, now, |one| self.wants(one, item), &mut mails).await?;
        }
        Ok(mails)
    }

    /// Adds mails for an item that no page shows any more: they go to those who were told of it before.
    async fn of_unwatched(
        &self,
        page: &StatusPage,
        pages: &[PrivatePage],
        item: &Item,
        now: DateTime<Utc>,
        mails: &mut Vec<NewNotification>,
    ) -> Result<(), StoreError> {
        let told = self.store.told_of(&item.told).await?;
        let private = pages.iter().filter(|one| one.revoked_at.is_none()).map(|one| one.id.clone());
        for id in std::iter::once(String::new()).chain(private).filter(|_| !told.is_empty()) {
            let facts = self.facts(page, &id, item.news.about(item.components.clone()));
            self.of_page(&id, &facts, item, now, |one| told.contains(&one.id), mails).await?;
        }
        Ok(())
    }

    fn facts(&self, page: &StatusPage, id: &str, news: News) -> UpdateFacts {
        // Only a hash of a private page's address is kept; its readers know the address.
        let url = self.config.server.public_url.as_ref().filter(|_| id.is_empty());
        UpdateFacts {
            page: page.title.clone(),
            page_url: url.map(|url| format!("{url}/status")),
            subscriber: String::new(),
            news,
        }
    }

    async fn of_page(
        &self,
        id: &str,
        facts: &UpdateFacts,
        item: &Item,
        now: DateTime<Utc>,
        wants: impl Fn(&Subscriber) -> bool,
        mails: &mut Vec<NewNotification>,
    ) -> Result<(), StoreError> {
        let mut after = String::new();
        loop {
            let some = self.store.subscribers(id, &after, PAGE).await?;
            let Some(last) = some.last() else { return Ok(()) };
            after.clone_from(&last.id);
            for one in some.iter().filter(|one| wants(one)) {
                let seconds = i64::try_from(mails.len() / A_SECOND).unwrap_or(i64::MAX);
                let due = now + TimeDelta::seconds(seconds);
                mails.push(mail(&item.tenant, one, facts.clone(), &item.id, now, due));
            }
        }
    }

    /// Whether `item` is about what `one` has chosen, a group of that, or a member of it.
    fn wants(&self, one: &Subscriber, item: &Item) -> bool {
        let is_in = |member: &String, group: &String| {
            let group = self.config.uptime.component(group);
            group.is_some_and(|group| group.of.contains(member))
        };
        let touches = |chosen: &String| {
            item.components.iter().any(|about| about == chosen || is_in(about, chosen) || is_in(chosen, about))
        };
        one.components.is_empty() || one.components.iter().any(touches)
    }

    /// Returns the names of those components of `item` that a page `shows`.
    fn shown(&self, item: &Item, shows: impl Fn(&Component) -> bool) -> Vec<String> {
        let of = item.components.iter().filter_map(|id| self.config.uptime.component(id));
        of.filter(|one| shows(one)).map(|one| one.name.clone()).collect()
    }
}

/// The confirmation mail for somebody who wants to be told.
pub struct Question {
    tenant: TenantId,
    facts: UpdateFacts,
}

impl Question {
    /// Creates one for the public page or a private one. Returns none if there is nothing to be told of.
    pub fn of(config: &Config, page: &StatusPage, is_public: bool) -> Option<Self> {
        let url = config.server.public_url.as_ref().filter(|_| is_public);
        let facts = UpdateFacts {
            page: page.title.clone(),
            page_url: url.map(|url| format!("{url}/status")),
            subscriber: String::new(),
            news: News::Confirm,
        };
        Some(Self { tenant: config.uptime.components.first()?.tenant.clone(), facts })
    }

    /// Creates the mail that asks `whom` at `now`.
    pub fn mail(self, whom: &Subscriber, now: DateTime<Utc>) -> NewNotification {
        mail(&self.tenant, whom, self.facts, &format!("confirm:{}", now.timestamp_millis()), now, now)
    }
}

fn mail(
    tenant: &TenantId,
    to: &Subscriber,
    facts: UpdateFacts,
    update: &str,
    now: DateTime<Utc>,
    due_at: DateTime<Utc>,
) -> NewNotification {
    let message = Message {
        key: notification_key(&["update", update, &to.id]),
        thread: format!("update:{update}:{}", to.id),
        continues_thread: false,
        to: to.email.clone(),
        to_name: None,
        timezone: Tz::UTC,
        body: Body::Update(UpdateFacts { subscriber: to.id.clone(), ..facts }),
    };
    NewNotification {
        tenant: tenant.clone(),
        alert_key: format!("update:{update}"),
        ticket_id: None,
        kind: "update",
        stage: "update".to_owned(),
        step: 0,
        channel: ChannelKind::Email,
        recipient: to.id.clone(),
        fallback: Vec::new(),
        message,
        due_at,
        created_at: now,
        reader: Reader::default(),
    }
}

/// Returns what the page shows that is not in `told`, the earliest first.
fn items(announcements: &Announcements, told: &BTreeSet<String>, now: Millis) -> Vec<Item> {
    let incidents =
        announcements.incidents.iter().filter(|one| one.public).filter_map(|one| of_incident(one, told, now));
    let is_to_come = |one: &&Work| one.public && one.until > now && one.changed_at > now - NEWS;
    let works = announcements.works.iter().filter(is_to_come).filter_map(|one| of_work(one, told));
    let mut items: Vec<(Millis, Item)> = incidents.chain(works).collect();
    items.sort_by_key(|(at, _)| *at);
    items.into_iter().map(|(_, item)| item).collect()
}

fn of_incident(one: &Incident, told: &BTreeSet<String>, now: Millis) -> Option<(Millis, Item)> {
    let id = |number: i64| format!("{}-{number}", one.id);
    let news = one.updates.iter().filter(|update| !update.text.is_empty() && update.at > now - NEWS);
    let mut news: Vec<_> = news.filter(|update| !told.contains(&id(update.number))).collect();
    let last = news.pop()?;
    let item = Item {
        id: id(last.number),
        before: news.iter().map(|update| id(update.number)).collect(),
        told: one.updates.iter().map(|update| id(update.number)).filter(|id| told.contains(id)).collect(),
        tenant: TenantId::parse(&one.tenant).ok()?,
        components: one.components.clone(),
        news: News::Incident {
            title: one.title.clone(),
            status: last.progress.as_str().to_owned(),
            text: last.text.clone(),
            components: Vec::new(),
            at: DateTime::from_timestamp_millis(last.at)?,
        },
    };
    Some((last.at, item))
}

fn of_work(one: &Work, told: &BTreeSet<String>) -> Option<(Millis, Item)> {
    let id = format!("{}-r{}", one.id, one.revision);
    if told.contains(&id) {
        return None;
    }
    let item = Item {
        id,
        before: Vec::new(),
        told: Vec::new(),
        tenant: TenantId::parse(&one.tenant).ok()?,
        components: one.components.clone(),
        news: News::Work {
            title: one.title.clone(),
            text: one.text.clone(),
            components: Vec::new(),
            from: DateTime::from_timestamp_millis(one.from)?,
            until: DateTime::from_timestamp_millis(one.until)?,
            cancelled: one.cancelled,
        },
    };
    Some((one.changed_at, item))
}
