//! The promises of the product, each tried with real parts: a real database,
//! a real SMTP conversation, real HTTP.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop and say where")]

mod fuzz;
mod policies;
mod walls;
