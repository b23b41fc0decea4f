//! superops-sla: knows of an SLA breach before the client does.

pub mod alert;
pub mod clock;
pub mod config;
pub mod history;
pub mod notify;
pub mod simulator;
pub mod sla;
pub mod store;
pub mod superops;
pub mod sync;
pub mod telemetry;
pub mod ticket;
