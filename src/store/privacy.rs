//! What the store knows of one person: told in full, or taken away so that every count stays.
//!
//! Names, addresses and numbers stand in texts and in JSON all over the store. They are sought in every place where any
//! can stand, a few hundred rows at a time, and exchanged for a pseudonym. SuperOps' id of the person stays: the books
//! count by it, and the hashes of closed months are made of it, so they can still be proved. The audit log is chained
//! anew, and its last line says what its hash was before.

mod places;
mod words;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use self::places::{Key, PLACES, Place};
use self::words::Replacement;
use super::audit::{Author, audit, chain};
use super::books::{date_of, day_number};
use super::{Store, StoreError, millis};
use crate::report::People;
use crate::store::sealed::{Column, OWNER, PHONE, Sealed};
use crate::store::sql::{self, Connection, Row, Stored};
use crate::ticket::{RefId, TenantId};

/// Somebody whom the store knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Person {
    pub tenant: TenantId,
    pub id: RefId,
    /// Names, addresses and numbers.
    pub known_by: Vec<String>,
}

/// A text that names the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mention {
    pub table: &'static str,
    pub row: String,
    pub column: &'static str,
    pub text: String,
}

/// A share of a decided clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    pub ticket: String,
    pub clock: String,
    pub round: i64,
    pub outcome: String,
    pub day: NaiveDate,
    /// Of a million.
    pub weight: i64,
    /// Working time in milliseconds, while this person had it.
    pub counted: i64,
}

/// What was taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Erased {
    /// Texts that were changed, the audit log's among them.
    pub texts: u64,
    /// Rows about numbers that are gone.
    pub numbers: u64,
    /// Files of the archive whose content is gone.
    pub files: u64,
    /// Lines of the audit log that read otherwise now.
    pub audit_lines: u64,
}

impl Store {
    /// Whom of `tenant` people mean by `text`: an id, a name, an address or a number.
    pub async fn persons(&self, tenant: &TenantId, text: &str) -> Result<Vec<Person>, StoreError> {
        let directory = self.directory(tenant).await?;
        let named = self.called(tenant).await?;
        let ids = named.keys().filter(|(kind, _)| kind == "technician").filter_map(|(_, id)| RefId::parse(id).ok());
        let mut ids: Vec<RefId> = ids.chain(directory.technicians.keys().cloned()).collect();
        ids.sort();
        ids.dedup();
        let person = |id: RefId| {
            let here = directory.technicians.get(&id);
            let now = here.into_iter().flat_map(|one| [Some(&one.name), one.email.as_ref(), one.phone.as_ref()]);
            let once = named.get(&("technician".to_owned(), id.to_string()));
            let mut known_by: Vec<String> =
                now.flatten().chain(once).map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect();
            known_by.sort();
            known_by.dedup();
            Person { tenant: tenant.clone(), id, known_by }
        };
        let wanted = text.trim().to_lowercase();
        let is_meant = |one: &Person| {
            one.id.as_str() == text.trim() || one.known_by.iter().any(|word| word.to_lowercase() == wanted)
        };
        Ok(ids.into_iter().map(person).filter(is_meant).collect())
    }

    /// Every text that names the person.
    pub async fn mentions(&self, person: &Person) -> Result<Vec<Mention>, StoreError> {
        let instead = Replacement::new(&person.known_by, "");
        let mut found = Vec::new();
        for place in PLACES {
            let mut after = place.first();
            while let Some((rows, last)) = self.batch(place, person, &after).await? {
                for (key, texts) in rows {
                    let named = place.columns.iter().zip(texts).filter_map(|(column, held)| {
                        let text = held.text.filter(|text| instead.of(text).is_some())?;
                        Some(Mention { table: place.table, row: key.to_string(), column, text })
                    });
                    found.extend(named);
                }
                after = last;
            }
        }
        Ok(found)
    }

    /// Whether a service leads on this database at `now`, as far as its clock and ours agree.
    pub async fn is_led(&self, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let until = sql::query_scalar("SELECT until_at FROM leases WHERE name = 'leader'");
        let until: Option<i64> = until.fetch_optional(&self.reads).await?;
        Ok(until.is_some_and(|until| until > millis(now)))
    }

    /// What the books say of the person.
    pub async fn held_by(&self, person: &Person) -> Result<Vec<Held>, StoreError> {
        let rows = sql::query(
            "SELECT e.ticket, e.clock, e.round, e.outcome, e.day, s.weight, s.counted
             FROM entries e JOIN shares s ON s.entry = e.id
             WHERE e.tenant = $1 AND e.counts = 1 AND s.holder = $2 ORDER BY e.day, e.ticket, e.clock, e.round",
        );
        let rows = rows.bind(person.tenant.as_str()).bind(person.id.as_str()).fetch_all(&self.reads).await?;
        let held = rows.iter().map(|row| {
            Ok(Held {
                ticket: row.try_get("ticket")?,
                clock: row.try_get("clock")?,
                round: row.try_get("round")?,
                outcome: row.try_get("outcome")?,
                day: date_of(row.try_get("day")?)?,
                weight: row.try_get("weight")?,
                counted: row.try_get("counted")?,
            })
        });
        held.collect()
    }

    /// Takes away all that names the person, who is called `pseudonym` from now on. Nobody else may write meanwhile.
    pub async fn erase_person(
        &self,
        person: &Person,
        pseudonym: &str,
        author: Author,
        now: DateTime<Utc>,
    ) -> Result<Erased, StoreError> {
        let instead = Replacement::new(&person.known_by, pseudonym);
        let mut erased = Erased { files: self.empty_files(person).await?, ..Erased::default() };
        erased.numbers = self.forget_numbers(person).await?;
        for place in PLACES {
            let mut after = place.first();
            let mut changed = 0;
            while let Some((rows, last)) = self.batch(place, person, &after).await? {
                changed += self.reword(place, person, rows, &instead).await?;
                after = last;
            }
            erased.texts += changed;
            if place.table == "audit" {
                erased.audit_lines = changed;
            }
        }
        self.seal_erasure(person, pseudonym, erased.clone(), author, now).await?;
        Ok(erased)
    }

    /// The next rows of `place`, and where they end; none: there are no more.
    async fn batch(
        &self,
        place: &Place,
        person: &Person,
        after: &Key,
    ) -> Result<Option<(Vec<TextRow>, Key)>, StoreError> {
        let query = sql::query(place.page);
        let query = match after {
            Key::Number(number) => query.bind(*number),
            Key::Text(text) => query.bind(Stored(text.clone())),
        };
        let query = if place.of_tenant() { query.bind(person.tenant.as_str()) } else { query };
        let mut found = Vec::new();
        for row in query.fetch_all(&self.reads).await? {
            let key = match after {
                Key::Number(_) => Key::Number(row.try_get(0)?),
                // A key may be sealed itself.
                Key::Text(_) => Key::Text(row.stored(0)?),
            };
            let texts: Result<Vec<Words>, _> = (1..=place.columns.len()).map(|at| Words::read(&row, at)).collect();
            found.push((key, texts?));
        }
        let last = found.last().map(|(key, _)| key.clone());
        Ok(last.map(|last| (found, last)))
    }

    async fn reword(
        &self,
        place: &'static Place,
        person: &Person,
        rows: Vec<TextRow>,
        instead: &Replacement,
    ) -> Result<u64, StoreError> {
        let mut changes = Vec::new();
        for (key, texts) in rows {
            let other: Vec<Option<String>> = texts.iter().map(|was| instead.of(was.text.as_deref()?)).collect();
            if other.iter().any(Option::is_some) {
                let texts = texts.into_iter().zip(other).map(|(was, other)| Words { text: other.or(was.text), ..was });
                changes.push((key, texts.collect::<Vec<_>>()));
            }
        }
        if changes.is_empty() {
            return Ok(0);
        }
        let (count, tenant) = (changes.len() as u64, person.tenant.clone());
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    for (key, texts) in &changes {
                        let query = sql::query(place.change);
                        let query = match key {
                            Key::Number(number) => query.bind(*number),
                            Key::Text(text) => query.bind(Stored(text.clone())),
                        };
                        let query = if place.of_tenant() { query.bind(tenant.as_str()) } else { query };
                        let bound = texts.iter().fold(query, |query, words| match words.sealed() {
                            Some(sealed) => query.bind(sealed),
                            None => query.bind(&words.text),
                        });
                        bound.execute(&mut *tx).await?;
                    }
                    Ok(())
                })
            })
            .await?;
        Ok(count)
    }

    /// What is kept under the person's numbers and nothing else.
    async fn forget_numbers(&self, person: &Person) -> Result<u64, StoreError> {
        let known_by = person.known_by.clone();
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let mut gone = 0;
                    for word in &known_by {
                        let (numbers, owners) = (PHONE.any_of([word.as_str()]), OWNER.any_of([word.as_str()]));
                        let forget = [
                            ("DELETE FROM sms_codes WHERE phone IN (SELECT value FROM json_each($1))", &numbers),
                            ("DELETE FROM stopped_phones WHERE phone IN (SELECT value FROM json_each($1))", &numbers),
                            (
                                "DELETE FROM unreachable_numbers WHERE phone IN (SELECT value FROM json_each($1))",
                                &numbers,
                            ),
                            // The number may be spelt otherwise there.
                            ("DELETE FROM stopped_phones WHERE who IN (SELECT value FROM json_each($1))", &owners),
                            ("DELETE FROM unreachable_numbers WHERE who IN (SELECT value FROM json_each($1))", &owners),
                        ];
                        for (forget, whom) in forget {
                            gone += sql::query(forget).bind(whom.clone()).execute(&mut *tx).await?.rows_affected();
                        }
                    }
                    Ok(gone)
                })
            })
            .await
    }

    /// Reports that name persons, on a time in which this one had anything to do with what they count: their content
    /// goes, since a name cannot be taken out of a PDF; that they were made, with their hashes, stays.
    async fn empty_files(&self, person: &Person) -> Result<u64, StoreError> {
        let days = self.held_by(person).await?;
        let (Some(first), Some(last)) = (days.first().map(|one| one.day), days.last().map(|one| one.day)) else {
            return Ok(0);
        };
        let tenant = person.tenant.clone();
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let which = "SELECT id FROM report_files WHERE tenant = $1 AND people = $2 AND from_day <= $3
                                 AND to_day >= $4 AND size > 0";
                    let ids: Vec<String> = sql::query_scalar(which)
                        .bind(tenant.as_str())
                        .bind(People::Named.as_str())
                        .bind(day_number(last))
                        .bind(day_number(first))
                        .fetch_all(&mut *tx)
                        .await?;
                    for id in &ids {
                        for empty in [
                            "DELETE FROM report_contents WHERE tenant = $1 AND id = $2",
                            "UPDATE report_files SET size = 0 WHERE tenant = $1 AND id = $2",
                        ] {
                            sql::query(empty).bind(tenant.as_str()).bind(id).execute(&mut *tx).await?;
                        }
                    }
                    Ok(ids.len() as u64)
                })
            })
            .await
    }

    /// Chains the audit log anew, and says in it what was done.
    async fn seal_erasure(
        &self,
        person: &Person,
        pseudonym: &str,
        erased: Erased,
        author: Author,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let (tenant, pseudonym) = (person.tenant.clone(), pseudonym.to_owned());
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let before = chain::last(&mut *tx).await?;
                    let mut what = format!(
                        "erased a person, now called {pseudonym}: {} texts, {} numbers, {} archived files",
                        erased.texts, erased.numbers, erased.files
                    );
                    if erased.audit_lines > 0 {
                        chain::anew(tx).await?;
                        what += &format!("; {} lines of this log, whose last hash was {before}", erased.audit_lines);
                    }
                    audit(tx, Some(&tenant), &what, &author, now).await
                })
            })
            .await
    }
}

/// A row by its key, with its texts in the order of their columns.
type TextRow = (Key, Vec<Words>);

/// What stands in a column.
struct Words {
    text: Option<String>,
    /// The column that it is sealed as, and for which row; none: it is plain.
    sealed: Option<(&'static Column, String)>,
}

impl Words {
    fn read(row: &Row, at: usize) -> Result<Self, sql::Error> {
        Ok(Self { text: row.try_get(at)?, sealed: row.sealed_for(at)? })
    }

    /// To be written sealed as it was.
    fn sealed(&self) -> Option<Sealed> {
        let ((column, row), text) = self.sealed.as_ref().zip(self.text.as_ref())?;
        Some(column.seal_for(row.clone(), text.clone()))
    }
}

#[cfg(test)]
mod tests;
