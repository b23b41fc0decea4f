//! Erases what names a person, in steps that may be interrupted at any point.
//!
//! A person is found by the directory, the names kept for the books and those in tickets, so these are replaced last:
//! if an erasure is interrupted before that, it is simply begun again. The audit log is chained again in the
//! transaction that rewrites its lines, and its last line then says what its hash was before, so the chain is intact at
//! all times.

use chrono::{DateTime, Utc};

use super::places::{PLACES, Place};
use super::texts::{count_new, next_rows, reworded, write};
use super::words::Replacement;
use super::{Erased, Person};
use crate::report::People;
use crate::store::audit::{Author, audit, chain};
use crate::store::books::changes::note_all;
use crate::store::books::day_number;
use crate::store::encryption::note_wipe;
use crate::store::sealed::{OWNER, PHONE};
use crate::store::sql::{self, Connection};
use crate::store::{Store, StoreError};
use crate::ticket::TenantId;

impl Store {
    /// Erases everything that names the person, who is called `pseudonym` from now on. Nobody else may write meanwhile.
    /// An interrupted erasure is completed by repeating it.
    pub async fn erase_person(
        &self,
        person: &Person,
        pseudonym: &str,
        author: Author,
        now: DateTime<Utc>,
    ) -> Result<Erased, StoreError> {
        let instead = Replacement::new(person, pseudonym);
        let mut erased = Erased { files: self.empty_files(person).await?, ..Erased::default() };
        erased.numbers = self.forget_numbers(person).await?;
        for place in PLACES.iter().filter(|place| !place.is_last()) {
            erased.texts += self.reword(place, &person.tenant, &instead).await?;
        }
        let erased = self.end_erasure(person.tenant.clone(), instead, erased, author, now).await?;
        self.caches.forget_tenant(&person.tenant);
        Ok(erased)
    }

    /// Rewrites the texts of `place`; returns how many.
    async fn reword(&self, place: &'static Place, tenant: &TenantId, instead: &Replacement) -> Result<u64, StoreError> {
        let (mut after, mut all) = (place.first(), 0);
        while let Some((rows, last)) = next_rows(&self.reads, place, tenant, &after).await? {
            let (rows, tenant) = (reworded(place, rows, instead), tenant.clone());
            all += count_new(&rows);
            if !rows.is_empty() {
                self.writer
                    .write(move |tx: &mut Connection| Box::pin(async move { write(tx, place, &tenant, &rows).await }))
                    .await?;
            }
            after = last;
        }
        Ok(all)
    }

    /// Rewrites in one transaction what the person is found by and the audit log, chains the log again, and records in
    /// it what was done.
    async fn end_erasure(
        &self,
        tenant: TenantId,
        instead: Replacement,
        mut erased: Erased,
        author: Author,
        now: DateTime<Utc>,
    ) -> Result<Erased, StoreError> {
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let before = chain::last(&mut *tx).await?;
                    for place in PLACES.iter().filter(|place| place.is_last()) {
                        let (rows, texts) = reword_within(tx, place, &tenant, &instead).await?;
                        erased.texts += texts;
                        if place.table == "audit" {
                            erased.audit_lines = rows;
                        }
                    }
                    if erased.audit_lines > 0 {
                        chain::anew(tx).await?;
                    }
                    note_all(tx, &tenant).await?;
                    note_wipe(tx, now).await?;
                    audit(tx, Some(&tenant), &told(&erased, instead.by(), &before), &author, now).await?;
                    Ok(erased)
                })
            })
            .await
    }

    /// Deletes what is stored under the person's own numbers.
    async fn forget_numbers(&self, person: &Person) -> Result<u64, StoreError> {
        let own = |word: &&String| !person.shared.contains(word);
        let known_by: Vec<String> = person.known_by.iter().filter(own).cloned().collect();
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
                            // The number may be written differently there.
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

    /// Deletes the contents of reports that name people and cover a time in which this person held anything they count,
    /// since a name cannot be removed from a PDF. The record of the reports, with their hashes, stays.
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
}

/// Does the same as [`Store::reword`], in the transaction that has begun; returns how many rows changed, and how many
/// texts in them.
async fn reword_within(
    tx: &mut Connection,
    place: &'static Place,
    tenant: &TenantId,
    instead: &Replacement,
) -> Result<(u64, u64), sql::Error> {
    let (mut after, mut all, mut texts) = (place.first(), 0, 0);
    while let Some((rows, last)) = next_rows(&mut *tx, place, tenant, &after).await? {
        let rows = reworded(place, rows, instead);
        all += rows.len() as u64;
        texts += count_new(&rows);
        write(tx, place, tenant, &rows).await?;
        after = last;
    }
    Ok((all, texts))
}

/// Describes the erasure for the log; `before` is the log's previous last hash.
fn told(erased: &Erased, pseudonym: &str, before: &str) -> String {
    let mut what = format!(
        "erased a person, now called {pseudonym}: {} texts, {} numbers, {} archived files",
        erased.texts, erased.numbers, erased.files
    );
    if erased.audit_lines > 0 {
        what += &format!("; {} lines of this log, whose last hash was {before}", erased.audit_lines);
    }
    what
}
