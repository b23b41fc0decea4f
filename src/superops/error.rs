//! Why a call to SuperOps failed, sorted by what to do next.

use std::collections::BTreeSet;

use crate::config::TokenSource;

/// Why a call failed.
///
/// The client has already retried what can be retried. The caller must act on the rest, or come back to it at its next
/// turn.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// A person has to supply a good token; the client has already read it again from its source.
    #[error("superops refused the token (401), also after reading it again from {from}")]
    Unauthorized { from: String },
    /// A person has to put the token where the configuration says it is.
    #[error("no token: {why}")]
    TokenMissing { why: String },
    /// A person has to correct `subdomain`.
    #[error("superops refused the subdomain `{subdomain}` (400)")]
    WrongSubdomain { subdomain: String },
    /// The token's user may not do this: go on without it.
    #[error("the token's user may not call `{operation}`")]
    Forbidden { operation: &'static str },
    /// The budget is used up, even after waiting out the minute: come back later.
    #[error("superops is over its rate limit, also after waiting")]
    Throttled,
    /// Nothing works until the subscription does.
    #[error("the superops subscription is {state}")]
    Subscription { state: &'static str },
    /// This tenant cannot answer a query of this form: ask in a plainer one.
    #[error("superops refused the query `{operation}`: {why}")]
    RefusedQuery { operation: &'static str, why: String },
    /// The query does not fit this tenant's schema; the engine's messages name the fields.
    #[error("superops does not understand the query `{operation}`: {}", .says.first().map_or("", String::as_str))]
    Misfit { operation: &'static str, says: Vec<String> },
    /// A null in a non-null field took the whole answer with it: ask without these fields, or for fewer records.
    #[error("one record broke the whole answer to `{operation}`")]
    Broken { operation: &'static str, fields: BTreeSet<String> },
    /// Earlier pages can be read; this one and all after it cannot.
    #[error("superops gives no page {page} of `{operation}`, nor any after it")]
    TooDeep { operation: &'static str, page: u32 },
    /// What was asked for is gone.
    #[error("superops knows no such record (`{operation}`)")]
    NotFound { operation: &'static str },
    /// SuperOps had an internal error on a valid call: come back later.
    #[error("superops had an internal error in `{operation}`")]
    Internal { operation: &'static str },
    /// A change was sent and its outcome is unknown: check before sending it again.
    #[error("nobody knows whether superops carried out `{operation}`")]
    Unconfirmed { operation: &'static str },
    /// The network or the service has a fault: come back later.
    #[error("superops cannot be reached, or gave an invalid answer: {why}")]
    Transient { why: String },
    /// The answer is larger than any page should be: ask for less.
    #[error("the answer to `{operation}` is over {limit_mb} MB")]
    TooLarge { operation: &'static str, limit_mb: usize },
    /// The redirect was not followed, because the token would go along. A person has to correct the endpoint.
    #[error("superops redirects to {to}, which is not followed: the token would go along")]
    Redirected { to: String },
    /// The server's certificate is not trusted; the token was not sent.
    #[error("the server's certificate is not trusted: {why}")]
    Untrusted { why: String },
    /// The address does not lead to the API. A person has to correct the endpoint.
    #[error("the endpoint does not answer like superops: HTTP {status}")]
    WrongEndpoint { status: u16 },
    /// No client can be built from the tenant's settings.
    #[error("no client for this tenant: {why}")]
    Setup { why: String },
}

impl ApiError {
    /// Whether the same call may well succeed a moment later.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Transient { .. } | Self::Internal { .. })
    }

    /// Whether the cause may be what was asked for: the sort, the filter, the page, or a record on it.
    pub(super) fn may_lie_in_the_question(&self) -> bool {
        matches!(
            self,
            Self::Internal { .. }
                | Self::RefusedQuery { .. }
                | Self::Misfit { .. }
                | Self::Broken { .. }
                | Self::TooLarge { .. }
        )
    }

    /// Whether no call can succeed until a person does something.
    pub fn needs_a_person(&self) -> bool {
        match self {
            Self::Unauthorized { .. }
            | Self::TokenMissing { .. }
            | Self::WrongSubdomain { .. }
            | Self::Subscription { .. }
            | Self::Redirected { .. }
            | Self::Untrusted { .. }
            | Self::WrongEndpoint { .. }
            | Self::Setup { .. } => true,
            Self::Forbidden { .. }
            | Self::Throttled
            | Self::RefusedQuery { .. }
            | Self::Misfit { .. }
            | Self::Broken { .. }
            | Self::TooDeep { .. }
            | Self::NotFound { .. }
            | Self::Internal { .. }
            | Self::Unconfirmed { .. }
            | Self::Transient { .. }
            | Self::TooLarge { .. } => false,
        }
    }

    /// The label for it in the metrics.
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Unauthorized { .. } => "unauthorized",
            Self::TokenMissing { .. } => "token_missing",
            Self::WrongSubdomain { .. } => "wrong_subdomain",
            Self::Forbidden { .. } => "forbidden",
            Self::Throttled => "throttled",
            Self::Subscription { .. } => "subscription",
            Self::RefusedQuery { .. } | Self::Misfit { .. } => "refused",
            Self::Broken { .. } => "broken",
            Self::TooDeep { .. } => "too_deep",
            Self::NotFound { .. } => "not_found",
            Self::Internal { .. } => "internal",
            Self::Unconfirmed { .. } => "unconfirmed",
            Self::Transient { .. } => "transient",
            Self::TooLarge { .. } => "too_large",
            Self::Redirected { .. } => "redirected",
            Self::Untrusted { .. } => "untrusted",
            Self::WrongEndpoint { .. } => "wrong_endpoint",
            Self::Setup { .. } => "setup",
        }
    }

    pub(super) fn transient(why: impl Into<String>) -> Self {
        Self::Transient { why: why.into() }
    }
}

/// Names where a token comes from, for an error message.
pub(super) fn source_words(source: &TokenSource) -> String {
    match source {
        TokenSource::Env(name) => format!("environment variable `{name}`"),
        TokenSource::File(path) => format!("file `{}`", path.display()),
    }
}
