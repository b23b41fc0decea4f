//! What signing in by an identity provider has to be told. The configuration reads its file into these.

use chrono::TimeDelta;
use secrecy::SecretString;

use super::access::AccessRule;

/// An identity provider that speaks OpenID Connect, and whom it lets in.
#[derive(Clone, Debug)]
pub struct Oidc {
    /// What the button calls it.
    pub name: String,
    /// As the provider writes it, to the letter.
    pub issuer: String,
    pub client_id: String,
    /// None: a client that has none, and proves by PKCE alone that it began the sign-in.
    pub client_secret: Option<SecretString>,
    pub scopes: Vec<String>,
    /// The claim that holds a person's groups or roles; a dot leads into it.
    pub groups_claim: String,
    /// Believe addresses of which the provider does not say that they are verified.
    pub trust_emails: bool,
    /// A person signs in anew after this long.
    pub session_length: TimeDelta,
    /// How far the provider's clock may be from ours.
    pub clock_skew: TimeDelta,
    /// First match wins; whom none fits is not let in.
    pub access: Vec<AccessRule>,
}

/// No browser stays signed in for longer, by a provider or by a token.
pub const LONGEST_SESSION: TimeDelta = TimeDelta::days(30);
