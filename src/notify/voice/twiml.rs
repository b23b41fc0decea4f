//! What a call says and which keys it waits for, in Twilio's markup.
//!
//! <https://www.twilio.com/docs/voice/twiml/gather>, <https://www.twilio.com/docs/voice/twiml/say>

use maud::{Markup, PreEscaped, html};

/// How long the call waits for a key after it has spoken.
const WAITS_SECONDS: u32 = 8;
/// The keys, as they are spoken.
const KEYS: &str = "Press 1 to acknowledge, or 2 to escalate.";

/// Says `what`, waits for a key and says it once more. Keys are reported to `keys`; without that address, no key is
/// asked for.
pub fn call(what: &str, keys: Option<&str>, language: &str) -> String {
    let Some(keys) = keys else {
        return document(&[say(what, language), say(what, language)]);
    };
    let whole = format!("{what} {KEYS}");
    document(&[gather(&whole, keys, language), gather(&whole, keys, language), say("Goodbye.", language)])
}

/// Says `what` after a key was pressed, and hangs up.
pub fn answer(what: &str, language: &str) -> String {
    document(&[say(what, language)])
}

/// Asks for the keys again, after one that means nothing.
pub fn again(keys: &str, language: &str) -> String {
    document(&[gather(KEYS, keys, language), say("Goodbye.", language)])
}

fn document(verbs: &[Markup]) -> String {
    // The call ends with the last verb. maud escapes text and attributes; the tags are spelled as Twilio has them.
    let verbs: String = verbs.iter().map(|verb| verb.0.as_str()).collect();
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response>{verbs}</Response>")
}

fn say(what: &str, language: &str) -> Markup {
    let (what, language) = (html! { (what) }.into_string(), html! { (language) }.into_string());
    PreEscaped(format!("<Say language=\"{language}\">{what}</Say>"))
}

fn gather(what: &str, keys: &str, language: &str) -> Markup {
    let (said, keys) = (say(what, language).into_string(), html! { (keys) }.into_string());
    PreEscaped(format!(
        "<Gather input=\"dtmf\" numDigits=\"1\" timeout=\"{WAITS_SECONDS}\" method=\"POST\" action=\"{keys}\">{said}</Gather>"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_says_it_twice_and_names_the_keys_where_they_can_be_heard() {
        let with_keys = call("A breach.", Some("https://sla.example.com/hooks/twilio/voice?n=ab"), "en-GB");
        assert_eq!(with_keys.matches("A breach. Press 1 to acknowledge, or 2 to escalate.").count(), 2, "{with_keys}");
        assert_eq!(with_keys.matches("action=\"https://sla.example.com/hooks/twilio/voice?n=ab\"").count(), 2);
        let without = call("A breach.", None, "en-GB");
        assert!(!without.contains("Press") && without.matches("A breach.").count() == 2, "{without}");
    }

    #[test]
    fn what_comes_from_outside_is_escaped() {
        let hostile = call("</Say><Dial>+1900</Dial> & \"x\"", Some("https://h/?a=1&b=\"2\""), "en\"><Dial>");
        assert!(!hostile.contains("<Dial>"), "{hostile}");
        assert!(
            hostile.contains("&lt;Dial&gt;+1900&lt;/Dial&gt; &amp;") && hostile.contains("a=1&amp;b=&quot;2&quot;")
        );
    }
}
