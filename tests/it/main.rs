//! The promises of the product, each tried with real parts: a real database,
//! a real SMTP conversation, real HTTP.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop and say where")]

mod answers;
mod batches;
mod binary;
mod books;
mod browser;
mod calls;
mod channels;
mod clocks;
mod crashes;
mod crowds;
mod database;
mod demo;
mod endings;
mod escalation;
mod first_sight;
mod fuzz;
mod histories;
mod hostile;
mod identity_provider;
mod journey;
mod leaps;
mod life;
mod noise;
mod numbers;
mod on_call;
mod outposts;
mod pace;
mod people;
mod phones;
mod policies;
mod predicted;
mod privacy;
mod pushes;
mod recompute;
mod refusals;
mod reports;
mod retention;
mod rooms;
mod routes;
mod sign_in;
mod sorting;
mod store_faults;
mod superops_faults;
mod support;
mod systems;
mod told;
mod uptime;
mod views;
mod walls;
mod watch;
mod web;
mod write_back;
mod zones;
