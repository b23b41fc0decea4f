//! The stream of changes, sent as they happen, for as long as the listener may know of them.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use futures_util::stream::unfold;
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::auth::Caller;
use super::{Problem, Web};
use crate::service::Reach;
use crate::service::live::{Listening, Numbered};
use crate::store::audit::LastChange;

/// How often the stream says that nothing has changed, so that a page or a proxy knows it is alive, and how often it
/// checks whether the listener may still know.
const BEAT: Duration = Duration::from_secs(5);
/// The most streams at once. More would take the connections that others need.
const MOST_STREAMS: usize = 1_000;

/// GET /api/v1/events
pub async fn stream(State(web): State<Arc<Web>>, caller: Caller, headers: HeaderMap) -> Result<Response, Problem> {
    if web.service.live().listeners() >= MOST_STREAMS {
        return Err(Problem::unavailable(vec!["too many listen already; ask for what you need instead".to_owned()]));
    }
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let listening = web.service.live().listen(&caller.scope, last);
    let listener = Listener::new(web, caller, headers, listening);
    let mut answer = Sse::new(told(listener)).into_response();
    // nginx would otherwise hold the events back until it has a page full of them.
    answer.headers_mut().insert("x-accel-buffering", axum::http::HeaderValue::from_static("no"));
    Ok(answer)
}

struct Listener {
    web: Arc<Web>,
    caller: Caller,
    headers: HeaderMap,
    ready: std::vec::IntoIter<Event>,
    news: tokio::sync::broadcast::Receiver<Numbered>,
    closed: watch::Receiver<bool>,
    beat: Interval,
    /// The last change by a person at the time of the latest check that the listener may know.
    proven: Option<Option<LastChange>>,
}

impl Listener {
    fn new(web: Arc<Web>, caller: Caller, headers: HeaderMap, listening: Listening) -> Self {
        let Listening { versions, missed, number, news, closed } = listening;
        let id = web.service.live().id(number);
        let first = match missed {
            Some(missed) => missed.iter().filter_map(|one| event(&web, one)).collect(),
            None => {
                let versions: serde_json::Map<_, _> =
                    versions.into_iter().map(|(tenant, of)| (tenant.to_string(), json!(of))).collect();
                vec![Event::default().event("hello").id(id).data(json!({ "tenants": versions }).to_string())]
            }
        };
        let mut beat = interval_at(Instant::now() + BEAT, BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { web, caller, headers, ready: first.into_iter(), news, closed, beat, proven: None }
    }

    /// Whether the token or session that opened the stream still allows as much. Nobody can have revoked that while no
    /// person has changed anything; its own expiry is checked with each beat.
    async fn may_listen(&mut self, is_beat: bool) -> bool {
        let last_change = self.web.store.last_change_noticed(self.web.service.now()).await.ok();
        if !is_beat && last_change.is_some() && last_change == self.proven {
            return true;
        }
        let may = self.is_still_good().await;
        self.proven = last_change.filter(|_| may);
        may
    }

    async fn is_still_good(&self) -> bool {
        match Caller::again(&self.headers, &self.web).await {
            Ok(now) => match (now.tenant(), &self.caller.scope) {
                (None, _) => true,
                (Some(own), Reach::One(asked)) => own == asked,
                (Some(_), Reach::All) => false,
            },
            Err(_) => false,
        }
    }

    async fn next(&mut self) -> Option<Event> {
        if let Some(event) = self.ready.next() {
            return Some(event);
        }
        let (event, is_beat) = loop {
            let heard = tokio::select! {
                () = async { drop(self.closed.wait_for(|closed| *closed).await) } => return None,
                _ = self.beat.tick() => break (Event::default().event("beat").data("{}"), true),
                heard = self.news.recv() => heard,
            };
            match heard {
                Ok(one) if self.is_theirs(&one) => break (event(&self.web, &one)?, false),
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => break (Event::default().event("hello").data("{}"), false),
                Err(RecvError::Closed) => return None,
            }
        };
        self.may_listen(is_beat).await.then_some(event)
    }

    fn is_theirs(&self, one: &Numbered) -> bool {
        self.caller.scope.tenant().is_none_or(|own| *own == one.tenant)
    }
}

fn event(web: &Web, one: &Numbered) -> Option<Event> {
    let event = Event::default().event("change").id(web.service.live().id(one.number));
    event.json_data(&*one.change).ok()
}

fn told(listener: Listener) -> impl Stream<Item = Result<Event, Infallible>> {
    unfold(listener, async |mut listener| listener.next().await.map(|event| (Ok(event), listener)))
}
