//! `[sign_in]`: the identity provider that people sign in with, and who gets in with which role.

use chrono::TimeDelta;

use super::read_policies::known_tenant;
use super::reader::{Found, Section};
use super::secret::SecretKeys;
use super::{Server, checks, duration};
use crate::sign_in::access::{Access, AccessRule, Whom};
use crate::sign_in::settings::Oidc;

const SECRET: SecretKeys = SecretKeys { plain: "client_secret", env: "client_secret_env", file: "client_secret_file" };
/// A person's groups are as old as the session: half a day, like a shift.
pub(super) const DEFAULT_SESSION: TimeDelta = TimeDelta::hours(12);
const LONGEST_SESSION: TimeDelta = crate::sign_in::settings::LONGEST_SESSION;
pub(super) const DEFAULT_SKEW: TimeDelta = TimeDelta::minutes(1);
pub(super) const DEFAULT_SCOPES: [&str; 3] = ["openid", "profile", "email"];
pub(super) const DEFAULT_GROUPS_CLAIM: &str = "groups";

/// Reads the provider; none: people sign in with tokens only.
pub(super) fn sign_in(root: &Section<'_>, server: &Server, tenants: &[&str]) -> Option<Oidc> {
    let section = root.table("sign_in");
    let oidc = section.table("oidc");
    let read = oidc.is_there().then(|| read_oidc(&oidc, tenants)).flatten();
    if oidc.is_there() {
        check_way_back(&oidc, root, server);
    }
    oidc.finish();
    section.finish();
    read
}

fn read_oidc(section: &Section<'_>, tenants: &[&str]) -> Option<Oidc> {
    let issuer = section
        .needed_text("issuer", ": it is the address of the identity provider")
        .and_then(|found| found.read(|text| issuer(text)));
    let client_id = section
        .needed_text("client_id", ": the identity provider gives it to each service that is registered there")
        .and_then(|found| found.read(|text| filled(text)));
    let secret = SECRET.read(section);
    let length = section.text("session_length").and_then(|found| found.read(|text| session_length(text)));
    let skew = section.text("clock_skew").and_then(|found| found.read(|text| clock_skew(text)));
    let name = section.text("name").and_then(|found| found.read(|text| filled(text)));
    let groups_claim = section.text("groups_claim").and_then(|found| found.read(|text| filled(text)));
    let trust_emails = section.flag("trust_emails").is_some_and(|found| found.value);
    let (scopes, access) = (scopes(section), access(section, tenants));
    Some(Oidc {
        name: name.unwrap_or_else(|| "single sign-on".to_owned()),
        issuer: issuer?,
        client_id: client_id?,
        client_secret: secret.and_then(|named| named.value),
        scopes,
        groups_claim: groups_claim.unwrap_or_else(|| DEFAULT_GROUPS_CLAIM.to_owned()),
        trust_emails,
        session_length: length.unwrap_or(DEFAULT_SESSION),
        clock_skew: skew.unwrap_or(DEFAULT_SKEW),
        access,
    })
}

fn check_way_back(section: &Section<'_>, root: &Section<'_>, server: &Server) {
    match server.public_url.as_deref() {
        None if root.has_within("server", "public_url") => {}
        None => {
            section.wrong("[sign_in.oidc] needs `server.public_url`: the identity provider sends browsers back there")
        }
        Some(url) if checks::private_url(url).is_err() => section.wrong(
            "[sign_in.oidc] needs a `server.public_url` that starts with https://, since the identity provider sends \
             codes there; plain http:// is for this machine only",
        ),
        Some(_) => {}
    }
}

/// Reads the issuer unchanged: it must match the provider's to the letter, with a slash at the end or without.
fn issuer(text: &str) -> Result<String, String> {
    checks::private_url(text)?;
    if text.contains(['?', '#']) {
        return Err("must hold neither ? nor #: it is the issuer as the identity provider writes it".to_owned());
    }
    if text.trim_end_matches('/').ends_with("/.well-known/openid-configuration") {
        return Err("must be the issuer itself: leave out /.well-known/openid-configuration".to_owned());
    }
    Ok(text.trim().to_owned())
}

fn filled(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() { Err("must not be blank".to_owned()) } else { Ok(text.to_owned()) }
}

fn session_length(text: &str) -> Result<TimeDelta, String> {
    let length = duration::parse(text)?;
    let fits = (TimeDelta::minutes(5)..=LONGEST_SESSION).contains(&length);
    if fits { Ok(length) } else { Err("must be from 5m to 30d".to_owned()) }
}

fn clock_skew(text: &str) -> Result<TimeDelta, String> {
    let skew = duration::parse(text)?;
    let fits = skew <= TimeDelta::minutes(5);
    if fits { Ok(skew) } else { Err("must be 5m or less: clocks that differ by more should be set right".to_owned()) }
}

fn scopes(section: &Section<'_>) -> Vec<String> {
    let Some(found) = section.texts("scopes") else { return DEFAULT_SCOPES.map(str::to_owned).into() };
    let scopes: Vec<String> = found.into_iter().filter_map(|scope| scope.read(|text| scope_name(text))).collect();
    // A scope that cannot be read may be the one that seems to be missing.
    if scopes.len() == section.count("scopes") && !scopes.iter().any(|scope| scope == "openid") {
        section.clash("scopes", "must hold \"openid\": without it there is no token that says who signs in");
    }
    scopes
}

fn scope_name(text: &str) -> Result<String, String> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_plain { Ok(text.to_owned()) } else { Err("must hold one scope in each text, without blanks".to_owned()) }
}

fn access(section: &Section<'_>, tenants: &[&str]) -> Vec<AccessRule> {
    let rules = section.each("access").unwrap_or_default();
    if section.count("access") == 0 {
        section.wrong("[[sign_in.oidc.access]] is needed: only people named by a rule are let in, so nobody would be");
    }
    rules.into_iter().filter_map(|rule| access_rule(rule, tenants)).collect()
}

fn access_rule(section: Section<'_>, tenants: &[&str]) -> Option<AccessRule> {
    let anyone = section.flag("anyone").is_some_and(|found| found.value);
    let groups = each(&section, "groups", filled);
    let emails = each(&section, "emails", email);
    if !section.may_be_set("anyone") && !section.has("groups") && !section.has("emails") {
        section.wrong(
            "a rule of [[sign_in.oidc.access]] must say whom it lets in: `groups`, `emails`, or `anyone = true`",
        );
    }
    let role = section
        .needed_text("role", ": \"viewer\", \"responder\" or \"admin\"")
        .and_then(|found| found.read(|text| text.parse().map_err(|_| ROLES.to_owned())));
    let tenant = section.text("tenant");
    let names_tenant = tenant.is_some();
    let tenant = tenant.and_then(|found| found.read(|text| known_tenant(text, tenants)));
    section.finish();
    // A rule for an unknown tenant must not open all of them.
    if names_tenant && tenant.is_none() {
        return None;
    }
    Some(AccessRule { whom: Whom { anyone, groups, emails }, access: Access { role: role?, tenant } })
}

const ROLES: &str = "must be \"viewer\", \"responder\" or \"admin\"";

fn each(section: &Section<'_>, key: &'static str, read: impl Fn(&str) -> Result<String, String>) -> Vec<String> {
    let found = section.texts(key).unwrap_or_default();
    if section.count(key) == 0 {
        section.clash(key, "must name somebody");
    }
    found.into_iter().filter_map(|found: Found<'_, &str>| found.read(|text| read(text))).collect()
}

fn email(text: &str) -> Result<String, String> {
    let rule = "must hold email addresses, or @example.com for all of a domain";
    let whole = text.strip_prefix('@').map_or_else(|| text.to_owned(), |domain| format!("anyone@{domain}"));
    checks::email_address(&whole).map_err(|_| rule.to_owned())?;
    Ok(text.trim().to_lowercase())
}
