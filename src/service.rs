//! The questions people ask, answered at one `now`: used by the web and the command line alike.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::clock::SharedClock;
use crate::store::StoreError;
use crate::ticket::{ClockKind, TenantId};

/// Whose data may be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    All,
    One(TenantId),
}

/// Which open tickets are asked for; everything blank asks for all of them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TicketQuery {
    pub tenant: Option<String>,
    /// low | medium | high | critical
    pub risk: Option<String>,
    /// on_track | at_risk | breached | paused | met | cancelled | unknown, of either clock
    pub standing: Option<String>,
    /// Id or name, like the next two.
    pub technician: Option<String>,
    pub client: Option<String>,
    pub priority: Option<String>,
    /// 1 to 500, 100 unless told.
    pub limit: Option<usize>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Open tickets, worst first.
#[derive(Clone, Debug, Serialize)]
pub struct TicketPage {
    pub now: DateTime<Utc>,
    pub total: usize,
    pub tickets: Vec<TicketSla>,
    pub next_cursor: Option<String>,
}

/// One ticket with its SLA status. Durations are seconds; those left count working time.
#[derive(Clone, Debug, Serialize)]
pub struct TicketSla {
    pub ticket_id: String,
    pub display_id: String,
    pub tenant: String,
    /// Hostile text from outside.
    pub subject: String,
    pub status: Option<String>,
    pub priority: Option<String>,
    pub client: Option<String>,
    pub technician: Option<String>,
    pub group: Option<String>,
    pub sla_policy: Option<String>,
    pub superops_url: Option<String>,
    /// Seconds; negative once over; none when the clock has stopped, stands still or has no due time.
    pub response_time_remaining: Option<i64>,
    pub resolution_time_remaining: Option<i64>,
    pub is_response_breached: bool,
    pub is_resolution_breached: bool,
    /// LOW | MEDIUM | HIGH | CRITICAL
    pub breach_risk_level: &'static str,
    pub breach_probability: Option<f64>,
    /// When SuperOps was last asked about this ticket.
    pub last_updated: DateTime<Utc>,
    pub clocks: Vec<ClockStatus>,
    /// Where the reported and the computed due time differ.
    pub discrepancies: Vec<String>,
    /// Fields of the record that made no sense.
    pub flaws: Vec<String>,
}

/// One clock of a ticket.
#[derive(Clone, Debug, Serialize)]
pub struct ClockStatus {
    pub clock: ClockKind,
    /// on_track | at_risk | breached | paused | met | cancelled | unknown
    pub standing: &'static str,
    pub breached: bool,
    pub due: Option<DateTime<Utc>>,
    pub met_at: Option<DateTime<Utc>>,
    /// Working seconds left, negative once over.
    pub remaining: Option<i64>,
    /// Wall seconds to the due time, negative once past.
    pub remaining_wall: Option<i64>,
    /// Share of the working time elapsed, 0 to 1 and beyond.
    pub elapsed_share: Option<f64>,
    pub at_risk_from: Option<DateTime<Utc>>,
    /// Which hours count, in words.
    pub hours: String,
    /// Why the clock cannot be fully known, if so.
    pub partial: Vec<String>,
}

/// The head of the page: how the desk stands, and whether we can know it.
#[derive(Clone, Debug, Serialize)]
pub struct Overview {
    pub now: DateTime<Utc>,
    /// How many times faster than the wall the clock runs: 1 but in a demo.
    pub speed: u32,
    pub open: usize,
    pub breached: usize,
    pub at_risk: usize,
    pub paused: usize,
    pub on_track: usize,
    pub tenants: Vec<TenantHealth>,
    pub outbox_pending: i64,
    pub sent_last_day: i64,
    pub failed_last_day: i64,
}

/// Whether one tenant's data is fresh.
#[derive(Clone, Debug, Serialize)]
pub struct TenantHealth {
    pub tenant: String,
    pub last_good_sync: Option<DateTime<Utc>>,
    /// What is wrong and what to do, in words; none while all is well.
    pub trouble: Option<String>,
    pub quarantined: usize,
}

/// One message to one person, as the outbox knows it. Addresses and numbers are left out.
#[derive(Clone, Debug, Serialize)]
pub struct MessageView {
    pub key: String,
    pub tenant: String,
    pub ticket_id: Option<String>,
    pub display_id: Option<String>,
    /// alert | recovery | digest
    pub kind: String,
    pub stage: String,
    pub step: i64,
    pub channel: String,
    /// The person's name, or what the address is for.
    pub recipient: String,
    /// pending | sending | sent | failed | cancelled
    pub state: String,
    pub due_at: DateTime<Utc>,
    pub sent_at: Option<DateTime<Utc>>,
    pub attempts: i64,
    pub last_error: Option<String>,
}

/// Why a question could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The question itself is wrong; the text says how to put it right.
    #[error("{0}")]
    BadQuestion(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Answers questions. Cheap to share.
#[derive(Clone)]
pub struct Service {
    clock: SharedClock,
    started: DateTime<Utc>,
    speed: u32,
    samples: usize,
}

const SUBJECTS: [&str; 12] = [
    "Outlook keeps asking for a password",
    "Printer on the second floor prints blank pages",
    "VPN drops every few minutes since this morning",
    "<script>alert(1)</script><img src=x onerror=alert(2)>",
    "New starter on Monday: laptop, mailbox, badge",
    "Server room temperature alarm",
    "Cannot open shared drive S: after the password change, please help as the payroll run is due this afternoon",
    "Backup job failed three nights in a row",
    "Phishing mail reported by accounts",
    "Teams calls have no sound",
    "Firewall firmware end of support",
    "Exchange mailbox full",
];
const CLIENTS: [&str; 6] =
    ["Harbour Dental", "Northwind Logistics", "Fenwick & Sons", "Oak Lane School", "Meridian Law", "Blue Door Cafés"];
const TECHNICIANS: [&str; 5] = ["Mia Okafor", "Tom Brandt", "Priya Nair", "Lukas Weber", "Ana Sousa"];

fn risk_of(standing: &str) -> &'static str {
    match standing {
        "breached" => "CRITICAL",
        "at_risk" => "HIGH",
        _ => "LOW",
    }
}

impl Service {
    /// Throwaway sample data.
    pub fn sample(clock: SharedClock, speed: u32, samples: usize) -> Self {
        Self { started: clock.now(), clock, speed, samples }
    }

    fn clock_status(&self, kind: ClockKind, i: usize, now: DateTime<Utc>) -> ClockStatus {
        let first = kind == ClockKind::FirstResponse;
        let answered = first && i % 3 != 0;
        let paused = !first && i % 7 == 4;
        let unknown = i % 13 == 12;
        let minutes = (i as i64 * i as i64 * 7 + i as i64 * 11) % 900 - 130 - if first { 60 } else { 0 };
        let due = self.started + TimeDelta::seconds(minutes * 60 + i as i64 * 7 % 60);
        let total = if first { 3600 } else { 8 * 3600 };
        let left = (due - now).num_seconds();
        let share = (total as f64 - left as f64) / total as f64;
        let standing = if unknown {
            "unknown"
        } else if answered {
            if i % 9 == 1 { "breached" } else { "met" }
        } else if left < 0 {
            "breached"
        } else if paused {
            "paused"
        } else if share > 0.75 {
            "at_risk"
        } else {
            "on_track"
        };
        ClockStatus {
            clock: kind,
            standing,
            breached: standing == "breached",
            due: (!unknown && !paused).then_some(due),
            met_at: answered.then(|| self.started - TimeDelta::minutes(20 + i as i64)),
            remaining: (!unknown && !answered).then_some(left),
            remaining_wall: (!unknown && !answered && !paused).then_some(left + if i % 5 == 0 { 54000 } else { 0 }),
            elapsed_share: (!unknown).then_some(share.max(0.05)),
            at_risk_from: Some(due - TimeDelta::seconds(total / 4)),
            hours: if i % 5 == 0 {
                "head-office, Mon to Fri 09:00-17:30 (Europe/London)".into()
            } else {
                "round the clock".into()
            },
            partial: if unknown { vec!["SuperOps gives no due time and no policy matches".into()] } else { vec![] },
        }
    }

    fn all(&self, scope: &Scope) -> Vec<TicketSla> {
        let now = self.clock.now();
        let mut tickets: Vec<_> = (0..self.samples)
            .map(|i| {
                let tenant = if i % 4 == 3 { "globex" } else { "acme" };
                let clocks: Vec<_> = ClockKind::ALL.into_iter().map(|kind| self.clock_status(kind, i, now)).collect();
                let left = |c: &ClockStatus| c.remaining;
                let open_breach = |c: &ClockStatus| c.standing == "breached" && c.met_at.is_none();
                let worst = if clocks.iter().any(open_breach) {
                    "breached"
                } else if clocks.iter().any(|c| c.standing == "at_risk") {
                    "at_risk"
                } else {
                    "on_track"
                };
                TicketSla {
                    ticket_id: format!("41{:05}", i * 37),
                    display_id: format!("{}-{:04}", "062822", i + 1),
                    tenant: tenant.into(),
                    subject: SUBJECTS[i % 12].into(),
                    status: Some(if i % 7 == 4 { "Waiting on Customer" } else { ["Open", "In Progress", "Customer Replied"][i % 3] }.into()),
                    priority: [Some("Critical"), Some("High"), Some("Medium"), Some("Low"), None][i % 5].map(Into::into),
                    client: (i % 11 != 10).then(|| CLIENTS[i % 6].into()),
                    technician: (i % 6 != 5).then(|| TECHNICIANS[i % 5].into()),
                    group: Some("Service Desk".into()),
                    sla_policy: [Some("Gold 24x7"), Some("Silver"), None][i % 3].map(Into::into),
                    superops_url: Some(format!("https://{tenant}.superops.ai/#/tickets/41{:05}", i * 37)),
                    response_time_remaining: left(&clocks[0]),
                    resolution_time_remaining: left(&clocks[1]),
                    is_response_breached: clocks[0].breached,
                    is_resolution_breached: clocks[1].breached,
                    breach_risk_level: risk_of(worst),
                    breach_probability: None,
                    last_updated: now - TimeDelta::seconds(12),
                    clocks,
                    discrepancies: if i % 8 == 0 {
                        vec!["resolution: SuperOps says due 14:30, the policy Gold 24x7 gives 13:10; a pause before we watched would explain it".into()]
                    } else {
                        vec![]
                    },
                    flaws: vec![],
                }
            })
            .filter(|t| match scope {
                Scope::All => true,
                Scope::One(tenant) => t.tenant == tenant.as_str(),
            })
            .collect();
        tickets.sort_by_key(|t| {
            let order = ["breached", "at_risk", "on_track", "paused", "unknown", "met", "cancelled"];
            t.clocks
                .iter()
                .filter(|c| c.met_at.is_none())
                .map(|c| (order.iter().position(|o| *o == c.standing), c.remaining.unwrap_or(i64::MAX)))
                .min()
        });
        tickets
    }

    pub async fn tickets(&self, scope: &Scope, query: &TicketQuery) -> Result<TicketPage, ServiceError> {
        let limit = query.limit.unwrap_or(100);
        if !(1..=500).contains(&limit) {
            return Err(ServiceError::BadQuestion("`limit` must be from 1 to 500".into()));
        }
        let mut tickets = self.all(scope);
        tickets.retain(|t| query.tenant.as_ref().is_none_or(|wanted| t.tenant == *wanted));
        let total = tickets.len();
        tickets.truncate(limit);
        Ok(TicketPage { now: self.clock.now(), total, tickets, next_cursor: None })
    }

    pub async fn ticket(&self, scope: &Scope, id: &str) -> Result<Option<TicketSla>, ServiceError> {
        Ok(self.all(scope).into_iter().find(|t| t.ticket_id == id || t.display_id == id))
    }

    pub async fn overview(&self, scope: &Scope) -> Result<Overview, ServiceError> {
        let now = self.clock.now();
        let tickets = self.all(scope);
        let count = |standing: &str| {
            tickets.iter().filter(|t| t.clocks.iter().any(|c| c.standing == standing && c.met_at.is_none())).count()
        };
        let tenants = ["acme", "globex"].into_iter().filter(|name| match scope {
            Scope::All => true,
            Scope::One(tenant) => tenant.as_str() == *name,
        });
        Ok(Overview {
            now,
            speed: self.speed,
            open: tickets.len(),
            breached: count("breached"),
            at_risk: count("at_risk"),
            paused: count("paused"),
            on_track: count("on_track"),
            tenants: tenants
                .map(|tenant| TenantHealth {
                    tenant: tenant.into(),
                    last_good_sync: Some(if tenant == "acme" { now - TimeDelta::seconds(12) } else { now - TimeDelta::seconds(1300) }),
                    trouble: (tenant == "globex").then(|| "SuperOps refuses the token; put a new one in `/run/secrets/globex`, it is read again by itself".into()),
                    quarantined: if tenant == "acme" { 0 } else { 2 },
                })
                .collect(),
            outbox_pending: 2,
            sent_last_day: 118,
            failed_last_day: 1,
        })
    }

    pub async fn messages(
        &self,
        scope: &Scope,
        ticket: Option<&str>,
        _limit: usize,
    ) -> Result<Vec<MessageView>, ServiceError> {
        let now = self.clock.now();
        let tickets: Vec<_> =
            self.all(scope).into_iter().filter(|t| ticket.is_none_or(|id| t.ticket_id == id)).collect();
        Ok(tickets
            .iter()
            .take(14)
            .enumerate()
            .map(|(i, t)| {
                let state = if ticket.is_some() {
                    ["sent", "pending", "failed"][i % 3]
                } else {
                    ["pending", "sent", "sent", "failed", "sent", "cancelled", "sending"][i % 7]
                };
                MessageView {
                    key: format!("k{i}{}", t.ticket_id),
                    tenant: t.tenant.clone(),
                    ticket_id: (i != 6).then(|| t.ticket_id.clone()),
                    display_id: (i != 6).then(|| t.display_id.clone()),
                    kind: if i == 6 {
                        "digest"
                    } else if i == 4 {
                        "recovery"
                    } else {
                        "alert"
                    }
                    .into(),
                    stage: ["breached", "warning"][i % 2].into(),
                    step: (i % 2) as i64,
                    channel: ["email", "sms"][i % 2].into(),
                    recipient: TECHNICIANS[i % 5].into(),
                    state: state.into(),
                    due_at: now - TimeDelta::minutes(i as i64 * 4) + TimeDelta::seconds(90),
                    sent_at: (state == "sent").then(|| now - TimeDelta::minutes(i as i64 * 4)),
                    attempts: 1,
                    last_error: (state == "failed")
                        .then(|| "the provider refused the message: 550 mailbox unavailable".into()),
                }
            })
            .collect())
    }

    pub async fn ready(&self) -> Result<(), Vec<String>> {
        Err(vec!["no good read of tenant `globex` for 21 min: SuperOps refuses the token".into()])
    }

    pub fn hint(&self, _tenant: &TenantId) {}

    pub fn refresh_gauges(&self) {}
}
