//! superops-sla knows of an SLA breach at SuperOps before the client does.
//!
//! A ticket breaches because time passes, not because a page arrives. So there
//! is no single pipe from SuperOps to a phone: three short loops meet in one
//! store, over a core that knows nothing of networks, files or the clock.
//!
//! How a breach becomes a text message:
//! 1. [`sync`] asks SuperOps, through [`superops`], what has changed. The client paces itself to the tenant's budget
//!    and turns each record into a [`ticket::Ticket`], or says which field of which record made no sense.
//! 2. [`store`] saves the page, the changes it implies and how far the reading got in one transaction; then the caches
//!    hold it and [`evaluate`] is woken. Otherwise it sleeps until the next standing changes.
//! 3. [`evaluate`] asks the core how the clocks of every open ticket stand now ([`sla::clock`]), by the tenant's rules
//!    ([`sla::tenant_rules`]). The resolution clock of one ticket is breached.
//! 4. [`alert::decide`] says what is to be raised, with its reason, and [`alert::escalation`] finds whom the first step
//!    tells, and by which channels. One transaction stores the alert and its notifications in the outbox; a unique key
//!    makes that exactly once. Beside it [`predict`] learns from the past how likely each clock is to breach.
//!    [`bookkeeping`] enters each clock in the books once it is decided; a [`report`] counts from these, and
//!    [`reporting`] sends those that go out by themselves.
//! 5. [`dispatch`] leases what is due in the outbox, as [`alert::noise`] allows, and hands it to its channel.
//! 6. [`notify::sms`] makes one attempt at Twilio, and the outbox records how that went and what comes next.
//! 7. [`answers`] takes what comes back: Twilio's report, the reply that acknowledges, a click on the link in a mail.
//!    What people are to find on the ticket itself, [`write_back`] writes there, if wanted.
//! 8. [`service`] answers the questions people ask, for [`web`] and [`cli`] alike, from one snapshot of the open
//!    tickets, so that lists, counts and figures agree; standings are never stored.
//! 9. [`self_monitoring`] watches all of that: stale data is reported, and what did not happen is counted. At night
//!    [`retention`] deletes what is old, and encrypts what is still stored plain.
//!
//! The modules stand on four floors: core, adapters, loops, faces. Each uses only what is below it or beside it to the
//! left: `docs/architecture.md` has the picture, and a test holds it.
//!
//! [`app`] builds all of it from [`config`]. [`simulator`] is a SuperOps
//! look-alike, so that the demo and the tests need no account. The words are
//! explained in `docs/glossary.md`.

// The core.
pub mod alert;
pub mod report;
pub mod sla;
pub mod ticket;
pub mod uptime;

// The adapters.
pub mod clock;
pub mod config;
pub mod descriptors;
pub mod formats;
pub mod history;
pub mod keys;
pub mod last_looks;
pub mod letterhead;
pub mod loop_health;
pub mod notify;
pub mod personal_rules;
pub mod probe;
pub mod rules_cache;
pub mod sign_in;
pub mod store;
pub mod superops;
pub mod telemetry;
pub mod terminal;
pub mod zone_rules;

// The loops.
pub mod answers;
pub mod bookkeeping;
pub mod dispatch;
pub mod evaluate;
pub mod monitor;
pub mod outpost;
pub mod predict;
pub mod reporting;
pub mod retention;
pub mod self_monitoring;
pub mod subscriptions;
pub mod sync;
pub mod write_back;

// The faces.
pub mod app;
pub mod backtest;
pub mod cli;
pub mod service;
pub mod simulator;
pub mod status_page;
pub mod web;
