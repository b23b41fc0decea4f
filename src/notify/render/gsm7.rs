//! The alphabet of a plain text message, GSM 03.38.
//!
//! A text in it holds 160 characters; one character outside it turns the whole message into UCS-2, which holds 70. So
//! text is written in it where possible: accents that it lacks are dropped, typographic marks become plain ones, and
//! emoji go. Letters of other scripts cannot be written, and the caller is told.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The characters that take one septet. The line ends belong to it too, but a message is one line.
const BASIC: &str = "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡\
                     ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";

/// The characters that take two septets: an escape and the character.
const EXTENDED: &str = "^{}\\[~]|€";

/// Returns how many septets `c` takes; `None` if it is not in the alphabet.
fn width(c: char) -> Option<usize> {
    if BASIC.contains(c) {
        Some(1)
    } else if EXTENDED.contains(c) {
        Some(2)
    } else {
        None
    }
}

/// Returns how many septets `text` takes; `None` if it needs UCS-2.
pub(super) fn septets(text: &str) -> Option<usize> {
    text.chars().map(width).sum()
}

/// Writes `text` in the alphabet; `None` if it would lose a letter, or everything.
pub(super) fn fold(text: &str) -> Option<String> {
    let mut folded = String::with_capacity(text.len());
    for c in text.nfc() {
        fold_char(c, &mut folded)?;
    }
    let folded = folded.split_whitespace().collect::<Vec<_>>().join(" ");
    (!folded.is_empty() || text.trim().is_empty()).then_some(folded)
}

fn fold_char(c: char, folded: &mut String) -> Option<()> {
    if width(c).is_some() {
        folded.push(c);
    } else if let Some(plain) = plain(c) {
        folded.push_str(plain);
    } else {
        let parts: String = std::iter::once(c).nfkd().filter(|part| !is_combining_mark(*part)).collect();
        if septets(&parts).is_some() {
            folded.push_str(&parts);
        } else if c.is_alphanumeric() {
            return None;
        }
    }
    Some(())
}

/// Replaces characters that Unicode does not decompose, but people do.
fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        '‘' | '’' | '‚' | '‛' | '′' | '`' | '´' => "'",
        '“' | '”' | '„' | '‟' | '″' | '«' | '»' => "\"",
        '‐'..='―' | '−' | '•' => "-",
        '·' => ".",
        '×' => "x",
        '→' => "->",
        '←' => "<-",
        '°' => " deg",
        'Ł' => "L",
        'ł' => "l",
        'Đ' | 'Ð' => "D",
        'đ' | 'ð' => "d",
        'Þ' => "Th",
        'þ' => "th",
        'Œ' => "OE",
        'œ' => "oe",
        'Ħ' => "H",
        'ħ' => "h",
        'ı' => "i",
        'ẞ' => "SS",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_text_is_written_in_the_plain_alphabet() {
        let cases = [
            ("Café Zoë", Some("Café Zoe"), "é is in it, ë is not"),
            ("“It’s down” – again…", Some("\"It's down\" - again..."), "typographic marks"),
            ("Łódź, Þór & Œuvre", Some("Lodz, Thor & OEuvre"), "letters that have no accent to drop"),
            ("garçon", Some("garcon"), "only the capital Ç is in it"),
            ("VPN 🔥 down", Some("VPN down"), "an emoji is no loss"),
            ("ﬁle №5 ²", Some("file No5 2"), "compatible forms"),
            ("Сервер", None, "another script"),
            ("歯科", None, "another script"),
            ("٣ disks", None, "a digit of another script"),
            ("🦷🦷", None, "nothing would be left"),
            ("", Some(""), "nothing was there"),
        ];
        for (text, folded, why) in cases {
            assert_eq!(fold(text).as_deref(), folded, "{why}");
        }
    }

    #[test]
    fn an_extension_character_counts_twice() {
        assert_eq!(septets("a[b]"), Some(6));
        assert_eq!(septets("€"), Some(2));
        assert_eq!(septets("ë"), None);
        assert_eq!(BASIC.chars().count(), 125, "128 less line feed, carriage return and escape");
    }
}
