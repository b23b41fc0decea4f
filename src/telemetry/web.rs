//! Figures of the web face: what was asked, how it was answered, and who is there.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use super::figures::Figures;

/// One kind of request, and its answer.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct AnswerLabels {
    pub method: &'static str,
    /// As in the table of routes, never as somebody asked for it.
    pub route: &'static str,
    pub status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct RouteLabels {
    pub route: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct OutcomeLabels {
    pub outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct RoleLabels {
    pub role: &'static str,
}

/// What the web face does.
#[derive(Debug)]
pub struct WebFigures {
    pub answers: Family<AnswerLabels, Counter>,
    pub seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    pub limited: Counter,
    pub guesses: Counter,
    pub sign_ins: Family<OutcomeLabels, Counter>,
    pub streams: Gauge,
    pub sessions: Gauge,
    pub tokens: Family<RoleLabels, Gauge>,
}

/// Returns buckets that range from an answer out of memory to a large report.
fn answer_buckets() -> Histogram {
    Histogram::new([0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0])
}

impl WebFigures {
    pub fn register(figures: &mut Figures) -> Self {
        let seconds = Family::new_with_constructor(answer_buckets as fn() -> Histogram);
        Self {
            answers: figures.add("web_answers", "Requests, by route and status", Family::default()),
            seconds: figures.seconds("web_answer", "How long an answer took, by route", seconds),
            limited: figures.add("web_limited", "Requests that came too fast", Counter::default()),
            guesses: figures.add("web_unknown_tokens", "Requests with an unknown token", Counter::default()),
            sign_ins: figures.add("web_sign_ins", "Sign-ins of browsers, by outcome", Family::default()),
            streams: figures.add("web_streams", "Open streams of changes", Gauge::default()),
            sessions: figures.add("web_sessions", "Browsers that are signed in", Gauge::default()),
            tokens: figures.add("web_tokens", "Valid tokens, by role", Family::default()),
        }
    }
}
