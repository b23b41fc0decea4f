//! What single values may be: addresses, numbers and names.
//!
//! Each check returns the value as the program relies on it, or the rule that
//! was broken, worded to follow the name of a key.

use std::net::{IpAddr, SocketAddr};

use lettre::message::Mailbox;
use url::Url;

use crate::uptime::credit::WHOLE;

/// An address and a port to listen on.
pub fn socket_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "must be an IP address and a port, such as \"127.0.0.1:8080\"".to_owned())
}

/// `https`, or `http` to this machine only; without a trailing slash.
pub fn private_url(text: &str) -> Result<String, String> {
    let url = web_url(text)?;
    if url.scheme() == "http" && !url.host_str().is_some_and(is_loopback) {
        return Err("must start with https://, since a secret travels with every request; \
                    plain http:// is for this machine only"
            .to_owned());
    }
    Ok(text.trim().trim_end_matches('/').to_owned())
}

/// The same for an address that paths are appended to.
pub fn base_url(text: &str) -> Result<String, String> {
    let url = private_url(text)?;
    if url.contains(['?', '#']) {
        return Err("must hold neither ? nor #, since the paths of requests are appended to it".to_owned());
    }
    Ok(url)
}

/// Any web address that a browser may be sent to; without a trailing slash.
pub fn public_url(text: &str) -> Result<String, String> {
    web_url(text)?;
    Ok(text.trim().trim_end_matches('/').to_owned())
}

/// The address of this program itself: its pages and links come right after the host.
pub fn own_url(text: &str) -> Result<String, String> {
    let url = web_url(text)?;
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(format!(
            "must end with the host, since pages and links are appended to it: \"{}\"",
            url.origin().ascii_serialization()
        ));
    }
    public_url(text)
}

/// An address that messages are posted to, unchanged: a slash at its end can matter.
pub fn posting_url(text: &str) -> Result<String, String> {
    let url = web_url(text)?;
    if url.scheme() == "http" && !url.host_str().is_some_and(is_loopback) {
        return Err("must start with https://, since messages name clients and their troubles; \
                    plain http:// is for this machine only"
            .to_owned());
    }
    Ok(text.trim().to_owned())
}

fn web_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text.trim()).map_err(|error| match error {
        url::ParseError::RelativeUrlWithoutBase => format!("must be a whole web address{}", whole(text.trim())),
        error => format!("must be a web address: {error}"),
    })?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("must be a web address that starts with https://".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user or a password, which would be shown in logs".to_owned());
    }
    Ok(url)
}

/// Suggests what an address without a scheme may mean.
fn whole(text: &str) -> String {
    match Url::parse(&format!("https://{text}")) {
        Ok(_) if !text.starts_with(['/', '.']) && text.contains('.') => {
            format!(", with https:// before it: \"https://{text}\"?")
        }
        _ => ", such as \"https://sla.example.com\"".to_owned(),
    }
}

/// Whether `host` is this machine.
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_matches(['[', ']']);
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// An email address, with or without a name before it.
pub fn mailbox(text: &str) -> Result<String, String> {
    let rule = "must be an email address, such as \"sla@example.com\" or \"SLA watch <sla@example.com>\"";
    text.parse::<Mailbox>().map(|_| text.trim().to_owned()).map_err(|_| rule.to_owned())
}

/// A bare email address.
pub fn email_address(text: &str) -> Result<String, String> {
    let parsed = text.trim().parse::<lettre::Address>();
    parsed.map(|address| address.to_string()).map_err(|_| "must name an email address after `email:`".to_owned())
}

/// A phone number in international form (E.164): `+15005550006`.
pub fn phone_number(text: &str) -> Result<String, String> {
    let digits = text.strip_prefix('+').unwrap_or_default();
    let plausible = (7..=15).contains(&digits.len()) && !digits.starts_with('0');
    if plausible && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    Err("must be a phone number with + and the country code, digits only, such as \"+15005550006\"".to_owned())
}

/// A Twilio id: its two letters, then letters and digits. It becomes part of a web address.
pub fn twilio_sid(prefix: &'static str) -> impl Fn(&&str) -> Result<String, String> {
    move |text| {
        let rest = text.strip_prefix(prefix).unwrap_or_default();
        let plausible = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let rule = || format!("must be the id that Twilio's console shows: `{prefix}`, then letters and digits");
        plausible.then(|| (*text).to_owned()).ok_or_else(rule)
    }
}

/// Where Slack messages go: `#name`, or the id of a channel or conversation.
pub fn slack_channel(text: &str) -> Result<String, String> {
    let name = text.strip_prefix('#').unwrap_or(text);
    let plausible =
        (1..=80).contains(&name.chars().count()) && !name.contains(|c: char| c.is_whitespace() || "#@<>:".contains(c));
    let rule = || "must name a Slack channel, such as \"#sla\" or \"C024BE91L\"".to_owned();
    plausible.then(|| text.to_owned()).ok_or_else(rule)
}

/// Where pushes are published: <https://docs.ntfy.sh/publish/>.
pub fn ntfy_topic(text: &str) -> Result<String, String> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let plausible = (1..=64).contains(&text.len()) && text.bytes().all(known);
    let rule = || "must name a topic of ntfy: up to 64 letters, digits, - and _, such as \"sla-mia-8d2f7c\"".to_owned();
    plausible.then(|| text.to_owned()).ok_or_else(rule)
}

/// Text that is not blank; surrounding white space is dropped.
pub fn not_blank(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() { Err("must not be blank".to_owned()) } else { Ok(text.to_owned()) }
}

/// Reads `99.95` as thousandths of a percent. It is given as text, so that no digit is lost.
pub fn percent(text: &str) -> Result<u32, String> {
    let form = || format!("must be a percentage with at most three decimals, such as \"99.95\", not `{text}`");
    let (whole, part) = text
        .trim()
        .trim_end_matches('%')
        .trim_end()
        .split_once('.')
        .unwrap_or((text.trim().trim_end_matches('%').trim_end(), ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 3 || part.len() > 3 || !digits(whole) || !digits(part) {
        return Err(form());
    }
    let number: u32 = format!("{whole}{part:0<3}").parse().map_err(|_| form())?;
    if number <= WHOLE { Ok(number) } else { Err(form()) }
}

/// A number over 0 and under 1.
pub fn share(number: &f64) -> Result<f64, String> {
    if *number > 0.0 && *number < 1.0 {
        return Ok(*number);
    }
    let hint = if (1.0..=100.0).contains(number) { ": write 75 % as 0.75" } else { "" };
    Err(format!("must be over 0 and under 1{hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_travels_in_the_clear_on_this_machine_only() {
        for good in ["https://api.superops.ai/msp", "http://127.0.0.1:4000/msp", "http://[::1]:1", "http://localhost"] {
            assert_eq!(private_url(good).as_deref(), Ok(good));
        }
        for bad in ["http://example.com", "http://localhost.example.com", "ftp://127.0.0.1", "https://u:p@h", "msp"] {
            assert!(private_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn paths_are_appended_to_an_address_that_ends_with_a_path() {
        assert_eq!(base_url("https://events.eu.pagerduty.com/").as_deref(), Ok("https://events.eu.pagerduty.com"));
        assert_eq!(base_url("https://gateway.example.com/ntfy").as_deref(), Ok("https://gateway.example.com/ntfy"));
        for bad in ["https://ntfy.sh?x=1", "https://ntfy.sh/?", "https://ntfy.sh/#top", "http://ntfy.sh"] {
            assert!(base_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_without_its_beginning_is_answered_with_the_whole_one() {
        let rule = |text| public_url(text).unwrap_err();
        assert_eq!(
            rule("sla.example.com"),
            "must be a whole web address, with https:// before it: \"https://sla.example.com\"?"
        );
        assert_eq!(rule("/sla"), "must be a whole web address, such as \"https://sla.example.com\"");
    }

    #[test]
    fn our_own_address_ends_with_the_host() {
        assert_eq!(own_url("https://sla.example.com:8443/").unwrap(), "https://sla.example.com:8443");
        for bad in ["https://sla.example.com/sla", "https://sla.example.com/?x=1", "https://sla.example.com/#top"] {
            assert!(own_url(bad).unwrap_err().ends_with("appended to it: \"https://sla.example.com\""), "{bad}");
        }
    }

    #[test]
    fn phone_numbers_carry_their_country() {
        assert!(phone_number("+15005550006").is_ok());
        for bad in ["15005550006", "+1 500 555 0006", "+0123456789", "+1", "+1234567890123456", "", "+١٢٣٤٥٦٧٨"]
        {
            assert!(phone_number(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_share_lies_between_nothing_and_everything() {
        assert_eq!(share(&0.75), Ok(0.75));
        for bad in [0.0, 1.0, -0.5, 75.0, f64::NAN, f64::INFINITY] {
            assert!(share(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_percentage_is_read_to_the_last_digit() {
        for (text, expected) in
            [("99.9", 99_900), ("99", 99_000), ("99.999", 99_999), ("100", 100_000), ("0", 0), ("99.95 %", 99_950)]
        {
            assert_eq!(percent(text), Ok(expected), "{text}");
        }
        for text in ["", ".9", "99.9999", "101", "100.001", "-1", "1e1", "ninety"] {
            assert!(percent(text).is_err(), "{text}");
        }
    }
}
