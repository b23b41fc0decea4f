//! What a server's certificate says about the days to come.
//!
//! Its dates are the one thing that rustls checks but does not expose, so they are read here.

use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};

use crate::uptime::{DAY, Millis};

/// How far ahead the end of a chain is reported.
pub const SOON: Millis = 14 * DAY;

/// What a server's certificate says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// When it ends; if the chain as sent ends within two weeks, when the chain does.
    pub until: Millis,
    /// Whether the whole chain, as sent, will still be valid in two weeks. If one certificate in it ends but another
    /// chain to a valid root remains, this is true.
    pub holds: bool,
    /// Whether that end is the end of another certificate in the chain.
    #[serde(default)]
    pub ends_by_chain: bool,
}

const SEQUENCE: u8 = 0x30;
/// The tag of the version, which comes first if it is present.
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Returns the end of validity of an X.509 certificate in DER. `None` if it is not one.
pub fn ends_at(certificate: &[u8]) -> Option<Millis> {
    validity(certificate).map(|(_, until)| until)
}

/// Returns from when until when an X.509 certificate in DER is valid (RFC 5280, 4.1). `None` if it is not one.
pub fn validity(certificate: &[u8]) -> Option<(Millis, Millis)> {
    let (mut fields, _) = inner(inner(certificate, SEQUENCE)?.0, SEQUENCE)?;
    if fields.first() == Some(&VERSION) {
        fields = inner(fields, VERSION)?.1;
    }
    // Skip the serial number, the algorithm and the issuer.
    for _ in 0..3 {
        fields = inner(fields, *fields.first()?)?.1;
    }
    let (validity, _) = inner(fields, SEQUENCE)?;
    let (from, until) = moment(validity)?;
    Some((from, moment(until)?.0))
}

/// Returns the content of the element that `bytes` begin with, and what follows it.
fn inner(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match *length {
        short @ 0..=0x7f => (usize::from(short), rest),
        // The length takes this many bytes; no element here is longer than three can express.
        long @ 0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    if *first != tag { None } else { rest.split_at_checked(length) }
}

/// Reads the time that `bytes` begin with, `261121220500Z` or the form with a four-digit year; also returns what
/// follows it.
fn moment(bytes: &[u8]) -> Option<(Millis, &[u8])> {
    let kind = *bytes.first()?;
    let (text, rest) = inner(bytes, kind)?;
    let text = std::str::from_utf8(text).ok()?;
    let text = match kind {
        GENERALIZED_TIME => text.to_owned(),
        // Two-digit years mean 1950 to 2049.
        UTC_TIME => format!("{}{text}", if text.get(..2)? < "50" { "20" } else { "19" }),
        _ => return None,
    };
    let at = NaiveDateTime::parse_from_str(&text, "%Y%m%d%H%M%SZ").ok()?;
    Some((at.and_utc().timestamp_millis(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_certificate_is_read_in_both_ways_of_writing_it() {
        for (year, expected) in
            [(2026, "2026-11-21T00:00:00Z"), (2049, "2049-11-21T00:00:00Z"), (2060, "2060-11-21T00:00:00Z")]
        {
            let mut params = rcgen::CertificateParams::new(vec!["shop.example".to_owned()]).unwrap();
            params.not_after = rcgen::date_time_ymd(year, 11, 21);
            let made = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
            let expected = chrono::DateTime::parse_from_rfc3339(expected).unwrap().timestamp_millis();
            assert_eq!(ends_at(made.der()), Some(expected));
        }
    }

    proptest::proptest! {
        #[test]
        fn bytes_of_anything_do_no_harm(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = ends_at(&bytes);
            let _ = ends_at(&[&[0x30, 0x82, 0, 200, 0x30, 0x81, 190][..], &bytes].concat());
        }
    }
}
