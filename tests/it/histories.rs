//! Random histories of an alert, through the whole product, against a model of a few lines.
//!
//! The model knows three things: until when somebody holds the alert, until when
//! nobody is to be told, and that a rise to a breach ends the hold.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use superops_sla::alert::life::{Act, Actor, How, State};
use superops_sla::alert::overlay::OverlayKind;
use superops_sla::service::Scope;
use superops_sla::service::alerts::{AlertQuery, AlertView};
use superops_sla::service::overlays::OverlayOrder;
use superops_sla::store::audit::Author;
use superops_sla::store::outbox::Logged;

use crate::support::{TestApp, minutes};

const LENGTH: TimeDelta = TimeDelta::hours(4);

/// What can happen next.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Pass { minutes: i64 },
    Jump { hours: i64 },
    Acknowledge,
    Snooze { minutes: i64 },
    ResolveByHand,
    Escalate,
    Silence { minutes: i64 },
    Restart,
    Move,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        8 => (1_i64..25).prop_map(|minutes| Happening::Pass { minutes }),
        1 => (1_i64..5).prop_map(|hours| Happening::Jump { hours }),
        3 => Just(Happening::Acknowledge),
        2 => (5_i64..90).prop_map(|minutes| Happening::Snooze { minutes }),
        1 => Just(Happening::ResolveByHand),
        1 => Just(Happening::Escalate),
        1 => (10_i64..120).prop_map(|minutes| Happening::Silence { minutes }),
        1 => Just(Happening::Restart),
        1 => Just(Happening::Move),
    ]
}

/// The product with one ticket, and what the model knows.
struct Story {
    app: TestApp,
    ticket: String,
    /// What somebody has asked for at this stage: nobody is told before then. None: until it gets worse.
    held: Option<Option<DateTime<Utc>>>,
    held_stage: Option<String>,
    silent_until: Option<DateTime<Utc>>,
}

impl Story {
    async fn begin() -> Self {
        let mut app = TestApp::start().await;
        let ticket = app.ticket(LENGTH);
        app.turn().await;
        Self { app, ticket, held: None, held_stage: None, silent_until: None }
    }

    async fn alert(&mut self) -> Option<AlertView> {
        let query = AlertQuery { state: Some("all".to_owned()), ..AlertQuery::default() };
        self.app.parts().service.alerts(&Scope::All, &query).await.unwrap().alerts.pop()
    }

    async fn happens(&mut self, happening: Happening) {
        match happening {
            Happening::Pass { minutes: length } => {
                for _ in 0..length {
                    self.app.clock.advance(minutes(1));
                    self.turn().await;
                }
            }
            Happening::Jump { hours } => self.app.clock.advance(TimeDelta::hours(hours)),
            Happening::Acknowledge => self.act(Act::Acknowledge).await,
            Happening::Snooze { minutes: length } => {
                let until = self.app.now() + minutes(length);
                self.act(Act::Snooze { until }).await;
            }
            Happening::ResolveByHand => self.act(Act::Resolve).await,
            Happening::Escalate => self.act(Act::Escalate).await,
            Happening::Silence { minutes: length } => self.silence(length).await,
            Happening::Restart => self.app.restart().await,
            Happening::Move => self.app.superops.patch(&self.ticket, |ticket| ticket.subject.push('!')),
        }
        self.turn().await;
    }

    async fn act(&mut self, act: Act) {
        let Some(alert) = self.alert().await else { return };
        let actor = Actor { name: "Mia".to_owned(), how: How::Api, origin: "a test".to_owned(), note: None };
        let after = self.app.parts().service.act_on_alert(&Scope::All, &alert.id, act, &actor).await.unwrap().unwrap();
        self.held = match after.state {
            State::Acknowledged | State::Snoozed => Some(after.hold.and_then(|hold| hold.until)),
            State::Resolved => Some(None),
            State::Open => None,
        };
        self.held_stage = Some(after.stage.as_str().to_owned());
    }

    async fn silence(&mut self, length: i64) {
        let order =
            OverlayOrder { length: Some(format!("{length}m")), reason: "quiet".to_owned(), ..OverlayOrder::default() };
        let author = Author { who: "mia".to_owned(), origin: "a test".to_owned() };
        let service = &self.app.parts().service;
        let made = service.add_overlay(&Scope::All, OverlayKind::Silence, order, author).await.unwrap().unwrap();
        self.silent_until = self.silent_until.max(Some(made.until));
    }

    /// One turn of the loops, held against the model.
    async fn turn(&mut self) {
        self.app.sync().await;
        let known: BTreeSet<String> = self.app.outbox().await.iter().map(key).collect();
        self.app.evaluate().await;
        let rows = self.app.outbox().await.into_iter().filter(|row| !known.contains(&key(row)));
        let new: Vec<_> = rows.map(|row| row.leased.notification).filter(|one| one.kind == "alert").collect();
        let said = new.len();
        let now = self.app.now();
        let mut steps: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for one in &new {
            steps.entry(&one.alert_key).or_default().insert((&one.stage, one.step, one.created_at));
        }
        assert!(steps.values().all(|of_one| of_one.len() <= 1), "more than one step in one turn at {now}: {steps:?}");
        if self.silent_until.is_some_and(|until| now < until) {
            assert_eq!(said, 0, "told in a silence at {now}");
        }
        if said > 0 {
            let stage = new[0].stage.split('/').next().unwrap_or_default().to_owned();
            let rose = self.held_stage.as_deref().is_some_and(|held| held != stage);
            let over = matches!(self.held, Some(Some(until)) if until <= now);
            assert!(self.held.is_none() || rose || over, "told at {now} though held until {:?}", self.held);
            self.held = None;
        }
        self.app.dispatch().await;
    }

    /// Each breach was told, or the record says why not.
    async fn end(mut self) {
        let far = self.silent_until.map_or(minutes(1), |until| (until - self.app.now()).max(minutes(1)));
        self.app.clock.advance(far.max(LENGTH));
        self.turn().await;
        self.turn().await;
        let alert = self.alert().await.expect("its time is over: it has breached");
        assert_eq!(alert.stage.as_str(), "breached");
        let told = alert.notifications.iter().any(|one| {
            one.message.stage.starts_with("breached") && ["sent", "failed"].contains(&one.message.state.as_str())
        });
        let excused = alert.state != State::Open || !alert.overlays.is_empty() || alert.in_digest;
        assert!(told || excused, "nobody heard of it: {alert:?}");
    }
}

fn key(row: &Logged) -> String {
    row.leased.notification.message.key.clone()
}

/// Each takes a second or two; `HISTORIES=200` runs so many.
fn cases() -> u32 {
    std::env::var("HISTORIES").ok().and_then(|number| number.parse().ok()).unwrap_or(8)
}

#[test]
fn whatever_people_do_nobody_is_told_in_vain_and_no_breach_is_lost() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: cases(), max_shrink_iters: 60, ..Config::default() });
    let histories = prop::collection::vec(happening(), 1..16);
    let told = runner.run(&histories, |history| {
        runtime.block_on(async {
            let mut story = Story::begin().await;
            story.happens(Happening::Pass { minutes: 1 }).await;
            story.app.clock.advance(LENGTH * 3 / 4);
            story.turn().await;
            for happening in history {
                story.happens(happening).await;
            }
            story.end().await;
        });
        Ok(())
    });
    told.unwrap();
}
