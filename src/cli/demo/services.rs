//! The services that the demo watches, and ninety days of their past, as if they had been watched all along.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use serde_json::json;
use tokio::sync::watch;

use super::portal;
use crate::clock::SharedClock;
use crate::config::{Config, GivenEnvironment, Network};
use crate::keys::{Secret, id_of};
use crate::outpost::link::Link;
use crate::outpost::{self, Outpost};
use crate::probe::Prober;
use crate::probe::address::AddressRules;
use crate::simulator::services::{DATABASE_WORK, Kind, start, start_several, start_with};
use crate::sla::zone::Tz;
use crate::store::Store;
use crate::store::audit::Author;
use crate::store::millis;
use crate::store::subscribers::Subscriber;
use crate::store::uptime::{Rollup, UptimeChange, WIDTHS};
use crate::subscriptions::Question;
use crate::uptime::book::{Book, Remembered, Rewrite};
use crate::uptime::days::Period;
use crate::uptime::incident::{Impact, Incident, Progress, Saying, Work};
use crate::uptime::observe::CheckState;
use crate::uptime::sketch::Sketch;
use crate::uptime::spans::Timeline;
use crate::uptime::{Condition, DAY, HOUR, MINUTE, Millis};

/// The sites behind the VPN.
const SITES: [&str; 5] = ["leeds", "york", "hull", "derby", "bath"];
/// How long they have been watched.
const PAST: Millis = 90 * DAY;
/// The tokens of others who report on services: the backup, which calls once an hour; the payment provider's own
/// monitor; and the outpost.
pub(super) const TOKENS: [(&str, &str); 3] =
    [("DEMO_HEARTBEAT", "demo-backup"), ("DEMO_PAYMENTS", "demo-payments"), ("DEMO_OUTPOST", "demo-outpost")];
/// The client that has a page of its own, and the page's subscriber.
const CLIENT: &str = "Globex Corporation";
const SUBSCRIBER: &str = "it@globex.example";
/// How often the payment provider's monitor reports, in the demo's time.
const TOLD_EVERY: TimeDelta = TimeDelta::minutes(3);

/// The file with the authority that signed the portal's certificate.
pub(super) const AUTHORITY: &str = "portal.pem";

/// Starts the services; returns their part of the configuration, and the content of [`AUTHORITY`].
pub(super) async fn start_all(clock: &SharedClock) -> anyhow::Result<(String, String)> {
    let one = async |kind| start(kind, Arc::clone(clock)).await;
    let mut text = component("shop", "Web shop", "url = \"http://", one(Kind::Shop).await?, FROM_TWO, CLIENT_OF_SHOP);
    text += &component(
        "orders-api",
        "Orders API",
        "url = \"http://",
        one(Kind::Api).await?,
        "interval = \"3m\"\nslow = \"1s\"\n",
        "depends_on = [\"database\"]\n",
    );
    text += &component("database", "Database", "url = \"tcp://", one(Kind::Database).await?, CALM, "");
    text += &component("mail", "Mail", "url = \"tcp://", one(Kind::Mail).await?, CALM, "");
    text += &component("vpn", "VPN gateway", "url = \"tcp://", one(Kind::Vpn).await?, "", "");
    for (name, address) in SITES.iter().zip(start_several(Kind::Site, SITES.len(), clock).await?) {
        let title = format!("Site {}{}", name[..1].to_uppercase(), &name[1..]);
        text += &component(name, &title, "url = \"tcp://", address, "", "depends_on = [\"vpn\"]\n");
    }
    let (tls, authority) = portal::certificate(clock.now())?;
    let portal = start_with(Kind::Portal, Arc::clone(clock), tls).await?;
    let trusted = format!("{CALM}ca_file = \"{AUTHORITY}\"\n");
    text += &component("portal", "Customer portal", "url = \"tls://", portal, &trusted, "");
    let canaries: Vec<_> = start_several(Kind::Canary, 2, clock).await?.iter().map(|at| format!("\"{at}\"")).collect();
    let sites = SITES.map(|site| format!("\"{site}\"")).join(", ");
    let [heartbeat, payments, outpost] = TOKENS.map(|(name, _)| name);
    let text = format!(
        "{text}[components.sites]\nname = \"Branch offices\"\nat_least = 3\nof = [{sites}]\n\
         [components.backup]\nname = \"Nightly backup\"\npublic = false\n\
         [[checks]]\ncomponent = \"backup\"\nheartbeat = true\ninterval = \"1h\"\ngrace = \"5m\"\ntoken_env = \"{heartbeat}\"\n\
         [components.payments]\nname = \"Payments\"\nclient = \"{CLIENT}\"\npublic = false\n\
         description = \"As the provider's own monitor tells it\"\n\
         [[checks]]\ncomponent = \"payments\"\npushed = true\ninterval = \"5m\"\ntoken_env = \"{payments}\"\n\
         [outposts.frankfurt]\nname = \"Frankfurt\"\ntoken_env = \"{outpost}\"\n\
         [[objectives]]\ncomponent = \"orders-api\"\nmeasure = \"p95\"\nwarn = \"500ms\"\nbreach = \"1s\"\n\
         [[promises]]\ncomponent = \"shop\"\ntarget = \"99.9\"\nfee = \"1200.00 GBP\"\n\
         [[promises]]\ncomponent = \"sites\"\ntarget = \"99.5\"\nperiod = \"quarter\"\n\
         [[promises]]\ncomponent = \"database\"\ntarget = \"99.95\"\nfee = \"640.00 GBP\"\n\
         [uptime]\ncanaries = [{}]\n\
         [status_page]\ntitle = \"Northwind status\"\ncontact = \"Questions: desk@msp.example\"\nincidents = \"auto\"\n\
         subscriptions = true\n",
        canaries.join(", "),
    );
    Ok((text, authority))
}

/// A minute of the demo passes in a second: on a busy machine, one look a second would often be late.
const CALM: &str = "interval = \"2m\"\n";
/// The outpost looks as well; either of the two may have a bad line.
const FROM_TWO: &str = "interval = \"2m\"\nplaces = [\"here\", \"frankfurt\"]\n";
const CLIENT_OF_SHOP: &str =
    "description = \"Orders and payment\"\nclient = \"Globex Corporation\"\npriority = \"High\"\n";

fn component(id: &str, name: &str, scheme: &str, address: SocketAddr, check: &str, more: &str) -> String {
    format!(
        "[components.{id}]\nname = \"{name}\"\n{more}[[checks]]\ncomponent = \"{id}\"\n{scheme}{address}\"\ntimeout = \"2s\"\n{check}"
    )
}

/// Gives a client a page of its own with one subscriber; returns the secret that its link ends in.
pub(super) async fn give_page(config: &Config, store: &Store, now: DateTime<Utc>) -> anyhow::Result<Option<String>> {
    let (Some(page), Some(shop)) = (&config.uptime.status_page, config.uptime.component("shop")) else {
        return Ok(None);
    };
    let author = Author { who: "Dana Whitfield".to_owned(), origin: "demo".to_owned() };
    let secret = Secret::generate()?;
    let made = store.add_private_page(&secret, shop.tenant.clone(), CLIENT.to_owned(), author, now).await?;
    let wish =
        Subscriber { id: Secret::generate_id()?, page: made.id, email: SUBSCRIBER.to_owned(), components: Vec::new() };
    if let Some(question) = Question::of(config, page, false) {
        let asked = wish.clone();
        let mail = move |id: String| question.mail(&Subscriber { id, ..asked }, now);
        store.subscribe(wish.clone(), mail, now).await?;
        store.confirm_subscriber(&wish.id, now).await?;
    }
    Ok(Some(secret.expose().to_owned()))
}

/// Starts the outpost, which looks until told to `stop`.
pub(super) fn start_outpost(watch: String, clock: SharedClock, stop: watch::Receiver<bool>) -> anyhow::Result<()> {
    let [.., (_, token)] = TOKENS;
    let addresses = AddressRules { allowed: Network::parse("127.0.0.1").into_iter().collect(), own_port: None };
    let wiring = outpost::Wiring {
        link: Link::new(watch, token.to_owned().into())?,
        clock,
        prober: Prober::new()?,
        env: Arc::new(GivenEnvironment::default()),
        addresses,
        canaries: Vec::new(),
    };
    tokio::spawn(Outpost::new(wiring).run(stop));
    Ok(())
}

/// Acts as the payment provider's own monitor: reports on payments, for ever. Now and then they are slow.
pub(super) async fn tell_of_payments(watch: String, clock: SharedClock) {
    let [_, (_, token), _] = TOKENS;
    let client = reqwest::Client::new();
    loop {
        let now = clock.now();
        let (status, latency) = if (30..36).contains(&now.minute()) { ("degraded", 4_200) } else { ("up", 180) };
        let latency = latency + i64::from(number("payments", now.timestamp() / 60) % 40);
        let told = json!({ "status": status, "latency_ms": latency, "text": "payments wait for the bank" });
        // A report that is lost is soon followed by another.
        let _ = client.post(format!("{watch}/api/v1/uptime/results")).bearer_auth(token).json(&told).send().await;
        clock.sleep_until(now + TOLD_EVERY).await;
    }
}

/// Stores how the services stood until `now`, the incidents, and the announced work.
pub(super) async fn remember(config: &Config, store: &Store, now: DateTime<Utc>) -> anyhow::Result<()> {
    let (now, since) = (millis(now), millis(now) - PAST);
    let uptime = &config.uptime;
    let tenants = uptime.components.iter().map(|one| (one.id.clone(), one.tenant.to_string())).collect();
    let state = |id: &str| {
        let last = if id.starts_with("backup/") { now - 55 * MINUTE } else { now - 30_000 };
        CheckState { condition: Condition::Up, last_at: Some(last), ..CheckState::new(since) }
    };
    let states = uptime.checks.iter().map(|check| (check.id.clone(), state(&check.id))).collect();
    store.adopt_promises(uptime.promised(), since).await?;
    let numbers = store.uptime_adopt(tenants, states, since).await?;
    let lines: BTreeMap<_, _> =
        uptime.checks.iter().map(|check| (check.id.clone(), line(&check.id, since, now))).collect();
    let mut rewrites: Vec<_> =
        lines.iter().map(|(id, line)| Rewrite { subject: id.clone(), spans: line.spans().to_vec() }).collect();
    let (components, checks) = uptime.plans();
    let remembered = Remembered {
        spans: lines.iter().map(|(id, line)| (id.clone(), line.spans().to_vec())).collect(),
        since: uptime.components.iter().map(|one| (one.id.clone(), since)).collect(),
        ..Remembered::default()
    };
    rewrites.extend(Book::open(components, checks, &remembered, now).settle(since).rewrites);
    store.uptime_write(UptimeChange { rewrites, ..UptimeChange::default() }).await?;
    // A heartbeat has no latency.
    for (id, line) in lines.iter().filter(|(id, _)| !id.starts_with("backup/")) {
        let rollups = rollups(id, line, now);
        store.uptime_roll_up(numbers.get(id).copied().unwrap_or_default(), rollups, now).await?;
    }
    say(config, store, now).await
}

/// Makes up the past of one check: short outages now and then, a costly one of the shop, and a night without a watch.
fn line(check: &str, since: Millis, now: Millis) -> Timeline {
    // An outage is the same from every place that looks.
    let check = check.split('@').next().unwrap_or_default();
    let mut line = Timeline::default();
    line.set(since, Condition::Up);
    let mut bad = Vec::new();
    for day in 1..PAST / DAY {
        let chance = number(check, day);
        let from = now - day * DAY + i64::from(chance % 40_000) * 1000 - DAY / 2;
        let length = i64::from(chance / 7 % 11 + 2) * MINUTE;
        match chance % 23 {
            0 => bad.push((from, from + length, Condition::Down)),
            1 if check.starts_with("orders-api") => bad.push((from, from + 3 * length, Condition::Degraded)),
            _ => {}
        }
    }
    // The watch itself was off for a while.
    bad.push((now - 37 * DAY, now - 37 * DAY + 5 * HOUR, Condition::Unknown));
    if check.starts_with("shop/") {
        let (from, length) = costly(now);
        bad.push((from, from + length, Condition::Down));
    }
    bad.sort_by_key(|(from, ..)| *from);
    let mut free = since;
    for (from, until, condition) in bad.into_iter().filter(|(_, until, _)| *until < now - HOUR) {
        if from > free {
            line.set(from, condition);
            line.set(until, Condition::Up);
            free = until;
        }
    }
    line
}

/// Returns when, and for how long, the shop was down last month, long enough for its client to be owed a credit.
fn costly(now: Millis) -> (Millis, Millis) {
    let (from, _) = Period::Month.before(Tz::UTC, now);
    (from + 11 * DAY + 10 * HOUR + 4 * MINUTE, 71 * MINUTE)
}

/// Returns an arbitrary number, the same each time for the same check and day.
fn number(check: &str, day: i64) -> u32 {
    let name = id_of(&format!("{check}:{day}"));
    u32::from_str_radix(name.get(..8).unwrap_or_default(), 16).unwrap_or_default()
}

/// Returns how long answers took: by day for all of the past, by hour for a month, and by five minutes for a day.
fn rollups(check: &str, line: &Timeline, now: Millis) -> Vec<(Millis, Rollup)> {
    let mut all = Vec::new();
    for ((width, _), reach) in WIDTHS.into_iter().zip([DAY, 30 * DAY, PAST]) {
        let last = now.div_euclid(width) * width;
        for at in (1..=reach / width).rev().map(|back| last - back * width) {
            all.push((width, rollup(check, line, at, width)));
        }
    }
    all
}

fn rollup(check: &str, line: &Timeline, at: Millis, width: Millis) -> Rollup {
    const SAMPLES: i64 = 12;
    let looks = width / MINUTE;
    let bad = (0..SAMPLES).filter(|part| line.at(at + width * part / SAMPLES) != Condition::Up).count();
    let bad = looks * i64::try_from(bad).unwrap_or_default() / SAMPLES;
    let base = 700 + u64::from(number(check, 0) % 2_600);
    // Busier by day than by night.
    let hour = DateTime::from_timestamp_millis(at).map_or(0, |at| at.hour());
    let busy = if (8..18).contains(&hour) { 3 } else { 2 };
    let mut sketch = Sketch::default();
    for sample in 0..SAMPLES {
        sketch.add(base * busy / 2 + u64::from(number(check, at / MINUTE + sample) % 100) * base / 100);
    }
    Rollup { at, good: looks - bad, bad, sketch }
}

/// Stores an incident that was worked through, and work on the database that was announced in time.
async fn say(config: &Config, store: &Store, now: Millis) -> anyhow::Result<()> {
    let Some(shop) = config.uptime.component("shop") else { return Ok(()) };
    let author = |who: &str| Author { who: who.to_owned(), origin: "demo".to_owned() };
    let (from, length) = costly(now);
    let mut incident = Incident {
        id: id_of("demo:shop"),
        tenant: shop.tenant.to_string(),
        title: "The web shop does not answer".to_owned(),
        impact: Impact::Critical,
        progress: Progress::Investigating,
        components: vec!["shop".to_owned()],
        public: true,
        automatic: false,
        cause: None,
        started_at: from,
        resolved_at: None,
        updates: Vec::new(),
    };
    for (minutes, progress, who, text, cause) in STORY {
        let cause = (!cause.is_empty()).then(|| cause.to_owned());
        let saying = Saying { progress: Some(progress), text: Some(text.to_owned()), cause, ..Saying::default() };
        let at = from + if progress == Progress::Resolved { length } else { minutes * MINUTE };
        let update = incident.say(saying, who, at).map_err(anyhow::Error::msg)?;
        store
            .save_incident(incident.clone(), update, author(who), format!("said of the incident {}", incident.id))
            .await?;
    }
    let hour = now.div_euclid(HOUR) * HOUR;
    let work = Work {
        id: id_of("demo:database"),
        tenant: shop.tenant.to_string(),
        title: "A new version of the database".to_owned(),
        text: "Orders are taken and wait until it is done.".to_owned(),
        components: vec!["database".to_owned(), "orders-api".to_owned()],
        public: true,
        from: hour + i64::from(DATABASE_WORK.start) * MINUTE,
        until: hour + i64::from(DATABASE_WORK.end) * MINUTE + 3 * MINUTE,
        announced_at: now - 4 * DAY,
        changed_at: now - 4 * DAY,
        revision: 0,
        cancelled: false,
        author: "Dana Whitfield".to_owned(),
    };
    store.save_work(work, author("Dana Whitfield"), "announced work on the database".to_owned()).await?;
    Ok(())
}

/// The updates on the costly outage: after how many minutes, by whom, and at the end its cause.
const STORY: [(i64, Progress, &str, &str, &str); 4] = [
    (6, Progress::Investigating, "Amara Okafor", "The shop does not answer. We are looking into it.", ""),
    (24, Progress::Identified, "Amara Okafor", "The disk of its database is full. We are making room.", ""),
    (63, Progress::Monitoring, "Mateo Alvarez", "Orders can be placed again. We are watching it.", ""),
    (
        71,
        Progress::Resolved,
        "Mateo Alvarez",
        "It works. Orders that were begun meanwhile are kept.",
        "the disk of the database was full, and nobody watched it",
    ),
];
