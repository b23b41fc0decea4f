//! Signs people in through an identity provider: OpenID Connect, the authorisation code flow with PKCE.
//!
//! A browser that wants in is sent to the provider with the state of its attempt ([`attempt`]). It comes back with a
//! code, which [`provider`] redeems for an ID token. [`id_token`] accepts the token only if one of the provider's
//! [`keys`] signed it, for us, for now, and for this attempt. From what the token says of the person, [`access`]
//! decides what they may do.
//!
//! Signatures are checked with ring, which TLS uses here as well; README.md says why no larger library does it.

pub mod access;
pub mod attempt;
pub mod id_token;
pub mod keys;
pub mod provider;
pub mod settings;

use chrono::{DateTime, Utc};
use url::Url;

use self::access::{Access, Person, access_of};
use self::attempt::Attempt;
use self::provider::{Provider, ProviderError, word};
use self::settings::Oidc;

/// The path on our own site to which the provider sends the browser back.
pub const CALLBACK: &str = "/login/oidc/callback";

/// What a browser brings back from the provider.
#[derive(Clone, Debug, Default)]
pub struct Returned<'a> {
    pub code: Option<&'a str>,
    /// The issuer that the answer names (RFC 9207).
    pub issuer: Option<&'a str>,
    /// Why there is no code.
    pub error: Option<&'a str>,
}

/// Why somebody was not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// Another provider's answer (a mix-up attack), or an answer without an issuer from a provider that always names
    /// it.
    #[error("the answer comes from another identity provider")]
    Elsewhere,
    #[error("the identity provider did not sign you in (`{0}`)")]
    Denied(String),
    #[error("the identity provider sent no code")]
    NoCode,
    /// The person is genuine, but no rule lets them in.
    #[error("no rule of `sign_in.oidc.access` fits")]
    NoAccess { person: Person, groups_left_out: bool },
}

/// Signs people in by one provider.
pub struct SignIn {
    provider: Provider,
    /// The address of our pages, without a trailing slash.
    public_url: String,
}

impl SignIn {
    /// Creates a sign-in by the provider in `oidc`, for pages at `public_url`.
    pub fn new(oidc: Oidc, public_url: &str) -> Result<Self, ProviderError> {
        Ok(Self { provider: Provider::new(oidc)?, public_url: public_url.to_owned() })
    }

    /// Returns what people call the provider.
    pub fn name(&self) -> &str {
        &self.provider.settings().name
    }

    /// Returns the provider's settings.
    pub fn settings(&self) -> &Oidc {
        self.provider.settings()
    }

    /// Returns the provider itself.
    pub fn provider(&self) -> &Provider {
        &self.provider
    }

    /// Returns the address that must be registered with the provider for sending browsers back.
    pub fn redirect_uri(&self) -> String {
        format!("{}{CALLBACK}", self.public_url)
    }

    /// Returns the address to which the browser that begins `attempt` is sent.
    pub async fn address(&self, attempt: &Attempt, now: DateTime<Utc>) -> Result<Url, SignInError> {
        let discovery = self.provider.discovery(now).await?;
        let oidc = self.provider.settings();
        let mut url = parsed(&discovery.authorization_endpoint)?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &oidc.client_id)
            .append_pair("redirect_uri", &self.redirect_uri())
            .append_pair("scope", &oidc.scopes.join(" "))
            .append_pair("state", &attempt.state())
            .append_pair("nonce", &attempt.nonce())
            .append_pair("code_challenge", &attempt.challenge())
            .append_pair("code_challenge_method", "S256");
        Ok(url)
    }

    /// Returns the person who comes back from `attempt`, and what they may do.
    pub async fn finish(
        &self,
        attempt: &Attempt,
        returned: Returned<'_>,
        now: DateTime<Utc>,
    ) -> Result<(Person, Access), SignInError> {
        let discovery = self.provider.discovery(now).await?;
        let oidc = self.provider.settings();
        let says_who = discovery.authorization_response_iss_parameter_supported;
        if returned.issuer.map_or(says_who, |issuer| issuer != oidc.issuer) {
            return Err(SignInError::Elsewhere);
        }
        if let Some(error) = returned.error {
            return Err(SignInError::Denied(word(error).to_owned()));
        }
        let code = returned.code.ok_or(SignInError::NoCode)?;
        let claims = self.provider.redeem(code, attempt, &self.redirect_uri(), now).await?;
        let person = claims.person(oidc);
        match access_of(&oidc.access, &person).cloned() {
            Some(access) => Ok((person, access)),
            None => {
                let groups_left_out = claims.leaves_groups_out(&oidc.groups_claim);
                Err(SignInError::NoAccess { person, groups_left_out })
            }
        }
    }

    /// Returns what `person`, who signed in earlier, may do by the current rules; `None` if nothing any more.
    pub fn access(&self, person: &Person) -> Option<Access> {
        let oidc = self.provider.settings();
        access_of(&oidc.access, person).filter(|_| person.issuer == oidc.issuer).cloned()
    }

    /// Returns where the browser signs out of the provider itself; `None` if the provider names no such address.
    pub async fn way_out(&self, now: DateTime<Utc>) -> Option<Url> {
        let discovery = self.provider.discovery(now).await.ok()?;
        let mut url = parsed(discovery.end_session_endpoint.as_deref()?).ok()?;
        url.query_pairs_mut()
            .append_pair("client_id", &self.provider.settings().client_id)
            .append_pair("post_logout_redirect_uri", &format!("{}/login", self.public_url));
        Some(url)
    }
}

fn parsed(address: &str) -> Result<Url, ProviderError> {
    let unfit = |_| ProviderError::Unfit("the identity provider names an invalid address".to_owned());
    Url::parse(address).map_err(unfit)
}
