//! Talks to the identity provider: finds its endpoints and its signing keys, and redeems codes.
//!
//! Each request is one attempt with a deadline, follows no redirect and reads no more than an answer needs. The results
//! are kept for an hour; keys are fetched again, at most once a minute, when a token names an unknown one or is not signed
//! with the one it names.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::ACCEPT;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use url::Url;

use super::attempt::Attempt;
use super::id_token::{self, Claims, Fault};
use super::keys::KeySet;
use super::settings::Oidc;

const DEADLINE: Duration = Duration::from_secs(5);
/// The longest answer that is read. What providers publish is about 20 kB at most.
const MOST_BYTES: usize = 256 * 1024;
const KEPT: TimeDelta = TimeDelta::hours(1);
/// How long earlier results still serve while the provider does not answer.
const KEPT_AT_WORST: TimeDelta = TimeDelta::hours(24);
/// How long to wait before asking again after the provider failed to answer.
const LEFT_ALONE: TimeDelta = TimeDelta::seconds(5);
/// The least time between two fetches of the keys: tokens with made-up keys must not make us ask all the time.
const KEYS_ANEW: TimeDelta = TimeDelta::minutes(1);

/// Why somebody could not sign in through the provider.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// Trying again may help.
    #[error("{0}")]
    Unavailable(String),
    /// The answer cannot be right until somebody changes something at the provider or here.
    #[error("{0}")]
    Unfit(String),
    /// The provider rejected the code.
    #[error("the identity provider did not take the code (`{0}`)")]
    Refused(String),
    #[error("the identity provider's token is not believed: {0}")]
    Token(#[from] Fault),
}

/// What a provider publishes about itself (OpenID Connect Discovery, 3).
#[derive(Clone, Debug, Deserialize)]
pub struct Discovery {
    issuer: String,
    pub authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    /// Where a browser signs out of the provider itself.
    pub end_session_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
    #[serde(default)]
    code_challenge_methods_supported: Vec<String>,
    /// Whether each answer names its issuer (RFC 9207).
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}

impl Discovery {
    /// Whether the provider announces PKCE; some support it without saying so.
    pub fn announces_pkce(&self) -> bool {
        self.code_challenge_methods_supported.iter().any(|method| method == "S256")
    }

    /// Checks that this is the intended issuer, and that none of its addresses would expose our secret.
    fn check(&self, issuer: &str) -> Result<(), String> {
        if self.issuer != issuer {
            let theirs = cleaned(&self.issuer);
            return Err(format!(
                "the identity provider calls itself `{theirs}`: `issuer` must say the same, to the letter"
            ));
        }
        let ends = self.end_session_endpoint.iter();
        for address in [&self.authorization_endpoint, &self.token_endpoint, &self.jwks_uri].into_iter().chain(ends) {
            let is_safe = Url::parse(address).is_ok_and(|url| url.scheme() == "https" || is_this_machine(&url));
            if !is_safe {
                return Err("the identity provider names an address that does not start with https://".to_owned());
            }
        }
        Ok(())
    }

    fn takes_secret_in_body(&self) -> bool {
        let methods = &self.token_endpoint_auth_methods_supported;
        let has = |name: &str| methods.iter().any(|method| method == name);
        // If nothing is listed, the standard means the header.
        has("client_secret_post") && !has("client_secret_basic")
    }
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Returns `text` fit for a log.
fn cleaned(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// What is known about the provider, and since when.
#[derive(Default)]
struct Learnt {
    discovery: Option<(DateTime<Utc>, Arc<Discovery>)>,
    keys: Option<(DateTime<Utc>, Arc<KeySet>)>,
    failed: Option<(DateTime<Utc>, ProviderError)>,
}

/// The connection to one identity provider.
pub struct Provider {
    oidc: Oidc,
    http: Client,
    learnt: Mutex<Learnt>,
}

#[derive(Deserialize)]
struct Redeemed {
    id_token: String,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

impl Provider {
    /// Sets up the connection; sends nothing yet.
    pub fn new(oidc: Oidc) -> Result<Self, ProviderError> {
        // An error means that a provider is already installed, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().redirect(Policy::none()).connect_timeout(DEADLINE).timeout(DEADLINE).build();
        let http = http.map_err(|_| ProviderError::Unfit("TLS cannot be set up".to_owned()))?;
        Ok(Self { oidc, http, learnt: Mutex::default() })
    }

    /// Returns the provider's settings.
    pub fn settings(&self) -> &Oidc {
        &self.oidc
    }

    /// Returns what the provider publishes about itself.
    pub async fn discovery(&self, now: DateTime<Utc>) -> Result<Arc<Discovery>, ProviderError> {
        let mut learnt = self.learnt.lock().await;
        self.discovered(&mut learnt, now).await
    }

    async fn discovered(&self, learnt: &mut Learnt, now: DateTime<Utc>) -> Result<Arc<Discovery>, ProviderError> {
        if let Some((at, known)) = &learnt.discovery
            && now - *at < KEPT
        {
            return Ok(known.clone());
        }
        if let Some((at, error)) = &learnt.failed
            && now - *at < LEFT_ALONE
        {
            return still(&learnt.discovery, now).ok_or_else(|| error.clone());
        }
        match self.discover().await {
            Ok(found) => {
                let found = Arc::new(found);
                learnt.failed = None;
                learnt.discovery = Some((now, found.clone()));
                Ok(found)
            }
            Err(error) => {
                learnt.failed = Some((now, error.clone()));
                still(&learnt.discovery, now).ok_or(error)
            }
        }
    }

    async fn discover(&self) -> Result<Discovery, ProviderError> {
        let address = format!("{}/.well-known/openid-configuration", self.oidc.issuer.trim_end_matches('/'));
        let found: Discovery = read(self.ask(self.http.get(address)).await?)?;
        found.check(&self.oidc.issuer).map_err(ProviderError::Unfit)?;
        Ok(found)
    }

    /// Returns the keys; fetches them again if they are old, or if `at_once` unless that was done a moment ago.
    async fn keys(&self, at_once: bool, now: DateTime<Utc>) -> Result<Arc<KeySet>, ProviderError> {
        let mut learnt = self.learnt.lock().await;
        let fresh_for = if at_once { KEYS_ANEW } else { KEPT };
        if let Some((at, known)) = &learnt.keys
            && now - *at < fresh_for
        {
            return Ok(known.clone());
        }
        let discovery = self.discovered(&mut learnt, now).await?;
        match self.fetch_keys(&discovery).await {
            Ok(found) => {
                let found = Arc::new(found);
                learnt.keys = Some((now, found.clone()));
                Ok(found)
            }
            Err(error) => still(&learnt.keys, now).ok_or(error),
        }
    }

    async fn fetch_keys(&self, discovery: &Discovery) -> Result<KeySet, ProviderError> {
        let body = self.ask(self.http.get(&discovery.jwks_uri)).await?;
        let keys = KeySet::parse(&body).unwrap_or_default();
        if keys.is_empty() {
            return Err(ProviderError::Unfit("the identity provider publishes no keys that it signs with".to_owned()));
        }
        Ok(keys)
    }

    /// Returns how many keys the provider signs with now.
    pub async fn count_keys(&self, now: DateTime<Utc>) -> Result<usize, ProviderError> {
        Ok(self.keys(false, now).await?.len())
    }

    /// Redeems `code`, brought back by the browser that began `attempt`, for what the provider says of the person.
    pub async fn redeem(
        &self,
        code: &str,
        attempt: &Attempt,
        redirect_uri: &str,
        now: DateTime<Utc>,
    ) -> Result<Claims, ProviderError> {
        let discovery = self.discovery(now).await?;
        let request = self.redemption(&discovery, code, attempt, redirect_uri);
        let Redeemed { id_token } = read(self.ask(request).await?)?;
        let keys = self.keys(false, now).await?;
        match id_token::verify(&id_token, &keys, &self.oidc, &attempt.nonce(), now) {
            // A key may also have been replaced under its name.
            Err(Fault::UnknownKey | Fault::Signature) => {
                let keys = self.keys(true, now).await?;
                Ok(id_token::verify(&id_token, &keys, &self.oidc, &attempt.nonce(), now)?)
            }
            found => Ok(found?),
        }
    }

    fn redemption(&self, discovery: &Discovery, code: &str, attempt: &Attempt, redirect_uri: &str) -> RequestBuilder {
        let id = self.oidc.client_id.as_str();
        let verifier = attempt.verifier();
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier.as_str()),
        ];
        let request = self.http.post(&discovery.token_endpoint);
        match self.oidc.client_secret.as_ref().map(|secret| secret.expose_secret()) {
            Some(secret) if discovery.takes_secret_in_body() => {
                form.extend([("client_id", id), ("client_secret", secret)]);
                request.form(&form)
            }
            // Each half is form-encoded first (RFC 6749, 2.3.1).
            Some(secret) => request.basic_auth(form_encoded(id), Some(form_encoded(secret))).form(&form),
            None => {
                form.push(("client_id", id));
                request.form(&form)
            }
        }
    }

    /// Returns the body of a successful answer.
    async fn ask(&self, request: RequestBuilder) -> Result<Vec<u8>, ProviderError> {
        let mut response =
            request.header(ACCEPT, "application/json").send().await.map_err(|error| unreached(&error))?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| unreached(&error))? {
            if body.len() + chunk.len() > MOST_BYTES {
                return Err(ProviderError::Unfit("the identity provider's answer is too long".to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        if status.is_success() {
            return Ok(body);
        }
        let said = format!("the identity provider answered `{}`", status.as_u16());
        match serde_json::from_slice::<Refusal>(&body) {
            Ok(Refusal { error }) if status.is_client_error() => Err(ProviderError::Refused(word(&error).to_owned())),
            _ if status.is_server_error() || status.as_u16() == 429 => Err(ProviderError::Unavailable(said)),
            _ => Err(ProviderError::Unfit(said)),
        }
    }
}

/// Returns the earlier result if it is not too old to serve.
fn still<T>(learnt: &Option<(DateTime<Utc>, Arc<T>)>, now: DateTime<Utc>) -> Option<Arc<T>> {
    learnt.as_ref().filter(|(at, _)| now - *at < KEPT_AT_WORST).map(|(_, known)| known.clone())
}

fn read<T: DeserializeOwned>(body: Vec<u8>) -> Result<T, ProviderError> {
    let unfit = |_| ProviderError::Unfit("the identity provider's answer lacks what the standard asks for".to_owned());
    serde_json::from_slice(&body).map_err(unfit)
}

/// Leaves out the error's own text: it contains the address, which may contain a code.
fn unreached(error: &reqwest::Error) -> ProviderError {
    let why = if error.is_timeout() { "did not answer in time" } else { "cannot be reached" };
    ProviderError::Unavailable(format!("the identity provider {why}"))
}

/// Returns an error's name if it is written as in the standard; other text from outside is not repeated.
pub fn word(error: &str) -> &str {
    let is_clean =
        (1..=40).contains(&error.len()) && error.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if is_clean { error } else { "an error without a proper name" }
}

fn form_encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
