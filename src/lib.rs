//! superops-sla knows of an SLA breach at SuperOps before the client does.
//!
//! A ticket breaches because time passes, not because a page arrives. So there
//! is no single pipe from SuperOps to a phone: three short loops meet in one
//! store, over a core that knows nothing of networks, files or the clock.
//!
//! One ticket's way through the house:
//! 1. [`sync`] asks SuperOps, through [`superops`], what has changed. The client
//!    paces itself to the tenant's budget and turns each record into a
//!    [`ticket::Ticket`], or says which field of which record made no sense.
//! 2. [`store`] saves the page, the changes it implies and how far the reading
//!    got in one transaction; then the caches hold it and `evaluate` is woken.
//! 3. [`evaluate`] asks the core how both clocks of every open ticket stand now
//!    ([`sla::clock`]), by the tenant's rules ([`sla::tenant_rules`]).
//! 4. [`alert`] decides what is to be raised, each time with its reason, and
//!    [`alert::escalation`] finds whom it goes to. One transaction stores the
//!    alert and its notifications; a unique key makes that exactly once.
//!    Beside it [`predict`] learns from the past how likely each clock is to breach.
//! 5. [`dispatch`] leases what is due in the outbox; a channel of [`notify`]
//!    makes one attempt; the answer is remembered and says what comes next.
//!    What people are to find on the ticket itself, [`write_back`] writes there, if wanted.
//! 6. [`answers`] takes what comes back: a click on a link, a reply to a text
//!    message, the provider's word on what was delivered.
//! 7. [`service`] answers the questions people ask, for [`web`] and [`cli`] alike,
//!    from one picture of the open tickets, so that lists, counts and figures agree; standings are never stored.
//! 8. [`self_monitoring`] watches all of that: stale data is told, and what did not happen is counted. At night [`retention`]
//!    lets go what is past and old.
//!
//! [`app`] builds all of it from [`config`]. [`simulator`] is a SuperOps
//! look-alike, so that the demo and the tests need no account. The words are
//! explained in `docs/glossary.md`.

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod descriptors;
pub mod rules_cache;

pub mod alert;
pub mod report;
pub mod sla;
pub mod ticket;
pub mod uptime;

pub mod backtest;
pub mod history;
pub mod last_looks;
pub mod notify;
pub mod pulse;
pub mod store;
pub mod superops;
pub mod telemetry;
pub mod terminal;

pub mod answers;
pub mod dispatch;
pub mod evaluate;
pub mod formats;
pub mod predict;
pub mod retention;
pub mod self_monitoring;
pub mod sync;
pub mod write_back;

pub mod service;
pub mod simulator;
pub mod web;
