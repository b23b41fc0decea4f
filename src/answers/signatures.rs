//! Checks how PagerDuty and Slack sign what they send us: an HMAC-SHA256 in hex, under a secret only they and we know.
//!
//! <https://developer.pagerduty.com/docs/verifying-signatures>,
//! <https://docs.slack.dev/authentication/verifying-requests-from-slack>

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

pub const PAGERDUTY_HEADER: &str = "X-PagerDuty-Signature";
pub const SLACK_HEADER: &str = "X-Slack-Signature";
pub const SLACK_TIME_HEADER: &str = "X-Slack-Request-Timestamp";

/// How far the time of a request from Slack may be from now, either way; beyond that it may be a replay.
const FRESH: TimeDelta = TimeDelta::minutes(5);
/// The most signatures to check. PagerDuty sends two while its secret is being changed.
const MOST: usize = 4;

/// Whether one of the signatures in `given`, as `v1=HEX,v1=HEX`, matches `body`.
pub fn is_of_pagerduty(secret: &SecretString, given: &str, body: &[u8]) -> bool {
    let signatures = given.split(',').filter_map(|one| hex(one.trim().strip_prefix("v1=")?));
    signatures.take(MOST).any(|signature| mac(secret, &[body]).verify_slice(&signature).is_ok())
}

/// Whether `given`, as `v0=HEX`, is the signature of `body` sent at `sent` (seconds since 1970), and `sent` is recent.
pub fn is_of_slack(secret: &SecretString, given: &str, sent: &str, body: &[u8], now: DateTime<Utc>) -> bool {
    let at = sent.parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let is_fresh = at.is_some_and(|at| (now - at).abs() <= FRESH);
    let Some(signature) = given.trim().strip_prefix("v0=").and_then(hex).filter(|_| is_fresh) else { return false };
    mac(secret, &[b"v0:", sent.as_bytes(), b":", body]).verify_slice(&signature).is_ok()
}

/// The returned MAC compares in constant time.
fn mac(secret: &SecretString, parts: &[&[u8]]) -> Hmac<Sha256> {
    let key = secret.expose_secret().as_bytes();
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    parts.iter().fold(mac, |mac, part| mac.chain_update(part))
}

/// Decodes an HMAC-SHA256 from hex; `None` if the text is not one.
fn hex(text: &str) -> Option<[u8; 32]> {
    let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

/// Signs as the two providers do, for the fake providers of the tests.
pub fn sign(secret: &SecretString, version: &str, parts: &[&[u8]]) -> String {
    format!("{version}={}", crate::keys::hex(&mac(secret, parts).finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        text.to_owned().into()
    }

    /// The example in Slack's documentation.
    const SLACK_SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    const SLACK_SENT: &str = "1531420618";
    const SLACK_BODY: &[u8] = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const SLACK_SIGNATURE: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";

    #[test]
    fn slacks_own_example_is_genuine_for_five_minutes() {
        let at = |seconds: i64| DateTime::from_timestamp(1_531_420_618 + seconds, 0).unwrap();
        let is_genuine = |now| is_of_slack(&secret(SLACK_SECRET), SLACK_SIGNATURE, SLACK_SENT, SLACK_BODY, now);
        for (seconds, genuine) in [(0, true), (300, true), (301, false), (-300, true), (-301, false)] {
            assert_eq!(is_genuine(at(seconds)), genuine, "{seconds} s later");
        }
    }

    #[test]
    fn another_secret_time_or_byte_makes_it_false() {
        let now = DateTime::from_timestamp(1_531_420_618, 0).unwrap();
        let of =
            |key: &str, signature: &str, sent: &str, body: &[u8]| is_of_slack(&secret(key), signature, sent, body, now);
        assert!(!of("another", SLACK_SIGNATURE, SLACK_SENT, SLACK_BODY));
        assert!(!of(SLACK_SECRET, SLACK_SIGNATURE, "1531420619", SLACK_BODY));
        assert!(!of(SLACK_SECRET, SLACK_SIGNATURE, SLACK_SENT, &SLACK_BODY[1..]));
        for sent in ["", "now", "99999999999999999999", "-1"] {
            let signature = sign(&secret(SLACK_SECRET), "v0", &[b"v0:", sent.as_bytes(), b":", SLACK_BODY]);
            assert!(!of(SLACK_SECRET, &signature, sent, SLACK_BODY), "{sent}");
        }
        for odd in ["", "v0=", "v0=00", &SLACK_SIGNATURE.replace("v0", "v1"), &format!("v0={}", "é".repeat(32))] {
            assert!(!of(SLACK_SECRET, odd, SLACK_SENT, SLACK_BODY), "{odd}");
        }
    }

    #[test]
    fn one_good_signature_of_pagerduty_is_enough_while_secrets_change() {
        let (key, body) = (secret("hook"), b"{\"event\":{}}".as_slice());
        let good = sign(&key, "v1", &[body]);
        let other = sign(&secret("old"), "v1", &[body]);
        for given in [good.clone(), format!("{other},{good}"), format!("{good}, {other}")] {
            assert!(is_of_pagerduty(&key, &given, body), "{given}");
        }
        let late = format!("{},{good}", [other.as_str(); 4].join(","));
        for given in ["", "v1=", &other, &good.replace("v1", "v2"), &good[3..], &late] {
            assert!(!is_of_pagerduty(&key, given, body), "{given}");
        }
        assert!(!is_of_pagerduty(&key, &good, b"{\"event\":{ }}"));
    }
}
