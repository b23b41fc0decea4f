//! The part of [`super::explain`] that is about how people sign in, and with which role.

use super::duration;
use super::explain_page::{Page, or_default};
use super::read_sign_in::{DEFAULT_GROUPS_CLAIM, DEFAULT_SCOPES, DEFAULT_SESSION, DEFAULT_SKEW};
use super::{Config, Oidc};
use crate::sign_in::CALLBACK;
use crate::sign_in::access::{AccessRule, Whom};

pub(super) fn sign_in(page: &mut Page, config: &Config) {
    let Some(oidc) = &config.sign_in else { return };
    page.heading(format!("Sign-in by {}", oidc.name));
    page.row("issuer", &oidc.issuer);
    let public = config.server.public_url.as_deref().unwrap_or_default();
    page.row("register there", format!("the redirect address {public}{CALLBACK}"));
    page.row("", format!("and, for signing out there as well, {public}/login"));
    let secret = if oidc.client_secret.is_some() { "with a secret" } else { "without a secret" };
    page.row("client", format!("{}, {secret}", oidc.client_id));
    page.row("asks for", or_default(oidc.scopes.join(" "), oidc.scopes == DEFAULT_SCOPES));
    page.row(
        "groups",
        or_default(format!("the claim {}", oidc.groups_claim), oidc.groups_claim == DEFAULT_GROUPS_CLAIM),
    );
    page.row("addresses", addresses(oidc));
    oidc.access.iter().for_each(|rule| page.row("lets in", rule_words(rule)));
    let length = oidc.session_length;
    page.row("signs in again", or_default(format!("after {}", duration::show(length)), length == DEFAULT_SESSION));
    let skew = oidc.clock_skew;
    page.row("clocks", or_default(format!("may differ by {}", duration::show(skew)), skew == DEFAULT_SKEW));
}

fn addresses(oidc: &Oidc) -> String {
    let words = if oidc.trust_emails {
        "believed even if the provider does not say that they are verified"
    } else {
        "believed only if the provider says that they are verified"
    };
    or_default(words, !oidc.trust_emails)
}

fn rule_words(AccessRule { whom, access }: &AccessRule) -> String {
    let reach = access.tenant.as_ref().map_or("all tenants".to_owned(), ToString::to_string);
    format!("{} as {} of {reach}", whom_words(whom), access.role.as_str())
}

fn whom_words(Whom { anyone, groups, emails }: &Whom) -> String {
    if *anyone {
        return "everybody whom the provider lets in".to_owned();
    }
    let groups = groups.iter().map(|group| format!("group {group}"));
    groups.chain(emails.iter().cloned()).collect::<Vec<_>>().join(" or ")
}
