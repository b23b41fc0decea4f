//! What an SLA promises and where its clocks stand.

pub mod calendar;
pub mod clock;
pub mod desk;
pub mod infer;
pub mod policy;
pub mod version;
