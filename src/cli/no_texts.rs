//! Who is sent no text messages, for `check` and `status`: a person who relies on them should hear of it.

use chrono::{DateTime, Utc};

use crate::store::phones::StoppedPhone;
use crate::store::unreachable_numbers::UnreachableNumber;
use crate::store::{Store, StoreError};

/// A line for each phone that is not texted at `now`. The numbers are left out.
pub async fn lines(store: &Store, now: DateTime<Utc>) -> Result<Vec<String>, StoreError> {
    let stopped = store.stopped_phones().await?;
    let dead = store.unreachable_numbers(now).await?;
    Ok(stopped.iter().map(stopped_line).chain(dead.iter().map(unreachable_line)).collect())
}

fn stopped_line(phone: &StoppedPhone) -> String {
    format!("{} said STOP on {} and gets no text messages", phone.who, phone.since.format("%Y-%m-%d"))
}

fn unreachable_line(phone: &UnreachableNumber) -> String {
    let (words, code, since) = (phone.fault(), phone.code, phone.since.format("%Y-%m-%d"));
    let until = phone.until.format("%Y-%m-%d");
    format!(
        "{} gets no text messages until {until}: the number {words} (error {code} of {since}); correct it in SuperOps",
        phone.who
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::audit::Author;

    #[tokio::test]
    async fn whoever_is_not_texted_is_named_without_the_number() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("sla.db"), Arc::default()).await.unwrap();
        let now = "2026-11-23T09:00:00Z".parse().unwrap();
        let ann = Author { who: "Ann".into(), origin: "text message".into() };
        store.stop_phone("+15005550101", ann, now).await.unwrap();
        store.mark_phone("+15005550102", 21614, "Bob", now).await.unwrap();
        insta::assert_snapshot!(lines(&store, now).await.unwrap().join("\n"), @r"
        Ann said STOP on 2026-11-23 and gets no text messages
        Bob gets no text messages until 2026-12-23: the number is not that of a mobile phone (error 21614 of 2026-11-23); correct it in SuperOps
        ");
    }
}
