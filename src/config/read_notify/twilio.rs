//! `[notify.sms]` and `[notify.voice]`: text messages and calls, by an account at Twilio.

use secrecy::SecretString;

use crate::config::reader::{Purpose, Section, nearest};
use crate::config::secret::{Named, SecretKeys};
use crate::config::{Sms, SmsSender, Twilio, Voice, checks};

pub(in crate::config) const DEFAULT_TWILIO: &str = "https://api.twilio.com";
/// The languages of calls: the accents of English that Twilio has, the default first.
pub(in crate::config) const LANGUAGES: [&str; 6] = ["en-US", "en-GB", "en-AU", "en-CA", "en-IN", "en-IE"];

const AUTH_TOKEN: SecretKeys = SecretKeys { plain: "auth_token", env: "auth_token_env", file: "auth_token_file" };
const API_KEY_SECRET: SecretKeys =
    SecretKeys { plain: "api_key_secret", env: "api_key_secret_env", file: "api_key_secret_file" };
const HOOK_TOKEN: SecretKeys =
    SecretKeys { plain: "hook_auth_token", env: "hook_auth_token_env", file: "hook_auth_token_file" };
const PREVIOUS_TOKEN: SecretKeys =
    SecretKeys { plain: "previous_auth_token", env: "previous_auth_token_env", file: "previous_auth_token_file" };

pub(super) fn sms(section: Section<'_>) -> Option<Sms> {
    let account = account(&section, section.is_there());
    let sender = sms_sender(&section);
    let replies = section.flag("replies").is_some_and(|found| found.value);
    if replies && section.has("api_key_sid") && !HOOK_TOKEN.used(&section) && !section.has(HOOK_TOKEN.plain) {
        section.clash(
            "replies",
            "needs `hook_auth_token_env` or `hook_auth_token_file`: Twilio signs replies with the \
             account's auth token, not with the API key",
        );
    }
    section.finish();
    Some(Sms { account: account?, sender: sender?, replies })
}

/// Reads the table of calls. They use the account that sends text messages, unless another is named. `texts` says
/// whether there is a table for those.
pub(super) fn voice(section: Section<'_>, texts: bool, sms: Option<&Sms>) -> Option<Voice> {
    let is_there = section.is_there();
    let why = ": a number of your account that may make calls";
    let from = if is_there { section.needed_text("from", why) } else { section.text("from") };
    let from = from.and_then(|t| t.read(|text| checks::phone_number(text)));
    let language = section.text("language").and_then(|t| t.read(|text| language(text)));
    let own = section.has("account_sid") || !texts;
    let account = account(&section, is_there && own);
    if !own {
        let secrets = [AUTH_TOKEN, API_KEY_SECRET, HOOK_TOKEN, PREVIOUS_TOKEN];
        for key in secrets.iter().flat_map(|keys| [keys.env, keys.file]).chain(["api_key_sid", "base_url"]) {
            section.clash(key, "goes with an `account_sid` beside it; without one, the account of [notify.sms] calls");
        }
    }
    section.finish();
    let account = if own { account } else { sms.map(|sms| sms.account.clone()) };
    let language = language.unwrap_or_else(|| LANGUAGES[0].to_owned());
    Some(Voice { account: account?, from: from?, language }).filter(|_| is_there)
}

/// Reads the language of calls, which is a kind of English, like the words that are said.
fn language(text: &str) -> Result<String, String> {
    let known = LANGUAGES.into_iter().find(|known| known.eq_ignore_ascii_case(text.trim()));
    known.map(str::to_owned).ok_or_else(|| {
        let hint = nearest(text, LANGUAGES.into_iter());
        format!("must be the English of one country: {}{hint}", LANGUAGES.join(", "))
    })
}

/// Reads the account that a table names; `needed`: it must name one.
fn account(section: &Section<'_>, needed: bool) -> Option<Twilio> {
    let why = ": it names your account at Twilio";
    let sid = if needed { section.needed_text("account_sid", why) } else { section.text("account_sid") };
    let account_sid = sid.and_then(|t| t.read(checks::twilio_sid("AC")));
    let api_key_sid = section.text("api_key_sid").and_then(|t| t.read(checks::twilio_sid("SK")));
    let secret = secret(section, needed);
    let hook_tokens = hook_tokens(section, secret.as_ref());
    let base_url = section.text("base_url").and_then(|t| t.read(|text| checks::base_url(text)));
    Some(Twilio {
        account_sid: account_sid?,
        api_key_sid,
        secret: secret?.value?,
        base_url: base_url.unwrap_or_else(|| DEFAULT_TWILIO.to_owned()),
        hook_tokens,
    })
}

/// Reads the tokens that Twilio may sign its requests to us with. It uses the account's own, whatever we send with.
fn hook_tokens(section: &Section<'_>, sending: Option<&Named>) -> Vec<SecretString> {
    let (own, previous) = (HOOK_TOKEN.read(section), PREVIOUS_TOKEN.read(section));
    let with_key = section.has("api_key_sid");
    if HOOK_TOKEN.used(section) && !with_key && AUTH_TOKEN.used(section) {
        let used = if section.has(HOOK_TOKEN.env) { HOOK_TOKEN.env } else { HOOK_TOKEN.file };
        section.clash(used, "is for sending with an API key: without one, the auth token already given is taken");
    }
    let sending = sending.filter(|_| !with_key).and_then(|named| named.value.clone());
    let named = [own, previous].into_iter().flatten().filter_map(|named| named.value);
    sending.into_iter().chain(named).collect()
}

/// Reads the auth token of the account, or the secret of an API key.
fn secret(section: &Section<'_>, needed: bool) -> Option<Named> {
    let (auth, key) = (AUTH_TOKEN.read(section), API_KEY_SECRET.read(section));
    let (auth_used, key_used) = (AUTH_TOKEN.used(section), API_KEY_SECRET.used(section));
    let service = section.inspection.purpose == Purpose::Service;
    // A secret that stands in the file has its own complaint, and is not missing.
    let plain = section.has(AUTH_TOKEN.plain) || section.has(API_KEY_SECRET.plain);
    match (section.has("api_key_sid"), auth_used, key_used) {
        (_, true, true) => section.wrong("an auth token and an API key's secret are both given: keep one"),
        (true, _, false) if !section.has(API_KEY_SECRET.plain) => {
            section.wrong("`api_key_sid` needs `api_key_secret_env` or `api_key_secret_file`");
        }
        (false, _, true) => section.wrong("an API key's secret needs `api_key_sid`, the key it belongs to"),
        (false, false, false) if needed && service && !plain => {
            section.wrong("`auth_token_env` or `auth_token_file` is needed: Twilio sends for known accounts only");
        }
        _ => {}
    }
    key.or(auth)
}

fn sms_sender(section: &Section<'_>) -> Option<SmsSender> {
    let from = section.text("from").map(|t| t.read(|text| checks::phone_number(text)).map(SmsSender::From));
    let service = section.text("messaging_service_sid");
    let service = service.map(|t| t.read(checks::twilio_sid("MG")).map(SmsSender::MessagingService));
    match (section.has("from"), section.has("messaging_service_sid")) {
        (true, true) => section.clash(
            "messaging_service_sid",
            "clashes with `from`: a message has one sender, and a messaging service picks its own",
        ),
        (false, false) if section.is_there() => {
            section.wrong("`from` or `messaging_service_sid` is needed: the number that messages come from");
        }
        _ => {}
    }
    from.or(service).flatten()
}
