//! Reads a provider's ID token once it is proven to come from the provider, to be meant for us, to be valid now, and to
//! answer this very sign-in (OpenID Connect Core, 3.1.3.7). Nothing here reads the clock or does I/O.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};
use subtle::ConstantTimeEq as _;

use super::access::{AccessRule, Person};
use super::keys::{Algorithm, KeySet};
use super::settings::Oidc;

/// The longest token that is read. One with hundreds of groups is about 16 kB.
const LONGEST: usize = 64 * 1024;
/// The longest subject that the standard allows.
const LONGEST_SUBJECT: usize = 255;
const LONGEST_NAME: usize = 80;
/// The longest possible email address.
const LONGEST_EMAIL: usize = 254;

/// Why a token is rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("it is no signed token")]
    Form,
    #[error("it is signed in a way that is not accepted")]
    Algorithm,
    /// The provider may have rotated its keys.
    #[error("none of the provider's keys is the one it names")]
    UnknownKey,
    /// The provider may have replaced the key under its name.
    #[error("its signature is wrong")]
    Signature,
    #[error("it comes from another issuer")]
    Issuer,
    #[error("it is meant for another service")]
    Audience,
    #[error("it has expired")]
    Expired,
    #[error("it is not valid yet: compare the clocks")]
    NotYet,
    #[error("it answers another sign-in")]
    Nonce,
    #[error("it does not say whom it is about")]
    Subject,
}

/// The claims of a genuine token.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims(Map<String, Value>);

#[derive(Deserialize)]
struct Head {
    alg: String,
    kid: Option<String>,
    /// Extensions that must be understood; we know of none.
    crit: Option<Value>,
}

/// Returns the claims of `token` if it answers the sign-in of `nonce` and is valid at `now`.
pub fn verify(token: &str, keys: &KeySet, oidc: &Oidc, nonce: &str, now: DateTime<Utc>) -> Result<Claims, Fault> {
    let claims = Claims(signed(token, keys)?);
    claims.is_for(oidc)?;
    claims.is_of_now(oidc.clock_skew, now)?;
    let same = claims.text("nonce").is_some_and(|own| bool::from(own.as_bytes().ct_eq(nonce.as_bytes())));
    if !same {
        return Err(Fault::Nonce);
    }
    let subject = claims.text("sub").ok_or(Fault::Subject)?;
    if subject.is_empty() || subject.len() > LONGEST_SUBJECT { Err(Fault::Subject) } else { Ok(claims) }
}

/// Returns the content of `token` if one of `keys` signed it.
fn signed(token: &str, keys: &KeySet) -> Result<Map<String, Value>, Fault> {
    let (message, signature) = token.rsplit_once('.').ok_or(Fault::Form)?;
    let (head, content) = message.split_once('.').ok_or(Fault::Form)?;
    if token.len() > LONGEST || content.contains('.') {
        return Err(Fault::Form);
    }
    let head: Head = serde_json::from_slice(&decoded(head)?).map_err(|_| Fault::Form)?;
    let algorithm = Algorithm::named(&head.alg).filter(|_| head.crit.is_none()).ok_or(Fault::Algorithm)?;
    let signer = keys.find(head.kid.as_deref(), algorithm).ok_or(Fault::UnknownKey)?;
    if !signer.has_signed(message.as_bytes(), &decoded(signature)?) {
        return Err(Fault::Signature);
    }
    serde_json::from_slice(&decoded(content)?).map_err(|_| Fault::Form)
}

fn decoded(part: &str) -> Result<Vec<u8>, Fault> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Fault::Form)
}

impl Claims {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    fn time(&self, name: &str) -> Option<DateTime<Utc>> {
        let seconds = self.0.get(name)?;
        let whole = seconds.as_i64().or_else(|| seconds.as_f64().map(|seconds| seconds as i64))?;
        DateTime::from_timestamp(whole, 0)
    }

    fn is_for(&self, oidc: &Oidc) -> Result<(), Fault> {
        if self.text("iss") != Some(&oidc.issuer) {
            return Err(Fault::Issuer);
        }
        let us = oidc.client_id.as_str();
        let (is_meant, is_shared) = match self.0.get("aud") {
            Some(Value::String(only)) => (only == us, false),
            Some(Value::Array(all)) => (all.iter().any(|one| one == us), all.len() > 1),
            _ => (false, false),
        };
        // A token for several services must say which of them asked for it.
        let is_asked_by_us = match self.0.get("azp") {
            None => !is_shared,
            Some(asker) => asker == us,
        };
        if is_meant && is_asked_by_us { Ok(()) } else { Err(Fault::Audience) }
    }

    fn is_of_now(&self, skew: TimeDelta, now: DateTime<Utc>) -> Result<(), Fault> {
        let (Some(until), Some(made)) = (self.time("exp"), self.time("iat")) else { return Err(Fault::Expired) };
        let from = self.time("nbf").map_or(made, |from| from.max(made));
        if until + skew <= now {
            Err(Fault::Expired)
        } else if from - skew > now {
            Err(Fault::NotYet)
        } else {
            Ok(())
        }
    }

    /// Returns the person the token is about, with the claims that the rules ask for.
    pub fn person(&self, oidc: &Oidc) -> Person {
        let subject = self.text("sub").unwrap_or_default().to_owned();
        let named = ["name", "preferred_username", "email"].into_iter().find_map(|claim| self.text(claim));
        let name = named.map(|name| cleaned(name, LONGEST_NAME)).filter(|name| !name.is_empty());
        Person {
            issuer: oidc.issuer.clone(),
            name: name.unwrap_or_else(|| "somebody without a name".to_owned()),
            email: self.email(oidc.trust_emails),
            groups: self.groups(&oidc.groups_claim, &oidc.access),
            subject,
        }
    }

    /// Returns the address if it can be trusted. Some providers write `"true"` as a string.
    fn email(&self, trusted: bool) -> Option<String> {
        let is_verified = self.0.get("email_verified").is_some_and(|is| *is == true || *is == "true");
        let email = self.text("email").filter(|_| trusted || is_verified)?;
        let is_address = email.len() <= LONGEST_EMAIL && email.contains('@') && !email.contains(char::is_control);
        is_address.then(|| email.to_owned())
    }

    /// Returns those of the person's groups that a rule names.
    fn groups(&self, claim: &str, rules: &[AccessRule]) -> Vec<String> {
        let own: Vec<&str> = match self.within(claim) {
            Some(Value::String(only)) => vec![only],
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let mut named: Vec<&String> = rules.iter().flat_map(|rule| &rule.whom.groups).collect();
        named.sort_unstable();
        named.dedup();
        named.into_iter().filter(|group| own.contains(&group.as_str())).cloned().collect()
    }

    /// Returns the claim of that name, or the one that its dotted path leads to.
    fn within(&self, path: &str) -> Option<&Value> {
        self.0.get(path).or_else(|| {
            let mut parts = path.split('.');
            let first = self.0.get(parts.next()?)?;
            parts.try_fold(first, |value, part| value.get(part))
        })
    }

    /// Whether the provider left the groups out because there are too many of them (Entra ID does).
    pub fn leaves_groups_out(&self, claim: &str) -> bool {
        self.0.get("_claim_names").is_some_and(|names| names.get(claim).is_some())
    }
}

fn cleaned(text: &str, longest: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(longest).collect::<String>().trim().to_owned()
}
