//! What a server's certificate says of the days to come.
//!
//! When it ends is the one thing in it that rustls checks but does not tell, so that is read here.

use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};

use crate::uptime::{DAY, Millis};

/// A chain that will not hold for so long is told of.
pub const SOON: Millis = 14 * DAY;

/// What a server's certificate says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// When it ends; if the chain, as it was sent, ends within two weeks, when that does.
    pub until: Millis,
    /// Whether the whole chain, as it was sent, will still be good in two weeks. Another chain to a root that lives on
    /// makes that true even if one certificate in it ends.
    pub holds: bool,
    /// The end is that of another certificate in the chain.
    #[serde(default)]
    pub ends_by_chain: bool,
}

const SEQUENCE: u8 = 0x30;
/// The version, which comes first where it is given.
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The end of the validity of an X.509 certificate in DER (RFC 5280, 4.1); none if it is no such thing.
pub fn ends_at(certificate: &[u8]) -> Option<Millis> {
    let (mut fields, _) = inner(inner(certificate, SEQUENCE)?.0, SEQUENCE)?;
    if fields.first() == Some(&VERSION) {
        fields = inner(fields, VERSION)?.1;
    }
    // The serial number, the algorithm and the issuer come before it.
    for _ in 0..3 {
        fields = inner(fields, *fields.first()?)?.1;
    }
    let (validity, _) = inner(fields, SEQUENCE)?;
    let (_, until) = inner(validity, *validity.first()?)?;
    let kind = *until.first()?;
    moment(kind, std::str::from_utf8(inner(until, kind)?.0).ok()?)
}

/// What is in the element that `bytes` begin with, and what follows it.
fn inner(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match *length {
        short @ 0..=0x7f => (usize::from(short), rest),
        // So many bytes hold the length; nothing here is longer than three can say.
        long @ 0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    if *first != tag { None } else { rest.split_at_checked(length) }
}

/// `261121220500Z`, or with the whole year.
fn moment(kind: u8, text: &str) -> Option<Millis> {
    let text = match kind {
        GENERALIZED_TIME => text.to_owned(),
        // Two digits mean 1950 to 2049.
        UTC_TIME => format!("{}{text}", if text.get(..2)? < "50" { "20" } else { "19" }),
        _ => return None,
    };
    Some(NaiveDateTime::parse_from_str(&text, "%Y%m%d%H%M%SZ").ok()?.and_utc().timestamp_millis())
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
