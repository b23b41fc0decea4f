//! Outposts, which look at services for us: what they are told to look at, and what they have seen.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::ExposeSecret;
use serde::Serialize;
use subtle::ConstantTimeEq;
use utoipa::ToSchema;

use super::super::{Complaint, Reach, Service, ServiceError};
use super::told::{AHEAD, one_line};
use crate::config::uptime::{Check, Outpost};
use crate::keys::id_of;
use crate::monitor::board::{StatusBoard, Told};
use crate::monitor::connectivity::Canaries;
use crate::outpost::wire::{BATCH, OrderedCheck, OutpostOrders, OutpostReceipt, OutpostResults, SeenThere};
use crate::probe::Certificate;
use crate::store::millis;
use crate::store::pushed::Pushed;
use crate::uptime::{Condition, Outcome};

/// How old a result may be and still be taken.
const LATEST: TimeDelta = TimeDelta::hours(24);
/// The longest look, in microseconds.
const LONGEST_LOOK: i64 = 3_600_000_000;

/// An outpost that looks at services for us.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OutpostView {
    pub id: String,
    pub name: String,
    /// heard | blind | silent | never: whether it has lately reported anything that still holds; blind: it has reported
    /// that it sees nothing, so its own line is cut.
    pub status: &'static str,
    /// The latest look that it has reported.
    pub last_look: Option<DateTime<Utc>>,
    /// How many checks it looks at.
    pub checks: usize,
}

impl Service {
    /// The outpost with this `token`.
    pub fn outpost_of(&self, token: &str) -> Option<&Outpost> {
        let is_it = |one: &&Outpost| {
            let expected = one.token.expose_secret().as_bytes();
            !expected.is_empty() && bool::from(expected.ct_eq(token.as_bytes()))
        };
        self.config.uptime.outposts.iter().find(is_it)
    }

    /// What `outpost` is to look at.
    pub fn outpost_orders(&self, outpost: &Outpost) -> OutpostOrders {
        OutpostOrders {
            now: self.leaders_now(),
            version: self.outpost_version(outpost),
            name: outpost.name.clone(),
            canaries: self.outpost_canaries(),
            checks: self.config.uptime.checks_of_outpost(&outpost.id).map(ordered).collect(),
        }
    }

    fn outpost_canaries(&self) -> Vec<String> {
        Canaries::of(&self.config).hosts().iter().map(|(host, port)| format!("{host}:{port}")).collect()
    }

    fn outpost_version(&self, outpost: &Outpost) -> String {
        let mut all = self.outpost_canaries();
        all.push(outpost.name.clone());
        let checks = self.config.uptime.checks_of_outpost(&outpost.id);
        all.extend(checks.flat_map(|check| [check.id.clone(), check.written.to_string()]));
        id_of(&all.join("\0"))
    }

    /// Takes in what `outpost` has seen; none: it could not be kept, and must be sent again. Results that are known
    /// already, too old or no longer asked for change nothing.
    pub async fn outpost_results(
        &self,
        outpost: &Outpost,
        sent: OutpostResults,
    ) -> Result<Option<OutpostReceipt>, ServiceError> {
        let now = self.leaders_now();
        if sent.results.len() > BATCH {
            return Err(ServiceError::BadQuestion(Complaint::about(
                "results",
                format!("send at most {BATCH} results at once"),
            )));
        }
        let mut seen = Vec::with_capacity(sent.results.len());
        for result in sent.results {
            let is_ordered = self.config.uptime.check(&result.check).and_then(Check::place) == Some(&*outpost.id);
            let told = told(result, now)?;
            seen.extend(told.filter(|_| is_ordered));
        }
        let taken = seen.len();
        if taken > 0 && !self.take_told(seen).await {
            return Ok(None);
        }
        Ok(Some(OutpostReceipt { now: self.leaders_now(), version: self.outpost_version(outpost), taken }))
    }

    /// The state of the outposts that look at something within `scope`.
    pub fn outposts(&self, scope: &Reach) -> Vec<OutpostView> {
        let board = self.board();
        let may_see = |check: &&Check| {
            let component = self.config.uptime.component(&check.component);
            component.is_some_and(|one| scope.tenant().is_none_or(|tenant| *tenant == one.tenant))
        };
        let view = |outpost: &Outpost| {
            let checks: Vec<_> = self.config.uptime.checks_of_outpost(&outpost.id).filter(may_see).collect();
            (!checks.is_empty()).then(|| outpost_view(outpost, &checks, &board))
        };
        self.config.uptime.outposts.iter().filter_map(view).collect()
    }
}

fn ordered(check: &Check) -> OrderedCheck {
    OrderedCheck { id: check.id.clone(), component: check.component.clone(), toml: check.written.to_string() }
}

fn outpost_view(outpost: &Outpost, checks: &[&Check], board: &StatusBoard) -> OutpostView {
    let heard = board.heard(checks.iter().map(|check| check.id.as_str()));
    let last = heard.and_then(|heard| heard.last);
    let status = match heard {
        Some(heard) if heard.holds => "heard",
        Some(heard) if heard.is_recent(board.at) => "blind",
        _ if last.is_some() => "silent",
        _ => "never",
    };
    OutpostView {
        id: outpost.id.clone(),
        name: outpost.name.clone(),
        status,
        last_look: last.and_then(DateTime::from_timestamp_millis),
        checks: checks.len(),
    }
}

/// What was seen, as the loop takes it; none if it is too old or lies in the future.
fn told(result: SeenThere, now: DateTime<Utc>) -> Result<Option<Told>, ServiceError> {
    let SeenThere { check, at, status, micros, text, certificate } = result;
    let verdict = Condition::parse(&status).ok_or_else(|| {
        let status = status.chars().take(20).collect::<String>();
        ServiceError::BadQuestion(Complaint::of(
            "status",
            format!("is `{status}`, and must be up, degraded, down or unknown"),
        ))
    })?;
    if !(now - LATEST..=now + AHEAD).contains(&at) {
        return Ok(None);
    }
    let detail = text.map(|text| one_line(&text)).filter(|text| !text.is_empty() && verdict != Condition::Up);
    let outcome = Outcome { at: millis(at.min(now)), verdict, detail };
    let certificate = certificate.map(|one| {
        let (until, holds, ends_by_chain) = (millis(one.ends_at), one.holds, one.ends_by_chain);
        Certificate { until, holds, ends_by_chain }
    });
    Ok(Some((Pushed { check, outcome, micros: micros.clamp(0, LONGEST_LOOK) }, certificate)))
}
