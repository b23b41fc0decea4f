//! Twilio's signature on the requests it makes to us.
//!
//! It is an HMAC-SHA1 over the address that Twilio was given and the form's fields in order, under the account's auth
//! token, even where messages are sent with an API key. The address is the configured one, never the one in the
//! request: whoever forges a request chooses its `Host`.
//!
//! <https://www.twilio.com/docs/usage/security#validating-requests>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use url::Url;

/// The header that carries the signature.
pub const HEADER: &str = "X-Twilio-Signature";

/// Whether `given` is the signature of `form` sent to `url`, under any of `tokens`. Compares in constant time.
pub fn is_genuine<'t>(
    tokens: impl IntoIterator<Item = &'t SecretString>,
    url: &str,
    form: &[(String, String)],
    given: &str,
) -> bool {
    let Ok(given) = STANDARD.decode(given.trim()) else { return false };
    let fields = in_order(form);
    let spellings = spellings(url);
    tokens.into_iter().any(|token| spellings.iter().any(|url| mac(token, url, &fields).verify_slice(&given).is_ok()))
}

/// Returns the signature of `form` sent to `url`, as Twilio makes it.
pub fn sign(token: &SecretString, url: &str, form: &[(String, String)]) -> String {
    STANDARD.encode(mac(token, url, &in_order(form)).finalize().into_bytes())
}

fn mac(token: &SecretString, url: &str, fields: &[(&str, &str)]) -> Hmac<Sha1> {
    let key = token.expose_secret().as_bytes();
    let mac = Hmac::<Sha1>::new_from_slice(key).expect("HMAC takes keys of any length");
    let mac = mac.chain_update(url);
    fields.iter().fold(mac, |mac, (name, value)| mac.chain_update(name).chain_update(value))
}

/// Orders fields by name, then by value; a field that came twice with the same value counts once.
fn in_order(form: &[(String, String)]) -> Vec<(&str, &str)> {
    let mut fields: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    fields.sort_unstable();
    fields.dedup();
    fields
}

/// Returns the ways to spell `url`: Twilio is known to sign an address with its port and without it, whichever it was
/// given.
fn spellings(url: &str) -> Vec<String> {
    let mut spellings = vec![url.to_owned()];
    if let Ok(parsed) = Url::parse(url)
        && let (Some(host), Some(port)) = (parsed.host_str(), parsed.port_or_known_default())
    {
        let tail = url.splitn(4, '/').nth(3).map(|tail| format!("/{tail}")).unwrap_or_default();
        spellings.push(format!("{}://{host}{tail}", parsed.scheme()));
        spellings.push(format!("{}://{host}:{port}{tail}", parsed.scheme()));
    }
    spellings.sort_unstable();
    spellings.dedup();
    spellings
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
    const SIGNATURE: &str = "0/KCTR6DLpKmkAf8muzZqo1nDgQ=";

    fn tokens(tokens: &[&str]) -> Vec<SecretString> {
        tokens.iter().map(|token| (*token).to_owned().into()).collect()
    }

    fn form() -> Vec<(String, String)> {
        let fields = [
            ("CallSid", "CA1234567890ABCDE"),
            ("To", "+18005551212"),
            ("Caller", "+12349013030"),
            ("From", "+12349013030"),
            ("Digits", "1234"),
        ];
        fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }

    #[test]
    fn twilios_own_example_is_genuine() {
        assert_eq!(sign(&tokens(&["12345"])[0], URL, &form()), SIGNATURE);
        assert!(is_genuine(&tokens(&["12345"]), URL, &form(), SIGNATURE));
    }

    #[test]
    fn another_token_address_or_field_makes_it_false() {
        assert!(!is_genuine(&tokens(&["12346"]), URL, &form(), SIGNATURE));
        assert!(!is_genuine(&tokens(&["12345"]), "https://mycompany.com/myapp.php?foo=1", &form(), SIGNATURE));
        let mut more = form();
        more.push(("MessageStatus".to_owned(), "delivered".to_owned()));
        assert!(!is_genuine(&tokens(&["12345"]), URL, &more, SIGNATURE));
        for odd in ["", "=", "0/KCTR6D", "é", &"A".repeat(10_000)] {
            assert!(!is_genuine(&tokens(&["12345"]), URL, &form(), odd), "{odd}");
        }
        assert!(!is_genuine(&[], URL, &form(), SIGNATURE));
    }

    #[test]
    fn while_tokens_are_changed_both_are_good() {
        assert!(is_genuine(&tokens(&["new", "12345"]), URL, &form(), SIGNATURE));
    }

    #[test]
    fn the_port_may_be_spelt_out_or_left_away() {
        let token = &tokens(&["12345"]);
        let with_port = sign(&token[0], "https://mycompany.com:443/myapp.php?foo=1&bar=2", &form());
        assert!(is_genuine(token, URL, &form(), &with_port));
        let without = sign(&token[0], "https://sla.example.com/hooks/twilio/sms", &[]);
        assert!(is_genuine(token, "https://sla.example.com:8443/hooks/twilio/sms", &[], &without));
    }
}
