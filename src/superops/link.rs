//! One tenant's connection to SuperOps: makes one attempt and classifies the answer.
//!
//! The token is sent in one header of one request to the configured address, and nowhere else: redirects are not
//! followed, and errors carry no URL.

use std::error::Error as _;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Response, redirect};
use secrecy::{ExposeSecret, SecretString};

use super::answer::{self, Answered};
use super::error::{ApiError, source_words};
use super::operations::Call;
use super::skew::Skew;
use crate::clock::{SharedClock, SystemClock};
use crate::config::{ProcessEnvironment, Tenant, TokenSource};

/// The size in bytes of the pieces in which a large answer is held.
const PIECE: usize = 256 << 10;

/// The limits of one attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub connect: Duration,
    /// From the first byte sent to the last one received. The slowest page seen so far took 1.3 s.
    pub whole: Duration,
    /// The largest body accepted. A page of 100 tickets is about 200 kB.
    pub body_bytes: usize,
    /// The pause before the first retry; each later one is twice as long.
    pub first_retry: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            whole: Duration::from_secs(30),
            body_bytes: 32 << 20,
            first_retry: Duration::from_millis(500),
        }
    }
}

/// The connection to one tenant's SuperOps.
#[derive(Debug)]
pub(super) struct Link {
    http: reqwest::Client,
    endpoint: reqwest::Url,
    subdomain: String,
    source: TokenSource,
    /// None until the first call: a missing token is an error of that call, not of building the link.
    token: Mutex<Option<SecretString>>,
    limits: Limits,
    skew: Mutex<Skew>,
    clock: OurClock,
}

/// The clock that is compared with that of SuperOps.
struct OurClock(SharedClock);

impl fmt::Debug for OurClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OurClock")
    }
}

impl Link {
    /// Prepares a link to `tenant`; nothing is sent yet.
    pub fn new(tenant: &Tenant, limits: Limits) -> Result<Self, ApiError> {
        let setup = |why: &str| ApiError::Setup { why: why.to_owned() };
        let subdomain = HeaderValue::from_str(&tenant.subdomain).map_err(|_| setup("`subdomain` cannot be sent"))?;
        let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        headers.insert("CustomerSubDomain", subdomain);
        // Fails only if one is installed already, which is just as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .redirect(redirect::Policy::none())
            .connect_timeout(limits.connect)
            .timeout(limits.whole)
            .build()
            .map_err(|error| setup(&innermost(&error)))?;
        let endpoint = tenant.endpoint.parse().map_err(|_| setup("`endpoint` is not a URL"))?;
        let (subdomain, source) = (tenant.subdomain.clone(), tenant.token.clone());
        let clock = OurClock(Arc::new(SystemClock));
        Ok(Self { http, endpoint, subdomain, source, token: Mutex::default(), limits, skew: Mutex::default(), clock })
    }

    /// Makes one attempt with `token`.
    pub async fn send(&self, call: &Call, token: &SecretString) -> Result<Answered, ApiError> {
        let request = self.http.post(self.endpoint.clone()).header(AUTHORIZATION, bearer(token)?);
        let sent_at = self.clock.0.now();
        let response = request.body(call.body.clone()).send().await.map_err(|error| of_transport(&error))?;
        if let Some(theirs) = response.headers().get(DATE).and_then(|date| date.to_str().ok()) {
            self.skew().note(theirs, sent_at, self.clock.0.now());
        }
        let status = response.status().as_u16();
        if status == 401 {
            return Err(self.unauthorized());
        }
        let location = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).map(str::to_owned);
        let body = self.body(call, response).await?;
        if status == 200 {
            return answer::read(call.operation, &body);
        }
        answer::of_status(call.operation, status, &body, &self.subdomain, location.as_deref())
    }

    /// Reads the body, and refuses it as soon as it grows too large, whatever its declared length.
    async fn body(&self, call: &Call, mut response: Response) -> Result<Vec<u8>, ApiError> {
        // Read in pieces: a single growing buffer would exist twice each time it is moved to a larger one.
        let (mut pieces, mut length) = (Vec::<Vec<u8>>::new(), 0);
        while let Some(chunk) = response.chunk().await.map_err(|error| of_transport(&error))? {
            length += chunk.len();
            if length > self.limits.body_bytes {
                return Err(ApiError::TooLarge { operation: call.operation, limit_mb: self.limits.body_bytes >> 20 });
            }
            match pieces.last_mut().filter(|piece| piece.capacity() - piece.len() >= chunk.len()) {
                Some(piece) => piece.extend_from_slice(&chunk),
                None => {
                    let mut piece = Vec::with_capacity(PIECE.max(chunk.len()));
                    piece.extend_from_slice(&chunk);
                    pieces.push(piece);
                }
            }
        }
        Ok(pieces.concat())
    }

    /// Compares `clock` with SuperOps' clock, instead of the computer's.
    pub fn compare(&mut self, clock: SharedClock) {
        self.clock = OurClock(clock);
    }

    /// Returns how far our clock is ahead of SuperOps', as far as the last answers show it.
    pub fn ahead(&self) -> Option<TimeDelta> {
        self.skew().ahead()
    }

    fn skew(&self) -> MutexGuard<'_, Skew> {
        // A panic under this lock leaves one answer unrecorded at worst.
        self.skew.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unauthorized(&self) -> ApiError {
        ApiError::Unauthorized { from: source_words(&self.source) }
    }

    /// Returns the token as last read, reading it first if necessary.
    pub async fn token(&self) -> Result<SecretString, ApiError> {
        let held = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match held {
            Some(token) => Ok(token),
            None => self.read_token().await,
        }
    }

    /// Reads the token again after `refused` was refused. `None` if it has not changed.
    pub async fn renewed(&self, refused: &SecretString) -> Result<Option<SecretString>, ApiError> {
        let token = self.read_token().await?;
        let changed = token.expose_secret() != refused.expose_secret();
        Ok(changed.then_some(token))
    }

    async fn read_token(&self) -> Result<SecretString, ApiError> {
        let token = read_source(&self.source)?;
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        Ok(token)
    }
}

fn read_source(source: &TokenSource) -> Result<SecretString, ApiError> {
    // The file has one line: reading it takes no longer than spawning a task for it.
    let read = source.read(&ProcessEnvironment);
    read.map_err(|why| ApiError::TokenMissing { why: format!("{} {why}", source_words(source)) })
}

fn bearer(token: &SecretString) -> Result<HeaderValue, ApiError> {
    let text = format!("Bearer {}", token.expose_secret());
    let mut value = HeaderValue::from_str(&text)
        .map_err(|_| ApiError::TokenMissing { why: "what was found holds characters no token has".to_owned() })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Classifies a network failure. URLs stay out: only the innermost cause is given.
fn of_transport(error: &reqwest::Error) -> ApiError {
    let why = innermost(error);
    if distrusted(error) {
        return ApiError::Untrusted { why };
    }
    if error.is_timeout() {
        return ApiError::transient("no answer in time");
    }
    ApiError::transient(why)
}

fn innermost(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    while let Some(deeper) = cause.and_then(std::error::Error::source) {
        cause = Some(deeper);
    }
    cause.map_or_else(|| "the connection broke".to_owned(), ToString::to_string)
}

fn distrusted(error: &reqwest::Error) -> bool {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.filter_map(tls_error).any(|error| matches!(error, rustls::Error::InvalidCertificate(_)))
}

/// Finds the rustls error, which hides in one or two `io::Error`s that do not show it as their source.
fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    match error.downcast_ref::<std::io::Error>() {
        Some(wrapper) => tls_error(wrapper.get_ref()?),
        None => error.downcast_ref(),
    }
}
