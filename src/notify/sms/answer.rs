//! What to do next, given Twilio's answer.
//!
//! Nearly every field of an answer may be missing, null or of another type, and undocumented statuses occur. Only what
//! is understood counts.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;

use super::{OPTED_OUT, fault_of_number};
use crate::notify::{Delivery, Receipt, SendError};

/// The longest wait: after more than this the alert would be stale.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Sorts a message that Twilio has accepted: it counts as sent, unless it says that it has failed.
pub(super) fn taken(message: &Value) -> Result<Receipt, SendError> {
    if let Some(delivery) = delivery(message)
        && let Some(failure) = failure(&delivery.status, delivery.code)
    {
        return Err(failure);
    }
    Ok(receipt(message))
}

/// Returns Twilio's id for a message, if it gives one.
pub(super) fn receipt(message: &Value) -> Receipt {
    let sid = message.get("sid").and_then(Value::as_str).filter(|sid| is_sid(sid));
    Receipt { id: sid.map(str::to_owned) }
}

/// Returns what a message says of its own fate; none if it says nothing.
pub(super) fn delivery(message: &Value) -> Option<Delivery> {
    let status = message.get("status")?.as_str()?.to_owned();
    Some(Delivery { status, code: code(message.get("error_code")) })
}

/// Returns why a message of this status will not arrive; none while it may.
pub(super) fn failure(status: &str, code: Option<u32>) -> Option<SendError> {
    let failed = matches!(status, "failed" | "undelivered" | "canceled");
    failed.then(|| match code {
        Some(code) => sort_code(code, None),
        None => SendError::refused(format!("the message is `{status}`; try another channel")),
    })
}

/// Returns the error in an answer that is not a success, if it names one.
pub(in crate::notify) fn error_code(body: Option<&Value>) -> Option<u32> {
    code(body?.get("code"))
}

/// Twilio's clock and ours may differ by as much.
const SKEW: TimeDelta = TimeDelta::minutes(2);

/// Whether `resource` was created at `since` or later; one that does not say when may have been.
pub(in crate::notify) fn is_since(resource: &Value, since: DateTime<Utc>) -> bool {
    let at = resource["date_created"].as_str().and_then(|at| DateTime::parse_from_rfc2822(at).ok());
    at.is_none_or(|at| at.to_utc() >= since - SKEW)
}

pub(in crate::notify) fn is_sid(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Sorts an answer that is not a success, by Twilio's code if there is one, otherwise by HTTP's.
pub(super) fn refusal(status: StatusCode, retry_after: Option<Duration>, body: Option<&Value>) -> SendError {
    let known = error_code(body);
    match status.as_u16() {
        429 => SendError::Unavailable { reason: said(status, known), retry_after, maybe_taken: false, outage: false },
        // The message may have been taken: a proxy in between may have answered.
        500..=599 | 408 => {
            SendError::Unavailable { reason: said(status, known), retry_after, maybe_taken: true, outage: true }
        }
        300..=399 => SendError::misconfigured(format!("{}, a redirect; `base_url` is wrong", said(status, None))),
        401 | 403 if !known.is_some_and(is_of_number) => SendError::misconfigured(said(status, known)),
        404 if known.is_none() => SendError::misconfigured(said(status, None)),
        _ => match known {
            Some(code) => sort_code(code, retry_after),
            None => SendError::refused(said(status, None)),
        },
    }
}

/// Sorts one of Twilio's error codes, from an answer or from a later report on a message.
///
/// <https://www.twilio.com/docs/api/errors>
pub(super) fn sort_code(code: u32, retry_after: Option<Duration>) -> SendError {
    let said = format!("the SMS provider reported error `{code}`");
    match code {
        20429 | 30001 | 21611 => {
            SendError::Unavailable { reason: said, retry_after, maybe_taken: false, outage: false }
        }
        code if is_of_account(code) => SendError::misconfigured(said),
        OPTED_OUT => SendError::refused(format!("{said}: the recipient has opted out")),
        _ => SendError::refused(match fault_of_number(code) {
            Some(fault) => format!("{said}: the number {}", fault.words),
            None => format!("{said}; try another channel"),
        }),
    }
}

/// Whether Twilio's error `code` is about the account, its rights, or the number or Messaging Service that it sends
/// from, so that nobody can be reached.
pub(in crate::notify) fn is_of_account(code: u32) -> bool {
    matches!(
        code,
        20003 | 20005 | 20006 | 20404 | 21212 | 21603 | 21606 | 21659 | 21660 | 21701 | 21703 | 21705 | 30002 | 30034
    )
}

/// Whether Twilio's error `code` is about the recipient's number or its country.
pub(in crate::notify) fn is_of_number(code: u32) -> bool {
    fault_of_number(code).is_some() || matches!(code, OPTED_OUT | 21214..=21217 | 21219 | 21408 | 21608 | 21612 | 21635)
}

pub(super) fn said(status: StatusCode, code: Option<u32>) -> String {
    match code {
        Some(code) => format!("the SMS provider answered `{}` with error `{code}`", status.as_u16()),
        None => format!("the SMS provider answered `{}`", status.as_u16()),
    }
}

/// Reads a number, or a number in quotes: both have been seen.
fn code(value: Option<&Value>) -> Option<u32> {
    match value? {
        Value::Number(number) => number.as_u64()?.try_into().ok(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Returns how long the answer asks us to wait: given in seconds, or as a date.
pub(in crate::notify) fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => (DateTime::parse_from_rfc2822(text).ok()?.to_utc() - now).to_std().ok()?,
    };
    Some(wait.min(LONGEST_WAIT))
}
