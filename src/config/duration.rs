//! Lengths of time as people write them: `90s`, `15m`, `8h`, `2d`, `1h30m`.

use chrono::TimeDelta;

/// Ten years: more is a typo, and far more would overflow.
const LONGEST: TimeDelta = TimeDelta::days(3650);

const FORM: &str = "must be a length of time such as \"90s\", \"15m\", \"8h\", \"2d\" or \"1h30m\"";

/// Reads a length of time; the error is the rule that it breaks.
pub fn parse(text: &str) -> Result<TimeDelta, String> {
    let mut rest = text.trim();
    let mut total = TimeDelta::zero();
    if rest.is_empty() {
        return Err(FORM.to_owned());
    }
    while !rest.is_empty() {
        let (part, after) = first_part(rest).ok_or(FORM)?;
        total = total.checked_add(&part).filter(|sum| *sum <= LONGEST).ok_or("must not be over ten years")?;
        rest = after;
    }
    Ok(total)
}

/// The first number with its unit, and what follows them.
fn first_part(text: &str) -> Option<(TimeDelta, &str)> {
    let end = text.find(|character: char| !character.is_ascii_digit())?;
    let count: i64 = text[..end].parse().ok()?;
    let unit = text[end..].chars().next()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    Some((TimeDelta::try_seconds(count.checked_mul(seconds)?)?, &text[end + unit.len_utf8()..]))
}

/// Writes a length of time the way [`parse`] reads it. Days only where they are
/// whole: in open hours, `30h` is clearer than `1d6h`.
pub fn show(length: TimeDelta) -> String {
    let seconds = length.num_seconds();
    if seconds > 0 && seconds % 86_400 == 0 {
        return format!("{}d", seconds / 86_400);
    }
    let parts = [(seconds / 3600, 'h'), (seconds / 60 % 60, 'm'), (seconds % 60, 's')];
    let shown: String = parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    if shown.is_empty() { "0s".to_owned() } else { shown }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_length_of_time_is_read_as_people_write_it() {
        let cases = [("0s", 0), ("90s", 90), ("15m", 900), ("8h", 28_800), ("2d", 172_800), (" 1h30m ", 5400)];
        for (text, seconds) in cases {
            assert_eq!(parse(text), Ok(TimeDelta::seconds(seconds)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_form_to_use() {
        for text in ["", "8", "h", "1.5h", "-1h", "1 hour", "1w", "5é", "9999999999999999999d"] {
            assert_eq!(parse(text), Err(FORM.to_owned()), "{text}");
        }
        assert!(parse("3651d").is_err());
        assert!(parse("9223372036854775807s").is_err());
    }

    #[test]
    fn a_length_of_time_is_shown_in_days_only_if_they_are_whole() {
        let cases = [(0, "0s"), (90, "1m30s"), (5400, "1h30m"), (108_000, "30h"), (172_800, "2d")];
        for (seconds, shown) in cases {
            assert_eq!(show(TimeDelta::seconds(seconds)), shown);
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_can_be_read_again(seconds in 0..LONGEST.num_seconds()) {
            let length = TimeDelta::seconds(seconds);
            prop_assert_eq!(parse(&show(length)), Ok(length));
        }
    }
}
