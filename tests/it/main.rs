//! The promises of the product, each tried with real parts: a real database,
//! a real SMTP conversation, real HTTP.

mod fuzz;
mod policies;
mod walls;
