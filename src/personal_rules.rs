//! Keeps the personal rules at hand: those in the configuration file, and those set on the page or through the API.
//!
//! The file goes first: for a person in it, other settings do not count. A rule that cannot be read is left out, and
//! that person is told as the steps say.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tracing::warn;

use crate::alert::noise::{People, Personal, Rules};
use crate::config::raw_personal_rules::RawPersonalRules;
use crate::store::audit::{AsOf, LastChange};
use crate::store::personal_rules::PersonalRow;
use crate::store::{Store, StoreError};

/// The limits on messages, together with the personal rules.
pub struct PersonalRules {
    store: Store,
    /// The rules of the configuration file.
    file: Arc<Rules>,
    in_force: Arc<Rules>,
    rows: Vec<PersonalRow>,
    as_of: Option<AsOf>,
}

impl PersonalRules {
    /// Starts with what `file` says, until the stored rules have been read.
    pub fn new(store: Store, file: Arc<Rules>) -> Self {
        Self { store, in_force: file.clone(), file, rows: Vec::new(), as_of: None }
    }

    /// Returns the rules in force, as last read.
    pub fn in_force(&self) -> &Arc<Rules> {
        &self.in_force
    }

    /// Reads the stored rules again if people did something since.
    pub async fn keep_up(&mut self, last_change: Option<LastChange>, now: DateTime<Utc>) -> Result<(), StoreError> {
        if self.as_of.is_some_and(|as_of| as_of.holds(last_change, now)) {
            return Ok(());
        }
        let rows = self.store.personal_rules().await?;
        if rows != self.rows {
            let people = together(&rows, &self.file.people);
            self.in_force = Arc::new(Rules { people, ..Rules::clone(&self.file) });
            self.rows = rows;
        }
        self.as_of = Some(AsOf { last_change, at: now });
        Ok(())
    }
}

/// Combines the stored rules with those of the file, which go first.
fn together(rows: &[PersonalRow], file: &People) -> People {
    let set = rows.iter().filter_map(|row| match read(row) {
        Ok((_, personal)) => Some((row.person.clone(), Arc::new(personal))),
        Err(why) => {
            warn!(
                why,
                "a personal rule set on the page or through the API cannot be read and is ignored; set it again"
            );
            None
        }
    });
    set.chain(file.iter().map(|(address, personal)| (address.clone(), personal.clone()))).collect()
}

/// Returns the rules in `row`, as they were set and as they are applied.
pub fn read(row: &PersonalRow) -> Result<(RawPersonalRules, Personal), String> {
    let wishes: RawPersonalRules = serde_json::from_str(&row.rules).map_err(|error| error.to_string())?;
    let personal = wishes.read_again(&row.person)?;
    Ok((wishes, personal))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(person: &str, rules: &str) -> PersonalRow {
        let set_at = DateTime::UNIX_EPOCH;
        PersonalRow { person: person.to_owned(), rules: rules.to_owned(), set_by: "mia".to_owned(), set_at }
    }

    #[test]
    fn the_file_goes_first_and_what_cannot_be_read_is_left_out() {
        let by_email = RawPersonalRules { channels: vec!["email".to_owned()], ..RawPersonalRules::default() };
        let file =
            People::from([("ada@example.com".to_owned(), Arc::new(by_email.read_again("ada@example.com").unwrap()))]);
        let rows = [
            row("ada@example.com", "{\"channels\": [\"sms\"]}"),
            row("bob@example.com", "{\"channels\": [\"sms\"]}"),
            row("eve@example.com", "{\"channels\": [\"pigeon\"]}"),
            row("joe@example.com", "no JSON"),
        ];
        let people = together(&rows, &file);
        let told: Vec<_> = people.iter().map(|(who, one)| (who.as_str(), one.channels[0].as_str())).collect();
        assert_eq!(told, [("ada@example.com", "email"), ("bob@example.com", "sms")]);
    }
}
