//! The promises of the product, each tried with real parts: a real database,
//! a real SMTP conversation, real HTTP.

mod crashes;
mod endings;
mod escalation;
mod first_sight;
mod hostile;
mod journey;
mod refusals;
mod store_faults;
mod superops_faults;
mod support;
mod walls;
mod web;
