//! The settings for signing in through an identity provider. The configuration reads its file into these.

use chrono::TimeDelta;
use secrecy::SecretString;

use super::access::AccessRule;

/// An identity provider that speaks OpenID Connect, and whom it lets in.
#[derive(Clone, Debug)]
pub struct Oidc {
    /// The provider's name on the button.
    pub name: String,
    /// Exactly as the provider writes it.
    pub issuer: String,
    pub client_id: String,
    /// `None` for a public client, which proves by PKCE alone that it began the sign-in.
    pub client_secret: Option<SecretString>,
    pub scopes: Vec<String>,
    /// The claim that holds a person's groups or roles; dots lead into nested claims.
    pub groups_claim: String,
    /// Whether to trust addresses that the provider does not mark as verified.
    pub trust_emails: bool,
    /// How long a session lasts before the person must sign in again.
    pub session_length: TimeDelta,
    /// The most by which the provider's clock may differ from ours.
    pub clock_skew: TimeDelta,
    /// The first match wins; a person whom none fits is not let in.
    pub access: Vec<AccessRule>,
}

/// The longest that a browser stays signed in, by a provider or by a token.
pub const LONGEST_SESSION: TimeDelta = TimeDelta::days(30);
