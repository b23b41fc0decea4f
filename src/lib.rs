//! superops-sla tells people about an SLA breach at SuperOps before the client notices it.
//!
//! A ticket breaches because time passes, not because a page arrives. So no single pipeline runs from SuperOps to a
//! phone: three short loops meet in one store, over a core that knows nothing of networks, files or the clock.
//!
//! How a breach becomes a text message:
//! 1. [`sync`] asks SuperOps, through [`superops`], what has changed. The client keeps to the tenant's request budget
//!    and turns each record into a [`ticket::Ticket`], or says which field of which record made no sense.
//! 2. In one transaction, [`store`] saves the page, the changes that follow from it and how far the reading got. Then
//!    the caches take the page over and [`evaluate`] is woken; otherwise it sleeps until the next standing changes.
//! 3. [`evaluate`] asks the core ([`sla::clock`]) how the clocks of every open ticket stand now by the tenant's rules
//!    ([`sla::tenant_rules`]). The resolution clock of one ticket is breached.
//! 4. [`alert::decide`] says which alert to raise and why, and [`alert::escalation`] finds the people of the first step
//!    and their channels. One transaction stores the alert and its notifications in the outbox; a unique key
//!    makes that exactly once. Meanwhile [`predict`] learns from the past how likely each clock is to breach,
//!    and [`bookkeeping`] enters each clock in the books once its outcome is known. A [`report`] counts from these
//!    books, and [`reporting`] sends the scheduled reports.
//! 5. [`dispatch`] leases what is due in the outbox, as [`alert::noise`] allows, and hands it to its channel.
//! 6. [`notify::sms`] makes one attempt at Twilio, and the outbox records how that went and what comes next.
//! 7. [`answers`] takes what comes back: Twilio's report, the reply that acknowledges, a click on the link in a mail.
//!    If wanted, [`write_back`] notes on the ticket itself what people should find there.
//! 8. [`service`] answers the questions people ask, for [`web`] and [`cli`] alike, from one snapshot of the open
//!    tickets, so that lists, counts and figures agree; standings are never stored.
//! 9. [`self_monitoring`] watches all of that: it reports stale data and counts what failed to happen. At night
//!    [`retention`] deletes old data and encrypts anything still stored in plain text.
//!
//! The modules form four layers: core, adapters, loops, faces. Each module uses only the layers below it and the
//! modules to its left in its own layer: `docs/architecture.md` has the picture, and a test enforces it.
//!
//! [`app`] builds all of it from [`config`]. [`simulator`] is a SuperOps look-alike, so that the demo and the tests
//! need no account. `docs/glossary.md` explains the terms.

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
