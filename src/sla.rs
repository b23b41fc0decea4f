//! What an SLA promises and where its clocks stand.

pub mod calendar;
pub mod clock;
pub mod desk;
pub mod forecast;
pub mod policy;
