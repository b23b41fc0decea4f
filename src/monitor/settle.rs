//! Settles periods: the outcome of each promise is frozen some days after the end of its period.

use std::collections::BTreeSet;

use tracing::{info, warn};

use super::board::StatusBoard;
use crate::config::Config;
use crate::config::uptime::{Component, Promise};
use crate::keys::id_of;
use crate::store::Store;
use crate::store::promises::PromisedSince;
use crate::uptime::Millis;
use crate::uptime::availability::{Circumstances, percent};
use crate::uptime::book::ComponentEntry;
use crate::uptime::incident::Announcements;
use crate::uptime::intervals::Interval;
use crate::uptime::statement::{Agreed, Statement, Whose, key, settled};

/// Freezes the statements that are due and not yet frozen.
pub async fn settle(config: &Config, store: &Store, board: &StatusBoard, announcements: &Announcements, now: Millis) {
    let known = match store.frozen_statement_ids(now - crate::uptime::SPANS_KEPT).await {
        Ok(known) => known,
        Err(error) => return warn!("which statements are frozen cannot be read: {error}"),
    };
    let promised = match store.promised_since().await {
        Ok(promised) => promised,
        Err(error) => return warn!("since when something is promised cannot be read: {error}"),
    };
    let due = due(config, board, announcements, (&known, &promised), now);
    if due.is_empty() {
        return;
    }
    // Terms are not stored by period, so log which ones a period was settled by, for the sake of those who change them
    // later.
    for one in &due {
        let (component, period, target) = (&one.whose.component, &one.period, percent(one.agreed.target));
        info!(
            component,
            "the period {period} of `{component}` is settled by the current terms, a target of {target} %"
        );
    }
    if let Err(error) = store.freeze_statements(due, now).await {
        warn!("statements are not frozen yet: {error}");
    }
}

fn due(
    config: &Config,
    board: &StatusBoard,
    announcements: &Announcements,
    (known, promised): (&BTreeSet<String>, &PromisedSince),
    now: Millis,
) -> Vec<Statement> {
    let mut due = Vec::new();
    for promise in &config.uptime.promises {
        let Some(one) = config.uptime.component(&promise.component) else { continue };
        let Some(entry) = board.book.component(&one.id) else { continue };
        let (kind, zone) = (promise.terms.period, promise.terms.zone);
        let Some(promised) = promised.get(&(one.id.clone(), one.tenant.to_string(), kind)) else { continue };
        for span in settled(kind, zone, entry.since, *promised, now) {
            let key = key(one.tenant.as_str(), &one.id, &kind.name(zone, span.0));
            if !known.contains(&id_of(&key)) {
                let circumstances = board.book.circumstances_of(&one.id, announcements);
                due.push(statement(promise, one, entry, &circumstances, span));
            }
        }
    }
    due
}

/// Returns the statement on `promise` in the period `span`, by what is known now; `circumstances` are those of the
/// component.
fn statement(
    promise: &Promise,
    one: &Component,
    entry: &ComponentEntry,
    circumstances: &Circumstances,
    span: Interval,
) -> Statement {
    let whose = Whose {
        tenant: one.tenant.to_string(),
        component: one.id.clone(),
        name: one.name.clone(),
        client: one.client.clone(),
    };
    let terms = &promise.terms;
    let agreed = Agreed {
        target: terms.target,
        tiers: promise.tiers.clone(),
        fee: promise.fee.as_ref().map(|fee| (fee.minor, fee.currency.clone())),
        unknown: terms.unknown,
        notice: terms.notice,
        maintenance: terms.maintenance,
        partial: terms.partial,
        whole_minutes: terms.whole_minutes,
        round_the_clock: terms.hours.is_none(),
        hours: terms.hours.as_ref().map(|calendar| calendar.spec().clone()),
    };
    Statement::make(whose, &entry.record(circumstances), terms, agreed, terms.period, span)
}
